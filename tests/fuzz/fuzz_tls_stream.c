/* A TLS connection, in one piece and in pieces: cut, repeated and reordered as the input says, it
 * must state the same hellos, certificates and alerts.
 *
 * Input: u8 pieces' seed, u16 length of the client's stream, then both streams. */
#include "core/cert.h"
#include "decoders/decode_state.h"
#include "decoders/tls_record.h"

#include <stdio.h>
#include <stdlib.h>

enum { TEXT_MAX = 65536, PIECES_MAX = 24, DIRS = 2 };

struct run {
    struct decode *d;
    struct msgs *out;
    char text[TEXT_MAX];
    size_t len;
    bool bad; /* malformed, or a limit */
    uint64_t ord;
};

static void say(struct run *r, const void *p, size_t n)
{
    n = n < TEXT_MAX - r->len ? n : TEXT_MAX - r->len;
    if (n > 0)
        memcpy(r->text + r->len, p, n);
    r->len += n;
}

static void check_answer(const struct tls_session_msg *s)
{
    struct answer a;
    uint8_t blob[ANSWER_BLOB_MAX];
    if (!answer_read(s->answer.p, s->answer.len, &a) || answer_write(&a, blob) != s->answer.len
        || memcmp(blob, s->answer.p, s->answer.len) != 0
        || s->answer_id != answer_id(blob, s->answer.len))
        abort();
}

static void fold(void *ctx, struct msgs *batch)
{
    struct run *r = ctx;
    for (unsigned i = 0; i < batch->n; i++) {
        const struct msg *m = &batch->m[i];
        if (m->kind == MSG_TLS_CERT && m->cert.id != cert_id(m->cert.der.p, m->cert.der.len))
            abort();
        if (m->kind == MSG_TLS_SESSION && m->session.answer.len > 0)
            check_answer(&m->session);
        if (m->kind > MSG_TLS_ALERT)
            continue; /* sessions are reported when packets come */
        say(r, &m->kind, 1);
        say(r, &m->sender, 1);
        if (m->kind == MSG_TLS_CERTIFICATES) {
            say(r, &m->certs.n, sizeof m->certs.n);
        } else if (m->kind == MSG_TLS_ALERT) {
            say(r, &m->alert, sizeof m->alert);
        } else {
            const struct tls_hello_msg *h = &m->hello;
            const uint16_t numbers[] = {h->legacy_version, h->max_version, h->cipher,
                                        h->group,          h->hello_retry, h->sslv2};
            say(r, numbers, sizeof numbers);
            say(r, h->sni.p, h->sni.len);
            say(r, h->alpn.p, h->alpn.len);
            say(r, h->offer.p, h->offer.len);
            if (h->offer.len > 0
                && (!tls_offer_check(h->offer.p, h->offer.len)
                    || h->id != offer_id(h->offer.p, h->offer.len)))
                abort();
        }
    }
}

static void packet(struct run *r, int dir, uint8_t flags, uint32_t seq, const uint8_t *p, size_t n)
{
    uint8_t *exact = malloc(n > 0 ? n : 1);
    if (n > 0)
        memcpy(exact, p, n);
    struct rec rec = {
        .ts_ns = 1000000000 + r->ord,
        .ord = r->ord++,
        .wire_len = (uint32_t)n + 54,
        .flags = REC_HAS_IP | REC_HAS_PORTS,
        .ip_proto = 6,
        .sport = dir == 0 ? 40000 : 443,
        .dport = dir == 0 ? 443 : 40000,
        .src = {{[15] = (uint8_t)(1 + dir)}},
        .dst = {{[15] = (uint8_t)(2 - dir)}},
        .client = {{.kind = CLIENT_GATEWAY}, {.kind = CLIENT_GATEWAY}},
        .tcp_flags = flags,
        .tcp_seq = seq,
        .tcp_ack = 1,
        .payload = cur_of(exact, n, n),
        .payload_wire_len = (uint32_t)n,
    };
    decode_burst(r->d, &rec, 1, r->out);
    msgs_flush(r->out);
    if (rec.outcome >= OUT_N)
        abort();
    r->bad = r->bad || rec.outcome == OUT_MALFORMED || rec.outcome == OUT_TABLE_FULL;
    free(exact);
}

static void run_new(struct run *r)
{
    const struct decode_limits limits = {.tcp_flows = 4,
                                         .tcp_buffers = 4,
                                         .tcp_buffer_bytes = 65536,
                                         .dtls_flows = 4,
                                         .dtls_hellos = 4,
                                         .dns_pending = 4,
                                         .ntp_pending = 4,
                                         .quic_flows = 4,
                                         .quic_buffers = 2,
                                         .quic_buffer_bytes = 4096,
                                         .window_ns = 1000000000};
    struct err e;
    r->out->fold = fold;
    r->out->ctx = r;
    if (r->d == NULL && !decode_new(&r->d, &limits, NULL, &e))
        abort();
    packet(r, 0, 2, 0, NULL, 0);
    packet(r, 1, 2 | 16, 0, NULL, 0);
}

static void run_end(struct run *r)
{
    decode_origin_end(r->d, 0, r->out);
    if (r->d->holders != 0 || r->d->flows.n != 0)
        abort(); /* what was held is given back */
}

static uint32_t next(uint32_t *state)
{
    *state = *state * 1664525 + 1013904223;
    return *state >> 16;
}

/* Sends `p` in pieces, in an order of its own, some twice. */
static void pieces(struct run *r, int dir, const uint8_t *p, size_t n, uint32_t *seed)
{
    struct {
        size_t at, len;
    } piece[PIECES_MAX], swap;
    unsigned count = 0;
    for (size_t at = 0; at < n; count++) {
        size_t len = count == PIECES_MAX - 1
                         ? n - at
                         : 1 + next(seed) % (next(seed) % 4 == 0 ? 8 : n / 3 + 1);
        len = len < n - at ? len : n - at;
        piece[count].at = at;
        piece[count].len = len;
        at += len;
    }
    for (unsigned i = count; i > 1; i--) {
        unsigned j = next(seed) % 3 == 0 ? next(seed) % i : i - 1;
        swap = piece[i - 1], piece[i - 1] = piece[j], piece[j] = swap;
    }
    for (unsigned i = 0; i < count; i++) {
        packet(r, dir, 16, 1 + (uint32_t)piece[i].at, p + piece[i].at, piece[i].len);
        if (next(seed) % 8 == 0) /* again, with the bytes after it */
            packet(r, dir, 16, 1 + (uint32_t)piece[i].at, p + piece[i].at, n - piece[i].at);
    }
}

/* Do records follow each other to the end? Where they stop doing so, the decoder finds its way back
 * at the start of a segment, so what it finds depends on where segments start. */
static bool framed(const uint8_t *p, size_t n)
{
    for (size_t at = 0; at + 5 <= n;) {
        size_t len = (size_t)p[at + 3] << 8 | p[at + 4];
        if (p[at] < 20 || p[at] > 24 || p[at + 1] != 3 || p[at + 2] > 4 || len == 0
            || len > 16384 + 2048)
            return false;
        at += 5 + len;
    }
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct run whole, parts;
    static struct msgs out[2];
    if (size < 4 || size > 30000)
        return 0;
    uint32_t seed = data[0];
    size_t first = (size_t)data[1] << 8 | data[2];
    data += 3;
    size -= 3;
    first = first < size ? first : size;
    const uint8_t *stream[DIRS] = {data, data + first};
    const size_t len[DIRS] = {first, size - first};
    whole.out = &out[0];
    parts.out = &out[1];
    whole.len = parts.len = 0;
    whole.bad = parts.bad = false;
    run_new(&whole);
    run_new(&parts);
    bool told = true; /* else where segments start decides what is found */
    for (int dir = 0; dir < DIRS; dir++) {
        if (len[dir] == 0)
            continue;
        enum tls_probe probe = tls_record_probe(stream[dir], len[dir], TLS_WANT_HELLO, false);
        told = told && probe == TLS_YES && framed(stream[dir], len[dir]);
        packet(&whole, dir, 16, 1, stream[dir], len[dir]);
        pieces(&parts, dir, stream[dir], len[dir], &seed);
    }
    if (told && !whole.bad && !parts.bad
        && (whole.len != parts.len || memcmp(whole.text, parts.text, whole.len) != 0))
        abort();
    if (told && !whole.bad && parts.bad)
        abort();
    run_end(&whole);
    run_end(&parts);
    return 0;
}
