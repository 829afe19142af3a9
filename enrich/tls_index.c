#define _GNU_SOURCE /* memmem */
#include "enrich/tls_index.h"

#include "core/arena.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* Rows that an id stands for, in the order of their ids. */
struct by_id {
    const void **rows;
    size_t n;
};

struct place {
    uint64_t site;
    struct addr addr;
    const struct row_binding *row; /* DNS; NULL where only the place counts */
};

struct places {
    struct place *list; /* sorted by site and address */
    size_t n;
};

enum { OFFERS_KEPT = 64, ANSWERS_KEPT = 64, CERTS_KEPT = 16 };

struct tls_index {
    struct window *w;
    struct by_id hellos, answers, certs;
    struct places asked; /* addresses that DNS told */
    struct places ours;  /* addresses whose owner has rows of its own */
    struct tls_item *items, *clear_all,
        *clear;                /* sessions; what was none, at the end of its array */
    size_t n, n_clear, n_rows; /* n_rows: there is room for so many items */
    /* what was read lately, by the low bits of its id */
    uint64_t offer_ids[OFFERS_KEPT], answer_ids[ANSWERS_KEPT],
        cert_ids[ANSWER_CERTS_MAX][CERTS_KEPT];
    bool offer_good[OFFERS_KEPT], answer_good[ANSWERS_KEPT],
        cert_good[ANSWER_CERTS_MAX][CERTS_KEPT];
    struct offer offers[OFFERS_KEPT];
    struct answer answers_read[ANSWERS_KEPT];
    struct cert certs_read[ANSWER_CERTS_MAX][CERTS_KEPT];
    const struct cert *certs_of[ANSWER_CERTS_MAX];
};

/* ---- finding */

static bool copy_rows(struct by_id *to, struct window *w, enum row_kind kind, struct err *e)
{
    void *const *rows = window_rows(w, kind, &to->n);
    to->rows = malloc((to->n > 0 ? to->n : 1) * sizeof *to->rows);
    if (to->rows == NULL) {
        err_set(e, "out of memory");
        return false;
    }
    for (size_t i = 0; i < to->n; i++)
        to->rows[i] = rows[i];
    return true;
}

static uint64_t id_of(const void *row)
{
    uint64_t id; /* hello, answer and cert rows have one key: their id */
    memcpy(&id, (const uint8_t *)row + row_types[ROW_HELLO].key_at, sizeof id);
    return id;
}

static const void *find_id(const struct by_id *in, uint64_t id)
{
    size_t low = 0, high = in->n;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (id_of(in->rows[mid]) < id)
            low = mid + 1;
        else
            high = mid;
    }
    return low < in->n && id_of(in->rows[low]) == id ? in->rows[low] : NULL;
}

static int by_place(const void *x, const void *y)
{
    const struct place *a = x, *b = y;
    if (a->site != b->site)
        return a->site < b->site ? -1 : 1;
    return memcmp(&a->addr, &b->addr, sizeof a->addr);
}

static size_t first_place(const struct places *in, const struct place *p)
{
    size_t low = 0, high = in->n;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (by_place(&in->list[mid], p) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static bool has_place(const struct places *in, uint64_t site, const struct addr *addr)
{
    struct place p = {.site = site, .addr = *addr};
    size_t i = first_place(in, &p);
    return i < in->n && by_place(&in->list[i], &p) == 0;
}

static bool places_sorted(const struct places *p)
{
    for (size_t i = 1; i < p->n; i++)
        if (by_place(&p->list[i - 1], &p->list[i]) > 0)
            return false;
    return true;
}

/* ---- making */

static bool collect_places(struct tls_index *x, struct err *e)
{
    size_t n_bindings, n_clients;
    void *const *rows = window_rows(x->w, ROW_CLIENT, &n_clients);
    x->ours.list = malloc((n_clients + 1) * sizeof *x->ours.list);
    for (size_t i = 0; x->ours.list != NULL && i < n_clients; i++) {
        const struct client *c = &((const struct row_client *)rows[i])->key.client;
        struct place p = {.site = c->site};
        memcpy(&p.addr, c->id, sizeof p.addr);
        if (c->by == BY_ADDR)
            x->ours.list[x->ours.n++] = p;
    }
    rows = window_rows(x->w, ROW_BINDING, &n_bindings);
    struct place *more = realloc(x->ours.list, (n_clients + n_bindings + 1) * sizeof *more);
    if (more != NULL)
        x->ours.list = more;
    x->asked.list = malloc((n_bindings + 1) * sizeof *x->asked.list);
    if (more == NULL || x->asked.list == NULL) {
        err_set(e, "out of memory");
        return false;
    }
    for (size_t i = 0; i < n_bindings; i++) {
        const struct row_binding *b = rows[i];
        struct place p = {b->key.client.site, b->key.addr, b};
        if (b->key.kind == BIND_DNS)
            x->asked.list[x->asked.n++] = p;
        else if (b->key.kind == BIND_MAC && b->key.client.kind != CLIENT_NONE)
            x->ours.list[x->ours.n++] = p;
    }
    /* DNS bindings come sorted so, all being of nobody but a site */
    if (!places_sorted(&x->asked))
        qsort(x->asked.list, x->asked.n, sizeof *x->asked.list, by_place);
    if (x->ours.n > 1)
        qsort(x->ours.list, x->ours.n, sizeof *x->ours.list, by_place);
    return true;
}

/* Does the other side have a row of the same session, as its client? */
static bool told_twice(const struct tls_index *x, const struct row_tls *r)
{
    struct addr half = r->key.peer;
    if (r->key.role != ROLE_SERVER)
        return false;
    if (has_place(&x->ours, r->key.client.site, &r->key.peer))
        return true;
    memset(half.b + 8, 0, 8); /* at a server's vantage an IPv6 client is its /64 */
    return !addr_is_v4(&r->key.peer) && has_place(&x->ours, r->key.client.site, &half);
}

/* The name a client may have meant by an address: the one it had asked DNS for by `last_ns`; where
 * that was several, none. False where nothing is known. */
static bool asked_for(const struct tls_index *x, const struct client *client,
                      const struct addr *addr, uint64_t last_ns, struct bytes *name)
{
    struct place p = {.site = client->site, .addr = *addr};
    uint32_t who = (uint32_t)window_client_hash(x->w, client), found = 0;
    for (size_t i = first_place(&x->asked, &p); i < x->asked.n; i++) {
        const struct row_binding *b = x->asked.list[i].row;
        if (by_place(&x->asked.list[i], &p) != 0)
            break;
        struct set8_view clients = window_set8(x->w, &b->clients);
        bool asked = false;
        for (unsigned k = 0; k < clients.n; k++)
            asked = asked || clients.value[k] == who;
        if (!asked || b->first_ns > last_ns)
            continue;
        if (found != 0 && found != b->key.value)
            return false; /* two names: nobody can tell which was meant */
        found = b->key.value;
    }
    *name = window_string(x->w, found);
    return found != 0 && name->len > 0;
}

static const struct cert *read_cert(struct tls_index *x, unsigned slot, uint64_t id)
{
    unsigned at = id % CERTS_KEPT; /* a place for each slot: certificates of one chain do not push
                                      each other out */
    if (x->cert_ids[slot][at] != id || id == 0) {
        const struct row_cert *row = find_id(&x->certs, id);
        struct bytes b = {0};
        if (row != NULL)
            b = window_string(x->w, row->facts);
        x->cert_ids[slot][at] = id;
        x->cert_good[slot][at] = b.len > 0 && cert_read(b.p, b.len, &x->certs_read[slot][at]);
    }
    return x->cert_good[slot][at] ? &x->certs_read[slot][at] : NULL;
}

static const struct answer *read_answer(struct tls_index *x, uint64_t id)
{
    unsigned at = id % ANSWERS_KEPT;
    if (x->answer_ids[at] != id) {
        const struct row_answer *row = find_id(&x->answers, id);
        struct bytes b = {0};
        if (row != NULL)
            b = window_string(x->w, row->answer);
        x->answer_ids[at] = id;
        x->answer_good[at] = b.len > 0 && answer_read(b.p, b.len, &x->answers_read[at]);
    }
    return id != 0 && x->answer_good[at] ? &x->answers_read[at] : NULL;
}

const struct offer *tls_index_offer(struct tls_index *x, uint64_t hello)
{
    unsigned at = hello % OFFERS_KEPT;
    if (x->offer_ids[at] != hello) {
        const struct row_hello *row = find_id(&x->hellos, hello);
        struct bytes b = {0};
        if (row != NULL)
            b = window_string(x->w, row->offer);
        x->offer_ids[at] = hello;
        x->offer_good[at] = b.len > 0 && offer_read(b.p, b.len, &x->offers[at]);
    }
    return hello != 0 && x->offer_good[at] ? &x->offers[at] : NULL;
}

/* The first dNSName of the leaf, where it lies in the window's blob. */
static bool cert_name(struct tls_index *x, uint64_t answer, struct bytes *name)
{
    const struct answer *a = read_answer(x, answer);
    const struct cert *leaf = a != NULL && a->n_certs > 0 ? read_cert(x, 0, a->certs[0]) : NULL;
    if (leaf == NULL || leaf->n_sans == 0 || leaf->san_len[0] == 0)
        return false;
    struct bytes blob =
        window_string(x->w, ((const struct row_cert *)find_id(&x->certs, a->certs[0]))->facts);
    const uint8_t *at = memmem(blob.p, blob.len, leaf->sans[0], leaf->san_len[0]);
    if (at == NULL)
        return false;
    *name = (struct bytes){at, leaf->san_len[0]};
    return true;
}

static void name_item(struct tls_index *x, struct tls_item *item)
{
    const struct row_tls *r = item->row;
    struct bytes name = window_string(x->w, r->key.sni);
    enum name_source source = NAME_NONE;
    if (name.len > 0)
        source = NAME_SNI;
    else if (r->key.role == ROLE_CLIENT
             && asked_for(x, &r->key.client, &r->key.peer, r->last_ns, &name))
        source = NAME_DNS;
    else if (cert_name(x, r->key.answer, &name))
        source = NAME_CERT;
    tls_item_name(item, name, source);
}

/* Where a session shows no certificate (TLS 1.3, resumption), those that others were shown at the
 * same place, who also named no server, tell its name, if it is one. */
static void name_place(struct tls_item items[], size_t n)
{
    const struct bytes *name = NULL;
    for (size_t i = 0; i < n; i++) {
        if (items[i].name_source != NAME_CERT)
            continue;
        if (name != NULL
            && (name->len != items[i].name.len || memcmp(name->p, items[i].name.p, name->len) != 0))
            return;
        name = &items[i].name;
    }
    for (size_t i = 0; name != NULL && i < n; i++)
        if (items[i].name_source == NAME_NONE)
            tls_item_name(&items[i], *name, NAME_CERT);
}

static void name_places(struct tls_index *x)
{
    for (size_t from = 0, to; from < x->n; from = to) {
        for (to = from + 1; to < x->n && tls_item_same_place(&x->items[from], &x->items[to]); to++)
            continue;
        name_place(x->items + from, to - from);
    }
}

/* Will addresses be asked for? Few windows need none of them, but those have the most rows. */
static bool needs_places(const struct row_tls *r)
{
    return r->key.role == ROLE_SERVER || r->key.sni == 0;
}

static size_t items_bytes(const struct tls_index *x)
{
    return (x->n_rows > 0 ? x->n_rows : 1) * sizeof *x->items;
}

static bool collect_items(struct tls_index *x, const struct tls_typing *typing, struct err *e)
{
    enum { AHEAD = 8 };
    size_t n, clear = 0;
    bool places = false;
    void *const *rows = window_rows(x->w, ROW_TLS, &n);
    x->n_rows = n;
    x->items = arena_new(items_bytes(x), ARENA_HOT, e);
    if (x->items == NULL)
        return false;
    for (size_t i = 0; i < n; i++)
        x->items[i] = (struct tls_item){.row = rows[i]};
    for (size_t i = 0; i < n; i++) {
        tls_item_prefetch(&x->items[i + AHEAD < n ? i + AHEAD : i]);
        places = places || needs_places(rows[i]);
        clear += ((const struct row_tls *)rows[i])->key.outcome == TLS_CLEAR;
    }
    x->clear = x->clear_all = malloc((clear > 0 ? clear : 1) * sizeof *x->clear);
    if (x->clear == NULL) {
        err_set(e, "out of memory");
        return false;
    }
    if (places && !collect_places(x, e))
        return false;
    x->clear += clear;
    for (size_t i = 0; i < n; i++) {
        const struct row_tls *r = x->items[i].row;
        if (told_twice(x, r))
            continue;
        if (r->key.outcome == TLS_CLEAR) {
            x->n_clear++;
            *--x->clear =
                (struct tls_item){.row = r, .version = r->key.version, .outcome = r->key.outcome};
            name_item(x, x->clear);
        }
        if (r->sessions == 0)
            continue;
        struct tls_item *item = &x->items[x->n++];
        *item = (struct tls_item){.row = r,
                                  .ja4 = window_string(x->w, r->key.ja4),
                                  .version = r->key.version,
                                  .outcome = r->key.outcome};
        if (typing != NULL)
            item->type_id = typing->of(typing->ctx, r);
        if (item->type_id != 0)
            item->type = typing->text(typing->ctx, item->type_id);
        name_item(x, item);
    }
    if (!tls_places_sort(x->items, x->n, e))
        return false;
    name_places(x);
    return true;
}

bool tls_index_new(struct tls_index **out, struct window *w, const struct tls_typing *typing,
                   struct err *e)
{
    struct tls_index *x = calloc(1, sizeof *x);
    if (x == NULL) {
        err_set(e, "out of memory");
        return false;
    }
    x->w = w;
    bool ok = copy_rows(&x->hellos, w, ROW_HELLO, e) && copy_rows(&x->answers, w, ROW_ANSWER, e)
              && copy_rows(&x->certs, w, ROW_CERT, e) && collect_items(x, typing, e);
    if (!ok) {
        tls_index_free(x);
        return false;
    }
    *out = x;
    return true;
}

void tls_index_free(struct tls_index *x)
{
    if (x == NULL)
        return;
    free(x->hellos.rows);
    free(x->answers.rows);
    free(x->certs.rows);
    free(x->asked.list);
    free(x->ours.list);
    arena_free(x->items, items_bytes(x));
    free(x->clear_all);
    free(x);
}

/* ---- reading */

struct tls_item *tls_index_items(struct tls_index *x, size_t *n)
{
    *n = x->n;
    return x->items;
}

struct tls_item *tls_index_clear(struct tls_index *x, size_t *n)
{
    *n = x->n_clear;
    return x->clear;
}

void tls_index_tuple(struct tls_index *x, const struct tls_item *item, struct tls_tuple *t)
{
    const struct row_tls *r = item->row;
    *t = (struct tls_tuple){.version = r->key.version,
                            .cipher = r->key.cipher,
                            .group = r->key.group,
                            .record_version = r->key.record_version,
                            .alert = r->key.alert,
                            .signs = r->key.signs,
                            .port = r->key.port,
                            .via = r->key.via,
                            .outcome = r->key.outcome,
                            .resumed = r->key.resumed,
                            .handshake_seen = r->key.handshake_seen,
                            .sessions = r->sessions,
                            .bytes = r->bytes_in + r->bytes_out,
                            .first_ns = r->first_ns,
                            .last_ns = r->last_ns,
                            .offer = tls_index_offer(x, r->key.hello),
                            .answer = read_answer(x, r->key.answer),
                            .certs = x->certs_of,
                            .name = item->name,
                            .name_source = item->name_source};
    t->n_certs = t->answer != NULL ? t->answer->n_certs : 0;
    for (unsigned i = 0; i < t->n_certs; i++)
        x->certs_of[i] = read_cert(x, i, t->answer->certs[i]);
}
