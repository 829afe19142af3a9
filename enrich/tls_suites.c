#include "enrich/tls_suites.h"

#include "core/tls_names.h"

#include <string.h>
#include <strings.h>

static const struct suite suites[] = {
#include "enrich/tls_suites_table.h"
};
enum { SUITES = sizeof suites / sizeof *suites };

/* Without branches that depend on the code: of every suite that every hello offers this is asked.
 */
const struct suite *suite_of(uint16_t code)
{
    const struct suite *at = suites;
    for (size_t n = SUITES; n > 1; n -= n / 2)
        at = at[n / 2].code <= code ? at + n / 2 : at;
    return at->code == code ? at : NULL;
}

const struct suite *suite_find(const char *name)
{
    for (size_t i = 0; i < SUITES; i++) {
        const char *is = tls_cipher_name(suites[i].code);
        if (is != NULL && strcmp(is, name) == 0)
            return &suites[i];
    }
    return NULL;
}

bool suite_block64(const struct suite *s)
{
    return s->enc == ENC_DES || s->enc == ENC_3DES || s->enc == ENC_DES40 || s->enc == ENC_RC2
           || s->enc == ENC_IDEA || s->enc == ENC_GOST || s->enc == ENC_MAGMA;
}

static const struct group {
    uint16_t code, bits;
    const char *name;
} groups[] = {
    {1, 163, "sect163k1"},
    {2, 163, "sect163r1"},
    {3, 163, "sect163r2"},
    {4, 193, "sect193r1"},
    {5, 193, "sect193r2"},
    {6, 233, "sect233k1"},
    {7, 233, "sect233r1"},
    {8, 239, "sect239k1"},
    {9, 283, "sect283k1"},
    {10, 283, "sect283r1"},
    {11, 409, "sect409k1"},
    {12, 409, "sect409r1"},
    {13, 571, "sect571k1"},
    {14, 571, "sect571r1"},
    {15, 160, "secp160k1"},
    {16, 160, "secp160r1"},
    {17, 160, "secp160r2"},
    {18, 192, "secp192k1"},
    {19, 192, "secp192r1"},
    {20, 224, "secp224k1"},
    {21, 224, "secp224r1"},
    {22, 256, "secp256k1"},
    {23, 256, "secp256r1"},
    {24, 384, "secp384r1"},
    {25, 521, "secp521r1"},
    {26, 256, "brainpoolP256r1"},
    {27, 384, "brainpoolP384r1"},
    {28, 512, "brainpoolP512r1"},
    {29, 256, "x25519"},
    {30, 448, "x448"},
    {31, 256, "brainpoolP256r1tls13"},
    {32, 384, "brainpoolP384r1tls13"},
    {33, 512, "brainpoolP512r1tls13"},
    {41, 256, "curveSM2"},
    {256, 2048, "ffdhe2048"},
    {257, 3072, "ffdhe3072"},
    {258, 4096, "ffdhe4096"},
    {259, 6144, "ffdhe6144"},
    {260, 8192, "ffdhe8192"},
    {0x0200, UINT16_MAX, "MLKEM512"},
    {0x0201, UINT16_MAX, "MLKEM768"},
    {0x0202, UINT16_MAX, "MLKEM1024"},
    {0x11eb, UINT16_MAX, "SecP256r1MLKEM768"},
    {0x11ec, UINT16_MAX, "X25519MLKEM768"},
    {0x11ed, UINT16_MAX, "SecP384r1MLKEM1024"},
    {0x6399, UINT16_MAX, "X25519Kyber768Draft00"},
    {0x639a, UINT16_MAX, "SecP256r1Kyber768Draft00"},
    {23, 256, "prime256v1"}, /* OpenSSL's and Mozilla's name */
};

uint16_t group_bits(uint16_t group)
{
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++)
        if (groups[i].code == group)
            return groups[i].bits;
    return 0;
}

bool group_is_dh(uint16_t group)
{
    return group >= 0x0100 && group <= 0x01ff;
}

uint16_t group_find(const char *name)
{
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++)
        if (strcasecmp(groups[i].name, name) == 0)
            return groups[i].code;
    return 0;
}

static const struct sign_scheme schemes[] = {
    {0x0101, SIGN_RSA, false, 0, "rsa_pkcs1_md5"},
    {0x0201, SIGN_RSA, false, 0, "rsa_pkcs1_sha1"},
    {0x0202, SIGN_DSA, false, 0, "dsa_sha1"},
    {0x0203, SIGN_ECDSA, false, 0, "ecdsa_sha1"},
    {0x0301, SIGN_RSA, false, 0, "rsa_pkcs1_sha224"},
    {0x0302, SIGN_DSA, false, 0, "dsa_sha224"},
    {0x0303, SIGN_ECDSA, false, 0, "ecdsa_sha224"},
    {0x0401, SIGN_RSA, false, 0, "rsa_pkcs1_sha256"},
    {0x0402, SIGN_DSA, false, 0, "dsa_sha256"},
    {0x0403, SIGN_ECDSA, true, 23, "ecdsa_secp256r1_sha256"},
    {0x0501, SIGN_RSA, false, 0, "rsa_pkcs1_sha384"},
    {0x0502, SIGN_DSA, false, 0, "dsa_sha384"},
    {0x0503, SIGN_ECDSA, true, 24, "ecdsa_secp384r1_sha384"},
    {0x0601, SIGN_RSA, false, 0, "rsa_pkcs1_sha512"},
    {0x0602, SIGN_DSA, false, 0, "dsa_sha512"},
    {0x0603, SIGN_ECDSA, true, 25, "ecdsa_secp521r1_sha512"},
    {0x0804, SIGN_RSA, true, 0, "rsa_pss_rsae_sha256"},
    {0x0805, SIGN_RSA, true, 0, "rsa_pss_rsae_sha384"},
    {0x0806, SIGN_RSA, true, 0, "rsa_pss_rsae_sha512"},
    {0x0807, SIGN_ED25519, true, 0, "ed25519"},
    {0x0808, SIGN_ED448, true, 0, "ed448"},
    {0x0809, SIGN_RSA_PSS, true, 0, "rsa_pss_pss_sha256"},
    {0x080a, SIGN_RSA_PSS, true, 0, "rsa_pss_pss_sha384"},
    {0x080b, SIGN_RSA_PSS, true, 0, "rsa_pss_pss_sha512"},
};

const struct sign_scheme *sign_of(uint16_t code)
{
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++)
        if (schemes[i].code == code)
            return &schemes[i];
    return NULL;
}

const struct sign_scheme *sign_find(const char *name)
{
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++)
        if (strcmp(schemes[i].name, name) == 0)
            return &schemes[i];
    return NULL;
}
