#include "decoders/tls_hello.h"

enum {
    EXT_SERVER_NAME = 0,
    EXT_SUPPORTED_GROUPS = 10,
    EXT_POINT_FORMATS = 11,
    EXT_SIGNATURE_ALGORITHMS = 13,
    EXT_ALPN = 16,
    EXT_PADDING = 21,
    EXT_SESSION_TICKET = 35,
    EXT_PRE_SHARED_KEY = 41,
    EXT_SUPPORTED_VERSIONS = 43,
    EXT_COOKIE = 44,
    EXT_KEY_SHARE = 51,
    EXT_ECH = 0xfe0d, /* RFC 9849 */

    RANDOM_LEN = 32,
    SSLV2_CLIENT_HELLO = 1,
    SSLV2_SERVER_HELLO = 4,
    SSLV2_CLIENT_HEAD = 9,  /* type, version, three lengths */
    SSLV2_SERVER_HEAD = 11, /* type, hit, certificate type, version, three lengths */
};

/* RFC 8446 4.1.3 */
static const uint8_t hello_retry_random[RANDOM_LEN] = {
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
    0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
};

static struct bytes bytes_of(const struct cur *c)
{
    return c->left == 0 ? (struct bytes){0} : (struct bytes){.p = c->p, .len = (uint32_t)c->left};
}

/* u16 entries up to the end of `body`. An odd byte at the end is left. */
static void add_all(struct offer *o, struct cur body, uint16_t list[], uint16_t *n, uint16_t max)
{
    uint16_t v;
    while (cur_u16(&body, &v))
        offer_add(o, list, n, max, v);
}

static void add_bytes(struct offer *o, struct cur body, uint8_t list[], uint16_t *n)
{
    uint8_t v;
    while (cur_u8(&body, &v))
        if (*n == OFFER_BYTES_MAX)
            o->flags |= OFFER_CUT;
        else
            list[(*n)++] = v;
}

/* RFC 6066 3: the first host_name; others are not defined. */
static bool read_sni(struct cur body, struct bytes *sni)
{
    struct cur list, name;
    uint8_t type;
    if (!cur_block16(&body, &list))
        return false;
    while (list.left > 0) {
        if (!cur_u8(&list, &type) || !cur_block16(&list, &name))
            return false;
        if (type == 0 && sni->p == NULL)
            *sni = bytes_of(&name);
    }
    return true;
}

/* RFC 7301 3.1 */
static bool read_alpn(struct cur body, struct offer *o, struct bytes *first)
{
    struct cur list, name;
    if (!cur_block16(&body, &list))
        return false;
    while (list.left > 0) {
        if (!cur_block8(&list, &name))
            return false;
        bool grease = name.left == 2 && tls_is_grease((uint16_t)(name.p[0] << 8 | name.p[1]));
        if (first->p == NULL && !grease)
            *first = bytes_of(&name);
        if (o != NULL)
            offer_add_alpn(o, name.p, (uint8_t)name.left);
    }
    return true;
}

static bool client_extension(uint16_t type, struct cur body, struct tls_client_hello *h,
                             struct offer *o)
{
    struct cur list;
    switch (type) {
    case EXT_SERVER_NAME:
        return read_sni(body, &h->sni);
    case EXT_SUPPORTED_GROUPS:
        if (!cur_block16(&body, &list))
            return false;
        add_all(o, list, o->groups, &o->n_groups, OFFER_GROUPS_MAX);
        return true;
    case EXT_POINT_FORMATS:
        if (!cur_block8(&body, &list))
            return false;
        add_bytes(o, list, o->point_formats, &o->n_point_formats);
        return true;
    case EXT_SIGNATURE_ALGORITHMS:
        if (!cur_block16(&body, &list))
            return false;
        add_all(o, list, o->signatures, &o->n_signatures, OFFER_SIGNATURES_MAX);
        return true;
    case EXT_ALPN:
        return read_alpn(body, o, &h->alpn);
    case EXT_SESSION_TICKET:
        h->resumption_offered |= body.left > 0;
        return true;
    case EXT_PRE_SHARED_KEY:
        h->resumption_offered = true;
        return true;
    case EXT_SUPPORTED_VERSIONS:
        if (!cur_block8(&body, &list))
            return false;
        add_all(o, list, o->versions, &o->n_versions, OFFER_VERSIONS_MAX);
        return true;
    case EXT_ECH:
        h->ech = true;
        return true;
    default:
        return true;
    }
}

static bool comes_and_goes(uint16_t type)
{
    return type == EXT_SERVER_NAME || type == EXT_PADDING || type == EXT_SESSION_TICKET
           || type == EXT_PRE_SHARED_KEY || type == EXT_COOKIE;
}

static enum outcome client_extensions(struct cur in, struct tls_client_hello *h, struct offer *o)
{
    struct cur all, body;
    uint16_t len, type;
    if (in.left == 0 && !in.snapped)
        return OUT_OK; /* SSLv3 and early TLS clients send none */
    if (!cur_u16(&in, &len) || !cur_take_captured(&in, len, &all))
        return cur_why(&in);
    enum outcome worst = OUT_OK;
    while (all.left > 0 || all.snapped) {
        if (!cur_u16(&all, &type) || !cur_block16(&all, &body))
            return cur_why(&all);
        if (!comes_and_goes(type))
            offer_add(o, o->extensions, &o->n_extensions, OFFER_EXTENSIONS_MAX, type);
        if (!client_extension(type, body, h, o))
            worst = OUT_MALFORMED; /* the others may still be good */
    }
    return worst;
}

/* The highest version of the list. Drafts of TLS 1.3 (0x7fNN) rank as the number they are, above
 * final versions. */
static uint16_t highest(const struct offer *o)
{
    uint16_t most = o->legacy_version;
    for (unsigned i = 0; i < o->n_versions; i++)
        if (i == 0 || o->versions[i] > most)
            most = o->versions[i];
    return most;
}

static void seal(struct tls_client_hello *h, struct offer *o)
{
    o->legacy_version = h->legacy_version;
    h->max_version = highest(o);
    h->blob_len = (uint16_t)offer_write(o, h->blob);
    h->id = offer_id(h->blob, h->blob_len);
}

/* All of `h` but the blob's bytes, of which there are many. */
static void clear(struct tls_client_hello *h)
{
    memset(h, 0, offsetof(struct tls_client_hello, blob));
    h->id = 0;
}

enum outcome tls_client_hello_decode(struct cur in, struct tls_client_hello *out, bool *usable)
{
    struct offer o;
    struct cur session_id, ciphers, compressions;
    uint16_t version;
    *usable = false;
    if (!cur_u16(&in, &version) || !cur_skip(&in, RANDOM_LEN) || !cur_block8(&in, &session_id)
        || !cur_block16(&in, &ciphers))
        return cur_why(&in);
    if (version >> 8 != 3 || session_id.left > 32)
        return OUT_MALFORMED;
    *usable = true;
    clear(out);
    out->legacy_version = version;
    out->resumption_offered = session_id.left > 0;
    offer_init(&o);
    add_all(&o, ciphers, o.ciphers, &o.n_ciphers, OFFER_CIPHERS_MAX);
    enum outcome result;
    if (cur_block8(&in, &compressions)) {
        add_bytes(&o, compressions, o.compressions, &o.n_compressions);
        result = client_extensions(in, out, &o);
    } else {
        result = cur_why(&in);
    }
    seal(out, &o);
    return result;
}

static bool server_extension(uint16_t type, struct cur body, struct tls_server_hello *h)
{
    uint16_t v;
    switch (type) {
    case EXT_SUPPORTED_VERSIONS:
        return cur_u16(&body, &h->version);
    case EXT_KEY_SHARE: /* a HelloRetryRequest has the group alone */
        return cur_u16(&body, &h->group);
    case EXT_PRE_SHARED_KEY:
        h->psk = true;
        return cur_u16(&body, &v);
    case EXT_ALPN:
        return read_alpn(body, NULL, &h->alpn);
    default:
        return true;
    }
}

enum outcome tls_server_hello_decode(struct cur in, struct tls_server_hello *out, bool *usable)
{
    struct tls_server_hello h = {0};
    struct cur random, session_id, all, body;
    uint16_t len, type;
    *usable = false;
    if (!cur_u16(&in, &h.legacy_version) || !cur_take(&in, RANDOM_LEN, &random))
        return cur_why(&in);
    /* Drafts of TLS 1.3 up to 21 gave their own version here and had no session id and no
     * compression. */
    bool early_draft = h.legacy_version == TLS_1_3
                       || (h.legacy_version >> 8 == 0x7f && (h.legacy_version & 0xff) < 22);
    if (h.legacy_version >> 8 != 3 && !early_draft)
        return OUT_MALFORMED;
    if (!early_draft && !cur_block8(&in, &session_id))
        return cur_why(&in);
    if (!cur_u16(&in, &h.cipher) || (!early_draft && !cur_u8(&in, &h.compression)))
        return cur_why(&in);
    h.version = h.legacy_version;
    h.hello_retry = memcmp(random.p, hello_retry_random, RANDOM_LEN) == 0;
    *usable = true;
    enum outcome result = OUT_OK;
    if (in.left > 0 || in.snapped) {
        if (!cur_u16(&in, &len) || !cur_take_captured(&in, len, &all)) {
            *out = h;
            return cur_why(&in);
        }
        while (all.left > 0 || all.snapped) {
            if (!cur_u16(&all, &type) || !cur_block16(&all, &body)) {
                result = cur_why(&all);
                break;
            }
            if (!server_extension(type, body, &h))
                result = OUT_MALFORMED;
        }
    }
    *out = h;
    return result;
}

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
    clear(out);
    out->legacy_version = version;
    out->sslv2_format = true;
    out->sslv2 = version == TLS_SSLV2;
    out->resumption_offered = id_len > 0;
    seal(out, &of);
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
