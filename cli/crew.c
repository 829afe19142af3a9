#include "cli/crew.h"

#include "cli/threads.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

/* Who waits, waits for half of the batches: waking somebody for each one takes longer than the
 * work. */
enum { BATCHES = 16, HALF = BATCHES / 2, BATCH_BYTES = 64 << 10 };

enum batch_kind { PACKETS, BEGIN, END, QUIT };

struct batch {
    unsigned kind; /* enum batch_kind */
    unsigned n;
    const char *path; /* BEGIN */
    bool any;         /* END: of the reader's pipeline */
    uint64_t last_ts_ns;
    uint8_t *bytes; /* the payloads */
    size_t used, room;
    struct rec recs[BURST_MAX];
};

struct worker {
    struct pipeline *pl;
    pthread_t thread;
    bool started;
    pthread_mutex_t lock;
    pthread_cond_t more, less;     /* the worker waits for more batches, the reader for less */
    unsigned head, tail;           /* batches put, batches done: never more than BATCHES apart */
    bool idle, urgent;             /* the worker waits; it must not, whatever there is */
    atomic_bool broken;            /* the worker's windows failed, and say why once it has ended */
    bool full;                     /* the reader had no memory for what it had to hand over */
    struct batch batches[BATCHES]; /* ring; the reader fills batches[head % BATCHES] */
};

struct crew {
    unsigned n;
    uint32_t own; /* hashes below are the reader's, of 65536 */
    struct worker *workers;
};

/* ---- a worker's thread */

static void do_batch(struct worker *w, struct batch *b)
{
    struct pipeline *pl = w->pl;
    if (b->kind == PACKETS) {
        pipeline_take(pl, b->recs, b->n);
    } else if (b->kind == BEGIN) {
        pipeline_begin(pl, (struct source){0}, b->path);
    } else if (b->kind == END) {
        pl->any = b->any;
        pl->last_ts_ns = b->last_ts_ns;
        pipeline_end(pl);
    }
    struct err e;
    if (windows_failed(pl->windows, &e))
        atomic_store(&w->broken, true);
}

static struct batch *next(struct worker *w)
{
    pthread_mutex_lock(&w->lock);
    w->idle = w->head == w->tail;
    while (w->idle && w->head - w->tail < HALF && !w->urgent)
        pthread_cond_wait(&w->more, &w->lock);
    w->idle = w->urgent = false;
    pthread_mutex_unlock(&w->lock);
    return &w->batches[w->tail % BATCHES];
}

static void done(struct worker *w, struct batch *b)
{
    b->n = 0;
    b->used = 0;
    pthread_mutex_lock(&w->lock);
    w->tail++;
    if (w->head - w->tail == HALF)
        pthread_cond_signal(&w->less);
    pthread_mutex_unlock(&w->lock);
}

static void *work(void *arg)
{
    struct worker *w = arg;
    unsigned kind = PACKETS;
    while (kind != QUIT) {
        struct batch *b = next(w);
        kind = b->kind;
        do_batch(w, b);
        done(w, b);
    }
    pipeline_done(w->pl);
    return NULL;
}

/* ---- the reader's side */

/* The batch being filled becomes the worker's, and the next one is waited for. */
static void put(struct worker *w)
{
    bool urgent = w->batches[w->head % BATCHES].kind != PACKETS;
    pthread_mutex_lock(&w->lock);
    w->head++;
    w->urgent = w->urgent || urgent;
    if (w->idle && (w->urgent || w->head - w->tail == HALF))
        pthread_cond_signal(&w->more);
    if (w->head - w->tail == BATCHES)
        while (w->head - w->tail > HALF)
            pthread_cond_wait(&w->less, &w->lock);
    pthread_mutex_unlock(&w->lock);
}

static void put_packets(struct worker *w)
{
    if (w->batches[w->head % BATCHES].n > 0)
        put(w);
}

static struct batch *control(struct worker *w, enum batch_kind kind)
{
    put_packets(w);
    struct batch *b = &w->batches[w->head % BATCHES];
    b->kind = kind;
    return b;
}

/* A batch with room for `len` bytes of payload. Only a payload longer than any batch so far makes
 * one grow. */
static struct batch *room_for(struct worker *w, size_t len)
{
    struct batch *b = &w->batches[w->head % BATCHES];
    if (b->n == BURST_MAX || (b->n > 0 && b->room - b->used < len)) {
        put(w);
        b = &w->batches[w->head % BATCHES];
    }
    if (b->room < len) {
        uint8_t *more = realloc(b->bytes, len);
        if (more == NULL)
            return NULL;
        b->bytes = more;
        b->room = len;
    }
    b->kind = PACKETS;
    return b;
}

static void hand_over(struct worker *w, const struct rec *rec)
{
    size_t len = rec->payload.left;
    struct batch *b = room_for(w, len);
    if (b == NULL) {
        w->full = true;
        return;
    }
    struct rec *to = &b->recs[b->n++];
    *to = *rec;
    memcpy(b->bytes + b->used, rec->payload.p, len);
    to->payload.p = b->bytes + b->used;
    b->used += len;
}

static unsigned give(void *ctx, struct pkt pkts[], struct rec recs[], unsigned n)
{
    struct crew *c = ctx;
    unsigned kept = 0;
    (void)pkts;
    for (unsigned i = 0; i < n; i++) {
        bool pair = recs[i].flags & REC_HAS_IP; /* else it is the reader's */
        uint32_t hash = pair ? spread_hash(&recs[i].src, &recs[i].dst) >> 16 : 0;
        if (pair && hash >= c->own) {
            hand_over(&c->workers[(hash - c->own) * c->n / (65536 - c->own)], &recs[i]);
            continue;
        }
        if (kept != i)
            recs[kept] = recs[i];
        kept++;
    }
    return kept;
}

struct spread crew_spread(struct crew *c)
{
    return (struct spread){.give = give, .ctx = c};
}

void crew_begin(struct crew *c, const char *path)
{
    for (unsigned i = 0; i < c->n; i++) {
        control(&c->workers[i], BEGIN)->path = path;
        put(&c->workers[i]);
    }
}

void crew_end(struct crew *c, const struct pipeline *pl)
{
    for (unsigned i = 0; i < c->n; i++) {
        struct batch *b = control(&c->workers[i], END);
        b->any = pl->any;
        b->last_ts_ns = pl->last_ts_ns;
        put(&c->workers[i]);
    }
}

bool crew_failed(struct crew *c)
{
    bool failed = false;
    for (unsigned i = 0; i < c->n; i++)
        failed = failed || c->workers[i].full || atomic_load(&c->workers[i].broken);
    return failed;
}

static void end_threads(struct crew *c)
{
    for (unsigned i = 0; i < c->n; i++) {
        if (!c->workers[i].started)
            continue;
        control(&c->workers[i], QUIT);
        put(&c->workers[i]);
    }
    for (unsigned i = 0; i < c->n; i++)
        if (c->workers[i].started)
            pthread_join(c->workers[i].thread, NULL);
    for (unsigned i = 0; i < c->n; i++)
        c->workers[i].started = false;
}

bool crew_join(struct crew *c, struct windows *into, struct cert_notes *notes, struct err *e)
{
    bool full = false;
    end_threads(c);
    for (unsigned i = 0; i < c->n; i++) {
        windows_absorb(into, c->workers[i].pl->windows, notes);
        full = full || c->workers[i].full;
    }
    if (full)
        err_set(e, "out of memory");
    return !full && !windows_failed(into, e);
}

/* ---- */

/* Reading and walking a packet costs about 0.4 of what following it does: the reader follows so
 * many that all threads are done at the same time. */
static uint32_t own_share(unsigned threads)
{
    unsigned all = threads + 1;
    double share = (1 - 0.4 * threads) / all;
    return share > 0 ? (uint32_t)(share * 65536) : 0;
}

bool crew_new(struct crew **out, const struct config *config, unsigned threads,
              struct windows_spill spill, struct err *e)
{
    struct crew *c = calloc(1, sizeof *c);
    if (c == NULL || (c->workers = calloc(threads, sizeof *c->workers)) == NULL) {
        free(c);
        err_set(e, "out of memory");
        return false;
    }
    c->own = own_share(threads);
    bool ok = true;
    while (ok && c->n < threads) {
        struct worker *w = &c->workers[c->n++];
        pthread_mutex_init(&w->lock, NULL);
        pthread_cond_init(&w->more, NULL);
        pthread_cond_init(&w->less, NULL);
        ok = pipeline_new(&w->pl, config, NULL, spill, e);
        for (unsigned i = 0; ok && i < BATCHES; i++) {
            w->batches[i].bytes = malloc(BATCH_BYTES);
            w->batches[i].room = BATCH_BYTES;
            ok = w->batches[i].bytes != NULL;
            if (!ok)
                err_set(e, "out of memory");
        }
        ok = ok && thread_start_apart(&w->thread, work, w, c->n - 1, e);
        w->started = ok;
    }
    if (!ok) {
        crew_free(c);
        return false;
    }
    *out = c;
    return true;
}

void crew_free(struct crew *c)
{
    if (c == NULL)
        return;
    end_threads(c);
    for (unsigned i = 0; i < c->n; i++) {
        struct worker *w = &c->workers[i];
        pipeline_free(w->pl);
        for (unsigned b = 0; b < BATCHES; b++)
            free(w->batches[b].bytes);
        pthread_cond_destroy(&w->more);
        pthread_cond_destroy(&w->less);
        pthread_mutex_destroy(&w->lock);
    }
    free(c->workers);
    free(c);
}
