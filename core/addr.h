/* Addresses: IPv4 lives in ::ffff:0:0/96, so one 16-byte word serves both families. */
#pragma once
#include "core/cur.h"

struct addr {
    uint8_t b[16]; /* network order */
};

#define ADDR_TEXT_MAX 46 /* bytes of the longest text, with its NUL */
#define MAC_TEXT_MAX  18

static inline struct addr addr_v4(const uint8_t b[4])
{
    struct addr a;
    uint32_t v4;
    memcpy(&v4, b, sizeof v4);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    const uint64_t half[2] = {0, UINT64_C(0xffff) << 32 | v4};
#else
    const uint64_t half[2] = {0, (uint64_t)v4 << 32 | 0xffff0000};
#endif
    memcpy(a.b, half, sizeof half);
    return a;
}

static inline struct addr addr_v6(const uint8_t b[16])
{
    struct addr a;
    memcpy(a.b, b, 16);
    return a;
}

static inline bool addr_is_v4(const struct addr *a)
{
    uint64_t high;
    uint32_t mid;
    memcpy(&high, a->b, sizeof high);
    memcpy(&mid, a->b + 8, sizeof mid);
    return (high | (mid ^ __builtin_bswap32(0xffff))) == 0;
}

/* The IPv4 address as a number; of an address for which addr_is_v4 holds. */
static inline uint32_t addr_v4_number(const struct addr *a)
{
    uint32_t be;
    memcpy(&be, a->b + 12, sizeof be);
    return __builtin_bswap32(be);
}

static inline bool addr_equal(const struct addr *a, const struct addr *b)
{
    return memcmp(a->b, b->b, 16) == 0;
}

/* Multicast, IPv4 limited broadcast, or unspecified: not one host's address. Subnet broadcasts
 * cannot be told. */
static inline bool addr_v4_is_group(uint32_t v4)
{
    return v4 >> 28 == 14 || v4 == 0 || v4 == UINT32_MAX;
}

static inline bool addr_v6_is_group(const uint8_t b[16])
{
    uint64_t high, low;
    memcpy(&high, b, sizeof high);
    memcpy(&low, b + 8, sizeof low);
    return b[0] == 0xff || (high | low) == 0;
}

static inline bool addr_is_group(const struct addr *a)
{
    return addr_is_v4(a) ? addr_v4_is_group(addr_v4_number(a)) : addr_v6_is_group(a->b);
}

/* Private in the sense of the default client networks: RFC 1918, RFC 6598, RFC 3927, RFC 4193,
 * fe80::/10. Families come as they like, private addresses do not: so the first byte, by a table,
 * is asked before all else, and the family by no branch. */
static inline bool addr_is_private(const struct addr *a)
{
    static const uint64_t begins[2][4] = {
        {0, 0, 0, UINT64_C(7) << (0xfc - 192)},
        {UINT64_C(1) << 10, UINT64_C(1) << (100 - 64),
         UINT64_C(1) << (169 - 128) | UINT64_C(1) << (172 - 128), UINT64_C(1) << (192 - 192)},
    };
    bool is_v4 = addr_is_v4(a);
    uint8_t first = a->b[12 * is_v4], second = a->b[12 * is_v4 + 1];
    if ((begins[is_v4][first / 64] >> first % 64 & 1) == 0)
        return false;
    switch (first) {
    case 100:
        return (second & 0xc0) == 64;
    case 169:
        return second == 254;
    case 172:
        return (second & 0xf0) == 16;
    case 192:
        return second == 168;
    case 0xfe:
        return (second & 0xc0) == 0x80;
    default: /* 10, fc, fd */
        return true;
    }
}

/* RFC 5952 text (IPv4 as dotted quad) into `text`; returns its length. */
size_t addr_text(const struct addr *a, char text[static ADDR_TEXT_MAX]);

/* Reads what addr_text writes, and any other spelling inet_pton(3) takes. */
MUST_CHECK bool addr_parse(const char *text, struct addr *a);

/* "ac:ca:54:00:70:15". */
size_t mac_text(const uint8_t mac[static 6], char text[static MAC_TEXT_MAX]);
MUST_CHECK bool mac_parse(const char *text, uint8_t mac[static 6]);

/* A network: the first `bits` bits of `base` (an IPv4 /8 is bits = 104). */
struct net {
    struct addr base;
    uint8_t bits;
};

/* "10.0.0.0/8", "2001:db8::/32", or a bare address. Host bits must be zero. */
MUST_CHECK bool net_parse(const char *text, struct net *n);
bool net_has(const struct net *n, const struct addr *a);
