#define _GNU_SOURCE /* asprintf */
#include "sinks/events.h"

#include <dirent.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>
#include <zstd.h>

#define T0 UINT64_C(1519819200000000000) /* 2018-02-28T12:00:00Z */

static char dir[64];
static struct msgs batch; /* too large for a stack */

static void path_of(const char *name, char path[static 128])
{
    snprintf(path, 128, "%s/%s", dir, name);
}

static int setup(void **state)
{
    (void)state;
    strcpy(dir, "/tmp/test_events.XXXXXX");
    memset(&batch, 0, sizeof batch);
    return mkdtemp(dir) == NULL;
}

static unsigned files_in_dir(void)
{
    unsigned n = 0;
    DIR *d = opendir(dir);
    assert_non_null(d);
    for (struct dirent *entry; (entry = readdir(d)) != NULL;)
        n += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    closedir(d);
    return n;
}

static int teardown(void **state)
{
    char path[128];
    (void)state;
    path_of("events.ndjson.zst", path);
    unlink(path);
    return rmdir(dir); /* fails where a test left something behind */
}

static struct rec rec_of(const char *src, unsigned sport, const char *dst, unsigned dport,
                         uint8_t ip_proto)
{
    struct rec r = {.ts_ns = T0,
                    .flags = REC_HAS_IP | REC_HAS_PORTS,
                    .sport = (uint16_t)sport,
                    .dport = (uint16_t)dport,
                    .ip_proto = ip_proto};
    assert_true(addr_parse(src, &r.src));
    assert_true(addr_parse(dst, &r.dst));
    r.client[SIDE_SRC] = (struct client){
        .kind = CLIENT_GATEWAY, .by = BY_MAC, .id = {0xac, 0xca, 0x54, 0x00, 0x70, 0x15}};
    return r;
}

static struct bytes bytes_of(const char *text)
{
    return (struct bytes){.p = (const uint8_t *)text, .len = (uint32_t)strlen(text)};
}

static struct msg *push(enum msg_kind kind, const struct rec *rec, uint8_t sender, uint64_t ts_ns)
{
    struct msg *m = &batch.m[batch.n++];
    memset(m, 0, sizeof *m);
    m->kind = (uint8_t)kind;
    m->sender = sender;
    m->ts_ns = ts_ns;
    m->rec = rec;
    return m;
}

static struct events *begin(const struct config *config, unsigned kinds, bool force)
{
    struct err e = {""};
    struct events *ev = NULL;
    const struct events_options o = {.kinds = kinds, .force = force};
    if (!events_new(&ev, dir, config, &o, &e))
        fail_msg("%s", e.text);
    return ev;
}

/* Writes the batch and returns the lines as an array of objects. */
static json_t *written(const struct config *config, unsigned kinds)
{
    static char packed[1 << 16], text[1 << 20];
    char path[128];
    struct err e = {""};
    struct events *ev = begin(config, kinds, true);
    events_messages(ev, &batch);
    uint64_t n = events_count(ev);
    if (!events_finish(ev, &e))
        fail_msg("%s", e.text);
    events_free(ev);

    path_of("events.ndjson.zst", path);
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    size_t len = fread(packed, 1, sizeof packed, f);
    fclose(f);
    assert_true(len > 0);
    size_t text_len = ZSTD_decompress(text, sizeof text, packed, len);
    assert_false(ZSTD_isError(text_len));
    json_t *lines = json_array();
    for (char *at = text; at < text + text_len;) {
        char *end = memchr(at, '\n', (size_t)(text + text_len - at));
        json_error_t why;
        assert_non_null(end);
        json_t *row = json_loadb(at, (size_t)(end - at), JSON_REJECT_DUPLICATES, &why);
        if (row == NULL)
            fail_msg("%s in %.*s", why.text, (int)(end - at), at);
        json_array_append_new(lines, row);
        at = end + 1;
    }
    assert_int_equal(json_array_size(lines), n);
    return lines;
}

/* The member at "dns.queries.0.rrname", or NULL. */
static json_t *member(json_t *row, const char *path)
{
    char part[64];
    while (row != NULL && *path != '\0') {
        size_t n = strcspn(path, ".");
        snprintf(part, sizeof part, "%.*s", (int)n, path);
        row = json_is_array(row) ? json_array_get(row, (size_t)atoi(part))
                                 : json_object_get(row, part);
        path += n + (path[n] == '.');
    }
    return row;
}

/* Text of a member as JSON writes it: `"dns"`, `53`, `true`; "-" where there is none. */
static void expect(json_t *row, const char *path, const char *want)
{
    json_t *v = member(row, path);
    char *got = v == NULL ? strdup("-") : json_dumps(v, JSON_ENCODE_ANY);
    if (json_is_real(v)) {
        free(got);
        assert_true(asprintf(&got, "%.16g", json_real_value(v)) > 0);
    }
    if (strcmp(got, want) != 0)
        fail_msg("%s: %s, not %s", path, got, want);
    free(got);
}

static struct rec dns_rec;
static struct dns_question question;
static struct dns_answer answers[3];

static void push_dns_exchange(void)
{
    dns_rec = rec_of("192.168.1.10", 40526, "192.168.1.1", 53, IPPROTO_UDP);
    question = (struct dns_question){.name = bytes_of("0.pool.ntp.org"), .qtype = 1, .qclass = 1};
    answers[0] = (struct dns_answer){.name = bytes_of("0.pool.ntp.org"),
                                     .rtype = 5,
                                     .ttl_s = 124,
                                     .text = bytes_of("tor1.mdfnet.se")};
    answers[1] = (struct dns_answer){.name = bytes_of("tor1.mdfnet.se"), .rtype = 1, .ttl_s = 60};
    assert_true(addr_parse("193.11.114.43", &answers[1].addr));
    answers[2] = (struct dns_answer){.name = bytes_of("mdfnet.se"),
                                     .rtype = 2,
                                     .ttl_s = 9,
                                     .text = bytes_of("ns.mdfnet.se"),
                                     .section = 1};

    struct msg *m = push(MSG_DNS, &dns_rec, SIDE_SRC, T0);
    m->dns = (struct dns_msg){.id = 26096,
                              .flags = 0x0100,
                              .qdcount = 1,
                              .service = PROTO_DNS,
                              .n_questions = 1,
                              .questions = &question};
    m = push(MSG_DNS, &dns_rec, SIDE_DST, T0 + 392000);
    m->dns = (struct dns_msg){.id = 26096,
                              .flags = 0x8180,
                              .response = true,
                              .qdcount = 1,
                              .ancount = 2,
                              .nscount = 1,
                              .service = PROTO_DNS,
                              .n_questions = 1,
                              .questions = &question,
                              .n_answers = 3,
                              .answers = answers,
                              .matched = true,
                              .query_ts_ns = T0};
}

static void dns(void **state)
{
    struct config config = config_default();
    (void)state;
    push_dns_exchange();
    json_t *lines = written(&config, EVENTS_DNS);
    assert_int_equal(json_array_size(lines), 2);
    json_t *q = json_array_get(lines, 0), *r = json_array_get(lines, 1);

    expect(q, "timestamp", "\"2018-02-28T12:00:00.000000+0000\"");
    expect(q, "event_type", "\"dns\"");
    expect(q, "src_ip", "\"192.168.1.10\"");
    expect(q, "src_port", "40526");
    expect(q, "dest_ip", "\"192.168.1.1\"");
    expect(q, "dest_port", "53");
    expect(q, "proto", "\"UDP\"");
    expect(q, "gateway", "\"mac:ac:ca:54:00:70:15\"");
    expect(q, "dns.version", "3");
    expect(q, "dns.type", "\"request\"");
    expect(q, "dns.id", "26096");
    expect(q, "dns.flags", "\"100\"");
    expect(q, "dns.rd", "true");
    expect(q, "dns.qr", "-");
    expect(q, "dns.rcode", "-");
    expect(q, "dns.rejected", "-");
    expect(q, "dns.queries", "[{\"rrname\": \"0.pool.ntp.org\", \"rrtype\": \"A\"}]");

    expect(r, "timestamp", "\"2018-02-28T12:00:00.000392+0000\"");
    expect(r, "src_ip", "\"192.168.1.1\"");
    expect(r, "src_port", "53");
    expect(r, "gateway", "\"mac:ac:ca:54:00:70:15\"");
    expect(r, "dns.type", "\"response\"");
    expect(r, "dns.flags", "\"8180\"");
    expect(r, "dns.qr", "true");
    expect(r, "dns.rcode", "\"NOERROR\"");
    expect(r, "dns.rejected", "false");
    expect(r, "dns.rtt", "0.000392");
    expect(r, "dns.answers.0.rrtype", "\"CNAME\"");
    expect(r, "dns.answers.0.rdata", "\"tor1.mdfnet.se\"");
    expect(r, "dns.answers.0.ttl", "124");
    expect(r, "dns.answers.1.rrname", "\"tor1.mdfnet.se\"");
    expect(r, "dns.answers.1.rdata", "\"193.11.114.43\"");
    expect(r, "dns.answers.2", "-");
    expect(r, "dns.authorities.0.rdata", "\"ns.mdfnet.se\"");

    /* one exchange, one flow */
    assert_true(json_equal(member(q, "flow_id"), member(r, "flow_id")));
    assert_true(json_equal(member(q, "community_id"), member(r, "community_id")));
    json_int_t id = json_integer_value(member(q, "flow_id"));
    assert_true(id > 0 && id < INT64_C(1) << 53);
    json_decref(lines);
}

static void ntp(void **state)
{
    struct config config = config_default();
    struct rec rec = rec_of("192.168.1.10", 123, "193.11.114.43", 123, IPPROTO_UDP);
    (void)state;
    struct msg *m = push(MSG_NTP, &rec, SIDE_SRC, T0);
    m->ntp = (struct ntp_msg){.version = 4,
                              .mode = 3,
                              .whole = true,
                              .is_request = true,
                              .poll_log2_s = 6,
                              .precision_log2_s = -20,
                              .xmt_ntp64 = (T0 / 1000000000 + 2208988800) << 32 | 0x80000000};
    m = push(MSG_NTP, &rec, SIDE_DST, T0 + 30000000);
    m->ntp = (struct ntp_msg){.version = 4,
                              .mode = 4,
                              .whole = true,
                              .is_reply = true,
                              .stratum = 1,
                              .refid = 0x47505300,
                              .root_delay_s16 = 3277,
                              .matched = true,
                              .request_ts_ns = T0,
                              .offset_ns = -1500000,
                              .delay_ns = 29000000,
                              .poll_log2_s = -128,
                              .precision_log2_s = 127,
                              .mac_len = 20,
                              .key_id = 7};
    m = push(MSG_NTP, &rec, SIDE_DST, T0);
    m->ntp = (struct ntp_msg){.version = 2, .mode = 7, .priv_code = 42, .response = true};
    json_t *lines = written(&config, EVENTS_ALL);
    assert_int_equal(json_array_size(lines), 3);
    json_t *q = json_array_get(lines, 0), *r = json_array_get(lines, 1);

    expect(q, "event_type", "\"ntp\"");
    expect(q, "ntp.version", "4");
    expect(q, "ntp.mode", "3");
    expect(q, "ntp.poll", "64");
    expect(q, "ntp.precision", "9.53674316e-07");
    expect(q, "ntp.xmt_time", "1519819200.5");
    expect(q, "ntp.org_time", "-");
    expect(q, "ntp.ref_id", "-");
    expect(q, "ntp.num_exts", "0");
    expect(q, "ntp.offset", "-");
    expect(r, "ntp.ref_id", "\"GPS\"");
    expect(r, "ntp.reference_id", "1196446464");
    expect(r, "ntp.root_delay", "0.050003");
    expect(r, "ntp.offset", "-0.0015");
    expect(r, "ntp.delay", "0.029");
    expect(r, "ntp.key_id", "7");
    assert_true(json_equal(member(q, "flow_id"), member(r, "flow_id")));
    expect(json_array_get(lines, 2), "ntp",
           "{\"version\": 2, \"mode\": 7, \"req_code\": 42, \"resp_bit\": true}");
    json_decref(lines);
}

static struct tls_session_msg session_of(const struct rec *rec)
{
    return (struct tls_session_msg){.first_ts_ns = T0,
                                    .client = rec->src,
                                    .server = rec->dst,
                                    .client_port = rec->sport,
                                    .server_port = rec->dport,
                                    .client_side = SIDE_SRC};
}

static void quic(void **state)
{
    static const struct {
        uint32_t version;
        const char *text;
    } rows[] = {{1, "1"}, {0x6b3343cf, "6b3343cf"}, {0x54303531, "T051"}};
    enum { ROWS = sizeof rows / sizeof *rows };
    struct config config = config_default();
    struct rec rec = rec_of("2001:db8::10", 50000, "2001:db8::1", 443, IPPROTO_UDP);
    (void)state;
    for (unsigned i = 0; i < ROWS; i++) {
        struct msg *m = push(MSG_TLS_SESSION, &rec, SIDE_DST, T0 + 2000 + i);
        m->session = session_of(&rec);
        m->session.decided = m->session.handshake_seen = true;
        m->session.carrier = TLS_OVER_QUIC;
        m->session.quic_version = rows[i].version;
        m->session.sni = bytes_of(i == 0 ? "api.telldus.com" : "");
    }
    json_t *lines = written(&config, EVENTS_TLS);
    assert_int_equal(json_array_size(lines), ROWS);
    expect(json_array_get(lines, 0), "event_type", "\"quic\"");
    expect(json_array_get(lines, 0), "proto", "\"UDP\"");
    expect(json_array_get(lines, 0), "quic", "{\"sni\": \"api.telldus.com\", \"version\": \"1\"}");
    expect(json_array_get(lines, 0), "tls.sni", "\"api.telldus.com\"");
    for (unsigned i = 1; i < ROWS; i++) {
        char want[64];
        snprintf(want, sizeof want, "{\"version\": \"%s\"}", rows[i].text);
        expect(json_array_get(lines, i), "quic", want);
    }
    json_decref(lines);
}

static void tls(void **state)
{
    struct config config = config_default();
    struct rec rec = rec_of("2001:db8::10", 50000, "2001:db8::1", 443, IPPROTO_TCP);
    (void)state;
    struct msg *m = push(MSG_TLS_SESSION, &rec, SIDE_DST, T0 + 2000);
    m->session = session_of(&rec);
    m->session.decided = m->session.handshake_seen = true;
    m->session.client_seen = m->session.server_seen = true;
    m->session.outcome = TLS_ESTABLISHED;
    m->session.version = m->session.client_max_version = 0x0303;
    m->session.cipher = 0xc02f;
    m->session.group = 0x001d;
    m->session.sni = bytes_of("api.telldus.com");
    m->session.alpn = bytes_of("h2");
    m->session.hello_id = 0xabc;
    m->session.ja4 = bytes_of("t12d0101h2_000000000000_000000000000");
    m->session.ja3 = bytes_of("0123456789abcdef");
    m->session.ja3s = bytes_of("\xff\x01zzzzzzzzzzzzzz");
    /* the same session, told again when its flow ends: no second event */
    m = push(MSG_TLS_SESSION, &rec, SIDE_DST, T0 + 9000);
    m->session = session_of(&rec);
    m->session.final = m->session.handshake_seen = true;
    /* refused, with codes that have no name */
    m = push(MSG_TLS_SESSION, &rec, SIDE_DST, T0 + 10000);
    m->session = session_of(&rec);
    m->session.decided = m->session.handshake_seen = m->session.server_seen = true;
    m->session.has_alert = true;
    m->session.last_alert = 199;
    m->session.last_alert_level = 2;
    m->session.outcome = TLS_REFUSED;
    m->session.version = 0x7f17;
    m->session.cipher = 0x1a1a;
    /* began before the capture: nothing to decide, told at its end */
    m = push(MSG_TLS_SESSION, &rec, SIDE_DST, T0 + 11000);
    m->session = session_of(&rec);
    m->session.final = true;
    m->session.outcome = TLS_PARTIAL;
    m->session.record_version = 0x0301;
    json_t *lines = written(&config, EVENTS_TLS);
    assert_int_equal(json_array_size(lines), 3);

    json_t *row = json_array_get(lines, 0);
    expect(row, "event_type", "\"tls\"");
    expect(row, "proto", "\"TCP\"");
    expect(row, "src_ip", "\"2001:db8::10\"");
    expect(row, "dest_port", "443");
    expect(row, "flow.start", "\"2018-02-28T12:00:00.000000+0000\"");
    expect(row, "tls",
           "{\"sni\": \"api.telldus.com\", \"established\": true, \"outcome\": \"established\", "
           "\"version\": \"TLS 1.2\", \"client_max_version\": \"TLS 1.2\", "
           "\"cipher\": \"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256\", \"curve\": \"x25519\", "
           "\"resumed\": false, \"next_protocol\": \"h2\", \"hello\": \"0000000000000abc\", "
           "\"ja4\": \"t12d0101h2_000000000000_000000000000\", "
           "\"ja3\": {\"hash\": \"30313233343536373839616263646566\"}, "
           "\"ja3s\": {\"hash\": \"ff017a7a7a7a7a7a7a7a7a7a7a7a7a7a\"}}");
    row = json_array_get(lines, 1);
    expect(row, "tls",
           "{\"established\": false, \"outcome\": \"refused\", \"version\": \"TLS 1.3 draft-23\", "
           "\"cipher\": \"0x1a1a\", \"resumed\": false, \"last_alert\": \"unknown-199\", "
           "\"last_alert_level\": 2}");
    row = json_array_get(lines, 2);
    expect(row, "tls",
           "{\"established\": false, \"outcome\": \"partial\", \"record_version\": \"TLSv1\"}");
    json_decref(lines);
}

/* What is no gateway's is written only where the scope is all; names as the policy says. */
static void privacy(void **state)
{
    struct config config = config_default();
    (void)state;
    push_dns_exchange();
    config.names = NAMES_DROP;
    json_t *lines = written(&config, EVENTS_DNS);
    expect(json_array_get(lines, 1), "dns.queries.0.rrname", "\"0.pool.ntp.org\"");
    expect(json_array_get(lines, 1), "dns.answers.0.rdata", "-");
    expect(json_array_get(lines, 1), "dns.answers.1.rdata", "\"193.11.114.43\"");
    json_decref(lines);
    config.names = NAMES_HASH;
    config.has_names_key = true;
    lines = written(&config, EVENTS_DNS);
    const char *hashed = json_string_value(member(json_array_get(lines, 1), "dns.answers.0.rdata"));
    assert_non_null(hashed);
    assert_int_equal(strlen(hashed), 18);
    assert_memory_equal(hashed, "h:", 2);
    json_decref(lines);

    dns_rec.client[SIDE_SRC].kind = CLIENT_HOST;
    lines = written(&config, EVENTS_DNS);
    assert_int_equal(json_array_size(lines), 0);
    json_decref(lines);
    config.scope = SCOPE_ALL;
    lines = written(&config, EVENTS_DNS);
    assert_int_equal(json_array_size(lines), 2);
    expect(json_array_get(lines, 0), "gateway", "-");
    json_decref(lines);
    lines = written(&config, EVENTS_NTP | EVENTS_TLS);
    assert_int_equal(json_array_size(lines), 0);
    json_decref(lines);
}

/* Whatever bytes a name holds, the line is JSON, and one line. */
static void hostile_names(void **state)
{
    struct config config = config_default();
    struct rec rec = rec_of("192.168.1.10", 1, "192.168.1.1", 443, IPPROTO_TCP);
    static uint8_t name[256];
    (void)state;
    for (unsigned i = 0; i < sizeof name; i++)
        name[i] = (uint8_t)i;
    for (uint32_t len = 1; len <= sizeof name; len++) {
        batch.n = 0;
        struct msg *m = push(MSG_TLS_SESSION, &rec, SIDE_SRC, T0);
        m->session = session_of(&rec);
        m->session.decided = true;
        m->session.sni = (struct bytes){.p = name + sizeof name - len, .len = len};
        m->session.alpn = m->session.sni;
        json_t *lines = written(&config, EVENTS_ALL);
        assert_int_equal(json_array_size(lines), 1);
        json_decref(lines);
    }
}

static void one_file(void **state)
{
    struct config config = config_default();
    struct err e = {""};
    (void)state;
    /* given up: nothing is left */
    struct events *ev = begin(&config, EVENTS_ALL, false);
    assert_int_equal(files_in_dir(), 1);
    events_free(ev);
    events_free(NULL);
    assert_int_equal(files_in_dir(), 0);

    push_dns_exchange();
    json_decref(written(&config, EVENTS_DNS));
    /* the same again, at another level */
    config.zstd_level = 9;
    ev = begin(&config, EVENTS_DNS, false);
    events_messages(ev, &batch);
    assert_true(events_finish(ev, &e));
    events_free(ev);
    /* something else */
    ev = begin(&config, EVENTS_DNS, false);
    assert_false(events_finish(ev, &e));
    assert_non_null(strstr(e.text, "--force"));
    events_free(ev);
    assert_int_equal(files_in_dir(), 1);
    /* and by force */
    ev = begin(&config, EVENTS_DNS, true);
    assert_true(events_finish(ev, &e));
    events_free(ev);
    assert_int_equal(files_in_dir(), 1);
    /* no line at all is a zstd file, and told apart from others */
    batch.n = 0;
    json_t *lines = written(&config, EVENTS_DNS);
    assert_int_equal(json_array_size(lines), 0);
    json_decref(lines);
    ev = begin(&config, EVENTS_DNS, false);
    assert_true(events_finish(ev, &e));
    events_free(ev);

    const struct events_options o = {.kinds = EVENTS_DNS};
    assert_false(events_new(&ev, "/nonexistent/folder", &config, &o, &e));
    assert_non_null(strstr(e.text, "/nonexistent/folder"));
}

/* A disk that is full: no crash, no half file, and the run is told at its end. */
static void full_disk(void **state)
{
    struct config config = config_default();
    struct err e = {""};
    struct rlimit before, tiny = {.rlim_cur = 4096, .rlim_max = RLIM_INFINITY};
    (void)state;
    push_dns_exchange();
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    tiny.rlim_max = before.rlim_max;
    signal(SIGXFSZ, SIG_IGN);
    struct events *ev = begin(&config, EVENTS_DNS, false);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &tiny), 0);
    uint64_t x = 1;
    for (int i = 0; i < 20000; i++) {
        x = x * UINT64_C(6364136223846793005) + 1442695040888963407;
        batch.m[0].ts_ns = x >> 2; /* so that it does not compress away */
        events_messages(ev, &batch);
    }
    bool ok = events_finish(ev, &e);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_false(ok);
    assert_non_null(strstr(e.text, "write"));
    events_free(ev);
    assert_int_equal(files_in_dir(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(dns, setup, teardown),
        cmocka_unit_test_setup_teardown(ntp, setup, teardown),
        cmocka_unit_test_setup_teardown(tls, setup, teardown),
        cmocka_unit_test_setup_teardown(quic, setup, teardown),
        cmocka_unit_test_setup_teardown(privacy, setup, teardown),
        cmocka_unit_test_setup_teardown(hostile_names, setup, teardown),
        cmocka_unit_test_setup_teardown(one_file, setup, teardown),
        cmocka_unit_test_setup_teardown(full_disk, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
