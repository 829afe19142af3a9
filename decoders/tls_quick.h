/* The short way of most packets: those of TLS sessions whose handshake is decided. */
#pragma once
#include "decoders/tls_calm.h"

/* May the connection be FLOW_QUICK: will protected records in order change nothing but counters,
 * and where the stream is? */
MUST_CHECK bool tls_quick_may(const struct flow *f, const struct stream *s);

/* Takes the next packet of a FLOW_QUICK connection, nothing missing and nothing twice, if it brings
 * only protected records or nothing. False, and nothing done: it takes more than that. */
MUST_CHECK bool tls_quick_packet(struct decode *d, struct flow *f, struct rec *rec, unsigned dir);
