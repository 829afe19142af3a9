#include "decoders/msg.h"

struct msg *msgs_push(struct msgs *b, enum msg_kind kind, const struct rec *rec, uint8_t sender,
                      uint32_t arena)
{
    struct msg *m = msgs_room(b, arena);
    size_t own = sizeof *m - offsetof(struct msg, ntp);
    __asm__(""
            : "+r"(own)); /* else gcc knows the size and writes `rep stos`, which starts slowly */
    memset(&m->ntp, 0, own);
    msgs_add(b, m, kind, rec, sender);
    return m;
}

void *msgs_alloc(struct msgs *b, uint32_t len, uint32_t align)
{
    return msgs_take(b, len, align);
}

struct bytes msgs_copy(struct msgs *b, const void *p, uint32_t len)
{
    if (len == 0)
        return (struct bytes){0};
    uint8_t *to = msgs_alloc(b, len, 1);
    memcpy(to, p, len);
    return (struct bytes){.p = to, .len = len};
}

void msgs_flush(struct msgs *b)
{
    if (b->n > 0)
        b->fold(b->ctx, b);
    b->n = 0;
    b->used = 0;
    b->batch++;
}
