#include "core/keep.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* Room is aligned, does not overlap, and stays where it is. */
static void room(void **state)
{
    (void)state;
    enum { N = 5000 };
    static uint8_t *at[N];
    struct keep k = {0};
    for (size_t i = 0; i < N; i++) {
        size_t bytes = i % 97 == 0 ? 100000 : i % 61;
        at[i] = keep_room(&k, bytes);
        assert_non_null(at[i]);
        assert_int_equal((uintptr_t)at[i] % 8, 0);
        memset(at[i], (int)(i % 251), bytes);
    }
    for (size_t i = 0; i < N; i++)
        for (size_t b = 0; b < (i % 97 == 0 ? 100000 : i % 61); b++)
            assert_int_equal(at[i][b], i % 251);
    keep_free(&k);
    keep_free(&k);
}

/* The same bytes are the same text, others are not; a text that begins like another one is none of
 * it. */
static void texts(void **state)
{
    (void)state;
    enum { N = 3000 };
    static const char *first[N];
    struct keep k = {0};
    char text[64];
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < N; i++) {
            int n = snprintf(text, sizeof text, "text %d", i);
            const char *kept = keep_text(&k, text, (size_t)n);
            assert_string_equal(kept, text);
            if (round == 0)
                first[i] = kept;
            assert_ptr_equal(kept, first[i]);
        }
    assert_int_equal(k.n, N);
    static char xs[N]; /* each begins like all that are longer */
    memset(xs, 'x', sizeof xs);
    for (size_t n = N - 1; n > 0; n--) {
        const char *kept = keep_text(&k, xs, n);
        assert_int_equal(strlen(kept), n);
        assert_ptr_equal(keep_text(&k, xs, n), kept);
    }
    assert_string_equal(keep_text(&k, "", 0), "");
    keep_free(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(room),
        cmocka_unit_test(texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
