#include "ingest/headers_walk.h"

static void vni_found(struct walk *w, uint32_t vni)
{
    if ((w->rec->flags & REC_HAS_VNI) == 0)
        w->rec->vni = vni;
    w->rec->flags |= REC_HAS_VNI;
}

static void gre_key_found(struct walk *w, uint32_t key)
{
    if ((w->rec->flags & REC_HAS_GRE_KEY) == 0)
        w->rec->gre_key = key;
    w->rec->flags |= REC_HAS_GRE_KEY;
}

/* ERSPAN II and III: draft-foschiano-erspan-03 4.2, 4.3. Type I is GRE alone. */
static enum layer erspan(struct walk *w)
{
    const uint8_t *p = field_peek(&w->at, 8);
    if (p == NULL)
        return walk_short(w, 8);
    bool third = p[0] >> 4 == 2;
    if (!third && p[0] >> 4 != 1)
        return walk_end(w, OUT_NOT_MINE);
    size_t len = third ? 12 : 8;
    p = field_take(&w->at, len);
    if (p == NULL)
        return walk_short(w, len);
    gre_key_found(w, be16(p + 2) & 0x03ff);
    if (!third)
        return LAYER_ETHER;
    if ((p[11] & 1) != 0 && field_take(&w->at, 8) == NULL) /* platform header */
        return walk_short(w, 8);
    unsigned frame = p[10] >> 2 & 0x1f;
    return frame == 2 ? LAYER_IP : frame == 0 ? LAYER_ETHER : walk_end(w, OUT_NOT_MINE);
}

/* What a GRE header announces. `has_sequence` tells ERSPAN II from I, whose protocol number is the
 * same. */
static enum layer gre_payload(struct walk *w, uint16_t type, bool has_sequence)
{
    const uint8_t *p = field_peek(&w->at, 4);
    switch (type) {
    case 0x88be:
        return has_sequence ? erspan(w) : LAYER_ETHER;
    case 0x22eb:
        return erspan(w);
    case 0x883e: /* WCCP: version 2 puts a redirect header first */
        if (p != NULL && p[0] >> 4 != 4 && field_take(&w->at, 4) == NULL)
            return walk_short(w, 4);
        return LAYER_IP;
    default:
        /* 0x8200 to 0x82f0: 802.11 between Aruba access points and controllers */
        return (type & 0xff0f) == 0x8200 ? LAYER_WLAN : link_type(w, type);
    }
}

/* PPTP's GRE, version 1: RFC 2637 4.1. The key is the payload's length and the call. */
static enum layer gre_pptp(struct walk *w, uint16_t flags, uint16_t type)
{
    const uint8_t *p = field_take(&w->at, 4);
    if (p == NULL)
        return walk_short(w, 4);
    size_t rest = ((flags & 0x1000) != 0 ? 4 : 0) + ((flags & 0x0080) != 0 ? 4 : 0);
    uint16_t len = be16(p);
    if (field_take(&w->at, rest) == NULL)
        return walk_short(w, rest);
    if ((flags & 0x2000) == 0 || type != 0x880b || len == 0) /* 0: an acknowledgement alone */
        return walk_end(w, OUT_NOT_MINE);
    field_cut(&w->at, len);
    return LAYER_PPP;
}

/* RFC 2784 2, RFC 2890 2; source routes of RFC 1701. */
enum layer tunnel_gre(struct walk *w)
{
    const uint8_t *p = field_take(&w->at, 4);
    if (p == NULL)
        return walk_short(w, 4);
    uint16_t flags = be16(p), type = be16(p + 2);
    if ((flags & 7) == 1)
        return gre_pptp(w, flags, type);
    if ((flags & 7) != 0)
        return walk_end(w, OUT_NOT_MINE);

    bool routes = (flags & 0x4000) != 0, has_key = (flags & 0x2000) != 0;
    bool has_sequence = (flags & 0x1000) != 0;
    size_t rest = ((flags & 0xc000) != 0 ? 4U : 0) + (has_key ? 4 : 0) + (has_sequence ? 4 : 0);
    p = field_take(&w->at, rest);
    if (p == NULL)
        return walk_short(w, rest);
    if (has_key)
        gre_key_found(w, be32(p + ((flags & 0xc000) != 0 ? 4 : 0)));
    while (routes) {
        p = field_take(&w->at, 4);
        if (p == NULL)
            return walk_short(w, 4);
        routes = be16(p) != 0 || p[3] != 0;
        if (field_take(&w->at, p[3]) == NULL)
            return walk_short(w, p[3]);
    }
    return gre_payload(w, type, has_sequence);
}

/* RFC 3378 3. */
enum layer tunnel_etherip(struct walk *w)
{
    const uint8_t *p = field_take(&w->at, 2);
    if (p == NULL)
        return walk_short(w, 2);
    return p[0] >> 4 == 3 ? LAYER_ETHER : walk_end(w, OUT_NOT_MINE);
}

/* The tunnels in UDP: each looks at a copy of the payload, and commits only if the content fits. */

/* RFC 7348 5; reserved bits in use (group policy) ask for a good frame behind them. */
static enum layer vxlan(struct walk *w)
{
    struct field in = w->at;
    const uint8_t *p = field_take(&in, 8);
    if (p == NULL || (p[0] & 0x08) == 0)
        return LAYER_END;
    bool plain = be32(p) == 0x08000000 && p[7] == 0;
    if (!plain && !link_looks_ether(&in))
        return LAYER_END;
    w->at = in;
    vni_found(w, be32(p + 4) >> 8);
    return LAYER_ETHER;
}

/* draft-ietf-nvo3-vxlan-gpe 3. Not every sender sets the flag that a next protocol is named. */
static enum layer vxlan_gpe(struct walk *w)
{
    struct field in = w->at;
    const uint8_t *p = field_take(&in, 8);
    if (p == NULL || (p[0] & 0xf8) != 0x08 || p[1] != 0 || p[2] != 0 || p[7] != 0)
        return LAYER_END;
    enum layer next = LAYER_END;
    if ((p[3] == 1 || p[3] == 2) && walk_looks_ip(&in))
        next = LAYER_IP;
    else if (p[3] == 3 && link_looks_ether(&in))
        next = LAYER_ETHER;
    else if (p[3] == 4)
        next = LAYER_NSH;
    if (next == LAYER_END)
        return LAYER_END;
    w->at = in;
    vni_found(w, be32(p + 4) >> 8);
    return next;
}

/* RFC 8926 3.4. */
static enum layer geneve(struct walk *w)
{
    struct field in = w->at;
    const uint8_t *p = field_take(&in, 8);
    if (p == NULL || p[0] >> 6 != 0 || (p[1] & 0x3f) != 0 || p[7] != 0
        || field_take(&in, (size_t)(p[0] & 0x3f) * 4) == NULL)
        return LAYER_END;
    uint16_t type = be16(p + 2);
    bool known = type == 0x6558 || type == 0x8847 || type == 0x894f;
    if (!known && !((type == 0x0800 || type == 0x86dd) && walk_looks_ip(&in)))
        return LAYER_END;
    w->at = in;
    vni_found(w, be32(p + 4) >> 8);
    return link_type(w, type);
}

/* User data of a phone: 3GPP TS 29.281 5.1, 5.2. */
static enum layer gtp(struct walk *w)
{
    struct field in = w->at;
    const uint8_t *p = field_take(&in, 8);
    if (p == NULL || (p[0] & 0xf0) != 0x30 || p[1] != 255 || be16(p + 2) > in.wire)
        return LAYER_END;
    field_cut(&in, be16(p + 2));
    if ((p[0] & 7) != 0) {
        bool extended = (p[0] & 4) != 0;
        p = field_take(&in, 4);
        if (p == NULL)
            return LAYER_END;
        for (uint8_t next = extended ? p[3] : 0; next != 0;) {
            p = field_peek(&in, 1);
            size_t len = p != NULL ? p[0] * 4U : 0;
            if (len == 0)
                return LAYER_END;
            p = field_take(&in, len);
            if (p == NULL)
                return LAYER_END;
            next = p[len - 1];
        }
    }
    if (!walk_looks_ip(&in))
        return LAYER_END;
    w->at = in;
    return LAYER_IP;
}

/* RFC 4380 5.1.1: an IPv6 packet, perhaps after an authentication and an origin indication. */
static enum layer teredo(struct walk *w)
{
    struct field in = w->at;
    const uint8_t *p = field_peek(&in, 4);
    if (p != NULL && be16(p) == 1 && field_take(&in, 13U + p[2] + p[3]) == NULL)
        return LAYER_END;
    p = field_peek(&in, 2);
    if (p != NULL && be16(p) == 0 && field_take(&in, 8) == NULL)
        return LAYER_END;
    if (!walk_looks_ip6(&in))
        return LAYER_END;
    w->at = in;
    return LAYER_IP;
}

/* Data messages of RFC 2661 3.1. */
static enum layer l2tp(struct walk *w)
{
    struct field in = w->at;
    const uint8_t *p = field_take(&in, 2);
    if (p == NULL)
        return LAYER_END;
    uint16_t flags = be16(p);
    if ((flags & 0x8000) != 0 || (flags & 0x000f) != 2)
        return LAYER_END;
    size_t rest = 4 + ((flags & 0x4000) != 0 ? 2 : 0) + ((flags & 0x0800) != 0 ? 4 : 0);
    if (field_take(&in, rest) == NULL)
        return LAYER_END;
    if ((flags & 0x0200) != 0) {
        p = field_take(&in, 2);
        if (p == NULL || field_take(&in, be16(p)) == NULL)
            return LAYER_END;
    }
    w->at = in;
    return LAYER_PPP;
}

/* Data of an access point: RFC 5415 4.3. Some of them send the 802.11 frame control with its bytes
 * swapped. */
static enum layer capwap(struct walk *w)
{
    struct field in = w->at;
    const uint8_t *p = field_peek(&in, 8);
    if (p == NULL || p[0] != 0 || (p[3] & 0x80) != 0) /* DTLS; a fragment */
        return LAYER_END;
    size_t len = (size_t)(p[1] >> 3) * 4;
    bool native = (p[2] & 1) != 0;
    if (len < 8 || field_take(&in, len) == NULL)
        return LAYER_END;
    if (!native) {
        if (!link_looks_ether(&in))
            return LAYER_END;
        w->at = in;
        return LAYER_ETHER;
    }
    p = field_peek(&in, 2);
    if (p == NULL)
        return LAYER_END;
    bool swapped = (p[0] & 0x0f) != 0x08 && (p[1] & 0x0f) == 0x08;
    w->at = in;
    return swapped ? link_wlan_swapped(w) : LAYER_WLAN;
}

static enum layer enter(struct walk *w, uint16_t port)
{
    switch (port) {
    case 1701:
        return l2tp(w);
    case 2152:
        return gtp(w);
    case 3544:
        return teredo(w);
    case 4789:
    case 8472:
        return vxlan(w);
    case 4790:
        return vxlan_gpe(w);
    case 5247:
        return capwap(w);
    case 6081:
        return geneve(w);
    default:
        return LAYER_END;
    }
}

enum layer tunnel_udp(struct walk *w)
{
    w->saved = *w->rec;
    w->has_saved = true;
    enum layer inside = enter(w, w->rec->dport);
    if (inside == LAYER_END)
        inside = enter(w, w->rec->sport);
    if (inside != LAYER_END)
        return inside;
    w->has_saved = false;
    return walk_end(w, OUT_OK);
}
