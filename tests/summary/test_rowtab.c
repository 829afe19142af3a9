#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core/hash.h"
#include "random.h"
#include "summary/rowtab.h"

struct item {
    uint64_t pad, key, count;
};

static struct rowtab table_of(uint32_t limit)
{
    struct rowtab t;
    struct err e;
    assert_true(
        rowtab_new(&t, limit, sizeof(struct item), offsetof(struct item, key), 8, ARENA_COLD, &e));
    return t;
}

struct gone {
    uint64_t count, rows;
};

static void item_leaves(void *ctx, void *row)
{
    struct gone *gone = ctx;
    gone->count += ((struct item *)row)->count;
    gone->rows++;
}

static void must_not_leave(void *ctx, void *row)
{
    (void)ctx, (void)row;
    fail();
}

/* As window.c uses the table. */
static void item_count(struct rowtab *t, uint64_t hash, uint64_t key, struct gone *other)
{
    struct item *item = rowtab_find(t, rowtab_tag(hash), &key);
    if (item == NULL && rowtab_refuses(t, hash)) {
        other->count++;
        return;
    }
    if (item == NULL) {
        item = rowtab_insert(t, rowtab_tag(hash), hash, &key, item_leaves, other);
        item->count = 0;
    }
    item->count++;
}

static int by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* Every row is found, and every slot of the index leads to one row. */
static void assert_sound(const struct rowtab *t)
{
    uint32_t slots = 0;
    for (uint32_t i = 0; i < t->n; i++) {
        struct item *item = rowtab_at(t, i);
        uint64_t hash = rowtab_hash_at(t, i);
        assert_int_equal(rowtab_number(t, item, sizeof *item), i);
        assert_ptr_equal(rowtab_find(t, rowtab_tag(hash), &item->key), item);
        uint32_t guess = rowtab_prefetch_row(t, rowtab_tag(hash), sizeof *item);
        assert_int_equal(t->tags[guess], rowtab_tag(hash));
        assert_ptr_equal(rowtab_near(t, i, &item->key, offsetof(struct item, key), 8), item);
        assert_false(rowtab_refuses(t, hash));
    }
    for (uint32_t i = 0; i <= t->mask; i++)
        for (unsigned s = 0; s < ROWTAB_SLOTS; s++) {
            const struct rowtab_bucket *b = &t->index[i];
            if (b->row[s] == 0) {
                assert_int_equal(b->tag[s], 0);
                continue;
            }
            slots++;
            assert_true(s == 0 || b->row[s - 1] != 0);
            for (uint32_t k = b->tag[s] & t->mask; k != i; k = (k + 1) & t->mask)
                assert_true(t->index[k].row[ROWTAB_SLOTS - 1] != 0); /* else why go further */
        }
    assert_int_equal(slots, t->n);
}

enum { KEYS = 3000 };

static void smallest_stay(void **state)
{
    (void)state;
    static const uint32_t limits[] = {1, 2, 3, 64, 1000, 2999, 3000, 5000};
    static uint64_t hashes[KEYS], order[KEYS];
    struct random r = {8};
    for (unsigned l = 0; l < sizeof limits / sizeof *limits; l++)
        for (int round = 0; round < 3; round++) {
            struct rowtab t = table_of(limits[l]);
            struct gone other = {0};
            for (uint64_t i = 0; i < KEYS; i++)
                hashes[i] = order[i] = hash_bytes(&i, sizeof i, 1);
            for (unsigned i = KEYS; i > 1; i--) {
                unsigned k = random_below(&r, i);
                uint64_t swap = order[k];
                order[k] = order[i - 1];
                order[i - 1] = swap;
            }
            for (unsigned i = 0; i < KEYS; i++)
                for (unsigned k = 0; k < 1 + i % 3; k++)
                    item_count(&t, order[random_below(&r, i + 1)], 0, &other);
            for (unsigned i = 0; i < KEYS; i++) /* each at least once, and some in mid-flight */
                item_count(&t, order[i], 0, &other);
            assert_sound(&t);
            uint32_t kept = limits[l] < KEYS ? limits[l] : KEYS;
            assert_int_equal(t.n, kept);
            qsort(hashes, KEYS, sizeof *hashes, by_number);
            uint64_t key = 0, counted = other.count;
            for (unsigned i = 0; i < KEYS; i++) {
                struct item *item = rowtab_find(&t, rowtab_tag(hashes[i]), &key);
                assert_int_equal(item != NULL, i < kept);
                counted += item != NULL ? item->count : 0;
            }
            assert_int_equal(counted, KEYS + KEYS / 3 * 6);
            rowtab_free(&t);
        }
}

/* Counts of the rows that stay are exact: nothing of theirs went to `other`, whatever came between.
 */
static void kept_are_exact(void **state)
{
    (void)state;
    struct rowtab t = table_of(50);
    struct gone other = {0};
    for (int round = 0; round < 4; round++)
        for (uint64_t i = 0; i < 1000; i++) {
            uint64_t key = round & 1 ? 999 - i : i;
            item_count(&t, hash_bytes(&key, sizeof key, 9), key, &other);
        }
    for (uint32_t i = 0; i < t.n; i++)
        assert_int_equal(((struct item *)rowtab_at(&t, i))->count, 4);
    assert_int_equal(other.count, 950 * 4);
    rowtab_free(&t);
}

/* Tags an attacker would choose: few home slots for all, at the end of the index so that probes
 * wrap. The hashes fall. */
static uint64_t clash(uint64_t i)
{
    uint64_t high = 5000 - i;
    return high << 32 | (high ^ (0xfffffff0 | (i & 3)));
}

static void low_bits_clash(void **state)
{
    (void)state;
    enum { N = 600 };
    struct rowtab t = table_of(N);
    struct gone other = {0};
    for (uint64_t i = 0; i < 3 * N; i++) /* each newcomer pushes the largest out */
        item_count(&t, clash(i), i, &other);
    assert_sound(&t);
    assert_int_equal(t.n, N);
    assert_int_equal(other.rows, 2 * N);
    for (uint64_t i = 0; i < 3 * N; i++)
        assert_int_equal(rowtab_find(&t, rowtab_tag(clash(i)), &i) != NULL, i >= 2 * N);
    rowtab_free(&t);
}

/* One hash, several keys: a match is a match of keys. */
static void hashes_clash(void **state)
{
    (void)state;
    struct rowtab t = table_of(10);
    struct gone other = {0};
    for (uint64_t key = 0; key < 5; key++)
        for (uint64_t n = 0; n <= key; n++)
            item_count(&t, 42, key, &other);
    assert_int_equal(t.n, 5);
    for (uint64_t key = 0; key < 5; key++)
        assert_int_equal(((struct item *)rowtab_find(&t, rowtab_tag(42), &key))->count, key + 1);
    uint64_t stranger = 77;
    assert_null(rowtab_find(&t, rowtab_tag(42), &stranger));
    assert_null(rowtab_near(&t, 0, &stranger, offsetof(struct item, key), 8));
    assert_null(rowtab_near(&t, t.n, &stranger, offsetof(struct item, key), 8));
    assert_null(rowtab_near(&t, UINT32_MAX, &stranger, offsetof(struct item, key), 8));
    rowtab_free(&t);
}

static struct item *insert(struct rowtab *t, uint64_t hash, const uint64_t *key)
{
    return rowtab_insert(t, rowtab_tag(hash), hash, key, must_not_leave, NULL);
}

static void clears_and_grows(void **state)
{
    (void)state;
    struct rowtab t = table_of(40000);
    static const uint64_t sizes[] = {40000, 3, 600, 40000, 0, 1};
    for (unsigned s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        for (uint64_t i = 0; i < sizes[s]; i++) {
            struct item *item = insert(&t, hash_bytes(&i, sizeof i, s), &i);
            assert_int_equal(item->key, i);
        }
        assert_int_equal(t.n, sizes[s]);
        assert_true(t.n <= (t.mask + 1) * 5);
        assert_sound(&t);
        rowtab_clear(&t);
        for (uint64_t i = 0; i < sizes[s]; i++)
            assert_null(rowtab_find(&t, rowtab_tag(hash_bytes(&i, sizeof i, s)), &i));
    }
    rowtab_free(&t);
}

/* The mix of a key goes on from that of its first part, and tells keys apart that differ in a bit.
 */
static void mix_goes_on(void **state)
{
    (void)state;
    uint8_t key[56];
    for (unsigned i = 0; i < sizeof key; i++)
        key[i] = (uint8_t)(i * 37);
    for (uint32_t len = 4; len <= sizeof key; len += 4) {
        uint64_t whole = rowtab_mix(7, key, len);
        for (uint32_t at = 0; at < len; at += 16)
            assert_int_equal(rowtab_mix(rowtab_mix(7, key, at), key + at, len - at), whole);
        for (unsigned bit = 0; bit < 8 * len; bit++) {
            key[bit / 8] ^= 1u << bit % 8;
            assert_int_not_equal(rowtab_tag(rowtab_mix(7, key, len)), rowtab_tag(whole));
            key[bit / 8] ^= 1u << bit % 8;
        }
        assert_int_not_equal(rowtab_mix(8, key, len), whole);
    }
}

static void refuses_too_much(void **state)
{
    (void)state;
    struct rowtab t;
    struct err e = {{0}};
    assert_false(rowtab_new(&t, UINT32_MAX - 7, UINT32_C(1) << 31, 8, 8, ARENA_COLD, &e));
    assert_non_null(strstr(e.text, "lower the limits"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(smallest_stay),    cmocka_unit_test(kept_are_exact),
        cmocka_unit_test(low_bits_clash),   cmocka_unit_test(hashes_clash),
        cmocka_unit_test(clears_and_grows), cmocka_unit_test(refuses_too_much),
        cmocka_unit_test(mix_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
