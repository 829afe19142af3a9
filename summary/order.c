/* Rows in canonical order: keys as row_types[] lists them, numbers ascending, addresses and strings
 * by bytes.
 *
 * A key is read as a few words of 64 bits, whose order as numbers is the key's own. Of each field
 * they hold only the bits in which the rows of this table differ: so most keys fit into one or two.
 * Rows are sorted by one word at a time, from the first on; only rows that tie meet again at the
 * next word. */
#include "summary/tables.h"

#include <assert.h>
#include <limits.h>
#include <stdlib.h>

/* ---- a key as words */

/* Bits of a field: ((the eight bytes of the row at `at`, first byte highest where `by_bytes`)
 * >> shift) & mask, which lie in the word << up. */
struct part {
    uint16_t at;
    bool by_bytes;
    uint8_t shift, up;
    uint64_t mask;
};

enum { FIELDS_MAX = 32, PARTS_MAX = 2 * FIELDS_MAX };

/* A word: parts, or of the string whose id is at `string`, so many words as it is long. */
struct step {
    uint8_t n; /* parts, from `first` on; 0: a string */
    uint8_t first;
    uint16_t string; /* where its id is in the row */
    bool last;       /* no word: keys end here */
};

struct plan {
    struct part parts[PARTS_MAX];
    struct step steps[PARTS_MAX + 1];
    unsigned n_parts, n, room; /* room: bits left in the last step */
    unsigned group;            /* rows that tie before this step are a group: see group_max */
};

static inline uint64_t native_at(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline uint64_t big_endian(const uint8_t *p)
{
    uint64_t v = native_at(p);
    return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? __builtin_bswap64(v) : v;
}

static inline uint64_t part_of(const struct part *p, const uint8_t *row)
{
    uint64_t v = p->by_bytes ? big_endian(row + p->at) : native_at(row + p->at);
    return v >> p->shift & p->mask;
}

/* Adds the bits of `p` that are set in `differ`, which says of each byte of a row in which bits the
 * rows differ: those from the lowest to the highest. */
static void plan_part(struct plan *plan, struct part p, const uint8_t *differ)
{
    uint64_t bits = part_of(&p, differ);
    if (bits == 0)
        return;
    unsigned low = (unsigned)__builtin_ctzll(bits), n = 64 - (unsigned)__builtin_clzll(bits) - low;
    while (n > 0) {
        if (plan->room == 0) {
            plan->steps[plan->n++] = (struct step){.first = (uint8_t)plan->n_parts};
            plan->room = 64;
        }
        unsigned take = n < plan->room ? n : plan->room;
        n -= take;
        plan->room -= take;
        assert(plan->n_parts < PARTS_MAX);
        struct part *to = &plan->parts[plan->n_parts++];
        *to = p;
        to->shift = (uint8_t)(p.shift + low + n);
        to->mask = UINT64_MAX >> (64 - take);
        to->up = (uint8_t)plan->room;
        plan->steps[plan->n - 1].n++;
    }
}

/* `n` bytes in their order. */
static void plan_bytes(struct plan *plan, size_t at, unsigned n, const uint8_t *differ)
{
    plan_part(plan,
              (struct part){.at = (uint16_t)at,
                            .by_bytes = true,
                            .shift = (uint8_t)(64 - 8 * n),
                            .mask = UINT64_MAX >> (64 - 8 * n)},
              differ);
}

/* A number of the machine, of `n` bytes: fields do not cross eight bytes. */
static void plan_number(struct plan *plan, size_t at, unsigned n, const uint8_t *differ)
{
    bool little = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__;
    unsigned byte = at % 8;
    assert(byte + n <= 8);
    plan_part(plan,
              (struct part){.at = (uint16_t)(at - byte),
                            .shift = (uint8_t)(8 * (little ? byte : 8 - n - byte)),
                            .mask = UINT64_MAX >> (64 - 8 * n)},
              differ);
}

static void plan_field(struct plan *plan, const struct field *f, const uint8_t *differ)
{
    uint32_t ids;
    switch ((enum field_type)f->type) {
    case F_CLIENT:
        plan_number(plan, f->at + offsetof(struct client, site), 8, differ);
        plan_bytes(plan, f->at + offsetof(struct client, kind), 8, differ); /* `by`, zeros behind */
        plan_bytes(plan, f->at + offsetof(struct client, id), 8, differ);
        plan_bytes(plan, f->at + offsetof(struct client, id) + 8, 8, differ);
        return;
    case F_ADDR:
        plan_bytes(plan, f->at, 8, differ);
        plan_bytes(plan, f->at + 8u, 8, differ);
        return;
    case F_MAC:
        plan_bytes(plan, f->at, 6, differ);
        return;
    case F_STR:
        memcpy(&ids, differ + f->at, sizeof ids);
        if (ids != 0)
            plan->steps[plan->n++] = (struct step){.string = f->at};
        plan->room = ids != 0 ? 0 : plan->room;
        return;
    case F_SITE:
    case F_ID64:
        plan_number(plan, f->at, 8, differ);
        return;
    case F_U32:
        plan_number(plan, f->at, 4, differ);
        return;
    case F_U16:
    case F_HEX16:
    case F_BITS16:
        plan_number(plan, f->at, 2, differ);
        return;
    default: /* F_U8, F_ENUM, F_FLAG */
        plan_number(plan, f->at, 1, differ);
    }
}

/* How to read the keys of the rows in `t`, of which the first `group` fields tell the group. */
static void plan_new(struct plan *plan, const struct rowtab *t, const struct row_type *type,
                     unsigned group)
{
    enum { KEY_WORDS = 32 };
    uint64_t differ[KEY_WORDS] = {0}; /* of a row up to the end of its key */
    size_t n = ((size_t)type->key_at + type->key_len + 7) / 8;
    assert(type->key_at == 0 && n <= KEY_WORDS && n * 8 <= t->row_size);
    for (uint32_t i = 1; i < t->n; i++) {
        const uint8_t *row = rowtab_at(t, i), *first = t->rows;
        for (size_t k = 0; k < n; k++)
            differ[k] |= native_at(row + 8 * k) ^ native_at(first + 8 * k);
    }
    plan->n_parts = plan->n = plan->room = 0;
    plan->group = UINT_MAX;
    for (const struct field *f = type->keys; f->type != F_END; f++) {
        if (f == type->keys + group) {
            plan->group = plan->n;
            plan->room = 0;
        }
        plan_field(plan, f, (const uint8_t *)differ);
    }
    plan->steps[plan->n].last = true;
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

/* ---- sorting */

/* Rows being sorted: words[i] is the present word of row number rows[i]. */
struct ordering {
    struct window *w;
    enum row_kind kind;
    const struct rowtab *tab;
    const struct plan *plan;
    uint64_t *words;
    uint32_t *rows;
};

enum { ROWS_AHEAD = 12 }; /* sorted, rows lie anywhere */

/* Reads word `n` of the strings of the rows [from, to); returns the bits in which they differ. */
static uint64_t strings_fill(struct ordering *o, uint32_t from, uint32_t to, uint16_t at,
                             uint32_t n)
{
    uint64_t differ = 0;
    for (uint32_t i = from; i < to; i++) {
        uint32_t id;
        memcpy(&id, (const uint8_t *)rowtab_at(o->tab, o->rows[i]) + at, sizeof id);
        strings_prefetch_at(&o->w->strings, id);
        o->words[i] = id;
    }
    for (uint32_t i = from; i < to; i++) {
        o->words[i] = string_word(o->w, (uint32_t)o->words[i], n);
        differ |= o->words[i] ^ o->words[from];
    }
    return differ;
}

/* The same of word `s`. */
static uint64_t words_fill(struct ordering *o, uint32_t from, uint32_t to, const struct step *s,
                           uint32_t n)
{
    const struct part *parts = o->plan->parts + s->first;
    uint64_t differ = 0;
    if (s->n == 0)
        return strings_fill(o, from, to, s->string, n);
    for (uint32_t i = from; i < to; i++) {
        const uint8_t *row = rowtab_at(o->tab, o->rows[i]);
        uint64_t word = 0;
        if (i + ROWS_AHEAD < to)
            __builtin_prefetch((const uint8_t *)rowtab_at(o->tab, o->rows[i + ROWS_AHEAD])
                               + parts->at);
        for (unsigned k = 0; k < s->n; k++)
            word |= part_of(&parts[k], row) << parts[k].up;
        o->words[i] = word;
        differ |= word ^ o->words[from];
    }
    return differ;
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

/* ---- groups: rows of which only so many are kept, names of an address or values of a server */

/* Fields of a key that tell the group; 0: there are none. */
static unsigned group_fields(enum row_kind kind)
{
    return kind == ROW_BINDING ? 3 : kind == ROW_REUSE ? 4 : 0;
}

static uint32_t group_max(enum row_kind kind, const void *row)
{
    const struct row_binding *b = row;
    if (kind == ROW_BINDING)
        return b->key.kind == BIND_DNS ? BINDING_NAMES : UINT32_MAX;
    return kind == ROW_REUSE ? REUSE_VALUES : UINT32_MAX;
}

/* Was it cut before? */
static bool is_cut(enum row_kind kind, const void *row)
{
    const struct row_binding *b = row;
    const struct row_reuse *r = row;
    return kind == ROW_BINDING ? b->count == 0 && b->key.kind != BIND_MAC
                               : kind == ROW_REUSE && r->count == 0;
}

/* Joins the `other` row and counts no more; the row stays in its table, empty. */
static void row_cut(struct window *w, enum row_kind kind, uint8_t *row)
{
    const struct row_type *type = &row_types[kind];
    size_t values = (size_t)type->key_at + type->key_len;
    window_row_add(w, kind, window_other_make(w, kind), w, row);
    row_blocks_give(w, kind, row);
    memcpy(row + values, w->zero[kind] + values, type->size - values);
}

/* Where the hash of each row of [from, to) is in `words`: moves those with the smallest to the
 * front, at most `max`, and cuts the others. Returns the end of those kept. */
static uint32_t hashes_cut(struct ordering *o, uint32_t from, uint32_t to, uint32_t max)
{
    uint64_t least[REUSE_VALUES];
    uint32_t n = 0, kept = from;
    for (uint32_t i = from; i < to; i++) {
        uint32_t at = n < max ? n++ : max - 1;
        if (i >= from + max && o->words[i] >= least[at])
            continue;
        for (; at > 0 && least[at - 1] > o->words[i]; at--)
            least[at] = least[at - 1];
        least[at] = o->words[i];
    }
    for (uint32_t i = from; i < to; i++)
        if (o->words[i] > least[n - 1])
            row_cut(o->w, o->kind, rowtab_at(o->tab, o->rows[i]));
        else
            o->rows[kept++] = o->rows[i];
    return kept;
}

/* Of a group, [from, to), keeps no more than it may have; the places left are GONE. Returns the
 * end of those kept. */
#define GONE UINT32_MAX
static uint32_t group_cut(struct ordering *o, uint32_t from, uint32_t to)
{
    uint32_t max = group_max(o->kind, rowtab_at(o->tab, o->rows[from]));
    if (to - from <= max)
        return to;
    for (uint32_t i = from; o->kind == ROW_BINDING && i < to; i++) {
        const struct row_binding *b = rowtab_at(o->tab, o->rows[i]);
        strings_prefetch_at(&o->w->strings, b->key.value);
        __builtin_prefetch(&b->count); /* and of what is cut */
        __builtin_prefetch(&b->resolvers);
    }
    for (uint32_t i = from; i < to; i++) {
        const struct row_binding *b = rowtab_at(o->tab, o->rows[i]);
        o->words[i] = row_hash(o->w, o->kind, o->rows[i]);
        if (o->kind == ROW_BINDING && b->clients.block != 0)
            __builtin_prefetch(pool_at(&o->w->sets, b->clients.block));
    }
    uint32_t kept = hashes_cut(o, from, to, max);
    for (uint32_t i = kept; i < to; i++)
        o->rows[i] = GONE;
    return kept;
}

/* ---- the order */

/* Where keys go on after word `n` of step `s`, which was `word`: moves both. */
static void step_next(const struct step **s, uint32_t *n, uint64_t word)
{
    bool more = (*s)->n == 0 && (word & 255) == STRING_GOES_ON;
    *n = more ? *n + 1 : 0;
    *s += !more;
}

/* Sorts the rows [from, to), whose keys are the same before word `n` of step `s`. Recursion is as
 * deep as keys have words. */
static void order(struct ordering *o, uint32_t from, uint32_t to, const struct step *s, uint32_t n)
{
    for (;; step_next(&s, &n, o->words[from])) {
        if ((unsigned)(s - o->plan->steps) == o->plan->group && n == 0)
            to = group_cut(o, from, to);
        if (s->last || to - from == 1)
            return;
        if (words_fill(o, from, to, s, n) != 0)
            break;
    }
    radix_sort(o, from, to);
    size_t at =
        s->n > 0 && !s[1].last ? s[1].n > 0 ? o->plan->parts[s[1].first].at : s[1].string : 0;
    for (uint32_t start = from, ahead = from, i; start < to; start = i) {
        const struct step *then = s;
        uint32_t then_n = n;
        for (; ahead < to && ahead < start + ROWS_AHEAD; ahead++)
            __builtin_prefetch((const uint8_t *)rowtab_at(o->tab, o->rows[ahead]) + at);
        for (i = start + 1; i < to && o->words[i] == o->words[start]; i++)
            ;
        if (i - start == 1)
            continue;
        step_next(&then, &then_n, o->words[start]);
        order(o, start, i, then, then_n);
    }
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
    struct plan plan;
    struct ordering o = {
        .w = w, .kind = kind, .tab = t, .plan = &plan, .words = (uint64_t *)w->sorted};
    o.rows = (uint32_t *)(o.words + w->sorted_cap);
    uint32_t rows = 0;
    for (uint32_t i = 0; i < t->n; i++)
        if (!is_cut(kind, rowtab_at(t, i)))
            o.rows[rows++] = i;
    plan_new(&plan, t, &row_types[kind], group_fields(kind));
    if (rows > 1)
        order(&o, 0, rows, plan.steps, 0);
    for (uint32_t i = 0; i < rows; i++)
        if (o.rows[i] != GONE)
            w->sorted[(*n)++] = rowtab_at(t, o.rows[i]);
    return w->sorted;
}
