#include "decoders/ntp.h"
#include "decoders/ntp_pair.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdio.h>

#include "tests/summary/random.h"

#define MS UINT64_C(1000000)
#define S  UINT64_C(1000000000)
#define T0 (UINT64_C(1520726400) * S)

enum { A, B, C };

/* One packet of a story, and what is to be said of it. */
struct step {
    uint8_t from, to;
    uint16_t sport, dport;
    uint8_t mode;
    uint64_t at_ms; /* after T0 */
    uint64_t org, rec, xmt;
    const char *want; /* q: request, r: reply, m: matched, d: duplicate, l: longer */
    uint64_t request_ms;
    uint16_t len; /* 0: 48 */
    uint16_t origin;
    uint8_t version; /* 0: 4 */
    uint8_t site;
};

static struct ntp_pairs *pairs;

static int fresh(void **state)
{
    (void)state;
    struct err e;
    return ntp_pairs_new(&pairs, 64, 1, &e) ? 0 : -1;
}

static int over(void **state)
{
    (void)state;
    ntp_pairs_free(pairs);
    return 0;
}

static struct ntp_msg see(const struct step *s)
{
    struct rec rec = {
        .ts_ns = T0 + s->at_ms * MS,
        .sport = s->sport,
        .dport = s->dport,
        .origin = s->origin,
        .site = s->site,
        .payload_wire_len = s->len ? s->len : 48,
        .src = addr_v4((uint8_t[]){10, 0, 0, s->from}),
        .dst = addr_v4((uint8_t[]){10, 0, 0, s->to}),
    };
    struct ntp_msg m = {
        .version = s->version ? s->version : 4,
        .mode = s->mode,
        .stratum = 2,
        .whole = s->mode < 6,
        .payload_len = 48,
        .org_ntp64 = s->org,
        .rec_ntp64 = s->rec,
        .xmt_ntp64 = s->xmt,
    };
    /* The key may have been hashed ahead, from the first byte: every other step. */
    uint8_t first = (uint8_t)(m.version << 3 | m.mode);
    rec.payload = cur_of(&first, 1, 48);
    struct fifo_ahead ahead = {.proto = PROTO_NONE};
    static unsigned calls;
    if (calls++ % 2 == 0) {
        ntp_pairs_ahead(pairs, &rec, &ahead);
        ntp_pairs_prefetch(pairs, &ahead);
    }
    ntp_pairs_see(pairs, &rec, &ahead, &m);
    return m;
}

static void tell(const char *name, const struct step *steps, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct ntp_msg m = see(&steps[i]);
        char got[8] = "";
        snprintf(got, sizeof got, "%s%s%s%s%s", m.is_request ? "q" : "", m.is_reply ? "r" : "",
                 m.matched ? "m" : "", m.duplicate_reply ? "d" : "", m.longer ? "l" : "");
        if (strcmp(got, steps[i].want) != 0)
            fail_msg("%s, step %zu: \"%s\", wanted \"%s\"", name, i, got, steps[i].want);
        if (m.matched)
            assert_int_equal(m.request_ts_ns, T0 + steps[i].request_ms * MS);
        else
            assert_true(m.request_ts_ns == 0 && m.offset_ns == 0 && m.delay_ns == 0);
    }
}
#define TELL(name, ...)                                                                            \
    do {                                                                                           \
        static const struct step steps[] = {__VA_ARGS__};                                          \
        tell(name, steps, sizeof steps / sizeof *steps);                                           \
        ntp_pairs_origin_end(pairs, 0);                                                            \
    } while (0)

static void exchanges(void **state)
{
    (void)state;
    TELL("3 -> 4", {A, B, 5000, 123, 3, 0, 0, 0, 77, .want = "q"},
         {B, A, 123, 5000, 4, 20, 77, 1, 2, "rm", .request_ms = 0});
    TELL("1 -> 2, both 123", {A, B, 123, 123, 1, 0, 0, 0, 77, .want = "q"},
         {B, A, 123, 123, 2, 20, 77, 1, 2, "rm", .request_ms = 0});
    TELL("3 -> 4, both 123", {A, B, 123, 123, 3, 0, 0, 0, 77, .want = "q"},
         {B, A, 123, 123, 4, 20, 77, 1, 2, "rm", .request_ms = 0});
    TELL("1 -> 1: each asks and answers", {A, B, 123, 123, 1, 0, 0, 0, 77, .want = "q"},
         {B, A, 123, 123, 1, 20, 77, 1, 78, "qrm", .request_ms = 0},
         {A, B, 123, 123, 1, 5000, 78, 1, 79, "qrm", .request_ms = 20});
    TELL("1 -> 1: org zero answers nothing", {A, B, 123, 123, 1, 0, 0, 0, 0, .want = "q"},
         {B, A, 123, 123, 1, 20, 0, 0, 0, .want = "q"});
    TELL("version 1 by port", {A, B, 5000, 123, 0, 0, 0, 0, 77, "q", .version = 1},
         {B, A, 123, 5000, 0, 20, 77, 1, 2, "rm", .request_ms = 0, .version = 1});
    TELL("broadcast and control ask nothing", {A, B, 123, 123, 5, 0, 0, 0, 1, .want = ""},
         {A, B, 123, 123, 6, 0, 0, 0, 1, .want = ""}, {A, B, 123, 123, 7, 0, 0, 0, 1, .want = ""});
    TELL("a client that sends xmt 0", {A, B, 5000, 123, 3, 0, 0, 0, 0, .want = "q"},
         {B, A, 123, 5000, 4, 20, 0, 1, 2, "rm", .request_ms = 0},
         {B, A, 123, 5000, 4, 21, 0, 1, 2, .want = "rd"});
}

static void what_does_not_match(void **state)
{
    (void)state;
    TELL("no request", {B, A, 123, 5000, 4, 20, 77, 1, 2, .want = "r"});
    TELL("spoofed org", {A, B, 5000, 123, 3, 0, 0, 0, 77, .want = "q"},
         {B, A, 123, 5000, 4, 20, 76, 1, 2, .want = "r"},
         {B, A, 123, 5000, 4, 21, 77, 1, 2, "rm", .request_ms = 0});
    TELL("another source", {A, B, 5000, 123, 3, 0, 0, 0, 77, .want = "q"},
         {C, A, 123, 5000, 4, 20, 77, 1, 2, .want = "r"});
    TELL("ports not mirrored", {A, B, 5000, 123, 3, 0, 0, 0, 77, .want = "q"},
         {B, A, 123, 5001, 4, 20, 77, 1, 2, .want = "r"},
         {B, A, 124, 5000, 4, 20, 77, 1, 2, .want = "r"});
    TELL("10 s at most", {A, B, 5000, 123, 3, 0, 0, 0, 77, .want = "q"},
         {B, A, 123, 5000, 4, 10001, 77, 1, 2, .want = "r"},
         {B, A, 123, 5000, 4, 10000, 77, 1, 2, "rm", .request_ms = 0});
    TELL("not backwards", {A, B, 5000, 123, 3, 100, 0, 0, 77, .want = "q"},
         {B, A, 123, 5000, 4, 99, 77, 1, 2, .want = "r"});
    TELL("another capture", {A, B, 5000, 123, 3, 0, 0, 0, 77, .want = "q"},
         {B, A, 123, 5000, 4, 20, 77, 1, 2, "r", .origin = 1});
    TELL("another home with the same addresses", {A, B, 5000, 123, 3, 0, 0, 0, 77, .want = "q"},
         {B, A, 123, 5000, 4, 20, 77, 1, 2, "r", .site = 1},
         {B, A, 123, 5000, 4, 30, 77, 1, 2, "rm", .request_ms = 0});
    TELL("a reply is used up", {A, B, 5000, 123, 3, 0, 0, 0, 77, .want = "q"},
         {B, A, 123, 5000, 4, 20, 77, 1, 2, "rm", .request_ms = 0},
         {B, A, 123, 5000, 4, 21, 77, 1, 2, .want = "rd"});
}

static void several_requests(void **state)
{
    (void)state;
    TELL("four wait, in any order", {A, B, 5000, 123, 3, 0, 0, 0, 70, .want = "q"},
         {A, B, 5001, 123, 3, 1, 0, 0, 71, .want = "q"},
         {A, B, 5002, 123, 3, 2, 0, 0, 72, .want = "q"},
         {A, B, 5003, 123, 3, 3, 0, 0, 73, .want = "q"},
         {B, A, 123, 5003, 4, 20, 73, 1, 2, "rm", .request_ms = 3},
         {B, A, 123, 5000, 4, 21, 70, 1, 2, "rm", .request_ms = 0},
         {B, A, 123, 5002, 4, 22, 72, 1, 2, "rm", .request_ms = 2},
         {B, A, 123, 5001, 4, 23, 71, 1, 2, "rm", .request_ms = 1});
    TELL("a fifth takes the place of the first", {A, B, 5000, 123, 3, 0, 0, 0, 70, .want = "q"},
         {A, B, 5000, 123, 3, 1, 0, 0, 71, .want = "q"},
         {A, B, 5000, 123, 3, 2, 0, 0, 72, .want = "q"},
         {A, B, 5000, 123, 3, 3, 0, 0, 73, .want = "q"},
         {A, B, 5000, 123, 3, 4, 0, 0, 74, .want = "q"},
         {B, A, 123, 5000, 4, 20, 70, 1, 2, .want = "r"},
         {B, A, 123, 5000, 4, 21, 71, 1, 2, "rm", .request_ms = 1},
         {B, A, 123, 5000, 4, 22, 74, 1, 2, "rm", .request_ms = 4});
    TELL("the same request twice: the younger first",
         {A, B, 5000, 123, 3, 0, 0, 0, 70, .want = "q"},
         {A, B, 5000, 123, 3, 10, 0, 0, 70, .want = "q"},
         {B, A, 123, 5000, 4, 20, 70, 1, 2, "rm", .request_ms = 10},
         {B, A, 123, 5000, 4, 21, 70, 1, 2, "rm", .request_ms = 0},
         {B, A, 123, 5000, 4, 22, 70, 1, 2, .want = "rd"});
}

static void lengths(void **state)
{
    (void)state;
    TELL("longer than its request", {A, B, 5000, 123, 3, 0, 0, 0, 77, .want = "q"},
         {B, A, 123, 5000, 4, 20, 77, 1, 2, "rml", .request_ms = 0, .len = 52});
    TELL("shorter", {A, B, 5000, 123, 3, 0, 0, 0, 77, "q", .len = 68},
         {B, A, 123, 5000, 4, 20, 77, 1, 2, "rm", .request_ms = 0, .len = 48});
    TELL("each its own", {A, B, 5000, 123, 3, 0, 0, 0, 77, .want = "q", .len = 68},
         {A, B, 5000, 123, 3, 1, 0, 0, 78, .want = "q"},
         {A, B, 5000, 123, 3, 2, 0, 0, 79, .want = "q", .len = 56},
         {A, B, 5000, 123, 3, 3, 0, 0, 80, .want = "q"},
         {A, B, 5000, 123, 3, 4, 0, 0, 81, .want = "q"},
         {B, A, 123, 5000, 4, 20, 81, 1, 2, "rml", .request_ms = 4, .len = 52},
         {B, A, 123, 5000, 4, 20, 79, 1, 2, "rm", .request_ms = 2, .len = 56},
         {B, A, 123, 5000, 4, 20, 78, 1, 2, "rml", .request_ms = 1, .len = 56});
}

static void interleaved_mode(void **state)
{
    (void)state;
    /* RFC 9769 2: basic, then a request with org = the server's rec, answered with org = its rec.
     */
    TELL("interleaved", {A, B, 5000, 123, 3, 0, 0, 0, 70, .want = "q"},
         {B, A, 123, 5000, 4, 20, 70, 500, 501, "rm", .request_ms = 0},
         {A, B, 5000, 123, 3, 1000, 500, 900, 71, .want = "q"},
         {B, A, 123, 5000, 4, 1020, 900, 502, 503, "rm", .request_ms = 1000});
    TELL("rec alone is no key", {A, B, 5000, 123, 3, 0, 0, 0, 70, .want = "q"},
         {B, A, 123, 5000, 4, 20, 70, 500, 501, "rm", .request_ms = 0},
         {A, B, 5000, 123, 3, 1000, 499, 900, 71, .want = "q"},
         {B, A, 123, 5000, 4, 1020, 900, 502, 503, .want = "r"});
}

/* T0 + ms as NTP time. */
static uint64_t ntp_at(int64_t ms)
{
    uint64_t ns = T0 + (uint64_t)(ms * (int64_t)MS);
    return (ns / S + 2208988800) << 32 | ((ns % S) << 32) / S;
}

static void near_ms(int64_t got_ns, int64_t want_ms)
{
    int64_t off = got_ns - want_ms * (int64_t)MS;
    if (off < -2 || off > 2)
        fail_msg("%ld ns, wanted %ld ms", (long)got_ns, (long)want_ms);
}

static void offset_and_delay(void **state)
{
    (void)state;
    struct ntp_msg m;
    see(&(struct step){A, B, 5000, 123, 3, 0, 0, 0, 70, .want = ""});
    m = see(&(struct step){B, A, 123, 5000, 4, 40, 70, ntp_at(1015), ntp_at(1017), .want = ""});
    near_ms(m.offset_ns, 996); /* ((1015 - 0) + (1017 - 40)) / 2 */
    near_ms(m.delay_ns, 38);
    assert_int_equal(m.request_len, 48);

    /* Interleaved: xmt tells when the reply before was sent. */
    see(&(struct step){A, B, 5000, 123, 3, 2000, ntp_at(1015), 900, 71, .want = ""});
    m = see(&(struct step){B, A, 123, 5000, 4, 2040, 900, ntp_at(3015), ntp_at(1019), .want = ""});
    near_ms(m.delay_ns, 36); /* 40 - (1019 - 1015) */
    near_ms(m.offset_ns, 997);

    /* No times, no difference. */
    see(&(struct step){A, B, 5000, 123, 3, 5000, 0, 0, 72, .want = ""});
    m = see(&(struct step){B, A, 123, 5000, 4, 5040, 72, 0, ntp_at(0), .want = ""});
    assert_true(m.matched && m.offset_ns == 0 && m.delay_ns == 0);
}

static void extremes_do_not_overflow(void **state)
{
    (void)state;
    static const uint64_t times[] = {1, UINT64_MAX, UINT64_C(1) << 63, (UINT64_C(1) << 63) - 1};
    static const uint64_t at[] = {0, 1, UINT64_MAX - 1, UINT64_MAX / 2};
    for (int i = 0; i < 4; i++) {
        for (int j = 0; j < 64; j++) {
            struct rec q = {.ts_ns = at[i], .sport = 5000, .dport = 123};
            struct rec r = {.ts_ns = at[i] + 1, .sport = 123, .dport = 5000};
            struct ntp_msg mq = {.mode = 3, .version = 4, .whole = true, .xmt_ntp64 = 5};
            struct ntp_msg mr = {.mode = 4,
                                 .version = 4,
                                 .whole = true,
                                 .org_ntp64 = 5,
                                 .rec_ntp64 = times[j & 3],
                                 .xmt_ntp64 = times[j >> 2 & 3]};
            ntp_pairs_see(pairs, &q, NULL, &mq);
            ntp_pairs_see(pairs, &r, NULL, &mr);
            assert_true(mr.matched);
        }
    }
}

/* Differences are those of the times in the nearest era, however they are computed. */
static void any_time_gives_its_offset(void **state)
{
    (void)state;
    struct random r = {9};
    static const uint64_t starts_s[] = {0,          5,          1 << 30,    1317000000,
                                        1318000000, 1520726400, 1893456000, 2085978496,
                                        2469000000, 2470000000, 4294967296};
    enum { STARTS = sizeof starts_s / sizeof *starts_s };
    for (int i = 0; i < 40000; i++) {
        uint64_t t1_ns = starts_s[i % STARTS] * S + random_next(&r) % (3000000 * S);
        uint64_t t4_ns = t1_ns + random_next(&r) % (10 * S);
        uint64_t stamps[2], far_s = i % 3 == 0 ? UINT64_C(1) << 32 : UINT64_C(1) << i % 33;
        for (int k = 0; k < 2; k++)
            stamps[k] = ((t4_ns / S + 2208988800 + random_next(&r) % far_s - far_s / 2) << 32
                         | random_next(&r) >> 32)
                        | 1;
        struct rec ask = {.ts_ns = t1_ns, .sport = 5000, .dport = 123};
        struct rec answer = {.ts_ns = t4_ns, .sport = 123, .dport = 5000};
        struct ntp_msg q = {.mode = 3, .version = 4, .whole = true, .xmt_ntp64 = 5};
        struct ntp_msg m = {.mode = 4,
                            .version = 4,
                            .whole = true,
                            .org_ntp64 = 5,
                            .rec_ntp64 = stamps[0],
                            .xmt_ntp64 = stamps[1]};
        ntp_pairs_see(pairs, &ask, NULL, &q);
        ntp_pairs_see(pairs, &answer, NULL, &m);
        uint64_t t2_ns = ntp_to_ns(stamps[0], t1_ns), t3_ns = ntp_to_ns(stamps[1], t4_ns);
        int64_t there = (int64_t)(t2_ns - t1_ns), back = (int64_t)(t3_ns - t4_ns);
        assert_true(m.matched);
        assert_int_equal(m.offset_ns, (there + back) / 2);
        assert_int_equal(m.delay_ns, (int64_t)(t4_ns - t1_ns) - (int64_t)(t3_ns - t2_ns));
    }
}

/* Of a request's time the low bits are kept: a reply as many later as they can tell apart is not in
 * time, however well it fits. */
static void times_that_agree_in_their_low_bits(void **state)
{
    (void)state;
    struct rec q = {.ts_ns = T0, .sport = 5000, .dport = 123};
    struct rec r = {.ts_ns = T0 + (UINT64_C(1) << 34) + S, .sport = 123, .dport = 5000};
    struct ntp_msg mq = {.mode = 3, .version = 4, .whole = true, .xmt_ntp64 = 5};
    struct ntp_msg late = {.mode = 4, .version = 4, .whole = true, .org_ntp64 = 5};
    struct ntp_msg in_time = late;
    ntp_pairs_see(pairs, &q, NULL, &mq);
    ntp_pairs_see(pairs, &r, NULL, &late);
    assert_true(late.is_reply && !late.matched);
    r.ts_ns = T0 + S;
    ntp_pairs_see(pairs, &r, NULL, &in_time);
    assert_true(in_time.matched && in_time.request_ts_ns == T0);
}

static void free_fields(void **state)
{
    (void)state;
    struct rec rec = {.ts_ns = T0, .sport = 123, .dport = 5000};
    struct ntp_msg base = {.mode = 4, .version = 4, .whole = true, .stratum = 2, .refid = 1};
    struct ntp_msg m = base;
    ntp_pairs_see(pairs, &rec, NULL, &m);
    assert_int_equal(m.free_changes, 0); /* nothing to compare with */
    m = base;
    ntp_pairs_see(pairs, &rec, NULL, &m);
    assert_int_equal(m.free_changes, 0);
    m = base;
    m.refid = 2, m.root_delay_s16 = 2, m.root_dispersion_s16 = 2;
    ntp_pairs_see(pairs, &rec, NULL, &m);
    assert_int_equal(m.free_changes, 3);
    struct ntp_msg kiss = base;
    kiss.kod = true, kiss.refid = 9;
    ntp_pairs_see(pairs, &rec, NULL, &kiss);
    assert_int_equal(kiss.free_changes, 0);
    struct ntp_msg after = m;
    after.precision_log2_s = 1, after.poll_log2_s = 1, after.ref_ntp64 = 1;
    ntp_pairs_see(pairs, &rec, NULL, &after);
    assert_int_equal(after.free_changes, 3); /* against m: the kiss code between does not count */
}

static void a_kiss_code_matches_without_times(void **state)
{
    (void)state;
    struct rec q = {.ts_ns = T0, .sport = 5000, .dport = 123};
    struct rec r = {.ts_ns = T0 + S, .sport = 123, .dport = 5000};
    struct ntp_msg mq = {.mode = 3, .version = 4, .whole = true, .xmt_ntp64 = 5};
    struct ntp_msg mr = {.mode = 4,
                         .version = 4,
                         .whole = true,
                         .kod = true,
                         .org_ntp64 = 5,
                         .rec_ntp64 = 6,
                         .xmt_ntp64 = 7};
    ntp_pairs_see(pairs, &q, NULL, &mq);
    ntp_pairs_see(pairs, &r, NULL, &mr);
    assert_true(mr.matched && mr.offset_ns == 0 && mr.delay_ns == 0);
}

static void an_ended_capture_is_forgotten(void **state)
{
    (void)state;
    see(&(struct step){A, B, 5000, 123, 3, 0, 0, 0, 70, "", .origin = 7});
    see(&(struct step){A, B, 5000, 123, 3, 0, 0, 0, 71, "", .origin = 8});
    ntp_pairs_origin_end(pairs, 7);
    struct step reply = {B, A, 123, 5000, 4, 20, 70, 1, 2, "", .origin = 7};
    assert_false(see(&reply).matched);
    reply.org = 71, reply.origin = 8;
    assert_true(see(&reply).matched);
}

/* Many pairs: all found while the limit holds, none counted; past it every loss is. */
static void the_limit(void **state)
{
    (void)state;
    struct ntp_pairs *many;
    struct err e;
    enum { LIMIT = 4096, EXTRA = 100 };
    assert_true(ntp_pairs_new(&many, LIMIT, 1, &e));
    for (unsigned i = 0; i < LIMIT + EXTRA; i++) {
        struct rec rec = {.ts_ns = T0 + i, .sport = 5000, .dport = 123};
        rec.src = addr_v4((uint8_t[]){10, 0, (uint8_t)(i >> 8), (uint8_t)i});
        struct ntp_msg m = {.mode = 3, .version = 4, .whole = true, .xmt_ntp64 = i + 1};
        ntp_pairs_see(many, &rec, NULL, &m);
        assert_int_equal(ntp_pairs_turned_away(many), i < LIMIT ? 0 : i - LIMIT + 1);
    }
    unsigned matched = 0;
    for (unsigned i = LIMIT + EXTRA; i-- > 0;) {
        struct rec rec = {.ts_ns = T0 + S, .sport = 123, .dport = 5000};
        rec.dst = addr_v4((uint8_t[]){10, 0, (uint8_t)(i >> 8), (uint8_t)i});
        struct ntp_msg m = {.mode = 4, .version = 4, .whole = true, .org_ntp64 = i + 1};
        ntp_pairs_see(many, &rec, NULL, &m);
        matched += m.matched;
        if (i >= EXTRA)
            assert_true(m.matched);
    }
    assert_int_equal(matched, LIMIT);
    ntp_pairs_free(many);
    ntp_pairs_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(exchanges, fresh, over),
        cmocka_unit_test_setup_teardown(what_does_not_match, fresh, over),
        cmocka_unit_test_setup_teardown(several_requests, fresh, over),
        cmocka_unit_test_setup_teardown(lengths, fresh, over),
        cmocka_unit_test_setup_teardown(interleaved_mode, fresh, over),
        cmocka_unit_test_setup_teardown(offset_and_delay, fresh, over),
        cmocka_unit_test_setup_teardown(extremes_do_not_overflow, fresh, over),
        cmocka_unit_test_setup_teardown(any_time_gives_its_offset, fresh, over),
        cmocka_unit_test_setup_teardown(times_that_agree_in_their_low_bits, fresh, over),
        cmocka_unit_test_setup_teardown(free_fields, fresh, over),
        cmocka_unit_test_setup_teardown(a_kiss_code_matches_without_times, fresh, over),
        cmocka_unit_test_setup_teardown(an_ended_capture_is_forgotten, fresh, over),
        cmocka_unit_test(the_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
