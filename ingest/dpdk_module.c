/* The module's face: `tellscope_ports`, the table that the program asks for. */
#define _GNU_SOURCE
#include "ingest/dpdk_eal.h"
#include "ingest/dpdk_ports.h"

#include <rte_dev.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_version.h>

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
    DESCRIPTORS_GUESS = 4096,
    BUFFER_BYTES = 2560, /* of an ordinary frame */
    PAGE_BYTES = 4096,
    QUIET_MS = 1000
};

/* "2,4-5" into numbers; how many, or -1. */
static int cpu_list(const char *text, int cpus[], int max)
{
    int n = 0;
    while (*text != '\0') {
        char *end;
        long first = strtol(text, &end, 10), last = first;
        if (end == text || first < 0)
            return -1;
        if (*end == '-') {
            text = end + 1;
            last = strtol(text, &end, 10);
            if (end == text)
                return -1;
        }
        if ((*end != ',' && *end != '\0') || last < first || last >= CPU_SETSIZE)
            return -1;
        for (long cpu = first; cpu <= last && n < max; cpu++)
            cpus[n++] = (int)cpu;
        text = *end == ',' ? end + 1 : end;
    }
    return n;
}

/* What the configuration asks of each port, before anything is opened. */
static bool plan(struct ports *p, struct err *e)
{
    const struct config *c = p->options.config;
    p->n_ports = c->live.n_ports;
    for (unsigned i = 0; i < p->n_ports; i++) {
        struct port *port = &p->ports[i];
        port->config = &c->live.ports[i];
        port->n_workers = (unsigned)port->config->workers;
        port->first_worker = p->n_workers;
        port->multi = port->n_workers > 1;
        p->n_workers += port->n_workers;
        int n = cpu_list(port->config->cpus, port->cpus, WORKERS_MAX);
        if (n < 0 || (n > 0 && (unsigned)n < port->n_workers)) {
            err_set(e, "port %s: %u workers, and cpus \"%s\"", port->config->device,
                    port->n_workers, port->config->cpus);
            return false;
        }
        for (int w = n; w < WORKERS_MAX; w++)
            port->cpus[w] = -1;
        if (port->n_workers == 0 || port->n_workers > WORKERS_MAX) {
            err_set(e, "port %s: %u workers; 1 to %u can be", port->config->device, port->n_workers,
                    WORKERS_MAX);
            return false;
        }
    }
    if (p->n_ports == 0)
        err_set(e, "no port is configured");
    else if (p->n_workers > ALL_WORKERS_MAX)
        err_set(e, "%u workers; DPDK has room for %u", p->n_workers, ALL_WORKERS_MAX);
    return p->n_ports > 0 && p->n_workers <= ALL_WORKERS_MAX;
}

static uint64_t memory_needed(const struct config *c)
{
    uint64_t bytes = UINT64_C(32) << 20; /* rings, queues, the framework's own */
    for (unsigned i = 0; i < c->live.n_ports; i++) {
        const struct live_port *lp = &c->live.ports[i];
        uint64_t descriptors = lp->descriptors > 0 ? lp->descriptors : DESCRIPTORS_GUESS;
        uint64_t buffer = BUFFER_BYTES + port_frame_asked(lp);
        buffer = (buffer + PAGE_BYTES - 1) / PAGE_BYTES
                 * PAGE_BYTES; /* without huge pages none may straddle a page */
        bytes += port_buffers(c, lp, descriptors) * buffer + lp->workers * descriptors * 64;
    }
    return bytes;
}

static bool take_fields(struct ports *p, struct err *e)
{
    static const struct rte_mbuf_dynfield own = {
        .name = "tellscope_time", .size = sizeof(uint64_t), .align = alignof(uint64_t)};
    p->rx_ts_offset = -1;
    p->ts_offset = rte_mbuf_dynfield_register(&own);
    if (p->ts_offset < 0)
        err_set(e, "room for the time in a buffer: %s", rte_strerror(rte_errno));
    return p->ts_offset >= 0;
}

static bool open_ports(struct ports *p, struct err *e)
{
    struct eal_args args;
    if (!eal_args(&args, &p->options, memory_needed(p->options.config), eal_free_huge(), e)
        || !eal_start(&args, e))
        return false;
    p->huge = args.huge;
    snprintf(p->prefix, sizeof p->prefix, "%s", args.prefix);
    if (!take_fields(p, e))
        return false;
    for (unsigned i = 0; i < p->n_ports; i++)
        if (!port_open(p, &p->ports[i], e))
            return false;
    size_t bytes = p->n_workers * sizeof *p->workers;
    p->workers = aligned_alloc(alignof(struct worker), bytes);
    if (p->workers == NULL) {
        err_set(e, "out of memory for workers");
        return false;
    }
    memset(p->workers, 0, bytes);
    for (unsigned i = 0; i < p->n_ports; i++) {
        struct port *port = &p->ports[i];
        port->workers = p->workers + port->first_worker;
        for (unsigned w = 0; w < port->n_workers; w++)
            if (!worker_new(p, port, w, e))
                return false;
    }
    return true;
}

static void ports_close(struct ports *p)
{
    if (p == NULL)
        return;
    telemetry_clear();
    for (unsigned i = 0; p->workers != NULL && i < p->n_workers; i++)
        worker_free(&p->workers[i]);
    for (unsigned i = 0; i < p->n_ports; i++)
        port_close(&p->ports[i]);
    if (p->prefix[0] != '\0')
        (void)rte_eal_cleanup();
    free(p->workers);
    free(p);
}

static bool ports_open(struct ports **out, const struct ports_options *o, struct err *e)
{
    struct ports *p = aligned_alloc(alignof(struct ports), sizeof *p);
    if (p == NULL) {
        err_set(e, "out of memory");
        return false;
    }
    memset(p, 0, sizeof *p);
    p->options = *o;
    eal_log_begin();
    bool ok = plan(p, e) && open_ports(p, e);
    if (ok)
        *out = p;
    eal_log_end(ok ? NULL : e);
    if (!ok)
        ports_close(p);
    return ok;
}

static void take_driver_time(struct ports *p)
{
    int flag = rte_mbuf_dynflag_lookup(RTE_MBUF_DYNFLAG_RX_TIMESTAMP_NAME, NULL);
    int offset = rte_mbuf_dynfield_lookup(RTE_MBUF_DYNFIELD_TIMESTAMP_NAME, NULL);
    if (flag < 0 || offset < 0)
        return;
    p->rx_ts_offset = offset;
    p->rx_ts_flag = RTE_BIT64((unsigned)flag);
}

static bool ports_start(struct ports *p, struct err *e)
{
    bool ok = true;
    eal_log_begin();
    take_driver_time(p);
    for (unsigned i = 0; ok && i < p->n_ports; i++)
        ok = port_start(p, &p->ports[i], e);
    eal_log_end(ok ? NULL : e);
    return ok;
}

/* Have all workers of the port seen that it is closed? */
static bool quiet(const struct port *port)
{
    for (unsigned w = 0; w < port->n_workers; w++)
        if (!atomic_load_explicit(&port->workers[w].quiet, memory_order_acquire))
            return false;
    return true;
}

static int64_t now_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * INT64_C(1000) + ts.tv_nsec / 1000000;
}

static void ports_stop(struct ports *p)
{
    int64_t deadline_ms = now_ms() + QUIET_MS;
    for (unsigned i = 0; i < p->n_ports; i++)
        atomic_store_explicit(&p->ports[i].state, PORT_CLOSED, memory_order_release);
    for (unsigned i = 0; i < p->n_ports; i++) {
        struct port *port = &p->ports[i];
        while (!quiet(port) && now_ms() < deadline_ms)
            nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
        if (!port->started || !quiet(port))
            continue;
        struct port_stats last;
        port_stats(p, i, &last); /* some drivers forget when they stop */
        (void)rte_eth_dev_stop(port->id);
        port->started = false;
    }
}

static void ports_anchor(struct ports *p)
{
    for (unsigned i = 0; i < p->n_ports; i++)
        if (p->ports[i].started && p->ports[i].clock == PORT_CLOCK_NIC)
            nic_clock_anchor(p, &p->ports[i]);
}

static void redistribute(struct ports *p, unsigned port)
{
    if (p->ports[port].multi)
        atomic_store(&p->ports[port].spreading, true);
}

static unsigned n_ports(const struct ports *p)
{
    return p->n_ports;
}

static unsigned n_workers(const struct ports *p)
{
    return p->n_workers;
}

static uint8_t link_of(const struct port *of, bool told, const struct rte_eth_link *link)
{
    if (of->interface != 0)
        return kernel_link(of);
    if (!told || link->link_status == RTE_ETH_LINK_UP)
        return PORT_LINK_UP;
    return rte_eth_dev_is_removed(of->id) == 1 ? PORT_LINK_GONE : PORT_LINK_DOWN;
}

static void info(const struct ports *p, unsigned port, struct port_info *i)
{
    const struct port *of = &p->ports[port];
    struct rte_eth_link link = {0};
    struct rte_ether_addr mac = {0};
    bool spreading = atomic_load(&of->spreading);
    *i = (struct port_info){
        .workers = of->n_workers,
        .queues = of->n_queues,
        .numa = rte_eth_dev_socket_id(of->id),
        .clock = of->clock,
        .rss = of->rss && !spreading,
        .distributed = spreading,
        .descriptors = of->descriptors,
    };
    if (i->numa < 0)
        i->numa = -1;
    snprintf(i->device, sizeof i->device, "%s", of->config->device);
    snprintf(i->name, sizeof i->name, "%s", of->name);
    snprintf(i->driver, sizeof i->driver, "%s", of->dev.driver_name);
    snprintf(i->rss_why, sizeof i->rss_why, "%s", of->rss_why);
    bool told = rte_eth_link_get_nowait(of->id, &link) == 0;
    i->link = link_of(of, told, &link);
    if (told && link.link_status == RTE_ETH_LINK_UP && link.link_speed != RTE_ETH_SPEED_NUM_UNKNOWN)
        i->link_mbps = link.link_speed;
    if (rte_eth_macaddr_get(of->id, &mac) == 0)
        memcpy(i->mac, mac.addr_bytes, sizeof i->mac);
}

static unsigned port_of(const struct ports *p, unsigned worker)
{
    return (unsigned)(p->workers[worker].port - p->ports);
}

static int cpu_of(const struct ports *p, unsigned worker)
{
    return p->workers[worker].port->cpus[p->workers[worker].index];
}

static void buffers(const struct ports *p, unsigned port, uint64_t *unused, uint64_t *all)
{
    *unused = rte_mempool_avail_count(p->ports[port].pool);
    *all = p->ports[port].pool->size;
}

static bool huge(const struct ports *p)
{
    return p->huge;
}

static const char *prefix(const struct ports *p)
{
    return p->prefix;
}

extern const struct port_api tellscope_ports;
__attribute__((visibility("default"))) const struct port_api tellscope_ports = {
    .abi = PORTS_ABI,
    .version = rte_version,
    .open = ports_open,
    .close = ports_close,
    .huge = huge,
    .prefix = prefix,
    .n_ports = n_ports,
    .n_workers = n_workers,
    .info = info,
    .port_of = port_of,
    .cpu_of = cpu_of,
    .buffers = buffers,
    .worker_begin = worker_begin,
    .worker_end = worker_end,
    .start = ports_start,
    .stop = ports_stop,
    .anchor = ports_anchor,
    .redistribute = redistribute,
    .port_stats = port_stats,
    .worker_stats = worker_stats,
    .xstats = port_xstats,
    .telemetry = telemetry_add,
};
