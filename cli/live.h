/* A live run: ports in, segments out, until somebody stops it.
 *
 *     workers (live_worker.c)  ──windows──►  closer (live_closer.c)  ──segments──►  writer
 * (live_writer.c) one a queue             swapped       merges, clears           bounded judges,
 * writes, may wait
 *
 * and the control thread (live.c), which starts and stops them, keeps the clock, and counts
 * (live_count.c). */
#pragma once
#include "cli/judge.h"
#include "core/config.h"
#include "ingest/ports.h"

struct live_options {
    const struct config *config;
    const char *config_path; /* what SIGHUP reads again; NULL: nothing */
    const char *policy_path; /* likewise */
    const char *dir;         /* for segments; NULL: none are written */
    const char *bpf;         /* NULL: every packet */
    const struct judge_options *judge;
    const struct port_api *api;
    const char *const *eal; /* arguments behind "--" */
    unsigned n_eal;
    bool no_huge;
    bool quiet;              /* no status line */
    bool json;               /* the table of counters at the end as JSON */
    uint64_t duration_s;     /* 0: until stopped */
    uint64_t packets;        /* stop when so many were counted; 0: no */
    double max_loss_percent; /* negative: not asked for */
    const char *user;        /* who to be once ports are open; "": stay */
};

/* Runs. Complains on stderr, writes the table of counters to stdout, returns the exit status. */
int live_run(const struct live_options *o);
