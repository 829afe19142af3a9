#include "core/addr.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

static struct addr addr_of(const char *text)
{
    struct addr a = {{0}};
    if (!addr_parse(text, &a))
        fail_msg("%s does not parse", text);
    return a;
}

static void text_both_ways(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out; /* out NULL: the same */
    } rows[] = {
        {"0.0.0.0", NULL},
        {"255.255.255.255", NULL},
        {"193.11.114.43", NULL},
        {"10.20.100.9", NULL},
        {"::", NULL},
        {"::1", NULL},
        {"2001:db8::1", NULL},
        {"2001:0DB8:0:0:0:0:0:1", "2001:db8::1"},
        {"2001:db8:0:1:1:1:1:1", NULL}, /* RFC 5952 4.2.2: no :: for one field */
        {"2001:0:0:1:0:0:0:1", "2001:0:0:1::1"},
        {"::ffff:1.2.3.4", "1.2.3.4"},
        {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[ADDR_TEXT_MAX];
        struct addr a = addr_of(rows[i].in);
        size_t len = addr_text(&a, text);
        assert_string_equal(text, rows[i].out != NULL ? rows[i].out : rows[i].in);
        assert_int_equal(len, strlen(text));
        struct addr back = addr_of(text);
        assert_true(addr_equal(&a, &back));
    }
    static const char *const bad[] = {"", "1.2.3", "1.2.3.256", "1.2.3.4 ", "::1::", "x"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct addr a;
        assert_false(addr_parse(bad[i], &a));
    }
}

static void every_v4_byte(void **state)
{
    (void)state;
    for (unsigned v = 0; v < 256; v++) {
        char want[32], text[ADDR_TEXT_MAX];
        struct addr a = addr_v4((uint8_t[]){(uint8_t)v, 0, (uint8_t)(255 - v), (uint8_t)v});
        snprintf(want, sizeof want, "%u.0.%u.%u", v, 255 - v, v);
        assert_int_equal(addr_text(&a, text), strlen(want));
        assert_string_equal(text, want);
        assert_true(addr_is_v4(&a));
    }
}

/* As inet_ntop writes it, wherever zeros stand. */
static void every_v6_shape(void **state)
{
    (void)state;
    static const uint16_t groups[4] = {0, 1, 0x20, 0xabcd};
    uint64_t seed = 1;
    for (unsigned zeros = 0; zeros < 256; zeros++)
        for (unsigned turn = 0; turn < 16; turn++) {
            char want[ADDR_TEXT_MAX], text[ADDR_TEXT_MAX];
            uint8_t b[16] = {0};
            for (unsigned i = 0; i < 8; i++) {
                seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
                unsigned v = turn < 4 ? groups[turn] : (unsigned)(seed >> 48) >> turn % 4 * 4;
                b[2 * i] = (uint8_t)(zeros >> i & 1 ? 0 : v >> 8);
                b[2 * i + 1] = (uint8_t)(zeros >> i & 1 ? 0 : v);
            }
            struct addr a = addr_v6(b);
            if (addr_is_v4(&a))
                continue;
            assert_non_null(inet_ntop(AF_INET6, b, want, sizeof want));
            assert_int_equal(addr_text(&a, text), strlen(want));
            assert_string_equal(text, want);
        }
}

static void kinds(void **state)
{
    (void)state;
    static const struct {
        const char *addr;
        bool is_group, is_private;
    } rows[] = {
        {"9.255.255.255", false, false},
        {"10.0.0.0", false, true},
        {"10.255.255.255", false, true},
        {"11.0.0.0", false, false},
        {"172.15.255.255", false, false},
        {"172.16.0.0", false, true},
        {"172.31.255.255", false, true},
        {"172.32.0.0", false, false},
        {"192.167.255.255", false, false},
        {"192.168.0.0", false, true},
        {"192.168.1.255", false, true},
        {"192.169.0.0", false, false},
        {"100.63.255.255", false, false},
        {"100.64.0.0", false, true},
        {"100.127.255.255", false, true},
        {"100.128.0.0", false, false},
        {"169.253.0.0", false, false},
        {"169.254.0.1", false, true},
        {"127.0.0.1", false, false},
        {"223.255.255.255", false, false},
        {"224.0.0.0", true, false},
        {"239.255.255.250", true, false},
        {"240.0.0.0", false, false},
        {"255.255.255.255", true, false},
        {"0.0.0.0", true, false},
        {"::", true, false},
        {"::1", false, false},
        {"fbff::", false, false},
        {"fc00::1", false, true},
        {"fdff::1", false, true},
        {"fe00::1", false, false},
        {"fe7f::", false, false},
        {"fe80::1", false, true},
        {"febf::1", false, true},
        {"fec0::1", false, false},
        {"ff02::fb", true, false},
        {"2001:db8::1", false, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct addr a = addr_of(rows[i].addr);
        if (addr_is_group(&a) != rows[i].is_group || addr_is_private(&a) != rows[i].is_private)
            fail_msg("%s", rows[i].addr);
    }
}

static void macs(void **state)
{
    (void)state;
    uint8_t mac[6] = {0};
    char text[MAC_TEXT_MAX];
    assert_true(mac_parse("AC:ca:54:00:70:15", mac));
    assert_memory_equal(mac, "\xac\xca\x54\x00\x70\x15", 6);
    assert_int_equal(mac_text(mac, text), 17);
    assert_string_equal(text, "ac:ca:54:00:70:15");
    static const char *const bad[] = {"",
                                      "ac:ca:54:00:70",
                                      "ac:ca:54:00:70:1",
                                      "ac:ca:54:00:70:1g",
                                      "ac:ca:54:00:70:15:",
                                      "ac-ca-54-00-70-15",
                                      "ac:ca:54: 0:70:15",
                                      "ac:ca:54:-0:70:15",
                                      "ac:ca:54:0x:70:15"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (mac_parse(bad[i], mac))
            fail_msg("\"%s\" parses", bad[i]);
}

static void networks(void **state)
{
    (void)state;
    static const struct {
        const char *net;
        unsigned bits;
        const char *in, *out; /* NULL: none */
    } rows[] = {
        {"10.0.0.0/8", 104, "10.255.255.255", "11.0.0.0"},
        {"10.128.0.0/9", 105, "10.128.0.0", "10.127.255.255"},
        {"192.168.1.4/30", 126, "192.168.1.7", "192.168.1.8"},
        {"192.168.1.5", 128, "192.168.1.5", "192.168.1.4"},
        {"0.0.0.0/0", 96, "255.1.2.3", "::1"},
        {"::/0", 0, "1.2.3.4", NULL},
        {"2001:db8::/33", 33, "2001:db8:7fff::", "2001:db8:8000::"},
        {"2001:db8::1/128", 128, "2001:db8::1", "2001:db8::"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct net n;
        assert_true(net_parse(rows[i].net, &n));
        assert_int_equal(n.bits, rows[i].bits);
        struct addr in = addr_of(rows[i].in);
        if (!net_has(&n, &in))
            fail_msg("%s lacks %s", rows[i].net, rows[i].in);
        if (rows[i].out == NULL)
            continue;
        struct addr out = addr_of(rows[i].out);
        if (net_has(&n, &out))
            fail_msg("%s has %s", rows[i].net, rows[i].out);
    }
    static const char *const bad[] = {"",
                                      "10.0.0.0/",
                                      "10.0.0.0/33",
                                      "10.0.0.1/8",
                                      "10.0.0.0/8x",
                                      "10.0.0.0/-1",
                                      "10.0.0.0/ 8",
                                      "10.0.0.0/+8",
                                      "::/129",
                                      "2001:db8::/16",
                                      "10.0.0.0/8/8",
                                      "/8"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct net n;
        if (net_parse(bad[i], &n))
            fail_msg("%s parses", bad[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_both_ways), cmocka_unit_test(every_v4_byte),
        cmocka_unit_test(every_v6_shape), cmocka_unit_test(kinds),
        cmocka_unit_test(macs),           cmocka_unit_test(networks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
