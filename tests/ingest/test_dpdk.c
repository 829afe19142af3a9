/* Ports of DPDK's virtual devices: bytes, times, hand-over, accounting. Without a network, huge
 * pages or privileges. */
#include "tests/ingest/test_dpdk.h"

#ifdef TELLSCOPE_HAVE_DPDK
#include "ingest/capture.h"

#include <pthread.h>

/* ---- one worker */

static void null_port(void)
{
    struct source s;
    struct spread spread;
    struct err e = {""};
    struct pkt pkts[BURST_MAX] = {0};
    struct port_info i;
    struct port_stats ps;
    struct port_worker_stats ws;
    uint64_t unused, all, packets = 0, bytes = 0, before;
    config.live.burst = 64;
    use_port("net_null0,size=64", 1);
    struct ports *p = open_configured();
    CHECK(api->n_ports(p) == 1 && api->n_workers(p) == 1 && api->port_of(p, 0) == 0
              && api->cpu_of(p, 0) == -1,
          " ");
    CHECK(api->worker_begin(p, 0, &s, &spread, &e), "%s", e.text);
    CHECK(spread.give == NULL, "one worker has nobody to give to");
    CHECK(s.rx(s.ctx, pkts, BURST_MAX, &e) == 0, "closed");
    CHECK(api->start(p, &e), "%s", e.text);
    api->info(p, 0, &i);
    CHECK(strcmp(i.driver, "net_null") == 0 && i.clock == PORT_CLOCK_TSC && !i.rss
              && !i.distributed,
          "%s", i.driver);
    api->buffers(p, 0, &before, &all);
    clock_says = 1700000000123456789;
    for (unsigned polls = 0; polls < 1000; polls++) {
        int n = s.rx(s.ctx, pkts, BURST_MAX, &e);
        CHECK(n == BURST_MAX, "%d", n);
        for (int k = 0; k < n; k++) {
            CHECK(pkts[k].cap_len == 64 && pkts[k].wire_len == 64 && pkts[k].link == 1, "%u",
                  pkts[k].cap_len);
            CHECK(pkts[k].ts_ns == 1700000000123456789, "%llu", (unsigned long long)pkts[k].ts_ns);
            bytes += pkts[k].wire_len;
        }
        packets += (unsigned)n;
        s.release(s.ctx);
    }
    api->worker_stats(p, 0, &ws);
    api->port_stats(p, 0, &ps);
    CHECK(ws.polls == 1001 && ws.busy == 1000 && ws.received == packets && ws.bytes == bytes,
          "%llu", (unsigned long long)ws.polls);
    CHECK(ps.received == packets && ps.missed == 0 && ps.no_mbuf == 0, "%llu",
          (unsigned long long)ps.received);
    CHECK(ps.queue[0].received == packets, "%llu", (unsigned long long)ps.queue[0].received);
    char text[512];
    CHECK(api->xstats(p, 0, text, sizeof text) > 0
              && strstr(text, "rx_good_packets 64000\n") != NULL,
          "%s", text);
    CHECK(strstr(text, " 0\n") == NULL, "%s", text);
    CHECK(api->xstats(p, 0, text, 30) <= 29 && (text[0] == '\0' || text[strlen(text) - 1] == '\n'),
          "%s", text);
    api->buffers(p, 0, &unused, &all);
    CHECK(unused <= all && all > 2000, "%llu of %llu", (unsigned long long)unused,
          (unsigned long long)all);
    api->worker_end(p, 0);
    api->stop(p);
    api->close(p);
}

static void test_null(void **state)
{
    (void)state;
    in_child(null_port);
}

/* ---- captures, as the reader of files reads them */

static const char *const captures[] = {
    "CESNET_FlowTest__pcap_802.1Q_tunneling.pcap",
    "CESNET_FlowTest__pcap_dns_tcp.pcap",
    "CESNET_FlowTest__pcap_ipv4-udp-fragmented.pcap",
    "OISF_suricata-verify__tests_ethernet-eve_test.pcap", /* frames of 16 KiB */
    "cisco_mercury__unit_tests_pcaps_quic_reordered_frames.pcap",
    "google_testrun__testing_unit_ntp_captures_monitor.pcap",
    "ntop_nDPI__tests_cfgs_default_pcap_fuzz-2006-06-26-2594.pcap",
    "ntop_nDPI__tests_cfgs_default_pcap_waze.pcap",
    "ntop_nDPI__tests_cfgs_default_pcap_wechat.pcap",
    "the-tcpdump-group_tcpdump__tests_dns_fwdptr.pcap", /* one of 63,207 bytes */
    "the-tcpdump-group_tcpdump__tests_gso-ipv4-vxlan-ipv4.pcap",
    "zeek_zeek__testing_btest_Traces_dns-edns-ecs.pcap", /* fragments */
    "zeek_zeek__testing_btest_Traces_tls_heartbleed.pcap",
};
enum { CAPTURES = sizeof captures / sizeof *captures };

static void same_as_file(struct ports *p, unsigned worker, const char *path)
{
    static struct pkt got[BURST_MAX];
    struct capture *c;
    struct source live, file;
    struct spread spread;
    struct err e = {""};
    struct pkt want;
    bool damaged;
    unsigned n = 0, at = 0, packets = 0;
    CHECK(capture_open(&c, path, &damaged, &e), "%s", e.text);
    CHECK(api->worker_begin(p, worker, &live, &spread, &e), "%s", e.text);
    file = capture_source(c);
    while (file.rx(file.ctx, &want, 1, &e) == 1) {
        if (at == n) {
            live.release(live.ctx);
            int more = live.rx(live.ctx, got, BURST_MAX, &e);
            CHECK(more > 0, "%s: ends after %u packets", path, packets);
            n = (unsigned)more;
            at = 0;
        }
        CHECK(got[at].wire_len == want.wire_len && got[at].cap_len == want.cap_len,
              "%s: packet %u: %u bytes of %u", path, packets, got[at].cap_len, got[at].wire_len);
        CHECK(got[at].ts_ns == want.ts_ns, "%s: packet %u: time %llu", path, packets,
              (unsigned long long)got[at].ts_ns);
        CHECK(memcmp(got[at].bytes, want.bytes, want.cap_len) == 0, "%s: packet %u: other bytes",
              path, packets);
        packets++;
        at++;
        file.release(file.ctx);
    }
    live.release(live.ctx);
    CHECK(at == n && live.rx(live.ctx, got, BURST_MAX, &e) == 0, "%s: more than %u packets", path,
          packets);
    CHECK(packets > 0, "%s", path);
    api->worker_end(p, worker);
    capture_free(c);
}

static void capture_ports(void)
{
    struct err e = {""};
    for (unsigned i = 0; i < CAPTURES; i++) {
        char device[CONFIG_DEVICE_LEN], path[200];
        shared_path(path, sizeof path, captures[i]);
        snprintf(device, sizeof device, "net_pcap%u,rx_pcap=%s", i, path);
        use_port(device, 1);
    }
    struct ports *p = open_configured();
    CHECK(api->start(p, &e), "%s", e.text);
    for (unsigned i = 0; i < CAPTURES; i++) {
        char path[200];
        struct port_info info;
        shared_path(path, sizeof path, captures[i]);
        api->info(p, i, &info);
        CHECK(info.clock == PORT_CLOCK_CAPTURE, "%u", info.clock);
        same_as_file(p, i, path);
    }
    api->stop(p);
    api->close(p);
}

static bool have_captures(void)
{
    char path[4096];
    shared_path(path, sizeof path, captures[0]);
    if (access(path, R_OK) != 0)
        print_message("skipped: no captures in %s\n", path);
    return access(path, R_OK) == 0;
}

static void test_captures(void **state)
{
    (void)state;
    if (!have_captures())
        skip();
    in_child(capture_ports);
}

/* ---- several workers */

enum { SEEN_MAX = 4096 };

static struct ports *shared_ports;
static struct follower {
    pthread_t thread;
    unsigned worker;
    _Atomic bool begun;
    uint64_t kept, fragments;
    unsigned n;
    struct seen {
        struct addr src, dst;
    } seen[SEEN_MAX];
} followers[2 * CAPTURES];
static _Atomic bool ending;

static void *follow(void *arg)
{
    struct follower *f = arg;
    struct pkt pkts[BURST_MAX] = {0};
    struct rec *recs = calloc(BURST_MAX, sizeof *recs);
    struct headers *h = headers_for_test();
    struct source s;
    struct spread spread;
    struct err e = {""};
    CHECK(api->worker_begin(shared_ports, f->worker, &s, &spread, &e), "%s", e.text);
    f->begun = true;
    for (;;) {
        bool last = ending;
        int n = s.rx(s.ctx, pkts, BURST_MAX, &e);
        if (n == 0 && last)
            break;
        if (n == 0)
            usleep(100);
        headers_burst(h, pkts, recs, (unsigned)n);
        n = (int)spread.give(s.ctx, pkts, recs, (unsigned)n);
        f->kept += (unsigned)n;
        for (int i = 0; i < n; i++) {
            f->fragments += recs[i].outcome == OUT_FRAGMENT;
            if ((recs[i].flags & REC_HAS_IP) != 0 && f->n < SEEN_MAX)
                f->seen[f->n++] = (struct seen){recs[i].src, recs[i].dst};
        }
        s.release(s.ctx);
    }
    api->worker_end(shared_ports, f->worker);
    headers_free(h);
    free(recs);
    return NULL;
}

static bool shares_pair(const struct follower *a, const struct follower *b)
{
    for (unsigned i = 0; i < a->n; i++)
        for (unsigned k = 0; k < b->n; k++)
            if ((addr_equal(&a->seen[i].src, &b->seen[k].src)
                 && addr_equal(&a->seen[i].dst, &b->seen[k].dst))
                || (addr_equal(&a->seen[i].src, &b->seen[k].dst)
                    && addr_equal(&a->seen[i].dst, &b->seen[k].src)))
                return true;
    return false;
}

static uint64_t packets_of(const char *path)
{
    struct capture *c;
    struct err e = {""};
    struct pkt pkt;
    bool damaged;
    uint64_t n = 0;
    CHECK(capture_open(&c, path, &damaged, &e), "%s", e.text);
    struct source s = capture_source(c);
    for (; s.rx(s.ctx, &pkt, 1, &e) == 1; n++)
        s.release(s.ctx);
    capture_free(c);
    return n;
}

static void shared_pairs(void)
{
    struct err e = {""};
    uint64_t given_in_all = 0;
    for (unsigned i = 0; i < CAPTURES; i++) {
        char device[CONFIG_DEVICE_LEN], path[200];
        shared_path(path, sizeof path, captures[i]);
        snprintf(device, sizeof device, "net_pcap%u,rx_pcap=%s", i, path);
        use_port(device, 2);
    }
    struct ports *p = shared_ports = open_configured();
    for (unsigned w = 0; w < 2 * CAPTURES; w++) {
        followers[w].worker = w;
        CHECK(pthread_create(&followers[w].thread, NULL, follow, &followers[w]) == 0, " ");
        while (!followers[w].begun)
            usleep(100);
    }
    CHECK(api->start(p, &e), "%s", e.text);
    usleep(300000);
    api->stop(p);
    ending = true;
    for (unsigned w = 0; w < 2 * CAPTURES; w++)
        pthread_join(followers[w].thread, NULL);
    for (unsigned i = 0; i < CAPTURES; i++) {
        struct port_worker_stats a, b;
        struct port_info info;
        char path[200];
        shared_path(path, sizeof path, captures[i]);
        api->info(p, i, &info);
        CHECK(info.distributed && !info.rss && info.queues == 1 && info.rss_why[0] != '\0', "%s",
              info.rss_why);
        api->worker_stats(p, 2 * i, &a);
        api->worker_stats(p, 2 * i + 1, &b);
        CHECK(a.received == packets_of(path) && b.received == 0, "%s: %llu", path,
              (unsigned long long)a.received);
        CHECK(followers[2 * i].kept + followers[2 * i + 1].kept == a.received, "%s: packets lost",
              path);
        CHECK(a.received + a.taken == followers[2 * i].kept + a.given, "%s: given", path);
        CHECK(a.given + b.given == a.taken + b.taken + a.turned_away + b.turned_away, "%s", path);
        CHECK(a.misplaced + b.misplaced == 0 && a.turned_away == 0, "%s", path);
        CHECK(!shares_pair(&followers[2 * i], &followers[2 * i + 1]), "%s: a pair with two workers",
              path);
        given_in_all += a.given;
    }
    CHECK(given_in_all > 0, "all with one worker: other captures are needed");
    api->close(p);
}

static void test_hand_over(void **state)
{
    (void)state;
    if (!have_captures())
        skip();
    in_child(shared_pairs);
}

/* ---- a file waits for a worker that is behind */

/* 20,000 packets, half of them another worker's: more than its ring holds. */
static void write_capture(const char *path)
{
    FILE *f = fopen(path, "w");
    const uint32_t head[6] = {0xa1b2c3d4, 4 << 16 | 2, 0, 0, 65535, 1};
    CHECK(f != NULL && fwrite(head, sizeof head, 1, f) == 1, "%s", path);
    for (uint32_t i = 0; i < 20000; i++) {
        const uint32_t record[4] = {i / 1000, i % 1000 * 1000, 42, 42};
        uint8_t b[42] = {
            [12] = 8, [14] = 0x45, [17] = 28, [22] = 64, [23] = 17, [26] = 10, [30] = 10};
        b[28] = (uint8_t)(i >> 8);
        b[29] = (uint8_t)i;
        b[39] = 8;
        CHECK(fwrite(record, sizeof record, 1, f) == 1 && fwrite(b, sizeof b, 1, f) == 1, "%s",
              path);
    }
    CHECK(fclose(f) == 0, "%s", path);
}

static void file_waits(void)
{
    struct source s[2];
    struct spread spread[2];
    struct err e = {""};
    struct pkt pkts[BURST_MAX] = {0};
    static struct rec recs[BURST_MAX];
    struct headers *h = headers_for_test();
    struct port_worker_stats a, b;
    char path[] = "/tmp/test_dpdk-XXXXXX", device[CONFIG_DEVICE_LEN];
    int fd = mkstemp(path);
    CHECK(fd >= 0 && close(fd) == 0, "%s", path);
    write_capture(path);
    snprintf(device, sizeof device, "net_pcap0,rx_pcap=%s", path);
    use_port(device, 2);
    struct ports *p = open_configured();
    unlink(path);
    for (unsigned w = 0; w < 2; w++)
        CHECK(api->worker_begin(p, w, &s[w], &spread[w], &e), "%s", e.text);
    CHECK(api->start(p, &e), "%s", e.text);
    uint64_t kept = 0;
    for (unsigned turn = 0; turn < 6000; turn++) {
        unsigned w = turn % 10 == 9; /* it is nine times slower */
        int n = s[w].rx(s[w].ctx, pkts, BURST_MAX, &e);
        headers_burst(h, pkts, recs, (unsigned)n);
        kept += spread[w].give(s[w].ctx, pkts, recs, (unsigned)n);
        s[w].release(s[w].ctx);
    }
    api->worker_stats(p, 0, &a);
    api->worker_stats(p, 1, &b);
    CHECK(a.received == 20000 && a.given > 8000, "%llu given", (unsigned long long)a.given);
    CHECK(a.turned_away == 0 && kept == 20000, "%llu turned away",
          (unsigned long long)a.turned_away);
    api->worker_end(p, 0);
    api->worker_end(p, 1);
    api->stop(p);
    api->close(p);
    headers_free(h);
}

static void test_file_waits(void **state)
{
    (void)state;
    in_child(file_waits);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_null),
        cmocka_unit_test(test_captures),
        cmocka_unit_test(test_hand_over),
        cmocka_unit_test(test_file_waits),
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
