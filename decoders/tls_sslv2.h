/* Hellos of SSLv2 format over a TCP stream; after a real SSLv2 ServerHello nothing is read any
 * more. */
#pragma once
#include "decoders/stream.h"

/* Up to `n` bytes of a ClientHello, told by its head. Returns how many it took. */
size_t tls_sslv2_hello(struct stream_at *at, unsigned dir, const uint8_t *p, size_t n,
                       uint64_t ts_ns);

/* The server's answer to a hello of SSLv2 format may have that format itself. Its first bytes tell:
 * does one start at `p`? */
MUST_CHECK bool tls_sslv2_answer(struct stream_at *at, unsigned dir, const uint8_t *p, size_t n,
                                 uint64_t ts_ns);

/* Up to `n` bytes of it, in mode AT_V2_ANSWER. Returns how many it took. */
uint32_t tls_sslv2_answer_data(struct stream_at *at, unsigned dir, const uint8_t *p, size_t n);

/* `n` bytes in mode AT_OPAQUE. */
void tls_sslv2_opaque(struct stream_at *at, unsigned dir, size_t n);
