#include "sinks/table.h"
#include "sinks/totals.h"

#include "random_window.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct config config;

static struct window *make_window(void)
{
    struct err e;
    struct window *w = NULL;
    config = config_default();
    assert_true(window_new(&w, &config, &e));
    window_reset(w, 1519819200, 3600);
    return w;
}

static void tally(struct window *w, enum tally family, uint32_t code, const char *name,
                  uint64_t count)
{
    struct row_tally t = {.key = {.family = family, .code = code}};
    t.key.name = window_intern(w, name, (uint32_t)strlen(name));
    ((struct row_tally *)window_row(w, ROW_TALLY, &t))->count += count;
}

static void test_empty(void **state)
{
    (void)state;
    struct window *w = make_window();
    struct text_sink out = {0};
    totals_json(w, &(struct totals_extra){0}, &out);
    assert_string_equal(out.p, "{\"schema\":\"tellscope.totals.v1\"}\n");
    out.len = 0;
    totals_json(w, &(struct totals_extra){.has_clients = true, .captures_json = "[]"}, &out);
    assert_string_equal(
        out.p, "{\"schema\":\"tellscope.totals.v1\",\"gateways\":0,\"hosts\":0,\"captures\":[]}\n");
    out.len = 0;
    const uint64_t weak[WEAK_N] = {[WEAK_TLS10] = 3, [WEAK_RC4] = 1};
    const struct tls_report report = {.weak = weak};
    totals_json(w, &(struct totals_extra){.tls = &report}, &out);
    assert_string_equal(out.p, "{\"schema\":\"tellscope.totals.v1\"}\n");
    out.len = 0;
    window_totals(w)->tls.sessions = 4;
    window_totals(w)->ip_v4 = 9;
    totals_json(w, &(struct totals_extra){.tls = &report}, &out);
    assert_string_equal(out.p,
                        "{\"schema\":\"tellscope.totals.v1\",\"ip\":{\"v4\":9},\"tls\":{\"weak\":{"
                        "\"TLS10\":3,\"RC4\":1},\"sessions\":4}}\n");
    window_totals(w)->tls.sessions = window_totals(w)->ip_v4 = 0;
    out.len = 0;
    text_puts(&out, "{");
    totals_members(w, &out);
    assert_string_equal(out.p, "{");
    table_summary(w, NULL, &out);
    assert_non_null(strstr(out.p, "0 accounted for"));
    text_free(&out);
    window_free(w);
}

/* What was lost, by reason where the source is a port. */
static void test_lost(void **state)
{
    (void)state;
    static const struct {
        struct ledger ledger;
        const char *line;
    } rows[] = {
        {{.lost_packets = 6}, "Lost before us: 6 packets, as the captures say\n"},
        {{.lost_packets = 6, .lost_missed = 1, .lost_ring = 5},
         "Lost before us: 6 packets: 1 missed by the adapter, 5 another worker's ring was full\n"},
        {{.lost_packets = 6, .lost_no_mbuf = 1, .lost_errors = 2},
         "Lost before us: 6 packets: 1 no buffer was free, 2 refused by the adapter, the rest as "
         "the captures say\n"},
        {{.misplaced = 4}, "Misplaced: 4 packets came to another worker than their flow: "},
    };
    struct window *w = make_window();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct text_sink out = {0};
        window_totals(w)->ledger = rows[i].ledger;
        table_summary(w, NULL, &out);
        if (strstr(out.p, rows[i].line) == NULL)
            fail_msg("no %s in %s", rows[i].line, out.p);
        if (rows[i].ledger.lost_packets == 0)
            assert_null(strstr(out.p, "Lost"));
        text_free(&out);
    }
    window_free(w);
}

/* A group opens its own object, whichever of those between are absent. */
static void test_groups(void **state)
{
    (void)state;
    struct window *w = make_window();
    struct totals *t = window_totals(w);
    struct text_sink out = {0};
    text_puts(&out, "{");
    t->packets.read = 10;
    t->ledger.lost_packets = 6;
    tally(w, TALLY_LINK_UNSUPPORTED, 284, "", 8);
    totals_members(w, &out);
    assert_string_equal(out.p, "{\"packets\":{\"read\":10},"
                               "\"ledger\":{\"lost_packets\":6,\"link_unsupported\":{\"284\":8}}");
    t->ledger.lost_packets = 0;
    out.len = 1;
    totals_members(w, &out);
    assert_string_equal(out.p,
                        "{\"packets\":{\"read\":10},\"ledger\":{\"link_unsupported\":{\"284\":8}}");
    text_free(&out);
    window_free(w);
}

/* Each group and kind of code, as the contract spells them. */
static void test_contract(void **state)
{
    (void)state;
    struct window *w = make_window();
    struct totals *t = window_totals(w);
    t->packets.read = 10;
    t->packets.bytes_wire = 1000;
    t->packets.outcome[OUT_OK] = 9;
    t->packets.outcome[OUT_NOT_MINE] = 1;
    t->ip_v4 = 8;
    t->dns.queries = 2;
    t->mdns.messages = 3;
    t->ntp.by_mode[3] = 4;
    t->ntp.by_stratum[255] = 1;
    t->tls.client_hellos = 5;
    t->sslv2.client_hellos = 1;
    t->ledger.lost_packets = 6;
    tally(w, TALLY_DNS_RCODE, 3, "", 1);
    tally(w, TALLY_DNS_QTYPE, 65535, "", 1);
    tally(w, TALLY_DNS_QTYPE, 28, "", 2);
    tally(w, TALLY_TLS_CLIENT_VERSION, 0x0303, "", 5);
    tally(w, TALLY_TLS_SERVER_VERSION, 0x0304, "", 1);
    tally(w, TALLY_TLS_CIPHER, 0x00ff, "", 1);
    tally(w, TALLY_TLS_SNI, 0, "b.example", 1);
    tally(w, TALLY_TLS_SNI, 0, "a\"\\\n\xff", 2);
    tally(w, TALLY_TLS_ALERT, 0x0228, "", 3);
    tally(w, TALLY_SSLV2_VERSION, 2, "", 1);
    tally(w, TALLY_LINK_UNSUPPORTED, 147, "", 1);
    struct distinct_block *b = window_distinct_make(w, &t->dns.qnames, &distinct_large);
    distinct_add(&distinct_large, b, 77);
    distinct_add(&distinct_large, b, 78);
    struct text_sink out = {0};
    totals_json(w, &(struct totals_extra){.has_clients = true, .gateways = 1, .hosts = 2}, &out);
    assert_string_equal(
        out.p,
        "{\"schema\":\"tellscope.totals.v1\",\"gateways\":1,\"hosts\":2,"
        "\"packets\":{\"read\":10,\"bytes_wire\":1000,\"outcome\":{\"ok\":9,\"not_mine\":1}},"
        "\"ip\":{\"v4\":8},"
        "\"dns\":{\"queries\":2,\"by_rcode\":{\"3\":1},\"by_qtype\":{\"28\":2,\"65535\":1},"
        "\"distinct_qnames\":2},"
        "\"mdns\":{\"messages\":3},"
        "\"ntp\":{\"by_mode\":{\"3\":4},\"by_stratum\":{\"255\":1}},"
        "\"tls\":{\"client_hellos\":5,\"by_client_max_version\":{\"0x0303\":5},"
        "\"by_server_version\":{\"0x0304\":1},\"by_cipher\":{\"0x00ff\":1},"
        "\"snis\":{\"a\\\"\\\\\\u000a\\u00ff\":2,\"b.example\":1},\"alerts\":{\"2:40\":3}},"
        "\"sslv2\":{\"client_hellos\":1,\"by_client_version\":{\"0x0002\":1}},"
        "\"ledger\":{\"lost_packets\":6,\"link_unsupported\":{\"147\":1}}}\n");
    text_free(&out);
    window_free(w);
}

/* Whatever a window holds, the object is JSON without a name twice, and the table is printable. */
static void test_any_window(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 30; seed++) {
        struct window *w = make_window();
        struct text_sink out = {0};
        json_error_t why;
        random_window(w, seed, 60);
        totals_json(w, &(struct totals_extra){.has_clients = true}, &out);
        json_t *o = json_loadb(out.p, out.len, JSON_REJECT_DUPLICATES, &why);
        if (o == NULL)
            fail_msg("%s in %s", why.text, out.p);
        json_decref(o);
        out.len = 0;
        table_summary(w, &(struct totals_extra){.has_clients = true}, &out);
        for (size_t i = 0; i < out.len; i++)
            assert_true((out.p[i] >= 0x20 && out.p[i] < 0x7f) || out.p[i] == '\n');
        text_free(&out);
        window_free(w);
    }
}

static struct client gateway(uint8_t n)
{
    return (struct client){.site = site_of_number(SITE_VLAN, 7),
                           .kind = CLIENT_GATEWAY,
                           .by = BY_MAC,
                           .id = {0xac, 0xca, 0x54, 0, 0, n}};
}

static void tls_rows(struct window *w, const char *server, uint16_t version, uint64_t sessions,
                     enum tls_outcome outcome)
{
    struct row_tls row = {.key = {.client = gateway(1),
                                  .version = version,
                                  .cipher = version,
                                  .port = 443,
                                  .outcome = (uint8_t)outcome}};
    assert_true(addr_parse(server, &row.key.peer));
    row.key.sni = window_intern(w, "\x1b[31mevil", 9);
    ((struct row_tls *)window_row(w, ROW_TLS, &row))->sessions = sessions;
}

static void assert_line(const char *text, const char *line)
{
    if (strstr(text, line) == NULL)
        fail_msg("no \"%s\" in\n%s", line, text);
}

static void test_table(void **state)
{
    (void)state;
    struct window *w = make_window();
    struct text_sink out = {0};
    for (unsigned i = 0; i < 30; i++) {
        struct row_client row = {.key.client = gateway((uint8_t)i)};
        struct row_client *c = window_row(w, ROW_CLIENT, &row);
        c->packets_out = c->bytes_out = i;
        c->last_ns = UINT64_C(1519819200) * 1000000000;
    }
    struct row_ntp ntp = {.key.client = gateway(1)};
    assert_true(addr_parse("193.11.114.43", &ntp.key.peer));
    struct row_ntp *n = window_row(w, ROW_NTP, &ntp);
    n->requests = 4;
    n->replies = n->pairs = 3;
    n->strata = 1 << 2;
    n->refids = (struct set8){.n = 1, .value = {0xc0a80001}, .count = {3}};
    window_hist_add(w, &n->offset, hist_bucket(-4500000), 3);
    window_hist_add(w, &n->delay, hist_bucket(500), 3);
    struct row_dns dns = {.key.client = gateway(1)};
    assert_true(addr_parse("192.0.2.53", &dns.key.peer));
    struct row_dns *d = window_row(w, ROW_DNS, &dns);
    d->queries = 10;
    d->answered = 5;
    d->by_rcode[3] = 2;
    window_hist_add(w, &d->latency, hist_bucket(20000000), 99);
    window_hist_add(w, &d->latency, hist_bucket(3000000000), 1);
    tls_rows(w, "192.0.2.10", 0x0303, 1000, TLS_ESTABLISHED);
    tls_rows(w, "192.0.2.20", 0x0300, 1, TLS_ESTABLISHED);
    tls_rows(w, "192.0.2.20", 0x0303, 5, TLS_REFUSED);
    table_summary(w, &(struct totals_extra){.has_clients = true, .gateways = 30}, &out);
    assert_line(out.p, "Gateways: 30, hosts: 0\n");
    assert_line(out.p, "Gateways and hosts (20 of 29)\n");
    assert_line(out.p, "  mac:ac:ca:54:00:00:1d  ");
    assert_line(out.p, "  vlan:7       29     29    0    0    0        0  2018-02-28T12:00:00Z\n");
    assert_null(strstr(out.p, "mac:ac:ca:54:00:00:09"));
    assert_line(out.p, "193.11.114.43         4        3       75%        2  192.168.0.1  "
                       "-4.1..-5.12 ms  <1 us        0\n");
    assert_line(out.p, "192.0.2.53       10       50%  NXDOMAIN 2  16.4..20.5 ms  16.4..20.5 ms\n");
    assert_line(out.p, "\\x1b[31mevil");
    const char *weak = strstr(out.p, "192.0.2.20"), *strong = strstr(out.p, "192.0.2.10");
    assert_true(weak != NULL && strong != NULL && weak < strong);
    assert_line(out.p, "refused 5");
    text_free(&out);
    window_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),      cmocka_unit_test(test_lost),
        cmocka_unit_test(test_groups),     cmocka_unit_test(test_contract),
        cmocka_unit_test(test_any_window), cmocka_unit_test(test_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
