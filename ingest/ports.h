/* Ports of a live run, and the module that drives them (DPDK). The program loads the module at run
 * time: nothing else needs it.
 *
 * The control thread opens, starts, asks, stops and closes; each worker's thread begins and ends
 * its own worker and polls its source. Workers are numbered 0..n-1 over all ports, in the order of
 * the configuration. */
#pragma once
#include "core/config.h"
#include "ingest/clock.h"
#include "ingest/source.h"
#include "ingest/spread.h"

enum { PORTS_ABI = 2 };

/* Where the times of packets come from. */
enum port_clock {
    PORT_CLOCK_TSC,     /* our own, when the burst was read */
    PORT_CLOCK_NIC,     /* the adapter's, held against ours */
    PORT_CLOCK_CAPTURE, /* packets of a capture file (net_pcap), with the times written there; the
                           file waits while workers are behind, and never says that it has ended */
};

/* Can packets come? */
enum port_link {
    PORT_LINK_UP,   /* or the driver does not tell */
    PORT_LINK_DOWN, /* no carrier, or switched off */
    PORT_LINK_GONE, /* the device was taken away: only a new start can bring it back */
};

struct ports;

struct ports_options {
    const struct config *config; /* config->live; borrowed while open */
    const char *const *eal;      /* arguments behind "--"; put behind those of the configuration */
    unsigned n_eal;
    const struct clock *clock; /* ours; borrowed while open */
    uint64_t (*now)(const struct clock *c,
                    struct clock_view *v); /* clock_now: the module links nothing of the program */
    bool no_huge;                          /* run without huge pages, whatever there is */
};

struct port_info {
    char device[CONFIG_DEVICE_LEN]; /* as configured */
    char name[64], driver[64];      /* as the driver tells; "0000:3b:00.0", "net_ixgbe" */
    unsigned workers;
    int numa;        /* -1: none */
    uint8_t clock;   /* enum port_clock */
    uint8_t link;    /* enum port_link, now */
    unsigned queues; /* the first `queues` of the workers read one each; the others get packets from
                        them */
    bool rss; /* the adapter brings both directions of an address pair to one queue, and we know
                 which */
    bool distributed;     /* workers hand packets to each other over rings, by our own hash */
    uint64_t descriptors; /* of a queue, as the driver took them */
    uint64_t link_mbps;   /* 0: not told */
    uint8_t mac[6];
    char rss_why[128]; /* why the adapter's hash is not used; "" where it is, or one worker is all
                          there is */
};

enum { PORT_QUEUES_MAX = 16 };

/* Since the start; never runs backwards. A value of the driver below the one before it means a wrap
 * at 32 bits where the one before was in the last quarter of them, else a reset: then all of it is
 * new, and what came between the last look and the reset is lost to us. Look often (once a second:
 * 32 bits of packets last 28 s at 150 Mpps). */
struct port_stats {
    uint64_t received, bytes; /* given to the workers, or waiting for them in descriptors */
    uint64_t missed;          /* came while no descriptor was free */
    uint64_t no_mbuf;         /* came while no buffer was free */
    uint64_t errors;          /* refused by the adapter: bad frames */
    struct {
        uint64_t received, bytes, errors;
    } queue[PORT_QUEUES_MAX]; /* as far as the driver counts them, else 0 */
};

/* Since the start, counted by the worker itself: each value is whole, several need not fit
 * together. */
struct port_worker_stats {
    uint64_t polls, busy;     /* calls of rx; those that brought packets */
    uint64_t received, bytes; /* from its queue */
    uint64_t given, taken; /* for other workers; got from them. Over all workers of a port that have
                              ended, given = taken + turned_away */
    uint64_t turned_away;  /* of `given`: the other's ring was full, or it had ended. Lost, by our
                              own fault */
    uint64_t
        misplaced; /* kept, though another worker follows their address pair: flows may be split */
    uint64_t
        tunnelled; /* sharded by the adapter, by other addresses than those the flow is known by */
    uint64_t cut;  /* longer than what we read of a packet (64 KiB) */
    uint64_t unclocked; /* without the adapter's time, or with one far off ours: got our own */
};

/* An answer to a telemetry command: an object of numbers, texts and objects that hold numbers and
 * texts. Names are made of letters, digits, '_' and '/'; others get '_' for what is not allowed. At
 * most 256 entries an object and some 16,000 bytes in all: what is beyond is left out. */
struct port_answer {
    void (*number)(struct port_answer *a, const char *name, uint64_t value);
    void (*text)(struct port_answer *a, const char *name,
                 const char *value); /* the first 127 bytes */
    void (*begin)(struct port_answer *a,
                  const char *name); /* an object inside: one level, no more */
    void (*end)(struct port_answer *a);
};

struct port_api {
    uint32_t abi; /* PORTS_ABI */
    /* Release of the framework: "DPDK 22.11.11". */
    const char *(*version)(void);
    /* Starts the driver framework, finds and configures all ports. The caller owns `*p`. */
    bool (*open)(struct ports **p, const struct ports_options *o, struct err *e);
    /* After stop, when every worker has ended. NULL is harmless. */
    void (*close)(struct ports *p);
    /* Whether the buffers lie in huge pages. */
    bool (*huge)(const struct ports *p);
    /* How `dpdk-telemetry.py -f PREFIX` finds this process. */
    const char *(*prefix)(const struct ports *p);
    unsigned (*n_ports)(const struct ports *p);
    unsigned (*n_workers)(const struct ports *p);
    void (*info)(const struct ports *p, unsigned port, struct port_info *i);
    unsigned (*port_of)(const struct ports *p, unsigned worker);
    /* CPU the worker is to run on, -1: any. */
    int (*cpu_of)(const struct ports *p, unsigned worker);
    /* Buffers that are free, and all there are. */
    void (*buffers)(const struct ports *p, unsigned port, uint64_t *free, uint64_t *all);
    /* On the worker's own thread, before its first rx. `spread->give` is NULL where nothing needs
     * to be handed over. */
    bool (*worker_begin)(struct ports *p, unsigned worker, struct source *s, struct spread *spread,
                         struct err *e);
    void (*worker_end)(struct ports *p, unsigned worker);
    /* All workers have begun: packets may come. */
    bool (*start)(struct ports *p, struct err *e);
    /* No more packets come; what workers have in their rings may still be read. Waits, a second at
     * most, until each worker has polled once more: a port whose worker hangs is left running. */
    void (*stop)(struct ports *p);
    /* Holds the adapters' clocks to ours. Once a second, on the control thread, after clock_anchor.
     */
    void (*anchor)(struct ports *p);
    /* From now on workers of the port hand packets to each other by our own hash, as if it had been
     * configured. For ports whose adapter's hash turns out not to do (`tunnelled`, `misplaced`).
     * Any thread; flows that live now may be split once. */
    void (*redistribute)(struct ports *p, unsigned port);
    void (*port_stats)(struct ports *p, unsigned port, struct port_stats *s);
    void (*worker_stats)(const struct ports *p, unsigned worker, struct port_worker_stats *s);
    /* The driver's own counters that are not zero, a line each: "name value". Returns the length;
     * cut to whole lines. */
    size_t (*xstats)(struct ports *p, unsigned port, char *to, size_t size);
    /* Registers a telemetry command ("/tellscope/stats"). `fill` is called on a thread of the
     * framework, until close. */
    bool (*telemetry)(struct ports *p, const char *command, const char *help,
                      void (*fill)(void *ctx, struct port_answer *a), void *ctx, struct err *e);
};

/* Loads the module: TELLSCOPE_PORTS names one (tests), else the one beside the program (a build),
 * else the installed one. `*api` lives as long as the program. Error: says which package or build
 * option is missing. */
MUST_CHECK bool ports_load(const struct port_api **api, struct err *e);
/* The symbol the module exports: `const struct port_api tellscope_ports`. */
#define PORTS_SYMBOL "tellscope_ports"
