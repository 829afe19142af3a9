/* What the readers of both hellos share. */
#pragma once
#include "decoders/tls_hello.h"

enum {
    EXT_SERVER_NAME = 0,
    EXT_STATUS_REQUEST = 5,
    EXT_SUPPORTED_GROUPS = 10,
    EXT_POINT_FORMATS = 11,
    EXT_SIGNATURE_ALGORITHMS = 13,
    EXT_HEARTBEAT = 15,
    EXT_ALPN = 16,
    EXT_PADDING = 21,
    EXT_ENCRYPT_THEN_MAC = 22,
    EXT_EXTENDED_MASTER_SECRET = 23,
    EXT_SESSION_TICKET = 35,
    EXT_PRE_SHARED_KEY = 41,
    EXT_EARLY_DATA = 42,
    EXT_SUPPORTED_VERSIONS = 43,
    EXT_COOKIE = 44,
    EXT_KEY_SHARE = 51,
    EXT_ECH = 0xfe0d, /* RFC 9849 */
    EXT_RENEGOTIATION_INFO = 0xff01,

    TLS_MAJOR = 3,
    DTLS_MAJOR = 0xfe,
    RANDOM_LEN = 32,
};

static inline struct bytes bytes_of(const struct cur *c)
{
    return c->left == 0 ? (struct bytes){0} : (struct bytes){.p = c->p, .len = (uint32_t)c->left};
}

/* The body of an extension of this type says nothing of the offer: of those that come and go
 * (core/offer.h), and of encrypted_client_hello. */
#define EXT_BIT(type) (UINT64_C(1) << (type))
static const uint64_t tls_comes_and_goes = EXT_BIT(EXT_SERVER_NAME) | EXT_BIT(EXT_PADDING)
                                           | EXT_BIT(EXT_SESSION_TICKET)
                                           | EXT_BIT(EXT_PRE_SHARED_KEY) | EXT_BIT(EXT_EARLY_DATA)
                                           | EXT_BIT(EXT_COOKIE) | EXT_BIT(EXT_KEY_SHARE);
static inline bool tls_hello_differs(uint16_t type)
{
    return type < 64 ? tls_comes_and_goes >> type & 1 : type == EXT_ECH;
}

/* RFC 6066 3: the first host_name of a server_name; others are not defined. */
bool tls_hello_sni(struct cur body, struct bytes *sni);

/* RFC 7301 3.1: the names of a list; the first goes to `first`. `more`: see struct
 * tls_client_hello. */
bool tls_hello_alpn(struct cur list, struct bytes *first, uint64_t *more);
