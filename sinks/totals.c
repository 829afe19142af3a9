#include "sinks/totals.h"

#include "sinks/rowjson.h"

#include <stdlib.h>

void totals_members(struct window *w, struct text_sink *out)
{
    struct rowjson_cursor cursor = {0};
    struct rowjson_writer *r = malloc(sizeof *r);
    if (r == NULL) {
        out->failed = true;
        return;
    }
    rowjson_writer_init(r, w, out);
    r->numbers = true;
    (void)rowjson_totals(r, &cursor, SIZE_MAX);
    text_puts(out, ""); /* the row writer does without the NUL */
    free(r);
}

void totals_json(struct window *w, const struct totals_extra *x, struct text_sink *out)
{
    text_puts(out, "{\"schema\":\"tellscope.totals.v1\"");
    if (x->has_clients) {
        text_puts(out, ",\"gateways\":");
        text_u64(out, x->gateways);
        text_puts(out, ",\"hosts\":");
        text_u64(out, x->hosts);
    }
    totals_members(w, out);
    if (x->captures_json != NULL) {
        text_puts(out, ",\"captures\":");
        text_puts(out, x->captures_json);
    }
    text_puts(out, "}\n");
}
