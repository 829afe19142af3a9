#include "core/cpus.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

static void lists(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        unsigned n, first, last;
    } rows[] = {
        {"", 0, 0, 0},      {"\n", 0, 0, 0},         {"0", 1, 0, 0},
        {"0-1\n", 2, 0, 1}, {"2,4-5", 3, 2, 5},      {"7,2-3", 3, 7, 3},
        {"3-3", 1, 3, 3},   {"1023", 1, 1023, 1023}, {"0-1023", 1024, 0, 1023},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct cpus c;
        struct err e = {""};
        if (!cpus_parse(rows[i].text, &c, &e))
            fail_msg("%s", e.text);
        assert_int_equal(c.n, rows[i].n);
        if (c.n > 0) {
            assert_int_equal(c.at[0], rows[i].first);
            assert_int_equal(c.at[c.n - 1], rows[i].last);
            assert_true(cpus_has(&c, rows[i].last));
        }
        assert_false(cpus_has(&c, 1024));
    }
}

static void no_lists(void **state)
{
    (void)state;
    static const char *const rows[] = {",",
                                       "1,",
                                       ",1",
                                       "-",
                                       "1-",
                                       "-1",
                                       "2-1",
                                       "1,1",
                                       "0-3,2",
                                       "1024",
                                       "0-1024",
                                       "x",
                                       "1 ,2",
                                       "1;2",
                                       "1--2",
                                       "1-2-3",
                                       "1\n2",
                                       "0x1",
                                       "99999999999999999999"};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct cpus c = {.n = 77};
        struct err e = {""};
        if (cpus_parse(rows[i], &c, &e))
            fail_msg("%s is taken", rows[i]);
        assert_int_equal(c.n, 77);
        assert_non_null(strstr(e.text, "is no list of CPUs; as \"2,4-5\""));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(lists), cmocka_unit_test(no_lists)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
