#include "summary/distinct.h"

#include <math.h>

const struct distinct_shape distinct_small = {16, 7};
const struct distinct_shape distinct_large = {1024, 14};

size_t distinct_block_size(const struct distinct_shape *s)
{
    size_t exact = s->exact_max * sizeof(uint64_t), registers = (size_t)1 << s->p;
    return offsetof(struct distinct_block, hash) + (exact > registers ? exact : registers);
}

static void to_registers(const struct distinct_shape *s, struct distinct_block *b)
{
    uint64_t kept[1024];
    uint32_t n = b->n;
    memcpy(kept, b->hash, n * sizeof *kept);
    memset(b->reg, 0, (size_t)1 << s->p);
    b->n = DISTINCT_REGISTERS;
    for (uint32_t i = 0; i < n; i++)
        distinct_add_register(s, b->reg, kept[i]);
}

void distinct_add_exact(const struct distinct_shape *s, struct distinct_block *b, uint64_t hash)
{
    uint32_t low = 0, high = b->n;
    while (low < high) {
        uint32_t mid = (low + high) / 2;
        if (b->hash[mid] < hash)
            low = mid + 1;
        else
            high = mid;
    }
    if (low < b->n && b->hash[low] == hash)
        return;
    if (b->n == s->exact_max) {
        to_registers(s, b);
        distinct_add_register(s, b->reg, hash);
        return;
    }
    memmove(b->hash + low + 1, b->hash + low, (b->n - low) * sizeof *b->hash);
    b->hash[low] = hash;
    b->n++;
}

void distinct_merge(const struct distinct_shape *s, struct distinct_block *into,
                    const struct distinct_block *from)
{
    if (from->n != DISTINCT_REGISTERS) {
        for (uint32_t i = 0; i < from->n; i++)
            distinct_add(s, into, from->hash[i]);
        return;
    }
    if (into->n != DISTINCT_REGISTERS)
        to_registers(s, into);
    for (size_t i = 0; i < (size_t)1 << s->p; i++)
        if (from->reg[i] > into->reg[i])
            into->reg[i] = from->reg[i];
}

/* The two functions of the improved raw estimator: O. Ertl, "New cardinality estimation algorithms
 * for HyperLogLog sketches", 2017, algorithm 6. It needs no bias table and no threshold. */
static double sigma(double x)
{
    if (x == 1)
        return INFINITY;
    double y = 1, z = x, before;
    do {
        x *= x;
        before = z;
        z += x * y;
        y += y;
    } while (z != before);
    return z;
}

static double tau(double x)
{
    if (x == 0 || x == 1)
        return 0;
    double y = 1, z = 1 - x, before;
    do {
        x = sqrt(x);
        before = z;
        y *= 0.5;
        z -= (1 - x) * (1 - x) * y;
    } while (z != before);
    return z / 3;
}

uint64_t distinct_count(const struct distinct_shape *s, const struct distinct_block *b)
{
    if (b->n != DISTINCT_REGISTERS)
        return b->n;
    uint32_t count[66] = {0};
    double m = (double)((uint64_t)1 << s->p);
    int q = 64 - s->p;
    for (size_t i = 0; i < (size_t)1 << s->p; i++)
        count[b->reg[i] <= q + 1 ? b->reg[i] : q + 1]++;
    double z = m * tau(1 - count[q + 1] / m);
    for (int k = q; k >= 1; k--)
        z = 0.5 * (z + count[k]);
    z += m * sigma(count[0] / m);
    return (uint64_t)llround(m * m / (2 * log(2) * z));
}
