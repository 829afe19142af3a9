/* Doctor: huge pages, where they are, who limits them; memory that may be locked. */
#include "cli/doctor_part.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MIB UINT64_C(1048576)

/* Sizes that machines have, KiB, and what control groups call them. */
static const struct {
    unsigned kib;
    const char *name;
} sizes[] = {{64, "64KB"},      {1024, "1MB"},    {2048, "2MB"},     {32768, "32MB"},
             {524288, "512MB"}, {1048576, "1GB"}, {16777216, "16GB"}};
enum { SIZES = sizeof sizes / sizeof *sizes };

/* About what the module for live ports asks for: buffers for what queues, workers and the rings
 * between them hold, and 32 MiB. */
static uint64_t memory_needed(const struct config *c)
{
    uint64_t bytes = 32 * MIB;
    for (unsigned i = 0; i < c->live.n_ports; i++) {
        const struct live_port *p = &c->live.ports[i];
        char text[32];
        uint64_t descriptors = p->descriptors > 0 ? p->descriptors : 4096;
        uint64_t buffers = c->live.mbufs;
        if (buffers == 0)
            buffers = p->workers * (descriptors + 512 + (p->workers > 1 ? 4160 : 0)) + 1024;
        uint64_t frame = p->mtu + 26;
        if (doctor_argument(p->device, "framesz", text, sizeof text))
            frame = strtoull(text, NULL, 10) > frame ? strtoull(text, NULL, 10) : frame;
        frame = frame > 2048 ? (frame < 65280 ? frame : 65280) : 0;
        uint64_t buffer = (2560 + frame + 4095) / 4096 * 4096;
        bytes += buffers * buffer + p->workers * descriptors * 64;
    }
    return bytes;
}

static bool has_eal(const struct config *c, const char *name)
{
    size_t len = strlen(name);
    for (unsigned i = 0; i < c->live.n_eal; i++)
        if (strncmp(c->live.eal[i], name, len) == 0
            && (c->live.eal[i][len] == '\0' || c->live.eal[i][len] == '='))
            return true;
    return false;
}

struct huge {
    uint64_t free_bytes, nr_2m;
    uint64_t free[SIZES]; /* pages */
    char text[160];       /* "512 of 1024 pages of 2MB free" */
};

static void count_huge(const struct doctor *d, struct huge *h)
{
    *h = (struct huge){0};
    size_t at = 0;
    for (unsigned i = 0; i < SIZES; i++) {
        uint64_t all = 0;
        if (!doctor_number(d, &all, "/sys/kernel/mm/hugepages/hugepages-%ukB/nr_hugepages",
                           sizes[i].kib)
            || !doctor_number(d, &h->free[i],
                              "/sys/kernel/mm/hugepages/hugepages-%ukB/free_hugepages",
                              sizes[i].kib))
            continue;
        h->free_bytes += h->free[i] * sizes[i].kib * 1024;
        if (sizes[i].kib == 2048)
            h->nr_2m = all;
        if (all > 0 && at < sizeof h->text)
            at += (size_t)snprintf(h->text + at, sizeof h->text - at,
                                   "%s%" PRIu64 " of %" PRIu64 " pages of %s", at > 0 ? ", " : "",
                                   h->free[i], all, sizes[i].name);
    }
    if (at == 0)
        snprintf(h->text, sizeof h->text, "none are set aside");
    else if (at < sizeof h->text)
        snprintf(h->text + at, sizeof h->text - at, " free");
}

/* An adapter that vfio or uio opens without an IOMMU needs memory whose physical address is known.
 */
static bool must_be_huge(const struct doctor *d)
{
    for (unsigned i = 0; i < d->c->live.n_ports; i++) {
        struct doctor_port o;
        char group[32];
        doctor_port_of(d, &d->c->live.ports[i], &o);
        if (o.kind == PORT_PCI && !o.bifurcated
            && !doctor_points(d, group, sizeof group, "/sys/bus/pci/devices/%s/iommu_group", o.id))
            return true;
    }
    return false;
}

/* Without huge pages ordinary ones are taken, all at once. */
static void check_ordinary(struct doctor *d, uint64_t need)
{
    char text[64], run[400];
    uint64_t there = doctor_field(d, "meminfo", "MemAvailable", text, sizeof text)
                         ? strtoull(text, NULL, 10) * 1024
                         : UINT64_MAX;
    doctor_set(d, run, "mbufs", "0");
    if (there < need)
        doctor_say(d, DOCTOR_FAIL, "memory", NULL, d->c->live.mbufs > 0 ? run : "free -m",
                   "about %" PRIu64 " MiB are needed, %" PRIu64 " MiB are free", need / MIB,
                   there / MIB);
}

/* Whether huge pages will be used. */
static bool check_huge(struct doctor *d, const struct huge *h, uint64_t need)
{
    char run[400];
    uint8_t mode = d->c->live.huge_pages;
    bool must = must_be_huge(d), off = mode == HUGE_NO || has_eal(d->c, "--no-huge");
    if (off && must) {
        doctor_set(d, run, "huge_pages", "auto");
        doctor_say(d, DOCTOR_FAIL, "huge_pages", NULL, run,
                   "an adapter without IOMMU needs them, and the configuration forbids them");
        return false;
    }
    if (off) {
        doctor_say(d, DOCTOR_OK, "huge_pages", NULL, NULL, "not used, as configured");
        check_ordinary(d, need);
        return false;
    }
    if (h->free_bytes >= need) {
        doctor_say(d, DOCTOR_OK, "huge_pages", NULL, NULL, "%s; about %" PRIu64 " MiB are needed",
                   h->text, need / MIB);
        return true;
    }
    uint64_t more = (need - h->free_bytes + 2 * MIB - 1) / (2 * MIB);
    snprintf(run, sizeof run,
             "echo %" PRIu64 " > /sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages",
             h->nr_2m + more);
    if (mode == HUGE_YES || must)
        doctor_say(d, DOCTOR_FAIL, "huge_pages", NULL, run, "%s; about %" PRIu64 " MiB are needed",
                   h->text, need / MIB);
    else
        doctor_say(d, DOCTOR_WARN, "huge_pages", NULL, run,
                   "%s; with about %" PRIu64 " MiB of them it would be faster", h->text,
                   need / MIB);
    if (mode != HUGE_YES && !must)
        check_ordinary(d, need);
    return mode == HUGE_YES || must;
}

/* Memory far from the adapter is slow. */
static void check_huge_nodes(struct doctor *d)
{
    uint64_t told = 0; /* nodes, as bits */
    if (!doctor_exists(d, "/sys/devices/system/node/node1"))
        return;
    for (unsigned i = 0; i < d->c->live.n_ports; i++) {
        struct doctor_port o;
        char run[400], subject[32];
        uint64_t bytes = 0, pages;
        doctor_port_of(d, &d->c->live.ports[i], &o);
        if (o.node < 0 || o.node > 63 || (told >> o.node & 1) != 0)
            continue;
        told |= UINT64_C(1) << o.node;
        for (unsigned s = 0; s < SIZES; s++)
            if (doctor_number(
                    d, &pages,
                    "/sys/devices/system/node/node%d/hugepages/hugepages-%ukB/free_hugepages",
                    o.node, sizes[s].kib))
                bytes += pages * sizes[s].kib * 1024;
        snprintf(subject, sizeof subject, "node%d", o.node);
        snprintf(
            run, sizeof run,
            "echo 512 > /sys/devices/system/node/node%d/hugepages/hugepages-2048kB/nr_hugepages",
            o.node);
        if (bytes > 0)
            doctor_say(d, DOCTOR_OK, "huge_pages", subject, NULL, "%" PRIu64 " MiB are free there",
                       bytes / MIB);
        else
            doctor_say(d, DOCTOR_WARN, "huge_pages", subject, run,
                       "none are free on the NUMA node of %s: memory of another would be slower",
                       o.id);
    }
}

/* The line of /proc/mounts with file system `type`, and `option` among its options (NULL: any). */
static bool mount_of(const struct doctor *d, const char *type, const char *option,
                     char at[static 256])
{
    static char text[65536];
    if (!doctor_file(d, text, sizeof text, "/proc/mounts"))
        return false;
    char *state = NULL;
    for (char *line = strtok_r(text, "\n", &state); line != NULL;
         line = strtok_r(NULL, "\n", &state)) {
        char got[32], options[512];
        if (sscanf(line, "%*s %255s %31s %511s", at, got, options) != 3 || strcmp(got, type) != 0)
            continue;
        if (option == NULL)
            return true;
        char *inner = NULL;
        for (char *o = strtok_r(options, ",", &inner); o != NULL; o = strtok_r(NULL, ",", &inner))
            if (strcmp(o, option) == 0)
                return true;
    }
    return false;
}

static void check_hugetlbfs(struct doctor *d)
{
    static const char *const files[] = {"--huge-dir", "--legacy-mem", "--socket-mem",
                                        "--single-file-segments"};
    char at[256];
    bool needed = false;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        needed = needed || has_eal(d->c, files[i]);
    if (mount_of(d, "hugetlbfs", NULL, at))
        doctor_say(d, DOCTOR_OK, "hugetlbfs", NULL, NULL, "mounted at %s", at);
    else if (needed && !has_eal(d->c, "--in-memory"))
        doctor_say(d, DOCTOR_FAIL, "hugetlbfs", NULL,
                   "mkdir -p /dev/hugepages && mount -t hugetlbfs nodev /dev/hugepages",
                   "not mounted, and live.eal asks for huge pages in files");
    else
        doctor_say(d, DOCTOR_OK, "hugetlbfs", NULL, NULL,
                   "not mounted, and not needed: huge pages are taken without files");
}

/* ---- control groups: beyond their limit, a page that is there kills who touches it (SIGBUS) */

/* This process's group in the hierarchy that has hugetlb. */
static bool group_of(const struct doctor *d, bool v2, char group[static 512])
{
    static char text[8192];
    if (!doctor_file(d, text, sizeof text, "/proc/self/cgroup"))
        return false;
    char *state = NULL;
    for (char *line = strtok_r(text, "\n", &state); line != NULL;
         line = strtok_r(NULL, "\n", &state)) {
        char *controllers = strchr(line, ':'),
             *path = controllers != NULL ? strchr(controllers + 1, ':') : NULL;
        if (path == NULL)
            continue;
        *path++ = '\0';
        controllers++;
        bool mine = v2 ? controllers[0] == '\0' : strstr(controllers, "hugetlb") != NULL;
        if (mine && strlen(path) < 512) {
            snprintf(group, 512, "%s", strcmp(path, "/") == 0 ? "" : path);
            return true;
        }
    }
    return false;
}

/* The first limit on the way up that leaves less than `need`. */
static bool limit_found(struct doctor *d, const char *mount, char *group, bool v2, unsigned size,
                        uint64_t need)
{
    const char *limit = v2 ? "max" : "limit_in_bytes", *usage = v2 ? "current" : "usage_in_bytes";
    for (;;) {
        uint64_t most = UINT64_MAX, used = 0;
        (void)doctor_number(d, &most, "%s%s/hugetlb.%s.%s", mount, group, sizes[size].name,
                            limit); /* "max": none */
        (void)doctor_number(d, &used, "%s%s/hugetlb.%s.%s", mount, group, sizes[size].name, usage);
        if (most < used || most - used < need) {
            char run[400];
            int len = snprintf(run, sizeof run, "echo %s > '%s%s/hugetlb.%s.%s'", v2 ? "max" : "-1",
                               mount, group, sizes[size].name, limit);
            if (len < 0 || (size_t)len >= sizeof run)
                run[0] = '\0'; /* half a command is none */
            doctor_say(d, DOCTOR_FAIL, "hugetlb_cgroup", NULL, run,
                       "the control group may take %" PRIu64
                       " MiB of huge pages more; about %" PRIu64 " MiB are needed",
                       most > used ? (most - used) / MIB : 0, need / MIB);
            return true;
        }
        char *slash = strrchr(group, '/');
        if (slash == NULL)
            return false;
        *slash = '\0';
    }
}

static void check_cgroup(struct doctor *d, const struct huge *h, uint64_t need)
{
    char mount[256], group[512];
    bool v2 = !mount_of(d, "cgroup", "hugetlb", mount);
    if ((v2 && !mount_of(d, "cgroup2", NULL, mount)) || !group_of(d, v2, group)) {
        doctor_say(d, DOCTOR_OK, "hugetlb_cgroup", NULL, NULL, "no control groups");
        return;
    }
    for (unsigned i = 0; i < SIZES; i++) {
        char way[512];
        snprintf(way, sizeof way, "%s", group);
        if (h->free[i] > 0 && limit_found(d, mount, way, v2, i, need))
            return;
    }
    doctor_say(d, DOCTOR_OK, "hugetlb_cgroup", NULL, NULL, "no limit in the way");
}

/* ---- locked memory */

static bool memlock(const struct doctor *d, uint64_t *bytes)
{
    char text[4096];
    if (!doctor_file(d, text, sizeof text, "/proc/self/limits"))
        return false;
    const char *p = strstr(text, "Max locked memory");
    if (p == NULL)
        return false;
    p += strlen("Max locked memory");
    p += strspn(p, " ");
    *bytes = strncmp(p, "unlimited", 9) == 0 ? UINT64_MAX : strtoull(p, NULL, 10);
    return true;
}

static void check_memlock(struct doctor *d, uint64_t need)
{
    const char *who = NULL;
    uint64_t most = 0;
    struct doctor_port o;
    for (unsigned i = 0; i < d->c->live.n_ports && who == NULL; i++) {
        doctor_port_of(d, &d->c->live.ports[i], &o);
        if (o.kind == PORT_PCI || o.kind == PORT_AF_XDP)
            who = o.id;
    }
    if (who == NULL)
        doctor_say(d, DOCTOR_OK, "memlock", NULL, NULL, "not needed");
    else if (doctor_has_cap(d, CAP_IPC_LOCK))
        doctor_say(d, DOCTOR_OK, "memlock", NULL, NULL, "no limit (CAP_IPC_LOCK)");
    else if (!memlock(d, &most))
        doctor_say(d, DOCTOR_WARN, "memlock", NULL, "ulimit -l", "not known");
    else if (most >= need)
        doctor_say(d, DOCTOR_OK, "memlock", NULL, NULL,
                   most == UINT64_MAX ? "no limit" : "%" PRIu64 " MiB", most / MIB);
    else
        doctor_say(d, DOCTOR_FAIL, "memlock", NULL, "sudo prlimit --memlock=unlimited --pid $$",
                   "%" PRIu64 " KiB may be locked; %s needs about %" PRIu64 " MiB", most / 1024,
                   who, need / MIB);
}

void doctor_check_memory(struct doctor *d)
{
    struct huge h;
    uint64_t need = memory_needed(d->c);
    count_huge(d, &h);
    if (check_huge(d, &h, need)) {
        check_huge_nodes(d);
        check_hugetlbfs(d);
        check_cgroup(d, &h, need);
    }
    check_memlock(d, need);
}
