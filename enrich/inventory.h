/* Whose gateway is which: a CSV file (RFC 4180) of lines MAC,customer,product,firmware, joined by
 * readers only; no segment ever holds what it says.
 *
 * A first line "MAC,customer,product,firmware" is a heading. Empty lines, and lines that begin with
 * #, are passed over. A MAC is written as ac:ca:54:00:70:15, with dashes, or without. Fields may be
 * empty, stand in double quotes, and are UTF-8 of at most 63 bytes. */
#pragma once
#include "core/err.h"

enum { INVENTORY_TEXT_MAX = 64 };

struct inventory_entry {
    uint8_t mac[6];
    char customer[INVENTORY_TEXT_MAX], product[INVENTORY_TEXT_MAX], firmware[INVENTORY_TEXT_MAX];
};

struct inventory;

/* Strict: a line that is none, or a MAC that stands in two lines, is refused with "FILE:LINE: what
 * is wrong; what is allowed". The caller ends it with inventory_free. */
MUST_CHECK bool inventory_load(struct inventory **i, const char *path, struct err *e);
void inventory_free(struct inventory *i);

/* NULL: not there. */
const struct inventory_entry *inventory_find(const struct inventory *i,
                                             const uint8_t mac[static 6]);

/* All entries, by MAC. */
size_t inventory_n(const struct inventory *i);
const struct inventory_entry *inventory_at(const struct inventory *i, size_t k);
