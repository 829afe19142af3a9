#include "sinks/rowjson_put.h"

#include <stdio.h>

void rowjson_string(struct text_sink *t, const void *p, size_t len)
{
    const uint8_t *b = p;
    put1(t, '"');
    for (size_t i = 0; i < len;) {
        size_t run = i;
        while (run < len && b[run] >= 0x20 && b[run] < 0x7f && b[run] != '"' && b[run] != '\\')
            run++;
        put(t, b + i, run - i);
        if (run == len)
            break;
        char escape[6] = {'\\', 'u', '0', '0', hex_digits[b[run] >> 4], hex_digits[b[run] & 15]};
        if (b[run] == '"' || b[run] == '\\')
            put(t, (char[]){'\\', (char)b[run]}, 2);
        else if (b[run] == 0)
            put(t, "\\u0100", 6);
        else
            put(t, escape, sizeof escape);
        i = run + 1;
    }
    put1(t, '"');
}

static uint32_t be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static size_t prefixed(char *text, const char *prefix, uint64_t v)
{
    return (size_t)snprintf(text, ROWJSON_WHO_MAX, "%s:%llu", prefix, (unsigned long long)v);
}

size_t rowjson_site(const struct window *w, uint64_t site, char text[static ROWJSON_WHO_MAX])
{
    static const char *const kinds[] = {
        [SITE_VLAN] = "vlan", [SITE_VNI] = "vni", [SITE_GRE] = "gre"};
    text[0] = '\0';
    if (site == 0)
        return 0;
    uint64_t kind = site >> 56;
    if (kind >= SITE_VLAN && kind <= SITE_GRE && (site & 0x00ffffff00000000) == 0)
        return prefixed(text, kinds[kind], (uint32_t)site);
    const char *name = window_site(w, site);
    if (name != NULL && strchr(name, ':') == NULL && strlen(name) < ROWJSON_WHO_MAX)
        return (size_t)snprintf(text, ROWJSON_WHO_MAX, "%s", name);
    memcpy(text, "id:", 3);
    text[3 + hex_text(text + 3, site, 16)] = '\0';
    return 3 + 16;
}

size_t rowjson_client(const struct client *c, char text[static ROWJSON_WHO_MAX])
{
    struct addr a;
    size_t n = 0;
    switch ((enum client_by)c->by) {
    case BY_MAC:
        memcpy(text, "mac:", 4);
        return 4 + mac_text(c->id, text + 4);
    case BY_ADDR:
        memcpy(a.b, c->id, sizeof a.b);
        memcpy(text, "addr:", 5);
        return 5 + addr_text(&a, text + 5);
    case BY_VLAN:
        return prefixed(text, "vlan", be32(c->id));
    case BY_VNI:
        return prefixed(text, "vni", be32(c->id));
    case BY_GRE:
        return prefixed(text, "gre", be32(c->id));
    case BY_FILE:
        memcpy(text, "file:", 5);
        n = 5 + hex_text(text + 5, (uint64_t)be32(c->id) << 32 | be32(c->id + 4), 16);
        break;
    case BY_NONE:
    case BY_N:
        break;
    }
    text[n] = '\0';
    return n;
}
