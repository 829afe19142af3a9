/* Histograms of rows, which grow as their buckets become more: see struct hist. */
#include "summary/tables.h"

const struct hist_block *window_hist_block(const struct window *w, const struct hist *h)
{
    return h->block != 0 && h->n == 0 ? pool_at(&w->hists, h->block) : NULL;
}

struct hist_view window_hist_few(const struct window *w, const struct hist *h)
{
    const struct hist_few *f = h->n > HIST_INLINE ? pool_at(&w->few, h->block) : NULL;
    return f != NULL ? (struct hist_view){f->bucket, f->count, h->n}
                     : (struct hist_view){h->bucket, h->count, h->n};
}

/* The six inline buckets move to where there is room for more. */
static struct hist_few *hist_widen(struct window *w, struct hist *h)
{
    uint32_t block = block_take(w, &w->few);
    if (block == 0)
        return NULL;
    struct hist_few *f = pool_at(&w->few, block);
    memcpy(f->bucket, h->bucket, sizeof h->bucket);
    memcpy(f->count, h->count, sizeof h->count);
    h->block = block;
    return f;
}

/* All buckets move to a block with a place for each there is. */
static struct hist_block *hist_spread(struct window *w, struct hist *h)
{
    uint32_t block = block_take(w, &w->hists);
    if (block == 0)
        return NULL;
    struct hist_block *b = pool_at(&w->hists, block);
    struct hist_view v = window_hist_few(w, h);
    for (unsigned i = 0; i < v.n; i++)
        b->count[v.bucket[i] + HIST_MAX] = v.count[i];
    pool_give(&w->few, h->block);
    *h = (struct hist){.block = block};
    return b;
}

/* A bucket that has no place, or outgrows its count there. */
static __attribute__((noinline)) void hist_add_new(struct window *w, struct hist *h, int bucket,
                                                   uint32_t count)
{
    struct hist_few *f = h->n > HIST_INLINE ? pool_at(&w->few, h->block) : NULL;
    int8_t *buckets = f != NULL ? f->bucket : h->bucket;
    unsigned i = 0;
    while (i < h->n && buckets[i] < bucket)
        i++;
    bool found = i < h->n && buckets[i] == bucket;
    if (found || h->n == HIST_FEW || count > UINT16_MAX) {
        struct hist_block *b = hist_spread(w, h);
        if (b != NULL)
            b->count[bucket + HIST_MAX] = add32(b->count[bucket + HIST_MAX], count);
        return;
    }
    if (h->n == HIST_INLINE && (f = hist_widen(w, h)) == NULL)
        return;
    buckets = f != NULL ? f->bucket : h->bucket;
    uint16_t *counts = f != NULL ? f->count : h->count;
    memmove(buckets + i + 1, buckets + i, (h->n - i) * sizeof *buckets);
    memmove(counts + i + 1, counts + i, (h->n - i) * sizeof *counts);
    buckets[i] = (int8_t)bucket;
    counts[i] = (uint16_t)count;
    h->n++;
}

/* Which of the eight bytes of `word` is the first to be `byte`; 8: none. */
static inline unsigned byte_at(uint64_t word, uint8_t byte)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), tops = UINT64_C(0x8080808080808080);
    word ^= byte * ones;
    word = (word - ones) & ~word & tops; /* the lowest that is set is true */
    return word != 0 ? (unsigned)__builtin_ctzll(word) / 8 : 8;
}

/* The place of a bucket, at least `n` where it is not there: a word of them is compared at once. */
static inline unsigned hist_inline_at(const struct hist *h, int bucket)
{
    const size_t at = offsetof(struct hist, n);
    static_assert(offsetof(struct hist, bucket) == offsetof(struct hist, n) + 1
                      && offsetof(struct hist, count) == offsetof(struct hist, n) + 8,
                  "a byte before the buckets and one behind");
    uint64_t word;
    memcpy(&word, (const uint8_t *)h + at, sizeof word);
    return byte_at(word >> 8, (uint8_t)bucket);
}

static inline unsigned hist_few_at(const struct hist_few *f, int bucket)
{
    static_assert(HIST_FEW % 8 == 0, "whole words");
    for (unsigned i = 0; i < HIST_FEW; i += 8) {
        uint64_t word;
        memcpy(&word, f->bucket + i, sizeof word);
        unsigned at = byte_at(word, (uint8_t)bucket);
        if (at < 8)
            return i + at;
    }
    return HIST_FEW;
}

void window_hist_add(struct window *w, struct hist *h, int bucket, uint32_t count)
{
    uint16_t *counts = h->count;
    unsigned i;
    if (h->block == 0) {
        i = hist_inline_at(h, bucket);
    } else if (h->n > 0) {
        struct hist_few *f = pool_at(&w->few, h->block);
        counts = f->count;
        i = hist_few_at(f, bucket);
    } else {
        struct hist_block *b = pool_at(&w->hists, h->block);
        b->count[bucket + HIST_MAX] = add32(b->count[bucket + HIST_MAX], count);
        return;
    }
    if (i < h->n && counts[i] + (uint64_t)count <= UINT16_MAX)
        counts[i] = (uint16_t)(counts[i] + count);
    else
        hist_add_new(w, h, bucket, count);
}

uint32_t window_hist_count(const struct window *w, const struct hist *h, int bucket)
{
    const struct hist_block *b = window_hist_block(w, h);
    if (b != NULL)
        return b->count[bucket + HIST_MAX];
    struct hist_view v = window_hist_few(w, h);
    for (unsigned i = 0; i < v.n; i++)
        if (v.bucket[i] == bucket)
            return v.count[i];
    return 0;
}
