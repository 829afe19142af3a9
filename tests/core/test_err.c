#include "core/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void story(void **state)
{
    (void)state;
    struct err e = {""};
    err_set(&e, "open %s: %s", "/x", "No such file or directory");
    assert_string_equal(e.text, "open /x: No such file or directory");
    assert_false(err_in(&e, "load %s", "pool"));
    assert_string_equal(e.text, "load pool: open /x: No such file or directory");
}

static void control_bytes(void **state)
{
    (void)state;
    struct err e;
    err_set(&e, "%s", "a\nb\x1b[31m\x7f\xc3\xa4");
    assert_string_equal(e.text, "a?b?[31m?\xc3\xa4");
    (void)err_in(&e, "%s", "x\ry");
    assert_string_equal(e.text, "x?y: a?b?[31m?\xc3\xa4");
}

/* Around the end of the buffer: cut, terminated, and nothing written behind it. */
static void long_texts(void **state)
{
    (void)state;
    enum { SIZE = sizeof((struct err *)0)->text };
    char text[SIZE + 10];
    for (size_t len = SIZE - 8; len < sizeof text; len++) {
        struct {
            struct err e;
            char canary[8];
        } box = {.canary = "canary"};
        memset(text, 'x', sizeof text);
        text[len < sizeof text ? len : sizeof text - 1] = '\0';
        err_set(&box.e, "%s", text);
        assert_int_equal(strlen(box.e.text), len < SIZE ? len : SIZE - 1);
        (void)err_in(&box.e, "in");
        assert_true(strlen(box.e.text) < SIZE);
        assert_memory_equal(box.e.text, "in: xxx", 7);
        assert_string_equal(box.canary, "canary");
        err_set(&box.e, "inner");
        (void)err_in(&box.e, "%s", text);
        assert_true(strlen(box.e.text) < SIZE);
        assert_memory_equal(box.e.text, "xxxx", 4);
        assert_string_equal(box.canary, "canary");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(story),
        cmocka_unit_test(control_bytes),
        cmocka_unit_test(long_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
