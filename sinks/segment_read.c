#define _GNU_SOURCE /* strptime, timegm */
#include "sinks/segment.h"

#include "sinks/rowjson_value.h"
#include "sinks/segment_end.h"
#include "sinks/zstd_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

struct segment_reader {
    int fd;
    bool own; /* the descriptor is ours to close */
    char *what;
    struct zstd_in *in;
    struct sha256 *sha;
    uint64_t line; /* number of the line read last, from 1 */
    struct segment_head head;
};

/* Puts file and line in front. */
static bool at_line(const struct segment_reader *r, struct err *e)
{
    return err_in(e, "%s:%llu", r->what, (unsigned long long)r->line);
}

/* ---- the head */

static bool read_time(const json_t *v, uint64_t *s, struct err *e)
{
    const char *text = json_string_value(v);
    struct tm tm = {0};
    const char *rest = text != NULL ? strptime(text, "%Y-%m-%dT%H:%M:%SZ", &tm) : NULL;
    if (rest == NULL || *rest != '\0')
        return value_wrong(e, "no time such as 2018-02-28T12:00:00Z");
    time_t when = timegm(&tm);
    struct text_sink again = {0};
    bool same = false;
    if (when >= 0 && (uint64_t)when <= UINT64_MAX / 1000000000) {
        text_time(&again, (uint64_t)when * 1000000000, 0);
        same = again.p != NULL && strcmp(again.p, text) == 0;
    }
    text_free(&again);
    *s = (uint64_t)when;
    return same || value_wrong(e, "no time such as 2018-02-28T12:00:00Z");
}

static bool read_text(const json_t *v, char *to, size_t size, const char *chars, struct err *e)
{
    const char *text = json_string_value(v);
    if (text == NULL || strlen(text) >= size || strspn(text, chars) != strlen(text)) {
        err_set(e, "no text of up to %zu of the characters %s", size - 1, chars);
        return false;
    }
    memcpy(to, text, strlen(text) + 1);
    return true;
}

static bool read_schema(const json_t *row, struct err *e)
{
    static const char major[] = "tellscope.summary.v";
    const char *schema = json_string_value(json_object_get(row, "schema"));
    if (schema != NULL && strcmp(schema, SEGMENT_SCHEMA) == 0)
        return true;
    if (schema != NULL && strncmp(schema, "tellscope.flags.", 16) == 0)
        err_set(e, "flags, which tell of a summary: the summary is what is read");
    else if (schema != NULL && strncmp(schema, major, sizeof major - 1) == 0)
        err_set(e, "schema %.64s is not supported: this release reads " SEGMENT_SCHEMA, schema);
    else
        err_set(e, "no summary of tellscope: its schema is not " SEGMENT_SCHEMA);
    return false;
}

/* Limits that a configuration may have: more would be a way to make a reader run out of memory. */
static bool read_limits(json_t *v, struct segment_limits *limits, struct err *e)
{
    enum { ROWS_LOG_MAX = 26, STRINGS_LOG_MAX = 31 };
    if (v == NULL)
        return true;
    json_t *row = json_object();
    bool ok = row != NULL && json_object_set(row, "limits", v) == 0
                  ? rowjson_read_sums(segment_limit_fields, row, limits, e)
                  : value_wrong(e, "out of memory");
    json_decref(row);
    for (const struct field *f = segment_limit_fields; ok && f->type != F_END; f++) {
        uint64_t limit;
        memcpy(&limit, (const uint8_t *)limits + f->at, sizeof limit);
        bool strings = f->at == offsetof(struct segment_limits, string_bytes);
        if (limit > UINT64_C(1) << (strings ? STRINGS_LOG_MAX : ROWS_LOG_MAX))
            ok = value_wrong(e, "more than any configuration may say");
    }
    return ok;
}

static bool read_head_values(const json_t *row, struct segment_head *h, struct err *e)
{
    static const char alnum[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-+~";
    static const char hex[] = "0123456789abcdef";
    const json_t *interrupted = json_object_get(row, "interrupted");
    const json_t *rolled = json_object_get(row, "rolled_up_from_s");
    const char *seed = json_string_value(json_object_get(row, "seed"));
    const json_t *live = json_object_get(row, "live");
    json_t *limits = json_object_get(row, "limits");
    uint64_t end_s, scope;
    if (!read_text(json_object_get(row, "sensor"), h->sensor, sizeof h->sensor, alnum, e))
        return err_in(e, "\"sensor\"");
    if (h->sensor[0] == '\0')
        return value_wrong(e, "\"sensor\": empty");
    if (!read_time(json_object_get(row, "start"), &h->start_s, e))
        return err_in(e, "\"start\"");
    if (!read_time(json_object_get(row, "end"), &end_s, e))
        return err_in(e, "\"end\"");
    if (!value_number(json_object_get(row, "window_s"), 86400, &h->length_s, e))
        return err_in(e, "\"window_s\"");
    if (h->length_s == 0 || end_s != h->start_s + h->length_s)
        return value_wrong(e, "start, end and window_s do not fit together");
    if (!read_text(json_object_get(row, "release"), h->release, sizeof h->release, alnum, e))
        return err_in(e, "\"release\"");
    if (!read_text(json_object_get(row, "config"), h->config_hash, sizeof h->config_hash, hex, e))
        return err_in(e, "\"config\"");
    if (seed == NULL || !value_hex(seed, 16, &h->seed))
        return value_wrong(e, "\"seed\": not 16 hex digits");
    if (interrupted != NULL && !json_is_true(interrupted))
        return value_wrong(e, "\"interrupted\": may only be true");
    h->interrupted = interrupted != NULL;
    if (rolled != NULL
        && (!value_number(rolled, h->length_s - 1, &h->rolled_from_s, e) || h->rolled_from_s == 0))
        return value_wrong(e, "\"rolled_up_from_s\": no shorter window");
    if (!value_name(json_object_get(row, "scope"), segment_scope_names, 2, &scope, e))
        return err_in(e, "\"scope\"");
    h->scope = (uint8_t)scope;
    if (!read_limits(limits, &h->limits, e))
        return err_in(e, "\"limits\"");
    if (live != NULL && !segment_live_read(live, &h->live, e))
        return err_in(e, "\"live\"");
    if (json_object_size(row)
        != 10u + h->interrupted + (rolled != NULL) + (limits != NULL) + (live != NULL))
        return value_wrong(e, "a member that does not belong here");
    return true;
}

static bool read_head(struct segment_reader *r, struct err *e)
{
    const char *line, *kind;
    size_t len;
    r->line = 1;
    if (!zstd_in_line(r->in, ROWJSON_LINE_MAX, &line, &len, e))
        return false;
    if (line == NULL)
        return value_wrong(e, "empty");
    struct json_t *row = rowjson_parse(line, len, &kind, e);
    if (row == NULL)
        return false;
    r->head = (struct segment_head){0};
    bool ok = strcmp(kind, "segment") == 0
                  ? read_schema(row, e) && read_head_values(row, &r->head, e)
                  : value_wrong(e, "the first row is no \"segment\"");
    rowjson_drop(row);
    if (ok) {
        sha256_add(r->sha, line, len);
        sha256_add(r->sha, "\n", 1);
    }
    return ok;
}

bool segment_open_fd(struct segment_reader **out, int fd, uint64_t offset, uint64_t len,
                     const char *what, struct segment_head *h, struct err *e)
{
    struct segment_reader *r = calloc(1, sizeof *r);
    if (r == NULL || (r->what = strdup(what)) == NULL) {
        free(r);
        return value_wrong(e, "out of memory");
    }
    r->fd = fd;
    bool ok = (sha256_new(&r->sha, e) && zstd_in_new(&r->in, fd, offset, len, e) && read_head(r, e))
              || at_line(r, e);
    if (!ok) {
        segment_close(r);
        return false;
    }
    *h = r->head;
    *out = r;
    return true;
}

bool segment_open(struct segment_reader **r, const char *path, struct segment_head *h,
                  struct err *e)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe must not hold us up */
    if (fd < 0) {
        err_set(e, "open %s: %s", path, strerror(errno));
        return false;
    }
    if (!segment_open_fd(r, fd, 0, UINT64_MAX, path, h, e)) {
        close(fd);
        return false;
    }
    (*r)->own = true;
    return true;
}

void segment_close(struct segment_reader *r)
{
    if (r == NULL)
        return;
    zstd_in_free(r->in);
    sha256_free(r->sha);
    if (r->own)
        close(r->fd);
    free(r->what);
    free(r);
}

/* ---- rows */

enum phase { PHASE_ROWS, PHASE_OTHER, PHASE_TOTALS, PHASE_END };

static bool enter(enum phase *now, enum phase next, struct err *e)
{
    if (next < *now)
        return value_wrong(e, "row out of order");
    *now = next;
    return true;
}

static bool read_row(struct rowjson_reader *rows, const char *kind, struct json_t *row,
                     enum phase *phase, struct segment_end *seen, struct err *e)
{
    enum row_kind which;
    uint8_t client_kind;
    if (strcmp(kind, "other") == 0) {
        seen->rows[SEGMENT_END_OTHER]++;
        return enter(phase, PHASE_OTHER, e) && rowjson_read_other(rows, row, e);
    }
    if (strcmp(kind, "totals") == 0) {
        seen->rows[SEGMENT_END_TOTALS]++;
        return enter(phase, PHASE_TOTALS, e) && rowjson_read_totals(rows, row, e);
    }
    if (!rowjson_kind_find(kind, &which, &client_kind)) {
        err_set(e, "\"%.64s\" is no kind of row", kind);
        return false;
    }
    seen->rows[segment_end_slot(which, client_kind)]++;
    return enter(phase, PHASE_ROWS, e) && rowjson_read_row(rows, which, client_kind, row, e);
}

static bool read_end(struct segment_reader *r, struct json_t *row, const struct segment_end *seen,
                     uint8_t sha256[32], struct err *e)
{
    struct segment_end_format format;
    struct segment_end told = {0};
    char hex[65] = "";
    if (!sha256_get(r->sha, sha256))
        return value_wrong(e, "SHA-256 failed");
    for (int i = 0; i < 32; i++)
        snprintf(hex + 2 * i, 3, "%02x", sha256[i]);
    const char *hash = json_string_value(json_object_get(row, "sha256"));
    if (hash == NULL || strcmp(hash, hex) != 0)
        return value_wrong(e, "the rows are not those that were written: their SHA-256 differs");
    (void)json_object_del(row, "sha256");
    (void)json_object_del(row, "kind");
    segment_end_format(&format);
    if (!rowjson_read_sums(format.fields, row, &told, e))
        return err_in(e, "end");
    if (memcmp(told.rows, seen->rows, sizeof told.rows) != 0)
        return value_wrong(e, "end: its row counts are not those of the rows");
    if (memcmp(&told, seen, sizeof told) != 0)
        return value_wrong(e, "end: its ledger is not that of the totals");
    uint64_t sum = 0;
    for (int o = 0; o < OUT_N; o++)
        sum += told.outcome[o];
    if (sum != told.read)
        return value_wrong(e, "end: the outcomes do not add up to the packets read");
    return true;
}

/* Reads to the end row. */
static bool read_rows(struct segment_reader *r, struct rowjson_reader *rows, uint8_t sha256[32],
                      struct err *e)
{
    struct segment_end seen = {0};
    enum phase phase = PHASE_ROWS;
    const char *line, *kind;
    size_t len;
    while (phase != PHASE_END) {
        r->line++;
        if (!zstd_in_line(r->in, ROWJSON_LINE_MAX, &line, &len, e))
            return false;
        if (line == NULL)
            return value_wrong(e, "the file ends before its end row");
        struct json_t *row = rowjson_parse(line, len, &kind, e);
        if (row == NULL)
            return false;
        bool ok;
        if (strcmp(kind, "end") == 0) {
            segment_end_ledger(&seen, &rows->totals);
            ok = phase == PHASE_TOTALS ? read_end(r, row, &seen, sha256, e)
                                       : value_wrong(e, "no totals before the end row");
            phase = PHASE_END;
        } else {
            ok = read_row(rows, kind, row, &phase, &seen, e);
            sha256_add(r->sha, line, len);
            sha256_add(r->sha, "\n", 1);
        }
        rowjson_drop(row);
        if (!ok)
            return false;
    }
    r->line++;
    if (!zstd_in_line(r->in, ROWJSON_LINE_MAX, &line, &len, e))
        return false;
    return line == NULL || value_wrong(e, "rows after the end row");
}

bool segment_read(struct segment_reader *r, struct window *w, uint8_t sha256[32], struct err *e)
{
    const struct segment_head *h = &r->head;
    uint64_t start_s = window_start_s(w), end_s = start_s + window_length_s(w);
    uint8_t digest[32];
    if (h->start_s < start_s || h->start_s + h->length_s > end_s) {
        value_wrong(e, "lies outside the window it is read into");
        return err_in(e, "%s", r->what);
    }
    struct rowjson_reader *rows = malloc(sizeof *rows);
    if (rows == NULL) {
        value_wrong(e, "out of memory");
        return err_in(e, "%s", r->what);
    }
    bool ok =
        rowjson_reader_init(rows, w, h->start_s, h->length_s, e) && read_rows(r, rows, digest, e);
    rowjson_reader_free(rows);
    free(rows);
    if (ok && sha256 != NULL)
        memcpy(sha256, digest, sizeof digest);
    return ok || at_line(r, e);
}
