/* The time of live packets: the processor's time-stamp counter, held to the real-time clock once a
 * second.
 *
 * One thread anchors; any number read, without a lock, a wait or a system call. A reader never sees
 * time run backwards. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct clock; /* opaque: anchors behind a sequence lock */

/* A reader's own part. */
struct clock_view {
    uint64_t last_ns;
};

struct clock_state {
    uint64_t error_ns; /* bound of the error between two anchors, the largest of the last minute */
    uint64_t steps;    /* times the real-time clock jumped by more than a second */
    int64_t last_step_ns;
    bool tsc; /* false: no constant time-stamp counter here, clock_gettime(2) is read instead */
};

/* NULL without memory. Anchors once; takes about 10 ms to learn the counter's rate. */
struct clock *clock_new(void);
void clock_free(struct clock *c);

/* Holds the counter to the real-time clock: to be called once a second, by one thread. A small
 * error is mended within the next second, by a rate a little off; never by going back. True where
 * the clock jumped by more than a second since the last call: readers follow at once forwards, and
 * stand still backwards until time has caught up. (A leap second, which is a second exactly, is
 * mended as a small error.) */
bool clock_anchor(struct clock *c);

/* The counter itself, for spans of time on one processor, and what a span of it is by its rate of
 * now. By any thread. */
uint64_t clock_ticks(const struct clock *c);
uint64_t clock_span_ns(const struct clock *c, uint64_t ticks);

/* UTC, nanoseconds. */
uint64_t clock_now(const struct clock *c, struct clock_view *v);

/* By any thread: each value is whole, several need not fit together. */
struct clock_state clock_state(const struct clock *c);
