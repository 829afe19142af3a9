/* Every check of doctor on a made-up host: what is well, what is not, and what nearly is. */
#include "tests/cli/doctor_rig.h"

#define PCI_PORT "live: {ports: [{device: \"0000:3b:00.0\"}]}"
#define PACKET   "live: {ports: [{device: \"net_af_packet0,iface=eth0\"}]}"
#define CPUS(c)  "live: {ports: [{device: \"0000:3b:00.0\", cpus: \"" c "\"}]}"
#define TWO(dev) "live: {ports: [{device: \"" dev "\", workers: 2}]}"
#define RSS(dev) "live: {distribute: rss, ports: [{device: \"" dev "\", workers: 2}]}"
#define BOOT(args)                                                                                 \
    "sed -i 's/^GRUB_CMDLINE_LINUX=\"/&" args " /' /etc/default/grub && update-grub && reboot"
#define MUST_HAVE_IOMMU                                                                            \
    "none, or switched off (in the firmware: VT-d, AMD-Vi): vfio cannot open the adapter"

static void all_is_well(void **state)
{
    (void)state;
    struct config c;
    char file[64];
    bool well;
    rig_good();
    rig_config(&c,
               "live: {user: tellscope, ports: [{device: \"3B:00.0\", workers: 2, cpus: \"2-3\"}]}",
               file);
    char *report = rig_report(&c, file, &well);
    assert_string_equal(report,
                        "ok   module: the module for live ports can be loaded\n"
                        "ok   user: tellscope, once the ports are open\n"
                        "ok   capabilities: none are needed\n"
                        "ok   binding 0000:3b:00.0: vfio-pci, 8086:10fb, driven by net_ixgbe\n"
                        "ok   iommu 0000:3b:00.0: group 12\n"
                        "ok   access 0000:3b:00.0: /dev/vfio/12\n"
                        "ok   rss 0000:3b:00.0: net_ixgbe shards by address pairs\n"
                        "ok   huge_pages: 500 of 512 pages of 2MB free; about 105 MiB are needed\n"
                        "ok   huge_pages node0: 500 MiB are free there\n"
                        "ok   hugetlbfs: mounted at /dev/hugepages\n"
                        "ok   hugetlb_cgroup: no limit in the way\n"
                        "ok   memlock: no limit (CAP_IPC_LOCK)\n"
                        "ok   cpus 0000:3b:00.0: 2-3, for 2 workers\n"
                        "ok   numa 0000:3b:00.0: on node 0, as its CPUs\n"
                        "ok   cpus: 8 may be used, by 2 workers\n"
                        "ok   isolated: 2-3: nothing else runs there\n"
                        "ok   clock: tsc, constant_tsc, nonstop_tsc\n");
    assert_true(well);
    free(report);
}

static void ports(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"seed: 1",
         {{0}},
         {"FAIL ports: none is configured under live.ports; run: tellscope doctor -i eth0"},
         true},
        {PCI_PORT,
         {{PCI, NULL}},
         {"FAIL binding 0000:3b:00.0: there is no such device; the command lists those there are; "
          "run: "
          "dpdk-devbind.py --status-dev net",
          "!ok   rss..."},
         true},
        {PCI_PORT,
         {{PCI "class", "0x030000"}},
         {"FAIL binding 0000:3b:00.0: is no network adapter (PCI class 030000); run: "
          "dpdk-devbind.py "
          "--status-dev net"},
         true},
        {PCI_PORT, {{PCI "class", "0x028000"}}, {"ok   binding..."}, false},
        {PCI_PORT,
         {{PCI "driver", "->../../drivers/ixgbe"}},
         {"FAIL binding 0000:3b:00.0: bound to ixgbe as eth0; vfio-pci is needed; run: ip link set "
          "eth0 down && "
          "dpdk-devbind.py --bind=vfio-pci 0000:3b:00.0"},
         true},
        {PCI_PORT,
         {{PCI "driver", "->../../drivers/ixgbe"}, {"/sys/class/net", NULL}},
         {"FAIL binding 0000:3b:00.0: bound to ixgbe; vfio-pci is needed; run: dpdk-devbind.py "
          "--bind=vfio-pci "
          "0000:3b:00.0"},
         true},
        {PCI_PORT,
         {{PCI "driver", "->../../drivers/ixgbe"}, {"/proc/net/route", "eth0\t00000000\t0101A8C0"}},
         {"FAIL binding 0000:3b:00.0: bound to ixgbe as eth0, which carries this host's default "
          "route and would "
          "be lost; it can be watched as it is; run: tellscope doctor -i eth0"},
         true},
        /* virtio: the interface is the child's */
        {PCI_PORT,
         {{PCI "driver", "->../../drivers/virtio-pci"},
          {"/sys/class/net/eth0/device", "->../../virtio2"},
          {PCI "virtio2/net/eth0/x", ""}},
         {"FAIL binding 0000:3b:00.0: bound to virtio-pci as eth0; vfio-pci is needed; run: ip "
          "link..."},
         true},
        {PCI_PORT,
         {{PCI "driver", NULL}},
         {"FAIL binding 0000:3b:00.0: bound to no driver; vfio-pci is needed; run: ip link set "
          "eth0 down && "
          "dpdk-devbind.py --bind=vfio-pci 0000:3b:00.0"},
         true},
        {PCI_PORT, {{PCI "driver", "->../../drivers/vfio-pci-x"}}, {"FAIL binding..."}, true},
        {PCI_PORT,
         {{PCI "driver", "->../../drivers/igb_uio"}},
         {"ok   binding 0000:3b:00.0: igb_uio, 8086:10fb, driven by net_ixgbe", "!ok   access..."},
         false},
        {PCI_PORT,
         {{"/sys/bus/pci/drivers/vfio-pci", NULL}, {PCI "driver", "->../../drivers/ixgbe"}},
         {"FAIL vfio 0000:3b:00.0: the module vfio-pci is not loaded; run: modprobe vfio-pci",
          "FAIL binding..."},
         true},
        {PCI_PORT,
         {{PCI "device", "0xffff"}},
         {"ok   binding 0000:3b:00.0: vfio-pci, 8086:ffff, driven by a driver that is not known "
          "here"},
         false},
        /* mlx5 stays where it is */
        {PCI_PORT,
         {{PCI "vendor", "0x15b3"},
          {PCI "driver", "->../mlx5_core"},
          {"/sys/class/infiniband_verbs/x", ""}},
         {"ok   binding 0000:3b:00.0: mlx5_core, 15b3:10fb, driven by mlx5_pci", "!ok   iommu..."},
         false},
        {PCI_PORT,
         {{PCI "vendor", "0x15b3"}, {PCI "driver", "->../mlx5_core"}},
         {"FAIL verbs 0000:3b:00.0: the module ib_uverbs is not loaded; run: modprobe -a ib_uverbs "
          "mlx5_ib"},
         true},
        {PCI_PORT,
         {{PCI "vendor", "0x15b3"}, {"/sys/class/infiniband_verbs/x", ""}},
         {"FAIL binding 0000:3b:00.0: bound to vfio-pci as eth0; mlx5_core is needed; run: ip link "
          "set eth0 down && "
          "dpdk-devbind.py --bind=mlx5_core 0000:3b:00.0"},
         true},
        /* IOMMU */
        {PCI_PORT,
         {{PCI "iommu_group", NULL}},
         {"FAIL iommu 0000:3b:00.0: " MUST_HAVE_IOMMU "; run: " BOOT("intel_iommu=on iommu=pt")},
         true},
        {PCI_PORT,
         {{PCI "iommu_group", NULL},
          {"/proc/cpuinfo", CPUINFO("hypervisor constant_tsc nonstop_tsc")}},
         {"FAIL iommu 0000:3b:00.0: " MUST_HAVE_IOMMU
          "; run: modprobe vfio enable_unsafe_noiommu_mode=1 && echo Y > "
          "/sys/module/vfio/parameters/enable_unsafe_noiommu_mode"},
         true},
        {PCI_PORT,
         {{PCI "iommu_group", NULL},
          {"/sys/module/vfio/parameters/enable_unsafe_noiommu_mode", "N"}},
         {"FAIL iommu..."},
         true},
        {PCI_PORT,
         {{PCI "iommu_group", NULL},
          {"/sys/module/vfio/parameters/enable_unsafe_noiommu_mode", "Y"}},
         {"warn iommu 0000:3b:00.0: none; vfio works without (unsafe_noiommu_mode)..."},
         false},
        {PCI_PORT,
         {{"/dev/vfio/12", NULL}},
         {"FAIL access 0000:3b:00.0: /dev/vfio/12 cannot be opened by this user; run: chown..."},
         true},
        {PCI_PORT, {{"/dev/vfio/vfio", NULL}}, {"FAIL access..."}, true},
        /* virtual devices */
        {"live: {ports: [{device: net_ring0}]}",
         {{0}},
         {"ok   rss net_ring0: not needed: one worker"},
         false},
        {"live: {ports: [{device: net_tap0}]}",
         {{"/dev/net/tun", NULL}},
         {"FAIL access net_tap0: /dev/net/tun cannot be opened; run: modprobe tun"},
         true},
        {"live: {ports: [{device: \"net_pcap0,rx_pcap=/a/b.pcap\"}]}",
         {{"/a/b.pcap", "\xd4\xc3\xb2\xa1"}},
         {"ok   file net_pcap0: /a/b.pcap"},
         false},
        {"live: {ports: [{device: \"net_pcap0,rx_pcap=/a/b.pcap\"}]}",
         {{0}},
         {"FAIL file net_pcap0: /a/b.pcap cannot be read; run: ls -l /a/b.pcap"},
         true},
        {"live: {ports: [{device: \"net_pcap0,rx_pcap=/a/b';c\"}]}",
         {{0}},
         {"FAIL file net_pcap0: /a/b';c cannot be read"},
         true}, /* never a command with that in it */
        {"live: {ports: [{device: \"net_af_packet0,iface=eth0,qpairs=2\"}]}",
         {{0}},
         {"FAIL queues net_af_packet0: 2 queues and 1 workers: nobody would read the others; run: "
          "sed -i "
          "'s/qpairs=2/qpairs=1/' ROOT/live.yaml"},
         true},
        {"live: {ports: [{device: \"net_af_packet0,iface=eth0,qpairs=2\", workers: 2}]}",
         {{0}},
         {"!FAIL queues..."},
         false},
        {"live: {clock: nic, ports: [{device: net_ring0}]}",
         {{0}},
         {"warn clock net_ring0: live.clock is nic, and virtual devices have no clock: ours is "
          "taken; run: sed..."},
         false},
    };
    RUN(rows);
}

static void interfaces(void **state)
{
    (void)state;
    const struct {
        struct doctor_link link;
        const char *want;
        bool fails;
    } rows[] = {
        {{.exists = true, .up = true, .carrier = true, .ethernet = true},
         "ok   offloads eth0: packets are seen as they come (GRO, LRO off)",
         false},
        {{0},
         "FAIL interface eth0: there is none of that name; the command lists those there are; run: "
         "ip -br link",
         true},
        {{.exists = true, .up = true, .carrier = true},
         "FAIL interface eth0: carries no Ethernet frames; the command lists others; run: ip -br "
         "link",
         true},
        {{.exists = true, .ethernet = true},
         "FAIL interface eth0: is down; run: ip link set dev eth0 up",
         true},
        {{.exists = true, .up = true, .ethernet = true},
         "warn interface eth0: is up, without a carrier: is the cable in?; run: ethtool eth0",
         false},
        {{.exists = true, .up = true, .carrier = true, .ethernet = true, .gro = true},
         "warn offloads eth0: GRO: packets are merged before they are seen, so that numbers and "
         "sizes are not those of "
         "the wire; run: ethtool -K eth0 gro off",
         false},
        {{.exists = true, .up = true, .carrier = true, .ethernet = true, .gro = true, .lro = true},
         "warn offloads eth0: GRO and LRO: packets are merged before they are seen, so that "
         "numbers and sizes are not "
         "those of the wire; run: ethtool -K eth0 gro off lro off",
         false},
        {{.exists = true, .up = true, .carrier = true, .ethernet = true, .lro = true},
         "warn offloads eth0: LRO: packets...",
         false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct row row = {PACKET, {{0}}, {rows[i].want}, rows[i].fails};
        rig_link = rows[i].link;
        run_rows(&row, 1);
    }
    rig_answers();
    static const struct row names[] = {
        {"live: {ports: [{device: net_af_packet0}]}",
         {{0}},
         {"FAIL interface net_af_packet0: the device lacks \",iface=NAME\"; run: sed..."},
         true},
        {"live: {ports: [{device: \"net_af_packet0,iface=eth00\"}]}",
         {{0}},
         {"FAIL interface eth00: there is none..."},
         true},
        {"live: {ports: [{device: \"net_pcap0,iface=eth0\"}]}",
         {{0}},
         {"ok   interface eth0: is up"},
         false},
        {"live: {ports: [{device: \"net_pcap0,rx_iface=eth1\"}]}",
         {{0}},
         {"FAIL interface eth1: ..."},
         true},
        {"live: {ports: [{device: \"net_af_xdp0,iface=$(x)\"}]}",
         {{0}},
         {"FAIL interface $(x): there is none of that name; the command lists those there are; "
          "run: ip -br link"},
         true},
    };
    RUN(names);
}

static void sharding(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {TWO("net_ring0"),
         {{0}},
         {"ok   rss net_ring0: none: workers hand packets to each other"},
         false},
        {RSS("net_ring0"),
         {{0}},
         {"FAIL rss net_ring0: virtual devices have none, and live.distribute asks for it; run: "
          "sed..."},
         true},
        {TWO("3b:00.0"),
         {{0}},
         {"ok   rss 0000:3b:00.0: net_ixgbe shards by address pairs"},
         false},
        {TWO("3b:00.0"),
         {{PCI "device", "0x1572"}},
         {"warn rss 0000:3b:00.0: no sharding by address pairs alone: workers hand packets to each "
          "other..."},
         false},
        {RSS("3b:00.0"),
         {{PCI "device", "0x1572"}},
         {"warn rss 0000:3b:00.0: that net_i40e shards by address pairs is not known..."},
         false},
        {TWO("3b:00.0"),
         {{PCI "vendor", "0x1af4"}, {PCI "device", "0x1041"}},
         {"warn rss 0000:3b:00.0: net_virtio shards only where the hypervisor offers it..."},
         false},
        {TWO("3b:00.0"),
         {{PCI "vendor", "0x14e4"}},
         {"warn rss 0000:3b:00.0: not known: workers hand..."},
         false},
        {TWO("3b:00.0") "\ngateways: [{vni: any}]",
         {{0}},
         {"ok   rss 0000:3b:00.0: not used: tunnels are configured, so workers hand packets to "
          "each other"},
         false},
        {TWO("3b:00.0") "\ngateways: [{vlan: any}]",
         {{0}},
         {"ok   rss 0000:3b:00.0: net_ixgbe shards..."},
         false},
        {"live: {distribute: software, ports: [{device: \"3b:00.0\", workers: 2}]}",
         {{0}},
         {"ok   rss 0000:3b:00.0: not needed: workers hand packets to each other"},
         false},
    };
    RUN(rows);
}

int main(void)
{
    if (!rig_begin())
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(all_is_well, answers), cmocka_unit_test_setup(ports, answers),
        cmocka_unit_test_setup(interfaces, answers), cmocka_unit_test_setup(sharding, answers)};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    rig_end();
    return failed;
}
