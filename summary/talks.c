#include "summary/tables.h"

#include <endian.h>

bool talks_new(struct talks *t, uint64_t limit, struct err *e)
{
    const uint64_t most = UINT32_MAX / 4;
    t->limit = (uint32_t)(limit < 1 ? 1 : limit > most ? most : limit);
    t->oldest = 0;
    if (!rowtab_new(&t->tab, 2 * t->limit, sizeof(struct talk), 0, TALK_KEY_LEN, ARENA_HOT, e))
        return false;
    t->tab.late = true;
    t->order = arena_new(2 * sizeof *t->order, ARENA_COLD, e);
    return t->order != NULL;
}

void talks_free(struct talks *t)
{
    rowtab_free(&t->tab);
    arena_free(t->order, 2 * sizeof *t->order);
}

void talks_clear(struct talks *t)
{
    rowtab_clear(&t->tab);
    t->oldest = 0;
}

/* ---- into rows */

/* Numbers of the rows that the talk before led to, by the address's family where that matters:
 * guesses (rowtab_near), good ones where the talks of a client come one after the other. */
struct lately {
    uint32_t client, coverage, binding[2];
};

/* Row `*near` if it has this key, else row_of, which `*near` tells from then on. */
static inline void *row_near(struct window *w, enum row_kind kind, uint32_t *near, const void *key,
                             uint32_t key_at, uint32_t key_len)
{
    const struct rowtab *t = &w->tabs[kind];
    void *row = rowtab_near(t, *near, key, key_at, key_len);
    if (row != NULL)
        return row;
    row = row_of(w, kind, key_tag_any(w, kind, key), key);
    if (row != row_other(w, kind))
        *near = row_number(w, kind, row);
    return row;
}

static struct row_coverage *coverage_near(struct window *w, const struct client *client,
                                          enum vantage vantage, uint32_t *near)
{
    KEY(row_coverage)
    key = {.client = *client, .sensor = w->sensor, .vantage = (uint8_t)vantage};
    return row_near(w, ROW_COVERAGE, near, &key, offsetof(struct row_coverage, key), sizeof key);
}

struct row_coverage *coverage_row(struct window *w, const struct client *client,
                                  enum vantage vantage)
{
    return coverage_near(w, client, vantage, &(uint32_t){UINT32_MAX});
}

static void count_coverage(struct window *w, const struct client *client, const struct talk *t,
                           uint32_t *near)
{
    struct row_coverage *v = coverage_near(w, client, (enum vantage)(t->key.service >> 24), near);
    if (talk_flags(&t->key) & REC_GROUP) {
        v->slots_group |= t->slots[0] | t->slots[1];
    } else {
        v->slots_out |= t->slots[0];
        v->slots_in |= t->slots[1];
    }
}

static void mac_of(const struct talk_key *k, uint8_t mac[static 6])
{
    uint64_t le = htole64(k->mac_who);
    memcpy(mac, &le, 6);
}

/* Its times are those of slots, so that they do not depend on which packets a worker saw. */
static void bind_mac(struct window *w, const struct client *client, const struct talk *t,
                     uint32_t near[static 2])
{
    enum { BOTH = REC_HAS_MAC | REC_HAS_IP };
    const struct addr *own = &t->key.own;
    unsigned flags = talk_flags(&t->key);
    bool tunnel = flags & (REC_HAS_VNI | REC_HAS_GRE_KEY); /* then the MAC may be that of its end */
    if (t->slots[0] == 0 || (flags & BOTH) != BOTH || (tunnel && (flags & REC_HAS_INNER_MAC) == 0)
        || addr_is_group(own) || (client->by != BY_MAC && !addr_is_private(own)))
        return;
    KEY(row_binding) key = {.client = *client, .addr = *own, .kind = BIND_MAC};
    mac_of(&t->key, key.mac);
    struct row_binding *b = row_near(w, ROW_BINDING, &near[addr_is_v4(own)], &key,
                                     offsetof(struct row_binding, key), BINDING_KEY_LEN);
    unsigned first = (unsigned)__builtin_ctzll(t->slots[0]);
    unsigned last = 63 - (unsigned)__builtin_clzll(t->slots[0]);
    uint64_t from = w->start_ns + first * w->slot_ns,
             to = w->start_ns + (last + 1) * w->slot_ns - 1;
    b->first_ns = from < b->first_ns ? from : b->first_ns;
    b->last_ns = to > b->last_ns ? to : b->last_ns;
}

/* A peer not met in this window yet, or turned away: the client has one remote more, if this is not
 * another of its ports. */
static struct row_peer *peer_row(struct window *w, struct row_client *c,
                                 const struct client *client, const struct talk_key *k)
{
    KEY(row_peer)
    key = {.client = *client,
           .remote = k->remote,
           .port = (uint16_t)k->service,
           .ip_proto = (uint8_t)(k->service >> 16)};
    uint32_t tag = key_tag(w, &key, PEER_KEY_LEN);
    struct row_peer *p = rowtab_find(&w->tabs[ROW_PEER], tag, &key);
    if (p != NULL)
        return p;
    struct distinct_block *b =
        addr_is_group(&key.remote) ? NULL : window_distinct_make(w, &c->remotes, &distinct_small);
    if (b != NULL)
        distinct_add(&distinct_small, b, hash_bytes(key.remote.b, 16, 0));
    return row_make(w, ROW_PEER, tag, &key);
}

static void count_peer(struct row_peer *p, const struct talk *t)
{
    p->packets_out += t->packets[0];
    p->packets_in += t->packets[1];
    p->bytes_out += t->bytes[0];
    p->bytes_in += t->bytes[1];
    p->first_out_ns = t->first_ns[0] < p->first_out_ns ? t->first_ns[0] : p->first_out_ns;
    p->first_in_ns = t->first_ns[1] < p->first_in_ns ? t->first_ns[1] : p->first_in_ns;
    p->last_ns = t->last_ns > p->last_ns ? t->last_ns : p->last_ns;
    p->key.protocols |= (1u << t->proto) & ~(1u << PROTO_NONE);
    count32(&p->syn_out, t->syn[0]);
    count32(&p->syn_in, t->syn[1]);
}

static void count_client(struct row_client *c, const struct talk *t)
{
    uint64_t packets = (uint64_t)t->packets[0] + t->packets[1];
    uint64_t first_ns = t->first_ns[0] < t->first_ns[1] ? t->first_ns[0] : t->first_ns[1];
    if (talk_flags(&t->key) & REC_GROUP) {
        c->packets_group += packets;
    } else {
        c->packets_out += t->packets[0];
        c->packets_in += t->packets[1];
    }
    c->bytes_out += t->bytes[0];
    c->bytes_in += t->bytes[1];
    c->first_ns = first_ns < c->first_ns ? first_ns : c->first_ns;
    c->last_ns = t->last_ns > c->last_ns ? t->last_ns : c->last_ns;
    c->protocols[t->proto] = add32(c->protocols[t->proto], t->main);
    c->protocols[PROTO_NONE] = add32(c->protocols[PROTO_NONE], packets - t->main);
    count32(&c->probes_in, t->syn[1]);
}

static void rows_near(struct window *w, const struct client *client, const struct talk *t,
                      struct lately *near)
{
    /* A client turned away still has its coverage, addresses and peers: other tables, other limits.
     */
    struct row_client *c = row_near(w, ROW_CLIENT, &near->client, client,
                                    offsetof(struct row_client, key), sizeof *client);
    count_client(c, t);
    count_coverage(w, client, t, &near->coverage);
    bind_mac(w, client, t, near->binding);
    if (talk_flags(&t->key) & REC_HAS_IP)
        count_peer(peer_row(w, c, client, &t->key), t);
}

void talk_rows(struct window *w, const struct client *client, const struct talk *t)
{
    struct lately nothing = {UINT32_MAX, UINT32_MAX, {UINT32_MAX, UINT32_MAX}};
    rows_near(w, client, t, &nothing);
}

static struct client client_of(const struct talk_key *k)
{
    struct client c = {.site = k->site,
                       .kind =
                           k->mac_who >> TALK_KIND_AT & ((1 << (TALK_BY_AT - TALK_KIND_AT)) - 1),
                       .by = (uint8_t)(k->mac_who >> TALK_BY_AT)};
    if (c.by == BY_MAC)
        mac_of(k, c.id);
    else
        memcpy(c.id, k->own.b, sizeof k->own.b);
    return c;
}

/* ---- the table */

static void talk_zero(struct talk *t)
{
    t->main = 0;
    t->proto = PROTO_NONE;
    t->syn[0] = t->syn[1] = 0;
    memset(t->packets, 0, sizeof *t - offsetof(struct talk, packets));
    t->first_ns[0] = t->first_ns[1] = UINT64_MAX;
}

void talk_turn(struct window *w, struct talk *t)
{
    struct client client = client_of(&t->key);
    talk_rows(w, &client, t);
    talk_zero(t);
}

struct talk *talk_of(struct window *w, uint32_t tag, const struct talk_key *key)
{
    struct talks *all = &w->talks;
    struct talk *t = rowtab_find(&all->tab, tag, key);
    if (t != NULL)
        return t;
    if (all->tab.n < all->limit) {
        t = rowtab_insert(&all->tab, tag, 0, key, NULL, NULL);
    } else {
        talk_turn(w, rowtab_at(&all->tab, all->oldest));
        t = rowtab_replace(&all->tab, all->oldest, tag, key);
        all->oldest = (all->oldest + 1) % all->limit;
    }
    t->key.link = 0;
    talk_zero(t);
    return t;
}

/* ---- all of them */

enum { DIGIT_BITS = 11, DIGITS = 1 << DIGIT_BITS, SORT_STEPS = 3 };

/* What names the client, as a number whose order is that of the rows as they are written. */
static uint64_t client_word(const struct talk_key *k)
{
    const unsigned above = 64 - TALK_MAC_BITS;
    uint64_t number;
    memcpy(&number, k->own.b + 8, sizeof number);
    return (k->mac_who >> TALK_BY_AT) == BY_MAC ? __builtin_bswap64(k->mac_who << above) << 16
                                                : be64toh(number);
}

/* One step of a radix sort. */
static void sort_digit(const uint64_t *from, uint64_t *to, uint32_t n, unsigned shift)
{
    uint32_t at[DIGITS] = {0};
    for (uint32_t i = 0; i < n; i++)
        at[from[i] >> shift & (DIGITS - 1)]++;
    for (uint32_t digit = 0, sum = 0; digit < DIGITS; digit++) {
        uint32_t count = at[digit];
        at[digit] = sum;
        sum += count;
    }
    for (uint32_t i = 0; i < n; i++)
        to[at[from[i] >> shift & (DIGITS - 1)]++] = from[i];
}

/* `n` talks from `from` on: their numbers in the portion, in the low bits of `order`, those of a
 * client together. Then its rows are in the cache, and those that are made lie where they will be
 * read one after the other. */
static void sort_by_client(const struct rowtab *talks, uint32_t from, uint32_t n,
                           uint64_t order[static PORTION], uint64_t other[static PORTION])
{
    for (uint32_t i = 0; i < n; i++) {
        const struct talk *t = rowtab_at(talks, from + i);
        other[i] = client_word(&t->key) << PORTION_BITS | i;
    }
    sort_digit(other, order, n, PORTION_BITS);
    sort_digit(order, other, n, PORTION_BITS + DIGIT_BITS);
    sort_digit(other, order, n, PORTION_BITS + 2 * DIGIT_BITS);
}

static void settle_portion(struct window *w, uint32_t from, uint32_t n, const uint64_t order[])
{
    enum { AHEAD = 16 };
    const struct rowtab *talks = &w->talks.tab;
    struct lately near = {0};
    for (uint32_t i = 0; i < n; i++) {
        if (i + AHEAD < n)
            rowtab_prefetch_at(talks, from + (order[i + AHEAD] & (PORTION - 1)),
                               sizeof(struct talk));
        const struct talk *t = rowtab_at(talks, from + (order[i] & (PORTION - 1)));
        struct client client = client_of(&t->key);
        rows_near(w, &client, t, &near);
    }
}

void window_settle(struct window *w)
{
    struct talks *all = &w->talks;
    for (uint32_t from = 0, n; from < all->tab.n; from += n) {
        n = all->tab.n - from < PORTION ? all->tab.n - from : PORTION;
        sort_by_client(&all->tab, from, n, all->order[0], all->order[1]);
        settle_portion(w, from, n, all->order[0]);
        if (n == PORTION && !w->keeps) /* peers take as much */
            arena_give_back(rowtab_at(&all->tab, from), sizeof(struct talk) * PORTION);
    }
    talks_clear(all);
    tally_settle(w);
    dns_settle(w);
}
