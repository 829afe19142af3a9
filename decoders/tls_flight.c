#include "decoders/tls_flight.h"

#include "core/cert.h"
#include "core/hash.h"
#include "decoders/decode_state.h"
#include "decoders/tls_session.h"
#include "decoders/tls_ske.h"
#include "decoders/tls_wire.h"

enum { TICKET_KEY_NAME = 16 /* RFC 5077 4 */ };

/* In the bytes of a node. */
struct flight {
    struct answer a;
    uint64_t server_id, new_ticket; /* hashes of what later sessions may resume; 0: none */
};
static_assert(sizeof(struct flight) <= STREAM_NODE_BYTES, "a node holds it");
static_assert(offsetof(struct stream_node, bytes) % alignof(struct flight) == 0, "aligned in it");

static struct flight *flight_of(const struct stream_at *at)
{
    uint32_t i = at->stream->tls.flight;
    if (i == 0)
        return NULL;
    struct stream_node *node = stream_pool_at(&at->d->nodes, i);
    return (struct flight *)(void *)node->bytes;
}

/* Will there be rows of it? */
static bool visible(const struct stream_at *at)
{
    if (at->d->limits.scope_all)
        return true;
    return at->stream->client[0].kind == CLIENT_GATEWAY
           || at->stream->client[1].kind == CLIENT_GATEWAY;
}

static bool from_server(const struct stream_at *at, unsigned dir)
{
    return dir != at->stream->tls.client_dir;
}

static uint64_t hash_of(struct bytes b)
{
    return b.len == 0 ? 0 : hash_bytes(b.p, b.len, 0) | 1; /* 0 says that there is none */
}

/* ---- sessions that may be resumed */

static struct tls_resume_key resume_key(const struct stream_at *at, uint64_t id)
{
    bool client_src = stream_sender(at, at->stream->tls.client_dir) == SIDE_SRC;
    return (struct tls_resume_key){.client = client_src ? at->rec->src : at->rec->dst,
                                   .server = client_src ? at->rec->dst : at->rec->src,
                                   .site = at->rec->site,
                                   .id = id,
                                   .origin = at->rec->origin};
}

/* An id that the session, once it is established, is kept by. */
static void keep_soon(const struct stream_at *at, uint64_t id)
{
    struct tls_resume_key k = resume_key(at, id);
    if (id != 0)
        tls_resume_prefetch(at->d->resume, &k);
}

/* ---- hellos */

void tls_flight_client_hello(struct stream_at *at, const struct tls_client_hello *h)
{
    enum { EARLY_DATA = 42 };
    struct tls_session *s = &at->stream->tls;
    if (!visible(at))
        return;
    if (h->fallback)
        s->signs |= TLS_SIGN_FALLBACK_SCSV;
    if (h->more >> EARLY_DATA & 1)
        s->signs |= TLS_SIGN_EARLY_DATA;
    if (h->ech)
        s->signs |= TLS_SIGN_ECH_OUTER;
    s->offered_id = hash_of(h->session_id);
    s->offered_ticket = hash_of(h->ticket);
}

static struct flight *begin(struct stream_at *at)
{
    struct tls_session *s = &at->stream->tls;
    if (s->flight != 0 || s->flags & TLS_S_DECIDED || !visible(at))
        return flight_of(at);
    s->flight = stream_aside(at);
    struct flight *f = flight_of(at);
    if (f != NULL)
        *f = (struct flight){0};
    return f;
}

void tls_flight_server_hello(struct stream_at *at, const struct tls_server_hello *h)
{
    struct flight *f = begin(at);
    if (f == NULL)
        return;
    struct answer *a = &f->a;
    a->version = h->version;
    a->cipher = h->cipher;
    a->group = h->group;
    a->compression = h->compression;
    a->flags |= h->answer_flags;
    f->server_id = hash_of(h->session_id);
    if (h->version <= TLS_1_2)
        keep_soon(at, f->server_id);
}

void tls_flight_sslv2(struct stream_at *at, unsigned dir, const uint8_t *p, uint32_t n)
{
    struct flight *f = flight_of(at);
    struct cur in = cur_of(p, n, n), cert, kinds;
    uint16_t cert_len, kinds_len, id_len;
    uint32_t kind;
    enum { BEFORE_LENGTHS = 7 }; /* record head, type, hit, certificate type, version */
    if (f == NULL || !cur_skip(&in, BEFORE_LENGTHS) || !cur_u16(&in, &cert_len)
        || !cur_u16(&in, &kinds_len) || !cur_u16(&in, &id_len) || !cur_take(&in, cert_len, &cert)
        || !cur_take(&in, kinds_len, &kinds))
        return;
    if (cert.left > 0 && tls_flight_wants_cert(at, dir, (uint32_t)cert.left))
        tls_flight_cert(at, dir, cert.p, (uint32_t)cert.left, cert_id(cert.p, cert.left));
    while (cur_u24(&kinds, &kind))
        if (f->a.n_kinds < ANSWER_KINDS_MAX)
            f->a.kinds[f->a.n_kinds++] = kind;
        else
            f->a.flags |= ANSWER_CUT;
}

/* ---- messages after the ServerHello */

bool tls_flight_wants(struct stream_at *at, unsigned dir, uint8_t type, uint32_t len)
{
    struct flight *f = flight_of(at);
    if (f == NULL || !from_server(at, dir))
        return false;
    if (type == TLS_MSG_CERTIFICATE_REQUEST)
        f->a.flags |= ANSWER_CERT_REQUEST;
    if (type != TLS_MSG_SERVER_KEY_EXCHANGE && type != TLS_MSG_NEW_SESSION_TICKET)
        return false;
    if (len <= TLS_FLIGHT_MAX)
        return len > 0;
    f->a.flags |= ANSWER_CUT;
    return false;
}

static void reuse_push(struct stream_at *at, unsigned dir, uint8_t what, uint64_t value)
{
    struct msg *m = msgs_room(at->out, 0);
    msgs_add(at->out, m, MSG_TLS_REUSE, at->rec, stream_sender(at, dir));
    m->ts_ns = at->stream->half[dir].msg_ts_ns;
    m->reuse = (struct tls_reuse_msg){.value = value, .what = what};
    m->reuse.server_port = m->sender == SIDE_SRC ? at->rec->sport : at->rec->dport;
}

static void new_session_ticket(struct stream_at *at, unsigned dir, struct cur in)
{
    struct flight *f = flight_of(at);
    struct cur ticket;
    uint32_t lifetime_s;
    if (!cur_u32(&in, &lifetime_s) || !cur_block16(&in, &ticket)) {
        f->a.flags |= ANSWER_CUT;
        return;
    }
    f->a.flags |= ANSWER_TICKET;
    f->a.ticket_lifetime_s = lifetime_s;
    f->new_ticket = hash_of((struct bytes){ticket.p, (uint32_t)ticket.left});
    keep_soon(at, f->new_ticket);
    if (ticket.left >= TICKET_KEY_NAME)
        reuse_push(at, dir, REUSE_TICKET_KEY, hash_bytes(ticket.p, TICKET_KEY_NAME, 0));
}

void tls_flight_message(struct stream_at *at, unsigned dir, uint8_t type, const uint8_t *p,
                        uint32_t n)
{
    struct flight *f = flight_of(at);
    uint64_t value;
    if (f == NULL)
        return;
    if (type == TLS_MSG_NEW_SESSION_TICKET) {
        new_session_ticket(at, dir, cur_of(p, n, n));
        return;
    }
    if (tls_ske_decode(cur_of(p, n, n), &f->a, &value) == OUT_MALFORMED)
        f->a.flags |= ANSWER_CUT;
    if (value != 0)
        reuse_push(at, dir, f->a.dh_bits != 0 ? REUSE_DH : REUSE_ECDH, value);
}

bool tls_flight_wants_cert(struct stream_at *at, unsigned dir, uint32_t len)
{
    struct flight *f = flight_of(at);
    if (f == NULL || len == 0)
        return false;
    bool fits = len <= TLS_CERT_MAX && (!from_server(at, dir) || f->a.n_certs < ANSWER_CERTS_MAX);
    if (fits)
        return true;
    at->d->stats.certs_turned_away++;
    if (from_server(at, dir))
        f->a.flags |= ANSWER_CUT;
    return false;
}

/* NULL where nobody wants it. `room`: bytes of the message's arena. */
static struct tls_cert_msg *cert_push(struct stream_at *at, unsigned dir, uint64_t id,
                                      uint32_t room)
{
    struct flight *f = flight_of(at);
    if (f == NULL)
        return NULL;
    if (from_server(at, dir) && f->a.n_certs < ANSWER_CERTS_MAX)
        f->a.certs[f->a.n_certs++] = id;
    struct msg *m = msgs_room(at->out, room);
    msgs_add(at->out, m, MSG_TLS_CERT, at->rec, stream_sender(at, dir));
    m->ts_ns = at->stream->half[dir].msg_ts_ns;
    m->cert = (struct tls_cert_msg){.id = id};
    return &m->cert;
}

void tls_flight_cert(struct stream_at *at, unsigned dir, const uint8_t *der, uint32_t n,
                     uint64_t id)
{
    struct tls_cert_msg *m = cert_push(at, dir, id, n);
    if (m != NULL)
        m->der = msgs_copy(at->out, der, n);
}

void tls_flight_cert_again(struct stream_at *at, unsigned dir, struct tls_cert_seen *seen)
{
    struct tls_cert_msg *m = cert_push(at, dir, seen->id, 0);
    if (m == NULL)
        return;
    m->der = (struct bytes){seen->bytes, seen->len};
    m->again = true;
    seen->batch = at->out->batch;
}

void tls_flight_cut(struct stream_at *at, unsigned dir)
{
    struct flight *f = flight_of(at);
    if (f != NULL && from_server(at, dir))
        f->a.flags |= ANSWER_CUT;
}

/* ---- the end */

/* What an abbreviated handshake does not show: as the session it resumes had it. */
static bool inherit(struct stream_at *at, struct answer *a, uint64_t *first_ns)
{
    enum {
        OF_KEY_EXCHANGE = ANSWER_EXPLICIT_CURVE | ANSWER_SKE_RSA | ANSWER_CERT_REQUEST | ANSWER_CUT
    };
    const struct tls_session *s = &at->stream->tls;
    const uint64_t ids[2] = {s->offered_ticket, s->offered_id};
    struct answer first;
    for (unsigned i = 0; i < 2; i++) {
        struct tls_resume_key k = resume_key(at, ids[i]);
        if (ids[i] == 0 || !tls_resume_find(at->d->resume, &k, at->rec->ts_ns, &first, first_ns)
            || first.version != a->version || first.cipher != a->cipher)
            continue;
        a->group = first.group;
        a->flags |= first.flags & OF_KEY_EXCHANGE;
        a->ske_signature = first.ske_signature;
        a->dh_bits = first.dh_bits;
        a->dh_prime = first.dh_prime;
        a->dh_prime_id = first.dh_prime_id;
        a->n_certs = first.n_certs;
        memcpy(a->certs, first.certs, sizeof a->certs);
        return true;
    }
    return false;
}

static void keep(struct stream_at *at, uint64_t id, uint64_t first_ns)
{
    struct tls_resume_key k = resume_key(at, id);
    if (id != 0)
        tls_resume_keep(at->d->resume, &k, first_ns, at->d->answer, at->d->answer_len);
}

static void finish(struct stream_at *at, uint8_t outcome)
{
    struct tls_session *s = &at->stream->tls;
    struct flight *f = flight_of(at);
    bool old = s->version >= TLS_SSLV3 && s->version <= TLS_1_2;
    bool resumed = old && s->flags & TLS_S_RESUMED;
    uint64_t first_ns = at->rec->ts_ns;
    if (s->flags & TLS_S_RETRY)
        f->a.flags |= ANSWER_RETRY;
    bool dtls =
        s->version >> 8 == DTLS_1_2 >> 8 && s->version != DTLS_1_3; /* its flight is not read */
    if (dtls || (old && !resumed && (s->flags & TLS_S_DONE) == 0))
        f->a.flags |= ANSWER_CUT;
    if (resumed) {
        bool by_id = s->offered_ticket == 0 && s->offered_id != 0 && s->offered_id == f->server_id;
        s->signs |= s->offered_ticket != 0 ? TLS_SIGN_TICKET_RESUMPTION
                    : by_id                ? TLS_SIGN_ID_RESUMPTION
                                           : 0;
        if (inherit(at, &f->a, &first_ns))
            s->signs |= TLS_SIGN_INHERITED;
    }
    at->d->answer_len = (uint16_t)answer_write(&f->a, at->d->answer);
    s->answer_id = answer_id(at->d->answer, at->d->answer_len);
    if (old && outcome == TLS_ESTABLISHED && (!resumed || s->signs & TLS_SIGN_INHERITED)) {
        keep(at, resumed ? 0 : f->server_id, first_ns);
        keep(at, f->new_ticket, first_ns);
    }
    tls_flight_drop(at);
}

void tls_flight_finish(struct stream_at *at, uint8_t outcome)
{
    struct tls_session *s = &at->stream->tls;
    at->d->answer_len = 0;
    if (s->flight != 0)
        finish(at, outcome);
    s->offered_id = s->offered_ticket = 0; /* differ from session to session: see tls_calm.h */
}

void tls_flight_drop(struct stream_at *at)
{
    uint32_t i = at->stream->tls.flight;
    at->stream->tls.flight = 0;
    if (i != 0)
        stream_aside_give(at, i);
}

/* ---- heartbeats: CVE-2014-0160 */

void tls_flight_heartbeat(struct stream_at *at, unsigned dir, uint32_t len, const uint8_t *p,
                          unsigned n)
{
    enum { REQUEST = 1, RESPONSE = 2, HEAD = 3, PADDING = 16, REPLY_MIN = 200, REPLY_TIMES = 3 };
    struct tls_session *s = &at->stream->tls;
    uint32_t before = s->beat[!dir];
    s->beat[dir] = (uint16_t)len;
    if (n == 0) { /* under protection only sizes tell */
        if (before > 0 && len > REPLY_MIN && len >= REPLY_TIMES * before)
            s->signs |= TLS_SIGN_HEARTBLEED_REPLY;
        return;
    }
    if (p[0] == REQUEST && n == HEAD && ((uint32_t)p[1] << 8 | p[2]) + HEAD + PADDING > len)
        s->signs |= TLS_SIGN_HEARTBLEED_REQUEST;
    if (p[0] == RESPONSE && before > 0 && len > before && s->signs & TLS_SIGN_HEARTBLEED_REQUEST)
        s->signs |= TLS_SIGN_HEARTBLEED_REPLY;
}
