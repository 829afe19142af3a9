/* All counters of a live run in one place: read, shown in a line, a table, or as JSON. */
#include "cli/live_part.h"
#include "core/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void count_worker(const struct live *l, unsigned worker, struct live_counts *c)
{
    const struct stages *s = &l->workers[worker].pl->stages;
    l->o->api->worker_stats(l->ports, worker, &c->workers[worker]);
    for (unsigned i = 0; i < STAGE_N; i++)
        c->stage_ns[worker][i] =
            clock_span_ns(l->clock, atomic_load_explicit(&s->ticks[i], memory_order_relaxed));
}

void live_count(struct live *l)
{
    struct live_counts c = l->counts; /* only this thread changes them */
    const struct port_api *api = l->o->api;
    for (unsigned i = 0; i < c.n_ports; i++) {
        api->info(l->ports, i, &c.info[i]);
        api->port_stats(l->ports, i, &c.ports[i]);
        api->buffers(l->ports, i, &c.buffers_free[i], &c.buffers[i]);
    }
    for (unsigned i = 0; i < c.n_workers; i++)
        count_worker(l, i, &c);
    struct clock_state clock = clock_state(l->clock);
    c.clock_error_ns = clock.error_ns;
    c.clock_steps = clock.steps;
    c.elapsed_ns = l->elapsed_ns;
    pthread_mutex_lock(&l->lock);
    c.read = l->read;
    memcpy(c.outcome, l->outcome, sizeof c.outcome);
    c.windows_written = l->written;
    c.windows_dropped = l->dropped;
    c.windows_waiting = l->queue_head - l->queue_tail + l->writing;
    l->counts = c;
    pthread_mutex_unlock(&l->lock);
}

struct live_loss live_loss_of_port(const struct live_counts *c, unsigned port)
{
    struct live_loss loss = {.missed = c->ports[port].missed,
                             .no_mbuf = c->ports[port].no_mbuf,
                             .errors = c->ports[port].errors};
    for (unsigned i = 0; i < c->n_workers; i++) {
        if (c->port_of[i] != port)
            continue;
        loss.ring += c->workers[i].turned_away;
        loss.misplaced += c->workers[i].misplaced;
    }
    return loss;
}

struct live_loss live_loss_of(const struct live_counts *c)
{
    struct live_loss all = {0};
    for (unsigned i = 0; i < c->n_ports; i++) {
        struct live_loss loss = live_loss_of_port(c, i);
        all.missed += loss.missed;
        all.no_mbuf += loss.no_mbuf;
        all.ring += loss.ring;
        all.errors += loss.errors;
        all.misplaced += loss.misplaced;
    }
    return all;
}

uint64_t live_received(const struct live_counts *c)
{
    uint64_t n = 0;
    for (unsigned i = 0; i < c->n_workers; i++)
        n += c->workers[i].received;
    return n;
}

int64_t live_unaccounted(const struct live_counts *c)
{
    struct live_loss loss = live_loss_of(c);
    return (int64_t)(live_received(c) - c->read - loss.ring);
}

static uint64_t bytes_of(const struct live_counts *c)
{
    uint64_t n = 0;
    for (unsigned i = 0; i < c->n_workers; i++)
        n += c->workers[i].bytes;
    return n;
}

void live_status_line(const struct live *l, const struct live_counts *now,
                      const struct live_counts *before)
{
    if (l->o->quiet || !isatty(STDERR_FILENO))
        return;
    double s = (double)(now->elapsed_ns - before->elapsed_ns) / 1e9;
    if (s <= 0)
        return;
    struct live_loss loss = live_loss_of(now);
    double packets = (double)(live_received(now) - live_received(before));
    double bits = (double)(bytes_of(now) - bytes_of(before)) * 8;
    char line[512];
    int at = snprintf(line, sizeof line,
                      "%.0f s, %.3f Mpps, %.3f Gbps, lost %" PRIu64 ", windows %" PRIu64
                      " written %" PRIu64 " dropped, busy",
                      (double)now->elapsed_ns / 1e9, packets / s / 1e6, bits / s / 1e9,
                      live_lost(&loss), now->windows_written, now->windows_dropped);
    for (unsigned i = 0; i < now->n_workers && at > 0 && at < (int)sizeof line - 8; i++) {
        uint64_t polls = now->workers[i].polls - before->workers[i].polls;
        uint64_t busy = now->workers[i].busy - before->workers[i].busy;
        at += snprintf(line + at, sizeof line - (size_t)at, " %.0f%%",
                       polls > 0 ? 100.0 * (double)busy / (double)polls : 0);
    }
    fprintf(stderr, "\r\033[K%s", line);
    fflush(stderr);
}

static const char *const clock_names[] = {
    [PORT_CLOCK_TSC] = "tsc", [PORT_CLOCK_NIC] = "nic", [PORT_CLOCK_CAPTURE] = "capture"};

static const char *const link_names[] = {
    [PORT_LINK_UP] = "up", [PORT_LINK_DOWN] = "down", [PORT_LINK_GONE] = "gone"};

/* Each counter once: of ports, then of workers. */
static const struct {
    const char *name;
    size_t at;
} port_counters[] =
    {
        {"received", offsetof(struct port_stats, received)},
        {"bytes", offsetof(struct port_stats, bytes)},
        {"missed", offsetof(struct port_stats, missed)},
        {"no_mbuf", offsetof(struct port_stats, no_mbuf)},
        {"errors", offsetof(struct port_stats, errors)},
},
  worker_counters[] = {
      {"polls", offsetof(struct port_worker_stats, polls)},
      {"busy", offsetof(struct port_worker_stats, busy)},
      {"received", offsetof(struct port_worker_stats, received)},
      {"bytes", offsetof(struct port_worker_stats, bytes)},
      {"given", offsetof(struct port_worker_stats, given)},
      {"taken", offsetof(struct port_worker_stats, taken)},
      {"turned_away", offsetof(struct port_worker_stats, turned_away)},
      {"misplaced", offsetof(struct port_worker_stats, misplaced)},
      {"tunnelled", offsetof(struct port_worker_stats, tunnelled)},
      {"cut", offsetof(struct port_worker_stats, cut)},
      {"unclocked", offsetof(struct port_worker_stats, unclocked)},
};
enum {
    PORT_COUNTERS = sizeof port_counters / sizeof *port_counters,
    WORKER_COUNTERS = sizeof worker_counters / sizeof *worker_counters,
};

static uint64_t value(const void *p, size_t at)
{
    uint64_t v;
    memcpy(&v, (const char *)p + at, sizeof v);
    return v;
}

/* ---- telemetry: called on a thread of the framework */

static struct live_counts *copy_counts(struct live *l)
{
    struct live_counts *c = malloc(sizeof *c);
    if (c == NULL)
        return NULL;
    pthread_mutex_lock(&l->lock);
    *c = l->counts;
    pthread_mutex_unlock(&l->lock);
    return c;
}

/* /tellscope/stats: the run as a whole. */
static void fill_stats(void *ctx, struct port_answer *a)
{
    struct live_counts *c = copy_counts(ctx);
    if (c == NULL)
        return;
    struct live_loss loss = live_loss_of(c);
    a->number(a, "received", live_received(c));
    a->number(a, "bytes", bytes_of(c));
    a->number(a, "lost", live_lost(&loss));
    a->number(a, "lost_missed", loss.missed);
    a->number(a, "lost_no_mbuf", loss.no_mbuf);
    a->number(a, "lost_ring", loss.ring);
    a->number(a, "lost_errors", loss.errors);
    a->number(a, "misplaced", loss.misplaced);
    a->number(a, "windows_written", c->windows_written);
    a->number(a, "windows_dropped", c->windows_dropped);
    a->number(a, "windows_waiting", c->windows_waiting);
    a->number(a, "clock_error_ns", c->clock_error_ns);
    a->number(a, "clock_steps", c->clock_steps);
    a->number(a, "elapsed_ms", c->elapsed_ns / 1000000);
    free(c);
}

/* /tellscope/queues: each port, each worker. */
static void fill_queues(void *ctx, struct port_answer *a)
{
    struct live_counts *c = copy_counts(ctx);
    char name[16];
    if (c == NULL)
        return;
    for (unsigned i = 0; i < c->n_ports; i++) {
        snprintf(name, sizeof name, "port_%u", i);
        a->begin(a, name);
        a->text(a, "device", c->info[i].device);
        a->text(a, "clock", clock_names[c->info[i].clock]);
        a->text(a, "link", link_names[c->info[i].link]);
        for (unsigned k = 0; k < PORT_COUNTERS; k++)
            a->number(a, port_counters[k].name, value(&c->ports[i], port_counters[k].at));
        a->number(a, "buffers_free", c->buffers_free[i]);
        a->number(a, "buffers", c->buffers[i]);
        a->end(a);
    }
    for (unsigned i = 0; i < c->n_workers; i++) {
        snprintf(name, sizeof name, "worker_%u", i);
        a->begin(a, name);
        a->number(a, "port", c->port_of[i]);
        for (unsigned k = 0; k < WORKER_COUNTERS; k++)
            a->number(a, worker_counters[k].name, value(&c->workers[i], worker_counters[k].at));
        for (unsigned k = 0; k < STAGE_N; k++) {
            snprintf(name, sizeof name, "%s_ns", stage_names[k]);
            a->number(a, name, c->stage_ns[i][k]);
        }
        a->end(a);
    }
    free(c);
}

bool live_telemetry(struct live *l, struct err *e)
{
    const struct port_api *api = l->o->api;
    return api->telemetry(l->ports, "/tellscope/stats", "Counters of the run. Takes no parameters.",
                          fill_stats, l, e)
           && api->telemetry(l->ports, "/tellscope/queues",
                             "Counters of each port and worker. Takes no parameters.", fill_queues,
                             l, e);
}

/* ---- the end */

static void as_json(const struct live_counts *c, struct text_sink *t)
{
    text_puts(t, "{\"schema\":\"tellscope.live.v1\",\"ports\":[");
    for (unsigned i = 0; i < c->n_ports; i++) {
        text_printf(t, "%s{\"device\":", i > 0 ? "," : "");
        text_json(t, c->info[i].device, strlen(c->info[i].device));
        text_puts(t, ",\"driver\":");
        text_json(t, c->info[i].driver, strlen(c->info[i].driver));
        text_printf(t, ",\"clock\":\"%s\",\"rss\":%s,\"distributed\":%s",
                    clock_names[c->info[i].clock], c->info[i].rss ? "true" : "false",
                    c->info[i].distributed ? "true" : "false");
        for (unsigned k = 0; k < PORT_COUNTERS; k++)
            text_printf(t, ",\"%s\":%" PRIu64, port_counters[k].name,
                        value(&c->ports[i], port_counters[k].at));
        text_printf(t, ",\"buffers_free\":%" PRIu64 ",\"buffers\":%" PRIu64 "}", c->buffers_free[i],
                    c->buffers[i]);
    }
    text_puts(t, "],\"workers\":[");
    for (unsigned i = 0; i < c->n_workers; i++) {
        text_printf(t, "%s{\"port\":%u", i > 0 ? "," : "", c->port_of[i]);
        for (unsigned k = 0; k < WORKER_COUNTERS; k++)
            text_printf(t, ",\"%s\":%" PRIu64, worker_counters[k].name,
                        value(&c->workers[i], worker_counters[k].at));
        for (unsigned k = 0; k < STAGE_N; k++)
            text_printf(t, "%s\"%s\":%" PRIu64, k > 0 ? "," : ",\"stage_ns\":{", stage_names[k],
                        c->stage_ns[i][k]);
        text_puts(t, "}}");
    }
    text_printf(t, "],\"read\":%" PRIu64 ",\"outcome\":{", c->read);
    const char *comma = "";
    for (unsigned i = 0; i < OUT_N; i++) {
        if (c->outcome[i] == 0)
            continue;
        text_printf(t, "%s\"%s\":%" PRIu64, comma, outcome_name[i], c->outcome[i]);
        comma = ",";
    }
    struct live_loss loss = live_loss_of(c);
    text_printf(t,
                "},\"received\":%" PRIu64 ",\"lost\":%" PRIu64 ",\"unaccounted\":%" PRId64
                ",\"windows\":{\"written\":%" PRIu64 ",\"dropped\":%" PRIu64
                "},\"clock_error_ns\":%" PRIu64 ",\"clock_steps\":%" PRIu64
                ",\"elapsed_s\":%.3f}\n",
                live_received(c), live_lost(&loss), live_unaccounted(c), c->windows_written,
                c->windows_dropped, c->clock_error_ns, c->clock_steps, (double)c->elapsed_ns / 1e9);
}

/* What a packet took on the average; of idle time its share says more. */
static void stage_line(const struct live_counts *c, enum stage stage, struct text_sink *t)
{
    text_printf(t, "  %-8s %s", stage_names[stage], stage == STAGE_IDLE ? "%  " : "ns ");
    for (unsigned i = 0; i < c->n_workers; i++) {
        double ns = (double)c->stage_ns[i][stage], of = (double)c->workers[i].received;
        if (stage == STAGE_IDLE) {
            of = 0;
            for (unsigned k = 0; k < STAGE_N; k++)
                of += (double)c->stage_ns[i][k] / 100;
        }
        text_printf(t, "%s%14.1f", i > 0 ? "  " : "", of > 0 ? ns / of : 0);
    }
    text_puts(t, "\n");
}

static void as_table(const struct live_counts *c, struct text_sink *t)
{
    for (unsigned i = 0; i < c->n_ports; i++) {
        text_printf(t, "port %u  %s (%s), clock %s%s%s\n", i, c->info[i].device, c->info[i].driver,
                    clock_names[c->info[i].clock], c->info[i].rss ? ", rss" : "",
                    c->info[i].distributed ? ", distributed" : "");
        for (unsigned k = 0; k < PORT_COUNTERS; k++)
            text_printf(t, "  %-12s %14" PRIu64 "\n", port_counters[k].name,
                        value(&c->ports[i], port_counters[k].at));
    }
    text_puts(t, "worker      ");
    for (unsigned i = 0; i < c->n_workers; i++)
        text_printf(t, "  %14u", i);
    text_puts(t, "\n");
    for (unsigned k = 0; k < WORKER_COUNTERS; k++) {
        text_printf(t, "  %-12s", worker_counters[k].name);
        for (unsigned i = 0; i < c->n_workers; i++)
            text_printf(t, "%s%14" PRIu64, i > 0 ? "  " : "",
                        value(&c->workers[i], worker_counters[k].at));
        text_puts(t, "\n");
    }
    for (unsigned k = 0; k < STAGE_N; k++)
        stage_line(c, (enum stage)k, t);
    text_printf(t, "read        ");
    for (unsigned i = 0; i < OUT_N; i++)
        if (c->outcome[i] > 0)
            text_printf(t, "  %s %" PRIu64, outcome_name[i], c->outcome[i]);
    struct live_loss loss = live_loss_of(c);
    text_printf(
        t,
        "\nreceived %" PRIu64 " = read %" PRIu64 " + ring full %" PRIu64 " + unaccounted %" PRId64
        "; lost %" PRIu64 " (missed %" PRIu64 ", no buffer %" PRIu64 ", ring full %" PRIu64
        ", errors %" PRIu64 "), windows written %" PRIu64 ", dropped %" PRIu64 "\n",
        live_received(c), c->read, loss.ring, live_unaccounted(c), live_lost(&loss), loss.missed,
        loss.no_mbuf, loss.ring, loss.errors, c->windows_written, c->windows_dropped);
}

void live_table(const struct live_counts *c, bool json)
{
    struct text_sink t = {0};
    if (json)
        as_json(c, &t);
    else
        as_table(c, &t);
    if (!t.failed)
        fwrite(t.p, 1, t.len, stdout);
    text_free(&t);
}
