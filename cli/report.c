#include "cli/report.h"

#include "enrich/identity.h"
#include "sinks/findings_json.h"
#include "sinks/table.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* Where nothing is said, the file that was installed beside the configurations is taken, if it is
 * there. */
static const char *types_path(const struct config *c)
{
    static const char installed[] = TELLSCOPE_SYSCONFDIR "/clients.yaml";
    if (strcmp(c->client_types, "none") == 0)
        return NULL;
    if (c->client_types[0] != '\0')
        return c->client_types;
    return access(installed, F_OK) == 0 ? installed : NULL;
}

bool report_facts_load(struct report_facts *f, const struct config *c, struct err *e)
{
    const char *path = types_path(c);
    *f = (struct report_facts){0};
    return (path == NULL || client_types_load(&f->types, path, e))
           && (c->inventory[0] == '\0' || inventory_load(&f->inventory, c->inventory, e));
}

void report_facts_free(struct report_facts *f)
{
    client_types_free(f->types);
    inventory_free(f->inventory);
    *f = (struct report_facts){0};
}

static void who_was(const void *ctx, const struct client *client, uint64_t first_ns,
                    uint64_t last_ns, char text[static 32])
{
    uint8_t mac[6];
    switch (identity_of(ctx, client, first_ns, last_ns, mac)) {
    case IDENTITY_ONE:
        mac_text(mac, text);
        break;
    case IDENTITY_AMBIGUOUS:
        strcpy(text, "ambiguous");
        break;
    case IDENTITY_NONE:
        text[0] = '\0';
        break;
    }
}

/* What the table asks about clients. */
struct asking {
    const struct report_facts *facts;
    struct identities *ids;
    struct client_typing *typing;
};

static void who_is(const void *ctx, const struct client *client, uint64_t first_ns,
                   uint64_t last_ns, char text[static 32])
{
    who_was(((const struct asking *)ctx)->ids, client, first_ns, last_ns, text);
}

static unsigned type_of(void *ctx, const struct row_tls *row)
{
    return client_typing_of(((struct asking *)ctx)->typing, row);
}

static const char *type_text(void *ctx, unsigned type)
{
    return client_types_text(((struct asking *)ctx)->facts->types, type);
}

/* By the MAC that the client is known by, or that its address was. */
static bool device_of(const void *ctx, const struct client *client, uint64_t first_ns,
                      uint64_t last_ns, struct totals_device *device)
{
    const struct asking *a = ctx;
    uint8_t mac[6];
    if (client->by == BY_MAC)
        memcpy(mac, client->id, sizeof mac);
    else if (identity_of(a->ids, client, first_ns, last_ns, mac) != IDENTITY_ONE)
        return false;
    const struct inventory_entry *entry = inventory_find(a->facts->inventory, mac);
    if (entry == NULL)
        return false;
    *device = (struct totals_device){entry->product, entry->firmware, entry->customer};
    return true;
}

static void put_text(struct window *w, const struct totals_extra *x, enum report_as as,
                     struct text_sink *out)
{
    if (as == REPORT_JSON)
        totals_json(w, x, out);
    else if (as == REPORT_TABLE)
        table_summary(w, x, out);
    else if (as == REPORT_FINDINGS)
        table_findings(x, out);
    else if (as == REPORT_FINDINGS_JSON)
        findings_json(w, x, out);
    else
        table_unknown_clients(w, x, as == REPORT_UNKNOWN_CLIENTS_JSON, out);
}

static bool print(struct window *w, const struct totals_extra *x, enum report_as as, FILE *to,
                  struct err *e)
{
    struct text_sink out = {0};
    put_text(w, x, as, &out);
    bool ok = !out.failed;
    if (!ok)
        err_set(e, "out of memory");
    else if (fwrite(out.p, 1, out.len, to) != out.len || fflush(to) != 0) {
        err_set(e, "write the report: %s", strerror(errno));
        ok = false;
    }
    text_free(&out);
    return ok;
}

/* With all that is known about clients in `x`. */
static bool judge_and_print(const struct config *c, struct window *w, struct asking *a,
                            struct totals_extra *x, const struct judge_options *judge,
                            enum report_as as, FILE *to, bool *fails, struct err *e)
{
    const struct tls_typing typing = {type_of, type_text, a};
    struct tls_judged j = {0};
    struct migrations m = {0};
    bool judges = as != REPORT_UNKNOWN_CLIENTS && as != REPORT_UNKNOWN_CLIENTS_JSON;
    char hash[17];
    bool ok = !judges || judge_report(&j, &m, w, &judge->policy, c, &typing, e);
    tls_policy_hash(&judge->policy, hash);
    struct tls_report report = {.policy = judge->policy.name,
                                .policy_hash = hash,
                                .weak = j.weak,
                                .findings = j.findings,
                                .n_findings = j.n_findings,
                                .servers = j.servers,
                                .n_servers = j.n_servers,
                                .sessions = j.sessions,
                                .judged = j.judged,
                                .unknown = j.unknown,
                                .config = c,
                                .users = m.users,
                                .n_users = m.n_users,
                                .calls = m.calls,
                                .n_calls = m.n_calls};
    x->tls = judges ? &report : NULL;
    *fails = *fails || (ok && judges && judge_fails(judge, &j));
    ok = ok && (to == NULL || print(w, x, as, to, e));
    tls_judged_free(&j);
    migrations_free(&m);
    return ok;
}

/* Totals need no more of judgements than their sums. */
static bool json_totals(const struct config *c, struct window *w, const struct totals_extra *x,
                        const struct judge_options *judge, const struct judge_sums *sums, FILE *to,
                        bool *fails, struct err *e)
{
    struct totals_extra with = *x;
    struct tls_judged j = {0};
    struct tls_report report = {.weak = sums->weak, .config = c};
    bool ok = true;
    with.tls = &report;
    if (sums->known) {
        *fails = *fails || sums->fails;
    } else {
        ok = judge_window(&j, w, &judge->policy, e);
        *fails = *fails || (ok && judge_fails(judge, &j));
        report.weak = j.weak;
    }
    ok = ok && (to == NULL || print(w, &with, REPORT_JSON, to, e));
    tls_judged_free(&j);
    return ok;
}

bool report_window(const struct config *c, struct window *w, const struct report_facts *f,
                   const struct totals_extra *x, const struct judge_options *judge,
                   enum report_as as, FILE *to, bool *fails, struct err *e)
{
    static const struct judge_sums unknown;
    if (as == REPORT_JSON)
        return json_totals(c, w, x, judge, &unknown, to, fails, e);
    struct totals_extra with = *x;
    struct asking a = {.facts = f};
    bool ok = identities_new(&a.ids, w, e) && client_typing_new(&a.typing, f->types, w, e);
    with.who = who_is;
    with.type_of = type_of;
    with.type_text = type_text;
    with.device = f->inventory != NULL ? device_of : NULL;
    with.who_ctx = with.type_ctx = &a;
    with.device_ctx = &a;
    ok = ok && judge_and_print(c, w, &a, &with, judge, as, to, fails, e);
    client_typing_free(a.typing);
    identities_free(a.ids);
    return ok;
}

static void captures_json(const struct run_result *r, struct text_sink *out)
{
    text_puts(out, "[");
    for (size_t i = 0; i < r->n; i++) {
        const struct run_capture *c = &r->captures[i];
        text_puts(out, i > 0 ? ",{\"path\":" : "{\"path\":");
        text_json(out, c->path, strlen(c->path));
        text_printf(out, ",\"packets\":%llu,\"error\":", (unsigned long long)c->packets);
        if (c->error[0] != '\0')
            text_json(out, c->error, strlen(c->error));
        else
            text_puts(out, "null");
        text_puts(out, "}");
    }
    text_puts(out, "]");
}

bool report_run(const struct config *c, const struct report_facts *f, const struct run_result *r,
                const struct judge_options *judge, bool json, FILE *to, bool *fails, struct err *e)
{
    struct window *none = NULL;
    struct text_sink captures = {0};
    struct totals_extra x = {.gateways = r->gateways, .hosts = r->hosts, .has_clients = true};
    bool ok = r->all != NULL || window_new(&none, c, e); /* nothing read: all zero */
    struct window *all = none != NULL ? none : r->all;
    if (json) {
        captures_json(r, &captures);
        x.captures_json = captures.p;
        ok = ok && json_totals(c, all, &x, judge, &r->sums, to, fails, e);
    } else {
        ok = ok && report_window(c, all, f, &x, judge, REPORT_TABLE, to, fails, e);
    }
    window_free(none);
    text_free(&captures);
    return ok;
}

void report_clients(struct window *w, const struct config *config, struct totals_extra *x)
{
    size_t n;
    void *const *rows = window_rows(w, ROW_CLIENT, &n);
    for (size_t i = 0; i < n; i++) {
        uint8_t kind = ((const struct row_client *)rows[i])->key.client.kind;
        x->gateways += kind == CLIENT_GATEWAY;
        x->hosts += kind == CLIENT_HOST;
    }
    const struct distinct_block *hosts =
        window_distinct_block(w, &window_totals(w)->hosts, &distinct_large);
    if (config->scope == SCOPE_GATEWAYS && hosts != NULL) /* no rows: only their number is kept */
        x->hosts = distinct_count(&distinct_large, hosts);
}
