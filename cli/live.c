/* The control thread of a live run. */
#include "cli/live.h"

#include "cli/drop.h"
#include "cli/live_part.h"
#include "cli/notify.h"
#include "cli/stop.h"
#include "cli/threads.h"
#include "core/arena.h"
#include "core/text.h"
#include "enrich/cert.h"
#include "ingest/ports_eal.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { TICK_MS = 20, BEGIN_WITHIN_S = 60 };

#define SECOND UINT64_C(1000000000)

static atomic_bool reload_wanted; /* set on whichever thread the signal comes to */

static void on_hangup(int number)
{
    (void)number;
    atomic_store(&reload_wanted, true);
}

/* ---- the pool */

struct window *live_pool_take(struct live *l)
{
    pthread_mutex_lock(&l->lock);
    struct window *w = l->n_pool > 0 ? l->pool[--l->n_pool] : NULL;
    pthread_mutex_unlock(&l->lock);
    return w;
}

void live_pool_give(struct live *l, struct window *w)
{
    window_reset(w, 0, l->config.window_s);
    pthread_mutex_lock(&l->lock);
    l->pool[l->n_pool++] = w;
    pthread_mutex_unlock(&l->lock);
}

static bool pool_fill(struct live *l, struct err *e)
{
    uint64_t spares = l->n_workers * (LIVE_SPARES + 1) + l->config.limits.windows_open
                      + l->config.live.backlog + 2;
    uint64_t n = spares < LIVE_POOL_MAX ? spares : LIVE_POOL_MAX;
    while (l->n_pool < n) {
        if (!window_new(&l->pool[l->n_pool], &l->config, e))
            return false;
        window_keep(l->pool[l->n_pool++]);
    }
    for (unsigned i = 0; i < l->n_workers; i++)
        for (unsigned k = 0; k < LIVE_SPARES && l->n_pool > 0; k++)
            (void)handover_put(&l->workers[i].empty, l->pool[--l->n_pool]);
    return true;
}

/* ---- starting */

enum vantage live_vantage(const struct live *l, unsigned port)
{
    const struct live_port *p = &l->config.live.ports[port];
    return (enum vantage)(p->has_vantage ? p->vantage : l->config.vantage);
}

static bool make_workers(struct live *l, struct err *e)
{
    const struct port_api *api = l->o->api;
    l->n_workers = api->n_workers(l->ports);
    if (l->n_workers > LIVE_WORKERS_MAX) {
        err_set(e, "%u workers; at most %d", l->n_workers, LIVE_WORKERS_MAX);
        return false;
    }
    l->workers = aligned_alloc(64, l->n_workers * sizeof *l->workers);
    if (l->workers == NULL) {
        err_set(e, "out of memory");
        return false;
    }
    memset(l->workers, 0, l->n_workers * sizeof *l->workers);
    struct live_counts *c = &l->counts;
    c->n_workers = l->n_workers;
    c->n_ports = api->n_ports(l->ports);
    l->by_packets = c->n_ports > 0;
    for (unsigned i = 0; i < c->n_ports; i++) {
        api->info(l->ports, i, &c->info[i]);
        l->by_packets = l->by_packets && c->info[i].clock == PORT_CLOCK_CAPTURE;
    }
    for (unsigned i = 0; i < l->n_workers; i++) {
        unsigned port = c->port_of[i] = api->port_of(l->ports, i);
        struct live_worker *w = &l->workers[i];
        w->api = api;
        w->ports = l->ports;
        w->clock = l->clock;
        w->number = i;
        w->device = c->info[port].device;
        w->vantage = (uint8_t)live_vantage(l, port);
        w->by_packets = l->by_packets;
        w->order = &l->order;
        w->flush = &l->flush;
        if (!live_worker_new(w, &l->config, l->o->bpf, e))
            return false;
    }
    return pool_fill(l, e) && cert_notes_new(&l->notes, &l->config, cert_facts, e);
}

/* Waits until each worker can receive. */
static bool workers_ready(struct live *l, struct err *e)
{
    for (uint64_t began = live_monotonic_ns();
         live_monotonic_ns() - began < BEGIN_WITHIN_S * SECOND; live_nap(TICK_MS)) {
        unsigned ready = 0;
        for (unsigned i = 0; i < l->n_workers; i++) {
            int state = atomic_load(&l->workers[i].state);
            if (state == LIVE_FAILED) {
                *e = l->workers[i].err;
                return false;
            }
            ready += state == LIVE_READY;
        }
        if (ready == l->n_workers)
            return true;
    }
    err_set(e, "the workers did not begin within %d s", BEGIN_WITHIN_S);
    return false;
}

/* ---- running */

/* The lock is held. */
static void set_space(struct live *l, const struct config *c)
{
    l->space = (struct space_options){.dir = l->o->dir,
                                      .sensor = l->config.sensor,
                                      .free_bytes = c->live.free_bytes,
                                      .reserve_bytes = c->live.reserve_bytes,
                                      .retention_s = c->live.retention_s};
    l->space_changed = l->o->dir != NULL;
    pthread_cond_broadcast(&l->more);
}

/* Do two configurations say the same? */
static bool same(const struct config *a, const struct config *b)
{
    struct text_sink texts[2] = {{0}, {0}};
    config_dump(a, &texts[0]);
    config_dump(b, &texts[1]);
    bool ok = !texts[0].failed && !texts[1].failed && texts[0].len == texts[1].len
              && memcmp(texts[0].p, texts[1].p, texts[0].len) == 0;
    text_free(&texts[0]);
    text_free(&texts[1]);
    return ok;
}

static void reload(struct live *l, struct notify *notify)
{
    static struct config fresh, rest;
    struct tls_policy policy = tls_policy_default();
    struct err e;
    notify_reloading(notify);
    fresh = config_default();
    if (l->o->config_path != NULL && !config_load(&fresh, l->o->config_path, &e)) {
        live_say(l, "reload: %s; everything stays as it was", e.text);
    } else if (l->o->policy_path != NULL && !tls_policy_load(&policy, l->o->policy_path, &e)) {
        live_say(l, "reload: %s; everything stays as it was", e.text);
    } else {
        rest = fresh; /* as it was read at the start, but for what is taken over */
        rest.live.free_bytes = l->file.live.free_bytes;
        rest.live.reserve_bytes = l->file.live.reserve_bytes;
        rest.live.retention_s = l->file.live.retention_s;
        bool more = l->o->config_path != NULL && !same(&rest, &l->file);
        pthread_mutex_lock(&l->lock);
        if (l->o->policy_path != NULL)
            l->judge.policy = policy;
        if (l->o->config_path != NULL)
            set_space(l, &fresh);
        pthread_mutex_unlock(&l->lock);
        live_say(l, "reloaded the TLS policy and what is said of space%s",
                 more ? "; other changes of the configuration need a restart" : "");
    }
    notify_ready(notify, "running");
}

static bool enough(const struct live *l, uint64_t elapsed_ns)
{
    if (stop_wanted() || (l->o->duration_s > 0 && elapsed_ns >= l->o->duration_s * SECOND))
        return true;
    return l->o->packets > 0 && live_received(&l->counts) >= l->o->packets;
}

static bool worker_failed(const struct live *l, struct err *e)
{
    for (unsigned i = 0; i < l->n_workers; i++) {
        if (atomic_load(&l->workers[i].state) != LIVE_FAILED)
            continue;
        *e = l->workers[i].err;
        return err_in(e, "worker %u", i);
    }
    return true;
}

/* Has every worker polled since the last call? A service manager starts a run anew in which one
 * hangs. */
static bool all_polled(const struct live *l, uint64_t polls[])
{
    bool all = true;
    for (unsigned i = 0; i < l->n_workers; i++) {
        uint64_t now = atomic_load_explicit(&l->workers[i].polls, memory_order_relaxed);
        all = all && now != polls[i];
        polls[i] = now;
    }
    return all;
}

/* Until it is enough. False: a worker failed. */
static bool control(struct live *l, struct notify *notify, struct err *e)
{
    uint64_t began = live_monotonic_ns(), second = began, watchdog = began;
    struct live_counts before = {0};
    uint64_t polls[LIVE_WORKERS_MAX] = {0};
    bool warned = false, ok = true;
    live_count(l);
    live_link_look(l);
    while ((ok = worker_failed(l, e) && live_links_there(l, e))
           && !enough(l, live_monotonic_ns() - began)) {
        live_nap(TICK_MS);
        uint64_t now = live_monotonic_ns();
        l->elapsed_ns = now - began;
        live_count(l);
        live_link_look(l);
        if (atomic_exchange(&reload_wanted, false))
            reload(l, notify);
        if (notify->watchdog_ns > 0 && now - watchdog >= notify->watchdog_ns) {
            if (all_polled(l, polls))
                notify_watchdog(notify);
            watchdog = now;
        }
        if (now - second < SECOND)
            continue;
        second = now;
        if (live_link_anchor(l)) {
            live_say(l, "the real-time clock was set: windows close early");
            atomic_fetch_add(&l->flush, 1);
        }
        l->o->api->anchor(l->ports);
        live_say_misplaced(l, &warned);
        live_status_line(l, &l->counts, &before);
        before = l->counts;
    }
    return ok;
}

/* ---- ending */

/* Joins a worker that ends in time. */
static bool join_until(struct live_worker *w, uint64_t deadline_ns)
{
    while (atomic_load(&w->state) < LIVE_FAILED && live_monotonic_ns() < deadline_ns)
        live_nap(1);
    return atomic_load(&w->state) >= LIVE_FAILED && pthread_join(w->thread, NULL) == 0;
}

/* Everything that was received is counted and written, or lost and said so. False: something is
 * lost, or a thread still holds what would have to be freed. */
static bool wind_up(struct live *l, unsigned started, bool sinks, bool *stuck, struct err *e)
{
    uint64_t deadline_ns = live_monotonic_ns() + l->config.live.shutdown_s * SECOND;
    const struct timespec deadline = {.tv_sec = (time_t)(deadline_ns / SECOND),
                                      .tv_nsec = (long)(deadline_ns % SECOND)};
    bool ok = true;
    l->o->api->stop(l->ports);
    atomic_store_explicit(&l->order, LIVE_FINISH, memory_order_release);
    for (unsigned i = 0; i < started; i++) {
        if (join_until(&l->workers[i], deadline_ns))
            continue;
        err_set(e, "worker %u does not end: its last windows are lost", i);
        *stuck = true;
        ok = false;
    }
    live_count(l);
    atomic_store_explicit(&l->finish, true, memory_order_release);
    if (!sinks)
        return ok;
    pthread_mutex_lock(&l->lock);
    while (!l->writer_ended && pthread_cond_timedwait(&l->more, &l->lock, &deadline) == 0)
        ;
    if (!l->writer_ended) {
        unsigned left = l->queue_head - l->queue_tail + l->writing;
        l->dropped += left;
        err_set(e, "sinks did not take what was left within %llu s: %u windows are lost",
                (unsigned long long)l->config.live.shutdown_s, left);
        *stuck = true;
        ok = false;
    }
    pthread_mutex_unlock(&l->lock);
    if (!*stuck) {
        pthread_join(l->closer, NULL);
        pthread_join(l->writer, NULL);
    }
    live_count(l);
    return ok;
}

static void free_all(struct live *l)
{
    for (unsigned i = 0; i < l->n_workers && l->workers != NULL; i++) {
        for (struct window *w; (w = handover_take(&l->workers[i].empty)) != NULL;)
            window_free(w);
        live_worker_free(&l->workers[i]);
    }
    while (l->n_pool > 0)
        window_free(l->pool[--l->n_pool]);
    if (l->ports != NULL)
        l->o->api->close(l->ports);
    free(l->workers);
    cert_notes_free(l->notes);
    clock_free(l->clock);
    pthread_mutex_destroy(&l->lock);
    pthread_cond_destroy(&l->more);
    free(l);
}

/* One that is made for this run belongs to whom it is to become. */
static bool make_folder(const struct live *l, struct err *e)
{
    const char *dir = l->o->dir;
    bool made = mkdir(dir, 0777) == 0;
    if ((!made && errno != EEXIST)
        || (made && l->o->user[0] != '\0' && chown(dir, l->drop.uid, l->drop.gid) != 0)) {
        err_set(e, "make directory %s: %s", dir, strerror(errno));
        return false;
    }
    return true;
}

/* Better now than at the first window. */
static bool folder_usable(const struct live *l, struct err *e)
{
    if (l->o->dir == NULL || access(l->o->dir, W_OK | X_OK) == 0)
        return true;
    int error = errno;
    err_set(e, "write into %s%s%s: %s", l->o->dir, l->o->user[0] != '\0' ? " as " : "", l->o->user,
            strerror(error));
    return false;
}

static bool eal_known(const struct live_options *o, struct err *e)
{
    const char *configured[CONFIG_EAL_MAX];
    unsigned n = o->config->live.n_eal, bad;
    for (unsigned i = 0; i < n; i++)
        configured[i] = o->config->live.eal[i];
    if (!ports_eal_check(configured, n, &bad, e))
        return err_in(e, "live.eal");
    return ports_eal_check(o->eal, o->n_eal, &bad, e);
}

static bool open_all(struct live *l, struct err *e)
{
    const struct live_options *o = l->o;
    struct ports_options po = {.config = &l->config,
                               .eal = o->eal,
                               .n_eal = o->n_eal,
                               .clock = l->clock,
                               .now = clock_now,
                               .no_huge = o->no_huge};
    if (o->user[0] != '\0' && (!drop_find(o->user, &l->drop, e) || !drop_begin(e)))
        return false;
    if (o->dir != NULL && !make_folder(l, e))
        return false;
    if (!eal_known(o, e) || !o->api->open(&l->ports, &po, e))
        return false;
    set_space(l, &l->config);
    if (!live_telemetry(l, e)) { /* it runs without */
        live_say(l, "%s", e->text);
        e->text[0] = '\0';
    }
    return make_workers(l, e);
}

/* Workers, then ports; then nothing needs rights any more; then who writes. */
static bool start_all(struct live *l, unsigned *workers, unsigned *sinks, struct err *e)
{
    for (; *workers < l->n_workers; ++*workers) {
        struct live_worker *w = &l->workers[*workers];
        if (!thread_start(&w->thread, live_worker_run, w, l->o->api->cpu_of(l->ports, *workers), e))
            return false;
    }
    if (!workers_ready(l, e) || !l->o->api->start(l->ports, e)
        || (l->o->user[0] != '\0' && !drop_now(&l->drop, 0, e)) || !folder_usable(l, e)
        || !thread_start(&l->closer, live_closer_run, l, -1, e))
        return false;
    ++*sinks;
    if (!thread_start(&l->writer, live_writer_run, l, -1, e))
        return false;
    ++*sinks;
    return true;
}

/* Receives, from the first packet to the last window. */
static bool receive(struct live *l, struct notify *notify, bool *stuck, struct err *e)
{
    unsigned workers = 0, sinks = 0;
    bool ok = start_all(l, &workers, &sinks, e);
    if (ok) {
        live_say_limits(l);
        atomic_store_explicit(&l->order, LIVE_GO, memory_order_release);
        notify_ready(notify, "running");
        ok = control(l, notify, e);
    }
    notify_stopping(notify, "writing the last windows");
    struct err why = {""};
    bool whole = wind_up(l, workers, sinks == 2, stuck, &why);
    if (ok && !whole)
        *e = why;
    if (sinks == 1)
        pthread_join(l->closer, NULL);
    return ok && whole;
}

static bool too_much_loss(const struct live *l)
{
    struct live_loss loss = live_loss_of(&l->counts);
    double lost = (double)live_lost(&loss), all = lost + (double)live_received(&l->counts);
    return l->o->max_loss_percent >= 0 && lost > 0 && lost / all * 100 > l->o->max_loss_percent;
}

/* Its deadlines are of time that nobody sets. */
static void cond_init(pthread_cond_t *c)
{
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(c, &attr);
    pthread_condattr_destroy(&attr);
}

int live_run(const struct live_options *o)
{
    struct live *l = aligned_alloc(64, (sizeof *l + 63) / 64 * 64);
    struct err e = {""};
    struct notify notify;
    if (l == NULL) {
        fprintf(stderr, "tellscope live: out of memory\n");
        return EXIT_RUNTIME;
    }
    memset(l, 0, sizeof *l);
    l->o = o;
    l->config = *o->config;
    l->config.window_s = o->config->live.window_s;
    l->config.limits.windows_open = live_windows_open(l->config.window_s);
    l->judge = *o->judge;
    pthread_mutex_init(&l->lock, NULL);
    cond_init(&l->more);
    stop_catch();
    sigaction(SIGHUP, &(struct sigaction){.sa_handler = on_hangup}, NULL);
    l->file = config_default();
    if (!notify_open(&notify, &e)
        || (o->config_path != NULL && !config_load(&l->file, o->config_path, &e)))
        live_say(l, "%s", e.text);
    arena_prefer_large(true);
    bool stuck = false, ok = (l->clock = clock_new()) != NULL;
    if (!ok)
        err_set(&e, "out of memory");
    ok = ok && open_all(l, &e);
    bool opened = ok;
    ok = ok && receive(l, &notify, &stuck, &e);
    int status = EXIT_OK;
    if (!ok) {
        live_say(l, "%s", e.text);
        status = EXIT_RUNTIME;
    } else if (!l->o->quiet && isatty(STDERR_FILENO)) {
        fprintf(stderr, "\r\033[K");
    }
    if (opened && (o->json || !o->quiet))
        live_table(&l->counts, o->json);
    if (status == EXIT_OK && l->counts.windows_dropped > 0)
        status = EXIT_RUNTIME;
    if (status == EXIT_OK && too_much_loss(l))
        status = EXIT_LOSS;
    notify_close(&notify);
    if (stuck) { /* a thread that cannot be joined still uses everything */
        fflush(stdout);
        _exit(status);
    }
    free_all(l);
    return status;
}
