/* The rules about certificates. */
#include "core/text.h"
#include "enrich/tls_rules_part.h"

#include <string.h>
#include <strings.h>

bool tls_name_matches(const char *san, size_t san_len, const uint8_t *host, size_t host_len)
{
    const char *h = (const char *)host;
    if (host_len > 0 && h[host_len - 1] == '.')
        host_len--;
    if (san_len > 2 && san[0] == '*' && san[1] == '.') {
        const char *dot = memchr(h, '.', host_len);
        if (dot == NULL || dot == h)
            return false;
        host_len -= (size_t)(dot - h);
        return host_len == san_len - 1 && strncasecmp(dot, san + 1, host_len) == 0;
    }
    return host_len == san_len && strncasecmp(h, san, host_len) == 0;
}

/* NULL: none that could be read. */
static const struct cert *leaf_of(const struct tls_tuple *t)
{
    const struct cert *leaf = t->n_certs > 0 ? t->certs[0] : NULL;
    return leaf != NULL && (leaf->flags & CERT_UNREADABLE) == 0 ? leaf : NULL;
}

void tls_judge_name(struct judging *j)
{
    const struct tls_tuple *t = j->t;
    const struct cert *leaf = leaf_of(t);
    if (leaf == NULL)
        return;
    if ((t->signs & TLS_SIGN_ECH_OUTER) != 0) /* the name seen may be that of a front */
        return;
    if (t->name.len == 0 || (t->name_source != NAME_SNI && t->name_source != NAME_DNS)
        || (leaf->flags & CERT_CUT) != 0)
        return;
    for (unsigned i = 0; i < leaf->n_sans; i++)
        if (tls_name_matches(leaf->sans[i], leaf->san_len[i], t->name.p, t->name.len))
            return;
    tls_hit(j, WEAK_CERT_NAME_MISMATCH, j->basis, severity_of(j, WEAK_CERT_NAME_MISMATCH),
            "for %.*s%s, not %.*s%s",
            leaf->n_sans > 0 ? (int)leaf->san_len[0] < 60 ? leaf->san_len[0] : 60 : 8,
            leaf->n_sans > 0 ? leaf->sans[0] : "no names", leaf->n_sans > 1 ? " and others" : "",
            (int)(t->name.len < 60 ? t->name.len : 60), (const char *)t->name.p,
            t->name_source == NAME_DNS ? " (as DNS told)" : "");
}

enum { DAY_S = 86400 };

/* Times of the packets, not of a clock. */
enum tls_validity tls_rules_validity(const struct tls_tuple *t)
{
    const struct cert *leaf = leaf_of(t);
    int64_t first_s = (int64_t)(t->first_ns / 1000000000);
    int64_t last_s = (int64_t)(t->last_ns / 1000000000);
    if (leaf != NULL && leaf->not_after_s < last_s)
        return last_s - leaf->not_after_s <= DAY_S ? VALIDITY_EXPIRED_TODAY : VALIDITY_EXPIRED;
    if (leaf != NULL && leaf->not_before_s > first_s)
        return leaf->not_before_s - first_s <= DAY_S ? VALIDITY_NOT_YET_TODAY : VALIDITY_NOT_YET;
    return VALIDITY_GOOD;
}

static void judge_validity(struct judging *j, const struct cert *leaf)
{
    enum tls_validity validity = tls_rules_validity(j->t);
    struct text_sink when = {0};
    if (validity == VALIDITY_EXPIRED || validity == VALIDITY_EXPIRED_TODAY) {
        text_time(&when, leaf->not_after_s > 0 ? (uint64_t)leaf->not_after_s * 1000000000 : 0, 0);
        tls_hit(j, WEAK_CERT_EXPIRED, j->basis, severity_of(j, WEAK_CERT_EXPIRED), "since %s%s",
                when.p != NULL ? when.p : "",
                validity == VALIDITY_EXPIRED_TODAY ? ", within 24 h" : "");
    } else if (validity != VALIDITY_GOOD) {
        bool far = leaf->not_before_s > INT64_C(18000000000); /* past what 64 bits of ns hold */
        text_time(&when, far ? UINT64_MAX : (uint64_t)leaf->not_before_s * 1000000000, 0);
        tls_hit(j, WEAK_CERT_NOT_YET, j->basis, severity_of(j, WEAK_CERT_NOT_YET), "from %s%s",
                when.p != NULL ? when.p : "",
                validity == VALIDITY_NOT_YET_TODAY ? ", within 24 h" : "");
    }
    text_free(&when);
    int64_t days = (leaf->not_after_s - leaf->not_before_s) / 86400;
    if (days > (int64_t)j->p->certificate_days)
        tls_hit(j, WEAK_CERT_LONG, j->basis, severity_of(j, WEAK_CERT_LONG), "%lld days",
                (long long)days);
}

static void judge_chain(struct judging *j)
{
    for (unsigned i = 0; i < j->t->n_certs; i++) {
        const struct cert *c = j->t->certs[i];
        const char *which = i == 0 ? "leaf" : "issuer";
        if (c == NULL || (c->flags & CERT_UNREADABLE) != 0)
            continue;
        if (c->key == CERT_KEY_RSA && c->key_bits < j->p->rsa_bits)
            tls_hit(j, WEAK_CERT_RSA_SHORT, j->basis,
                    severity_of(j, WEAK_CERT_RSA_SHORT) + (c->key_bits < 1024), "%s: %u bits%s",
                    which, c->key_bits, c->flags & CERT_SMALL_EXPONENT ? ", small exponent" : "");
        if (c->flags & CERT_ROCA)
            tls_hit(j, WEAK_CERT_ROCA, j->basis, severity_of(j, WEAK_CERT_ROCA), "%s: %u bits",
                    which, c->key_bits);
        if (i > 0 && (c->flags & CERT_SELF_SIGNED) != 0)
            continue; /* a root: nobody believes it for its signature */
        if (c->signature_hash >= CERT_HASH_MD2 && c->signature_hash <= CERT_HASH_MD5)
            tls_hit(j, WEAK_CERT_SIG_MD5, j->basis, severity_of(j, WEAK_CERT_SIG_MD5), "%s: %s",
                    which, c->signature);
        if (c->signature_hash == CERT_HASH_SHA1)
            tls_hit(j, WEAK_CERT_SIG_SHA1, j->basis, severity_of(j, WEAK_CERT_SIG_SHA1), "%s: %s",
                    which, c->signature);
    }
}

/* Keys that are long enough: to be noted. */
static void judge_exponents(struct judging *j)
{
    unsigned severity = severity_of(j, WEAK_CERT_RSA_SHORT);
    for (unsigned i = 0; i < j->t->n_certs; i++) {
        const struct cert *c = j->t->certs[i];
        if (c != NULL && (c->flags & CERT_UNREADABLE) == 0 && c->key == CERT_KEY_RSA
            && c->flags & CERT_SMALL_EXPONENT)
            tls_hit(j, WEAK_CERT_RSA_SHORT, j->basis,
                    severity < SEVERITY_INFO ? severity : SEVERITY_INFO, "%s: small exponent",
                    i == 0 ? "leaf" : "issuer");
    }
}

void tls_judge_certs(struct judging *j)
{
    const struct cert *leaf = leaf_of(j->t);
    judge_chain(j);
    judge_exponents(j);
    if (leaf == NULL)
        return;
    judge_validity(j, leaf);
    if (leaf->flags & (CERT_SELF_SIGNED | CERT_SELF_ISSUED))
        tls_hit(j, WEAK_CERT_SELF_SIGNED, j->basis, severity_of(j, WEAK_CERT_SELF_SIGNED), "%s",
                leaf->flags & CERT_SELF_SIGNED ? "self-signed" : "self-issued");
}
