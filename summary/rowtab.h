/* A table of rows with a limit. At the limit N it keeps the N rows with the smallest hash: whatever
 * the order in which keys come, and however the tables of several workers are merged, the same rows
 * stay.
 *
 * That hash is dear, and asked for when a row is made; or, as most tables are never full, later
 * (rowtab_unhashed). Rows are found by a tag, 32 bits of any hash of the key that the table's user
 * likes: rowtab_mix of it, or where keys hold strings, the hash itself. */
#pragma once
#include "core/arena.h"
#include "core/match.h"

#include <stdalign.h>

/* A line of the index; its slots fill from the first on. A row whose bucket is full is in the next
 * one that is not. */
enum { ROWTAB_SLOTS = MATCH_N };
struct rowtab_bucket {
    alignas(64) uint32_t tag[ROWTAB_SLOTS];
    uint32_t row[ROWTAB_SLOTS]; /* number of the row + 1; 0: free */
};

struct rowtab {
    uint8_t *rows; /* n rows of row_size bytes */
    struct rowtab_bucket *index;
    uint32_t *tags;   /* by row */
    uint64_t *hashes; /* by row */
    uint32_t *heap;   /* row numbers, largest hash on top; built when the table is first full */
    uint32_t row_size, key_at, key_len;
    uint32_t n, limit;
    uint32_t mask, mask_max; /* buckets in use - 1: doubles as the table fills */
    bool heaped;
    bool late;       /* its user hashes rows late: see rowtab_unhashed */
    uint32_t hashed; /* of the first half, where `late` */
};

/* Address space for `limit` rows; memory follows as they come. */

MUST_CHECK bool rowtab_new(struct rowtab *t, uint32_t limit, uint32_t row_size, uint32_t key_at,
                           uint32_t key_len, enum arena_use use, struct err *e);
void rowtab_free(struct rowtab *t);
void rowtab_clear(struct rowtab *t);

static inline void *rowtab_at(const struct rowtab *t, uint32_t i)
{
    return t->rows + (size_t)i * t->row_size;
}

/* Late hashing, so that a full table is not hashed in one go: rows of the first half are made
 * without, and for each row made after that the user first hashes one of them. Will a row made now
 * have no hash? */
static inline bool rowtab_hash_waits(const struct rowtab *t)
{
    return t->late && t->n < t->limit / 2;
}

/* The row to hash before another is made, or UINT32_MAX. Its user calls rowtab_hash_set then. */
static inline uint32_t rowtab_unhashed(const struct rowtab *t)
{
    return t->late && t->n >= t->limit / 2 && t->hashed < t->limit / 2 ? t->hashed : UINT32_MAX;
}

static inline void rowtab_hash_set(struct rowtab *t, uint64_t hash)
{
    t->hashes[t->hashed++] = hash;
}

static inline bool rowtab_is_hashed(const struct rowtab *t, uint32_t i)
{
    return !t->late || i < t->hashed || i >= t->limit / 2;
}

/* Of a row that is hashed. */
static inline uint64_t rowtab_hash_at(const struct rowtab *t, uint32_t i)
{
    return t->hashes[i];
}

/* Keys are whole words, the last one perhaps half of one: with a known length this beats a call of
 * memcmp. */
static inline bool rowtab_key_equal(const void *a, const void *b, uint32_t len)
{
    uint64_t x, y, differ = 0;
    uint32_t at = 0;
    for (; at + 8 <= len; at += 8) {
        memcpy(&x, (const uint8_t *)a + at, sizeof x);
        memcpy(&y, (const uint8_t *)b + at, sizeof y);
        differ |= x ^ y;
    }
    x = y = 0;
    if (at < len) {
        memcpy(&x, (const uint8_t *)a + at, sizeof(uint32_t));
        memcpy(&y, (const uint8_t *)b + at, sizeof(uint32_t));
    }
    return (differ | (x ^ y)) == 0;
}

/* The number of a row of the table. `row_size`: that of the table, told again as a constant where
 * it is known. */
static inline uint32_t rowtab_number(const struct rowtab *t, const void *row, uint32_t row_size)
{
    return (uint32_t)((size_t)((const uint8_t *)row - t->rows) / row_size);
}

/* One step of rowtab_mix: both halves of the 128-bit product, and the factors, as one of them may
 * be 0. */
static inline uint64_t rowtab_fold(uint64_t a, uint64_t b)
{
    unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64) ^ a ^ b;
}

/* Mixes `len` bytes (a multiple of 4) into `h`, which begins as a secret of the configuration's:
 * XXH3 of a peer's key took three times as long. Going on from the mix of a key's first 16 n bytes
 * gives the mix of the whole key. */
static inline __attribute__((always_inline)) uint64_t rowtab_mix(uint64_t h, const void *key,
                                                                 uint32_t len)
{
    const uint64_t odd = UINT64_C(0x9e3779b97f4a7c15);
    uint64_t w[2];
    uint32_t at = 0;
    for (; at + 16 <= len; at += 16) {
        memcpy(w, (const uint8_t *)key + at, 16);
        h = rowtab_fold(w[0] ^ h, w[1] ^ odd);
    }
    w[0] = w[1] = 0;
    if (len - at >= 8)
        memcpy(&w[0], (const uint8_t *)key + at, 8);
    if (len % 8 >= 4)
        memcpy(&w[1], (const uint8_t *)key + len - 4, 4);
    return at < len ? rowtab_fold(w[0] ^ h, w[1] ^ odd) : h;
}

static inline uint32_t rowtab_tag(uint64_t hash)
{
    return (uint32_t)(hash ^ hash >> 32);
}

static inline void rowtab_prefetch(const struct rowtab *t, uint32_t tag)
{
    __builtin_prefetch(&t->index[tag & t->mask]);
}

/* Always inline: see fifo_prefetch_head. */
static inline __attribute__((always_inline)) void rowtab_prefetch_at(const struct rowtab *t,
                                                                     uint32_t i, uint32_t bytes)
{
    const char *row = rowtab_at(t, i);
    for (uint32_t line = 0; line < bytes; line += 64)
        __builtin_prefetch(row + line, 1);
}

/* Second step of a prefetch: the row itself, as far as the index tells without comparing keys.
 * Returns its number for rowtab_near, UINT32_MAX if there is none. */
static inline __attribute__((always_inline)) uint32_t
rowtab_prefetch_row(const struct rowtab *t, uint32_t tag, uint32_t bytes)
{
    for (uint32_t i = tag & t->mask;; i = (i + 1) & t->mask) {
        const struct rowtab_bucket *b = &t->index[i];
        unsigned match = match_eight(b->tag, tag);
        if (match != 0) {
            uint32_t at = b->row[__builtin_ctz(match)] - 1; /* of a free slot as of no row */
            rowtab_prefetch_at(t, at, bytes);
            return at;
        }
        if (b->row[ROWTAB_SLOTS - 1] == 0)
            return UINT32_MAX;
    }
}

/* Is row `near`, a guess from any table at any time, the row with this key? NULL where it is not:
 * ask rowtab_find. `key_at`, `key_len`: those of the table, told again as constants. */
static inline void *rowtab_near(const struct rowtab *t, uint32_t near, const void *key,
                                uint32_t key_at, uint32_t key_len)
{
    uint8_t *row = rowtab_at(t, near);
    return near < t->n && rowtab_key_equal(row + key_at, key, key_len) ? row : NULL;
}

/* The row with this tag and key, or NULL. */
void *rowtab_find(const struct rowtab *t, uint32_t tag, const void *key);

/* Would a new row with this hash be turned away? Never said of a row that is in the table. */
bool rowtab_refuses(const struct rowtab *t, uint64_t hash);

/* Makes room for a new row (not in the table, not refused). `hash` is not read where
 * rowtab_hash_waits. Where the table is full, the row that leaves is first given to `leave`.
 * Returns the row with its key set, the rest as it was left: the caller fills it. */
void *rowtab_insert(struct rowtab *t, uint32_t tag, uint64_t hash, const void *key,
                    void (*leave)(void *ctx, void *row), void *ctx);

/* Row `at` is given up for one with another key; the rest of it is left as it was. Not of a table
 * that is at its limit. Returns the row. */
void *rowtab_replace(struct rowtab *t, uint32_t at, uint32_t tag, const void *key);
