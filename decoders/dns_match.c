#include "decoders/dns_match.h"
#include "core/hash.h"
#include "decoders/dns_ntp_fifo.h"

#include <stdlib.h>

enum {
    HEADER_BYTES = 12,
    SAME_MAX = 16, /* queries remembered that differ in nothing but the question */
    NAME_TEXT_MAX = 1024,
};

#define PENDING_NS UINT64_C(10000000000) /* 10 s */
#define KEPT_NS    UINT64_C(12000000000) /* the same, and what timestamps may be out of order */

/* A pending query. The key is of all but the question: a response may come without one. */
struct query {
    struct fifo_entry entry;
    bool asks; /* it had a question */
    bool answered;
    uint64_t question;
    uint64_t ts_ns;
    uint64_t unused; /* to a cache line */
};
static_assert(sizeof(struct query) == 64, "a cache line");

struct dns_match {
    struct fifo fifo;
    uint64_t seed;
    uint64_t turned_away;
};

/* Hashed as bytes. */
struct key {
    struct addr client, server;
    uint16_t client_port, server_port, id, origin;
    uint32_t generation;
    uint32_t tcp;
};
static_assert(sizeof(struct key) == 48, "no hidden padding in a key");

bool dns_match_new(struct dns_match **t, uint32_t max, uint64_t seed, struct err *e)
{
    struct dns_match *made = malloc(sizeof *made);
    if (made == NULL) {
        err_set(e, "out of memory");
        return err_in(e, "pending DNS queries");
    }
    *made = (struct dns_match){.seed = seed};
    if (!fifo_init(&made->fifo, max, sizeof(struct query), e)) {
        free(made);
        return err_in(e, "pending DNS queries");
    }
    *t = made;
    return true;
}

void dns_match_free(struct dns_match *t)
{
    if (t == NULL)
        return;
    fifo_end(&t->fifo);
    free(t);
}

/* `client_side`: the side of `rec` that asked. */
static void make_key(const struct dns_match *t, const struct rec *rec, uint8_t client_side,
                     uint16_t id, bool tcp, uint64_t key[2])
{
    bool src = client_side == SIDE_SRC;
    struct key k = {
        .client = src ? rec->src : rec->dst,
        .server = src ? rec->dst : rec->src,
        .client_port = src ? rec->sport : rec->dport,
        .server_port = src ? rec->dport : rec->sport,
        .id = id,
        .origin = rec->origin,
        .generation = t->fifo.origins[rec->origin].generation,
        .tcp = tcp,
    };
    XXH128_hash_t h = XXH3_128bits_withSeed(&k, sizeof k, t->seed);
    key[0] = h.low64;
    key[1] = h.high64;
}

/* 'A'..'Z' among 8 bytes made small. */
static uint64_t lower_case(uint64_t x)
{
    const uint64_t each = UINT64_C(0x0101010101010101);
    uint64_t low7 = x & each * 0x7f;
    uint64_t above_z = low7 + each * (0x7f - 'Z'), from_a = low7 + each * (0x80 - 'A');
    return x | ((~x & (from_a ^ above_z) & each * 0x80) >> 2);
}

/* Case does not count in names (RFC 4343). */
static uint64_t hash_question(const struct dns_question *q, uint64_t seed)
{
    uint8_t folded[NAME_TEXT_MAX + 4];
    size_t n = q->name.len < NAME_TEXT_MAX ? q->name.len : NAME_TEXT_MAX;
    uint64_t x = 0;
    if (n >= sizeof x) {
        for (size_t at = 0; at + sizeof x <= n; at += sizeof x) {
            memcpy(&x, q->name.p + at, sizeof x);
            x = lower_case(x);
            memcpy(folded + at, &x, sizeof x);
        }
        memcpy(&x, q->name.p + n - sizeof x, sizeof x);
        x = lower_case(x);
        memcpy(folded + n - sizeof x, &x, sizeof x);
    } else if (n > 0) {
        memcpy(&x, q->name.p, n);
        x = lower_case(x);
        memcpy(folded, &x, n);
    }
    memcpy(folded + n, &q->qtype, 2);
    memcpy(folded + n + 2, &q->qclass, 2);
    return hash_bytes(folded, n + 4, seed);
}

static bool still_pending(const struct query *q, uint64_t now_ns)
{
    return q->ts_ns <= now_ns && now_ns - q->ts_ns <= PENDING_NS;
}

/* Whether pushing `q` out at `now_ns` loses something. What lies ahead of now cannot be judged: it
 * counts. */
static bool matters(const struct dns_match *t, const struct query *q, uint64_t now_ns)
{
    return !q->answered && !fifo_forgotten(&t->fifo, &q->entry)
           && (q->ts_ns > now_ns || now_ns - q->ts_ns < PENDING_NS);
}

/* Makes sure that the next entry overwrites nothing that may still be asked for, or counts it. */
static void make_room(struct dns_match *t, const struct rec *rec)
{
    const struct query *victim = (const struct query *)fifo_victim(&t->fifo);
    if (victim == NULL || fifo_forgotten(&t->fifo, &victim->entry))
        return;
    bool young = victim->entry.origin != rec->origin || victim->ts_ns > rec->ts_ns
                 || rec->ts_ns - victim->ts_ns < KEPT_NS;
    if (young && fifo_grow(&t->fifo))
        return;
    t->turned_away += matters(t, victim, rec->ts_ns);
    struct fifo_origin *o = &t->fifo.origins[victim->entry.origin];
    if (!young && victim->ts_ns > o->dropped_ns)
        o->dropped_ns = victim->ts_ns;
}

/* An entry was dropped as too old, and now packet time has jumped back to where it was not: what
 * was found might have been otherwise. */
static void count_jump_back(struct dns_match *t, const struct rec *rec)
{
    uint64_t dropped_ns = t->fifo.origins[rec->origin].dropped_ns;
    t->turned_away += dropped_ns != 0 && rec->ts_ns < dropped_ns + PENDING_NS;
}

static void see_query(struct dns_match *t, const uint64_t key[2], const struct rec *rec, bool asks,
                      uint64_t question, struct dns_msg *m)
{
    struct query *younger = NULL;
    unsigned same = 0;
    for (struct fifo_entry *e = fifo_first(&t->fifo, key); e != NULL; e = fifo_next(&t->fifo, e)) {
        struct query *q = (struct query *)e;
        if (fifo_is(e, key)) {
            bool old = q->ts_ns < rec->ts_ns && rec->ts_ns - q->ts_ns > PENDING_NS;
            if (old || ++same == SAME_MAX) {
                t->turned_away += matters(t, q, rec->ts_ns);
                fifo_unlink(&t->fifo, younger != NULL ? &younger->entry : NULL, e);
                continue;
            }
            if (!q->answered && q->asks == asks && q->question == question
                && still_pending(q, rec->ts_ns)) {
                m->duplicate = true;
                return;
            }
        }
        younger = q;
    }
    count_jump_back(t, rec);
    make_room(t, rec);
    struct query *q = (struct query *)fifo_make(&t->fifo, key, rec->origin);
    q->ts_ns = rec->ts_ns;
    q->asks = asks;
    q->answered = false;
    q->question = question;
}

static void see_response(struct dns_match *t, const uint64_t key[2], const struct rec *rec,
                         bool asks, uint64_t question, struct dns_msg *m)
{
    for (struct fifo_entry *e = fifo_first(&t->fifo, key); e != NULL; e = fifo_next(&t->fifo, e)) {
        struct query *q = (struct query *)e;
        if (!fifo_is(e, key) || !still_pending(q, rec->ts_ns)
            || (asks && (!q->asks || q->question != question)))
            continue;
        if (q->answered) {
            m->duplicate = true;
            continue;
        }
        q->answered = true;
        m->duplicate = false;
        m->matched = true;
        m->query_ts_ns = q->ts_ns;
        return;
    }
    if (!m->duplicate)
        count_jump_back(t, rec);
}

void dns_match_see(struct dns_match *t, const struct rec *rec, uint8_t sender, struct dns_msg *m)
{
    uint64_t key[2];
    bool asks = m->n_questions > 0;
    uint64_t question = asks ? hash_question(&m->questions[0], t->seed) : 0;
    bool from_src = sender == SIDE_SRC;
    uint8_t client_side = from_src != m->response ? SIDE_SRC : SIDE_DST;
    make_key(t, rec, client_side, m->id, m->tcp, key);
    if (m->response)
        see_response(t, key, rec, asks, question, m);
    else
        see_query(t, key, rec, asks, question, m);
}

void dns_match_prefetch(const struct dns_match *t, const struct rec *rec)
{
    struct cur in = rec->payload;
    uint16_t id, flags;
    uint64_t key[2];
    if (in.left < HEADER_BYTES || !cur_u16(&in, &id) || !cur_u16(&in, &flags))
        return;
    make_key(t, rec, flags & 0x8000 ? SIDE_DST : SIDE_SRC, id, false, key);
    __builtin_prefetch(fifo_head(&t->fifo, key), 1);
}

void dns_match_origin_end(struct dns_match *t, uint16_t origin)
{
    fifo_origin_end(&t->fifo, origin);
}

uint64_t dns_match_turned_away(const struct dns_match *t)
{
    return t->turned_away;
}
