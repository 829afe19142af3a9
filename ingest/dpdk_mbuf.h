/* The bytes of a packet as they were on the wire, out of a buffer of the framework. */
#pragma once
#include <rte_mbuf.h>

#include <stdbool.h>

/* VLAN tags the adapter took out and tells beside the packet. */
#define MBUF_STRIPPED (RTE_MBUF_F_RX_VLAN_STRIPPED | RTE_MBUF_F_RX_QINQ_STRIPPED)

/* Whether bytes and length can be had as they lie. */
static inline bool mbuf_plain(const struct rte_mbuf *m)
{
    return m->nb_segs == 1 && (m->ol_flags & MBUF_STRIPPED) == 0;
}

struct mbuf_bytes {
    const uint8_t *p;
    uint32_t len, wire_len; /* at `p`; of the packet, with the tags put back */
};

/* Puts tags back (802.1Q 0x8100; of two taken out, the outer as 802.1ad 0x88a8: the adapter does
 * not tell), and several segments together. Tags go into the headroom where the buffer is ours
 * alone, and count as packet from then on; all else is copied into `scratch`, `size` bytes at most,
 * and the buffer is left as it was. */
struct mbuf_bytes mbuf_wire(struct rte_mbuf *m, uint8_t *scratch, uint32_t size);
