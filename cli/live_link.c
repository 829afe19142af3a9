/* Which ports can see something, since when: a window that nobody could look into is not covered.
 */
#include "cli/live_part.h"

#include <string.h>

#define SETTLED_NS UINT64_C(2000000000) /* so long a state lasts before it is worth a line */

static void say(struct live *l, unsigned port, uint8_t link)
{
    struct live_link *k = &l->links[port];
    const char *device = l->counts.info[port].device;
    uint64_t now_ns = live_monotonic_ns();
    if (link == k->said || k->since_ns == 0)
        k->since_ns = now_ns;
    if (link == k->said || now_ns - k->since_ns < SETTLED_NS)
        return;
    k->said = link;
    int len = (int)strcspn(device, ",");
    if (link == PORT_LINK_UP)
        live_say(l, "port %.*s: its link is up", len, device);
    else if (link == PORT_LINK_DOWN)
        live_say(l, "port %.*s: its link is down, nothing is seen; it goes on when it is up", len,
                 device);
    else if (l->counts.n_ports > 1) /* else the run ends, and says so */
        live_say(l, "port %.*s: the device is gone; it needs a new start", len, device);
}

/* Ports of one vantage see one thing together: one of them alone is not enough. */
static bool all_up(const struct live *l, unsigned port, const bool up[])
{
    for (unsigned i = 0; i < l->counts.n_ports; i++)
        if (!up[i] && live_vantage(l, i) == live_vantage(l, port))
            return false;
    return true;
}

/* The lock is held. */
static void look_at(struct live_spans *s, bool on, uint64_t now_ns)
{
    if (on && !s->on)
        s->at[s->n++ % LIVE_SPANS].from_ns = now_ns;
    if (on)
        s->at[(s->n - 1) % LIVE_SPANS].to_ns = now_ns;
    s->on = on;
}

void live_link_look(struct live *l)
{
    const struct live_counts *c = &l->counts;
    uint64_t now_ns = clock_now(l->clock, &l->link_view);
    bool up[CONFIG_PORTS_MAX];
    for (unsigned i = 0; i < c->n_ports; i++) {
        struct live_link *k = &l->links[i];
        bool came = c->ports[i].received > k->received; /* whatever the driver says of its link */
        k->received = c->ports[i].received;
        up[i] = came || c->info[i].link == PORT_LINK_UP;
        say(l, i, up[i] ? PORT_LINK_UP : c->info[i].link);
    }
    pthread_mutex_lock(&l->lock);
    for (unsigned i = 0; i < c->n_ports; i++)
        look_at(&l->links[i].seen, all_up(l, i, up), now_ns);
    look_at(&l->lived, true, l->lived.n == 0 ? 0 : now_ns); /* before the first: as it began */
    pthread_mutex_unlock(&l->lock);
}

bool live_link_anchor(struct live *l)
{
    uint64_t before_ns = clock_now(l->clock, &l->link_view);
    if (!clock_anchor(l->clock) || l->by_packets)
        return false;
    uint64_t after_ns = clock_now(l->clock, &l->link_view);
    pthread_mutex_lock(&l->lock);
    for (unsigned i = 0; i < l->counts.n_ports; i++)
        l->links[i].seen.on = false;
    look_at(&l->lived, true, before_ns);
    l->lived.on = false;
    look_at(&l->lived, true, after_ns);
    pthread_mutex_unlock(&l->lock);
    return true;
}

bool live_links_there(const struct live *l, struct err *e)
{
    for (unsigned i = 0; i < l->counts.n_ports; i++)
        if (l->links[i].said != PORT_LINK_GONE)
            return true;
    const char *device = l->counts.info[0].device;
    err_set(e, "port %.*s: the device is gone", (int)strcspn(device, ","), device);
    return false;
}

void live_link_watched(struct live *l, unsigned port, struct window *w)
{
    pthread_mutex_lock(&l->lock);
    struct live_spans s = l->links[port].seen;
    pthread_mutex_unlock(&l->lock);
    unsigned n = s.n < LIVE_SPANS ? s.n : LIVE_SPANS;
    for (unsigned i = 0; i < n; i++)
        window_watched(w, live_vantage(l, port), s.at[i].from_ns, s.at[i].to_ns);
}
