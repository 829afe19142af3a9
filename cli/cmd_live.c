#define _GNU_SOURCE /* MAP_LOCKED */
#include "cli/commands.h"
#include "cli/live.h"
#include "cli/options_common.h"
#include "core/config_value.h"
#include "ingest/filter.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { RING_FRAME_BYTES = 2048 };

enum {
    OPT_CONFIG,
    OPT_INTERFACE,
    OPT_OUTPUT,
    OPT_FILTER,
    OPT_WINDOW,
    OPT_SENSOR,
    OPT_VANTAGE,
    OPT_SCOPE,
    OPT_SET,
    OPT_DURATION,
    OPT_PACKETS,
    OPT_NO_HUGE,
    OPT_USER,
    OPT_POLICY,
    OPT_MAX_LOSS,
    OPT_JSON,
    OPT_QUIET,
    OPT_N
};

static const struct option_def defs[OPT_N] = {
    [OPT_CONFIG] = {'c', "config", "FILE",
                    "read the configuration FILE: ports and workers under live"},
    [OPT_INTERFACE] = {'i', "interface", "IFACE",
                       "without ports in the configuration: the kernel's interface IFACE,\n"
                       "one worker, no huge pages (some 0.5 million packets a second at most)"},
    [OPT_OUTPUT] = {'o', "output", "DIR", "write segments into DIR (made if need be)"},
    [OPT_FILTER] = {'f', "filter", "BPF", "take only packets that pass this pcap-filter(7)"},
    [OPT_WINDOW] = {0, "window", "SECONDS", "length of a window: 60, 5m, 1h; divides a day"},
    [OPT_SENSOR] = {0, "sensor", "NAME", "name of the sensor in segments"},
    [OPT_VANTAGE] = {0, "vantage", "V",
                     "where the ports listen: lan, router, wan, server, unknown"},
    [OPT_SCOPE] = {0, "scope", "SCOPE", "of whom rows are kept: gateways or all"},
    [OPT_SET] = {0, "set", "KEY=VALUE",
                 "set a key of the configuration, for example live.burst=64"},
    [OPT_DURATION] = {0, "duration", "SECONDS", "stop after so long: 30, 5m, 1d"},
    [OPT_PACKETS] = {0, "packets", "N", "stop when N packets were received"},
    [OPT_NO_HUGE] = {0, "no-huge", NULL,
                     "run without huge pages: slower, and only with devices of the kernel"},
    [OPT_USER] = {0, "user", "NAME[:GROUP]", "become this user once the ports are open"},
    [OPT_POLICY] = {0, "policy", "FILE", "judge TLS by this policy instead of the default one"},
    [OPT_MAX_LOSS] = {0, "max-loss", "P%", "exit 5 where more than P % were lost"},
    [OPT_JSON] = {0, "json", NULL, "the counters at the end as one JSON object"},
    [OPT_QUIET] = {'q', "quiet", NULL, "no table and no status line"},
};
static const struct usage usage = {
    "live", "[-- EAL-ARGS]",
    "Reads DPDK ports until SIGINT or SIGTERM and writes a segment for each window into DIR.\n"
    "SIGHUP reads the TLS policy and the limits of space again. 'tellscope doctor' says what is\n"
    "missing on this host.",
    defs, OPT_N};

struct live_command {
    struct config config;
    struct judge_options judge;
    struct live_options o;
    const char *interface;
};

static bool take_option(void *ctx, int option, const char *value, struct err *e)
{
    struct live_command *c = ctx;
    switch (option) {
    case OPT_INTERFACE:
        c->interface = value;
        return true;
    case OPT_OUTPUT:
        c->o.dir = value;
        return true;
    case OPT_FILTER:
        c->o.bpf = value;
        return true;
    case OPT_WINDOW:
        return option_window(value, &c->config.live.window_s, e);
    case OPT_DURATION:
        return option_seconds(value, 1, UINT64_C(31536000), &c->o.duration_s, e);
    case OPT_PACKETS:
        return config_value_number(value, 1, UINT64_MAX, &c->o.packets, e);
    case OPT_NO_HUGE:
        c->o.no_huge = true;
        return true;
    case OPT_USER:
        return config_set(&c->config, "live.user", value, e);
    case OPT_MAX_LOSS:
        return option_percent(value, &c->o.max_loss_percent, e);
    case OPT_JSON:
        c->o.json = true;
        return true;
    default: /* OPT_QUIET */
        c->o.quiet = true;
        return true;
    }
}

/* How many packets the kernel may hold for us: 8,192, or as many as we may lock the memory for. The
 * driver locks two rings of frames; its own 512 are gone in a hundredth of a second. */
static unsigned ring_frames(void)
{
    enum { MOST = 8192, LEAST = 512 };
    unsigned n = MOST;
    for (; n > LEAST; n /= 2) {
        size_t bytes = 2 * (size_t)n * RING_FRAME_BYTES;
        void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, -1, 0);
        if (p == MAP_FAILED)
            continue;
        munmap(p, bytes);
        break;
    }
    return n;
}

/* -i IFACE: a port of the kernel's. */
static int use_interface(struct live_command *c, const struct options *o)
{
    struct live_port *p = &c->config.live.ports[0];
    if (if_nametoindex(c->interface) == 0)
        return options_fail(o, "-i %.60s: %s; 'ip -br link' lists the interfaces", c->interface,
                            strerror(errno));
    *p = (struct live_port){.workers = 1, .promiscuous = true};
    snprintf(p->device, sizeof p->device,
             "net_af_packet0,iface=%.60s,blocksz=262144,framesz=%d,framecnt=%u", c->interface,
             RING_FRAME_BYTES, ring_frames());
    c->config.live.n_ports = 1;
    c->o.no_huge = true;
    return EXIT_OK;
}

static int check_usage(struct live_command *c, const struct options *o)
{
    struct err e = {""};
    struct filter *filter = NULL; /* made again for each worker: here only its text is judged */
    if (c->interface != NULL && c->config.live.n_ports > 0)
        return options_fail(
            o,
            "-i IFACE is for runs without live.ports in the configuration: leave one of them out");
    if (c->interface == NULL && c->config.live.n_ports == 0)
        return options_fail(o, "no port: -i IFACE, or live.ports in a configuration (-c FILE)");
    bool good = c->o.bpf == NULL || filter_new(&filter, c->o.bpf, 0, &e);
    filter_free(filter);
    if (!good)
        return options_fail(o, "%s", e.text);
    return c->interface != NULL ? use_interface(c, o) : EXIT_OK;
}

int cmd_live(int argc, char **argv)
{
    static struct live_command c; /* large */
    struct options o;
    struct err e;
    c = (struct live_command){.config = config_default(), .judge = judge_options_default()};
    c.o.max_loss_percent = -1;
    struct common_options common = {
        OPT_CONFIG, OPT_POLICY,          OPT_SET,   OPT_SENSOR,          OPT_VANTAGE,
        OPT_SCOPE,  .take = take_option, .ctx = &c, .config = &c.config, .policy = &c.judge.policy};
    if (options_common(&common, &o, &usage, argc, argv) != EXIT_OK)
        return o.status;
    c.o.config_path = common.config_path;
    c.o.policy_path = common.policy_path;
    if (o.first < o.argc && strcmp(argv[o.first - 1], "--") != 0)
        return options_fail(&o, "%.60s: no argument belongs here; arguments of EAL follow --",
                            argv[o.first]);
    int status = check_usage(&c, &o);
    if (status != EXIT_OK)
        return status;
    c.o.config = &c.config;
    c.o.judge = &c.judge;
    c.o.user = c.config.live.user;
    c.o.eal = (const char *const *)argv + o.first;
    c.o.n_eal = (unsigned)(o.argc - o.first);
    if (!ports_load(&c.o.api, &e)) {
        fprintf(stderr, "tellscope live: %s\n", e.text);
        return EXIT_RUNTIME;
    }
    return live_run(&c.o);
}
