/* Doctor: CPUs of workers, their NUMA nodes and what else runs there; the clock. */
#include "cli/doctor_part.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* A file that holds a list of CPUs; false where it cannot be read. */
static bool list_of(const struct doctor *d, struct cpus *c, const char *path)
{
    char text[4096];
    struct err ignored;
    *c = (struct cpus){0};
    return doctor_file(d, text, sizeof text, "%s", path) && cpus_parse(text, c, &ignored);
}

static bool allowed_of(const struct doctor *d, struct cpus *c, char text[static 256])
{
    struct err ignored;
    *c = (struct cpus){0};
    return doctor_field(d, "self/status", "Cpus_allowed_list", text, 256)
           && cpus_parse(text, c, &ignored);
}

static struct cpus named_by(const struct live_port *p)
{
    struct cpus c = {0};
    struct err ignored;
    (void)!cpus_parse(p->cpus, &c, &ignored); /* the configuration was read */
    return c;
}

/* ---- are they there */

/* Whether CPU `cpu` of a port can be used. */
static bool check_cpu(struct doctor *d, const struct doctor_port *o, unsigned cpu,
                      const struct cpus *online, const struct cpus *allowed,
                      const char *allowed_text)
{
    char run[400];
    if (!cpus_has(online, cpu)) {
        bool there = doctor_exists(d, "/sys/devices/system/cpu/cpu%u", cpu);
        snprintf(run, sizeof run,
                 there ? "echo 1 > /sys/devices/system/cpu/cpu%u/online" : "lscpu --extended", cpu);
        doctor_say(d, DOCTOR_FAIL, "cpus", o->id, run, "CPU %u is %s", cpu,
                   there ? "switched off" : "not there; the command lists those there are");
        return false;
    }
    if (!cpus_has(allowed, cpu)) {
        char before[96];
        snprintf(before, sizeof before, "taskset -c %s", o->p->cpus);
        doctor_again(d, run, before);
        doctor_say(d, DOCTOR_FAIL, "cpus", o->id, run,
                   "CPU %u is not among those this process may use (%.100s)", cpu, allowed_text);
        return false;
    }
    return true;
}

/* A CPU that an earlier port names too; -1: none. */
static int shared_cpu(const struct doctor *d, unsigned port)
{
    struct cpus mine = named_by(&d->c->live.ports[port]);
    for (unsigned i = 0; i < port; i++) {
        struct cpus other = named_by(&d->c->live.ports[i]);
        for (unsigned k = 0; k < mine.n; k++)
            if (cpus_has(&other, mine.at[k]))
                return mine.at[k];
    }
    return -1;
}

static void check_port_cpus(struct doctor *d, unsigned port, const struct doctor_port *o,
                            const struct cpus *online, const struct cpus *allowed,
                            const char *allowed_text)
{
    struct cpus named = named_by(o->p);
    char run[400], expression[160];
    for (unsigned i = 0; i < named.n; i++)
        if (!check_cpu(d, o, named.at[i], online, allowed, allowed_text))
            return;
    int shared = shared_cpu(d, port);
    if (shared >= 0) {
        snprintf(expression, sizeof expression, "s/cpus: \"\\?%.70s\"\\?/cpus: \"\"/", o->p->cpus);
        doctor_edit(d, run, expression);
        doctor_say(d, DOCTOR_WARN, "cpus", o->id, run,
                   "CPU %d is another port's too: two workers that poll without pause share it",
                   shared);
        return;
    }
    if (named.n > 0)
        doctor_say(d, DOCTOR_OK, "cpus", o->id, NULL, "%s, for %" PRIu64 " worker%s", o->p->cpus,
                   o->p->workers, o->p->workers > 1 ? "s" : "");
}

static void check_number(struct doctor *d, const struct cpus *allowed)
{
    uint64_t workers = 0;
    char run[400];
    for (unsigned i = 0; i < d->c->live.n_ports; i++)
        workers += d->c->live.ports[i].workers;
    doctor_edit(d, run, "s/workers: [0-9]*/workers: 1/");
    if (workers > allowed->n)
        doctor_say(d, DOCTOR_WARN, "cpus", NULL, run,
                   "%" PRIu64 " workers that poll without pause share %u CPU%s", workers,
                   allowed->n, allowed->n == 1 ? "" : "s");
    else
        doctor_say(d, DOCTOR_OK, "cpus", NULL, NULL, "%u may be used, by %" PRIu64 " worker%s",
                   allowed->n, workers, workers == 1 ? "" : "s");
}

/* ---- where they are */

static void check_numa(struct doctor *d, const struct doctor_port *o)
{
    struct cpus near, named = named_by(o->p);
    char path[96], list[256], run[400];
    if (!doctor_exists(d, "/sys/devices/system/node/node1"))
        return; /* one node: all is near */
    if (o->node < 0) {
        doctor_say(d, DOCTOR_OK, "numa", o->id, NULL, "on no node in particular");
        return;
    }
    snprintf(path, sizeof path, "/sys/devices/system/node/node%d/cpulist", o->node);
    if (!list_of(d, &near, path) || !doctor_file(d, list, sizeof list, "%s", path))
        return;
    if (named.n == 0) {
        char expression[400];
        int len = (int)strcspn(o->p->device, ",");
        snprintf(expression, sizeof expression,
                 "s/^\\( *\\)- device: .*%.*s.*/&\\n\\1  cpus: \"%.60s\"/; "
                 "s/{device: \"%.*s[^\"]*\"/&, cpus: \"%.60s\"/",
                 len, o->p->device, list, len, o->p->device, list);
        doctor_edit(d, run, expression);
        doctor_say(d, DOCTOR_WARN, "numa", o->id, run,
                   "on node %d, and no CPUs are named: workers may run on another, which is slower",
                   o->node);
        return;
    }
    for (unsigned i = 0; i < named.n; i++) {
        if (cpus_has(&near, named.at[i]))
            continue;
        char expression[400];
        snprintf(expression, sizeof expression, "s/cpus: \"\\?%.70s\"\\?/cpus: \"%.200s\"/",
                 o->p->cpus, list);
        doctor_edit(d, run, expression);
        doctor_say(d, DOCTOR_WARN, "numa", o->id, run,
                   "on node %d, whose CPUs are %.120s; CPU %u is on another, which is slower",
                   o->node, list, named.at[i]);
        return;
    }
    doctor_say(d, DOCTOR_OK, "numa", o->id, NULL, "on node %d, as its CPUs", o->node);
}

/* Others must not run where workers poll. */
static void check_isolated(struct doctor *d)
{
    struct cpus isolated;
    char all[512] = "", arguments[300], run[400];
    size_t at = 0;
    bool every = true;
    (void)!list_of(d, &isolated, "/sys/devices/system/cpu/isolated");
    for (unsigned i = 0; i < d->c->live.n_ports; i++) {
        const struct live_port *p = &d->c->live.ports[i];
        struct cpus named = named_by(p);
        if (named.n > 0 && at < sizeof all)
            at += (size_t)snprintf(all + at, sizeof all - at, "%s%s", at > 0 ? "," : "", p->cpus);
        for (unsigned k = 0; k < named.n; k++)
            every = every && cpus_has(&isolated, named.at[k]);
    }
    if (at == 0)
        return;
    if (every) {
        doctor_say(d, DOCTOR_OK, "isolated", NULL, NULL, "%.200s: nothing else runs there", all);
        return;
    }
    snprintf(arguments, sizeof arguments, "isolcpus=%.80s nohz_full=%.80s rcu_nocbs=%.80s", all,
             all, all);
    doctor_boot(run, arguments);
    doctor_say(d, DOCTOR_WARN, "isolated", NULL, run,
               "not all of %.100s are kept free of other work, which costs packets at high rates",
               all);
}

/* ---- the clock */

static void check_clock(struct doctor *d)
{
    char source[64], offered[256], flags[8192];
    bool x86 = doctor_field(d, "cpuinfo", "flags", flags, sizeof flags);
    (void)doctor_file(d, source, sizeof source,
                      "/sys/devices/system/clocksource/clocksource0/current_clocksource");
    (void)doctor_file(d, offered, sizeof offered,
                      "/sys/devices/system/clocksource/clocksource0/available_clocksource");
    const char *lacks = !x86                                  ? NULL
                        : !doctor_cpu_flag(d, "constant_tsc") ? "constant_tsc"
                        : !doctor_cpu_flag(d, "nonstop_tsc")  ? "nonstop_tsc"
                                                              : NULL;
    if (lacks != NULL)
        doctor_say(d, DOCTOR_WARN, "clock", NULL, "lscpu",
                   "the processor's time-stamp counter lacks %s: the kernel is asked for each "
                   "burst's time, which "
                   "costs speed",
                   lacks);
    else if (!x86)
        doctor_say(d, DOCTOR_OK, "clock", NULL, NULL, "%s",
                   source[0] != '\0' ? source : "the kernel's");
    else if (strcmp(source, "tsc") == 0)
        doctor_say(d, DOCTOR_OK, "clock", NULL, NULL, "tsc, constant_tsc, nonstop_tsc");
    else
        doctor_say(
            d, DOCTOR_WARN, "clock", NULL,
            strstr(offered, "tsc") != NULL
                ? "echo tsc > /sys/devices/system/clocksource/clocksource0/current_clocksource"
                : "dmesg | grep -i tsc",
            "the kernel keeps time by %s and not by the time-stamp counter, which it may not "
            "trust%s",
            source[0] != '\0' ? source : "something else",
            strstr(offered, "tsc") != NULL ? "" : "; the command tells why");
}

void doctor_check_cpus(struct doctor *d)
{
    struct cpus online, allowed;
    char allowed_text[256];
    bool known = list_of(d, &online, "/sys/devices/system/cpu/online")
                 && allowed_of(d, &allowed, allowed_text);
    if (!known)
        doctor_say(d, DOCTOR_WARN, "cpus", NULL, "lscpu --extended",
                   "what CPUs there are is not known");
    for (unsigned i = 0; i < d->c->live.n_ports; i++) {
        struct doctor_port o;
        doctor_port_of(d, &d->c->live.ports[i], &o);
        if (known)
            check_port_cpus(d, i, &o, &online, &allowed, allowed_text);
        check_numa(d, &o);
    }
    if (known && d->c->live.n_ports > 0)
        check_number(d, &allowed);
    check_isolated(d);
    check_clock(d);
}
