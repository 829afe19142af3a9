/* What the files of a live run share. */
#pragma once
#include "cli/drop.h"
#include "cli/live.h"
#include "cli/live_worker.h"
#include "sinks/segment.h"
#include "sinks/space.h"

#include <time.h>

enum {
    LIVE_WORKERS_MAX = 64,
    LIVE_POOL_MAX = 512 /* spares of all workers, and the backlog */,
    LIVE_QUEUE_MAX = 64,
    LIVE_SPANS = 32, /* of a port, of the run; earlier ones are forgotten: unknown, not covered */
};

/* Time that nobody sets. */
static inline uint64_t live_monotonic_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * UINT64_C(1000000000) + (uint64_t)t.tv_nsec;
}

/* Sleeps for less than a second; a signal ends it. */
static inline void live_nap(unsigned ms)
{
    nanosleep(&(struct timespec){.tv_nsec = (long)ms * 1000000}, NULL);
}

/* All counters, as the control thread read them last. */
struct live_counts {
    unsigned n_ports, n_workers;
    struct port_info info[CONFIG_PORTS_MAX];
    struct port_stats ports[CONFIG_PORTS_MAX];
    uint64_t buffers_free[CONFIG_PORTS_MAX], buffers[CONFIG_PORTS_MAX];
    struct port_worker_stats workers[LIVE_WORKERS_MAX];
    unsigned port_of[LIVE_WORKERS_MAX];
    uint64_t stage_ns[LIVE_WORKERS_MAX][STAGE_N];
    uint64_t read, outcome[OUT_N]; /* in windows that closed */
    uint64_t clock_error_ns, clock_steps;
    uint64_t windows_written, windows_dropped, windows_waiting;
    uint64_t elapsed_ns;
};

/* What was lost so far: each reason once. */
struct live_loss {
    uint64_t missed, no_mbuf, ring, errors, misplaced;
};
struct live_loss live_loss_of(const struct live_counts *c);
struct live_loss live_loss_of_port(const struct live_counts *c, unsigned port);
static inline uint64_t live_lost(const struct live_loss *l)
{
    return l->missed + l->no_mbuf + l->ring + l->errors;
}
uint64_t live_received(const struct live_counts *c);
/* Received, and neither counted in a window nor lost on the way between workers: nothing, once all
 * windows have closed. */
int64_t live_unaccounted(const struct live_counts *c);

/* A window on its way to the disk. */
struct live_job {
    struct window *w;
    struct segment_head head;
    bool borrowed;                           /* a worker's own: not for the pool */
    bool ending;                             /* the run ends: the reserve may be used */
    struct live_loss told[CONFIG_PORTS_MAX]; /* of what was lost before us, it tells this part */
};

/* When something was so: by our clock, which may have been set between. */
struct live_spans {
    bool on;    /* the last one goes on */
    unsigned n; /* ever begun */
    struct {
        uint64_t from_ns, to_ns;
    } at[LIVE_SPANS]; /* a ring */
};

/* A port's link, and when it could see something. */
struct live_link {
    /* the control thread's own */
    uint64_t received, since_ns;
    uint8_t said; /* enum port_link */
    /* under the lock */
    struct live_spans seen;
};

struct live {
    const struct live_options *o;
    struct config config; /* with the window of live runs */
    struct config file;   /* as it was read at the start, without options */
    struct drop drop;     /* with o->user */
    struct ports *ports;
    struct clock *clock;
    struct live_worker *workers;
    struct cert_notes *notes; /* the closer's */
    unsigned n_workers;
    bool by_packets;
    atomic_int order; /* enum live_order */
    atomic_uint flush;
    uint64_t elapsed_ns;         /* the control thread's own */
    struct clock_view link_view; /* likewise */
    atomic_bool finish;          /* closer: workers have ended; writer: the closer has */
    pthread_mutex_t lock;        /* of all below */
    pthread_cond_t more;         /* something changed in the queue */
    struct live_counts counts;
    struct live_link links[CONFIG_PORTS_MAX];
    struct live_spans lived; /* all of the run's time, but for what the clock jumped over */
    struct window *pool[LIVE_POOL_MAX]; /* empty windows */
    unsigned n_pool;
    struct live_job queue[LIVE_QUEUE_MAX]; /* ring */
    unsigned queue_head, queue_tail;
    bool writing;
    bool closer_ended, writer_ended;
    uint64_t read, outcome[OUT_N];                /* in windows that closed */
    uint64_t written, dropped;                    /* windows */
    uint64_t dropped_told;                        /* in a segment's head */
    struct live_loss loss_told[CONFIG_PORTS_MAX]; /* in a segment's ledger */
    struct judge_options judge;                   /* the policy may be read again */
    struct space_options space;                   /* likewise */
    bool space_changed;                           /* the writer is to go by other `space` */
    pthread_t closer, writer;
};

enum vantage live_vantage(const struct live *l, unsigned port);

void *live_closer_run(void *live);
void *live_writer_run(void *live);
/* What `job` was to tell of losses, another window must: it is lost itself. The lock is held. */
void live_untell(struct live *l, const struct live_job *job);

/* The pool: a window, emptied; NULL where there is none. */
struct window *live_pool_take(struct live *l);
void live_pool_give(struct live *l, struct window *w);

/* One line on stderr, over the status line. */
void live_say(const struct live *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* At the start: what this run cannot do, before somebody wonders. */
void live_say_limits(const struct live *l);
/* While it runs: flows that may be split. Has the workers of a port hand packets to each other
 * where that mends it; `*warned`: it was said that nothing does. */
void live_say_misplaced(struct live *l, bool *warned);

/* live_link.c. Control thread, after live_count: looks at each link, says what changed. */
void live_link_look(struct live *l);
/* Anchors the clock. True where it was set, and windows are of its time: nobody lived through what
 * it jumped over. */
bool live_link_anchor(struct live *l);
/* False where every port's device was taken away. */
bool live_links_there(const struct live *l, struct err *e);
/* What the port watched of the window's time. */
void live_link_watched(struct live *l, unsigned port, struct window *w);

/* live_count.c: reads all counters (control thread); shows them. */
void live_count(struct live *l);
void live_status_line(const struct live *l, const struct live_counts *now,
                      const struct live_counts *before);
/* /tellscope/stats and /tellscope/queues, as dpdk-telemetry.py asks for them. */
MUST_CHECK bool live_telemetry(struct live *l, struct err *e);
void live_table(const struct live_counts *c, bool json);
