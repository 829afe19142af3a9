#define _GNU_SOURCE
#include "ingest/dpdk_mbuf.h"
#include "ingest/dpdk_ports.h"

#include <rte_lcore.h>
#include <rte_prefetch.h>

#include <stdio.h>
#include <stdlib.h>

enum { AHEAD = 4 }; /* packets whose bytes are fetched before they are needed */

#define FAR_OFF_NS UINT64_C(1000000000)

static inline void count_add(_Atomic uint64_t *c, uint64_t n)
{
    uint64_t v = atomic_load_explicit(c, memory_order_relaxed);
    atomic_store_explicit(c, v + n, memory_order_relaxed);
}

static inline uint64_t *own_time(const struct worker *w, struct rte_mbuf *m)
{
    return RTE_MBUF_DYNFIELD(m, w->ports->ts_offset, uint64_t *);
}

/* Time of a packet from the queue; `now` where the driver tells none that can be right. */
static uint64_t time_of(struct worker *w, struct rte_mbuf *m, uint64_t now)
{
    const struct ports *p = w->ports;
    if (w->clock == PORT_CLOCK_TSC)
        return now;
    if (p->rx_ts_offset >= 0 && (m->ol_flags & p->rx_ts_flag) != 0) {
        uint64_t told = *RTE_MBUF_DYNFIELD(m, p->rx_ts_offset, uint64_t *);
        if (w->clock == PORT_CLOCK_CAPTURE) /* net_pcap tells microseconds; from 2038 on libpcap's
                                               seconds are negative */
            return ((int64_t)told < 0 ? told + (UINT64_C(1000000) << 32) : told) * 1000;
        uint64_t ns = nic_clock_ns(&w->port->nic, told);
        if (ns - now + FAR_OFF_NS <= 2 * FAR_OFF_NS)
            return ns;
    }
    count_add(&w->count.unclocked, 1);
    return now;
}

static void bytes_of(struct worker *w, unsigned i, struct pkt *p)
{
    struct rte_mbuf *m = w->held[i];
    struct mbuf_bytes b;
    if (likely(mbuf_plain(m)))
        b = (struct mbuf_bytes){rte_pktmbuf_mtod(m, uint8_t *), m->data_len, m->pkt_len};
    else
        b = mbuf_wire(m, w->scratch + (size_t)i * SCRATCH_BYTES, SCRATCH_BYTES);
    if (unlikely(b.len < b.wire_len && b.len == SCRATCH_BYTES))
        count_add(&w->count.cut, 1);
    p->bytes = b.p;
    p->cap_len = b.len;
    p->wire_len = b.wire_len;
    p->link = LINK_ETHERNET;
}

/* Packets that others handed over, with the times they gave them. */
static unsigned take(struct worker *w, struct pkt pkts[], unsigned max)
{
    unsigned n = rte_ring_sc_dequeue_burst(w->ring, (void **)w->held, max, NULL);
    for (unsigned i = 0; i < n; i++) {
        rte_mbuf_prefetch_part1(w->held[i]);
        rte_mbuf_prefetch_part2(w->held[i]); /* our time */
    }
    for (unsigned i = 0; i < n; i++) {
        pkts[i].ts_ns = *own_time(w, w->held[i]);
        rte_prefetch0(rte_pktmbuf_mtod(w->held[i], void *));
    }
    if (n > 0)
        count_add(&w->count.taken, n);
    return n;
}

static unsigned poll_queue(struct worker *w, struct pkt pkts[], unsigned max)
{
    unsigned at = w->n_taken;
    unsigned n = rte_eth_rx_burst(w->port_id, w->index, w->held + at,
                                  (uint16_t)RTE_MIN(max, (unsigned)w->burst));
    if (n == 0)
        return 0;
    uint64_t bytes = 0, now = w->ports->options.now(w->ports->options.clock, &w->view);
    for (unsigned i = 0; i < n && i < AHEAD; i++)
        rte_prefetch0(rte_pktmbuf_mtod(w->held[at + i], void *));
    for (unsigned i = 0; i < n; i++) {
        if (i + AHEAD < n)
            rte_prefetch0(rte_pktmbuf_mtod(w->held[at + i + AHEAD], void *));
        bytes += w->held[at + i]->pkt_len;
        pkts[at + i].ts_ns = time_of(w, w->held[at + i], now);
    }
    count_add(&w->count.received, n);
    count_add(&w->count.bytes, bytes);
    return n;
}

/* A file waits for us, a wire does not: while another worker of the port is behind, no more is
 * read. */
static bool must_wait(const struct worker *w)
{
    if (w->clock != PORT_CLOCK_CAPTURE || !w->port->multi)
        return false;
    for (unsigned i = 0; i < w->port->n_workers; i++)
        if (rte_ring_count(w->port->workers[i].ring) > RING_PKTS / 4)
            return true;
    return false;
}

static int rx(void *ctx, struct pkt pkts[], unsigned max, struct err *e)
{
    struct worker *w = ctx;
    (void)e;
    assert(w->n_held == 0);
    max = RTE_MIN(max, (unsigned)BURST_MAX);
    uint8_t state = atomic_load_explicit(&w->port->state, memory_order_acquire);
    bool open = w->has_queue && state == PORT_OPEN;
    w->n_taken =
        w->ring != NULL ? take(w, pkts, open ? RTE_MIN(max, (unsigned)RING_TURN) : max) : 0;
    w->n_held = w->n_taken;
    if (open && !must_wait(w))
        w->n_held += poll_queue(w, pkts, max - w->n_taken);
    else if (state == PORT_CLOSED && !atomic_load_explicit(&w->quiet, memory_order_relaxed))
        atomic_store_explicit(&w->quiet, true, memory_order_release);
    for (unsigned i = 0; i < w->n_held; i++)
        bytes_of(w, i, &pkts[i]);
    count_add(&w->count.polls, 1);
    if (w->n_held > 0)
        count_add(&w->count.busy, 1);
    return (int)w->n_held;
}

static void release(void *ctx)
{
    struct worker *w = ctx;
    if (w->n_held > 0)
        rte_pktmbuf_free_bulk(w->held, w->n_held);
    w->n_held = w->n_taken = 0;
}

/* Is the packet known by the addresses the adapter sees? */
static bool same_pair(const struct pkt *p, const struct rec *r)
{
    struct addr src, dst;
    return rss_outer(p->bytes, p->cap_len, &src, &dst) && addr_equal(&src, &r->src)
           && addr_equal(&dst, &r->dst);
}

/* The adapter shards: did it as we think? Of what it shards by other addresses than ours nothing
 * can be said. */
static unsigned check_all(struct worker *w, const struct pkt pkts[], const struct rec recs[],
                          unsigned n)
{
    unsigned tunnelled = 0, misplaced = 0;
    for (unsigned i = 0; i < n; i++) {
        if ((recs[i].flags & REC_HAS_IP) == 0)
            continue;
        if (!same_pair(&pkts[i], &recs[i]))
            tunnelled++;
        else if (rss_queue(&w->port->rss_map, &recs[i].src, &recs[i].dst) != w->index)
            misplaced++;
    }
    if (tunnelled > 0)
        count_add(&w->count.tunnelled, tunnelled);
    if (misplaced > 0)
        count_add(&w->count.misplaced, misplaced);
    return n;
}

/* Who is to have packet `i`; this worker, where it cannot be moved. What came over a ring stays: it
 * was sent here for its pair, and must not go in circles. The last fragment of a datagram may go:
 * the others went the same way, unless the datagram was a tunnel's, whose fragments carry other
 * addresses. Then all the fragments were walked here, and only here is it whole. */
static unsigned owner_of(struct worker *w, const struct pkt pkts[], const struct rec recs[],
                         unsigned i)
{
    const struct rec *r = &recs[i];
    if ((r->flags & REC_HAS_IP) == 0)
        return w->index;
    unsigned owner = spread_owner(&r->src, &r->dst, w->port->n_workers);
    if (owner == w->index)
        return owner;
    if (i >= w->n_taken && ((r->flags & REC_REASSEMBLED) == 0 || same_pair(&pkts[i], r)))
        return owner;
    count_add(&w->count.misplaced, 1);
    return w->index;
}

static void hand_over(struct worker *w, unsigned to)
{
    struct rte_mbuf **m = w->batch[to];
    unsigned n = w->n_batch[to];
    unsigned done = rte_ring_mp_enqueue_burst(w->port->workers[to].ring, (void *const *)m, n, NULL);
    if (done < n) {
        rte_pktmbuf_free_bulk(m + done, n - done);
        count_add(&w->count.turned_away, n - done);
    }
    count_add(&w->count.given, n);
    w->n_batch[to] = 0;
}

static unsigned give(void *ctx, struct pkt pkts[], struct rec recs[], unsigned n)
{
    struct worker *w = ctx;
    assert(n == w->n_held);
    if (!atomic_load_explicit(&w->port->spreading, memory_order_relaxed))
        return check_all(w, pkts, recs, n);
    unsigned kept = 0;
    uint64_t others = 0; /* workers that get some: WORKERS_MAX bits */
    for (unsigned i = 0; i < n; i++) {
        unsigned owner = owner_of(w, pkts, recs, i);
        if (owner != w->index) {
            *own_time(w, w->held[i]) = pkts[i].ts_ns;
            w->batch[owner][w->n_batch[owner]++] = w->held[i];
            others |= UINT64_C(1) << owner;
            continue;
        }
        if (kept < i) {
            w->held[kept] = w->held[i];
            pkts[kept] = pkts[i];
            recs[kept] = recs[i];
        }
        kept++;
    }
    for (; others != 0; others &= others - 1)
        hand_over(w, (unsigned)__builtin_ctzll(others));
    w->n_held = kept;
    return kept;
}

bool worker_new(struct ports *p, struct port *port, unsigned i, struct err *e)
{
    struct worker *w = &port->workers[i];
    w->ports = p;
    w->port = port;
    w->port_id = port->id;
    w->index = (uint16_t)i;
    w->has_queue = i < port->n_queues;
    w->burst = (uint16_t)p->options.config->live.burst;
    w->clock = port->clock;
    atomic_store(&w->quiet, true);                          /* until it has begun */
    w->scratch = malloc((size_t)BURST_MAX * SCRATCH_BYTES); /* touched when it is needed */
    bool ok = w->scratch != NULL;
    if (ok && port->multi) {
        char name[RTE_RING_NAMESIZE];
        snprintf(name, sizeof name, "tellscope_%u_%u", port->id, i);
        int socket = rte_eth_dev_socket_id(port->id);
        w->ring = rte_ring_create(name, RING_PKTS, socket, RING_F_SC_DEQ);
        if (w->ring == NULL)
            w->ring = rte_ring_create(name, RING_PKTS, SOCKET_ID_ANY, RING_F_SC_DEQ);
        ok = w->ring != NULL;
    }
    if (!ok)
        err_set(e, "out of memory for a worker");
    return ok;
}

void worker_free(struct worker *w)
{
    rte_ring_free(w->ring);
    free(w->scratch);
}

bool worker_begin(struct ports *p, unsigned worker, struct source *s, struct spread *spread,
                  struct err *e)
{
    struct worker *w = &p->workers[worker];
    w->registered = rte_lcore_id() == LCORE_ID_ANY;
    if (w->registered && rte_thread_register() != 0) { /* without it, no cache of free buffers */
        err_set(e, "worker %u: DPDK takes no more threads", worker);
        return false;
    }
    w->begun = true;
    atomic_fetch_add(&w->port->n_begun, 1);
    atomic_store(&w->quiet, false);
    *s = (struct source){.rx = rx, .release = release, .ctx = w};
    *spread = (struct spread){.give = w->port->multi ? give : NULL, .ctx = w};
    return true;
}

/* The last worker of a port ends: what is left in rings nobody will read. */
static void empty_rings(struct port *port)
{
    struct rte_mbuf *m[BURST_MAX];
    for (unsigned i = 0; i < port->n_workers; i++) {
        struct worker *w = &port->workers[i];
        unsigned n;
        while (w->ring != NULL
               && (n = rte_ring_sc_dequeue_burst(w->ring, (void **)m, BURST_MAX, NULL)) > 0) {
            rte_pktmbuf_free_bulk(m, n);
            count_add(&w->count.turned_away, n);
        }
    }
}

void worker_end(struct ports *p, unsigned worker)
{
    struct worker *w = &p->workers[worker];
    if (!w->begun)
        return;
    release(w);
    w->begun = false;
    atomic_store_explicit(&w->quiet, true, memory_order_release);
    if (atomic_fetch_sub(&w->port->n_begun, 1) == 1)
        empty_rings(w->port);
    if (w->registered)
        rte_thread_unregister();
}

void worker_stats(const struct ports *p, unsigned worker, struct port_worker_stats *s)
{
    const struct worker_counters *c = &p->workers[worker].count;
    _Atomic uint64_t const *const from[] = {
        &c->polls,       &c->busy,      &c->received,  &c->bytes, &c->given,     &c->taken,
        &c->turned_away, &c->misplaced, &c->tunnelled, &c->cut,   &c->unclocked,
    };
    uint64_t *const to[] = {
        &s->polls,       &s->busy,      &s->received,  &s->bytes, &s->given,     &s->taken,
        &s->turned_away, &s->misplaced, &s->tunnelled, &s->cut,   &s->unclocked,
    };
    static_assert(sizeof to / sizeof *to * sizeof **to == sizeof *s, "all of them");
    for (unsigned i = 0; i < sizeof to / sizeof *to; i++)
        *to[i] = atomic_load_explicit(from[i], memory_order_relaxed);
}
