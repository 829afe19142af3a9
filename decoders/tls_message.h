/* Handshake messages in clear, of whatever records they come in: tls_record.c gives their bytes, in
 * pieces of any size.
 *
 * Hellos and what tls_flight.h wants are copied where they do not come in one piece; certificates
 * likewise, one by one. The rest is passed over by its length. */
#pragma once
#include "decoders/stream.h"
#include "decoders/tls_hello.h"

/* States a hello that `dir` sent (`body`: what it was decoded from), of a message of `raw_len`
 * bytes that began at `ts_ns`, and tells the session of it. */
void tls_message_client_hello(struct stream_at *at, unsigned dir, const struct tls_client_hello *h,
                              struct cur body, uint32_t raw_len, uint64_t ts_ns);
void tls_message_server_hello(struct stream_at *at, unsigned dir, const struct tls_server_hello *h,
                              struct cur body, uint32_t raw_len, uint64_t ts_ns);

/* `n` bytes of a handshake record of `dir`. */
void tls_message_data(struct stream_at *at, unsigned dir, const uint8_t *p, uint32_t n,
                      uint64_t ts_ns);

/* `n` bytes of one will not come. True where a message was lost that somebody waits for. */
MUST_CHECK bool tls_message_gap(struct stream_at *at, struct stream_half *h, uint32_t n);
