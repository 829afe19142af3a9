/* JA4 and JA3: the specification's example and edge rules, hellos of real QUIC and DTLS captures,
 * and that what is remembered is what would be worked out. */
#include "decoders/fingerprint.h"
#include "tests/guard.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

struct put {
    uint8_t b[200000];
    size_t n;
};
static struct put p;
static struct fingerprints *f;
static uint64_t last_id; /* of the hello that ja4() read */

static void u8(unsigned v)
{
    p.b[p.n++] = (uint8_t)v;
}

static void u16(unsigned v)
{
    u8(v >> 8 & 255);
    u8(v & 255);
}

static void list16(const uint16_t list[], size_t n)
{
    for (size_t i = 0; i < n; i++)
        u16(list[i]);
}

/* A hello's start: version, random, no session id. */
static void begin(uint16_t version, const uint16_t ciphers[], size_t n)
{
    p.n = 0;
    u16(version);
    p.n += 32;
    u8(0);
    u16((unsigned)(2 * n));
    list16(ciphers, n);
    u8(1);
    u8(0);
}

static size_t block(void)
{
    u16(0);
    return p.n;
}

static void end(size_t from)
{
    p.b[from - 2] = (uint8_t)((p.n - from) >> 8);
    p.b[from - 1] = (uint8_t)(p.n - from);
}

static void extension(unsigned type, const void *body, size_t n)
{
    u16(type);
    u16((unsigned)n);
    if (n > 0)
        memcpy(p.b + p.n, body, n);
    p.n += n;
}

/* signature_algorithms, supported_groups */
static void extension16(unsigned type, const uint16_t list[], size_t n)
{
    u16(type);
    u16((unsigned)(2 * n + 2));
    u16((unsigned)(2 * n));
    list16(list, n);
}

static void alpn(const char *name, size_t len)
{
    u16(16);
    size_t body = block(), list = block();
    u8((unsigned)len);
    memcpy(p.b + p.n, name, len);
    p.n += len;
    end(list);
    end(body);
}

/* "" where there is none; by way of the decoder, twice: worked out, and remembered. */
static const char *ja4(void)
{
    static char text[FINGERPRINT_JA4_LEN + 1];
    static struct tls_client_hello h;
    char again[FINGERPRINT_JA4_LEN];
    bool usable;
    const uint8_t *at = guard_copy(p.b, p.n);
    struct cur body = cur_of(at, p.n, p.n);
    memset(text, 0, sizeof text);
    (void)tls_client_hello_decode(body, &h, &usable);
    last_id = h.id;
    if (!usable || !fingerprint_ja4(f, &h, body, TLS_OVER_TCP, text))
        return "";
    assert_true(fingerprint_ja4(f, &h, body, TLS_OVER_TCP, again));
    assert_memory_equal(text, again, sizeof again);
    return text;
}

#define N(list) (sizeof(list) / sizeof *(list))

static const uint16_t chrome[] = {0x2a2a, 0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030,
                                  0xcca9, 0xcca8, 0xc013, 0xc014, 0x009c, 0x009d, 0x002f, 0x0035};
static const uint16_t chrome_signatures[] = {0x0403, 0x0804, 0x0401, 0x0503,
                                             0x0805, 0x0501, 0x0806, 0x0601};

/* The example of the specification, its extensions from the `first`th on. */
static void example(unsigned first)
{
    static const uint16_t types[] = {0x3a3a, 0x001b, 0x0000, 0x0033, 0x0010, 0x4469,
                                     0x0017, 0x002d, 0x000d, 0x0005, 0x0023, 0x0012,
                                     0x002b, 0xff01, 0x000b, 0x000a, 0x0015};
    begin(0x0303, chrome, N(chrome));
    size_t all = block();
    for (unsigned i = 0; i < N(types); i++) {
        uint16_t type = types[(first + i) % N(types)];
        if (type == 0x0010)
            alpn("h2", 2);
        else if (type == 0x000d)
            extension16(type, chrome_signatures, N(chrome_signatures));
        else if (type == 0x002b)
            extension(type, "\x06\x4a\x4a\x03\x04\x03\x03", 7);
        else if (type == 0x0000)
            extension(type, "\0\x04\0\0\x01x", 6);
        else
            extension(type, "", 0);
    }
    end(all);
}

static void test_example(void **state)
{
    (void)state;
    for (unsigned first = 0; first < 17; first++) {
        example(first);
        assert_string_equal(ja4(), "t13d1516h2_8daaf6152771_e5627efa2ab1");
    }
}

/* Every cut of it has none: what is missing could be anything. */
static void test_cuts(void **state)
{
    (void)state;
    static struct tls_client_hello h;
    example(0);
    for (size_t len = 0; len < p.n; len++) {
        char text[FINGERPRINT_JA4_LEN];
        uint8_t md5[FINGERPRINT_JA3_LEN];
        const uint8_t *at = guard_copy(p.b, len);
        h.more = MORE_ODD;
        bool whole = len == 2 + 32 + 1 + 2 + 2 * N(chrome) + 2; /* a hello may end there */
        assert_int_equal(fingerprint_ja4(f, &h, cur_of(at, len, len), TLS_OVER_TCP, text), whole);
        assert_int_equal(fingerprint_ja3(f, cur_of(at, len, len), TLS_OVER_TCP, md5), whole);
        assert_false(fingerprint_ja4(f, &h, cur_of(at, len, p.n), TLS_OVER_TCP, text));
    }
}

static void test_alpn(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        size_t len;
        const char *want;
    } rows[] = {
        {"h2", 2, "h2"},
        {"http/1.1", 8, "h1"},
        {"x", 1, "xx"},
        {"", 0, "00"},
        {"\xab", 1, "ab"},
        {"\xab\xcd", 2, "ad"},
        {"0\xab", 2, "3b"},
        {"01\xab\xcd", 4, "3d"},
        {"0\xab\xcd"
         "1",
         4, "01"},
        {"h2-", 3, "6d"},
        {"/A", 2, "21"},
    };
    for (size_t i = 0; i < N(rows); i++) {
        begin(0x0303, chrome, N(chrome));
        size_t all = block();
        alpn(rows[i].name, rows[i].len);
        end(all);
        const char *text = ja4();
        assert_memory_equal(text, "t12i1501", 8);
        assert_memory_equal(text + 8, rows[i].want, 2);
        assert_string_equal(text + 10,
                            "_8daaf6152771_000000000000"); /* ALPN alone: nothing to hash */
    }
    begin(0x0303, chrome, N(chrome));
    size_t all = block();
    extension(16, "\0\x06\x02\x1a\x1a\x02h3", 8); /* GREASE counts nowhere */
    end(all);
    assert_memory_equal(ja4() + 8, "h3", 2);
    begin(0x0303, chrome, N(chrome));
    all = block();
    extension(16, "\0\0", 2);
    end(all);
    assert_memory_equal(ja4() + 8, "00", 2);
}

static void test_edges(void **state)
{
    (void)state;
    static uint16_t many[32766];
    begin(0x0301, NULL, 0);
    assert_string_equal(ja4(), "t10i000000_000000000000_000000000000");
    begin(0x0300, chrome, 1); /* GREASE alone */
    assert_string_equal(ja4(), "ts3i000000_000000000000_000000000000");
    begin(0x0302, chrome, N(chrome));
    size_t all = block();
    extension(5, "", 0); /* without signature algorithms: no underscore */
    end(all);
    assert_string_equal(ja4(), "t11i150100_8daaf6152771_1ed8eb363bcd");
    for (size_t i = 0; i < N(many); i++)
        many[i] = (uint16_t)(40503 * (i + 1)); /* all kinds, none twice, in no order */
    begin(0x0303, many, 99);
    assert_memory_equal(ja4(), "t12i990000", 10);
    begin(0x0303, many, 130);
    assert_memory_equal(ja4(), "t12i990000", 10);
    /* Beyond what an offer keeps: one id, two fingerprints. */
    char cut[FINGERPRINT_JA4_LEN + 1];
    begin(0x0303, many, 300);
    strcpy(cut, ja4());
    uint64_t id = last_id;
    many[299] ^= 1;
    begin(0x0303, many, 300);
    assert_string_not_equal(ja4(), cut);
    assert_true(last_id == id);
    begin(0x0303, many,
          N(many)); /* as long as can be: lists beyond what an offer keeps count too */
    char long_one[FINGERPRINT_JA4_LEN + 1];
    strcpy(long_one, ja4());
    begin(0x0303, many, N(many) - 1);
    assert_string_not_equal(ja4(), long_one);
    all = block();
    for (unsigned i = 0; i < 16000; i++)
        extension(many[i], "", 0);
    end(all);
    assert_memory_equal(ja4() + 6, "99", 2);
}

/* Types that come and go, and how often: not in the hello's id, but in JA4. */
static void test_more(void **state)
{
    (void)state;
    static const uint16_t going[] = {0, 21, 35, 41, 42, 44, 51};
    char seen[2 * N(going) + 1][FINGERPRINT_JA4_LEN + 1];
    unsigned n = 0;
    uint64_t id = 0;
    for (unsigned twice = 0; twice < 2; twice++)
        for (unsigned i = 0; i < N(going) + !twice; i++) {
            begin(0x0303, chrome, N(chrome));
            size_t all = block();
            extension(23, "", 0);
            for (unsigned k = 0; k <= twice && i < N(going); k++)
                extension(going[i], going[i] == 0 ? "\0\x04\0\0\x01x" : "", going[i] == 0 ? 6 : 0);
            end(all);
            strcpy(seen[n++], ja4());
            id = n == 1 ? last_id : id;
            assert_true(last_id == id);
        }
    for (unsigned i = 0; i < n; i++)
        for (unsigned k = 0; k < i; k++)
            assert_string_not_equal(seen[i], seen[k]);
}

/* More different hellos than are remembered, in two rounds: the second says what the first said. */
static void test_remembered(void **state)
{
    (void)state;
    enum { HELLOS = 5000 };
    static char first[HELLOS][FINGERPRINT_JA4_LEN + 1];
    for (int round = 0; round < 2; round++)
        for (unsigned i = 0; i < HELLOS; i++) {
            const uint16_t ciphers[] = {(uint16_t)(0x1000 + i), 0x002f};
            begin(0x0303, ciphers, 2);
            if (round == 0)
                strcpy(first[i], ja4());
            assert_string_equal(ja4(), first[i]);
            assert_true(i == 0 || strcmp(first[i], first[i - 1]) != 0);
        }
}

/* libcrypto's memory: none is taken after the start, whatever digests take turns. */
static unsigned allocations;

static void *count_malloc(size_t n, const char *file, int line)
{
    (void)file;
    (void)line;
    allocations++;
    return malloc(n);
}

static void *count_realloc(void *at, size_t n, const char *file, int line)
{
    (void)file;
    (void)line;
    allocations++;
    return realloc(at, n);
}

static void count_free(void *at, const char *file, int line)
{
    (void)file;
    (void)line;
    free(at);
}

static void test_no_allocation(void **state)
{
    (void)state;
    struct fingerprints *own;
    struct err e;
    static struct tls_client_hello h;
    assert_true(fingerprint_new(&own, true, &e));
    EVP_MD_CTX_free(EVP_MD_CTX_new());
    assert_true(allocations > 0); /* they are counted */
    allocations = 0;
    for (unsigned i = 0; i < 300; i++) {
        const uint16_t ciphers[] = {(uint16_t)(0x1000 + i), 0x002f};
        char text[FINGERPRINT_JA4_LEN];
        uint8_t md5[FINGERPRINT_JA3_LEN];
        bool usable;
        begin(0x0303, ciphers, 2);
        struct cur body = cur_of(p.b, p.n, p.n);
        (void)tls_client_hello_decode(body, &h, &usable);
        assert_true(fingerprint_ja4(own, &h, body, TLS_OVER_TCP, text));
        assert_true(fingerprint_ja3(own, body, TLS_OVER_TCP, md5));
    }
    assert_int_equal(allocations, 0);
    fingerprint_free(own);
}

/* ---- what other carriers brought, and what FoxIO's, Suricata's, Arkime's and nDPI's tools make of
 * it */

static const struct {
    const char *name, *hex;
    enum tls_carrier carrier;
    const char *want;
} carried[] = {
    {"QUIC",
     "030348a7bc208b4c86b5cdfa3603fed142fa289feff252cd47c5275d5fa994fc52a200000613011302130301"
     "0000f9001000050003026833000000180016000013636c6f7564666c6172652d717569632e636f6d002d0002"
     "0101001b0003020002000a00080006001d00170018003300260024001d0020cf1816e2b1bcbac697d8c7dcb0"
     "063ce2200816ad495b86ab70d5895973fa1e08002b0003020304003900650604806000000f00200480010000"
     "fcc15de54862727409f0438f088c0f18e73c7128045256434d040480f000000704806000000802406480ff73"
     "db0c00000001da0a3a3a0000000101048000753009024067050480600000800047520400000001030245c044"
     "6900050003026833000d00140012040308040401050308050501080606010201",
     TLS_OVER_QUIC, "q13d0310h3_55b375c5d22e_cd85d2d88918"},
    {"QUIC draft 29",
     "03031f548da67b8a914b4746ea77c5b3b385155756f98981aae7660ce9de83d5664c00000a13011302130313"
     "0400ff010000f60000000e000c0000096c6f63616c686f7374000b000403000102000a000a00080017001d00"
     "180019002300000010000800060568332d32390016000000170000000d001e001c0403050306030807080808"
     "09080a080b080408050806040105010601002b0003020304002d000201010033004700450017004104417235"
     "836b3b194653164a5d01efcdc37a03f2a81c214f9f3d24d00bc85074142f3da4f1c20ebcd0f73b676eab0418"
     "59214d327ae042cff27b48f4c97a1f77d5ffa500380f1143944eda18beb7e548b38d375bf3c2a3bc05048004"
     "0000060480040000070480040000040480100000090240640104800075300e0107",
     TLS_OVER_QUIC, "q13d0512h9_d55e91d5c3b2_cd318bf3b157"},
    {"DTLS 1.2",
     "fefdd57d7295a4ee3554acb5d888a0861f48831f7f9585e1621ed1f3e84edd8653cf00000016c02bc02fcca9"
     "cca8c009c013c00ac014009c002f00350100004000170000ff01000100000a00080006001d00170018000b00"
     "02010000230000000d00140012040308040401050308050501080606010201000e00050002000100",
     TLS_OVER_DTLS, "dd2i110700_c45550529adf_d9dd6182da81"},
    {"DTLS 1.2, ALPN webrtc",
     "fefdfc338fd99f2c1b3e3219703866514ef73387a590ed0a4ae2ecf926fff707dd9300000010c02bc02fcca9"
     "cca8c00ac009c013c0140100006a00170000ff01000100000a00080006001d00170018000b00020100001000"
     "1200100677656272746308632d776562727463000d0020001e04030503060302030804080508060401050106"
     "0102010402050206020202001c00024000000e000b0008000700080001000200",
     TLS_OVER_DTLS, "dd2i0808wc_c6c2b6ec87e0_06b1ae923e2a"},
    {"DTLS 1.0, a cookie, no extensions",
     "feffc5939ddb0791ee7e1de712d78e2253f34dd59b61b2209caa724b6ba34a7d2ad5002064104dce1a52d1a3"
     "6fca2154441d82e9b84f48b5d401e2422f71c369da8bf50600100035002f00050004000a00fb00fc00fd0100",
     TLS_OVER_DTLS, "dd1i080000_f3b6e48d6e2b_000000000000"},
};

static unsigned digit(char c)
{
    return (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
}

static void test_carriers(void **state)
{
    (void)state;
    for (size_t i = 0; i < N(carried); i++) {
        struct tls_client_hello h = {.more = MORE_ODD};
        char text[FINGERPRINT_JA4_LEN + 1] = "";
        p.n = 0;
        for (const char *c = carried[i].hex; *c != '\0'; c += 2)
            u8(digit(c[0]) << 4 | digit(c[1]));
        const uint8_t *at = guard_copy(p.b, p.n);
        assert_true(fingerprint_ja4(f, &h, cur_of(at, p.n, p.n), carried[i].carrier, text));
        assert_string_equal(text, carried[i].want);
    }
}

/* ---- JA3: the example of its authors,
 * 769,47-53-5-10-49161-49162-49171-49172-50-56-19-4,0-10-11,23-24-25,0 */

static void test_ja3(void **state)
{
    (void)state;
    static const uint16_t ciphers[] = {0x9a9a, 47,    53, 5,  10, 49161, 49162,
                                       49171,  49172, 50, 56, 19, 4};
    static const uint16_t groups[] = {0x1a1a, 23, 24, 25};
    static const uint8_t want[] = {0xad, 0xa7, 0x02, 0x06, 0xe4, 0x06, 0x42, 0xa3,
                                   0xe4, 0x46, 0x1f, 0x35, 0x50, 0x32, 0x41, 0xd5};
    uint8_t md5[FINGERPRINT_JA3_LEN];
    begin(0x0301, ciphers, N(ciphers));
    size_t all = block();
    extension(0x0a0a, "", 0);
    extension(0, "\0\x04\0\0\x01x", 6);
    extension16(10, groups, N(groups));
    extension(11, "\x01\0", 2);
    end(all);
    for (int i = 0; i < 2; i++) {
        assert_true(fingerprint_ja3(f, cur_of(p.b, p.n, p.n), TLS_OVER_TCP, md5));
        assert_memory_equal(md5, want, sizeof md5);
    }
    /* "769,47,65281-0-11-35-5-16", a server's */
    static const uint8_t server[] = {0x83, 0x6c, 0xe3, 0x14, 0x21, 0x56, 0x54, 0xb5,
                                     0xb1, 0xf8, 0x5f, 0x97, 0xc7, 0x3e, 0x50, 0x6f};
    p.n = 0;
    u16(0x0301);
    p.n += 32;
    u8(0);
    u16(47);
    u8(0);
    all = block();
    static const uint16_t types[] = {65281, 0, 11, 35, 5, 16};
    for (size_t i = 0; i < N(types); i++)
        extension(types[i], "", 0);
    end(all);
    assert_true(fingerprint_ja3s(f, cur_of(p.b, p.n, p.n), md5));
    assert_memory_equal(md5, server, sizeof md5);
    struct fingerprints *none;
    struct err e;
    assert_true(fingerprint_new(&none, false, &e));
    assert_false(fingerprint_ja3s(none, cur_of(p.b, p.n, p.n), md5)); /* not asked for */
    fingerprint_free(none);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_example),  cmocka_unit_test(test_cuts),
        cmocka_unit_test(test_alpn),     cmocka_unit_test(test_edges),
        cmocka_unit_test(test_more),     cmocka_unit_test(test_remembered),
        cmocka_unit_test(test_carriers), cmocka_unit_test(test_no_allocation),
        cmocka_unit_test(test_ja3),
    };
    struct err e;
    if (CRYPTO_set_mem_functions(count_malloc, count_realloc, count_free) != 1
        || !fingerprint_new(&f, true, &e))
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    fingerprint_free(f);
    return failed;
}
