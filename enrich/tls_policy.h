/* The TLS policy: which classes of weakness count and how much, and what a server that keeps to it
 * accepts. It is data: a YAML file as strict as the configuration; configs/policy-default.yaml is
 * what tls_policy_default says. */
#pragma once
#include "core/err.h"
#include "core/finding.h"

enum {
    POLICY_NAME_LEN = 64,
    POLICY_VERSIONS = 8,
    POLICY_CIPHERS = 256,
    POLICY_LIST = 64,
    POLICY_KEYS = 8
};

enum policy_order { ORDER_CLIENT, ORDER_SERVER };
enum policy_key_type { POLICY_RSA, POLICY_EC, POLICY_ED25519, POLICY_ED448, POLICY_KEY_N };

struct policy_key {
    uint8_t type; /* enum policy_key_type */
    bool said;    /* while it is read: the file told the type */
    uint64_t min_bits;
};

struct tls_policy {
    char name[POLICY_NAME_LEN];
    uint8_t weak_from;        /* enum severity: from where on a session is called weak */
    uint8_t severity[WEAK_N]; /* enum severity; SEVERITY_OFF: the rule does not count */
    uint64_t rsa_bits, dh_bits,
        certificate_days; /* below, below, above which certificates and parameters are weak */

    /* What a server accepts. An empty list: everything. */
    unsigned n_versions, n_ciphers, n_groups, n_signatures, n_keys;
    uint16_t versions[POLICY_VERSIONS];
    uint16_t ciphers[POLICY_CIPHERS]; /* in the server's order */
    uint16_t groups[POLICY_LIST];
    uint16_t signatures[POLICY_LIST];
    struct policy_key keys[POLICY_KEYS]; /* of its certificates */
    uint8_t order;                       /* enum policy_order: whose order of suites decides */
    bool sni_required, sslv2_hello;      /* the latter: takes hellos of SSLv2 format */
};

struct tls_policy tls_policy_default(void);

/* Reads `path` over `p`; a list in the file replaces the whole list. Errors as config_load's: file,
 * line, column, key, what is allowed; `p` is then untouched. */
MUST_CHECK bool tls_policy_load(struct tls_policy *p, const char *path, struct err *e);

/* Writes every key as YAML that reads back to the same. */
struct text_sink;
void tls_policy_dump(const struct tls_policy *p, struct text_sink *out);
/* Identity of what a policy says, its name included: 16 hex digits and NUL; "" where memory ran
 * out. */
void tls_policy_hash(const struct tls_policy *p, char hex[static 17]);

/* Takes away all versions older than `version`. False where none is left. */
MUST_CHECK bool tls_policy_min_version(struct tls_policy *p, uint16_t version);
/* "tls1.2" and the like, as in policy files; 0: no such version. */
uint16_t tls_policy_version(const char *name);

/* ---- the rules: the one table of what weak TLS is */

enum rule_need {
    NEED_HELLO = 1,  /* the ClientHello */
    NEED_SERVER = 2, /* version and suite that the server chose */
    NEED_ANSWER = 4, /* the rest of its handshake; TLS 1.2 and older */
    NEED_CERTS = 8,  /* its certificates; TLS 1.2 and older */
    NEED_FLEET = 16, /* other sessions: judged over all that was read */
};
struct rule {
    uint8_t severity; /* enum severity, of the default policy */
    uint8_t needs;    /* enum rule_need: what must be known to say that it does not hold */
    const char *what;
    const char *source;
};
extern const struct rule tls_rules[WEAK_N];

/* Old to new: 1 SSLv2, 2 SSLv3, 3 TLS 1.0 and DTLS 1.0, 4 TLS 1.1, 5 TLS and DTLS 1.2, 6 TLS 1.3
 * with its drafts and DTLS 1.3; 0: not known. */
unsigned tls_version_rank(uint16_t version);
