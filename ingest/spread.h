/* How packets get to the worker that follows their address pair: asked between the header walk and
 * everything that keeps state. */
#pragma once
#include "core/pkt.h"
#include "core/rec.h"

#include <string.h>

/* Of an address pair, in whichever direction: 32 well mixed bits. Packets without IP have 0. */
static inline uint32_t spread_hash(const struct rec *rec)
{
    uint64_t s[2], d[2];
    if ((rec->flags & REC_HAS_IP) == 0)
        return 0;
    memcpy(s, rec->src.b, sizeof s);
    memcpy(d, rec->dst.b, sizeof d);
    uint64_t a = (s[0] ^ s[1] * UINT64_C(0x9e3779b97f4a7c15)) * UINT64_C(0xff51afd7ed558ccd);
    uint64_t b = (d[0] ^ d[1] * UINT64_C(0x9e3779b97f4a7c15)) * UINT64_C(0xff51afd7ed558ccd);
    uint64_t sum = (a ^ a >> 32) + (b ^ b >> 32);
    return (uint32_t)((sum ^ sum >> 29) * UINT64_C(0xc4ceb9fe1a85ec53) >> 32);
}

struct spread {
    /* Of n <= BURST_MAX packets just walked, keeps those of this worker, moved to the front in
     * their order, and hands the others to their workers. Returns how many it kept. What could not
     * be handed over is counted in its own statistics. */
    unsigned (*give)(void *ctx, struct pkt pkts[], struct rec recs[], unsigned n);
    void *ctx; /* owned by whoever made it */
};

/* Which of n workers follows an address pair: the same for both directions, on every machine. */
static inline unsigned spread_owner(const struct addr *src, const struct addr *dst, unsigned n)
{
    const uint64_t odd[2] = {UINT64_C(0x9e3779b97f4a7c15), UINT64_C(0xc2b2ae3d27d4eb4f)};
    uint64_t a[2], b[2];
    memcpy(a, src->b, sizeof a);
    memcpy(b, dst->b, sizeof b);
    uint64_t x = (a[0] ^ a[1] >> 29) * odd[0] + a[1] * odd[1];
    uint64_t y = (b[0] ^ b[1] >> 29) * odd[0] + b[1] * odd[1];
    uint64_t sum = (x ^ x >> 32) + (y ^ y >> 32);
    sum = (sum ^ sum >> 31) * odd[1];
    return (unsigned)((sum >> 32) * n >> 32);
}
