/* The one hash of the program: XXH3, 64 bits, seeded from the configuration (so that results can be
 * repeated, and so that a fleet may keep its seed to itself). */
#pragma once
#define XXH_INLINE_ALL
#include <stddef.h>
#include <stdint.h>
#include <xxhash.h>

static inline uint64_t hash_bytes(const void *p, size_t len, uint64_t seed)
{
    return XXH3_64bits_withSeed(p, len, seed);
}
