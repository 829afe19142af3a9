#include "ingest/headers_walk.h"

/* A good IP header: from here on it is the innermost. */
static void ip_found(struct walk *w, struct addr src, struct addr dst)
{
    struct rec *r = w->rec;
    r->src = src;
    r->dst = dst;
    r->sport = r->dport = 0;
    r->tcp_flags = 0;
    r->tcp_seq = r->tcp_ack = 0;
    r->flags = (uint16_t)((r->flags | REC_HAS_IP) & ~(REC_HAS_PORTS | REC_GROUP));
    if (w->group_frame || addr_is_group(&dst))
        r->flags |= REC_GROUP;
    w->group_frame = false; /* a frame to a group may carry a tunnel to one host */
    w->has_saved = false;
    walk_tags_done(w);
}

/* Which header an IP protocol number announces; ends the walk where it is none of ours. */
static enum layer ip_next(struct walk *w, uint8_t proto, bool v6)
{
    w->rec->ip_proto = proto;
    switch (proto) {
    case 6:
        return LAYER_TCP;
    case 17:
        return LAYER_UDP;
    case 132:
        return LAYER_SCTP;
    case 1:
        return LAYER_ICMP;
    case 58:
        return LAYER_ICMP6;
    case 4:
    case 41:
        return LAYER_IP;
    case 47:
        return LAYER_GRE;
    case 51:
        return LAYER_AH;
    case 97:
        return LAYER_ETHERIP;
    case 137:
        return LAYER_MPLS;
    case 143: /* RFC 8986: Ethernet */
        return LAYER_ETHER;
    case 44:
        return v6 ? LAYER_FRAG6 : walk_end(w, OUT_NOT_MINE);
    case 0:   /* hop by hop */
    case 43:  /* routing */
    case 60:  /* destination options */
    case 135: /* mobility */
    case 139: /* HIP */
    case 140: /* shim6 */
        return v6 ? LAYER_EXT6 : walk_end(w, OUT_NOT_MINE);
    default:
        return walk_end(w, OUT_NOT_MINE);
    }
}

/* The beginning of a datagram that can never be completed: what there is of it may be read. */
static enum layer first_alone(struct walk *w, uint8_t next, bool v6)
{
    w->alone = true;
    w->at.wire += w->missing;
    w->at.c.snapped = true;
    return ip_next(w, next, v6);
}

/* A fragment, at `at`: kept until its datagram is whole, then `at` is the datagram's payload. */
static enum layer fragment(struct walk *w, struct frag_key *key, uint32_t offset, bool more,
                           uint8_t next)
{
    struct rec *r = w->rec;
    w->h->stats.fragments++;
    r->ip_proto = next;
    key->src = r->src;
    key->dst = r->dst;
    key->vlan = r->vlan;
    key->vni = r->vni;
    key->gre_key = r->gre_key;
    key->origin = r->origin;
    /* What the capture cut, or the frame does not hold, can never be completed. */
    if (w->at.c.snapped || w->missing > 0)
        return offset == 0 ? first_alone(w, next, key->version == 6) : walk_end(w, OUT_FRAGMENT);
    size_t len = w->at.c.left;
    if (more && key->version == 4) /* hosts take what is whole, RFC 8200 4.5 wants it refused */
        len -= len % 8;
    if (len == 0 || (more && len % 8 != 0) || offset + len > 65535)
        return walk_end(w, OUT_MALFORMED);

    struct frag_piece piece = {
        .bytes = {.p = w->at.c.p, .left = len},
        .ts_ns = r->ts_ns,
        .offset = offset,
        .next = next,
        .more = more,
    };
    struct cur whole;
    switch (frag_add(w->h->frags, key, &piece, &whole, &next)) {
    case FRAG_WAIT:
        return walk_end(w, OUT_FRAGMENT);
    case FRAG_FULL:
        return walk_end(w, OUT_TABLE_FULL);
    case FRAG_DONE:
        break;
    }
    w->at = (struct field){whole, whole.left};
    w->missing = 0;
    w->length_open = false;
    r->flags |= REC_REASSEMBLED;
    return ip_next(w, next, key->version == 6);
}

/* RFC 791 3.1. The header checksum is not verified: capture on a sending host sees none. */
static enum layer ip4(struct walk *w)
{
    const uint8_t *p = field_take(&w->at, 20);
    if (p == NULL)
        return walk_short(w, 20);
    size_t head = (size_t)(p[0] & 15) * 4, total = be16(p + 2);
    if (head < 20 || (total != 0 && total < head))
        return walk_end(w, OUT_MALFORMED);
    w->length_open = total == 0; /* left to the network card (TSO): to the end of the frame */
    w->missing = total > w->at.wire + 20 ? total - 20 - w->at.wire : 0;
    if (total != 0)
        field_cut(&w->at, total - 20);
    if (field_take(&w->at, head - 20) == NULL)
        return walk_short(w, head - 20);

    ip_found(w, addr_v4(p + 12), addr_v4(p + 16));
    uint16_t fragmented = be16(p + 6);
    if ((fragmented & 0x3fff) == 0)
        return ip_next(w, p[9], false);
    struct frag_key key = {.id = be16(p + 4), .ip_proto = p[9], .version = 4};
    return fragment(w, &key, (fragmented & 0x1fff) * 8U, (fragmented & 0x2000) != 0, p[9]);
}

/* RFC 8200 3. */
static enum layer ip6(struct walk *w)
{
    const uint8_t *p = field_take(&w->at, 40);
    if (p == NULL)
        return walk_short(w, 40);
    size_t len = be16(p + 4);
    w->length_open = len == 0; /* a jumbogram (RFC 2675), or TSO */
    w->missing = len > w->at.wire ? len - w->at.wire : 0;
    if (len != 0)
        field_cut(&w->at, len);
    ip_found(w, addr_v6(p + 8), addr_v6(p + 24));
    return ip_next(w, p[6], true);
}

enum layer headers_ip(struct walk *w)
{
    const uint8_t *p = field_peek(&w->at, 1);
    if (p == NULL)
        return walk_short(w, 1);
    uint8_t version = p[0] >> 4;
    if (version != 4 && version != 6)
        return walk_end(w, OUT_MALFORMED);
    if (w->rec->ip_outer == 0)
        w->rec->ip_outer = version;
    return version == 4 ? ip4(w) : ip6(w);
}

/* RFC 8200 4.2: all extension headers but fragment, AH and ESP have this shape. */
enum layer headers_ip_ext6(struct walk *w)
{
    const uint8_t *p = field_peek(&w->at, 2);
    if (p == NULL)
        return walk_short(w, 2);
    uint8_t next = p[0];
    size_t len = ((size_t)p[1] + 1) * 8;
    if (field_take(&w->at, len) == NULL)
        return walk_short(w, len);
    return ip_next(w, next, true);
}

/* RFC 8200 4.5. */
enum layer headers_ip_frag6(struct walk *w)
{
    const uint8_t *p = field_take(&w->at, 8);
    if (p == NULL)
        return walk_short(w, 8);
    uint16_t at = be16(p + 2);
    if ((at & 0xfff9) == 0) /* an atomic fragment is a whole datagram: RFC 6946 */
        return ip_next(w, p[0], true);
    struct frag_key key = {.id = be32(p + 4), .version = 6};
    return fragment(w, &key, at & 0xfff8, (at & 1) != 0, p[0]);
}

/* RFC 4302 2: authenticated, not encrypted, so the walk goes on. */
enum layer headers_ip_ah(struct walk *w)
{
    const uint8_t *p = field_peek(&w->at, 2);
    if (p == NULL)
        return walk_short(w, 2);
    uint8_t next = p[0];
    size_t len = ((size_t)p[1] + 2) * 4;
    if (field_take(&w->at, len) == NULL)
        return walk_short(w, len);
    return ip_next(w, next, true);
}

enum layer headers_ip_icmp(struct walk *w)
{
    const uint8_t *p = field_peek(&w->at, 1);
    if (p == NULL)
        return walk_short(w, 1);
    uint8_t type = p[0];
    if (type == 3 || type == 4 || type == 5 || type == 11 || type == 12)
        w->rec->flags |= REC_ICMP_ERROR;
    return walk_end(w, OUT_NOT_MINE);
}

enum layer headers_ip_icmp6(struct walk *w)
{
    const uint8_t *p = field_peek(&w->at, 1);
    if (p == NULL)
        return walk_short(w, 1);
    if (p[0] < 128 || p[0] == 137) /* RFC 4443 2.1; redirects quote as well */
        w->rec->flags |= REC_ICMP_ERROR;
    return walk_end(w, OUT_NOT_MINE);
}

static void ports_found(struct walk *w, const uint8_t *p)
{
    w->rec->sport = be16(p);
    w->rec->dport = be16(p + 2);
    w->rec->payload = w->at.c;
    w->rec->payload_wire_len = (uint32_t)w->at.wire;
    w->rec->flags |= REC_HAS_PORTS;
}

/* RFC 768. A length beyond the IP payload is cut to it: what is there can still be read. */
enum layer headers_ip_udp(struct walk *w)
{
    const uint8_t *p = field_take(&w->at, 8);
    if (p == NULL)
        return walk_short(w, 8);
    size_t len = be16(p + 4);
    if (len < 8 && !(len == 0 && w->length_open)) /* RFC 2675 4: 0 in a jumbogram */
        return walk_end(w, OUT_MALFORMED);
    if (len != 0)
        field_cut(&w->at, len - 8);
    ports_found(w, p);
    if (tunnel_udp_port(w->rec->sport) || tunnel_udp_port(w->rec->dport))
        return tunnel_udp(w);
    return walk_end(w, OUT_OK);
}

/* RFC 9293 3.1. Options that the capture cut leave an empty payload behind them. */
enum layer headers_ip_tcp(struct walk *w)
{
    const uint8_t *p = field_take(&w->at, 20);
    if (p == NULL)
        return walk_short(w, 20);
    size_t head = (size_t)(p[12] >> 4) * 4;
    if (head < 20 || head - 20 > w->at.wire)
        return walk_end(w, OUT_MALFORMED);
    if (field_take(&w->at, head - 20) == NULL) {
        w->at.wire -= head - 20;
        w->at.c = cur_of(p + 20, 0, w->at.wire);
    }
    w->rec->tcp_seq = be32(p + 4);
    w->rec->tcp_ack = be32(p + 8);
    w->rec->tcp_flags = p[13];
    ports_found(w, p);
    return walk_end(w, OUT_OK);
}

/* RFC 9260 3.1. */
enum layer headers_ip_sctp(struct walk *w)
{
    const uint8_t *p = field_take(&w->at, 12);
    if (p == NULL)
        return walk_short(w, 12);
    ports_found(w, p);
    return walk_end(w, OUT_OK);
}
