#include "decoders/tls_quick.h"

#include "decoders/decode_state.h"
#include "decoders/tls_session.h"
#include "decoders/tls_wire.h"

bool tls_quick_may(const struct flow *f, const struct stream *s)
{
    const struct tls_session *t = &s->tls;
    bool told =
        tls_session_handshake_seen(t) || (t->record_version[0] != 0 && t->record_version[1] != 0);
    return !tls_session_open(t) && told && (f->flags & (FLOW_FIN_0 | FLOW_FIN_1 | FLOW_CLOSED)) == 0
           && (s->half[0].synced || !s->half[0].known) && (s->half[1].synced || !s->half[1].known)
           && (f->gap_bytes[0] | f->gap_bytes[1]) == 0 && tls_calm_at_rest(f, s);
}

/* Are both times in one window? Remembers its start. */
static __attribute__((noinline)) bool find_window(struct decode *d, uint64_t a_ns, uint64_t b_ns)
{
    uint64_t length = d->limits.window_ns;
    if (length == 0)
        return true;
    d->window_ns = tls_session_window(d, a_ns);
    return b_ns - d->window_ns < length;
}

/* Nearly all packets are in the same. A time before it: a huge difference. */
static inline bool same_window(struct decode *d, uint64_t a_ns, uint64_t b_ns)
{
    uint64_t start = d->window_ns, length = d->limits.window_ns;
    if (a_ns - start < length && b_ns - start < length)
        return true;
    return find_window(d, a_ns, b_ns);
}

/* Where a direction is. */
struct place {
    uint32_t left;
    uint8_t type, flags;
};

/* Passes over protected records in the `n` bytes at `p`. False where there is something else. */
static inline bool pass_records(struct place *at, const uint8_t *p, uint32_t n)
{
    if (at->left > 0 && at->flags & H_CLEAR)
        return false;
    while (n > at->left) {
        p += at->left;
        n -= at->left;
        if (n < TLS_RECORD_HEAD || p[1] != 3 || p[2] > 4)
            return false;
        at->type = p[0];
        at->left = (uint32_t)p[3] << 8 | p[4];
        if ((at->type != TLS_TYPE_DATA && (at->type != TLS_TYPE_ALERT || at->left == 2))
            || at->left > TLS_RECORD_MAX)
            return false;
        at->flags &= (uint8_t) ~(H_CLEAR | H_TRY);
        p += TLS_RECORD_HEAD;
        n -= TLS_RECORD_HEAD;
    }
    at->left -= n;
    return true;
}

static inline bool pass_calm(struct tls_calm *c, unsigned dir, const struct rec *rec, uint32_t n)
{
    uint8_t bits = c->half[dir].bits;
    struct place at = {c->half[dir].left, c->half[dir].type, bits};
    if (c->bytes[dir] > UINT32_MAX - rec->wire_len
        || (n > 0 && ((bits & CALM_SYNCED) == 0 || !pass_records(&at, rec->payload.p, n))))
        return false;
    c->half[dir].left = (uint16_t)at.left;
    c->half[dir].type = at.type;
    c->half[dir].bits = at.flags;
    c->bytes[dir] += rec->wire_len;
    return true;
}

static inline bool pass_open(struct stream *s, unsigned dir, const struct rec *rec, uint32_t n)
{
    struct stream_half *h = &s->half[dir];
    struct place at = {h->left, h->type, (uint8_t)h->flags};
    if (n > 0 && (!h->synced || !pass_records(&at, rec->payload.p, n)))
        return false;
    h->next += n;
    h->left = at.left;
    h->type = at.type;
    h->flags = at.flags;
    s->tls.bytes[dir] += rec->wire_len;
    if (rec->ts_ns > s->tls.window_last_ns)
        s->tls.window_last_ns = rec->ts_ns;
    return true;
}

/* Half of a fleet's TCP packets are such: all that tcp_packet does took three times as long. */
bool tls_quick_packet(struct decode *d, struct flow *f, struct rec *rec, unsigned dir)
{
    uint64_t ts_ns = rec->ts_ns;
    uint32_t n = rec->payload_wire_len;
    if (n > UINT16_MAX || !same_window(d, ts_ns, f->last_ts_ns))
        return false;
    if (f->flags & FLOW_CALM ? !pass_calm(stream_pool_at(&d->calm, f->stream), dir, rec, n)
                             : !pass_open(stream_pool_at(&d->streams, f->stream), dir, rec, n))
        return false;
    f->high[dir] += n;
    if (n > 0 && f->young[dir] < UINT8_MAX)
        f->young[dir]++;
    f->ahead[dir ^ 1] = 0;
    f->flags |= FLOW_AGAIN;
    if (ts_ns > f->last_ts_ns)
        f->last_ts_ns = ts_ns;
    rec->service_port = flow_service_port(f);
    rec->proto = PROTO_TLS;
    return true;
}
