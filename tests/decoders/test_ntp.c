#include "decoders/ntp.h"
#include "tests/guard.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define COUNT(rows) (sizeof(rows) / sizeof *(rows))

/* 48 bytes in which every field differs from the others; the rest of a row follows. */
#define FIELDS                                                                                     \
    "\x02\x06\xe9\x00\x00\x01\x02\x00\x00\x03\x04\xc0\xa8\x01\x02"                                 \
    "\xe0\x00\x00\x01\x10\x00\x00\x00\xe0\x00\x00\x02\x20\x00\x00\x00"                             \
    "\xe0\x00\x00\x03\x30\x00\x00\x00\xe0\x00\x00\x04\x40\x00\x00\x00"
#define ZEROS8  "\0\0\0\0\0\0\0\0"
#define ZEROS16 ZEROS8 ZEROS8
#define ZEROS48 ZEROS16 ZEROS16 ZEROS16
#define KEY_ID  "\x00\x00\x00\x2a"
/* Extension fields: type, length, body. */
#define EF_UNIQUE_ID "\x01\x04\x00\x24" ZEROS16 ZEROS16
#define EF_COOKIE    "\x02\x04\x00\x14" ZEROS16
#define EF_UNKNOWN   "\xf3\x23\x00\x1c" ZEROS16 ZEROS8
#define EF_CHECKSUM  "\x20\x05\x00\x1c" ZEROS16 ZEROS8
#define EF_AUTOKEY   "\x82\x01\x00\x08\0\0\0\0"

static void every_field_is_read(void **state)
{
    (void)state;
    struct ntp_msg m;
    const uint8_t *p = guard_copy("\xe4" FIELDS, 48);
    assert_int_equal(ntp_decode(cur_of(p, 48, 48), &m), OUT_OK);
    assert_int_equal(m.leap, 3);
    assert_int_equal(m.version, 4);
    assert_int_equal(m.mode, 4);
    assert_int_equal(m.stratum, 2);
    assert_int_equal(m.poll_log2_s, 6);
    assert_int_equal(m.precision_log2_s, -23);
    assert_int_equal(m.root_delay_s16, 0x0102);
    assert_int_equal(m.root_dispersion_s16, 0x0304);
    assert_int_equal(m.refid, 0xc0a80102);
    assert_int_equal(m.ref_ntp64, 0xe000000110000000);
    assert_int_equal(m.org_ntp64, 0xe000000220000000);
    assert_int_equal(m.rec_ntp64, 0xe000000330000000);
    assert_int_equal(m.xmt_ntp64, 0xe000000440000000);
    assert_int_equal(m.payload_len, 48);
    assert_true(m.whole);
    assert_false(m.kod || m.is_request || m.is_reply || m.matched);
}

static void outcomes(void **state)
{
    (void)state;
    static const struct {
        const char *name, *bytes;
        size_t len, wire_len;
        enum outcome want;
        uint8_t version, mode;
        bool whole;
    } rows[] = {
        {"v4 client", "\x23" FIELDS, 48, 48, OUT_OK, 4, 3, true},
        {"v4 server", "\x24" FIELDS, 48, 48, OUT_OK, 4, 4, true},
        {"v3 client", "\x1b" FIELDS, 48, 48, OUT_OK, 3, 3, true},
        {"v2 broadcast", "\x15" FIELDS, 48, 48, OUT_OK, 2, 5, true},
        {"v1, which has no modes", "\x08" FIELDS, 48, 48, OUT_OK, 1, 0, true},
        {"v4, mode 0", "\x20" FIELDS, 48, 48, OUT_NOT_MINE, 0, 0, false},
        {"version 0", "\x03" FIELDS, 48, 48, OUT_NOT_MINE, 0, 0, false},
        {"version 5", "\x2b" FIELDS, 48, 48, OUT_NOT_MINE, 0, 0, false},
        {"version 7, short", "\x3b", 1, 1, OUT_NOT_MINE, 0, 0, false},
        {"empty", "", 0, 0, OUT_NOT_MINE, 0, 0, false},
        {"nothing captured", "", 0, 48, OUT_TRUNCATED, 0, 0, false},
        {"v4 snapped", "\x23" FIELDS, 47, 48, OUT_TRUNCATED, 0, 0, false},
        {"v4 short", "\x23" FIELDS, 47, 47, OUT_MALFORMED, 0, 0, false},
        {"header captured, rest snapped", "\x23" FIELDS, 48, 68, OUT_OK, 4, 3, true},
        {"mode 6", "\x16\x82\0\1" ZEROS8, 12, 12, OUT_OK, 2, 6, false},
        {"mode 6 short", "\x16\x82\0\1" ZEROS8, 11, 11, OUT_MALFORMED, 0, 0, false},
        {"mode 6 snapped", "\x16\x82\0\1" ZEROS8, 11, 12, OUT_TRUNCATED, 0, 0, false},
        {"mode 7", "\x17\0\3\x2a\0\0\0\0", 8, 8, OUT_OK, 2, 7, false},
        {"mode 7 short", "\x17\0\3\x2a\0\0\0\0", 7, 7, OUT_MALFORMED, 0, 0, false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct ntp_msg m, before;
        memset(&m, 0x5a, sizeof m);
        before = m;
        const uint8_t *p = guard_copy(rows[i].bytes, rows[i].len);
        enum outcome got = ntp_decode(cur_of(p, rows[i].len, rows[i].wire_len), &m);
        if (got != rows[i].want)
            fail_msg("%s: %s, wanted %s", rows[i].name, outcome_name[got],
                     outcome_name[rows[i].want]);
        if (got != OUT_OK) {
            assert_memory_equal(&m, &before, sizeof m); /* untouched unless OUT_OK */
            continue;
        }
        if (m.version != rows[i].version || m.mode != rows[i].mode || m.whole != rows[i].whole)
            fail_msg("%s: version %d mode %d whole %d", rows[i].name, m.version, m.mode, m.whole);
    }
}

static void control_and_private(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t len;
        bool response;
        uint8_t code;
    } rows[] = {
        {"\x16\x02\0\1" ZEROS8, 12, false, 2},
        {"\x16\xe2\0\1" ZEROS8, 12, true, 2}, /* error and more bits: no part of the opcode */
        {"\x17\0\3\x2a\0\0\0\0", 8, false, 0x2a},
        {"\xd7\0\3\x2a\0\6\0\x48", 8, true, 0x2a},
        {"\x97\x81\3\x14\0\0\0\0", 8, true, 0x14},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct ntp_msg m;
        const uint8_t *p = guard_copy(rows[i].bytes, rows[i].len);
        assert_int_equal(ntp_decode(cur_of(p, rows[i].len, rows[i].len), &m), OUT_OK);
        assert_int_equal(m.response, rows[i].response);
        assert_int_equal(m.priv_code, rows[i].code);
    }
}

static void what_follows_the_header(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint8_t first;
        const char *bytes;
        size_t len;
        uint8_t n_ext, nts, mac_len;
        uint16_t ext, unknown;
        uint32_t key_id;
    } rows[] = {
        {"nothing", 0x23, "", 0, 0, 0, 0, 0, 0, 0},
        {"crypto-NAK", 0x24, KEY_ID, 4, 0, 0, 4, 0, 0, 42},
        {"MD5", 0x23, KEY_ID ZEROS16, 20, 0, 0, 20, 0, 0, 42},
        {"SHA-1", 0x23, KEY_ID ZEROS16 "\0\0\0\0", 24, 0, 0, 24, 0, 0, 42},
        {"v3 MD5", 0x1b, KEY_ID ZEROS16, 20, 0, 0, 20, 0, 0, 42},
        {"v3 SHA-512", 0x1b, KEY_ID ZEROS48 ZEROS16, 68, 0, 0, 68, 0, 0, 42},
        {"v3 knows no fields", 0x1b, EF_UNKNOWN, 28, 0, 0, 0, 0, 28, 0},
        {"one field", 0x23, EF_CHECKSUM, 28, 1, 0, 0, 28, 0, 0},
        {"a field too short for a MAC's rival, but known", 0x23, EF_COOKIE, 20, 1, 1, 0, 20, 0, 0},
        {"Autokey's short field", 0x23, EF_AUTOKEY, 8, 1, 0, 0, 8, 0, 0},
        {"NTS", 0x23, EF_UNIQUE_ID EF_COOKIE, 56, 2, 2, 0, 56, 0, 0},
        {"field and MAC", 0x23, EF_CHECKSUM KEY_ID ZEROS16, 48, 1, 0, 20, 28, 0, 42},
        {"field and crypto-NAK", 0x23, EF_CHECKSUM KEY_ID, 32, 1, 0, 4, 28, 0, 42},
        {"unknown field", 0x23, EF_UNKNOWN, 28, 1, 0, 0, 28, 28, 0},
        {"unknown, then known", 0x23, EF_UNKNOWN EF_CHECKSUM, 56, 2, 0, 0, 56, 28, 0},
        {"length 0", 0x23, "\x20\x05\0\0" ZEROS16 ZEROS8, 28, 0, 0, 0, 0, 28, 0},
        {"length past the end", 0x23, "\x20\x05\0\x20" ZEROS16 ZEROS8, 28, 0, 0, 0, 0, 28, 0},
        {"length no multiple of 4", 0x23, "\x20\x05\0\x19" ZEROS16 ZEROS8, 28, 0, 0, 0, 0, 28, 0},
        {"length no multiple of 4, but even", 0x23, "\x20\x05\0\x1a" ZEROS16 ZEROS8, 28, 0, 0, 0, 0,
         28, 0},
        {"a key id like an unknown field", 0x23, "\xf3\x23\0\x14" ZEROS16, 20, 0, 0, 20, 0, 0,
         0xf3230014},
        {"Autokey as deployed", 0x23, "\x05\x02\0\x1c" ZEROS16 ZEROS8, 28, 1, 0, 0, 28, 0, 0},
        {"odd bytes", 0x23, "\1\2\3", 3, 0, 0, 0, 0, 3, 0},
        {"a field, then rubbish", 0x23, EF_CHECKSUM "\1\2\3\4\5", 33, 1, 0, 0, 28, 5, 0},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        uint8_t packet[48 + 128] = {0};
        size_t len = 48 + rows[i].len;
        memcpy(packet + 1, FIELDS, 47);
        memcpy(packet + 48, rows[i].bytes, rows[i].len);
        packet[0] = rows[i].first;
        struct ntp_msg m;
        assert_int_equal(ntp_decode(cur_of(guard_copy(packet, len), len, len), &m), OUT_OK);
        if (m.n_ext != rows[i].n_ext || m.nts_fields != rows[i].nts || m.mac_len != rows[i].mac_len
            || m.ext_bytes != rows[i].ext || m.ext_unknown_bytes != rows[i].unknown
            || m.key_id != rows[i].key_id)
            fail_msg("%s: %d fields, %d NTS, MAC %d, ext %d, unknown %d, key %u", rows[i].name,
                     m.n_ext, m.nts_fields, m.mac_len, m.ext_bytes, m.ext_unknown_bytes, m.key_id);
        assert_int_equal(m.payload_len, len);
        /* Cut at every byte: the header alone decides, and nothing is blamed on the message. */
        for (size_t cut = 0; cut < len; cut++) {
            enum outcome got = ntp_decode(cur_of(guard_copy(packet, cut), cut, len), &m);
            assert_int_equal(got, cut < 48 ? OUT_TRUNCATED : OUT_OK);
            assert_true(cut < 48 || (m.mac_len == 0 && m.ext_bytes <= rows[i].ext));
        }
    }
}

static void fields_are_walked_to_a_limit(void **state)
{
    (void)state;
    uint8_t packet[48 + 20 * 28] = {0x23};
    for (int i = 0; i < 20; i++)
        memcpy(packet + 48 + i * 28, EF_CHECKSUM, 28);
    struct ntp_msg m;
    const uint8_t *p = guard_copy(packet, sizeof packet);
    assert_int_equal(ntp_decode(cur_of(p, sizeof packet, sizeof packet), &m), OUT_OK);
    assert_int_equal(m.n_ext, 16);
    assert_int_equal(m.ext_bytes, 16 * 28);
    assert_int_equal(m.ext_unknown_bytes, 4 * 28);
}

static void kiss_codes(void **state)
{
    (void)state;
    static const struct {
        uint8_t first, stratum;
        const char *refid;
        bool kod;
    } rows[] = {
        {0x24, 0, "RATE", true},
        {0xe4, 0, "\0\0\0\0", true},
        {0x24, 0, "\0\0\0\0", false},
        {0x24, 1, "RATE", false},
        {0x23, 0, "RATE", false},
        {0x22, 0, "DENY", true},
        {0x24, 0,
         "AB\x7f"
         "D",
         false},
        {0xe3, 0, "INIT", false},
        {0x25, 0, "RSTR", true},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        uint8_t packet[48] = {rows[i].first, rows[i].stratum};
        memcpy(packet + 12, rows[i].refid, 4);
        struct ntp_msg m;
        assert_int_equal(ntp_decode(cur_of(guard_copy(packet, 48), 48, 48), &m), OUT_OK);
        if (m.kod != rows[i].kod)
            fail_msg("row %zu: kod %d", i, m.kod);
    }
}

static void eras(void **state)
{
    (void)state;
    const uint64_t s = 1000000000;
    static const struct {
        uint64_t ntp64, near_s, want_s, want_ns;
    } rows[] = {
        {UINT64_C(2208988800) << 32, 0, 0, 0},
        {UINT64_C(3729715200) << 32 | 0x80000000, 1520726400, 1520726400, 500000000},
        {0, 2085978496, 2085978496, 0},                          /* era 1 begins */
        {UINT64_C(0xffffffff) << 32, 2085978500, 2085978495, 0}, /* a second before it */
        {UINT64_C(1) << 32, 2085978400, 2085978497, 0},          /* seen from before it */
        {0, 1520726400, 2085978496, 0},                          /* zero: the nearest era's */
        {UINT64_C(2208988790) << 32, 0, 0, 0},                   /* before 1970: none */
        {UINT64_C(2208988800) << 32 | 0xffffffff, 0, 0, 999999999},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_int_equal(ntp_to_ns(rows[i].ntp64, rows[i].near_s * s),
                         rows[i].want_s * s + rows[i].want_ns);
    /* At the very top of our own time nothing overflows. */
    assert_int_equal(ntp_to_ns((UINT64_MAX / s + 2208988800 + 1000) << 32, UINT64_MAX), UINT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_field_is_read),
        cmocka_unit_test(outcomes),
        cmocka_unit_test(control_and_private),
        cmocka_unit_test(what_follows_the_header),
        cmocka_unit_test(fields_are_walked_to_a_limit),
        cmocka_unit_test(kiss_codes),
        cmocka_unit_test(eras),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
