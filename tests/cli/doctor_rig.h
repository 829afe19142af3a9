/* A made-up host for tests of doctor: a folder with /proc, /sys and /dev, good as it is; each test
 * spoils it. */
#pragma once
#define _GNU_SOURCE /* nftw */
#include "cli/doctor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char rig_root[] = "/tmp/tellscope-doctor-XXXXXX";

/* A file of the host: its text, with a line break behind it; "->x": a symbolic link to x; NULL: it
 * is not there (nor what is below it). */
struct part {
    const char *path, *text;
};

#define PCI  "/sys/bus/pci/devices/0000:3b:00.0/"
#define NODE "/sys/devices/system/node/"
#define HUGE "/sys/kernel/mm/hugepages/hugepages-2048kB/"
#define STATUS(uid, caps, cpus)                                                                    \
    "Name:\ttellscope\nUid:\t" uid "\t" uid "\t" uid "\t" uid "\nCapInh:\t0\nCapEff:\t" caps       \
    "\nCpus_allowed:\tff\nCpus_allowed_list:\t" cpus
#define LIMITS(memlock)                                                                            \
    "Limit                     Soft Limit           Hard Limit           Units     \n"             \
    "Max processes             1000                 1000                 processes \n"             \
    "Max locked memory         " memlock "              8388608              bytes     "
#define CPUINFO(flags)                                                                             \
    "processor\t: 0\nflags\t\t: fpu " flags " ht\n\nprocessor\t: 1\nflags\t\t: fpu"

static const struct part good_host[] = {
    {"/proc/self/status", STATUS("0", "000001ffffffffff", "0-7")},
    {"/proc/self/limits", LIMITS("8388608")},
    {"/proc/self/cgroup", "0::/system.slice/tellscope.service"},
    {"/proc/mounts", "proc /proc proc rw 0 0\ncgroup2 /sys/fs/cgroup cgroup2 rw,nosuid 0 0\n"
                     "hugetlbfs /dev/hugepages hugetlbfs rw,pagesize=2M 0 0"},
    {"/proc/cpuinfo", CPUINFO("constant_tsc vmx nonstop_tsc")},
    {"/proc/net/route",
     "Iface\tDestination\tGateway\neth9\t00000000\t0101A8C0\neth0\t0001A8C0\t00000000"},
    {"/proc/net/dev", "Inter-|   Receive\n face |bytes\n    lo: 1 2\n  eth0: 3 4\n  eth9: 5 6"},
    {"/sys/class/net/eth0/device", "->../../../0000:3b:00.0"},
    {"/sys/class/net/eth9/device", "->../../../0000:5e:00.0"},
    {HUGE "nr_hugepages", "512"},
    {HUGE "free_hugepages", "500"},
    {"/sys/devices/system/cpu/online", "0-7"},
    {"/sys/devices/system/cpu/isolated", "2-5"},
    {"/sys/devices/system/cpu/cpu8/x", ""},
    {NODE "node0/cpulist", "0-3"},
    {NODE "node0/hugepages/hugepages-2048kB/free_hugepages", "250"},
    {NODE "node1/cpulist", "4-7"},
    {NODE "node1/hugepages/hugepages-2048kB/free_hugepages", "250"},
    {"/sys/devices/system/clocksource/clocksource0/current_clocksource", "tsc"},
    {"/sys/devices/system/clocksource/clocksource0/available_clocksource", "tsc hpet acpi_pm"},
    {"/sys/bus/pci/drivers/vfio-pci/bind", ""},
    {PCI "vendor", "0x8086"},
    {PCI "device", "0x10fb"},
    {PCI "class", "0x020000"},
    {PCI "numa_node", "0"},
    {PCI "driver", "->../../../../bus/pci/drivers/vfio-pci"},
    {PCI "iommu_group", "->../../../../kernel/iommu_groups/12"},
    {"/dev/vfio/12", ""},
    {"/dev/vfio/vfio", ""},
    {"/dev/net/tun", ""},
    {"/sys/fs/cgroup/system.slice/tellscope.service/hugetlb.2MB.max", "max"},
    {"/sys/fs/cgroup/system.slice/tellscope.service/hugetlb.2MB.current", "0"},
    {"/sys/fs/cgroup/system.slice/hugetlb.2MB.max", "2147483648"},
};

static inline int rig_unlink(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st;
    (void)type;
    (void)at;
    return remove(path);
}

static inline void rig_remove(const char *path)
{
    char whole[600];
    snprintf(whole, sizeof whole, "%s%s", rig_root, path);
    if (access(whole, F_OK) == 0 || readlink(whole, (char[1]){0}, 1) >= 0)
        assert_int_equal(nftw(whole, rig_unlink, 16, FTW_DEPTH | FTW_PHYS), 0);
}

static inline void rig_put(const struct part *p)
{
    char path[500];
    snprintf(path, sizeof path, "%s%s", rig_root, p->path);
    if (p->text == NULL) {
        rig_remove(p->path);
        return;
    }
    for (char *slash = path + strlen(rig_root) + 1; (slash = strchr(slash, '/')) != NULL; slash++) {
        *slash = '\0';
        (void)mkdir(path, 0755);
        *slash = '/';
    }
    if (strncmp(p->text, "->", 2) == 0) {
        (void)unlink(path);
        assert_int_equal(symlink(p->text + 2, path), 0);
        return;
    }
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fprintf(f, "%s\n", p->text);
    fclose(f);
}

static inline void rig_good(void)
{
    rig_remove("");
    assert_int_equal(mkdir(rig_root, 0755), 0);
    for (size_t i = 0; i < sizeof good_host / sizeof *good_host; i++)
        rig_put(&good_host[i]);
}

/* ---- answers of the kernel */

static struct doctor_link rig_link;
static const char *rig_module_error, *rig_user_error;
static bool rig_user_is_self;

static inline void answer_link(const char *name, struct doctor_link *l)
{
    *l = strcmp(name, "eth0") == 0 ? rig_link : (struct doctor_link){0};
}

static inline bool answer_module(struct err *e)
{
    if (rig_module_error != NULL)
        err_set(e, "%s", rig_module_error);
    return rig_module_error == NULL;
}

static inline bool answer_user(const char *user, bool *is_self, struct err *e)
{
    *is_self = rig_user_is_self;
    if (rig_user_error != NULL)
        err_set(e, "user %s: %s", user, rig_user_error);
    return rig_user_error == NULL;
}

static const struct doctor_host rig_host = {answer_link, answer_module, answer_user};

static inline void rig_answers(void)
{
    rig_link = (struct doctor_link){.exists = true, .up = true, .carrier = true, .ethernet = true};
    rig_module_error = rig_user_error = NULL;
    rig_user_is_self = false;
}

/* ---- asking */

static inline void rig_config(struct config *c, const char *yaml, char path[static 64])
{
    struct err e = {""};
    snprintf(path, 64, "%s/live.yaml", rig_root);
    rig_put(&(struct part){"/live.yaml", yaml});
    *c = config_default();
    if (!config_load(c, path, &e))
        fail_msg("%s", e.text);
}

/* The report on the made-up host; the caller frees it. "ROOT" stands for the folder's name. */
static inline char *rig_report(const struct config *c, const char *file, bool *well)
{
    struct doctor *d = calloc(1, sizeof *d);
    struct text_sink text = {0};
    assert_non_null(d);
    *d = (struct doctor){.c = c, .file = file, .root = rig_root, .host = &rig_host};
    doctor_run(d);
    *well = doctor_well(d);
    doctor_text(d, &text);
    free(d);
    for (char *p; (p = strstr(text.p, rig_root)) != NULL;) {
        memcpy(p, "ROOT", 4);
        memmove(p + 4, p + strlen(rig_root), strlen(p + strlen(rig_root)) + 1);
    }
    return text.p;
}

/* Whether `line` is a whole line of `text`; with "..." at its end, whether a line begins so. */
static inline bool has_line(const char *text, const char *line)
{
    size_t len = strlen(line);
    bool begins = len > 3 && strcmp(line + len - 3, "...") == 0;
    len -= begins ? 3 : 0;
    for (const char *p = text; p != NULL; p = strchr(p, '\n')) {
        p += *p == '\n';
        if (strncmp(p, line, len) == 0 && (begins || p[len] == '\n'))
            return true;
    }
    return false;
}

/* A configuration, what is wrong with the host, and lines of the report. */
struct row {
    const char *yaml;
    struct part spoil[3];
    const char *want[2]; /* lines of the report; "!...": none begins so */
    bool fails;
};

static inline void run_rows(const struct row rows[], size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct config c;
        char file[64];
        bool well;
        rig_good();
        for (unsigned k = 0; k < 3 && rows[i].spoil[k].path != NULL; k++)
            rig_put(&rows[i].spoil[k]);
        rig_config(&c, rows[i].yaml, file);
        char *report = rig_report(&c, file, &well);
        for (unsigned k = 0; k < 2 && rows[i].want[k] != NULL; k++) {
            const char *want = rows[i].want[k];
            if (want[0] == '!' ? has_line(report, want + 1) : !has_line(report, want))
                fail_msg("row %zu %s\nwants: %s\ngives:\n%s", i, rows[i].yaml, want, report);
        }
        if (well == rows[i].fails)
            fail_msg("row %zu %s: exit status %d:\n%s", i, rows[i].yaml, !well, report);
        free(report);
    }
}
#define RUN(rows) run_rows(rows, sizeof(rows) / sizeof *(rows))

static inline int answers(void **state)
{
    (void)state;
    rig_answers();
    return 0;
}

static inline bool rig_begin(void)
{
    return mkdtemp(rig_root) != NULL;
}

static inline void rig_end(void)
{
    rig_remove("");
}
