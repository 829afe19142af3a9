/* Reading certificates (RFC 5280) with OpenSSL: off the packet path. */
#pragma once
#include "core/cert.h"

/* Fills `c` from a DER certificate. True where all of it could be read. Else CERT_UNREADABLE is
 * set, and what could be read stands there: the SHA-256 of the bytes at least. What follows the
 * certificate in `der` makes it unreadable. */
bool cert_parse(const uint8_t *der, size_t len, struct cert *c);

/* As cert_parse, with what else events tell. */
bool cert_describe(const uint8_t *der, size_t len, struct cert *c, struct cert_label *label);

/* The same as a blob, as summary/certs.h wants it. */
size_t cert_facts(const uint8_t *der, size_t len, uint8_t blob[static CERT_BLOB_MAX]);
