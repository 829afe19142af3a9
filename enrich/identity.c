#include "enrich/identity.h"

#include <stdlib.h>

struct told {
    uint64_t site;
    struct addr addr;
    uint64_t first_ns, last_ns;
    uint8_t mac[6];
};

struct identities {
    struct told *told; /* sorted by site, address, time */
    size_t n;
};

static int same_place(const struct told *a, const struct told *b)
{
    if (a->site != b->site)
        return a->site < b->site ? -1 : 1;
    return memcmp(&a->addr, &b->addr, sizeof a->addr);
}

static int by_place_and_time(const void *x, const void *y)
{
    const struct told *a = x, *b = y;
    int order = same_place(a, b);
    return order != 0 ? order : (a->first_ns > b->first_ns) - (a->first_ns < b->first_ns);
}

bool identities_new(struct identities **out, struct window *w, struct err *e)
{
    size_t n;
    void *const *rows = window_rows(w, ROW_BINDING, &n);
    struct identities *ids = calloc(1, sizeof *ids);
    if (ids == NULL || (ids->told = calloc(n > 0 ? n : 1, sizeof *ids->told)) == NULL) {
        free(ids);
        err_set(e, "out of memory");
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        const struct row_binding *b = rows[i];
        if (b->key.kind != BIND_HTTP_ASSIGN && b->key.kind != BIND_HTTP_VERSIONS)
            continue;
        struct told *t = &ids->told[ids->n++];
        *t = (struct told){b->key.client.site, b->key.addr, b->first_ns, b->last_ns, {0}};
        memcpy(t->mac, b->key.mac, sizeof t->mac);
    }
    if (ids->n > 1)
        qsort(ids->told, ids->n, sizeof *ids->told, by_place_and_time);
    *out = ids;
    return true;
}

void identities_free(struct identities *ids)
{
    if (ids == NULL)
        return;
    free(ids->told);
    free(ids);
}

/* First of the bindings of this place. */
static size_t first_of(const struct identities *ids, const struct told *place)
{
    size_t low = 0, high = ids->n;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (same_place(&ids->told[mid], place) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

enum identity identity_of(const struct identities *ids, const struct client *client,
                          uint64_t first_ns, uint64_t last_ns, uint8_t mac[static 6])
{
    struct told place = {.site = client->site};
    if (client->by != BY_ADDR)
        return IDENTITY_NONE;
    memcpy(&place.addr, client->id, sizeof place.addr);
    const struct told *before = NULL, *after = NULL, *found = NULL;
    for (size_t i = first_of(ids, &place); i < ids->n && same_place(&ids->told[i], &place) == 0;
         i++) {
        const struct told *t = &ids->told[i];
        if (t->last_ns < first_ns) {
            before = before == NULL || t->last_ns >= before->last_ns ? t : before;
        } else if (t->first_ns > last_ns) {
            after = after == NULL ? t : after;
        } else {
            if (found != NULL && memcmp(found->mac, t->mac, sizeof t->mac) != 0)
                return IDENTITY_AMBIGUOUS;
            found = t;
        }
    }
    const struct told *near[] = {before, found, after};
    const struct told *one = NULL;
    for (int i = 0; i < 3; i++) {
        if (near[i] == NULL)
            continue;
        if (one != NULL && memcmp(one->mac, near[i]->mac, sizeof one->mac) != 0)
            return IDENTITY_AMBIGUOUS;
        one = near[i];
    }
    if (one == NULL)
        return IDENTITY_NONE;
    memcpy(mac, one->mac, sizeof one->mac);
    return IDENTITY_ONE;
}

unsigned identities_count(const struct identities *ids, const struct client *client)
{
    struct told place = {.site = client->site};
    unsigned n = 0;
    if (client->by != BY_ADDR)
        return 0;
    memcpy(&place.addr, client->id, sizeof place.addr);
    uint8_t macs[IDENTITIES_COUNT_MAX][6];
    for (size_t i = first_of(ids, &place);
         i < ids->n && n < IDENTITIES_COUNT_MAX && same_place(&ids->told[i], &place) == 0; i++) {
        unsigned k = 0;
        while (k < n && memcmp(macs[k], ids->told[i].mac, sizeof place.mac) != 0)
            k++;
        if (k == n)
            memcpy(macs[n++], ids->told[i].mac, sizeof place.mac);
    }
    return n;
}
