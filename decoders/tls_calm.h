/* TLS sessions at rest.
 *
 * A struct stream is large, for the sake of handshakes and of bytes out of order. Between records,
 * with nothing kept, a session needs little: where its records are, what it has counted, and what
 * reports say, most of which is the same for many sessions and is kept once. Where many streams are
 * open, those at rest are made calm; a packet that needs more than tls_quick_packet wakes them.
 * Nothing that is stated depends on it. */
#pragma once
#include "decoders/stream.h"

/* tls_calm.half[].bits: as stream_half.flags, and */
enum {
    CALM_LOST =
        16, /* mode is AT_LOST, not AT_HEAD; in place of H_LIST, which matters in messages */
    CALM_SYNCED = 64,
    CALM_KNOWN = 128,
};

struct tls_calm {
    uint64_t first_ts_ns, first_ord; /* as in struct tls_session, struct stream */
    uint32_t bytes[2];
    uint32_t told;     /* blob: what reports say */
    uint32_t end[2];   /* blobs: who sends in direction 0, 1 */
    uint16_t alive[2]; /* tls_session.last_alive_ns, in windows before that of the last packet */
    struct {
        uint16_t left;
        uint8_t type, bits;
    } half[2];
};
static_assert(sizeof(struct tls_calm) == 48,
              "128 bytes a connection, with its entry and its index");

/* Could the session of `f`, which has the stream `s`, be made calm? */
MUST_CHECK bool tls_calm_at_rest(const struct flow *f, const struct stream *s);

/* Makes it calm, if it is at rest and there is a place for it. */
bool tls_calm_down(struct decode *d, struct flow *f);

/* The other way round. */
void tls_calm_wake(struct decode *d, uint32_t slot);

/* Where many streams are open, makes some of them calm. */
void tls_calm_make_room(struct decode *d);

/* Did the session count anything that is not reported? */
static inline bool tls_calm_counted(const struct tls_calm *c)
{
    return (c->bytes[0] | c->bytes[1]) != 0;
}
