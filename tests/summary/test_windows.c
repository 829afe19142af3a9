#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "same.h"
#include "traffic.h"

enum { WINDOW_S = 60, WINDOWS = 12, EVENTS = 4000 };
static const uint64_t START_S = 1500001200;

static struct config config_of(unsigned limit, unsigned open)
{
    struct config c = config_default();
    c.scope = SCOPE_ALL;
    c.window_s = WINDOW_S;
    c.limits.clients = c.limits.coverage = c.limits.bindings = c.limits.peers = limit;
    c.limits.ntp = c.limits.dns = c.limits.tls = c.limits.hellos = c.limits.tallies = limit;
    c.limits.answers = c.limits.certs = c.limits.reuse = limit;
    c.limits.string_bytes = 1 << 20;
    c.limits.windows_open = open;
    return c;
}

/* Where windows go that leave: merged by their time. */
struct shelf {
    const struct config *config;
    struct window *w[WINDOWS];
    unsigned leaves;
    unsigned fail_at; /* 0: never */
};

static struct window *shelf_take(void *ctx, struct window *w, struct err *e)
{
    struct shelf *s = ctx;
    uint64_t i = (window_start_s(w) - START_S) / WINDOW_S;
    assert_true(i < WINDOWS);
    assert_false(window_empty(w));
    if (++s->leaves == s->fail_at) {
        err_set(e, "disk full");
        return NULL;
    }
    if (s->w[i] == NULL) {
        assert_true(window_new(&s->w[i], s->config, e));
        window_reset(s->w[i], window_start_s(w), WINDOW_S);
    }
    window_merge(s->w[i], w);
    return w;
}

static void shelf_free(struct shelf *s)
{
    for (unsigned i = 0; i < WINDOWS; i++)
        window_free(s->w[i]);
}

static struct windows *windows_made(struct shelf *s, const struct config *c)
{
    struct windows *ws;
    struct err e;
    *s = (struct shelf){.config = c};
    assert_true(windows_new(&ws, c, (struct windows_spill){shelf_take, s}, &e));
    return ws;
}

/* Parts of a message that belong to windows before its own. */
static void spread(struct event *e)
{
    for (unsigned k = 0; k < e->n; k++) {
        struct msg *m = &e->m[k];
        uint64_t early = m->ts_ns - START_S * 1000000000;
        early = early < 9000000000 ? early : 9000000000;
        if (m->kind == MSG_NTP)
            m->ntp.request_ts_ns -= early;
        else if (m->kind == MSG_DNS)
            m->dns.query_ts_ns = m->ts_ns - early;
        else if (m->kind == MSG_TLS_SESSION)
            m->session.first_ts_ns -= early;
    }
}

/* In bursts of up to `most`. */
static void feed(struct windows *ws, const struct event *events, unsigned n, unsigned most)
{
    static struct rec recs[BURST_MAX];
    for (unsigned at = 0, burst; at < n; at += burst) {
        burst = 1 + (at * 7) % most;
        burst = burst < n - at ? burst : n - at;
        for (unsigned i = 0; i < burst; i++)
            recs[i] = events[at + i].rec;
        windows_packets(ws, recs, burst, origin_vantages);
        for (unsigned i = 0; i < burst; i++)
            windows_messages(ws, events[at + i].m, events[at + i].n, origin_vantages);
    }
}

static void shelve_open(struct windows *ws, struct shelf *s)
{
    unsigned n;
    struct err e;
    struct window *const *open = windows_open(ws, &n);
    for (unsigned i = 0; i < n; i++) {
        assert_true(i == 0 || window_start_s(open[i - 1]) < window_start_s(open[i]));
        assert_true(shelf_take(s, open[i], &e));
    }
}

/* Rows that leave a full table for others of the same burst are known no more. */
static void burst_is_its_packets(void **state)
{
    (void)state;
    static const unsigned limits[] = {6, 40, 200, 20000};
    for (unsigned l = 0; l < sizeof limits / sizeof *limits; l++) {
        struct config c = config_of(limits[l], 1);
        struct event *events =
            events_new(90 + l, EVENTS, START_S * 1000000000, UINT64_C(1000000000) * WINDOW_S);
        assert_non_null(events);
        struct shelf bursts, packets;
        struct windows *ws = windows_made(&bursts, &c), *single = windows_made(&packets, &c);
        feed(ws, events, EVENTS, BURST_MAX);
        feed(single, events, EVENTS, 1);
        shelve_open(ws, &bursts);
        shelve_open(single, &packets);
        const char *why = windows_differ(packets.w[0], bursts.w[0]);
        if (why != NULL)
            fail_msg("limit %u: %s", limits[l], why);
        windows_free(ws);
        windows_free(single);
        shelf_free(&bursts);
        shelf_free(&packets);
        free(events);
    }
}

static void spilled_is_whole(void **state)
{
    (void)state;
    static const unsigned limits[] = {20000, 6};
    for (unsigned l = 0; l < 2; l++)
        for (unsigned open = 1; open <= 3; open++) {
            struct config c = config_of(limits[l], open), roomy = config_of(limits[l], WINDOWS);
            struct event *events = events_new(70 + open, EVENTS, START_S * 1000000000,
                                              UINT64_C(1000000000) * WINDOW_S * WINDOWS);
            assert_non_null(events);
            for (unsigned i = 0; i < EVENTS; i++)
                spread(&events[i]);
            struct shelf few, all;
            struct windows *ws = windows_made(&few, &c), *reference = windows_made(&all, &roomy);
            feed(ws, events, EVENTS, BURST_MAX);
            feed(reference, events, EVENTS, BURST_MAX);
            assert_true(few.leaves > EVENTS / 4); /* windows came back again and again */
            assert_int_equal(all.leaves, 0);
            shelve_open(ws, &few);
            shelve_open(reference, &all);
            uint64_t read = 0;
            for (unsigned i = 0; i < WINDOWS; i++) {
                assert_non_null(few.w[i]);
                /* what is forgotten of rows that are made again is counted again */
                uint64_t *forgotten = &window_totals(few.w[i])->ledger.offers_turned_away;
                assert_true(*forgotten >= window_totals(all.w[i])->ledger.offers_turned_away);
                assert_true(l > 0 || *forgotten == 0);
                *forgotten = window_totals(all.w[i])->ledger.offers_turned_away;
                const char *why = windows_differ(all.w[i], few.w[i]);
                if (why != NULL)
                    fail_msg("window %u: %s", i, why);
                read += window_totals(few.w[i])->packets.read;
            }
            assert_int_equal(read, EVENTS);
            struct err e;
            assert_false(windows_failed(ws, &e));
            windows_free(ws);
            windows_free(reference);
            shelf_free(&few);
            shelf_free(&all);
            free(events);
        }
}

static void oldest_use_leaves(void **state)
{
    (void)state;
    struct config c = config_of(10, 3);
    struct shelf s;
    struct windows *ws = windows_made(&s, &c);
    static const int visits[] = {0, 1, 2, 0, 3, /* 1 leaves */ 0, 1 /* 2 leaves */, 0, 3};
    struct rec rec = {.outcome = OUT_OK};
    for (unsigned i = 0; i < sizeof visits / sizeof *visits; i++) {
        rec.ts_ns = (START_S + WINDOW_S * (uint64_t)visits[i]) * 1000000000;
        windows_packets(ws, &rec, 1, origin_vantages);
    }
    assert_int_equal(s.leaves, 2);
    assert_non_null(s.w[1]);
    assert_non_null(s.w[2]);
    unsigned n;
    struct window *const *open = windows_open(ws, &n);
    assert_int_equal(n, 3);
    assert_int_equal(window_start_s(open[0]), START_S);
    assert_int_equal(window_start_s(open[1]), START_S + WINDOW_S);
    assert_int_equal(window_start_s(open[2]), START_S + 3 * WINDOW_S);
    windows_free(ws);
    shelf_free(&s);
}

/* The last nanosecond of a window is its own; the next is another's. */
static void windows_at_edges(void **state)
{
    (void)state;
    struct config c = config_of(10, 4);
    struct shelf s;
    struct windows *ws = windows_made(&s, &c);
    uint64_t start_ns = START_S * 1000000000, length_ns = UINT64_C(1000000000) * WINDOW_S;
    struct window *a = windows_at(ws, start_ns);
    assert_int_equal(window_start_s(a), START_S);
    assert_int_equal(window_length_s(a), WINDOW_S);
    assert_ptr_equal(windows_at(ws, start_ns + length_ns - 1), a);
    assert_ptr_not_equal(windows_at(ws, start_ns + length_ns), a);
    assert_ptr_equal(windows_at(ws, start_ns), a);
    assert_int_equal(window_start_s(windows_at(ws, start_ns - 1)), START_S - WINDOW_S);
    assert_int_equal(window_start_s(windows_at(ws, UINT64_MAX)),
                     UINT64_MAX / 1000000000 / WINDOW_S * WINDOW_S);
    assert_int_equal(window_start_s(windows_at(ws, 0)), 0);
    unsigned n;
    windows_open(ws, &n);
    assert_int_equal(n, 0); /* nothing was counted */
    windows_free(ws);
    shelf_free(&s);
}

static void too_many_windows(void **state)
{
    (void)state;
    struct config c = config_of(10, 2);
    c.limits.windows_max = 5;
    struct shelf s;
    struct windows *ws = windows_made(&s, &c);
    unsigned out = 0;
    for (int round = 0; round < 2; round++)
        for (unsigned i = 0; i < 10; i++) {
            struct rec rec = {.outcome = OUT_OK,
                              .wire_len = 10,
                              .cap_len = 7,
                              .link = 1,
                              .ts_ns = (START_S + WINDOW_S * (uint64_t)i) * 1000000000};
            windows_packets(ws, &rec, 1, origin_vantages);
            assert_int_equal(rec.outcome, i < 5 ? OUT_OK : OUT_OUT_OF_TIME);
            out += rec.outcome == OUT_OUT_OF_TIME;
            struct msg m = {.kind = MSG_TLS_ALERT, .ts_ns = rec.ts_ns, .rec = &rec};
            windows_messages(ws, &m, 1, origin_vantages);
        }
    shelve_open(ws, &s);
    uint64_t read = 0, refused = 0, bytes = 0, rows = 0, alerts = 0;
    for (unsigned i = 0; i < WINDOWS; i++) {
        if (s.w[i] == NULL)
            continue;
        const struct totals *t = window_totals(s.w[i]);
        rows++;
        read += t->packets.read;
        bytes += t->packets.bytes_captured;
        refused += t->packets.outcome[OUT_OUT_OF_TIME];
        size_t n;
        void *const *tally = window_rows(s.w[i], ROW_TALLY, &n);
        alerts += n > 0 ? ((const struct row_tally *)tally[0])->count : 0;
    }
    assert_int_equal(rows, 5);
    assert_int_equal(read, 20); /* conservation: what found no window is read all the same */
    assert_int_equal(bytes, 140);
    assert_int_equal(refused, out);
    assert_int_equal(out, 10);
    assert_int_equal(alerts, 10);
    struct err e;
    assert_false(windows_failed(ws, &e));
    windows_free(ws);
    shelf_free(&s);
}

static void spill_that_fails(void **state)
{
    (void)state;
    struct config c = config_of(10, 1);
    struct shelf s;
    struct windows *ws = windows_made(&s, &c);
    s.fail_at = 3;
    struct err e = {{0}};
    for (unsigned i = 0; i < 8; i++) {
        struct rec rec = {.ts_ns = (START_S + WINDOW_S * (uint64_t)i) * 1000000000};
        assert_true(windows_failed(ws, &e) == (i > 3));
        windows_packets(ws, &rec, 1, origin_vantages);
    }
    assert_string_equal(e.text, "disk full");
    assert_int_equal(s.leaves, 3); /* it takes no more */
    windows_free(ws);
    windows_free(NULL);
    shelf_free(&s);
}

/* Live: a window leaves for an empty one, if there is one just now. */
struct exchange {
    const struct config *config;
    unsigned empties, n;
    uint64_t start_s[8], read[8];
};

static struct window *exchange(void *ctx, struct window *w, struct err *e)
{
    struct exchange *x = ctx;
    if (x->empties == 0)
        return NULL;
    x->empties--;
    x->start_s[x->n] = window_start_s(w);
    x->read[x->n++] = window_totals(w)->packets.read;
    struct window *empty;
    assert_true(window_new(&empty, x->config, e));
    window_free(w);
    return empty;
}

static void packet_at(struct windows *ws, uint64_t ns)
{
    struct rec rec = {.ts_ns = ns, .wire_len = 3, .cap_len = 2};
    windows_packets(ws, &rec, 1, origin_vantages);
}

static void live_windows_close(void **state)
{
    (void)state;
    struct config c = config_of(10, 2);
    c.limits.windows_max = 1; /* counts for nothing here */
    struct exchange x = {.config = &c};
    struct windows *ws;
    struct err e = {""};
    const uint64_t second = 1000000000, length = WINDOW_S * second, start = START_S * second;
    assert_true(windows_new(&ws, &c, (struct windows_spill){exchange, &x}, &e));
    assert_true(windows_prepare(ws, &e));
    packet_at(ws, start);
    packet_at(ws, start + length);
    assert_true(windows_close(ws, start)); /* none ends by then */
    assert_false(windows_close(ws, start + length));
    assert_false(windows_failed(ws, &e)); /* not now is no failure */
    packet_at(ws, start + 1);             /* too late: counts for the window after */
    packet_at(ws, start + 2 * length);    /* no place, and no empty window for one that is there */
    x.empties = 4;
    assert_true(windows_close(ws, start + length));
    assert_int_equal(x.n, 1);
    assert_true(x.start_s[0] == START_S && x.read[0] == 1);
    assert_true(windows_close(ws, start + length)); /* once */
    assert_int_equal(x.n, 1);
    assert_true(windows_flush(ws));
    assert_int_equal(x.n, 2);
    assert_true(x.start_s[1] == START_S + WINDOW_S);
    assert_int_equal(x.read[1], 3); /* its own, the late one, and the one that found no place */
    packet_at(ws, start + length);  /* flushed, not closed: it opens again */
    assert_true(windows_close(ws, start + 2 * length));
    assert_int_equal(x.n, 3);
    assert_true(x.start_s[2] == START_S + WINDOW_S && x.read[2] == 1);
    unsigned n;
    (void)windows_open(ws, &n);
    assert_int_equal(n, 0);
    windows_free(ws);
}

/* Two workers' windows are one's. */
static void absorbed(void **state)
{
    (void)state;
    struct config c = config_of(10, 2), more = config_of(10, 4);
    struct shelf s[2];
    struct windows *ws = windows_made(&s[0], &more), *from = windows_made(&s[1], &c);
    const uint64_t start = START_S * UINT64_C(1000000000);
    struct cert_notes *notes;
    struct err e;
    assert_true(cert_notes_new(&notes, &c, NULL, &e));
    packet_at(ws, start);
    packet_at(from, start + 1);
    packet_at(from, start + WINDOW_S * UINT64_C(1000000000));
    windows_at(from, start + 2 * WINDOW_S * UINT64_C(1000000000)); /* the first one leaves */
    windows_absorb(ws, from, notes);
    assert_int_equal(s[1].leaves, 1);
    assert_int_equal(window_totals(windows_at(ws, start))->packets.read, 1);
    assert_int_equal(
        window_totals(windows_at(ws, start + WINDOW_S * UINT64_C(1000000000)))->packets.read, 1);
    unsigned n;
    (void)windows_open(from, &n);
    assert_int_equal(n, 0);
    cert_notes_free(notes);
    for (unsigned i = 0; i < 2; i++)
        shelf_free(&s[i]);
    windows_free(from);
    windows_free(ws);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(burst_is_its_packets), cmocka_unit_test(spilled_is_whole),
        cmocka_unit_test(oldest_use_leaves),    cmocka_unit_test(windows_at_edges),
        cmocka_unit_test(too_many_windows),     cmocka_unit_test(spill_that_fails),
        cmocka_unit_test(live_windows_close),   cmocka_unit_test(absorbed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
