/* The totals object: `replay --json`, `show --json`, and the body of a segment's totals row. */
#pragma once
#include "core/text.h"
#include "summary/window.h"

/* Borrowed texts, "" where empty. */
struct totals_device {
    const char *product, *firmware, *customer;
};

struct totals_extra {
    const char *captures_json; /* value of "captures", or NULL: leave it out */
    uint64_t gateways, hosts;  /* distinct over all windows */
    bool has_clients;          /* write them */
    /* For the table: who a client known by its address was, as the bindings tell; NULL: nobody asks. Fills `text` (at least 32
     * bytes), "" where nothing is known. */
    void (*who)(const void *ctx, const struct client *client, uint64_t first_ns, uint64_t last_ns,
                char text[static 32]);
    const void *who_ctx;
    /* Likewise what a TLS client is: a number that is equal for equal types, 0: unknown; and its text. */
    unsigned (*type_of)(void *ctx, const struct row_tls *row);
    const char *(*type_text)(void *ctx, unsigned type);
    void *type_ctx;
    /* And what the inventory says of a client; false: nothing. */
    bool (*device)(const void *ctx, const struct client *client, uint64_t first_ns, uint64_t last_ns,
                   struct totals_device *device);
    const void *device_ctx;
};

/* Writes `"packets":{...},"ip":{...},...` (members without the outer braces) of `w`. `out` ends within the
 * object: a comma is written first where it does not end in its brace. */
void totals_members(struct window *w, struct text_sink *out);

/* The whole contract object "tellscope.totals.v1", one line. */
void totals_json(struct window *w, const struct totals_extra *x, struct text_sink *out);
