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
    struct rowtab table;
    struct strings strings;
};

bool offers_new(struct offers **out, uint64_t limit, uint32_t bytes, struct err *e)
{
    struct offers *o = calloc(1, sizeof *o);
    if (o == NULL) {
        err_set(e, "out of memory");
        return false;
    }
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

void offers_keep(struct offers *o, uint64_t id, struct bytes offer)
{
    uint64_t hash = hash_bytes(&id, sizeof id, 0);
    if (offer.len == 0 || rowtab_find(&o->table, rowtab_tag(hash), &id) != NULL
        || rowtab_refuses(&o->table, hash))
        return;
    struct kept *k = rowtab_insert(&o->table, rowtab_tag(hash), hash, &id, leaves, NULL);
    k->offer = strings_intern(&o->strings, offer.p, offer.len, strings_hash(offer.p, offer.len));
}

struct bytes offers_find(const struct offers *o, uint64_t id)
{
    const struct kept *k = rowtab_find(&o->table, rowtab_tag(hash_bytes(&id, sizeof id, 0)), &id);
    return k != NULL ? strings_get(&o->strings, k->offer) : (struct bytes){0};
}
