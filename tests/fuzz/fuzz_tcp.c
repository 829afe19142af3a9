/* Any sequence of TCP packets, with tiny limits: one outcome each, sums that balance, nothing held
 * at the end; and the same statements whether sessions at rest are made calm or not.
 *
 * Input: packets of u8 flags, u8 ports and direction, u16 seq, u16 ack, u8 time step, u8 payload
 * length, payload. */
#include "core/hash.h"
#include "decoders/decode_state.h"
#include "decoders/tls_calm.h"

#include <stdlib.h>

enum { HEAD = 8 };

/* One decoder of the two, and a digest of what it says. */
struct side {
    struct decode *d;
    struct msgs out;
    uint64_t said;
    bool calm; /* sessions at rest are made calm after each packet, else never */
};

static void say(struct side *s, const void *p, size_t n)
{
    s->said = n == 0 ? s->said : hash_bytes(p, n, s->said);
}

static void say_session(struct side *s, const struct tls_session_msg *m)
{
    const uint64_t numbers[] = {
        m->window_ts_ns, m->first_ts_ns,    m->bytes[0],       m->bytes[1],
        m->alive,        m->decided,        m->handshake_seen, m->final,
        m->outcome,      m->resumed,        m->client_seen,    m->server_seen,
        m->version,      m->record_version, m->cipher,         m->group,
        m->hello_id,     m->client_side,    m->last_alert,     m->last_alert_level,
        m->has_alert,    m->client_port,    m->server_port,    m->client_max_version};
    say(s, numbers, sizeof numbers);
    say(s, m->client.b, sizeof m->client.b);
    say(s, m->server.b, sizeof m->server.b);
    say(s, m->sni.p, m->sni.len);
    say(s, m->alpn.p, m->alpn.len);
}

static void fold(void *ctx, struct msgs *batch)
{
    struct side *s = ctx;
    for (unsigned i = 0; i < batch->n; i++) {
        const struct msg *m = &batch->m[i];
        if (m->rec == NULL || m->sender > 1)
            abort();
        const uint64_t head[] = {m->kind, m->sender, m->ts_ns, m->rec->ord, m->rec->site};
        say(s, head, sizeof head);
        if (m->kind == MSG_TLS_SESSION) {
            say_session(s, &m->session);
            say(s, m->rec->client, sizeof m->rec->client);
            if (m->session.outcome >= TLS_OUTCOME_N || m->session.client_side > 1)
                abort();
        }
        if (m->kind == MSG_TCP_UNSEEN
            && (m->unseen.bytes == 0 || m->unseen.bytes > UINT64_C(1) << 33))
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint16_t ports[] = {443, 53, 80, 40000};
static const struct decode_limits tiny = {.tcp_flows = 3,
                                          .tcp_buffers = 2,
                                          .tcp_buffer_bytes = 1024,
                                          .dtls_flows = 4,
                                          .dtls_hellos = 4,
                                          .dns_pending = 4,
                                          .ntp_pending = 4,
                                          .quic_flows = 4,
                                          .quic_buffers = 2,
                                          .quic_buffer_bytes = 4096,
                                          .window_ns = 4000000000};

/* Did every element come back? */
static void all_back(const struct stream_pool *p)
{
    uint32_t n = 0;
    for (uint32_t i = p->free_head; i != 0; memcpy(&i, stream_pool_at(p, i), sizeof i))
        n++;
    if (n != p->top)
        abort();
}

static void calm_down(struct decode *d)
{
    for (uint32_t slot = 1; slot <= d->flows.top; slot++) {
        struct flow *f = &d->flows.flows[slot];
        if (f->flags & FLOW_USED && f->stream != 0 && (f->flags & FLOW_CALM) == 0)
            tls_calm_down(d, f);
    }
}

static void run(struct side *s, const uint8_t *data, size_t size)
{
    struct decode *d = s->d;
    const uint64_t before = decode_stats(d)->in;
    uint64_t ts_ns = 1000000000, n = 0;
    s->said = 0;
    while (size >= HEAD) {
        uint8_t flags = data[0], who = data[1], step = data[6];
        uint32_t seq = (uint32_t)(data[2] << 8 | data[3]), ack = (uint32_t)(data[4] << 8 | data[5]);
        size_t len = data[7] < size - HEAD ? data[7] : size - HEAD, missed = who & 0x80 ? who : 0;
        uint8_t *exact = malloc(len > 0 ? len : 1);
        memcpy(exact, data + HEAD, len);
        int dir = who & 1;
        uint16_t server = ports[who >> 1 & 3], client = (uint16_t)(50000 + (who >> 3 & 3));
        ts_ns += step & 0x80 ? UINT64_C(3601) * 1000000000 * (step & 1)
                             : (uint64_t)step * 50000000 - 100000000 * (step % 7 == 0);
        if (flags & 0x40)
            seq = seq << 16 | seq;
        struct rec rec = {
            .ts_ns = ts_ns,
            .ord = n++,
            .wire_len = (uint32_t)(len + missed + 54),
            .flags = REC_HAS_IP | REC_HAS_PORTS,
            .ip_proto = 6,
            .origin = who >> 5 & 1,
            .sport = dir == 0 ? client : server,
            .dport = dir == 0 ? server : client,
            .src = {{[15] = (uint8_t)(1 + dir)}},
            .dst = {{[15] = (uint8_t)(2 - dir)}},
            .tcp_flags = flags & 0x3f,
            .tcp_seq = seq,
            .tcp_ack = ack,
            .payload = cur_of(exact, len, len + missed),
            .payload_wire_len = (uint32_t)(len + missed),
        };
        decode_burst(d, &rec, 1, &s->out);
        msgs_flush(&s->out);
        if (s->calm)
            calm_down(d);
        say(s, &rec.outcome, 1);
        say(s, &rec.proto, 1);
        say(s, &rec.service_port, 2);
        if (rec.outcome == OUT_FILTERED || rec.outcome == OUT_FRAGMENT || rec.outcome >= OUT_N)
            abort();
        if (rec.outcome == OUT_TRUNCATED && missed == 0)
            abort(); /* nothing was cut: blame the message */
        if (d->holders > tiny.tcp_buffers || d->flows.n > tiny.tcp_flows)
            abort();
        free(exact);
        data += HEAD + len;
        size -= HEAD + len;
        if (n % 32 == 0)
            (void)decode_sweep(d, ts_ns, UINT32_MAX, &s->out);
        if (n % 256 == 0)
            decode_origin_end(d, 1, &s->out);
    }
    decode_origin_end(d, 0, &s->out);
    decode_origin_end(d, 1, &s->out);
    const struct decode_stats *stats = decode_stats(d);
    uint64_t sum = 0;
    for (int o = 0; o < OUT_N; o++)
        sum += stats->out[o];
    if (sum != stats->in || stats->in != before + n || d->holders != 0 || d->flows.n != 0)
        abort();
    if (d->n_streams != 0)
        abort();
    all_back(&d->streams);
    all_back(&d->nodes);
    all_back(&d->calm);
    for (unsigned k = 0; k < BLOB_CLASSES; k++)
        all_back(&d->blobs.classes[k]);
    for (unsigned i = 0; i < sizeof d->certs.seen / sizeof *d->certs.seen; i++)
        if (d->certs.seen[i].users != 0)
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct side sides[2]; /* for all inputs: the end of a context leaves nothing behind */
    static const char *const hosts[] = {"h", NULL};
    struct err e;
    uint64_t turned_away = 0;
    for (unsigned i = 0; i < 2; i++) {
        struct side *s = &sides[i];
        s->out.fold = fold;
        s->out.ctx = s;
        if (s->d == NULL && !decode_new(&s->d, &tiny, hosts, &e))
            abort();
        s->calm = i == 0;
        turned_away -= decode_stats(s->d)->buffers_turned_away;
        run(s, data, size);
        turned_away += decode_stats(s->d)->buffers_turned_away;
    }
    if (sides[0].said != sides[1].said && turned_away == 0)
        abort(); /* at a limit on copies they may differ: calm sessions need none */
    return 0;
}
