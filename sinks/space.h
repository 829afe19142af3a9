/* Space on the disk of a live run's folder: what may still be written when it runs out.
 *
 * Below `free_bytes` of free space something is given up, the more the less is left: the events of
 * a window; below three quarters also its flags; below a half the oldest segments beyond
 * `retention_s` go, until `free_bytes` are free again; below a quarter the window itself. All of it
 * is counted. A reserve file holds room for the last window of the run. Not for the packet path:
 * calls wait for the disk. One thread. */
#pragma once
#include "core/err.h"

struct space; /* opaque */

struct space_options {
    const char *dir;        /* exists; copied */
    const char *sensor;     /* whose segments may go; copied */
    uint64_t free_bytes;    /* 0: never low; only a full disk is met */
    uint64_t reserve_bytes; /* 0: no reserve */
    uint64_t retention_s;   /* 0: no segment may go */
};

/* What is to be written of a window, and what may be. */
struct space_parts {
    bool events, flags, segment;
};

struct space_stats {
    uint64_t free_bytes; /* when it was asked last, less the reserve; UINT64_MAX: not told */
    bool low;            /* below the limit then */
    bool reserved;       /* the reserve is held */
    uint64_t events_shed, flags_shed, windows_dropped; /* windows whose part was not written */
    uint64_t segments_removed, flags_removed, bytes_removed;
    uint64_t full; /* times the disk was full in spite of what it had said */
};

/* Removes what a run that was killed left of its reserve, and takes it anew. Where there is no room
 * for it now - windows would be given up for it -, it is taken as soon as there is. Caller owns
 * `*s`. */
MUST_CHECK bool space_new(struct space **s, const struct space_options *o, struct err *e);
/* Gives the reserve up. NULL is harmless. */
void space_free(struct space *s);

/* Before a window is written. `p`: what is to be written of it; what may not is set to false and
 * counted. Without `segment` the window is lost as a whole. `now_s`: UTC, what retention counts
 * from.
 *
 * Where writing failed all the same for want of space (space_lacking), ask again with `full` and
 * the parts that were tried: something more is given up each time, at last the segment. */
void space_check(struct space *s, uint64_t now_s, bool full, struct space_parts *p);

/* The run ends: the reserve is given up for what is still to be written, for good, and from now on
 * no window is given up before the disk is full. */
void space_release(struct space *s);

struct space_stats space_stats(const struct space *s);

/* Did it fail for want of space (or by a quota)? */
bool space_lacking(const struct err *e);
