#include "sinks/rowjson_value.h"

#include "sinks/rowjson_offer.h"

#include <assert.h>

static bool wrong(struct err *e, const char *what)
{
    err_set(e, "%s", what);
    return false;
}

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

/* ---- text */

bool value_bytes(const char *text, size_t len, uint8_t *to, size_t max, size_t *n, struct err *e)
{
    *n = 0;
    for (size_t i = 0; i < len; i++) { /* jansson gives valid UTF-8 only */
        unsigned c = (uint8_t)text[i];
        if (c >= 0xe0)
            return wrong(e, "a character that stands for no byte");
        if (c >= 0x80 && ++i < len)
            c = (c & 0x1f) << 6 | ((uint8_t)text[i] & 0x3f);
        if (c == 0 || c > 0x100)
            return wrong(e, "a character that stands for no byte");
        if (*n == max)
            return wrong(e, "text too long");
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

/* A decimal number up to `max` without sign or leading zeros, to the end of `text`. */
static bool decimal(const char *text, uint64_t max, uint64_t *out)
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
        return wrong(e, "no site");
    if (strchr(text, ':') == NULL) {
        for (const char *p = text; *p != '\0'; p++)
            if (*p <= 0x20 || *p >= 0x7f)
                return wrong(e, "a site's name is printable ASCII");
        *site = window_site_name(w, text);
        return true;
    }
    if (after(&text, "id:") && value_hex(text, 16, site) && *site != 0)
        return true;
    enum site_kind kind = after(&text, "vlan:")  ? SITE_VLAN
                          : after(&text, "vni:") ? SITE_VNI
                          : after(&text, "gre:") ? SITE_GRE
                                                 : SITE_NAMED;
    if (kind == SITE_NAMED || !decimal(text, UINT32_MAX, &n))
        return wrong(e, "no site: a name, or vlan:, vni:, gre: or id: with its number");
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
        return wrong(e, "no text");
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
        ok = decimal(text, UINT32_MAX, &n);
        to_be(c->id, ok ? n : 0, 4);
    }
    return ok || wrong(e, "no client: mac:, addr:, vlan:, vni:, gre: or file: and what it names");
}

/* ---- keys */

static bool key_text(const struct field *f, const char *text, uint8_t *at, struct err *e)
{
    struct addr a;
    uint64_t n;
    switch ((enum field_type)f->type) {
    case F_ADDR:
        if (!addr_parse(text, &a))
            return wrong(e, "no address");
        memcpy(at, a.b, sizeof a.b);
        return true;
    case F_MAC:
        return mac_parse(text, at) || wrong(e, "no MAC address");
    case F_HEX16:
        if (text[0] != '0' || text[1] != 'x' || !value_hex(text + 2, 4, &n))
            return wrong(e, "not 0x and four hex digits");
        memcpy(at, &(uint16_t){(uint16_t)n}, 2);
        return true;
    case F_ID64:
        if (!value_hex(text, 16, &n))
            return wrong(e, "not 16 hex digits");
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
    default:
        break;
    }
    if (!json_is_string(v))
        return wrong(e, "no text");
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
            ok = decimal(first, 255, &level) && decimal(colon + 1, 255, &n);
        }
        n |= level << 8;
        break;
    default:
        ok = decimal(text, UINT32_MAX, &n);
    }
    if (!ok) {
        err_set(e, "\"%s\" is no code of this kind", text);
        return false;
    }
    row->key.code = (uint32_t)n;
    return true;
}

/* ---- values in the row */

static bool counts(const struct field *f, const json_t *v, uint8_t *at, struct err *e)
{
    size_t each = f->type == V_COUNTS32 ? 4 : 8;
    if (!json_is_object(v))
        return wrong(e, "no object");
    for (void *i = json_object_iter((json_t *)v); i != NULL;
         i = json_object_iter_next((json_t *)v, i)) {
        const char *key = json_object_iter_key(i);
        uint64_t which = f->n, count;
        if (f->names == NULL && !decimal(key, f->n - 1u, &which))
            which = f->n;
        for (unsigned k = 0; f->names != NULL && which == f->n && k < f->n; k++)
            if (strcmp(f->names[k], key) == 0)
                which = k;
        if (which == f->n) {
            err_set(e, "\"%s\" is not known", key);
            return false;
        }
        if (!value_number(json_object_iter_value(i), each == 4 ? UINT32_MAX : INT64_MAX, &count, e))
            return err_in(e, "\"%s\"", key);
        if (each == 4)
            memcpy(at + 4 * which, &(uint32_t){(uint32_t)count}, 4);
        else
            memcpy(at + 8 * which, &count, 8);
    }
    return true;
}

static bool bits(const struct field *f, const json_t *v, uint8_t *at, struct err *e)
{
    uint32_t set = 0;
    if (!json_is_array(v))
        return wrong(e, "no list");
    for (size_t i = 0; i < json_array_size(v); i++) {
        const json_t *item = json_array_get(v, i);
        uint64_t bit;
        if (f->names != NULL ? !value_name(item, f->names, f->n, &bit, e)
                             : !value_number(item, f->n - 1u, &bit, e))
            return false;
        if (set >> bit != 0)
            return wrong(e, "a list out of order");
        set |= UINT32_C(1) << bit;
    }
    memcpy(at, &set, sizeof set);
    return true;
}

static bool set8(const json_t *v, struct set8 *s, struct err *e)
{
    const json_t *values = json_object_get(v, "values"), *other = json_object_get(v, "other");
    size_t n = json_array_size(values);
    uint64_t number;
    if (!json_is_array(values) || n > SET8_MAX
        || json_object_size(v) != 1u + (other != NULL))
        return wrong(e, "no object of up to 8 values and the count of others");
    for (size_t i = 0; i < n; i++) {
        const json_t *pair = json_array_get(values, i);
        const char *text = json_string_value(json_array_get(pair, 0));
        if (json_array_size(pair) != 2 || text == NULL || !value_hex(text, 8, &number))
            return wrong(e, "no pair of 8 hex digits and a count");
        s->value[i] = (uint32_t)number;
        for (size_t k = 0; k < i; k++)
            if (s->value[k] == s->value[i])
                return wrong(e, "a value twice");
        if (!value_number(json_array_get(pair, 1), UINT32_MAX, &number, e))
            return false;
        s->count[i] = (uint32_t)number;
    }
    s->n = (uint8_t)n;
    number = 0;
    if (other != NULL && !value_number(other, UINT32_MAX, &number, e))
        return false;
    s->other = (uint32_t)number;
    return true;
}

bool value_sum(struct window *w, const struct field *f, const json_t *v, uint8_t *at, struct err *e)
{
    uint64_t n;
    uint32_t id;
    switch ((enum field_type)f->type) {
    case V_SUM:
    case V_MIN_NS:
    case V_MAX_NS:
        if (!value_number(v, INT64_MAX, &n, e))
            return false;
        memcpy(at, &n, 8);
        return true;
    case V_SUM32:
    case V_MAX32:
    case V_MIN32:
        if (!value_number(v, UINT32_MAX, &n, e))
            return false;
        memcpy(at, &(uint32_t){(uint32_t)n}, 4);
        return true;
    case V_BITS32:
        return bits(f, v, at, e);
    case V_COUNTS32:
    case V_COUNTS:
        return counts(f, v, at, e);
    case V_SET8:
        return set8(v, (struct set8 *)(void *)at, e);
    case V_BLOB:
        if (!rowjson_offer_read(w, v, &id, e))
            return false;
        memcpy(at, &id, sizeof id);
        return true;
    default:
        assert(!"a value in the row");
        return false;
    }
}

bool value_slots(const struct window *w, uint64_t start_s, uint64_t length_s, const json_t *v,
                 uint8_t *at, struct err *e)
{
    uint64_t slots = 0, slot_s = slot_seconds(length_s), before = 0;
    uint64_t coarse_s = slot_seconds(window_length_s(w)), shift_s = start_s - window_start_s(w);
    if (!json_is_array(v))
        return wrong(e, "no list");
    for (size_t i = 0; i < json_array_size(v); i++) {
        const json_t *pair = json_array_get(v, i);
        uint64_t from, to;
        if (json_array_size(pair) != 2)
            return wrong(e, "no pair");
        if (!value_number(json_array_get(pair, 0), length_s, &from, e)
            || !value_number(json_array_get(pair, 1), length_s, &to, e))
            return false;
        bool aligned = from % slot_s == 0 && (to % slot_s == 0 || to == length_s);
        if (from >= to || !aligned || (i > 0 && from <= before))
            return wrong(e, "no intervals in order, aligned to slots");
        before = to;
        uint64_t last = (shift_s + to - 1) / coarse_s;
        for (uint64_t k = (shift_s + from) / coarse_s; k <= last && k < 64; k++)
            slots |= UINT64_C(1) << k;
    }
    memcpy(at, &slots, sizeof slots);
    return true;
}

/* ---- values with storage of their own */

bool value_hist(struct window *w, const json_t *v, struct hist *h, struct err *e)
{
    if (!json_is_object(v))
        return wrong(e, "no object");
    for (void *i = json_object_iter((json_t *)v); i != NULL;
         i = json_object_iter_next((json_t *)v, i)) {
        const char *key = json_object_iter_key(i);
        uint64_t bucket, count;
        bool below = key[0] == '-';
        if (!decimal(key + below, HIST_MAX, &bucket) || (below && bucket == 0)) {
            err_set(e, "\"%s\" is no bucket", key);
            return false;
        }
        if (!value_number(json_object_iter_value(i), UINT32_MAX, &count, e))
            return err_in(e, "\"%s\"", key);
        if (count > 0)
            window_hist_add(w, h, below ? -(int)bucket : (int)bucket, (uint32_t)count);
    }
    return true;
}

static bool registers(const json_t *v, const struct distinct_shape *shape, uint8_t reg[],
                      struct err *e)
{
    static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_";
    const char *p = json_string_value(v);
    size_t n = (size_t)1 << shape->p, i = 0;
    if (p == NULL)
        return wrong(e, "no text");
    memset(reg, 0, n);
    while (*p != '\0') {
        const char *digit = strchr(digits, *p);
        if (*p == '(') {
            size_t run = 0;
            for (p++; *p >= '0' && *p <= '9' && run <= n; p++)
                run = run * 10 + (size_t)(*p - '0');
            if (*p != ')' || run < 4 || run > n - i)
                return wrong(e, "no run of zeros");
            i += run;
        } else if (digit == NULL || digit - digits > 65 - shape->p || i == n) {
            return wrong(e, "no register");
        } else {
            reg[i++] = (uint8_t)(digit - digits);
        }
        p++;
    }
    return i == n || wrong(e, "too few registers");
}

bool value_distinct(struct window *w, const json_t *v, const struct distinct_shape *shape,
                    struct distinct_block *block, struct distinct *d, struct err *e)
{
    const json_t *exact = json_object_get(v, "exact"), *hll = json_object_get(v, "hll");
    uint64_t count;
    if (json_object_size(v) != 2 || (exact == NULL) == (hll == NULL))
        return wrong(e, "no object of count and exact or hll");
    if (!value_number(json_object_get(v, "count"), INT64_MAX, &count, e))
        return err_in(e, "\"count\"");
    if (hll != NULL) { /* its count is an estimate, which may round otherwise elsewhere */
        block->n = UINT32_MAX;
        if (!registers(hll, shape, block->reg, e))
            return err_in(e, "\"hll\"");
    } else {
        if (!json_is_array(exact) || json_array_size(exact) > shape->exact_max
            || json_array_size(exact) != count)
            return wrong(e, "its hashes are not as many as it says or may have");
        block->n = (uint32_t)count;
        for (size_t i = 0; i < count; i++) {
            const char *text = json_string_value(json_array_get(exact, i));
            if (text == NULL || !value_hex(text, 16, &block->hash[i])
                || (i > 0 && block->hash[i] <= block->hash[i - 1]))
                return wrong(e, "no hashes of 16 hex digits in order");
        }
    }
    struct distinct_block *to = window_distinct_make(w, d, shape);
    if (to != NULL) /* else counted as turned away */
        distinct_merge(shape, to, block);
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
