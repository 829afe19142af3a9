/* The file of client types: what it says, what of it is refused and where, and what it makes of the
 * sessions of a window. */
#include "enrich/client_types.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static char path[] = "/tmp/tellscope-types-XXXXXX";

static bool load(struct client_types **t, const char *text, struct err *e)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
    fclose(f);
    e->text[0] = '\0';
    return client_types_load(t, path, e);
}

static struct bytes bytes(const char *text)
{
    return (struct bytes){(const uint8_t *)text, (uint32_t)strlen(text)};
}

#define JA4  "t13d1516h2_8daaf6152771_e5627efa2ab1"
#define REST ", name: a, source: b}"

static void refusals(void **state)
{
    (void)state;
    static const struct {
        const char *yaml, *want;
    } rows[] = {
        {"client_type: []", "1:1: unknown key \"client_type\"; known: client_types"},
        {"[]", "1:1: a list stands here; a mapping belongs here"},
        {"client_types: 3", "1:15: client_types: a single value stands here; a list belongs here"},
        {"client_types: [a]",
         "1:16: client_types[0]: a single value stands here; a mapping belongs here"},
        {"client_types: []\nclient_types: []",
         "2:1: the key \"client_types\" is there twice; first in line 1"},
        {"client_types:\n  - ja4: \"" JA4 "\"\n    name: a\n    sourze: b\n",
         "4:5: unknown key \"sourze\" in client_types[0]; known: hello, ja4, user_agent, name, "
         "version, source"},
        {"client_types: [{name: a, source: b}]",
         "1:16: client_types[0]: the key hello, ja4 or user_agent is missing"},
        {"client_types: [{ja4: " JA4 ", source: b}]", "1:16: client_types[0]: the key name is"},
        {"client_types: [{ja4: " JA4 ", name: b}]", "1:16: client_types[0]: the key source is"},
        {"client_types: [{ja4: " JA4 ", user_agent: a" REST "]",
         "1:72: client_types[0].user_agent: an entry has one of hello, ja4 and user_agent"},
        {"client_types: [{ja4: t13d" REST "]", "1:22: client_types[0].ja4: \"t13d\" is no JA4; as"},
        {"client_types: [{ja4: \"t13d1516h2-8daaf6152771_e5627efa2ab1\"" REST "]", "1:22: "},
        {"client_types: [{ja4: \"t13(*\"" REST "]", "1:22: client_types[0].ja4: "},
        {"client_types: [{hello: 12345678" REST "]",
         "1:24: client_types[0].hello: \"12345678\" is no hello id; 16 hexadecimal digits"},
        {"client_types: [{hello: \"0000000000000000\"" REST "]", "1:24: client_types[0].hello: "},
        {"client_types: [{hello: 605AE1F75429C0E2" REST "]", "1:24: client_types[0].hello: "},
        {"client_types: [{user_agent: \"\"" REST "]",
         "1:29: client_types[0].user_agent: \"\" does"},
        {"client_types: [{ja4: " JA4 ", name: \"a\\u001b\", source: b}]",
         "1:66: client_types[0].name: \"a?\" does not fit; 1 to 47 bytes without control"},
        {"client_types: [{ja4: " JA4 ", name: [a], source: b}]",
         "1:66: client_types[0].name: a list stands here; a single value belongs here"},
        {"client_types: [{ja4: " JA4
         ", name: 01234567890123456789012345, version: 01234567890123456789012345, source: b}]",
         "1:16: client_types[0]: name and version are too long; together at most 46 bytes"},
        {"client_types: []\n---\n{}", "3:1: a second document; one only"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct client_types *t;
        struct err e;
        char want[700];
        bool ok = load(&t, rows[i].yaml, &e);
        snprintf(want, sizeof want, "%s:%s", path, rows[i].want);
        if (ok || strncmp(e.text, want, strlen(want)) != 0)
            fail_msg("%s\n gives: %s\n wants: %s", rows[i].yaml, ok ? "ok" : e.text, want);
    }
    struct client_types *t;
    struct err e;
    assert_false(client_types_load(&t, "/nowhere/types.yaml", &e));
    assert_string_equal(e.text, "/nowhere/types.yaml: No such file or directory");
}

static const char example[] =
    "client_types:\n"
    "  - {ja4: \"t13?1516h2_*\", name: chrome, source: a}\n"
    "  - {hello: 605ae1f75429c0e2, name: curl, version: '8', source: a}\n"
    "  - {ja4: t10i090500_c491f621fb4c_195413a0cc0f, name: curl, version: '8', source: a}\n"
    "  - {user_agent: \"curl/8*\", name: curl, version: '8', source: a}\n"
    "  - {user_agent: \"curl/*\", name: old curl, source: a}\n"
    "  - {ja4: \"t13d*\", name: later, source: a}\n";

static const char *hello(const struct client_types *t, uint64_t id, const char *ja4)
{
    return client_types_text(t, client_types_of_hello(t, id, bytes(ja4)));
}

static const char *agent(const struct client_types *t, const char *text)
{
    return client_types_text(t, client_types_of_agent(t, bytes(text)));
}

static void answers(void **state)
{
    (void)state;
    struct client_types *t;
    struct err e;
    if (!load(&t, example, &e))
        fail_msg("%s", e.text);
    assert_string_equal(hello(t, 1, JA4), "chrome"); /* the first that fits */
    assert_string_equal(hello(t, 1, "t13d0101h2_8daaf6152771_e5627efa2ab1"), "later");
    assert_string_equal(hello(t, 1, "t12d0101h2_8daaf6152771_e5627efa2ab1"), "");
    assert_string_equal(hello(t, 0x605ae1f75429c0e2, JA4), "curl 8"); /* before the JA4 */
    assert_string_equal(hello(t, 0x605ae1f75429c0e2, ""), "curl 8");
    assert_string_equal(hello(t, 0, ""), "");
    assert_int_equal(client_types_of_hello(t, 0x605ae1f75429c0e2, bytes("")),
                     client_types_of_hello(t, 1, bytes("t10i090500_c491f621fb4c_195413a0cc0f")));
    assert_string_equal(agent(t, "curl/8.1"), "curl 8 (User-Agent)");
    assert_string_equal(agent(t, "curl/7.88.1"), "old curl (User-Agent)");
    assert_string_equal(agent(t, "Curl"), "");
    assert_string_equal(agent(t, ""), "");
    client_types_free(t);
    assert_true(load(&t, "", &e)); /* nothing is known */
    assert_string_equal(hello(t, 1, JA4), "");
    client_types_free(t);
    if (!client_types_load(&t, TELLSCOPE_SOURCE "/configs/clients.yaml", &e))
        fail_msg("%s", e.text);
    assert_string_equal(hello(t, 1, "t13d3112h2_e8f1e7e78f70_b26ce05bbdd6"),
                        "curl 7.88 with OpenSSL 3.0");
    client_types_free(t);
}

static struct client client_of(uint8_t last)
{
    return (struct client){
        .kind = CLIENT_GATEWAY, .by = BY_MAC, .id = {0xac, 0xca, 0x54, 0, 0, last}};
}

static void agent_row(struct window *w, uint8_t client, const char *text)
{
    struct row_binding b = {.key = {.client = client_of(client), .kind = BIND_USER_AGENT}};
    b.key.value = window_intern(w, text, (uint32_t)strlen(text));
    ((struct row_binding *)window_row(w, ROW_BINDING, &b))->count++;
}

/* By hello; where that is unknown by what the device said, if all it said names one type. */
static void sessions(void **state)
{
    (void)state;
    struct client_types *t = NULL;
    struct client_typing *c;
    struct window *w = NULL;
    struct err e;
    struct config config = config_default();
    assert_true(load(&t, example, &e) && window_new(&w, &config, &e));
    window_reset(w, 0, 3600);
    agent_row(w, 1, "curl/8.1");
    agent_row(w, 1, "curl/8.2");
    agent_row(w, 2, "curl/8.1");
    agent_row(w, 2, "curl/7.1"); /* another type: which of the two? */
    agent_row(w, 3, "something else");
    static const struct {
        uint8_t client, role;
        uint64_t hello;
        const char *ja4, *want;
    } rows[] = {
        {1, ROLE_CLIENT, 7, JA4, "chrome"}, {1, ROLE_CLIENT, 7, "t12", "curl 8 (User-Agent)"},
        {1, ROLE_SERVER, 7, "t12", ""}, /* the peer is the client there */
        {1, ROLE_CLIENT, 0, "", ""},    /* no hello was seen */
        {2, ROLE_CLIENT, 7, "t12", ""},     {3, ROLE_CLIENT, 7, "t12", ""},
        {4, ROLE_CLIENT, 7, "t12", ""},     {4, ROLE_CLIENT, 0x605ae1f75429c0e2, "t12", "curl 8"},
    };
    for (int with = 0; with < 2; with++) {
        assert_true(client_typing_new(&c, with ? t : NULL, w, &e));
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
            struct row_tls row = {.key = {.client = client_of(rows[i].client),
                                          .hello = rows[i].hello,
                                          .role = rows[i].role}};
            row.key.ja4 = window_intern(w, rows[i].ja4, (uint32_t)strlen(rows[i].ja4));
            assert_string_equal(client_types_text(t, client_typing_of(c, &row)),
                                with ? rows[i].want : "");
        }
        client_typing_free(c);
    }
    client_types_free(t);
    window_free(w);
}

int main(void)
{
    int fd = mkstemp(path);
    if (fd < 0)
        return 1;
    close(fd);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refusals),
        cmocka_unit_test(answers),
        cmocka_unit_test(sessions),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(path);
    return failed;
}
