#include "ingest/ports_eal.h"

#include <string.h>

/* '=': a value follows, behind "=" or as the next argument; '?': one may, behind "="; '!': not for
 * us. */
static const struct {
    const char *name;
    char value;
} known[] = {
    {"allow", '='},        {"base-virtaddr", '='},   {"block", '='},
    {"create-uio-dev", 0}, {"file-prefix", '='},     {"force-max-simd-bitwidth", '='},
    {"help", '!'},         {"huge-dir", '='},        {"huge-unlink", '?'},
    {"in-memory", 0},      {"iova-mode", '='},       {"huge-worker-stack", '?'},
    {"lcores", '='},       {"legacy-mem", 0},        {"log-level", '='},
    {"main-lcore", '='},   {"match-allocations", 0}, {"mbuf-pool-ops-name", '='},
    {"no-hpet", 0},        {"no-huge", 0},           {"no-pci", 0},
    {"no-shconf", 0},      {"no-telemetry", 0},      {"proc-type", '!'},
    {"socket-limit", '='}, {"socket-mem", '='},      {"single-file-segments", 0},
    {"syslog", '='},       {"telemetry", 0},         {"trace", '='},
    {"trace-bufsz", '='},  {"trace-dir", '='},       {"trace-mode", '='},
    {"vdev", '='},         {"vfio-intr", '='},       {"vfio-vf-token", '='},
    {"vmware-tsc-map", 0},
};

static char long_value(const char *name, size_t len, bool *found)
{
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        *found = strlen(known[i].name) == len && memcmp(known[i].name, name, len) == 0;
        if (*found)
            return known[i].value;
    }
    return 0;
}

/* Sets `*value`: the next argument belongs to this one. */
static bool check_one(const char *arg, bool *value, struct err *e)
{
    bool found = false, is_long = strncmp(arg, "--", 2) == 0;
    size_t len = is_long ? strcspn(arg + 2, "=") : 1;
    char takes = 0;
    if (is_long) {
        takes = long_value(arg + 2, len, &found);
        found = found && (takes != 0 || arg[2 + len] == '\0');
    } else if (arg[0] == '-' && arg[1] != '\0') {
        found = strchr("abcsdlSmnrhv", arg[1]) != NULL;
        takes = arg[1] == 'h' ? '!' : arg[1] == 'v' ? 0 : '=';
    }
    if (!found)
        err_set(e, "%.80s is no argument of DPDK (EAL), in full", arg);
    else if (takes == '!')
        err_set(e, "%.80s cannot be given to DPDK (EAL): a live run is a first process", arg);
    *value = takes == '=' && arg[(is_long ? 2 : 1) + len] == '\0';
    return found && takes != '!';
}

bool ports_eal_check(const char *const args[], unsigned n, unsigned *bad, struct err *e)
{
    for (unsigned i = 0; i < n; i++) {
        bool value;
        *bad = i;
        if (!check_one(args[i], &value, e))
            return false;
        if (value && ++i == n) {
            err_set(e, "%.80s needs a value", args[n - 1]);
            return false;
        }
    }
    return true;
}
