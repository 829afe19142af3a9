#include "summary/tables.h"

#include "core/hash.h"

/* A mixing of all bits that loses none (the finalizer of MurmurHash3), so that it orders values,
 * and nothing they mean does. */
static uint32_t set8_hash(uint32_t value)
{
    value = (value ^ value >> 16) * UINT32_C(0x85ebca6b);
    value = (value ^ value >> 13) * UINT32_C(0xc2b2ae35);
    return value ^ value >> 16;
}

struct set8_view window_set8(const struct window *w, const struct set8 *s)
{
    const struct set8_block *b = s->block != 0 ? pool_at(&w->sets, s->block) : NULL;
    return b != NULL ? (struct set8_view){b->value, b->count, s->n, s->other}
                     : (struct set8_view){s->value, s->count, s->n, s->other};
}

/* Inline values move to a block of their own. */
static struct set8_block *set8_spread(struct window *w, struct set8 *s)
{
    uint32_t block = block_take(w, &w->sets);
    if (block == 0)
        return NULL;
    struct set8_block *b = pool_at(&w->sets, block);
    memcpy(b->value, s->value, sizeof s->value);
    memcpy(b->count, s->count, sizeof s->count);
    s->block = block;
    return b;
}

/* A value that the set has not, and that it need not turn away. */
static __attribute__((noinline)) void set8_new(struct window *w, struct set8 *s, uint32_t value,
                                               uint32_t count)
{
    struct set8_block *b = s->block != 0 ? pool_at(&w->sets, s->block) : NULL;
    if (b == NULL && s->n == SET8_INLINE) {
        b = set8_spread(w, s);
        if (b == NULL) {
            s->other = add32(s->other, count);
            return;
        }
    }
    uint32_t *values = b != NULL ? b->value : s->value, *counts = b != NULL ? b->count : s->count;
    if (s->n == SET8_MAX)
        s->other = add32(s->other, counts[SET8_MAX - 1]);
    else
        s->n++;
    uint32_t i = s->n - 1, hash = set8_hash(value);
    for (; i > 0 && set8_hash(values[i - 1]) > hash; i--) {
        values[i] = values[i - 1];
        counts[i] = counts[i - 1];
    }
    values[i] = value;
    counts[i] = count;
}

void window_set8_add(struct window *w, struct set8 *s, uint32_t value, uint32_t count)
{
    uint32_t *values = s->value, *counts = s->count;
    if (s->block != 0) {
        struct set8_block *b = pool_at(&w->sets, s->block);
        values = b->value;
        counts = b->count;
    }
    /* A full set turns nearly all away. */
    if (s->n == SET8_MAX && set8_hash(values[SET8_MAX - 1]) < set8_hash(value)) {
        s->other = add32(s->other, count);
        return;
    }
    for (uint32_t i = 0; i < s->n; i++)
        if (values[i] == value) {
            counts[i] = add32(counts[i], count);
            return;
        }
    set8_new(w, s, value, count);
}

static void set8_merge(struct window *wi, struct set8 *into, const struct window *wf,
                       const struct set8 *from)
{
    struct set8_view v = window_set8(wf, from);
    for (uint32_t i = 0; i < v.n; i++)
        window_set8_add(wi, into, v.value[i], v.count[i]);
    into->other = add32(into->other, v.other);
}

static void hist_merge(struct window *wi, struct hist *into, const struct window *wf,
                       const struct hist *from)
{
    const struct hist_block *b = window_hist_block(wf, from);
    if (b == NULL) {
        struct hist_view v = window_hist_few(wf, from);
        for (unsigned i = 0; i < v.n; i++)
            window_hist_add(wi, into, v.bucket[i], v.count[i]);
        return;
    }
    for (int bucket = -HIST_MAX; bucket <= HIST_MAX; bucket++)
        if (b->count[bucket + HIST_MAX] > 0)
            window_hist_add(wi, into, bucket, b->count[bucket + HIST_MAX]);
}

static void distinct_field_merge(struct window *wi, struct distinct *into, const struct window *wf,
                                 const struct distinct *from, const struct distinct_shape *shape)
{
    const struct distinct_block *b = window_distinct_block(wf, from, shape);
    if (b == NULL)
        return;
    struct distinct_block *to = window_distinct_make(wi, into, shape);
    if (to != NULL)
        distinct_merge(shape, to, b);
}

/* Slots of `from`, in the slots of `into`: the same, or coarser ones that touch them. */
static uint64_t slots_move(const struct window *wi, const struct window *wf, uint64_t slots)
{
    if (wi->slot_ns == wf->slot_ns && wi->start_ns == wf->start_ns)
        return slots;
    uint64_t moved = 0;
    for (unsigned i = 0; i < 60; i++) {
        if ((slots >> i & 1) == 0)
            continue;
        uint64_t from = wf->start_ns + i * wf->slot_ns - wi->start_ns;
        uint64_t last = from + wf->slot_ns - 1, end = wf->start_ns + wf->length_s * 1000000000;
        if (last >= end - wi->start_ns)
            last = end - wi->start_ns - 1;
        for (uint64_t k = from / wi->slot_ns; k <= last / wi->slot_ns && k < 60; k++)
            moved |= UINT64_C(1) << k;
    }
    return moved;
}

/* Sums stop where readers of JSON stop: what a segment says need not be true. */
static uint64_t add63(uint64_t a, uint64_t b)
{
    return a + b < a || a + b > INT64_MAX ? INT64_MAX : a + b;
}

static void field_add(struct window *wi, const struct field *f, void *into, const struct window *wf,
                      const void *from, const struct distinct_shape *shape)
{
    uint64_t *i64 = into;
    uint32_t *i32 = into;
    const uint64_t *f64 = from;
    const uint32_t *f32 = from;
    switch (f->type) {
    case V_SUM:
        *i64 = add63(*i64, *f64);
        break;
    case V_SUM32:
        *i32 = add32(*i32, *f32);
        break;
    case V_MIN_NS:
        *i64 = *f64 < *i64 ? *f64 : *i64;
        break;
    case V_MAX_NS:
        *i64 = *f64 > *i64 ? *f64 : *i64;
        break;
    case V_MAX32:
        *i32 = *f32 > *i32 ? *f32 : *i32;
        break;
    case V_MIN32:
        *i32 = *f32 < *i32 ? *f32 : *i32;
        break;
    case V_BITS32:
        *i32 |= *f32;
        break;
    case V_COUNTS32:
        for (int i = 0; i < f->n; i++)
            i32[i] = add32(i32[i], f32[i]);
        break;
    case V_COUNTS:
        for (int i = 0; i < f->n; i++)
            i64[i] = add63(i64[i], f64[i]);
        break;
    case V_HIST:
        hist_merge(wi, into, wf, from);
        break;
    case V_SET8:
        set8_merge(wi, into, wf, from);
        break;
    case V_SLOTS:
        *i64 |= slots_move(wi, wf, *f64);
        break;
    case V_DISTINCT:
        distinct_field_merge(wi, into, wf, from, shape);
        break;
    case V_BLOB:
        if (*i32 == 0 && *f32 != 0) {
            struct bytes blob = window_string(wf, *f32);
            *i32 = window_intern(wi, blob.p, blob.len);
        }
        break;
    default: /* F_END, keys, V_TALLY: nothing stored here */
        break;
    }
}

void window_row_add(struct window *wi, enum row_kind kind, void *into, const struct window *wf,
                    const void *from)
{
    for (const struct field *f = row_types[kind].values; f->type != F_END; f++) {
        if (f->type == V_BLOB && into == wi->other[kind])
            continue; /* a blob belongs to its key, and `other` stands for many */
        field_add(wi, f, (uint8_t *)into + f->at, wf, (const uint8_t *)from + f->at,
                  &distinct_small);
    }
}

static void row_merge(struct window *into, enum row_kind kind, const struct window *from,
                      uint32_t at)
{
    const struct row_type *type = &row_types[kind];
    const void *row = rowtab_at(&from->tabs[kind], at);
    uint64_t key_row[64];
    memcpy(key_row, row, (size_t)type->key_at + type->key_len);
    const struct rowtab *t = &into->tabs[kind];
    bool room = t->n < t->limit || !rowtab_refuses(t, row_hash(from, kind, at));
    for (const struct field *f = type->keys; room && f->type != F_END; f++) {
        if (f->type != F_STR)
            continue;
        uint32_t id;
        memcpy(&id, (const uint8_t *)row + f->at, sizeof id);
        struct bytes text = window_string(from, id);
        id = window_intern(into, text.p, text.len);
        memcpy((uint8_t *)key_row + f->at, &id, sizeof id);
        room = id != 0 || text.len == 0;
    }
    if (!room) { /* for the row, or for its name */
        window_row_add(into, kind, window_other_make(into, kind), from, row);
        return;
    }
    const void *key = (const uint8_t *)key_row + type->key_at;
    void *to = row_of(into, kind, key_tag_any(into, kind, key), key);
    window_row_add(into, kind, to, from, row);
}

void window_merge(struct window *into, struct window *from)
{
    window_settle(from);
    into->filled = into->filled || from->filled;
    for (unsigned i = 0; i < from->n_sites; i++)
        window_site_name(into, from->sites[i].name);
    for (int kind = 0; kind < ROW_KIND_N; kind++) {
        const struct rowtab *t = &from->tabs[kind];
        for (uint32_t i = 0; i < t->n; i++)
            row_merge(into, kind, from, i);
        if (from->has_other[kind])
            window_row_add(into, kind, window_other_make(into, kind), from, from->other[kind]);
    }
    for (const struct field *f = totals_fields; f->type != F_END; f++)
        field_add(into, f, (uint8_t *)&into->totals + f->at, from,
                  (const uint8_t *)&from->totals + f->at, &distinct_large);
}
