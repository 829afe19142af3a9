/* DTLS: whole sessions, hellos in every kind of pieces, and what only looks like it. */
#include "tests/decoders/test_tls_rig.h"

#include "decoders/decode_state.h"
#include "decoders/dtls.h"

#define V10 0xfeff
#define V12 0xfefd
#define V13 0xfefc

enum { CCS = 20, ALERT = 21, HANDSHAKE = 22, DATA = 23, HVR = 3 };

/* ---- building */

/* The body of a hello as DTLS has it: with a cookie behind the session id. */
static void hello_body(struct buf *b, const struct hello_spec *spec, bool server, size_t cookie)
{
    static struct buf tls;
    tls.n = b->n = 0;
    if (server) {
        put_server_hello(&tls, spec);
        put(b, tls.b + 4, tls.n - 4);
        return;
    }
    put_client_hello(&tls, spec);
    size_t head = 4 + 2 + 32 + 1 + spec->session_id;
    put(b, tls.b + 4, head - 4);
    put_int(b, cookie, 1);
    put_fill(b, 0xc0, cookie);
    put(b, tls.b + head, tls.n - head);
}

static void put_dtls(struct buf *b, uint8_t type, uint16_t version, uint16_t epoch, const void *p,
                     size_t n)
{
    static uint64_t number;
    put_int(b, type, 1);
    put_int(b, version, 2);
    put_int(b, epoch, 2);
    put_int(b, number++, 6);
    put_int(b, n, 2);
    put(b, p, n);
}

/* Bytes [off, off + n) of a message of `len` bytes in a record of its own. */
static void put_fragment(struct buf *b, uint16_t version, uint8_t type, uint16_t seq, size_t len,
                         size_t off, const uint8_t *bytes, size_t n)
{
    static struct buf m;
    m.n = 0;
    put_int(&m, type, 1);
    put_int(&m, len, 3);
    put_int(&m, seq, 2);
    put_int(&m, off, 3);
    put_int(&m, n, 3);
    put(&m, bytes, n);
    put_dtls(b, HANDSHAKE, version, 0, m.b, m.n);
}

static void put_message(struct buf *b, uint16_t version, uint8_t type, uint16_t seq,
                        const struct buf *body)
{
    put_fragment(b, version, type, seq, body->n, 0, body->b, body->n);
}

/* ---- driving */

static enum outcome send_cut(struct rig *r, int from, const struct buf *b, size_t cap)
{
    struct rec rec = rig_rec(r, from, 0, 0, 0);
    rec.ip_proto = 17;
    rec.payload = cur_of(guard_copy(b->b, cap), cap, b->n);
    rec.payload_wire_len = (uint32_t)b->n;
    rec.wire_len = (uint32_t)b->n + 42;
    r->ts_ns += 1000000;
    decode_burst(r->d, &rec, 1, r->out);
    msgs_flush(r->out);
    r->last_proto = rec.proto;
    return (enum outcome)rec.outcome;
}

static enum outcome send_it(struct rig *r, int from, struct buf *b)
{
    enum outcome o = send_cut(r, from, b, b->n);
    b->n = 0;
    return o;
}

static struct buf b, body;

static const struct hello_spec usual = {.version = V12, .sni = "example.org"};
static const char usual_text[] = "client fefd max fefd sni example.org alpn  id ";

/* RFC 9147 4: with a number of 16 bits and a length. */
static void put_unified(unsigned epoch, size_t n)
{
    put_int(&b, 0x2c | epoch, 1);
    put_int(&b, 7, 2);
    put_int(&b, n, 2);
    put_fill(&b, 9, n);
}

static enum outcome client_hello(struct rig *r, const struct hello_spec *spec, uint16_t seq,
                                 size_t cookie)
{
    hello_body(&body, spec, false, cookie);
    put_message(&b, V10, 1, seq, &body);
    return send_it(r, CLIENT, &b);
}

static void put_server(uint16_t version, uint16_t record, uint16_t cipher, uint16_t seq)
{
    const struct hello_spec spec = {.version = version, .ciphers = &cipher, .no_extensions = true};
    hello_body(&body, &spec, true, 0);
    put_message(&b, record, 2, seq, &body);
}

static void put_small(uint16_t version, uint8_t type, uint16_t seq, size_t n)
{
    body.n = 0;
    put_fill(&body, 0x11, n);
    put_message(&b, version, type, seq, &body);
}

static void finish(struct rig *r, int from, uint16_t version)
{
    static const uint8_t finished[40] = {1};
    put_dtls(&b, CCS, version, 0, "\x01", 1);
    put_dtls(&b, HANDSHAKE, version, 1, finished, sizeof finished);
    assert_int_equal(send_it(r, from, &b), OUT_OK);
}

/* A handshake as RFC 6347 4.2.4 draws it. */
static void handshake(struct rig *r, uint16_t version, uint16_t cipher)
{
    struct hello_spec spec = usual;
    spec.version = version;
    assert_int_equal(client_hello(r, &spec, 0, 0), OUT_OK);
    put_small(version, HVR, 0, 20);
    assert_int_equal(send_it(r, SERVER, &b), OUT_OK);
    assert_int_equal(client_hello(r, &spec, 1, 16), OUT_OK);
    put_server(version, version, cipher, 1);
    put_small(version, 11, 2, 300);
    put_small(version, 14, 3, 0);
    assert_int_equal(send_it(r, SERVER, &b), OUT_OK);
    put_small(version, 16, 2, 66);
    finish(r, CLIENT, version);
    finish(r, SERVER, version);
}

#define assert_says(r, want)                                                                       \
    do {                                                                                           \
        if (strstr((r)->session, want) == NULL)                                                    \
            print_message("said: %s\n", (r)->session);                                             \
        assert_non_null(strstr((r)->session, want));                                               \
    } while (0)

/* ---- sessions */

static void test_versions(void **state)
{
    (void)state;
    static const struct {
        uint16_t version, cipher;
        const char *session;
    } rows[] = {{V10, 0xc014, "established decided feff c014 "},
                {V12, 0xc030, "established decided fefd c030 "}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct rig r;
        rig_new(&r, NULL, NULL);
        handshake(&r, rows[i].version, rows[i].cipher);
        assert_int_equal(r.last_proto, PROTO_DTLS);
        assert_int_equal(r.n_client_hellos, 2);
        assert_says(&r, rows[i].session);
        rig_end(&r);
        assert_int_equal(r.n_decided, 1);
        assert_int_equal(r.n_alive, 1);
        assert_null(strstr(r.session, "resumed"));
        assert_int_equal(r.d->dtls.flows.n, 0);
        assert_int_equal(r.d->dtls.hellos_used, 0);
        rig_free(&r);
    }
}

static void test_resumed(void **state)
{
    (void)state;
    struct rig r;
    rig_new(&r, NULL, NULL);
    client_hello(&r, &usual, 0, 0);
    put_server(V12, V12, 0xc030, 0);
    finish(&r, SERVER, V12);
    finish(&r, CLIENT, V12);
    assert_says(&r, "established decided fefd c030");
    assert_non_null(strstr(r.session, " resumed"));
    rig_free(&r);
}

static void test_13(void **state)
{
    (void)state;
    static const struct hello_spec offer = {
        .version = V12, .sni = "example.org", .supported = {V13, V12}};
    static const uint16_t suite = 0x1301;
    static const struct hello_spec retry = {
        .version = V12, .ciphers = &suite, .supported = {V13}, .retry = true, .group = 23};
    static const struct hello_spec answer = {
        .version = V12, .ciphers = &suite, .supported = {V13}, .group = 23};
    struct rig r;
    rig_new(&r, NULL, NULL);
    client_hello(&r, &offer, 0, 0);
    hello_body(&body, &retry, true, 0);
    put_message(&b, V12, 2, 0, &body);
    send_it(&r, SERVER, &b);
    client_hello(&r, &offer, 1, 0);
    put_unified(1, 60); /* early data is no answer */
    assert_int_equal(send_it(&r, CLIENT, &b), OUT_OK);
    hello_body(&body, &answer, true, 0);
    put_message(&b, V12, 2, 1, &body);
    put_unified(2, 80);
    send_it(&r, SERVER, &b);
    assert_null(strstr(r.session, "established"));
    put_unified(1, 60); /* early data that was on its way */
    put_unified(2, 19); /* an alert */
    assert_int_equal(send_it(&r, CLIENT, &b), OUT_OK);
    assert_null(strstr(r.session, "established"));
    put_unified(2, 61);
    assert_int_equal(send_it(&r, CLIENT, &b), OUT_OK);
    assert_says(&r, "established decided fefc 1301");
    assert_non_null(strstr(r.text, "client fefd max fefc"));
    assert_non_null(strstr(r.text, "server fefc cipher 1301 group 0017 alpn  retry"));
    put_int(&b, 0x33, 1), put_fill(&b, 9, 40); /* with a connection id */
    assert_int_equal(send_it(&r, SERVER, &b), OUT_OK);
    rig_free(&r);
}

static void test_refused(void **state)
{
    (void)state;
    struct rig r;
    rig_new(&r, NULL, NULL);
    client_hello(&r, &usual, 0, 0);
    put_dtls(&b, ALERT, V12, 0, "\x02\x28", 2);
    send_it(&r, SERVER, &b);
    assert_says(&r, "refused decided 0000");
    assert_null(strstr(r.text, "alert")); /* the totals' alerts are those over TCP */
    rig_free(&r);
}

static void test_middle(void **state)
{
    (void)state;
    struct rig r;
    rig_new(&r, NULL, NULL);
    for (int i = 0; i < 4; i++) {
        put_dtls(&b, DATA, V12, 1, usual_text, 40);
        assert_int_equal(send_it(&r, i % 2 ? CLIENT : SERVER, &b), OUT_OK);
    }
    rig_end(&r);
    assert_says(&r, "partial alive final 0000 fefd");
    assert_int_equal(r.bytes[0], 2 * (42 + 53));
    rig_free(&r);
}

/* Two windows, and a report of the first before the session goes on. */
static void test_windows(void **state)
{
    (void)state;
    struct rig r;
    struct decode_limits limits = rig_limits();
    limits.window_ns = 1000000000;
    rig_new(&r, NULL, NULL);
    handshake(&r, V12, 0xc030);
    rig_end(&r);
    uint64_t before = r.bytes[0];
    rig_free(&r);
    rig_new(&r, &limits, NULL);
    handshake(&r, V12, 0xc030);
    put_dtls(&b, DATA, V12, 1, usual_text, 40);
    send_it(&r, CLIENT, &b);
    assert_int_equal(r.bytes[0], 0); /* told when the window is left */
    (void)decode_sweep(r.d, r.ts_ns + 2000000000, UINT32_MAX, r.out);
    assert_int_equal(r.bytes[0], before + 42 + 53);
    r.ts_ns += 2000000000;
    put_dtls(&b, DATA, V12, 1, usual_text, 40);
    send_it(&r, CLIENT, &b);
    rig_end(&r);
    assert_int_equal(r.n_alive, 2);
    assert_int_equal(r.n_decided, 1);
    rig_free(&r);
}

/* The same ports again: a repetition is none, another random after the end is another session. */
static void test_again(void **state)
{
    (void)state;
    struct rig r;
    rig_new(&r, NULL, NULL);
    client_hello(&r, &usual, 0, 0);
    client_hello(&r, &usual, 0, 0);
    assert_int_equal(r.n_client_hellos, 1);
    hello_body(&body, &usual, false, 0);
    body.b[5] ^= 1;
    put_message(&b, V10, 1, 0, &body);
    send_cut(&r, CLIENT, &b, b.n); /* another one while the first goes on */
    assert_int_equal(r.n_client_hellos, 1);
    assert_int_equal(decode_stats(r.d)->overlap_conflicts, 1);
    r.ts_ns += UINT64_C(11) * 1000000000;
    send_cut(&r, CLIENT, &b, b.n);
    assert_int_equal(r.n_client_hellos, 2);
    send_it(&r, CLIENT, &b);
    assert_int_equal(r.n_client_hellos, 2);
    client_hello(&r, &usual, 1, 16);
    client_hello(&r, &usual, 200, 16);
    client_hello(&r, &usual, 200, 16);
    assert_int_equal(r.n_client_hellos, 4);
    r.ts_ns += UINT64_C(3601) * 1000000000; /* silent for an hour: the same bytes count again */
    hello_body(&body, &usual, false, 0);
    body.b[5] ^= 1;
    put_message(&b, V10, 1, 0, &body);
    send_it(&r, CLIENT, &b);
    assert_int_equal(r.n_client_hellos, 5);
    rig_end(&r);
    assert_int_equal(r.n_decided, 3);
    rig_free(&r);
}

/* ---- pieces */

struct piece {
    size_t off, n;
};

static void send_pieces(struct rig *r, const struct piece pieces[], unsigned n, bool one_datagram)
{
    for (unsigned i = 0; i < n; i++) {
        put_fragment(&b, V10, 1, 0, body.n, pieces[i].off, body.b + pieces[i].off, pieces[i].n);
        if (!one_datagram)
            assert_int_equal(send_it(r, CLIENT, &b), OUT_OK);
    }
    if (one_datagram)
        assert_int_equal(send_it(r, CLIENT, &b), OUT_OK);
}

/* Ends the context: what comes next is another session. */
static void check_pieces(struct rig *r, const char *want)
{
    if (strcmp(r->text, want) != 0)
        print_message("want %sgot %s", want, r->text);
    assert_string_equal(r->text, want);
    assert_int_equal(r->d->dtls.hellos_used, 0);
    rig_end(r);
    r->text[0] = r->session[0] = '\0';
    r->n_client_hellos = 0;
}

static void test_cuts(void **state)
{
    (void)state;
    static const uint8_t orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                         {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    static char want[256];
    struct rig r;
    rig_new(&r, NULL, NULL);
    hello_body(&body, &usual, false, 20);
    const size_t len = body.n;
    send_pieces(&r, &(struct piece){0, len}, 1, false);
    assert_memory_equal(r.text, usual_text, sizeof usual_text - 1);
    memcpy(want, r.text, sizeof want);
    check_pieces(&r, want);
    for (size_t i = 0; i <= len; i++) {
        const struct piece two[] = {{0, i}, {i, len - i}, {0, i}, {i, len - i}};
        for (unsigned from = 0; from < 2; from++)
            for (int one = 0; one < 2; one++) {
                send_pieces(&r, two + from, 2, one); /* in order, and the last first */
                check_pieces(&r, want);
            }
        send_pieces(&r,
                    (const struct piece[]){{0, i}, {0, i}, {i, len - i}, {i, len - i}, {0, len}}, 5,
                    false);
        check_pieces(&r, want);
        for (size_t j = i; j <= len; j++) {
            const struct piece three[] = {{0, i}, {i, j - i}, {j, len - j}};
            for (unsigned o = 0; o < 6; o++) {
                struct piece p[3] = {three[orders[o][0]], three[orders[o][1]], three[orders[o][2]]};
                send_pieces(&r, p, 3, o & 1);
                check_pieces(&r, want);
            }
            const struct piece over[] = {{i, j - i}, {0, j}, {i, len - i}};
            send_pieces(&r, over, 3, false);
            check_pieces(&r, want);
        }
    }
    assert_int_equal(decode_stats(r.d)->overlap_conflicts, 0);
    rig_free(&r);
}

/* What came first stays. */
static void test_conflicts(void **state)
{
    (void)state;
    static char want[256];
    struct rig r;
    rig_new(&r, NULL, NULL);
    hello_body(&body, &usual, false, 0);
    const size_t len = body.n;
    send_pieces(&r, &(struct piece){0, len}, 1, false);
    memcpy(want, r.text, sizeof want);
    check_pieces(&r, want);
    uint64_t n = 0;
    for (size_t i = 2; i < len; i++) {
        send_pieces(&r, &(struct piece){0, i}, 1, false);
        body.b[i - 1] ^= 0xff;
        send_pieces(&r, &(struct piece){i / 2, len - i / 2}, 1, false);
        body.b[i - 1] ^= 0xff;
        assert_int_equal(decode_stats(r.d)->overlap_conflicts, ++n);
        check_pieces(&r, want);
    }
    /* Another length or type under the same number. */
    send_pieces(&r, &(struct piece){0, 50}, 1, false);
    put_fragment(&b, V10, 1, 0, len + 1, 50, body.b + 50, len - 50);
    put_fragment(&b, V10, 2, 0, len, 50, body.b + 50, len - 50);
    send_it(&r, CLIENT, &b);
    assert_int_equal(decode_stats(r.d)->overlap_conflicts, n + 2);
    send_pieces(&r, &(struct piece){50, len - 50}, 1, false);
    check_pieces(&r, want);
    rig_free(&r);
}

/* Hellos of both numbers at once, and fragments of other messages among them. */
static void test_interleaved(void **state)
{
    (void)state;
    struct rig r;
    rig_new(&r, NULL, NULL);
    hello_body(&body, &usual, false, 0);
    for (size_t at = 0; at < body.n; at += 40) {
        size_t n = body.n - at < 40 ? body.n - at : 40;
        for (uint16_t seq = 0; seq < 2; seq++)
            put_fragment(&b, V10, 1, seq, body.n, at, body.b + at, n);
        put_fragment(&b, V10, 11, 7, 3000, at, body.b + at, n);
    }
    assert_int_equal(send_it(&r, CLIENT, &b), OUT_OK);
    assert_int_equal(r.n_client_hellos, 2);
    assert_int_equal(r.d->dtls.hellos_used, 0);
    rig_free(&r);
}

/* ---- limits */

static void test_limits(void **state)
{
    (void)state;
    struct rig r;
    struct decode_limits limits = rig_limits();
    limits.dtls_flows = 4;
    limits.dtls_hellos = 2;
    rig_new(&r, &limits, NULL);
    for (int i = 0; i < 6; i++, r.client_port++)
        client_hello(&r, &usual, 0, 0);
    assert_int_equal(r.n_client_hellos, 6);
    assert_int_equal(decode_stats(r.d)->dtls_flows_turned_away, 2);
    hello_body(&body, &usual, false, 0);
    for (int i = 0; i < 3; i++) {
        put_fragment(&b, V10, 1, (uint16_t)(10 + i), body.n, 0, body.b, 50);
        assert_int_equal(send_it(&r, CLIENT, &b), OUT_OK);
    }
    assert_int_equal(decode_stats(r.d)->buffers_turned_away, 1);
    assert_int_equal(r.d->dtls.hellos_used, 2);
    put_fragment(&b, V10, 1, 20, DTLS_HELLO_MAX + 1, 0, body.b, 100);
    assert_int_equal(send_it(&r, CLIENT, &b), OUT_TABLE_FULL);
    assert_int_equal(decode_stats(r.d)->bytes_turned_away, 100);
    rig_end(&r);
    assert_int_equal(r.d->dtls.hellos_used, 0);
    rig_free(&r);
    limits = rig_limits();
    rig_new(&r, &limits, NULL);
    for (int i = 0; i < 6; i++) { /* one session has its share only */
        put_fragment(&b, V10, 1, (uint16_t)i, body.n, 0, body.b, 50);
        send_it(&r, CLIENT, &b);
    }
    assert_int_equal(decode_stats(r.d)->buffers_turned_away, 2);
    assert_int_equal(r.d->dtls.hellos_used, DTLS_HELLOS_A_FLOW);
    rig_free(&r);
}

/* ---- what it is not, and what is broken */

static void test_others(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        size_t n;
        const char *bytes;
    } rows[] = {
        {"STUN", 20, "\x00\x01\x00\x00\x21\x12\xa4\x42\1\2\3\4\5\6\7\x08\x09\x0a\x0b\x0c"},
        {"RTP", 20, "\x80\x60\x00\x01\1\2\3\4\5\6\7\x08\x09\x0a\x0b\x0c\1\2\3\4"},
        {"unified header of nobody", 20,
         "\x2f\x00\x01\x00\x0f\1\2\3\4\5\6\7\x08\x09\x0a\x0b\x0c\1\2\3"},
        {"record longer than the datagram", 15, "\x15\xfe\xfd\0\0\0\0\0\0\0\0\0\x03\x02\x28"},
        {"bytes behind the record", 17, "\x15\xfe\xfd\0\0\0\0\0\0\0\0\0\x02\x02\x28zz"},
        {"an alert of no kind", 15, "\x15\xfe\xfd\0\0\0\0\0\0\0\0\0\x02\x02\x05"},
        {"version 0xfefe", 15, "\x15\xfe\xfe\0\0\0\0\0\0\0\0\0\x02\x02\x28"},
        {"data in clear", 15, "\x17\xfe\xfd\0\0\0\0\0\0\0\0\0\x02\x02\x28"},
        {"a type of none", 15, "\x1b\xfe\xfd\0\0\0\0\0\0\0\0\0\x02\x02\x28"},
        {"no length", 13, "\x17\xfe\xfd\0\1\0\0\0\0\0\0\0\0"},
        {"fragment beyond its message", 29,
         "\x16\xfe\xfd\0\0\0\0\0\0\0\0\0\x10\1\0\0\x08\0\0\0\0\x06\0\0\x04"
         "abcd"},
        {"preamble of CAPWAP elsewhere", 19, "\1\0\0\0\x15\xfe\xfd\0\0\0\0\0\0\0\0\0\x02\x02\x28"},
    };
    struct rig r;
    rig_new(&r, NULL, NULL);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        put(&b, rows[i].bytes, rows[i].n);
        if (send_it(&r, CLIENT, &b) != OUT_NOT_MINE || r.last_proto != PROTO_NONE)
            fail_msg("%s", rows[i].name);
        assert_int_equal(r.d->dtls.flows.n, 0);
    }
    r.server_port = 5246;
    put(&b, rows[11].bytes, rows[11].n);
    assert_int_equal(send_it(&r, CLIENT, &b), OUT_OK);
    assert_int_equal(r.d->dtls.flows.n, 1);
    put(&b, rows[2].bytes, rows[2].n); /* a session, but not of DTLS 1.3 */
    assert_int_equal(send_it(&r, CLIENT, &b), OUT_NOT_MINE);
    put(&b, rows[0].bytes, rows[0].n);
    assert_int_equal(send_it(&r, CLIENT, &b), OUT_NOT_MINE);
    rig_free(&r);
}

static void put_flight(void)
{
    put_server(V12, V12, 0xc030, 1);
    put_small(V12, 11, 2, 100);
    put_dtls(&b, CCS, V12, 0, "\x01", 1);
    put_dtls(&b, HANDSHAKE, V12, 1, usual_text, 40);
    put_unified(2, 61);
}

/* Every cut by the capture is no fault of the sender; cut on the way, anything but a crash. */
static void test_prefixes(void **state)
{
    (void)state;
    struct rig r;
    rig_new(&r, NULL, NULL);
    static struct buf all, cut;
    hello_body(&body, &usual, false, 20);
    put_message(&b, V10, 1, 0, &body);
    for (int flight = 0; flight < 2; flight++) {
        all = b;
        b.n = 0;
        for (int known = 0; known < 2; known++)
            for (size_t n = 0; n <= all.n; n++) {
                if (known)
                    client_hello(&r, &usual, 9, 0);
                enum outcome o = send_cut(&r, flight, &all, n);
                if (n == all.n
                        ? o != OUT_OK
                        : o != OUT_TRUNCATED && o != OUT_NOT_MINE && !(flight == 1 && o == OUT_OK))
                    fail_msg("flight %d, %zu of %zu bytes: %s", flight, n, all.n, outcome_name[o]);
                rig_end(&r);
                if (known)
                    client_hello(&r, &usual, 9, 0);
                cut = all;
                cut.n = n;
                o = send_cut(&r, flight, &cut, n);
                assert_true(n == all.n || o != OUT_TRUNCATED);
                rig_end(&r);
            }
        put_flight();
    }
    b.n = 0;
    rig_free(&r);
}

static void test_damage(void **state)
{
    (void)state;
    struct rig r;
    rig_new(&r, NULL, NULL);
    static struct buf all[2];
    uint32_t seed = 1;
    hello_body(&body, &usual, false, 20);
    put_message(&b, V10, 1, 0, &body);
    all[0] = b;
    b.n = 0;
    put_flight();
    all[1] = b;
    b.n = 0;
    for (int i = 0; i < 40000; i++) {
        int from = i & 1;
        static struct buf bad;
        bad = all[from];
        for (int k = 0; k < 1 + i % 4; k++) {
            seed = seed * 1664525 + 1013904223;
            bad.b[(seed >> 8) % bad.n] = (uint8_t)(seed >> 3);
        }
        assert_true(send_cut(&r, from, &bad, bad.n) < OUT_N);
        if (i % 7 == 0)
            rig_end(&r);
        r.text[0] = r.session[0] = '\0';
    }
    rig_free(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_versions),  cmocka_unit_test(test_resumed),
        cmocka_unit_test(test_13),        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_middle),    cmocka_unit_test(test_windows),
        cmocka_unit_test(test_again),     cmocka_unit_test(test_cuts),
        cmocka_unit_test(test_conflicts), cmocka_unit_test(test_interleaved),
        cmocka_unit_test(test_limits),    cmocka_unit_test(test_others),
        cmocka_unit_test(test_prefixes),  cmocka_unit_test(test_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
