#include "summary/certs.h"

#include "core/cert.h"
#include "core/hash.h"
#include "summary/rowtab.h"
#include "summary/strings.h"

#include <stdlib.h>

enum { FACTS_BYTES = 1024 }; /* of address space for those of each */

struct kept {
    uint64_t hash;
    uint64_t id;
    uint32_t der, facts;
};

struct certs {
    struct rowtab table;
    struct strings ders, facts;
};

bool certs_new(struct certs **out, const struct config *config, struct err *e)
{
    struct certs *c = calloc(1, sizeof *c);
    uint32_t limit = (uint32_t)config->limits.certs;
    if (c == NULL) {
        err_set(e, "out of memory");
        return false;
    }
    if (!rowtab_new(&c->table, limit, sizeof(struct kept), offsetof(struct kept, id),
                    sizeof(uint64_t), ARENA_COLD, e)
        || !strings_new(&c->ders, config->limits.cert_bytes, e)
        || !strings_new(&c->facts, (uint64_t)limit * FACTS_BYTES, e)) {
        certs_free(c);
        return false;
    }
    *out = c;
    return true;
}

void certs_free(struct certs *c)
{
    if (c == NULL)
        return;
    rowtab_free(&c->table);
    strings_free(&c->ders);
    strings_free(&c->facts);
    free(c);
}

static void leaves(void *ctx, void *row)
{
    (void)ctx;
    (void)row;
}

static struct kept *find(const struct certs *c, uint64_t id)
{
    return rowtab_find(&c->table, rowtab_tag(hash_bytes(&id, sizeof id, 0)), &id);
}

bool certs_keep(struct certs *c, uint64_t id, struct bytes der)
{
    struct kept *k = find(c, id);
    if (k != NULL) {
        struct bytes first = strings_get(&c->ders, k->der);
        return first.len == der.len && memcmp(first.p, der.p, der.len) == 0;
    }
    uint64_t hash = hash_bytes(&id, sizeof id, 0);
    if (rowtab_refuses(&c->table, hash))
        return false;
    /* its id is as good a hash of its bytes as any, and 0 says that there are none */
    uint32_t bytes = strings_intern(&c->ders, der.p, der.len, id | 1);
    if (bytes == 0)
        return false;
    k = rowtab_insert(&c->table, rowtab_tag(hash), hash, &id, leaves, NULL);
    k->der = bytes;
    k->facts = 0;
    return true;
}

struct bytes certs_der(const struct certs *c, uint64_t id)
{
    const struct kept *k = find(c, id);
    return k == NULL ? (struct bytes){0} : strings_get(&c->ders, k->der);
}

struct bytes certs_facts(struct certs *c, uint64_t id, cert_facts_fn *read)
{
    uint8_t blob[CERT_BLOB_MAX];
    struct kept *k = find(c, id);
    if (k == NULL)
        return (struct bytes){0};
    if (k->facts == 0) {
        struct bytes der = strings_get(&c->ders, k->der);
        uint32_t n = (uint32_t)read(der.p, der.len, blob);
        k->facts = strings_intern(&c->facts, blob, n, strings_hash(blob, n));
    }
    return strings_get(&c->facts, k->facts);
}
