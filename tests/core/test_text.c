#include "core/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define JSON(bytes) json_of(bytes, sizeof(bytes) - 1)

static char *json_of(const void *p, size_t len)
{
    static struct text_sink t;
    text_free(&t);
    text_json(&t, p, len);
    return t.p;
}

static void json_strings(void **state)
{
    (void)state;
    assert_string_equal(JSON(""), "\"\"");
    assert_string_equal(JSON("a b~"), "\"a b~\"");
    assert_string_equal(JSON("\"\\/"), "\"\\\"\\\\/\"");
    assert_string_equal(JSON("\0\n\x1f\x7f"), "\"\\u0000\\u000a\\u001f\\u007f\"");
    assert_string_equal(JSON("h\xc3\xa4m"), "\"h\xc3\xa4m\"");
    assert_string_equal(JSON("\xe2\x82\xac"), "\"\xe2\x82\xac\"");
    assert_string_equal(JSON("\xf4\x8f\xbf\xbf"), "\"\xf4\x8f\xbf\xbf\"");
    /* no UTF-8: overlong, surrogate, beyond U+10FFFF, cut, stray */
    assert_string_equal(JSON("\xc0\xaf"), "\"\\u00c0\\u00af\"");
    assert_string_equal(JSON("\xe0\x80\x80"), "\"\\u00e0\\u0080\\u0080\"");
    assert_string_equal(JSON("\xf0\x80\x80\x80"), "\"\\u00f0\\u0080\\u0080\\u0080\"");
    assert_string_equal(JSON("\xed\xa0\x80"), "\"\\u00ed\\u00a0\\u0080\"");
    assert_string_equal(JSON("\xf4\x90\x80\x80"), "\"\\u00f4\\u0090\\u0080\\u0080\"");
    assert_string_equal(JSON("a\xe2\x82"), "\"a\\u00e2\\u0082\"");
    assert_string_equal(JSON("\xff"
                             "a\x80"),
                        "\"\\u00ffa\\u0080\"");
}

static void numbers(void **state)
{
    (void)state;
    static const uint64_t rows[] = {0, 9, 10, 99, 100, UINT32_MAX, INT64_MAX, UINT64_MAX};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct text_sink t = {0};
        char want[64];
        snprintf(want, sizeof want, "%" PRIu64 " %" PRId64 " %" PRId64, rows[i], (int64_t)rows[i],
                 -(int64_t)rows[i]);
        text_u64(&t, rows[i]);
        text_puts(&t, " ");
        text_i64(&t, (int64_t)rows[i]);
        text_puts(&t, " ");
        text_i64(&t, -(int64_t)rows[i]);
        assert_string_equal(t.p, want);
        text_free(&t);
    }
    struct text_sink t = {0};
    text_i64(&t, INT64_MIN);
    assert_string_equal(t.p, "-9223372036854775808");
    text_free(&t);
}

static void times(void **state)
{
    (void)state;
    static const struct {
        uint64_t ns;
        int digits;
        const char *want;
    } rows[] = {
        {0, 0, "1970-01-01T00:00:00Z"},
        {UINT64_C(1519819200123456789), 0, "2018-02-28T12:00:00Z"},
        {UINT64_C(1519819200123456789), 6, "2018-02-28T12:00:00.123456Z"},
        {UINT64_C(1519819200123456789), 9, "2018-02-28T12:00:00.123456789Z"},
        {UINT64_C(951782400000000001), 9, "2000-02-29T00:00:00.000000001Z"},
        {UINT64_MAX, 6, "2554-07-21T23:34:33.709551Z"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct text_sink t = {0};
        text_time(&t, rows[i].ns, rows[i].digits);
        assert_string_equal(t.p, rows[i].want);
        text_free(&t);
    }
    struct text_sink t = {0};
    text_time_compact(&t, 1519819200);
    assert_string_equal(t.p, "20180228T120000Z");
    text_free(&t);
}

/* Every length around the growth of the buffer: always terminated, never over its end (ASan sees).
 */
static void growth(void **state)
{
    (void)state;
    struct text_sink t = {0};
    for (size_t i = 0; i < 2000; i++) {
        text_put(&t, "x", 1);
        assert_int_equal(t.len, i + 1);
        assert_true(t.len < t.cap);
        assert_int_equal(t.p[t.len], '\0');
    }
    text_printf(&t, "%0500d", 7);
    assert_int_equal(t.len, 2500);
    assert_string_equal(t.p + 2499, "7");
    text_put(&t, NULL, 0);
    assert_int_equal(t.len, 2500);
    text_free(&t);
    assert_null(t.p);
    text_puts(&t, "");
    assert_string_equal(t.p, "");
    text_free(&t);
}

static void out_of_memory_sticks(void **state)
{
    (void)state;
    struct text_sink t = {0};
    text_puts(&t, "a");
    text_reserve(&t, SIZE_MAX / 2);
    assert_true(t.failed);
    text_puts(&t, "b");
    assert_string_equal(t.p, "a");
    text_free(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_strings),
        cmocka_unit_test(numbers),
        cmocka_unit_test(times),
        cmocka_unit_test(growth),
        cmocka_unit_test(out_of_memory_sticks),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    json_of("", 0);
    return failed;
}
