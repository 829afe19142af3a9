/* Items sorted by place: by keys, as their rows lie far apart. */
#define _GNU_SOURCE /* qsort_r */
#include "core/arena.h"
#include "enrich/tls_index.h"

#include <stdlib.h>

/* A place whose server is an address, whole; of others no more than that they come last. */
struct place_key {
    uint64_t high, low; /* of the address */
    uint32_t site;      /* sites numbered in their order; twice that, and 1 for other servers */
    uint32_t port;      /* and carrier */
    uint32_t item;
};

static struct place_key key_of(const struct row_tls *r, uint32_t site, uint32_t item)
{
    bool other = r->key.role == ROLE_SERVER;
    struct place_key k = {.site = 2 * site + other, .item = item};
    if (!other) {
        k.high = tls_item_word(r->key.peer.b, 8);
        k.low = tls_item_word(r->key.peer.b + 8, 8);
        k.port = (uint32_t)r->key.port << 8 | r->key.carrier;
    }
    return k;
}

static int number_order(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

static int place_order(const struct place_key *a, const struct place_key *b,
                       const struct tls_item items[])
{
    if (a->site != b->site)
        return number_order(a->site, b->site);
    if (a->site % 2 != 0)
        return tls_item_place_order(&items[a->item], &items[b->item]);
    if (a->high != b->high)
        return number_order(a->high, b->high);
    return a->low != b->low ? number_order(a->low, b->low) : number_order(a->port, b->port);
}

static int by_place_key(const void *x, const void *y, void *items)
{
    const struct place_key *a = x, *b = y;
    int d = place_order(a, b, items);
    return d != 0 ? d : number_order(a->item, b->item);
}

/* Numbers the places, from 1 on. An item has its number only when it has been compared with the
 * next one: until then by rows. */
static void number(struct tls_item items[], const struct place_key keys[], size_t n)
{
    uint32_t place = 1;
    for (size_t i = 0; i < n; i++) {
        bool last = i + 1 < n && place_order(&keys[i], &keys[i + 1], items) != 0;
        items[keys[i].item].place = place;
        place += last;
    }
}

/* Moves each item to where its key is, in place. */
static void items_move(struct tls_item items[], struct place_key keys[], size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct tls_item first = items[i];
        size_t at = i;
        for (uint32_t from; (from = keys[at].item) != i; at = from) {
            items[at] = items[from];
            keys[at].item = (uint32_t)at;
        }
        items[at] = first;
        keys[at].item = (uint32_t)at;
    }
}

bool tls_places_sort(struct tls_item items[], size_t n, struct err *e)
{
    size_t bytes = (n > 0 ? n : 1) * sizeof(struct place_key);
    struct place_key *keys = arena_new(bytes, ARENA_HOT, e);
    if (keys == NULL)
        return false;
    uint32_t site = 0;
    for (size_t i = 0; i < n; i++) {
        const struct row_tls *r = items[i].row;
        site += i > 0 && r->key.client.site != items[i - 1].row->key.client.site;
        keys[i] = key_of(r, site, (uint32_t)i);
    }
    if (n > 1)
        qsort_r(keys, n, sizeof *keys, by_place_key, items);
    number(items, keys, n);
    items_move(items, keys, n);
    arena_free(keys, bytes);
    return true;
}
