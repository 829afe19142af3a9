/* Numbers of the TLS record layer and handshake, and of the machine that reads them (tls_record.c):
 * private to decoders/tls_*.c. */
#pragma once
#include "core/cur.h"

enum {
    TLS_RECORD_HEAD = 5,
    TLS_RECORD_MAX = 16384 + 2048, /* RFC 5246 6.2.3 */
    TLS_MSG_HEAD = 4,
    TLS_HELLO_MAX = 131072 + 512, /* a ClientHello with every list at its limit */
    TLS_SSLV2_HEAD = 13,          /* bytes that tell a hello of SSLv2 format */

    TLS_TYPE_CCS = 20,
    TLS_TYPE_ALERT = 21,
    TLS_TYPE_HANDSHAKE = 22,
    TLS_TYPE_DATA = 23,
    TLS_TYPE_HEARTBEAT = 24,

    TLS_MSG_CLIENT_HELLO = 1,
    TLS_MSG_SERVER_HELLO = 2,
    TLS_MSG_NEW_SESSION_TICKET = 4,
    TLS_MSG_CERTIFICATE = 11,
    TLS_MSG_SERVER_KEY_EXCHANGE = 12,
    TLS_MSG_CERTIFICATE_REQUEST = 13,
    TLS_MSG_SERVER_HELLO_DONE = 14,
};

/* half.mode */
enum {
    AT_HEAD,      /* between handshake messages */
    AT_SKIP,      /* within one that nobody needs */
    AT_KEEP,      /* within a hello or another message that is wanted whole, being copied */
    AT_CERTS,     /* within a Certificate, being counted */
    AT_LOST,      /* somewhere in a handshake record; the next one may tell */
    AT_V2,        /* within a ClientHello of SSLv2 format, being copied */
    AT_V2_ANSWER, /* within a ServerHello of SSLv2, being copied */
    AT_OPAQUE,    /* SSLv2 after its hello: `left` more bytes of it, then nothing we read */
};

/* half.flags */
enum {
    H_PROTECTED = 1, /* ChangeCipherSpec was seen */
    H_GAP = 2,       /* bytes are missing */
    H_HELLO_2 = 4,   /* the hello after a HelloRetryRequest was seen */
    H_CLEAR = 8,     /* the handshake record being read is in clear */
    H_LIST = 16,     /* AT_CERTS: the list's own length was read */
    H_CERT = 256,    /* AT_CERTS: the certificate being passed is wanted whole */
    H_TRY = 32, /* the handshake record being read is protected, or holds a hello: its first bytes
                   tell */
};

/* Alerts of RFC 8446 6, RFC 5246 7.2 and their extensions. */
bool tls_alert_known(uint8_t level, uint8_t description);
/* Handshake types a peer may send in clear. */
bool tls_message_known(uint8_t type);
