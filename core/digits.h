/* Numbers as text, for what writes them by the million. Each function writes at `p` and returns the
 * end of what it wrote: no NUL, and the room is the caller's. */
#pragma once
#include "core/cur.h"

enum { DIGITS_U64_MAX = 20 };

extern const char digits_pairs[201]; /* "000102...99" */
extern const char digits_bytes[513]; /* "000102...ff" */

/* Two digits: `v` is below 100. */
static inline char *digits_pair(char *p, uint32_t v)
{
    memcpy(p, digits_pairs + 2 * (size_t)v, 2);
    return p + 2;
}

/* Below 10,000, without leading zeros. */
static inline char *digits_small(char *p, uint32_t v)
{
    if (v >= 1000)
        return digits_pair(digits_pair(p, v / 100), v % 100);
    if (v >= 100)
        *p++ = (char)('0' + v / 100);
    if (v >= 10)
        return digits_pair(p, v % 100);
    *p = (char)('0' + v);
    return p + 1;
}

/* A number of 10,000 or more. */
char *digits_large(char *p, uint64_t v);

static inline char *digits_u64(char *p, uint64_t v)
{
    return v < 10000 ? digits_small(p, (uint32_t)v) : digits_large(p, v);
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
