/* What every ClientHello of the run offered, or what every server answered, by its id: a session
 * may be alive in windows long after its handshake was seen, and every id that a segment uses has
 * its row in it. One for all windows of a worker; bounded as the rows are. */
#pragma once
#include "core/config.h"
#include "core/msg.h"

struct offers;

/* For up to `limit` blobs of at most `bytes` bytes each. `seed`: that of the rows' hashes, so that
 * those stay whose rows stay. */
MUST_CHECK bool offers_new(struct offers **o, uint64_t limit, uint32_t bytes, uint64_t seed,
                           struct err *e);
void offers_free(struct offers *o);

/* Remembers an offer; at the limit those with the smallest hash. False where one is turned away:
 * this one, or one that was kept. */
MUST_CHECK bool offers_keep(struct offers *o, uint64_t id, struct bytes offer);

/* The offer of this id, or absent. */
struct bytes offers_find(const struct offers *o, uint64_t id);
