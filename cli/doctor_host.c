/* Doctor: what only system calls can tell of this host. */
#include "cli/doctor.h"
#include "cli/drop.h"
#include "ingest/ports.h"

#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static bool ethtool_on(int fd, struct ifreq *r, uint32_t command, uint32_t bit)
{
    struct ethtool_value v = {.cmd = command};
    r->ifr_data = (void *)&v;
    return ioctl(fd, SIOCETHTOOL, r) == 0 && (v.data & bit) != 0;
}

static void link_of(const char *name, struct doctor_link *l)
{
    struct ifreq r = {0};
    *l = (struct doctor_link){0};
    if (strlen(name) >= sizeof r.ifr_name)
        return;
    snprintf(r.ifr_name, sizeof r.ifr_name, "%s", name);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    if (ioctl(fd, SIOCGIFFLAGS, &r) == 0) {
        l->exists = true;
        l->up = (r.ifr_flags & IFF_UP) != 0;
        l->carrier = (r.ifr_flags & IFF_RUNNING) != 0;
    }
    if (l->exists && ioctl(fd, SIOCGIFHWADDR, &r) == 0)
        l->ethernet =
            r.ifr_hwaddr.sa_family == ARPHRD_ETHER || r.ifr_hwaddr.sa_family == ARPHRD_LOOPBACK;
    if (l->exists) {
        l->gro = ethtool_on(fd, &r, ETHTOOL_GGRO, 1);
        l->lro = ethtool_on(fd, &r, ETHTOOL_GFLAGS, ETH_FLAG_LRO);
    }
    close(fd);
}

static bool module_loads(struct err *e)
{
    const struct port_api *api;
    return ports_load(&api, e);
}

static bool user_found(const char *user, bool *is_self, struct err *e)
{
    struct drop d;
    if (!drop_find(user, &d, e))
        return false;
    *is_self = geteuid() == d.uid;
    return true;
}

const struct doctor_host doctor_host = {link_of, module_loads, user_found};
