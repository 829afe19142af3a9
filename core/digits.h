/* Numbers as text, for what writes them by the million. Each function writes at `p` and returns the
 * end of what it wrote: no NUL, and the room is the caller's. */
#pragma once
#include "core/cur.h"

/* Room for any number; a short one too may write over all of it. */
enum { DIGITS_U64_MAX = 20 };

extern const char digits_triples[3004]; /* "000001002...999" */
extern const char digits_bytes[513];    /* "000102...ff" */

/* Three digits: `v` is below 1,000. */
static inline char *digits_triple(char *p, uint32_t v)
{
    memcpy(p, digits_triples + 3 * (size_t)v, 3);
    return p + 3;
}

/* Below 1,000, without leading zeros, and without branches: nothing foretells how long numbers
 * are. */
static inline char *digits_small(char *p, uint32_t v)
{
    size_t n = 1u + (v >= 10) + (v >= 100);
    memcpy(p, digits_triples + 3 * (size_t)v + 3 - n, 3);
    return p + n;
}

/* A number of 1,000 or more. */
char *digits_large(char *p, uint64_t v);

static inline char *digits_u64(char *p, uint64_t v)
{
    return v < 1000 ? digits_small(p, (uint32_t)v) : digits_large(p, v);
}

/* A byte as two hex digits. */
static inline char *digits_byte(char *p, uint8_t v)
{
    memcpy(p, digits_bytes + 2 * (size_t)v, 2);
    return p + 2;
}

/* The last `bytes` bytes of `v`, two hex digits each. */
static inline char *digits_hex(char *p, uint64_t v, int bytes)
{
    for (int i = bytes - 1; i >= 0; i--)
        p = digits_byte(p, (uint8_t)(v >> 8 * i));
    return p;
}
