/* Messages into rows. */
#include "core/hash.h"
#include "summary/names.h"
#include "summary/offers.h"
#include "summary/tables.h"

enum { NTP_PORT = 123, DNS_PORT = 53 };

static struct row_tally *tally_row(struct window *w, enum tally family, uint32_t code,
                                   struct bytes name)
{
    KEY(row_tally) key = {.family = family, .code = code};
    uint64_t name_hash = name.len > 0 ? strings_hash(name.p, name.len) : 0;
    uint64_t hash = key_hash_strings(w, ROW_TALLY, &key, name_hash, 0);
    if (name.len > 0 && !rowtab_refuses(&w->tabs[ROW_TALLY], hash))
        key.name = window_intern(w, name.p, name.len);
    return name.len > 0 && key.name == 0 ? window_other_make(w, ROW_TALLY)
                                         : row_get(w, ROW_TALLY, hash, &key);
}

/* Question types and response codes come with every DNS message: their rows are remembered. */
static void tally_often(struct window *w, enum tally family, uint32_t code)
{
    static_assert(TALLY_DNS_QTYPE < 2 && TALLY_DNS_RCODE < 2, "the families of tally_near");
    struct rowtab *t = &w->tabs[ROW_TALLY];
    if (code < 256) {
        struct row_tally *row = rowtab_at(t, w->tally_near[family][code]);
        if (w->tally_near[family][code] < t->n && row->key.family == family
            && row->key.code == code) {
            row->count++;
            return;
        }
    }
    struct row_tally *row = tally_row(w, family, code, (struct bytes){0});
    row->count++;
    if (code < 256 && row != window_other(w, ROW_TALLY))
        w->tally_near[family][code] = (uint32_t)(((uint8_t *)row - t->rows) / t->row_size);
}

void tally_add(struct window *w, enum tally family, uint32_t code, struct bytes name,
               uint64_t count)
{
    tally_row(w, family, code, name)->count += count;
}

static struct bytes name_of(const struct window *w, struct bytes name, bool lower,
                            char text[static NAME_MAX_TEXT])
{
    uint32_t len = name_apply(w->config, name, lower, text);
    return (struct bytes){(const uint8_t *)text, len};
}

static bool any_visible(const struct window *w, const struct rec *rec)
{
    return w->config->scope == SCOPE_ALL || side_visible(w, rec, SIDE_SRC)
           || side_visible(w, rec, SIDE_DST);
}

static int32_t kiss_of(uint32_t refid)
{
    switch (refid) {
    case 0x52415445:
        return KISS_RATE;
    case 0x44454e59:
        return KISS_DENY;
    case 0x52535452:
        return KISS_RSTR;
    default:
        return KISS_OTHER;
    }
}

/* Which side acts as the NTP client: by mode, not by port, as both may be 123. */
static int ntp_client_side(const struct msg *m)
{
    const struct ntp_msg *n = &m->ntp;
    bool from_client = n->is_request || (n->mode >= 6 && !n->response);
    if (!n->is_request && !n->is_reply && n->mode < 6 && n->mode != 5) {
        uint16_t far_port = m->sender == SIDE_SRC ? m->rec->dport : m->rec->sport;
        from_client = far_port == NTP_PORT;
    }
    return from_client ? m->sender : !m->sender;
}

static void ntp_count(struct row_ntp *r, const struct ntp_msg *n)
{
    count32(&r->requests, n->is_request);
    count32(&r->replies, n->is_reply);
    count32(&r->duplicates, n->duplicate_reply);
    count32(&r->unmatched, n->is_reply && !n->matched && !n->duplicate_reply);
    count32(&r->longer, n->longer);
    count32(&r->modes[n->mode & 7], 1);
    r->versions |= 1u << (n->version & 7);
    count32(&r->ext_packets, n->n_ext > 0);
    count32(&r->nts_packets, n->nts_fields > 0);
    count32(&r->mac_packets, n->mac_len > 0);
    r->ext_bytes += n->ext_bytes;
    r->ext_unknown_bytes += n->ext_unknown_bytes;
    if (!n->whole)
        return;
    int poll = n->poll_log2_s < 0 ? 0 : n->poll_log2_s > 31 ? 31 : n->poll_log2_s;
    r->polls |= 1u << poll;
    if (n->is_request)
        return;
    r->strata |= 1u << (n->stratum < 31 ? n->stratum : 31);
    count32(&r->unsynchronised, n->leap == 3);
    count32(&r->free_changes, n->free_changes);
    if (n->kod)
        count32(&r->kiss[kiss_of(n->refid)], 1);
    else
        set8_add(&r->refids, n->refid, 1);
}

static KEY(row_ntp) ntp_key(const struct window *w, const struct msg *m, int side, int client_side)
{
    return (KEY(row_ntp)){.client = m->rec->client[side],
                          .peer = peer_addr(w, m->rec, !side),
                          .role = side == client_side ? ROLE_CLIENT : ROLE_SERVER};
}

static void fold_ntp(struct window *w, const struct msg *m, const struct message_hint *hint,
                     enum msg_part part)
{
    const struct ntp_msg *n = &m->ntp;
    const struct rec *rec = m->rec;
    if (part == PART_MESSAGE) {
        w->totals.ntp.packets++;
        w->totals.ntp.by_version[n->version & 7]++;
        w->totals.ntp.by_mode[n->mode & 7]++;
        if (n->whole)
            w->totals.ntp.by_stratum[n->stratum]++;
    }
    int client_side = ntp_client_side(m);
    for (int side = 0; side < 2; side++) {
        if (hint->row[side] == 0)
            continue;
        KEY(row_ntp) key = ntp_key(w, m, side, client_side);
        struct row_ntp *r = row_get(w, ROW_NTP, hint->row[side], &key);
        if (part == PART_MESSAGE) {
            ntp_count(r, n);
        } else {
            count32(&r->pairs, 1);
            if (n->kod || n->rec_ntp64 == 0 || n->xmt_ntp64 == 0)
                continue; /* RFC 5905 7.4: its times mean nothing */
            window_hist_add(w, &r->offset, hist_bucket(n->offset_ns), 1);
            window_hist_add(w, &r->delay, hist_bucket(n->delay_ns), 1);
        }
    }
    if (part == PART_MESSAGE && n->is_request && !side_visible(w, rec, client_side))
        unattributed_row(w, rec, rec->client[client_side].kind)->ntp_exchanges++;
}

static int dns_type_slot(uint16_t type)
{
    for (int i = 0; i < DNS_TYPE_SLOTS - 1; i++)
        if (dns_type_slots[i] == type)
            return i;
    return DNS_TYPE_SLOTS - 1;
}

static void binding_count(struct row_binding *b, uint64_t ts_ns, bool matched)
{
    b->count++;
    b->matched += matched;
    b->first_ns = ts_ns < b->first_ns ? ts_ns : b->first_ns;
    b->last_ns = ts_ns > b->last_ns ? ts_ns : b->last_ns;
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
    if (hint->name == 0)
        return;
    struct bytes name = {0};
    uint32_t value = 0; /* the name's id, once it is needed */
    uint32_t client = (uint32_t)key_hash(w, ROW_CLIENT, &m->rec->client[client_side]);
    uint32_t resolver = 1u << hash_bytes(side_addr(m->rec, !client_side)->b, 16, 0) % 32;
    unsigned n = 0;
    for (unsigned i = 0; i < d->n_answers; i++) {
        const struct dns_answer *a = &d->answers[i];
        if (!is_address(a))
            continue;
        KEY(row_binding) key = binding_key(m, client_side, a);
        uint64_t hash = n < HINT_ANSWERS ? hint->binding[n++]
                                         : key_hash_strings(w, ROW_BINDING, &key, hint->name, 0);
        if (value == 0 && !rowtab_refuses(&w->tabs[ROW_BINDING], hash)) {
            name = name_of(w, d->questions[0].name, true, text);
            value = strings_intern(&w->strings, name.p, name.len, hint->name);
            w->totals.ledger.strings_turned_away += value == 0;
        }
        key.value = rowtab_refuses(&w->tabs[ROW_BINDING], hash) ? 0 : value;
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

static void fold_dns(struct window *w, const struct msg *m, const struct message_hint *hint,
                     enum msg_part part)
{
    const struct dns_msg *d = &m->dns;
    const struct rec *rec = m->rec;
    if (part == PART_MESSAGE)
        dns_totals(w, m);
    if (d->service != PROTO_DNS)
        return; /* never evidence: anyone on the link may say anything */
    int client_side = dns_client_side(m);
    for (int side = 0; side < 2; side++) {
        if (hint->row[side] == 0)
            continue;
        KEY(row_dns) key = dns_key(w, m, side);
        struct row_dns *r = row_get(w, ROW_DNS, hint->row[side], &key);
        if (part == PART_MESSAGE) {
            dns_count(r, d);
        } else {
            count32(&r->answered, 1);
            window_hist_add(w, &r->latency, hist_bucket((int64_t)(m->ts_ns - d->query_ts_ns)), 1);
        }
    }
    if (part != PART_MESSAGE)
        return;
    bool visible = side_visible(w, rec, client_side);
    if (!visible && !d->response)
        unattributed_row(w, rec, rec->client[client_side].kind)->dns_exchanges++;
    if (visible && d->response && d->n_questions > 0)
        bind_answers(w, m, hint, client_side);
}

static struct row_hello *hello_row(struct window *w, uint64_t id, struct bytes offer)
{
    KEY(row_hello) key = {.id = id};
    struct row_hello *row = row_get(w, ROW_HELLO, key_hash(w, ROW_HELLO, &key), &key);
    if (row->offer == 0 && row != window_other(w, ROW_HELLO))
        row->offer = window_intern(w, offer.p, offer.len);
    return row;
}

static void fold_hello(struct window *w, const struct msg *m)
{
    const struct tls_hello_msg *h = &m->hello;
    struct totals *t = &w->totals;
    char text[NAME_MAX_TEXT];
    if (m->kind == MSG_TLS_SERVER_HELLO) {
        if (h->sslv2) {
            t->sslv2.server_hellos++;
        } else if (h->hello_retry) {
            t->tls.hello_retry_requests++;
        } else {
            t->tls.server_hellos++;
            tally_add(w, TALLY_TLS_SERVER_VERSION, h->max_version, (struct bytes){0}, 1);
            tally_add(w, TALLY_TLS_CIPHER, h->cipher, (struct bytes){0}, 1);
        }
        return;
    }
    if (h->sslv2_format) {
        t->sslv2.client_hellos++;
        tally_add(w, TALLY_SSLV2_VERSION, h->legacy_version, (struct bytes){0}, 1);
    } else {
        t->tls.client_hellos++;
        tally_add(w, TALLY_TLS_CLIENT_VERSION, h->max_version, (struct bytes){0}, 1);
    }
    if (!any_visible(w, m->rec))
        return;
    struct bytes sni = name_of(w, h->sni, false, text);
    if (sni.len > 0)
        tally_add(w, TALLY_TLS_SNI, 0, sni, 1);
    if (w->offers != NULL)
        offers_keep(w->offers, h->id, h->offer);
    hello_row(w, h->id, h->offer)->count++;
}

static struct row_tls *tls_row(struct window *w, const struct msg *m, int side, struct bytes sni)
{
    const struct tls_session_msg *s = &m->session;
    KEY(row_tls) key = {
        .client = m->rec->client[side],
        .peer = peer_addr(w, m->rec, !side),
        .hello = s->hello_id,
        .port = s->server_port,
        .version = s->version,
        .cipher = s->cipher,
        .group = s->group,
        .record_version = s->record_version,
        .alert = s->has_alert ? (uint16_t)(s->last_alert_level << 8 | s->last_alert) : 0,
        .role = side == s->client_side ? ROLE_CLIENT : ROLE_SERVER,
        .outcome = s->outcome,
        .resumed = s->resumed,
        .handshake_seen = s->handshake_seen,
    };
    char text[NAME_MAX_TEXT];
    struct bytes alpn = {(const uint8_t *)text, name_clean(s->alpn, false, text)};
    uint64_t sni_hash = sni.len > 0 ? strings_hash(sni.p, sni.len) : 0;
    uint64_t alpn_hash = alpn.len > 0 ? strings_hash(alpn.p, alpn.len) : 0;
    uint64_t hash = key_hash_strings(w, ROW_TLS, &key, sni_hash, alpn_hash);
    if (!rowtab_refuses(&w->tabs[ROW_TLS], hash)) {
        key.sni = window_intern(w, sni.p, sni.len);
        key.alpn = window_intern(w, alpn.p, alpn.len);
    }
    if ((sni.len > 0 && key.sni == 0) || (alpn.len > 0 && key.alpn == 0))
        return window_other_make(w, ROW_TLS);
    return row_get(w, ROW_TLS, hash, &key);
}

static void fold_session(struct window *w, const struct msg *m, enum msg_part part)
{
    const struct tls_session_msg *s = &m->session;
    char text[NAME_MAX_TEXT];
    struct bytes sni = name_of(w, s->sni, true, text);
    if (part == PART_SESSION)
        w->totals.tls.sessions += s->alive;
    bool seen = false;
    for (int side = 0; side < 2; side++) {
        if (!side_visible(w, m->rec, side))
            continue;
        seen = true;
        struct row_tls *r = tls_row(w, m, side, sni);
        if (part == PART_EXCHANGE) {
            r->handshakes++;
            r->first_ns = s->first_ts_ns < r->first_ns ? s->first_ts_ns : r->first_ns;
            continue;
        }
        bool client = side == s->client_side;
        r->sessions += s->alive;
        r->bytes_out += s->bytes[client ? 0 : 1];
        r->bytes_in += s->bytes[client ? 1 : 0];
        r->first_ns = s->window_ts_ns < r->first_ns ? s->window_ts_ns : r->first_ns;
        r->last_ns = s->window_ts_ns > r->last_ns ? s->window_ts_ns : r->last_ns;
    }
    if (seen && s->hello_id != 0 && w->offers != NULL) {
        struct bytes offer = offers_find(w->offers, s->hello_id);
        if (offer.len > 0)
            hello_row(w, s->hello_id, offer); /* also where the hello itself fell in an earlier window */
    }
    if (!seen && part == PART_SESSION && s->alive)
        unattributed_row(w, m->rec, m->rec->client[s->client_side].kind)->tls_sessions++;
}

static void bind_text(struct window *w, const struct msg *m, enum binding_kind kind,
                      struct bytes value, const uint8_t mac[6])
{
    const struct http_msg *h = &m->http;
    char text[NAME_MAX_TEXT];
    struct bytes clean = {(const uint8_t *)text, name_clean(value, false, text)};
    KEY(row_binding) key = {.addr = h->client, .source = h->server, .kind = (uint8_t)kind};
    if (side_visible(w, m->rec, h->client_side))
        key.client = m->rec->client[h->client_side];
    else
        key.client.site = m->rec->site;
    if (mac != NULL)
        memcpy(key.mac, mac, 6);
    uint64_t value_hash = clean.len > 0 ? strings_hash(clean.p, clean.len) : 0;
    uint64_t hash = key_hash_strings(w, ROW_BINDING, &key, value_hash, 0);
    if (!rowtab_refuses(&w->tabs[ROW_BINDING], hash))
        key.value = window_intern(w, clean.p, clean.len);
    struct row_binding *b = clean.len > 0 && key.value == 0 ? window_other_make(w, ROW_BINDING)
                                                            : row_get(w, ROW_BINDING, hash, &key);
    binding_count(b, m->ts_ns, h->answered);
}

/* The firmware names itself: a device that makes these calls is a gateway, whatever the rules knew. */
static void fold_http(struct window *w, const struct msg *m)
{
    const struct http_msg *h = &m->http;
    bool firmware = h->has_mac && (h->call == HTTP_VERSIONS || (h->call == HTTP_ASSIGN && h->answered));
    if (firmware)
        bind_text(w, m, h->call == HTTP_ASSIGN ? BIND_HTTP_ASSIGN : BIND_HTTP_VERSIONS,
                  (struct bytes){0}, h->mac);
    if (firmware && h->product.len > 0)
        bind_text(w, m, BIND_PRODUCT, h->product, h->mac);
    if (h->user_agent.len > 0 && side_visible(w, m->rec, h->client_side))
        bind_text(w, m, BIND_USER_AGENT, h->user_agent, NULL);
}

bool window_part(const struct msg *m, enum msg_part part, uint64_t *ts_ns)
{
    bool session = m->kind == MSG_TLS_SESSION;
    switch (part) {
    case PART_MESSAGE:
        *ts_ns = m->ts_ns;
        return !session;
    case PART_EXCHANGE:
        *ts_ns = session ? m->session.first_ts_ns
                         : m->kind == MSG_NTP ? m->ntp.request_ts_ns : m->dns.query_ts_ns;
        return session ? m->session.decided
                       : (m->kind == MSG_NTP && m->ntp.matched)
                             || (m->kind == MSG_DNS && m->dns.matched && m->dns.response);
    default:
        *ts_ns = m->session.window_ts_ns;
        return session && (m->session.alive || m->session.bytes[0] > 0 || m->session.bytes[1] > 0);
    }
}

static void hint_dns(const struct window *w, const struct msg *m, struct message_hint *hint)
{
    const struct dns_msg *d = &m->dns;
    char text[NAME_MAX_TEXT];
    if (d->service != PROTO_DNS)
        return;
    for (int side = 0; side < 2; side++) {
        if (!side_visible(w, m->rec, side))
            continue;
        KEY(row_dns) key = dns_key(w, m, side);
        hint->row[side] = key_hash(w, ROW_DNS, &key);
        rowtab_prefetch(&w->tabs[ROW_DNS], hint->row[side]);
    }
    int client_side = dns_client_side(m);
    if (!d->response || d->n_questions == 0 || d->n_answers == 0 || hint->row[client_side] == 0)
        return;
    struct bytes name = name_of(w, d->questions[0].name, true, text);
    hint->name = name.len > 0 ? strings_hash(name.p, name.len) : 0;
    if (hint->name == 0)
        return;
    strings_prefetch(&w->strings, hint->name);
    unsigned n = 0;
    for (unsigned i = 0; i < d->n_answers && n < HINT_ANSWERS; i++) {
        if (!is_address(&d->answers[i]))
            continue;
        KEY(row_binding) key = binding_key(m, client_side, &d->answers[i]);
        hint->binding[n] = key_hash_strings(w, ROW_BINDING, &key, hint->name, 0);
        rowtab_prefetch(&w->tabs[ROW_BINDING], hint->binding[n++]);
    }
}

static void hint_ntp(const struct window *w, const struct msg *m, struct message_hint *hint)
{
    int client_side = ntp_client_side(m);
    for (int side = 0; side < 2; side++) {
        if (!side_visible(w, m->rec, side))
            continue;
        KEY(row_ntp) key = ntp_key(w, m, side, client_side);
        hint->row[side] = key_hash(w, ROW_NTP, &key);
        rowtab_prefetch(&w->tabs[ROW_NTP], hint->row[side]);
    }
}

void window_message_hint(const struct window *w, const struct msg msgs[], unsigned n,
                         struct message_hint hints[])
{
    for (unsigned i = 0; i < n; i++) {
        hints[i] = (struct message_hint){0};
        if (msgs[i].kind == MSG_NTP)
            hint_ntp(w, &msgs[i], &hints[i]);
        else if (msgs[i].kind == MSG_DNS)
            hint_dns(w, &msgs[i], &hints[i]);
    }
    for (unsigned i = 0; i < n; i++) {
        enum row_kind kind = msgs[i].kind == MSG_NTP ? ROW_NTP : ROW_DNS;
        for (int side = 0; side < 2; side++)
            if (hints[i].row[side] != 0)
                rowtab_prefetch_row(&w->tabs[kind], hints[i].row[side]);
        for (int a = 0; a < HINT_ANSWERS && hints[i].binding[a] != 0; a++)
            rowtab_prefetch_row(&w->tabs[ROW_BINDING], hints[i].binding[a]);
    }
}

void window_message(struct window *w, const struct msg *m, const struct message_hint *hint,
                    enum msg_part part, enum vantage vantage)
{
    w->filled = true;
    switch ((enum msg_kind)m->kind) {
    case MSG_NTP:
        fold_ntp(w, m, hint, part);
        break;
    case MSG_DNS:
        fold_dns(w, m, hint, part);
        break;
    case MSG_TLS_CLIENT_HELLO:
    case MSG_TLS_SERVER_HELLO:
        fold_hello(w, m);
        break;
    case MSG_TLS_CERTIFICATES:
        w->totals.tls.certificates += m->certs.n;
        break;
    case MSG_TLS_ALERT:
        tally_add(w, TALLY_TLS_ALERT, (uint32_t)m->alert.level << 8 | m->alert.description,
                  (struct bytes){0}, 1);
        break;
    case MSG_TLS_SESSION:
        fold_session(w, m, part);
        break;
    case MSG_HTTP:
        fold_http(w, m);
        break;
    case MSG_TCP_UNSEEN:
        if (side_visible(w, m->rec, m->sender))
            coverage_row(w, &m->rec->client[m->sender], vantage)->tcp_unseen_bytes
                += m->unseen.bytes;
        break;
    case MSG_KIND_N:
        break;
    }
}
