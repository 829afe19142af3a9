#include "decoders/msg.h"

/* What alignment may cost on top of what the caller asked for. */
enum { ARENA_ALIGN = 16 };

struct msg *msgs_push(struct msgs *b, enum msg_kind kind, const struct rec *rec, uint8_t sender,
                      uint32_t arena)
{
    assert(arena <= MSGS_ARENA);
    if (b->n == MSGS_MAX || arena > MSGS_ARENA - b->used)
        msgs_flush(b);
    struct msg *m = &b->m[b->n++];
    size_t own = sizeof *m - offsetof(struct msg, ntp); /* its own part is enough */
    if (kind == MSG_NTP)
        own = sizeof m->ntp;
    else if (kind == MSG_DNS)
        own = sizeof m->dns;
    __asm__(""
            : "+r"(own)); /* else gcc knows the sizes and writes `rep stos`, which starts slowly */
    memset(&m->ntp, 0, own);
    m->kind = (uint8_t)kind;
    m->sender = sender;
    m->rec = rec;
    m->ts_ns = rec->ts_ns;
    return m;
}

void *msgs_alloc(struct msgs *b, uint32_t len, uint32_t align)
{
    assert(align > 0 && align <= ARENA_ALIGN && (align & (align - 1)) == 0);
    uint32_t at = (b->used + align - 1) & ~(align - 1);
    assert(at <= MSGS_ARENA && len <= MSGS_ARENA - at);
    b->used = at + len;
    return b->arena + at;
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
}
