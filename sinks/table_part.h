/* What the parts of the readable table share. */
#pragma once
#include "sinks/table.h"
#include "sinks/table_grid.h"

enum { TABLE_TOP = 20, TABLE_TEXT_MAX = 128 };

/* Rows of `kind` by `weight`, largest first, at most TABLE_TOP of those with a weight. Valid until
 * the next rows are asked for. */
struct table_top {
    const void *row[TABLE_TOP];
    uint64_t weight[TABLE_TOP];
    unsigned n;
    size_t of; /* how many there were */
};
void table_top_add(struct table_top *t, const void *row, uint64_t weight);
struct table_top table_top_rows(struct window *w, enum row_kind kind,
                                uint64_t (*weight)(const void *row));

/* "NTP peers (20 of 31)" and a newline. */
void table_title(struct text_sink *out, const char *title, const struct table_top *t);

/* The bucket in which the `permille`th value lies, as its bounds: "4..5 ms"; "-" where there is
 * none. */
const char *table_quantile(const struct window *w, const struct hist *h, unsigned permille,
                           char text[static TABLE_TEXT_MAX]);

void table_tls(struct window *w, struct text_sink *out);
