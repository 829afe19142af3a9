#include "sinks/rowjson_put.h"

#include <assert.h>

/* ---- getting ready */

static void plan_add(struct rowjson_writer *r, struct rowjson_plan *plan,
                     const struct field *fields)
{
    for (const struct field *f = fields; f->type != F_END; f++, plan->n++) {
        assert(plan->n < ROWJSON_FIELDS_MAX);
        rowjson_field_init(r, plan->fields, plan->n, f);
    }
}

/* Its longest row fits into the room that rows have. */
static bool plan_fits(const struct rowjson_plan *plan)
{
    size_t bytes = 2 * ROWJSON_NAME_MAX; /* kind, end */
    for (unsigned i = 0; i < plan->n; i++)
        bytes += rowjson_field_bytes(plan->fields[i].field);
    return bytes <= ROWJSON_ROOM;
}

void rowjson_writer_init(struct rowjson_writer *r, struct window *w, struct text_sink *out)
{
    static const char begin[] = "{\"kind\":\"";
    *r = (struct rowjson_writer){.w = w, .out = out};
    for (int kind = 0; kind < ROW_KIND_N; kind++) {
        struct rowjson_plan *plan = &r->plans[kind];
        plan_add(r, plan, row_types[kind].keys);
        plan->n_keys = plan->n;
        plan_add(r, plan, row_types[kind].values);
        plan->head_len = (unsigned)(strlen(begin) + strlen(row_types[kind].name) + 1);
        assert(plan_fits(plan) && plan->head_len <= sizeof plan->head);
        put_char(put_text(put_text(plan->head, begin), row_types[kind].name), '"');
    }
    plan_add(r, &r->totals, totals_fields);
    assert(plan_fits(&r->totals));
    assert(distinct_large.exact_max * 19u <= ROWJSON_DISTINCT_MAX
           && 1 << distinct_large.p <= ROWJSON_DISTINCT_MAX);
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

/* Rows of clients tell in their kind what the client is. */
char *rowjson_put_client(struct rowjson_writer *r, char *p, const struct client *c)
{
    enum { USUAL = 96 };
    char text[ROWJSON_WHO_MAX], *start = p;
    bool untold = r->kind != ROW_CLIENT;
    if (untold && r->client_len > 0 && memcmp(&r->client, c, sizeof *c) == 0) {
        if (r->client_len > USUAL)
            return put(p, r->client_text, r->client_len);
        memcpy(p, r->client_text, USUAL); /* in place, not by a call */
        return p + r->client_len;
    }
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

static char *put_rest(struct rowjson_writer *r, char *p, enum row_kind kind, unsigned from,
                      const void *row)
{
    const struct rowjson_plan *plan = &r->plans[kind];
    r->kind = kind;
    p = rowjson_put_fields(r, p, plan->fields + from, plan->n - from, row, &distinct_small);
    return put_text(rowjson_put_group_end(r, p), "}\n");
}

void rowjson_row(struct rowjson_writer *r, enum row_kind kind, const void *row)
{
    const struct rowjson_plan *plan = &r->plans[kind];
    char *p = rowjson_begin(r->out);
    if (p == NULL)
        return;
    const struct row_client *client = row;
    if (kind == ROW_CLIENT && client->key.client.kind == CLIENT_HOST)
        p = put_text(p, "{\"kind\":\"host\"");
    else
        p = (char *)memcpy(p, plan->head, sizeof plan->head) + plan->head_len;
    rowjson_end(r->out, put_rest(r, p, kind, 0, row));
}

void rowjson_other(struct rowjson_writer *r, enum row_kind kind, const void *row)
{
    char *p = rowjson_begin(r->out);
    if (p == NULL)
        return;
    p = put_text(put_text(p, "{\"kind\":\"other\",\"of\":\""), row_types[kind].name);
    p = put_char(p, '"');
    rowjson_end(r->out, put_rest(r, p, kind, r->plans[kind].n_keys, row));
}

/* ---- totals */

static char *put_tally_key(struct rowjson_writer *r, char *p, const struct row_tally *row)
{
    uint32_t code = row->key.code;
    struct bytes name;
    switch ((enum tally)row->key.family) {
    case TALLY_TLS_SNI:
    case TALLY_QUIC_SNI:
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
    return (struct tallies){to > from ? rows + from : NULL, to - from};
}

/* Tallies from the cursor `*next` on, up to `end` bytes of output. */
static char *put_tallies(struct rowjson_writer *r, char *p, const struct rowjson_field *f,
                         struct tallies t, size_t *next, size_t end)
{
    if (*next >= t.n || (size_t)(p - r->out->p) >= end)
        return p;
    p = put_char(rowjson_put_member(r, p, f), '{');
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
    const uint8_t *totals = (const uint8_t *)window_totals(r->w);
    size_t end = budget < SIZE_MAX - r->out->len ? r->out->len + budget : SIZE_MAX, n;
    void *const *rows = window_rows(r->w, ROW_TALLY, &n);
    bool more = false;
    assert(r->out->len > 0 || r->out->failed);
    char *p = rowjson_begin(r->out);
    if (p == NULL)
        return false;
    for (const struct rowjson_field *f = r->totals.fields; f < r->totals.fields + r->totals.n; f++)
        if (f->field->type == V_TALLY) {
            unsigned family = f->field->n;
            assert(family < TALLY_N);
            struct tallies t = tallies_of(rows, n, family);
            p = put_tallies(r, p, f, t, &c->next[family], end);
            more |= c->next[family] < t.n;
        } else if (c->part == 0) {
            p = rowjson_put_fields(r, p, f, 1, totals, &distinct_large);
        }
    rowjson_end(r->out, rowjson_put_group_end(r, p));
    c->part++;
    return more && !r->out->failed;
}

void rowjson_sums(struct rowjson_writer *r, const struct field *fields, const void *base)
{
    struct rowjson_plan plan = {0};
    unsigned n_words = r->n_words;
    plan_add(r, &plan, fields);
    assert(plan_fits(&plan) && (r->out->len > 0 || r->out->failed));
    char *p = rowjson_begin(r->out);
    if (p != NULL) {
        p = rowjson_put_fields(r, p, plan.fields, plan.n, base, &distinct_large);
        rowjson_end(r->out, rowjson_put_group_end(r, p));
    }
    r->n_words = n_words;
}
