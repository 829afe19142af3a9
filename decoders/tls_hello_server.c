#include "decoders/tls_hello_part.h"

/* RFC 8446 4.1.3 */
static const uint8_t hello_retry_random[RANDOM_LEN] = {
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
    0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
};

static uint32_t answer_flag(uint16_t type)
{
    switch (type) {
    case EXT_RENEGOTIATION_INFO:
        return ANSWER_RENEG_INFO;
    case EXT_EXTENDED_MASTER_SECRET:
        return ANSWER_EMS;
    case EXT_ENCRYPT_THEN_MAC:
        return ANSWER_ETM;
    case EXT_HEARTBEAT:
        return ANSWER_HEARTBEAT;
    case EXT_SESSION_TICKET:
        return ANSWER_TICKET;
    case EXT_STATUS_REQUEST:
        return ANSWER_OCSP;
    case EXT_PRE_SHARED_KEY:
        return ANSWER_PSK;
    default:
        return 0;
    }
}

/* RFC 8446 4.1.3: the last 8 bytes of the random of a server that could do better. */
static uint32_t sentinel(const uint8_t random[static RANDOM_LEN])
{
    if (memcmp(random + RANDOM_LEN - 8, "DOWNGRD", 7) != 0)
        return 0;
    return random[RANDOM_LEN - 1] == 1   ? ANSWER_SENTINEL_12
           : random[RANDOM_LEN - 1] == 0 ? ANSWER_SENTINEL_11
                                         : 0;
}

static bool server_extension(uint16_t type, struct cur body, struct tls_server_hello *h)
{
    struct cur list;
    uint64_t none = 0;
    uint16_t v;
    switch (type) {
    case EXT_SUPPORTED_VERSIONS:
        return cur_u16(&body, &h->version);
    case EXT_KEY_SHARE: /* a HelloRetryRequest has the group alone */
        return cur_u16(&body, &h->group);
    case EXT_PRE_SHARED_KEY:
        h->psk = true;
        return cur_u16(&body, &v);
    case EXT_ALPN:
        return cur_block16(&body, &list) && tls_hello_alpn(list, &h->alpn, &none);
    default:
        return true;
    }
}

static enum outcome server_hello(struct cur in, uint8_t major, struct tls_server_hello *out,
                                 bool *usable)
{
    struct tls_server_hello h = {0};
    struct cur random, session_id, all, body;
    uint16_t len, type;
    *usable = false;
    if (!cur_u16(&in, &h.legacy_version) || !cur_take(&in, RANDOM_LEN, &random))
        return cur_why(&in);
    bool early_draft = major == TLS_MAJOR && tls_server_early_draft(h.legacy_version);
    if (h.legacy_version >> 8 != major && !early_draft)
        return OUT_MALFORMED;
    if (!early_draft && !cur_block8(&in, &session_id))
        return cur_why(&in);
    if (!early_draft)
        h.session_id = bytes_of(&session_id);
    h.answer_flags = sentinel(random.p);
    if (!cur_u16(&in, &h.cipher) || (!early_draft && !cur_u8(&in, &h.compression)))
        return cur_why(&in);
    h.version = h.legacy_version;
    h.hello_retry = memcmp(random.p, hello_retry_random, RANDOM_LEN) == 0;
    *usable = true;
    enum outcome result = OUT_OK;
    if (in.left > 0 || in.snapped) {
        if (!cur_u16(&in, &len) || !cur_take_captured(&in, len, &all)) {
            *out = h;
            return cur_why(&in);
        }
        while (all.left > 0 || all.snapped) {
            if (!cur_u16(&all, &type) || !cur_block16(&all, &body)) {
                result = cur_why(&all);
                break;
            }
            h.answer_flags |= answer_flag(type);
            if (!server_extension(type, body, &h))
                result = OUT_MALFORMED;
        }
    }
    *out = h;
    return result;
}

enum outcome tls_server_hello_decode(struct cur in, struct tls_server_hello *out, bool *usable)
{
    return server_hello(in, TLS_MAJOR, out, usable);
}

enum outcome dtls_server_hello_decode(struct cur in, struct tls_server_hello *out, bool *usable)
{
    return server_hello(in, DTLS_MAJOR, out, usable);
}
