/* The window thread: what workers hand over becomes one window, and goes to the writer. It never
 * waits for a disk. */
#include "cli/live_part.h"


#include <stdio.h>
#include <string.h>
#include <time.h>

enum {
    PENDING_MAX = 2 * LIVE_POOL_MAX,
    LOOK_EVERY_MS = 10,
    EMPTY_MAX = 1000,
    HUNG_S = 5,
    STALLED_S = 1
};

#define SECOND UINT64_C(1000000000)

struct pending {
    struct window *w;
    bool borrowed;
    bool early; /* due before its time: the clock was set */
};

struct closer {
    struct live *l;
    struct pending pending[PENDING_MAX]; /* earliest first, one of each time */
    unsigned n;
    uint64_t next_s; /* start of the window to be written next; not where time is the packets' */
    uint64_t started_ns; /* when the run began */
    unsigned flushed;    /* the last flush that was dealt with */
    unsigned tail;       /* of the queue, when last looked at */
    uint64_t moved_ns; /* when the writer had room last, or took a window; by the machine's time */
    bool ending;       /* the run ends */
    struct {
        uint64_t polls, since_ns;
        bool hung;
    } lives[LIVE_WORKERS_MAX];
    struct clock_view view;
};

static uint64_t length_s(const struct closer *c)
{
    return c->l->config.window_s;
}

/* ---- gathering */

static void refill(struct closer *c)
{
    for (unsigned i = 0; i < c->l->n_workers; i++) {
        struct handover *h = &c->l->workers[i].empty;
        while (handover_count(h) < LIVE_SPARES) {
            struct window *w = live_pool_take(c->l);
            if (w == NULL)
                return;
            (void)handover_put(h, w);
        }
    }
}

/* A window from a worker joins what others counted of the same time. */
static void add_part(struct closer *c, struct window *w, bool borrowed)
{
    uint64_t start_s = window_start_s(w);
    unsigned at = 0;
    while (at < c->n && window_start_s(c->pending[at].w) < start_s)
        at++;
    window_cert_facts(w, c->l->notes);
    if (at < c->n && window_start_s(c->pending[at].w) == start_s) {
        window_merge(c->pending[at].w, w);
        if (!borrowed)
            live_pool_give(c->l, w);
        return;
    }
    memmove(&c->pending[at + 1], &c->pending[at], (c->n - at) * sizeof *c->pending);
    c->pending[at] = (struct pending){.w = w, .borrowed = borrowed};
    c->n++;
}

static void collect(struct closer *c)
{
    for (unsigned i = 0; i < c->l->n_workers; i++)
        for (struct window *w; (w = handover_take(&c->l->workers[i].closed)) != NULL;)
            add_part(c, w, false);
    refill(c);
}

/* ---- to the writer */

static struct live_loss loss_less(const struct live_loss *a, const struct live_loss *b)
{
    return (struct live_loss){
        .missed = a->missed - b->missed,
        .no_mbuf = a->no_mbuf - b->no_mbuf,
        .ring = a->ring - b->ring,
        .errors = a->errors - b->errors,
        .misplaced = a->misplaced - b->misplaced,
    };
}

static void tell_port(struct window *w, enum vantage vantage, const struct live_loss *loss,
                      struct segment_live *live)
{
    struct ledger *to = &window_totals(w)->ledger;
    to->lost_missed += loss->missed;
    to->lost_no_mbuf += loss->no_mbuf;
    to->lost_ring += loss->ring;
    to->lost_errors += loss->errors;
    to->misplaced += loss->misplaced;
    live->misplaced += loss->misplaced;
    uint64_t lost = live_lost(loss);
    if (lost > 0)
        window_lost(w, vantage, lost);
}

/* What of the loss stands in no segment yet. */
static void tell_sources(struct live *l, struct live_job *job)
{
    struct segment_live *live = &job->head.live;
    pthread_mutex_lock(&l->lock);
    unsigned n_ports = l->counts.n_ports;
    for (unsigned i = 0; i < n_ports; i++) {
        struct live_loss now = live_loss_of_port(&l->counts, i);
        job->told[i] = loss_less(&now, &l->loss_told[i]);
        l->loss_told[i] = now;
    }
    live->windows_dropped = l->dropped - l->dropped_told;
    l->dropped_told = l->dropped;
    live->clock_error_ns = l->by_packets ? 0 : l->counts.clock_error_ns;
    pthread_mutex_unlock(&l->lock);
    for (unsigned i = 0; i < n_ports; i++) {
        tell_port(job->w, live_vantage(l, i), &job->told[i], live);
        if (!l->by_packets && (live->partial & 1 << SEGMENT_PARTIAL_WORKER_HUNG) == 0)
            live_link_watched(l, i, job->w);
    }
}

/* A window was told of it, and is lost itself: the next one is to tell. The lock is held. */
void live_untell(struct live *l, const struct live_job *job)
{
    l->dropped_told -= job->head.live.windows_dropped;
    for (unsigned i = 0; i < l->counts.n_ports; i++)
        l->loss_told[i] = loss_less(&l->loss_told[i], &job->told[i]);
}

/* Is there room for one more window, or no time to wait for it? Where many become due at once (the
 * clock was set, a worker was given up) they wait, as long as the writer takes one now and then. */
static bool now_or_never(struct closer *c)
{
    struct live *l = c->l;
    pthread_mutex_lock(&l->lock);
    bool room = l->queue_head - l->queue_tail < l->config.live.backlog, short_of = l->n_pool == 0;
    bool moved = l->queue_tail != c->tail;
    c->tail = l->queue_tail;
    pthread_mutex_unlock(&l->lock);
    uint64_t now_ns = live_monotonic_ns();
    if (room || moved)
        c->moved_ns = now_ns;
    return room || short_of || c->ending || now_ns - c->moved_ns > STALLED_S * SECOND;
}

/* The span the run lived through, of those it remembers the `i`th. False: there are no more. At the
 * end the last one goes on: nobody sets the clock any more. The lock is held. */
static bool lived(const struct closer *c, unsigned i, uint64_t *from_ns, uint64_t *to_ns)
{
    const struct live_spans *s = &c->l->lived;
    unsigned first = s->n < LIVE_SPANS ? 0 : s->n - LIVE_SPANS;
    if (i >= s->n - first)
        return false;
    *from_ns = s->at[(first + i) % LIVE_SPANS].from_ns;
    *to_ns =
        c->ending && first + i + 1 == s->n ? UINT64_MAX : s->at[(first + i) % LIVE_SPANS].to_ns;
    return true;
}

/* Was the clock not set within this window? The lock is held. */
static bool lived_whole(const struct closer *c, uint64_t start_s)
{
    uint64_t from_ns, to_ns;
    for (unsigned i = 0; lived(c, i, &from_ns, &to_ns); i++)
        if (from_ns <= start_s * SECOND && (start_s + length_s(c)) * SECOND <= to_ns)
            return true;
    return false;
}

/* What its head tells of the run. The lock is held. */
static void fill_live(const struct closer *c, struct segment_head *head, const struct pending *p,
                      unsigned partial)
{
    static const uint8_t clocks[] = {[PORT_CLOCK_TSC] = SEGMENT_CLOCK_TSC,
                                     [PORT_CLOCK_NIC] = SEGMENT_CLOCK_NIC,
                                     [PORT_CLOCK_CAPTURE] = SEGMENT_CLOCK_CAPTURE};
    const struct live *l = c->l;
    head->live.live = true;
    for (unsigned i = 0; i < l->counts.n_ports; i++)
        head->live.clocks |= (uint8_t)(1 << clocks[l->counts.info[i].clock]);
    if (head->start_s * SECOND < c->started_ns && !l->by_packets)
        partial |= 1 << SEGMENT_PARTIAL_STARTED;
    if (p->early || (!l->by_packets && !lived_whole(c, head->start_s)))
        partial |= 1 << SEGMENT_PARTIAL_CLOCK_STEP;
    for (unsigned i = 0; i < l->n_workers; i++)
        if (c->lives[i].hung)
            partial |= 1 << SEGMENT_PARTIAL_WORKER_HUNG;
    head->live.partial = (uint8_t)partial;
}

static void emit(struct closer *c, struct pending p, unsigned partial)
{
    struct live *l = c->l;
    struct live_job job = {.w = p.w, .borrowed = p.borrowed, .ending = c->ending};
    segment_head_config(&job.head, &l->config);
    snprintf(job.head.release, sizeof job.head.release, "%s", TELLSCOPE_VERSION);
    job.head.start_s = window_start_s(p.w);
    job.head.length_s = window_length_s(p.w);
    pthread_mutex_lock(&l->lock);
    fill_live(c, &job.head, &p, partial);
    while (c->ending && l->queue_head - l->queue_tail >= l->config.live.backlog)
        pthread_cond_wait(&l->more, &l->lock); /* the control thread sees to it that this ends */
    const struct totals *t = window_totals(p.w);
    l->read += t->packets.read;
    for (unsigned i = 0; i < OUT_N; i++)
        l->outcome[i] += t->packets.outcome[i];
    bool room = l->queue_head - l->queue_tail < l->config.live.backlog;
    l->dropped += !room;
    pthread_mutex_unlock(&l->lock);
    if (!room) { /* lost whole; what came before it is still being written */
        live_say(l, "sinks are too slow: a window of %llu s was dropped",
                 (unsigned long long)length_s(c));
        if (!p.borrowed)
            live_pool_give(l, p.w);
        return;
    }
    tell_sources(l, &job);
    pthread_mutex_lock(&l->lock);
    l->queue[l->queue_head++ % LIVE_QUEUE_MAX] = job;
    pthread_cond_broadcast(&l->more);
    pthread_mutex_unlock(&l->lock);
}

static struct pending take_first(struct closer *c)
{
    struct pending p = c->pending[0];
    memmove(c->pending, c->pending + 1, --c->n * sizeof *c->pending);
    return p;
}

/* Nothing was seen in this window: that is news too. */
static void emit_empty(struct closer *c, uint64_t start_s, unsigned partial)
{
    struct window *w;
    while ((w = live_pool_take(c->l)) == NULL && c->ending)
        live_nap(LOOK_EVERY_MS); /* the writer gives them back */
    if (w != NULL) {
        window_reset(w, start_s, length_s(c));
        emit(c, (struct pending){.w = w}, partial);
        return;
    }
    pthread_mutex_lock(&c->l->lock);
    c->l->dropped++;
    pthread_mutex_unlock(&c->l->lock);
}

/* The first window not written yet of those that end until `until_s` and somebody lived through, if
 * only in part: not one that the clock jumped over. UINT64_MAX: none. */
static uint64_t first_lived(const struct closer *c, uint64_t until_s)
{
    uint64_t from_ns, to_ns, found_s = UINT64_MAX;
    pthread_mutex_lock(&c->l->lock);
    for (unsigned i = 0; found_s == UINT64_MAX && lived(c, i, &from_ns, &to_ns); i++) {
        uint64_t start_s = from_ns / SECOND / length_s(c) * length_s(c);
        uint64_t last = (to_ns / SECOND < until_s ? to_ns / SECOND : until_s) / length_s(c);
        start_s = start_s < c->next_s ? c->next_s : start_s;
        if (last > EMPTY_MAX && start_s < (last - EMPTY_MAX) * length_s(c))
            start_s = last * length_s(c); /* the machine stood still: nobody wants all of them */
        if (start_s * SECOND < to_ns && start_s + length_s(c) <= until_s)
            found_s = start_s;
    }
    pthread_mutex_unlock(&c->l->lock);
    return found_s;
}

/* Those before `until_s` in which nothing was seen. False: not now. */
static bool emit_empties(struct closer *c, uint64_t until_s)
{
    if (c->l->by_packets)
        return true;
    for (uint64_t start_s; (start_s = first_lived(c, until_s)) != UINT64_MAX;) {
        if (!now_or_never(c))
            return false;
        emit_empty(c, start_s, 0);
        c->next_s = start_s + length_s(c);
    }
    return true;
}

/* Until when it is known whether the clock was set. Workers see that before we are told. */
static uint64_t known_s(const struct closer *c)
{
    const struct live_spans *s = &c->l->lived;
    pthread_mutex_lock(&c->l->lock);
    uint64_t to_ns = s->n > 0 ? s->at[(s->n - 1) % LIVE_SPANS].to_ns : 0;
    pthread_mutex_unlock(&c->l->lock);
    return c->l->by_packets ? UINT64_MAX : to_ns / SECOND;
}

/* The windows that end until `until_s`, one after the other, and those that close early. */
static void emit_until(struct closer *c, uint64_t until_s)
{
    uint64_t to_s = known_s(c);
    until_s = until_s < to_s ? until_s : to_s;
    while (c->n > 0) {
        uint64_t start_s = window_start_s(c->pending[0].w), end_s = start_s + length_s(c);
        if (c->pending[0].early ? start_s > to_s : end_s > until_s)
            break;
        if (!emit_empties(c, start_s) || !now_or_never(c))
            return;
        c->next_s = c->next_s < end_s ? end_s : c->next_s;
        emit(c, take_first(c), 0);
    }
    (void)emit_empties(c, until_s);
}

/* ---- who is due */

/* A worker that neither polls nor closes is given up until it does again. */
static void look_for_hung(struct closer *c, uint64_t now_ns)
{
    bool going = atomic_load(&c->l->order) != LIVE_WAIT;
    for (unsigned i = 0; i < c->l->n_workers; i++) {
        uint64_t polls = atomic_load_explicit(&c->l->workers[i].polls, memory_order_relaxed);
        if (polls != c->lives[i].polls || !going) {
            if (c->lives[i].hung)
                live_say(c->l, "worker %u goes on", i);
            c->lives[i].polls = polls;
            c->lives[i].since_ns = now_ns;
            c->lives[i].hung = false;
        } else if (!c->lives[i].hung && now_ns - c->lives[i].since_ns > HUNG_S * SECOND) {
            c->lives[i].hung = true;
            live_say(c->l, "worker %u hangs: its part of each window is missing from now on", i);
        }
    }
}

/* Until when every worker has handed over. */
static uint64_t handed_over_ns(const struct closer *c)
{
    uint64_t until_ns = UINT64_MAX;
    for (unsigned i = 0; i < c->l->n_workers; i++) {
        uint64_t ns = atomic_load_explicit(&c->l->workers[i].closed_until_ns, memory_order_acquire);
        if (!c->lives[i].hung)
            until_ns = ns < until_ns ? ns : until_ns;
    }
    return until_ns == UINT64_MAX ? 0 : until_ns;
}

static void look_for_flush(struct closer *c)
{
    unsigned wanted = atomic_load(&c->l->flush);
    if (wanted == c->flushed)
        return;
    for (unsigned i = 0; i < c->l->n_workers; i++)
        if (atomic_load_explicit(&c->l->workers[i].flushed, memory_order_acquire) != wanted
            && !c->lives[i].hung)
            return;
    collect(c);
    for (unsigned i = 0; i < c->n; i++)
        c->pending[i].early = true;
    c->flushed = wanted;
}

static void look(struct closer *c)
{
    look_for_hung(c, live_monotonic_ns()); /* the clock may be set */
    uint64_t until_ns =
        handed_over_ns(c); /* before collecting: what was handed over until then is there */
    collect(c);
    look_for_flush(c);
    emit_until(c, until_ns / SECOND);
    pthread_mutex_lock(&c->l->lock);
    bool short_of = c->l->n_pool == 0;
    pthread_mutex_unlock(&c->l->lock);
    if (short_of && c->n > 0 && c->l->by_packets)
        emit(c, take_first(c), 0);
}

/* The workers have ended: what they had open is the rest. */
static void finish(struct closer *c)
{
    struct live *l = c->l;
    c->ending = true;
    collect(c);
    for (unsigned i = 0; i < l->n_workers; i++) {
        if (atomic_load(&l->workers[i].state) != LIVE_ENDED)
            continue;
        unsigned n;
        struct window *const *open = windows_open(l->workers[i].pl->windows, &n);
        for (unsigned k = 0; k < n; k++)
            add_part(c, open[k], true);
    }
    uint64_t now_s = clock_now(l->clock, &c->view) / SECOND, start_s;
    for (;;) {
        uint64_t first_s = c->n > 0 ? window_start_s(c->pending[0].w) : UINT64_MAX;
        start_s = l->by_packets ? UINT64_MAX : first_lived(c, now_s + length_s(c));
        start_s = first_s < start_s ? first_s : start_s;
        if (start_s == UINT64_MAX)
            break;
        bool whole = l->by_packets || start_s + length_s(c) + LIVE_GRACE_S <= now_s;
        unsigned partial = whole ? 0 : 1 << SEGMENT_PARTIAL_SHUTDOWN;
        if (start_s == first_s)
            emit(c, take_first(c), partial);
        else
            emit_empty(c, start_s, partial);
        c->next_s = c->next_s <= start_s ? start_s + length_s(c) : c->next_s;
    }
}

void *live_closer_run(void *live)
{
    struct live *l = live;
    struct closer c = {.l = l};
    c.started_ns = clock_now(l->clock, &c.view);
    for (unsigned i = 0; i < l->n_workers; i++)
        c.lives[i].since_ns = live_monotonic_ns();
    c.next_s = l->by_packets ? 0 : c.started_ns / SECOND / length_s(&c) * length_s(&c);
    while (!atomic_load_explicit(&l->finish, memory_order_acquire)) {
        look(&c);
        live_nap(LOOK_EVERY_MS);
    }
    finish(&c);
    pthread_mutex_lock(&l->lock);
    l->closer_ended = true;
    pthread_cond_broadcast(&l->more);
    pthread_mutex_unlock(&l->lock);
    return NULL;
}
