#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "random.h"
#include "same.h"
#include "summary/tables.h"

static struct window *w;
static struct config c;

static int setup(void **state)
{
    struct err e;
    (void)state;
    c = config_default();
    c.limits.ntp = 40;
    return window_new(&w, &c, &e) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    window_free(w);
    return 0;
}

static void row_free(const struct set8 *s)
{
    pool_give(&w->sets, s->block);
}

/* Which comes first, as the set itself has it: its hash is its own affair. */
static int by_hash(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    struct set8 s = {0}, t = {0};
    if (x == y)
        return 0;
    window_set8_add(w, &s, x, 1), window_set8_add(w, &s, y, 1);
    window_set8_add(w, &t, y, 1), window_set8_add(w, &t, x, 1);
    assert_true(same_set8(w, &s, w, &t));
    bool first = s.value[0] == x;
    row_free(&s), row_free(&t);
    return first ? -1 : 1;
}

/* Up to 40 values in random order against a plain array. */
static void smallest_hashes_stay(void **state)
{
    (void)state;
    enum { MOST = 40 };
    struct random r = {11};
    for (int round = 0; round < 400; round++) {
        struct set8 s = {0};
        uint32_t values[MOST], counts[MOST] = {0}, n = 1 + random_below(&r, MOST), other = 0;
        for (uint32_t i = 0; i < n; i++)
            values[i] = i * 17 + (i % 3 == 0 ? 0x52415445 : 0);
        qsort(values, n, sizeof *values, by_hash);
        for (int i = 0; i < 200; i++) {
            uint32_t k = random_below(&r, n), count = 1 + random_below(&r, 5);
            window_set8_add(w, &s, values[k], count);
            counts[k] += count;
        }
        uint32_t seen = 0;
        for (uint32_t i = 0; i < n; i++) {
            if (counts[i] == 0)
                continue;
            if (seen < SET8_MAX) {
                assert_int_equal(window_set8(w, &s).value[seen], values[i]);
                assert_int_equal(window_set8(w, &s).count[seen], counts[i]);
                seen++;
            } else {
                other += counts[i];
            }
        }
        assert_int_equal(s.n, seen);
        assert_int_equal(s.other, other);
        row_free(&s);
    }
}

static void counts_stick(void **state)
{
    (void)state;
    struct set8 s = {0};
    window_set8_add(w, &s, 0, UINT32_MAX - 1);
    window_set8_add(w, &s, 0, 5);
    assert_int_equal(s.n, 1);
    assert_int_equal(s.count[0], UINT32_MAX);
    for (uint32_t v = 1; v < 20; v++)
        window_set8_add(w, &s, v, UINT32_MAX - 1);
    assert_int_equal(s.n, SET8_MAX);
    assert_int_equal(s.other, UINT32_MAX);
}

/* Merged through rows, in either order and with either grouping. */
static void merge_is_exact(void **state)
{
    (void)state;
    struct random r = {12};
    static struct row_ntp zero, part[3], whole, left, right, tail;
    for (int round = 0; round < 200; round++) {
        for (int i = 0; i < 3; i++)
            part[i] = zero;
        whole = left = right = tail = zero;
        for (int i = 0; i < 60; i++) {
            uint32_t v = random_below(&r, 3 + (uint32_t)round % 30), n = random_below(&r, 9);
            window_set8_add(w, &part[random_below(&r, 3)].refids, v, n);
            window_set8_add(w, &whole.refids, v, n);
        }
        for (int i = 0; i < 3; i++)
            window_row_add(w, ROW_NTP, &left, w, &part[i]);
        window_row_add(w, ROW_NTP, &tail, w, &part[2]);
        window_row_add(w, ROW_NTP, &tail, w, &part[1]);
        window_row_add(w, ROW_NTP, &right, w, &tail);
        window_row_add(w, ROW_NTP, &right, w, &part[0]);
        assert_true(same_set8(w, &whole.refids, w, &left.refids));
        assert_true(same_set8(w, &whole.refids, w, &right.refids));
        for (int i = 0; i < 3; i++)
            row_free(&part[i].refids);
        row_free(&whole.refids), row_free(&left.refids), row_free(&right.refids),
            row_free(&tail.refids);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(smallest_hashes_stay),
        cmocka_unit_test(counts_stick),
        cmocka_unit_test(merge_is_exact),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
