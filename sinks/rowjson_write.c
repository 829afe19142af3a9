#include "sinks/rowjson_put.h"

#include <assert.h>

/* ---- names */

/* The names of `fields`, after `n` of `names`; returns how many there are then. */
static unsigned names_add(struct rowjson_name names[], unsigned n, const struct field *fields)
{
    for (const struct field *f = fields; f->type != F_END; f++, n++) {
        const char *dot = strchr(f->name, '.'), *member = dot != NULL ? dot + 1 : f->name;
        size_t group = (size_t)(member - f->name), len = strlen(member) + 4;
        assert(n < ROWJSON_FIELDS_MAX && len <= ROWJSON_NAME_MAX && group + 4 <= ROWJSON_NAME_MAX);
        assert(dot == NULL || strchr(member, '.') == NULL); /* one level of nesting */
        bool goes_on = f > fields && group > 0 && strncmp(f[-1].name, f->name, group) == 0;
        names[n] = (struct rowjson_name){
            .len = (uint8_t)len,
            .group = (uint8_t)(group == 0 ? 0 : goes_on ? names[n - 1].group : n + 1)};
        *put_text(put_text(put_text(names[n].text, ",\""), member), "\"") = ':';
    }
    return n;
}

static size_t fields_bytes(const struct field *fields)
{
    size_t n = 0;
    for (const struct field *f = fields; f->type != F_END; f++)
        n += rowjson_field_bytes(f);
    return n;
}

void rowjson_writer_init(struct rowjson_writer *r, struct window *w, struct text_sink *out)
{
    enum { MARKS = 64 }; /* kind, end */
    *r = (struct rowjson_writer){.w = w, .out = out};
    for (int kind = 0; kind < ROW_KIND_N; kind++) {
        const struct row_type *type = &row_types[kind];
        names_add(r->names[kind], names_add(r->names[kind], 0, type->keys), type->values);
        assert(fields_bytes(type->keys) + fields_bytes(type->values) + MARKS <= ROWJSON_ROOM);
    }
    names_add(r->totals, 0, totals_fields);
    assert(fields_bytes(totals_fields) + MARKS <= ROWJSON_ROOM);
    assert(distinct_large.exact_max * 19u <= ROWJSON_DISTINCT_MAX
           && 1 << distinct_large.p <= ROWJSON_DISTINCT_MAX);
}

static char *close_group(struct rowjson_writer *r, char *p)
{
    if (r->group != 0)
        *p++ = '}';
    r->group = 0;
    return p;
}

/* A member after the first of an object has a comma before it. */
static char *put_comma(char *p)
{
    return p[-1] != '{' ? put_char(p, ',') : p;
}

static char *open_group(struct rowjson_writer *r, char *p, const struct field *f, uint8_t group)
{
    p = close_group(r, p);
    if (group != 0) {
        p = put_char(put_comma(p), '"');
        p = put(p, f->name, (size_t)(strchr(f->name, '.') - f->name));
        p = put_text(p, "\":{");
    }
    r->group = group;
    return p;
}

char *rowjson_member(struct rowjson_writer *r, char *p, const struct field *f,
                     const struct rowjson_name *name)
{
    if (name->group != r->group)
        p = open_group(r, p, f, name->group);
    if (p[-1] == '{')
        return put(p, name->text + 1, name->len - 1u);
    memcpy(p, name->text, sizeof name->text); /* all of it costs less than to look how much */
    return p + name->len;
}

/* ---- who */

char *rowjson_put_site(struct rowjson_writer *r, char *p, uint64_t site)
{
    if (site != r->site) {
        char text[ROWJSON_WHO_MAX];
        size_t len = rowjson_site(r->w, site, text);
        r->site = site;
        r->site_len = (unsigned)(rowjson_put_string(r->site_text, text, len) - r->site_text);
    }
    return put(p, r->site_text, r->site_len);
}

/* Up to three members. Rows of clients tell in their kind what the client is. */
static char *put_client(struct rowjson_writer *r, char *p, const struct client *c)
{
    char text[ROWJSON_WHO_MAX], *start = p;
    bool untold = r->kind != ROW_CLIENT;
    if (untold && r->client_len > 0 && memcmp(&r->client, c, sizeof *c) == 0)
        return put(p, r->client_text, r->client_len);
    if (c->site != 0)
        p = rowjson_put_site(r, put_text(p, ",\"site\":"), c->site);
    if (untold && c->kind == CLIENT_GATEWAY)
        p = put_text(p, ",\"client_kind\":\"gateway\"");
    else if (untold && c->kind == CLIENT_HOST)
        p = put_text(p, ",\"client_kind\":\"host\"");
    size_t len = rowjson_client(c, text);
    if (len > 0)
        p = put_char(put(put_text(p, ",\"client\":\""), text, len), '"');
    assert(p - start <= ROWJSON_CLIENT_MAX);
    if (untold) {
        r->client = *c;
        r->client_len = (unsigned)(p - start);
        memcpy(r->client_text, start, r->client_len);
    }
    return p;
}

/* ---- rows */

const char *rowjson_kind(enum row_kind kind, const void *row)
{
    if (kind != ROW_CLIENT)
        return row_types[kind].name;
    const struct row_client *c = row;
    return c->key.client.kind == CLIENT_HOST ? "host" : "gateway";
}

static char *put_fields(struct rowjson_writer *r, char *p, const struct field *fields,
                        const struct rowjson_name *name, const uint8_t *row)
{
    for (const struct field *f = fields; f->type != F_END; f++, name++)
        p = f->type == F_CLIENT
                ? put_client(r, p, (const struct client *)(const void *)(row + f->at))
                : rowjson_put_field(r, p, f, name, row + f->at, &distinct_small);
    return close_group(r, p);
}

static unsigned key_fields(enum row_kind kind)
{
    unsigned n = 0;
    while (row_types[kind].keys[n].type != F_END)
        n++;
    return n;
}

void rowjson_row(struct rowjson_writer *r, enum row_kind kind, const void *row)
{
    const struct row_type *type = &row_types[kind];
    char *p = rowjson_begin(r->out);
    if (p == NULL)
        return;
    r->kind = kind;
    p = put_text(put_text(p, "{\"kind\":\""), rowjson_kind(kind, row));
    p = put_fields(r, put_char(p, '"'), type->keys, r->names[kind], row);
    p = put_fields(r, p, type->values, r->names[kind] + key_fields(kind), row);
    rowjson_end(r->out, put_text(p, "}\n"));
}

void rowjson_other(struct rowjson_writer *r, enum row_kind kind, const void *row)
{
    const struct row_type *type = &row_types[kind];
    char *p = rowjson_begin(r->out);
    if (p == NULL)
        return;
    p = put_text(put_text(p, "{\"kind\":\"other\",\"of\":\""), type->name);
    p = put_fields(r, put_char(p, '"'), type->values, r->names[kind] + key_fields(kind), row);
    rowjson_end(r->out, put_text(p, "}\n"));
}

/* ---- totals */

static char *put_tally_key(struct rowjson_writer *r, char *p, const struct row_tally *row)
{
    uint32_t code = row->key.code;
    struct bytes name;
    switch ((enum tally)row->key.family) {
    case TALLY_TLS_SNI:
        name = window_string(r->w, row->key.name);
        return rowjson_put_string(p, name.p, name.len);
    case TALLY_TLS_CLIENT_VERSION:
    case TALLY_TLS_SERVER_VERSION:
    case TALLY_TLS_CIPHER:
    case TALLY_SSLV2_VERSION:
        return put_hex(p, "0x", code, 2);
    case TALLY_TLS_ALERT:
        p = digits_u64(put_char(p, '"'), code >> 8);
        p = digits_u64(put_char(p, ':'), code & 255);
        return put_char(p, '"');
    default:
        return put_char(digits_u64(put_char(p, '"'), code), '"');
    }
}

/* Where the tallies of a family are among all. */
struct tallies {
    void *const *rows;
    size_t n;
};
static struct tallies tallies_of(void *const rows[], size_t n, unsigned family)
{
    size_t from = 0, to;
    while (from < n && ((const struct row_tally *)rows[from])->key.family != family)
        from++;
    for (to = from; to < n && ((const struct row_tally *)rows[to])->key.family == family;)
        to++;
    return (struct tallies){rows + from, to - from};
}

/* Tallies from the cursor `*next` on, up to `end` bytes of output. */
static char *put_tallies(struct rowjson_writer *r, char *p, const struct field *f,
                         const struct rowjson_name *name, struct tallies t, size_t *next,
                         size_t end)
{
    if (*next >= t.n || (size_t)(p - r->out->p) >= end)
        return p;
    p = put_char(rowjson_member(r, p, f, name), '{');
    for (; *next < t.n && (size_t)(p - r->out->p) < end; ++*next) {
        const struct row_tally *row = t.rows[*next];
        size_t name_len = window_string(r->w, row->key.name).len;
        char *room = rowjson_more(r->out, p, ROWJSON_STRING_BYTES(name_len) + 64);
        if (room == NULL)
            break;
        p = put_char(put_tally_key(r, room, row), ':');
        p = put_char(put_number(p, row->count), ',');
    }
    return put_close(p, '}');
}

bool rowjson_totals(struct rowjson_writer *r, struct rowjson_cursor *c, size_t budget)
{
    const struct totals *totals = window_totals(r->w);
    const struct rowjson_name *name = r->totals;
    size_t end = budget < SIZE_MAX - r->out->len ? r->out->len + budget : SIZE_MAX, n;
    void *const *rows = window_rows(r->w, ROW_TALLY, &n);
    bool more = false;
    assert(r->out->len > 0 || r->out->failed);
    char *p = rowjson_begin(r->out);
    for (const struct field *f = totals_fields; p != NULL && f->type != F_END; f++, name++) {
        if (f->type == V_TALLY) {
            assert(f->n < TALLY_N);
            struct tallies t = tallies_of(rows, n, f->n);
            p = put_tallies(r, p, f, name, t, &c->next[f->n], end);
            more |= c->next[f->n] < t.n;
        } else if (c->part == 0) {
            p = rowjson_put_field(r, p, f, name, (const uint8_t *)totals + f->at, &distinct_large);
        }
    }
    if (p != NULL)
        rowjson_end(r->out, close_group(r, p));
    c->part++;
    return more && !r->out->failed;
}

void rowjson_sums(struct rowjson_writer *r, const struct field *fields, const void *base)
{
    struct rowjson_name names[ROWJSON_FIELDS_MAX], *name = names;
    assert(fields_bytes(fields) <= ROWJSON_ROOM && (r->out->len > 0 || r->out->failed));
    names_add(names, 0, fields);
    char *p = rowjson_begin(r->out);
    if (p == NULL)
        return;
    for (const struct field *f = fields; f->type != F_END; f++, name++)
        p = rowjson_put_field(r, p, f, name, (const uint8_t *)base + f->at, &distinct_large);
    rowjson_end(r->out, close_group(r, p));
}
