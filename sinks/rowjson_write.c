#include "sinks/rowjson_put.h"

#include <assert.h>

static struct rowjson_name name_of(const char *text)
{
    const char *dot = strchr(text, '.');
    assert(dot == NULL || strchr(dot + 1, '.') == NULL); /* one level of nesting */
    return (struct rowjson_name){.len = (uint8_t)strlen(text),
                                 .group = dot != NULL ? (uint8_t)(dot - text) : 0};
}

void rowjson_writer_init(struct rowjson_writer *r, struct window *w, struct text_sink *out)
{
    *r = (struct rowjson_writer){.w = w, .out = out};
    for (int kind = 0; kind < ROW_KIND_N; kind++) {
        unsigned n = 0;
        const struct field *lists[] = {row_types[kind].keys, row_types[kind].values};
        for (int l = 0; l < 2; l++)
            for (const struct field *f = lists[l]; f->type != F_END; f++, n++) {
                assert(n < ROWJSON_FIELDS_MAX);
                r->names[kind][n] = name_of(f->name);
            }
    }
    unsigned n = 0;
    for (const struct field *f = totals_fields; f->type != F_END; f++, n++) {
        assert(n < ROWJSON_FIELDS_MAX);
        r->totals[n] = name_of(f->name);
    }
}

static void close_group(struct rowjson_writer *r)
{
    if (r->group != NULL)
        put1(r->out, '}');
    r->group = NULL;
    r->group_len = 0;
}

void rowjson_member(struct rowjson_writer *r, const struct field *f, struct rowjson_name n)
{
    if (n.group != r->group_len || (n.group > 0 && memcmp(r->group, f->name, n.group) != 0)) {
        close_group(r);
        if (n.group > 0) {
            comma(r->out);
            put1(r->out, '"');
            put(r->out, f->name, n.group);
            put(r->out, "\":{", 3);
            r->group = f->name;
            r->group_len = n.group;
        }
    }
    unsigned from = n.group > 0 ? n.group + 1u : 0;
    comma(r->out);
    put1(r->out, '"');
    put(r->out, f->name + from, n.len - from);
    put(r->out, "\":", 2);
}

/* ---- keys */

static void put_member_text(struct text_sink *t, const char *name, const char *text, size_t len)
{
    comma(t);
    put1(t, '"');
    puts_(t, name);
    put(t, "\":", 2);
    rowjson_string(t, text, len);
}

static void put_client(struct rowjson_writer *r, enum row_kind kind, const struct client *c)
{
    struct text_sink *t = r->out;
    if (r->client_len > 0 && kind != ROW_CLIENT && memcmp(&r->client, c, sizeof *c) == 0) {
        comma(t);
        put(t, r->client_text, r->client_len);
        return;
    }
    size_t start = t->len;
    char text[ROWJSON_WHO_MAX];
    size_t len = rowjson_site(r->w, c->site, text);
    if (len > 0)
        put_member_text(t, "site", text, len);
    if (kind != ROW_CLIENT && c->kind == CLIENT_GATEWAY)
        put_member_text(t, "client_kind", "gateway", 7);
    else if (kind != ROW_CLIENT && c->kind == CLIENT_HOST)
        put_member_text(t, "client_kind", "host", 4);
    len = rowjson_client(c, text);
    if (len > 0)
        put_member_text(t, "client", text, len);
    if (t->failed || kind == ROW_CLIENT || t->len == start)
        return;
    start += t->p[start] == ',';
    if (t->len - start > sizeof r->client_text)
        return;
    r->client = *c;
    r->client_len = (unsigned)(t->len - start);
    memcpy(r->client_text, t->p + start, r->client_len);
}

static void put_key(struct rowjson_writer *r, enum row_kind kind, const struct field *f,
                    struct rowjson_name name, const uint8_t *at)
{
    struct text_sink *t = r->out;
    char text[ROWJSON_WHO_MAX];
    struct bytes s;
    uint64_t v;
    switch ((enum field_type)f->type) {
    case F_CLIENT: {
        struct client c;
        memcpy(&c, at, sizeof c);
        put_client(r, kind, &c);
        return;
    }
    case F_SITE:
        if (rowjson_site(r->w, number_at(at, 8), text) > 0) {
            rowjson_member(r, f, name);
            rowjson_string(t, text, strlen(text));
        }
        return;
    case F_ADDR:
        if (!all_zero(at, 16)) {
            struct addr a;
            memcpy(a.b, at, 16);
            rowjson_member(r, f, name);
            put1(t, '"');
            put(t, text, addr_text(&a, text));
            put1(t, '"');
        }
        return;
    case F_MAC:
        if (!all_zero(at, 6)) {
            rowjson_member(r, f, name);
            put1(t, '"');
            put(t, text, mac_text(at, text));
            put1(t, '"');
        }
        return;
    case F_U8:
    case F_U16:
    case F_U32:
        rowjson_member(r, f, name);
        put_u64(t, number_at(at, f->type == F_U8 ? 1 : f->type == F_U16 ? 2 : 4));
        return;
    case F_HEX16:
        v = number_at(at, 2);
        if (v != 0) {
            rowjson_member(r, f, name);
            put(t, "\"0x", 3);
            put_hex(t, v, 4);
            put1(t, '"');
        }
        return;
    case F_ID64:
        v = number_at(at, 8);
        if (v != 0) {
            rowjson_member(r, f, name);
            put1(t, '"');
            put_hex(t, v, 16);
            put1(t, '"');
        }
        return;
    case F_ENUM:
        assert(*at < f->n);
        rowjson_member(r, f, name);
        put1(t, '"');
        puts_(t, f->names[*at]);
        put1(t, '"');
        return;
    case F_STR:
        s = window_string(r->w, (uint32_t)number_at(at, 4));
        if (s.len > 0) {
            rowjson_member(r, f, name);
            rowjson_string(t, s.p, s.len);
        }
        return;
    case F_FLAG:
        if (*at != 0) {
            rowjson_member(r, f, name);
            put1(t, '1');
        }
        return;
    default:
        assert(!"a key field");
    }
}

/* ---- rows */

const char *rowjson_kind(enum row_kind kind, const void *row)
{
    if (kind != ROW_CLIENT)
        return row_types[kind].name;
    const struct row_client *c = row;
    return c->key.client.kind == CLIENT_HOST ? "host" : "gateway";
}

static void put_values(struct rowjson_writer *r, enum row_kind kind, const void *row, bool other)
{
    const struct row_type *type = &row_types[kind];
    const struct rowjson_name *name = r->names[kind];
    for (const struct field *f = type->keys; f->type != F_END; f++)
        name++;
    for (const struct field *f = type->values; f->type != F_END; f++, name++)
        if (!other || f->type != V_BLOB) /* blobs do not add up */
            rowjson_put_value(r, f, *name, (const uint8_t *)row + f->at, &distinct_small);
    close_group(r);
    put(r->out, "}\n", 2);
}

void rowjson_row(struct rowjson_writer *r, enum row_kind kind, const void *row)
{
    put(r->out, "{\"kind\":\"", 9);
    puts_(r->out, rowjson_kind(kind, row));
    put1(r->out, '"');
    const struct rowjson_name *name = r->names[kind];
    for (const struct field *f = row_types[kind].keys; f->type != F_END; f++, name++)
        put_key(r, kind, f, *name, (const uint8_t *)row + f->at);
    close_group(r);
    put_values(r, kind, row, false);
}

void rowjson_other(struct rowjson_writer *r, enum row_kind kind, const void *row)
{
    put(r->out, "{\"kind\":\"other\",\"of\":\"", 22);
    puts_(r->out, row_types[kind].name);
    put1(r->out, '"');
    put_values(r, kind, row, true);
}

/* ---- totals */

static void put_tally_key(struct rowjson_writer *r, const struct row_tally *row)
{
    struct text_sink *t = r->out;
    uint32_t code = row->key.code;
    struct bytes name;
    switch ((enum tally)row->key.family) {
    case TALLY_TLS_SNI:
        name = window_string(r->w, row->key.name);
        rowjson_string(t, name.p, name.len);
        return;
    case TALLY_TLS_CLIENT_VERSION:
    case TALLY_TLS_SERVER_VERSION:
    case TALLY_TLS_CIPHER:
    case TALLY_SSLV2_VERSION:
        put(t, "\"0x", 3);
        put_hex(t, code, 4);
        break;
    case TALLY_TLS_ALERT:
        put1(t, '"');
        put_u64(t, code >> 8);
        put1(t, ':');
        put_u64(t, code & 255);
        break;
    default:
        put1(t, '"');
        put_u64(t, code);
    }
    put1(t, '"');
}

/* Tallies of family `f->n` from the cursor on, up to `end` bytes of output; returns whether some
 * are left. */
static bool put_tallies(struct rowjson_writer *r, const struct field *f, struct rowjson_name name,
                        void *const rows[], size_t n, size_t *next, size_t end)
{
    size_t from = 0, to;
    while (from < n && ((const struct row_tally *)rows[from])->key.family != f->n)
        from++;
    for (to = from; to < n && ((const struct row_tally *)rows[to])->key.family == f->n;)
        to++;
    if (*next >= to - from || r->out->len >= end)
        return *next < to - from;
    rowjson_member(r, f, name);
    put1(r->out, '{');
    for (; *next < to - from && r->out->len < end; ++*next) {
        const struct row_tally *row = rows[from + *next];
        comma(r->out);
        put_tally_key(r, row);
        put1(r->out, ':');
        put_number(r->out, row->count);
    }
    put1(r->out, '}');
    return *next < to - from;
}

bool rowjson_totals(struct rowjson_writer *r, struct rowjson_cursor *c, size_t budget)
{
    const struct totals *totals = window_totals(r->w);
    const struct rowjson_name *name = r->totals;
    size_t end = budget < SIZE_MAX - r->out->len ? r->out->len + budget : SIZE_MAX, n;
    void *const *tallies = window_rows(r->w, ROW_TALLY, &n);
    bool more = false;
    for (const struct field *f = totals_fields; f->type != F_END; f++, name++) {
        if (f->type == V_TALLY) {
            assert(f->n < TALLY_N);
            more |= put_tallies(r, f, *name, tallies, n, &c->next[f->n], end);
        } else if (c->part == 0) {
            rowjson_put_value(r, f, *name, (const uint8_t *)totals + f->at, &distinct_large);
        }
    }
    close_group(r);
    c->part++;
    return more && !r->out->failed;
}

void rowjson_sums(struct rowjson_writer *r, const struct field *fields, const void *base)
{
    for (const struct field *f = fields; f->type != F_END; f++)
        rowjson_put_value(r, f, name_of(f->name), (const uint8_t *)base + f->at, &distinct_large);
    close_group(r);
}
