/* TCP connections: beginnings and ends, bytes never seen, limits; DNS and HTTP over them. */
#include "tests/decoders/test_tls_rig.h"

static struct flights f12;

static void flight(struct rig *r, int from, const struct buf *b)
{
    assert_int_equal(rig_send(r, from, b->b, b->n), OUT_OK);
}

/* ---- beginnings and ends */

static void test_service_port(void **state)
{
    (void)state;
    struct rig r;
    rig_new(&r, NULL, NULL);
    r.client_port = 1000;
    r.server_port = 40000;
    rig_packet(&r, CLIENT, F_SYN, 1, 0, "", 0, 0);
    assert_int_equal(r.last_service, 40000);
    assert_true(r.last_flags & REC_FIRST_SEEN);
    rig_packet(&r, SERVER, F_SYN | F_ACK, 1, 2, "", 0, 0);
    assert_int_equal(r.last_service, 40000);
    assert_false(r.last_flags & REC_FIRST_SEEN);
    r.client_port = 1001; /* joined in the middle: the smaller one */
    rig_packet(&r, SERVER, F_ACK, 1, 2, "", 0, 0);
    assert_int_equal(r.last_service, 1001);
    r.client_port = 1002; /* the answer tells as well */
    rig_packet(&r, SERVER, F_SYN | F_ACK, 1, 2, "", 0, 0);
    assert_int_equal(r.last_service, 40000);
    assert_int_equal(decode_stats(r.d)->flows, 3);
    rig_free(&r);
}

/* The same ports again: a new SYN with another number, or an hour of silence; a repeated SYN is
 * none. */
static void test_again(void **state)
{
    (void)state;
    struct rig r;
    rig_new(&r, NULL, NULL);
    rig_open(&r);
    rig_packet(&r, CLIENT, F_SYN, 1000, 0, "", 0, 0);
    assert_int_equal(decode_stats(r.d)->flows, 1);
    flight(&r, CLIENT, &f12.client_hello);
    r.seq[CLIENT] = 0x80000000;
    r.seq[SERVER] = 77;
    rig_open(&r);
    assert_int_equal(decode_stats(r.d)->flows, 2);
    assert_ptr_equal(strstr(r.session, "undecided alive decided final"), r.session);
    flight(&r, CLIENT, &f12.client_hello);
    flight(&r, SERVER, &f12.server);
    assert_int_equal(r.n_client_hellos, 2);
    assert_non_null(strstr(r.text, "server 0303"));
    r.ts_ns += UINT64_C(3601) * 1000000000;
    flight(&r, CLIENT, &f12.client_hello); /* no SYN, but too long a silence */
    assert_int_equal(decode_stats(r.d)->flows, 3);
    assert_int_equal(r.n_client_hellos, 3);
    r.ts_ns -= UINT64_C(7200) * 1000000000; /* time that runs backwards is no silence */
    flight(&r, SERVER, &f12.server);
    r.ts_ns += UINT64_C(7200) * 1000000000;
    flight(&r, SERVER, &f12.server);
    assert_int_equal(decode_stats(r.d)->flows, 3);
    /* Another capture context never meets it. */
    r.origin = 1;
    flight(&r, SERVER, &f12.server);
    assert_int_equal(decode_stats(r.d)->flows, 4);
    rig_free(&r);
}

/* A capture replayed in a loop says the same SYN again, later; a repeated SYN comes before any
 * data, or is a copy of the same time. */
static void test_loop(void **state)
{
    (void)state;
    struct rig r;
    rig_new(&r, NULL, NULL);
    r.seq[CLIENT] = 1000;
    rig_open(&r);
    r.ts_ns += 1000;
    rig_packet(&r, CLIENT, F_SYN, 1000, 0, "", 0, 0);
    assert_int_equal(decode_stats(r.d)->flows, 1);
    flight(&r, CLIENT, &f12.client_hello);
    r.ts_ns -= 1000000; /* the time of the packet before */
    rig_packet(&r, CLIENT, F_SYN, 1000, 0, "", 0, 0);
    assert_int_equal(decode_stats(r.d)->flows, 1);
    assert_int_equal(r.n_client_hellos, 1);
    r.ts_ns += 1000;
    r.seq[CLIENT] = 1000;
    r.seq[SERVER] = 5000;
    rig_open(&r);
    assert_int_equal(decode_stats(r.d)->flows, 2);
    flight(&r, CLIENT, &f12.client_hello);
    assert_int_equal(r.n_client_hellos, 2);
    rig_free(&r);
}

static void test_close(void **state)
{
    (void)state;
    struct rig r;
    rig_new(&r, NULL, NULL);
    rig_open(&r);
    flight(&r, CLIENT, &f12.client_hello);
    flight(&r, SERVER, &f12.server);
    rig_close(&r);
    assert_non_null(strstr(r.session, "reset alive decided final 0303"));
    unsigned told = r.n_sessions;
    /* Copies that come late change nothing, and are known for what they are. */
    rig_packet(&r, CLIENT, F_ACK, 1001, r.seq[SERVER], f12.client_hello.b, f12.client_hello.n,
               f12.client_hello.n);
    assert_int_equal(r.last_outcome, OUT_OK);
    assert_int_equal(r.last_proto, PROTO_TLS);
    assert_int_equal(r.n_client_hellos, 1);
    /* New bytes after all: it was not the end. */
    flight(&r, CLIENT, &f12.client_hello);
    assert_int_equal(r.n_client_hellos, 2);
    rig_end(&r);
    assert_int_equal(r.n_sessions, told + 1);
    /* A reset that is far off is not believed; one in place is. */
    rig_again(&r);
    rig_open(&r);
    flight(&r, CLIENT, &f12.client_hello);
    rig_packet(&r, SERVER, F_RST, r.seq[SERVER] + 1000000, 0, "", 0, 0);
    assert_string_equal(r.session, "");
    rig_packet(&r, SERVER, F_RST, r.seq[SERVER], 0, "", 0, 0);
    assert_non_null(strstr(r.session, "reset alive decided final"));
    rig_free(&r);
}

/* Contexts end in the order in which their streams began, each session once. */
static void test_origin_end(void **state)
{
    (void)state;
    struct rig r;
    rig_new(&r, NULL, NULL);
    for (int i = 0; i < 300; i++) { /* more than the made-up records of a burst */
        r.client_port = (uint16_t)(RIG_CLIENT_PORT + i * 7 % 300);
        r.seq[CLIENT] = 1000;
        r.seq[SERVER] = 5000;
        rig_open(&r);
        flight(&r, CLIENT, &f12.client_hello);
    }
    r.client_port = RIG_CLIENT_PORT + 300;
    assert_int_equal(r.n_sessions, 0);
    decode_origin_end(r.d, 5, r.out);
    assert_int_equal(r.n_sessions, 0);
    rig_end(&r);
    assert_int_equal(r.n_sessions, 300);
    for (int i = 0; i < 300; i++)
        assert_int_equal(r.told_port[i], RIG_CLIENT_PORT + i * 7 % 300);
    rig_end(&r);
    assert_int_equal(r.n_sessions, 300);
    rig_free(&r);
}

/* ---- never seen */

static void test_unseen(void **state)
{
    (void)state;
    struct rig r;
    rig_new(&r, NULL, NULL);
    rig_open(&r);
    /* Acknowledged, never captured: told after three acknowledgements, as they may come early. */
    rig_send(&r, CLIENT, "abc", 3);
    rig_lose(&r, CLIENT, 500);
    rig_ack(&r, SERVER);
    rig_ack(&r, SERVER);
    assert_int_equal(r.unseen[SIDE_DST], 0);
    rig_ack(&r, SERVER);
    assert_int_equal(r.unseen[SIDE_DST], 500);
    rig_ack(&r, SERVER);
    /* A hole with bytes after it. */
    rig_lose(&r, CLIENT, 40);
    rig_send(&r, CLIENT, "abc", 3);
    for (int i = 0; i < 3; i++)
        rig_ack(&r, SERVER);
    assert_int_equal(r.unseen[SIDE_DST], 540);
    /* Bytes that come late were seen. */
    rig_lose(&r, CLIENT, 10);
    rig_send(&r, CLIENT, "abc", 3);
    rig_ack(&r, SERVER);
    rig_packet(&r, CLIENT, F_ACK, r.seq[CLIENT] - 13, r.seq[SERVER], "0123456789", 10, 10);
    for (int i = 0; i < 5; i++)
        rig_ack(&r, SERVER);
    assert_int_equal(r.unseen[SIDE_DST], 540);
    /* A direction that was never seen at all has lost nothing; nonsense does not count. */
    rig_again(&r);
    for (int i = 0; i < 5; i++)
        rig_packet(&r, SERVER, F_ACK, 1, 100000, "", 0, 0);
    rig_packet(&r, CLIENT, F_ACK, 100000, 1, "", 0, 0);
    for (int i = 0; i < 5; i++)
        rig_packet(&r, SERVER, F_ACK, 1, 100000 + 0x70000000, "", 0, 0);
    assert_int_equal(r.unseen[SIDE_DST] + r.unseen[SIDE_SRC], 0);
    rig_free(&r);
}

/* ---- limits */

/* Closed connections leave first and are not missed; then one that has been idle, which is. */
static void test_table(void **state)
{
    (void)state;
    struct rig r;
    struct decode_limits limits = rig_limits();
    limits.tcp_flows = 8;
    rig_new(&r, &limits, NULL);
    for (int i = 0; i < 8; i++) {
        rig_again(&r);
        rig_open(&r);
        flight(&r, CLIENT, &f12.client_hello);
        if (i == 5 || i == 2)
            rig_close(&r);
        if (i == 2) /* it was not the end */
            flight(&r, CLIENT, &f12.client_hello);
    }
    rig_again(&r);
    rig_open(&r);
    assert_int_equal(decode_stats(r.d)->flows_turned_away, 0);
    assert_int_equal(r.n_sessions, 0);
    rig_again(&r);
    rig_open(&r);
    assert_int_equal(decode_stats(r.d)->flows_turned_away, 1);
    assert_int_equal(r.n_sessions, 1); /* what was open is stated */
    assert_non_null(strstr(r.session, "undecided alive decided final"));
    rig_end(&r);
    /* A flood of half-open connections. */
    for (int i = 0; i < 20000; i++) {
        r.client_port = (uint16_t)(i * 3 + 1);
        rig_packet(&r, CLIENT, F_SYN, (uint32_t)i, 0, "", 0, 0);
        assert_int_equal(r.last_outcome, OUT_NOT_MINE);
    }
    assert_int_equal(decode_stats(r.d)->flows_turned_away, 1 + 20000 - 8);
    rig_free(&r);
}

/* Results depend on no other connection while no limit is reached. */
static void test_alone(void **state)
{
    (void)state;
    static char alone[65536];
    struct rig r;
    for (int crowd = 0; crowd < 2; crowd++) {
        rig_new(&r, NULL, NULL);
        r.text[0] = '\0';
        rig_open(&r);
        struct rig me = r;
        for (size_t at = 0; at < f12.client_hello.n; at += 7) {
            for (int i = 0; crowd && i < 3; i++) {
                r.client_port = (uint16_t)(1024 + at + (size_t)i);
                rig_packet(&r, i & 1, F_ACK, (uint32_t)at, 9, f12.server.b + at, 50, 50);
            }
            size_t n = f12.client_hello.n - at < 7 ? f12.client_hello.n - at : 7;
            r.client_port = me.client_port;
            rig_packet(&r, CLIENT, F_ACK, 1001 + (uint32_t)at, 0, f12.client_hello.b + at, n, n);
        }
        const char *mine = strstr(r.text, "client ");
        assert_non_null(mine);
        if (crowd)
            assert_memory_equal(alone, mine, strlen(alone));
        else
            strcpy(alone, mine);
        rig_free(&r);
    }
}

/* ---- DNS over TCP */

static void put_query(struct buf *b, uint16_t id)
{
    size_t msg = put_begin(b, 2);
    put_int(b, id, 2);
    put(b,
        "\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03www\x07"
        "example\x03org\x00\x00\x01\x00\x01",
        10 + 17 + 4);
    put_end(b, msg, 2);
}

static void test_dns(void **state)
{
    (void)state;
    static struct buf b;
    struct rig r;
    rig_new(&r, NULL, NULL);
    r.server_port = 53;
    b.n = 0;
    for (uint16_t id = 1; id <= 3; id++)
        put_query(&b, id);
    /* Several a segment, and cut anywhere, in and out of order. */
    for (size_t cut = 0; cut < b.n; cut++) {
        rig_again(&r);
        rig_open(&r);
        uint32_t seq = r.seq[CLIENT];
        if (cut & 1) {
            rig_packet(&r, CLIENT, F_ACK, seq + (uint32_t)cut, 0, b.b + cut, b.n - cut, b.n - cut);
            rig_packet(&r, CLIENT, F_ACK, seq, 0, b.b, cut, cut);
        } else {
            rig_packet(&r, CLIENT, F_ACK, seq, 0, b.b, cut, cut);
            rig_packet(&r, CLIENT, F_ACK, seq + (uint32_t)cut, 0, b.b + cut, b.n - cut, b.n - cut);
        }
        assert_int_equal(r.last_outcome, OUT_OK);
        assert_int_equal(r.last_proto, PROTO_DNS);
        assert_int_equal(r.last_service, 53);
        assert_string_equal(r.text, "dns 0001 tcp\ndns 0002 tcp\ndns 0003 tcp\n");
    }
    /* A hole within the second; the third still stands. Then one that ends nowhere: found again at
     * a segment. */
    rig_again(&r);
    rig_open(&r);
    rig_send(&r, CLIENT, b.b, 40);
    rig_lose(&r, CLIENT, 10);
    rig_send(&r, CLIENT, b.b + 50, b.n - 50);
    for (int i = 0; i < 3; i++)
        rig_ack(&r, SERVER);
    assert_string_equal(r.text, "dns 0001 tcp\ndns 0003 tcp\n");
    rig_lose(&r, CLIENT, 1000);
    rig_send(&r, CLIENT, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 16);
    rig_send(&r, CLIENT, b.b, b.n / 3);
    for (int i = 0; i < 3; i++)
        rig_ack(&r, SERVER);
    assert_string_equal(r.text, "dns 0001 tcp\ndns 0003 tcp\ndns 0001 tcp\n");
    /* Without a beginning; then cut by the capture. */
    rig_again(&r);
    rig_send(&r, CLIENT, b.b, b.n / 3);
    assert_string_equal(r.text, "dns 0001 tcp\n");
    assert_int_equal(rig_packet(&r, CLIENT, F_ACK, r.seq[CLIENT], 0, b.b, 20, b.n / 3),
                     OUT_TRUNCATED);
    rig_free(&r);
}

/* An exchange began when the first byte of its query did, whatever came of the rest. */
static void test_dns_split_exchange(void **state)
{
    (void)state;
    static struct buf query, answer;
    struct rig r;
    rig_new(&r, NULL, NULL);
    r.server_port = 53;
    query.n = answer.n = 0;
    put_query(&query, 1);
    put_query(&answer, 1);
    answer.b[4] |= 0x80;
    rig_open(&r);
    uint64_t began_ns = r.ts_ns;
    rig_send(&r, CLIENT, query.b, 2);
    r.ts_ns += UINT64_C(2000000000);
    rig_send(&r, CLIENT, query.b + 2, query.n - 2);
    rig_send(&r, SERVER, answer.b, 20);
    r.ts_ns += UINT64_C(9000000000); /* 11 s after the query, but it had begun before */
    rig_send(&r, SERVER, answer.b + 20, answer.n - 20);
    assert_string_equal(r.text, "dns 0001 tcp\ndns 0001 response tcp\n");
    assert_true(r.query_ts_ns == began_ns);
    rig_free(&r);
}

/* ---- HTTP */

static void test_http(void **state)
{
    (void)state;
    static const char assign[] = "GET /server/assign?protocolVersion=3&mac=ACCA54007015 "
                                 "HTTP/1.1\r\nHost: api.telldus.com\r\n"
                                 "User-Agent: tellstick\r\n\r\n";
    static const char versions[] = "GET /versions.xml?mac=ACCA54007016&hw=1&product=x "
                                   "HTTP/1.0\r\nHost: fw.telldus.com\r\n\r\n";
    static const char other[] =
        "GET /index.html HTTP/1.1\r\nHost: news.example\r\nUser-Agent: browser\r\n\r\n";
    static const char wanted[] =
        "GET / HTTP/1.1\r\nHost: Probe.Example:80\r\nUser-Agent: device/1\r\n\r\n";
    static const char post[] = "POST /x HTTP/1.1\r\nHost: probe.example\r\nUser-Agent: "
                               "device/2\r\nContent-Length: 5\r\n\r\n12345";
    static const char *const hosts[] = {"probe.example", NULL};
    struct rig r;
    rig_new(&r, NULL, hosts);
    r.server_port = 80;
    for (size_t cut = 0; cut < sizeof assign - 1; cut++) {
        if (cut >= 1 && cut < 8)
            continue; /* a method and a blank tell a request */
        rig_again(&r);
        rig_open(&r);
        if (cut > 0)
            assert_int_equal(rig_send(&r, CLIENT, assign, cut), OUT_OK);
        assert_int_equal(rig_send(&r, CLIENT, assign + cut, sizeof assign - 1 - cut), OUT_OK);
        assert_int_equal(r.last_proto, PROTO_HTTP);
        assert_string_equal(r.text, "");
        rig_send(&r, SERVER, "HTTP/1.1 100 Continue\r\n\r\n", 25);
        assert_string_equal(r.text, "");
        rig_send(&r, SERVER, "HTTP/1.1 200 OK\r\n\r\n", 19);
        assert_string_equal(r.text, "http 1 answered mac 15 agent tellstick\n");
        rig_send(&r, SERVER, "HTTP/1.1 200 OK\r\n\r\n", 19);
        assert_string_equal(r.text, "http 1 answered mac 15 agent tellstick\n");
    }
    /* A status line in pieces, behind what only looked like the start of one. */
    for (size_t cut = 1; cut < 19; cut++) {
        rig_again(&r);
        rig_open(&r);
        rig_send(&r, CLIENT, assign, sizeof assign - 1);
        rig_send(&r, SERVER, "HT", 2);
        rig_send(&r, SERVER, "xy", 2);
        rig_send(&r, SERVER, "HTTP/1.1 200 OK\r\n\r\n", cut);
        if (cut & 1) /* all of it once more, of which the rest is new */
            rig_packet(&r, SERVER, F_ACK, r.seq[SERVER] - (uint32_t)cut, r.seq[CLIENT],
                       "HTTP/1.1 200 OK\r\n\r\n", 19, 19);
        else
            rig_send(&r, SERVER, &"HTTP/1.1 200 OK\r\n\r\n"[cut], 19 - cut);
        assert_string_equal(r.text, "http 1 answered mac 15 agent tellstick\n");
    }
    /* The response to another request is not its response; an error is no answer. */
    rig_again(&r);
    rig_open(&r);
    rig_send(&r, CLIENT, versions, sizeof versions - 1);
    rig_send(&r, CLIENT, assign, sizeof assign - 1);
    rig_send(&r, SERVER, "HTTP/1.1 200 OK\r\n\r\n", 19);
    assert_string_equal(r.text, "http 2 mac 16 agent \n");
    rig_send(&r, SERVER, "HTTP/1.1 404 Not found\r\n\r\n", 26);
    assert_string_equal(r.text, "http 2 mac 16 agent \n");
    rig_end(&r);
    /* Somebody else's requests stay so, split or not, and TLS may follow. */
    rig_again(&r);
    rig_open(&r);
    assert_int_equal(rig_send(&r, CLIENT, other, sizeof other - 1), OUT_NOT_MINE);
    assert_int_equal(rig_send(&r, CLIENT, other, 30), OUT_OK);
    rig_send(&r, CLIENT, other + 30, sizeof other - 1 - 30);
    assert_int_equal(rig_send(&r, CLIENT, "x", 1), OUT_NOT_MINE);
    flight(&r, CLIENT, &f12.client_hello);
    assert_int_equal(r.n_client_hellos, 1);
    /* Hosts of interest, with a body, and the next request right behind it. */
    rig_again(&r);
    rig_open(&r);
    static struct buf b;
    b.n = 0;
    put(&b, post, sizeof post - 1);
    put(&b, wanted, sizeof wanted - 1);
    flight(&r, CLIENT, &b);
    assert_string_equal(r.text, "http 0 mac 00 agent device/2\nhttp 0 mac 00 agent device/1\n");
    /* A head without end. */
    rig_again(&r);
    rig_open(&r);
    rig_send(&r, CLIENT, assign, 60);
    for (int i = 0; i < 200; i++)
        rig_send(&r, CLIENT, f12.server.b + 100, 100);
    assert_string_equal(r.text, "");
    rig_free(&r);
}

static int setup(void **state)
{
    (void)state;
    flights_12(&f12, 0);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_service_port), cmocka_unit_test(test_again),
        cmocka_unit_test(test_loop),         cmocka_unit_test(test_close),
        cmocka_unit_test(test_origin_end),   cmocka_unit_test(test_unseen),
        cmocka_unit_test(test_table),        cmocka_unit_test(test_alone),
        cmocka_unit_test(test_dns),          cmocka_unit_test(test_dns_split_exchange),
        cmocka_unit_test(test_http),
    };
    int failed = cmocka_run_group_tests(tests, setup, NULL);
    rig_calm = true;
    return failed + cmocka_run_group_tests_name("calm", tests, setup, NULL);
}
