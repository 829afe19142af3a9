#include "summary/names.h"

#include <stdio.h>
#include <strings.h>

/* Nearly every byte of nearly every name is plain: 0x21 to 0x7e, and lower case where that is
 * wanted. Eight of them at once. */
static bool plain8(uint64_t x, bool lower)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), high = ones * 0x80;
    uint64_t low = (x | high) - ones * 0x21; /* high bit stays where the low 7 bits are >= 0x21 */
    uint64_t top = (x & ~high) + ones;       /* high bit is set where they are 0x7f */
    bool printable = ((x | ~low | top) & high) == 0;
    uint64_t upper =
        ((x & ~high) + ones * (0x80 - 'A')) & ~((x & ~high) + ones * (0x7f - 'Z')) & high;
    return printable && (!lower || upper == 0);
}

/* As the compilers' vectors: SSE2 on x86, whatever there is elsewhere. */
typedef int8_t lanes __attribute__((vector_size(16)));
typedef uint8_t lanes_u8 __attribute__((vector_size(16)));
typedef uint64_t halves __attribute__((vector_size(16)));

/* 0xff for each byte that is not plain. As signed numbers those above 0x7f are negative; 'A' to 'Z'
 * become the least ones. */
static inline lanes odd16(const uint8_t *p, bool lower)
{
    lanes x;
    memcpy(&x, p, sizeof x);
    lanes from_a = (lanes)((lanes_u8)x + (uint8_t)(128 - 'A'));
    lanes odd = (lanes)((x < 0x21) | (x == 0x7f));
    return lower ? (lanes)(odd | (from_a < -128 + 26)) : odd;
}

bool name_is_clean(struct bytes name, bool lower)
{
    uint64_t x, y;
    if (name.len < 8 || name.len > NAME_MAX_TEXT - 16)
        return false;
    if (name.len < 16) {
        memcpy(&x, name.p, 8);
        memcpy(&y, name.p + name.len - 8, 8);
        return plain8(x, lower) && plain8(y, lower);
    }
    lanes odd = odd16(name.p + name.len - 16, lower);
    for (uint32_t at = 0; at + 16 < name.len; at += 16)
        odd |= odd16(name.p + at, lower);
    return (((halves)odd)[0] | ((halves)odd)[1]) == 0;
}

uint32_t name_clean(struct bytes name, bool lower, char text[static NAME_MAX_TEXT])
{
    uint32_t n = 0, from = 0;
    for (uint64_t x; from + 8 <= name.len && n + 8 < NAME_MAX_TEXT; from += 8, n += 8) {
        memcpy(&x, name.p + from, 8);
        if (!plain8(x, lower))
            break;
        memcpy(text + n, &x, 8);
    }
    for (uint32_t i = from; i < name.len && n + 4 < NAME_MAX_TEXT; i++) {
        uint8_t c = name.p[i];
        if (c <= 0x20 || c >= 0x7f) {
            text[n++] = '\\';
            text[n++] = (char)('0' + c / 100);
            text[n++] = (char)('0' + c / 10 % 10);
            text[n++] = (char)('0' + c % 10);
        } else {
            text[n++] = (char)(lower && c >= 'A' && c <= 'Z' ? c + 32 : c);
        }
    }
    return n;
}

#define ROTL(x, b) ((x) << (b) | (x) >> (64 - (b)))
#define SIPROUND                                                                                   \
    do {                                                                                           \
        v0 += v1, v1 = ROTL(v1, 13), v1 ^= v0, v0 = ROTL(v0, 32);                                  \
        v2 += v3, v3 = ROTL(v3, 16), v3 ^= v2;                                                     \
        v0 += v3, v3 = ROTL(v3, 21), v3 ^= v0;                                                     \
        v2 += v1, v1 = ROTL(v1, 17), v1 ^= v2, v2 = ROTL(v2, 32);                                  \
    } while (0)

/* SipHash-2-4: J.-P. Aumasson, D. J. Bernstein, 2012. */
static uint64_t siphash(const uint8_t key[16], const char *p, size_t len)
{
    uint64_t k0, k1, m;
    memcpy(&k0, key, 8);
    memcpy(&k1, key + 8, 8);
    uint64_t v0 = k0 ^ UINT64_C(0x736f6d6570736575), v1 = k1 ^ UINT64_C(0x646f72616e646f6d);
    uint64_t v2 = k0 ^ UINT64_C(0x6c7967656e657261), v3 = k1 ^ UINT64_C(0x7465646279746573);
    size_t whole = len / 8;
    for (size_t i = 0; i <= whole; i++) {
        m = 0;
        if (i < whole)
            memcpy(&m, p + 8 * i, 8);
        else
            memcpy(&m, p + 8 * i, len % 8), m |= (uint64_t)len << 56;
        v3 ^= m;
        SIPROUND;
        SIPROUND;
        v0 ^= m;
    }
    v2 ^= 0xff;
    for (int i = 0; i < 4; i++)
        SIPROUND;
    return v0 ^ v1 ^ v2 ^ v3;
}

static bool has_suffix(const char *name, size_t len, const char *suffix)
{
    size_t n = strlen(suffix);
    if (n > len || strncasecmp(name + len - n, suffix, n) != 0)
        return false;
    return n == len || name[len - n - 1] == '.';
}

uint32_t name_apply(const struct config *c, struct bytes name, bool lower,
                    char text[static NAME_MAX_TEXT])
{
    uint32_t len = name_clean(name, lower, text);
    if (c->names == NAMES_KEEP || len == 0)
        return len;
    for (unsigned i = 0; i < c->n_name_suffixes; i++)
        if (has_suffix(text, len, c->name_suffixes[i]))
            return len;
    if (c->names == NAMES_DROP)
        return 0;
    len = name_clean(name, true, text); /* one name, one hash, whatever its case */
    return (uint32_t)snprintf(text, NAME_MAX_TEXT, "h:%016llx",
                              (unsigned long long)siphash(c->names_key, text, len));
}
