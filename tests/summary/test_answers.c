/* Rows of answers, certificates and values used twice: every id of a segment has its row in it, and
 * facts are read once. */
#include "core/answer.h"
#include "core/cert.h"
#include "summary/names.h"
#include "summary/offers.h"
#include "summary/windows.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdio.h>

enum { START_S = 1519819200 };
static const uint64_t SECOND = 1000000000;
static struct config config;
static unsigned n_read;

static bool holds(struct bytes b, const char *text)
{
    size_t n = strlen(text);
    for (size_t i = 0; i + n <= b.len; i++)
        if (memcmp(b.p + i, text, n) == 0)
            return true;
    return false;
}

/* As a reader of certificates would give them. */
static size_t read_names(const uint8_t *der, size_t len, uint8_t *blob)
{
    static const char *const sans[] = {"Diary.Example", "api.telldus.com", "*.diary.example"};
    static struct cert c;
    (void)der, (void)len;
    memset(&c, 0, sizeof c);
    c.flags = CERT_SELF_ISSUED;
    c.subject_len = c.issuer_len =
        (uint16_t)snprintf(c.subject, sizeof c.subject, "CN=diary.example");
    memcpy(c.issuer, c.subject, c.subject_len);
    for (; c.n_sans < 3; c.n_sans++) {
        c.san_len[c.n_sans] = (uint8_t)strlen(sans[c.n_sans]);
        memcpy(c.sans[c.n_sans], sans[c.n_sans], c.san_len[c.n_sans]);
    }
    return cert_write(&c, blob);
}

static size_t read_facts(const uint8_t *der, size_t len, uint8_t *blob)
{
    static struct cert c;
    memset(&c, 0, sizeof c);
    n_read++;
    c.key_bits = (uint16_t)len;
    c.sha256[0] = der[0];
    return cert_write(&c, blob);
}

static struct window *no_spill(void *ctx, struct window *w, struct err *e)
{
    (void)ctx, (void)e;
    return w;
}

static struct cert_notes *notes_new(void)
{
    static const struct config few = {.limits = {.certs = 16}};
    struct cert_notes *n;
    struct err e;
    assert_true(cert_notes_new(&n, &few, read_facts, &e));
    return n;
}

static struct windows *windows(void)
{
    struct windows *ws;
    struct err e;
    config = config_default();
    n_read = 0;
    assert_true(windows_new(&ws, &config, (struct windows_spill){.leave = no_spill}, &e));
    return ws;
}

static struct rec session_packet(uint64_t ts_ns)
{
    return (struct rec){.ts_ns = ts_ns,
                        .flags = REC_HAS_IP | REC_HAS_PORTS,
                        .ip_proto = 6,
                        .site = 1,
                        .src = {{[15] = 1}},
                        .dst = {{[15] = 2}},
                        .sport = 40000,
                        .dport = 443,
                        .client = {{.kind = CLIENT_GATEWAY, .by = BY_MAC, .id = {1}}}};
}

static void tell(struct windows *ws, const struct msg *m)
{
    static const uint8_t vantages[1];
    windows_messages(ws, m, 1, vantages);
}

static const void *only(struct window *w, enum row_kind kind)
{
    size_t n;
    void *const *rows = window_rows(w, kind, &n);
    assert_int_equal(n, 1);
    return rows[0];
}

static void test_later_windows(void **state)
{
    (void)state;
    struct windows *ws = windows();
    struct cert_notes *notes = notes_new();
    struct rec r = session_packet(START_S * SECOND);
    struct bytes der = {(const uint8_t *)"certificate", 11};
    struct answer a = {.version = 0x0303, .n_certs = 1, .certs = {cert_id(der.p, der.len)}};
    uint8_t blob[ANSWER_BLOB_MAX];
    size_t n = answer_write(&a, blob);
    struct msg cert = {.kind = MSG_TLS_CERT, .ts_ns = r.ts_ns, .rec = &r};
    cert.cert = (struct tls_cert_msg){.id = a.certs[0], .der = der};
    struct msg m = {.kind = MSG_TLS_SESSION, .ts_ns = r.ts_ns, .rec = &r};
    m.session = (struct tls_session_msg){.window_ts_ns = r.ts_ns,
                                         .first_ts_ns = r.ts_ns,
                                         .alive = true,
                                         .decided = true,
                                         .answer_id = answer_id(blob, n),
                                         .answer = {blob, (uint32_t)n},
                                         .signs = TLS_SIGN_RENEGOTIATED,
                                         .via = VIA_SMTP};
    tell(ws, &cert);
    tell(ws, &m);
    m.session.decided = false;
    m.session.answer = (struct bytes){0};
    m.session.window_ts_ns += 3600 * SECOND;
    tell(ws, &m); /* alive an hour later, without its answer's bytes */
    for (unsigned hour = 0; hour < 2; hour++) {
        struct window *w = windows_at(ws, (START_S + hour * 3600) * SECOND);
        window_cert_facts(w, notes);
        const struct row_tls *t = only(w, ROW_TLS);
        assert_true(t->key.answer == m.session.answer_id);
        assert_int_equal(t->key.signs, TLS_SIGN_RENEGOTIATED);
        assert_int_equal(t->key.via, VIA_SMTP);
        const struct row_answer *answer = only(w, ROW_ANSWER);
        assert_true(answer->key.id == m.session.answer_id);
        assert_int_equal(answer->count, hour == 0);
        assert_int_equal(window_string(w, answer->answer).len, n);
        const struct row_cert *c = only(w, ROW_CERT);
        assert_true(c->key.id == a.certs[0]);
        assert_int_equal(c->count, hour == 0);
        struct cert facts;
        struct bytes b = window_string(w, c->facts);
        assert_true(cert_read(b.p, b.len, &facts));
        assert_int_equal(facts.key_bits, 11);
    }
    assert_int_equal(n_read, 1);
    cert_notes_free(notes);
    windows_free(ws);
}

/* Other bytes under an id that is taken, and what there is no room for, are counted and not read.
 */
static void test_turned_away(void **state)
{
    (void)state;
    struct windows *ws = windows();
    struct cert_notes *notes = notes_new();
    struct rec r = session_packet(START_S * SECOND);
    struct msg m = {.kind = MSG_TLS_CERT, .ts_ns = r.ts_ns, .rec = &r};
    m.cert = (struct tls_cert_msg){.id = 7, .der = {(const uint8_t *)"one", 3}};
    tell(ws, &m);
    m.cert.der = (struct bytes){(const uint8_t *)"two, longer", 11};
    tell(ws, &m);
    struct window *w = windows_at(ws, r.ts_ns);
    window_cert_facts(w, notes);
    const struct row_cert *c = only(w, ROW_CERT);
    assert_int_equal(c->count, 2);
    struct cert facts;
    struct bytes b = window_string(w, c->facts);
    assert_true(cert_read(b.p, b.len, &facts));
    assert_int_equal(facts.key_bits, 3);
    assert_int_equal(window_totals(w)->ledger.certs_turned_away, 1);
    cert_notes_free(notes);
    windows_free(ws);
}

/* At their limits, rows and what is remembered for them keep the same ids, in any order; what was
 * forgotten is counted, also where it had been kept before. */
static void test_stores_at_their_limits(void **state)
{
    (void)state;
    enum { IDS = 40, LIMIT = 3 };
    for (int backward = 0; backward < 2; backward++) {
        struct windows *ws;
        struct err e;
        config = config_default();
        config.seed = 7;
        config.limits.certs = config.limits.hellos = LIMIT;
        assert_true(windows_new(&ws, &config, (struct windows_spill){.leave = no_spill}, &e));
        struct cert_notes *notes = notes_new();
        struct rec r = session_packet(START_S * SECOND);
        for (unsigned i = 0; i < IDS; i++) {
            uint8_t byte = (uint8_t)(backward ? IDS - 1 - i : i);
            struct bytes text = {&byte, 1};
            struct msg m = {.kind = MSG_TLS_CERT, .ts_ns = r.ts_ns, .rec = &r};
            m.cert = (struct tls_cert_msg){.id = byte + 1u, .der = text};
            tell(ws, &m);
            m = (struct msg){.kind = MSG_TLS_CLIENT_HELLO, .ts_ns = r.ts_ns, .rec = &r};
            m.hello = (struct tls_hello_msg){.id = byte + 1u, .offer = text};
            tell(ws, &m);
        }
        struct window *w = windows_at(ws, r.ts_ns);
        window_cert_facts(w, notes);
        size_t n;
        void *const *rows = window_rows(w, ROW_CERT, &n);
        assert_int_equal(n, LIMIT);
        for (size_t i = 0; i < n; i++)
            assert_true(((const struct row_cert *)rows[i])->facts != 0);
        rows = window_rows(w, ROW_HELLO, &n);
        assert_int_equal(n, LIMIT);
        struct tls_session_msg s = {.window_ts_ns = r.ts_ns + 3600 * SECOND, .alive = true};
        for (size_t i = 0; i < n; i++) { /* an hour later they are known as well */
            struct msg m = {.kind = MSG_TLS_SESSION, .ts_ns = r.ts_ns, .rec = &r, .session = s};
            m.session.hello_id = ((const struct row_hello *)rows[i])->key.id;
            tell(ws, &m);
        }
        (void)window_rows(windows_at(ws, s.window_ts_ns), ROW_HELLO, &n);
        assert_int_equal(n, LIMIT);
        assert_int_equal(window_totals(w)->ledger.certs_turned_away, IDS - LIMIT);
        assert_int_equal(window_totals(w)->ledger.offers_turned_away, IDS - LIMIT);
        cert_notes_free(notes);
        windows_free(ws);
    }
}

/* What a certificate says of its own tells the names that the policy hides: it holds there, too. */
static void test_names_of_certificates(void **state)
{
    (void)state;
    static const struct config few = {.limits = {.certs = 16}};
    for (int policy = NAMES_KEEP; policy <= NAMES_DROP; policy++) {
        struct windows *ws = windows();
        struct cert_notes *notes;
        struct err e;
        struct rec r = session_packet(START_S * SECOND);
        struct msg m = {.kind = MSG_TLS_CERT, .ts_ns = r.ts_ns, .rec = &r};
        config.names = (uint8_t)policy;
        m.cert = (struct tls_cert_msg){.id = 7, .der = {(const uint8_t *)"one", 3}};
        assert_true(cert_notes_new(&notes, &few, read_names, &e));
        tell(ws, &m);
        struct window *w = windows_at(ws, r.ts_ns);
        window_cert_facts(w, notes);
        struct bytes b = window_string(w, ((const struct row_cert *)only(w, ROW_CERT))->facts);
        struct cert c;
        assert_true(cert_read(b.p, b.len, &c));
        assert_int_equal(holds(b, "iary"), policy == NAMES_KEEP);
        assert_true(holds(b, "api.telldus.com"));
        assert_int_equal(c.n_sans, policy == NAMES_DROP ? 1 : 3);
        assert_int_equal((c.flags & CERT_CUT) != 0, policy != NAMES_KEEP);
        char text[NAME_MAX_TEXT]; /* hashed as the name that was asked for */
        uint32_t n =
            name_apply(&config, (struct bytes){(const uint8_t *)"diary.example", 13}, true, text);
        if (policy == NAMES_HASH)
            assert_true(n == c.san_len[0] && memcmp(text, c.sans[0], n) == 0);
        cert_notes_free(notes);
        windows_free(ws);
    }
}

/* Of a server's values at most so many are written; the rest is in `other`; another server's are
 * not touched. */
static void test_reuse(void **state)
{
    (void)state;
    struct windows *ws = windows();
    struct rec r = session_packet(START_S * SECOND);
    struct msg m = {.kind = MSG_TLS_REUSE, .sender = SIDE_DST, .ts_ns = r.ts_ns, .rec = &r};
    for (unsigned i = 0; i < 100; i++) {
        m.reuse = (struct tls_reuse_msg){.value = i + 1, .server_port = 443, .what = REUSE_DH};
        tell(ws, &m);
        tell(ws, &m);
    }
    m.reuse.what = REUSE_TICKET_KEY;
    tell(ws, &m);
    struct window *w = windows_at(ws, r.ts_ns);
    for (int again = 0; again < 2; again++) {
        size_t n;
        void *const *rows = window_rows(w, ROW_REUSE, &n);
        assert_int_equal(n, REUSE_VALUES + 1);
        for (size_t i = 0; i < n; i++) {
            const struct row_reuse *row = rows[i];
            assert_int_equal(row->count, row->key.what == REUSE_DH ? 2 : 1);
            assert_int_equal(row->key.server.b[15], 2);
        }
        const struct row_reuse *other = window_other(w, ROW_REUSE);
        assert_int_equal(other->count, 2 * (100 - REUSE_VALUES));
    }
    windows_free(ws);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_later_windows),
        cmocka_unit_test(test_turned_away),
        cmocka_unit_test(test_stores_at_their_limits),
        cmocka_unit_test(test_names_of_certificates),
        cmocka_unit_test(test_reuse),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
