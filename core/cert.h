/* The facts of an X.509 certificate, as a canonical blob. They depend on its DER alone.
 *
 * The blob, all integers big-endian:
 *   32 bytes sha256, 32 bytes spki_sha256 (all zero: unreadable)
 *   u16 flags             enum cert_flags
 *   u64 not_before_s, not_after_s   two's complement
 *   u8 key, u16 key_bits, u8 signature_hash
 *   u8 n, n bytes         curve
 *   u8 n, n bytes         signature
 *   u16 n, n bytes        subject; likewise issuer
 *   u8 n, n x (u8 length, bytes)    dNSNames */
#pragma once
#include "core/cur.h"

enum {
    CERT_NAME_MAX = 256, /* subject, issuer: longer ones are cut */
    CERT_WORD_MAX = 47,  /* curve, signature */
    CERT_SANS_MAX = 16,
    CERT_SAN_MAX = 255,
    CERT_BLOB_MAX = 5120,
};

enum cert_flags {
    CERT_SELF_ISSUED = 1 << 0,    /* subject and issuer are the same */
    CERT_SELF_SIGNED = 1 << 1,    /* and its signature verifies with its own key */
    CERT_CA = 1 << 2,             /* basicConstraints says CA */
    CERT_SMALL_EXPONENT = 1 << 3, /* RSA with e < 65537 */
    CERT_CUT = 1 << 4,            /* a name or a list was longer than its limit */
    CERT_UNREADABLE = 1 << 5,     /* no certificate, or a part of it could not be read */
    CERT_ROCA = 1 << 6,           /* an RSA modulus of the kind of CVE-2017-15361 */
    CERT_FLAGS_N = 7
};
extern const char *const cert_flag_names[CERT_FLAGS_N]; /* by bit; each is a member of its own */

enum cert_key {
    CERT_KEY_OTHER,
    CERT_KEY_RSA,
    CERT_KEY_DSA,
    CERT_KEY_EC,
    CERT_KEY_ED25519,
    CERT_KEY_ED448,
    CERT_KEY_N
};
extern const char *const cert_key_names[CERT_KEY_N];

/* The hash that the issuer signed. NONE: the algorithm has none of its own (Ed25519), or is not
 * known. */
enum cert_hash {
    CERT_HASH_NONE,
    CERT_HASH_MD2,
    CERT_HASH_MD4,
    CERT_HASH_MD5,
    CERT_HASH_SHA1,
    CERT_HASH_SHA224,
    CERT_HASH_SHA256,
    CERT_HASH_SHA384,
    CERT_HASH_SHA512,
    CERT_HASH_N
};
extern const char *const cert_hash_names[CERT_HASH_N];

struct cert {
    uint8_t sha256[32], spki_sha256[32];
    int64_t not_before_s, not_after_s; /* UTC */
    uint16_t flags;                    /* enum cert_flags */
    uint16_t key_bits;
    uint8_t key;            /* enum cert_key */
    uint8_t signature_hash; /* enum cert_hash */
    uint8_t n_sans;
    uint16_t subject_len, issuer_len;
    char curve[CERT_WORD_MAX + 1];     /* "prime256v1", "" */
    char signature[CERT_WORD_MAX + 1]; /* "sha256WithRSAEncryption", or an OID in digits */
    char subject[CERT_NAME_MAX], issuer[CERT_NAME_MAX]; /* RFC 2253, without NUL; any bytes */
    uint8_t san_len[CERT_SANS_MAX];
    char sans[CERT_SANS_MAX][CERT_SAN_MAX]; /* dNSNames, as they stand */
};

/* What else events tell of a certificate. */
struct cert_label {
    char serial[64
                * 3]; /* "0A:1B", "" where it is longer or unreadable; "-" before a negative one */
    char fingerprint[20 * 3]; /* SHA-1 of the DER, "ab:cd:..." */
};

/* Writes the blob of `c` and returns its length. */
size_t cert_write(const struct cert *c, uint8_t blob[static CERT_BLOB_MAX]);

/* Takes a blob apart. False, `c` then undefined, where it is none: lengths that do not add up or
 * are beyond their limit, an unknown flag, key or hash, a time outside the years 0 to 9999, a NUL
 * in curve or signature. A blob that passes is what cert_write would write. */
MUST_CHECK bool cert_read(const uint8_t *p, size_t n, struct cert *c);

/* The identity of a certificate: XXH3, 64 bits, seed 0, of its DER. */
uint64_t cert_id(const uint8_t *der, size_t n);
