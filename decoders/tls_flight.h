/* What the server of a TLS session answers in clear: from its ServerHello to the end of the
 * handshake, gathered into one answer (core/answer.h). And the signs that a session gives of itself
 * (enum tls_sign).
 *
 * Only for sessions of which rows are written, and until they are decided. The answer being
 * gathered lies in one node of the stream; messages come whole (tls_record.c keeps those that
 * tls_flight_wants), certificates one by one. */
#pragma once
#include "decoders/stream.h"
#include "decoders/tls_certs.h"
#include "decoders/tls_hello.h"

enum {
    TLS_CERT_MAX = 32768,   /* bytes of a certificate that is looked at */
    TLS_FLIGHT_MAX = 16384, /* of another message */
};

/* Takes note of what the first ClientHello offers to resume, and of its signs. */
void tls_flight_client_hello(struct stream_at *at, const struct tls_client_hello *h);
/* Begins an answer. */
void tls_flight_server_hello(struct stream_at *at, const struct tls_server_hello *h);

/* Is this message of direction `dir`, `len` bytes long, to be kept whole? */
MUST_CHECK bool tls_flight_wants(struct stream_at *at, unsigned dir, uint8_t type, uint32_t len);
void tls_flight_message(struct stream_at *at, unsigned dir, uint8_t type, const uint8_t *p,
                        uint32_t n);

/* Is the certificate of `len` bytes that begins in a Certificate of `dir` to be kept whole? Counts
 * those that are too long. */
MUST_CHECK bool tls_flight_wants_cert(struct stream_at *at, unsigned dir, uint32_t len);
/* It is whole: `n` bytes at `der`, with this id (core/cert.h). */
void tls_flight_cert(struct stream_at *at, unsigned dir, const uint8_t *der, uint32_t n,
                     uint64_t id);
/* It is whole, and this one again. */
void tls_flight_cert_again(struct stream_at *at, unsigned dir, struct tls_cert_seen *seen);

/* A message of `dir`, or a part of it, is lost. */
void tls_flight_cut(struct stream_at *at, unsigned dir);

/* The record of a ServerHello of SSLv2, from its head on. */
void tls_flight_sslv2(struct stream_at *at, unsigned dir, const uint8_t *p, uint32_t n);

/* The session is decided: what the server answered is put into d->answer, and the session's
 * answer_id is set. Nothing is gathered any more. */
void tls_flight_finish(struct stream_at *at, uint8_t outcome);
/* Gives back what is gathered. */
void tls_flight_drop(struct stream_at *at);

/* A heartbeat record: `len` bytes of body, of which the first `n` <= 3 are at `p` if they are in
 * clear (n 0: not). */
void tls_flight_heartbeat(struct stream_at *at, unsigned dir, uint32_t len, const uint8_t *p,
                          unsigned n);
