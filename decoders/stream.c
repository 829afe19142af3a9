#include "decoders/decode_state.h"
#include "decoders/tls_calm.h"
#include "decoders/tls_flight.h"
#include "decoders/tls_record.h"

static struct stream_node *node_at(const struct stream_at *at, uint32_t i)
{
    return stream_pool_at(&at->d->nodes, i);
}

static uint32_t nodes_max(const struct stream_at *at)
{
    return at->d->limits.tcp_buffer_bytes / STREAM_NODE_BYTES + 1;
}

/* A node, or 0 where a limit is reached. */
static uint32_t node_take(struct stream_at *at, bool aside)
{
    struct decode *d = at->d;
    bool first = at->stream->n_nodes == 0 && !aside;
    uint32_t i = first && d->holders == d->limits.tcp_buffers ? 0 : stream_pool_take(&d->nodes);
    if (i == 0) {
        d->stats.buffers_turned_away++;
        return 0;
    }
    d->holders += first;
    at->stream->n_nodes += !aside;
    return i;
}

static void node_give(struct stream_at *at, uint32_t i, bool aside)
{
    stream_pool_give(&at->d->nodes, i);
    if (!aside && --at->stream->n_nodes == 0)
        at->d->holders--;
}

uint32_t stream_aside(struct stream_at *at)
{
    return node_take(at, true);
}

void stream_aside_give(struct stream_at *at, uint32_t node)
{
    node_give(at, node, true);
}

void stream_make_up(struct stream_at *at, enum proto proto)
{
    struct decode *d = at->d;
    assert(d->n_made_up < MADE_UP_MAX);
    struct rec *rec = &d->made_up[d->n_made_up++];
    const struct flow *f = at->flow;
    const struct stream *s = at->stream;
    *rec = (struct rec){
        .ts_ns = f->last_ts_ns,
        .ord = s->first_ord,
        .origin = flow_origin(f),
        .flags = REC_HAS_IP | REC_HAS_PORTS,
        .proto = (uint8_t)proto,
        .ip_proto = proto == PROTO_TLS ? 6 : 17,
        .ip_outer = addr_is_v4(&s->addr[0]) ? 4 : 6,
        .sport = flow_port(f, 0),
        .dport = flow_port(f, 1),
        .service_port = flow_service_port(f),
        .src = s->addr[0],
        .dst = s->addr[1],
        .payload = cur_of("", 0, 0),
        .site = s->site,
        .client = {s->client[0], s->client[1]},
    };
    at->rec = rec;
    at->rec_dir = 0;
}

void stream_outcome(struct stream_at *at, enum outcome o)
{
    static const uint8_t rank[OUT_N] = {
        [OUT_OK] = 0, [OUT_TRUNCATED] = 1, [OUT_TABLE_FULL] = 2, [OUT_MALFORMED] = 3};
    if (rank[o] > rank[at->outcome])
        at->outcome = o;
}

struct stream *stream_take(struct decode *d, uint32_t slot)
{
    tls_calm_make_room(d);
    uint32_t i = stream_pool_take(&d->streams);
    if (i == 0)
        return NULL;
    struct stream *s = stream_pool_at(&d->streams, i);
    memset(s, 0, sizeof *s);
    s->flow = slot;
    d->flows.flows[slot].stream = i;
    d->n_streams++;
    return s;
}

void stream_give(struct decode *d, uint32_t i)
{
    struct stream *s = stream_pool_at(&d->streams, i);
    assert(s->n_nodes == 0);
    s->flow = 0;
    stream_pool_give(&d->streams, i);
    d->n_streams--;
}

bool stream_open(struct stream_at *at)
{
    struct stream *s = stream_take(at->d, at->slot);
    if (s == NULL) {
        at->d->stats.buffers_turned_away++;
        return false;
    }
    s->tls.long_names.aside = true;
    s->first_ord = at->rec->ord;
    s->site = at->rec->site;
    s->addr[at->rec_dir] = at->rec->src;
    s->addr[!at->rec_dir] = at->rec->dst;
    s->client[at->rec_dir] = at->rec->client[SIDE_SRC];
    s->client[!at->rec_dir] = at->rec->client[SIDE_DST];
    for (unsigned dir = 0; dir < 2; dir++) {
        s->half[dir].known = at->flow->flags & (dir == 0 ? FLOW_SEEN_0 : FLOW_SEEN_1);
        s->half[dir].next = at->flow->high[dir];
        s->half[dir].first = at->flow->young[dir] <= (dir == at->rec_dir);
    }
    at->stream = s;
    return true;
}

static void drop_waiting(struct stream_at *at, struct stream_half *h)
{
    while (h->waiting != 0) {
        uint32_t i = h->waiting;
        h->waiting = node_at(at, i)->next;
        node_give(at, i, false);
    }
    h->n_waiting = 0;
}

void stream_close(struct stream_at *at)
{
    struct stream *s = at->stream;
    if (s == NULL)
        return;
    for (unsigned dir = 0; dir < 2; dir++) {
        drop_waiting(at, &s->half[dir]);
        stream_drop(at, &s->half[dir].kept);
    }
    stream_drop(at, &s->tls.long_names);
    tls_flight_drop(at);
    stream_give(at->d, at->flow->stream);
    at->flow->stream = 0;
    at->stream = NULL;
}

/* ---- what is kept */

void stream_keep_like(struct stream_at *at, struct stream_kept *kept, uint32_t like, uint32_t n)
{
    if (kept->like == 0)
        at->d->certs.seen[like].users++;
    kept->like = (uint16_t)like;
    kept->len += n;
}

/* What was like a known certificate goes on in another way. */
static bool unlike(struct stream_at *at, struct stream_kept *kept)
{
    const struct tls_cert_seen *seen = &at->d->certs.seen[kept->like];
    uint32_t len = kept->len;
    stream_drop(at, kept);
    return stream_keep(at, kept, seen->bytes, len);
}

bool stream_keep(struct stream_at *at, struct stream_kept *kept, const uint8_t *p, size_t n)
{
    if (kept->like != 0 && !unlike(at, kept))
        return false;
    if (n > at->d->limits.tcp_buffer_bytes - kept->len) {
        at->d->stats.bytes_turned_away += n;
        return false;
    }
    while (n > 0) {
        struct stream_node *node = kept->tail == 0 ? NULL : node_at(at, kept->tail);
        if (node == NULL || node->len == STREAM_NODE_BYTES) {
            uint32_t i = node_take(at, kept->aside);
            if (i == 0) {
                at->d->stats.bytes_turned_away += n;
                return false;
            }
            if (node != NULL)
                node->next = i;
            else
                kept->head = i;
            kept->tail = i;
            node = node_at(at, i);
            node->next = 0;
            node->len = 0;
        }
        size_t room = STREAM_NODE_BYTES - node->len, k = n < room ? n : room;
        memcpy(node->bytes + node->len, p, k);
        node->len = (uint16_t)(node->len + k);
        kept->len += (uint32_t)k;
        p += k;
        n -= k;
    }
    return true;
}

const uint8_t *stream_kept_bytes(struct stream_at *at, const struct stream_kept *kept)
{
    if (kept->like != 0)
        return at->d->certs.seen[kept->like].bytes;
    if (kept->head != 0 && kept->head == kept->tail)
        return node_at(at, kept->head)->bytes;
    uint8_t *to = at->d->scratch;
    for (uint32_t i = kept->head; i != 0; i = node_at(at, i)->next) {
        const struct stream_node *node = node_at(at, i);
        memcpy(to, node->bytes, node->len);
        to += node->len;
    }
    return at->d->scratch;
}

void stream_drop_kept(struct stream_at *at, struct stream_kept *kept)
{
    if (kept->like != 0)
        at->d->certs.seen[kept->like].users--;
    for (uint32_t i = kept->head, next; i != 0; i = next) {
        next = node_at(at, i)->next;
        node_give(at, i, kept->aside);
    }
    *kept = (struct stream_kept){.aside = kept->aside};
}

/* ---- handing on */

static void decode_data(struct stream_at *at, unsigned dir, const uint8_t *p, size_t n, bool start,
                        uint64_t ts_ns)
{
    switch ((enum flow_kind)at->flow->kind) {
    case FLOW_UNKNOWN:
        stream_unknown_data(at, dir, p, n, start, ts_ns);
        break;
    case FLOW_TLS:
        tls_record_data(at, dir, p, n, start, ts_ns);
        break;
    case FLOW_DNS:
        stream_dns_data(at, dir, p, n, start, ts_ns);
        break;
    case FLOW_HTTP:
        stream_http_data(at, dir, p, n, start, ts_ns);
        break;
    }
}

void stream_settled_data(struct stream_at *at, unsigned dir, const uint8_t *p, size_t n,
                         uint64_t ts_ns)
{
    if (at->flow->kind != FLOW_UNKNOWN)
        decode_data(at, dir, p, n, false, ts_ns);
}

static void hand_on(struct stream_at *at, unsigned dir, const uint8_t *p, size_t n, bool start,
                    uint64_t ts_ns)
{
    if (n == 0)
        return;
    at->stream->half[dir].next += (uint32_t)n;
    decode_data(at, dir, p, n, start, ts_ns);
}

/* `n` bytes will not come; `cut`: because the capture keeps only the start of packets. */
static void hand_on_gap(struct stream_at *at, unsigned dir, uint32_t n, bool cut)
{
    bool needed = false;
    if (n == 0)
        return;
    at->stream->half[dir].next += n;
    at->d->stats.holes += !cut;
    at->flow->flags |= FLOW_HOLE;
    switch ((enum flow_kind)at->flow->kind) {
    case FLOW_UNKNOWN:
        at->stream->half[dir].n_head = 0;
        break;
    case FLOW_TLS:
        needed = tls_record_gap(at, dir, n);
        break;
    case FLOW_DNS:
        needed = stream_dns_gap(at, dir, n);
        break;
    case FLOW_HTTP:
        needed = stream_http_gap(at, dir, n);
        break;
    }
    if (needed && cut)
        stream_outcome(at, OUT_TRUNCATED);
}

/* Hands on the first of those that wait. It starts where the stream is. */
static void hand_on_first(struct stream_at *at, unsigned dir)
{
    struct stream_half *h = &at->stream->half[dir];
    uint32_t i = h->waiting;
    struct stream_node *node = node_at(at, i);
    h->waiting = node->next;
    h->n_waiting--;
    h->strikes = 0;
    hand_on(at, dir, node->bytes, node->len, node->start, node->ts_ns);
    uint32_t cut = node->cut;
    if (h->waiting != 0 && cut > node_at(at, h->waiting)->seq - h->next)
        cut = node_at(at, h->waiting)->seq - h->next; /* another copy was whole */
    node_give(at, i, false);
    hand_on_gap(at, dir, cut, true);
}

static void drain(struct stream_at *at, unsigned dir)
{
    struct stream_half *h = &at->stream->half[dir];
    while (h->waiting != 0 && node_at(at, h->waiting)->seq == h->next)
        hand_on_first(at, dir);
}

/* What is missing before the first of those that wait will not come. */
static void give_up_gap(struct stream_at *at, unsigned dir)
{
    struct stream_half *h = &at->stream->half[dir];
    h->strikes = 0;
    hand_on_gap(at, dir, node_at(at, h->waiting)->seq - h->next, false);
    drain(at, dir);
}

/* ---- segments */

/* A part of a segment that is being put in its place. */
struct part {
    uint32_t seq;
    const uint8_t *p;
    uint32_t len; /* captured */
    uint32_t cut; /* after that: not captured */
    bool start;
};

static void part_pass(struct part *s, uint32_t n)
{
    s->seq += n;
    if (n > 0)
        s->start = false;
    if (n <= s->len) {
        s->p += n;
        s->len -= n;
        return;
    }
    n -= s->len;
    s->len = 0;
    s->cut -= n < s->cut ? n : s->cut;
}

/* Passes over the bytes of `s` that `node` holds; the first copy counts. */
static void part_pass_copy(struct stream_at *at, struct part *s, const struct stream_node *node)
{
    uint32_t both = node->len < s->len ? node->len : s->len;
    if (memcmp(node->bytes, s->p, both) != 0)
        at->d->stats.overlap_conflicts++;
    part_pass(s, node->len);
}

/* The segment starts where the stream is. */
static void in_order(struct stream_at *at, unsigned dir, struct part s)
{
    struct stream_half *h = &at->stream->half[dir];
    while (s.len > 0 || s.cut > 0) {
        uint32_t room = UINT32_MAX;
        if (h->waiting != 0) {
            struct stream_node *node = node_at(at, h->waiting);
            room = node->seq - h->next;
            if (room == 0) {
                part_pass_copy(at, &s, node);
                hand_on_first(at, dir);
                continue;
            }
        }
        uint32_t n = s.len < room ? s.len : room;
        hand_on(at, dir, s.p, n, s.start, at->rec->ts_ns);
        part_pass(&s, n);
        if (s.len == 0 && s.cut > 0) {
            n = s.cut < room - n ? s.cut : room - n;
            hand_on_gap(at, dir, n, true);
            part_pass(&s, n);
        }
    }
    drain(at, dir);
}

/* Puts up to a node of `s` behind node `before` (0: first), ahead of `room` bytes to the next one.
 */
static bool put_node(struct stream_at *at, struct stream_half *h, uint32_t before, struct part *s,
                     uint32_t room)
{
    uint32_t i = h->n_waiting < nodes_max(at) ? node_take(at, false) : 0;
    if (i == 0) {
        at->d->stats.bytes_turned_away += s->len;
        return false;
    }
    uint32_t n = s->len < room ? s->len : room;
    n = n < STREAM_NODE_BYTES ? n : STREAM_NODE_BYTES;
    struct stream_node *node = node_at(at, i);
    *node = (struct stream_node){
        .seq = s->seq, .len = (uint16_t)n, .start = s->start, .ts_ns = at->rec->ts_ns};
    memcpy(node->bytes, s->p, n);
    part_pass(s, n);
    if (s->len == 0 && n < room)
        node->cut = s->cut;
    uint32_t *link = before == 0 ? &h->waiting : &node_at(at, before)->next;
    node->next = *link;
    *link = i;
    h->n_waiting++;
    at->taken = true;
    return true;
}

/* The segment starts beyond where the stream is: what nobody said before waits. */
static bool out_of_order(struct stream_at *at, unsigned dir, struct part *s)
{
    struct stream_half *h = &at->stream->half[dir];
    uint32_t before = 0;
    while (s->len > 0) {
        uint32_t after = before == 0 ? h->waiting : node_at(at, before)->next;
        struct stream_node *node = after == 0 ? NULL : node_at(at, after);
        if (node == NULL || (int32_t)(s->seq - node->seq) < 0) {
            uint32_t room = node == NULL ? UINT32_MAX : node->seq - s->seq;
            if (!put_node(at, h, before, s, room))
                return false;
            before = before == 0 ? h->waiting : node_at(at, before)->next;
            continue;
        }
        uint32_t into = s->seq - node->seq;
        if (into < node->len) {
            uint32_t both = node->len - into < s->len ? node->len - into : s->len;
            if (memcmp(node->bytes + into, s->p, both) != 0)
                at->d->stats.overlap_conflicts++;
            at->taken = true;
            part_pass(s, both);
        }
        before = after;
    }
    return true;
}

void stream_segment(struct stream_at *at, unsigned dir, uint32_t seq, const uint8_t *p,
                    uint32_t cap_len, uint32_t wire_len)
{
    struct stream_half *h = &at->stream->half[dir];
    if (stream_in_step(h, seq) && cap_len == wire_len) { /* nearly always */
        hand_on(at, dir, p, cap_len, true, at->rec->ts_ns);
        return;
    }
    struct part s = {.seq = seq, .p = p, .len = cap_len, .cut = wire_len - cap_len, .start = true};
    for (;;) {
        int32_t ahead = (int32_t)(s.seq - h->next);
        if (ahead < 0) {
            uint32_t old = 0u - (uint32_t)ahead;
            if (old >= s.len + s.cut)
                return; /* all of it was handed on before */
            part_pass(&s, old);
            ahead = 0;
        }
        if (ahead == 0) {
            in_order(at, dir, s);
            return;
        }
        if (out_of_order(at, dir, &s))
            return;
        /* No room: the oldest gap is given up, so that the stream goes on. */
        if (h->waiting != 0)
            give_up_gap(at, dir);
        else
            hand_on_gap(at, dir, s.seq - h->next, false);
        stream_outcome(at, OUT_TABLE_FULL);
    }
}

void stream_acked_waiting(struct stream_at *at, unsigned dir, uint32_t ack)
{
    enum { STRIKES = 3 }; /* captures show an acknowledgement before the bytes, now and then */
    struct stream_half *h = &at->stream->half[dir];
    if ((int32_t)(ack - node_at(at, h->waiting)->seq) <= 0)
        return;
    if (++h->strikes >= STRIKES)
        give_up_gap(at, dir);
}

void stream_flush(struct stream_at *at)
{
    for (unsigned dir = 0; dir < 2; dir++)
        while (at->stream->half[dir].waiting != 0)
            give_up_gap(at, dir);
}
