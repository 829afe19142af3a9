/* Files of rows that are whole or absent: written aside, synced, renamed. */
#include "sinks/segment_file.h"

#include "sinks/rowjson.h"
#include "sinks/segment_batch.h"
#include "sinks/zstd_file.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static bool same_lines(struct zstd_in *a, struct zstd_in *b)
{
    struct err ignored;
    const char *x, *y;
    size_t x_len, y_len;
    do {
        if (!zstd_in_line(a, ROWJSON_LINE_MAX, &x, &x_len, &ignored)
            || !zstd_in_line(b, ROWJSON_LINE_MAX, &y, &y_len, &ignored))
            return false;
        if (x_len != y_len || (x == NULL) != (y == NULL) || (x != NULL && memcmp(x, y, x_len) != 0))
            return false;
    } while (x != NULL);
    return true;
}

/* Do both files hold the same rows? A damaged one holds none. */
static bool same_rows(const char *a, const char *b)
{
    struct zstd_in *in_a = NULL, *in_b = NULL;
    struct err ignored;
    int fd_a = open(a, O_RDONLY | O_CLOEXEC), fd_b = open(b, O_RDONLY | O_CLOEXEC);
    bool same = fd_a >= 0 && fd_b >= 0 && zstd_in_new(&in_a, fd_a, 0, UINT64_MAX, &ignored)
                && zstd_in_new(&in_b, fd_b, 0, UINT64_MAX, &ignored) && same_lines(in_a, in_b);
    zstd_in_free(in_a);
    zstd_in_free(in_b);
    if (fd_a >= 0)
        close(fd_a);
    if (fd_b >= 0)
        close(fd_b);
    return same;
}

static bool failed(struct err *e, const char *what, const char *path)
{
    err_set(e, "%s %s: %s", what, path, strerror(errno));
    return false;
}

bool segment_file_sync(const char *path, bool directory, struct err *e)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | (directory ? O_DIRECTORY : 0));
    if (fd < 0)
        return failed(e, "open", path);
    bool ok = fsync(fd) == 0 || failed(e, "sync", path);
    close(fd);
    return ok;
}

bool segment_file_name(const char *aside, const char *path, struct err *e)
{
    return rename(aside, path) == 0 || failed(e, "rename to", path);
}

/* Writes the whole file `path`, which does not exist yet. */
static bool write_aside(const struct segment_content *c, const char *path, struct err *e)
{
    (void)unlink(path); /* of a run with our number that was killed */
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0)
        return failed(e, "create", path);
    bool ok = c->write(c->ctx, fd, e) || err_in(e, "%s", path);
    if (close(fd) != 0 && ok)
        ok = failed(e, "close", path);
    return ok;
}

/* The file that is to be placed, and where. */
struct placing {
    const char *dir, *name, *aside;
    const struct segment_options *o;
    char path[PATH_MAX];
};

/* Makes p->path of the `nth` file of this name: "X.ndjson.zst", "X~2.ndjson.zst" and so on. */
static bool make_path(struct placing *p, unsigned nth, struct err *e)
{
    static const char end[] = ".ndjson.zst";
    size_t len = strlen(p->name), kept = len, dir_len = strlen(p->dir) + 1;
    char mark[16] = "";
    if (len > sizeof end - 1 && strcmp(p->name + len - (sizeof end - 1), end) == 0)
        kept -= sizeof end - 1;
    if (nth > 1)
        snprintf(mark, sizeof mark, "~%u", nth);
    int n = snprintf(p->path, sizeof p->path, "%s/%.*s%s%s", p->dir, (int)kept, p->name, mark,
                     p->name + kept);
    if (n < 0 || (size_t)n >= sizeof p->path) {
        err_set(e, "%s: path too long", p->dir);
        return false;
    }
    if (p->o->name != NULL)
        snprintf(p->o->name, SEGMENT_NAME_SIZE, "%s", p->path + dir_len);
    return true;
}

static bool place(const struct placing *p, struct err *e)
{
    if (p->o->batch != NULL)
        return segment_batch_add(p->o->batch, p->aside, p->path, p->dir, e);
    return segment_file_sync(p->aside, false, e) && segment_file_name(p->aside, p->path, e)
           && segment_file_sync(p->dir, true, e);
}

/* The first name that is free, or whose file holds the same rows (`*same`). Other rows only force
 * replaces, without a look at them; appending leaves them where they are. */
static bool find_place(struct placing *p, bool *same, struct err *e)
{
    for (unsigned nth = 1; nth <= SEGMENT_SAME_MAX; nth++) {
        if (!make_path(p, nth, e))
            return false;
        bool taken = access(p->path, F_OK) == 0;
        *same = taken && !p->o->force && same_rows(p->aside, p->path);
        if (*same || !taken || p->o->force)
            return true;
        if (!p->o->append) {
            err_set(e, "%s exists with other content; --force replaces it", p->path);
            return false;
        }
    }
    err_set(e, "%s/%s: %d files of this name, with other content, exist", p->dir, p->name,
            SEGMENT_SAME_MAX);
    return false;
}

bool segment_place(const struct segment_content *c, const char *dir, const char *name,
                   const struct segment_options *o, struct err *e)
{
    char aside[PATH_MAX];
    struct placing p = {.dir = dir, .name = name, .aside = aside, .o = o};
    assert(!o->append || o->batch == NULL);
    int len = snprintf(aside, sizeof aside, "%s/.%s.tmp-%ld", dir, name, (long)getpid());
    if (len < 0 || (size_t)len >= sizeof aside) {
        err_set(e, "%s: path too long", dir);
        return false;
    }
    bool same = false;
    bool ok = write_aside(c, aside, e) && find_place(&p, &same, e) && (same || place(&p, e));
    if (same || !ok)
        (void)unlink(aside); /* not there where it got its name */
    return ok;
}
