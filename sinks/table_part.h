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

void table_tls(struct window *w, const struct totals_extra *x, struct text_sink *out);
void table_client_types(struct window *w, const struct totals_extra *x, struct text_sink *out);

/* What the TLS client of `row` is called: its type's text, "unknown:" and its JA4 (where it has
 * none, its hello id), "-" where no hello was seen. */
enum { TABLE_TYPE_MAX = 64 };
void table_type_text(const struct window *w, const struct totals_extra *x,
                     const struct row_tls *row, unsigned type, char text[static TABLE_TYPE_MAX]);

/* Weak versions: 4 SSLv2 (RFC 6176), 3 SSLv3 (RFC 7568), 2 TLS 1.0, 1 TLS 1.1 (RFC 8996), else 0.
 */
unsigned table_weakness(const struct row_tls *row);

/* By tls_version_rank of enrich/tls_policy.h. */
enum { TABLE_RANKS = 7 };
extern const char *const table_rank_names[TABLE_RANKS];

void table_migration(const struct tls_report *r, const struct totals_extra *x,
                     struct text_sink *out);
void table_weak(const struct tls_report *r, struct text_sink *out);
/* Three cells: who served, the port, the name and where it is from. */
void table_service(struct grid *g, const struct service *s);
