/* Judgements, as rules make them, the flags segment writes them and reports show them. */
#pragma once
#include "core/client.h"
#include "core/msg.h"

enum severity {
    SEVERITY_OFF, /* the rule does not count */
    SEVERITY_INFO,
    SEVERITY_LOW,
    SEVERITY_MEDIUM,
    SEVERITY_HIGH,
    SEVERITY_CRITICAL,
    SEVERITY_N
};
extern const char *const severity_names[SEVERITY_N];

/* Classes of weak TLS. enrich/tls_policy.c says of each what it is and who says so. */
enum weakness {
    WEAK_SSLV2_NEG,
    WEAK_SSLV2_OFFER,
    WEAK_SSLV2_COMPAT_HELLO,
    WEAK_SSLV2_EXPORT,
    WEAK_SSLV3_NEG,
    WEAK_POODLE,
    WEAK_TLS10,
    WEAK_TLS11,
    WEAK_DROWN_SHARED_KEY,
    WEAK_FREAK,
    WEAK_LOGJAM_EXPORT,
    WEAK_DH_SHORT,
    WEAK_DH_COMMON,
    WEAK_DH_REUSE,
    WEAK_STATIC_RSA,
    WEAK_STATIC_DH,
    WEAK_STATIC_ECDH,
    WEAK_NULL_ENC,
    WEAK_ANON,
    WEAK_RC4,
    WEAK_SWEET32,
    WEAK_SINGLE_DES,
    WEAK_EXPORT,
    WEAK_CBC_NO_ETM,
    WEAK_COMPRESSION,
    WEAK_INSECURE_RENEG,
    WEAK_CLIENT_NO_RENEG_INFO,
    WEAK_NO_EMS,
    WEAK_FALLBACK_NO_SCSV,
    WEAK_FALLBACK_REJECTED,
    WEAK_DOWNGRADE_SENTINEL,
    WEAK_SIG_MD5,
    WEAK_SIG_SHA1,
    WEAK_CERT_SIG_MD5,
    WEAK_CERT_SIG_SHA1,
    WEAK_CERT_RSA_SHORT,
    WEAK_CERT_ROCA,
    WEAK_CERT_EXPIRED,
    WEAK_CERT_NOT_YET,
    WEAK_CERT_SELF_SIGNED,
    WEAK_CERT_NAME_MISMATCH,
    WEAK_CERT_LONG,
    WEAK_HEARTBEAT_NEG,
    WEAK_HEARTBLEED,
    WEAK_WEAK_CURVE,
    WEAK_TICKET_ODD,
    WEAK_EARLY_DATA,
    WEAK_PSK_NO_DHE,
    WEAK_OLD_CLIENT,
    WEAK_PLAINTEXT_AFTER_STARTTLS,
    WEAK_HTTP_ON_443,
    WEAK_HTTP_LOGIN,
    WEAK_N
};
extern const char *const weakness_names[WEAK_N];

/* What a finding rests on: how far the thing found went. */
enum basis {
    BASIS_ACCEPTED,       /* the handshake went on after it */
    BASIS_NEGOTIATED,     /* the server chose it; how it went on was not seen */
    BASIS_ATTEMPTED,      /* the server chose it, and the handshake failed */
    BASIS_OFFERED,        /* the client is able to; nothing more */
    BASIS_RECORD_VERSION, /* the handshake was not seen: protected records alone tell it */
    BASIS_N
};
extern const char *const basis_names[BASIS_N];

/* Does such a finding say that a session was weak? */
static inline bool basis_of_session(enum basis b)
{
    return b == BASIS_ACCEPTED || b == BASIS_NEGOTIATED || b == BASIS_RECORD_VERSION;
}

/* Where a server's name is from. */
enum name_source {
    NAME_NONE,
    NAME_SNI,
    NAME_DNS,  /* derived: the name this client had asked DNS for to get the address */
    NAME_CERT, /* derived: the certificate's first name */
    NAME_SOURCE_N
};
extern const char *const name_source_names[NAME_SOURCE_N];

/* A server of TLS: an address and port, or a device of ours. */
struct service {
    uint64_t site;
    struct addr addr;     /* all zero where `device` serves */
    struct client device; /* by BY_NONE: none */
    uint16_t port;
    uint8_t carrier;     /* enum tls_carrier */
    uint8_t name_source; /* enum name_source */
    struct bytes name;   /* borrowed from the window */
};

enum { CLIENT_TYPE_MAX = 64, DETAIL_MAX = 160 };

/* How many clients: kinds are never added up. */
struct client_counts {
    uint64_t gateways, hosts, others; /* others: who asked a device of ours from outside */
};

/* What one rule found at one server with one type of client, in one way. */
struct finding { /* what it points to is borrowed from its owner */
    const struct service *server;
    const char *client_type;
    uint8_t rule, basis, severity; /* enum weakness, basis, severity */
    uint64_t sessions;
    struct client_counts clients;
    uint64_t first_ns, last_ns;
    const char *detail;
    const struct client *example; /* the first by order; NULL where it is not ours */
    uint64_t example_hello;
};

/* How a session may be called. */
enum judgement {
    JUDGED_WEAK,    /* a finding of at least the policy's weak_from */
    JUDGED_CLEAN,   /* all that can be seen was seen, and is well */
    JUDGED_UNKNOWN, /* not all was seen: see enum unknown_reason */
    JUDGED_FAILED,  /* no session came about */
    JUDGED_N
};
enum unknown_reason {
    UNKNOWN_NONE,
    UNKNOWN_PARTIAL,   /* the handshake was not seen */
    UNKNOWN_UNDECIDED, /* its end was not seen */
    UNKNOWN_VERSION,   /* a version that no table knows */
    UNKNOWN_SUITE,     /* likewise, a cipher suite */
    UNKNOWN_NO_HELLO,  /* the ClientHello was not seen */
    UNKNOWN_NO_ANSWER, /* the server's handshake was not seen whole */
    UNKNOWN_NO_CERTS,  /* TLS 1.2 and older: its certificates were not seen */
    UNKNOWN_N
};
extern const char *const unknown_reason_names[UNKNOWN_N];
/* What became of looking at the server's certificates. */
enum cert_state {
    CERTS_SEEN,
    CERTS_NOT_VISIBLE, /* TLS 1.3 encrypts them: never called good */
    CERTS_RESUMED,     /* an abbreviated handshake has none */
    CERTS_NOT_SEEN,
    CERTS_N
};
extern const char *const cert_state_names[CERTS_N];

/* What the sessions of one server with one type of client came to. */
struct judged_server { /* as struct finding */
    const struct service *server;
    const char *client_type;
    uint64_t sessions;
    uint64_t judged[JUDGED_N]; /* add up to sessions */
    const uint64_t *unknown;   /* UNKNOWN_N of them; NULL where none is */
    uint64_t certs[CERTS_N];   /* of sessions that did not fail */
    uint8_t worst;             /* enum severity of session findings */
    struct client_counts clients;
    uint64_t first_ns, last_ns;
};

/* Who still uses a server that is to be given up. */
struct migration_user {
    unsigned migration;   /* index in the configuration */
    struct client client; /* BY_NONE: from outside, `outside` */
    struct addr outside;
    char client_type[CLIENT_TYPE_MAX];
    uint64_t sessions, established;
    uint32_t
        version_ranks; /* bit enrich/tls_policy.h's tls_version_rank of each version negotiated */
    uint64_t first_ns, last_ns;
    uint8_t on_replacement; /* 0: no; 1: yes, as this type; 2: as another type */
};
/* A gateway's own call in clear HTTP for a server to talk to (/server/assign): no TLS client, and
 * kept apart. */
struct assign_call {
    uint64_t site;
    struct addr client, server;
    uint8_t mac[6];
    uint64_t calls, answered, first_ns, last_ns;
};
