/* QUIC: what comes out of datagrams that the tests build themselves. */
#define _GNU_SOURCE /* memmem */
#include "tests/decoders/test_quic_rig.h"

#include "decoders/quic_crypto.h"

/* ---- a connection */

static void test_connection(void **state)
{
    struct rig *r = *state;
    struct packet_spec c = client_initial();
    r->server_port = 50443; /* it is the service's, though the larger one */
    assert_int_equal(quic_send_crypto(r, &c, 0, hello.b, hello.n), OUT_OK);
    assert_int_equal(r->last_proto, PROTO_QUIC);
    assert_int_equal(r->last_service, 50443);
    assert_memory_equal(r->text, asked, strlen(asked));
    r->text[0] = '\0';
    struct packet_spec s = server_initial();
    assert_int_equal(quic_send_crypto(r, &s, 0, reply.b, reply.n), OUT_OK);
    assert_int_equal(r->last_service, 50443);
    assert_string_equal(r->text, answered);
    assert_string_equal(r->session, "");
    quic_send_closed(r, SERVER, true, 800);
    quic_send_closed(r, CLIENT, true, 40); /* an acknowledgement, perhaps an alert */
    assert_int_equal(r->n_decided, 0);
    quic_send_closed(r, CLIENT, true, 80);
    assert_non_null(strstr(r->session, "established decided 0304 1301 "));
    assert_non_null(strstr(r->session, " sni quic.example quic\n"));
    quic_send_closed(r, SERVER, false, 500);
    assert_int_equal(r->last_proto, PROTO_QUIC);
    end(r);
    assert_int_equal(r->n_alive, 1);
    assert_int_equal(r->n_decided, 1);
    assert_true(r->bytes[0] > 2400 - 1200 && r->bytes[1] > 1300);
}

static void test_short_headers_establish(void **state)
{
    struct rig *r = *state;
    both(r);
    quic_send_closed(r, SERVER, false, 60);
    assert_int_equal(r->n_decided, 0);
    quic_send_closed(r, CLIENT, false, 30);
    assert_non_null(strstr(r->session, "established"));
}

/* Handshake packets may come before the Initials whose keys they need, and the ClientHello last. */
static void test_any_order(void **state)
{
    struct rig *r = *state;
    struct packet_spec c = client_initial(), s = server_initial();
    quic_send_crypto(r, &c, 100, hello.b + 100, hello.n - 100);
    quic_send_closed(r, SERVER, true, 800);
    quic_send_closed(r, CLIENT, false, 80);
    quic_send_crypto(r, &s, 0, reply.b, reply.n);
    assert_int_equal(r->n_decided, 0);
    c.pn = 1;
    quic_send_crypto(r, &c, 0, hello.b, 100);
    assert_non_null(strstr(r->text, asked));
    assert_non_null(strstr(r->session, "established decided 0304 1301"));
}

static void test_coalesced(void **state)
{
    struct rig *r = *state;
    static struct buf b, frames, late;
    struct packet_spec c = client_initial(), s = server_initial();
    b.n = frames.n = late.n = 0;
    put_crypto(&frames, 0, hello.b, 60);
    put_packet(&b, &c, &frames);
    put_crypto(&late, 60, hello.b + 60, hello.n - 60);
    put_padding(&late);
    c.pn = 1;
    put_packet(&b, &c, &late);
    assert_int_equal(quic_send(r, CLIENT, &b), OUT_OK);
    assert_non_null(strstr(r->text, asked));
    b.n = frames.n = 0;
    put_crypto(&frames, 0, reply.b, reply.n);
    put_packet(&b, &s, &frames);
    put(&b, "\xe4\x00\x00\x00\x01\x00\x00\x40\x50", 9);
    put_fill(&b, 0x98, 80);
    put(&b, "\x45 short", 7);
    assert_int_equal(quic_send(r, SERVER, &b), OUT_OK);
    assert_non_null(strstr(r->text, answered));
    quic_send_closed(r, CLIENT, false, 40);
    assert_non_null(strstr(r->session, "established"));
}

/* A connection begins with its first packet, whatever that says. */
static void test_first_time(void **state)
{
    struct rig *r = *state;
    static struct buf frames;
    struct packet_spec c = client_initial();
    uint64_t first = r->ts_ns;
    frames.n = 0;
    put(&frames, "\x01", 1);
    assert_int_equal(quic_send_frames(r, &c, &frames), OUT_OK);
    assert_int_equal(r->last_proto, PROTO_QUIC);
    c.pn = 1;
    quic_send_crypto(r, &c, 0, hello.b, hello.n);
    end(r);
    assert_int_equal(r->n_client_hellos, 1);
    assert_int_equal(r->first_ts_ns, first);
}

/* RFC 9287: the fixed bit may be off, and Initials may have packet numbers of any length. */
static void test_header_forms(void **state)
{
    struct rig *r = *state;
    for (uint8_t pn_len = 1; pn_len <= 4; pn_len++) {
        rig_again(r);
        struct packet_spec c = client_initial(), s = server_initial();
        c.pn_len = s.pn_len = pn_len;
        c.pn = s.pn = 77;
        c.greased = s.greased = true;
        assert_int_equal(quic_send_crypto(r, &c, 0, hello.b, hello.n), OUT_OK);
        assert_int_equal(quic_send_crypto(r, &s, 0, reply.b, reply.n), OUT_OK);
        assert_int_equal(r->n_client_hellos, 1);
        assert_non_null(strstr(r->text, answered));
    }
}

/* Packet numbers beyond what their bytes hold: RFC 9000 A.3. */
static void test_packet_numbers(void **state)
{
    struct rig *r = *state;
    struct packet_spec c = client_initial();
    for (unsigned i = 0; i < hello.n; i++) {
        c.pn = i == 65   ? 267
               : i == 64 ? 277
                         : i * 4 + i / 66 * 40; /* passes 255 and 511, and once goes back */
        assert_int_equal(quic_send_crypto(r, &c, i, hello.b + i, 1), OUT_OK);
    }
    assert_true(hello.n * 4 + 40 > 512);
    assert_non_null(strstr(r->text, asked));
}

/* ---- pieces */

struct piece {
    size_t at, len;
};

/* Sends `n` pieces, those of one datagram in the same packet if `together`. */
static void send_pieces(struct rig *r, const struct piece piece[], unsigned n, bool together)
{
    static struct buf frames;
    struct packet_spec c = client_initial();
    frames.n = 0;
    for (unsigned i = 0; i < n; i++) {
        put_crypto(&frames, piece[i].at, hello.b + piece[i].at, piece[i].len);
        if (i + 1 < n && i % 2 == 0)
            put(&frames,
                "\x01\x02\x31\x31\x01\x31\x32\x33\x03\x31\x31\x01\x31\x32\x33\x34\x35\x36\x00",
                19); /* PING, ACK with one more range, the same with counts, PADDING */
        if (together && i + 1 < n)
            continue;
        c.pn = i;
        assert_int_equal(quic_send_frames(r, &c, &frames), OUT_OK);
        frames.n = 0;
    }
}

static void expect_hello(struct rig *r, const char *whole, size_t i, size_t j)
{
    if (strcmp(r->text, whole) != 0)
        fail_msg("split at %zu, %zu: %s, not %s", i, j, r->text, whole);
    end(r);
    rig_again(r);
    r->client_port = RIG_CLIENT_PORT;
}

static void test_split_in_two(void **state)
{
    struct rig *r = *state;
    static char whole[sizeof r->text];
    send_pieces(r, &(struct piece){0, hello.n}, 1, true);
    memcpy(whole, r->text, sizeof whole);
    assert_memory_equal(whole, asked, strlen(asked));
    expect_hello(r, whole, 0, 0);
    for (size_t i = 1; i < hello.n; i++) {
        struct piece a = {0, i}, b = {i, hello.n - i};
        size_t before = i < 9 ? i : 9, after = hello.n - i < 9 ? hello.n - i : 9;
        const struct piece orders[][4] = {
            {a, b},
            {b, a},
            {a, a, b, b},                            /* each twice */
            {b, a, b, a},                            /* again, when all is read */
            {a, {i - before, hello.n - i + before}}, /* overlapping */
            {b, {0, i + after}},
        };
        const unsigned n[] = {2, 2, 4, 4, 2, 2};
        for (unsigned k = 0; k < 6; k++)
            for (int together = 0; together < 2; together++) {
                send_pieces(r, orders[k], n[k], together);
                expect_hello(r, whole, i, k);
            }
    }
    assert_int_equal(decode_stats(r->d)->overlap_conflicts, 0);
}

static void test_split_in_three(void **state)
{
    struct rig *r = *state;
    static char whole[sizeof r->text];
    send_pieces(r, &(struct piece){0, hello.n}, 1, true);
    memcpy(whole, r->text, sizeof whole);
    expect_hello(r, whole, 0, 0);
    for (size_t i = 1; i < hello.n; i++)
        for (size_t j = i + 1; j < hello.n; j++) {
            static const int order[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                            {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
            const struct piece p[] = {{0, i}, {i, j - i}, {j, hello.n - j}};
            const int *o = order[(i + 3 * j) % 6];
            send_pieces(r, (struct piece[]){p[o[0]], p[o[1]], p[o[2]]}, 3, (i + j) % 5 != 0);
            expect_hello(r, whole, i, j);
        }
}

static void test_conflict(void **state)
{
    struct rig *r = *state;
    struct packet_spec c = client_initial();
    struct buf *other = calloc(1, sizeof *other);
    put(other, hello.b, hello.n);
    uint8_t *name = memmem(other->b, other->n, "quic.example", 12);
    assert_non_null(name);
    memcpy(name, "fake.example", 12);
    quic_send_crypto(r, &c, 50, hello.b + 50, hello.n - 50); /* the first copy stays */
    c.pn = 1;
    quic_send_crypto(r, &c, 0, other->b, other->n);
    assert_non_null(strstr(r->text, asked));
    assert_int_equal(decode_stats(r->d)->overlap_conflicts, 1);
    end(r);
    for (size_t i = 1; i < hello.n; i++) { /* what waits from any byte on is true, the rest lies */
        rig_again(r);
        r->client_port = RIG_CLIENT_PORT;
        c = client_initial();
        memcpy(other->b, hello.b, hello.n);
        memset(other->b + i, 0xff, hello.n - i);
        quic_send_crypto(r, &c, (uint32_t)i, hello.b + i, hello.n - i);
        c.pn = 1;
        quic_send_crypto(r, &c, 0, other->b, other->n);
        assert_non_null(strstr(r->text, asked));
        assert_int_equal(decode_stats(r->d)->overlap_conflicts, 1 + i);
        end(r);
    }
    free(other);
}

/* Every length of a second message behind the first, of which some bytes are there already. */
static void test_crypto_shift(void **state)
{
    (void)state;
    uint8_t bytes[256], have[32] = {0}, text[256];
    for (unsigned i = 0; i < sizeof text; i++)
        text[i] = (uint8_t)i;
    for (uint32_t first = 0; first < 40; first++)
        for (uint32_t gap = 0; gap < 20; gap++) {
            struct quic_crypto c = {.max = 256, .bytes = bytes, .have = have};
            struct quic_crypto_loss loss;
            struct cur body;
            uint32_t len;
            int type;
            text[0] = 1, text[1] = text[2] = 0, text[3] = (uint8_t)first;
            uint32_t rest = 4 + first + gap;
            quic_crypto_add(&c, rest, cur_of(text + rest, 30, 30), 7, &loss);
            assert_false(quic_crypto_message(&c, &type, &len, &body) && gap > 0);
            quic_crypto_add(&c, 0, cur_of(text, 4 + first, 4 + first), 8, &loss);
            assert_true(quic_crypto_message(&c, &type, &len, &body));
            assert_int_equal(len, first);
            assert_memory_equal(body.p, text + 4, first);
            quic_crypto_done(&c, len);
            assert_int_equal(c.whole, gap > 0 ? 0 : 30);
            for (unsigned i = 0; i < 256; i++)
                assert_int_equal(have[i / 8] >> i % 8 & 1, i >= gap && i < gap + 30);
            quic_crypto_add(&c, 0, cur_of(text, rest, rest), 9, &loss); /* closes the gap */
            assert_false(loss.conflict);
            assert_int_equal(c.whole, gap + 30);
            assert_memory_equal(c.bytes, text + 4 + first, gap + 30);
            quic_crypto_clear(&c);
            for (unsigned i = 0; i < sizeof have; i++)
                assert_int_equal(have[i], 0);
        }
}

static void test_large_hello(void **state)
{
    struct rig *r = *state;
    struct hello_spec large = ask;
    struct packet_spec c = client_initial();
    large.pad = 12000;
    hello.n = 0;
    put_client_hello(&hello, &large);
    for (size_t at = 0; at < hello.n; at += 1100, c.pn++)
        assert_int_equal(
            quic_send_crypto(r, &c, at, hello.b + at, hello.n - at < 1100 ? hello.n - at : 1100),
            OUT_OK);
    assert_non_null(strstr(r->text, asked));
    assert_int_equal(decode_stats(r->d)->bytes_turned_away, 0);
}

/* ---- other beginnings */

static void test_hello_retry_request(void **state)
{
    struct rig *r = *state;
    struct hello_spec retry = answer;
    struct packet_spec c = client_initial(), s = server_initial();
    static struct buf again;
    again.n = 0;
    retry.retry = true;
    put_server_hello(&again, &retry);
    quic_send_crypto(r, &c, 0, hello.b, hello.n);
    quic_send_crypto(r, &s, 0, again.b, again.n);
    assert_non_null(strstr(r->text, " retry\n"));
    c.pn = s.pn = 1;
    c.dcid = server_scid;
    quic_send_crypto(r, &c, hello.n, hello.b, hello.n);
    quic_send_crypto(r, &s, again.n, reply.b, reply.n);
    assert_int_equal(r->n_client_hellos, 2);
    assert_non_null(strstr(r->text, answered));
    quic_send_closed(r, SERVER, false, 40);
    quic_send_closed(r, CLIENT, false, 40);
    end(r);
    assert_int_equal(r->n_alive, 1);
    assert_int_equal(r->n_decided, 1);
}

static void test_retry(void **state)
{
    struct rig *r = *state;
    static const uint8_t scid[8] = "retried";
    struct packet_spec c = client_initial(), s = server_initial();
    static struct buf b;
    quic_send_crypto(r, &c, 0, hello.b, hello.n);
    b.n = 0;
    put(&b, "\xf0\x00\x00\x00\x01\x00\x08", 7);
    put(&b, scid, 8);
    put(&b, "token and integrity tag.", 24);
    assert_int_equal(quic_send(r, SERVER, &b), OUT_OK);
    c.key_dcid = c.dcid = s.key_dcid = scid;
    c.token = "token";
    c.pn = 1;
    assert_int_equal(quic_send_crypto(r, &c, 0, hello.b, hello.n), OUT_OK);
    assert_int_equal(quic_send_crypto(r, &s, 0, reply.b, reply.n), OUT_OK);
    assert_non_null(strstr(r->text, answered));
    c = client_initial(); /* a copy of the first that comes late */
    assert_int_equal(quic_send_crypto(r, &c, 0, hello.b, hello.n), OUT_OK);
    end(r);
    assert_int_equal(r->n_client_hellos, 1);
    assert_int_equal(r->n_alive, 1);
}

static void test_version_negotiation(void **state)
{
    struct rig *r = *state;
    static struct buf b;
    struct packet_spec c = client_initial(), s = server_initial();
    c.version = DRAFT_29; /* which we know, but the server does not */
    quic_send_crypto(r, &c, 0, hello.b, 40);
    b.n = 0;
    put(&b, "\x80\x00\x00\x00\x00\x00\x08", 7);
    put(&b, first_dcid, 8);
    put(&b, "\x00\x00\x00\x01", 4);
    assert_int_equal(quic_send(r, SERVER, &b), OUT_OK);
    assert_int_equal(r->last_proto, PROTO_QUIC);
    c.version = V1;
    c.pn = 1;
    quic_send_crypto(r, &c, 0, hello.b, hello.n);
    quic_send_crypto(r, &s, 0, reply.b, reply.n);
    assert_int_equal(r->n_client_hellos, 1);
    assert_non_null(strstr(r->text, answered));
    end(r);
    assert_int_equal(r->n_alive, 1);
}

/* RFC 9368: the server answers in version 2 what was asked in version 1. */
static void test_compatible_version(void **state)
{
    struct rig *r = *state;
    struct packet_spec c = client_initial(), s = server_initial();
    quic_send_crypto(r, &c, 0, hello.b, hello.n);
    s.version = V2;
    quic_send_crypto(r, &s, 0, reply.b, reply.n);
    assert_non_null(strstr(r->text, answered));
    c.version = V2;
    c.dcid = server_scid;
    c.pn = 1;
    quic_send_crypto(r, &c, 0, hello.b, hello.n);
    assert_int_equal(r->n_client_hellos, 1);
    end(r);
    assert_int_equal(r->n_alive, 1);
}

static void test_google(void **state)
{
    struct rig *r = *state;
    static struct buf frames;
    struct packet_spec c = client_initial(), s = server_initial();
    c.version = s.version = T051;
    frames.n = 0;
    put(&frames, "\x07\x00", 2);
    put_crypto(&frames, 0, hello.b, hello.n);
    frames.b[2] = 8; /* its number of CRYPTO */
    assert_int_equal(quic_send_frames(r, &c, &frames), OUT_OK);
    assert_non_null(strstr(r->text, asked));
    frames.n = 0;
    put(&frames, "\x65\x31\x31\x31\x31\x01\x31\x31\x33\x31\x31\x02\x31\x31\x31\x31\x31\x31\x31\x31",
        20); /* an ACK with numbers of two bytes, one more block and two times */
    size_t at = frames.n;
    put_crypto(&frames, 0, reply.b, reply.n);
    frames.b[at] = 8;
    assert_int_equal(quic_send_frames(r, &s, &frames), OUT_OK);
    assert_non_null(strstr(r->text, answered));
}

/* What was left of a handshake is nothing to the next one. */
static void test_clean_buffers(void **state)
{
    struct rig *r = *state;
    struct packet_spec c = client_initial(), s = server_initial();
    static struct buf other;
    other.n = 0;
    put_fill(&other, 0xee, 200);
    quic_send_crypto(r, &c, 1, other.b, 200);
    quic_send_crypto(r, &s, 1, other.b, 200);
    end(r);
    for (unsigned at = 9; at < 10; at -= 9, c.pn++, s.pn++) { /* the end first */
        quic_send_crypto(r, &c, at, hello.b + at, at == 0 ? 9 : hello.n - at);
        quic_send_crypto(r, &s, at, reply.b + at, at == 0 ? 9 : reply.n - at);
    }
    assert_non_null(strstr(r->text, asked));
    assert_non_null(strstr(r->text, answered));
    assert_int_equal(decode_stats(r->d)->overlap_conflicts, 0);
}

/* The same ports, again. */
static void test_next_connection(void **state)
{
    struct rig *r = *state;
    static const uint8_t next[8] = "another";
    struct packet_spec c = client_initial();
    both(r);
    quic_send_closed(r, SERVER, false, 40);
    quic_send_closed(r, CLIENT, false, 40);
    quic_send_crypto(r, &c, 0, hello.b, hello.n); /* a late copy */
    assert_int_equal(r->n_client_hellos, 1);
    c.key_dcid = c.dcid = next;
    quic_send_crypto(r, &c, 0, hello.b, hello.n);
    assert_int_equal(r->n_client_hellos, 2);
    end(r);
    assert_int_equal(r->n_alive, 2);
    assert_int_equal(r->n_decided, 2);
    assert_non_null(strstr(r->session, "established alive final"));
    assert_non_null(strstr(r->session, "undecided alive decided final"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
        T(test_connection),
        T(test_short_headers_establish),
        T(test_any_order),
        T(test_coalesced),
        T(test_first_time),
        T(test_header_forms),
        T(test_packet_numbers),
        T(test_split_in_two),
        T(test_split_in_three),
        T(test_conflict),
        T(test_crypto_shift),
        T(test_large_hello),
        T(test_hello_retry_request),
        T(test_retry),
        T(test_version_negotiation),
        T(test_compatible_version),
        T(test_google),
        T(test_clean_buffers),
        T(test_next_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
