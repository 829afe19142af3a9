/* TLS servers: the rows of all clients of a server together, weak versions first. */
#define _GNU_SOURCE /* qsort_r */
#include "core/tls_names.h"
#include "sinks/rowjson.h"
#include "sinks/table_part.h"

#include <stdio.h>
#include <stdlib.h>

enum { VERSIONS_MAX = 8, CIPHERS_MAX = 64, TYPES_MAX = 3, TLS_OUTCOMES = TLS_OUTCOME_N };

static const char *const outcome_words[TLS_OUTCOMES] = {
    [TLS_UNDECIDED] = "undecided", [TLS_ESTABLISHED] = "established", [TLS_REFUSED] = "refused",
    [TLS_RESET] = "reset",         [TLS_PARTIAL] = "partial",         [TLS_CLEAR] = "cleartext"};

static int name_order(struct bytes x, struct bytes y)
{
    uint32_t least = x.len < y.len ? x.len : y.len;
    int diff = least > 0 ? memcmp(x.p, y.p, least) : 0;
    return diff != 0 ? diff : (x.len > y.len) - (x.len < y.len);
}

/* Who served, of a row: the peer, or our device itself. */
static int by_server(const void *a, const void *b, void *window)
{
    const struct window *w = window;
    const struct row_tls *x = *(const struct row_tls *const *)a;
    const struct row_tls *y = *(const struct row_tls *const *)b;
    int diff = x->key.role - y->key.role;
    if (diff == 0)
        diff = x->key.role == ROLE_CLIENT
                   ? memcmp(&x->key.peer, &y->key.peer, sizeof x->key.peer)
                   : memcmp(&x->key.client, &y->key.client, sizeof x->key.client);
    if (diff == 0)
        diff = x->key.port - y->key.port;
    if (diff == 0)
        diff = name_order(window_string(w, x->key.sni), window_string(w, y->key.sni));
    return diff;
}

struct server {
    const struct row_tls *first;
    unsigned n_versions, n_ciphers;
    uint16_t versions[VERSIONS_MAX], ciphers[CIPHERS_MAX];
    uint64_t sessions, weak, outcomes[TLS_OUTCOMES];
    unsigned weakest;                       /* see table_weakness */
    const struct row_tls *types[TYPES_MAX]; /* a row of each type of client, the first ones */
    unsigned n_types;
    bool more_types;
};

unsigned table_weakness(const struct row_tls *row)
{
    uint16_t version = row->key.version != 0 ? row->key.version : row->key.record_version;
    return version == 0x0002                        ? 4
           : version == 0x0300                      ? 3
           : version == 0x0301 || version == 0xfeff ? 2
                                                    : version == 0x0302;
}

static void add_once(uint16_t list[], unsigned *n, unsigned max, uint16_t v)
{
    for (unsigned i = 0; i < *n; i++)
        if (list[i] == v)
            return;
    if (v != 0 && *n < max)
        list[(*n)++] = v;
}

/* Is it one of these two: known and equal, or unknown with one hello. */
static bool same_type(const struct totals_extra *x, const struct row_tls *a,
                      const struct row_tls *b)
{
    unsigned type = x->type_of(x->type_ctx, a);
    return type == x->type_of(x->type_ctx, b)
           && (type != 0
               || (a->key.ja4 == b->key.ja4 && (a->key.ja4 != 0 || a->key.hello == b->key.hello)));
}

static void add_type(struct server *s, const struct totals_extra *x, const struct row_tls *row)
{
    if (x->type_of == NULL || row->key.hello == 0)
        return;
    for (unsigned i = 0; i < s->n_types; i++)
        if (same_type(x, s->types[i], row))
            return;
    if (s->n_types < TYPES_MAX)
        s->types[s->n_types++] = row;
    else
        s->more_types = true;
}

static void server_add(struct server *s, const struct totals_extra *x, const struct row_tls *row)
{
    uint16_t version = row->key.version != 0 ? row->key.version : row->key.record_version;
    if (s->first == NULL)
        s->first = row;
    add_once(s->versions, &s->n_versions, VERSIONS_MAX, version);
    add_once(s->ciphers, &s->n_ciphers, CIPHERS_MAX, row->key.cipher);
    s->sessions += row->sessions;
    s->outcomes[row->key.outcome] += row->sessions;
    if (table_weakness(row) > 0)
        s->weak += row->sessions;
    if (table_weakness(row) > s->weakest)
        s->weakest = table_weakness(row);
    add_type(s, x, row);
}

static void cell_types(struct grid *g, const struct window *w, const struct totals_extra *x,
                       const struct server *s)
{
    char words[TYPES_MAX * (TABLE_TYPE_MAX + 2) + 8] = "", text[TABLE_TYPE_MAX];
    size_t n = 0;
    for (unsigned i = 0; i < s->n_types; i++) {
        table_type_text(w, x, s->types[i], x->type_of(x->type_ctx, s->types[i]), text);
        n += (size_t)snprintf(words + n, sizeof words - n, n > 0 ? ", %s" : "%s", text);
    }
    grid_cell(g, "%s%s", n > 0 ? words : "-", s->more_types ? ", ..." : "");
}

static void print_server(struct grid *g, const struct window *w, const struct totals_extra *x,
                         const struct server *s)
{
    char text[ROWJSON_WHO_MAX], words[256] = "";
    size_t n = 0;
    if (s->first->key.role == ROLE_CLIENT)
        addr_text(&s->first->key.peer, text);
    else
        rowjson_client(&s->first->key.client, text);
    struct bytes sni = window_string(w, s->first->key.sni);
    grid_cell(g, "%s", text);
    grid_cell(g, "%u", s->first->key.port);
    grid_bytes(g, sni.len > 0 ? (const char *)sni.p : "-", sni.len > 0 ? sni.len : 1);
    for (unsigned i = 0; i < s->n_versions && n < sizeof words - 32; i++) {
        char name[TLS_VERSION_TEXT_MAX];
        tls_version_text(s->versions[i], name);
        n += (size_t)snprintf(words + n, sizeof words - n, n > 0 ? ", %s" : "%s", name);
    }
    grid_cell(g, "%s", n > 0 ? words : "-");
    grid_cell(g, "%u%s", s->n_ciphers, s->n_ciphers == CIPHERS_MAX ? "+" : "");
    grid_cell(g, "%llu", (unsigned long long)s->sessions);
    grid_cell(g, "%llu", (unsigned long long)s->weak);
    n = 0;
    words[0] = '\0';
    for (int o = 0; o < TLS_OUTCOMES; o++)
        if (s->outcomes[o] > 0)
            n += (size_t)snprintf(words + n, sizeof words - n, n > 0 ? ", %s %llu" : "%s %llu",
                                  outcome_words[o], (unsigned long long)s->outcomes[o]);
    grid_cell(g, "%s", n > 0 ? words : "-");
    if (x->type_of != NULL)
        cell_types(g, w, x, s);
}

/* Weakest first, then busiest: only as many servers as are shown need be kept. */
static uint64_t rank(const struct server *s)
{
    uint64_t busy = s->sessions < UINT64_C(1) << 60 ? s->sessions + 1 : UINT64_C(1) << 60;
    return (uint64_t)s->weakest << 61 | busy;
}

static void keep(struct table_top *top, struct server kept[TABLE_TOP + 1], const struct server *s)
{
    unsigned slot = top->n; /* a free one, or that of the row that leaves */
    if (top->n == TABLE_TOP) {
        if (rank(s) <= top->weight[TABLE_TOP - 1]) {
            top->of++;
            return;
        }
        slot = (unsigned)((const struct server *)top->row[TABLE_TOP - 1] - kept);
    }
    kept[slot] = *s;
    table_top_add(top, &kept[slot], rank(s));
}

void table_tls(struct window *w, const struct totals_extra *x, struct text_sink *out)
{
    static const char *const heads[] = {"server",   "port", "name",     "versions", "ciphers",
                                        "sessions", "weak", "outcomes", "clients"};
    struct server kept[TABLE_TOP + 1];
    struct table_top top = {0};
    size_t n;
    void *const *rows = window_rows(w, ROW_TLS, &n);
    void **sorted = malloc((n > 0 ? n : 1) * sizeof *sorted);
    if (sorted == NULL) {
        out->failed = true;
        return;
    }
    size_t n_sessions = 0;
    for (size_t i = 0; i < n; i++) {
        sorted[n_sessions] = rows[i];
        n_sessions += ((const struct row_tls *)rows[i])->key.outcome != TLS_CLEAR;
    }
    n = n_sessions;
    qsort_r(sorted, n, sizeof *sorted, by_server, w);
    struct server s = {0};
    for (size_t i = 0; i < n; i++) {
        if (s.first != NULL && by_server(&sorted[i - 1], &sorted[i], w) != 0) {
            keep(&top, kept, &s);
            s = (struct server){0};
        }
        server_add(&s, x, sorted[i]);
    }
    if (s.first != NULL)
        keep(&top, kept, &s);
    struct grid g;
    if (top.n > 0) {
        table_title(out, "TLS servers, weak versions first", &top);
        grid_begin(&g, x->type_of != NULL ? "lrllrrrll" : "lrllrrrl", heads);
        for (unsigned i = 0; i < top.n; i++)
            print_server(&g, w, x, top.row[i]);
        grid_end(&g, out);
    }
    free(sorted);
}
