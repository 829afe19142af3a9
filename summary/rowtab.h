/* A table of rows with a limit. At the limit N it keeps the N rows with the smallest hash: whatever the order in which keys
 * come, and however the tables of several workers are merged, the same rows stay. */
#pragma once
#include "core/err.h"

struct rowtab {
    uint8_t *rows;      /* n rows of row_size bytes; each begins with its uint64_t hash */
    uint64_t *index;    /* open addressing: upper half of the hash, then row number + 1; 0 is free */
    uint32_t *heap;     /* row numbers, largest hash on top; built when the table is first full */
    uint32_t row_size, key_at, key_len;
    uint32_t n, limit;
    uint32_t mask, mask_max; /* slots in use - 1: doubles as the table fills */
    bool heaped;
};

MUST_CHECK bool rowtab_new(struct rowtab *t, uint32_t limit, uint32_t row_size, uint32_t key_at,
                           uint32_t key_len, struct err *e);
void rowtab_free(struct rowtab *t);
void rowtab_clear(struct rowtab *t);

static inline void *rowtab_at(const struct rowtab *t, uint32_t i)
{
    return t->rows + (size_t)i * t->row_size;
}

static inline uint64_t rowtab_hash_at(const struct rowtab *t, uint32_t i)
{
    uint64_t hash;
    memcpy(&hash, rowtab_at(t, i), sizeof hash);
    return hash;
}

/* Keys are whole words: with a known length this beats a call of memcmp. */
static inline bool rowtab_key_equal(const void *a, const void *b, uint32_t len)
{
    uint64_t differ = 0;
    for (uint32_t at = 0; at < len; at += 8) {
        uint64_t x, y;
        memcpy(&x, (const uint8_t *)a + at, sizeof x);
        memcpy(&y, (const uint8_t *)b + at, sizeof y);
        differ |= x ^ y;
    }
    return differ == 0;
}

static inline void rowtab_prefetch(const struct rowtab *t, uint64_t hash)
{
    __builtin_prefetch(&t->index[hash & t->mask]);
}

/* Second step of a prefetch: the row itself, as far as the index tells without comparing keys. Returns its number for
 * rowtab_near, UINT32_MAX if there is none. */
uint32_t rowtab_prefetch_row(const struct rowtab *t, uint64_t hash);

/* Is row `near`, a guess from any table at any time, the row with this hash and key? NULL where it is not: ask rowtab_find.
 * `key_len`: that of the table, told again as a constant. */
static inline void *rowtab_near(const struct rowtab *t, uint32_t near, uint64_t hash,
                                const void *key, uint32_t key_len)
{
    if (near >= t->n || rowtab_hash_at(t, near) != hash)
        return NULL;
    uint8_t *row = rowtab_at(t, near);
    return rowtab_key_equal(row + t->key_at, key, key_len) ? row : NULL;
}

/* The row with this hash and key, or NULL. */
void *rowtab_find(const struct rowtab *t, uint64_t hash, const void *key);

/* Would a new row with this hash be turned away? Never said of a row that is in the table. */
bool rowtab_refuses(const struct rowtab *t, uint64_t hash);

/* Makes room for a new row (not in the table, not refused). Where the table is full, the row that leaves is first given to `leave`.
 * Returns the row with its hash and key set, the rest as it was left: the caller fills it. */
void *rowtab_insert(struct rowtab *t, uint64_t hash, const void *key,
                    void (*leave)(void *ctx, void *row), void *ctx);
