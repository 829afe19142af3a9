/* Reports of clear text where TLS belongs: a struct tls_session_msg of outcome TLS_CLEAR, that of
 * no session, once a connection. */
#pragma once
#include "decoders/stream.h"

/* A segment with `n` > 0 new bytes at `p` of direction `dir`, of a connection that is nobody's:
 * what stream_via_clear says of it. */
void tls_clear_segment(struct stream_at *at, unsigned dir, const uint8_t *p, size_t n);

/* An HTTP request of direction `dir` with credentials. */
void tls_clear_login(struct stream_at *at, unsigned dir);
