/* The one hash of the program: XXH3, 64 bits, seeded from the configuration (so that results can be
 * repeated, and so that a fleet may keep its seed to itself). */
#pragma once
#define XXH_INLINE_ALL
#include <stddef.h>
#include <stdint.h>
#pragma GCC diagnostic push
#ifndef __clang__
#pragma GCC diagnostic ignored                                                                     \
    "-Warray-bounds" /* gcc 12 follows branches for lengths that are not ours */
#pragma GCC diagnostic ignored "-Wstringop-overread"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <xxhash.h>
#pragma GCC diagnostic pop

static inline uint64_t hash_bytes(const void *p, size_t len, uint64_t seed)
{
    return XXH3_64bits_withSeed(p, len, seed);
}
