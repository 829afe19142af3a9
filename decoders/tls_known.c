#include "decoders/tls_known.h"

#include "core/hash.h"
#include "decoders/tls_hello_part.h"

enum { RUNS_MAX = 16 };

/* A hello as runs of bytes that stay, with those that differ from time to time between them. */
struct shape {
    struct bytes session_id, sni, ticket;
    uint64_t key;
    uint32_t len; /* of all runs */
    unsigned n;
    struct bytes runs[RUNS_MAX];
};

static bool add_run(struct shape *s, const uint8_t *from, const uint8_t *to)
{
    if (s->n == RUNS_MAX)
        return false;
    s->runs[s->n++] = (struct bytes){from, (uint32_t)(to - from)};
    s->len += (uint32_t)(to - from);
    return true;
}

/* Types of extensions tell apart what clients of one library offer. */
static uint64_t key_with(uint64_t key, uint16_t type)
{
    return (key ^ type) * UINT64_C(0x9e3779b97f4a7c15);
}

static uint64_t key_of(struct cur ciphers)
{
    uint64_t first = 0, last = 0;
    if (ciphers.left < sizeof first) {
        memcpy(&first, ciphers.p, ciphers.left);
        return key_with(first, (uint16_t)ciphers.left);
    }
    memcpy(&first, ciphers.p, sizeof first);
    memcpy(&last, ciphers.p + ciphers.left - sizeof last, sizeof last);
    return key_with(first ^ (last << 32 | last >> 32), (uint16_t)ciphers.left);
}

static bool shape_extensions(struct cur all, struct shape *s)
{
    struct cur body;
    uint16_t type;
    const uint8_t *from = all.p;
    while (all.left > 0) {
        if (!cur_u16(&all, &type) || !cur_block16(&all, &body))
            return false;
        s->key = key_with(s->key, type);
        if (!tls_hello_differs(type))
            continue;
        if (type == EXT_SERVER_NAME && !tls_hello_sni(body, &s->sni))
            return false;
        if (type == EXT_SESSION_TICKET)
            s->ticket = bytes_of(&body);
        if (!add_run(s, from, body.p - sizeof(uint16_t))) /* up to its length */
            return false;
        from = all.p;
    }
    return add_run(s, from, all.p);
}

/* False for what is better read the long way. */
static bool shape_of(struct cur in, struct shape *s)
{
    struct cur session_id, ciphers, compressions, extensions;
    const uint8_t *version = in.p;
    s->sni = s->ticket = (struct bytes){0};
    s->len = s->n = 0;
    if (!cur_skip(&in, sizeof(uint16_t) + RANDOM_LEN) || !cur_block8(&in, &session_id)
        || session_id.left > 32)
        return false;
    s->session_id = bytes_of(&session_id);
    const uint8_t *from = in.p;
    if (!cur_block16(&in, &ciphers) || !cur_block8(&in, &compressions))
        return false;
    s->key = key_of(ciphers);
    if (!add_run(s, version, version + sizeof(uint16_t)) || !add_run(s, from, in.p))
        return false;
    if (in.left == 0)
        return !in.snapped; /* SSLv3 and early TLS clients send no extensions */
    return cur_block16(&in, &extensions) && shape_extensions(extensions, s);
}

static struct tls_known_hello *set_of(struct tls_known *k, uint64_t key)
{
    return k->hellos[key >> 32 & (TLS_KNOWN_SETS - 1)];
}

static bool same(const struct tls_known_hello *h, const struct shape *s)
{
    const uint8_t *p = h->bytes;
    if (h->key != s->key || h->len != s->len)
        return false;
    for (unsigned i = 0; i < s->n; i++) {
        if (memcmp(p, s->runs[i].p, s->runs[i].len) != 0)
            return false;
        p += s->runs[i].len;
    }
    return true;
}

static void tell(const struct tls_known_hello *h, const struct shape *s,
                 struct tls_client_hello *out)
{
    tls_client_hello_clear(out);
    out->legacy_version = h->legacy_version;
    out->max_version = h->max_version;
    out->ech = h->ech;
    out->fallback = h->fallback;
    out->resumption_offered =
        s->session_id.len > 0 || s->ticket.len > 0 || h->more >> EXT_PRE_SHARED_KEY & 1;
    out->sni = s->sni;
    if (h->alpn_len > 0)
        out->alpn = (struct bytes){h->bytes + h->alpn_at, h->alpn_len};
    out->session_id = s->session_id;
    out->ticket = s->ticket;
    out->blob_len = h->blob_len;
    memcpy(out->blob, h->bytes + h->len, h->blob_len);
    out->id = h->id;
    out->more = h->more;
}

static void remember(struct tls_known *k, const struct shape *s, const struct tls_client_hello *h)
{
    struct tls_known_hello *to = &set_of(k, s->key)[k->turn++ % TLS_KNOWN_WAYS];
    uint32_t len = 0;
    to->alpn_at = to->alpn_len = 0;
    for (unsigned i = 0; i < s->n; i++) {
        const struct bytes *run = &s->runs[i];
        if (h->alpn.len > 0 && h->alpn.p >= run->p && h->alpn.p < run->p + run->len) {
            to->alpn_at = (uint16_t)(len + (h->alpn.p - run->p));
            to->alpn_len = (uint16_t)h->alpn.len;
        }
        memcpy(to->bytes + len, run->p, run->len);
        len += run->len;
    }
    memcpy(to->bytes + len, h->blob, h->blob_len);
    to->key = s->key;
    to->id = h->id;
    to->more = h->more;
    to->len = (uint16_t)len;
    to->blob_len = h->blob_len;
    to->legacy_version = h->legacy_version;
    to->max_version = h->max_version;
    to->ech = h->ech;
    to->fallback = h->fallback;
}

enum outcome tls_known_decode(struct tls_known *k, struct cur in, struct tls_client_hello *out,
                              bool *usable)
{
    struct shape s;
    bool shaped = shape_of(in, &s);
    const struct tls_known_hello *set = shaped ? set_of(k, s.key) : NULL;
    for (unsigned i = 0; shaped && i < TLS_KNOWN_WAYS; i++)
        if (same(&set[i], &s)) {
            tell(&set[i], &s, out);
            *usable = true;
            return OUT_OK;
        }
    enum outcome o = tls_client_hello_decode(in, out, usable);
    if (shaped && o == OUT_OK && (out->more & MORE_ODD) == 0
        && s.len + out->blob_len <= TLS_KNOWN_BYTES)
        remember(k, &s, out);
    return o;
}
