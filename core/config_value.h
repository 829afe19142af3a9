/* Values as people write them, in configuration files and on command lines. Each fills `to`, or
 * sets `e` to "what is wrong; what is allowed" and leaves `to` alone. */
#pragma once
#include "core/client.h"
#include "core/err.h"

/* A decimal number from `min` to `max`, without sign, leading zeros or unit. */
MUST_CHECK bool config_value_number(const char *text, uint64_t min, uint64_t max, uint64_t *to,
                                    struct err *e);

/* The index of one of `n` words. */
MUST_CHECK bool config_value_word(const char *text, const char *const words[], unsigned n,
                                  unsigned *to, struct err *e);

/* The name of a sensor or site: 1 to `size` - 1 of A-Z a-z 0-9 . _ -; the rest of `to` is zeroed.
 */
MUST_CHECK bool config_value_label(const char *text, char *to, size_t size, struct err *e);
