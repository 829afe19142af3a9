/* Progress of a run on stderr: one line, rewritten a few times a second, where stderr is a
 * terminal. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct progress {
    bool shown;           /* stderr is a terminal and nobody asked for quiet */
    uint64_t bytes_total; /* of all inputs; 0: unknown */
    uint64_t began_ns, next_ns;
    unsigned calls;
};

struct progress progress_begin(bool quiet, uint64_t bytes_total);

/* Cheap to call after every burst: looks at the clock once in a while. */
void progress_show(struct progress *p, uint64_t bytes_done, uint64_t packets);

/* Wipes the line, so that what is printed next stands alone; the next progress_show goes on. */
void progress_clear(const struct progress *p);

/* Wipes it for good. */
void progress_end(struct progress *p);
