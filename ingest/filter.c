#include "ingest/filter.h"

#include <pcap/pcap.h>
#include <stdlib.h>

enum {
    LINKS_MAX = 16,
    SNAP_LEN_MAX = 262144,
    LINKTYPE_ETHERNET = 1,
    LINKTYPE_RADIOTAP = 127,
};

struct compiled {
    bool used, refuses_all;
    uint32_t link;
    struct bpf_program program;
};

struct filter {
    char *text;
    int snap_len;
    struct compiled *last; /* that of the packet before: nearly always the right one */
    unsigned next;         /* replaced when all are used, in turn */
    struct compiled links[LINKS_MAX];
    uint32_t told[LINKS_MAX]; /* link types with a complaint, given or not */
    unsigned n_told, n_given;
    struct err complaints[LINKS_MAX];
};

/* libpcap compiles for its own DLT_ numbers; LINKTYPE_ numbers in files differ in these
 * (https://www.tcpdump.org/linktypes.html). */
static int dlt_of(uint32_t link)
{
    switch (link) {
    case 100:
        return DLT_ATM_RFC1483;
    case 101:
        return DLT_RAW;
    case 102:
        return DLT_SLIP_BSDOS;
    case 103:
        return DLT_PPP_BSDOS;
    case 106:
        return DLT_ATM_CLIP;
    default:
        return (int)(link & 0xffff);
    }
}

/* A filter is good where it is for one of these: 802.11 knows words that Ethernet does
 * not. The complaint is Ethernet's. */
static const uint32_t tried[] = {LINKTYPE_ETHERNET, LINKTYPE_RADIOTAP};

static bool compile(const struct filter *f, uint32_t link, struct bpf_program *program,
                    struct err *e)
{
    pcap_t *dead = pcap_open_dead(dlt_of(link), f->snap_len);
    if (dead == NULL) {
        err_set(e, "out of memory");
        return false;
    }
    bool good = pcap_compile(dead, program, f->text, 1, PCAP_NETMASK_UNKNOWN) == 0;
    if (!good)
        err_set(e, "%s", pcap_geterr(dead));
    pcap_close(dead);
    return good;
}

bool filter_new(struct filter **f, const char *text, uint32_t snap_len, struct err *e)
{
    struct filter *made = calloc(1, sizeof *made);
    if (made != NULL)
        made->text = strdup(text);
    if (made == NULL || made->text == NULL) {
        free(made);
        err_set(e, "out of memory");
        return err_in(e, "filter");
    }
    made->snap_len = snap_len > 0 && snap_len < SNAP_LEN_MAX ? (int)snap_len : SNAP_LEN_MAX;
    struct compiled *first = &made->links[0];
    struct err why[sizeof tried / sizeof *tried];
    for (size_t i = 0; !first->used && i < sizeof tried / sizeof *tried; i++) {
        first->link = tried[i];
        first->used = compile(made, tried[i], &first->program, &why[i]);
    }
    if (!first->used) {
        *e = why[0];
        filter_free(made);
        return err_in(e, "filter \"%.200s\"", text);
    }
    made->last = first;
    made->next = 1;
    *f = made;
    return true;
}

static void complain(struct filter *f, uint32_t link, const struct err *why)
{
    for (unsigned i = 0; i < f->n_told; i++)
        if (f->told[i] == link)
            return;
    if (f->n_told == LINKS_MAX)
        return;
    struct err *e = &f->complaints[f->n_told];
    f->told[f->n_told++] = link;
    *e = *why;
    err_in(e, "filter \"%.200s\" on link type %u, all of whose packets are refused", f->text, link);
}

/* The program for `link`, compiled now if need be. A remembered one makes room: which, only time
 * depends on. */
static struct compiled *program_for(struct filter *f, uint32_t link)
{
    for (unsigned i = 0; i < LINKS_MAX; i++)
        if (f->links[i].used && f->links[i].link == link)
            return &f->links[i];
    struct compiled *c = &f->links[f->next];
    struct err why;
    f->next = (f->next + 1) % LINKS_MAX;
    pcap_freecode(&c->program);
    *c = (struct compiled){.used = true, .link = link};
    c->refuses_all = !compile(f, link, &c->program, &why);
    if (c->refuses_all)
        complain(f, link, &why);
    return c;
}

void filter_burst(struct filter *f, struct pkt pkts[], unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        struct pkt *p = &pkts[i];
        if (f->last->link != p->link)
            f->last = program_for(f, p->link);
        struct pcap_pkthdr head = {.caplen = p->cap_len, .len = p->wire_len};
        p->filtered =
            f->last->refuses_all || pcap_offline_filter(&f->last->program, &head, p->bytes) == 0;
    }
}

bool filter_complaint(struct filter *f, struct err *e)
{
    if (f->n_given == f->n_told)
        return false;
    *e = f->complaints[f->n_given++];
    return true;
}

void filter_free(struct filter *f)
{
    if (f == NULL)
        return;
    for (unsigned i = 0; i < LINKS_MAX; i++)
        pcap_freecode(&f->links[i].program);
    free(f->text);
    free(f);
}
