#include "summary/rowtab.h"

#include "core/arena.h"

#include <assert.h>

enum { SLOTS_FIRST = 1024 };

bool rowtab_new(struct rowtab *t, uint32_t limit, uint32_t row_size, uint32_t key_at,
                uint32_t key_len, enum arena_use use, struct err *e)
{
    assert(key_len % 4 == 0 && row_size % 8 == 0);
    uint32_t slots = SLOTS_FIRST;
    while (slots < (uint64_t)limit * 8 / 5 && slots < UINT32_C(1) << 31)
        slots *= 2;
    *t = (struct rowtab){.row_size = row_size,
                         .key_at = key_at,
                         .key_len = key_len,
                         .limit = limit,
                         .mask = SLOTS_FIRST - 1,
                         .mask_max = slots - 1};
    t->rows = arena_new((size_t)limit * row_size, use, e);
    t->index = t->rows != NULL ? arena_new((size_t)slots * sizeof *t->index, use, e) : NULL;
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
    if (t->n < SLOTS_FIRST / 2) /* a quiet window needs no large index */
        t->mask = SLOTS_FIRST - 1;
    t->n = t->hashed = 0;
    t->heaped = false;
}

static uint32_t slot_tag(uint64_t slot)
{
    return (uint32_t)(slot >> 32);
}

static uint32_t slot_row(uint64_t slot)
{
    return (uint32_t)slot - 1;
}

void *rowtab_find(const struct rowtab *t, uint32_t tag, const void *key)
{
    for (uint32_t i = tag & t->mask; t->index[i] != 0; i = (i + 1) & t->mask) {
        if (slot_tag(t->index[i]) != tag)
            continue;
        uint8_t *row = rowtab_at(t, slot_row(t->index[i]));
        if (rowtab_key_equal(row + t->key_at, key, t->key_len))
            return row;
    }
    return NULL;
}

static void index_put(struct rowtab *t, uint32_t tag, uint32_t row)
{
    uint32_t i = tag & t->mask;
    while (t->index[i] != 0)
        i = (i + 1) & t->mask;
    t->index[i] = (uint64_t)tag << 32 | (row + 1);
}

/* Takes a row's slot away and closes the gap, so that no probe stops short. */
static void index_drop(struct rowtab *t, uint32_t tag, uint32_t row)
{
    uint32_t gap = tag & t->mask;
    while (slot_row(t->index[gap]) != row)
        gap = (gap + 1) & t->mask;
    for (uint32_t i = (gap + 1) & t->mask; t->index[i] != 0; i = (i + 1) & t->mask) {
        uint32_t home = slot_tag(t->index[i]) & t->mask;
        if (((i - home) & t->mask) >= ((i - gap) & t->mask)) {
            t->index[gap] = t->index[i];
            gap = i;
        }
    }
    t->index[gap] = 0;
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
        if (t->n > t->mask / 8 * 5 && t->mask < t->mask_max)
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
