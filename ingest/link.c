#include "ingest/headers_walk.h"

/* https://www.tcpdump.org/linktypes.html */
enum linktype {
    LINK_NULL = 0,
    LINK_EN10MB = 1,
    LINK_PPP = 9,
    LINK_RAW_BSD = 12, /* the DLT number, found in old files */
    LINK_RAW_OPENBSD = 14,
    LINK_PPP_HDLC = 50,
    LINK_PPP_ETHER = 51,
    LINK_RAW = 101,
    LINK_C_HDLC = 104,
    LINK_IEEE802_11 = 105,
    LINK_FRELAY = 107,
    LINK_LOOP = 108,
    LINK_LINUX_SLL = 113,
    LINK_PRISM = 119,
    LINK_RADIOTAP = 127,
    LINK_ARCNET_LINUX = 129,
    LINK_USER2 = 149, /* what Apple's tcpdump wrote PKTAP as */
    LINK_AVS = 163,
    LINK_PPP_PPPD = 166,
    LINK_PPI = 192,
    LINK_PPP_WITH_DIR = 204,
    LINK_IPNET = 226,
    LINK_IPV4 = 228,
    LINK_IPV6 = 229,
    LINK_NFLOG = 239,
    LINK_IPOIB = 242,
    LINK_PKTAP = 258,
    LINK_LINUX_SLL2 = 276,
};

void link_macs(struct walk *w, const uint8_t src[6], const uint8_t dst[6])
{
    struct rec *r = w->rec;
    bool inner = (r->flags & (REC_HAS_MAC | REC_HAS_IP)) != 0;
    uint8_t(*macs)[6] = inner ? r->inner_mac : r->mac;
    memcpy(macs[SIDE_SRC], src, 6);
    if (dst != NULL)
        memcpy(macs[SIDE_DST], dst, 6);
    else
        memset(macs[SIDE_DST], 0, 6);
    r->flags |= inner ? REC_HAS_INNER_MAC : REC_HAS_MAC;
    w->group_frame = dst != NULL && (dst[0] & 1) != 0;
    walk_tags_done(w);
}

enum layer link_not_mine(struct walk *w)
{
    if (w->group_frame)
        w->rec->flags |= REC_GROUP;
    return walk_end(w, OUT_NOT_MINE);
}

enum layer link_type(struct walk *w, uint16_t type)
{
    switch (type) {
    case 0x0800:
    case 0x86dd:
        return LAYER_IP;
    case 0x8100: /* 802.1Q */
    case 0x88a8: /* 802.1ad */
    case 0x9100: /* what came before it */
    case 0x9200:
    case 0x9300:
        return LAYER_VLAN;
    case 0x8847:
    case 0x8848:
        return LAYER_MPLS;
    case 0x8864:
        return LAYER_PPPOE;
    case 0x880b:
        return LAYER_PPP;
    case 0x6558:
        return LAYER_ETHER;
    case 0x8870: /* LLC in a frame too long for a length */
        return LAYER_LLC;
    case 0x8909:
        return LAYER_CMD;
    case 0x8926:
        return LAYER_VNTAG;
    case 0x894f:
        return LAYER_NSH;
    case 0x88e5:
        return LAYER_MACSEC;
    case 0x88e7:
        return LAYER_PBB;
    default:
        return link_not_mine(w);
    }
}

enum layer link_type_or_length(struct walk *w, uint16_t type)
{
    if (type > 1500)
        return link_type(w, type);
    field_cut(&w->at, type);
    return LAYER_LLC;
}

enum layer link_ether(struct walk *w)
{
    const uint8_t *p = field_take(&w->at, 14);
    if (p == NULL)
        return walk_short(w, 14);
    link_macs(w, p + 6, p);
    return link_type_or_length(w, be16(p + 12));
}

bool link_looks_ether(const struct field *f)
{
    const uint8_t *p = field_peek(f, 14);
    if (p == NULL || (p[6] & 1) != 0) /* no frame comes from a group */
        return false;
    struct field payload = *f;
    if (field_take(&payload, 14) == NULL)
        return false;
    uint16_t type = be16(p + 12);
    switch (type) {
    case 0x0800:
        return walk_looks_ip4(&payload);
    case 0x86dd:
        return walk_looks_ip6(&payload);
    case 0x0806:
    case 0x8100:
    case 0x88a8:
    case 0x8847:
    case 0x8863:
    case 0x8864:
    case 0x88cc:
        return true;
    default:
        p = field_peek(&payload, 3); /* a length: LLC unnumbered information must follow */
        return p != NULL && p[2] == 0x03 && type >= 3 && type <= 1500 && type <= payload.wire;
    }
}

/* IEEE 802.1Q 9.6. The tags of the first frame that has any are kept, two at most. */
enum layer link_vlan(struct walk *w)
{
    const uint8_t *p = field_take(&w->at, 4);
    if (p == NULL)
        return walk_short(w, 4);
    struct rec *r = w->rec;
    uint32_t tag = be16(p) & 0x0fff;
    if (w->tags == 0)
        r->vlan = tag;
    else if (w->tags == 1)
        r->vlan = r->vlan << 12 | tag;
    w->tags += w->tags < 2;
    if (r->vlan != 0) /* tag 0 alone is a priority, not a VLAN */
        r->flags |= REC_HAS_VLAN;
    return link_type_or_length(w, be16(p + 2));
}

/* IEEE 802.2, with SNAP. */
enum layer link_llc(struct walk *w)
{
    const uint8_t *p = field_take(&w->at, 3);
    if (p == NULL)
        return walk_short(w, 3);
    if (p[0] == 0x06 && p[1] == 0x06 && p[2] == 0x03)
        return LAYER_IP;
    if (p[0] != 0xaa || p[1] != 0xaa || p[2] != 0x03)
        return link_not_mine(w);
    p = field_take(&w->at, 5);
    if (p == NULL)
        return walk_short(w, 5);
    uint32_t oui = be32(p) >> 8;
    uint16_t type = be16(p + 3);
    if ((oui == 0 || oui == 0x0000f8) && type > 1500)
        return link_type(w, type);
    if (oui == 0x0080c2 && (type == 1 || type == 7)) /* bridged: RFC 2684 5.2 */
        return LAYER_ETHER;
    return link_not_mine(w);
}

/* RFC 1661 2, RFC 1662 3.1: address and control, and half of the protocol, may be left out. */
enum layer link_ppp(struct walk *w)
{
    const uint8_t *p = field_peek(&w->at, 2);
    if (p == NULL)
        return walk_short(w, 2);
    size_t before = p[0] == 0xff && p[1] == 0x03 ? 2 : 0;
    p = field_take(&w->at, before + 1);
    if (p == NULL)
        return walk_short(w, before + 1);
    uint16_t proto = p[before];
    if ((proto & 1) == 0) {
        p = field_take(&w->at, 1);
        if (p == NULL)
            return walk_short(w, 1);
        proto = (uint16_t)(proto << 8 | p[0]);
    }
    switch (proto) {
    case 0x0021:
    case 0x0057:
        return LAYER_IP;
    case 0x0281:
    case 0x0283:
        return LAYER_MPLS;
    default:
        return link_not_mine(w);
    }
}

/* Linux cooked capture: what the kernel says of a packet whose link header it does not give. */
static enum layer cooked(struct walk *w, uint16_t proto, uint8_t pkttype, uint16_t addr_len,
                         const uint8_t addr[8])
{
    if (addr_len == 6)
        link_macs(w, addr, NULL);
    w->group_frame = pkttype == 1 || pkttype == 2;
    if (proto == 4)
        return LAYER_LLC;
    return proto > 1500 ? link_type(w, proto) : link_not_mine(w);
}

static enum layer sll(struct walk *w)
{
    const uint8_t *p = field_take(&w->at, 16);
    if (p == NULL)
        return walk_short(w, 16);
    return cooked(w, be16(p + 14), (uint8_t)be16(p), be16(p + 4), p + 6);
}

static enum layer sll2(struct walk *w)
{
    const uint8_t *p = field_take(&w->at, 20);
    return p == NULL ? walk_short(w, 20) : cooked(w, be16(p), p[10], p[11], p + 12);
}

/* RFC 1547 4.3.1: unicast or broadcast, and a zero, before the EtherType. */
static bool cisco_hdlc(const uint8_t *p)
{
    return (p[0] == 0x0f || p[0] == 0x8f) && p[1] == 0;
}

/* The address family of the capturing host, in its byte order: AF_INET is 2 everywhere, AF_INET6 is
 * not. */
static enum layer null_loopback(struct walk *w)
{
    const uint8_t *p = field_take(&w->at, 4);
    if (p == NULL)
        return walk_short(w, 4);
    if (cisco_hdlc(p)) /* seen where this link type was put over other frames */
        return link_type(w, be16(p + 2));
    uint32_t family = be32(p) > 0xffff ? le32(p) : be32(p);
    switch (family) {
    case 2:
    case 10:
    case 23:
    case 24:
    case 28:
    case 30:
        return LAYER_IP;
    default:
        return family > 1500 && family <= 0xffff ? link_type(w, (uint16_t)family)
                                                 : link_not_mine(w);
    }
}

/* PPP, or Cisco HDLC in its place. */
static enum layer hdlc(struct walk *w, bool always_cisco)
{
    const uint8_t *p = field_peek(&w->at, 2);
    if (!always_cisco && (p == NULL || !cisco_hdlc(p)))
        return link_ppp(w);
    p = field_take(&w->at, 4);
    return p == NULL ? walk_short(w, 4) : link_type(w, be16(p + 2));
}

/* Frame relay: RFC 2427 3, or an EtherType in Cisco's manner. */
static enum layer frame_relay(struct walk *w)
{
    const uint8_t *p;
    unsigned bytes = 0;
    do {
        p = field_take(&w->at, 1);
        if (p == NULL)
            return walk_short(w, 1);
    } while ((p[0] & 1) == 0 && ++bytes < 4);
    p = field_take(&w->at, 2);
    if (p == NULL)
        return walk_short(w, 2);
    if (p[0] != 0x03)
        return link_type(w, be16(p));
    if (p[1] == 0xcc || p[1] == 0x8e)
        return LAYER_IP;
    return link_not_mine(w);
}

/* ARCNET as Linux gives it: IP in the manner of RFC 1051, or of RFC 1201 (not in parts). */
static enum layer arcnet(struct walk *w)
{
    const uint8_t *p = field_take(&w->at, 5);
    if (p == NULL)
        return walk_short(w, 5);
    if (p[4] == 240)
        return LAYER_IP;
    if (p[4] != 212)
        return link_not_mine(w);
    p = field_take(&w->at, 3);
    if (p == NULL)
        return walk_short(w, 3);
    return p[0] == 0 ? LAYER_IP : link_not_mine(w);
}

/* Netfilter log: TLVs in host byte order, padded to 4; number 9 is the packet. */
static enum layer nflog(struct walk *w)
{
    const uint8_t *p = field_take(&w->at, 4);
    if (p == NULL)
        return walk_short(w, 4);
    if ((p[0] != 2 && p[0] != 10) || p[1] != 0)
        return link_not_mine(w);
    const uint8_t *first = field_peek(&w->at, 4);
    bool little = first == NULL || first[1] == 0; /* the first one is short */
    while (w->at.wire > 0) {
        p = field_peek(&w->at, 4);
        if (p == NULL)
            return walk_short(w, 4);
        size_t len = little ? (size_t)(p[0] | p[1] << 8) : be16(p);
        unsigned kind = (little ? (unsigned)(p[2] | p[3] << 8) : be16(p + 2)) & 0x7fff;
        if (len < 4)
            return walk_end(w, OUT_MALFORMED);
        if (kind == 9) {
            field_cut(&w->at, len);
            return field_take(&w->at, 4) == NULL ? walk_short(w, 4) : LAYER_IP;
        }
        len = (len + 3) & ~(size_t)3;
        if (field_take(&w->at, len) == NULL)
            return walk_short(w, len);
    }
    return link_not_mine(w);
}

/* Apple's packet metadata before a frame of another link type, little-endian on every machine that
 * writes it. */
static enum layer pktap(struct walk *w)
{
    const uint8_t *p = field_peek(&w->at, 12);
    if (p == NULL)
        return walk_short(w, 12);
    uint32_t len = le32(p), next = le32(p + 4);
    w->link = le32(p + 8);
    if (len < 12)
        return walk_end(w, OUT_MALFORMED);
    if (field_take(&w->at, len) == NULL)
        return walk_short(w, len);
    return next == 1 ? LAYER_LINK : link_not_mine(w);
}

/* IP over InfiniBand: a global routing header, then RFC 4391 6. */
static enum layer ipoib(struct walk *w)
{
    const uint8_t *p = field_take(&w->at, 44);
    return p == NULL ? walk_short(w, 44) : link_type(w, be16(p + 40));
}

enum layer link_step(struct walk *w)
{
    switch (w->link) {
    case LINK_EN10MB:
        return link_ether(w);
    case LINK_RAW_BSD:
    case LINK_RAW_OPENBSD:
    case LINK_RAW:
    case LINK_IPV4:
    case LINK_IPV6:
        return headers_ip(w);
    case LINK_LINUX_SLL:
        return sll(w);
    case LINK_LINUX_SLL2:
        return sll2(w);
    case LINK_NULL:
    case LINK_LOOP:
        return null_loopback(w);
    case LINK_PPP:
    case LINK_PPP_HDLC:
        return hdlc(w, false);
    case LINK_C_HDLC:
        return hdlc(w, true);
    case LINK_PPP_PPPD:
    case LINK_PPP_WITH_DIR: /* a byte of direction before */
        return field_take(&w->at, 1) == NULL ? walk_short(w, 1) : LAYER_PPP;
    case LINK_PPP_ETHER:
        return link_pppoe(w);
    case LINK_IEEE802_11:
        return link_wlan(w);
    case LINK_PRISM:
    case LINK_AVS:
        return link_wlan_prism(w);
    case LINK_RADIOTAP:
        return link_wlan_radiotap(w);
    case LINK_PPI:
        return link_wlan_ppi(w);
    case LINK_FRELAY:
        return frame_relay(w);
    case LINK_ARCNET_LINUX:
        return arcnet(w);
    case LINK_NFLOG:
        return nflog(w);
    case LINK_PKTAP:
    case LINK_USER2:
        return pktap(w);
    case LINK_IPNET: /* Solaris: 24 bytes, no EtherType; the family is the IP header's version */
        return field_take(&w->at, 24) == NULL ? walk_short(w, 24) : LAYER_IP;
    case LINK_IPOIB:
        return ipoib(w);
    default:
        return walk_end(w, OUT_UNSUPPORTED);
    }
}
