/* Rules that one session cannot show: keys that serve SSL 2.0 too, values used twice, tickets,
 * fallback dances. */
#include "core/hash.h"
#include "enrich/tls_judge.h"
#include "enrich/tls_suites.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    SCSV_FALLBACK = 0x5600,
    DANCERS_MAX = 512 /* more rows than that of one client are no dance */
};
#define FALLBACK_WITHIN_NS UINT64_C(30000000000) /* a client that falls back does so at once */
#define DAY_NS             UINT64_C(86400000000000)

struct fleet {
    struct tls_judged *j;
    struct tls_extras *extras;
    struct tls_index *x;
    struct window *w;
    const struct tls_policy *p;
    const struct tls_item *items;
    size_t n;
    size_t at; /* item, row and server that service_of found last */
    const struct row_reuse *server_row;
    const struct service *server;
    struct err *e;
};

static uint8_t basis_of_item(const struct tls_item *item)
{
    switch (item->outcome) {
    case TLS_ESTABLISHED:
        return BASIS_ACCEPTED;
    case TLS_REFUSED:
    case TLS_RESET:
        return BASIS_ATTEMPTED;
    default:
        return BASIS_NEGOTIATED;
    }
}

static bool extra(struct fleet *f, size_t item, enum weakness rule, unsigned severity,
                  const char *detail)
{
    struct tls_extras *x = f->extras;
    if (f->p->severity[rule] == SEVERITY_OFF)
        return true;
    if (x->n == x->cap) {
        size_t cap = x->cap == 0 ? 64 : x->cap * 2;
        struct tls_extra *list = realloc(x->list, cap * sizeof *list);
        if (list == NULL) {
            err_set(f->e, "out of memory");
            return false;
        }
        x->list = list;
        x->cap = cap;
    }
    struct tls_extra *to = &x->list[x->n++];
    *to =
        (struct tls_extra){item, {.rule = (uint8_t)rule, .basis = basis_of_item(&f->items[item])}};
    to->hit.severity = (uint8_t)(severity < SEVERITY_CRITICAL ? severity : SEVERITY_CRITICAL);
    snprintf(to->hit.detail, sizeof to->hit.detail, "%s", detail);
    return true;
}

/* ---- DROWN: the public key of a certificate seen with SSL 2.0, anywhere */

static int by_key_hash(const void *a, const void *b)
{
    return memcmp(a, b, 32);
}

static const struct cert *leaf_of(struct fleet *f, size_t i, struct tls_tuple *t)
{
    tls_index_tuple(f->x, &f->items[i], t);
    const struct cert *leaf = t->n_certs > 0 ? t->certs[0] : NULL;
    return leaf != NULL && (leaf->flags & CERT_UNREADABLE) == 0 && leaf->key == CERT_KEY_RSA ? leaf
                                                                                             : NULL;
}

static bool drown(struct fleet *f)
{
    size_t n = 0, n_keys = 0;
    struct tls_tuple t;
    for (size_t i = 0; i < f->n; i++)
        n += f->items[i].version == 0x0002;
    if (n == 0)
        return true;
    uint8_t(*keys)[32] = malloc(n * sizeof *keys);
    if (keys == NULL) {
        err_set(f->e, "out of memory");
        return false;
    }
    for (size_t i = 0; i < f->n; i++) {
        if (f->items[i].version != 0x0002)
            continue;
        const struct cert *leaf = leaf_of(f, i, &t);
        if (leaf != NULL)
            memcpy(keys[n_keys++], leaf->spki_sha256, 32);
    }
    if (n_keys > 1)
        qsort(keys, n_keys, sizeof *keys, by_key_hash);
    bool ok = true;
    for (size_t i = 0; ok && n_keys > 0 && i < f->n; i++) {
        uint16_t version = f->items[i].version;
        if (version == 0 || version == 0x0002)
            continue;
        const struct cert *leaf = leaf_of(f, i, &t);
        if (leaf == NULL
            || bsearch(leaf->spki_sha256, keys, n_keys, sizeof *keys, by_key_hash) == NULL)
            continue;
        const struct suite *s = suite_of(t.cipher);
        bool rsa = s != NULL && s->kx == KX_RSA;
        ok = extra(f, i, WEAK_DROWN_SHARED_KEY, f->p->severity[WEAK_DROWN_SHARED_KEY] + rsa,
                   rsa ? "recorded sessions can be read" : "the server can be posed as");
    }
    free(keys);
    return ok;
}

/* ---- fallback: a hello fails, then one with a lower version and without the SCSV */

static int by_client(const void *x, const void *y)
{
    return tls_item_client_order(*(const struct tls_item *const *)x,
                                 *(const struct tls_item *const *)y);
}

static bool has_failed(const struct tls_item *item)
{
    return item->outcome == TLS_REFUSED || item->outcome == TLS_RESET;
}

static bool fell_back(struct fleet *f, const struct tls_item *from, const struct tls_item *to)
{
    const struct row_tls *a = from->row, *b = to->row;
    if (a->key.hello == b->key.hello || b->last_ns < a->first_ns
        || b->first_ns > a->last_ns + FALLBACK_WITHIN_NS)
        return false;
    const struct offer *o = tls_index_offer(f->x, a->key.hello);
    unsigned before = o != NULL ? tls_version_rank(tls_offer_max(o)) : 0;
    o = tls_index_offer(f->x, b->key.hello);
    unsigned after = o != NULL ? tls_version_rank(tls_offer_max(o)) : 0;
    return after > 0 && after < before && !tls_offer_cipher(o, SCSV_FALLBACK);
}

static bool fallback_group(struct fleet *f, const struct tls_item *const group[], size_t n)
{
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < n; k++) {
            if (!has_failed(group[k]) || !fell_back(f, group[k], group[i]))
                continue;
            if (!extra(f, (size_t)(group[i] - f->items), WEAK_FALLBACK_NO_SCSV,
                       f->p->severity[WEAK_FALLBACK_NO_SCSV],
                       "after a failure with a newer version"))
                return false;
            break;
        }
    }
    return true;
}

/* The items [from, to), all of one service, client by client. */
static bool fallback_service(struct fleet *f, const struct tls_item **sorted, size_t from,
                             size_t to)
{
    size_t n = to - from;
    for (size_t i = 0; i < n; i++)
        sorted[i] = &f->items[from + i];
    qsort(sorted, n, sizeof *sorted, by_client);
    for (size_t at = 0, end; at < n; at = end) {
        bool failed = has_failed(sorted[at]);
        for (end = at + 1; end < n && by_client(&sorted[at], &sorted[end]) == 0; end++)
            failed = failed || has_failed(sorted[end]);
        if (failed && end - at > 1 && end - at <= DANCERS_MAX
            && !fallback_group(f, sorted + at, end - at))
            return false;
    }
    return true;
}

static bool fallback(struct fleet *f)
{
    const struct tls_item **sorted = malloc((f->n > 0 ? f->n : 1) * sizeof *sorted);
    if (sorted == NULL) {
        err_set(f->e, "out of memory");
        return false;
    }
    bool ok = true;
    for (size_t from = 0, to; ok && from < f->n;
         from = to) { /* items are sorted by service first */
        bool failed = has_failed(&f->items[from]);
        for (to = from + 1;
             to < f->n && tls_item_service_order(&f->items[from], &f->items[to]) == 0; to++)
            failed = failed || has_failed(&f->items[to]);
        if (failed && to - from > 1)
            ok = fallback_service(f, sorted, from, to);
    }
    free(sorted);
    return ok;
}

/* ---- values that servers use again */

/* Does item `i` come before all that are of the row's server? */
static bool item_before(const struct fleet *f, size_t i, const struct row_reuse *r)
{
    const struct row_tls *t = f->items[i].row;
    if (t->key.client.site != r->key.site)
        return t->key.client.site < r->key.site;
    if (t->key.role == ROLE_SERVER) /* devices of ours come last */
        return false;
    int d = memcmp(&t->key.peer, &r->key.server, sizeof r->key.server);
    return d < 0 || (d == 0 && t->key.port < r->key.port);
}

/* The first item that does not. Rows come in the order of their servers, so the search begins where
 * the last one ended. */
static size_t first_item(const struct fleet *f, const struct row_reuse *r)
{
    size_t low = f->at > 0 && item_before(f, f->at - 1, r) ? f->at : 0, high = low, step = 1;
    while (high < f->n && item_before(f, high, r)) {
        low = high + 1;
        high = f->n - high > step ? high + step : f->n;
        step *= 2;
    }
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (item_before(f, mid, r))
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

/* The server of a reuse row, by the name its sessions have: kept. NULL where memory is out. */
static const struct service *service_of(struct fleet *f, const struct row_reuse *r)
{
    const struct service *last = f->server;
    struct service is, *s;
    if (last != NULL && f->server_row->key.port == r->key.port
        && f->server_row->key.site == r->key.site
        && addr_equal(&f->server_row->key.server, &r->key.server))
        return last;
    f->server_row = r;
    f->server = s = keep_room(&f->j->keep, sizeof *s);
    if (s == NULL)
        return NULL;
    *s = (struct service){.site = r->key.site, .addr = r->key.server, .port = r->key.port};
    f->at = first_item(f, r);
    if (f->at == f->n)
        return s;
    tls_item_service(&f->items[f->at], &is);
    if (is.site == s->site && is.port == s->port && is.device.by == BY_NONE
        && addr_equal(&is.addr, &s->addr))
        *s = is;
    return s;
}

/* More detail for the same finding; NULL where memory is out. */
static const char *detail_add(struct keep *k, const char *detail, const char *more)
{
    char both[DETAIL_MAX];
    size_t n = strlen(detail), n_more = strlen(more);
    if (strstr(detail, more) != NULL || n + n_more + 3 >= sizeof both)
        return detail;
    memcpy(both, detail, n);
    memcpy(both + n, "; ", 2);
    memcpy(both + n + 2, more, n_more);
    return keep_text(k, both, n + 2 + n_more);
}

/* `detail` is a literal. */
static bool server_finding(struct fleet *f, const struct row_reuse *r, enum weakness rule,
                           const char *detail)
{
    if (f->p->severity[rule] == SEVERITY_OFF)
        return true;
    struct finding *last = f->j->n_findings > 0 ? &f->j->findings[f->j->n_findings - 1] : NULL;
    const struct service *server = service_of(f, r);
    if (rule == WEAK_DH_REUSE && f->p->severity[rule] > SEVERITY_INFO)
        f->j->weak[rule] += r->count;
    if (last != NULL && last->rule == rule && server != NULL
        && (last->server == server || tls_service_order(last->server, server) == 0)) {
        last->sessions += r->count; /* rows of one server stand together */
        last->first_ns = r->first_ns < last->first_ns ? r->first_ns : last->first_ns;
        last->last_ns = r->last_ns > last->last_ns ? r->last_ns : last->last_ns;
        last->detail = detail_add(&f->j->keep, last->detail, detail);
        if (last->detail == NULL)
            err_set(f->e, "out of memory");
        return last->detail != NULL;
    }
    struct finding *x = server != NULL ? tls_judged_new(f->j, f->e) : NULL;
    if (x == NULL) {
        err_set(f->e, "out of memory");
        return false;
    }
    *x = (struct finding){.server = server,
                          .client_type = "",
                          .rule = (uint8_t)rule,
                          .basis = BASIS_NEGOTIATED,
                          .severity = f->p->severity[rule],
                          .sessions = r->count,
                          .first_ns = r->first_ns,
                          .last_ns = r->last_ns,
                          .detail = detail};
    return true;
}

struct ticket_key {
    uint64_t value;
    const struct row_reuse *row;
};

static int by_value(const void *x, const void *y)
{
    const struct ticket_key *a = x, *b = y;
    return (a->value > b->value) - (a->value < b->value);
}

static bool has_other_server(const struct ticket_key keys[], size_t n, const struct row_reuse *r)
{
    const struct ticket_key want = {r->key.value, NULL};
    const struct ticket_key *at = bsearch(&want, keys, n, sizeof *keys, by_value);
    if (at == NULL)
        return false;
    while (at > keys && at[-1].value == want.value)
        at--;
    for (; at < keys + n && at->value == want.value; at++)
        if (at->row->key.port != r->key.port || !addr_equal(&at->row->key.server, &r->key.server))
            return true;
    return false;
}

static bool ticket(struct fleet *f, const struct ticket_key keys[], size_t n,
                   const struct row_reuse *r)
{
    static const uint8_t zeros[16];
    if (r->key.value == hash_bytes(zeros, sizeof zeros, 0))
        return server_finding(f, r, WEAK_TICKET_ODD, "a ticket key named by zeros");
    if (r->last_ns > r->first_ns + DAY_NS)
        return server_finding(f, r, WEAK_TICKET_ODD, "one ticket key for more than a day");
    return !has_other_server(keys, n, r)
           || server_finding(f, r, WEAK_TICKET_ODD, "one ticket key at several servers");
}

static bool reuse_of(struct fleet *f, enum tls_reuse what, const struct ticket_key keys[],
                     size_t n_keys, void *const *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct row_reuse *r = rows[i];
        bool ok = true;
        if (r->key.what != what)
            continue;
        if (what == REUSE_TICKET_KEY)
            ok = ticket(f, keys, n_keys, r);
        else if (r->count > 1)
            ok = server_finding(f, r, WEAK_DH_REUSE,
                                what == REUSE_DH ? "one DH value in several handshakes"
                                                 : "one ECDH point in several handshakes");
        if (!ok)
            return false;
    }
    return true;
}

static bool reuse(struct fleet *f)
{
    size_t n, n_keys = 0;
    void *const *rows = window_rows(f->w, ROW_REUSE, &n);
    struct ticket_key *keys = malloc((n > 0 ? n : 1) * sizeof *keys);
    if (keys == NULL) {
        err_set(f->e, "out of memory");
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        const struct row_reuse *r = rows[i];
        if (r->key.what == REUSE_TICKET_KEY)
            keys[n_keys++] = (struct ticket_key){r->key.value, r};
    }
    if (n_keys > 1)
        qsort(keys, n_keys, sizeof *keys, by_value);
    bool ok = true;
    for (int what = 0; ok && what < REUSE_WHAT_N; what++)
        ok = reuse_of(f, (enum tls_reuse)what, keys, n_keys, rows, n);
    free(keys);
    return ok;
}

bool tls_fleet(struct tls_judged *j, struct tls_extras *extras, struct tls_index *x,
               struct window *w, const struct tls_policy *p, struct err *e)
{
    struct fleet f = {.j = j, .extras = extras, .x = x, .w = w, .p = p, .e = e};
    f.items = tls_index_items(x, &f.n);
    return drown(&f) && fallback(&f) && reuse(&f);
}
