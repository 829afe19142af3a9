#include "decoders/ntp.h"

enum {
    EXT_MAX = 16, /* extension fields walked */
    EXT_MIN = 16, /* RFC 7822 7.5; Autokey's own may be 8 (RFC 5906 10) */
    EXT_MIN_KNOWN = 8,
    MAC_MIN = 8,     /* key id and a digest */
    MAC_MAX_V4 = 24, /* RFC 7822 7.5.1.3: in version 4 what is longer is an extension field */
    CRYPTO_NAK = 4,  /* a key id alone */
};

/* The registry "NTP Extension Field Types" (RFC 5906, RFC 8915, RFC 7821, RFC 9748). Autokey has
 * two spellings: 0x0N02, as deployed, and 0x020N, as RFC 5906 says. */
static bool ext_known(uint16_t type)
{
    if (type == 0x0104 || type == 0x0204 || type == 0x0304 || type == 0x0404 || type == 0x2005)
        return true;
    unsigned top = type >> 14, high = type >> 8 & 0x3f, low = type & 0xff;
    return top != 1 && ((low == 2 && high <= 9) || (high == 2 && low <= 9));
}

static bool ext_is_nts(uint16_t type)
{
    return type == 0x0104 || type == 0x0204 || type == 0x0304 || type == 0x0404;
}

/* Up to version 3 there are no extension fields: what follows is a MAC of one of these lengths
 * (DES, MD5, SHA-1, SHA-256, SHA-384, SHA-512; 72: MS-SNTP extended authenticator) or nobody's. */
static bool mac_len_v3(size_t len)
{
    return len == 12 || len == 20 || len == 24 || len == 36 || len == 52 || len == 68 || len == 72;
}

/* Sticks at the top: a cursor may be longer than any datagram. */
static uint16_t add_u16(uint16_t sum, size_t more)
{
    return ntp_len(sum + more);
}

/* One extension field at the start of `c`. False: none there, `c` has not moved. */
static bool ext_take(struct cur *c, uint16_t *type, uint16_t *len)
{
    struct cur at = *c, body;
    if (!cur_u16(&at, type) || !cur_u16(&at, len))
        return false;
    bool known = ext_known(*type);
    if (*len % 4 != 0 || *len < (known ? EXT_MIN_KNOWN : EXT_MIN)
        || (!known && c->left <= MAC_MAX_V4) || !cur_take(&at, *len - 4u, &body))
        return false;
    *c = at;
    return true;
}

void ntp_trailer(const uint8_t *p, size_t left, bool snapped, struct ntp_msg *out)
{
    struct cur in = {.p = p, .left = left, .snapped = snapped};
    uint16_t type, len;
    while (out->version >= 4 && in.left > CRYPTO_NAK && out->n_ext < EXT_MAX
           && ext_take(&in, &type, &len)) {
        out->n_ext++;
        out->ext_bytes = add_u16(out->ext_bytes, len);
        out->nts_fields += ext_is_nts(type);
        if (!ext_known(type))
            out->ext_unknown_bytes = add_u16(out->ext_unknown_bytes, len);
    }
    if (in.snapped) /* cut before the end: what is left cannot be judged */
        return;
    bool mac = out->version >= 4 ? in.left >= MAC_MIN && in.left <= MAC_MAX_V4 && in.left % 4 == 0
                                 : mac_len_v3(in.left);
    uint8_t mac_len = (uint8_t)in.left;
    if ((mac || in.left == CRYPTO_NAK) && cur_u32(&in, &out->key_id))
        out->mac_len = mac_len;
    else
        out->ext_unknown_bytes = add_u16(out->ext_unknown_bytes, in.left);
}

/* Modes 6 (RFC 9327 2) and 7 (ntpd's own). */
static enum outcome control_decode(struct cur in, uint16_t payload_len, struct ntp_msg *out)
{
    uint8_t first, second, implementation, code;
    struct cur head;
    bool control = in.left > 0 && (in.p[0] & 7) == 6;
    if (!cur_take(&in, control ? 12 : 8, &head) || !cur_u8(&head, &first) || !cur_u8(&head, &second)
        || !cur_u8(&head, &implementation) || !cur_u8(&head, &code))
        return cur_why(&in);
    *out = (struct ntp_msg){
        .leap = first >> 6,
        .version = first >> 3 & 7,
        .mode = first & 7,
        .payload_len = payload_len,
        .response = (control ? second : first) >> 7,
        .priv_code = control ? second & 0x1f : code,
    };
    return OUT_OK;
}

enum outcome ntp_other(const uint8_t *p, size_t left, bool snapped, struct ntp_msg *out)
{
    struct cur in = {.p = p, .left = left, .snapped = snapped}, at = in;
    uint8_t first;
    if (!cur_u8(&at, &first))
        return in.snapped ? OUT_TRUNCATED : OUT_NOT_MINE;
    uint8_t version = first >> 3 & 7, mode = first & 7;
    if (version < 1 || version > 4 || (mode == 0 && version != 1))
        return OUT_NOT_MINE;
    return mode >= 6 ? control_decode(in, ntp_len(in.left), out) : cur_why(&in);
}
