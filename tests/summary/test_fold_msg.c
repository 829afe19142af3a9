/* Hand-made messages, and the rows they must give; what is kept of whom. */
#include "summary/tables.h"

#include "fold_rig.h"

/* ---- messages */

static void ntp_pair(void **state)
{
    (void)state;
    static const struct {
        unsigned client, server;
        size_t rows;
    } cases[] = {{GATEWAY, SERVER, 1}, {SERVER, GATEWAY, 1}, {GATEWAY, GATEWAY_BY_ADDR, 2}};
    for (unsigned i = 0; i < 3; i++) {
        fresh(SCOPE_GATEWAYS, NAMES_KEEP);
        struct rec ask = packet(cases[i].client, cases[i].server, 0);
        struct rec answer = packet(cases[i].server, cases[i].client, 20000000);
        struct msg q = {.kind = MSG_NTP,
                        .ts_ns = ask.ts_ns,
                        .rec = &ask,
                        .ntp = {.version = 4,
                                .mode = 3,
                                .poll_log2_s = 6,
                                .whole = true,
                                .is_request = true,
                                .refid = 5,
                                .stratum = 3}};
        struct msg a = {.kind = MSG_NTP,
                        .ts_ns = answer.ts_ns,
                        .rec = &answer,
                        .ntp = {.version = 4,
                                .mode = 4,
                                .stratum = 2,
                                .poll_log2_s = 6,
                                .refid = 0x0a000001,
                                .whole = true,
                                .is_reply = true,
                                .matched = true,
                                .request_ts_ns = ask.ts_ns,
                                .n_ext = 1,
                                .ext_bytes = 28,
                                .rec_ntp64 = 1,
                                .xmt_ntp64 = 2,
                                .offset_ns = -3000000,
                                .delay_ns = 20000000}};
        tell(&q);
        tell(&a);
        a.ntp.kod = true;
        a.ntp.stratum = 0;
        a.ntp.refid = 0x52415445; /* RATE */
        a.ntp.matched = false;
        tell(&a);
        a.ntp.matched = true; /* a kiss code pairs, but its times mean nothing */
        a.ntp.request_ts_ns = ask.ts_ns;
        tell(&a);
        size_t n;
        void *const *rows = window_rows(w, ROW_NTP, &n);
        assert_int_equal(n, cases[i].rows);
        for (size_t k = 0; k < n; k++) {
            const struct row_ntp *r = rows[k];
            bool client = memcmp(&r->key.client, &ask.client[SIDE_SRC], sizeof r->key.client) == 0;
            assert_int_equal(r->key.role, client ? ROLE_CLIENT : ROLE_SERVER);
            assert_memory_equal(&r->key.peer, client ? &ask.dst : &ask.src, 16);
            assert_int_equal(r->requests, 1);
            assert_int_equal(r->replies, 3);
            assert_int_equal(r->pairs, 2);
            assert_int_equal(r->unmatched, 1);
            assert_int_equal(r->modes[3], 1);
            assert_int_equal(r->modes[4], 3);
            assert_int_equal(r->strata, 1 << 0 | 1 << 2); /* of replies alone */
            assert_int_equal(r->polls, 1 << 6);
            assert_int_equal(r->versions, 1 << 4);
            assert_int_equal(r->kiss[KISS_RATE], 2);
            assert_int_equal(r->ext_packets, 3);
            assert_int_equal(r->ext_bytes, 84);
            assert_int_equal(r->refids.n, 1);
            assert_int_equal(r->refids.value[0], 0x0a000001);
            assert_int_equal(window_hist_count(w, &r->offset, hist_bucket(-3000000)), 1);
            assert_int_equal(window_hist_count(w, &r->delay, hist_bucket(20000000)), 1);
        }
        const struct totals *t = window_totals(w);
        assert_int_equal(t->ntp.packets, 4);
        assert_int_equal(t->ntp.by_mode[4], 3);
        assert_int_equal(t->ntp.by_stratum[3], 1);
        assert_int_equal(rows_of(ROW_UNATTRIBUTED), cases[i].client == SERVER);
    }
}

static struct dns_question question;
static struct dns_address address;

static struct msg dns_answer_msg(const struct rec *r, const char *name)
{
    question = (struct dns_question){bytes_of(name), 1, 1};
    address = (struct dns_address){device_addr(SERVER), 300};
    return (struct msg){.kind = MSG_DNS,
                        .ts_ns = r->ts_ns,
                        .rec = r,
                        .dns = {.response = true,
                                .service = PROTO_DNS,
                                .matched = true,
                                .query_ts_ns = r->ts_ns - 30000000,
                                .n_questions = 1,
                                .n_addresses = 1,
                                .questions = &question,
                                .addresses = &address}};
}

static struct rec dns_packet(unsigned from, unsigned to)
{
    struct rec r = packet(from, to, 100000000);
    r.sport = 53;
    r.service_port = 53;
    return r;
}

static void dns_exchange(void **state)
{
    (void)state;
    fresh(SCOPE_GATEWAYS, NAMES_KEEP);
    struct rec r = dns_packet(SERVER, GATEWAY);
    struct msg m = dns_answer_msg(&r, "API.Telldus.com");
    tell(&m);
    m.dns.response = m.dns.matched = false;
    m.dns.n_addresses = 0;
    m.sender = SIDE_DST;
    tell(&m);
    const struct row_dns *d = only(ROW_DNS);
    assert_int_equal(d->key.role, ROLE_CLIENT);
    assert_memory_equal(&d->key.peer, &r.src, 16);
    assert_int_equal(d->queries, 1);
    assert_int_equal(d->responses, 1);
    assert_int_equal(d->answered, 1);
    assert_int_equal(d->by_qtype[0], 1);
    assert_int_equal(d->by_rcode[0], 1);
    assert_int_equal(window_hist_count(w, &d->latency, hist_bucket(30000000)), 1);
    const struct row_binding *b = only(ROW_BINDING); /* not the alias, not the additional record */
    assert_int_equal(b->key.kind, BIND_DNS);
    assert_memory_equal(&b->key.addr, &address.addr, 16);
    assert_text(b->key.value, "api.telldus.com");
    assert_int_equal(b->count, 1);
    assert_int_equal(b->matched, 1);
    assert_int_equal(b->key.ttl_max_s, 300);
    assert_int_equal(b->first_ns, r.ts_ns);
    assert_int_equal(b->key.client.kind, CLIENT_NONE);
    assert_true(b->key.client.site == r.client[SIDE_DST].site);
    assert_int_equal(b->clients.n, 1);
    assert_int_equal(__builtin_popcount(b->resolvers), 1);
    const struct totals *t = window_totals(w);
    assert_int_equal(t->dns.udp_messages, 2);
    assert_int_equal(t->dns.responses, 1);
    assert_int_equal(tally(TALLY_DNS_QTYPE, 1, ""), 2);
    assert_int_equal(tally(TALLY_DNS_RCODE, 0, ""), 1);
    const struct distinct_block *names = window_distinct_block(w, &t->dns.qnames, &distinct_large);
    assert_int_equal(distinct_count(&distinct_large, names), 1);
    struct bytes asked = m.dns.questions[0].name;
    m.dns.questions[0].name = (struct bytes){0}; /* it could not be read: no name more */
    tell(&m);
    assert_int_equal(distinct_count(&distinct_large, names), 1);
    m.dns.questions[0].name = asked;
    m.dns.service = PROTO_MDNS; /* anyone may say so: totals alone */
    tell(&m);
    assert_int_equal(t->mdns.queries, 1);
    assert_int_equal(t->dns.udp_messages, 3);
    assert_int_equal(rows_of(ROW_BINDING), 1);
}

/* An address has at most BINDING_NAMES names: those of the smallest hash; the rest is summed. */
static void names_of_an_address(void **state)
{
    (void)state;
    fresh(SCOPE_GATEWAYS, NAMES_KEEP);
    struct rec r = dns_packet(SERVER, GATEWAY);
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < 20; i++) {
            char name[16];
            snprintf(name, sizeof name, "n%02d.org", round ? 19 - i : i);
            struct msg m = dns_answer_msg(&r, name);
            tell(&m);
        }
    uint64_t largest = 0, sum = 0;
    for (int again = 0; again < 2; again++) { /* a second look shows the same */
        size_t n;
        void *const *rows = window_rows(w, ROW_BINDING, &n);
        assert_int_equal(n, BINDING_NAMES);
        sum = 0;
        for (size_t i = 0; i < n; i++) {
            const struct row_binding *b = rows[i];
            assert_int_equal(b->count, 2);
            sum += b->count;
            uint64_t hash = key_hash(w, ROW_BINDING, &b->key);
            largest = hash > largest ? hash : largest;
        }
    }
    const struct row_binding *other = window_other(w, ROW_BINDING);
    assert_int_equal(sum + other->count, 40);
    int smaller = 0;
    for (int i = 0; i < 20; i++) { /* by the hash of a row made anew */
        char name[16];
        struct row_binding key = {.key = {.client = {.site = r.client[SIDE_DST].site},
                                          .addr = address.addr,
                                          .kind = BIND_DNS}};
        key.key.value =
            window_intern(w, name, (uint32_t)snprintf(name, sizeof name, "n%02d.org", i));
        smaller += key_hash(w, ROW_BINDING, &key.key) <= largest;
    }
    assert_int_equal(smaller, BINDING_NAMES);
}

static struct msg session(const struct rec *r, int client_side)
{
    return (struct msg){.kind = MSG_TLS_SESSION,
                        .ts_ns = r->ts_ns,
                        .rec = r,
                        .session = {.window_ts_ns = r->ts_ns,
                                    .first_ts_ns = r->ts_ns - 50,
                                    .bytes = {111, 222},
                                    .alive = true,
                                    .decided = true,
                                    .handshake_seen = true,
                                    .outcome = TLS_ESTABLISHED,
                                    .version = 0x0301,
                                    .cipher = 0x002f,
                                    .hello_id = 5,
                                    .sni = bytes_of("Api.Telldus.Com"),
                                    .alpn = bytes_of("h2"),
                                    .has_alert = true,
                                    .last_alert_level = 1,
                                    .last_alert = 0,
                                    .client = client_side == SIDE_SRC ? r->src : r->dst,
                                    .server = client_side == SIDE_SRC ? r->dst : r->src,
                                    .server_port = 443,
                                    .client_side = (uint8_t)client_side}};
}

/* The same session inside QUIC is another row, and no session over TCP. */
static void tls_carriers(void **state)
{
    (void)state;
    fresh(SCOPE_GATEWAYS, NAMES_KEEP);
    struct rec r = packet(GATEWAY, SERVER, 1000);
    struct msg m = session(&r, SIDE_SRC);
    tell(&m);
    m.session.carrier = TLS_OVER_QUIC;
    tell(&m);
    size_t n;
    void *const *rows = window_rows(w, ROW_TLS, &n);
    assert_int_equal(n, 2);
    assert_int_equal(((const struct row_tls *)rows[0])->key.carrier, TLS_OVER_TCP);
    assert_int_equal(((const struct row_tls *)rows[1])->key.carrier, TLS_OVER_QUIC);
    assert_int_equal(window_totals(w)->tls.sessions, 1);
}

static void tls_roles(void **state)
{
    (void)state;
    for (int client_side = 0; client_side < 2; client_side++) {
        fresh(SCOPE_GATEWAYS, NAMES_KEEP);
        struct rec r = packet(GATEWAY, SERVER, 1000);
        struct msg m = session(&r, client_side);
        tell(&m);
        m.session.decided = m.session.alive = false; /* bytes alone */
        tell(&m);
        const struct row_tls *t = only(ROW_TLS);
        bool client = client_side == SIDE_SRC;
        assert_int_equal(t->key.role, client ? ROLE_CLIENT : ROLE_SERVER);
        assert_memory_equal(&t->key.peer, &r.dst, 16);
        assert_int_equal(t->key.port, 443);
        assert_int_equal(t->key.version, 0x0301);
        assert_int_equal(t->key.alert, 0x0100);
        assert_int_equal(t->key.outcome, TLS_ESTABLISHED);
        assert_text(t->key.sni, "api.telldus.com");
        assert_text(t->key.alpn, "h2");
        assert_int_equal(t->sessions, 1);
        assert_int_equal(t->handshakes, 1);
        assert_int_equal(t->bytes_out, 2 * (client ? 111 : 222));
        assert_int_equal(t->bytes_in, 2 * (client ? 222 : 111));
        assert_int_equal(t->first_ns, r.ts_ns - 50);
        assert_int_equal(t->last_ns, r.ts_ns);
        assert_int_equal(window_totals(w)->tls.sessions, 1);
    }
}

static struct msg client_hello(const struct rec *r, const char *sni)
{
    return (struct msg){.kind = MSG_TLS_CLIENT_HELLO,
                        .ts_ns = r->ts_ns,
                        .rec = r,
                        .hello = {.legacy_version = 0x0303,
                                  .max_version = 0x0304,
                                  .sni = bytes_of(sni),
                                  .offer = bytes_of("offer"),
                                  .id = 42}};
}

static void hellos(void **state)
{
    (void)state;
    fresh(SCOPE_GATEWAYS, NAMES_KEEP);
    struct rec r = packet(GATEWAY, SERVER, 0);
    struct msg m = client_hello(&r, "Api.Telldus.Com");
    tell(&m);
    tell(&m);
    const struct row_hello *h = only(ROW_HELLO);
    assert_int_equal(h->key.id, 42);
    assert_int_equal(h->count, 2);
    assert_text(h->offer, "offer");
    m.hello.carrier = TLS_OVER_QUIC; /* counted apart, but for what it offers */
    tell(&m);
    assert_int_equal(h->count, 3);
    assert_int_equal(tally(TALLY_QUIC_SNI, 0, "Api.Telldus.Com"), 1);
    assert_int_equal(tally(TALLY_TLS_SNI, 0, "Api.Telldus.Com"), 2); /* totals keep the case */
    assert_int_equal(tally(TALLY_TLS_CLIENT_VERSION, 0x0304, ""), 2);
    struct msg s = {.kind = MSG_TLS_SERVER_HELLO,
                    .ts_ns = r.ts_ns,
                    .rec = &r,
                    .hello = {.max_version = 0x0303, .cipher = 0xc02f}};
    tell(&s);
    s.hello.carrier = TLS_OVER_QUIC;
    tell(&s);
    s.hello.carrier = TLS_OVER_TCP;
    s.hello.hello_retry = true;
    tell(&s);
    struct msg a = {.kind = MSG_TLS_ALERT, .ts_ns = r.ts_ns, .rec = &r, .alert = {2, 40}};
    tell(&a);
    struct msg c = {.kind = MSG_TLS_CERTIFICATES, .ts_ns = r.ts_ns, .rec = &r, .certs = {3}};
    tell(&c);
    struct msg u = {.kind = MSG_TCP_UNSEEN, .ts_ns = r.ts_ns, .rec = &r, .unseen = {500}};
    tell(&u);
    const struct totals *t = window_totals(w);
    assert_int_equal(t->tls.client_hellos, 2);
    assert_int_equal(t->quic.client_hellos, 1);
    assert_int_equal(t->quic.server_hellos, 1);
    assert_int_equal(t->tls.server_hellos, 1);
    assert_int_equal(t->tls.hello_retry_requests, 1);
    assert_int_equal(t->tls.certificates, 3);
    assert_int_equal(tally(TALLY_TLS_CIPHER, 0xc02f, ""), 1);
    assert_int_equal(tally(TALLY_TLS_ALERT, 0x0228, ""), 1);
    assert_int_equal(((const struct row_coverage *)only(ROW_COVERAGE))->tcp_unseen_bytes, 500);
}

/* Counted apart from those over TCP, but for what the client offers. */
static void dtls_hellos(void **state)
{
    (void)state;
    fresh(SCOPE_GATEWAYS, NAMES_KEEP);
    struct rec r = packet(GATEWAY, SERVER, 0);
    struct msg m = client_hello(&r, "api.telldus.com");
    m.hello.carrier = TLS_OVER_DTLS;
    tell(&m);
    struct msg s = {.kind = MSG_TLS_SERVER_HELLO,
                    .ts_ns = r.ts_ns,
                    .rec = &r,
                    .hello = {.carrier = TLS_OVER_DTLS, .max_version = 0xfefd, .cipher = 0xc02f}};
    tell(&s);
    s.hello.hello_retry = true;
    tell(&s);
    assert_int_equal(((const struct row_hello *)only(ROW_HELLO))->count, 1);
    struct msg e = session(&r, SIDE_SRC);
    e.session.carrier = TLS_OVER_DTLS;
    tell(&e);
    assert_int_equal(((const struct row_tls *)only(ROW_TLS))->key.carrier, TLS_OVER_DTLS);
    const struct totals *t = window_totals(w);
    assert_int_equal(t->dtls.client_hellos, 1);
    assert_int_equal(t->dtls.server_hellos, 2);
    assert_int_equal(t->tls.client_hellos + t->tls.server_hellos + t->tls.sessions, 0);
    size_t n;
    window_rows(w, ROW_TALLY, &n);
    assert_int_equal(n, 0);
}

/* The firmware's own calls name a gateway that no rule knew. */
static void firmware_calls(void **state)
{
    (void)state;
    fresh(SCOPE_GATEWAYS, NAMES_KEEP);
    struct rec r = packet(SERVER_2, SERVER, 0);
    r.site = 9;
    struct msg m = {.kind = MSG_HTTP,
                    .ts_ns = r.ts_ns,
                    .rec = &r,
                    .http = {.call = HTTP_VERSIONS,
                             .has_mac = true,
                             .mac = {0xac, 0xca, 0x54, 1, 2, 3},
                             .user_agent = bytes_of("curl"),
                             .client = r.src,
                             .server = r.dst}};
    tell(&m);
    const struct row_binding *b = only(ROW_BINDING); /* no User-Agent: nobody's device as yet */
    assert_int_equal(b->key.kind, BIND_HTTP_VERSIONS);
    assert_memory_equal(b->key.mac, m.http.mac, 6);
    assert_memory_equal(&b->key.source, &r.dst, 16);
    assert_int_equal(b->key.client.site, 9);
    assert_int_equal(b->key.client.kind, CLIENT_NONE);
    fresh(SCOPE_GATEWAYS, NAMES_KEEP);
    r = packet(GATEWAY, SERVER, 0);
    m.http.call = HTTP_ASSIGN; /* not answered: no proof */
    m.http.product = bytes_of("telldus net");
    tell(&m);
    b = only(ROW_BINDING);
    assert_int_equal(b->key.kind, BIND_USER_AGENT);
    assert_text(b->key.value, "curl");
    m.http.answered = true;
    tell(&m);
    assert_int_equal(rows_of(ROW_BINDING), 3);
}

/* ---- privacy */

static void all_messages(const struct rec *r)
{
    struct msg dns = dns_answer_msg(r, "secret.example.org");
    struct msg tls = session(r, SIDE_SRC), hello = client_hello(r, "secret.example.org");
    struct msg ntp = {.kind = MSG_NTP,
                      .ts_ns = r->ts_ns,
                      .rec = r,
                      .ntp = {.mode = 3, .version = 4, .whole = true, .is_request = true}};
    struct msg http = {.kind = MSG_HTTP,
                       .ts_ns = r->ts_ns,
                       .rec = r,
                       .http = {.user_agent = bytes_of("secret agent"), .client = r->src}};
    struct msg cert = {.kind = MSG_TLS_CERT, .ts_ns = r->ts_ns, .rec = r, .cert = {.id = 5}};
    struct msg reuse = {.kind = MSG_TLS_REUSE,
                        .sender = SIDE_DST,
                        .ts_ns = r->ts_ns,
                        .rec = r,
                        .reuse = {.value = 7, .server_port = 443}};
    tls.session.answer_id = 9;
    struct msg unseen = {.kind = MSG_TCP_UNSEEN, .ts_ns = r->ts_ns, .rec = r, .unseen = {7}};
    dns.sender = SIDE_DST;
    tls.session.sni = bytes_of("secret.example.org");
    tell(&dns), tell(&tls), tell(&hello), tell(&ntp), tell(&http), tell(&unseen);
    tell(&cert), tell(&reuse);
    dns.dns.response = false;
    dns.sender = SIDE_SRC;
    tell(&dns);
}

static void hosts_are_counters(void **state)
{
    (void)state;
    for (int scope = SCOPE_GATEWAYS; scope <= SCOPE_ALL; scope++) {
        fresh((enum scope)scope, NAMES_KEEP);
        struct rec out = packet(HOST, SERVER, 0), in = packet(SERVER, HOST, 0);
        struct rec odd = packet(HOST, SERVER, 0);
        odd.proto = PROTO_NONE;
        odd.outcome = OUT_NOT_MINE;
        count(&out, VANTAGE_LAN);
        count(&in, VANTAGE_LAN);
        count(&odd, VANTAGE_LAN);
        all_messages(&out);
        const struct totals *t = window_totals(w);
        const struct distinct_block *hosts = window_distinct_block(w, &t->hosts, &distinct_large);
        assert_int_equal(distinct_count(&distinct_large, hosts), 1);
        for (int kind = 0; kind < ROW_KIND_N; kind++) {
            bool counter = kind == ROW_UNATTRIBUTED || kind == ROW_TALLY;
            if (scope == SCOPE_ALL && kind != ROW_UNATTRIBUTED)
                assert_true(rows_of((enum row_kind)kind) > 0);
            if (scope == SCOPE_GATEWAYS && !counter)
                assert_int_equal(rows_of((enum row_kind)kind), 0);
        }
        assert_int_equal(tally(TALLY_TLS_SNI, 0, "secret.example.org"), scope == SCOPE_ALL);
        if (scope == SCOPE_ALL)
            continue;
        const struct row_unattributed *u = only(ROW_UNATTRIBUTED);
        assert_int_equal(u->key.kind, CLIENT_HOST);
        assert_int_equal(u->packets, 3);
        assert_int_equal(u->bytes, 300);
        assert_int_equal(u->protocols[PROTO_NTP], 2);
        assert_int_equal(u->ntp_exchanges, 1);
        assert_int_equal(u->dns_exchanges, 1);
        assert_int_equal(u->tls_sessions, 1);
        size_t n;
        void *const *rows = window_rows(w, ROW_TALLY, &n);
        for (size_t i = 0; i < n; i++)
            assert_int_equal(((const struct row_tally *)rows[i])->key.name, 0);
    }
}

static void strangers_are_counters(void **state)
{
    (void)state;
    fresh(SCOPE_GATEWAYS, NAMES_KEEP);
    struct rec r = packet(SERVER, SERVER_2, 0);
    r.proto = PROTO_NONE;
    r.outcome = OUT_NOT_MINE;
    count(&r, VANTAGE_LAN);
    all_messages(&r);
    const struct row_unattributed *u = only(ROW_UNATTRIBUTED);
    assert_int_equal(u->key.kind, CLIENT_NONE);
    assert_int_equal(u->packets, 1);
    assert_int_equal(rows_of(ROW_BINDING) + rows_of(ROW_TLS) + rows_of(ROW_DNS) + rows_of(ROW_NTP),
                     0);
    assert_int_equal(rows_of(ROW_CLIENT) + rows_of(ROW_PEER) + rows_of(ROW_COVERAGE), 0);
    assert_int_equal(rows_of(ROW_HELLO), 0);
}

static void name_policies(void **state)
{
    (void)state;
    for (int names = NAMES_KEEP; names <= NAMES_DROP; names++) {
        fresh(SCOPE_GATEWAYS, (enum name_policy)names);
        struct rec r = packet(GATEWAY, SERVER, 0);
        all_messages(&r);
        const struct row_tls *t = only(ROW_TLS);
        struct bytes sni = window_string(w, t->key.sni);
        bool told = tally(TALLY_TLS_SNI, 0, "secret.example.org") > 0;
        assert_int_equal(told, names == NAMES_KEEP);
        size_t n, bound = 0;
        void *const *rows = window_rows(w, ROW_BINDING, &n);
        for (size_t i = 0; i < n; i++)
            bound += ((const struct row_binding *)rows[i])->key.kind == BIND_DNS;
        assert_int_equal(bound, names != NAMES_DROP); /* without a name there is nothing to bind */
        if (names == NAMES_KEEP)
            assert_text(t->key.sni, "secret.example.org");
        if (names == NAMES_HASH) {
            assert_int_equal(sni.len, 18);
            assert_memory_equal(sni.p, "h:", 2);
        }
        if (names == NAMES_DROP)
            assert_int_equal(sni.len, 0);
        struct msg m = client_hello(&r, "api.telldus.com"); /* inside the suffixes: kept */
        tell(&m);
        assert_int_equal(tally(TALLY_TLS_SNI, 0, "api.telldus.com"), 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tls_carriers),       cmocka_unit_test(ntp_pair),
        cmocka_unit_test(dns_exchange),       cmocka_unit_test(names_of_an_address),
        cmocka_unit_test(tls_roles),          cmocka_unit_test(hellos),
        cmocka_unit_test(dtls_hellos),        cmocka_unit_test(firmware_calls),
        cmocka_unit_test(hosts_are_counters), cmocka_unit_test(strangers_are_counters),
        cmocka_unit_test(name_policies),
    };
    return cmocka_run_group_tests(tests, NULL, teardown);
}
