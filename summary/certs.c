#include "summary/certs.h"

#include "core/cert.h"
#include "core/hash.h"
#include "summary/rowtab.h"
#include "summary/strings.h"

#include <stdlib.h>

enum { FACTS_BYTES = 1024 }; /* of address space for those of each */

struct kept {
    uint64_t id;
    uint32_t bytes, pad;
};

struct certs {
    struct rowtab table;
    struct strings ders;
};

struct cert_notes {
    struct rowtab table;
    struct strings facts;
    cert_facts_fn *read;
    uint8_t blob[CERT_BLOB_MAX];
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
        || !strings_new(&c->ders, config->limits.cert_bytes, e)) {
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
    free(c);
}

static void leaves(void *ctx, void *row)
{
    (void)ctx;
    (void)row;
}

static struct kept *find(const struct rowtab *t, uint64_t id)
{
    return rowtab_find(t, rowtab_tag(hash_bytes(&id, sizeof id, 0)), &id);
}

bool certs_keep(struct certs *c, uint64_t id, struct bytes der, bool again)
{
    struct kept *k = find(&c->table, id);
    if (k != NULL && again)
        return true;
    if (k != NULL) {
        struct bytes first = strings_get(&c->ders, k->bytes);
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
    k->bytes = bytes;
    return true;
}

struct bytes certs_der(const struct certs *c, uint64_t id)
{
    const struct kept *k = find(&c->table, id);
    return k == NULL ? (struct bytes){0} : strings_get(&c->ders, k->bytes);
}

bool cert_notes_new(struct cert_notes **out, const struct config *config, cert_facts_fn *read,
                    struct err *e)
{
    struct cert_notes *n = calloc(1, sizeof *n);
    uint32_t limit = (uint32_t)config->limits.certs;
    if (n == NULL) {
        err_set(e, "out of memory");
        return false;
    }
    n->read = read;
    if (!rowtab_new(&n->table, limit, sizeof(struct kept), offsetof(struct kept, id),
                    sizeof(uint64_t), ARENA_COLD, e)
        || !strings_new(&n->facts, (uint64_t)limit * FACTS_BYTES, e)) {
        cert_notes_free(n);
        return false;
    }
    *out = n;
    return true;
}

void cert_notes_free(struct cert_notes *n)
{
    if (n == NULL)
        return;
    rowtab_free(&n->table);
    strings_free(&n->facts);
    free(n);
}

struct bytes cert_notes_of(struct cert_notes *n, uint64_t id, struct bytes der)
{
    const struct kept *k = find(&n->table, id);
    if (k != NULL)
        return strings_get(&n->facts, k->bytes);
    uint32_t len = (uint32_t)n->read(der.p, der.len, n->blob);
    if (n->table.n == n->table.limit) {
        rowtab_clear(&n->table);
        strings_clear(&n->facts);
    }
    uint32_t bytes = strings_intern(&n->facts, n->blob, len, strings_hash(n->blob, len));
    if (bytes != 0) {
        uint64_t hash = hash_bytes(&id, sizeof id, 0);
        struct kept *made = rowtab_insert(&n->table, rowtab_tag(hash), hash, &id, leaves, NULL);
        made->bytes = bytes;
    }
    return (struct bytes){n->blob, len};
}
