#include "decoders/tcp.h"

#include "decoders/decode_state.h"
#include "decoders/stream_via.h"
#include "decoders/tcp_part.h"
#include "decoders/tls_clear.h"
#include "decoders/tls_quick.h"
#include "decoders/tls_record.h"
#include "decoders/tls_session.h"

enum {
    AHEAD_MAX = 3,  /* acknowledgements of bytes we lack, until they count as never seen: captures
                       may show them early */
    YOUNG_MAX = 64, /* segments of a direction in which order matters for telling what it is */
    RST_NEAR = 1 << 16, /* bytes a reset may be off what is expected */
};

static bool both_fins(const struct flow *f)
{
    return (f->flags & (FLOW_FIN_0 | FLOW_FIN_1)) == (FLOW_FIN_0 | FLOW_FIN_1);
}

/* ---- ends */

static void count_packet(struct stream_at *at)
{
    tls_session_packet(at);
    if (tls_session_open(&at->stream->tls))
        tls_session_decide(at);
}

/* The packet at->rec closes the connection. Its kind stays, so that what comes late is known for
 * what it is. */
static void close_with_packet(struct stream_at *at)
{
    if (at->stream != NULL) {
        stream_flush(at);
        if (at->flow->kind == FLOW_TLS) {
            count_packet(at);
            tls_session_end(at, true);
        }
        stream_close(at);
    }
    at->flow->flags |= FLOW_CLOSED;
    tcp_table_closed(&at->d->flows, at->slot);
}

/* ---- finding the connection */

static void flow_reset(struct flow *f)
{
    *f = (struct flow){
        .who = f->who,
        .hash = f->hash,
        .link = f->link,
        .flags = (uint16_t)(flow_flags_new(f->who) | (f->flags & FLOW_IN_CLOSED)),
    };
}

/* Does this packet say that the endpoints began anew? */
static bool is_anew(const struct flow *f, const struct rec *rec, unsigned dir)
{
    if (rec->ts_ns > f->last_ts_ns && rec->ts_ns - f->last_ts_ns > FLOW_IDLE_NS)
        return true;
    if ((rec->tcp_flags & (TH_SYN | TH_RST)) != TH_SYN)
        return false;
    if (f->flags & FLOW_SYN && rec->tcp_flags & TH_ACK)
        return rec->tcp_ack - 1 - f->isn
               > RST_NEAR;   /* it may acknowledge data of the SYN, too (RFC 7413) */
    if (f->flags & FLOW_SYN) /* nobody repeats a SYN after data: a capture is replayed in a loop */
        return rec->tcp_seq != f->isn
               || ((f->young[0] | f->young[1]) != 0 && rec->ts_ns > f->last_ts_ns);
    /* Joined in the middle, or its first packets came in another order. */
    uint32_t behind = f->high[dir] - (rec->tcp_seq + 1);
    return f->flags & FLOW_CLOSED || (f->flags & flow_seen(dir) && behind > RST_NEAR);
}

static void note_beginning(struct flow *f, const struct rec *rec, unsigned dir)
{
    bool syn = (rec->tcp_flags & (TH_SYN | TH_RST)) == TH_SYN;
    if (syn && (f->flags & FLOW_SYN) == 0) {
        unsigned client = rec->tcp_flags & TH_ACK ? !dir : dir;
        f->flags =
            (uint16_t)((f->flags & ~FLOW_CLIENT_1) | FLOW_SYN | (client == 1 ? FLOW_CLIENT_1 : 0));
        f->isn = rec->tcp_flags & TH_ACK ? rec->tcp_ack - 1 : rec->tcp_seq;
    }
}

/* A slot for a connection that the table does not know, or 0. */
static uint32_t flow_new(struct decode *d, const struct rec *rec, const struct tcp_id *id,
                         struct msgs *out)
{
    uint32_t victim = tcp_table_victim(&d->flows);
    if (victim != 0) {
        const struct flow *f = &d->flows.flows[victim];
        bool idle = rec->ts_ns > f->last_ts_ns && rec->ts_ns - f->last_ts_ns > FLOW_IDLE_NS;
        d->stats.flows_turned_away += (f->flags & FLOW_CLOSED) == 0 && !idle;
        tcp_end_quietly(d, victim, out);
        tcp_table_drop(&d->flows, victim);
    }
    uint32_t slot = tcp_table_add(&d->flows, id);
    d->stats.flows_turned_away += slot == 0;
    return slot;
}

/* ---- bytes that were never seen */

static void unseen(struct stream_at *at, unsigned dir, uint64_t bytes)
{
    if (bytes == 0)
        return;
    struct msg *m = msgs_push(at->out, MSG_TCP_UNSEEN, at->rec, stream_sender(at, dir), 0);
    m->unseen.bytes = bytes;
    at->flow->flags |= FLOW_HOLE;
}

/* `len` sequence numbers from `seq` on were seen of `dir`. */
static void note_seen(struct flow *f, unsigned dir, uint32_t seq, uint32_t len)
{
    uint32_t end = seq + len;
    int32_t ahead = (int32_t)(seq - f->high[dir]);
    bool seen = f->flags & flow_seen(dir);
    if (!seen || ahead > FLOW_JUMP_MAX || ahead < -FLOW_JUMP_MAX) {
        f->flags |= flow_seen(dir) | (seen ? FLOW_HOLE : 0);
        f->high[dir] = end;
        f->gap_bytes[dir] = 0;
        return;
    }
    if (ahead > 0) {
        f->gap_bytes[dir] += (uint32_t)ahead;
        f->gap_end[dir] = seq;
    } else if ((int32_t)(end - f->high[dir]) <= 0) {
        uint32_t fills = len < f->gap_bytes[dir] ? len : f->gap_bytes[dir];
        f->gap_bytes[dir] -= fills;
        return;
    }
    f->high[dir] = end;
}

/* The other side has all of `dir` before `ack`. */
static void note_acked(struct stream_at *at, unsigned dir, uint32_t ack)
{
    struct flow *f = at->flow;
    if ((f->flags & flow_seen(dir)) == 0)
        return;
    int32_t beyond = (int32_t)(ack - f->high[dir]);
    bool gap = f->gap_bytes[dir] > 0 && (int32_t)(ack - f->gap_end[dir]) >= 0;
    if ((beyond <= 0 && !gap) || beyond > FLOW_JUMP_MAX) {
        f->ahead[dir] = 0;
        return;
    }
    if (++f->ahead[dir] < AHEAD_MAX && !both_fins(f))
        return;
    uint64_t bytes = f->gap_bytes[dir];
    if (beyond > 0) {
        bytes += (uint32_t)beyond;
        f->high[dir] = ack;
    }
    f->gap_bytes[dir] = 0;
    f->ahead[dir] = 0;
    unseen(at, dir, bytes);
}

/* ---- one packet */

static const uint8_t protos[] = {[FLOW_UNKNOWN] = PROTO_NONE,
                                 [FLOW_TLS] = PROTO_TLS,
                                 [FLOW_DNS] = PROTO_DNS,
                                 [FLOW_HTTP] = PROTO_HTTP};

/* Payload of a connection without stream state: is it worth one? */
static bool worth_a_stream(struct stream_at *at, unsigned dir, uint32_t seq, uint32_t before,
                           bool seen)
{
    const struct rec *rec = at->rec;
    int32_t ahead = seen ? (int32_t)(seq - before) : 0;
    if (ahead < 0)
        return false; /* seen before, or the middle of something */
    bool waits = ahead > 0 && ahead < FLOW_JUMP_MAX && at->flow->young[dir] < YOUNG_MAX;
    if (!waits && !stream_unknown_wants(at, dir, rec->payload.p, rec->payload.left))
        return false;
    if (!stream_open(at))
        return false;
    at->stream->half[dir].known = true;
    at->stream->half[dir].next = waits ? before : seq;
    return true;
}

static inline void count_young(struct flow *f, unsigned dir)
{
    if (f->young[dir] < UINT8_MAX)
        f->young[dir]++;
}

/* The first that is seen of a direction is what comes next. */
static inline void note_step(struct stream_half *h, uint32_t seq)
{
    if (!h->known) {
        h->next = seq;
        h->known = true;
    }
}

static void payload(struct stream_at *at, unsigned dir, uint32_t seq, uint32_t wire_len,
                    uint32_t before, bool seen)
{
    struct flow *f = at->flow;
    const struct rec *rec = at->rec;
    if ((rec->tcp_flags & TH_SYN) == 0) /* data of a SYN (RFC 7413) may come again without */
        count_young(f, dir);
    if (f->flags & FLOW_CLOSED) {
        if (seen && (int32_t)(seq + wire_len - before) <= 0)
            return;
        f->flags &=
            (uint16_t) ~(FLOW_CLOSED | FLOW_FIN_0 | FLOW_FIN_1); /* it was not the end after all */
        f->kind = FLOW_UNKNOWN;
    }
    if (f->kind == FLOW_UNKNOWN && f->young[dir] <= STREAM_VIA_SEGMENTS && rec->payload.left > 0) {
        const uint8_t *p = rec->payload.p;
        if (stream_via_maybe(p, rec->payload.left))
            f->via = stream_via(f->via, p, rec->payload.left, flow_port(f, 0), flow_port(f, 1));
        if (!seen || (int32_t)(seq - before) >= 0) /* not once more */
            tls_clear_segment(at, dir, p, rec->payload.left);
    }
    if (at->stream == NULL && !worth_a_stream(at, dir, seq, before, seen))
        return;
    note_step(&at->stream->half[dir], seq);
    stream_segment(at, dir, seq, rec->payload.p, (uint32_t)rec->payload.left, wire_len);
}

/* Lets go of stream state that nobody needs. */
static void settle(struct stream_at *at)
{
    const struct stream *s = at->stream;
    if (s == NULL || at->flow->kind != FLOW_UNKNOWN)
        return;
    if (s->half[0].waiting == 0 && s->half[1].waiting == 0 && s->half[0].n_head == 0
        && s->half[1].n_head == 0)
        stream_close(at);
}

/* Does the packet end the connection? `off`: how far its bytes are from those expected. */
static bool is_end(const struct flow *f, const struct rec *rec, unsigned dir, uint32_t off,
                   bool seen)
{
    if (f->flags & FLOW_CLOSED)
        return false;
    if (rec->tcp_flags & TH_RST && (!seen || off + RST_NEAR <= 2 * RST_NEAR || rec->tcp_seq == 0))
        return true;
    return both_fins(f) && (rec->tcp_flags & (TH_FIN | TH_ACK)) == TH_ACK
           && rec->tcp_ack == f->high[!dir];
}

void tcp_prefetch(const struct decode *d, uint32_t slot)
{
    const struct flow *f = &d->flows.flows[slot];
    if (f->flags & FLOW_CALM) {
        const struct tls_calm *c = stream_pool_at(&d->calm, f->stream);
        __builtin_prefetch(c, 1);
        __builtin_prefetch(&c->half[1], 1); /* it may lie across two lines */
        return;
    }
    const uint8_t *s = stream_pool_at(&d->streams, f->stream);
    __builtin_prefetch(s + offsetof(struct stream, half[0]), 1);
    __builtin_prefetch(s + offsetof(struct stream, half[1]), 1);
    if (f->flags & FLOW_QUICK || f->stream == 0)
        return;
    for (unsigned at = 0; at < offsetof(struct stream, first_ord); at += 64)
        __builtin_prefetch(s + at, 1);
}

/* Is the packet what comes next: no beginning and no end, nothing missing, nothing twice? Of slot 0
 * nothing was seen. */
static inline bool is_next(const struct flow *f, const struct rec *rec, unsigned dir)
{
    enum { SPECIAL = TH_FIN | TH_SYN | TH_RST | TH_ACK };
    const unsigned wanted = flow_seen(dir), wrong = FLOW_FIN_0 | FLOW_FIN_1 | FLOW_CLOSED;
    uint64_t off = (rec->tcp_seq ^ f->high[dir]) | ((rec->tcp_flags & SPECIAL) ^ TH_ACK)
                   | ((f->flags & (wanted | wrong)) ^ wanted)
                   | (rec->payload.left ^ rec->payload_wire_len) | f->gap_bytes[0]
                   | f->gap_bytes[1];
    if (off != 0)
        return false;
    if ((int32_t)(rec->tcp_ack - f->high[dir ^ 1]) > 0 && f->flags & flow_seen(dir ^ 1))
        return false;
    return rec->ts_ns - f->last_ts_ns <= FLOW_IDLE_NS || rec->ts_ns < f->last_ts_ns;
}

static inline void at_packet(struct stream_at *at, struct decode *d, uint32_t slot, struct rec *rec,
                             unsigned dir, struct msgs *out)
{
    tcp_at(at, d, slot, rec, dir, out);
    struct flow *f = at->flow;
    f->flags &= (uint16_t)~FLOW_QUICK;
    rec->service_port = flow_service_port(f);
    if (rec->ts_ns > f->last_ts_ns)
        f->last_ts_ns = rec->ts_ns;
}

static inline bool is_tls(const struct stream_at *at)
{
    return at->stream != NULL && at->flow->kind == FLOW_TLS;
}

static inline void conclude(const struct stream_at *at, struct rec *rec, uint8_t kind_before)
{
    if (is_tls(at) && tls_quick_may(at->flow, at->stream))
        at->flow->flags |= FLOW_QUICK;
    uint8_t kind = at->flow->kind != FLOW_UNKNOWN ? at->flow->kind : kind_before;
    rec->proto = protos[kind];
    /* Truncated is the packet that was cut, not a later one that waited for its bytes. */
    bool whole = at->outcome == OUT_TRUNCATED && !rec->payload.snapped;
    rec->outcome = (uint8_t)(whole ? OUT_OK : at->outcome);
    if (at->outcome == OUT_OK && kind == FLOW_UNKNOWN && !at->taken)
        rec->outcome = OUT_NOT_MINE;
}

/* What comes next on a connection without stream state, and holds nothing. */
static inline void bare_next(struct flow *f, struct rec *rec, unsigned dir)
{
    f->flags |= FLOW_AGAIN;
    f->ahead[dir ^ 1] = 0;
    if (rec->ts_ns > f->last_ts_ns)
        f->last_ts_ns = rec->ts_ns;
    rec->service_port = flow_service_port(f);
    rec->proto = protos[f->kind];
    if (f->kind == FLOW_UNKNOWN)
        rec->outcome = OUT_NOT_MINE;
}

/* What a packet does that comes next: most do. */
static __attribute__((noinline)) void follow_next(struct decode *d, uint32_t slot, struct rec *rec,
                                                  unsigned dir, struct msgs *out)
{
    struct stream_at at;
    at_packet(&at, d, slot, rec, dir, out);
    struct flow *f = at.flow;
    uint8_t kind_before = f->kind;
    uint32_t seq = rec->tcp_seq, len = rec->payload_wire_len;
    f->flags |= FLOW_AGAIN;
    f->high[dir] = seq + len;
    f->ahead[dir ^ 1] = 0;
    if (at.stream != NULL)
        note_step(&at.stream->half[dir], seq);
    if (is_tls(&at))
        tls_session_packet(&at);
    if (len > 0 && is_tls(&at) && stream_in_step(&at.stream->half[dir], seq)) {
        count_young(f, dir); /* payload would do the same */
        at.stream->half[dir].next = seq + len;
        tls_record_data(&at, dir, rec->payload.p, len, true, rec->ts_ns);
    } else if (len > 0) {
        payload(&at, dir, seq, len, seq, true);
    }
    if (at.stream != NULL)
        stream_acked(&at, dir ^ 1, rec->tcp_ack);
    if (is_tls(&at))
        count_packet(&at);
    settle(&at);
    conclude(&at, rec, kind_before);
}

/* What any packet of a connection in the table does. */
static void follow(struct decode *d, uint32_t slot, struct rec *rec, unsigned dir, struct msgs *out)
{
    struct flow *f = &d->flows.flows[slot];
    note_beginning(f, rec, dir);
    struct stream_at at;
    at_packet(&at, d, slot, rec, dir, out);
    uint8_t kind_before = f->kind;
    if (is_tls(&at))
        tls_session_packet(&at);

    bool syn = rec->tcp_flags & TH_SYN, fin = rec->tcp_flags & TH_FIN,
         rst = rec->tcp_flags & TH_RST;
    uint32_t seq = rec->tcp_seq + syn, before = f->high[dir];
    uint32_t captured = (uint32_t)rec->payload.left;
    uint32_t wire_len = rec->payload_wire_len > captured ? rec->payload_wire_len : captured;
    bool seen = f->flags & flow_seen(dir);
    if (!rst) {
        note_seen(f, dir, seq, wire_len + fin);
        if (at.stream != NULL)
            note_step(&at.stream->half[dir], seq);
        if (wire_len > 0)
            payload(&at, dir, seq, wire_len, before, seen);
        f->flags |= fin ? flow_fin(dir) : 0;
        if (rec->tcp_flags & TH_ACK) {
            note_acked(&at, !dir, rec->tcp_ack);
            if (at.stream != NULL)
                stream_acked(&at, !dir, rec->tcp_ack);
        }
    }
    if (is_tls(&at))
        count_packet(&at);
    if (is_end(f, rec, dir, seq - before, seen))
        close_with_packet(&at);
    settle(&at);
    conclude(&at, rec, kind_before);
}

/* A packet of a connection that the table does not know, or that begins anew in `slot`. */
static __attribute__((noinline)) void begin(struct decode *d, uint32_t slot, struct rec *rec,
                                            const struct tcp_id *id, struct msgs *out)
{
    if (slot != 0) {
        tcp_end_quietly(d, slot, out);
        flow_reset(&d->flows.flows[slot]);
    } else {
        slot = flow_new(d, rec, id, out);
        if (slot == 0) {
            rec->service_port = rec->sport < rec->dport ? rec->sport : rec->dport;
            rec->outcome = OUT_TABLE_FULL;
            return;
        }
    }
    d->stats.flows++;
    rec->flags |= REC_FIRST_SEEN;
    follow(d, slot, rec, id->dir, out);
}

void tcp_packet(struct decode *d, struct rec *rec, const struct tcp_id *id, struct msgs *out)
{
    uint32_t slot = tcp_table_find(&d->flows, id);
    struct flow *f = &d->flows.flows[slot];
    unsigned dir = id->dir;
    if (is_next(f, rec, dir)) {
        if (f->flags & FLOW_QUICK && tls_quick_packet(d, f, rec, dir))
            return;
        if (f->stream == 0 && rec->payload_wire_len == 0)
            bare_next(f, rec, dir);
        else
            follow_next(d, slot, rec, dir, out);
    } else if (slot == 0 || is_anew(f, rec, dir)) {
        begin(d, slot, rec, id, out);
    } else {
        f->flags |= FLOW_AGAIN;
        follow(d, slot, rec, dir, out);
    }
}
