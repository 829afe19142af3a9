/* Packets into rows. */
#include "core/hash.h"
#include "summary/tables.h"

enum { IP_TCP = 6, IP_UDP = 17, TCP_SYN = 2, TCP_ACK = 16, NTP_PORT = 123, DNS_PORT = 53, DNS_HEADER_BYTES = 12 };

static KEY(row_peer) peer_key(const struct window *w, const struct rec *rec, int side)
{
    return (KEY(row_peer)){.client = rec->client[side],
                           .remote = peer_addr(w, rec, !side),
                           .port = rec->service_port,
                           .ip_proto = rec->ip_proto};
}

void window_hint(const struct window *w, const struct rec recs[], unsigned n,
                 struct window_hint hints[])
{
    for (unsigned i = 0; i < n; i++) {
        hints[i] = (struct window_hint){0};
        for (int side = 0; side < 2; side++) {
            if (!side_visible(w, &recs[i], side))
                continue;
            hints[i].client[side] =
                key_hash_len(w, &recs[i].client[side], sizeof recs[i].client[side]);
            rowtab_prefetch(&w->tabs[ROW_CLIENT], hints[i].client[side]);
            if ((recs[i].flags & REC_HAS_IP) == 0)
                continue;
            KEY(row_peer) key = peer_key(w, &recs[i], side);
            hints[i].peer[side] = key_hash_len(w, &key, sizeof key);
            rowtab_prefetch(&w->tabs[ROW_PEER], hints[i].peer[side]);
        }
    }
    for (unsigned i = 0; i < n; i++)
        for (int side = 0; side < 2; side++) {
            if (hints[i].client[side] != 0)
                hints[i].client_row[side] =
                    rowtab_prefetch_row(&w->tabs[ROW_CLIENT], hints[i].client[side]);
            if (hints[i].peer[side] != 0)
                hints[i].peer_row[side] =
                    rowtab_prefetch_row(&w->tabs[ROW_PEER], hints[i].peer[side]);
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
    uint64_t hash =
        key_hash_strings(w, ROW_COVERAGE, &key, strings_id_hash(&w->strings, w->sensor), 0);
    key.sensor = w->sensor;
    return row_get(w, ROW_COVERAGE, hash, &key);
}

/* Tells the address's MAC once a slot: its times are the slot's, so that they do not depend on
 * which packets a worker saw. `told`: the client's row remembers that it was told; NULL where the
 * client has none of its own. */
static void bind_mac(struct window *w, struct row_client *told, const struct rec *rec,
                     unsigned slot)
{
    const struct client *client = &rec->client[SIDE_SRC];
    if ((rec->flags & (REC_HAS_MAC | REC_HAS_IP)) != (REC_HAS_MAC | REC_HAS_IP)
        || addr_is_group(&rec->src) || (client->by != BY_MAC && !addr_is_private(&rec->src)))
        return;
    bool tunnel = rec->flags & (REC_HAS_VNI | REC_HAS_GRE_KEY);
    if (tunnel && (rec->flags & REC_HAS_INNER_MAC) == 0)
        return; /* the MAC is the tunnel's end's */
    KEY(row_binding) key = {.client = *client, .addr = rec->src, .kind = BIND_MAC};
    const uint8_t *mac =
        rec->flags & REC_HAS_INNER_MAC ? rec->inner_mac[SIDE_SRC] : rec->mac[SIDE_SRC];
    memcpy(key.mac, mac, 6);
    if (told != NULL) {
        uint64_t mac_bits = 0;
        memcpy(&mac_bits, mac, 6);
        int family = addr_is_v4(&rec->src) ? 0 : 1;
        uint64_t pair = hash_bytes(rec->src.b, 16, mac_bits);
        if (told->bound_slot[family] == slot + 1 && told->bound[family] == pair)
            return;
        told->bound_slot[family] = (uint8_t)(slot + 1);
        told->bound[family] = pair;
    }
    struct row_binding *b =
        row_get(w, ROW_BINDING, key_hash_strings(w, ROW_BINDING, &key, 0, 0), &key);
    uint64_t from = w->start_ns + slot * w->slot_ns, to = from + w->slot_ns - 1;
    b->first_ns = from < b->first_ns ? from : b->first_ns;
    b->last_ns = to > b->last_ns ? to : b->last_ns;
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
static void count_coverage(struct window *w, struct row_client *told, const struct rec *rec,
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
static struct row_peer *peer_new(struct window *w, struct row_client *c, uint64_t hash,
                                 const KEY(row_peer) * key)
{
    struct distinct_block *b =
        addr_is_group(&key->remote) ? NULL : window_distinct_make(w, &c->remotes, &distinct_small);
    if (b != NULL)
        distinct_add(&distinct_small, b, hash_bytes(key->remote.b, 16, 0));
    return row_get(w, ROW_PEER, hash, key);
}

static void count_peer(struct window *w, struct row_client *c, const struct rec *rec, int side,
                       const struct window_hint *hint)
{
    KEY(row_peer) key = peer_key(w, rec, side);
    const struct rowtab *t = &w->tabs[ROW_PEER];
    uint64_t hash = hint->peer[side];
    struct row_peer *p = rowtab_near(t, hint->peer_row[side], hash, &key, sizeof key);
    if (p == NULL)
        p = rowtab_find(t, hash, &key);
    if (p == NULL)
        p = peer_new(w, c, hash, &key);
    bool syn = rec->ip_proto == IP_TCP && (rec->tcp_flags & (TCP_SYN | TCP_ACK)) == TCP_SYN;
    if (side == SIDE_SRC) {
        p->packets_out++;
        p->bytes_out += rec->wire_len;
        count32(&p->syn_out, syn);
        p->first_out_ns = rec->ts_ns < p->first_out_ns ? rec->ts_ns : p->first_out_ns;
    } else {
        p->packets_in++;
        p->bytes_in += rec->wire_len;
        count32(&p->syn_in, syn);
        count32(&c->probes_in, syn);
        p->first_in_ns = rec->ts_ns < p->first_in_ns ? rec->ts_ns : p->first_in_ns;
    }
    p->last_ns = rec->ts_ns > p->last_ns ? rec->ts_ns : p->last_ns;
    p->protocols |= rec->proto != PROTO_NONE ? 1u << rec->proto : 0;
}

static void count_client(struct window *w, const struct rec *rec, int side,
                         const struct window_hint *hint, enum vantage vantage)
{
    struct row_client *c =
        rowtab_near(&w->tabs[ROW_CLIENT], hint->client_row[side], hint->client[side],
                    &rec->client[side], sizeof rec->client[side]);
    if (c == NULL)
        c = row_get(w, ROW_CLIENT, hint->client[side], &rec->client[side]);
    if (rec->client[side].kind == CLIENT_HOST)
        host_seen(w, hint->client[side]);
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
    struct row_client *told = c == window_other(w, ROW_CLIENT) ? NULL : c;
    unsigned slot = slot_of(w, rec->ts_ns);
    count_coverage(w, told, rec, side, slot, vantage);
    if (side == SIDE_SRC)
        bind_mac(w, told, rec, slot);
    if (rec->flags & REC_HAS_IP)
        count_peer(w, c, rec, side, hint);
}

struct row_unattributed *unattributed_row(struct window *w, const struct rec *rec, uint8_t kind)
{
    KEY(row_unattributed) key = {.site = rec->site, .kind = kind};
    return row_get(w, ROW_UNATTRIBUTED, key_hash(w, ROW_UNATTRIBUTED, &key), &key);
}

static void count_unattributed(struct window *w, const struct rec *rec, uint8_t kind)
{
    struct row_unattributed *u = unattributed_row(w, rec, kind);
    u->packets++;
    u->bytes += rec->wire_len;
    u->protocols[rec->proto]++;
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
        struct row_ntp *row = row_get(w, ROW_NTP, key_hash(w, ROW_NTP, &key), &key);
        count32(broken ? &row->malformed : &row->not_ntp, 1);
    }
}

/* A datagram on DNS's port too short for a DNS header: a message all the same, as other tools count, but a broken one, of which only the
 * flags may be there to read. */
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

void window_packet(struct window *w, const struct rec *rec, const struct window_hint *hint,
                   enum vantage vantage)
{
    struct totals *t = &w->totals;
    w->filled = true;
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
    bool counted = false;
    for (int side = 0; side < 2; side++) {
        uint8_t kind = rec->client[side].kind;
        if (hint->client[side] != 0) {
            count_client(w, rec, side, hint, vantage);
        } else if (kind == CLIENT_HOST) {
            count_unattributed(w, rec, kind);
            host_seen(w, key_hash(w, ROW_CLIENT, &rec->client[side]));
        }
        counted = counted || kind != CLIENT_NONE;
    }
    if (!counted)
        count_unattributed(w, rec, CLIENT_NONE);
    if (rec->ip_proto != IP_UDP || (rec->flags & REC_HAS_PORTS) == 0
        || rec->outcome == OUT_FRAGMENT)
        return;
    if ((rec->sport == NTP_PORT || rec->dport == NTP_PORT) && rec->payload_wire_len > 0)
        count_not_ntp(w, rec);
    if (rec->sport == DNS_PORT || rec->dport == DNS_PORT)
        count_short_dns(w, rec);
}

void window_lost(struct window *w, enum vantage vantage, uint64_t packets)
{
    static const struct client nobody;
    w->filled = true;
    w->totals.ledger.lost_packets += packets;
    coverage_row(w, &nobody, vantage)->lost_packets += packets;
}
