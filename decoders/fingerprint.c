/* The digests' own functions: EVP_DigestInit, with whatever context, takes memory every time
 * (OpenSSL 3.0), which the packet path may not. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "decoders/fingerprint.h"

#include "core/hash.h"

#include <openssl/md5.h>
#include <openssl/sha.h>
#include <stdlib.h>

enum {
    EXT_SERVER_NAME = 0,
    EXT_SUPPORTED_GROUPS = 10,
    EXT_POINT_FORMATS = 11,
    EXT_SIGNATURE_ALGORITHMS = 13,
    EXT_ALPN = 16,
    EXT_SUPPORTED_VERSIONS = 43,

    RANDOM_LEN = 32,
    LIST_MAX = 32768, /* u16 entries of a list: its length is a u16 of bytes */
    FEED_BYTES = 512,
    SETS = 256, /* of WAYS hellos each */
    WAYS = 4,
};

/* What was worked out once, by a key that stands for all that decides it. */
struct known {
    uint64_t key[2];
    uint8_t value[40];
    bool used;
};

struct fingerprints {
    bool wants_ja3;
    bool md5; /* the digest being made is that, not SHA-256 */
    union {
        SHA256_CTX sha256;
        MD5_CTX md5;
    } digest;
    size_t n_feed;
    char feed[FEED_BYTES]; /* text on its way to the digest */
    uint16_t list[LIST_MAX], sorted[LIST_MAX];
    unsigned turn; /* which way of a full set is taken next */
    struct known ja4[SETS][WAYS];
    struct known ja3[SETS][WAYS];
};

bool fingerprint_new(struct fingerprints **out, bool ja3, struct err *e)
{
    struct fingerprints *f = calloc(1, sizeof *f);
    if (f == NULL) {
        err_set(e, "out of memory");
        return err_in(e, "fingerprints");
    }
    f->wants_ja3 = ja3;
    *out = f;
    return true;
}

void fingerprint_free(struct fingerprints *f)
{
    free(f);
}

/* ---- what is known already */

static struct known *known_set(struct known cache[SETS][WAYS], const uint64_t key[2])
{
    return cache[(key[0] ^ key[1] * UINT64_C(0x9e3779b97f4a7c15) >> 32) % SETS];
}

static const struct known *known_find(struct known cache[SETS][WAYS], const uint64_t key[2])
{
    const struct known *set = known_set(cache, key);
    for (int i = 0; i < WAYS; i++)
        if (set[i].used && set[i].key[0] == key[0] && set[i].key[1] == key[1])
            return &set[i];
    return NULL;
}

static void known_add(struct fingerprints *f, struct known cache[SETS][WAYS], const uint64_t key[2],
                      const void *value, size_t len)
{
    struct known *k = &known_set(cache, key)[f->turn++ % WAYS];
    *k = (struct known){.key = {key[0], key[1]}, .used = true};
    memcpy(k->value, value, len);
}

/* ---- digests of text */

static void digest_begin(struct fingerprints *f, bool md5)
{
    f->n_feed = 0;
    f->md5 = md5;
    if (md5)
        MD5_Init(&f->digest.md5);
    else
        SHA256_Init(&f->digest.sha256);
}

static void feed_flush(struct fingerprints *f)
{
    if (f->md5)
        MD5_Update(&f->digest.md5, f->feed, f->n_feed);
    else
        SHA256_Update(&f->digest.sha256, f->feed, f->n_feed);
    f->n_feed = 0;
}

static void feed(struct fingerprints *f, const char *text, size_t n)
{
    if (n > FEED_BYTES - f->n_feed)
        feed_flush(f);
    memcpy(f->feed + f->n_feed, text, n);
    f->n_feed += n;
}

static void digest_end(struct fingerprints *f, uint8_t to[static SHA256_DIGEST_LENGTH])
{
    feed_flush(f);
    if (f->md5)
        MD5_Final(to, &f->digest.md5);
    else
        SHA256_Final(to, &f->digest.sha256);
}

static char *put_hex(char *to, unsigned v, int digits)
{
    for (int i = digits; i > 0; i--)
        *to++ = "0123456789abcdef"[v >> 4 * (i - 1) & 15];
    return to;
}

static void feed_hex(struct fingerprints *f, uint16_t v, char before)
{
    char text[5], *p = text;
    if (before != '\0')
        *p++ = before;
    p = put_hex(p, v, 4);
    feed(f, text, (size_t)(p - text));
}

static void feed_decimal(struct fingerprints *f, uint16_t v, char before)
{
    char text[6], *p = text + sizeof text;
    do
        *--p = (char)('0' + v % 10);
    while ((v /= 10) > 0);
    if (before != '\0')
        *--p = before;
    feed(f, p, (size_t)(text + sizeof text - p));
}

/* ---- hellos taken apart */

struct parts {
    uint16_t version;
    struct cur ciphers, extensions;                         /* extensions: the whole block */
    struct cur versions, groups, formats, signatures, alpn; /* inner lists; empty: not there */
};

/* The list behind a length of one or two bytes; where that lies, the list is as good as not there.
 * The first extension of a type is taken. */
static void inner_list(struct cur body, bool wide, struct cur *list)
{
    struct cur inner;
    if (list->left == 0 && (wide ? cur_block16(&body, &inner) : cur_block8(&body, &inner)))
        *list = inner;
}

static bool extension_next(struct cur *all, uint16_t *type, struct cur *body)
{
    return cur_u16(all, type) && cur_block16(all, body);
}

/* False where the extensions do not follow each other to their end. */
static bool parts_of(struct cur in, enum tls_carrier carrier, struct parts *p)
{
    struct cur session_id, cookie, compressions, body;
    uint16_t type;
    *p = (struct parts){.ciphers = cur_of(in.p, 0, 0)};
    p->extensions = p->versions = p->groups = p->formats = p->signatures = p->alpn = p->ciphers;
    if (!cur_u16(&in, &p->version) || !cur_skip(&in, RANDOM_LEN) || !cur_block8(&in, &session_id)
        || (carrier == TLS_OVER_DTLS && !cur_block8(&in, &cookie)) || !cur_block16(&in, &p->ciphers)
        || !cur_block8(&in, &compressions))
        return false;
    if (in.left == 0)
        return !in.snapped;
    if (!cur_block16(&in, &p->extensions))
        return false;
    for (struct cur all = p->extensions; all.left > 0;) {
        if (!extension_next(&all, &type, &body))
            return false;
        if (type == EXT_SUPPORTED_VERSIONS)
            inner_list(body, false, &p->versions);
        else if (type == EXT_SUPPORTED_GROUPS)
            inner_list(body, true, &p->groups);
        else if (type == EXT_POINT_FORMATS)
            inner_list(body, false, &p->formats);
        else if (type == EXT_SIGNATURE_ALGORITHMS)
            inner_list(body, true, &p->signatures);
        else if (type == EXT_ALPN)
            inner_list(body, true, &p->alpn);
    }
    return true;
}

/* The next entry that is not GREASE. */
static bool next_value(struct cur *list, uint16_t *v)
{
    while (cur_u16(list, v))
        if (!tls_is_grease(*v))
            return true;
    return false;
}

/* Extension types other than GREASE into f->list; `*sni`: server_name is among them. */
static unsigned extension_types(struct fingerprints *f, struct cur all, bool *sni)
{
    struct cur body;
    uint16_t type;
    unsigned n = 0;
    *sni = false;
    while (extension_next(&all, &type, &body)) {
        if (tls_is_grease(type))
            continue;
        *sni = *sni || type == EXT_SERVER_NAME;
        f->list[n++] = type;
    }
    return n;
}

/* ---- JA4 */

/* By both bytes in turn: a list may be as long as a hello, and nobody must wait for it. */
static void sort(struct fingerprints *f, unsigned n)
{
    for (int shift = 0; shift <= 8; shift += 8) {
        uint16_t *from = shift == 0 ? f->list : f->sorted, *to = shift == 0 ? f->sorted : f->list;
        unsigned at[257] = {0};
        for (unsigned i = 0; i < n; i++)
            at[(from[i] >> shift & 0xff) + 1]++;
        for (int b = 0; b < 256; b++)
            at[b + 1] += at[b];
        for (unsigned i = 0; i < n; i++)
            to[at[from[i] >> shift & 0xff]++] = from[i];
    }
}

static void version_text(uint16_t version, char to[static 2])
{
    static const struct {
        uint16_t version;
        char text[3];
    } known[] = {{0x0304, "13"}, {0x0303, "12"}, {0x0302, "11"}, {0x0301, "10"}, {0x0300, "s3"},
                 {0x0002, "s2"}, {0xfeff, "d1"}, {0xfefd, "d2"}, {0xfefc, "d3"}};
    memcpy(to, "00", 2);
    for (unsigned i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i].version == version)
            memcpy(to, known[i].text, 2);
}

/* Versions of DTLS count down. */
static uint16_t highest(const struct parts *p, enum tls_carrier carrier)
{
    uint16_t flip = carrier == TLS_OVER_DTLS ? 0xffff : 0, v, most = 0;
    bool any = false;
    for (struct cur list = p->versions; next_value(&list, &v); any = true)
        if (!any || (v ^ flip) > (most ^ flip))
            most = v;
    return any ? most : p->version;
}

static bool is_alphanumeric(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static void alpn_text(struct cur list, char to[static 2])
{
    struct cur name;
    memcpy(to, "00", 2);
    do
        if (!cur_block8(&list, &name))
            return;
    while (name.left == 2 && tls_is_grease((uint16_t)(name.p[0] << 8 | name.p[1])));
    if (name.left == 0)
        return;
    uint8_t first = name.p[0], last = name.p[name.left - 1];
    bool plain = is_alphanumeric(first) && is_alphanumeric(last);
    char hex[4];
    put_hex(put_hex(hex, first, 2), last, 2);
    to[0] = plain ? (char)first : hex[0];
    to[1] = plain ? (char)last : hex[3];
}

static void count_text(unsigned n, char to[static 2])
{
    n = n < 99 ? n : 99;
    to[0] = (char)('0' + n / 10);
    to[1] = (char)('0' + n % 10);
}

/* An underscore, and the first 12 hex digits of the digest. */
static void ja4_digest(struct fingerprints *f, char *to)
{
    uint8_t hash[SHA256_DIGEST_LENGTH];
    digest_end(f, hash);
    *to++ = '_';
    for (int i = 0; i < 6; i++)
        to = put_hex(to, hash[i], 2);
}

static const char ja4_none[] = "_000000000000";

static unsigned ja4_ciphers(struct fingerprints *f, struct cur ciphers, char to[static 13])
{
    unsigned n = 0;
    while (next_value(&ciphers, &f->list[n]))
        n++;
    memcpy(to, ja4_none, 13);
    if (n == 0)
        return 0;
    sort(f, n);
    digest_begin(f, false);
    for (unsigned i = 0; i < n; i++)
        feed_hex(f, f->list[i], i > 0 ? ',' : '\0');
    ja4_digest(f, to);
    return n;
}

static unsigned ja4_extensions(struct fingerprints *f, const struct parts *p, char to[static 13],
                               bool *sni)
{
    unsigned n = extension_types(f, p->extensions, sni), fed = 0;
    memcpy(to, ja4_none, 13);
    sort(f, n);
    digest_begin(f, false);
    for (unsigned i = 0; i < n; i++)
        if (f->list[i] != EXT_SERVER_NAME && f->list[i] != EXT_ALPN)
            feed_hex(f, f->list[i], fed++ > 0 ? ',' : '\0');
    if (fed == 0)
        return n;
    uint16_t v;
    char before = '_';
    for (struct cur list = p->signatures; next_value(&list, &v); before = ',')
        feed_hex(f, v, before);
    ja4_digest(f, to);
    return n;
}

static bool ja4_make(struct fingerprints *f, struct cur body, enum tls_carrier carrier,
                     char text[static FINGERPRINT_JA4_LEN])
{
    struct parts p;
    bool sni;
    if (!parts_of(body, carrier, &p))
        return false;
    unsigned n_ciphers = ja4_ciphers(f, p.ciphers, text + 10);
    unsigned n_extensions = ja4_extensions(f, &p, text + 23, &sni);
    text[0] = carrier == TLS_OVER_QUIC ? 'q' : carrier == TLS_OVER_DTLS ? 'd' : 't';
    version_text(highest(&p, carrier), text + 1);
    text[3] = sni ? 'd' : 'i';
    count_text(n_ciphers, text + 4);
    count_text(n_extensions, text + 6);
    alpn_text(p.alpn, text + 8);
    return true;
}

bool fingerprint_ja4(struct fingerprints *f, const struct tls_client_hello *h, struct cur body,
                     enum tls_carrier carrier, char text[static FINGERPRINT_JA4_LEN])
{
    const uint64_t key[2] = {h->id, h->more | (uint64_t)carrier << MORE_CARRIER_AT};
    if (h->sslv2_format)
        return false;
    const struct known *k = h->more & MORE_ODD ? NULL : known_find(f->ja4, key);
    if (k != NULL) {
        memcpy(text, k->value, FINGERPRINT_JA4_LEN);
        return true;
    }
    if (!ja4_make(f, body, carrier, text))
        return false;
    if ((h->more & MORE_ODD) == 0)
        known_add(f, f->ja4, key, text, FINGERPRINT_JA4_LEN);
    return true;
}

/* ---- JA3 */

/* Adds a list to f->list, with its end marked by a value that is GREASE and so in none. */
static bool gather(struct fingerprints *f, unsigned *n, struct cur list, bool wide)
{
    uint16_t v;
    uint8_t v8;
    while (wide ? next_value(&list, &v) : cur_u8(&list, &v8)) {
        if (*n >= LIST_MAX - 1)
            return false;
        f->list[(*n)++] = wide ? v : v8;
    }
    f->list[(*n)++] = 0x0a0a;
    return *n < LIST_MAX;
}

static bool gather_extensions(struct fingerprints *f, unsigned *n, struct cur all)
{
    struct cur body;
    uint16_t type;
    while (extension_next(&all, &type, &body)) {
        if (*n >= LIST_MAX - 1)
            return false;
        if (!tls_is_grease(type))
            f->list[(*n)++] = type;
    }
    f->list[(*n)++] = 0x0a0a;
    return *n < LIST_MAX;
}

/* MD5 of the gathered lists as text: commas between lists, dashes within. */
static void ja3_digest(struct fingerprints *f, unsigned n, uint8_t md5[static FINGERPRINT_JA3_LEN])
{
    const uint64_t key[2] = {hash_bytes(f->list, n * sizeof *f->list, 0),
                             hash_bytes(f->list, n * sizeof *f->list, 1)};
    const struct known *k = known_find(f->ja3, key);
    if (k != NULL) {
        memcpy(md5, k->value, FINGERPRINT_JA3_LEN);
        return;
    }
    uint8_t hash[SHA256_DIGEST_LENGTH];
    digest_begin(f, true);
    char before = '\0';
    for (unsigned i = 0; i + 1 < n; i++) /* the last list ends without a comma */
        if (f->list[i] == 0x0a0a) {
            feed(f, ",", 1);
            before = '\0';
        } else {
            feed_decimal(f, f->list[i], before);
            before = '-';
        }
    digest_end(f, hash);
    memcpy(md5, hash, FINGERPRINT_JA3_LEN);
    known_add(f, f->ja3, key, md5, FINGERPRINT_JA3_LEN);
}

bool fingerprint_ja3(struct fingerprints *f, struct cur body, enum tls_carrier carrier,
                     uint8_t md5[static FINGERPRINT_JA3_LEN])
{
    struct parts p;
    unsigned n = 2;
    if (!f->wants_ja3 || !parts_of(body, carrier, &p))
        return false;
    f->list[0] = p.version;
    f->list[1] = 0x0a0a;
    if (!gather(f, &n, p.ciphers, true) || !gather_extensions(f, &n, p.extensions)
        || !gather(f, &n, p.groups, true) || !gather(f, &n, p.formats, false))
        return false; /* longer than any hello that is one */
    ja3_digest(f, n, md5);
    return true;
}

bool fingerprint_ja3s(struct fingerprints *f, struct cur in,
                      uint8_t md5[static FINGERPRINT_JA3_LEN])
{
    struct cur session_id, extensions = cur_of(in.p, 0, 0);
    unsigned n = 4;
    uint8_t compression;
    if (!f->wants_ja3 || !cur_u16(&in, &f->list[0]) || !cur_skip(&in, RANDOM_LEN))
        return false;
    bool early = tls_server_early_draft(f->list[0]);
    if ((!early && !cur_block8(&in, &session_id)) || !cur_u16(&in, &f->list[2])
        || (!early && !cur_u8(&in, &compression))
        || (in.left > 0 && !cur_block16(&in, &extensions)))
        return false;
    f->list[1] = f->list[3] = 0x0a0a;
    if (!gather_extensions(f, &n, extensions))
        return false;
    ja3_digest(f, n, md5);
    return true;
}
