/* What dns_match.c and ntp_pair.c have in common: entries in a ring, found by a hash index, reused
 * oldest first.
 *
 * The ring begins small and doubles, up to its limit, whenever its owner says that the oldest entry
 * is still needed: so what is found does not depend on other flows unless the limit is hit, and a
 * quiet network's state stays in the cache. The index holds for each bucket the number of its
 * youngest entry, each entry the number of the next older one: numbers of entries that are gone are
 * too old to be valid, so nothing needs unlinking when it is overwritten. */
#pragma once
#include "core/addr.h"
#include "core/err.h"

enum { FIFO_BUCKETS = 4 /* an entry: most buckets that are looked up for nothing are empty */ };

/* 96 bits of a seeded hash: what it is of need not be kept. */
struct fifo_key {
    uint32_t w[3]; /* w[0] chooses the bucket */
};

/* A packet's key, hashed once: when hints are given to the cache, for when the packet is decoded.
 */
struct fifo_ahead {
    struct fifo_key key;
    uint8_t proto; /* whose key: PROTO_DNS, PROTO_NTP, or PROTO_NONE */
    uint8_t what;  /* the owner's */
};

struct fifo_entry {
    struct fifo_key key;
    uint32_t older;      /* number of the next older entry of the bucket */
    uint16_t generation; /* low bits of its origin's when it was made: others now mean that it is
                            forgotten */
    uint16_t origin;
    union { /* its owner's */
        uint16_t own[2];
        uint32_t own_word;
    };
};
static_assert(sizeof(struct fifo_entry) == 24, "owners' entries divide or fill cache lines");

enum { FIFO_SECRETS = 6 };

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
    uint32_t head_mask;  /* buckets now - 1 */
    uint32_t limit_mask; /* what it may grow to */
    uint32_t newest;     /* number of the youngest entry; they count from 1 and may wrap */
    uint32_t n;          /* entries in the ring */
    uint64_t secret[FIFO_SECRETS];
};

/* Reserves memory for `max` entries, rounded up to a power of two, of `entry_size` bytes that begin
 * with a struct fifo_entry. Pages cost nothing until they are used. `seed`: of all hashes. */
MUST_CHECK bool fifo_init(struct fifo *f, uint32_t max, size_t entry_size, uint64_t seed,
                          struct err *e);
void fifo_end(struct fifo *f);

/* Doubles the ring; false at its limit. Touches every entry: amortised, a few steps for each entry
 * made. */
bool fifo_grow(struct fifo *f);

/* The step that hashes here are made of: both halves of the 128-bit product, and the factors, for
 * one of them may be 0. */
static inline uint64_t fifo_fold(uint64_t a, uint64_t b)
{
    unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64) ^ a ^ b;
}

/* A site's number, spread over a word of a key: the same addresses are in many homes. */
static inline uint64_t fifo_site(uint64_t site)
{
    return site * UINT64_C(0x9e3779b97f4a7c15);
}

/* The key of what `client` asks `server`, with 128 bits of whatever else tells exchanges apart:
 * they are mixed into hashes of the addresses, which nobody knows without the seed. Every packet
 * needs one: hashing a struct of it all as bytes took five times as long. */
static inline struct fifo_key fifo_key_of(const struct fifo *f, const struct addr *client,
                                          const struct addr *server, uint64_t a, uint64_t b)
{
    const uint64_t *secret = f->secret;
    uint64_t c[2], s[2];
    memcpy(c, client->b, sizeof c);
    memcpy(s, server->b, sizeof s);
    uint64_t x = fifo_fold(c[0] ^ secret[0], c[1] ^ secret[1]);
    uint64_t y = fifo_fold(s[0] ^ secret[2], s[1] ^ secret[3]);
    x ^= a;
    y ^= b;
    uint64_t low = fifo_fold(x, y);
    return (struct fifo_key){{(uint32_t)low, (uint32_t)(low >> 32), (uint32_t)((x + y) >> 32)}};
}

static inline uint32_t *fifo_head(const struct fifo *f, uint32_t bucket)
{
    return &f->heads[bucket & f->head_mask];
}

static inline struct fifo_entry *fifo_at(const struct fifo *f, uint32_t number)
{
    return (struct fifo_entry *)(void *)(f->entries + (number & f->mask) * f->entry_size);
}

/* The youngest entry in the bucket of `key` (of this key or another), or NULL. Sets its number. */
static inline struct fifo_entry *fifo_first(const struct fifo *f, struct fifo_key key,
                                            uint32_t *number)
{
    *number = *fifo_head(f, key.w[0]);
    return f->newest - *number < f->n ? fifo_at(f, *number) : NULL;
}

/* The next older one than `e`, whose number is `*number`, or NULL. Ages only rise on the way, so it
 * ends even where numbers have wrapped. */
static inline struct fifo_entry *fifo_next(const struct fifo *f, const struct fifo_entry *e,
                                           uint32_t *number)
{
    uint32_t age = f->newest - *number, older_age = f->newest - e->older;
    *number = e->older;
    return older_age > age && older_age < f->n ? fifo_at(f, e->older) : NULL;
}

static inline bool fifo_is(const struct fifo_entry *e, struct fifo_key key)
{
    uint64_t a, b;
    memcpy(&a, e->key.w, sizeof a);
    memcpy(&b, key.w, sizeof b);
    return a == b && e->key.w[2] == key.w[2];
}

/* Hints to the cache, the second some packets after the first: of an entry's first line, and where
 * that is, for more of it, or NULL. Always inline: gcc takes a function
 * that does nothing but prefetch for one without effect, and drops the calls. */
static CUR_INLINE void fifo_prefetch_head(const struct fifo *f, uint32_t bucket)
{
    __builtin_prefetch(fifo_head(f, bucket), 1);
}

static CUR_INLINE const uint8_t *fifo_prefetch_entry(const struct fifo *f, uint32_t bucket)
{
    uint32_t number = *fifo_head(f, bucket);
    if (f->newest - number >= f->n)
        return NULL;
    const uint8_t *e = f->entries + (number & f->mask) * f->entry_size;
    __builtin_prefetch(e, 1);
    return e;
}

/* The entry that the next fifo_make overwrites, or NULL while there is room. */
static inline struct fifo_entry *fifo_victim(const struct fifo *f)
{
    return f->n > f->mask ? fifo_at(f, f->newest + 1) : NULL;
}

static inline bool fifo_forgotten(const struct fifo *f, const struct fifo_entry *e)
{
    return (uint16_t)f->origins[e->origin].generation != e->generation;
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
        *fifo_head(f, e->key.w[0]) = e->older;
    e->generation = (uint16_t)(f->origins[e->origin].generation - 1);
}

/* A new entry under `key`; what follows the struct fifo_entry is as it was left: the owner fills
 * it. */
static inline struct fifo_entry *fifo_make(struct fifo *f, struct fifo_key key, uint16_t origin)
{
    uint32_t *head = fifo_head(f, key.w[0]);
    uint32_t number = ++f->newest;
    struct fifo_entry *e = fifo_at(f, number);
    if (f->n <= f->mask)
        f->n++;
    e->key = key;
    e->older = *head;
    e->generation = (uint16_t)f->origins[origin].generation;
    e->origin = origin;
    *head = number;
    return e;
}
