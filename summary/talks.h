/* Who talks to whom: what nearly every packet adds to, and nothing else, while a window is open.
 * The rows of clients, their coverage, addresses and peers are made of talks when somebody asks for
 * rows: what they have in common is then done once a talk and not once a packet.
 *
 * A talk is one side's own: a packet between two of our devices counts in two of them. */
#pragma once
#include "summary/rowtab.h"
#include "summary/window.h"

struct talk_key {
    uint64_t site;
    struct addr own, remote; /* remote: as peer_addr tells it */
    uint64_t mac_who;        /* the own side's MAC of the innermost frame, first byte lowest; above:
                                TALK_FLAGS_AT, TALK_KIND_AT, TALK_BY_AT */
    uint32_t service;        /* port (see decode.c) | IP protocol << 16 | vantage << 24 */
    uint32_t link; /* no part of the key, in its last gap: the number of its NTP or DNS row, as it
                      was once: a guess (rowtab_near) */
};

enum {
    TALK_MAC_BITS = 48,
    TALK_FLAGS_AT = 48, /* those of enum rec_flags that matter, >> TALK_FLAGS_FIRST */
    TALK_KIND_AT = 55,  /* enum client_kind */
    TALK_BY_AT = 57,    /* enum client_by */
    TALK_FLAGS_FIRST = 3,
    TALK_FLAGS =
        REC_GROUP | REC_HAS_MAC | REC_HAS_INNER_MAC | REC_HAS_VNI | REC_HAS_GRE_KEY | REC_HAS_IP,
};
static_assert(TALK_FLAGS >> TALK_FLAGS_FIRST < 1 << (TALK_KIND_AT - TALK_FLAGS_AT), "room");
static_assert((TALK_FLAGS & ((1 << TALK_FLAGS_FIRST) - 1)) == 0, "none lost");
static_assert(CLIENT_KIND_N <= 1 << (TALK_BY_AT - TALK_KIND_AT), "room");

static inline unsigned talk_flags(const struct talk_key *k)
{
    return (unsigned)(k->mac_who >> TALK_FLAGS_AT) << TALK_FLAGS_FIRST & TALK_FLAGS;
}

/* What a talk is found by, as key_tag; three steps where the key has four. */
static inline uint32_t talk_tag(uint64_t secret, const struct talk_key *k)
{
    uint64_t h = rowtab_mix(secret, &k->own, sizeof k->own + sizeof k->remote);
    return rowtab_tag(rowtab_fold(k->mac_who ^ h, ~(k->site ^ (uint64_t)k->service << 24)));
}

/* Two cache lines. By direction: [0] the own side sent it, [1] the other. */
struct talk {
    struct talk_key key;
    uint32_t main;  /* packets of `proto`; the others are nobody's */
    uint8_t proto;  /* enum proto */
    uint8_t syn[2]; /* TCP SYN without ACK */
    uint8_t pad;
    /* second line */
    uint32_t packets[2];
    uint64_t bytes[2]; /* on the wire */
    uint64_t first_ns[2], last_ns;
    uint64_t slots[2]; /* of coverage */
};
enum { TALK_KEY_LEN = offsetof(struct talk_key, link), TALK_LINE = 64 };
static_assert(sizeof(struct talk) == 2 * TALK_LINE && TALK_KEY_LEN == 52, "two cache lines");
static_assert(offsetof(struct talk, packets) == TALK_LINE, "who, then how much");

/* One side of packet `i` of a burst. */
struct leg {
    struct talk_key key;
    uint32_t tag; /* talk_tag of it */
    uint32_t row; /* where the talk was then: a guess */
    uint8_t i, side;
    bool direct; /* the key cannot tell its client */
};

/* Talks that leave together: few enough for what they need to be small, enough for the talks of a
 * client to meet. */
enum { PORTION_BITS = 16, PORTION = 1 << PORTION_BITS };

struct talks {
    struct rowtab tab; /* twice as large as it may get, so that it never hashes or refuses */
    uint32_t limit;
    uint32_t oldest;            /* of a full table the next one to leave */
    uint64_t (*order)[PORTION]; /* two, for sorting those that leave */
};

MUST_CHECK bool talks_new(struct talks *t, uint64_t limit, struct err *e);
void talks_free(struct talks *t);
void talks_clear(struct talks *t);

/* The talk with this key, made if need be: of a full table the oldest leaves for the rows. `tag`:
 * talk_tag of it. */
struct talk *talk_of(struct window *w, uint32_t tag, const struct talk_key *key);

/* Its counts leave for the rows; the talk goes on from zero. */
void talk_turn(struct window *w, struct talk *t);

/* What `t` counted, into the rows of `client`. */
void talk_rows(struct window *w, const struct client *client, const struct talk *t);

/* All leave for the rows: before anybody reads those. */
void window_settle(struct window *w);
