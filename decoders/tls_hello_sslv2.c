/* The hellos of SSLv2 format. */
#include "decoders/tls_hello.h"

enum {
    SSLV2_CLIENT_HELLO = 1,
    SSLV2_SERVER_HELLO = 4,
    SSLV2_CLIENT_HEAD = 9,  /* type, version, three lengths */
    SSLV2_SERVER_HEAD = 11, /* type, hit, certificate type, version, three lengths */
};

/* Reads the 2-byte record header, and gives the record. OUT_TRUNCATED leaves the captured part. */
static enum outcome sslv2_record(struct cur in, size_t head, struct cur *record, size_t *len)
{
    uint16_t top;
    if (!cur_u16(&in, &top))
        return in.snapped && (in.left == 0 || in.p[0] & 0x80) ? OUT_TRUNCATED : OUT_NOT_MINE;
    size_t n = top & 0x7fff;
    if ((top & 0x8000) == 0 || n < head)
        return OUT_NOT_MINE;
    *len = 2 + n;
    if (!cur_take_captured(&in, n, record))
        return OUT_NOT_MINE; /* a record that ends in no segment */
    return OUT_OK;
}

enum outcome sslv2_client_hello_decode(struct cur in, struct tls_client_hello *out, size_t *len)
{
    struct cur record, kinds, rest;
    uint8_t type;
    uint16_t version, kinds_len, id_len, challenge_len;
    enum outcome o = sslv2_record(in, SSLV2_CLIENT_HEAD, &record, len);
    if (o != OUT_OK)
        return o;
    if (*len > 2048)
        return OUT_NOT_MINE;
    if (!cur_u8(&record, &type))
        return OUT_TRUNCATED;
    if (type != SSLV2_CLIENT_HELLO)
        return OUT_NOT_MINE;
    if (!cur_u16(&record, &version))
        return OUT_TRUNCATED;
    if (version != TLS_SSLV2 && (version < TLS_SSLV3 || version > TLS_1_3))
        return OUT_NOT_MINE;
    if (!cur_u16(&record, &kinds_len) || !cur_u16(&record, &id_len)
        || !cur_u16(&record, &challenge_len))
        return OUT_TRUNCATED;
    bool sane = kinds_len > 0 && kinds_len % 3 == 0 && (id_len == 0 || id_len == 16)
                && challenge_len >= 16 && challenge_len <= 32
                && 2u + SSLV2_CLIENT_HEAD + kinds_len + id_len + challenge_len == *len;
    if (!sane)
        return OUT_NOT_MINE;
    if (!cur_take(&record, kinds_len, &kinds)
        || !cur_take(&record, (size_t)id_len + challenge_len, &rest))
        return OUT_TRUNCATED;
    struct offer of;
    offer_init(&of);
    of.flags = OFFER_SSLV2_FORMAT;
    uint32_t kind;
    while (cur_u24(&kinds, &kind)) {
        if (kind >> 16 == 0)
            offer_add(&of, of.ciphers, &of.n_ciphers, OFFER_CIPHERS_MAX, (uint16_t)kind);
        else if (of.n_kinds < OFFER_KINDS_MAX)
            of.kinds[of.n_kinds++] = kind;
        else
            of.flags |= OFFER_CUT;
    }
    tls_client_hello_clear(out);
    out->legacy_version = version;
    out->sslv2_format = true;
    out->sslv2 = version == TLS_SSLV2;
    out->resumption_offered = id_len > 0;
    for (unsigned i = 0; i < of.n_ciphers; i++)
        out->fallback |= of.ciphers[i] == TLS_FALLBACK_SCSV;
    of.legacy_version = out->max_version = version;
    out->blob_len = (uint16_t)offer_write(&of, out->blob);
    out->id = offer_id(out->blob, out->blob_len);
    return OUT_OK;
}

enum outcome sslv2_server_hello_decode(struct cur in, struct tls_server_hello *out, size_t *len)
{
    struct cur record;
    uint8_t type, hit, cert_type;
    uint16_t version, cert_len, kinds_len, id_len;
    enum outcome o = sslv2_record(in, SSLV2_SERVER_HEAD, &record, len);
    if (o != OUT_OK)
        return o;
    if (!cur_u8(&record, &type) || !cur_u8(&record, &hit))
        return OUT_TRUNCATED;
    if (type != SSLV2_SERVER_HELLO || hit > 1)
        return OUT_NOT_MINE;
    if (!cur_u8(&record, &cert_type) || !cur_u16(&record, &version) || !cur_u16(&record, &cert_len)
        || !cur_u16(&record, &kinds_len) || !cur_u16(&record, &id_len))
        return OUT_TRUNCATED;
    bool sane = cert_type <= 1 && version == TLS_SSLV2 && kinds_len % 3 == 0 && id_len <= 32
                && 2u + SSLV2_SERVER_HEAD + cert_len + kinds_len + id_len == *len;
    if (!sane)
        return OUT_NOT_MINE;
    *out =
        (struct tls_server_hello){.legacy_version = TLS_SSLV2, .version = TLS_SSLV2, .sslv2 = true};
    return OUT_OK;
}
