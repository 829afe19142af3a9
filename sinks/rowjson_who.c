#include "sinks/rowjson_put.h"

/* Is there a byte among these eight that cannot stand for itself: below 0x20, above 0x7e, a quote
 * or a backslash? Never wrongly no. */
static inline bool any_escape(uint64_t v)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    uint64_t quote = (v ^ ones * '"') - ones, backslash = (v ^ ones * '\\') - ones;
    return ((v | (v + ones) | (v - ones * 0x20) | quote | backslash) & ones * 0x80) != 0;
}

static char *put_byte(char *p, uint8_t b)
{
    if (b >= 0x20 && b < 0x7f && b != '"' && b != '\\')
        return put_char(p, (char)b);
    if (b == '"' || b == '\\')
        return put_char(put_char(p, '\\'), (char)b);
    return b == 0 ? put_text(p, "\\u0100") : digits_byte(put_text(p, "\\u00"), b);
}

char *rowjson_put_string(char *p, const void *bytes, size_t len)
{
    const uint8_t *b = bytes;
    size_t i = 0;
    uint64_t v;
    p = put_char(p, '"');
    for (; i + sizeof v <= len; i += sizeof v) { /* names are long and plain */
        memcpy(&v, b + i, sizeof v);
        if (any_escape(v))
            break;
        p = put(p, &v, sizeof v);
    }
    if (i + sizeof v > len && i > 0 && i < len) { /* the last eight, some of them once more */
        memcpy(&v, b + len - sizeof v, sizeof v);
        if (!any_escape(v)) {
            memcpy(p + len - i - sizeof v, &v, sizeof v);
            p += len - i;
            i = len;
        }
    }
    for (; i < len; i++)
        p = put_byte(p, b[i]);
    return put_char(p, '"');
}

void rowjson_string(struct text_sink *t, const void *bytes, size_t len)
{
    text_reserve(t, ROWJSON_STRING_BYTES(len));
    if (!t->failed)
        rowjson_end(t, rowjson_put_string(t->p + t->len, bytes, len));
}

static uint32_t be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static size_t prefixed(char *text, const char *prefix, uint64_t v)
{
    char *end = digits_u64(put_char(put_text(text, prefix), ':'), v);
    *end = '\0';
    return (size_t)(end - text);
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
        return strlen(strcpy(text, name));
    *digits_hex(put_text(text, "id:"), site, 8) = '\0';
    return 3 + 16;
}

size_t rowjson_client(const struct client *c, char text[static ROWJSON_WHO_MAX])
{
    struct addr a;
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
        *digits_hex(put_text(text, "file:"), (uint64_t)be32(c->id) << 32 | be32(c->id + 4), 8) =
            '\0';
        return 5 + 16;
    case BY_NONE:
    case BY_N:
        break;
    }
    text[0] = '\0';
    return 0;
}
