/* IP fragments: any order, repetition, overlap, time-outs, limits. */
#include "ingest/frag.h"

#include "tests/ingest/headers_wire.h"

static struct frags *table;
static struct headers_stats stats;

static void make(uint32_t datagrams, uint32_t bytes)
{
    struct err e;
    memset(&stats, 0, sizeof stats);
    assert_true(frag_new(&table, &(struct headers_limits){datagrams, bytes, 60000}, &stats, &e));
}

static int teardown(void **state)
{
    (void)state;
    frag_free(table);
    table = NULL;
    return 0;
}

static uint8_t sample[65536];

static void fill_sample(void)
{
    for (size_t i = 0; i < sizeof sample; i++)
        sample[i] = (uint8_t)(i * 7 + i / 256);
}

static struct frag_key key_of(uint8_t version, uint32_t id)
{
    struct frag_key k = {.id = id, .version = version, .ip_proto = version == 4 ? 17 : 0};
    k.src.b[15] = 1;
    k.dst.b[15] = 2;
    return k;
}

/* Adds bytes [offset, end) of `bytes` at time `s`. */
static enum frag_result add(const struct frag_key *key, const uint8_t *bytes, uint32_t offset,
                            uint32_t end, bool more, uint64_t s, struct cur *whole)
{
    struct frag_piece piece = {.bytes = cur_of(bytes + offset, end - offset, end - offset),
                               .ts_ns = s * UINT64_C(1000000000),
                               .offset = offset,
                               .next = offset == 0 ? 17 : 99,
                               .more = more};
    uint8_t next = 0;
    enum frag_result got = frag_add(table, key, &piece, whole, &next);
    if (got == FRAG_DONE)
        assert_int_equal(next, 17);
    return got;
}

static void assert_sample(const struct cur *whole, size_t len)
{
    assert_int_equal(whole->left, len);
    assert_false(whole->snapped);
    assert_memory_equal(whole->p, sample, len);
}

/* Every order of four pieces, each given once or twice, and lengths around every edge. */
static void test_any_order(void **state)
{
    (void)state;
    static const uint32_t cuts[][5] = {
        {0, 8, 16, 24, 25},
        {0, 8, 16, 24, 32},
        {0, 2040, 2048, 2056, 4099},
        {0, 16000, 32000, 48000, 65535},
        {0, 4096, 8192, 12288, 12296},
    };
    make(4, 1 << 18);
    for (size_t c = 0; c < sizeof cuts / sizeof *cuts; c++) {
        for (unsigned order = 0; order < 4 * 4 * 4 * 4; order++) {
            unsigned at[4] = {order & 3, order >> 2 & 3, order >> 4 & 3, order >> 6};
            unsigned seen = 1U << at[0] | 1U << at[1] | 1U << at[2] | 1U << at[3];
            if (seen != 15)
                continue;
            bool twice = order % 2 != 0;
            uint8_t version = order % 3 == 0 ? 4 : 6;
            struct frag_key key = key_of(version, order);
            struct cur whole;
            frag_burst(table);
            for (unsigned i = 0; i < 4; i++) {
                const uint32_t *from = &cuts[c][at[i]];
                enum frag_result want = i == 3 ? FRAG_DONE : FRAG_WAIT;
                assert_int_equal(add(&key, sample, from[0], from[1], at[i] < 3, 5, &whole), want);
                if (twice && i < 3)
                    assert_int_equal(add(&key, sample, from[0], from[1], at[i] < 3, 5, &whole),
                                     FRAG_WAIT);
            }
            assert_sample(&whole, cuts[c][4]);
        }
    }
    assert_true(stats.datagrams == 24 * sizeof cuts / sizeof *cuts);
    assert_true(stats.fragments_overlap == 0 && stats.fragments_turned_away == 0);
}

/* IPv4: the first bytes win, and the conflict counts. */
static void test_overlap_v4(void **state)
{
    (void)state;
    make(4, 1 << 18);
    static uint8_t other[64];
    memset(other, 0xee, sizeof other);
    struct frag_key key = key_of(4, 1);
    struct cur whole;
    assert_int_equal(add(&key, sample, 0, 24, true, 0, &whole), FRAG_WAIT);
    assert_int_equal(add(&key, other, 16, 40, true, 0, &whole), FRAG_WAIT);
    assert_int_equal(stats.fragments_overlap, 1);
    assert_int_equal(add(&key, sample, 40, 45, false, 0, &whole), FRAG_DONE);
    assert_int_equal(whole.left, 45);
    assert_memory_equal(whole.p, sample, 24);
    assert_memory_equal(whole.p + 24, other, 16);
    assert_memory_equal(whole.p + 40, sample + 40, 5);

    /* about the end, too: what lies beyond the first end told is cut off */
    key = key_of(4, 2);
    assert_int_equal(add(&key, sample, 16, 21, false, 0, &whole), FRAG_WAIT);
    assert_int_equal(add(&key, sample, 24, 32, true, 0, &whole), FRAG_WAIT);
    assert_int_equal(add(&key, sample, 8, 16, false, 0, &whole), FRAG_WAIT);
    assert_int_equal(add(&key, sample, 0, 32, true, 0, &whole), FRAG_DONE);
    assert_sample(&whole, 21);
    assert_int_equal(stats.fragments_overlap, 4);

    /* a last fragment that ends before bytes already seen */
    key = key_of(4, 3);
    assert_int_equal(add(&key, sample, 8, 32, true, 0, &whole), FRAG_WAIT);
    assert_int_equal(add(&key, sample, 0, 3, false, 0, &whole), FRAG_WAIT);
    assert_int_equal(add(&key, sample, 32, 40, false, 0, &whole), FRAG_WAIT);
    assert_int_equal(add(&key, sample, 0, 8, true, 0, &whole), FRAG_DONE);
    assert_sample(&whole, 40);
}

/* IPv6: any overlap but a repetition spoils the datagram, and what comes of it later (RFC 5722). */
static void test_overlap_v6(void **state)
{
    (void)state;
    make(4, 1 << 18);
    struct frag_key key = key_of(6, 1);
    struct cur whole;
    assert_int_equal(add(&key, sample, 0, 24, true, 0, &whole), FRAG_WAIT);
    assert_int_equal(add(&key, sample, 16, 40, true, 0, &whole), FRAG_WAIT); /* the same bytes */
    assert_int_equal(stats.fragments_overlap, 1);
    assert_int_equal(add(&key, sample, 0, 24, true, 10, &whole), FRAG_WAIT);
    assert_int_equal(add(&key, sample, 24, 40, false, 20, &whole), FRAG_WAIT);
    assert_int_equal(stats.datagrams, 0);
    /* until its time is over */
    assert_int_equal(add(&key, sample, 0, 24, true, 81, &whole), FRAG_WAIT);
    assert_int_equal(add(&key, sample, 24, 40, false, 81, &whole), FRAG_DONE);
    assert_sample(&whole, 40);
}

/* By packet time, from one fragment of a datagram to its next; time that goes back is no gap. */
static void test_timeout(void **state)
{
    (void)state;
    make(4, 1 << 18);
    struct cur whole;
    struct frag_key key = key_of(4, 1);
    assert_int_equal(add(&key, sample, 0, 8, true, 1000, &whole), FRAG_WAIT);
    assert_int_equal(add(&key, sample, 8, 16, true, 1060, &whole), FRAG_WAIT);
    assert_int_equal(add(&key, sample, 16, 20, false, 1120, &whole), FRAG_DONE);
    assert_int_equal(add(&key, sample, 0, 8, true, 2000, &whole), FRAG_WAIT);
    assert_int_equal(add(&key, sample, 8, 16, false, 2061, &whole), FRAG_WAIT);
    assert_int_equal(add(&key, sample, 0, 8, true, 2061, &whole), FRAG_DONE);
    assert_int_equal(add(&key, sample, 0, 8, true, 3000, &whole), FRAG_WAIT);
    assert_int_equal(add(&key, sample, 8, 16, false, 1, &whole), FRAG_DONE);
    assert_int_equal(stats.fragments_turned_away, 0);
}

/* A full table gives up the datagram that waits longest. */
static void test_table_limit(void **state)
{
    (void)state;
    make(2, 1 << 18);
    struct cur whole;
    struct frag_key a = key_of(4, 1), b = key_of(4, 2), c = key_of(4, 3);
    assert_int_equal(add(&a, sample, 0, 8, true, 1, &whole), FRAG_WAIT);
    assert_int_equal(add(&b, sample, 0, 8, true, 2, &whole), FRAG_WAIT);
    assert_int_equal(add(&a, sample, 8, 16, true, 3, &whole), FRAG_WAIT);
    assert_int_equal(add(&c, sample, 0, 8, true, 4, &whole), FRAG_WAIT);
    assert_int_equal(stats.fragments_turned_away, 1);
    assert_int_equal(add(&a, sample, 16, 20, false, 4, &whole), FRAG_DONE);
    assert_int_equal(add(&b, sample, 8, 16, false, 4, &whole),
                     FRAG_WAIT); /* its first part is gone */
    assert_int_equal(add(&c, sample, 8, 16, false, 4, &whole), FRAG_DONE);
    assert_int_equal(stats.datagrams, 2);
    /* one whose time was over is no loss */
    assert_int_equal(add(&a, sample, 0, 8, true, 100, &whole), FRAG_WAIT);
    assert_int_equal(add(&c, sample, 0, 8, true, 100, &whole), FRAG_WAIT);
    assert_int_equal(stats.fragments_turned_away, 1);
}

static void test_memory_limit(void **state)
{
    (void)state;
    make(8, 3 * 2048);
    struct cur whole;
    struct frag_key a = key_of(4, 1), b = key_of(4, 2), c = key_of(4, 3);
    assert_int_equal(add(&a, sample, 0, 2048, true, 1, &whole), FRAG_WAIT);
    assert_int_equal(add(&b, sample, 0, 2048, true, 1, &whole), FRAG_WAIT);
    assert_int_equal(add(&c, sample, 0, 4096, true, 1, &whole), FRAG_WAIT);
    assert_int_equal(stats.fragments_turned_away, 1);
    assert_int_equal(add(&c, sample, 4096, 6144, true, 1, &whole), FRAG_WAIT);
    assert_int_equal(stats.fragments_turned_away, 2);
    assert_int_equal(add(&c, sample, 6144, 6152, false, 1, &whole),
                     FRAG_FULL); /* larger than all memory */
    assert_int_equal(stats.fragments_turned_away, 3);
    for (unsigned i = 0; i < 10; i++) { /* nothing leaked */
        assert_int_equal(add(&a, sample, 0, 4096, true, 1, &whole), FRAG_WAIT);
        assert_int_equal(add(&a, sample, 4096, 6144, false, 1, &whole), FRAG_DONE);
        assert_sample(&whole, 6144);
    }
    assert_int_equal(stats.fragments_turned_away, 3);
}

static void test_forget(void **state)
{
    (void)state;
    make(8, 1 << 18);
    struct cur whole;
    struct frag_key a = key_of(4, 1), b = key_of(4, 1);
    b.origin = 1;
    assert_int_equal(add(&a, sample, 0, 8, true, 1, &whole), FRAG_WAIT);
    assert_int_equal(add(&b, sample, 0, 8, true, 1, &whole), FRAG_WAIT);
    frag_forget(table, 0);
    assert_int_equal(add(&a, sample, 8, 16, false, 1, &whole), FRAG_WAIT);
    assert_int_equal(add(&b, sample, 8, 16, false, 1, &whole), FRAG_DONE);
}

/* ---- through headers_burst */

/* Splits the IPv4 packet at `ip` into fragments of `step` bytes of payload, as raw packets. */
static unsigned split4(const uint8_t *ip, size_t len, size_t step, uint8_t out[][256],
                       struct pkt pkts[])
{
    unsigned n = 0;
    for (size_t at = 20; at < len; at += step, n++) {
        size_t part = len - at < step ? len - at : step;
        size_t offset = (at - 20) / 8;
        bool more = at + part < len;
        memcpy(out[n], ip, 20);
        out[n][2] = 0;
        out[n][3] = (uint8_t)(20 + part);
        out[n][6] = (uint8_t)((more ? 0x20 : 0) | offset >> 8);
        out[n][7] = (uint8_t)offset;
        memcpy(out[n] + 20, ip + at, part);
        pkts[n] = (struct pkt){.bytes = out[n],
                               .cap_len = (uint32_t)(20 + part),
                               .wire_len = (uint32_t)(20 + part),
                               .link = 101};
    }
    return n;
}

/* Two datagrams complete in one burst, one of them a tunnel: both payloads are good when the burst
 * is done. */
static void test_burst(void **state)
{
    (void)state;
    struct err e;
    struct headers *h;
    assert_true(headers_new(&h, &(struct headers_limits){16, 1 << 18, 60000}, &e));
    static struct wire plain, tunnel;
    build(&plain, "ip4 udp data");
    build(&tunnel, "ip4out vxlan eth ip4 udp data");
    static uint8_t bytes[16][256];
    struct pkt pkts[16];
    struct rec recs[16];
    unsigned first = split4(plain.buf + plain.at, len_of(&plain), 8, bytes, pkts);
    unsigned n =
        first + split4(tunnel.buf + tunnel.at, len_of(&tunnel), 24, bytes + first, pkts + first);
    assert_int_equal(first, 3);
    struct pkt swapped = pkts[0]; /* out of order */
    pkts[0] = pkts[n - 1];
    pkts[n - 1] = swapped;
    headers_burst(h, pkts, recs, n);

    unsigned whole = 0;
    for (unsigned i = 0; i < n; i++) {
        if (recs[i].outcome == OUT_FRAGMENT)
            continue;
        assert_int_equal(recs[i].outcome, OUT_OK);
        assert_true((recs[i].flags & REC_REASSEMBLED) != 0);
        assert_int_equal(recs[i].dport, 53);
        assert_int_equal(recs[i].payload.left, 12);
        assert_memory_equal(recs[i].payload.p, "twelve bytes", 12);
        whole++;
    }
    assert_int_equal(whole, 2);
    assert_int_equal(headers_stats(h)->fragments, n);
    assert_int_equal(headers_stats(h)->datagrams, 2);

    /* the first fragment of a datagram the capture cut is read as far as it goes; others wait for
     * ever */
    split4(plain.buf + plain.at, len_of(&plain), 16, bytes, pkts);
    pkts[0].cap_len--;
    headers_burst(h, pkts, recs, 2);
    assert_int_equal(recs[0].outcome, OUT_OK);
    assert_int_equal(recs[0].payload.left, 7);
    assert_true(recs[0].payload.snapped && recs[0].dport == 53);
    assert_int_equal(recs[1].outcome, OUT_FRAGMENT);
    headers_origin_end(h, 0);
    headers_free(h);
}

static void test_burst_v6(void **state)
{
    (void)state;
    struct err e;
    struct headers *h;
    assert_true(headers_new(&h, &(struct headers_limits){16, 1 << 18, 60000}, &e));
    static struct wire w[2];
    struct pkt pkts[2];
    struct rec recs[2];
    static struct wire datagram;
    datagram.at = sizeof datagram.buf;
    w_payload(&datagram, NULL);
    w_udp(&datagram, NULL);
    for (int i = 0; i < 2; i++) {
        w[i].at = sizeof w[i].buf;
        put(&w[i], datagram.buf + datagram.at + (i == 0 ? 0 : 16), i == 0 ? 16 : 4);
        PUT(&w[i], 17, 0, 0, (uint8_t)(i == 0 ? 1 : 16), 0, 0, 0, 9);
        w_ip6(&w[i], header_named("atom", 4));
        pkts[i] = (struct pkt){.bytes = w[i].buf + w[i].at,
                               .cap_len = (uint32_t)len_of(&w[i]),
                               .wire_len = (uint32_t)len_of(&w[i]),
                               .link = 229};
    }
    headers_burst(h, pkts, recs, 2);
    assert_int_equal(recs[0].outcome, OUT_FRAGMENT);
    assert_int_equal(recs[0].ip_proto, 17);
    assert_int_equal(recs[1].outcome, OUT_OK);
    assert_memory_equal(recs[1].payload.p, "twelve bytes", 12);
    headers_free(h);
}

int main(void)
{
    fill_sample();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_any_order, teardown),
        cmocka_unit_test_teardown(test_overlap_v4, teardown),
        cmocka_unit_test_teardown(test_overlap_v6, teardown),
        cmocka_unit_test_teardown(test_timeout, teardown),
        cmocka_unit_test_teardown(test_table_limit, teardown),
        cmocka_unit_test_teardown(test_memory_limit, teardown),
        cmocka_unit_test_teardown(test_forget, teardown),
        cmocka_unit_test(test_burst),
        cmocka_unit_test(test_burst_v6),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
