/* TLS clients by what they are, and gateways by the inventory: what callbacks tell, in tables and
 * as JSON. */
#include "sinks/table.h"

#include "random_window.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>

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

/* A session row: hello 100 and above are of a known type, the hundreds of their number. */
static void row_of(struct window *w, uint8_t client, enum role role, uint64_t hello,
                   const char *ja4, uint16_t version, uint64_t sessions)
{
    struct row_tls row = {
        .key = {.client = {.kind = CLIENT_GATEWAY, .by = BY_MAC, .id = {2, client}},
                .hello = hello,
                .version = version,
                .port = 443,
                .role = (uint8_t)role}};
    assert_true(addr_parse("192.0.2.10", &row.key.peer));
    row.key.ja4 = window_intern(w, ja4, (uint32_t)strlen(ja4));
    ((struct row_tls *)window_row(w, ROW_TLS, &row))->sessions += sessions;
}

static unsigned type_of(void *ctx, const struct row_tls *row)
{
    (void)ctx;
    return (unsigned)row->key.hello / 100;
}

static const char *type_text(void *ctx, unsigned type)
{
    static const char *const texts[] = {"", "curl 8", "wget \x1b[0m"};
    (void)ctx;
    return texts[type];
}

static bool device_of(const void *ctx, const struct client *client, uint64_t first_ns,
                      uint64_t last_ns, struct totals_device *device)
{
    (void)ctx;
    assert_int_equal(first_ns, 5);
    assert_int_equal(last_ns, 6);
    *device = (struct totals_device){"Net", "1.2", "G\xc3\xb6ran"};
    return client->id[1] == 1;
}

static const struct totals_extra asked = {
    .type_of = type_of, .type_text = type_text, .device = device_of};

static void fill(struct window *w)
{
    row_of(w, 1, ROLE_CLIENT, 1, "t10i_b", 0x0301, 3);
    row_of(w, 2, ROLE_CLIENT, 1, "t10i_b", 0x0303, 4);
    row_of(w, 2, ROLE_CLIENT, 2, "t10i_b", 0x0303, 1); /* another hello, one JA4: one client */
    row_of(w, 1, ROLE_SERVER, 3, "t13d_a", 0x0304, 8);
    row_of(w, 2, ROLE_SERVER, 3, "t13d_a", 0x0303, 0); /* the same peer */
    row_of(w, 3, ROLE_CLIENT, 4, "t13d_c", 0x0304, 8); /* as many sessions: by name then */
    row_of(w, 3, ROLE_CLIENT, 5, "", 0x0002, 1);       /* SSLv2: no JA4 */
    row_of(w, 3, ROLE_CLIENT, 6, "", 0x0002, 1);
    row_of(w, 3, ROLE_CLIENT, 0, "", 0, 99); /* no hello seen */
    row_of(w, 1, ROLE_CLIENT, 100, "t12d_d", 0x0303, 2);
    row_of(w, 2, ROLE_CLIENT, 101, "t12d_e", 0x0303, 5);
    row_of(w, 2, ROLE_CLIENT, 200, "t12d_f", 0x0303, 1);
}

static void test_unknown(void **state)
{
    (void)state;
    struct window *w = make_window();
    struct text_sink out = {0};
    table_unknown_clients(w, &asked, false, &out);
    assert_string_equal(out.p, "No unknown TLS clients\n");
    out.len = 0;
    table_unknown_clients(w, &asked, true, &out);
    assert_string_equal(out.p, "{\"schema\":\"tellscope.unknown_clients.v1\",\"clients\":[]}\n");
    out.len = 0;
    fill(w);
    table_unknown_clients(w, &asked, false, &out);
    assert_string_equal(
        out.p, "Unknown TLS clients (5)\n"
               "  client                          sessions  weak  devices  versions\n"
               "  unknown:t10i_b                         8     3        2  TLSv1, TLS 1.2\n"
               "  unknown:t13d_a                         8     0        1  TLS 1.3, TLS 1.2\n"
               "  unknown:t13d_c                         8     0        1  TLS 1.3\n"
               "  unknown:hello:0000000000000005         1     1        1  SSLv2\n"
               "  unknown:hello:0000000000000006         1     1        1  SSLv2\n");
    out.len = 0;
    table_unknown_clients(w, &asked, true, &out);
    json_t *o = json_loads(out.p, 0, NULL);
    assert_non_null(o);
    json_t *first = json_array_get(json_object_get(o, "clients"), 0);
    char *text = json_dumps(first, JSON_COMPACT);
    assert_string_equal(text, "{\"ja4\":\"t10i_b\",\"hello\":\"0000000000000001\",\"sessions\":8,"
                              "\"weak\":3,\"devices\":2}");
    free(text);
    assert_int_equal(json_array_size(json_object_get(o, "clients")), 5);
    json_decref(o);
    text_free(&out);
    window_free(w);
}

static void test_types(void **state)
{
    (void)state;
    struct window *w = make_window();
    struct text_sink out = {0};
    fill(w);
    for (uint8_t n = 1; n <= 2; n++) {
        struct row_client row = {
            .key.client = {.kind = CLIENT_GATEWAY, .by = BY_MAC, .id = {2, n}}};
        struct row_client *c = window_row(w, ROW_CLIENT, &row);
        c->bytes_in = 3u - n;
        c->first_ns = 5;
        c->last_ns = 6;
    }
    table_summary(w, &asked, &out);
    static const char *const lines[] = {
        "\nTLS clients\n  client  ",
        "\n  curl 8                                 7     0        2  TLS 1.2\n",
        "\n  wget \\x1b[0m                           1     0        1  TLS 1.2\n",
        "  product  firmware  customer\n",
        "1970-01-01T00:00:00Z  Net      1.2       G\xc3\xb6ran\n",
        "1970-01-01T00:00:00Z  -        -         -\n",
        "  unknown:t10i_b, curl 8, wget \\x1b[0m, ...\n",
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        if (strstr(out.p, lines[i]) == NULL)
            fail_msg("no \"%s\" in\n%s", lines[i], out.p);
    out.len = 0;
    table_summary(w, NULL, &out); /* nobody to ask: no such columns */
    assert_null(strstr(out.p, "unknown:"));
    assert_null(strstr(out.p, "firmware"));
    text_free(&out);
    window_free(w);
}

/* Whatever a window holds: each unknown client once, sessions and devices as a count by hand has
 * them. */
static void test_any_window(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct window *w = make_window();
        struct text_sink out = {0};
        size_t n, clients;
        uint64_t sessions = 0, told = 0;
        random_window(w, seed, 60);
        void *const *rows = window_rows(w, ROW_TLS, &n);
        for (size_t i = 0; i < n; i++) {
            const struct row_tls *row = rows[i];
            sessions += row->key.hello != 0 ? row->sessions : 0;
        }
        table_unknown_clients(w, &(struct totals_extra){0}, true, &out);
        json_t *o = json_loads(out.p, JSON_REJECT_DUPLICATES, NULL);
        assert_non_null(o);
        json_t *list = json_object_get(o, "clients");
        clients = json_array_size(list);
        for (size_t i = 0; i < clients; i++)
            told +=
                (uint64_t)json_integer_value(json_object_get(json_array_get(list, i), "sessions"));
        assert_true(told == sessions);
        json_decref(o);
        text_free(&out);
        window_free(w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unknown),
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_any_window),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
