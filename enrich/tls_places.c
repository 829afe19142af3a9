/* Items sorted by place. A window has many items and few places: so they are counted place by
 * place, and no more than the places are sorted. */
#define _GNU_SOURCE /* qsort_r */
#include "core/arena.h"
#include "core/hash.h"
#include "enrich/tls_index.h"

#include <stdlib.h>

/* A place whose server is an address, whole; of the others no more than that they come last. */
struct place_key {
    uint64_t high, low; /* of the address */
    uint32_t site;      /* sites numbered in their order; twice that, and 1 for other servers */
    uint32_t port;      /* and carrier */
};
struct place {
    struct place_key key;
    uint32_t item; /* one of it */
    uint32_t id;   /* places numbered as they were found */
};

struct sorting {
    struct tls_item *items;
    size_t n, mask;
    struct place *places; /* n of them at most */
    size_t n_places;
    uint32_t *slots; /* open addressing by the hash of the key: id + 1, 0 is free; then by id a
                        place's number */
    uint32_t *place; /* of each item its place's id, then where it goes */
    uint32_t *start; /* of each place where its items go */
    void *room;
    size_t room_bytes;
};

static struct place_key key_of(const struct row_tls *r, uint32_t site)
{
    bool other = r->key.role == ROLE_SERVER;
    struct place_key k = {.site = 2 * site + other};
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

static int by_place(const void *x, const void *y, void *items)
{
    const struct place *a = x, *b = y;
    const struct tls_item *list = items;
    if (a->key.site != b->key.site)
        return number_order(a->key.site, b->key.site);
    if (a->key.site % 2 != 0)
        return tls_item_place_order(&list[a->item], &list[b->item]);
    if (a->key.high != b->key.high)
        return number_order(a->key.high, b->key.high);
    return a->key.low != b->key.low ? number_order(a->key.low, b->key.low)
                                    : number_order(a->key.port, b->key.port);
}

/* The id of a place, which may be a new one. */
static uint32_t place_id(struct sorting *s, const struct place *p)
{
    size_t at = hash_bytes(&p->key, sizeof p->key, 0) & s->mask;
    for (; s->slots[at] != 0; at = (at + 1) & s->mask)
        if (by_place(&s->places[s->slots[at] - 1], p, s->items) == 0)
            return s->slots[at] - 1;
    uint32_t id = (uint32_t)s->n_places++;
    s->places[id] = *p;
    s->places[id].id = id;
    s->slots[at] = id + 1;
    return id;
}

static bool sorting_new(struct sorting *s, struct tls_item items[], size_t n, struct err *e)
{
    size_t slots = 64;
    while (slots < 2 * n)
        slots *= 2;
    *s = (struct sorting){.items = items, .n = n, .mask = slots - 1};
    s->room_bytes = (n + 1) * (sizeof *s->places + sizeof *s->place + sizeof *s->start)
                    + slots * sizeof *s->slots;
    s->room = arena_new(s->room_bytes, ARENA_HOT, e);
    if (s->room == NULL)
        return false;
    s->places = s->room;
    s->slots = (uint32_t *)(s->places + n + 1);
    s->place = s->slots + slots;
    s->start = s->place + n + 1;
    return true;
}

/* Moves each item to its place, in place. */
static void items_move(struct sorting *s)
{
    for (uint32_t i = 0; i < s->n; i++)
        while (s->place[i] != i) {
            uint32_t to = s->place[i];
            struct tls_item item = s->items[to];
            s->items[to] = s->items[i];
            s->items[i] = item;
            s->place[i] = s->place[to];
            s->place[to] = to;
        }
}

bool tls_places_sort(struct tls_item items[], size_t n, struct err *e)
{
    struct sorting s;
    if (!sorting_new(&s, items, n, e))
        return false;
    uint32_t site = 0, start = 0;
    for (uint32_t i = 0; i < n; i++) {
        const struct row_tls *r = items[i].row;
        site += i > 0 && r->key.client.site != items[i - 1].row->key.client.site;
        s.place[i] = place_id(&s, &(struct place){.key = key_of(r, site), .item = i});
        s.start[s.place[i]]++;
    }
    if (s.n_places > 1)
        qsort_r(s.places, s.n_places, sizeof *s.places, by_place, items);
    for (uint32_t k = 0; k < s.n_places; k++) {
        uint32_t id = s.places[k].id, count = s.start[id];
        s.start[id] = start;
        start += count;
        s.slots[id] = k + 1; /* there are no fewer slots than places */
    }
    for (uint32_t i = 0; i < n; i++) {
        uint32_t id = s.place[i];
        items[i].place = s.slots[id];
        s.place[i] = s.start[id]++;
    }
    items_move(&s);
    arena_free(s.room, s.room_bytes);
    return true;
}
