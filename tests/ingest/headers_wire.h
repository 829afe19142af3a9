/* Packets for tests, built from their names: "eth vlan5 ip4 udp data". */
#pragma once
#include "core/addr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* Built from the inside out: each header is put before what there is. */
struct wire {
    uint8_t buf[2048];
    size_t at; /* first byte used */
};

static inline void put(struct wire *w, const void *bytes, size_t n)
{
    assert_true(n <= w->at);
    w->at -= n;
    memcpy(w->buf + w->at, bytes, n);
}

#define PUT(w, ...) put((w), (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))
#define HI(n)       (uint8_t)((n) >> 8), (uint8_t)(n)

static inline size_t len_of(const struct wire *w)
{
    return sizeof w->buf - w->at;
}

/* A header by its name in a row: what others call it, and how it is written. */
struct header {
    const char *name;
    uint16_t ether, ppp; /* EtherType, PPP protocol */
    uint8_t ip;          /* IP protocol */
    void (*write)(struct wire *w, const struct header *inner);
};

static inline void w_payload(struct wire *w, const struct header *in)
{
    (void)in;
    put(w, "twelve bytes", 12);
}

static inline void w_udp(struct wire *w, const struct header *in)
{
    (void)in;
    PUT(w, 0x9c, 0x40, 0, 53, HI(len_of(w) + 8), 0, 0);
}

static inline void w_udp_to(struct wire *w, uint16_t port)
{
    PUT(w, 0xc3, 0x50, HI(port), HI(len_of(w) + 8), 0, 0);
}

static inline void w_tcp(struct wire *w, const struct header *in)
{
    (void)in;
    PUT(w, 0x9c, 0x40, 0, 53, 1, 2, 3, 4, 5, 6, 7, 8, 0x50, 0x18, 0, 0, 0, 0, 0, 0);
}

static inline void w_tcp_options(struct wire *w, const struct header *in)
{
    (void)in;
    PUT(w, 0x9c, 0x40, 0, 53, 1, 2, 3, 4, 5, 6, 7, 8, 0x70, 0x18, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1,
        1, 1, 1);
}

static inline void w_sctp(struct wire *w, const struct header *in)
{
    (void)in;
    PUT(w, 0x9c, 0x40, 0, 53, 0, 0, 0, 0, 0, 0, 0, 0);
}

static inline void w_ip4(struct wire *w, const struct header *in)
{
    PUT(w, 0x45, 0, HI(len_of(w) + 20), 0, 1, 0x40, 0, 64, in->ip, 0, 0, 192, 168, 1, 10, 8, 8, 8,
        8);
}

static inline void w_ip4_options(struct wire *w, const struct header *in)
{
    PUT(w, 0x46, 0, HI(len_of(w) + 24), 0, 1, 0x40, 0, 64, in->ip, 0, 0, 192, 168, 1, 10, 8, 8, 8,
        8, 1, 1, 1, 0);
}

static inline void w_ip4_tso(struct wire *w, const struct header *in)
{
    PUT(w, 0x45, 0, 0, 0, 0, 1, 0x40, 0, 64, in->ip, 0, 0, 192, 168, 1, 10, 8, 8, 8, 8);
}

static inline void w_ip4_outer(struct wire *w, const struct header *in)
{
    PUT(w, 0x45, 0, HI(len_of(w) + 20), 0, 1, 0x40, 0, 64, in->ip, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2);
}

static inline void w_ip6_len(struct wire *w, const struct header *in, size_t len)
{
    PUT(w, 0x60, 0, 0, 0, HI(len), in->ip, 64, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1,
        0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2);
}

static inline void w_ip6(struct wire *w, const struct header *in)
{
    w_ip6_len(w, in, len_of(w));
}

static inline void w_ip6_jumbo(struct wire *w, const struct header *in)
{
    size_t len = len_of(w) + 8;
    PUT(w, in->ip, 0, 0xc2, 4, HI(0), HI(len));
    w_ip6_len(w, &(struct header){.ip = 0}, 0);
}

static inline void w_hbh(struct wire *w, const struct header *in)
{
    PUT(w, in->ip, 0, 1, 4, 0, 0, 0, 0);
}

static inline void w_routing(struct wire *w, const struct header *in)
{
    PUT(w, in->ip, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
}

static inline void w_frag_atomic(struct wire *w, const struct header *in)
{
    PUT(w, in->ip, 0, 0, 0, 0, 0, 0, 9);
}

static inline void w_ah(struct wire *w, const struct header *in)
{
    PUT(w, in->ip, 4, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
}

static inline void w_eth(struct wire *w, const struct header *in)
{
    PUT(w, 2, 0, 0, 0, 0, 2, 0xac, 0xca, 0x54, 0, 0, 1, HI(in->ether));
}

static inline void w_eth_llc(struct wire *w, const struct header *in)
{
    (void)in;
    PUT(w, 2, 0, 0, 0, 0, 2, 0xac, 0xca, 0x54, 0, 0, 1, HI(len_of(w)));
}

static inline void w_snap(struct wire *w, const struct header *in)
{
    PUT(w, 0xaa, 0xaa, 3, 0, 0, 0, HI(in->ether));
}

static inline void w_vlan5(struct wire *w, const struct header *in)
{
    PUT(w, 0xe0, 5, HI(in->ether));
}

static inline void w_vlan7(struct wire *w, const struct header *in)
{
    PUT(w, 0, 7, HI(in->ether));
}

static inline void w_mpls(struct wire *w, const struct header *in)
{
    (void)in;
    PUT(w, 0, 1, 0x40, 64, 0, 2, 0x41, 64);
}

static inline void w_control_word(struct wire *w, const struct header *in)
{
    (void)in;
    PUT(w, 0, 0, 0, 0);
}

static inline void w_pppoe(struct wire *w, const struct header *in)
{
    PUT(w, HI(in->ppp));
    PUT(w, 0x11, 0, 0, 1, HI(len_of(w)));
}

static inline void w_ppp(struct wire *w, const struct header *in)
{
    PUT(w, 0xff, 3, HI(in->ppp));
}

static inline void w_ppp_short(struct wire *w, const struct header *in)
{
    PUT(w, (uint8_t)in->ppp);
}

static inline void w_chdlc(struct wire *w, const struct header *in)
{
    PUT(w, 0x0f, 0, HI(in->ether));
}

static inline void w_gre(struct wire *w, const struct header *in)
{
    PUT(w, 0, 0, HI(in->ether));
}

static inline void w_gre_key(struct wire *w, const struct header *in)
{
    PUT(w, 0xb0, 0, HI(in->ether), 0, 0, 0, 0, 0, 0, 0, 77, 0, 0, 0, 1);
}

static inline void w_gre_routed(struct wire *w, const struct header *in)
{
    PUT(w, 0x40, 0, HI(in->ether), 0, 0, 0, 0, 8, 0, 0, 4, 1, 2, 3, 4, 0, 0, 0, 0);
}

static inline void w_gre_pptp(struct wire *w, const struct header *in)
{
    PUT(w, 0xff, 3, HI(in->ppp));
    PUT(w, 0x30, 0x81, 0x88, 0x0b, HI(len_of(w)), 0, 1, 0, 0, 0, 1, 0, 0, 0, 0);
}

static inline void w_erspan1(struct wire *w, const struct header *in)
{
    (void)in;
    PUT(w, 0, 0, 0x88, 0xbe);
}

static inline void w_erspan2(struct wire *w, const struct header *in)
{
    (void)in;
    PUT(w, 0x10, 0, 0x88, 0xbe, 0, 0, 0, 1, 0x10, 0, 0, 77, 0, 0, 0, 0);
}

static inline void w_erspan3(struct wire *w, const struct header *in)
{
    (void)in;
    PUT(w, 0x10, 0, 0x22, 0xeb, 0, 0, 0, 1, 0x20, 0, 0, 77, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0,
        0, 0, 0);
}

static inline void w_vxlan(struct wire *w, const struct header *in)
{
    (void)in;
    PUT(w, 8, 0, 0, 0, 0, 0, 88, 0);
    w_udp_to(w, 4789);
}

static inline void w_vxlan_linux(struct wire *w, const struct header *in)
{
    (void)in;
    PUT(w, 8, 0, 0, 0, 0, 0, 88, 0);
    w_udp_to(w, 8472);
}

static inline void w_vxlan_policy(struct wire *w, const struct header *in)
{
    (void)in;
    PUT(w, 0x88, 0, 0, 9, 0, 0, 88, 0);
    w_udp_to(w, 4789);
}

static inline void w_vxlan_gpe(struct wire *w, const struct header *in)
{
    PUT(w, 0x0c, 0, 0, in->ether == 0x6558 ? 3 : 1, 0, 0, 88, 0);
    w_udp_to(w, 4790);
}

static inline void w_geneve(struct wire *w, const struct header *in)
{
    PUT(w, 1, 0, HI(in->ether), 0, 0, 88, 0, 0, 0, 0, 0);
    w_udp_to(w, 6081);
}

static inline void w_gtp(struct wire *w, const struct header *in)
{
    (void)in;
    PUT(w, 0x30, 255, HI(len_of(w)), 0, 0, 0, 1);
    w_udp_to(w, 2152);
}

static inline void w_gtp_extended(struct wire *w, const struct header *in)
{
    (void)in;
    PUT(w, 0x34, 255, HI(len_of(w) + 8), 0, 0, 0, 1, 0, 0, 0, 0x85, 1, 0, 9, 0);
    w_udp_to(w, 2152);
}

static inline void w_teredo(struct wire *w, const struct header *in)
{
    (void)in;
    w_udp_to(w, 3544);
}

static inline void w_teredo_marked(struct wire *w, const struct header *in)
{
    (void)in;
    PUT(w, 0, 1, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 1, 2, 3, 4, 5, 6);
    w_udp_to(w, 3544);
}

static inline void w_l2tp(struct wire *w, const struct header *in)
{
    PUT(w, 0xff, 3, HI(in->ppp));
    PUT(w, 0x40, 2, HI(len_of(w) + 8), 0, 1, 0, 2);
    w_udp_to(w, 1701);
}

static inline void w_capwap(struct wire *w, const struct header *in)
{
    (void)in;
    PUT(w, 0, 0x10, 0x02, 0, 0, 0, 0, 0);
    w_udp_to(w, 5247);
}

static inline void w_capwap_wlan(struct wire *w, const struct header *in)
{
    (void)in;
    PUT(w, 0x01, 0x08, 0, 0, 1, 2, 3, 4, 5, 6, 0xac, 0xca, 0x54, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x76,
        0x30);
    PUT(w, 0, 0x10, 0x03, 0, 0, 0, 0, 0);
    w_udp_to(w, 5247);
}

static inline void w_etherip(struct wire *w, const struct header *in)
{
    (void)in;
    PUT(w, 0x30, 0);
}

static inline void w_nsh(struct wire *w, const struct header *in)
{
    PUT(w, 0x0f, 0xc2, 1, in->ether == 0x6558 ? 3 : 1, 0, 0, 1, 255);
}

static inline void w_vntag(struct wire *w, const struct header *in)
{
    PUT(w, 0, 1, 0, 2, HI(in->ether));
}

static inline void w_cmd(struct wire *w, const struct header *in)
{
    PUT(w, 1, 1, 0, 1, 0, 9, HI(in->ether));
}

static inline void w_pbb(struct wire *w, const struct header *in)
{
    (void)in;
    PUT(w, 0, 0, 0, 1);
}

static inline void w_macsec(struct wire *w, const struct header *in)
{
    PUT(w, HI(in->ether));
    PUT(w, 0x20, 0, 0, 0, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8);
}

static inline void w_sll(struct wire *w, const struct header *in)
{
    PUT(w, 0, 4, 0, 1, 0, 6, 0xac, 0xca, 0x54, 0, 0, 1, 0, 0, HI(in->ether));
}

static inline void w_sll2(struct wire *w, const struct header *in)
{
    PUT(w, HI(in->ether), 0, 0, 0, 0, 0, 1, 0, 1, 0, 6, 0xac, 0xca, 0x54, 0, 0, 1, 0, 0);
}

static inline void w_null_le(struct wire *w, const struct header *in)
{
    PUT(w, in->ether == 0x0800 ? 2 : 30, 0, 0, 0);
}

static inline void w_null_be(struct wire *w, const struct header *in)
{
    PUT(w, 0, 0, 0, in->ether == 0x0800 ? 2 : 24);
}

static inline void w_wlan(struct wire *w, const struct header *in)
{
    (void)in;
    PUT(w, 0x08, 1, 0, 0, 1, 2, 3, 4, 5, 6, 0xac, 0xca, 0x54, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x10, 0);
}

static inline void w_wlan_qos4(struct wire *w, const struct header *in)
{
    (void)in;
    PUT(w, 0x88, 3, 0, 0, 1, 2, 3, 4, 5, 6, 9, 9, 9, 9, 9, 9, 2, 0, 0, 0, 0, 2, 0x10, 0, 0xac, 0xca,
        0x54, 0, 0, 1, 0, 0);
}

static inline void w_wlan_amsdu(struct wire *w, const struct header *in)
{
    (void)in;
    PUT(w, 2, 0, 0, 0, 0, 2, 0xac, 0xca, 0x54, 0, 0, 1, HI(len_of(w)));
    PUT(w, 0x88, 1, 0, 0, 1, 2, 3, 4, 5, 6, 0xac, 0xca, 0x54, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x10, 0,
        0x80, 0);
}

static inline void w_radiotap(struct wire *w, const struct header *in)
{
    (void)in;
    PUT(w, 0, 0, 21, 0, 3, 0, 0, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
    w->buf[w->at + 2] = 25; /* time aligned to 8: 4 bytes of padding come before it */
    memmove(w->buf + w->at - 4, w->buf + w->at, 12);
    w->at -= 4;
}

static inline void w_prism(struct wire *w, const struct header *in)
{
    (void)in;
    put(w, (const uint8_t[144]){0x44, 0, 0, 0, 144}, 144);
}

static inline void w_avs(struct wire *w, const struct header *in)
{
    (void)in;
    put(w, (const uint8_t[64]){0x80, 0x21, 0x10, 1, 0, 0, 0, 64}, 64);
}

static inline void w_ppi(struct wire *w, const struct header *in)
{
    (void)in;
    PUT(w, 0, 0, 8, 0, 105, 0, 0, 0);
}

static inline void w_pktap(struct wire *w, const struct header *in)
{
    (void)in;
    PUT(w, 16, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 'e', 'n', '0', 0);
}

static inline void w_nflog(struct wire *w, const struct header *in)
{
    (void)in;
    size_t len = len_of(w) + 4;
    PUT(w, 2, 0, 0, 0, 5, 0, 10, 0, 0, 0, 0, 0, (uint8_t)len, (uint8_t)(len >> 8), 9, 0);
}

static inline void w_frelay(struct wire *w, const struct header *in)
{
    PUT(w, 0x18, 0x41, 3, in->ether == 0x0800 ? 0xcc : 0x8e);
}

static inline void w_arcnet(struct wire *w, const struct header *in)
{
    (void)in;
    PUT(w, 1, 2, 0, 0, 212, 0, 0, 1);
}

static inline void w_ipnet(struct wire *w, const struct header *in)
{
    (void)in;
    put(w, (const uint8_t[24]){1, 2}, 24);
}

static inline void w_ipoib(struct wire *w, const struct header *in)
{
    PUT(w, HI(in->ether), 0, 0);
    put(w, (const uint8_t[40]){0}, 40);
}

static inline void w_direction(struct wire *w, const struct header *in)
{
    (void)in;
    PUT(w, 0);
}

static const struct header headers[] = {
    {"data", 0, 0, 0, w_payload},
    {"udp", 0, 0, 17, w_udp},
    {"tcp", 0, 0, 6, w_tcp},
    {"tcp+", 0, 0, 6, w_tcp_options},
    {"sctp", 0, 0, 132, w_sctp},
    {"ip4", 0x0800, 0x21, 4, w_ip4},
    {"ip4+", 0x0800, 0x21, 4, w_ip4_options},
    {"ip4tso", 0x0800, 0x21, 4, w_ip4_tso},
    {"ip4out", 0x0800, 0x21, 4, w_ip4_outer},
    {"ip6", 0x86dd, 0x57, 41, w_ip6},
    {"ip6jumbo", 0x86dd, 0x57, 41, w_ip6_jumbo},
    {"hbh", 0, 0, 0, w_hbh},
    {"rt", 0, 0, 43, w_routing},
    {"atom", 0, 0, 44, w_frag_atomic},
    {"ah", 0, 0, 51, w_ah},
    {"eth", 0x6558, 0, 143, w_eth},
    {"eth3", 0x6558, 0, 0, w_eth_llc},
    {"snap", 0x8870, 0, 0, w_snap},
    {"vlan5", 0x8100, 0, 0, w_vlan5},
    {"qinq5", 0x88a8, 0, 0, w_vlan5},
    {"vlan7", 0x8100, 0, 0, w_vlan7},
    {"mpls", 0x8847, 0x281, 137, w_mpls},
    {"cw", 0, 0, 0, w_control_word},
    {"pppoe", 0x8864, 0, 0, w_pppoe},
    {"ppp", 0x880b, 0, 0, w_ppp},
    {"pfc", 0x880b, 0, 0, w_ppp_short},
    {"chdlc", 0, 0, 0, w_chdlc},
    {"gre", 0, 0, 47, w_gre},
    {"grekey", 0, 0, 47, w_gre_key},
    {"grert", 0, 0, 47, w_gre_routed},
    {"pptp", 0, 0, 47, w_gre_pptp},
    {"erspan1", 0, 0, 47, w_erspan1},
    {"erspan2", 0, 0, 47, w_erspan2},
    {"erspan3", 0, 0, 47, w_erspan3},
    {"vxlan", 0, 0, 17, w_vxlan},
    {"vxlan8472", 0, 0, 17, w_vxlan_linux},
    {"vxlangbp", 0, 0, 17, w_vxlan_policy},
    {"vxlangpe", 0, 0, 17, w_vxlan_gpe},
    {"geneve", 0, 0, 17, w_geneve},
    {"gtp", 0, 0, 17, w_gtp},
    {"gtpx", 0, 0, 17, w_gtp_extended},
    {"teredo", 0, 0, 17, w_teredo},
    {"teredo+", 0, 0, 17, w_teredo_marked},
    {"l2tp", 0, 0, 17, w_l2tp},
    {"capwap", 0, 0, 17, w_capwap},
    {"capwapwlan", 0, 0, 17, w_capwap_wlan},
    {"etherip", 0, 0, 97, w_etherip},
    {"nsh", 0x894f, 0, 0, w_nsh},
    {"vntag", 0x8926, 0, 0, w_vntag},
    {"cmd", 0x8909, 0, 0, w_cmd},
    {"pbb", 0x88e7, 0, 0, w_pbb},
    {"macsec", 0x88e5, 0, 0, w_macsec},
    {"sll", 0, 0, 0, w_sll},
    {"sll2", 0, 0, 0, w_sll2},
    {"nullle", 0, 0, 0, w_null_le},
    {"nullbe", 0, 0, 0, w_null_be},
    {"wlan", 0x8200, 0, 0, w_wlan},
    {"wlanqos4", 0, 0, 0, w_wlan_qos4},
    {"amsdu", 0x8200, 0, 0, w_wlan_amsdu},
    {"radiotap", 0, 0, 0, w_radiotap},
    {"prism", 0, 0, 0, w_prism},
    {"avs", 0, 0, 0, w_avs},
    {"ppi", 0, 0, 0, w_ppi},
    {"pktap", 0, 0, 0, w_pktap},
    {"nflog", 0, 0, 0, w_nflog},
    {"frelay", 0, 0, 0, w_frelay},
    {"arcnet", 0, 0, 0, w_arcnet},
    {"ipnet", 0, 0, 0, w_ipnet},
    {"ipoib", 0, 0, 0, w_ipoib},
    {"dir", 0, 0, 0, w_direction},
};

static inline const struct header *header_named(const char *name, size_t len)
{
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++)
        if (strlen(headers[i].name) == len && memcmp(headers[i].name, name, len) == 0)
            return &headers[i];
    fail_msg("no header \"%.*s\"", (int)len, name);
    return NULL;
}

/* Writes the packet "eth ip4 udp data". */
static inline void build(struct wire *w, const char *spec)
{
    w->at = sizeof w->buf;
    const struct header *inner = &headers[0];
    for (size_t end = strlen(spec); end > 0;) {
        size_t begin = end;
        while (begin > 0 && spec[begin - 1] != ' ')
            begin--;
        const struct header *h = header_named(spec + begin, end - begin);
        h->write(w, inner);
        inner = h;
        end = begin > 0 ? begin - 1 : 0;
    }
}
