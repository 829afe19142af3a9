/* Who still uses a server that is to be given up; and, apart from those, the firmware's calls in
 * clear HTTP. */
#include "core/tls_names.h"
#include "sinks/rowjson.h"
#include "sinks/table_part.h"

#include <inttypes.h>
#include <stdio.h>

const char *const table_rank_names[TABLE_RANKS] = {"",        "SSLv2",   "SSLv3",  "TLSv1",
                                                   "TLS 1.1", "TLS 1.2", "TLS 1.3"};

static void cell_time(struct grid *g, uint64_t ns)
{
    struct text_sink t = {0};
    text_time(&t, ns, 0);
    grid_cell(g, "%s", t.p != NULL ? t.p : "");
    text_free(&t);
}

static void print_user(struct grid *g, const struct totals_extra *x, const struct migration_user *u)
{
    static const char *const moved[] = {"no", "yes", "as another type"};
    char text[ROWJSON_WHO_MAX], who[32] = "";
    size_t n = 0;
    if (u->client.by != BY_NONE)
        grid_bytes(g, text, rowjson_client(&u->client, text));
    else
        grid_bytes(g, text, addr_text(&u->outside, text));
    if (x->who != NULL && u->client.by != BY_NONE)
        x->who(x->who_ctx, &u->client, u->first_ns, u->last_ns, who);
    grid_cell(g, "%s", who[0] != '\0' ? who : "-");
    grid_cell(g, "%s", u->client_type);
    text[0] = '\0';
    for (unsigned rank = 1; rank < TABLE_RANKS; rank++)
        if (u->version_ranks >> rank & 1)
            n += (size_t)snprintf(text + n, sizeof text - n, n > 0 ? ", %s" : "%s",
                                  table_rank_names[rank]);
    grid_cell(g, "%s", n > 0 ? text : "-");
    grid_cell(g, "%" PRIu64, u->sessions);
    grid_cell(g, "%" PRIu64, u->sessions - u->established);
    cell_time(g, u->first_ns);
    cell_time(g, u->last_ns);
    grid_cell(g, "%s", moved[u->on_replacement]);
}

static void print_users(const struct tls_report *r, const struct totals_extra *x,
                        unsigned migration, struct text_sink *out)
{
    static const char *const heads[] = {"client", "known as",  "client type",
                                        "TLS",    "sessions",  "not established",
                                        "since",  "last seen", "at the replacement"};
    struct table_top top = {0};
    struct grid g;
    char title[192];
    for (size_t i = 0; i < r->n_users; i++)
        if (r->users[i].migration == migration)
            table_top_add(&top, &r->users[i], r->users[i].sessions + 1);
    if (top.n == 0)
        return;
    snprintf(title, sizeof title, "TLS clients still at %s, which is to give way to %s",
             r->config->migrations[migration].legacy, r->config->migrations[migration].replacement);
    table_title(out, title, &top);
    grid_begin(&g, "llllrrlll", heads);
    for (unsigned i = 0; i < top.n; i++)
        print_user(&g, x, top.row[i]);
    grid_end(&g, out);
}

static void print_calls(const struct tls_report *r, struct text_sink *out)
{
    static const char *const heads[] = {"address",  "gateway", "server",   "calls",
                                        "answered", "since",   "last seen"};
    struct table_top top = {0};
    struct grid g;
    char text[ADDR_TEXT_MAX];
    for (size_t i = 0; i < r->n_calls; i++)
        table_top_add(&top, &r->calls[i], r->calls[i].calls + 1);
    if (top.n == 0)
        return;
    table_title(out,
                "Gateways that ask for their server in clear HTTP (/server/assign), no TLS clients",
                &top);
    grid_begin(&g, "lllrrll", heads);
    for (unsigned i = 0; i < top.n; i++) {
        const struct assign_call *c = top.row[i];
        grid_bytes(&g, text, addr_text(&c->client, text));
        grid_bytes(&g, text, mac_text(c->mac, text));
        grid_bytes(&g, text, addr_text(&c->server, text));
        grid_cell(&g, "%" PRIu64, c->calls);
        grid_cell(&g, "%" PRIu64, c->answered);
        cell_time(&g, c->first_ns);
        cell_time(&g, c->last_ns);
    }
    grid_end(&g, out);
}

void table_migration(const struct tls_report *r, const struct totals_extra *x,
                     struct text_sink *out)
{
    for (unsigned i = 0; r->config != NULL && i < r->config->n_migrations; i++)
        print_users(r, x, i, out);
    print_calls(r, out);
}
