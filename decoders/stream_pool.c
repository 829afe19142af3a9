#include "decoders/stream_pool.h"

#include <errno.h>
#include <sys/mman.h>

void *stream_map(size_t bytes, struct err *e)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) {
        err_set(e, "reserve %zu bytes: %s", bytes, strerror(errno));
        return NULL;
    }
    return p;
}

void stream_unmap(void *p, size_t bytes)
{
    if (p != NULL)
        munmap(p, bytes);
}

bool stream_pool_init(struct stream_pool *p, uint32_t size, uint32_t max, struct err *e)
{
    *p = (struct stream_pool){.size = size, .max = max};
    p->base = stream_map(((size_t)max + 1) * size, e);
    return p->base != NULL;
}

void stream_pool_end(struct stream_pool *p)
{
    stream_unmap(p->base, ((size_t)p->max + 1) * p->size);
    p->base = NULL;
}
