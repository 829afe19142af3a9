#include "decoders/http.h"
#include "tests/guard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define COUNT(rows) (sizeof(rows) / sizeof *(rows))

static enum outcome decode(const void *bytes, size_t len, bool snapped, struct http_request *r)
{
    return http_request_decode(cur_of(guard_copy(bytes, len), len, len + snapped), r);
}

static void text_is(struct bytes b, const char *want)
{
    if (want == NULL ? b.p != NULL : b.len != strlen(want) || memcmp(b.p, want, b.len) != 0)
        fail_msg("\"%.*s\", wanted \"%s\"", (int)b.len, b.p ? (const char *)b.p : "", want);
}

static void requests(void **state)
{
    (void)state;
    static const struct {
        const char *head;
        uint8_t call;
        const char *host, *user_agent, *product, *hw;
        bool has_mac;
        uint64_t body_len;
    } rows[] = {
        {"GET /server/assign?protocolVersion=3&mac=ACCA54007015 HTTP/1.1\r\nHost: "
         "api.telldus.com\r\n"
         "User-Agent: Tellstick/1.0\r\n\r\n",
         HTTP_ASSIGN, "api.telldus.com", "Tellstick/1.0", NULL, NULL, true, 0},
        {"GET /versions.xml?mac=ac%3Aca%3A54%3A00%3A70%3A15&hw=2&product=tellstick-znet%20lite "
         "HTTP/1.0\r\nhost:fw.telldus.com \r\n\r\n",
         HTTP_VERSIONS, "fw.telldus.com", NULL, "tellstick-znet%20lite", "2", true, 0},
        {"GET http://api.telldus.com/server/assign?mac=AC:CA:54:00:70:15#x HTTP/1.1\r\n\r\n",
         HTTP_ASSIGN, NULL, NULL, NULL, NULL, true, 0},
        {"GET /server/assign?mac=AC-CA-54-00-70-15&mac=000000000000 HTTP/1.1\n\n", HTTP_ASSIGN,
         NULL, NULL, NULL, NULL, true, 0},
        {"GET /server/assign?mac=ACCA540070 HTTP/1.1\r\n\r\n", HTTP_ASSIGN, NULL, NULL, NULL, NULL,
         false, 0},
        {"GET /server/assign?mac=ACCA5400701500 HTTP/1.1\r\n\r\n", HTTP_ASSIGN, NULL, NULL, NULL,
         NULL, false, 0},
        {"GET /server/assign?mac=ACCA5400701g HTTP/1.1\r\n\r\n", HTTP_ASSIGN, NULL, NULL, NULL,
         NULL, false, 0},
        {"GET /server/assign HTTP/1.1\r\n\r\n", HTTP_ASSIGN, NULL, NULL, NULL, NULL, false, 0},
        {"GET /server/assigned?mac=ACCA54007015 HTTP/1.1\r\n\r\n", HTTP_OTHER, NULL, NULL, NULL,
         NULL, false, 0},
        {"POST /server/assign?mac=ACCA54007015 HTTP/1.1\r\nContent-Length: 12\r\n\r\n", HTTP_OTHER,
         NULL, NULL, NULL, NULL, false, 12},
        {"\r\nGET / HTTP/1.1\r\nHost: a\r\nHOST: b\r\nX-Empty:\r\n folded\r\nuser-AGENT: u\r\n\r\n",
         HTTP_OTHER, "a", "u", NULL, NULL, false, 0},
        {"CONNECT a:443 HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\n", HTTP_OTHER,
         NULL, NULL, NULL, NULL, false, 3},
        {"OPTIONS * HTTP/1.1\r\nHost:\r\n\r\n", HTTP_OTHER, NULL, NULL, NULL, NULL, false, 0},
    };
    static const uint8_t mac[6] = {0xac, 0xca, 0x54, 0, 0x70, 0x15};
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct http_request r, before;
        char more[512];
        size_t len = strlen(rows[i].head);
        snprintf(more, sizeof more, "%sbody", rows[i].head);
        memset(&r, 0x5a, sizeof r);
        before = r;
        /* Cut at every byte: wait for more; and if no more can come, it is broken. */
        for (size_t cut = 0; cut < len; cut++) {
            enum outcome got = decode(more, cut, true, &r);
            if (got != OUT_TRUNCATED)
                fail_msg("row %zu cut at %zu: %s", i, cut, outcome_name[got]);
            assert_int_equal(decode(more, cut, false, &r), OUT_MALFORMED);
            assert_memory_equal(&r, &before, sizeof r);
        }
        for (size_t extra = 0; extra <= 4; extra += 4) {
            assert_int_equal(decode(more, len + extra, true, &r), OUT_OK);
            assert_int_equal(r.head_len, len);
            assert_int_equal(r.call, rows[i].call);
            assert_int_equal(r.body_len, rows[i].body_len);
            assert_int_equal(r.has_mac, rows[i].has_mac);
            if (r.has_mac)
                assert_memory_equal(r.mac, mac, 6);
            text_is(r.host, rows[i].host);
            text_is(r.user_agent, rows[i].user_agent);
            text_is(r.product, rows[i].product);
            text_is(r.hw, rows[i].hw);
        }
    }
}

static void broken_requests(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t len;
    } rows[] = {
#define ROW(s) {s, sizeof s - 1}
        ROW("HTTP/1.1 200 OK\r\n\r\n"),
        ROW("\x16\x03\x01\x02\0\x01"),
        ROW("get / HTTP/1.1\r\n\r\n"),
        ROW("GET  HTTP/1.1\r\n\r\n"),
        ROW("GET /\r\n\r\n"),
        ROW("GET / HTTP/2.0\r\n\r\n"),
        ROW("GET / HTTP/1.1 \r\n\r\n"),
        ROW("GET / HTTP/1.1\r\nno colon\r\n\r\n"),
        ROW("GET / HTTP/1.1\r\nHost : a\r\n\r\n"),
        ROW("GET / HTTP/1.1\r\n: a\r\n\r\n"),
        ROW("GET / HTTP/1.1\r\nHost: a\0b\r\n\r\n"),
        ROW("GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n"),
        ROW("GET / HTTP/1.1\r\nContent-Length:\r\n\r\n"),
        ROW("GET / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n"),
        ROW("GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"),
        ROW("\r\n\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\n\r\n"),
    };
    struct http_request r;
    for (size_t i = 0; i < COUNT(rows); i++)
        if (decode(rows[i].bytes, rows[i].len, true, &r) != OUT_MALFORMED)
            fail_msg("row %zu", i);
}

static void heads_have_a_limit(void **state)
{
    (void)state;
    static char head[10000];
    struct http_request r;
    for (size_t len = 8190; len <= 8194; len++) {
        memset(head, 'x', sizeof head);
        memcpy(head, "GET / HTTP/1.1\r\nX: ", 19);
        memcpy(head + len - 4, "\r\n\r\n", 4);
        assert_int_equal(decode(head, len, true, &r), len <= 8192 ? OUT_OK : OUT_MALFORMED);
        assert_int_equal(decode(head, sizeof head, true, &r), len <= 8192 ? OUT_OK : OUT_MALFORMED);
        assert_int_equal(decode(head, len - 1, true, &r),
                         len <= 8192 ? OUT_TRUNCATED : OUT_MALFORMED);
    }
}

static void what_looks_like_a_request(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        bool snapped, want;
    } rows[] = {
        {"GET / HTTP/1.1", false, true},
        {"POST /", false, true},
        {"CONNECT x", true, true},
        {"GE", true, true},
        {"GE", false, false},
        {"", true, false},
        {"GETS", true, false},
        {"get ", true, false},
        {"HTTP/1.1 200", true, false},
        {"GET\t", true, false},
        {"GET ", false, true},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        size_t len = strlen(rows[i].bytes);
        const uint8_t *p = guard_copy(rows[i].bytes, len);
        if (http_plausible_request(cur_of(p, len, len + rows[i].snapped)) != rows[i].want)
            fail_msg("row %zu", i);
    }
}

static void status_codes(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        unsigned want;
    } rows[] = {
        {"HTTP/1.1 200 OK\r\n", 200}, {"HTTP/1.0 404\r\n", 404}, {"HTTP/1.1 301\n", 301},
        {"HTTP/1.1 99 x", 0},         {"HTTP/1.1 600 x", 0},     {"HTTP/1.1 2000 ", 0},
        {"HTTP/2.0 200 OK", 0},       {"HTTP/1.x 200 OK", 0},    {"HTTP/1.1  200 ", 0},
        {"HTTP/1.1 599 ", 599},       {"HTTP/1.1 100 ", 100},    {"GET / HTTP/1.1", 0},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        size_t len = strlen(rows[i].bytes);
        if (http_status(cur_of(guard_copy(rows[i].bytes, len), len, len)) != rows[i].want)
            fail_msg("row %zu", i);
        for (size_t cut = 0; cut < 13; cut++)
            assert_int_equal(http_status(cur_of(guard_copy(rows[i].bytes, cut), cut, len)), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests),           cmocka_unit_test(broken_requests),
        cmocka_unit_test(heads_have_a_limit), cmocka_unit_test(what_looks_like_a_request),
        cmocka_unit_test(status_codes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
