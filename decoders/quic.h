/* TLS inside QUIC (RFC 9000, 9001, 9369): the Initial packets, which anyone who sees a connection's
 * beginning can open, and the hellos in their CRYPTO frames.
 *
 * A connection is found on any port by what its client's first datagram says, and believed when
 * that opens: the AEAD is the proof. Later packets belong to it by addresses, ports, site and
 * capture context; their content stays closed, and tells only that the handshake went on. After a
 * Retry the client's new Destination Connection ID makes the keys; a Version Negotiation packet is
 * passed over, and the client's next attempt opened with the keys of its version. */
#pragma once
#include "decoders/decode.h"

struct quic; /* connections and handshakes in progress: one worker's */

/* Caller owns `*q`. All memory is taken here. */
MUST_CHECK bool quic_new(struct quic **q, const struct decode_limits *limits, struct err *e);
void quic_free(struct quic *q);

/* Takes one datagram. OUT_NOT_MINE where it is no QUIC, or of a connection whose beginning was not
 * seen; OUT_TRUNCATED where the capture cut an Initial; OUT_MALFORMED where an opened packet breaks
 * its specification; OUT_TABLE_FULL where a limit left no room for its bytes. */
enum outcome quic_datagram(struct decode *d, struct rec *rec, struct msgs *out);

/* States what is open in the capture context `origin`, in the order in which the connections began,
 * and forgets them. */
void quic_origin_end(struct decode *d, uint16_t origin, struct msgs *out);

/* See decode_sweep. */
void quic_sweep(struct decode *d, uint32_t slot, uint64_t before_ns, struct msgs *out);
const struct tcp_table *quic_table(const struct quic *q); /* whose places it goes by */
