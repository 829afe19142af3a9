/* The answer of whatif as one JSON object. */
#include "cli/whatif_part.h"
#include "sinks/judged_json.h"

#include <inttypes.h>

static void put_time(struct text_sink *out, const char *name, uint64_t s)
{
    text_printf(out, ",\"%s\":\"", name);
    text_time(out, s * UINT64_C(1000000000), 0);
    text_puts(out, "\"");
}

static void put_days(const struct whatif_print *p, struct text_sink *out)
{
    const struct whatif_fleet *f = p->f;
    const char *before = "";
    text_puts(out, ",\"first_seen_breaking\":[");
    for (size_t d = 0; d < f->n_days; d++) {
        const struct whatif_day *day = &f->days[d];
        struct text_sink t = {0};
        if (day->gateways + day->hosts == 0)
            continue;
        text_time(&t, day->day * 86400 * UINT64_C(1000000000), 0);
        text_printf(out, "%s{\"day\":\"%.10s\"", before, t.p != NULL ? t.p : "");
        text_free(&t);
        judged_json_sum(out, "gateways", day->gateways);
        judged_json_sum(out, "hosts", day->hosts);
        text_puts(out, "}");
        before = ",";
    }
    text_printf(out, "],\"still_rising\":%s", f->rising ? "true" : "false");
    judged_json_sum(out, "days_left_out", f->days_cut);
}

static void put_group(const struct whatif_print *p, const struct whatif_group *x,
                      struct text_sink *out)
{
    const struct whatif_answer *a = &x->first->answer;
    char type[CLIENT_TYPE_MAX];
    struct service s;
    tls_item_service(x->first->item, &s);
    tls_item_type(x->first->item, type);
    text_printf(out, "{\"result\":\"%s\"", whatif_result_names[a->result]);
    if (a->result == WHATIF_CONNECT) {
        text_printf(out, ",\"version\":\"0x%04x\",\"cipher\":\"0x%04x\"", a->version, a->cipher);
        if (a->any) /* servers differ in which suite they would take: one of them */
            text_puts(out, ",\"cipher_is_one_of_several\":true");
    } else {
        judged_json_word(out, "reason", whatif_reason_names[a->reason]);
    }
    judged_json_server(out, p->w, &s, type);
    judged_json_sum(out, "sessions", x->sessions);
    judged_json_clients(out, &x->clients);
    judged_json_sum(out, "told_macs", x->told);
    judged_json_sum(out, "failing_today", x->failing);
    text_puts(out, "}");
}

void whatif_totals_json(const struct whatif_print *p, struct text_sink *out)
{
    char hash[17];
    struct whatif_group x;
    const char *before = "";
    tls_policy_hash(p->policy, hash);
    text_puts(out, "{\"schema\":\"tellscope.whatif.v1\"");
    judged_json_word(out, "policy", p->policy->name);
    judged_json_word(out, "policy_hash", hash);
    put_time(out, "start", p->start_s);
    put_time(out, "end", p->end_s);
    text_printf(out, ",\"segments\":%zu,\"sessions\":%" PRIu64 ",\"with_hello\":%" PRIu64,
                p->segments, p->f->sessions, p->f->with_hello);
    if (p->has_inventory)
        text_printf(out, ",\"inventory\":{\"gateways\":%zu,\"never_seen\":%zu}", p->inventory,
                    p->never_seen);
    put_days(p, out);
    text_puts(out, ",\"answers\":[");
    for (size_t at = 0; whatif_group_next(p, &at, &x);) {
        text_puts(out, before);
        put_group(p, &x, out);
        before = ",";
    }
    text_puts(out, "]}\n");
}
