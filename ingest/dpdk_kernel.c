/* The kernel's own count of packets for which a queue of net_af_packet had no room: its driver
 * (22.11) tells of none. */
#include "ingest/dpdk_ports.h"

#include <linux/if_packet.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

enum { FDS_MAX = 1024 };

/* The interface that the device string names; 0: none. */
static unsigned interface_of(const char *device)
{
    char name[IF_NAMESIZE];
    const char *at = strstr(device, ",iface=");
    size_t len = at != NULL ? strcspn(at + 7, ",") : 0;
    if (len == 0 || len >= sizeof name)
        return 0;
    snprintf(name, sizeof name, "%.*s", (int)len, at + 7);
    return if_nametoindex(name);
}

static bool is_socket_of(int fd, unsigned interface)
{
    struct sockaddr_ll at = {0};
    socklen_t len = sizeof at;
    return getsockname(fd, (struct sockaddr *)&at, &len) == 0 && at.sll_family == AF_PACKET
           && at.sll_ifindex == (int)interface;
}

void kernel_queues_find(struct port *port)
{
    unsigned interface = interface_of(port->config->device);
    port->n_sockets = 0;
    if (strcmp(port->dev.driver_name, "net_af_packet") != 0 || interface == 0)
        return;
    for (int fd = 3; fd < FDS_MAX && port->n_sockets < WORKERS_MAX; fd++)
        if (is_socket_of(fd, interface))
            port->sockets[port->n_sockets++] = fd;
}

uint64_t kernel_queues_missed(const struct port *port)
{
    uint64_t missed = 0;
    for (unsigned i = 0; i < port->n_sockets; i++) {
        struct tpacket_stats s = {0};
        socklen_t len = sizeof s;
        if (getsockopt(port->sockets[i], SOL_PACKET, PACKET_STATISTICS, &s, &len) == 0)
            missed += s.tp_drops; /* since the last time somebody asked */
    }
    return missed;
}
