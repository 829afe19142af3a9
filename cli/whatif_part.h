/* What the printers of whatif share. */
#pragma once
#include "cli/whatif.h"

/* Is it of a server that was asked for? */
bool whatif_wanted(const struct whatif_print *p, const struct whatif_line *l);

/* Lines of one server and type with one answer. */
struct whatif_group {
    const struct whatif_line *first;
    uint64_t sessions, failing; /* failing: sessions of clients that come to none today */
    struct client_counts clients;
    unsigned told;
};
/* The group that begins at line `*at`, which is moved behind it; false: there is none. */
bool whatif_group_next(const struct whatif_print *p, size_t *at, struct whatif_group *x);
