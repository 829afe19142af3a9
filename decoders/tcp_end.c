/* What becomes of connections at the end of a capture context or a window, without a packet. */
#include "decoders/tcp_part.h"
#include "decoders/tls_session.h"

void tcp_end_quietly(struct decode *d, uint32_t slot, struct msgs *out)
{
    struct stream_at at;
    tcp_at(&at, d, slot, NULL, 0, out);
    if (at.stream == NULL)
        return;
    stream_make_up(&at, PROTO_TLS);
    stream_flush(&at);
    if (at.flow->kind == FLOW_TLS)
        tls_session_end(&at, false);
    stream_close(&at);
}

static uint64_t first_ord(const struct decode *d, const struct flow *f)
{
    if (f->flags & FLOW_CALM)
        return ((const struct tls_calm *)stream_pool_at(&d->calm, f->stream))->first_ord;
    return ((const struct stream *)stream_pool_at(&d->streams, f->stream))->first_ord;
}

static bool before(const struct decode_open *a, const struct decode_open *b)
{
    return a->first_ord != b->first_ord ? a->first_ord < b->first_ord : a->slot < b->slot;
}

/* Lets open[at] sink to its place in the heap of `n`, the latest on top. */
static void sink(struct decode_open open[], uint32_t at, uint32_t n)
{
    for (uint32_t child = 2 * at + 1; child < n; child = 2 * at + 1) {
        if (child + 1 < n && before(&open[child], &open[child + 1]))
            child++;
        if (!before(&open[at], &open[child]))
            return;
        struct decode_open swap = open[at];
        open[at] = open[child];
        open[child] = swap;
        at = child;
    }
}

/* A heap sort: qsort(3) may allocate. */
static void sort_open(struct decode_open open[], uint32_t n)
{
    for (uint32_t i = n / 2; i > 0; i--)
        sink(open, i - 1, n);
    for (; n > 1; n--) {
        struct decode_open last = open[0];
        open[0] = open[n - 1];
        open[n - 1] = last;
        sink(open, 0, n - 1);
    }
}

/* The connections of `origin` with stream state, in the order in which that began. */
static uint32_t gather_open(struct decode *d, uint16_t origin)
{
    uint32_t n = 0;
    for (uint32_t slot = 1; slot <= d->flows.top; slot++) {
        const struct flow *f = &d->flows.flows[slot];
        if (f->stream != 0 && f->flags & FLOW_USED && flow_origin(f) == origin)
            d->open[n++] = (struct decode_open){.first_ord = first_ord(d, f), .slot = slot};
    }
    sort_open(d->open, n);
    return n;
}

void tcp_origin_end(struct decode *d, uint16_t origin, struct msgs *out)
{
    uint32_t n = gather_open(d, origin);
    for (uint32_t i = 0; i < n; i++) {
        made_up_room(d, out);
        tcp_end_quietly(d, d->open[i].slot, out);
    }
    msgs_flush(out);
    d->n_made_up = 0;
    tcp_table_forget(&d->flows, origin);
}

void tcp_sweep(struct decode *d, uint32_t slot, uint64_t before_ns, struct msgs *out)
{
    const struct flow *f = &d->flows.flows[slot];
    if (f->stream == 0 || (f->flags & FLOW_USED) == 0 || f->kind != FLOW_TLS)
        return;
    bool calm = f->flags & FLOW_CALM;
    if (calm && !tls_calm_counted(stream_pool_at(&d->calm, f->stream)))
        return;
    struct stream_at at;
    tcp_at(&at, d, slot, NULL, 0, out);
    made_up_room(d, out);
    stream_make_up(&at, PROTO_TLS);
    tls_session_sweep(&at, before_ns);
    if (calm)
        tls_calm_down(d, at.flow);
}
