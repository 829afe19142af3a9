#include "ingest/dpdk_rss.h"

void rss_key(uint8_t *key, unsigned len)
{
    for (unsigned i = 0; i < len; i++)
        key[i] = i % 2 == 0 ? 0x6d : 0x5a;
}

/* The key's 32 bits that the input bit `i`, counted from the first on the wire, adds to the hash.
 */
static uint32_t key_window(unsigned i)
{
    const uint64_t key = UINT64_C(0x6d5a6d5a6d5a6d5a);
    return (uint32_t)(key >> (32 - i % 16));
}

void rss_init(struct rss *r, unsigned entries, unsigned queues)
{
    for (unsigned v = 0; v < 256; v++) {
        r->high[v] = r->low[v] = 0;
        for (unsigned bit = 0; bit < 8; bit++) {
            if ((v >> (7 - bit) & 1) == 0)
                continue;
            r->high[v] ^= key_window(bit);
            r->low[v] ^= key_window(bit + 8);
        }
    }
    for (unsigned i = 0; i < entries; i++)
        r->reta[i] = (uint16_t)(i % queues);
    r->reta_mask = entries - 1;
}

bool rss_outer(const uint8_t *frame, uint32_t len, struct addr *src, struct addr *dst)
{
    uint32_t at = 12;
    for (unsigned tags = 0; at + 2 <= len; tags++, at += 4) {
        unsigned type = (unsigned)frame[at] << 8 | frame[at + 1];
        if (type == 0x0800 && at + 2 + 20 <= len && frame[at + 2] >> 4 == 4) {
            *src = addr_v4(frame + at + 2 + 12);
            *dst = addr_v4(frame + at + 2 + 16);
            return true;
        }
        if (type == 0x86dd && at + 2 + 40 <= len && frame[at + 2] >> 4 == 6) {
            *src = addr_v6(frame + at + 2 + 8);
            *dst = addr_v6(frame + at + 2 + 24);
            return true;
        }
        if ((type != 0x8100 && type != 0x88a8 && type != 0x9100) || tags == 2)
            return false;
    }
    return false;
}
