/* What a clock is made of. Tests bring their own, to step time and to bend the counter. */
#pragma once
#include "ingest/clock.h"

struct clock_source {
    uint64_t (*ticks)(void *ctx);   /* a counter of constant rate; NULL: the processor's */
    uint64_t (*real_ns)(void *ctx); /* UTC; may be set */
    uint64_t (*mono_ns)(void *ctx); /* runs as real_ns does, and is never set */
    void (*pause)(void *ctx, uint64_t ns);
    void *ctx;
};

/* As clock_new. NULL too where the counter stands still. */
struct clock *clock_new_from(const struct clock_source *s);
