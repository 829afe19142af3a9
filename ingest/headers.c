#include "ingest/headers.h"

#include "ingest/headers_walk.h"

#include <stdlib.h>

bool headers_new(struct headers **h, const struct headers_limits *limits, struct err *e)
{
    struct headers *n = calloc(1, sizeof *n);
    if (n == NULL) {
        err_set(e, "no memory");
        return err_in(e, "headers");
    }
    if (!frag_new(&n->frags, limits, &n->stats, e)) {
        free(n);
        return err_in(e, "headers");
    }
    *h = n;
    return true;
}

void headers_free(struct headers *h)
{
    if (h == NULL)
        return;
    frag_free(h->frags);
    free(h);
}

void headers_origin_end(struct headers *h, uint16_t origin)
{
    frag_forget(h->frags, origin);
}

const struct headers_stats *headers_stats(const struct headers *h)
{
    return &h->stats;
}

static void rec_begin(struct rec *rec, const struct pkt *pkt)
{
    memset(rec, 0, offsetof(struct rec, site));
    rec->ts_ns = pkt->ts_ns;
    rec->ord = pkt->ord;
    rec->wire_len = pkt->wire_len;
    rec->cap_len = pkt->cap_len;
    rec->link = pkt->link;
    rec->origin = pkt->origin;
    rec->payload = cur_of("", 0, 0);
}

static enum layer step(struct walk *w, enum layer layer)
{
    switch (layer) {
    case LAYER_LINK:
        return link_step(w);
    case LAYER_ETHER:
        return link_ether(w);
    case LAYER_VLAN:
        return link_vlan(w);
    case LAYER_LLC:
        return link_llc(w);
    case LAYER_PPP:
        return link_ppp(w);
    case LAYER_PPPOE:
        return link_pppoe(w);
    case LAYER_MPLS:
        return link_mpls(w);
    case LAYER_NSH:
        return link_nsh(w);
    case LAYER_VNTAG:
        return link_vntag(w);
    case LAYER_CMD:
        return link_cmd(w);
    case LAYER_MACSEC:
        return link_macsec(w);
    case LAYER_PBB:
        return link_pbb(w);
    case LAYER_WLAN:
        return link_wlan(w);
    case LAYER_IP:
        return headers_ip(w);
    case LAYER_EXT6:
        return headers_ip_ext6(w);
    case LAYER_FRAG6:
        return headers_ip_frag6(w);
    case LAYER_AH:
        return headers_ip_ah(w);
    case LAYER_ICMP:
        return headers_ip_icmp(w);
    case LAYER_ICMP6:
        return headers_ip_icmp6(w);
    case LAYER_UDP:
        return headers_ip_udp(w);
    case LAYER_TCP:
        return headers_ip_tcp(w);
    case LAYER_SCTP:
        return headers_ip_sctp(w);
    case LAYER_GRE:
        return tunnel_gre(w);
    case LAYER_ETHERIP:
        return tunnel_etherip(w);
    case LAYER_END:
    case LAYER_N:
        break;
    }
    return LAYER_END;
}

void headers_walk(struct headers *h, const struct pkt *pkt, struct rec *rec)
{
    struct walk w; /* not cleared: `saved` is large, and unused until has_saved */
    w.h = h;
    w.pkt = pkt;
    w.rec = rec;
    w.at = field_of(pkt);
    w.link = pkt->link;
    w.outcome = OUT_MALFORMED;
    w.missing = 0;
    w.tags = 0;
    w.group_frame = w.alone = w.length_open = w.wlan_padded = w.too_deep = w.has_saved = false;
    rec_begin(rec, pkt);

    unsigned depth = 0;
    for (enum layer at = LAYER_LINK; at != LAYER_END; depth++) {
        if (depth == HEADERS_DEPTH_MAX) {
            w.too_deep = true;
            walk_end(&w, OUT_MALFORMED);
            break;
        }
        at = step(&w, at);
    }
    if (w.too_deep)
        h->stats.too_deep++;
    bool broken =
        w.outcome == OUT_MALFORMED || w.outcome == OUT_TRUNCATED || w.outcome == OUT_UNSUPPORTED;
    if (w.has_saved && broken && !w.too_deep) {
        *rec = w.saved; /* no tunnel after all: the datagram's payload is its own */
        w.outcome = OUT_OK;
    } else if (w.alone && broken && !w.too_deep) {
        w.outcome = OUT_FRAGMENT; /* it breaks off too early to be read */
    }
    rec->depth = (uint8_t)depth;
    rec->outcome = w.outcome;
}

/* What most packets are: Ethernet, at most two VLAN tags, IP without options or fragments, UDP or
 * TCP, all headers captured. False for every other packet, which is to be walked. Worth it: a third
 * of the walk's instructions on such packets. Writes each field once: clearing the record first
 * costs as much as filling it. */
static inline bool plain_packet(const struct pkt *pkt, struct rec *rec)
{
    struct field at = field_of(pkt);
    const uint8_t *eth = field_peek(&at, 14 + 20 + 8); /* which is more than two tags need */
    if (eth == NULL)
        return false;
    uint16_t type = be16(eth + 12);
    uint32_t vlan = 0, tags = 0;
    for (; type == 0x8100 || type == 0x88a8; tags++) {
        if (tags == 2)
            return false;
        vlan = vlan << 12 | (be16(eth + 14 + 4 * tags) & 0x0fff);
        type = be16(eth + 16 + 4 * tags);
    }

    const uint8_t *ip = eth + 14 + 4 * tags, *l4;
    bool v4 = type == 0x0800;
    size_t len; /* of what follows the first 8 bytes of UDP or TCP */
    uint8_t ip_proto;
    if (v4) {
        if (field_take(&at, 14 + 4 * tags + 20 + 8) == NULL || ip[0] != 0x45
            || (be16(ip + 6) & 0x3fff) != 0 || be16(ip + 2) < 20 + 8)
            return false;
        len = be16(ip + 2) - 28U;
        ip_proto = ip[9];
        l4 = ip + 20;
    } else if (type == 0x86dd) {
        if (field_take(&at, 14 + 4 * tags + 40 + 8) == NULL || ip[0] >> 4 != 6 || be16(ip + 4) < 8)
            return false;
        len = be16(ip + 4) - 8U;
        ip_proto = ip[6];
        l4 = ip + 40;
    } else {
        return false;
    }

    /* No branch on whether it is TCP, which comes as it likes: `tcp` is all ones, or zero. */
    const size_t tcp = -(size_t)(ip_proto == 6);
    size_t said = be16(l4 + 4) | tcp; /* UDP's length: no more than what IP says */
    bool tunnel = tunnel_udp_port(be16(l4)) || tunnel_udp_port(be16(l4 + 2));
    if (((ip_proto != 17) | (said < 8) | tunnel) & ~tcp)
        return false;
    field_cut(&at, said - 8 < len ? said - 8 : len);
    if (at.c.left < (12 & tcp))
        return false;
    const uint8_t *more = l4 + (8 & tcp);
    size_t words = (more[4] >> 4) & tcp;
    if (words < (5 & tcp) || field_take(&at, (words * 4 - 8) & tcp) == NULL)
        return false;
    rec->tcp_seq = be32(l4 + 4) & (uint32_t)tcp;
    rec->tcp_ack = be32(more) & (uint32_t)tcp;
    rec->tcp_flags = more[5] & (uint8_t)tcp;

    unsigned flags = REC_HAS_MAC | REC_HAS_IP | REC_HAS_PORTS;
    if (vlan != 0)
        flags |= REC_HAS_VLAN;
    bool group;
    if (v4) {
        group = addr_v4_is_group(be32(ip + 16));
        rec->ip_outer = 4;
        rec->src = addr_v4(ip + 12);
        rec->dst = addr_v4(ip + 16);
    } else {
        rec->ip_outer = 6;
        rec->src = addr_v6(ip + 8);
        rec->dst = addr_v6(ip + 24);
        group = addr_is_group(&rec->dst); /* an IPv4-mapped one too, as everywhere */
    }
    rec->ts_ns = pkt->ts_ns;
    rec->ord = pkt->ord;
    rec->wire_len = pkt->wire_len;
    rec->cap_len = pkt->cap_len;
    rec->link = pkt->link;
    rec->origin = pkt->origin;
    if (group || (eth[0] & 1) != 0)
        flags |= REC_GROUP;
    rec->flags = (uint16_t)flags;
    rec->outcome = OUT_OK;
    rec->proto = PROTO_NONE;
    rec->ip_proto = ip_proto;
    rec->sport = be16(l4);
    rec->dport = be16(l4 + 2);
    rec->service_port = 0;
    rec->depth = (uint8_t)(3 + tags);
    rec->payload = at.c;
    rec->payload_wire_len = (uint32_t)at.wire;
    rec->vlan = vlan;
    rec->vni = rec->gre_key = 0;
    memcpy(rec->mac[SIDE_SRC], eth + 6, 6);
    memcpy(rec->mac[SIDE_DST], eth, 6);
    memset(rec->inner_mac, 0, sizeof rec->inner_mac);
    return true;
}

void headers_burst(struct headers *h, const struct pkt pkts[], struct rec recs[], unsigned n)
{
    assert(n <= BURST_MAX);
    frag_burst(h->frags);
    for (unsigned i = 0; i < n; i++) {
        if (pkts[i].filtered) {
            rec_begin(&recs[i], &pkts[i]);
            recs[i].outcome = OUT_FILTERED;
        } else if (pkts[i].link != 1 || !plain_packet(&pkts[i], &recs[i])) {
            headers_walk(h, &pkts[i], &recs[i]);
        }
    }
}
