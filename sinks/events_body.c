#include "sinks/events_body.h"

#include "core/dns_names.h"
#include "core/tls_names.h"
#include "sinks/rowjson.h"
#include "summary/names.h"

#include <math.h>

enum { NTP_UNIX_OFFSET_S = 0x83aa7e80 /* from 1900 to 1970, RFC 5905 6 */ };

static void put_flag(struct text_sink *t, const char *member, bool v)
{
    if (v)
        text_printf(t, ",\"%s\":true", member);
}

static void put_bool(struct text_sink *t, const char *member, bool v)
{
    text_printf(t, ",\"%s\":%s", member, v ? "true" : "false");
}

static void put_text(struct text_sink *t, const char *member, const char *value)
{
    text_printf(t, ",\"%s\":\"%s\"", member, value);
}

/* Bytes that need not be text: those outside printable ASCII as \DDD. */
static void put_printable(struct text_sink *t, const char *member, struct bytes b)
{
    char text[NAME_MAX_TEXT];
    uint32_t len = name_clean(b, false, text);
    text_printf(t, ",\"%s\":", member);
    text_json(t, text, len);
}

/* A name somebody asked for, as the names policy lets it be known. */
static void put_name(struct text_sink *t, const struct config *config, const char *member,
                     struct bytes name)
{
    char text[NAME_MAX_TEXT];
    uint32_t len = name_apply(config, name, false, text);
    if (len == 0)
        return;
    text_printf(t, "\"%s\":", member);
    text_json(t, text, len);
    text_put(t, ",", 1);
}

void events_seconds(struct text_sink *t, int64_t ns)
{
    uint64_t us = ((ns < 0 ? -(uint64_t)ns : (uint64_t)ns) + 500) / 1000;
    text_printf(t, "%s%llu.%06u", ns < 0 && us > 0 ? "-" : "", (unsigned long long)(us / 1000000),
                (unsigned)(us % 1000000));
}

/* EVE's object of a JA3: its MD5. */
static void put_ja3(struct text_sink *t, const char *member, struct bytes md5)
{
    if (md5.len == 0)
        return;
    text_printf(t, ",\"%s\":{\"hash\":\"", member);
    for (uint32_t i = 0; i < md5.len; i++)
        text_printf(t, "%02x", md5.p[i]);
    text_puts(t, "\"}");
}

/* ---- DNS */

static void dns_flags(struct text_sink *t, const struct dns_msg *d)
{
    text_printf(t, ",\"flags\":\"%x\"", d->flags);
    put_flag(t, "qr", d->flags & 0x8000);
    put_flag(t, "aa", d->flags & 0x0400);
    put_flag(t, "tc", d->flags & 0x0200);
    put_flag(t, "rd", d->flags & 0x0100);
    put_flag(t, "ra", d->flags & 0x0080);
    put_flag(t, "z", d->flags & 0x0040);
    text_printf(t, ",\"opcode\":%u", d->opcode);
}

static void dns_questions(struct text_sink *t, const struct config *config, const struct dns_msg *d)
{
    if (d->n_questions == 0)
        return;
    text_puts(t, ",\"queries\":[");
    for (unsigned i = 0; i < d->n_questions; i++) {
        char type[DNS_NAME_TEXT_MAX];
        dns_type_text(d->questions[i].qtype, type);
        text_puts(t, i == 0 ? "{" : ",{");
        put_name(t, config, "rrname", d->questions[i].name);
        text_printf(t, "\"rrtype\":\"%s\"}", type);
    }
    text_puts(t, "]");
}

static void dns_record(struct text_sink *t, const struct config *config, const struct dns_answer *a)
{
    char type[DNS_NAME_TEXT_MAX], addr[ADDR_TEXT_MAX];
    dns_type_text(a->rtype, type);
    text_puts(t, "{");
    put_name(t, config, "rrname", a->name);
    if (a->rtype == 28
        || (a->rtype == 1 && addr_is_v4(&a->addr))) { /* an A of another size has none */
        addr_text(&a->addr, addr);
        text_printf(t, "\"rdata\":\"%s\",", addr);
    } else {
        put_name(t, config, "rdata", a->text);
    }
    text_printf(t, "\"rrtype\":\"%s\",\"ttl\":%u}", type, a->ttl_s);
}

static void dns_section(struct text_sink *t, const struct config *config, const struct dns_msg *d,
                        uint8_t section, const char *member)
{
    bool first = true;
    for (unsigned i = 0; i < d->n_answers; i++) {
        if (d->answers[i].section != section)
            continue;
        if (first)
            text_printf(t, ",\"%s\":[", member);
        else
            text_puts(t, ",");
        dns_record(t, config, &d->answers[i]);
        first = false;
    }
    if (!first)
        text_puts(t, "]");
}

void events_dns(struct text_sink *t, const struct config *config, const struct msg *m)
{
    const struct dns_msg *d = &m->dns;
    text_printf(t, "\"dns\":{\"version\":3,\"type\":\"%s\",\"id\":%u",
                d->response ? "response" : "request", d->id);
    dns_flags(t, d);
    if (d->response) {
        char rcode[DNS_NAME_TEXT_MAX];
        dns_rcode_text(d->rcode_ext, rcode);
        put_text(t, "rcode", rcode);
        put_bool(t, "rejected", d->ancount == 0 && d->nscount == 0 && d->arcount == 0);
    }
    if (d->response && d->matched) {
        text_puts(t, ",\"rtt\":");
        events_seconds(t, (int64_t)(m->ts_ns - d->query_ts_ns));
    }
    put_flag(t, "duplicate", d->duplicate);
    put_flag(t, "malformed", d->malformed);
    put_flag(t, "truncated", d->truncated);
    dns_questions(t, config, d);
    dns_section(t, config, d, 0, "answers");
    dns_section(t, config, d, 1, "authorities");
    dns_section(t, config, d, 2, "additionals");
    text_puts(t, "}");
}

/* ---- NTP */

/* A timestamp as seconds since 1970, in the era nearest to the packet (RFC 5905 6); zero is "not
 * set". */
static void ntp_time(struct text_sink *t, const char *member, uint64_t ntp64, uint64_t near_ns)
{
    if (ntp64 == 0)
        return;
    uint64_t near_s = near_ns / 1000000000;
    uint32_t near_ntp = (uint32_t)(near_s + NTP_UNIX_OFFSET_S);
    int64_t s = (int64_t)near_s + (int32_t)((uint32_t)(ntp64 >> 32) - near_ntp);
    uint32_t us = (uint32_t)(((ntp64 & 0xffffffff) * 1000000 + 0x80000000) >> 32);
    int64_t all_us = s * 1000000 + us;
    uint64_t size = all_us < 0 ? (uint64_t)-all_us : (uint64_t)all_us;
    text_printf(t, ",\"%s\":%s%llu.%06u", member, all_us < 0 ? "-" : "",
                (unsigned long long)(size / 1000000), (unsigned)(size % 1000000));
}

/* Below stratum 2 the reference is a word of up to four letters (7.3, 7.4), above it an address or
 * a hash of one. */
static void ntp_reference(struct text_sink *t, const struct ntp_msg *n)
{
    uint8_t b[4] = {(uint8_t)(n->refid >> 24), (uint8_t)(n->refid >> 16), (uint8_t)(n->refid >> 8),
                    (uint8_t)n->refid};
    text_printf(t, ",\"reference_id\":%u", n->refid);
    if (n->stratum >= 2) {
        text_printf(t, ",\"ref_id\":\"%u.%u.%u.%u\"", b[0], b[1], b[2], b[3]);
        return;
    }
    size_t len = 4;
    while (len > 0 && b[len - 1] == 0)
        len--;
    if (len == 0)
        return;
    put_printable(t, "ref_id", (struct bytes){.p = b, .len = (uint32_t)len});
}

static void ntp_pairing(struct text_sink *t, const struct ntp_msg *n)
{
    put_flag(t, "kod", n->kod);
    put_flag(t, "duplicate", n->duplicate_reply);
    if (!n->matched)
        return;
    text_puts(t, ",\"offset\":");
    events_seconds(t, n->offset_ns);
    text_puts(t, ",\"delay\":");
    events_seconds(t, n->delay_ns);
}

void events_ntp(struct text_sink *t, const struct msg *m)
{
    const struct ntp_msg *n = &m->ntp;
    text_printf(t, "\"ntp\":{\"version\":%u,\"mode\":%u", n->version, n->mode);
    if (n->mode >= 6) {
        text_printf(t, ",\"%s\":%u", n->mode == 6 ? "op_code" : "req_code", n->priv_code);
        put_flag(t, "resp_bit", n->response);
    }
    if (n->whole) {
        text_printf(t, ",\"stratum\":%u", n->stratum);
        ntp_reference(t, n);
        text_printf(t, ",\"leap\":%u,\"poll\":%.9g,\"precision\":%.9g", n->leap,
                    ldexp(1, n->poll_log2_s), ldexp(1, n->precision_log2_s));
        text_printf(t, ",\"root_delay\":%.6f,\"root_disp\":%.6f", n->root_delay_s16 / 65536.0,
                    n->root_dispersion_s16 / 65536.0);
        ntp_time(t, "ref_time", n->ref_ntp64, m->ts_ns);
        ntp_time(t, "org_time", n->org_ntp64, m->ts_ns);
        ntp_time(t, "rec_time", n->rec_ntp64, m->ts_ns);
        ntp_time(t, "xmt_time", n->xmt_ntp64, m->ts_ns);
        text_printf(t, ",\"num_exts\":%u", n->n_ext);
        if (n->mac_len > 0)
            text_printf(t, ",\"key_id\":%u", n->key_id);
        ntp_pairing(t, n);
    }
    text_puts(t, "}");
}

/* ---- TLS */

static void tls_code(struct text_sink *t, const char *member, const char *name, uint16_t code)
{
    if (name != NULL)
        put_text(t, member, name);
    else if (code != 0)
        text_printf(t, ",\"%s\":\"0x%04x\"", member, code);
}

static void tls_version(struct text_sink *t, const char *member, uint16_t version)
{
    char text[TLS_VERSION_TEXT_MAX];
    if (version == 0)
        return;
    tls_version_text(version, text);
    put_text(t, member, text);
}

static void put_bytes(struct text_sink *t, const char *member, const char *p, size_t len)
{
    if (len == 0)
        return;
    text_printf(t, ",\"%s\":", member);
    rowjson_string(t, p, len);
}

/* EVE's form, which has no zone; of years it can write. */
static void put_when(struct text_sink *t, const char *member, int64_t s)
{
    if (s < 0 || s > INT64_MAX / 1000000000)
        return;
    text_printf(t, ",\"%s\":\"", member);
    text_time(t, (uint64_t)s * 1000000000, 0);
    if (!t->failed)
        t->len--; /* the Z */
    text_puts(t, "\"");
}

/* What a certificate says of its own is a name like others. Its number and digest lead to that name
 * in the public logs, so they stand only where names are kept. */
static void put_own(struct text_sink *t, const struct config *config, const char *member,
                    const char *p, size_t len)
{
    char text[NAME_MAX_TEXT];
    if (config->names == NAMES_KEEP) {
        put_bytes(t, member, p, len);
        return;
    }
    struct bytes name = {(const uint8_t *)p, (uint32_t)len};
    put_bytes(t, member, text, name_apply(config, name, false, text));
}

static void tls_certificate(struct text_sink *t, const struct config *config, const struct cert *c,
                            const struct cert_label *label)
{
    put_own(t, config, "subject", c->subject, c->subject_len);
    if (c->flags & CERT_SELF_ISSUED)
        put_own(t, config, "issuerdn", c->issuer, c->issuer_len);
    else
        put_bytes(t, "issuerdn", c->issuer, c->issuer_len);
    if (config->names == NAMES_KEEP) {
        put_bytes(t, "serial", label->serial, strlen(label->serial));
        put_bytes(t, "fingerprint", label->fingerprint, strlen(label->fingerprint));
    }
    if (c->not_before_s == 0 && c->not_after_s == 0)
        return; /* not read */
    put_when(t, "notbefore", c->not_before_s);
    put_when(t, "notafter", c->not_after_s);
}

static void tls_signs(struct text_sink *t, const struct tls_session_msg *s)
{
    const char *before = ",\"signs\":[";
    for (unsigned i = 0; i < TLS_SIGNS_N; i++) {
        if ((s->signs >> i & 1) == 0)
            continue;
        text_printf(t, "%s\"%s\"", before, tls_sign_names[i]);
        before = ",";
    }
    text_puts(t, s->signs != 0 ? "]" : "");
}

void events_quic(struct text_sink *t, const struct config *config, const struct msg *m)
{
    uint32_t v = m->session.quic_version;
    const char text[] = {(char)(v >> 24), (char)(v >> 16), (char)(v >> 8), (char)v, '\0'};
    text_puts(t, "\"quic\":{");
    put_name(t, config, "sni", m->session.sni);
    if (v >> 24 == 'T') /* Google's */
        text_printf(t, "\"version\":\"%s\"}", text);
    else
        text_printf(t, "\"version\":\"%x\"}", v);
}

void events_tls(struct text_sink *t, const struct config *config, const struct msg *m,
                const struct events_answer *answer)
{
    static const char *const outcomes[] = {
        [TLS_UNDECIDED] = "undecided", [TLS_ESTABLISHED] = "established", [TLS_REFUSED] = "refused",
        [TLS_RESET] = "reset",         [TLS_PARTIAL] = "partial",         [TLS_CLEAR] = "cleartext",
    };
    static_assert(sizeof outcomes / sizeof *outcomes == TLS_OUTCOME_N, "a name per outcome");
    const struct tls_session_msg *s = &m->session;
    text_puts(t, "\"tls\":{");
    put_name(t, config, "sni", s->sni);
    text_printf(t, "\"established\":%s", s->outcome == TLS_ESTABLISHED ? "true" : "false");
    put_text(t, "outcome", outcomes[s->outcome]);
    tls_version(t, "version", s->version);
    if (s->client_seen)
        tls_version(t, "client_max_version", s->client_max_version);
    if (!s->handshake_seen)
        tls_version(t, "record_version", s->record_version);
    if (s->server_seen) {
        const char *cipher = tls_cipher_name(s->cipher);
        tls_code(t, "cipher", cipher, s->cipher);
        bool shown = s->group == 0 && answer->a != NULL && (s->signs & TLS_SIGN_INHERITED) == 0;
        uint16_t group = shown ? answer->a->group : s->group;
        tls_code(t, "curve", group == 0 ? NULL : tls_group_name(group), group);
        put_bool(t, "resumed", s->resumed);
        put_flag(t, "session_resumed", s->resumed);
    }
    if (s->has_alert) {
        const char *alert = tls_alert_name(s->last_alert);
        if (alert != NULL)
            put_text(t, "last_alert", alert);
        else
            text_printf(t, ",\"last_alert\":\"unknown-%u\"", s->last_alert);
        text_printf(t, ",\"last_alert_level\":%u", s->last_alert_level);
    }
    if (s->alpn.len > 0)
        put_printable(t, "next_protocol", s->alpn);
    if (answer->leaf != NULL)
        tls_certificate(t, config, answer->leaf, answer->label);
    if (s->signs & TLS_SIGN_ECH_OUTER)
        put_text(t, "sni_trust", "outer");
    if (s->via != VIA_DIRECT)
        put_text(t, "via", tls_via_names[s->via]);
    tls_signs(t, s);
    if (s->answer_id != 0)
        text_printf(t, ",\"answer\":\"%016llx\"", (unsigned long long)s->answer_id);
    if (s->hello_id != 0)
        text_printf(t, ",\"hello\":\"%016llx\"", (unsigned long long)s->hello_id);
    if (s->ja4.len > 0)
        put_printable(t, "ja4", s->ja4);
    put_ja3(t, "ja3", s->ja3);
    put_ja3(t, "ja3s", s->ja3s);
    text_puts(t, "}");
}
