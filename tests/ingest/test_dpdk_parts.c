/* Parts of the DPDK module that need no port: buffers into bytes, hashes, counters, clocks,
 * arguments. */
#include "tests/ingest/test_dpdk.h"

#ifdef TELLSCOPE_HAVE_DPDK
#include "ingest/dpdk_eal.h"
#include "ingest/dpdk_mbuf.h"
#include "ingest/dpdk_ports.h"

#include <rte_thash.h>

/* ---- buffers */

static uint8_t room[4][512];
static struct rte_mbuf bufs[4];

/* A chain of the lengths given, of bytes that count up from 0. */
static struct rte_mbuf *chain(const unsigned lens[], unsigned n, unsigned headroom)
{
    uint8_t next = 0;
    memset(bufs, 0, sizeof bufs);
    for (unsigned i = 0; i < n; i++) {
        bufs[i].buf_addr = room[i];
        bufs[i].buf_len = sizeof room[i];
        bufs[i].data_off = (uint16_t)headroom;
        bufs[i].data_len = (uint16_t)lens[i];
        bufs[i].nb_segs = 1;
        rte_mbuf_refcnt_set(&bufs[i], 1);
        bufs[i].next = i + 1 < n ? &bufs[i + 1] : NULL;
        bufs[0].pkt_len += lens[i];
        for (unsigned k = 0; k < lens[i]; k++)
            room[i][headroom + k] = next++;
    }
    bufs[0].nb_segs = (uint16_t)n;
    return bufs;
}

static void check_bytes(const char *name, struct rte_mbuf *m, uint32_t size, const uint8_t *tags,
                        uint32_t n_tags, uint32_t len, uint32_t wire_len)
{
    static uint8_t scratch[1024];
    struct mbuf_bytes b = mbuf_wire(m, scratch, size);
    if (b.len != len || b.wire_len != wire_len)
        fail_msg("%s: %u bytes of %u, not %u of %u", name, b.len, b.wire_len, len, wire_len);
    for (uint32_t i = 0; i < b.len; i++) {
        uint8_t want = (uint8_t)(i < 12 ? i : i < 12 + n_tags ? tags[i - 12] : i - n_tags);
        if (b.p[i] != want)
            fail_msg("%s: byte %u is %02x, not %02x", name, i, b.p[i], want);
    }
}

static void test_buffers(void **state)
{
    (void)state;
    enum { VLAN = RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED };
    const uint64_t outer = RTE_MBUF_F_RX_QINQ | RTE_MBUF_F_RX_QINQ_STRIPPED, both = outer | VLAN;
    static const uint8_t one[] = {0x81, 0, 0x23, 0x45},
                         two[] = {0x88, 0xa8, 0x61, 0x07, 0x81, 0, 0x23, 0x45};
    const struct {
        const char *name;
        unsigned lens[4], n, headroom;
        uint64_t flags;
        uint32_t size;
        const uint8_t *tags;
        uint32_t n_tags, len, wire_len;
        bool shared;
    } rows[] = {
        {"plain", {60}, 1, 128, 0, 1024, NULL, 0, 60, 60, false},
        {"a tag seen, not stripped",
         {60},
         1,
         128,
         RTE_MBUF_F_RX_VLAN,
         1024,
         NULL,
         0,
         60,
         60,
         false},
        {"a tag", {60}, 1, 128, VLAN, 1024, one, 4, 64, 64, false},
        {"a tag, no headroom", {60}, 1, 3, VLAN, 1024, one, 4, 64, 64, false},
        {"a tag, another reads it too", {60}, 1, 128, VLAN, 1024, one, 4, 64, 64, true},
        {"two tags", {60}, 1, 8, both, 1024, two, 8, 68, 68, false},
        {"the outer tag", {60}, 1, 8, outer, 1024, two, 4, 64, 64, false},
        {"a tag, no room for MACs", {11}, 1, 128, VLAN, 1024, NULL, 0, 11, 11, false},
        {"segments", {60, 7, 40}, 3, 128, 0, 1024, NULL, 0, 107, 107, false},
        {"segments, one empty", {60, 0, 40}, 3, 128, 0, 1024, NULL, 0, 100, 100, false},
        {"segments, MACs in two", {5, 60}, 2, 128, 0, 1024, NULL, 0, 65, 65, false},
        {"segments and a tag", {20, 40}, 2, 128, VLAN, 1024, one, 4, 64, 64, false},
        {"segments, cut", {60, 60, 60}, 3, 128, 0, 100, NULL, 0, 100, 180, false},
        {"segments and two tags, cut", {60, 60, 60}, 3, 128, both, 100, two, 8, 100, 188, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct rte_mbuf *m = chain(rows[i].lens, rows[i].n, rows[i].headroom);
        m->ol_flags = rows[i].flags | RTE_MBUF_F_RX_IP_CKSUM_BAD;
        m->vlan_tci = 0x2345;
        m->vlan_tci_outer = 0x6107;
        rte_mbuf_refcnt_set(m, rows[i].shared ? 2 : 1);
        check_bytes(rows[i].name, m, rows[i].size, rows[i].tags, rows[i].n_tags, rows[i].len,
                    rows[i].wire_len);
        if (rows[i].shared && (m->pkt_len != 60 || (m->ol_flags & VLAN) != VLAN))
            fail_msg("%s: changed under another's eyes", rows[i].name);
        /* another worker gets the same */
        check_bytes(rows[i].name, m, rows[i].size, rows[i].tags, rows[i].n_tags, rows[i].len,
                    rows[i].wire_len);
    }
}

/* ---- hashes */

static struct addr random_addr(bool v4)
{
    struct addr a;
    for (unsigned i = 0; i < sizeof a.b; i++)
        a.b[i] = (uint8_t)rand();
    return v4 ? addr_v4(a.b) : a;
}

static void test_hash(void **state)
{
    (void)state;
    static struct rss r;
    uint8_t key[52];
    rss_key(key, sizeof key);
    rss_init(&r, 128, 3);
    for (unsigned i = 0; i < 20000; i++) {
        bool v4 = i % 2 == 0;
        struct addr src = random_addr(v4), dst = random_addr(v4);
        uint32_t tuple[8], n = v4 ? 2 : 8, words = n / 2;
        for (uint32_t k = 0; k < words; k++) {
            memcpy(&tuple[k], src.b + (v4 ? 12 : 4 * k), 4);
            memcpy(&tuple[words + k], dst.b + (v4 ? 12 : 4 * k), 4);
        }
        for (uint32_t k = 0; k < n; k++)
            tuple[k] = rte_be_to_cpu_32(tuple[k]);
        uint32_t want = rte_softrss(tuple, n, key);
        assert_int_equal(rss_hash(&r, &src, &dst), want);
        assert_int_equal(rss_hash(&r, &dst, &src), want);
        assert_int_equal(rss_queue(&r, &src, &dst), (want & 127) % 3);
    }
}

static void test_owner(void **state)
{
    (void)state;
    enum { PAIRS = 30000 };
    for (unsigned n = 1; n <= 64; n++) {
        unsigned got[64] = {0};
        for (unsigned i = 0; i < PAIRS; i++) { /* a fleet: gateways that count up, few servers */
            struct addr src =
                addr_v4((uint8_t[]){10, (uint8_t)(i >> 14), (uint8_t)(i >> 6), (uint8_t)(i << 2)});
            struct addr dst = addr_v4((uint8_t[]){193, 11, 114, (uint8_t)(i % 4)});
            unsigned owner = spread_owner(&src, &dst, n);
            assert_int_equal(owner, spread_owner(&dst, &src, n));
            assert_true(owner < n);
            got[owner]++;
        }
        for (unsigned w = 0; w < n; w++)
            if (got[w] < PAIRS / n * 3 / 4 || got[w] > PAIRS / n * 5 / 4 + 1)
                fail_msg("%u of %u workers gets %u of %u", w, n, got[w], PAIRS);
    }
}

static void test_outer(void **state)
{
    (void)state;
    uint8_t f[14 + 12 + 40] = {0};
    struct addr src, dst;
    static const struct {
        const char *name;
        uint16_t types[4];
        bool want;
    } rows[] = {
        {"IPv4", {0x0800}, true},
        {"IPv6", {0x86dd}, true},
        {"a tag", {0x8100, 0x86dd}, true},
        {"two tags", {0x88a8, 0x8100, 0x0800}, true},
        {"three tags", {0x8100, 0x8100, 0x8100, 0x0800}, false},
        {"ARP", {0x0806}, false},
        {"MPLS", {0x8847}, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint32_t at = 12;
        uint16_t type = rows[i].types[0];
        f[at] = (uint8_t)(type >> 8), f[at + 1] = (uint8_t)type;
        for (unsigned t = 1; t < 4 && rows[i].types[t] != 0; t++) {
            type = rows[i].types[t];
            at += 4;
            f[at] = (uint8_t)(type >> 8), f[at + 1] = (uint8_t)type;
        }
        f[at + 2] = type == 0x0800 ? 0x45 : 0x60;
        uint32_t whole = at + 2 + (type == 0x0800 ? 20 : 40),
                 a = at + 2 + (type == 0x0800 ? 12 : 8);
        memset(f + a, 0x11, type == 0x0800 ? 4 : 16);
        memset(f + a + (type == 0x0800 ? 4 : 16), 0x22, type == 0x0800 ? 4 : 16);
        if (rss_outer(f, whole, &src, &dst) != rows[i].want)
            fail_msg("%s: not as it should be", rows[i].name);
        if (rows[i].want
            && (src.b[15] != 0x11 || dst.b[15] != 0x22 || addr_is_v4(&src) != (type == 0x0800)))
            fail_msg("%s: other addresses", rows[i].name);
        for (uint32_t len = 0; len < whole; len++) {
            uint8_t *exact = malloc(len + 1);
            memcpy(exact, f, len);
            if (rss_outer(exact, len, &src, &dst))
                fail_msg("%s: found in %u bytes", rows[i].name, len);
            free(exact);
        }
    }
}

/* ---- counters, clocks */

static void test_bridge(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint64_t last, now, added;
    } rows[] = {
        {"grows", 5, 9, 4},
        {"stands", 9, 9, 0},
        {"reset", 1000, 7, 7},
        {"wraps at 32 bits", 0xfffffff0, 0x10, 0x20},
        {"reset of a large one", 0x7ffffff0, 0x10, 0x10},
        {"reset of a 64-bit one", UINT64_C(0x1fffffff0), 0x10, 0x10},
        {"beyond 32 bits", 0xfffffff0, UINT64_C(0x100000010), 0x20},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct bridge b = {.last = rows[i].last, .total = 100};
        bridge_add(&b, rows[i].now);
        if (b.total != 100 + rows[i].added || b.last != rows[i].now)
            fail_msg("%s: %llu added", rows[i].name, (unsigned long long)b.total - 100);
    }
}

static void test_nic_clock(void **state)
{
    (void)state;
    static struct nic_clock n; /* 625 MHz: 1.6 ns a tick */
    n.ticks = 1000000;
    n.ns = UINT64_C(1700000000000000000);
    n.rate = (uint64_t)(1.6 * 4294967296.0);
    assert_int_equal(nic_clock_ns(&n, 1000000), UINT64_C(1700000000000000000));
    uint64_t after = nic_clock_ns(&n, 1000000 + 625000000),
             before = nic_clock_ns(&n, 1000000 - 625000);
    assert_in_range(after, UINT64_C(1700000000999999990), UINT64_C(1700000001000000000));
    assert_in_range(before, UINT64_C(1699999999998999999), UINT64_C(1699999999999000001));
}

/* ---- arguments */

static void test_arguments(void **state)
{
    (void)state;
    enum { MIB = 1 << 20 };
    static const struct {
        const char *name, *device;
        const char *configured[3], *given[3];
        uint8_t huge_pages;
        bool no_huge;
        uint64_t free_mib;
        const char *has[4], *has_not[4]; /* has[0] NULL: refused */
    } rows[] = {
        {"virtual, huge pages",
         "net_null0",
         {0},
         {0},
         HUGE_AUTO,
         false,
         64,
         {"--vdev", "--no-pci", "--in-memory"},
         {"--no-huge", "-a", "--no-telemetry"}},
        {"too few huge pages",
         "net_null0",
         {0},
         {0},
         HUGE_AUTO,
         false,
         63,
         {"--no-huge", "--no-shconf", "-m102"},
         {"--in-memory"}},
        {"no huge pages wanted",
         "net_null0",
         {0},
         {0},
         HUGE_NO,
         false,
         999,
         {"--no-huge"},
         {"--in-memory"}},
        {"the caller wants none",
         "net_null0",
         {0},
         {0},
         HUGE_YES,
         true,
         999,
         {"--no-huge"},
         {"--in-memory"}},
        {"huge pages wanted, none there", "net_null0", {0}, {0}, HUGE_YES, false, 0, {0}, {0}},
        {"an adapter",
         "0000:3b:00.0,x=1",
         {0},
         {0},
         HUGE_AUTO,
         false,
         64,
         {"-a", "0000:3b:00.0,x=1"},
         {"--no-pci", "--vdev"}},
        {"the user's memory",
         "net_null0",
         {"-m", "512"},
         {0},
         HUGE_NO,
         false,
         0,
         {"--no-huge", "-m", "512"},
         {"-m102"}},
        {"the user's pages",
         "net_null0",
         {0},
         {"--no-huge", "-m512"},
         HUGE_AUTO,
         false,
         64,
         {"-m512"},
         {"--in-memory"}},
        {"the user's lcores",
         "net_null0",
         {"-l", "1"},
         {0},
         HUGE_AUTO,
         false,
         64,
         {"-l"},
         {"--lcores"}},
        {"--log-level is not -l",
         "net_null0",
         {"--log-level=debug"},
         {0},
         HUGE_AUTO,
         false,
         64,
         {"--lcores"},
         {0}},
        {"the user's devices",
         "net_null0",
         {0},
         {"-a", "0:1.0"},
         HUGE_AUTO,
         false,
         64,
         {"0:1.0"},
         {"--no-pci"}},
        {"the user's prefix",
         "net_null0",
         {0},
         {"--file-prefix=zz"},
         HUGE_AUTO,
         false,
         64,
         {"--file-prefix=zz"},
         {"--file-prefix=tellscope"}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct eal_args a;
        struct err e;
        config = (struct config){.live = {.huge_pages = rows[i].huge_pages}};
        use_port(rows[i].device, 1);
        for (; config.live.n_eal < 3 && rows[i].configured[config.live.n_eal] != NULL;
             config.live.n_eal++)
            snprintf(config.live.eal[config.live.n_eal], CONFIG_DEVICE_LEN, "%s",
                     rows[i].configured[config.live.n_eal]);
        struct ports_options o = {
            .config = &config, .eal = rows[i].given, .no_huge = rows[i].no_huge};
        while (o.n_eal < 3 && rows[i].given[o.n_eal] != NULL)
            o.n_eal++;
        bool ok = eal_args(&a, &o, 64 * MIB, rows[i].free_mib * MIB, &e);
        if (ok != (rows[i].has[0] != NULL))
            fail_msg("%s: %s", rows[i].name, ok ? "taken" : e.text);
        for (unsigned k = 0; ok && k < 4; k++) {
            bool found = false, wrong = false;
            const char *not = rows[i].has_not[k];
            for (unsigned v = 0; v < a.n; v++) {
                found = found
                        || (rows[i].has[k] != NULL
                            && strncmp(a.v[v], rows[i].has[k], strlen(rows[i].has[k])) == 0);
                wrong = wrong || (not != NULL && strncmp(a.v[v], not, strlen(not )) == 0);
            }
            if ((rows[i].has[k] != NULL && !found) || wrong)
                fail_msg("%s: %s %s", rows[i].name, wrong ? not : rows[i].has[k],
                         wrong ? "is there" : "is not there");
        }
    }
    /* more than any machine has: EAL would be killed for it */
    struct eal_args a;
    struct err e = {""};
    config = (struct config){.live = {.huge_pages = HUGE_AUTO}};
    use_port("net_null0", 1);
    struct ports_options o = {.config = &config};
    assert_false(eal_args(&a, &o, UINT64_C(1) << 60, 0, &e));
    assert_non_null(strstr(e.text, "MiB of memory are needed"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_buffers),   cmocka_unit_test(test_hash),
        cmocka_unit_test(test_owner),     cmocka_unit_test(test_outer),
        cmocka_unit_test(test_bridge),    cmocka_unit_test(test_nic_clock),
        cmocka_unit_test(test_arguments),
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
