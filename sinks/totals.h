/* The totals object: `replay --json`, `show --json`, and the body of a segment's totals row. */
#pragma once
#include "core/finding.h"
#include "core/text.h"
#include "summary/window.h"

/* Borrowed texts, "" where empty. */
struct totals_device {
    const char *product, *firmware, *customer;
};

/* Judged sessions, as reports show them (enrich/tls_judge.h makes it). */
struct tls_report {
    const char *policy, *policy_hash;
    const uint64_t *weak; /* [WEAK_N]: sessions by class */
    const struct finding *findings;
    size_t n_findings;
    const struct judged_server *servers;
    size_t n_servers;
    uint64_t sessions;
    const uint64_t *judged;      /* [JUDGED_N] */
    const uint64_t *unknown;     /* [UNKNOWN_N] */
    const struct config *config; /* its migrations */
    const struct migration_user *users;
    size_t n_users;
    const struct assign_call *calls;
    size_t n_calls;
};

struct totals_extra {
    const char *captures_json; /* value of "captures", or NULL: leave it out */
    uint64_t gateways, hosts;  /* distinct over all windows */
    bool has_clients;          /* write them */
    /* For the table: who a client known by its address was, as the bindings tell; NULL: nobody
     * asks. Fills `text` (at least 32 bytes), "" where nothing is known. */
    void (*who)(const void *ctx, const struct client *client, uint64_t first_ns, uint64_t last_ns,
                char text[static 32]);
    const void *who_ctx;
    const struct tls_report *tls; /* what judgement says of TLS; NULL: nobody judged */
    /* Likewise what a TLS client is: a number that is equal for equal types, 0: unknown; and its
     * text. */
    unsigned (*type_of)(void *ctx, const struct row_tls *row);
    const char *(*type_text)(void *ctx, unsigned type);
    void *type_ctx;
    /* And what the inventory says of a client; false: nothing. */
    bool (*device)(const void *ctx, const struct client *client, uint64_t first_ns,
                   uint64_t last_ns, struct totals_device *device);
    const void *device_ctx;
};

/* Writes `"packets":{...},"ip":{...},...` (members without the outer braces) of `w`. `out` ends
 * within the object: a comma is written first where it does not end in its brace. */
void totals_members(struct window *w, struct text_sink *out);

/* The whole contract object "tellscope.totals.v1", one line. */
void totals_json(struct window *w, const struct totals_extra *x, struct text_sink *out);
