/* Printing of whatif: the table for people, a line a client for programs. For cli/cmd_whatif.c. */
#pragma once
#include "core/text.h"
#include "enrich/whatif_fleet.h"

struct whatif_print {
    const struct whatif_fleet *f;
    struct window *w;
    const struct tls_policy *policy;
    const char *server; /* only servers of this name or address; NULL: all */
    uint64_t start_s, end_s;
    size_t segments;
    bool has_inventory;
    size_t inventory, never_seen; /* gateways in the inventory; of them never seen */
};

/* What it rests on, then per server and client type how many would connect and with what, would
 * break and why, or cannot be told. */
void whatif_table(const struct whatif_print *p, struct text_sink *out);

/* The same for programs, as one object "tellscope.whatif.v1". */
void whatif_totals_json(const struct whatif_print *p, struct text_sink *out);

/* One line a client whose answer is `result`. */
void whatif_csv(const struct whatif_print *p, enum whatif_result result, struct text_sink *out);
void whatif_json(const struct whatif_print *p, enum whatif_result result, struct text_sink *out);
