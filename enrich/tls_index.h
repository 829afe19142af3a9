/* The TLS rows of a window, each with all that belongs to it: the offer, the answer and the
 * certificates its ids stand for, the server and its name, who the client was.
 *
 * A session between two devices of ours has a row on each side; here it is an item once. Readers
 * that hold many segments merge them first: then names that were asked for in another window are
 * found. */
#pragma once
#include "core/finding.h"
#include "enrich/tls_rules.h"
#include "summary/window.h"

struct tls_index;

/* How types of clients are told: a number, equal for equal types (0: unknown), and its text, which
 * stays where it is. */
struct tls_typing {
    unsigned (*of)(void *ctx, const struct row_tls *row);
    const char *(*text)(void *ctx, unsigned type);
    void *ctx;
};

struct tls_item {
    const struct row_tls *row;
    struct bytes name;  /* of the server */
    struct bytes ja4;   /* of the client; absent: none */
    const char *type;   /* of the client; NULL: unknown, so its JA4 is its type */
    uint64_t name_word; /* how the name begins, in the order of names */
    unsigned type_id;
    uint32_t place;   /* places numbered in their order, from 1 on; 0: not yet */
    uint16_t version; /* of the row, which lies far away; likewise: */
    uint8_t outcome;
    uint8_t name_source;
};

/* Rows lie in the order in which they were made, items do not. */
static inline void tls_item_prefetch(const struct tls_item *item)
{
    __builtin_prefetch(item->row);
    __builtin_prefetch((const char *)item->row + 64);
    __builtin_prefetch((const char *)item->row + sizeof *item->row - 1);
}

/* Collects the rows of `w`, which must not change while the index lives; `typing` NULL: no type is
 * known. The caller ends it with tls_index_free. */
MUST_CHECK bool tls_index_new(struct tls_index **x, struct window *w,
                              const struct tls_typing *typing, struct err *e);
void tls_index_free(struct tls_index *x);

/* All items, sorted by their place, those of one in the order of their rows; they may be sorted
 * otherwise. */
struct tls_item *tls_index_items(struct tls_index *x, size_t *n);

/* Likewise what was no session: clear text where TLS belongs (TLS_CLEAR). A connection each of the
 * row's handshakes. */
struct tls_item *tls_index_clear(struct tls_index *x, size_t *n);

/* What a tuple is judged by. What `t` points to is valid until the next call. */
void tls_index_tuple(struct tls_index *x, const struct tls_item *item, struct tls_tuple *t);

/* The offer of a hello, valid until the next call for another one; NULL: not known. */
const struct offer *tls_index_offer(struct tls_index *x, uint64_t hello);

/* Gives an item the name of its server. */
void tls_item_name(struct tls_item *item, struct bytes name, enum name_source source);
/* How `n` bytes begin, as a number of the same order. */
uint64_t tls_item_word(const uint8_t *p, size_t n);

/* Sorts items of rows in their order by place, and numbers the places, so that nobody need look at
 * the rows again to compare them. */
MUST_CHECK bool tls_places_sort(struct tls_item items[], size_t n, struct err *e);

/* The server of an item, and order of servers: by site, device, address, port, carrier, name. */
void tls_item_service(const struct tls_item *item, struct service *s);
int tls_service_order(const struct service *a, const struct service *b);
int tls_item_service_order(const struct tls_item *a, const struct tls_item *b);

/* Order, within one index, of the places where the servers are: as tls_service_order of both, but
 * for names. Sorting asks this often, so no service is made of them. A server that is a device of
 * ours comes after those that are only an address. */
int tls_item_place_order(const struct tls_item *a, const struct tls_item *b);
/* Are both at one address and port of one site (or one device)? */
bool tls_item_same_place(const struct tls_item *a, const struct tls_item *b);

/* The client of an item: one of ours, or (by is BY_NONE) the address from outside that asked a
 * device of ours. */
void tls_item_client(const struct tls_item *item, struct client *c, struct addr *outside);
int tls_item_client_order(const struct tls_item *a, const struct tls_item *b);
/* Counts a client by its kind. */
void tls_item_count(const struct tls_item *item, struct client_counts *n);

/* The type of an item's client: where no table knows it "unknown:<JA4>", or "unknown:hello:<id>"
 * where it has none (SSLv2), or "unknown" without a hello. And order by it. */
void tls_item_type(const struct tls_item *item, char text[static CLIENT_TYPE_MAX]);
int tls_item_type_order(const struct tls_item *a, const struct tls_item *b);
/* Of one type, or with one hello: a JA4 tells apart whether a server was named, which one program
 * may do or not. */
bool tls_item_same_program(const struct tls_item *a, const struct tls_item *b);
