/* The readable summary on stdout: what a person wants to see first. */
#pragma once
#include "sinks/totals.h"

/* Appends packets and outcomes, protocols, and the foremost 20 gateways, NTP peers, resolvers and
 * TLS servers of `w`. Plain text; bytes of names that a terminal could act on are written as \xNN.
 */
void table_summary(struct window *w, const struct totals_extra *x, struct text_sink *out);

/* Of that, weak TLS and who still uses legacy servers; `x->tls` is there. */
void table_findings(const struct totals_extra *x, struct text_sink *out);

/* All TLS clients whose type is unknown, by sessions and then by how many devices they are on: a
 * table, or (json) one object "tellscope.unknown_clients.v1". */
void table_unknown_clients(struct window *w, const struct totals_extra *x, bool json,
                           struct text_sink *out);
