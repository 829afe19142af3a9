#include "sinks/rowjson_put.h"

#include "sinks/rowjson_offer.h"

#include <assert.h>

/* ---- values in the row: what they hold when they are absent, and their text */

static inline bool all_zero(const uint8_t *p, size_t n)
{
    uint64_t any = 0, v;
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        memcpy(&v, p + i, 8);
        any |= v;
    }
    for (; i < n; i++)
        any |= p[i];
    return any == 0;
}

static inline uint16_t u16_at(const uint8_t *p)
{
    uint16_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline uint32_t u32_at(const uint8_t *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline uint64_t u64_at(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline uint64_t count_at(const struct field *f, const uint8_t *at, unsigned i)
{
    return f->type == V_COUNTS32 ? u32_at(at + 4 * (size_t)i) : u64_at(at + 8 * (size_t)i);
}

/* The name of number `i`, as a string. */
static inline char *put_name(char *p, const struct field *f, unsigned i)
{
    p = put_char(p, '"');
    p = f->names != NULL ? put_text(p, f->names[i]) : digits_u64(p, i);
    return put_char(p, '"');
}

static char *put_counts(char *p, const struct field *f, const uint8_t *at)
{
    p = put_char(p, '{');
    for (unsigned i = 0; i < f->n; i++) {
        uint64_t count = count_at(f, at, i);
        if (count == 0)
            continue;
        p = put_char(put_name(p, f, i), ':');
        p = put_char(put_number(p, count), ',');
    }
    return put_close(p, '}');
}

static char *put_bits(char *p, const struct field *f, uint32_t bits)
{
    p = put_char(p, '[');
    for (; bits != 0; bits &= bits - 1) {
        unsigned i = (unsigned)__builtin_ctz(bits);
        p = put_char(f->names != NULL ? put_name(p, f, i) : digits_u64(p, i), ',');
    }
    return put_close(p, ']');
}

static char *put_bucket(char *p, int bucket, uint32_t count)
{
    p = put_text(p, bucket < 0 ? "\"-" : "\"");
    p = digits_u64(p, (uint64_t)(bucket < 0 ? -bucket : bucket));
    p = digits_u64(put_text(p, "\":"), count);
    return put_char(p, ',');
}

static char *put_hist(const struct window *w, char *p, const struct hist *h)
{
    const struct hist_block *b = window_hist_block(w, h);
    p = put_char(p, '{');
    for (int i = -HIST_MAX; b != NULL && i <= HIST_MAX; i++)
        if (b->count[i + HIST_MAX] > 0)
            p = put_bucket(p, i, b->count[i + HIST_MAX]);
    for (int i = 0; b == NULL && i < h->n; i++)
        p = put_bucket(p, h->bucket[i], h->count[i]);
    return p[-1] == ',' ? put_close(p, '}') : put_char(p, '}');
}

static char *put_set8(char *p, const struct set8 *s)
{
    p = put_text(p, "{\"values\":[");
    for (int i = 0; i < s->n; i++) {
        p = put_hex(put_char(p, '['), "", s->value[i], 4);
        p = digits_u64(put_char(p, ','), s->count[i]);
        p = put_text(p, "],");
    }
    p = s->n > 0 ? put_close(p, ']') : put_char(p, ']');
    if (s->other > 0)
        p = digits_u64(put_text(p, ",\"other\":"), s->other);
    return put_char(p, '}');
}

static char *put_slots(const struct window *w, char *p, uint64_t slots)
{
    uint64_t length_s = window_length_s(w), slot_s = slot_seconds(length_s);
    p = put_char(p, '[');
    for (unsigned i = 0; i < 64 && slots >> i != 0; i++) {
        if ((slots >> i & 1) == 0)
            continue;
        unsigned end = i;
        while (end < 64 && slots >> end & 1)
            end++;
        p = digits_u64(put_char(p, '['), i * slot_s);
        p = digits_u64(put_char(p, ','), end * slot_s < length_s ? end * slot_s : length_s);
        p = put_text(p, "],");
        i = end;
    }
    return put_close(p, ']');
}

/* One digit a register, four or more zeros as "(n)". */
static char *put_registers(char *p, const uint8_t reg[], size_t n)
{
    static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_";
    for (size_t i = 0; i < n;) {
        size_t run = i;
        while (run < n && reg[run] == 0)
            run++;
        if (run - i >= 4) {
            p = put_char(digits_u64(put_char(p, '('), run - i), ')');
            i = run;
            continue;
        }
        p = put_char(p, digits[reg[i++] & 63]);
    }
    return p;
}

static char *put_distinct(char *p, const struct distinct_block *b,
                          const struct distinct_shape *shape, bool number)
{
    if (number)
        return put_number(p, distinct_count(shape, b));
    p = put_number(put_text(p, "{\"count\":"), distinct_count(shape, b));
    if (b->n == UINT32_MAX) {
        p = put_registers(put_text(p, ",\"hll\":\""), b->reg, (size_t)1 << shape->p);
        return put_text(p, "\"}");
    }
    p = put_text(p, ",\"exact\":[");
    for (uint32_t i = 0; i < b->n; i++)
        p = put_char(put_hex(p, "", b->hash[i], 8), ',');
    return put_char(put_close(p, ']'), '}');
}

static char *put_blob(const struct window *w, char *p, uint32_t id)
{
    struct bytes blob = window_string(w, id);
    struct offer o;
    return offer_read(blob.p, blob.len, &o) ? rowjson_offer(p, &o) : put_text(p, "{}");
}

static char *put_addr(char *p, const uint8_t *at)
{
    struct addr a;
    memcpy(a.b, at, sizeof a.b);
    p = put_char(p, '"');
    return put_char(p + addr_text(&a, p), '"');
}

static char *put_mac(char *p, const uint8_t *at)
{
    p = put_char(p, '"');
    return put_char(p + mac_text(at, p), '"');
}

static char *put_str(struct rowjson_writer *r, char *p, struct bytes s)
{
    char *room = rowjson_more(r->out, p, ROWJSON_STRING_BYTES(s.len));
    return room != NULL ? rowjson_put_string(room, s.p, s.len) : p;
}

/* ---- fields */

static inline bool absent(const struct window *w, const struct field *f, const uint8_t *at,
                          const struct distinct_shape *shape)
{
    const struct distinct_block *block;
    const struct set8 *set;
    const struct hist *hist;
    switch ((enum field_type)f->type) {
    case V_SUM:
    case V_MAX_NS:
    case V_SLOTS:
    case F_ID64:
    case F_SITE:
        return u64_at(at) == 0;
    case V_SUM32:
    case V_MAX32:
    case V_BITS32:
    case V_BLOB:
    case F_STR:
        return u32_at(at) == 0;
    case V_MIN_NS:
        return u64_at(at) == UINT64_MAX;
    case V_MIN32:
        return u32_at(at) == UINT32_MAX;
    case V_COUNTS32:
        return all_zero(at, 4 * (size_t)f->n);
    case V_COUNTS:
        return all_zero(at, 8 * (size_t)f->n);
    case V_HIST:
        hist = (const struct hist *)(const void *)at;
        return hist->n == 0 && hist->block == 0;
    case V_SET8:
        set = (const struct set8 *)(const void *)at;
        return set->n == 0 && set->other == 0;
    case V_DISTINCT:
        block = window_distinct_block(w, (const struct distinct *)(const void *)at, shape);
        return block == NULL || block->n == 0;
    case F_ADDR:
        return all_zero(at, 16);
    case F_MAC:
        return all_zero(at, 6);
    case F_HEX16:
        return u16_at(at) == 0;
    case F_FLAG:
        return *at == 0;
    default: /* F_ENUM, F_U8, F_U16, F_U32: 0 is written */
        return false;
    }
}

static inline char *put_value(struct rowjson_writer *r, char *p, const struct field *f,
                              const uint8_t *at, const struct distinct_shape *shape)
{
    switch ((enum field_type)f->type) {
    case V_SUM:
    case V_MIN_NS:
    case V_MAX_NS:
        return put_number(p, u64_at(at));
    case V_SUM32:
    case V_MAX32:
    case V_MIN32:
    case F_U32:
        return digits_u64(p, u32_at(at));
    case F_U16:
        return digits_u64(p, u16_at(at));
    case F_U8:
    case F_FLAG:
        return digits_u64(p, *at);
    case V_BITS32:
        return put_bits(p, f, u32_at(at));
    case V_COUNTS32:
    case V_COUNTS:
        return put_counts(p, f, at);
    case V_HIST:
        return put_hist(r->w, p, (const struct hist *)(const void *)at);
    case V_SET8:
        return put_set8(p, (const struct set8 *)(const void *)at);
    case V_SLOTS:
        return put_slots(r->w, p, u64_at(at));
    case V_DISTINCT:
        return put_distinct(
            p, window_distinct_block(r->w, (const struct distinct *)(const void *)at, shape), shape,
            r->numbers);
    case V_BLOB:
        return put_blob(r->w, p, u32_at(at));
    case F_ENUM:
        assert(*at < f->n);
        return put_name(p, f, *at);
    case F_ADDR:
        return put_addr(p, at);
    case F_MAC:
        return put_mac(p, at);
    case F_HEX16:
        return put_hex(p, "0x", u16_at(at), 2);
    case F_ID64:
        return put_hex(p, "", u64_at(at), 8);
    case F_STR:
        return put_str(r, p, window_string(r->w, u32_at(at)));
    case F_SITE:
        return rowjson_put_site(r, p, u64_at(at));
    default:
        assert(!"a field with a value");
        return p;
    }
}

char *rowjson_put_field(struct rowjson_writer *r, char *p, const struct field *f,
                        const struct rowjson_name *name, const uint8_t *at,
                        const struct distinct_shape *shape)
{
    if (absent(r->w, f, at, shape))
        return p;
    return put_value(r, rowjson_member(r, p, f, name), f, at, shape);
}

size_t rowjson_field_bytes(const struct field *f)
{
    enum { NAMES = 2 * ROWJSON_NAME_MAX, NUMBER = DIGITS_U64_MAX + 4 }; /* with its marks */
    size_t words = 0;
    switch ((enum field_type)f->type) {
    case F_CLIENT:
        return ROWJSON_CLIENT_MAX;
    case F_SITE:
        return NAMES + ROWJSON_SITE_MAX;
    case V_COUNTS32:
    case V_COUNTS:
    case V_BITS32:
        for (unsigned i = 0; f->names != NULL && i < f->n; i++)
            words += strlen(f->names[i]);
        return NAMES + words + (size_t)f->n * 2 * NUMBER;
    case V_HIST:
        return NAMES + (2 * HIST_MAX + 1) * 2 * NUMBER;
    case V_SET8:
        return NAMES + (SET8_MAX + 2) * 2 * NUMBER;
    case V_SLOTS:
        return NAMES + 32 * 2 * NUMBER;
    case V_DISTINCT:
        return NAMES + 2 * NUMBER + ROWJSON_DISTINCT_MAX;
    case V_BLOB:
        return NAMES + ROWJSON_OFFER_MAX;
    default:
        return NAMES + ADDR_TEXT_MAX;
    }
}
