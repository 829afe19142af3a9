#define _GNU_SOURCE /* secure_getenv */
#include "ingest/ports.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MODULE "tellscope-dpdk.so"

/* Is the module there, `from` the folder of the program? */
static bool look(const char *folder, const char *from, char *path, size_t size)
{
    int n = snprintf(path, size, "%s/%s" MODULE, folder, from);
    return n > 0 && (size_t)n < size && access(path, F_OK) == 0;
}

static void find(char *path, size_t size)
{
    char folder[2048];
    const char *named = secure_getenv("TELLSCOPE_PORTS");
    ssize_t n = readlink("/proc/self/exe", folder, sizeof folder - 1);
    folder[n > 0 ? n : 0] = '\0';
    char *slash = strrchr(folder, '/');
    if (slash != NULL)
        *slash = '\0';
    if (named != NULL && named[0] != '\0')
        snprintf(path, size, "%s", named);
    else if (!look(folder, "", path, size))
        (void)look(folder, TELLSCOPE_MODULES "/", path, size);
}

bool ports_load(const struct port_api **api, struct err *e)
{
    char path[4096];
    find(path, sizeof path);
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
