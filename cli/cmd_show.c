#include "cli/commands.h"
#include "cli/options.h"
#include "cli/report.h"
#include "cli/segments.h"

#include <stdio.h>

enum { OPT_JSON, OPT_N };

static const struct option_def defs[OPT_N] = {
    [OPT_JSON] = {0, "json", NULL, "totals as one JSON object"},
};
static const struct usage usage = {
    "show", "SEGMENT|DIR ...",
    "Reads segments back and shows what they add up to: totals, gateways, servers, weak TLS, NTP peers.\n"
    "A segment given twice counts once.",
    defs, OPT_N};

static bool show(struct segments *s, bool json, struct err *e)
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
    ok = ok && report_window(all, &x, json, stdout, e);
    window_free(all);
    return ok;
}

int cmd_show(int argc, char **argv)
{
    struct options o = options_of(&usage, argc, argv);
    bool json = false;
    for (int i; (i = options_next(&o)) != OPTIONS_END;) {
        if (i == OPTIONS_STOP)
            return o.status;
        json = true;
    }
    if (o.first == argc)
        return options_fail(&o, "no segment given");
    struct segments s;
    struct err e = {""};
    int status = EXIT_OK;
    if (!segments_open(&s, "show", argv + o.first, (size_t)(argc - o.first), &e)
        || !show(&s, json, &e)) {
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
