/* One worker's decoding state: private to decoders/. */
#pragma once
#include "decoders/blobs.h"
#include "decoders/dns_match.h"
#include "decoders/dtls_flow.h"
#include "decoders/fingerprint.h"
#include "decoders/ntp_pair.h"
#include "decoders/quic.h"
#include "decoders/stream.h"
#include "decoders/tls_certs.h"
#include "decoders/tls_known.h"
#include "decoders/tls_resume.h"

/* A record stands in for a packet where a connection ends without one. As many as a burst may need:
 * an eviction and a reuse a packet. */
enum { MADE_UP_MAX = 128 };

/* Streams are 576 bytes: 2.3 MiB, of which packets of decided sessions touch a line or two. */
enum { STREAMS_HOT = 4096 };

struct decode_open {
    uint64_t first_ord;
    uint32_t slot; /* of the connection */
};

struct decode {
    struct decode_limits limits;
    const char *const *http_hosts; /* NULL-terminated, borrowed */
    struct decode_stats stats;
    struct tcp_table flows;
    struct stream_pool streams, nodes;
    struct stream_pool calm; /* see tls_calm.h */
    struct blobs blobs;      /* what calm sessions share */
    uint32_t n_streams;      /* of streams, taken */
    uint32_t streams_hot;    /* number of streams from which on those at rest are made calm */
    uint32_t hand;           /* see tls_calm_make_room */
    uint64_t window_ns;      /* start of the window that tls_calm_packet met last */
    struct dtls_table dtls;
    uint32_t holders; /* connections that hold nodes */
    struct dns_match *dns;
    struct ntp_pairs *ntp;
    struct quic *quic;
    struct fingerprints *fingerprints;
    const struct fifo_ahead *ahead; /* of the datagram being decoded */
    struct tls_resume *resume;
    uint8_t *scratch;         /* limits.tcp_buffer_bytes: a kept message in one piece */
    struct decode_open *open; /* limits.tcp_flows: for sorting at the end of a capture context */
    uint32_t sweep_stage, sweep_slot; /* where decode_sweep goes on */
    unsigned n_made_up;
    struct rec made_up[MADE_UP_MAX];
    uint16_t answer_len; /* of the session that was just decided */
    uint8_t answer[ANSWER_BLOB_MAX];
    struct tls_client_hello hello; /* too large for the stack of every record */
    struct tls_known known;        /* what came before */
    struct tls_certs certs;        /* likewise */
};

/* Makes room for one more made-up record: messages borrow them until these are folded. */
static inline void made_up_room(struct decode *d, struct msgs *out)
{
    if (d->n_made_up < MADE_UP_MAX)
        return;
    msgs_flush(out);
    d->n_made_up = 0;
}
