/* What tcp.c and tcp_end.c share. */
#pragma once
#include "decoders/decode_state.h"
#include "decoders/tcp.h"
#include "decoders/tls_calm.h"

static inline struct stream_at tcp_at(struct decode *d, uint32_t slot, struct msgs *out)
{
    struct flow *f = &d->flows.flows[slot];
    if (f->flags & FLOW_CALM)
        tls_calm_wake(d, slot);
    return (struct stream_at){
        .d = d,
        .flow = f,
        .slot = slot,
        .out = out,
        .stream = f->stream == 0 ? NULL : stream_pool_at(&d->streams, f->stream),
    };
}

/* States what a connection that leaves the table held. */
void tcp_end_quietly(struct decode *d, uint32_t slot, struct msgs *out);
