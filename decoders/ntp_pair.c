#include "decoders/ntp_pair.h"
#include "decoders/ntp.h"

#include <stdlib.h>

enum { REQUESTS = 4, NTP_PORT = 123, NTP_LEN = 48, TIME_BITS = 34 };

#define PENDING_NS UINT64_C(10000000000) /* 10 s */
#define TIME_MASK  ((UINT64_C(1) << TIME_BITS) - 1)
#define ASKED      (UINT64_C(1) << TIME_BITS) /* set in every hash of a request */

/* Two cache lines a pair: state is most of what the program touches for NTP, and most requests
 * touch the first line alone. So a request's time is kept without its high bits: they are in its
 * hash, with all that its reply has to match, and come back from the reply's time. */
struct pair {
    struct fifo_entry entry;       /* own[0]: see below; own[1]: rec_filter of the last reply */
    uint64_t asked[REQUESTS];      /* 0: none; else its time's low bits below those of its hash */
    uint16_t asked_more[REQUESTS]; /* its hash's lowest bits; interleaved: those of the second */
    /* second line: what few requests have, and the last reply */
    uint16_t second[REQUESTS]; /* interleaved: the next lowest bits of the second hash */
    uint16_t len[REQUESTS];    /* OTHER_LEN */
    int8_t poll_log2_s, precision_log2_s;
    uint8_t last_age_high;
    uint32_t last_age_low; /* LAST_MATCHED: time from its request to it */
    uint32_t root_delay_s16, root_dispersion_s16, refid;
    uint64_t last_ts_ns;
    union {
        struct {
            uint64_t ref_ntp64, rec_ntp64;
        };
        uint32_t time_top[REQUESTS]; /* while not LAST_KNOWN: high bits of the requests' times */
    };
};
static_assert(sizeof(struct pair) == 128, "two cache lines");
static_assert(offsetof(struct pair, second) == 64, "requests in the first");

/* A pair's state, in one word: as bit-fields each of them cost a read and a write of its own. */
enum {
    ANSWERED = 1 << 0,    /* << request */
    INTERLEAVED = 1 << 4, /* << request */
    OTHER_LEN = 1 << 8,   /* << request: it was not NTP_LEN long */
    LAST_KNOWN = 1 << 12,
    LAST_MATCHED = 1 << 13,
    NEXT_AT = 14, /* where the next request goes: the top bits, which wrap by themselves */
};

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

/* Two products of the addresses and seeded secrets, summed: nobody can tell the sum for a pair, or
 * find two pairs of the same one, without the seed. */
static inline struct fifo_key make_key(const struct ntp_pairs *p, const struct rec *rec,
                                       bool src_asks)
{
    const struct addr *client = src_asks ? &rec->src : &rec->dst;
    const struct addr *server = src_asks ? &rec->dst : &rec->src;
    const uint64_t *secret = p->fifo.secret;
    uint64_t c[2], s[2];
    memcpy(c, client->b, sizeof c);
    memcpy(s, server->b, sizeof s);
    uint64_t context = ((uint64_t)rec->origin << 32 | p->fifo.origins[rec->origin].generation)
                       + fifo_site(rec->site);
    unsigned __int128 sum = (unsigned __int128)(c[0] ^ secret[0]) * (c[1] ^ secret[1])
                            + (unsigned __int128)(s[0] ^ secret[2]) * (s[1] ^ secret[3])
                            + (unsigned __int128)context * secret[4];
    uint64_t low = (uint64_t)sum, high = (uint64_t)(sum >> 64), both = low ^ high;
    return (struct fifo_key){{(uint32_t)both, (uint32_t)(both >> 32), (uint32_t)(low >> 32)}};
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
 * request's ports, and the high bits of its time (for times that agree in the low ones). A product
 * of two numbers that nobody knows without the seed. */
static inline uint64_t stamp_hash(const struct ntp_pairs *p, uint64_t stamp, uint16_t client_port,
                                  uint16_t server_port, uint64_t ts_ns)
{
    uint64_t ports = (uint64_t)client_port << 16 | server_port;
    unsigned __int128 product =
        (unsigned __int128)(stamp ^ p->fifo.secret[4]) * (ts_ns ^ ports ^ p->fifo.secret[5]);
    return ((uint64_t)product ^ (uint64_t)(product >> 64)) | ASKED;
}

/* Differs where the stamps differ, but for one in 65,536. */
static inline uint16_t rec_filter(uint64_t rec_ntp64)
{
    return (uint16_t)(rec_ntp64 >> 16);
}

/* Whether pushing `pair` out at `now_ns` loses something. What lies ahead of now cannot be judged:
 * it counts. */
static bool matters(const struct pair *pair, uint64_t now_ns)
{
    if (pair->entry.own[0] & LAST_KNOWN)
        return true;
    for (unsigned i = 0; i < REQUESTS; i++) {
        uint64_t ts_ns = (uint64_t)pair->time_top[i] << TIME_BITS | (pair->asked[i] & TIME_MASK);
        bool open = pair->asked[i] != 0 && (pair->entry.own[0] & ANSWERED << i) == 0;
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
    pair->entry.own[0] = 0;
    return pair;
}

/* Of the datagram on the wire, captured or not. */
static inline uint16_t wire_len(const struct rec *rec, const struct ntp_msg *m)
{
    return rec->payload_wire_len <= m->payload_len ? m->payload_len
                                                   : ntp_len(rec->payload_wire_len);
}

static inline void see_request(const struct ntp_pairs *p, struct pair *pair, const struct rec *rec,
                               struct ntp_msg *m)
{
    unsigned state = pair->entry.own[0], at = state >> NEXT_AT;
    uint64_t ts_ns = rec->ts_ns;
    uint64_t asked = stamp_hash(p, m->xmt_ntp64, rec->sport, rec->dport, ts_ns), more = asked;
    uint16_t len = wire_len(rec, m);
    state = (state & ~((ANSWERED | INTERLEAVED | OTHER_LEN) << at)) + (1u << NEXT_AT);
    if ((state & LAST_KNOWN) == 0) {
        pair->time_top[at] = (uint32_t)(ts_ns >> TIME_BITS);
    } else if (m->org_ntp64 != 0 && m->rec_ntp64 != 0
               && rec_filter(m->org_ntp64) == pair->entry.own[1]
               && m->org_ntp64 == pair->rec_ntp64) {
        /* two stamps may come back: the second hash takes the place of half the first */
        more = stamp_hash(p, m->rec_ntp64, rec->sport, rec->dport, ts_ns);
        pair->second[at] = (uint16_t)(more >> 16);
        state |= INTERLEAVED << at;
    }
    if (len != NTP_LEN) {
        pair->len[at] = len;
        state |= OTHER_LEN << at;
    }
    pair->asked[at] = (asked & ~TIME_MASK) | (ts_ns & TIME_MASK);
    pair->asked_more[at] = (uint16_t)more;
    pair->entry.own[0] = (uint16_t)state;
    m->is_request = true;
}

/* A request that a reply answers. */
struct found {
    unsigned at;
    uint64_t ts_ns;
    bool by_rec; /* by the second stamp of an interleaved one */
};
enum { NO_REQUEST = REQUESTS };

/* Does the reply answer request `at`? */
static inline bool answers(const struct ntp_pairs *p, const struct pair *pair, unsigned at,
                           bool interleaved, const struct rec *rec, const struct ntp_msg *m,
                           struct found *f)
{
    uint64_t asked = pair->asked[at], since_ns = (rec->ts_ns - asked) & TIME_MASK;
    if (since_ns > PENDING_NS || since_ns > rec->ts_ns || asked == 0)
        return false;
    *f = (struct found){.at = at, .ts_ns = rec->ts_ns - since_ns};
    uint64_t back = stamp_hash(p, m->org_ntp64, rec->dport, rec->sport, f->ts_ns);
    bool by_xmt = (back ^ asked) >> TIME_BITS == 0, more = (uint16_t)back == pair->asked_more[at];
    if (!interleaved)
        return by_xmt && more;
    f->by_rec = !by_xmt;
    return by_xmt || (more && (uint16_t)(back >> 16) == pair->second[at]);
}

/* The youngest request that the reply answers: unanswered if there is one. Those younger than the
 * request `age` (1: the youngest) are known to be none. */
static inline struct found find_request(const struct ntp_pairs *p, const struct pair *pair,
                                        const struct rec *rec, const struct ntp_msg *m,
                                        unsigned age)
{
    struct found had_reply = {.at = NO_REQUEST}, f;
    unsigned next = pair->entry.own[0] >> NEXT_AT;
    for (; age <= REQUESTS; age++) {
        unsigned at = (next - age) % REQUESTS;
        if (pair->asked[at] == 0) /* nor are any before it */
            break;
        bool interleaved = pair->entry.own[0] & INTERLEAVED << at;
        if (!answers(p, pair, at, interleaved, rec, m, &f))
            continue;
        if ((pair->entry.own[0] & ANSWERED << at) == 0)
            return f;
        if (had_reply.at == NO_REQUEST)
            had_reply = f;
    }
    return had_reply;
}

/* RFC 5905 8, with the capture times in the client's place. No difference here overflows: NTP times
 * are within 2^31 s of the capture's. */
static __attribute__((noinline)) void set_far_times(struct ntp_msg *m, uint64_t t1_ns,
                                                    uint64_t t2_ntp64, uint64_t t3_ntp64,
                                                    uint64_t t4_ns)
{
    uint64_t t2_ns = ntp_to_ns(t2_ntp64, t1_ns), t3_ns = ntp_to_ns(t3_ntp64, t4_ns);
    m->offset_ns = ((int64_t)(t2_ns - t1_ns) + (int64_t)(t3_ns - t4_ns)) / 2;
    m->delay_ns = (int64_t)(t4_ns - t1_ns) - (int64_t)(t3_ns - t2_ns);
}

#define BASE_S  INT64_C(1893456000) /* 2030-01-01 */
#define BASE_NS (BASE_S * (int64_t)NTP_NS_PER_S)

/* From BASE_NS to an NTP time less than 2^30 s from it. */
static inline int64_t since_base_ns(int32_t s, uint64_t ntp64)
{
    return s * (int64_t)NTP_NS_PER_S + (int64_t)((ntp64 & UINT32_MAX) * NTP_NS_PER_S >> 32);
}

/* The same without a division where all times are some decades around BASE_NS: so near that no
 * other era is as near to any of them. */
static inline void set_times(struct ntp_msg *m, uint64_t t1_ns, uint64_t t2_ntp64,
                             uint64_t t3_ntp64, uint64_t t4_ns)
{
    const uint32_t base = (uint32_t)(BASE_S + UNIX_EPOCH_NTP_S), near_s = UINT32_C(1) << 30;
    const uint64_t near_ns = UINT64_C(1) << 59;
    uint32_t s2 = (uint32_t)(t2_ntp64 >> 32) - base, s3 = (uint32_t)(t3_ntp64 >> 32) - base;
    if (((s2 + near_s) | (s3 + near_s)) >= 2 * near_s || t4_ns - BASE_NS + near_ns >= 2 * near_ns) {
        set_far_times(m, t1_ns, t2_ntp64, t3_ntp64, t4_ns);
        return;
    }
    int64_t t1 = (int64_t)(t1_ns - BASE_NS), t4 = (int64_t)(t4_ns - BASE_NS);
    int64_t t2 = since_base_ns((int32_t)s2, t2_ntp64), t3 = since_base_ns((int32_t)s3, t3_ntp64);
    m->offset_ns = ((t2 - t1) + (t3 - t4)) / 2;
    m->delay_ns = (t4 - t1) - (t3 - t2);
}

static inline void set_matched(const struct pair *pair, const struct found *f,
                               const struct rec *rec, struct ntp_msg *m)
{
    bool other_len = pair->entry.own[0] & OTHER_LEN << f->at;
    uint16_t request_len = other_len ? pair->len[f->at] : NTP_LEN;
    m->matched = true;
    m->request_len = request_len;
    m->request_ts_ns = f->ts_ns;
    m->longer = wire_len(rec, m) > request_len;
    if (m->kod || m->rec_ntp64 == 0 || m->xmt_ntp64 == 0)
        return;
    uint64_t t1_ns = f->ts_ns, t2_ntp64 = m->rec_ntp64, t3_ntp64 = m->xmt_ntp64;
    uint64_t t4_ns = rec->ts_ns;
    if (__builtin_expect(f->by_rec, false)) {
        if (pair->entry.own[0] & LAST_MATCHED) {
            uint64_t age_ns = (uint64_t)pair->last_age_high << 32 | pair->last_age_low;
            t1_ns = pair->last_ts_ns - age_ns;
            t2_ntp64 = pair->rec_ntp64;
            t4_ns = pair->last_ts_ns;
        } else {
            t3_ntp64 = t2_ntp64;
        }
    }
    set_times(m, t1_ns, t2_ntp64, t3_ntp64, t4_ns);
}

/* `state`: of the pair, to which it adds what the last reply's is. */
static inline unsigned see_last(struct pair *last, unsigned state, const struct rec *rec,
                                struct ntp_msg *m)
{
    if (state & LAST_KNOWN)
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
    last->last_age_high = (uint8_t)(age_ns >> 32);
    last->entry.own[1] = rec_filter(m->rec_ntp64);
    last->root_delay_s16 = m->root_delay_s16;
    last->root_dispersion_s16 = m->root_dispersion_s16;
    last->refid = m->refid;
    last->poll_log2_s = m->poll_log2_s;
    last->precision_log2_s = m->precision_log2_s;
    return (state & ~(unsigned)LAST_MATCHED) | LAST_KNOWN | (m->matched ? LAST_MATCHED : 0);
}

/* A reply that does not simply answer the last request, once. `age`: of find_request. `only_reply`:
 * it is no request too. */
static __attribute__((noinline)) void see_odd_reply(const struct ntp_pairs *p, struct pair *pair,
                                                    const struct rec *rec, struct ntp_msg *m,
                                                    unsigned age, bool only_reply)
{
    unsigned state = pair->entry.own[0];
    struct found f = find_request(p, pair, rec, m, age);
    if (f.at == NO_REQUEST && !only_reply)
        return;
    m->is_reply = true;
    if (f.at != NO_REQUEST && (state & ANSWERED << f.at) != 0) {
        m->duplicate_reply = true;
    } else if (f.at != NO_REQUEST) {
        set_matched(pair, &f, rec, m);
        state |= ANSWERED << f.at;
    }
    if (!m->kod)
        state = see_last(pair, state, rec, m);
    pair->entry.own[0] = (uint16_t)state;
}

static __attribute__((noinline)) void see_reply(const struct ntp_pairs *p, struct pair *pair,
                                                const struct rec *rec, struct ntp_msg *m)
{
    unsigned state = pair->entry.own[0], youngest = ((state >> NEXT_AT) - 1) % REQUESTS;
    struct found f;
    bool odd = (state & (ANSWERED | INTERLEAVED) << youngest) != 0;
    if (odd || !answers(p, pair, youngest, false, rec, m, &f)) {
        see_odd_reply(p, pair, rec, m, odd ? 1 : 2, true);
        return;
    }
    m->is_reply = true;
    set_matched(pair, &f, rec, m);
    state |= ANSWERED << youngest;
    if (!m->kod)
        state = see_last(pair, state, rec, m);
    pair->entry.own[0] = (uint16_t)state;
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
    ahead->what = (uint8_t)d;
    ahead->key = make_key(p, rec, d != REPLY);
    fifo_prefetch_head(&p->fifo, ahead->key.w[0]);
}

void ntp_pairs_prefetch(const struct ntp_pairs *p, const struct fifo_ahead *ahead)
{
    const uint8_t *e = fifo_prefetch_entry(&p->fifo, ahead->key.w[0]);
    if (ahead->what != REQUEST && e != NULL)
        __builtin_prefetch(e + 64, 1);
}

/* The pair is not the first of its bucket, or new; or its key is not known yet (NULL); or there are
 * two of them. */
static __attribute__((noinline)) void see_far(struct ntp_pairs *p, const struct rec *rec,
                                              const struct fifo_key *key, struct ntp_msg *m,
                                              enum direction d)
{
    struct fifo_key made, other;
    if (key == NULL) {
        made = make_key(p, rec, d != REPLY);
        key = &made;
    }
    if (d == BOTH) {
        other = make_key(p, rec, false);
        struct pair *asked = find(p, &other);
        if (asked != NULL && m->org_ntp64 != 0)
            see_odd_reply(p, asked, rec, m, 1, false);
    }
    struct pair *pair = find(p, key);
    if (pair == NULL)
        pair = make(p, rec, key);
    if (d == REPLY)
        see_reply(p, pair, rec, m);
    else
        see_request(p, pair, rec, m);
}

void ntp_pairs_see(struct ntp_pairs *p, const struct rec *rec, const struct fifo_ahead *ahead,
                   struct ntp_msg *m)
{
    if (ahead == NULL || ahead->proto != PROTO_NTP) {
        enum direction d = direction(rec, m->mode, m->version);
        if (d != NEITHER)
            see_far(p, rec, NULL, m, d);
        return;
    }
    uint32_t number;
    struct fifo_entry *e = fifo_first(&p->fifo, ahead->key, &number);
    if (e == NULL || !fifo_is(e, ahead->key) || ahead->what == BOTH)
        see_far(p, rec, &ahead->key, m, ahead->what);
    else if (ahead->what == REPLY)
        see_reply(p, (struct pair *)e, rec, m);
    else
        see_request(p, (struct pair *)e, rec, m);
}

void ntp_pairs_origin_end(struct ntp_pairs *p, uint16_t origin)
{
    fifo_origin_end(&p->fifo, origin);
}

uint64_t ntp_pairs_turned_away(const struct ntp_pairs *p)
{
    return p->turned_away;
}
