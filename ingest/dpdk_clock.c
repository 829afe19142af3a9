#define ALLOW_EXPERIMENTAL_API /* rte_eth_read_clock */
#include "ingest/dpdk_ports.h"

#include <string.h>
#include <time.h>

__extension__ typedef unsigned __int128 wide;

uint8_t port_clock_choose(const struct ports *p, const struct port *port)
{
    const char *device = port->config->device;
    uint8_t wanted = p->options.config->live.clock;
    if (wanted == CLOCK_TSC)
        return PORT_CLOCK_TSC;
    /* A file read over and over has times that do not grow. */
    if (strcmp(port->dev.driver_name, "net_pcap") == 0)
        return strstr(device, ",rx_pcap=") != NULL && strstr(device, ",infinite_rx=1") == NULL
                   ? PORT_CLOCK_CAPTURE
                   : PORT_CLOCK_TSC;
    return (port->dev.rx_offload_capa & RTE_ETH_RX_OFFLOAD_TIMESTAMP) != 0 ? PORT_CLOCK_NIC
                                                                           : PORT_CLOCK_TSC;
}

static bool ticks_now(const struct port *port, uint64_t *ticks)
{
    struct timespec ts;
    if (!port->nic.timesync)
        return rte_eth_read_clock(port->id, ticks) == 0;
    if (rte_eth_timesync_read_time(port->id, &ts) != 0)
        return false;
    *ticks = (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
    return true;
}

/* Both clocks at one moment: ours in the middle of two looks. */
static bool look(const struct ports *p, const struct port *port, uint64_t *ticks, uint64_t *ns)
{
    struct clock_view v = {0};
    uint64_t before = p->options.now(p->options.clock, &v);
    if (!ticks_now(port, ticks))
        return false;
    uint64_t after = p->options.now(p->options.clock, &v);
    *ns = before + (after - before) / 2;
    return true;
}

static void publish(struct nic_clock *n, uint64_t ticks, uint64_t ns, uint64_t rate)
{
    uint32_t seq = atomic_load_explicit(&n->seq, memory_order_relaxed);
    atomic_store_explicit(&n->seq, seq + 1, memory_order_relaxed);
    atomic_thread_fence(memory_order_release);
    atomic_store_explicit(&n->ticks, ticks, memory_order_relaxed);
    atomic_store_explicit(&n->ns, ns, memory_order_relaxed);
    atomic_store_explicit(&n->rate, rate, memory_order_relaxed);
    atomic_store_explicit(&n->seq, seq + 2, memory_order_release);
}

uint64_t nic_clock_ns(const struct nic_clock *n, uint64_t ticks)
{
    uint64_t at, ns, rate;
    uint32_t seq, again;
    do {
        seq = atomic_load_explicit(&n->seq, memory_order_acquire);
        at = atomic_load_explicit(&n->ticks, memory_order_relaxed);
        ns = atomic_load_explicit(&n->ns, memory_order_relaxed);
        rate = atomic_load_explicit(&n->rate, memory_order_relaxed);
        atomic_thread_fence(memory_order_acquire);
        again = atomic_load_explicit(&n->seq, memory_order_relaxed);
    } while (seq != again || (seq & 1) != 0);
    if (ticks >= at)
        return ns + (uint64_t)((wide)(ticks - at) * rate >> 32);
    return ns - (uint64_t)((wide)(at - ticks) * rate >> 32);
}

void nic_clock_anchor(struct ports *p, struct port *port)
{
    struct nic_clock *n = &port->nic;
    uint64_t ticks, ns;
    if (!look(p, port, &ticks, &ns))
        return; /* the last rate holds on; far off, our own clock is taken */
    if (ticks > n->before_ticks && ns > n->before_ns)
        publish(n, ticks, ns,
                (uint64_t)(((wide)(ns - n->before_ns) << 32) / (ticks - n->before_ticks)));
    n->before_ticks = ticks;
    n->before_ns = ns;
}

bool nic_clock_start(struct ports *p, struct port *port)
{
    struct nic_clock *n = &port->nic;
    uint64_t ticks;
    if (p->rx_ts_offset < 0)
        return false;
    if (!ticks_now(port, &ticks)) {
        n->timesync = rte_eth_timesync_enable(port->id) == 0;
        if (!n->timesync || !ticks_now(port, &ticks))
            return false;
    }
    if (!look(p, port, &n->before_ticks, &n->before_ns))
        return false;
    nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    nic_clock_anchor(p, port);
    return atomic_load(&n->seq) > 0;
}
