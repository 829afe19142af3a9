#include "cli/judge.h"

#include "sinks/flags.h"

#include <stdio.h>

struct judge_options judge_options_default(void)
{
    return (struct judge_options){.policy = tls_policy_default(), .fail_rule = -1};
}

bool judge_fail_on(struct judge_options *o, const char *text, struct err *e)
{
    for (uint8_t s = SEVERITY_INFO; s < SEVERITY_N; s++) {
        if (strcmp(text, severity_names[s]) == 0) {
            o->fail_severity = s;
            return true;
        }
    }
    for (int rule = 0; rule < WEAK_N; rule++) {
        if (strcmp(text, weakness_names[rule]) == 0) {
            o->fail_rule = rule;
            return true;
        }
    }
    err_set(e,
            "\"%.40s\" is no severity and no rule; info, low, medium, high, critical, or a rule as "
            "POODLE",
            text);
    return false;
}

bool judge_wanted(const struct judge_options *o)
{
    return o->fail_severity != SEVERITY_OFF || o->fail_rule >= 0;
}

bool judge_fails(const struct judge_options *o, const struct tls_judged *j)
{
    return (o->fail_severity != SEVERITY_OFF && tls_judged_has(j, (enum severity)o->fail_severity))
           || (o->fail_rule >= 0 && tls_judged_has_rule(j, (enum weakness)o->fail_rule));
}

bool judge_window(struct tls_judged *j, struct window *w, const struct tls_policy *p, struct err *e)
{
    struct tls_index *x;
    *j = (struct tls_judged){0};
    if (!tls_index_new(&x, w, NULL, e))
        return false;
    bool ok = tls_judge(j, x, w, p, e);
    tls_index_free(x);
    return ok;
}

bool judge_report(struct tls_judged *j, struct migrations *m, struct window *w,
                  const struct tls_policy *p, const struct config *config,
                  const struct tls_typing *typing, struct err *e)
{
    struct tls_index *x;
    *j = (struct tls_judged){0};
    *m = (struct migrations){0};
    if (!tls_index_new(&x, w, typing, e))
        return false;
    bool ok = tls_judge(j, x, w, p, e) && migrations_new(m, x, w, config, e);
    tls_index_free(x);
    return ok;
}

bool judge_flags(struct window *w, const struct segment_head *h, const uint8_t sha256[32],
                 const char *dir, const char *path, const struct judge_options *o,
                 const struct segment_options *so, struct judge_sums *sums, struct err *e)
{
    struct tls_judged j;
    char name[160];
    struct flags_head head = {.start_s = h->start_s, .length_s = h->length_s};
    snprintf(head.sensor, sizeof head.sensor, "%s", h->sensor);
    snprintf(head.release, sizeof head.release, "%s", TELLSCOPE_VERSION);
    snprintf(head.policy, sizeof head.policy, "%s", o->policy.name);
    tls_policy_hash(&o->policy, head.policy_hash);
    memcpy(head.summary_sha256, sha256, sizeof head.summary_sha256);
    flags_name(h, path, name);
    bool ok = judge_window(&j, w, &o->policy, e);
    if (ok) {
        struct flags f = {j.findings, j.n_findings, j.servers, j.n_servers};
        *sums = (struct judge_sums){.known = true, .fails = judge_fails(o, &j)};
        memcpy(sums->weak, j.weak, sizeof sums->weak);
        ok = flags_write(&f, &head, w, dir, name, so, e);
    }
    tls_judged_free(&j);
    return ok;
}

int judge_status(int a, int b)
{
    static const uint8_t rank[] = {
        [EXIT_OK] = 0,      [EXIT_FINDINGS] = 1, [EXIT_DAMAGED] = 2, [EXIT_LOSS] = 3,
        [EXIT_RUNTIME] = 4, [EXIT_CONFIG] = 5,   [EXIT_USAGE] = 6};
    return rank[a] >= rank[b] ? a : b;
}
