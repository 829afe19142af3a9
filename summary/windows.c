#include "summary/windows.h"

#include "core/answer.h"
#include "core/hash.h"
#include "core/offer.h"
#include "summary/certs.h"
#include "summary/offers.h"

#include <stdlib.h>

struct open_window {
    struct window *w;
    uint64_t used; /* tick of the last use */
};

struct windows {
    const struct config *config;
    struct windows_spill spill;
    struct window_stores stores; /* of all its windows */
    struct open_window *open;    /* limits.windows_open; behind n_open: spare ones, or none yet */
    struct window **sorted;
    unsigned n_open;
    uint64_t floor_ns; /* windows before it have left for good */
    uint64_t tick;
    struct window *last; /* the one used last: nearly always the next one */
    uint64_t last_start_ns, last_end_ns;
    uint64_t *known; /* starts of all windows of the run, + 1; open addressing */
    uint32_t n_known, known_mask;
    bool unlimited; /* in their number */
    bool failed;
    struct err err;
};

bool windows_new(struct windows **out, const struct config *config, struct windows_spill spill,
                 struct err *e)
{
    struct windows *ws = calloc(1, sizeof *ws);
    uint32_t slots = 1024;
    while (slots < config->limits.windows_max * 2)
        slots *= 2;
    if (ws != NULL) {
        ws->config = config;
        ws->spill = spill;
        ws->known_mask = slots - 1;
        ws->open = calloc(config->limits.windows_open, sizeof *ws->open);
        ws->sorted = calloc(config->limits.windows_open, sizeof(struct window *));
        ws->known = calloc(slots, sizeof *ws->known);
    }
    if (ws == NULL || ws->open == NULL || ws->sorted == NULL || ws->known == NULL) {
        windows_free(ws);
        err_set(e, "out of memory");
        return false;
    }
    struct window_stores *s = &ws->stores;
    if (!offers_new(&s->offers, config->limits.hellos, OFFER_BLOB_MAX, config->seed, e)
        || !offers_new(&s->answers, config->limits.answers, ANSWER_BLOB_MAX, config->seed, e)
        || !certs_new(&s->certs, config, e)) {
        windows_free(ws);
        return false;
    }
    *out = ws;
    return true;
}

void windows_free(struct windows *ws)
{
    if (ws == NULL)
        return;
    for (unsigned i = 0; ws->open != NULL && i < ws->config->limits.windows_open; i++)
        window_free(ws->open[i].w);
    offers_free(ws->stores.offers);
    offers_free(ws->stores.answers);
    certs_free(ws->stores.certs);
    free(ws->open);
    free(ws->sorted);
    free(ws->known);
    free(ws);
}

/* Is this start one of the run's windows, or may it become one? */
static bool known_or_new(struct windows *ws, uint64_t start_s)
{
    uint64_t i = hash_bytes(&start_s, sizeof start_s, 0) & ws->known_mask;
    for (; ws->known[i] != 0; i = (i + 1) & ws->known_mask)
        if (ws->known[i] == start_s + 1)
            return true;
    if (ws->n_known == ws->config->limits.windows_max)
        return false;
    ws->known[i] = start_s + 1;
    ws->n_known++;
    return true;
}

static void fail(struct windows *ws, const struct err *e)
{
    if (!ws->failed)
        ws->err = *e;
    ws->failed = true;
}

static bool has_window(struct windows *ws, struct open_window *o, struct err *e)
{
    if (o->w == NULL && !window_new(&o->w, ws->config, e))
        return false;
    window_stores(o->w, &ws->stores);
    return true;
}

/* Another window takes the place of this one. */
static bool leave(struct windows *ws, struct open_window *o)
{
    struct err e = {""};
    struct window *empty = ws->spill.leave(ws->spill.ctx, o->w, &e);
    if (empty == NULL) {
        if (e.text[0] != '\0')
            fail(ws, &e);
        return false;
    }
    if (ws->last == o->w)
        ws->last = NULL;
    o->w = empty;
    window_stores(o->w, &ws->stores);
    return true;
}

/* A place for one more window: a new one, or that of the window used longest ago, which leaves. */
static struct open_window *place(struct windows *ws)
{
    struct err e;
    struct open_window *o;
    if (ws->n_open < ws->config->limits.windows_open) {
        o = &ws->open[ws->n_open];
        if (!has_window(ws, o, &e)) {
            fail(ws, &e);
            return NULL;
        }
        ws->n_open++;
        return o;
    }
    o = &ws->open[0];
    for (unsigned i = 1; i < ws->n_open; i++)
        if (ws->open[i].used < o->used)
            o = &ws->open[i];
    return window_empty(o->w) || leave(ws, o) ? o : NULL;
}

bool windows_prepare(struct windows *ws, struct err *e)
{
    ws->unlimited = true;
    for (unsigned i = 0; i < ws->config->limits.windows_open; i++) {
        if (!has_window(ws, &ws->open[i], e))
            return false;
        window_keep(ws->open[i].w);
    }
    return true;
}

/* Those that end at `before_s` or earlier. */
static bool leave_all(struct windows *ws, uint64_t before_s)
{
    bool all = true;
    for (unsigned i = ws->n_open; i > 0; i--) {
        struct open_window *o = &ws->open[i - 1];
        if (window_start_s(o->w) + window_length_s(o->w) > before_s)
            continue;
        if (!window_empty(o->w) && !leave(ws, o)) {
            all = false;
            continue;
        }
        struct open_window spare = *o; /* the places in use stand together */
        *o = ws->open[ws->n_open - 1];
        ws->open[--ws->n_open] = spare;
        if (ws->last == spare.w)
            ws->last = NULL;
    }
    return all;
}

bool windows_close(struct windows *ws, uint64_t before_ns)
{
    if (before_ns > ws->floor_ns)
        ws->floor_ns = before_ns;
    return leave_all(ws, before_ns / 1000000000);
}

bool windows_flush(struct windows *ws)
{
    return leave_all(ws, UINT64_MAX);
}

static struct window *open_at(struct windows *ws, uint64_t start_s)
{
    struct open_window *found = NULL;
    for (unsigned i = 0; i < ws->n_open; i++)
        if (window_start_s(ws->open[i].w) == start_s)
            found = &ws->open[i];
    if (found == NULL) {
        if (ws->failed || (!ws->unlimited && !known_or_new(ws, start_s)))
            return NULL;
        found = place(ws);
        if (found == NULL)
            return NULL;
        window_reset(found->w, start_s, ws->config->window_s);
    }
    found->used = ++ws->tick;
    ws->last = found->w;
    ws->last_start_ns = start_s * 1000000000;
    ws->last_end_ns = ws->last_start_ns + ws->config->window_s * 1000000000;
    return found->w;
}

static inline bool in_last(const struct windows *ws, uint64_t ts_ns)
{
    return ts_ns >= ws->last_start_ns && ts_ns < ws->last_end_ns;
}

struct window *windows_at(struct windows *ws, uint64_t ts_ns)
{
    if (ws->last != NULL && in_last(ws, ts_ns))
        return ws->last;
    if (ts_ns < ws->floor_ns)
        ts_ns = ws->floor_ns;
    return open_at(ws, ts_ns / 1000000000 / ws->config->window_s * ws->config->window_s);
}

/* No window may be opened for this packet: it is read all the same, and counted where we are. */
static void count_out_of_time(struct windows *ws, struct rec *rec)
{
    rec->outcome = OUT_OUT_OF_TIME;
    if (ws->last == NULL)
        return;
    struct totals *t = window_totals(ws->last);
    t->packets.read++;
    t->packets.bytes_wire += rec->wire_len;
    t->packets.bytes_captured += rec->cap_len;
    t->packets.outcome[OUT_OUT_OF_TIME]++;
}

void windows_packets(struct windows *ws, struct rec recs[], unsigned n, const uint8_t vantages[])
{
    for (unsigned i = 0, end; i < n; i = end) { /* packets of one window together */
        struct window *w = windows_at(ws, recs[i].ts_ns);
        for (end = i + 1; w != NULL && end < n && in_last(ws, recs[end].ts_ns); end++)
            ;
        if (w == NULL)
            count_out_of_time(ws, &recs[i]);
        else
            window_packets(w, recs + i, end - i, vantages);
    }
}

/* Parts that fall into one window are counted in one go. */
static void message(struct windows *ws, const struct msg *m, const struct message_hint *hint,
                    enum vantage vantage)
{
    uint64_t ts_ns[PART_N];
    for (unsigned left = window_parts(m, ts_ns); left != 0;) {
        struct window *w = windows_at(ws, ts_ns[__builtin_ctz(left)]);
        unsigned parts = left & -left, more = left & ~parts;
        for (; w != NULL && more != 0; more &= more - 1)
            if (in_last(ws, ts_ns[__builtin_ctz(more)]))
                parts |= more & -more;
        left &= ~parts;
        if (w != NULL)
            window_message(w, m, hint, parts, vantage);
    }
}

void windows_messages(struct windows *ws, const struct msg msgs[], unsigned n,
                      const uint8_t vantages[])
{
    struct message_hint hints[MSGS_MAX];
    struct window *near = n > 0 ? windows_at(ws, msgs[0].ts_ns) : NULL;
    near = near != NULL ? near : ws->last;
    if (near == NULL)
        return;
    window_message_hint(near, msgs, n, hints);
    for (unsigned i = 0; i < n; i++)
        message(ws, &msgs[i], &hints[i], (enum vantage)vantages[msgs[i].rec->origin]);
}

void windows_absorb(struct windows *ws, struct windows *from, struct cert_notes *notes)
{
    ws->unlimited = true; /* `from` had its limit */
    for (unsigned i = 0; i < from->n_open; i++) {
        struct window *w = from->open[i].w;
        struct window *into = open_at(ws, window_start_s(w));
        if (into != NULL) {
            window_cert_facts(w, notes);
            window_merge(into, w);
        }
        window_free(w);
        from->open[i].w = NULL;
    }
    from->n_open = 0;
    from->last = NULL;
    if (from->failed)
        fail(ws, &from->err);
}

static int by_start(const void *a, const void *b)
{
    uint64_t x = window_start_s(*(struct window *const *)a);
    uint64_t y = window_start_s(*(struct window *const *)b);
    return (x > y) - (x < y);
}

struct window *const *windows_open(struct windows *ws, unsigned *n)
{
    *n = 0;
    for (unsigned i = 0; i < ws->n_open; i++)
        if (!window_empty(ws->open[i].w))
            ws->sorted[(*n)++] = ws->open[i].w;
    if (*n > 1)
        qsort(ws->sorted, *n, sizeof(struct window *), by_start);
    return ws->sorted;
}

bool windows_failed(const struct windows *ws, struct err *e)
{
    if (ws->failed)
        *e = ws->err;
    return ws->failed;
}
