/* How packets get to the worker that follows their address pair: asked between the header walk and everything that keeps state. */
#pragma once
#include "core/pkt.h"
#include "core/rec.h"

struct spread {
    /* Of n <= BURST_MAX packets just walked, keeps those of this worker, moved to the front in their order, and hands the others to
     * their workers. Returns how many it kept. What could not be handed over is counted in its own statistics. */
    unsigned (*give)(void *ctx, struct pkt pkts[], struct rec recs[], unsigned n);
    void *ctx; /* owned by whoever made it */
};
