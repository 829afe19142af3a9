#include "decoders/tcp_table.h"

#include "core/arena.h"
#include "core/hash.h"

enum {
    BUCKETS_FIRST = 1024,
    PROBES_MAX = 16, /* buckets looked at before a place is refused */
    HAND_STEPS = 64, /* of the clock, a victim */
};

/* Every size that the index may have has its own place: it grows without room for a copy. */
static size_t buckets_bytes(const struct tcp_table *t)
{
    return 2 * ((size_t)t->mask_max + 1) * sizeof *t->buckets;
}

static struct tcp_bucket *buckets_of(const struct tcp_table *t, uint32_t mask)
{
    return t->all_buckets + mask; /* 4 + 8 + ... before it, rounded up */
}

bool tcp_table_init(struct tcp_table *t, uint32_t max, uint64_t seed, struct err *e)
{
    uint32_t n = 4;
    while (n < max / 4) /* seven places for four connections at most */
        n *= 2;
    *t = (struct tcp_table){.max = max, .mask_max = n - 1};
    t->mask = t->mask_max < BUCKETS_FIRST - 1 ? t->mask_max : BUCKETS_FIRST - 1;
    for (uint64_t i = 0; i < sizeof t->secret / sizeof *t->secret; i++)
        t->secret[i] = hash_bytes(&i, sizeof i, seed);
    t->flows = arena_new(((size_t)max + 1) * sizeof *t->flows, ARENA_HOT, e);
    t->all_buckets = t->flows == NULL ? NULL : arena_new(buckets_bytes(t), ARENA_HOT, e);
    if (t->all_buckets == NULL) {
        tcp_table_end(t);
        return false;
    }
    t->buckets = buckets_of(t, t->mask);
    return true;
}

void tcp_table_end(struct tcp_table *t)
{
    arena_free(t->flows, ((size_t)t->max + 1) * sizeof *t->flows);
    arena_free(t->all_buckets, buckets_bytes(t));
    t->flows = NULL;
    t->buckets = t->all_buckets = NULL;
}

/* The bucket by the first 32 bits of the hash. */
static struct tcp_bucket *home(const struct tcp_table *t, uint32_t hash)
{
    return &t->buckets[hash & t->mask];
}

static struct tcp_bucket *next_bucket(const struct tcp_table *t, const struct tcp_bucket *b)
{
    return &t->buckets[((uint32_t)(b - t->buckets) + 1) & t->mask];
}

void tcp_table_peek(const struct tcp_table *t, struct tcp_id *id)
{
    const struct tcp_bucket *b = home(t, (uint32_t)id->hash);
    uint32_t tag = (uint32_t)(id->hash >> 32);
    unsigned match = tcp_bucket_match(b, tag);
    id->slot = match != 0 ? b->slot[__builtin_ctz(match)] : 0;
    __builtin_prefetch(&t->flows[id->slot], 1);
}

uint32_t tcp_table_search(const struct tcp_table *t, const struct tcp_id *id)
{
    const struct tcp_bucket *b = home(t, (uint32_t)id->hash);
    uint32_t tag = (uint32_t)(id->hash >> 32);
    for (int probe = 0; probe < PROBES_MAX; probe++) {
        for (unsigned match = tcp_bucket_match(b, tag); match != 0; match &= match - 1) {
            uint32_t slot = b->slot[__builtin_ctz(match)];
            if (slot != 0 && tcp_table_is(t, slot, id))
                return slot;
        }
        if (b->past == 0)
            return 0;
        b = next_bucket(t, b);
    }
    return 0;
}

static bool index_add(struct tcp_table *t, uint64_t hash, uint32_t slot)
{
    struct tcp_bucket *first = home(t, (uint32_t)hash), *b = first;
    for (int probe = 0; probe < PROBES_MAX; probe++) {
        for (int i = 0; i < BUCKET_SLOTS; i++)
            if (b->slot[i] == 0) {
                b->tag[i] = (uint32_t)(hash >> 32);
                b->slot[i] = slot;
                for (; first != b; first = next_bucket(t, first))
                    first->past++;
                return true;
            }
        b = next_bucket(t, b);
    }
    return false;
}

/* Twice as many buckets, so that a quiet network's index stays in the cache. Touches every
 * connection: amortised, a few steps for each that was added. Where one finds no place (a crafted
 * pile-up) all stays as it is, for good. */
static void index_grow(struct tcp_table *t)
{
    struct tcp_bucket *old = t->buckets;
    uint32_t n = t->mask + 1;
    t->mask = 2 * n - 1;
    t->buckets = buckets_of(t, t->mask);
    memset(t->buckets, 0, 2 * (size_t)n * sizeof *t->buckets);
    for (uint32_t b = 0; b < n; b++)
        for (int i = 0; i < BUCKET_SLOTS; i++) {
            uint32_t slot = old[b].slot[i];
            if (slot == 0
                || index_add(t, (uint64_t)old[b].tag[i] << 32 | t->flows[slot].hash, slot))
                continue;
            t->mask = n - 1;
            t->buckets = old;
            t->stuck = true;
            return;
        }
}

static void index_drop(struct tcp_table *t, uint32_t hash, uint32_t slot)
{
    struct tcp_bucket *b = home(t, hash);
    for (int probe = 0; probe < PROBES_MAX; probe++) {
        for (int i = 0; i < BUCKET_SLOTS; i++)
            if (b->slot[i] == slot) {
                b->slot[i] = 0;
                return;
            }
        b->past--;
        b = next_bucket(t, b);
    }
    assert(!"a slot in use stands in the index");
}

uint32_t tcp_table_victim(struct tcp_table *t)
{
    if (t->n < t->max)
        return 0;
    while (t->closed_head != 0) {
        uint32_t slot = t->closed_head;
        struct flow *f = &t->flows[slot];
        t->closed_head = f->link;
        if (t->closed_head == 0)
            t->closed_tail = 0;
        f->flags &= (uint16_t)~FLOW_IN_CLOSED;
        if (f->flags & FLOW_CLOSED)
            return slot;
    }
    for (int step = 0;; step++) {
        t->hand = t->hand >= t->max ? 1 : t->hand + 1;
        struct flow *f = &t->flows[t->hand];
        if ((f->flags & FLOW_AGAIN) == 0 || step == HAND_STEPS)
            return t->hand;
        f->flags &= (uint16_t)~FLOW_AGAIN;
    }
}

uint32_t tcp_table_add(struct tcp_table *t, const struct tcp_id *id)
{
    assert(t->n < t->max);
    uint32_t slot = t->free_head != 0 ? t->free_head : t->top + 1;
    if (t->n > 4 * t->mask && t->mask < t->mask_max && !t->stuck)
        index_grow(t);
    if (!index_add(t, id->hash, slot))
        return 0;
    struct flow *f = &t->flows[slot];
    if (t->free_head != 0)
        t->free_head = f->link;
    else
        t->top++;
    t->n++;
    __builtin_prefetch(&t->flows[t->free_head != 0 ? t->free_head : t->top + 1], 1); /* the next */
    *f =
        (struct flow){.who = id->who, .hash = (uint32_t)id->hash, .flags = flow_flags_new(id->who)};
    return slot;
}

static void drop(struct tcp_table *t, uint32_t slot)
{
    struct flow *f = &t->flows[slot];
    index_drop(t, f->hash, slot);
    f->flags = 0;
    f->link = t->free_head;
    t->free_head = slot;
    t->n--;
}

void tcp_table_drop(struct tcp_table *t, uint32_t slot)
{
    assert((t->flows[slot].flags & (FLOW_USED | FLOW_IN_CLOSED)) == FLOW_USED);
    drop(t, slot);
}

/* Starts over, so that the next context is as compact as the first. */
static void clear(struct tcp_table *t)
{
    t->n = t->top = t->free_head = t->hand = 0;
    t->closed_head = t->closed_tail = 0;
    if (t->mask >= BUCKETS_FIRST)
        t->mask = BUCKETS_FIRST - 1;
    t->buckets = buckets_of(t, t->mask);
    t->stuck = false;
    memset(t->buckets, 0, ((size_t)t->mask + 1) * sizeof *t->buckets);
}

static bool is_of(const struct flow *f, uint16_t origin)
{
    return f->flags & FLOW_USED && flow_origin(f) == origin;
}

/* Takes those of `origin` out of the list of closed ones. */
static void forget_closed(struct tcp_table *t, uint16_t origin)
{
    uint32_t kept = 0;
    for (uint32_t at = t->closed_head, next; at != 0; at = next) {
        struct flow *f = &t->flows[at];
        next = f->link;
        if (flow_origin(f) == origin)
            continue;
        if (kept != 0)
            t->flows[kept].link = at;
        else
            t->closed_head = at;
        kept = at;
    }
    t->closed_tail = kept;
    if (kept != 0)
        t->flows[kept].link = 0;
    else
        t->closed_head = 0;
}

void tcp_table_forget(struct tcp_table *t, uint16_t origin)
{
    uint32_t n = 0;
    for (uint32_t slot = 1; slot <= t->top; slot++)
        n += is_of(&t->flows[slot], origin);
    if (n == t->n) {
        clear(t);
        return;
    }
    forget_closed(t, origin);
    for (uint32_t slot = 1; slot <= t->top; slot++)
        if (is_of(&t->flows[slot], origin))
            drop(t, slot);
}

void tcp_table_closed(struct tcp_table *t, uint32_t slot)
{
    struct flow *f = &t->flows[slot];
    if (f->flags & FLOW_IN_CLOSED)
        return;
    f->flags |= FLOW_IN_CLOSED;
    f->link = 0;
    if (t->closed_tail != 0)
        t->flows[t->closed_tail].link = slot;
    else
        t->closed_head = slot;
    t->closed_tail = slot;
}
