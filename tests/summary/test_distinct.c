#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/hash.h"
#include "summary/distinct.h"

static const struct distinct_shape *const shapes[] = {&distinct_small, &distinct_large};

static struct distinct_block *block_new(const struct distinct_shape *s)
{
    struct distinct_block *b = calloc(1, distinct_block_size(s)); /* exact size: ASan sees more */
    assert_non_null(b);
    return b;
}

static void add_range(const struct distinct_shape *s, struct distinct_block *b, uint64_t from,
                      uint64_t to, uint64_t seed)
{
    for (uint64_t i = from; i < to; i++)
        distinct_add(s, b, hash_bytes(&i, sizeof i, seed));
}

static bool same(const struct distinct_shape *s, const struct distinct_block *a,
                 const struct distinct_block *b)
{
    size_t size = a->n == UINT32_MAX ? (size_t)1 << s->p : a->n * sizeof *a->hash;
    return a->n == b->n && memcmp(a->hash, b->hash, size) == 0;
}

static void few_are_exact(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        const struct distinct_shape *s = shapes[i];
        struct distinct_block *b = block_new(s);
        assert_int_equal(distinct_count(s, b), 0);
        for (uint64_t n = 1; n <= s->exact_max; n++) {
            add_range(s, b, 0, n, 3);
            assert_int_equal(distinct_count(s, b), n);
        }
        add_range(s, b, 0, s->exact_max, 3);
        assert_int_equal(distinct_count(s, b), s->exact_max);
        add_range(s, b, 0, s->exact_max + 1, 3);
        uint64_t got = distinct_count(s, b);
        assert_true(fabs((double)got - s->exact_max - 1) <= s->exact_max * 0.2 + 1);
        free(b);
    }
}

/* Root mean square error over many seeds, against 1.04 / sqrt(2^p): theory's error of HyperLogLog,
 * with a margin for so few runs. */
static void error_is_bounded(void **state)
{
    (void)state;
    static const uint64_t sizes[] = {30, 200, 700, 1100, 3000, 20000, 100000, 1000000};
    for (int k = 0; k < 2; k++)
        for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            const struct distinct_shape *s = shapes[k];
            double square = 0, sum = 0, theory = 1.04 / sqrt((double)(1u << s->p));
            unsigned runs = sizes[i] >= 100000 ? 3 : 20;
            for (unsigned seed = 0; seed < runs; seed++) {
                struct distinct_block *b = block_new(s);
                add_range(s, b, 0, sizes[i], seed + 100);
                double wrong = (double)distinct_count(s, b) / (double)sizes[i] - 1;
                square += wrong * wrong;
                sum += wrong;
                assert_true(fabs(wrong) < 4 * theory);
                free(b);
            }
            assert_true(sqrt(square / runs) < 1.7 * theory);
            assert_true(fabs(sum / runs) < 2.6 * theory / sqrt(runs));
        }
}

static void merge_is_union(void **state)
{
    (void)state;
    /* a: [from[0], to[0]), b: [from[1], to[1]) */
    static const struct {
        uint64_t from[2], to[2];
    } rows[] = {
        {{0, 0}, {0, 0}},         {{0, 0}, {10, 0}},      {{0, 5}, {10, 20}},
        {{0, 5}, {24, 25}},       {{0, 12}, {24, 24}},    {{0, 0}, {300, 10}},
        {{0, 100}, {1024, 1024}}, {{0, 1}, {1024, 1025}}, {{0, 3000}, {4000, 9000}},
        {{0, 500}, {5000, 900}},
    };
    for (int k = 0; k < 2; k++)
        for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
            const struct distinct_shape *s = shapes[k];
            struct distinct_block *a = block_new(s), *b = block_new(s), *ab = block_new(s);
            struct distinct_block *ba = block_new(s), *both = block_new(s);
            add_range(s, a, rows[i].from[0], rows[i].to[0], 0);
            add_range(s, b, rows[i].from[1], rows[i].to[1], 0);
            add_range(s, both, rows[i].from[1], rows[i].to[1], 0);
            add_range(s, both, rows[i].from[0], rows[i].to[0], 0);
            distinct_merge(s, ab, a), distinct_merge(s, ab, b);
            distinct_merge(s, ba, b), distinct_merge(s, ba, a);
            assert_true(same(s, ab, both));
            assert_true(same(s, ba, both));
            distinct_merge(s, ab, b), distinct_merge(s, ab, both);
            assert_true(same(s, ab, both));
            free(a), free(b), free(ab), free(ba), free(both);
        }
}

/* Hashes at the ends of their range stay inside the registers. */
static void extreme_hashes(void **state)
{
    (void)state;
    for (int k = 0; k < 2; k++) {
        const struct distinct_shape *s = shapes[k];
        struct distinct_block *b = block_new(s);
        add_range(s, b, 0, s->exact_max + 1, 0);
        for (int bit = 0; bit < 64; bit++) {
            distinct_add(s, b, UINT64_C(1) << bit);
            distinct_add(s, b, ~(UINT64_C(1) << bit));
            distinct_add(s, b, UINT64_MAX >> bit);
        }
        distinct_add(s, b, 0);
        assert_int_equal(b->reg[0], 64 - s->p + 1);
        assert_true(distinct_count(s, b) > 0);
        memset(b->reg, 64 - s->p + 1, (size_t)1 << s->p); /* saturated; a segment may say so */
        distinct_count(s, b);
        memset(b->reg, 255, (size_t)1 << s->p);
        distinct_count(s, b);
        memset(b->reg, 0, (size_t)1 << s->p);
        assert_int_equal(distinct_count(s, b), 0);
        free(b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(few_are_exact),
        cmocka_unit_test(error_is_bounded),
        cmocka_unit_test(merge_is_union),
        cmocka_unit_test(extreme_hashes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
