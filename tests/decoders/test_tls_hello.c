/* Hellos and the canonical offer. */
#include "decoders/tls_hello.h"
#include "decoders/tls_record.h"
#include "tests/decoders/test_tls_rig.h"

static struct buf b;

/* A handshake message without its 4-byte head. */
static const uint8_t *body(size_t *n)
{
    *n = b.n - 4;
    return b.b + 4;
}

static void test_client(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        struct hello_spec spec;
        uint16_t max;
        const char *sni, *alpn;
    } rows[] = {
        {"TLS 1.2",
         {.version = 0x0303, .sni = "a.example", .alpn = "h2"},
         0x0303,
         "a.example",
         "h2"},
        {"TLS 1.3, GREASE first",
         {.version = 0x0303, .supported = {0x5a5a, 0x0304, 0x0303}},
         0x0304,
         "",
         ""},
        {"a draft of 1.3", {.version = 0x0303, .supported = {0x7f1c, 0x0303}}, 0x7f1c, "", ""},
        {"the list outranks the legacy version",
         {.version = 0x0303, .supported = {0x0302}},
         0x0302,
         "",
         ""},
        {"only GREASE in the list", {.version = 0x0301, .supported = {0x2a2a}}, 0x0301, "", ""},
        {"SSLv3 without extensions", {.version = 0x0300, .no_extensions = true}, 0x0300, "", ""},
        {"padded to 16 KiB",
         {.version = 0x0303, .sni = "b.example", .pad = 16000},
         0x0303,
         "b.example",
         ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        static struct tls_client_hello h;
        struct offer o;
        bool usable;
        size_t n;
        b.n = 0;
        put_client_hello(&b, &rows[i].spec);
        const uint8_t *p = body(&n);
        p = guard_copy(p, n);
        assert_int_equal(tls_client_hello_decode(cur_of(p, n, n), &h, &usable), OUT_OK);
        assert_true(usable);
        assert_int_equal(h.legacy_version, rows[i].spec.version);
        assert_int_equal(h.max_version, rows[i].max);
        assert_int_equal(h.sni.len, strlen(rows[i].sni));
        assert_int_equal(h.alpn.len, strlen(rows[i].alpn));
        if (h.sni.len > 0)
            assert_memory_equal(h.sni.p, rows[i].sni, h.sni.len);
        assert_true(offer_read(h.blob, h.blob_len, &o));
        assert_int_equal(h.id, offer_id(h.blob, h.blob_len));
        assert_int_equal(o.n_ciphers, 4);
        assert_int_equal(o.n_groups, rows[i].spec.no_extensions ? 0 : 2); /* one was GREASE */
    }
}

/* What comes and goes from connection to connection does not change the identity; what is offered
 * does. */
static void test_identity(void **state)
{
    (void)state;
    static const uint16_t grease[] = {0x3a3a, 0x1301, 0xc02b, 0xc02f, 0x002f, 0},
                          other[] = {0x1301, 0xc02f, 0xc02b, 0x002f, 0};
    const struct hello_spec base = {.version = 0x0303, .sni = "one.example", .alpn = "h2"};
    struct hello_spec specs[] = {base, base, base, base, base};
    specs[1].sni = "two.example", specs[1].session_id = 32;
    specs[2].pad = 200;
    specs[3].ciphers = grease;
    specs[4].ciphers = other;
    uint64_t ids[5];
    for (int i = 0; i < 5; i++) {
        static struct tls_client_hello h;
        bool usable;
        size_t n;
        b.n = 0;
        put_client_hello(&b, &specs[i]);
        const uint8_t *p = body(&n);
        assert_int_equal(tls_client_hello_decode(cur_of(p, n, n), &h, &usable), OUT_OK);
        ids[i] = h.id;
        assert_int_equal(h.resumption_offered, i == 1);
    }
    assert_int_equal(ids[0], ids[1]);
    assert_int_equal(ids[0], ids[2]);
    assert_int_equal(ids[0], ids[3]);
    assert_int_not_equal(ids[0], ids[4]);
}

static void test_server(void **state)
{
    (void)state;
    const uint16_t suite[] = {0x1302, 0};
    struct tls_server_hello h;
    bool usable;
    size_t n;
    b.n = 0;
    put_server_hello(&b, &(struct hello_spec){.version = 0x0303,
                                              .ciphers = suite,
                                              .supported = {0x0304},
                                              .group = 0x11ec,
                                              .psk = true,
                                              .session_id = 32});
    const uint8_t *p = body(&n);
    assert_int_equal(tls_server_hello_decode(cur_of(guard_copy(p, n), n, n), &h, &usable), OUT_OK);
    assert_int_equal(h.version, 0x0304);
    assert_int_equal(h.cipher, 0x1302);
    assert_int_equal(h.group, 0x11ec);
    assert_true(h.psk && !h.hello_retry);
    /* Early drafts of TLS 1.3 had no session id and no compression method. */
    static const uint8_t draft[] = {0x7f, 0x12, [2 ... 33] = 9, 0x13, 0x01, 0, 0};
    assert_int_equal(
        tls_server_hello_decode(cur_of(draft, sizeof draft, sizeof draft), &h, &usable), OUT_OK);
    assert_int_equal(h.version, 0x7f12);
    assert_int_equal(h.cipher, 0x1301);
    static const uint8_t wrong[] = {0x02, 0x00, [2 ... 40] = 9};
    assert_int_equal(
        tls_server_hello_decode(cur_of(wrong, sizeof wrong, sizeof wrong), &h, &usable),
        OUT_MALFORMED);
    assert_false(usable);
}

/* Every prefix: truncated where the capture cut it, malformed where the message ends there; never a
 * read too far. */
static void test_prefixes(void **state)
{
    (void)state;
    static struct tls_client_hello h;
    static struct buf copy;
    struct tls_server_hello sh;
    bool usable;
    size_t n, lists = 2 + 32 + 1 + 2 + 8; /* all but compression and extensions */
    b.n = 0;
    put_client_hello(
        &b, &(struct hello_spec){
                .version = 0x0303, .sni = "a.example", .alpn = "h2", .supported = {0x0304}});
    const uint8_t *p = body(&n);
    put(&copy, p, n);
    for (size_t len = 0; len < n; len++) {
        const uint8_t *cut = guard_copy(copy.b, len);
        assert_int_equal(tls_client_hello_decode(cur_of(cut, len, n), &h, &usable), OUT_TRUNCATED);
        assert_int_equal(usable, len >= lists);
        enum outcome o = tls_client_hello_decode(cur_of(cut, len, len), &h, &usable);
        assert_int_equal(o, len == lists + 2 ? OUT_OK
                                             : OUT_MALFORMED); /* there it ends as SSLv3 did */
    }
    b.n = copy.n = 0;
    put_server_hello(
        &b, &(struct hello_spec){.version = 0x0303, .ciphers = (uint16_t[]){0xc02f}, .alpn = "h2"});
    p = body(&n);
    put(&copy, p, n);
    for (size_t len = 0; len < n; len++) {
        const uint8_t *cut = guard_copy(copy.b, len);
        assert_int_equal(tls_server_hello_decode(cur_of(cut, len, n), &sh, &usable), OUT_TRUNCATED);
        enum outcome o = tls_server_hello_decode(cur_of(cut, len, len), &sh, &usable);
        assert_int_equal(o, len == 38 ? OUT_OK : OUT_MALFORMED);
    }
}

static void test_sslv2(void **state)
{
    (void)state;
    static struct tls_client_hello h;
    static const uint8_t good[] = {
        0x80, 0x2e, 1,    0,    2, 0,    0x15, 0, 0,    0,    0x10,
        7,    0,    0xc0, 5,    0, 0x80, 3,    0, 0x80, 1,    0,
        0x80, 6,    0,    0x40, 4, 0,    0x80, 2, 0,    0x80, [32 ... 47] = 0xcc};
    struct tls_server_hello sh;
    struct offer o;
    size_t len;
    assert_int_equal(sslv2_client_hello_decode(
                         cur_of(guard_copy(good, sizeof good), sizeof good, sizeof good), &h, &len),
                     OUT_OK);
    assert_int_equal(len, sizeof good);
    assert_true(h.sslv2 && h.sslv2_format);
    assert_true(offer_read(h.blob, h.blob_len, &o));
    assert_int_equal(o.n_kinds, 7);
    assert_int_equal(o.kinds[0], 0x0700c0);
    assert_int_equal(o.flags, OFFER_SSLV2_FORMAT);
    for (size_t n = 0; n < sizeof good; n++) {
        const uint8_t *p = guard_copy(good, n);
        assert_int_equal(sslv2_client_hello_decode(cur_of(p, n, sizeof good), &h, &len),
                         OUT_TRUNCATED);
        assert_int_equal(sslv2_client_hello_decode(cur_of(p, n, n), &h, &len), OUT_NOT_MINE);
    }
    for (size_t i = 0; i < 11; i++) { /* each byte of the head matters */
        uint8_t bad[sizeof good];
        memcpy(bad, good, sizeof good);
        bad[i] ^= 0x44;
        assert_int_equal(sslv2_client_hello_decode(cur_of(bad, sizeof bad, sizeof bad), &h, &len),
                         OUT_NOT_MINE);
    }
    static const uint8_t answer[] = {0x80, 0x10, 4, 0, 1,    0,    2, 0, 2,
                                     0,    3,    0, 0, 0x30, 0x30, 1, 0, 0x80};
    assert_int_equal(
        sslv2_server_hello_decode(cur_of(answer, sizeof answer, sizeof answer), &sh, &len), OUT_OK);
    assert_true(sh.sslv2);
    for (size_t n = 0; n < 13; n++)
        assert_int_equal(
            sslv2_server_hello_decode(cur_of(guard_copy(answer, n), n, sizeof answer), &sh, &len),
            OUT_TRUNCATED);
    for (size_t i = 0; i < 13; i++) {
        uint8_t bad[sizeof answer];
        memcpy(bad, answer, sizeof answer);
        bad[i] ^= 0x44;
        assert_int_equal(sslv2_server_hello_decode(cur_of(bad, sizeof bad, sizeof bad), &sh, &len),
                         OUT_NOT_MINE);
    }
}

/* ---- the offer */

static void test_offer(void **state)
{
    (void)state;
    struct offer o, back;
    uint8_t blob[OFFER_BLOB_MAX], again[OFFER_BLOB_MAX];
    offer_init(&o);
    o.legacy_version = 0x0303;
    for (unsigned i = 0; i < 70000; i++) { /* every list beyond its limit */
        offer_add(&o, o.versions, &o.n_versions, OFFER_VERSIONS_MAX, (uint16_t)i);
        offer_add(&o, o.ciphers, &o.n_ciphers, OFFER_CIPHERS_MAX, (uint16_t)i);
        offer_add(&o, o.extensions, &o.n_extensions, OFFER_EXTENSIONS_MAX, (uint16_t)(40000 - i));
        offer_add(&o, o.groups, &o.n_groups, OFFER_GROUPS_MAX, (uint16_t)i);
        offer_add(&o, o.signatures, &o.n_signatures, OFFER_SIGNATURES_MAX, (uint16_t)i);
        offer_add_alpn(&o, (const uint8_t *)"http/1.1", 8);
    }
    o.n_point_formats = o.n_compressions = OFFER_BYTES_MAX;
    memset(o.point_formats, 1, sizeof o.point_formats);
    memset(o.compressions, 2, sizeof o.compressions);
    o.n_kinds = OFFER_KINDS_MAX;
    for (unsigned i = 0; i < OFFER_KINDS_MAX; i++)
        o.kinds[i] = 0x010080;
    assert_true(o.flags & OFFER_CUT);
    size_t n = offer_write(&o, blob);
    assert_true(n <= OFFER_BLOB_MAX);
    assert_true(tls_offer_check(guard_copy(blob, n), n));
    assert_true(offer_read(blob, n, &back));
    assert_int_equal(offer_write(&back, again), n);
    assert_memory_equal(blob, again, n);
    assert_false(tls_offer_check(blob, n - 1));
    assert_false(tls_offer_check(NULL, 0));

    offer_init(&o);
    offer_add(&o, o.extensions, &o.n_extensions, OFFER_EXTENSIONS_MAX, 43);
    offer_add(&o, o.extensions, &o.n_extensions, OFFER_EXTENSIONS_MAX, 10);
    offer_add(&o, o.extensions, &o.n_extensions, OFFER_EXTENSIONS_MAX, 43);
    offer_add(&o, o.extensions, &o.n_extensions, OFFER_EXTENSIONS_MAX, 0xfafa);
    offer_add_alpn(&o, (const uint8_t *)"\x1a\x1a", 2);
    offer_add_alpn(&o, (const uint8_t *)"h2", 2);
    n = offer_write(&o, blob);
    static const uint8_t want[] = {0, 0, 0, 0, 0, 0, 0, 2, 0,   10,  0, 43, 0,
                                   0, 0, 0, 0, 0, 0, 3, 2, 'h', '2', 0, 0};
    assert_int_equal(n, sizeof want);
    assert_memory_equal(blob, want, n);
    for (size_t len = 0; len < n; len++)
        assert_false(tls_offer_check(guard_copy(blob, len), len));
    static const struct {
        size_t at;
        uint8_t v;
    } lies[] = {{7, 3}, {9, 44}, {9, 43}, {20, 3}, {23, 4}, {24, 1}, {3, 17}};
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        memcpy(again, blob, n);
        again[lies[i].at] = lies[i].v;
        assert_false(tls_offer_check(again, n));
    }
    size_t at = 0;
    const uint8_t *name;
    uint8_t len = 0;
    assert_true(offer_read(blob, n, &back) && offer_alpn_next(&back, &at, &name, &len));
    assert_int_equal(len, 2);
    assert_memory_equal(name, "h2", 2);
    assert_false(offer_alpn_next(&back, &at, &name, &len));
}

static void test_probe(void **state)
{
    (void)state;
    static const struct {
        const char *name, *bytes;
        size_t n;
        enum tls_probe hello, any;
    } rows[] = {
        {"ClientHello", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11, TLS_YES, TLS_YES},
        {"ClientHello, a byte of it", "\x16\x03\x01\x00\x01\x01", 6, TLS_YES, TLS_YES},
        {"ServerHello", "\x16\x03\x03\x00\x51\x02\x00\x00\x4d\x03\x03", 11, TLS_YES, TLS_YES},
        {"Certificate", "\x16\x03\x03\x03\x00\x0b\x00\x02\xfc\x00\x02", 11, TLS_NO, TLS_YES},
        {"data", "\x17\x03\x03\x03\x00zzzzzz", 11, TLS_NO, TLS_YES},
        {"data, then no record", "\x17\x03\x03\x00\x01zHTTP", 10, TLS_NO, TLS_NO},
        {"empty record", "\x17\x03\x03\x00\x00", 5, TLS_NO, TLS_NO},
        {"too long", "\x17\x03\x03\x48\x01zzzz", 9, TLS_NO, TLS_NO},
        {"version 4", "\x16\x04\x01\x02\x00\x01", 6, TLS_NO, TLS_NO},
        {"alert", "\x15\x03\x01\x00\x02\x02\x28", 7, TLS_YES, TLS_YES},
        {"alert, and more", "\x15\x03\x01\x00\x02\x02\x29\x00", 7, TLS_YES, TLS_YES},
        {"no such alert", "\x15\x03\x01\x00\x02\x03\x28\x00", 7, TLS_NO, TLS_NO},
        {"hello too short", "\x16\x03\x01\x00\x10\x01\x00\x00\x0c\x03\x03", 11, TLS_NO, TLS_YES},
        {"hello too long", "\x16\x03\x01\x00\x10\x01\xff\x00\x0c\x03\x03", 11, TLS_NO, TLS_YES},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const uint8_t *p = (const uint8_t *)rows[i].bytes;
        enum tls_probe hello = tls_record_probe(p, rows[i].n, TLS_WANT_HELLO, false),
                       any = tls_record_probe(p, rows[i].n, TLS_WANT_ANY, false);
        if (hello != rows[i].hello || any != rows[i].any)
            print_message("%s: %d %d\n", rows[i].name, hello, any);
        assert_int_equal(hello, rows[i].hello);
        assert_int_equal(any, rows[i].any);
        for (size_t n = 1; n < rows[i].n; n++) { /* too few bytes never say no to what is one */
            enum tls_probe few = tls_record_probe(guard_copy(p, n), n, TLS_WANT_HELLO, false);
            assert_true(few == TLS_MAYBE || rows[i].hello == TLS_NO || few == TLS_YES);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_client), cmocka_unit_test(test_identity),
        cmocka_unit_test(test_server), cmocka_unit_test(test_prefixes),
        cmocka_unit_test(test_sslv2),  cmocka_unit_test(test_offer),
        cmocka_unit_test(test_probe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
