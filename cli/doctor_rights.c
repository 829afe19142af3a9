/* Doctor: the module for live ports, the user, capabilities. */
#include "cli/doctor_part.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void check_module(struct doctor *d)
{
    struct err e = {""};
    if (d->host->module(&e))
        doctor_say(d, DOCTOR_OK, "module", NULL, NULL, "the module for live ports can be loaded");
    else
        doctor_say(d, DOCTOR_FAIL, "module", NULL,
                   strstr(e.text, "libdpdk-dev") != NULL
                       ? "apt-get install libdpdk-dev && cmake -B build -DTELLSCOPE_DPDK=ON && "
                         "cmake --build build"
                       : "apt-get install dpdk",
                   "%s", e.text);
}

static void check_user(struct doctor *d)
{
    struct err e = {""};
    const char *user = d->c->live.user;
    bool is_self = false;
    char run[400], name[CONFIG_NAME_LEN];
    if (user[0] == '\0')
        return;
    snprintf(name, sizeof name, "%.*s", (int)strcspn(user, ":"), user);
    if (!d->host->user(user, &is_self, &e)) {
        snprintf(run, sizeof run, "useradd --system --no-create-home --shell /usr/sbin/nologin %s",
                 name);
        if (strcmp(name, "root") == 0 || strchr(user, ':') != NULL)
            doctor_set(d, run, "user", "tellscope");
        doctor_say(d, DOCTOR_FAIL, "user", NULL, run, "%s", e.text);
    } else if (is_self) {
        doctor_say(d, DOCTOR_OK, "user", NULL, NULL, "this is %s already", user);
    } else if (!doctor_has_cap(d, CAP_SETUID) || !doctor_has_cap(d, CAP_SETGID)) {
        doctor_again(d, run, "sudo");
        doctor_say(d, DOCTOR_FAIL, "user", NULL, run,
                   "only root can become %s (CAP_SETUID, CAP_SETGID)", user);
    } else {
        doctor_say(d, DOCTOR_OK, "user", NULL, NULL, "%s, once the ports are open", user);
    }
}

/* What the ports together ask for. */
static uint64_t caps_needed(const struct doctor *d, const char **why)
{
    uint64_t need = 0, raw = UINT64_C(1) << CAP_NET_RAW, admin = UINT64_C(1) << CAP_NET_ADMIN;
    for (unsigned i = 0; i < d->c->live.n_ports; i++) {
        const struct live_port *p = &d->c->live.ports[i];
        struct doctor_port o;
        doctor_port_of(d, p, &o);
        uint64_t before = need;
        if (o.kind == PORT_AF_PACKET)
            need |= raw | (p->promiscuous || p->mtu > 0 ? admin : 0);
        else if (o.kind == PORT_AF_XDP)
            need |= raw | admin | (doctor_has_cap(d, CAP_SYS_ADMIN) ? 0 : UINT64_C(1) << CAP_BPF);
        else if (o.kind == PORT_TAP)
            need |= admin;
        else if (o.kind == PORT_PCAP && o.iface[0] != '\0')
            need |= raw;
        else if (o.kind == PORT_PCI && o.bifurcated)
            need |= raw;
        else if (o.kind == PORT_PCI
                 && (strcmp(o.bound, "igb_uio") == 0 || strcmp(o.bound, "uio_pci_generic") == 0))
            need |= UINT64_C(1) << CAP_SYS_RAWIO | UINT64_C(1) << CAP_SYS_ADMIN;
        if (need != before)
            *why = p->device;
    }
    return need;
}

static const struct {
    unsigned cap;
    const char *name;
} caps[] = {{CAP_NET_ADMIN, "cap_net_admin"},
            {CAP_NET_RAW, "cap_net_raw"},
            {CAP_SYS_RAWIO, "cap_sys_rawio"},
            {CAP_SYS_ADMIN, "cap_sys_admin"},
            {CAP_BPF, "cap_bpf"}};

static void names_of(uint64_t set, char *to, size_t size)
{
    size_t at = 0;
    to[0] = '\0';
    for (size_t i = 0; i < sizeof caps / sizeof *caps; i++)
        if (set >> caps[i].cap & 1 && at < size)
            at += (size_t)snprintf(to + at, size - at, "%s%s", at > 0 ? "," : "", caps[i].name);
}

static void check_capabilities(struct doctor *d)
{
    const char *why = "";
    uint64_t need = caps_needed(d, &why), missing = need & ~d->caps;
    char all[96], lacks[96], run[400], program[256] = "/usr/bin/tellscope";
    names_of(need, all, sizeof all);
    names_of(missing, lacks, sizeof lacks);
    if (need == 0) {
        doctor_say(d, DOCTOR_OK, "capabilities", NULL, NULL, "none are needed");
    } else if (missing == 0) {
        doctor_say(d, DOCTOR_OK, "capabilities", NULL, NULL, "%s", all);
    } else {
        ssize_t n = readlink("/proc/self/exe", program, sizeof program - 1);
        if (n > 0)
            program[n] = '\0';
        snprintf(run, sizeof run, "setcap %s+ep '%s'", all, program);
        doctor_say(d, DOCTOR_FAIL, "capabilities", NULL, run, "%s needs %s", why, lacks);
    }
}

void doctor_check_rights(struct doctor *d)
{
    check_module(d);
    check_user(d);
    check_capabilities(d);
}
