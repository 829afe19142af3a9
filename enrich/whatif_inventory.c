/* Which gateways of the inventory an answer says nothing about. */
#include "enrich/inventory.h"
#include "enrich/whatif_fleet.h"

#include <stdlib.h>

struct mac {
    uint8_t b[6];
};

static int by_bytes(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct mac));
}

/* MACs that rows of `w` name: of clients, and of what their firmware told. */
static struct mac *macs_of(struct window *w, size_t *n, struct err *e)
{
    size_t n_clients, n_bindings;
    void *const *rows = window_rows(w, ROW_CLIENT, &n_clients);
    struct mac *macs = malloc((n_clients + 1) * sizeof *macs);
    for (size_t i = 0; macs != NULL && i < n_clients; i++) {
        const struct client *c = &((const struct row_client *)rows[i])->key.client;
        if (c->by == BY_MAC)
            memcpy(macs[(*n)++].b, c->id, sizeof macs->b);
    }
    rows = window_rows(w, ROW_BINDING, &n_bindings);
    struct mac *more =
        macs != NULL ? realloc(macs, (n_clients + n_bindings + 1) * sizeof *macs) : NULL;
    if (more == NULL) {
        free(macs);
        err_set(e, "out of memory");
        return NULL;
    }
    for (size_t i = 0; i < n_bindings; i++) {
        const struct row_binding *b = rows[i];
        if (b->key.kind == BIND_HTTP_ASSIGN || b->key.kind == BIND_HTTP_VERSIONS)
            memcpy(more[(*n)++].b, b->key.mac, sizeof more->b);
    }
    return more;
}

bool whatif_never_seen(const struct inventory *i, struct window *w, size_t *n, struct err *e)
{
    size_t n_macs = 0;
    struct mac *macs = macs_of(w, &n_macs, e);
    *n = 0;
    if (macs == NULL)
        return false;
    if (n_macs > 1)
        qsort(macs, n_macs, sizeof *macs, by_bytes);
    for (size_t k = 0; k < inventory_n(i); k++)
        *n += n_macs == 0
              || bsearch(inventory_at(i, k)->mac, macs, n_macs, sizeof *macs, by_bytes) == NULL;
    free(macs);
    return true;
}
