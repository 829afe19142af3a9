/* Pushing messages: see core/msg.h, and here what the two commonest kinds need, which write every
 * field themselves and may still fail: zeroing a message took as long as reading one. */
#pragma once
#include "core/msg.h"

/* Where the next message goes, if it gets as far as msgs_add: as msgs_push, but not zeroed, and not
 * counted yet. */
static inline struct msg *msgs_room(struct msgs *b, uint32_t arena)
{
    assert(arena <= MSGS_ARENA);
    if (b->n == MSGS_MAX || arena > MSGS_ARENA - b->used)
        msgs_flush(b);
    return &b->m[b->n];
}

/* `m`, of msgs_room, counts; its own part has been filled. */
static inline void msgs_add(struct msgs *b, struct msg *m, enum msg_kind kind,
                            const struct rec *rec, uint8_t sender)
{
    m->kind = (uint8_t)kind;
    m->sender = sender;
    m->rec = rec;
    m->ts_ns = rec->ts_ns;
    b->n++;
}

/* As msgs_alloc. */
static inline void *msgs_take(struct msgs *b, uint32_t len, uint32_t align)
{
    assert(align > 0 && align <= 16 && (align & (align - 1)) == 0);
    uint32_t at = (b->used + align - 1) & ~(align - 1);
    assert(at <= MSGS_ARENA && len <= MSGS_ARENA - at);
    b->used = at + len;
    return b->arena + at;
}
