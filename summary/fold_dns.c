/* DNS messages into rows. */
#include "summary/fold_parts.h"

enum { DNS_PORT = 53 };

static inline unsigned dns_type_slot(uint16_t type)
{
    uint8_t slot = (uint8_t)((type < 256 ? dns_type_places[type] : 0) - 1);
    return slot < DNS_TYPE_SLOTS - 1 ? slot : DNS_TYPE_SLOTS - 1;
}

static KEY(row_binding) binding_key(uint64_t site, const struct addr *addr)
{
    return (KEY(row_binding)){.client = {.site = site}, .addr = *addr, .kind = BIND_DNS};
}

/* A binding's tag goes on from that of its site, which all answers of a message share. */
static inline uint64_t site_mix(const struct window *w, uint64_t site)
{
    return rowtab_mix(w->secret, &(struct client){.site = site}, sizeof(struct client));
}

static inline uint32_t binding_tag(uint64_t mix, const struct addr *addr, uint64_t name_hash)
{
    KEY(row_binding) key = binding_key(0, addr);
    mix = rowtab_mix(mix, &key.addr, BINDING_KEY_LEN - sizeof key.client);
    return rowtab_tag(rowtab_fold(mix ^ name_hash, ~UINT64_C(0)));
}

/* A name that answers are bound to. */
struct bound {
    struct bytes name;
    uint64_t hash;
    uint32_t value; /* its id, once it is known */
};

/* Row `near`, if it binds this very name to this address: then all there is to know is in that row.
 */
static struct row_binding *binding_near(struct window *w, uint32_t near, uint64_t site,
                                        const struct addr *addr, struct bound *bound)
{
    const struct rowtab *t = &w->tabs[ROW_BINDING];
    struct row_binding *b = rowtab_at(t, near);
    if (near >= t->n || b->key.client.site != site || !addr_equal(&b->key.addr, addr)
        || b->key.kind != BIND_DNS)
        return NULL;
    if (bound->value == 0) {
        struct bytes had = strings_get(&w->strings, b->key.value);
        if (had.len == bound->name.len && memcmp(had.p, bound->name.p, had.len) == 0)
            bound->value = b->key.value;
    }
    return b->key.value == bound->value ? b : NULL;
}

static __attribute__((noinline)) struct row_binding *binding_row(struct window *w, uint32_t tag,
                                                                 uint64_t site,
                                                                 const struct addr *addr,
                                                                 struct bound *bound)
{
    KEY(row_binding) key = binding_key(site, addr);
    if (row_refused(w, ROW_BINDING, &key, bound->hash, 0))
        return window_other_make(w, ROW_BINDING);
    if (bound->value == 0) {
        bound->value = strings_intern(&w->strings, bound->name.p, bound->name.len, bound->hash);
        w->totals.ledger.strings_turned_away += bound->value == 0;
    }
    key.value = bound->value;
    return key.value == 0 ? window_other_make(w, ROW_BINDING) : row_of(w, ROW_BINDING, tag, &key);
}

/* Of the totals' DNS, which is DNS on its own port, or over TCP. */
static inline bool is_counted(const struct msg *m)
{
    return m->dns.tcp || m->rec->sport == DNS_PORT || m->rec->dport == DNS_PORT;
}

/* Who asked and who answered, as bindings tell it. */
struct asked {
    uint32_t client, resolver;
};

/* Hashed once for a row: `r` is that of the client's side. */
static struct asked asked_of(struct window *w, const struct rec *rec, int client_side,
                             struct row_dns *r)
{
    const struct addr *resolver = side_addr(rec, !client_side);
    struct asked a = {r->key.asker, r->resolver};
    if (a.resolver == 0) {
        a.client = (uint32_t)client_hash(w, &rec->client[client_side]);
        a.resolver = 1u << hash_bytes(resolver->b, sizeof resolver->b, 0) % 32;
        if ((uint8_t *)r != w->other[ROW_DNS] && addr_equal(resolver, &r->key.peer)) {
            r->key.asker = a.client;
            r->resolver = a.resolver;
        }
    }
    return a;
}

static inline void bind(struct window *w, struct row_binding *b, const struct msg *m,
                        uint32_t ttl_s, const struct asked *asked)
{
    binding_count(b, m->ts_ns, m->dns.matched);
    b->key.ttl_max_s = ttl_s > b->key.ttl_max_s ? ttl_s : b->key.ttl_max_s;
    window_set8_add(w, &b->clients, asked->client, 1);
    b->resolvers |= asked->resolver;
}

/* The addresses a name was resolved to, as the asking client was told. */
static void bind_answers(struct window *w, const struct msg *m, const struct message_hint *hint,
                         uint64_t site, const struct asked *asked)
{
    const struct dns_msg *d = &m->dns;
    char text[NAME_MAX_TEXT];
    struct bound bound = {{hint->name, hint->name_len}, hint->name_hash, 0};
    if (hint->name_len == 0) {
        bound.name = name_of(w, d->questions[0].name, true, text);
        if (bound.name.len == 0)
            return;
        bound.hash = strings_hash(bound.name.p, bound.name.len);
    }
    struct answered done = {.site = site, .counted = is_counted(m)};
    bool whole = d->n_addresses <= ANSWER_SET_ADDRS;
    for (unsigned i = 0; i < d->n_addresses; i++) {
        const struct dns_address *a = &d->addresses[i];
        struct row_binding *b = NULL;
        uint32_t tag;
        if (i < hint->n_answers) {
            tag = hint->binding_tag[i];
            b = binding_near(w, hint->binding_row[i], site, &a->addr, &bound);
        } else {
            tag = binding_tag(site_mix(w, site), &a->addr, bound.hash);
        }
        if (b == NULL)
            b = binding_row(w, tag, site, &a->addr, &bound);
        bind(w, b, m, a->ttl_s, asked);
        whole = whole && (uint8_t *)b != w->other[ROW_BINDING];
        if (whole)
            done.row[i] = rowtab_number(&w->tabs[ROW_BINDING], b, sizeof *b);
    }
    done.value = bound.value;
    if (whole)
        answer_set_offer(w, hint->set, d, &done);
}

void dns_settle(struct window *w)
{
    if (!w->unsettled)
        return;
    w->unsettled = false;
    answer_sets_fold(w);
    for (uint32_t i = 0; i < w->tabs[ROW_DNS].n; i++)
        dns_row_settle(w, rowtab_at(&w->tabs[ROW_DNS], i));
    dns_row_settle(w, (struct row_dns *)(void *)w->other[ROW_DNS]);
}

static inline void count_name(struct window *w, struct bytes name)
{
    if (name.len == 0)
        return; /* none could be read */
    struct distinct *all = &w->totals.dns.qnames;
    struct distinct_block *b = all->block != 0 ? pool_at(&w->large, all->block)
                                               : window_distinct_make(w, all, &distinct_large);
    if (b != NULL)
        distinct_add(&distinct_large, b, hash_bytes(name.p, name.len, w->config->seed));
}

/* `known`: the name of the first question is in the sketch already. */
static void dns_totals(struct window *w, const struct msg *m, bool known)
{
    const struct dns_msg *d = &m->dns;
    struct totals *t = &w->totals;
    if (d->service == PROTO_MDNS || d->service == PROTO_LLMNR) {
        bool mdns = d->service == PROTO_MDNS;
        *(mdns ? &t->mdns.messages : &t->llmnr.messages) += 1;
        if (d->response)
            *(mdns ? &t->mdns.responses : &t->llmnr.responses) += 1;
        else
            *(mdns ? &t->mdns.queries : &t->llmnr.queries) += 1;
        return;
    }
    if (!is_counted(m))
        return;
    *(d->tcp ? &t->dns.tcp_messages : &t->dns.udp_messages) += 1;
    *(d->response ? &t->dns.responses : &t->dns.queries) += 1;
    t->dns.malformed += d->malformed;
    if (d->response)
        tally_often(w, TALLY_DNS_RCODE, d->rcode);
    for (unsigned i = 0; i < d->n_more_qtypes; i++)
        tally_often(w, TALLY_DNS_QTYPE, d->more_qtypes[i]);
    const struct dns_question *q = d->questions;
    for (unsigned left = d->n_questions; left > 0; left--, q++, known = false) {
        tally_often(w, TALLY_DNS_QTYPE, q->qtype);
        if (!known)
            count_name(w, q->name);
    }
}

static void dns_count(struct row_dns *r, const struct dns_msg *d)
{
    if (d->tcp | d->malformed | d->duplicate) { /* rare, and in other cache lines */
        count32(&r->tcp_messages, d->tcp);
        count32(&r->malformed, d->malformed);
        count32(&r->duplicates, d->duplicate);
    }
    if (d->response) {
        count32(&r->responses, 1);
        if (!d->matched | d->truncated_bit) {
            count32(&r->unmatched, !d->matched && !d->duplicate);
            count32(&r->truncated, d->truncated_bit);
        }
        count32(&r->by_rcode[d->rcode & 15], 1);
        return;
    }
    count32(&r->queries, 1);
    const struct dns_question *q = d->questions;
    for (unsigned left = d->n_questions; left > 0; left--, q++)
        count32(&r->by_qtype[dns_type_slot(q->qtype)], 1);
}

static int dns_client_side(const struct msg *m)
{
    return m->dns.response ? !m->sender : m->sender;
}

void dns_row_settle(struct window *w, struct row_dns *r)
{
    for (; r->late != 0; r->late >>= 8)
        window_hist_add(w, &r->latency, (int)(r->late & 0xff) - HIST_MAX - 1, 1);
}

static __attribute__((noinline)) struct row_dns *
dns_row_far(struct window *w, const struct rec *rec, int side, enum role role)
{
    KEY(row_dns)
    key = {.client = rec->client[side], .peer = peer_addr(w, rec, !side), .role = (uint8_t)role};
    struct row_dns *r = row_of(w, ROW_DNS, key_tag(w, &key, DNS_KEY_LEN), &key);
    if ((uint8_t *)r != w->other[ROW_DNS])
        *link_of(w, rec, side) = row_number(w, ROW_DNS, r);
    return r;
}

/* Row `at`, with its size told as a constant. */
static inline struct row_dns *dns_at(const struct window *w, uint32_t at)
{
    return &((struct row_dns *)(void *)w->tabs[ROW_DNS].rows)[at];
}

static inline struct row_dns *dns_row(struct window *w, const struct rec *rec, int side,
                                      enum role role, uint32_t near)
{
    struct row_dns *r = dns_at(w, near);
    const struct addr *peer = peer_addr_at(w, rec, !side);
    if (near < w->tabs[ROW_DNS].n && r->key.role == role
        && rowtab_key_equal(&r->key.client, &rec->client[side], sizeof r->key.client)
        && rowtab_key_equal(&r->key.peer, peer, sizeof *peer))
        return r;
    return dns_row_far(w, rec, side, role);
}

/* A response came so much later than its query: noted in the row, whose histogram lies elsewhere.
 */
static inline void count_latency(struct window *w, struct row_dns *r, uint64_t ns)
{
    static_assert(2 * HIST_MAX + 1 < 256, "one more than the index of a bucket fits a byte");
    r->late = r->late << 8 | (uint64_t)(hist_bucket((int64_t)ns) + HIST_MAX + 1);
    if (r->late >> 56 != 0)
        dns_row_settle(w, r);
}

void fold_dns(struct window *w, const struct msg *m, const struct message_hint *hint,
              unsigned parts)
{
    const struct dns_msg *d = &m->dns;
    const struct rec *rec = m->rec;
    bool message = has_part(parts, PART_MESSAGE), exchange = has_part(parts, PART_EXCHANGE);
    int client_side = dns_client_side(m);
    uint64_t site = rec->client[client_side].site;
    struct answer_set *set =
        message && hint->set != 0 ? answer_set_find(w, hint->set, site, d) : NULL;
    w->unsettled = true;
    if (message)
        dns_totals(w, m, set != NULL && set->counted);
    if (d->service != PROTO_DNS)
        return; /* never evidence: anyone on the link may say anything */
    struct row_dns *client_row = NULL;
    for (unsigned left = hint->sides; left != 0; left &= left - 1) {
        int side = __builtin_ctz(left);
        enum role role = side == client_side ? ROLE_CLIENT : ROLE_SERVER;
        struct row_dns *r = dns_row(w, rec, side, role, hint->row[side]);
        client_row = side == client_side ? r : client_row;
        if (message)
            dns_count(r, d);
        if (exchange) {
            count32(&r->answered, 1);
            count_latency(w, r, m->ts_ns - d->query_ts_ns);
        }
    }
    if (!message)
        return;
    if (client_row == NULL && !d->response)
        unattributed_row(w, rec, rec->client[client_side].kind)->dns_exchanges++;
    if (hint->set == 0)
        return;
    struct asked asked = asked_of(w, rec, client_side, client_row);
    if (set != NULL)
        bind(w, &set->sum, m, d->addresses[0].ttl_s, &asked);
    else
        bind_answers(w, m, hint, site, &asked);
}

/* Of the answers to a name that no set sums. */
static __attribute__((noinline)) void hint_bindings(const struct window *w, const struct dns_msg *d,
                                                    uint64_t site, struct message_hint *hint)
{
    char text[NAME_MAX_TEXT];
    struct bytes name = name_of(w, d->questions[0].name, true, text);
    if (name.len == 0 || name.len > HINT_NAME)
        return;
    hint_name(hint, name, text, strings_hash(name.p, name.len));
    uint64_t mix = site_mix(w, site);
    for (unsigned i = 0; i < d->n_addresses && i < HINT_ANSWERS; i++) {
        uint32_t tag = binding_tag(mix, &d->addresses[i].addr, hint->name_hash);
        rowtab_prefetch(&w->tabs[ROW_BINDING], tag);
        hint->binding_tag[hint->n_answers++] = tag;
    }
}

bool fold_dns_hint(const struct window *w, const struct msg *m, struct message_hint *hint)
{
    const struct dns_msg *d = &m->dns;
    hint->name_len = hint->n_answers = 0;
    hint->set = 0;
    if (d->service != PROTO_DNS)
        return false;
    for (int side = 0; side < 2; side++) {
        if (!side_visible(w, m->rec, side))
            continue;
        hint->sides |= 1u << side;
        hint->row[side] = *link_of(w, m->rec, side);
        const struct row_dns *r = dns_at(w, hint->row[side]);
        __builtin_prefetch(r, 1);
        __builtin_prefetch(d->response ? &r->answered : &r->by_qtype[0], 1);
    }
    if (!d->response)
        return false;
    int client_side = dns_client_side(m);
    if (d->n_questions > 0 && d->n_addresses > 0 && (hint->sides >> client_side & 1) != 0) {
        uint64_t site = m->rec->client[client_side].site;
        hint->set = answer_set_tag(w, site, d);
        const struct answer_set *set = answer_set_maybe(&w->answer_sets, hint->set);
        if (set == NULL)
            hint_bindings(w, d, site, hint);
        else
            for (size_t line = 0; line < sizeof *set; line += 64)
                __builtin_prefetch((const char *)set + line, 1);
    }
    return (d->matched && hint->sides != 0) || hint->n_answers > 0;
}

void fold_dns_hint_rows(const struct window *w, struct message_hint *hint)
{
    for (int a = 0; a < hint->n_answers; a++)
        hint->binding_row[a] = rowtab_prefetch_row(&w->tabs[ROW_BINDING], hint->binding_tag[a],
                                                   sizeof(struct row_binding));
}

/* Of a row whose notes of latencies the next one fills. */
static inline __attribute__((always_inline)) void hint_latency(const struct window *w,
                                                               const struct dns_msg *d,
                                                               uint64_t ts_ns,
                                                               const struct message_hint *hint)
{
    for (unsigned left = hint->sides; left != 0; left &= left - 1) {
        int side = __builtin_ctz(left);
        if (hint->row[side] >= w->tabs[ROW_DNS].n)
            continue;
        const struct row_dns *r = dns_at(w, hint->row[side]);
        if (r->late >> 48 != 0)
            hist_prefetch(w, &r->latency, hist_bucket((int64_t)(ts_ns - d->query_ts_ns)));
    }
}

void fold_dns_hint_blocks(const struct window *w, const struct msg *m,
                          const struct message_hint *hint)
{
    const struct rowtab *t = &w->tabs[ROW_BINDING];
    if (m->dns.matched)
        hint_latency(w, &m->dns, m->ts_ns, hint);
    for (int a = 0; a < hint->n_answers; a++) {
        if (hint->binding_row[a] >= t->n) {
            strings_prefetch(&w->strings, hint->name_hash);
            continue;
        }
        const struct row_binding *b = rowtab_at(t, hint->binding_row[a]);
        strings_prefetch_at(&w->strings, b->key.value);
        if (b->clients.block != 0)
            __builtin_prefetch(pool_at(&w->sets, b->clients.block), 1);
    }
}
