/* Windows made row by row, and what is found in them: what one session alone cannot show, names,
 * and how findings are counted. */
#include "enrich/tls_judge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "core/hash.h"
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define T0   UINT64_C(1519819200000000000)
#define HOUR UINT64_C(3600000000000)

static struct config config;
static struct window *w;
static struct tls_index *x;
static struct tls_judged j;
static const struct tls_typing *typing;

static int begin(void **state)
{
    struct err e;
    (void)state;
    config = config_default();
    if (!window_new(&w, &config, &e))
        return -1;
    window_reset(w, T0 / 1000000000, 3600);
    return 0;
}

static int end(void **state)
{
    (void)state;
    tls_judged_free(&j);
    tls_index_free(x);
    window_free(w);
    x = NULL;
    typing = NULL;
    return 0;
}

static void judge(void)
{
    struct err e;
    struct tls_policy p = tls_policy_default();
    assert_true(tls_index_new(&x, w, typing, &e));
    assert_true(tls_judge(&j, x, w, &p, &e));
}

static struct addr server(uint8_t last)
{
    return addr_v4((const uint8_t[]){203, 0, 113, last});
}

static struct client gateway(uint8_t last)
{
    return (struct client){
        .site = 1, .kind = CLIENT_GATEWAY, .by = BY_MAC, .id = {0xac, 0xca, 0x54, 0, 0, last}};
}

static uint64_t offer_row(uint16_t legacy, uint16_t cipher)
{
    static struct offer o;
    uint8_t blob[OFFER_BLOB_MAX];
    offer_init(&o);
    o.legacy_version = legacy;
    o.ciphers[o.n_ciphers++] = cipher;
    o.ciphers[o.n_ciphers++] = 0x00ff;
    o.extensions[o.n_extensions++] = 23;
    size_t n = offer_write(&o, blob);
    struct row_hello key = {.key = {.id = offer_id(blob, n)}};
    struct row_hello *row = window_row(w, ROW_HELLO, &key);
    row->offer = window_intern(w, blob, (uint32_t)n);
    row->count++;
    return key.key.id;
}

/* A certificate with this public key (0: none), in an answer. */
static uint64_t answer_row(uint16_t version, uint16_t cipher, uint8_t spki, const char *san)
{
    static struct cert c;
    static uint8_t blob[CERT_BLOB_MAX];
    uint8_t bytes[ANSWER_BLOB_MAX];
    struct answer a = {
        .version = version, .cipher = cipher, .flags = ANSWER_EMS | ANSWER_RENEG_INFO | ANSWER_ETM};
    if (spki != 0) {
        c = (struct cert){.not_before_s = (int64_t)(T0 / 1000000000) - 86400,
                          .not_after_s = (int64_t)(T0 / 1000000000) + 86400 * 90,
                          .key = CERT_KEY_RSA,
                          .key_bits = 2048,
                          .signature_hash = CERT_HASH_SHA256,
                          .n_sans = 1,
                          .san_len = {(uint8_t)strlen(san)}};
        memset(c.spki_sha256, spki, sizeof c.spki_sha256);
        memcpy(c.sans[0], san, strlen(san));
        size_t n = cert_write(&c, blob);
        struct row_cert key = {.key = {.id = hash_bytes(blob, n, 7)}};
        struct row_cert *row = window_row(w, ROW_CERT, &key);
        row->facts = window_intern(w, blob, (uint32_t)n);
        a.certs[a.n_certs++] = key.key.id;
    }
    size_t n = answer_write(&a, bytes);
    struct row_answer key = {.key = {.id = answer_id(bytes, n)}};
    struct row_answer *row = window_row(w, ROW_ANSWER, &key);
    row->answer = window_intern(w, bytes, (uint32_t)n);
    return key.key.id;
}

struct made {
    uint8_t client, server, outcome;
    uint16_t version, cipher;
    uint64_t hello, answer, sessions, at_ns;
    const char *sni;
};

static void tls_row(const struct made *m)
{
    struct row_tls key = {.key = {.client = gateway(m->client),
                                  .peer = server(m->server),
                                  .hello = m->hello,
                                  .answer = m->answer,
                                  .port = 443,
                                  .version = m->version,
                                  .cipher = m->cipher,
                                  .outcome = m->outcome,
                                  .handshake_seen = 1}};
    if (m->sni != NULL)
        key.key.sni = window_intern(w, m->sni, (uint32_t)strlen(m->sni));
    struct row_tls *row = window_row(w, ROW_TLS, &key);
    row->sessions += m->sessions;
    row->first_ns = T0 + m->at_ns;
    row->last_ns = T0 + m->at_ns + 1000;
}

static const struct finding *found(enum weakness rule, uint8_t to)
{
    struct addr a = server(to);
    for (size_t i = 0; i < j.n_findings; i++)
        if (j.findings[i].rule == rule && addr_equal(&j.findings[i].server->addr, &a))
            return &j.findings[i];
    return NULL;
}

static void drown(void **state)
{
    (void)state;
    uint64_t v2 = offer_row(0x0002, 0x0700), tls = offer_row(0x0303, 0x009c);
    tls_row(&(struct made){1, 1, TLS_ESTABLISHED, 0x0002, 0, v2,
                           answer_row(0x0002, 0, 5, "a.example"), 1, 0, NULL});
    tls_row(&(struct made){1, 2, TLS_ESTABLISHED, 0x0303, 0x009c, tls,
                           answer_row(0x0303, 0x009c, 5, "a.example"), 3, 0, NULL});
    tls_row(&(struct made){1, 3, TLS_ESTABLISHED, 0x0303, 0xc02f, tls,
                           answer_row(0x0303, 0xc02f, 5, "b.example"), 1, 0, NULL});
    tls_row(&(struct made){1, 4, TLS_ESTABLISHED, 0x0303, 0x009c, tls,
                           answer_row(0x0303, 0x009c, 6, "c.example"), 1, 0, NULL});
    judge();
    assert_non_null(found(WEAK_DROWN_SHARED_KEY, 2));
    assert_int_equal(found(WEAK_DROWN_SHARED_KEY, 2)->severity,
                     SEVERITY_CRITICAL); /* RSA key exchange */
    assert_int_equal(found(WEAK_DROWN_SHARED_KEY, 2)->sessions, 3);
    assert_int_equal(found(WEAK_DROWN_SHARED_KEY, 3)->severity, SEVERITY_HIGH);
    assert_null(found(WEAK_DROWN_SHARED_KEY, 4)); /* another key */
    assert_null(found(WEAK_DROWN_SHARED_KEY, 1)); /* the SSL 2.0 session itself has its own class */
    assert_int_equal(j.weak[WEAK_DROWN_SHARED_KEY], 4);
}

static void no_ssl2_no_drown(void **state)
{
    (void)state;
    uint64_t tls = offer_row(0x0303, 0x009c);
    for (uint8_t s = 1; s < 4; s++)
        tls_row(&(struct made){1, s, TLS_ESTABLISHED, 0x0303, 0x009c, tls,
                               answer_row(0x0303, 0x009c, 5, "a.example"), 1, 0, NULL});
    judge();
    assert_int_equal(j.weak[WEAK_DROWN_SHARED_KEY], 0);
}

static void reuse_row(uint8_t to, enum tls_reuse what, uint64_t value, uint64_t count,
                      uint64_t hours)
{
    struct row_reuse key = {
        .key = {
            .site = 1, .server = server(to), .value = value, .port = 443, .what = (uint8_t)what}};
    struct row_reuse *row = window_row(w, ROW_REUSE, &key);
    row->count += count;
    row->first_ns = T0;
    row->last_ns = T0 + hours * HOUR;
}

static void values_used_twice(void **state)
{
    (void)state;
    static const uint8_t zeros[16];
    reuse_row(1, REUSE_DH, 11, 2, 0);
    reuse_row(1, REUSE_DH, 12, 3, 0);
    reuse_row(2, REUSE_DH, 13, 1, 0);
    reuse_row(3, REUSE_ECDH, 14, 2, 0);
    reuse_row(4, REUSE_TICKET_KEY, 15, 9, 24); /* a day, to the nanosecond */
    reuse_row(5, REUSE_TICKET_KEY, 16, 9, 25);
    reuse_row(6, REUSE_TICKET_KEY, 17, 1, 0);
    reuse_row(7, REUSE_TICKET_KEY, 17, 1, 0); /* the same at two servers */
    reuse_row(8, REUSE_TICKET_KEY, hash_bytes(zeros, sizeof zeros, 0), 1, 0);
    judge();
    assert_int_equal(found(WEAK_DH_REUSE, 1)->sessions, 5);
    assert_null(found(WEAK_DH_REUSE, 2));
    assert_non_null(found(WEAK_DH_REUSE, 3));
    assert_null(found(WEAK_TICKET_ODD, 4));
    assert_non_null(found(WEAK_TICKET_ODD, 5));
    assert_non_null(found(WEAK_TICKET_ODD, 6));
    assert_non_null(found(WEAK_TICKET_ODD, 7));
    assert_non_null(strstr(found(WEAK_TICKET_ODD, 8)->detail, "zeros"));
    assert_int_equal(j.weak[WEAK_DH_REUSE], 7);
}

/* Clients are counted once a finding, kinds apart; sessions by judgement add up. */
static void counts(void **state)
{
    (void)state;
    uint64_t old = offer_row(0x0301, 0x002f);
    for (uint8_t c = 1; c < 4; c++)
        for (unsigned k = 0; k < 2; k++) /* two tuples of each client */
            tls_row(&(struct made){c, 1, TLS_ESTABLISHED, 0x0301, k == 0 ? 0x002f : 0x0035, old, 0,
                                   10, 0, "a.example"});
    tls_row(&(struct made){9, 1, TLS_REFUSED, 0x0301, 0x002f, old, 0, 1, 0, "a.example"});
    judge();
    assert_int_equal(j.n_servers, 1);
    assert_int_equal(j.servers[0].clients.gateways, 4);
    assert_int_equal(j.servers[0].clients.hosts, 0);
    assert_int_equal(j.servers[0].sessions, 61);
    assert_int_equal(j.servers[0].judged[JUDGED_WEAK], 60);
    assert_int_equal(j.servers[0].judged[JUDGED_FAILED], 1);
    assert_int_equal(j.weak[WEAK_TLS10], 60);
    unsigned n = 0;
    for (size_t i = 0; i < j.n_findings; i++) {
        if (j.findings[i].rule != WEAK_TLS10)
            continue;
        uint64_t want = j.findings[i].basis == BASIS_ATTEMPTED ? 1 : 60;
        assert_int_equal(j.findings[i].sessions, want);
        assert_int_equal(j.findings[i].clients.gateways, want == 1 ? 1 : 3);
        n++;
    }
    assert_int_equal(n, 2);
    assert_true(tls_judged_has(&j, SEVERITY_MEDIUM));
    assert_false(tls_judged_has(&j, SEVERITY_HIGH));
    assert_true(tls_judged_has_rule(&j, WEAK_TLS10));
    assert_false(tls_judged_has_rule(&j, WEAK_TLS11));
}

/* A certificate names the server of those who named none themselves; of two names at one place
 * neither. */
static void names_by_certificates(void **state)
{
    (void)state;
    uint64_t h = offer_row(0x0303, 0xc02f);
    tls_row(&(struct made){1, 1, TLS_ESTABLISHED, 0x0303, 0xc02f, h,
                           answer_row(0x0303, 0xc02f, 5, "a.example"), 1, 0, NULL});
    tls_row(&(struct made){2, 1, TLS_ESTABLISHED, 0x0304, 0x1301, h, 0, 1, 0, NULL});
    tls_row(&(struct made){1, 2, TLS_ESTABLISHED, 0x0303, 0xc02f, h,
                           answer_row(0x0303, 0xc02f, 6, "b.example"), 1, 0, NULL});
    tls_row(&(struct made){2, 2, TLS_ESTABLISHED, 0x0303, 0xc02f, h,
                           answer_row(0x0303, 0xc02f, 7, "c.example"), 1, 0, NULL});
    tls_row(&(struct made){3, 2, TLS_ESTABLISHED, 0x0304, 0x1301, h, 0, 1, 0, NULL});
    judge();
    unsigned named = 0, nameless = 0;
    for (size_t i = 0; i < j.n_servers; i++) {
        named += j.servers[i].server->name_source == NAME_CERT;
        nameless += j.servers[i].server->name_source == NAME_NONE;
    }
    assert_int_equal(named, 3);
    assert_int_equal(nameless, 1);
    assert_int_equal(j.n_servers, 4);
}

static unsigned one_type(void *ctx, const struct row_tls *row)
{
    (void)ctx;
    return row->key.client.id[5] < 3 ? 7 : 0;
}

static const char *type_text(void *ctx, unsigned type)
{
    (void)ctx;
    return type == 7 ? "TelldusCenter" : "";
}

/* Hellos of one type are one finding; unknown ones stay apart. */
static void types_of_clients(void **state)
{
    (void)state;
    static const struct tls_typing known = {one_type, type_text, NULL};
    typing = &known;
    for (uint8_t c = 1; c < 5; c++)
        tls_row(&(struct made){c, 1, TLS_ESTABLISHED, 0x0301, 0x002f, offer_row(0x0301, 0x0030 + c),
                               0, 1, 0, NULL});
    judge();
    assert_int_equal(j.n_servers, 3);
    unsigned known_clients = 0, unknown = 0;
    for (size_t i = 0; i < j.n_servers; i++) {
        if (strcmp(j.servers[i].client_type, "TelldusCenter") == 0)
            known_clients += (unsigned)j.servers[i].clients.gateways;
        unknown += strncmp(j.servers[i].client_type, "unknown:", 8) == 0;
    }
    assert_int_equal(known_clients, 2);
    assert_int_equal(unknown, 2);
}

/* The same rows in another order give the same findings. */
static void order_does_not_count(void **state)
{
    (void)state;
    uint64_t old = offer_row(0x0301, 0x002f), new = offer_row(0x0303, 0xc02f);
    char text[2][8192];
    for (int turn = 0; turn < 2; turn++) {
        tls_judged_free(&j);
        tls_index_free(x);
        window_reset(w, T0 / 1000000000, 3600);
        old = offer_row(0x0301, 0x002f);
        new = offer_row(0x0303, 0xc02f);
        for (unsigned i = 0; i < 24; i++) {
            unsigned k = turn == 0 ? i : 23 - i;
            tls_row(&(struct made){
                (uint8_t)(k % 4), (uint8_t)(k % 3), k % 5 == 0 ? TLS_REFUSED : TLS_ESTABLISHED,
                k % 2 ? 0x0301 : 0x0303, k % 2 ? 0x002f : 0x000a, k % 2 ? old : new, 0, k + 1,
                k * 1000, k % 7 == 0 ? "a.example" : NULL});
        }
        judge();
        size_t at = 0;
        for (size_t i = 0; i < j.n_findings && at < sizeof text[0] - 200; i++)
            at += (size_t)snprintf(text[turn] + at, sizeof text[turn] - at,
                                   "%d %d %d %d %d %d %s %s\n", j.findings[i].server->addr.b[15],
                                   j.findings[i].rule, j.findings[i].basis, j.findings[i].severity,
                                   (int)j.findings[i].sessions, (int)j.findings[i].clients.gateways,
                                   j.findings[i].client_type, j.findings[i].detail);
    }
    assert_string_equal(text[0], text[1]);
    assert_true(j.n_findings > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(drown, begin, end),
        cmocka_unit_test_setup_teardown(no_ssl2_no_drown, begin, end),
        cmocka_unit_test_setup_teardown(values_used_twice, begin, end),
        cmocka_unit_test_setup_teardown(counts, begin, end),
        cmocka_unit_test_setup_teardown(names_by_certificates, begin, end),
        cmocka_unit_test_setup_teardown(types_of_clients, begin, end),
        cmocka_unit_test_setup_teardown(order_does_not_count, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
