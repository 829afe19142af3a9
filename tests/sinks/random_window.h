/* A window filled with random rows of every kind, as the field tables describe them. */
#pragma once
#include "core/answer.h"
#include "core/cert.h"
#include "core/offer.h"
#include "summary/window.h"

#include <stdlib.h>

static inline uint64_t random_u64(uint64_t *state) /* xorshift64* */
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(2685821657736338717);
}

/* Mostly small, sometimes the largest. */
static inline uint64_t random_number(uint64_t *state, uint64_t max)
{
    uint64_t r = random_u64(state);
    return r % 16 == 0 ? max : r % 4 == 0 ? (r >> 8) % max : (r >> 8) % 100 % max;
}

static inline uint32_t random_string(struct window *w, uint64_t *state)
{
    uint8_t text[40];
    uint32_t n = (uint32_t)(random_u64(state) % sizeof text);
    for (uint32_t i = 0; i < n; i++)
        text[i] = random_u64(state) % 8 == 0 ? (uint8_t)random_u64(state)
                                             : (uint8_t)('a' + random_u64(state) % 26);
    return window_intern(w, text, n);
}

static inline uint64_t random_site(struct window *w, uint64_t *state)
{
    static const char *const names[] = {"home-1", "cellar.2", "0123456789abcdef", "a:b"};
    switch (random_u64(state) % 4) {
    case 0:
        return site_of_number(SITE_VLAN + (int)(random_u64(state) % 3),
                              (uint32_t)random_number(state, UINT32_MAX));
    case 1:
        return random_u64(state) | SITE_NAME_BIT;
    default:
        return window_site_name(w, names[random_u64(state) % 4]);
    }
}

static inline struct addr random_addr(uint64_t *state)
{
    uint8_t b[16];
    for (int i = 0; i < 16; i++)
        b[i] = (uint8_t)(random_u64(state) >> 8);
    return random_u64(state) % 2 ? addr_v4(b) : addr_v6(b);
}

static inline struct client random_client(struct window *w, uint64_t *state, bool some)
{
    static const uint8_t id_len[] = {
        [BY_MAC] = 6, [BY_VLAN] = 4, [BY_VNI] = 4, [BY_GRE] = 4, [BY_FILE] = 8};
    struct client c = {.site = random_site(w, state)};
    if (!some && random_u64(state) % 4 == 0)
        return c;
    c.kind = random_u64(state) % 2 ? CLIENT_GATEWAY : CLIENT_HOST;
    c.by = (uint8_t)(BY_MAC + random_u64(state) % (BY_N - BY_MAC));
    struct addr a = random_addr(state);
    memcpy(c.id, a.b, c.by == BY_ADDR ? 16 : id_len[c.by]);
    return c;
}

static inline void random_key(struct window *w, uint64_t *state, enum row_kind kind,
                              const struct field *f, uint8_t *at)
{
    struct client c;
    struct addr a;
    uint64_t n = random_u64(state);
    switch ((enum field_type)f->type) {
    case F_CLIENT:
        c = random_client(w, state, kind == ROW_CLIENT);
        memcpy(at, &c, sizeof c);
        break;
    case F_SITE:
        n = random_site(w, state);
        memcpy(at, &n, 8);
        break;
    case F_ADDR:
        a = random_addr(state);
        memcpy(at, a.b, n % 8 ? 16 : 0);
        break;
    case F_MAC:
        memcpy(at, &n, 6);
        break;
    case F_ID64:
        memcpy(at, &n, n % 8 ? 8 : 0);
        break;
    case F_U8:
        *at = (uint8_t)n;
        break;
    case F_U16:
    case F_HEX16:
        memcpy(at, &n, n >> 60 ? 2 : 0);
        break;
    case F_U32:
        memcpy(at, &n, 4);
        break;
    case F_BITS16:
        n &= (1u << f->n) - 1;
        memcpy(at, &n, 2);
        break;
    case F_ENUM:
        *at = (uint8_t)(n % f->n);
        break;
    case F_FLAG:
        *at = (uint8_t)(n % 2);
        break;
    case F_STR:
        memcpy(at, &(uint32_t){random_string(w, state)}, 4);
        break;
    default:
        abort();
    }
}

/* A random offer; its id at *id. */
static inline uint32_t random_offer(struct window *w, uint64_t *state, uint64_t *id)
{
    static struct offer o;
    uint8_t blob[OFFER_BLOB_MAX];
    offer_init(&o);
    o.legacy_version = (uint16_t)random_u64(state);
    o.flags = (uint8_t)(random_u64(state) % 4);
    for (uint64_t n = random_u64(state) % 5; n > 0; n--)
        offer_add(&o, o.versions, &o.n_versions, OFFER_VERSIONS_MAX, (uint16_t)random_u64(state));
    for (uint64_t n = random_u64(state) % 300; n > 0; n--)
        offer_add(&o, o.ciphers, &o.n_ciphers, OFFER_CIPHERS_MAX, (uint16_t)random_u64(state));
    for (uint64_t n = random_u64(state) % 20; n > 0; n--)
        offer_add(&o, o.extensions, &o.n_extensions, OFFER_EXTENSIONS_MAX,
                  (uint16_t)random_u64(state));
    for (uint64_t n = random_u64(state) % 4; n > 0; n--)
        o.point_formats[o.n_point_formats++] = (uint8_t)random_u64(state);
    for (uint64_t n = random_u64(state) % 4; n > 0; n--)
        o.kinds[o.n_kinds++] = (uint32_t)(random_u64(state) % 0xff0000 + 0x10000);
    for (uint64_t n = random_u64(state) % 4; n > 0; n--)
        offer_add_alpn(&o, (const uint8_t *)state, (uint8_t)(random_u64(state) % 8));
    size_t n = offer_write(&o, blob);
    *id = offer_id(blob, n);
    return window_intern(w, blob, (uint32_t)n);
}

/* A random answer; its id at *id. */
static inline uint32_t random_answer(struct window *w, uint64_t *state, uint64_t *id)
{
    struct answer a = {.version = (uint16_t)random_u64(state),
                       .cipher = (uint16_t)random_u64(state),
                       .flags = (uint32_t)(random_u64(state) % (1 << ANSWER_FLAGS_N)),
                       .dh_prime = (uint8_t)(random_u64(state) % DH_PRIME_N),
                       .dh_prime_id = random_u64(state),
                       .dh_bits = (uint16_t)random_u64(state),
                       .ticket_lifetime_s = (uint32_t)random_u64(state)};
    uint8_t blob[ANSWER_BLOB_MAX];
    for (uint64_t n = random_u64(state) % (ANSWER_CERTS_MAX + 1); n > 0; n--)
        a.certs[a.n_certs++] = random_u64(state);
    for (uint64_t n = random_u64(state) % (ANSWER_KINDS_MAX + 1); n > 0; n--)
        a.kinds[a.n_kinds++] = (uint32_t)(random_u64(state) >> 40);
    size_t n = answer_write(&a, blob);
    *id = answer_id(blob, n);
    return window_intern(w, blob, (uint32_t)n);
}

static inline void random_text(uint64_t *state, char *to, size_t n)
{
    for (size_t i = 0; i < n; i++)
        to[i] = (char)random_u64(state);
}

/* Facts depend on the certificate alone: here on its id. */
static inline uint32_t random_facts(struct window *w, uint64_t id)
{
    static struct cert c;
    static uint8_t blob[CERT_BLOB_MAX];
    uint64_t state = id | 1;
    memset(&c, 0, sizeof c);
    random_text(&state, (char *)c.sha256, 32);
    random_text(&state, (char *)c.spki_sha256, random_u64(&state) % 2 ? 32 : 0);
    c.flags = (uint16_t)(random_u64(&state) % (1 << CERT_FLAGS_N));
    c.not_before_s = (int64_t)(random_u64(&state) % 4000000000) - 2000000000;
    c.not_after_s = (int64_t)(random_u64(&state) % 4000000000);
    c.key = (uint8_t)(random_u64(&state) % CERT_KEY_N);
    c.key_bits = (uint16_t)random_u64(&state);
    c.signature_hash = (uint8_t)(random_u64(&state) % CERT_HASH_N);
    strcpy(c.curve, random_u64(&state) % 2 ? "prime256v1" : "");
    strcpy(c.signature, "1.2.840.113549.1.1.11");
    random_text(&state, c.subject,
                c.subject_len = (uint16_t)(random_u64(&state) % (CERT_NAME_MAX + 1)));
    random_text(&state, c.issuer, c.issuer_len = (uint16_t)(random_u64(&state) % 20));
    for (uint64_t n = random_u64(&state) % (CERT_SANS_MAX + 1); n > 0; n--, c.n_sans++)
        random_text(&state, c.sans[c.n_sans], c.san_len[c.n_sans] = (uint8_t)random_u64(&state));
    return window_intern(w, blob, (uint32_t)cert_write(&c, blob));
}

static inline void random_value(struct window *w, uint64_t *state, const struct field *f,
                                uint8_t *at, const struct distinct_shape *shape)
{
    bool sum = f->type == V_SUM || f->type == V_COUNTS;
    uint64_t n =
        random_number(state, sum ? INT64_MAX / 1024 : INT64_MAX); /* a thousand can be added */
    uint32_t n32 = (uint32_t)random_number(state, UINT32_MAX);
    struct distinct_block *b;
    if (random_u64(state) % 3 == 0)
        return; /* absent */
    switch ((enum field_type)f->type) {
    case V_SUM:
    case V_MIN_NS:
    case V_MAX_NS:
        memcpy(at, &n, 8);
        break;
    case V_SUM32:
    case V_MAX32:
    case V_MIN32:
        memcpy(at, &n32, 4);
        break;
    case V_BITS32:
        n32 = (uint32_t)random_u64(state) & (f->n < 32 ? (UINT32_C(1) << f->n) - 1 : UINT32_MAX);
        memcpy(at, &n32, 4);
        break;
    case V_COUNTS32:
        memcpy(at + 4 * (random_u64(state) % f->n), &n32, 4);
        break;
    case V_COUNTS:
        memcpy(at + 8 * (random_u64(state) % f->n), &n, 8);
        break;
    case V_HIST:
        for (uint64_t i = random_u64(state) % 20; i > 0; i--)
            window_hist_add(w, (struct hist *)(void *)at,
                            (int)(random_u64(state) % (2 * HIST_MAX + 1)) - HIST_MAX,
                            (uint32_t)(random_u64(state) % 1000 + 1));
        break;
    case V_SET8:
        for (uint64_t i = random_u64(state) % 12; i > 0; i--)
            window_set8_add(w, (struct set8 *)(void *)at, (uint32_t)random_u64(state),
                            (uint32_t)(random_u64(state) % 100 + 1));
        break;
    case V_SLOTS:
        n = random_u64(state) & random_u64(state);
        n &= (UINT64_C(1) << (window_length_s(w) + slot_seconds(window_length_s(w)) - 1)
                                 / slot_seconds(window_length_s(w)))
             - 1;
        memcpy(at, &n, 8);
        break;
    case V_DISTINCT:
        b = window_distinct_make(w, (struct distinct *)(void *)at, shape);
        for (uint64_t i = random_u64(state) % (random_u64(state) % 4 == 0 ? 3000 : 20);
             b != NULL && i > 0; i--)
            distinct_add(shape, b, random_u64(state));
        break;
    default:
        break;
    }
}

static inline void random_rows(struct window *w, uint64_t *state, enum row_kind kind, unsigned n)
{
    static uint64_t row[128];
    const struct row_type *type = &row_types[kind];
    for (; n > 0; n--) {
        uint32_t offer = 0;
        memset(row, 0, sizeof row);
        for (const struct field *f = type->keys; f->type != F_END; f++)
            random_key(w, state, kind, f, (uint8_t *)row + f->at);
        if (kind == ROW_TALLY) {
            struct row_tally *t = (struct row_tally *)(void *)row;
            t->key.family %= TALLY_N;
            bool named = t->key.family == TALLY_TLS_SNI || t->key.family == TALLY_QUIC_SNI;
            t->key.code = named ? 0 : t->key.code & 0xffff;
            t->key.name = named ? t->key.name : 0;
        }
        if (kind == ROW_HELLO)
            offer = random_offer(w, state, &((struct row_hello *)(void *)row)->key.id);
        if (kind == ROW_ANSWER)
            offer = random_answer(w, state, &((struct row_answer *)(void *)row)->key.id);
        uint8_t *into = window_row(w, kind, row);
        if (into == window_other(w, kind))
            continue;
        for (const struct field *f = type->values; f->type != F_END; f++)
            random_value(w, state, f, into + f->at, &distinct_small);
        if (kind == ROW_HELLO)
            ((struct row_hello *)(void *)into)->offer = offer;
        if (kind == ROW_ANSWER)
            ((struct row_answer *)(void *)into)->answer = offer;
        struct row_cert *c = (struct row_cert *)(void *)into;
        if (kind == ROW_CERT && c->key.id % 4 != 0)
            c->facts = random_facts(w, c->key.id);
        if (kind == ROW_TALLY)
            ((struct row_tally *)(void *)into)->count++;
    }
}

/* Up to `n` rows of each kind, and totals that balance. */
static inline void random_window(struct window *w, uint64_t seed, unsigned n)
{
    uint64_t state = seed * 2 + 1;
    random_u64(&state);
    for (int kind = 0; kind < ROW_KIND_N; kind++)
        random_rows(w, &state, (enum row_kind)kind, (unsigned)(random_u64(&state) % (n + 1)));
    struct totals *t = window_totals(w);
    for (const struct field *f = totals_fields; f->type != F_END; f++)
        random_value(w, &state, f, (uint8_t *)t + f->at, &distinct_large);
    memset(&t->packets.outcome, 0, sizeof t->packets.outcome);
    t->packets.outcome[OUT_OK] = t->packets.read;
}
