/* What segments of live runs tell besides: written, read, refused, merged. */
#define _GNU_SOURCE /* memfd_create */
#include "segment_rig.h"

#include <stdlib.h>

static const struct segment_live full = {.live = true,
                                         .clocks = 1 << SEGMENT_CLOCK_TSC | 1 << SEGMENT_CLOCK_NIC,
                                         .partial = 1 << SEGMENT_PARTIAL_CLOCK_STEP,
                                         .unwritten = 1 << SEGMENT_UNWRITTEN_EVENTS
                                                      | 1 << SEGMENT_UNWRITTEN_FLAGS,
                                         .clock_error_ns = 1200,
                                         .misplaced = 3,
                                         .windows_dropped = 2};
#define FULL                                                                                       \
    ",\"live\":{\"clock\":[\"tsc\",\"nic\"],\"clock_error_ns\":1200,\"partial\":[\"clock_step\"]," \
    "\"misplaced\":3,\"windows_dropped\":2,\"unwritten\":[\"events\",\"flags\"]}}\n"

static void assert_live(const struct segment_live *a, const struct segment_live *b)
{
    assert_int_equal(a->live, b->live);
    assert_int_equal(a->clocks, b->clocks);
    assert_int_equal(a->partial, b->partial);
    assert_int_equal(a->unwritten, b->unwritten);
    assert_int_equal(a->clock_error_ns, b->clock_error_ns);
    assert_int_equal(a->misplaced, b->misplaced);
    assert_int_equal(a->windows_dropped, b->windows_dropped);
}

/* The first line; owned by the caller. */
static char *head_of(struct window *w, const struct segment_head *h)
{
    uint8_t sha[32];
    struct file f = written(w, h, sha), text = text_of(f);
    free(f.p);
    strchr((char *)text.p, '\n')[1] = '\0';
    return (char *)text.p;
}

static void test_text(void **state)
{
    (void)state;
    struct window *w = make_window(START_S, WINDOW_S);
    struct segment_head h = head;
    char *line = head_of(w, &h);
    assert_null(strstr(line, "live")); /* a replay's */
    free(line);
    h.live = full;
    line = head_of(w, &h);
    assert_non_null(strstr(line, FULL));
    free(line);
    h.live = (struct segment_live){.live = true, .clocks = 1 << SEGMENT_CLOCK_SYSTEM};
    line = head_of(w, &h);
    assert_non_null(strstr(line, ",\"live\":{\"clock\":[\"system\"]}}\n"));
    free(line);
    window_free(w);
}

static void test_round_trip(void **state)
{
    (void)state;
    struct window *w = make_window(START_S, WINDOW_S), *back = make_window(START_S, WINDOW_S);
    for (unsigned i = 0; i < 256; i++) {
        struct segment_head h = head, got;
        uint8_t sha[32], again[32];
        struct err e = {""};
        h.interrupted = i % 2;
        h.live = (struct segment_live){.live = i % 7 != 0};
        if (h.live.live) {
            h.live.clocks = (uint8_t)(i % (1 << SEGMENT_CLOCK_N));
            h.live.partial = (uint8_t)(i / 3 % (1 << SEGMENT_PARTIAL_N));
            h.live.unwritten = (uint8_t)(i / 5 % (1 << SEGMENT_UNWRITTEN_N));
            h.live.clock_error_ns = i % 3 == 0 ? INT64_MAX : i;
            h.live.misplaced = i % 5;
            h.live.windows_dropped = i / 100;
        }
        struct file f = written(w, &h, sha);
        window_reset(back, START_S, WINDOW_S);
        if (!read_into(back, f, &got, again, &e))
            fail_msg("%u: %s", i, e.text);
        assert_memory_equal(sha, again, 32);
        assert_live(&got.live, &h.live);
        assert_same(f, written(back, &got, again));
    }
    window_free(w), window_free(back);
}

/* Ledger by reason: in the totals, and back. */
static void test_ledger(void **state)
{
    (void)state;
    struct window *w = make_window(START_S, WINDOW_S), *back = make_window(START_S, WINDOW_S);
    struct segment_head got;
    struct err e = {""};
    uint8_t sha[32];
    struct ledger *l = &window_totals(w)->ledger;
    *l = (struct ledger){.lost_packets = 15,
                         .lost_missed = 1,
                         .lost_no_mbuf = 2,
                         .lost_ring = 4,
                         .lost_errors = 8,
                         .misplaced = 16};
    struct file f = written(w, &head, sha), text = text_of(f);
    assert_non_null(strstr((char *)text.p,
                           "\"ledger\":{\"lost_packets\":15,\"lost_missed\":1,\"lost_no_mbuf\":2,"
                           "\"lost_ring\":4,\"lost_errors\":8,\"misplaced\":16}}\n"));
    assert_true(read_into(back, f, &got, sha, &e));
    assert_memory_equal(l, &window_totals(back)->ledger, sizeof *l);
    window_merge(back, w);
    assert_int_equal(window_totals(back)->ledger.lost_ring, 8);
    assert_int_equal(window_totals(back)->ledger.misplaced, 32);
    free(f.p), free(text.p);
    window_free(w), window_free(back);
}

static void test_bad(void **state)
{
    (void)state;
    static const struct {
        const char *old, *new, *error;
    } rows[] = {
        {"\"live\":{", "\"live\":{\"x\":1,", "\"live\": a member that does not belong here"},
        {"\"live\":{", "\"life\":{", "a member that does not belong here"},
        {"{\"clock\":[\"tsc\",\"nic\"],", "{\"clock\":\"tsc\",", "\"clock\": no list"},
        {"[\"tsc\",\"nic\"]", "[\"nic\",\"tsc\"]", "\"clock\": a list out of order"},
        {"[\"tsc\",\"nic\"]", "[\"sun\"]", "\"clock\": \"sun\" is none of its words"},
        {"1200", "-1", "\"clock_error_ns\": no whole number"},
        {"[\"clock_step\"]", "[3]", "\"partial\": \"\" is none of its words"},
        {"\"misplaced\":3", "\"misplaced\":3.5", "\"misplaced\": no whole number"},
        {"\"windows_dropped\":2", "\"windows_dropped\":9223372036854775808", ""},
        {"[\"events\",\"flags\"]", "[\"events\",\"events\"]", "out of order"},
        {"\"live\":{", "\"live\":[],\"live2\":{", "\"live\": no object"},
    };
    struct window *w = make_window(START_S, WINDOW_S);
    struct segment_head h = head, got;
    uint8_t sha[32];
    struct err e;
    h.live = full;
    struct file f = written(w, &h, sha), text = text_of(f);
    const char *good = (const char *)text.p;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *at = strstr(good, rows[i].old);
        assert_non_null(at);
        char *bad = malloc(text.len + strlen(rows[i].new) + 1);
        size_t len = (size_t)sprintf(bad, "%.*s%s%s", (int)(at - good), good, rows[i].new,
                                     at + strlen(rows[i].old));
        struct file packed = compressed(bad, len);
        e.text[0] = '\0';
        if (read_into(w, packed, &got, sha, &e))
            fail_msg("%s is taken", rows[i].new);
        if (strstr(e.text, rows[i].error) == NULL || strncmp(e.text, "x.zst:1: ", 9) != 0)
            fail_msg("%s: error is \"%s\", not %s", rows[i].new, e.text, rows[i].error);
        free(bad), free(packed.p);
    }
    free(f.p), free(text.p);
    window_free(w);
}

static void test_merge_live(void **state)
{
    (void)state;
    static const struct segment_live replay = {0};
    struct segment_live other = {.live = true,
                                 .clocks = 1 << SEGMENT_CLOCK_CAPTURE,
                                 .partial = 1 << SEGMENT_PARTIAL_SHUTDOWN,
                                 .clock_error_ns = 700,
                                 .misplaced = INT64_MAX,
                                 .windows_dropped = 1};
    struct segment_live a = full, b = other, c = replay, want = full;
    segment_live_merge(&a, &replay);
    assert_live(&a, &full);
    segment_live_merge(&c, &full);
    assert_live(&c, &full);
    segment_live_merge(&a, &other);
    segment_live_merge(&b, &full);
    assert_live(&a, &b);
    want.clocks |= 1 << SEGMENT_CLOCK_CAPTURE;
    want.partial |= 1 << SEGMENT_PARTIAL_SHUTDOWN;
    want.misplaced = INT64_MAX;
    want.windows_dropped = 3;
    assert_live(&a, &want);
}

/* The program's merge: united, and what is given twice counts once. */
static void test_merge_files(void **state)
{
    (void)state;
    char dir[] = "/tmp/tellscope-live-XXXXXX", path[4][64], command[1024];
    struct window *w = make_window(START_S, WINDOW_S);
    struct segment_head h = head, got;
    struct segment_options o = {.zstd_level = 1};
    struct segment_reader *r;
    struct err e = {""};
    assert_non_null(mkdtemp(dir));
    for (int i = 0; i < 4; i++)
        snprintf(path[i], sizeof path[i], "%s/%d.zst", dir, i);
    h.live = full;
    assert_true(segment_write_file(w, &h, path[0], &o, NULL, &e));
    assert_true(segment_write_file(w, &h, path[1], &o, NULL, &e));
    window_totals(w)->ip_v4 = 1;
    h.live.windows_dropped = 40;
    assert_true(segment_write_file(w, &h, path[2], &o, NULL, &e));
    snprintf(command, sizeof command, "'%s' merge -o %s %s %s %s 2>/dev/null", TELLSCOPE_PROGRAM,
             path[3], path[0], path[1], path[2]);
    assert_int_equal(system(command), 0);
    assert_true(segment_open(&r, path[3], &got, &e));
    segment_close(r);
    assert_int_equal(got.live.windows_dropped, 42);
    assert_int_equal(got.live.misplaced, 6);
    assert_int_equal(got.live.clocks, full.clocks);
    snprintf(command, sizeof command, "'%s' show %s >/dev/null", TELLSCOPE_PROGRAM, path[3]);
    assert_int_equal(system(command), 0);
    for (int i = 0; i < 4; i++)
        unlink(path[i]);
    rmdir(dir);
    window_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_text, setup),
        cmocka_unit_test_setup(test_round_trip, setup),
        cmocka_unit_test_setup(test_ledger, setup),
        cmocka_unit_test_setup(test_bad, setup),
        cmocka_unit_test_setup(test_merge_live, setup),
        cmocka_unit_test_setup(test_merge_files, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
