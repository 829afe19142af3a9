/* What the checks of doctor share. */
#pragma once
#include "cli/doctor.h"
#include "core/cpus.h"

#include <linux/capability.h>
#ifndef CAP_BPF
#define CAP_BPF 39
#endif

/* Adds a line. `subject` and `run` may be NULL. Control bytes become '?'. */
void doctor_say(struct doctor *d, enum doctor_state state, const char *name, const char *subject,
                const char *run, const char *fmt, ...) __attribute__((format(printf, 6, 7)));

/* Files below d->root. Text: the first `size` - 1 bytes, without a line break at the end. */
bool doctor_file(const struct doctor *d, char *to, size_t size, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* A number; else `to` is left alone. */
bool doctor_number(const struct doctor *d, uint64_t *to, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
bool doctor_exists(const struct doctor *d, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* Last part of what a symbolic link points to. */
bool doctor_points(const struct doctor *d, char *to, size_t size, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* Whether this process may read (and write) it. */
bool doctor_may(const struct doctor *d, int mode, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* The value of a line "NAME: value" of /proc/self/status, meminfo, cpuinfo. */
bool doctor_field(const struct doctor *d, const char *file, const char *name, char *to,
                  size_t size);
bool doctor_cpu_flag(const struct doctor *d, const char *flag);

/* Whether `text` can stand in a command without harm: no quote, no space, nothing a shell reads. */
bool doctor_plain(const char *text);
/* Commands that edit the configuration, by sed(1); "" without a file. `doctor_set` gives the key
 * `key` of the mapping live a value, whether it stands there or not. */
void doctor_edit(const struct doctor *d, char run[static 400], const char *expression);
void doctor_set(const struct doctor *d, char run[static 400], const char *key, const char *value);
/* This check once more, behind `before`: "sudo", "taskset -c 2". */
void doctor_again(const struct doctor *d, char run[static 400], const char *before);
/* A command that adds to the kernel's command line. */
void doctor_boot(char run[static 400], const char *arguments);

static inline bool doctor_has_cap(const struct doctor *d, unsigned cap)
{
    return (d->caps >> cap & 1) != 0;
}

/* A port, taken apart. */
enum port_kind {
    PORT_PCI,
    PORT_AF_PACKET,
    PORT_AF_XDP,
    PORT_TAP,
    PORT_PCAP,
    PORT_OTHER, /* virtual, and asks nothing of the host */
};

struct doctor_port {
    const struct live_port *p;
    uint8_t kind;                 /* enum port_kind */
    char id[64];                  /* PCI address in full, or the virtual device's name */
    char iface[64];               /* of the kernel; "": none */
    char file[CONFIG_DEVICE_LEN]; /* capture file; "": none */
    uint64_t queues;              /* told in the device's arguments; 0: not */
    uint16_t vendor, device;      /* PCI; 0: not known */
    char bound[32];               /* PCI: driver of the kernel; "": none */
    bool bifurcated;              /* PCI: stays bound to its kernel driver */
    int node;                     /* NUMA; -1: none */
};
void doctor_port_of(const struct doctor *d, const struct live_port *p, struct doctor_port *o);
/* The value of ",key=" in the device's arguments. */
bool doctor_argument(const char *device, const char *key, char *to, size_t size);

/* Adapters (cli/doctor_nics.c). */
enum rss_known {
    RSS_NOT_KNOWN,
    RSS_BY_ADDRESS, /* its driver hashes by addresses alone, with our key */
    RSS_BY_PORTS,   /* its driver sends TCP and UDP to one queue unless ports are hashed too */
    RSS_MAYBE,      /* if the other side of the virtual adapter offers it */
};
struct nic {
    const char *driver; /* DPDK's name of it */
    uint8_t rss;        /* enum rss_known */
    const char *kernel; /* driver of the kernel it must stay bound to, or NULL */
};
/* Never NULL: an adapter that no row knows has driver NULL. */
const struct nic *nic_of(uint16_t vendor, uint16_t device);

/* The checks, in the order of the report. */
void doctor_check_rights(struct doctor *d);
void doctor_check_ports(struct doctor *d);
/* cli/doctor_devices.c: of the ports' own */
void doctor_check_device(struct doctor *d, const struct doctor_port *o);
void doctor_check_eal(struct doctor *d);
void doctor_check_memory(struct doctor *d);
void doctor_check_cpus(struct doctor *d);
