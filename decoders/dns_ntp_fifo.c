#include "decoders/dns_ntp_fifo.h"

#include "core/arena.h"
#include "core/hash.h"

enum { ORIGINS = 1 << 16, FIRST_CAPACITY = 1024 };

bool fifo_init(struct fifo *f, uint32_t max, size_t entry_size, uint64_t seed, struct err *e)
{
    assert(max >= 1 && max <= 1u << 28);
    size_t limit = 1;
    while (limit < max)
        limit *= 2;
    size_t capacity = limit < FIRST_CAPACITY ? limit : FIRST_CAPACITY;
    *f = (struct fifo){
        .entry_size = entry_size,
        .mask = (uint32_t)(capacity - 1),
        .head_mask = (uint32_t)(FIFO_BUCKETS * capacity - 1),
        .limit_mask = (uint32_t)(limit - 1),
    };
    for (uint64_t i = 0; i < FIFO_SECRETS; i++)
        f->secret[i] = hash_bytes(&i, sizeof i, seed);
    f->entries = arena_new(limit * entry_size, ARENA_HOT, e);
    if (f->entries == NULL)
        return false;
    f->heads = arena_new(limit * FIFO_BUCKETS * sizeof *f->heads, ARENA_HOT, e);
    if (f->heads == NULL)
        goto fail;
    f->origins = arena_new(ORIGINS * sizeof *f->origins, ARENA_COLD, e);
    if (f->origins == NULL)
        goto fail;
    return true;
fail:
    fifo_end(f);
    return false;
}

void fifo_end(struct fifo *f)
{
    size_t limit = (size_t)f->limit_mask + 1;
    arena_free(f->entries, limit * f->entry_size);
    arena_free(f->heads, limit * FIFO_BUCKETS * sizeof *f->heads);
    arena_free(f->origins, ORIGINS * sizeof *f->origins);
    *f = (struct fifo){0};
}

bool fifo_grow(struct fifo *f)
{
    if (f->mask == f->limit_mask)
        return false;
    uint32_t capacity = f->mask + 1;
    memset(f->heads, 0, 2 * (size_t)capacity * FIFO_BUCKETS * sizeof *f->heads);
    f->mask = 2 * capacity - 1;
    f->head_mask = FIFO_BUCKETS * 2 * capacity - 1;
    for (uint32_t age = f->n; age-- > 0;) { /* oldest first, so that buckets keep their order */
        uint32_t number = f->newest - age;
        struct fifo_entry *e = fifo_at(f, number);
        const uint8_t *was = f->entries + (number & (capacity - 1)) * f->entry_size;
        if ((const uint8_t *)e != was)
            memcpy(e, was, f->entry_size);
        if (fifo_forgotten(f, e))
            continue;
        uint32_t *head = fifo_head(f, e->key.w[0]);
        e->older = *head;
        *head = number;
    }
    return true;
}
