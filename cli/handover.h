/* Windows from one thread to another: one puts, one takes, nobody waits. */
#pragma once
#include "core/pkt.h"

#include <stdalign.h>
#include <stdatomic.h>
#include <stddef.h>

struct window;

enum { HANDOVER_MAX = 128 }; /* a power of two: more windows than any worker ever has */

struct handover {
    alignas(64) atomic_uint head; /* put */
    alignas(64) atomic_uint tail; /* taken */
    alignas(64) struct window *w[HANDOVER_MAX];
};

/* False where it is full. */
static inline bool handover_put(struct handover *h, struct window *w)
{
    unsigned head = atomic_load_explicit(&h->head, memory_order_relaxed);
    if (head - atomic_load_explicit(&h->tail, memory_order_acquire) == HANDOVER_MAX)
        return false;
    h->w[head % HANDOVER_MAX] = w;
    atomic_store_explicit(&h->head, head + 1, memory_order_release);
    return true;
}

/* NULL where it is empty. */
static inline struct window *handover_take(struct handover *h)
{
    unsigned tail = atomic_load_explicit(&h->tail, memory_order_relaxed);
    if (atomic_load_explicit(&h->head, memory_order_acquire) == tail)
        return NULL;
    struct window *w = h->w[tail % HANDOVER_MAX];
    atomic_store_explicit(&h->tail, tail + 1, memory_order_release);
    return w;
}

static inline unsigned handover_count(const struct handover *h)
{
    return atomic_load_explicit(&h->head, memory_order_acquire)
           - atomic_load_explicit(&h->tail, memory_order_acquire);
}
