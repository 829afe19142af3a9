#include "decoders/blobs.h"

#include "core/arena.h"
#include "core/hash.h"

enum { INDEX_BITS = 28 }; /* of a number; the class is above */

struct blob {
    uint32_t next; /* of the chain, or of the free ones */
    uint32_t owners;
    uint16_t len;
    uint8_t bytes[];
};
static_assert(offsetof(struct blob, bytes) == (BLOB_UNIT << (BLOB_CLASSES - 1)) - BLOB_MAX,
              "no gap");

static size_t buckets_bytes(const struct blobs *b)
{
    return ((size_t)b->mask + 1) * sizeof *b->buckets;
}

bool blobs_init(struct blobs *b, uint32_t max, uint64_t seed, struct err *e)
{
    uint32_t n = 4;
    assert(max <= 1u << (INDEX_BITS - 1));
    while (n < max / 4)
        n *= 2;
    *b = (struct blobs){.mask = n - 1, .seed = seed};
    b->buckets = arena_new(buckets_bytes(b), ARENA_COLD, e);
    bool ok = b->buckets != NULL;
    for (unsigned k = 0; k < BLOB_CLASSES && ok; k++)
        ok = stream_pool_init(&b->classes[k], BLOB_UNIT << k, (max >> k) + 1, e);
    if (!ok)
        blobs_end(b);
    return ok;
}

void blobs_end(struct blobs *b)
{
    for (unsigned k = 0; k < BLOB_CLASSES; k++)
        stream_pool_end(&b->classes[k]);
    if (b->buckets != NULL)
        arena_free(b->buckets, buckets_bytes(b));
    b->buckets = NULL;
}

static struct blob *blob_at(const struct blobs *b, uint32_t number)
{
    uint32_t i = number & ((1u << INDEX_BITS) - 1);
    return stream_pool_at(&b->classes[number >> INDEX_BITS], i);
}

static uint32_t *bucket_of(const struct blobs *b, const void *p, size_t len)
{
    return &b->buckets[hash_bytes(p, len, b->seed) & b->mask];
}

uint32_t blobs_take(struct blobs *b, const void *p, size_t len)
{
    if (len > BLOB_MAX)
        return 0;
    uint32_t *head = bucket_of(b, p, len);
    for (uint32_t number = *head; number != 0;) {
        struct blob *blob = blob_at(b, number);
        if (blob->len == len && memcmp(blob->bytes, p, len) == 0) {
            blob->owners++;
            return number;
        }
        number = blob->next;
    }
    uint32_t k = 0;
    while (offsetof(struct blob, bytes) + len > (size_t)BLOB_UNIT << k)
        k++;
    uint32_t i = stream_pool_take(&b->classes[k]);
    if (i == 0)
        return 0;
    uint32_t number = k << INDEX_BITS | i;
    struct blob *blob = blob_at(b, number);
    *blob = (struct blob){.next = *head, .owners = 1, .len = (uint16_t)len};
    memcpy(blob->bytes, p, len);
    *head = number;
    return number;
}

const uint8_t *blobs_at(const struct blobs *b, uint32_t number, size_t *len)
{
    const struct blob *blob = blob_at(b, number);
    *len = blob->len;
    return blob->bytes;
}

void blobs_give(struct blobs *b, uint32_t number)
{
    struct blob *blob = blob_at(b, number);
    if (--blob->owners > 0)
        return;
    uint32_t *link = bucket_of(b, blob->bytes, blob->len);
    while (*link != number)
        link = &blob_at(b, *link)->next;
    *link = blob->next;
    stream_pool_give(&b->classes[number >> INDEX_BITS], number & ((1u << INDEX_BITS) - 1));
}
