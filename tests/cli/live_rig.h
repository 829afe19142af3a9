/* Ports that are none: sources that make packets out of a capture's, at a pace, with times of a
 * clock that a test may speed up and set; and a disk that a test may stop (the linker puts ours in
 * the place of clock_new and fsync). Each run is a child's. */
#pragma once
#include "cli/live.h"
#include "ingest/capture.h"
#include "ingest/clock_source.h"
#include "tests/child.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    RIG_WORKERS = 3,
    RIG_PACKETS = 4096,
    SPEED = 5 /* seconds of our time in one of the machine's */
};

#define SECOND UINT64_C(1000000000)

/* ---- time */

static _Atomic int64_t rig_step_ns; /* how far the real-time clock was set */

static inline uint64_t machine_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * SECOND + (uint64_t)t.tv_nsec;
}

static inline void rig_sleep(uint64_t ns)
{
    struct timespec t = {.tv_sec = (time_t)(ns / SECOND), .tv_nsec = (long)(ns % SECOND)};
    while (nanosleep(&t, &t) != 0 && errno == EINTR)
        ;
}

static uint64_t rig_ticks(void *ctx)
{
    (void)ctx;
    return machine_ns() * SPEED;
}

static uint64_t rig_real(void *ctx)
{
    static const uint64_t began = UINT64_C(1519819200) * SECOND;
    return began + rig_ticks(ctx) % (1000000 * SECOND) + (uint64_t)atomic_load(&rig_step_ns);
}

static void rig_pause(void *ctx, uint64_t ns)
{
    (void)ctx;
    rig_sleep(ns);
}

struct clock *__wrap_clock_new(void);
struct clock *__wrap_clock_new(void)
{
    static const struct clock_source s = {
        .ticks = rig_ticks, .real_ns = rig_real, .mono_ns = rig_ticks, .pause = rig_pause};
    return clock_new_from(&s);
}

/* ---- the disk */

static atomic_bool rig_disk_stopped;
static _Atomic uint64_t rig_disk_ns; /* each fsync takes so long */

int __wrap_fsync(int fd);
int __wrap_fsync(int fd)
{
    (void)fd;
    while (atomic_load(&rig_disk_stopped))
        rig_sleep(5000000);
    rig_sleep(atomic_load(&rig_disk_ns));
    return 0;
}

/* ---- ports */

struct fake {
    struct ports *p;
    unsigned at; /* next packet of the capture */
    struct clock_view view;
    uint64_t due_ns;
    alignas(64) _Atomic uint64_t polls, busy, received, bytes, slept_ns, longest_ns;
    uint64_t last_poll_ns;
};

struct ports {
    struct ports_options o;
    uint8_t clock; /* enum port_clock */
    atomic_bool open;
    struct fake w[RIG_WORKERS];
    pthread_t asker; /* a thread of the framework that answers telemetry */
    atomic_bool asking;
    unsigned n_fills;
    void (*fill[8])(void *ctx, struct port_answer *a);
    void *ctx[8];
};

static struct {
    const uint8_t *bytes;
    uint32_t len;
} rig_packets[RIG_PACKETS];
static unsigned rig_n;
static struct ports *rig_ports; /* while open */
static atomic_bool rig_runs;    /* packets may come */
static uint8_t rig_clock = PORT_CLOCK_TSC;
static uint64_t rig_pace_ns = 1000000,
                rig_limit;       /* a burst of 32 so often; packets of a worker, 0: no end */
static atomic_int rig_hang = -1; /* this worker sleeps in its source */
static atomic_bool rig_hangs;    /* it does */
static atomic_int rig_link;      /* enum port_link; nothing comes where it is not up */
static atomic_int rig_fail = -1; /* this worker's source fails */

static inline void rig_load(const char *path)
{
    struct err e;
    struct capture *c;
    struct pkt pkts[BURST_MAX];
    bool damaged;
    if (access(path, R_OK) != 0)
        return;
    CHECK(capture_open(&c, path, &damaged, &e), "%s", e.text);
    struct source s = capture_source(c);
    for (int n; (n = s.rx(s.ctx, pkts, BURST_MAX, &e)) >= 0;) {
        for (int i = 0; i < n && rig_n < RIG_PACKETS; i++) {
            uint8_t *own = malloc(pkts[i].cap_len);
            CHECK(own != NULL, "memory");
            memcpy(own, pkts[i].bytes, pkts[i].cap_len);
            rig_packets[rig_n].bytes = own;
            rig_packets[rig_n++].len = pkts[i].cap_len;
        }
        s.release(s.ctx);
    }
    capture_free(c);
}

static void add(_Atomic uint64_t *to, uint64_t n)
{
    atomic_store_explicit(to, atomic_load_explicit(to, memory_order_relaxed) + n,
                          memory_order_relaxed);
}

static int fake_rx(void *ctx, struct pkt pkts[], unsigned max, struct err *e)
{
    struct fake *f = ctx;
    int number = (int)(f - f->p->w);
    uint64_t now = machine_ns();
    add(&f->polls, 1);
    if (f->last_poll_ns > 0
        && now - f->last_poll_ns > atomic_load_explicit(&f->longest_ns, memory_order_relaxed))
        atomic_store_explicit(&f->longest_ns, now - f->last_poll_ns, memory_order_relaxed);
    f->last_poll_ns = now;
    for (; atomic_load(&rig_hang) == number; rig_sleep(10000000))
        atomic_store(&rig_hangs, true);
    if (atomic_load(&rig_fail) == number) {
        err_set(e, "the cable is out");
        return SRC_FAILED;
    }
    if (!atomic_load_explicit(&f->p->open, memory_order_acquire) || now < f->due_ns
        || atomic_load(&rig_link) != PORT_LINK_UP) {
        rig_sleep(20000); /* machines of two processors run this */
        return 0;
    }
    uint64_t received = atomic_load_explicit(&f->received, memory_order_relaxed);
    unsigned n = max < 32 ? max : 32;
    if (rig_limit > 0 && received + n > rig_limit)
        n = (unsigned)(rig_limit - received);
    if (n == 0)
        return 0;
    f->due_ns = now + rig_pace_ns;
    uint64_t ts = f->p->o.now(f->p->o.clock, &f->view);
    for (unsigned i = 0; i < n; i++) {
        pkts[i] = (struct pkt){.bytes = rig_packets[f->at].bytes,
                               .cap_len = rig_packets[f->at].len,
                               .wire_len = rig_packets[f->at].len,
                               .ts_ns = ts,
                               .link = 1};
        if (f->p->clock == PORT_CLOCK_CAPTURE)
            pkts[i].ts_ns = UINT64_C(1519819200) * SECOND + (received + i) * 1000000;
        add(&f->bytes, pkts[i].cap_len);
        f->at = (f->at + 1) % rig_n;
    }
    add(&f->received, n);
    add(&f->busy, 1);
    return (int)n;
}

static void fake_release(void *ctx)
{
    (void)ctx;
}

static const char *fake_version(void)
{
    return "none";
}

/* What the run last said of itself, for who meddles with it. */
static struct {
    _Atomic uint64_t written, dropped, steps;
    _Atomic uint64_t looks; /* at the counters */
    atomic_bool link_up;
} rig_said;

static void answer_number(struct port_answer *a, const char *name, uint64_t value)
{
    static uint64_t elapsed_ms;
    (void)a;
    CHECK(name[0] != '\0', "%llu has no name", (unsigned long long)value);
    if (strcmp(name, "windows_written") == 0)
        atomic_store(&rig_said.written, value);
    else if (strcmp(name, "windows_dropped") == 0)
        atomic_store(&rig_said.dropped, value);
    else if (strcmp(name, "clock_steps") == 0)
        atomic_store(&rig_said.steps, value);
    else if (strcmp(name, "elapsed_ms") == 0 && value != elapsed_ms)
        elapsed_ms = value, atomic_fetch_add(&rig_said.looks, 1);
}

static void answer_text(struct port_answer *a, const char *name, const char *value)
{
    (void)a;
    CHECK(name[0] != '\0' && value != NULL, "no text");
    if (strcmp(name, "link") == 0)
        atomic_store(&rig_said.link_up, strcmp(value, "up") == 0);
}

static uint64_t least_received(void)
{
    uint64_t n = UINT64_MAX;
    for (unsigned i = 0; i < RIG_WORKERS; i++) {
        uint64_t received = atomic_load(&rig_ports->w[i].received);
        n = received < n ? received : n;
    }
    return n;
}

/* Until it is so: on a busy machine that may take long. */
enum { WAIT_S = 200 };
#define WAIT(condition)                                                                            \
    do {                                                                                           \
        uint64_t wait_began = machine_ns();                                                        \
        while (!(condition)) {                                                                     \
            CHECK(machine_ns() - wait_began < WAIT_S * SECOND, "it never came to that");           \
            rig_sleep(5000000);                                                                    \
        }                                                                                          \
    } while (0)

static void answer_begin(struct port_answer *a, const char *name)
{
    answer_text(a, name, "");
}

static void answer_end(struct port_answer *a)
{
    (void)a;
}

static void *ask(void *ports)
{
    struct ports *p = ports;
    struct port_answer a = {answer_number, answer_text, answer_begin, answer_end};
    while (atomic_load(&p->asking)) {
        for (unsigned i = 0; i < p->n_fills; i++)
            p->fill[i](p->ctx[i], &a);
        rig_sleep(3000000);
    }
    return NULL;
}

static bool fake_open(struct ports **out, const struct ports_options *o, struct err *e)
{
    (void)e;
    struct ports *p = aligned_alloc(64, (sizeof *p + 63) / 64 * 64);
    CHECK(p != NULL, "memory");
    memset(p, 0, sizeof *p);
    p->o = *o;
    p->clock = rig_clock;
    for (unsigned i = 0; i < RIG_WORKERS; i++)
        p->w[i].p = p;
    *out = rig_ports = p;
    return true;
}

static void stop_asking(struct ports *p)
{
    if (atomic_exchange(&p->asking, false))
        pthread_join(p->asker, NULL);
}

static void fake_close(struct ports *p)
{
    if (p == NULL)
        return;
    stop_asking(p);
    free(p);
    rig_ports = NULL;
}

static bool fake_huge(const struct ports *p)
{
    (void)p;
    return true;
}

static const char *fake_prefix(const struct ports *p)
{
    (void)p;
    return "none";
}

static unsigned fake_n_ports(const struct ports *p)
{
    (void)p;
    return 1;
}

static unsigned fake_n_workers(const struct ports *p)
{
    (void)p;
    return RIG_WORKERS;
}

static void fake_info(const struct ports *p, unsigned port, struct port_info *i)
{
    (void)port;
    *i = (struct port_info){.device = "net_none0",
                            .name = "none",
                            .driver = "net_none",
                            .workers = RIG_WORKERS,
                            .numa = -1,
                            .clock = p->clock,
                            .link = (uint8_t)atomic_load(&rig_link),
                            .queues = RIG_WORKERS,
                            .rss = true};
}

static unsigned fake_port_of(const struct ports *p, unsigned worker)
{
    (void)p;
    (void)worker;
    return 0;
}

static int fake_cpu_of(const struct ports *p, unsigned worker)
{
    (void)p;
    (void)worker;
    return -1;
}

static void fake_buffers(const struct ports *p, unsigned port, uint64_t *empty, uint64_t *all)
{
    (void)p;
    (void)port;
    *empty = *all = 1;
}

static bool fake_begin(struct ports *p, unsigned worker, struct source *s, struct spread *spread,
                       struct err *e)
{
    (void)e;
    *s = (struct source){fake_rx, fake_release, &p->w[worker]};
    *spread = (struct spread){.give = NULL};
    return true;
}

static void fake_worker_end(struct ports *p, unsigned worker)
{
    (void)p;
    (void)worker;
}

static bool fake_start(struct ports *p, struct err *e)
{
    (void)e;
    atomic_store(&p->asking, true);
    CHECK(pthread_create(&p->asker, NULL, ask, p) == 0, "thread");
    atomic_store_explicit(&p->open, true, memory_order_release);
    atomic_store(&rig_runs, true);
    return true;
}

static void fake_stop(struct ports *p)
{
    atomic_store(&p->open, false);
}

static void fake_anchor(struct ports *p)
{
    (void)p;
}

static void fake_redistribute(struct ports *p, unsigned port)
{
    (void)p;
    (void)port;
}

static void fake_port_stats(struct ports *p, unsigned port, struct port_stats *s)
{
    (void)port;
    *s = (struct port_stats){0};
    for (unsigned i = 0; i < RIG_WORKERS; i++)
        s->received += atomic_load_explicit(&p->w[i].received, memory_order_relaxed);
    s->missed = s->received / 100; /* one of a hundred was too much for it */
    s->no_mbuf = s->received / 1000;
}

static void fake_worker_stats(const struct ports *p, unsigned worker, struct port_worker_stats *s)
{
    const struct fake *f = &p->w[worker];
    *s = (struct port_worker_stats){
        .polls = atomic_load_explicit(&f->polls, memory_order_relaxed),
        .busy = atomic_load_explicit(&f->busy, memory_order_relaxed),
        .received = atomic_load_explicit(&f->received, memory_order_relaxed),
        .bytes = atomic_load_explicit(&f->bytes, memory_order_relaxed),
    };
}

static size_t fake_xstats(struct ports *p, unsigned port, char *to, size_t size)
{
    (void)p;
    (void)port;
    if (size > 0)
        to[0] = '\0';
    return 0;
}

static bool fake_telemetry(struct ports *p, const char *command, const char *help,
                           void (*fill)(void *ctx, struct port_answer *a), void *ctx, struct err *e)
{
    (void)command;
    (void)help;
    (void)e;
    CHECK(p->n_fills < 8, "too many");
    p->fill[p->n_fills] = fill;
    p->ctx[p->n_fills++] = ctx;
    return true;
}

static const struct port_api fake_api = {
    .abi = PORTS_ABI,
    .version = fake_version,
    .open = fake_open,
    .close = fake_close,
    .huge = fake_huge,
    .prefix = fake_prefix,
    .n_ports = fake_n_ports,
    .n_workers = fake_n_workers,
    .info = fake_info,
    .port_of = fake_port_of,
    .cpu_of = fake_cpu_of,
    .buffers = fake_buffers,
    .worker_begin = fake_begin,
    .worker_end = fake_worker_end,
    .start = fake_start,
    .stop = fake_stop,
    .anchor = fake_anchor,
    .redistribute = fake_redistribute,
    .port_stats = fake_port_stats,
    .worker_stats = fake_worker_stats,
    .xstats = fake_xstats,
    .telemetry = fake_telemetry,
};
