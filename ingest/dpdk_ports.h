/* What the files of the DPDK module share: ports, workers, who owns what. Only ingest/dpdk* may
 * include this. */
#pragma once
#include "ingest/dpdk_rss.h"
#include "ingest/ports.h"

#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_ring.h>

#include <stdatomic.h>

enum {
    WORKERS_MAX = 64,      /* of a port */
    ALL_WORKERS_MAX = 96,  /* of all: what the framework registers as threads */
    RING_PKTS = 4096,      /* a worker's ring holds one less */
    RING_TURN = 32,        /* taken from it before the queue has its turn */
    CACHE_PKTS = 256,      /* free buffers a worker keeps to itself */
    SCRATCH_BYTES = 65536, /* of one packet */
    LINK_ETHERNET = 1,
};

/* Written by its worker alone. */
struct worker_counters {
    alignas(64) _Atomic uint64_t polls, busy, received, bytes, given, taken, turned_away, misplaced;
    _Atomic uint64_t tunnelled, cut, unclocked;
};
static_assert(sizeof(struct worker_counters) % 64 == 0, "no false sharing");

/* The adapter's clock held to ours: written by the control thread, read by workers. */
struct nic_clock {
    alignas(64) _Atomic uint32_t seq; /* odd while it is written */
    _Atomic uint64_t ticks, ns, rate; /* ns of `ticks`; ns a tick, times 2^32 */
    uint64_t before_ticks, before_ns; /* control: the look before */
    bool timesync;                    /* read by rte_eth_timesync_read_time */
};

struct worker {
    struct port *port;
    struct rte_ring *ring; /* what others hand over; NULL: nobody does */
    uint16_t port_id, index, burst;
    bool has_queue, begun, registered;
    uint8_t clock;            /* enum port_clock */
    unsigned n_held, n_taken; /* lent; the first n_taken of them came over the ring */
    struct rte_mbuf *held[BURST_MAX];
    struct clock_view view;
    uint8_t *scratch; /* BURST_MAX packets of SCRATCH_BYTES */
    uint16_t n_batch[WORKERS_MAX];
    struct rte_mbuf *batch[WORKERS_MAX][BURST_MAX]; /* for each worker of the port */
    const struct ports *ports;
    alignas(64) _Atomic bool quiet; /* has seen that its port is closed, or has not begun */
    struct worker_counters count;
};

struct bridge {
    uint64_t last, total;
};

enum { BRIDGES = 5, BRIDGE_MISSED = 2, QUEUE_BRIDGES = 3 };

/* Only forwards. A worker that has seen PORT_CLOSED never reads a queue again, and says so. */
enum port_state { PORT_CLOSED_YET, PORT_OPEN, PORT_CLOSED };

struct port {
    const struct live_port *config;
    uint16_t id;
    unsigned n_workers, first_worker, n_queues, n_tx;
    struct worker *workers; /* its part of ports.workers */
    struct rte_mempool *pool;
    uint16_t descriptors;
    uint8_t clock;
    bool rss, multi; /* sharded by the adapter; several workers */
    char rss_why[128];
    struct rss rss_map;       /* who gets what, by the adapter */
    _Atomic unsigned n_begun; /* workers */
    _Atomic uint8_t state;    /* enum port_state */
    _Atomic bool spreading;   /* workers hand over */
    bool started;
    bool set_up; /* queues stand */
    struct rte_eth_dev_info dev;
    struct nic_clock nic;
    struct bridge bridges[BRIDGES], queue_bridges[PORT_QUEUES_MAX][QUEUE_BRIDGES];
    int cpus[WORKERS_MAX];
    unsigned interface; /* of the kernel, that the device is or reads; 0: none */
    int ask_fd;         /* what the kernel is asked of it through; 0: none */
    unsigned n_sockets; /* of net_af_packet */
    int sockets[WORKERS_MAX];
    char name[RTE_ETH_NAME_MAX_LEN];
};

struct ports {
    struct ports_options options;
    struct port ports[CONFIG_PORTS_MAX];
    unsigned n_ports;
    struct worker *workers;
    unsigned n_workers;
    bool huge;
    char prefix[64];
    int ts_offset;    /* our own time in a buffer that is handed over */
    int rx_ts_offset; /* the driver's time; -1: none */
    uint64_t rx_ts_flag;
};

/* dpdk_port.c: finds the device of ports[i].config among those of the framework, takes its buffers,
 * sets up queues and sharding. */
MUST_CHECK bool port_open(struct ports *p, struct port *port, struct err *e);
MUST_CHECK bool port_start(struct ports *p, struct port *port, struct err *e);
void port_close(struct port *port);
/* Bytes of a frame that do not fit an ordinary buffer, by what is configured; 0: they do. */
uint32_t port_frame_asked(const struct live_port *lp);
/* Buffers a port of so many workers wants, `descriptors` a queue. */
uint64_t port_buffers(const struct config *c, const struct live_port *lp, uint64_t descriptors);

/* dpdk_rx.c: the packet path, and what belongs to a worker's thread. */
MUST_CHECK bool worker_new(struct ports *p, struct port *port, unsigned i, struct err *e);
void worker_free(struct worker *w);
bool worker_begin(struct ports *p, unsigned worker, struct source *s, struct spread *spread,
                  struct err *e);
void worker_end(struct ports *p, unsigned worker);
void worker_stats(const struct ports *p, unsigned worker, struct port_worker_stats *s);

/* dpdk_clock.c: where times come from. */
/* Chooses by what the device and the configuration say. */
uint8_t port_clock_choose(const struct ports *p, const struct port *port);
/* Whether the adapter's clock can be read; if not, the port falls back to ours. */
bool nic_clock_start(struct ports *p, struct port *port);
void nic_clock_anchor(struct ports *p, struct port *port);
/* Time of the adapter in UTC. */
uint64_t nic_clock_ns(const struct nic_clock *n, uint64_t ticks);

/* dpdk_stats.c */
/* Adds what a driver's counter went up since the last look. */
void bridge_add(struct bridge *b, uint64_t now);
/* Where counting begins. */
void port_stats_begin(struct port *port);
void port_stats(struct ports *p, unsigned port, struct port_stats *s);
size_t port_xstats(struct ports *p, unsigned port, char *to, size_t size);

/* dpdk_kernel.c: finds the interface of the kernel's that a port is, and its sockets. */
void kernel_queues_find(struct port *port);
void kernel_close(struct port *port);
/* Drivers of such ports (22.11) do not see that it is down or gone: enum port_link. */
uint8_t kernel_link(const struct port *port);
/* What they had no room for since the last call. */
uint64_t kernel_queues_missed(const struct port *port);

/* dpdk_telemetry.c */
bool telemetry_add(struct ports *p, const char *command, const char *help,
                   void (*fill)(void *ctx, struct port_answer *a), void *ctx, struct err *e);
/* Nobody is asked any more when this returns. */
void telemetry_clear(void);
