#include "decoders/ntp_pair.h"
#include "core/hash.h"
#include "decoders/dns_ntp_fifo.h"
#include "decoders/ntp.h"

#include <stdlib.h>

enum { REQUESTS = 4, NTP_PORT = 123 };

#define PENDING_NS UINT64_C(10000000000) /* 10 s */

struct request {
    uint64_t ts_ns;
    uint64_t xmt_ntp64;
    uint64_t rec_ntp64; /* an interleaved request: what its reply may carry as org, too; else 0 */
    uint16_t sport, dport;
    uint16_t len;
    bool known, answered;
};

/* The last reply: its free fields, and the exchange it ended. */
struct reply {
    uint64_t ref_ntp64, rec_ntp64;
    uint64_t request_ts_ns, ts_ns; /* where `matched` */
    uint32_t root_delay_s16, root_dispersion_s16, refid;
    int8_t poll_log2_s, precision_log2_s;
    bool known, matched;
};

struct pair {
    struct fifo_entry entry;
    uint8_t n_requests; /* modulo REQUESTS: where the next one goes */
    struct reply last;
    struct request requests[REQUESTS];
};

struct ntp_pairs {
    struct fifo fifo;
    uint64_t seed;
    uint64_t turned_away;
};

/* Hashed as bytes. */
struct key {
    struct addr asks, asked;
    uint32_t generation;
    uint32_t origin;
};
static_assert(sizeof(struct key) == 40, "no hidden padding in a key");

enum direction { NEITHER, REQUEST, REPLY, BOTH };

bool ntp_pairs_new(struct ntp_pairs **p, uint32_t max, uint64_t seed, struct err *e)
{
    struct ntp_pairs *made = malloc(sizeof *made);
    if (made == NULL) {
        err_set(e, "out of memory");
        return err_in(e, "NTP pairs");
    }
    *made = (struct ntp_pairs){.seed = seed};
    if (!fifo_init(&made->fifo, max, sizeof(struct pair), e)) {
        free(made);
        return err_in(e, "NTP pairs");
    }
    *p = made;
    return true;
}

void ntp_pairs_free(struct ntp_pairs *p)
{
    if (p == NULL)
        return;
    fifo_end(&p->fifo);
    free(p);
}

static void make_key(const struct ntp_pairs *p, const struct rec *rec, bool src_asks,
                     uint64_t key[2])
{
    struct key k = {
        .asks = src_asks ? rec->src : rec->dst,
        .asked = src_asks ? rec->dst : rec->src,
        .generation = p->fifo.origins[rec->origin].generation,
        .origin = rec->origin,
    };
    XXH128_hash_t h = XXH3_128bits_withSeed(&k, sizeof k, p->seed);
    key[0] = h.low64;
    key[1] = h.high64;
}

static enum direction direction(const struct rec *rec, uint8_t mode, uint8_t version)
{
    switch (mode) {
    case 0: /* version 1 had no modes: the ports tell (RFC 1059 appendix B) */
        if (version != 1)
            return NEITHER;
        if (rec->dport == NTP_PORT && rec->sport == NTP_PORT)
            return BOTH;
        return rec->dport == NTP_PORT ? REQUEST : REPLY;
    case 1:
        return BOTH;
    case 3:
        return REQUEST;
    case 2:
    case 4:
        return REPLY;
    default:
        return NEITHER;
    }
}

static struct pair *find(const struct ntp_pairs *p, const uint64_t key[2])
{
    struct fifo_entry *e = fifo_first(&p->fifo, key);
    while (e != NULL && !fifo_is(e, key))
        e = fifo_next(&p->fifo, e);
    return (struct pair *)e;
}

static bool still_pending(const struct request *r, uint64_t now_ns)
{
    return r->known && r->ts_ns <= now_ns && now_ns - r->ts_ns <= PENDING_NS;
}

/* Whether pushing `pair` out at `now_ns` loses something. What lies ahead of now cannot be judged:
 * it counts. */
static bool matters(const struct pair *pair, uint64_t now_ns)
{
    bool some = pair->last.known;
    for (int i = 0; i < REQUESTS; i++) {
        const struct request *r = &pair->requests[i];
        some |= r->known && !r->answered && (r->ts_ns > now_ns || still_pending(r, now_ns));
    }
    return some;
}

static struct pair *find_or_make(struct ntp_pairs *p, const struct rec *rec, const uint64_t key[2])
{
    struct pair *pair = find(p, key);
    if (pair != NULL)
        return pair;
    const struct pair *victim = (const struct pair *)fifo_victim(&p->fifo);
    if (victim != NULL && !fifo_forgotten(&p->fifo, &victim->entry) && !fifo_grow(&p->fifo))
        p->turned_away += matters(victim, rec->ts_ns);
    pair = (struct pair *)fifo_make(&p->fifo, key, rec->origin);
    pair->n_requests = 0;
    pair->last.known = false;
    for (int i = 0; i < REQUESTS; i++)
        pair->requests[i].known = false;
    return pair;
}

/* Of the datagram on the wire, captured or not. */
static uint16_t wire_len(const struct rec *rec, const struct ntp_msg *m)
{
    if (rec->payload_wire_len <= m->payload_len)
        return m->payload_len;
    return rec->payload_wire_len > UINT16_MAX ? UINT16_MAX : (uint16_t)rec->payload_wire_len;
}

static void see_request(struct ntp_pairs *p, const struct rec *rec, struct ntp_msg *m)
{
    uint64_t key[2];
    make_key(p, rec, true, key);
    struct pair *pair = find_or_make(p, rec, key);
    bool interleaved =
        m->org_ntp64 != 0 && pair->last.known && m->org_ntp64 == pair->last.rec_ntp64;
    pair->requests[pair->n_requests++ % REQUESTS] = (struct request){
        .ts_ns = rec->ts_ns,
        .xmt_ntp64 = m->xmt_ntp64,
        .rec_ntp64 = interleaved ? m->rec_ntp64 : 0,
        .sport = rec->sport,
        .dport = rec->dport,
        .len = wire_len(rec, m),
        .known = true,
    };
    m->is_request = true;
}

/* The youngest request that the reply answers: unanswered if there is one. */
static struct request *find_request(struct pair *pair, const struct rec *rec,
                                    const struct ntp_msg *m)
{
    struct request *had_reply = NULL;
    for (int i = 1; i <= REQUESTS; i++) {
        struct request *r = &pair->requests[(uint8_t)(pair->n_requests - i) % REQUESTS];
        if (!still_pending(r, rec->ts_ns) || r->sport != rec->dport || r->dport != rec->sport)
            continue;
        if (m->org_ntp64 != r->xmt_ntp64 && (r->rec_ntp64 == 0 || m->org_ntp64 != r->rec_ntp64))
            continue;
        if (!r->answered)
            return r;
        if (had_reply == NULL)
            had_reply = r;
    }
    return had_reply;
}

/* RFC 5905 8, with the capture times in the client's place. No difference here overflows: NTP times
 * are within 2^31 s of the capture's. */
static void set_times(struct ntp_msg *m, uint64_t t1_ns, uint64_t rec_ntp64, uint64_t xmt_ntp64,
                      uint64_t t4_ns)
{
    uint64_t t2_ns = ntp_to_ns(rec_ntp64, t1_ns), t3_ns = ntp_to_ns(xmt_ntp64, t4_ns);
    m->offset_ns = ((int64_t)(t2_ns - t1_ns) + (int64_t)(t3_ns - t4_ns)) / 2;
    m->delay_ns = (int64_t)(t4_ns - t1_ns) - (int64_t)(t3_ns - t2_ns);
}

static void set_matched(const struct pair *pair, struct request *r, const struct rec *rec,
                        struct ntp_msg *m)
{
    r->answered = true;
    m->matched = true;
    m->request_len = r->len;
    m->request_ts_ns = r->ts_ns;
    m->longer = wire_len(rec, m) > r->len;
    if (m->kod || m->rec_ntp64 == 0 || m->xmt_ntp64 == 0)
        return;
    if (m->org_ntp64 == r->xmt_ntp64)
        set_times(m, r->ts_ns, m->rec_ntp64, m->xmt_ntp64, rec->ts_ns);
    else if (pair->last.matched)
        set_times(m, pair->last.request_ts_ns, pair->last.rec_ntp64, m->xmt_ntp64,
                  pair->last.ts_ns);
    else
        set_times(m, r->ts_ns, m->rec_ntp64, m->rec_ntp64, rec->ts_ns);
}

static void see_last(struct pair *pair, const struct rec *rec, struct ntp_msg *m)
{
    struct reply *last = &pair->last;
    if (m->kod)
        return;
    if (last->known)
        m->free_changes =
            (uint8_t)((last->refid != m->refid) + (last->root_delay_s16 != m->root_delay_s16)
                      + (last->root_dispersion_s16 != m->root_dispersion_s16)
                      + (last->precision_log2_s != m->precision_log2_s)
                      + (last->poll_log2_s != m->poll_log2_s) + (last->ref_ntp64 != m->ref_ntp64));
    *last = (struct reply){
        .ref_ntp64 = m->ref_ntp64,
        .rec_ntp64 = m->rec_ntp64,
        .request_ts_ns = m->request_ts_ns,
        .ts_ns = rec->ts_ns,
        .root_delay_s16 = m->root_delay_s16,
        .root_dispersion_s16 = m->root_dispersion_s16,
        .refid = m->refid,
        .poll_log2_s = m->poll_log2_s,
        .precision_log2_s = m->precision_log2_s,
        .known = true,
        .matched = m->matched,
    };
}

static void see_reply(struct ntp_pairs *p, const struct rec *rec, struct ntp_msg *m,
                      bool only_reply)
{
    uint64_t key[2];
    make_key(p, rec, false, key);
    struct pair *pair = only_reply ? find_or_make(p, rec, key) : find(p, key);
    if (pair == NULL || (!only_reply && m->org_ntp64 == 0))
        return;
    struct request *r = find_request(pair, rec, m);
    if (r == NULL && !only_reply)
        return;
    m->is_reply = true;
    if (r != NULL && r->answered)
        m->duplicate_reply = true;
    else if (r != NULL)
        set_matched(pair, r, rec, m);
    see_last(pair, rec, m);
}

void ntp_pairs_see(struct ntp_pairs *p, const struct rec *rec, struct ntp_msg *m)
{
    if (!m->whole)
        return;
    enum direction d = direction(rec, m->mode, m->version);
    if (d == REPLY || d == BOTH)
        see_reply(p, rec, m, d == REPLY);
    if (d == REQUEST || d == BOTH)
        see_request(p, rec, m);
}

void ntp_pairs_prefetch(const struct ntp_pairs *p, const struct rec *rec)
{
    struct cur in = rec->payload;
    uint8_t first;
    uint64_t key[2];
    if (!cur_u8(&in, &first))
        return;
    enum direction d = direction(rec, first & 7, first >> 3 & 7);
    if (d == NEITHER)
        return;
    make_key(p, rec, d != REPLY, key);
    __builtin_prefetch(fifo_head(&p->fifo, key), 1);
}

void ntp_pairs_origin_end(struct ntp_pairs *p, uint16_t origin)
{
    fifo_origin_end(&p->fifo, origin);
}

uint64_t ntp_pairs_turned_away(const struct ntp_pairs *p)
{
    return p->turned_away;
}
