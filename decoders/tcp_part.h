/* What tcp.c and tcp_end.c share. */
#pragma once
#include "decoders/decode_state.h"
#include "decoders/tcp.h"
#include "decoders/tls_calm.h"

/* Filled where it stands: a copy of what was just written is a copy that waits. */
static inline void tcp_at(struct stream_at *at, struct decode *d, uint32_t slot,
                          const struct rec *rec, unsigned dir, struct msgs *out)
{
    struct flow *f = &d->flows.flows[slot];
    if (f->flags & FLOW_CALM)
        tls_calm_wake(d, slot);
    at->d = d;
    at->flow = f;
    at->stream = f->stream == 0 ? NULL : stream_pool_at(&d->streams, f->stream);
    at->slot = slot;
    at->rec = rec;
    at->out = out;
    at->rec_dir = (uint8_t)dir;
    at->taken = at->done = false;
    at->carrier = TLS_OVER_TCP;
    at->quic_version = 0;
    at->outcome = OUT_OK;
}

/* States what a connection that leaves the table held. */
void tcp_end_quietly(struct decode *d, uint32_t slot, struct msgs *out);
