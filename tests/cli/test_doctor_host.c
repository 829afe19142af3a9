/* Checks of doctor that are about the host as a whole: CPUs, the clock, rights; and that
 * its commands mend. */
#include "tests/cli/doctor_rig.h"

#define RING    "live: {ports: [{device: net_ring0}]}"
#define PACKET  "live: {ports: [{device: \"net_af_packet0,iface=eth0\"}]}"
#define CPUS(c) "live: {ports: [{device: \"0000:3b:00.0\", cpus: \"" c "\"}]}"
#define NO_LOCK STATUS("1000", "0000000000000000", "0-7")
#define CLOCK   "/sys/devices/system/clocksource/clocksource0/"

static void cpus(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {CPUS("9"),
         {{0}},
         {"FAIL cpus 0000:3b:00.0: CPU 9 is not there; the command lists those there are; run: "
          "lscpu --extended"},
         true},
        {CPUS("8"),
         {{0}},
         {"FAIL cpus 0000:3b:00.0: CPU 8 is switched off; run: echo 1 > "
          "/sys/devices/system/cpu/cpu8/online"},
         true},
        {CPUS("2"),
         {{"/proc/self/status", STATUS("0", "000001ffffffffff", "0-1,3-7")}},
         {"FAIL cpus 0000:3b:00.0: CPU 2 is not among those this process may use (0-1,3-7); run: "
          "taskset -c 2 tellscope "
          "doctor -c ROOT/live.yaml"},
         true},
        {CPUS("3"),
         {{"/proc/self/status", STATUS("0", "000001ffffffffff", "3")}},
         {"ok   cpus 0000:3b:00.0: 3, for 1 worker"},
         false},
        {"live: {ports: [{device: net_ring0, cpus: \"2-3\"}, {device: net_ring1, cpus: \"3-4\"}]}",
         {{0}},
         {"warn cpus net_ring1: CPU 3 is another port's too: two workers that poll without pause "
          "share it; run: sed...",
          "ok   cpus net_ring0: 2-3, for 1 worker"},
         false},
        {"live: {ports: [{device: net_ring0, workers: 9}]}",
         {{0}},
         {"warn cpus: 9 workers that poll without pause share 8 CPUs; run: sed..."},
         false},
        {"live: {ports: [{device: net_ring0, workers: 8}]}",
         {{0}},
         {"ok   cpus: 8 may be used, by 8 workers"},
         false},
        {RING,
         {{"/sys/devices/system/cpu/online", NULL}},
         {"warn cpus: what CPUs there are is not known; run: lscpu --extended"},
         false},
        /* nodes */
        {CPUS("4"),
         {{0}},
         {"warn numa 0000:3b:00.0: on node 0, whose CPUs are 0-3; CPU 4 is on another, which is "
          "slower; run: sed..."},
         false},
        {CPUS("3-4"),
         {{0}},
         {"warn numa 0000:3b:00.0: on node 0, whose CPUs are 0-3; CPU 4..."},
         false},
        {CPUS("4"),
         {{PCI "numa_node", "1"}},
         {"ok   numa 0000:3b:00.0: on node 1, as its CPUs"},
         false},
        {CPUS("4"),
         {{PCI "numa_node", "-1"}},
         {"ok   numa 0000:3b:00.0: on no node in particular"},
         false},
        {CPUS(""),
         {{0}},
         {"warn numa 0000:3b:00.0: on node 0, and no CPUs are named: workers may run on another, "
          "which is slower; run..."},
         false},
        /* isolated */
        {CPUS("2-5"), {{0}}, {"ok   isolated: 2-5: nothing else runs there"}, false},
        {CPUS("1-2"),
         {{0}},
         {"warn isolated: not all of 1-2 are kept free of other work, which costs packets at high "
          "rates; run: sed -i "
          "'s/^GRUB_CMDLINE_LINUX=\"/&isolcpus=1-2 nohz_full=1-2 rcu_nocbs=1-2 /' "
          "/etc/default/grub && update-grub && "
          "reboot"},
         false},
        {CPUS("2"),
         {{"/sys/devices/system/cpu/isolated", ""}},
         {"warn isolated: not all of 2 are..."},
         false},
        {RING,
         {{"/sys/devices/system/cpu/isolated", ""}},
         {"!warn isolated...", "!ok   isolated..."},
         false},
    };
    RUN(rows);
}

static void the_clock(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {RING,
         {{"/proc/cpuinfo", CPUINFO("nonstop_tsc constant_tsc_x")}},
         {"warn clock: the processor's time-stamp counter lacks constant_tsc: the kernel is asked "
          "for each burst's time, "
          "which costs speed; run: lscpu"},
         false},
        {RING,
         {{"/proc/cpuinfo", CPUINFO("constant_tsc")}},
         {"warn clock: the processor's time-stamp counter lacks nonstop_tsc..."},
         false},
        {RING,
         {{CLOCK "current_clocksource", "hpet"}},
         {"warn clock: the kernel keeps time by hpet and not by the time-stamp counter, which it "
          "may not trust; run: echo "
          "tsc > /sys/devices/system/clocksource/clocksource0/current_clocksource"},
         false},
        {RING,
         {{CLOCK "current_clocksource", "hpet"}, {CLOCK "available_clocksource", "hpet acpi_pm"}},
         {"warn clock: the kernel keeps time by hpet and not by the time-stamp counter, which it "
          "may not trust; the "
          "command tells why; run: dmesg | grep -i tsc"},
         false},
        {RING,
         {{"/proc/cpuinfo", "processor\t: 0\nFeatures\t: fp"},
          {CLOCK "current_clocksource", "arch_sys_counter"}},
         {"ok   clock: arch_sys_counter"},
         false},
    };
    RUN(rows);
}

static void rights(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {RING, {{"/proc/self/status", NO_LOCK}}, {"ok   capabilities: none are needed"}, false},
        {PACKET, {{0}}, {"ok   capabilities: cap_net_admin,cap_net_raw"}, false},
        {PACKET,
         {{"/proc/self/status", STATUS("1000", "0000000000003000", "0-7")}},
         {"ok   capabilities: cap_net_admin,cap_net_raw"},
         false},
        {PACKET,
         {{"/proc/self/status", STATUS("1000", "0000000000002000", "0-7")}},
         {"FAIL capabilities: net_af_packet0,iface=eth0 needs cap_net_admin; run: setcap "
          "cap_net_admin,cap_net_raw+ep..."},
         true},
        {"live: {ports: [{device: \"net_af_packet0,iface=eth0\", promiscuous: false}]}",
         {{"/proc/self/status", STATUS("1000", "0000000000002000", "0-7")}},
         {"ok   capabilities: cap_net_raw"},
         false},
        {"live: {ports: [{device: \"net_af_packet0,iface=eth0\", promiscuous: false, mtu: 1500}]}",
         {{"/proc/self/status", STATUS("1000", "0000000000002000", "0-7")}},
         {"FAIL capabilities..."},
         true},
        {"live: {ports: [{device: \"net_af_xdp0,iface=eth0\"}]}",
         {{"/proc/self/status", STATUS("1000", "0000000000007000", "0-7")}},
         {"FAIL capabilities: net_af_xdp0,iface=eth0 needs cap_bpf; run..."},
         true},
        {"live: {ports: [{device: net_tap0}]}",
         {{"/proc/self/status", NO_LOCK}},
         {"FAIL capabilities: net_tap0 needs cap_net_admin; run..."},
         true},
        {"live: {user: tellscope, ports: [{device: net_ring0}]}",
         {{0}},
         {"ok   user: tellscope, once the ports are open"},
         false},
        {"live: {user: tellscope, ports: [{device: net_ring0}]}",
         {{"/proc/self/status", NO_LOCK}},
         {"FAIL user: only root can become tellscope (CAP_SETUID, CAP_SETGID); run: sudo tellscope "
          "doctor -c "
          "ROOT/live.yaml"},
         true},
        {RING, {{0}}, {"!ok   user...", "!FAIL user..."}, false},
    };
    RUN(rows);

    static const struct row self[] = {
        {"live: {user: \"tellscope:adm\", ports: [{device: net_ring0}]}",
         {{"/proc/self/status", NO_LOCK}},
         {"ok   user: this is tellscope:adm already"},
         false}};
    rig_user_is_self = true;
    RUN(self);
    static const struct row none[] = {{"live: {user: a.b, ports: [{device: net_ring0}]}",
                                       {{0}},
                                       {"FAIL user: user a.b: none of that name; run: useradd "
                                        "--system --no-create-home --shell /usr/sbin/nologin a.b"},
                                       true},
                                      {"live: {user: root, ports: [{device: net_ring0}]}",
                                       {{0}},
                                       {"FAIL user: user root: none of that name; run: sed..."},
                                       true}};
    rig_user_error = "none of that name";
    RUN(none);
    rig_answers();
    static const struct row module[] = {
        {RING, {{0}}, {"FAIL module: no lib?x; run: apt-get install dpdk"}, true}};
    rig_module_error = "no lib\nx";
    RUN(module);
    static const struct row built[] = {
        {RING,
         {{0}},
         {"FAIL module: take libdpdk-dev; run: apt-get install libdpdk-dev && cmake..."},
         true}};
    rig_module_error = "take libdpdk-dev";
    RUN(built);
}

/* Commands that edit the configuration leave one that can be read, and that mends what was told. */
static void edits_mend(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"live:\n  ports:\n    - device: \"0000:3b:00.0\"\n      workers: 1\n",
         {{0}},
         {"warn numa 0000:3b:00.0"},
         false},
        {"live:\n  ports:\n    - {device: \"0000:3b:00.0,a=b\", workers: 2}\n",
         {{0}},
         {"warn numa 0000:3b:00.0"},
         false},
        {"live:\n  ports:\n    - device: \"0000:3b:00.0\"\n      cpus: \"6\"\n",
         {{0}},
         {"warn numa 0000:3b:00.0"},
         false},
        {"live:\n  ports:\n    - {device: \"0000:3b:00.0\", cpus: 6}\n",
         {{0}},
         {"warn numa 0000:3b:00.0"},
         false},
        {"live: # ours\n  ports:\n    - {device: \"0000:3b:00.0\", workers: 2}\n",
         {{PCI "device", "0x1572"}},
         {"warn rss 0000:3b:00.0"},
         false},
        {"live:\n  ports:\n    - {device: net_ring0, workers: 2}\n  distribute: rss\n",
         {{0}},
         {"FAIL rss net_ring0"},
         false},
        {"live:\n  ports:\n    - {device: net_ring0, workers: 9}\n", {{0}}, {"warn cpus"}, false},
        {"live:\n  ports:\n    - {device: net_ring0, cpus: \"2-3\"}\n    - {device: net_ring1, "
         "cpus: \"3-4\"}\n",
         {{0}},
         {"warn cpus net_ring1"},
         false},
        {"live:\n  ports:\n    - {device: net_ring0}\n  clock: nic\n",
         {{0}},
         {"warn clock net_ring0"},
         false},
        {"live:\n  ports:\n    - {device: \"net_af_packet0,iface=eth0,qpairs=3\"}\n",
         {{0}},
         {"FAIL queues net_af_packet0"},
         false},
        {"live:\n  huge_pages: no\n  ports:\n    - {device: \"0000:3b:00.0\"}\n",
         {{PCI "iommu_group", NULL},
          {"/sys/module/vfio/parameters/enable_unsafe_noiommu_mode", "Y"}},
         {"FAIL huge_pages"},
         false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct config c;
        char file[64], want[160], command[1024];
        bool well;
        struct err e = {""};
        rig_good();
        for (unsigned k = 0; k < 3 && rows[i].spoil[k].path != NULL; k++)
            rig_put(&rows[i].spoil[k]);
        rig_config(&c, rows[i].yaml, file);
        char *report = rig_report(&c, file, &well);
        snprintf(want, sizeof want, "%s: ", rows[i].want[0]);
        const char *line = strstr(report, want),
                   *run = line != NULL ? strstr(line, "; run: ") : NULL;
        if (run == NULL)
            fail_msg("row %zu wants %s, gives:\n%s", i, want, report);
        const char *at = strstr(run, "ROOT");
        assert_non_null(at);
        snprintf(command, sizeof command, "%.*s%s%.*s", (int)(at - run - 7), run + 7, rig_root,
                 (int)strcspn(at + 4, "\n"), at + 4);
        free(report);
        assert_int_equal(system(command), 0);
        c = config_default();
        if (!config_load(&c, file, &e))
            fail_msg("row %zu, after %s: %s", i, command, e.text);
        report = rig_report(&c, file, &well);
        if (strstr(report, want) != NULL)
            fail_msg("row %zu: %s mends nothing:\n%s", i, command, report);
        free(report);
    }
}

static void as_json(void **state)
{
    (void)state;
    struct config c;
    char file[64];
    rig_good();
    rig_config(&c, RING, file);
    struct doctor *d = calloc(1, sizeof *d);
    struct text_sink text = {0};
    assert_non_null(d);
    *d = (struct doctor){.c = &c, .root = rig_root, .host = &rig_host};
    rig_module_error = "a \"b\"";
    doctor_run(d);
    doctor_json(d, &text);
    assert_non_null(strstr(
        text.p,
        "{\"schema\": \"tellscope.doctor.v1\", \"ok\": false, \"unsaid\": 0, \"checks\": [\n  "
        "{\"state\": \"fail\", \"name\": \"module\", \"subject\": null, \"found\": \"a "
        "\\\"b\\\"\", \"run\": \"apt-get install dpdk\"},\n  {\"state\": \"ok\", "));
    text_free(&text);
    free(d);
}

int main(void)
{
    if (!rig_begin())
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(cpus, answers), cmocka_unit_test_setup(the_clock, answers),
        cmocka_unit_test_setup(rights, answers), cmocka_unit_test_setup(edits_mend, answers),
        cmocka_unit_test_setup(as_json, answers)};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    rig_end();
    return failed;
}
