/* Judgement as the commands use it: a policy, what makes a run fail, flags beside a summary, and
 * the report. */
#pragma once
#include "cli/options.h"
#include "enrich/migration.h"
#include "enrich/tls_judge.h"
#include "sinks/segment.h"
#include "sinks/totals.h"

struct judge_options {
    struct tls_policy policy;
    uint8_t fail_severity; /* enum severity; SEVERITY_OFF: no */
    int fail_rule;         /* enum weakness; -1: no */
};
struct judge_options judge_options_default(void);

/* --fail-on SEVERITY|RULE. */
MUST_CHECK bool judge_fail_on(struct judge_options *o, const char *text, struct err *e);
bool judge_wanted(const struct judge_options *o); /* does anything make it fail? */
bool judge_fails(const struct judge_options *o, const struct tls_judged *j);

/* Judges `w`. The caller ends `*j` with tls_judged_free in either case; names in it are borrowed
 * from `w`. */
MUST_CHECK bool judge_window(struct tls_judged *j, struct window *w, const struct tls_policy *p,
                             struct err *e);
/* The same, and who still uses a legacy server; the caller ends `*m` with migrations_free in either
 * case. */
MUST_CHECK bool judge_report(struct tls_judged *j, struct migrations *m, struct window *w,
                             const struct tls_policy *p, const struct config *config,
                             const struct tls_typing *typing, struct err *e);

/* What totals tell of judgements. */
struct judge_sums {
    bool known;
    bool fails; /* as judge_fails */
    uint64_t weak[WEAK_N];
};

/* Judges `w` and writes what was found as flags into `dir`, beside the summary `path` (NULL: of the
 * name that `h` gives it) whose rows have `sha256`. */
MUST_CHECK bool judge_flags(struct window *w, const struct segment_head *h,
                            const uint8_t sha256[32], const char *dir, const char *path,
                            const struct judge_options *o, const struct segment_options *so,
                            struct judge_sums *sums, struct err *e);

/* The first that holds of 2, 3, 1, 5, 4, 6. */
int judge_status(int a, int b);
