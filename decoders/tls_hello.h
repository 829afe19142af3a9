/* TLS hellos: RFC 8446 4.1, RFC 5246 7.4.1, RFC 6101 (SSLv3), RFC 6066 (extensions), RFC 7301
 * (ALPN), RFC 8701 (GREASE), and the hellos of SSLv2 format (draft-hickman-netscape-ssl, RFC 5246
 * E.2). Pure functions over bytes.
 *
 * The canonical offer of a client, and its identity: core/offer.h. */
#pragma once
#include "core/answer.h"
#include "core/offer.h"
#include "decoders/msg.h"

enum {
    TLS_SSLV2 = 0x0002,
    TLS_SSLV3 = 0x0300,
    TLS_1_0 = 0x0301,
    TLS_1_2 = 0x0303,
    TLS_1_3 = 0x0304,
    DTLS_1_0 = 0xfeff, /* RFC 4347: the ones' complement of the version it is like */
    DTLS_1_2 = 0xfefd,
    DTLS_1_3 = 0xfefc,
    TLS_FALLBACK_SCSV = 0x5600 /* RFC 7507 */
};

/* tls_client_hello.more: the types of extensions that come and go (core/offer.h) and are there, as
 * a set, and in bits that are no such type what follows. Two hellos of equal id and equal `more`
 * have one JA4, but for MORE_ODD: such a hello must be read anew. */
enum tls_hello_more {
    MORE_ALPN_FIRST_AT = 1, /* shifts: first and last byte of the first protocol without GREASE */
    MORE_ALPN_LAST_AT = 9,
    MORE_ALPN_ENDS = 1 << 17, /* they are there */
    MORE_ALPN = 1 << 18,      /* that protocol was read, and may be empty */
    MORE_ODD = 1 << 19,       /* an extension given twice, a list cut or broken */
    MORE_CARRIER_AT = 22,     /* shift: for enum tls_carrier, in fingerprint.c */
    MORE_TAKEN = 0x1cffffe    /* the bits of these */
};

struct tls_client_hello {
    uint16_t legacy_version;
    uint16_t max_version; /* highest of supported_versions, else legacy_version */
    bool sslv2_format, sslv2, ech, resumption_offered;
    bool fallback;          /* TLS_FALLBACK_SCSV is among the cipher suites */
    struct bytes sni, alpn; /* into the input, or absent: first host_name, first protocol */
    struct bytes session_id, ticket; /* likewise */
    uint16_t blob_len;
    uint8_t blob[OFFER_BLOB_MAX]; /* see core/offer.h */
    uint64_t id;                  /* of the blob */
    uint64_t more;                /* what the blob leaves out and JA4 tells: enum tls_hello_more */
};

/* Empties all of `h` but the blob's bytes, of which there are many. */
static inline void tls_client_hello_clear(struct tls_client_hello *h)
{
    memset(h, 0, offsetof(struct tls_client_hello, blob));
    h->id = h->more = 0;
}

struct tls_server_hello {
    uint16_t legacy_version;
    uint16_t version;       /* supported_versions if there, else legacy_version */
    uint16_t cipher, group; /* group: of key_share, else 0 */
    uint8_t compression;
    bool hello_retry, sslv2;
    bool psk;          /* pre_shared_key selected: TLS 1.3 resumption */
    struct bytes alpn; /* into the input, or absent */
    struct bytes session_id;
    uint32_t answer_flags; /* enum answer_flags: extensions, and what its random tells */
};

/* Decodes the body of a ClientHello (without the 4-byte handshake header).
 *
 * Returns OUT_OK; OUT_TRUNCATED or OUT_MALFORMED where it ends early or lengths lie. `*usable`
 * (never NULL) tells whether what was read up to there is worth stating: version, random, session
 * id and cipher suites were whole. Then `out` is filled with what was read. */
enum outcome tls_client_hello_decode(struct cur in, struct tls_client_hello *out, bool *usable);

/* Decodes the body of a ServerHello or HelloRetryRequest. Likewise; usable up to the compression
 * method. */
enum outcome tls_server_hello_decode(struct cur in, struct tls_server_hello *out, bool *usable);

/* The same of DTLS (RFC 6347 4.2.1, RFC 9147 5.3 and 5.4): versions are those of DTLS, and a
 * ClientHello has a cookie, which is passed over. */
enum outcome dtls_client_hello_decode(struct cur in, struct tls_client_hello *out, bool *usable);
enum outcome dtls_server_hello_decode(struct cur in, struct tls_server_hello *out, bool *usable);

/* Drafts of TLS 1.3 up to 21 gave their own version as that of a ServerHello, which had no session
 * id and no compression. */
static inline bool tls_server_early_draft(uint16_t version)
{
    return version == TLS_1_3 || (version >> 8 == 0x7f && (version & 0xff) < 22);
}

/* A hello of SSLv2 format, from its 2-byte record header on, strict because it is all there is to
 * tell it from other bytes: the top bit set, type 1, a known version, cipher kinds a positive
 * multiple of 3, session id 0 or 16, challenge 16 to 32, all lengths adding up to the record.
 * OUT_TRUNCATED: so far so good, more bytes are needed (`in` snapped); OUT_NOT_MINE: it is none.
 * `*len`: bytes of the record. */
enum outcome sslv2_client_hello_decode(struct cur in, struct tls_client_hello *out, size_t *len);

/* Its answer by a real SSLv2 server: type 4, session id hit 0 or 1, certificate type, version
 * 0x0002, lengths that add up. Likewise. */
enum outcome sslv2_server_hello_decode(struct cur in, struct tls_server_hello *out, size_t *len);
