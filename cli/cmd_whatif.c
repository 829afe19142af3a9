#include "cli/commands.h"
#include "cli/judge.h"
#include "cli/report.h"
#include "cli/segments.h"
#include "cli/whatif.h"
#include "core/config_value.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { OPT_CONFIG, OPT_MIN_VERSION, OPT_POLICY, OPT_SERVER, OPT_LIST, OPT_FORMAT, OPT_N };

static const struct option_def defs[OPT_N] = {
    [OPT_CONFIG] =
        {'c', "config", "FILE",
         "read the configuration FILE: its migration, clients.types and inventory are used"},
    [OPT_MIN_VERSION] = {0, "min-version", "V",
                         "the server takes no older version: tls1.0, tls1.1, tls1.2, tls1.3"},
    [OPT_POLICY] = {0, "policy", "FILE", "the server accepts what this policy says"},
    [OPT_SERVER] = {0, "server", "NAME", "only servers of this name or address"},
    [OPT_LIST] = {0, "list", "break|unknown",
                  "one line a client of those that would break, or cannot be told"},
    [OPT_FORMAT] =
        {0, "format", "csv|json",
         "of the list: csv (default) or json; without a list json: the whole answer as one object"},
};
static const struct usage usage = {"whatif", "SEGMENT|DIR ...",
                                   "Whom a stricter TLS policy would cut off: for each server and "
                                   "type of client, who would connect and with what, who would\n"
                                   "break and why, and of whom it cannot be told, from the hellos "
                                   "that were seen. Needs --min-version or --policy.",
                                   defs, OPT_N};

struct asking {
    struct config config;
    struct report_facts facts;
    struct client_typing *typing;
    struct tls_policy policy;
    uint16_t min_version;
    bool has_policy, list, json, has_format;
    uint8_t result; /* enum whatif_result */
    const char *server;
};

static bool take(struct asking *a, int i, const char *value, struct err *e)
{
    static const char *const lists[] = {"break", "unknown"}, *const formats[] = {"csv", "json"};
    unsigned word;
    if (i == OPT_MIN_VERSION) {
        a->min_version = tls_policy_version(value);
        if (a->min_version > 0x0300)
            return true;
        err_set(e, "\"%.40s\" is no version; tls1.0, tls1.1, tls1.2 or tls1.3", value);
        return false;
    }
    if (i == OPT_SERVER) {
        a->server = value;
        return true;
    }
    if (!config_value_word(value, i == OPT_LIST ? lists : formats, 2, &word, e))
        return false;
    if (i == OPT_LIST) {
        a->list = true;
        a->result = word == 0 ? WHATIF_BREAK : WHATIF_UNKNOWN;
    } else {
        a->json = word == 1;
        a->has_format = true;
    }
    return true;
}

static int take_options(struct asking *a, struct options *o)
{
    struct err e = {""};
    for (int i; (i = options_next(o)) != OPTIONS_END;) {
        if (i == OPTIONS_STOP)
            return o->status;
        bool file = i == OPT_CONFIG || i == OPT_POLICY;
        a->has_policy = a->has_policy || i == OPT_POLICY;
        if (!(i == OPT_CONFIG   ? config_load(&a->config, o->value, &e)
              : i == OPT_POLICY ? tls_policy_load(&a->policy, o->value, &e)
                                : take(a, i, o->value, &e))) {
            if (!file)
                return options_fail(o, "--%s: %s", defs[i].name, e.text);
            fprintf(stderr, "tellscope whatif: %s\n", e.text);
            return EXIT_CONFIG;
        }
    }
    if (!a->has_policy && a->min_version == 0)
        return options_fail(o, "--min-version or --policy is missing");
    if (a->has_format && !a->list && !a->json)
        return options_fail(o, "--format csv needs --list");
    if (!a->has_policy) { /* all but those too old: nothing else changes */
        a->policy.n_versions = 0;
        snprintf(a->policy.name, sizeof a->policy.name, "min-version");
    }
    if (a->min_version != 0 && !tls_policy_min_version(&a->policy, a->min_version))
        return options_fail(o, "--min-version: the policy has no version so new");
    return o->first == o->argc ? options_fail(o, "no segment given") : -1;
}

static unsigned type_of(void *ctx, const struct row_tls *row)
{
    return client_typing_of(((struct asking *)ctx)->typing, row);
}

static const char *type_text(void *ctx, unsigned type)
{
    return client_types_text(((struct asking *)ctx)->facts.types, type);
}

static bool ask_inventory(const struct asking *a, struct whatif_print *p, struct window *all,
                          struct err *e)
{
    p->has_inventory = a->facts.inventory != NULL;
    if (!p->has_inventory)
        return true;
    p->inventory = inventory_n(a->facts.inventory);
    return whatif_never_seen(a->facts.inventory, all, &p->never_seen, e);
}

/* All segments at once for the names and the answers, then one by one for the days. */
static bool whatif(struct asking *a, struct segments *s, struct window *all, struct text_sink *out,
                   struct err *e)
{
    struct whatif_print p = {.w = all, .policy = &a->policy, .server = a->server};
    struct whatif_fleet f = {0};
    struct tls_index *x = NULL;
    const struct tls_typing typing = {type_of, type_text, a};
    bool ok = true;
    segments_span(s, &p.start_s, &p.end_s);
    window_reset(all, p.start_s, p.end_s - p.start_s);
    for (size_t i = 0; ok && i < s->n; i++)
        ok = segments_add(s, "whatif", i, all, e);
    if (!ok || !ask_inventory(a, &p, all, e)
        || !client_typing_new(&a->typing, a->facts.types, all, e)
        || !tls_index_new(&x, all, &typing, e))
        return false;
    ok = whatif_new(&f, x, all, &a->policy, &a->config, p.start_s, p.end_s, e);
    for (size_t i = 0; ok && i < s->n; i++) {
        uint8_t sha256[32];
        if (!s->items[i].good)
            continue;
        p.segments++;
        ok = segments_read(s, "whatif", i, sha256, e);
        if (ok && s->items[i].good)
            whatif_days(&f, s->scratch);
    }
    if (ok) {
        whatif_finish(&f);
        p.f = &f;
        if (!a->list && a->json)
            whatif_totals_json(&p, out);
        else if (!a->list)
            whatif_table(&p, out);
        else if (a->json)
            whatif_json(&p, (enum whatif_result)a->result, out);
        else
            whatif_csv(&p, (enum whatif_result)a->result, out);
    }
    whatif_free(&f);
    tls_index_free(x);
    return ok;
}

static bool ask(struct asking *a, struct segments *s, struct err *e)
{
    struct text_sink out = {0};
    struct window *all = NULL;
    if (s->n_good == 0)
        return true; /* damaged or failed, as was told */
    bool ok = window_new(&all, &s->config, e) && whatif(a, s, all, &out, e);
    if (ok && out.failed) {
        err_set(e, "out of memory");
        ok = false;
    }
    if (ok
        && (fwrite(out.p != NULL ? out.p : "", 1, out.len, stdout) != out.len
            || fflush(stdout) != 0)) {
        err_set(e, "write the answer: %s", strerror(errno));
        ok = false;
    }
    text_free(&out);
    client_typing_free(a->typing);
    window_free(all);
    return ok;
}

int cmd_whatif(int argc, char **argv)
{
    struct asking a = {.config = config_default(), .policy = tls_policy_default()};
    struct options o = options_of(&usage, argc, argv);
    int status = take_options(&a, &o);
    if (status >= 0)
        return status;
    struct segments s = {0};
    struct err e = {""};
    status = EXIT_OK;
    if (!report_facts_load(&a.facts, &a.config, &e)) {
        fprintf(stderr, "tellscope whatif: %s\n", e.text);
        status = EXIT_CONFIG;
    } else if (!segments_open(&s, "whatif", argv + o.first, (size_t)(argc - o.first), &e)
               || !ask(&a, &s, &e)) {
        fprintf(stderr, "tellscope whatif: %s\n", e.text);
        status = EXIT_RUNTIME;
    } else if (s.failed > 0) {
        status = EXIT_RUNTIME;
    } else if (s.damaged > 0) {
        status = EXIT_DAMAGED;
    }
    segments_tell(&s, "whatif");
    segments_free(&s);
    report_facts_free(&a.facts);
    return status;
}
