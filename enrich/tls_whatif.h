/* What a server that keeps to a policy would answer to a ClientHello: it would come to a session,
 * and with what; or not, and why; or that cannot be told. Follows what TLS servers do (RFC
 * 8446 4.1, 4.2; RFC 5246 7.4; OpenSSL where they leave a choice). */
#pragma once
#include "core/cert.h"
#include "core/offer.h"
#include "enrich/tls_policy.h"

enum whatif_result { WHATIF_CONNECT, WHATIF_BREAK, WHATIF_UNKNOWN, WHATIF_N };
extern const char *const whatif_result_names[WHATIF_N];

enum whatif_reason {
    WHY_NONE,
    /* break */
    WHY_VERSION,     /* no version in common */
    WHY_SUITE,       /* no cipher suite */
    WHY_GROUP,       /* suites, but no group for them */
    WHY_SIGNATURE,   /* no signature algorithm that fits a key of the server */
    WHY_KEY,         /* suites, but for certificates the server has not */
    WHY_SNI,         /* names no server */
    WHY_SSLV2_HELLO, /* a hello of SSLv2 format */
    /* unknown */
    WHY_NO_HELLO,    /* its hello was not seen */
    WHY_CUT,         /* its hello was longer than what is kept */
    WHY_MINIMUM,     /* would have to go below its own version: its minimum is not in a hello */
    WHY_PSK,         /* only with keys shared beforehand or the like */
    WHY_NO_GROUPS,   /* only with ECDHE, and tells no groups: servers differ (RFC 8422 4) */
    WHY_CERTIFICATE, /* depends on the key of the server's certificate, which was not seen */
    WHY_FAILS_TODAY, /* comes to no session today, for reasons that are not the policy's */
    WHY_N
};
extern const char *const whatif_reason_names[WHY_N];

/* What is known of the server's certificates. */
struct whatif_server {
    bool seen[CERT_KEY_N]; /* a key of this type was seen; none at all: not known, taken for what
                              the policy says */
    uint16_t ec_group;     /* of its EC key; 0: not known */
    bool takes_no_groups;  /* came to ECDHE with a client that told no groups */
};

struct whatif_answer {
    uint8_t result, reason; /* enum whatif_result, whatif_reason */
    uint16_t version, cipher,
        group; /* where it would connect; group 0: none, or the server's choice */
    bool any;  /* the suite is the server's choice: the policy leaves it open */
};

/* `o` NULL: the hello was not seen. */
void tls_whatif(const struct tls_policy *p, const struct offer *o, bool has_sni,
                const struct whatif_server *server, struct whatif_answer *out);
