#include "cli/commands.h"
#include "cli/options.h"
#include "cli/segments.h"
#include "core/config_value.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { OPT_OUTPUT, OPT_WINDOW, OPT_SENSOR, OPT_FORCE, OPT_N };

static const struct option_def defs[OPT_N] = {
    [OPT_OUTPUT] = {'o', "output", "FILE|DIR",
                    "the merged segment; into a directory, one a window"},
    [OPT_WINDOW] = {0, "window", "SECONDS", "roll up into windows of this length: 3600, 1h, 1d"},
    [OPT_SENSOR] = {0, "sensor", "NAME", "sensor of the result; default: theirs, or \"merged\""},
    [OPT_FORCE] = {0, "force", NULL, "replace a file that says something else"},
};
static const struct usage usage = {"merge", "SEGMENT|DIR ...",
                                   "Makes one segment out of many. Segments of one window give "
                                   "exactly what one run over all their captures\n"
                                   "would have given. A roll-up into longer windows (--window) "
                                   "keeps every count, but sessions alive in several\n"
                                   "windows are counted in each, coverage is told in longer slots, "
                                   "and what happened when inside a window is lost.",
                                   defs, OPT_N};

struct merge {
    struct segments s;
    const char *output;
    uint64_t window_s; /* 0: that of the segments */
    char sensor[CONFIG_NAME_LEN];
    struct segment_options options;
};

/* The window of the result that holds segment `h`. */
static uint64_t start_of(const struct merge *m, const struct segment_head *h)
{
    return m->window_s == 0 ? h->start_s : h->start_s / m->window_s * m->window_s;
}

static bool check_inside(const struct merge *m, const struct segment_item *item, struct err *e)
{
    uint64_t length = m->window_s == 0 ? item->head.length_s : m->window_s;
    uint64_t start = start_of(m, &item->head);
    if (item->head.start_s + item->head.length_s <= start + length)
        return true;
    err_set(e, "%s lasts %llu s: no window of %llu s holds it", item->path,
            (unsigned long long)item->head.length_s, (unsigned long long)length);
    return false;
}

/* The head of the result for the window that `first` begins. */
static struct segment_head head_of(const struct merge *m, const struct segment_item *first)
{
    struct segment_head h = first->head;
    h.start_s = start_of(m, &first->head);
    h.interrupted = false;
    h.rolled_from_s = 0;
    h.live = (struct segment_live){0}; /* counts: only of those that are not given twice */
    if (m->window_s != 0) {
        h.length_s = m->window_s;
        for (size_t i = 0; i < m->s.n; i++) { /* the finest of what is rolled up */
            const struct segment_head *of = &m->s.items[i].head;
            uint64_t from = of->rolled_from_s != 0 ? of->rolled_from_s : of->length_s;
            if (m->s.items[i].good && from < h.length_s
                && (h.rolled_from_s == 0 || from < h.rolled_from_s))
                h.rolled_from_s = from;
        }
    }
    for (size_t i = 0; i < m->s.n; i++) {
        if (!m->s.items[i].good)
            continue;
        if (start_of(m, &m->s.items[i].head) == h.start_s)
            h.interrupted = h.interrupted || m->s.items[i].head.interrupted;
        if (strcmp(h.sensor, m->s.items[i].head.sensor) != 0)
            snprintf(h.sensor, sizeof h.sensor, "merged");
    }
    if (m->sensor[0] != '\0')
        snprintf(h.sensor, sizeof h.sensor, "%s", m->sensor);
    return h;
}

static bool write_window(struct merge *m, struct window *w, const struct segment_head *h,
                         struct err *e)
{
    struct stat st;
    if (stat(m->output, &st) == 0 && S_ISDIR(st.st_mode))
        return segment_write(w, h, m->output, &m->options, NULL, e);
    return segment_write_file(w, h, m->output, &m->options, NULL, e);
}

/* Is `i` the first good segment of its window? */
static bool leads(const struct merge *m, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (m->s.items[k].good
            && start_of(m, &m->s.items[k].head) == start_of(m, &m->s.items[i].head))
            return false;
    return m->s.items[i].good;
}

static bool check_windows(const struct merge *m, struct err *e)
{
    struct stat st;
    size_t windows = 0;
    bool directory = stat(m->output, &st) == 0 && S_ISDIR(st.st_mode);
    for (size_t i = 0; i < m->s.n; i++) {
        if (!m->s.items[i].good)
            continue;
        if (!check_inside(m, &m->s.items[i], e))
            return false;
        windows += leads(m, i);
    }
    if (windows <= 1 || directory)
        return true;
    err_set(e,
            "the segments are of %zu windows: roll them up with --window, or give a directory that "
            "exists to -o",
            windows);
    return false;
}

static bool add(struct merge *m, size_t i, struct window *w, struct segment_live *live,
                struct err *e)
{
    bool fresh;
    if (!segments_next(&m->s, "merge", i, &fresh, e))
        return false;
    if (fresh) {
        window_merge(w, m->s.scratch);
        segment_live_merge(live, &m->s.items[i].head.live);
    }
    return true;
}

static bool merge(struct merge *m, struct err *e)
{
    struct window *w;
    if (!check_windows(m, e) || !window_new(&w, &m->s.config, e))
        return false;
    bool ok = true;
    for (size_t i = 0; ok && i < m->s.n; i++) {
        if (!leads(m, i))
            continue;
        struct segment_head h = head_of(m, &m->s.items[i]);
        window_reset(w, h.start_s, h.length_s);
        for (size_t k = i; ok && k < m->s.n; k++)
            if (m->s.items[k].good && start_of(m, &m->s.items[k].head) == h.start_s)
                ok = add(m, k, w, &h.live, e);
        ok = ok && write_window(m, w, &h, e);
    }
    window_free(w);
    return ok;
}

static int take_options(struct merge *m, struct options *o)
{
    struct err e = {""};
    for (int i; (i = options_next(o)) != OPTIONS_END;) {
        if (i == OPTIONS_STOP)
            return o->status;
        bool ok = true;
        if (i == OPT_OUTPUT)
            m->output = o->value;
        else if (i == OPT_WINDOW)
            ok = option_window(o->value, &m->window_s, &e);
        else if (i == OPT_SENSOR)
            ok = config_value_label(o->value, m->sensor, sizeof m->sensor, &e);
        else
            m->options.force = true;
        if (!ok)
            return options_fail(o, "--%s: %s", defs[i].name, e.text);
    }
    if (m->output == NULL)
        return options_fail(o, "-o FILE is missing");
    return o->first == o->argc ? options_fail(o, "no segment given") : -1;
}

int cmd_merge(int argc, char **argv)
{
    struct merge m = {.options = {.zstd_level = 1}};
    struct options o = options_of(&usage, argc, argv);
    struct err e = {""};
    int status = take_options(&m, &o);
    if (status >= 0)
        return status;
    status = EXIT_OK;
    if (!segments_open(&m.s, "merge", argv + o.first, (size_t)(argc - o.first), &e)
        || !merge(&m, &e)) {
        fprintf(stderr, "tellscope merge: %s\n", e.text);
        status = EXIT_RUNTIME;
    } else if (m.s.failed > 0) {
        status = EXIT_RUNTIME;
    } else if (m.s.damaged > 0) {
        status = EXIT_DAMAGED;
    }
    segments_tell(&m.s, "merge");
    segments_free(&m.s);
    return status;
}
