#include "decoders/tls_ske.h"

#include "core/hash.h"
#include "core/tls_names.h"
#include "decoders/tls_hello.h"

enum {
    CURVE_EXPLICIT_PRIME = 1,
    CURVE_EXPLICIT_CHAR2 = 2,
    CURVE_NAMED = 3,
    GROUP_ARBITRARY_PRIME = 0xff01, /* RFC 4492 5.1.1 */
    GROUP_ARBITRARY_CHAR2 = 0xff02,
};

/* Suites that no registry names: drafts of ChaCha20 (0xcc13), export suites of 56 bits
 * (draft-ietf-tls-56-bit-ciphersuites), Netscape's FIPS suites. */
static const struct {
    uint16_t cipher;
    uint8_t kx;
} unnamed[] = {
    {0x0062, TLS_KX_RSA}, {0x0063, TLS_KX_DHE},   {0x0064, TLS_KX_RSA},   {0x0065, TLS_KX_DHE},
    {0x0066, TLS_KX_DHE}, {0xcc13, TLS_KX_ECDHE}, {0xcc14, TLS_KX_ECDHE}, {0xcc15, TLS_KX_DHE},
    {0xfefe, TLS_KX_RSA}, {0xfeff, TLS_KX_RSA},
};

enum tls_kx tls_kx_of(uint16_t cipher)
{
    static const struct {
        const char *prefix;
        enum tls_kx kx;
    } named[] = {
        /* the longer ones first */
        {"TLS_ECDHE_PSK_", TLS_KX_ECDHE_PSK},
        {"TLS_ECDHE_", TLS_KX_ECDHE},
        {"TLS_ECDH_anon_", TLS_KX_ECDH_ANON},
        {"TLS_DHE_PSK_", TLS_KX_DHE_PSK},
        {"TLS_DHE_", TLS_KX_DHE},
        {"TLS_DH_anon_", TLS_KX_DH_ANON},
        {"TLS_RSA_PSK_", TLS_KX_OTHER},
        {"TLS_RSA_", TLS_KX_RSA},
    };
    const char *name = tls_cipher_name(cipher);
    for (unsigned i = 0; name != NULL && i < sizeof named / sizeof *named; i++)
        if (strncmp(name, named[i].prefix, strlen(named[i].prefix)) == 0)
            return named[i].kx;
    for (unsigned i = 0; name == NULL && i < sizeof unnamed / sizeof *unnamed; i++)
        if (unnamed[i].cipher == cipher)
            return (enum tls_kx)unnamed[i].kx;
    return TLS_KX_OTHER;
}

/* The number at `c` without leading zeros; returns its bits. */
static uint16_t strip(struct cur *c)
{
    while (c->left > 0 && c->p[0] == 0) {
        c->p++;
        c->left--;
    }
    return c->left == 0 ? 0 : (uint16_t)(8 * c->left - (size_t)__builtin_clz(c->p[0]) + 24);
}

static bool dhe(struct cur *in, struct answer *a, uint64_t *value)
{
    struct cur p, g, ys;
    if (!cur_block16(in, &p) || !cur_block16(in, &g) || !cur_block16(in, &ys))
        return false;
    if (p.left > 0x1fff || ys.left == 0)
        return false;
    a->dh_bits = strip(&p);
    a->dh_prime_id = hash_bytes(p.p, p.left, 0);
    a->dh_prime = (uint8_t)dh_prime_find(a->dh_prime_id, a->dh_bits);
    *value = hash_bytes(ys.p, ys.left, 0);
    return true;
}

static bool ecdhe(struct cur *in, struct answer *a, uint64_t *value)
{
    uint8_t type;
    struct cur point;
    if (!cur_u8(in, &type))
        return false;
    if (type == CURVE_EXPLICIT_PRIME || type == CURVE_EXPLICIT_CHAR2) {
        a->flags |= ANSWER_EXPLICIT_CURVE;
        in->left = 0; /* nobody reads on */
        return true;
    }
    if (type != CURVE_NAMED || !cur_u16(in, &a->group) || !cur_block8(in, &point)
        || point.left == 0)
        return false;
    if (a->group == GROUP_ARBITRARY_PRIME || a->group == GROUP_ARBITRARY_CHAR2)
        a->flags |= ANSWER_EXPLICIT_CURVE;
    *value = hash_bytes(point.p, point.left, 0);
    return true;
}

static bool rsa(struct cur *in, struct answer *a)
{
    struct cur modulus, exponent;
    if (!cur_block16(in, &modulus) || !cur_block16(in, &exponent) || modulus.left > 0x1fff)
        return false;
    a->dh_bits = strip(&modulus);
    a->flags |= ANSWER_SKE_RSA;
    return true;
}

static bool signature(struct cur *in, struct answer *a)
{
    struct cur bytes;
    if (a->version != TLS_1_2)
        return true; /* MD5 and SHA-1, or SHA-1: by the key */
    return in->left == 0 || (cur_u16(in, &a->ske_signature) && cur_block16(in, &bytes));
}

enum outcome tls_ske_decode(struct cur in, struct answer *out, uint64_t *value)
{
    struct answer a = *out;
    struct cur hint;
    bool ok;
    *value = 0;
    enum tls_kx kx = tls_kx_of(a.cipher);
    switch (kx) {
    case TLS_KX_DHE_PSK:
        ok = cur_block16(&in, &hint) && dhe(&in, &a, value);
        break;
    case TLS_KX_DHE:
    case TLS_KX_DH_ANON:
        ok = dhe(&in, &a, value) && (kx == TLS_KX_DH_ANON || signature(&in, &a));
        break;
    case TLS_KX_ECDHE_PSK:
        ok = cur_block16(&in, &hint) && ecdhe(&in, &a, value);
        break;
    case TLS_KX_ECDHE:
    case TLS_KX_ECDH_ANON:
        ok = ecdhe(&in, &a, value) && (kx == TLS_KX_ECDH_ANON || signature(&in, &a));
        break;
    case TLS_KX_RSA:
        ok = rsa(&in, &a) && signature(&in, &a);
        break;
    default:
        return OUT_UNSUPPORTED;
    }
    if (!ok) {
        *value = 0;
        return OUT_MALFORMED;
    }
    *out = a;
    return OUT_OK;
}
