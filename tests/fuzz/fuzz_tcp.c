/* Any sequence of TCP packets, with tiny limits: one outcome each, sums that balance, nothing held
 * at the end.
 *
 * Input: packets of u8 flags, u8 ports and direction, u16 seq, u16 ack, u8 time step, u8 payload
 * length, payload. */
#include "decoders/decode_state.h"

#include <stdlib.h>

enum { HEAD = 8 };

static uint64_t alive, sessions;

static void fold(void *ctx, struct msgs *batch)
{
    (void)ctx;
    for (unsigned i = 0; i < batch->n; i++) {
        const struct msg *m = &batch->m[i];
        if (m->rec == NULL || m->sender > 1)
            abort();
        if (m->kind == MSG_TLS_SESSION) {
            sessions++;
            alive += m->session.alive;
            if (m->session.outcome >= TLS_OUTCOME_N || m->session.client_side > 1)
                abort();
        }
        if (m->kind == MSG_TCP_UNSEEN
            && (m->unseen.bytes == 0 || m->unseen.bytes > UINT64_C(1) << 33))
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct msgs out;
    static const uint16_t ports[] = {443, 53, 80, 40000};
    static const char *const hosts[] = {"h", NULL};
    const struct decode_limits limits = {.tcp_flows = 3,
                                         .tcp_buffers = 2,
                                         .tcp_buffer_bytes = 1024,
                                         .dns_pending = 4,
                                         .ntp_pending = 4,
                                         .window_ns = 4000000000};
    static struct decode *d; /* one for all inputs: the end of a context leaves nothing behind */
    struct err e;
    out.fold = fold;
    if (d == NULL && !decode_new(&d, &limits, hosts, &e))
        abort();
    const struct decode_stats *s = decode_stats(d);
    const uint64_t before = s->in;
    uint64_t ts_ns = 1000000000, n = 0;
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
        decode_burst(d, &rec, 1, &out);
        msgs_flush(&out);
        if (rec.outcome == OUT_FILTERED || rec.outcome == OUT_FRAGMENT || rec.outcome >= OUT_N)
            abort();
        if (rec.outcome == OUT_TRUNCATED && missed == 0)
            abort(); /* nothing was cut: blame the message */
        if (d->holders > limits.tcp_buffers || d->flows.n > limits.tcp_flows)
            abort();
        free(exact);
        data += HEAD + len;
        size -= HEAD + len;
        if (n % 32 == 0)
            decode_sweep(d, ts_ns, &out);
        if (n % 256 == 0)
            decode_origin_end(d, 1, &out);
    }
    decode_origin_end(d, 0, &out);
    decode_origin_end(d, 1, &out);
    uint64_t sum = 0;
    for (int o = 0; o < OUT_N; o++)
        sum += s->out[o];
    if (sum != s->in || s->in != before + n || d->holders != 0 || d->flows.n != 0)
        abort();
    for (uint32_t i = 1; i <= d->streams.top; i++)
        if (((struct stream *)stream_pool_at(&d->streams, i))->flow != 0)
            abort();
    uint32_t free_nodes = 0; /* every node came back */
    for (uint32_t i = d->nodes.free_head; i != 0;
         memcpy(&i, stream_pool_at(&d->nodes, i), sizeof i))
        free_nodes++;
    if (free_nodes != d->nodes.top)
        abort();
    return 0;
}
