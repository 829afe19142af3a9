/* What a TLS ClientHello offers, as a canonical blob: equal offers have equal bytes, so that its
 * hash is an identity.
 *
 * The blob, all integers big-endian:
 *   u16 legacy_version
 *   u16 n, n x u16   supported versions, in the client's order, without GREASE (RFC 8701)
 *   u16 n, n x u16   cipher suites, in the client's order, without GREASE; SCSVs stay
 *   u16 n, n x u16   extension types, ascending, each once, without GREASE and without those that
 *                    come and go from one connection of a client to the next: server_name 0,
 *                    padding 21, session_ticket 35, pre_shared_key 41, early_data 42, cookie 44,
 *                    key_share 51
 *   u16 n, n x u16   groups, in the client's order, without GREASE
 *   u16 n, n x u16   signature algorithms, likewise
 *   u8 n, n x u8     point formats
 *   u8 n, n x u8     compression methods
 *   u16 n, n bytes   ALPN: (u8 length, name) repeated, without GREASE
 *   u8 flags         OFFER_SSLV2_FORMAT, OFFER_CUT
 *   u8 n, n x u24    SSLv2 cipher kinds that are no TLS suites (first byte not 0), in the client's
 *                    order
 *
 * Lists longer than the limits below are cut and the flag says so: no blob is longer than
 * OFFER_BLOB_MAX. */
#pragma once
#include "core/cur.h"

enum {
    OFFER_BLOB_MAX = 2048,
    OFFER_VERSIONS_MAX = 16,
    OFFER_CIPHERS_MAX = 256,
    OFFER_EXTENSIONS_MAX = 128,
    OFFER_GROUPS_MAX = 128,
    OFFER_SIGNATURES_MAX = 128,
    OFFER_BYTES_MAX = 32, /* point formats, compression methods */
    OFFER_ALPN_MAX = 448, /* bytes */
    OFFER_KINDS_MAX = 64,
};

enum offer_flags {
    OFFER_SSLV2_FORMAT = 1, /* came in a hello of SSLv2 format */
    OFFER_CUT = 2,          /* some list was longer than its limit */
};

/* The blob taken apart. */
struct offer {
    uint16_t legacy_version;
    uint8_t flags; /* enum offer_flags */
    uint16_t n_versions, n_ciphers, n_extensions, n_groups, n_signatures;
    uint16_t n_point_formats, n_compressions, n_kinds, alpn_len;
    uint16_t versions[OFFER_VERSIONS_MAX];
    uint16_t ciphers[OFFER_CIPHERS_MAX];
    uint16_t extensions[OFFER_EXTENSIONS_MAX];
    uint16_t groups[OFFER_GROUPS_MAX];
    uint16_t signatures[OFFER_SIGNATURES_MAX];
    uint8_t point_formats[OFFER_BYTES_MAX];
    uint8_t compressions[OFFER_BYTES_MAX];
    uint8_t alpn[OFFER_ALPN_MAX]; /* (u8 length, name) repeated: see offer_alpn_next */
    uint32_t kinds[OFFER_KINDS_MAX];
};

/* Makes `o` empty: only what lies outside its lists is touched. */
void offer_init(struct offer *o);

/* Appends to a list of `o`; beyond its limit sets OFFER_CUT. GREASE is not kept by offer_add (one
 * of the u16 lists) and offer_add_alpn. */
void offer_add(struct offer *o, uint16_t list[], uint16_t *n, uint16_t max, uint16_t value);
void offer_add_alpn(struct offer *o, const uint8_t *name, uint8_t len);

/* Writes the blob of `o` and returns its length. The extensions of `o` need not be sorted: they are
 * afterwards. */
size_t offer_write(struct offer *o, uint8_t blob[static OFFER_BLOB_MAX]);

/* Takes a blob apart. False where it is none: lengths that do not add up, a list beyond its limit,
 * extensions that are not ascending, an unknown flag. `o` is then undefined. A blob that passes is
 * what offer_write would write. */
MUST_CHECK bool offer_read(const uint8_t *p, size_t n, struct offer *o);

/* Is this a blob, as offer_read would say? */
MUST_CHECK bool tls_offer_check(const uint8_t *p, size_t n);

/* The identity of a blob: XXH3, 64 bits, seed 0. */
uint64_t offer_id(const uint8_t *p, size_t n);

/* The protocol name at `*at` of the ALPN list, and moves `*at` behind it. False at the end. Start
 * with 0. */
MUST_CHECK bool offer_alpn_next(const struct offer *o, size_t *at, const uint8_t **name,
                                uint8_t *len);

/* RFC 8701: 0x0A0A, 0x1A1A, ... 0xFAFA. */
static inline bool tls_is_grease(uint16_t v)
{
    return (v & 0x0f0f) == 0x0a0a && v >> 8 == (v & 0xff);
}
