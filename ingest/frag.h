/* IP fragments put together: a table of fixed size, for one worker.
 *
 * Sources: RFC 791 3.2, RFC 815, RFC 8200 4.5, RFC 5722 (IPv6: a datagram with overlapping
 * fragments is dropped whole). */
#pragma once
#include "core/addr.h"
#include "ingest/headers.h"

struct frags;

/* Which datagram: compared and hashed as bytes, so there is no padding. */
struct frag_key {
    struct addr src, dst;
    uint32_t vlan, vni, gre_key; /* the same address means another host in another site */
    uint32_t id;
    uint16_t origin;
    uint8_t ip_proto; /* IPv4; 0 with IPv6 (RFC 8200 4.5) */
    uint8_t version;  /* 4 or 6 */
};
static_assert(sizeof(struct frag_key) == 52, "no hidden padding in a key");

struct frag_piece {
    struct cur bytes; /* whole, as captured; at least 1 byte */
    uint64_t ts_ns;
    uint32_t offset; /* bytes, a multiple of 8 */
    uint8_t next;    /* protocol of what the datagram carries */
    bool more;       /* MF: bytes.left is a multiple of 8 then */
};

enum frag_result {
    FRAG_WAIT, /* kept, or refused as overlapping: the datagram is not complete */
    FRAG_DONE, /* complete */
    FRAG_FULL, /* no memory for it: the datagram is given up */
};

/* Counts into `stats` (borrowed): datagrams, fragments_turned_away, fragments_overlap. */
MUST_CHECK bool frag_new(struct frags **f, const struct headers_limits *limits,
                         struct headers_stats *stats, struct err *e);
void frag_free(struct frags *f);

/* Takes back the datagrams that frag_add gave since the last call. */
void frag_burst(struct frags *f);

/* Adds a piece (offset + length at most 65535). On FRAG_DONE fills `whole` with the datagram's
 * payload, valid until the next frag_burst, and `next` with the protocol its first fragment named.
 * First bytes win where IPv4 fragments overlap. A piece that comes more than the timeout after the
 * last one of its datagram begins a new one. */
enum frag_result frag_add(struct frags *f, const struct frag_key *key,
                          const struct frag_piece *piece, struct cur *whole, uint8_t *next);

/* Forgets the datagrams of `origin`. */
void frag_forget(struct frags *f, uint16_t origin);
