/* A worker of a live run: its own thread, its own tables, its own part of the packets. */
#pragma once
#include "cli/handover.h"
#include "cli/pipeline.h"
#include "ingest/ports.h"

#include <pthread.h>

enum {
    LIVE_GRACE_S =
        12, /* a window closes so long after its end: exchanges are decided 10 s after they began */
    LIVE_DECIDED_S = 10,
    LIVE_SPARES = 2, /* empty windows that lie ready for each worker */
};

enum live_order { LIVE_WAIT, LIVE_GO, LIVE_FINISH };

struct live_worker {
    /* set before the thread starts */
    const struct port_api *api;
    struct ports *ports;
    const struct clock *clock;
    unsigned number;
    const char *device;
    uint8_t vantage;         /* enum vantage */
    bool by_packets;         /* time is that of the packets (PORT_CLOCK_CAPTURE) */
    const atomic_int *order; /* enum live_order */
    const atomic_uint
        *flush; /* counts up where all windows are to close at once: the clock was set */
    uint64_t window_ns;
    struct pipeline *pl;
    pthread_t thread;
    /* the worker's own */
    struct clock_view view;
    uint64_t sweep_to_ns,
        swept_ns; /* the round of decode_sweep being made, and the last one that was finished */
    uint64_t closed_ns;
    uint64_t look_ns; /* nothing is due before */
    /* told to the other threads */
    atomic_int state;                     /* enum live_state */
    struct err err;                       /* once LIVE_FAILED */
    atomic_uint flushed;                  /* the last *flush it obeyed */
    atomic_uint_fast64_t closed_until_ns; /* windows that end until then were handed over */
    atomic_uint_fast64_t polls;           /* also a sign of life */
    atomic_uint_fast64_t packets;         /* counted in its windows */
    struct handover closed, empty;
};

enum live_state { LIVE_STARTING, LIVE_READY, LIVE_FAILED, LIVE_ENDED };

/* Makes its pipeline and tables; `empty` must be filled before the thread runs. `config`: with the
 * window of live runs. */
MUST_CHECK bool live_worker_new(struct live_worker *w, const struct config *config, const char *bpf,
                                struct err *e);
void live_worker_free(struct live_worker *w);

/* The thread. After it, what it had open is in w->pl->windows. */
void *live_worker_run(void *worker);

/* How many windows a worker may have open at once. */
unsigned live_windows_open(uint64_t window_s);
