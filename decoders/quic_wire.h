/* What of QUIC packets lies open, and the frames inside opened Initial packets: RFC 9000 16,
 * 17, 19. Pure functions over bytes. */
#pragma once
#include "decoders/quic_keys.h"

enum { QUIC_CLIENT_MIN = 1200 /* bytes of a datagram with a client's Initial: RFC 9000 14.1 */ };

/* One packet with a long header. */
struct quic_packet {
    const struct quic_version *version;
    uint8_t type; /* enum quic_type */
    struct cur dcid, scid;
    struct cur token; /* Initial */
    struct cur head;  /* the header without its first byte and up to the packet number */
    struct cur body;  /* packet number and payload: cut where the capture is */
    uint64_t len;     /* of packet number and payload, as the header says */
    uint8_t first;    /* the first byte, protected */
};

/* A variable-length integer (RFC 9000 16). */
MUST_CHECK bool quic_varint(struct cur *c, uint64_t *v);

/* A long header of a version we know? A few instructions for what is none. The fixed bit says
 * nothing: RFC 9287. */
static inline bool quic_is_long(const struct cur *c)
{
    uint32_t number;
    if (c->left < 7 || (c->p[0] & 0x80) == 0)
        return false;
    memcpy(&number, c->p + 1, sizeof number);
    return quic_version_find(__builtin_bswap32(number)) != NULL;
}

/* A packet behind others in its datagram: padding may stand there, too. */
static inline bool quic_is_short(const struct cur *c)
{
    return c->left > 0 && (c->p[0] & 0xc0) == 0x40;
}

/* Takes the next packet, which quic_is_long, off a datagram. OUT_OK; OUT_TRUNCATED or OUT_MALFORMED
 * where the header ends early or its lengths lie. */
enum outcome quic_packet_take(struct cur *in, struct quic_packet *p);

/* Removes the protection of an Initial and opens it with `k` into `plain`, which has room for all
 * of it. `*largest`: the largest packet number of this sender so far (UINT64_MAX: none), which is
 * updated. False: not sealed with these keys, or cut by the capture. */
MUST_CHECK bool quic_packet_open(struct quic_crypt *c, const struct quic_keys *k,
                                 const struct quic_packet *p, uint64_t *largest, uint8_t *plain,
                                 size_t *n);

enum { QUIC_FRAME_END, QUIC_FRAME_CRYPTO, QUIC_FRAME_CLOSE, QUIC_FRAME_BROKEN };

struct quic_frame {
    uint64_t offset; /* CRYPTO */
    struct cur data; /* CRYPTO */
    uint64_t error;  /* CLOSE */
};

/* The next frame that tells something: CRYPTO or CONNECTION_CLOSE. PADDING, PING and ACK are passed
 * over; anything else may not stand in an Initial (RFC 9000 12.4) and is BROKEN. */
int quic_frame_next(struct cur *in, const struct quic_version *v, struct quic_frame *f);
