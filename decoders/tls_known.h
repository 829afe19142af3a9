/* ClientHellos like those that came before.
 *
 * A client says nearly the same on each connection: what differs is the random, the session id, and
 * what is in the extensions that come and go (core/offer.h) and in encrypted_client_hello. All else
 * makes the offer. Where it is byte for byte what a hello seen lately had, its offer is copied:
 * taking one apart, putting its blob together and hashing that takes five times as long. What is
 * told does not depend on it. */
#pragma once
#include "decoders/tls_hello.h"

enum {
    TLS_KNOWN_SETS = 32,
    TLS_KNOWN_WAYS = 4,
    TLS_KNOWN_BYTES = 1400, /* of what stays and the blob: three times those of common clients */
};

struct tls_known_hello {
    uint64_t key; /* of what stays */
    uint64_t id, more;
    uint16_t len, blob_len; /* of what stays, and of the blob, which follows; 0: unused */
    uint16_t legacy_version, max_version;
    uint16_t alpn_at, alpn_len; /* in bytes[] */
    bool ech, fallback;
    uint8_t bytes[TLS_KNOWN_BYTES];
};

/* All zero at first. */
struct tls_known {
    unsigned turn; /* which way of a full set is taken next */
    struct tls_known_hello hellos[TLS_KNOWN_SETS][TLS_KNOWN_WAYS];
};

/* As tls_client_hello_decode. The ALPN in `out` may point into `k`, and is good until the next
 * call. */
enum outcome tls_known_decode(struct tls_known *k, struct cur in, struct tls_client_hello *out,
                              bool *usable);
