/* Hand-made packets, and the rows they must give. */
#include "fold_rig.h"

static const uint64_t SLOT_NS = UINT64_C(60) * 1000000000;

static void client_and_peer(void **state)
{
    (void)state;
    fresh(SCOPE_GATEWAYS, NAMES_KEEP);
    struct rec out = packet(GATEWAY, SERVER, 5), in = packet(SERVER, GATEWAY, 9);
    struct rec far = packet(GATEWAY, SERVER_2, 7);
    far.proto = PROTO_NONE;
    in.wire_len = 300;
    count(&in, VANTAGE_LAN);
    count(&out, VANTAGE_LAN);
    count(&out, VANTAGE_LAN);
    count(&far, VANTAGE_LAN);
    const struct row_client *c = only(ROW_CLIENT);
    assert_memory_equal(&c->key.client, &out.client[SIDE_SRC], sizeof c->key.client);
    assert_int_equal(c->packets_out, 3);
    assert_int_equal(c->packets_in, 1);
    assert_int_equal(c->packets_group, 0);
    assert_int_equal(c->bytes_out, 300);
    assert_int_equal(c->bytes_in, 300);
    assert_int_equal(c->first_ns, START_NS + 5);
    assert_int_equal(c->last_ns, START_NS + 9);
    assert_int_equal(c->protocols[PROTO_NTP], 3);
    assert_int_equal(c->protocols[PROTO_NONE], 1);
    assert_int_equal(c->probes_in, 0);
    const struct distinct_block *remotes = window_distinct_block(w, &c->remotes, &distinct_small);
    assert_int_equal(distinct_count(&distinct_small, remotes), 2);
    size_t n;
    void *const *rows = window_rows(w, ROW_PEER, &n);
    assert_int_equal(n, 2);
    const struct row_peer *p = rows[0];
    assert_memory_equal(&p->key.remote, &out.dst, 16);
    assert_int_equal(p->key.port, 123);
    assert_int_equal(p->key.ip_proto, 17);
    assert_int_equal(p->packets_out, 2);
    assert_int_equal(p->packets_in, 1);
    assert_int_equal(p->bytes_out, 200);
    assert_int_equal(p->bytes_in, 300);
    assert_int_equal(p->first_out_ns, START_NS + 5);
    assert_int_equal(p->first_in_ns, START_NS + 9);
    assert_int_equal(p->last_ns, START_NS + 9);
    assert_int_equal(p->key.protocols, 1u << PROTO_NTP);
    p = rows[1];
    assert_true(p->first_in_ns == UINT64_MAX); /* never answered */
    assert_int_equal(p->key.protocols, 0);
    assert_int_equal(window_totals(w)->packets.read, 4);
    assert_int_equal(window_totals(w)->packets.bytes_captured, 360);
    assert_int_equal(window_totals(w)->ip_v4, 4);
}

static void probes(void **state)
{
    (void)state;
    static const struct {
        unsigned from, to;
        uint8_t ip_proto, flags;
        uint32_t syn_out, syn_in;
    } rows[] = {
        {SERVER, GATEWAY, 6, 2, 0, 1},      {SERVER, GATEWAY, 6, 2 | 16, 0, 0},
        {GATEWAY, SERVER, 6, 2, 1, 0},      {SERVER, GATEWAY, 17, 2, 0, 0},
        {SERVER, GATEWAY, 6, 2 | 64, 0, 1}, {SERVER, GATEWAY, 6, 16, 0, 0},
    };
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        fresh(SCOPE_GATEWAYS, NAMES_KEEP);
        struct rec r = packet(rows[i].from, rows[i].to, 0);
        r.ip_proto = rows[i].ip_proto;
        r.tcp_flags = rows[i].flags;
        count(&r, VANTAGE_LAN);
        const struct row_peer *p = only(ROW_PEER);
        assert_int_equal(p->syn_out, rows[i].syn_out);
        assert_int_equal(p->syn_in, rows[i].syn_in);
        assert_int_equal(((const struct row_client *)only(ROW_CLIENT))->probes_in, rows[i].syn_in);
    }
}

/* More than a talk has room for: SYNs beyond 255, a second protocol. */
static void talk_turns(void **state)
{
    (void)state;
    static const uint8_t protos[] = {PROTO_TLS, PROTO_HTTP, PROTO_NONE};
    fresh(SCOPE_GATEWAYS, NAMES_KEEP);
    for (unsigned i = 0; i < 900; i++) {
        struct rec r = packet(GATEWAY, SERVER, i);
        r.ip_proto = 6;
        r.tcp_flags = 2;
        r.proto = i < 600 ? PROTO_NONE : protos[i % 3];
        count(&r, VANTAGE_LAN);
    }
    const struct row_peer *p = only(ROW_PEER);
    assert_int_equal(p->packets_out, 900);
    assert_int_equal(p->syn_out, 900);
    assert_int_equal(p->key.protocols, 1u << PROTO_TLS | 1u << PROTO_HTTP);
    assert_true(p->first_out_ns == START_NS && p->last_ns == START_NS + 899);
    const struct row_client *c = only(ROW_CLIENT);
    assert_int_equal(c->packets_out, 900);
    assert_int_equal(c->protocols[PROTO_NONE], 700);
    assert_int_equal(c->protocols[PROTO_TLS], 100);
    assert_int_equal(c->protocols[PROTO_HTTP], 100);
}

static void coverage(void **state)
{
    (void)state;
    fresh(SCOPE_GATEWAYS, NAMES_KEEP);
    struct rec out = packet(GATEWAY, SERVER, 0), in = packet(SERVER, GATEWAY, 0);
    struct rec group = packet(GATEWAY, SERVER, 0);
    group.flags |= REC_GROUP;
    static const unsigned out_slots[] = {0, 59, 3, 0}, in_slots[] = {3, 4};
    for (unsigned i = 0; i < 4; i++) {
        out.ts_ns = START_NS + (out_slots[i] + 1) * SLOT_NS - 1; /* its last nanosecond */
        count(&out, VANTAGE_LAN);
    }
    for (unsigned i = 0; i < 2; i++) {
        in.ts_ns = START_NS + in_slots[i] * SLOT_NS; /* its first */
        count(&in, VANTAGE_LAN);
    }
    group.ts_ns = START_NS + 7 * SLOT_NS;
    count(&group, VANTAGE_LAN);
    const struct row_coverage *c = only(ROW_COVERAGE);
    assert_text(c->key.sensor, "replay");
    assert_int_equal(c->key.vantage, VANTAGE_LAN);
    assert_true(c->slots_out == (1 | UINT64_C(1) << 3 | UINT64_C(1) << 59));
    assert_true(c->slots_in == (UINT64_C(1) << 3 | UINT64_C(1) << 4));
    assert_true(c->slots_group == UINT64_C(1) << 7);
    /* the same slots again, from elsewhere: another row, whatever was told before */
    out.ts_ns = START_NS;
    count(&out, VANTAGE_LAN);
    count(&out, VANTAGE_WAN);
    size_t n;
    void *const *rows = window_rows(w, ROW_COVERAGE, &n);
    assert_int_equal(n, 2);
    c = rows[1];
    assert_int_equal(c->key.vantage, VANTAGE_WAN);
    assert_int_equal(c->slots_out, 1);
    window_lost(w, VANTAGE_WAN, 9);
    rows = window_rows(w, ROW_COVERAGE, &n);
    assert_int_equal(n, 3);
    c = rows[1];
    assert_int_equal(c->key.client.kind, CLIENT_NONE);
    assert_int_equal(c->lost_packets, 9);
    assert_int_equal(window_totals(w)->ledger.lost_packets, 9);
}

static void mac_bindings(void **state)
{
    (void)state;
    fresh(SCOPE_GATEWAYS, NAMES_KEEP);
    struct rec r = packet(GATEWAY_BY_ADDR, SERVER, SLOT_NS + 5);
    count(&r, VANTAGE_LAN);
    r.ts_ns += 3 * SLOT_NS;
    count(&r, VANTAGE_LAN);
    count(&r, VANTAGE_LAN);
    const struct row_binding *b = only(ROW_BINDING);
    assert_int_equal(b->key.kind, BIND_MAC);
    assert_memory_equal(b->key.mac, r.mac[SIDE_SRC], 6);
    assert_memory_equal(&b->key.addr, &r.src, 16);
    assert_int_equal(b->first_ns, START_NS + SLOT_NS);
    assert_int_equal(b->last_ns, START_NS + 5 * SLOT_NS - 1);
    r.mac[SIDE_SRC][5] = 77; /* another device claims the address in the same slot */
    count(&r, VANTAGE_LAN);
    assert_int_equal(rows_of(ROW_BINDING), 2);
    r.flags |= REC_HAS_INNER_MAC;
    r.inner_mac[SIDE_SRC][0] = 2;
    count(&r, VANTAGE_LAN);
    assert_int_equal(rows_of(ROW_BINDING), 3);
    r.flags &= (uint16_t) ~(REC_HAS_INNER_MAC | REC_HAS_MAC);
    r.src.b[15] = 99;
    count(&r, VANTAGE_LAN);
    assert_int_equal(rows_of(ROW_BINDING), 3);
    r.flags |= REC_HAS_MAC;
    r.src = addr_v4(
        (const uint8_t[]){8, 8, 8, 8}); /* a router's MAC says nothing of a public address */
    count(&r, VANTAGE_LAN);
    assert_int_equal(rows_of(ROW_BINDING), 3);
}

static void outcomes(void **state)
{
    (void)state;
    fresh(SCOPE_ALL, NAMES_KEEP);
    struct rec r = packet(GATEWAY, SERVER, 0);
    r.outcome = OUT_FILTERED;
    count(&r, VANTAGE_LAN);
    assert_int_equal(rows_of(ROW_CLIENT), 0);
    assert_int_equal(window_totals(w)->packets.read, 1);
    r.outcome = OUT_UNSUPPORTED;
    r.link = 147;
    count(&r, VANTAGE_LAN);
    assert_int_equal(tally(TALLY_LINK_UNSUPPORTED, 147, ""), 1);
    for (int o = 0; o < OUT_N; o++) {
        r.outcome = (uint8_t)o;
        count(&r, VANTAGE_LAN);
    }
    uint64_t sum = 0;
    for (int o = 0; o < OUT_N; o++)
        sum += window_totals(w)->packets.outcome[o];
    assert_int_equal(sum, window_totals(w)->packets.read);
}

/* On port 123: NTP that breaks off, and what is no NTP at all. */
static void not_ntp(void **state)
{
    (void)state;
    static const struct {
        uint8_t proto, outcome, ip_proto;
        uint32_t payload;
        uint32_t malformed, not_ntp;
    } rows[] = {
        {PROTO_NTP, OUT_OK, 17, 48, 0, 0},        {PROTO_NTP, OUT_TRUNCATED, 17, 48, 1, 0},
        {PROTO_NTP, OUT_MALFORMED, 17, 9, 1, 0},  {PROTO_NONE, OUT_NOT_MINE, 17, 9, 0, 1},
        {PROTO_NONE, OUT_NOT_MINE, 17, 0, 0, 0},  {PROTO_NONE, OUT_NOT_MINE, 6, 48, 0, 0},
        {PROTO_NONE, OUT_FRAGMENT, 17, 48, 0, 0}, {PROTO_DNS, OUT_OK, 17, 48, 0, 1},
    };
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        fresh(SCOPE_GATEWAYS, NAMES_KEEP);
        struct rec r = packet(SERVER, GATEWAY, 0);
        r.proto = rows[i].proto;
        r.outcome = rows[i].outcome;
        r.ip_proto = rows[i].ip_proto;
        r.payload_wire_len = rows[i].payload;
        count(&r, VANTAGE_LAN);
        assert_int_equal(window_totals(w)->ntp.malformed, rows[i].malformed);
        assert_int_equal(window_totals(w)->ntp.not_ntp, rows[i].not_ntp);
        if (rows[i].malformed + rows[i].not_ntp == 0) {
            assert_int_equal(rows_of(ROW_NTP), 0);
            continue;
        }
        const struct row_ntp *n = only(ROW_NTP);
        assert_int_equal(n->malformed, rows[i].malformed);
        assert_int_equal(n->not_ntp, rows[i].not_ntp);
        assert_int_equal(n->key.role, ROLE_CLIENT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(client_and_peer), cmocka_unit_test(probes),
        cmocka_unit_test(talk_turns),      cmocka_unit_test(coverage),
        cmocka_unit_test(mac_bindings),    cmocka_unit_test(outcomes),
        cmocka_unit_test(not_ntp),
    };
    return cmocka_run_group_tests(tests, NULL, teardown);
}
