/* What a run or a set of segments adds up to, for people or as JSON. */
#pragma once
#include "cli/run.h"

#include <stdio.h>

/* The table, or (json) the totals object of docs/manual.md with a line a capture. Fails where `to` cannot be written. */
MUST_CHECK bool report_run(const struct config *c, const struct run_result *r, bool json, FILE *to,
                           struct err *e);

/* The same for a window that was read back. */
MUST_CHECK bool report_window(struct window *w, const struct totals_extra *x, bool json, FILE *to,
                              struct err *e);

/* Fills the distinct gateways and hosts of `w`; `config` tells the scope it was made with. */
void report_clients(struct window *w, const struct config *config, struct totals_extra *x);
