#define _GNU_SOURCE /* memfd_create */
#include "random_window.h"
#include "sinks/segment.h"
#include "sinks/zstd_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include <cmocka.h>

enum { WINDOW_S = 3600 };
#define START_S UINT64_C(1519819200) /* 2018-02-28T12:00:00Z */

static struct config config;
static struct segment_head head;

static struct window *make_window(uint64_t start_s, uint64_t length_s)
{
    struct err e;
    struct window *w = NULL;
    assert_true(window_new(&w, &config, &e));
    window_reset(w, start_s, length_s);
    return w;
}

static int setup(void **state)
{
    (void)state;
    config = config_default();
    head = (struct segment_head){.sensor = "replay",
                                 .release = "0.1.0",
                                 .config_hash = "0123456789abcdef",
                                 .start_s = START_S,
                                 .length_s = WINDOW_S};
    return 0;
}

struct file {
    uint8_t *p;
    size_t len;
};

static struct file file_of(int fd)
{
    struct file f = {.len = (size_t)lseek(fd, 0, SEEK_END)};
    f.p = malloc(f.len + 1);
    assert_non_null(f.p);
    assert_int_equal(pread(fd, f.p, f.len, 0), (ssize_t)f.len);
    return f;
}

static int memory_file(const void *p, size_t len)
{
    int fd = memfd_create("segment", MFD_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, p, len, 0), (ssize_t)len);
    return fd;
}

static struct file written(struct window *w, const struct segment_head *h, uint8_t sha256[32])
{
    struct err e = {""};
    int fd = memory_file("", 0);
    if (!segment_write_fd(w, h, fd, 1, sha256, &e))
        fail_msg("%s", e.text);
    struct file f = file_of(fd);
    close(fd);
    return f;
}

/* The rows' text. */
static struct file text_of(struct file f)
{
    struct file text = {malloc(1 << 24), 0};
    ZSTD_DCtx *z = ZSTD_createDCtx();
    ZSTD_inBuffer in = {f.p, f.len, 0};
    ZSTD_outBuffer out = {text.p, 1 << 24, 0};
    while (in.pos < in.size)
        assert_false(ZSTD_isError(ZSTD_decompressStream(z, &out, &in)));
    ZSTD_freeDCtx(z);
    text.len = out.pos;
    text.p[text.len] = '\0';
    return text;
}

static struct file compressed(const char *text, size_t len)
{
    struct file f = {malloc(ZSTD_compressBound(len)), 0};
    f.len = ZSTD_compress(f.p, ZSTD_compressBound(len), text, len, 1);
    return f;
}

/* The same rows? Frees both files. */
static void assert_same(struct file a, struct file b)
{
    struct file x = text_of(a), y = text_of(b);
    size_t at = 0;
    while (x.p[at] == y.p[at] && x.p[at] != '\0')
        at++;
    if (x.p[at] != y.p[at])
        fail_msg("rows differ:\n%.300s\n%.300s", x.p + (at > 200 ? at - 200 : 0),
                 y.p + (at > 200 ? at - 200 : 0));
    free(x.p), free(y.p), free(a.p), free(b.p);
}

static bool read_into(struct window *w, struct file f, struct segment_head *h, uint8_t sha256[32],
                      struct err *e)
{
    struct segment_reader *r = NULL;
    int fd = memory_file(f.p, f.len);
    bool ok = segment_open_fd(&r, fd, 0, f.len, "x.zst", h, e) && segment_read(r, w, sha256, e);
    segment_close(r);
    close(fd);
    return ok;
}

/* ---- laws */

static void test_round_trip(void **state)
{
    (void)state;
    static const uint64_t lengths[] = {3600, 60, 1, 7, 61, 86400};
    for (uint64_t seed = 1; seed <= 60; seed++) {
        uint64_t length_s = lengths[seed % 6];
        struct window *w = make_window(START_S, length_s), *back = make_window(START_S, length_s);
        struct segment_head h = head, got;
        uint8_t sha_out[32], sha_in[32];
        struct err e = {""};
        h.length_s = length_s;
        h.interrupted = seed % 2;
        h.scope = seed % 5 == 0 ? SCOPE_ALL : SCOPE_GATEWAYS;
        config.limits.peers = 1000 + seed;
        segment_head_config(&h, &config);
        h.seed = seed << 56;
        h.rolled_from_s = seed % 3 == 0 && length_s > 1 ? 1 : 0;
        random_window(w, seed, seed % 10 == 0 ? 200 : 12);
        struct file first = written(w, &h, sha_out);
        if (!read_into(back, first, &got, sha_in, &e))
            fail_msg("seed %llu: %s", (unsigned long long)seed, e.text);
        assert_memory_equal(sha_out, sha_in, 32);
        assert_string_equal(got.sensor, h.sensor);
        assert_string_equal(got.release, h.release);
        assert_string_equal(got.config_hash, h.config_hash);
        assert_true(got.start_s == h.start_s && got.length_s == h.length_s && got.seed == h.seed
                    && got.interrupted == h.interrupted && got.scope == h.scope
                    && memcmp(&got.limits, &h.limits, sizeof h.limits) == 0
                    && got.rolled_from_s == h.rolled_from_s);
        struct file second = written(back, &got, sha_in);
        assert_true(first.len == second.len && memcmp(first.p, second.p, first.len) == 0);
        assert_same(first, second);
        window_free(w);
        window_free(back);
    }
}

/* Reading two segments into one window is the same as merging their windows. */
static void test_merge(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct window *a = make_window(START_S, WINDOW_S), *b = make_window(START_S, WINDOW_S);
        struct window *read = make_window(START_S, WINDOW_S);
        struct segment_head got;
        uint8_t sha[32];
        struct err e = {""};
        random_window(a, seed, 12);
        random_window(b, seed % 2 ? seed : seed + 100, 12);
        struct file file_a = written(a, &head, sha), file_b = written(b, &head, sha);
        assert_true(read_into(read, file_b, &got, sha, &e));
        assert_true(read_into(read, file_a, &got, sha, &e));
        window_merge(a, b);
        assert_same(written(a, &head, sha), written(read, &head, sha));
        free(file_a.p), free(file_b.p);
        window_free(a), window_free(b), window_free(read);
    }
}

/* A finer segment read into a coarser window is the same as merging it there. */
static void test_roll_up(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct window *fine = make_window(START_S + 7 * 60, 60);
        struct window *a = make_window(START_S, 3600), *b = make_window(START_S, 3600);
        struct segment_head h = head, got;
        uint8_t sha[32];
        struct err e = {""};
        h.start_s = START_S + 7 * 60;
        h.length_s = 60;
        random_window(fine, seed, 12);
        struct file f = written(fine, &h, sha);
        window_merge(a, fine);
        assert_true(read_into(b, f, &got, sha, &e));
        assert_same(written(a, &head, sha), written(b, &head, sha));
        free(f.p);
        window_free(fine), window_free(a), window_free(b);
    }
}

/* ---- damage */

static void test_cuts_and_flips(void **state)
{
    (void)state;
    struct window *w = make_window(START_S, WINDOW_S), *into = make_window(START_S, WINDOW_S);
    struct segment_head got;
    uint8_t sha[32], sha_in[32];
    struct err e;
    random_window(w, 5, 3);
    struct file f = written(w, &head, sha);
    for (size_t len = 0; len < f.len; len++) {
        e.text[0] = '\0';
        if (read_into(into, (struct file){f.p, len}, &got, sha_in, &e))
            fail_msg("cut at %zu of %zu is taken", len, f.len);
        assert_non_null(strstr(e.text, "x.zst:"));
        window_reset(into, START_S, WINDOW_S);
    }
    size_t harmless = 0;
    for (size_t at = 0; at < f.len; at++) {
        uint8_t was = f.p[at];
        f.p[at] ^= (uint8_t)(1 << at % 8);
        if (read_into(into, f, &got, sha_in, &e)) {
            /* zstd has bits without a meaning; then nothing else may have changed. */
            assert_memory_equal(sha, sha_in, 32);
            harmless++;
        }
        f.p[at] = was;
        window_reset(into, START_S, WINDOW_S);
    }
    assert_true(harmless < f.len / 200);
    assert_true(read_into(into, f, &got, sha_in, &e));
    free(f.p);
    window_free(w);
    window_free(into);
}

/* Rows that a segment may not hold, each in place of a line of a good one. */
struct bad {
    const char *old, *new, *error;
};
static const struct bad bad_rows[] = {
    {"tellscope.summary.v1", "tellscope.summary.v2", "v2 is not supported"},
    {"tellscope.summary.v1", "something else", "no summary of tellscope"},
    {"\"window_s\":3600", "\"window_s\":3601", "do not fit"},
    {"\"window_s\":3600", "\"window_s\":0", "do not fit"},
    {"12:00:00Z", "12:00:00", "\"start\": no time"},
    {"12:00:00Z", "12:00:0aZ", "\"start\": no time"},
    {"2018-02-28T12", "2018-02-31T12", "\"start\": no time"},
    {"\"sensor\":\"replay\"", "\"sensor\":\"re/play\"", "\"sensor\""},
    {"\"seed\":\"0", "\"seed\":\"", "\"seed\""},
    {"\"seed\"", "\"sead\"", "\"seed\""},
    {"\"scope\":\"gateways\"", "\"scope\":\"all\",\"limits\":{\"peers\":1,\"beers\":1}",
     "\"beers\""},
    {"\"scope\":\"gateways\"", "\"scope\":\"all\",\"limits\":{\"peers\":99999999999}", "more than"},
    {"\"scope\":\"gateways\"", "\"scope\":\"all\",\"limits\":[]", "\"limits\""},
    {"\"scope\":\"gateways\"", "\"scope\":\"some\"", "\"scope\""},
    {"\"seed\"", "\"x\":1,\"seed\"", "does not belong"},
    {"\"kind\":\"segment\"", "\"kind\":\"sagment\"", "the first row"},
    {"\"kind\":\"gateway\"", "\"kind\":\"gatewax\"", "no kind of row"},
    {"\"kind\":\"gateway\"", "\"kind\":\"tally\"", "no kind of row"},
    {"\"kind\":\"gateway\"", "\"kind\":7", "no row"},
    {"\"packets_out\":5", "\"packets_out\":-5", "\"packets_out\": no whole number"},
    {"\"packets_out\":5", "\"packets_out\":5.0", "\"packets_out\": no whole number"},
    {"\"packets_out\":5", "\"packets_out\":99999999999999999999", "no JSON"},
    {"\"packets_out\":5", "\"packets_out\":\"5\"", "\"packets_out\": no whole number"},
    {"\"packets_out\":5", "\"packets_owt\":5", "\"packets_owt\" does not belong"},
    {"\"packets_out\":5", "\"packets_out\":5,\"packets_out\":5", "no JSON"},
    {"\"packets_out\":5", "\"packets_out\":5,", "no JSON"},
    {"\"packets_out\":5", "\"packets_out\":6", "SHA-256"},
    {"\"probes_in\":1", "\"probes_in\":4294967296", "\"probes_in\": no whole number"},
    {"{\"ntp\":5}", "{\"nntp\":5}", "\"nntp\" is not known"},
    {"{\"ntp\":5}", "[5]", "\"protocols\": no object"},
    {"\"mac:", "\"mac_", "no client"},
    {"\"mac:", "\"mac:0", "no client"},
    {"\"site\":\"vlan:100\"", "\"site\":\"vlan:0100\"", "no site"},
    {"\"site\":\"vlan:100\"", "\"site\":\"wlan:100\"", "no site"},
    {"\"site\":\"vlan:100\"", "\"site\":\"\"", "no site"},
    {"\"client\":\"addr:10.0.0.2\"", "\"client\":\"addr:10.0.0\"", "no client"},
    {"\"client_kind\":\"host\"", "\"client_kind\":\"guest\"", "\"client_kind\""},
    {"\"client_kind\":\"host\",", "", "go together"},
    {"\"port\":123,", "", "\"port\" is missing"},
    {"\"port\":123", "\"port\":65536", "\"port\": no whole number"},
    {"\"remote\":\"192.0.2.1\"", "\"remote\":\"192.0.2.256\"", "no address"},
    {"\"remote\":\"192.0.2.1\"", "\"remote\":\"192.0.2.9\"", "out of order"},
    {"\"remote\":\"192.0.2.1\"", "\"remote\":\"192.0.2.2\"", "out of order"},
    {"[\"ntp\",\"dns\"]", "[\"dns\",\"ntp\"]", "out of order"},
    {"[\"ntp\",\"dns\"]", "[\"ntp\",\"ntp\"]", "out of order"},
    {"[\"ntp\",\"dns\"]", "[1]", "none of its words"},
    {"\"exact\":[\"0000000000000001\",", "\"exact\":[", "as many as it says"},
    {"\"0000000000000001\",\"0000000000000002\"", "\"0000000000000002\",\"0000000000000001\"",
     "in order"},
    {"\"0000000000000001\",", "\"000000000000001\",", "in order"},
    {"\"offset\":{\"-3\":1", "\"offset\":{\"-126\":1", "no bucket"},
    {"\"offset\":{\"-3\":1", "\"offset\":{\"-0\":1", "no bucket"},
    {"\"offset\":{\"-3\":1", "\"offset\":{\"03\":1", "no bucket"},
    {"[\"c0a80001\",", "[\"c0a8000\",", "no pair"},
    {"[\"c0a80001\",", "[\"C0A80001\",", "no pair"},
    {"\"strata\":[2]", "\"strata\":[32]", "\"strata\": no whole number"},
    {"\"out\":[[0,60]]", "\"out\":[[0,59]]", "aligned"},
    {"\"out\":[[0,60]]", "\"out\":[[60,60]]", "aligned"},
    {"\"out\":[[0,60]]", "\"out\":[[0,3660]]", "no whole number"},
    {"\"out\":[[0,60]]", "\"out\":[[0,60],[60,120]]", "aligned"},
    {"\"vantage\":\"lan\"", "\"vantage\":\"moon\"", "none of its words"},
    {"\"vantage\":\"lan\",", "", "\"vantage\" is missing"},
    {"\"sni\":\"a\\u00ff\"", "\"sni\":\"a\\u20ac\"", "stands for no byte"},
    {"\"version\":\"0x0303\"", "\"version\":\"0303\"", "hex digits"},
    {"\"id\":\"", "\"id\":\"1", "16 hex digits"},
    {"\"legacy_version\":\"0x0301\"", "\"legacy_version\":\"0x0302\"", "not the hash"},
    {"\"legacy_version\":\"0x0301\"", "\"groups\":[\"0x0a0a\"]", "no offer"},
    {"\"of\":\"peer\"", "\"of\":\"pear\"", "\"of\""},
    {"{\"kind\":\"totals\"", "{\"kind\":\"other\",\"of\":\"peer\"}\n{\"kind\":\"totals\"", "order"},
    {"{\"kind\":\"other\"", "{\"kind\":\"totals\"}\n{\"kind\":\"other\"", "order"},
    {"\"by_qtype\":{\"1\":", "\"by_qtype\":{\"01\":", "no code"},
    {"\"alerts\":{\"2:40\":", "\"alerts\":{\"2:256\":", "no code"},
    {"\"by_cipher\":{\"0x1301\":", "\"by_cipher\":{\"0x01301\":", "no code"},
    {"\"v4\":1", "\"v5\":1", "\"v5\" does not belong"},
    {"{\"kind\":\"end\"", "{\"kind\":\"end\",\"x\":1", "\"x\" does not belong"},
    {"\"rows\":{\"coverage\":1", "\"rows\":{\"coverage\":2", "row counts"},
    {"\"ledger\":{\"read\":7", "\"ledger\":{\"read\":8", "ledger"},
    {"\"sha256\":\"", "\"sha256\":\"0", "SHA-256"},
    {"\"sha256\":", "\"sha255\":", "SHA-256"},
};

/* A small window whose text holds every `old` above. */
static void known_window(struct window *w)
{
    struct client gateway = {.site = site_of_number(SITE_VLAN, 100),
                             .kind = CLIENT_GATEWAY,
                             .by = BY_MAC,
                             .id = {0xac, 0xca, 0x54, 0, 0, 1}};
    struct client host = {
        .site = site_of_number(SITE_VLAN, 100), .kind = CLIENT_HOST, .by = BY_ADDR};
    struct addr ten, server, other;
    assert_true(addr_parse("10.0.0.2", &ten));
    assert_true(addr_parse("192.0.2.1", &server));
    assert_true(addr_parse("192.0.2.2", &other));
    memcpy(host.id, ten.b, 16);

    struct row_coverage coverage = {.key = {.client = gateway, .vantage = VANTAGE_LAN}};
    coverage.key.sensor = window_intern(w, "replay", 6);
    ((struct row_coverage *)window_row(w, ROW_COVERAGE, &coverage))->slots_out = 1;

    struct row_client *c = window_row(w, ROW_CLIENT, &(struct row_client){.key.client = gateway});
    c->packets_out = 5;
    c->probes_in = 1;
    c->protocols[PROTO_NTP] = 5;
    struct distinct_block *b = window_distinct_make(w, &c->remotes, &distinct_small);
    distinct_add(&distinct_small, b, 1);
    distinct_add(&distinct_small, b, 2);

    struct row_peer peer = {.key = {.client = host, .remote = server, .port = 123, .ip_proto = 17}};
    ((struct row_peer *)window_row(w, ROW_PEER, &peer))->key.protocols =
        1 << PROTO_NTP | 1 << PROTO_DNS;
    peer.key.remote = other;
    ((struct row_peer *)window_row(w, ROW_PEER, &peer))->packets_in = 1;
    ((struct row_peer *)window_other_make(w, ROW_PEER))->bytes_in = 9;

    struct row_ntp *n =
        window_row(w, ROW_NTP, &(struct row_ntp){.key = {.client = host, .peer = server}});
    n->strata = 4;
    n->refids = (struct set8){.n = 1, .value = {0xc0a80001}, .count = {3}};
    window_hist_add(w, &n->offset, -3, 1);

    struct row_tls tls = {.key = {.client = host, .peer = server, .version = 0x0303, .port = 443}};
    tls.key.sni = window_intern(w, "a\xff", 2);
    ((struct row_tls *)window_row(w, ROW_TLS, &tls))->sessions = 1;

    struct offer o;
    uint8_t blob[OFFER_BLOB_MAX];
    offer_init(&o);
    o.legacy_version = 0x0301;
    size_t len = offer_write(&o, blob);
    struct row_hello hello = {.key.id = offer_id(blob, len)};
    ((struct row_hello *)window_row(w, ROW_HELLO, &hello))->offer =
        window_intern(w, blob, (uint32_t)len);

    static const struct row_tally tallies[] = {{.key = {TALLY_DNS_QTYPE, 1, 0, 0}},
                                               {.key = {TALLY_TLS_ALERT, 0x0228, 0, 0}},
                                               {.key = {TALLY_TLS_CIPHER, 0x1301, 0, 0}}};
    for (int i = 0; i < 3; i++)
        ((struct row_tally *)window_row(w, ROW_TALLY, &tallies[i]))->count = 4;
    struct totals *t = window_totals(w);
    t->packets.read = t->packets.outcome[OUT_OK] = 7;
    t->ip_v4 = 1;
}

static void test_bad_rows(void **state)
{
    (void)state;
    struct window *w = make_window(START_S, WINDOW_S), *into = make_window(START_S, WINDOW_S);
    uint8_t sha[32];
    struct segment_head got;
    struct err e = {""};
    known_window(w);
    struct file f = written(w, &head, sha), text = text_of(f);
    const char *good = (const char *)text.p;
    if (!read_into(into, f, &got, sha, &e))
        fail_msg("%s", e.text);
    for (size_t i = 0; i < sizeof bad_rows / sizeof *bad_rows; i++) {
        const struct bad *row = &bad_rows[i];
        const char *at = strstr(good, row->old);
        if (at == NULL)
            fail_msg("no %s in %s", row->old, good);
        char *bad = malloc(text.len + strlen(row->new) + 1);
        size_t len = (size_t)sprintf(bad, "%.*s%s%s", (int)(at - good), good, row->new,
                                     at + strlen(row->old));
        struct file packed = compressed(bad, len);
        window_reset(into, START_S, WINDOW_S);
        e.text[0] = '\0';
        if (read_into(into, packed, &got, sha, &e))
            fail_msg("%s is taken", row->new);
        if (strstr(e.text, row->error) == NULL || strncmp(e.text, "x.zst:", 6) != 0)
            fail_msg("%s: error is \"%s\", not %s", row->new, e.text, row->error);
        free(bad);
        free(packed.p);
    }
    free(f.p);
    free(text.p);
    window_free(w);
    window_free(into);
}

static void test_bad_files(void **state)
{
    (void)state;
    struct window *w = make_window(START_S, WINDOW_S), *into = make_window(START_S, WINDOW_S);
    uint8_t sha[32];
    struct segment_head got;
    struct err e = {""};
    known_window(w);
    struct file f = written(w, &head, sha), text = text_of(f);

    struct file twice = {malloc(2 * f.len), 2 * f.len};
    memcpy(twice.p, f.p, f.len);
    memcpy(twice.p + f.len, f.p, f.len);
    assert_false(read_into(into, twice, &got, sha, &e));
    assert_non_null(strstr(e.text, "after the end row"));

    struct file no_newline = compressed((const char *)text.p, text.len - 1);
    window_reset(into, START_S, WINDOW_S);
    assert_false(read_into(into, no_newline, &got, sha, &e));
    assert_non_null(strstr(e.text, "no end"));

    char *end = strstr((char *)text.p, "{\"kind\":\"end\"");
    struct file no_end = compressed((const char *)text.p, (size_t)(end - (char *)text.p));
    window_reset(into, START_S, WINDOW_S);
    assert_false(read_into(into, no_end, &got, sha, &e));
    assert_non_null(strstr(e.text, "before its end row"));

    size_t bomb_len = 64 << 20; /* one line without end */
    char *zeros = malloc(bomb_len);
    memset(zeros, ' ', bomb_len);
    struct file bomb = compressed(zeros, bomb_len);
    assert_false(read_into(into, bomb, &got, sha, &e));
    assert_non_null(strstr(e.text, "a line longer"));
    free(zeros);

    char deep[9000]; /* nesting is bounded by the JSON reader */
    memset(deep, '[', sizeof deep);
    deep[sizeof deep - 1] = '\n';
    struct file nested = compressed(deep, sizeof deep);
    assert_false(read_into(into, nested, &got, sha, &e));
    assert_non_null(strstr(e.text, "no JSON"));

    struct window *later = make_window(START_S + WINDOW_S, WINDOW_S);
    assert_false(read_into(later, f, &got, sha, &e));
    assert_non_null(strstr(e.text, "outside the window"));

    struct segment_reader *r = NULL;
    assert_false(segment_open(&r, "/nowhere/x.zst", &got, &e));
    assert_non_null(strstr(e.text, "/nowhere/x.zst"));
    free(f.p), free(text.p), free(twice.p), free(no_newline.p), free(no_end.p), free(bomb.p),
        free(nested.p);
    window_free(w), window_free(into), window_free(later);
}

/* ---- limits */

/* A window whose tables are smaller than the segment keeps what law 4 says, whatever was read
 * first. */
static void test_small_tables(void **state)
{
    (void)state;
    struct window *w = make_window(START_S, WINDOW_S);
    struct segment_head got;
    uint8_t sha[32];
    struct err e = {""};
    random_window(w, 77, 300);
    struct file f = written(w, &head, sha);
    config.limits.peers = config.limits.ntp = config.limits.tallies = config.limits.tls = 16;
    struct window *a = make_window(START_S, WINDOW_S), *b = make_window(START_S, WINDOW_S);
    if (!read_into(a, f, &got, sha, &e))
        fail_msg("%s", e.text);
    window_merge(b, w);
    assert_non_null(window_other(a, ROW_PEER));
    assert_same(written(a, &head, sha), written(b, &head, sha));
    free(f.p);
    window_free(w), window_free(a), window_free(b);
}

static uint64_t all_sessions(struct window *w)
{
    size_t n;
    void *const *rows = window_rows(w, ROW_TLS, &n);
    const struct row_tls *other = window_other(w, ROW_TLS);
    uint64_t sum = other != NULL ? other->sessions : 0;
    for (size_t i = 0; i < n; i++)
        sum += ((const struct row_tls *)rows[i])->sessions;
    return sum;
}

/* Where the window has no room for a row's name, the row is not lost but counts with the rest. */
static void test_no_room_for_names(void **state)
{
    (void)state;
    struct window *w = make_window(START_S, WINDOW_S);
    struct segment_head got;
    uint8_t sha[32];
    struct err e = {""};
    random_window(w, 78, 600);
    struct file f = written(w, &head, sha);
    config.limits.string_bytes = 2048;
    struct window *small = make_window(START_S, WINDOW_S);
    if (!read_into(small, f, &got, sha, &e))
        fail_msg("%s", e.text);
    assert_true(window_totals(small)->ledger.strings_turned_away
                > window_totals(w)->ledger.strings_turned_away);
    assert_non_null(window_other(small, ROW_TLS));
    assert_true(all_sessions(w) > 0 && all_sessions(small) == all_sessions(w));
    size_t n;
    void *const *rows = window_rows(small, ROW_TALLY, &n);
    for (size_t i = 0; i < n; i++) {
        const struct row_tally *t = rows[i];
        bool sni = t->key.family == TALLY_TLS_SNI && window_string(small, t->key.name).len == 0;
        assert_true(!sni || t->count < INT64_MAX / 2);
    }
    free(f.p);
    window_free(w), window_free(small);
}

/* Lines of all lengths come back as they were, wherever the decoder's buffers end. */
static void test_lines(void **state)
{
    (void)state;
    for (size_t longest = 1; longest <= 1 << 20; longest = longest * 7 + 3) {
        size_t size = 3 << 20, len = 0, n = 0;
        char *text = malloc(size + 1);
        memset(text, 'x', size);
        for (size_t at = 0; at < size; n++) {
            at += (n * 7919) % longest + 1;
            text[at <= size ? at - 1 : size - 1] = '\n';
            len = at <= size ? at : size;
        }
        struct file f = compressed(text, len);
        int fd = memory_file(f.p, f.len);
        struct zstd_in *in;
        struct err e = {""};
        assert_true(zstd_in_new(&in, fd, 0, UINT64_MAX, &e));
        for (const char *at = text; n > 0; n--) {
            const char *line;
            size_t got, want = (size_t)(strchr(at, '\n') - at);
            if (!zstd_in_line(in, size, &line, &got, &e))
                fail_msg("lines up to %zu: %s", longest, e.text);
            assert_int_equal(got, want);
            assert_memory_equal(line, at, got);
            at += want + 1;
        }
        const char *line;
        size_t got;
        if (!zstd_in_line(in, size, &line, &got, &e) || line != NULL)
            fail_msg("longest %zu len %zu: %s %p", longest, len, e.text, (const void *)line);
        zstd_in_free(in);
        close(fd);
        free(f.p);
        free(text);
    }
}

/* Totals too long for one row go on in further rows. */
static void test_long_totals(void **state)
{
    (void)state;
    struct window *w = make_window(START_S, WINDOW_S), *back = make_window(START_S, WINDOW_S);
    struct segment_head got;
    uint8_t sha[32];
    struct err e = {""};
    char name[1024];
    for (int i = 0; i < 3000; i++) {
        int n = snprintf(name, sizeof name, "%0*d", 900, i);
        struct row_tally t = {
            .key = {.family = TALLY_TLS_SNI, .name = window_intern(w, name, (uint32_t)n)}};
        ((struct row_tally *)window_row(w, ROW_TALLY, &t))->count = 1;
    }
    struct row_tally alert = {.key = {.family = TALLY_TLS_ALERT, .code = 0x0228}};
    ((struct row_tally *)window_row(w, ROW_TALLY, &alert))->count = 1;
    struct file f = written(w, &head, sha), x = text_of(f);
    assert_non_null(strstr((char *)x.p, "{\"kind\":\"totals\",\"part\":3,\"tls\":{\"snis\":"));
    for (char *line = (char *)x.p; *line != '\0'; line = strchr(line, '\n') + 1)
        assert_true(strchr(line, '\n') - line < 3 << 20);
    if (!read_into(back, f, &got, sha, &e))
        fail_msg("%s", e.text);
    /* The same in one frame without a checksum, so that the decoder may hold text after all input
     * is taken. */
    struct file plain = compressed((const char *)x.p, x.len);
    window_reset(back, START_S, WINDOW_S);
    if (!read_into(back, plain, &got, sha, &e))
        fail_msg("%s", e.text);
    free(plain.p);
    assert_same(f, written(back, &head, sha));
    free(x.p);
    window_free(w), window_free(back);
}

/* ---- files */

static char *temp_dir(void)
{
    static char dir[64];
    strcpy(dir, "/tmp/tellscope-segment-XXXXXX");
    assert_non_null(mkdtemp(dir));
    return dir;
}

/* Names in `dir`, hidden ones too. */
static int count_files(const char *dir)
{
    int n = 0;
    DIR *d = opendir(dir);
    for (struct dirent *f = readdir(d); f != NULL; f = readdir(d))
        n += strcmp(f->d_name, ".") != 0 && strcmp(f->d_name, "..") != 0;
    closedir(d);
    return n;
}

static void test_write(void **state)
{
    (void)state;
    char *dir = temp_dir(), name[160], path[256];
    struct window *w = make_window(START_S, WINDOW_S), *back = make_window(START_S, WINDOW_S);
    struct segment_options o = {.zstd_level = 1};
    struct segment_head got;
    struct segment_reader *r;
    struct err e = {""};
    uint8_t first[32], again[32];
    struct stat before, after;
    segment_name(&head, name);
    assert_string_equal(name, "summary-replay-20180228T120000Z-20180228T130000Z.ndjson.zst");
    snprintf(path, sizeof path, "%s/%s", dir, name);
    known_window(w);
    if (!segment_write(w, &head, dir, &o, first, &e))
        fail_msg("%s", e.text);
    assert_int_equal(count_files(dir), 1);
    assert_int_equal(stat(path, &before), 0);

    o.zstd_level = 5; /* the same rows in other bytes: nothing to do */
    assert_true(segment_write(w, &head, dir, &o, again, &e));
    assert_memory_equal(first, again, 32);
    assert_int_equal(stat(path, &after), 0);
    assert_true(before.st_ino == after.st_ino);
    assert_int_equal(count_files(dir), 1);

    window_totals(w)->ip_v6 = 1;
    assert_false(segment_write(w, &head, dir, &o, again, &e));
    assert_non_null(strstr(e.text, "exists with other content; --force replaces it"));
    assert_int_equal(count_files(dir), 1);
    o.force = true;
    assert_true(segment_write(w, &head, dir, &o, again, &e));
    assert_true(segment_open(&r, path, &got, &e) && segment_read(r, back, first, &e));
    segment_close(r);
    assert_memory_equal(first, again, 32);
    assert_true(window_totals(back)->ip_v6 == 1);

    assert_int_equal(truncate(path, 100), 0); /* a damaged file is other content */
    o.force = false;
    assert_false(segment_write(w, &head, dir, &o, again, &e));
    assert_int_equal(unlink(path), 0);

    struct rlimit limit = {100, RLIM_INFINITY}; /* as on a full disk */
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &limit);
    bool ok = segment_write(w, &head, dir, &o, again, &e);
    limit.rlim_cur = RLIM_INFINITY;
    setrlimit(RLIMIT_FSIZE, &limit);
    assert_false(ok);
    assert_non_null(strstr(e.text, "write"));
    assert_int_equal(count_files(dir), 0);
    assert_false(segment_write(w, &head, "/nowhere", &o, again, &e));
    assert_non_null(strstr(e.text, "/nowhere"));

    snprintf(path, sizeof path, "%s/other.zst", dir);
    if (!segment_write_file(w, &head, path, &o, first, &e))
        fail_msg("%s", e.text);
    assert_memory_equal(first, again, 32);
    assert_int_equal(count_files(dir), 1);
    assert_int_equal(unlink(path), 0);
    rmdir(dir);
    window_free(w), window_free(back);
}

static void test_full_disk(void **state)
{
    (void)state;
    struct window *w = make_window(START_S, WINDOW_S);
    struct err e = {""};
    int fd = open("/dev/full", O_WRONLY);
    if (fd < 0)
        skip();
    assert_false(segment_write_fd(w, &head, fd, 1, NULL, &e));
    assert_non_null(strstr(e.text, strerror(ENOSPC)));
    close(fd);
    window_free(w);
}

/* Segments one after another in one file, as spilled runs lie. */
static void test_offsets(void **state)
{
    (void)state;
    struct err e = {""};
    int fd = memory_file("", 0);
    off_t at[4] = {0};
    for (unsigned i = 0; i < 3; i++) {
        struct window *w = make_window(START_S, WINDOW_S);
        random_window(w, i + 1, 5);
        assert_true(segment_write_fd(w, &head, fd, 1, NULL, &e));
        at[i + 1] = lseek(fd, 0, SEEK_CUR);
        window_free(w);
    }
    for (unsigned i = 0; i < 3; i++) {
        struct window *w = make_window(START_S, WINDOW_S);
        struct segment_head got;
        struct segment_reader *r = NULL;
        assert_true(segment_open_fd(&r, fd, (uint64_t)at[i], (uint64_t)(at[i + 1] - at[i]), "run",
                                    &got, &e));
        if (!segment_read(r, w, NULL, &e))
            fail_msg("%s", e.text);
        segment_close(r);
        window_free(w);
    }
    assert_int_equal(lseek(fd, 0, SEEK_CUR), at[3]);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_round_trip, setup),
        cmocka_unit_test_setup(test_merge, setup),
        cmocka_unit_test_setup(test_roll_up, setup),
        cmocka_unit_test_setup(test_cuts_and_flips, setup),
        cmocka_unit_test_setup(test_bad_rows, setup),
        cmocka_unit_test_setup(test_bad_files, setup),
        cmocka_unit_test_setup(test_small_tables, setup),
        cmocka_unit_test_setup(test_long_totals, setup),
        cmocka_unit_test_setup(test_write, setup),
        cmocka_unit_test_setup(test_full_disk, setup),
        cmocka_unit_test_setup(test_offsets, setup),
        cmocka_unit_test_setup(test_no_room_for_names, setup),
        cmocka_unit_test_setup(test_lines, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
