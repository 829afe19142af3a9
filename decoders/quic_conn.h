/* QUIC connections: their table, what is known of each, and how they begin and end. For
 * decoders/quic*.c only. */
#pragma once
#include "decoders/decode_state.h"
#include "decoders/quic_crypto.h"
#include "decoders/quic_keys.h"
#include "decoders/tls_session.h"

enum { QUIC_CLIENT, QUIC_SERVER };

/* What the opening of Initial packets needs: given back when the handshake is decided. */
struct quic_handshake {
    uint32_t free_link;      /* of the pool, while free */
    uint32_t older, younger; /* the others in use, by number */
    uint32_t slot;
    const struct quic_version *version; /* of `keys` */
    struct quic_keys keys[2];           /* of QUIC_CLIENT, QUIC_SERVER */
    uint64_t largest[2];                /* packet numbers */
    struct quic_crypto crypto[2];
    bool lost[2];                         /* this side's CRYPTO stream cannot be read any further */
    uint8_t dcid_len, dcid[QUIC_CID_MAX]; /* what made the keys */
};

struct quic_conn {
    struct stream stream;    /* for tls_session.c, with its `tls`; its halves lie idle */
    uint32_t older, younger; /* the other connections, by slot, in the order of their beginnings */
    uint32_t handshake;      /* its number, or 0 */
    uint32_t version;
    uint64_t dcid_hash[2]; /* of the Destination Connection IDs that keyed it first and last: a late
                              copy of the client's beginning is no new one */
    bool ended;            /* its last report was made */
};

struct quic {
    struct tcp_table flows;
    struct quic_conn *conns; /* by slot of `flows` */
    struct stream_pool handshakes;
    uint32_t oldest, youngest;            /* connections */
    uint32_t first_shaking, last_shaking; /* handshakes in use, in the order in which they began */
    struct quic_crypt *crypt;
    uint8_t *plain;            /* an opened packet */
    struct quic_keys trial[2]; /* keys being tried */
    uint64_t seed;
};

/* A datagram and its connection. */
struct quic_at {
    struct stream_at s; /* s.stream is &conn->stream */
    struct quic *q;
    struct quic_conn *conn;
    bool closed; /* an opened packet closes the connection, and names no TLS alert */
};

static inline struct quic_handshake *quic_handshake_at(const struct quic *q, uint32_t i)
{
    return stream_pool_at(&q->handshakes, i);
}

/* The connection in `slot`, seen from `rec` that its direction `dir` sent (NULL: no packet). */
struct quic_at quic_conn_at(struct decode *d, uint32_t slot, const struct rec *rec, unsigned dir,
                            struct msgs *out);

/* The connection of a datagram, or 0. One that was silent for too long has ended, and is stated. */
uint32_t quic_conn_find(struct decode *d, const struct rec *rec, const struct tcp_id *id,
                        struct msgs *out);

/* A slot for one that is not in the table; 0 where there is no place (counted). */
MUST_CHECK uint32_t quic_conn_add(struct decode *d, const struct rec *rec, const struct tcp_id *id,
                                  struct msgs *out);

/* The sender of `at`'s datagram begins a connection in its slot, which holds none, with the trial
 * keys that `dcid` made. */
void quic_conn_begin(struct quic_at *at, const struct quic_version *v, struct cur dcid,
                     uint64_t largest);

/* The client goes on with other keys, the trial ones, that `dcid` made. */
void quic_conn_rekey(struct quic_at *at, const struct quic_version *v, struct cur dcid);

/* Its handshake is over: what the opening of packets needed is given back. */
void quic_conn_settle(struct quic_at *at);

/* It was closed before it was established: the last report. */
void quic_conn_close(struct quic_at *at);

/* It is over without a packet that says so: the last report, if none was made, at its last packet's
 * time. Its slot holds none afterwards. */
void quic_conn_end(struct quic_at *at);

uint64_t quic_dcid_hash(const struct quic *q, struct cur dcid);
