#include "summary/certs.h"

#include "core/hash.h"
#include "summary/names.h"
#include "summary/rowtab.h"
#include "summary/strings.h"

#include <stdlib.h>

enum { FACTS_BYTES = 1024 }; /* of address space for those of each */

struct kept {
    uint64_t id;
    uint32_t bytes, pad;
};

struct certs {
    uint64_t seed; /* of the rows' hashes: so those stay whose rows stay */
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
    c->seed = config->seed;
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

static struct kept *find(const struct rowtab *t, uint64_t id, uint64_t seed)
{
    return rowtab_find(t, rowtab_tag(hash_bytes(&id, sizeof id, seed)), &id);
}

bool certs_keep(struct certs *c, uint64_t id, struct bytes der, bool again)
{
    struct kept *k = find(&c->table, id, c->seed);
    if (k != NULL && again)
        return true;
    if (k != NULL) {
        struct bytes first = strings_get(&c->ders, k->bytes);
        return first.len == der.len && memcmp(first.p, der.p, der.len) == 0;
    }
    uint64_t hash = hash_bytes(&id, sizeof id, c->seed);
    bool full = c->table.n == c->table.limit;
    if (full && rowtab_refuses(&c->table, hash))
        return false;
    /* its id is as good a hash of its bytes as any, and 0 says that there are none */
    uint32_t bytes = strings_intern(&c->ders, der.p, der.len, id | 1);
    if (bytes == 0)
        return false;
    k = rowtab_insert(&c->table, rowtab_tag(hash), hash, &id, leaves, NULL);
    k->bytes = bytes;
    return !full;
}

struct bytes certs_der(const struct certs *c, uint64_t id)
{
    const struct kept *k = find(&c->table, id, c->seed);
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
    const struct kept *k = find(&n->table, id, 0);
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

/* A name by the policy: at its place, as it stands or hashed. Returns its length, 0 where it is
 * left out. */
static size_t name_put(const struct config *config, char *to, const char *name, size_t len)
{
    char text[NAME_MAX_TEXT];
    char plain[NAME_MAX_TEXT];
    struct bytes b = {(const uint8_t *)name, (uint32_t)len};
    uint32_t n = name_apply(config, b, false, text);
    bool kept = n > 0 && n == name_clean(b, false, plain) && memcmp(text, plain, n) == 0;
    size_t put = kept ? len : n;
    memmove(to, kept ? name : text, put);
    return put;
}

struct bytes cert_facts_named(const struct config *config, struct bytes facts,
                              uint8_t blob[static CERT_BLOB_MAX])
{
    struct cert c;
    if (config->names == NAMES_KEEP || !cert_read(facts.p, facts.len, &c))
        return facts;
    if (c.flags & CERT_SELF_ISSUED)
        c.issuer_len = (uint16_t)name_put(config, c.issuer, c.issuer, c.issuer_len);
    c.subject_len = (uint16_t)name_put(config, c.subject, c.subject, c.subject_len);
    uint8_t n = 0;
    for (unsigned i = 0; i < c.n_sans; i++) {
        bool wildcard = c.san_len[i] > 0 && c.sans[i][0] == '*';
        size_t len = name_put(config, c.sans[n], c.sans[i], c.san_len[i]);
        if (len == 0 || (wildcard && c.sans[n][0] != '*'))
            c.flags |= CERT_CUT;
        c.san_len[n] = (uint8_t)len;
        n += len > 0;
    }
    c.n_sans = n;
    return (struct bytes){blob, (uint32_t)cert_write(&c, blob)};
}
