#include "sinks/segment_batch.h"

#include "sinks/segment_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct segment_pending {
    char *aside, *path, *dir;
};

bool segment_batch_add(struct segment_batch *b, const char *aside, const char *path,
                       const char *dir, struct err *e)
{
    if (b->n == b->cap) {
        size_t cap = b->cap == 0 ? 64 : b->cap * 2;
        struct segment_pending *more = realloc(b->pending, cap * sizeof *more);
        if (more == NULL) {
            err_set(e, "out of memory");
            return false;
        }
        b->pending = more;
        b->cap = cap;
    }
    struct segment_pending p = {strdup(aside), strdup(path), strdup(dir)};
    if (p.aside == NULL || p.path == NULL || p.dir == NULL) {
        free(p.aside), free(p.path), free(p.dir);
        err_set(e, "out of memory");
        return false;
    }
    b->pending[b->n++] = p;
    return true;
}

bool segment_batch_commit(struct segment_batch *b, struct err *e)
{
    bool ok = true;
    for (size_t i = 0; ok && i < b->n;
         i++) /* all of them, so that the first sync writes the data of every one */
        ok = segment_file_sync(b->pending[i].aside, false, e);
    size_t named = 0;
    for (; ok && named < b->n; named++)
        ok = segment_file_name(b->pending[named].aside, b->pending[named].path, e);
    for (size_t i = 0; i < named; i++)
        if (i + 1 == named || strcmp(b->pending[i].dir, b->pending[i + 1].dir) != 0)
            ok = segment_file_sync(b->pending[i].dir, true, e) && ok;
    for (size_t i = 0; i < b->n; i++) {
        (void)unlink(b->pending[i].aside); /* not there where it was named */
        free(b->pending[i].aside), free(b->pending[i].path), free(b->pending[i].dir);
    }
    free(b->pending);
    *b = (struct segment_batch){0};
    return ok;
}
