#include "decoders/dns.h"
#include "decoders/dns_name.h"
#include "tests/guard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>
#include <stdio.h>

#define COUNT(rows) (sizeof(rows) / sizeof *(rows))

/* Pieces of messages. A header's counts are one byte each. */
#define HEAD(flags, qd, an, ns, ar) "\x12\x34" flags "\0" qd "\0" an "\0" ns "\0" ar
#define QUERY                       "\x01\0"
#define RESPONSE                    "\x81\x80"
#define NAME                                                                                       \
    "\3"                                                                                           \
    "api"                                                                                          \
    "\7"                                                                                           \
    "telldus"                                                                                      \
    "\3"                                                                                           \
    "com"                                                                                          \
    "\0" /* at 12 */
#define IN_A    "\0\1\0\1"
#define TTL     "\0\0\0\x3c"
#define AT(low) "\xc0" low
#define A_DATA  "\0\4\1\2\3\4"
#define OPT     "\0\0\x29\x04\xd0\x01\0\x80\0\0\0"

static struct msgs batch;

static void fold_nothing(void *ctx, struct msgs *b)
{
    (void)ctx;
    (void)b;
}

static int fresh(void **state)
{
    (void)state;
    batch.n = 0;
    batch.used = 0;
    batch.fold = fold_nothing;
    return 0;
}

/* Decodes `len` of `wire_len` bytes at the edge of an unmapped page; the last message, or NULL. */
static const struct dns_msg *decode(const void *bytes, size_t len, size_t wire_len,
                                    enum outcome *got)
{
    static struct rec rec;
    rec = (struct rec){.payload_wire_len = (uint32_t)wire_len};
    batch.n = 0;
    batch.used = 0;
    struct dns_msg *m;
    *got = dns_decode(cur_of(guard_copy(bytes, len), len, wire_len), &rec, SIDE_SRC, PROTO_DNS,
                      false, &batch, &m);
    assert_true(batch.used <= MSGS_ARENA);
    assert_true(batch.n > 0 ? m == &batch.m[batch.n - 1].dns : m == NULL);
    return m;
}

static void text_is(struct bytes b, const char *want)
{
    if (want == NULL ? b.p != NULL : b.len != strlen(want) || memcmp(b.p, want, b.len) != 0)
        fail_msg("\"%.*s\", wanted \"%s\"", (int)b.len, b.p ? (const char *)b.p : "",
                 want != NULL ? want : "(none)");
}

static void a_whole_response(void **state)
{
    (void)state;
    static const char message[] = HEAD("\x87\x83", "\1", "\3", "\1", "\2") NAME IN_A /* 12..33 */
        AT("\x0c") "\0\5\0\1" TTL "\0\6"
                   "\3"
                   "lb1" AT("\x10")      /* 33: CNAME, data at 45 */
        AT("\x2d") "\0\1\0\1" TTL A_DATA /* 51 */
            AT("\x2d") "\0\x1c\0\1" TTL "\0\x10"
                       "\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\1" /* 67 */
        AT("\x10") "\0\6\0\1\0\0\x0e\x10\0\x1b"
                   "\2"
                   "ns" AT("\x10") AT("\x0c")          /* SOA */
        "\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\4\0\0\x01\x2c" /* minimum 300 under TTL 3600 */
        OPT "\1x\0" IN_A TTL "\0\4\x9\x9\x9\x9";
    size_t len = sizeof message - 1;
    enum outcome got;
    const struct dns_msg *m = decode(message, len, len, &got);
    assert_int_equal(got, OUT_OK);
    assert_int_equal(m->id, 0x1234);
    assert_int_equal(m->flags, 0x8783);
    assert_true(m->response && m->truncated_bit && !m->malformed && !m->truncated && !m->tcp);
    assert_int_equal(m->opcode, 0);
    assert_int_equal(m->rcode, 3);
    assert_int_equal(m->rcode_ext, 0x13);
    assert_int_equal(m->edns_udp_size, 1232);
    assert_true(m->edns_do);
    assert_int_equal(m->len, len);
    assert_int_equal(m->service, PROTO_DNS);
    assert_int_equal(m->n_questions, 1);
    text_is(m->questions[0].name, "api.telldus.com");
    assert_int_equal(m->questions[0].qtype, 1);
    assert_int_equal(m->questions[0].qclass, 1);
    assert_int_equal(m->n_answers, 5); /* OPT is none */
    const struct dns_answer *a = m->answers;
    text_is(a[0].name, "api.telldus.com");
    text_is(a[0].text, "lb1.telldus.com");
    text_is(a[1].name, "lb1.telldus.com");
    text_is(a[1].text, NULL);
    assert_int_equal(a[1].ttl_s, 60);
    assert_memory_equal(a[1].addr.b + 12, "\1\2\3\4", 4);
    assert_memory_equal(a[2].addr.b, "\x20\1\xd\xb8", 4);
    text_is(a[3].name, "telldus.com");
    text_is(a[3].text, "ns.telldus.com");
    text_is(a[4].name, "x");
    assert_int_equal(a[0].section, 0);
    assert_int_equal(a[3].section, 1);
    assert_int_equal(a[4].section, 2);
    assert_true(m->has_soa);
    assert_int_equal(m->soa_minimum, 300);
    assert_int_equal(m->n_addresses, 2); /* that of the additional section is none */
    for (unsigned i = 0; i < 2; i++) {
        assert_memory_equal(&m->addresses[i].addr, &a[1 + i].addr, sizeof a->addr);
        assert_int_equal(m->addresses[i].ttl_s, 60);
    }

    /* Nobody wants the records: all else is the same. */
    struct dns_msg all = *m;
    batch.no_records = true;
    m = decode(message, len, len, &got);
    batch.no_records = false;
    assert_int_equal(got, OUT_OK);
    assert_int_equal(m->n_answers, 0);
    assert_int_equal(m->n_addresses, 2);
    assert_memory_equal(m->addresses[0].addr.b + 12, "\1\2\3\4", 4);
    assert_memory_equal(m->addresses[1].addr.b, "\x20\1\xd\xb8", 4);
    assert_int_equal(m->soa_minimum, all.soa_minimum);
    assert_int_equal(m->rcode_ext, all.rcode_ext);

    /* Cut at every byte: what was read stands, and the message is not blamed. */
    for (size_t cut = 0; cut < len; cut++) {
        m = decode(message, cut, len, &got);
        assert_int_equal(got, OUT_TRUNCATED);
        assert_int_equal(batch.n, cut >= 12);
        if (m == NULL)
            continue;
        assert_true(m->truncated && !m->malformed);
        assert_int_equal(m->len, len);
        assert_int_equal(m->n_questions, cut >= 33);
        assert_int_equal(m->n_answers, (cut >= 51) + (cut >= 67) + (cut >= 95) + (cut >= 134));
        /* The same bytes as a whole message are malformed. */
        m = decode(message, cut, cut, &got);
        assert_int_equal(got, OUT_MALFORMED);
        assert_true(m->malformed && !m->truncated);
    }
}

static void records_with_names(void **state)
{
    (void)state;
    static const struct {
        const char *name, *bytes; /* type, class, TTL, length, data */
        size_t len;
        const char *want;
        bool malformed;
    } rows[] = {
        {"NS", "\0\2\0\1" TTL "\0\5\2ns" AT("\x0c"), 15, "ns.api.telldus.com", false},
        {"PTR", "\0\x0c\0\1" TTL "\0\3\1x\0", 13, "x", false},
        {"PTR to the root", "\0\x0c\0\1" TTL "\0\1\0", 11, ".", false},
        {"MX", "\0\x0f\0\1" TTL "\0\4\0\x0a" AT("\x10"), 14, "telldus.com", false},
        {"null MX", "\0\x0f\0\1" TTL "\0\3\0\0\0", 13, ".", false},
        {"SRV", "\0\x21\0\1" TTL "\0\x08\0\1\0\2\0\x35" AT("\x0c"), 18, "api.telldus.com", false},
        {"HTTPS",
         "\0\x41\0\1" TTL "\0\x0b\0\1\0\0\1\0\4\2h2"
         "\0",
         21, ".", false},
        {"SVCB", "\0\x40\0\1" TTL "\0\5\0\1\1x\0", 15, "x", false},
        {"TXT", "\0\x10\0\1" TTL "\0\3\2hi", 13, NULL, false},
        {"CNAME past its data", "\0\5\0\1" TTL "\0\2\1x", 12, NULL, true},
        {"MX without a name", "\0\x0f\0\1" TTL "\0\2\0\x0a", 12, NULL, true},
        {"A of 3 bytes", "\0\1\0\1" TTL "\0\3\1\2\3", 13, NULL, true},
        {"A of none", "\0\1\0\1" TTL "\0\0", 10, NULL, true},
        {"AAAA of 4 bytes", "\0\x1c\0\1" TTL A_DATA, 14, NULL, true},
        {"SOA cut", "\0\6\0\1" TTL "\0\4\1x\0\0", 14, "x", true},
    };
    static const char start[] = HEAD(RESPONSE, "\1", "\2", "\0", "\0") NAME IN_A AT("\x0c");
    static const char last[] = AT("\x0c") IN_A TTL A_DATA;
    for (size_t i = 0; i < COUNT(rows); i++) {
        uint8_t message[256];
        size_t len = 0;
        memcpy(message, start, sizeof start - 1), len += sizeof start - 1;
        memcpy(message + len, rows[i].bytes, rows[i].len), len += rows[i].len;
        memcpy(message + len, last, sizeof last - 1), len += sizeof last - 1;
        enum outcome got;
        const struct dns_msg *m = decode(message, len, len, &got);
        if (m->malformed != rows[i].malformed || m->n_answers != 2)
            fail_msg("%s: malformed %d, %u answers", rows[i].name, m->malformed, m->n_answers);
        text_is(m->answers[0].text, rows[i].want);
        text_is(m->answers[1].name, "api.telldus.com"); /* the walk went on */
    }
}

/* A query for the name at 12, made of `bytes`. */
static void names(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t len;
        const char *want; /* NULL: a bad name */
        unsigned n_questions;
    } rows[] = {
        {"\0", 1, ".", 1},
        {"\1a\0", 3, "a", 1},
        {"\3MiX\4CaSe\0", 10, "MiX.CaSe", 1},
        {"\x7"
         "a.b\\c d\0",
         9, "a\\046b\\092c\\032d", 1},
        {"\4\xff\0\x7f!\0", 6, "\\255\\000\\127!", 1},
        {"\7seven_7\x8"
         "eight--8\x9"
         "nine99999\0",
         28, "seven_7.eight--8.nine99999", 1},
        {"\x10"
         "sixteen.ascii.16\0",
         18, "sixteen\\046ascii\\04616", 1},
        {"\xc0\x0c", 2, NULL, 1},    /* to itself */
        {"\1a\xc0\x0c", 4, NULL, 1}, /* to its own beginning */
        {"\xc0\x0b", 2, NULL, 1},    /* into the header */
        {"\xc0\0", 2, NULL, 1},
        {"\xc0\x0e", 2, NULL, 1}, /* forward */
        {"\xff\xff", 2, NULL, 1},
        {"\1a\x40", 3, NULL, 0}, /* label types nobody defines: where the name ends is unknown */
        {"\x80", 1, NULL, 0},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        uint8_t message[128];
        memcpy(message, HEAD(QUERY, "\1", "\0", "\0", "\0"), 12);
        memcpy(message + 12, rows[i].bytes, rows[i].len);
        memcpy(message + 12 + rows[i].len, IN_A, 4);
        size_t len = 16 + rows[i].len;
        enum outcome got;
        const struct dns_msg *m = decode(message, len, len, &got);
        if (got != (rows[i].want ? OUT_OK : OUT_MALFORMED) || m->n_questions != rows[i].n_questions)
            fail_msg("row %zu: %s, %u questions", i, outcome_name[got], m->n_questions);
        if (m->n_questions == 0)
            continue;
        text_is(m->questions[0].name, rows[i].want);
        assert_int_equal(m->questions[0].qtype, 1);
    }
}

/* Every byte alone in labels of every length: as itself or as \DDD, wherever in the label it
 * stands. */
static void every_byte_in_labels(void **state)
{
    (void)state;
    for (unsigned b = 0; b < 256; b++) {
        for (uint8_t n = 1; n <= 63; n += n < 20 ? 1 : 7) {
            uint8_t message[128] = {0}, want[128];
            unsigned at = (b * 7 + n) % n;
            memcpy(message, HEAD(QUERY, "\1", "\0", "\0", "\0"), 12);
            message[12] = n;
            memset(message + 13, 'z', n);
            message[13 + at] = (uint8_t)b;
            memcpy(message + 14 + n, IN_A, 4);
            memset(want, 'z', n);
            size_t want_len = n;
            bool plain = b > 0x20 && b < 0x7f && b != '.' && b != '\\';
            if (plain) {
                want[at] = (uint8_t)b;
            } else {
                want_len += 3;
                snprintf((char *)want + at, 5, "\\%03u", b);
                memset(want + at + 4, 'z', n - at - 1);
            }
            enum outcome got;
            const struct dns_msg *m = decode(message, 18u + n, 18u + n, &got);
            assert_int_equal(got, OUT_OK);
            assert_int_equal(m->questions[0].name.len, want_len);
            assert_memory_equal(m->questions[0].name.p, want, want_len);
        }
    }
}

/* Names of 254, 255 and 256 bytes, plain and all escaped, whole and by a pointer. */
static void longest_names(void **state)
{
    (void)state;
    for (int wire_len = 253; wire_len <= 257; wire_len++) {
        for (int pointer = 0; pointer < 2; pointer++) {
            uint8_t message[600] = HEAD(QUERY, "\2", "\0", "\0", "\0");
            size_t at = 12;
            int left = wire_len - 1;     /* of labels, lengths included */
            int first = pointer ? 2 : 0; /* "a" goes before, in the second name */
            left -= first;
            while (left > 0) {
                uint8_t n = (uint8_t)(left > 64 ? (left == 65 ? 62 : 63) : left - 1);
                message[at++] = n;
                memset(message + at, 0xee, n);
                at += n;
                left -= n + 1;
            }
            message[at++] = 0;
            memcpy(message + at, IN_A, 4), at += 4;
            memcpy(message + at, pointer ? "\1a\xc0\x0c" : "\xc0\x0c", pointer ? 4 : 2);
            at += pointer ? 4 : 2;
            memcpy(message + at, IN_A, 4), at += 4;
            enum outcome got;
            const struct dns_msg *m = decode(message, at, at, &got);
            assert_int_equal(m->n_questions, 2);
            assert_int_equal(got, wire_len <= 255 ? OUT_OK : OUT_MALFORMED);
            assert_int_equal(m->questions[1].name.p != NULL, wire_len <= 255);
            assert_int_equal(m->questions[0].name.p != NULL, wire_len - first <= 255);
        }
    }
}

/* A TXT whose data is a name and pointers, each to the one before; then a record owned by the last
 * of `n` pointers. */
static size_t pointer_chain(uint8_t *message, unsigned n)
{
    memcpy(message, HEAD(RESPONSE, "\0", "\2", "\0", "\0") "\0\0\x10\0\1" TTL, 21);
    size_t data_len = 3 + 2 * (size_t)(n - 1), at = 26, before = 23;
    message[21] = (uint8_t)(data_len >> 8), message[22] = (uint8_t)data_len;
    memcpy(message + 23, "\1x\0", 3);
    for (unsigned i = 0; i < n; i++, at += 2) {
        message[at] = (uint8_t)(0xc0 | before >> 8), message[at + 1] = (uint8_t)before;
        before = at;
    }
    memcpy(message + at, IN_A TTL A_DATA, 14);
    return at + 14;
}

static void pointer_chains_are_followed_to_a_limit(void **state)
{
    (void)state;
    static uint8_t message[4096];
    enum outcome got;
    for (unsigned n = 1; n < DNS_NAME_JUMPS_MAX + 20; n++) {
        size_t len = pointer_chain(message, n);
        const struct dns_msg *m = decode(message, len, len, &got);
        assert_int_equal(got, n <= DNS_NAME_JUMPS_MAX ? OUT_OK : OUT_MALFORMED);
        assert_int_equal(m->n_answers, 2);
        text_is(m->answers[1].name, n <= DNS_NAME_JUMPS_MAX ? "x" : NULL);
    }
}

/* 64 KiB of records that all point to long names: the arena, the text and the work stay bounded,
 * and the walk goes on to the end. */
static void a_message_full_of_pointers(void **state)
{
    (void)state;
    static uint8_t message[65535];
    size_t at = 12;
    memcpy(message, HEAD(RESPONSE, "\1", "\0", "\0", "\0"), 12);
    message[6] = 0xff, message[7] = 0xff;
    for (int i = 0; i < 126; i++) /* a name of 253 bytes */
        message[at++] = 1, message[at++] = 0;
    message[at++] = 0;
    memcpy(message + at, IN_A, 4), at += 4;
    for (unsigned i = 0; at + 18 <= sizeof message; i++) {
        unsigned to = 12 + 2 * (i % 120); /* into the middle: not to be had from a cache */
        memcpy(message + at, (uint8_t[]){1, 'x', 0xc0, (uint8_t)to}, 4);
        memcpy(message + at + 4, "\0\5\0\1" TTL "\0\4", 10);
        memcpy(message + at + 14, (uint8_t[]){1, 'y', 0xc0, (uint8_t)to}, 4);
        at += 18;
    }
    enum outcome got;
    const struct dns_msg *m = decode(message, at, at, &got);
    assert_int_equal(got, OUT_MALFORMED); /* fewer answers than it says */
    assert_false(m->truncated);
    assert_int_equal(m->n_answers, DNS_ANSWERS_MAX);
    assert_non_null(m->questions[0].name.p);
    assert_non_null(m->answers[0].name.p);
    assert_null(m->answers[DNS_ANSWERS_MAX - 1].text.p);
    assert_true(batch.used <= DNS_NAMES_TEXT_MAX
                                  + DNS_ANSWERS_MAX * (sizeof *m->answers + sizeof *m->addresses)
                                  + 128);
}

/* Short names behind long chains: the text would fit, the work is bounded all the same. */
static void a_message_full_of_chains(void **state)
{
    (void)state;
    static uint8_t message[4096];
    enum { CHAIN = 120, RECORDS = DNS_ANSWERS_MAX - 1 };
    size_t at = pointer_chain(message, CHAIN) - 14, last = at - 2;
    uint8_t to[2] = {(uint8_t)(0xc0 | last >> 8), (uint8_t)last};
    message[7] = 1 + RECORDS;
    for (int i = 0; i < RECORDS; i++) {
        if (i > 0)
            memcpy(message + at, to, 2), at += 2;
        memcpy(message + at, "\0\5\0\1" TTL "\0\2", 10), at += 10;
        memcpy(message + at, to, 2), at += 2;
    }
    enum outcome got;
    const struct dns_msg *m = decode(message, at, at, &got);
    assert_int_equal(got, OUT_OK);
    assert_int_equal(m->n_answers, 1 + RECORDS);
    text_is(m->answers[1].text, "x");
    text_is(m->answers[DNS_NAMES_STEPS_MAX / (CHAIN + 2) / 2 - 1].text, "x");
    text_is(m->answers[RECORDS].name, NULL);
    text_is(m->answers[RECORDS].text, NULL);
}

static void questions_and_answers_past_the_limits(void **state)
{
    (void)state;
    static uint8_t message[65535];
    enum outcome got;
    size_t len = 12;
    memcpy(message, HEAD(QUERY, "\0", "\0", "\0", "\1"), 12);
    for (int i = 0; i < 1000; i++)
        memcpy(message + len, "\0" IN_A, 5), len += 5;
    message[4] = 1000 >> 8, message[5] = 1000 & 0xff;
    memcpy(message + len, OPT, 11), len += 11;
    const struct dns_msg *m = decode(message, len, len, &got);
    assert_int_equal(got, OUT_OK);
    assert_int_equal(m->qdcount, 1000);
    assert_int_equal(m->n_questions, DNS_QUESTIONS_MAX);
    assert_int_equal(m->n_more_qtypes, 1000 - DNS_QUESTIONS_MAX);
    assert_int_equal(m->more_qtypes[0], 1);
    assert_int_equal(m->more_qtypes[999 - DNS_QUESTIONS_MAX], 1);
    assert_int_equal(m->edns_udp_size, 1232); /* found past them */

    len = 12;
    memcpy(message, HEAD(RESPONSE, "\0", "\x64", "\0", "\1"), 12);
    for (int i = 0; i < 100; i++)
        memcpy(message + len, "\0" IN_A TTL A_DATA, 15), len += 15;
    memcpy(message + len, OPT, 11), len += 11;
    m = decode(message, len, len, &got);
    assert_int_equal(got, OUT_OK);
    assert_int_equal(m->n_answers, DNS_ANSWERS_MAX);
    assert_int_equal(m->n_addresses, DNS_ANSWERS_MAX);
    assert_int_equal(m->edns_udp_size, 1232);
    batch.no_records = true;
    m = decode(message, len, len, &got);
    batch.no_records = false;
    assert_int_equal(m->n_addresses, DNS_ANSWERS_MAX);
}

static void what_is_no_fault(void **state)
{
    (void)state;
    enum outcome got;
    /* Bytes after the last record. */
    static const char trailing[] = HEAD(QUERY, "\1", "\0", "\0", "\0") NAME IN_A "rubbish";
    decode(trailing, sizeof trailing - 1, sizeof trailing - 1, &got);
    assert_int_equal(got, OUT_OK);
    /* An UPDATE that deletes an RRset: class ANY, no data (RFC 2136 2.5.2). */
    static const char update[] =
        HEAD("\x28\0", "\1", "\0", "\1", "\0") NAME "\0\6\0\1" AT("\x0c") "\0\1\0\xff\0\0\0\0\0\0";
    const struct dns_msg *m = decode(update, sizeof update - 1, sizeof update - 1, &got);
    assert_int_equal(got, OUT_OK);
    assert_int_equal(m->opcode, 5);
    assert_int_equal(m->n_answers, 1);
    /* The class as on the wire: mDNS's top bit stays (RFC 6762 5.4). */
    static const char qu[] = HEAD("\0\0", "\1", "\0", "\0", "\0") NAME "\0\x0c\x80\1";
    m = decode(qu, sizeof qu - 1, sizeof qu - 1, &got);
    assert_int_equal(m->questions[0].qclass, 0x8001);
    /* A second OPT does not count. */
    static const char opts[] = HEAD(QUERY, "\0", "\0", "\0", "\2") OPT "\0\0\x29\x10\0\0\0\0\0\0\0";
    m = decode(opts, sizeof opts - 1, sizeof opts - 1, &got);
    assert_int_equal(m->edns_udp_size, 1232);
}

static void a_header_cut_pushes_nothing(void **state)
{
    (void)state;
    enum outcome got;
    for (size_t len = 0; len < 12; len++) {
        assert_null(decode(HEAD(QUERY, "\1", "\0", "\0", "\0"), len, len, &got));
        assert_int_equal(got, OUT_MALFORMED);
        assert_null(decode(HEAD(QUERY, "\1", "\0", "\0", "\0"), len, 40, &got));
        assert_int_equal(got, OUT_TRUNCATED);
    }
}

static void plausible(void **state)
{
    (void)state;
#define ROW(want, ...)                                                                             \
    {                                                                                              \
        want, __VA_ARGS__, sizeof(__VA_ARGS__) - 1                                                 \
    }
    static const struct {
        bool want;
        const char *bytes;
        size_t len;
    } rows[] = {
        ROW(true, HEAD(QUERY, "\1", "\0", "\0", "\0") NAME IN_A),
        ROW(true, HEAD(QUERY, "\1", "\0", "\0", "\1") NAME IN_A OPT),
        ROW(true, HEAD(RESPONSE, "\1", "\1", "\0", "\0") NAME IN_A AT("\x0c") IN_A TTL A_DATA),
        ROW(true, HEAD("\x81\x83", "\1", "\0", "\0", "\0") NAME IN_A),
        ROW(false, HEAD(QUERY, "\1", "\0", "\0", "\0") NAME IN_A "x"),
        ROW(false, HEAD(QUERY, "\2", "\0", "\0", "\0") NAME IN_A AT("\x0c") IN_A),
        ROW(false, HEAD(QUERY, "\0", "\0", "\0", "\0")),
        ROW(false, HEAD(QUERY, "\1", "\1", "\0", "\0") NAME IN_A AT("\x0c") IN_A TTL A_DATA),
        ROW(false, HEAD("\x01\x40", "\1", "\0", "\0", "\0") NAME IN_A),
        ROW(false, HEAD("\x01\x03", "\1", "\0", "\0", "\0") NAME IN_A),
        ROW(false, HEAD("\x29\0", "\1", "\0", "\0", "\0") NAME IN_A),
        ROW(false, HEAD(QUERY, "\1", "\0", "\0", "\0") NAME "\0\1\0\x63"),
        ROW(false, HEAD(QUERY, "\1", "\0", "\0", "\0") NAME "\0\0\0\1"),
        ROW(false, HEAD(RESPONSE, "\1", "\2", "\0", "\0") NAME IN_A AT("\x0c") IN_A TTL A_DATA),
        ROW(false, HEAD(QUERY, "\1", "\0", "\0", "\0") "\xc0\x0c" IN_A), /* points to itself */
        ROW(false, HEAD(RESPONSE, "\1", "\1", "\0", "\0") NAME IN_A AT("\xff") IN_A TTL A_DATA),
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        const uint8_t *p = guard_copy(rows[i].bytes, rows[i].len);
        if (dns_plausible(cur_of(p, rows[i].len, rows[i].len)) != rows[i].want)
            fail_msg("row %zu: wanted %d", i, rows[i].want);
        for (size_t cut = 0; cut < rows[i].len; cut++)
            assert_false(dns_plausible(cur_of(guard_copy(rows[i].bytes, cut), cut, rows[i].len)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_whole_response, fresh),
        cmocka_unit_test_setup(records_with_names, fresh),
        cmocka_unit_test_setup(names, fresh),
        cmocka_unit_test_setup(every_byte_in_labels, fresh),
        cmocka_unit_test_setup(longest_names, fresh),
        cmocka_unit_test_setup(pointer_chains_are_followed_to_a_limit, fresh),
        cmocka_unit_test_setup(a_message_full_of_pointers, fresh),
        cmocka_unit_test_setup(a_message_full_of_chains, fresh),
        cmocka_unit_test_setup(questions_and_answers_past_the_limits, fresh),
        cmocka_unit_test_setup(what_is_no_fault, fresh),
        cmocka_unit_test_setup(a_header_cut_pushes_nothing, fresh),
        cmocka_unit_test_setup(plausible, fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
