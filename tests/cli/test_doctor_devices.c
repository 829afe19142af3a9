/* Checks of doctor that are about virtual devices, DPDK's own arguments and ordinary memory. */
#include "tests/cli/doctor_rig.h"

#define DEVICE(text) "live: {ports: [{device: \"" text "\"}]}"
#define PACKET(more) DEVICE("net_af_packet0,iface=eth0" more)
#define EAL(list)    "live: {eal: [" list "], ports: [{device: net_ring0}]}"

static void devices(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {DEVICE("net_foo0"),
         {{0}},
         {"FAIL device net_foo0: DPDK has no driver of that name; run: sed..."},
         true},
        {"live: {eal: [\"-d\", \"foo.so\"], ports: [{device: net_foo0}]}",
         {{0}},
         {"!FAIL device..."},
         false},
        {PACKET(""), {{0}}, {"!FAIL device..."}, false},
        {PACKET(",blocksz=262144,framesz=2048,framecnt=8192,qpairs=1,qdisc_bypass=0"),
         {{0}},
         {"!FAIL device..."},
         false},
        {PACKET(",blocksz=65536,framesz=65312,framecnt=64"), {{0}}, {"!FAIL device..."}, false},
        {PACKET(",blocksz=3000"), {{0}}, {"FAIL device net_af_packet0: blocksz must..."}, true},
        {PACKET(",framesz=8192"), {{0}}, {"FAIL device net_af_packet0: blocksz must..."}, true},
        {PACKET(",framesz=1000"), {{0}}, {"FAIL device net_af_packet0: framesz must..."}, true},
        {PACKET(",blocksz=131072,framesz=65536"),
         {{0}},
         {"FAIL device net_af_packet0: framesz must..."},
         true},
        {PACKET(",framecnt=511"),
         {{0}},
         {"FAIL device net_af_packet0: framecnt must...",
          "!FAIL device net_af_packet0: blocksz must..."},
         true},
        {PACKET(",foo=1"),
         {{0}},
         {"FAIL device net_af_packet0: its driver knows no argument \"foo\""},
         true},
        {"live: {ports: [{device: \"net_af_packet0,iface=eth0\", mtu: 9000}]}",
         {{0}},
         {"FAIL device net_af_packet0: its driver sets no MTU above 1500..."},
         true},
        {DEVICE("net_pcap0,rx_pcap=/a.pcap"),
         {{"/a.pcap", "root:x:0:0:"}},
         {"FAIL file net_pcap0: /a.pcap is no capture that libpcap reads; run: file /a.pcap"},
         true},
        {DEVICE("net_memif0"),
         {{0}},
         {"FAIL device net_memif0: a client, and nobody listens at /run/memif.sock..."},
         true},
        {DEVICE("net_memif0"),
         {{"/proc/net/unix", "0: 00000002 0 10000 0001 01 123 @/run/memif.sock"}},
         {"!FAIL device..."},
         false},
        {DEVICE("net_memif0,role=server"), {{0}}, {"!FAIL device..."}, false},
    };
    RUN(rows);
}

static void arguments(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {EAL("\"--file-prefix=x\", \"-l\", \"0\", \"--no-pci\""),
         {{0}},
         {"ok   eal: 4 arguments are known"},
         false},
        {EAL("\"--bogus\""), {{0}}, {"FAIL eal: --bogus is no argument of DPDK..."}, true},
        {EAL("\"--no-pci=1\""), {{0}}, {"FAIL eal: --no-pci=1 is no argument..."}, true},
        {EAL("\"foo\""), {{0}}, {"FAIL eal: foo is no argument of DPDK..."}, true},
        {EAL("\"--\""), {{0}}, {"FAIL eal: -- is no argument of DPDK..."}, true},
        {EAL("\"--help\""), {{0}}, {"FAIL eal: --help cannot be given..."}, true},
        {EAL("\"-h\""), {{0}}, {"FAIL eal: -h cannot be given..."}, true},
        {EAL("\"--proc-type=secondary\""),
         {{0}},
         {"FAIL eal: --proc-type=secondary cannot be given..."},
         true},
        {EAL("\"-l\""), {{0}}, {"FAIL eal: -l needs a value..."}, true},
    };
    RUN(rows);
}

static void ordinary_memory(void **state)
{
    (void)state;
    static const struct part none = {HUGE "free_hugepages", "0"};
    static const struct part little = {"/proc/meminfo",
                                       "MemTotal: 90000 kB\nMemAvailable: 50000 kB"};
    static const struct part enough = {"/proc/meminfo",
                                       "MemTotal: 90000 kB\nMemAvailable: 60000 kB"};
    const struct row rows[] = {
        {DEVICE("net_ring0"), {none, little}, {"FAIL memory: about 54 MiB are needed..."}, true},
        {DEVICE("net_ring0"), {none, enough}, {"!FAIL memory..."}, false},
        {DEVICE("net_ring0"), {little}, {"!FAIL memory..."}, false},
    };
    RUN(rows);
}

int main(void)
{
    if (!rig_begin())
        return 1;
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup(devices, answers),
                                       cmocka_unit_test_setup(arguments, answers),
                                       cmocka_unit_test_setup(ordinary_memory, answers)};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    rig_end();
    return failed;
}
