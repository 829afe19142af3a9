/* Writing of rows, for rowjson_*.c only: text, members, values. */
#pragma once
#include "sinks/rowjson.h"

static const char hex_digits[] = "0123456789abcdef";

/* ---- Text. Rows are written by the million: these check for room and copy, no more. */

static inline bool room(struct text_sink *t, size_t n)
{
    if (t->cap - t->len <= n)
        text_reserve(t, n);
    return !t->failed;
}

static inline void put(struct text_sink *t, const void *p, size_t n)
{
    if (!room(t, n))
        return;
    memcpy(t->p + t->len, p, n);
    t->len += n;
}

static inline void put1(struct text_sink *t, char c)
{
    put(t, &c, 1);
}

static inline void puts_(struct text_sink *t, const char *s)
{
    put(t, s, strlen(s));
}

/* Two digits a step: times have 19, and a row has three of them. */
static inline void put_u64(struct text_sink *t, uint64_t v)
{
    static const char pairs[] =
        "00010203040506070809101112131415161718192021222324252627282930313233"
        "34353637383940414243444546474849505152535455565758596061626364656667"
        "6869707172737475767778798081828384858687888990919293949596979899";
    if (!room(t, 20))
        return;
    char digits[20], *p = digits + sizeof digits;
    while (v >= 100) {
        p -= 2;
        memcpy(p, pairs + 2 * (v % 100), 2);
        v /= 100;
    }
    if (v >= 10) {
        p -= 2;
        memcpy(p, pairs + 2 * v, 2);
    } else {
        *--p = (char)('0' + v);
    }
    size_t n = (size_t)(digits + sizeof digits - p);
    memcpy(t->p + t->len, p, n);
    t->len += n;
}

/* A JSON integer: readers have 63 bits. */
static inline void put_number(struct text_sink *t, uint64_t v)
{
    put_u64(t, v <= INT64_MAX ? v : INT64_MAX);
}

static inline size_t hex_text(char *to, uint64_t v, int digits)
{
    for (int i = 0; i < digits; i++)
        to[i] = hex_digits[v >> (4 * (digits - 1 - i)) & 15];
    return (size_t)digits;
}

static inline void put_hex(struct text_sink *t, uint64_t v, int digits)
{
    if (room(t, 16))
        t->len += hex_text(t->p + t->len, v, digits);
}

/* A comma, but for the first of an object or array. */
static inline void comma(struct text_sink *t)
{
    char last = t->len > 0 ? t->p[t->len - 1] : '{';
    if (last != '{' && last != '[')
        put1(t, ',');
}

static inline bool all_zero(const uint8_t *p, size_t n)
{
    uint8_t any = 0;
    for (size_t i = 0; i < n; i++)
        any |= p[i];
    return any == 0;
}

/* A number of 1, 2, 4 or 8 bytes. */
static inline uint64_t number_at(const void *p, size_t bytes)
{
    uint8_t v8;
    uint16_t v16;
    uint32_t v32;
    uint64_t v64;
    switch (bytes) {
    case 1:
        memcpy(&v8, p, 1);
        return v8;
    case 2:
        memcpy(&v16, p, 2);
        return v16;
    case 4:
        memcpy(&v32, p, 4);
        return v32;
    default:
        memcpy(&v64, p, 8);
        return v64;
    }
}

/* Begins the member of `f`, opening and closing the object it is in. */
void rowjson_member(struct rowjson_writer *r, const struct field *f, struct rowjson_name n);

/* Writes value field `f`, which lies at `at`; nothing where it is absent. */
void rowjson_put_value(struct rowjson_writer *r, const struct field *f, struct rowjson_name name,
                       const uint8_t *at, const struct distinct_shape *shape);
