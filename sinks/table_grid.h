/* Columns of text, as wide as they need to be. */
#pragma once
#include "core/text.h"

enum { GRID_COLUMNS = 16, GRID_CELL_MAX = 64 };

struct grid {
    struct text_sink
        text;          /* cells, each ended by a NUL, row after row; the heads are the first row */
    const char *align; /* a letter a column: 'l' or 'r' */
    unsigned columns, cells;
    unsigned width[GRID_COLUMNS];
};

/* `heads`: one a letter of `align`, which must outlive the grid. */
void grid_begin(struct grid *g, const char *align, const char *const heads[]);

/* The next cell. Unprintable bytes are escaped, long text is cut. */
void grid_cell(struct grid *g, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void grid_bytes(struct grid *g, const void *p, size_t len);
/* Text that is known to be UTF-8 without control characters, of at most GRID_CELL_MAX bytes: as it
 * is. */
void grid_utf8(struct grid *g, const char *text);

/* Writes what was gathered, indented by two, and frees. */
void grid_end(struct grid *g, struct text_sink *out);
