#include "summary/rowtab.h"

#include "core/arena.h"

#include <assert.h>

enum { BUCKETS_FIRST = 128 };

bool rowtab_new(struct rowtab *t, uint32_t limit, uint32_t row_size, uint32_t key_at,
                uint32_t key_len, enum arena_use use, struct err *e)
{
    assert(key_len % 4 == 0 && row_size % 8 == 0);
    uint32_t buckets = BUCKETS_FIRST;
    while (buckets < (uint64_t)limit / 5 && buckets < UINT32_C(1) << 28)
        buckets *= 2;
    *t = (struct rowtab){.row_size = row_size,
                         .key_at = key_at,
                         .key_len = key_len,
                         .limit = limit,
                         .mask = BUCKETS_FIRST - 1,
                         .mask_max = buckets - 1};
    t->rows = arena_new((size_t)limit * row_size, use, e);
    t->index = t->rows != NULL ? arena_new((size_t)buckets * sizeof *t->index, use, e) : NULL;
    t->tags = t->index != NULL ? arena_new((size_t)limit * sizeof *t->tags, ARENA_COLD, e) : NULL;
    t->hashes =
        t->tags != NULL ? arena_new((size_t)limit * sizeof *t->hashes, ARENA_COLD, e) : NULL;
    t->heap = t->hashes != NULL ? arena_new((size_t)limit * sizeof *t->heap, ARENA_COLD, e) : NULL;
    if (t->heap == NULL) {
        rowtab_free(t);
        return false;
    }
    return true;
}

void rowtab_free(struct rowtab *t)
{
    arena_free(t->rows, (size_t)t->limit * t->row_size);
    arena_free(t->index, ((size_t)t->mask_max + 1) * sizeof *t->index);
    arena_free(t->tags, (size_t)t->limit * sizeof *t->tags);
    arena_free(t->hashes, (size_t)t->limit * sizeof *t->hashes);
    arena_free(t->heap, (size_t)t->limit * sizeof *t->heap);
    *t = (struct rowtab){0};
}

void rowtab_clear(struct rowtab *t)
{
    if (t->n > 0)
        memset(t->index, 0, ((size_t)t->mask + 1) * sizeof *t->index);
    if (t->n < BUCKETS_FIRST * ROWTAB_SLOTS / 2) /* a quiet window needs no large index */
        t->mask = BUCKETS_FIRST - 1;
    t->n = t->hashed = 0;
    t->heaped = false;
}

void *rowtab_find(const struct rowtab *t, uint32_t tag, const void *key)
{
    for (uint32_t i = tag & t->mask;; i = (i + 1) & t->mask) {
        const struct rowtab_bucket *b = &t->index[i];
        for (unsigned match = match_eight(b->tag, tag); match != 0; match &= match - 1) {
            uint32_t number = b->row[__builtin_ctz(match)];
            if (number == 0) /* a free slot has tag 0 */
                continue;
            uint8_t *row = rowtab_at(t, number - 1);
            if (rowtab_key_equal(row + t->key_at, key, t->key_len))
                return row;
        }
        if (b->row[ROWTAB_SLOTS - 1] == 0)
            return NULL;
    }
}

static void index_put(struct rowtab *t, uint32_t tag, uint32_t row)
{
    uint32_t i = tag & t->mask;
    unsigned unused;
    while ((unused = match_eight(t->index[i].row, 0)) == 0)
        i = (i + 1) & t->mask;
    t->index[i].tag[__builtin_ctz(unused)] = tag;
    t->index[i].row[__builtin_ctz(unused)] = row + 1;
}

/* The last slot in use takes the place of slot `s`. Was the bucket full? */
static bool slot_drop(struct rowtab_bucket *b, unsigned s)
{
    unsigned unused = match_eight(b->row, 0);
    unsigned last = (unused != 0 ? (unsigned)__builtin_ctz(unused) : ROWTAB_SLOTS) - 1;
    b->tag[s] = b->tag[last];
    b->row[s] = b->row[last];
    b->tag[last] = b->row[last] = 0;
    return unused == 0;
}

/* A slot of bucket `at` whose row belongs to bucket `gap` or one before it, or ROWTAB_SLOTS. */
static unsigned slot_from(const struct rowtab *t, uint32_t at, uint32_t gap)
{
    const struct rowtab_bucket *b = &t->index[at];
    for (unsigned s = 0; s < ROWTAB_SLOTS && b->row[s] != 0; s++)
        if (((at - b->tag[s]) & t->mask) >= ((at - gap) & t->mask))
            return s;
    return ROWTAB_SLOTS;
}

/* Takes a row's slot away. A bucket that was full and now is not gets a row back that had to go
 * further, so that no search stops short. */
static void index_drop(struct rowtab *t, uint32_t tag, uint32_t row)
{
    uint32_t gap = tag & t->mask;
    unsigned match;
    while ((match = match_eight(t->index[gap].row, row + 1)) == 0)
        gap = (gap + 1) & t->mask;
    if (!slot_drop(&t->index[gap], (unsigned)__builtin_ctz(match)))
        return;
    for (uint32_t i = (gap + 1) & t->mask;; i = (i + 1) & t->mask) {
        struct rowtab_bucket *b = &t->index[i], *to = &t->index[gap];
        unsigned s = slot_from(t, i, gap);
        bool full = b->row[ROWTAB_SLOTS - 1] != 0;
        if (s < ROWTAB_SLOTS) {
            to->tag[ROWTAB_SLOTS - 1] = b->tag[s];
            to->row[ROWTAB_SLOTS - 1] = b->row[s];
            slot_drop(b, s);
            gap = i;
        }
        if (!full)
            return;
    }
}

static void index_grow(struct rowtab *t)
{
    memset(t->index, 0, ((size_t)t->mask + 1) * sizeof *t->index);
    t->mask = t->mask * 2 + 1;
    for (uint32_t i = 0; i < t->n; i++)
        index_put(t, t->tags[i], i);
}

static void heap_down(struct rowtab *t, uint32_t at)
{
    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child >= t->n)
            return;
        if (child + 1 < t->n
            && rowtab_hash_at(t, t->heap[child + 1]) > rowtab_hash_at(t, t->heap[child]))
            child++;
        if (rowtab_hash_at(t, t->heap[child]) <= rowtab_hash_at(t, t->heap[at]))
            return;
        uint32_t swap = t->heap[at];
        t->heap[at] = t->heap[child];
        t->heap[child] = swap;
        at = child;
    }
}

static void heap_build(struct rowtab *t)
{
    for (uint32_t i = 0; i < t->n; i++)
        t->heap[i] = i;
    for (uint32_t i = t->n / 2; i-- > 0;)
        heap_down(t, i);
    t->heaped = true;
}

bool rowtab_refuses(const struct rowtab *t, uint64_t hash)
{
    if (t->n < t->limit)
        return false;
    return t->limit == 0
           || hash > rowtab_hash_at(t, t->heap[0]); /* equal: it may be that very row */
}

void *rowtab_insert(struct rowtab *t, uint32_t tag, uint64_t hash, const void *key,
                    void (*leave)(void *ctx, void *row), void *ctx)
{
    uint32_t at = t->n;
    bool waits = rowtab_hash_waits(t);
    if (t->n == t->limit) {
        at = t->heap[0];
        leave(ctx, rowtab_at(t, at));
        index_drop(t, t->tags[at], at);
    } else {
        if (t->n / 5 > t->mask && t->mask < t->mask_max)
            index_grow(t);
        t->n++;
    }
    uint8_t *row = rowtab_at(t, at);
    memcpy(row + t->key_at, key, t->key_len);
    t->tags[at] = tag;
    if (!waits)
        t->hashes[at] = hash;
    index_put(t, tag, at);
    if (t->heaped)
        heap_down(t, 0);
    else if (t->n == t->limit)
        heap_build(t);
    return row;
}

void *rowtab_replace(struct rowtab *t, uint32_t at, uint32_t tag, const void *key)
{
    uint8_t *row = rowtab_at(t, at);
    index_drop(t, t->tags[at], at);
    memcpy(row + t->key_at, key, t->key_len);
    t->tags[at] = tag;
    index_put(t, tag, at);
    return row;
}
