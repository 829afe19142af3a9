/* The thread that may wait: for the disk, and for what it takes to judge. */
#include "cli/live_part.h"

#include <time.h>

struct writer {
    struct live *l;
    struct space_options options; /* of `space` */
    struct space *space;          /* NULL: the folder cannot be used now */
    struct judge_options judge;
};

/* What stands on the disk of a window. */
struct written {
    bool segment;
    char name[SEGMENT_NAME_SIZE]; /* its file, and by it that of the flags */
    uint8_t sha256[32];
};

static bool write_parts(const struct writer *w, struct live_job *job,
                        const struct space_parts *parts, struct written *done, struct err *e)
{
    const char *dir = w->l->o->dir;
    struct segment_options options = {
        .zstd_level = (int)w->l->config.zstd_level, .append = true, .name = done->name};
    struct judge_sums sums;
    if (!parts->flags)
        job->head.live.unwritten |= 1 << SEGMENT_UNWRITTEN_FLAGS;
    done->segment =
        done->segment || segment_write(job->w, &job->head, dir, &options, done->sha256, e);
    options.name = NULL;
    return done->segment
           && (!parts->flags
               || judge_flags(job->w, &job->head, done->sha256, dir, done->name, &w->judge,
                              &options, &sums, e));
}

/* Writes a window and what is to be said of it, as far as there is room. False: the window is lost.
 */
static bool write_window(struct writer *w, struct live_job *job)
{
    struct err e = {""};
    struct written done = {.segment = false};
    struct space_parts parts = {.flags = true, .segment = true};
    bool ok = false, full = false;
    if (w->space == NULL && !space_new(&w->space, &w->options, &e)) {
        live_say(w->l, "%s; the window is lost", e.text);
        return false;
    }
    if (job->ending)
        space_release(w->space);
    while (!ok) {
        space_check(w->space, (uint64_t)time(NULL), full, &parts);
        if (!parts.segment && !done.segment) {
            if (e.text[0] == '\0')
                err_set(&e, "%s: no space left", w->l->o->dir);
            break;
        }
        ok = write_parts(w, job, &parts, &done, &e);
        full = true;
        if (!ok && (!space_lacking(&e) || (done.segment && !parts.flags)))
            break;
    }
    if (!ok)
        live_say(w->l, "%s; %s", e.text,
                 done.segment ? "its flags are lost" : "the window is lost");
    return done.segment;
}

/* At the start, and where SIGHUP changed what is said of space. The lock is held. */
static void renew_space(struct writer *w)
{
    struct live *l = w->l;
    struct err e;
    w->options = l->space;
    l->space_changed = false;
    pthread_mutex_unlock(&l->lock);
    space_free(w->space);
    w->space = NULL;
    if (!space_new(&w->space, &w->options, &e))
        live_say(l, "%s", e.text); /* tried again before each window */
    pthread_mutex_lock(&l->lock);
}

void *live_writer_run(void *live)
{
    struct live *l = live;
    struct writer w = {.l = l};
    pthread_mutex_lock(&l->lock);
    for (;;) {
        while (l->queue_head == l->queue_tail && !l->closer_ended && !l->space_changed)
            pthread_cond_wait(&l->more, &l->lock);
        if (l->space_changed) {
            renew_space(&w);
            continue;
        }
        if (l->queue_head == l->queue_tail)
            break;
        struct live_job job = l->queue[l->queue_tail++ % LIVE_QUEUE_MAX];
        l->writing = true;
        w.judge = l->judge; /* SIGHUP may change it at any time */
        pthread_cond_broadcast(&l->more);
        pthread_mutex_unlock(&l->lock);
        bool written = l->o->dir == NULL || write_window(&w, &job);
        if (!job.borrowed)
            live_pool_give(l, job.w);
        pthread_mutex_lock(&l->lock);
        l->writing = false;
        l->written += written;
        l->dropped += !written;
        if (!written)
            live_untell(l, &job);
    }
    pthread_mutex_unlock(&l->lock);
    space_free(w.space);
    pthread_mutex_lock(&l->lock);
    l->writer_ended = true;
    pthread_cond_broadcast(&l->more);
    pthread_mutex_unlock(&l->lock);
    return NULL;
}
