/* How packets get to the worker that follows their address pair: asked between the header walk and
 * everything that keeps state. */
#pragma once
#include "core/pkt.h"
#include "core/rec.h"

#include <string.h>

/* 32 well mixed bits of an address pair: the same for both directions, on every machine. */
static inline uint32_t spread_hash(const struct addr *src, const struct addr *dst)
{
    const uint64_t odd[2] = {UINT64_C(0x9e3779b97f4a7c15), UINT64_C(0xc2b2ae3d27d4eb4f)};
    uint64_t a[2], b[2];
    memcpy(a, src->b, sizeof a);
    memcpy(b, dst->b, sizeof b);
    uint64_t x = (a[0] ^ a[1] >> 29) * odd[0] + a[1] * odd[1];
    uint64_t y = (b[0] ^ b[1] >> 29) * odd[0] + b[1] * odd[1];
    uint64_t sum = (x ^ x >> 32) + (y ^ y >> 32);
    return (uint32_t)((sum ^ sum >> 31) * odd[1] >> 32);
}

/* Which of `n` workers, all with the same share, follows an address pair. */
static inline unsigned spread_owner(const struct addr *src, const struct addr *dst, unsigned n)
{
    return (unsigned)((uint64_t)spread_hash(src, dst) * n >> 32);
}

struct spread {
    /* Of n <= BURST_MAX packets just walked, keeps those of this worker, moved to the front in
     * their order, and hands the others to their workers. Returns how many it kept. What could not
     * be handed over is counted in its own statistics. */
    unsigned (*give)(void *ctx, struct pkt pkts[], struct rec recs[], unsigned n);
    void *ctx; /* owned by whoever made it */
};
