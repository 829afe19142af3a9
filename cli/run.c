#include "cli/run.h"

#include "cli/crew.h"
#include "cli/order.h"
#include "cli/report.h"
#include "cli/runs.h"
#include "cli/stop.h"
#include "cli/threads.h"
#include "core/arena.h"
#include "enrich/cert.h"
#include "ingest/capture.h"
#include "sinks/segment.h"
#include "sinks/segment_batch.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { LONG_RUN_BYTES = 64 << 20 };

struct run {
    const struct run_options *o;
    struct run_result *r;
    const struct path_item *items; /* r->n */
    size_t *order;                 /* in which they are read; NULL: as they stand */
    pthread_mutex_t lock;          /* of stderr and of `progress` */
    struct progress progress;
    bool shows;                          /* progress: known before any thread reads */
    atomic_size_t next;                  /* capture to be read */
    atomic_uint_fast64_t bytes, packets; /* read by all threads */
    atomic_bool stop;                    /* a thread failed, or a signal came */
    uint64_t span_start_s, span_end_s;
    struct segment_batch batch;
};

/* A thread that reads captures, one after the other. */
struct lane {
    struct run *run;
    struct pipeline *pl;
    struct crew *crew; /* who share its packets; NULL: nobody */
    pthread_t thread;
    bool ok;
    struct err err;
};

static void say(struct run *run, const struct err *e)
{
    pthread_mutex_lock(&run->lock);
    progress_clear(&run->progress);
    fprintf(stderr, "tellscope: %s\n", e->text);
    pthread_mutex_unlock(&run->lock);
}

static void complain(struct run *run, struct run_capture *c, const struct err *e)
{
    say(run, e);
    snprintf(c->error, sizeof c->error, "%s", e->text);
    size_t path_len = strlen(c->path);
    bool named =
        strncmp(e->text, c->path, path_len) == 0; /* a path may hold anything: look behind it */
    const char *offset = strstr(named ? e->text + path_len : e->text, ": offset ");
    for (const char *p = offset; p != NULL && !named; p = strstr(p + 1, ": offset "))
        offset = p; /* of a long path the text has only the end */
    c->has_offset = offset != NULL;
    if (c->has_offset) /* readers tell it in their text; for captures.ndjson it is a number */
        c->offset = strtoull(offset + strlen(": offset "), NULL, 10);
}

static void show_progress(struct run *run, uint64_t bytes, uint64_t packets)
{
    bytes += atomic_fetch_add_explicit(&run->bytes, bytes, memory_order_relaxed);
    packets += atomic_fetch_add_explicit(&run->packets, packets, memory_order_relaxed);
    if (!run->shows || pthread_mutex_trylock(&run->lock) != 0)
        return;
    progress_show(&run->progress, bytes, packets);
    pthread_mutex_unlock(&run->lock);
}

/* Must this thread stop before the end of its capture? */
static bool must_stop(struct lane *l)
{
    if (stop_wanted()) {
        l->run->r->interrupted = true;
        return true;
    }
    return atomic_load_explicit(&l->run->stop, memory_order_relaxed)
           || windows_failed(l->pl->windows, &l->err) || (l->crew != NULL && crew_failed(l->crew));
}

static void end_context(struct lane *l)
{
    if (l->crew != NULL)
        crew_end(l->crew, l->pl);
    pipeline_end(l->pl);
}

static void read_capture(struct lane *l, struct capture *capture, struct run_capture *c,
                         struct err *e)
{
    const struct capture_stats *stats = capture_stats(capture);
    uint64_t bytes = 0;
    int n;
    pipeline_begin(l->pl, capture_source(capture), c->path);
    if (l->crew != NULL)
        crew_begin(l->crew, c->path);
    while ((n = pipeline_poll(l->pl, e)) >= 0) {
        c->packets += (uint64_t)n;
        show_progress(l->run, stats->bytes_read - bytes, (uint64_t)n);
        bytes = stats->bytes_read;
        if (must_stop(l))
            break;
    }
    c->first_ns = c->packets > 0 ? l->pl->first_ts_ns : 0;
    c->last_ns = stats->last_ts_ns;
    /* drop counts that the capture tells of itself */
    pipeline_lost(l->pl, stats->dropped_if + stats->dropped_os, stats->drop_ts_ns);
    if (!l->run->o->config->continuous)
        end_context(l);
    if (n != SRC_FAILED)
        return;
    c->failed = capture_io_failed(capture);
    c->damaged = !c->failed;
    complain(l->run, c, e);
}

static bool run_capture(struct lane *l, const struct path_item *item, struct run_capture *c)
{
    struct capture *capture;
    struct err why;
    if (item->error != NULL) {
        err_set(&why, "%s", item->error);
        c->failed = true;
        complain(l->run, c, &why);
        return true;
    }
    bool damaged, hash = l->run->o->hash;
    if (!(hash ? capture_open_hashed(&capture, c->path, &damaged, c->sha256, &why)
               : capture_open(&capture, c->path, &damaged, &why))) {
        c->damaged = damaged;
        c->failed = !damaged;
        complain(l->run, c, &why);
        return true;
    }
    read_capture(l, capture, c, &why);
    while (l->pl->filter != NULL && filter_complaint(l->pl->filter, &why))
        say(l->run, &why);
    bool hashed = true;
    if (hash && !l->run->r->interrupted)
        hashed = capture_sha256(capture, c->sha256, &l->err);
    capture_free(capture);
    return hashed && !windows_failed(l->pl->windows, &l->err)
           && (l->crew == NULL || !crew_failed(l->crew));
}

/* Reads captures as long as there are any. */
static void *read_captures(void *arg)
{
    struct lane *l = arg;
    struct run *run = l->run;
    l->ok = true;
    while (l->ok && !run->r->interrupted && !atomic_load(&run->stop)) {
        size_t i = atomic_fetch_add(&run->next, 1);
        if (i >= run->r->n)
            break;
        if (run->order != NULL)
            i = run->order[i];
        l->ok = run_capture(l, &run->items[i], &run->r->captures[i]);
    }
    if (!l->ok)
        atomic_store(&run->stop, true);
    if (run->o->config->continuous)
        end_context(l);
    pipeline_done(l->pl);
    return NULL;
}

/* Bytes of all captures, and of the largest. 0: among them is one that may go on for ever. */
static uint64_t size_of_all(const struct path_item items[], size_t n, uint64_t *largest)
{
    uint64_t total = 0;
    *largest = 0;
    for (size_t i = 0; i < n; i++) {
        struct stat st;
        if (stat(items[i].path, &st) != 0 || !S_ISREG(st.st_mode))
            return 0; /* a pipe among them: no telling how much is left */
        uint64_t size = (uint64_t)st.st_size;
        total += size;
        *largest = size > *largest ? size : *largest;
    }
    return total;
}

static bool write_segment(struct run *run, struct window *w, struct err *e)
{
    const struct config *c = run->o->config;
    struct segment_head head = {0};
    struct segment_options options = {
        .zstd_level = (int)c->zstd_level, .force = run->o->force, .batch = &run->batch};
    segment_head_config(&head, c);
    snprintf(head.release, sizeof head.release, "%s", TELLSCOPE_VERSION);
    head.start_s = window_start_s(w);
    head.length_s = window_length_s(w);
    head.interrupted = run->r->interrupted;
    uint8_t sha256[32];
    if (!segment_write(w, &head, run->o->dir, &options, sha256, e)
        || !judge_flags(w, &head, sha256, run->o->dir, NULL, run->o->judge, &options, &run->r->sums,
                        e))
        return false;
    char name[160];
    segment_name(&head, name);
    if (run->r->segments.len > 0)
        text_puts(&run->r->segments, ",");
    text_json(&run->r->segments, name, strlen(name));
    return true;
}

static bool take_window(void *ctx, struct window *w, size_t of, struct err *e)
{
    struct run *run = ctx;
    window_cert_facts(w, runs_notes(run->r->runs));
    if (run->o->dir != NULL && !write_segment(run, w, e))
        return false;
    if (of == 1) {
        run->r->all = w;
        return true;
    }
    if (run->r->owned == NULL) {
        if (!window_new(&run->r->owned, run->o->config, e))
            return false;
        run->r->all = run->r->owned;
        window_reset(run->r->all, run->span_start_s, run->span_end_s - run->span_start_s);
    }
    window_merge(run->r->all, w);
    run->r->sums.known = false; /* all windows together are to be judged anew */
    return true;
}

/* How many captures are read at the same time; what is left of o->threads shares the packets of
 * one. Both count the same. */
static unsigned count_lanes(const struct run *run, uint64_t largest)
{
    unsigned threads = run->o->threads;
    uint64_t total = run->progress.bytes_total;
    if (threads < 2 || run->o->events != 0 || run->o->config->continuous || run->r->n < 2)
        return 1;
    return total > 0 && largest <= total / threads ? threads : 1;
}

static bool read_all(struct run *run, uint64_t largest, struct err *e)
{
    struct run_result *r = run->r;
    unsigned threads =
        run->o->events == 0 ? run->o->threads : 1; /* events come in the order of packets */
    unsigned n = count_lanes(run, largest), started = 1;
    struct lane *lanes = calloc(n, sizeof *lanes);
    struct crew *crew = NULL;
    struct windows_spill spill = runs_spill(r->runs);
    bool ok = lanes != NULL;
    if (!ok)
        err_set(e, "out of memory");
    if (ok && n == 1 && threads > 1) {
        ok = crew_new(&crew, run->o->config, threads - 1, spill, e);
        if (ok)
            r->pipeline->spread = crew_spread(crew);
    }
    for (unsigned i = 0; ok && i < n; i++) {
        lanes[i] = (struct lane){.run = run, .pl = r->pipeline, .crew = crew};
        ok = i == 0 || pipeline_new(&lanes[i].pl, run->o->config, run->o->bpf, spill, e);
    }
    for (; ok && started < n; started++) {
        ok = thread_start_apart(&lanes[started].thread, read_captures, &lanes[started], started - 1,
                                e);
        if (!ok) {
            atomic_store(&run->stop, true);
            break;
        }
    }
    if (ok)
        read_captures(&lanes[0]);
    for (unsigned i = 1; i < started && lanes != NULL; i++)
        pthread_join(lanes[i].thread, NULL);
    for (unsigned i = 0; ok && i < n; i++) {
        ok = lanes[i].ok;
        if (!ok)
            *e = lanes[i].err;
    }
    for (unsigned i = 1; i < n && lanes != NULL && lanes[i].pl != NULL; i++) {
        if (ok)
            windows_absorb(r->pipeline->windows, lanes[i].pl->windows, runs_notes(r->runs));
        pipeline_free(lanes[i].pl);
    }
    if (crew != NULL) {
        struct err why;
        bool joined = crew_join(crew, r->pipeline->windows, runs_notes(r->runs), &why);
        if (!joined)
            *e = why;
        ok = ok && joined;
    }
    crew_free(crew);
    free(lanes);
    return ok && !windows_failed(r->pipeline->windows, e);
}

/* Reads; then writes what was read, whatever stopped it. */
static bool run_all(struct run *run, uint64_t largest, struct err *e)
{
    struct run_result *r = run->r;
    struct events *events = NULL;
    struct events_options eo = {
        .kinds = run->o->events, .force = run->o->force, .describe = cert_describe};
    if (run->o->events != 0 && !events_new(&events, run->o->dir, run->o->config, &eo, e))
        return false;
    r->pipeline->events = events;
    r->pipeline->msgs.any_order = r->pipeline->msgs.no_records = events == NULL;
    bool ok = read_all(run, largest, e);
    r->packets = run->packets;
    progress_end(&run->progress);
    ok = ok && (events == NULL || events_finish(events, e));
    events_free(events);
    r->pipeline->events = NULL;
    if (!ok)
        return false;
    if (!runs_span(r->runs, r->pipeline->windows, &run->span_start_s, &run->span_end_s))
        return true; /* nothing was read */
    ok = runs_finish(r->runs, r->pipeline->windows, take_window, run, e);
    struct err why; /* segments that are whole are named even where a later one failed */
    if (!segment_batch_commit(&run->batch, ok ? e : &why) || !ok)
        return false;
    struct totals_extra x = {0};
    report_clients(r->all, run->o->config, &x);
    r->gateways = x.gateways;
    r->hosts = x.hosts;
    return true;
}

static bool put_in_order(struct run *run, struct err *e)
{
    size_t n = run->r->n;
    run->order = calloc(n > 0 ? n : 1, sizeof *run->order);
    if (run->order != NULL)
        return order_by_time(run->items, n, run->order, e);
    err_set(e, "out of memory");
    return false;
}

bool run_captures(const struct run_options *o, const struct path_item items[], size_t n,
                  struct run_result *r, struct err *e)
{
    *r = (struct run_result){.n = n};
    uint64_t largest, all = size_of_all(items, n, &largest);
    struct run run = {.o = o,
                      .r = r,
                      .items = items,
                      .progress = progress_begin(o->quiet, all),
                      .lock = PTHREAD_MUTEX_INITIALIZER};
    run.shows = run.progress.shown;
    arena_prefer_large(all == 0 || all > LONG_RUN_BYTES);
    r->captures = calloc(n > 0 ? n : 1, sizeof *r->captures);
    if (r->captures == NULL) {
        err_set(e, "out of memory");
        return false;
    }
    for (size_t i = 0; i < n; i++)
        r->captures[i].path = items[i].path;
    bool ok = (!o->config->continuous || put_in_order(&run, e))
              && runs_new(&r->runs, o->config, o->dir, e)
              && pipeline_new(&r->pipeline, o->config, o->bpf, runs_spill(r->runs), e)
              && run_all(&run, largest, e);
    free(run.order);
    for (size_t i = 0; i < n; i++) {
        r->damaged += r->captures[i].damaged;
        r->failed += r->captures[i].failed;
    }
    return ok;
}

void run_free(struct run_result *r)
{
    pipeline_free(r->pipeline);
    runs_free(r->runs);
    window_free(r->owned);
    text_free(&r->segments);
    free(r->captures);
    *r = (struct run_result){0};
}
