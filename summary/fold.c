/* Packets into rows. */
#include "core/hash.h"
#include "core/pkt.h"
#include "summary/tables.h"

enum { CLIENT_HOT = 128 /* bytes of a row that nearly every packet touches */ };
enum {
    IP_TCP = 6,
    IP_UDP = 17,
    TCP_SYN = 2,
    TCP_ACK = 16,
    NTP_PORT = 123,
    DNS_PORT = 53,
    DNS_HEADER_BYTES = 12
};

static KEY(row_peer) peer_key(const struct window *w, const struct rec *rec, int side)
{
    return (KEY(row_peer)){.client = rec->client[side],
                           .remote = peer_addr(w, rec, !side),
                           .port = rec->service_port,
                           .ip_proto = rec->ip_proto};
}

/* Row `at`, with its size told as a constant. */
static inline struct row_peer *peer_at(const struct window *w, uint32_t at)
{
    return &((struct row_peer *)(void *)w->tabs[ROW_PEER].rows)[at];
}

static inline bool is_peer(const struct row_peer *p, const struct window *w, const struct rec *rec,
                           int side)
{
    const struct addr *remote = peer_addr_at(w, rec, !side);
    int differ = (p->key.port ^ rec->service_port) | (p->key.ip_proto ^ rec->ip_proto);
    return differ == 0
           && rowtab_key_equal(&p->key.client, &rec->client[side], sizeof rec->client[side])
           && rowtab_key_equal(&p->key.remote, remote, sizeof *remote);
}

/* One visible side of a packet of the burst. */
struct leg {
    uint8_t i, side;
};

static inline void hint_leg(const struct window *w, const struct rec *rec, int side,
                            struct window_hint *hint)
{
    struct {
        uint16_t port;
        uint8_t ip_proto, pad;
    } end = {rec->service_port, rec->ip_proto, 0}; /* of the key */
    static_assert(sizeof(struct client) + sizeof(struct addr) + sizeof end == PEER_KEY_LEN, "key");
    uint64_t mix = rowtab_mix(w->secret, &rec->client[side], sizeof(struct client));
    mix = rowtab_mix(mix, peer_addr_at(w, rec, !side), sizeof(struct addr));
    mix = rowtab_mix(mix, &end, sizeof end);
    hint->sides |= 1u << side;
    hint->peer_tag[side] = rowtab_tag(mix);
    rowtab_prefetch(&w->tabs[ROW_PEER], hint->peer_tag[side]);
}

void window_hint(const struct window *w, const struct rec recs[], unsigned n,
                 struct window_hint hints[])
{
    const struct rowtab *peers = &w->tabs[ROW_PEER], *clients = &w->tabs[ROW_CLIENT];
    struct leg legs[2 * BURST_MAX];
    unsigned n_legs = 0;
    assert(n <= BURST_MAX);
    for (unsigned i = 0; i < n; i++) {
        hints[i].sides = hints[i].known = 0;
        for (int side = 0; side < 2; side++)
            if (side_visible(w, &recs[i], side)) {
                hint_leg(w, &recs[i], side, &hints[i]);
                legs[n_legs++] = (struct leg){(uint8_t)i, (uint8_t)side};
            }
    }
    for (unsigned k = 0; k < n_legs; k++) {
        struct window_hint *h = &hints[legs[k].i];
        int side = legs[k].side;
        h->peer_row[side] = rowtab_prefetch_row(peers, h->peer_tag[side], sizeof(struct row_peer));
    }
    bool stay = peers->limit - peers->n > 2 * BURST_MAX; /* no row leaves for those of this burst */
    for (unsigned k = 0; k < n_legs; k++) {
        struct window_hint *h = &hints[legs[k].i];
        int side = legs[k].side;
        uint32_t row = h->peer_row[side];
        if (row == UINT32_MAX)
            continue;
        rowtab_prefetch_at(clients, peer_at(w, row)->link.client, CLIENT_HOT);
        if (stay && is_peer(peer_at(w, row), w, &recs[legs[k].i], side))
            h->known |= (uint8_t)(1u << side);
    }
}

/* ---- packets */

/* Packets come in runs of one slot: the division is done once a run. */
static unsigned slot_of(struct window *w, uint64_t ts_ns)
{
    uint64_t since_ns = ts_ns - w->start_ns;
    if (since_ns - w->slot_from_ns >= w->slot_ns) {
        uint64_t slot = since_ns / w->slot_ns;
        w->slot = slot < 60 ? (unsigned)slot : 59;
        w->slot_from_ns = w->slot * w->slot_ns;
    }
    return w->slot;
}

struct row_coverage *coverage_row(struct window *w, const struct client *client,
                                  enum vantage vantage)
{
    KEY(row_coverage) key = {.client = *client, .vantage = (uint8_t)vantage};
    uint32_t tag = key_tag_strings(w, &key, sizeof key, strings_id_hash(&w->strings, w->sensor), 0);
    key.sensor = w->sensor;
    return row_of(w, ROW_COVERAGE, tag, &key);
}

static void bind_mac_row(struct window *w, const struct rec *rec, const uint8_t mac[6],
                         unsigned slot)
{
    KEY(row_binding) key = {.client = rec->client[SIDE_SRC], .addr = rec->src, .kind = BIND_MAC};
    memcpy(key.mac, mac, 6);
    struct row_binding *b =
        row_of(w, ROW_BINDING, key_tag_strings(w, &key, BINDING_KEY_LEN, 0, 0), &key);
    uint64_t from = w->start_ns + slot * w->slot_ns, to = from + w->slot_ns - 1;
    b->first_ns = from < b->first_ns ? from : b->first_ns;
    b->last_ns = to > b->last_ns ? to : b->last_ns;
}

/* Tells the address's MAC once a slot: its times are the slot's, so that they do not depend on
 * which packets a worker saw. `told`: the client's row remembers that it was told; NULL where the
 * client has none of its own. */
static inline void bind_mac(struct window *w, struct row_client *told, const struct rec *rec,
                            unsigned slot)
{
    enum { BOTH = REC_HAS_MAC | REC_HAS_IP };
    if ((rec->flags & BOTH) != BOTH || addr_is_group(&rec->src)
        || (rec->client[SIDE_SRC].by != BY_MAC && !addr_is_private(&rec->src)))
        return;
    bool inner = rec->flags & REC_HAS_INNER_MAC;
    if ((rec->flags & (REC_HAS_VNI | REC_HAS_GRE_KEY)) != 0 && !inner)
        return; /* the MAC is the tunnel's end's */
    const uint8_t *mac = inner ? rec->inner_mac[SIDE_SRC] : rec->mac[SIDE_SRC];
    if (told != NULL) {
        uint64_t mac_bits = 0;
        memcpy(&mac_bits, mac, 6);
        int family = addr_is_v4(&rec->src) ? 0 : 1;
        uint64_t pair = rowtab_mix(w->secret ^ mac_bits, rec->src.b, sizeof rec->src.b);
        uint64_t *bound = family == 0 ? &told->bound_v4 : &told->bound_v6;
        if (told->bound_slot[family] == slot + 1 && *bound == pair)
            return;
        told->bound_slot[family] = (uint8_t)(slot + 1);
        *bound = pair;
    }
    bind_mac_row(w, rec, mac, slot);
}

static void host_seen(struct window *w, uint64_t hash)
{
    uint64_t *lately = &w->seen_hosts[hash % SEEN_HOSTS];
    if (*lately == hash)
        return;
    *lately = hash;
    struct distinct_block *b = window_distinct_make(w, &w->totals.hosts, &distinct_large);
    if (b != NULL)
        distinct_add(&distinct_large, b, hash);
}

/* `told` as in bind_mac. */
static inline void count_coverage(struct window *w, struct row_client *told, const struct rec *rec,
                                  int side, unsigned slot, enum vantage vantage)
{
    bool group = rec->flags & REC_GROUP;
    if (told != NULL) {
        uint16_t *last = group              ? &told->slot_group
                         : side == SIDE_SRC ? &told->slot_out
                                            : &told->slot_in;
        uint16_t now = (uint16_t)(1 + slot + 64 * vantage);
        if (*last == now)
            return;
        *last = now;
    }
    struct row_coverage *v = coverage_row(w, &rec->client[side], vantage);
    uint64_t *slots = group ? &v->slots_group : side == SIDE_SRC ? &v->slots_out : &v->slots_in;
    *slots |= UINT64_C(1) << slot;
}

/* A peer not met in this window yet, or turned away: the client has one remote more, if this is not
 * another of its ports. */
static struct row_peer *peer_new(struct window *w, struct row_client *c, uint32_t tag,
                                 const KEY(row_peer) * key)
{
    struct distinct_block *b =
        addr_is_group(&key->remote) ? NULL : window_distinct_make(w, &c->remotes, &distinct_small);
    if (b != NULL)
        distinct_add(&distinct_small, b, hash_bytes(key->remote.b, 16, 0));
    return row_make(w, ROW_PEER, tag, key);
}

/* Leaves in `note` which row it is, or was before it was turned away. */
static __attribute__((noinline)) struct row_peer *peer_find(struct window *w, struct row_client *c,
                                                            const struct rec *rec, int side,
                                                            const struct window_hint *hint,
                                                            uint32_t *note)
{
    const struct rowtab *t = &w->tabs[ROW_PEER];
    if (*note < t->n && is_peer(rowtab_at(t, *note), w, rec, side))
        return rowtab_at(t, *note);
    KEY(row_peer) key = peer_key(w, rec, side);
    struct row_peer *p = rowtab_find(t, hint->peer_tag[side], &key);
    if (p == NULL)
        p = peer_new(w, c, hint->peer_tag[side], &key);
    if (p != window_other(w, ROW_PEER)) {
        *note = rowtab_number(t, p, sizeof *p);
        p->link.client = rowtab_number(&w->tabs[ROW_CLIENT], c, sizeof *c);
    }
    return p;
}

static inline void count_peer(struct row_peer *p, struct row_client *c, const struct rec *rec,
                              int side)
{
    if (side == SIDE_SRC) {
        p->packets_out++;
        p->bytes_out += rec->wire_len;
        p->first_out_ns = rec->ts_ns < p->first_out_ns ? rec->ts_ns : p->first_out_ns;
    } else {
        p->packets_in++;
        p->bytes_in += rec->wire_len;
        p->first_in_ns = rec->ts_ns < p->first_in_ns ? rec->ts_ns : p->first_in_ns;
    }
    p->last_ns = rec->ts_ns > p->last_ns ? rec->ts_ns : p->last_ns;
    p->key.protocols |= (1u << rec->proto) & ~(1u << PROTO_NONE);
    if (rec->ip_proto == IP_TCP && (rec->tcp_flags & (TCP_SYN | TCP_ACK)) == TCP_SYN) {
        count32(side == SIDE_SRC ? &p->syn_out : &p->syn_in, 1);
        count32(&c->probes_in, side == SIDE_DST);
    }
}

static inline struct row_client *client_find(struct window *w, const struct rec *rec, int side,
                                             const struct window_hint *hint)
{
    const struct rowtab *t = &w->tabs[ROW_CLIENT];
    const struct client *client = &rec->client[side];
    uint32_t peer = hint->peer_row[side];
    struct row_client *c =
        rowtab_near(t, peer != UINT32_MAX ? peer_at(w, peer)->link.client : UINT32_MAX, client,
                    offsetof(struct row_client, key), sizeof *client);
    if (c != NULL)
        return c;
    c = row_of(w, ROW_CLIENT, key_tag(w, client, sizeof *client), client);
    if (peer != UINT32_MAX && c != window_other(w, ROW_CLIENT))
        peer_at(w, peer)->link.client = rowtab_number(t, c, sizeof *c);
    return c;
}

/* Inlined once a side: nearly every packet has one. */
static inline __attribute__((always_inline)) void count_client(struct window *w, struct rec *rec,
                                                               const int side,
                                                               const struct window_hint *hint,
                                                               enum vantage vantage)
{
    struct row_client *c = client_find(w, rec, side, hint);
    if (rec->flags & REC_GROUP)
        c->packets_group++;
    else if (side == SIDE_SRC)
        c->packets_out++;
    else
        c->packets_in++;
    *(side == SIDE_SRC ? &c->bytes_out : &c->bytes_in) += rec->wire_len;
    c->first_ns = rec->ts_ns < c->first_ns ? rec->ts_ns : c->first_ns;
    c->last_ns = rec->ts_ns > c->last_ns ? rec->ts_ns : c->last_ns;
    count32(&c->protocols[rec->proto], 1);
    /* A client turned away still has its coverage, addresses and peers: other tables, other limits.
     */
    struct row_client *told = (uint8_t *)c == w->other[ROW_CLIENT] ? NULL : c;
    unsigned slot = slot_of(w, rec->ts_ns);
    count_coverage(w, told, rec, side, slot, vantage);
    if (side == SIDE_SRC)
        bind_mac(w, told, rec, slot);
    if ((rec->flags & REC_HAS_IP) == 0)
        return;
    rec->note[side] = hint->peer_row[side];
    struct row_peer *p = hint->known >> side & 1
                             ? peer_at(w, hint->peer_row[side])
                             : peer_find(w, c, rec, side, hint, &rec->note[side]);
    count_peer(p, c, rec, side);
}

struct row_unattributed *unattributed_row(struct window *w, const struct rec *rec, uint8_t kind)
{
    KEY(row_unattributed) key = {.site = rec->site, .kind = kind};
    return row_of(w, ROW_UNATTRIBUTED, key_tag(w, &key, sizeof key), &key);
}

static void count_unattributed(struct window *w, const struct rec *rec, uint8_t kind)
{
    struct row_unattributed *u = unattributed_row(w, rec, kind);
    u->packets++;
    u->bytes += rec->wire_len;
    u->protocols[rec->proto]++;
}

/* Of those who have no rows only counters are kept. */
static __attribute__((noinline)) void count_hidden(struct window *w, const struct rec *rec,
                                                   unsigned sides)
{
    bool counted = sides != 0;
    for (int side = 0; side < 2; side++) {
        if (rec->client[side].kind != CLIENT_HOST)
            continue;
        host_seen(w, client_hash(w, &rec->client[side]));
        if (sides >> side & 1)
            continue;
        count_unattributed(w, rec, CLIENT_HOST);
        counted = true;
    }
    if (!counted)
        count_unattributed(w, rec, CLIENT_NONE);
}

/* What is on NTP's port but no NTP message: nothing is said of it but how often. */
static void count_not_ntp(struct window *w, const struct rec *rec)
{
    bool broken = rec->proto == PROTO_NTP; /* NTP by its first byte, then cut or short */
    if (broken && rec->outcome == OUT_OK)
        return; /* a message says more */
    *(broken ? &w->totals.ntp.malformed : &w->totals.ntp.not_ntp) += 1;
    for (int side = 0; side < 2; side++) {
        if (!side_visible(w, rec, side))
            continue;
        uint16_t far_port = side == SIDE_SRC ? rec->dport : rec->sport;
        KEY(row_ntp)
        key = {.client = rec->client[side],
               .peer = peer_addr(w, rec, !side),
               .role = far_port == NTP_PORT ? ROLE_CLIENT : ROLE_SERVER};
        struct row_ntp *row = row_of(w, ROW_NTP, key_tag(w, &key, NTP_KEY_LEN), &key);
        count32(broken ? &row->malformed : &row->not_ntp, 1);
    }
}

/* A datagram on DNS's port too short for a DNS header: a message all the same, as other tools
 * count, but a broken one, of which only the flags may be there to read. */
static void count_short_dns(struct window *w, const struct rec *rec)
{
    struct cur at = rec->payload;
    uint16_t id, flags;
    if (rec->payload_wire_len == 0 || at.left >= DNS_HEADER_BYTES)
        return;
    w->totals.dns.udp_messages++;
    w->totals.dns.malformed++;
    if (!cur_u16(&at, &id) || !cur_u16(&at, &flags))
        return;
    *(flags >> 15 ? &w->totals.dns.responses : &w->totals.dns.queries) += 1;
    if (flags >> 15)
        tally_add(w, TALLY_DNS_RCODE, flags & 15, (struct bytes){0}, 1);
}

static inline void packet(struct window *w, struct rec *rec, const struct window_hint *hint,
                          enum vantage vantage)
{
    struct totals *t = &w->totals;
    t->packets.read++;
    t->packets.bytes_wire += rec->wire_len;
    t->packets.bytes_captured += rec->cap_len;
    t->packets.outcome[rec->outcome]++;
    t->ip_v4 += rec->ip_outer == 4;
    t->ip_v6 += rec->ip_outer == 6;
    if (rec->outcome == OUT_FILTERED)
        return;
    if (rec->outcome == OUT_UNSUPPORTED)
        tally_add(w, TALLY_LINK_UNSUPPORTED, rec->link, (struct bytes){0}, 1);
    if (hint->sides & 1u << SIDE_SRC)
        count_client(w, rec, SIDE_SRC, hint, vantage);
    if (hint->sides & 1u << SIDE_DST)
        count_client(w, rec, SIDE_DST, hint, vantage);
    if (hint->sides == 0 || rec->client[SIDE_SRC].kind == CLIENT_HOST
        || rec->client[SIDE_DST].kind == CLIENT_HOST)
        count_hidden(w, rec, hint->sides);
    if (rec->ip_proto != IP_UDP || (rec->flags & REC_HAS_PORTS) == 0
        || rec->outcome == OUT_FRAGMENT)
        return;
    if ((rec->sport == NTP_PORT || rec->dport == NTP_PORT) && rec->payload_wire_len > 0)
        count_not_ntp(w, rec);
    if (rec->sport == DNS_PORT || rec->dport == DNS_PORT)
        count_short_dns(w, rec);
}

void window_packets(struct window *w, struct rec recs[], unsigned n,
                    const struct window_hint hints[], const uint8_t vantages[])
{
    w->filled = w->filled || n > 0;
    for (unsigned i = 0; i < n; i++)
        packet(w, &recs[i], &hints[i], (enum vantage)vantages[recs[i].origin]);
}

void window_lost(struct window *w, enum vantage vantage, uint64_t packets)
{
    static const struct client nobody;
    w->filled = true;
    w->totals.ledger.lost_packets += packets;
    coverage_row(w, &nobody, vantage)->lost_packets += packets;
}

void window_watched(struct window *w, enum vantage vantage, uint64_t from_ns, uint64_t to_ns)
{
    static const struct client nobody;
    uint64_t slots = 0;
    for (unsigned i = 0; i < 60; i++) {
        uint64_t begin = w->start_ns + i * w->slot_ns, end = begin + w->slot_ns;
        if (begin < w->start_ns + w->length_s * 1000000000 && begin >= from_ns && end <= to_ns)
            slots |= UINT64_C(1) << i;
    }
    if (slots == 0)
        return;
    struct row_coverage *row = coverage_row(w, &nobody, vantage);
    w->filled = true;
    row->slots_out |= slots;
    row->slots_in |= slots;
}
