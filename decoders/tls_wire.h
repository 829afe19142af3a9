/* Numbers of the TLS record layer and handshake: private to decoders/tls_*.c. */
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
    TLS_MSG_CERTIFICATE = 11,
    TLS_MSG_SERVER_HELLO_DONE = 14,
};

/* Alerts of RFC 8446 6, RFC 5246 7.2 and their extensions. */
bool tls_alert_known(uint8_t level, uint8_t description);
/* Handshake types a peer may send in clear. */
bool tls_message_known(uint8_t type);
