#include "tests/core/config_rig.h"

static void refusals(void **state)
{
    (void)state;
    static const struct refusal rows[] = {
        {"live: {burts: 3}",
         "1:8: unknown key \"burts\" in live; known: window_s, ports, burst, mbufs, distribute, "
         "clock, huge_pages, eal, user, shutdown_s, backlog, retention_s, free_bytes, "
         "reserve_bytes"},
        {"live: {window_s: 7}", "1:18: live.window_s: 7 does not divide a day; a divisor of"},
        {"live: {burst: 65}",
         "1:15: live.burst: \"65\" does not fit; a decimal number from 1 to 64"},
        {"live: {burst: 0}", "1:15: live.burst: \"0\" does not fit; "},
        {"live: {mbufs: 16777217}", "1:15: live.mbufs: \"16777217\" does not fit; "},
        {"live: {distribute: nic}",
         "1:20: live.distribute: \"nic\" is not known; one of: auto, rss, software"},
        {"live: {clock: rtc}", "1:15: live.clock: \"rtc\" is not known; one of: auto, tsc, nic"},
        {"live: {huge_pages: true}",
         "1:20: live.huge_pages: \"true\" is not known; one of: auto, yes, no"},
        {"live: {eal: -l}", "1:13: live.eal: a single value stands here; a list belongs here"},
        {"live: {eal: [a, \"b\\nc\"]}",
         "1:17: live.eal[1]: \"b?c\" does not fit; one argument of EAL of 1 to 255 bytes"},
        {"live: {eal: [\"\"]}", "1:14: live.eal[0]: \"\" does not fit; "},
        {"live: {user: a b}", "1:14: live.user: \"a b\" is no user; as \"tellscope\" or "
                              "\"tellscope:adm\", at most 63 bytes"},
        {"live: {user: \":adm\"}", "1:14: live.user: "},
        {"live: {user: \"a:\"}", "1:14: live.user: "},
        {"live: {user: \"a:b:c\"}", "1:14: live.user: "},
        {"live: {user: -a}", "1:14: live.user: "},
        {"live: {shutdown_s: 0}", "1:20: live.shutdown_s: "},
        {"live: {backlog: 65}", "1:17: live.backlog: "},
        {"live: {retention_s: 31d}", "1:21: live.retention_s: "},
        {"live: {free_bytes: 1g}", "1:20: live.free_bytes: "},
        {"live: {reserve_bytes: -1}", "1:23: live.reserve_bytes: "},
        {"live: {ports: [{}]}", "1:16: live.ports[0]: the key \"device\" is missing"},
        {"live: {ports: [{port: a}]}",
         "1:17: unknown key \"port\" in live.ports[0]; known: device, workers, cpus, descriptors, "
         "mtu, promiscuous, vantage"},
        {"live: {ports: [{device: eth0}]}", "1:25: live.ports[0].device: \"eth0\" is no device; a "
                                            "PCI address as \"0000:3b:00.0\" or a "
                                            "virtual device as \"net_af_packet0,iface=eth0\""},
        {"live: {ports: [{device: \"3b:00\"}]}", "1:25: live.ports[0].device: "},
        {"live: {ports: [{device: \"3b:00.8\"}]}", "1:25: live.ports[0].device: "},
        {"live: {ports: [{device: \"3b:000.0\"}]}", "1:25: live.ports[0].device: "},
        {"live: {ports: [{device: \"3b:00.00\"}]}", "1:25: live.ports[0].device: "},
        {"live: {ports: [{device: net_af_packet}]}", "1:25: live.ports[0].device: "},
        {"live: {ports: [{device: net_0x}]}", "1:25: live.ports[0].device: "},
        {"live: {ports: [{device: \"net_ring0,\\t\"}]}", "1:25: live.ports[0].device: "},
        {"live:\n  ports:\n    - {device: net_ring0}\n    - {device: \"net_ring0,x=1\"}\n",
         "4:7: live.ports[1]: net_ring0 is live.ports[0] already; each device once"},
        {"live: {ports: [{device: \"3B:00.0\"}, {device: \"0000:3b:00.0,a=b\"}]}",
         "1:37: live.ports[1]: 0000:3b:00.0 is live.ports[0] already"},
        {"live: {ports: [{device: net_ring0, workers: 65}]}",
         "1:45: live.ports[0].workers: \"65\" does not fit; a decimal number from 1 to 64"},
        {"live: {ports: [{device: net_ring0, workers: 0}]}", "1:45: live.ports[0].workers: "},
        {"live: {ports: [{device: net_ring0, cpus: \"2,4-\"}]}",
         "1:42: live.ports[0].cpus: \"2,4-\" is no list of CPUs; as \"2,4-5\", each below 1024 and "
         "only once"},
        {"live: {ports: [{device: net_ring0, cpus: 3, workers: 2}]}",
         "1:16: live.ports[0]: 1 CPU for 2 workers; as many as workers, or more"},
        {"live: {ports: [{device: net_ring0, mtu: 67}]}",
         "1:41: live.ports[0].mtu: \"67\" does not fit; a decimal number from 68 to 65535, or 0"},
        {"live: {ports: [{device: net_ring0, descriptors: 32769}]}",
         "1:49: live.ports[0].descriptors: "},
        {"live: {ports: [{device: net_ring0, promiscuous: yes}]}",
         "1:49: live.ports[0].promiscuous: \"yes\" is no truth value; true or false"},
        {"live: {ports: [{device: net_ring0, vantage: x}]}", "1:45: live.ports[0].vantage: "},
    };
    assert_refused(rows, sizeof rows / sizeof *rows);
}

static const char full[] =
    "live:\n  window_s: 1\n  burst: 64\n  mbufs: 8191\n  distribute: software\n  clock: nic\n"
    "  huge_pages: no\n  eal: [--file-prefix=x, \"-m\", \"1 \\\"\\u00e4\"]\n  user: "
    "1000:tell.scope\n"
    "  shutdown_s: 3600\n  backlog: 64\n  retention_s: 86400\n  free_bytes: 0\n"
    "  reserve_bytes: 1099511627776\n  ports:\n"
    "    - {device: \"C1:00.1,representor=[0-3]\", workers: 3, cpus: \"7,2-3\", mtu: 9000,\n"
    "       descriptors: 4096, promiscuous: false, vantage: wan}\n"
    "    - {device: \"net_pcap0,rx_pcap=/tmp/a b.pcap\"}\n"
    "    - {device: \"0001:c1:00.1\", cpus: 0}\n";

static void values(void **state)
{
    (void)state;
    struct config c = config_default(), back = c;
    struct err e;
    if (!load_text(&c, full, &e))
        fail_msg("%s", e.text);
    assert_int_equal(c.window_s, 3600); /* not this one */
    assert_int_equal(c.live.window_s, 1);
    assert_int_equal(c.live.distribute, DISTRIBUTE_SOFTWARE);
    assert_int_equal(c.live.clock, CLOCK_NIC);
    assert_int_equal(c.live.huge_pages, HUGE_NO);
    assert_int_equal(c.live.n_eal, 3);
    assert_string_equal(c.live.eal[0], "--file-prefix=x");
    assert_string_equal(c.live.eal[2], "1 \"\xc3\xa4");
    assert_string_equal(c.live.user, "1000:tell.scope");
    assert_true(c.live.reserve_bytes == UINT64_C(1) << 40 && c.live.free_bytes == 0);
    assert_int_equal(c.live.n_ports, 3);
    const struct live_port *p = c.live.ports;
    assert_string_equal(p[0].device, "C1:00.1,representor=[0-3]");
    assert_string_equal(p[0].cpus, "7,2-3");
    assert_true(p[0].workers == 3 && p[0].mtu == 9000 && p[0].descriptors == 4096);
    assert_true(!p[0].promiscuous && p[0].has_vantage && p[0].vantage == VANTAGE_WAN);
    assert_true(p[1].workers == 1 && p[1].promiscuous && !p[1].has_vantage && p[1].mtu == 0);
    assert_string_equal(p[1].cpus, "");
    char address[16] = "";
    assert_true(config_device_pci(p[0].device, address));
    assert_string_equal(address, "0000:c1:00.1");
    assert_true(config_device_pci(p[2].device, address));
    assert_string_equal(address, "0001:c1:00.1");
    assert_false(config_device_pci(p[1].device, address));

    char *text = dump_of(&c);
    if (!load_text(&back, text, &e))
        fail_msg("%s", e.text);
    free(text);
    assert_same(&c, &back);
    assert_memory_equal(&c.live, &back.live, sizeof c.live);
    assert_true(config_set(&c, "live.user", "", &e));
    assert_string_equal(c.live.user, "");
    assert_false(config_set(&c, "live.ports", "net_ring0", &e));
    assert_false(config_set(&c, "live.window_s", "11", &e));
}

int main(void)
{
    if (!rig_begin())
        return 1;
    const struct CMUnitTest tests[] = {cmocka_unit_test(refusals), cmocka_unit_test(values)};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    rig_end();
    return failed;
}
