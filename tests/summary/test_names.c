#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <openssl/evp.h>
#include <openssl/params.h>

#include "random.h"
#include "summary/names.h"
#include "tests/guard.h"

static const uint8_t KEY[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

static struct bytes bytes_of(const char *s)
{
    return (struct bytes){(const uint8_t *)s, (uint32_t)strlen(s)};
}

static struct config config_of(enum name_policy policy)
{
    struct config c = config_default(); /* suffixes: telldus.com telldus.net pool.ntp.org */
    c.names = (uint8_t)policy;
    memcpy(c.names_key, KEY, sizeof KEY);
    return c;
}

static void names_are_cleaned(void **state)
{
    (void)state;
    static const struct {
        const char *name, *want;
        uint32_t len;
        bool lower;
    } rows[] = {
        {"", "", 0, false},
        {"Api.Telldus.Com", "Api.Telldus.Com", 15, false},
        {"Api.Telldus.Com", "api.telldus.com", 15, true},
        {"a b", "a\\032b", 3, true},
        {"a\0b", "a\\000b", 3, true},
        {"\x7f\xff\x1f!~", "\\127\\255\\031!~", 5, false},
        {"@[`{AZ", "@[`{az", 6, true},
        {".", ".", 1, true},
    };
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[NAME_MAX_TEXT];
        struct bytes name = {(const uint8_t *)rows[i].name, rows[i].len};
        uint32_t n = name_clean(name, rows[i].lower, text);
        assert_int_equal(n, strlen(rows[i].want));
        assert_memory_equal(text, rows[i].want, n);
    }
}

/* Whatever lies where: as one byte after another, in sight of an unmapped page. */
static void cleaned_byte_by_byte(void **state)
{
    (void)state;
    struct random r = {5};
    for (int round = 0; round < 20000; round++) {
        uint8_t name[40];
        char text[NAME_MAX_TEXT], want[200];
        uint32_t len = random_below(&r, sizeof name + 1), n = 0;
        bool lower = random_one_in(&r, 2);
        uint32_t odd = 2 + random_below(&r, 60); /* one in so many bytes is not plain */
        for (uint32_t i = 0; i < len; i++) {
            static const uint8_t edges[] = {0x00, 0x20, 0x21, 0x40, 'A',  'Z',  0x5b, 0x60,
                                            'a',  'z',  0x7e, 0x7f, 0x80, 0xa1, 0xc1, 0xff};
            name[i] = random_one_in(&r, odd) ? edges[random_below(&r, sizeof edges)]
                                             : (uint8_t)('a' + random_below(&r, 26));
            uint8_t c = lower && name[i] >= 'A' && name[i] <= 'Z' ? name[i] + 32 : name[i];
            bool plain = c > 0x20 && c < 0x7f;
            n += (uint32_t)snprintf(want + n, sizeof want - n, plain ? "%c" : "\\%03u", c);
        }
        struct bytes guarded = {guard_copy(name, len), len};
        assert_int_equal(name_clean(guarded, lower, text), n);
        assert_memory_equal(text, want, n);
        bool same = n == len && memcmp(name, want, n) == 0;
        assert_int_equal(name_is_clean(guarded, lower), same && len >= 8);
    }
}

/* 255 bytes of the worst kind fit; more are cut between characters, never beyond the buffer. */
static void long_names_are_cut(void **state)
{
    (void)state;
    static uint8_t name[2000];
    char text[NAME_MAX_TEXT];
    memset(name, 0xee, sizeof name);
    assert_int_equal(name_clean((struct bytes){name, 255}, true, text), 1020);
    for (uint32_t len = 250; len < sizeof name; len++) {
        uint32_t n = name_clean((struct bytes){name, len}, true, text);
        assert_true(n < NAME_MAX_TEXT && n % 4 == 0);
    }
    memset(name, 'x', sizeof name);
    assert_int_equal(name_clean((struct bytes){name, 1019}, true, text), 1019);
    assert_true(name_clean((struct bytes){name, 2000}, true, text) < NAME_MAX_TEXT);
}

static void policies(void **state)
{
    (void)state;
    static const struct {
        const char *name, *kept;
        bool known; /* inside the suffixes */
    } rows[] = {
        {"api.telldus.com", "api.telldus.com", true},
        {"telldus.com", "telldus.com", true},
        {"API.TELLDUS.COM", "api.telldus.com", true},
        {"eviltelldus.com", "eviltelldus.com", false},
        {"telldus.com.evil.net", "telldus.com.evil.net", false},
        {"2.se.pool.ntp.org", "2.se.pool.ntp.org", true},
        {"ntp.org", "ntp.org", false},
        {"x", "x", false},
    };
    struct config keep = config_of(NAMES_KEEP), drop = config_of(NAMES_DROP);
    struct config hash = config_of(NAMES_HASH);
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[NAME_MAX_TEXT];
        uint32_t len = (uint32_t)strlen(rows[i].kept);
        assert_int_equal(name_apply(&keep, bytes_of(rows[i].name), true, text), len);
        assert_memory_equal(text, rows[i].kept, len);
        uint32_t n = name_apply(&drop, bytes_of(rows[i].name), true, text);
        assert_int_equal(n, rows[i].known ? len : 0);
        n = name_apply(&hash, bytes_of(rows[i].name), true, text);
        if (rows[i].known) {
            assert_int_equal(n, len);
            assert_memory_equal(text, rows[i].kept, len);
        } else {
            assert_int_equal(n, 18);
            assert_memory_equal(text, "h:", 2);
        }
    }
    char text[NAME_MAX_TEXT];
    assert_int_equal(name_apply(&hash, (struct bytes){0}, true, text), 0);
}

/* OpenSSL's SipHash-2-4 with 8 bytes of output, as the number it stands for. */
static uint64_t reference(const void *p, size_t len)
{
    size_t size = 8, wrote;
    uint8_t out[8];
    OSSL_PARAM params[] = {OSSL_PARAM_construct_size_t("size", &size), OSSL_PARAM_construct_end()};
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "SIPHASH", NULL);
    EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(mac);
    assert_non_null(ctx);
    assert_int_equal(EVP_MAC_init(ctx, KEY, sizeof KEY, params), 1);
    assert_int_equal(EVP_MAC_update(ctx, p, len), 1);
    assert_int_equal(EVP_MAC_final(ctx, out, &wrote, sizeof out), 1);
    EVP_MAC_CTX_free(ctx);
    EVP_MAC_free(mac);
    uint64_t v = 0;
    for (int i = 7; i >= 0; i--)
        v = v << 8 | out[i];
    return v;
}

static void hash_is_siphash(void **state)
{
    (void)state;
    /* The vector of the paper, appendix A: that the reference is what we think it is. */
    assert_true(reference(KEY, 15) == UINT64_C(0xa129ca6149be45e5));
    struct config c = config_of(NAMES_HASH);
    for (uint32_t len = 1; len <= 200; len++) {
        char name[201], upper[201], text[NAME_MAX_TEXT], want[20];
        for (uint32_t i = 0; i < len; i++) {
            name[i] = (char)('a' + (i * 7 + len) % 26);
            upper[i] = (char)(name[i] - 32);
        }
        snprintf(want, sizeof want, "h:%016llx", (unsigned long long)reference(name, len));
        for (int lower = 0; lower < 2; lower++) {
            struct bytes b = {(const uint8_t *)(lower ? name : upper), len};
            assert_int_equal(name_apply(&c, b, lower, text), 18);
            assert_memory_equal(text, want, 18);
        }
    }
    char text[NAME_MAX_TEXT], want[20]; /* hashed as cleaned */
    snprintf(want, sizeof want, "h:%016llx", (unsigned long long)reference("a\\000b", 6));
    assert_int_equal(name_apply(&c, (struct bytes){(const uint8_t *)"A\0b", 3}, false, text), 18);
    assert_memory_equal(text, want, 18);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_cleaned),  cmocka_unit_test(cleaned_byte_by_byte),
        cmocka_unit_test(long_names_are_cut), cmocka_unit_test(policies),
        cmocka_unit_test(hash_is_siphash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
