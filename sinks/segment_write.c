#include "sinks/segment.h"

#include "sinks/segment_batch.h"
#include "sinks/segment_file.h"

#include "sinks/segment_end.h"
#include "sinks/zstd_file.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- rows */

static void put_head(struct rowjson_writer *r, const struct segment_head *h)
{
    struct text_sink *t = r->out;
    text_puts(t, "{\"kind\":\"segment\",\"schema\":\"" SEGMENT_SCHEMA "\",\"sensor\":");
    rowjson_string(t, h->sensor, strlen(h->sensor));
    text_puts(t, ",\"start\":\"");
    text_time(t, h->start_s * 1000000000, 0);
    text_puts(t, "\",\"end\":\"");
    text_time(t, (h->start_s + h->length_s) * 1000000000, 0);
    text_printf(t, "\",\"window_s\":%llu,\"release\":", (unsigned long long)h->length_s);
    rowjson_string(t, h->release, strlen(h->release));
    text_puts(t, ",\"config\":");
    rowjson_string(t, h->config_hash, strlen(h->config_hash));
    text_printf(t, ",\"seed\":\"%016llx\"", (unsigned long long)h->seed);
    text_printf(t, ",\"scope\":\"%s\"", segment_scope_names[h->scope == SCOPE_ALL]);
    rowjson_sums(r, segment_limit_fields, &h->limits);
    if (h->interrupted)
        text_puts(t, ",\"interrupted\":true");
    if (h->rolled_from_s != 0)
        text_printf(t, ",\"rolled_up_from_s\":%llu", (unsigned long long)h->rolled_from_s);
    text_puts(t, "}\n");
}

static bool put_rows(struct rowjson_writer *r, struct zstd_out *z, struct segment_end *end,
                     struct err *e)
{
    for (int k = 0; k < ROW_TALLY; k++) {
        enum row_kind kind = (enum row_kind)k;
        size_t n;
        void *const *rows = window_rows(r->w, kind, &n);
        for (size_t i = 0; i < n; i++) {
            rowjson_row(r, kind, rows[i]);
            if (!zstd_out_line(z, e))
                return false;
            uint8_t who = kind == ROW_CLIENT ? ((const struct row_client *)rows[i])->key.client.kind
                                             : CLIENT_NONE;
            end->rows[segment_end_slot(kind, who)]++;
        }
    }
    for (int kind = 0; kind < ROW_KIND_N; kind++) {
        const void *row = window_other(r->w, (enum row_kind)kind);
        if (row == NULL)
            continue;
        rowjson_other(r, (enum row_kind)kind, row);
        end->rows[SEGMENT_END_OTHER]++;
        if (!zstd_out_line(z, e))
            return false;
    }
    return true;
}

static bool put_totals(struct rowjson_writer *r, struct zstd_out *z, struct segment_end *end,
                       struct err *e)
{
    struct rowjson_cursor cursor = {0};
    bool more = true;
    while (more) {
        text_puts(r->out, "{\"kind\":\"totals\"");
        if (cursor.part > 0)
            text_printf(r->out, ",\"part\":%u", cursor.part + 1);
        more = rowjson_totals(r, &cursor, ROWJSON_PART_MAX);
        text_puts(r->out, "}\n");
        end->rows[SEGMENT_END_TOTALS]++;
        if (!zstd_out_line(z, e))
            return false;
    }
    return true;
}

static bool put_end(struct rowjson_writer *r, struct zstd_out *z, struct segment_end *end,
                    uint8_t sha256[32], struct err *e)
{
    struct segment_end_format format;
    if (!zstd_out_sha256(z, sha256, e))
        return false;
    segment_end_ledger(end, window_totals(r->w));
    segment_end_format(&format);
    text_puts(r->out, "{\"kind\":\"end\"");
    rowjson_sums(r, format.fields, end);
    text_puts(r->out, ",\"sha256\":\"");
    for (int i = 0; i < 32; i++)
        text_printf(r->out, "%02x", sha256[i]);
    text_puts(r->out, "\"}\n");
    return zstd_out_line(z, e) && zstd_out_end(z, e);
}

bool segment_write_fd(struct window *w, const struct segment_head *h, int fd, int zstd_level,
                      uint8_t sha256[32], struct err *e)
{
    assert(h->start_s == window_start_s(w) && h->length_s == window_length_s(w));
    struct zstd_out *z = NULL;
    struct segment_end end = {0};
    uint8_t digest[32];
    struct rowjson_writer *r = malloc(sizeof *r);
    if (r == NULL) {
        err_set(e, "out of memory");
        return false;
    }
    bool ok = zstd_out_new(&z, fd, zstd_level, e);
    if (ok) {
        rowjson_writer_init(r, w, zstd_out_text(z));
        put_head(r, h);
        ok = put_rows(r, z, &end, e) && put_totals(r, z, &end, e) && put_end(r, z, &end, digest, e);
    }
    if (ok && sha256 != NULL)
        memcpy(sha256, digest, sizeof digest);
    zstd_out_free(z);
    free(r);
    return ok;
}

/* ---- files */

void segment_name(const struct segment_head *h, char name[static 160])
{
    struct text_sink start = {0}, end = {0};
    text_time_compact(&start, h->start_s);
    text_time_compact(&end, h->start_s + h->length_s);
    snprintf(name, 160, "summary-%s-%s-%s.ndjson.zst", h->sensor, start.p != NULL ? start.p : "",
             end.p != NULL ? end.p : "");
    text_free(&start);
    text_free(&end);
}

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
static bool write_aside(struct window *w, const struct segment_head *h, const char *path,
                        int zstd_level, uint8_t sha256[32], struct err *e)
{
    (void)unlink(path); /* of a run with our number that was killed */
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0)
        return failed(e, "create", path);
    bool ok = segment_write_fd(w, h, fd, zstd_level, sha256, e) || err_in(e, "%s", path);
    if (close(fd) != 0 && ok)
        ok = failed(e, "close", path);
    return ok;
}

/* What stands under the name already: nothing that matters, the same rows (`*same`), or other rows, which only force replaces. */
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

static bool write_as(struct window *w, const struct segment_head *h, const char *dir,
                     const char *name, const struct segment_options *o, uint8_t sha256[32],
                     struct err *e)
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
    bool ok = write_aside(w, h, aside, o->zstd_level, sha256, e)
              && check_place(aside, path, o->force, &same, e)
              && (same || place(aside, path, dir, o, e));
    if (same || !ok)
        (void)unlink(aside); /* not there where it got its name */
    return ok;
}

bool segment_write(struct window *w, const struct segment_head *h, const char *dir,
                   const struct segment_options *o, uint8_t sha256[32], struct err *e)
{
    char name[160];
    segment_name(h, name);
    return write_as(w, h, dir, name, o, sha256, e) || err_in(e, "write segment");
}

bool segment_write_file(struct window *w, const struct segment_head *h, const char *path,
                        const struct segment_options *o, uint8_t sha256[32], struct err *e)
{
    const char *slash = strrchr(path, '/');
    char *dir = slash == NULL   ? strdup(".")
                : slash == path ? strdup("/")
                                : strndup(path, (size_t)(slash - path));
    if (dir == NULL) {
        err_set(e, "out of memory");
        return err_in(e, "write segment");
    }
    bool ok = write_as(w, h, dir, slash != NULL ? slash + 1 : path, o, sha256, e);
    free(dir);
    return ok || err_in(e, "write segment");
}
