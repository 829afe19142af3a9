#include "core/tls_names.h"
#include "enrich/tls_rules_part.h"
#include "summary/rows.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { ALERT_FALLBACK = 86 };
#define GIB (UINT64_C(1) << 30)

/* ---- findings */

/* NULL: off, or found before. */
static struct tls_hit *hit_new(struct judging *j, enum weakness rule, enum basis basis,
                               unsigned severity)
{
    struct tls_verdict *v = j->v;
    if (j->p->severity[rule] == SEVERITY_OFF)
        return NULL;
    for (unsigned i = 0; i < v->n; i++)
        if (v->hits[i].rule == rule)
            return NULL;
    struct tls_hit *h = &v->hits[v->n++];
    h->rule = (uint8_t)rule;
    h->basis = (uint8_t)basis;
    h->severity = (uint8_t)(severity > SEVERITY_CRITICAL ? SEVERITY_CRITICAL : severity);
    if (basis_of_session(basis) && h->severity > v->worst)
        v->worst = h->severity;
    return h;
}

void tls_hit(struct judging *j, enum weakness rule, enum basis basis, unsigned severity,
             const char *fmt, ...)
{
    struct tls_hit *h = hit_new(j, rule, basis, severity);
    va_list args;
    if (h == NULL)
        return;
    va_start(args, fmt);
    vsnprintf(h->detail, sizeof h->detail, fmt, args);
    va_end(args);
}

void tls_hit_text(struct judging *j, enum weakness rule, enum basis basis, unsigned severity,
                  const char *text)
{
    struct tls_hit *h = hit_new(j, rule, basis, severity);
    if (h == NULL)
        return;
    size_t n = strnlen(text, sizeof h->detail - 1);
    memcpy(h->detail, text, n);
    h->detail[n] = '\0';
}

const char *tls_suite_text(uint16_t cipher, char text[static 8])
{
    const char *name = tls_cipher_name(cipher);
    if (name == NULL)
        snprintf(text, 8, "0x%04x", cipher);
    return name != NULL ? name : text;
}

/* What the server chose: a finding of the rule's own severity. */
static void chosen(struct judging *j, enum weakness rule)
{
    char text[8];
    tls_hit_text(j, rule, j->basis, severity_of(j, rule), tls_suite_text(j->t->cipher, text));
}

/* ---- what the server chose */

static void judge_version(struct judging *j)
{
    static const uint8_t rules[] = {[RANK_SSL2] = WEAK_SSLV2_NEG,
                                    [RANK_SSL3] = WEAK_SSLV3_NEG,
                                    [RANK_TLS10] = WEAK_TLS10,
                                    [RANK_TLS11] = WEAK_TLS11};
    char text[TLS_VERSION_TEXT_MAX];
    uint16_t version = j->t->version != 0 ? j->t->version : j->t->record_version;
    if (j->rank == 0 || j->rank > RANK_TLS11)
        return;
    tls_version_text(version, text);
    tls_hit_text(j, rules[j->rank], j->basis, severity_of(j, rules[j->rank]), text);
}

/* Certain only where the mean says so. */
enum tls_volume tls_rules_volume(const struct tls_tuple *t)
{
    uint64_t mean = t->sessions > 0 ? t->bytes / t->sessions : 0;
    return mean >= 32 * GIB ? VOLUME_BLOCKS : mean > GIB ? VOLUME_GIB : VOLUME_LITTLE;
}

/* More than 1 GiB, and 2^32 blocks, under one key. */
static void judge_block64(struct judging *j)
{
    static const char *const much[] = {[VOLUME_LITTLE] = "",
                                       [VOLUME_GIB] = ", more than 1 GiB in a session",
                                       [VOLUME_BLOCKS] = ", 2^32 blocks and more in a session"};
    enum tls_volume volume = tls_rules_volume(j->t);
    char text[8];
    tls_hit(j, WEAK_SWEET32, j->basis, severity_of(j, WEAK_SWEET32) + volume, "%s%s",
            tls_suite_text(j->t->cipher, text), much[volume]);
}

static void judge_suite(struct judging *j)
{
    const struct suite *s = j->suite;
    if (s == NULL)
        return;
    if (j->rank == RANK_SSL3 && (s->flags & SUITE_CBC) != 0)
        chosen(j, WEAK_POODLE);
    if (s->flags & SUITE_EXPORT) {
        chosen(j, WEAK_EXPORT);
        if (s->kx == KX_RSA)
            chosen(j, WEAK_FREAK);
        if (s->kx == KX_DHE)
            chosen(j, WEAK_LOGJAM_EXPORT);
    }
    if (s->enc == ENC_NULL)
        chosen(j, WEAK_NULL_ENC);
    if (s->auth == AUTH_ANON)
        chosen(j, WEAK_ANON);
    if (s->enc == ENC_RC4)
        chosen(j, WEAK_RC4);
    if (s->enc == ENC_DES)
        chosen(j, WEAK_SINGLE_DES);
    if (suite_block64(s))
        judge_block64(j);
    if (s->kx == KX_RSA && (s->flags & SUITE_EXPORT) == 0)
        chosen(j, WEAK_STATIC_RSA);
    if (s->kx == KX_DH)
        chosen(j, WEAK_STATIC_DH);
    if (s->kx == KX_ECDH)
        chosen(j, WEAK_STATIC_ECDH);
    if (s->kx == KX_PSK)
        chosen(j, WEAK_PSK_NO_DHE);
}

static void judge_group(struct judging *j)
{
    const struct answer *a = j->t->answer;
    uint16_t group = a != NULL && a->group != 0 ? a->group : j->t->group;
    uint16_t bits = group_bits(group);
    bool explicit_curve = group == 0xff01 || group == 0xff02
                          || (a != NULL && (a->flags & ANSWER_EXPLICIT_CURVE) != 0);
    if (explicit_curve)
        tls_hit(j, WEAK_WEAK_CURVE, j->basis, severity_of(j, WEAK_WEAK_CURVE), "explicit curve");
    else if (bits > 0 && bits < 224)
        tls_hit_text(j, WEAK_WEAK_CURVE, j->basis, severity_of(j, WEAK_WEAK_CURVE),
                     tls_group_name(group));
}

/* ---- the rest of its handshake */

static bool common_prime(unsigned prime)
{
    switch (prime) {
    case DH_PRIME_RFC2409_768:
    case DH_PRIME_RFC2409_1024:
    case DH_PRIME_RFC5114_1024_160:
    case DH_PRIME_APACHE_512:
    case DH_PRIME_APACHE_1024:
    case DH_PRIME_JDK_512:
    case DH_PRIME_JDK_768:
    case DH_PRIME_JDK_1024:
    case DH_PRIME_NGINX_1024:
        return true;
    default:
        return false;
    }
}

static void judge_dh(struct judging *j, const struct answer *a)
{
    unsigned severity = severity_of(j, WEAK_DH_SHORT);
    if (a->dh_bits == 0)
        return;
    if (a->flags & ANSWER_SKE_RSA) {
        if (a->dh_bits <= 512)
            tls_hit(j, WEAK_FREAK, j->basis, severity_of(j, WEAK_FREAK), "RSA key of %u bits",
                    a->dh_bits);
        return;
    }
    if (a->dh_bits <= 512)
        tls_hit(j, WEAK_LOGJAM_EXPORT, j->basis, severity_of(j, WEAK_LOGJAM_EXPORT),
                "prime of %u bits", a->dh_bits);
    if (a->dh_bits < 1024)
        severity++;
    else if (a->dh_bits >= j->p->dh_bits) /* long enough; RFC 10015 wants none at all */
        severity = at_most(severity, SEVERITY_LOW);
    tls_hit(j, WEAK_DH_SHORT, j->basis, severity, "prime of %u bits", a->dh_bits);
    if (common_prime(a->dh_prime))
        tls_hit(j, WEAK_DH_COMMON, j->basis, severity_of(j, WEAK_DH_COMMON), "%s",
                dh_prime_names[a->dh_prime]);
}

/* Could the server do a version that the client offered and did not get (RFC 8446 4.1.3)? */
static void judge_sentinel(struct judging *j, const struct answer *a)
{
    unsigned offered, could = a->flags & ANSWER_SENTINEL_12   ? RANK_TLS13
                              : a->flags & ANSWER_SENTINEL_11 ? RANK_TLS12
                                                              : 0;
    if (could == 0 || j->t->offer == NULL)
        return;
    offered = tls_version_rank(tls_offer_max(j->t->offer));
    if (offered > j->rank && could > j->rank)
        tls_hit(j, WEAK_DOWNGRADE_SENTINEL, j->basis, severity_of(j, WEAK_DOWNGRADE_SENTINEL),
                "both sides could do a newer version");
    else
        tls_hit(j, WEAK_DOWNGRADE_SENTINEL, j->basis,
                at_most(severity_of(j, WEAK_DOWNGRADE_SENTINEL), SEVERITY_INFO),
                "the server is newer than the client");
}

static void judge_extensions(struct judging *j, const struct answer *a)
{
    const struct offer *o = j->t->offer;
    if (j->rank > RANK_TLS12 || j->rank < RANK_SSL3)
        return;
    if (j->suite != NULL && (j->suite->flags & SUITE_CBC) != 0 && (a->flags & ANSWER_ETM) == 0)
        chosen(j, WEAK_CBC_NO_ETM);
    bool client_reneg =
        o != NULL && (tls_offer_extension(o, EXT_RENEG_INFO) || tls_offer_cipher(o, SCSV_RENEG));
    if (client_reneg && (a->flags & ANSWER_RENEG_INFO) == 0)
        chosen(j, WEAK_INSECURE_RENEG);
    if (j->rank >= RANK_TLS10 && (a->flags & ANSWER_EMS) == 0)
        tls_hit(j, WEAK_NO_EMS, j->basis, severity_of(j, WEAK_NO_EMS), "%s",
                o == NULL                    ? ""
                : tls_offer_extension(o, 23) ? "the server does not take it up"
                                             : "the client does not offer it");
}

static void judge_answer(struct judging *j)
{
    const struct answer *a = j->t->answer;
    if (a == NULL)
        return;
    judge_dh(j, a);
    judge_extensions(j, a);
    judge_sentinel(j, a);
    if (a->compression != 0 && j->rank != RANK_SSL2)
        tls_hit(j, WEAK_COMPRESSION, j->basis, severity_of(j, WEAK_COMPRESSION), "method %u",
                a->compression);
    if (a->ske_signature >> 8 == 1)
        chosen(j, WEAK_SIG_MD5);
    if (a->ske_signature >> 8 == 2)
        chosen(j, WEAK_SIG_SHA1);
    if (a->flags & ANSWER_HEARTBEAT)
        chosen(j, WEAK_HEARTBEAT_NEG);
    if (j->rank == RANK_TLS13 && (a->flags & ANSWER_PSK) != 0 && a->group == 0 && j->t->group == 0)
        chosen(j, WEAK_PSK_NO_DHE);
    if (a->ticket_lifetime_s > 7 * 86400)
        tls_hit(j, WEAK_TICKET_ODD, j->basis, severity_of(j, WEAK_TICKET_ODD),
                "tickets last %u days", a->ticket_lifetime_s / 86400);
    for (unsigned i = 0; i < a->n_kinds; i++)
        if (a->kinds[i] == KIND_RC4_EXPORT || a->kinds[i] == KIND_RC2_EXPORT)
            tls_hit(j, WEAK_SSLV2_EXPORT, j->basis, severity_of(j, WEAK_SSLV2_EXPORT),
                    "the server has cipher kind %06x", a->kinds[i]);
}

static void judge_signs(struct judging *j)
{
    const struct tls_tuple *t = j->t;
    if (t->alert == (2 << 8 | ALERT_FALLBACK))
        tls_hit(j, WEAK_FALLBACK_REJECTED, BASIS_ATTEMPTED, severity_of(j, WEAK_FALLBACK_REJECTED),
                "inappropriate_fallback");
    if (t->signs & TLS_SIGN_HEARTBLEED_REPLY)
        tls_hit(j, WEAK_HEARTBLEED, BASIS_ACCEPTED, severity_of(j, WEAK_HEARTBLEED),
                "the server answered");
    else if (t->signs & TLS_SIGN_HEARTBLEED_REQUEST)
        tls_hit(j, WEAK_HEARTBLEED, BASIS_ATTEMPTED, severity_of(j, WEAK_HEARTBLEED),
                "no answer was seen");
}

/* No session at all: clear text where TLS belongs. */
static void judge_clear(struct judging *j)
{
    const struct tls_tuple *t = j->t;
    if (t->signs & TLS_SIGN_HTTP_LOGIN)
        tls_hit(j, WEAK_HTTP_LOGIN, BASIS_ACCEPTED, severity_of(j, WEAK_HTTP_LOGIN),
                "credentials in a request");
    else if (t->via == VIA_HTTP)
        tls_hit(j, WEAK_HTTP_ON_443, BASIS_ACCEPTED, severity_of(j, WEAK_HTTP_ON_443), "port %u",
                t->port);
    else
        tls_hit(j, WEAK_PLAINTEXT_AFTER_STARTTLS, BASIS_ACCEPTED,
                severity_of(j, WEAK_PLAINTEXT_AFTER_STARTTLS), "%s",
                t->via < VIA_N && tls_via_names[t->via] != NULL ? tls_via_names[t->via] : "");
}

/* ---- the whole */

static enum cert_state cert_state(const struct judging *j)
{
    const struct tls_tuple *t = j->t;
    if (j->rank == RANK_TLS13)
        return CERTS_NOT_VISIBLE;
    if (t->n_certs > 0 && t->certs[0] != NULL && (t->certs[0]->flags & CERT_UNREADABLE) == 0)
        return CERTS_SEEN;
    return t->resumed ? CERTS_RESUMED : CERTS_NOT_SEEN;
}

static enum unknown_reason unknown(const struct judging *j)
{
    const struct tls_tuple *t = j->t;
    if (t->version == 0)
        return t->handshake_seen ? UNKNOWN_UNDECIDED : UNKNOWN_PARTIAL;
    if (j->rank == 0)
        return UNKNOWN_VERSION;
    if (j->suite == NULL)
        return UNKNOWN_SUITE;
    if (t->outcome != TLS_ESTABLISHED)
        return UNKNOWN_UNDECIDED;
    if (t->offer == NULL)
        return UNKNOWN_NO_HELLO;
    if (j->rank == RANK_TLS13)
        return UNKNOWN_NONE;
    if (t->answer == NULL || (t->answer->flags & ANSWER_CUT) != 0)
        return UNKNOWN_NO_ANSWER;
    bool none_due = j->suite->auth == AUTH_ANON || j->suite->auth == AUTH_PSK;
    return none_due || cert_state(j) == CERTS_SEEN ? UNKNOWN_NONE : UNKNOWN_NO_CERTS;
}

static uint8_t basis_of(const struct tls_tuple *t)
{
    if (t->version == 0)
        return BASIS_RECORD_VERSION;
    if (t->outcome == TLS_ESTABLISHED)
        return BASIS_ACCEPTED;
    return t->outcome == TLS_REFUSED || t->outcome == TLS_RESET ? BASIS_ATTEMPTED
                                                                : BASIS_NEGOTIATED;
}

void tls_rules_alike(const struct tls_policy *p, const struct tls_tuple *t, struct tls_verdict *v)
{
    uint16_t version = t->version != 0 ? t->version : t->record_version;
    struct judging j = {.p = p, .t = t, .v = v, .rank = tls_version_rank(version)};
    bool failed = t->outcome == TLS_REFUSED || t->outcome == TLS_RESET;
    v->n = 0;
    v->worst = SEVERITY_OFF;
    v->reason = UNKNOWN_NONE;
    j.basis = basis_of(t);
    if (t->version != 0 && j.rank != RANK_SSL2)
        j.suite = suite_of(t->cipher);
    if (t->outcome == TLS_CLEAR) {
        judge_clear(&j);
        v->judgement = JUDGED_UNKNOWN;
        v->reason = UNKNOWN_PARTIAL;
        v->certs = CERTS_NOT_SEEN;
        return;
    }
    /* a record's version does not tell 1.3 from 1.2, and of a session that never was it tells
     * nothing */
    if (t->version != 0 || !failed)
        judge_version(&j);
    if (t->version != 0) {
        judge_suite(&j);
        judge_group(&j);
        judge_answer(&j);
        tls_judge_certs(&j);
    }
    judge_signs(&j);
    tls_judge_offer(&j);
    v->certs = (uint8_t)cert_state(&j);
    if (t->version == 0)
        v->certs = CERTS_NOT_SEEN;
    if (failed) {
        v->judgement = JUDGED_FAILED;
    } else if (v->worst >= p->weak_from && v->worst > SEVERITY_OFF) {
        v->judgement = JUDGED_WEAK;
    } else {
        v->reason = (uint8_t)unknown(&j);
        v->judgement = v->reason != UNKNOWN_NONE ? JUDGED_UNKNOWN : JUDGED_CLEAN;
    }
}

bool tls_rules_name(const struct tls_policy *p, const struct tls_tuple *t, struct tls_hit *h)
{
    struct tls_verdict v; /* large, and nearly all of it unused */
    struct judging j = {.p = p, .t = t, .v = &v, .basis = basis_of(t)};
    v.n = 0;
    v.worst = SEVERITY_OFF;
    if (t->version != 0 && t->outcome != TLS_CLEAR
        && p->severity[WEAK_CERT_NAME_MISMATCH] > SEVERITY_OFF)
        tls_judge_name(&j);
    if (v.n > 0)
        *h = v.hits[0];
    return v.n > 0;
}

bool tls_rules_weakens(const struct tls_policy *p, uint8_t judgement, uint8_t basis,
                       uint8_t severity)
{
    return judgement != JUDGED_FAILED && basis_of_session((enum basis)basis)
           && severity >= p->weak_from;
}

void tls_rules_judge(const struct tls_policy *p, const struct tls_tuple *t, struct tls_verdict *v)
{
    struct tls_hit h;
    tls_rules_alike(p, t, v);
    if (!tls_rules_name(p, t, &h))
        return;
    v->hits[v->n++] = h;
    if (basis_of_session((enum basis)h.basis) && h.severity > v->worst)
        v->worst = h.severity;
    if (tls_rules_weakens(p, v->judgement, h.basis, h.severity)) {
        v->judgement = JUDGED_WEAK;
        v->reason = UNKNOWN_NONE;
    }
}
