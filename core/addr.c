#include "core/addr.h"

#include "core/digits.h"

#include <arpa/inet.h>
#include <stdlib.h>

/* An octet and the dot behind it. */
#define TEN(tens)                                                                                  \
    tens "0.", tens "1.", tens "2.", tens "3.", tens "4.", tens "5.", tens "6.", tens "7.",        \
        tens "8.", tens "9."
static const char octets[256][5] = {
    TEN(""),   TEN("1"),  TEN("2"),  TEN("3"),  TEN("4"),  TEN("5"),  TEN("6"),  TEN("7"),
    TEN("8"),  TEN("9"),  TEN("10"), TEN("11"), TEN("12"), TEN("13"), TEN("14"), TEN("15"),
    TEN("16"), TEN("17"), TEN("18"), TEN("19"), TEN("20"), TEN("21"), TEN("22"), TEN("23"),
    TEN("24"), "250.",    "251.",    "252.",    "253.",    "254.",    "255.",
};

/* Dotted quad with its NUL; returns the end. */
static char *v4_text(const uint8_t b[4], char *p)
{
    for (int i = 0; i < 4; i++) {
        memcpy(p, octets[b[i]], 4);
        p += 2 + (b[i] >= 10) + (b[i] >= 100);
    }
    *--p = '\0';
    return p;
}

static char *hex_text(char *p, unsigned v)
{
    if (v >= 0x1000)
        return digits_hex(p, v, 2);
    if (v >= 0x100)
        *p++ = "0123456789abcdef"[v >> 8];
    if (v >= 0x10)
        return digits_byte(p, (uint8_t)v);
    *p++ = "0123456789abcdef"[v];
    return p;
}

/* The longest run of two zero groups or more, of equals the first: its length, 0 if there is none.
 */
static int longest_zeros(const unsigned group[8], int *at)
{
    int most = 0, n = 0;
    for (int i = 0; i < 8; i++) {
        n = group[i] == 0 ? n + 1 : 0;
        if (n >= 2 && n > most) {
            most = n;
            *at = i + 1 - n;
        }
    }
    return most;
}

static char *v6_text(const uint8_t b[16], char *p)
{
    unsigned group[8];
    int gap = 8, n;
    for (int i = 0; i < 8; i++)
        group[i] = (unsigned)b[2 * i] << 8 | b[2 * i + 1];
    n = longest_zeros(group, &gap);
    for (int i = 0; i < 8;) {
        if (i == gap) {
            p = (char *)memcpy(p, "::", 2) + 2;
            i += n;
            if (gap == 0 && n == 6) /* IPv4-compatible, as inet_ntop(3) writes it */
                return v4_text(b + 12, p);
            continue;
        }
        if (i > 0 && i != gap + n)
            *p++ = ':';
        p = hex_text(p, group[i++]);
    }
    *p = '\0';
    return p;
}

size_t addr_text(const struct addr *a, char text[static ADDR_TEXT_MAX])
{
    const char *end = addr_is_v4(a) ? v4_text(a->b + 12, text) : v6_text(a->b, text);
    return (size_t)(end - text);
}

bool addr_parse(const char *text, struct addr *a)
{
    uint8_t b[16];
    if (inet_pton(AF_INET, text, b) == 1)
        *a = addr_v4(b);
    else if (inet_pton(AF_INET6, text, b) == 1)
        *a = addr_v6(b);
    else
        return false;
    return true;
}

size_t mac_text(const uint8_t mac[static 6], char text[static MAC_TEXT_MAX])
{
    for (int i = 0; i < 6; i++) {
        digits_byte(text + 3 * i, mac[i]);
        text[3 * i + 2] = i < 5 ? ':' : '\0';
    }
    return MAC_TEXT_MAX - 1;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool mac_parse(const char *text, uint8_t mac[static 6])
{
    uint8_t found[6];
    if (strlen(text) != MAC_TEXT_MAX - 1)
        return false;
    for (int i = 0; i < 6; i++) {
        int high = hex_digit(text[3 * i]), low = hex_digit(text[3 * i + 1]);
        if (high < 0 || low < 0 || (i < 5 && text[3 * i + 2] != ':'))
            return false;
        found[i] = (uint8_t)(high << 4 | low);
    }
    memcpy(mac, found, sizeof found);
    return true;
}

bool net_has(const struct net *n, const struct addr *a)
{
    unsigned whole = n->bits / 8, rest = n->bits % 8;
    if (memcmp(n->base.b, a->b, whole) != 0)
        return false;
    return rest == 0 || (n->base.b[whole] ^ a->b[whole]) >> (8 - rest) == 0;
}

bool net_parse(const char *text, struct net *n)
{
    char host[ADDR_TEXT_MAX];
    const char *slash = strchr(text, '/');
    size_t len = slash != NULL ? (size_t)(slash - text) : strlen(text);
    if (len >= sizeof host)
        return false;
    memcpy(host, text, len);
    host[len] = '\0';
    struct net found = {.bits = 128};
    if (!addr_parse(host, &found.base))
        return false;
    if (slash != NULL) {
        unsigned most = addr_is_v4(&found.base) ? 32 : 128;
        char *end;
        unsigned long bits = strtoul(slash + 1, &end, 10);
        if (end == slash + 1 || *end != '\0' || slash[1] < '0' || slash[1] > '9' || bits > most)
            return false;
        found.bits = (uint8_t)(128 - most + bits);
    }
    for (unsigned i = found.bits; i < 128; i++)
        if (found.base.b[i / 8] >> (7 - i % 8) & 1)
            return false;
    *n = found;
    return true;
}
