/* Rows in canonical order: keys as row_types[] lists them, numbers ascending, addresses and strings
 * by bytes.
 *
 * A key is a sequence of 64-bit words whose order as numbers is the key's own. Rows are sorted by
 * one word at a time, from the first on: what is the same in all rows costs a look at each, and
 * only rows that tie meet again at the next word. */
#include "summary/tables.h"

#include <assert.h>
#include <stdlib.h>

/* ---- a key as words */

/* How a word is read: as a number of the machine, as eight bytes, as six, or as a part of a string.
 */
enum word { WORD_U8, WORD_U16, WORD_U32, WORD_U64, WORD_BYTES, WORD_MAC, WORD_STRING };

/* One step of all keys: a word each, but for a string, which takes as many as it is long. */
struct step {
    uint16_t at; /* in the row */
    uint8_t word;
    bool last; /* no word: keys end here */
};
enum { STEPS_MAX = 32 };

static struct step *step_add(struct step *s, const struct field *f, size_t offset, enum word word)
{
    *s = (struct step){.at = (uint16_t)(f->at + offset), .word = (uint8_t)word};
    return s + 1;
}

static struct step *steps_of(struct step *s, const struct field *f)
{
    switch ((enum field_type)f->type) {
    case F_CLIENT:
        s = step_add(s, f, offsetof(struct client, site), WORD_U64);
        s = step_add(s, f, offsetof(struct client, kind), WORD_BYTES); /* with `by`, zeros behind */
        s = step_add(s, f, offsetof(struct client, id), WORD_BYTES);
        return step_add(s, f, offsetof(struct client, id) + 8, WORD_BYTES);
    case F_ADDR:
        s = step_add(s, f, 0, WORD_BYTES);
        return step_add(s, f, 8, WORD_BYTES);
    case F_MAC:
        return step_add(s, f, 0, WORD_MAC);
    case F_STR:
        return step_add(s, f, 0, WORD_STRING);
    case F_SITE:
    case F_ID64:
        return step_add(s, f, 0, WORD_U64);
    case F_U32:
        return step_add(s, f, 0, WORD_U32);
    case F_U16:
    case F_HEX16:
    case F_BITS16:
        return step_add(s, f, 0, WORD_U16);
    default: /* F_U8, F_ENUM, F_FLAG */
        return step_add(s, f, 0, WORD_U8);
    }
}

static uint64_t big_endian(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? __builtin_bswap64(v) : v;
}

/* Seven bytes, then how many of them are the string's, or that more follow: so "a" comes before
 * "a\0". */
enum { STRING_STEP = 7, STRING_GOES_ON = STRING_STEP + 1 };

static uint64_t string_word(const struct window *w, uint32_t id, uint32_t n)
{
    struct bytes s = window_string(w, id);
    size_t at = (size_t)n * STRING_STEP;
    size_t left = s.len > at ? s.len - at : 0;
    uint8_t word[8] = {0};
    if (left > 0)
        memcpy(word, s.p + at, left < STRING_STEP ? left : STRING_STEP);
    word[STRING_STEP] = (uint8_t)(left < STRING_GOES_ON ? left : STRING_GOES_ON);
    return big_endian(word);
}

static inline uint64_t word_at(const struct window *w, const uint8_t *at, enum word word,
                               uint32_t n)
{
    uint8_t mac[8] = {0};
    uint16_t v16;
    uint32_t v32;
    uint64_t v64;
    switch (word) {
    case WORD_U8:
        return *at;
    case WORD_U16:
        memcpy(&v16, at, sizeof v16);
        return v16;
    case WORD_U32:
        memcpy(&v32, at, sizeof v32);
        return v32;
    case WORD_U64:
        memcpy(&v64, at, sizeof v64);
        return v64;
    case WORD_BYTES:
        return big_endian(at);
    case WORD_MAC:
        memcpy(mac, at, 6);
        return big_endian(mac);
    case WORD_STRING:
        memcpy(&v32, at, sizeof v32);
        return string_word(w, v32, n);
    }
    return 0;
}

/* ---- sorting */

/* Rows being sorted: words[i] is the present word of row number rows[i]. */
struct ordering {
    const struct window *w;
    const struct rowtab *tab;
    uint64_t *words;
    uint32_t *rows;
};

/* Reads the words of [from, to), the n-th of a string; returns the bits in which they differ. */
static inline uint64_t fill(struct ordering *o, uint32_t from, uint32_t to, uint16_t at,
                            enum word word, uint32_t n)
{
    enum { AHEAD = 12 };
    uint64_t differ = 0;
    for (uint32_t i = from; i < to; i++) {
        const uint8_t *row = rowtab_at(o->tab, o->rows[i]);
        if (i + AHEAD < to)
            __builtin_prefetch((const uint8_t *)rowtab_at(o->tab, o->rows[i + AHEAD]) + at);
        o->words[i] = word_at(o->w, row + at, word, n);
        differ |= o->words[i] ^ o->words[from];
    }
    return differ;
}

/* The same: a loop of its own for what is read most. */
static uint64_t words_fill(struct ordering *o, uint32_t from, uint32_t to, struct step s,
                           uint32_t n)
{
    return s.word == WORD_BYTES ? fill(o, from, to, s.at, WORD_BYTES, n)
           : s.word == WORD_U64 ? fill(o, from, to, s.at, WORD_U64, n)
           : s.word == WORD_U8  ? fill(o, from, to, s.at, WORD_U8, n)
                                : fill(o, from, to, s.at, (enum word)s.word, n);
}

static void swap_out(struct ordering *o, uint32_t at, uint64_t *word, uint32_t *row)
{
    uint64_t other_word = o->words[at];
    uint32_t other_row = o->rows[at];
    o->words[at] = *word;
    o->rows[at] = *row;
    *word = other_word;
    *row = other_row;
}

static void insertion_sort(struct ordering *o, uint32_t from, uint32_t to)
{
    for (uint32_t i = from + 1; i < to; i++) {
        uint64_t word = o->words[i];
        uint32_t row = o->rows[i], at = i;
        for (; at > from && o->words[at - 1] > word; at--) {
            o->words[at] = o->words[at - 1];
            o->rows[at] = o->rows[at - 1];
        }
        o->words[at] = word;
        o->rows[at] = row;
    }
}

static inline uint32_t digit_of(uint64_t word, unsigned shift, uint32_t digits)
{
    return (uint32_t)(word >> shift) & (digits - 1); /* a power of two */
}

/* Sorts [from, to) by word, in place: by the highest bits in which the words differ, then each part
 * again. */
enum { FEW = 16, DIGITS_MAX = 256 };
static void radix_sort(struct ordering *o, uint32_t from, uint32_t to)
{
    uint32_t next[DIGITS_MAX],
        end[DIGITS_MAX]; /* where the next row of a digit goes; where they end */
    uint64_t differ = 0;
    if (to - from <= FEW) {
        insertion_sort(o, from, to);
        return;
    }
    for (uint32_t i = from; i < to; i++)
        differ |= o->words[i] ^ o->words[from];
    if (differ == 0)
        return;
    uint32_t digits = FEW;
    while (digits < DIGITS_MAX && digits < (to - from) / 4)
        digits *= 2;
    unsigned top = 64 - (unsigned)__builtin_clzll(differ), bits = (unsigned)__builtin_ctz(digits);
    unsigned shift = top > bits ? top - bits : 0;
    memset(end, 0, digits * sizeof *end);
    for (uint32_t i = from; i < to; i++)
        end[digit_of(o->words[i], shift, digits)]++;
    for (uint32_t digit = 0, at = from; digit < digits; digit++) {
        next[digit] = at;
        at = end[digit] += at;
    }
    for (uint32_t digit = 0; digit < digits; digit++)
        for (; next[digit] < end[digit]; next[digit]++) {
            uint64_t word = o->words[next[digit]];
            uint32_t row = o->rows[next[digit]];
            uint32_t d = digit_of(word, shift, digits);
            for (; d != digit; d = digit_of(word, shift, digits))
                swap_out(o, next[d]++, &word, &row);
            o->words[next[digit]] = word;
            o->rows[next[digit]] = row;
        }
    for (uint32_t digit = 0, at = from; shift > 0 && digit < digits; at = end[digit++])
        if (end[digit] - at > 1)
            radix_sort(o, at, end[digit]);
}

/* Where keys go on after word `n` of step `s`, which was `word`: moves both. */
static void step_next(const struct step **s, uint32_t *n, uint64_t word)
{
    bool more = (*s)->word == WORD_STRING && (word & 255) == STRING_GOES_ON;
    *n = more ? *n + 1 : 0;
    *s += !more;
}

/* Sorts the rows [from, to), whose keys are the same before word `n` of step `s`. Recursion is as
 * deep as keys have words. */
static void order(struct ordering *o, uint32_t from, uint32_t to, const struct step *s, uint32_t n)
{
    while (!s->last && words_fill(o, from, to, *s, n) == 0)
        step_next(&s, &n, o->words[from]);
    if (s->last)
        return;
    radix_sort(o, from, to);
    for (uint32_t start = from, i; start < to; start = i) {
        const struct step *then = s;
        uint32_t then_n = n;
        for (i = start + 1; i < to && o->words[i] == o->words[start]; i++)
            ;
        if (i - start == 1)
            continue;
        step_next(&then, &then_n, o->words[start]);
        order(o, start, i, then, then_n);
    }
}

/* ---- rows of which only so many are kept of one kind: names of an address, values of a server */

static bool same_group(enum row_kind kind, const void *x, const void *y)
{
    if (kind == ROW_BINDING) {
        const struct row_binding *a = x, *b = y;
        return a->key.kind == BIND_DNS && b->key.kind == BIND_DNS
               && a->key.client.site == b->key.client.site
               && addr_equal(&a->key.addr, &b->key.addr);
    }
    const struct row_reuse *a = x, *b = y;
    return a->key.site == b->key.site && addr_equal(&a->key.server, &b->key.server)
           && a->key.port == b->key.port && a->key.what == b->key.what;
}

static size_t group_max(enum row_kind kind)
{
    return kind == ROW_BINDING ? BINDING_NAMES : kind == ROW_REUSE ? REUSE_VALUES : SIZE_MAX;
}

/* Was it cut before? */
static bool is_cut(enum row_kind kind, const void *row)
{
    const struct row_binding *b = row;
    return kind == ROW_BINDING ? b->count == 0 && b->key.kind != BIND_MAC
                               : ((const struct row_reuse *)row)->count == 0;
}

/* Of a group, [from, to) of the sorted rows, those with a larger hash join the `other` row and
 * count no more. */
static void group_cut(struct window *w, enum row_kind kind, size_t from, size_t to)
{
    uint64_t least[REUSE_VALUES];
    size_t n = 0, max = group_max(kind);
    for (size_t i = from; i < to; i++) {
        uint64_t hash = row_hash(w, kind, row_number(w, kind, w->sorted[i]));
        size_t at = n < max ? n++ : max - 1;
        if (i >= from + max && hash >= least[at])
            continue;
        for (; at > 0 && least[at - 1] > hash; at--)
            least[at] = least[at - 1];
        least[at] = hash;
    }
    const struct row_type *type = &row_types[kind];
    for (size_t i = from; i < to; i++) {
        void *row = w->sorted[i];
        if (row_hash(w, kind, row_number(w, kind, row)) <= least[n - 1])
            continue;
        window_row_add(w, kind, window_other_make(w, kind), w, row);
        row_blocks_give(w, kind, row);
        size_t values = (size_t)type->key_at + type->key_len;
        memcpy((uint8_t *)row + values, w->zero[kind] + values, type->size - values);
        w->sorted[i] = NULL;
    }
}

/* A row that was cut stays in its table, empty, and is passed over here. */
static size_t groups_cut(struct window *w, enum row_kind kind, size_t n)
{
    for (size_t from = 0, to; from < n; from = to) {
        for (to = from + 1; to < n && same_group(kind, w->sorted[from], w->sorted[to]); to++)
            ;
        if (to - from > group_max(kind))
            group_cut(w, kind, from, to);
    }
    size_t kept = 0;
    for (size_t i = 0; i < n; i++)
        if (w->sorted[i] != NULL && !is_cut(kind, w->sorted[i]))
            w->sorted[kept++] = w->sorted[i];
    return kept;
}

/* Words, then row numbers: 12 bytes a row. The pointers that the caller gets take the place of the
 * words. */
static bool room_for(struct window *w, size_t n)
{
    if (n <= w->sorted_cap)
        return true;
    void *p = realloc(w->sorted, n * (sizeof(uint64_t) + sizeof(uint32_t)));
    if (p == NULL)
        return false;
    w->sorted = p;
    w->sorted_cap = n;
    return true;
}

void *const *window_rows(struct window *w, enum row_kind kind, size_t *n)
{
    window_settle(w);
    static_assert(sizeof(void *) <= sizeof(uint64_t), "a pointer takes the place of a word");
    struct rowtab *t = &w->tabs[kind];
    *n = 0;
    if (t->n == 0 || !room_for(w, t->n))
        return w->sorted;
    struct ordering o = {.w = w, .tab = t, .words = (uint64_t *)w->sorted};
    o.rows = (uint32_t *)(o.words + w->sorted_cap);
    for (uint32_t i = 0; i < t->n; i++)
        o.rows[i] = i;
    struct step steps[STEPS_MAX], *s = steps;
    for (const struct field *f = row_types[kind].keys; f->type != F_END; f++)
        s = steps_of(s, f);
    assert(s < steps + STEPS_MAX);
    s->last = true;
    if (t->n > 1)
        order(&o, 0, t->n, steps, 0);
    for (uint32_t i = 0; i < t->n; i++)
        w->sorted[i] = rowtab_at(t, o.rows[i]);
    *n = group_max(kind) != SIZE_MAX ? groups_cut(w, kind, t->n) : t->n;
    return w->sorted;
}
