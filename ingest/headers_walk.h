/* The inside of the header walk: what its files share, and nobody else includes.
 *
 * One header is one step: a function takes it off `at`, cuts `at` by the length it states, fills
 * the record, and returns which header stands there next. The loop over the steps is in headers.c.
 */
#pragma once
#include "ingest/frag.h"
#include "ingest/headers.h"

enum { HEADERS_DEPTH_MAX = 16 };

/* Bytes of a packet: what of them was captured, and how many there are on the wire. `wire` is never
 * less than c.left, and more only where the capture cut the packet (c.snapped). */
struct field {
    struct cur c;
    size_t wire;
};

/* Which header stands at the beginning of what is left. */
enum layer {
    LAYER_END,  /* none: `outcome` tells why */
    LAYER_LINK, /* by walk.link */
    LAYER_ETHER,
    LAYER_VLAN,
    LAYER_LLC,
    LAYER_PPP,
    LAYER_PPPOE,
    LAYER_MPLS,
    LAYER_NSH,
    LAYER_VNTAG,
    LAYER_CMD,
    LAYER_MACSEC,
    LAYER_PBB,
    LAYER_WLAN,
    LAYER_IP, /* 4 or 6, by its own version */
    LAYER_EXT6,
    LAYER_FRAG6,
    LAYER_AH,
    LAYER_ICMP,
    LAYER_ICMP6,
    LAYER_UDP,
    LAYER_TCP,
    LAYER_SCTP,
    LAYER_GRE,
    LAYER_ETHERIP,
    LAYER_N
};

struct headers {
    struct headers_stats stats;
    struct frags *frags;
};

struct walk {
    struct headers *h;
    const struct pkt *pkt;
    struct rec *rec;
    struct field at;  /* what is left, cut by every length seen so far */
    size_t missing;   /* bytes that the IP header claims and the frame does not have */
    uint32_t link;    /* LAYER_LINK: the LINKTYPE_ number */
    uint8_t outcome;  /* enum outcome, at LAYER_END */
    uint8_t tags;     /* VLAN tags kept of the first frame that has any; 2: no more */
    bool group_frame; /* the innermost frame went to a group */
    bool alone;       /* a first fragment that will never be completed */
    bool length_open; /* the IP header states no length (TSO, jumbogram): to the end */
    bool wlan_padded; /* radiotap says so */
    bool too_deep;
    bool has_saved;   /* inside a UDP tunnel that has not shown a good IP header yet */
    struct rec saved; /* the record of that tunnel's own datagram */
};

static inline uint16_t be16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline uint32_t le32(const uint8_t *p)
{
    return (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}

/* The packet as one field. A damaged record may hold more bytes than it says were on the wire:
 * those are no part of the packet. */
static inline struct field field_of(const struct pkt *pkt)
{
    size_t len = pkt->cap_len < pkt->wire_len ? pkt->cap_len : pkt->wire_len;
    return (struct field){cur_of(len > 0 ? pkt->bytes : (const uint8_t *)"", len, pkt->wire_len),
                          pkt->wire_len};
}

/* Takes `n` bytes off the front: exactly that many may be read there. NULL, and nothing moved, if
 * they were not captured. */
MUST_CHECK static inline const uint8_t *field_take(struct field *f, size_t n)
{
    struct cur taken;
    if (!cur_take(&f->c, n, &taken))
        return NULL;
    f->wire -= n;
    return taken.p;
}

/* The first `n` bytes, left where they are, or NULL. */
MUST_CHECK static inline const uint8_t *field_peek(const struct field *f, size_t n)
{
    struct cur at = f->c, taken;
    return cur_take(&at, n, &taken) ? taken.p : NULL;
}

/* Keeps the first `n` bytes: frame padding and what follows the datagram go. Longer than the field:
 * no change. */
static inline void field_cut(struct field *f, size_t n)
{
    if (n >= f->wire)
        return;
    f->wire = n;
    if (n <= f->c.left) {
        f->c.left = n;
        f->c.snapped = false;
    }
}

/* A new frame or datagram begins: VLAN tags after this are not of the frame whose tags we keep. */
static inline void walk_tags_done(struct walk *w)
{
    if (w->tags > 0)
        w->tags = 2;
}

/* Ends the walk. */
static inline enum layer walk_end(struct walk *w, enum outcome outcome)
{
    w->outcome = (uint8_t)outcome;
    return LAYER_END;
}

/* Ends the walk at a header of `n` bytes that is not there: cut by the capture, or never sent. */
static inline enum layer walk_short(struct walk *w, size_t n)
{
    return walk_end(w, n > w->at.wire ? OUT_MALFORMED : OUT_TRUNCATED);
}

/* Does a good IP header begin here, whose datagram fits? For what is only known by looking. */
static inline bool walk_looks_ip4(const struct field *f)
{
    const uint8_t *p = field_peek(f, 20);
    if (p == NULL)
        return false;
    size_t head = (size_t)(p[0] & 15) * 4, total = be16(p + 2);
    return p[0] >> 4 == 4 && head >= 20 && total >= head && total <= f->wire;
}

static inline bool walk_looks_ip6(const struct field *f)
{
    const uint8_t *p = field_peek(f, 40);
    return p != NULL && p[0] >> 4 == 6 && (size_t)be16(p + 4) + 40 <= f->wire;
}

static inline bool walk_looks_ip(const struct field *f)
{
    return walk_looks_ip4(f) || walk_looks_ip6(f);
}

/* The walk without its short cut for plain packets: what the short cut must agree with. Fills all
 * of `rec` that headers_burst fills. */
void headers_walk(struct headers *h, const struct pkt *pkt, struct rec *rec);

/* link.c: the steps below IP. */
enum layer link_step(struct walk *w);
enum layer link_ether(struct walk *w);
enum layer link_vlan(struct walk *w);
enum layer link_llc(struct walk *w);
enum layer link_ppp(struct walk *w);

/* What is left is the payload of a frame without IP: a group frame is marked all the same. */
enum layer link_not_mine(struct walk *w);
/* EtherType or 802.3 length: IEEE 802.3 3.2.6. */
enum layer link_type_or_length(struct walk *w, uint16_t type);

/* link_shim.c: what may stand between these and IP. */
enum layer link_pppoe(struct walk *w);
enum layer link_mpls(struct walk *w);
enum layer link_nsh(struct walk *w);
enum layer link_vntag(struct walk *w);
enum layer link_cmd(struct walk *w);
enum layer link_macsec(struct walk *w);
enum layer link_pbb(struct walk *w);

/* Which header an EtherType announces; ends the walk where it is none of ours. */
enum layer link_type(struct walk *w, uint16_t type);
/* Does a plausible Ethernet header begin here? */
bool link_looks_ether(const struct field *f);
/* Fills the MAC addresses of a frame: the first one's, or of one inside a tunnel. `dst` may be
 * NULL: not known. */
void link_macs(struct walk *w, const uint8_t src[6], const uint8_t dst[6]);

/* link_wlan.c: IEEE 802.11 data frames, and the headers that capture tools put before them. */
enum layer link_wlan(struct walk *w);
enum layer link_wlan_swapped(struct walk *w); /* the two bytes of frame control change places */
enum layer link_wlan_prism(struct walk *w);
enum layer link_wlan_radiotap(struct walk *w);
enum layer link_wlan_ppi(struct walk *w);

/* headers_ip.c: IP, its extension headers, and transport. */
enum layer headers_ip(struct walk *w);
enum layer headers_ip_ext6(struct walk *w);
enum layer headers_ip_frag6(struct walk *w);
enum layer headers_ip_ah(struct walk *w);
enum layer headers_ip_icmp(struct walk *w);
enum layer headers_ip_icmp6(struct walk *w);
enum layer headers_ip_udp(struct walk *w);
enum layer headers_ip_tcp(struct walk *w);
enum layer headers_ip_sctp(struct walk *w);

/* tunnel.c */
enum layer tunnel_gre(struct walk *w);
enum layer tunnel_etherip(struct walk *w);
/* Enters the tunnel that a UDP datagram is, if port and content say so. The record holds the
 * datagram already; `at` is its payload. Otherwise ends the walk with OUT_OK: the payload is the
 * datagram's own. */
enum layer tunnel_udp(struct walk *w);

/* Do datagrams of this port deserve a look by tunnel_udp? */
static inline bool tunnel_udp_port(uint16_t port)
{
    if (port < 1701 || port > 8472) /* most ports, at the least cost */
        return false;
    switch (port) {
    case 1701: /* L2TP, RFC 2661 */
    case 2152: /* GTP-U, 3GPP TS 29.281 */
    case 3544: /* Teredo, RFC 4380 */
    case 4789: /* VXLAN, RFC 7348 */
    case 4790: /* VXLAN-GPE */
    case 5247: /* CAPWAP data, RFC 5415 */
    case 6081: /* Geneve, RFC 8926 */
    case 8472: /* VXLAN as Linux began it */
        return true;
    default:
        return false;
    }
}
