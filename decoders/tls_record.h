/* The TLS record layer over a TCP stream (RFC 8446 5, RFC 5246 6.2, RFC 6101 5.2), and the
 * handshake messages and alerts in clear.
 *
 * A machine of one byte after the other: records and messages may be split, joined and cut
 * anywhere. Only hellos that are not whole in what arrives are copied; certificates are counted in
 * passing, protected records are skipped by their length. */
#pragma once
#include "decoders/stream.h"
#include "decoders/tls_hello.h"

enum tls_probe { TLS_NO, TLS_MAYBE, TLS_YES, TLS_YES_SSLV2 };

/* What may start a TLS stream. */
enum tls_probe_want {
    TLS_WANT_HELLO, /* only a ClientHello or ServerHello, or a readable alert in its place */
    TLS_WANT_ANY,   /* any record, of a session that began before */
};

/* Could TLS start at `p`? TLS_MAYBE: it needs more than these `n` bytes to say; never from 16 on.
 * `first`: these are the first bytes of their direction, where a hello of SSLv2 format may stand.
 */
MUST_CHECK enum tls_probe tls_record_probe(const uint8_t *p, size_t n, enum tls_probe_want want,
                                           bool first);

/* The connection was told to be TLS by what direction `dir` is about to be given. */
void tls_record_begin(struct stream_at *at, unsigned dir, enum tls_probe found);

void tls_record_data(struct stream_at *at, unsigned dir, const uint8_t *p, size_t n, bool start,
                     uint64_t ts_ns);
MUST_CHECK bool tls_record_gap(struct stream_at *at, unsigned dir, uint32_t n);

/* ---- for tls_message.c and tls_sslv2.c */

/* What cannot be was read: malformed, where we saw all of it. */
void tls_record_broken(struct stream_at *at, const struct stream_half *h);
/* A protected record of `dir`, of this record version (0: it was told before). */
void tls_record_protected(struct stream_at *at, unsigned dir, uint16_t version);
/* The direction is out of step: it looks for a record where a segment starts. */
void tls_record_forget(struct stream_at *at, struct stream_half *h);
