/* Who still uses the servers that are to be given up (configuration: migration), and which gateways
 * ask for a server in clear HTTP. */
#pragma once
#include "enrich/tls_index.h"

struct migrations {
    struct migration_user *users; /* by migration, then client, then type */
    size_t n_users;
    struct assign_call *calls; /* by site, address, MAC, server */
    size_t n_calls;
};

/* Of the items of `x`, which it sorts, and the bindings of `w`. The caller ends it with
 * migrations_free, in either case. */
MUST_CHECK bool migrations_new(struct migrations *m, struct tls_index *x, struct window *w,
                               const struct config *config, struct err *e);
void migrations_free(struct migrations *m);

/* Is this the server's name, however it was told? Letters' case does not count. */
bool migration_is(const struct tls_item *item, const char *name);
