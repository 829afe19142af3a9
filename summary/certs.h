/* The certificates of a run, by their id: the bytes that packets gave, until somebody reads them,
 * and the facts that were read. One for all windows of a worker, as offers.h. Those with the
 * smallest hashes stay (limits.certs), while there is room for bytes (limits.cert_bytes). */
#pragma once
#include "core/config.h"
#include "core/msg.h"

struct certs;

MUST_CHECK bool certs_new(struct certs **c, const struct config *config, struct err *e);
void certs_free(struct certs *c);

/* Remembers a certificate. False where it is turned away: the limits, or another one that has the
 * same id. */
MUST_CHECK bool certs_keep(struct certs *c, uint64_t id, struct bytes der);

/* Its bytes; absent where it was turned away. */
struct bytes certs_der(const struct certs *c, uint64_t id);

/* Reads a certificate into a blob of CERT_BLOB_MAX bytes (core/cert.h) and returns its length: a
 * function of its bytes alone. */
typedef size_t cert_facts_fn(const uint8_t *der, size_t len, uint8_t *blob);

/* The facts of this certificate, read once by `read`; absent where it was turned away. Not in the
 * packet path. */
struct bytes certs_facts(struct certs *c, uint64_t id, cert_facts_fn *read);
