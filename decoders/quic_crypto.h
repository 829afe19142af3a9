/* The CRYPTO stream of one sender of a QUIC connection (RFC 9000 19.6): pieces in any order, some
 * twice, into handshake messages in one piece. */
#pragma once
#include "core/cur.h"

/* `bytes` has room for `max`, `have` for a bit each; both belong to whoever owns the stream. Zeroed
 * but for these, it is empty; `have` must be all zero then. */
struct quic_crypto {
    uint64_t base;  /* offset in the stream of bytes[0]: what was before it is done with */
    uint64_t ts_ns; /* of the packet that brought the first of these bytes */
    uint32_t high;  /* end of the last byte held */
    uint32_t whole; /* bytes from the start without a gap */
    uint32_t max;
    uint8_t *bytes, *have;
};

struct quic_crypto_loss {
    uint64_t beyond; /* bytes for which there was no room */
    bool conflict;   /* says something else than the first copy of the same bytes, which stays */
};

/* Adds what a frame holds. */
void quic_crypto_add(struct quic_crypto *c, uint64_t offset, struct cur data, uint64_t ts_ns,
                     struct quic_crypto_loss *loss);

/* The handshake message at the front: true where all of it is there; `*body` is then its body,
 * valid until the next call with `c`. `*type` and `*len` (of the body) are set once its 4 bytes of
 * head are there, else *type is -1. */
MUST_CHECK bool quic_crypto_message(const struct quic_crypto *c, int *type, uint32_t *len,
                                    struct cur *body);

/* Lets go of the message at the front, `len` bytes of body. */
void quic_crypto_done(struct quic_crypto *c, uint32_t len);

/* Empties it, so that another may use its memory. */
void quic_crypto_clear(struct quic_crypto *c);
