/* Receive-side scaling by addresses alone: the key, the adapter's Toeplitz hash over it, and which
 * queue it means.
 *
 * The key repeats 0x6d5a, so that swapping source and destination changes nothing (Woo and Park,
 * "Scalable TCP Session Monitoring with Symmetric Receive-side Scaling", 2012). A key of period 16
 * also makes the hash a function of the exclusive or of all 16-bit words of its input: two look-ups
 * instead of 256 steps. */
#pragma once
#include "core/addr.h"

#include <stdint.h>

enum { RSS_KEY_MAX = 64, RSS_RETA_MAX = 2048 };

/* A queue for each hash. */
struct rss {
    uint32_t high[256], low[256]; /* hash of the folded input: high[first byte] ^ low[second] */
    uint16_t reta[RSS_RETA_MAX];
    uint32_t reta_mask; /* entries less one: a power of two */
};

void rss_key(uint8_t *key, unsigned len);
/* Fills the hash, and a table that gives queues in turn. `entries` is a power of two. */
void rss_init(struct rss *r, unsigned entries, unsigned queues);

/* Addresses of the outermost IP header of an Ethernet frame, behind up to two VLAN tags, as an
 * adapter finds them. */
bool rss_outer(const uint8_t *frame, uint32_t len, struct addr *src, struct addr *dst);

static inline uint32_t rss_hash(const struct rss *r, const struct addr *src, const struct addr *dst)
{
    /* An IPv4 address's ::ffff: prefix stands in both, and so cancels itself. */
    uint64_t a[2], b[2];
    memcpy(a, src->b, sizeof a);
    memcpy(b, dst->b, sizeof b);
    uint64_t x = a[0] ^ a[1] ^ b[0] ^ b[1];
    x ^= x >> 32;
    x ^= x >> 16;
    uint16_t word = (uint16_t)x;
    uint8_t fold[2]; /* as on the wire */
    memcpy(fold, &word, sizeof fold);
    return r->high[fold[0]] ^ r->low[fold[1]];
}

static inline unsigned rss_queue(const struct rss *r, const struct addr *src,
                                 const struct addr *dst)
{
    return r->reta[rss_hash(r, src, dst) & r->reta_mask];
}
