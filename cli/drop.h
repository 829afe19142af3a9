/* Becoming a lesser user once what needs privileges is open. */
#pragma once
#include "core/config.h"

#include <sys/types.h>

struct drop {
    uid_t uid;
    gid_t gid;
    char name[CONFIG_NAME_LEN]; /* for the user's other groups; "": no other groups */
};

/* Finds "NAME" or "NAME:GROUP" (as config.live.user; not ""), each a name or a number. With a
 * GROUP, that is the only one; without, the user's groups of passwd(5) and group(5). root is
 * refused. To be called at the start, so that a wrong name is told before anything else is done. */
MUST_CHECK bool drop_find(const char *user, struct drop *d, struct err *e);

/* Sets PR_SET_NO_NEW_PRIVS, which threads inherit: to be called before any is started. */
MUST_CHECK bool drop_begin(struct err *e);

/* Becomes that user for good, and makes sure that there is no way back. All threads of the process
 * change user and lose their capabilities; the calling thread, and those it starts later, keep what
 * of `keep` (bit i: capability i of <linux/capability.h>) they have. Whoever is that user already
 * only loses capabilities, those of the calling thread. A failure leaves a process that must end.
 */
MUST_CHECK bool drop_now(const struct drop *d, uint64_t keep, struct err *e);
