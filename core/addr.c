#include "core/addr.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

bool addr_is_group(const struct addr *a)
{
    static const struct addr none = {{0}};
    if (addr_is_v4(a)) {
        const uint8_t *v4 = a->b + 12;
        bool broadcast = v4[0] == 255 && v4[1] == 255 && v4[2] == 255 && v4[3] == 255;
        bool unspecified = (v4[0] | v4[1] | v4[2] | v4[3]) == 0;
        return (v4[0] & 0xf0) == 0xe0 || broadcast || unspecified;
    }
    return a->b[0] == 0xff || addr_equal(a, &none);
}

bool addr_is_private(const struct addr *a)
{
    if (addr_is_v4(a)) {
        const uint8_t *v4 = a->b + 12;
        return v4[0] == 10 || (v4[0] == 172 && (v4[1] & 0xf0) == 16)
               || (v4[0] == 192 && v4[1] == 168) || (v4[0] == 100 && (v4[1] & 0xc0) == 64)
               || (v4[0] == 169 && v4[1] == 254);
    }
    return (a->b[0] & 0xfe) == 0xfc || (a->b[0] == 0xfe && (a->b[1] & 0xc0) == 0x80);
}

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

bool mac_parse(const char *text, uint8_t mac[static 6])
{
    unsigned v[6];
    int end = 0;
    if (strlen(text) != MAC_TEXT_MAX - 1
        || sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%n", &v[0], &v[1], &v[2], &v[3], &v[4], &v[5], &end)
               != 6
        || end != MAC_TEXT_MAX - 1)
        return false;
    for (int i = 0; i < 6; i++)
        mac[i] = (uint8_t)v[i];
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
