/* Captures made of crafted bytes, cut everywhere. */
#define _GNU_SOURCE /* memfd_create */
#include "tests/ingest/test_capture_bytes.h"

static void test_pcap_formats(void **state)
{
    (void)state;
    static struct bytes b;
    static struct seen s;
    size_t ends[3];
    for (size_t i = 0; i < 2 * sizeof pcap_rows / sizeof *pcap_rows; i++) {
        const struct pcap_row *r = &pcap_rows[i / 2];
        print_message("%s%s\n", r->name, i % 2 != 0 ? ", other byte order" : "");
        make_pcap(&b, r, i % 2 != 0, ends);
        run(&s, b.p, b.len);
        assert_true(s.opened);
        assert_int_equal(s.end, SRC_END);
        assert_int_equal(s.n, 3);
        assert_int_equal(s.pkts[0].ts_ns, 1519819200 * NS + 123456ull * r->unit_ns);
        assert_int_equal(s.pkts[0].cap_len, 5);
        assert_int_equal(s.pkts[0].wire_len, 60);
        assert_int_equal(s.pkts[0].link, 1);
        assert_string_equal(s.data[0], "first");
        assert_int_equal(s.pkts[1].cap_len, 0);
        assert_int_equal(s.pkts[2].ts_ns, UINT32_MAX * NS + (uint64_t)UINT32_MAX * r->unit_ns);
        assert_string_equal(s.data[2], "third");
        assert_int_equal(s.stats.last_ts_ns, s.pkts[2].ts_ns);
        assert_int_equal(s.stats.drop_ts_ns, s.pkts[2].ts_ns);
        assert_int_equal(s.stats.bytes_read, b.len);
        assert_int_equal(s.stats.bytes_total, b.len);
    }
}

/* Runs every prefix: whole packets are lent, and a cut inside one is damage that names where. */
static void check_cuts(const struct bytes *b, size_t header, const size_t ends[], unsigned n_ends,
                       const size_t clean[], unsigned n_clean)
{
    static struct seen s;
    for (size_t len = 0; len <= b->len; len++) {
        unsigned want = 0;
        bool may_end = false;
        size_t begun = 0; /* what is cut */
        char offset[40];
        for (unsigned i = 0; i < n_ends; i++)
            want += ends[i] <= len;
        for (unsigned i = 0; i < n_clean; i++)
            may_end = may_end || clean[i] == len;
        for (unsigned i = 0; i < n_clean; i++)
            begun = clean[i] <= len && clean[i] > begun ? clean[i] : begun;
        run(&s, b->p, len);
        assert_int_equal(s.opened, len >= header);
        if (!s.opened) {
            assert_true(s.damaged);
            continue;
        }
        assert_int_equal(s.n, want);
        assert_int_equal(s.end, may_end ? SRC_END : SRC_FAILED);
        snprintf(offset, sizeof offset, ": offset %zu: ", begun);
        assert_int_equal(strstr(s.e.text, offset) != NULL, !may_end);
        assert_false(s.io_failed);
    }
}

static void test_pcap_cuts(void **state)
{
    (void)state;
    static struct bytes b;
    for (size_t i = 0; i < 2 * sizeof pcap_rows / sizeof *pcap_rows; i++) {
        size_t ends[3];
        make_pcap(&b, &pcap_rows[i / 2], i % 2 != 0, ends);
        size_t clean[] = {24, ends[0], ends[1], ends[2]};
        check_cuts(&b, 24, ends, 3, clean, 4);
    }
}

static void test_not_captures(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t len;
        const char *error;
    } rows[] = {
        {"", 0, "not a capture: empty file"},
        {"\xd4\xc3", 2, "not a capture: 2 bytes long"},
        {"{\"a\":1}", 7, "begins with 7b 22 61 22"},
        {"\xfd\x37\x7a\x58\x5a\0", 6, "xz data"},
        {"BZh91AY", 7, "bzip2 data"},
        {"\xd4\xc3\xb2\xa1\2\0\4\0", 8, "inside its header"},
        {"\xd4\xc3\xb2\xa1\2\0\5\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\0\0", 24, "pcap version 2.5"},
        {"\xd4\xc3\xb2\xa1\1\0\4\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\0\0", 24, "pcap version 1.4"},
        {"\n\r\r\n\x1c\0\0\0\x4d\x3c\x2b\x1a\2\0\0\0\0\0\0\0\0\0\0\0\x1c\0\0\0", 28, "version 2.0"},
        {"\n\r\r\n\x1c\0\0\0\x4d\x3c\x2b\x1b\1\0\0\0\0\0\0\0\0\0\0\0\x1c\0\0\0", 28, "byte order"},
        {"\n\r\r\n\x18\0\0\0\x4d\x3c\x2b\x1a\1\0\0\0\0\0\0\0\0\0\0\0\x18\0\0\0", 28, "of 24 bytes"},
    };
    static struct seen s;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        run(&s, rows[i].bytes, rows[i].len);
        print_message("%s\n", s.e.text);
        assert_false(s.opened);
        assert_true(s.damaged);
        assert_non_null(strstr(s.e.text, rows[i].error));
        assert_non_null(strstr(s.e.text, "/proc/self/fd/"));
        assert_non_null(strstr(s.e.text, ": offset 0: "));
    }
    run_path(&s, "/nonexistent/x.pcap", 1);
    assert_false(s.opened || s.damaged);
    assert_string_equal(s.e.text, "/nonexistent/x.pcap: open: No such file or directory");
    char deep[3000] = "/";
    for (int i = 0; i < 1000; i++)
        strcat(deep, "./");
    run_path(&s, strcat(deep, "dev/null"), 1);
    assert_true(s.damaged);
    assert_memory_equal(s.e.text, "...", 3);
    assert_non_null(strstr(s.e.text, "/./dev/null: offset 0: not a capture: empty file"));
    run_path(&s, "/", 1);
    assert_false(s.opened || s.damaged);
    assert_string_equal(s.e.text, "/: read: Is a directory");
}

static void test_pcap_insane(void **state)
{
    (void)state;
    static struct bytes b;
    static struct seen s;
    for (uint32_t len = 262144; len <= 262145; len++) {
        b = (struct bytes){0};
        put_pcap(&b, (uint32_t)MAGIC_US, 2, 4, 1);
        put_record(&b, 1, 0, 3, 3, 0, "one");
        put_record(&b, 2, 0, len, len, 0, "two");
        run(&s, b.p, b.len);
        assert_int_equal(s.n, 1);
        assert_int_equal(s.end, SRC_FAILED);
        assert_non_null(strstr(s.e.text, len == 262144
                                             ? "offset 43: the file ends inside a packet record"
                                             : "offset 43: a packet of 262145 bytes"));
    }
}

/* More captured than was on the wire: all of it is lent, and the first such record told at the end;
 * other damage comes before that. */
static void test_oversized(void **state)
{
    (void)state;
    static struct bytes b;
    static struct seen s;
    for (int i = 0; i < 8; i++) {
        bool ng = i / 2 % 2 != 0, cut = i / 4 != 0;
        b = (struct bytes){.swap = i % 2 != 0};
        if (ng) {
            put_section(&b);
            put_interface(&b, 1, 0, -1, 0);
            put_enhanced(&b, 0, 1, "good", 4);
        } else {
            put_pcap(&b, (uint32_t)MAGIC_US, 2, 4, 1);
            put_record(&b, 1, 0, 4, 4, 0, "good");
        }
        size_t first = b.len;
        for (int k = 0; k < 10; k++) { /* more than are lent at once */
            if (ng)
                put_enhanced(&b, 0, 2, "oversized", k == 0 ? 8 : 0);
            else
                put_record(&b, 2, 0, 9, k == 0 ? 8 : 0, 0, "oversized");
        }
        if (ng)
            put_enhanced(&b, 0, 3, "last", 5);
        else
            put_record(&b, 3, 0, 4, 5, 0, "last");
        run(&s, b.p, b.len - cut);
        print_message("%s\n", s.e.text);
        assert_int_equal(s.n, cut ? 11 : 12);
        assert_int_equal(s.pkts[10].cap_len, 9);
        assert_int_equal(s.pkts[10].wire_len, 0);
        assert_int_equal(s.end, SRC_FAILED);
        char want[160];
        snprintf(
            want, sizeof want,
            ": offset %zu: a packet of which 9 bytes were captured and 8 were on the wire, the "
            "first of 10; what is beyond was not read",
            first);
        assert_non_null(strstr(s.e.text, cut ? ": the file ends inside a " : want));
    }
}

/* --- pcapng --- */

static void test_pcapng(void **state)
{
    (void)state;
    static struct bytes b;
    static struct seen s;
    static const struct {
        uint64_t ts_ns;
        uint32_t link, wire_len;
        const char *data;
    } want[] = {
        {1519819200000001000, 1, 5, "alpha"},     {1519819200000000002, 101, 1500, "beta"},
        {1519819200000000002, 1, 5, "gamma"},     {1519819200000000002, 113, 5, "delt"},
        {1519819300000003000, 113, 7, "epsilon"},
    };
    for (int swap = 0; swap < 2; swap++) {
        size_t ends[16], clean[32];
        unsigned n_clean;
        unsigned n = make_pcapng(&b, swap, ends, clean, &n_clean);
        run(&s, b.p, b.len);
        assert_int_equal(s.end, SRC_END);
        assert_int_equal(s.n, 5);
        for (unsigned i = 0; i < 5; i++) {
            assert_int_equal(s.pkts[i].ts_ns, want[i].ts_ns);
            assert_int_equal(s.pkts[i].link, want[i].link);
            assert_int_equal(s.pkts[i].wire_len, want[i].wire_len);
            assert_int_equal(s.pkts[i].cap_len, strlen(want[i].data));
            assert_string_equal(s.data[i], want[i].data);
        }
        assert_int_equal(s.stats.dropped_if, 9 + 20 + 100);
        assert_int_equal(s.stats.dropped_os, 2);
        assert_int_equal(s.stats.drop_ts_ns, 1519819300000003000); /* it had no time of its own */
        check_cuts(&b, 28, ends, n, clean, n_clean);
    }
}

static void test_pcapng_times(void **state)
{
    (void)state;
    static struct bytes b;
    static struct seen s;
    static const struct {
        int resolution;
        int64_t offset_s;
        uint64_t units, ts_ns;
    } rows[] = {
        {-1, 0, 5, 5000},
        {6, 0, 1519819200000001, 1519819200000001000},
        {0, 0, 7, 7 * NS},
        {3, 0, 7, 7000000},
        {9, 0, 7, 7},
        {12, 0, 7999, 7},
        {28, 0, UINT64_MAX, 1},
        {127, 0, UINT64_MAX, 0},
        {0x80, 0, 3, 3 * NS},
        {0x80 | 10, 0, 1536, NS + NS / 2},
        {0x80 | 32, 0, 1519819200ull << 32 | 0x80000000, 1519819200 * NS + NS / 2},
        {0x80 | 63, 0, 1ull << 63, NS},
        {0xff, 0, UINT64_MAX, 0},
        {6, 100, 5, 100 * NS + 5000},
        {6, -1, 1500000, NS / 2},
        {6, -2, 1500000, 0},
        {9, INT64_MIN, UINT64_MAX, 0},
        {9, INT64_MAX, 1, INT64_MAX},
        {6, 0, UINT64_MAX, INT64_MAX},
        {0, 0, UINT64_MAX, INT64_MAX},
        {0x80, 0, UINT64_MAX, INT64_MAX},
        {9, 0, UINT64_MAX, INT64_MAX},
    };
    for (size_t i = 0; i < 2 * sizeof rows / sizeof *rows; i++) {
        size_t r = i / 2;
        b = (struct bytes){.swap = i % 2 != 0};
        put_section(&b);
        put_interface(&b, 1, 0, rows[r].resolution, rows[r].offset_s);
        put_enhanced(&b, 0, rows[r].units, "x", 1);
        run(&s, b.p, b.len);
        assert_int_equal(s.end, SRC_END);
        assert_int_equal(s.pkts[0].ts_ns, rows[r].ts_ns);
    }
}

static void test_pcapng_simple_first(void **state)
{
    (void)state;
    static struct bytes b;
    static struct seen s;
    put_section(&b);
    put_interface(&b, 1, 0, -1, 0);
    size_t at = block_begin(&b, 3);
    put32(&b, 2);
    put(&b, "hi", 2);
    block_end(&b, at);
    run(&s, b.p, b.len);
    assert_int_equal(s.n, 1);
    assert_int_equal(s.pkts[0].ts_ns, 0);
}

/* A section, an interface and one good packet; then 32-bit words of a broken block, read at
 * `offset`. */
static void test_pcapng_damage(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint32_t words[12];
        unsigned n;
        unsigned error_at; /* behind the good part */
    } rows[] = {
        {"length differs, skipped block", {4, 16, 0, 20}, 4, 12},
        {"length differs, packet", {6, 32, 0, 0, 0, 0, 0, 36}, 8, 0},
        {"too short", {4, 8, 8}, 3, 0},
        {"odd length", {4, 13, 0, 0, 13}, 5, 0},
        {"packet block too short", {6, 28, 0, 0, 0, 0, 28}, 7, 0},
        {"unknown interface", {6, 32, 1, 0, 0, 0, 0, 32}, 8, 0},
        {"packet longer than its block", {6, 32, 0, 0, 0, 1, 1, 32}, 8, 0},
        {"insane packet", {6, 32, 0, 0, 0, 262145, 262145, 32}, 8, 0},
        {"insane block", {6, 1048580, 0, 0, 0, 0, 0, 32}, 8, 0},
        {"simple packet longer than its block", {3, 16, 1, 16}, 4, 0},
        {"interface too short", {1, 16, 1, 16}, 4, 0},
        {"interface option too long", {1, 24, 1, 0, 9 | 99 << 16, 24}, 6, 0},
        {"time resolution of two bytes", {1, 28, 1, 0, 9 | 2 << 16, 6, 28}, 7, 0},
        {"statistics too short", {5, 16, 0, 16}, 4, 0},
        {"statistics of nobody", {5, 24, 9, 0, 0, 24}, 6, 0},
        {"drops of four bytes", {5, 32, 0, 0, 0, 5 | 4 << 16, 1, 32}, 8, 0},
        {"section of unknown order", {0x0a0d0d0a, 28, 0x01020304, 1, 0, 0, 28}, 7, 0},
        {"old packet too short", {2, 16, 0, 16}, 4, 0},
    };
    static struct bytes b;
    static struct seen s;
    for (size_t i = 0; i < 2 * sizeof rows / sizeof *rows; i++) {
        size_t r = i / 2;
        char offset[32];
        b = (struct bytes){.swap = i % 2 != 0};
        put_section(&b);
        put_interface(&b, 1, 0, -1, 0);
        put_enhanced(&b, 0, 1, "good", 4);
        size_t good = b.len;
        for (unsigned w = 0; w < rows[r].n; w++) {
            bool halves = w == 4 && rows[r].words[0] == 1; /* an option's code and length */
            halves = halves || (w == 5 && rows[r].words[0] == 5 && rows[r].n == 8);
            if (halves) {
                put16(&b, (uint16_t)rows[r].words[w]);
                put16(&b, (uint16_t)(rows[r].words[w] >> 16));
            } else {
                put32(&b, rows[r].words[w]);
            }
        }
        run(&s, b.p, b.len);
        print_message("%s: %s\n", rows[r].name, s.e.text);
        assert_int_equal(s.n, 1);
        assert_int_equal(s.end, SRC_FAILED);
        snprintf(offset, sizeof offset, ": offset %zu: ", good + rows[r].error_at);
        assert_non_null(strstr(s.e.text, offset));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pcap_formats),  cmocka_unit_test(test_pcap_cuts),
        cmocka_unit_test(test_not_captures),  cmocka_unit_test(test_pcap_insane),
        cmocka_unit_test(test_oversized),     cmocka_unit_test(test_pcapng),
        cmocka_unit_test(test_pcapng_times),  cmocka_unit_test(test_pcapng_simple_first),
        cmocka_unit_test(test_pcapng_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
