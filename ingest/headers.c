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

static bool group4(const uint8_t a[4])
{
    uint32_t v = be32(a);
    return (a[0] & 0xf0) == 0xe0 || v == 0xffffffff || v == 0;
}

static bool group6(const uint8_t a[16])
{
    uint64_t high, low;
    memcpy(&high, a, 8);
    memcpy(&low, a + 8, 8);
    return a[0] == 0xff || (high | low) == 0;
}

/* What most packets are: Ethernet, at most two VLAN tags, IP without options or fragments, UDP or
 * TCP, all headers captured. False, with nothing written, for every other packet. Worth it: 40 % of
 * the walk's time on such packets. */
static bool plain_packet(const struct pkt *pkt, struct rec *rec)
{
    struct field at = field_of(pkt);
    const uint8_t *eth = field_take(&at, 14);
    if (eth == NULL)
        return false;
    uint16_t type = be16(eth + 12);
    uint32_t vlan = 0, tags = 0;
    for (; type == 0x8100 || type == 0x88a8; tags++) {
        const uint8_t *tag = field_take(&at, 4);
        if (tag == NULL || tags == 2)
            return false;
        vlan = vlan << 12 | (be16(tag) & 0x0fff);
        type = be16(tag + 2);
    }

    const uint8_t *ip;
    uint8_t ip_proto;
    bool group = (eth[0] & 1) != 0, v4 = type == 0x0800;
    if (v4) {
        ip = field_take(&at, 20);
        if (ip == NULL || ip[0] != 0x45 || (be16(ip + 6) & 0x3fff) != 0 || be16(ip + 2) < 20)
            return false;
        field_cut(&at, be16(ip + 2) - 20U);
        ip_proto = ip[9];
        group = group || group4(ip + 16);
    } else if (type == 0x86dd) {
        ip = field_take(&at, 40);
        if (ip == NULL || ip[0] >> 4 != 6 || be16(ip + 4) == 0)
            return false;
        field_cut(&at, be16(ip + 4));
        ip_proto = ip[6];
        group = group || group6(ip + 24);
    } else {
        return false;
    }

    const uint8_t *l4;
    if (ip_proto == 17) {
        l4 = field_take(&at, 8);
        if (l4 == NULL || be16(l4 + 4) < 8 || tunnel_udp_port(be16(l4))
            || tunnel_udp_port(be16(l4 + 2)))
            return false;
        field_cut(&at, be16(l4 + 4) - 8U);
    } else if (ip_proto == 6) {
        l4 = field_take(&at, 20);
        if (l4 == NULL || l4[12] < 5 << 4 || field_take(&at, (l4[12] >> 4) * 4U - 20) == NULL)
            return false;
    } else {
        return false;
    }

    rec_begin(rec, pkt);
    rec->flags = (uint16_t)(REC_HAS_MAC | REC_HAS_IP | REC_HAS_PORTS | (group ? REC_GROUP : 0)
                            | (vlan != 0 ? REC_HAS_VLAN : 0));
    rec->outcome = OUT_OK;
    rec->ip_outer = v4 ? 4 : 6;
    rec->ip_proto = ip_proto;
    rec->sport = be16(l4);
    rec->dport = be16(l4 + 2);
    if (ip_proto == 6) {
        rec->tcp_seq = be32(l4 + 4);
        rec->tcp_ack = be32(l4 + 8);
        rec->tcp_flags = l4[13];
    }
    rec->depth = (uint8_t)(3 + tags);
    rec->src = v4 ? addr_v4(ip + 12) : addr_v6(ip + 8);
    rec->dst = v4 ? addr_v4(ip + 16) : addr_v6(ip + 24);
    rec->payload = at.c;
    rec->payload_wire_len = (uint32_t)at.wire;
    rec->vlan = vlan;
    memcpy(rec->mac[SIDE_SRC], eth + 6, 6);
    memcpy(rec->mac[SIDE_DST], eth, 6);
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
