/* Opening and closing ports: what the configuration asks of them, what cannot be, a worker that
 * hangs. */
#include "tests/ingest/test_dpdk.h"

#ifdef TELLSCOPE_HAVE_DPDK

/* ---- an adapter's hash, as net_null pretends to have */

static void adapter_hash(void)
{
    struct err e = {""};
    struct port_info i;
    config.live.distribute = DISTRIBUTE_RSS;
    use_port("net_null0", 2);
    struct ports *p = open_configured();
    CHECK(api->start(p, &e), "%s", e.text);
    api->info(p, 0, &i);
    CHECK(i.rss && !i.distributed && i.queues == 2 && i.rss_why[0] == '\0', "%s", i.rss_why);
    api->stop(p);
    api->close(p);
}

static void no_adapter_hash(void)
{
    struct err e = {""};
    struct port_info i;
    use_port("net_null0", 2);
    struct ports *p = open_configured();
    CHECK(api->start(p, &e), "%s", e.text);
    api->info(p, 0, &i);
    CHECK(!i.rss && i.distributed && strstr(i.rss_why, "not known") != NULL, "%s", i.rss_why);
    api->close(p);
}

static void tunnels(void)
{
    struct err e = {""};
    struct port_info i;
    config.site_by = SITE_BY_VNI;
    use_port("net_null0", 2);
    struct ports *p = open_configured();
    CHECK(api->start(p, &e), "%s", e.text);
    api->info(p, 0, &i);
    CHECK(!i.rss && i.distributed && strstr(i.rss_why, "tunnels") != NULL, "%s", i.rss_why);
    api->close(p);
}

static void test_adapter_hash(void **state)
{
    (void)state;
    in_child(adapter_hash);
    in_child(no_adapter_hash);
    in_child(tunnels);
}

/* ---- what cannot be: one line that says so */

static const struct refusal {
    const char *name, *device, *cpus, *eal;
    unsigned workers;
    uint8_t distribute;
    const char *says;
} refusals[] = {
    {"no such file", "net_pcap0,rx_pcap=/nonexistent.pcap", "", NULL, 1, DISTRIBUTE_AUTO,
     "nonexistent"},
    {"no such interface", "net_af_packet0,iface=nonexistent", "", NULL, 1, DISTRIBUTE_AUTO,
     "port net_af_packet0: no driver of DPDK took it"},
    {"no such driver", "net_nonexistent0", "", NULL, 1, DISTRIBUTE_AUTO, "net_nonexistent0"},
    {"no such adapter", "0000:ff:1f.7", "", NULL, 1, DISTRIBUTE_AUTO,
     "port 0000:ff:1f.7: no driver"},
    {"an argument EAL does not know", "net_null0", "", "--nonexistent", 1, DISTRIBUTE_AUTO,
     "Invalid 'command line' arguments"},
    {"more workers than processors", "net_null0", "0", NULL, 2, DISTRIBUTE_AUTO,
     "2 workers, and cpus \"0\""},
    {"processors that are none", "net_null0", "0-", NULL, 1, DISTRIBUTE_AUTO, "cpus \"0-\""},
    {"no workers", "net_null0", "", NULL, 0, DISTRIBUTE_AUTO, "0 workers"},
    {"a hash the driver does not have", "net_ring0", "", NULL, 2, DISTRIBUTE_RSS,
     "live.distribute rss: "},
};
static const struct refusal *refusal;

static void refuse(void)
{
    struct ports *p;
    struct err e = {""};
    struct ports_options o = options_of();
    config.live.burst = 32;
    config.live.distribute = refusal->distribute;
    use_port(refusal->device, refusal->workers);
    snprintf(config.live.ports[0].cpus, sizeof config.live.ports[0].cpus, "%s", refusal->cpus);
    o.eal = &refusal->eal;
    o.n_eal = refusal->eal != NULL;
    bool ok = api->open(&p, &o, &e);
    if (ok) {
        ok = api->start(p, &e);
        api->close(p);
    }
    if (getenv("TELLSCOPE_TEST_SHOW") != NULL)
        fprintf(stderr, "%s: %s\n", refusal->name, e.text);
    CHECK(!ok, "%s: taken", refusal->name);
    CHECK(strstr(e.text, refusal->says) != NULL, "%s: %s", refusal->name, e.text);
}

static void test_refusals(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        refusal = &refusals[i];
        in_child(refuse);
    }
}

/* ---- a worker that hangs */

static void hung_worker(void)
{
    struct source s;
    struct spread spread;
    struct err e = {""};
    struct pkt pkts[BURST_MAX];
    struct timespec a, b;
    use_port("net_null0", 1);
    struct ports *p = open_configured();
    CHECK(api->worker_begin(p, 0, &s, &spread, &e), "%s", e.text);
    CHECK(s.rx(s.ctx, pkts, BURST_MAX, &e) == 0, "not open yet");
    CHECK(api->start(p, &e), "%s", e.text);
    CHECK(s.rx(s.ctx, pkts, BURST_MAX, &e) > 0, "open");
    s.release(s.ctx);
    clock_gettime(CLOCK_MONOTONIC, &a);
    api->stop(p);
    clock_gettime(CLOCK_MONOTONIC, &b);
    double waited = (double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) / 1e9;
    CHECK(waited >= 0.9 && waited < 5, "a worker may read the queue when the port stops: %.3f s",
          waited);
    CHECK(s.rx(s.ctx, pkts, BURST_MAX, &e) == 0, "closed");
    api->worker_end(p, 0);
    api->close(p);
}

static void test_hung(void **state)
{
    (void)state;
    in_child(hung_worker);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_adapter_hash),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_hung),
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
