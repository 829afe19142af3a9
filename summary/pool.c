#include "summary/pool.h"

#include "core/arena.h"

bool pool_new(struct pool *p, uint32_t size, uint32_t limit, struct err *e)
{
    *p = (struct pool){.size = size, .limit = limit};
    p->p = arena_new((size_t)size * limit, ARENA_COLD, e);
    return p->p != NULL;
}

void pool_free(struct pool *p)
{
    arena_free(p->p, (size_t)p->size * p->limit);
    *p = (struct pool){0};
}

void pool_clear(struct pool *p)
{
    p->n = p->free_head = 0;
}

uint32_t pool_take(struct pool *p)
{
    uint32_t block = p->free_head;
    if (block != 0)
        memcpy(&p->free_head, pool_at(p, block), sizeof p->free_head);
    else if (p->n < p->limit)
        block = ++p->n;
    if (block != 0)
        memset(pool_at(p, block), 0, p->size);
    return block;
}

void pool_give(struct pool *p, uint32_t block)
{
    if (block == 0)
        return;
    memcpy(pool_at(p, block), &p->free_head, sizeof p->free_head);
    p->free_head = block;
}
