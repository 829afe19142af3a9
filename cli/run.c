#include "cli/run.h"

#include "cli/pipeline.h"
#include "cli/report.h"
#include "cli/runs.h"
#include "cli/stop.h"
#include "core/arena.h"
#include "enrich/cert.h"
#include "ingest/capture.h"
#include "sinks/segment.h"
#include "sinks/segment_batch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { LONG_RUN_BYTES = 64 << 20 };

struct run {
    const struct run_options *o;
    struct run_result *r;
    struct progress progress;
    uint64_t bytes_before; /* of the captures that are done */
    uint64_t span_start_s, span_end_s;
    struct segment_batch batch;
};

static void complain(struct run *run, struct run_capture *c, const struct err *e)
{
    progress_end(&run->progress);
    fprintf(stderr, "tellscope: %s\n", e->text);
    snprintf(c->error, sizeof c->error, "%s", e->text);
    size_t path_len = strlen(c->path);
    bool named = strncmp(e->text, c->path, path_len) == 0; /* a path may hold anything: look behind it */
    const char *offset = strstr(named ? e->text + path_len : e->text, ": offset ");
    c->has_offset = offset != NULL;
    if (c->has_offset) /* readers tell it in their text; for captures.ndjson it is a number */
        c->offset = strtoull(offset + strlen(": offset "), NULL, 10);
    run->progress = progress_begin(run->o->quiet, run->progress.bytes_total);
}

/* Drop counts that the capture tells of itself. */
static void count_lost(struct run *run, const struct capture *capture)
{
    const struct capture_stats *s = capture_stats(capture);
    pipeline_lost(run->r->pipeline, s->dropped_if + s->dropped_os, s->drop_ts_ns);
}

static void read_capture(struct run *run, struct capture *capture, struct run_capture *c,
                         struct err *e)
{
    struct pipeline *pl = run->r->pipeline;
    const struct capture_stats *stats = capture_stats(capture);
    int n;
    pipeline_begin(pl, capture_source(capture), c->path);
    while ((n = pipeline_poll(pl, e)) >= 0) {
        if (c->packets == 0 && n > 0)
            c->first_ns = pl->recs[0].ts_ns;
        c->packets += (uint64_t)n;
        run->r->packets += (uint64_t)n;
        progress_show(&run->progress, run->bytes_before + stats->bytes_read, run->r->packets);
        if (stop_wanted()) {
            run->r->interrupted = true;
            break;
        }
        if (windows_failed(pl->windows, e))
            break;
    }
    c->last_ns = stats->last_ts_ns;
    count_lost(run, capture);
    if (!run->o->config->continuous)
        pipeline_end(pl);
    run->bytes_before += stats->bytes_read;
    if (n != SRC_FAILED)
        return;
    c->failed = capture_io_failed(capture);
    c->damaged = !c->failed;
    complain(run, c, e);
}

static void complain_filter(struct run *run)
{
    struct err why;
    while (run->r->pipeline->filter != NULL
           && filter_complaint(run->r->pipeline->filter, &why)) {
        progress_end(&run->progress);
        fprintf(stderr, "tellscope: %s\n", why.text);
        run->progress = progress_begin(run->o->quiet, run->progress.bytes_total);
    }
}

static bool run_capture(struct run *run, const struct path_item *item, struct run_capture *c,
                        struct err *e)
{
    struct capture *capture;
    struct err why;
    if (item->error != NULL) {
        err_set(&why, "%s", item->error);
        c->failed = true;
        complain(run, c, &why);
        return true;
    }
    bool damaged;
    if (!capture_open(&capture, c->path, &damaged, &why)) {
        c->damaged = damaged;
        c->failed = !damaged;
        complain(run, c, &why);
        return true;
    }
    if (run->o->hash)
        capture_hash(capture);
    read_capture(run, capture, c, &why);
    complain_filter(run);
    bool hashed = true;
    if (run->o->hash && !run->r->interrupted)
        hashed = capture_sha256(capture, c->sha256, e);
    capture_free(capture);
    return hashed && !windows_failed(run->r->pipeline->windows, e);
}

static uint64_t size_of_all(const struct path_item items[], size_t n)
{
    uint64_t total = 0;
    for (size_t i = 0; i < n; i++) {
        struct stat st;
        if (stat(items[i].path, &st) != 0 || !S_ISREG(st.st_mode))
            return 0; /* a pipe among them: no telling how much is left */
        total += (uint64_t)st.st_size;
    }
    return total;
}

static bool write_segment(struct run *run, struct window *w, struct err *e)
{
    const struct config *c = run->o->config;
    struct segment_head head = {0};
    struct segment_options options = {.zstd_level = (int)c->zstd_level, .force = run->o->force,
                                      .batch = &run->batch};
    segment_head_config(&head, c);
    window_cert_facts(w, cert_facts);
    snprintf(head.release, sizeof head.release, "%s", TELLSCOPE_VERSION);
    head.start_s = window_start_s(w);
    head.length_s = window_length_s(w);
    head.interrupted = run->r->interrupted;
    uint8_t sha256[32];
    if (!segment_write(w, &head, run->o->dir, &options, sha256, e)
        || !judge_flags(w, &head, sha256, run->o->dir, NULL, run->o->judge, &options,
                        &run->r->sums, e))
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

/* Reads; then writes what was read, whatever stopped it. */
static bool run_all(struct run *run, const struct path_item items[], struct err *e)
{
    struct run_result *r = run->r;
    struct events *events = NULL;
    struct events_options eo = {.kinds = run->o->events, .force = run->o->force,
                                .describe = cert_describe};
    if (run->o->events != 0 && !events_new(&events, run->o->dir, run->o->config, &eo, e))
        return false;
    r->pipeline->events = events;
    bool ok = true;
    for (size_t i = 0; ok && i < r->n && !r->interrupted; i++)
        ok = run_capture(run, &items[i], &r->captures[i], e);
    if (run->o->config->continuous)
        pipeline_end(r->pipeline);
    pipeline_done(r->pipeline);
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

bool run_captures(const struct run_options *o, const struct path_item items[], size_t n,
                  struct run_result *r, struct err *e)
{
    *r = (struct run_result){.n = n};
    struct run run = {.o = o, .r = r, .progress = progress_begin(o->quiet, size_of_all(items, n))};
    arena_prefer_large(run.progress.bytes_total == 0 || run.progress.bytes_total > LONG_RUN_BYTES);
    r->captures = calloc(n > 0 ? n : 1, sizeof *r->captures);
    if (r->captures == NULL) {
        err_set(e, "out of memory");
        return false;
    }
    for (size_t i = 0; i < n; i++)
        r->captures[i].path = items[i].path;
    bool ok = runs_new(&r->runs, o->config, o->dir, e)
              && pipeline_new(&r->pipeline, o->config, o->bpf, runs_spill(r->runs), e)
              && run_all(&run, items, e);
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
