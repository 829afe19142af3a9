/* Many segments at once: written aside one by one, brought to the disk and named together at the
 * end. A disk that must be waited for once a file makes a run over years of captures wait for
 * minutes; waiting once for all of them does not. Each stays whole or absent. */
#pragma once
#include "core/err.h"

struct segment_batch {
    struct segment_pending *pending; /* owned */
    size_t n, cap;
};

/* Takes over the file `aside`, which is to become `path` in `dir`. All are copied. */
MUST_CHECK bool segment_batch_add(struct segment_batch *b, const char *aside, const char *path,
                                  const char *dir, struct err *e);

/* Syncs and names all, in the order they were added, then syncs their directories. Stops at the
 * first failure: what was named before is whole and stays, the rest is removed. Leaves the batch
 * empty in either case. */
MUST_CHECK bool segment_batch_commit(struct segment_batch *b, struct err *e);
