/* Doctor: what each port is, whether it is there, and how packets come from it. */
#include "cli/doctor_part.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- taking a port apart */

bool doctor_argument(const char *device, const char *key, char *to, size_t size)
{
    size_t len = strlen(key);
    to[0] = '\0';
    for (const char *p = strchr(device, ','); p != NULL; p = strchr(p, ',')) {
        p++;
        if (strncmp(p, key, len) != 0 || p[len] != '=')
            continue;
        snprintf(to, size, "%.*s", (int)strcspn(p + len + 1, ","), p + len + 1);
        return true;
    }
    return false;
}

static void pci_of(const struct doctor *d, struct doctor_port *o)
{
    uint64_t n;
    o->kind = PORT_PCI;
    if (doctor_number(d, &n, "/sys/bus/pci/devices/%s/vendor", o->id))
        o->vendor = (uint16_t)n;
    if (doctor_number(d, &n, "/sys/bus/pci/devices/%s/device", o->id))
        o->device = (uint16_t)n;
    (void)doctor_points(d, o->bound, sizeof o->bound, "/sys/bus/pci/devices/%s/driver", o->id);
    o->bifurcated = nic_of(o->vendor, o->device)->kernel != NULL;
    char text[32];
    if (doctor_file(d, text, sizeof text, "/sys/bus/pci/devices/%s/numa_node", o->id))
        o->node = atoi(text);
}

static void virtual_of(const struct doctor *d, struct doctor_port *o)
{
    static const struct {
        const char *begins;
        uint8_t kind;
    } kinds[] = {{"net_af_packet", PORT_AF_PACKET},
                 {"net_af_xdp", PORT_AF_XDP},
                 {"net_tap", PORT_TAP},
                 {"net_pcap", PORT_PCAP}};
    const char *device = o->p->device;
    char text[32], node[64];
    o->kind = PORT_OTHER;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strncmp(o->id, kinds[i].begins, strlen(kinds[i].begins)) == 0)
            o->kind = kinds[i].kind;
    if (o->kind != PORT_TAP && !doctor_argument(device, "iface", o->iface, sizeof o->iface))
        (void)doctor_argument(device, "rx_iface", o->iface, sizeof o->iface);
    (void)doctor_argument(device, "rx_pcap", o->file, sizeof o->file);
    if (doctor_argument(device, o->kind == PORT_AF_XDP ? "queue_count" : "qpairs", text,
                        sizeof text))
        o->queues = strtoull(text, NULL, 10);
    if (o->iface[0] != '\0'
        && doctor_file(d, node, sizeof node, "/sys/class/net/%s/device/numa_node", o->iface))
        o->node = atoi(node);
}

void doctor_port_of(const struct doctor *d, const struct live_port *p, struct doctor_port *o)
{
    char address[16];
    *o = (struct doctor_port){.p = p, .node = -1};
    if (config_device_pci(p->device, address)) {
        snprintf(o->id, sizeof o->id, "%s", address);
        pci_of(d, o);
    } else {
        snprintf(o->id, sizeof o->id, "%.*s", (int)strcspn(p->device, ","), p->device);
        virtual_of(d, o);
    }
}

/* ---- PCI */

static bool carries_default_route(const struct doctor *d, const char *iface)
{
    char routes[8192];
    size_t len = strlen(iface);
    if (!doctor_file(d, routes, sizeof routes, "/proc/net/route"))
        return false;
    for (const char *line = routes; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, iface, len) == 0 && strncmp(line + len, "\t00000000\t", 10) == 0)
            return true;
    }
    return false;
}

/* The kernel's name of the adapter: found by asking each interface of the kernel for its device. */
static void iface_of_pci(const struct doctor *d, const char *id, char *to, size_t size)
{
    static char list[32768];
    char device[64];
    to[0] = '\0';
    if (!doctor_file(d, list, sizeof list, "/proc/net/dev"))
        return;
    char *state = NULL;
    for (char *p = strtok_r(list, "\n", &state); p != NULL; p = strtok_r(NULL, "\n", &state)) {
        char *colon = strchr(p, ':');
        p += strspn(p, " ");
        if (colon == NULL || colon < p || (size_t)(colon - p) >= size)
            continue;
        *colon = '\0';
        /* virtio: the PCI device is the parent of the device */
        if (!doctor_plain(p))
            continue;
        if ((doctor_points(d, device, sizeof device, "/sys/class/net/%s/device", p)
             && strcmp(device, id) == 0)
            || doctor_exists(d, "/sys/bus/pci/devices/%s/net/%s", id, p)
            || doctor_exists(d, "/sys/bus/pci/devices/%s/%s/net/%s", id, device, p)) {
            snprintf(to, size, "%s", p);
            return;
        }
    }
}

static bool is_userspace(const char *driver)
{
    return strcmp(driver, "vfio-pci") == 0 || strcmp(driver, "igb_uio") == 0
           || strcmp(driver, "uio_pci_generic") == 0;
}

/* Not bound as it must be. */
static void fail_binding(struct doctor *d, const struct doctor_port *o, const char *want)
{
    char run[400], iface[32];
    iface_of_pci(d, o->id, iface, sizeof iface);
    if (iface[0] != '\0' && carries_default_route(d, iface)) {
        snprintf(run, sizeof run, "tellscope doctor -i %s", iface);
        doctor_say(d, DOCTOR_FAIL, "binding", o->id, run,
                   "bound to %s as %s, which carries this host's default route and would be lost; "
                   "it can be watched as it is",
                   o->bound, iface);
        return;
    }
    if (iface[0] != '\0')
        snprintf(run, sizeof run, "ip link set %s down && dpdk-devbind.py --bind=%s %s", iface,
                 want, o->id);
    else
        snprintf(run, sizeof run, "dpdk-devbind.py --bind=%s %s", want, o->id);
    if (o->bound[0] == '\0')
        doctor_say(d, DOCTOR_FAIL, "binding", o->id, run, "bound to no driver; %s is needed", want);
    else
        doctor_say(d, DOCTOR_FAIL, "binding", o->id, run, "bound to %s%s%s; %s is needed", o->bound,
                   iface[0] != '\0' ? " as " : "", iface, want);
}

/* Devices behind which the adapter is opened. */
static void check_access(struct doctor *d, const struct doctor_port *o)
{
    char group[32], run[400];
    if (strcmp(o->bound, "vfio-pci") != 0)
        return;
    bool no_iommu =
        !doctor_points(d, group, sizeof group, "/sys/bus/pci/devices/%s/iommu_group", o->id);
    if (no_iommu)
        return; /* told by check_iommu */
    if (doctor_may(d, R_OK | W_OK, "/dev/vfio/%s", group)
        && doctor_may(d, R_OK | W_OK, "/dev/vfio/vfio")) {
        doctor_say(d, DOCTOR_OK, "access", o->id, NULL, "/dev/vfio/%s", group);
        return;
    }
    snprintf(run, sizeof run, "chown %lu /dev/vfio/%s && chmod 666 /dev/vfio/vfio",
             (unsigned long)geteuid(), group);
    doctor_say(d, DOCTOR_FAIL, "access", o->id, run, "/dev/vfio/%s cannot be opened by this user",
               group);
}

static void check_iommu(struct doctor *d, const struct doctor_port *o)
{
    char mode[8] = "", group[32], run[400];
    if (doctor_points(d, group, sizeof group, "/sys/bus/pci/devices/%s/iommu_group", o->id)) {
        doctor_say(d, DOCTOR_OK, "iommu", o->id, NULL, "group %s", group);
        return;
    }
    (void)doctor_file(d, mode, sizeof mode,
                      "/sys/module/vfio/parameters/enable_unsafe_noiommu_mode");
    if (mode[0] == 'Y') {
        doctor_boot(run, "intel_iommu=on iommu=pt");
        doctor_say(
            d, DOCTOR_WARN, "iommu", o->id, run,
            "none; vfio works without (unsafe_noiommu_mode): the adapter can write to all of "
            "memory, and root is needed");
        return;
    }
    if (doctor_cpu_flag(d, "hypervisor"))
        snprintf(run, sizeof run,
                 "modprobe vfio enable_unsafe_noiommu_mode=1 && echo Y > "
                 "/sys/module/vfio/parameters/enable_unsafe_noiommu_mode");
    else
        doctor_boot(run, "intel_iommu=on iommu=pt");
    doctor_say(
        d, DOCTOR_FAIL, "iommu", o->id, run,
        "none, or switched off (in the firmware: VT-d, AMD-Vi): vfio cannot open the adapter");
}

static void check_pci(struct doctor *d, const struct doctor_port *o)
{
    const struct nic *nic = nic_of(o->vendor, o->device);
    uint64_t class = 0;
    if (!doctor_number(d, &class, "/sys/bus/pci/devices/%s/class", o->id)) {
        doctor_say(d, DOCTOR_FAIL, "binding", o->id, "dpdk-devbind.py --status-dev net",
                   "there is no such device; the command lists those there are");
        return;
    }
    if (class >> 16 != 0x02) {
        doctor_say(d, DOCTOR_FAIL, "binding", o->id, "dpdk-devbind.py --status-dev net",
                   "is no network adapter (PCI class %06" PRIx64 ")", class);
        return;
    }
    const char *want = nic->kernel != NULL ? nic->kernel : "vfio-pci";
    bool good = nic->kernel != NULL ? strcmp(o->bound, nic->kernel) == 0 : is_userspace(o->bound);
    if (nic->kernel == NULL && !doctor_exists(d, "/sys/bus/pci/drivers/vfio-pci")
        && (!good || strcmp(o->bound, "vfio-pci") == 0))
        doctor_say(d, DOCTOR_FAIL, "vfio", o->id, "modprobe vfio-pci",
                   "the module vfio-pci is not loaded");
    if (good)
        doctor_say(d, DOCTOR_OK, "binding", o->id, NULL, "%s, %04x:%04x, driven by %s", o->bound,
                   o->vendor, o->device,
                   nic->driver != NULL ? nic->driver : "a driver that is not known here");
    else
        fail_binding(d, o, want);
    if (nic->kernel == NULL && (!good || strcmp(o->bound, "vfio-pci") == 0))
        check_iommu(d, o);
    if (nic->kernel != NULL && !doctor_exists(d, "/sys/class/infiniband_verbs"))
        doctor_say(d, DOCTOR_FAIL, "verbs", o->id,
                   strcmp(nic->kernel, "mlx5_core") == 0 ? "modprobe -a ib_uverbs mlx5_ib"
                                                         : "modprobe -a ib_uverbs mlx4_ib",
                   "the module ib_uverbs is not loaded");
    if (good)
        check_access(d, o);
}

/* ---- interfaces of the kernel, and capture files */

static void check_iface(struct doctor *d, const struct doctor_port *o)
{
    struct doctor_link l = {0};
    char run[400];
    if (o->iface[0] == '\0') {
        doctor_edit(d, run, "s/net_af_[a-z]*[0-9]*/&,iface=eth0/");
        doctor_say(d, DOCTOR_FAIL, "interface", o->id, run, "the device lacks \",iface=NAME\"");
        return;
    }
    if (doctor_plain(o->iface))
        d->host->link(o->iface, &l);
    if (!l.exists) {
        doctor_say(d, DOCTOR_FAIL, "interface", o->iface, "ip -br link",
                   "there is none of that name; the command lists those there are");
        return;
    }
    if (!l.ethernet) {
        doctor_say(d, DOCTOR_FAIL, "interface", o->iface, "ip -br link",
                   "carries no Ethernet frames; the command lists others");
        return;
    }
    if (!l.up) {
        snprintf(run, sizeof run, "ip link set dev %s up", o->iface);
        doctor_say(d, DOCTOR_FAIL, "interface", o->iface, run, "is down");
    } else if (!l.carrier) {
        snprintf(run, sizeof run, "ethtool %s", o->iface);
        doctor_say(d, DOCTOR_WARN, "interface", o->iface, run,
                   "is up, without a carrier: is the cable in?");
    } else {
        doctor_say(d, DOCTOR_OK, "interface", o->iface, NULL, "is up");
    }
    if (l.gro || l.lro) {
        snprintf(run, sizeof run, "ethtool -K %s%s%s", o->iface, l.gro ? " gro off" : "",
                 l.lro ? " lro off" : "");
        doctor_say(
            d, DOCTOR_WARN, "offloads", o->iface, run,
            "%s%s%s: packets are merged before they are seen, so that numbers and sizes are not "
            "those of the wire",
            l.gro ? "GRO" : "", l.gro && l.lro ? " and " : "", l.lro ? "LRO" : "");
    } else {
        doctor_say(d, DOCTOR_OK, "offloads", o->iface, NULL,
                   "packets are seen as they come (GRO, LRO off)");
    }
}

static void check_file(struct doctor *d, const struct doctor_port *o)
{
    char run[400] = "";
    if (doctor_may(d, R_OK, "%s", o->file)) {
        doctor_say(d, DOCTOR_OK, "file", o->id, NULL, "%.200s", o->file);
        return;
    }
    if (doctor_plain(o->file))
        snprintf(run, sizeof run, "ls -l %s", o->file);
    doctor_say(d, DOCTOR_FAIL, "file", o->id, run, "%.200s cannot be read", o->file);
}

static void check_queues(struct doctor *d, const struct doctor_port *o)
{
    char run[400], expression[128];
    if (o->queues <= o->p->workers)
        return;
    snprintf(expression, sizeof expression, "s/%s=%" PRIu64 "/%s=%" PRIu64 "/",
             o->kind == PORT_AF_XDP ? "queue_count" : "qpairs", o->queues,
             o->kind == PORT_AF_XDP ? "queue_count" : "qpairs", o->p->workers);
    doctor_edit(d, run, expression);
    doctor_say(d, DOCTOR_FAIL, "queues", o->id, run,
               "%" PRIu64 " queues and %" PRIu64 " workers: nobody would read the others",
               o->queues, o->p->workers);
}

/* ---- how packets come to workers */

static bool tunnels_expected(const struct config *c)
{
    bool any = c->site_by == SITE_BY_VNI || c->site_by == SITE_BY_GRE;
    for (unsigned i = 0; i < c->n_rules; i++)
        any = any || c->rules[i].kind == RULE_INNER_OUI || c->rules[i].kind == RULE_VNI
              || c->rules[i].kind == RULE_GRE_KEY;
    return any;
}

static void check_rss(struct doctor *d, const struct doctor_port *o)
{
    const struct nic *nic = nic_of(o->vendor, o->device);
    const char *driver = nic->driver != NULL ? nic->driver : o->id;
    bool asked = d->c->live.distribute == DISTRIBUTE_RSS;
    char run[400];
    doctor_set(d, run, "distribute", asked ? "auto" : "software");
    if (o->p->workers < 2 || d->c->live.distribute == DISTRIBUTE_SOFTWARE) {
        doctor_say(d, DOCTOR_OK, "rss", o->id, NULL, "not needed: %s",
                   o->p->workers < 2 ? "one worker" : "workers hand packets to each other");
    } else if (o->kind != PORT_PCI) {
        doctor_say(d, asked ? DOCTOR_FAIL : DOCTOR_OK, "rss", o->id, asked ? run : NULL,
                   asked ? "virtual devices have none, and live.distribute asks for it"
                         : "none: workers hand packets to each other");
    } else if (tunnels_expected(d->c) && !asked) {
        doctor_say(d, DOCTOR_OK, "rss", o->id, NULL,
                   "not used: tunnels are configured, so workers hand packets to each other");
    } else if (nic->rss == RSS_BY_ADDRESS) {
        doctor_say(d, DOCTOR_OK, "rss", o->id, NULL, "%s shards by address pairs", driver);
    } else if (nic->rss == RSS_MAYBE) {
        doctor_say(
            d, DOCTOR_WARN, "rss", o->id, run,
            "%s shards only where the hypervisor offers it, which is known after the start%s",
            driver, asked ? "" : "; else workers hand packets to each other");
    } else if (asked) {
        doctor_say(
            d, DOCTOR_WARN, "rss", o->id, run,
            "that %s shards by address pairs is not known; if it does not, the start fails or "
            "packets are misplaced",
            driver);
    } else {
        doctor_say(d, DOCTOR_WARN, "rss", o->id, run,
                   "%s: workers hand packets to each other, which costs speed; say so, and this is "
                   "no warning",
                   nic->rss == RSS_BY_PORTS ? "no sharding by address pairs alone" : "not known");
    }
}

static void check_port_clock(struct doctor *d, const struct doctor_port *o)
{
    char run[400];
    if (d->c->live.clock != CLOCK_NIC || o->kind == PORT_PCI || o->kind == PORT_PCAP)
        return;
    doctor_set(d, run, "clock", "auto");
    doctor_say(d, DOCTOR_WARN, "clock", o->id, run,
               "live.clock is nic, and virtual devices have no clock: ours is taken");
}

/* Of the kernel, but for lo; untouched where there is none. */
static void first_iface(const struct doctor *d, char to[static 32])
{
    char list[4096], *state = NULL;
    if (!doctor_file(d, list, sizeof list, "/proc/net/dev"))
        return;
    for (char *p = strtok_r(list, "\n", &state); p != NULL; p = strtok_r(NULL, "\n", &state)) {
        p += strspn(p, " ");
        size_t len = strcspn(p, ":");
        if (p[len] == '\0' || len >= 32 || strncmp(p, "lo:", 3) == 0)
            continue;
        p[len] = '\0';
        if (doctor_plain(p)) {
            snprintf(to, 32, "%s", p);
            return;
        }
    }
}

void doctor_check_ports(struct doctor *d)
{
    doctor_check_eal(d);
    if (d->c->live.n_ports == 0) {
        char run[400], iface[32] = "eth0";
        first_iface(d, iface);
        snprintf(run, sizeof run, "tellscope doctor -i %s", iface);
        doctor_say(d, DOCTOR_FAIL, "ports", NULL, run, "none is configured under live.ports");
        return;
    }
    for (unsigned i = 0; i < d->c->live.n_ports; i++) {
        struct doctor_port o;
        doctor_port_of(d, &d->c->live.ports[i], &o);
        if (o.kind == PORT_PCI)
            check_pci(d, &o);
        else if (o.kind == PORT_AF_PACKET || o.kind == PORT_AF_XDP || o.iface[0] != '\0')
            check_iface(d, &o);
        if (o.kind == PORT_TAP && !doctor_may(d, R_OK | W_OK, "/dev/net/tun"))
            doctor_say(d, DOCTOR_FAIL, "access", o.id, "modprobe tun",
                       "/dev/net/tun cannot be opened");
        if (o.file[0] != '\0')
            check_file(d, &o);
        doctor_check_device(d, &o);
        check_queues(d, &o);
        if (o.kind != PORT_PCI || o.vendor != 0)
            check_rss(d, &o);
        check_port_clock(d, &o);
    }
}
