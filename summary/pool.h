/* Blocks of one size, numbered from 1, from memory taken once. */
#pragma once
#include "core/err.h"

struct pool {
    uint8_t *p;
    uint32_t size, limit; /* bytes a block; blocks */
    uint32_t n;           /* blocks ever handed out */
    uint32_t free_head;   /* a freed block's first 4 bytes number the next; 0: none */
};

MUST_CHECK bool pool_new(struct pool *p, uint32_t size, uint32_t limit, struct err *e);
void pool_free(struct pool *p);
void pool_clear(struct pool *p);

/* A zeroed block, or 0 where the limit is reached. */
uint32_t pool_take(struct pool *p);
void pool_give(struct pool *p, uint32_t block); /* 0 is harmless */
static inline void *pool_at(const struct pool *p, uint32_t block)
{
    return p->p + (size_t)(block - 1) * p->size;
}
