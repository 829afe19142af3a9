/* What a server answers: ServerKeyExchange, certificates, tickets, resumption, heartbeats; in one
 * piece and in every two and three. */
#include "core/cert.h"
#include "core/hash.h"
#include "decoders/decode_state.h"
#include "decoders/tls_ske.h"
#include "test_tls_rig.h"

static struct buf tmp;

static void put_block(struct buf *b, const void *p, size_t n, int bytes)
{
    put_int(b, n, bytes);
    put(b, p, n);
}

/* ---- ServerKeyExchange */

static const uint8_t mod_ssl_512[64] = {
    0x9f, 0xdb, 0x8b, 0x8a, 0x00, 0x45, 0x44, 0xf0, 0x04, 0x5f, 0x17, 0x37, 0xd0, 0xba, 0x2e, 0x0b,
    0x27, 0x4c, 0xdf, 0x1a, 0x9f, 0x58, 0x82, 0x18, 0xfb, 0x43, 0x53, 0x16, 0xa1, 0x6e, 0x37, 0x41,
    0x71, 0xfd, 0x19, 0xd8, 0xd8, 0xf3, 0x7c, 0x39, 0xbf, 0x86, 0x3f, 0xd6, 0x0e, 0x3e, 0x30, 0x06,
    0x80, 0xa3, 0x03, 0x0c, 0x6e, 0x4c, 0x37, 0x57, 0xd0, 0x8f, 0x70, 0xe6, 0xaa, 0x87, 0x10, 0x33};

static void ske_dhe(struct buf *b, bool leading_zero, bool scheme)
{
    b->n = 0;
    put_int(b, sizeof mod_ssl_512 + leading_zero, 2);
    put_fill(b, 0, leading_zero);
    put(b, mod_ssl_512, sizeof mod_ssl_512);
    put_block(b, "\x02", 1, 2);
    put_block(b, "public value", 12, 2);
    if (scheme)
        put_int(b, 0x0201, 2);
    put_block(b, "signature", 9, 2);
}

static enum outcome ske(const struct buf *b, size_t n, struct answer *a, uint64_t *value)
{
    return tls_ske_decode(cur_of(guard_copy(b->b, n), n, n), a, value);
}

static void test_ske_dhe(void **state)
{
    (void)state;
    for (int zero = 0; zero < 2; zero++)
        for (int v = 0; v < 2; v++) {
            struct answer a = {.version = v ? 0x0303 : 0x0301, .cipher = 0x0033};
            uint64_t value;
            ske_dhe(&tmp, zero, v);
            assert_int_equal(ske(&tmp, tmp.n, &a, &value), OUT_OK);
            assert_int_equal(a.dh_bits, 512);
            assert_int_equal(a.dh_prime, DH_PRIME_APACHE_512);
            assert_int_equal(a.ske_signature, v ? 0x0201 : 0);
            assert_true(value == hash_bytes("public value", 12, 0));
            size_t params = tmp.n - (v ? 13u : 11u);
            for (size_t n = 0; n < tmp.n; n++) { /* a message cut short changes nothing */
                struct answer cut = {.version = a.version, .cipher = a.cipher}, was = cut;
                bool whole = n >= params && (v == 0 || n == params);
                assert_int_equal(ske(&tmp, n, &cut, &value), whole ? OUT_OK : OUT_MALFORMED);
                if (!whole) {
                    assert_memory_equal(&cut, &was, sizeof was);
                    assert_true(value == 0);
                }
            }
        }
}

static void test_ske_others(void **state)
{
    (void)state;
    struct answer a = {.version = 0x0303, .cipher = 0xc02f};
    uint64_t value;
    tmp.n = 0;
    put(&tmp, "\x03\x00\x17", 3);
    put_block(&tmp, "point", 5, 1);
    put_int(&tmp, 0x0401, 2);
    put_block(&tmp, "signature", 9, 2);
    assert_int_equal(ske(&tmp, tmp.n, &a, &value), OUT_OK);
    assert_int_equal(a.group, 0x0017);
    assert_int_equal(a.ske_signature, 0x0401);
    assert_true(value == hash_bytes("point", 5, 0));

    a = (struct answer){.version = 0x0303,
                        .cipher = 0xc035}; /* ECDHE_PSK: a hint before, no signature */
    tmp.n = 0;
    put_block(&tmp, "hint", 4, 2);
    put(&tmp, "\x03\x00\x1d", 3);
    put_block(&tmp, "point", 5, 1);
    assert_int_equal(ske(&tmp, tmp.n, &a, &value), OUT_OK);
    assert_int_equal(a.group, 0x001d);

    a = (struct answer){.version = 0x0301, .cipher = 0xc013}; /* a curve of its own */
    tmp.n = 0;
    put(&tmp, "\x01\x20", 2);
    put_fill(&tmp, 7, 100);
    assert_int_equal(ske(&tmp, tmp.n, &a, &value), OUT_OK);
    assert_int_equal(a.flags, ANSWER_EXPLICIT_CURVE);
    assert_true(value == 0);

    a = (struct answer){.version = 0x0301,
                        .cipher = 0x0003}; /* RSA_EXPORT; also where no suite asks for it */
    tmp.n = 0;
    put_int(&tmp, 64, 2);
    put_fill(&tmp, 0x81, 64);
    put_block(&tmp, "\x01\x00\x01", 3, 2);
    put_block(&tmp, "signature", 9, 2);
    assert_int_equal(ske(&tmp, tmp.n, &a, &value), OUT_OK);
    assert_int_equal(a.flags, ANSWER_SKE_RSA);
    assert_int_equal(a.dh_bits, 512);
    a = (struct answer){.version = 0x0301, .cipher = 0x002f};
    assert_int_equal(ske(&tmp, tmp.n, &a, &value), OUT_OK);
    assert_int_equal(a.flags, ANSWER_SKE_RSA);
    a = (struct answer){.version = 0x0303, .cipher = 0x1301};
    assert_int_equal(ske(&tmp, tmp.n, &a, &value), OUT_UNSUPPORTED);
}

static void test_kx(void **state)
{
    (void)state;
    static const struct {
        uint16_t cipher;
        enum tls_kx kx;
    } rows[] = {{0x0003, TLS_KX_RSA},       {0x000a, TLS_KX_RSA},       {0x0016, TLS_KX_DHE},
                {0x0018, TLS_KX_DH_ANON},   {0x0090, TLS_KX_DHE_PSK},   {0xc014, TLS_KX_ECDHE},
                {0xc018, TLS_KX_ECDH_ANON}, {0xc035, TLS_KX_ECDHE_PSK}, {0xcc13, TLS_KX_ECDHE},
                {0x0064, TLS_KX_RSA},       {0x0094, TLS_KX_OTHER},     {0x1301, TLS_KX_OTHER},
                {0x0a0a, TLS_KX_OTHER},     {0xc004, TLS_KX_OTHER}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(tls_kx_of(rows[i].cipher), rows[i].kx);
}

/* ---- a whole handshake */

static struct buf hello, flight, ending, body;
static const struct hello_spec usual = {.version = 0x0301, .session_id = 32, .no_extensions = true};

/* The server's flight of a DHE handshake with a chain of three certificates, in records of at most
 * `most` bytes. */
static void make_flight(size_t most)
{
    body.n = flight.n = 0;
    put_server_hello(&body, &(struct hello_spec){.version = 0x0301,
                                                 .session_id = 32,
                                                 .no_extensions = true,
                                                 .ciphers = (uint16_t[]){0x0039, 0}});
    put_int(&body, 11, 1);
    size_t msg = put_begin(&body, 3), list = put_begin(&body, 3);
    for (int i = 0; i < 3; i++) {
        size_t cert = put_begin(&body, 3);
        put_fill(&body, (uint8_t)(0x30 + i), 40u + 30u * (unsigned)i);
        put_end(&body, cert, 3);
    }
    put_end(&body, list, 3);
    put_end(&body, msg, 3);
    ske_dhe(&tmp, false, false);
    put_int(&body, 12, 1);
    put_block(&body, tmp.b, tmp.n, 3);
    put(&body, "\x0d\x00\x00\x04\x01\x01\x00\x00", 8); /* CertificateRequest */
    put(&body, "\x0e\x00\x00\x00", 4);
    put_records(&flight, 22, 0x0301, &body, most);
}

static void put_protected(struct buf *b, uint16_t version)
{
    put(b, "\x14", 1);
    put_int(b, version, 2);
    put(b, "\x00\x01\x01\x16", 4);
    put_int(b, version, 2);
    put(b, "\x00\x28", 2);
    put_fill(b, 0xee, 40);
}

static void make_ending(bool ticket, uint8_t fill)
{
    ending.n = body.n = 0;
    if (ticket) {
        put_int(&body, 4, 1);
        size_t msg = put_begin(&body, 3);
        put_int(&body, 7200, 4);
        size_t t = put_begin(&body, 2);
        put_fill(&body, fill, 48);
        put_end(&body, t, 2);
        put_end(&body, msg, 3);
        put_records(&ending, 22, 0x0301, &body, 16384);
    }
    put_protected(&ending, 0x0301);
}

static void make_hello(const struct hello_spec *s)
{
    hello.n = body.n = 0;
    put_client_hello(&body, s);
    put_records(&hello, 22, 0x0301, &body, 16384);
}

static void open_connection(struct rig *r)
{
    rig_packet(r, CLIENT, F_SYN, r->seq[CLIENT]++, 0, NULL, 0, 0);
    rig_packet(r, SERVER, F_SYN | F_ACK, r->seq[SERVER]++, r->seq[CLIENT], NULL, 0, 0);
}

static void finish_connection(struct rig *r)
{
    struct buf *client = &tmp;
    client->n = 0;
    put_protected(client, 0x0301);
    rig_send(r, CLIENT, client->b, client->n);
    rig_send(r, SERVER, ending.b, ending.n);
}

#define ANSWER_FULL                                                                                \
    "answer 0301 0039 group 0000 flags 810 sig 0000 dh 512 18 ticket 7200 certs 3 kinds 0\n"

/* Sends the flight in pieces that end at `a` and `b`, in the order told, some of it twice with
 * other bytes. */
static void send_pieces(struct rig *r, size_t a, size_t b, unsigned order)
{
    static const uint8_t orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                         {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    const size_t from[3] = {0, a, b}, to[3] = {a, b, flight.n};
    static uint8_t other[sizeof flight.b];
    uint32_t seq = r->seq[SERVER];
    r->seq[SERVER] += (uint32_t)flight.n;
    for (int i = 0; i < 3; i++) {
        unsigned k = orders[order][i];
        size_t n = to[k] - from[k];
        if (n == 0)
            continue;
        rig_packet(r, SERVER, F_ACK, seq + (uint32_t)from[k], r->seq[CLIENT], flight.b + from[k], n,
                   n);
        memset(other, 0xdb, n);
        rig_packet(r, SERVER, F_ACK, seq + (uint32_t)from[k], r->seq[CLIENT], other, n, n);
    }
}

static void whole_handshake(struct rig *r)
{
    open_connection(r);
    rig_send(r, CLIENT, hello.b, hello.n);
}

static void test_every_split(void **state)
{
    (void)state;
    static struct rig r;
    static char want[sizeof r.flight];
    for (size_t most = 16384; most >= 50; most = most == 16384 ? 100 : most - 50) {
        rig_new(&r, NULL, NULL);
        make_hello(&usual);
        make_flight(most);
        make_ending(true, 0x11);
        whole_handshake(&r);
        rig_send(&r, SERVER, flight.b, flight.n);
        finish_connection(&r);
        assert_non_null(strstr(r.flight, ANSWER_FULL));
        strcpy(want, r.flight);
        for (size_t a = 0; a < flight.n; a++) {
            rig_again(&r);
            whole_handshake(&r);
            send_pieces(&r, a, a + (flight.n - a) / 2, (unsigned)a % 6);
            finish_connection(&r);
            assert_string_equal(r.flight, want);
        }
        rig_free(&r);
    }
}

/* A certificate that begins like one that came before, but is another. */
static void test_unlike(void **state)
{
    (void)state;
    static struct rig warm, fresh;
    enum { THIRD = 100 };
    uint8_t fill[THIRD];
    memset(fill, 0x32, sizeof fill);
    make_hello(&usual);
    make_ending(false, 0);
    rig_new(&warm, NULL, NULL);
    for (size_t at = 0; at < THIRD; at += 11)
        for (size_t a = 0; a < flight.n; a += 5) {
            make_flight(16384);
            rig_again(&warm);
            whole_handshake(&warm);
            rig_send(&warm, SERVER, flight.b, flight.n);
            finish_connection(&warm);
            uint8_t *third = flight.b;
            while (memcmp(third, fill, sizeof fill) != 0)
                third++;
            third[at] ^= 1;
            rig_again(&warm);
            rig_new(&fresh, NULL, NULL);
            struct rig *const both[] = {&warm, &fresh};
            for (int i = 0; i < 2; i++) {
                whole_handshake(both[i]);
                send_pieces(both[i], a, a + (flight.n - a) / 2, (unsigned)a % 6);
                finish_connection(both[i]);
            }
            assert_string_equal(warm.flight, fresh.flight);
            assert_int_equal(warm.answer.certs[2], fresh.answer.certs[2]);
            assert_int_equal(warm.answer.certs[2], cert_id(third, THIRD));
            rig_free(&fresh);
        }
    rig_free(&warm);
}

static void test_hello_splits(void **state)
{
    (void)state;
    static struct rig r;
    rig_new(&r, NULL, NULL);
    make_hello(&(struct hello_spec){.version = 0x0303, .session_id = 32, .sni = "a.example"});
    make_flight(16384);
    make_ending(false, 0);
    for (size_t a = 1; a < hello.n; a++) {
        rig_again(&r);
        open_connection(&r);
        uint32_t seq = r.seq[CLIENT];
        r.seq[CLIENT] += (uint32_t)hello.n;
        rig_packet(&r, CLIENT, F_ACK, seq + (uint32_t)a, r.seq[SERVER], hello.b + a, hello.n - a,
                   hello.n - a);
        rig_packet(&r, CLIENT, F_ACK, seq, r.seq[SERVER], hello.b, a, a);
        rig_send(&r, SERVER, flight.b, flight.n);
        finish_connection(&r);
        assert_int_equal(r.n_client_hellos, 1);
        assert_non_null(strstr(r.session, "sni a.example"));
        assert_int_equal(r.answer.n_certs, 3);
    }
    rig_free(&r);
}

/* ---- resumption */

static void abbreviated(struct rig *r, const struct hello_spec *s)
{
    make_hello(s);
    open_connection(r);
    rig_send(r, CLIENT, hello.b, hello.n);
    struct buf *b = &ending;
    b->n = body.n = 0;
    put_server_hello(&body, &(struct hello_spec){.version = 0x0301,
                                                 .session_id = 32,
                                                 .no_extensions = true,
                                                 .ciphers = (uint16_t[]){0x0039, 0}});
    put_records(b, 22, 0x0301, &body, 16384);
    put_protected(b, 0x0301);
    rig_send(r, SERVER, b->b, b->n);
    tmp.n = 0;
    put_protected(&tmp, 0x0301);
    rig_send(r, CLIENT, tmp.b, tmp.n);
}

static void test_resumption(void **state)
{
    (void)state;
    static struct rig r;
    struct decode_limits limits = rig_limits();
    limits.tls_resumptions = 64;
    rig_new(&r, &limits, NULL);
    abbreviated(&r, &usual); /* of a session that nobody saw */
    assert_int_equal(r.signs, TLS_SIGN_ID_RESUMPTION);
    assert_int_equal(r.answer.n_certs, 0);

    rig_again(&r);
    make_hello(&usual);
    make_flight(16384);
    make_ending(false, 0);
    whole_handshake(&r);
    rig_send(&r, SERVER, flight.b, flight.n);
    finish_connection(&r);
    assert_int_equal(r.signs, 0);
    struct answer first = r.answer;

    rig_again(&r);
    abbreviated(&r, &usual);
    assert_int_equal(r.signs, TLS_SIGN_ID_RESUMPTION | TLS_SIGN_INHERITED);
    assert_int_equal(r.answer.n_certs, 3);
    assert_memory_equal(r.answer.certs, first.certs, sizeof first.certs);
    assert_int_equal(r.answer.dh_prime, DH_PRIME_APACHE_512);

    rig_again(&r); /* a day and more later it is forgotten */
    r.ts_ns += UINT64_C(86401) * 1000000000;
    abbreviated(&r, &usual);
    assert_int_equal(r.signs, TLS_SIGN_ID_RESUMPTION);
    assert_int_equal(r.answer.n_certs, 0);
    assert_int_equal(decode_stats(r.d)->resumptions_turned_away, 0);

    rig_again(&r); /* another capture knows nothing of it */
    whole_handshake(&r);
    make_flight(16384);
    rig_send(&r, SERVER, flight.b, flight.n);
    make_ending(false, 0);
    finish_connection(&r);
    decode_origin_end(r.d, r.origin, r.out);
    r.origin++;
    rig_again(&r);
    abbreviated(&r, &usual);
    assert_int_equal(r.signs, TLS_SIGN_ID_RESUMPTION);
    rig_free(&r);
}

/* ---- heartbeats, renegotiation */

static void test_heartbleed(void **state)
{
    (void)state;
    static struct rig r;
    static const char request[] = "\x18\x03\x01\x00\x03\x01\x40\x00";
    static const char fine[] = "\x18\x03\x01\x00\x15\x01\x00\x02hiXXXXXXXXXXXXXXXX";
    rig_new(&r, NULL, NULL);
    make_hello(&usual);
    make_flight(16384);
    for (int good = 0; good < 2; good++) {
        for (size_t cut = 1; cut < 8; cut++) {
            rig_again(&r);
            make_ending(false, 0);
            whole_handshake(&r);
            rig_send(&r, SERVER, flight.b, flight.n);
            const char *p = good ? fine : request;
            size_t n = good ? sizeof fine - 1 : sizeof request - 1;
            rig_send(&r, CLIENT, p, cut);
            rig_send(&r, CLIENT, p + cut, n - cut);
            finish_connection(&r);
            assert_int_equal(r.signs, good ? 0 : TLS_SIGN_HEARTBLEED_REQUEST);
        }
    }
    /* under protection: a reply far longer than the request */
    tmp.n = 0;
    put(&tmp, "\x18\x03\x01\x00\x20", 5);
    put_fill(&tmp, 1, 32);
    rig_send(&r, CLIENT, tmp.b, tmp.n);
    tmp.n = 0;
    put(&tmp, "\x18\x03\x01\x02\x00", 5);
    put_fill(&tmp, 1, 512);
    rig_send(&r, SERVER, tmp.b, tmp.n);
    tmp.n = 0; /* and a second handshake */
    put(&tmp, "\x14\x03\x01\x00\x20", 5);
    put_fill(&tmp, 1, 32);
    rig_send(&r, CLIENT, tmp.b, tmp.n);
    decode_origin_end(r.d, r.origin, r.out);
    assert_int_equal(r.signs, TLS_SIGN_HEARTBLEED_REPLY | TLS_SIGN_RENEGOTIATED);
    rig_free(&r);
}

/* ---- attacks */

/* A Certificate that claims 16 MiB, and a certificate in it that claims as much. */
static void test_huge_claims(void **state)
{
    (void)state;
    static struct rig r;
    static const uint8_t claim[] = {11, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfc, 0xff, 0xff, 0xf9};
    rig_new(&r, NULL, NULL);
    make_hello(&usual);
    whole_handshake(&r);
    flight.n = body.n = 0;
    put_server_hello(&body, &(struct hello_spec){.version = 0x0301,
                                                 .session_id = 32,
                                                 .no_extensions = true,
                                                 .ciphers = (uint16_t[]){0x0039, 0}});
    put(&body, claim, sizeof claim);
    put_fill(&body, 0x30, 60000);
    put_records(&flight, 22, 0x0301, &body, 16384);
    uint32_t before = r.d->nodes.top;
    for (size_t at = 0; at < flight.n; at += 1400)
        rig_send(&r, SERVER, flight.b + at, flight.n - at < 1400 ? flight.n - at : 1400);
    assert_in_range(r.d->nodes.top, before, before + 2); /* the answer's node, and a message's */
    assert_int_equal(decode_stats(r.d)->certs_turned_away, 1);
    decode_origin_end(r.d, r.origin, r.out);
    assert_true(r.answer.flags & ANSWER_CUT);
    assert_int_equal(r.answer.n_certs, 0);
    rig_free(&r);
}

/* The flight in records of one byte each. */
static void test_tiny_records(void **state)
{
    (void)state;
    static struct rig r;
    rig_new(&r, NULL, NULL);
    make_hello(&usual);
    make_flight(1);
    make_ending(true, 0x11);
    whole_handshake(&r);
    for (size_t at = 0; at < flight.n; at++)
        rig_send(&r, SERVER, flight.b + at, 1);
    finish_connection(&r);
    assert_non_null(strstr(r.flight, ANSWER_FULL));
    decode_origin_end(r.d, r.origin, r.out);
    assert_int_equal(r.d->holders, 0);
    rig_free(&r);
}

/* Hellos that are never answered fill what there is; who comes after them is seen all the same. */
static void test_half_open_flood(void **state)
{
    (void)state;
    static struct rig r;
    struct decode_limits limits = rig_limits();
    limits.tcp_flows = 64;
    limits.tcp_buffers = 8;
    limits.tcp_buffer_bytes = 2048;
    rig_new(&r, &limits, NULL);
    make_hello(&(struct hello_spec){.version = 0x0303, .session_id = 32, .sni = "flood.example"});
    for (int i = 0; i < 2000; i++) {
        rig_again(&r);
        open_connection(&r);
        rig_send(&r, CLIENT, hello.b, hello.n - (i % 2 ? 0 : 7));
    }
    assert_true(decode_stats(r.d)->flows_turned_away > 0);
    assert_true(r.d->nodes.top <= r.d->nodes.max);
    rig_again(&r);
    make_hello(&usual);
    make_flight(16384);
    make_ending(true, 0x11);
    whole_handshake(&r);
    rig_send(&r, SERVER, flight.b, flight.n);
    finish_connection(&r);
    assert_non_null(strstr(r.flight, ANSWER_FULL));
    decode_origin_end(r.d, r.origin, r.out);
    assert_int_equal(r.d->holders, 0);
    rig_free(&r);
}

/* Of devices that are no gateway nothing is gathered, but certificates are counted. */
static void test_strangers(void **state)
{
    (void)state;
    static struct rig r;
    rig_new(&r, NULL, NULL);
    r.stranger = true;
    make_hello(&usual);
    make_flight(16384);
    make_ending(true, 0x11);
    whole_handshake(&r);
    rig_send(&r, SERVER, flight.b, flight.n);
    finish_connection(&r);
    assert_string_equal(r.flight, "");
    assert_non_null(strstr(r.text, "certificates 3\n"));
    assert_non_null(strstr(r.session, "established"));
    rig_free(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ske_dhe),
        cmocka_unit_test(test_ske_others),
        cmocka_unit_test(test_kx),
        cmocka_unit_test(test_every_split),
        cmocka_unit_test(test_unlike),
        cmocka_unit_test(test_hello_splits),
        cmocka_unit_test(test_resumption),
        cmocka_unit_test(test_heartbleed),
        cmocka_unit_test(test_huge_claims),
        cmocka_unit_test(test_tiny_records),
        cmocka_unit_test(test_half_open_flood),
        cmocka_unit_test(test_strangers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
