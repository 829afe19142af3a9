/* What the files of the rules share. */
#pragma once
#include "enrich/tls_rules.h"
#include "enrich/tls_suites.h"

struct judging {
    const struct tls_policy *p;
    const struct tls_tuple *t;
    const struct suite *suite; /* NULL: none, or not known */
    unsigned rank;             /* of the version; 0: not known */
    uint8_t basis;             /* of what the server chose */
    struct tls_verdict *v;
};

/* Adds a finding, once a rule. `severity`: what the policy says of the rule, moved for this case;
 * the policy's off stays off. */
void tls_hit(struct judging *j, enum weakness rule, enum basis basis, unsigned severity,
             const char *fmt, ...) __attribute__((format(printf, 5, 6)));

/* The same without printf. */
void tls_hit_text(struct judging *j, enum weakness rule, enum basis basis, unsigned severity,
                  const char *text);
const char *tls_suite_text(uint16_t cipher, char text[static 8]);

enum { EXT_RENEG_INFO = 0xff01, SCSV_RENEG = 0x00ff };
enum { RANK_SSL2 = 1, RANK_SSL3, RANK_TLS10, RANK_TLS11, RANK_TLS12, RANK_TLS13 };
enum { KIND_RC4_EXPORT = 0x020080, KIND_RC2_EXPORT = 0x040080 };

static inline unsigned at_most(unsigned severity, unsigned most)
{
    return severity < most ? severity : most;
}

static inline unsigned severity_of(const struct judging *j, enum weakness rule)
{
    return j->p->severity[rule];
}

/* What the client offered. */
void tls_judge_offer(struct judging *j);
/* The certificates of the tuple, and whether they are for the server's name. */
void tls_judge_certs(struct judging *j);
void tls_judge_name(struct judging *j);
