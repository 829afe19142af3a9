/* Rows in canonical order, against the order of keys field by field. */
#include "core/config.h"
#include "summary/tables.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

static struct window *w;
static uint64_t state;

static uint32_t random_below(uint32_t n)
{
    state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(state >> 33) % n;
}

static int number_order(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

static uint64_t number_at(const uint8_t *row, const struct field *f, unsigned bytes)
{
    uint64_t v = 0;
    if (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__)
        memcpy(&v, row + f->at, bytes);
    else
        memcpy((uint8_t *)&v + 8 - bytes, row + f->at, bytes);
    return v;
}

static unsigned bytes_of(const struct field *f)
{
    switch (f->type) {
    case F_U8:
    case F_ENUM:
    case F_FLAG:
        return 1;
    case F_U16:
    case F_HEX16:
    case F_BITS16:
        return 2;
    case F_U32:
        return 4;
    default:
        return 8;
    }
}

static int field_order(const struct field *f, const uint8_t *a, const uint8_t *b)
{
    const struct client *x = (const void *)(a + f->at), *y = (const void *)(b + f->at);
    uint32_t ids[2];
    int d;
    switch (f->type) {
    case F_CLIENT:
        d = number_order(x->site, y->site);
        d = d != 0 ? d : number_order(x->kind, y->kind);
        d = d != 0 ? d : number_order(x->by, y->by);
        return d != 0 ? d : memcmp(x->id, y->id, sizeof x->id);
    case F_ADDR:
        return memcmp(a + f->at, b + f->at, 16);
    case F_MAC:
        return memcmp(a + f->at, b + f->at, 6);
    case F_STR:
        memcpy(&ids[0], a + f->at, sizeof ids[0]);
        memcpy(&ids[1], b + f->at, sizeof ids[1]);
        struct bytes s = window_string(w, ids[0]), t = window_string(w, ids[1]);
        d = s.len > 0 && t.len > 0 ? memcmp(s.p, t.p, s.len < t.len ? s.len : t.len) : 0;
        return d != 0 ? d : number_order(s.len, t.len);
    default:
        return number_order(number_at(a, f, bytes_of(f)), number_at(b, f, bytes_of(f)));
    }
}

static int row_order(enum row_kind kind, const void *a, const void *b)
{
    int d = 0;
    for (const struct field *f = row_types[kind].keys; d == 0 && f->type != F_END; f++)
        d = field_order(f, a, b);
    return d;
}

/* Few values of each byte, so that rows tie in some fields and differ in any. */
static void field_fill(const struct field *f, uint8_t *row, uint32_t values)
{
    static const char *const starts[] = {"", "a", "a.longer.name.than.seven.", "b"};
    char text[64];
    uint32_t id;
    uint16_t pad = offsetof(struct client, id) - offsetof(struct client, by) - 1;
    unsigned n = bytes_of(f);
    switch (f->type) {
    case F_STR:
        id = (uint32_t)snprintf(text, sizeof text, "%s%.*s", starts[random_below(4)],
                                (int)random_below(3), "\1\2");
        id = window_intern(w, text, id);
        memcpy(row + f->at, &id, sizeof id);
        return;
    case F_CLIENT:
        n = sizeof(struct client);
        break;
    case F_ADDR:
        n = 16;
        break;
    case F_MAC:
        n = 6;
        break;
    default:
        break;
    }
    for (unsigned i = 0; i < n; i++)
        row[f->at + i] = random_below(4) == 0 ? (uint8_t)(random_below(values) * 0x55) : 0;
    if (f->type == F_CLIENT)
        memset(row + f->at + offsetof(struct client, by) + 1, 0, pad);
}

static void sorted(void **unused)
{
    (void)unused;
    struct config c = config_default();
    struct err e;
    assert_true(window_new(&w, &c, &e));
    for (int round = 0; round < 40; round++) {
        window_reset(w, 0, 3600);
        for (int k = 0; k < ROW_KIND_N; k++) {
            enum row_kind kind = (enum row_kind)k;
            const struct row_type *type = &row_types[k];
            unsigned many = 1 + random_below(round % 4 == 0 ? 3 : 700);
            for (unsigned i = 0; i < many; i++) {
                uint64_t row[64] = {0};
                for (const struct field *f = type->keys; f->type != F_END; f++)
                    if (random_below(8) < (unsigned)round % 8 + 1)
                        field_fill(f, (uint8_t *)row, 1 + random_below(3));
                void *made = window_row(w, kind, row);
                if (kind == ROW_BINDING)
                    ((struct row_binding *)made)->count = 1;
                if (kind == ROW_REUSE)
                    ((struct row_reuse *)made)->count = 1;
            }
            size_t n;
            void *const *rows = window_rows(w, kind, &n);
            assert_true(n > 0 && n <= w->tabs[kind].n);
            if (kind != ROW_BINDING && kind != ROW_REUSE)
                assert_int_equal(n, w->tabs[kind].n);
            for (size_t i = 1; i < n; i++)
                assert_true(row_order(kind, rows[i - 1], rows[i]) < 0);
        }
    }
    window_free(w);
}

static int by_hash(const void *x, const void *y)
{
    uint64_t a = *(const uint64_t *)x, b = *(const uint64_t *)y;
    return number_order(a, b);
}

/* Of an address those names are kept whose rows have the smallest hash, whatever else there is; the
 * others are summed, and come no more. */
static void groups(void **unused)
{
    (void)unused;
    enum { NAMES = 50 };
    struct config c = config_default();
    struct err e;
    assert_true(window_new(&w, &c, &e));
    for (int addrs = 1; addrs <= 3; addrs++) {
        window_reset(w, 0, 3600);
        uint64_t hashes[3][NAMES];
        for (int i = 0; i < NAMES * addrs; i++) {
            char name[16];
            struct row_binding b = {.key.kind = BIND_DNS};
            b.key.addr.b[15] = (uint8_t)(i % addrs);
            b.key.value =
                window_intern(w, name, (uint32_t)snprintf(name, sizeof name, "%d", i / addrs));
            struct row_binding *row = window_row(w, ROW_BINDING, &b);
            row->count = 1;
            hashes[i % addrs][i / addrs] =
                row_hash(w, ROW_BINDING, row_number(w, ROW_BINDING, row));
        }
        struct row_binding own = {.key.kind = BIND_MAC}; /* never cut, however few it counts */
        own.key.addr.b[15] = 0;
        own.key.mac[0] = 1;
        window_row(w, ROW_BINDING, &own);
        for (int again = 0; again < 2; again++) {
            size_t n;
            void *const *rows = window_rows(w, ROW_BINDING, &n);
            assert_int_equal(n, addrs * BINDING_NAMES + 1);
            for (size_t i = 0; i < n; i++) {
                const struct row_binding *b = rows[i];
                if (b->key.kind == BIND_MAC)
                    continue;
                uint64_t *h = hashes[b->key.addr.b[15]];
                qsort(h, NAMES, sizeof *h, by_hash);
                assert_true(row_hash(w, ROW_BINDING, row_number(w, ROW_BINDING, b))
                            <= h[BINDING_NAMES - 1]);
            }
            const struct row_binding *other = window_other(w, ROW_BINDING);
            assert_int_equal(other->count, addrs * (NAMES - BINDING_NAMES));
        }
    }
    window_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sorted),
        cmocka_unit_test(groups),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
