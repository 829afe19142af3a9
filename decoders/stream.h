/* TCP streams: bytes into order, each direction by itself, and handed to whoever decodes the
 * connection.
 *
 * A stream's state exists only for connections that somebody decodes, and for others while bytes
 * wait: out of order, or too few to tell what they are. What is in order is handed on straight from
 * the packet. Handing on is in pieces of any size: decoders may not care where segments end, except
 * that an unknown protocol is looked for only where a segment starts. */
#pragma once
#include "decoders/decode.h"
#include "decoders/tcp_table.h"

/* A piece of copied bytes: of a segment that waits for those before it, or of a message that is not
 * whole yet. */
enum { STREAM_NODE_BYTES = 480 };
struct stream_node {
    uint32_t next;
    uint32_t seq; /* of the first byte */
    uint32_t cut; /* bytes after these that the capture did not keep */
    uint16_t len;
    bool start;     /* a segment starts here */
    uint64_t ts_ns; /* of its packet */
    uint8_t bytes[STREAM_NODE_BYTES];
};

/* Copied bytes that belong together: a message not whole yet. */
struct stream_kept {
    uint32_t head, tail; /* nodes, 0: none */
    uint32_t len;
    uint16_t like; /* in no node, but the first of this certificate (tls_certs.h); 0: not */
    bool aside; /* what a session remembers: does not make its connection one of limits.tcp_buffers
                 */
};

/* What a decoder knows of one direction: see tls_record.c, stream_dns.c, stream_http.c. First what
 * tls_quick_packet needs. */
struct stream_half {
    uint32_t next;    /* sequence number of the byte to be handed on next */
    uint32_t waiting; /* nodes beyond it, by sequence number, without overlap; 0: none */
    uint32_t left;    /* bytes left of the record, message or body */
    uint16_t flags;   /* decoder's own */
    uint8_t type;     /* TLS: of the record */
    bool known : 1;   /* next is */
    bool synced : 1;  /* the decoder knows where it is; else it looks for a beginning at each
                         segment */
    bool first : 1;   /* nothing was handed on yet, and nothing before: the direction's first bytes
                         are to come */
    uint16_t n_waiting;
    uint8_t strikes; /* acknowledgements that say the bytes before `waiting` were received, but not
                        by us */
    /* decoding */
    uint8_t n_head; /* bytes gathered in head */
    uint8_t head[16];
    uint8_t mode; /* decoder's own */
    uint8_t n_msg_head;
    uint8_t msg_head[4];
    uint16_t count;     /* TLS: certificates; HTTP: requests not answered */
    uint32_t msg_left;  /* bytes left of the handshake message */
    uint32_t list_left; /* TLS: bytes to skip within a Certificate message */
    uint64_t msg_ts_ns; /* of the packet in which the message began */
    struct stream_kept kept;
};

enum {
    TLS_NAMES_INLINE = 48,
    TLS_NAME_MAX = 239 /* longer names are cut in sessions, never in hellos */
};

/* What is known of a TLS session: see tls_session.h. */
struct tls_session {
    uint64_t first_ts_ns;
    uint64_t last_alive_ns[2]; /* starts of the last two windows in which it was counted */
    uint64_t hello_id, answer_id;
    uint64_t offered_id, offered_ticket; /* hashes of what the client would resume; 0: none */
    uint32_t flight;                     /* node: see tls_flight.h; 0: none */
    uint16_t beat[2];                    /* bytes of the last heartbeat of direction 0, 1 */
    uint16_t signs;                      /* enum tls_sign */
    uint8_t via;                         /* enum tls_via */
    uint16_t version, cipher, group, client_max_version;
    uint16_t record_version[2]; /* of protected records of direction 0, 1; 0: none seen */
    uint16_t flags;             /* enum tls_session_flags */
    uint8_t outcome;            /* enum tls_outcome */
    uint8_t n_alive;            /* of last_alive_ns */
    uint8_t alert_level, alert;
    uint8_t client_dir; /* 0, 1 */
    uint8_t sni_len, alpn_len;
    uint8_t records;                 /* seen, up to 255 */
    struct stream_kept long_names;   /* names that outgrow names[] */
    uint8_t names[TLS_NAMES_INLINE]; /* SNI, ALPN, JA3, JA3S */
    char ja4[36];                    /* of the first ClientHello; none where it begins with NUL */
    uint64_t window_ns;              /* start of the window that bytes[] belongs to */
    uint64_t window_last_ns;         /* latest packet counted there */
    uint64_t bytes[2];               /* on the wire, by direction, since the last report */
};

struct stream {
    uint32_t free_link; /* of the pool, while free */
    uint32_t flow;      /* slot; 0: this one is free */
    uint32_t n_nodes;   /* held by both halves */
    uint32_t pad;
    struct tls_session tls; /* its end and the start of half[0] share a line: see tls_quick.c */
    struct stream_half half[2];
    uint64_t first_ord;  /* the packet with which it began */
    uint64_t site;       /* and what this said of */
    struct addr addr[2]; /* the sender in direction 0, 1 */
    struct client client[2];
    uint8_t
        spread[64]; /* an odd number of lines: the same ones of all streams may be in the cache */
};
static_assert(offsetof(struct stream, tls.window_last_ns) / 64
                  == (offsetof(struct stream, half[0].type)) / 64,
              "one line for packets of direction 0, one more for those of direction 1");

/* What a packet does to a connection: the arguments of everything below. */
struct stream_at {
    struct decode *d;
    struct flow *flow;
    struct stream *stream; /* NULL: none */
    uint32_t slot;         /* of the flow */
    const struct rec *rec; /* the packet, or one made up */
    struct msgs *out;
    uint8_t rec_dir;       /* direction of rec */
    bool taken;            /* bytes of the packet were kept for later */
    bool done;             /* tls_session_packet has counted it */
    uint8_t carrier;       /* enum tls_carrier */
    uint32_t quic_version; /* TLS_OVER_QUIC */
    enum outcome outcome;  /* worst so far */
};

/* Who said it: SIDE_SRC if `dir` is the direction of the packet. */
static inline uint8_t stream_sender(const struct stream_at *at, unsigned dir)
{
    return dir == at->rec_dir ? SIDE_SRC : SIDE_DST;
}

/* A record for what is said without a packet: as if direction 0 of the connection had sent one, of
 * `proto`, at the time of its last one. Takes one of d->made_up, which must have room. */
void stream_make_up(struct stream_at *at, enum proto proto);

/* Remembers the worse of two outcomes: malformed, table full, truncated, ok. */
void stream_outcome(struct stream_at *at, enum outcome o);

/* An element of the pool of streams, zeroed, for the flow in `slot`, which is told of it. NULL:
 * none is left. Afterwards pointers to other streams still hold, but these may have been given
 * back. */
struct stream *stream_take(struct decode *d, uint32_t slot);
/* Takes element `i` back, which holds no nodes. */
void stream_give(struct decode *d, uint32_t i);

/* Gives the connection stream state: what follows in direction 0, 1 is known from flow->high. False
 * where the limit is reached (counted). */
MUST_CHECK bool stream_open(struct stream_at *at);
/* Gives back all it holds. Harmless without stream state. */
void stream_close(struct stream_at *at);

/* A segment of `dir`: `cap_len` captured bytes at `p` of `wire_len`, first sequence number `seq`.
 * Bytes that were handed on before are passed over; those beyond the next one wait. */
void stream_segment(struct stream_at *at, unsigned dir, uint32_t seq, const uint8_t *p,
                    uint32_t cap_len, uint32_t wire_len);

/* Is what starts with `seq` to be handed on at once? */
static inline bool stream_in_step(const struct stream_half *h, uint32_t seq)
{
    return h->next == seq && h->waiting == 0;
}

/* Bytes of `dir` wait, of which the receiver has all before `ack`: what we lack of them will not
 * come. */
void stream_acked_waiting(struct stream_at *at, unsigned dir, uint32_t ack);
static inline void stream_acked(struct stream_at *at, unsigned dir, uint32_t ack)
{
    if (at->stream->half[dir].waiting != 0)
        stream_acked_waiting(at, dir, ack);
}

/* The connection ended: what waits is handed on, gaps and all. */
void stream_flush(struct stream_at *at);

/* ---- for decoders of streams: copies of messages that are not whole yet */

/* Appends to what is kept of `dir`. False where a limit is reached (counted). */
MUST_CHECK bool stream_keep(struct stream_at *at, struct stream_kept *kept, const uint8_t *p,
                            size_t n);
/* A node for what a session gathers; 0 where the limit is reached (counted). Its bytes are as they
 * were left. */
MUST_CHECK uint32_t stream_aside(struct stream_at *at);
void stream_aside_give(struct stream_at *at, uint32_t node);

/* What is kept, `n` bytes more, is the start of this certificate. */
void stream_keep_like(struct stream_at *at, struct stream_kept *kept, uint32_t like, uint32_t n);

/* All of it as one piece, valid until the next call of this function. */
const uint8_t *stream_kept_bytes(struct stream_at *at, const struct stream_kept *kept);
void stream_drop_kept(struct stream_at *at, struct stream_kept *kept);
static inline void stream_drop(struct stream_at *at, struct stream_kept *kept)
{
    if (kept->len > 0)
        stream_drop_kept(at, kept);
}

/* ---- decoders of streams. _data: `n` > 0 bytes of `dir` that follow those before; `start`: a
 * segment starts here; ts_ns: of its packet. _gap: `n` bytes that will never come; true where one
 * of them would have been needed. */

/* Looks at the start of a segment of a connection that is nobody's: could stream_unknown_data make
 * anything of it? */
MUST_CHECK bool stream_unknown_wants(struct stream_at *at, unsigned dir, const uint8_t *p,
                                     size_t n);
void stream_unknown_data(struct stream_at *at, unsigned dir, const uint8_t *p, size_t n, bool start,
                         uint64_t ts_ns);

/* Bytes that follow those by which the connection was told. */
void stream_settled_data(struct stream_at *at, unsigned dir, const uint8_t *p, size_t n,
                         uint64_t ts_ns);

void stream_dns_data(struct stream_at *at, unsigned dir, const uint8_t *p, size_t n, bool start,
                     uint64_t ts_ns);
bool stream_dns_gap(struct stream_at *at, unsigned dir, uint32_t n);

/* Could a request that matters start here, at `p` in direction `dir`? One with credentials is told
 * (tls_clear.h). */
MUST_CHECK bool stream_http_wants(struct stream_at *at, unsigned dir, const uint8_t *p, size_t n);
void stream_http_data(struct stream_at *at, unsigned dir, const uint8_t *p, size_t n, bool start,
                      uint64_t ts_ns);
bool stream_http_gap(struct stream_at *at, unsigned dir, uint32_t n);
