/* What a run or a set of segments adds up to, for people or as JSON. */
#pragma once
#include "cli/judge.h"
#include "cli/run.h"
#include "enrich/client_types.h"
#include "enrich/inventory.h"

#include <stdio.h>

/* What the reader knows from outside: the files that the configuration names. */
struct report_facts {
    struct client_types *types;  /* NULL: none */
    struct inventory *inventory; /* NULL: none */
};

/* Reads them, strictly; ends with report_facts_free in either case. */
MUST_CHECK bool report_facts_load(struct report_facts *f, const struct config *c, struct err *e);
void report_facts_free(struct report_facts *f);

enum report_as {
    REPORT_TABLE,
    REPORT_JSON,
    REPORT_UNKNOWN_CLIENTS,
    REPORT_UNKNOWN_CLIENTS_JSON,
    REPORT_FINDINGS,
    REPORT_FINDINGS_JSON
};

/* The table, or (json) the totals object of docs/manual.md with a line a capture; TLS is judged as
 * `judge` says, and *fails is set where --fail-on asks for it. `to` NULL: nothing is written. Fails
 * where `to` cannot be written. */
MUST_CHECK bool report_run(const struct config *c, const struct report_facts *f,
                           const struct run_result *r, const struct judge_options *judge, bool json,
                           FILE *to, bool *fails, struct err *e);

/* The same for a window that was read back, or what was found of TLS alone, or a ranking of its
 * unknown TLS clients (nothing is judged then). */
MUST_CHECK bool report_window(const struct config *c, struct window *w,
                              const struct report_facts *f, const struct totals_extra *x,
                              const struct judge_options *judge, enum report_as as, FILE *to,
                              bool *fails, struct err *e);

/* Fills the distinct gateways and hosts of `w`; `config` tells the scope it was made with. */
void report_clients(struct window *w, const struct config *config, struct totals_extra *x);
