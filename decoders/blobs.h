/* Byte strings that many share: each distinct one is kept once, and counted. */
#pragma once
#include "decoders/stream_pool.h"

enum {
    BLOB_CLASSES = 6,
    BLOB_UNIT = 64, /* bytes an element of the first class; each next has twice as many */
    BLOB_MAX = (BLOB_UNIT << (BLOB_CLASSES - 1)) - 10, /* bytes a string */
};

struct blobs {
    struct stream_pool classes[BLOB_CLASSES];
    uint32_t *buckets; /* numbers of the first of each chain */
    uint32_t mask;
    uint64_t seed;
};

/* Reserves address space for `max` strings (at most 1 << 27) of the first class, half as many of
 * the next, and so on. */
MUST_CHECK bool blobs_init(struct blobs *b, uint32_t max, uint64_t seed, struct err *e);
void blobs_end(struct blobs *b);

/* The number of the string, which counts one owner more, or 0 where it is too long or no place is
 * left. */
MUST_CHECK uint32_t blobs_take(struct blobs *b, const void *p, size_t len);
/* Its bytes, as long as it has owners. */
const uint8_t *blobs_at(const struct blobs *b, uint32_t number, size_t *len);
/* Counts an owner less; nobody's strings are forgotten. */
void blobs_give(struct blobs *b, uint32_t number);
