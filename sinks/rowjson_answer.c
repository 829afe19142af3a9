#include "sinks/rowjson_answer.h"

#include "sinks/rowjson_put.h"

/* Members that are numbers of struct answer: hex with so many digits, or decimal (0). */
static const struct number {
    const char *name;
    uint16_t at;
    uint8_t bytes, digits;
} numbers[] = {
#define NUMBER(member, digits)                                                                     \
    {                                                                                              \
#member, offsetof(struct answer, member), sizeof(((struct answer *)0)->member), digits     \
    }
    NUMBER(version, 4),       NUMBER(cipher, 4),
    NUMBER(group, 4),         NUMBER(compression, 0),
    NUMBER(ske_signature, 4), NUMBER(dh_bits, 0),
    NUMBER(dh_prime_id, 16),  NUMBER(ticket_lifetime_s, 0),
};
enum { NUMBERS = sizeof numbers / sizeof *numbers };

static uint64_t number_get(const struct answer *a, const struct number *m)
{
    const uint8_t *p = (const uint8_t *)a + m->at;
    uint64_t v = 0;
    uint16_t v16;
    uint32_t v32;
    switch (m->bytes) {
    case 1:
        return *p;
    case 2:
        memcpy(&v16, p, 2);
        return v16;
    case 4:
        memcpy(&v32, p, 4);
        return v32;
    default:
        memcpy(&v, p, 8);
        return v;
    }
}

static void number_set(struct answer *a, const struct number *m, uint64_t v)
{
    uint8_t *p = (uint8_t *)a + m->at;
    switch (m->bytes) {
    case 1:
        *p = (uint8_t)v;
        break;
    case 2:
        memcpy(p, &(uint16_t){(uint16_t)v}, 2);
        break;
    case 4:
        memcpy(p, &(uint32_t){(uint32_t)v}, 4);
        break;
    default:
        memcpy(p, &v, 8);
    }
}

/* A member's name, after a comma but for the first. */
static char *member(char *p, const char *name)
{
    p = put_text(p, p[-1] == '{' ? "\"" : ",\"");
    return put_text(put_text(p, name), "\":");
}

static char *quoted(char *p, const char *word)
{
    return put_char(put_text(put_char(p, '"'), word), '"');
}

char *rowjson_answer(char *p, const struct answer *a)
{
    p = put_char(p, '{');
    for (const struct number *m = numbers; m < numbers + NUMBERS; m++) {
        uint64_t v = number_get(a, m);
        if (v == 0)
            continue;
        p = member(p, m->name);
        p = m->digits == 0 ? digits_u64(p, v)
                           : put_hex(p, m->digits == 16 ? "" : "0x", v, m->digits / 2);
    }
    if (a->dh_prime != DH_PRIME_NONE)
        p = quoted(member(p, "dh_prime"), dh_prime_names[a->dh_prime]);
    if (a->flags != 0) {
        p = put_char(member(p, "flags"), '[');
        for (unsigned i = 0; i < ANSWER_FLAGS_N; i++)
            if (a->flags >> i & 1)
                p = put_char(quoted(p, answer_flag_names[i]), ',');
        p = put_close(p, ']');
    }
    if (a->n_certs > 0) {
        p = put_char(member(p, "certs"), '[');
        for (unsigned i = 0; i < a->n_certs; i++)
            p = put_char(put_hex(p, "", a->certs[i], 8), ',');
        p = put_close(p, ']');
    }
    if (a->n_kinds > 0) {
        p = put_char(member(p, "kinds"), '[');
        for (unsigned i = 0; i < a->n_kinds; i++)
            p = put_char(put_hex(p, "0x", a->kinds[i], 3), ',');
        p = put_close(p, ']');
    }
    return put_char(p, '}');
}

static bool hex(const json_t *v, unsigned digits, uint64_t *out, struct err *e)
{
    const char *text = json_string_value(v);
    if (text != NULL && digits < 16)
        text = strncmp(text, "0x", 2) == 0 ? text + 2 : NULL;
    if (text != NULL && value_hex(text, digits, out))
        return true;
    err_set(e, "not %s%u hex digits", digits < 16 ? "0x and " : "", digits);
    return false;
}

static bool read_number(const json_t *v, const struct number *m, struct answer *a, struct err *e)
{
    uint64_t n;
    uint64_t max = m->bytes == 1 ? UINT8_MAX : m->bytes == 2 ? UINT16_MAX : UINT32_MAX;
    if (m->digits == 0 ? !value_number(v, max, &n, e) : !hex(v, m->digits, &n, e))
        return false;
    number_set(a, m, n);
    return true;
}

static bool read_lists(const char *key, const json_t *v, struct answer *a, struct err *e)
{
    static const struct field flags = {.n = ANSWER_FLAGS_N, .names = answer_flag_names};
    uint64_t n;
    bool certs = strcmp(key, "certs") == 0;
    if (strcmp(key, "dh_prime") == 0) {
        if (!value_name(v, dh_prime_names, DH_PRIME_N, &n, e))
            return false;
        a->dh_prime = (uint8_t)n;
        return true;
    }
    if (strcmp(key, "flags") == 0) {
        if (!value_bits(&flags, v, &n, e))
            return false;
        a->flags = (uint32_t)n;
        return true;
    }
    if (!certs && strcmp(key, "kinds") != 0)
        return value_wrong(e, "not known");
    if (!json_is_array(v) || json_array_size(v) > (certs ? ANSWER_CERTS_MAX : ANSWER_KINDS_MAX))
        return value_wrong(e, "no list, or one too long");
    for (size_t i = 0; i < json_array_size(v); i++) {
        if (!hex(json_array_get(v, i), certs ? 16 : 6, &n, e))
            return false;
        if (certs)
            a->certs[a->n_certs++] = n;
        else
            a->kinds[a->n_kinds++] = (uint32_t)n;
    }
    return true;
}

bool rowjson_answer_read(struct window *w, const json_t *v, uint32_t *id, struct err *e)
{
    struct answer a = {0};
    uint8_t blob[ANSWER_BLOB_MAX];
    for (void *i = json_object_iter((json_t *)v); i != NULL;
         i = json_object_iter_next((json_t *)v, i)) {
        const char *key = json_object_iter_key(i);
        const json_t *value = json_object_iter_value(i);
        unsigned m = 0;
        while (m < NUMBERS && strcmp(numbers[m].name, key) != 0)
            m++;
        if (m < NUMBERS ? !read_number(value, &numbers[m], &a, e) : !read_lists(key, value, &a, e))
            return err_in(e, "\"%s\"", key);
    }
    size_t n = answer_write(&a, blob);
    *id = window_intern(w, blob, (uint32_t)n);
    return true;
}
