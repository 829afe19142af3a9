#include "decoders/quic_conn.h"

#include "core/arena.h"
#include "core/hash.h"
#include "decoders/tls_flight.h"

#include <stdlib.h>

enum { PLAIN_MAX = 65536 };
/* Longer than any idle timeout in use: what comes after is another connection. */
static const uint64_t IDLE_NS = UINT64_C(600) * 1000 * 1000 * 1000;

/* ---- life */

static size_t have_bytes(uint32_t max)
{
    return (max + 7) / 8;
}

static size_t conns_bytes(const struct quic *q)
{
    return ((size_t)q->flows.max + 1) * sizeof *q->conns;
}

bool quic_new(struct quic **out, const struct decode_limits *limits, struct err *e)
{
    struct quic *q = calloc(1, sizeof *q);
    if (q == NULL) {
        err_set(e, "out of memory");
        return false;
    }
    uint32_t max = limits->quic_buffer_bytes;
    size_t each = (sizeof(struct quic_handshake) + 2 * (max + have_bytes(max)) + 63) / 64 * 64;
    q->seed = limits->seed;
    bool ok = tcp_table_init(&q->flows, limits->quic_flows, limits->seed, e)
              && stream_pool_init(&q->handshakes, (uint32_t)each, limits->quic_buffers, e)
              && quic_crypt_new(&q->crypt, e);
    if (ok) {
        q->conns = arena_new(conns_bytes(q), ARENA_COLD, e);
        q->plain = q->conns == NULL ? NULL : arena_new(PLAIN_MAX, ARENA_COLD, e);
        ok = q->plain != NULL;
    }
    if (!ok) {
        quic_free(q);
        return false;
    }
    *out = q;
    return true;
}

void quic_free(struct quic *q)
{
    if (q == NULL)
        return;
    arena_free(q->plain, PLAIN_MAX);
    arena_free(q->conns, conns_bytes(q));
    quic_crypt_free(q->crypt);
    stream_pool_end(&q->handshakes);
    tcp_table_end(&q->flows);
    free(q);
}

/* ---- handshakes in progress */

static void handshake_give(struct quic *q, struct quic_conn *conn)
{
    uint32_t i = conn->handshake;
    if (i == 0)
        return;
    struct quic_handshake *h = quic_handshake_at(q, i);
    conn->handshake = 0;
    quic_crypto_clear(&h->crypto[0]);
    quic_crypto_clear(&h->crypto[1]);
    if (h->older != 0)
        quic_handshake_at(q, h->older)->younger = h->younger;
    else
        q->first_shaking = h->younger;
    if (h->younger != 0)
        quic_handshake_at(q, h->younger)->older = h->older;
    else
        q->last_shaking = h->older;
    stream_pool_give(&q->handshakes, i);
}

/* The oldest has to go: a loss only while it could still be decided. */
static void handshake_oust(struct decode *d, uint64_t now_ns)
{
    struct quic *q = d->quic;
    struct quic_conn *conn = &q->conns[quic_handshake_at(q, q->first_shaking)->slot];
    d->stats.buffers_turned_away += !tls_session_late(&conn->stream.tls, now_ns);
    handshake_give(q, conn);
}

static struct quic_handshake *handshake_take(struct quic_at *at)
{
    struct quic *q = at->q;
    uint32_t max = at->s.d->limits.quic_buffer_bytes, i = stream_pool_take(&q->handshakes);
    if (i == 0) {
        handshake_oust(at->s.d, at->s.rec->ts_ns);
        i = stream_pool_take(&q->handshakes);
    }
    assert(i != 0);
    struct quic_handshake *h = quic_handshake_at(q, i);
    *h = (struct quic_handshake){
        .slot = at->s.slot, .older = q->last_shaking, .largest = {UINT64_MAX, UINT64_MAX}};
    uint8_t *room = (uint8_t *)h + sizeof *h;
    for (int side = 0; side < 2; side++) {
        h->crypto[side] = (struct quic_crypto){
            .max = max, .have = room, .bytes = room + have_bytes(max)}; /* cleared when given */
        room += max + have_bytes(max);
    }
    if (q->last_shaking != 0)
        quic_handshake_at(q, q->last_shaking)->younger = i;
    else
        q->first_shaking = i;
    q->last_shaking = i;
    at->conn->handshake = i;
    return h;
}

/* ---- connections */

struct quic_at quic_conn_at(struct decode *d, uint32_t slot, const struct rec *rec, unsigned dir,
                            struct msgs *out)
{
    struct quic_conn *conn = &d->quic->conns[slot];
    return (struct quic_at){
        .s = {.d = d,
              .flow = &d->quic->flows.flows[slot],
              .stream = &conn->stream,
              .slot = slot,
              .rec = rec,
              .out = out,
              .rec_dir = (uint8_t)dir,
              .carrier = TLS_OVER_QUIC,
              .quic_version = conn->version},
        .q = d->quic,
        .conn = conn,
    };
}

static void unlink_conn(struct quic *q, struct quic_conn *conn)
{
    if (conn->older != 0)
        q->conns[conn->older].younger = conn->younger;
    else
        q->oldest = conn->younger;
    if (conn->younger != 0)
        q->conns[conn->younger].older = conn->older;
    else
        q->youngest = conn->older;
}

static bool idle(const struct flow *f, uint64_t ts_ns)
{
    return ts_ns > f->last_ts_ns && ts_ns - f->last_ts_ns > IDLE_NS;
}

uint32_t quic_conn_find(struct decode *d, const struct rec *rec, const struct tcp_id *id,
                        struct msgs *out)
{
    struct quic *q = d->quic;
    uint32_t slot = tcp_table_find(&q->flows, id);
    if (slot == 0 || !idle(&q->flows.flows[slot], rec->ts_ns))
        return slot;
    struct quic_at at = quic_conn_at(d, slot, NULL, 0, out);
    quic_conn_end(&at);
    tcp_table_drop(&q->flows, slot);
    return 0;
}

uint32_t quic_conn_add(struct decode *d, const struct rec *rec, const struct tcp_id *id,
                       struct msgs *out)
{
    struct quic *q = d->quic;
    uint32_t victim = tcp_table_victim(&q->flows);
    if (victim != 0) {
        struct quic_at at = quic_conn_at(d, victim, NULL, 0, out);
        d->stats.quic_flows_turned_away += !at.conn->ended && !idle(at.s.flow, rec->ts_ns);
        quic_conn_end(&at);
        tcp_table_drop(&q->flows, victim);
    }
    uint32_t slot = tcp_table_add(&q->flows, id);
    d->stats.quic_flows_turned_away += slot == 0;
    return slot;
}

uint64_t quic_dcid_hash(const struct quic *q, struct cur dcid)
{
    return hash_bytes(dcid.p, dcid.left, q->seed);
}

void quic_conn_rekey(struct quic_at *at, const struct quic_version *v, struct cur dcid)
{
    struct quic_handshake *h = quic_handshake_at(at->q, at->conn->handshake);
    h->version = v;
    memcpy(h->keys, at->q->trial, sizeof h->keys);
    h->dcid_len = (uint8_t)dcid.left;
    memmove(h->dcid, dcid.p, dcid.left);
    at->conn->dcid_hash[1] = quic_dcid_hash(at->q, dcid);
    at->conn->version = at->s.quic_version = v->number;
}

void quic_conn_begin(struct quic_at *at, const struct quic_version *v, struct cur dcid,
                     uint64_t largest)
{
    struct quic *q = at->q;
    const struct rec *rec = at->s.rec;
    struct flow *f = at->s.flow;
    unsigned dir = at->s.rec_dir;
    f->flags = (uint16_t)(FLOW_USED | FLOW_SYN | (dir == 1 ? FLOW_CLIENT_1 : 0));
    f->kind = FLOW_TLS;
    f->last_ts_ns = rec->ts_ns;
    *at->conn = (struct quic_conn){
        .stream = {.flow = at->s.slot, .first_ord = rec->ord, .site = rec->site},
        .older = q->youngest,
    };
    at->conn->stream.addr[dir] = rec->src;
    at->conn->stream.addr[!dir] = rec->dst;
    at->conn->stream.client[dir] = rec->client[SIDE_SRC];
    at->conn->stream.client[!dir] = rec->client[SIDE_DST];
    if (q->youngest != 0)
        q->conns[q->youngest].younger = at->s.slot;
    else
        q->oldest = at->s.slot;
    q->youngest = at->s.slot;
    tls_session_begin(&at->s, dir);
    at->conn->stream.tls.flags |= TLS_S_STARTED; /* with this packet, whatever came of it */
    handshake_take(at)->largest[QUIC_CLIENT] = largest;
    quic_conn_rekey(at, v, dcid);
    at->conn->dcid_hash[0] = at->conn->dcid_hash[1];
}

void quic_conn_settle(struct quic_at *at)
{
    handshake_give(at->q, at->conn);
}

static void let_go(struct quic_at *at)
{
    handshake_give(at->q, at->conn);
    stream_drop(&at->s, &at->conn->stream.tls.long_names);
    tls_flight_drop(&at->s);
    at->conn->ended = true;
}

void quic_conn_close(struct quic_at *at)
{
    tls_session_end(&at->s, true);
    let_go(at);
}

static void make_up(struct quic_at *at)
{
    made_up_room(at->s.d, at->s.out);
    stream_make_up(&at->s, PROTO_QUIC);
}

void quic_conn_end(struct quic_at *at)
{
    if (!at->conn->ended) {
        make_up(at);
        tls_session_end(&at->s, false);
        let_go(at);
    }
    unlink_conn(at->q, at->conn);
}

/* ---- contexts and windows */

void quic_origin_end(struct decode *d, uint16_t origin, struct msgs *out)
{
    struct quic *q = d->quic;
    for (uint32_t slot = q->oldest, next; slot != 0; slot = next) {
        struct quic_at at = quic_conn_at(d, slot, NULL, 0, out);
        next = at.conn->younger;
        if (flow_origin(at.s.flow) == origin)
            quic_conn_end(&at);
    }
    msgs_flush(out);
    d->n_made_up = 0;
    tcp_table_forget(&q->flows, origin);
}

void quic_sweep(struct decode *d, uint32_t slot, uint64_t before_ns, struct msgs *out)
{
    if ((d->quic->flows.flows[slot].flags & FLOW_USED) == 0)
        return;
    struct quic_at at = quic_conn_at(d, slot, NULL, 0, out);
    if (at.conn->ended)
        return;
    make_up(&at);
    tls_session_sweep(&at.s, before_ns);
}

const struct tcp_table *quic_table(const struct quic *q)
{
    return &q->flows;
}
