/* The segments that a command was given: found, checked against each other, read one by one. */
#pragma once
#include "core/config.h"
#include "ingest/paths.h"
#include "sinks/segment.h"

struct segment_item {
    const char *path; /* borrowed from `paths` */
    struct segment_head head;
    bool good; /* the head could be read */
};

struct segments {
    struct paths paths;
    struct segment_item *items;
    size_t n, n_good;
    size_t damaged, failed; /* said on stderr; the others are used */
    size_t twice;           /* segments that say what another one said: counted once */
    struct config config;   /* what windows for these segments need: their seed and limits */
    struct window *scratch;
    uint8_t (*seen)[32]; /* SHA-256 of the segments read */
    size_t n_seen;
};

/* Finds the segments: files as named, and "summary-*.ndjson.zst" below directories. Fails where two
 * of them cannot be merged (other configuration), or none is there. `command` begins the lines on
 * stderr. Ends with segments_free in either case. */
MUST_CHECK bool segments_open(struct segments *s, const char *command, char *const args[],
                              size_t n_args, struct err *e);
void segments_free(struct segments *s);

/* Start of the first and end of the last window. */
void segments_span(const struct segments *s, uint64_t *start_s, uint64_t *end_s);

/* Reads item `i` into s->scratch. A damaged segment is told on stderr, counted, and good no more.
 * Fails only without memory. */
MUST_CHECK bool segments_read(struct segments *s, const char *command, size_t i, uint8_t sha256[32],
                              struct err *e);

/* The same; *fresh where s->scratch holds it and no segment before said the same. */
MUST_CHECK bool segments_next(struct segments *s, const char *command, size_t i, bool *fresh,
                              struct err *e);

/* Adds item `i` to `into`, whose window contains it. A damaged segment is told on stderr, counted,
 * and adds nothing. Fails only without memory. */
MUST_CHECK bool segments_add(struct segments *s, const char *command, size_t i, struct window *into,
                             struct err *e);

/* Says on stderr how many segments were passed over because another one holds the same rows: two
 * captures may come to the same counters, and nobody should have to guess why a sum is smaller than
 * its parts. */
void segments_tell(const struct segments *s, const char *command);
