/* The examples of RFC 9001 appendix A and RFC 9369 appendix A, and that nothing allocates. */
#include "tests/decoders/test_quic_rig.h"

#include <openssl/crypto.h>

static unsigned long allocations;

static void *count_malloc(size_t n, const char *file, int line)
{
    (void)file, (void)line;
    allocations++;
    return malloc(n);
}

static void *count_realloc(void *p, size_t n, const char *file, int line)
{
    (void)file, (void)line;
    allocations++;
    return realloc(p, n);
}

static void plain_free(void *p, const char *file, int line)
{
    (void)file, (void)line;
    free(p);
}

static void put_hex(struct buf *b, const char *hex)
{
    for (; hex[0] != '\0'; hex += 2) {
        unsigned v;
        assert_int_equal(sscanf(hex, "%2x", &v), 1);
        put_int(b, v, 1);
    }
}

static void expect_hex(const uint8_t *p, size_t n, const char *hex)
{
    static struct buf want;
    want.n = 0;
    put_hex(&want, hex);
    assert_int_equal(want.n, n);
    assert_memory_equal(p, want.b, n);
}

/* RFC 9001 A.2 and RFC 9369 A.2: the same frames. */
static const char client_frames[] =
    "060040f1010000ed0303ebf8fa56f12939b9584a3896472ec40bb863cfd3e868"
    "04fe3a47f06a2b69484c00000413011302010000c000000010000e00000b6578"
    "616d706c652e636f6dff01000100000a00080006001d00170018001000070005"
    "04616c706e000500050100000000003300260024001d00209370b2c9caa47fba"
    "baf4559fedba753de171fa71f50f1ce15d43e994ec74d748002b000302030400"
    "0d0010000e0403050306030203080408050806002d00020101001c0002400100"
    "3900320408ffffffffffffffff05048000ffff07048000ffff08011001048000"
    "75300901100f088394c8f03e51570806048000ffff";
/* A.3 */
static const char server_frames[] =
    "02000000000600405a020000560303eefce7f7b37ba1d1632e96677825ddf739"
    "88cfc79825df566dc5430b9a045a1200130100002e00330024001d00209d3c94"
    "0d89690b84d08a60993c144eca684d1081287c834d5311bcf32bb9da1a002b00"
    "020304";

static const struct {
    uint32_t version;
    const char *client_key, *client_iv, *client_hp, *server_key, *server_iv, *server_hp;
    const char *client_starts, *client_ends, *server;
} vectors[] = {
    {V1, "1f369613dd76d5467730efcbe3b1a22d", "fa044b2f42a3fd3b46fb255c",
     "9f50449e04a0e810283a1e9933adedd2", "cf3a5331653c364c88f0f379b6067e37",
     "0ac1493ca1905853b0bba03e", "c206b8d9b9f0f37644430b490eeaa314",
     "c000000001088394c8f03e5157080000449e7b9aec34d1b1c98dd7689fb8ec11d242b123dc9b",
     "e221af44860018ab0856972e194cd934",
     "cf000000010008f067a5502a4262b5004075c0d95a482cd0991cd25b0aac406a"
     "5816b6394100f37a1c69797554780bb38cc5a99f5ede4cf73c3ec2493a1839b3"
     "dbcba3f6ea46c5b7684df3548e7ddeb9c3bf9c73cc3f3bded74b562bfb19fb84"
     "022f8ef4cdd93795d77d06edbb7aaf2f58891850abbdca3d20398c276456cbc4"
     "2158407dd074ee"},
    {V2, "8b1a0bc121284290a29e0971b5cd045d", "91f73e2351d8fa91660e909f",
     "45b95e15235d6f45a6b19cbcb0294ba9", "82db637861d55e1d011f19ea71d5d2a7",
     "dd13c276499c0249d3310652", "edf6d05c83121201b436e16877593c3a",
     "d76b3343cf088394c8f03e5157080000449ea0c95e82ffe67b6abcdb4298b485dd04de806071",
     "a18b2faa745b6fe189cf772a9f84cbfc",
     "dc6b3343cf0008f067a5502a4262b5004075d92faaf16f05d8a4398c47089698"
     "baeea26b91eb761d9b89237bbf87263017915358230035f7fd3945d88965cf17"
     "f9af6e16886c61bfc703106fbaf3cb4cfa52382dd16a393e42757507698075b2"
     "c984c707f0a0812d8cd5a6881eaf21ceda98f4bd23f6fe1a3e2c43edd9ce7ca8"
     "4bed8521e2e140"},
};
enum { VECTORS = sizeof vectors / sizeof *vectors };

static void test_keys(void **state)
{
    (void)state;
    for (unsigned i = 0; i < VECTORS; i++) {
        struct quic_keys k[2];
        const struct quic_version *v = quic_version_find(vectors[i].version);
        quic_initial_keys(v, first_dcid, sizeof first_dcid, k);
        expect_hex(k[0].key, 16, vectors[i].client_key);
        expect_hex(k[0].iv, 12, vectors[i].client_iv);
        expect_hex(k[0].hp, 16, vectors[i].client_hp);
        expect_hex(k[1].key, 16, vectors[i].server_key);
        expect_hex(k[1].iv, 12, vectors[i].server_iv);
        expect_hex(k[1].hp, 16, vectors[i].server_hp);
    }
}

/* What the tests seal is what the documents show, so that what they open means something. */
static void test_packets(void **state)
{
    (void)state;
    static struct buf b, frames;
    static struct rig r;
    for (unsigned i = 0; i < VECTORS; i++) {
        struct packet_spec c = client_initial(), s = server_initial();
        c.version = s.version = vectors[i].version;
        c.pn = 2, c.pn_len = 4;
        s.pn = 1, s.pn_len = 2;
        rig_new(&r, NULL, NULL);
        b.n = frames.n = 0;
        put_hex(&frames, client_frames);
        put_fill(&frames, 0, 1162 - frames.n);
        put_packet(&b, &c, &frames);
        assert_int_equal(b.n, 1200);
        expect_hex(b.b, strlen(vectors[i].client_starts) / 2, vectors[i].client_starts);
        expect_hex(b.b + b.n - 16, 16, vectors[i].client_ends);
        assert_int_equal(quic_send(&r, CLIENT, &b), OUT_OK);
        assert_non_null(strstr(r.text, "client 0303 max 0304 sni example.com alpn alpn id "));
        b.n = frames.n = 0;
        put_hex(&frames, server_frames);
        put_packet(&b, &s, &frames);
        expect_hex(b.b, b.n, vectors[i].server);
        assert_int_equal(quic_send(&r, SERVER, &b), OUT_OK);
        assert_non_null(strstr(r.text, "server 0304 cipher 1301 group 001d alpn \n"));
        rig_free(&r);
    }
}

/* RFC 9000 A.1. */
static void test_varint(void **state)
{
    (void)state;
    static const struct {
        const char *hex;
        uint64_t value;
    } rows[] = {{"c2197c5eff14e88c", UINT64_C(151288809941952652)},
                {"9d7f3e7d", 494878333},
                {"7bbd", 15293},
                {"25", 37},
                {"4025", 37}};
    static struct buf b;
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint64_t v;
        b.n = 0;
        put_hex(&b, rows[i].hex);
        struct cur c = cur_of(b.b, b.n, b.n);
        assert_true(quic_varint(&c, &v));
        assert_int_equal(v, rows[i].value);
        assert_int_equal(c.left, 0);
        c = cur_of(b.b, b.n - 1, b.n - 1);
        assert_false(quic_varint(&c, &v));
        assert_int_equal(c.left, b.n - 1);
    }
}

static void test_versions(void **state)
{
    (void)state;
    static const uint32_t ours[] = {V1,         V2,         0xff000017, DRAFT_29,  0xff000022,
                                    0xfaceb002, 0xfaceb00e, 0x54303530, 0x54303531};
    static const uint32_t others[] = {0,          2,          0x6b3343ce, 0xff000016, 0xff000023,
                                      0xfaceb001, 0x51303530, 0x54303532, 0xffffffff, 0x0a0a0a0a};
    for (unsigned i = 0; i < sizeof ours / sizeof *ours; i++)
        assert_int_equal(quic_version_find(ours[i])->number, ours[i]);
    for (unsigned i = 0; i < sizeof others / sizeof *others; i++)
        assert_null(quic_version_find(others[i]));
}

static void test_no_allocation(void **state)
{
    (void)state;
    static struct buf b, frames;
    uint8_t plain[1500], saved;
    size_t n;
    struct packet_spec c = client_initial();
    put_hex(&frames, client_frames);
    put_padding(&frames);
    put_packet(&b, &c, &frames);
    unsigned long before = allocations;
    assert_true(before > 0); /* they are counted */
    for (int i = 0; i < 100; i++) {
        struct quic_keys k[2];
        struct quic_packet p;
        struct cur in = cur_of(b.b, b.n, b.n);
        uint64_t largest = UINT64_MAX;
        assert_int_equal(quic_packet_take(&in, &p), OUT_OK);
        quic_initial_keys(p.version, p.dcid.p, p.dcid.left, k);
        assert_true(quic_packet_open(rig_crypt, &k[0], &p, &largest, plain, &n));
        assert_int_equal(n, frames.n);
        assert_memory_equal(plain, frames.b, n);
        saved = b.b[b.n - 1]++;
        assert_false(quic_packet_open(rig_crypt, &k[0], &p, &largest, plain, &n));
        b.b[b.n - 1] = saved;
    }
    assert_int_equal(allocations, before);
}

int main(void)
{
    struct err e;
    if (!CRYPTO_set_mem_functions(count_malloc, count_realloc, plain_free)
        || !quic_crypt_new(&rig_crypt, &e))
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys),          cmocka_unit_test(test_packets),
        cmocka_unit_test(test_varint),        cmocka_unit_test(test_versions),
        cmocka_unit_test(test_no_allocation),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    quic_crypt_free(rig_crypt);
    return failed;
}
