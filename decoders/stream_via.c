#include "decoders/stream_via.h"

#include <strings.h>

static bool begins(const uint8_t *p, size_t n, const char *text)
{
    size_t len = strlen(text);
    return n >= len && strncasecmp((const char *)p, text, len) == 0;
}

/* PostgreSQL's SSLRequest: length 8, then its code. */
static bool postgresql(const uint8_t *p, size_t n)
{
    static const uint8_t request[8] = {0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f};
    return n == sizeof request && memcmp(p, request, sizeof request) == 0;
}

/* MySQL's greeting: u24 length, number 0, protocol 10, a version in digits; its SSLRequest: 32
 * bytes, number 1. */
static bool mysql(const uint8_t *p, size_t n)
{
    if (n < 7 || (p[1] | p[2]) != 0)
        return false;
    bool greeting = p[3] == 0 && p[4] == 10 && p[5] >= '0' && p[5] <= '9';
    bool request = p[0] == 32 && p[3] == 1 && n == 36 && p[5] & 0x08;
    return greeting || request;
}

/* An ExtendedRequest (RFC 4511 4.12) of StartTLS, near the start of its message. */
static bool ldap(const uint8_t *p, size_t n)
{
    static const char oid[] = "1.3.6.1.4.1.1466.20037";
    if (n < 2 + sizeof oid || p[0] != 0x30)
        return false;
    for (size_t at = 2; at <= 12 && at + sizeof oid - 1 <= n; at++)
        if (memcmp(p + at, oid, sizeof oid - 1) == 0)
            return true;
    return false;
}

/* RFC 1928 3; SOCKS 4: version, command, port, address, user. */
static bool socks(const uint8_t *p, size_t n)
{
    if (p[0] == 5)
        return n >= 3 && p[1] > 0 && n == 2u + p[1];
    return p[0] == 4 && n >= 9 && (p[1] == 1 || p[1] == 2) && p[n - 1] == 0;
}

static const struct {
    const char *begin;
    uint8_t via;
} texts[] = {
    {"220", VIA_SMTP}, /* or FTP: the client tells */
    {"EHLO ", VIA_SMTP | STREAM_VIA_SURE},
    {"LHLO ", VIA_SMTP | STREAM_VIA_SURE},
    {"HELO ", VIA_SMTP | STREAM_VIA_SURE},
    {"AUTH TLS", VIA_FTP | STREAM_VIA_SURE},
    {"AUTH SSL", VIA_FTP | STREAM_VIA_SURE},
    {"USER ", VIA_FTP},
    {"FEAT", VIA_FTP},
    {"* OK", VIA_IMAP | STREAM_VIA_SURE},
    {"* PREAUTH", VIA_IMAP | STREAM_VIA_SURE},
    {"+OK", VIA_POP3 | STREAM_VIA_SURE},
    {"STLS", VIA_POP3 | STREAM_VIA_SURE},
    {"<?xml", VIA_XMPP},
    {"<stream:stream", VIA_XMPP | STREAM_VIA_SURE},
    {"<starttls", VIA_XMPP | STREAM_VIA_SURE},
    {"CONNECT ", VIA_HTTP_CONNECT | STREAM_VIA_SURE},
};

uint8_t stream_via(uint8_t known, const uint8_t *p, size_t n, uint16_t port_a, uint16_t port_b)
{
    enum { FTP_PORT = 21 };
    if (known & STREAM_VIA_SURE)
        return known;
    if (p[0] < 0x20) {
        if (postgresql(p, n))
            return VIA_POSTGRESQL | STREAM_VIA_SURE;
        if (socks(p, n))
            return VIA_SOCKS | STREAM_VIA_SURE;
    }
    if (mysql(p, n))
        return VIA_MYSQL | STREAM_VIA_SURE;
    if (p[0] == 0x30 && ldap(p, n))
        return VIA_LDAP | STREAM_VIA_SURE;
    for (unsigned i = 0; i < sizeof texts / sizeof *texts; i++)
        if ((texts[i].begin[0] | 0x20) == (p[0] | 0x20) && begins(p, n, texts[i].begin)) {
            bool ftp = texts[i].via == VIA_SMTP && (port_a == FTP_PORT || port_b == FTP_PORT);
            return ftp ? VIA_FTP : texts[i].via;
        }
    return known;
}
