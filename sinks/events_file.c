#define _GNU_SOURCE /* asprintf */
#include "sinks/events_file.h"

#include "sinks/zstd_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 1 << 20 }; /* of a file that is read to be compared; ours are far shorter */

struct events_file {
    char *path, *aside;
    int fd;       /* of `aside`; -1: none */
    bool created; /* `aside` exists */
    bool failed;
    struct err why;
    struct zstd_out *out;
    bool any; /* a line was written */
};

/* A name of its own: two runs into one folder must not write into each other's file. */
static bool create_aside(struct events_file *f, const char *dir, const char *name)
{
    for (unsigned attempt = 0; attempt < 100; attempt++) {
        free(f->aside);
        if (asprintf(&f->aside, "%s/.%s.%ld-%u", dir, name, (long)getpid(), attempt) < 0) {
            f->aside = NULL;
            return false;
        }
        f->fd = open(f->aside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        f->created = f->fd >= 0;
        if (f->created || errno != EEXIST)
            return f->created;
    }
    return false;
}

bool events_file_new(struct events_file **out, const char *dir, const char *name, int zstd_level,
                     struct err *e)
{
    struct events_file *f = calloc(1, sizeof *f);
    if (f == NULL) {
        err_set(e, "out of memory");
        return false;
    }
    f->fd = -1;
    if (asprintf(&f->path, "%s/%s", dir, name) < 0)
        f->path = NULL;
    if (f->path == NULL || !create_aside(f, dir, name)) {
        err_set(e, "create %s/%s: %s", dir, name, strerror(errno));
        events_file_free(f);
        return false;
    }
    if (!zstd_out_new(&f->out, f->fd, zstd_level, e)) {
        events_file_free(f);
        return false;
    }
    *out = f;
    return true;
}

struct text_sink *events_file_text(struct events_file *f)
{
    return zstd_out_text(f->out);
}

void events_file_line(struct events_file *f)
{
    if (f->failed) {
        zstd_out_text(f->out)->len = 0; /* nobody takes it any more */
        return;
    }
    f->any = true;
    f->failed = !zstd_out_line(f->out, &f->why);
}

/* Does `path` hold lines of this digest? A file that cannot be read holds others. */
static bool same_lines(const char *path, const uint8_t want[32])
{
    struct err ignored;
    struct zstd_in *in = NULL;
    struct sha256 *sum = NULL;
    uint8_t got[32];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool good =
        fd >= 0 && zstd_in_new(&in, fd, 0, UINT64_MAX, &ignored) && sha256_new(&sum, &ignored);
    for (bool more = good; more;) {
        const char *line;
        size_t len;
        good = zstd_in_line(in, LINE_MAX_BYTES, &line, &len, &ignored);
        more = good && line != NULL;
        if (more) {
            sha256_add(sum, line, len);
            sha256_add(sum, "\n", 1);
        }
    }
    good = good && sha256_get(sum, got) && memcmp(got, want, sizeof got) == 0;
    sha256_free(sum);
    zstd_in_free(in);
    if (fd >= 0)
        close(fd);
    return good;
}

static void sync_folder_of(const char *path)
{
    char *dir = strndup(path, (size_t)(strrchr(path, '/') - path));
    int fd = dir == NULL ? -1 : open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        fsync(fd);
        close(fd);
    }
    free(dir);
}

/* A file of no bytes is no zstd file: no lines are one empty frame (RFC 8878 3.1.1), without a
 * checksum. */
static bool write_no_lines(const struct events_file *f)
{
    static const uint8_t frame[] = {0x28, 0xb5, 0x2f, 0xfd, 0x20, 0x00, 0x01, 0x00, 0x00};
    return write(f->fd, frame, sizeof frame) == (ssize_t)sizeof frame;
}

/* Everything is on the disk, and its digest known. */
static bool finish_aside(struct events_file *f, uint8_t digest[32], struct err *e)
{
    if (f->failed) {
        *e = f->why;
        return false;
    }
    if (!zstd_out_end(f->out, e) || !zstd_out_sha256(f->out, digest, e))
        return false;
    bool synced = (f->any || write_no_lines(f)) && fsync(f->fd) == 0;
    int why = errno;
    bool closed = close(f->fd) == 0;
    f->fd = -1;
    if (synced && closed)
        return true;
    err_set(e, "%s", strerror(synced ? errno : why));
    return false;
}

bool events_file_commit(struct events_file *f, bool force, struct err *e)
{
    uint8_t digest[32];
    if (!finish_aside(f, digest, e))
        return err_in(e, "write %s", f->aside);
    if (access(f->path, F_OK) == 0) {
        if (same_lines(f->path, digest))
            return true; /* events_file_free removes the copy */
        if (!force) {
            err_set(e, "%s exists with other content; --force replaces it", f->path);
            return false;
        }
    }
    if (rename(f->aside, f->path) != 0) {
        err_set(e, "rename %s to %s: %s", f->aside, f->path, strerror(errno));
        return false;
    }
    f->created = false;
    sync_folder_of(f->path);
    return true;
}

void events_file_free(struct events_file *f)
{
    if (f == NULL)
        return;
    zstd_out_free(f->out);
    if (f->fd >= 0)
        close(f->fd);
    if (f->created)
        unlink(f->aside);
    free(f->path);
    free(f->aside);
    free(f);
}
