#include "decoders/msg.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

struct folded {
    unsigned calls, messages;
    uint32_t used;
};

static void count(void *ctx, struct msgs *batch)
{
    struct folded *f = ctx;
    f->calls++;
    f->messages += batch->n;
    f->used = batch->used;
}

static struct msgs batch;
static struct folded folded;
static const struct rec rec = {.ts_ns = 42};

static int fresh(void **state)
{
    (void)state;
    memset(&batch, 0xa5, sizeof batch);
    folded = (struct folded){0};
    batch.n = 0;
    batch.used = 0;
    batch.fold = count;
    batch.ctx = &folded;
    return 0;
}

static void push_fills_the_head_and_zeroes_the_rest(void **state)
{
    (void)state;
    const struct msg *m = msgs_push(&batch, MSG_DNS, &rec, SIDE_DST, 0);
    struct dns_msg zero;
    memset(&zero, 0, sizeof zero);
    assert_int_equal(m->kind, MSG_DNS);
    assert_int_equal(m->sender, SIDE_DST);
    assert_int_equal(m->ts_ns, 42);
    assert_ptr_equal(m->rec, &rec);
    assert_memory_equal(&m->dns, &zero, sizeof zero);
    assert_int_equal(batch.n, 1);
}

static void full_batch_folds_itself(void **state)
{
    (void)state;
    for (int i = 0; i < MSGS_MAX; i++)
        msgs_push(&batch, MSG_NTP, &rec, SIDE_SRC, 0);
    assert_int_equal(folded.calls, 0);
    msgs_push(&batch, MSG_NTP, &rec, SIDE_SRC, 0);
    assert_int_equal(folded.calls, 1);
    assert_int_equal(folded.messages, MSGS_MAX);
    assert_int_equal(batch.n, 1);
}

static void full_arena_folds_before_the_message_that_needs_it(void **state)
{
    (void)state;
    msgs_push(&batch, MSG_NTP, &rec, SIDE_SRC, 1000);
    msgs_alloc(&batch, 1000, 1);
    msgs_push(&batch, MSG_NTP, &rec, SIDE_SRC, MSGS_ARENA - 1000);
    assert_int_equal(folded.calls, 0);
    msgs_push(&batch, MSG_NTP, &rec, SIDE_SRC, MSGS_ARENA - 999);
    assert_int_equal(folded.calls, 1);
    assert_int_equal(folded.messages, 2);
    assert_int_equal(folded.used, 1000);
    assert_int_equal(batch.used, 0);
    uint8_t *all = msgs_alloc(&batch, MSGS_ARENA, 16);
    assert_ptr_equal(all, batch.arena);
}

static void alloc_aligns(void **state)
{
    (void)state;
    for (uint32_t align = 1; align <= 16; align *= 2) {
        msgs_alloc(&batch, 1, 1);
        assert_int_equal((uintptr_t)msgs_alloc(&batch, 3, align) % align, 0);
    }
    assert_true(batch.used <= 5 * (1 + 15 + 3));
}

static void copies_do_not_overlap(void **state)
{
    (void)state;
    struct bytes a = msgs_copy(&batch, "first", 5), b = msgs_copy(&batch, "second", 6);
    struct bytes none = msgs_copy(&batch, "x", 0);
    assert_memory_equal(a.p, "first", 5);
    assert_memory_equal(b.p, "second", 6);
    assert_int_equal(a.len, 5);
    assert_int_equal(b.len, 6);
    assert_null(none.p);
    assert_int_equal(none.len, 0);
}

static void flush_of_nothing_folds_nothing(void **state)
{
    (void)state;
    msgs_flush(&batch);
    assert_int_equal(folded.calls, 0);
    msgs_push(&batch, MSG_NTP, &rec, SIDE_SRC, 0);
    msgs_flush(&batch);
    msgs_flush(&batch);
    assert_int_equal(folded.calls, 1);
    assert_int_equal(batch.n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(push_fills_the_head_and_zeroes_the_rest, fresh),
        cmocka_unit_test_setup(full_batch_folds_itself, fresh),
        cmocka_unit_test_setup(full_arena_folds_before_the_message_that_needs_it, fresh),
        cmocka_unit_test_setup(alloc_aligns, fresh),
        cmocka_unit_test_setup(copies_do_not_overlap, fresh),
        cmocka_unit_test_setup(flush_of_nothing_folds_nothing, fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
