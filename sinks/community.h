/* Community ID v1: one name for a flow that every tool computes alike.
 *
 * Source: https://github.com/corelight/community-id-spec ("1:" + base64(SHA-1(seed . addresses .
 * protocol . 0 . ports)), the smaller address and port first). IPv4 addresses are hashed as 4
 * bytes. VLANs and tunnels do not enter. */
#pragma once
#include "core/addr.h"
#include "core/err.h"

#define COMMUNITY_TEXT_MAX 32 /* bytes of the text, with its NUL */

/* The two ends of a flow in either order. For ICMP and ICMPv6 `src_port` is the type and `dst_port`
 * the code: types that answer each other get one id, as the specification's table says. Of other
 * protocols than TCP, UDP, SCTP and these two the ports are not used. */
struct community_flow {
    struct addr src, dst;
    uint16_t src_port, dst_port;
    uint8_t ip_proto;
};

struct community; /* holds the digest's state; one thread */

/* `seed` enters the hash: 0 unless a site sets its own. Caller owns `*c`. */
MUST_CHECK bool community_new(struct community **c, uint16_t seed, struct err *e);
void community_free(struct community *c);

/* Writes the id; "" if the digest library failed. */
void community_id(struct community *c, const struct community_flow *flow,
                  char text[static COMMUNITY_TEXT_MAX]);
