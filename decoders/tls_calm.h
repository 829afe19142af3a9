/* TLS sessions at rest.
 *
 * A struct stream is large, for the sake of handshakes and of bytes out of order. Between records,
 * with nothing kept, a session needs little: where its records are, what it has counted, and what
 * reports say, most of which is the same for many sessions and is kept once. A session is made calm
 * when its handshake is decided, and others where many streams are open; a packet that
 * tls_calm_packet does not know what to do with wakes it. Nothing that is stated depends on it. */
#pragma once
#include "decoders/stream.h"

struct tls_calm {
    uint64_t first_ts_ns, first_ord; /* as in struct tls_session, struct stream */
    uint32_t bytes[2];
    uint32_t told;     /* blob: what reports say */
    uint32_t end[2];   /* blobs: who sends in direction 0, 1 */
    uint16_t alive[2]; /* tls_session.last_alive_ns, in windows before that of the last packet */
    struct {
        uint16_t left;
        uint8_t type, bits; /* bits: see tls_calm.c */
    } half[2];
};
static_assert(sizeof(struct tls_calm) == 48, "128 bytes a connection, with its entry and its index");

/* Makes the session of `f`, which has a stream, calm, if it is at rest. False where it is not. */
bool tls_calm_down(struct decode *d, struct flow *f);

/* Is it worth while? True once the handshake is decided, until the connection begins to end. */
MUST_CHECK bool tls_calm_wanted(const struct flow *f, const struct stream *s);

/* The other way round. */
void tls_calm_wake(struct decode *d, uint32_t slot);

/* Takes a packet of a FLOW_QUICK connection as tcp_packet would, if it brings only protected records
 * in order, or only an acknowledgement. False, and nothing done: it takes more than that. */
MUST_CHECK bool tls_calm_packet(struct decode *d, struct flow *f, struct rec *rec, unsigned dir);

/* Where many streams are open, makes some of them calm. */
void tls_calm_make_room(struct decode *d);

/* Did the session count anything that is not reported? */
static inline bool tls_calm_counted(const struct tls_calm *c)
{
    return (c->bytes[0] | c->bytes[1]) != 0;
}
