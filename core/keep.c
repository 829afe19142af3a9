#include "core/keep.h"

#include "core/hash.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK_BYTES = 64 << 10, TEXTS_FIRST = 256 };

struct keep_block {
    struct keep_block *next;
    alignas(8) char bytes[];
};

void keep_free(struct keep *k)
{
    while (k->blocks != NULL) {
        struct keep_block *next = k->blocks->next;
        free(k->blocks);
        k->blocks = next;
    }
    free(k->texts);
    *k = (struct keep){0};
}

void *keep_room(struct keep *k, size_t bytes)
{
    bytes = (bytes + 7) & ~(size_t)7;
    if (bytes > k->left) {
        size_t size = bytes > BLOCK_BYTES ? bytes : BLOCK_BYTES;
        struct keep_block *b = malloc(sizeof *b + size);
        if (b == NULL)
            return NULL;
        b->next = k->blocks;
        k->blocks = b;
        k->left = size;
    }
    k->left -= bytes; /* from the end of a block to its start, so that its size need not be known */
    return k->blocks->bytes + k->left;
}

/* Where the text is, or would be. */
static size_t slot_of(const struct keep *k, const char *p, size_t len)
{
    size_t i = hash_bytes(p, len, 0) & k->mask;
    while (k->texts[i] != NULL && (strncmp(k->texts[i], p, len) != 0 || k->texts[i][len] != '\0'))
        i = (i + 1) & k->mask;
    return i;
}

static bool texts_grow(struct keep *k)
{
    struct keep more = *k;
    size_t slots = k->texts == NULL ? TEXTS_FIRST : 2 * (k->mask + 1);
    more.texts = calloc(slots, sizeof *more.texts);
    more.mask = slots - 1;
    if (more.texts == NULL)
        return false;
    for (size_t i = 0; k->texts != NULL && i <= k->mask; i++)
        if (k->texts[i] != NULL)
            more.texts[slot_of(&more, k->texts[i], strlen(k->texts[i]))] = k->texts[i];
    free(k->texts);
    *k = more;
    return true;
}

const char *keep_text(struct keep *k, const char *p, size_t len)
{
    if ((k->texts == NULL || k->n > k->mask / 2) && !texts_grow(k))
        return NULL;
    size_t i = slot_of(k, p, len);
    if (k->texts[i] == NULL) {
        char *text = keep_room(k, len + 1);
        if (text == NULL)
            return NULL;
        memcpy(text, p, len);
        text[len] = '\0';
        k->texts[i] = text;
        k->n++;
    }
    return k->texts[i];
}
