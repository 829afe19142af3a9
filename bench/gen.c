/* gen OUT GATEWAYS FLOWS [SEED]: a capture of a fleet in which all flows are alive at once.
 *
 * Each flow is a TLS connection of one gateway (three packets of TCP, a ClientHello, a ServerHello,
 * application data both ways); the packets of all flows take turns, so that no flow ends before the
 * last one began. Each gateway also asks DNS and NTP once a round. Same arguments, same bytes.
 * 100,000 packets a second of packet time, IPv4, Ethernet, classic pcap. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROUNDS = 7, SERVERS = 4000, HEAD = 14 + 20 };

static FILE *out;
static uint64_t state, ts_us = UINT64_C(1519819200000000), written;

static uint32_t rnd(void) /* splitmix64 */
{
    uint64_t z = state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return (uint32_t)(z ^ z >> 31);
}

static void put16(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint32_t v)
{
    put16(p, v >> 16);
    put16(p + 2, v);
}

static uint32_t server_ip(uint32_t i)
{
    return UINT32_C(0xc6120000) + i % SERVERS; /* 198.18.0.0/15, for benchmarks: RFC 2544 */
}

/* One packet between a gateway and an address; `l4` holds `len` bytes behind the IP header. */
static void emit(uint32_t gateway, uint32_t remote, int to_gateway, uint8_t proto,
                 const uint8_t *l4, uint32_t len)
{
    uint8_t p[2048] = {0};
    uint8_t mac[6] = {
        0xac, 0xca, 0x54, (uint8_t)(gateway >> 16), (uint8_t)(gateway >> 8), (uint8_t)gateway};
    static const uint8_t router[6] = {2, 0, 0, 0, 0, 1};
    uint32_t ip = UINT32_C(0x0a000000) + gateway + 1;
    memcpy(p, to_gateway ? mac : router, 6);
    memcpy(p + 6, to_gateway ? router : mac, 6);
    put16(p + 12, 0x0800);
    p[14] = 0x45;
    put16(p + 16, 20 + len);
    p[22] = 64;
    p[23] = proto;
    put32(p + 26, to_gateway ? remote : ip);
    put32(p + 30, to_gateway ? ip : remote);
    uint32_t sum = 0;
    for (int i = 14; i < 34; i += 2)
        sum += (uint32_t)p[i] << 8 | p[i + 1];
    sum = (sum & 0xffff) + (sum >> 16);
    put16(p + 24, ~((sum & 0xffff) + (sum >> 16)));
    memcpy(p + HEAD, l4, len);
    uint32_t n = HEAD + len < 60 ? 60 : HEAD + len;
    ts_us += 10;
    uint32_t head[4] = {(uint32_t)(ts_us / 1000000), (uint32_t)(ts_us % 1000000), n, n};
    if (fwrite(head, sizeof head, 1, out) != 1 || fwrite(p, n, 1, out) != 1) {
        perror("write");
        exit(1);
    }
    written++;
}

static void udp(uint32_t gateway, uint32_t remote, int to_gateway, uint16_t gport, uint16_t port,
                const uint8_t *payload, uint32_t len)
{
    uint8_t p[600] = {0};
    put16(p, to_gateway ? port : gport);
    put16(p + 2, to_gateway ? gport : port);
    put16(p + 4, 8 + len);
    memcpy(p + 8, payload, len);
    emit(gateway, remote, to_gateway, 17, p, 8 + len);
}

static void dns(uint32_t gateway, uint32_t round)
{
    uint8_t q[64] = {0};
    uint32_t resolver = UINT32_C(0x0a000000) + 0xff0000 + gateway % 64;
    uint16_t port = (uint16_t)(20000 + rnd() % 40000), id = (uint16_t)rnd();
    put16(q, id);
    put16(q + 2, 0x0100);
    put16(q + 4, 1);
    int n = 12;
    q[n++] = 1;
    q[n++] = (uint8_t)('0' + round % 4);
    memcpy(q + n, "\4pool\3ntp\3org", 14);
    n += 14;
    put16(q + n, 1);
    put16(q + n + 2, 1);
    n += 4;
    udp(gateway, resolver, 0, port, 53, q, (uint32_t)n);
    put16(q + 2, 0x8180);
    put16(q + 6, 1);
    put16(q + n, 0xc00c);
    put16(q + n + 2, 1);
    put16(q + n + 4, 1);
    put32(q + n + 6, 60);
    put16(q + n + 10, 4);
    put32(q + n + 12, server_ip(gateway + round));
    udp(gateway, resolver, 1, port, 53, q, (uint32_t)n + 16);
}

static void ntp(uint32_t gateway, uint32_t round)
{
    uint8_t p[48] = {0x23};
    uint32_t server = server_ip(gateway + round);
    uint32_t s = (uint32_t)(ts_us / 1000000) + UINT32_C(2208988800), f = rnd();
    put32(p + 40, s);
    put32(p + 44, f);
    udp(gateway, server, 0, 123, 123, p, sizeof p);
    memmove(p + 24, p + 40, 8);
    memcpy(p + 32, p + 24, 8);
    p[0] = 0x24;
    p[1] = 2;
    put32(p + 12, server ^ 0x55);
    udp(gateway, server, 1, 123, 123, p, sizeof p);
}

/* A ClientHello with a name, or a ServerHello; returns its length. */
static uint32_t hello(uint8_t *p, int client, uint32_t kind)
{
    static const uint8_t suites[] = {0, 8, 0xc0, 0x2f, 0xc0, 0x30, 0, 0x9c, 0, 0x2f};
    uint32_t n = 9;
    memset(p, 0, 300);
    put16(p + n, kind % 8 == 0 ? 0x0301 : 0x0303);
    n += 34;
    p[n++] = 0;
    if (client) {
        memcpy(p + n, suites, sizeof suites);
        n += sizeof suites;
        p[n++] = 1;
        p[n++] = 0;
        char name[24];
        uint32_t len = (uint32_t)snprintf(name, sizeof name, "s%u.live.example", kind % 500);
        put16(p + n, len + 9);
        put16(p + n + 2, 0);
        put16(p + n + 4, len + 5);
        put16(p + n + 6, len + 3);
        put16(p + n + 9, len);
        memcpy(p + n + 11, name, len);
        n += 11 + len;
    } else {
        put16(p + n, kind % 8 == 0 ? 0x002f : 0xc02f);
        n += 3;
    }
    p[0] = 22;
    put16(p + 1, 0x0301);
    put16(p + 3, n - 5);
    p[5] = client ? 1 : 2;
    put16(p + 7, n - 9);
    return n;
}

/* Packet `step` of flow `f`. */
static void tls(uint32_t f, uint32_t gateways, uint32_t step)
{
    static const uint8_t sides[ROUNDS] = {0, 1, 0, 0, 1, 0, 1};
    static const uint8_t flags[ROUNDS] = {2, 0x12, 0x10, 0x18, 0x18, 0x18, 0x18};
    uint8_t p[400] = {0}, client[300], server[300];
    uint32_t gateway = f % gateways, n = f / gateways;
    uint32_t client_len = hello(client, 1, f), server_len = hello(server, 0, f), len = 0;
    int side = sides[step];
    uint32_t sent[2] = {1000 + (step > 0) + (step > 3 ? client_len : 0) + (step > 5 ? 45 : 0),
                        9000 + (step > 1) + (step > 4 ? server_len : 0)};
    put16(p, side == 0 ? 30000 + n : 443);
    put16(p + 2, side == 0 ? 443 : 30000 + n);
    put32(p + 4, sent[side]);
    put32(p + 8, step == 0 ? 0 : sent[1 - side]);
    p[12] = 5 << 4;
    p[13] = flags[step];
    put16(p + 14, 65535);
    if (step == 3 || step == 4) {
        len = step == 3 ? client_len : server_len;
        memcpy(p + 20, step == 3 ? client : server, len);
    } else if (step > 4) {
        len = 45; /* a protected record */
        memcpy(p + 20, "\x17\x03\x03\0\x28", 5);
    }
    emit(gateway, server_ip(f * 7), side, 6, p, 20 + len);
}

int main(int argc, char **argv)
{
    if (argc < 4 || atoi(argv[2]) < 1 || atoi(argv[3]) < 1) {
        fprintf(stderr, "usage: gen OUT GATEWAYS FLOWS [SEED]\n");
        return 2;
    }
    uint32_t gateways = (uint32_t)atoi(argv[2]), flows = (uint32_t)atoi(argv[3]);
    state = argc > 4 ? strtoull(argv[4], NULL, 10) : 1;
    out = fopen(argv[1], "wb");
    if (out == NULL) {
        perror(argv[1]);
        return 1;
    }
    static const uint32_t head[6] = {0xa1b2c3d4, 2 | 4 << 16, 0, 0, 262144, 1};
    fwrite(head, sizeof head, 1, out);
    for (uint32_t step = 0; step < ROUNDS; step++) {
        uint32_t asked = 0;
        for (uint32_t f = 0; f < flows; f++) {
            tls(f, gateways, step);
            if (asked < gateways && f % (flows / gateways > 0 ? flows / gateways : 1) == 0) {
                dns(asked, step);
                ntp(asked++, step);
            }
        }
    }
    if (fclose(out) != 0) {
        perror(argv[1]);
        return 1;
    }
    printf("%llu packets\n", (unsigned long long)written);
    return 0;
}
