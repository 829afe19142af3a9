/* The readable summary on stdout: what a person wants to see first. */
#pragma once
#include "sinks/totals.h"

/* Appends packets and outcomes, protocols, and the foremost 20 gateways, NTP peers, resolvers and
 * TLS servers of `w`. Plain text; bytes of names that a terminal could act on are written as \xNN.
 */
void table_summary(struct window *w, const struct totals_extra *x, struct text_sink *out);
