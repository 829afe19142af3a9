#include "core/text.h"
#include "enrich/tls_policy.h"
#include "enrich/tls_suites.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char path[] = "/tmp/tellscope-policy-XXXXXX";

static bool load_text(struct tls_policy *p, const char *text, struct err *e)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
    assert_int_equal(fclose(f), 0);
    e->text[0] = '\0';
    return tls_policy_load(p, path, e);
}

static char *dump_of(const struct tls_policy *p)
{
    struct text_sink t = {0};
    tls_policy_dump(p, &t);
    assert_false(t.failed);
    return t.p;
}

static void refusals(void **state)
{
    (void)state;
    static const struct {
        const char *yaml, *want;
    } rows[] = {
        {"nam: x", "1:1: unknown key \"nam\"; known: name, weak_from, limits, accept, rules"},
        {"rules: {POODEL: high}", "1:9: unknown key \"POODEL\" in rules; known: SSLV2_NEG"},
        {"rules:\n  POODLE: severe\n", "2:11: rules.POODLE: \"severe\" is not known; one of: "
                                       "off, info, low, medium, high, critical"},
        {"rules: {POODLE: [high]}", "1:17: rules.POODLE: a list stands here"},
        {"accept: {versions: tls1.2}", "1:20: accept.versions: a single value stands here"},
        {"accept: {versions: [tls1.4]}",
         "1:21: accept.versions[0]: \"tls1.4\" is no version; tls1.3, tls1.2"},
        {"accept: {ciphers: [AES128-SHA]}", "1:20: accept.ciphers[0]: \"AES128-SHA\" is no cipher"},
        {"accept: {ciphers: [TLS_EMPTY_RENEGOTIATION_INFO_SCSV]}", "1:20: accept.ciphers[0]: "},
        {"accept: {groups: [x25518]}", "1:19: accept.groups[0]: \"x25518\" is no group"},
        {"accept: {signatures: [rsa]}", "1:23: accept.signatures[0]: \"rsa\" is no signature"},
        {"accept: {certificate_keys: [{min_bits: 1}]}",
         "1:29: accept.certificate_keys[0]: the key \"type\" is missing"},
        {"accept: {certificate_keys: [{type: rsa, bits: 1}]}", "1:41: unknown key \"bits\""},
        {"accept: {certificate_keys: [{type: rsa, min_bits: 0}]}", "1:51: "},
        {"accept: {sni_required: maybe}", "1:24: accept.sni_required: \"maybe\" is no truth"},
        {"limits: {rsa_bits: 511}", "1:20: limits.rsa_bits: "},
        {"name: 'a b'", "1:7: name: "},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct tls_policy p = tls_policy_default(), before = p;
        struct err e;
        if (load_text(&p, rows[i].yaml, &e))
            fail_msg("%s: loaded", rows[i].yaml);
        const char *text = e.text + strlen(path) + 1;
        if (strncmp(text, rows[i].want, strlen(rows[i].want)) != 0)
            fail_msg("%s\n  says  %s\n  not   %s", rows[i].yaml, text, rows[i].want);
        assert_memory_equal(&p, &before, sizeof p);
    }
}

/* configs/policy-default.yaml without its comments is the dump of the defaults. */
static void default_is_documented(void **state)
{
    (void)state;
    FILE *f = fopen(TELLSCOPE_SOURCE "/configs/policy-default.yaml", "r");
    assert_non_null(f);
    struct text_sink bare = {0};
    char line[256];
    while (fgets(line, sizeof line, f) != NULL) {
        size_t len = strcspn(line, "#\n");
        while (len > 0 && line[len - 1] == ' ')
            len--;
        if (len > 0)
            text_printf(&bare, "%.*s\n", (int)len, line);
    }
    fclose(f);
    struct tls_policy p = tls_policy_default();
    char *dump = dump_of(&p);
    assert_string_equal(bare.p, dump);
    free(dump);
    text_free(&bare);
}

static void examples_load_and_read_back(void **state)
{
    (void)state;
    glob_t g;
    char hashes[8][17];
    assert_int_equal(glob(TELLSCOPE_SOURCE "/configs/policy-*.yaml", 0, NULL, &g), 0);
    assert_true(g.gl_pathc >= 3 && g.gl_pathc <= 8);
    for (size_t i = 0; i < g.gl_pathc; i++) {
        struct tls_policy p = tls_policy_default(), back = p;
        struct err e = {""};
        if (!tls_policy_load(&p, g.gl_pathv[i], &e))
            fail_msg("%s", e.text);
        char *dump = dump_of(&p);
        assert_true(load_text(&back, dump, &e));
        char *again = dump_of(&back);
        assert_string_equal(dump, again);
        tls_policy_hash(&p, hashes[i]);
        assert_int_equal(strlen(hashes[i]), 16);
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(hashes[k], hashes[i]);
        free(dump);
        free(again);
    }
    globfree(&g);
}

/* The table made from the registry, at its corners. */
static void suites_are_what_they_are_called(void **state)
{
    (void)state;
    static const struct {
        uint16_t code;
        uint8_t kx, auth, enc, flags;
    } rows[] = {
        {0x0000, KX_NULL, AUTH_NULL, ENC_NULL, 0},
        {0x0003, KX_RSA, AUTH_RSA, ENC_RC4, SUITE_EXPORT | SUITE_MD5},
        {0x0005, KX_RSA, AUTH_RSA, ENC_RC4, SUITE_SHA1},
        {0x0008, KX_RSA, AUTH_RSA, ENC_DES40, SUITE_EXPORT | SUITE_CBC | SUITE_SHA1},
        {0x0009, KX_RSA, AUTH_RSA, ENC_DES, SUITE_CBC | SUITE_SHA1},
        {0x000a, KX_RSA, AUTH_RSA, ENC_3DES, SUITE_CBC | SUITE_SHA1},
        {0x0014, KX_DHE, AUTH_RSA, ENC_DES40, SUITE_EXPORT | SUITE_CBC | SUITE_SHA1},
        {0x0018, KX_DHE, AUTH_ANON, ENC_RC4, SUITE_MD5},
        {0x0030, KX_DH, AUTH_DSS, ENC_AES128, SUITE_CBC | SUITE_SHA1},
        {0x003c, KX_RSA, AUTH_RSA, ENC_AES128, SUITE_CBC | SUITE_TLS12},
        {0x008c, KX_PSK, AUTH_PSK, ENC_AES128, SUITE_CBC | SUITE_SHA1},
        {0x009e, KX_DHE, AUTH_RSA, ENC_AES128, SUITE_AEAD | SUITE_TLS12},
        {0x1301, KX_TLS13, AUTH_TLS13, ENC_AES128, SUITE_AEAD},
        {0xc004, KX_ECDH, AUTH_ECDSA, ENC_AES128, SUITE_CBC | SUITE_SHA1},
        {0xc006, KX_ECDHE, AUTH_ECDSA, ENC_NULL, SUITE_SHA1},
        {0xc018, KX_ECDHE, AUTH_ANON, ENC_AES128, SUITE_CBC | SUITE_SHA1},
        {0xc02f, KX_ECDHE, AUTH_RSA, ENC_AES128, SUITE_AEAD | SUITE_TLS12},
        {0xc0b4, KX_TLS13, AUTH_TLS13, ENC_NULL, 0},
        {0xcca8, KX_ECDHE, AUTH_RSA, ENC_CHACHA20, SUITE_AEAD | SUITE_TLS12},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct suite *s = suite_of(rows[i].code);
        assert_non_null(s);
        if (s->kx != rows[i].kx || s->auth != rows[i].auth || s->enc != rows[i].enc
            || s->flags != rows[i].flags)
            fail_msg("0x%04x: kx %u auth %u enc %u flags %#x", s->code, s->kx, s->auth, s->enc,
                     s->flags);
    }
    assert_null(suite_of(0x00ff));
    assert_null(suite_of(0x5600));
    assert_null(suite_of(0x0a0a));
    assert_null(suite_of(0xffff));
}

static void versions_in_order(void **state)
{
    (void)state;
    static const uint16_t order[] = {0x0002, 0x0300, 0x0301, 0x0302, 0x0303, 0x0304};
    for (unsigned i = 0; i < 6; i++)
        assert_int_equal(tls_version_rank(order[i]), i + 1);
    assert_int_equal(tls_version_rank(0xfeff), 3);
    assert_int_equal(tls_version_rank(0xfefd), 5);
    assert_int_equal(tls_version_rank(0x7f17), 6);
    assert_int_equal(tls_version_rank(0x0305), 0);
    assert_int_equal(tls_version_rank(0), 0);
    struct tls_policy p = tls_policy_default();
    assert_true(tls_policy_min_version(&p, 0x0304));
    assert_int_equal(p.n_versions, 1);
    p = tls_policy_default();
    p.n_versions = 0; /* everything */
    assert_true(tls_policy_min_version(&p, 0x0301));
    assert_int_equal(p.n_versions, 4);
}

static int make_path(void **state)
{
    (void)state;
    int fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

static int remove_path(void **state)
{
    (void)state;
    return unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refusals),
        cmocka_unit_test(default_is_documented),
        cmocka_unit_test(examples_load_and_read_back),
        cmocka_unit_test(suites_are_what_they_are_called),
        cmocka_unit_test(versions_in_order),
    };
    return cmocka_run_group_tests(tests, make_path, remove_path);
}
