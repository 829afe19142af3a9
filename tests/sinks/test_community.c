#include "sinks/community.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <jansson.h>
#include <pcap/pcap.h>

#define BASELINE                                                                                   \
    TELLSCOPE_SHARED "/captures/expected/corelight_community-id-spec/baseline__baseline_"
#define CAPTURE TELLSCOPE_SHARED "/captures/corelight_community-id-spec__pcaps_"

static struct community_flow flow_of(const char *src, const char *dst, unsigned sport,
                                     unsigned dport, unsigned proto)
{
    struct community_flow f = {
        .src_port = (uint16_t)sport, .dst_port = (uint16_t)dport, .ip_proto = (uint8_t)proto};
    assert_true(addr_parse(src, &f.src));
    assert_true(addr_parse(dst, &f.dst));
    return f;
}

static struct community *community_of(uint16_t seed)
{
    struct err e = {""};
    struct community *c = NULL;
    assert_true(community_new(&c, seed, &e));
    return c;
}

static void known_ids(void **state)
{
    static const struct {
        const char *what, *src, *dst;
        unsigned sport, dport, proto;
        const char *id;
    } rows[] = {
        {"tcp", "128.232.110.120", "66.35.250.204", 34855, 80, 6, "1:LQU9qZlK+B5F3KDmev6m5PMibrg="},
        {"tcp, answered", "66.35.250.204", "128.232.110.120", 80, 34855, 6,
         "1:LQU9qZlK+B5F3KDmev6m5PMibrg="},
        {"udp", "192.168.1.52", "8.8.8.8", 54585, 53, 17, "1:d/FP5EW3wiY1vCndhwleRRKHowQ="},
        {"sctp, equal ports", "192.168.170.56", "192.168.170.8", 7, 7, 132,
         "1:MP2EtRCAUIZvTw6MxJHLV7N7JDs="},
        {"tcp over IPv6", "2607:f8b0:400c:c03::1a", "2001:470:e5bf:dead:4957:2174:e82c:4887", 25,
         63943, 6, "1:/qFaeAR+gFe1KYjMzVDsMv+wgU4="},
        {"echo request", "192.168.0.89", "192.168.0.1", 8, 0, 1, "1:X0snYXpgwiv9TZtqg64sgzUn6Dk="},
        {"echo reply", "192.168.0.1", "192.168.0.89", 0, 0, 1, "1:X0snYXpgwiv9TZtqg64sgzUn6Dk="},
        {"time exceeded goes one way", "10.0.0.1", "10.0.0.2", 11, 0, 1,
         "1:YHxtAirCG//0OzkcVAukqKQN9xM="},
        {"neighbour solicitation", "fe80::200:86ff:fe05:80da", "fe80::260:97ff:fe07:69ea", 135, 0,
         58, "1:dGHyGvjMfljg6Bppwm3bg0LO8TY="},
        {"neighbour advertisement", "fe80::260:97ff:fe07:69ea", "fe80::200:86ff:fe05:80da", 136, 0,
         58, "1:dGHyGvjMfljg6Bppwm3bg0LO8TY="},
        {"ICMPv6 error with a code", "3ffe:501:410:0:2c0:dfff:fe47:33e",
         "3ffe:507:0:1:200:86ff:fe05:80da", 1, 4, 58, "1:hLZd0XGWojozrvxqE0dWB1iM6R0="},
        {"RSVP: no ports", "10.1.12.2", "10.1.12.1", 9, 9, 46, "1:KHlLkgoJW7ifUTyTSgyVfkFHzKw="},
    };
    (void)state;
    struct community *c = community_of(0);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[COMMUNITY_TEXT_MAX];
        struct community_flow f =
            flow_of(rows[i].src, rows[i].dst, rows[i].sport, rows[i].dport, rows[i].proto);
        community_id(c, &f, text);
        if (strcmp(text, rows[i].id) != 0)
            fail_msg("%s: %s, not %s", rows[i].what, text, rows[i].id);
    }
    community_free(c);
    community_free(NULL);
}

static json_t *baseline_open(const char *which)
{
    char path[512];
    snprintf(path, sizeof path, BASELINE "%s.json", which);
    return json_load_file(path, 0, NULL);
}

static void baseline(const char *which, uint16_t seed)
{
    json_t *rows = baseline_open(which);
    if (rows == NULL)
        skip(); /* the reference material is not here */
    struct community *c = community_of(seed);
    assert_int_equal(json_array_size(rows), 23);
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const char *src, *dst, *id;
        json_t *sport, *dport;
        int proto;
        assert_int_equal(json_unpack(json_array_get(rows, i), "{s:s,s:s,s:s,s:i,s:o,s:o}", "saddr",
                                     &src, "daddr", &dst, "communityid", &id, "proto", &proto,
                                     "sport", &sport, "dport", &dport),
                         0);
        struct community_flow f = flow_of(src, dst, (unsigned)json_integer_value(sport),
                                          (unsigned)json_integer_value(dport), (unsigned)proto);
        char text[COMMUNITY_TEXT_MAX];
        community_id(c, &f, text);
        assert_string_equal(text, id);
    }
    community_free(c);
    json_decref(rows);
}

static void baseline_seed_0(void **state)
{
    (void)state;
    baseline("deflt", 0);
}

static void baseline_seed_1(void **state)
{
    (void)state;
    baseline("seed1", 1);
}

/* Reads Ethernet, IPv4 without options or IPv6 without extension headers: what the four captures
 * hold, hop-by-hop apart. */
static bool frame_flow(const uint8_t *p, size_t len, struct community_flow *f)
{
    size_t at = 14;
    if (len < at + 40)
        return false;
    if (p[12] == 0x08 && p[13] == 0) {
        f->src = addr_v4(p + at + 12);
        f->dst = addr_v4(p + at + 16);
        f->ip_proto = p[at + 9];
        at += (size_t)(p[at] & 15) * 4;
    } else if (p[12] == 0x86 && p[13] == 0xdd) {
        f->src = addr_v6(p + at + 8);
        f->dst = addr_v6(p + at + 24);
        f->ip_proto = p[at + 6];
        at += 40;
    } else {
        return false;
    }
    if (f->ip_proto == 0 || len < at + 4)
        return false;
    bool icmp = f->ip_proto == 1 || f->ip_proto == 58;
    f->src_port = icmp ? p[at] : (uint16_t)(p[at] << 8 | p[at + 1]);
    f->dst_port = icmp ? p[at + 1] : (uint16_t)(p[at + 2] << 8 | p[at + 3]);
    return true;
}

static bool in_baseline(json_t *rows, const char *id)
{
    size_t i;
    json_t *row;
    json_array_foreach(rows, i,
                       row) if (strcmp(json_string_value(json_object_get(row, "communityid")), id)
                                == 0) return true;
    return false;
}

/* Every packet of the specification's captures has an id of its baseline. */
static void captures(void **state)
{
    static const char *const names[] = {"icmp", "icmp6", "ipv6", "tcp"};
    (void)state;
    json_t *rows = baseline_open("deflt");
    if (rows == NULL)
        skip();
    struct community *c = community_of(0);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[512], why[PCAP_ERRBUF_SIZE], text[COMMUNITY_TEXT_MAX];
        snprintf(path, sizeof path, CAPTURE "%s.pcap", names[i]);
        pcap_t *pcap = pcap_open_offline(path, why);
        assert_non_null(pcap);
        struct pcap_pkthdr *head;
        const uint8_t *bytes;
        unsigned checked = 0;
        while (pcap_next_ex(pcap, &head, &bytes) == 1) {
            struct community_flow f;
            if (!frame_flow(bytes, head->caplen, &f))
                continue;
            community_id(c, &f, text);
            if (!in_baseline(rows, text))
                fail_msg("%s: %s is no id of the baseline", names[i], text);
            checked++;
        }
        assert_true(checked > 0);
        pcap_close(pcap);
    }
    community_free(c);
    json_decref(rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_ids),
        cmocka_unit_test(baseline_seed_0),
        cmocka_unit_test(baseline_seed_1),
        cmocka_unit_test(captures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
