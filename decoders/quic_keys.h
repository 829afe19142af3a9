/* The keys of QUIC Initial packets, which anyone who saw the client's first packet can make: RFC
 * 9001 5.2 to 5.4, RFC 9369 3.3. The one place in decoders/ that knows libcrypto.
 *
 * Nothing here allocates after quic_crypt_new: contexts are made once and given new keys. */
#pragma once
#include "core/cur.h"
#include "core/err.h"

enum { QUIC_CID_MAX = 20, QUIC_TAG = 16, QUIC_SAMPLE = 16, QUIC_PN_MAX = 4 };

/* Long header types, as version 1 numbers them (RFC 9000 17.2). */
enum quic_type { QUIC_INITIAL, QUIC_0RTT, QUIC_HANDSHAKE, QUIC_RETRY };

/* A version whose Initial packets can be read. */
struct quic_version {
    uint32_t number;
    uint8_t types_from; /* what the wire calls Initial; the others follow, modulo 4 */
    bool v2_labels;     /* "quicv2 key", not "quic key" */
    bool google;        /* frames as Google's own QUIC has them */
    uint8_t salt[20];
};

/* NULL: none of ours. Costs a comparison or two for a number that is no version at all. */
const struct quic_version *quic_version_find(uint32_t number);

/* Keys of one sender. */
struct quic_keys {
    uint8_t key[16], iv[12], hp[16];
};

struct quic_crypt; /* contexts of libcrypto: one worker's */

/* Caller owns `*c`. */
MUST_CHECK bool quic_crypt_new(struct quic_crypt **c, struct err *e);
void quic_crypt_free(struct quic_crypt *c);

/* Initial keys of the client, [0], and the server, [1], from the Destination Connection ID of the
 * client's first Initial, or of its first after a Retry. */
void quic_initial_keys(const struct quic_version *v, const uint8_t *dcid, size_t len,
                       struct quic_keys keys[2]);

/* RFC 9001 5.4.3: the mask of a header whose sample is given. */
MUST_CHECK bool quic_header_mask(struct quic_crypt *c, const struct quic_keys *k,
                                 const uint8_t sample[static QUIC_SAMPLE], uint8_t mask[static 5]);

/* Opens an AEAD_AES_128_GCM packet: `n` bytes at `sealed`, tag included, into `plain`, which has
 * room for them. The additional data is the header with its protection removed, in three parts:
 * its first byte, `middle`, the packet number. False: it was not sealed with these keys. */
MUST_CHECK bool quic_open(struct quic_crypt *c, const struct quic_keys *k, uint64_t pn,
                          uint8_t first, struct cur middle, const uint8_t *pn_bytes, size_t pn_len,
                          const uint8_t *sealed, size_t n, uint8_t *plain);
