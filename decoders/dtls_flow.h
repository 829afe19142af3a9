/* The table of DTLS sessions: address pair, ports, site and capture context, with what
 * tls_session.c knows of a session, and the hellos that are being put together. Private to
 * decoders/. */
#pragma once
#include "decoders/stream.h"

enum {
    DTLS_HELLO_MAX = 16384, /* longer ones are turned away */
    DTLS_HELLOS_A_FLOW = 4, /* put together at once; the oldest leaves */
    DTLS_RANDOM_AT = 2,     /* in a hello */
    DTLS_RANDOM_LEN = 32,
};

/* A handshake message of which fragments have come. */
struct dtls_hello {
    uint32_t free_link; /* of the pool, while free */
    uint32_t next;      /* of its flow: the next older one */
    uint32_t slot;      /* of its flow */
    uint32_t len, have;
    uint16_t seq;
    uint8_t dir, type;
    uint64_t ts_ns; /* of the packet that brought its first fragment */
    uint64_t seen[DTLS_HELLO_MAX / 64];
    uint8_t bytes[DTLS_HELLO_MAX];
};

/* What a sender has said. */
struct dtls_half {
    uint64_t said;        /* hellos of message_seq 0 to 63 */
    uint16_t said_beyond; /* the highest one above */
    uint16_t random_seq;  /* of the hello that random is of */
    bool has_random;
    uint64_t random; /* hash */
};

struct dtls_flow {
    struct stream stream; /* its halves are not used: DTLS has no order of bytes */
    struct dtls_half half[2];
    uint32_t hellos; /* in pieces, the youngest first */
    uint32_t n_hellos;
};

struct dtls_table {
    struct tcp_table flows;  /* finds, numbers and evicts them */
    struct dtls_flow *state; /* [1..flows.max] */
    struct stream_pool hellos;
    uint32_t hellos_used;
    uint32_t hand; /* which of the hellos leaves where all are taken */
};

MUST_CHECK bool dtls_table_init(struct dtls_table *t, uint32_t flows, uint32_t hellos,
                                uint64_t seed, struct err *e);
void dtls_table_end(struct dtls_table *t);

/* Fills `at` with the session that a packet belongs to, or returns false where there is none. Ports
 * that were silent for an hour have none: the session before is ended. */
MUST_CHECK bool dtls_flow_find(struct decode *d, const struct rec *rec, const struct tcp_id *id,
                               struct msgs *out, struct stream_at *at);
/* A new one. False where a limit leaves no room for it (counted). */
MUST_CHECK bool dtls_flow_add(struct decode *d, const struct rec *rec, const struct tcp_id *id,
                              struct msgs *out, struct stream_at *at);
/* The packet at->rec begins another session between the same ports. */
void dtls_flow_anew(struct stream_at *at);

static inline struct dtls_flow *dtls_flow_of(const struct stream_at *at)
{
    return (struct dtls_flow *)(void *)at->stream; /* its first member */
}

/* ---- hellos in pieces */

struct dtls_piece {
    uint8_t dir, type;
    uint16_t seq;
    uint32_t len, off;
    struct cur bytes; /* within the message */
};

/* Adds a fragment of a message of at most DTLS_HELLO_MAX bytes; bytes that came before stay as they
 * were first (a conflict is counted). Returns the message where it is whole now (end it with
 * dtls_hello_drop), else NULL. Where a limit is reached another message that waits has to leave
 * (counted). */
struct dtls_hello *dtls_hello_add(struct stream_at *at, const struct dtls_piece *piece);
/* Has a fragment of this message come? */
MUST_CHECK bool dtls_hello_begun(const struct stream_at *at, unsigned dir, uint16_t seq);
void dtls_hello_drop(struct stream_at *at, struct dtls_hello *h);
/* Drops all of a flow. */
void dtls_hello_drop_all(struct stream_at *at);
