/* Filters over crafted packets of several link types. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ingest/filter.h"
#include "tests/guard.h"

#include <stdio.h>
#include <stdlib.h>

#define ETHERNET "\1\2\3\4\5\6\1\2\3\4\5\7\x08\0"
#define UDP_123                                                                                    \
    "\x45\0\0\x1c\0\0\0\0\x40\x11\0\0\x0a\0\0\1\x0a\0\0\2"                                         \
    "\0\x7b\0\x7b\0\x08\0\0"
#define COOKED "\0\0\0\1\0\6\1\2\3\4\5\6\0\0\x08\0"

enum {
    LINK_ETHERNET = 1,
    LINK_OLD_RAW = 12,
    LINK_RAW = 101,
    LINK_WLAN = 105,
    LINK_COOKED = 113,
    LINK_USB = 189
};

static struct pkt packet(uint32_t link, const void *bytes, size_t len)
{
    return (struct pkt){
        .bytes = bytes,
        .cap_len = (uint32_t)len,
        .wire_len = (uint32_t)len,
        .link = link,
        .filtered = true,
    };
}

struct row {
    const char *text;
    uint32_t link;
    const char *bytes;
    size_t len;
    bool refused;
};

static void test_rows(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"", LINK_ETHERNET, ETHERNET UDP_123, 42, false},
        {"", LINK_USB, "\1", 1, false},
        {"udp port 123", LINK_ETHERNET, ETHERNET UDP_123, 42, false},
        {"udp port 53", LINK_ETHERNET, ETHERNET UDP_123, 42, true},
        {"udp port 123", LINK_ETHERNET, ETHERNET UDP_123, 35, true}, /* cut before the ports */
        {"udp port 123", LINK_ETHERNET, "", 0, true},
        {"udp port 123", LINK_RAW, UDP_123, 28, false},
        {"udp port 53", LINK_RAW, UDP_123, 28, true},
        {"udp port 123", LINK_OLD_RAW, UDP_123, 28, false},
        {"src host 10.0.0.1 and dst net 10.0.0.0/24", LINK_COOKED, COOKED UDP_123, 44, false},
        {"not ip", LINK_COOKED, COOKED UDP_123, 44, true},
        {"len > 41", LINK_ETHERNET, ETHERNET UDP_123, 42, false},
        {"len > 42", LINK_ETHERNET, ETHERNET UDP_123, 42, true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct filter *f;
        struct err e;
        assert_true(filter_new(&f, rows[i].text, 0, &e));
        struct pkt p = packet(rows[i].link, guard_copy(rows[i].bytes, rows[i].len), rows[i].len);
        p.filtered = !rows[i].refused; /* must be set either way */
        filter_burst(f, &p, 1);
        print_message("%s\n", rows[i].text);
        assert_int_equal(p.filtered, rows[i].refused);
        assert_false(filter_complaint(f, &e));
        filter_free(f);
    }
}

/* Bytes that the capture left away are not read: what they would decide is refused. */
static void test_every_cut(void **state)
{
    (void)state;
    struct filter *f;
    struct err e;
    assert_true(filter_new(&f, "udp port 123", 96, &e));
    for (size_t len = 0; len <= 42; len++) {
        struct pkt p = packet(LINK_ETHERNET, guard_copy(ETHERNET UDP_123, len), len);
        p.wire_len = 42;
        filter_burst(f, &p, 1);
        assert_int_equal(p.filtered, len < 36); /* one port is enough */
    }
    filter_free(f);
}

static void test_bad_text(void **state)
{
    (void)state;
    static const char *const bad[] = {"prot 53",        "udp port", "port 65536",
                                      "net 1.2.3.0/40", "((udp)",   "wlan type beacons"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct filter *f;
        struct err e;
        char start[64];
        assert_false(filter_new(&f, bad[i], 0, &e));
        print_message("%s\n", e.text);
        snprintf(start, sizeof start, "filter \"%s\": ", bad[i]);
        assert_memory_equal(e.text, start, strlen(start));
        assert_true(strlen(e.text) > strlen(start));
    }
    filter_free(NULL);
}

/* Ethernet addresses are no notion of every link type: all refused there, told once, the rest
 * unharmed. */
static void test_link_that_cannot(void **state)
{
    (void)state;
    struct filter *f;
    struct err e;
    assert_true(filter_new(&f, "ether host 1:2:3:4:5:6", 0, &e));
    struct pkt pkts[] = {
        packet(LINK_RAW, UDP_123, 28),
        packet(LINK_ETHERNET, ETHERNET UDP_123, 42),
        packet(LINK_RAW, UDP_123, 28),
    };
    for (int round = 0; round < 2; round++) {
        filter_burst(f, pkts, 3);
        assert_true(pkts[0].filtered && !pkts[1].filtered && pkts[2].filtered);
    }
    assert_true(filter_complaint(f, &e));
    print_message("%s\n", e.text);
    assert_non_null(strstr(e.text, "link type 101"));
    assert_false(filter_complaint(f, &e));
    filter_free(f);
}

/* Words of other link types: good where they mean something. */
static void test_not_ethernet(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"type data", LINK_WLAN, "\x08\0", 24, false},
        {"type data", LINK_WLAN, "\x80\0", 24, true},
        {"type mgt", LINK_WLAN, "\x80\0", 24, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct filter *f;
        struct err e = {""};
        char bytes[24] = {0};
        memcpy(bytes, rows[i].bytes, 2);
        assert_true(filter_new(&f, rows[i].text, 0, &e));
        assert_string_equal(e.text, "");
        struct pkt pkts[] = {packet(rows[i].link, bytes, rows[i].len),
                             packet(LINK_ETHERNET, ETHERNET UDP_123, 42)};
        filter_burst(f, pkts, 2);
        assert_int_equal(pkts[0].filtered, rows[i].refused);
        assert_true(pkts[1].filtered); /* and said */
        assert_true(filter_complaint(f, &e));
        assert_non_null(strstr(e.text, "link type 1,"));
        filter_free(f);
    }
}

/* More link types than are remembered: the answer depends on the packet alone. */
static void test_many_links(void **state)
{
    (void)state;
    struct filter *f;
    struct err e;
    unsigned complaints = 0;
    assert_true(filter_new(&f, "ether host 1:2:3:4:5:6", 0, &e));
    for (int round = 0; round < 3; round++) {
        for (uint32_t link = 0; link < 400; link++) {
            struct pkt p[] = {packet(link, ETHERNET UDP_123, 42),
                              packet(LINK_ETHERNET, ETHERNET UDP_123, 42)};
            struct filter *alone;
            filter_burst(f, p, 2);
            assert_false(p[1].filtered);
            bool refused = p[0].filtered;
            if (round == 2 && link % 8 == 1) {
                assert_true(filter_new(&alone, "ether host 1:2:3:4:5:6", 0, &e));
                filter_burst(alone, p, 1);
                assert_int_equal(p[0].filtered, refused);
                filter_free(alone);
            }
        }
    }
    while (filter_complaint(f, &e))
        complaints++;
    assert_int_equal(complaints, 16);
    filter_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),       cmocka_unit_test(test_every_cut),
        cmocka_unit_test(test_bad_text),   cmocka_unit_test(test_link_that_cannot),
        cmocka_unit_test(test_many_links), cmocka_unit_test(test_not_ethernet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
