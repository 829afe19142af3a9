/* Things kept until all of them go at once: room that never moves, and texts, each of them once. */
#pragma once
#include "core/err.h"

struct keep {
    struct keep_block *blocks; /* owned; the newest first */
    size_t left;               /* bytes of the newest */
    const char **texts;        /* owned: open addressing by hash */
    size_t n, mask;
};

/* Starts from zeros. */
void keep_free(struct keep *k);

/* `bytes` bytes, aligned for any number; NULL where memory is out. */
MUST_CHECK void *keep_room(struct keep *k, size_t bytes);

/* The text of these bytes, ended by NUL: for the same bytes the same pointer. They hold no NUL.
 * NULL where memory is out. */
MUST_CHECK const char *keep_text(struct keep *k, const char *p, size_t len);
