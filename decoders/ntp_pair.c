#include "decoders/ntp_pair.h"
#include "decoders/ntp.h"

#include <stdlib.h>

enum { REQUESTS = 4, NTP_PORT = 123, TIME_BITS = 40 };

#define PENDING_NS UINT64_C(10000000000) /* 10 s */
#define TIME_MASK  ((UINT64_C(1) << TIME_BITS) - 1)

/* Two cache lines a pair: state is most of what the program touches for NTP. So a request's time is
 * kept without its high bits: they are in its hash, with all that its reply has to match, and come
 * back from the reply's time. */
struct pair {
    struct fifo_entry entry;
    uint64_t asked[REQUESTS]; /* by request: see request_hash; 0: none */
    uint16_t len[REQUESTS];
    /* second line: the rest of the requests, and the last reply */
    uint32_t time_low[REQUESTS];
    uint8_t time_high[REQUESTS];
    uint8_t next : 2; /* where the next request goes */
    uint8_t last_known : 1, last_matched : 1;
    uint8_t last_age_high : 2;                           /* the rest of last_age_low */
    uint8_t answered : REQUESTS, interleaved : REQUESTS; /* by request */
    int8_t poll_log2_s, precision_log2_s;
    uint32_t root_delay_s16, root_dispersion_s16, refid;
    uint32_t last_age_low; /* last_matched: time from its request to it: 34 bits hold 10 s */
    uint64_t last_ts_ns;
    union {
        struct {
            uint64_t ref_ntp64, rec_ntp64;
        };
        uint32_t time_top[REQUESTS]; /* while !last_known: high bits of the requests' times */
    };
};
static_assert(sizeof(struct pair) == 128, "two cache lines");

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

/* By mode; mode 0: see below. */
static const uint8_t directions[8] = {NEITHER, BOTH,    REPLY,   REQUEST,
                                      REPLY,   NEITHER, NEITHER, NEITHER};

static inline enum direction direction(const struct rec *rec, uint8_t mode, uint8_t version)
{
    if (mode != 0 || version != 1)
        return directions[mode & 7];
    /* version 1 had no modes: the ports tell (RFC 1059 appendix B) */
    if (rec->dport == NTP_PORT && rec->sport == NTP_PORT)
        return BOTH;
    return rec->dport == NTP_PORT ? REQUEST : REPLY;
}

static inline struct pair *find(const struct ntp_pairs *p, const struct fifo_key *key)
{
    uint32_t number;
    struct fifo_entry *e = fifo_first(&p->fifo, *key, &number);
    while (e != NULL && !fifo_is(e, *key))
        e = fifo_next(&p->fifo, e, &number);
    return (struct pair *)e;
}

/* Of all that must be known to call a packet the reply to a request: the stamp it brings back, the
 * request's ports, and the high bits of its time (for times that agree in the low ones). */
static uint64_t stamp_hash(const struct ntp_pairs *p, uint64_t stamp, uint16_t client_port,
                           uint16_t server_port, uint64_t ts_ns)
{
    uint64_t ports = (uint64_t)client_port << 16 | server_port;
    return fifo_fold(stamp ^ p->fifo.secret[4], ts_ns ^ ports ^ p->fifo.secret[5]);
}

/* The low bits of the time of request `at`. */
static uint64_t request_time(const struct pair *pair, unsigned at)
{
    return (uint64_t)pair->time_high[at] << 32 | pair->time_low[at];
}

/* Whether pushing `pair` out at `now_ns` loses something. What lies ahead of now cannot be judged:
 * it counts. */
static bool matters(const struct pair *pair, uint64_t now_ns)
{
    if (pair->last_known)
        return true;
    for (unsigned i = 0; i < REQUESTS; i++) {
        uint64_t ts_ns = (uint64_t)pair->time_top[i] << TIME_BITS | request_time(pair, i);
        bool open = pair->asked[i] != 0 && (pair->answered >> i & 1) == 0;
        if (open && (ts_ns > now_ns || now_ns - ts_ns <= PENDING_NS))
            return true;
    }
    return false;
}

static __attribute__((noinline)) struct pair *make(struct ntp_pairs *p, const struct rec *rec,
                                                   const struct fifo_key *key)
{
    const struct pair *victim = (const struct pair *)fifo_victim(&p->fifo);
    if (victim != NULL && !fifo_forgotten(&p->fifo, &victim->entry) && !fifo_grow(&p->fifo))
        p->turned_away += matters(victim, rec->ts_ns);
    struct pair *pair = (struct pair *)fifo_make(&p->fifo, *key, rec->origin);
    memset(pair->asked, 0, sizeof pair->asked);
    pair->next = 0;
    pair->last_known = false;
    pair->last_matched = false;
    pair->answered = 0;
    pair->interleaved = 0;
    return pair;
}

/* Of the datagram on the wire, captured or not. */
static uint16_t wire_len(const struct rec *rec, const struct ntp_msg *m)
{
    if (rec->payload_wire_len <= m->payload_len)
        return m->payload_len;
    return rec->payload_wire_len > UINT16_MAX ? UINT16_MAX : (uint16_t)rec->payload_wire_len;
}

static void see_request(struct ntp_pairs *p, const struct rec *rec, const struct fifo_key *key,
                        struct ntp_msg *m)
{
    struct pair *pair = find(p, key);
    if (pair == NULL)
        pair = make(p, rec, key);
    unsigned at = pair->next, bit = 1u << at;
    uint64_t asked = stamp_hash(p, m->xmt_ntp64, rec->sport, rec->dport, rec->ts_ns);
    bool interleaved = m->org_ntp64 != 0 && pair->last_known && m->org_ntp64 == pair->rec_ntp64
                       && m->rec_ntp64 != 0;
    if (interleaved) /* two stamps may come back: half a hash each */
        asked =
            asked << 32 | (uint32_t)stamp_hash(p, m->rec_ntp64, rec->sport, rec->dport, rec->ts_ns);
    pair->asked[at] = asked;
    pair->len[at] = wire_len(rec, m);
    pair->time_low[at] = (uint32_t)rec->ts_ns;
    pair->time_high[at] = (uint8_t)(rec->ts_ns >> 32);
    if (!pair->last_known)
        pair->time_top[at] = (uint32_t)(rec->ts_ns >> TIME_BITS);
    pair->next = (at + 1) % REQUESTS;
    pair->answered &= ~bit;
    pair->interleaved = (pair->interleaved & ~bit) | (interleaved ? bit : 0);
    m->is_request = true;
}

/* A request that a reply answers. */
struct found {
    unsigned at;
    uint64_t ts_ns;
    bool by_rec; /* by the second stamp of an interleaved one */
};
enum { NO_REQUEST = REQUESTS };

/* The youngest request that the reply answers: unanswered if there is one. */
static struct found find_request(const struct ntp_pairs *p, const struct pair *pair,
                                 const struct rec *rec, const struct ntp_msg *m)
{
    struct found had_reply = {.at = NO_REQUEST};
    for (unsigned age = 1; age <= REQUESTS; age++) {
        unsigned at = (pair->next + REQUESTS - age) % REQUESTS;
        uint64_t asked = pair->asked[at];
        if (asked == 0) /* nor are any before it */
            break;
        uint64_t since_ns = (rec->ts_ns - request_time(pair, at)) & TIME_MASK;
        if (since_ns > PENDING_NS || since_ns > rec->ts_ns)
            continue;
        struct found f = {.at = at, .ts_ns = rec->ts_ns - since_ns};
        uint64_t back = stamp_hash(p, m->org_ntp64, rec->dport, rec->sport, f.ts_ns);
        if (back != asked) {
            if ((pair->interleaved >> at & 1) == 0)
                continue;
            f.by_rec = (uint32_t)back != asked >> 32;
            if (f.by_rec && (uint32_t)back != (uint32_t)asked)
                continue;
        }
        if ((pair->answered >> at & 1) == 0)
            return f;
        if (had_reply.at == NO_REQUEST)
            had_reply = f;
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

static void set_matched(struct pair *pair, const struct found *f, const struct rec *rec,
                        struct ntp_msg *m)
{
    uint16_t request_len = pair->len[f->at];
    pair->answered |= 1u << f->at;
    m->matched = true;
    m->request_len = request_len;
    m->request_ts_ns = f->ts_ns;
    m->longer = wire_len(rec, m) > request_len;
    if (m->kod || m->rec_ntp64 == 0 || m->xmt_ntp64 == 0)
        return;
    uint64_t t1_ns = f->ts_ns, t2_ntp64 = m->rec_ntp64, t3_ntp64 = m->xmt_ntp64;
    uint64_t t4_ns = rec->ts_ns;
    if (f->by_rec && pair->last_matched) {
        uint64_t age_ns = (uint64_t)pair->last_age_high << 32 | pair->last_age_low;
        t1_ns = pair->last_ts_ns - age_ns;
        t2_ntp64 = pair->rec_ntp64;
        t4_ns = pair->last_ts_ns;
    } else if (f->by_rec) {
        t3_ntp64 = t2_ntp64;
    }
    set_times(m, t1_ns, t2_ntp64, t3_ntp64, t4_ns);
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
    uint64_t age_ns = m->matched ? rec->ts_ns - m->request_ts_ns : 0;
    last->ref_ntp64 = m->ref_ntp64;
    last->rec_ntp64 = m->rec_ntp64;
    last->last_ts_ns = rec->ts_ns;
    last->last_age_low = (uint32_t)age_ns;
    last->last_age_high = age_ns >> 32 & 3;
    last->root_delay_s16 = m->root_delay_s16;
    last->root_dispersion_s16 = m->root_dispersion_s16;
    last->refid = m->refid;
    last->poll_log2_s = m->poll_log2_s;
    last->precision_log2_s = m->precision_log2_s;
    last->last_known = true;
    last->last_matched = m->matched;
}

static void see_reply(struct ntp_pairs *p, const struct rec *rec, const struct fifo_key *key,
                      struct ntp_msg *m, bool only_reply)
{
    struct pair *pair = find(p, key);
    if (!only_reply && (pair == NULL || m->org_ntp64 == 0))
        return;
    if (pair == NULL)
        pair = make(p, rec, key);
    struct found f = find_request(p, pair, rec, m);
    if (f.at == NO_REQUEST && !only_reply)
        return;
    m->is_reply = true;
    if (f.at != NO_REQUEST && (pair->answered >> f.at & 1))
        m->duplicate_reply = true;
    else if (f.at != NO_REQUEST)
        set_matched(pair, &f, rec, m);
    see_last(pair, rec, m);
}

void ntp_pairs_ahead(const struct ntp_pairs *p, const struct rec *rec, struct fifo_ahead *ahead)
{
    struct cur in = rec->payload;
    uint8_t first;
    ahead->proto = PROTO_NONE;
    if (!cur_u8(&in, &first))
        return;
    enum direction d = direction(rec, first & 7, first >> 3 & 7);
    if (d == NEITHER)
        return;
    ahead->proto = PROTO_NTP;
    ahead->key = make_key(p, rec, d != REPLY);
    fifo_prefetch_head(&p->fifo, ahead->key.w[0]);
}

void ntp_pairs_prefetch(const struct ntp_pairs *p, const struct fifo_ahead *ahead)
{
    fifo_prefetch_entry(&p->fifo, ahead->key.w[0]);
}

void ntp_pairs_see(struct ntp_pairs *p, const struct rec *rec, const struct fifo_ahead *ahead,
                   struct ntp_msg *m)
{
    if (!m->whole)
        return;
    enum direction d = direction(rec, m->mode, m->version);
    if (d == NEITHER)
        return;
    struct fifo_key made;
    const struct fifo_key *key = &made;
    if (ahead != NULL && ahead->proto == PROTO_NTP)
        key = &ahead->key;
    else
        made = make_key(p, rec, d != REPLY);
    if (d == REPLY) {
        see_reply(p, rec, key, m, true);
        return;
    }
    if (d == BOTH) {
        struct fifo_key other = make_key(p, rec, false);
        see_reply(p, rec, &other, m, false);
    }
    see_request(p, rec, key, m);
}

void ntp_pairs_origin_end(struct ntp_pairs *p, uint16_t origin)
{
    fifo_origin_end(&p->fifo, origin);
}

uint64_t ntp_pairs_turned_away(const struct ntp_pairs *p)
{
    return p->turned_away;
}
