/* A hello told by those before it is the hello that decoding it gives. */
#include "decoders/tls_known.h"
#include "tests/decoders/test_tls_rig.h"

static struct tls_known known;

static void assert_bytes(struct bytes a, struct bytes b)
{
    assert_int_equal(a.len, b.len);
    if (a.len > 0)
        assert_memory_equal(a.p, b.p, a.len);
}

static void assert_same(const uint8_t *p, size_t n, size_t captured)
{
    static struct tls_client_hello a, b;
    bool usable_a, usable_b;
    struct cur in = cur_of(p, captured, n);
    enum outcome o = tls_client_hello_decode(in, &a, &usable_a);
    assert_int_equal(tls_known_decode(&known, in, &b, &usable_b), o);
    assert_int_equal(usable_a, usable_b);
    if (!usable_a)
        return;
    assert_int_equal(a.legacy_version, b.legacy_version);
    assert_int_equal(a.max_version, b.max_version);
    assert_int_equal(a.sslv2_format | a.sslv2, b.sslv2_format | b.sslv2);
    assert_int_equal(a.ech, b.ech);
    assert_int_equal(a.fallback, b.fallback);
    assert_int_equal(a.resumption_offered, b.resumption_offered);
    assert_bytes(a.sni, b.sni);
    assert_bytes(a.alpn, b.alpn);
    assert_bytes(a.session_id, b.session_id);
    assert_bytes(a.ticket, b.ticket);
    assert_bytes((struct bytes){a.blob, a.blob_len}, (struct bytes){b.blob, b.blob_len});
    assert_int_equal(a.id, b.id);
    assert_int_equal(a.more, b.more);
}

static const uint16_t with_fallback[] = {0xc02b, 0xc02f, 0x002f, 0x0035, 0x5600, 0};
static const struct hello_spec specs[] = {
    {.version = 0x0303, .sni = "a.example", .alpn = "h2", .session_id = 32},
    {.version = 0x0303, .sni = "much.longer.example", .alpn = "h2"},
    {.version = 0x0303, .alpn = "http/1.1", .supported = {0x5a5a, 0x0304, 0x0303}},
    {.version = 0x0303, .supported = {0x0304}, .ciphers = with_fallback},
    {.version = 0x0303, .sni = "c.example", .pad = 40},
    {.version = 0x0300, .no_extensions = true},
    {.version = 0x0303, .sni = "d.example", .pad = 2000},
};
enum { SPECS = sizeof specs / sizeof *specs };

/* With any one byte changed, and cut anywhere. */
static void test_all(void **state)
{
    (void)state;
    static const uint8_t changes[] = {0x01, 0x02, 0x04, 0x10, 0x1f, 0x80, 0xff};
    for (size_t i = 0; i < 2 * SPECS; i++) {
        static struct buf b;
        b.n = 0;
        put_client_hello(&b, &specs[i % SPECS]);
        uint8_t *p = b.b + 4;
        size_t n = b.n - 4;
        for (size_t at = 0; at < n; at++)
            for (size_t k = 0; k < sizeof changes; k++) {
                assert_same(p, n, n);
                p[at] ^= changes[k];
                assert_same(p, n, n);
                p[at] ^= changes[k];
            }
        for (size_t len = 0; len < n; len++) {
            assert_same(p, n, len);
            assert_same(p, len, len);
        }
    }
}

/* Of all ways of its set one is taken after the other; what left is decoded again. */
static void test_many(void **state)
{
    (void)state;
    uint16_t ciphers[] = {0x1301, 0x1302, 0xc02b, 0xc02f, 0, 0};
    for (unsigned i = 0; i < 3 * 4 * TLS_KNOWN_SETS * TLS_KNOWN_WAYS; i++) {
        static struct buf b;
        b.n = 0;
        ciphers[4] = (uint16_t)(1 + i * 7 % (2 * TLS_KNOWN_SETS * TLS_KNOWN_WAYS));
        put_client_hello(&b, &(struct hello_spec){.version = 0x0303, .ciphers = ciphers});
        assert_same(b.b + 4, b.n - 4, b.n - 4);
    }
}

/* The same client once more is not taken apart. */
static void test_told(void **state)
{
    (void)state;
    static struct tls_client_hello h;
    static struct buf b;
    bool usable;
    memset(&known, 0, sizeof known);
    put_client_hello(&b, &specs[0]);
    assert_same(b.b + 4, b.n - 4, b.n - 4);
    assert_int_equal(known.turn, 1);
    b.n = 0;
    put_client_hello(&b, &specs[1]); /* another name, no session id */
    assert_int_equal(tls_known_decode(&known, cur_of(b.b + 4, b.n - 4, b.n - 4), &h, &usable),
                     OUT_OK);
    assert_int_equal(known.turn, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
