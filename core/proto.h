/* The protocols that decoders know. */
#pragma once
#include <assert.h>

enum proto {
    PROTO_NONE, /* nobody's */
    PROTO_NTP,
    PROTO_DNS, /* port 53 or recognised by content */
    PROTO_MDNS,
    PROTO_LLMNR,
    PROTO_TLS,
    PROTO_HTTP, /* only the calls that matter: see decoders/http.h */
    PROTO_QUIC,
    PROTO_DTLS,
    PROTO_N
};

static const char *const proto_name[] = {
    [PROTO_NONE] = "other", [PROTO_NTP] = "ntp",     [PROTO_DNS] = "dns",
    [PROTO_MDNS] = "mdns",  [PROTO_LLMNR] = "llmnr", [PROTO_TLS] = "tls",
    [PROTO_HTTP] = "http",  [PROTO_QUIC] = "quic",   [PROTO_DTLS] = "dtls",
};
static_assert(sizeof proto_name / sizeof *proto_name == PROTO_N, "a name per protocol");
