/* TLS messages into rows. */
#include "core/answer.h"
#include "summary/certs.h"
#include "summary/fold_parts.h"
#include "summary/offers.h"

static struct row_hello *hello_row(struct window *w, uint64_t id, struct bytes offer)
{
    KEY(row_hello) key = {.id = id};
    struct row_hello *row = row_of(w, ROW_HELLO, key_tag(w, &key, sizeof key), &key);
    if (row->offer == 0 && row != row_other(w, ROW_HELLO))
        row->offer = window_intern(w, offer.p, offer.len);
    return row;
}

static struct row_cert *cert_row(struct window *w, uint64_t id)
{
    KEY(row_cert) key = {.id = id};
    struct row_cert *row = row_of(w, ROW_CERT, key_tag(w, &key, sizeof key), &key);
    if (row->der == NULL && w->stores != NULL) {
        struct bytes der = certs_der(w->stores->certs, id);
        row->der = der.p;
        row->der_len = der.len;
    }
    return row;
}

/* With the rows of its certificates, where it is the first of the window. */
static struct row_answer *answer_row(struct window *w, uint64_t id, struct bytes blob)
{
    KEY(row_answer) key = {.id = id};
    struct row_answer *row = row_of(w, ROW_ANSWER, key_tag(w, &key, sizeof key), &key);
    struct answer a;
    if (row->answer != 0)
        return row;
    if (row != row_other(w, ROW_ANSWER))
        row->answer = window_intern(w, blob.p, blob.len);
    if (w->stores != NULL && answer_read(blob.p, blob.len, &a))
        for (unsigned i = 0; i < a.n_certs; i++)
            (void)cert_row(w, a.certs[i]);
    return row;
}

void fold_tls_cert(struct window *w, const struct msg *m)
{
    if (!any_visible(w, m->rec))
        return;
    const struct tls_cert_msg *c = &m->cert;
    if (w->stores != NULL && !certs_keep(w->stores->certs, c->id, c->der, c->again))
        w->totals.ledger.certs_turned_away++;
    cert_row(w, m->cert.id)->count++;
}

static inline KEY(row_reuse) reuse_key(const struct window *w, const struct msg *m)
{
    return (KEY(row_reuse)){.site = m->rec->site,
                            .server = peer_addr(w, m->rec, m->sender),
                            .value = m->reuse.value,
                            .port = m->reuse.server_port,
                            .what = m->reuse.what};
}

/* Nearly always there is no row of it yet. */
static void hint_reuse(const struct window *w, const struct msg *m, struct message_hint *hint)
{
    KEY(row_reuse) key = reuse_key(w, m);
    hint->binding_tag[0] = key_tag(w, &key, sizeof key);
    rowtab_prefetch(&w->tabs[ROW_REUSE], hint->binding_tag[0]);
}

void fold_tls_reuse(struct window *w, const struct msg *m, const struct message_hint *hint)
{
    KEY(row_reuse) key = reuse_key(w, m);
    if (!any_visible(w, m->rec) || all_zero(key.server.b, sizeof key.server.b))
        return;
    struct row_reuse *row = row_of(w, ROW_REUSE, hint->binding_tag[0], &key);
    row->count++;
    row->first_ns = m->ts_ns < row->first_ns ? m->ts_ns : row->first_ns;
    row->last_ns = m->ts_ns > row->last_ns ? m->ts_ns : row->last_ns;
}

/* Is there a row of this id, with its blob? Then no store need be asked. */
static bool hello_there(const struct window *w, uint64_t id)
{
    KEY(row_hello) key = {.id = id};
    const struct row_hello *row =
        rowtab_find(&w->tabs[ROW_HELLO], key_tag(w, &key, sizeof key), &key);
    return row != NULL && row->offer != 0;
}

static bool answer_there(const struct window *w, uint64_t id)
{
    KEY(row_answer) key = {.id = id};
    const struct row_answer *row =
        rowtab_find(&w->tabs[ROW_ANSWER], key_tag(w, &key, sizeof key), &key);
    return row != NULL && row->answer != 0;
}

/* The rows of the ids that a session's row tells: also in windows after that of its handshake. */
static void tell_ids(struct window *w, const struct tls_session_msg *s)
{
    struct bytes blob;
    if (s->hello_id != 0 && !hello_there(w, s->hello_id)) {
        blob = offers_find(w->stores->offers, s->hello_id);
        if (blob.len > 0)
            (void)hello_row(w, s->hello_id, blob);
    }
    if (s->answer_id != 0 && !answer_there(w, s->answer_id)) {
        blob = offers_find(w->stores->answers, s->answer_id);
        if (blob.len > 0)
            (void)answer_row(w, s->answer_id, blob);
    }
}

static void count_offer(struct window *w, const struct tls_hello_msg *h)
{
    struct row_hello *row = hello_row(w, h->id, h->offer);
    bool known = row->count++ > 0 && row != row_other(w, ROW_HELLO);
    if (w->stores != NULL && !known && !offers_keep(w->stores->offers, h->id, h->offer))
        w->totals.ledger.offers_turned_away++;
}

/* A HelloRetryRequest is a ServerHello here: the contract counts each message_seq. */
static void dtls_hello(struct window *w, const struct msg *m)
{
    if (m->kind == MSG_TLS_SERVER_HELLO) {
        w->totals.dtls.server_hellos++;
        return;
    }
    w->totals.dtls.client_hellos++;
    if (any_visible(w, m->rec))
        count_offer(w, &m->hello);
}

static void fold_server_hello(struct window *w, const struct tls_hello_msg *h)
{
    struct totals *t = &w->totals;
    if (h->carrier == TLS_OVER_QUIC) {
        t->quic.server_hellos++; /* HelloRetryRequests, too */
    } else if (h->sslv2) {
        t->sslv2.server_hellos++;
    } else if (h->hello_retry) {
        t->tls.hello_retry_requests++;
    } else {
        t->tls.server_hellos++;
        tally_often(w, TALLY_TLS_SERVER_VERSION, h->max_version);
        tally_often(w, TALLY_TLS_CIPHER, h->cipher);
    }
}

static uint64_t text_hash(struct bytes text)
{
    return text.len > 0 ? strings_hash(text.p, text.len) : 0;
}

/* A session's or a hello's SNI as rows and tallies have it, and its hash. */
static struct bytes sni_of(const struct window *w, struct bytes said, bool lower,
                           const struct message_hint *hint, char text[static NAME_MAX_TEXT],
                           uint64_t *hash)
{
    struct bytes sni = {hint->name, hint->name_len};
    *hash = hint->name_hash;
    if (sni.len == 0) {
        sni = name_of(w, said, lower, text);
        *hash = text_hash(sni);
    }
    return sni;
}

static void hint_hello(const struct window *w, const struct msg *m, struct message_hint *hint)
{
    char text[NAME_MAX_TEXT];
    if (!any_visible(w, m->rec))
        return;
    struct bytes sni = name_of(w, m->hello.sni, false, text);
    if (sni.len == 0 || sni.len > HINT_NAME)
        return;
    hint_name(hint, sni, text, text_hash(sni));
    strings_prefetch(&w->strings, hint->name_hash);
}

void fold_tls_hello(struct window *w, const struct msg *m, const struct message_hint *hint)
{
    const struct tls_hello_msg *h = &m->hello;
    struct totals *t = &w->totals;
    char text[NAME_MAX_TEXT];
    uint64_t hash;
    if (h->carrier == TLS_OVER_DTLS) {
        dtls_hello(w, m);
        return;
    }
    if (m->kind == MSG_TLS_SERVER_HELLO) {
        fold_server_hello(w, h);
        return;
    }
    if (h->carrier == TLS_OVER_QUIC) {
        t->quic.client_hellos++;
    } else if (h->sslv2_format) {
        t->sslv2.client_hellos++;
        tally_add(w, TALLY_SSLV2_VERSION, h->legacy_version, 1);
    } else {
        t->tls.client_hellos++;
        tally_often(w, TALLY_TLS_CLIENT_VERSION, h->max_version);
    }
    if (!any_visible(w, m->rec))
        return;
    struct bytes sni = sni_of(w, h->sni, false, hint, text, &hash);
    if (sni.len > 0)
        tally_name(w, h->carrier == TLS_OVER_QUIC ? TALLY_QUIC_SNI : TALLY_TLS_SNI, sni, hash);
    count_offer(w, h);
}

/* The key but for its strings. */
static inline KEY(row_tls) tls_key(const struct window *w, const struct msg *m, int side)
{
    const struct tls_session_msg *s = &m->session;
    return (KEY(row_tls)){
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
        .answer = s->answer_id,
        .via = s->via,
        .signs = s->signs,
        .carrier = s->carrier,
    };
}

/* The strings of a session's row, and their hashes. */
struct texts {
    struct bytes sni, alpn;
    uint64_t sni_hash, alpn_hash, ja4_hash;
    char alpn_text[NAME_MAX_TEXT];
};

/* Of ALPN and JA4 what the hint has, if it has a row. */
static void texts_of(const struct tls_session_msg *s, struct bytes sni, uint64_t sni_hash,
                     const struct message_hint *hint, struct texts *t)
{
    t->sni = sni;
    t->sni_hash = sni_hash;
    t->alpn =
        (struct bytes){(const uint8_t *)t->alpn_text, name_clean(s->alpn, false, t->alpn_text)};
    t->alpn_hash = hint != NULL ? hint->alpn_hash : text_hash(t->alpn);
    t->ja4_hash = hint != NULL ? hint->ja4_hash : text_hash(s->ja4);
}

static struct row_tls *tls_row(struct window *w, const struct msg *m, int side,
                               const struct message_hint *hint, const struct texts *t)
{
    const struct tls_session_msg *s = &m->session;
    KEY(row_tls) key = tls_key(w, m, side);
    uint64_t others = text_pair(t->alpn_hash, t->ja4_hash);
    uint32_t tag = hint->sides >> side & 1
                       ? hint->binding_tag[side]
                       : key_tag_strings(w, &key, sizeof key, t->sni_hash, others);
    if (!row_refused(w, ROW_TLS, &key, t->sni_hash, others)) {
        key.sni = text_intern(w, t->sni, t->sni_hash);
        key.alpn = text_intern(w, t->alpn, t->alpn_hash);
        key.ja4 = text_intern(w, s->ja4, t->ja4_hash);
    }
    if ((t->sni.len > 0 && key.sni == 0) || (t->alpn.len > 0 && key.alpn == 0)
        || (s->ja4.len > 0 && key.ja4 == 0))
        return window_other_make(w, ROW_TLS);
    return row_of(w, ROW_TLS, tag, &key);
}

static void hint_session(const struct window *w, const struct msg *m, struct message_hint *hint)
{
    const struct tls_session_msg *s = &m->session;
    char text[NAME_MAX_TEXT];
    struct texts t;
    struct bytes sni = name_of(w, s->sni, true, text);
    for (int side = 0; side < 2; side++)
        hint->sides |= (unsigned)side_visible(w, m->rec, side) << side;
    if (sni.len > HINT_NAME)
        hint->sides = 0;
    if (hint->sides == 0)
        return;
    texts_of(s, sni, text_hash(sni), NULL, &t);
    hint_name(hint, sni, text, t.sni_hash);
    hint->alpn_hash = t.alpn_hash;
    hint->ja4_hash = t.ja4_hash;
    strings_prefetch(&w->strings, t.sni_hash);
    for (int side = 0; side < 2; side++) {
        if ((hint->sides >> side & 1) == 0)
            continue;
        KEY(row_tls) key = tls_key(w, m, side);
        hint->binding_tag[side] =
            key_tag_strings(w, &key, sizeof key, t.sni_hash, text_pair(t.alpn_hash, t.ja4_hash));
        rowtab_prefetch(&w->tabs[ROW_TLS], hint->binding_tag[side]);
    }
}

void fold_tls_hint(const struct window *w, const struct msg *m, struct message_hint *hint)
{
    hint->name_len = 0;
    if (m->kind == MSG_TLS_SESSION)
        hint_session(w, m, hint);
    else if (m->kind == MSG_TLS_CLIENT_HELLO)
        hint_hello(w, m, hint);
    else if (m->kind == MSG_TLS_REUSE)
        hint_reuse(w, m, hint);
}

void fold_tls_hint_rows(const struct window *w, const struct msg *m,
                        const struct message_hint *hint)
{
    if (hint->name_len > 0)
        strings_prefetch_entry(&w->strings, hint->name_hash);
    for (int side = 0; m->kind == MSG_TLS_SESSION && side < 2; side++)
        if (hint->sides >> side & 1)
            (void)rowtab_prefetch_row(&w->tabs[ROW_TLS], hint->binding_tag[side],
                                      sizeof(struct row_tls));
}

static void count_session(const struct window *w, struct row_tls *r,
                          const struct tls_session_msg *s, bool client)
{
    bool began_here = s->first_ts_ns >= w->start_ns && s->first_ts_ns < s->window_ts_ns;
    uint64_t first_ns = began_here ? s->first_ts_ns : s->window_ts_ns;
    r->sessions += s->alive;
    r->bytes_out += s->bytes[client ? 0 : 1];
    r->bytes_in += s->bytes[client ? 1 : 0];
    r->first_ns = first_ns < r->first_ns ? first_ns : r->first_ns;
    r->last_ns = s->window_ts_ns > r->last_ns ? s->window_ts_ns : r->last_ns;
}

void fold_tls_session(struct window *w, const struct msg *m, const struct message_hint *hint,
                      unsigned parts)
{
    const struct tls_session_msg *s = &m->session;
    char text[NAME_MAX_TEXT];
    struct texts t;
    uint64_t sni_hash;
    struct bytes sni = sni_of(w, s->sni, true, hint, text, &sni_hash);
    texts_of(s, sni, sni_hash, hint->sides != 0 ? hint : NULL, &t);
    bool session = has_part(parts, PART_SESSION), seen = false;
    bool stores = w->stores != NULL;
    if (stores && s->answer.len > 0 && any_visible(w, m->rec) && !answer_there(w, s->answer_id)
        && !offers_keep(w->stores->answers, s->answer_id, s->answer))
        w->totals.ledger.offers_turned_away++;
    w->totals.tls.sessions += session && s->alive && s->carrier == TLS_OVER_TCP;
    for (int side = 0; side < 2; side++) {
        if (!side_visible(w, m->rec, side))
            continue;
        seen = true;
        struct row_tls *r = tls_row(w, m, side, hint, &t);
        if (has_part(parts, PART_EXCHANGE)) {
            r->handshakes++;
            r->first_ns = s->first_ts_ns < r->first_ns ? s->first_ts_ns : r->first_ns;
            r->last_ns = s->first_ts_ns > r->last_ns ? s->first_ts_ns : r->last_ns;
        }
        if (session)
            count_session(w, r, s, side == s->client_side);
        if (stores && !r->told)
            tell_ids(w, s);
        r->told = r != row_other(w, ROW_TLS);
    }
    if (seen && s->answer_id != 0 && has_part(parts, PART_EXCHANGE))
        answer_row(w, s->answer_id, s->answer)->count++;
    if (!seen && session && s->alive)
        unattributed_row(w, m->rec, m->rec->client[s->client_side].kind)->tls_sessions++;
}
