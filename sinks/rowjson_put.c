#include "sinks/rowjson_put.h"

#include "sinks/rowjson_offer.h"

#include <assert.h>

static void put_counts(struct rowjson_writer *r, const struct field *f, struct rowjson_name name,
                       const uint8_t *at)
{
    struct text_sink *t = r->out;
    size_t each = f->type == V_COUNTS32 ? 4 : 8;
    if (all_zero(at, each * f->n))
        return;
    rowjson_member(r, f, name);
    put1(t, '{');
    for (unsigned i = 0; i < f->n; i++) {
        uint64_t count = number_at(at + each * i, each);
        if (count == 0)
            continue;
        comma(t);
        put1(t, '"');
        if (f->names != NULL)
            puts_(t, f->names[i]);
        else
            put_u64(t, i);
        put(t, "\":", 2);
        put_number(t, count);
    }
    put1(t, '}');
}

static void put_bits(struct rowjson_writer *r, const struct field *f, struct rowjson_name name,
                     uint32_t bits)
{
    struct text_sink *t = r->out;
    if (bits == 0)
        return;
    rowjson_member(r, f, name);
    put1(t, '[');
    for (; bits != 0; bits &= bits - 1) {
        unsigned i = (unsigned)__builtin_ctz(bits);
        comma(t);
        if (f->names == NULL) {
            put_u64(t, i);
            continue;
        }
        put1(t, '"');
        puts_(t, f->names[i]);
        put1(t, '"');
    }
    put1(t, ']');
}

static void put_bucket(struct text_sink *t, int bucket, uint32_t count)
{
    comma(t);
    put1(t, '"');
    if (bucket < 0)
        put1(t, '-');
    put_u64(t, (uint64_t)(bucket < 0 ? -bucket : bucket));
    put(t, "\":", 2);
    put_u64(t, count);
}

static void put_hist(struct rowjson_writer *r, const struct field *f, struct rowjson_name name,
                     const struct hist *h)
{
    struct text_sink *t = r->out;
    const struct hist_block *b = window_hist_block(r->w, h);
    if (b == NULL && h->n == 0)
        return;
    rowjson_member(r, f, name);
    put1(t, '{');
    for (int i = -HIST_MAX; b != NULL && i <= HIST_MAX; i++)
        if (b->count[i + HIST_MAX] > 0)
            put_bucket(t, i, b->count[i + HIST_MAX]);
    for (int i = 0; b == NULL && i < h->n; i++)
        put_bucket(t, h->bucket[i], h->count[i]);
    put1(t, '}');
}

static void put_set8(struct rowjson_writer *r, const struct field *f, struct rowjson_name name,
                     const struct set8 *s)
{
    struct text_sink *t = r->out;
    if (s->n == 0 && s->other == 0)
        return;
    rowjson_member(r, f, name);
    put(t, "{\"values\":[", 11);
    for (int i = 0; i < s->n; i++) {
        comma(t);
        put(t, "[\"", 2);
        put_hex(t, s->value[i], 8);
        put(t, "\",", 2);
        put_u64(t, s->count[i]);
        put1(t, ']');
    }
    put1(t, ']');
    if (s->other > 0) {
        put(t, ",\"other\":", 9);
        put_u64(t, s->other);
    }
    put1(t, '}');
}

static void put_slots(struct rowjson_writer *r, const struct field *f, struct rowjson_name name,
                      uint64_t slots)
{
    struct text_sink *t = r->out;
    uint64_t length_s = window_length_s(r->w), slot_s = slot_seconds(length_s);
    if (slots == 0)
        return;
    rowjson_member(r, f, name);
    put1(t, '[');
    for (unsigned i = 0; i < 64 && slots >> i != 0; i++) {
        if ((slots >> i & 1) == 0)
            continue;
        unsigned end = i;
        while (end < 64 && slots >> end & 1)
            end++;
        comma(t);
        put1(t, '[');
        put_u64(t, i * slot_s);
        put1(t, ',');
        put_u64(t, end * slot_s < length_s ? end * slot_s : length_s);
        put1(t, ']');
        i = end;
    }
    put1(t, ']');
}

/* One digit a register, four or more zeros as "(n)". */
static void put_registers(struct text_sink *t, const uint8_t reg[], size_t n)
{
    static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_";
    for (size_t i = 0; i < n;) {
        size_t run = i;
        while (run < n && reg[run] == 0)
            run++;
        if (run - i >= 4) {
            put1(t, '(');
            put_u64(t, run - i);
            put1(t, ')');
            i = run;
            continue;
        }
        put1(t, digits[reg[i++] & 63]);
    }
}

static void put_distinct(struct rowjson_writer *r, const struct field *f, struct rowjson_name name,
                         const struct distinct *d, const struct distinct_shape *shape)
{
    struct text_sink *t = r->out;
    const struct distinct_block *b = window_distinct_block(r->w, d, shape);
    if (b == NULL || b->n == 0)
        return;
    rowjson_member(r, f, name);
    if (r->numbers) {
        put_number(t, distinct_count(shape, b));
        return;
    }
    put(t, "{\"count\":", 9);
    put_number(t, distinct_count(shape, b));
    if (b->n == UINT32_MAX) {
        put(t, ",\"hll\":\"", 8);
        put_registers(t, b->reg, (size_t)1 << shape->p);
        put(t, "\"}", 2);
        return;
    }
    put(t, ",\"exact\":[", 10);
    for (uint32_t i = 0; i < b->n; i++) {
        comma(t);
        put1(t, '"');
        put_hex(t, b->hash[i], 16);
        put1(t, '"');
    }
    put(t, "]}", 2);
}

static void put_blob(struct rowjson_writer *r, const struct field *f, struct rowjson_name name,
                     uint32_t id)
{
    struct bytes blob = window_string(r->w, id);
    struct offer o;
    if (blob.len == 0 || !offer_read(blob.p, blob.len, &o))
        return;
    rowjson_member(r, f, name);
    rowjson_offer(r->out, &o);
}

static void put_sum(struct rowjson_writer *r, const struct field *f, struct rowjson_name name,
                    uint64_t v)
{
    rowjson_member(r, f, name);
    put_number(r->out, v);
}

/* What a value field holds when nothing was added to it. */
static bool number_absent(enum field_type type, uint64_t v)
{
    return type == V_MIN_NS ? v == UINT64_MAX : type == V_MIN32 ? v == UINT32_MAX : v == 0;
}

void rowjson_put_value(struct rowjson_writer *r, const struct field *f, struct rowjson_name name,
                       const uint8_t *at, const struct distinct_shape *shape)
{
    uint64_t v;
    switch ((enum field_type)f->type) {
    case V_SUM:
    case V_MIN_NS:
    case V_MAX_NS:
        v = number_at(at, 8);
        if (!number_absent(f->type, v))
            put_sum(r, f, name, v);
        return;
    case V_SUM32:
    case V_MAX32:
    case V_MIN32:
        v = number_at(at, 4);
        if (!number_absent(f->type, v))
            put_sum(r, f, name, v);
        return;
    case V_BITS32:
        put_bits(r, f, name, (uint32_t)number_at(at, 4));
        return;
    case V_COUNTS32:
    case V_COUNTS:
        put_counts(r, f, name, at);
        return;
    case V_HIST:
        put_hist(r, f, name, (const struct hist *)(const void *)at);
        return;
    case V_SET8:
        put_set8(r, f, name, (const struct set8 *)(const void *)at);
        return;
    case V_SLOTS:
        put_slots(r, f, name, number_at(at, 8));
        return;
    case V_DISTINCT:
        put_distinct(r, f, name, (const struct distinct *)(const void *)at, shape);
        return;
    case V_BLOB:
        put_blob(r, f, name, (uint32_t)number_at(at, 4));
        return;
    default:
        assert(!"a value field");
    }
}
