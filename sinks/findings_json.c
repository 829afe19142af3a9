#include "sinks/findings_json.h"

#include "sinks/judged_json.h"
#include "sinks/rowjson.h"
#include "sinks/table_part.h"

#include <string.h>

static void put_site(struct text_sink *t, const struct window *w, uint64_t site)
{
    char text[ROWJSON_WHO_MAX];
    text_puts(t, "{\"site\":");
    rowjson_string(t, text, rowjson_site(w, site, text));
}

static void put_user(struct text_sink *t, const struct window *w, const struct totals_extra *x,
                     const struct migration_user *u)
{
    static const char *const moved[] = {"no", "yes", "as_another_type"};
    char text[ADDR_TEXT_MAX], who[32] = "";
    put_site(t, w, u->client.site);
    if (u->client.by != BY_NONE) {
        judged_json_client(t, &u->client);
        if (x->who != NULL)
            x->who(x->who_ctx, &u->client, u->first_ns, u->last_ns, who);
    } else {
        judged_json_text(t, "addr", text, addr_text(&u->outside, text));
    }
    judged_json_word(t, "known_as", who);
    judged_json_word(t, "client_type", u->client_type);
    text_puts(t, ",\"versions\":[");
    for (unsigned rank = 1, n = 0; rank < TABLE_RANKS; rank++)
        if (u->version_ranks >> rank & 1)
            text_printf(t, n++ > 0 ? ",\"%s\"" : "\"%s\"", table_rank_names[rank]);
    text_puts(t, "]");
    judged_json_sum(t, "sessions", u->sessions);
    judged_json_sum(t, "established", u->established);
    judged_json_times(t, u->first_ns, u->last_ns);
    judged_json_word(t, "on_replacement", moved[u->on_replacement]);
    text_puts(t, "}");
}

static void put_migration(struct text_sink *t, const struct window *w, const struct totals_extra *x,
                          unsigned i)
{
    const struct tls_report *r = x->tls;
    const struct migration *m = &r->config->migrations[i];
    const char *before = "";
    text_puts(t, "{\"legacy\":");
    text_json(t, m->legacy, strlen(m->legacy));
    judged_json_word(t, "replacement", m->replacement);
    text_puts(t, ",\"users\":[");
    for (size_t k = 0; k < r->n_users; k++) {
        if (r->users[k].migration != i)
            continue;
        text_puts(t, before);
        put_user(t, w, x, &r->users[k]);
        before = ",";
    }
    text_puts(t, "]}");
}

static void put_call(struct text_sink *t, const struct window *w, const struct assign_call *c)
{
    char text[ADDR_TEXT_MAX];
    put_site(t, w, c->site);
    judged_json_text(t, "addr", text, addr_text(&c->client, text));
    judged_json_text(t, "mac", text, mac_text(c->mac, text));
    judged_json_text(t, "server", text, addr_text(&c->server, text));
    judged_json_sum(t, "calls", c->calls);
    judged_json_sum(t, "answered", c->answered);
    judged_json_times(t, c->first_ns, c->last_ns);
    text_puts(t, "}");
}

void findings_json(const struct window *w, const struct totals_extra *x, struct text_sink *out)
{
    const struct tls_report *r = x->tls;
    text_puts(out, "{\"schema\":\"tellscope.findings.v1\"");
    judged_json_word(out, "policy", r->policy);
    judged_json_word(out, "policy_hash", r->policy_hash);
    text_puts(out, ",\"findings\":[");
    for (size_t i = 0; i < r->n_findings; i++) {
        text_puts(out, i > 0 ? "," : "");
        judged_json_finding(out, w, &r->findings[i]);
    }
    text_puts(out, "],\"judged\":[");
    for (size_t i = 0; i < r->n_servers; i++) {
        text_puts(out, i > 0 ? "," : "");
        judged_json_judged(out, w, &r->servers[i]);
    }
    text_puts(out, "],\"migrations\":[");
    for (unsigned i = 0; i < r->config->n_migrations; i++) {
        text_puts(out, i > 0 ? "," : "");
        put_migration(out, w, x, i);
    }
    text_puts(out, "],\"assign_calls\":[");
    for (size_t i = 0; i < r->n_calls; i++) {
        text_puts(out, i > 0 ? "," : "");
        put_call(out, w, &r->calls[i]);
    }
    text_puts(out, "]}\n");
}
