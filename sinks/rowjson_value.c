#include "sinks/rowjson_value.h"

#include <assert.h>

bool value_number(const json_t *v, uint64_t max, uint64_t *out, struct err *e)
{
    json_int_t n = json_integer_value(v);
    if (!json_is_integer(v) || n < 0 || (uint64_t)n > max) {
        err_set(e, "no whole number from 0 to %llu", (unsigned long long)max);
        return false;
    }
    *out = (uint64_t)n;
    return true;
}

bool value_name(const json_t *v, const char *const names[], size_t n, uint64_t *out, struct err *e)
{
    const char *text = json_string_value(v);
    for (size_t i = 0; text != NULL && i < n; i++)
        if (names[i] != NULL && strcmp(text, names[i]) == 0) {
            *out = i;
            return true;
        }
    err_set(e, "\"%s\" is none of its words", text != NULL ? text : "");
    return false;
}

bool value_bits(const struct field *f, const json_t *v, uint64_t *out, struct err *e)
{
    uint64_t set = 0;
    if (!json_is_array(v))
        return value_wrong(e, "no list");
    for (size_t i = 0; i < json_array_size(v); i++) {
        const json_t *item = json_array_get(v, i);
        uint64_t bit;
        if (f->names != NULL ? !value_name(item, f->names, f->n, &bit, e)
                             : !value_number(item, f->n - 1u, &bit, e))
            return false;
        if (set >> bit != 0)
            return value_wrong(e, "a list out of order");
        set |= UINT64_C(1) << bit;
    }
    *out = set;
    return true;
}

/* ---- text */

bool value_bytes(const char *text, size_t len, uint8_t *to, size_t max, size_t *n, struct err *e)
{
    *n = 0;
    for (size_t i = 0; i < len; i++) { /* jansson gives valid UTF-8 only */
        unsigned c = (uint8_t)text[i];
        if (c >= 0xe0)
            return value_wrong(e, "a character that stands for no byte");
        if (c >= 0x80 && ++i < len)
            c = (c & 0x1f) << 6 | ((uint8_t)text[i] & 0x3f);
        if (c == 0 || c > 0x100)
            return value_wrong(e, "a character that stands for no byte");
        if (*n == max)
            return value_wrong(e, "text too long");
        to[(*n)++] = (uint8_t)c; /* 0x100 stands for 0 */
    }
    return true;
}

enum { TEXT_MAX = 16384 };

static bool intern(struct window *w, const char *text, size_t len, uint32_t *id, bool *nameless,
                   struct err *e)
{
    uint8_t bytes[TEXT_MAX];
    size_t n;
    if (!value_bytes(text, len, bytes, sizeof bytes, &n, e))
        return false;
    *id = window_intern(w, bytes, (uint32_t)n);
    if (*id == 0 && n > 0)
        *nameless = true;
    return true;
}

bool value_hex(const char *text, size_t digits, uint64_t *out)
{
    uint64_t v = 0;
    if (strnlen(text, digits + 1) != digits)
        return false;
    for (size_t i = 0; i < digits; i++) {
        char c = text[i];
        if (c >= '0' && c <= '9')
            v = v << 4 | (uint64_t)(c - '0');
        else if (c >= 'a' && c <= 'f')
            v = v << 4 | (uint64_t)(c - 'a' + 10);
        else
            return false;
    }
    *out = v;
    return true;
}

bool value_decimal(const char *text, uint64_t max, uint64_t *out)
{
    uint64_t v = 0;
    size_t n = strlen(text);
    if (n == 0 || n > 19 || (n > 1 && text[0] == '0'))
        return false;
    for (size_t i = 0; i < n; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        v = v * 10 + (uint64_t)(text[i] - '0');
    }
    *out = v;
    return v <= max;
}

/* Skips `prefix` in `text`. */
static bool after(const char **text, const char *prefix)
{
    size_t n = strlen(prefix);
    bool has = strncmp(*text, prefix, n) == 0;
    if (has)
        *text += n;
    return has;
}

/* ---- who */

bool value_site(struct window *w, const json_t *v, uint64_t *site, struct err *e)
{
    const char *text = json_string_value(v);
    uint64_t n;
    if (text == NULL || text[0] == '\0' || strlen(text) >= CONFIG_NAME_LEN)
        return value_wrong(e, "no site");
    if (strchr(text, ':') == NULL) {
        for (const char *p = text; *p != '\0'; p++)
            if (*p <= 0x20 || *p >= 0x7f)
                return value_wrong(e, "a site's name is printable ASCII");
        *site = window_site_name(w, text);
        return true;
    }
    if (after(&text, "id:") && value_hex(text, 16, site) && *site != 0)
        return true;
    enum site_kind kind = after(&text, "vlan:")  ? SITE_VLAN
                          : after(&text, "vni:") ? SITE_VNI
                          : after(&text, "gre:") ? SITE_GRE
                                                 : SITE_NAMED;
    if (kind == SITE_NAMED || !value_decimal(text, UINT32_MAX, &n))
        return value_wrong(e, "no site: a name, or vlan:, vni:, gre: or id: with its number");
    *site = site_of_number(kind, (uint32_t)n);
    return true;
}

static void to_be(uint8_t *to, uint64_t v, int bytes)
{
    for (int i = 0; i < bytes; i++)
        to[i] = (uint8_t)(v >> 8 * (bytes - 1 - i));
}

bool value_client_id(const json_t *v, struct client *c, struct err *e)
{
    const char *text = json_string_value(v);
    struct addr a;
    uint64_t n;
    bool ok = false;
    if (text == NULL)
        return value_wrong(e, "no text");
    if (after(&text, "mac:")) {
        c->by = BY_MAC;
        ok = mac_parse(text, c->id);
    } else if (after(&text, "addr:")) {
        c->by = BY_ADDR;
        ok = addr_parse(text, &a);
        memcpy(c->id, a.b, ok ? sizeof a.b : 0);
    } else if (after(&text, "file:")) {
        c->by = BY_FILE;
        ok = value_hex(text, 16, &n);
        to_be(c->id, ok ? n : 0, 8);
    } else if (after(&text, "vlan:") || after(&text, "vni:") || after(&text, "gre:")) {
        c->by = text[-2] == 'n' ? BY_VLAN : text[-2] == 'i' ? BY_VNI : BY_GRE;
        ok = value_decimal(text, UINT32_MAX, &n);
        to_be(c->id, ok ? n : 0, 4);
    }
    return ok
           || value_wrong(e,
                          "no client: mac:, addr:, vlan:, vni:, gre: or file: and what it names");
}

/* ---- keys */

static bool key_text(const struct field *f, const char *text, uint8_t *at, struct err *e)
{
    struct addr a;
    uint64_t n;
    switch ((enum field_type)f->type) {
    case F_ADDR:
        if (!addr_parse(text, &a))
            return value_wrong(e, "no address");
        memcpy(at, a.b, sizeof a.b);
        return true;
    case F_MAC:
        return mac_parse(text, at) || value_wrong(e, "no MAC address");
    case F_HEX16:
        if (text[0] != '0' || text[1] != 'x' || !value_hex(text + 2, 4, &n))
            return value_wrong(e, "not 0x and four hex digits");
        memcpy(at, &(uint16_t){(uint16_t)n}, 2);
        return true;
    case F_ID64:
        if (!value_hex(text, 16, &n))
            return value_wrong(e, "not 16 hex digits");
        memcpy(at, &n, 8);
        return true;
    default:
        assert(!"a key with a text");
        return false;
    }
}

bool value_key(struct window *w, const struct field *f, const json_t *v, uint8_t *at,
               bool *nameless, struct err *e)
{
    uint64_t n = 0;
    uint32_t id;
    switch ((enum field_type)f->type) {
    case F_SITE:
        if (!value_site(w, v, &n, e))
            return false;
        memcpy(at, &n, 8);
        return true;
    case F_U8:
        if (!value_number(v, UINT8_MAX, &n, e))
            return false;
        *at = (uint8_t)n;
        return true;
    case F_U16:
        if (!value_number(v, UINT16_MAX, &n, e))
            return false;
        memcpy(at, &(uint16_t){(uint16_t)n}, 2);
        return true;
    case F_U32:
        if (!value_number(v, UINT32_MAX, &n, e))
            return false;
        memcpy(at, &(uint32_t){(uint32_t)n}, 4);
        return true;
    case F_ENUM:
        if (!value_name(v, f->names, f->n, &n, e))
            return false;
        *at = (uint8_t)n;
        return true;
    case F_FLAG:
        if (!value_number(v, 1, &n, e))
            return false;
        *at = (uint8_t)n;
        return true;
    case F_BITS16:
        if (!value_bits(f, v, &n, e))
            return false;
        memcpy(at, &(uint16_t){(uint16_t)n}, 2);
        return true;
    default:
        break;
    }
    if (!json_is_string(v))
        return value_wrong(e, "no text");
    if (f->type != F_STR)
        return key_text(f, json_string_value(v), at, e);
    if (!intern(w, json_string_value(v), json_string_length(v), &id, nameless, e))
        return false;
    memcpy(at, &id, sizeof id);
    return true;
}

bool value_tally_key(struct window *w, unsigned family, const char *text, size_t len,
                     struct row_tally *row, bool *nameless, struct err *e)
{
    uint64_t n = 0, level = 0;
    char first[4];
    const char *colon;
    bool ok;
    switch ((enum tally)family) {
    case TALLY_TLS_SNI:
    case TALLY_QUIC_SNI:
        return intern(w, text, len, &row->key.name, nameless, e);
    case TALLY_TLS_CLIENT_VERSION:
    case TALLY_TLS_SERVER_VERSION:
    case TALLY_TLS_CIPHER:
    case TALLY_SSLV2_VERSION:
        ok = text[0] == '0' && text[1] == 'x' && value_hex(text + 2, 4, &n);
        break;
    case TALLY_TLS_ALERT:
        colon = strchr(text, ':');
        ok = colon != NULL && colon - text < (int)sizeof first;
        if (ok) {
            snprintf(first, sizeof first, "%.*s", (int)(colon - text), text);
            ok = value_decimal(first, 255, &level) && value_decimal(colon + 1, 255, &n);
        }
        n |= level << 8;
        break;
    default:
        ok = value_decimal(text, UINT32_MAX, &n);
    }
    if (!ok) {
        err_set(e, "\"%s\" is no code of this kind", text);
        return false;
    }
    row->key.code = (uint32_t)n;
    return true;
}

/* ---- order */

static int compare(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

static uint64_t whole(const uint8_t *p, size_t bytes)
{
    uint16_t v16;
    uint32_t v32;
    uint64_t v64;
    switch (bytes) {
    case 2:
        memcpy(&v16, p, 2);
        return v16;
    case 4:
        memcpy(&v32, p, 4);
        return v32;
    case 8:
        memcpy(&v64, p, 8);
        return v64;
    default:
        return *p;
    }
}

int value_order(const struct window *w, const struct field *f, const uint8_t *a, const uint8_t *b)
{
    switch ((enum field_type)f->type) {
    case F_CLIENT: {
        struct client x, y;
        memcpy(&x, a, sizeof x);
        memcpy(&y, b, sizeof y);
        int diff = compare(x.site, y.site);
        diff = diff != 0 ? diff : compare(x.kind, y.kind);
        diff = diff != 0 ? diff : compare(x.by, y.by);
        return diff != 0 ? diff : memcmp(x.id, y.id, sizeof x.id);
    }
    case F_ADDR:
        return memcmp(a, b, 16);
    case F_MAC:
        return memcmp(a, b, 6);
    case F_STR: {
        struct bytes x = window_string(w, (uint32_t)whole(a, 4));
        struct bytes y = window_string(w, (uint32_t)whole(b, 4));
        uint32_t least = x.len < y.len ? x.len : y.len;
        int diff = least > 0 ? memcmp(x.p, y.p, least) : 0;
        return diff != 0 ? diff : compare(x.len, y.len);
    }
    case F_U16:
    case F_HEX16:
    case F_BITS16:
        return compare(whole(a, 2), whole(b, 2));
    case F_U32:
        return compare(whole(a, 4), whole(b, 4));
    case F_SITE:
    case F_ID64:
        return compare(whole(a, 8), whole(b, 8));
    default: /* F_U8, F_ENUM, F_FLAG */
        return compare(*a, *b);
    }
}
