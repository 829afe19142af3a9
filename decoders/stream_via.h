/* What a connection spoke before TLS began on it, and whether it spoke on in clear where TLS had
 * been asked for or belongs: told by how its first segments begin. One byte a connection is
 * remembered. */
#pragma once
#include "core/cur.h"
#include "core/msg.h"

enum {
    STREAM_VIA_SEGMENTS = 6, /* of each direction, that are looked at */
    STREAM_VIA = 0x0f,       /* enum tls_via */
    STREAM_VIA_SURE = 0x80,  /* nothing that comes later says otherwise */
    STREAM_VIA_ASKED = 0x40, /* the client asked for TLS: STARTTLS and its like */
    STREAM_VIA_CLEAR = 0x20, /* it went on in clear */
    STREAM_VIA_LOGIN = 0x10, /* an HTTP request with credentials was told */
};
static_assert(VIA_N <= STREAM_VIA + 1, "room for each");

/* Could what starts with the `n` > 0 bytes at `p` be known to stream_via at all? Most cannot. */
static inline bool stream_via_maybe(const uint8_t *p, size_t n)
{
    /* "*+02<" and the first letters of what is said, small or capital */
    static const uint64_t starts[4] = {
        [0] = UINT64_C(0x10050c0000000000), [1] = UINT64_C(0x0028116a00000000)};
    uint8_t b = p[0] | 0x20;
    return p[0] < 0x20 || starts[b >> 6] >> (b & 63) & 1 || (n >= 7 && (p[1] | p[2]) == 0);
}

/* Does stream_via_clear leave it at what is known, whatever the bytes? */
static inline bool stream_via_settled(uint8_t known, bool from_client, uint16_t service_port)
{
    enum { HTTPS = 443 };
    uint8_t via = known & STREAM_VIA;
    if (known & STREAM_VIA_CLEAR)
        return true;
    if (!from_client)
        return via != VIA_HTTP;
    return via == VIA_DIRECT && service_port != HTTPS && (known & STREAM_VIA_ASKED) == 0;
}

/* What is known, after a segment with `n` > 0 bytes at `p` of a connection between these ports, of
 * which `known` was known before. */
uint8_t stream_via(uint8_t known, const uint8_t *p, size_t n, uint16_t port_a, uint16_t port_b);

/* What is known after the same segment, if its bytes are new, of TLS that does not come:
 * STREAM_VIA_CLEAR is added where the client asked for it (RFC 3207, 2595, 4217, 6120 5, 4511 4.14,
 * and the SSLRequests of PostgreSQL and MySQL) and says something else next, other than that it
 * leaves; and where port 443 serves HTTP in clear. */
uint8_t stream_via_clear(uint8_t known, bool from_client, const uint8_t *p, size_t n,
                         uint16_t service_port);
