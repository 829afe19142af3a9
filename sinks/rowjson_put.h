/* Writing of rows, for rowjson_*.c and judged_json.c only.
 *
 * Rows are written by the million, so what writes a part of one writes at `p`, without looking, and
 * returns the end: rowjson_begin makes room for all that a row can hold, ROWJSON_ROOM, but for its
 * strings, which make room of their own (rowjson_more). */
#pragma once
#include "core/digits.h"
#include "sinks/rowjson.h"

enum {
    ROWJSON_ROOM = 64 << 10,
    ROWJSON_DISTINCT_MAX = 20 << 10, /* of the large shape */
    ROWJSON_OFFER_MAX = 12 << 10,    /* and of an answer */
    ROWJSON_CERT_MAX = 32 << 10,
};

/* Where to write; NULL where memory is out, which `t` remembers. */
static inline char *rowjson_begin(struct text_sink *t)
{
    text_reserve(t, ROWJSON_ROOM);
    return t->failed ? NULL : t->p + t->len;
}

static inline void rowjson_end(struct text_sink *t, const char *p)
{
    t->len = (size_t)(p - t->p);
}

/* Room for `n` bytes besides that of the row: returns `p`, moved with the text; NULL where memory
 * is out. The row is lost then, `p` stays good. */
static inline char *rowjson_more(struct text_sink *t, char *p, size_t n)
{
    if (t->cap - (size_t)(p - t->p) > n + ROWJSON_ROOM)
        return p;
    rowjson_end(t, p);
    text_reserve(t, n + ROWJSON_ROOM);
    return t->failed ? NULL : t->p + t->len;
}

static inline char *put(char *p, const void *bytes, size_t n)
{
    memcpy(p, bytes, n);
    return p + n;
}

static inline char *put_text(char *p, const char *s)
{
    return put(p, s, strlen(s));
}

static inline char *put_char(char *p, char c)
{
    *p = c;
    return p + 1;
}

/* The elements of a list or object, of which there is one at least, each end in a comma: the last
 * makes place for the bracket. */
static inline char *put_close(char *p, char bracket)
{
    p[-1] = bracket;
    return p;
}

/* A JSON integer: readers have 63 bits. */
static inline char *put_number(char *p, uint64_t v)
{
    return digits_u64(p, v <= INT64_MAX ? v : INT64_MAX);
}

/* `bytes` bytes in hex, behind "0x" or such a word, as a string. */
static inline char *put_hex(char *p, const char *before, uint64_t v, int bytes)
{
    return put_char(digits_hex(put_text(put_char(p, '"'), before), v, bytes), '"');
}

/* A JSON string (see rowjson.h) in at most ROWJSON_STRING_BYTES(len) bytes. */
#define ROWJSON_STRING_BYTES(len) (6 * (len) + 2)
char *rowjson_put_string(char *p, const void *bytes, size_t len);

/* What a field of the type F_SITE or F_CLIENT writes; a client up to three members, each with its
 * comma. */
char *rowjson_put_site(struct rowjson_writer *r, char *p, uint64_t site);
char *rowjson_put_client(struct rowjson_writer *r, char *p, const struct client *c);

/* ---- fields */

/* Makes fields[n] ready: it follows those before it in the object. */
void rowjson_field_init(struct rowjson_writer *r, struct rowjson_field fields[], unsigned n,
                        const struct field *f);
/* The most that rowjson_put_fields writes of it, but for strings. */
size_t rowjson_field_bytes(const struct field *f);

/* Writes those of the `n` fields of the row or struct at `base` that are not absent, as members of
 * the object that ends at `p`. */
char *rowjson_put_fields(struct rowjson_writer *r, char *p, const struct rowjson_field fields[],
                         unsigned n, const uint8_t *base, const struct distinct_shape *shape);
/* Begins the member of a field, opening and closing groups. */
char *rowjson_put_member(struct rowjson_writer *r, char *p, const struct rowjson_field *field);
/* Closes the group that is open. */
char *rowjson_put_group_end(struct rowjson_writer *r, char *p);
