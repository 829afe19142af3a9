/* Interned strings and blobs of a window: equal content has one id, so that keys compare as
 * numbers. */
#pragma once
#include "core/err.h"
#include "core/msg.h"

struct strings {
    uint8_t *bytes;     /* entries: uint64_t hash, uint32_t len, the bytes; 8-aligned */
    uint64_t *index;    /* as in rowtab: upper half of the hash, then entry's offset / 8 + 1 */
    uint32_t used, cap; /* in units of 8 bytes */
    uint32_t n, mask, mask_max;
};

MUST_CHECK bool strings_new(struct strings *s, uint64_t bytes, struct err *e);
void strings_free(struct strings *s);
void strings_clear(struct strings *s);

/* The id of this content, 0 where the store is full. `hash`: strings_hash of it. */
uint32_t strings_intern(struct strings *s, const void *p, uint32_t len, uint64_t hash);
static inline void strings_prefetch(const struct strings *s, uint64_t hash)
{
    __builtin_prefetch(&s->index[hash & s->mask]);
}
/* Second step: what the index leads to. */
static inline __attribute__((always_inline)) void strings_prefetch_entry(const struct strings *s,
                                                                         uint64_t hash)
{
    uint32_t id = (uint32_t)s->index[hash & s->mask];
    __builtin_prefetch(s->bytes + (size_t)(id - (id != 0)) * 8);
}
/* Of a string that is there. */
static inline __attribute__((always_inline)) void strings_prefetch_at(const struct strings *s,
                                                                      uint32_t id)
{
    __builtin_prefetch(s->bytes + (size_t)(id - (id != 0)) * 8);
}
struct bytes strings_get(const struct strings *s, uint32_t id);
uint64_t strings_id_hash(const struct strings *s, uint32_t id); /* 0 for id 0 */
uint64_t strings_hash(const void *p, uint32_t len);             /* never 0 for len > 0 */
