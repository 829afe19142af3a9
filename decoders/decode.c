#include "decoders/decode.h"

#include "core/arena.h"
#include "core/pkt.h"
#include "decoders/decode_state.h"
#include "decoders/dns.h"
#include "decoders/ntp.h"
#include "decoders/tcp.h"

#include <stdlib.h>

enum { IP_TCP = 6, IP_UDP = 17, NETBIOS_NS = 137, AHEAD = 4 };

/* ---- datagrams */

static enum outcome ntp_datagram(struct decode *d, struct rec *rec, struct msgs *out)
{
    struct msg *m = msgs_room(out, 0);
    enum outcome o = ntp_decode(rec->payload, &m->ntp);
    if (o != OUT_OK)
        return o;
    msgs_add(out, m, MSG_NTP, rec, SIDE_SRC);
    ntp_pairs_see(d->ntp, rec, d->ahead, &m->ntp);
    return OUT_OK;
}

static enum outcome dns_message(struct decode *d, struct rec *rec, struct msgs *out)
{
    struct dns_msg *m;
    enum outcome o = dns_decode(rec->payload, rec, SIDE_SRC, PROTO_DNS, false, out, &m);
    if (m != NULL)
        dns_match_see(d->dns, rec, SIDE_SRC, d->ahead, m);
    return o;
}

static enum outcome dns_datagram(struct decode *d, struct rec *rec, struct msgs *out)
{
    return rec->payload_wire_len == 0 ? OUT_NOT_MINE : dns_message(d, rec, out);
}

static enum outcome mdns_datagram(struct decode *d, struct rec *rec, struct msgs *out)
{
    struct dns_msg *m;
    (void)d;
    if (rec->payload_wire_len == 0)
        return OUT_NOT_MINE;
    return dns_decode(rec->payload, rec, SIDE_SRC, PROTO_MDNS, false, out, &m);
}

static enum outcome llmnr_datagram(struct decode *d, struct rec *rec, struct msgs *out)
{
    struct dns_msg *m;
    (void)d;
    if (rec->payload_wire_len == 0)
        return OUT_NOT_MINE;
    return dns_decode(rec->payload, rec, SIDE_SRC, PROTO_LLMNR, false, out, &m);
}

/* DNS on a port of its own (resolvers behind forwarders, tests): by content, strictly. */
static enum outcome dns_elsewhere(struct decode *d, struct rec *rec, struct msgs *out)
{
    const struct cur *in = &rec->payload;
    bool query_like = in->left >= 17 && (in->p[2] & 0x78) == 0 && in->p[4] == 0
                      && in->p[5] == 1; /* most packets end here */
    if (!query_like || rec->sport == NETBIOS_NS || rec->dport == NETBIOS_NS || !dns_plausible(*in))
        return OUT_NOT_MINE;
    return dns_message(d, rec, out);
}

/* Every datagram decoder, in the order tried: of two known ports the lower one names the service.
 * To add one: its line here. */
static const struct datagram_decoder datagrams[] = {
    {"dns", PROTO_DNS, 53, dns_datagram},           {"ntp", PROTO_NTP, 123, ntp_datagram},
    {"mdns", PROTO_MDNS, 5353, mdns_datagram},      {"llmnr", PROTO_LLMNR, 5355, llmnr_datagram},
    {"dns elsewhere", PROTO_DNS, 0, dns_elsewhere},
};
enum { DATAGRAMS = sizeof datagrams / sizeof *datagrams };

static uint16_t smaller_port(const struct rec *rec)
{
    return rec->sport < rec->dport ? rec->sport : rec->dport;
}

static void datagram(struct decode *d, struct rec *rec, struct msgs *out)
{
    rec->service_port = smaller_port(rec);
    rec->outcome = OUT_NOT_MINE;
    for (unsigned i = 0; i < DATAGRAMS; i++) {
        const struct datagram_decoder *dec = &datagrams[i];
        bool by_port = dec->port != 0 && (rec->sport == dec->port || rec->dport == dec->port);
        if (!by_port && dec->port != 0)
            continue;
        rec->proto = (uint8_t)dec->proto; /* messages may be folded within */
        rec->outcome = (uint8_t)dec->decode(d, rec, out);
        if (rec->outcome == OUT_NOT_MINE)
            rec->proto = PROTO_NONE;
        if (by_port) {
            rec->service_port = dec->port;
            return;
        }
        if (rec->outcome != OUT_NOT_MINE)
            return;
    }
}

/* ---- bursts */

static bool is_tcp(const struct rec *rec)
{
    return rec->outcome == OUT_OK && rec->flags & REC_HAS_PORTS && rec->ip_proto == IP_TCP;
}

static bool is_ntp(const struct rec *rec)
{
    return rec->sport == 123 || rec->dport == 123;
}

static bool is_dns(const struct rec *rec)
{
    return rec->sport == 53 || rec->dport == 53;
}

/* The first pass: hashes, and hints to the cache: of buckets, then of what these lead to. */
static void look_ahead(struct decode *d, struct rec recs[], unsigned n, struct tcp_id ids[],
                       struct fifo_ahead ahead[])
{
    for (unsigned i = 0; i < n; i++) {
        struct rec *rec = &recs[i];
        rec->proto = PROTO_NONE;
        rec->service_port = 0;
        if (rec->outcome != OUT_OK || (rec->flags & REC_HAS_PORTS) == 0)
            continue;
        if (rec->ip_proto == IP_TCP) {
            tcp_table_id(&d->flows, rec, &ids[i]);
            tcp_table_prefetch(&d->flows, &ids[i]);
        } else if (rec->ip_proto == IP_UDP) {
            ahead[i].proto = PROTO_NONE;
            if (is_ntp(rec))
                ntp_pairs_ahead(d->ntp, rec, &ahead[i]);
            else if (is_dns(rec))
                dns_match_ahead(d->dns, rec, &ahead[i]);
        }
    }
    for (unsigned i = 0; i < n; i++) {
        const struct rec *rec = &recs[i];
        if (rec->outcome != OUT_OK || (rec->flags & REC_HAS_PORTS) == 0 || rec->ip_proto != IP_UDP)
            continue;
        if (ahead[i].proto == PROTO_NTP)
            ntp_pairs_prefetch(d->ntp, &ahead[i]);
        else if (ahead[i].proto == PROTO_DNS)
            dns_match_prefetch(d->dns, &ahead[i]);
    }
}

void decode_burst(struct decode *d, struct rec recs[], unsigned n, struct msgs *out)
{
    struct tcp_id ids[BURST_MAX];
    struct fifo_ahead ahead[BURST_MAX];
    uint32_t slots[BURST_MAX];
    assert(n <= BURST_MAX);
    d->n_made_up = 0;
    look_ahead(d, recs, n, ids, ahead);
    for (unsigned i = 0; i < n; i++)
        slots[i] = is_tcp(&recs[i]) ? tcp_table_peek(&d->flows, &ids[i]) : 0;
    for (unsigned i = 0; i < n; i++) {
        struct rec *rec = &recs[i];
        if (i + AHEAD < n && slots[i + AHEAD] != 0) {
            const struct stream *s =
                stream_pool_at(&d->streams, d->flows.flows[slots[i + AHEAD]].stream);
            __builtin_prefetch(&s->half[0]);
            __builtin_prefetch(&s->half[1]);
            __builtin_prefetch(&s->tls);
        }
        if (rec->outcome == OUT_OK) {
            if ((rec->flags & REC_HAS_PORTS) == 0) {
                rec->outcome = OUT_NOT_MINE;
            } else if (rec->ip_proto == IP_TCP) {
                tcp_packet(d, rec, &ids[i], out);
                if (rec->outcome == OUT_TRUNCATED && !rec->payload.snapped)
                    rec->outcome = OUT_OK; /* an earlier packet was cut: this one is whole, and its bytes were taken */
            } else if (rec->ip_proto == IP_UDP) {
                d->ahead = &ahead[i];
                datagram(d, rec, out);
            } else {
                rec->service_port = smaller_port(rec);
                rec->outcome = OUT_NOT_MINE;
            }
        } else if (rec->flags & REC_HAS_PORTS) {
            rec->service_port = smaller_port(rec);
        }
        d->stats.in++;
        d->stats.out[rec->outcome]++;
    }
}

void decode_origin_end(struct decode *d, uint16_t origin, struct msgs *out)
{
    msgs_flush(out); /* messages may borrow the made-up records of the last burst */
    d->n_made_up = 0;
    tcp_origin_end(d, origin, out);
    dns_match_origin_end(d->dns, origin);
    ntp_pairs_origin_end(d->ntp, origin);
}

void decode_sweep(struct decode *d, uint64_t before_ns, struct msgs *out)
{
    msgs_flush(out); /* messages may borrow the made-up records of the last burst */
    d->n_made_up = 0;
    tcp_sweep(d, before_ns, out);
}

const struct decode_stats *decode_stats(const struct decode *d)
{
    struct decode_stats *s = &((struct decode *)(uintptr_t)d)->stats;
    s->dns_pending_turned_away = dns_match_turned_away(d->dns);
    s->ntp_pending_turned_away = ntp_pairs_turned_away(d->ntp);
    return s;
}

/* ---- life */

bool decode_new(struct decode **out, const struct decode_limits *limits,
                const char *const http_hosts[], struct err *e)
{
    struct decode *d = calloc(1, sizeof *d);
    if (d == NULL) {
        err_set(e, "out of memory");
        return err_in(e, "decoders");
    }
    d->limits = *limits;
    d->http_hosts = http_hosts;
    /* What is kept, and what sessions remember of their hellos. */
    uint64_t nodes =
        (uint64_t)limits->tcp_buffers * (limits->tcp_buffer_bytes / STREAM_NODE_BYTES + 1)
        + 2 * (uint64_t)limits->tcp_flows;
    uint32_t n_nodes = nodes < UINT32_MAX / 2 ? (uint32_t)nodes : UINT32_MAX / 2;
    bool ok = tcp_table_init(&d->flows, limits->tcp_flows, limits->seed, e)
              && stream_pool_init(&d->streams, sizeof(struct stream), limits->tcp_flows, e)
              && stream_pool_init(&d->nodes, sizeof(struct stream_node), n_nodes, e)
              && dns_match_new(&d->dns, limits->dns_pending, limits->seed, e)
              && ntp_pairs_new(&d->ntp, limits->ntp_pending, limits->seed, e);
    if (ok) {
        d->open = arena_new((size_t)limits->tcp_flows * sizeof *d->open, e);
        d->scratch = d->open == NULL
                         ? NULL
                         : arena_new((size_t)limits->tcp_buffer_bytes + OFFER_BLOB_MAX, e);
        ok = d->scratch != NULL;
    }
    if (!ok) {
        decode_free(d);
        return err_in(e, "decoders");
    }
    *out = d;
    return true;
}

void decode_free(struct decode *d)
{
    if (d == NULL)
        return;
    arena_free(d->scratch, (size_t)d->limits.tcp_buffer_bytes + OFFER_BLOB_MAX);
    arena_free(d->open, (size_t)d->limits.tcp_flows * sizeof *d->open);
    ntp_pairs_free(d->ntp);
    dns_match_free(d->dns);
    stream_pool_end(&d->nodes);
    stream_pool_end(&d->streams);
    tcp_table_end(&d->flows);
    free(d);
}
