/* Where the time of a worker goes: what each stage of the data path took. */
#pragma once
#include "ingest/clock.h"

#include <stdatomic.h>
#include <stddef.h>

enum stage {
    STAGE_IDLE,     /* polls that found nothing */
    STAGE_RECEIVE,  /* from the source, and its buffers given back */
    STAGE_HEADERS,  /* the header walk, and the filter before it */
    STAGE_SPREAD,   /* packets handed to other workers and taken from them */
    STAGE_GATEWAYS, /* whose they are */
    STAGE_DECODE,   /* what they say */
    STAGE_PACKETS,  /* what they add to the summary */
    STAGE_MESSAGES, /* what their messages add */
    STAGE_WINDOWS,  /* windows closed, sessions swept */
    STAGE_N
};

static const char *const stage_names[STAGE_N] = {
    [STAGE_IDLE] = "idle",       [STAGE_RECEIVE] = "receive",   [STAGE_HEADERS] = "headers",
    [STAGE_SPREAD] = "spread",   [STAGE_GATEWAYS] = "gateways", [STAGE_DECODE] = "decode",
    [STAGE_PACKETS] = "packets", [STAGE_MESSAGES] = "messages", [STAGE_WINDOWS] = "windows",
};

/* Written by its worker, read by any thread. */
struct stages {
    const struct clock *clock;           /* borrowed; NULL: nobody asks */
    uint64_t mark;                       /* when the last stage ended, in ticks */
    atomic_uint_fast64_t ticks[STAGE_N]; /* spent so far: clock_span_ns */
};

/* The time since the stage before ended was `stage`'s. A reading of the counter: once a burst is
 * cheap. */
static inline void stage_end(struct stages *s, enum stage stage)
{
    if (s->clock == NULL)
        return;
    uint64_t now = clock_ticks(s->clock);
    atomic_store_explicit(&s->ticks[stage],
                          atomic_load_explicit(&s->ticks[stage], memory_order_relaxed) + now
                              - s->mark,
                          memory_order_relaxed);
    s->mark = now;
}

static inline void stages_begin(struct stages *s, const struct clock *clock)
{
    s->clock = clock;
    s->mark = clock_ticks(clock);
}
