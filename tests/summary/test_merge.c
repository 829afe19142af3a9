/* Law 3: what several windows saw, merged, is what one window saw of all; law 4: limits do not
 * change that. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "same.h"
#include "traffic.h"

enum { PARTS_MAX = 5, EVENTS = 3000 };
static const uint64_t START_S = 1500001200;

static struct config config_of(unsigned limit, enum scope scope, enum name_policy names)
{
    struct config c = config_default();
    c.scope = (uint8_t)scope;
    c.names = (uint8_t)names;
    c.limits.clients = c.limits.coverage = c.limits.bindings = c.limits.peers = limit;
    c.limits.ntp = c.limits.dns = c.limits.tls = c.limits.hellos = c.limits.tallies = limit;
    c.limits.answers = c.limits.certs = c.limits.reuse = limit;
    c.limits.string_bytes = 1 << 20;
    c.limits.windows_open = 2;
    return c;
}

static struct window *window_made(const struct config *c, uint64_t start_s, uint64_t length_s)
{
    struct window *w;
    struct err e;
    assert_true(window_new(&w, c, &e));
    window_reset(w, start_s, length_s);
    return w;
}

static void assert_same(struct window *a, struct window *b)
{
    const char *why = windows_differ(a, b);
    if (why != NULL)
        fail_msg("%s", why);
}

/* Every row is found again under the hash of its content, and stands in strict order. */
static void assert_rows_found(struct window *w)
{
    for (int kind = 0; kind < ROW_KIND_N; kind++) {
        size_t n;
        void *const *rows = window_rows(w, (enum row_kind)kind, &n);
        for (size_t i = 0; i < n; i++)
            assert_ptr_equal(window_row(w, (enum row_kind)kind, rows[i]), rows[i]);
    }
}

static void merge_once(const struct config *c, uint64_t seed, struct window *parts[],
                       struct window *whole, struct window *merged)
{
    struct random r = {seed * 77 + 5};
    struct event *events = events_new(seed, EVENTS, START_S * 1000000000, 3600000000000);
    assert_non_null(events);
    unsigned n = 2 + random_below(&r, PARTS_MAX - 1), part_of[PAIRS], order[PARTS_MAX];
    for (unsigned i = 0; i < PAIRS; i++)
        part_of[i] = random_below(&r, n);
    for (unsigned i = 0; i < n; i++) {
        order[i] = i;
        window_reset(parts[i], START_S, 3600);
    }
    window_reset(whole, START_S, 3600);
    window_reset(merged, START_S, 3600);
    for (unsigned i = 0; i < EVENTS; i++) {
        event_fold(whole, &events[i]);
        event_fold(parts[part_of[events[i].pair]], &events[i]);
    }
    window_lost(whole, VANTAGE_LAN, 12);
    window_lost(parts[0], VANTAGE_LAN, 5);
    window_lost(parts[1], VANTAGE_LAN, 7);
    for (unsigned i = n; i > 1; i--) {
        unsigned k = random_below(&r, i), swap = order[k];
        order[k] = order[i - 1];
        order[i - 1] = swap;
    }
    unsigned half =
        n / 2; /* (a + b) + (c + d): the second half is first merged into its own first */
    for (unsigned i = half + 1; i < n; i++)
        window_merge(parts[order[half]], parts[order[i]]);
    for (unsigned i = 0; i <= half; i++)
        window_merge(merged, parts[order[i]]);
    assert_same(whole, merged);
    assert_rows_found(whole);
    assert_rows_found(merged);
    assert_int_equal(window_totals(whole)->packets.read, EVENTS);
    assert_int_equal(window_totals(whole)->ledger.strings_turned_away, 0);
    assert_int_equal(window_totals(whole)->ledger.blocks_turned_away, 0);
    (void)c;
    free(events);
}

static void parts_merge(void **state)
{
    (void)state;
    static const unsigned limits[] = {20000, 40, 5, 1};
    for (unsigned l = 0; l < 4; l++)
        for (int scope = SCOPE_GATEWAYS; scope <= SCOPE_ALL; scope++)
            for (int names = NAMES_KEEP; names <= NAMES_DROP; names++) {
                struct config c = config_of(limits[l], (enum scope)scope, (enum name_policy)names);
                struct window *w[PARTS_MAX + 2];
                for (unsigned i = 0; i < PARTS_MAX + 2; i++)
                    w[i] = window_made(&c, START_S, 3600);
                for (uint64_t seed = 1; seed <= 3; seed++)
                    merge_once(&c, seed + l * 10, w, w[PARTS_MAX], w[PARTS_MAX + 1]);
                for (unsigned i = 0; i < PARTS_MAX + 2; i++)
                    window_free(w[i]);
            }
}

/* Adds what window_rows shows of `from` and no more: what a segment would carry. */
static void add_as_written(struct window *into, struct window *from)
{
    for (int kind = 0; kind < ROW_KIND_N; kind++) {
        const struct row_type *type = &row_types[kind];
        size_t n;
        void *const *rows = window_rows(from, (enum row_kind)kind, &n);
        for (size_t i = 0; i < n; i++) {
            uint64_t key[64];
            memcpy(key, rows[i], (size_t)type->key_at + type->key_len);
            for (const struct field *f = type->keys; f->type != F_END; f++) {
                uint32_t id;
                if (f->type != F_STR)
                    continue;
                memcpy(&id, (const uint8_t *)key + f->at, sizeof id);
                struct bytes text = window_string(from, id);
                id = window_intern(into, text.p, text.len);
                memcpy((uint8_t *)key + f->at, &id, sizeof id);
            }
            window_row_add(into, (enum row_kind)kind, window_row(into, (enum row_kind)kind, key),
                           from, rows[i]);
        }
        if (window_other(from, (enum row_kind)kind) != NULL)
            window_row_add(into, (enum row_kind)kind, window_other_make(into, (enum row_kind)kind),
                           from, window_other(from, (enum row_kind)kind));
    }
}

static void rows_are_enough(void **state)
{
    (void)state;
    static const unsigned limits[] = {20000, 40, 5};
    for (unsigned l = 0; l < 3; l++) {
        struct config c = config_of(limits[l], SCOPE_ALL, NAMES_KEEP);
        struct window *whole = window_made(&c, START_S, 3600), *part[2], *back;
        struct event *events = events_new(123, EVENTS, START_S * 1000000000, 3600000000000);
        assert_non_null(events);
        for (unsigned i = 0; i < 2; i++)
            part[i] = window_made(&c, START_S, 3600);
        back = window_made(&c, START_S, 3600);
        for (unsigned i = 0; i < EVENTS; i++) {
            event_fold(whole, &events[i]);
            event_fold(part[events[i].pair & 1], &events[i]);
        }
        for (unsigned i = 0; i < 2; i++)
            add_as_written(back, part[i]);
        for (int kind = 0; kind < ROW_KIND_N; kind++)
            if (!same_kind(whole, back, (enum row_kind)kind))
                fail_msg("limit %u: %s", limits[l], same_why);
        free(events);
        window_free(part[0]);
        window_free(part[1]);
        window_free(whole);
        window_free(back);
    }
}

/* Folds event `i` into two windows that must come out the same. */
typedef void fold_both(struct window *a, struct window *b, const struct event *events, unsigned i);

static void come_out_the_same(unsigned limit, uint64_t seed, fold_both *fold)
{
    struct config c = config_of(limit, SCOPE_ALL, NAMES_KEEP);
    struct window *a = window_made(&c, START_S, 3600), *b = window_made(&c, START_S, 3600);
    struct event *events = events_new(seed, EVENTS, START_S * 1000000000, 3600000000000);
    assert_non_null(events);
    for (unsigned i = 0; i < EVENTS; i++)
        fold(a, b, events, i);
    assert_same(a, b);
    free(events);
    window_free(a);
    window_free(b);
}

static void forth_and_back(struct window *a, struct window *b, const struct event *events,
                           unsigned i)
{
    event_fold(a, &events[i]);
    event_fold(b, &events[EVENTS - 1 - i]);
}

static void read_in_between(struct window *a, struct window *b, const struct event *events,
                            unsigned i)
{
    size_t n;
    event_fold(a, &events[i]);
    event_fold(b, &events[i]);
    if (i % 7 == 6)
        (void)window_rows(b, ROW_PEER, &n);
}

static void order_is_nothing(void **state)
{
    (void)state;
    come_out_the_same(20000, 99, forth_and_back);
    come_out_the_same(5, 99, forth_and_back);
}

/* Rows may be asked for at any time, and more may be counted then. */
static void reading_is_nothing(void **state)
{
    (void)state;
    come_out_the_same(20000, 7, read_in_between);
    come_out_the_same(40, 7, read_in_between);
    come_out_the_same(5, 7, read_in_between);
}

static void empty_is_zero(void **state)
{
    (void)state;
    struct config c = config_of(20000, SCOPE_ALL, NAMES_KEEP);
    struct window *a = window_made(&c, START_S, 3600), *zero = window_made(&c, START_S, 3600);
    struct window *b = window_made(&c, START_S, 3600);
    struct event *events = events_new(3, EVENTS, START_S * 1000000000, 3600000000000);
    assert_non_null(events);
    for (unsigned i = 0; i < EVENTS; i++)
        event_fold(a, &events[i]);
    assert_true(window_empty(zero));
    window_merge(b, zero);
    assert_true(window_empty(b));
    window_totals(b)->ledger.holes = 3; /* told where no packet is */
    assert_false(window_empty(b));
    window_reset(b, START_S, 3600);
    assert_true(window_empty(b));
    window_merge(b, a);
    window_merge(b, zero);
    assert_false(window_empty(b));
    assert_same(a, b);
    window_reset(a, START_S, 3600); /* a window used again remembers nothing */
    assert_true(window_empty(a));
    assert_same(a, zero);
    for (unsigned i = 0; i < EVENTS; i++)
        event_fold(a, &events[i]);
    assert_same(a, b);
    free(events);
    window_free(a);
    window_free(b);
    window_free(zero);
}

/* Four windows of 15 minutes in one hour: sums, and slots that coarsen from 15 s to 60 s. */
static void windows_roll_up(void **state)
{
    (void)state;
    struct config c = config_of(20000, SCOPE_ALL, NAMES_KEEP);
    struct window *hour = window_made(&c, START_S, 3600), *up = window_made(&c, START_S, 3600);
    for (unsigned quarter = 0; quarter < 4; quarter++) {
        uint64_t start_s = START_S + 900 * quarter;
        struct window *w = window_made(&c, start_s, 900);
        struct event *events = events_new(40 + quarter, 700, start_s * 1000000000, 900000000000);
        assert_non_null(events);
        for (unsigned i = 0; i < 700; i++) {
            struct event *e = &events[i];
            e->rec.flags &= (uint16_t)~REC_HAS_MAC; /* a MAC's times are those of its slot */
            event_fold(hour, e);
            event_fold(w, e);
        }
        window_merge(up, w);
        window_free(w);
        free(events);
    }
    assert_same(hour, up);
    window_free(hour);
    window_free(up);
}

/* Slots of a finer window may straddle coarser ones: all that they touch are set. */
static void slots_straddle(void **state)
{
    (void)state;
    struct config c = config_of(20, SCOPE_ALL, NAMES_KEEP);
    struct window *fine = window_made(&c, 0, 90), *coarse = window_made(&c, 0, 180);
    struct row_coverage key = {.key.client = device_client(1)};
    struct row_coverage *row = window_row(fine, ROW_COVERAGE, &key);
    row->slots_out = UINT64_C(1) << 1 | UINT64_C(1) << 44; /* seconds 2-3 and 88-89 */
    window_merge(coarse, fine);
    size_t n;
    const struct row_coverage *got = *window_rows(coarse, ROW_COVERAGE, &n);
    assert_int_equal(n, 1);
    assert_int_equal(got->slots_out, 1 | UINT64_C(1) << 1 | UINT64_C(1) << 29);
    window_free(fine);
    window_free(coarse);
}

/* Segments may say anything: sums stop at 2^63 - 1, whatever the order. */
static void sums_stop(void **state)
{
    (void)state;
    struct config c = config_of(20, SCOPE_ALL, NAMES_KEEP);
    struct window *sum = window_made(&c, START_S, 3600);
    for (unsigned i = 0; i < 3; i++) {
        struct window *w = window_made(&c, START_S, 3600);
        struct row_client key = {.key.client = device_client(1)};
        struct row_client *row = window_row(w, ROW_CLIENT, &key);
        row->bytes_out = INT64_MAX - i;
        window_totals(w)->packets.bytes_wire = INT64_MAX - i;
        window_totals(w)->packets.outcome[OUT_OK] = INT64_MAX - i;
        window_merge(sum, w);
        window_free(w);
    }
    size_t n;
    const struct row_client *got = *window_rows(sum, ROW_CLIENT, &n);
    assert_true(got->bytes_out == INT64_MAX);
    assert_true(window_totals(sum)->packets.bytes_wire == INT64_MAX);
    assert_true(window_totals(sum)->packets.outcome[OUT_OK] == INT64_MAX);
    window_free(sum);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_merge),     cmocka_unit_test(order_is_nothing),
        cmocka_unit_test(empty_is_zero),   cmocka_unit_test(reading_is_nothing),
        cmocka_unit_test(windows_roll_up), cmocka_unit_test(slots_straddle),
        cmocka_unit_test(rows_are_enough), cmocka_unit_test(sums_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
