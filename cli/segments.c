#include "cli/segments.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_named(const char *path, char *const args[], size_t n_args)
{
    for (size_t i = 0; i < n_args; i++)
        if (strcmp(path, args[i]) == 0)
            return true;
    return false;
}

static bool looks_like_segment(const char *path)
{
    const char *slash = strrchr(path, '/'), *base = slash != NULL ? slash + 1 : path;
    static const char begin[] = "summary-", end[] = ".ndjson.zst";
    size_t len = strlen(base);
    return len > sizeof begin + sizeof end && strncmp(base, begin, sizeof begin - 1) == 0
           && strcmp(base + len - (sizeof end - 1), end) == 0;
}

/* Flags lie beside their summaries: whoever gives a folder, or all files in it, means the
 * summaries. */
static bool is_flags(const char *path)
{
    const char *slash = strrchr(path, '/'), *base = slash != NULL ? slash + 1 : path;
    return strncmp(base, "flags-", 6) == 0;
}

/* All segments were made alike, or their rows do not add up to anything. */
static bool check_alike(const struct segments *s, const struct segment_item *item, struct err *e)
{
    for (size_t i = 0; i < s->n; i++) {
        const struct segment_item *first = &s->items[i];
        if (!first->good || first == item)
            continue;
        if (strcmp(first->head.config_hash, item->head.config_hash) == 0)
            return true;
        err_set(e,
                "%s was made with configuration %s, %s with %s: look at them apart, or replay them "
                "alike",
                first->path, first->head.config_hash, item->path, item->head.config_hash);
        return false;
    }
    return true;
}

static bool take(struct segments *s, const char *command, const char *path, struct err *e)
{
    struct segment_item *item = &s->items[s->n++];
    struct segment_reader *reader;
    struct err why;
    item->path = path;
    item->good = segment_open(&reader, path, &item->head, &why);
    if (!item->good) {
        fprintf(stderr, "tellscope %s: %s\n", command, why.text);
        s->damaged++;
        return true;
    }
    segment_close(reader);
    s->n_good++;
    return check_alike(s, item, e);
}

static void adopt_limits(struct segments *s)
{
    s->config = config_default();
    for (size_t i = 0; i < s->n; i++) {
        const struct segment_head *h = &s->items[i].head;
        if (!s->items[i].good)
            continue;
        s->config.seed = h->seed;
        s->config.scope = h->scope;
        segment_limits_get(h, &s->config);
        return;
    }
}

bool segments_open(struct segments *s, const char *command, char *const args[], size_t n_args,
                   struct err *e)
{
    *s = (struct segments){0};
    if (!paths_expand(&s->paths, args, n_args, PATHS_PACKED, e))
        return false;
    s->items = calloc(s->paths.n > 0 ? s->paths.n : 1, sizeof *s->items);
    s->seen = calloc(s->paths.n > 0 ? s->paths.n : 1, sizeof *s->seen);
    if (s->items == NULL || s->seen == NULL) {
        err_set(e, "out of memory");
        return false;
    }
    for (size_t i = 0; i < s->paths.n; i++) {
        const struct path_item *p = &s->paths.items[i];
        if (p->error != NULL) {
            fprintf(stderr, "tellscope %s: %s\n", command, p->error);
            s->failed++;
        } else if (!is_flags(p->path)
                   && (is_named(p->path, args, n_args) || looks_like_segment(p->path))) {
            if (!take(s, command, p->path, e))
                return false;
        }
    }
    if (s->n_good == 0 && s->damaged + s->failed == 0) {
        err_set(e, "no segment found; segments are files summary-*.ndjson.zst");
        return false;
    }
    adopt_limits(s);
    return true;
}

void segments_free(struct segments *s)
{
    paths_free(&s->paths);
    window_free(s->scratch);
    free(s->items);
    free(s->seen);
    *s = (struct segments){0};
}

void segments_span(const struct segments *s, uint64_t *start_s, uint64_t *end_s)
{
    *start_s = UINT64_MAX;
    *end_s = 0;
    for (size_t i = 0; i < s->n; i++) {
        const struct segment_head *h = &s->items[i].head;
        if (!s->items[i].good)
            continue;
        *start_s = h->start_s < *start_s ? h->start_s : *start_s;
        *end_s = h->start_s + h->length_s > *end_s ? h->start_s + h->length_s : *end_s;
    }
}

static bool seen_before(struct segments *s, const uint8_t sha256[32])
{
    for (size_t i = 0; i < s->n_seen; i++)
        if (memcmp(s->seen[i], sha256, 32) == 0)
            return true;
    memcpy(s->seen[s->n_seen++], sha256, 32);
    return false;
}

bool segments_read(struct segments *s, const char *command, size_t i, uint8_t sha256[32],
                   struct err *e)
{
    struct segment_item *item = &s->items[i];
    struct segment_reader *reader = NULL;
    struct segment_head head;
    struct err why;
    if (s->scratch == NULL && !window_new(&s->scratch, &s->config, e))
        return false;
    window_reset(s->scratch, item->head.start_s, item->head.length_s);
    bool ok = segment_open(&reader, item->path, &head, &why)
              && segment_read(reader, s->scratch, sha256, &why);
    segment_close(reader);
    if (!ok) {
        fprintf(stderr, "tellscope %s: %s\n", command, why.text);
        s->damaged++;
        item->good = false;
    }
    return true;
}

bool segments_next(struct segments *s, const char *command, size_t i, bool *fresh, struct err *e)
{
    uint8_t sha256[32];
    *fresh = false;
    if (!s->items[i].good)
        return true;
    if (!segments_read(s, command, i, sha256, e))
        return false;
    if (!s->items[i].good)
        return true;
    *fresh = !seen_before(s, sha256);
    s->twice += !*fresh;
    return true;
}

bool segments_add(struct segments *s, const char *command, size_t i, struct window *into,
                  struct err *e)
{
    bool fresh;
    if (!segments_next(s, command, i, &fresh, e))
        return false;
    if (fresh)
        window_merge(into, s->scratch);
    return true;
}

void segments_tell(const struct segments *s, const char *command)
{
    if (s->twice > 0)
        fprintf(
            stderr,
            "tellscope %s: %zu of %zu segments hold the same rows as another one: counted once\n",
            command, s->twice, s->n_good);
}
