#include "cli/whatif_part.h"
#include "core/tls_names.h"
#include "sinks/rowjson.h"
#include "sinks/table_part.h"

#include <inttypes.h>
#include <stdio.h>

static void put_day(struct text_sink *out, uint64_t day)
{
    struct text_sink t = {0};
    text_time(&t, day * 86400 * UINT64_C(1000000000), 0);
    text_printf(out, "%.10s", t.p != NULL ? t.p : "");
    text_free(&t);
}

static void put_policy(const struct whatif_print *p, struct text_sink *out)
{
    char hash[17], version[TLS_VERSION_TEXT_MAX];
    tls_policy_hash(p->policy, hash);
    text_printf(out, "Policy: %s (%s); versions", p->policy->name, hash);
    for (unsigned i = 0; i < p->policy->n_versions; i++) {
        tls_version_text(p->policy->versions[i], version);
        text_printf(out, "%s %s", i > 0 ? "," : "", version);
    }
    text_puts(out, p->policy->n_versions == 0 ? " all" : "");
    text_printf(out,
                p->policy->n_ciphers > 0 ? "; %u suites"
                                         : "; any suite but unencrypted and anonymous ones",
                p->policy->n_ciphers);
    text_printf(out, p->policy->n_groups > 0 ? "; %u groups" : "; any group", p->policy->n_groups);
    text_puts(out, p->policy->sni_required ? "; a server name is required\n" : "\n");
}

static void put_curve(const struct whatif_print *p, struct text_sink *out)
{
    const struct whatif_fleet *f = p->f;
    bool any = false;
    for (size_t d = 0; d < f->n_days; d++) {
        const struct whatif_day *day = &f->days[d];
        if (day->gateways + day->hosts == 0)
            continue;
        text_puts(out, any ? ", " : "First seen among those that would break: ");
        put_day(out, day->day);
        text_printf(out, " gateways %" PRIu64 " hosts %" PRIu64, day->gateways, day->hosts);
        any = true;
    }
    if (any)
        text_puts(out, f->rising ? "\nStill rising: too early to rely on this.\n" : "\n");
    if (f->days_cut > 0)
        text_printf(out, "The curve leaves out the last %" PRIu64 " days.\n", f->days_cut);
}

static void put_basis(const struct whatif_print *p, struct text_sink *out)
{
    const struct whatif_fleet *f = p->f;
    uint64_t days = (p->end_s - p->start_s + 86399) / 86400;
    text_puts(out, "Rests on: ");
    text_time(out, p->start_s * UINT64_C(1000000000), 0);
    text_puts(out, " to ");
    text_time(out, p->end_s * UINT64_C(1000000000), 0);
    text_printf(out, " (%" PRIu64 " %s), %zu segments, %" PRIu64 " sessions, the hello of %" PRIu64,
                days, days == 1 ? "day" : "days", p->segments, f->sessions, f->with_hello);
    if (f->sessions > 0)
        text_printf(out, " (%.1f %%)", 100.0 * (double)f->with_hello / (double)f->sessions);
    text_puts(out, " seen.\nClients that were not seen in this time are in none of the numbers; "
                   "gateways and hosts are counted apart.\n");
}

static void put_inventory(const struct whatif_print *p, struct text_sink *out)
{
    if (p->has_inventory)
        text_printf(
            out,
            "Inventory: %zu gateways, of which %zu were never seen: nothing is said about them.\n",
            p->inventory, p->never_seen);
}

static void put_answer(const struct whatif_answer *a, char *to, size_t size)
{
    char version[TLS_VERSION_TEXT_MAX];
    const char *suite = tls_cipher_name(a->cipher);
    if (a->result != WHATIF_CONNECT) {
        snprintf(to, size, "%s", whatif_reason_names[a->reason]);
        return;
    }
    tls_version_text(a->version, version);
    if (a->any)
        snprintf(to, size, "%s, as %s", version, suite != NULL ? suite : "?");
    else
        snprintf(to, size, "%s, %s", version, suite != NULL ? suite : "?");
}

static void put_group(struct grid *g, const struct whatif_group *x)
{
    char type[CLIENT_TYPE_MAX], answer[GRID_CELL_MAX];
    struct service s;
    tls_item_service(x->first->item, &s);
    tls_item_type(x->first->item, type);
    table_service(g, &s);
    grid_cell(g, "%s", type);
    grid_cell(g, "%s", whatif_result_names[x->first->answer.result]);
    grid_cell(g, "%" PRIu64, x->sessions);
    grid_cell(g, "%" PRIu64, x->clients.gateways);
    grid_cell(g, "%" PRIu64, x->clients.hosts);
    grid_cell(g, "%" PRIu64, x->clients.others);
    grid_cell(g, "%u", x->told);
    grid_cell(g, "%" PRIu64, x->failing);
    put_answer(&x->first->answer, answer, sizeof answer);
    grid_cell(g, "%s", answer);
}

static void put_groups(const struct whatif_print *p, struct text_sink *out)
{
    static const char *const heads[] = {"server", "port",      "name",     "client type",
                                        "would",  "sessions",  "gateways", "hosts",
                                        "others", "told MACs", "failing",  "with, or why"};
    struct whatif_group x;
    struct grid g;
    grid_begin(&g, "lrlllrrrrrrl", heads);
    for (size_t at = 0; whatif_group_next(p, &at, &x);)
        put_group(&g, &x);
    grid_end(&g, out);
}

void whatif_table(const struct whatif_print *p, struct text_sink *out)
{
    bool any = false;
    for (size_t i = 0; i < p->f->n && !any; i++)
        any = whatif_wanted(p, &p->f->lines[i]);
    put_policy(p, out);
    put_basis(p, out);
    put_inventory(p, out);
    put_curve(p, out);
    text_puts(out, "\n");
    if (any)
        put_groups(p, out);
    else
        text_puts(out, p->server != NULL ? "  No session with this server was seen.\n"
                                         : "  No TLS session was seen.\n");
}
