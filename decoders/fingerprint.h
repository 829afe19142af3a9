/* Client fingerprints of TLS hellos.
 *
 * JA4:  FoxIO, "JA4: TLS Client Fingerprinting" (BSD-3), for TLS over TCP, QUIC and DTLS.
 * JA3, JA3S: Salesforce (BSD-3), on demand: MD5 of version, cipher suites, extensions, groups and
 *       point formats; of a server's version, cipher suite and extensions.
 *
 * A worker has one of these: what was worked out for the hellos seen lately is remembered, so that
 * the usual hello costs one look-up. Nothing here allocates after fingerprint_new. */
#pragma once
#include "core/err.h"
#include "decoders/tls_hello.h"

enum {
    FINGERPRINT_JA4_LEN = 36, /* t13d1516h2_8daaf6152771_e5627efa2ab1 */
    FINGERPRINT_JA3_LEN = 16  /* MD5 */
};

struct fingerprints;

/* Caller owns `*f`. `ja3`: JA3 and JA3S are wanted too. */
MUST_CHECK bool fingerprint_new(struct fingerprints **f, bool ja3, struct err *e);
void fingerprint_free(struct fingerprints *f);

/* The JA4 of the ClientHello `body` (without the handshake header; of DTLS with its cookie), of
 * which `h` was decoded. False where lengths lie or the capture cut it, so that its extensions are
 * not all known, and for hellos of SSLv2 format, which have none. GREASE counts nowhere, in ALPN
 * neither; the highest version of DTLS is the one with the smallest number. */
MUST_CHECK bool fingerprint_ja4(struct fingerprints *f, const struct tls_client_hello *h,
                                struct cur body, enum tls_carrier carrier,
                                char text[static FINGERPRINT_JA4_LEN]);

/* JA3 and JA3S. False also where they were not asked for. */
MUST_CHECK bool fingerprint_ja3(struct fingerprints *f, struct cur body, enum tls_carrier carrier,
                                uint8_t md5[static FINGERPRINT_JA3_LEN]);
MUST_CHECK bool fingerprint_ja3s(struct fingerprints *f, struct cur body,
                                 uint8_t md5[static FINGERPRINT_JA3_LEN]);
