#include "summary/tables.h"

#include "core/arena.h"
#include "core/hash.h"
#include "summary/certs.h"

#include <stdlib.h>

enum { LARGE_BLOCKS = 8 };

static uint64_t row_limit(const struct config *c, enum row_kind kind)
{
    switch (kind) {
    case ROW_COVERAGE:
        return c->limits.coverage;
    case ROW_CLIENT:
        return c->limits.clients;
    case ROW_BINDING:
        return c->limits.bindings;
    case ROW_PEER:
        return c->limits.peers;
    case ROW_NTP:
        return c->limits.ntp;
    case ROW_DNS:
        return c->limits.dns;
    case ROW_TLS:
        return c->limits.tls;
    case ROW_HELLO:
        return c->limits.hellos;
    case ROW_ANSWER:
        return c->limits.answers;
    case ROW_CERT:
        return c->limits.certs;
    case ROW_REUSE:
        return c->limits.reuse;
    case ROW_UNATTRIBUTED:
        return c->limits.clients;
    case ROW_TALLY:
        return c->limits.tallies;
    case ROW_KIND_N:
        break;
    }
    return 0;
}

/* Blocks that all rows of a window can need, those of the `other` rows included: a limit of their
 * own would make what is kept depend on order. */
static uint32_t block_limit(const struct config *c, enum field_type type)
{
    uint64_t n = 0;
    for (int kind = 0; kind < ROW_KIND_N; kind++)
        for (const struct field *f = row_types[kind].values; f->type != F_END; f++)
            n += f->type == type ? row_limit(c, (enum row_kind)kind) + 1 : 0;
    return (uint32_t)(n + (type == V_SET8 ? ANSWER_SETS : 0));
}

static void value_zero(const struct field *f, uint8_t *row)
{
    uint64_t never = UINT64_MAX;
    uint32_t never32 = UINT32_MAX;
    if (f->type == V_MIN_NS)
        memcpy(row + f->at, &never, sizeof never);
    else if (f->type == V_MIN32)
        memcpy(row + f->at, &never32, sizeof never32);
}

enum { HOT_KINDS = 1 << ROW_NTP | 1 << ROW_DNS | 1 << ROW_BINDING };

static bool table_new(struct window *w, enum row_kind kind, struct err *e)
{
    const struct row_type *type = &row_types[kind];
    w->zero[kind] = calloc(2, type->size);
    if (w->zero[kind] == NULL) {
        err_set(e, "out of memory");
        return false;
    }
    w->other[kind] = w->zero[kind] + type->size;
    for (const struct field *f = type->values; f->type != F_END; f++)
        value_zero(f, w->zero[kind]);
    bool ok =
        rowtab_new(&w->tabs[kind], (uint32_t)row_limit(w->config, kind), type->size, type->key_at,
                   type->key_len, HOT_KINDS >> kind & 1 ? ARENA_HOT : ARENA_COLD, e);
    w->tabs[kind].late = true;
    return ok;
}

bool window_new(struct window **out, const struct config *config, struct err *e)
{
    struct window *w = calloc(1, sizeof *w);
    if (w == NULL || (w->sites = calloc(SITES_MAX, sizeof *w->sites)) == NULL) {
        free(w);
        err_set(e, "out of memory");
        return false;
    }
    w->config = config;
    w->secret = hash_bytes("rows", 4, config->seed);
    bool ok = true;
    for (int kind = 0; ok && kind < ROW_KIND_N; kind++)
        ok = table_new(w, kind, e);
    ok = ok && talks_new(&w->talks, config->limits.peers, e)
         && strings_new(&w->strings, config->limits.string_bytes, e)
         && pool_new(&w->hists, sizeof(struct hist_block), block_limit(config, V_HIST), e)
         && pool_new(&w->few, sizeof(struct hist_few), block_limit(config, V_HIST), e)
         && pool_new(&w->sets, sizeof(struct set8_block), block_limit(config, V_SET8), e)
         && pool_new(&w->small, (uint32_t)distinct_block_size(&distinct_small),
                     block_limit(config, V_DISTINCT), e)
         && pool_new(&w->large, (uint32_t)distinct_block_size(&distinct_large), LARGE_BLOCKS, e);
    if (!ok) {
        window_free(w);
        return err_in(e, "window tables");
    }
    window_reset(w, 0, config->window_s);
    *out = w;
    return true;
}

void window_free(struct window *w)
{
    if (w == NULL)
        return;
    for (int kind = 0; kind < ROW_KIND_N; kind++) {
        rowtab_free(&w->tabs[kind]);
        free(w->zero[kind]);
    }
    talks_free(&w->talks);
    strings_free(&w->strings);
    pool_free(&w->hists);
    pool_free(&w->few);
    pool_free(&w->sets);
    pool_free(&w->small);
    pool_free(&w->large);
    free(w->sites);
    free(w->sorted);
    free(w);
}

void window_reset(struct window *w, uint64_t start_s, uint64_t length_s)
{
    for (int kind = 0; kind < ROW_KIND_N; kind++) {
        rowtab_clear(&w->tabs[kind]);
        memcpy(w->other[kind], w->zero[kind], row_types[kind].size);
        w->has_other[kind] = false;
    }
    talks_clear(&w->talks);
    strings_clear(&w->strings);
    pool_clear(&w->hists);
    pool_clear(&w->few);
    pool_clear(&w->sets);
    pool_clear(&w->small);
    pool_clear(&w->large);
    w->totals = (struct totals){0};
    memset(w->seen_hosts, 0, sizeof w->seen_hosts);
    memset(w->often, 0, sizeof w->often);
    answer_sets_clear(&w->answer_sets);
    w->unsettled = false;
    w->start_s = start_s;
    w->length_s = length_s;
    w->start_ns = start_s * 1000000000;
    w->slot_ns = slot_seconds(length_s) * 1000000000;
    w->slot = 0;
    w->slot_from_ns = 0;
    w->filled = false;
    w->n_sites = 0;
    const char *sensor = w->config->sensor;
    w->sensor = window_intern(w, sensor, (uint32_t)strlen(sensor));
    window_site_name(w, sensor);
    for (unsigned i = 0; i < w->config->n_files; i++)
        if (w->config->files[i].site[0] != '\0')
            window_site_name(w, w->config->files[i].site);
}

void window_keep(struct window *w)
{
    w->keeps = true;
}

void window_stores(struct window *w, const struct window_stores *stores)
{
    w->stores = stores;
}

void window_cert_facts(struct window *w, struct cert_notes *notes)
{
    const struct rowtab *t = &w->tabs[ROW_CERT];
    uint8_t blob[CERT_BLOB_MAX];
    for (uint32_t i = 0; i < t->n; i++) {
        struct row_cert *row = rowtab_at(t, i);
        if (row->facts != 0 || row->der == NULL)
            continue;
        struct bytes der = {row->der, row->der_len};
        struct bytes facts =
            cert_facts_named(w->config, cert_notes_of(notes, row->key.id, der), blob);
        row->facts = window_intern(w, facts.p, facts.len);
    }
}

uint64_t window_start_s(const struct window *w)
{
    return w->start_s;
}

uint64_t window_length_s(const struct window *w)
{
    return w->length_s;
}

bool window_empty(const struct window *w)
{
    static const struct ledger
        none; /* what stages met may be told in a window whose packets have left already */
    return !w->filled && memcmp(&w->totals.ledger, &none, sizeof none) == 0;
}

struct totals *window_totals(struct window *w)
{
    return &w->totals;
}

uint64_t window_site_name(struct window *w, const char *name)
{
    uint64_t id = hash_bytes(name, strlen(name), 0) | SITE_NAME_BIT;
    if (window_site(w, id) == NULL && w->n_sites < SITES_MAX && strlen(name) < CONFIG_NAME_LEN) {
        w->sites[w->n_sites].id = id;
        strcpy(w->sites[w->n_sites++].name, name);
    }
    return id;
}

const char *window_site(const struct window *w, uint64_t site)
{
    for (unsigned i = 0; i < w->n_sites; i++)
        if (w->sites[i].id == site)
            return w->sites[i].name;
    return NULL;
}

uint32_t window_intern(struct window *w, const void *p, uint32_t len)
{
    if (len == 0)
        return 0;
    uint32_t id = strings_intern(&w->strings, p, len, strings_hash(p, len));
    if (id == 0)
        w->totals.ledger.strings_turned_away++;
    return id;
}

struct bytes window_string(const struct window *w, uint32_t id)
{
    return strings_get(&w->strings, id);
}

/* ---- hashes */

static uint64_t hash_strings(const struct window *w, uint64_t bytes, uint64_t s1, uint64_t s2)
{
    uint64_t parts[3] = {bytes, s1, s2};
    return hash_bytes(parts, sizeof parts, w->config->seed);
}

enum { KEY_MAX = 256, KEY_STRINGS = 2 };

/* Copies the key without its string ids, and gives the hashes of its strings. Returns how many it
 * has. */
static unsigned key_part(const struct window *w, enum row_kind kind, const void *key,
                         uint8_t bare[static KEY_MAX], uint64_t strings[static KEY_STRINGS])
{
    const struct row_type *type = &row_types[kind];
    unsigned n = 0;
    strings[0] = strings[1] = 0;
    memcpy(bare, key, type->key_len);
    for (const struct field *f = type->keys; f->type != F_END; f++) {
        uint32_t id;
        if (f->type != F_STR)
            continue;
        memcpy(&id, bare + f->at - type->key_at, sizeof id);
        memset(bare + f->at - type->key_at, 0, sizeof id);
        uint64_t hash = strings_id_hash(&w->strings, id);
        strings[n > 0] = n < 2 ? hash : text_pair(strings[1], hash);
        n++;
    }
    return n;
}

uint64_t key_hash(const struct window *w, enum row_kind kind, const void *key)
{
    uint8_t bare[KEY_MAX];
    uint64_t s[KEY_STRINGS];
    unsigned n = key_part(w, kind, key, bare, s);
    uint64_t bytes = hash_bytes(bare, row_types[kind].key_len, w->config->seed);
    return n == 0 ? bytes : hash_strings(w, bytes, s[0], s[1]);
}

uint32_t key_tag_any(const struct window *w, enum row_kind kind, const void *key)
{
    uint8_t bare[KEY_MAX];
    uint64_t s[KEY_STRINGS];
    uint32_t len = row_types[kind].key_len;
    return key_part(w, kind, key, bare, s) == 0 ? key_tag(w, bare, len)
                                                : key_tag_strings(w, bare, len, s[0], s[1]);
}

bool row_refused(const struct window *w, enum row_kind kind, const void *key, uint64_t s1,
                 uint64_t s2)
{
    const struct rowtab *t = &w->tabs[kind];
    if (t->n < t->limit)
        return false;
    uint64_t bytes = hash_bytes(key, row_types[kind].key_len, w->config->seed);
    return rowtab_refuses(t, hash_strings(w, bytes, s1, s2));
}

/* ---- rows */

static struct pool *hist_pool(struct window *w, const struct hist *h)
{
    return h->n == 0 ? &w->hists : &w->few;
}

static struct pool *block_pool(struct window *w, const struct field *f, const void *row)
{
    switch (f->type) {
    case V_HIST:
        return hist_pool(w, (const void *)((const uint8_t *)row + f->at));
    case V_SET8:
        return &w->sets;
    case V_DISTINCT:
        return &w->small;
    default:
        return NULL;
    }
}

void row_blocks_give(struct window *w, enum row_kind kind, const void *row)
{
    for (const struct field *f = row_types[kind].values; f->type != F_END; f++) {
        struct pool *pool = block_pool(w, f, row);
        uint32_t block;
        if (pool == NULL)
            continue;
        memcpy(&block, (const uint8_t *)row + f->at, sizeof block); /* first member of all three */
        pool_give(pool, block);
    }
}

struct leaving {
    struct window *w;
    enum row_kind kind;
};

static void row_leaves(void *ctx, void *row)
{
    struct leaving *l = ctx;
    if (l->kind == ROW_DNS)
        dns_row_settle(l->w, row);
    window_row_add(l->w, l->kind, window_other_make(l->w, l->kind), l->w, row);
    row_blocks_give(l->w, l->kind, row);
}

uint64_t row_hash(const struct window *w, enum row_kind kind, uint32_t i)
{
    const struct rowtab *t = &w->tabs[kind];
    return rowtab_is_hashed(t, i) ? rowtab_hash_at(t, i)
                                  : key_hash(w, kind, (uint8_t *)rowtab_at(t, i) + t->key_at);
}

void *row_make(struct window *w, enum row_kind kind, uint32_t tag, const void *key)
{
    struct rowtab *t = &w->tabs[kind];
    const struct row_type *type = &row_types[kind];
    uint64_t hash = rowtab_hash_waits(t) ? 0 : key_hash(w, kind, key);
    if (rowtab_refuses(t, hash))
        return window_other_make(w, kind);
    uint32_t older = rowtab_unhashed(t);
    if (older != UINT32_MAX)
        rowtab_hash_set(t, row_hash(w, kind, older));
    struct leaving l = {w, kind};
    uint8_t *row = rowtab_insert(t, tag, hash, key, row_leaves, &l);
    size_t values = (size_t)type->key_at + type->key_len;
    memcpy(row + values, w->zero[kind] + values, type->size - values);
    return row;
}

void *row_of(struct window *w, enum row_kind kind, uint32_t tag, const void *key)
{
    void *row = rowtab_find(&w->tabs[kind], tag, key);
    return row != NULL ? row : row_make(w, kind, tag, key);
}

void *window_row(struct window *w, enum row_kind kind, const void *key_row)
{
    const void *key = (const uint8_t *)key_row + row_types[kind].key_at;
    w->filled = true;
    return row_of(w, kind, key_tag_any(w, kind, key), key);
}

void *window_other(struct window *w, enum row_kind kind)
{
    window_settle(w);
    return w->has_other[kind] ? w->other[kind] : NULL;
}

void *window_other_make(struct window *w, enum row_kind kind)
{
    w->has_other[kind] = true;
    return w->other[kind];
}

uint64_t window_client_hash(const struct window *w, const struct client *client)
{
    return client_hash(w, client);
}

/* ---- blocks */

static struct pool *shape_pool(const struct window *w, const struct distinct_shape *s)
{
    return (struct pool *)(s == &distinct_small ? &w->small : &w->large);
}

const struct distinct_block *window_distinct_block(const struct window *w, const struct distinct *d,
                                                   const struct distinct_shape *s)
{
    return d->block != 0 ? pool_at(shape_pool(w, s), d->block) : NULL;
}

struct distinct_block *window_distinct_make(struct window *w, struct distinct *d,
                                            const struct distinct_shape *s)
{
    if (d->block == 0)
        d->block = block_take(w, shape_pool(w, s));
    return d->block != 0 ? pool_at(shape_pool(w, s), d->block) : NULL;
}
