#include "summary/offers.h"

#include "core/hash.h"
#include "summary/rowtab.h"
#include "summary/strings.h"

#include <stdlib.h>

struct kept {
    uint64_t id;
    uint32_t offer, pad;
};

struct offers {
    uint64_t seed;
    struct rowtab table;
    struct strings strings;
};

bool offers_new(struct offers **out, uint64_t limit, uint32_t bytes, uint64_t seed, struct err *e)
{
    struct offers *o = calloc(1, sizeof *o);
    if (o == NULL) {
        err_set(e, "out of memory");
        return false;
    }
    o->seed = seed;
    if (!rowtab_new(&o->table, (uint32_t)limit, sizeof(struct kept), offsetof(struct kept, id),
                    sizeof(uint64_t), ARENA_COLD, e)
        || !strings_new(&o->strings, limit * bytes, e)) {
        offers_free(o);
        return false;
    }
    *out = o;
    return true;
}

void offers_free(struct offers *o)
{
    if (o == NULL)
        return;
    rowtab_free(&o->table);
    strings_free(&o->strings);
    free(o);
}

static void leaves(void *ctx, void *row)
{
    (void)ctx;
    (void)row;
}

bool offers_keep(struct offers *o, uint64_t id, struct bytes offer)
{
    uint64_t hash = hash_bytes(&id, sizeof id, o->seed);
    if (offer.len == 0 || rowtab_find(&o->table, rowtab_tag(hash), &id) != NULL)
        return true;
    bool full = o->table.n == o->table.limit;
    if (full && rowtab_refuses(&o->table, hash))
        return false;
    struct kept *k = rowtab_insert(&o->table, rowtab_tag(hash), hash, &id, leaves, NULL);
    k->offer = strings_intern(&o->strings, offer.p, offer.len, strings_hash(offer.p, offer.len));
    return !full && k->offer != 0;
}

struct bytes offers_find(const struct offers *o, uint64_t id)
{
    uint64_t hash = hash_bytes(&id, sizeof id, o->seed);
    const struct kept *k = rowtab_find(&o->table, rowtab_tag(hash), &id);
    return k != NULL ? strings_get(&o->strings, k->offer) : (struct bytes){0};
}
