#include "sinks/rowjson_put.h"

#include "sinks/rowjson_blob.h"

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

static inline uint64_t count_at(const uint8_t *counts, unsigned i, size_t bytes)
{
    uint32_t v32;
    uint64_t v64;
    if (bytes == sizeof v32) {
        memcpy(&v32, counts + i * bytes, sizeof v32);
        return v32;
    }
    memcpy(&v64, counts + i * bytes, sizeof v64);
    return v64;
}

static inline char *put_word(char *p, const struct rowjson_word *word)
{
    memcpy(p, word->text, sizeof word->text); /* all of it costs less than to look how much */
    return p + word->len;
}

static char *put_counts(char *p, const struct rowjson_field *f, const uint8_t *at, size_t bytes)
{
    p = put_char(p, '{');
    for (unsigned i = 0; i < f->field->n; i++) {
        uint64_t count = count_at(at, i, bytes);
        if (count == 0)
            continue;
        p = put_char(put_word(p, &f->words[i]), ':');
        p = put_char(put_number(p, count), ',');
    }
    return put_close(p, '}');
}

static char *put_bits(char *p, const struct rowjson_field *f, uint64_t bits)
{
    p = put_char(p, '[');
    for (; bits != 0; bits &= bits - 1) {
        unsigned i = (unsigned)__builtin_ctzll(bits);
        p = f->field->names != NULL ? put_word(p, &f->words[i]) : digits_u64(p, i);
        p = put_char(p, ',');
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
    struct hist_view few = window_hist_few(w, h);
    p = put_char(p, '{');
    for (int i = -HIST_MAX; b != NULL && i <= HIST_MAX; i++)
        if (b->count[i + HIST_MAX] > 0)
            p = put_bucket(p, i, b->count[i + HIST_MAX]);
    for (unsigned i = 0; i < few.n; i++)
        p = put_bucket(p, few.bucket[i], few.count[i]);
    return p[-1] == ',' ? put_close(p, '}') : put_char(p, '}');
}

static char *put_set8(char *p, struct set8_view s)
{
    p = put_text(p, "{\"values\":[");
    for (uint32_t i = 0; i < s.n; i++) {
        p = put_hex(put_char(p, '['), "", s.value[i], 4);
        p = digits_u64(put_char(p, ','), s.count[i]);
        p = put_text(p, "],");
    }
    p = s.n > 0 ? put_close(p, ']') : put_char(p, ']');
    if (s.other > 0)
        p = digits_u64(put_text(p, ",\"other\":"), s.other);
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

static char *put_distinct(struct rowjson_writer *r, char *p, const struct distinct *d,
                          const struct distinct_shape *shape)
{
    const struct distinct_block *b = window_distinct_block(r->w, d, shape);
    if (r->numbers)
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

static char *put_blob(const struct window *w, char *p, unsigned kind, uint32_t id)
{
    return rowjson_blob(p, (enum blob_kind)kind, window_string(w, id));
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

static char *put_string(struct rowjson_writer *r, char *p, uint32_t id)
{
    struct bytes s = window_string(r->w, id);
    char *room = rowjson_more(r->out, p, ROWJSON_STRING_BYTES(s.len));
    return room != NULL ? rowjson_put_string(room, s.p, s.len) : p;
}

/* ---- fields */

/* Is there nothing to tell of a field that is no number? */
static bool absent(const struct window *w, const struct field *f, const uint8_t *at,
                   const struct distinct_shape *shape)
{
    const struct distinct_block *block;
    const struct set8 *set;
    const struct hist *hist;
    switch ((enum field_type)f->type) {
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
    default:
        return false;
    }
}

/* The value of `f`: number `v`, or what lies at `at`. */
static inline char *put_value(struct rowjson_writer *r, char *p, const struct rowjson_field *f,
                              uint64_t v, const uint8_t *at, const struct distinct_shape *shape)
{
    switch ((enum field_type)f->type) {
    case F_U8:
    case F_U16:
    case F_U32:
    case F_FLAG:
    case V_SUM:
    case V_SUM32:
    case V_MIN_NS:
    case V_MAX_NS:
    case V_MIN32:
    case V_MAX32:
        return put_number(p, v);
    case F_ENUM:
        assert(v < f->field->n);
        return put_word(p, &f->words[v]);
    case F_HEX16:
        return put_hex(p, "0x", v, 2);
    case F_ID64:
        return put_hex(p, "", v, 8);
    case F_SITE:
        return rowjson_put_site(r, p, v);
    case F_STR:
        return put_string(r, p, (uint32_t)v);
    case F_CLIENT:
        return rowjson_put_client(r, p, (const struct client *)(const void *)at);
    case F_ADDR:
        return put_addr(p, at);
    case F_MAC:
        return put_mac(p, at);
    case F_BITS16:
    case V_BITS32:
        return put_bits(p, f, v);
    case V_COUNTS32:
        return put_counts(p, f, at, 4);
    case V_COUNTS:
        return put_counts(p, f, at, 8);
    case V_HIST:
        return put_hist(r->w, p, (const struct hist *)(const void *)at);
    case V_SET8:
        return put_set8(p, window_set8(r->w, (const struct set8 *)(const void *)at));
    case V_SLOTS:
        return put_slots(r->w, p, v);
    case V_DISTINCT:
        return put_distinct(r, p, (const struct distinct *)(const void *)at, shape);
    case V_BLOB:
        return put_blob(r->w, p, f->field->n, (uint32_t)v);
    case V_TALLY:
    case F_END:
        break;
    }
    assert(!"a field with a value");
    return p;
}

char *rowjson_put_group_end(struct rowjson_writer *r, char *p)
{
    if (r->group != 0)
        p = put_char(p, '}');
    r->group = 0;
    return p;
}

static char *group_begin(struct rowjson_writer *r, char *p, const struct rowjson_field *f)
{
    p = rowjson_put_group_end(r, p);
    if (f->group == 0)
        return p;
    r->group = f->group;
    p = put_text(p, p[-1] == '{' ? "\"" : ",\"");
    p = put(p, f->field->name, (size_t)(strchr(f->field->name, '.') - f->field->name));
    return put_text(p, "\":{");
}

/* `first` of its object: without the comma. */
static inline char *put_name(char *p, const struct rowjson_field *f, unsigned first)
{
    memcpy(p, f->name + first, ROWJSON_NAME_MAX);
    return p + f->len - first;
}

char *rowjson_put_member(struct rowjson_writer *r, char *p, const struct rowjson_field *f)
{
    if (f->group != r->group)
        p = group_begin(r, p, f);
    return put_name(p, f, p[-1] == '{');
}

char *rowjson_put_fields(struct rowjson_writer *r, char *p, const struct rowjson_field fields[],
                         unsigned n, const uint8_t *base, const struct distinct_shape *shape)
{
    bool begun = p[-1] != '{'; /* has the object that is open a member? */
    for (const struct rowjson_field *f = fields, *end = fields + n; f < end; f++) {
        uint64_t v;
        memcpy(&v, base + f->word, sizeof v);
        v = v >> f->shift & f->mask;
        if (v == f->absent && (f->mask != 0 || absent(r->w, f->field, base + f->at, shape)))
            continue;
        p = begun && f->group == r->group ? put_name(p, f, 0) : rowjson_put_member(r, p, f);
        p = put_value(r, p, f, v, base + f->at, shape);
        begun = true;
    }
    return p;
}

/* ---- getting ready */

/* Bytes of the number that a field of this type is; 0: it is none. */
static unsigned number_bytes(enum field_type type)
{
    switch (type) {
    case F_U8:
    case F_ENUM:
    case F_FLAG:
        return 1;
    case F_U16:
    case F_HEX16:
    case F_BITS16:
        return 2;
    case F_U32:
    case F_STR:
    case V_SUM32:
    case V_MAX32:
    case V_MIN32:
    case V_BITS32:
    case V_BLOB:
        return 4;
    case F_SITE:
    case F_ID64:
    case V_SUM:
    case V_MIN_NS:
    case V_MAX_NS:
    case V_SLOTS:
        return 8;
    default:
        return 0;
    }
}

static void field_number(struct rowjson_field *field, const struct field *f)
{
    bool little = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__;
    bool zero_is_told = f->type == F_U8 || f->type == F_U16 || f->type == F_U32
                        || (f->type == F_ENUM && f->names[0] != NULL);
    unsigned bytes = number_bytes(f->type), byte = f->at % 8;
    assert(byte + bytes <= 8);
    field->word = f->at - byte;
    field->shift = (uint8_t)(8 * (little || bytes == 0 ? byte : 8 - bytes - byte));
    field->mask = bytes > 0 ? UINT64_MAX >> (64 - 8 * bytes) : 0;
    field->absent = f->type == V_MIN_NS || f->type == V_MIN32 ? field->mask
                    : f->type == F_CLIENT || zero_is_told     ? UINT64_MAX /* never */
                                                              : 0;
}

static void field_words(struct rowjson_writer *r, struct rowjson_field *field,
                        const struct field *f)
{
    bool counts = f->type == V_COUNTS || f->type == V_COUNTS32;
    field->words = r->words + r->n_words;
    for (unsigned i = 0; i < f->n && (f->names != NULL || counts); i++) {
        struct rowjson_word *word = &r->words[r->n_words++];
        if (f->names != NULL && f->names[i] == NULL)
            continue; /* never written */
        char text[ROWJSON_NAME_MAX], *end = put_char(text, '"');
        assert(r->n_words <= ROWJSON_WORDS_MAX
               && (f->names == NULL || strlen(f->names[i]) + 2 <= sizeof word->text));
        end = f->names != NULL ? put_text(end, f->names[i]) : digits_u64(end, i);
        end = put_char(end, '"');
        word->len = (uint8_t)(end - text);
        memcpy(word->text, text, word->len);
    }
}

void rowjson_field_init(struct rowjson_writer *r, struct rowjson_field fields[], unsigned n,
                        const struct field *f)
{
    struct rowjson_field *field = &fields[n];
    const char *dot = strchr(f->name, '.'), *member = dot != NULL ? dot + 1 : f->name;
    size_t group = (size_t)(member - f->name), len = strlen(member) + strlen(",\"\":");
    assert(len <= ROWJSON_NAME_MAX && group + 4 <= ROWJSON_NAME_MAX);
    assert(dot == NULL || strchr(member, '.') == NULL); /* one level of nesting */
    *field = (struct rowjson_field){.field = f, .at = f->at, .type = f->type, .len = (uint8_t)len};
    put_text(put_text(put_text(field->name, ",\""), member), "\":");
    if (f->type == F_CLIENT) /* writes its own members */
        field->len = 0;
    if (group > 0) {
        bool goes_on = n > 0 && strncmp(fields[n - 1].field->name, f->name, group) == 0;
        field->group = goes_on ? fields[n - 1].group : (uint8_t)(n + 1);
    }
    field_number(field, f);
    field_words(r, field, f);
}

size_t rowjson_field_bytes(const struct field *f)
{
    enum { NAMES = 3 * ROWJSON_NAME_MAX, NUMBER = DIGITS_U64_MAX + 4 }; /* with its marks */
    switch ((enum field_type)f->type) {
    case F_CLIENT:
        return NAMES + ROWJSON_CLIENT_MAX;
    case F_SITE:
        return NAMES + ROWJSON_SITE_MAX;
    case V_COUNTS32:
    case V_COUNTS:
    case F_BITS16:
    case V_BITS32:
        return NAMES + (size_t)f->n * (sizeof(struct rowjson_word) + NUMBER);
    case V_HIST:
        return NAMES + (2 * HIST_MAX + 1) * 2 * NUMBER;
    case V_SET8:
        return NAMES + (SET8_MAX + 2) * 2 * NUMBER;
    case V_SLOTS:
        return NAMES + 32 * 2 * NUMBER;
    case V_DISTINCT:
        return NAMES + 2 * NUMBER + ROWJSON_DISTINCT_MAX;
    case V_BLOB:
        return NAMES + (f->n == BLOB_CERT ? ROWJSON_CERT_MAX : ROWJSON_OFFER_MAX);
    default:
        return NAMES + ADDR_TEXT_MAX;
    }
}
