#include "decoders/dtls.h"

#include "core/hash.h"
#include "decoders/decode_state.h"
#include "decoders/tls_message.h"
#include "decoders/tls_record.h"
#include "decoders/tls_session.h"
#include "decoders/tls_wire.h"

enum {
    RECORD_HEAD = 13,
    MESSAGE_HEAD = 12,
    TYPE_CID =
        25, /* RFC 9146: a connection id of a length we do not know stands before the length */
    TYPE_ACK = 26, /* RFC 9147 7 */

    MSG_CERTIFICATE_REQUEST = 13,
    MSG_SERVER_KEY_EXCHANGE = 12,

    /* RFC 9147 4: 001CSLEE */
    UNIFIED_CID = 16,
    UNIFIED_SEQ_16 = 8,
    UNIFIED_LENGTH = 4,
    UNIFIED_EPOCH = 3,
    EPOCH_EARLY = 1,
    EPOCH_HANDSHAKE = 2,
    FINISHED_13_MIN = 50, /* of a protected record: longer than an alert or an acknowledgement */

    CAPWAP_CONTROL = 5246,
    CAPWAP_DATA = 5247,
    CAPWAP_PREAMBLE = 4,
};
static const uint64_t HANDSHAKE_NS = UINT64_C(10) * 1000 * 1000 * 1000;

struct record {
    uint8_t type;
    uint16_t version, epoch;
    uint16_t len;
    struct cur body; /* its captured part */
};

struct message {
    uint8_t type;
    uint16_t seq;
    uint32_t len, off, fragment_len;
};

static bool is_unified(const struct cur *in)
{
    return (in->p[0] & 0xe0) == 0x20;
}

/* RFC 6347 4.1. On failure nothing of `in` is taken. */
static bool record_read(struct cur *in, struct record *r)
{
    struct cur at = *in;
    if (!cur_u8(&at, &r->type) || !cur_u16(&at, &r->version) || !cur_u16(&at, &r->epoch)
        || !cur_skip(&at, 6) || !cur_u16(&at, &r->len) || !cur_take_captured(&at, r->len, &r->body))
        return false;
    *in = at;
    return true;
}

/* RFC 6347 4.2.2 */
static bool message_read(struct cur *in, struct message *m)
{
    struct cur at = *in;
    if (!cur_u8(&at, &m->type) || !cur_u24(&at, &m->len) || !cur_u16(&at, &m->seq)
        || !cur_u24(&at, &m->off) || !cur_u24(&at, &m->fragment_len))
        return false;
    *in = at;
    return true;
}

static bool message_good(const struct message *m)
{
    return tls_message_known(m->type) && m->off <= m->len && m->fragment_len <= m->len - m->off;
}

static bool is_hello(const struct message *m)
{
    return m->type == TLS_MSG_CLIENT_HELLO || m->type == TLS_MSG_SERVER_HELLO;
}

/* ---- telling DTLS from other datagrams */

/* May this record stand where nothing is known yet? */
static bool record_good(const struct record *r)
{
    struct cur body = r->body;
    struct message m;
    if (r->type < TLS_TYPE_CCS || r->type > TYPE_ACK || r->type == TYPE_CID
        || r->version >> 8 != 0xfe || (r->version != DTLS_1_0 && r->version != DTLS_1_2)
        || r->len == 0 || r->len > TLS_RECORD_MAX)
        return false;
    if (r->epoch > 0)
        return r->len > 8;
    switch (r->type) {
    case TLS_TYPE_CCS:
        return r->len == 1 && (body.left < 1 || body.p[0] == 1);
    case TLS_TYPE_ALERT:
        return r->len == 2 && (body.left < 2 || tls_alert_known(body.p[0], body.p[1]));
    case TLS_TYPE_HANDSHAKE:
        if (r->len < MESSAGE_HEAD)
            return false;
        return message_read(&body, &m) ? message_good(&m) && MESSAGE_HEAD + m.fragment_len <= r->len
                                       : body.snapped;
    case TYPE_ACK:
        return r->len >= 2;
    default: /* data and heartbeats come later */
        return false;
    }
}

/* Do records follow each other to the end? */
static bool records_good(struct cur in, size_t wire_left)
{
    struct record r;
    bool any = false;
    while (wire_left > 0) {
        if (any && in.left > 0 && is_unified(&in))
            return true;
        if (!record_read(&in, &r))
            return any && in.snapped;
        if (!record_good(&r) || r.len > wire_left - RECORD_HEAD)
            return false;
        wire_left -= RECORD_HEAD + r.len;
        any = true;
    }
    return any;
}

/* ---- hellos */

static void hello_whole(struct stream_at *at, unsigned dir, uint8_t type, struct cur body,
                        uint32_t len, uint64_t ts_ns)
{
    bool usable;
    enum outcome o;
    if (type == TLS_MSG_CLIENT_HELLO) {
        o = dtls_client_hello_decode(body, &at->d->hello, &usable);
        if (usable)
            tls_message_client_hello(at, dir, &at->d->hello, body, len, ts_ns);
    } else {
        struct tls_server_hello hello;
        o = dtls_server_hello_decode(body, &hello, &usable);
        if (usable)
            tls_message_server_hello(at, dir, &hello, body, len, ts_ns);
    }
    stream_outcome(at, o);
}

static uint64_t random_of(const struct cur *body)
{
    return hash_bytes(body->p + DTLS_RANDOM_AT, DTLS_RANDOM_LEN, 0);
}

static bool random_there(const struct message *m, const struct cur *body)
{
    return m->off == 0 && body->left >= DTLS_RANDOM_AT + DTLS_RANDOM_LEN;
}

static bool was_said(const struct dtls_half *h, uint16_t seq)
{
    return seq < 64 ? h->said >> seq & 1 : seq <= h->said_beyond;
}

static void note_said(struct dtls_half *h, uint16_t seq, const struct cur *body)
{
    if (seq < 64)
        h->said |= UINT64_C(1) << seq;
    else
        h->said_beyond = seq;
    if (h->has_random || body->left < DTLS_RANDOM_AT + DTLS_RANDOM_LEN)
        return;
    h->has_random = true;
    h->random = random_of(body);
    h->random_seq = seq;
}

/* Is this fragment of a message that was stated one of another hello? A client keeps its random in
 * all hellos of a handshake (RFC 6347 4.2.1). */
static bool is_other(const struct dtls_half *h, const struct message *m, const struct cur *body)
{
    return h->has_random && random_there(m, body)
           && (m->type == TLS_MSG_CLIENT_HELLO || m->seq == h->random_seq)
           && h->random != random_of(body);
}

/* A fragment, of which the capture has `body`. */
static void hello_fragment(struct stream_at *at, const struct message *m, struct cur body)
{
    unsigned dir = at->rec_dir;
    struct dtls_half *h = &dtls_flow_of(at)->half[dir];
    if (was_said(h, m->seq)) {
        at->d->stats.overlap_conflicts += is_other(h, m, &body);
        return;
    }
    if (m->fragment_len == m->len && !dtls_hello_begun(at, dir, m->seq)) {
        note_said(h, m->seq, &body);
        hello_whole(at, dir, m->type, body, m->len, at->rec->ts_ns);
        return;
    }
    if (body.snapped)
        stream_outcome(at, OUT_TRUNCATED);
    if (m->len > DTLS_HELLO_MAX) {
        at->d->stats.bytes_turned_away += body.left;
        stream_outcome(at, OUT_TABLE_FULL);
        return;
    }
    const struct dtls_piece piece = {(uint8_t)dir, m->type, m->seq, m->len, m->off, body};
    struct dtls_hello *whole = dtls_hello_add(at, &piece);
    if (whole == NULL)
        return;
    body = cur_of(whole->bytes, whole->len, whole->len);
    note_said(h, m->seq, &body);
    hello_whole(at, dir, whole->type, body, whole->len, whole->ts_ns);
    dtls_hello_drop(at, whole);
}

/* ---- records */

static void handshake(struct stream_at *at, struct cur in)
{
    struct tls_session *s = &at->stream->tls;
    struct message m;
    struct cur body;
    while (in.left > 0 || in.snapped) {
        if (!message_read(&in, &m) || !cur_take_captured(&in, m.fragment_len, &body)) {
            stream_outcome(at, cur_why(&in));
            return;
        }
        if (!message_good(&m)) {
            stream_outcome(at, OUT_MALFORMED);
            return;
        }
        if (is_hello(&m))
            hello_fragment(at, &m, body);
        else if (at->rec_dir != s->client_dir
                 && (m.type == TLS_MSG_CERTIFICATE || m.type == TLS_MSG_SERVER_HELLO_DONE
                     || m.type == MSG_SERVER_KEY_EXCHANGE || m.type == MSG_CERTIFICATE_REQUEST))
            s->flags |= TLS_S_DONE; /* a full handshake, whichever of its messages we miss */
    }
}

static uint16_t went_on_flag(unsigned dir)
{
    return dir == 0 ? TLS_S_WENT_ON_0 : TLS_S_WENT_ON_1;
}

static void protected_record(struct stream_at *at, uint16_t version)
{
    struct tls_session *s = &at->stream->tls;
    if (s->record_version[at->rec_dir] == 0)
        s->record_version[at->rec_dir] = version;
    if (s->flags & TLS_S_SERVER)
        tls_session_went_on(at, at->rec_dir);
}

/* In TLS 1.3 it means nothing. */
static void change_cipher_spec(struct stream_at *at)
{
    struct tls_session *s = &at->stream->tls;
    if ((s->flags & TLS_S_SERVER) == 0 || s->version == DTLS_1_3)
        return;
    bool client_first = s->flags & went_on_flag(s->client_dir);
    if (at->rec_dir != s->client_dir && !client_first && (s->flags & TLS_S_DONE) == 0)
        s->flags |= TLS_S_RESUMED;
    tls_session_went_on(at, at->rec_dir);
}

static void record(struct stream_at *at, const struct record *r)
{
    if (r->epoch > 0) {
        if (r->type != TLS_TYPE_ALERT && r->type != TLS_TYPE_CCS)
            protected_record(at, r->version);
        return;
    }
    switch (r->type) {
    case TLS_TYPE_HANDSHAKE:
        handshake(at, r->body);
        break;
    case TLS_TYPE_CCS:
        change_cipher_spec(at);
        break;
    case TLS_TYPE_ALERT:
        if (r->len == 2 && r->body.left == 2 && tls_alert_known(r->body.p[0], r->body.p[1]))
            tls_session_alert(at, at->rec_dir, r->body.p[0], r->body.p[1]);
        break;
    case TYPE_ACK:
    case TLS_TYPE_HEARTBEAT:
        break;
    default:
        stream_outcome(at, OUT_MALFORMED);
        break;
    }
}

/* A protected record of DTLS 1.3. With a connection id, whose length we do not know, it is taken to
 * last to the end. */
static bool unified_record(struct stream_at *at, struct cur *in)
{
    struct cur body;
    uint8_t head;
    uint16_t len = 0;
    if (!cur_u8(in, &head))
        return false;
    bool to_end = (head & UNIFIED_LENGTH) == 0 || head & UNIFIED_CID;
    if (!to_end && (!cur_skip(in, head & UNIFIED_SEQ_16 ? 2 : 1) || !cur_u16(in, &len)))
        return false;
    size_t n = to_end ? in->left : len;
    if (!cur_take_captured(in, n, &body))
        return false;
    unsigned epoch = head & UNIFIED_EPOCH;
    if (epoch != EPOCH_EARLY && (epoch != EPOCH_HANDSHAKE || n >= FINISHED_13_MIN))
        protected_record(at, DTLS_1_3);
    return true;
}

/* RFC 9146: a protected record of DTLS 1.2 with a connection id, taken to last to the end likewise.
 */
static bool is_cid_record(const struct cur *in)
{
    return in->left >= 3 && in->p[0] == TYPE_CID && in->p[1] == DTLS_1_2 >> 8
           && in->p[2] == (DTLS_1_2 & 0xff);
}

/* Of a known session: the record at the front of `in`, which is moved behind it. */
static enum outcome next_record(struct stream_at *at, struct cur *in)
{
    struct record r;
    if (in->left > 0 && is_unified(in))
        return unified_record(at, in) ? OUT_OK : cur_why(in);
    if (is_cid_record(in)) {
        protected_record(at, DTLS_1_2);
        *in = cur_of(in->p, 0, 0);
        return OUT_OK;
    }
    if (!record_read(in, &r))
        return cur_why(in);
    if (r.version != DTLS_1_0 && r.version != DTLS_1_2)
        return OUT_MALFORMED;
    record(at, &r);
    return OUT_OK;
}

static void records(struct stream_at *at, struct cur in)
{
    struct tls_session *s = &at->stream->tls;
    while (in.left > 0 || in.snapped) {
        enum outcome o = next_record(at, &in);
        if (o != OUT_OK) {
            stream_outcome(at, o);
            return;
        }
        s->records += s->records < UINT8_MAX;
    }
}

/* ---- the datagram */

/* Does this datagram begin another session between ports whose session is decided? Its first record
 * says something else than was said under the same number. */
static bool begins_anew(const struct stream_at *at, struct cur in)
{
    const struct tls_session *s = &at->stream->tls;
    const struct dtls_half *h = &dtls_flow_of(at)->half[at->rec_dir];
    struct record r;
    struct message m;
    bool decided =
        s->flags & TLS_S_DECIDED
        || (at->rec->ts_ns > s->first_ts_ns && at->rec->ts_ns - s->first_ts_ns > HANDSHAKE_NS);
    if (!decided || !h->has_random || !record_read(&in, &r) || r.type != TLS_TYPE_HANDSHAKE
        || r.epoch != 0 || !message_read(&r.body, &m) || !message_good(&m) || !is_hello(&m))
        return false;
    return is_other(h, &m, &r.body);
}

/* Records of DTLS 1.3 look like many things: they count where the hellos say so. */
static bool expects_unified(const struct stream_at *at)
{
    const struct tls_session *s = &at->stream->tls;
    return s->flags & TLS_S_SERVER ? s->version == DTLS_1_3 : s->client_max_version == DTLS_1_3;
}

enum outcome dtls_datagram(struct decode *d, struct rec *rec, struct msgs *out)
{
    struct cur in = rec->payload;
    size_t wire_left = rec->payload_wire_len > in.left ? rec->payload_wire_len : in.left;
    if (in.p[0] == 1) {
        bool capwap = rec->sport == CAPWAP_CONTROL || rec->dport == CAPWAP_CONTROL
                      || rec->sport == CAPWAP_DATA || rec->dport == CAPWAP_DATA;
        if (!capwap || !cur_skip(&in, CAPWAP_PREAMBLE))
            return OUT_NOT_MINE;
        wire_left -= CAPWAP_PREAMBLE;
    }
    bool unified = in.left > 0 && is_unified(&in);
    if (unified && d->dtls.flows.n == 0)
        return OUT_NOT_MINE;
    struct stream_at at;
    struct tcp_id id = {.slot = 0};
    tcp_table_id(&d->dtls.flows, rec, &id);
    if (dtls_flow_find(d, rec, &id, out, &at)) {
        if (unified ? !expects_unified(&at)
                    : in.left == 0 || in.p[0] < TLS_TYPE_CCS || in.p[0] > TYPE_ACK)
            return OUT_NOT_MINE;
        if (begins_anew(&at, in))
            dtls_flow_anew(&at);
    } else if (unified || !records_good(in, wire_left)) {
        return OUT_NOT_MINE;
    } else if (!dtls_flow_add(d, rec, &id, out, &at)) {
        return OUT_TABLE_FULL;
    }
    if (rec->ts_ns > at.flow->last_ts_ns)
        at.flow->last_ts_ns = rec->ts_ns;
    tls_session_packet(&at);
    records(&at, in);
    if (tls_session_open(&at.stream->tls))
        tls_session_decide(&at);
    return at.outcome;
}
