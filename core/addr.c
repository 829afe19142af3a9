#include "core/addr.h"

#include <arpa/inet.h>
#include <stdlib.h>

size_t addr_text(const struct addr *a, char text[static ADDR_TEXT_MAX])
{
    if (addr_is_v4(a)) {
        char *p = text;
        for (int i = 12; i < 16; i++) { /* inet_ntop goes through printf: too slow for rows */
            unsigned v = a->b[i];
            if (v >= 100)
                *p++ = (char)('0' + v / 100);
            if (v >= 10)
                *p++ = (char)('0' + v / 10 % 10);
            *p++ = (char)('0' + v % 10);
            *p++ = '.';
        }
        *--p = '\0';
        return (size_t)(p - text);
    }
    if (inet_ntop(AF_INET6, a->b, text, ADDR_TEXT_MAX) == NULL)
        text[0] = '\0';
    return strlen(text);
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
    static const char hex[] = "0123456789abcdef";
    for (int i = 0; i < 6; i++) {
        text[3 * i] = hex[mac[i] >> 4];
        text[3 * i + 1] = hex[mac[i] & 15];
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
