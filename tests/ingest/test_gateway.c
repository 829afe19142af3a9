/* Who is who: each rule, both sides, and the sites. */
#include "ingest/gateway.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const uint8_t gateway_mac[6] = {0xac, 0xca, 0x54, 0, 0, 1},
                     other_mac[6] = {2, 0, 0, 0, 0, 2};
static const uint8_t group_mac[6] = {0xad, 0xca, 0x54, 0, 0, 1};

static struct addr address(const char *text)
{
    struct addr a;
    assert_true(addr_parse(text, &a));
    return a;
}

static struct net network(const char *text)
{
    struct net n;
    assert_true(net_parse(text, &n));
    return n;
}

/* A packet with everything, ports 40000 > 53. */
static struct rec packet(const char *src, const char *dst)
{
    struct rec r = {.flags = REC_HAS_MAC | REC_HAS_INNER_MAC | REC_HAS_VLAN | REC_HAS_VNI
                             | REC_HAS_GRE_KEY | REC_HAS_IP | REC_HAS_PORTS,
                    .src = address(src),
                    .dst = address(dst),
                    .sport = 40000,
                    .dport = 53,
                    .vlan = 5 << 12 | 7,
                    .vni = 88,
                    .gre_key = 77};
    memcpy(r.mac[SIDE_SRC], other_mac, 6);
    memcpy(r.mac[SIDE_DST], other_mac, 6);
    memcpy(r.inner_mac[SIDE_SRC], other_mac, 6);
    memcpy(r.inner_mac[SIDE_DST], other_mac, 6);
    memset(r.client, 0xee, sizeof r.client);
    return r;
}

static const struct origin origins[] = {
    {.site = SITE_NAME_BIT | 1, .file_hash = 0x0102030405060708, .vantage = VANTAGE_LAN},
    {.site = SITE_NAME_BIT | 2, .file_hash = 9, .vantage = VANTAGE_SERVER},
};

static void classify(const struct config *c, struct rec *r)
{
    gateway_burst(c, origins, r, 1);
}

/* Kind, name and key bytes of a client; the unused ones are zero. */
static void expect(const struct client *c, enum client_kind kind, enum client_by by, const void *id,
                   size_t len)
{
    struct client want = {.kind = (uint8_t)kind, .by = (uint8_t)by};
    if (kind != CLIENT_NONE)
        want.site = c->site;
    if (len > 0)
        memcpy(want.id, id, len);
    assert_memory_equal(c, &want, sizeof want);
}

static void expect_none(const struct client *c)
{
    expect(c, CLIENT_NONE, BY_NONE, NULL, 0);
}

static void test_oui(void **state)
{
    (void)state;
    static struct config c = {
        .n_rules = 1, .rules = {{.kind = RULE_OUI, .mac = {0xac, 0xca, 0x54}, .mac_bits = 24}}};
    struct rec r = packet("192.168.1.10", "8.8.8.8");
    classify(&c, &r);
    expect(&r.client[SIDE_SRC], CLIENT_HOST, BY_ADDR, r.src.b, 16);
    expect_none(&r.client[SIDE_DST]);

    memcpy(r.mac[SIDE_SRC], gateway_mac, 6);
    classify(&c, &r);
    expect(&r.client[SIDE_SRC], CLIENT_GATEWAY, BY_MAC, gateway_mac, 6);
    assert_true(r.site == origins[0].site && r.client[SIDE_SRC].site == origins[0].site);

    r = packet("8.8.8.8", "192.168.1.10");
    memcpy(r.mac[SIDE_DST], gateway_mac, 6);
    classify(&c, &r);
    expect_none(&r.client[SIDE_SRC]);
    expect(&r.client[SIDE_DST], CLIENT_GATEWAY, BY_MAC, gateway_mac, 6);

    memcpy(r.mac[SIDE_DST], group_mac, 6); /* not one host's, whatever its other bits */
    r.flags |= REC_GROUP;
    c.rules[0].mac[0] = 0xad;
    classify(&c, &r);
    expect_none(&r.client[SIDE_DST]);
    c.rules[0].mac[0] = 0xac;

    r = packet("8.8.8.8", "192.168.1.10"); /* ARP: no addresses, yet the gateway's frame */
    r.flags = REC_HAS_MAC;
    memcpy(r.mac[SIDE_SRC], gateway_mac, 6);
    classify(&c, &r);
    expect(&r.client[SIDE_SRC], CLIENT_GATEWAY, BY_MAC, gateway_mac, 6);
    expect_none(&r.client[SIDE_DST]);

    r.mac[SIDE_SRC][0] |= 1; /* a group's, so is the rule's: nobody */
    c.rules[0].mac[0] |= 1;
    classify(&c, &r);
    expect_none(&r.client[SIDE_SRC]);
    r.mac[SIDE_SRC][0] &= 0xfe;
    c.rules[0].mac[0] &= 0xfe;

    c.rules[0].mac_bits = 36; /* a block within an OUI: 4 bits of the fifth byte */
    c.rules[0].mac[4] = 0x0f;
    classify(&c, &r);
    expect(&r.client[SIDE_SRC], CLIENT_GATEWAY, BY_MAC, gateway_mac, 6);
    c.rules[0].mac[4] = 0x10;
    classify(&c, &r);
    expect_none(&r.client[SIDE_SRC]);
    c.rules[0].mac[4] = 0;

    c.rules[0].mac_bits = 48; /* one device, not this one */
    c.rules[0].mac[5] = 2;
    classify(&c, &r);
    expect_none(&r.client[SIDE_SRC]);
    c.rules[0].mac[5] = 1;
    classify(&c, &r);
    expect(&r.client[SIDE_SRC], CLIENT_GATEWAY, BY_MAC, gateway_mac, 6);
}

static void test_inner_oui(void **state)
{
    (void)state;
    static const struct config c = {
        .n_rules = 1,
        .rules = {{.kind = RULE_INNER_OUI, .mac = {0xac, 0xca, 0x54}, .mac_bits = 24}}};
    struct rec r = packet("192.168.1.10", "8.8.8.8");
    memcpy(r.mac[SIDE_SRC], gateway_mac, 6);
    memcpy(r.inner_mac[SIDE_DST], gateway_mac, 6);
    classify(&c, &r);
    expect(&r.client[SIDE_SRC], CLIENT_HOST, BY_ADDR, r.src.b, 16);
    expect(&r.client[SIDE_DST], CLIENT_GATEWAY, BY_MAC, gateway_mac, 6);
    r.flags &= (uint16_t)~REC_HAS_INNER_MAC;
    classify(&c, &r);
    expect_none(&r.client[SIDE_DST]);
}

struct side_row {
    const char *src, *dst;
    uint16_t sport, dport, flags;
    int side; /* who the client is */
};

/* Rules that name both ends' VLAN, tunnel or file. */
static void test_which_side(void **state)
{
    (void)state;
    static const struct side_row rows[] = {
        {"192.168.1.10", "8.8.8.8", 40000, 53, 0, SIDE_SRC},
        {"8.8.8.8", "192.168.1.10", 53, 40000, 0, SIDE_DST},
        {"8.8.8.8", "192.168.1.10", 123, 123, 0, SIDE_DST},
        {"192.168.1.10", "192.168.1.1", 40000, 53, 0, SIDE_SRC},
        {"192.168.1.1", "192.168.1.10", 53, 40000, 0, SIDE_DST},
        {"192.168.1.10", "192.168.1.1", 123, 123, 0, SIDE_SRC},
        {"2001:db8::1", "2001:db8::2", 443, 50000, 0, SIDE_DST},
        {"2001:db8::1", "2001:db8::2", 0, 0, 0, SIDE_SRC},
        {"192.168.1.10", "224.0.0.251", 1, 5353, REC_GROUP, SIDE_SRC},
        {"8.8.8.8", "255.255.255.255", 67, 68, 0, SIDE_SRC},
    };
    static const uint8_t vlan[] = {0, 0, 0x50, 7}, vni[] = {0, 0, 0, 88}, key[] = {0, 0, 0, 77};
    static const uint8_t file[] = {1, 2, 3, 4, 5, 6, 7, 8};
    static const struct {
        enum rule_kind kind;
        enum client_by by;
        uint32_t value;
        uint16_t flag;
        const uint8_t *id;
        size_t len;
    } rules[] = {
        {RULE_VLAN, BY_VLAN, 5 << 12 | 7, REC_HAS_VLAN, vlan, 4},
        {RULE_VLAN, BY_VLAN, UINT32_MAX, REC_HAS_VLAN, vlan, 4},
        {RULE_VNI, BY_VNI, 88, REC_HAS_VNI, vni, 4},
        {RULE_GRE_KEY, BY_GRE, 77, REC_HAS_GRE_KEY, key, 4},
        {RULE_ONE_PER_FILE, BY_FILE, 0, 0, file, 8},
    };
    static struct config c = {.n_rules = 1};
    for (size_t k = 0; k < sizeof rules / sizeof *rules; k++) {
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
            struct rec r = packet(rows[i].src, rows[i].dst);
            r.sport = rows[i].sport;
            r.dport = rows[i].dport;
            r.flags |= rows[i].flags;
            c.rules[0] =
                (struct gateway_rule){.kind = (uint8_t)rules[k].kind, .value = rules[k].value};
            classify(&c, &r);
            expect(&r.client[rows[i].side], CLIENT_GATEWAY, rules[k].by, rules[k].id, rules[k].len);
            assert_int_not_equal(r.client[!rows[i].side].kind, CLIENT_GATEWAY);
            if (rules[k].flag == 0)
                continue;
            r.flags &= (uint16_t)~rules[k].flag; /* the number is not there */
            classify(&c, &r);
            assert_int_not_equal(r.client[rows[i].side].kind, CLIENT_GATEWAY);
            if (rules[k].value == UINT32_MAX)
                continue;
            r.flags |= rules[k].flag; /* or another one */
            c.rules[0].value++;
            classify(&c, &r);
            assert_int_not_equal(r.client[rows[i].side].kind, CLIENT_GATEWAY);
        }
    }
}

static void test_networks(void **state)
{
    (void)state;
    static struct config c = {.n_rules = 2,
                              .rules = {{.kind = RULE_NETWORK}, {.kind = RULE_NETWORK}}};
    c.rules[0].net = network("10.1.0.0/16");
    c.rules[1].net = network("2001:db8::/32");
    struct rec r = packet("10.1.2.3", "10.2.2.3");
    classify(&c, &r);
    expect(&r.client[SIDE_SRC], CLIENT_GATEWAY, BY_ADDR, r.src.b, 16);
    expect(&r.client[SIDE_DST], CLIENT_HOST, BY_ADDR, r.dst.b, 16);
    r = packet("2001:db8:1:2:3::4", "2600::1");
    classify(&c, &r);
    expect(&r.client[SIDE_SRC], CLIENT_GATEWAY, BY_ADDR, r.src.b, 16);
    expect_none(&r.client[SIDE_DST]);
    r.origin = 1; /* seen from a server, an IPv6 client is its /64 */
    classify(&c, &r);
    expect(&r.client[SIDE_SRC], CLIENT_GATEWAY, BY_ADDR, r.src.b, 8);

    c.client_nets[0] = network("0.0.0.0/0"); /* as a server's operator says it */
    c.client_nets[1] = network("::/0");
    c.n_client_nets = 2;
    r = packet("2600:1:2:3:4:5:6:7", "2001:db8::1");
    r.origin = 1;
    classify(&c, &r);
    expect(&r.client[SIDE_SRC], CLIENT_HOST, BY_ADDR, r.src.b, 8);
    assert_true(r.client[SIDE_SRC].site == origins[1].site);
    r = packet("1.2.3.4", "2.3.4.5");
    r.origin = 1;
    classify(&c, &r);
    expect(&r.client[SIDE_SRC], CLIENT_HOST, BY_ADDR, r.src.b, 16);
    c.client_nets[0] = network("9.0.0.0/8");
    c.n_client_nets = 1;
    classify(&c, &r);
    expect_none(&r.client[SIDE_SRC]);
    r = packet("192.168.1.10", "9.9.9.9"); /* private, but not in the networks configured */
    classify(&c, &r);
    expect_none(&r.client[SIDE_SRC]);
    expect(&r.client[SIDE_DST], CLIENT_HOST, BY_ADDR, r.dst.b, 16);
}

static void test_any_client_and_groups(void **state)
{
    (void)state;
    static const struct config c = {.n_rules = 1, .rules = {{.kind = RULE_ANY_CLIENT}}};
    struct rec r = packet("192.168.1.10", "8.8.8.8");
    classify(&c, &r);
    expect(&r.client[SIDE_SRC], CLIENT_GATEWAY, BY_ADDR, r.src.b, 16);
    expect_none(&r.client[SIDE_DST]);
    r = packet("fe80::1", "ff02::fb");
    r.flags |= REC_GROUP;
    classify(&c, &r);
    expect(&r.client[SIDE_SRC], CLIENT_GATEWAY, BY_ADDR, r.src.b, 16);
    expect_none(&r.client[SIDE_DST]);
    r = packet("192.168.1.10", "192.168.1.255"); /* told by the frame that went to all */
    r.flags |= REC_GROUP;
    classify(&c, &r);
    expect_none(&r.client[SIDE_DST]);
    r = packet("0.0.0.0", "255.255.255.255");
    classify(&c, &r);
    expect_none(&r.client[SIDE_SRC]);
    expect_none(&r.client[SIDE_DST]);
    r = packet("192.168.1.10", "192.168.1.1"); /* no IP header was found */
    r.flags &= (uint16_t)~REC_HAS_IP;
    classify(&c, &r);
    expect_none(&r.client[SIDE_SRC]);
    expect_none(&r.client[SIDE_DST]);
}

static void test_first_rule_wins(void **state)
{
    (void)state;
    static struct config c = {
        .n_rules = 2,
        .rules = {{.kind = RULE_OUI, .mac = {0xac, 0xca, 0x54}, .mac_bits = 24},
                  {.kind = RULE_ANY_CLIENT}}};
    struct rec r = packet("192.168.1.10", "192.168.1.1");
    memcpy(r.mac[SIDE_SRC], gateway_mac, 6);
    classify(&c, &r);
    expect(&r.client[SIDE_SRC], CLIENT_GATEWAY, BY_MAC, gateway_mac, 6);
    expect(&r.client[SIDE_DST], CLIENT_GATEWAY, BY_ADDR, r.dst.b, 16);
    struct gateway_rule first = c.rules[0];
    c.rules[0] = c.rules[1];
    c.rules[1] = first;
    classify(&c, &r);
    expect(&r.client[SIDE_SRC], CLIENT_GATEWAY, BY_ADDR, r.src.b, 16);
}

static void test_sites(void **state)
{
    (void)state;
    static struct config c;
    static const struct {
        enum site_by by;
        uint16_t flag;
        uint64_t site;
    } rows[] = {
        {SITE_BY_SENSOR, 0, SITE_NAME_BIT | 1},
        {SITE_BY_FILE, 0, SITE_NAME_BIT | 1},
        {SITE_BY_VLAN, REC_HAS_VLAN, UINT64_C(1) << 56 | 5 << 12 | 7},
        {SITE_BY_VNI, REC_HAS_VNI, UINT64_C(2) << 56 | 88},
        {SITE_BY_GRE, REC_HAS_GRE_KEY, UINT64_C(3) << 56 | 77},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct rec r = packet("192.168.1.10", "8.8.8.8");
        c.site_by = (uint8_t)rows[i].by;
        classify(&c, &r);
        assert_true(r.site == rows[i].site && r.client[SIDE_SRC].site == rows[i].site);
        r.flags &= (uint16_t)~rows[i].flag;
        classify(&c, &r);
        assert_true(r.site == (SITE_NAME_BIT | 1) && r.client[SIDE_SRC].site == r.site);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_oui),
        cmocka_unit_test(test_inner_oui),
        cmocka_unit_test(test_which_side),
        cmocka_unit_test(test_networks),
        cmocka_unit_test(test_any_client_and_groups),
        cmocka_unit_test(test_first_rule_wins),
        cmocka_unit_test(test_sites),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
