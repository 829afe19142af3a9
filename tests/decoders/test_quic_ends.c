/* QUIC: how connections end, what is none or broken, and limits. */
#include "tests/decoders/test_quic_rig.h"

/* ---- ends */

static void test_refused(void **state)
{
    struct rig *r = *state;
    static struct buf frames;
    struct packet_spec c = client_initial(), s = server_initial();
    quic_send_crypto(r, &c, 0, hello.b, hello.n);
    frames.n = 0;
    put(&frames, "\x1c\x41\x28\x06\x00", 5); /* CRYPTO_ERROR, handshake_failure */
    quic_send_frames(r, &s, &frames);
    assert_non_null(strstr(r->session, "refused decided 0000"));
    end(r);
    assert_int_equal(r->n_decided, 1);
}

static void test_closed(void **state)
{
    struct rig *r = *state;
    static struct buf frames;
    static const uint8_t next[8] = "another";
    struct packet_spec c = client_initial(), s = server_initial();
    quic_send_crypto(r, &c, 0, hello.b, hello.n);
    frames.n = 0;
    put(&frames, "\x1c\x02\x00\x00", 4); /* CONNECTION_REFUSED */
    assert_int_equal(quic_send_frames(r, &s, &frames), OUT_OK);
    assert_non_null(strstr(r->session, "reset alive decided final"));
    uint64_t bytes = r->bytes[1];
    assert_true(bytes > 0);
    assert_int_equal(quic_send_frames(r, &s, &frames), OUT_OK); /* once more */
    assert_int_equal(r->last_proto, PROTO_QUIC);
    c.key_dcid = c.dcid = next;
    quic_send_crypto(r, &c, 0, hello.b, hello.n);
    assert_int_equal(r->n_client_hellos, 2);
    end(r);
    assert_int_equal(r->bytes[1], bytes);
    assert_int_equal(r->n_alive, 2);
}

static void test_time(void **state)
{
    struct rig *r = *state;
    const uint64_t second = 1000000000;
    struct packet_spec c = client_initial();
    both(r);
    r->ts_ns += 11 * second;
    quic_send_closed(r, SERVER, false, 40);
    assert_non_null(strstr(r->session, "undecided decided 0304"));
    r->ts_ns += 3600 * second / 2; /* silent too long */
    assert_int_equal(quic_send_closed(r, CLIENT, false, 40), OUT_NOT_MINE);
    assert_non_null(strstr(r->session, "undecided alive final"));
    r->session[0] = '\0';
    c.pn = 1;
    quic_send_crypto(r, &c, 0, hello.b, hello.n);
    assert_int_equal(r->n_client_hellos, 2);
    r->ts_ns += 300 * second;
    while (r->ts_ns / second % 3600 > 300 || r->ts_ns / second % 3600 < 2) {
        quic_send_closed(r, CLIENT, false, 40);
        r->ts_ns += 300 * second;
    }
    quic_send_closed(r, CLIENT, false, 40); /* in the next window */
    c.pn = 2;
    quic_send_crypto(r, &c, hello.n, hello.b, hello.n); /* too late to be read */
    assert_int_equal(r->n_client_hellos, 2);
    end(r);
    assert_int_equal(r->n_alive, 3);
    assert_int_equal(r->n_decided, 2);
}

/* Half a ClientHello, and the rest when time is up. */
static void test_too_late(void **state)
{
    struct rig *r = *state;
    struct packet_spec c = client_initial();
    quic_send_crypto(r, &c, 0, hello.b, 60);
    r->ts_ns += UINT64_C(11) * 1000000000;
    c.pn = 1;
    assert_int_equal(quic_send_crypto(r, &c, 60, hello.b + 60, hello.n - 60), OUT_OK);
    end(r);
    assert_int_equal(r->n_client_hellos, 0);
    assert_int_equal(r->n_sessions, 0); /* nothing is known of it */
}

static void test_sweep(void **state)
{
    struct rig *r = *state;
    both(r);
    uint64_t hour = UINT64_C(3600) * 1000000000;
    assert_true(decode_sweep(r->d, r->ts_ns / hour * hour, UINT32_MAX,
                             r->out)); /* its window is not over */
    assert_int_equal(r->n_alive, 0);
    unsigned calls = 1;
    while (!decode_sweep(r->d, r->ts_ns + 2 * hour, 1, r->out))
        calls++;
    assert_true(calls < 8);
    assert_int_equal(r->n_alive, 1);
    assert_int_equal(r->n_decided, 1); /* that it was undecided */
}

/* ---- what is none, or broken */

static void test_not_quic(void **state)
{
    struct rig *r = *state;
    static struct buf b, frames;
    struct packet_spec c = client_initial(), s = server_initial();
    assert_int_equal(quic_send_crypto(r, &s, 0, reply.b, reply.n), OUT_NOT_MINE);
    assert_int_equal(quic_send_closed(r, CLIENT, false, 1200), OUT_NOT_MINE);
    assert_int_equal(quic_send_closed(r, CLIENT, true, 1200), OUT_NOT_MINE);
    b.n = frames.n = 0;
    put_crypto(&frames, 0, hello.b, hello.n); /* in a datagram that is too small */
    put_packet(&b, &c, &frames);
    assert_int_equal(quic_send(r, CLIENT, &b), OUT_NOT_MINE);
    b.n = 0;
    put_padding(&frames);
    c.dcid_len = c.key_len = 7; /* shorter than a first one may be */
    put_packet(&b, &c, &frames);
    assert_int_equal(quic_send(r, CLIENT, &b), OUT_NOT_MINE);
    c.dcid_len = c.key_len = 8;
    b.n = 0;
    put_packet(&b, &c, &frames);
    for (size_t i = 0; i < b.n; i += i < 40 ? 1 : 97) {
        if (i == 0)
            continue; /* its high bits are not sealed alike in all versions: below */
        b.b[i] ^= 4;
        assert_int_equal(quic_send(r, CLIENT, &b), OUT_NOT_MINE);
        assert_int_equal(r->last_proto, PROTO_NONE);
        b.b[i] ^= 4;
    }
    assert_string_equal(r->text, "");
    assert_int_equal(quic_send(r, CLIENT, &b), OUT_OK);
    assert_int_equal(r->n_client_hellos, 1);
}

static void test_truncated(void **state)
{
    struct rig *r = *state;
    static struct buf b, frames;
    struct packet_spec c = client_initial();
    b.n = frames.n = 0;
    put_crypto(&frames, 0, hello.b, hello.n);
    put_padding(&frames);
    put_packet(&b, &c, &frames);
    for (size_t n = 0; n < b.n; n++) {
        enum outcome o = quic_send_cut(r, CLIENT, b.b, n, b.n);
        assert_int_equal(o, n < 7 ? OUT_NOT_MINE : OUT_TRUNCATED);
        o = quic_send_cut(r, CLIENT, b.b, n, n); /* not cut, but short */
        assert_int_equal(o, OUT_NOT_MINE);
    }
    assert_int_equal(decode_stats(r->d)->flows, 0);
    assert_int_equal(quic_send(r, CLIENT, &b), OUT_OK);
    for (size_t n = 7; n < b.n; n++) {
        assert_int_equal(quic_send_cut(r, CLIENT, b.b, n, b.n), OUT_TRUNCATED);
        assert_int_equal(quic_send_cut(r, CLIENT, b.b, n, n), OUT_MALFORMED);
    }
    assert_int_equal(r->n_client_hellos, 1);
}

static void test_broken(void **state)
{
    struct rig *r = *state;
    static const char *const bad[] = {
        "\x08stream",
        "\x06\x00\x7f\xff",
        "\x06\xff",
        "\x02\x01",
        "\x02\x01\x00\x3f\x00",
        "\x1c\x02\x00\x3f",
        "\x1e",
        "\x06\x00\x05\x02\x00\x00\x01\x05",
        "\x06\x00\x04\x0b\x00\x00\x00",
    };
    static const uint8_t len[] = {7, 4, 2, 2, 5, 4, 1, 8, 7};
    static struct buf frames;
    for (unsigned i = 0; i < sizeof len; i++) {
        struct packet_spec c = client_initial();
        rig_again(r);
        frames.n = 0;
        if (i == 4)
            put_fill(&frames, 0, 1200 - 5); /* the ranges that it tells of would be padding */
        if (i < 7)
            put_fill(&frames, 0, 1200 - frames.n - len[i]);
        put(&frames, bad[i], len[i]);
        enum outcome o = quic_send_frames(r, &c, &frames);
        if (o != OUT_MALFORMED)
            fail_msg("%u: %s", i, outcome_name[o]);
        c.pn = 1;
        quic_send_crypto(r, &c, 0, hello.b, hello.n); /* what is good is still read */
        assert_int_equal(r->n_client_hellos, i < 7);
    }
}

static uint32_t dice(uint32_t *state)
{
    *state = *state * 1664525 + 1013904223;
    return *state >> 8;
}

static void test_corruption(void **state)
{
    struct rig *r = *state;
    static struct buf b[3], frames, copy;
    struct packet_spec c = client_initial(), s = server_initial();
    uint32_t seed = 1;
    for (int i = 0; i < 3; i++) {
        const struct packet_spec *p = i == 1 ? &s : &c;
        b[i].n = frames.n = 0;
        put_crypto(&frames, 0, i == 1 ? reply.b : hello.b, i == 1 ? reply.n : hello.n);
        if (i != 1)
            put_padding(&frames);
        c.pn = (uint64_t)i;
        put_packet(&b[i], p, &frames);
        put(&b[i], "\xe0\x00\x00\x00\x01\x00\x00\x40\x46", 9);
        put_fill(&b[i], 0x77, 70);
    }
    for (unsigned round = 0; round < 30000; round++) {
        unsigned i = round % 3;
        copy.n = 0;
        put(&copy, b[i].b, b[i].n);
        for (uint32_t k = dice(&seed) % 4; k > 0; k--)
            copy.b[dice(&seed) % (dice(&seed) % 2 ? 40 : copy.n)] = (uint8_t)dice(&seed);
        size_t n = dice(&seed) % 3 == 0 ? dice(&seed) % (copy.n + 1) : copy.n;
        enum outcome o =
            quic_send_cut(r, i == 1 ? SERVER : CLIENT, copy.b, n, dice(&seed) % 2 ? n : copy.n);
        assert_true(o < OUT_N);
        if (round % 50 == 0) {
            end(r);
            r->text[0] = r->session[0] = '\0';
        }
    }
}

/* ---- limits */

static void test_limits(void **state)
{
    (void)state;
    struct decode_limits limits = rig_limits();
    struct rig r;
    limits.quic_flows = 3;
    limits.quic_buffers = 2;
    limits.quic_buffer_bytes = 1024;
    rig_new(&r, &limits, NULL);
    struct packet_spec c = client_initial();
    const uint16_t first = r.client_port;
    for (unsigned i = 0; i < 5; i++) { /* beginnings only */
        r.client_port = (uint16_t)(first + i);
        assert_int_equal(quic_send_crypto(&r, &c, 0, hello.b, 50), OUT_OK);
    }
    const struct decode_stats *s = decode_stats(r.d);
    assert_int_equal(s->quic_flows_turned_away, 2);
    assert_int_equal(s->buffers_turned_away, 3); /* two are in use */
    c.pn = 1;
    assert_int_equal(quic_send_crypto(&r, &c, 50, hello.b + 50, hello.n - 50), OUT_OK);
    assert_int_equal(r.n_client_hellos, 1);
    c.pn = 2;
    assert_int_equal(quic_send_crypto(&r, &c, hello.n + 1000, hello.b, 100), OUT_TABLE_FULL);
    assert_int_equal(s->bytes_turned_away, 76);
    decode_origin_end(r.d, 0, r.out);
    struct hello_spec large = ask;
    large.pad = 1000;
    hello.n = 0;
    put_client_hello(&hello, &large);
    assert_int_equal(quic_send_crypto(&r, &c, 0, hello.b, 900), OUT_TABLE_FULL);
    assert_int_equal(s->bytes_turned_away, 76 + hello.n - 4);
    assert_int_equal(r.n_client_hellos, 1);
    decode_origin_end(r.d, 0, r.out);
    rig_free(&r);
}

/* A handshake that is too old to be decided is no loss. */
static void test_old_handshakes_go(void **state)
{
    (void)state;
    struct decode_limits limits = rig_limits();
    struct rig r;
    limits.quic_buffers = 2;
    rig_new(&r, &limits, NULL);
    struct packet_spec c = client_initial();
    for (unsigned i = 0; i < 10; i++) {
        assert_int_equal(quic_send_crypto(&r, &c, 0, hello.b, hello.n), OUT_OK);
        r.client_port++;
        r.ts_ns += UINT64_C(6) * 1000000000;
    }
    assert_int_equal(decode_stats(r.d)->buffers_turned_away, 0);
    decode_origin_end(r.d, 0, r.out);
    assert_int_equal(r.n_decided, 10);
    assert_int_equal(r.n_alive, 10);
    rig_free(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
        T(test_refused),
        T(test_closed),
        T(test_time),
        T(test_too_late),
        T(test_sweep),
        T(test_not_quic),
        T(test_truncated),
        T(test_broken),
        T(test_corruption),
        T(test_limits),
        T(test_old_handshakes_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
