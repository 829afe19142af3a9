/* Names before they enter a summary: made printable, lower case, and hidden where the configuration
 * says so. */
#pragma once
#include "core/config.h"
#include "core/msg.h"

enum { NAME_MAX_TEXT = 1024 }; /* 255 bytes, each as \DDD */

/* Bytes outside printable ASCII become \DDD, as in DNS presentation format (RFC 1035 5.1). Returns
 * the length. */
uint32_t name_clean(struct bytes name, bool lower, char text[static NAME_MAX_TEXT]);

/* Would name_clean leave it as it is? False may also mean: not worth a look. */
bool name_is_clean(struct bytes name, bool lower);

/* name_clean, then the policy of `c`: a name outside its suffixes is kept, becomes "h:" and 16 hex
 * digits of its keyed hash (SipHash-2-4, so that nobody without the key can try names), or ""
 * (dropped). */
uint32_t name_apply(const struct config *c, struct bytes name, bool lower,
                    char text[static NAME_MAX_TEXT]);
