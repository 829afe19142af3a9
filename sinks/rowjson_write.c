#include "sinks/rowjson_offer.h"

#include <assert.h>

static const char hex_digits[] = "0123456789abcdef";

/* ---- Text. Rows are written by the million: these check for room and copy, no more. */

static inline bool room(struct text_sink *t, size_t n)
{
    if (t->cap - t->len <= n)
        text_reserve(t, n);
    return !t->failed;
}

static inline void put(struct text_sink *t, const void *p, size_t n)
{
    if (!room(t, n))
        return;
    memcpy(t->p + t->len, p, n);
    t->len += n;
}

static inline void put1(struct text_sink *t, char c)
{
    put(t, &c, 1);
}

static inline void puts_(struct text_sink *t, const char *s)
{
    put(t, s, strlen(s));
}

/* Two digits a step: times have 19, and a row has three of them. */
static inline void put_u64(struct text_sink *t, uint64_t v)
{
    static const char pairs[] = "00010203040506070809101112131415161718192021222324252627282930313233"
                                "34353637383940414243444546474849505152535455565758596061626364656667"
                                "6869707172737475767778798081828384858687888990919293949596979899";
    if (!room(t, 20))
        return;
    char digits[20], *p = digits + sizeof digits;
    while (v >= 100) {
        p -= 2;
        memcpy(p, pairs + 2 * (v % 100), 2);
        v /= 100;
    }
    if (v >= 10) {
        p -= 2;
        memcpy(p, pairs + 2 * v, 2);
    } else {
        *--p = (char)('0' + v);
    }
    size_t n = (size_t)(digits + sizeof digits - p);
    memcpy(t->p + t->len, p, n);
    t->len += n;
}

/* A JSON integer: readers have 63 bits. */
static inline void put_number(struct text_sink *t, uint64_t v)
{
    put_u64(t, v <= INT64_MAX ? v : INT64_MAX);
}

static size_t hex_text(char *to, uint64_t v, int digits)
{
    for (int i = 0; i < digits; i++)
        to[i] = hex_digits[v >> (4 * (digits - 1 - i)) & 15];
    return (size_t)digits;
}

static void put_hex(struct text_sink *t, uint64_t v, int digits)
{
    if (room(t, 16))
        t->len += hex_text(t->p + t->len, v, digits);
}

/* A comma, but for the first of an object or array. */
static inline void comma(struct text_sink *t)
{
    char last = t->len > 0 ? t->p[t->len - 1] : '{';
    if (last != '{' && last != '[')
        put1(t, ',');
}

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

/* ---- who */

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
    static const char *const kinds[] = {[SITE_VLAN] = "vlan", [SITE_VNI] = "vni", [SITE_GRE] = "gre"};
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

/* ---- names */

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

static void member(struct rowjson_writer *r, const struct field *f, struct rowjson_name n)
{
    if (n.group != r->group_len
        || (n.group > 0 && memcmp(r->group, f->name, n.group) != 0)) {
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

static bool all_zero(const uint8_t *p, size_t n)
{
    uint8_t any = 0;
    for (size_t i = 0; i < n; i++)
        any |= p[i];
    return any == 0;
}

/* A number of 1, 2, 4 or 8 bytes. */
static uint64_t number_at(const void *p, size_t bytes)
{
    uint8_t v8;
    uint16_t v16;
    uint32_t v32;
    uint64_t v64;
    switch (bytes) {
    case 1:
        memcpy(&v8, p, 1);
        return v8;
    case 2:
        memcpy(&v16, p, 2);
        return v16;
    case 4:
        memcpy(&v32, p, 4);
        return v32;
    default:
        memcpy(&v64, p, 8);
        return v64;
    }
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
            member(r, f, name);
            rowjson_string(t, text, strlen(text));
        }
        return;
    case F_ADDR:
        if (!all_zero(at, 16)) {
            struct addr a;
            memcpy(a.b, at, 16);
            member(r, f, name);
            put1(t, '"');
            put(t, text, addr_text(&a, text));
            put1(t, '"');
        }
        return;
    case F_MAC:
        if (!all_zero(at, 6)) {
            member(r, f, name);
            put1(t, '"');
            put(t, text, mac_text(at, text));
            put1(t, '"');
        }
        return;
    case F_U8:
    case F_U16:
    case F_U32:
        member(r, f, name);
        put_u64(t, number_at(at, f->type == F_U8 ? 1 : f->type == F_U16 ? 2 : 4));
        return;
    case F_HEX16:
        v = number_at(at, 2);
        if (v != 0) {
            member(r, f, name);
            put(t, "\"0x", 3);
            put_hex(t, v, 4);
            put1(t, '"');
        }
        return;
    case F_ID64:
        v = number_at(at, 8);
        if (v != 0) {
            member(r, f, name);
            put1(t, '"');
            put_hex(t, v, 16);
            put1(t, '"');
        }
        return;
    case F_ENUM:
        assert(*at < f->n);
        member(r, f, name);
        put1(t, '"');
        puts_(t, f->names[*at]);
        put1(t, '"');
        return;
    case F_STR:
        s = window_string(r->w, (uint32_t)number_at(at, 4));
        if (s.len > 0) {
            member(r, f, name);
            rowjson_string(t, s.p, s.len);
        }
        return;
    case F_FLAG:
        if (*at != 0) {
            member(r, f, name);
            put1(t, '1');
        }
        return;
    default:
        assert(!"a key field");
    }
}

/* ---- values */

static void put_counts(struct rowjson_writer *r, const struct field *f, struct rowjson_name name,
                       const uint8_t *at)
{
    struct text_sink *t = r->out;
    size_t each = f->type == V_COUNTS32 ? 4 : 8;
    if (all_zero(at, each * f->n))
        return;
    member(r, f, name);
    put1(t, '{');
    for (unsigned i = 0; i < f->n; i++) {
        uint64_t count = number_at(at + each * i, each);
        if (count == 0)
            continue;
        comma(t);
        put1(t, '"');
        if (f->names != NULL)
            puts_(t, f->names[i]);
        else
            put_u64(t, i);
        put(t, "\":", 2);
        put_number(t, count);
    }
    put1(t, '}');
}

static void put_bits(struct rowjson_writer *r, const struct field *f, struct rowjson_name name,
                     uint32_t bits)
{
    struct text_sink *t = r->out;
    if (bits == 0)
        return;
    member(r, f, name);
    put1(t, '[');
    for (; bits != 0; bits &= bits - 1) {
        unsigned i = (unsigned)__builtin_ctz(bits);
        comma(t);
        if (f->names == NULL) {
            put_u64(t, i);
            continue;
        }
        put1(t, '"');
        puts_(t, f->names[i]);
        put1(t, '"');
    }
    put1(t, ']');
}

static void put_bucket(struct text_sink *t, int bucket, uint32_t count)
{
    comma(t);
    put1(t, '"');
    if (bucket < 0)
        put1(t, '-');
    put_u64(t, (uint64_t)(bucket < 0 ? -bucket : bucket));
    put(t, "\":", 2);
    put_u64(t, count);
}

static void put_hist(struct rowjson_writer *r, const struct field *f, struct rowjson_name name,
                     const struct hist *h)
{
    struct text_sink *t = r->out;
    const struct hist_block *b = window_hist_block(r->w, h);
    if (b == NULL && h->n == 0)
        return;
    member(r, f, name);
    put1(t, '{');
    for (int i = -HIST_MAX; b != NULL && i <= HIST_MAX; i++)
        if (b->count[i + HIST_MAX] > 0)
            put_bucket(t, i, b->count[i + HIST_MAX]);
    for (int i = 0; b == NULL && i < h->n; i++)
        put_bucket(t, h->bucket[i], h->count[i]);
    put1(t, '}');
}

static void put_set8(struct rowjson_writer *r, const struct field *f, struct rowjson_name name,
                     const struct set8 *s)
{
    struct text_sink *t = r->out;
    if (s->n == 0 && s->other == 0)
        return;
    member(r, f, name);
    put(t, "{\"values\":[", 11);
    for (int i = 0; i < s->n; i++) {
        comma(t);
        put(t, "[\"", 2);
        put_hex(t, s->value[i], 8);
        put(t, "\",", 2);
        put_u64(t, s->count[i]);
        put1(t, ']');
    }
    put1(t, ']');
    if (s->other > 0) {
        put(t, ",\"other\":", 9);
        put_u64(t, s->other);
    }
    put1(t, '}');
}

static void put_slots(struct rowjson_writer *r, const struct field *f, struct rowjson_name name,
                      uint64_t slots)
{
    struct text_sink *t = r->out;
    uint64_t length_s = window_length_s(r->w), slot_s = slot_seconds(length_s);
    if (slots == 0)
        return;
    member(r, f, name);
    put1(t, '[');
    for (unsigned i = 0; i < 64 && slots >> i != 0; i++) {
        if ((slots >> i & 1) == 0)
            continue;
        unsigned end = i;
        while (end < 64 && slots >> end & 1)
            end++;
        comma(t);
        put1(t, '[');
        put_u64(t, i * slot_s);
        put1(t, ',');
        put_u64(t, end * slot_s < length_s ? end * slot_s : length_s);
        put1(t, ']');
        i = end;
    }
    put1(t, ']');
}

/* One digit a register, four or more zeros as "(n)". */
static void put_registers(struct text_sink *t, const uint8_t reg[], size_t n)
{
    static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_";
    for (size_t i = 0; i < n;) {
        size_t run = i;
        while (run < n && reg[run] == 0)
            run++;
        if (run - i >= 4) {
            put1(t, '(');
            put_u64(t, run - i);
            put1(t, ')');
            i = run;
            continue;
        }
        put1(t, digits[reg[i++] & 63]);
    }
}

static void put_distinct(struct rowjson_writer *r, const struct field *f, struct rowjson_name name,
                         const struct distinct *d, const struct distinct_shape *shape)
{
    struct text_sink *t = r->out;
    const struct distinct_block *b = window_distinct_block(r->w, d, shape);
    if (b == NULL || b->n == 0)
        return;
    member(r, f, name);
    if (r->numbers) {
        put_number(t, distinct_count(shape, b));
        return;
    }
    put(t, "{\"count\":", 9);
    put_number(t, distinct_count(shape, b));
    if (b->n == UINT32_MAX) {
        put(t, ",\"hll\":\"", 8);
        put_registers(t, b->reg, (size_t)1 << shape->p);
        put(t, "\"}", 2);
        return;
    }
    put(t, ",\"exact\":[", 10);
    for (uint32_t i = 0; i < b->n; i++) {
        comma(t);
        put1(t, '"');
        put_hex(t, b->hash[i], 16);
        put1(t, '"');
    }
    put(t, "]}", 2);
}

static void put_blob(struct rowjson_writer *r, const struct field *f, struct rowjson_name name,
                     uint32_t id)
{
    struct bytes blob = window_string(r->w, id);
    struct offer o;
    if (blob.len == 0 || !offer_read(blob.p, blob.len, &o))
        return;
    member(r, f, name);
    rowjson_offer(r->out, &o);
}

static void put_sum(struct rowjson_writer *r, const struct field *f, struct rowjson_name name,
                    uint64_t v)
{
    member(r, f, name);
    put_number(r->out, v);
}

/* What a value field holds when nothing was added to it. */
static bool number_absent(enum field_type type, uint64_t v)
{
    return type == V_MIN_NS ? v == UINT64_MAX : type == V_MIN32 ? v == UINT32_MAX : v == 0;
}

static void put_value(struct rowjson_writer *r, const struct field *f, struct rowjson_name name,
                      const uint8_t *at, const struct distinct_shape *shape)
{
    uint64_t v;
    switch ((enum field_type)f->type) {
    case V_SUM:
    case V_MIN_NS:
    case V_MAX_NS:
        v = number_at(at, 8);
        if (!number_absent(f->type, v))
            put_sum(r, f, name, v);
        return;
    case V_SUM32:
    case V_MAX32:
    case V_MIN32:
        v = number_at(at, 4);
        if (!number_absent(f->type, v))
            put_sum(r, f, name, v);
        return;
    case V_BITS32:
        put_bits(r, f, name, (uint32_t)number_at(at, 4));
        return;
    case V_COUNTS32:
    case V_COUNTS:
        put_counts(r, f, name, at);
        return;
    case V_HIST:
        put_hist(r, f, name, (const struct hist *)(const void *)at);
        return;
    case V_SET8:
        put_set8(r, f, name, (const struct set8 *)(const void *)at);
        return;
    case V_SLOTS:
        put_slots(r, f, name, number_at(at, 8));
        return;
    case V_DISTINCT:
        put_distinct(r, f, name, (const struct distinct *)(const void *)at, shape);
        return;
    case V_BLOB:
        put_blob(r, f, name, (uint32_t)number_at(at, 4));
        return;
    default:
        assert(!"a value field");
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
            put_value(r, f, *name, (const uint8_t *)row + f->at, &distinct_small);
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

/* Tallies of family `f->n` from the cursor on, up to `end` bytes of output; returns whether some are left. */
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
    member(r, f, name);
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
            put_value(r, f, *name, (const uint8_t *)totals + f->at, &distinct_large);
        }
    }
    close_group(r);
    c->part++;
    return more && !r->out->failed;
}

void rowjson_sums(struct rowjson_writer *r, const struct field *fields, const void *base)
{
    for (const struct field *f = fields; f->type != F_END; f++)
        put_value(r, f, name_of(f->name), (const uint8_t *)base + f->at, &distinct_large);
    close_group(r);
}
