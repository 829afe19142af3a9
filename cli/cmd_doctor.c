#include "cli/commands.h"
#include "cli/doctor.h"
#include "cli/options.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OPT_CONFIG, OPT_INTERFACE, OPT_JSON, OPT_N };
static const struct option_def defs[OPT_N] = {
    [OPT_CONFIG] = {'c', "config", "FILE",
                    "look at what live capture with the configuration FILE needs"},
    [OPT_INTERFACE] =
        {'i', "interface", "IFACE",
         "look at what 'live -i IFACE' needs: a kernel interface, one worker, no huge pages"},
    [OPT_JSON] = {0, "json", NULL, "print one JSON object"},
};
static const struct usage usage = {
    "doctor", "",
    "What is missing for live capture on this host, a line for each check: ok, warn (costs speed "
    "or\n"
    "exactness) or FAIL, and the command that mends it. Changes nothing. Run it as the user that\n"
    "live runs as. Exit status 0 where live capture would start, else 1.",
    defs, OPT_N};

/* What `live -i` runs with. */
static bool config_of_interface(struct config *c, const char *iface, struct err *e)
{
    struct live_port *p = &c->live.ports[0];
    size_t len = strlen(iface);
    bool ok = len > 0 && len < 16;
    for (size_t i = 0; ok && i < len; i++)
        ok = isalnum((unsigned char)iface[i]) || strchr("._-:@", iface[i]) != NULL;
    if (!ok) {
        err_set(e, "-i \"%.40s\" is no name of an interface; as eth0", iface);
        return false;
    }
    *p = (struct live_port){.workers = 1, .promiscuous = true};
    snprintf(p->device, sizeof p->device, "net_af_packet0,iface=%s", iface);
    c->live.n_ports = 1;
    c->live.huge_pages = HUGE_NO;
    return true;
}

static int report(const struct config *c, const char *file, bool json)
{
    struct doctor *d = calloc(1, sizeof *d);
    struct text_sink text = {0};
    if (d == NULL) {
        fprintf(stderr, "tellscope doctor: out of memory\n");
        return EXIT_RUNTIME;
    }
    *d = (struct doctor){.c = c, .file = file, .root = "", .host = &doctor_host};
    doctor_run(d);
    (json ? doctor_json : doctor_text)(d, &text);
    int status = doctor_well(d) && !text.failed ? EXIT_OK : EXIT_RUNTIME;
    if (text.failed)
        fprintf(stderr, "tellscope doctor: out of memory\n");
    else
        fputs(text.p, stdout);
    text_free(&text);
    free(d);
    return status;
}

int cmd_doctor(int argc, char **argv)
{
    struct options o = options_of(&usage, argc, argv);
    const char *file = NULL, *iface = NULL;
    bool json = false;
    struct config c = config_default();
    struct err e = {""};
    for (int i; (i = options_next(&o)) != OPTIONS_END;)
        switch (i) {
        case OPT_CONFIG:
            file = o.value;
            break;
        case OPT_INTERFACE:
            iface = o.value;
            break;
        case OPT_JSON:
            json = true;
            break;
        default:
            return o.status;
        }
    if (o.first < argc)
        return options_fail(&o, "%.80s: no arguments are taken", argv[o.first]);
    if (file != NULL && !config_load(&c, file, &e)) {
        fprintf(stderr, "tellscope doctor: %s\n", e.text);
        return EXIT_CONFIG;
    }
    if (iface != NULL && c.live.n_ports > 0)
        return options_fail(&o, "-i and ports in the configuration: one of both");
    if (iface != NULL && !config_of_interface(&c, iface, &e))
        return options_fail(&o, "%s", e.text);
    return report(&c, file, json);
}
