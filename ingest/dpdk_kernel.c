/* What the kernel tells of ports that are its interfaces, and the drivers (22.11) do not: packets
 * for which a queue of net_af_packet had no room, and whether the interface is up. */
#include "ingest/dpdk_ports.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FDS_MAX = 1024 };

/* The interface that the device string names; 0: none. */
static unsigned interface_of(const char *device)
{
    char name[IF_NAMESIZE];
    static const char *const keys[] = {",iface=", ",rx_iface="};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const char *at = strstr(device, keys[i]);
        size_t key = strlen(keys[i]), len = at != NULL ? strcspn(at + key, ",") : 0;
        if (len == 0 || len >= sizeof name)
            continue;
        snprintf(name, sizeof name, "%.*s", (int)len, at + key);
        return if_nametoindex(name);
    }
    return 0;
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
    unsigned interface = port->interface = interface_of(port->config->device);
    port->n_sockets = 0;
    if (interface != 0)
        port->ask_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
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

void kernel_close(struct port *port)
{
    if (port->ask_fd > 0)
        close(port->ask_fd);
    port->ask_fd = 0;
}

/* By its index: its name may change, and another may get it. */
uint8_t kernel_link(const struct port *port)
{
    struct ifreq r = {.ifr_ifindex = (int)port->interface};
    if (port->ask_fd <= 0)
        return PORT_LINK_UP;
    if (ioctl(port->ask_fd, SIOCGIFNAME, &r) != 0)
        return errno == ENODEV ? PORT_LINK_GONE : PORT_LINK_UP;
    if (ioctl(port->ask_fd, SIOCGIFFLAGS, &r) != 0)
        return PORT_LINK_UP;
    const short both = IFF_UP | IFF_RUNNING;
    return (r.ifr_flags & both) == both ? PORT_LINK_UP : PORT_LINK_DOWN;
}
