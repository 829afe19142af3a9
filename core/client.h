/* Who: the device a packet belongs to, and the site in which its address has a meaning.
 *
 * A site is a number: the hash of a name (a sensor's or a file rule's, top bit set), or kind << 56
 * | value for a VLAN, VNI or GRE key, which needs no table to be printed. */
#pragma once
#include "core/addr.h"

enum site_kind { SITE_NAMED, SITE_VLAN = 1, SITE_VNI = 2, SITE_GRE = 3 };

#define SITE_NAME_BIT (UINT64_C(1) << 63)

static inline uint64_t site_of_number(enum site_kind kind, uint32_t value)
{
    return (uint64_t)kind << 56 | value;
}

enum client_kind { CLIENT_NONE, CLIENT_GATEWAY, CLIENT_HOST, CLIENT_KIND_N };

/* How a client is named, so what `id` holds. */
enum client_by {
    BY_NONE,
    BY_MAC,  /* 6 bytes */
    BY_ADDR, /* 16 bytes; at a server's vantage an IPv6 client is its /64 */
    BY_VLAN, /* 4 bytes, network order: outer << 12 | inner tag, or the only tag */
    BY_VNI,  /* 4 bytes, network order */
    BY_GRE,  /* 4 bytes, network order */
    BY_FILE, /* 8 bytes: hash of the capture's name (its base name), network order */
    BY_N
};

/* Key bytes, compared and hashed as such: unused bytes are zero. */
struct client {
    uint64_t site;
    uint8_t kind; /* enum client_kind */
    uint8_t by;   /* enum client_by */
    uint8_t pad[6];
    uint8_t id[16];
};
static_assert(sizeof(struct client) == 32, "no hidden padding in a key");

enum vantage {
    VANTAGE_UNKNOWN,
    VANTAGE_LAN,
    VANTAGE_ROUTER,
    VANTAGE_WAN,
    VANTAGE_SERVER,
    VANTAGE_N
};
