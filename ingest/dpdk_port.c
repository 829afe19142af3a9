#include "ingest/dpdk_eal.h"
#include "ingest/dpdk_shard.h"

#include <rte_dev.h>
#include <rte_errno.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    DESCRIPTORS = 2048,
    DATA_ROOM = 2048,
    FRAME_EXTRA = 26,        /* Ethernet, two VLAN tags, FCS */
    ONE_BUFFER_MOST = 16384, /* longer frames need several, or nobody asked for them */
    ROOM_MOST = 65280,       /* of a buffer: its length has 16 bits */
};

/* The device a configured string means: up to its first comma; a PCI address may leave out its
 * domain. */
static bool same_device(const char *configured, const char *name)
{
    size_t len = strcspn(configured, ",");
    if (strlen(name) == len && memcmp(configured, name, len) == 0)
        return true;
    return strncmp(name, "0000:", 5) == 0 && strlen(name + 5) == len
           && memcmp(configured, name + 5, len) == 0;
}

static bool find(const struct ports *p, struct port *port, struct err *e)
{
    uint16_t id;
    RTE_ETH_FOREACH_DEV(id)
    {
        bool taken = false;
        for (unsigned i = 0; i < p->n_ports; i++)
            taken = taken || (p->ports[i].set_up && p->ports[i].id == id);
        if (taken || rte_eth_dev_info_get(id, &port->dev) != 0
            || !same_device(port->config->device, rte_dev_name(port->dev.device)))
            continue;
        port->id = id;
        if (rte_eth_dev_get_name_by_port(id, port->name) != 0)
            snprintf(port->name, sizeof port->name, "%s", rte_dev_name(port->dev.device));
        return true;
    }
    err_set(e, "no driver of DPDK took it: see %s",
            eal_on_bus(port->config->device) ? "dpdk-devbind.py --status"
                                             : "its name and arguments");
    return false;
}

uint64_t port_buffers(const struct config *c, const struct live_port *lp, uint64_t descriptors)
{
    if (c->live.mbufs > 0)
        return c->live.mbufs;
    uint64_t per_worker = descriptors + 2 * BURST_MAX + CACHE_PKTS * 3 / 2;
    if (lp->workers > 1)
        per_worker += RING_PKTS + BURST_MAX;
    return lp->workers * per_worker + 1024;
}

static bool take_buffers(const struct ports *p, struct port *port, uint32_t room, struct err *e)
{
    uint64_t n = port_buffers(p->options.config, port->config, port->descriptors);
    char name[RTE_MEMPOOL_NAMESIZE];
    snprintf(name, sizeof name, "tellscope_%u", port->id);
    unsigned cache = n >= 4 * CACHE_PKTS ? CACHE_PKTS : 0;
    int socket = rte_eth_dev_socket_id(port->id);
    port->pool = rte_pktmbuf_pool_create(name, (unsigned)n, cache, 0, (uint16_t)room, socket);
    if (port->pool == NULL
        && socket != SOCKET_ID_ANY) /* without huge pages there is one node's memory only */
        port->pool =
            rte_pktmbuf_pool_create(name, (unsigned)n, cache, 0, (uint16_t)room, SOCKET_ID_ANY);
    if (port->pool == NULL) {
        err_set(e, "%u buffers of %u bytes: %s", (unsigned)n, room, rte_strerror(rte_errno));
        return false;
    }
    return true;
}

/* Drivers whose number of queues is what the user made, and gets packets on each. */
static bool all_queues_fed(const struct port *port)
{
    static const char *const drivers[] = {"net_pcap", "net_af_packet", "net_af_xdp"};
    for (size_t i = 0; i < sizeof drivers / sizeof *drivers; i++)
        if (strcmp(drivers[i], port->dev.driver_name) == 0)
            return true;
    return false;
}

static bool count_queues(struct port *port, struct err *e)
{
    unsigned most = port->dev.max_rx_queues;
    port->n_queues = RTE_MIN(port->n_workers, most);
    if (port->n_queues == 0) {
        err_set(e, "it has no queue to receive on");
        return false;
    }
    if (all_queues_fed(port) && most > port->n_workers) {
        err_set(e, "it has %u queues and %u workers: each queue needs a worker", most,
                port->n_workers);
        return false;
    }
    return true;
}

static bool queues(struct port *port, const struct rte_eth_conf *conf, struct err *e)
{
    uint16_t rx = (uint16_t)(port->config->descriptors > 0 ? port->config->descriptors
                             : port->dev.default_rxportconf.ring_size > 0
                                 ? port->dev.default_rxportconf.ring_size
                                 : DESCRIPTORS);
    uint16_t tx = 512;
    int socket = rte_eth_dev_socket_id(port->id);
    int rc = rte_eth_dev_adjust_nb_rx_tx_desc(port->id, &rx, &tx);
    port->descriptors = rx;
    struct rte_eth_rxconf rxconf = port->dev.default_rxconf;
    rxconf.offloads = conf->rxmode.offloads;
    rxconf.rx_drop_en = 1; /* a full queue must not stop the others */
    for (uint16_t q = 0; q < port->n_queues && (rc == 0 || rc == -ENOTSUP); q++)
        rc = rte_eth_rx_queue_setup(port->id, q, rx, (unsigned)socket, &rxconf, port->pool);
    for (uint16_t q = 0; q < port->n_tx && rc == 0; q++)
        rc = rte_eth_tx_queue_setup(port->id, q, tx, (unsigned)socket, NULL);
    if (rc != 0)
        err_set(e, "set up its queues: %s", rte_strerror(-rc));
    return rc == 0;
}

static uint16_t frame_mtu(const struct port *port)
{
    uint16_t mtu = RTE_ETHER_MTU;
    if (port->config->mtu > 0)
        return (uint16_t)port->config->mtu;
    (void)rte_eth_dev_get_mtu(port->id, &mtu);
    if (port->dev.max_mtu > 0)
        mtu = RTE_MIN(mtu, port->dev.max_mtu);
    return mtu;
}

static bool configure_as(struct port *port, bool hash, bool shard, uint64_t offloads, struct err *e)
{
    uint8_t key[RSS_KEY_MAX];
    struct rte_eth_conf conf = {.rxmode = {.mtu = frame_mtu(port), .offloads = offloads}};
    if (hash)
        shard_configure(port, shard, &conf, key);
    int rc = rte_eth_dev_configure(port->id, (uint16_t)port->n_queues, (uint16_t)port->n_tx, &conf);
    if (rc != 0) {
        err_set(e, "configure it: %s", rte_strerror(-rc));
        return false;
    }
    return queues(port, &conf, e);
}

/* Asks for all, then without a hash of ours (a flow rule may still do it), until the driver takes
 * it. */
static bool configure(const struct ports *p, struct port *port, unsigned least_tx, struct err *e)
{
    uint64_t capa = port->dev.rx_offload_capa, offloads = 0;
    bool shard = shard_wanted(p, port);
    if (port->clock == PORT_CLOCK_NIC)
        offloads |= RTE_ETH_RX_OFFLOAD_TIMESTAMP;
    if (frame_mtu(port) + FRAME_EXTRA > DATA_ROOM)
        offloads |= capa & RTE_ETH_RX_OFFLOAD_SCATTER;
    port->rss = shard;
    /* Nothing is sent; but some drivers want a queue for it, or as many as there are to receive on.
     */
    const unsigned tx[] = {0, 1, port->n_queues};
    unsigned tries = port->n_queues > 1 ? 6 : 4;
    struct eal_log_mark mark = eal_log_mark();
    unsigned first = least_tx > 0 ? 2 : 0;
    for (unsigned i = first; i < tries; i++) {
        port->n_tx = tx[i / 2];
        if (configure_as(port, i % 2 == 0, shard, offloads, e)) {
            if (i > first)
                eal_log_forget(&mark); /* what it said of earlier tries */
            return true;
        }
    }
    return false;
}

uint32_t port_frame_asked(const struct live_port *lp)
{
    const char *framesz = strstr(lp->device, ",framesz="); /* net_af_packet copies it whole */
    unsigned long bytes = framesz != NULL ? strtoul(framesz + 9, NULL, 10) : 0;
    bytes = RTE_MAX(bytes, (unsigned long)lp->mtu + FRAME_EXTRA);
    return bytes > DATA_ROOM ? (uint32_t)RTE_MIN(bytes, ROOM_MOST) : 0;
}

static uint32_t data_room(const struct port *port)
{
    bool scatter = (port->dev.rx_offload_capa & RTE_ETH_RX_OFFLOAD_SCATTER) != 0;
    uint32_t room = RTE_MAX((uint32_t)DATA_ROOM, port->dev.min_rx_bufsize);
    if (!scatter)
        room = RTE_MAX(room,
                       RTE_MAX(port_frame_asked(port->config),
                               (uint32_t)RTE_MIN(frame_mtu(port) + FRAME_EXTRA, ONE_BUFFER_MOST)));
    return RTE_ALIGN_CEIL(RTE_MIN(room, (uint32_t)ROOM_MOST), 64);
}

bool port_open(struct ports *p, struct port *port, struct err *e)
{
    const char *device = port->config->device;
    if (!find(p, port, e) || !count_queues(port, e))
        goto fail;
    port->set_up = true; /* ours from now on */
    port->clock = port_clock_choose(p, port);
    uint16_t rx = (uint16_t)port->config->descriptors, tx = 0;
    if (rx == 0)
        rx = port->dev.default_rxportconf.ring_size > 0 ? port->dev.default_rxportconf.ring_size
                                                        : DESCRIPTORS;
    (void)rte_eth_dev_adjust_nb_rx_tx_desc(port->id, &rx, &tx);
    port->descriptors = rx;
    if (!take_buffers(p, port, data_room(port) + RTE_PKTMBUF_HEADROOM, e))
        goto fail;
    /* memif takes a port without, and then turns away whoever wants to be sent something */
    unsigned least_tx = strcmp(port->dev.driver_name, "net_memif") == 0 ? 1 : 0;
    if (!configure(p, port, least_tx, e))
        goto fail;
    int rc = port->config->mtu > 0 ? rte_eth_dev_set_mtu(port->id, (uint16_t)port->config->mtu) : 0;
    if (rc != 0) {
        err_set(e, "set its MTU to %u: %s", (unsigned)port->config->mtu, rte_strerror(-rc));
        goto fail;
    }
    kernel_queues_find(port);
    return true;
fail:
    return err_in(e, "port %.*s", (int)strcspn(device, ","), device);
}

static bool start(const struct ports *p, struct port *port, struct err *e)
{
    struct eal_log_mark mark = eal_log_mark();
    int rc = rte_eth_dev_start(port->id);
    if (rc != 0 && port->n_tx == 0) {
        if (!configure(p, port, 1, e))
            return false;
        rc = rte_eth_dev_start(port->id);
        if (rc == 0)
            eal_log_forget(&mark);
    }
    if (rc != 0)
        err_set(e, "start it: %s", rte_strerror(-rc));
    return rc == 0;
}

bool port_start(struct ports *p, struct port *port, struct err *e)
{
    const char *device = port->config->device;
    int rc = 0;
    if (!start(p, port, e))
        goto fail;
    port->started = true;
    if (port->config->promiscuous)
        rc = rte_eth_promiscuous_enable(port->id);
    if (rc != 0 && rc != -ENOTSUP) { /* virtual ones that cannot have no other mode */
        err_set(e, "set it promiscuous: %s", rte_strerror(-rc));
        goto fail;
    }
    port->rss = port->rss && shard_check(port);
    if (port->multi && !port->rss && p->options.config->live.distribute == DISTRIBUTE_RSS) {
        struct err why = {""};
        err_set(&why, "%s", port->rss_why);
        *e = why;
        (void)err_in(e, "live.distribute rss");
        goto fail;
    }
    atomic_store(&port->spreading, port->multi && !port->rss);
    if (port->clock == PORT_CLOCK_NIC && !nic_clock_start(p, port)) {
        port->clock = PORT_CLOCK_TSC;
        for (unsigned i = 0; i < port->n_workers; i++) /* none has been let in yet */
            port->workers[i].clock = PORT_CLOCK_TSC;
    }
    port_stats_begin(port);
    atomic_store_explicit(&port->state, PORT_OPEN, memory_order_release);
    return true;
fail:
    return err_in(e, "port %.*s", (int)strcspn(device, ","), device);
}

void port_close(struct port *port)
{
    if (port->set_up) {
        if (port->started)
            (void)rte_eth_dev_stop(port->id);
        (void)rte_eth_dev_close(port->id);
    }
    rte_mempool_free(port->pool);
    kernel_close(port);
}
