#include "sinks/table.h"

#include "core/dns_names.h"
#include "sinks/rowjson.h"
#include "sinks/table_part.h"

#include <stdio.h>

/* ---- shared */

void table_top_add(struct table_top *t, const void *row, uint64_t weight)
{
    unsigned i = t->n;
    t->of++;
    while (i > 0 && t->weight[i - 1] < weight)
        i--;
    if (i == TABLE_TOP)
        return;
    unsigned moved = (t->n < TABLE_TOP ? t->n : TABLE_TOP - 1) - i;
    memmove(t->row + i + 1, t->row + i, moved * sizeof *t->row);
    memmove(t->weight + i + 1, t->weight + i, moved * sizeof *t->weight);
    t->row[i] = row;
    t->weight[i] = weight;
    t->n += t->n < TABLE_TOP;
}

struct table_top table_top_rows(struct window *w, enum row_kind kind,
                                uint64_t (*weight)(const void *row))
{
    struct table_top t = {0};
    size_t n;
    void *const *rows = window_rows(w, kind, &n);
    for (size_t i = 0; i < n; i++)
        if (weight(rows[i]) > 0)
            table_top_add(&t, rows[i], weight(rows[i]));
    return t;
}

void table_title(struct text_sink *out, const char *title, const struct table_top *t)
{
    text_printf(out, "\n%s", title);
    if (t->of > t->n)
        text_printf(out, " (%u of %zu)", t->n, t->of);
    text_puts(out, "\n");
}

static void span(char *to, uint64_t low_us, uint64_t high_us, const char *sign)
{
    static const struct {
        uint64_t us;
        const char *name;
    } units[] = {{1000000, "s"}, {1000, "ms"}, {1, "us"}};
    unsigned u = 0;
    while (u < 2 && high_us < units[u].us)
        u++;
    double low = (double)low_us / (double)units[u].us, high = (double)high_us / (double)units[u].us;
    snprintf(to, TABLE_TEXT_MAX, "%s%.3g..%s%.3g %s", sign, low, sign, high, units[u].name);
}

const char *table_quantile(const struct window *w, const struct hist *h, unsigned permille,
                           char text[static TABLE_TEXT_MAX])
{
    uint64_t total = 0, seen = 0;
    for (int b = -HIST_MAX; b <= HIST_MAX; b++)
        total += window_hist_count(w, h, b);
    if (total == 0)
        return "-";
    uint64_t rank = (total * permille + 999) / 1000;
    int b = -HIST_MAX;
    for (; b < HIST_MAX; b++) {
        seen += window_hist_count(w, h, b);
        if (seen >= rank)
            break;
    }
    int size = b < 0 ? -b : b;
    if (b == 0)
        return "<1 us";
    if (size == HIST_MAX)
        return b > 0 ? ">2147 s" : "<-2147 s";
    span(text, hist_low_us(size), hist_low_us(size + 1), b < 0 ? "-" : "");
    return text;
}

static void cell_client(struct grid *g, const struct client *c)
{
    char text[ROWJSON_WHO_MAX];
    size_t n = rowjson_client(c, text);
    const char *kind = c->kind == CLIENT_HOST ? "host " : "";
    grid_cell(g, "%s%s", kind, n > 0 ? text : "-");
}

static void cell_site(struct grid *g, const struct window *w, uint64_t site)
{
    char text[ROWJSON_WHO_MAX];
    size_t n = rowjson_site(w, site, text);
    grid_bytes(g, n > 0 ? text : "-", n > 0 ? n : 1);
}

static void cell_addr(struct grid *g, const struct addr *a)
{
    char text[ADDR_TEXT_MAX];
    grid_bytes(g, text, addr_text(a, text));
}

static void cell_u64(struct grid *g, uint64_t v)
{
    grid_cell(g, "%llu", (unsigned long long)v);
}

static void cell_percent(struct grid *g, uint64_t part, uint64_t whole)
{
    if (whole == 0)
        grid_cell(g, "-");
    else
        grid_cell(g, "%.0f%%", 100.0 * (double)part / (double)whole);
}

/* ---- packets and protocols */

static void print_lost(const struct ledger *l, struct text_sink *out)
{
    const struct {
        uint64_t n;
        const char *why;
    } live[] = {{l->lost_missed, "missed by the adapter"},
                {l->lost_no_mbuf, "no buffer was free"},
                {l->lost_ring, "another worker's ring was full"},
                {l->lost_errors, "refused by the adapter"}};
    uint64_t told = 0;
    const char *before = ": ";
    if (l->lost_packets > 0)
        text_printf(out, "Lost before us: %llu packets", (unsigned long long)l->lost_packets);
    for (unsigned i = 0; i < sizeof live / sizeof *live; i++) {
        if (live[i].n == 0)
            continue;
        text_printf(out, "%s%llu %s", before, (unsigned long long)live[i].n, live[i].why);
        told += live[i].n;
        before = ", ";
    }
    if (told < l->lost_packets)
        text_puts(out, told == 0 ? ", as the captures say" : ", the rest as the captures say");
    if (l->lost_packets > 0 || told > 0)
        text_puts(out, "\n");
    if (l->misplaced > 0)
        text_printf(
            out,
            "Misplaced: %llu packets came to another worker than their flow: flows may be split\n",
            (unsigned long long)l->misplaced);
}

static void print_packets(const struct totals *t, const struct totals_extra *x,
                          struct text_sink *out)
{
    uint64_t sum = 0;
    text_printf(out,
                "Packets: %llu read, %llu bytes on the wire, %llu captured; IPv4 %llu, IPv6 %llu\n",
                (unsigned long long)t->packets.read, (unsigned long long)t->packets.bytes_wire,
                (unsigned long long)t->packets.bytes_captured, (unsigned long long)t->ip_v4,
                (unsigned long long)t->ip_v6);
    text_puts(out, "Outcomes:");
    for (int o = 0; o < OUT_N; o++) {
        sum += t->packets.outcome[o];
        if (t->packets.outcome[o] > 0)
            text_printf(out, " %s %llu", outcome_name[o],
                        (unsigned long long)t->packets.outcome[o]);
    }
    text_printf(out, " (%llu accounted for)\n", (unsigned long long)sum);
    print_lost(&t->ledger, out);
    if (x->has_clients)
        text_printf(out, "Gateways: %llu, hosts: %llu\n", (unsigned long long)x->gateways,
                    (unsigned long long)x->hosts);
}

static void print_line(struct text_sink *out, const char *name, const char *const words[],
                       const uint64_t counts[], unsigned n)
{
    uint64_t any = 0;
    for (unsigned i = 0; i < n; i++)
        any |= counts[i];
    if (any == 0)
        return;
    text_printf(out, "  %-6s", name);
    for (unsigned i = 0; i < n; i++)
        if (counts[i] > 0)
            text_printf(out, " %s %llu", words[i], (unsigned long long)counts[i]);
    text_puts(out, "\n");
}

/* One line a protocol: the plain numbers of each group of the totals, by name. */
static void print_protocols(const struct totals *t, struct text_sink *out)
{
    static const char *const protocols[] = {"dns", "mdns",  "llmnr", "ntp",
                                            "tls", "sslv2", "quic",  "dtls"};
    text_puts(out, "\nProtocols\n");
    for (unsigned p = 0; p < sizeof protocols / sizeof *protocols; p++) {
        const char *words[32];
        uint64_t counts[32];
        unsigned n = 0;
        size_t len = strlen(protocols[p]);
        for (const struct field *f = totals_fields; f->type != F_END; f++) {
            bool ours = strncmp(f->name, protocols[p], len) == 0 && f->name[len] == '.';
            if (!ours || f->type != V_SUM || n == 32)
                continue;
            words[n] = f->name + len + 1;
            memcpy(&counts[n++], (const uint8_t *)t + f->at, sizeof *counts);
        }
        print_line(out, protocols[p], words, counts, n);
    }
}

/* ---- gateways */

static uint64_t client_weight(const void *row)
{
    const struct row_client *c = row;
    return c->bytes_in + c->bytes_out;
}

static void cell_who(struct grid *g, const struct totals_extra *x, const struct row_client *c)
{
    char text[32] = "";
    if (x->who != NULL)
        x->who(x->who_ctx, &c->key.client, c->first_ns, c->last_ns, text);
    grid_cell(g, "%s", text[0] != '\0' ? text : "-");
}

static void cells_device(struct grid *g, const struct totals_extra *x, const struct row_client *c)
{
    struct totals_device d = {"", "", ""};
    if (!x->device(x->device_ctx, &c->key.client, c->first_ns, c->last_ns, &d))
        d = (struct totals_device){"-", "-", "-"};
    grid_utf8(g, d.product);
    grid_utf8(g, d.firmware);
    grid_utf8(g, d.customer);
}

static void print_gateways(struct window *w, const struct totals_extra *x, struct text_sink *out)
{
    static const char *const heads[] = {"client",  "known as", "site",    "packets", "bytes",
                                        "ntp",     "dns",      "tls",     "remotes", "last seen",
                                        "product", "firmware", "customer"};
    struct table_top t = table_top_rows(w, ROW_CLIENT, client_weight);
    struct grid g;
    if (t.n == 0)
        return;
    table_title(out, "Gateways and hosts", &t);
    grid_begin(&g, x->device != NULL ? "lllrrrrrrllll" : "lllrrrrrrl", heads);
    for (unsigned i = 0; i < t.n; i++) {
        const struct row_client *c = t.row[i];
        const struct distinct_block *b = window_distinct_block(w, &c->remotes, &distinct_small);
        struct text_sink last = {0};
        cell_client(&g, &c->key.client);
        cell_who(&g, x, c);
        cell_site(&g, w, c->key.client.site);
        cell_u64(&g, c->packets_out + c->packets_in + c->packets_group);
        cell_u64(&g, client_weight(c));
        cell_u64(&g, c->protocols[PROTO_NTP]);
        cell_u64(&g, c->protocols[PROTO_DNS]);
        cell_u64(&g, c->protocols[PROTO_TLS]);
        cell_u64(&g, b != NULL ? distinct_count(&distinct_small, b) : 0);
        text_time(&last, c->last_ns, 0);
        grid_cell(&g, "%s", last.p != NULL ? last.p : "");
        text_free(&last);
        if (x->device != NULL)
            cells_device(&g, x, c);
    }
    grid_end(&g, out);
}

/* ---- NTP */

static uint64_t ntp_weight(const void *row)
{
    const struct row_ntp *n = row;
    return (uint64_t)n->requests + n->replies + n->malformed + n->not_ntp;
}

static void cell_refids(struct grid *g, const struct window *w, const struct row_ntp *n)
{
    struct set8_view refids = window_set8(w, &n->refids);
    if (refids.n == 0) {
        grid_cell(g, "-");
        return;
    }
    uint32_t v = refids.value[0];
    uint8_t b[4] = {(uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v};
    unsigned more = refids.n - 1u + (refids.other > 0);
    char rest[16] = "", text[64];
    if (more > 0)
        snprintf(rest, sizeof rest, " +%u", more);
    int len = 4;
    while (len > 0 && b[len - 1] == 0)
        len--;
    if ((n->strata & ~3u) == 0) /* a clock's name, or a kiss code (RFC 5905 7.3, 7.4) */
        snprintf(text, sizeof text, "%.*s%s", len, (const char *)b, rest);
    else
        snprintf(text, sizeof text, "%u.%u.%u.%u%s", b[0], b[1], b[2], b[3], rest);
    grid_bytes(g, text, strlen(text));
}

static void cell_strata(struct grid *g, uint32_t strata)
{
    char text[128] = "";
    size_t n = 0;
    for (unsigned s = 0; s < 32; s++)
        if (strata >> s & 1)
            n += (size_t)snprintf(text + n, sizeof text - n, n > 0 ? ",%u" : "%u", s);
    grid_cell(g, "%s", n > 0 ? text : "-");
}

static void print_ntp(struct window *w, struct text_sink *out)
{
    static const char *const heads[] = {"client",  "role",     "peer",    "requests",
                                        "replies", "answered", "stratum", "refid",
                                        "offset",  "delay",    "invalid"};
    struct table_top t = table_top_rows(w, ROW_NTP, ntp_weight);
    struct grid g;
    char text[TABLE_TEXT_MAX];
    if (t.n == 0)
        return;
    table_title(out, "NTP peers", &t);
    grid_begin(&g, "lllrrrrlrrr", heads);
    for (unsigned i = 0; i < t.n; i++) {
        const struct row_ntp *n = t.row[i];
        cell_client(&g, &n->key.client);
        grid_cell(&g, "%s", n->key.role == ROLE_CLIENT ? "client" : "server");
        cell_addr(&g, &n->key.peer);
        cell_u64(&g, n->requests);
        cell_u64(&g, n->replies);
        cell_percent(&g, n->pairs, n->requests);
        cell_strata(&g, n->strata);
        cell_refids(&g, w, n);
        grid_cell(&g, "%s", table_quantile(w, &n->offset, 500, text));
        grid_cell(&g, "%s", table_quantile(w, &n->delay, 500, text));
        cell_u64(&g, (uint64_t)n->malformed + n->not_ntp + n->unmatched + n->longer);
    }
    grid_end(&g, out);
}

/* ---- DNS */

static uint64_t dns_weight(const void *row)
{
    const struct row_dns *d = row;
    return (uint64_t)d->queries + d->responses + d->malformed;
}

static void cell_rcodes(struct grid *g, const struct row_dns *d)
{
    char text[256] = "", name[DNS_NAME_TEXT_MAX];
    size_t n = 0;
    for (unsigned r = 1; r < 16; r++) {
        if (d->by_rcode[r] == 0)
            continue;
        dns_rcode_text((uint16_t)r, name);
        n += (size_t)snprintf(text + n, sizeof text - n, n > 0 ? " %s %u" : "%s %u", name,
                              d->by_rcode[r]);
        if (n >= GRID_CELL_MAX)
            break;
    }
    grid_cell(g, "%s", n > 0 ? text : "-");
}

static void print_dns(struct window *w, struct text_sink *out)
{
    static const char *const heads[] = {"client",   "role",   "resolver",    "queries",
                                        "answered", "errors", "latency p50", "p99"};
    struct table_top t = table_top_rows(w, ROW_DNS, dns_weight);
    struct grid g;
    char text[TABLE_TEXT_MAX];
    if (t.n == 0)
        return;
    table_title(out, "DNS", &t);
    grid_begin(&g, "lllrrlrr", heads);
    for (unsigned i = 0; i < t.n; i++) {
        const struct row_dns *d = t.row[i];
        cell_client(&g, &d->key.client);
        grid_cell(&g, "%s", d->key.role == ROLE_CLIENT ? "client" : "server");
        cell_addr(&g, &d->key.peer);
        cell_u64(&g, d->queries);
        cell_percent(&g, d->answered, d->queries);
        cell_rcodes(&g, d);
        grid_cell(&g, "%s", table_quantile(w, &d->latency, 500, text));
        grid_cell(&g, "%s", table_quantile(w, &d->latency, 990, text));
    }
    grid_end(&g, out);
}

void table_summary(struct window *w, const struct totals_extra *x, struct text_sink *out)
{
    static const struct totals_extra nothing;
    x = x != NULL ? x : &nothing;
    print_packets(window_totals(w), x, out);
    print_protocols(window_totals(w), out);
    print_gateways(w, x, out);
    print_ntp(w, out);
    print_dns(w, out);
    table_tls(w, x, out);
    if (x != NULL && x->type_of != NULL)
        table_client_types(w, x, out);
    if (x != NULL && x->tls != NULL)
        table_findings(x, out);
}

void table_findings(const struct totals_extra *x, struct text_sink *out)
{
    table_weak(x->tls, out);
    table_migration(x->tls, x, out);
}
