/* ServerKeyExchange: RFC 5246 7.4.3 (DHE, anonymous DH), RFC 8422 5.4 (ECDHE), RFC 4279, RFC 5489
 * (PSK hints before both), RFC 2246 7.4.3 (RSA keys of export suites). Pure functions over bytes.
 */
#pragma once
#include "core/answer.h"

/* How a cipher suite exchanges keys, as far as it shapes ServerKeyExchange. */
enum tls_kx {
    TLS_KX_OTHER,
    TLS_KX_RSA,
    TLS_KX_DHE,
    TLS_KX_DH_ANON,
    TLS_KX_DHE_PSK,
    TLS_KX_ECDHE,
    TLS_KX_ECDH_ANON,
    TLS_KX_ECDHE_PSK
};

enum tls_kx tls_kx_of(uint16_t cipher);

/* Reads the body of a ServerKeyExchange as the version and cipher of `a` say, and puts into `a`:
 * group, dh_*, ske_signature, and the flags for explicit curves and RSA keys. `*value`: XXH3 of the
 * public value (dh_Ys or the point), 0 where there is none.
 *
 * Returns OUT_OK; OUT_UNSUPPORTED where the suite has no such message that we know; OUT_MALFORMED
 * where lengths lie: `a` is then as it was. */
enum outcome tls_ske_decode(struct cur in, struct answer *a, uint64_t *value);
