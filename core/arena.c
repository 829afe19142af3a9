#include "core/arena.h"

#include <errno.h>
#include <stdint.h>
#include <sys/mman.h>

enum { LARGE_PAGE = 2 << 20 };

static bool prefer_large; /* set once, before any worker runs */

void arena_prefer_large(bool prefer)
{
    prefer_large = prefer;
}

void *arena_new(size_t bytes, enum arena_use use, struct err *e)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                   -1, 0);
    if (p == MAP_FAILED) {
        err_set(e, "reserve %zu bytes of address space: %s; lower the limits in the configuration",
                bytes, strerror(errno));
        return NULL;
    }
    if (prefer_large && use == ARENA_HOT && bytes >= LARGE_PAGE) /* a hint: nothing depends on it */
        (void)!madvise(p, bytes, MADV_HUGEPAGE);
    return p;
}

void arena_free(void *p, size_t bytes)
{
    if (p != NULL)
        munmap(p, bytes);
}

void arena_give_back(void *p, size_t bytes)
{
    enum { PAGE = 4096 };
    uintptr_t from = ((uintptr_t)p + PAGE - 1) / PAGE * PAGE,
              to = ((uintptr_t)p + bytes) / PAGE * PAGE;
    if (from < to)
        (void)!madvise((void *)from, to - from, MADV_DONTNEED);
}
