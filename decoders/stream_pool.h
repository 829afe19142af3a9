/* Fixed-size elements by number, from address space reserved at start-up: memory is touched only as
 * far as it was ever needed. */
#pragma once
#include "core/err.h"

struct stream_pool {
    uint8_t *base; /* element i starts at base + i * size; element 0 is never given: 0 means none */
    uint32_t size; /* bytes an element, at least 4 */
    uint32_t max;  /* elements, without number 0 */
    uint32_t top;  /* highest number ever given */
    uint32_t free_head; /* given back, the last first; linked through their first 4 bytes */
};

MUST_CHECK bool stream_pool_init(struct stream_pool *p, uint32_t size, uint32_t max, struct err *e);
void stream_pool_end(struct stream_pool *p);

static inline void *stream_pool_at(const struct stream_pool *p, uint32_t i)
{
    return p->base + (size_t)i * p->size;
}

/* A number, or 0 where all are taken. The element holds what its last owner left. The next to be
 * taken is asked for: what is taken is written at once, all of it. */
MUST_CHECK static inline uint32_t stream_pool_take(struct stream_pool *p)
{
    uint32_t i = p->free_head;
    if (i != 0)
        memcpy(&p->free_head, stream_pool_at(p, i), sizeof p->free_head);
    else if (p->top < p->max)
        i = ++p->top;
    const uint8_t *next = stream_pool_at(p, p->free_head != 0 ? p->free_head : p->top + 1);
    for (uint32_t at = 0; at < p->size; at += 64)
        __builtin_prefetch(next + at, 1);
    return i;
}

static inline void stream_pool_give(struct stream_pool *p, uint32_t i)
{
    memcpy(stream_pool_at(p, i), &p->free_head, sizeof p->free_head);
    p->free_head = i;
}
