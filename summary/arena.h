/* Address space taken once and touched as it fills: the memory of every table. */
#pragma once
#include "core/err.h"

/* `bytes` of zeroed address space, page-aligned; memory follows as it is touched. Large pages are asked for past the first
 * 2 MiB, so that a small capture stays small. NULL (with `e` set) where even the address space is refused. */
void *arena_new(size_t bytes, struct err *e);
void arena_free(void *p, size_t bytes);
