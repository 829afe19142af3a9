#include "decoders/tls_calm.h"

#include "decoders/decode_state.h"
#include "decoders/tls_session.h"
#include "decoders/tls_wire.h"

enum {
    ROOM_STEPS = 4, /* streams looked at for each that is opened */
};

/* What reports say and sessions share. Names follow. */
struct told {
    uint64_t hello_id, answer_id, offered_id, offered_ticket;
    uint16_t version, record_version[2], cipher, group, client_max_version, signs, beat[2];
    uint16_t flags;
    uint8_t outcome, n_alive, alert_level, alert, client_dir, sni_len, alpn_len, via;
    uint8_t pad[4];
    char ja4[FINGERPRINT_JA4_LEN], pad4[4];
};
static_assert(sizeof(struct told) == 104, "no hidden padding in a key");

enum { END_BYTES = 50 };

/* ---- at rest */

static uint32_t next_byte(const struct flow *f, unsigned dir)
{
    return f->high[dir] - ((f->flags & flow_fin(dir)) != 0);
}

static bool half_at_rest(const struct flow *f, const struct stream *s, unsigned dir)
{
    const struct stream_half *h = &s->half[dir];
    bool between = h->mode == AT_LOST || (h->mode == AT_HEAD && h->n_msg_head == 0);
    bool in_step = h->known ? h->next == next_byte(f, dir) : (f->flags & flow_seen(dir)) == 0;
    return between && in_step && h->waiting == 0 && h->n_head == 0 && h->kept.len == 0
           && h->left <= UINT16_MAX;
}

bool tls_calm_at_rest(const struct flow *f, const struct stream *s)
{
    const struct tls_session *t = &s->tls;
    return f->kind == FLOW_TLS && half_at_rest(f, s, 0) && half_at_rest(f, s, 1) && t->flight == 0
           && tls_session_sure(t) && t->window_last_ns == f->last_ts_ns
           && (t->bytes[0] | t->bytes[1]) <= UINT32_MAX;
}

/* ---- there */

/* The last two windows as counts back from the current one. */
static bool alive_back(const struct decode *d, const struct tls_session *t, uint16_t back[2])
{
    for (unsigned i = 0; i < 2 && i < t->n_alive; i++) {
        if (t->last_alive_ns[i] == t->window_ns)
            continue;
        uint64_t n = (t->window_ns - t->last_alive_ns[i]) / d->limits.window_ns;
        if (t->last_alive_ns[i] > t->window_ns || n > UINT16_MAX)
            return false;
        back[i] = (uint16_t)n;
    }
    return true;
}

static uint32_t keep_told(struct stream_at *at)
{
    const struct tls_session *t = &at->stream->tls;
    uint8_t all[BLOB_MAX];
    struct told told = {
        .hello_id = t->hello_id,
        .answer_id = t->answer_id,
        .offered_id = t->offered_id,
        .offered_ticket = t->offered_ticket,
        .signs = t->signs,
        .beat = {t->beat[0], t->beat[1]},
        .via = t->via,
        .version = t->version,
        .record_version = {t->record_version[0], t->record_version[1]},
        .cipher = t->cipher,
        .group = t->group,
        .client_max_version = t->client_max_version,
        .flags = t->flags,
        .outcome = t->outcome,
        .n_alive = t->n_alive,
        .alert_level = t->alert_level,
        .alert = t->alert,
        .client_dir = t->client_dir,
        .sni_len = t->sni_len,
        .alpn_len = t->alpn_len,
    };
    memcpy(told.ja4, t->ja4, sizeof told.ja4);
    size_t names = tls_session_names(t), len = sizeof told + names;
    if (len > sizeof all)
        return 0;
    memcpy(all, &told, sizeof told);
    memcpy(all + sizeof told,
           t->long_names.len > 0 ? stream_kept_bytes(at, &t->long_names) : t->names, names);
    return blobs_take(&at->d->blobs, all, len);
}

static uint32_t keep_end(struct decode *d, const struct stream *s, unsigned dir)
{
    const struct client *c = &s->client[dir];
    uint8_t all[END_BYTES];
    memcpy(all, s->addr[dir].b, 16);
    memcpy(all + 16, c->id, 16);
    memcpy(all + 32, &c->site, 8);
    memcpy(all + 40, &s->site, 8);
    all[48] = c->kind;
    all[49] = c->by;
    return blobs_take(&d->blobs, all, sizeof all);
}

static void give_blobs(struct decode *d, const struct tls_calm *c)
{
    const uint32_t numbers[] = {c->told, c->end[0], c->end[1]};
    for (unsigned i = 0; i < 3; i++)
        if (numbers[i] != 0)
            blobs_give(&d->blobs, numbers[i]);
}

bool tls_calm_down(struct decode *d, struct flow *f)
{
    struct stream *s = stream_pool_at(&d->streams, f->stream);
    struct tls_session *t = &s->tls;
    struct stream_at at = {.d = d, .flow = f, .stream = s};
    uint16_t back[2] = {0};
    if (!tls_calm_at_rest(f, s) || !alive_back(d, t, back))
        return false;
    struct tls_calm c = {
        .first_ts_ns = t->first_ts_ns,
        .first_ord = s->first_ord,
        .bytes = {(uint32_t)t->bytes[0], (uint32_t)t->bytes[1]},
        .told = keep_told(&at),
        .end = {keep_end(d, s, 0), keep_end(d, s, 1)},
        .alive = {back[0], back[1]},
    };
    uint32_t i = c.told == 0 || c.end[0] == 0 || c.end[1] == 0 ? 0 : stream_pool_take(&d->calm);
    if (i == 0) {
        give_blobs(d, &c);
        return false;
    }
    for (unsigned dir = 0; dir < 2; dir++) {
        const struct stream_half *h = &s->half[dir];
        c.half[dir].left = (uint16_t)h->left;
        c.half[dir].type = h->type;
        c.half[dir].bits = (uint8_t)((h->flags & ~H_LIST) | (h->mode == AT_LOST ? CALM_LOST : 0)
                                     | (h->synced ? CALM_SYNCED : 0) | (h->known ? CALM_KNOWN : 0));
    }
    f->flags |= FLOW_CALM;
    stream_drop(&at, &t->long_names);
    stream_give(d, f->stream);
    memcpy(stream_pool_at(&d->calm, i), &c, sizeof c);
    f->stream = i;
    return true;
}

/* ---- and back */

static void recall_told(struct stream_at *at, uint32_t number)
{
    struct tls_session *t = &at->stream->tls;
    struct told told;
    size_t len;
    const uint8_t *p = blobs_at(&at->d->blobs, number, &len);
    memcpy(&told, p, sizeof told);
    p += sizeof told;
    t->hello_id = told.hello_id;
    t->answer_id = told.answer_id;
    t->offered_id = told.offered_id;
    t->offered_ticket = told.offered_ticket;
    t->signs = told.signs;
    t->via = told.via;
    t->version = told.version;
    memcpy(t->record_version, told.record_version, sizeof t->record_version);
    memcpy(t->beat, told.beat, sizeof t->beat);
    t->cipher = told.cipher;
    t->group = told.group;
    t->client_max_version = told.client_max_version;
    t->flags = told.flags;
    t->outcome = told.outcome;
    t->n_alive = told.n_alive;
    t->alert_level = told.alert_level;
    t->alert = told.alert;
    t->client_dir = told.client_dir;
    t->sni_len = told.sni_len;
    t->alpn_len = told.alpn_len;
    memcpy(t->ja4, told.ja4, sizeof t->ja4);
    size_t names = tls_session_names(t);
    if (names <= TLS_NAMES_INLINE)
        memcpy(t->names, p, names);
    else if (!stream_keep(at, &t->long_names, p, names))
        tls_session_no_names(t); /* counted as turned away */
}

static void recall_end(const struct decode *d, struct stream *s, unsigned dir, uint32_t number)
{
    struct client *c = &s->client[dir];
    size_t len;
    const uint8_t *p = blobs_at(&d->blobs, number, &len);
    memcpy(s->addr[dir].b, p, 16);
    memcpy(c->id, p + 16, 16);
    memcpy(&c->site, p + 32, 8);
    memcpy(&s->site, p + 40, 8);
    c->kind = p[48];
    c->by = p[49];
}

void tls_calm_wake(struct decode *d, uint32_t slot)
{
    struct flow *f = &d->flows.flows[slot];
    uint32_t number = f->stream;
    const struct tls_calm *c = stream_pool_at(&d->calm, number);
    struct stream *s = stream_take(d, slot);
    assert(s != NULL); /* as many as connections */
    struct tls_session *t = &s->tls;
    struct stream_at at = {.d = d, .flow = f, .stream = s};
    for (unsigned dir = 0; dir < 2; dir++) {
        struct stream_half *h = &s->half[dir];
        uint8_t bits = c->half[dir].bits;
        h->next = next_byte(f, dir);
        h->known = bits & CALM_KNOWN;
        h->synced = bits & CALM_SYNCED;
        h->mode = bits & CALM_LOST ? AT_LOST : AT_HEAD;
        h->flags = bits & (H_PROTECTED | H_GAP | H_HELLO_2 | H_CLEAR | H_TRY);
        h->type = c->half[dir].type;
        h->left = c->half[dir].left;
        t->bytes[dir] = c->bytes[dir];
        recall_end(d, s, dir, c->end[dir]);
    }
    t->long_names.aside = true;
    recall_told(&at, c->told);
    t->first_ts_ns = c->first_ts_ns;
    t->window_last_ns = f->last_ts_ns;
    t->window_ns = tls_session_window(d, f->last_ts_ns);
    for (unsigned i = 0; i < 2; i++)
        t->last_alive_ns[i] = t->window_ns - c->alive[i] * d->limits.window_ns;
    t->records = UINT8_MAX;
    s->first_ord = c->first_ord;
    give_blobs(d, c);
    stream_pool_give(&d->calm, number);
    f->flags &= (uint16_t)~FLOW_CALM;
}

/* Sessions that are decided first: the others will soon have to be woken. */
void tls_calm_make_room(struct decode *d)
{
    if (d->n_streams < d->streams_hot)
        return;
    for (unsigned i = 0; i < ROOM_STEPS; i++) {
        d->hand = d->hand >= d->streams.top ? 1 : d->hand + 1;
        const struct stream *s = stream_pool_at(&d->streams, d->hand);
        struct flow *f = &d->flows.flows[s->flow];
        if (s->flow != 0 && (f->flags & FLOW_QUICK || i == ROOM_STEPS - 1) && tls_calm_down(d, f))
            return;
    }
}
