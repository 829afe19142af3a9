/* Address space taken once and touched as it fills: the memory of every table. */
#pragma once
#include "core/err.h"

/* Asks for large pages in every hot arena made from now on: worth it for a long run (tables of many
 * MiB are walked at random, and address translation costs more than the cache does), wasteful for a
 * small one (each table would take 2 MiB at least). */
void arena_prefer_large(bool prefer);

/* ARENA_HOT: nearly every packet touches it somewhere. */
enum arena_use { ARENA_COLD, ARENA_HOT };

/* `bytes` of zeroed address space, page-aligned; memory follows as it is touched. NULL (with `e`
 * set) where even the address space is refused. */
void *arena_new(size_t bytes, enum arena_use use, struct err *e);
void arena_free(void *p, size_t bytes); /* NULL is harmless */

/* The whole pages of these bytes, of an arena, are the system's again; they read as zeros. */
void arena_give_back(void *p, size_t bytes);
