/* Fingerprints in what is told of TLS sessions. */
#include "tests/decoders/test_tls_rig.h"

static void flight(struct rig *r, int from, const struct buf *b)
{
    assert_int_equal(rig_send(r, from, b->b, b->n), OUT_OK);
}

/* Session reports tell the fingerprints of the hellos, beside names of any length, in whatever
 * pieces hellos came; after a HelloRetryRequest those of the first. */
static void test_fingerprints(void **state)
{
    (void)state;
    static struct buf hello, record;
    char name[236], first[80], want_session[300];
    struct decode_limits limits = rig_limits();
    struct rig r;
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    const char *const names[] = {NULL, "a.example", name};
    for (int ja3 = 0; ja3 < 2; ja3++) {
        limits.ja3 = ja3;
        rig_new(&r, &limits, NULL);
        for (unsigned i = 0; i < 3 * 3; i++) {
            size_t step = i / 3 == 0 ? SIZE_MAX : i / 3 == 1 ? 700 : 90;
            rig_again(&r);
            rig_open(&r);
            for (unsigned flight_no = 0; flight_no < 4; flight_no++) {
                /* client, retry, client again without the second suite, server */
                const struct hello_spec spec = {.version = 0x0303,
                                                .sni = names[i % 3],
                                                .alpn = "h2",
                                                .pad = flight_no % 2 ? 0 : 900,
                                                .supported = {0x0304},
                                                .retry = flight_no == 1,
                                                .ciphers = flight_no % 2 ? (uint16_t[]){0x1301, 0}
                                                           : flight_no
                                                               ? (uint16_t[]){0x1301, 0x1303, 0}
                                                               : NULL};
                int from = flight_no % 2 ? SERVER : CLIENT;
                hello.n = record.n = 0;
                if (from == CLIENT)
                    put_client_hello(&hello, &spec);
                else
                    put_server_hello(&hello, &spec);
                put_records(&record, 22, 0x0303, &hello, 16384);
                for (size_t at = 0; at < record.n; at += step < record.n ? step : record.n)
                    rig_send(&r, from, record.b + at, record.n - at < step ? record.n - at : step);
                if (flight_no == 0)
                    strcpy(first, r.hello_prints[0]);
            }
            assert_string_not_equal(first, r.hello_prints[0]);
            assert_memory_equal(first, i % 3 ? "t13d" : "t13i", 4);
            rig_close(&r);
            snprintf(want_session, sizeof want_session, "%s%s", first, r.hello_prints[1] + 2);
            assert_string_equal(r.session_prints, want_session);
            assert_int_equal(strlen(want_session), 36 + 2 + (ja3 ? 64 : 0));
            assert_true(i % 3 == 0 || strstr(r.session, names[i % 3]) != NULL);
        }
        rig_free(&r);
    }
}

/* Many sessions at once: those that rest are put away, and what is told of them at their end is
 * what was told before. */
static void test_at_rest(void **state)
{
    (void)state;
    enum { SESSIONS = 6000, KINDS = 5 };
    static struct buf hello, server, finish;
    static char prints[KINDS][160];
    struct decode_limits limits = rig_limits();
    struct rig r;
    limits.tcp_flows = 8192;
    limits.ja3 = true;
    rig_new(&r, &limits, NULL);
    for (unsigned i = 0; i < 2 * SESSIONS; i++) {
        unsigned n = i % SESSIONS, kind = n % KINDS;
        static char name[KINDS][240];
        memset(name[kind], 'a' + (int)kind, 40 * kind);
        const uint16_t ciphers[] = {(uint16_t)(0xc02b + kind), 0x002f, 0};
        const struct hello_spec spec = {.version = 0x0303,
                                        .sni = kind > 0 ? name[kind] : NULL,
                                        .alpn = "h2",
                                        .ciphers = ciphers};
        r.text[0] = r.session[0] = '\0';
        r.client_port = (uint16_t)(RIG_CLIENT_PORT + n);
        r.seq[CLIENT] = 1000;
        r.seq[SERVER] = 0xfffffff0;
        hello.n = server.n = finish.n = 0;
        static struct buf body;
        body.n = 0;
        put_client_hello(&body, &spec);
        put_records(&hello, 22, 0x0301, &body, 16384);
        body.n = 0;
        put_server_hello(&body, &spec);
        put(&body, "\x0e\x00\x00\x00", 4);
        put_records(&server, 22, 0x0303, &body, 16384);
        put_record(&finish, 20, 0x0303, "\x01", 1);
        put_record(&finish, 22, 0x0303, name[0], 40);
        if (i < SESSIONS) {
            rig_open(&r);
            flight(&r, CLIENT, &hello);
            flight(&r, SERVER, &server);
            flight(&r, CLIENT, &finish);
            flight(&r, SERVER, &finish);
            assert_ptr_equal(strstr(r.session, "established decided"), r.session);
            if (i < KINDS)
                strcpy(prints[kind], r.session_prints);
        } else {
            r.seq[CLIENT] += 1 + (uint32_t)(hello.n + finish.n);
            r.seq[SERVER] += 1 + (uint32_t)(server.n + finish.n);
            rig_close(&r);
            assert_non_null(strstr(r.session, "established alive final"));
        }
        assert_string_equal(r.session_prints, prints[kind]);
        assert_int_equal(strlen(prints[kind]), 36 + 2 + 64);
        assert_true(kind == 0 || strcmp(prints[kind], prints[kind - 1]) != 0);
    }
    rig_free(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fingerprints),
        cmocka_unit_test(test_at_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
