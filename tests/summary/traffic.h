/* Random packets and messages from a seed, as a worker would see them: for the laws of the summary.
 */
#pragma once
#include "core/hash.h"
#include "core/pkt.h"
#include "random.h"
#include "summary/windows.h"

#include <stdio.h>
#include <stdlib.h>

enum { EVENT_MSGS = 1, ORIGINS = 3, PAIRS = 60 };

struct event {
    struct rec rec;
    unsigned pair; /* of addresses: what a worker is chosen by */
    unsigned n;
    struct msg m[EVENT_MSGS];
    struct dns_question questions[2];
    struct dns_address addresses[3];
    char name[24], text[24];
    uint8_t offer[40];
};

static const uint8_t origin_vantages[ORIGINS] = {VANTAGE_LAN, VANTAGE_WAN, VANTAGE_LAN};

/* Device `i`: its address, and who it is (0-9 gateways, 10-15 hosts, the rest strangers). */
static inline struct addr device_addr(unsigned i)
{
    const uint8_t inside[4] = {10, 0, 0, (uint8_t)(i + 1)};
    const uint8_t outside[4] = {93, 184, 216, (uint8_t)i};
    if (i == 3 || i == 17)
        return (struct addr){{0xfe, 0x80, [15] = (uint8_t)i}};
    return addr_v4(i < 16 ? inside : outside);
}

static inline struct client device_client(unsigned i)
{
    struct client c = {.site = 7 + (i & 1)};
    if (i >= 16)
        return c;
    c.kind = i < 10 ? CLIENT_GATEWAY : CLIENT_HOST;
    c.by = i % 3 == 0 && i < 10 ? BY_MAC : BY_ADDR;
    struct addr a = device_addr(i);
    if (c.by == BY_MAC)
        memcpy(c.id, (const uint8_t[]){0xac, 0xca, 0x54, 0, 0, (uint8_t)i}, 6);
    else
        memcpy(c.id, a.b, 16);
    return c;
}

static inline void event_packet(struct random *r, struct event *e, uint64_t from_ns,
                                uint64_t span_ns)
{
    static const uint16_t ports[] = {123, 53, 443, 8883, 123};
    struct rec *rec = &e->rec;
    e->pair = random_below(r, PAIRS);
    unsigned dev[2] = {e->pair % 12 + (e->pair % 5 == 0 ? 4 : 0), 16 + e->pair / 6};
    if (e->pair % 7 == 0)
        dev[1] = 8 + e->pair % 8; /* two of ours */
    if (e->pair % 11 == 0)
        dev[0] = 27;                       /* two strangers */
    int out = random_one_in(r, 2) ? 1 : 0; /* which side the first device is on */
    *rec = (struct rec){.ts_ns = from_ns + random_next(r) % span_ns,
                        .wire_len = 60 + random_below(r, 1400),
                        .link = random_one_in(r, 40) ? 147 + random_below(r, 9) : 1,
                        .origin = (uint16_t)random_below(r, ORIGINS),
                        .site = 7 + (dev[0] & 1)};
    rec->cap_len = rec->wire_len - random_below(r, 30);
    rec->outcome = (uint8_t)(random_one_in(r, 3) ? random_below(r, OUT_OUT_OF_TIME) : OUT_OK);
    rec->proto = (uint8_t)random_below(r, PROTO_N);
    for (int side = 0; side < 2; side++) {
        unsigned d = dev[side == out];
        rec->client[side] = device_client(d);
        *(side == SIDE_SRC ? &rec->src : &rec->dst) = device_addr(d);
        memcpy(rec->mac[side], (const uint8_t[]){0xac, 0xca, 0x54, 0, 0, (uint8_t)d}, 6);
        if (random_one_in(r, 4)) /* more MACs than one speak for an address */
            rec->mac[side][3] = (uint8_t)random_below(r, 3);
    }
    rec->flags = random_one_in(r, 20) ? 0 : REC_HAS_IP | REC_HAS_PORTS;
    rec->flags |= random_one_in(r, 5) ? 0 : REC_HAS_MAC;
    rec->flags |= random_one_in(r, 9) ? REC_GROUP : 0;
    rec->ip_outer = rec->flags & REC_HAS_IP ? 4 : 0;
    rec->ip_proto = random_one_in(r, 2) ? 6 : 17;
    rec->tcp_flags = (uint8_t)(random_one_in(r, 3) ? 2 : 16);
    rec->service_port = ports[random_below(r, 5)];
    rec->sport = out ? rec->service_port : 40000;
    rec->dport = out ? 40000 : rec->service_port;
    rec->payload_wire_len = random_below(r, 3) * 48;
}

static inline void event_ntp(struct random *r, struct msg *m)
{
    m->ntp = (struct ntp_msg){.leap = (uint8_t)random_below(r, 4),
                              .version = (uint8_t)(1 + random_below(r, 4)),
                              .mode = (uint8_t)random_below(r, 8),
                              .stratum = (uint8_t)random_below(r, 40),
                              .poll_log2_s = (int8_t)(random_below(r, 50) - 5),
                              .n_ext = (uint8_t)random_below(r, 2),
                              .refid = random_below(r, 25),
                              .ext_bytes = (uint16_t)random_below(r, 100),
                              .whole = !random_one_in(r, 4),
                              .kod = random_one_in(r, 9),
                              .rec_ntp64 = random_below(r, 9),
                              .xmt_ntp64 = 1,
                              .longer = random_one_in(r, 5)};
    struct ntp_msg *n = &m->ntp;
    n->is_request = n->mode == 3;
    n->is_reply = n->mode == 4;
    n->matched = n->is_reply && random_one_in(r, 2);
    n->request_ts_ns = m->ts_ns;
    n->offset_ns = (int64_t)(random_next(r) >> (5 + random_below(r, 55)));
    n->offset_ns = random_one_in(r, 2) ? -n->offset_ns : n->offset_ns;
    n->delay_ns = (int64_t)random_below(r, 900000000);
}

static inline void event_dns(struct random *r, struct event *e, struct msg *m)
{
    struct dns_msg *d = &m->dns;
    *d = (struct dns_msg){.response = random_one_in(r, 2),
                          .tcp = random_one_in(r, 6),
                          .rcode = (uint8_t)random_below(r, 5),
                          .malformed = random_one_in(r, 8),
                          .service = (uint8_t)(PROTO_DNS + random_below(r, 3)),
                          .questions = e->questions,
                          .addresses = e->addresses};
    d->n_questions = random_below(r, 3);
    d->n_addresses = d->response ? random_below(r, 4) : 0;
    d->matched = d->response && random_one_in(r, 2);
    d->query_ts_ns = m->ts_ns - random_below(r, 5);
    for (unsigned i = 0; i < d->n_questions; i++)
        e->questions[i] =
            (struct dns_question){{(const uint8_t *)e->name, 14}, (uint16_t)random_below(r, 70), 1};
    for (unsigned i = 0; i < d->n_addresses; i++)
        e->addresses[i] =
            (struct dns_address){device_addr(16 + random_below(r, 8)), random_below(r, 9999)};
}

static inline void event_tls(struct random *r, struct event *e, struct msg *m)
{
    static const uint16_t versions[] = {0x0300, 0x0301, 0x0303, 0x0304};
    struct bytes name = {(const uint8_t *)e->name, random_one_in(r, 4) ? 0 : 14};
    uint64_t id = random_below(r, 12);
    memset(e->offer, (int)id, sizeof e->offer);
    if (m->kind == MSG_TLS_SESSION) {
        int side = e->pair & 1;
        m->session =
            (struct tls_session_msg){.window_ts_ns = m->ts_ns,
                                     .first_ts_ns = m->ts_ns,
                                     .bytes = {random_below(r, 99999), random_below(r, 99999)},
                                     .alive = random_one_in(r, 2),
                                     .decided = random_one_in(r, 2),
                                     .outcome = (uint8_t)random_below(r, TLS_OUTCOME_N),
                                     .carrier = (uint8_t)random_below(r, TLS_CARRIER_N),
                                     .version = versions[random_below(r, 4)],
                                     .cipher = (uint16_t)random_below(r, 3),
                                     .hello_id = id,
                                     .answer_id = random_below(r, 5),
                                     .signs = (uint16_t)(1u << random_below(r, TLS_SIGNS_N)),
                                     .via = (uint8_t)random_below(r, VIA_N),
                                     .sni = name,
                                     .alpn = {(const uint8_t *)"h2", random_below(r, 3)},
                                     .ja4 = {(const uint8_t *)"t12d", 3 + random_below(r, 2)},
                                     .client = side ? e->rec.dst : e->rec.src,
                                     .server = side ? e->rec.src : e->rec.dst,
                                     .server_port = 443,
                                     .client_side = (uint8_t)side};
        return;
    }
    m->hello = (struct tls_hello_msg){.max_version = versions[random_below(r, 4)],
                                      .cipher = (uint16_t)random_below(r, 9),
                                      .hello_retry = random_one_in(r, 4),
                                      .carrier = random_one_in(r, 4) ? TLS_OVER_DTLS : TLS_OVER_TCP,
                                      .sslv2_format = random_one_in(r, 9),
                                      .sni = name,
                                      .offer = {e->offer, sizeof e->offer},
                                      .id = id};
}

static inline void event_message(struct random *r, struct event *e, struct msg *m)
{
    *m = (struct msg){.kind = (uint8_t)random_below(r, MSG_KIND_N),
                      .sender = (uint8_t)random_below(r, 2),
                      .ts_ns = e->rec.ts_ns,
                      .rec = &e->rec};
    snprintf(e->name, sizeof e->name, "%c%02u.Example.org", random_one_in(r, 9) ? '\n' : 'n',
             random_below(r, 30));
    snprintf(e->text, sizeof e->text, "TellStick/%u", random_below(r, 9));
    switch ((enum msg_kind)m->kind) {
    case MSG_NTP:
        event_ntp(r, m);
        break;
    case MSG_DNS:
        event_dns(r, e, m);
        break;
    case MSG_TLS_CLIENT_HELLO:
    case MSG_TLS_SERVER_HELLO:
    case MSG_TLS_SESSION:
        event_tls(r, e, m);
        break;
    case MSG_TLS_CERTIFICATES:
        m->certs.n = random_below(r, 4);
        break;
    case MSG_TLS_ALERT:
        m->alert = (struct tls_alert_msg){2, (uint8_t)random_below(r, 90)};
        break;
    case MSG_HTTP:
        m->http = (struct http_msg){.call = (uint8_t)random_below(r, 3),
                                    .answered = random_one_in(r, 2),
                                    .has_mac = true,
                                    .mac = {1, 2, 3, 4, 5, (uint8_t)random_below(r, 4)},
                                    .user_agent = {(const uint8_t *)e->text, 11},
                                    .product = {(const uint8_t *)e->text, random_below(r, 2) * 11},
                                    .client = e->rec.src,
                                    .server = e->rec.dst};
        break;
    case MSG_TCP_UNSEEN:
        m->unseen.bytes = random_below(r, 5000);
        break;
    case MSG_TLS_CERT:
        m->cert = (struct tls_cert_msg){.id = random_below(r, 9)};
        break;
    case MSG_TLS_REUSE:
        m->reuse = (struct tls_reuse_msg){.value = random_below(r, 2000),
                                          .server_port = (uint16_t)(443 + random_below(r, 2)),
                                          .what = (uint8_t)random_below(r, REUSE_WHAT_N)};
        break;
    case MSG_KIND_N:
        break;
    }
}

/* `n` events within span_ns from from_ns; free() them. */
static inline struct event *events_new(uint64_t seed, unsigned n, uint64_t from_ns,
                                       uint64_t span_ns)
{
    struct random r = {seed};
    struct event *events = calloc(n, sizeof *events);
    for (unsigned i = 0; events != NULL && i < n; i++) {
        struct event *e = &events[i];
        event_packet(&r, e, from_ns, span_ns);
        e->n = random_one_in(&r, 3) ? 0 : 1;
        if (e->rec.outcome == OUT_FILTERED)
            e->n = 0;
        for (unsigned k = 0; k < e->n; k++)
            event_message(&r, e, &e->m[k]);
    }
    return events;
}

/* Into one window, whatever the time. */
static inline void event_fold(struct window *w, const struct event *e)
{
    enum vantage vantage = (enum vantage)origin_vantages[e->rec.origin];
    struct rec rec = e->rec;
    window_packets(w, &rec, 1, origin_vantages);
    struct message_hint hints[EVENT_MSGS];
    window_message_hint(w, e->m, e->n, hints);
    for (unsigned k = 0; k < e->n; k++) {
        uint64_t ts_ns[PART_N];
        window_message(w, &e->m[k], &hints[k], window_parts(&e->m[k], ts_ns), vantage);
    }
}
