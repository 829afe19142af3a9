#include "ingest/dpdk_mbuf.h"

#include <string.h>

/* Bytes of the tags that were taken out, in wire order; how many (0, 4, 8). Where only the outer of
 * two was, the inner one still stands in the packet. */
static uint32_t tags_of(const struct rte_mbuf *m, uint8_t tags[static 8])
{
    bool outer = (m->ol_flags & RTE_MBUF_F_RX_QINQ_STRIPPED) != 0;
    bool inner = (m->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED) != 0;
    uint32_t n = 0;
    if (outer) {
        memcpy(
            tags,
            (uint8_t[]){0x88, 0xa8, (uint8_t)(m->vlan_tci_outer >> 8), (uint8_t)m->vlan_tci_outer},
            4);
        n = 4;
    }
    if (inner) {
        memcpy(tags + n, (uint8_t[]){0x81, 0x00, (uint8_t)(m->vlan_tci >> 8), (uint8_t)m->vlan_tci},
               4);
        n += 4;
    }
    return n;
}

/* Copies `len` bytes from `at` of the chain; fewer where it ends. */
static uint32_t copy_chain(const struct rte_mbuf *m, uint32_t at, uint8_t *to, uint32_t len)
{
    uint32_t done = 0;
    for (; m != NULL && done < len; m = m->next) {
        if (at >= m->data_len) {
            at -= m->data_len;
            continue;
        }
        uint32_t n = RTE_MIN(m->data_len - at, len - done);
        memcpy(to + done, rte_pktmbuf_mtod_offset(m, uint8_t *, at), n);
        done += n;
        at = 0;
    }
    return done;
}

struct mbuf_bytes mbuf_wire(struct rte_mbuf *m, uint8_t *scratch, uint32_t size)
{
    enum { MACS = 12 };
    uint8_t tags[8];
    uint32_t n_tags = m->data_len >= MACS ? tags_of(m, tags) : 0;
    if (m->nb_segs == 1 && rte_mbuf_refcnt_read(m) == 1 && rte_pktmbuf_headroom(m) >= n_tags) {
        if (n_tags > 0) {
            uint8_t *old = rte_pktmbuf_mtod(m, uint8_t *);
            uint8_t *p = (uint8_t *)rte_pktmbuf_prepend(m, (uint16_t)n_tags);
            memmove(p, old, MACS);
            memcpy(p + MACS, tags, n_tags);
            m->ol_flags &= ~MBUF_STRIPPED;
        }
        return (struct mbuf_bytes){rte_pktmbuf_mtod(m, uint8_t *), m->data_len, m->pkt_len};
    }
    struct mbuf_bytes b = {scratch, 0, m->pkt_len + n_tags};
    b.len = copy_chain(m, 0, scratch, MACS);
    memcpy(scratch + b.len, tags, n_tags);
    b.len += n_tags;
    b.len += copy_chain(m, MACS, scratch + b.len, size - b.len);
    return b;
}
