/* DTLS datagrams of one pair of ports in the order of the input, and a hello in one piece and in
 * pieces: cut, repeated and reordered as the input says, it must state the same.
 *
 * Input: u8 0 and datagrams (u8 bit 0: from the server, bit 1: cut by the capture; bits 2 to 7:
 * seconds since the one before, squared; u16 length, bytes), or u8 pieces' seed, u8 type, and the
 * body of a hello. */
#include "decoders/decode_state.h"

#include <stdlib.h>

enum { TEXT_MAX = 65536, PIECES_MAX = 24, HEAD = 25 };

struct run {
    struct decode *d;
    struct msgs *out;
    uint8_t text[TEXT_MAX];
    size_t len;
    uint64_t ts_ns, ord;
    uint8_t outcome; /* of the last datagram that was not well */
    uint64_t bytes_in, bytes_told;
};

static void say(struct run *r, const void *p, size_t n)
{
    n = n < TEXT_MAX - r->len ? n : TEXT_MAX - r->len;
    if (n > 0)
        memcpy(r->text + r->len, p, n);
    r->len += n;
}

static void fold(void *ctx, struct msgs *batch)
{
    struct run *r = ctx;
    for (unsigned i = 0; i < batch->n; i++) {
        const struct msg *m = &batch->m[i];
        if (m->kind == MSG_TLS_SESSION) {
            if (m->session.carrier != TLS_OVER_DTLS || m->session.outcome >= TLS_OUTCOME_N)
                abort();
            r->bytes_told += m->session.bytes[0] + m->session.bytes[1];
            continue;
        }
        if (m->kind != MSG_TLS_CLIENT_HELLO && m->kind != MSG_TLS_SERVER_HELLO)
            continue;
        const struct tls_hello_msg *h = &m->hello;
        const uint16_t numbers[] = {m->kind,   m->sender, h->legacy_version, h->max_version,
                                    h->cipher, h->group,  h->hello_retry};
        if (h->carrier != TLS_OVER_DTLS)
            abort();
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

static void datagram(struct run *r, int dir, const uint8_t *p, size_t n, size_t wire_len)
{
    uint8_t *exact = malloc(n > 0 ? n : 1);
    if (n > 0)
        memcpy(exact, p, n);
    struct rec rec = {
        .ts_ns = r->ts_ns,
        .ord = r->ord++,
        .wire_len = (uint32_t)wire_len + 42,
        .flags = REC_HAS_IP | REC_HAS_PORTS,
        .ip_proto = 17,
        .sport = dir == 0 ? 40000 : 5246,
        .dport = dir == 0 ? 5246 : 40000,
        .src = {{[15] = (uint8_t)(1 + dir)}},
        .dst = {{[15] = (uint8_t)(2 - dir)}},
        .payload = cur_of(exact, n, wire_len),
        .payload_wire_len = (uint32_t)wire_len,
    };
    decode_burst(r->d, &rec, 1, r->out);
    msgs_flush(r->out);
    if (rec.outcome >= OUT_N || (rec.outcome == OUT_TRUNCATED && n == wire_len))
        abort();
    if (rec.outcome != OUT_NOT_MINE && rec.proto == PROTO_DTLS)
        r->bytes_in += rec.outcome == OUT_TABLE_FULL && r->d->dtls.flows.n == 0 ? 0 : rec.wire_len;
    if (rec.outcome != OUT_OK)
        r->outcome = rec.outcome;
    if (r->d->dtls.flows.n > 1 || r->d->dtls.hellos_used > 2)
        abort();
    free(exact);
}

static void run_new(struct run *r, struct msgs *out)
{
    const struct decode_limits limits = {.tcp_flows = 2,
                                         .tcp_buffers = 2,
                                         .tcp_buffer_bytes = 65536,
                                         .dtls_flows = 2,
                                         .dtls_hellos = 2,
                                         .dns_pending = 4,
                                         .ntp_pending = 4,
                                         .quic_flows = 4,
                                         .quic_buffers = 2,
                                         .quic_buffer_bytes = 4096,
                                         .window_ns = 10000000000};
    struct err e;
    r->out = out;
    r->out->fold = fold;
    r->out->ctx = r;
    r->len = 0;
    r->outcome = OUT_OK;
    r->ts_ns = 1000000000;
    r->bytes_in = r->bytes_told = 0;
    if (r->d == NULL && !decode_new(&r->d, &limits, NULL, &e))
        abort();
}

static void run_end(struct run *r)
{
    decode_origin_end(r->d, 0, r->out);
    if (r->d->dtls.flows.n != 0 || r->d->dtls.hellos_used != 0 || r->bytes_told > r->bytes_in)
        abort(); /* what was held is given back, and nothing is told twice */
}

static uint32_t next(uint32_t *state)
{
    *state = *state * 1664525 + 1013904223;
    return *state >> 16;
}

/* Bytes [at, at + n) of a hello as a datagram. */
static void fragment(struct run *r, uint8_t type, const uint8_t *body, size_t len, size_t at,
                     size_t n)
{
    static uint8_t out[HEAD + 65536];
    const uint8_t head[HEAD] = {22,
                                0xfe,
                                0xfd,
                                0,
                                0,
                                0,
                                0,
                                0,
                                0,
                                0,
                                0,
                                (uint8_t)((n + 12) >> 8),
                                (uint8_t)(n + 12),
                                type,
                                (uint8_t)(len >> 16),
                                (uint8_t)(len >> 8),
                                (uint8_t)len,
                                0,
                                0,
                                (uint8_t)(at >> 16),
                                (uint8_t)(at >> 8),
                                (uint8_t)at,
                                (uint8_t)(n >> 16),
                                (uint8_t)(n >> 8),
                                (uint8_t)n};
    memcpy(out, head, HEAD);
    memcpy(out + HEAD, body + at, n);
    datagram(r, type == 2, out, HEAD + n, HEAD + n);
}

static void pieces(struct run *r, uint8_t type, const uint8_t *body, size_t len, uint32_t seed)
{
    struct {
        size_t at, n;
    } piece[PIECES_MAX], swap;
    unsigned count = 0;
    for (size_t at = 0; at < len; count++) {
        size_t n = count == PIECES_MAX - 1 ? len - at : 1 + next(&seed) % (len / 3 + 1);
        n = n < len - at ? n : len - at;
        piece[count].at = at;
        piece[count].n = n;
        at += n;
    }
    for (unsigned i = count; i > 1; i--) {
        unsigned j = next(&seed) % i;
        swap = piece[i - 1], piece[i - 1] = piece[j], piece[j] = swap;
    }
    for (unsigned i = 0; i < count; i++) {
        size_t before = next(&seed) % 4 == 0 ? next(&seed) % (piece[i].at + 1)
                                             : 0; /* overlaps what comes before */
        fragment(r, type, body, len, piece[i].at - before, piece[i].n + before);
        if (next(&seed) % 8 == 0)
            fragment(r, type, body, len, piece[i].at, piece[i].n);
    }
}

static void hello(const uint8_t *data, size_t size)
{
    static struct run whole, parts;
    static struct msgs out[2];
    uint8_t type = data[1] & 1 ? 1 : 2;
    run_new(&whole, &out[0]);
    run_new(&parts, &out[1]);
    uint64_t conflicts = parts.d->stats.overlap_conflicts;
    fragment(&whole, type, data + 2, size - 2, 0, size - 2);
    pieces(&parts, type, data + 2, size - 2, data[0]);
    if (whole.len != parts.len || memcmp(whole.text, parts.text, whole.len) != 0
        || whole.outcome != parts.outcome || parts.d->stats.overlap_conflicts != conflicts)
        abort();
    run_end(&whole);
    run_end(&parts);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct run run;
    static struct msgs out;
    if (size < 3 || size > 16000)
        return 0;
    if (data[0] != 0) {
        hello(data, size);
        return 0;
    }
    run_new(&run, &out);
    for (size_t at = 1; size - at >= 3;) {
        uint8_t how = data[at];
        size_t n = (size_t)data[at + 1] << 8 | data[at + 2];
        at += 3;
        n = n < size - at ? n : size - at;
        run.ts_ns += (uint64_t)(how >> 2) * (how >> 2) * 1000000000;
        datagram(&run, how & 1, data + at, how & 2 ? n / 2 : n, n);
        at += n;
    }
    run_end(&run);
    return 0;
}
