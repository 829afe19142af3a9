#include "cli/commands.h"
#include "cli/options.h"
#include "cli/report.h"
#include "cli/segments.h"

#include <stdio.h>

enum { OPT_CONFIG, OPT_JSON, OPT_UNKNOWN_CLIENTS, OPT_N };

static const struct option_def defs[OPT_N] = {
    [OPT_CONFIG] = {'c', "config", "FILE", "read the configuration FILE: its clients.types and inventory are used"},
    [OPT_JSON] = {0, "json", NULL, "totals (or unknown clients) as one JSON object"},
    [OPT_UNKNOWN_CLIENTS] = {0, "unknown-clients", NULL, "only: TLS clients of no known type, by sessions and devices"},
};
static const struct usage usage = {
    "show", "SEGMENT|DIR ...",
    "Reads segments back and shows what they add up to: totals, gateways, servers, weak TLS, NTP peers, and\n"
    "what TLS clients are. A segment given twice counts once.",
    defs, OPT_N};

static bool show(struct segments *s, const struct report_facts *f, enum report_as as, struct err *e)
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
    struct totals_extra x = {.has_clients = true};
    report_clients(all, &s->config, &x);
    ok = ok && report_window(all, f, &x, as, stdout, e);
    window_free(all);
    return ok;
}

static int show_segments(char *const args[], size_t n, const struct report_facts *f,
                         enum report_as as)
{
    struct segments s;
    struct err e = {""};
    int status = EXIT_OK;
    if (!segments_open(&s, "show", args, n, &e) || !show(&s, f, as, &e)) {
        fprintf(stderr, "tellscope show: %s\n", e.text);
        status = EXIT_RUNTIME;
    } else if (s.failed > 0) {
        status = EXIT_RUNTIME;
    } else if (s.damaged > 0) {
        status = EXIT_DAMAGED;
    }
    segments_tell(&s, "show");
    segments_free(&s);
    return status;
}

int cmd_show(int argc, char **argv)
{
    struct options o = options_of(&usage, argc, argv);
    struct config config = config_default();
    struct report_facts facts = {0};
    const char *path = NULL;
    bool json = false, unknown = false;
    for (int i; (i = options_next(&o)) != OPTIONS_END;) {
        if (i == OPTIONS_STOP)
            return o.status;
        path = i == OPT_CONFIG ? o.value : path;
        json = json || i == OPT_JSON;
        unknown = unknown || i == OPT_UNKNOWN_CLIENTS;
    }
    if (o.first == argc)
        return options_fail(&o, "no segment given");
    enum report_as as = unknown ? (json ? REPORT_UNKNOWN_CLIENTS_JSON : REPORT_UNKNOWN_CLIENTS)
                                : (json ? REPORT_JSON : REPORT_TABLE);
    struct err e = {""};
    int status = EXIT_CONFIG;
    if ((path != NULL && !config_load(&config, path, &e))
        || !report_facts_load(&facts, &config, &e))
        fprintf(stderr, "tellscope show: %s\n", e.text);
    else
        status = show_segments(argv + o.first, (size_t)(argc - o.first), &facts, as);
    report_facts_free(&facts);
    return status;
}
