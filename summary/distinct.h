/* Distinct counts: exact while few, then HyperLogLog. Idempotent: merging is union. */
#pragma once
#include "core/cur.h"

/* Two sizes: small for a client's fan-out, large for a window's names. */
struct distinct_shape {
    uint16_t exact_max; /* hashes kept exactly, sorted */
    uint8_t p;          /* 2^p registers after that */
};
extern const struct distinct_shape distinct_small; /* 16, p = 7: 9.2 % error */
extern const struct distinct_shape distinct_large; /* 1024, p = 14: 0.8 % */

/* Storage: `exact_max` hashes or 2^p registers, whichever is larger, behind this head. */
enum { DISTINCT_REGISTERS = UINT32_MAX };
struct distinct_block {
    uint32_t n; /* exact: how many hashes; or DISTINCT_REGISTERS */
    uint32_t pad;
    union {
        uint64_t hash[1];
        uint8_t reg[1];
    };
};
size_t distinct_block_size(const struct distinct_shape *s);
/* distinct_add while there are no registers yet. */
void distinct_add_exact(const struct distinct_shape *s, struct distinct_block *b, uint64_t hash);

static inline void distinct_add_register(const struct distinct_shape *s, uint8_t reg[],
                                         uint64_t hash)
{
    uint64_t rest = hash << s->p | (uint64_t)1 << (s->p - 1); /* the guard bit bounds the rank */
    uint8_t rank = (uint8_t)(__builtin_clzll(rest) + 1);
    uint64_t i = hash >> (64 - s->p);
    if (rank > reg[i])
        reg[i] = rank;
}

static inline void distinct_add(const struct distinct_shape *s, struct distinct_block *b,
                                uint64_t hash)
{
    if (b->n == DISTINCT_REGISTERS)
        distinct_add_register(s, b->reg, hash);
    else
        distinct_add_exact(s, b, hash);
}

void distinct_merge(const struct distinct_shape *s, struct distinct_block *into,
                    const struct distinct_block *from);
/* Exact, or the estimate rounded to the nearest whole number; the same on every machine (integer
 * and table arithmetic only where rounding could differ; see distinct.c). */
uint64_t distinct_count(const struct distinct_shape *s, const struct distinct_block *b);
