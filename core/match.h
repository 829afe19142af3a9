/* Which of eight numbers, half a cache line, are the one that is wanted. */
#pragma once
#include <stdint.h>
#include <string.h>

enum { MATCH_N = 8 };

/* As bits, the first number's lowest. No branch: which of them it is comes as it likes, and a
 * processor that guesses wrong loses more than all eight cost. */
static inline unsigned match_eight(const uint32_t of[static MATCH_N], uint32_t v)
{
    typedef uint32_t lanes __attribute__((vector_size(16)));
    typedef uint64_t halves __attribute__((vector_size(16)));
    const lanes want = {v, v, v, v}, first = {1, 2, 4, 8}, second = {16, 32, 64, 128};
    lanes low, high;
    memcpy(&low, of, sizeof low);
    memcpy(&high, of + 4, sizeof high);
    halves found = (halves)(((lanes)(low == want) & first) | ((lanes)(high == want) & second));
    uint64_t half = found[0] | found[1];
    return (unsigned)(half | half >> 32);
}
