/* The header walk: every link type and tunnel as a row, each cut at every byte. */
#include "ingest/headers.h"

#include "ingest/headers_walk.h"
#include "tests/guard.h"
#include "tests/ingest/headers_wire.h"

/* ---- the walk */

static struct headers *table;

static int setup(void **state)
{
    (void)state;
    struct err e;
    struct headers_limits limits = {16, 1 << 16, 60000};
    return headers_new(&table, &limits, &e) ? 0 : 1;
}

static int teardown(void **state)
{
    (void)state;
    headers_free(table);
    return 0;
}

/* What holds of every record, whatever the packet. */
static void check_record(const char *name, const struct pkt *pkt, const struct rec *r)
{
    const uint8_t *end = pkt->bytes + pkt->cap_len;
    bool ok = r->outcome < OUT_N;
    ok = ok && (r->outcome != OUT_OK || (r->flags & REC_HAS_PORTS) != 0);
    ok = ok && ((r->flags & REC_HAS_PORTS) == 0 || (r->flags & REC_HAS_IP) != 0);
    ok = ok && r->payload.p != NULL && r->payload.left <= r->payload_wire_len;
    ok = ok && r->payload.snapped == (r->payload.left < r->payload_wire_len);
    ok = ok && r->depth <= HEADERS_DEPTH_MAX;
    if (r->payload.left > 0 && (r->flags & REC_REASSEMBLED) == 0)
        ok = ok && r->payload.p >= pkt->bytes && r->payload.p + r->payload.left <= end;
    if (!ok)
        fail_msg("%s: a record that cannot be: %s", name, outcome_name[r->outcome]);
}

/* Walks one packet both ways; they must agree. */
static struct rec walk(const char *name, const uint8_t *bytes, size_t len, size_t wire_len,
                       uint32_t link)
{
    struct pkt pkt = {.bytes = bytes,
                      .cap_len = (uint32_t)len,
                      .wire_len = (uint32_t)wire_len,
                      .ts_ns = 1,
                      .link = link};
    struct rec slow, fast; /* with what an earlier packet left: every field must be written */
    memset(&slow, 0xa5, sizeof slow);
    memset(&fast, 0xa5, sizeof fast);
    headers_walk(table, &pkt, &slow);
    headers_burst(table, &pkt, &fast, 1);
    check_record(name, &pkt, &fast);
    struct cur a = slow.payload, b = fast.payload;
    bool same = a.left == b.left && a.snapped == b.snapped && (a.left == 0 || a.p == b.p);
    const size_t pad = offsetof(struct rec, dst) + sizeof slow.dst; /* before payload */
    memset((uint8_t *)&slow + pad, 0, offsetof(struct rec, payload_wire_len) - pad);
    memset((uint8_t *)&fast + pad, 0, offsetof(struct rec, payload_wire_len) - pad);
    if (!same || memcmp(&slow, &fast, sizeof slow) != 0)
        fail_msg("%s: the short cut sees another packet", name);
    fast.payload = b;
    return fast;
}

enum { V4 = 4, V6 = 6 };

struct row {
    const char *spec;
    uint32_t link;
    uint8_t outer, inner; /* IP versions */
    uint16_t flags;       /* that must be set, beside those of every good packet */
    uint32_t number;      /* VLAN, VNI or GRE key, if a flag says so */
};

static const struct row rows[] = {
    {"eth ip4 udp data", 1, V4, V4, REC_HAS_MAC, 0},
    {"eth ip6 udp data", 1, V6, V6, REC_HAS_MAC, 0},
    {"eth ip4 tcp data", 1, V4, V4, 0, 0},
    {"eth ip6 tcp+ data", 1, V6, V6, 0, 0},
    {"eth ip4 sctp data", 1, V4, V4, 0, 0},
    {"eth vlan5 ip4 udp data", 1, V4, V4, REC_HAS_VLAN, 5},
    {"eth vlan5 vlan7 ip6 tcp data", 1, V6, V6, REC_HAS_VLAN, 5 << 12 | 7},
    {"eth qinq5 vlan7 ip4 udp data", 1, V4, V4, REC_HAS_VLAN, 5 << 12 | 7},
    {"eth vlan5 vlan7 vlan5 ip4 udp data", 1, V4, V4, REC_HAS_VLAN, 5 << 12 | 7},
    {"eth3 snap ip4 udp data", 1, V4, V4, 0, 0},
    {"eth vlan5 snap ip4 udp data", 1, V4, V4, 0, 0},
    {"eth ip4+ udp data", 1, V4, V4, 0, 0},
    {"eth ip4tso tcp data", 1, V4, V4, 0, 0},
    {"eth ip6jumbo udp data", 1, V6, V6, 0, 0},
    {"eth ip6 hbh rt atom udp data", 1, V6, V6, 0, 0},
    {"eth ip6 ah udp data", 1, V6, V6, 0, 0},
    {"eth ip4 ah tcp data", 1, V4, V4, 0, 0},
    {"eth mpls ip4 udp data", 1, V4, V4, 0, 0},
    {"eth mpls ip6 udp data", 1, V6, V6, 0, 0},
    {"eth mpls cw eth ip4 udp data", 1, V4, V4, REC_HAS_INNER_MAC, 0},
    {"eth mpls eth ip4 udp data", 1, V4, V4, REC_HAS_INNER_MAC, 0},
    {"eth pppoe ip4 udp data", 1, V4, V4, 0, 0},
    {"eth vlan5 pppoe ip6 tcp data", 1, V6, V6, REC_HAS_VLAN, 5},
    {"eth vntag vlan5 ip4 udp data", 1, V4, V4, REC_HAS_VLAN, 5},
    {"eth cmd ip4 udp data", 1, V4, V4, 0, 0},
    {"eth nsh ip4 udp data", 1, V4, V4, 0, 0},
    {"eth nsh eth ip4 udp data", 1, V4, V4, REC_HAS_INNER_MAC, 0},
    {"eth qinq5 pbb eth ip4 udp data", 1, V4, V4, REC_HAS_INNER_MAC | REC_HAS_VLAN, 5},
    {"eth ip4out gre ip4 udp data", 1, V4, V4, 0, 0},
    {"eth ip4out gre ip6 udp data", 1, V4, V6, 0, 0},
    {"eth ip4out gre eth vlan5 ip4 udp data", 1, V4, V4, REC_HAS_INNER_MAC | REC_HAS_VLAN, 5},
    {"eth ip4out gre mpls ip4 udp data", 1, V4, V4, 0, 0},
    {"eth ip4out gre wlan snap ip4 tcp data", 1, V4, V4, REC_HAS_INNER_MAC, 0},
    {"eth ip4out gre amsdu snap ip4 tcp data", 1, V4, V4, REC_HAS_INNER_MAC, 0},
    {"eth ip4out grekey ip4 udp data", 1, V4, V4, REC_HAS_GRE_KEY, 77},
    {"eth ip4out grert ip4 udp data", 1, V4, V4, 0, 0},
    {"eth ip4out pptp ip4 udp data", 1, V4, V4, 0, 0},
    {"eth ip4out erspan1 eth ip4 udp data", 1, V4, V4, REC_HAS_INNER_MAC, 0},
    {"eth ip4out erspan2 eth ip4 udp data", 1, V4, V4, REC_HAS_INNER_MAC | REC_HAS_GRE_KEY, 77},
    {"eth ip4out erspan3 eth ip4 udp data", 1, V4, V4, REC_HAS_INNER_MAC | REC_HAS_GRE_KEY, 77},
    {"eth ip4out vxlan eth ip4 udp data", 1, V4, V4, REC_HAS_INNER_MAC | REC_HAS_VNI, 88},
    {"eth vlan5 ip4out vxlan eth vlan7 ip6 tcp data", 1, V4, V6, REC_HAS_VLAN, 5},
    {"eth ip4out vxlan8472 eth ip4 udp data", 1, V4, V4, REC_HAS_VNI, 88},
    {"eth ip4out vxlangbp eth ip4 udp data", 1, V4, V4, REC_HAS_VNI, 88},
    {"eth ip4out vxlangpe ip4 udp data", 1, V4, V4, REC_HAS_VNI, 88},
    {"eth ip4out vxlangpe eth ip4 udp data", 1, V4, V4, REC_HAS_VNI, 88},
    {"eth ip6 geneve eth ip4 udp data", 1, V6, V4, REC_HAS_INNER_MAC | REC_HAS_VNI, 88},
    {"eth ip4out geneve ip6 udp data", 1, V4, V6, REC_HAS_VNI, 88},
    {"eth ip4out gtp ip4 tcp data", 1, V4, V4, 0, 0},
    {"eth ip6 gtpx ip6 udp data", 1, V6, V6, 0, 0},
    {"eth ip4out teredo ip6 udp data", 1, V4, V6, 0, 0},
    {"eth ip4out teredo+ ip6 udp data", 1, V4, V6, 0, 0},
    {"eth ip4out l2tp ip4 udp data", 1, V4, V4, 0, 0},
    {"eth ip4out capwap eth ip4 udp data", 1, V4, V4, REC_HAS_INNER_MAC, 0},
    {"eth ip4out capwapwlan snap ip4 udp data", 1, V4, V4, REC_HAS_INNER_MAC, 0},
    {"eth ip4out ip4 udp data", 1, V4, V4, 0, 0},
    {"eth ip4out ip6 udp data", 1, V4, V6, 0, 0},
    {"eth ip6 ip4 tcp data", 1, V6, V4, 0, 0},
    {"eth ip6 hbh eth ip4 udp data", 1, V6, V4, REC_HAS_INNER_MAC, 0},
    {"eth ip4out etherip eth ip4 udp data", 1, V4, V4, REC_HAS_INNER_MAC, 0},
    {"eth ip4out mpls ip4 udp data", 1, V4, V4, 0, 0},
    {"eth ip4out gre ip4out vxlan eth ip4 udp data", 1, V4, V4, REC_HAS_VNI, 88},
    {"nullle ip4 udp data", 0, V4, V4, 0, 0},
    {"nullle ip6 udp data", 0, V6, V6, 0, 0},
    {"nullbe ip4 udp data", 0, V4, V4, 0, 0},
    {"chdlc ip4 udp data", 0, V4, V4, 0, 0},
    {"nullbe ip6 udp data", 108, V6, V6, 0, 0},
    {"ppp ip4 udp data", 9, V4, V4, 0, 0},
    {"pfc ip4 udp data", 9, V4, V4, 0, 0},
    {"ppp mpls ip4 udp data", 9, V4, V4, 0, 0},
    {"chdlc ip4 udp data", 9, V4, V4, 0, 0},
    {"ppp ip6 udp data", 50, V6, V6, 0, 0},
    {"chdlc ip6 udp data", 104, V6, V6, 0, 0},
    {"pppoe ip4 udp data", 51, V4, V4, 0, 0},
    {"dir ppp ip4 udp data", 204, V4, V4, 0, 0},
    {"ip4 udp data", 12, V4, V4, 0, 0},
    {"ip6 udp data", 14, V6, V6, 0, 0},
    {"ip4 udp data", 101, V4, V4, 0, 0},
    {"ip4 udp data", 228, V4, V4, 0, 0},
    {"ip6 udp data", 229, V6, V6, 0, 0},
    {"sll ip4 udp data", 113, V4, V4, REC_HAS_MAC, 0},
    {"sll vlan5 ip6 udp data", 113, V6, V6, REC_HAS_MAC | REC_HAS_VLAN, 5},
    {"sll2 ip4 udp data", 276, V4, V4, REC_HAS_MAC, 0},
    {"wlan snap ip4 udp data", 105, V4, V4, REC_HAS_MAC, 0},
    {"wlanqos4 snap ip4 udp data", 105, V4, V4, REC_HAS_MAC, 0},
    {"radiotap wlan snap ip4 udp data", 127, V4, V4, REC_HAS_MAC, 0},
    {"prism wlan snap ip4 udp data", 119, V4, V4, REC_HAS_MAC, 0},
    {"avs wlan snap ip6 udp data", 163, V6, V6, REC_HAS_MAC, 0},
    {"ppi wlan snap ip4 udp data", 192, V4, V4, REC_HAS_MAC, 0},
    {"pktap eth ip4 udp data", 258, V4, V4, REC_HAS_MAC, 0},
    {"nflog ip4 udp data", 239, V4, V4, 0, 0},
    {"frelay ip4 udp data", 107, V4, V4, 0, 0},
    {"arcnet ip4 udp data", 129, V4, V4, 0, 0},
    {"ipnet ip4 udp data", 226, V4, V4, 0, 0},
    {"ipoib ip6 udp data", 242, V6, V6, 0, 0},
};

static void check_good(const struct row *row, const struct rec *r)
{
    static const uint8_t gateway[6] = {0xac, 0xca, 0x54, 0, 0, 1}, other[6] = {2, 0, 0, 0, 0, 2};
    const uint16_t all = REC_HAS_IP | REC_HAS_PORTS;
    struct addr src;
    assert_true(addr_parse(row->inner == V4 ? "192.168.1.10" : "fd00::1", &src));

    bool ok = r->outcome == OUT_OK && r->ip_outer == row->outer
              && addr_is_v4(&r->src) == (row->inner == V4);
    ok = ok && addr_equal(&r->src, &src) && r->sport == 40000 && r->dport == 53;
    ok = ok && (r->flags & (all | row->flags)) == (all | row->flags);
    ok = ok && (r->flags & (REC_GROUP | REC_ICMP_ERROR | REC_REASSEMBLED)) == 0;
    ok = ok && r->payload.left == 12 && memcmp(r->payload.p, "twelve bytes", 12) == 0
         && !r->payload.snapped;
    if ((row->flags & REC_HAS_VLAN) != 0)
        ok = ok && r->vlan == row->number;
    if ((row->flags & REC_HAS_VNI) != 0)
        ok = ok && r->vni == row->number;
    if ((row->flags & REC_HAS_GRE_KEY) != 0)
        ok = ok && r->gre_key == row->number;
    if ((row->flags & REC_HAS_MAC) != 0)
        ok = ok && memcmp(r->mac[SIDE_SRC], gateway, 6) == 0;
    if ((row->flags & REC_HAS_INNER_MAC) != 0)
        ok = ok && memcmp(r->inner_mac[SIDE_SRC], gateway, 6) == 0
             && memcmp(r->inner_mac[SIDE_DST], other, 6) == 0;
    if (r->ip_proto == 6)
        ok = ok && r->tcp_seq == 0x01020304 && r->tcp_ack == 0x05060708 && r->tcp_flags == 0x18;
    if (!ok)
        fail_msg("%s: %s, ip %d, ports %u > %u, flags %x, %zu bytes, vlan %x vni %u key %u",
                 row->spec, outcome_name[r->outcome], r->ip_outer, r->sport, r->dport, r->flags,
                 r->payload.left, r->vlan, r->vni, r->gre_key);
}

static void test_rows(void **state)
{
    (void)state;
    struct wire w;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        build(&w, rows[i].spec);
        size_t len = len_of(&w);
        struct rec r = walk(rows[i].spec, guard_copy(w.buf + w.at, len), len, len, rows[i].link);
        check_good(&rows[i], &r);
    }
}

/* Padding and trailers are no payload: the IP length cuts them. */
static void test_padding(void **state)
{
    (void)state;
    struct wire w;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        bool open = strstr(rows[i].spec, "tso") != NULL || strstr(rows[i].spec, "jumbo") != NULL;
        if (open || rows[i].link != 1)
            continue;
        build(&w, rows[i].spec);
        size_t len = len_of(&w);
        uint8_t padded[2048 + 8] = {0};
        memcpy(padded, w.buf + w.at, len);
        struct rec r = walk(rows[i].spec, guard_copy(padded, len + 8), len + 8, len + 8, 1);
        check_good(&rows[i], &r);
    }
}

/* A cut is the capture's fault when it says so, else the packet's; a payload cut short stays good.
 */
static void test_every_cut(void **state)
{
    (void)state;
    struct wire w;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        build(&w, rows[i].spec);
        size_t whole = len_of(&w);
        for (size_t len = 0; len < whole; len++) {
            const uint8_t *p = guard_copy(w.buf + w.at, len);
            struct rec r = walk(rows[i].spec, p, len, whole, rows[i].link);
            bool good = r.outcome == OUT_OK
                        && (r.payload.snapped || (r.payload.left > 0 && len + 12 < whole));
            if (!good && r.outcome != OUT_TRUNCATED && r.outcome != OUT_NOT_MINE)
                fail_msg("%s, snapped at %zu: %s", rows[i].spec, len, outcome_name[r.outcome]);
            if (r.outcome == OUT_NOT_MINE && strstr(rows[i].spec, "mpls") == NULL)
                fail_msg("%s, snapped at %zu: not mine", rows[i].spec, len);
            if (len + 12 >= whole && r.outcome != OUT_OK)
                fail_msg("%s, payload snapped at %zu: %s", rows[i].spec, len,
                         outcome_name[r.outcome]);

            r = walk(rows[i].spec, p, len, len, rows[i].link);
            if (r.outcome == OUT_TRUNCATED || r.payload.snapped)
                fail_msg("%s, %zu bytes long: blamed on the capture", rows[i].spec, len);
        }
    }
}

/* ---- packets that are no good, or not for a decoder */

struct odd_row {
    const char *name, *spec;
    size_t at; /* offset of `value`, from the beginning */
    int value; /* -1: nothing changed */
    enum outcome want;
    uint16_t flags;  /* that must be set */
    uint16_t absent; /* that must not */
};

static const struct odd_row odd[] = {
    {"IP version 5", "eth ip4 udp data", 14, 0x55, OUT_MALFORMED, 0, REC_HAS_IP},
    {"IPv4 header of 16", "eth ip4 udp data", 14, 0x44, OUT_MALFORMED, 0, REC_HAS_IP},
    {"IPv4 total below header", "eth ip4 udp data", 17, 19, OUT_MALFORMED, 0, REC_HAS_IP},
    {"UDP length 7", "eth ip4 udp data", 39, 7, OUT_MALFORMED, REC_HAS_IP, REC_HAS_PORTS},
    {"UDP length 0", "eth ip4 udp data", 39, 0, OUT_MALFORMED, REC_HAS_IP, REC_HAS_PORTS},
    {"UDP length too long", "eth ip4 udp data", 39, 200, OUT_OK, REC_HAS_PORTS, 0},
    {"TCP offset 4", "eth ip4 tcp data", 46, 0x40, OUT_MALFORMED, REC_HAS_IP, REC_HAS_PORTS},
    {"TCP offset beyond", "eth ip4 tcp data", 46, 0xf0, OUT_MALFORMED, REC_HAS_IP, REC_HAS_PORTS},
    {"ICMP echo", "eth ip4 udp data", 23, 1, OUT_NOT_MINE, REC_HAS_IP, REC_HAS_PORTS},
    {"ESP", "eth ip4 udp data", 23, 50, OUT_NOT_MINE, REC_HAS_IP, REC_HAS_PORTS},
    {"ARP", "eth ip4 udp data", 13, 6, OUT_NOT_MINE, REC_HAS_MAC, REC_HAS_IP},
    {"to 224.8.8.8", "eth ip4 udp data", 30, 224, OUT_OK, REC_GROUP, 0},
    {"to a group's MAC", "eth ip4 udp data", 0, 1, OUT_OK, REC_GROUP, 0},
    {"ff02::", "eth ip6 udp data", 38, 255, OUT_OK, REC_GROUP, 0},
    {"tunnel in a group frame", "eth ip4out vxlan eth ip4 udp data", 0, 1, OUT_OK, 0, REC_GROUP},
    {"inner group frame", "eth ip4out vxlan eth ip4 udp data", 50, 1, OUT_OK, REC_GROUP, 0},
    {"VXLAN without its flag", "eth ip4out vxlan eth ip4 udp data", 42, 0, OUT_OK, REC_HAS_PORTS,
     REC_HAS_VNI | REC_HAS_INNER_MAC},
    {"VXLAN, inner IP broken", "eth ip4out vxlan eth ip4 udp data", 64, 0x15, OUT_OK, REC_HAS_PORTS,
     REC_HAS_VNI | REC_HAS_INNER_MAC},
    {"VXLAN, inner UDP broken", "eth ip4out vxlan eth ip4 udp data", 89, 7, OUT_MALFORMED,
     REC_HAS_IP | REC_HAS_VNI, REC_HAS_PORTS},
    {"VXLAN of ARP", "eth ip4out vxlan eth ip4 udp data", 63, 6, OUT_NOT_MINE, REC_HAS_VNI, 0},
    {"GTP echo", "eth ip4out gtp ip4 udp data", 43, 1, OUT_OK, REC_HAS_PORTS, 0},
    {"GRE version 3", "eth ip4out gre ip4 udp data", 35, 3, OUT_NOT_MINE, REC_HAS_IP,
     REC_HAS_PORTS},
    {"GRE, inner IP broken", "eth ip4out gre ip4 udp data", 38, 0x41, OUT_MALFORMED, REC_HAS_IP,
     REC_HAS_PORTS},
    {"MACsec, encrypted", "eth macsec ip4 udp data", 14, 0x2c, OUT_NOT_MINE, 0, REC_HAS_IP},
    {"PPPoE code 9", "eth pppoe ip4 udp data", 15, 9, OUT_MALFORMED, 0, REC_HAS_IP},
    {"priority tag", "eth vlan5 ip4 udp data", 15, 0, OUT_OK, 0, REC_HAS_VLAN},
};

static void test_odd(void **state)
{
    (void)state;
    struct wire w;
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        build(&w, odd[i].spec);
        if (odd[i].value >= 0)
            w.buf[w.at + odd[i].at] = (uint8_t)odd[i].value;
        size_t len = len_of(&w);
        struct rec r = walk(odd[i].name, guard_copy(w.buf + w.at, len), len, len, 1);
        if (r.outcome != odd[i].want || (r.flags & odd[i].flags) != odd[i].flags
            || (r.flags & odd[i].absent) != 0)
            fail_msg("%s: %s, flags %x", odd[i].name, outcome_name[r.outcome], r.flags);
    }
}

static void test_icmp_error_is_no_traffic(void **state)
{
    (void)state;
    struct wire w;
    build(&w, "ip4 udp data");
    PUT(&w, 3, 3, 0, 0, 0, 0, 0, 0);
    w_ip4_outer(&w, &(struct header){.ip = 1});
    w_eth(&w, header_named("ip4", 3));
    struct rec r =
        walk("unreachable", guard_copy(w.buf + w.at, len_of(&w)), len_of(&w), len_of(&w), 1);
    struct addr src;
    assert_true(addr_parse("10.0.0.1", &src));
    assert_int_equal(r.outcome, OUT_NOT_MINE);
    assert_true((r.flags & REC_ICMP_ERROR) != 0 && (r.flags & REC_HAS_PORTS) == 0);
    assert_true(addr_equal(&r.src, &src));
}

static void test_macsec_integrity_only(void **state)
{
    (void)state;
    struct wire w = {.at = sizeof w.buf};
    put(&w, "sixteen of check", 16);
    w_payload(&w, NULL);
    w_udp(&w, NULL);
    w.buf[w.at + 5] = 20; /* UDP and IP do not know of the check value */
    w_ip4(&w, header_named("udp", 3));
    w.buf[w.at + 3] = 40;
    w_macsec(&w, header_named("ip4", 3));
    w_eth(&w, header_named("macsec", 6));
    struct row row = {"macsec", 1, V4, V4, REC_HAS_MAC, 0};
    struct rec r = walk("macsec", guard_copy(w.buf + w.at, len_of(&w)), len_of(&w), len_of(&w), 1);
    check_good(&row, &r);
}

static void test_depth(void **state)
{
    (void)state;
    struct wire w;
    uint64_t before = headers_stats(table)->too_deep;
    build(&w, "eth ip4 ip4 ip4 ip4 ip4 ip4 ip4 ip4 ip4 ip4 ip4 ip4 ip4 ip4 udp data");
    struct rec r =
        walk("16 headers", guard_copy(w.buf + w.at, len_of(&w)), len_of(&w), len_of(&w), 1);
    assert_int_equal(r.outcome, OUT_OK);
    assert_int_equal(r.depth, 16);
    build(&w, "eth ip4 ip4 ip4 ip4 ip4 ip4 ip4 ip4 ip4 ip4 ip4 ip4 ip4 ip4 ip4 udp data");
    r = walk("17 headers", guard_copy(w.buf + w.at, len_of(&w)), len_of(&w), len_of(&w), 1);
    assert_int_equal(r.outcome, OUT_MALFORMED);
    assert_true(headers_stats(table)->too_deep == before + 2); /* walked twice */
}

/* A damaged record that holds more than it says was on the wire: the rest is no part of the packet.
 */
static void test_captured_more_than_wire(void **state)
{
    (void)state;
    struct wire w;
    build(&w, "eth ip4 udp data");
    size_t len = len_of(&w);
    struct rec r = walk("cap > wire", guard_copy(w.buf + w.at, len), len, len - 4, 1);
    assert_int_equal(r.outcome, OUT_OK);
    assert_int_equal(r.payload.left, 8);
    assert_int_equal(r.cap_len, len);
}

/* n in, n outcomes; what the filter refused is not looked at. */
static void test_conservation(void **state)
{
    (void)state;
    static struct wire wires[BURST_MAX];
    struct pkt pkts[BURST_MAX];
    struct rec recs[BURST_MAX];
    for (unsigned i = 0; i < BURST_MAX; i++) {
        build(&wires[i], rows[i % (sizeof rows / sizeof *rows)].spec);
        pkts[i] = (struct pkt){.bytes = wires[i].buf + wires[i].at,
                               .cap_len = (uint32_t)len_of(&wires[i]) - i % 3,
                               .wire_len = (uint32_t)len_of(&wires[i]),
                               .ord = 1000 + i,
                               .ts_ns = i,
                               .origin = (uint16_t)i,
                               .link = rows[i % (sizeof rows / sizeof *rows)].link,
                               .filtered = i % 5 == 0};
        memset(&recs[i], 0xee, sizeof recs[i]);
    }
    headers_burst(table, pkts, recs, BURST_MAX);
    for (unsigned i = 0; i < BURST_MAX; i++) {
        check_record("burst", &pkts[i], &recs[i]);
        assert_int_equal(recs[i].outcome == OUT_FILTERED, pkts[i].filtered);
        assert_true(recs[i].ord == 1000 + i && recs[i].origin == i && recs[i].ts_ns == i);
        assert_true(recs[i].wire_len == pkts[i].wire_len && recs[i].cap_len == pkts[i].cap_len);
    }
    struct pkt empty = {.bytes = NULL, .link = 1};
    headers_burst(table, &empty, recs, 1);
    assert_int_equal(recs[0].outcome, OUT_MALFORMED);
    struct pkt unknown = {.bytes = (const uint8_t *)"", .link = 9999};
    headers_burst(table, &unknown, recs, 1);
    assert_int_equal(recs[0].outcome, OUT_UNSUPPORTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_padding),
        cmocka_unit_test(test_every_cut),
        cmocka_unit_test(test_odd),
        cmocka_unit_test(test_icmp_error_is_no_traffic),
        cmocka_unit_test(test_macsec_integrity_only),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_captured_more_than_wire),
        cmocka_unit_test(test_conservation),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
