/* Files of rows that are whole or absent: written aside, synced, renamed. */
#include "sinks/segment_file.h"

#include "sinks/rowjson.h"
#include "sinks/segment_batch.h"
#include "sinks/zstd_file.h"

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

/* What stands under the name already: nothing that matters, the same rows (`*same`), or other rows,
 * which only force replaces. */
static bool check_place(const char *aside, const char *path, bool force, bool *same, struct err *e)
{
    *same = access(path, F_OK) == 0 && same_rows(aside, path);
    if (*same || force || access(path, F_OK) != 0)
        return true;
    err_set(e, "%s exists with other content; --force replaces it", path);
    return false;
}

static bool place(const char *aside, const char *path, const char *dir,
                  const struct segment_options *o, struct err *e)
{
    if (o->batch != NULL)
        return segment_batch_add(o->batch, aside, path, dir, e);
    return segment_file_sync(aside, false, e) && segment_file_name(aside, path, e)
           && segment_file_sync(dir, true, e);
}

bool segment_place(const struct segment_content *c, const char *dir, const char *name,
                   const struct segment_options *o, struct err *e)
{
    char aside[PATH_MAX], path[PATH_MAX];
    int len = snprintf(path, sizeof path, "%s/%s", dir, name);
    int aside_len = snprintf(aside, sizeof aside, "%s/.%s.tmp-%ld", dir, name, (long)getpid());
    if (len < 0 || (size_t)len >= sizeof path || aside_len < 0
        || (size_t)aside_len >= sizeof aside) {
        err_set(e, "%s: path too long", dir);
        return false;
    }
    bool same = false;
    bool ok = write_aside(c, aside, e) && check_place(aside, path, o->force, &same, e)
              && (same || place(aside, path, dir, o, e));
    if (same || !ok)
        (void)unlink(aside); /* not there where it got its name */
    return ok;
}
