/* Packets into talks, and what is not said of a client into the totals. */
#include "core/hash.h"
#include "core/pkt.h"
#include "summary/tables.h"

#include <endian.h>

enum {
    IP_TCP = 6,
    IP_UDP = 17,
    TCP_SYN = 2,
    TCP_ACK = 16,
    NTP_PORT = 123,
    DNS_PORT = 53,
    DNS_HEADER_BYTES = 12,
};

/* ---- legs */

/* Does the key say who the client is? The MAC or the address of the packet nearly always does. */
static inline bool tells_client(const struct talk_key *k, uint64_t mac, const struct client *c)
{
    uint64_t id;
    memcpy(&id, c->id, sizeof id);
    if (c->by == BY_MAC)
        return id == htole64(mac);
    return c->by == BY_ADDR && addr_equal((const struct addr *)c->id, &k->own);
}

/* Without a branch on the side, which comes as it likes. */
static inline void leg_fill(struct leg *leg, const struct rec *rec, uint64_t secret,
                            uint8_t vantage, bool hides_hosts)
{
    static const struct addr nobody;
    unsigned side = leg->side, flags = rec->flags & TALK_FLAGS;
    const struct client *client = &rec->client[side];
    struct talk_key *k = &leg->key;
    bool hidden = hides_hosts & (rec->client[!side].kind == CLIENT_HOST);
    const uint8_t *macs = (flags & REC_HAS_INNER_MAC ? rec->inner_mac : rec->mac)[0];
    uint64_t mac; /* the source's is first of 12 bytes, the destination's last */
    memcpy(&mac, macs + 4 * side, sizeof mac);
    mac = le64toh(mac) >> 16 * side & ((UINT64_C(1) << TALK_MAC_BITS) - 1);
    k->site = client->site;
    k->own = rec->addr[side];
    k->remote = *(hidden ? &nobody : &rec->addr[!side]);
    k->mac_who = mac | (uint64_t)(flags >> TALK_FLAGS_FIRST) << TALK_FLAGS_AT
                 | (uint64_t)client->kind << TALK_KIND_AT | (uint64_t)client->by << TALK_BY_AT;
    k->service = rec->service_port | (uint32_t)rec->ip_proto << 16 | (uint32_t)vantage << 24;
    leg->tag = talk_tag(secret, k);
    leg->direct = (flags & REC_HAS_IP) == 0 || !tells_client(k, mac, client);
}

/* The visible sides of the burst's packets, and which of these something else is to be said of. */
static unsigned legs_list(const struct window *w, const struct rec recs[], unsigned n,
                          struct leg legs[], uint64_t *hidden)
{
    struct leg *leg = legs;
    *hidden = 0;
    for (unsigned i = 0; i < n; i++) {
        const struct rec *rec = &recs[i];
        bool counts = rec->outcome != OUT_FILTERED;
        unsigned src = side_visible(w, rec, SIDE_SRC) & counts;
        unsigned dst = side_visible(w, rec, SIDE_DST) & counts;
        bool host = (rec->client[SIDE_SRC].kind == CLIENT_HOST)
                    | (rec->client[SIDE_DST].kind == CLIENT_HOST);
        *hidden |= (uint64_t)(host | !(src | dst)) << i;
        leg->i = (uint8_t)i;
        leg->side = src ^ 1;
        leg += src | dst;
        if (src + dst == 2) { /* as a sum: which of them it is comes as it likes */
            leg->i = (uint8_t)i;
            leg->side = SIDE_DST;
            leg++;
        }
    }
    return (unsigned)(leg - legs);
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

/* What one packet adds to its side's talk. */
static inline void count_talk(struct window *w, struct talk *t, const struct rec *rec, int side,
                              unsigned slot)
{
    unsigned in = side == SIDE_DST;
    bool syn = (rec->ip_proto == IP_TCP) & ((rec->tcp_flags & (TCP_SYN | TCP_ACK)) == TCP_SYN);
    bool told = rec->proto != PROTO_NONE;
    bool other = told & (t->proto != PROTO_NONE) & (rec->proto != t->proto);
    if (other | (t->packets[in] == UINT32_MAX) | (syn & (t->syn[in] == UINT8_MAX)))
        talk_turn(w, t);
    t->packets[in]++;
    t->bytes[in] += rec->wire_len;
    t->first_ns[in] = rec->ts_ns < t->first_ns[in] ? rec->ts_ns : t->first_ns[in];
    t->last_ns = rec->ts_ns > t->last_ns ? rec->ts_ns : t->last_ns;
    t->slots[in] |= UINT64_C(1) << slot;
    t->proto = told ? rec->proto : t->proto;
    t->main += told;
    t->syn[in] = (uint8_t)(t->syn[in] + syn);
}

/* A packet whose client no talk can name goes to the rows at once. */
static __attribute__((noinline)) void count_direct(struct window *w, const struct rec *rec,
                                                   const struct leg *leg)
{
    struct talk t = {.key = leg->key, .first_ns = {UINT64_MAX, UINT64_MAX}};
    count_talk(w, &t, rec, leg->side, slot_of(w, rec->ts_ns));
    talk_rows(w, &rec->client[leg->side], &t);
}

static inline void count_leg(struct window *w, struct rec *rec, const struct leg *leg)
{
    if (leg->direct) {
        count_direct(w, rec, leg);
        return;
    }
    struct talk *t = rowtab_near(&w->talks.tab, leg->row, &leg->key, 0, TALK_KEY_LEN);
    if (t == NULL)
        t = talk_of(w, leg->tag, &leg->key);
    rec->note[leg->side] = rowtab_number(&w->talks.tab, t, sizeof *t);
    count_talk(w, t, rec, leg->side, slot_of(w, rec->ts_ns));
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
static __attribute__((noinline)) void count_hidden(struct window *w, const struct rec *rec)
{
    bool counted = side_visible(w, rec, SIDE_SRC) || side_visible(w, rec, SIDE_DST);
    for (int side = 0; side < 2; side++) {
        if (rec->client[side].kind != CLIENT_HOST)
            continue;
        host_seen(w, client_hash(w, &rec->client[side]));
        if (side_visible(w, rec, side))
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
        tally_add(w, TALLY_DNS_RCODE, flags & 15, 1);
}

/* The steps of a leg follow each other at a distance: enough for what was fetched to be there, and
 * no step alone, as the processor can wait for a dozen lines at once. */
static void count_legs(struct window *w, struct rec recs[], struct leg legs[], unsigned n,
                       const uint8_t vantages[])
{
    enum { ROW = 16, COUNT = 2 * ROW };
    const struct rowtab *talks = &w->talks.tab;
    bool hides_hosts = w->config->scope != SCOPE_ALL;
    for (unsigned k = 0; k < n + COUNT; k++) {
        if (k < n) {
            const struct rec *rec = &recs[legs[k].i];
            leg_fill(&legs[k], rec, w->secret, vantages[rec->origin], hides_hosts);
            rowtab_prefetch(talks, legs[k].tag);
        }
        if (k - ROW < n)
            legs[k - ROW].row = rowtab_prefetch_row(talks, legs[k - ROW].tag, sizeof(struct talk));
        if (k - COUNT < n)
            count_leg(w, &recs[legs[k - COUNT].i], &legs[k - COUNT]);
    }
}

/* What hardly any packet has. */
static void count_odd(struct window *w, const struct rec *rec, bool hidden)
{
    if (rec->outcome == OUT_FILTERED)
        return;
    if (rec->outcome == OUT_UNSUPPORTED)
        tally_add(w, TALLY_LINK_UNSUPPORTED, rec->link, 1);
    if (hidden)
        count_hidden(w, rec);
    if (rec->ip_proto != IP_UDP || (rec->flags & REC_HAS_PORTS) == 0
        || rec->outcome == OUT_FRAGMENT)
        return;
    if ((rec->sport == NTP_PORT || rec->dport == NTP_PORT) && rec->payload_wire_len > 0)
        count_not_ntp(w, rec);
    if (rec->sport == DNS_PORT || rec->dport == DNS_PORT)
        count_short_dns(w, rec);
}

/* What its talks do not tell of packets. Sums in registers, added once. */
static void count_packets(struct window *w, const struct rec recs[], unsigned n, uint64_t hidden)
{
    struct totals *t = &w->totals;
    uint64_t wire = 0, captured = 0, v4 = 0, v6 = 0;
    for (unsigned i = 0; i < n; i++) {
        const struct rec *rec = &recs[i];
        wire += rec->wire_len;
        captured += rec->cap_len;
        v4 += rec->ip_outer == 4;
        v6 += rec->ip_outer == 6;
        t->packets.outcome[rec->outcome]++;
        /* no branch but the last: kinds come as they like */
        bool ntp = (rec->proto == PROTO_NTP) & (rec->service_port == NTP_PORT);
        bool dns = (rec->proto == PROTO_DNS) & (rec->service_port == DNS_PORT)
                   & (rec->sport != NTP_PORT) & (rec->dport != NTP_PORT);
        bool plain = (rec->outcome == OUT_OK) & ((rec->ip_proto != IP_UDP) | ntp | dns);
        if ((!plain) | (hidden >> i & 1))
            count_odd(w, rec, hidden >> i & 1);
    }
    t->packets.read += n;
    t->packets.bytes_wire += wire;
    t->packets.bytes_captured += captured;
    t->ip_v4 += v4;
    t->ip_v6 += v6;
}

void window_packets(struct window *w, struct rec recs[], unsigned n, const uint8_t vantages[])
{
    struct leg legs[2 * BURST_MAX + 1];
    uint64_t hidden; /* a bit a packet */
    static_assert(BURST_MAX <= 64, "bits");
    assert(n <= BURST_MAX);
    w->filled = w->filled || n > 0;
    unsigned n_legs = legs_list(w, recs, n, legs, &hidden);
    count_packets(w, recs, n, hidden);
    count_legs(w, recs, legs, n_legs, vantages);
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
