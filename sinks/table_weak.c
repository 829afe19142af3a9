/* What judgement says of TLS: a line that tells how many sessions were judged how, and the
 * findings, worst first. */
#include "core/text.h"
#include "sinks/rowjson.h"
#include "sinks/table_part.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static const char *const judged_words[JUDGED_N] = {[JUDGED_WEAK] = "weak",
                                                   [JUDGED_CLEAN] = "clean",
                                                   [JUDGED_UNKNOWN] = "unknown",
                                                   [JUDGED_FAILED] = "failed"};

static void print_judged(const struct tls_report *r, struct text_sink *out)
{
    text_printf(out, "\nTLS judged: %" PRIu64 " sessions", r->sessions);
    for (int k = 0; k < JUDGED_N; k++)
        if (r->judged[k] > 0)
            text_printf(out, ", %s %" PRIu64, judged_words[k], r->judged[k]);
    const char *comma = " (unknown: ";
    for (int k = UNKNOWN_NONE + 1; k < UNKNOWN_N; k++) {
        if (r->unknown[k] == 0)
            continue;
        text_printf(out, "%s%s %" PRIu64, comma, unknown_reason_names[k], r->unknown[k]);
        comma = ", ";
    }
    text_puts(out, comma[0] == ',' ? ")\n" : "\n");
}

void table_service(struct grid *g, const struct service *s)
{
    char text[ROWJSON_WHO_MAX];
    if (s->device.by != BY_NONE)
        grid_bytes(g, text, rowjson_client(&s->device, text));
    else
        grid_bytes(g, text, addr_text(&s->addr, text));
    static const char *const over[TLS_CARRIER_N] = {"", "/quic", "/dtls"};
    grid_cell(g, "%u%s", s->port, over[s->carrier]);
    if (s->name.len == 0) {
        grid_cell(g, "-");
        return;
    }
    snprintf(text, sizeof text, "%.*s%s", (int)(s->name.len < 50 ? s->name.len : 50),
             (const char *)s->name.p,
             s->name_source == NAME_DNS    ? " (dns)"
             : s->name_source == NAME_CERT ? " (cert)"
                                           : "");
    grid_bytes(g, text, strlen(text));
}

static void print_finding(struct grid *g, const struct finding *f)
{
    struct text_sink last = {0};
    table_service(g, f->server);
    grid_cell(g, "%s", f->client_type[0] != '\0' ? f->client_type : "-");
    grid_cell(g, "%s", severity_names[f->severity]);
    grid_cell(g, "%s", weakness_names[f->rule]);
    grid_cell(g, "%s", basis_names[f->basis]);
    grid_cell(g, "%" PRIu64, f->sessions);
    grid_cell(g, "%" PRIu64, f->clients.gateways);
    grid_cell(g, "%" PRIu64, f->clients.hosts);
    text_time(&last, f->last_ns, 0);
    grid_cell(g, "%s", last.p != NULL ? last.p : "");
    grid_bytes(g, f->detail, strlen(f->detail));
    text_free(&last);
}

/* Worst first, then those that were a session's, then most sessions. */
static uint64_t rank(const struct finding *f)
{
    uint64_t busy = f->sessions < UINT64_C(1) << 58 ? f->sessions + 1 : UINT64_C(1) << 58;
    return (uint64_t)f->severity << 60 | (uint64_t)basis_of_session((enum basis)f->basis) << 59
           | busy;
}

void table_weak(const struct tls_report *r, struct text_sink *out)
{
    static const char *const heads[] = {"server",   "port",  "name",      "client type",
                                        "severity", "class", "how far",   "sessions",
                                        "gateways", "hosts", "last seen", "detail"};
    struct table_top top = {0};
    struct grid g;
    if (r->sessions > 0)
        print_judged(r, out);
    for (size_t i = 0; i < r->n_findings; i++)
        table_top_add(&top, &r->findings[i], rank(&r->findings[i]));
    if (top.n == 0)
        return;
    table_title(out, "Weak TLS, by server, type of client and class", &top);
    grid_begin(&g, "lrlllllrrrll", heads);
    for (unsigned i = 0; i < top.n; i++)
        print_finding(&g, top.row[i]);
    grid_end(&g, out);
}
