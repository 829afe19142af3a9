#include "sinks/events.h"

#include "core/hash.h"
#include "core/text.h"
#include "sinks/community.h"
#include "sinks/events_body.h"
#include "sinks/events_file.h"
#include "sinks/rowjson.h"
#include "summary/certs.h"

#include <netinet/in.h>
#include <stdlib.h>

struct events {
    const struct config *config;
    unsigned kinds;
    bool force;
    uint64_t n;
    struct events_file *file;
    struct community *community;
    struct certs *certs; /* NULL: none are told of */
    bool (*describe)(const uint8_t *der, size_t len, struct cert *c, struct cert_label *label);
    struct text_sink *line; /* the file's */
};

/* Who spoke to whom, seen from the event's subject. */
struct parties {
    struct community_flow flow;
    const struct client *src, *dst;
};

bool events_new(struct events **out, const char *dir, const struct config *config,
                const struct events_options *o, struct err *e)
{
    struct events *ev = calloc(1, sizeof *ev);
    if (ev == NULL) {
        err_set(e, "out of memory");
        return err_in(e, "events");
    }
    ev->config = config;
    ev->kinds = o->kinds;
    ev->force = o->force;
    ev->describe = o->describe;
    if (ev->describe != NULL && ev->kinds & EVENTS_TLS && !certs_new(&ev->certs, config, e)) {
        events_free(ev);
        return err_in(e, "events");
    }
    if (!community_new(&ev->community, 0, e)
        || !events_file_new(&ev->file, dir, "events.ndjson.zst", (int)config->zstd_level, e)) {
        events_free(ev);
        return err_in(e, "events");
    }
    ev->line = events_file_text(ev->file);
    *out = ev;
    return true;
}

void events_free(struct events *ev)
{
    if (ev == NULL)
        return;
    events_file_free(ev->file);
    community_free(ev->community);
    certs_free(ev->certs);
    free(ev);
}

uint64_t events_count(const struct events *ev)
{
    return ev->n;
}

bool events_finish(struct events *ev, struct err *e)
{
    return events_file_commit(ev->file, ev->force, e) || err_in(e, "events");
}

/* The sender is the source: of a response, the server. */
static struct parties parties_of_datagram(const struct msg *m)
{
    const struct rec *r = m->rec;
    bool forward = m->sender == SIDE_SRC;
    return (struct parties){
        .flow = {.src = forward ? r->src : r->dst,
                 .dst = forward ? r->dst : r->src,
                 .src_port = forward ? r->sport : r->dport,
                 .dst_port = forward ? r->dport : r->sport,
                 .ip_proto = r->ip_proto},
        .src = &r->client[forward ? SIDE_SRC : SIDE_DST],
        .dst = &r->client[forward ? SIDE_DST : SIDE_SRC],
    };
}

/* A session is told from its client, whoever sent the packet that ended the handshake. */
static struct parties parties_of_session(const struct msg *m)
{
    const struct tls_session_msg *s = &m->session;
    return (struct parties){
        .flow = {.src = s->client,
                 .dst = s->server,
                 .src_port = s->client_port,
                 .dst_port = s->server_port,
                 .ip_proto = m->rec->ip_proto},
        .src = &m->rec->client[s->client_side],
        .dst = &m->rec->client[s->client_side == SIDE_SRC ? SIDE_DST : SIDE_SRC],
    };
}

/* The same for both directions of an exchange, and 53 bits, which every JSON reader keeps. */
static uint64_t flow_id(const struct community_flow *f, uint64_t first_ns)
{
    struct {
        struct addr low, high;
        uint64_t first_ns;
        uint16_t low_port, high_port;
        uint32_t ip_proto;
    } key = {.first_ns = first_ns, .ip_proto = f->ip_proto};
    static_assert(sizeof key == 48, "no hidden padding in a key");
    int order = memcmp(f->src.b, f->dst.b, sizeof f->src.b);
    bool src_low = order < 0 || (order == 0 && f->src_port <= f->dst_port);
    key.low = src_low ? f->src : f->dst;
    key.high = src_low ? f->dst : f->src;
    key.low_port = src_low ? f->src_port : f->dst_port;
    key.high_port = src_low ? f->dst_port : f->src_port;
    return hash_bytes(&key, sizeof key, 0) >> 11;
}

static void put_time(struct text_sink *t, const char *member, uint64_t ns)
{
    text_printf(t, "\"%s\":\"", member);
    text_time(t, ns, 6);
    if (!t->failed)
        t->len--; /* the Z: EVE writes an offset */
    text_puts(t, "+0000\"");
}

static void put_proto(struct text_sink *t, uint8_t ip_proto)
{
    const char *name = ip_proto == IPPROTO_UDP    ? "UDP"
                       : ip_proto == IPPROTO_TCP  ? "TCP"
                       : ip_proto == IPPROTO_SCTP ? "SCTP"
                                                  : NULL;
    if (name != NULL)
        text_printf(t, "\"proto\":\"%s\",", name);
    else
        text_printf(t, "\"proto\":\"%u\",", ip_proto);
}

static void put_gateway(struct text_sink *t, const struct parties *p)
{
    char who[ROWJSON_WHO_MAX];
    const struct client *gateway = p->src->kind == CLIENT_GATEWAY   ? p->src
                                   : p->dst->kind == CLIENT_GATEWAY ? p->dst
                                                                    : NULL;
    size_t len = gateway == NULL ? 0 : rowjson_client(gateway, who);
    if (len == 0)
        return;
    text_puts(t, "\"gateway\":");
    text_json(t, who, len);
    text_puts(t, ",");
}

static void put_head(struct events *ev, const struct parties *p, const char *type, uint64_t ts_ns,
                     uint64_t first_ns)
{
    struct text_sink *t = ev->line;
    char src[ADDR_TEXT_MAX], dst[ADDR_TEXT_MAX], community[COMMUNITY_TEXT_MAX];
    addr_text(&p->flow.src, src);
    addr_text(&p->flow.dst, dst);
    community_id(ev->community, &p->flow, community);
    text_puts(t, "{");
    put_time(t, "timestamp", ts_ns);
    text_printf(t, ",\"flow_id\":%llu,\"event_type\":\"%s\",",
                (unsigned long long)flow_id(&p->flow, first_ns), type);
    text_printf(t, "\"src_ip\":\"%s\",\"src_port\":%u,\"dest_ip\":\"%s\",\"dest_port\":%u,", src,
                p->flow.src_port, dst, p->flow.dst_port);
    put_proto(t, p->flow.ip_proto);
    if (community[0] != '\0')
        text_printf(t, "\"community_id\":\"%s\",", community);
    put_gateway(t, p);
}

static bool in_scope(const struct events *ev, const struct parties *p)
{
    return ev->config->scope == SCOPE_ALL || p->src->kind == CLIENT_GATEWAY
           || p->dst->kind == CLIENT_GATEWAY;
}

static void put_line(struct events *ev)
{
    text_puts(ev->line, "}\n");
    events_file_line(ev->file);
    ev->n++;
}

static void dns_event(struct events *ev, const struct msg *m)
{
    static const char *const types[PROTO_N] = {
        [PROTO_DNS] = "dns", [PROTO_MDNS] = "mdns", [PROTO_LLMNR] = "llmnr"};
    struct parties p = parties_of_datagram(m);
    if (!in_scope(ev, &p))
        return;
    const struct dns_msg *d = &m->dns;
    put_head(ev, &p, types[d->service], m->ts_ns, d->matched ? d->query_ts_ns : m->ts_ns);
    events_dns(ev->line, ev->config, m);
    put_line(ev);
}

static void ntp_event(struct events *ev, const struct msg *m)
{
    struct parties p = parties_of_datagram(m);
    if (!in_scope(ev, &p))
        return;
    put_head(ev, &p, "ntp", m->ts_ns, m->ntp.matched ? m->ntp.request_ts_ns : m->ts_ns);
    events_ntp(ev->line, m);
    put_line(ev);
}

/* The certificate that the server of this session showed first, read. */
static bool leaf_of(struct events *ev, const struct answer *a, struct cert *c,
                    struct cert_label *label)
{
    if (ev->certs == NULL || a->n_certs == 0)
        return false;
    struct bytes der = certs_der(ev->certs, a->certs[0]);
    if (der.len == 0)
        return false;
    (void)ev->describe(der.p, der.len, c, label); /* what could be read is told */
    return true;
}

/* Of the messages that tell of a session one becomes an event: that which decides it, or its last
 * where nothing was there to decide. */
static void tls_event(struct events *ev, const struct msg *m)
{
    const struct tls_session_msg *s = &m->session;
    struct parties p = parties_of_session(m);
    if (!(s->decided || (s->final && !s->handshake_seen)) || s->outcome == TLS_CLEAR
        || !in_scope(ev, &p))
        return;
    bool quic = s->carrier == TLS_OVER_QUIC;
    put_head(ev, &p, quic ? "quic" : "tls", m->ts_ns, s->first_ts_ns);
    text_puts(ev->line, "\"flow\":{");
    put_time(ev->line, "start", s->first_ts_ns);
    text_puts(ev->line, "},");
    if (quic) {
        events_quic(ev->line, ev->config, m);
        text_puts(ev->line, ",");
    }
    struct answer a;
    struct cert c;
    struct cert_label label;
    struct events_answer answer = {0};
    if (s->answer.len > 0 && answer_read(s->answer.p, s->answer.len, &a)) {
        answer.a = &a;
        bool shown = (s->signs & TLS_SIGN_INHERITED) == 0;
        if (shown && leaf_of(ev, &a, &c, &label)) {
            answer.leaf = &c;
            answer.label = &label;
        }
    }
    events_tls(ev->line, ev->config, m, &answer);
    put_line(ev);
}

/* What is turned away is not told. */
static void keep_cert(struct events *ev, const struct msg *m)
{
    bool kept = certs_keep(ev->certs, m->cert.id, m->cert.der, m->cert.again);
    (void)kept;
}

void events_messages(struct events *ev, const struct msgs *batch)
{
    for (unsigned i = 0; i < batch->n; i++) {
        const struct msg *m = &batch->m[i];
        if (m->kind == MSG_DNS && (ev->kinds & EVENTS_DNS))
            dns_event(ev, m);
        else if (m->kind == MSG_NTP && (ev->kinds & EVENTS_NTP))
            ntp_event(ev, m);
        else if (m->kind == MSG_TLS_CERT && ev->certs != NULL)
            keep_cert(ev, m);
        else if (m->kind == MSG_TLS_SESSION && (ev->kinds & EVENTS_TLS))
            tls_event(ev, m);
    }
}
