/* Names of TLS code points, as the IANA registries spell them. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#define TLS_VERSION_TEXT_MAX 24

/* NULL where the registry has no name. */
const char *tls_cipher_name(uint16_t cipher);
const char *tls_group_name(uint16_t group);
const char *tls_alert_name(uint8_t description);

/* "TLS 1.2", "TLSv1", "SSLv3", "TLS 1.3 draft-23", as Suricata writes them; "0x7a7a" where there is
 * no name. */
void tls_version_text(uint16_t version, char text[static TLS_VERSION_TEXT_MAX]);
