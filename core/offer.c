#include "core/offer.h"

#include "core/hash.h"

void offer_init(struct offer *o)
{
    o->legacy_version = 0;
    o->flags = 0;
    o->n_versions = o->n_ciphers = o->n_extensions = o->n_groups = o->n_signatures = 0;
    o->n_point_formats = o->n_compressions = o->n_kinds = o->alpn_len = 0;
}

void offer_add(struct offer *o, uint16_t list[], uint16_t *n, uint16_t max, uint16_t value)
{
    if (tls_is_grease(value))
        return;
    if (*n == max)
        o->flags |= OFFER_CUT;
    else
        list[(*n)++] = value;
}

void offer_add_alpn(struct offer *o, const uint8_t *name, uint8_t len)
{
    if (len == 2 && tls_is_grease((uint16_t)(name[0] << 8 | name[1])))
        return;
    if ((size_t)o->alpn_len + 1 + len > OFFER_ALPN_MAX) {
        o->flags |= OFFER_CUT;
        return;
    }
    o->alpn[o->alpn_len++] = len;
    if (len > 0)
        memcpy(o->alpn + o->alpn_len, name, len);
    o->alpn_len = (uint16_t)(o->alpn_len + len);
}

bool offer_alpn_next(const struct offer *o, size_t *at, const uint8_t **name, uint8_t *len)
{
    if (*at >= o->alpn_len)
        return false;
    *len = o->alpn[*at];
    *name = o->alpn + *at + 1;
    *at += 1u + *len;
    return true;
}

uint64_t offer_id(const uint8_t *p, size_t n)
{
    return hash_bytes(p, n, 0);
}

/* Lists are short and nearly sorted in most clients. */
static void sort_once(uint16_t list[], uint16_t *n)
{
    uint16_t kept = 0;
    for (uint16_t i = 0; i < *n; i++) {
        uint16_t v = list[i], at = kept;
        while (at > 0 && list[at - 1] > v)
            at--;
        if (at > 0 && list[at - 1] == v)
            continue;
        memmove(list + at + 1, list + at, (size_t)(kept - at) * sizeof *list);
        list[at] = v;
        kept++;
    }
    *n = kept;
}

static uint8_t *put_u16(uint8_t *to, unsigned v)
{
    to[0] = (uint8_t)(v >> 8);
    to[1] = (uint8_t)v;
    return to + 2;
}

static uint8_t *put_list(uint8_t *to, const uint16_t list[], unsigned n)
{
    to = put_u16(to, n);
    for (unsigned i = 0; i < n; i++)
        to = put_u16(to, list[i]);
    return to;
}

static uint8_t *put_bytes(uint8_t *to, const uint8_t *p, size_t n)
{
    if (n > 0)
        memcpy(to, p, n);
    return to + n;
}

static_assert(2 + 5 * 2
                      + 2
                            * (OFFER_VERSIONS_MAX + OFFER_CIPHERS_MAX + OFFER_EXTENSIONS_MAX
                               + OFFER_GROUPS_MAX + OFFER_SIGNATURES_MAX)
                      + 2 * (1 + OFFER_BYTES_MAX) + 2 + OFFER_ALPN_MAX + 1 + 1 + 3 * OFFER_KINDS_MAX
                  <= OFFER_BLOB_MAX,
              "full lists fit a blob");

size_t offer_write(struct offer *o, uint8_t blob[static OFFER_BLOB_MAX])
{
    sort_once(o->extensions, &o->n_extensions);
    uint8_t *to = put_u16(blob, o->legacy_version);
    to = put_list(to, o->versions, o->n_versions);
    to = put_list(to, o->ciphers, o->n_ciphers);
    to = put_list(to, o->extensions, o->n_extensions);
    to = put_list(to, o->groups, o->n_groups);
    to = put_list(to, o->signatures, o->n_signatures);
    *to++ = (uint8_t)o->n_point_formats;
    to = put_bytes(to, o->point_formats, o->n_point_formats);
    *to++ = (uint8_t)o->n_compressions;
    to = put_bytes(to, o->compressions, o->n_compressions);
    to = put_u16(to, o->alpn_len);
    to = put_bytes(to, o->alpn, o->alpn_len);
    *to++ = o->flags;
    *to++ = (uint8_t)o->n_kinds;
    for (unsigned i = 0; i < o->n_kinds; i++) {
        *to++ = (uint8_t)(o->kinds[i] >> 16);
        to = put_u16(to, o->kinds[i] & 0xffff);
    }
    return (size_t)(to - blob);
}

static bool read_list(struct cur *c, uint16_t list[], uint16_t *n, uint16_t max)
{
    if (!cur_u16(c, n) || *n > max)
        return false;
    for (unsigned i = 0; i < *n; i++)
        if (!cur_u16(c, &list[i]) || tls_is_grease(list[i]))
            return false;
    return true;
}

static bool read_bytes(struct cur *c, uint8_t to[], uint16_t *n)
{
    uint8_t len;
    if (!cur_u8(c, &len) || len > OFFER_BYTES_MAX || !cur_copy(c, to, len))
        return false;
    *n = len;
    return true;
}

static bool read_alpn(struct cur *c, struct offer *o)
{
    struct cur list, name;
    if (!cur_block16(c, &list) || list.left > OFFER_ALPN_MAX)
        return false;
    o->alpn_len = (uint16_t)list.left;
    memcpy(o->alpn, list.p, list.left);
    while (list.left > 0)
        if (!cur_block8(&list, &name)
            || (name.left == 2 && tls_is_grease((uint16_t)(name.p[0] << 8 | name.p[1]))))
            return false;
    return true;
}

static bool read_kinds(struct cur *c, struct offer *o)
{
    uint8_t n;
    if (!cur_u8(c, &n) || n > OFFER_KINDS_MAX)
        return false;
    o->n_kinds = n;
    for (unsigned i = 0; i < n; i++)
        if (!cur_u24(c, &o->kinds[i]) || o->kinds[i] >> 16 == 0)
            return false;
    return true;
}

bool offer_read(const uint8_t *p, size_t n, struct offer *o)
{
    static const uint8_t nothing[1];
    struct cur c = cur_of(n > 0 ? p : nothing, n, n);
    offer_init(o);
    bool whole = cur_u16(&c, &o->legacy_version)
                 && read_list(&c, o->versions, &o->n_versions, OFFER_VERSIONS_MAX)
                 && read_list(&c, o->ciphers, &o->n_ciphers, OFFER_CIPHERS_MAX)
                 && read_list(&c, o->extensions, &o->n_extensions, OFFER_EXTENSIONS_MAX)
                 && read_list(&c, o->groups, &o->n_groups, OFFER_GROUPS_MAX)
                 && read_list(&c, o->signatures, &o->n_signatures, OFFER_SIGNATURES_MAX)
                 && read_bytes(&c, o->point_formats, &o->n_point_formats)
                 && read_bytes(&c, o->compressions, &o->n_compressions) && read_alpn(&c, o)
                 && cur_u8(&c, &o->flags) && read_kinds(&c, o);
    if (!whole || c.left > 0 || (o->flags & ~(OFFER_SSLV2_FORMAT | OFFER_CUT)) != 0)
        return false;
    for (unsigned i = 1; i < o->n_extensions; i++)
        if (o->extensions[i] <= o->extensions[i - 1])
            return false;
    return true;
}

bool tls_offer_check(const uint8_t *p, size_t n)
{
    struct offer o;
    return n <= OFFER_BLOB_MAX && offer_read(p, n, &o);
}
