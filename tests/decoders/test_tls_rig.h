/* A rig for stream tests: builds TLS messages and TCP packets, drives decode_burst, and writes what
 * is stated as lines of text. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/answer.h"
#include "decoders/decode_state.h"
#include "decoders/tls_calm.h"
#include "tests/guard.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- bytes */

struct buf {
    uint8_t b[200000];
    size_t n;
};

static inline void put(struct buf *b, const void *p, size_t n)
{
    assert_true(n <= sizeof b->b - b->n);
    if (n > 0)
        memcpy(b->b + b->n, p, n);
    b->n += n;
}

/* `bytes` of `v`, big-endian. */
static inline void put_int(struct buf *b, uint64_t v, int bytes)
{
    for (int i = bytes - 1; i >= 0; i--)
        put(b, &(uint8_t){(uint8_t)(v >> 8 * i)}, 1);
}

/* A length of `bytes` bytes, filled in by put_end. */
static inline size_t put_begin(struct buf *b, int bytes)
{
    put_int(b, 0, bytes);
    return b->n;
}

static inline void put_end(struct buf *b, size_t begin, int bytes)
{
    for (int i = 0; i < bytes; i++)
        b->b[begin - 1 - (size_t)i] = (uint8_t)((b->n - begin) >> 8 * i);
}

static inline void put_fill(struct buf *b, uint8_t v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        put(b, &v, 1);
}

/* Wraps `body` into records of at most `most` bytes. */
static inline void put_records(struct buf *b, uint8_t type, uint16_t version,
                               const struct buf *body, size_t most)
{
    for (size_t at = 0; at < body->n; at += most) {
        size_t n = body->n - at < most ? body->n - at : most;
        put_int(b, type, 1);
        put_int(b, version, 2);
        put_int(b, n, 2);
        put(b, body->b + at, n);
    }
}

static inline void put_record(struct buf *b, uint8_t type, uint16_t version, const void *p,
                              size_t n)
{
    put_int(b, type, 1);
    put_int(b, version, 2);
    put_int(b, n, 2);
    put(b, p, n);
}

/* ---- handshake messages */

struct hello_spec {
    uint16_t version;
    const uint16_t *ciphers; /* 0-terminated */
    const char *sni, *alpn;
    uint16_t supported[4]; /* client: list, 0-terminated; server: the first */
    size_t pad;            /* bytes of a padding extension */
    bool no_extensions, retry, psk;
    uint8_t session_id; /* length */
    uint16_t group;
};

static inline void put_extension(struct buf *b, uint16_t type, const void *p, size_t n)
{
    put_int(b, type, 2);
    put_int(b, n, 2);
    put(b, p, n);
}

static inline void put_client_hello(struct buf *b, const struct hello_spec *s)
{
    static const uint16_t usual[] = {0x1301, 0xc02b, 0xc02f, 0x002f, 0};
    put_int(b, 1, 1);
    size_t msg = put_begin(b, 3);
    put_int(b, s->version, 2);
    put_fill(b, 0x5a, 32);
    put_int(b, s->session_id, 1);
    put_fill(b, 0x77, s->session_id);
    size_t list = put_begin(b, 2);
    for (const uint16_t *c = s->ciphers != NULL ? s->ciphers : usual; *c != 0; c++)
        put_int(b, *c, 2);
    put_end(b, list, 2);
    put(b, "\x01\x00", 2);
    if (!s->no_extensions) {
        size_t all = put_begin(b, 2);
        if (s->sni != NULL) {
            put_int(b, 0, 2);
            size_t ext = put_begin(b, 2), names = put_begin(b, 2);
            put_int(b, 0, 1);
            put_int(b, strlen(s->sni), 2);
            put(b, s->sni, strlen(s->sni));
            put_end(b, names, 2);
            put_end(b, ext, 2);
        }
        put_extension(b, 0x0a0a, "", 0);
        put_extension(b, 10, "\x00\x06\x8a\x8a\x00\x1d\x00\x17", 8);
        put_extension(b, 11, "\x01\x00", 2);
        put_extension(b, 13, "\x00\x04\x04\x03\x08\x04", 6);
        if (s->alpn != NULL) {
            put_int(b, 16, 2);
            size_t ext = put_begin(b, 2), names = put_begin(b, 2);
            put_int(b, strlen(s->alpn), 1);
            put(b, s->alpn, strlen(s->alpn));
            put_end(b, names, 2);
            put_end(b, ext, 2);
        }
        if (s->supported[0] != 0) {
            put_int(b, 43, 2);
            size_t ext = put_begin(b, 2), versions = put_begin(b, 1);
            for (int i = 0; i < 4 && s->supported[i] != 0; i++)
                put_int(b, s->supported[i], 2);
            put_end(b, versions, 1);
            put_end(b, ext, 2);
        }
        if (s->pad > 0) {
            put_int(b, 21, 2);
            size_t ext = put_begin(b, 2);
            put_fill(b, 0, s->pad);
            put_end(b, ext, 2);
        }
        put_end(b, all, 2);
    }
    put_end(b, msg, 3);
}

static inline void put_server_hello(struct buf *b, const struct hello_spec *s)
{
    static const uint8_t retry[32] = {0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11,
                                      0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
                                      0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e,
                                      0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c};
    put_int(b, 2, 1);
    size_t msg = put_begin(b, 3);
    put_int(b, s->version, 2);
    if (s->retry)
        put(b, retry, 32);
    else
        put_fill(b, 0xa5, 32);
    put_int(b, s->session_id, 1);
    put_fill(b, 0x77, s->session_id);
    put_int(b, s->ciphers[0], 2);
    put_int(b, 0, 1);
    if (!s->no_extensions) {
        size_t all = put_begin(b, 2);
        if (s->supported[0] != 0)
            put_extension(
                b, 43, &(uint8_t[2]){(uint8_t)(s->supported[0] >> 8), (uint8_t)s->supported[0]}, 2);
        if (s->group != 0)
            put_extension(b, 51, &(uint8_t[4]){(uint8_t)(s->group >> 8), (uint8_t)s->group, 0, 0},
                          4);
        if (s->psk)
            put_extension(b, 41, "\x00\x00", 2);
        if (s->alpn != NULL) {
            put_int(b, 16, 2);
            size_t ext = put_begin(b, 2), names = put_begin(b, 2);
            put_int(b, strlen(s->alpn), 1);
            put(b, s->alpn, strlen(s->alpn));
            put_end(b, names, 2);
            put_end(b, ext, 2);
        }
        put_end(b, all, 2);
    }
    put_end(b, msg, 3);
}

/* A Certificate message with `n` certificates of `size` bytes. */
static inline void put_certificates(struct buf *b, unsigned n, size_t size)
{
    put_int(b, 11, 1);
    size_t msg = put_begin(b, 3), list = put_begin(b, 3);
    for (unsigned i = 0; i < n; i++) {
        put_int(b, size, 3);
        put_fill(b, 0x30, size);
    }
    put_end(b, list, 3);
    put_end(b, msg, 3);
}

/* ---- driving */

enum { CLIENT, SERVER };
enum { F_FIN = 1, F_SYN = 2, F_RST = 4, F_PSH = 8, F_ACK = 16 };
enum { RIG_CLIENT_PORT = 40000, RIG_SERVER_PORT = 4433, RIG_HEAD = 54 };

struct rig {
    struct decode *d;
    struct msgs *out;
    char text[65536]; /* what was stated: hellos, certificates, alerts, DNS, HTTP, unseen bytes */
    char session[65536];  /* the session reports */
    char flight[65536];   /* certificates, values, answers */
    struct answer answer; /* the last one */
    uint64_t answer_id;
    uint16_t signs, record_version; /* as last told */
    uint8_t via;
    bool stranger; /* the client is no gateway */
    uint64_t ts_ns, ord;
    uint32_t seq[2]; /* next, of client and server */
    uint16_t client_port, server_port, origin;
    uint8_t last_outcome, last_proto;
    uint16_t last_service, last_flags;
    uint64_t unseen[2]; /* by side */
    unsigned n_client_hellos, n_sessions, n_alive, n_decided;
    uint64_t bytes[2];
    uint64_t first_ts_ns;                          /* of the session told of last */
    uint64_t query_ts_ns;                          /* of the DNS exchange told of last */
    uint16_t told_port[512];                       /* the client's, of the sessions told of last */
    char hello_prints[2][80], session_prints[120]; /* fingerprints told last: JA4 and JA3 */
};

static inline void rig_line(char *text, size_t size, const char *fmt, ...)
{
    size_t len = strlen(text);
    va_list args;
    va_start(args, fmt);
    vsnprintf(text + len, size - len, fmt, args);
    va_end(args);
}

#define RIG_SAY(r, ...) rig_line((r)->text, sizeof(r)->text, __VA_ARGS__)

/* JA4 as it is, the others in hex, each with a blank behind it. */
static inline void rig_prints(char *text, size_t size, struct bytes ja4, struct bytes ja3,
                              struct bytes ja3s)
{
    text[0] = '\0';
    rig_line(text, size, "%.*s ", (int)ja4.len, (const char *)ja4.p);
    for (uint32_t i = 0; i < ja3.len; i++)
        rig_line(text, size, "%02x", ja3.p[i]);
    rig_line(text, size, " ");
    for (uint32_t i = 0; i < ja3s.len; i++)
        rig_line(text, size, "%02x", ja3s.p[i]);
}

static inline void rig_hello(struct rig *r, const struct msg *m)
{
    const struct tls_hello_msg *h = &m->hello;
    bool server = m->kind == MSG_TLS_SERVER_HELLO;
    rig_prints(r->hello_prints[server], sizeof *r->hello_prints, h->ja4,
               server ? (struct bytes){0} : h->ja3, server ? h->ja3 : (struct bytes){0});
    if (m->kind == MSG_TLS_CLIENT_HELLO) {
        r->n_client_hellos++;
        RIG_SAY(r, "client %04x max %04x sni %.*s alpn %.*s id %016llx%s%s%s\n", h->legacy_version,
                h->max_version, (int)h->sni.len, (const char *)h->sni.p, (int)h->alpn.len,
                (const char *)h->alpn.p, (unsigned long long)h->id,
                h->sslv2_format ? " v2format" : "", h->sslv2 ? " sslv2" : "",
                h->resumption_offered ? " resumes" : "");
    } else {
        RIG_SAY(r, "server %04x cipher %04x group %04x alpn %.*s%s%s\n", h->max_version, h->cipher,
                h->group, (int)h->alpn.len, (const char *)h->alpn.p, h->hello_retry ? " retry" : "",
                h->sslv2 ? " sslv2" : "");
    }
}

static inline void rig_answer(struct rig *r, const struct tls_session_msg *s)
{
    r->signs = s->signs;
    r->record_version = s->record_version;
    r->via = s->via;
    r->answer_id = s->answer_id;
    if (s->answer.len == 0)
        return;
    assert_true(answer_read(s->answer.p, s->answer.len, &r->answer));
    assert_true(s->answer_id == answer_id(s->answer.p, s->answer.len));
    const struct answer *a = &r->answer;
    rig_line(
        r->flight, sizeof r->flight,
        "answer %04x %04x group %04x flags %x sig %04x dh %u %u ticket %u certs %u kinds %u%s\n",
        a->version, a->cipher, a->group, a->flags, a->ske_signature, a->dh_bits, a->dh_prime,
        a->ticket_lifetime_s, a->n_certs, a->n_kinds, s->resumed ? " resumed" : "");
}

static inline void rig_session(struct rig *r, const struct tls_session_msg *s)
{
    static const char *const outcomes[] = {"undecided", "established", "refused",
                                           "reset",     "partial",     "cleartext"};
    r->told_port[r->n_sessions++ % 512] = s->client_port;
    rig_prints(r->session_prints, sizeof r->session_prints, s->ja4, s->ja3, s->ja3s);
    r->n_alive += s->alive;
    r->first_ts_ns = s->first_ts_ns;
    r->n_decided += s->decided;
    rig_answer(r, s);
    r->bytes[0] += s->bytes[0];
    r->bytes[1] += s->bytes[1];
    rig_line(r->session, sizeof r->session, "%s%s%s%s %04x %04x %llu/%llu at %llu sni %.*s%s%s\n",
             outcomes[s->outcome], s->alive ? " alive" : "", s->decided ? " decided" : "",
             s->final ? " final" : "", s->version,
             s->handshake_seen ? s->cipher : s->record_version, (unsigned long long)s->bytes[0],
             (unsigned long long)s->bytes[1], (unsigned long long)(s->window_ts_ns / 1000000000),
             (int)s->sni.len, (const char *)s->sni.p, s->resumed ? " resumed" : "",
             s->carrier == TLS_OVER_QUIC ? " quic" : "");
    assert_int_equal(s->server_port, r->server_port);
    assert_true(s->client_port >= RIG_CLIENT_PORT && s->client_port <= r->client_port);
}

static inline void rig_fold(void *ctx, struct msgs *batch)
{
    struct rig *r = ctx;
    for (unsigned i = 0; i < batch->n; i++) {
        const struct msg *m = &batch->m[i];
        switch ((enum msg_kind)m->kind) {
        case MSG_TLS_CLIENT_HELLO:
        case MSG_TLS_SERVER_HELLO:
            rig_hello(r, m);
            break;
        case MSG_TLS_CERTIFICATES:
            RIG_SAY(r, "certificates %u\n", m->certs.n);
            break;
        case MSG_TLS_ALERT:
            RIG_SAY(r, "alert %u:%u\n", m->alert.level, m->alert.description);
            break;
        case MSG_TLS_SESSION:
            rig_session(r, &m->session);
            break;
        case MSG_DNS:
            RIG_SAY(r, "dns %04x%s%s\n", m->dns.id, m->dns.response ? " response" : "",
                    m->dns.tcp ? " tcp" : "");
            if (m->dns.matched)
                r->query_ts_ns = m->dns.query_ts_ns;
            break;
        case MSG_HTTP:
            RIG_SAY(r, "http %u%s mac %02x agent %.*s\n", m->http.call,
                    m->http.answered ? " answered" : "", m->http.has_mac ? m->http.mac[5] : 0,
                    (int)m->http.user_agent.len, (const char *)m->http.user_agent.p);
            break;
        case MSG_NTP:
            RIG_SAY(r, "ntp %u\n", m->ntp.mode);
            break;
        case MSG_TCP_UNSEEN:
            r->unseen[m->sender] += m->unseen.bytes;
            break;
        case MSG_TLS_CERT:
            rig_line(r->flight, sizeof r->flight, "cert %016llx %u\n",
                     (unsigned long long)m->cert.id, m->cert.der.len);
            break;
        case MSG_TLS_REUSE:
            rig_line(r->flight, sizeof r->flight, "reuse %u %016llx port %u\n", m->reuse.what,
                     (unsigned long long)m->reuse.value, m->reuse.server_port);
            break;
        case MSG_KIND_N:
            break;
        }
    }
}

static inline struct decode_limits rig_limits(void)
{
    return (struct decode_limits){.tcp_flows = 1024,
                                  .tcp_buffers = 64,
                                  .tcp_buffer_bytes = 65536,
                                  .dtls_flows = 64,
                                  .dtls_hellos = 8,
                                  .dns_pending = 64,
                                  .ntp_pending = 64,
                                  .quic_flows = 64,
                                  .quic_buffers = 16,
                                  .quic_buffer_bytes = 16384,
                                  .window_ns = UINT64_C(3600) * 1000000000,
                                  .seed = 7};
}

static inline void rig_new(struct rig *r, const struct decode_limits *limits,
                           const char *const hosts[])
{
    struct err e;
    struct decode_limits usual = rig_limits();
    memset(r, 0, sizeof *r);
    r->out = calloc(1, sizeof *r->out);
    assert_non_null(r->out);
    r->out->fold = rig_fold;
    r->out->ctx = r;
    assert_true(decode_new(&r->d, limits != NULL ? limits : &usual, hosts, &e));
    r->ts_ns = UINT64_C(1500000000) * 1000000000;
    r->seq[CLIENT] = 1000;
    r->seq[SERVER] = 0xfffffff0; /* wraps soon */
    r->client_port = RIG_CLIENT_PORT;
    r->server_port = RIG_SERVER_PORT;
}

static inline void rig_free(struct rig *r)
{
    decode_free(r->d);
    free(r->out);
}

/* What was stated so far is forgotten, and the next packets are another connection's. */
static inline void rig_again(struct rig *r)
{
    r->text[0] = r->session[0] = r->flight[0] = '\0';
    r->n_client_hellos = r->n_sessions = r->n_alive = r->n_decided = 0;
    r->bytes[0] = r->bytes[1] = r->unseen[0] = r->unseen[1] = 0;
    r->client_port++;
    r->seq[CLIENT] = 1000;
    r->seq[SERVER] = 0xfffffff0;
}

static inline struct rec rig_rec(struct rig *r, int from, uint8_t flags, uint32_t seq, uint32_t ack)
{
    static const uint8_t addrs[2][4] = {{192, 168, 1, 10}, {203, 0, 113, 7}};
    struct rec rec = {
        .ts_ns = r->ts_ns,
        .ord = r->ord++,
        .wire_len = RIG_HEAD,
        .cap_len = RIG_HEAD,
        .origin = r->origin,
        .flags = REC_HAS_IP | REC_HAS_PORTS,
        .ip_outer = 4,
        .ip_proto = 6,
        .sport = from == CLIENT ? r->client_port : r->server_port,
        .dport = from == CLIENT ? r->server_port : r->client_port,
        .tcp_flags = flags,
        .tcp_seq = seq,
        .tcp_ack = ack,
        .src = addr_v4(addrs[from]),
        .dst = addr_v4(addrs[!from]),
        .payload = cur_of("", 0, 0),
    };
    rec.client[CLIENT == from ? SIDE_SRC : SIDE_DST] =
        (struct client){.kind = r->stranger ? CLIENT_HOST : CLIENT_GATEWAY};
    return rec;
}

/* Set: after each packet sessions at rest are made calm. What is stated may not depend on it. */
static bool rig_calm;

static inline void rig_calm_down(struct decode *d)
{
    for (uint32_t slot = 1; slot <= d->flows.top; slot++) {
        struct flow *f = &d->flows.flows[slot];
        if (f->flags & FLOW_USED && f->stream != 0 && (f->flags & FLOW_CALM) == 0)
            tls_calm_down(d, f);
    }
}

/* One packet, whose payload ends at an unmapped page. `wire_len` - `len` bytes of it were not
 * captured. */
static inline enum outcome rig_packet(struct rig *r, int from, uint8_t flags, uint32_t seq,
                                      uint32_t ack, const void *p, size_t len, size_t wire_len)
{
    struct rec rec = rig_rec(r, from, flags, seq, ack);
    rec.payload = cur_of(guard_copy(p, len), len, wire_len);
    rec.payload_wire_len = (uint32_t)wire_len;
    rec.wire_len += (uint32_t)wire_len;
    rec.cap_len += (uint32_t)len;
    r->ts_ns += 1000000;
    decode_burst(r->d, &rec, 1, r->out);
    msgs_flush(r->out);
    if (rig_calm)
        rig_calm_down(r->d);
    r->last_outcome = rec.outcome;
    r->last_proto = rec.proto;
    r->last_service = rec.service_port;
    r->last_flags = rec.flags;
    return (enum outcome)rec.outcome;
}

/* `len` bytes at the stream's next place. */
static inline enum outcome rig_send(struct rig *r, int from, const void *p, size_t len)
{
    uint32_t seq = r->seq[from];
    r->seq[from] += (uint32_t)len;
    return rig_packet(r, from, F_ACK | F_PSH, seq, r->seq[!from], p, len, len);
}

/* Bytes that are sent but never captured. */
static inline void rig_lose(struct rig *r, int from, size_t len)
{
    r->seq[from] += (uint32_t)len;
}

static inline void rig_ack(struct rig *r, int from)
{
    rig_packet(r, from, F_ACK, r->seq[from], r->seq[!from], "", 0, 0);
}

static inline void rig_open(struct rig *r)
{
    rig_packet(r, CLIENT, F_SYN, r->seq[CLIENT]++, 0, "", 0, 0);
    rig_packet(r, SERVER, F_SYN | F_ACK, r->seq[SERVER]++, r->seq[CLIENT], "", 0, 0);
    rig_ack(r, CLIENT);
}

static inline void rig_close(struct rig *r)
{
    rig_packet(r, CLIENT, F_FIN | F_ACK, r->seq[CLIENT]++, r->seq[SERVER], "", 0, 0);
    rig_packet(r, SERVER, F_FIN | F_ACK, r->seq[SERVER]++, r->seq[CLIENT], "", 0, 0);
    rig_ack(r, CLIENT);
}

static inline void rig_end(struct rig *r)
{
    decode_origin_end(r->d, r->origin, r->out);
}

/* ---- whole flights of a TLS 1.2 handshake */

struct flights {
    struct buf client_hello, server, client_finish, server_finish;
};

static inline void flights_12(struct flights *f, size_t pad)
{
    static struct buf body;
    static const uint8_t finished[40] = {0x00, 0x9a, 0x13};
    memset(f, 0, sizeof *f);
    body.n = 0;
    put_client_hello(&body, &(struct hello_spec){
                                .version = 0x0303, .sni = "example.org", .alpn = "h2", .pad = pad});
    put_records(&f->client_hello, 22, 0x0301, &body, 16384);
    body.n = 0;
    put_server_hello(&body, &(struct hello_spec){
                                .version = 0x0303, .ciphers = (uint16_t[]){0xc02f}, .alpn = "h2"});
    put_certificates(&body, 2, 700);
    put(&body, "\x0e\x00\x00\x00", 4);
    put_records(&f->server, 22, 0x0303, &body, 16384);
    body.n = 0;
    put(&body, "\x10\x00\x00\x21", 4);
    put_fill(&body, 0x44, 33);
    put_records(&f->client_finish, 22, 0x0303, &body, 16384);
    put_record(&f->client_finish, 20, 0x0303, "\x01", 1);
    put_record(&f->client_finish, 22, 0x0303, finished, sizeof finished);
    put_record(&f->server_finish, 20, 0x0303, "\x01", 1);
    put_record(&f->server_finish, 22, 0x0303, finished, sizeof finished);
}
