/* The decode stage: which decoder gets what, one outcome a packet, and nothing lost. */
#include "core/pkt.h"
#include "tests/decoders/test_tls_rig.h"

static const uint8_t ntp_client[48] = {0x23, 0, 6, 0xec, [40] = 0xe0, 1, 2, 3, 4, 5, 6, 7};
static const uint8_t dns_query[] = {0x12, 0x34, 1,   0,   0, 1,   0,   0, 0, 0, 0, 0,
                                    3,    'w',  'w', 'w', 2, 's', 'e', 0, 0, 1, 0, 1};

static struct rec datagram(struct rig *r, uint16_t sport, uint16_t dport, const void *p, size_t len,
                           size_t wire_len)
{
    struct rec rec = rig_rec(r, CLIENT, 0, 0, 0);
    rec.ip_proto = 17;
    rec.sport = sport;
    rec.dport = dport;
    rec.payload = cur_of(p, len, wire_len);
    rec.payload_wire_len = (uint32_t)wire_len;
    return rec;
}

static void test_datagrams(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint16_t sport, dport;
        const void *p;
        size_t len, wire_len;
        enum outcome outcome;
        enum proto proto;
        uint16_t service;
        const char *text;
    } rows[] = {
        {"ntp", 40000, 123, ntp_client, 48, 48, OUT_OK, PROTO_NTP, 123, "ntp 3\n"},
        {"ntp, symmetric", 123, 123, ntp_client, 48, 48, OUT_OK, PROTO_NTP, 123, "ntp 3\n"},
        {"ntp, cut by the capture", 40000, 123, ntp_client, 20, 48, OUT_TRUNCATED, PROTO_NTP, 123,
         ""},
        {"ntp, short", 40000, 123, ntp_client, 20, 20, OUT_MALFORMED, PROTO_NTP, 123, ""},
        {"not ntp", 40000, 123, "\xff\xff\xff\xff", 4, 4, OUT_NOT_MINE, PROTO_NONE, 123, ""},
        {"empty on 123", 40000, 123, "", 0, 0, OUT_NOT_MINE, PROTO_NONE, 123, ""},
        {"dns", 40000, 53, dns_query, sizeof dns_query, sizeof dns_query, OUT_OK, PROTO_DNS, 53,
         "dns 1234\n"},
        {"dns beats ntp", 123, 53, dns_query, sizeof dns_query, sizeof dns_query, OUT_OK, PROTO_DNS,
         53, "dns 1234\n"},
        {"dns, broken", 40000, 53, dns_query, 15, 15, OUT_MALFORMED, PROTO_DNS, 53, "dns 1234\n"},
        {"dns, no head", 40000, 53, dns_query, 11, 11, OUT_MALFORMED, PROTO_DNS, 53, ""},
        {"empty on 53", 40000, 53, "", 0, 0, OUT_NOT_MINE, PROTO_NONE, 53, ""},
        {"mdns", 5353, 5353, dns_query, sizeof dns_query, sizeof dns_query, OUT_OK, PROTO_MDNS,
         5353, "dns 1234\n"},
        {"llmnr", 40000, 5355, dns_query, sizeof dns_query, sizeof dns_query, OUT_OK, PROTO_LLMNR,
         5355, "dns 1234\n"},
        {"dns elsewhere", 40000, 5300, dns_query, sizeof dns_query, sizeof dns_query, OUT_OK,
         PROTO_DNS, 5300, "dns 1234\n"},
        {"dns elsewhere must be whole", 40000, 5300, dns_query, sizeof dns_query - 1,
         sizeof dns_query - 1, OUT_NOT_MINE, PROTO_NONE, 5300, ""},
        {"netbios names look alike", 137, 137, dns_query, sizeof dns_query, sizeof dns_query,
         OUT_NOT_MINE, PROTO_NONE, 137, ""},
        {"anything", 50000, 40000, "hello", 5, 5, OUT_NOT_MINE, PROTO_NONE, 40000, ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct rig r;
        rig_new(&r, NULL, NULL);
        struct rec rec =
            datagram(&r, rows[i].sport, rows[i].dport, guard_copy(rows[i].p, rows[i].len),
                     rows[i].len, rows[i].wire_len);
        decode_burst(r.d, &rec, 1, r.out);
        msgs_flush(r.out);
        if (rec.outcome != rows[i].outcome || strcmp(r.text, rows[i].text) != 0)
            print_message("%s: %s %s\n", rows[i].name, outcome_name[rec.outcome], r.text);
        assert_int_equal(rec.outcome, rows[i].outcome);
        assert_int_equal(rec.proto, rows[i].proto);
        assert_int_equal(rec.service_port, rows[i].service);
        assert_string_equal(r.text, rows[i].text);
        rig_free(&r);
    }
}

/* A mixed burst: what came with another outcome passes, what has no ports is nobody's, and the sums
 * balance. */
static void test_burst(void **state)
{
    (void)state;
    struct rig r;
    rig_new(&r, NULL, NULL);
    struct rec recs[BURST_MAX];
    unsigned want[OUT_N] = {0};
    for (unsigned i = 0; i < BURST_MAX; i++) {
        recs[i] = datagram(&r, 40000, 53, dns_query, sizeof dns_query, sizeof dns_query);
        recs[i].proto = PROTO_QUIC; /* whatever stood there before */
        recs[i].service_port = 9;
        if (i < OUT_N)
            recs[i].outcome = (uint8_t)i;
        else if (i % 4 == 1)
            recs[i].flags &= (uint16_t)~REC_HAS_PORTS;
        else if (i % 4 == 2)
            recs[i].ip_proto = 132;
        else if (i % 4 == 3)
            recs[i].ip_proto = 6;
        want[i < OUT_N ? i : i % 4 == 0 ? OUT_OK : OUT_NOT_MINE]++;
        if (i >= OUT_N && i % 4 == 3)
            want[OUT_NOT_MINE]--, want[OUT_OK]++; /* DNS over TCP, from the middle of a stream */
    }
    decode_burst(r.d, recs, BURST_MAX, r.out);
    msgs_flush(r.out);
    const struct decode_stats *s = decode_stats(r.d);
    uint64_t sum = 0;
    for (int o = 0; o < OUT_N; o++) {
        assert_int_equal(s->out[o], want[o]);
        sum += s->out[o];
    }
    assert_int_equal(s->in, BURST_MAX);
    assert_int_equal(sum, BURST_MAX);
    for (unsigned i = 0; i < BURST_MAX; i++) {
        assert_true(recs[i].service_port != 9);
        assert_true(recs[i].proto == (recs[i].outcome == OUT_OK ? PROTO_DNS : PROTO_NONE));
    }
    rig_free(&r);
}

/* Where any order will do, one kind is decoded after the other, each in its order; but not where
 * state may grow old within the burst. */
static void test_order(void **state)
{
    (void)state;
    static const char plain[] = "ntp 3\ndns 1234\nntp 3\ndns 1235\n";
    static const struct {
        bool any_order;
        uint64_t span_ns;
        const char *text;
    } rows[] = {
        {false, 0, plain},
        {true, 0, "dns 1234\ndns 1235\nntp 3\nntp 3\n"},
        {true, 100000000, "dns 1234\ndns 1235\nntp 3\nntp 3\n"},
        {true, 100000001, plain},
    };
    uint8_t second[sizeof dns_query];
    memcpy(second, dns_query, sizeof dns_query);
    second[1] = 0x35;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct rig r;
        rig_new(&r, NULL, NULL);
        struct rec recs[4] = {
            datagram(&r, 40000, 123, ntp_client, 48, 48),
            datagram(&r, 40000, 53, dns_query, sizeof dns_query, sizeof dns_query),
            datagram(&r, 40001, 123, ntp_client, 48, 48),
            datagram(&r, 40000, 53, second, sizeof second, sizeof second),
        };
        for (int k = 0; k < 4; k++)
            recs[k].ts_ns = r.ts_ns;
        recs[1].ts_ns += rows[i].span_ns; /* the latest need not be the last */
        r.out->any_order = rows[i].any_order;
        decode_burst(r.d, recs, 4, r.out);
        msgs_flush(r.out);
        assert_string_equal(r.text, rows[i].text);
        assert_int_equal(decode_stats(r.d)->out[OUT_OK], 4);
        rig_free(&r);
    }
}

/* The smallest limits work. */
static void test_life(void **state)
{
    (void)state;
    struct rig r;
    struct decode_limits limits = rig_limits();
    limits.tcp_flows = limits.tcp_buffers = 1;
    limits.tcp_buffer_bytes = 1024;
    rig_new(&r, &limits, NULL);
    rig_open(&r);
    rig_again(&r);
    rig_open(&r);
    assert_int_equal(decode_stats(r.d)->flows, 2);
    assert_int_equal(decode_stats(r.d)->flows_turned_away, 1);
    rig_free(&r);
    decode_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_datagrams),
                                       cmocka_unit_test(test_burst), cmocka_unit_test(test_order),
                                       cmocka_unit_test(test_life)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
