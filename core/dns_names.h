/* Names of DNS code points, as the IANA registries spell them. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#define DNS_NAME_TEXT_MAX 16

/* "AAAA"; "TYPE1234" where there is no name (RFC 3597 5). */
void dns_type_text(uint16_t type, char text[static DNS_NAME_TEXT_MAX]);

/* "NXDOMAIN"; "RCODE12" where there is no name. */
void dns_rcode_text(uint16_t rcode, char text[static DNS_NAME_TEXT_MAX]);
