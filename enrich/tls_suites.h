/* What TLS cipher suites, groups and signature schemes are made of: the tables that judgement
 * reads.
 *
 * Sources: the IANA registries "TLS Cipher Suites", "TLS Supported Groups" and "TLS
 * SignatureScheme" (CC0); bits of groups: RFC 8422, RFC 7027, RFC 7919, RFC 7748. */
#pragma once
#include "core/err.h"

enum suite_kx {
    KX_NULL,
    KX_RSA,
    KX_DH,
    KX_DHE,
    KX_ECDH,
    KX_ECDHE,
    KX_PSK,
    KX_KRB5,
    KX_SRP,
    KX_ECCPWD,
    KX_GOST,
    KX_TLS13,
    KX_OTHER
};
enum suite_auth {
    AUTH_NULL,
    AUTH_RSA,
    AUTH_DSS,
    AUTH_ECDSA,
    AUTH_ANON,
    AUTH_PSK,
    AUTH_TLS13,
    AUTH_OTHER
};
enum suite_enc {
    ENC_NULL,
    ENC_DES40,
    ENC_DES,
    ENC_3DES,
    ENC_RC2,
    ENC_RC4,
    ENC_IDEA,
    ENC_GOST,
    ENC_MAGMA,
    ENC_KUZNYECHIK,
    ENC_SEED,
    ENC_SM4,
    ENC_CAMELLIA,
    ENC_ARIA,
    ENC_AES128,
    ENC_AES256,
    ENC_CHACHA20,
    ENC_AEGIS,
    ENC_ASCON,
    ENC_OTHER
};
enum suite_flags {
    SUITE_EXPORT = 1,
    SUITE_CBC = 2,
    SUITE_AEAD = 4,
    SUITE_MD5 = 8,
    SUITE_SHA1 = 16,
    SUITE_TAG64 = 32, /* CCM_8 */
    SUITE_TLS12 = 64, /* not before TLS 1.2 */
};

struct suite {
    uint16_t code;
    uint8_t kx, auth, enc; /* enum suite_kx, suite_auth, suite_enc */
    uint8_t flags;         /* enum suite_flags */
};

/* NULL where no table knows the code: then nothing may be said about it. */
const struct suite *suite_of(uint16_t code);
/* Finds a suite by its registered name ("TLS_RSA_WITH_AES_128_CBC_SHA"). */
const struct suite *suite_find(const char *name);

/* Signalling values, which are no suites: 0x00ff (RFC 5746), 0x5600 (RFC 7507). */
static inline bool suite_is_scsv(uint16_t code)
{
    return code == 0x00ff || code == 0x5600;
}

/* A cipher of blocks of 64 bits (CVE-2016-2183). */
bool suite_block64(const struct suite *s);

/* Security of a group in bits of its field (EC) or prime; 0: not known here, UINT16_MAX:
 * post-quantum hybrid. */
uint16_t group_bits(uint16_t group);
bool group_is_dh(uint16_t group); /* RFC 7919: for DHE, not for ECDHE */
/* Names as IANA spells them, also "prime256v1" and "X25519"; 0: unknown. */
uint16_t group_find(const char *name);

/* Keys that a signature scheme is made with. */
enum sign_key {
    SIGN_OTHER,
    SIGN_RSA,
    SIGN_RSA_PSS,
    SIGN_ECDSA,
    SIGN_ED25519,
    SIGN_ED448,
    SIGN_DSA
};
struct sign_scheme {
    uint16_t code;
    uint8_t key;    /* enum sign_key */
    bool tls13;     /* may sign a TLS 1.3 handshake */
    uint16_t curve; /* TLS 1.3: the only group of an ECDSA key; else 0 */
    const char *name;
};
const struct sign_scheme *sign_of(uint16_t code);
const struct sign_scheme *sign_find(const char *name);
