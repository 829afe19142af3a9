/* The one way packets come in, from a file or a port. */
#pragma once
#include "core/err.h"
#include "core/pkt.h"

enum { SRC_END = -1, SRC_FAILED = -2 };

/* One source belongs to one thread. */
struct source {
    /* Lends up to `max` packets. Returns how many (0: none right now), SRC_END, or SRC_FAILED with
     * `e` set. After SRC_FAILED the source has ended; what it lent before was good. What could not
     * be lent is counted in the source's own statistics. Fills bytes, cap_len, wire_len, ts_ns and
     * link; the pipeline fills the rest. */
    int (*rx)(void *ctx, struct pkt pkts[], unsigned max, struct err *e);
    /* Takes back all packets of the last rx. Their bytes must not be read after this. */
    void (*release)(void *ctx);
    void *ctx; /* owned by whoever made the source; see its _free */
};
