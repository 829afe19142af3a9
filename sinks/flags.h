/* Flags segments: what enrich made of a summary segment, as NDJSON rows in zstd frames beside it.
 *
 * Rows: `segment` first, which names the summary by the SHA-256 of its rows, the policy by its
 * hash, and the release; `finding` and `judged` rows, each sorted by server, client type (and rule,
 * basis); `end` with row counts and the SHA-256 of all bytes before its line. A pure function of
 * these, remade at will. docs/flags.schema.json describes every row. */
#pragma once
#include "core/finding.h"
#include "sinks/segment.h"

#define FLAGS_SCHEMA "tellscope.flags.v1"

struct flags_head {
    char sensor[CONFIG_NAME_LEN];
    char release[32];
    uint64_t start_s, length_s;
    uint8_t summary_sha256[32];
    char policy[CONFIG_NAME_LEN], policy_hash[17];
};

struct flags {
    const struct finding *findings;
    size_t n_findings;
    const struct judged_server *servers;
    size_t n_servers;
};

/* The name of the flags of a summary: "summary-X" gives "flags-X" ("summary-X~2" "flags-X~2"), any
 * other name that of the head. */
void flags_name(const struct segment_head *h, const char *summary_path, char name[static 160]);

/* Writes DIR/NAME, whole or not at all. What stood there is replaced: flags may be remade at will.
 * `w` tells the names of sites. */
MUST_CHECK bool flags_write(const struct flags *f, const struct flags_head *h,
                            const struct window *w, const char *dir, const char *name,
                            const struct segment_options *o, struct err *e);
