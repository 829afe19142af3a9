#define _GNU_SOURCE /* fopencookie, cpu_set_t */
#include "ingest/dpdk_eal.h"

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_log.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define MIB UINT64_C(1048576)

/* What is logged while ports are opened. One thread opens; another's lines may come between. */
static struct {
    pthread_mutex_t lock;
    char text[8192];
    size_t len;
    char first_error[256];
    int panic_fd; /* where the last words go, while stderr is away; -1 */
    bool keep;
} kept = {.lock = PTHREAD_MUTEX_INITIALIZER, .panic_fd = -1};

static ssize_t log_write(void *cookie, const char *text, size_t len)
{
    (void)cookie;
    size_t line = len;
    while (line > 0 && (text[line - 1] == '\n' || text[line - 1] == ' '))
        line--;
    pthread_mutex_lock(&kept.lock);
    if (kept.panic_fd >= 0 && rte_log_cur_msg_loglevel() <= (int)RTE_LOG_CRIT)
        (void)!write(kept.panic_fd, text, len);
    if (kept.keep) {
        size_t room = sizeof kept.text - kept.len;
        size_t n = len < room ? len : room;
        memcpy(kept.text + kept.len, text, n);
        kept.len += n;
        if (line > 0 && kept.first_error[0] == '\0'
            && rte_log_cur_msg_loglevel() <= (int)RTE_LOG_ERR)
            snprintf(kept.first_error, sizeof kept.first_error, "%.*s", (int)line, text);
    } else {
        (void)!write(STDERR_FILENO, text, len);
    }
    pthread_mutex_unlock(&kept.lock);
    return (ssize_t)len;
}

void eal_log_begin(void)
{
    static FILE *stream; /* the framework's for good */
    pthread_mutex_lock(&kept.lock);
    kept.keep = true;
    kept.len = 0;
    kept.first_error[0] = '\0';
    pthread_mutex_unlock(&kept.lock);
    if (stream != NULL)
        return;
    stream = fopencookie(NULL, "w", (cookie_io_functions_t){.write = log_write});
    if (stream == NULL)
        return;
    setvbuf(stream, NULL, _IOLBF, 0);
    (void)rte_openlog_stream(stream);
}

void eal_log_end(struct err *e)
{
    pthread_mutex_lock(&kept.lock);
    kept.keep = false;
    if (e == NULL && kept.len > 0)
        (void)!write(STDERR_FILENO, kept.text, kept.len);
    if (e != NULL && kept.first_error[0] != '\0') {
        struct err said = *e;
        err_set(e, "%s (%s)", said.text, kept.first_error);
    }
    pthread_mutex_unlock(&kept.lock);
}

struct eal_log_mark eal_log_mark(void)
{
    pthread_mutex_lock(&kept.lock);
    struct eal_log_mark m = {kept.len, kept.first_error[0] != '\0'};
    pthread_mutex_unlock(&kept.lock);
    return m;
}

void eal_log_forget(const struct eal_log_mark *m)
{
    pthread_mutex_lock(&kept.lock);
    kept.len = m->len;
    if (!m->error)
        kept.first_error[0] = '\0';
    pthread_mutex_unlock(&kept.lock);
}

uint64_t eal_free_huge(void)
{
    uint64_t bytes = 0;
    DIR *sizes = opendir("/sys/kernel/mm/hugepages");
    struct dirent *d;
    while (sizes != NULL && (d = readdir(sizes)) != NULL) {
        unsigned long long kib, pages;
        char path[512];
        if (sscanf(d->d_name, "hugepages-%llukB", &kib) != 1)
            continue;
        snprintf(path, sizeof path, "/sys/kernel/mm/hugepages/%s/free_hugepages", d->d_name);
        FILE *f = fopen(path, "re");
        if (f != NULL && fscanf(f, "%llu", &pages) == 1)
            bytes += kib * 1024 * pages;
        if (f != NULL)
            fclose(f);
    }
    if (sizes != NULL)
        closedir(sizes);
    return bytes;
}

bool eal_on_bus(const char *device)
{
    size_t name = strcspn(device, ",");
    return memchr(device, ':', name) != NULL;
}

/* Ordinary memory that can be had; all of it where that is not told. */
static uint64_t free_ordinary(void)
{
    char line[128];
    unsigned long long kib;
    uint64_t bytes = UINT64_MAX;
    FILE *f = fopen("/proc/meminfo", "re");
    while (f != NULL && fgets(line, sizeof line, f) != NULL)
        if (sscanf(line, "MemAvailable: %llu kB", &kib) == 1)
            bytes = kib * 1024;
    if (f != NULL)
        fclose(f);
    return bytes;
}

static void add(struct eal_args *a, const char *arg)
{
    if (a->n < EAL_ARGS_MAX)
        a->v[a->n] = arg;
    a->n++; /* too many: found at the end */
}

__attribute__((format(printf, 2, 3))) static void add_text(struct eal_args *a, const char *fmt, ...)
{
    va_list args;
    size_t room = sizeof a->own - a->used;
    va_start(args, fmt);
    int n = vsnprintf(a->own + a->used, room, fmt, args);
    va_end(args);
    if (n < 0 || (size_t)n >= room) {
        a->n = EAL_ARGS_MAX + 1;
        return;
    }
    add(a, a->own + a->used);
    a->used += (size_t)n + 1;
}

static const char *user_arg(const struct ports_options *o, unsigned i)
{
    unsigned n = o->config->live.n_eal;
    if (i < n)
        return o->config->live.eal[i];
    return i - n < o->n_eal ? o->eal[i - n] : NULL;
}

/* The user's argument that is `name`, or begins with it and '=' (long) or anything (short); its
 * value, or "". */
static const char *user_has(const struct ports_options *o, const char *name)
{
    const char *arg;
    size_t len = strlen(name);
    bool is_long = name[1] == '-';
    for (unsigned i = 0; (arg = user_arg(o, i)) != NULL; i++) {
        if (strncmp(arg, name, len) != 0 || (is_long && arg[len] != '\0' && arg[len] != '='))
            continue;
        if (arg[len] == '\0') {
            const char *next = user_arg(o, i + 1);
            return next != NULL ? next : "";
        }
        return arg + len + (arg[len] == '=');
    }
    return NULL;
}

static bool user_has_any(const struct ports_options *o, const char *const names[])
{
    for (; *names != NULL; names++)
        if (user_has(o, *names) != NULL)
            return true;
    return false;
}

/* One lcore that may run wherever this process may: our threads are our own. */
static void add_lcore(struct eal_args *a)
{
    cpu_set_t may;
    char list[768] = "";
    size_t len = 0;
    if (sched_getaffinity(0, sizeof may, &may) != 0)
        return;
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        int last = cpu;
        if (!CPU_ISSET(cpu, &may))
            continue;
        while (last + 1 < CPU_SETSIZE && CPU_ISSET(last + 1, &may))
            last++;
        int n = snprintf(list + len, sizeof list - len, len > 0 ? ",%d-%d" : "%d-%d", cpu, last);
        if (n < 0 || (size_t)n >= sizeof list - len)
            break; /* fewer will do */
        len += (size_t)n;
        cpu = last;
    }
    add_text(a, "--lcores=0@(%s)", list);
}

static bool add_memory(struct eal_args *a, const struct ports_options *o, uint64_t need,
                       uint64_t free_huge, struct err *e)
{
    static const char *const pages[] = {"--no-huge",
                                        "--in-memory",
                                        "--huge-dir",
                                        "--legacy-mem",
                                        "--socket-mem",
                                        "--single-file-segments",
                                        NULL};
    uint8_t want = o->no_huge ? HUGE_NO : o->config->live.huge_pages;
    a->huge = want == HUGE_YES || (want == HUGE_AUTO && free_huge >= need);
    if (user_has_any(o, pages)) {
        a->huge = user_has(o, "--no-huge") == NULL;
        return true;
    }
    if (want == HUGE_YES && free_huge < need) {
        err_set(e,
                "%" PRIu64 " MiB of huge pages are needed, %" PRIu64
                " MiB are free: sysctl vm.nr_hugepages=%" PRIu64,
                need / MIB, free_huge / MIB, need / (2 * MIB) + 1);
        return false;
    }
    if (a->huge) {
        add(a, "--in-memory");
        return true;
    }
    if (need > free_ordinary()) { /* EAL would be killed for it */
        err_set(e,
                "%" PRIu64 " MiB of memory are needed, %" PRIu64
                " MiB are free: fewer live.mbufs, descriptors or workers",
                need / MIB, free_ordinary() / MIB);
        return false;
    }
    add(a, "--no-huge");
    add(a, "--no-shconf"); /* as any user: nothing to write in /run */
    if (user_has(o, "-m")
        == NULL) /* no buffer crosses a page of 4 KiB: one in each, instead of 2560 bytes */
        add_text(a, "-m%" PRIu64, need / 5 * 8 / MIB);
    return true;
}

bool eal_args(struct eal_args *a, const struct ports_options *o, uint64_t need_bytes,
              uint64_t free_huge_bytes, struct err *e)
{
    static const char *const lcores[] = {"-l", "-c", "-S", "-s", "--lcores", NULL};
    static const char *const buses[] = {"-a", "--allow", "-b", "--block", "--no-pci", NULL};
    *a = (struct eal_args){.n = 0};
    add(a, "tellscope");
    const char *prefix = user_has(o, "--file-prefix");
    snprintf(a->prefix, sizeof a->prefix, "tellscope-%ld", (long)getpid());
    if (prefix != NULL)
        snprintf(a->prefix, sizeof a->prefix, "%s", prefix);
    else
        add_text(a, "--file-prefix=%s", a->prefix);
    if (!user_has_any(o, lcores))
        add_lcore(a);
    add(a, "--log-level=warning");
    add(a, "--log-level=lib.eal:error"); /* it warns of sizes of huge pages that nobody asked for */
    add(a, "--log-level=lib.telemetry:error"); /* warns of what nobody has used for years */
    bool bus = false;
    for (unsigned i = 0; i < o->config->live.n_ports; i++) {
        const char *device = o->config->live.ports[i].device;
        bus = bus || eal_on_bus(device);
        add(a, eal_on_bus(device) ? "-a" : "--vdev");
        add(a, device);
    }
    if (!bus && !user_has_any(o, buses))
        add(a, "--no-pci");
    if (!add_memory(a, o, need_bytes, free_huge_bytes, e))
        return err_in(e, "start DPDK");
    const char *arg;
    for (unsigned i = 0; (arg = user_arg(o, i)) != NULL; i++)
        add(a, arg);
    if (a->n >= EAL_ARGS_MAX) {
        err_set(e, "too many arguments for DPDK");
        return false;
    }
    a->v[a->n] = NULL;
    return true;
}

/* Of an argument it does not know, EAL writes its whole usage to stdout; of any failure a line to
 * stderr, and to its log as well. */
static void output_away(int saved[2])
{
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    for (int fd = STDOUT_FILENO; fd <= STDERR_FILENO; fd++) {
        fflush(fd == STDOUT_FILENO ? stdout : stderr);
        saved[fd - 1] = null >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 3) : -1;
        if (saved[fd - 1] >= 0)
            dup2(null, fd);
    }
    if (null >= 0)
        close(null);
}

static void output_back(const int saved[2])
{
    for (int fd = STDOUT_FILENO; fd <= STDERR_FILENO; fd++) {
        fflush(fd == STDOUT_FILENO ? stdout : stderr);
        if (saved[fd - 1] < 0)
            continue;
        dup2(saved[fd - 1], fd);
        close(saved[fd - 1]);
    }
}

/* EAL leaves the folder of its telemetry socket behind. It takes the socket away when the process
 * exits; this comes after that. */
static struct {
    char path[512];
    pid_t owner;
} left;

static void remove_left(void)
{
    if (left.path[0] != '\0' && getpid() == left.owner)
        (void)rmdir(left.path); /* not if somebody else is in there */
}

bool eal_start(const struct eal_args *a, struct err *e)
{
    char *argv[EAL_ARGS_MAX + 1]; /* EAL puts them into another order */
    cpu_set_t may;
    bool have_cpus = pthread_getaffinity_np(pthread_self(), sizeof may, &may) == 0;
    memcpy(argv, a->v, (a->n + 1) * sizeof *argv);
    int saved[2], loud = opterr;
    output_away(saved);
    kept.panic_fd = saved[1];
    opterr = 0;
    rte_errno = 0;
    (void)atexit(remove_left); /* before EAL's own: run after it */
    int n = rte_eal_init((int)a->n, argv);
    opterr = loud;
    kept.panic_fd = -1;
    left.owner = getpid();
    snprintf(left.path, sizeof left.path, "%s", rte_eal_get_runtime_dir());
    output_back(saved);
    if (have_cpus) /* it pins its caller */
        (void)pthread_setaffinity_np(pthread_self(), sizeof may, &may);
    if (n >= 0)
        return true;
    if (kept.first_error[0] != '\0')
        err_set(e, "start DPDK");
    else if (rte_errno != 0 && rte_errno != EINVAL)
        err_set(e, "start DPDK: %s", rte_strerror(rte_errno));
    else
        err_set(e, "start DPDK: it refuses one of its arguments");
    return false;
}
