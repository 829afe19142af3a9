/* Checks of doctor that are about memory: huge pages, who limits them, what may be locked. */
#include "tests/cli/doctor_rig.h"

#define RING   "live: {ports: [{device: net_ring0}]}"
#define PCI_ON "live: {ports: [{device: \"0000:3b:00.0\", cpus: \"2\"}]}"
#define YES    "live: {huge_pages: yes, ports: [{device: net_ring0}]}"
#define NO     "live: {huge_pages: no, ports: [{device: \"0000:3b:00.0\"}]}"
#define GROUP  "/sys/fs/cgroup/system.slice/tellscope.service/"

static void huge_pages(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {RING,
         {{0}},
         {"ok   huge_pages: 500 of 512 pages of 2MB free; about 54 MiB are needed"},
         false},
        {RING, {{HUGE "free_hugepages", "28"}}, {"ok   huge_pages: 28 of 512..."}, false},
        {RING,
         {{HUGE "free_hugepages", "27"}},
         {"warn huge_pages: 27 of 512 pages of 2MB free; with about 54 MiB of them it would be "
          "faster; run: echo 513 > "
          "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages",
          "!ok   hugetlbfs..."},
         false},
        {RING,
         {{HUGE "free_hugepages", "0"}, {HUGE "nr_hugepages", "0"}},
         {"warn huge_pages: none are set aside; with about 54 MiB of them it would be faster; run: "
          "echo 28 > "
          "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages"},
         false},
        {YES,
         {{HUGE "free_hugepages", "27"}},
         {"FAIL huge_pages: 27 of 512 pages of 2MB free; about 54 MiB are needed; run: echo 513 > "
          "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages"},
         true},
        {YES,
         {{"/sys/kernel/mm/hugepages", NULL}},
         {"FAIL huge_pages: none are set aside..."},
         true},
        {YES,
         {{HUGE "free_hugepages", "0"},
          {"/sys/kernel/mm/hugepages/hugepages-1048576kB/nr_hugepages", "2"},
          {"/sys/kernel/mm/hugepages/hugepages-1048576kB/free_hugepages", "1"}},
         {"ok   huge_pages: 0 of 512 pages of 2MB, 1 of 2 pages of 1GB free; about 54 MiB are "
          "needed"},
         false},
        {NO,
         {{HUGE "free_hugepages", "0"}},
         {"ok   huge_pages: not used, as configured", "!ok   hugetlb..."},
         false},
        {NO,
         {{PCI "iommu_group", NULL},
          {"/sys/module/vfio/parameters/enable_unsafe_noiommu_mode", "Y"}},
         {"FAIL huge_pages: an adapter without IOMMU needs them, and the configuration forbids "
          "them; run: sed..."},
         true},
        {PCI_ON,
         {{PCI "iommu_group", NULL},
          {"/sys/module/vfio/parameters/enable_unsafe_noiommu_mode", "Y"},
          {HUGE "free_hugepages", "0"}},
         {"FAIL huge_pages: 0 of 512..."},
         true},
        {"live: {eal: [--no-huge], ports: [{device: net_ring0}]}",
         {{HUGE "free_hugepages", "0"}},
         {"ok   huge_pages: not used, as configured"},
         false},
        {"live: {mbufs: 1000000, ports: [{device: net_ring0}]}",
         {{0}},
         {"warn huge_pages: 500 of 512..."},
         false},
        /* nodes */
        {PCI_ON,
         {{NODE "node0/hugepages/hugepages-2048kB/free_hugepages", "0"}},
         {"warn huge_pages node0: none are free on the NUMA node of 0000:3b:00.0: memory of "
          "another would be slower; "
          "run: echo 512 > /sys/devices/system/node/node0/hugepages/hugepages-2048kB/nr_hugepages"},
         false},
        {PCI_ON,
         {{NODE "node1/hugepages/hugepages-2048kB/free_hugepages", "0"}},
         {"ok   huge_pages node0..."},
         false},
        {PCI_ON, {{NODE "node1", NULL}}, {"!ok   huge_pages node0...", "!ok   numa..."}, false},
        /* where they are */
        {RING,
         {{"/proc/mounts", "cgroup2 /sys/fs/cgroup cgroup2 rw 0 0"}},
         {"ok   hugetlbfs: not mounted, and not needed: huge pages are taken without files"},
         false},
        {"live: {eal: [--huge-dir=/x], ports: [{device: net_ring0}]}",
         {{"/proc/mounts", "a /hugetlbfs tmpfs rw 0 0"}},
         {"FAIL hugetlbfs: not mounted, and live.eal asks for huge pages in files; run: mkdir -p "
          "/dev/hugepages && mount "
          "-t hugetlbfs nodev /dev/hugepages"},
         true},
    };
    RUN(rows);
}

static void control_groups(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {RING,
         {{GROUP "hugetlb.2MB.max", "57000000"}},
         {"ok   hugetlb_cgroup: no limit in the way"},
         false},
        {RING,
         {{GROUP "hugetlb.2MB.max", "48000000"}},
         {"FAIL hugetlb_cgroup: the control group may take 45 MiB of huge pages more; about 54 MiB "
          "are needed; run: echo "
          "max > '/sys/fs/cgroup/system.slice/tellscope.service/hugetlb.2MB.max'"},
         true},
        {RING,
         {{GROUP "hugetlb.2MB.max", "104857600"}, {GROUP "hugetlb.2MB.current", "94371840"}},
         {"FAIL hugetlb_cgroup: the control group may take 10 MiB..."},
         true},
        {RING,
         {{GROUP "hugetlb.2MB.max", "0"}, {GROUP "hugetlb.2MB.current", "2097152"}},
         {"FAIL hugetlb_cgroup: the control group may take 0 MiB..."},
         true},
        {RING,
         {{"/sys/fs/cgroup/system.slice/hugetlb.2MB.max", "0"}}, /* a group above */
         {"FAIL hugetlb_cgroup: the control group may take 0 MiB of huge pages more; about 54 MiB "
          "are needed; run: echo "
          "max > '/sys/fs/cgroup/system.slice/hugetlb.2MB.max'"},
         true},
        {RING,
         {{"/sys/fs/cgroup/system.slice/other.service/hugetlb.2MB.max", "0"}},
         {"ok   hugetlb_cgroup..."},
         false},
        {RING,
         {{GROUP "hugetlb.1GB.max", "0"}},
         {"ok   hugetlb_cgroup..."},
         false}, /* none of that size are free */
        {RING,
         {{"/proc/self/cgroup", "9:name=systemd:/\n4:cpu,hugetlb:/docker/a\n0::/"},
          {"/proc/mounts", "cgroup /sys/fs/cgroup/hugetlb cgroup rw,hugetlb 0 0"},
          {"/sys/fs/cgroup/hugetlb/docker/a/hugetlb.2MB.limit_in_bytes", "2097152"}},
         {"FAIL hugetlb_cgroup: the control group may take 2 MiB of huge pages more; about 54 MiB "
          "are needed; run: echo "
          "-1 > '/sys/fs/cgroup/hugetlb/docker/a/hugetlb.2MB.limit_in_bytes'"},
         true},
        {RING,
         {{"/proc/self/cgroup", "0::/"}, {"/sys/fs/cgroup/hugetlb.2MB.max", "2097152"}},
         {"FAIL hugetlb_cgroup: the control group may take 2 MiB..."},
         true},
        {RING,
         {{"/proc/mounts", "proc /proc proc rw 0 0"}},
         {"ok   hugetlb_cgroup: no control groups"},
         false},
        {"live: {huge_pages: no, ports: [{device: net_ring0}]}",
         {{GROUP "hugetlb.2MB.max", "0"}},
         {"!ok   hugetlb_cgroup..."},
         false},
    };
    RUN(rows);
}

#define NO_LOCK STATUS("1000", "0000000000000000", "0-7")

static void locked_memory(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {RING, {{"/proc/self/status", NO_LOCK}}, {"ok   memlock: not needed"}, false},
        {PCI_ON,
         {{"/proc/self/status", NO_LOCK}},
         {"FAIL memlock: 8192 KiB may be locked; 0000:3b:00.0 needs about 54 MiB; run: sudo "
          "prlimit --memlock=unlimited "
          "--pid $$"},
         true},
        {PCI_ON,
         {{"/proc/self/status", NO_LOCK}, {"/proc/self/limits", LIMITS("unlimited")}},
         {"ok   memlock: no limit"},
         false},
        {PCI_ON,
         {{"/proc/self/status", NO_LOCK}, {"/proc/self/limits", LIMITS("57671680")}},
         {"ok   memlock: 55 MiB"},
         false},
        {PCI_ON,
         {{"/proc/self/status", NO_LOCK}, {"/proc/self/limits", LIMITS("57000000")}},
         {"ok   memlock: 54 MiB"},
         false},
        {PCI_ON,
         {{"/proc/self/status", NO_LOCK}, {"/proc/self/limits", LIMITS("47000000")}},
         {"FAIL memlock..."},
         true},
        {PCI_ON,
         {{"/proc/self/status", NO_LOCK}, {"/proc/self/limits", NULL}},
         {"warn memlock: not known; run: ulimit -l"},
         false},
    };
    RUN(rows);
}

int main(void)
{
    if (!rig_begin())
        return 1;
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup(huge_pages, answers),
                                       cmocka_unit_test_setup(control_groups, answers),
                                       cmocka_unit_test_setup(locked_memory, answers)};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    rig_end();
    return failed;
}
