/* Text out: a growing buffer for the control path and for sinks. Never used on the packet path. */
#pragma once
#include "core/err.h"

struct text_sink {
    char *p; /* owned; NUL-terminated after every call, NULL before the first */
    size_t len, cap;
    bool failed; /* out of memory: later calls do nothing */
};

void text_free(struct text_sink *t);
void text_reserve(struct text_sink *t, size_t more);
void text_put(struct text_sink *t, const char *p, size_t len);
void text_puts(struct text_sink *t, const char *s);
void text_printf(struct text_sink *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void text_u64(struct text_sink *t, uint64_t v);
void text_i64(struct text_sink *t, int64_t v);
/* A JSON string, quotes included. Bytes that are no valid UTF-8 and control bytes are written as
 * \u00XX of the byte, so any bytes can be written; segments have a stricter form of their own
 * (sinks/rowjson.h). */
void text_json(struct text_sink *t, const void *p, size_t len);

/* "2018-02-28T12:00:00.000000Z" with `digits` (0, 6 or 9) fractional digits. */
void text_time(struct text_sink *t, uint64_t ts_ns, int digits);
/* "20180228T120000Z". */
void text_time_compact(struct text_sink *t, uint64_t ts_s);
