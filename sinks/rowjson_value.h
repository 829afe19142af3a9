/* Single values of rows, checked as they are read: for rowjson_read.c. All return false with the
 * reason in `e`, without the member's name. */
#pragma once
#include "sinks/rowjson.h"

#include <jansson.h>

static inline bool value_wrong(struct err *e, const char *what)
{
    err_set(e, "%s", what);
    return false;
}

/* A whole number up to `max`. */
MUST_CHECK bool value_number(const json_t *v, uint64_t max, uint64_t *out, struct err *e);
/* One of `names`: its index. */
MUST_CHECK bool value_name(const json_t *v, const char *const names[], size_t n, uint64_t *out,
                           struct err *e);

/* A list of numbers below f->n, or of f->names, in order: as bits. */
MUST_CHECK bool value_bits(const struct field *f, const json_t *v, uint64_t *out, struct err *e);

/* A decimal number up to `max` without sign or leading zeros, to the end of `text`. */
MUST_CHECK bool value_decimal(const char *text, uint64_t max, uint64_t *out);
/* Exactly `digits` lower-case hex digits. */
MUST_CHECK bool value_hex(const char *text, size_t digits, uint64_t *out);
/* The bytes behind a row's text (see rowjson.h): `to` has room for `max`. */
MUST_CHECK bool value_bytes(const char *text, size_t len, uint8_t *to, size_t max, size_t *n,
                            struct err *e);

/* A site is made known to the window by its name. */
MUST_CHECK bool value_site(struct window *w, const json_t *v, uint64_t *site, struct err *e);
/* Fills by and id. */
MUST_CHECK bool value_client_id(const json_t *v, struct client *c, struct err *e);

/* A key field, all but F_CLIENT, at `at`. Strings are interned; *nameless is set where there was no
 * room for one. */
MUST_CHECK bool value_key(struct window *w, const struct field *f, const json_t *v, uint8_t *at,
                          bool *nameless, struct err *e);
/* Code or name of a tally, into its row's key. */
MUST_CHECK bool value_tally_key(struct window *w, unsigned family, const char *text, size_t len,
                                struct row_tally *row, bool *nameless, struct err *e);

/* Value fields that lie in the row itself: set at `at`. */
MUST_CHECK bool value_sum(struct window *w, const struct field *f, const json_t *v, uint8_t *at,
                          struct err *e);
/* Intervals in seconds from `start_s` of a segment of `length_s`, as slots of the window. */
MUST_CHECK bool value_slots(const struct window *w, uint64_t start_s, uint64_t length_s,
                            const json_t *v, uint8_t *at, struct err *e);
/* Those with storage of their own: added to `h`, `d`. `block` is scratch of the large shape's size.
 */
MUST_CHECK bool value_hist(struct window *w, const json_t *v, struct hist *h, struct err *e);
MUST_CHECK bool value_distinct(struct window *w, const json_t *v,
                               const struct distinct_shape *shape, struct distinct_block *block,
                               struct distinct *d, struct err *e);

/* Order of one key field of two rows, as window_rows has it: below, equal to or above 0. */
int value_order(const struct window *w, const struct field *f, const uint8_t *a, const uint8_t *b);
