/* The header walk: link layer to transport, through tunnels, with IP fragments put together.
 *
 * Link types EN10MB, LINUX_SLL and SLL2, RAW/IPV4/IPV6, NULL/LOOP, PPP (and PPP_HDLC, PPP_ETHER,
 * PPP_WITH_DIR, C_HDLC), IEEE802_11 (and radiotap, PPI, Prism, AVS), FRELAY, NFLOG, PKTAP, IPNET,
 * IPOIB, ARCNET_LINUX; others are OUT_UNSUPPORTED. Then 802.1Q/ad and QinQ, 802.3 LLC/SNAP, VN-tag,
 * NSH, 802.1ah, MACsec in clear, MPLS, PPPoE, GRE (PPTP, ERSPAN I-III), EtherIP, IP-in-IP, 6in4,
 * IPv4 options, IPv6 extension headers (AH walked, ESP is opaque), fragments; and in UDP VXLAN (and
 * GPE), Geneve, GTP-U, Teredo, L2TP, CAPWAP. A UDP tunnel is known by port and by content that
 * fits; else the payload is the datagram's own. The innermost good IP header stands.
 *
 * Depth and counts are limited; frame padding is cut by the IP length; IP length 0 (TSO) means "to
 * the end of the frame". Cooked captures know no destination MAC: it is zero. VLAN tags are those
 * of the first frame that has any, VNI and GRE key those of the first header that has one. */
#pragma once
#include "core/err.h"
#include "core/pkt.h"
#include "core/rec.h"

struct headers; /* the fragment table of one worker, and its counters */

struct headers_limits {
    uint32_t fragment_datagrams;  /* datagrams being put together at once */
    uint32_t fragment_bytes;      /* memory for their bytes */
    uint32_t fragment_timeout_ms; /* by packet time; RFC 8200 4.5 says 60 s */
};

struct headers_stats {
    uint64_t fragments;             /* fragments seen */
    uint64_t datagrams;             /* datagrams completed from fragments */
    uint64_t fragments_turned_away; /* table or memory limit: datagrams given up */
    uint64_t fragments_overlap;     /* conflicting overlaps: first bytes win */
    uint64_t too_deep;              /* stopped at the depth limit */
};

/* Takes all its memory now. Fails only without memory. Caller owns `*h`. */
MUST_CHECK bool headers_new(struct headers **h, const struct headers_limits *limits, struct err *e);
void headers_free(struct headers *h);

/* Walks n <= BURST_MAX packets. Fills recs[i] from pkts[i] for every i: all fields but site, client
 * and service_port.
 *
 * OUT_OK: UDP, TCP or SCTP ports known, a decoder may look at the payload (REC_HAS_PORTS).
 *
 * OUT_NOT_MINE: whole, but nothing for a decoder (ARP, ICMP, ESP, LLC, ...); what was found is
 * filled.
 *
 * OUT_FRAGMENT: a fragment whose datagram is not complete (yet); the packet that completes one
 * carries the whole payload.
 *
 * OUT_TRUNCATED, OUT_MALFORMED; OUT_UNSUPPORTED (link type); OUT_TABLE_FULL (fragment limits);
 * OUT_FILTERED where pkt.filtered.
 *
 * A TCP or UDP payload cut by the snap length stays OUT_OK with payload.snapped: decoders decide
 * what they miss. So does a first fragment that the capture cut, which can never be completed. The
 * payload of a reassembled datagram lives until the next headers_burst. */
void headers_burst(struct headers *h, const struct pkt pkts[], struct rec recs[], unsigned n);

/* Forgets the fragments of the capture context `origin` (it ended). Those datagrams stay counted as
 * OUT_FRAGMENT. */
void headers_origin_end(struct headers *h, uint16_t origin);

const struct headers_stats *headers_stats(const struct headers *h);
