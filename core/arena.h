/* Address space taken once and touched as it fills: the memory of every table. */
#pragma once
#include "core/err.h"

/* Asks for large pages in every arena made from now on: worth it for a long run (tables of many MiB are walked at random, and address
 * translation costs more than the cache does), wasteful for a small one (each table would take 2 MiB at least). */
void arena_prefer_large(bool prefer);

/* `bytes` of zeroed address space, page-aligned; memory follows as it is touched. NULL (with `e` set) where even the address
 * space is refused. */
void *arena_new(size_t bytes, struct err *e);
void arena_free(void *p, size_t bytes); /* NULL is harmless */
