#define _GNU_SOURCE /* memmem */
#include "enrich/tls_index.h"

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

struct tls_index {
    struct window *w;
    struct by_id hellos, answers, certs;
    struct places asked; /* addresses that DNS told */
    struct places ours;  /* addresses whose owner has rows of its own */
    struct tls_item *items, *clear; /* one array: sessions, and at its end what was none */
    size_t n, n_clear;
    /* read last */
    uint64_t offer_id, answer_id, cert_ids[ANSWER_CERTS_MAX];
    bool offer_good, answer_good, cert_good[ANSWER_CERTS_MAX];
    struct offer offer;
    struct answer answer;
    struct cert certs_read[ANSWER_CERTS_MAX];
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
    if (x->asked.n > 1)
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

bool tls_index_asked(const struct tls_index *x, const struct client *client,
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
    if (x->cert_ids[slot] != id || id == 0) {
        const struct row_cert *row = find_id(&x->certs, id);
        struct bytes b = {0};
        if (row != NULL)
            b = window_string(x->w, row->facts);
        x->cert_ids[slot] = id;
        x->cert_good[slot] = b.len > 0 && cert_read(b.p, b.len, &x->certs_read[slot]);
    }
    return x->cert_good[slot] ? &x->certs_read[slot] : NULL;
}

static const struct answer *read_answer(struct tls_index *x, uint64_t id)
{
    if (x->answer_id != id) {
        const struct row_answer *row = find_id(&x->answers, id);
        struct bytes b = {0};
        if (row != NULL)
            b = window_string(x->w, row->answer);
        x->answer_id = id;
        x->answer_good = b.len > 0 && answer_read(b.p, b.len, &x->answer);
    }
    return id != 0 && x->answer_good ? &x->answer : NULL;
}

const struct offer *tls_index_offer(struct tls_index *x, uint64_t hello)
{
    if (x->offer_id != hello) {
        const struct row_hello *row = find_id(&x->hellos, hello);
        struct bytes b = {0};
        if (row != NULL)
            b = window_string(x->w, row->offer);
        x->offer_id = hello;
        x->offer_good = b.len > 0 && offer_read(b.p, b.len, &x->offer);
    }
    return hello != 0 && x->offer_good ? &x->offer : NULL;
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
    item->name = window_string(x->w, r->key.sni);
    item->name_source = NAME_NONE;
    if (item->name.len > 0)
        item->name_source = NAME_SNI;
    else if (r->key.role == ROLE_CLIENT
             && tls_index_asked(x, &r->key.client, &r->key.peer, r->last_ns, &item->name))
        item->name_source = NAME_DNS;
    else if (cert_name(x, r->key.answer, &item->name))
        item->name_source = NAME_CERT;
    else
        item->name = (struct bytes){0};
}

static int number_order(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

/* As tls_service_order of both, but for names: sorting asks this often, so no service is made of them. A server that is a device of
 * ours comes after those that are only an address. */
static int by_place_of(const void *x, const void *y)
{
    const struct row_tls *a = ((const struct tls_item *)x)->row;
    const struct row_tls *b = ((const struct tls_item *)y)->row;
    int d = number_order(a->key.client.site, b->key.client.site);
    if (d == 0)
        d = (a->key.role == ROLE_SERVER) - (b->key.role == ROLE_SERVER);
    if (d == 0 && a->key.role == ROLE_SERVER) {
        d = number_order(a->key.client.kind, b->key.client.kind);
        if (d == 0)
            d = number_order(a->key.client.by, b->key.client.by);
        if (d == 0)
            d = memcmp(a->key.client.id, b->key.client.id, sizeof a->key.client.id);
    } else if (d == 0) {
        d = memcmp(&a->key.peer, &b->key.peer, sizeof a->key.peer);
    }
    if (d == 0)
        d = number_order(a->key.port, b->key.port);
    return d != 0 ? d : number_order(a->key.carrier, b->key.carrier);
}

static int name_order(const struct bytes *a, const struct bytes *b)
{
    uint32_t least = a->len < b->len ? a->len : b->len;
    int d = least > 0 && a->p != b->p ? memcmp(a->p, b->p, least) : 0;
    return d != 0 ? d : number_order(a->len, b->len);
}

bool tls_item_same_place(const struct tls_item *a, const struct tls_item *b)
{
    return by_place_of(a, b) == 0;
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
    for (size_t i = 0; name != NULL && i < n; i++) {
        if (items[i].name_source == NAME_NONE) {
            items[i].name = *name;
            items[i].name_source = NAME_CERT;
        }
    }
}

static void name_places(struct tls_index *x)
{
    if (x->n > 1)
        qsort(x->items, x->n, sizeof *x->items, by_place_of);
    for (size_t from = 0, to; from < x->n; from = to) {
        for (to = from + 1; to < x->n && tls_item_same_place(&x->items[from], &x->items[to]); to++)
            continue;
        name_place(x->items + from, to - from);
    }
}

static bool collect_items(struct tls_index *x, const struct tls_typing *typing, struct err *e)
{
    size_t n;
    void *const *rows = window_rows(x->w, ROW_TLS, &n);
    x->items = malloc((n > 0 ? n : 1) * sizeof *x->items);
    if (x->items == NULL) {
        err_set(e, "out of memory");
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        const struct row_tls *r = rows[i];
        if (told_twice(x, r))
            continue;
        if (r->key.outcome == TLS_CLEAR) {
            x->n_clear++;
            x->items[n - x->n_clear] = (struct tls_item){.row = r};
            name_item(x, &x->items[n - x->n_clear]);
        }
        if (r->sessions == 0)
            continue;
        x->items[x->n] = (struct tls_item){.row = r, .ja4 = window_string(x->w, r->key.ja4)};
        if (typing != NULL)
            x->items[x->n].type_id = typing->of(typing->ctx, r);
        if (x->items[x->n].type_id != 0)
            x->items[x->n].type = typing->text(typing->ctx, x->items[x->n].type_id);
        name_item(x, &x->items[x->n++]);
    }
    x->clear = x->items + (n - x->n_clear);
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
              && copy_rows(&x->certs, w, ROW_CERT, e) && collect_places(x, e)
              && collect_items(x, typing, e);
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
    free(x->items);
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

void tls_item_service(const struct tls_item *item, struct service *s)
{
    const struct row_tls *r = item->row;
    *s = (struct service){.site = r->key.client.site,
                          .port = r->key.port,
                          .carrier = r->key.carrier,
                          .name = item->name,
                          .name_source = item->name_source};
    if (r->key.role == ROLE_SERVER)
        s->device = r->key.client;
    else
        s->addr = r->key.peer;
}

int tls_service_order(const struct service *a, const struct service *b)
{
    int d = number_order(a->site, b->site);
    if (d == 0)
        d = number_order(a->device.kind, b->device.kind);
    if (d == 0)
        d = number_order(a->device.by, b->device.by);
    if (d == 0)
        d = memcmp(a->device.id, b->device.id, sizeof a->device.id);
    if (d == 0)
        d = memcmp(&a->addr, &b->addr, sizeof a->addr);
    if (d == 0)
        d = number_order(a->port, b->port);
    if (d == 0)
        d = number_order(a->carrier, b->carrier);
    if (d == 0)
        d = name_order(&a->name, &b->name);
    return d != 0 ? d : number_order(a->name_source, b->name_source);
}

int tls_item_service_order(const struct tls_item *a, const struct tls_item *b)
{
    int d = by_place_of(a, b);
    if (d == 0)
        d = name_order(&a->name, &b->name);
    return d != 0 ? d : number_order(a->name_source, b->name_source);
}

void tls_item_client(const struct tls_item *item, struct client *c, struct addr *outside)
{
    const struct row_tls *r = item->row;
    *c = (struct client){.site = r->key.client.site};
    *outside = (struct addr){{0}};
    if (r->key.role == ROLE_CLIENT)
        *c = r->key.client;
    else
        *outside = r->key.peer;
}

int tls_item_client_order(const struct tls_item *a, const struct tls_item *b)
{
    const struct row_tls *x = a->row, *y = b->row;
    bool ours = x->key.role == ROLE_CLIENT;
    int d = number_order(x->key.client.site, y->key.client.site);
    if (d == 0)
        d = ours - (y->key.role == ROLE_CLIENT);
    if (d != 0 || !ours)
        return d != 0 ? d : memcmp(&x->key.peer, &y->key.peer, sizeof x->key.peer);
    d = number_order(x->key.client.kind, y->key.client.kind);
    if (d == 0)
        d = number_order(x->key.client.by, y->key.client.by);
    return d != 0 ? d : memcmp(x->key.client.id, y->key.client.id, sizeof x->key.client.id);
}

void tls_item_count(const struct tls_item *item, struct client_counts *n)
{
    bool ours = item->row->key.role == ROLE_CLIENT;
    uint8_t kind = item->row->key.client.kind;
    n->gateways += ours && kind == CLIENT_GATEWAY;
    n->hosts += ours && kind == CLIENT_HOST;
    n->others += !ours;
}

void tls_item_type(const struct tls_item *item, char text[static CLIENT_TYPE_MAX])
{
    if (item->type != NULL)
        snprintf(text, CLIENT_TYPE_MAX, "%s", item->type);
    else if (item->ja4.len > 0)
        snprintf(text, CLIENT_TYPE_MAX, "unknown:%.*s", (int)item->ja4.len,
                 (const char *)item->ja4.p);
    else if (item->row->key.hello == 0)
        snprintf(text, CLIENT_TYPE_MAX, "unknown");
    else
        snprintf(text, CLIENT_TYPE_MAX, "unknown:hello:%016" PRIx64, item->row->key.hello);
}

int tls_item_type_order(const struct tls_item *a, const struct tls_item *b)
{
    int d = (a->type_id > b->type_id) - (a->type_id < b->type_id);
    if (d == 0 && a->type_id == 0)
        d = name_order(&a->ja4, &b->ja4);
    return d != 0 || a->type_id != 0 || a->ja4.len > 0
               ? d
               : number_order(a->row->key.hello, b->row->key.hello);
}

bool tls_item_same_program(const struct tls_item *a, const struct tls_item *b)
{
    return tls_item_type_order(a, b) == 0
           || (a->row->key.hello != 0 && a->row->key.hello == b->row->key.hello);
}
