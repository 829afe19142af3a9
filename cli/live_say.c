/* What a live run says on stderr. */
#include "cli/doctor.h"
#include "cli/live_part.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void live_say(const struct live *l, const char *fmt, ...)
{
    char text[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    bool line = !l->o->quiet && isatty(STDERR_FILENO);
    fprintf(stderr, "%stellscope live: %s\n", line ? "\r\033[K" : "", text);
}

/* What the kernel keeps from us, of a port that goes through it. */
static void say_of_kernel(const struct live *l, const char *device)
{
    const char *at = strstr(device, "iface=");
    char name[32] = "?";
    struct doctor_link link;
    if (at != NULL)
        snprintf(name, sizeof name, "%.*s", (int)strcspn(at + 6, ","), at + 6);
    doctor_host.link(name, &link);
    live_say(l,
             "%s: through the kernel, some 0.5 million packets a second at most; it puts IPv4 "
             "fragments together, and what the "
             "interface drops stands in its own counters ('ip -s link show %s')",
             name, name);
    if (link.gro || link.lro)
        live_say(l,
                 "%s: the kernel merges packets before they are seen, and what is longer than a "
                 "frame of the ring is cut: "
                 "'ethtool -K %s gro off lro off' ends that",
                 name, name);
}

/* What this run cannot do, before somebody wonders. */
void live_say_limits(const struct live *l)
{
    const struct live_counts *c = &l->counts;
    if (l->o->quiet)
        return;
    for (unsigned i = 0; i < c->n_ports; i++) {
        if (strcmp(c->info[i].driver, "net_af_packet") == 0)
            say_of_kernel(l, c->info[i].device);
        if (c->info[i].workers > 1 && c->info[i].distributed && c->info[i].rss_why[0] != '\0')
            live_say(l, "%s: workers hand packets to each other: %s", c->info[i].device,
                     c->info[i].rss_why);
    }
    if (!l->o->api->huge(l->ports))
        live_say(l, "no huge pages: looking up addresses costs up to a third of the speed, and "
                    "adapters bound to vfio "
                    "may not start; 'tellscope doctor' says how to get them");
}

void live_say_misplaced(struct live *l, bool *warned)
{
    const struct live_counts *c = &l->counts;
    for (unsigned i = 0; i < c->n_ports; i++) {
        uint64_t received = 0, tunnelled = 0, misplaced = 0;
        for (unsigned k = 0; k < c->n_workers; k++) {
            bool here = c->port_of[k] == i;
            received += here ? c->workers[k].received : 0;
            tunnelled += here ? c->workers[k].tunnelled : 0;
            misplaced += here ? c->workers[k].misplaced : 0;
        }
        bool much = tunnelled * 100 > received && received > 10000;
        if (c->info[i].rss && !c->info[i].distributed && (much || misplaced > 0)) {
            live_say(
                l, "port %u: the adapter brings %s: from now on workers hand packets to each other",
                i, much ? "more than 1 % in tunnels" : "packets to other workers than their flow");
            l->o->api->redistribute(l->ports, i);
        } else if (misplaced > 0 && !*warned) {
            live_say(
                l,
                "port %u: fragments of tunnels came to another worker than their flow (misplaced): "
                "flows may be split",
                i);
            *warned = true;
        }
    }
}
