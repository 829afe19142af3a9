#include "enrich/migration.h"

#include <stdlib.h>
#include <strings.h>

bool migration_is(const struct tls_item *item, const char *name)
{
    return item->name.len == strlen(name)
           && strncasecmp((const char *)item->name.p, name, item->name.len) == 0;
}

static int by_client_and_type(const void *x, const void *y)
{
    const struct tls_item *a = x, *b = y;
    int d = tls_item_client_order(a, b);
    return d != 0
               ? d
               : (a->row->key.hello > b->row->key.hello) - (a->row->key.hello < b->row->key.hello);
}

static void user_add(struct migration_user *u, const struct tls_item *item)
{
    const struct row_tls *r = item->row;
    u->sessions += r->sessions;
    u->established += r->key.outcome == TLS_ESTABLISHED ? r->sessions : 0;
    if (r->key.version != 0)
        u->version_ranks |= 1u << tls_version_rank(r->key.version);
    u->first_ns = r->first_ns < u->first_ns ? r->first_ns : u->first_ns;
    u->last_ns = r->last_ns > u->last_ns ? r->last_ns : u->last_ns;
}

/* Is a program of items [i, end) among those of [from, to) that were seen at the replacement? One
 * that names its server there and not here has another JA4, and is the same. */
static bool moved(const struct tls_item items[], size_t from, size_t to, size_t i, size_t end,
                  const char *replacement)
{
    enum { PAIRS_MAX = 1024 }; /* a client with more types than that is no client */
    if (to - from > PAIRS_MAX)
        return false;
    for (; from < to; from++) {
        if (!migration_is(&items[from], replacement))
            continue;
        for (size_t k = i; k < end; k++)
            if (tls_item_same_program(&items[from], &items[k]))
                return true;
    }
    return false;
}

/* The users of one legacy server among the items [from, to) of one client. */
static void users_of_client(struct migrations *m, const struct tls_item items[], size_t from,
                            size_t to, unsigned migration, const struct migration *names)
{
    struct migration_user *u = NULL;
    bool any = false;
    for (size_t i = from; i < to; i++)
        any = any || migration_is(&items[i], names->replacement);
    for (size_t i = from; i < to;) {
        size_t end = i;
        u = NULL;
        for (; end < to && tls_item_type_order(&items[end], &items[i]) == 0; end++) {
            if (!migration_is(&items[end], names->legacy))
                continue;
            if (u == NULL) {
                u = &m->users[m->n_users++];
                *u = (struct migration_user){.migration = migration, .first_ns = UINT64_MAX};
                tls_item_client(&items[end], &u->client, &u->outside);
                tls_item_type(&items[end], u->client_type);
            }
            user_add(u, &items[end]);
        }
        if (u != NULL)
            u->on_replacement = !any                                                 ? 0
                                : moved(items, from, to, i, end, names->replacement) ? 1
                                                                                     : 2;
        i = end;
    }
}

static size_t count_legacy(const struct tls_item items[], size_t n, const struct config *config)
{
    size_t found = 0;
    for (size_t i = 0; i < n; i++)
        for (unsigned k = 0; k < config->n_migrations; k++)
            found += migration_is(&items[i], config->migrations[k].legacy);
    return found;
}

static bool collect_users(struct migrations *m, struct tls_index *x, const struct config *config,
                          struct err *e)
{
    size_t n;
    struct tls_item *items = tls_index_items(x, &n);
    size_t most = count_legacy(items, n, config);
    if (most == 0)
        return true;
    m->users = malloc(most * sizeof *m->users);
    if (m->users == NULL) {
        err_set(e, "out of memory");
        return false;
    }
    qsort(items, n, sizeof *items, by_client_and_type);
    for (unsigned k = 0; k < config->n_migrations; k++) {
        for (size_t from = 0, to; from < n; from = to) {
            for (to = from + 1; to < n && tls_item_client_order(&items[from], &items[to]) == 0;
                 to++)
                continue;
            users_of_client(m, items, from, to, k, &config->migrations[k]);
        }
    }
    return true;
}

static int by_call(const void *x, const void *y)
{
    const struct assign_call *a = x, *b = y;
    int d = (a->site > b->site) - (a->site < b->site);
    if (d == 0)
        d = memcmp(&a->client, &b->client, sizeof a->client);
    if (d == 0)
        d = memcmp(a->mac, b->mac, sizeof a->mac);
    return d != 0 ? d : memcmp(&a->server, &b->server, sizeof a->server);
}

static bool collect_calls(struct migrations *m, struct window *w, struct err *e)
{
    size_t n, found = 0;
    void *const *rows = window_rows(w, ROW_BINDING, &n);
    for (size_t i = 0; i < n; i++)
        found += ((const struct row_binding *)rows[i])->key.kind == BIND_HTTP_ASSIGN;
    if (found == 0)
        return true;
    m->calls = malloc(found * sizeof *m->calls);
    if (m->calls == NULL) {
        err_set(e, "out of memory");
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        const struct row_binding *b = rows[i];
        if (b->key.kind != BIND_HTTP_ASSIGN)
            continue;
        struct assign_call *c = &m->calls[m->n_calls++];
        *c = (struct assign_call){.site = b->key.client.site,
                                  .client = b->key.addr,
                                  .server = b->key.source,
                                  .calls = b->count,
                                  .answered = b->matched,
                                  .first_ns = b->first_ns,
                                  .last_ns = b->last_ns};
        memcpy(c->mac, b->key.mac, sizeof c->mac);
    }
    qsort(m->calls, m->n_calls, sizeof *m->calls, by_call);
    return true;
}

bool migrations_new(struct migrations *m, struct tls_index *x, struct window *w,
                    const struct config *config, struct err *e)
{
    *m = (struct migrations){0};
    return collect_users(m, x, config, e) && collect_calls(m, w, e);
}

void migrations_free(struct migrations *m)
{
    free(m->users);
    free(m->calls);
    *m = (struct migrations){0};
}
