/* The header walk on any bytes: a burst of packets cut out of the input.
 *
 * Input: records of link type (2), flags (1), bytes missed (1), length (2), and the bytes of a
 * packet. */
#include "ingest/headers.h"

#include "ingest/headers_walk.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

/* What holds of a record, whatever the packet. */
static void check_record(const struct pkt *pkt, const struct rec *r)
{
    check(r->outcome < OUT_N && r->depth <= HEADERS_DEPTH_MAX);
    check((r->outcome == OUT_FILTERED) == pkt->filtered);
    check(r->outcome != OUT_TRUNCATED || pkt->wire_len > pkt->cap_len); /* else blame the packet */
    check(r->outcome != OUT_OK || (r->flags & REC_HAS_PORTS) != 0);
    check((r->flags & REC_HAS_PORTS) == 0 || ((r->flags & REC_HAS_IP) != 0 && r->ip_outer != 0));
    check(r->payload.p != NULL && r->payload.left <= r->payload_wire_len);
    check(r->payload.snapped == (r->payload.left < r->payload_wire_len));
    if (r->payload.left > 0 && (r->flags & REC_REASSEMBLED) == 0)
        check(r->payload.p >= pkt->bytes && r->payload.left <= pkt->cap_len
              && (size_t)(r->payload.p - pkt->bytes) <= pkt->cap_len - r->payload.left);
    uint8_t sum = 0; /* every byte of the payload can be read */
    for (size_t i = 0; i < r->payload.left; i++)
        sum ^= r->payload.p[i];
    __asm__ volatile("" : : "r"(sum));
}

/* The short cut for plain packets and the walk see the same. */
static void check_same(const struct pkt *pkt, struct rec fast, struct headers *other)
{
    if (pkt->filtered)
        return;
    struct rec slow;
    memset(&slow, 0, sizeof slow);
    headers_walk(other, pkt, &slow);
    check(slow.payload.left == fast.payload.left && slow.payload.snapped == fast.payload.snapped);
    memset(&slow.payload, 0, sizeof slow.payload);
    memset(&fast.payload, 0, sizeof fast.payload);
    check(memcmp(&slow, &fast, sizeof slow) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct headers *h, *other; /* made once: their memory is large */
    if (h == NULL) {
        static const struct headers_limits limits = {4, 3 * 2048, 60000};
        struct err e;
        check(headers_new(&h, &limits, &e) && headers_new(&other, &limits, &e));
    }
    struct headers_stats before = *headers_stats(h);

    struct cur in = cur_of(data, size, size);
    struct pkt pkts[BURST_MAX];
    static struct rec recs[BURST_MAX];
    uint8_t *exact[BURST_MAX]; /* exact size, on the heap: an over-read of one is seen */
    unsigned n = 0;
    uint16_t link, len;
    uint8_t flags, missed;
    while (n < BURST_MAX && cur_u16(&in, &link) && cur_u8(&in, &flags) && cur_u8(&in, &missed)
           && cur_u16(&in, &len)) {
        struct cur bytes;
        if (!cur_take(&in, len < in.left ? len : in.left, &bytes))
            break;
        exact[n] = malloc(bytes.left > 0 ? bytes.left : 1);
        if (exact[n] == NULL)
            abort();
        memcpy(exact[n], bytes.p, bytes.left);
        uint32_t cap_len = (uint32_t)bytes.left;
        bool less =
            (flags & 2) != 0 && missed <= cap_len; /* damaged: less on the wire than captured */
        pkts[n] = (struct pkt){.bytes = exact[n],
                               .cap_len = cap_len,
                               .wire_len = less ? cap_len - missed : cap_len + missed,
                               .ts_ns = (uint64_t)n * (flags >> 4) * UINT64_C(10000000000),
                               .ord = n,
                               .link = link,
                               .origin = flags >> 2 & 1,
                               .filtered = (flags & 1) != 0};
        n++;
    }
    memset(recs, 0, sizeof recs);
    headers_burst(h, pkts, recs, n);
    frag_burst(other->frags);
    for (unsigned i = 0; i < n; i++) {
        check_record(&pkts[i], &recs[i]);
        check_same(&pkts[i], recs[i], other);
    }
    const struct headers_stats *s = headers_stats(h);
    check(s->datagrams - before.datagrams <= s->fragments - before.fragments);
    check(s->too_deep - before.too_deep <= n);
    for (uint16_t origin = 0; origin < 2; origin++) { /* nothing is left for the next input */
        headers_origin_end(h, origin);
        headers_origin_end(other, origin);
    }
    for (unsigned i = 0; i < n; i++)
        free(exact[i]);
    return 0;
}
