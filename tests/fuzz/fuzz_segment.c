/* Segments and their rows. First byte even: the rest is a file. Odd: the rest is rows, a line each,
 * which are read without their frame; then what was read must be written and read again as the same
 * bytes. */
#define _GNU_SOURCE /* memfd_create */
#include "sinks/rowjson.h"
#include "sinks/segment.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { WINDOW_S = 3600 };
#define START_S UINT64_C(1519819200)

static struct config config;
static struct window *read_to, *again;

static void set_up(void)
{
    struct err e;
    config = config_default();
    config.limits.peers = config.limits.tls = config.limits.hellos =
        8; /* so that tables get full */
    config.limits.clients = config.limits.coverage = config.limits.bindings = 64;
    config.limits.ntp = config.limits.dns = config.limits.tallies = 64;
    config.limits.string_bytes = 1 << 20;
    if (!window_new(&read_to, &config, &e) || !window_new(&again, &config, &e))
        abort();
}

static bool read_file(const uint8_t *data, size_t size, struct window *w)
{
    struct segment_reader *r = NULL;
    struct segment_head h;
    struct err e = {""};
    int fd = memfd_create("segment", MFD_CLOEXEC);
    if (fd < 0 || (size > 0 && write(fd, data, size) != (ssize_t)size))
        abort();
    bool ok = segment_open_fd(&r, fd, 0, size, "fuzz", &h, &e);
    if (ok) {
        window_reset(w, h.start_s, h.length_s);
        ok = segment_read(r, w, NULL, &e);
    }
    if (!ok && strncmp(e.text, "fuzz", 4) != 0)
        abort(); /* an error names its file */
    segment_close(r);
    close(fd);
    return ok;
}

static bool read_line(struct rowjson_reader *r, const char *line, size_t len)
{
    struct err e = {""};
    const char *kind;
    enum row_kind which;
    uint8_t client_kind;
    bool ok = false;
    struct json_t *row = rowjson_parse(line, len, &kind, &e);
    if (row != NULL && strcmp(kind, "other") == 0)
        ok = rowjson_read_other(r, row, &e);
    else if (row != NULL && strcmp(kind, "totals") == 0)
        ok = rowjson_read_totals(r, row, &e);
    else if (row != NULL && rowjson_kind_find(kind, &which, &client_kind))
        ok = rowjson_read_row(r, which, client_kind, row, &e);
    else
        err_set(&e, "no kind of row");
    if (row != NULL)
        rowjson_drop(row);
    if (!ok && e.text[0] == '\0')
        abort();
    return ok;
}

static bool read_lines(const char *p, size_t size, struct window *w)
{
    static struct rowjson_reader r;
    struct err e;
    bool ok = true;
    window_reset(w, START_S, WINDOW_S);
    if (!rowjson_reader_init(&r, w, START_S, WINDOW_S, &e))
        abort();
    while (ok && size > 0) {
        const char *newline = memchr(p, '\n', size);
        size_t len = newline != NULL ? (size_t)(newline - p) : size;
        ok = read_line(&r, p, len);
        p += len + (newline != NULL);
        size -= len + (newline != NULL);
    }
    rowjson_reader_free(&r);
    return ok;
}

static bool balanced(const struct totals *t)
{
    uint64_t sum = 0;
    for (int o = 0; o < OUT_N; o++)
        sum += t->packets.outcome[o];
    return sum == t->packets.read && sum <= INT64_MAX;
}

static uint8_t *written(struct window *w, size_t *len)
{
    struct segment_head h = {.sensor = "fuzz",
                             .release = "0",
                             .config_hash = "0",
                             .start_s = window_start_s(w),
                             .length_s = window_length_s(w)};
    struct err e;
    int fd = memfd_create("segment", MFD_CLOEXEC);
    if (fd < 0 || !segment_write_fd(w, &h, fd, 1, NULL, &e))
        abort();
    *len = (size_t)lseek(fd, 0, SEEK_END);
    uint8_t *p = malloc(*len);
    if (p == NULL || pread(fd, p, *len, 0) != (ssize_t)*len)
        abort();
    close(fd);
    return p;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (read_to == NULL)
        set_up();
    if (size == 0)
        return 0;
    uint8_t *exact = malloc(size); /* exact size, on the heap: an over-read of one shows */
    memcpy(exact, data + 1, size - 1);
    bool ok = data[0] % 2 == 0 ? read_file(exact, size - 1, read_to)
                               : read_lines((const char *)exact, size - 1, read_to);
    free(exact);
    if (!ok || !balanced(window_totals(read_to)))
        return 0;
    size_t first_len, second_len;
    uint8_t *first = written(read_to, &first_len);
    if (!read_file(first, first_len, again))
        abort(); /* what we write, we read */
    uint8_t *second = written(again, &second_len);
    if (first_len != second_len || memcmp(first, second, first_len) != 0)
        abort();
    free(first);
    free(second);
    return 0;
}
