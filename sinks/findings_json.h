/* Findings of all that was read, for programs. */
#pragma once
#include "sinks/totals.h"

/* One object "tellscope.findings.v1", a line: findings and judged sessions as flags segments have
 * them, who still uses a server that is to be given up, and gateways' calls in clear. `x->tls` is
 * there, with its configuration. */
void findings_json(const struct window *w, const struct totals_extra *x, struct text_sink *out);
