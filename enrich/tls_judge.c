#include "enrich/tls_judge.h"

#include "core/arena.h"
#include "enrich/tls_verdicts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DETAILS = 3, TYPES_KEPT = 64 };

/* One rule, found in one way, in the group at hand. */
struct slot {
    uint64_t sessions, first_ns, last_ns;
    struct client_counts clients;
    const struct tls_item *last, *example;
    uint8_t severity;
    unsigned n_details;
    bool more_details;
    const char *details[DETAILS]; /* the smallest ones, sorted */
};

struct judging {
    struct tls_judged *out;
    struct tls_index *x;
    const struct tls_policy *p;
    const struct tls_item *items;
    struct tls_extras extras;
    size_t next_extra;
    struct tls_verdicts *verdicts;
    uint8_t judgement, reason; /* of the item at hand */
    struct judged_server server;
    uint64_t unknown[UNKNOWN_N]; /* its own */
    const struct tls_item *last_client;
    struct slot slots[WEAK_N][BASIS_N];
    uint8_t used[WEAK_N]; /* bits by basis: which of them the group has */
    struct {
        const uint8_t *ja4;
        const char *text;
    } types[TYPES_KEPT]; /* the types lately told, by where their JA4 lies */
};

/* ---- order */

static int by_group_and_client(const void *x, const void *y)
{
    const struct tls_item *a = x, *b = y;
    int d = tls_item_service_order(a, b);
    if (d == 0)
        d = tls_item_type_order(a, b);
    return d != 0 ? d : tls_item_client_order(a, b);
}

static bool same_group(const struct tls_item *a, const struct tls_item *b)
{
    return tls_item_type_order(a, b) == 0 && tls_item_service_order(a, b) == 0;
}

static int by_key(const void *x, const void *y)
{
    const struct finding *a = x, *b = y;
    int d = a->server != b->server ? tls_service_order(a->server, b->server) : 0;
    if (d == 0 && a->client_type != b->client_type)
        d = strcmp(a->client_type, b->client_type);
    if (d == 0)
        d = a->rule - b->rule;
    return d != 0 ? d : a->basis - b->basis;
}

/* ---- lists */

/* Lists are large at once: in arenas, which take large pages. */
static bool list_grow(void **list, size_t *cap, size_t to, size_t size, struct err *e)
{
    void *p = arena_new(to * size, ARENA_HOT, e);
    if (p == NULL)
        return false;
    if (*cap > 0)
        memcpy(p, *list, *cap * size);
    arena_free(*list, *cap * size);
    *list = p;
    *cap = to;
    return true;
}

static bool findings_grow(struct tls_judged *j, size_t to, struct err *e)
{
    return list_grow((void **)&j->findings, &j->cap_findings, to, sizeof *j->findings, e);
}

static bool servers_grow(struct tls_judged *j, size_t to, struct err *e)
{
    return list_grow((void **)&j->servers, &j->cap_servers, to, sizeof *j->servers, e);
}

struct finding *tls_judged_new(struct tls_judged *j, struct err *e)
{
    if (j->n_findings == j->cap_findings && !findings_grow(j, 2 * j->cap_findings, e))
        return NULL;
    struct finding *f = &j->findings[j->n_findings++];
    *f = (struct finding){0};
    return f;
}

static bool add_server(struct tls_judged *j, const struct judged_server *s, struct err *e)
{
    if (j->n_servers == j->cap_servers && !servers_grow(j, 2 * j->cap_servers, e))
        return false;
    j->servers[j->n_servers++] = *s;
    return true;
}

/* ---- a group: one server, one type of client */

static void slot_detail(struct slot *s, const char *text)
{
    unsigned i = 0;
    if (text[0] == '\0')
        return;
    while (i < s->n_details && s->details[i] != text && strcmp(s->details[i], text) < 0)
        i++;
    if (i < s->n_details && s->details[i] == text) /* kept once */
        return;
    s->more_details = s->more_details || s->n_details == DETAILS;
    if (i == DETAILS)
        return;
    unsigned moved = (s->n_details < DETAILS ? s->n_details : DETAILS - 1) - i;
    memmove(&s->details[i + 1], &s->details[i], moved * sizeof s->details[0]);
    s->details[i] = text;
    s->n_details += s->n_details < DETAILS;
}

/* What one row stands for: sessions, or connections in clear that were none. */
static uint64_t count_of(const struct tls_item *item)
{
    bool clear = item->row->key.outcome == TLS_CLEAR;
    return clear ? item->row->handshakes : item->row->sessions;
}

static void slot_add(struct judging *j, const struct tls_item *item, const struct tls_found *h)
{
    struct slot *s = &j->slots[h->rule][h->basis];
    const struct row_tls *r = item->row;
    if ((j->used[h->rule] >> h->basis & 1) == 0) {
        j->used[h->rule] |= (uint8_t)(1u << h->basis);
        s->sessions = s->last_ns = s->n_details = 0;
        s->clients = (struct client_counts){0};
        s->severity = SEVERITY_OFF;
        s->more_details = false;
        s->first_ns = UINT64_MAX;
        s->example = item;
        tls_item_count(item, &s->clients);
    } else if (tls_item_client_order(s->last, item) != 0) {
        tls_item_count(item, &s->clients);
    }
    s->last = item;
    s->sessions += count_of(item);
    s->first_ns = r->first_ns < s->first_ns ? r->first_ns : s->first_ns;
    s->last_ns = r->last_ns > s->last_ns ? r->last_ns : s->last_ns;
    s->severity = h->severity > s->severity ? h->severity : s->severity;
    slot_detail(s, h->detail);
}

static void take_hit(struct judging *j, const struct tls_item *item, const struct tls_found *h)
{
    slot_add(j, item, h);
    if (!basis_of_session(h->basis))
        return;
    if (h->severity > SEVERITY_INFO && item->row->key.carrier == TLS_OVER_TCP)
        j->out->weak[h->rule] += count_of(item);
    if (h->severity > j->server.worst)
        j->server.worst = h->severity;
}

/* What its tuple alone does not say may make a session weak that was clean by itself. */
static bool take_more(struct judging *j, const struct tls_item *item, const struct tls_hit *h)
{
    struct tls_found found = {keep_text(&j->out->keep, h->detail, strlen(h->detail)), h->rule,
                              h->basis, h->severity};
    if (found.detail == NULL)
        return false;
    take_hit(j, item, &found);
    if (tls_rules_weakens(j->p, j->judgement, h->basis, h->severity)) {
        j->judgement = JUDGED_WEAK;
        j->reason = UNKNOWN_NONE;
    }
    return true;
}

static bool take_extras(struct judging *j, size_t i)
{
    bool ok = true;
    for (; ok && j->next_extra < j->extras.n && j->extras.list[j->next_extra].item == i;
         j->next_extra++)
        ok = take_more(j, &j->items[i], &j->extras.list[j->next_extra].hit);
    return ok;
}

static bool take_item(struct judging *j, size_t i)
{
    const struct tls_item *item = &j->items[i];
    uint64_t sessions = item->row->sessions;
    struct judged_server *s = &j->server;
    struct tls_tuple t;
    struct tls_hit name;
    tls_index_tuple(j->x, item, &t);
    const struct tls_known *v = tls_verdicts_of(j->verdicts, j->p, &j->out->keep, item->row, &t);
    if (v == NULL)
        return false;
    j->judgement = v->judgement;
    j->reason = v->reason;
    for (unsigned k = 0; k < v->n; k++)
        take_hit(j, item, &v->hits[k]);
    if (tls_rules_name(j->p, &t, &name) && !take_more(j, item, &name))
        return false;
    if (!take_extras(j, i))
        return false;
    if (j->last_client == NULL || tls_item_client_order(j->last_client, item) != 0)
        tls_item_count(item, &s->clients);
    j->last_client = item;
    s->sessions += sessions;
    s->judged[j->judgement] += sessions;
    j->unknown[j->reason] += sessions;
    if (j->judgement != JUDGED_FAILED)
        s->certs[v->certs] += sessions;
    s->first_ns = item->row->first_ns < s->first_ns ? item->row->first_ns : s->first_ns;
    s->last_ns = item->row->last_ns > s->last_ns ? item->row->last_ns : s->last_ns;
    return true;
}

/* NULL where memory is out. */
static const char *type_of(struct judging *j, const struct tls_item *item)
{
    char text[CLIENT_TYPE_MAX];
    size_t at = (uintptr_t)item->ja4.p / 8 % TYPES_KEPT;
    bool by_ja4 = item->type == NULL && item->ja4.len > 0;
    if (by_ja4 && j->types[at].ja4 == item->ja4.p)
        return j->types[at].text;
    tls_item_type(item, text);
    const char *kept = keep_text(&j->out->keep, text, strlen(text));
    if (by_ja4 && kept != NULL) {
        j->types[at].ja4 = item->ja4.p;
        j->types[at].text = kept;
    }
    return kept;
}

static bool begin_group(struct judging *j, const struct tls_item *item)
{
    struct service *server = keep_room(&j->out->keep, sizeof *server);
    j->server = (struct judged_server){.server = server, .first_ns = UINT64_MAX};
    j->last_client = NULL;
    memset(j->used, 0, sizeof j->used);
    memset(j->unknown, 0, sizeof j->unknown);
    if (server == NULL)
        return false;
    tls_item_service(item, server);
    j->server.client_type = type_of(j, item);
    return j->server.client_type != NULL;
}

/* The details of a finding, as one text. */
static const char *details_of(struct keep *k, const struct slot *s)
{
    char text[DETAIL_MAX] = "";
    size_t n = 0;
    if (s->n_details == 0)
        return "";
    if (s->n_details == 1) /* most */
        return s->details[0];
    for (unsigned i = 0; i < s->n_details && n + 4 < sizeof text; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, i > 0 ? "; %s" : "%s", s->details[i]);
    if (s->more_details && n + 6 < sizeof text)
        snprintf(text + n, sizeof text - n, "; ...");
    return keep_text(k, text, strlen(text));
}

static bool finding_of(const struct judging *j, const struct slot *s, struct finding *f)
{
    const struct row_tls *example = s->example->row;
    f->sessions = s->sessions;
    f->clients = s->clients;
    f->severity = s->severity;
    f->first_ns = s->first_ns;
    f->last_ns = s->last_ns;
    f->server = j->server.server;
    f->client_type = j->server.client_type;
    f->detail = details_of(&j->out->keep, s);
    f->example = example->key.role == ROLE_CLIENT ? &example->key.client : NULL;
    f->example_hello = example->key.hello;
    return f->detail != NULL;
}

static bool end_group(struct judging *j, bool clear, struct err *e)
{
    for (uint8_t rule = 0; rule < WEAK_N; rule++) {
        for (uint8_t basis = 0; j->used[rule] != 0 && basis < BASIS_N; basis++) {
            if ((j->used[rule] >> basis & 1) == 0)
                continue;
            struct finding *f = tls_judged_new(j->out, e);
            if (f == NULL)
                return false;
            f->rule = rule;
            f->basis = basis;
            if (!finding_of(j, &j->slots[rule][basis], f)) {
                err_set(e, "out of memory");
                return false;
            }
        }
    }
    if (clear) /* no sessions: nothing to call weak or clean */
        return true;
    for (int k = 0; k < JUDGED_N; k++)
        j->out->judged[k] += j->server.judged[k];
    for (int k = 0; k < UNKNOWN_N; k++)
        j->out->unknown[k] += j->unknown[k];
    j->out->sessions += j->server.sessions;
    if (j->server.judged[JUDGED_UNKNOWN] > 0) {
        uint64_t *unknown = keep_room(&j->out->keep, sizeof j->unknown);
        if (unknown == NULL) {
            err_set(e, "out of memory");
            return false;
        }
        j->server.unknown = memcpy(unknown, j->unknown, sizeof j->unknown);
    }
    return add_server(j->out, &j->server, e);
}

static int by_item(const void *x, const void *y)
{
    const struct tls_extra *a = x, *b = y;
    int d = (a->item > b->item) - (a->item < b->item);
    return d != 0 ? d : a->hit.rule - b->hit.rule;
}

/* `clear`: the items were no sessions. */
static bool judge_all(struct judging *j, struct tls_item items[], size_t n, bool clear,
                      struct err *e)
{
    enum { AHEAD = 4 };
    bool ok = true;
    j->items = items;
    for (size_t i = 0; ok && i < n; i++) {
        if (i + AHEAD < n)
            tls_item_prefetch(&items[i + AHEAD]);
        if (i == 0 || !same_group(&items[i - 1], &items[i])) {
            if (i > 0 && !end_group(j, clear, e))
                return false;
            ok = begin_group(j, &items[i]);
        }
        ok = ok && take_item(j, i);
        if (!ok)
            err_set(e, "out of memory");
    }
    return ok && (n == 0 || end_group(j, clear, e));
}

/* Sorts what is sorted by place already within its places; anything else as a whole. */
static void sort_items(struct tls_item items[], size_t n)
{
    bool by_place = true;
    for (size_t i = 1; by_place && i < n; i++)
        by_place = tls_item_place_order(&items[i - 1], &items[i]) <= 0;
    for (size_t from = 0, to; from < n; from = to) {
        to = by_place ? from + 1 : n;
        while (to < n && tls_item_same_place(&items[from], &items[to]))
            to++;
        if (to - from > 1)
            qsort(items + from, to - from, sizeof *items, by_group_and_client);
    }
}

static void sort_part(struct finding f[], size_t n)
{
    for (size_t i = 1; i < n; i++)
        if (by_key(&f[i - 1], &f[i]) > 0) {
            qsort(f, n, sizeof *f, by_key);
            return;
        }
}

/* The first `n_fleet` came from the fleet, the others from groups: both parts are sorted already,
 * or nearly so. */
static bool sort_findings(struct tls_judged *j, size_t n_fleet, struct err *e)
{
    size_t n = j->n_findings, a = 0, b = n_fleet, to = 0;
    sort_part(j->findings, n_fleet);
    if (n > n_fleet)
        sort_part(j->findings + n_fleet, n - n_fleet);
    if (n_fleet == 0 || n == n_fleet)
        return true;
    struct finding *fleet = malloc(n_fleet * sizeof *fleet);
    if (fleet == NULL) {
        err_set(e, "out of memory");
        return false;
    }
    memcpy(fleet, j->findings, n_fleet * sizeof *fleet);
    while (a < n_fleet) {
        bool first = b == n || by_key(&fleet[a], &j->findings[b]) <= 0;
        j->findings[to++] = first ? fleet[a++] : j->findings[b++];
    }
    free(fleet);
    return true;
}

bool tls_judge(struct tls_judged *out, struct tls_index *x, struct window *w,
               const struct tls_policy *p, struct err *e)
{
    size_t n, n_clear;
    struct tls_item *items = tls_index_items(x, &n), *clear = tls_index_clear(x, &n_clear);
    struct judging *j = calloc(1, sizeof *j);
    *out = (struct tls_judged){0};
    if (j == NULL) {
        err_set(e, "out of memory");
        return false;
    }
    *j = (struct judging){.out = out, .x = x, .p = p};
    sort_items(items, n);
    if (n_clear > 1)
        qsort(clear, n_clear, sizeof *clear, by_group_and_client);
    bool ok = findings_grow(out, 64 + 2 * n, e) && servers_grow(out, 64 + n, e)
              && tls_verdicts_new(&j->verdicts, e) && tls_fleet(out, &j->extras, x, w, p, e);
    if (ok && j->extras.n > 1)
        qsort(j->extras.list, j->extras.n, sizeof *j->extras.list, by_item);
    size_t n_fleet = out->n_findings;
    ok = ok && judge_all(j, items, n, false, e);
    j->extras.n = 0; /* those were of the sessions */
    ok = ok && judge_all(j, clear, n_clear, true, e) && sort_findings(out, n_fleet, e);
    tls_verdicts_free(j->verdicts);
    free(j->extras.list);
    free(j);
    return ok;
}

void tls_judged_free(struct tls_judged *j)
{
    arena_free(j->findings, j->cap_findings * sizeof *j->findings);
    arena_free(j->servers, j->cap_servers * sizeof *j->servers);
    keep_free(&j->keep);
    *j = (struct tls_judged){0};
}

bool tls_judged_has(const struct tls_judged *j, enum severity least)
{
    for (size_t i = 0; i < j->n_findings; i++)
        if (j->findings[i].severity >= least)
            return true;
    return false;
}

bool tls_judged_has_rule(const struct tls_judged *j, enum weakness rule)
{
    for (size_t i = 0; i < j->n_findings; i++)
        if (j->findings[i].rule == rule)
            return true;
    return false;
}
