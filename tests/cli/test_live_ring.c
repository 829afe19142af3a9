/* A live run over a ring of DPDK (net_ring) that this program fills itself, and counts what it
 * could not put: what was sent is what was received and what was refused, exactly, and the ledgers
 * of the segments have it all; with one worker, and with two that hand packets to each other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#ifndef TELLSCOPE_HAVE_DPDK
int main(void)
{
    print_message("skipped: the module for live ports is not built (no libdpdk)\n");
    return 77;
}
#else
#include "cli/live.h"
#include "ingest/capture.h"
#include "tests/child.h"

#include <rte_lcore.h>
#include <rte_mbuf.h>
#include <rte_ring.h>

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern const struct port_api tellscope_ports;

enum { FEED = 16383, BURST = 32, PACKETS_MAX = 256, SECONDS = 2 };

static struct {
    uint8_t bytes[1600];
    uint16_t len;
} packets[PACKETS_MAX];
static unsigned n_packets;

static struct feeder {
    unsigned pause_us; /* between bursts */
    unsigned long long sent, refused;
    struct rte_ring *wire;
} feeder;

static void load(const char *path)
{
    struct err e;
    struct capture *c;
    struct pkt pkts[BURST_MAX];
    bool damaged;
    CHECK(capture_open(&c, path, &damaged, &e), "%s", e.text);
    struct source s = capture_source(c);
    for (int n; (n = s.rx(s.ctx, pkts, BURST_MAX, &e)) >= 0; s.release(s.ctx))
        for (int i = 0; i < n && n_packets < PACKETS_MAX; i++) {
            if (pkts[i].cap_len > sizeof packets->bytes)
                continue;
            memcpy(packets[n_packets].bytes, pkts[i].bytes, pkts[i].cap_len);
            packets[n_packets++].len = (uint16_t)pkts[i].cap_len;
        }
    capture_free(c);
}

static void nap_us(unsigned us)
{
    nanosleep(&(struct timespec){.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000L}, NULL);
}

/* Fills the ring for a while, waits until it is empty, and ends the run. */
static void *feed(void *arg)
{
    struct feeder *f = arg;
    struct timespec began, now;
    unsigned at = 0;
    CHECK(rte_thread_register() == 0, "no place for a thread");
    struct rte_mempool *pool =
        rte_pktmbuf_pool_create("feed", FEED, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
    CHECK(pool != NULL, "no memory for buffers");
    clock_gettime(CLOCK_MONOTONIC, &began);
    do {
        struct rte_mbuf *m[BURST];
        if (rte_pktmbuf_alloc_bulk(pool, m, BURST) != 0) {
            nap_us(50); /* all are on their way */
        } else {
            for (unsigned i = 0; i < BURST; i++, at = (at + 1) % n_packets)
                memcpy(rte_pktmbuf_append(m[i], packets[at].len), packets[at].bytes,
                       packets[at].len);
            unsigned put = rte_ring_enqueue_burst(f->wire, (void **)m, BURST, NULL);
            f->sent += BURST;
            f->refused += BURST - put;
            rte_pktmbuf_free_bulk(m + put, BURST - put);
        }
        if (f->pause_us > 0)
            nap_us(f->pause_us);
        clock_gettime(CLOCK_MONOTONIC, &now);
    } while (now.tv_sec - began.tv_sec < SECONDS);
    for (unsigned i = 0; rte_ring_count(f->wire) > 0 && i < 1000; i++)
        nap_us(10000);
    nap_us(200000); /* what was handed over */
    kill(getpid(), SIGTERM);
    return NULL;
}

static pthread_t thread;

/* The framework is there and packets may come. */
static bool start(struct ports *p, struct err *e)
{
    feeder.wire = rte_ring_lookup("ETH_RXTX0_net_ring0");
    CHECK(feeder.wire != NULL, "no ring");
    CHECK(tellscope_ports.start(p, e), "%s", e->text);
    CHECK(pthread_create(&thread, NULL, feed, &feeder) == 0, "thread");
    return true;
}

static unsigned long long number_in(const char *text, const char *name)
{
    const char *at = strstr(text, name);
    return at != NULL ? strtoull(at + strlen(name), NULL, 10) : 0;
}

/* Adds up what the totals of all segments say. */
static unsigned long long told_by(const char *folder, const char *name)
{
    char command[160], *line = NULL;
    unsigned long long sum = 0;
    size_t size = 0;
    snprintf(command, sizeof command, "zstd -dcq %s/summary-*.zst", folder);
    FILE *f = popen(command, "r");
    CHECK(f != NULL, "zstd");
    while (getline(&line, &size, f) > 0)
        if (strncmp(line, "{\"kind\":\"totals\"", 16) == 0)
            sum += number_in(line, name);
    free(line);
    pclose(f);
    return sum;
}

static char folder[64];

static void check_sums(const struct feeder *f, unsigned workers)
{
    static char text[65536];
    char path[96];
    snprintf(path, sizeof path, "%s/table", folder);
    FILE *table = fopen(path, "r");
    CHECK(table != NULL, "%s", path);
    text[fread(text, 1, sizeof text - 1, table)] = '\0';
    fclose(table);
    const char *sums = strstr(text, "},\"received\":");
    CHECK(sums != NULL, "%s", text);
    unsigned long long received = number_in(sums, "\"received\":"),
                       lost = number_in(sums, "\"lost\":");
    CHECK(received > 1000 && f->sent == received + f->refused,
          "%llu sent, %llu received, %llu refused", f->sent, received, f->refused);
    CHECK(told_by(folder, "\"read\":") + told_by(folder, "\"lost_ring\":") == received,
          "segments: %llu read, %llu lost, of %llu", told_by(folder, "\"read\":"),
          told_by(folder, "\"lost_ring\":"), received);
    CHECK(told_by(folder, "\"lost_ring\":") == lost && told_by(folder, "\"lost_packets\":") == lost,
          "%llu lost", lost);
    CHECK(strstr(text, "\"unaccounted\":0,") != NULL, "%s", text);
    CHECK((number_in(text, "\"given\":") > 0) == (workers > 1), "%s", text);
    fprintf(stderr,
            "%u workers: %llu sent = %llu received (%llu of them lost between workers) + %llu "
            "refused\n",
            workers, f->sent, received, lost, f->refused);
}

static void run(unsigned workers, unsigned pause_us, bool overload)
{
    static struct config config;
    static struct judge_options judge;
    static const char *const eal[] = {"-m", "512"};
    char path[512];
    struct err e;
    static struct port_api api;
    api = tellscope_ports;
    api.start = start;
    config = config_default();
    snprintf(path, sizeof path, "%s/configs/any-client.yaml", TELLSCOPE_SOURCE);
    CHECK(config_load(&config, path, &e), "%s", e.text);
    config.live.window_s = 1;
    config.live.backlog = 64;
    config.live.n_ports = 1;
    config.live.ports[0] = (struct live_port){.workers = workers};
    snprintf(config.live.ports[0].device, sizeof config.live.ports[0].device, "net_ring0");
    snprintf(folder, sizeof folder, "%s/tellscope-ring-XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    CHECK(mkdtemp(folder) != NULL, "%s", folder);
    snprintf(path, sizeof path, "%s/table", folder);
    CHECK(freopen(path, "w", stdout) != NULL, "%s", path);
    judge = judge_options_default();
    struct live_options o = {.config = &config,
                             .dir = folder,
                             .judge = &judge,
                             .api = &api,
                             .eal = eal,
                             .n_eal = 2,
                             .no_huge = true,
                             .quiet = true,
                             .json = true,
                             .duration_s = 120,
                             .max_loss_percent = -1,
                             .user = ""};
    feeder = (struct feeder){.pause_us = pause_us};
    int status = live_run(&o);
    CHECK(status == EXIT_OK, "exit status %d", status);
    pthread_join(thread, NULL);
    fflush(stdout);
    check_sums(&feeder, workers);
    CHECK(!overload || feeder.refused > 0, "nothing was too much");
    snprintf(path, sizeof path, "rm -rf %s", folder);
    CHECK(system(path) == 0, "%s", path);
}

static void calm_one(void)
{
    run(1, 2000, false);
}

static void calm_two(void)
{
    run(2, 2000, false);
}

static void overload_one(void)
{
    run(1, 0, true);
}

static void overload_two(void)
{
    run(2, 0, true);
}

static void test_calm(void **state)
{
    (void)state;
    in_child(calm_one);
    in_child(calm_two);
}

static void test_overload(void **state)
{
    (void)state;
    in_child(overload_one);
    in_child(overload_two);
}

int main(void)
{
    char path[512];
    snprintf(path, sizeof path, "%s/samples/fleet.pcap", TELLSCOPE_SOURCE);
    load(path);
    CHECK(n_packets > 0, "no packets");
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_calm),
                                       cmocka_unit_test(test_overload)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
#endif
