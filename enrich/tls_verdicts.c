#include "enrich/tls_verdicts.h"

#include "core/hash.h"

#include <stdlib.h>
#include <string.h>

/* All that tls_rules_alike asks of a tuple. */
struct key {
    uint64_t hello, answer;
    uint16_t version, cipher, group, record_version, alert, signs, port;
    uint8_t via, outcome, resumed, handshake_seen, volume, validity;
    uint8_t used, pad[3];
};
static_assert(sizeof(struct key) == 40, "without gaps: compared as bytes");

enum { KNOWN = 256 };

struct tls_verdicts {
    struct tls_verdict scratch;
    struct {
        struct key key;
        struct tls_known known;
    } list[KNOWN]; /* by the hash of the key: the newest */
};

bool tls_verdicts_new(struct tls_verdicts **v, struct err *e)
{
    *v = calloc(1, sizeof **v);
    if (*v == NULL)
        err_set(e, "out of memory");
    return *v != NULL;
}

void tls_verdicts_free(struct tls_verdicts *v)
{
    free(v);
}

static struct key key_of(const struct row_tls *row, const struct tls_tuple *t)
{
    return (struct key){.hello = row->key.hello,
                        .answer = row->key.answer,
                        .version = t->version,
                        .cipher = t->cipher,
                        .group = t->group,
                        .record_version = t->record_version,
                        .alert = t->alert,
                        .signs = t->signs,
                        .port = t->outcome == TLS_CLEAR ? t->port : 0,
                        .via = t->via,
                        .outcome = t->outcome,
                        .resumed = t->resumed,
                        .handshake_seen = t->handshake_seen,
                        .volume = (uint8_t)tls_rules_volume(t),
                        .validity = (uint8_t)tls_rules_validity(t),
                        .used = 1};
}

static bool learn(struct tls_known *to, const struct tls_verdict *v, struct keep *k)
{
    *to = (struct tls_known){
        .n = (uint8_t)v->n, .judgement = v->judgement, .reason = v->reason, .certs = v->certs};
    for (unsigned i = 0; i < v->n; i++) {
        const struct tls_hit *h = &v->hits[i];
        const char *detail = keep_text(k, h->detail, strlen(h->detail));
        if (detail == NULL)
            return false;
        to->hits[i] = (struct tls_found){detail, h->rule, h->basis, h->severity};
    }
    return true;
}

const struct tls_known *tls_verdicts_of(struct tls_verdicts *v, const struct tls_policy *p,
                                        struct keep *k, const struct row_tls *row,
                                        const struct tls_tuple *t)
{
    struct key key = key_of(row, t);
    size_t i = hash_bytes(&key, sizeof key, 0) % KNOWN;
    if (memcmp(&v->list[i].key, &key, sizeof key) == 0)
        return &v->list[i].known;
    tls_rules_alike(p, t, &v->scratch);
    v->list[i].key.used = 0; /* until it is whole */
    if (!learn(&v->list[i].known, &v->scratch, k))
        return NULL;
    v->list[i].key = key;
    return &v->list[i].known;
}
