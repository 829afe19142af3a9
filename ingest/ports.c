#define _GNU_SOURCE /* secure_getenv */
#include "ingest/ports.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MODULE "tellscope-dpdk.so"

/* The module beside the program: "" where there is none. */
static void beside(char *path, size_t size)
{
    ssize_t n = readlink("/proc/self/exe", path, size);
    path[n > 0 && (size_t)n < size ? n : 0] = '\0';
    char *slash = strrchr(path, '/');
    size_t at = slash != NULL ? (size_t)(slash + 1 - path) : 0;
    if (slash == NULL || at + sizeof MODULE > size) {
        path[0] = '\0';
        return;
    }
    memcpy(path + at, MODULE, sizeof MODULE);
    if (access(path, F_OK) != 0)
        path[0] = '\0';
}

bool ports_load(const struct port_api **api, struct err *e)
{
    static const char installed[] = TELLSCOPE_LIBDIR "/" MODULE;
    char path[4096];
    const char *named = secure_getenv("TELLSCOPE_PORTS");
    if (named != NULL && named[0] != '\0')
        snprintf(path, sizeof path, "%s", named);
    else
        beside(path, sizeof path);
    if (path[0] == '\0')
        snprintf(path, sizeof path, "%s", installed);
    if (access(path, F_OK) != 0) {
        err_set(
            e,
            "this build has no module for live ports (%s): build it with libdpdk-dev installed and "
            "TELLSCOPE_DPDK=ON",
            path);
        return false;
    }
    /* Never unloaded: the framework leaves threads behind. */
    void *module = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (module == NULL) {
        err_set(e, "%s (Debian: apt-get install dpdk)", dlerror());
        return err_in(e, "load the module for live ports");
    }
    const struct port_api *found = dlsym(module, PORTS_SYMBOL);
    if (found == NULL || found->abi != PORTS_ABI) {
        err_set(e, "%s is of another release of this program: install both together", path);
        return false;
    }
    *api = found;
    return true;
}
