/* The rules about what a client is able to, chosen or not. */
#include "core/tls_names.h"
#include "enrich/tls_rules_part.h"

enum { EXT_EARLY_DATA = 42 };

/* ---- offers */

uint16_t tls_offer_max(const struct offer *o)
{
    uint16_t max = o->legacy_version;
    unsigned best = 0;
    for (unsigned i = 0; i < o->n_versions; i++) {
        unsigned rank = tls_version_rank(o->versions[i]);
        if (rank > best) {
            best = rank;
            max = o->versions[i];
        }
    }
    return max;
}

bool tls_offer_extension(const struct offer *o, uint16_t type)
{
    for (unsigned i = 0; i < o->n_extensions; i++)
        if (o->extensions[i] == type)
            return true;
    return false;
}

bool tls_offer_cipher(const struct offer *o, uint16_t code)
{
    for (unsigned i = 0; i < o->n_ciphers; i++)
        if (o->ciphers[i] == code)
            return true;
    return false;
}

/* Can it do TLS 1.2 or older? */
static bool offers_old(const struct offer *o)
{
    for (unsigned i = 0; i < o->n_versions; i++)
        if (tls_version_rank(o->versions[i]) <= RANK_TLS12)
            return true;
    return o->n_versions == 0;
}

/* ---- judged */

/* A suite that is offered and not chosen: no more than low. */
static void offered(struct judging *j, enum weakness rule, uint16_t cipher)
{
    char text[8];
    tls_hit_text(j, rule, BASIS_OFFERED, at_most(severity_of(j, rule), SEVERITY_LOW),
                 tls_suite_text(cipher, text));
}

static void judge_offered_suites(struct judging *j, const struct offer *o)
{
    for (unsigned i = 0; i < o->n_ciphers; i++) {
        const struct suite *s = suite_is_scsv(o->ciphers[i]) ? NULL : suite_of(o->ciphers[i]);
        if (s == NULL)
            continue;
        if (s->enc == ENC_NULL)
            offered(j, WEAK_NULL_ENC, s->code);
        if (s->auth == AUTH_ANON)
            offered(j, WEAK_ANON, s->code);
        if (s->flags & SUITE_EXPORT)
            offered(j, WEAK_EXPORT, s->code);
        if (s->enc == ENC_DES)
            offered(j, WEAK_SINGLE_DES, s->code);
        if (s->enc == ENC_RC4)
            offered(j, WEAK_RC4, s->code);
        if (suite_block64(s))
            offered(j, WEAK_SWEET32, s->code);
    }
}

void tls_judge_offer(struct judging *j)
{
    const struct offer *o = j->t->offer;
    char text[TLS_VERSION_TEXT_MAX];
    if (o == NULL)
        return;
    uint16_t max = tls_offer_max(o);
    unsigned rank = tls_version_rank(max);
    tls_version_text(max, text);
    if (o->flags & OFFER_SSLV2_FORMAT) {
        enum weakness rule = max == 0x0002 ? WEAK_SSLV2_OFFER : WEAK_SSLV2_COMPAT_HELLO;
        tls_hit_text(j, rule, BASIS_OFFERED, severity_of(j, rule), text);
    }
    for (unsigned i = 0; i < o->n_kinds; i++)
        if (o->kinds[i] == KIND_RC4_EXPORT || o->kinds[i] == KIND_RC2_EXPORT)
            tls_hit(j, WEAK_SSLV2_EXPORT, BASIS_OFFERED,
                    max == 0x0002 ? severity_of(j, WEAK_SSLV2_EXPORT)
                                  : at_most(severity_of(j, WEAK_SSLV2_EXPORT), SEVERITY_LOW),
                    "cipher kind %06x", o->kinds[i]);
    if (rank > RANK_SSL2 && offers_old(o) && !tls_offer_extension(o, EXT_RENEG_INFO)
        && !tls_offer_cipher(o, SCSV_RENEG))
        tls_hit_text(j, WEAK_CLIENT_NO_RENEG_INFO, BASIS_OFFERED,
                     severity_of(j, WEAK_CLIENT_NO_RENEG_INFO), text);
    if (rank > 0 && rank <= RANK_TLS11)
        tls_hit_text(j, WEAK_OLD_CLIENT, BASIS_OFFERED, severity_of(j, WEAK_OLD_CLIENT), text);
    if (tls_offer_extension(o, EXT_EARLY_DATA) || (j->t->signs & TLS_SIGN_EARLY_DATA) != 0)
        tls_hit_text(j, WEAK_EARLY_DATA, BASIS_OFFERED, severity_of(j, WEAK_EARLY_DATA), text);
    judge_offered_suites(j, o);
}
