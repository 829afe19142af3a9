#include "cli/live_worker.h"

#include <sched.h>

enum { SWEEP_MAX = 64 }; /* places a burst */

#define SECOND        UINT64_C(1000000000)
#define LOOK_EVERY_NS UINT64_C(1000000)

unsigned live_windows_open(uint64_t window_s)
{
    return (unsigned)(LIVE_GRACE_S / window_s) + 3;
}

/* An empty window for a full one. */
static struct window *leave(void *ctx, struct window *full, struct err *e)
{
    struct live_worker *w = ctx;
    (void)e;
    struct window *empty = handover_take(&w->empty);
    if (empty != NULL
        && !handover_put(&w->closed, full)) { /* cannot be: there are fewer windows than places */
        (void)handover_put(&w->empty, empty);
        return NULL;
    }
    return empty;
}

bool live_worker_new(struct live_worker *w, const struct config *config, const char *bpf,
                     struct err *e)
{
    struct windows_spill spill = {.leave = leave, .ctx = w};
    w->window_ns = config->window_s * SECOND;
    return pipeline_new(&w->pl, config, bpf, spill, e) && windows_prepare(w->pl->windows, e);
}

void live_worker_free(struct live_worker *w)
{
    pipeline_free(w->pl);
    w->pl = NULL;
}

static uint64_t windows_before(const struct live_worker *w, uint64_t now_ns, uint64_t ago_s)
{
    return now_ns > ago_s * SECOND ? (now_ns - ago_s * SECOND) / w->window_ns * w->window_ns : 0;
}

/* What was open when the clock was set closes as it stands. */
static void flush(struct live_worker *w)
{
    unsigned wanted = atomic_load_explicit(w->flush, memory_order_acquire);
    if (wanted == atomic_load_explicit(&w->flushed, memory_order_relaxed))
        return;
    if (windows_flush(w->pl->windows))
        atomic_store_explicit(&w->flushed, wanted, memory_order_release);
}

/* Closes windows whose time is over, in small steps: first open sessions are swept, then tables are
 * swapped. */
static void keep_time(struct live_worker *w, uint64_t now_ns)
{
    if (now_ns < w->look_ns)
        return;
    uint64_t decided = windows_before(w, now_ns, LIVE_DECIDED_S);
    if (decided > w->swept_ns) {
        if (w->sweep_to_ns == 0)
            w->sweep_to_ns = decided;
        if (decode_sweep(w->pl->decode, w->sweep_to_ns, SWEEP_MAX, &w->pl->msgs)) {
            w->swept_ns = w->sweep_to_ns;
            w->sweep_to_ns = 0;
        }
    }
    uint64_t over = windows_before(w, now_ns, LIVE_GRACE_S);
    over = over < w->swept_ns ? over : w->swept_ns;
    if (over <= w->closed_ns) {
        w->look_ns = w->sweep_to_ns == 0 ? now_ns + LOOK_EVERY_NS : 0;
        return;
    }
    pipeline_ledger(w->pl);
    if (windows_close(w->pl->windows, over)) {
        w->closed_ns = over;
        atomic_store_explicit(&w->closed_until_ns, over, memory_order_release);
    }
}

static uint64_t time_of(struct live_worker *w)
{
    if (w->by_packets)
        return w->pl->any ? w->pl->last_ts_ns : 0;
    return clock_now(w->clock, &w->view);
}

/* Returns false where its source or its windows failed. */
static bool poll_once(struct live_worker *w, int *n)
{
    *n = pipeline_poll(w->pl, &w->err);
    atomic_store_explicit(&w->polls, atomic_load_explicit(&w->polls, memory_order_relaxed) + 1,
                          memory_order_relaxed);
    if (*n == SRC_FAILED)
        return false;
    keep_time(w, time_of(w));
    flush(w);
    stage_end(&w->pl->stages, STAGE_WINDOWS);
    return !windows_failed(w->pl->windows, &w->err);
}

/* False: it failed, w->err says why. */
static bool poll_all(struct live_worker *w)
{
    int n;
    while (atomic_load_explicit(w->order, memory_order_acquire) != LIVE_FINISH)
        if (!poll_once(w, &n))
            return false;
    do { /* no more can come: what is in the rings */
        if (!poll_once(w, &n))
            return false;
    } while (n > 0);
    return true;
}

void *live_worker_run(void *worker)
{
    struct live_worker *w = worker;
    struct source source;
    struct spread spread = {0};
    if (!w->api->worker_begin(w->ports, w->number, &source, &spread, &w->err)) {
        atomic_store(&w->state, LIVE_FAILED);
        return NULL;
    }
    pipeline_begin(w->pl, source, w->device);
    pipeline_vantage(w->pl, (enum vantage)w->vantage);
    w->pl->spread = spread;
    atomic_store(&w->state, LIVE_READY);
    while (atomic_load_explicit(w->order, memory_order_acquire) == LIVE_WAIT)
        sched_yield();
    w->closed_ns = w->swept_ns = w->by_packets ? 0 : windows_before(w, time_of(w), 0);
    stages_begin(&w->pl->stages, w->clock);
    bool ok = poll_all(w);
    pipeline_end(w->pl);
    pipeline_done(w->pl);
    w->api->worker_end(w->ports, w->number);
    atomic_store(&w->state, ok ? LIVE_ENDED : LIVE_FAILED);
    return NULL;
}
