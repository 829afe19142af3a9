/* Which gateway an address was: the firmware's own calls in clear HTTP name its MAC (bindings), and
 * readers join that with rows whose client is known by address only. Joined by time, over
 * everything that was read; what conflicts is said to be ambiguous, never guessed. */
#pragma once
#include "summary/window.h"

struct identities;

enum identity { IDENTITY_NONE, IDENTITY_ONE, IDENTITY_AMBIGUOUS };

/* Collects the bindings of `w`. The caller ends it with identities_free. */
MUST_CHECK bool identities_new(struct identities **ids, struct window *w, struct err *e);
void identities_free(struct identities *ids);

/* Who was `client` (by address) from `first_ns` to `last_ns`? A binding holds until another MAC is
 * told for the same address of the same site: so the answer is one MAC where the bindings before,
 * within and after that time all name it. Fills `mac` on IDENTITY_ONE. */
enum identity identity_of(const struct identities *ids, const struct client *client,
                          uint64_t first_ns, uint64_t last_ns, uint8_t mac[static 6]);

/* How many gateways told their MAC from this address, at any time: behind one public address there
 * may be several. Counts to IDENTITIES_COUNT_MAX. */
enum { IDENTITIES_COUNT_MAX = 64 };
unsigned identities_count(const struct identities *ids, const struct client *client);
