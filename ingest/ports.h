/* Ports of a live run, and the module that drives them (DPDK). The program loads the module at run time: nothing else needs it.
 *
 * The control thread opens, starts, asks, stops and closes; each worker's thread begins and ends its own worker and polls its source.
 * Workers are numbered 0..n-1 over all ports, in the order of the configuration. */
#pragma once
#include "core/config.h"
#include "ingest/clock.h"
#include "ingest/source.h"
#include "ingest/spread.h"

enum { PORTS_ABI = 1 };

/* Where the times of packets come from. */
enum port_clock {
    PORT_CLOCK_TSC,     /* our own, when the burst was read */
    PORT_CLOCK_NIC,     /* the adapter's, held against ours */
    PORT_CLOCK_CAPTURE, /* packets of a capture file (net_pcap), with the times written there */
};

struct ports;

struct ports_options {
    const struct config *config;  /* config->live; borrowed while open */
    const char *const *eal;       /* arguments behind "--"; put behind those of the configuration */
    unsigned n_eal;
    const struct clock *clock;    /* ours; borrowed while open */
    bool no_huge;                 /* run without huge pages, whatever there is */
};

struct port_info {
    char device[CONFIG_DEVICE_LEN]; /* as configured */
    char name[64], driver[64];      /* as the driver tells; "0000:3b:00.0", "net_ixgbe" */
    unsigned workers;               /* queues, one each */
    int numa;                       /* -1: none */
    uint8_t clock;                  /* enum port_clock */
    bool rss;         /* the adapter brings both directions of an address pair to one queue, and we know which */
    bool distributed; /* workers hand packets to each other over rings, by our own hash */
    uint64_t link_mbps; /* 0: not told */
    uint8_t mac[6];
};

/* Since the start; never runs backwards: resets and wraps of a driver's counters are bridged. */
struct port_stats {
    uint64_t received, bytes; /* given to the workers */
    uint64_t missed;          /* came while no descriptor was free */
    uint64_t no_mbuf;         /* came while no buffer was free */
    uint64_t errors;          /* refused by the adapter: bad frames */
};

/* Since the start, counted by the worker itself: each value is whole, several need not fit together. */
struct port_worker_stats {
    uint64_t polls, busy;       /* calls of rx; those that brought packets */
    uint64_t received, bytes;   /* from its queue */
    uint64_t given, taken;      /* handed to other workers; got from them */
    uint64_t turned_away;       /* could not be handed over: the other's ring was full. Lost, by our own fault */
    uint64_t misplaced;         /* kept, though another worker follows their address pair: flows may be split */
    uint64_t cut;               /* longer than what we read of a packet (64 KiB) */
    uint64_t unclocked;         /* without the adapter's time, or with one far off ours: got our own */
};

struct port_api {
    uint32_t abi; /* PORTS_ABI */
    /* Starts the driver framework, finds and configures all ports. The caller owns `*p`. */
    bool (*open)(struct ports **p, const struct ports_options *o, struct err *e);
    /* After stop, when every worker has ended. NULL is harmless. */
    void (*close)(struct ports *p);
    unsigned (*n_ports)(const struct ports *p);
    unsigned (*n_workers)(const struct ports *p);
    void (*info)(const struct ports *p, unsigned port, struct port_info *i);
    unsigned (*port_of)(const struct ports *p, unsigned worker);
    /* CPU the worker is to run on, -1: any. */
    int (*cpu_of)(const struct ports *p, unsigned worker);
    /* Buffers that are free, and all there are. */
    void (*buffers)(const struct ports *p, unsigned port, uint64_t *free, uint64_t *all);
    /* On the worker's own thread, before its first rx. `spread->give` is NULL where nothing needs to be handed over. */
    bool (*worker_begin)(struct ports *p, unsigned worker, struct source *s, struct spread *spread,
                         struct err *e);
    void (*worker_end)(struct ports *p, unsigned worker);
    /* All workers have begun: packets may come. */
    bool (*start)(struct ports *p, struct err *e);
    /* No more packets come; what workers have in their rings may still be read. */
    void (*stop)(struct ports *p);
    void (*port_stats)(struct ports *p, unsigned port, struct port_stats *s);
    void (*worker_stats)(const struct ports *p, unsigned worker, struct port_worker_stats *s);
    /* Registers a telemetry command ("/tellscope/stats"); `fill` writes one JSON object into `to` (at most `size` bytes with NUL)
     * and is called on a thread of the framework. */
    bool (*telemetry)(struct ports *p, const char *command, const char *help,
                      void (*fill)(void *ctx, char *to, size_t size), void *ctx, struct err *e);
};

/* Loads the module: from the build, or where it is installed. `*api` lives as long as the program. Error: says which package or
 * build option is missing. */
MUST_CHECK bool ports_load(const struct port_api **api, struct err *e);
/* The symbol the module exports: `const struct port_api tellscope_ports`. */
#define PORTS_SYMBOL "tellscope_ports"
