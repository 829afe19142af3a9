/* What may stand between a link header and IP: PPPoE, MPLS, and what switches put before or around
 * a frame. */
#include "ingest/headers_walk.h"

/* RFC 2516 4: the session stage. */
enum layer link_pppoe(struct walk *w)
{
    const uint8_t *p = field_take(&w->at, 6);
    if (p == NULL)
        return walk_short(w, 6);
    if (p[0] != 0x11 || p[1] != 0)
        return walk_end(w, OUT_MALFORMED);
    field_cut(&w->at, be16(p + 4));
    return LAYER_PPP;
}

/* RFC 3032 2.1. What the labels carry is told by looking, as routers do: IP (RFC 4928 3), or
 * Ethernet, with or without a control word (RFC 4448 4.1). */
enum layer link_mpls(struct walk *w)
{
    for (unsigned labels = 0;; labels++) {
        const uint8_t *p = field_take(&w->at, 4);
        if (p == NULL)
            return walk_short(w, 4);
        if ((p[2] & 1) != 0)
            break;
        if (labels == HEADERS_DEPTH_MAX) {
            w->too_deep = true;
            return walk_end(w, OUT_MALFORMED);
        }
    }
    const uint8_t *p = field_peek(&w->at, 1);
    if (p == NULL)
        return walk_short(w, 1);
    uint8_t nibble = p[0] >> 4;
    if (walk_looks_ip(&w->at))
        return LAYER_IP;
    struct field after_word = w->at;
    if (nibble == 0 && field_take(&after_word, 4) != NULL && link_looks_ether(&after_word)) {
        w->at = after_word;
        return LAYER_ETHER;
    }
    if (link_looks_ether(&w->at))
        return LAYER_ETHER;
    return nibble == 4 || nibble == 6 ? LAYER_IP : link_not_mine(w);
}

/* RFC 8300 2.2. */
enum layer link_nsh(struct walk *w)
{
    const uint8_t *p = field_peek(&w->at, 4);
    if (p == NULL)
        return walk_short(w, 4);
    size_t len = (size_t)(p[1] & 0x3f) * 4;
    uint8_t next = p[3];
    if (p[0] >> 6 != 0 || len < 8)
        return walk_end(w, OUT_MALFORMED);
    if (field_take(&w->at, len) == NULL)
        return walk_short(w, len);
    switch (next) {
    case 1:
    case 2:
        return LAYER_IP;
    case 3:
        return LAYER_ETHER;
    case 4:
        return LAYER_NSH;
    case 5:
        return LAYER_MPLS;
    default:
        return link_not_mine(w);
    }
}

/* IEEE 802.1BR, as Cisco wrote it: 4 bytes of tag. */
enum layer link_vntag(struct walk *w)
{
    const uint8_t *p = field_take(&w->at, 6);
    return p == NULL ? walk_short(w, 6) : link_type_or_length(w, be16(p + 4));
}

/* Cisco metadata (security group tags): 6 bytes. */
enum layer link_cmd(struct walk *w)
{
    const uint8_t *p = field_take(&w->at, 8);
    return p == NULL ? walk_short(w, 8) : link_type_or_length(w, be16(p + 6));
}

/* IEEE 802.1AE 9.3: integrity alone leaves the frame readable; its check value stands at the end.
 */
enum layer link_macsec(struct walk *w)
{
    const uint8_t *p = field_take(&w->at, 6);
    if (p == NULL)
        return walk_short(w, 6);
    bool encrypted = (p[0] & 0x0c) != 0, has_channel = (p[0] & 0x20) != 0;
    if (encrypted)
        return link_not_mine(w);
    if (has_channel && field_take(&w->at, 8) == NULL)
        return walk_short(w, 8);
    if (w->at.wire >= 16)
        field_cut(&w->at, w->at.wire - 16);
    p = field_take(&w->at, 2);
    return p == NULL ? walk_short(w, 2) : link_type_or_length(w, be16(p));
}

/* IEEE 802.1Q 9.7 (802.1ah): a service tag before the customer's frame. */
enum layer link_pbb(struct walk *w)
{
    return field_take(&w->at, 4) == NULL ? walk_short(w, 4) : LAYER_ETHER;
}
