/* The rules of enrich/tls_policy.h, applied to the sessions of one tuple: what was offered,
 * answered and presented.
 *
 * A finding says how far the thing went (enum basis): offered is no more than a client's ability,
 * attempted was refused, negotiated was chosen by the server, accepted was gone on with. What was
 * not seen is never called clean. */
#pragma once
#include "core/answer.h"
#include "core/cert.h"
#include "core/offer.h"
#include "enrich/tls_policy.h"

struct tls_tuple {
    uint16_t version, cipher, group, record_version, alert;
    uint16_t signs;  /* enum tls_sign */
    uint16_t port;   /* the server's */
    uint8_t via;     /* enum tls_via */
    uint8_t outcome; /* enum tls_outcome */
    bool resumed, handshake_seen;
    uint64_t sessions, bytes; /* of all sessions together */
    uint64_t first_ns, last_ns;
    const struct offer *offer;   /* NULL: no ClientHello seen */
    const struct answer *answer; /* NULL: not known */
    const struct cert *const
        *certs; /* in the order sent; NULL where the facts of one are not known */
    unsigned n_certs;
    struct bytes name; /* that the server was called by: SNI, or what the client asked DNS for */
    uint8_t name_source;
};

enum { TLS_HITS_MAX = WEAK_N };

struct tls_hit {
    uint8_t rule, basis, severity; /* severity is never off */
    char detail[DETAIL_MAX];
};

struct tls_verdict {
    unsigned n;
    struct tls_hit hits[TLS_HITS_MAX]; /* by rule, each once */
    uint8_t judgement, reason, certs;  /* enum judgement, unknown_reason, cert_state */
    uint8_t worst;                     /* enum severity of what is weak about the sessions */
};

/* Judges one tuple alone: what needs other sessions (NEED_FLEET) is not in it. */
void tls_rules_judge(const struct tls_policy *p, const struct tls_tuple *t, struct tls_verdict *v);

/* The same in two parts, as many tuples differ in no more than in the name. All but what the name
 * tells: of numbers and times it looks at no more than what tls_rules_volume and
 * tls_rules_validity say. */
void tls_rules_alike(const struct tls_policy *p, const struct tls_tuple *t, struct tls_verdict *v);
/* What the name tells: is it one of the certificate's? False: nothing is wrong. */
bool tls_rules_name(const struct tls_policy *p, const struct tls_tuple *t, struct tls_hit *h);
/* Does a further finding make a session weak that was called `judgement`? */
bool tls_rules_weakens(const struct tls_policy *p, uint8_t judgement, uint8_t basis,
                       uint8_t severity);

/* How much a session sent, on the mean. */
enum tls_volume { VOLUME_LITTLE, VOLUME_GIB, VOLUME_BLOCKS }; /* 2^32 blocks of 64 bits */
enum tls_volume tls_rules_volume(const struct tls_tuple *t);
/* Of the server's certificate at the times of the sessions. */
enum tls_validity {
    VALIDITY_GOOD, /* or nobody can say */
    VALIDITY_EXPIRED,
    VALIDITY_EXPIRED_TODAY, /* less than 24 h ago */
    VALIDITY_NOT_YET,
    VALIDITY_NOT_YET_TODAY
};
enum tls_validity tls_rules_validity(const struct tls_tuple *t);

/* The highest version a hello offers (GREASE is not in an offer): of supported_versions, else the
 * legacy one. */
uint16_t tls_offer_max(const struct offer *o);
bool tls_offer_extension(const struct offer *o, uint16_t type);
bool tls_offer_cipher(const struct offer *o, uint16_t code);

/* RFC 9525: does this dNSName of a certificate name `host`? A wildcard stands for one whole
 * left-most label. */
bool tls_name_matches(const char *san, size_t san_len, const uint8_t *host, size_t host_len);
