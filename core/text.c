#include "core/text.h"

#include "core/digits.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

void text_free(struct text_sink *t)
{
    free(t->p);
    *t = (struct text_sink){0};
}

void text_reserve(struct text_sink *t, size_t more)
{
    if (t->failed || t->cap - t->len > more) /* one byte over: the NUL */
        return;
    size_t cap = t->cap < 256 ? 256 : t->cap;
    while (cap - t->len <= more) {
        if (cap > SIZE_MAX / 2) {
            t->failed = true;
            return;
        }
        cap *= 2;
    }
    char *p = realloc(t->p, cap);
    if (p == NULL) {
        t->failed = true;
        return;
    }
    t->p = p;
    t->cap = cap;
}

void text_put(struct text_sink *t, const char *p, size_t len)
{
    text_reserve(t, len);
    if (t->failed)
        return;
    if (len > 0)
        memcpy(t->p + t->len, p, len);
    t->len += len;
    t->p[t->len] = '\0';
}

void text_puts(struct text_sink *t, const char *s)
{
    text_put(t, s, strlen(s));
}

void text_printf(struct text_sink *t, const char *fmt, ...)
{
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    if (n >= 0) {
        text_reserve(t, (size_t)n + 1);
        if (!t->failed) {
            vsnprintf(t->p + t->len, (size_t)n + 1, fmt, again);
            t->len += (size_t)n;
        }
    }
    va_end(again);
}

void text_u64(struct text_sink *t, uint64_t v)
{
    char digits[DIGITS_U64_MAX];
    text_put(t, digits, (size_t)(digits_u64(digits, v) - digits));
}

void text_i64(struct text_sink *t, int64_t v)
{
    if (v < 0)
        text_put(t, "-", 1);
    text_u64(t, v < 0 ? -(uint64_t)v : (uint64_t)v);
}

/* Length of the valid UTF-8 sequence at `p` (RFC 3629: no overlong forms, no surrogates), else 0.
 */
static size_t utf8_len(const uint8_t *p, size_t left)
{
    if (p[0] < 0x80)
        return 1;
    size_t n = p[0] >= 0xc2 && p[0] < 0xe0   ? 2
               : p[0] >= 0xe0 && p[0] < 0xf0 ? 3
               : p[0] >= 0xf0 && p[0] < 0xf5 ? 4
                                             : 0;
    if (n == 0 || n > left)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] >= 0xa0)
        || (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] >= 0x90))
        return 0;
    return n;
}

void text_json(struct text_sink *t, const void *bytes, size_t len)
{
    static const char hex[] = "0123456789abcdef";
    const uint8_t *p = bytes;
    text_put(t, "\"", 1);
    for (size_t i = 0; i < len;) {
        size_t run = i; /* plain bytes go out together */
        while (run < len && p[run] >= 0x20 && p[run] < 0x7f && p[run] != '"' && p[run] != '\\')
            run++;
        if (run > i) {
            text_put(t, (const char *)p + i, run - i);
            i = run;
            continue;
        }
        size_t n = utf8_len(p + i, len - i);
        if (p[i] == '"' || p[i] == '\\') {
            text_put(t, (char[]){'\\', (char)p[i]}, 2);
            i++;
        } else if (n > 1) {
            text_put(t, (const char *)p + i, n);
            i += n;
        } else {
            text_put(t, (char[]){'\\', 'u', '0', '0', hex[p[i] >> 4], hex[p[i] & 15]}, 6);
            i++;
        }
    }
    text_put(t, "\"", 1);
}

static struct tm utc(uint64_t s)
{
    time_t when = (time_t)s;
    struct tm tm = {0};
    gmtime_r(&when, &tm); /* a uint64 of nanoseconds ends in 2554: the year always fits */
    return tm;
}

void text_time(struct text_sink *t, uint64_t ts_ns, int digits)
{
    struct tm tm = utc(ts_ns / 1000000000);
    text_printf(t, "%04d-%02d-%02dT%02d:%02d:%02d", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
                tm.tm_hour, tm.tm_min, tm.tm_sec);
    if (digits == 6)
        text_printf(t, ".%06u", (unsigned)(ts_ns % 1000000000 / 1000));
    else if (digits == 9)
        text_printf(t, ".%09u", (unsigned)(ts_ns % 1000000000));
    text_puts(t, "Z");
}

void text_time_compact(struct text_sink *t, uint64_t ts_s)
{
    struct tm tm = utc(ts_s);
    text_printf(t, "%04d%02d%02dT%02d%02d%02dZ", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
                tm.tm_hour, tm.tm_min, tm.tm_sec);
}
