/* The certificates of a run, by their id: the bytes that packets gave, and the facts that were read
 * in them. */
#pragma once
#include "core/cert.h"
#include "core/config.h"
#include "core/msg.h"

/* Bytes, kept by the worker that met them: one for all its windows, as offers.h. Those with the
 * smallest hashes stay (limits.certs), while there is room for bytes (limits.cert_bytes). */
struct certs;

MUST_CHECK bool certs_new(struct certs **c, const struct config *config, struct err *e);
void certs_free(struct certs *c);

/* Remembers a certificate. False where one is turned away: this one, for the limits or another that
 * has the same id, or one that was kept. `again`: the same bytes were given before: they are not
 * compared. */
MUST_CHECK bool certs_keep(struct certs *c, uint64_t id, struct bytes der, bool again);

/* Its bytes, which stay where they are as long as `c`; absent where it was turned away. */
struct bytes certs_der(const struct certs *c, uint64_t id);

/* Reads a certificate into a blob of CERT_BLOB_MAX bytes (core/cert.h) and returns its length: a
 * function of its bytes alone. */
typedef size_t cert_facts_fn(const uint8_t *der, size_t len, uint8_t *blob);

/* Facts, so that each certificate is read once: of the thread that closes windows. Forgets all when
 * limits.certs of them are there. */
struct cert_notes;

MUST_CHECK bool cert_notes_new(struct cert_notes **n, const struct config *config,
                               cert_facts_fn *read, struct err *e);
void cert_notes_free(struct cert_notes *n);

/* Facts as rows have them: names.policy holds for what a certificate says of its own, too. Where a
 * name is left out, or hashed so that it can be compared with no other (one with a wildcard), it
 * counts as cut. Returns `facts`, or what was written to `blob`. */
struct bytes cert_facts_named(const struct config *config, struct bytes facts,
                              uint8_t blob[static CERT_BLOB_MAX]);

/* The facts of the certificate `id` with these bytes; valid until the next call. */
struct bytes cert_notes_of(struct cert_notes *n, uint64_t id, struct bytes der);
