#include "sinks/community.h"

#include <netinet/in.h>
#include <openssl/evp.h>
#include <stdlib.h>

struct community {
    EVP_MD *sha1;
    EVP_MD_CTX *ctx;
    uint16_t seed;
};

/* ICMP types that come in pairs; the rest go one way, so their code stays what it is. */
struct pair {
    uint8_t type, counterpart;
};
static const struct pair icmp4_pairs[] = {
    {0, 8}, {8, 0}, {9, 10}, {10, 9}, {13, 14}, {14, 13}, {15, 16}, {16, 15}, {17, 18}, {18, 17},
};
static const struct pair icmp6_pairs[] = {
    {128, 129}, {129, 128}, {130, 131}, {131, 130}, {133, 134}, {134, 133},
    {135, 136}, {136, 135}, {139, 140}, {140, 139}, {144, 145}, {145, 144},
};

bool community_new(struct community **out, uint16_t seed, struct err *e)
{
    struct community *c = calloc(1, sizeof *c);
    if (c != NULL) {
        c->seed = seed;
        c->sha1 = EVP_MD_fetch(NULL, "SHA1", NULL);
        c->ctx = EVP_MD_CTX_new();
    }
    if (c == NULL || c->sha1 == NULL || c->ctx == NULL) {
        community_free(c);
        err_set(e, "community id: SHA-1 is not to be had");
        return false;
    }
    *out = c;
    return true;
}

void community_free(struct community *c)
{
    if (c == NULL)
        return;
    EVP_MD_CTX_free(c->ctx);
    EVP_MD_free(c->sha1);
    free(c);
}

static bool counterpart(const struct pair *pairs, size_t n, uint16_t type, uint16_t *to)
{
    for (size_t i = 0; i < n; i++) {
        if (pairs[i].type == type) {
            *to = pairs[i].counterpart;
            return true;
        }
    }
    return false;
}

/* Makes the ports of `f` what is hashed. Returns whether the flow has a direction of its own, which
 * ordering must keep. */
static bool ports_of(struct community_flow *f, bool *has_ports)
{
    bool paired = true;
    *has_ports = true;
    switch (f->ip_proto) {
    case IPPROTO_TCP:
    case IPPROTO_UDP:
    case IPPROTO_SCTP:
        break;
    case IPPROTO_ICMP:
        paired = counterpart(icmp4_pairs, sizeof icmp4_pairs / sizeof *icmp4_pairs, f->src_port,
                             &f->dst_port);
        break;
    case IPPROTO_ICMPV6:
        paired = counterpart(icmp6_pairs, sizeof icmp6_pairs / sizeof *icmp6_pairs, f->src_port,
                             &f->dst_port);
        break;
    default:
        *has_ports = false;
        f->src_port = f->dst_port = 0;
    }
    return !paired;
}

static size_t put_addr(uint8_t *to, const struct addr *a, bool v4)
{
    size_t n = v4 ? 4 : 16;
    memcpy(to, a->b + 16 - n, n);
    return n;
}

static size_t put_u16(uint8_t *to, uint16_t v)
{
    to[0] = (uint8_t)(v >> 8);
    to[1] = (uint8_t)v;
    return 2;
}

void community_id(struct community *c, const struct community_flow *flow,
                  char text[static COMMUNITY_TEXT_MAX])
{
    struct community_flow f = *flow;
    bool has_ports;
    bool one_way = ports_of(&f, &has_ports);
    int order = memcmp(f.src.b, f.dst.b, sizeof f.src.b);
    if (!one_way && (order > 0 || (order == 0 && f.src_port > f.dst_port)))
        f = (struct community_flow){.src = f.dst,
                                    .dst = f.src,
                                    .src_port = f.dst_port,
                                    .dst_port = f.src_port,
                                    .ip_proto = f.ip_proto};

    uint8_t in[2 + 16 + 16 + 2 + 4];
    bool v4 = addr_is_v4(&f.src) && addr_is_v4(&f.dst);
    size_t n = put_u16(in, c->seed);
    n += put_addr(in + n, &f.src, v4);
    n += put_addr(in + n, &f.dst, v4);
    in[n++] = f.ip_proto;
    in[n++] = 0;
    if (has_ports) {
        n += put_u16(in + n, f.src_port);
        n += put_u16(in + n, f.dst_port);
    }

    uint8_t digest[EVP_MAX_MD_SIZE];
    bool hashed = EVP_DigestInit_ex2(c->ctx, c->sha1, NULL) == 1
                  && EVP_DigestUpdate(c->ctx, in, n) == 1
                  && EVP_DigestFinal_ex(c->ctx, digest, NULL) == 1;
    text[0] = '\0';
    if (!hashed)
        return;
    static_assert(COMMUNITY_TEXT_MAX >= 2 + 28 + 1, "SHA-1 is 28 characters of base64");
    text[0] = '1';
    text[1] = ':';
    EVP_EncodeBlock((unsigned char *)text + 2, digest, 20);
}
