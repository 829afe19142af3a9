#include "decoders/quic.h"

#include "decoders/quic_conn.h"
#include "decoders/quic_wire.h"
#include "decoders/tls_message.h"
#include "decoders/tls_record.h"
#include "decoders/tls_wire.h"

enum {
    DCID_MIN = 8, /* of a client's first packet: RFC 9000 7.2 */
    /* Of a Handshake packet that may hold a Finished: packet number, frame head, the message with
     * the shortest hash, tag. An acknowledgement or an alert alone is shorter. */
    FINISHED_MIN = 1 + 3 + TLS_MSG_HEAD + 32 + QUIC_TAG,
    ERROR_CRYPTO = 0x100, /* RFC 9000 20.1: and the TLS alert's description */
};

/* ---- what opened packets say */

static void hello(struct quic_at *at, int side, unsigned dir, struct cur body, uint64_t ts_ns)
{
    uint32_t len = (uint32_t)body.left;
    bool usable;
    enum outcome o;
    if (side == QUIC_CLIENT) {
        struct tls_client_hello *h = &at->s.d->hello;
        o = tls_client_hello_decode(body, h, &usable);
        if (usable)
            tls_message_client_hello(&at->s, dir, h, body, len, ts_ns);
    } else {
        struct tls_server_hello h;
        o = tls_server_hello_decode(body, &h, &usable);
        if (usable)
            tls_message_server_hello(&at->s, dir, &h, body, len, ts_ns);
    }
    stream_outcome(&at->s, o);
}

/* Reads what has become whole of a side's CRYPTO stream. */
static void messages(struct quic_at *at, struct quic_handshake *h, int side, unsigned dir)
{
    struct quic_crypto *c = &h->crypto[side];
    const int wanted = side == QUIC_CLIENT ? TLS_MSG_CLIENT_HELLO : TLS_MSG_SERVER_HELLO;
    struct cur body;
    uint32_t len;
    int type;
    bool whole;
    while ((whole = quic_crypto_message(c, &type, &len, &body)) || type >= 0) {
        if (type != wanted) { /* nothing else is said before there are other keys */
            stream_outcome(&at->s, OUT_MALFORMED);
            h->lost[side] = true;
            return;
        }
        if (len > c->max - TLS_MSG_HEAD) {
            at->s.d->stats.bytes_turned_away += len;
            stream_outcome(&at->s, OUT_TABLE_FULL);
            h->lost[side] = true;
            return;
        }
        if (!whole)
            return;
        hello(at, side, dir, body, c->ts_ns);
        quic_crypto_done(c, len);
    }
}

static void crypto_frame(struct quic_at *at, struct quic_handshake *h, int side,
                         const struct quic_frame *f)
{
    struct quic_crypto_loss loss;
    if (h->lost[side])
        return;
    quic_crypto_add(&h->crypto[side], f->offset, f->data, at->s.rec->ts_ns, &loss);
    at->s.d->stats.overlap_conflicts += loss.conflict;
    at->s.d->stats.bytes_turned_away += loss.beyond;
    if (loss.beyond > 0)
        stream_outcome(&at->s, OUT_TABLE_FULL);
}

/* An opened Initial packet that `side` sent. */
static void frames(struct quic_at *at, int side, unsigned dir, size_t n)
{
    struct quic_handshake *h = quic_handshake_at(at->q, at->conn->handshake);
    struct cur in = cur_of(at->q->plain, n, n);
    struct quic_frame f;
    int kind;
    while ((kind = quic_frame_next(&in, h->version, &f)) != QUIC_FRAME_END) {
        if (kind == QUIC_FRAME_BROKEN) {
            stream_outcome(&at->s, OUT_MALFORMED);
            break;
        }
        if (kind == QUIC_FRAME_CRYPTO) {
            crypto_frame(at, h, side, &f);
        } else if ((f.error & ~UINT64_C(0xff)) == ERROR_CRYPTO) {
            tls_session_alert(&at->s, dir, 2, (uint8_t)f.error);
        } else {
            at->closed = true;
        }
    }
    if (!h->lost[side])
        messages(at, h, side, dir);
}

/* ---- opening */

static bool try_keys(struct quic_at *at, const struct quic_packet *p, struct quic_handshake *h,
                     int side, size_t *n)
{
    struct quic *q = at->q;
    if (p->version == h->version)
        return quic_packet_open(q->crypt, &h->keys[side], p, &h->largest[side], q->plain, n);
    /* Another version with the same connection id: the two agreed on it (RFC 9368), or the client
     * was told of it by a Version Negotiation packet. */
    struct cur dcid = cur_of(h->dcid, h->dcid_len, h->dcid_len);
    quic_initial_keys(p->version, dcid.p, dcid.left, q->trial);
    if (!quic_packet_open(q->crypt, &q->trial[side], p, &h->largest[side], q->plain, n))
        return false;
    quic_conn_rekey(at, p->version, dcid);
    return true;
}

/* May a client's connection begin, or go on after a Retry, with this packet? */
static bool may_begin(const struct rec *rec, const struct quic_packet *p)
{
    return p->type == QUIC_INITIAL && p->dcid.left >= DCID_MIN
           && rec->payload_wire_len >= QUIC_CLIENT_MIN;
}

/* Tries a packet with the keys that its own connection id makes. */
static bool try_begin(struct quic *q, const struct quic_packet *p, uint64_t *largest, size_t *n)
{
    quic_initial_keys(p->version, p->dcid.p, p->dcid.left, q->trial);
    return quic_packet_open(q->crypt, &q->trial[QUIC_CLIENT], p, largest, q->plain, n);
}

static void begin(struct quic_at *at, const struct quic_packet *p, uint64_t largest)
{
    quic_conn_begin(at, p->version, p->dcid, largest);
    tls_session_packet(&at->s);
}

/* The endpoints of `at` begin anew. */
static void begin_again(struct quic_at *at, const struct quic_packet *p, uint64_t largest)
{
    struct quic_at old = quic_conn_at(at->s.d, at->s.slot, NULL, 0, at->s.out);
    quic_conn_end(&old);
    at->s.done = false;
    at->s.outcome = OUT_OK;
    begin(at, p, largest);
}

/* An Initial of a connection that is known. `first`: of its datagram. True where it opened; then
 * `*side` sent it. */
static bool open_initial(struct quic_at *at, const struct quic_packet *p, bool first, int *side,
                         size_t *n)
{
    struct quic *q = at->q;
    struct quic_conn *conn = at->conn;
    struct tls_session *s = &conn->stream.tls;
    struct quic_handshake *h = conn->handshake == 0 ? NULL : quic_handshake_at(q, conn->handshake);
    *side = at->s.rec_dir == s->client_dir ? QUIC_CLIENT : QUIC_SERVER;
    if (h != NULL && try_keys(at, p, h, *side, n))
        return true;
    if (!first || !may_begin(at->s.rec, p))
        return false;
    uint64_t hash = quic_dcid_hash(q, p->dcid);
    if (*side == QUIC_CLIENT && (hash == conn->dcid_hash[0] || hash == conn->dcid_hash[1]))
        return false; /* a copy that came late */
    bool retried =
        h != NULL && *side == QUIC_CLIENT && p->token.left > 0 && (s->flags & TLS_S_SERVER) == 0;
    uint64_t fresh = UINT64_MAX, *largest = retried ? &h->largest[QUIC_CLIENT] : &fresh;
    if (!try_begin(q, p, largest, n))
        return false;
    if (retried)
        quic_conn_rekey(at, p->version, p->dcid);
    else
        begin_again(at, p, fresh);
    *side = QUIC_CLIENT;
    return true;
}

/* ---- datagrams */

static void long_packet(struct quic_at *at, const struct quic_packet *p, bool first)
{
    size_t n;
    int side;
    if (p->type == QUIC_HANDSHAKE && p->len >= FINISHED_MIN)
        tls_session_went_on(&at->s, at->s.rec_dir);
    if (p->type != QUIC_INITIAL)
        return;
    if (p->body.snapped)
        stream_outcome(&at->s, OUT_TRUNCATED);
    else if (open_initial(at, p, first, &side, &n))
        frames(at, side, at->s.rec_dir, n);
}

static void rest(struct quic_at *at, struct cur *in)
{
    struct quic_packet p;
    while (quic_is_long(in)) {
        enum outcome o = quic_packet_take(in, &p);
        if (o != OUT_OK) {
            stream_outcome(&at->s, o);
            return;
        }
        if (!at->conn->ended)
            long_packet(at, &p, false);
    }
    if (quic_is_short(in) && !at->conn->ended)
        tls_session_went_on(&at->s, at->s.rec_dir);
}

/* Is the handshake decided? Not before the ClientHello is whole, which may lie in packets that come
 * late, unless time is up. */
static void decide(struct quic_at *at)
{
    const struct tls_session *s = &at->conn->stream.tls;
    if (at->conn->ended)
        return;
    bool late = tls_session_late(s, at->s.rec->ts_ns);
    if (tls_session_open(s) && (late || s->flags & (TLS_S_CLIENT | TLS_S_REFUSED)))
        tls_session_decide(&at->s);
    if (late || s->flags & TLS_S_DECIDED)
        quic_conn_settle(at);
    else if (at->closed)
        quic_conn_close(at);
}

/* A datagram with which a connection may begin. */
static enum outcome first_datagram(struct decode *d, struct rec *rec, const struct tcp_id *id,
                                   const struct quic_packet *p, struct cur *in, struct msgs *out)
{
    struct quic *q = d->quic;
    uint64_t largest = UINT64_MAX;
    size_t n;
    if (!may_begin(rec, p))
        return OUT_NOT_MINE;
    if (p->body.snapped)
        return OUT_TRUNCATED;
    if (!try_begin(q, p, &largest, &n))
        return OUT_NOT_MINE;
    rec->service_port = rec->dport;
    uint32_t slot = quic_conn_add(d, rec, id, out);
    if (slot == 0)
        return OUT_TABLE_FULL;
    struct quic_at at = quic_conn_at(d, slot, rec, id->dir, out);
    begin(&at, p, largest);
    frames(&at, QUIC_CLIENT, id->dir, n);
    rest(&at, in);
    decide(&at);
    return at.s.outcome;
}

static enum outcome next_datagram(struct decode *d, struct rec *rec, uint32_t slot, unsigned dir,
                                  const struct quic_packet *p, struct cur *in, struct msgs *out)
{
    struct quic_at at = quic_conn_at(d, slot, rec, dir, out);
    struct flow *f = at.s.flow;
    f->flags |= FLOW_AGAIN;
    if (rec->ts_ns > f->last_ts_ns)
        f->last_ts_ns = rec->ts_ns;
    if (tls_session_late(&at.conn->stream.tls, rec->ts_ns))
        decide(&at); /* before more is read: the handshake may be gone by now, or not */
    if (p != NULL)
        long_packet(&at, p, true); /* may be the beginning of another connection */
    if (!at.conn->ended)
        tls_session_packet(&at.s); /* counts once, for the connection that it is of */
    if (p == NULL && in->left > 0 && (in->p[0] & 0x80) == 0 && !at.conn->ended)
        tls_session_went_on(&at.s, dir); /* a short header */
    else
        rest(&at, in);
    decide(&at);
    rec->service_port = flow_service_port(f);
    return at.s.outcome;
}

enum outcome quic_datagram(struct decode *d, struct rec *rec, struct msgs *out)
{
    struct cur in = rec->payload;
    bool is_long = quic_is_long(&in);
    if (!is_long && (d->quic->flows.n == 0 || in.left == 0))
        return OUT_NOT_MINE; /* most datagrams end here */
    struct quic_packet p;
    struct tcp_id id;
    enum outcome o = is_long ? quic_packet_take(&in, &p) : OUT_OK;
    id.slot = 0;
    tcp_table_id(&d->quic->flows, rec, &id);
    uint32_t slot = quic_conn_find(d, rec, &id, out);
    if (slot != 0 && o == OUT_OK)
        return next_datagram(d, rec, slot, id.dir, is_long ? &p : NULL, &in, out);
    if (slot != 0) { /* a broken header: it counts, and no more */
        in.left = 0;
        enum outcome rest_of_it = next_datagram(d, rec, slot, id.dir, NULL, &in, out);
        return rest_of_it == OUT_OK ? o : rest_of_it;
    }
    if (!is_long || o == OUT_MALFORMED)
        return OUT_NOT_MINE;
    if (o == OUT_TRUNCATED)
        return p.type == QUIC_INITIAL && rec->payload_wire_len >= QUIC_CLIENT_MIN ? o
                                                                                  : OUT_NOT_MINE;
    return first_datagram(d, rec, &id, &p, &in, out);
}
