#include "sinks/segment_end.h"

#include <stdio.h>

const char *const segment_scope_names[2] = {[SCOPE_GATEWAYS] = "gateways", [SCOPE_ALL] = "all"};

#define LIMIT(m)                                                                                   \
    {                                                                                              \
        "limits." #m, V_SUM, offsetof(struct segment_limits, m), 0, NULL                           \
    }
const struct field segment_limit_fields[] = {
    LIMIT(clients), LIMIT(coverage), LIMIT(bindings),     LIMIT(peers),    LIMIT(ntp),
    LIMIT(dns),     LIMIT(tls),      LIMIT(hellos),       LIMIT(answers),  LIMIT(certs),
    LIMIT(reuse),   LIMIT(tallies),  LIMIT(string_bytes), {.type = F_END},
};
static_assert(sizeof segment_limit_fields / sizeof *segment_limit_fields == SEGMENT_LIMITS_N + 1,
              "a field per limit");

void segment_head_config(struct segment_head *h, const struct config *c)
{
    snprintf(h->sensor, sizeof h->sensor, "%s", c->sensor);
    config_hash(c, h->config_hash);
    h->seed = c->seed;
    h->scope = c->scope;
    h->limits = (struct segment_limits){.clients = c->limits.clients,
                                        .coverage = c->limits.coverage,
                                        .bindings = c->limits.bindings,
                                        .peers = c->limits.peers,
                                        .ntp = c->limits.ntp,
                                        .dns = c->limits.dns,
                                        .tls = c->limits.tls,
                                        .hellos = c->limits.hellos,
                                        .answers = c->limits.answers,
                                        .certs = c->limits.certs,
                                        .reuse = c->limits.reuse,
                                        .tallies = c->limits.tallies,
                                        .string_bytes = c->limits.string_bytes};
}

static void take(uint64_t *limit, uint64_t told)
{
    if (told != 0)
        *limit = told;
}

void segment_limits_get(const struct segment_head *h, struct config *c)
{
    take(&c->limits.clients, h->limits.clients);
    take(&c->limits.coverage, h->limits.coverage);
    take(&c->limits.bindings, h->limits.bindings);
    take(&c->limits.peers, h->limits.peers);
    take(&c->limits.ntp, h->limits.ntp);
    take(&c->limits.dns, h->limits.dns);
    take(&c->limits.tls, h->limits.tls);
    take(&c->limits.hellos, h->limits.hellos);
    take(&c->limits.answers, h->limits.answers);
    take(&c->limits.certs, h->limits.certs);
    take(&c->limits.reuse, h->limits.reuse);
    take(&c->limits.tallies, h->limits.tallies);
    take(&c->limits.string_bytes, h->limits.string_bytes);
}

void segment_end_format(struct segment_end_format *f)
{
    for (int kind = 0; kind < ROW_KIND_N; kind++)
        f->names[kind] = row_types[kind].name;
    f->names[SEGMENT_END_HOSTS] = "host";
    f->names[SEGMENT_END_OTHER] = "other";
    f->names[SEGMENT_END_TOTALS] = "totals";
#define AT(m) offsetof(struct segment_end, m)
    const struct field fields[] = {
        {"rows", V_COUNTS, AT(rows), SEGMENT_END_N, f->names},
        {"ledger.read", V_SUM, AT(read), 0, NULL},
        {"ledger.outcome", V_COUNTS, AT(outcome), OUT_N, outcome_name},
        {"ledger.lost_packets", V_SUM, AT(lost_packets), 0, NULL},
        {.type = F_END},
    };
    memcpy(f->fields, fields, sizeof fields);
}

void segment_end_ledger(struct segment_end *end, const struct totals *t)
{
    end->read = t->packets.read;
    memcpy(end->outcome, t->packets.outcome, sizeof end->outcome);
    end->lost_packets = t->ledger.lost_packets;
}
