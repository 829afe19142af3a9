#include "enrich/inventory.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

enum { LINE_MAX_BYTES = 1024, FIELDS = 4, ENTRIES_MAX = 1 << 24 };

struct row {
    struct inventory_entry entry; /* first: found by it */
    size_t line;
};

struct inventory {
    struct row *rows; /* sorted by MAC */
    size_t n, cap;
};

static int by_mac(const void *a, const void *b)
{
    return memcmp(((const struct inventory_entry *)a)->mac,
                  ((const struct inventory_entry *)b)->mac, 6);
}

static int by_mac_and_line(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    int order = by_mac(x, y);
    return order != 0 ? order : (x->line > y->line) - (x->line < y->line);
}

/* One field, its quotes taken off, into `to`; moves *p behind it. */
static bool field(const char **p, char to[static LINE_MAX_BYTES], struct err *e)
{
    size_t n = 0;
    const char *c = *p;
    if (*c != '"') {
        for (; *c != ',' && *c != '\0'; c++) {
            if (*c == '"') {
                err_set(e, "a quote within a field; a field with quotes begins and ends with one");
                return false;
            }
            to[n++] = *c;
        }
    } else {
        for (c++; *c != '"' || c[1] == '"'; c++) {
            if (*c == '\0') {
                err_set(e, "a quote is not closed");
                return false;
            }
            c += *c == '"';
            to[n++] = *c;
        }
        c++;
        if (*c != ',' && *c != '\0') {
            err_set(e, "text behind a closing quote; a comma belongs there");
            return false;
        }
    }
    to[n] = '\0';
    *p = c;
    return true;
}

static bool mac_read(const char *text, uint8_t mac[static 6], struct err *e)
{
    size_t len = strlen(text);
    size_t step = len == 17 ? 3 : 2;
    bool ok = len == 17 || len == 12;
    for (size_t i = 0; ok && i < 6; i++) {
        const char *p = text + i * step;
        ok = isxdigit((unsigned char)p[0]) && isxdigit((unsigned char)p[1])
             && (step == 2 || i == 5 || (p[2] == text[2] && (p[2] == ':' || p[2] == '-')));
        if (ok)
            mac[i] = (uint8_t)strtoul((char[]){p[0], p[1], '\0'}, NULL, 16);
    }
    if (!ok)
        err_set(e, "\"%.40s\" is no MAC address; as ac:ca:54:00:70:15", text);
    return ok;
}

/* UTF-8 without control characters, C1 (U+0080 to U+009F) among them: it goes to terminals as it
 * is. */
static bool text_good(const char *text)
{
    for (const uint8_t *p = (const uint8_t *)text; *p != '\0'; p++) {
        unsigned more = *p < 0x80 ? 0 : *p < 0xe0 ? 1 : *p < 0xf0 ? 2 : 3;
        if (*p < 0x20 || *p == 0x7f || (*p >= 0x80 && *p < 0xc2) || *p > 0xf4
            || (*p == 0xc2 && p[1] < 0xa0))
            return false;
        for (; more > 0; more--)
            if ((*++p & 0xc0) != 0x80)
                return false;
    }
    return true;
}

static bool text_take(const char *name, const char *text, char to[static INVENTORY_TEXT_MAX],
                      struct err *e)
{
    size_t len = strlen(text);
    if (len >= INVENTORY_TEXT_MAX || !text_good(text)) {
        err_set(e, "%s does not fit; UTF-8 of at most %d bytes without control characters", name,
                INVENTORY_TEXT_MAX - 1);
        return false;
    }
    memcpy(to, text, len);
    return true;
}

static bool line_read(const char *line, struct inventory_entry *entry, struct err *e)
{
    static const char *const names[FIELDS] = {"the MAC", "customer", "product", "firmware"};
    char *const to[FIELDS] = {NULL, entry->customer, entry->product, entry->firmware};
    char text[LINE_MAX_BYTES];
    for (int i = 0; i < FIELDS; i++) {
        if (!field(&line, text, e))
            return false;
        if (i == 0 ? !mac_read(text, entry->mac, e) : !text_take(names[i], text, to[i], e))
            return false;
        if (*line != (i == FIELDS - 1 ? '\0' : ',')) {
            err_set(e, "%s fields than four; MAC,customer,product,firmware",
                    *line == ',' ? "more" : "fewer");
            return false;
        }
        line += *line == ',';
    }
    return true;
}

static bool row_add(struct inventory *inv, const struct inventory_entry *entry, size_t line,
                    struct err *e)
{
    if (inv->n == inv->cap) {
        size_t cap = inv->cap > 0 ? inv->cap * 2 : 256;
        struct row *rows = cap <= ENTRIES_MAX ? realloc(inv->rows, cap * sizeof *rows) : NULL;
        if (rows == NULL) {
            err_set(e, cap <= ENTRIES_MAX ? "out of memory" : "too many lines");
            return false;
        }
        inv->rows = rows;
        inv->cap = cap;
    }
    inv->rows[inv->n++] = (struct row){*entry, line};
    return true;
}

/* Reads up to the line's end, which is taken off. False at the end of the file, or where the line
 * is too long or holds a NUL (`e` set). */
static bool line_next(FILE *f, char line[static LINE_MAX_BYTES], struct err *e)
{
    size_t n = 0;
    int c;
    while ((c = getc(f)) != EOF && c != '\n') {
        if (n == LINE_MAX_BYTES - 1 || c == '\0') {
            err_set(e,
                    c == '\0' ? "a NUL byte; text only" : "the line is too long; at most %d bytes",
                    LINE_MAX_BYTES - 1);
            return false;
        }
        line[n++] = (char)c;
    }
    if (c == EOF && ferror(f))
        err_set(e, "%s", strerror(errno));
    n -= n > 0 && line[n - 1] == '\r';
    line[n] = '\0';
    return !(c == EOF && (n == 0 || ferror(f)));
}

static bool lines_read(struct inventory *inv, FILE *f, size_t *at, struct err *e)
{
    char line[LINE_MAX_BYTES];
    e->text[0] = '\0';
    for (*at = 1; line_next(f, line, e); ++*at) {
        struct inventory_entry entry = {0};
        const char *text = *at == 1 && strncmp(line, "\xef\xbb\xbf", 3) == 0 ? line + 3 : line;
        if (text[0] == '\0' || text[0] == '#')
            continue;
        if (*at == 1 && strcasecmp(text, "MAC,customer,product,firmware") == 0)
            continue;
        if (!line_read(text, &entry, e) || !row_add(inv, &entry, *at, e))
            return false;
    }
    if (e->text[0] != '\0')
        return false;
    if (inv->n > 1)
        qsort(inv->rows, inv->n, sizeof *inv->rows, by_mac_and_line);
    for (size_t i = 1; i < inv->n; i++)
        if (by_mac(&inv->rows[i - 1], &inv->rows[i]) == 0) {
            *at = inv->rows[i].line;
            err_set(e, "this MAC stands in line %zu already", inv->rows[i - 1].line);
            return false;
        }
    return true;
}

bool inventory_load(struct inventory **out, const char *path, struct err *e)
{
    size_t line;
    FILE *f = fopen(path, "rb");
    struct inventory *inv = calloc(1, sizeof *inv);
    bool ok = f != NULL && inv != NULL;
    if (!ok) {
        err_set(e, "%s", f == NULL ? strerror(errno) : "out of memory");
        (void)err_in(e, "%s", path);
    } else {
        ok = lines_read(inv, f, &line, e) || err_in(e, "%s:%zu", path, line);
    }
    if (f != NULL)
        fclose(f);
    if (ok)
        *out = inv;
    else
        inventory_free(inv);
    return ok;
}

void inventory_free(struct inventory *inv)
{
    if (inv == NULL)
        return;
    free(inv->rows);
    free(inv);
}

const struct inventory_entry *inventory_find(const struct inventory *inv,
                                             const uint8_t mac[static 6])
{
    struct inventory_entry want = {0};
    memcpy(want.mac, mac, sizeof want.mac);
    const struct row *row =
        inv->n > 0 ? bsearch(&want, inv->rows, inv->n, sizeof *inv->rows, by_mac) : NULL;
    return row != NULL ? &row->entry : NULL;
}

size_t inventory_n(const struct inventory *i)
{
    return i->n;
}

const struct inventory_entry *inventory_at(const struct inventory *i, size_t k)
{
    return &i->rows[k].entry;
}
