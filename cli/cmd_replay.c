#include "cli/batch.h"
#include "cli/commands.h"
#include "cli/options_common.h"
#include "cli/report.h"
#include "cli/run.h"
#include "cli/stop.h"
#include "core/config_value.h"
#include "ingest/filter.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    OPT_CONFIG,
    OPT_OUTPUT,
    OPT_FILTER,
    OPT_JOBS,
    OPT_EVENTS,
    OPT_WINDOW,
    OPT_SENSOR,
    OPT_VANTAGE,
    OPT_SCOPE,
    OPT_SET,
    OPT_CONTINUOUS,
    OPT_JSON,
    OPT_QUIET,
    OPT_FORCE,
    OPT_PER_CAPTURE,
    OPT_RESUME,
    OPT_DAMAGED_OK,
    OPT_MAX_LOSS,
    OPT_POLICY,
    OPT_FAIL_ON,
    OPT_N
};

static const struct option_def defs[OPT_N] = {
    [OPT_CONFIG] = {'c', "config", "FILE", "read the configuration FILE"},
    [OPT_OUTPUT] = {'o', "output", "DIR", "write segments into DIR (made if need be)"},
    [OPT_FILTER] = {'f', "filter", "BPF", "take only packets that pass this pcap-filter(7)"},
    [OPT_JOBS] = {'j', "jobs", "N",
                  "threads that touch packets, the reader included; output is the same"},
    [OPT_EVENTS] = {'e', "events", "KINDS", "write events.ndjson.zst into DIR: dns,ntp,tls or all"},
    [OPT_WINDOW] = {0, "window", "SECONDS", "length of a window: 3600, 5m, 1h, 1d; divides a day"},
    [OPT_SENSOR] = {0, "sensor", "NAME", "name of the sensor in segments"},
    [OPT_VANTAGE] = {0, "vantage", "V",
                     "where captures were taken: lan, router, wan, server, unknown"},
    [OPT_SCOPE] = {0, "scope", "SCOPE", "of whom rows are kept: gateways or all"},
    [OPT_SET] = {0, "set", "KEY=VALUE",
                 "set a key of the configuration, for example limits.peers=1000"},
    [OPT_CONTINUOUS] = {0, "continuous", NULL,
                        "the captures are one rotating capture: flows cross files"},
    [OPT_JSON] = {0, "json", NULL, "totals as one JSON object on stdout"},
    [OPT_QUIET] = {'q', "quiet", NULL, "no table and no progress"},
    [OPT_FORCE] = {0, "force", NULL, "replace segments that say something else"},
    [OPT_PER_CAPTURE] = {0, "per-capture", NULL,
                         "each capture by itself: DIR/NAME-SHA/, and DIR/captures.ndjson"},
    [OPT_RESUME] = {0, "resume", NULL, "with --per-capture: skip captures that are done already"},
    [OPT_DAMAGED_OK] = {0, "damaged-ok", "N|P%", "exit 0 with up to N (or P %) damaged captures"},
    [OPT_MAX_LOSS] = {0, "max-loss", "P%", "exit 5 where captures tell of more loss than P %"},
    [OPT_POLICY] = {0, "policy", "FILE", "judge TLS by this policy instead of the default one"},
    [OPT_FAIL_ON] = {0, "fail-on", "SEVERITY|RULE",
                     "exit 6 where such a finding is there: high, POODLE"},
};
static const struct usage usage = {
    "replay", "CAPTURE|DIR|- ...",
    "Reads captures (pcap, pcapng, also .gz and .zst; - is standard input) and sums them up.\n"
    "A table, or with --json the totals, goes to stdout; segments go to DIR.",
    defs, OPT_N};

struct replay {
    struct config config;
    struct judge_options judge;
    struct report_facts facts; /* for the table */
    struct run_options run;
    bool json, quiet, per_capture, resume;
    double max_loss_percent; /* negative: not asked for */
    uint64_t damaged_ok;     /* captures, or percent */
    bool damaged_percent;
};

static bool damaged_ok(struct replay *r, const char *text, struct err *e)
{
    char digits[24] = "";
    size_t len = strlen(text);
    r->damaged_percent = len > 0 && text[len - 1] == '%';
    len -= r->damaged_percent;
    if (len < sizeof digits)
        memcpy(digits, text, len);
    return config_value_number(digits, 0, r->damaged_percent ? 100 : 1000000000, &r->damaged_ok, e);
}

static bool take_option(void *ctx, int option, const char *value, struct err *e)
{
    struct replay *r = ctx;
    static const char *const kinds[] = {"dns", "ntp", "tls"};
    uint64_t number;
    uint32_t set;
    switch (option) {
    case OPT_OUTPUT:
        r->run.dir = value;
        return true;
    case OPT_FILTER:
        r->run.bpf = value;
        return true;
    case OPT_JOBS:
        if (!config_value_number(value, 1, 256, &number, e))
            return false;
        r->run.threads = (unsigned)number;
        return true;
    case OPT_EVENTS:
        if (!option_words(value, kinds, 3, &set, e))
            return false;
        r->run.events = set;
        return true;
    case OPT_WINDOW:
        return option_window(value, &r->config.window_s, e);
    case OPT_CONTINUOUS:
        return config_set(&r->config, "continuous", "true", e);
    case OPT_DAMAGED_OK:
        return damaged_ok(r, value, e);
    case OPT_FAIL_ON:
        return judge_fail_on(&r->judge, value, e);
    case OPT_MAX_LOSS:
        return option_percent(value, &r->max_loss_percent, e);
    default:
        r->json = r->json || option == OPT_JSON;
        r->quiet = r->quiet || option == OPT_QUIET;
        r->run.force = r->run.force || option == OPT_FORCE;
        r->per_capture = r->per_capture || option == OPT_PER_CAPTURE;
        r->resume = r->resume || option == OPT_RESUME;
        return true;
    }
}

static int check_usage(const struct replay *r, const struct options *o)
{
    if (o->first == o->argc)
        return options_fail(o, "no capture given");
    if (r->per_capture && r->run.dir == NULL)
        return options_fail(o, "--per-capture needs -o DIR");
    if (r->resume && !r->per_capture)
        return options_fail(o, "--resume needs --per-capture");
    if (r->run.events != 0 && r->run.dir == NULL)
        return options_fail(o, "-e needs -o DIR");
    struct filter *filter = NULL; /* made again for the run: here only its text is judged */
    struct err e = {""};
    bool good = r->run.bpf == NULL || filter_new(&filter, r->run.bpf, 0, &e);
    filter_free(filter);
    return good ? EXIT_OK : options_fail(o, "%s", e.text);
}

static bool too_much_loss(const struct replay *r, uint64_t lost_packets, uint64_t read_packets)
{
    double lost = (double)lost_packets, read = (double)read_packets;
    return r->max_loss_percent >= 0 && lost > 0 && lost / (lost + read) * 100 > r->max_loss_percent;
}

static bool too_much_lost_of(const struct replay *r, struct window *all)
{
    return all != NULL
           && too_much_loss(r, window_totals(all)->ledger.lost_packets,
                            window_totals(all)->packets.read);
}

static bool damage_allowed(const struct replay *r, size_t damaged, size_t of)
{
    uint64_t most = r->damaged_percent ? of * r->damaged_ok / 100 : r->damaged_ok;
    return damaged <= most;
}

static int once(struct replay *r, const struct paths *paths)
{
    struct run_result result;
    struct err e = {""};
    bool fails = false;
    r->run.config = &r->config;
    r->run.judge = &r->judge;
    r->run.quiet = r->quiet;
    bool ok = run_captures(&r->run, paths->items, paths->n, &result, &e);
    int status = EXIT_OK;
    if (!ok) {
        fprintf(stderr, "tellscope replay: %s\n", e.text);
        status = EXIT_RUNTIME;
    } else {
        FILE *to = r->json || !r->quiet ? stdout : NULL;
        if ((to != NULL || judge_wanted(&r->judge))
            && !report_run(&r->config, &r->facts, &result, &r->judge, r->json, to, &fails, &e)) {
            fprintf(stderr, "tellscope replay: %s\n", e.text);
            status = EXIT_RUNTIME;
        }
        if (result.failed > 0 || result.interrupted)
            status = EXIT_RUNTIME;
        else if (status == EXIT_OK && too_much_lost_of(r, result.all))
            status = EXIT_LOSS;
        else if (status == EXIT_OK && result.damaged > 0
                 && !damage_allowed(r, result.damaged, result.n))
            status = EXIT_DAMAGED;
        if (fails)
            status = judge_status(status, EXIT_FINDINGS);
    }
    run_free(&result);
    return status;
}

static int each(struct replay *r, const struct paths *paths)
{
    struct batch_result b;
    struct err e = {""};
    r->run.config = &r->config;
    r->run.judge = &r->judge;
    r->run.quiet = r->quiet;
    if (!batch_run(&r->run, paths, r->resume, &b, &e)) {
        fprintf(stderr, "tellscope replay: %s\n", e.text);
        return EXIT_RUNTIME;
    }
    if (r->json)
        printf("{\"schema\":\"tellscope.batch.v1\",\"captures\":%zu,\"done\":%zu,"
               "\"done_before\":%zu,\"damaged\":%zu,\"failed\":%zu}\n",
               paths->n, b.done, b.skipped, b.damaged, b.failed);
    else if (!r->quiet)
        printf("%zu captures: %zu done, %zu done before, %zu damaged, %zu failed\n", paths->n,
               b.done, b.skipped, b.damaged, b.failed);
    if (b.failed > 0 || b.interrupted)
        return EXIT_RUNTIME;
    if (too_much_loss(r, b.lost, b.read))
        return EXIT_LOSS;
    if (b.damaged > 0 && !damage_allowed(r, b.damaged, paths->n))
        return EXIT_DAMAGED;
    return b.fails ? EXIT_FINDINGS : EXIT_OK;
}

/* Here what a run would find out when it has read everything. */
static bool make_output(const char *dir, struct err *e)
{
    if (mkdir(dir, 0777) != 0 && errno != EEXIST) {
        err_set(e, "make directory %.300s: %s", dir, strerror(errno));
        return false;
    }
    struct stat st;
    if (stat(dir, &st) == 0 && !S_ISDIR(st.st_mode))
        errno = ENOTDIR;
    else if (access(dir, W_OK | X_OK) == 0)
        return true;
    err_set(e, "output directory %.300s: %s", dir, strerror(errno));
    return false;
}

int cmd_replay(int argc, char **argv)
{
    struct replay r = {
        .config = config_default(), .judge = judge_options_default(), .max_loss_percent = -1};
    struct options o;
    struct common_options common = {
        OPT_CONFIG, OPT_POLICY,          OPT_SET,   OPT_SENSOR,          OPT_VANTAGE,
        OPT_SCOPE,  .take = take_option, .ctx = &r, .config = &r.config, .policy = &r.judge.policy};
    if (options_common(&common, &o, &usage, argc, argv) != EXIT_OK)
        return o.status;
    int status = check_usage(&r, &o);
    if (status != EXIT_OK)
        return status;
    struct err e = {""};
    struct paths paths;
    bool table = !r.quiet && !r.json && !r.per_capture;
    if (table
        && !report_facts_load(&r.facts, &r.config, &e)) { /* before the run: it may take hours */
        fprintf(stderr, "tellscope replay: %s\n", e.text);
        report_facts_free(&r.facts);
        return EXIT_CONFIG;
    }
    if (r.run.dir != NULL && !make_output(r.run.dir, &e)) {
        fprintf(stderr, "tellscope replay: %s\n", e.text);
        return EXIT_RUNTIME;
    }
    if (!paths_expand(&paths, argv + o.first, (size_t)(argc - o.first), PATHS_CAPTURES, &e)) {
        fprintf(stderr, "tellscope replay: %s\n", e.text);
        return EXIT_RUNTIME;
    }
    if (paths.n_skipped > 0 && (!r.quiet || paths.n == 0))
        fprintf(stderr, "tellscope replay: passed over in folders, as no captures: %zu\n",
                paths.n_skipped);
    stop_catch();
    if (paths.n > 0) {
        status = r.per_capture ? each(&r, &paths) : once(&r, &paths);
    } else {
        fprintf(stderr, "tellscope replay: no capture found\n");
        status = EXIT_RUNTIME;
    }
    paths_free(&paths);
    report_facts_free(&r.facts);
    return status;
}
