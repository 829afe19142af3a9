#include "sinks/segment.h"

#include "sinks/segment_end.h"
#include "sinks/segment_file.h"
#include "sinks/zstd_file.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

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
    segment_live_put(t, &h->live);
    text_puts(t, "}\n");
}

/* Sorted, rows lie anywhere. */
enum { ROWS_AHEAD = 4 };
static inline __attribute__((always_inline)) void prefetch_row(const void *row, size_t size)
{
    for (size_t at = 0; at < size; at += 64)
        __builtin_prefetch((const char *)row + at);
}

static bool put_rows(struct rowjson_writer *r, struct zstd_out *z, struct segment_end *end,
                     struct err *e)
{
    for (int k = 0; k < ROW_TALLY; k++) {
        enum row_kind kind = (enum row_kind)k;
        size_t n;
        void *const *rows = window_rows(r->w, kind, &n);
        for (size_t i = 0; i < n; i++) {
            if (i + ROWS_AHEAD < n)
                prefetch_row(rows[i + ROWS_AHEAD], row_types[kind].size);
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

void segment_name(const struct segment_head *h, char name[static SEGMENT_NAME_SIZE])
{
    struct text_sink start = {0}, end = {0};
    text_time_compact(&start, h->start_s);
    text_time_compact(&end, h->start_s + h->length_s);
    snprintf(name, SEGMENT_NAME_SIZE, "summary-%s-%s-%s.ndjson.zst", h->sensor,
             start.p != NULL ? start.p : "", end.p != NULL ? end.p : "");
    text_free(&start);
    text_free(&end);
}

struct rows_of {
    struct window *w;
    const struct segment_head *h;
    int zstd_level;
    uint8_t *sha256;
};

static bool write_rows(void *ctx, int fd, struct err *e)
{
    const struct rows_of *r = ctx;
    return segment_write_fd(r->w, r->h, fd, r->zstd_level, r->sha256, e);
}

bool segment_write(struct window *w, const struct segment_head *h, const char *dir,
                   const struct segment_options *o, uint8_t sha256[32], struct err *e)
{
    char name[SEGMENT_NAME_SIZE];
    segment_name(h, name);
    struct rows_of rows = {w, h, o->zstd_level, sha256};
    return segment_place(&(struct segment_content){write_rows, &rows}, dir, name, o, e)
           || err_in(e, "write segment");
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
    struct rows_of rows = {w, h, o->zstd_level, sha256};
    bool ok = segment_place(&(struct segment_content){write_rows, &rows}, dir,
                            slash != NULL ? slash + 1 : path, o, e);
    free(dir);
    return ok || err_in(e, "write segment");
}
