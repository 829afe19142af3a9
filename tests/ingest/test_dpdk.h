/* For the tests of the DPDK module. The framework starts once in the life of a process: each case
 * that needs it is a child's. */
#pragma once
#include "ingest/headers.h"
#include "ingest/ports.h"
#include "tests/child.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifdef TELLSCOPE_HAVE_DPDK
extern const struct port_api tellscope_ports;
static const struct port_api *const api = &tellscope_ports;

/* A clock that a test may set; at 0 it is the machine's. */
static _Atomic uint64_t clock_says;

static inline uint64_t test_now(const struct clock *c, struct clock_view *v)
{
    struct timespec ts;
    (void)c;
    v->last_ns = clock_says;
    if (v->last_ns == 0) {
        clock_gettime(CLOCK_REALTIME, &ts);
        v->last_ns = (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
    }
    return v->last_ns;
}

static struct config config;

static inline void use_port(const char *device, unsigned workers)
{
    struct live_port *p = &config.live.ports[config.live.n_ports++];
    *p = (struct live_port){.workers = workers};
    snprintf(p->device, sizeof p->device, "%s", device);
}

static inline struct ports_options options_of(void)
{
    return (struct ports_options){.config = &config, .now = test_now, .no_huge = true};
}

static inline struct ports *open_configured(void)
{
    struct ports *p;
    struct err e = {""};
    struct ports_options o = options_of();
    if (config.live.burst == 0)
        config.live.burst = 32;
    CHECK(api->open(&p, &o, &e), "%s", e.text);
    CHECK(!api->huge(p), "asked for none");
    return p;
}

static inline struct headers *headers_for_test(void)
{
    struct headers *h;
    struct err e;
    struct headers_limits limits = {1024, 1 << 22, 60000};
    CHECK(headers_new(&h, &limits, &e), "%s", e.text);
    return h;
}

static inline void shared_path(char *path, size_t size, const char *name)
{
    const char *shared = getenv("TELLSCOPE_SHARED");
    snprintf(path, size, "%s/captures/%s", shared != NULL ? shared : TELLSCOPE_SHARED, name);
}
#endif
