/* The table of TCP connections: an entry of one cache line, and an index of buckets one line each.
 *
 * A connection is told by capture context and ports, and by 80 bits of a seeded hash of these, the
 * site and the addresses: whoever needs the addresses keeps them. Directions are numbered: 0 from
 * the endpoint that sorts first. */
#pragma once
#include "core/match.h"
#include "decoders/dns_ntp_fifo.h"
#include "decoders/msg.h"
#include "decoders/stream_pool.h"

enum flow_kind {
    FLOW_UNKNOWN, /* nobody's so far: TLS or a firmware call may begin at any segment */
    FLOW_TLS,
    FLOW_DNS,
    FLOW_HTTP,
};

enum tcp_header_flags { TH_FIN = 1, TH_SYN = 2, TH_RST = 4, TH_ACK = 16 };

enum {
    FLOW_JUMP_MAX = 1 << 30, /* bytes: a leap beyond this is another connection, or nonsense */
};
#define FLOW_IDLE_NS                                                                               \
    (UINT64_C(3600) * 1000 * 1000 * 1000) /* after this it is another connection                   \
                                           */

enum flow_flags {
    FLOW_SYN = 1,      /* its beginning was seen: isn is the client's */
    FLOW_CLIENT_1 = 2, /* the client sends in direction 1; without FLOW_SYN: has the greater port */
    FLOW_SEEN_0 = 4,   /* a packet of direction 0, 1 was seen: high[] is known */
    FLOW_SEEN_1 = 8,
    FLOW_FIN_0 = 16,
    FLOW_FIN_1 = 32,
    FLOW_CLOSED = 64,     /* FIN both ways and acknowledged, or RST */
    FLOW_IN_CLOSED = 128, /* waits in the list of closed ones */
    FLOW_USED = 256,      /* this slot holds a connection */
    FLOW_AGAIN = 512,     /* a packet came since the clock hand passed */
    FLOW_HOLE = 1024,     /* bytes were lost: what begins in mid-stream may be believed */
    FLOW_CALM = 2048,     /* its TLS session is at rest: `stream` is a number in decode.calm */
    FLOW_QUICK = 4096,    /* with FLOW_CALM: protected records change nothing but counters */
};

struct flow {
    uint64_t last_ts_ns;   /* latest of its packets */
    uint64_t who;          /* ports of the senders in direction 0, 1, origin, 16 bits of the hash */
    uint32_t hash;         /* its first bits; those in the middle stand in the index */
    uint32_t isn;          /* of the client, with FLOW_SYN */
    uint32_t high[2];      /* sequence number after the last byte seen */
    uint32_t gap_bytes[2]; /* bytes below high[] not seen, not known yet to be lost */
    uint32_t gap_end[2];   /* end of the last of those gaps */
    uint32_t stream;       /* number of its stream state (or see FLOW_CALM), or 0 */
    uint32_t link;         /* list of closed connections */
    uint16_t flags;        /* enum flow_flags */
    uint8_t kind;          /* enum flow_kind */
    uint8_t young[2];      /* payload segments seen, up to 255 */
    uint8_t ahead[2]; /* acknowledgements in a row that tell of bytes of direction 0, 1 not seen */
    uint8_t via;      /* what it spoke so far: see stream_via.h */
};
static_assert(sizeof(struct flow) == 64, "one cache line");

static inline uint16_t flow_port(const struct flow *f, unsigned dir)
{
    return (uint16_t)(f->who >> 16 * dir);
}

static inline uint16_t flow_origin(const struct flow *f)
{
    return (uint16_t)(f->who >> 32);
}

static inline uint16_t flow_seen(unsigned dir)
{
    return (uint16_t)(FLOW_SEEN_0 << dir);
}

static inline uint16_t flow_fin(unsigned dir)
{
    return (uint16_t)(FLOW_FIN_0 << dir);
}

/* The port of whoever was connected to; where that was not seen the smaller one. */
static inline uint16_t flow_service_port(const struct flow *f)
{
    return flow_port(f, (f->flags & FLOW_CLIENT_1) == 0);
}

/* The flags of a connection of which nothing was seen. */
static inline uint16_t flow_flags_new(uint64_t who)
{
    bool greater = (uint16_t)(who >> 16) > (uint16_t)who;
    return (uint16_t)(FLOW_USED | (greater ? FLOW_CLIENT_1 : 0));
}

enum { BUCKET_SLOTS = 7 };

/* A line of the index. `past`: entries that would belong here or before but found it full. */
struct tcp_bucket {
    uint32_t tag[MATCH_N];       /* the last is none */
    uint32_t slot[BUCKET_SLOTS]; /* 0: free */
    uint32_t past;
};
static_assert(sizeof(struct tcp_bucket) == 64, "one cache line");

/* Its slots whose tag is this one, free ones perhaps among them: bits. */
static inline unsigned tcp_bucket_match(const struct tcp_bucket *b, uint32_t tag)
{
    return match_eight(b->tag, tag) & ((1u << BUCKET_SLOTS) - 1);
}

struct tcp_table {
    struct flow *flows; /* [1..max] */
    struct tcp_bucket *buckets, *all_buckets;
    uint32_t max;            /* flows */
    uint32_t mask, mask_max; /* buckets now, and at most, - 1 */
    bool stuck;              /* the index can grow no more */
    uint32_t top, n;         /* highest slot ever used; slots in use */
    uint32_t hand;           /* of the clock */
    uint32_t closed_head, closed_tail;
    uint32_t free_head;
    uint64_t secret[8]; /* of the hash */
};

/* Where a packet belongs. */
struct tcp_id {
    uint64_t hash, who;
    uint32_t slot; /* where tcp_table_peek saw it, or 0: tcp_table_id leaves it alone */
    uint8_t dir;   /* of this packet */
};

MUST_CHECK bool tcp_table_init(struct tcp_table *t, uint32_t max, uint64_t seed, struct err *e);
void tcp_table_end(struct tcp_table *t);

/* Fills `id` but for its slot, and asks the cache for its bucket. Every packet needs one: hashing a
 * struct of it all as bytes took twice as long. */
static inline void tcp_table_id(const struct tcp_table *t, const struct rec *rec, struct tcp_id *id)
{
    const uint64_t *secret = t->secret;
    uint64_t s[2], d[2];
    memcpy(s, rec->src.b, 16);
    memcpy(d, rec->dst.b, 16);
    /* no branch on who sends: that comes as it likes */
    uint64_t first =
        (s[1] < d[1])
        | ((s[1] == d[1]) & ((s[0] < d[0]) | ((s[0] == d[0]) & (rec->sport <= rec->dport))));
    uint64_t other = first - 1; /* all ones where the destination sorts first */
    uint64_t swap = (s[1] ^ d[1]) & other, swap_net = (s[0] ^ d[0]) & other;
    uint64_t low = s[1] ^ swap, high = d[1] ^ swap;
    uint64_t low_net = s[0] ^ swap_net, high_net = d[0] ^ swap_net;
    uint64_t swap_ports = (uint64_t)(rec->sport ^ rec->dport) & other;
    uint64_t ports = (rec->dport ^ swap_ports) << 16 | (rec->sport ^ swap_ports);
    uint64_t rest = (uint64_t)rec->origin << 32 | ports;
    uint64_t x = fifo_fold(low ^ secret[0], low_net ^ secret[1]);
    uint64_t y = fifo_fold(high ^ secret[2], high_net ^ secret[3]);
    uint64_t z = fifo_fold(rest ^ secret[4], rec->site ^ secret[5]);
    id->hash = fifo_fold(x ^ z, y ^ secret[6]);
    id->who = fifo_fold(x ^ secret[7], y ^ z) << 48 | rest;
    id->dir = (uint8_t)(first ^ 1);
    __builtin_prefetch(&t->buckets[(uint32_t)id->hash & t->mask]);
}

/* Between tcp_table_id, which asks the cache for the bucket, and tcp_table_find: asks for what the
 * bucket names. */
void tcp_table_peek(const struct tcp_table *t, struct tcp_id *id);

/* For tcp_table_find: looks through the index. */
uint32_t tcp_table_search(const struct tcp_table *t, const struct tcp_id *id);

static inline bool tcp_table_is(const struct tcp_table *t, uint32_t slot, const struct tcp_id *id)
{
    const struct flow *f = &t->flows[slot];
    return f->who == id->who && f->hash == (uint32_t)id->hash && f->flags & FLOW_USED;
}

/* The slot of a connection, or 0. */
static inline uint32_t tcp_table_find(const struct tcp_table *t, const struct tcp_id *id)
{
    return id->slot != 0 && tcp_table_is(t, id->slot, id) ? id->slot : tcp_table_search(t, id);
}

/* The slot that has to leave before another connection gets in, or 0 while there is room. The
 * longest closed one; else, by a clock, one that has been idle. The caller ends what it holds and
 * calls tcp_table_drop. */
uint32_t tcp_table_victim(struct tcp_table *t);

/* A slot for a connection that is not in the table; zeroed but for what tells it. 0 where the index
 * has no place for it (a crafted pile-up). */
MUST_CHECK uint32_t tcp_table_add(struct tcp_table *t, const struct tcp_id *id);
/* Empties the slot that tcp_table_victim gave. */
void tcp_table_drop(struct tcp_table *t, uint32_t slot);

/* Empties all slots of a capture context. Costs a look at every slot in use. */
void tcp_table_forget(struct tcp_table *t, uint16_t origin);

/* `slot` joins the list of those that leave first. */
void tcp_table_closed(struct tcp_table *t, uint32_t slot);
