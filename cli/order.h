/* In which order captures are read that are parts of one. */
#pragma once
#include "ingest/paths.h"

/* Fills order[0..n) with the numbers of `items` by the time of their first packets; where these are
 * equal, by path. Looks into every regular file for that. What cannot be looked into twice
 * (standard input, a pipe) comes last, as given; what cannot be read, or holds no packet, first.
 * Fails only without memory. */
MUST_CHECK bool order_by_time(const struct path_item items[], size_t n, size_t order[],
                              struct err *e);
