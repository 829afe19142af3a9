#include "decoders/ntp_pair.h"
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
} __attribute__((packed, aligned(2)));

/* The last reply: its free fields, and the exchange it ended (where last_matched). */
struct pair {
    struct fifo_entry entry;
    uint64_t ref_ntp64, rec_ntp64;
    uint64_t request_ts_ns, ts_ns;
    uint32_t root_delay_s16, root_dispersion_s16, refid;
    int8_t poll_log2_s, precision_log2_s;
    uint8_t next : 2; /* where the next request goes */
    uint8_t last_known : 1, last_matched : 1;
    uint8_t known : REQUESTS, answered : REQUESTS; /* by request */
    struct request requests[REQUESTS];
};
static_assert(sizeof(struct pair) == 192, "three cache lines");

struct ntp_pairs {
    struct fifo fifo;
    uint64_t turned_away;
};

enum direction { NEITHER, REQUEST, REPLY, BOTH };

bool ntp_pairs_new(struct ntp_pairs **p, uint32_t max, uint64_t seed, struct err *e)
{
    struct ntp_pairs *made = malloc(sizeof *made);
    if (made == NULL) {
        err_set(e, "out of memory");
        return err_in(e, "NTP pairs");
    }
    *made = (struct ntp_pairs){0};
    if (!fifo_init(&made->fifo, max, sizeof(struct pair), seed, e)) {
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

static struct fifo_key make_key(const struct ntp_pairs *p, const struct rec *rec, bool src_asks)
{
    uint32_t generation = p->fifo.origins[rec->origin].generation;
    return fifo_key_of(&p->fifo, src_asks ? &rec->src : &rec->dst, src_asks ? &rec->dst : &rec->src,
                       rec->origin, generation);
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

static struct pair *find(const struct ntp_pairs *p, struct fifo_key key)
{
    uint32_t number;
    struct fifo_entry *e = fifo_first(&p->fifo, key, &number);
    while (e != NULL && !fifo_is(e, key))
        e = fifo_next(&p->fifo, e, &number);
    return (struct pair *)e;
}

static bool still_pending(const struct request *r, uint64_t now_ns)
{
    return r->ts_ns <= now_ns && now_ns - r->ts_ns <= PENDING_NS;
}

/* Whether pushing `pair` out at `now_ns` loses something. What lies ahead of now cannot be judged:
 * it counts. */
static bool matters(const struct pair *pair, uint64_t now_ns)
{
    bool some = pair->last_known;
    for (unsigned i = 0; i < REQUESTS; i++) {
        const struct request *r = &pair->requests[i];
        bool open = (pair->known & ~pair->answered) >> i & 1;
        some |= open && (r->ts_ns > now_ns || still_pending(r, now_ns));
    }
    return some;
}

static struct pair *find_or_make(struct ntp_pairs *p, const struct rec *rec, struct fifo_key key)
{
    struct pair *pair = find(p, key);
    if (pair != NULL)
        return pair;
    const struct pair *victim = (const struct pair *)fifo_victim(&p->fifo);
    if (victim != NULL && !fifo_forgotten(&p->fifo, &victim->entry) && !fifo_grow(&p->fifo))
        p->turned_away += matters(victim, rec->ts_ns);
    pair = (struct pair *)fifo_make(&p->fifo, key, rec->origin);
    pair->next = 0;
    pair->last_known = false;
    pair->last_matched = false;
    pair->known = 0;
    pair->answered = 0;
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
    struct pair *pair = find_or_make(p, rec, make_key(p, rec, true));
    bool interleaved = m->org_ntp64 != 0 && pair->last_known && m->org_ntp64 == pair->rec_ntp64;
    unsigned at = pair->next;
    struct request *r = &pair->requests[at];
    r->ts_ns = rec->ts_ns;
    r->xmt_ntp64 = m->xmt_ntp64;
    r->rec_ntp64 = interleaved ? m->rec_ntp64 : 0;
    r->sport = rec->sport;
    r->dport = rec->dport;
    r->len = wire_len(rec, m);
    pair->next = (at + 1) % REQUESTS;
    pair->known |= 1u << at;
    pair->answered &= ~(1u << at);
    m->is_request = true;
}

enum { NO_REQUEST = REQUESTS };

/* The youngest request that the reply answers: unanswered if there is one. */
static unsigned find_request(const struct pair *pair, const struct rec *rec,
                             const struct ntp_msg *m)
{
    unsigned had_reply = NO_REQUEST;
    for (unsigned age = 1; age <= REQUESTS; age++) {
        unsigned at = (pair->next + REQUESTS - age) % REQUESTS;
        const struct request *r = &pair->requests[at];
        if ((pair->known >> at & 1) == 0) /* nor are any before it */
            break;
        if (!still_pending(r, rec->ts_ns) || r->sport != rec->dport || r->dport != rec->sport)
            continue;
        if (m->org_ntp64 != r->xmt_ntp64 && (r->rec_ntp64 == 0 || m->org_ntp64 != r->rec_ntp64))
            continue;
        if ((pair->answered >> at & 1) == 0)
            return at;
        if (had_reply == NO_REQUEST)
            had_reply = at;
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

static void set_matched(struct pair *pair, unsigned at, const struct rec *rec, struct ntp_msg *m)
{
    const struct request *r = &pair->requests[at];
    pair->answered |= 1u << at;
    m->matched = true;
    m->request_len = r->len;
    m->request_ts_ns = r->ts_ns;
    m->longer = wire_len(rec, m) > r->len;
    if (m->kod || m->rec_ntp64 == 0 || m->xmt_ntp64 == 0)
        return;
    if (m->org_ntp64 == r->xmt_ntp64)
        set_times(m, r->ts_ns, m->rec_ntp64, m->xmt_ntp64, rec->ts_ns);
    else if (pair->last_matched)
        set_times(m, pair->request_ts_ns, pair->rec_ntp64, m->xmt_ntp64, pair->ts_ns);
    else
        set_times(m, r->ts_ns, m->rec_ntp64, m->rec_ntp64, rec->ts_ns);
}

static void see_last(struct pair *last, const struct rec *rec, struct ntp_msg *m)
{
    if (m->kod)
        return;
    if (last->last_known)
        m->free_changes =
            (uint8_t)((last->refid != m->refid) + (last->root_delay_s16 != m->root_delay_s16)
                      + (last->root_dispersion_s16 != m->root_dispersion_s16)
                      + (last->precision_log2_s != m->precision_log2_s)
                      + (last->poll_log2_s != m->poll_log2_s) + (last->ref_ntp64 != m->ref_ntp64));
    last->ref_ntp64 = m->ref_ntp64;
    last->rec_ntp64 = m->rec_ntp64;
    last->request_ts_ns = m->request_ts_ns;
    last->ts_ns = rec->ts_ns;
    last->root_delay_s16 = m->root_delay_s16;
    last->root_dispersion_s16 = m->root_dispersion_s16;
    last->refid = m->refid;
    last->poll_log2_s = m->poll_log2_s;
    last->precision_log2_s = m->precision_log2_s;
    last->last_known = true;
    last->last_matched = m->matched;
}

static void see_reply(struct ntp_pairs *p, const struct rec *rec, struct ntp_msg *m,
                      bool only_reply)
{
    struct fifo_key key = make_key(p, rec, false);
    struct pair *pair = only_reply ? find_or_make(p, rec, key) : find(p, key);
    if (pair == NULL || (!only_reply && m->org_ntp64 == 0))
        return;
    unsigned at = find_request(pair, rec, m);
    if (at == NO_REQUEST && !only_reply)
        return;
    m->is_reply = true;
    if (at != NO_REQUEST && (pair->answered >> at & 1))
        m->duplicate_reply = true;
    else if (at != NO_REQUEST)
        set_matched(pair, at, rec, m);
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

uint32_t ntp_pairs_prefetch(const struct ntp_pairs *p, const struct rec *rec)
{
    struct cur in = rec->payload;
    uint8_t first;
    if (!cur_u8(&in, &first))
        return 0;
    enum direction d = direction(rec, first & 7, first >> 3 & 7);
    if (d == NEITHER)
        return 0;
    uint32_t bucket = make_key(p, rec, d != REPLY).w[0];
    fifo_prefetch_head(&p->fifo, bucket);
    return bucket;
}

void ntp_pairs_prefetch_entry(const struct ntp_pairs *p, uint32_t bucket)
{
    fifo_prefetch_entry(&p->fifo, bucket);
}

void ntp_pairs_origin_end(struct ntp_pairs *p, uint16_t origin)
{
    fifo_origin_end(&p->fifo, origin);
}

uint64_t ntp_pairs_turned_away(const struct ntp_pairs *p)
{
    return p->turned_away;
}
