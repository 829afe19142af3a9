/* TLS clients by what they are: the rows of all devices that are alike together. */
#define _GNU_SOURCE /* qsort_r */
#include "core/tls_names.h"
#include "sinks/rowjson.h"
#include "sinks/table_part.h"

#include <stdio.h>
#include <stdlib.h>

enum { VERSIONS_MAX = 8 };

/* A row, and the type of its client. */
struct item {
    const struct row_tls *row;
    unsigned type;
};

struct group {
    struct item first;
    uint64_t sessions, weak, clients; /* clients: devices; of our servers their addresses */
    uint16_t versions[VERSIONS_MAX];
    unsigned n_versions;
};

struct groups {
    struct group *group;
    size_t n;
};

void table_type_text(const struct window *w, const struct totals_extra *x,
                     const struct row_tls *row, unsigned type, char text[static TABLE_TYPE_MAX])
{
    struct bytes ja4 = window_string(w, row->key.ja4);
    if (row->key.hello == 0)
        snprintf(text, TABLE_TYPE_MAX, "-");
    else if (type != 0)
        snprintf(text, TABLE_TYPE_MAX, "%s", x->type_text(x->type_ctx, type));
    else if (ja4.len > 0)
        snprintf(text, TABLE_TYPE_MAX, "unknown:%.*s", (int)ja4.len, (const char *)ja4.p);
    else
        snprintf(text, TABLE_TYPE_MAX, "unknown:hello:%016llx", (unsigned long long)row->key.hello);
}

static int text_order(struct bytes x, struct bytes y)
{
    uint32_t least = x.len < y.len ? x.len : y.len;
    int diff = least > 0 ? memcmp(x.p, y.p, least) : 0;
    return diff != 0 ? diff : (x.len > y.len) - (x.len < y.len);
}

/* Unknown clients are told apart by their JA4; where they have none, by their hello. */
static int type_order(const struct item *a, const struct item *b, const struct window *w)
{
    int diff = (a->type > b->type) - (a->type < b->type);
    if (diff == 0 && a->type == 0)
        diff = text_order(window_string(w, a->row->key.ja4), window_string(w, b->row->key.ja4));
    if (diff == 0 && a->type == 0 && a->row->key.ja4 == 0)
        diff = (a->row->key.hello > b->row->key.hello) - (a->row->key.hello < b->row->key.hello);
    return diff;
}

/* Who the client of a session was: our device, or the peer of our server. */
static int client_order(const struct row_tls *a, const struct row_tls *b)
{
    int diff = a->key.role - b->key.role;
    if (diff != 0)
        return diff;
    return a->key.role == ROLE_CLIENT ? memcmp(&a->key.client, &b->key.client, sizeof a->key.client)
                                      : memcmp(&a->key.peer, &b->key.peer, sizeof a->key.peer);
}

static int item_order(const void *a, const void *b, void *window)
{
    const struct item *x = a, *y = b;
    int diff = type_order(x, y, window);
    return diff != 0 ? diff : client_order(x->row, y->row);
}

static void group_add(struct group *g, const struct item *i, bool new_client)
{
    uint16_t version = i->row->key.version;
    g->sessions += i->row->sessions;
    g->clients += new_client;
    if (table_weakness(i->row) > 0)
        g->weak += i->row->sessions;
    for (unsigned v = 0; v < g->n_versions; v++)
        if (g->versions[v] == version)
            return;
    if (version != 0 && g->n_versions < VERSIONS_MAX)
        g->versions[g->n_versions++] = version;
}

/* Busiest first, then those on most devices; else as they stand. */
static int group_order(const void *a, const void *b, void *window)
{
    const struct group *x = a, *y = b;
    if (x->sessions != y->sessions)
        return x->sessions < y->sessions ? 1 : -1;
    if (x->clients != y->clients)
        return x->clients < y->clients ? 1 : -1;
    return type_order(&x->first, &y->first, window);
}

/* Sessions without a ClientHello are left out: nothing tells what their client is. */
static size_t items_of(struct window *w, const struct totals_extra *x, bool unknown_only,
                       struct item **out)
{
    size_t n, kept = 0;
    void *const *rows = window_rows(w, ROW_TLS, &n);
    struct item *items = malloc((n > 0 ? n : 1) * sizeof *items);
    for (size_t i = 0; items != NULL && i < n; i++) {
        const struct row_tls *row = rows[i];
        unsigned type = x->type_of != NULL ? x->type_of(x->type_ctx, row) : 0;
        if (row->key.hello != 0 && (type == 0 || !unknown_only))
            items[kept++] = (struct item){row, type};
    }
    *out = items;
    return kept;
}

/* False without memory. */
static bool groups_make(struct window *w, const struct totals_extra *x, bool unknown_only,
                        struct groups *to)
{
    struct item *items;
    size_t n = items_of(w, x, unknown_only, &items);
    *to = (struct groups){.group = calloc(n > 0 ? n : 1, sizeof *to->group)};
    if (items == NULL || to->group == NULL) {
        free(items);
        free(to->group);
        return false;
    }
    qsort_r(items, n, sizeof *items, item_order, w);
    for (size_t i = 0; i < n; i++) {
        bool new_group = i == 0 || type_order(&items[i - 1], &items[i], w) != 0;
        if (new_group)
            to->group[to->n++].first = items[i];
        group_add(&to->group[to->n - 1], &items[i],
                  new_group || client_order(items[i - 1].row, items[i].row) != 0);
    }
    free(items);
    qsort_r(to->group, to->n, sizeof *to->group, group_order, w);
    return true;
}

static void cell_versions(struct grid *g, const struct group *group)
{
    char words[256] = "";
    size_t n = 0;
    for (unsigned i = 0; i < group->n_versions && n < sizeof words - 32; i++) {
        char name[TLS_VERSION_TEXT_MAX];
        tls_version_text(group->versions[i], name);
        n += (size_t)snprintf(words + n, sizeof words - n, n > 0 ? ", %s" : "%s", name);
    }
    grid_cell(g, "%s", n > 0 ? words : "-");
}

static void print_groups(const struct window *w, const struct totals_extra *x,
                         const struct groups *groups, size_t most, struct text_sink *out)
{
    static const char *const heads[] = {"client", "sessions", "weak", "devices", "versions"};
    struct grid g;
    char text[TABLE_TYPE_MAX];
    grid_begin(&g, "lrrrl", heads);
    for (size_t i = 0; i < groups->n && i < most; i++) {
        const struct group *group = &groups->group[i];
        table_type_text(w, x, group->first.row, group->first.type, text);
        grid_bytes(&g, text, strlen(text));
        grid_cell(&g, "%llu", (unsigned long long)group->sessions);
        grid_cell(&g, "%llu", (unsigned long long)group->weak);
        grid_cell(&g, "%llu", (unsigned long long)group->clients);
        cell_versions(&g, group);
    }
    grid_end(&g, out);
}

void table_client_types(struct window *w, const struct totals_extra *x, struct text_sink *out)
{
    struct groups groups;
    if (!groups_make(w, x, false, &groups)) {
        out->failed = true;
        return;
    }
    struct table_top title = {.n = groups.n < TABLE_TOP ? (unsigned)groups.n : TABLE_TOP,
                              .of = groups.n};
    if (groups.n > 0) {
        table_title(out, "TLS clients", &title);
        print_groups(w, x, &groups, TABLE_TOP, out);
    }
    free(groups.group);
}

static void unknown_json(const struct window *w, const struct groups *groups, struct text_sink *out)
{
    text_puts(out, "{\"schema\":\"tellscope.unknown_clients.v1\",\"clients\":[");
    for (size_t i = 0; i < groups->n; i++) {
        const struct group *group = &groups->group[i];
        const struct row_tls *row = group->first.row;
        struct bytes ja4 = window_string(w, row->key.ja4);
        text_puts(out, i > 0 ? ",{" : "{");
        if (ja4.len > 0) {
            text_puts(out, "\"ja4\":");
            rowjson_string(out, ja4.p, ja4.len);
            text_puts(out, ",");
        }
        text_printf(out, "\"hello\":\"%016llx\",\"sessions\":%llu,\"weak\":%llu,\"devices\":%llu}",
                    (unsigned long long)row->key.hello, (unsigned long long)group->sessions,
                    (unsigned long long)group->weak, (unsigned long long)group->clients);
    }
    text_puts(out, "]}\n");
}

void table_unknown_clients(struct window *w, const struct totals_extra *x, bool json,
                           struct text_sink *out)
{
    struct groups groups;
    if (!groups_make(w, x, true, &groups)) {
        out->failed = true;
        return;
    }
    if (json) {
        unknown_json(w, &groups, out);
    } else if (groups.n > 0) {
        text_printf(out, "Unknown TLS clients (%zu)\n", groups.n);
        print_groups(w, x, &groups, SIZE_MAX, out);
    } else {
        text_puts(out, "No unknown TLS clients\n");
    }
    free(groups.group);
}
