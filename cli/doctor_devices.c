/* Doctor: what virtual devices and DPDK's own arguments ask for, as far as it can be told before
 * DPDK is started. */
#include "cli/doctor_part.h"
#include "ingest/ports_eal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FRAME_LEAST = 64, FRAME_MOST = 65280 /* of a buffer */, FRAME_HEAD = 32, FRAME_ALIGN = 16 };

void doctor_check_eal(struct doctor *d)
{
    const char *args[CONFIG_EAL_MAX];
    unsigned bad = 0;
    struct err e = {""};
    char run[400] = "", expression[160];
    for (unsigned i = 0; i < d->c->live.n_eal; i++)
        args[i] = d->c->live.eal[i];
    if (d->c->live.n_eal == 0)
        return;
    if (ports_eal_check(args, d->c->live.n_eal, &bad, &e)) {
        doctor_say(d, DOCTOR_OK, "eal", NULL, NULL, "%u arguments are known", d->c->live.n_eal);
        return;
    }
    if (doctor_plain(args[bad]) && strpbrk(args[bad], "/.") == NULL) {
        snprintf(expression, sizeof expression, "/^ *- \"\\?%.100s\"\\?$/d", args[bad]);
        doctor_edit(d, run, expression);
    }
    doctor_say(d, DOCTOR_FAIL, "eal", NULL, run, "%s", e.text);
}

static bool number(const char *device, const char *key, uint64_t *n)
{
    char text[32], *end;
    if (!doctor_argument(device, key, text, sizeof text))
        return false;
    *n = strtoull(text, &end, 10);
    return true;
}

/* An argument that net_af_packet does not know; "": none. */
static void unknown_argument(const char *device, char to[static 32])
{
    static const char *const names[] = {"iface",   "qpairs",   "blocksz",
                                        "framesz", "framecnt", "qdisc_bypass"};
    to[0] = '\0';
    for (const char *p = strchr(device, ','); p != NULL; p = strchr(p, ',')) {
        bool known = false;
        size_t len = strcspn(++p, "=,");
        for (size_t i = 0; i < sizeof names / sizeof *names; i++)
            known = known || (strlen(names[i]) == len && memcmp(p, names[i], len) == 0);
        if (!known) {
            snprintf(to, 32, "%.*s", (int)len, p);
            return;
        }
    }
}

/* What the kernel and the driver make of the ring's measures. */
static void check_ring(struct doctor *d, const struct doctor_port *o)
{
    uint64_t block = 4096, frame = 2048, frames = 512;
    const char *device = o->p->device, *what = NULL;
    char run[400] = "", unknown[32];
    unknown_argument(device, unknown);
    if (unknown[0] != '\0')
        doctor_say(d, DOCTOR_FAIL, "device", o->id, NULL, "its driver knows no argument \"%s\"",
                   unknown);
    (void)number(device, "blocksz", &block);
    (void)number(device, "framesz", &frame);
    (void)number(device, "framecnt", &frames);
    if (frame < FRAME_LEAST || frame % FRAME_ALIGN != 0 || frame > FRAME_MOST + FRAME_HEAD)
        what = "framesz must be a multiple of 16, from 64 to 65312";
    else if (block < frame || block % 4096 != 0)
        what = "blocksz must be a multiple of 4096, and hold a frame";
    else if (frames == 0 || frames % (block / frame) != 0)
        what = "framecnt must fill whole blocks: a multiple of blocksz / framesz";
    if (what != NULL) {
        doctor_edit(d, run, "s/,\\(blocksz\\|framesz\\|framecnt\\)=[0-9]*//g");
        doctor_say(d, DOCTOR_FAIL, "device", o->id, run, "%s", what);
    }
    if (o->p->mtu > 1500) {
        doctor_edit(d, run, "s/, *mtu: [0-9]*//; /^ *mtu: /d");
        doctor_say(d, DOCTOR_FAIL, "device", o->id, run,
                   "its driver sets no MTU above 1500; leave it out, and set it by 'ip link set "
                   "dev %s mtu %" PRIu64 "'",
                   o->iface, o->p->mtu);
    }
}

/* libpcap reads what begins so. */
static void check_capture(struct doctor *d, const struct doctor_port *o)
{
    static const char *const magic[] = {"\xa1\xb2\xc3\xd4", "\xd4\xc3\xb2\xa1", "\xa1\xb2\x3c\x4d",
                                        "\x4d\x3c\xb2\xa1", "\xa1\xb2\xcd\x34", "\x34\xcd\xb2\xa1",
                                        "\x0a\x0d\x0d\x0a"};
    char first[8] = "", run[400] = "";
    if (!doctor_file(d, first, sizeof first, "%s", o->file))
        return; /* told by check_file */
    for (size_t i = 0; i < sizeof magic / sizeof *magic; i++)
        if (memcmp(first, magic[i], 4) == 0)
            return;
    if (doctor_plain(o->file))
        snprintf(run, sizeof run, "file %s", o->file);
    doctor_say(d, DOCTOR_FAIL, "file", o->id, run, "%.200s is no capture that libpcap reads",
               o->file);
}

/* Only the server's side starts alone. */
static void check_memif(struct doctor *d, const struct doctor_port *o)
{
    static char list[262144];
    char role[16], path[128] = "/run/memif.sock", run[400];
    (void)doctor_argument(o->p->device, "socket", path, sizeof path);
    if (path[0] == '\0')
        snprintf(path, sizeof path, "/run/memif.sock");
    if (doctor_argument(o->p->device, "role", role, sizeof role)
        && (strcmp(role, "server") == 0 || strcmp(role, "master") == 0))
        return;
    if (doctor_file(d, list, sizeof list, "/proc/net/unix") && strstr(list, path) != NULL)
        return;
    doctor_edit(d, run, "s/net_memif[0-9]*/&,role=server/");
    doctor_say(d, DOCTOR_FAIL, "device", o->id, run,
               "a client, and nobody listens at %.100s: start the other side first, or be the "
               "server",
               path);
}

/* Whether a driver of DPDK 22.11 goes by that name; those of -d are not known here. */
static bool driver_known(const struct doctor *d, const char *id)
{
    static const char *const names[] = {
        "net_af_packet", "net_af_xdp",  "net_tap",      "net_tun",         "net_pcap",
        "net_memif",     "net_ring",    "net_null",     "net_vhost",       "net_virtio_user",
        "net_bonding",   "net_softnic", "net_failsafe", "net_vdev_netvsc",
    };
    for (unsigned i = 0; i < d->c->live.n_eal; i++)
        if (strncmp(d->c->live.eal[i], "-d", 2) == 0)
            return true;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strncmp(id, names[i], strlen(names[i])) == 0)
            return true;
    return false;
}

void doctor_check_device(struct doctor *d, const struct doctor_port *o)
{
    char run[400];
    if (o->kind == PORT_PCI)
        return;
    if (!driver_known(d, o->id)) {
        char expression[160];
        snprintf(expression, sizeof expression, "s/%.60s/net_af_packet0,iface=eth0/", o->id);
        doctor_edit(d, run, expression);
        doctor_say(d, DOCTOR_FAIL, "device", o->id, run, "DPDK has no driver of that name");
        return;
    }
    if (o->kind == PORT_AF_PACKET)
        check_ring(d, o);
    if (o->file[0] != '\0')
        check_capture(d, o);
    if (strncmp(o->id, "net_memif", 9) == 0)
        check_memif(d, o);
}
