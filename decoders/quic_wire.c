#include "decoders/quic_wire.h"

enum {
    FRAME_PADDING = 0x00,
    FRAME_PING = 0x01,
    FRAME_ACK = 0x02,
    FRAME_ACK_ECN = 0x03,
    FRAME_CRYPTO = 0x06,
    FRAME_CLOSE = 0x1c,
    FRAME_CLOSE_APPLICATION = 0x1d,
};

bool quic_varint(struct cur *c, uint64_t *v)
{
    if (c->left == 0)
        return false;
    size_t n = (size_t)1 << (c->p[0] >> 6);
    struct cur f;
    if (!cur_take(c, n, &f))
        return false;
    *v = f.p[0] & 0x3f;
    for (size_t i = 1; i < n; i++)
        *v = *v << 8 | f.p[i];
    return true;
}

/* ---- headers */

/* RFC 9000 17.2: no connection id of these versions is longer. */
static enum outcome take_cid(struct cur *c, struct cur *cid)
{
    if (c->left > 0 && c->p[0] > QUIC_CID_MAX)
        return OUT_MALFORMED;
    return cur_block8(c, cid) ? OUT_OK : cur_why(c);
}

enum outcome quic_packet_take(struct cur *in, struct quic_packet *p)
{
    struct cur at = *in;
    const uint8_t *start = in->p + 1;
    uint32_t number;
    uint64_t len;
    *p = (struct quic_packet){.token = cur_of("", 0, 0)};
    if (!cur_u8(&at, &p->first) || !cur_u32(&at, &number))
        return cur_why(&at);
    p->version = quic_version_find(number);
    if (p->version == NULL)
        return OUT_MALFORMED;
    p->type = (uint8_t)(((p->first >> 4) - p->version->types_from) & 3);
    enum outcome o = take_cid(&at, &p->dcid);
    if (o == OUT_OK)
        o = take_cid(&at, &p->scid);
    if (o != OUT_OK)
        return o;
    if (p->type == QUIC_RETRY) { /* the rest of the datagram */
        p->body = at;
        in->p += in->left;
        in->left = 0;
        return OUT_OK;
    }
    if (p->type == QUIC_INITIAL
        && (!quic_varint(&at, &len) || len > SIZE_MAX || !cur_take(&at, len, &p->token)))
        return cur_why(&at);
    if (!quic_varint(&at, &len) || len > SIZE_MAX)
        return cur_why(&at);
    p->len = len;
    p->head = cur_of(start, (size_t)(at.p - start), (size_t)(at.p - start));
    if (!cur_take_captured(&at, len, &p->body))
        return OUT_MALFORMED;
    *in = at;
    return OUT_OK;
}

/* RFC 9000 A.3 */
static uint64_t number_of(uint64_t largest, uint64_t truncated, unsigned bits)
{
    uint64_t expected = largest + 1, window = UINT64_C(1) << bits, half = window / 2;
    uint64_t candidate = (expected & ~(window - 1)) | truncated;
    if (candidate + half <= expected && candidate < (UINT64_C(1) << 62) - window)
        return candidate + window;
    if (candidate > expected + half && candidate >= window)
        return candidate - window;
    return candidate;
}

bool quic_packet_open(struct quic_crypt *c, const struct quic_keys *k, const struct quic_packet *p,
                      uint64_t *largest, uint8_t *plain, size_t *n)
{
    const struct cur *b = &p->body;
    uint8_t mask[5], pn_bytes[QUIC_PN_MAX];
    if (b->snapped || b->left < QUIC_PN_MAX + QUIC_SAMPLE
        || !quic_header_mask(c, k, b->p + QUIC_PN_MAX, mask))
        return false;
    uint8_t first = p->first ^ (mask[0] & 0x0f);
    size_t pn_len = (size_t)(first & 3) + 1;
    uint64_t truncated = 0;
    for (size_t i = 0; i < pn_len; i++) {
        pn_bytes[i] = b->p[i] ^ mask[1 + i];
        truncated = truncated << 8 | pn_bytes[i];
    }
    uint64_t pn = number_of(*largest, truncated, (unsigned)(8 * pn_len));
    if (!quic_open(c, k, pn, first, p->head, pn_bytes, pn_len, b->p + pn_len, b->left - pn_len,
                   plain))
        return false;
    if (*largest == UINT64_MAX || pn > *largest)
        *largest = pn;
    *n = b->left - pn_len - QUIC_TAG;
    return true;
}

/* ---- frames */

static bool skip_varints(struct cur *c, uint64_t n)
{
    uint64_t v;
    while (n-- > 0)
        if (!quic_varint(c, &v))
            return false;
    return true;
}

/* RFC 9000 19.3. Each range takes bytes, so that a lying count ends soon. */
static bool skip_ack(struct cur *c, bool ecn)
{
    uint64_t ranges;
    if (!skip_varints(c, 2) || !quic_varint(c, &ranges) || !skip_varints(c, 1))
        return false;
    for (; ranges > 0; ranges--)
        if (!skip_varints(c, 2))
            return false;
    return !ecn || skip_varints(c, 3);
}

static bool read_close(struct cur *c, bool application, struct quic_frame *f)
{
    uint64_t type, len;
    struct cur reason;
    return quic_varint(c, &f->error) && (application || quic_varint(c, &type))
           && quic_varint(c, &len) && len <= SIZE_MAX && cur_take(c, len, &reason);
}

static bool read_crypto(struct cur *c, struct quic_frame *f)
{
    uint64_t len;
    return quic_varint(c, &f->offset) && quic_varint(c, &len) && len <= SIZE_MAX
           && cur_take(c, len, &f->data);
}

/* ACK of Google's QUIC, whose type says how long its numbers are: 01ntllmm. */
static bool skip_google_ack(struct cur *c, uint8_t type)
{
    static const uint8_t lengths[] = {1, 2, 4, 6};
    size_t largest = lengths[type >> 2 & 3], block = lengths[type & 3];
    uint8_t blocks = 0, times;
    if (!cur_skip(c, largest + 2) || ((type & 0x20) != 0 && !cur_u8(c, &blocks))
        || !cur_skip(c, block + blocks * (1 + block)) || !cur_u8(c, &times))
        return false;
    return times == 0 || cur_skip(c, 5 + 3 * ((size_t)times - 1));
}

/* Only what stands beside its CRYPTO frames is known of it: it was never published as a standard.
 */
static int google_frame_next(struct cur *in, struct quic_frame *f)
{
    enum { GOOGLE_PING = 0x07, GOOGLE_CRYPTO = 0x08 };
    uint8_t type;
    while (cur_u8(in, &type)) {
        if (type == GOOGLE_CRYPTO)
            return read_crypto(in, f) ? QUIC_FRAME_CRYPTO : QUIC_FRAME_BROKEN;
        if (type >> 6 == 1 ? !skip_google_ack(in, type)
                           : type != FRAME_PADDING && type != GOOGLE_PING)
            break;
    }
    return QUIC_FRAME_END;
}

int quic_frame_next(struct cur *in, const struct quic_version *v, struct quic_frame *f)
{
    uint8_t type; /* those that may stand here fit one byte, and have to (RFC 9000 12.4) */
    *f = (struct quic_frame){.data = cur_of("", 0, 0)};
    if (v->google)
        return google_frame_next(in, f);
    while (cur_u8(in, &type)) {
        switch (type) {
        case FRAME_PADDING:
        case FRAME_PING:
            break;
        case FRAME_ACK:
        case FRAME_ACK_ECN:
            if (!skip_ack(in, type == FRAME_ACK_ECN))
                return QUIC_FRAME_BROKEN;
            break;
        case FRAME_CRYPTO:
            return read_crypto(in, f) ? QUIC_FRAME_CRYPTO : QUIC_FRAME_BROKEN;
        case FRAME_CLOSE:
        case FRAME_CLOSE_APPLICATION:
            return read_close(in, type == FRAME_CLOSE_APPLICATION, f) ? QUIC_FRAME_CLOSE
                                                                      : QUIC_FRAME_BROKEN;
        default:
            return QUIC_FRAME_BROKEN;
        }
    }
    return QUIC_FRAME_END;
}
