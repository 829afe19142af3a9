#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "summary/pool.h"
#include "summary/strings.h"

static uint32_t intern(struct strings *s, const void *p, uint32_t len)
{
    return strings_intern(s, p, len, strings_hash(p, len));
}

static void equal_content_one_id(void **state)
{
    (void)state;
    enum { N = 5000 };
    static uint32_t ids[N];
    struct strings s;
    struct err e;
    assert_true(strings_new(&s, 1 << 20, &e));
    for (int round = 0; round < 2; round++) { /* the second after a clear */
        for (int again = 0; again < 2; again++)
            for (uint32_t i = 0; i < N; i++) {
                char text[64];
                uint32_t len = (uint32_t)snprintf(text, sizeof text, "%.*s%u", (int)(i % 30),
                                                  "..............................", i);
                uint32_t id = intern(&s, text, len);
                assert_int_not_equal(id, 0);
                if (again > 0)
                    assert_int_equal(id, ids[i]);
                ids[i] = id;
                struct bytes got = strings_get(&s, id);
                assert_int_equal(got.len, len);
                assert_memory_equal(got.p, text, len);
                assert_true(strings_id_hash(&s, id) == strings_hash(text, len));
            }
        assert_int_equal(s.n, N);
        strings_clear(&s);
        assert_int_equal(s.n, 0);
    }
    strings_free(&s);
}

static void absent_and_binary(void **state)
{
    (void)state;
    struct strings s;
    struct err e;
    assert_true(strings_new(&s, 65536, &e));
    assert_int_equal(intern(&s, "", 0), 0);
    assert_int_equal(strings_get(&s, 0).len, 0);
    assert_null(strings_get(&s, 0).p);
    assert_int_equal(strings_id_hash(&s, 0), 0);
    uint32_t a = intern(&s, "a\0b", 3), b = intern(&s, "a\0c", 3), c = intern(&s, "a", 1);
    assert_true(a != b && b != c && a != c && a != 0 && b != 0 && c != 0);
    assert_memory_equal(strings_get(&s, b).p, "a\0c", 3);
    /* another string under the same hash is another string */
    uint32_t d = strings_intern(&s, "x", 1, strings_hash("a", 1));
    assert_true(d != c && d != 0);
    assert_int_equal(intern(&s, "a", 1), c);
    strings_free(&s);
}

static void full_is_told(void **state)
{
    (void)state;
    struct strings s;
    struct err e;
    uint32_t n = 0, last = 0, id;
    assert_true(strings_new(&s, 65536, &e));
    while ((id = intern(&s, &n, sizeof n)) != 0) {
        assert_true(id > last);
        last = id;
        n++;
        assert_true(n < 65536);
    }
    assert_true(n > 65536 / 32);
    for (uint32_t i = 0; i < n; i++) /* what is there stays and is found */
        assert_int_not_equal(intern(&s, &i, sizeof i), 0);
    static const uint8_t long_one[70000];
    strings_clear(&s);
    assert_int_equal(intern(&s, long_one, sizeof long_one), 0);
    assert_int_not_equal(intern(&s, long_one, 65536 - 16), 0);
    assert_int_equal(intern(&s, "y", 1), 0);
    strings_free(&s);
}

static void pool_lends_blocks(void **state)
{
    (void)state;
    enum { N = 10, SIZE = 40 };
    struct pool p;
    struct err e;
    assert_true(pool_new(&p, SIZE, N, &e));
    for (int round = 0; round < 3; round++) {
        uint32_t seen = 0, ids[N];
        for (int i = 0; i < N; i++) {
            static const uint8_t zero[SIZE];
            ids[i] = pool_take(&p);
            assert_true(ids[i] >= 1 && ids[i] <= N);
            assert_int_equal(seen >> ids[i] & 1, 0);
            seen |= 1u << ids[i];
            assert_memory_equal(pool_at(&p, ids[i]), zero, SIZE);
            memset(pool_at(&p, ids[i]), 0xa5, SIZE);
        }
        assert_int_equal(pool_take(&p), 0);
        pool_give(&p, 0);
        assert_int_equal(pool_take(&p), 0);
        if (round == 1)
            pool_clear(&p);
        else
            for (int i = 0; i < N; i++)
                pool_give(&p, ids[(i * 3) % N]);
    }
    pool_free(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_content_one_id),
        cmocka_unit_test(absent_and_binary),
        cmocka_unit_test(full_is_told),
        cmocka_unit_test(pool_lends_blocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
