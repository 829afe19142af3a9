#include "decoders/dns_match.h"

#include <stdlib.h>

enum {
    SAME_MAX = 16, /* queries remembered that differ in nothing but the question */
    SOON = 16,     /* entries: some hundred packets */
};

#define PENDING_NS UINT64_C(10000000000) /* 10 s */
#define KEPT_NS    UINT64_C(12000000000) /* the same, and what timestamps may be out of order */

/* A pending query. The key is of all but the question: a response may come without one. */
struct query {
    struct fifo_entry entry; /* its own word: of the question, 0: it had none */
    uint64_t answered : 1, ts_ns : 63;
};
static_assert(sizeof(struct query) == 32, "two in a cache line");

struct dns_match {
    struct fifo fifo;
    uint64_t turned_away;
};

bool dns_match_new(struct dns_match **t, uint32_t max, uint64_t seed, struct err *e)
{
    struct dns_match *made = malloc(sizeof *made);
    if (made == NULL) {
        err_set(e, "out of memory");
        return err_in(e, "pending DNS queries");
    }
    *made = (struct dns_match){0};
    if (!fifo_init(&made->fifo, max, sizeof(struct query), seed, e)) {
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
static CUR_INLINE struct fifo_key make_key(const struct dns_match *t, const struct rec *rec,
                                           uint8_t client_side, uint16_t id, bool tcp)
{
    bool src = client_side == SIDE_SRC;
    uint16_t client_port = src ? rec->sport : rec->dport;
    uint16_t server_port = src ? rec->dport : rec->sport;
    uint64_t a = (uint64_t)client_port << 48 | (uint64_t)server_port << 32 | (uint32_t)id << 16
                 | rec->origin;
    uint64_t b =
        ((uint64_t)tcp << 32 | t->fifo.origins[rec->origin].generation) + fifo_site(rec->site);
    return fifo_key_of(&t->fifo, src ? &rec->src : &rec->dst, src ? &rec->dst : &rec->src, a, b);
}

/* What queries and what responses need are functions of their own, with registers of their own. */
#define APART __attribute__((noinline))

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

/* Does a pending query ask the same? On the way, those of this key that say nothing more go. */
static APART bool repeats(struct dns_match *t, struct fifo_key key, const struct rec *rec,
                          uint32_t question)
{
    struct query *younger = NULL;
    unsigned same = 0;
    uint32_t number;
    for (struct fifo_entry *e = fifo_first(&t->fifo, key, &number); e != NULL;
         e = fifo_next(&t->fifo, e, &number)) {
        struct query *q = (struct query *)e;
        if (fifo_is(e, key)) {
            bool old = q->ts_ns < rec->ts_ns && rec->ts_ns - q->ts_ns > PENDING_NS;
            bool asked = q->entry.own_word == question;
            /* an answered one has nothing to say that its successor will not */
            bool done = q->answered && asked && q->ts_ns <= rec->ts_ns;
            if (old || done || ++same == SAME_MAX) {
                t->turned_away += matters(t, q, rec->ts_ns);
                fifo_unlink(&t->fifo, younger != NULL ? &younger->entry : NULL, e);
                continue;
            }
            if (!q->answered && asked && still_pending(q, rec->ts_ns))
                return true;
        }
        younger = q;
    }
    return false;
}

static APART void see_query(struct dns_match *t, struct fifo_key key, const struct rec *rec,
                            uint32_t question, struct dns_msg *m)
{
    uint32_t number;
    if (fifo_first(&t->fifo, key, &number) != NULL && repeats(t, key, rec, question)) {
        m->duplicate = true;
        return;
    }
    count_jump_back(t, rec);
    make_room(t, rec);
    struct query *q = (struct query *)fifo_make(&t->fifo, key, rec->origin);
    q->entry.own_word = question;
    q->ts_ns = rec->ts_ns & INT64_MAX;
    q->answered = false;
    /* The ring comes round after seconds: what will be overwritten soon is in no cache, and while a
     * store waits for its line, all later ones wait for it. */
    __builtin_prefetch(fifo_at(&t->fifo, t->fifo.newest + SOON), 1);
}

static APART void see_response(struct dns_match *t, struct fifo_key key, const struct rec *rec,
                               uint32_t question, struct dns_msg *m)
{
    uint32_t number;
    for (struct fifo_entry *e = fifo_first(&t->fifo, key, &number); e != NULL;
         e = fifo_next(&t->fifo, e, &number)) {
        struct query *q = (struct query *)e;
        if (!fifo_is(e, key) || !still_pending(q, rec->ts_ns)
            || (question != 0 && q->entry.own_word != question))
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

void dns_match_ahead(const struct dns_match *t, const struct rec *rec, struct fifo_ahead *ahead)
{
    struct cur in = rec->payload;
    uint16_t id = 0, flags = 0;
    ahead->proto = PROTO_NONE;
    if (!cur_u16(&in, &id) || !cur_u16(&in, &flags))
        return;
    ahead->proto = PROTO_DNS;
    ahead->key = make_key(t, rec, flags & 0x8000 ? SIDE_DST : SIDE_SRC, id, false);
    fifo_prefetch_head(&t->fifo, ahead->key.w[0]);
}

void dns_match_prefetch(const struct dns_match *t, const struct fifo_ahead *ahead)
{
    fifo_prefetch_entry(&t->fifo, ahead->key.w[0]);
}

/* A message that nobody looked at ahead: over TCP, or on another port. */
static APART void see_unforeseen(struct dns_match *t, const struct rec *rec, uint8_t sender,
                                 struct dns_msg *m)
{
    uint8_t client_side = (sender == SIDE_SRC) != m->response ? SIDE_SRC : SIDE_DST;
    struct fifo_ahead ahead = {.key = make_key(t, rec, client_side, m->id, m->tcp),
                               .proto = PROTO_DNS};
    dns_match_see(t, rec, sender, &ahead, m);
}

void dns_match_see(struct dns_match *t, const struct rec *rec, uint8_t sender,
                   const struct fifo_ahead *ahead, struct dns_msg *m)
{
    if (ahead == NULL || ahead->proto != PROTO_DNS) {
        see_unforeseen(t, rec, sender, m);
        return;
    }
    uint32_t question = 0;
    if (m->n_questions > 0) {
        const struct dns_question *q = &m->questions[0];
        question = (uint32_t)fifo_fold(m->question_hash ^ t->fifo.secret[4],
                                       ((uint32_t)q->qtype << 16 | q->qclass) ^ t->fifo.secret[5]);
        question += question == 0;
    }
    if (m->response)
        see_response(t, ahead->key, rec, question, m);
    else
        see_query(t, ahead->key, rec, question, m);
}

void dns_match_origin_end(struct dns_match *t, uint16_t origin)
{
    fifo_origin_end(&t->fifo, origin);
}

uint64_t dns_match_turned_away(const struct dns_match *t)
{
    return t->turned_away;
}
