/* What a reader of segments refuses, and what it says then. */
#define _GNU_SOURCE /* memfd_create */
#include "segment_rig.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_cuts_and_flips, setup),
        cmocka_unit_test_setup(test_bad_rows, setup),
        cmocka_unit_test_setup(test_bad_files, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
