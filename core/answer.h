/* What the handshake of a TLS server answers, as a canonical blob: equal answers have equal bytes,
 * so that its hash is an identity.
 *
 * The blob, all integers big-endian:
 *   u16 version, u16 cipher, u16 group, u8 compression
 *   u32 flags            enum answer_flags
 *   u16 ske_signature    SignatureScheme of a TLS 1.2 ServerKeyExchange
 *   u16 dh_bits, u8 dh_prime, u64 dh_prime_id
 *   u32 ticket_lifetime_s
 *   u8 n, n x u64        ids of the certificates, in the order sent
 *   u8 n, n x u24        SSLv2: cipher kinds of the ServerHello, in its order */
#pragma once
#include "core/cur.h"

enum { ANSWER_CERTS_MAX = 10, ANSWER_KINDS_MAX = 32, ANSWER_BLOB_MAX = 212 };

enum answer_flags {
    ANSWER_RENEG_INFO = 1 << 0,     /* ServerHello: renegotiation_info (RFC 5746) */
    ANSWER_EMS = 1 << 1,            /* extended_master_secret (RFC 7627) */
    ANSWER_ETM = 1 << 2,            /* encrypt_then_mac (RFC 7366) */
    ANSWER_HEARTBEAT = 1 << 3,      /* heartbeat (RFC 6520) */
    ANSWER_TICKET = 1 << 4,         /* session_ticket, or a NewSessionTicket */
    ANSWER_OCSP = 1 << 5,           /* status_request */
    ANSWER_SENTINEL_12 = 1 << 6,    /* its random says: I could do TLS 1.3 (RFC 8446 4.1.3) */
    ANSWER_SENTINEL_11 = 1 << 7,    /* ... TLS 1.2 */
    ANSWER_PSK = 1 << 8,            /* pre_shared_key */
    ANSWER_EXPLICIT_CURVE = 1 << 9, /* ServerKeyExchange with curve parameters of its own */
    ANSWER_SKE_RSA =
        1 << 10, /* ServerKeyExchange with an RSA key (export suites): dh_bits is its modulus */
    ANSWER_CERT_REQUEST = 1 << 11, /* asked the client for a certificate */
    ANSWER_CUT = 1 << 12, /* not all of the flight was seen, or a list was longer than its limit */
    ANSWER_RETRY = 1 << 13, /* after a HelloRetryRequest */
    ANSWER_FLAGS_N = 14
};
extern const char *const answer_flag_names[ANSWER_FLAGS_N]; /* by bit */

/* Primes that many servers share. A group of unknown origin is DH_PRIME_UNKNOWN; no DH at all
 * DH_PRIME_NONE. */
enum dh_prime {
    DH_PRIME_NONE,
    DH_PRIME_UNKNOWN,
    DH_PRIME_RFC2409_768,
    DH_PRIME_RFC2409_1024,
    DH_PRIME_RFC3526_1536,
    DH_PRIME_RFC3526_2048,
    DH_PRIME_RFC3526_3072,
    DH_PRIME_RFC3526_4096,
    DH_PRIME_RFC3526_6144,
    DH_PRIME_RFC3526_8192,
    DH_PRIME_RFC5114_1024_160,
    DH_PRIME_RFC5114_2048_224,
    DH_PRIME_RFC5114_2048_256,
    DH_PRIME_RFC7919_2048,
    DH_PRIME_RFC7919_3072,
    DH_PRIME_RFC7919_4096,
    DH_PRIME_RFC7919_6144,
    DH_PRIME_RFC7919_8192,
    DH_PRIME_APACHE_512,
    DH_PRIME_APACHE_1024,
    DH_PRIME_JDK_512,
    DH_PRIME_JDK_768,
    DH_PRIME_JDK_1024,
    DH_PRIME_NGINX_1024,
    DH_PRIME_N
};
extern const char *const dh_prime_names[DH_PRIME_N];

/* Which prime has this id (XXH3, seed 0, of its bytes without leading zeros)? */
enum dh_prime dh_prime_find(uint64_t id, unsigned bits);

struct answer {
    uint16_t version, cipher;
    uint16_t group; /* TLS 1.3: of key_share; else the named curve of ServerKeyExchange; 0: none */
    uint8_t compression;
    uint8_t dh_prime; /* enum dh_prime */
    uint32_t flags;   /* enum answer_flags */
    uint16_t ske_signature;
    uint16_t dh_bits;           /* of p; with ANSWER_SKE_RSA of the modulus */
    uint64_t dh_prime_id;       /* XXH3 of p; 0: none */
    uint32_t ticket_lifetime_s; /* hint of the NewSessionTicket */
    uint8_t n_certs, n_kinds;
    uint64_t certs[ANSWER_CERTS_MAX];
    uint32_t kinds[ANSWER_KINDS_MAX]; /* u24 */
};

/* Writes the blob of `a` and returns its length. */
size_t answer_write(const struct answer *a, uint8_t blob[static ANSWER_BLOB_MAX]);

/* Takes a blob apart. False, `a` then undefined, where it is none: lengths that do not add up, a
 * list beyond its limit, an unknown flag or prime. A blob that passes is what answer_write would
 * write. */
MUST_CHECK bool answer_read(const uint8_t *p, size_t n, struct answer *a);

/* The identity of a blob: XXH3, 64 bits, seed 0. */
uint64_t answer_id(const uint8_t *p, size_t n);
