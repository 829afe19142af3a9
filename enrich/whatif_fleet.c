#include "enrich/whatif_fleet.h"

#include "core/hash.h"
#include "enrich/migration.h"
#include "enrich/tls_suites.h"

#include <stdlib.h>

#define DAY_NS UINT64_C(86400000000000)

enum {
    ALERT_AT_END = 2 << 8 | 50
}; /* decode_error: what OpenSSL says to a client that has closed */

/* The line of a row, by a hash of what tells lines apart in any window. */
struct whatif_slot {
    uint64_t hash; /* 0: free */
    uint32_t line;
};

/* ---- the line of a row */

static uint64_t row_key(const struct window *w, const struct row_tls *r)
{
    struct {
        struct client client;
        struct addr peer;
        uint64_t hello, sni;
        uint32_t port, role;
    } key;
    struct bytes sni = window_string(w, r->key.sni);
    memset(&key, 0, sizeof key);
    key.client = r->key.client;
    key.peer = r->key.peer;
    key.hello = r->key.hello;
    key.sni = sni.len > 0 ? hash_bytes(sni.p, sni.len, 1) : 0;
    key.port = r->key.port;
    key.role = r->key.role;
    uint64_t h = hash_bytes(&key, sizeof key, 0);
    return h != 0 ? h : 1;
}

static struct whatif_slot *slot_of(const struct whatif_fleet *f, uint64_t hash)
{
    size_t i = (size_t)hash & (f->n_slots - 1);
    while (f->slots[i].hash != 0 && f->slots[i].hash != hash)
        i = (i + 1) & (f->n_slots - 1);
    return &f->slots[i];
}

static int by_line(const void *x, const void *y)
{
    const struct tls_item *a = x, *b = y;
    int d = tls_item_service_order(a, b);
    if (d == 0)
        d = (a->row->key.hello > b->row->key.hello) - (a->row->key.hello < b->row->key.hello);
    return d != 0 ? d : tls_item_client_order(a, b);
}

/* ---- certificates that were seen at a server */

static void see_certs(struct whatif_server *s, const struct tls_tuple *t)
{
    const struct cert *leaf = t->n_certs > 0 ? t->certs[0] : NULL;
    const struct suite *suite = t->version != 0 ? suite_of(t->cipher) : NULL;
    if (suite != NULL && suite->auth == AUTH_RSA) /* TLS 1.2 and older: the suite tells the key */
        s->seen[CERT_KEY_RSA] = true;
    if (suite != NULL && suite->kx == KX_ECDHE && t->outcome == TLS_ESTABLISHED && t->offer != NULL
        && t->offer->n_groups == 0)
        s->takes_no_groups = true;
    if (leaf == NULL || (leaf->flags & CERT_UNREADABLE) != 0)
        return;
    s->seen[leaf->key] = true;
    if (leaf->key == CERT_KEY_EC && s->ec_group == 0)
        s->ec_group = leaf->key_bits == 384 ? 24 : leaf->key_bits == 521 ? 25 : 23;
}

/* Sessions of TLS 1.3 alone show no key: then other names at the address have told it, most likely.
 */
static void see_place(struct whatif_server *s, const struct whatif_server *place)
{
    bool any = false;
    for (int k = 0; k < CERT_KEY_N; k++)
        any = any || s->seen[k];
    s->takes_no_groups = s->takes_no_groups || place->takes_no_groups;
    if (any)
        return;
    memcpy(s->seen, place->seen, sizeof s->seen);
    s->ec_group = place->ec_group;
}

static struct whatif_server server_of(struct tls_index *x, const struct tls_item items[],
                                      size_t from, size_t to)
{
    struct whatif_server s = {0};
    struct tls_tuple t;
    for (size_t i = from; i < to; i++) {
        tls_index_tuple(x, &items[i], &t);
        see_certs(&s, &t);
    }
    return s;
}

/* ---- making */

/* Who is turned away today, or says no to the server's answer, may well be so tomorrow: what would
 * have to change is not known. */
static void judge_failing(struct whatif_line *l)
{
    if (l->answer.result == WHATIF_CONNECT && l->established == 0 && l->failed > l->hung_up)
        l->answer = (struct whatif_answer){.result = WHATIF_UNKNOWN, .reason = WHY_FAILS_TODAY};
}

static void line_add(struct whatif_line *l, const struct tls_item *item)
{
    const struct row_tls *r = item->row;
    l->sessions += r->sessions;
    if (r->key.outcome == TLS_ESTABLISHED)
        l->established += r->sessions;
    if (r->key.outcome == TLS_REFUSED || r->key.outcome == TLS_RESET)
        l->failed += r->sessions;
    bool closed = r->key.outcome == TLS_RESET
                  || (r->key.outcome == TLS_REFUSED && r->key.alert == ALERT_AT_END);
    if (closed && r->key.version != 0 && (r->key.signs & TLS_SIGN_CLIENT_ALERT) == 0)
        l->hung_up += r->sessions;
    l->first_ns = r->first_ns < l->first_ns ? r->first_ns : l->first_ns;
    l->last_ns = r->last_ns > l->last_ns ? r->last_ns : l->last_ns;
}

static void lines_of_server(struct whatif_fleet *f, struct tls_index *x, const struct window *w,
                            const struct tls_policy *p, const struct whatif_server *place,
                            const struct tls_item items[], size_t from, size_t to)
{
    struct whatif_server server = server_of(x, items, from, to);
    see_place(&server, place);
    for (size_t i = from; i < to; i++) {
        if (i == from || by_line(&items[i - 1], &items[i]) != 0) {
            struct whatif_line *l = &f->lines[f->n++];
            *l = (struct whatif_line){.item = &items[i], .first_ns = UINT64_MAX};
            tls_whatif(p, tls_index_offer(x, items[i].row->key.hello),
                       items[i].name_source == NAME_SNI, &server, &l->answer);
        }
        struct whatif_line *l = &f->lines[f->n - 1];
        line_add(l, &items[i]);
        f->sessions += items[i].row->sessions;
        if (l->answer.reason != WHY_NO_HELLO)
            f->with_hello += items[i].row->sessions;
        struct whatif_slot *slot = slot_of(f, row_key(w, items[i].row));
        if (slot->hash == 0)
            *slot = (struct whatif_slot){row_key(w, items[i].row), (uint32_t)(f->n - 1)};
        if (i + 1 == to || by_line(&items[i], &items[i + 1]) != 0)
            judge_failing(l);
    }
}

static int by_client(const void *x, const void *y)
{
    const struct whatif_line *a = *(const struct whatif_line *const *)x,
                             *b = *(const struct whatif_line *const *)y;
    return tls_item_client_order(a->item, b->item);
}

/* Where was the client of `lines`, all its lines, seen besides a legacy server? */
static void replacement_of_client(struct whatif_line *const lines[], size_t n,
                                  const struct migration *m)
{
    enum { PAIRS_MAX = 1024 }; /* a client with more types than that is no client */
    bool any = false;
    for (size_t i = 0; i < n && !any; i++)
        any = migration_is(lines[i]->item, m->replacement);
    for (size_t i = 0; i < n; i++) {
        if (!migration_is(lines[i]->item, m->legacy))
            continue;
        lines[i]->on_replacement = any ? REPLACEMENT_OTHER : REPLACEMENT_NO;
        for (size_t k = 0; any && n <= PAIRS_MAX && k < n; k++)
            if (tls_item_same_program(lines[k]->item, lines[i]->item)
                && migration_is(lines[k]->item, m->replacement))
                lines[i]->on_replacement = REPLACEMENT_YES;
    }
}

static bool find_replacements(struct whatif_fleet *f, const struct config *config, struct err *e)
{
    struct whatif_line **sorted = malloc((f->n > 0 ? f->n : 1) * sizeof *sorted);
    if (sorted == NULL) {
        err_set(e, "out of memory");
        return false;
    }
    for (size_t i = 0; i < f->n; i++)
        sorted[i] = &f->lines[i];
    if (f->n > 1)
        qsort(sorted, f->n, sizeof *sorted, by_client);
    for (size_t from = 0, to; from < f->n; from = to) {
        for (to = from + 1; to < f->n && by_client(&sorted[from], &sorted[to]) == 0; to++)
            continue;
        for (unsigned k = 0; k < config->n_migrations; k++)
            replacement_of_client(sorted + from, to - from, &config->migrations[k]);
    }
    free(sorted);
    return true;
}

static bool find_identities(struct whatif_fleet *f, struct window *w, struct err *e)
{
    struct identities *ids;
    if (!identities_new(&ids, w, e))
        return false;
    for (size_t i = 0; i < f->n; i++) {
        struct whatif_line *l = &f->lines[i];
        struct client c;
        struct addr outside;
        tls_item_client(l->item, &c, &outside);
        if (c.by == BY_NONE) { /* asked a device of ours from outside: known by its address alone */
            c.by = BY_ADDR;
            memcpy(c.id, outside.b, sizeof c.id);
        }
        l->identity = (uint8_t)identity_of(ids, &c, l->first_ns, l->last_ns, l->mac);
        l->told = identities_count(ids, &c);
    }
    identities_free(ids);
    return true;
}

static bool make_room(struct whatif_fleet *f, size_t n, uint64_t start_s, uint64_t end_s,
                      struct err *e)
{
    uint64_t first = start_s / 86400, last = end_s > start_s ? (end_s - 1) / 86400 : first;
    f->n_days = (size_t)(last - first + 1);
    if (f->n_days > WHATIF_DAYS_MAX) {
        f->days_cut = f->n_days - WHATIF_DAYS_MAX;
        f->n_days = WHATIF_DAYS_MAX;
    }
    f->first_day = first;
    f->seen_words = (f->n_days + 63) / 64;
    for (f->n_slots = 64; f->n_slots < 2 * n; f->n_slots *= 2)
        continue;
    f->lines = malloc((n + 1) * sizeof *f->lines);
    f->slots = calloc(f->n_slots, sizeof *f->slots);
    f->days = calloc(f->n_days, sizeof *f->days);
    f->bits = calloc(n + 1, f->seen_words * sizeof *f->bits);
    if (f->lines != NULL && f->slots != NULL && f->days != NULL && f->bits != NULL)
        return true;
    err_set(e, "out of memory");
    return false;
}

bool whatif_new(struct whatif_fleet *f, struct tls_index *x, struct window *w,
                const struct tls_policy *p, const struct config *config, uint64_t start_s,
                uint64_t end_s, struct err *e)
{
    size_t n;
    struct tls_item *items = tls_index_items(x, &n);
    *f = (struct whatif_fleet){0};
    if (!make_room(f, n, start_s, end_s, e))
        return false;
    if (n > 1)
        qsort(items, n, sizeof *items, by_line);
    struct whatif_server place = {0};
    for (size_t from = 0, to; from < n; from = to) {
        if (from == 0 || !tls_item_same_place(&items[from - 1], &items[from])) {
            for (to = from + 1; to < n && tls_item_same_place(&items[from], &items[to]); to++)
                continue;
            place = server_of(x, items, from, to);
        }
        for (to = from + 1; to < n && tls_item_service_order(&items[from], &items[to]) == 0; to++)
            continue;
        lines_of_server(f, x, w, p, &place, items, from, to);
    }
    return find_replacements(f, config, e) && find_identities(f, w, e);
}

void whatif_free(struct whatif_fleet *f)
{
    free(f->lines);
    free(f->slots);
    free(f->days);
    free(f->bits);
    *f = (struct whatif_fleet){0};
}

/* ---- days */

static void see_day(struct whatif_fleet *f, size_t line, uint64_t ns)
{
    uint64_t day = ns / DAY_NS;
    if (day < f->first_day || day - f->first_day >= f->n_days)
        return;
    day -= f->first_day;
    f->bits[line * f->seen_words + day / 64] |= UINT64_C(1) << day % 64;
}

void whatif_days(struct whatif_fleet *f, struct window *part)
{
    size_t n;
    void *const *rows = window_rows(part, ROW_TLS, &n);
    for (size_t i = 0; i < n; i++) {
        const struct row_tls *r = rows[i];
        const struct whatif_slot *slot = slot_of(f, row_key(part, r));
        if (r->sessions == 0 || slot->hash == 0)
            continue;
        see_day(f, slot->line, r->first_ns);
        see_day(f, slot->line, r->last_ns);
    }
}

static size_t first_day(const struct whatif_fleet *f, size_t line)
{
    for (size_t k = 0; k < f->seen_words; k++)
        if (f->bits[line * f->seen_words + k] != 0)
            return k * 64 + (size_t)__builtin_ctzll(f->bits[line * f->seen_words + k]);
    return f->n_days;
}

/* A client that would break counts on the first day on which one of its lines that would break was
 * seen. */
static void curve(struct whatif_fleet *f, const struct whatif_line *const sorted[], size_t n)
{
    size_t least = f->n_days;
    for (size_t i = 0; i < n; i++) {
        size_t line = (size_t)(sorted[i] - f->lines);
        size_t day = first_day(f, line);
        bool breaks = sorted[i]->answer.result == WHATIF_BREAK && sorted[i]->established > 0;
        least = breaks && day < least ? day : least;
        if (i + 1 < n && by_client(&sorted[i], &sorted[i + 1]) == 0)
            continue;
        uint8_t kind = sorted[i]->item->row->key.client.kind;
        bool ours = sorted[i]->item->row->key.role == ROLE_CLIENT;
        if (least < f->n_days && ours) {
            f->days[least].gateways += kind == CLIENT_GATEWAY;
            f->days[least].hosts += kind == CLIENT_HOST;
        }
        least = f->n_days;
    }
}

void whatif_finish(struct whatif_fleet *f)
{
    const struct whatif_line **sorted = malloc((f->n > 0 ? f->n : 1) * sizeof *sorted);
    for (size_t i = 0; i < f->n; i++) {
        f->lines[i].days = 0;
        for (size_t k = 0; k < f->seen_words; k++)
            f->lines[i].days += (unsigned)__builtin_popcountll(f->bits[i * f->seen_words + k]);
    }
    for (size_t d = 0; d < f->n_days; d++)
        f->days[d].day = f->first_day + d;
    if (sorted == NULL)
        return;
    for (size_t i = 0; i < f->n; i++)
        sorted[i] = &f->lines[i];
    if (f->n > 1)
        qsort(sorted, f->n, sizeof *sorted, by_client);
    curve(f, sorted, f->n);
    free(sorted);
    for (size_t d = f->n_days - (f->n_days + 4) / 5; d < f->n_days; d++)
        f->rising = f->rising || f->days[d].gateways + f->days[d].hosts > 0;
}
