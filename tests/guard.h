/* A buffer that ends at an unmapped page: reading one byte past it crashes, with or without a
 * sanitizer. */
#pragma once
#include <assert.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* A copy of `len` bytes (at most 1 MiB) whose last byte is the last of its page. One slot: valid
 * until the next call. */
static inline const uint8_t *guard_copy(const void *bytes, size_t len)
{
    enum { SIZE = 1 << 20 };
    static uint8_t *base;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    assert(len <= SIZE);
    if (base == NULL) {
        base = mmap(NULL, SIZE + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        assert(base != MAP_FAILED);
        int failed = mprotect(base + SIZE, page, PROT_NONE);
        assert(failed == 0);
        (void)failed;
    }
    uint8_t *p = base + SIZE - len;
    if (len > 0)
        memcpy(p, bytes, len);
    return p;
}
