/* What a connection speaks in clear before TLS, or in its place: one row a conversation, at the
 * edge of an unmapped page; and every prefix of each segment. */
#include "decoders/stream_via.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "tests/guard.h"

#define LDAP_START                                                                                 \
    "\x30\x1d\x02\x01\x01\x77\x18\x80\x16"                                                         \
    "1.3.6.1.4.1.1466.20037"

struct line {
    bool client;
    const char *p;
    size_t n;
};
#define C(text)                                                                                    \
    {                                                                                              \
        true, text, sizeof text - 1                                                                \
    }
#define S(text)                                                                                    \
    {                                                                                              \
        false, text, sizeof text - 1                                                               \
    }

static const struct {
    const char *name;
    uint16_t port;
    struct line lines[6];
    uint8_t via;
    bool asked, clear;
} rows[] = {
    {"SMTP, TLS",
     25,
     {S("220 x"), C("EHLO a"), C("STARTTLS\r\n"), S("220 go"), C("\x16\x03\x01")},
     VIA_SMTP,
     true,
     false},
    {"SMTP, clear",
     25,
     {S("220 x"), C("EHLO a"), C("starttls\r\n"), S("454 no"), C("MAIL FROM:")},
     VIA_SMTP,
     true,
     true},
    {"SMTP, left",
     25,
     {S("220 x"), C("EHLO a"), C("STARTTLS\r\n"), S("454 no"), C("QUIT\r\n")},
     VIA_SMTP,
     true,
     false},
    {"SMTP, asks twice",
     25,
     {C("EHLO a"), C("STARTTLS\r\n"), S("454 no"), C("STARTTLS\r\n")},
     VIA_SMTP,
     true,
     false},
    {"SMTP, never asks", 25, {S("220 x"), C("EHLO a"), C("MAIL FROM:")}, VIA_SMTP, false, false},
    {"what the server says does not ask",
     25,
     {S("220 x"), C("EHLO a"), S("STARTTLS"), C("MAIL")},
     VIA_SMTP,
     false,
     false},
    {"a hello of SSLv2 format",
     25,
     {C("EHLO a"), C("STARTTLS\r\n"), C("\x80\x2e\x01")},
     VIA_SMTP,
     true,
     false},
    {"IMAP", 143, {S("* OK"), C("a1 starttls\r\n"), C("a2 LOGIN a b\r\n")}, VIA_IMAP, true, true},
    {"IMAP, left",
     143,
     {S("* OK"), C("a1 STARTTLS\r\n"), C("a2 LOGOUT\r\n")},
     VIA_IMAP,
     true,
     false},
    {"IMAP, a tag alone", 143, {S("* OK"), C("a1 STARTTLS\r\n"), C("a2 ")}, VIA_IMAP, true, false},
    {"POP3", 110, {S("+OK"), C("STLS\r\n"), C("USER a\r\n")}, VIA_POP3, true, true},
    {"FTP, the other way",
     21,
     {S("220 x"), C("AUTH TLS"), S("500 no"), C("AUTH SSL")},
     VIA_FTP,
     true,
     false},
    {"FTP", 21, {S("220 x"), C("AUTH SSL"), S("500 no"), C("USER a")}, VIA_FTP, true, true},
    {"XMPP", 5222, {C("<stream:stream>"), C("<starttls/>"), C("<auth>")}, VIA_XMPP, true, true},
    {"XMPP, left",
     5222,
     {C("<stream:stream>"), C("<starttls/>"), C("</stream:stream>")},
     VIA_XMPP,
     true,
     false},
    {"PostgreSQL",
     5432,
     {C("\0\0\0\x08\x04\xd2\x16\x2f"), S("N"), C("\0\0\0\x09\0\3\0\0\0")},
     VIA_POSTGRESQL,
     true,
     true},
    {"LDAP",
     389,
     {C(LDAP_START), C("\x30\x0c\x02\x01\x02\x60\x07\x02\x01\x03\x04\0\x80\0")},
     VIA_LDAP,
     true,
     true},
    {"LDAP, unbound", 389, {C(LDAP_START), C("\x30\x05\x02\x01\x02\x42\0")}, VIA_LDAP, true, false},
    {"MySQL, a request in clear after its SSLRequest",
     3306,
     {C("\x20\0\0\1\0\x08\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"),
      C("\x8a\0\0\2\1\2")},
     VIA_MYSQL,
     true,
     true},
    {"MySQL, TLS",
     3306,
     {C("\x20\0\0\1\0\x08\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"),
      C("\x16\x03\1")},
     VIA_MYSQL,
     true,
     false},
    {"HTTP on port 443",
     443,
     {C("GET / HTTP/1.1\r\n\r\n"), S("HTTP/1.1 200 OK\r\n")},
     VIA_HTTP,
     false,
     true},
    {"HTTP on port 443, refused",
     443,
     {C("GET / HTTP/1.1\r\n\r\n"), S("HTTP/1.1 400 Bad\r\n")},
     VIA_HTTP,
     false,
     false},
    {"another port",
     80,
     {C("GET / HTTP/1.1\r\n\r\n"), S("HTTP/1.1 200 OK\r\n")},
     VIA_DIRECT,
     false,
     false},
    {"a proxy on port 443",
     443,
     {C("CONNECT a:443 HTTP/1.1\r\n\r\n"), S("HTTP/1.1 200 OK\r\n")},
     VIA_HTTP_CONNECT,
     false,
     false},
};

static uint8_t next(uint8_t known, const struct line *l, size_t n, uint16_t port)
{
    const uint8_t *p = guard_copy(l->p, n);
    uint8_t now = stream_via(known, p, n, 40000, port);
    if (!stream_via_maybe(p, n))
        assert_int_equal(now, known);
    uint8_t after = stream_via_clear(now, l->client, p, n, port);
    if (stream_via_settled(now, l->client, port))
        assert_int_equal(after, now);
    return after;
}

static void conversations(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint8_t known = 0;
        for (size_t k = 0; k < 6 && rows[i].lines[k].p != NULL; k++)
            known = next(known, &rows[i].lines[k], rows[i].lines[k].n, rows[i].port);
        bool good = (known & STREAM_VIA) == rows[i].via
                    && ((known & STREAM_VIA_ASKED) != 0) == rows[i].asked
                    && ((known & STREAM_VIA_CLEAR) != 0) == rows[i].clear;
        if (!good)
            fail_msg("%s: %02x", rows[i].name, known);
    }
}

/* Any beginning of any segment is read within its bounds, and what is known stays a protocol. */
static void prefixes(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (size_t k = 0; k < 6 && rows[i].lines[k].p != NULL; k++)
            for (size_t n = 1; n <= rows[i].lines[k].n; n++)
                for (unsigned known = 0; known < 256; known++)
                    assert_true(
                        (next((uint8_t)known, &rows[i].lines[k], n, rows[i].port) & STREAM_VIA)
                            < VIA_N
                        || (known & STREAM_VIA) >= VIA_N);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(conversations), cmocka_unit_test(prefixes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
