/* The path of packets between workers, fed by hand through a ring (net_ring): order and times,
 * overload, fragments, what an adapter did to them; and telemetry. */
#include "tests/ingest/test_dpdk.h"

#ifdef TELLSCOPE_HAVE_DPDK
#include "ingest/dpdk_ports.h"

enum { FEED = 8191, IP_AT = 14 };

static struct ports *ports;
static struct rte_ring *wire;
static struct rte_mempool *feed;
static uint64_t sent, refused;

static struct side {
    struct source s;
    struct spread spread;
    struct headers *h;
    struct pkt pkts[BURST_MAX];
    struct rec recs[BURST_MAX];
} sides[2];

static void open_ring(void)
{
    static const char *const eal[] = {"-m", "256"};
    struct err e = {""};
    struct ports_options o = options_of();
    o.eal = eal;
    o.n_eal = 2;
    config.live.burst = 32;
    use_port("net_ring0", 2);
    CHECK(api->open(&ports, &o, &e), "%s", e.text);
    wire = rte_ring_lookup("ETH_RXTX0_net_ring0");
    feed = rte_pktmbuf_pool_create("feed", FEED, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
    CHECK(wire != NULL && feed != NULL, "no ring");
    for (unsigned w = 0; w < 2; w++) {
        CHECK(api->worker_begin(ports, w, &sides[w].s, &sides[w].spread, &e), "%s", e.text);
        CHECK(sides[w].spread.give != NULL, "two workers");
        sides[w].h = headers_for_test();
    }
    CHECK(api->start(ports, &e), "%s", e.text);
}

/* No buffer was given back twice: all that are there are different ones. */
static void check_buffers(void)
{
    static struct rte_mbuf *all[FEED];
    unsigned n = rte_mempool_avail_count(feed);
    CHECK(rte_pktmbuf_alloc_bulk(feed, all, n) == 0, "%u buffers", n);
    for (unsigned i = 0; i < n; i++)
        *(unsigned *)all[i]->buf_addr = i;
    for (unsigned i = 0; i < n; i++)
        CHECK(*(unsigned *)all[i]->buf_addr == i, "given back twice");
}

/* All is accounted for, and every buffer is back. */
static void close_ring(void)
{
    struct port_worker_stats s[2];
    for (unsigned w = 0; w < 2; w++) {
        api->worker_end(ports, w);
        headers_free(sides[w].h);
    }
    api->worker_stats(ports, 0, &s[0]);
    api->worker_stats(ports, 1, &s[1]);
    api->stop(ports);
    CHECK(s[0].received + s[1].received + rte_ring_count(wire) == sent, "%llu received",
          (unsigned long long)s[0].received);
    CHECK(s[0].given + s[1].given == s[0].taken + s[1].taken + s[0].turned_away + s[1].turned_away,
          "given");
    CHECK(rte_mempool_avail_count(feed) == FEED - rte_ring_count(wire), "%u buffers",
          rte_mempool_avail_count(feed));
    check_buffers();
    api->close(ports);
}

/* What one poll of a worker brings and keeps. */
static unsigned turn(unsigned worker)
{
    struct side *d = &sides[worker];
    struct err e = {""};
    d->s.release(d->s.ctx);
    int n = d->s.rx(d->s.ctx, d->pkts, BURST_MAX, &e);
    headers_burst(d->h, d->pkts, d->recs, (unsigned)n);
    return d->spread.give(d->s.ctx, d->pkts, d->recs, (unsigned)n);
}

static struct port_worker_stats stats_of(unsigned worker)
{
    struct port_worker_stats s;
    api->worker_stats(ports, worker, &s);
    return s;
}

/* An IPv4 frame of the pair 10.0.0.a, 10.0.0.b. */
static uint32_t frame(uint8_t *f, uint8_t a, uint8_t b, uint8_t proto, uint16_t frag,
                      const void *payload, uint16_t len)
{
    const uint8_t head[IP_AT + 20] = {2,
                                      0,
                                      0,
                                      0,
                                      0,
                                      1,
                                      2,
                                      0,
                                      0,
                                      0,
                                      0,
                                      2,
                                      8,
                                      0,
                                      0x45,
                                      0,
                                      (uint8_t)((20 + len) >> 8),
                                      (uint8_t)(20 + len),
                                      0,
                                      7,
                                      (uint8_t)(frag >> 8),
                                      (uint8_t)frag,
                                      64,
                                      proto,
                                      0,
                                      0,
                                      10,
                                      0,
                                      0,
                                      a,
                                      10,
                                      0,
                                      0,
                                      b};
    memcpy(f, head, sizeof head);
    memcpy(f + sizeof head, payload, len);
    return (uint32_t)sizeof head + len;
}

static struct rte_mbuf *buffer_of(const uint8_t *f, uint32_t len)
{
    struct rte_mbuf *m = rte_pktmbuf_alloc(feed);
    CHECK(m != NULL, "no buffer");
    memcpy(rte_pktmbuf_append(m, (uint16_t)len), f, len);
    return m;
}

static void send_mbuf(struct rte_mbuf *m)
{
    if (rte_ring_enqueue(wire, m) != 0) {
        rte_pktmbuf_free(m);
        refused++;
    } else {
        sent++;
    }
}

static const uint8_t udp[16] = {0x30, 0x39, 0,   53,  0,   16,  0,   0,
                                'p',  'a',  'y', 'l', 'o', 'a', 'd', '!'};

static void send_udp(uint8_t a, uint8_t b)
{
    uint8_t f[128];
    send_mbuf(buffer_of(f, frame(f, a, b, 17, 0, udp, sizeof udp)));
}

/* A second address so that the pair 10.0.0.1, 10.0.0.b is of this worker, or this queue by the
 * adapter's hash. */
static uint8_t partner(unsigned worker, const struct rss *r)
{
    for (unsigned b = 2; b < 255; b++) {
        struct addr x = addr_v4((uint8_t[]){10, 0, 0, 1}),
                    y = addr_v4((uint8_t[]){10, 0, 0, (uint8_t)b});
        if ((r != NULL ? rss_queue(r, &x, &y) : spread_owner(&x, &y, 2)) == worker)
            return (uint8_t)b;
    }
    CHECK(false, "no such pair");
}

/* ---- order, times, bytes */

static void ring_path(void)
{
    uint8_t f[4096], stay, go;
    open_ring();
    stay = partner(0, NULL);
    go = partner(1, NULL);
    send_udp(1, stay);
    send_udp(1, go);
    send_udp(stay, 1);
    uint32_t len = frame(f, go, 1, 17, 0, udp, sizeof udp);
    struct rte_mbuf *m = buffer_of(f, len);
    m->ol_flags |= RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED | RTE_MBUF_F_RX_L4_CKSUM_BAD;
    m->vlan_tci = 42;
    send_mbuf(m);
    uint8_t big[3000] = {0x30, 0x39, 0, 80, 3000 >> 8, (uint8_t)3000};
    for (unsigned i = 8; i < sizeof big; i++)
        big[i] = (uint8_t)(i * 7);
    len = frame(f, 1, go, 17, 0, big, sizeof big);
    m = buffer_of(f, 500); /* three segments */
    CHECK(rte_pktmbuf_chain(m, buffer_of(f + 500, 1500)) == 0
              && rte_pktmbuf_chain(m, buffer_of(f + 2000, len - 2000)) == 0,
          " ");
    send_mbuf(m);

    clock_says = UINT64_C(1700000000000000111);
    CHECK(turn(0) == 2, "kept");
    for (unsigned i = 0; i < 2; i++)
        CHECK(sides[0].recs[i].ts_ns == clock_says
                  && sides[0].pkts[i].bytes[i == 0 ? 33 : 29] == stay,
              "order");
    clock_says = UINT64_C(1700000000000000222);
    CHECK(turn(1) == 3, "handed over");
    struct side *d = &sides[1];
    for (unsigned i = 0; i < 3; i++)
        CHECK(d->pkts[i].ts_ns == UINT64_C(1700000000000000111), "the time it was received");
    CHECK(d->pkts[0].bytes[33] == go && d->recs[0].outcome == OUT_OK, "order");
    CHECK((d->recs[1].flags & REC_HAS_VLAN) != 0 && d->recs[1].vlan == 42
              && d->recs[1].outcome == OUT_OK,
          "the tag is back");
    CHECK(d->pkts[1].cap_len == 14 + 4 + 20 + 16 && d->pkts[1].wire_len == d->pkts[1].cap_len, "%u",
          d->pkts[1].cap_len);
    CHECK(d->pkts[2].cap_len == len && memcmp(d->pkts[2].bytes, f, len) == 0, "segments together");
    CHECK(d->recs[2].outcome == OUT_OK && d->recs[2].payload.left == sizeof big - 8, "walked");
    CHECK(turn(0) == 0 && turn(1) == 0, "no more");
    struct port_worker_stats a = stats_of(0), b = stats_of(1);
    CHECK(a.received == 5 && a.given == 3 && b.taken == 3 && b.received == 0 && a.taken == 0,
          "%llu", (unsigned long long)a.given);
    CHECK(a.busy == 1 && a.polls == 2 && a.misplaced + b.misplaced + a.cut + b.cut == 0, " ");
    close_ring();
}

static void test_ring(void **state)
{
    (void)state;
    in_child(ring_path);
}

/* ---- overload */

static void overload(void)
{
    enum { MANY = 6000 };
    open_ring();
    uint8_t go = partner(1, NULL);
    for (unsigned i = 0; i < MANY; i++) {
        send_udp(1, go);
        if (i % 30 == 29)
            CHECK(turn(0) == 0, "all are another's");
    }
    turn(0);
    struct port_worker_stats a = stats_of(0);
    CHECK(refused == 0 && a.received == MANY && a.given == MANY, "%llu",
          (unsigned long long)a.given);
    CHECK(a.turned_away == MANY - (RING_PKTS - 1), "%llu turned away",
          (unsigned long long)a.turned_away);
    for (unsigned i = 0; i < RING_PKTS / RING_TURN; i++)
        turn(1);
    CHECK(stats_of(1).taken == RING_PKTS - 1, "%llu", (unsigned long long)stats_of(1).taken);
    for (unsigned i = 0; i < 1100; i++) /* the wire holds 1023 */
        send_udp(1, go);
    CHECK(refused == 1100 - 1023, "%llu", (unsigned long long)refused);
    for (unsigned i = 0; i < 10; i++)
        turn(0);
    CHECK(stats_of(0).received == MANY + 320, "a burst a turn");
    close_ring(); /* with packets in rings */
}

static void test_overload(void **state)
{
    (void)state;
    in_child(overload);
}

/* ---- fragments */

static void fragments(void)
{
    uint8_t f[256], inner[128], tunnel[132] = {0, 0, 8, 0};
    open_ring();
    uint8_t go = partner(1, NULL);
    send_mbuf(buffer_of(f, frame(f, 1, go, 17, 0x2000, udp, 8)));
    send_mbuf(buffer_of(f, frame(f, 1, go, 17, 1, udp + 8, 8)));
    CHECK(turn(0) == 0, "both are another's, the one that completed it too");
    CHECK(turn(1) == 2 && sides[1].recs[0].outcome == OUT_FRAGMENT
              && sides[1].recs[1].outcome == OUT_OK,
          "whole there");
    CHECK((sides[1].recs[1].flags & REC_REASSEMBLED) != 0 && sides[1].recs[1].payload.left == 8,
          " ");
    CHECK(stats_of(0).misplaced + stats_of(1).misplaced == 0, " ");
    /* GRE, in two fragments, of another's pair; so is the pair inside */
    uint32_t len = frame(inner, go, 1, 17, 0, udp, sizeof udp) - IP_AT;
    memcpy(tunnel + 4, inner + IP_AT, len);
    send_mbuf(buffer_of(f, frame(f, 1, (uint8_t)(go + 100), 47, 0x2000, tunnel, 24)));
    send_mbuf(buffer_of(
        f, frame(f, 1, (uint8_t)(go + 100), 47, 3, tunnel + 24, (uint16_t)(len + 4 - 24))));
    unsigned kept = turn(0);
    const struct rec *last = &sides[0].recs[kept - 1];
    CHECK(kept >= 1 && last->outcome == OUT_OK && (last->flags & REC_REASSEMBLED) != 0,
          "kept where it is whole");
    CHECK(stats_of(0).misplaced == 1, "and said: %llu", (unsigned long long)stats_of(0).misplaced);
    close_ring();
}

static void test_fragments(void **state)
{
    (void)state;
    in_child(fragments);
}

/* ---- as if the adapter sharded */

static void adapter(void)
{
    uint8_t f[256], inner[128], tunnel[132] = {0, 0, 8, 0};
    static struct rss r;
    open_ring();
    rss_init(&r, 128, 2);
    ports->ports[0].rss_map = r;
    ports->ports[0].rss = true;
    ports->ports[0].spreading = false;
    send_udp(1, partner(0, &r));
    CHECK(turn(0) == 1 && stats_of(0).misplaced == 0, "right");
    send_udp(1, partner(1, &r));
    CHECK(turn(0) == 1 && stats_of(0).misplaced == 1 && stats_of(0).given == 0,
          "wrong, kept, said");
    uint32_t len = frame(inner, 1, partner(1, &r), 17, 0, udp, sizeof udp) - IP_AT;
    memcpy(tunnel + 4, inner + IP_AT, len);
    send_mbuf(buffer_of(f, frame(f, 1, partner(0, &r), 47, 0, tunnel, (uint16_t)(len + 4))));
    CHECK(turn(0) == 1 && stats_of(0).misplaced == 1 && stats_of(0).tunnelled == 1,
          "nothing is known of tunnels");
    uint8_t arp[60] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 6};
    send_mbuf(buffer_of(arp, sizeof arp));
    CHECK(turn(0) == 1 && stats_of(0).misplaced == 1 && stats_of(0).tunnelled == 1, "no addresses");
    api->redistribute(ports, 0);
    struct port_info i;
    api->info(ports, 0, &i);
    CHECK(i.distributed && !i.rss, "as if configured");
    send_udp(1, partner(1, NULL));
    CHECK(turn(0) == 0 && turn(1) == 1, "handed over");
    close_ring();
}

static void test_adapter(void **state)
{
    (void)state;
    in_child(adapter);
}

/* ---- as if the adapter told times */

static void send_timed(uint8_t b, bool told, uint64_t ticks)
{
    uint8_t f[128];
    struct rte_mbuf *m = buffer_of(f, frame(f, 1, b, 17, 0, udp, sizeof udp));
    if (told)
        m->ol_flags |= ports->rx_ts_flag;
    *RTE_MBUF_DYNFIELD(m, ports->rx_ts_offset, uint64_t *) = ticks;
    send_mbuf(m);
}

static void adapter_time(void)
{
    open_ring();
    uint8_t stay = partner(0, NULL);
    struct nic_clock *n = &ports->ports[0].nic;
    CHECK(rte_mbuf_dyn_rx_timestamp_register(&ports->rx_ts_offset, &ports->rx_ts_flag) == 0, " ");
    ports->workers[0].clock = PORT_CLOCK_NIC;
    clock_says = UINT64_C(1700000000000000000);
    n->ticks = 1000;
    n->ns = clock_says;
    n->rate = UINT64_C(2) << 32;
    send_timed(stay, true, 1500);
    send_timed(stay, true, 500);
    send_timed(stay, false, 1500);
    send_timed(stay, true, 1000 + 600000000); /* 1.2 s ahead */
    send_timed(stay, true, 0);
    CHECK(turn(0) == 5, " ");
    const struct pkt *p = sides[0].pkts;
    CHECK(p[0].ts_ns == clock_says + 1000 && p[1].ts_ns == clock_says - 1000, "the adapter's time");
    CHECK(p[2].ts_ns == clock_says && p[3].ts_ns == clock_says, "ours");
    CHECK(p[4].ts_ns == clock_says - 2000, "the adapter's");
    CHECK(stats_of(0).unclocked == 2, "%llu", (unsigned long long)stats_of(0).unclocked);
    close_ring();
}

static void test_adapter_time(void **state)
{
    (void)state;
    in_child(adapter_time);
}

/* ---- telemetry */

static void fill(void *ctx, struct port_answer *a)
{
    a->number(a, "packets", UINT64_MAX);
    a->text(a, "sensor", ctx);
    a->begin(a, "worker-0");
    a->number(a, "polls", 7);
    a->text(a, "state", "idle");
    a->end(a);
    a->number(a, "after", 1);
}

static void telemetry(void)
{
    struct err e = {""};
    char command[256], text[8192];
    open_ring();
    CHECK(api->telemetry(ports, "/tellscope/stats", "Counters of the run", fill, "a \"name\"", &e),
          "%s", e.text);
    snprintf(command, sizeof command, "echo /tellscope/stats | dpdk-telemetry.py -f %s",
             api->prefix(ports));
    FILE *f = popen(command, "r");
    CHECK(f != NULL, " ");
    size_t n = fread(text, 1, sizeof text - 1, f);
    text[n] = '\0';
    CHECK(pclose(f) == 0, "%s", text);
    if (getenv("TELLSCOPE_TEST_SHOW") != NULL)
        fprintf(stderr, "%s\n", text);
    CHECK(strstr(text, "\"packets\": 18446744073709551615") != NULL, "%s", text);
    CHECK(strstr(text, "\"sensor\": \"a ?name?\"") != NULL, "%s", text);
    CHECK(strstr(text, "\"worker_0\": {\"polls\": 7, \"state\": \"idle\"}, \"after\": 1}") != NULL,
          "%s", text);
    close_ring();
}

static void test_telemetry(void **state)
{
    (void)state;
    if (system("command -v dpdk-telemetry.py >/dev/null") != 0) {
        print_message("skipped: no dpdk-telemetry.py (Debian: dpdk)\n");
        skip();
    }
    in_child(telemetry);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ring),         cmocka_unit_test(test_overload),
        cmocka_unit_test(test_fragments),    cmocka_unit_test(test_adapter),
        cmocka_unit_test(test_adapter_time), cmocka_unit_test(test_telemetry),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
#else
int main(void)
{
    puts("skipped: built without the module for live ports (libdpdk-dev)");
    return 77;
}
#endif
