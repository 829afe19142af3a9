/* What a connection spoke before TLS began on it: told by how its first segments begin. One byte a
 * connection is remembered. */
#pragma once
#include "core/cur.h"
#include "core/msg.h"

enum {
    STREAM_VIA_SEGMENTS = 4, /* of each direction, that are looked at */
    STREAM_VIA_SURE = 0x80,  /* with an enum tls_via: nothing that comes later says otherwise */
};

/* What is known, after a segment with `n` > 0 bytes at `p` of a connection between these ports, of
 * which `known` was known before. */
uint8_t stream_via(uint8_t known, const uint8_t *p, size_t n, uint16_t port_a, uint16_t port_b);
