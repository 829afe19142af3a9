#include "decoders/tls_hello_part.h"

bool tls_hello_sni(struct cur body, struct bytes *sni)
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

static void first_alpn(const struct cur *name, uint64_t *more)
{
    if (*more & MORE_ALPN)
        return;
    *more |= MORE_ALPN;
    if (name->left > 0)
        *more |= MORE_ALPN_ENDS | (uint64_t)name->p[0] << MORE_ALPN_FIRST_AT
                 | (uint64_t)name->p[name->left - 1] << MORE_ALPN_LAST_AT;
}

/* RFC 7301 3.1: the first name that is no GREASE. */
bool tls_hello_alpn(struct cur list, struct bytes *first, uint64_t *more)
{
    struct cur name;
    while (list.left > 0) {
        if (!cur_block8(&list, &name))
            return false;
        bool grease = name.left == 2 && tls_is_grease((uint16_t)(name.p[0] << 8 | name.p[1]));
        if (first->p == NULL && !grease)
            *first = bytes_of(&name);
        if (!grease)
            first_alpn(&name, more);
    }
    return true;
}

/* ---- the offer of a ClientHello. Its blob holds lists as the wire does, so they are copied as
 * they lie: taking them apart and putting them together again took half the time of a handshake. */

/* Lists within extensions, in the order of the blob. */
enum list { LIST_VERSIONS, LIST_GROUPS, LIST_SIGNATURES, LIST_POINTS, LIST_ALPN, LISTS };

struct draft {
    struct cur extensions; /* all of them */
    struct cur list[LISTS];
    uint16_t
        n_lists[LISTS]; /* extensions that hold one; where it is repeated, list[] is the last */
    uint16_t n_types;   /* in low and high, and what came twice */
    uint16_t n_high;
    bool cut;
    uint64_t low;         /* types below 64, as a set: nearly all */
    uint64_t seen, twice; /* the same with those that come and go; and those given twice */
    uint16_t high[OFFER_EXTENSIONS_MAX];
};

static enum list list_of(uint16_t type)
{
    switch (type) {
    case EXT_SUPPORTED_VERSIONS:
        return LIST_VERSIONS;
    case EXT_SUPPORTED_GROUPS:
        return LIST_GROUPS;
    case EXT_SIGNATURE_ALGORITHMS:
        return LIST_SIGNATURES;
    case EXT_POINT_FORMATS:
        return LIST_POINTS;
    case EXT_ALPN:
        return LIST_ALPN;
    default:
        return LISTS;
    }
}

static bool take_list(enum list kind, struct cur body, struct cur *list)
{
    if (kind == LIST_VERSIONS || kind == LIST_POINTS)
        return cur_block8(&body, list);
    return cur_block16(&body, list);
}

static bool client_extension(uint16_t type, struct cur body, struct tls_client_hello *h,
                             struct draft *d)
{
    enum list kind = list_of(type);
    if (kind != LISTS) {
        if (!take_list(kind, body, &d->list[kind]))
            return false;
        d->n_lists[kind] += d->n_lists[kind] < 2;
        return kind != LIST_ALPN || tls_hello_alpn(d->list[kind], &h->alpn, &h->more);
    }
    if (type == EXT_SERVER_NAME)
        return tls_hello_sni(body, &h->sni);
    if (type == EXT_SESSION_TICKET)
        h->ticket = bytes_of(&body);
    h->resumption_offered |= type == EXT_PRE_SHARED_KEY || h->ticket.len > 0;
    h->ech |= type == EXT_ECH;
    return true;
}

static_assert((MORE_TAKEN
               & (EXT_BIT(EXT_SERVER_NAME) | EXT_BIT(EXT_PADDING) | EXT_BIT(EXT_SESSION_TICKET)))
                  == 0,
              "types that come and go stand in tls_client_hello.more as they are");

static void add_type(struct draft *d, uint16_t type)
{
    const uint64_t one = 1;
    if (type < 64) {
        d->twice |= d->seen & one << type;
        d->seen |= one << type;
    }
    if (type < 64 ? tls_comes_and_goes >> type & 1 : tls_is_grease(type))
        return;
    if (d->n_types == OFFER_EXTENSIONS_MAX) {
        d->cut = true;
        return;
    }
    d->n_types++;
    if (type < 64)
        d->low |= one << type;
    else
        d->high[d->n_high++] = type;
}

static enum outcome client_extensions(struct cur in, struct tls_client_hello *h, struct draft *d)
{
    struct cur all, body;
    uint16_t len, type;
    if (in.left == 0 && !in.snapped)
        return OUT_OK; /* SSLv3 and early TLS clients send none */
    if (!cur_u16(&in, &len) || !cur_take_captured(&in, len, &all))
        return cur_why(&in);
    enum outcome worst = OUT_OK;
    d->extensions = all;
    while (all.left > 0 || all.snapped) {
        if (!cur_u16(&all, &type) || !cur_block16(&all, &body))
            return cur_why(&all);
        add_type(d, type);
        if (!client_extension(type, body, h, d))
            worst = OUT_MALFORMED; /* the others may still be good */
    }
    return worst;
}

/* The blob being written. */
struct writer {
    uint8_t *to;
    unsigned n; /* entries of this list */
    bool cut;
    bool twice; /* an extension type */
};

static uint8_t *put_u16(uint8_t *to, unsigned v)
{
    to[0] = (uint8_t)(v >> 8);
    to[1] = (uint8_t)v;
    return to + 2;
}

/* Is one of the first 4 * (n / 4) entries GREASE, or like it? Four at a time. */
static bool grease_like(const uint8_t *p, size_t n)
{
    const uint64_t ones = UINT64_C(0x0001000100010001);
    uint64_t found = 0, v;
    for (; n >= 4; n -= 4, p += 8) {
        memcpy(&v, p, sizeof v);
        v = (v & 0x0f0f * ones) ^ 0x0a0a * ones; /* a zero where GREASE is */
        found |= (v - ones) & 0x8000 * ones;
    }
    return found != 0;
}

/* u16 entries up to the end of `list`. An odd byte at the end is left. */
static void append(struct writer *w, struct cur list, unsigned max)
{
    uint16_t v;
    size_t whole = list.left / 8 * 4;
    if (whole > 0 && w->n + whole <= max && !grease_like(list.p, whole)) {
        memcpy(w->to, list.p, 2 * whole);
        w->to += 2 * whole;
        w->n += (unsigned)whole;
        list.p += 2 * whole;
        list.left -= 2 * whole;
    }
    while (cur_u16(&list, &v)) {
        if (tls_is_grease(v))
            continue;
        if (w->n == max) {
            w->cut = true;
            continue;
        }
        w->to = put_u16(w->to, v);
        w->n++;
    }
}

static void append_bytes(struct writer *w, struct cur list)
{
    size_t n = list.left, room = OFFER_BYTES_MAX - w->n;
    w->cut |= n > room;
    n = n < room ? n : room;
    memcpy(w->to, list.p, n);
    w->to += n;
    w->n += (unsigned)n;
}

/* n counts bytes. */
static void append_names(struct writer *w, struct cur list)
{
    struct cur name;
    while (cur_block8(&list, &name)) {
        if (name.left == 2 && tls_is_grease((uint16_t)(name.p[0] << 8 | name.p[1])))
            continue;
        if (w->n + 1 + name.left > OFFER_ALPN_MAX) {
            w->cut = true;
            continue;
        }
        memcpy(w->to, name.p - 1, name.left + 1);
        w->to += name.left + 1;
        w->n += (unsigned)name.left + 1;
    }
}

static void append_list(struct writer *w, enum list kind, struct cur list)
{
    static const uint16_t max[LISTS] = {[LIST_VERSIONS] = OFFER_VERSIONS_MAX,
                                        [LIST_GROUPS] = OFFER_GROUPS_MAX,
                                        [LIST_SIGNATURES] = OFFER_SIGNATURES_MAX};
    if (kind == LIST_POINTS)
        append_bytes(w, list);
    else if (kind == LIST_ALPN)
        append_names(w, list);
    else
        append(w, list, max[kind]);
}

/* A list with its length. Repeated extensions, which nobody should send, make one list. */
static void put_list(struct writer *w, const struct draft *d, enum list kind)
{
    uint8_t *head = w->to;
    struct cur all = d->extensions, body, list;
    uint16_t type;
    w->to += kind == LIST_POINTS ? 1 : 2;
    w->n = 0;
    if (d->n_lists[kind] == 1)
        append_list(w, kind, d->list[kind]);
    while (d->n_lists[kind] > 1 && cur_u16(&all, &type) && cur_block16(&all, &body))
        if (list_of(type) == kind && take_list(kind, body, &list))
            append_list(w, kind, list);
    if (kind == LIST_POINTS)
        head[0] = (uint8_t)w->n;
    else
        put_u16(head, w->n);
}

/* Ascending, each once. */
static void put_types(struct writer *w, struct draft *d)
{
    uint8_t *head = w->to;
    w->to += 2;
    for (uint64_t low = d->low; low != 0; low &= low - 1)
        w->to = put_u16(w->to, (unsigned)__builtin_ctzll(low));
    for (unsigned i = 1; i < d->n_high; i++)
        for (unsigned k = i; k > 0 && d->high[k - 1] > d->high[k]; k--) {
            uint16_t swap = d->high[k];
            d->high[k] = d->high[k - 1];
            d->high[k - 1] = swap;
        }
    for (unsigned i = 0; i < d->n_high; i++)
        if (i == 0 || d->high[i] != d->high[i - 1])
            w->to = put_u16(w->to, d->high[i]);
        else
            w->twice = true;
    put_u16(head, (unsigned)(w->to - head) / 2 - 1);
}

static bool has_fallback(const uint8_t *p, unsigned n)
{
    bool found = false;
    for (unsigned i = 0; i < n; i++)
        found |= (p[2 * i] << 8 | p[2 * i + 1]) == TLS_FALLBACK_SCSV;
    return found;
}

static void seal(struct tls_client_hello *h, struct draft *d, struct cur ciphers,
                 struct cur compressions)
{
    struct writer w = {.to = put_u16(h->blob, h->legacy_version), .cut = d->cut};
    put_list(&w, d, LIST_VERSIONS);
    /* The highest of them. Drafts of TLS 1.3 (0x7fNN) rank as the number they are, above final
     * versions. Numbers of DTLS count down. */
    uint16_t flip = h->legacy_version >> 8 == DTLS_MAJOR ? 0xff : 0;
    h->max_version = w.n > 0 ? flip : h->legacy_version;
    for (const uint8_t *p = w.to - 2 * w.n; p < w.to; p += 2)
        if (((p[0] << 8 | p[1]) ^ flip) > (h->max_version ^ flip))
            h->max_version = (uint16_t)(p[0] << 8 | p[1]);
    uint8_t *head = w.to;
    w.to += 2;
    w.n = 0;
    append(&w, ciphers, OFFER_CIPHERS_MAX);
    put_u16(head, w.n);
    h->fallback = has_fallback(w.to - 2 * w.n, w.n);
    put_types(&w, d);
    put_list(&w, d, LIST_GROUPS);
    put_list(&w, d, LIST_SIGNATURES);
    put_list(&w, d, LIST_POINTS);
    head = w.to++;
    w.n = 0;
    append_bytes(&w, compressions);
    *head = (uint8_t)w.n;
    put_list(&w, d, LIST_ALPN);
    *w.to++ = w.cut ? OFFER_CUT : 0;
    *w.to++ = 0; /* SSLv2 cipher kinds */
    h->blob_len = (uint16_t)(w.to - h->blob);
    h->id = offer_id(h->blob, h->blob_len);
    h->more |= d->seen & tls_comes_and_goes;
    if (d->twice != 0 || w.twice || w.cut)
        h->more |= MORE_ODD;
}

static enum outcome client_hello(struct cur in, uint8_t major, struct tls_client_hello *out,
                                 bool *usable)
{
    struct draft d;
    struct cur session_id, cookie, ciphers, compressions;
    uint16_t version;
    *usable = false;
    if (!cur_u16(&in, &version) || !cur_skip(&in, RANDOM_LEN) || !cur_block8(&in, &session_id)
        || (major == DTLS_MAJOR && !cur_block8(&in, &cookie)) || !cur_block16(&in, &ciphers))
        return cur_why(&in);
    if (version >> 8 != major || session_id.left > 32)
        return OUT_MALFORMED;
    *usable = true;
    tls_client_hello_clear(out);
    out->legacy_version = version;
    out->resumption_offered = session_id.left > 0;
    out->session_id = bytes_of(&session_id);
    memset(&d, 0, offsetof(struct draft, high));
    enum outcome result;
    if (cur_block8(&in, &compressions)) {
        result = client_extensions(in, out, &d);
    } else {
        result = cur_why(&in);
        compressions = cur_of(in.p, 0, 0);
    }
    if (result != OUT_OK)
        out->more |= MORE_ODD;
    seal(out, &d, ciphers, compressions);
    return result;
}

enum outcome tls_client_hello_decode(struct cur in, struct tls_client_hello *out, bool *usable)
{
    return client_hello(in, TLS_MAJOR, out, usable);
}

enum outcome dtls_client_hello_decode(struct cur in, struct tls_client_hello *out, bool *usable)
{
    return client_hello(in, DTLS_MAJOR, out, usable);
}
