/* Captures one by one, each with its own output, so that a batch can be stopped and taken up again.
 */
#pragma once
#include "cli/run.h"

struct batch_result {
    size_t done, skipped, damaged, failed; /* damaged: done or skipped all the same */
    uint64_t read, lost;                   /* packets of those that were done now */
    bool interrupted;
    bool fails; /* a capture shows what --fail-on asks for */
};

/* Runs `o` over each path by itself: segments into o->dir/NAME-SHA256[0..12]/, and a line a capture
 * into o->dir/captures.ndjson (sha256, configuration, release, packets, time span, gateways, error,
 * segments). A capture of the same name and content as one before it in the run shares its folder.
 * With `resume`, a capture whose line for the same content, configuration and release is
 * there, and whose directory exists, is skipped. */
MUST_CHECK bool batch_run(const struct run_options *o, const struct paths *paths, bool resume,
                          struct batch_result *b, struct err *e);
