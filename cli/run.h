/* One run: captures in, segments and totals out. */
#pragma once
#include "cli/judge.h"
#include "cli/progress.h"
#include "core/config.h"
#include "core/text.h"
#include "ingest/paths.h"
#include "sinks/events.h"
#include "sinks/totals.h"

#include <stdatomic.h>

struct run_options {
    const struct config *config;
    const char *dir;  /* for segments and events; NULL: none are written */
    const char *bpf;  /* NULL: every packet */
    unsigned threads; /* that touch packets; 0 or 1: this one */
    unsigned events;  /* enum events_kinds; 0: none */
    bool force;       /* replace segments with other content */
    bool quiet;
    bool hash;                         /* SHA-256 of every capture */
    const struct judge_options *judge; /* for flags beside the segments */
};

/* What became of a capture. */
struct run_capture {
    const char *path; /* borrowed from the item */
    uint64_t packets, first_ns, last_ns;
    bool damaged, failed; /* damaged content; or the system refused */
    char error[512];      /* "" : none */
    bool has_offset;      /* damage was found at `offset` (of the uncompressed content) */
    uint64_t offset;
    uint8_t sha256[32]; /* with options.hash */
};

struct run_result {
    struct run_capture *captures; /* n, in the order given; owned */
    size_t n, damaged, failed;
    uint64_t packets;
    atomic_bool interrupted;
    struct window *all; /* all windows rolled into one, for reports; NULL where nothing was read */
    struct window *owned; /* the same, where it is not one of the pipeline's */
    struct pipeline *pipeline;
    struct runs *runs;
    struct text_sink segments; /* names of the files written, as JSON strings with commas between */
    uint64_t gateways, hosts;
    struct judge_sums sums; /* of `all`, where they are known already */
};

/* Reads all captures and writes what `o` asks for. A damaged capture gets a line on stderr and does
 * not stop the others. False where the run itself failed (exit 1). In either case the caller ends
 * `*r` with run_free. */
MUST_CHECK bool run_captures(const struct run_options *o, const struct path_item items[], size_t n,
                             struct run_result *r, struct err *e);
void run_free(struct run_result *r);
