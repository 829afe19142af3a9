/* Items sorted by place: by keys, as their rows lie far apart. */
#define _GNU_SOURCE /* qsort_r */
#include "core/arena.h"
#include "enrich/tls_index.h"

#include <stdlib.h>

/* What sorting by place looks at first: reading two rows for each comparison took ten times as
 * long. */
struct place_key {
    uint64_t word; /* in the order of places of one site, but equal for some that differ */
    uint32_t site; /* sites numbered in their order */
    uint32_t item;
};

static uint64_t place_word(const struct row_tls *r)
{
    const uint64_t half = UINT64_C(1) << 61;
    uint64_t high = tls_item_word(r->key.peer.b, 8), low = tls_item_word(r->key.peer.b + 8, 8);
    if (r->key.role == ROLE_SERVER)
        return UINT64_MAX;
    return high > 0 ? half + (high >> 3) : low < half ? low : half;
}

static int by_place_key(const void *x, const void *y, void *items)
{
    const struct place_key *a = x, *b = y;
    if (a->site != b->site)
        return a->site < b->site ? -1 : 1;
    if (a->word != b->word)
        return a->word < b->word ? -1 : 1;
    const struct tls_item *list = items;
    return tls_item_place_order(&list[a->item], &list[b->item]);
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

static void number(struct tls_item items[], size_t n)
{
    enum { AHEAD = 8 };
    uint32_t place = 1;
    for (size_t from = 0, to; from < n; from = to, place++) {
        for (to = from + 1; to < n && tls_item_same_place(&items[from], &items[to]); to++)
            tls_item_prefetch(&items[to + AHEAD < n ? to + AHEAD : to]);
        for (size_t i = from; i < to; i++)
            items[i].place = place;
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
        keys[i] = (struct place_key){place_word(r), site, (uint32_t)i};
    }
    if (n > 1)
        qsort_r(keys, n, sizeof *keys, by_place_key, items);
    items_move(items, keys, n);
    number(items, n);
    arena_free(keys, bytes);
    return true;
}
