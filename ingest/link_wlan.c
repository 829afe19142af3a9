#include "ingest/headers_walk.h"

/* IEEE 802.11 9.3.2: data frames in clear, whose payload begins with LLC. */
static enum layer data_frame(struct walk *w, bool swapped)
{
    const uint8_t *p = field_take(&w->at, 24);
    if (p == NULL)
        return walk_short(w, 24);
    uint8_t kind = p[swapped ? 1 : 0], flags = p[swapped ? 0 : 1];
    bool data = (kind & 0x0c) == 0x08, empty = (kind & 0x40) != 0;
    if (!data || empty || (flags & 0x40) != 0 || (kind & 3) != 0)
        return walk_end(w, OUT_NOT_MINE); /* management, control, null, protected */
    bool qos = (kind & 0x80) != 0;
    bool fragmented = (flags & 0x04) != 0 || (!swapped && (p[22] & 0x0f) != 0);
    if (fragmented)
        return walk_end(w, OUT_UNSUPPORTED);

    const uint8_t *src = p + 10, *dst = p + 4;
    bool to_ds = (flags & 1) != 0, from_ds = (flags & 2) != 0;
    if (to_ds)
        dst = p + 16;
    if (from_ds)
        src = p + 16;
    if (to_ds && from_ds) {
        src = field_take(&w->at, 6);
        if (src == NULL)
            return walk_short(w, 6);
    }
    bool aggregate = false;
    if (qos) {
        const uint8_t *control = field_take(&w->at, 2);
        if (control == NULL)
            return walk_short(w, 2);
        aggregate = (control[0] & 0x80) != 0;
        if ((flags & 0x80) != 0 && field_take(&w->at, 4) == NULL) /* HT control */
            return walk_short(w, 4);
    }
    if (w->wlan_padded) { /* the header padded to 4 bytes by the driver */
        size_t head = 24 + (to_ds && from_ds ? 6 : 0) + (qos ? 2 : 0);
        if (head % 4 != 0 && field_take(&w->at, 2) == NULL)
            return walk_short(w, 2);
        w->wlan_padded = false;
    }
    link_macs(w, src, dst);
    if (aggregate) { /* of the frames in an A-MSDU, the first one stands for all */
        const uint8_t *first = field_take(&w->at, 14);
        if (first == NULL)
            return walk_short(w, 14);
        field_cut(&w->at, be16(first + 12));
    }
    return LAYER_LLC;
}

enum layer link_wlan(struct walk *w)
{
    return data_frame(w, false);
}

enum layer link_wlan_swapped(struct walk *w)
{
    return data_frame(w, true);
}

/* Prism: 144 bytes; its length field says so in either byte order. AVS, told by its magic number,
 * says its length. */
enum layer link_wlan_prism(struct walk *w)
{
    const uint8_t *p = field_peek(&w->at, 8);
    if (p == NULL)
        return walk_short(w, 8);
    bool avs = be32(p) >> 4 == 0x8021100;
    uint32_t len = avs ? be32(p + 4) : 144;
    if (len < 8)
        return walk_end(w, OUT_MALFORMED);
    if (field_take(&w->at, len) == NULL)
        return walk_short(w, len);
    return LAYER_WLAN;
}

/* https://www.radiotap.org: little-endian; of its fields only the flags matter, which follow the
 * 64-bit time. */
enum layer link_wlan_radiotap(struct walk *w)
{
    const uint8_t *p = field_peek(&w->at, 8);
    if (p == NULL)
        return walk_short(w, 8);
    size_t len = (size_t)(p[2] | p[3] << 8);
    if (len < 8)
        return walk_end(w, OUT_MALFORMED);
    p = field_take(&w->at, len);
    if (p == NULL)
        return walk_short(w, len);

    uint32_t present = le32(p + 4);
    size_t at = 8;
    for (uint32_t more = present; (more & 0x80000000) != 0; at += 4) { /* further bit maps */
        if (len - at < 4)
            return walk_end(w, OUT_MALFORMED);
        more = le32(p + at);
    }
    if ((present & 1) != 0)
        at = (at + 7) / 8 * 8 + 8;
    if ((present & 2) != 0 && at < len) {
        w->wlan_padded = (p[at] & 0x20) != 0;
        if ((p[at] & 0x10) != 0 && w->at.wire >= 4) /* frame check sequence at the end */
            field_cut(&w->at, w->at.wire - 4);
    }
    return LAYER_WLAN;
}

/* Per-packet information: a little-endian header before a frame of another link type. */
enum layer link_wlan_ppi(struct walk *w)
{
    const uint8_t *p = field_peek(&w->at, 8);
    if (p == NULL)
        return walk_short(w, 8);
    size_t len = (size_t)(p[2] | p[3] << 8);
    w->link = le32(p + 4);
    if (len < 8)
        return walk_end(w, OUT_MALFORMED);
    if (field_take(&w->at, len) == NULL)
        return walk_short(w, len);
    return LAYER_LINK;
}
