#include "cli/commands.h"
#include "cli/judge.h"
#include "cli/segments.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OPT_CONFIG, OPT_POLICY, OPT_FAIL_ON, OPT_N };

static const struct option_def defs[OPT_N] = {
    [OPT_CONFIG] = {'c', "config", "FILE", "read the configuration FILE"},
    [OPT_POLICY] = {0, "policy", "FILE", "judge TLS by this policy instead of the default one"},
    [OPT_FAIL_ON] = {0, "fail-on", "SEVERITY|RULE", "exit 6 where such a finding is there"},
};
static const struct usage usage = {"enrich", "SEGMENT|DIR ...",
                                   "Makes the flags of summary segments, or makes them anew: what "
                                   "weak TLS was found, and what the sessions of each\n"
                                   "server and type of client came to. They are written beside "
                                   "each summary, as flags-*.ndjson.zst.",
                                   defs, OPT_N};

struct enriching {
    struct config config;
    struct judge_options judge;
    const char *policy;
    bool fails;
};

static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash == NULL   ? strdup(".")
           : slash == path ? strdup("/")
                           : strndup(path, (size_t)(slash - path));
}

static bool enrich_one(struct enriching *x, struct segments *s, size_t i, struct err *e)
{
    uint8_t sha256[32];
    const struct segment_item *item = &s->items[i];
    struct segment_options so = {.zstd_level = (int)x->config.zstd_level};
    if (!segments_read(s, "enrich", i, sha256, e))
        return false;
    if (!item->good) /* damaged, as was told */
        return true;
    char *dir = folder_of(item->path);
    if (dir == NULL) {
        err_set(e, "out of memory");
        return false;
    }
    struct judge_sums sums = {0};
    bool ok =
        judge_flags(s->scratch, &item->head, sha256, dir, item->path, &x->judge, &so, &sums, e);
    x->fails = x->fails || sums.fails;
    free(dir);
    return ok;
}

static int take_options(struct enriching *x, struct options *o)
{
    struct err e = {""};
    for (int i; (i = options_next(o)) != OPTIONS_END;) {
        if (i == OPTIONS_STOP)
            return o->status;
        if (i == OPT_FAIL_ON && !judge_fail_on(&x->judge, o->value, &e))
            return options_fail(o, "--%s: %s", defs[i].name, e.text);
        if ((i == OPT_CONFIG && !config_load(&x->config, o->value, &e))
            || (i == OPT_POLICY && !tls_policy_load(&x->judge.policy, o->value, &e))) {
            fprintf(stderr, "tellscope enrich: %s\n", e.text);
            return EXIT_CONFIG;
        }
    }
    return o->first == o->argc ? options_fail(o, "no segment given") : -1;
}

int cmd_enrich(int argc, char **argv)
{
    struct enriching x = {.config = config_default(), .judge = judge_options_default()};
    struct options o = options_of(&usage, argc, argv);
    int status = take_options(&x, &o);
    if (status >= 0)
        return status;
    struct segments s;
    struct err e = {""};
    bool ok = segments_open(&s, "enrich", argv + o.first, (size_t)(argc - o.first), &e);
    for (size_t i = 0; ok && i < s.n; i++)
        if (s.items[i].good)
            ok = enrich_one(&x, &s, i, &e);
    if (!ok)
        fprintf(stderr, "tellscope enrich: %s\n", e.text);
    status = x.fails ? EXIT_FINDINGS : EXIT_OK;
    if (s.damaged > 0)
        status = judge_status(status, EXIT_DAMAGED);
    if (!ok || s.failed > 0)
        status = judge_status(status, EXIT_RUNTIME);
    segments_free(&s);
    return status;
}
