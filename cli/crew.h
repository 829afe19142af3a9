/* Threads that share the packets of one reader: it hands each packet to the thread that follows its
 * address pair, and follows some itself.
 *
 * Packets go in bounded batches, and their payload goes with them, so that nobody waits for a
 * reader's memory. Within an address pair the order is kept; nothing else depends on it, so that
 * any number of threads counts the same. */
#pragma once
#include "cli/pipeline.h"

struct crew;

/* `threads` >= 1 beside the reader. All arguments are borrowed. */
MUST_CHECK bool crew_new(struct crew **c, const struct config *config, unsigned threads,
                         struct windows_spill spill, struct err *e);
/* Ends threads that still run. NULL is harmless. */
void crew_free(struct crew *c);

/* For the reader's pipeline. */
struct spread crew_spread(struct crew *c);

/* As pipeline_begin, and pipeline_end of the reader's pipeline `pl` (call this one first), for all
 * threads. `path` must stay. */
void crew_begin(struct crew *c, const char *path);
void crew_end(struct crew *c, const struct pipeline *pl);

/* Did one of them fail? crew_join says why. */
bool crew_failed(struct crew *c);

/* Waits until everything handed over is counted, and adds it to `into`. Nothing but crew_free may
 * follow. */
MUST_CHECK bool crew_join(struct crew *c, struct windows *into, struct cert_notes *notes,
                          struct err *e);
