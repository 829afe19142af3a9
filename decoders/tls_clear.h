/* Reports of clear text where TLS belongs: a struct tls_session_msg of outcome TLS_CLEAR, that of
 * no session, once a connection. */
#pragma once
#include "decoders/stream.h"
#include "decoders/stream_via.h"

/* A segment with `n` > 0 new bytes at `p` of direction `dir`, of a connection that is nobody's:
 * what stream_via_clear says of it. */
void tls_clear_told(struct stream_at *at, unsigned dir, const uint8_t *p, size_t n);
static inline void tls_clear_segment(struct stream_at *at, unsigned dir, const uint8_t *p, size_t n)
{
    const struct flow *f = at->flow;
    unsigned client = f->flags & FLOW_CLIENT_1 ? 1 : 0;
    if (!stream_via_settled(f->via, dir == client, flow_service_port(f)))
        tls_clear_told(at, dir, p, n);
}

/* An HTTP request of direction `dir` with credentials. */
void tls_clear_login(struct stream_at *at, unsigned dir);
