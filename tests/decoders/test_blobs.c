/* Strings kept once: numbers, owners, classes of length, and the end of room. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "decoders/blobs.h"

static void check(const struct blobs *b, uint32_t number, const void *p, size_t len)
{
    size_t got;
    const uint8_t *at = blobs_at(b, number, &got);
    assert_int_equal(got, len);
    assert_memory_equal(at, p, len);
}

static void test_owners(void **state)
{
    (void)state;
    struct blobs b;
    struct err e;
    assert_true(blobs_init(&b, 16, 7, &e));
    uint32_t one = blobs_take(&b, "one", 3), two = blobs_take(&b, "two", 3);
    assert_true(one != 0 && two != 0 && one != two);
    assert_int_equal(blobs_take(&b, "one", 3), one);
    assert_int_not_equal(blobs_take(&b, "on", 2), one);
    blobs_give(&b, one);
    assert_int_not_equal(blobs_take(&b, "four", 4), one); /* it has an owner yet */
    check(&b, one, "one", 3);
    blobs_give(&b, one);
    check(&b, two, "two", 3);
    assert_int_equal(blobs_take(&b, "three", 5), one); /* its place is free */
    assert_int_not_equal(blobs_take(&b, "one", 3), one);
    blobs_end(&b);
}

static void test_lengths(void **state)
{
    (void)state;
    static uint8_t bytes[BLOB_MAX + 1];
    static uint32_t numbers[BLOB_MAX + 1];
    struct blobs b;
    struct err e;
    assert_true(blobs_init(&b, 4096, 7, &e));
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 7);
    for (size_t len = 0; len <= BLOB_MAX; len += len < 140 ? 1 : 61) {
        numbers[len] = blobs_take(&b, bytes, len);
        assert_int_not_equal(numbers[len], 0);
    }
    assert_int_equal(blobs_take(&b, bytes, BLOB_MAX + 1), 0);
    for (size_t len = 0; len <= BLOB_MAX; len++)
        if (numbers[len] != 0)
            check(&b, numbers[len], bytes, len);
    blobs_end(&b);
}

static void test_room(void **state)
{
    (void)state;
    struct blobs b;
    struct err e;
    uint32_t numbers[64], n = 0;
    assert_true(blobs_init(&b, 8, 7, &e));
    for (uint32_t i = 0; i < 64; i++) {
        numbers[n] = blobs_take(&b, &i, sizeof i);
        n += numbers[n] != 0;
    }
    assert_true(n >= 8 && n < 64);
    for (uint32_t i = 0; i < n; i++) {
        check(&b, numbers[i], &i, sizeof i);
        blobs_give(&b, numbers[i]);
    }
    for (uint32_t i = 0; i < n; i++)
        assert_int_not_equal(blobs_take(&b, &i, sizeof i), 0);
    blobs_end(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_owners),
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
