#include "sinks/table_grid.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

void grid_begin(struct grid *g, const char *align, const char *const heads[])
{
    *g = (struct grid){.align = align, .columns = (unsigned)strlen(align)};
    assert(g->columns <= GRID_COLUMNS);
    for (unsigned i = 0; i < g->columns; i++)
        grid_bytes(g, heads[i], strlen(heads[i]));
}

/* Columns of a terminal: characters, as far as one each. */
static unsigned wide(const char *cell)
{
    unsigned n = 0;
    for (; *cell != '\0'; cell++)
        n += ((uint8_t)*cell & 0xc0) != 0x80;
    return n;
}

static void cell_add(struct grid *g, const char *cell, size_t len)
{
    unsigned column = g->cells++ % g->columns, width = wide(cell);
    if (width > g->width[column])
        g->width[column] = width;
    text_put(&g->text, cell, len + 1);
}

void grid_bytes(struct grid *g, const void *p, size_t len)
{
    static const char hex[] = "0123456789abcdef";
    const uint8_t *b = p;
    char cell[GRID_CELL_MAX + 8];
    size_t n = 0;
    for (size_t i = 0; i < len && n <= GRID_CELL_MAX; i++) {
        if (b[i] >= 0x20 && b[i] < 0x7f) {
            cell[n++] = (char)b[i];
        } else {
            memcpy(cell + n, (char[]){'\\', 'x', hex[b[i] >> 4], hex[b[i] & 15]}, 4);
            n += 4;
        }
    }
    if (n > GRID_CELL_MAX) {
        n = GRID_CELL_MAX;
        memcpy(cell + n - 3, "...", 3);
    }
    cell[n] = '\0';
    cell_add(g, cell, n);
}

void grid_utf8(struct grid *g, const char *text)
{
    cell_add(g, text, strlen(text));
}

void grid_cell(struct grid *g, const char *fmt, ...)
{
    char cell[4 * GRID_CELL_MAX];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(cell, sizeof cell, fmt, args);
    va_end(args);
    grid_bytes(g, cell, n < 0 ? 0 : (size_t)n < sizeof cell ? (size_t)n : sizeof cell - 1);
}

void grid_end(struct grid *g, struct text_sink *out)
{
    const char *cell = g->text.p;
    assert(g->cells % g->columns == 0);
    if (g->text.failed)
        out->failed = true;
    for (unsigned i = 0; !g->text.failed && i < g->cells; i++) {
        unsigned column = i % g->columns, pad = g->width[column] - wide(cell);
        bool last = column + 1 == g->columns;
        text_puts(out, "  ");
        if (g->align[column] == 'r')
            text_printf(out, "%*s%s", (int)pad, "", cell);
        else
            text_printf(out, "%s%*s", cell, last ? 0 : (int)pad, "");
        if (last)
            text_puts(out, "\n");
        cell += strlen(cell) + 1;
    }
    text_free(&g->text);
}
