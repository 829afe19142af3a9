#include "core/digits.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <inttypes.h>
#include <stdio.h>

static void check(uint64_t v)
{
    char want[32], got[DIGITS_U64_MAX + 1];
    snprintf(want, sizeof want, "%" PRIu64, v);
    *digits_u64(got, v) = '\0';
    assert_string_equal(got, want);
}

static void decimal(void **state)
{
    (void)state;
    for (uint64_t v = 0; v < 200000; v++)
        check(v);
    for (uint64_t power = 1;; power *= 10) {
        for (uint64_t digit = 1; digit <= 9 && power <= UINT64_MAX / digit; digit++)
            check(power * digit - 1), check(power * digit), check(power * digit + 1);
        if (power > UINT64_MAX / 10)
            break;
    }
    check(UINT64_MAX);
    for (uint64_t v = 1, i = 0; i < 100000; i++, v = v * UINT64_C(6364136223846793005) + 1)
        check(v >> i % 64);
}

static void hex(void **state)
{
    (void)state;
    for (int bytes = 1; bytes <= 8; bytes++)
        for (uint64_t v = 1, i = 0; i < 1000; i++, v = v * UINT64_C(6364136223846793005) + 1) {
            char want[32], got[17];
            snprintf(want, sizeof want, "%016" PRIx64, v);
            *digits_hex(got, v, bytes) = '\0';
            assert_string_equal(got, want + 16 - 2 * bytes);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decimal),
        cmocka_unit_test(hex),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
