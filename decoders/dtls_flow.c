#include "decoders/dtls_flow.h"

#include "core/arena.h"
#include "decoders/decode_state.h"
#include "decoders/dtls.h"
#include "decoders/tls_flight.h"
#include "decoders/tls_session.h"

static size_t state_bytes(const struct dtls_table *t)
{
    return ((size_t)t->flows.max + 1) * sizeof *t->state;
}

bool dtls_table_init(struct dtls_table *t, uint32_t flows, uint32_t hellos, uint64_t seed,
                     struct err *e)
{
    if (!tcp_table_init(&t->flows, flows, seed, e))
        return false;
    t->state = arena_new(state_bytes(t), ARENA_COLD, e);
    return t->state != NULL && stream_pool_init(&t->hellos, sizeof(struct dtls_hello), hellos, e);
}

void dtls_table_end(struct dtls_table *t)
{
    stream_pool_end(&t->hellos);
    arena_free(t->state, state_bytes(t));
    t->state = NULL;
    tcp_table_end(&t->flows);
}

/* ---- ends */

static struct stream_at at_flow(struct decode *d, uint32_t slot, struct msgs *out)
{
    return (struct stream_at){
        .d = d,
        .flow = &d->dtls.flows.flows[slot],
        .slot = slot,
        .out = out,
        .stream = &d->dtls.state[slot].stream,
        .carrier = TLS_OVER_DTLS,
    };
}

/* States what the session at->rec has ended held, and lets go of it. */
static void end(struct stream_at *at)
{
    dtls_hello_drop_all(at);
    tls_session_end(at, false);
    stream_drop(at, &at->stream->tls.long_names);
    tls_flight_drop(at);
}

static void end_without_packet(struct decode *d, uint32_t slot, struct msgs *out)
{
    struct stream_at at = at_flow(d, slot, out);
    stream_make_up(&at, PROTO_DTLS);
    end(&at);
}

/* ---- beginnings */

static void begin(struct stream_at *at)
{
    struct dtls_flow *f = dtls_flow_of(at);
    memset(f, 0, sizeof *f);
    f->stream.flow = at->slot;
    f->stream.first_ord = at->rec->ord;
    f->stream.site = at->rec->site;
    f->stream.addr[at->rec_dir] = at->rec->src;
    f->stream.addr[!at->rec_dir] = at->rec->dst;
    f->stream.client[at->rec_dir] = at->rec->client[SIDE_SRC];
    f->stream.client[!at->rec_dir] = at->rec->client[SIDE_DST];
    tls_session_begin(at, at->rec_dir);
}

static void begin_with(struct stream_at *at, const struct rec *rec, const struct tcp_id *id)
{
    at->rec = rec;
    at->rec_dir = id->dir;
}

void dtls_flow_anew(struct stream_at *at)
{
    end(at);
    begin(at);
}

bool dtls_flow_find(struct decode *d, const struct rec *rec, const struct tcp_id *id,
                    struct msgs *out, struct stream_at *at)
{
    uint32_t slot = d->dtls.flows.n == 0 ? 0 : tcp_table_find(&d->dtls.flows, id);
    if (slot == 0)
        return false;
    struct flow *f = &d->dtls.flows.flows[slot];
    if (rec->ts_ns > f->last_ts_ns && rec->ts_ns - f->last_ts_ns > FLOW_IDLE_NS) {
        end_without_packet(d, slot, out);
        tcp_table_drop(&d->dtls.flows, slot);
        return false;
    }
    f->flags |= FLOW_AGAIN;
    *at = at_flow(d, slot, out);
    begin_with(at, rec, id);
    return true;
}

bool dtls_flow_add(struct decode *d, const struct rec *rec, const struct tcp_id *id,
                   struct msgs *out, struct stream_at *at)
{
    struct tcp_table *t = &d->dtls.flows;
    uint32_t victim = tcp_table_victim(t);
    if (victim != 0) {
        const struct flow *f = &t->flows[victim];
        bool idle = rec->ts_ns > f->last_ts_ns && rec->ts_ns - f->last_ts_ns > FLOW_IDLE_NS;
        d->stats.dtls_flows_turned_away += !idle;
        end_without_packet(d, victim, out);
        tcp_table_drop(t, victim);
    }
    uint32_t slot = tcp_table_add(t, id);
    if (slot == 0) {
        d->stats.dtls_flows_turned_away++;
        return false;
    }
    *at = at_flow(d, slot, out);
    begin_with(at, rec, id);
    begin(at);
    return true;
}

/* ---- contexts and windows */

/* The next slot in use from `slot` on, or 0. */
static uint32_t next_used(const struct tcp_table *t, uint32_t slot)
{
    for (; slot <= t->top; slot++)
        if (t->flows[slot].flags & FLOW_USED)
            return slot;
    return 0;
}

void dtls_origin_end(struct decode *d, uint16_t origin, struct msgs *out)
{
    const struct tcp_table *t = &d->dtls.flows;
    for (uint32_t slot = next_used(t, 1); slot != 0; slot = next_used(t, slot + 1)) {
        if (flow_origin(&t->flows[slot]) != origin)
            continue;
        made_up_room(d, out);
        end_without_packet(d, slot, out);
    }
    msgs_flush(out);
    d->n_made_up = 0;
    tcp_table_forget(&d->dtls.flows, origin);
}

void dtls_sweep(struct decode *d, uint32_t slot, uint64_t before_ns, struct msgs *out)
{
    if ((d->dtls.flows.flows[slot].flags & FLOW_USED) == 0)
        return;
    struct stream_at at = at_flow(d, slot, out);
    made_up_room(d, out);
    stream_make_up(&at, PROTO_DTLS);
    tls_session_sweep(&at, before_ns);
}
