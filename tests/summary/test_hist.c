#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "random.h"
#include "summary/window.h"

static void every_bucket_fits_its_bounds(void **state)
{
    (void)state;
    assert_int_equal(hist_bucket(0), 0);
    assert_int_equal(hist_bucket(999), 0);
    assert_int_equal(hist_bucket(-999), 0);
    assert_int_equal(hist_bucket(1000), 1);
    assert_int_equal(hist_bucket(-1000), -1);
    assert_int_equal(hist_low_us(1), 1);
    for (int b = 1; b < HIST_MAX; b++) {
        uint64_t low = hist_low_us(b), high = hist_low_us(b + 1);
        assert_true(low <= high);
        if (low == high)
            continue; /* octaves below 4 us have fewer than four whole microseconds */
        assert_int_equal(hist_bucket((int64_t)(low * 1000)), b);
        assert_int_equal(hist_bucket((int64_t)(high * 1000 - 1)), b);
        assert_int_equal(hist_bucket(-(int64_t)(low * 1000)), -b);
        assert_int_equal(hist_bucket(-(int64_t)(high * 1000 - 1)), -b);
    }
    for (int64_t us = 1; us < 70000; us++) {
        int b = hist_bucket(us * 1000 + 500);
        assert_true(hist_low_us(b) <= (uint64_t)us && (uint64_t)us < hist_low_us(b + 1));
    }
}

static void four_buckets_an_octave(void **state)
{
    (void)state;
    static const uint64_t lows[] = {1, 2, 2, 2, 2, 3, 3, 4, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20};
    for (int b = 1; b <= (int)(sizeof lows / sizeof *lows); b++)
        assert_int_equal(hist_low_us(b), lows[b - 1]);
    for (int b = 9; b <= HIST_MAX - 4; b++)
        assert_int_equal(hist_low_us(b + 4), 2 * hist_low_us(b));
}

static void far_ends(void **state)
{
    (void)state;
    assert_int_equal(hist_low_us(HIST_MAX), UINT64_C(1) << 31);
    assert_int_equal(hist_bucket((INT64_C(1) << 31) * 1000 - 1), HIST_MAX - 1);
    assert_int_equal(hist_bucket((INT64_C(1) << 31) * 1000), HIST_MAX);
    assert_int_equal(hist_bucket(INT64_MAX), HIST_MAX);
    assert_int_equal(hist_bucket(INT64_MIN), -HIST_MAX);
    assert_int_equal(hist_bucket(INT64_MIN + 1), -HIST_MAX);
}

static struct window *small_window(struct config *c)
{
    struct window *w;
    struct err e;
    *c = config_default();
    c->limits.clients = c->limits.coverage = c->limits.bindings = c->limits.peers = 2;
    c->limits.ntp = c->limits.dns = c->limits.tls = c->limits.hellos = c->limits.tallies = 2;
    c->limits.string_bytes = 65536;
    assert_true(window_new(&w, c, &e));
    return w;
}

/* However a histogram is kept, inline or in a block of either size, it counts the same. */
static void inline_and_block_agree(void **state)
{
    (void)state;
    struct config c;
    struct random r = {4};
    struct window *w = small_window(&c);
    for (int round = 0; round < 300; round++) {
        struct hist h = {0};
        uint64_t want[2 * HIST_MAX + 1] = {0};
        window_reset(w, 0, 3600);
        uint32_t spread = 1 + random_below(&r, round < 150 ? 8 : 2 * HIST_MAX + 1);
        uint32_t most = round % 3 == 0 ? 90000 : 3;
        int adds = round % 2 == 0 ? 40 : 120;
        for (int i = 0; i < adds; i++) {
            int bucket =
                (int)(random_below(&r, spread) + (unsigned)round % 3 * 60) % (2 * HIST_MAX + 1)
                - HIST_MAX;
            uint32_t count = 1 + random_below(&r, most);
            window_hist_add(w, &h, bucket, count);
            want[bucket + HIST_MAX] += count;
        }
        for (int b = -HIST_MAX; b <= HIST_MAX; b++)
            assert_int_equal(window_hist_count(w, &h, b), want[b + HIST_MAX]);
        if (spread <= HIST_INLINE && most == 3)
            assert_int_equal(h.block, 0); /* the usual case needs no block */
        struct hist_view few = window_hist_few(w, &h);
        for (unsigned i = 1; i < few.n; i++)
            assert_true(few.bucket[i - 1] < few.bucket[i]);
        assert_true((few.n > 0) != (window_hist_block(w, &h) != NULL));
    }
    assert_int_equal(window_totals(w)->ledger.blocks_turned_away, 0);
    window_free(w);
}

static void inline_edges(void **state)
{
    (void)state;
    struct config c;
    struct window *w = small_window(&c);
    struct hist h = {0};
    window_hist_add(w, &h, 5, UINT16_MAX);
    assert_int_equal(h.block, 0);
    window_hist_add(w, &h, 5, 1);
    assert_int_not_equal(h.block, 0);
    assert_int_equal(window_hist_count(w, &h, 5), 65536);
    window_hist_add(w, &h, 5, UINT32_MAX); /* sticks */
    window_hist_add(w, &h, 5, 7);
    assert_int_equal(window_hist_count(w, &h, 5), UINT32_MAX);
    struct hist full = {0};
    for (int b = 0; b < HIST_INLINE; b++)
        window_hist_add(w, &full, -b, 1);
    assert_int_equal(full.block, 0);
    window_hist_add(w, &full, 100, 1);
    assert_int_not_equal(full.block, 0);
    assert_int_equal(window_hist_count(w, &full, 1 - HIST_INLINE), 1);
    assert_int_equal(window_hist_count(w, &full, 100), 1);
    assert_int_equal(window_hist_count(w, &full, 99), 0);
    window_free(w);
}

/* From inline to the small block, and on to the large one, which leaves the small one free. */
static void blocks_of_both_sizes(void **state)
{
    (void)state;
    struct config c;
    struct window *w = small_window(&c);
    for (int round = 0; round < 9; round++) { /* as many as there are large blocks */
        struct hist h = {0};
        for (int b = 0; b <= HIST_FEW; b++) {
            bool few = b < HIST_FEW && window_hist_block(w, &h) == NULL;
            window_hist_add(w, &h, round % 2 == 0 ? b : -b, 1);
            assert_int_equal(h.n, few ? b + 1 : 0);
            assert_int_equal(h.block != 0, b >= HIST_INLINE);
            for (int k = 0; k <= b; k++)
                assert_int_equal(window_hist_count(w, &h, round % 2 == 0 ? k : -k), 1);
        }
    }
    struct hist h = {0};
    for (int b = 0; b < HIST_FEW; b++) /* a small block is left */
        window_hist_add(w, &h, b, UINT16_MAX);
    assert_int_equal(h.n, HIST_FEW);
    assert_int_equal(window_totals(w)->ledger.blocks_turned_away, 0);
    window_hist_add(w, &h, 9, 1); /* but no large one */
    assert_int_equal(window_totals(w)->ledger.blocks_turned_away, 1);
    assert_int_equal(window_hist_count(w, &h, 9), UINT16_MAX);
    window_free(w);
}

/* Out of blocks: told in the ledger, and what was counted before stays. */
static void blocks_run_out(void **state)
{
    (void)state;
    struct config c;
    struct window *w = small_window(&c);
    struct hist h[16] = {{0}};
    unsigned failed = 0;
    for (int i = 0; i < 16; i++) {
        window_hist_add(w, &h[i], 1, 3);
        window_hist_add(w, &h[i], 2, 1 << 20);
        failed += window_hist_count(w, &h[i], 2) == 0;
        assert_int_equal(window_hist_count(w, &h[i], 1), 3);
    }
    assert_int_equal(failed, 16 - 9); /* blocks for 2 ntp rows, 2 dns rows, and both `other` */
    assert_int_equal(window_totals(w)->ledger.blocks_turned_away, failed);
    window_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_bucket_fits_its_bounds),
        cmocka_unit_test(four_buckets_an_octave),
        cmocka_unit_test(far_ends),
        cmocka_unit_test(inline_and_block_agree),
        cmocka_unit_test(inline_edges),
        cmocka_unit_test(blocks_of_both_sizes),
        cmocka_unit_test(blocks_run_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
