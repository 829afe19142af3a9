/* The table of TCP connections as such: its index grows and starts over, and finds what it holds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "decoders/tcp_table.h"

enum { FLOWS = 30000 };

static struct tcp_id id_of(const struct tcp_table *t, uint32_t i)
{
    struct rec rec = {.sport = (uint16_t)(1024 + i % 50000), .dport = 443};
    uint8_t from[4] = {10, 0, (uint8_t)(i >> 8), (uint8_t)i}, to[4] = {192, 0, 2, 1};
    struct tcp_id id = {0};
    rec.src = addr_v4(from);
    rec.dst = addr_v4(to);
    tcp_table_id(t, &rec, &id);
    return id;
}

static uint32_t slots[FLOWS];

static void add_all(struct tcp_table *t)
{
    for (uint32_t i = 0; i < FLOWS; i++) {
        struct tcp_id id = id_of(t, i);
        slots[i] = tcp_table_add(t, &id);
        assert_int_not_equal(slots[i], 0);
        for (uint32_t k = i < 3 ? 0 : i - 3; k <= i; k++) { /* also right after the index grew */
            struct tcp_id had = id_of(t, k);
            assert_int_equal(tcp_table_search(t, &had), slots[k]);
        }
    }
}

/* Every `step`th of them is there, the others not; 0: none is. */
static void assert_found(const struct tcp_table *t, uint32_t step)
{
    for (uint32_t i = 0; i < FLOWS; i++) {
        struct tcp_id id = id_of(t, i);
        assert_int_equal(tcp_table_search(t, &id), step > 0 && i % step == 0 ? slots[i] : 0);
    }
}

static void grows_and_starts_over(void **state)
{
    (void)state;
    struct tcp_table t;
    struct err e;
    assert_true(tcp_table_init(&t, 4 * FLOWS, 1, &e));
    uint32_t first = t.mask;
    for (int round = 0; round < 3; round++) {
        add_all(&t);
        assert_true(t.mask > first);
        assert_found(&t, 1);
        for (uint32_t i = 0; i < FLOWS; i++)
            if (i % 3 != 0)
                tcp_table_drop(&t, slots[i]);
        assert_found(&t, 3);
        tcp_table_forget(&t, 0);
        assert_int_equal(t.mask, first);
        assert_found(&t, 0);
    }
    tcp_table_end(&t);
}

/* At its limit: a table as small as its first index, and smaller. */
static void small_limits(void **state)
{
    (void)state;
    static const uint32_t limits[] = {1, 3, 16, 1000, 4096, 5000};
    for (unsigned l = 0; l < sizeof limits / sizeof *limits; l++) {
        struct tcp_table t;
        struct err e;
        assert_true(tcp_table_init(&t, limits[l], 1, &e));
        for (uint32_t i = 0; i < limits[l]; i++) {
            struct tcp_id id = id_of(&t, i);
            assert_int_not_equal(tcp_table_add(&t, &id), 0);
        }
        assert_int_not_equal(tcp_table_victim(&t), 0);
        for (uint32_t i = 0; i < limits[l]; i++) {
            struct tcp_id id = id_of(&t, i);
            assert_int_not_equal(tcp_table_search(&t, &id), 0);
        }
        tcp_table_end(&t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grows_and_starts_over),
        cmocka_unit_test(small_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
