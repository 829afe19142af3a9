/* DNS messages into rows. */
#include "summary/fold_parts.h"

enum { DNS_PORT = 53 };

static int dns_type_slot(uint16_t type)
{
    for (int i = 0; i < DNS_TYPE_SLOTS - 1; i++)
        if (dns_type_slots[i] == type)
            return i;
    return DNS_TYPE_SLOTS - 1;
}

static bool is_address(const struct dns_answer *a)
{
    return a->section == 0 && (a->rtype == 1 || a->rtype == 28);
}

static KEY(row_binding) binding_key(const struct msg *m, int client_side,
                                    const struct dns_answer *a)
{
    return (KEY(row_binding)){.client = {.site = m->rec->client[client_side].site},
                              .addr = a->addr,
                              .kind = BIND_DNS};
}

/* The addresses a name was resolved to, as the asking client was told. */
static void bind_answers(struct window *w, const struct msg *m, const struct message_hint *hint,
                         int client_side)
{
    const struct dns_msg *d = &m->dns;
    char text[NAME_MAX_TEXT];
    struct bytes name = {(const uint8_t *)hint->name, hint->name_len};
    uint64_t name_hash = hint->name_hash;
    if (name.len == 0) {
        name = name_of(w, d->questions[0].name, true, text);
        if (name.len == 0)
            return;
        name_hash = strings_hash(name.p, name.len);
    }
    uint32_t value = 0; /* the name's id, once it is needed */
    uint32_t client = (uint32_t)key_hash(w, ROW_CLIENT, &m->rec->client[client_side]);
    uint32_t resolver = 1u << hash_bytes(side_addr(m->rec, !client_side)->b, 16, 0) % 32;
    unsigned hinted = hint->name_len > 0 ? HINT_ANSWERS : 0, n = 0;
    for (unsigned i = 0; i < d->n_answers; i++) {
        const struct dns_answer *a = &d->answers[i];
        if (!is_address(a))
            continue;
        KEY(row_binding) key = binding_key(m, client_side, a);
        uint64_t hash = n < hinted ? hint->binding[n++]
                                   : key_hash_strings(w, ROW_BINDING, &key, name_hash, 0);
        bool refused = rowtab_refuses(&w->tabs[ROW_BINDING], hash);
        if (value == 0 && !refused) {
            value = strings_intern(&w->strings, name.p, name.len, name_hash);
            w->totals.ledger.strings_turned_away += value == 0;
        }
        key.value = refused ? 0 : value;
        struct row_binding *b = key.value == 0 ? window_other_make(w, ROW_BINDING)
                                               : row_get(w, ROW_BINDING, hash, &key);
        binding_count(b, m->ts_ns, d->matched);
        b->ttl_max_s = a->ttl_s > b->ttl_max_s ? a->ttl_s : b->ttl_max_s;
        set8_add(&b->clients, client, 1);
        b->resolvers |= resolver;
    }
}

static void dns_totals(struct window *w, const struct msg *m)
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
    if (!d->tcp && m->rec->sport != DNS_PORT && m->rec->dport != DNS_PORT)
        return;
    *(d->tcp ? &t->dns.tcp_messages : &t->dns.udp_messages) += 1;
    *(d->response ? &t->dns.responses : &t->dns.queries) += 1;
    t->dns.malformed += d->malformed;
    if (d->response)
        tally_often(w, TALLY_DNS_RCODE, d->rcode);
    for (unsigned i = 0; i < d->n_more_qtypes; i++)
        tally_often(w, TALLY_DNS_QTYPE, d->more_qtypes[i]);
    for (unsigned i = 0; i < d->n_questions; i++) {
        tally_often(w, TALLY_DNS_QTYPE, d->questions[i].qtype);
        struct distinct_block *b = window_distinct_make(w, &t->dns.qnames, &distinct_large);
        struct bytes name = d->questions[i].name;
        if (b != NULL)
            distinct_add(&distinct_large, b, hash_bytes(name.p, name.len, w->config->seed));
    }
}

static void dns_count(struct row_dns *r, const struct dns_msg *d)
{
    count32(&r->tcp_messages, d->tcp);
    count32(&r->malformed, d->malformed);
    count32(&r->duplicates, d->duplicate);
    if (d->response) {
        count32(&r->responses, 1);
        count32(&r->unmatched, !d->matched && !d->duplicate);
        count32(&r->truncated, d->truncated_bit);
        count32(&r->by_rcode[d->rcode & 15], 1);
        return;
    }
    count32(&r->queries, 1);
    for (unsigned i = 0; i < d->n_questions; i++)
        count32(&r->by_qtype[dns_type_slot(d->questions[i].qtype)], 1);
}

static int dns_client_side(const struct msg *m)
{
    return m->dns.response ? !m->sender : m->sender;
}

static KEY(row_dns) dns_key(const struct window *w, const struct msg *m, int side)
{
    return (KEY(row_dns)){.client = m->rec->client[side],
                          .peer = peer_addr(w, m->rec, !side),
                          .role = side == dns_client_side(m) ? ROLE_CLIENT : ROLE_SERVER};
}

void fold_dns(struct window *w, const struct msg *m, const struct message_hint *hint,
              unsigned parts)
{
    const struct dns_msg *d = &m->dns;
    const struct rec *rec = m->rec;
    bool message = has_part(parts, PART_MESSAGE), exchange = has_part(parts, PART_EXCHANGE);
    if (message)
        dns_totals(w, m);
    if (d->service != PROTO_DNS)
        return; /* never evidence: anyone on the link may say anything */
    for (int side = 0; side < 2; side++) {
        if ((hint->sides >> side & 1) == 0)
            continue;
        KEY(row_dns) key = dns_key(w, m, side);
        struct row_dns *r = rowtab_near(&w->tabs[ROW_DNS], hint->row[side], &key,
                                        offsetof(struct row_dns, key), sizeof key);
        if (r == NULL)
            r = row_of(w, ROW_DNS, hint->tag[side], &key);
        if (message)
            dns_count(r, d);
        if (exchange) {
            count32(&r->answered, 1);
            window_hist_add(w, &r->latency, hist_bucket((int64_t)(m->ts_ns - d->query_ts_ns)), 1);
        }
    }
    if (!message)
        return;
    int client_side = dns_client_side(m);
    bool visible = hint->sides >> client_side & 1;
    if (!visible && !d->response)
        unattributed_row(w, rec, rec->client[client_side].kind)->dns_exchanges++;
    if (visible && d->response && d->n_questions > 0 && d->n_answers > 0)
        bind_answers(w, m, hint, client_side);
}

void fold_dns_hint(const struct window *w, const struct msg *m, struct message_hint *hint)
{
    const struct dns_msg *d = &m->dns;
    char text[NAME_MAX_TEXT];
    hint->name_len = 0;
    if (d->service != PROTO_DNS)
        return;
    for (int side = 0; side < 2; side++) {
        if (!side_visible(w, m->rec, side))
            continue;
        KEY(row_dns) key = dns_key(w, m, side);
        hint->sides |= 1u << side;
        hint->tag[side] = key_tag(w, &key, sizeof key);
        rowtab_prefetch(&w->tabs[ROW_DNS], hint->tag[side]);
    }
    int client_side = dns_client_side(m);
    if (!d->response || d->n_questions == 0 || d->n_answers == 0
        || (hint->sides >> client_side & 1) == 0)
        return;
    struct bytes name = name_of(w, d->questions[0].name, true, text);
    if (name.len == 0 || name.len > HINT_NAME)
        return;
    memcpy(hint->name, name.p, name.len);
    hint->name_len = (uint8_t)name.len;
    hint->name_hash = strings_hash(name.p, name.len);
    strings_prefetch(&w->strings, hint->name_hash);
    unsigned n = 0;
    for (unsigned i = 0; i < d->n_answers && n < HINT_ANSWERS; i++) {
        if (!is_address(&d->answers[i]))
            continue;
        KEY(row_binding) key = binding_key(m, client_side, &d->answers[i]);
        hint->binding[n] = key_hash_strings(w, ROW_BINDING, &key, hint->name_hash, 0);
        rowtab_prefetch(&w->tabs[ROW_BINDING], rowtab_tag(hint->binding[n++]));
    }
    if (n < HINT_ANSWERS)
        hint->binding[n] = 0;
}

void fold_dns_hint_rows(const struct window *w, struct message_hint *hint)
{
    for (int side = 0; side < 2; side++)
        if (hint->sides >> side & 1)
            hint->row[side] = rowtab_prefetch_row(&w->tabs[ROW_DNS], hint->tag[side],
                                                  sizeof(struct row_dns));
    for (int a = 0; hint->name_len > 0 && a < HINT_ANSWERS && hint->binding[a] != 0; a++)
        (void)!rowtab_prefetch_row(&w->tabs[ROW_BINDING], rowtab_tag(hint->binding[a]),
                                   sizeof(struct row_binding));
}
