#include "cli/pipeline.h"

#include "core/hash.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

/* What decoders say goes to the events, and to the window of its time. */
static void fold_messages(void *ctx, struct msgs *batch)
{
    struct pipeline *pl = ctx;
    stage_end(&pl->stages, STAGE_DECODE);
    if (pl->events != NULL)
        events_messages(pl->events, batch);
    windows_messages(pl->windows, batch->m, batch->n, pl->vantages);
    stage_end(&pl->stages, STAGE_MESSAGES);
}

void pipeline_take(struct pipeline *pl, struct rec recs[], unsigned n)
{
    gateway_burst(pl->config, pl->origins, recs, n); /* whose it is */
    stage_end(&pl->stages, STAGE_GATEWAYS);
    decode_burst(pl->decode, recs, n, &pl->msgs); /* what it says */
    stage_end(&pl->stages, STAGE_DECODE);
    windows_packets(pl->windows, recs, n, pl->vantages); /* what it adds */
    stage_end(&pl->stages, STAGE_PACKETS);
    msgs_flush(&pl->msgs);
}

int pipeline_poll(struct pipeline *pl, struct err *e)
{
    int n = pl->source.rx(pl->source.ctx, pl->pkts, BURST_MAX, e);
    stage_end(&pl->stages, n > 0 ? STAGE_RECEIVE : STAGE_IDLE);
    if (n <= 0)
        return n;
    if (!pl->any)
        pl->first_ts_ns = pl->pkts[0].ts_ns;
    pl->any = true;
    pl->last_ts_ns = pl->pkts[n - 1].ts_ns;
    for (int i = 0; i < n; i++) {
        pl->pkts[i].origin = pl->origin;
        pl->pkts[i].ord = pl->ord++;
        pl->pkts[i].filtered = false;
    }
    if (pl->filter != NULL)
        filter_burst(pl->filter, pl->pkts, (unsigned)n);
    headers_burst(pl->headers, pl->pkts, pl->recs, (unsigned)n); /* where it goes */
    stage_end(&pl->stages, STAGE_HEADERS);
    unsigned mine = (unsigned)n;
    if (pl->spread.give != NULL) /* who follows it */
        mine = pl->spread.give(pl->spread.ctx, pl->pkts, pl->recs, mine);
    stage_end(&pl->stages, STAGE_SPREAD);
    pipeline_take(pl, pl->recs, mine);
    pl->source.release(pl->source.ctx);
    stage_end(&pl->stages, STAGE_RECEIVE);
    return n;
}

bool pipeline_new(struct pipeline **out, const struct config *config, const char *bpf,
                  struct windows_spill spill, struct err *e)
{
    struct pipeline *pl = calloc(1, sizeof *pl);
    if (pl == NULL) {
        err_set(e, "out of memory");
        return false;
    }
    struct headers_limits headers = {
        .fragment_datagrams = (uint32_t)config->limits.fragment_datagrams,
        .fragment_bytes = (uint32_t)config->limits.fragment_bytes,
        .fragment_timeout_ms = (uint32_t)config->limits.fragment_timeout_ms,
    };
    struct decode_limits decode = {
        .tcp_flows = (uint32_t)config->limits.tcp_flows,
        .tcp_buffers = (uint32_t)config->limits.tcp_buffers,
        .tcp_buffer_bytes = (uint32_t)config->limits.tcp_buffer_bytes,
        .dtls_flows = (uint32_t)config->limits.dtls_flows,
        .dtls_hellos = (uint32_t)config->limits.dtls_hellos,
        .dns_pending = (uint32_t)config->limits.dns_pending,
        .ntp_pending = (uint32_t)config->limits.ntp_pending,
        .tls_resumptions = (uint32_t)config->limits.tls_resumptions,
        .scope_all = config->scope == SCOPE_ALL,
        .quic_flows = (uint32_t)config->limits.quic_flows,
        .quic_buffers = (uint32_t)config->limits.quic_buffers,
        .quic_buffer_bytes = (uint32_t)config->limits.quic_buffer_bytes,
        .window_ns = config->window_s * 1000000000,
        .seed = config->seed,
        .ja3 = config->ja3,
    };
    pl->config = config;
    for (unsigned i = 0; i < config->n_http_hosts; i++)
        pl->http_hosts[i] = config->http_hosts[i];
    pl->msgs.fold = fold_messages;
    pl->msgs.ctx = pl;
    pl->msgs.any_order = pl->msgs.no_records = true; /* events want both: run.c */
    pl->origins = calloc(ORIGINS, sizeof *pl->origins);
    pl->vantages = calloc(ORIGINS, sizeof *pl->vantages);
    bool ok = pl->origins != NULL && pl->vantages != NULL;
    if (!ok)
        err_set(e, "out of memory");
    ok = ok && (bpf == NULL || filter_new(&pl->filter, bpf, 0, e))
         && headers_new(&pl->headers, &headers, e)
         && decode_new(&pl->decode, &decode, pl->http_hosts, e)
         && windows_new(&pl->windows, config, spill, e);
    if (!ok) {
        pipeline_free(pl);
        return false;
    }
    *out = pl;
    return true;
}

void pipeline_done(struct pipeline *pl)
{
    filter_free(pl->filter);
    headers_free(pl->headers);
    decode_free(pl->decode);
    pl->filter = NULL;
    pl->headers = NULL;
    pl->decode = NULL;
}

void pipeline_free(struct pipeline *pl)
{
    if (pl == NULL)
        return;
    pipeline_done(pl);
    windows_free(pl->windows);
    free(pl->origins);
    free(pl->vantages);
    free(pl);
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

/* The first file rule that fits says what site and vantage a capture has. */
static const struct file_rule *rule_of(const struct config *c, const char *path)
{
    for (unsigned i = 0; i < c->n_files; i++)
        if (fnmatch(c->files[i].glob, path, 0) == 0
            || fnmatch(c->files[i].glob, base_name(path), 0) == 0)
            return &c->files[i];
    return NULL;
}

static uint64_t site_named(const char *name)
{
    return hash_bytes(name, strlen(name), 0) | SITE_NAME_BIT;
}

void pipeline_begin(struct pipeline *pl, struct source source, const char *path)
{
    const struct config *c = pl->config;
    const struct file_rule *rule = rule_of(c, path);
    const char *base = base_name(path);
    bool own_site = rule != NULL && rule->site[0] != '\0';
    pl->source = source;
    pl->any = false;
    pl->origins[pl->origin] = (struct origin){
        .site = site_named(own_site ? rule->site : c->sensor),
        .file_hash = hash_bytes(base, strlen(base), 0),
        .vantage = rule != NULL && rule->has_vantage ? rule->vantage : c->vantage,
    };
    pl->vantages[pl->origin] = pl->origins[pl->origin].vantage;
}

void pipeline_vantage(struct pipeline *pl, enum vantage vantage)
{
    pl->origins[pl->origin].vantage = vantage;
    pl->vantages[pl->origin] = vantage;
}

void pipeline_ledger(struct pipeline *pl)
{
    const struct headers_stats *h = headers_stats(pl->headers);
    const struct decode_stats *d = decode_stats(pl->decode);
    struct headers_stats *ht = &pl->headers_told;
    struct decode_stats *dt = &pl->decode_told;
    struct window *w = pl->any ? windows_at(pl->windows, pl->last_ts_ns) : NULL;
    if (w == NULL)
        return;
    struct ledger *l = &window_totals(w)->ledger;
    l->fragments_turned_away += h->fragments_turned_away - ht->fragments_turned_away;
    l->too_deep += h->too_deep - ht->too_deep;
    l->flows_turned_away += d->flows_turned_away - dt->flows_turned_away;
    l->dtls_flows_turned_away += d->dtls_flows_turned_away - dt->dtls_flows_turned_away;
    l->quic_flows_turned_away += d->quic_flows_turned_away - dt->quic_flows_turned_away;
    l->buffers_turned_away += d->buffers_turned_away - dt->buffers_turned_away;
    l->bytes_turned_away += d->bytes_turned_away - dt->bytes_turned_away;
    l->pending_turned_away += d->dns_pending_turned_away - dt->dns_pending_turned_away
                              + d->ntp_pending_turned_away - dt->ntp_pending_turned_away;
    l->certs_turned_away += d->certs_turned_away - dt->certs_turned_away;
    l->resumptions_turned_away += d->resumptions_turned_away - dt->resumptions_turned_away;
    l->holes += d->holes - dt->holes;
    l->overlap_conflicts += d->overlap_conflicts - dt->overlap_conflicts;
    *ht = *h;
    *dt = *d;
}

void pipeline_end(struct pipeline *pl)
{
    headers_origin_end(pl->headers, pl->origin);
    decode_origin_end(pl->decode, pl->origin, &pl->msgs);
    pipeline_ledger(pl);
    pl->origin++; /* wraps: contexts that ended 65,536 captures ago are forgotten */
}

void pipeline_lost(struct pipeline *pl, uint64_t packets, uint64_t ts_ns)
{
    struct window *w = packets > 0 ? windows_at(pl->windows, ts_ns) : NULL;
    if (w != NULL)
        window_lost(w, (enum vantage)pl->vantages[pl->origin], packets);
}
