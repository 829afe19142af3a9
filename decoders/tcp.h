/* TCP connections: which packet belongs to which, what was never seen of them, and when they end
 * (RFC 9293). */
#pragma once
#include "decoders/stream.h"

/* Asks the cache for the stream state of the connection in `slot`, or of whatever is there. */
void tcp_prefetch(const struct decode *d, uint32_t slot);

/* Takes one TCP packet with ports. Sets its outcome, protocol and service port. */
void tcp_packet(struct decode *d, struct rec *rec, const struct tcp_id *id, struct msgs *out);

/* States what is open in the capture context `origin`, in the order in which the streams began, and
 * forgets all its connections. */
void tcp_origin_end(struct decode *d, uint16_t origin, struct msgs *out);

/* One place of the table: see decode_sweep. */
void tcp_sweep(struct decode *d, uint32_t slot, uint64_t before_ns, struct msgs *out);
