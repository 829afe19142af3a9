/* TLS sessions that later ones may resume (TLS 1.2 and below): what the server of the first, full
 * handshake answered, by the session id or the ticket it gave.
 *
 * Only within one pair of client and server, of one site and capture context, and 24 hours of
 * packet time. What a full table pushes out is forgotten, and counted: a session that resumes it
 * has an answer without certificates. */
#pragma once
#include "core/answer.h"
#include "core/err.h"
#include "core/rec.h"

struct tls_resume;

MUST_CHECK bool tls_resume_new(struct tls_resume **r, uint32_t max, uint64_t seed, struct err *e);
void tls_resume_free(struct tls_resume *r);

struct tls_resume_key {
    struct addr client, server;
    uint64_t site;
    uint64_t id; /* hash of session id or ticket */
    uint16_t origin;
};

/* `first_ns`: when the full handshake was. What is known under the key already stays, unless it is
 * too old. */
void tls_resume_keep(struct tls_resume *r, const struct tls_resume_key *k, uint64_t first_ns,
                     const uint8_t *blob, size_t len);

/* The answer kept under this key, read into `a`, and when it was given. */
MUST_CHECK bool tls_resume_find(const struct tls_resume *r, const struct tls_resume_key *k,
                                uint64_t now_ns, struct answer *a, uint64_t *first_ns);

/* Hint to the cache: what this key will be asked for. */
void tls_resume_prefetch(const struct tls_resume *r, const struct tls_resume_key *k);

void tls_resume_origin_end(struct tls_resume *r, uint16_t origin);

/* Those pushed out before they were too old. */
uint64_t tls_resume_turned_away(const struct tls_resume *r);
