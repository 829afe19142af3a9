#include "sinks/rowjson_offer.h"

#include "sinks/rowjson_put.h"
#include "sinks/rowjson_value.h"

/* A list of struct offer. Elements of `bytes` bytes are written in decimal (digits 0) or as "0x"
 * and so many hex digits. */
struct list {
    const char *name;
    size_t at, n_at;
    unsigned max, bytes, digits;
};

#define LIST(name, max, digits)                                                                    \
    {                                                                                              \
#name, offsetof(struct offer, name), offsetof(struct offer, n_##name), max,                \
            sizeof(((struct offer *)0)->name[0]), digits                                           \
    }
static const struct list lists[] = {
    LIST(versions, OFFER_VERSIONS_MAX, 4),     LIST(ciphers, OFFER_CIPHERS_MAX, 4),
    LIST(extensions, OFFER_EXTENSIONS_MAX, 0), LIST(groups, OFFER_GROUPS_MAX, 4),
    LIST(signatures, OFFER_SIGNATURES_MAX, 4), LIST(point_formats, OFFER_BYTES_MAX, 0),
    LIST(compressions, OFFER_BYTES_MAX, 0),    LIST(kinds, OFFER_KINDS_MAX, 6),
};
enum { LISTS = sizeof lists / sizeof *lists };

static uint32_t element(const struct offer *o, const struct list *l, unsigned i)
{
    const uint8_t *p = (const uint8_t *)o + l->at + (size_t)i * l->bytes;
    uint16_t v16;
    uint32_t v32;
    if (l->bytes == 1)
        return *p;
    if (l->bytes == 2) {
        memcpy(&v16, p, 2);
        return v16;
    }
    memcpy(&v32, p, 4);
    return v32;
}

static void element_set(struct offer *o, const struct list *l, unsigned i, uint32_t v)
{
    uint8_t *p = (uint8_t *)o + l->at + (size_t)i * l->bytes;
    if (l->bytes == 1)
        *p = (uint8_t)v;
    else if (l->bytes == 2)
        memcpy(p, &(uint16_t){(uint16_t)v}, 2);
    else
        memcpy(p, &v, 4);
}

static unsigned list_n(const struct offer *o, const struct list *l)
{
    uint16_t n;
    memcpy(&n, (const uint8_t *)o + l->n_at, sizeof n);
    return n;
}

char *rowjson_offer(char *p, const struct offer *o)
{
    const uint8_t *name;
    uint8_t len;
    p = put_hex(put_text(p, "{\"legacy_version\":"), "0x", o->legacy_version, 2);
    for (const struct list *l = lists; l < lists + LISTS; l++) {
        unsigned n = list_n(o, l);
        if (n == 0)
            continue;
        p = put_text(put_text(put_text(p, ",\""), l->name), "\":[");
        for (unsigned i = 0; i < n; i++) {
            uint32_t v = element(o, l, i);
            p = l->digits == 0 ? digits_u64(p, v) : put_hex(p, "0x", v, (int)l->digits / 2);
            p = put_char(p, ',');
        }
        p = put_close(p, ']');
    }
    if (o->alpn_len > 0) {
        p = put_text(p, ",\"alpn\":[");
        for (size_t at = 0; offer_alpn_next(o, &at, &name, &len);)
            p = put_char(rowjson_put_string(p, name, len), ',');
        p = put_close(p, ']');
    }
    p = put_text(p, o->flags & OFFER_SSLV2_FORMAT ? ",\"sslv2_format\":1" : "");
    p = put_text(p, o->flags & OFFER_CUT ? ",\"cut\":1" : "");
    return put_char(p, '}');
}

static bool code(const json_t *v, unsigned bytes, unsigned digits, uint32_t *out, struct err *e)
{
    uint64_t n;
    if (digits == 0) {
        if (!value_number(v, bytes == 1 ? UINT8_MAX : UINT16_MAX, &n, e))
            return false;
    } else {
        const char *text = json_string_value(v);
        if (text == NULL || strncmp(text, "0x", 2) != 0 || !value_hex(text + 2, digits, &n)) {
            err_set(e, "not 0x and %u hex digits", digits);
            return false;
        }
    }
    *out = (uint32_t)n;
    return true;
}

static bool read_list(const json_t *v, const struct list *l, struct offer *o, struct err *e)
{
    if (!json_is_array(v) || json_array_size(v) > l->max) {
        err_set(e, "no list of up to %u", l->max);
        return false;
    }
    for (size_t i = 0; i < json_array_size(v); i++) {
        uint32_t one;
        if (!code(json_array_get(v, i), l->bytes, l->digits, &one, e))
            return false;
        element_set(o, l, (unsigned)i, one);
    }
    uint16_t n = (uint16_t)json_array_size(v);
    memcpy((uint8_t *)o + l->n_at, &n, sizeof n);
    return true;
}

static bool read_alpn(const json_t *v, struct offer *o, struct err *e)
{
    if (!json_is_array(v)) {
        err_set(e, "no list");
        return false;
    }
    for (size_t i = 0; i < json_array_size(v); i++) {
        const json_t *name = json_array_get(v, i);
        uint8_t bytes[UINT8_MAX];
        size_t n;
        if (!json_is_string(name)) {
            err_set(e, "no text");
            return false;
        }
        if (!value_bytes(json_string_value(name), json_string_length(name), bytes, sizeof bytes, &n,
                         e))
            return false;
        offer_add_alpn(o, bytes, (uint8_t)n);
    }
    return true;
}

/* Members that are no lists. */
static bool read_member(const char *key, const json_t *v, struct offer *o, struct err *e)
{
    uint32_t n;
    uint64_t flag = 0;
    if (strcmp(key, "legacy_version") == 0) {
        if (!code(v, 2, 4, &n, e))
            return false;
        o->legacy_version = (uint16_t)n;
        return true;
    }
    if (strcmp(key, "alpn") == 0)
        return read_alpn(v, o, e);
    unsigned bit = strcmp(key, "sslv2_format") == 0 ? OFFER_SSLV2_FORMAT
                   : strcmp(key, "cut") == 0        ? OFFER_CUT
                                                    : 0;
    if (bit == 0) {
        err_set(e, "not known");
        return false;
    }
    if (!value_number(v, 1, &flag, e))
        return false;
    o->flags |= (uint8_t)(flag ? bit : 0);
    return true;
}

bool rowjson_offer_read(struct window *w, const json_t *v, uint32_t *id, struct err *e)
{
    struct offer o;
    uint8_t blob[OFFER_BLOB_MAX];
    memset(&o, 0, sizeof o);
    if (!json_is_object(v)) {
        err_set(e, "no object");
        return false;
    }
    for (void *i = json_object_iter((json_t *)v); i != NULL;
         i = json_object_iter_next((json_t *)v, i)) {
        const char *key = json_object_iter_key(i);
        unsigned l = 0;
        while (l < LISTS && strcmp(lists[l].name, key) != 0)
            l++;
        if (l < LISTS ? !read_list(json_object_iter_value(i), &lists[l], &o, e)
                      : !read_member(key, json_object_iter_value(i), &o, e))
            return err_in(e, "\"%s\"", key);
    }
    size_t n = offer_write(&o, blob);
    if (!tls_offer_check(blob, n)) {
        err_set(e, "no offer: see core/offer.h for what its lists may hold");
        return false;
    }
    *id = window_intern(w, blob, (uint32_t)n);
    return true;
}
