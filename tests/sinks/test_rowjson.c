#include "sinks/rowjson.h"

#include "random_window.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct config config;

static struct window *make_window(void)
{
    struct err e;
    struct window *w = NULL;
    config = config_default();
    assert_true(window_new(&w, &config, &e));
    window_reset(w, 1519819200, 3600);
    return w;
}

/* ---- the tables are as the writer needs them */

static void check_fields(const struct field *fields, const char *what)
{
    static const char *const own[] = {"kind", "of", "part", "site", "client", "client_kind"};
    unsigned n = 0;
    for (const struct field *f = fields; f->type != F_END; f++, n++) {
        const char *dot = strchr(f->name, '.');
        size_t group = dot != NULL ? (size_t)(dot - f->name) : 0;
        if (dot != NULL && strchr(dot + 1, '.') != NULL)
            fail_msg("%s: %s nests twice", what, f->name);
        for (unsigned i = 0; i < sizeof own / sizeof *own; i++)
            if (strcmp(f->name, own[i]) == 0 && f->type != F_CLIENT && f->type != F_SITE
                && !(f->type == F_ENUM && strcmp(f->name, "of") == 0))
                fail_msg("%s: %s is a name of the format itself", what, f->name);
        for (const struct field *g = fields; g < f; g++) {
            if (strcmp(g->name, f->name) == 0)
                fail_msg("%s: %s stands twice", what, f->name);
            /* members of a group stand together, or its object would be written twice */
            bool same = group > 0 && strncmp(g->name, f->name, group + 1) == 0;
            bool before = strncmp(f[-1].name, f->name, group + 1) == 0;
            if (same && !before)
                fail_msg("%s: the group of %s is torn", what, f->name);
        }
        if (f->type == F_ENUM || f->type == V_COUNTS || f->type == V_COUNTS32
            || f->type == V_BITS32)
            assert_true(f->n > 0);
        if (f->type == F_ENUM)
            assert_non_null(f->names);
    }
    assert_true(n <= ROWJSON_FIELDS_MAX);
}

static void test_tables(void **state)
{
    (void)state;
    for (int kind = 0; kind < ROW_KIND_N; kind++) {
        struct field all[2 * ROWJSON_FIELDS_MAX];
        unsigned n = 0;
        for (const struct field *f = row_types[kind].keys; f->type != F_END; f++)
            all[n++] = *f;
        for (const struct field *f = row_types[kind].values; f->type != F_END; f++)
            all[n++] = *f;
        all[n] = (struct field){.type = F_END};
        check_fields(all, row_types[kind].name);
    }
    check_fields(totals_fields, "totals");
}

/* ---- texts */

static void test_strings(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t len;
        const char *want;
    } rows[] = {
        {"", 0, "\"\""},
        {"plain", 5, "\"plain\""},
        {"a\"b\\c", 5, "\"a\\\"b\\\\c\""},
        {"\0", 1, "\"\\u0100\""},
        {"\x1b[31m", 5, "\"\\u001b[31m\""},
        {"\x7f\x80\xff", 3, "\"\\u007f\\u0080\\u00ff\""},
        {"\xc3\xa9", 2, "\"\\u00c3\\u00a9\""}, /* a letter in UTF-8: two bytes, both kept */
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct text_sink out = {0};
        rowjson_string(&out, rows[i].bytes, rows[i].len);
        assert_int_equal(out.len, strlen(rows[i].want));
        assert_memory_equal(out.p, rows[i].want, out.len);
        text_free(&out);
    }
}

static void test_who(void **state)
{
    (void)state;
    struct window *w = make_window();
    char text[ROWJSON_WHO_MAX];
    const struct {
        uint64_t site;
        const char *want;
    } sites[] = {
        {0, ""},
        {site_of_number(SITE_VLAN, 100), "vlan:100"},
        {site_of_number(SITE_VNI, UINT32_MAX), "vni:4294967295"},
        {site_of_number(SITE_GRE, 0), "gre:0"},
        {site_of_number(SITE_VLAN, 1) | UINT64_C(1) << 40, "id:0100010000000001"},
        {SITE_NAME_BIT | 5, "id:8000000000000005"},
        {window_site_name(w, "home-7"), "home-7"},
        {window_site_name(w, "a:b"), NULL}, /* would read as something else */
    };
    for (size_t i = 0; i < sizeof sites / sizeof *sites; i++) {
        size_t n = rowjson_site(w, sites[i].site, text);
        assert_int_equal(n, strlen(text));
        if (sites[i].want != NULL)
            assert_string_equal(text, sites[i].want);
        else
            assert_memory_equal(text, "id:", 3);
    }
    static const struct {
        struct client client;
        const char *want;
    } clients[] = {
        {{.by = BY_NONE}, ""},
        {{.by = BY_MAC, .id = {0xac, 0xca, 0x54, 0, 0, 1}}, "mac:ac:ca:54:00:00:01"},
        {{.by = BY_ADDR, .id = {[10] = 0xff, 0xff, 192, 168, 1, 5}}, "addr:192.168.1.5"},
        {{.by = BY_ADDR, .id = {0x20, 1, 0xd, 0xb8}}, "addr:2001:db8::"},
        {{.by = BY_VLAN, .id = {0, 0, 0, 7}}, "vlan:7"},
        {{.by = BY_VNI, .id = {1, 0, 0, 0}}, "vni:16777216"},
        {{.by = BY_GRE, .id = {255, 255, 255, 255}}, "gre:4294967295"},
        {{.by = BY_FILE, .id = {0, 1, 2, 3, 4, 5, 6, 255}}, "file:00010203040506ff"},
    };
    for (size_t i = 0; i < sizeof clients / sizeof *clients; i++) {
        size_t n = rowjson_client(&clients[i].client, text);
        assert_int_equal(n, strlen(text));
        assert_string_equal(text, clients[i].want);
    }
    window_free(w);
}

/* ---- rows */

static void assert_row(struct window *w, enum row_kind kind, const void *row, const char *want)
{
    struct text_sink out = {0};
    struct rowjson_writer *r = malloc(sizeof *r);
    rowjson_writer_init(r, w, &out);
    rowjson_row(r, kind, row);
    text_puts(&out, "");
    assert_string_equal(out.p, want);
    text_free(&out);
    free(r);
}

static void test_values(void **state)
{
    (void)state;
    struct window *w = make_window();
    struct client c = {.site = site_of_number(SITE_VLAN, 1),
                       .kind = CLIENT_HOST,
                       .by = BY_VLAN,
                       .id = {0, 0, 0, 9}};
    struct row_client *client = window_row(w, ROW_CLIENT, &(struct row_client){.key.client = c});
    client->packets_out = UINT64_MAX; /* readers have 63 bits */
    client->first_ns = 0;
    client->protocols[PROTO_NONE] = UINT32_MAX;
    client->protocols[PROTO_TLS] = 1;
    assert_row(w, ROW_CLIENT, client,
               "{\"kind\":\"host\",\"site\":\"vlan:1\",\"client\":\"vlan:9\",\"packets_out\":"
               "9223372036854775807,"
               "\"first_ns\":0,\"protocols\":{\"other\":4294967295,\"tls\":1}}\n");

    struct row_coverage cover = {
        .key = {.client = {.site = SITE_NAME_BIT | 1}, .vantage = VANTAGE_WAN}};
    cover.key.sensor = window_intern(w, "s", 1);
    struct row_coverage *v = window_row(w, ROW_COVERAGE, &cover);
    v->slots_in = UINT64_C(1) << 59 | 6 | 1;
    v->slots_out = UINT64_C(0xfffffffffffffff);
    assert_row(w, ROW_COVERAGE, v,
               "{\"kind\":\"coverage\",\"sensor\":\"s\",\"vantage\":\"wan\",\"site\":\"id:"
               "8000000000000001\","
               "\"out\":[[0,3600]],\"in\":[[0,180],[3540,3600]]}\n");

    struct row_ntp *n =
        window_row(w, ROW_NTP, &(struct row_ntp){.key = {.client = c, .role = ROLE_SERVER}});
    n->strata = 1 | UINT32_C(1) << 31;
    n->refids = (struct set8){.n = 2, .value = {1, 0xffffffff}, .count = {7, 8}, .other = 9};
    for (int b = -HIST_MAX; b <= HIST_MAX; b += HIST_MAX)
        window_hist_add(w, &n->offset, b, 2);
    for (int b = 0; b < 12; b++)
        window_hist_add(w, &n->delay, 11 - b, (uint32_t)b + 1);
    assert_row(
        w, ROW_NTP, n,
        "{\"kind\":\"ntp\",\"site\":\"vlan:1\",\"client_kind\":\"host\",\"client\":\"vlan:9\","
        "\"role\":\"server\","
        "\"strata\":[0,31],\"refids\":{\"values\":[[\"00000001\",7],[\"ffffffff\",8]],\"other\":9},"
        "\"offset\":{\"-125\":2,\"0\":2,\"125\":2},\"delay\":{\"0\":12,\"1\":11,\"2\":10,\"3\":9,"
        "\"4\":8,\"5\":7,"
        "\"6\":6,\"7\":5,\"8\":4,\"9\":3,\"10\":2,\"11\":1}}\n");

    struct row_binding bound = {.key = {.client = c, .kind = BIND_DNS, .mac = {1, 2, 3, 4, 5, 6}}};
    assert_true(addr_parse("2001:db8::1", &bound.key.addr)
                && addr_parse("192.0.2.53", &bound.key.source));
    bound.key.value = window_intern(w, "x.example", 9);
    struct row_binding *b = window_row(w, ROW_BINDING, &bound);
    b->count = 2;
    b->matched = 1;
    b->clients = (struct set8){.n = 1, .value = {10}, .count = {2}};
    assert_row(w, ROW_BINDING, b,
               "{\"kind\":\"binding\",\"site\":\"vlan:1\",\"client_kind\":\"host\",\"client\":"
               "\"vlan:9\",\"addr\":\"2001:db8::1\","
               "\"what\":\"dns\",\"mac\":\"01:02:03:04:05:06\",\"value\":\"x.example\",\"source\":"
               "\"192.0.2.53\",\"count\":2,\"matched\":1,"
               "\"clients\":{\"values\":[[\"0000000a\",2]]}}\n");
    window_free(w);
}

/* Sketch registers: runs of four and more zeros are counted. */
static void test_registers(void **state)
{
    (void)state;
    struct window *w = make_window();
    struct row_client *c = window_row(
        w, ROW_CLIENT, &(struct row_client){.key.client = {.kind = CLIENT_GATEWAY, .by = BY_VLAN}});
    struct distinct_block *b = window_distinct_make(w, &c->remotes, &distinct_small);
    unsigned n = 1u << distinct_small.p;
    b->n = UINT32_MAX;
    uint8_t *reg = b->reg;
    memset(reg, 0, n);
    reg[0] = 1;
    reg[4] = 57;
    reg[9] = 10;
    reg[n - 1] = 36;
    struct text_sink out = {0};
    struct rowjson_writer *r = malloc(sizeof *r);
    char want[64];
    snprintf(want, sizeof want, "\"hll\":\"1000v(4)A(%u)a\"}", n - 11);
    rowjson_writer_init(r, w, &out);
    rowjson_row(r, ROW_CLIENT, c);
    text_puts(&out, "");
    assert_non_null(strstr(out.p, want));
    text_free(&out);
    free(r);
    window_free(w);
}

/* Registers and exact hashes that a reader must refuse, or take. */
static void test_read_distinct(void **state)
{
    (void)state;
    /* '#' stands for how many registers come before the last and after the first ten; '+' for one
     * more, '-' for one less; '!' for the digit of the highest rank that a hash can have, '?' for
     * the one above; '%' for all registers; '$' for one more hash than is kept. */
    static const struct {
        const char *remotes;
        bool good;
    } rows[] = {
        {"{\"count\":1,\"exact\":[\"00000000000000ff\"]}", true},
        {"{\"count\":0,\"exact\":[]}", true},
        {"{\"count\":3,\"hll\":\"1000!(4)A(#)a\"}", true},
        {"{\"count\":3,\"hll\":\"1000?(4)A(#)a\"}", false},
        {"{\"count\":3,\"hll\":\"1000!(4)A(+)a\"}", false},
        {"{\"count\":3,\"hll\":\"1000!(4)A(-)a\"}", false},
        {"{\"count\":3,\"hll\":\"1000!(4)A(#)aa\"}", false},
        {"{\"count\":3,\"hll\":\"1(3)!(4)A(#)a\"}", false},
        {"{\"count\":3,\"hll\":\"(%)\"}", true},
        {"{\"count\":3,\"hll\":\"(%\"}", false},
        {"{\"count\":3,\"hll\":\"(99999999999999999999999)\"}", false},
        {"{\"count\":3,\"hll\":\"\"}", false},
        {"{\"count\":3,\"hll\":7}", false},
        {"{\"count\":1}", false},
        {"{\"count\":1,\"exact\":[\"00000000000000ff\"],\"hll\":\"(%)\"}", false},
        {"{\"count\":1,\"exact\":[255]}", false},
        {"{\"count\":2,\"exact\":[\"00000000000000ff\"]}", false},
        {"{\"count\":$,\"exact\":[]}", false},
        {"7", false},
    };
    static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_";
    unsigned registers = 1u << distinct_small.p;
    struct window *w = make_window();
    struct rowjson_reader *r = malloc(sizeof *r);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char line[512];
        const char *kind;
        struct err e = {""};
        enum row_kind which;
        uint8_t client_kind;
        size_t n = (size_t)snprintf(line, sizeof line,
                                    "{\"kind\":\"gateway\",\"client\":\"vlan:1\",\"remotes\":");
        for (const char *p = rows[i].remotes; *p != '\0'; p++) {
            unsigned number = *p == '#'   ? registers - 11
                              : *p == '+' ? registers - 10
                              : *p == '-' ? registers - 12
                              : *p == '%' ? registers
                              : *p == '$' ? distinct_small.exact_max + 1u
                                          : 0;
            char digit = *p == '!'   ? digits[65 - distinct_small.p]
                         : *p == '?' ? digits[66 - distinct_small.p]
                                     : *p;
            n += (size_t)(number > 0 ? snprintf(line + n, sizeof line - n, "%u", number)
                                     : snprintf(line + n, sizeof line - n, "%c", digit));
        }
        snprintf(line + n, sizeof line - n, "}");
        assert_true(rowjson_reader_init(r, w, 1519819200, 3600, &e));
        struct json_t *row = rowjson_parse(line, strlen(line), &kind, &e);
        assert_non_null(row);
        assert_true(rowjson_kind_find(kind, &which, &client_kind));
        if (rowjson_read_row(r, which, client_kind, row, &e) != rows[i].good)
            fail_msg("%s: %s", rows[i].remotes, e.text);
        rowjson_drop(row);
        rowjson_reader_free(r);
        window_reset(w, 1519819200, 3600);
    }
    free(r);
    window_free(w);
}

/* Every row that is written is read as one, from a fresh reader: no row leans on the one before. */
static void test_rows_stand_alone(void **state)
{
    (void)state;
    struct window *w = make_window(), *back = make_window();
    struct rowjson_writer *r = malloc(sizeof *r);
    struct rowjson_reader *in = malloc(sizeof *in);
    uint64_t seed = 9;
    for (int k = 0; k < ROW_TALLY; k++) {
        size_t n;
        random_rows(w, &seed, (enum row_kind)k, 30);
        void *const *rows = window_rows(w, (enum row_kind)k, &n);
        struct text_sink first = {0}, second = {0};
        assert_true(n > 0);
        for (size_t i = 0; i < n; i++) {
            struct err e = {""};
            const char *kind;
            enum row_kind which;
            uint8_t client_kind;
            size_t one;
            first.len = second.len = 0;
            rowjson_writer_init(r, w, &first);
            rowjson_row(r, (enum row_kind)k, rows[i]);
            window_reset(back, 1519819200, 3600);
            assert_true(rowjson_reader_init(in, back, 1519819200, 3600, &e));
            struct json_t *row = rowjson_parse(first.p, first.len - 1, &kind, &e);
            if (row == NULL || !rowjson_kind_find(kind, &which, &client_kind)
                || !rowjson_read_row(in, which, client_kind, row, &e))
                fail_msg("%s in %.*s", e.text, (int)first.len, first.p);
            rowjson_drop(row);
            rowjson_reader_free(in);
            void *const *read = window_rows(back, (enum row_kind)k, &one);
            assert_int_equal(one, 1);
            rowjson_writer_init(r, back, &second);
            rowjson_row(r, (enum row_kind)k, read[0]);
            assert_int_equal(first.len, second.len);
            assert_memory_equal(first.p, second.p, first.len);
            rows = window_rows(w, (enum row_kind)k, &n);
        }
        text_free(&first);
        text_free(&second);
    }
    free(r), free(in);
    window_free(w), window_free(back);
}

/* ---- documents */

static json_t *load_schema(void)
{
    json_error_t why;
    json_t *schema =
        json_load_file(TELLSCOPE_SOURCE "/docs/summary.schema.json", JSON_REJECT_DUPLICATES, &why);
    if (schema == NULL)
        fail_msg("summary.schema.json:%d: %s", why.line, why.text);
    return schema;
}

/* The schema has this field, in the object that holds it. */
static void assert_described(const json_t *properties, const char *kind, const struct field *f)
{
    const char *dot = strchr(f->name, '.'), *member = f->name;
    if (dot != NULL) {
        char group[64];
        snprintf(group, sizeof group, "%.*s", (int)(dot - f->name), f->name);
        properties = json_object_get(json_object_get(properties, group), "properties");
        member = dot + 1;
    }
    if (f->type != F_CLIENT && json_object_get(properties, member) == NULL)
        fail_msg("docs/summary.schema.json does not describe %s of %s", f->name, kind);
}

static void test_schema(void **state)
{
    (void)state;
    json_t *schema = load_schema();
    const json_t *defs = json_object_get(schema, "$defs");
    for (int kind = 0; kind < ROW_TALLY; kind++) {
        const struct row_type *type = &row_types[kind];
        char name[64];
        size_t n = kind == ROW_CLIENT ? 3 : 1; /* "kind", and for clients "site" and "client" */
        snprintf(name, sizeof name, "%s_row", type->name);
        const json_t *properties = json_object_get(json_object_get(defs, name), "properties");
        for (const struct field *f = type->keys; f->type != F_END; f++) {
            assert_described(properties, type->name, f);
            n += kind == ROW_CLIENT ? 0 : f->type == F_CLIENT ? 3 : 1;
        }
        for (const struct field *f = type->values; f->type != F_END; f++, n++)
            assert_described(properties, type->name, f);
        if (json_object_size(properties) != n)
            fail_msg("docs/summary.schema.json describes more of %s than there is", type->name);
    }
    const json_t *totals = json_object_get(json_object_get(defs, "totals_row"), "properties");
    for (const struct field *f = totals_fields; f->type != F_END; f++)
        assert_described(totals, "totals", f);
    json_decref(schema);
}

/* The example rows of docs/segments.md are rows: each is read, and written as it stands there. */
static void test_examples(void **state)
{
    (void)state;
    FILE *f = fopen(TELLSCOPE_SOURCE "/docs/segments.md", "r");
    assert_non_null(f);
    struct window *w = make_window();
    struct rowjson_reader *in = malloc(sizeof *in);
    struct rowjson_writer *r = malloc(sizeof *r);
    static char line[65536];
    unsigned seen = 0;
    while (fgets(line, sizeof line, f) != NULL) {
        struct err e = {""};
        struct text_sink out = {0};
        const char *kind;
        enum row_kind which;
        uint8_t client_kind;
        size_t n;
        if (strncmp(line, "{\"kind\"", 7) != 0)
            continue;
        struct json_t *row = rowjson_parse(line, strlen(line), &kind, &e);
        assert_non_null(row);
        if (rowjson_kind_find(kind, &which, &client_kind)) {
            window_reset(w, 1519819200, 3600);
            assert_true(rowjson_reader_init(in, w, 1519819200, 3600, &e));
            if (!rowjson_read_row(in, which, client_kind, row, &e))
                fail_msg("%s in %s", e.text, line);
            rowjson_reader_free(in);
            rowjson_writer_init(r, w, &out);
            rowjson_row(r, which, window_rows(w, which, &n)[0]);
            text_puts(&out, "");
            assert_string_equal(out.p, line);
            text_free(&out);
            seen++;
        }
        rowjson_drop(row);
    }
    fclose(f);
    assert_true(seen >= ROW_TALLY);
    free(in), free(r);
    window_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tables),
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_who),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_registers),
        cmocka_unit_test(test_read_distinct),
        cmocka_unit_test(test_rows_stand_alone),
        cmocka_unit_test(test_schema),
        cmocka_unit_test(test_examples),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
