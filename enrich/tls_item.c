/* Items of a window's TLS rows: their order, and what they tell of a server and a client. */
#include "enrich/tls_index.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static int number_order(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

int tls_item_place_order(const struct tls_item *x, const struct tls_item *y)
{
    const struct row_tls *a = x->row, *b = y->row;
    if (x->place != 0 && y->place != 0)
        return number_order(x->place, y->place);
    int d = number_order(a->key.client.site, b->key.client.site);
    if (d == 0)
        d = (a->key.role == ROLE_SERVER) - (b->key.role == ROLE_SERVER);
    if (d == 0 && a->key.role == ROLE_SERVER) {
        d = number_order(a->key.client.kind, b->key.client.kind);
        if (d == 0)
            d = number_order(a->key.client.by, b->key.client.by);
        if (d == 0)
            d = memcmp(a->key.client.id, b->key.client.id, sizeof a->key.client.id);
    } else if (d == 0) {
        d = memcmp(&a->key.peer, &b->key.peer, sizeof a->key.peer);
    }
    if (d == 0)
        d = number_order(a->key.port, b->key.port);
    return d != 0 ? d : number_order(a->key.carrier, b->key.carrier);
}

static int name_order(const struct bytes *a, const struct bytes *b)
{
    uint32_t least = a->len < b->len ? a->len : b->len;
    int d = least > 0 && a->p != b->p ? memcmp(a->p, b->p, least) : 0;
    return d != 0 ? d : number_order(a->len, b->len);
}

uint64_t tls_item_word(const uint8_t *p, size_t n)
{
    uint64_t word = 0;
    memcpy(&word, p, n < sizeof word ? n : sizeof word);
    return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? __builtin_bswap64(word) : word;
}

void tls_item_name(struct tls_item *item, struct bytes name, enum name_source source)
{
    item->name = source != NAME_NONE ? name : (struct bytes){0};
    item->name_source = (uint8_t)source;
    item->name_word = item->name.len > 0 ? tls_item_word(name.p, name.len) : 0;
}

bool tls_item_same_place(const struct tls_item *a, const struct tls_item *b)
{
    return tls_item_place_order(a, b) == 0;
}

void tls_item_service(const struct tls_item *item, struct service *s)
{
    const struct row_tls *r = item->row;
    *s = (struct service){.site = r->key.client.site,
                          .port = r->key.port,
                          .carrier = r->key.carrier,
                          .name = item->name,
                          .name_source = item->name_source};
    if (r->key.role == ROLE_SERVER)
        s->device = r->key.client;
    else
        s->addr = r->key.peer;
}

int tls_service_order(const struct service *a, const struct service *b)
{
    int d = number_order(a->site, b->site);
    if (d == 0)
        d = number_order(a->device.kind, b->device.kind);
    if (d == 0)
        d = number_order(a->device.by, b->device.by);
    if (d == 0)
        d = memcmp(a->device.id, b->device.id, sizeof a->device.id);
    if (d == 0)
        d = memcmp(&a->addr, &b->addr, sizeof a->addr);
    if (d == 0)
        d = number_order(a->port, b->port);
    if (d == 0)
        d = number_order(a->carrier, b->carrier);
    if (d == 0)
        d = name_order(&a->name, &b->name);
    return d != 0 ? d : number_order(a->name_source, b->name_source);
}

int tls_item_service_order(const struct tls_item *a, const struct tls_item *b)
{
    int d = tls_item_place_order(a, b);
    if (d == 0)
        d = number_order(a->name_word, b->name_word);
    if (d == 0)
        d = name_order(&a->name, &b->name);
    return d != 0 ? d : number_order(a->name_source, b->name_source);
}

void tls_item_client(const struct tls_item *item, struct client *c, struct addr *outside)
{
    const struct row_tls *r = item->row;
    *c = (struct client){.site = r->key.client.site};
    *outside = (struct addr){{0}};
    if (r->key.role == ROLE_CLIENT)
        *c = r->key.client;
    else
        *outside = r->key.peer;
}

int tls_item_client_order(const struct tls_item *a, const struct tls_item *b)
{
    const struct row_tls *x = a->row, *y = b->row;
    bool ours = x->key.role == ROLE_CLIENT;
    int d = number_order(x->key.client.site, y->key.client.site);
    if (d == 0)
        d = ours - (y->key.role == ROLE_CLIENT);
    if (d != 0 || !ours)
        return d != 0 ? d : memcmp(&x->key.peer, &y->key.peer, sizeof x->key.peer);
    d = number_order(x->key.client.kind, y->key.client.kind);
    if (d == 0)
        d = number_order(x->key.client.by, y->key.client.by);
    return d != 0 ? d : memcmp(x->key.client.id, y->key.client.id, sizeof x->key.client.id);
}

void tls_item_count(const struct tls_item *item, struct client_counts *n)
{
    bool ours = item->row->key.role == ROLE_CLIENT;
    uint8_t kind = item->row->key.client.kind;
    n->gateways += ours && kind == CLIENT_GATEWAY;
    n->hosts += ours && kind == CLIENT_HOST;
    n->others += !ours;
}

void tls_item_type(const struct tls_item *item, char text[static CLIENT_TYPE_MAX])
{
    static const char unknown[] = "unknown:";
    uint32_t room = CLIENT_TYPE_MAX - sizeof unknown;
    if (item->type != NULL) {
        snprintf(text, CLIENT_TYPE_MAX, "%s", item->type);
    } else if (item->ja4.len > 0) { /* nearly all: without printf */
        uint32_t n = (uint32_t)strnlen((const char *)item->ja4.p,
                                       item->ja4.len < room ? item->ja4.len : room);
        memcpy(text, unknown, sizeof unknown - 1);
        memcpy(text + sizeof unknown - 1, item->ja4.p, n);
        text[sizeof unknown - 1 + n] = '\0';
    } else if (item->row->key.hello == 0)
        snprintf(text, CLIENT_TYPE_MAX, "unknown");
    else
        snprintf(text, CLIENT_TYPE_MAX, "unknown:hello:%016" PRIx64, item->row->key.hello);
}

int tls_item_type_order(const struct tls_item *a, const struct tls_item *b)
{
    int d = (a->type_id > b->type_id) - (a->type_id < b->type_id);
    if (d == 0 && a->type_id == 0)
        d = name_order(&a->ja4, &b->ja4);
    return d != 0 || a->type_id != 0 || a->ja4.len > 0
               ? d
               : number_order(a->row->key.hello, b->row->key.hello);
}

bool tls_item_same_program(const struct tls_item *a, const struct tls_item *b)
{
    return tls_item_type_order(a, b) == 0
           || (a->row->key.hello != 0 && a->row->key.hello == b->row->key.hello);
}
