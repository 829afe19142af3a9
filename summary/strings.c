#include "summary/strings.h"

#include "core/arena.h"
#include "core/hash.h"

struct entry {
    uint64_t hash;
    uint32_t len;
    uint8_t bytes[];
};

enum { SLOTS_FIRST = 1024, ENTRY_LEAST = 16 };

bool strings_new(struct strings *s, uint64_t bytes, struct err *e)
{
    uint64_t slots = SLOTS_FIRST;
    while (slots < bytes / ENTRY_LEAST * 2 && slots < UINT64_C(1) << 31)
        slots *= 2;
    *s = (struct strings){
        .cap = (uint32_t)(bytes / 8), .mask = SLOTS_FIRST - 1, .mask_max = (uint32_t)(slots - 1)};
    s->bytes = arena_new((size_t)s->cap * 8 + 8, ARENA_COLD, e);
    s->index = s->bytes != NULL ? arena_new(slots * sizeof *s->index, ARENA_COLD, e) : NULL;
    if (s->index == NULL) {
        strings_free(s);
        return false;
    }
    return true;
}

void strings_free(struct strings *s)
{
    arena_free(s->bytes, (size_t)s->cap * 8 + 8);
    arena_free(s->index, ((size_t)s->mask_max + 1) * sizeof *s->index);
    *s = (struct strings){0};
}

void strings_clear(struct strings *s)
{
    if (s->n > 0)
        memset(s->index, 0, ((size_t)s->mask + 1) * sizeof *s->index);
    if (s->n < SLOTS_FIRST / 2)
        s->mask = SLOTS_FIRST - 1;
    s->n = s->used = 0;
}

static const struct entry *entry_at(const struct strings *s, uint32_t id)
{
    return (const struct entry *)(s->bytes + (size_t)(id - 1) * 8);
}

uint64_t strings_hash(const void *p, uint32_t len)
{
    uint64_t hash = hash_bytes(p, len, 0);
    return hash != 0 ? hash : 1;
}

static void index_put(struct strings *s, uint64_t hash, uint32_t id)
{
    uint64_t i = hash & s->mask;
    while (s->index[i] != 0)
        i = (i + 1) & s->mask;
    s->index[i] = (hash & UINT64_C(0xffffffff00000000)) | id;
}

static void index_grow(struct strings *s)
{
    memset(s->index, 0, ((size_t)s->mask + 1) * sizeof *s->index);
    s->mask = s->mask * 2 + 1;
    for (uint32_t at = 0; at < s->used;) {
        const struct entry *entry = entry_at(s, at + 1);
        index_put(s, entry->hash, at + 1);
        at += (uint32_t)((sizeof *entry + entry->len + 7) / 8);
    }
}

uint32_t strings_intern(struct strings *s, const void *p, uint32_t len, uint64_t hash)
{
    if (len == 0)
        return 0;
    for (uint64_t i = hash & s->mask; s->index[i] != 0; i = (i + 1) & s->mask) {
        if (s->index[i] >> 32 != hash >> 32)
            continue;
        uint32_t id = (uint32_t)s->index[i];
        const struct entry *entry = entry_at(s, id);
        if (entry->len == len && memcmp(entry->bytes, p, len) == 0)
            return id;
    }
    uint32_t units = (uint32_t)((sizeof(struct entry) + (uint64_t)len + 7) / 8);
    if (units > s->cap - s->used || (s->n > s->mask / 2 && s->mask == s->mask_max))
        return 0;
    if (s->n > s->mask / 2)
        index_grow(s);
    uint32_t id = s->used + 1;
    struct entry *entry = (struct entry *)(s->bytes + (size_t)s->used * 8);
    entry->hash = hash;
    entry->len = len;
    memcpy(entry->bytes, p, len);
    s->used += units;
    s->n++;
    index_put(s, hash, id);
    return id;
}

struct bytes strings_get(const struct strings *s, uint32_t id)
{
    if (id == 0)
        return (struct bytes){0};
    const struct entry *entry = entry_at(s, id);
    return (struct bytes){entry->bytes, entry->len};
}

uint64_t strings_id_hash(const struct strings *s, uint32_t id)
{
    return id == 0 ? 0 : entry_at(s, id)->hash;
}
