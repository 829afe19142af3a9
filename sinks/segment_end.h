/* The rows of a segment that are no rows of the summary, for its writer and its reader. */
#pragma once
#include "sinks/rowjson.h"
#include "sinks/segment.h"

extern const char *const segment_scope_names[2];  /* by enum scope */
extern const struct field segment_limit_fields[]; /* of struct segment_limits; ends with F_END */
enum { SEGMENT_LIMITS_N = sizeof(struct segment_limits) / sizeof(uint64_t) };

/* Writes `,"live":{...}`, nothing where `l` is no live run's; and reads the member's value. */
void segment_live_put(struct text_sink *t, const struct segment_live *l);
struct json_t;
MUST_CHECK bool segment_live_read(const struct json_t *v, struct segment_live *l, struct err *e);

/* What it says, but for the hash. */
struct segment_end {
    uint64_t rows[ROW_KIND_N + 3]; /* by enum row_kind (gateways for ROW_CLIENT), then: */
    uint64_t read, outcome[OUT_N], lost_packets;
};
enum { SEGMENT_END_HOSTS = ROW_KIND_N, SEGMENT_END_OTHER, SEGMENT_END_TOTALS, SEGMENT_END_N };

struct segment_end_format {
    const char *names[SEGMENT_END_N];
    struct field fields[5];
};
void segment_end_format(struct segment_end_format *f);

/* Copies the ledger's part of `t`. */
void segment_end_ledger(struct segment_end *end, const struct totals *t);

/* Where in `rows` a row of this kind counts. */
static inline unsigned segment_end_slot(enum row_kind kind, uint8_t client_kind)
{
    return kind == ROW_CLIENT && client_kind == CLIENT_HOST ? SEGMENT_END_HOSTS : (unsigned)kind;
}
