/* TLS servers: the rows of all clients of a server together, weak versions first. */
#define _GNU_SOURCE /* qsort_r */
#include "core/tls_names.h"
#include "sinks/rowjson.h"
#include "sinks/table_part.h"

#include <stdio.h>
#include <stdlib.h>

enum { VERSIONS_MAX = 8, CIPHERS_MAX = 64, TLS_OUTCOMES = TLS_OUTCOME_N };

static const char *const outcome_words[TLS_OUTCOMES] = {[TLS_UNDECIDED] = "undecided",
                                                        [TLS_ESTABLISHED] = "established",
                                                        [TLS_REFUSED] = "refused",
                                                        [TLS_RESET] = "reset",
                                                        [TLS_PARTIAL] = "partial"};

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
    unsigned weakest; /* 4: SSLv2 ... 1: TLS 1.1, 0: none weak */
};

/* RFC 6176, RFC 7568, RFC 8996, which deprecates DTLS 1.0 (0xfeff) with TLS 1.0. */
static unsigned weakness(uint16_t version)
{
    return version == 0x0002   ? 4
           : version == 0x0300 ? 3
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

static void server_add(struct server *s, const struct row_tls *row)
{
    uint16_t version = row->key.version != 0 ? row->key.version : row->key.record_version;
    if (s->first == NULL)
        s->first = row;
    add_once(s->versions, &s->n_versions, VERSIONS_MAX, version);
    add_once(s->ciphers, &s->n_ciphers, CIPHERS_MAX, row->key.cipher);
    s->sessions += row->sessions;
    s->outcomes[row->key.outcome] += row->sessions;
    if (weakness(version) > 0)
        s->weak += row->sessions;
    if (weakness(version) > s->weakest)
        s->weakest = weakness(version);
}

static void print_server(struct grid *g, const struct window *w, const struct server *s)
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

void table_tls(struct window *w, struct text_sink *out)
{
    static const char *const heads[] = {"server",  "port",     "name", "versions",
                                        "ciphers", "sessions", "weak", "outcomes"};
    struct server kept[TABLE_TOP + 1];
    struct table_top top = {0};
    size_t n;
    void *const *rows = window_rows(w, ROW_TLS, &n);
    void **sorted = malloc((n > 0 ? n : 1) * sizeof *sorted);
    if (sorted == NULL) {
        out->failed = true;
        return;
    }
    if (n > 0)
        memcpy(sorted, rows, n * sizeof *sorted);
    qsort_r(sorted, n, sizeof *sorted, by_server, w);
    struct server s = {0};
    for (size_t i = 0; i < n; i++) {
        if (s.first != NULL && by_server(&sorted[i - 1], &sorted[i], w) != 0) {
            keep(&top, kept, &s);
            s = (struct server){0};
        }
        server_add(&s, sorted[i]);
    }
    if (s.first != NULL)
        keep(&top, kept, &s);
    struct grid g;
    if (top.n > 0) {
        table_title(out, "TLS servers, weak versions first", &top);
        grid_begin(&g, "lrllrrrl", heads);
        for (unsigned i = 0; i < top.n; i++)
            print_server(&g, w, top.row[i]);
        grid_end(&g, out);
    }
    free(sorted);
}
