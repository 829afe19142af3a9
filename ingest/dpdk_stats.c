#include "ingest/dpdk_ports.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void bridge_add(struct bridge *b, uint64_t now)
{
    const uint64_t bits32 = UINT64_C(1) << 32;
    uint64_t added = now - b->last;
    if (now < b->last)
        added = b->last < bits32 && b->last >= bits32 / 4 * 3 ? now + bits32 - b->last : now;
    b->total += added;
    b->last = now;
}

static void look(struct port *port)
{
    struct rte_eth_stats s = {0};
    if (rte_eth_stats_get(port->id, &s) != 0)
        return;
    uint64_t now[BRIDGES] = {s.ipackets, s.ibytes, s.imissed, s.rx_nombuf, s.ierrors};
    for (unsigned i = 0; i < BRIDGES; i++)
        bridge_add(&port->bridges[i], now[i]);
    port->bridges[BRIDGE_MISSED].total += kernel_queues_missed(port);
    for (unsigned q = 0; q < PORT_QUEUES_MAX && q < RTE_ETHDEV_QUEUE_STAT_CNTRS; q++) {
        bridge_add(&port->queue_bridges[q][0], s.q_ipackets[q]);
        bridge_add(&port->queue_bridges[q][1], s.q_ibytes[q]);
        bridge_add(&port->queue_bridges[q][2], s.q_errors[q]);
    }
}

void port_stats_begin(struct port *port)
{
    (void)rte_eth_stats_reset(port->id); /* not every driver can: what it says now is our zero */
    look(port);
    for (unsigned i = 0; i < BRIDGES; i++)
        port->bridges[i].total = 0;
    for (unsigned q = 0; q < PORT_QUEUES_MAX; q++)
        for (unsigned i = 0; i < QUEUE_BRIDGES; i++)
            port->queue_bridges[q][i].total = 0;
}

void port_stats(struct ports *p, unsigned port, struct port_stats *s)
{
    struct port *of = &p->ports[port];
    const struct bridge *b = of->bridges;
    if (of->started)
        look(of);
    *s = (struct port_stats){
        .received = b[0].total,
        .bytes = b[1].total,
        .missed = b[BRIDGE_MISSED].total,
        .no_mbuf = b[3].total,
        .errors = b[4].total,
    };
    for (unsigned q = 0; q < PORT_QUEUES_MAX; q++) {
        s->queue[q].received = of->queue_bridges[q][0].total;
        s->queue[q].bytes = of->queue_bridges[q][1].total;
        s->queue[q].errors = of->queue_bridges[q][2].total;
    }
}

size_t port_xstats(struct ports *p, unsigned port, char *to, size_t size)
{
    uint16_t id = p->ports[port].id;
    int n = rte_eth_xstats_get(id, NULL, 0);
    struct rte_eth_xstat *values = n > 0 ? calloc((size_t)n, sizeof *values) : NULL;
    struct rte_eth_xstat_name *names = n > 0 ? calloc((size_t)n, sizeof *names) : NULL;
    size_t len = 0;
    if (size > 0)
        to[0] = '\0';
    if (values != NULL && names != NULL && rte_eth_xstats_get(id, values, (unsigned)n) == n
        && rte_eth_xstats_get_names(id, names, (unsigned)n) == n)
        for (int i = 0; i < n; i++) {
            if (values[i].value == 0 || values[i].id >= (uint64_t)n)
                continue;
            int line = snprintf(to + len, size - len, "%s %" PRIu64 "\n", names[values[i].id].name,
                                values[i].value);
            if (line < 0 || (size_t)line >= size - len) {
                if (len < size)
                    to[len] = '\0';
                break;
            }
            len += (size_t)line;
        }
    free(values);
    free(names);
    return len;
}
