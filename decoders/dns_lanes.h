/* Bytes of names, sixteen at a time. */
#pragma once
#include <stdint.h>
#include <string.h>

enum { DNS_LANES = 16 };

/* As the compilers' vectors: SSE2 on x86, whatever there is elsewhere. */
typedef int8_t dns_lanes __attribute__((vector_size(16)));
typedef uint64_t dns_halves __attribute__((vector_size(16)));

static inline dns_lanes dns_lanes_of(int8_t b)
{
    return (dns_lanes){b, b, b, b, b, b, b, b, b, b, b, b, b, b, b, b};
}

/* Each byte plus `more`, modulo 256. */
static inline dns_lanes dns_lanes_add(dns_lanes x, int more)
{
    typedef uint8_t lanes_u8 __attribute__((vector_size(16)));
    return (dns_lanes)((lanes_u8)x + (lanes_u8)dns_lanes_of((int8_t)more));
}

/* `n` <= 8 bytes as the low bytes of a number. */
static inline uint64_t dns_load(const uint8_t *p, size_t n)
{
    uint64_t v = 0;
    memcpy(&v, p, n);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    v = __builtin_bswap64(v);
#endif
    return v;
}

/* The first `n` > 0 bytes at `p`, at most 16; zeros fill the rest. Without a branch, as lengths
 * come as they like: so there must be 8 readable bytes before `p`. */
static inline dns_lanes dns_lanes_tail(const uint8_t *p, size_t n)
{
    size_t n_low = n < 8 ? n : 8;
    uint64_t low = dns_load(p + n_low - 8, 8) >> 8 * (8 - n_low);
    uint64_t high = dns_load(p + n - 8, 8) >> 4 * (16 - n) >> 4 * (16 - n); /* shifts below 64 */
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    low = __builtin_bswap64(low);
    high = __builtin_bswap64(high);
#endif
    return (dns_lanes)(dns_halves){low, high};
}

/* The same of any bytes: loads may overlap, but stay within the `n`. */
static inline dns_lanes dns_lanes_load(const uint8_t *p, size_t n)
{
    dns_lanes x;
    if (n >= DNS_LANES) {
        memcpy(&x, p, sizeof x);
        return x;
    }
    uint64_t low, high = 0;
    if (n >= 8) {
        low = dns_load(p, 8);
        high = dns_load(p + n - 8, 8) >> 8 * (15 - n) >> 8;
    } else if (n >= 4) {
        low = dns_load(p, 4) | dns_load(p + n - 4, 4) << 8 * (n - 4);
    } else {
        low = p[0] | (uint64_t)p[n / 2] << 8 * (n / 2) | (uint64_t)p[n - 1] << 8 * (n - 1);
    }
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    low = __builtin_bswap64(low);
    high = __builtin_bswap64(high);
#endif
    return (dns_lanes)(dns_halves){low, high};
}
