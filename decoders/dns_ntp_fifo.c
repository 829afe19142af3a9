#include "decoders/dns_ntp_fifo.h"

#include <errno.h>
#include <sys/mman.h>

enum { ORIGINS = 1 << 16, FIRST_CAPACITY = 1024 };

/* Zero pages that need no memory until they are written to. */
static void *reserve(size_t bytes, struct err *e)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p != MAP_FAILED)
        return p;
    err_set(e, "reserve %zu bytes: %s", bytes, strerror(errno));
    return NULL;
}

static void release(void *p, size_t bytes)
{
    if (p != NULL)
        munmap(p, bytes);
}

bool fifo_init(struct fifo *f, uint32_t max, size_t entry_size, struct err *e)
{
    assert(max >= 1 && max <= 1u << 28);
    size_t limit = 1;
    while (limit < max)
        limit *= 2;
    size_t capacity = limit < FIRST_CAPACITY ? limit : FIRST_CAPACITY;
    *f = (struct fifo){
        .entry_size = entry_size,
        .mask = (uint32_t)(capacity - 1),
        .limit_mask = (uint32_t)(limit - 1),
    };
    f->entries = reserve(limit * entry_size, e);
    if (f->entries == NULL)
        return false;
    f->heads = reserve(limit * FIFO_BUCKETS * sizeof *f->heads, e);
    if (f->heads == NULL)
        goto fail;
    f->origins = reserve(ORIGINS * sizeof *f->origins, e);
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
    release(f->entries, limit * f->entry_size);
    release(f->heads, limit * FIFO_BUCKETS * sizeof *f->heads);
    release(f->origins, ORIGINS * sizeof *f->origins);
    *f = (struct fifo){0};
}

bool fifo_grow(struct fifo *f)
{
    if (f->mask == f->limit_mask)
        return false;
    uint32_t capacity = f->mask + 1;
    memset(f->heads, 0, 2 * (size_t)capacity * FIFO_BUCKETS * sizeof *f->heads);
    f->mask = 2 * capacity - 1;
    for (uint32_t age = f->n; age-- > 0;) { /* oldest first, so that buckets keep their order */
        uint32_t number = f->newest - age;
        struct fifo_entry *e = fifo_at(f, number);
        const uint8_t *was = f->entries + (number & (capacity - 1)) * f->entry_size;
        if ((const uint8_t *)e != was)
            memcpy(e, was, f->entry_size);
        if (fifo_forgotten(f, e))
            continue;
        uint32_t *head = fifo_head(f, e->key);
        e->older = *head;
        *head = number;
    }
    return true;
}
