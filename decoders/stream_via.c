#include "decoders/stream_via.h"

#include "decoders/http.h"

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

/* MySQL's SSLRequest: 32 bytes, number 1, with its bit among the capabilities. */
static bool mysql_request(const uint8_t *p, size_t n)
{
    return n == 36 && p[0] == 32 && (p[1] | p[2]) == 0 && p[3] == 1 && p[5] & 0x08;
}

/* MySQL's greeting: u24 length, number 0, protocol 10, a version in digits; or that. */
static bool mysql(const uint8_t *p, size_t n)
{
    if (n < 7 || (p[1] | p[2]) != 0)
        return false;
    bool greeting = p[3] == 0 && p[4] == 10 && p[5] >= '0' && p[5] <= '9';
    return greeting || mysql_request(p, n);
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

/* ---- TLS that does not come */

/* What follows the tag of an IMAP command; `*n` is then what is left. */
static const uint8_t *behind_tag(const uint8_t *p, size_t *n)
{
    enum { TAG_MAX = 32 };
    const uint8_t *blank = memchr(p, ' ', *n < TAG_MAX ? *n : TAG_MAX);
    if (blank == NULL)
        return p;
    *n -= (size_t)(blank + 1 - p);
    return blank + 1;
}

/* Does the client ask for TLS? */
static bool asks(uint8_t via, const uint8_t *p, size_t n)
{
    switch (via) {
    case VIA_SMTP:
    case VIA_IMAP:
        return begins(p, n, "STARTTLS");
    case VIA_POP3:
        return begins(p, n, "STLS");
    case VIA_FTP:
        return begins(p, n, "AUTH TLS") || begins(p, n, "AUTH SSL");
    case VIA_XMPP:
        return begins(p, n, "<starttls");
    case VIA_POSTGRESQL:
        return postgresql(p, n);
    case VIA_LDAP:
        return ldap(p, n);
    case VIA_MYSQL:
        return mysql_request(p, n);
    default:
        return false;
    }
}

/* Does it only say that it leaves? */
static bool leaves(uint8_t via, const uint8_t *p, size_t n)
{
    enum { LDAP_UNBIND = 0x42, MYSQL_QUIT = 1 };
    switch (via) {
    case VIA_IMAP:
        return begins(p, n, "LOGOUT");
    case VIA_XMPP:
        return begins(p, n, "</stream");
    case VIA_LDAP: /* [APPLICATION 2] NULL ends the message */
        return n >= 7 && p[n - 2] == LDAP_UNBIND && p[n - 1] == 0;
    case VIA_MYSQL:
        return n == 5 && p[4] == MYSQL_QUIT;
    default:
        return begins(p, n, "QUIT");
    }
}

/* A record of TLS, or a hello of SSLv2 format, may begin so. */
static bool may_be_tls(uint8_t via, const uint8_t *p)
{
    return p[0] == 0x16 || (p[0] & 0x80 && via != VIA_MYSQL);
}

uint8_t stream_via_clear(uint8_t known, bool from_client, const uint8_t *p, size_t n,
                         uint16_t service_port)
{
    enum {
        HTTPS = 443,
        BAD_REQUEST = 400, /* what such servers say to clear text */
        WHOLE_METHOD = 8   /* "CONNECT " */
    };
    uint8_t via = known & STREAM_VIA;
    if (known & STREAM_VIA_CLEAR)
        return known;
    if (via == VIA_HTTP && !from_client) {
        unsigned status = http_status(cur_of(p, n, SIZE_MAX));
        return status != 0 && status != BAD_REQUEST ? known | STREAM_VIA_CLEAR : known;
    }
    if (!from_client)
        return known;
    if (via == VIA_DIRECT && service_port == HTTPS && n >= WHOLE_METHOD
        && http_plausible_request(cur_of(p, n, SIZE_MAX)))
        return (known & ~STREAM_VIA) | VIA_HTTP | STREAM_VIA_SURE;
    if (via == VIA_IMAP)
        p = behind_tag(p, &n);
    if (n == 0)
        return known;
    if (asks(via, p, n))
        return known | STREAM_VIA_ASKED;
    bool on = known & STREAM_VIA_ASKED && !may_be_tls(via, p) && !leaves(via, p, n);
    return on ? known | STREAM_VIA_CLEAR : known;
}
