#include "cli/report.h"

#include "enrich/identity.h"
#include "sinks/table.h"

#include <errno.h>
#include <string.h>

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

static bool put_table(struct window *w, const struct totals_extra *x, struct text_sink *out,
                      struct err *e)
{
    struct identities *ids;
    struct totals_extra with = *x;
    if (!identities_new(&ids, w, e))
        return false;
    with.who = who_was;
    with.who_ctx = ids;
    table_summary(w, &with, out);
    identities_free(ids);
    return true;
}

bool report_window(struct window *w, const struct totals_extra *x, bool json, FILE *to,
                   struct err *e)
{
    struct text_sink out = {0};
    if (json)
        totals_json(w, x, &out);
    else if (!put_table(w, x, &out, e))
        return false;
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

bool report_run(const struct config *c, const struct run_result *r, bool json, FILE *to,
                struct err *e)
{
    struct window *none = NULL;
    struct text_sink captures = {0};
    struct totals_extra x = {.gateways = r->gateways, .hosts = r->hosts, .has_clients = true};
    if (json) {
        captures_json(r, &captures);
        x.captures_json = captures.p;
    }
    bool ok = r->all != NULL || window_new(&none, c, e); /* nothing read: all zero */
    ok = ok && report_window(none != NULL ? none : r->all, &x, json, to, e);
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
    const struct distinct_block *hosts
        = window_distinct_block(w, &window_totals(w)->hosts, &distinct_large);
    if (config->scope == SCOPE_GATEWAYS && hosts != NULL) /* no rows: only their number is kept */
        x->hosts = distinct_count(&distinct_large, hosts);
}
