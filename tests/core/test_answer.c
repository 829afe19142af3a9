#include "core/answer.h"
#include "core/cert.h"
#include "core/hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static const struct answer full = {
    .version = 0x0303,
    .cipher = 0x009e,
    .group = 0x0017,
    .compression = 1,
    .dh_prime = DH_PRIME_N - 1,
    .flags = (1u << ANSWER_FLAGS_N) - 1,
    .ske_signature = 0x0401,
    .dh_bits = 1024,
    .dh_prime_id = UINT64_C(0x0123456789abcdef),
    .ticket_lifetime_s = 300,
    .n_certs = ANSWER_CERTS_MAX,
    .n_kinds = ANSWER_KINDS_MAX,
    .certs = {[0] = 1, [9] = UINT64_MAX},
    .kinds = {[0] = 0x010080, [31] = 0x0700c0},
};

static void test_answer_round_trip(void **state)
{
    (void)state;
    uint8_t blob[ANSWER_BLOB_MAX];
    struct answer back;
    size_t n = answer_write(&full, blob);
    assert_true(n <= ANSWER_BLOB_MAX);
    assert_true(answer_read(blob, n, &back));
    assert_memory_equal(&back, &full, sizeof full);
    for (size_t cut = 0; cut < n; cut++)
        assert_false(answer_read(blob, cut, &back));
    uint8_t longer[ANSWER_BLOB_MAX + 1];
    memcpy(longer, blob, n);
    longer[n] = 0;
    assert_false(answer_read(longer, n + 1, &back));
    struct answer none = {0};
    n = answer_write(&none, blob);
    assert_true(answer_read(blob, n, &back));
    assert_memory_equal(&back, &none, sizeof none);
}

static void test_answer_strict(void **state)
{
    (void)state;
    enum { FLAGS = 7, PRIME = 15, CERTS = 28 };
    uint8_t blob[ANSWER_BLOB_MAX];
    struct answer back;
    size_t n = answer_write(&(struct answer){0}, blob);
    blob[FLAGS] = 0x80;
    assert_false(answer_read(blob, n, &back));
    blob[FLAGS] = 0;
    blob[PRIME] = DH_PRIME_N;
    assert_false(answer_read(blob, n, &back));
    blob[PRIME] = 0;
    assert_true(answer_read(blob, n, &back));
    blob[CERTS] = 1; /* one that is not there */
    assert_false(answer_read(blob, n, &back));
    uint8_t many[8 * (ANSWER_CERTS_MAX + 1) + CERTS + 2] = {[CERTS] = ANSWER_CERTS_MAX + 1};
    assert_false(answer_read(many, sizeof many, &back));
}

/* What a blob reads as is written as the same blob: readers compare ids. */
static void test_answer_canonical(void **state)
{
    (void)state;
    uint8_t blob[ANSWER_BLOB_MAX], again[ANSWER_BLOB_MAX];
    size_t n = answer_write(&full, blob);
    for (size_t i = 0; i < n; i++)
        for (unsigned bit = 0; bit < 8; bit++) {
            struct answer back;
            blob[i] ^= (uint8_t)(1u << bit);
            if (answer_read(blob, n, &back)) {
                assert_int_equal(answer_write(&back, again), n);
                assert_memory_equal(again, blob, n);
            }
            blob[i] ^= (uint8_t)(1u << bit);
        }
}

static void test_primes(void **state)
{
    (void)state;
    static const uint8_t mod_ssl_512[] = {
        0x9f, 0xdb, 0x8b, 0x8a, 0x00, 0x45, 0x44, 0xf0, 0x04, 0x5f, 0x17, 0x37, 0xd0,
        0xba, 0x2e, 0x0b, 0x27, 0x4c, 0xdf, 0x1a, 0x9f, 0x58, 0x82, 0x18, 0xfb, 0x43,
        0x53, 0x16, 0xa1, 0x6e, 0x37, 0x41, 0x71, 0xfd, 0x19, 0xd8, 0xd8, 0xf3, 0x7c,
        0x39, 0xbf, 0x86, 0x3f, 0xd6, 0x0e, 0x3e, 0x30, 0x06, 0x80, 0xa3, 0x03, 0x0c,
        0x6e, 0x4c, 0x37, 0x57, 0xd0, 0x8f, 0x70, 0xe6, 0xaa, 0x87, 0x10, 0x33};
    uint64_t id = hash_bytes(mod_ssl_512, sizeof mod_ssl_512, 0);
    assert_int_equal(dh_prime_find(id, 512), DH_PRIME_APACHE_512);
    assert_int_equal(dh_prime_find(id, 1024), DH_PRIME_UNKNOWN);
    assert_int_equal(dh_prime_find(id + 1, 512), DH_PRIME_UNKNOWN);
    for (int i = 0; i < DH_PRIME_N; i++)
        assert_non_null(dh_prime_names[i]);
}

/* ---- certificates */

static struct cert full_cert(void)
{
    static struct cert c;
    memset(&c, 0, sizeof c);
    memset(c.sha256, 0xab, 32);
    memset(c.spki_sha256, 0xcd, 32);
    c.not_before_s = INT64_C(-62167219200);
    c.not_after_s = INT64_C(253402300799);
    c.flags = (1u << CERT_FLAGS_N) - 1;
    c.key_bits = 65535;
    c.key = CERT_KEY_N - 1;
    c.signature_hash = CERT_HASH_N - 1;
    memset(c.curve, 'c', CERT_WORD_MAX);
    memset(c.signature, 's', CERT_WORD_MAX);
    memset(c.subject, '\0', c.subject_len = CERT_NAME_MAX);
    memset(c.issuer, 0xff, c.issuer_len = CERT_NAME_MAX);
    for (c.n_sans = 0; c.n_sans < CERT_SANS_MAX; c.n_sans++)
        memset(c.sans[c.n_sans], 'a' + c.n_sans, c.san_len[c.n_sans] = CERT_SAN_MAX);
    return c;
}

static void test_cert_round_trip(void **state)
{
    (void)state;
    static uint8_t blob[CERT_BLOB_MAX + 1], again[CERT_BLOB_MAX];
    static struct cert back;
    struct cert c = full_cert();
    size_t n = cert_write(&c, blob);
    assert_true(n <= CERT_BLOB_MAX);
    assert_true(cert_read(blob, n, &back));
    assert_memory_equal(&back, &c, sizeof c);
    for (size_t cut = 0; cut < n; cut++)
        assert_false(cert_read(blob, cut, &back));
    blob[n] = 0;
    assert_false(cert_read(blob, n + 1, &back));
    for (size_t i = 0; i < n; i++)
        for (unsigned bit = 0; bit < 8; bit++) {
            blob[i] ^= (uint8_t)(1u << bit);
            if (cert_read(blob, n, &back)) {
                assert_int_equal(cert_write(&back, again), n);
                assert_memory_equal(again, blob, n);
            }
            blob[i] ^= (uint8_t)(1u << bit);
        }
}

static void test_cert_strict(void **state)
{
    (void)state;
    enum { FLAGS = 64, BEFORE = 66, KEY = 82, HASH = 85, CURVE = 86 };
    static uint8_t blob[CERT_BLOB_MAX];
    static struct cert back;
    struct cert c = full_cert();
    strcpy(c.curve, "prime256v1");
    size_t n = cert_write(&c, blob);
    static const struct {
        size_t at;
        uint8_t value;
    } wrong[] = {{FLAGS, 0xff},       {BEFORE, 0x7f}, {KEY, CERT_KEY_N},
                 {HASH, CERT_HASH_N}, {CURVE, 0xff},  {CURVE + 2, 0}};
    assert_true(cert_read(blob, n, &back));
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        uint8_t was = blob[wrong[i].at];
        blob[wrong[i].at] = wrong[i].value;
        assert_false(cert_read(blob, n, &back));
        blob[wrong[i].at] = was;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answer_round_trip), cmocka_unit_test(test_answer_strict),
        cmocka_unit_test(test_answer_canonical),  cmocka_unit_test(test_primes),
        cmocka_unit_test(test_cert_round_trip),   cmocka_unit_test(test_cert_strict),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
