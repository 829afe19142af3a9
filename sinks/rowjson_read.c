#include "core/hash.h"
#include "sinks/rowjson_value.h"

#include <assert.h>
#include <stdlib.h>

bool rowjson_reader_init(struct rowjson_reader *r, struct window *w, uint64_t start_s,
                         uint64_t length_s, struct err *e)
{
    *r = (struct rowjson_reader){.w = w, .start_s = start_s, .length_s = length_s};
    for (int kind = 0; kind < ROW_KIND_N; kind++)
        assert(row_types[kind].size <= sizeof r->row);
    r->strings_lost = window_totals(w)->ledger.strings_turned_away;
    r->block = malloc(distinct_block_size(&distinct_large));
    if (r->block == NULL)
        err_set(e, "out of memory");
    return r->block != NULL;
}

void rowjson_reader_free(struct rowjson_reader *r)
{
    free(r->block);
    r->block = NULL;
}

struct json_t *rowjson_parse(const void *line, size_t len, const char **kind, struct err *e)
{
    json_error_t why;
    json_t *row = json_loadb(line, len, JSON_REJECT_DUPLICATES, &why);
    if (row == NULL) {
        err_set(e, "no JSON: %s", why.text);
        return NULL;
    }
    *kind = json_string_value(json_object_get(row, "kind"));
    if (*kind == NULL) {
        err_set(e, "no row: an object with a \"kind\" belongs here");
        json_decref(row);
        return NULL;
    }
    return row;
}

void rowjson_drop(struct json_t *row)
{
    json_decref(row);
}

bool rowjson_kind_find(const char *kind, enum row_kind *found, uint8_t *client_kind)
{
    *client_kind = CLIENT_NONE;
    if (strcmp(kind, "gateway") == 0 || strcmp(kind, "host") == 0) {
        *found = ROW_CLIENT;
        *client_kind = kind[0] == 'h' ? CLIENT_HOST : CLIENT_GATEWAY;
        return true;
    }
    for (int i = 0; i < ROW_TALLY; i++) /* tallies stand in the totals row only */
        if (strcmp(kind, row_types[i].name) == 0) {
            *found = (enum row_kind)i;
            return true;
        }
    return false;
}

/* ---- members: each is asked for by name, and counted, so that one nobody asked for shows */

struct members {
    json_t *object, *group; /* the row; the open nested object, or NULL */
    const char *group_name;
    size_t group_len, seen, group_seen;
    const struct field *keys, *values; /* what may stand here, for the error; or NULL */
};

/* Does `fields` have this name at the top, or, with a group, in it? */
static bool named(const struct field *fields, const char *group, const char *name)
{
    char full[128];
    size_t n = strlen(name);
    snprintf(full, sizeof full, "%s%s%s", group != NULL ? group : "", group != NULL ? "." : "",
             name);
    for (const struct field *f = fields; f != NULL && f->type != F_END; f++)
        if (strcmp(f->name, full) == 0
            || (group == NULL && strncmp(f->name, name, n) == 0 && f->name[n] == '.'))
            return true;
    return false;
}

/* Says which member of `object` nobody asked for. */
static bool unknown_in(const struct members *m, json_t *object, const char *group, struct err *e)
{
    static const char *const own[] = {"kind", "site", "client", "client_kind", "of", "part"};
    const char *key = "";
    for (void *i = json_object_iter(object); i != NULL; i = json_object_iter_next(object, i)) {
        key = json_object_iter_key(i);
        bool known = named(m->keys, group, key) || named(m->values, group, key);
        for (unsigned k = 0; group == NULL && k < sizeof own / sizeof *own; k++)
            known = known || strcmp(own[k], key) == 0;
        if (!known)
            break;
    }
    err_set(e, "\"%s\" does not belong here", key);
    return false;
}

static bool members_close(struct members *m, struct err *e)
{
    if (m->group != NULL && m->group_seen != json_object_size(m->group)) {
        char group[64];
        snprintf(group, sizeof group, "%.*s", (int)m->group_len, m->group_name);
        return unknown_in(m, m->group, group, e);
    }
    m->group = NULL;
    return true;
}

/* The member that holds `name`, NULL where it is absent. */
static bool members_get(struct members *m, const char *name, json_t **v, struct err *e)
{
    const char *dot = strchr(name, '.');
    if (dot == NULL) {
        *v = json_object_get(m->object, name);
        m->seen += *v != NULL;
        return true;
    }
    size_t len = (size_t)(dot - name);
    if (m->group_name == NULL || m->group_len != len || memcmp(m->group_name, name, len) != 0) {
        char group[64];
        if (!members_close(m, e))
            return false;
        snprintf(group, sizeof group, "%.*s", (int)len, name);
        m->group_name = name;
        m->group_len = len;
        m->group_seen = 0;
        m->group = json_object_get(m->object, group);
        m->seen += m->group != NULL;
        if (m->group != NULL && !json_is_object(m->group)) {
            err_set(e, "\"%s\" is no object", group);
            return false;
        }
    }
    *v = json_object_get(m->group, dot + 1);
    m->group_seen += *v != NULL;
    return true;
}

static bool members_end(struct members *m, struct err *e)
{
    if (!members_close(m, e))
        return false;
    if (m->seen != json_object_size(m->object))
        return unknown_in(m, m->object, NULL, e);
    return true;
}

/* ---- rows */

static bool read_client(struct rowjson_reader *r, struct members *m, uint8_t client_kind,
                        struct client *c, struct err *e)
{
    json_t *site, *id, *kind = NULL;
    *c = (struct client){.kind = client_kind};
    if (!members_get(m, "site", &site, e) || !members_get(m, "client", &id, e)
        || (client_kind == CLIENT_NONE && !members_get(m, "client_kind", &kind, e)))
        return false;
    if (site != NULL && !value_site(r->w, site, &c->site, e))
        return err_in(e, "\"site\"");
    if (id != NULL && !value_client_id(id, c, e))
        return err_in(e, "\"client\"");
    if (kind != NULL) {
        static const char *const kinds[] = {"gateway", "host"};
        uint64_t which;
        if (!value_name(kind, kinds, 2, &which, e))
            return err_in(e, "\"client_kind\"");
        c->kind = which == 0 ? CLIENT_GATEWAY : CLIENT_HOST;
    }
    if ((c->kind == CLIENT_NONE) != (id == NULL)) {
        err_set(e, "\"client\" and its kind go together");
        return false;
    }
    return true;
}

static bool read_keys(struct rowjson_reader *r, enum row_kind kind, uint8_t client_kind,
                      struct members *m, struct err *e)
{
    for (const struct field *f = row_types[kind].keys; f->type != F_END; f++) {
        json_t *v = NULL;
        if (f->type == F_CLIENT) {
            struct client c;
            if (!read_client(r, m, client_kind, &c, e))
                return false;
            memcpy(r->row + f->at, &c, sizeof c);
            continue;
        }
        if (!members_get(m, f->name, &v, e))
            return false;
        bool needed = f->type == F_U8 || f->type == F_U16 || f->type == F_U32
                      || (f->type == F_ENUM && f->names[0] != NULL);
        if (v == NULL && needed) {
            err_set(e, "\"%s\" is missing", f->name);
            return false;
        }
        if (v != NULL && !value_key(r->w, f, v, r->row + f->at, &r->nameless, e))
            return err_in(e, "\"%s\"", f->name);
    }
    return true;
}

/* Values that add up in the row itself go to `scratch`; those with storage of their own straight to
 * `into`. */
static bool read_values(struct rowjson_reader *r, const struct field *fields, bool other,
                        const struct distinct_shape *shape, struct members *m, void *scratch,
                        void *into, struct err *e)
{
    for (const struct field *f = fields; f->type != F_END; f++) {
        json_t *v;
        if (f->type == V_TALLY || (other && f->type == V_BLOB))
            continue;
        if (!members_get(m, f->name, &v, e))
            return false;
        if (v == NULL)
            continue;
        bool ok;
        uint8_t *at = (uint8_t *)scratch + f->at, *to = (uint8_t *)into + f->at;
        if (f->type == V_HIST)
            ok = value_hist(r->w, v, (struct hist *)(void *)to, e);
        else if (f->type == V_DISTINCT)
            ok = value_distinct(r->w, v, shape, r->block, (struct distinct *)(void *)to, e);
        else if (f->type == V_SLOTS)
            ok = value_slots(r->w, r->start_s, r->length_s, v, at, e);
        else
            ok = value_sum(r->w, f, v, at, e);
        if (!ok)
            return err_in(e, "\"%s\"", f->name);
    }
    return true;
}

static void clear_row(struct rowjson_reader *r, enum row_kind kind)
{
    memset(r->row, 0, row_types[kind].size);
    r->nameless = false;
    for (const struct field *f = row_types[kind].values; f->type != F_END; f++)
        if (f->type == V_MIN_NS || f->type == V_MIN32)
            memset(r->row + f->at, 0xff, f->type == V_MIN_NS ? 8 : 4);
}

static int order(const struct rowjson_reader *r, enum row_kind kind, const uint8_t *a,
                 const uint8_t *b)
{
    int diff = 0;
    for (const struct field *f = row_types[kind].keys; f->type != F_END && diff == 0; f++)
        diff = value_order(r->w, f, a + f->at, b + f->at);
    return diff;
}

static bool in_order(struct rowjson_reader *r, enum row_kind kind, struct err *e)
{
    bool late = r->has_before && kind < r->kind_before;
    /* Where the string store is full, two names may read as none: then equal rows are no fault. */
    bool told = window_totals(r->w)->ledger.strings_turned_away == r->strings_lost;
    if (r->has_before && kind == r->kind_before && told && order(r, kind, r->before, r->row) >= 0)
        late = true;
    if (late)
        err_set(e, "row out of order");
    memcpy(r->before, r->row, row_types[kind].size);
    r->kind_before = kind;
    r->has_before = true;
    return !late;
}

/* The row to add to: of this key, or, where the window has no room for its names, the rest. */
static void *place(struct rowjson_reader *r, enum row_kind kind, const void *key_row)
{
    return r->nameless ? window_other_make(r->w, kind) : window_row(r->w, kind, key_row);
}

/* What a row says of an offer or an answer is what its id stands for. (A certificate's id is that
 * of its bytes, which are not here.) */
static bool blob_is_its_id(const struct rowjson_reader *r, enum row_kind kind, struct err *e)
{
    uint64_t id;
    for (const struct field *f = row_types[kind].values; f->type != F_END; f++) {
        if (f->type != V_BLOB || f->n == BLOB_CERT)
            continue;
        uint32_t blob_id;
        memcpy(&id, r->row + row_types[kind].key_at, sizeof id);
        memcpy(&blob_id, r->row + f->at, sizeof blob_id);
        struct bytes blob = window_string(r->w, blob_id);
        if (blob.len == 0 || hash_bytes(blob.p, blob.len, 0) == id)
            continue;
        err_set(e, "\"id\" is not the hash of \"%s\"", f->name);
        return false;
    }
    return true;
}

bool rowjson_read_row(struct rowjson_reader *r, enum row_kind kind, uint8_t client_kind,
                      struct json_t *row, struct err *e)
{
    struct members m = {
        .object = row, .seen = 1, .keys = row_types[kind].keys, .values = row_types[kind].values};
    clear_row(r, kind);
    if (!read_keys(r, kind, client_kind, &m, e) || !in_order(r, kind, e))
        return err_in(e, "%s", row_types[kind].name);
    void *into = place(r, kind, r->row);
    if (!read_values(r, row_types[kind].values, false, &distinct_small, &m, r->row, into, e)
        || !members_end(&m, e) || !blob_is_its_id(r, kind, e))
        return err_in(e, "%s", row_types[kind].name);
    window_row_add(r->w, kind, into, r->w, r->row);
    return true;
}

bool rowjson_read_other(struct rowjson_reader *r, struct json_t *row, struct err *e)
{
    const char *names[ROW_KIND_N];
    struct members m = {.object = row, .seen = 1};
    json_t *of;
    uint64_t kind;
    for (int i = 0; i < ROW_KIND_N; i++)
        names[i] = row_types[i].name;
    if (!members_get(&m, "of", &of, e))
        return false;
    if (!value_name(of, names, ROW_KIND_N, &kind, e))
        return err_in(e, "\"of\"");
    if (kind < r->other_next) {
        err_set(e, "row out of order");
        return false;
    }
    r->other_next = (unsigned)kind + 1;
    m.values = row_types[kind].values;
    clear_row(r, (enum row_kind)kind);
    void *into = window_other_make(r->w, (enum row_kind)kind);
    if (!read_values(r, row_types[kind].values, true, &distinct_small, &m, r->row, into, e)
        || !members_end(&m, e))
        return err_in(e, "other %s", names[kind]);
    window_row_add(r->w, (enum row_kind)kind, into, r->w, r->row);
    return true;
}

/* ---- totals */

static bool read_tally(struct rowjson_reader *r, const struct field *f, json_t *v, struct err *e)
{
    const char *name;
    size_t len;
    if (!json_is_object(v)) {
        err_set(e, "no object");
        return false;
    }
    for (void *i = json_object_iter(v); i != NULL; i = json_object_iter_next(v, i)) {
        struct row_tally row = {.key.family = f->n};
        name = json_object_iter_key(i);
        len = json_object_iter_key_len(i);
        r->nameless = false;
        if (!value_tally_key(r->w, f->n, name, len, &row, &r->nameless, e)
            || !value_number(json_object_iter_value(i), INT64_MAX, &row.count, e))
            return false;
        window_row_add(r->w, ROW_TALLY, place(r, ROW_TALLY, &row), r->w, &row);
    }
    return true;
}

static void add_sums(const struct field *fields, void *into, const void *from)
{
    for (const struct field *f = fields; f->type != F_END; f++) {
        unsigned n = f->type == V_SUM ? 1 : f->type == V_COUNTS ? f->n : 0;
        for (unsigned i = 0; i < n; i++) {
            uint64_t a, b;
            memcpy(&a, (uint8_t *)into + f->at + 8 * i, 8);
            memcpy(&b, (const uint8_t *)from + f->at + 8 * i, 8);
            a += b;
            memcpy((uint8_t *)into + f->at + 8 * i, &a, 8);
        }
    }
}

bool rowjson_read_totals(struct rowjson_reader *r, struct json_t *row, struct err *e)
{
    struct members m = {.object = row, .seen = 1, .values = totals_fields};
    struct totals sums = {0};
    json_t *part;
    if (!members_get(&m, "part", &part, e))
        return false;
    for (const struct field *f = totals_fields; f->type != F_END; f++) {
        struct field one[] = {*f, {.type = F_END}};
        json_t *v;
        bool ok = true;
        if (f->type != V_TALLY)
            ok = read_values(r, one, false, &distinct_large, &m, &sums, window_totals(r->w), e);
        else if (!members_get(&m, f->name, &v, e))
            ok = false;
        else if (v != NULL && !read_tally(r, f, v, e))
            ok = err_in(e, "\"%s\"", f->name);
        if (!ok)
            return err_in(e, "totals");
    }
    if (!members_end(&m, e))
        return err_in(e, "totals");
    add_sums(totals_fields, window_totals(r->w), &sums);
    add_sums(totals_fields, &r->totals, &sums);
    return true;
}

bool rowjson_read_sums(const struct field *fields, struct json_t *object, void *base, struct err *e)
{
    struct rowjson_reader none = {0};
    struct members m = {.object = object, .values = fields};
    if (!json_is_object(object)) {
        err_set(e, "no object");
        return false;
    }
    return read_values(&none, fields, false, NULL, &m, base, base, e) && members_end(&m, e);
}
