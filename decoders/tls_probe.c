/* What may be the start of a TLS stream. */
#include "decoders/tls_hello.h"
#include "decoders/tls_record.h"
#include "decoders/tls_wire.h"

bool tls_alert_known(uint8_t level, uint8_t description)
{
    static const uint64_t low = UINT64_C(1) << 0 | UINT64_C(1) << 10 | UINT64_C(7) << 20
                                | UINT64_C(1) << 30 | UINT64_C(0xfff) << 40 | UINT64_C(1) << 60;
    if (level != 1 && level != 2)
        return false;
    if (description < 64)
        return low >> description & 1;
    return description == 70 || description == 71 || description == 80 || description == 86
           || description == 90 || description == 100 || description == 109
           || (description >= 110 && description <= 121);
}

bool tls_message_known(uint8_t type)
{
    static const uint32_t known = 1u << 0 | 1u << 1 | 1u << 2 | 1u << 3 | 1u << 4 | 1u << 5
                                  | 1u << 6 | 1u << 8 | 1u << 11 | 1u << 12 | 1u << 13 | 1u << 14
                                  | 1u << 15 | 1u << 16 | 1u << 20 | 1u << 21 | 1u << 22 | 1u << 23
                                  | 1u << 24 | 1u << 25;
    return type < 32 ? known >> type & 1 : type == 67;
}

static bool head_good(const uint8_t *p, size_t n)
{
    if (p[0] < TLS_TYPE_CCS || p[0] > TLS_TYPE_HEARTBEAT || (n > 1 && p[1] != 3)
        || (n > 2 && p[2] > 4))
        return false;
    if (n < TLS_RECORD_HEAD)
        return n < 4 || p[3] <= TLS_RECORD_MAX >> 8;
    uint32_t len = (uint32_t)p[3] << 8 | p[4];
    return len > 0 && len <= TLS_RECORD_MAX;
}

/* Does a hello start at `p`, the first `n` bytes of a record's body? Looks at what there is. */
static bool hello_good(const uint8_t *p, size_t n)
{
    if (n >= 1 && p[0] != TLS_MSG_CLIENT_HELLO && p[0] != TLS_MSG_SERVER_HELLO)
        return false;
    if (n >= 2 && p[1] > TLS_HELLO_MAX >> 16)
        return false;
    if (n >= 4) {
        uint32_t len = (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
        if (len < 38 || len > TLS_HELLO_MAX)
            return false;
    }
    return n < 5 || p[4] == 3 || (p[0] == TLS_MSG_SERVER_HELLO && p[4] == 0x7f);
}

/* Could these be the first bytes of a record in the middle of a session? */
static bool record_good(const uint8_t *p, size_t n)
{
    uint32_t len = (uint32_t)p[3] << 8 | p[4];
    const uint8_t *body = p + TLS_RECORD_HEAD;
    size_t there = n - TLS_RECORD_HEAD;
    switch (p[0]) {
    case TLS_TYPE_CCS:
        return len == 1 && (there < 1 || body[0] == 1);
    case TLS_TYPE_ALERT:
        return len == 2 ? there < 2 || tls_alert_known(body[0], body[1]) : len >= 16 && len <= 512;
    case TLS_TYPE_HANDSHAKE:
        return len >= 16 || (len >= TLS_MSG_HEAD && (there < 1 || tls_message_known(body[0])));
    default:
        return true;
    }
}

enum tls_probe tls_record_probe(const uint8_t *p, size_t n, enum tls_probe_want want, bool first)
{
    if (first && p[0] & 0x80) {
        struct tls_client_hello h;
        size_t len;
        if (n < TLS_SSLV2_HEAD && p[0] != 0x80 && p[0] != 0x81)
            return TLS_NO; /* longer ones are believed whole only */
        enum outcome o = sslv2_client_hello_decode(cur_of(p, n, SIZE_MAX), &h, &len);
        return o == OUT_NOT_MINE ? TLS_NO : n < TLS_SSLV2_HEAD ? TLS_MAYBE : TLS_YES_SSLV2;
    }
    if (!head_good(p, n))
        return TLS_NO;
    if (want == TLS_WANT_HELLO && p[0] != TLS_TYPE_HANDSHAKE && p[0] != TLS_TYPE_ALERT)
        return TLS_NO;
    if (n < TLS_RECORD_HEAD + 1)
        return TLS_MAYBE;
    uint32_t len = (uint32_t)p[3] << 8 | p[4];
    if (want == TLS_WANT_HELLO && p[0] == TLS_TYPE_ALERT) {
        if (len != 2 || n < TLS_RECORD_HEAD + 2)
            return len == 2 && p[5] <= 2 ? TLS_MAYBE : TLS_NO;
        return tls_alert_known(p[5], p[6]) ? TLS_YES : TLS_NO;
    }
    size_t there = n - TLS_RECORD_HEAD < len ? n - TLS_RECORD_HEAD : len;
    if (p[0] == TLS_TYPE_HANDSHAKE && hello_good(p + TLS_RECORD_HEAD, there))
        return there == len || there >= 5 ? TLS_YES : TLS_MAYBE;
    if (want == TLS_WANT_HELLO || !record_good(p, n))
        return TLS_NO;
    return n > TLS_RECORD_HEAD + len
                   && !head_good(p + TLS_RECORD_HEAD + len, n - TLS_RECORD_HEAD - len)
               ? TLS_NO
               : TLS_YES;
}
