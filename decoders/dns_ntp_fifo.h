/* What dns_match.c and ntp_pair.c have in common: entries in a ring, found by a hash index, reused
 * oldest first.
 *
 * The ring begins small and doubles, up to its limit, whenever its owner says that the oldest entry
 * is still needed: so what is found does not depend on other flows unless the limit is hit, and a
 * quiet network's state stays in the cache. The index holds for each bucket the number of its
 * youngest entry, each entry the number of the next older one: numbers of entries that are gone are
 * too old to be valid, so nothing needs unlinking when it is overwritten. */
#pragma once
#include "core/err.h"

enum { FIFO_BUCKETS = 4 /* an entry: most buckets that are looked up for nothing are empty */ };

struct fifo_entry {
    uint64_t key[2];     /* 128-bit hash */
    uint32_t number;     /* its own */
    uint32_t older;      /* number of the next older entry of the bucket */
    uint32_t generation; /* of its origin when it was made: another one now means it is forgotten */
    uint16_t origin;
};

struct fifo_origin {
    uint32_t generation;
    uint64_t dropped_ns; /* for the owner: the latest time of entries that had to go */
};

struct fifo {
    uint8_t *entries;
    uint32_t *heads;             /* by key: number of the youngest entry */
    struct fifo_origin *origins; /* by origin */
    size_t entry_size;
    uint32_t mask;       /* capacity now - 1 */
    uint32_t limit_mask; /* what it may grow to */
    uint32_t newest;     /* number of the youngest entry; they count from 1 and may wrap */
    uint32_t n;          /* entries in the ring */
};

/* Reserves memory for `max` entries, rounded up to a power of two, of `entry_size` bytes that begin
 * with a struct fifo_entry. Pages cost nothing until they are used. */
MUST_CHECK bool fifo_init(struct fifo *f, uint32_t max, size_t entry_size, struct err *e);
void fifo_end(struct fifo *f);

/* Doubles the ring; false at its limit. Touches every entry: amortised, a few steps for each entry
 * made. */
bool fifo_grow(struct fifo *f);

static inline uint32_t *fifo_head(const struct fifo *f, const uint64_t key[2])
{
    return &f->heads[key[0] & (FIFO_BUCKETS * (uint64_t)(f->mask + 1) - 1)];
}

static inline struct fifo_entry *fifo_at(const struct fifo *f, uint32_t number)
{
    return (struct fifo_entry *)(void *)(f->entries + (number & f->mask) * f->entry_size);
}

/* The youngest entry in the bucket of `key` (of this key or another), or NULL. */
static inline struct fifo_entry *fifo_first(const struct fifo *f, const uint64_t key[2])
{
    uint32_t number = *fifo_head(f, key);
    return f->newest - number < f->n ? fifo_at(f, number) : NULL;
}

/* The next older one, or NULL. Ages only rise on the way, so it ends even where numbers have
 * wrapped. */
static inline struct fifo_entry *fifo_next(const struct fifo *f, const struct fifo_entry *e)
{
    uint32_t age = f->newest - e->number, older_age = f->newest - e->older;
    return older_age > age && older_age < f->n ? fifo_at(f, e->older) : NULL;
}

static inline bool fifo_is(const struct fifo_entry *e, const uint64_t key[2])
{
    return e->key[0] == key[0] && e->key[1] == key[1];
}

/* The entry that the next fifo_make overwrites, or NULL while there is room. */
static inline struct fifo_entry *fifo_victim(const struct fifo *f)
{
    return f->n > f->mask ? fifo_at(f, f->newest + 1) : NULL;
}

static inline bool fifo_forgotten(const struct fifo *f, const struct fifo_entry *e)
{
    return f->origins[e->origin].generation != e->generation;
}

static inline void fifo_origin_end(struct fifo *f, uint16_t origin)
{
    f->origins[origin].generation++;
    f->origins[origin].dropped_ns = 0;
}

/* Takes `e` out of its bucket, where `younger` (NULL: none) comes before it, and makes it
 * forgotten. */
static inline void fifo_unlink(struct fifo *f, struct fifo_entry *younger, struct fifo_entry *e)
{
    if (younger != NULL)
        younger->older = e->older;
    else
        *fifo_head(f, e->key) = e->older;
    e->generation = f->origins[e->origin].generation - 1;
}

/* A new entry under `key`; what follows the struct fifo_entry is as it was left: the owner fills
 * it. */
static inline struct fifo_entry *fifo_make(struct fifo *f, const uint64_t key[2], uint16_t origin)
{
    uint32_t *head = fifo_head(f, key);
    uint32_t number = ++f->newest;
    struct fifo_entry *e = fifo_at(f, number);
    if (f->n <= f->mask)
        f->n++;
    e->key[0] = key[0];
    e->key[1] = key[1];
    e->number = number;
    e->older = *head;
    e->generation = f->origins[origin].generation;
    e->origin = origin;
    *head = number;
    return e;
}
