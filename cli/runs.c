#define _GNU_SOURCE /* O_TMPFILE */
#include "cli/runs.h"

#include "enrich/cert.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct run {
    uint64_t start_s, offset, len;
};

struct runs {
    pthread_mutex_t lock; /* windows leave on the threads that fill them */
    const struct config *config;
    char dir[4096];
    int fd;
    uint64_t end;
    struct run *list;
    size_t n, cap;
    struct window *scratch;
    struct cert_notes *notes;
};

bool runs_new(struct runs **out, const struct config *config, const char *dir, struct err *e)
{
    struct runs *r = calloc(1, sizeof *r);
    if (r == NULL) {
        err_set(e, "out of memory");
        return false;
    }
    if (dir == NULL)
        dir = getenv("TMPDIR") != NULL ? getenv("TMPDIR") : "/tmp";
    snprintf(r->dir, sizeof r->dir, "%s", dir);
    r->config = config;
    r->fd = -1;
    pthread_mutex_init(&r->lock, NULL);
    if (!cert_notes_new(&r->notes, config, cert_facts, e)) {
        runs_free(r);
        return false;
    }
    *out = r;
    return true;
}

void runs_free(struct runs *r)
{
    if (r == NULL)
        return;
    if (r->fd >= 0)
        close(r->fd);
    window_free(r->scratch);
    cert_notes_free(r->notes);
    pthread_mutex_destroy(&r->lock);
    free(r->list);
    free(r);
}

static bool open_file(struct runs *r, struct err *e)
{
    if (r->fd >= 0)
        return true;
    r->fd = open(r->dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (r->fd < 0) { /* a file system without O_TMPFILE */
        char name[4200];
        snprintf(name, sizeof name, "%s/.tellscope-runs-XXXXXX", r->dir);
        r->fd = mkstemp(name);
        if (r->fd >= 0)
            unlink(name);
    }
    if (r->fd < 0)
        err_set(e, "temporary file in %s: %s", r->dir, strerror(errno));
    return r->fd >= 0;
}

static bool put_aside(struct runs *r, struct window *w, struct err *e)
{
    if (r->n == r->cap) {
        size_t cap = r->cap == 0 ? 64 : r->cap * 2;
        struct run *list = realloc(r->list, cap * sizeof *list);
        if (list == NULL) {
            err_set(e, "out of memory");
            return false;
        }
        r->list = list;
        r->cap = cap;
    }
    struct segment_head head = {.start_s = window_start_s(w), .length_s = window_length_s(w)};
    segment_head_config(&head, r->config);
    window_cert_facts(w, r->notes);
    if (!open_file(r, e) || !segment_write_fd(w, &head, r->fd, 1, NULL, e))
        return err_in(e, "put a window aside");
    off_t end = lseek(r->fd, 0, SEEK_CUR);
    r->list[r->n++] = (struct run){head.start_s, r->end, (uint64_t)end - r->end};
    r->end = (uint64_t)end;
    return true;
}

static struct window *leave(void *ctx, struct window *w, struct err *e)
{
    struct runs *r = ctx;
    pthread_mutex_lock(&r->lock);
    bool ok = put_aside(r, w, e);
    pthread_mutex_unlock(&r->lock);
    return ok ? w : NULL;
}

struct cert_notes *runs_notes(struct runs *r)
{
    return r->notes;
}

struct windows_spill runs_spill(struct runs *r)
{
    return (struct windows_spill){.leave = leave, .ctx = r};
}

static int by_start(const void *a, const void *b)
{
    const struct run *x = a, *y = b;
    return (x->start_s > y->start_s) - (x->start_s < y->start_s);
}

static bool has_run(const struct runs *r, uint64_t start_s)
{
    for (size_t i = 0; i < r->n; i++)
        if (r->list[i].start_s == start_s)
            return true;
    return false;
}

/* An open window that left memory before joins its other runs. */
static bool settle(struct runs *r, struct windows *ws, struct err *e)
{
    unsigned n;
    struct window *const *open = windows_open(ws, &n);
    for (unsigned i = 0; i < n; i++) {
        if (!has_run(r, window_start_s(open[i])))
            continue;
        if (!put_aside(r, open[i], e))
            return false;
        window_reset(open[i], window_start_s(open[i]), r->config->window_s);
    }
    if (r->n > 1)
        qsort(r->list, r->n, sizeof *r->list, by_start);
    return true;
}

bool runs_span(struct runs *r, struct windows *ws, uint64_t *start_s, uint64_t *end_s)
{
    unsigned n;
    struct window *const *open = windows_open(ws, &n);
    if (n == 0 && r->n == 0)
        return false;
    uint64_t first = n > 0 ? window_start_s(open[0]) : r->list[0].start_s;
    uint64_t last = n > 0 ? window_start_s(open[n - 1]) : first;
    for (size_t i = 0; i < r->n; i++) {
        first = r->list[i].start_s < first ? r->list[i].start_s : first;
        last = r->list[i].start_s > last ? r->list[i].start_s : last;
    }
    *start_s = first;
    *end_s = last + r->config->window_s;
    return true;
}

/* Reads the runs [from, to), all of one window, into the scratch window. */
static bool gather(struct runs *r, size_t from, size_t to, struct err *e)
{
    if (r->scratch == NULL && !window_new(&r->scratch, r->config, e))
        return false;
    window_reset(r->scratch, r->list[from].start_s, r->config->window_s);
    for (size_t i = from; i < to; i++) {
        struct segment_reader *reader;
        struct segment_head head;
        if (!segment_open_fd(&reader, r->fd, r->list[i].offset, r->list[i].len, "temporary file",
                             &head, e))
            return false;
        bool ok = segment_read(reader, r->scratch, NULL, e);
        segment_close(reader);
        if (!ok)
            return false;
    }
    return true;
}

static size_t count_windows(const struct runs *r, unsigned n_open)
{
    size_t n = n_open;
    for (size_t i = 0; i < r->n; i++)
        n += i == 0 || r->list[i].start_s != r->list[i - 1].start_s;
    return n;
}

bool runs_finish(struct runs *r, struct windows *ws,
                 bool (*each)(void *ctx, struct window *w, size_t of, struct err *e), void *ctx,
                 struct err *e)
{
    if (!settle(r, ws, e))
        return false;
    unsigned n_open, o = 0;
    struct window *const *open = windows_open(ws, &n_open);
    size_t of = count_windows(r, n_open), i = 0;
    while (o < n_open || i < r->n) {
        bool in_memory = o < n_open && (i == r->n || window_start_s(open[o]) < r->list[i].start_s);
        struct window *w;
        if (in_memory) {
            w = open[o++];
        } else {
            size_t to = i + 1;
            while (to < r->n && r->list[to].start_s == r->list[i].start_s)
                to++;
            if (!gather(r, i, to, e))
                return false;
            i = to;
            w = r->scratch;
        }
        if (!each(ctx, w, of, e))
            return false;
    }
    return true;
}
