#include "cli/notify.h"
#include "core/config_value.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* "/run/x", or "@x" for a socket without a file, whose name begins with a NUL byte. */
static bool address_of(const char *name, struct notify *n, struct err *e)
{
    size_t len = strlen(name);
    if ((name[0] != '/' && name[0] != '@') || len < 2 || len >= sizeof n->to.sun_path) {
        err_set(e, "\"%.120s\" is no path of a socket", name);
        return false;
    }
    n->to.sun_family = AF_UNIX;
    memcpy(n->to.sun_path, name, len);
    if (name[0] == '@')
        n->to.sun_path[0] = '\0';
    n->to_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + (name[0] == '/'));
    return true;
}

/* The watchdog may be another process's: then WATCHDOG_PID is not ours. */
static bool watchdog_of(uint64_t *ns, struct err *e)
{
    const char *us = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
    uint64_t n;
    *ns = 0;
    if (us == NULL)
        return true;
    if (pid != NULL && (!config_value_number(pid, 1, INT32_MAX, &n, e)))
        return err_in(e, "WATCHDOG_PID");
    if (pid != NULL && n != (uint64_t)getpid())
        return true;
    if (!config_value_number(us, 1, UINT64_MAX / 1000, &n, e))
        return err_in(e, "WATCHDOG_USEC");
    *ns = n * 1000 / 2;
    return true;
}

bool notify_open(struct notify *n, struct err *e)
{
    const char *name = getenv("NOTIFY_SOCKET");
    *n = (struct notify){.fd = -1};
    if (name == NULL || name[0] == '\0')
        return true;
    if (!address_of(name, n, e))
        return err_in(e, "NOTIFY_SOCKET");
    if (!watchdog_of(&n->watchdog_ns, e))
        return false;
    n->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (n->fd >= 0)
        return true;
    n->watchdog_ns = 0;
    err_set(e, "NOTIFY_SOCKET: %s", strerror(errno));
    return false;
}

void notify_close(struct notify *n)
{
    if (n->fd >= 0)
        close(n->fd);
    n->fd = -1;
}

/* `state` is "NAME=1" or "". A line break in `status` would begin another variable. */
static bool tell(const struct notify *n, const char *state, const char *status)
{
    char text[512];
    if (n->fd < 0)
        return true;
    int len = snprintf(text, sizeof text, "%s%s", state, status != NULL ? "STATUS=" : "");
    for (const char *p = status; p != NULL && *p != '\0' && (size_t)len < sizeof text; p++)
        text[len++] = (unsigned char)*p < 0x20 ? ' ' : *p;
    return sendto(n->fd, text, (size_t)len, MSG_NOSIGNAL, (const struct sockaddr *)&n->to,
                  n->to_len)
           == len;
}

bool notify_ready(const struct notify *n, const char *status)
{
    return tell(n, "READY=1\n", status);
}

bool notify_status(const struct notify *n, const char *status)
{
    return tell(n, "", status != NULL ? status : "");
}

/* The time tells the manager which READY belongs to this reload (Type=notify-reload). */
bool notify_reloading(const struct notify *n)
{
    char state[64];
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    snprintf(state, sizeof state, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64 "\n",
             (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000);
    return tell(n, state, NULL);
}

bool notify_stopping(const struct notify *n, const char *status)
{
    return tell(n, "STOPPING=1\n", status);
}

bool notify_watchdog(const struct notify *n)
{
    return tell(n, "WATCHDOG=1\n", NULL);
}
