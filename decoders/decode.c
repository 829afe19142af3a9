#include "decoders/decode.h"

#include "core/arena.h"
#include "core/pkt.h"
#include "decoders/decode_state.h"
#include "decoders/dns.h"
#include "decoders/dtls.h"
#include "decoders/ntp.h"
#include "decoders/tcp.h"
#include "decoders/tls_calm.h"

#include <stdlib.h>

enum { IP_TCP = 6, IP_UDP = 17, NETBIOS_NS = 137, AHEAD = 8 };

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

static enum outcome dtls_anywhere(struct decode *d, struct rec *rec, struct msgs *out)
{
    return dtls_maybe(rec) ? dtls_datagram(d, rec, out) : OUT_NOT_MINE;
}

/* What is told by its content, in the order tried. */
static const struct datagram_decoder by_content[] = {
    {"quic", PROTO_QUIC, 0, quic_datagram},
    {"dtls", PROTO_DTLS, 0, dtls_anywhere},
    {"dns elsewhere", PROTO_DNS, 0, dns_elsewhere},
};

static enum outcome elsewhere(struct decode *d, struct rec *rec, struct msgs *out)
{
    for (unsigned i = 0; i < sizeof by_content / sizeof *by_content; i++) {
        rec->proto = (uint8_t)by_content[i].proto;
        enum outcome o = by_content[i].decode(d, rec, out);
        if (o != OUT_NOT_MINE)
            return o;
    }
    return OUT_NOT_MINE;
}

/* Every datagram decoder: of two known ports the lower row names the service. To add one: its line
 * here, and its port in known_ports; or its line in by_content. */
enum { DNS, NTP, MDNS, LLMNR, ELSEWHERE, TCP, OTHER };
static const struct datagram_decoder datagrams[] = {
    [DNS] = {"dns", PROTO_DNS, 53, dns_datagram},
    [NTP] = {"ntp", PROTO_NTP, 123, ntp_datagram},
    [MDNS] = {"mdns", PROTO_MDNS, 5353, mdns_datagram},
    [LLMNR] = {"llmnr", PROTO_LLMNR, 5355, llmnr_datagram},
    [ELSEWHERE] = {"elsewhere", PROTO_NONE, 0, elsewhere},
};

/* How far above ELSEWHERE a port's row stands; the last is for all ports from there on. A table and
 * no choice, as ports come as they like. */
enum { PORTS_KNOWN = 5356 };
static const uint8_t known_ports[PORTS_KNOWN + 1] = {
    [53] = ELSEWHERE - DNS,
    [123] = ELSEWHERE - NTP,
    [5353] = ELSEWHERE - MDNS,
    [5355] = ELSEWHERE - LLMNR,
};

static inline unsigned known_port(uint16_t port)
{
    return known_ports[port < PORTS_KNOWN ? port : PORTS_KNOWN];
}

static uint16_t smaller_port(const struct rec *rec)
{
    return rec->sport < rec->dport ? rec->sport : rec->dport;
}

static void datagram(struct decode *d, struct rec *rec, uint8_t kind, struct msgs *out)
{
    const struct datagram_decoder *dec = &datagrams[kind];
    rec->service_port = dec->port != 0 ? dec->port : smaller_port(rec);
    rec->proto = (uint8_t)dec->proto; /* messages may be folded within */
    rec->outcome = (uint8_t)dec->decode(d, rec, out);
    if (rec->outcome == OUT_NOT_MINE)
        rec->proto = PROTO_NONE;
}

/* ---- bursts */

/* What the look-ahead remembers of a packet. */
struct ahead {
    struct tcp_id id;           /* TCP */
    struct fifo_ahead exchange; /* of any datagram; DNS, NTP: whose */
    uint8_t kind;               /* a row of datagrams[], TCP or OTHER */
};

/* Without a branch, too. */
static inline uint8_t kind_of(const struct rec *rec)
{
    unsigned payload = (rec->outcome == OUT_OK) & ((rec->flags & REC_HAS_PORTS) != 0);
    unsigned tcp = payload & (rec->ip_proto == IP_TCP), udp = payload & (rec->ip_proto == IP_UDP);
    unsigned src = known_port(rec->sport), dst = known_port(rec->dport);
    unsigned datagram = ELSEWHERE - (src > dst ? src : dst);
    return (uint8_t)(OTHER - (-tcp & (OTHER - TCP)) - (-udp & (OTHER - datagram)));
}

/* Packets of one kind that are decoded one after the other. What is done for each kind in turn is
 * done a run at a time, so that kinds are told apart once a run. */
struct run {
    const uint8_t *order;
    unsigned n;
    uint8_t kind;
};

/* Hints to the cache: of buckets; in the next pass, of what these lead to. */
static void look_ahead(struct decode *d, const struct run *run, const struct rec recs[],
                       struct ahead ahead[])
{
    for (unsigned k = 0; k < run->n; k++) {
        const struct rec *rec = &recs[run->order[k]];
        struct ahead *a = &ahead[run->order[k]];
        if (run->kind == TCP)
            tcp_table_id(&d->flows, rec, &a->id);
        else if (run->kind == NTP)
            ntp_pairs_ahead(d->ntp, rec, &a->exchange);
        else if (run->kind == DNS)
            dns_match_ahead(d->dns, rec, &a->exchange);
        else
            a->exchange.proto = PROTO_NONE;
    }
}

/* TCP has one step more, and steps follow each other at a distance: what a connection leads to is
 * too much to ask for in one go. Before packet `k` of a run is decoded: */
static inline void tcp_look(struct decode *d, const struct run *run, unsigned k,
                            struct ahead ahead[])
{
    if (k + 2 * AHEAD < run->n)
        tcp_table_peek(&d->flows, &ahead[run->order[k + 2 * AHEAD]].id);
    if (k + AHEAD < run->n)
        tcp_prefetch(d, ahead[run->order[k + AHEAD]].id.slot);
}

/* Before any of the first ones: as if as many had gone before them. */
static void tcp_look_first(struct decode *d, const struct run *run, struct ahead ahead[])
{
    for (unsigned k = 0; k < run->n && k < 2 * AHEAD; k++)
        tcp_table_peek(&d->flows, &ahead[run->order[k]].id);
    for (unsigned k = 0; k < run->n && k < AHEAD; k++)
        tcp_prefetch(d, ahead[run->order[k]].id.slot);
}

static void look_further(struct decode *d, const struct run *run, struct ahead ahead[])
{
    if (run->kind == TCP)
        tcp_look_first(d, run, ahead);
    for (unsigned k = 0; k < run->n; k++) {
        struct ahead *a = &ahead[run->order[k]];
        if (run->kind == NTP)
            ntp_pairs_prefetch(d->ntp, &a->exchange);
        else if (run->kind == DNS)
            dns_match_prefetch(d->dns, &a->exchange);
    }
}

static void set_plain_order(unsigned n, uint8_t order[])
{
    for (unsigned i = 0; i < n; i++)
        order[i] = (uint8_t)i;
}

/* The order in which packets are decoded. One kind after the other where nobody asks for the
 * packets' own order: the processor guesses branches better, and code stays in its first cache. Of
 * a kind all stay in order. Kinds have their state apart, or each entry of it; but that is dropped
 * by age, so not where the burst spans a time that counts. */
static void set_order(const struct rec recs[], unsigned n, const struct ahead ahead[],
                      uint8_t order[])
{
    enum { SPAN_MAX_NS = 100000000 };
    uint8_t at[OTHER + 1], counts[OTHER + 1] = {0}, next = 0;
    uint64_t first_ns = UINT64_MAX, last_ns = 0;
    for (unsigned i = 0; i < n; i++) {
        uint64_t ts_ns = recs[i].ts_ns;
        first_ns = ts_ns < first_ns ? ts_ns : first_ns;
        last_ns = ts_ns > last_ns ? ts_ns : last_ns;
        counts[ahead[i].kind]++;
    }
    if (n > 0 && last_ns - first_ns > SPAN_MAX_NS) {
        set_plain_order(n, order);
        return;
    }
    for (int kind = 0; kind <= OTHER; kind++) {
        at[kind] = next;
        next = (uint8_t)(next + counts[kind]);
    }
    for (unsigned i = 0; i < n; i++)
        order[at[ahead[i].kind]++] = (uint8_t)i;
}

/* Cuts the order into runs. Returns how many. */
static unsigned runs_list(const uint8_t order[], unsigned n, const struct ahead ahead[],
                          struct run runs[])
{
    unsigned n_runs = 0;
    for (unsigned k = 0; k < n; k++) {
        uint8_t kind = ahead[order[k]].kind;
        if (k == 0 || kind != runs[n_runs - 1].kind)
            runs[n_runs++] = (struct run){.order = order + k, .kind = kind};
        runs[n_runs - 1].n++;
    }
    return n_runs;
}

static void other_packet(struct rec *rec)
{
    bool ports = rec->flags & REC_HAS_PORTS;
    rec->service_port = ports ? smaller_port(rec) : 0;
    if (rec->outcome == OUT_OK)
        rec->outcome = OUT_NOT_MINE;
}

static void decode_run(struct decode *d, const struct run *run, struct rec recs[],
                       struct ahead ahead[], struct msgs *out)
{
    for (unsigned k = 0; k < run->n; k++) {
        struct rec *rec = &recs[run->order[k]];
        const struct ahead *a = &ahead[run->order[k]];
        if (run->kind == TCP) {
            tcp_look(d, run, k, ahead);
            tcp_packet(d, rec, &a->id, out);
        } else if (run->kind < TCP) {
            d->ahead = &a->exchange;
            datagram(d, rec, run->kind, out);
        } else {
            other_packet(rec);
        }
        d->stats.out[rec->outcome]++;
    }
}

void decode_burst(struct decode *d, struct rec recs[], unsigned n, struct msgs *out)
{
    struct ahead ahead[BURST_MAX];
    struct run runs[BURST_MAX];
    uint8_t order[BURST_MAX];
    assert(n <= BURST_MAX);
    d->n_made_up = 0;
    for (unsigned i = 0; i < n; i++) {
        recs[i].proto = PROTO_NONE;
        ahead[i].kind = kind_of(&recs[i]);
    }
    if (out->any_order)
        set_order(recs, n, ahead, order);
    else
        set_plain_order(n, order);
    unsigned n_runs = runs_list(order, n, ahead, runs);
    for (unsigned i = 0; i < n_runs; i++)
        look_ahead(d, &runs[i], recs, ahead);
    for (unsigned i = 0; i < n_runs; i++)
        look_further(d, &runs[i], ahead);
    for (unsigned i = 0; i < n_runs; i++)
        decode_run(d, &runs[i], recs, ahead, out);
    d->stats.in += n;
}

void decode_origin_end(struct decode *d, uint16_t origin, struct msgs *out)
{
    msgs_flush(out); /* messages may borrow the made-up records of the last burst */
    d->n_made_up = 0;
    tcp_origin_end(d, origin, out);
    dtls_origin_end(d, origin, out);
    quic_origin_end(d, origin, out);
    dns_match_origin_end(d->dns, origin);
    ntp_pairs_origin_end(d->ntp, origin);
    tls_resume_origin_end(d->resume, origin);
}

bool decode_sweep(struct decode *d, uint64_t before_ns, uint32_t max, struct msgs *out)
{
    static void (*const stages[])(struct decode *, uint32_t, uint64_t,
                                  struct msgs *) = {tcp_sweep, dtls_sweep, quic_sweep};
    enum { STAGES = sizeof stages / sizeof *stages };
    msgs_flush(out); /* messages may borrow the made-up records of the last burst */
    d->n_made_up = 0;
    while (max > 0 && d->sweep_stage < STAGES) {
        const struct tcp_table *t = d->sweep_stage == 0   ? &d->flows
                                    : d->sweep_stage == 1 ? &d->dtls.flows
                                                          : quic_table(d->quic);
        for (; max > 0 && d->sweep_slot <= t->top; max--)
            stages[d->sweep_stage](d, d->sweep_slot++, before_ns, out);
        if (d->sweep_slot > t->top) {
            d->sweep_stage++;
            d->sweep_slot = 1;
        }
    }
    msgs_flush(out);
    d->n_made_up = 0;
    if (d->sweep_stage < STAGES)
        return false;
    d->sweep_stage = 0;
    return true;
}

const struct decode_stats *decode_stats(const struct decode *d)
{
    struct decode_stats *s = &((struct decode *)(uintptr_t)d)->stats;
    s->dns_pending_turned_away = dns_match_turned_away(d->dns);
    s->ntp_pending_turned_away = ntp_pairs_turned_away(d->ntp);
    s->resumptions_turned_away = tls_resume_turned_away(d->resume);
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
    d->sweep_slot = 1;
    d->http_hosts = http_hosts;
    d->streams_hot = STREAMS_HOT;
    /* What is kept, and what sessions remember of their hellos. */
    uint64_t nodes =
        (uint64_t)limits->tcp_buffers * (limits->tcp_buffer_bytes / STREAM_NODE_BYTES + 1)
        + 2 * ((uint64_t)limits->tcp_flows + limits->dtls_flows + limits->quic_flows);
    uint32_t n_nodes = nodes < UINT32_MAX / 2 ? (uint32_t)nodes : UINT32_MAX / 2;
    bool ok = tcp_table_init(&d->flows, limits->tcp_flows, limits->seed, e)
              && stream_pool_init(&d->streams, sizeof(struct stream), limits->tcp_flows, e)
              && stream_pool_init(&d->nodes, sizeof(struct stream_node), n_nodes, e)
              && stream_pool_init(&d->calm, sizeof(struct tls_calm), limits->tcp_flows, e)
              && blobs_init(&d->blobs, 2 * limits->tcp_flows, limits->seed, e)
              && dtls_table_init(&d->dtls, limits->dtls_flows, limits->dtls_hellos, limits->seed, e)
              && dns_match_new(&d->dns, limits->dns_pending, limits->seed, e)
              && ntp_pairs_new(&d->ntp, limits->ntp_pending, limits->seed, e)
              && tls_resume_new(&d->resume, limits->tls_resumptions, limits->seed, e)
              && quic_new(&d->quic, limits, e) && fingerprint_new(&d->fingerprints, limits->ja3, e);
    if (ok) {
        d->open = arena_new((size_t)limits->tcp_flows * sizeof *d->open, ARENA_COLD, e);
        d->scratch = d->open == NULL ? NULL
                                     : arena_new((size_t)limits->tcp_buffer_bytes + OFFER_BLOB_MAX,
                                                 ARENA_COLD, e);
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
    tls_resume_free(d->resume);
    quic_free(d->quic);
    fingerprint_free(d->fingerprints);
    ntp_pairs_free(d->ntp);
    dns_match_free(d->dns);
    blobs_end(&d->blobs);
    stream_pool_end(&d->calm);
    dtls_table_end(&d->dtls);
    stream_pool_end(&d->nodes);
    stream_pool_end(&d->streams);
    tcp_table_end(&d->flows);
    free(d);
}
