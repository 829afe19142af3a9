/* The decode stage: n records in, n outcomes, 0..k messages a record. */
#pragma once
#include "core/err.h"
#include "decoders/msg.h"

struct decode; /* one worker's flows and pending exchanges; all memory is taken at start-up */

struct decode_limits {
    uint32_t tcp_flows;         /* TCP connections followed at once */
    uint32_t tcp_buffers;       /* connections that may hold copied bytes at once */
    uint32_t tcp_buffer_bytes;  /* copied bytes a connection and direction may hold */
    uint32_t dtls_flows;        /* DTLS sessions followed at once */
    uint32_t dtls_hellos;       /* DTLS hellos put together from fragments at once */
    uint32_t dns_pending;       /* queries waiting for their response */
    uint32_t ntp_pending;       /* address pairs whose requests are remembered */
    uint32_t tls_resumptions;   /* TLS sessions remembered for those that resume them */
    uint32_t quic_flows;        /* QUIC connections followed at once */
    uint32_t quic_buffers;      /* of these, handshakes in progress at once */
    uint32_t quic_buffer_bytes; /* copied bytes a handshake and direction may hold */
    uint64_t window_ns;         /* sessions are reported anew in each window; 0: never */
    uint64_t seed;              /* of hashes */
    bool scope_all;             /* rows are written of everybody, not of gateways alone */
    bool ja3;                   /* JA3 and JA3S are wanted, not JA4 alone */
};

struct decode_stats {
    uint64_t in, out[OUT_N];
    uint64_t flows;                  /* TCP connections opened in the table */
    uint64_t flows_turned_away;      /* live ones pushed out by the limit */
    uint64_t dtls_flows_turned_away; /* likewise of DTLS */
    uint64_t buffers_turned_away;    /* streams, and DTLS hellos in fragments, that could not be put
                                        together for want of buffers */
    uint64_t bytes_turned_away;      /* bytes not kept because a buffer was full */
    uint64_t overlap_conflicts; /* segments and DTLS hellos that say something else than the first
                                   copy of the same bytes */
    uint64_t holes;             /* gaps in a stream skipped over */
    uint64_t quic_flows_turned_away; /* live QUIC connections pushed out by the limit */
    uint64_t dns_pending_turned_away, ntp_pending_turned_away;
    uint64_t certs_turned_away;       /* certificates too long or too many to be kept */
    uint64_t resumptions_turned_away; /* TLS sessions forgotten that might be resumed */
};

/* Caller owns `*d`. `http_hosts`: NULL-terminated, borrowed for the life of `*d`: hosts whose
 * plain-HTTP User-Agent is wanted. */
MUST_CHECK bool decode_new(struct decode **d, const struct decode_limits *limits,
                           const char *const http_hosts[], struct err *e);
void decode_free(struct decode *d);

/* Decodes n <= BURST_MAX records whose outcome is OUT_OK; others pass. Sets outcome, proto and
 * service_port of every record; appends messages to `out` (which folds itself when full). Messages
 * borrow the records: flush before reusing them. */
void decode_burst(struct decode *d, struct rec recs[], unsigned n, struct msgs *out);

/* The capture context `origin` ended: its flows end, what was still open is stated as it stands (in
 * the order of the flows' first packets), pending exchanges are forgotten. `out` is flushed before
 * this returns. */
void decode_origin_end(struct decode *d, uint16_t origin, struct msgs *out);

/* Live, where windows close while sessions are open: states what those have counted whose last
 * report was for a window that contains no time >= `before_ns`, and decides the handshakes begun
 * before it (10 s later at least, which is the caller's affair). Looks at no more than `max` places
 * a call, going on where the last one stopped; true at the end of a round, and the next call begins
 * another. `out` is flushed before this returns. */
bool decode_sweep(struct decode *d, uint64_t before_ns, uint32_t max, struct msgs *out);

const struct decode_stats *decode_stats(const struct decode *d);

/* ---- for decoders
 * -------------------------------------------------------------------------------- */

/* A protocol in datagrams. `out` may get messages. Outcome is the packet's. */
struct datagram_decoder {
    const char *name;
    enum proto proto;
    uint16_t port; /* either side; 0: tried on every port after the others */
    enum outcome (*decode)(struct decode *d, struct rec *rec, struct msgs *out);
};
