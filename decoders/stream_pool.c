#include "decoders/stream_pool.h"

#include "core/arena.h"

bool stream_pool_init(struct stream_pool *p, uint32_t size, uint32_t max, struct err *e)
{
    *p = (struct stream_pool){.size = size, .max = max};
    p->base = arena_new(((size_t)max + 1) * size, ARENA_HOT, e);
    return p->base != NULL;
}

void stream_pool_end(struct stream_pool *p)
{
    arena_free(p->base, ((size_t)p->max + 1) * p->size);
    p->base = NULL;
}
