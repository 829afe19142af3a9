/* TLS over TCP: however the bytes come, the same is stated. */
#include "tests/decoders/test_tls_rig.h"

static struct flights f12;
static char want[65536];

static void flight(struct rig *r, int from, const struct buf *b)
{
    assert_int_equal(rig_send(r, from, b->b, b->n), OUT_OK);
}

static void whole_12(struct rig *r)
{
    rig_open(r);
    flight(r, CLIENT, &f12.client_hello);
    flight(r, SERVER, &f12.server);
    flight(r, CLIENT, &f12.client_finish);
    flight(r, SERVER, &f12.server_finish);
}

static int setup(void **state)
{
    (void)state;
    struct rig r;
    flights_12(&f12, 0);
    rig_new(&r, NULL, NULL);
    whole_12(&r);
    memcpy(want, r.text, sizeof want);
    rig_free(&r);
    return 0;
}

static void test_whole(void **state)
{
    (void)state;
    struct rig r;
    rig_new(&r, NULL, NULL);
    whole_12(&r);
    assert_non_null(strstr(r.text, "client 0303 max 0303 sni example.org alpn h2 id "));
    assert_non_null(strstr(r.text, "server 0303 cipher c02f group 0000 alpn h2\ncertificates 2\n"));
    assert_int_equal(r.last_proto, PROTO_TLS);
    assert_int_equal(r.last_service, RIG_SERVER_PORT);
    assert_int_equal(r.n_decided, 1);
    assert_ptr_equal(strstr(r.session, "established decided 0303 c02f "), r.session);
    rig_close(&r);
    assert_non_null(strstr(r.session, "established alive final 0303 c02f "));
    assert_int_equal(r.n_alive, 1);
    /* Every packet from the hello on counts with its wire bytes. */
    uint64_t client = f12.client_hello.n + f12.client_finish.n + 4 * RIG_HEAD,
             server = f12.server.n + f12.server_finish.n + 3 * RIG_HEAD;
    assert_int_equal(r.bytes[0], client);
    assert_int_equal(r.bytes[1], server);
    rig_free(&r);
}

/* How the pieces of a flight arrive. */
enum way { IN_ORDER, BACKWARDS, TWICE, LATE_COPY, WAY_N };

static void send_pieces(struct rig *r, int from, const struct buf *b, size_t cut1, size_t cut2,
                        enum way way)
{
    struct {
        size_t at, len;
    } piece[3] = {{0, cut1}, {cut1, cut2 - cut1}, {cut2, b->n - cut2}};
    uint32_t seq = r->seq[from];
    r->seq[from] += (uint32_t)b->n;
    for (int i = 0; i < 3; i++) {
        int k = way == BACKWARDS ? 2 - i : i;
        if (piece[k].len == 0)
            continue;
        for (int copy = 0; copy <= (way == TWICE); copy++) {
            enum outcome o = rig_packet(r, from, F_ACK, seq + (uint32_t)piece[k].at, r->seq[!from],
                                        b->b + piece[k].at, piece[k].len, piece[k].len);
            /* A copy of bytes that do not yet tell what they are is nobody's. */
            assert_true(o == OUT_OK || (copy == 1 && o == OUT_NOT_MINE));
        }
    }
    if (way == LATE_COPY)
        assert_int_equal(rig_packet(r, from, F_ACK, seq, r->seq[!from], b->b, b->n, b->n), OUT_OK);
}

static void handshake_pieces(struct rig *r, size_t client1, size_t client2, size_t server1,
                             size_t server2, enum way way)
{
    rig_again(r);
    rig_open(r);
    send_pieces(r, CLIENT, &f12.client_hello, client1, client2, way);
    send_pieces(r, SERVER, &f12.server, server1, server2, way);
    flight(r, CLIENT, &f12.client_finish);
    flight(r, SERVER, &f12.server_finish);
    rig_close(r);
    assert_string_equal(r->text, want);
    assert_int_equal(r->n_decided, 1);
    assert_non_null(strstr(r->session, "established"));
}

/* Cut at every byte into two and into three, in every way; the server's flight into three on a
 * grid. */
static void test_splits(void **state)
{
    (void)state;
    struct rig r;
    for (int way = 0; way < WAY_N; way++) {
        rig_new(&r, NULL, NULL); /* a port each */
        for (size_t cut = 1; cut < f12.client_hello.n; cut++)
            handshake_pieces(&r, cut, cut, f12.server.n, f12.server.n, way);
        for (size_t cut = 1; cut < f12.server.n; cut++)
            handshake_pieces(&r, f12.client_hello.n, f12.client_hello.n, cut, cut, way);
        for (size_t a = 1; a < f12.client_hello.n; a++)
            for (size_t b = a + 1; b < f12.client_hello.n; b++)
                handshake_pieces(&r, a, b, a, f12.server.n - b, way);
        assert_int_equal(decode_stats(r.d)->overlap_conflicts, 0);
        assert_int_equal(decode_stats(r.d)->holes, 0);
        rig_free(&r);
    }
}

/* A byte a segment, and a byte a record. */
static void test_crumbs(void **state)
{
    (void)state;
    static struct buf body, records;
    struct rig r;
    rig_new(&r, NULL, NULL);
    rig_open(&r);
    for (size_t i = 0; i < f12.client_hello.n; i++)
        assert_int_equal(rig_send(&r, CLIENT, f12.client_hello.b + i, 1), OUT_OK);
    for (size_t i = 0; i < f12.server.n; i++)
        assert_int_equal(rig_send(&r, SERVER, f12.server.b + i, 1), OUT_OK);
    assert_string_equal(r.text, want);

    for (size_t most = 1; most < 9; most++) {
        rig_again(&r);
        rig_open(&r);
        body = f12.client_hello;
        records.n = 0;
        struct buf *b = &body;
        memmove(b->b, b->b + 5, b->n -= 5);
        put_records(&records, 22, 0x0301, b, most);
        flight(&r, CLIENT, &records);
        body = f12.server;
        memmove(b->b, b->b + 5, b->n -= 5);
        records.n = 0;
        put_records(&records, 22, 0x0303, b, most);
        for (size_t at = 0; at < records.n; at += 1000)
            assert_int_equal(
                rig_send(&r, SERVER, records.b + at, records.n - at < 1000 ? records.n - at : 1000),
                OUT_OK);
        assert_string_equal(r.text, want);
    }
    rig_free(&r);
}

/* The first copy of a byte counts; a later one that differs is noted. */
static void test_conflicts(void **state)
{
    (void)state;
    static struct buf lie;
    struct rig r;
    rig_new(&r, NULL, NULL);
    rig_open(&r);
    lie = f12.client_hello;
    memset(lie.b + 20, 0xff, lie.n - 20);
    uint32_t seq = r.seq[CLIENT];
    size_t n = f12.client_hello.n;
    r.seq[CLIENT] += (uint32_t)n;
    rig_packet(&r, CLIENT, F_ACK, seq + 20, 0, f12.client_hello.b + 20, n - 20, n - 20);
    rig_packet(&r, CLIENT, F_ACK, seq + 10, 0, lie.b + 10, n - 10, n - 10); /* 10..19 are true */
    rig_packet(&r, CLIENT, F_ACK, seq, 0, lie.b, n, n);
    assert_int_equal(decode_stats(r.d)->overlap_conflicts, 2);
    flight(&r, SERVER, &f12.server);
    assert_string_equal(r.text, want);
    /* From every byte on: what waits is true, and what fills the gap before it goes on with lies;
     * then a third segment that lies about all that was said. */
    for (size_t i = 1; i < n; i++) {
        rig_again(&r);
        rig_open(&r);
        seq = r.seq[CLIENT];
        r.seq[CLIENT] += (uint32_t)n;
        lie = f12.client_hello;
        memset(lie.b + i, 0xff, n - i);
        uint64_t before = decode_stats(r.d)->overlap_conflicts;
        rig_packet(&r, CLIENT, F_ACK, seq + (uint32_t)i, 0, f12.client_hello.b + i, n - i, n - i);
        rig_packet(&r, CLIENT, F_ACK, seq + (uint32_t)i, 0, lie.b + i, n - i, n - i);
        rig_packet(&r, CLIENT, F_ACK, seq, 0, lie.b, n, n);
        assert_int_equal(decode_stats(r.d)->overlap_conflicts, before + 2);
        flight(&r, SERVER, &f12.server);
        assert_string_equal(r.text, want);
    }
    rig_free(&r);
}

/* Bytes that are lost cost the message they are in, and no more. */
static void test_holes(void **state)
{
    (void)state;
    struct rig r;
    rig_new(&r, NULL, NULL);
    /* Within the second certificate: the ServerHello stands, the certificates do not count, the
     * rest goes on. */
    rig_open(&r);
    flight(&r, CLIENT, &f12.client_hello);
    rig_send(&r, SERVER, f12.server.b, 1000);
    rig_lose(&r, SERVER, 100);
    rig_send(&r, SERVER, f12.server.b + 1100, f12.server.n - 1100);
    for (int i = 0; i < 3; i++)
        rig_ack(&r, CLIENT);
    assert_int_equal(decode_stats(r.d)->holes, 1);
    assert_int_equal(r.unseen[SIDE_DST], 100);
    flight(&r, CLIENT, &f12.client_finish);
    flight(&r, SERVER, &f12.server_finish);
    assert_null(strstr(r.text, "certificates"));
    assert_non_null(strstr(r.text, "server 0303"));
    assert_non_null(strstr(r.session, "established"));
    /* The whole ClientHello: the server's side tells. */
    rig_again(&r);
    rig_open(&r);
    rig_lose(&r, CLIENT, f12.client_hello.n);
    flight(&r, SERVER, &f12.server);
    flight(&r, CLIENT, &f12.client_finish);
    flight(&r, SERVER, &f12.server_finish);
    rig_close(&r);
    assert_int_equal(r.n_client_hellos, 0);
    assert_non_null(strstr(r.text, "server 0303 cipher c02f group 0000 alpn h2\ncertificates 2\n"));
    assert_non_null(strstr(r.session, "partial decided 0303 c02f"));
    /* The beginning of the server's flight: the stream is found again at the record after it. */
    rig_again(&r);
    rig_open(&r);
    flight(&r, CLIENT, &f12.client_hello);
    rig_lose(&r, SERVER, f12.server.n);
    flight(&r, CLIENT, &f12.client_finish);
    flight(&r, SERVER, &f12.server_finish);
    rig_send(&r, SERVER, "\x17\x03\x03\x00\x04\x01\x02\x03\x04", 9);
    rig_close(&r);
    assert_int_equal(r.n_client_hellos, 1);
    assert_non_null(strstr(r.session, "undecided alive decided final 0000"));
    rig_free(&r);
}

/* What the capture cut off is a hole of known length, at once. */
static void test_snapped(void **state)
{
    (void)state;
    struct rig r;
    rig_new(&r, NULL, NULL);
    rig_open(&r);
    size_t n = f12.client_hello.n;
    uint32_t seq = r.seq[CLIENT];
    r.seq[CLIENT] += (uint32_t)n;
    assert_int_equal(
        rig_packet(&r, CLIENT, F_ACK, seq, r.seq[SERVER], f12.client_hello.b, n - 1, n),
        OUT_TRUNCATED);
    assert_int_equal(r.n_client_hellos, 0);
    assert_int_equal(r.last_proto, PROTO_TLS);
    /* In the certificates, which are passed over: needed all the same, as they are counted. */
    n = f12.server.n;
    seq = r.seq[SERVER];
    r.seq[SERVER] += (uint32_t)n;
    assert_int_equal(rig_packet(&r, SERVER, F_ACK, seq, r.seq[CLIENT], f12.server.b, 500, n),
                     OUT_TRUNCATED);
    assert_non_null(strstr(r.text, "server 0303"));
    flight(&r, CLIENT, &f12.client_finish);
    flight(&r, SERVER, &f12.server_finish);
    assert_non_null(strstr(r.session, "partial decided 0303"));
    /* Protected records need no bytes but their heads. */
    uint8_t data[1000] = {23, 3, 3, 995 >> 8, 995 & 255};
    seq = r.seq[SERVER];
    r.seq[SERVER] += 1000;
    assert_int_equal(rig_packet(&r, SERVER, F_ACK, seq, r.seq[CLIENT], data, 5, 1000), OUT_OK);
    rig_send(&r, SERVER, data, 1000);
    assert_int_equal(r.last_outcome, OUT_OK);
    rig_end(&r); /* bytes count as they were on the wire */
    assert_int_equal(r.bytes[1], f12.server.n + f12.server_finish.n + 2000 + 4 * RIG_HEAD);
    rig_free(&r);
}

static void test_hello_retry(void **state)
{
    (void)state;
    static struct buf body, client, server;
    const uint16_t suite[] = {0x1301, 0};
    struct hello_spec ch = {.version = 0x0303,
                            .sni = "retry.example",
                            .supported = {0x7a7a, 0x0304, 0x0303},
                            .session_id = 32};
    struct hello_spec sh = {.version = 0x0303,
                            .ciphers = suite,
                            .supported = {0x0304},
                            .group = 0x001d,
                            .session_id = 32};
    struct hello_spec hrr = sh;
    hrr.retry = true;
    hrr.group = 0x0017;
    for (int with_ccs = 0; with_ccs < 2; with_ccs++) {
        for (int hrr_lost = 0; hrr_lost < 2; hrr_lost++) {
            struct rig r;
            rig_new(&r, NULL, NULL);
            rig_open(&r);
            client.n = server.n = body.n = 0;
            put_client_hello(&body, &ch);
            put_records(&client, 22, 0x0301, &body, 16384);
            flight(&r, CLIENT, &client);
            body.n = 0;
            put_server_hello(&body, &hrr);
            put_records(&server, 22, 0x0303, &body, 16384);
            if (with_ccs)
                put_record(&server, 20, 0x0303, "\x01", 1);
            if (hrr_lost)
                rig_lose(&r, SERVER, server.n);
            else
                flight(&r, SERVER, &server);
            client.n = server.n = body.n = 0;
            put_client_hello(&body, &ch);
            if (with_ccs)
                put_record(&client, 20, 0x0303, "\x01", 1);
            put_records(&client, 22, 0x0303, &body, 16384);
            flight(&r, CLIENT, &client);
            body.n = 0;
            put_server_hello(&body, &sh);
            put_records(&server, 22, 0x0303, &body, 16384);
            put_record(&server, 23, 0x0303, body.b, 80);
            flight(&r, SERVER, &server);
            client.n = 0;
            put_record(&client, 23, 0x0303, body.b, 53);
            flight(&r, CLIENT, &client);
            rig_ack(&r, SERVER);
            rig_close(&r);
            assert_int_equal(r.n_client_hellos, 2);
            assert_int_equal(strstr(r.text, "retry\n") != NULL, !hrr_lost);
            assert_non_null(strstr(r.text, "max 0304 sni retry.example alpn  id "));
            assert_non_null(strstr(r.text, "server 0304 cipher 1301 group 001d alpn \n"));
            assert_int_equal(r.n_decided, 1);
            assert_non_null(strstr(r.session, "established"));
            rig_free(&r);
        }
    }
}

/* In TLS 1.3 a client that refuses sends a short protected record: that is not going on. */
static void test_refused_13(void **state)
{
    (void)state;
    static struct buf body, server, client;
    struct rig r;
    rig_new(&r, NULL, NULL);
    rig_open(&r);
    flight(&r, CLIENT, &f12.client_hello);
    put_server_hello(&body, &(struct hello_spec){.version = 0x0303,
                                                 .ciphers = (uint16_t[]){0x1301, 0},
                                                 .supported = {0x0304}});
    put_records(&server, 22, 0x0303, &body, 16384);
    put_record(&server, 23, 0x0303, body.b, 60);
    flight(&r, SERVER, &server);
    put_record(&client, 20, 0x0303, "\x01", 1);
    put_record(&client, 23, 0x0303, body.b, 19);
    flight(&r, CLIENT, &client);
    rig_packet(&r, CLIENT, F_RST, r.seq[CLIENT], 0, "", 0, 0);
    assert_non_null(strstr(r.session, "reset alive decided final 0304 1301"));
    rig_free(&r);
}

static void test_alerts(void **state)
{
    (void)state;
    struct rig r;
    rig_new(&r, NULL, NULL);
    rig_open(&r);
    flight(&r, CLIENT, &f12.client_hello);
    assert_int_equal(rig_send(&r, SERVER, "\x15\x03\x03\x00\x02\x02\x28", 7), OUT_OK);
    assert_non_null(strstr(r.text, "alert 2:40\n"));
    assert_ptr_equal(strstr(r.session, "refused decided 0000"), r.session);
    /* A protected alert is not read. */
    rig_again(&r);
    whole_12(&r);
    uint8_t hidden[31] = {0x15, 3, 3, 0, 26, 2, 40};
    rig_send(&r, CLIENT, hidden, sizeof hidden);
    rig_send(&r, SERVER, "\x15\x03\x03\x00\x02\x02\x28", 7);
    assert_string_equal(r.text, want);
    /* Before any hello: some clients give up at once. */
    rig_again(&r);
    rig_open(&r);
    for (const char *p = "\x15\x03\x01\x00\x02\x02\x50", *end = p + 7; p < end; p++)
        assert_int_equal(rig_send(&r, CLIENT, p, 1), OUT_OK);
    assert_string_equal(r.text, "alert 2:80\n");
    rig_free(&r);
}

/* A session in clear after other words: told at the start of any segment. */
static void test_starttls(void **state)
{
    (void)state;
    struct rig r;
    rig_new(&r, NULL, NULL);
    rig_open(&r);
    assert_int_equal(rig_send(&r, SERVER, "220 mail ESMTP\r\n", 16), OUT_NOT_MINE);
    assert_int_equal(rig_send(&r, CLIENT, "STARTTLS\r\n", 10), OUT_NOT_MINE);
    assert_int_equal(rig_send(&r, SERVER, "220 go ahead\r\n", 14), OUT_NOT_MINE);
    send_pieces(&r, CLIENT, &f12.client_hello, 3, 9, BACKWARDS);
    send_pieces(&r, SERVER, &f12.server, 1, 2, BACKWARDS);
    assert_string_equal(r.text, want);
    /* Behind a load balancer's header, in the same segment. */
    static struct buf b;
    static const char *const heads[] = {"PROXY TCP4 192.0.2.1 192.0.2.2 1 443\r\n"};
    rig_again(&r);
    rig_open(&r);
    b.n = 0;
    put(&b, heads[0], strlen(heads[0]));
    put(&b, f12.client_hello.b, f12.client_hello.n);
    flight(&r, CLIENT, &b);
    assert_int_equal(r.n_client_hellos, 1);
    rig_again(&r);
    rig_open(&r);
    b.n = 0;
    put(&b, "\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c", 16);
    put_fill(&b, 9, 12);
    put(&b, f12.client_hello.b, f12.client_hello.n);
    flight(&r, CLIENT, &b);
    assert_int_equal(r.n_client_hellos, 1);
    rig_free(&r);
}

/* Sessions that began before the capture: partial, with the version of their records; a hello
 * elsewhere is not made up. */
static void test_middle(void **state)
{
    (void)state;
    struct rig r;
    uint8_t data[205] = {23, 3, 3, 0, 200};
    rig_new(&r, NULL, NULL);
    assert_int_equal(rig_send(&r, SERVER, data, sizeof data), OUT_OK);
    assert_int_equal(rig_send(&r, CLIENT, data, sizeof data), OUT_OK);
    assert_int_equal(rig_send(&r, SERVER, data, sizeof data), OUT_OK);
    rig_end(&r);
    assert_string_equal(r.text, "");
    char line[128];
    snprintf(line, sizeof line, "partial alive final 0000 0303 %zu/%zu at 1500000000 sni \n",
             sizeof data + RIG_HEAD, 2 * (sizeof data + RIG_HEAD));
    assert_string_equal(r.session, line);
    /* One record that nothing follows is no proof. */
    rig_again(&r);
    rig_send(&r, SERVER, data, sizeof data);
    rig_send(&r, SERVER, "not a record at all", 19);
    rig_end(&r);
    assert_string_equal(r.session, "");
    /* A connection whose beginning was seen cannot begin with data. */
    rig_again(&r);
    rig_open(&r);
    assert_int_equal(rig_send(&r, CLIENT, data, sizeof data), OUT_NOT_MINE);
    rig_free(&r);
}

static void test_resumed(void **state)
{
    (void)state;
    static struct buf body, server;
    struct rig r;
    rig_new(&r, NULL, NULL);
    rig_open(&r);
    flight(&r, CLIENT, &f12.client_hello);
    put_server_hello(&body, &(struct hello_spec){.version = 0x0301,
                                                 .ciphers = (uint16_t[]){0x0005},
                                                 .no_extensions = true});
    put_records(&server, 22, 0x0301, &body, 16384);
    put(&server, f12.server_finish.b, f12.server_finish.n);
    flight(&r, SERVER, &server);
    flight(&r, CLIENT, &f12.server_finish);
    assert_non_null(strstr(r.session, "established decided 0301 0005"));
    assert_non_null(strstr(r.session, " resumed\n"));
    rig_free(&r);
}

/* ---- SSLv2 */

static void put_sslv2_hello(struct buf *b, uint16_t version)
{
    b->n = 0;
    put_int(b, 0x8000 | (9 + 9 + 16), 2);
    put_int(b, 1, 1);
    put_int(b, version, 2);
    put(b, "\x00\x09\x00\x00\x00\x10", 6);
    put(b, "\x01\x00\x80\x00\x00\x2f\x00\x00\x05", 9);
    put_fill(b, 0x11, 16);
}

static void test_sslv2(void **state)
{
    (void)state;
    static struct buf hello, answer;
    struct rig r;
    rig_new(&r, NULL, NULL);
    put_sslv2_hello(&hello, 0x0002);
    put_int(&answer, 0x8000 | (11 + 300 + 3 + 16), 2);
    put(&answer, "\x04\x00\x01\x00\x02\x01\x2c\x00\x03\x00\x10", 11);
    put_fill(&answer, 0x30, 300 + 3 + 16);
    for (size_t cut = 1; cut < hello.n; cut++) {
        rig_again(&r);
        rig_open(&r);
        send_pieces(&r, CLIENT, &hello, cut, cut, cut & 1 ? BACKWARDS : IN_ORDER);
        send_pieces(&r, SERVER, &answer, cut, cut + 5, cut & 2 ? BACKWARDS : IN_ORDER);
        assert_non_null(strstr(r.text, "client 0002 max 0002 sni  alpn  id "));
        assert_non_null(strstr(r.text, " v2format sslv2\n"));
        assert_non_null(strstr(r.text, "server 0002 cipher 0000 group 0000 alpn  sslv2\n"));
        assert_string_equal(r.session, "");
        rig_send(&r, CLIENT, "master key", 10);
        rig_send(&r, SERVER, "verify", 6);
        assert_ptr_equal(strstr(r.session, "established decided 0002"), r.session);
    }
    /* A hello of that format that offers TLS: TLS records follow. */
    put_sslv2_hello(&hello, 0x0301);
    for (size_t cut = 1; cut < hello.n; cut++) {
        rig_again(&r);
        rig_open(&r);
        send_pieces(&r, CLIENT, &hello, cut, cut, cut & 1 ? BACKWARDS : IN_ORDER);
        flight(&r, SERVER, &f12.server);
        flight(&r, CLIENT, &f12.client_finish);
        flight(&r, SERVER, &f12.server_finish);
        assert_non_null(strstr(r.text, "client 0301 max 0301 sni  alpn  id "));
        assert_null(strstr(r.text, "sslv2\n"));
        assert_non_null(strstr(r.text, "server 0303"));
        assert_non_null(strstr(r.session, "established"));
    }
    rig_free(&r);
}

/* ---- windows */

static void test_windows(void **state)
{
    (void)state;
    const uint64_t hour = UINT64_C(3600) * 1000000000;
    uint8_t data[205] = {23, 3, 3, 0, 200};
    struct rig r;
    rig_new(&r, NULL, NULL);
    whole_12(&r);
    rig_send(&r, CLIENT, data, sizeof data);
    uint64_t before = f12.client_hello.n + f12.client_finish.n + 2 * RIG_HEAD;
    assert_int_equal(r.n_decided, 1);
    assert_int_equal(r.n_alive, 0); /* what comes later may say more of it */
    r.ts_ns += hour * 3 / 4;        /* no hour passes between two packets */
    rig_send(&r, CLIENT, data, sizeof data);
    r.ts_ns += hour * 3 / 4;
    rig_send(&r, SERVER, data, sizeof data);
    assert_int_equal(r.n_alive,
                     2 + 0); /* the window of the handshake, and the one left by the last packet */
    rig_send(&r, SERVER, data, sizeof data);
    (void)decode_sweep(r.d, r.ts_ns, UINT32_MAX, r.out); /* the window is not over */
    unsigned told = r.n_sessions;
    (void)decode_sweep(r.d, r.ts_ns + hour, UINT32_MAX, r.out);
    assert_int_equal(r.n_sessions, told + 1);
    assert_int_equal(r.n_alive, 3);
    (void)decode_sweep(r.d, r.ts_ns + hour, UINT32_MAX, r.out); /* nothing new to say */
    assert_int_equal(r.n_sessions, told + 1);
    rig_send(&r, SERVER, data, sizeof data);
    rig_end(&r);
    assert_int_equal(r.n_alive, 3);
    assert_int_equal(r.n_decided, 1);
    assert_int_equal(r.bytes[0], before + 2 * (sizeof data + RIG_HEAD));
    assert_int_equal(r.bytes[1], f12.server.n + f12.server_finish.n + 2 * RIG_HEAD
                                     + 3 * (sizeof data + RIG_HEAD));
    rig_free(&r);
}

/* Ten seconds decide; later it stays open. */
static void test_slow(void **state)
{
    (void)state;
    struct rig r;
    rig_new(&r, NULL, NULL);
    rig_open(&r);
    flight(&r, CLIENT, &f12.client_hello);
    flight(&r, SERVER, &f12.server);
    r.ts_ns += UINT64_C(11) * 1000000000;
    flight(&r, CLIENT, &f12.client_finish);
    flight(&r, SERVER, &f12.server_finish);
    assert_ptr_equal(strstr(r.session, "undecided decided 0303"), r.session);
    rig_close(&r);
    assert_int_equal(r.n_decided, 1);
    assert_null(strstr(r.session, "established"));
    /* The capture ends before: undecided, too. */
    rig_again(&r);
    rig_open(&r);
    flight(&r, CLIENT, &f12.client_hello);
    rig_end(&r);
    assert_ptr_equal(strstr(r.session, "undecided alive decided final 0000"), r.session);
    rig_free(&r);
}

/* ---- limits */

static void test_limits(void **state)
{
    (void)state;
    static struct buf hello, body;
    struct rig r;
    struct decode_limits limits = rig_limits();
    limits.tcp_buffers = 2;
    limits.tcp_buffer_bytes = 4096;
    rig_new(&r, &limits, NULL);
    /* A hello of 3 KiB fits, one of 6 KiB does not; in one segment neither needs a buffer. */
    static const size_t pads[] = {2800, 6000};
    for (int i = 0; i < 2; i++) {
        body.n = hello.n = 0;
        put_client_hello(
            &body, &(struct hello_spec){.version = 0x0303, .sni = "big.example", .pad = pads[i]});
        put_records(&hello, 22, 0x0301, &body, 16384);
        rig_again(&r);
        rig_open(&r);
        for (size_t at = 0; at < hello.n; at += 1000)
            rig_send(&r, CLIENT, hello.b + at, hello.n - at < 1000 ? hello.n - at : 1000);
        assert_int_equal(r.n_client_hellos, i == 0);
        rig_again(&r);
        rig_open(&r);
        rig_send(&r, CLIENT, hello.b, hello.n);
        assert_int_equal(r.n_client_hellos, 1);
    }
    assert_true(decode_stats(r.d)->bytes_turned_away > 0);
    /* The third half hello is turned away, and told so. */
    for (int i = 0; i < 3; i++) {
        rig_again(&r);
        rig_open(&r);
        enum outcome o = rig_send(&r, CLIENT, hello.b, 500);
        assert_int_equal(o, i < 2 ? OUT_OK : OUT_TABLE_FULL);
    }
    assert_int_equal(decode_stats(r.d)->buffers_turned_away, 1);
    /* What they held is free again after the end. */
    rig_end(&r);
    rig_again(&r);
    rig_open(&r);
    assert_int_equal(rig_send(&r, CLIENT, hello.b, 500), OUT_OK);
    rig_end(&r);
    /* Out of order beyond the limit: the gap is given up. */
    rig_again(&r);
    rig_open(&r);
    rig_lose(&r, CLIENT, 1);
    for (int i = 0; i < 20; i++)
        rig_send(&r, CLIENT, hello.b, 500);
    assert_true(decode_stats(r.d)->holes > 0);
    rig_free(&r);
}

/* Lies about lengths: 16 MiB claimed, ten thousand empty or tiny records. */
static void test_hostile(void **state)
{
    (void)state;
    static struct buf b;
    struct rig r;
    rig_new(&r, NULL, NULL);
    rig_open(&r);
    flight(&r, CLIENT, &f12.client_hello);
    assert_int_equal(
        rig_send(&r, SERVER, "\x16\x03\x03\x00\x10\x02\xff\xff\xff\x03\x03zzzzzzzzzz", 21),
        OUT_MALFORMED);
    rig_again(&r);
    rig_open(&r);
    flight(&r, CLIENT, &f12.client_hello);
    for (int i = 0; i < 10000; i++)
        put_record(&b, 22, 0x0303, "\x0b\xff", i % 3 == 0 ? 0 : 1);
    for (size_t at = 0; at < b.n; at += 1400)
        rig_send(&r, SERVER, b.b + at, b.n - at < 1400 ? b.n - at : 1400);
    assert_int_equal(decode_stats(r.d)->buffers_turned_away, 0);
    /* A stream that leaves the protocol. */
    rig_again(&r);
    rig_open(&r);
    flight(&r, CLIENT, &f12.client_hello);
    assert_int_equal(rig_send(&r, CLIENT, "GET / HTTP/1.1\r\n\r\n", 18), OUT_MALFORMED);
    rig_free(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),       cmocka_unit_test(test_splits),
        cmocka_unit_test(test_crumbs),      cmocka_unit_test(test_conflicts),
        cmocka_unit_test(test_holes),       cmocka_unit_test(test_snapped),
        cmocka_unit_test(test_hello_retry), cmocka_unit_test(test_refused_13),
        cmocka_unit_test(test_alerts),      cmocka_unit_test(test_starttls),
        cmocka_unit_test(test_middle),      cmocka_unit_test(test_resumed),
        cmocka_unit_test(test_sslv2),       cmocka_unit_test(test_windows),
        cmocka_unit_test(test_slow),        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_hostile),
    };
    int failed = cmocka_run_group_tests(tests, setup, NULL);
    rig_calm = true;
    return failed + cmocka_run_group_tests_name("calm", tests, setup, NULL);
}
