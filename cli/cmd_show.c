#include "cli/commands.h"
#include "cli/judge.h"
#include "cli/options.h"
#include "cli/report.h"
#include "cli/segments.h"

#include <stdio.h>

enum { OPT_CONFIG, OPT_JSON, OPT_UNKNOWN_CLIENTS, OPT_FINDINGS, OPT_POLICY, OPT_FAIL_ON, OPT_N };

static const struct option_def defs[OPT_N] = {
    [OPT_CONFIG] =
        {'c', "config", "FILE",
         "read the configuration FILE: its clients.types, inventory and migration are used"},
    [OPT_JSON] = {0, "json", NULL, "totals (or findings, or unknown clients) as one JSON object"},
    [OPT_UNKNOWN_CLIENTS] = {0, "unknown-clients", NULL,
                             "only: TLS clients of no known type, by sessions and devices"},
    [OPT_FINDINGS] = {0, "findings", NULL,
                      "only: weak TLS by server, client type and class, and who still uses servers "
                      "to be given up"},
    [OPT_POLICY] = {0, "policy", "FILE", "judge TLS by this policy instead of the default one"},
    [OPT_FAIL_ON] = {0, "fail-on", "SEVERITY|RULE", "exit 6 where such a finding is there"},
};
static const struct usage usage = {"show", "SEGMENT|DIR ...",
                                   "Reads segments back and shows what they add up to: totals, "
                                   "gateways, servers, weak TLS, NTP peers, and\n"
                                   "what TLS clients are. A segment given twice counts once.",
                                   defs, OPT_N};

struct showing {
    struct config config;
    struct report_facts facts;
    struct judge_options judge;
    enum report_as as;
    bool fails;
};

static bool show(struct showing *x, struct segments *s, struct err *e)
{
    struct window *all;
    uint64_t start_s, end_s;
    if (!window_new(&all, &s->config, e))
        return false;
    segments_span(s, &start_s, &end_s);
    if (s->n_good > 0)
        window_reset(all, start_s, end_s - start_s);
    bool ok = true;
    for (size_t i = 0; ok && i < s->n; i++)
        ok = segments_add(s, "show", i, all, e);
    struct totals_extra extra = {.has_clients = true};
    report_clients(all, &s->config, &extra);
    ok = ok
         && report_window(&x->config, all, &x->facts, &extra, &x->judge, x->as, stdout, &x->fails,
                          e);
    window_free(all);
    return ok;
}

static int show_segments(struct showing *x, char *const args[], size_t n)
{
    struct segments s;
    struct err e = {""};
    int status = EXIT_OK;
    if (!segments_open(&s, "show", args, n, &e) || !show(x, &s, &e)) {
        fprintf(stderr, "tellscope show: %s\n", e.text);
        status = EXIT_RUNTIME;
    } else if (s.failed > 0) {
        status = EXIT_RUNTIME;
    } else if (s.damaged > 0) {
        status = EXIT_DAMAGED;
    }
    if (x->fails)
        status = judge_status(status, EXIT_FINDINGS);
    segments_tell(&s, "show");
    segments_free(&s);
    return status;
}

/* A status to end with, or below 0. */
static int take_options(struct showing *x, struct options *o)
{
    struct err e = {""};
    bool json = false, unknown = false, findings = false;
    for (int i; (i = options_next(o)) != OPTIONS_END;) {
        if (i == OPTIONS_STOP)
            return o->status;
        json = json || i == OPT_JSON;
        unknown = unknown || i == OPT_UNKNOWN_CLIENTS;
        findings = findings || i == OPT_FINDINGS;
        if (i == OPT_FAIL_ON && !judge_fail_on(&x->judge, o->value, &e))
            return options_fail(o, "--%s: %s", defs[i].name, e.text);
        if ((i == OPT_CONFIG && !config_load(&x->config, o->value, &e))
            || (i == OPT_POLICY && !tls_policy_load(&x->judge.policy, o->value, &e))) {
            fprintf(stderr, "tellscope show: %s\n", e.text);
            return EXIT_CONFIG;
        }
    }
    if (o->first == o->argc)
        return options_fail(o, "no segment given");
    if (unknown && findings)
        return options_fail(o, "--unknown-clients and --findings exclude each other");
    x->as = unknown    ? (json ? REPORT_UNKNOWN_CLIENTS_JSON : REPORT_UNKNOWN_CLIENTS)
            : findings ? (json ? REPORT_FINDINGS_JSON : REPORT_FINDINGS)
                       : (json ? REPORT_JSON : REPORT_TABLE);
    return -1;
}

int cmd_show(int argc, char **argv)
{
    struct options o = options_of(&usage, argc, argv);
    struct showing x = {.config = config_default(), .judge = judge_options_default()};
    struct err e = {""};
    int status = take_options(&x, &o);
    if (status >= 0)
        return status;
    if (report_facts_load(&x.facts, &x.config, &e)) {
        status = show_segments(&x, argv + o.first, (size_t)(argc - o.first));
    } else {
        fprintf(stderr, "tellscope show: %s\n", e.text);
        status = EXIT_CONFIG;
    }
    report_facts_free(&x.facts);
    return status;
}
