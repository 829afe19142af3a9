#include "sinks/totals.h"

#include "sinks/rowjson.h"

#include <inttypes.h>
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

static void weak_member(const uint64_t weak[], struct text_sink *out)
{
    const char *comma = "";
    text_puts(out, "\"weak\":{");
    for (int k = 0; k < WEAK_N; k++) {
        if (weak[k] == 0)
            continue;
        text_printf(out, "%s\"%s\":%" PRIu64, comma, weakness_names[k], weak[k]);
        comma = ",";
    }
    text_puts(out, "}");
}

/* The members, and what judgement adds to "tls". No quote stands within a name: they are escaped by
 * number. */
static void members_with_weak(struct window *w, const uint64_t weak[], struct text_sink *out)
{
    static const char begin[] = "\"tls\":{";
    struct text_sink members = {0};
    text_puts(&members, "{"); /* for its comma */
    totals_members(w, &members);
    const char *at = members.p != NULL ? strstr(members.p, begin) : NULL;
    out->failed = out->failed || members.failed;
    if (at != NULL) {
        size_t n = (size_t)(at - members.p) + sizeof begin - 1;
        text_puts(out, ",");
        text_put(out, members.p + 1, n - 1);
        weak_member(weak, out);
        text_puts(out, members.p[n] != '}' ? "," : "");
        text_put(out, members.p + n, members.len - n);
    } else if (!members.failed && members.len > 1) { /* no TLS: nothing can be weak */
        text_puts(out, ",");
        text_put(out, members.p + 1, members.len - 1);
    }
    text_free(&members);
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
    if (x->tls != NULL)
        members_with_weak(w, x->tls->weak, out);
    else
        totals_members(w, out);
    if (x->captures_json != NULL) {
        text_puts(out, ",\"captures\":");
        text_puts(out, x->captures_json);
    }
    text_puts(out, "}\n");
}
