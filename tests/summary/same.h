/* Do two windows say the same? Walks row_types[], so a new field is compared without being named
 * here. */
#pragma once
#include "summary/window.h"

#include <stdio.h>

static char same_why[256];

static inline bool same_strings(const struct window *wa, const void *a, const struct window *wb,
                                const void *b)
{
    uint32_t x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    struct bytes s = window_string(wa, x), t = window_string(wb, y);
    return s.len == t.len && (s.len == 0 || memcmp(s.p, t.p, s.len) == 0);
}

static inline bool same_distinct(const struct window *wa, const void *a, const struct window *wb,
                                 const void *b, const struct distinct_shape *shape)
{
    const struct distinct_block *x = window_distinct_block(wa, a, shape);
    const struct distinct_block *y = window_distinct_block(wb, b, shape);
    if (x == NULL || y == NULL)
        return (x == NULL || x->n == 0) && (y == NULL || y->n == 0);
    size_t size = x->n == UINT32_MAX ? (size_t)1 << shape->p : x->n * sizeof(uint64_t);
    return x->n == y->n && memcmp(x->hash, y->hash, size) == 0;
}

static inline bool same_set8(const struct window *wa, const struct set8 *a, const struct window *wb,
                             const struct set8 *b)
{
    struct set8_view x = window_set8(wa, a), y = window_set8(wb, b);
    return x.n == y.n && x.other == y.other && memcmp(x.value, y.value, x.n * sizeof *x.value) == 0
           && memcmp(x.count, y.count, x.n * sizeof *x.count) == 0;
}

static inline bool same_hist(const struct window *wa, const void *a, const struct window *wb,
                             const void *b)
{
    for (int i = -HIST_MAX; i <= HIST_MAX; i++)
        if (window_hist_count(wa, a, i) != window_hist_count(wb, b, i))
            return false;
    return true;
}

static inline bool same_field(const struct field *f, const struct window *wa, const uint8_t *a,
                              const struct window *wb, const uint8_t *b,
                              const struct distinct_shape *shape)
{
    a += f->at;
    b += f->at;
    switch ((enum field_type)f->type) {
    case F_CLIENT:
        return memcmp(a, b, sizeof(struct client)) == 0;
    case F_ADDR:
        return memcmp(a, b, sizeof(struct addr)) == 0;
    case F_MAC:
        return memcmp(a, b, 6) == 0;
    case F_U8:
    case F_ENUM:
    case F_FLAG:
        return *a == *b;
    case F_U16:
    case F_HEX16:
    case F_BITS16:
        return memcmp(a, b, 2) == 0;
    case F_U32:
    case V_SUM32:
    case V_MAX32:
    case V_MIN32:
    case V_BITS32:
        return memcmp(a, b, 4) == 0;
    case F_SITE:
    case F_ID64:
    case V_SUM:
    case V_MIN_NS:
    case V_MAX_NS:
    case V_SLOTS:
        return memcmp(a, b, 8) == 0;
    case F_STR:
    case V_BLOB:
        return same_strings(wa, a, wb, b);
    case V_COUNTS32:
        return memcmp(a, b, f->n * sizeof(uint32_t)) == 0;
    case V_COUNTS:
        return memcmp(a, b, f->n * sizeof(uint64_t)) == 0;
    case V_HIST:
        return same_hist(wa, a, wb, b);
    case V_SET8:
        return same_set8(wa, (const struct set8 *)a, wb, (const struct set8 *)b);
    case V_DISTINCT:
        return same_distinct(wa, a, wb, b, shape);
    case V_TALLY:
    case F_END:
        return true;
    }
    return false;
}

static inline bool same_fields(const char *what, const struct field *fields,
                               const struct window *wa, const void *a, const struct window *wb,
                               const void *b, const struct distinct_shape *shape)
{
    for (const struct field *f = fields; f->type != F_END; f++)
        if (!same_field(f, wa, a, wb, b, shape)) {
            snprintf(same_why, sizeof same_why, "%s: %s differs", what, f->name);
            return false;
        }
    return true;
}

static inline bool same_kind(struct window *a, struct window *b, enum row_kind kind)
{
    const struct row_type *type = &row_types[kind];
    size_t n, m;
    void *const *x = window_rows(a, kind, &n);
    void *const *y = window_rows(b, kind, &m);
    if (n != m) {
        snprintf(same_why, sizeof same_why, "%s: %zu rows, %zu rows", type->name, n, m);
        return false;
    }
    for (size_t i = 0; i < n; i++)
        if (!same_fields(type->name, type->keys, a, x[i], b, y[i], &distinct_small)
            || !same_fields(type->name, type->values, a, x[i], b, y[i], &distinct_small))
            return false;
    const void *other_a = window_other(a, kind), *other_b = window_other(b, kind);
    if ((other_a == NULL) != (other_b == NULL)) {
        snprintf(same_why, sizeof same_why, "%s: only one has an `other` row", type->name);
        return false;
    }
    char name[64];
    snprintf(name, sizeof name, "%s's other", type->name);
    return other_a == NULL
           || same_fields(name, type->values, a, other_a, b, other_b, &distinct_small);
}

/* NULL, or what differs first. */
static inline const char *windows_differ(struct window *a, struct window *b)
{
    if (window_start_s(a) != window_start_s(b) || window_length_s(a) != window_length_s(b))
        return "start or length";
    for (int kind = 0; kind < ROW_KIND_N; kind++)
        if (!same_kind(a, b, (enum row_kind)kind))
            return same_why;
    return same_fields("totals", totals_fields, a, window_totals(a), b, window_totals(b),
                       &distinct_large)
               ? NULL
               : same_why;
}
