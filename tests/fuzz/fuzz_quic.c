/* QUIC: datagrams whose Initial packets the target seals itself, so that what is inside is reached.
 *
 * Input, first byte even: operations, each a head of 4 bytes and a body: packets with frames as the
 * input says, bare bytes, a damaged or a cut datagram. First byte odd: as fuzz_tls_stream, the
 * CRYPTO streams of both sides, in one piece and in pieces, which must state the same hellos. */
#include "decoders/quic_conn.h"
#include "tests/quic_seal.h"

#include <stdlib.h>

enum { TEXT_MAX = 65536, PIECES_MAX = 24, DATAGRAM_MAX = 16384 };

struct run {
    struct decode *d;
    struct msgs *out;
    uint8_t text[TEXT_MAX];
    size_t len;
    bool bad;
    uint64_t ord;
};

static const uint8_t dcids[][QUIC_CID_MAX] = {"dcid one", "dcid two", "dcid 3", "no. four"};
static const uint32_t versions[] = {0x00000001, 0x6b3343cf, 0xff00001d, 0x54303531};

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
            if (m->session.carrier != TLS_OVER_QUIC || m->session.outcome >= TLS_OUTCOME_N)
                abort();
            continue;
        }
        if (m->kind != MSG_TLS_CLIENT_HELLO && m->kind != MSG_TLS_SERVER_HELLO)
            continue;
        const struct tls_hello_msg *h = &m->hello;
        const uint16_t numbers[] = {m->kind,   m->sender, h->legacy_version, h->max_version,
                                    h->cipher, h->group,  h->hello_retry};
        say(r, numbers, sizeof numbers);
        say(r, h->sni.p, h->sni.len);
        say(r, h->alpn.p, h->alpn.len);
        say(r, h->offer.p, h->offer.len);
        if (h->carrier != TLS_OVER_QUIC
            || (h->offer.len > 0 && !tls_offer_check(h->offer.p, h->offer.len)))
            abort();
    }
}

static void datagram(struct run *r, int from, unsigned port, const uint8_t *p, size_t n,
                     size_t wire_len)
{
    uint8_t *exact = malloc(n > 0 ? n : 1);
    if (n > 0)
        memcpy(exact, p, n);
    struct rec rec = {
        .ts_ns = UINT64_C(1000000000) + r->ord * 300000000,
        .ord = r->ord,
        .wire_len = (uint32_t)wire_len + 42,
        .flags = REC_HAS_IP | REC_HAS_PORTS,
        .ip_proto = 17,
        .sport = (uint16_t)(from == 0 ? 40000 + port : 443),
        .dport = (uint16_t)(from == 0 ? 443 : 40000 + port),
        .src = {{[15] = (uint8_t)(1 + from)}},
        .dst = {{[15] = (uint8_t)(2 - from)}},
        .payload = cur_of(exact, n, wire_len),
        .payload_wire_len = (uint32_t)wire_len,
    };
    r->ord++;
    decode_burst(r->d, &rec, 1, r->out);
    msgs_flush(r->out);
    if (rec.outcome >= OUT_N)
        abort();
    r->bad = r->bad || rec.outcome == OUT_MALFORMED || rec.outcome == OUT_TABLE_FULL;
    free(exact);
}

static void run_begin(struct run *r, struct msgs *out)
{
    const struct decode_limits limits = {.tcp_flows = 4,
                                         .tcp_buffers = 4,
                                         .tcp_buffer_bytes = 65536,
                                         .dns_pending = 4,
                                         .ntp_pending = 4,
                                         .dtls_flows = 4,
                                         .dtls_hellos = 2,
                                         .quic_flows = 3,
                                         .quic_buffers = 2,
                                         .quic_buffer_bytes = 8192,
                                         .window_ns = 2000000000};
    struct err e;
    out->fold = fold;
    out->ctx = r;
    r->out = out;
    r->len = 0;
    r->bad = false;
    r->ord = 0;
    if (r->d == NULL && !decode_new(&r->d, &limits, NULL, &e))
        abort();
}

static void run_end(struct run *r)
{
    const struct quic *q = r->d->quic;
    decode_origin_end(r->d, 0, r->out);
    if (q->flows.n != 0 || q->oldest != 0 || q->youngest != 0 || q->first_shaking != 0
        || q->last_shaking != 0 || r->d->holders != 0)
        abort();                                      /* what was held is given back */
    for (uint32_t i = 1; i <= q->handshakes.top; i++) /* clean for the next */
        for (size_t b = sizeof(struct quic_handshake); b < sizeof(struct quic_handshake) + 1024;
             b++)
            if (((const uint8_t *)quic_handshake_at(q, i))[b] != 0)
                abort();
}

/* An Initial alone in its datagram, padded, and its number in the stream of packets. */
static void initial(struct run *r, int from, uint64_t pn, const uint8_t *frames, size_t n)
{
    static uint8_t padded[DATAGRAM_MAX], sealed[DATAGRAM_MAX + SEALED_HEAD_MAX];
    struct packet_spec s = {.version = versions[0],
                            .from = from,
                            .key_dcid = dcids[0],
                            .dcid = dcids[0],
                            .pn = pn,
                            .pn_len = 2};
    memset(padded, 0, sizeof padded);
    memcpy(padded, frames, n);
    n = n < 1200 ? 1200 : n;
    size_t len = packet_seal(r->d->quic->crypt, &s, padded, n, sealed);
    datagram(r, from, 0, sealed, len, len);
}

/* ---- the same in pieces */

static uint32_t next(uint32_t *state)
{
    *state = *state * 1664525 + 1013904223;
    return *state >> 16;
}

static size_t crypto_frame(uint8_t *to, size_t at, const uint8_t *p, size_t len)
{
    uint8_t *end = int_write(to, 6, 1);
    end = int_write(end, 0x80000000 | at, 4);
    end = int_write(end, 0x4000 | len, 2);
    return (size_t)(bytes_write(end, p, len) - to);
}

static void pieces(struct run *r, int from, const uint8_t *p, size_t n, uint32_t *seed)
{
    static uint8_t frames[DATAGRAM_MAX];
    struct {
        size_t at, len;
    } piece[PIECES_MAX], swap;
    unsigned count = 0;
    uint64_t pn = 0;
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
    size_t used = 0;
    for (unsigned i = 0; i < count; i++) {
        used += crypto_frame(frames + used, piece[i].at, p + piece[i].at, piece[i].len);
        if (next(seed) % 8 == 0 && used + n + 16 < 6000) /* again, with the bytes after it */
            used += crypto_frame(frames + used, piece[i].at, p + piece[i].at, n - piece[i].at);
        if (i + 1 < count && used < 3000 && next(seed) % 2)
            continue;
        initial(r, from, pn++, frames, used);
        used = 0;
    }
}

static void streams(const uint8_t *data, size_t size)
{
    static struct run whole, parts;
    static struct msgs out[2];
    static uint8_t frames[DATAGRAM_MAX];
    if (size < 4 || size > 6000)
        return;
    uint32_t seed = data[0];
    size_t first = (size_t)data[1] << 8 | data[2];
    data += 3;
    size -= 3;
    first = first < size ? first : size;
    const uint8_t *stream[2] = {data, data + first};
    const size_t len[2] = {first, size - first};
    run_begin(&whole, &out[0]);
    run_begin(&parts, &out[1]);
    for (int from = 0; from < 2; from++) {
        if (len[from] == 0)
            continue;
        initial(&whole, from, 0, frames, crypto_frame(frames, 0, stream[from], len[from]));
        pieces(&parts, from, stream[from], len[from], &seed);
    }
    /* What comes too late for a decision is not read: packets are 0.3 s apart. */
    if (parts.ord < 30 && !whole.bad
        && (parts.bad || whole.len != parts.len || memcmp(whole.text, parts.text, whole.len) != 0))
        abort();
    run_end(&whole);
    run_end(&parts);
}

/* ---- operations */

static void operations(const uint8_t *data, size_t size)
{
    static struct run r;
    static struct msgs out;
    static uint8_t frames[DATAGRAM_MAX], sealed[4 * DATAGRAM_MAX];
    size_t held = 0; /* packets that the next one joins in a datagram */
    run_begin(&r, &out);
    while (size >= 4 && r.ord < 200) {
        unsigned what = data[0], how = data[1];
        size_t n = (size_t)(data[2] & 7) << 8 | data[3];
        unsigned damage = data[2] >> 3;
        data += 4;
        size -= 4;
        n = n < size ? n : size;
        int from = what & 1;
        if ((what & 6) == 6) { /* bare bytes */
            memcpy(sealed + held, data, n);
            held += n;
        } else {
            struct packet_spec s = {.version = versions[how & 3],
                                    .type =
                                        what & 8 && (what & 6) == 4 ? QUIC_HANDSHAKE : QUIC_INITIAL,
                                    .from = from,
                                    .key_dcid = dcids[how >> 2 & 3],
                                    .dcid = dcids[how >> 4 & 3],
                                    .token = how & 64 ? "token" : NULL,
                                    .pn = r.ord,
                                    .pn_len = (uint8_t)(1 + (what >> 4 & 3)),
                                    .greased = how & 128};
            size_t padded = (what & 6) == 0 && n < 1200 ? 1200 : n < 4 ? 4 : n;
            memset(frames, 0, padded);
            memcpy(frames, data, n);
            held += packet_seal(r.d->quic->crypt, &s, frames, padded, sealed + held);
        }
        data += n;
        size -= n;
        if (what & 64 && held < DATAGRAM_MAX)
            continue;
        size_t wire_len = held;
        if (damage & 1 && held > 0)
            sealed[(damage * 37u) % held] ^= (uint8_t)how;
        if (damage & 2)
            held -= held / (1 + damage);
        if (damage & 4)
            wire_len = held;
        datagram(&r, from, what >> 7 ? 1 + (how & 7) : 0, sealed, held, wire_len);
        held = 0;
        if (damage == 8)
            (void)decode_sweep(r.d, r.ord * 300000000, UINT32_MAX, r.out);
    }
    run_end(&r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    if (data[0] & 1)
        streams(data + 1, size - 1);
    else
        operations(data + 1, size - 1);
    return 0;
}
