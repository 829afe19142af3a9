/* Verdicts, each found once: of a window's many tuples most are alike in all that the rules look
 * at. */
#pragma once
#include "core/keep.h"
#include "enrich/tls_rules.h"
#include "summary/rows.h"

/* As struct tls_hit and tls_verdict, with texts that are kept. */
struct tls_found {
    const char *detail;
    uint8_t rule, basis, severity;
};
struct tls_known {
    uint8_t n, judgement, reason, certs;
    struct tls_found hits[TLS_HITS_MAX];
};

struct tls_verdicts;
MUST_CHECK bool tls_verdicts_new(struct tls_verdicts **v, struct err *e);
void tls_verdicts_free(struct tls_verdicts *v);

/* The verdict about the tuple `t` of `row`, but for the name it was called by (tls_rules_name); all
 * calls have the same policy. Valid until the next call; texts are kept in `k`. NULL where memory
 * is out. */
MUST_CHECK const struct tls_known *tls_verdicts_of(struct tls_verdicts *v,
                                                   const struct tls_policy *p, struct keep *k,
                                                   const struct row_tls *row,
                                                   const struct tls_tuple *t);
