/* What a window is made of: for the files of this folder only. */
#pragma once
#include "core/hash.h"
#include "summary/answer_sets.h"
#include "summary/pool.h"
#include "summary/rowtab.h"
#include "summary/strings.h"
#include "summary/talks.h"
#include "summary/window.h"

enum { SEEN_HOSTS = 1024, SITES_MAX = 4096, OFTEN = 512 };

/* A count that its tally row lacks. */
struct often {
    uint32_t family, code;
    uint64_t count; /* 0: the place is free */
};

struct window {
    const struct config *config;
    uint64_t secret;                    /* of rowtab_mix */
    const struct window_stores *stores; /* of all windows of the worker; NULL: none */
    uint64_t start_s, length_s, start_ns, slot_ns;
    unsigned slot; /* coverage slot of the last packet, and when it began after start_ns */
    uint64_t slot_from_ns;
    bool filled;
    bool keeps;         /* its memory: window_keep */
    uint32_t sensor;    /* string */
    struct talks talks; /* not in the rows yet */
    struct rowtab tabs[ROW_KIND_N];
    uint8_t *zero[ROW_KIND_N];  /* a row of each kind with the zero of each value */
    uint8_t *other[ROW_KIND_N]; /* what a full table turned away, summed */
    bool has_other[ROW_KIND_N];
    struct strings strings;
    struct pool hists, few, sets, small, large;
    struct totals totals;
    struct often often[OFTEN]; /* see tally_often */
    struct answer_sets answer_sets;
    bool unsettled;                  /* anything in answer_sets: see dns_settle */
    uint64_t seen_hosts[SEEN_HOSTS]; /* hashes lately added to totals.hosts: spares the sketch */
    struct {
        uint64_t id;
        char name[CONFIG_NAME_LEN];
    } * sites;
    unsigned n_sites;
    void **sorted; /* of window_rows */
    size_t sorted_cap;
};

/* Hash of a key: its bytes with string ids left out, then the contents of its strings. It decides
 * which rows a full table keeps, on every machine alike. */
uint64_t key_hash(const struct window *w, enum row_kind kind, const void *key);

/* That of row `i`. */
uint64_t row_hash(const struct window *w, enum row_kind kind, uint32_t i);

/* The same of a client's row, for whom it stands in other rows. */
static inline uint64_t client_hash(const struct window *w, const struct client *client)
{
    return hash_bytes(client, sizeof *client, w->config->seed);
}

/* What a row is found by: cheaper, and this window's own. Of a key without strings: */
static inline uint32_t key_tag(const struct window *w, const void *key, uint32_t len)
{
    return rowtab_tag(rowtab_mix(w->secret, key, len));
}
/* Keys have up to three strings; of three, the second and the third stand as one. */
static inline uint64_t text_pair(uint64_t second, uint64_t third)
{
    return second ^ (third << 29 | third >> 35);
}
/* Of one with strings whose contents hash to s1, s2 (0: absent), in field order. The key's string
 * ids are 0. */
static inline uint32_t key_tag_strings(const struct window *w, const void *key, uint32_t len,
                                       uint64_t s1, uint64_t s2)
{
    return rowtab_tag(rowtab_fold(rowtab_mix(w->secret, key, len) ^ s1, ~s2));
}
/* Of any, from its ids. */
uint32_t key_tag_any(const struct window *w, enum row_kind kind, const void *key);

/* The row with this key (the key part alone), made if need be, or the `other` row. `tag`: that of
 * the key. */
void *row_of(struct window *w, enum row_kind kind, uint32_t tag, const void *key);

/* The same where no row has this key. */
void *row_make(struct window *w, enum row_kind kind, uint32_t tag, const void *key);

/* Would a new row with this key and strings be turned away? Asked before its strings are interned;
 * the key's string ids are 0. */
bool row_refused(const struct window *w, enum row_kind kind, const void *key, uint64_t s1,
                 uint64_t s2);

static inline uint32_t row_number(const struct window *w, enum row_kind kind, const void *row)
{
    return rowtab_number(&w->tabs[kind], row, w->tabs[kind].row_size);
}

/* Where the packet of a message was folded: the link of that side's talk, as good a guess as any.
 */
static inline uint32_t *link_of(const struct window *w, const struct rec *rec, int side)
{
    uint32_t at = rec->note[side];
    const struct rowtab *t = &w->talks.tab;
    return &((struct talk *)(void *)t->rows)[at < t->n ? at : 0].key.link;
}

/* As window_other, but of the rows as they are. */
static inline void *row_other(const struct window *w, enum row_kind kind)
{
    return w->has_other[kind] ? w->other[kind] : NULL;
}

/* Adds what DNS summed aside to the rows it belongs to: a part of window_settle. */
void dns_settle(struct window *w);
/* Of one of its rows alone: before it leaves. */
void dns_row_settle(struct window *w, struct row_dns *r);

void tally_add(struct window *w, enum tally family, uint32_t code, uint64_t count);

/* One with a name, and no code. `hash`: strings_hash of it. */
void tally_name(struct window *w, enum tally family, struct bytes name, uint64_t hash);

/* A place of w->often for another code: what it counted goes to its row. */
void tally_turn(struct window *w, struct often *o, enum tally family, uint32_t code);
/* All of them: a part of window_settle. */
void tally_settle(struct window *w);

/* As tally_add, of one without a name, of those that come with every message: they are summed
 * aside. */
static inline void tally_often(struct window *w, enum tally family, uint32_t code)
{
    struct often *o = &w->often[(code ^ (uint32_t)family << 5) % OFTEN];
    if (o->code != code || o->family != family || o->count == 0)
        tally_turn(w, o, family, code);
    o->count++;
}

/* Hints to the cache where `bucket` of a histogram is counted, which lies near. Always inline: see
 * fifo_prefetch_head. */
static inline __attribute__((always_inline)) void hist_prefetch(const struct window *w,
                                                                const struct hist *h, int bucket)
{
    if (h->block == 0)
        return;
    if (h->n == 0) {
        const struct hist_block *b = pool_at(&w->hists, h->block);
        __builtin_prefetch(&b->count[bucket + HIST_MAX], 1);
    } else {
        const struct hist_few *f = pool_at(&w->few, h->block);
        __builtin_prefetch(f, 1);
        __builtin_prefetch((const uint8_t *)f + 64, 1);
    }
}

/* A block of one of the window's pools, or 0: then it is counted. */
static inline uint32_t block_take(struct window *w, struct pool *pool)
{
    uint32_t block = pool_take(pool);
    w->totals.ledger.blocks_turned_away += block == 0;
    return block;
}

/* Gives back the blocks of a row that is gone or emptied. */
void row_blocks_give(struct window *w, enum row_kind kind, const void *row);

static inline const struct addr *side_addr(const struct rec *rec, int side)
{
    return &rec->addr[side];
}

/* May this side's rows say who it is? Of devices that are no gateway only counters are kept, unless
 * the scope says all. */
static inline bool side_visible(const struct window *w, const struct rec *rec, int side)
{
    uint8_t kind = rec->client[side].kind;
    return (kind == CLIENT_GATEWAY) | ((kind == CLIENT_HOST) & (w->config->scope == SCOPE_ALL));
}

/* The address of this side as the other one's rows may tell it: that of a home's device that is no
 * gateway is nobody's business. */
static inline const struct addr *peer_addr_at(const struct window *w, const struct rec *rec,
                                              int side)
{
    static const struct addr nobody;
    bool hidden = rec->client[side].kind == CLIENT_HOST && w->config->scope != SCOPE_ALL;
    return hidden ? &nobody : side_addr(rec, side);
}

static inline struct addr peer_addr(const struct window *w, const struct rec *rec, int side)
{
    return *peer_addr_at(w, rec, side);
}

/* The key part of a row: KEY(row_peer) key = {...}. */
#define KEY(row_type) typeof(((struct row_type *)0)->key)

struct row_coverage *coverage_row(struct window *w, const struct client *client,
                                  enum vantage vantage);
struct row_unattributed *unattributed_row(struct window *w, const struct rec *rec, uint8_t kind);

static inline uint32_t add32(uint32_t a, uint64_t b)
{
    return a + b > UINT32_MAX ? UINT32_MAX : (uint32_t)(a + b);
}

/* Counts as V_SUM32 merges: what sticks in a merge must stick here. */
static inline void count32(uint32_t *sum, uint32_t n)
{
    if (__builtin_add_overflow(*sum, n, sum))
        *sum = UINT32_MAX;
}
