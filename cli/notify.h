/* What a service manager is told: the protocol of sd_notify(3), over the datagram socket that
 * NOTIFY_SOCKET names. Where that is not set nobody listens, and nothing is done.
 *
 * One thread at a time. Nothing here waits: what the socket does not take at once is lost. */
#pragma once
#include "core/err.h"

#include <sys/socket.h>
#include <sys/un.h>

struct notify {
    int fd; /* -1: nobody listens */
    struct sockaddr_un to;
    socklen_t to_len;
    uint64_t watchdog_ns; /* notify_watchdog is due this often (half of what the manager allows); 0:
                             never */
};

/* Reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID. On failure, too, `n` can be used: nobody
 * listens then. */
MUST_CHECK bool notify_open(struct notify *n, struct err *e);
void notify_close(struct notify *n);

/* Each returns false where a listener could not be told (errno says why). `status` is one line for
 * people, NULL: none. */
bool notify_ready(const struct notify *n,
                  const char *status); /* after the start and after each reload */
bool notify_status(const struct notify *n, const char *status);
bool notify_reloading(const struct notify *n);
bool notify_stopping(const struct notify *n, const char *status);
bool notify_watchdog(const struct notify *n);
