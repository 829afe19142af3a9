/* All TLS sessions of a window judged: what was found at which server with which type of client,
 * and what the sessions of each came to. A pure function of the window and the policy. */
#pragma once
#include "core/keep.h"
#include "enrich/tls_index.h"

struct tls_judged {
    struct finding *findings; /* sorted by server, client type, rule, basis */
    size_t n_findings;
    struct judged_server *servers; /* sorted by server, client type */
    size_t n_servers;
    uint64_t sessions, judged[JUDGED_N], unknown[UNKNOWN_N];
    uint64_t weak[WEAK_N]; /* sessions over TCP of which it was found: accepted, negotiated, or told
                              by records; not what only counts as info */
    size_t cap_findings, cap_servers;
    struct keep keep; /* servers and texts */
};

/* Judges the items of `x`, which it sorts. Names in the result are borrowed from the window. The
 * caller ends it with tls_judged_free, also where it fails. */
MUST_CHECK bool tls_judge(struct tls_judged *j, struct tls_index *x, struct window *w,
                          const struct tls_policy *p, struct err *e);
void tls_judged_free(struct tls_judged *j);

/* Is there a finding of this severity or above? Of this rule? */
bool tls_judged_has(const struct tls_judged *j, enum severity least);
bool tls_judged_has_rule(const struct tls_judged *j, enum weakness rule);

/* ---- for enrich/tls_judge.c and tls_fleet.c */

/* What other sessions say about an item. */
struct tls_extra {
    size_t item;
    struct tls_hit hit;
};
struct tls_extras {
    struct tls_extra *list; /* sorted by item */
    size_t n, cap;
};
/* Rules that need more than one session. `items` are sorted; findings about a server alone are
 * added to `j`. */
MUST_CHECK bool tls_fleet(struct tls_judged *j, struct tls_extras *extras, struct tls_index *x,
                          struct window *w, const struct tls_policy *p, struct err *e);
/* One more finding, zeroed; NULL where memory is out. The caller tells its server and texts, which
 * stay where they are. */
MUST_CHECK struct finding *tls_judged_new(struct tls_judged *j, struct err *e);
