#include "sinks/rowjson_blob.h"
#include "sinks/rowjson_value.h"

#include <assert.h>

/* ---- values in the row */

static bool counts(const struct field *f, const json_t *v, uint8_t *at, struct err *e)
{
    size_t each = f->type == V_COUNTS32 ? 4 : 8;
    if (!json_is_object(v))
        return value_wrong(e, "no object");
    for (void *i = json_object_iter((json_t *)v); i != NULL;
         i = json_object_iter_next((json_t *)v, i)) {
        const char *key = json_object_iter_key(i);
        uint64_t which = f->n, count;
        if (f->names == NULL && !value_decimal(key, f->n - 1u, &which))
            which = f->n;
        for (unsigned k = 0; f->names != NULL && which == f->n && k < f->n; k++)
            if (strcmp(f->names[k], key) == 0)
                which = k;
        if (which == f->n) {
            err_set(e, "\"%s\" is not known", key);
            return false;
        }
        if (!value_number(json_object_iter_value(i), each == 4 ? UINT32_MAX : INT64_MAX, &count, e))
            return err_in(e, "\"%s\"", key);
        if (each == 4)
            memcpy(at + 4 * which, &(uint32_t){(uint32_t)count}, 4);
        else
            memcpy(at + 8 * which, &count, 8);
    }
    return true;
}

static bool set8(struct window *w, const json_t *v, struct set8 *s, struct err *e)
{
    const json_t *values = json_object_get(v, "values"), *other = json_object_get(v, "other");
    size_t n = json_array_size(values);
    uint32_t seen[SET8_MAX];
    uint64_t number;
    if (!json_is_array(values) || n > SET8_MAX || json_object_size(v) != 1u + (other != NULL))
        return value_wrong(e, "no object of up to 8 values and the count of others");
    for (size_t i = 0; i < n; i++) {
        const json_t *pair = json_array_get(values, i);
        const char *text = json_string_value(json_array_get(pair, 0));
        if (json_array_size(pair) != 2 || text == NULL || !value_hex(text, 8, &number))
            return value_wrong(e, "no pair of 8 hex digits and a count");
        seen[i] = (uint32_t)number;
        for (size_t k = 0; k < i; k++)
            if (seen[k] == seen[i])
                return value_wrong(e, "a value twice");
        if (!value_number(json_array_get(pair, 1), UINT32_MAX, &number, e))
            return false;
        window_set8_add(w, s, seen[i], (uint32_t)number);
    }
    number = 0;
    if (other != NULL && !value_number(other, UINT32_MAX, &number, e))
        return false;
    s->other = (uint32_t)number;
    return true;
}

bool value_sum(struct window *w, const struct field *f, const json_t *v, uint8_t *at, struct err *e)
{
    uint64_t n;
    uint32_t id;
    switch ((enum field_type)f->type) {
    case V_SUM:
    case V_MIN_NS:
    case V_MAX_NS:
        if (!value_number(v, INT64_MAX, &n, e))
            return false;
        memcpy(at, &n, 8);
        return true;
    case V_SUM32:
    case V_MAX32:
    case V_MIN32:
        if (!value_number(v, UINT32_MAX, &n, e))
            return false;
        memcpy(at, &(uint32_t){(uint32_t)n}, 4);
        return true;
    case V_BITS32:
        if (!value_bits(f, v, &n, e))
            return false;
        memcpy(at, &(uint32_t){(uint32_t)n}, 4);
        return true;
    case V_COUNTS32:
    case V_COUNTS:
        return counts(f, v, at, e);
    case V_SET8:
        return set8(w, v, (struct set8 *)(void *)at, e);
    case V_BLOB:
        if (!rowjson_blob_read(w, f->n, v, &id, e))
            return false;
        memcpy(at, &id, sizeof id);
        return true;
    default:
        assert(!"a value in the row");
        return false;
    }
}

bool value_slots(const struct window *w, uint64_t start_s, uint64_t length_s, const json_t *v,
                 uint8_t *at, struct err *e)
{
    uint64_t slots = 0, slot_s = slot_seconds(length_s), before = 0;
    uint64_t coarse_s = slot_seconds(window_length_s(w)), shift_s = start_s - window_start_s(w);
    if (!json_is_array(v))
        return value_wrong(e, "no list");
    for (size_t i = 0; i < json_array_size(v); i++) {
        const json_t *pair = json_array_get(v, i);
        uint64_t from, to;
        if (json_array_size(pair) != 2)
            return value_wrong(e, "no pair");
        if (!value_number(json_array_get(pair, 0), length_s, &from, e)
            || !value_number(json_array_get(pair, 1), length_s, &to, e))
            return false;
        bool aligned = from % slot_s == 0 && (to % slot_s == 0 || to == length_s);
        if (from >= to || !aligned || (i > 0 && from <= before))
            return value_wrong(e, "no intervals in order, aligned to slots");
        before = to;
        uint64_t last = (shift_s + to - 1) / coarse_s;
        for (uint64_t k = (shift_s + from) / coarse_s; k <= last && k < 64; k++)
            slots |= UINT64_C(1) << k;
    }
    memcpy(at, &slots, sizeof slots);
    return true;
}

/* ---- values with storage of their own */

bool value_hist(struct window *w, const json_t *v, struct hist *h, struct err *e)
{
    if (!json_is_object(v))
        return value_wrong(e, "no object");
    for (void *i = json_object_iter((json_t *)v); i != NULL;
         i = json_object_iter_next((json_t *)v, i)) {
        const char *key = json_object_iter_key(i);
        uint64_t bucket, count;
        bool below = key[0] == '-';
        if (!value_decimal(key + below, HIST_MAX, &bucket) || (below && bucket == 0)) {
            err_set(e, "\"%s\" is no bucket", key);
            return false;
        }
        if (!value_number(json_object_iter_value(i), UINT32_MAX, &count, e))
            return err_in(e, "\"%s\"", key);
        if (count > 0)
            window_hist_add(w, h, below ? -(int)bucket : (int)bucket, (uint32_t)count);
    }
    return true;
}

static bool registers(const json_t *v, const struct distinct_shape *shape, uint8_t reg[],
                      struct err *e)
{
    static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_";
    const char *p = json_string_value(v);
    size_t n = (size_t)1 << shape->p, i = 0;
    if (p == NULL)
        return value_wrong(e, "no text");
    memset(reg, 0, n);
    while (*p != '\0') {
        const char *digit = strchr(digits, *p);
        if (*p == '(') {
            size_t run = 0;
            for (p++; *p >= '0' && *p <= '9' && run <= n; p++)
                run = run * 10 + (size_t)(*p - '0');
            if (*p != ')' || run < 4 || run > n - i)
                return value_wrong(e, "no run of zeros");
            i += run;
        } else if (digit == NULL || digit - digits > 65 - shape->p || i == n) {
            return value_wrong(e, "no register");
        } else {
            reg[i++] = (uint8_t)(digit - digits);
        }
        p++;
    }
    return i == n || value_wrong(e, "too few registers");
}

bool value_distinct(struct window *w, const json_t *v, const struct distinct_shape *shape,
                    struct distinct_block *block, struct distinct *d, struct err *e)
{
    const json_t *exact = json_object_get(v, "exact"), *hll = json_object_get(v, "hll");
    uint64_t count;
    if (json_object_size(v) != 2 || (exact == NULL) == (hll == NULL))
        return value_wrong(e, "no object of count and exact or hll");
    if (!value_number(json_object_get(v, "count"), INT64_MAX, &count, e))
        return err_in(e, "\"count\"");
    if (hll != NULL) { /* its count is an estimate, which may round otherwise elsewhere */
        block->n = UINT32_MAX;
        if (!registers(hll, shape, block->reg, e))
            return err_in(e, "\"hll\"");
    } else {
        if (!json_is_array(exact) || json_array_size(exact) > shape->exact_max
            || json_array_size(exact) != count)
            return value_wrong(e, "its hashes are not as many as it says or may have");
        block->n = (uint32_t)count;
        for (size_t i = 0; i < count; i++) {
            const char *text = json_string_value(json_array_get(exact, i));
            if (text == NULL || !value_hex(text, 16, &block->hash[i])
                || (i > 0 && block->hash[i] <= block->hash[i - 1]))
                return value_wrong(e, "no hashes of 16 hex digits in order");
        }
    }
    struct distinct_block *to = window_distinct_make(w, d, shape);
    if (to != NULL) /* else counted as turned away */
        distinct_merge(shape, to, block);
    return true;
}
