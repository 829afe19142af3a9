#define _GNU_SOURCE /* O_DIRECTORY, O_NOFOLLOW */
#include "sinks/space_source.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    OLDEST_MAX = 4096,   /* files found in one look at the folder */
    FULL_REMOVES = 16,   /* files that go where a full disk says that it is not */
    FILES_LEFT_MIN = 16, /* fewer inodes: as good as full */
};

struct space {
    int dir;                         /* the folder */
    int reserve;                     /* descriptor of the reserve; -1: not held */
    bool at_end;                     /* released for good */
    char name[CONFIG_NAME_LEN + 32]; /* of the reserve */
    char sensor[CONFIG_NAME_LEN];
    uint64_t free_bytes, reserve_bytes, retention_s;
    struct space_source source;
    struct space_stats stats;
};

/* ---- the reserve */

static void give_up(struct space *s)
{
    if (s->reserve < 0)
        return;
    (void)unlinkat(s->dir, s->name, 0);
    close(s->reserve);
    s->reserve = -1;
    s->stats.reserved = false;
}

/* Takes it of `has` free bytes, if that leaves room for windows. False only where it can never be
 * made. */
static bool take(struct space *s, uint64_t has, struct err *e)
{
    if (s->reserve_bytes == 0 || s->at_end || s->reserve >= 0 || has < s->reserve_bytes
        || has - s->reserve_bytes < s->free_bytes / 4)
        return true;
    s->reserve =
        openat(s->dir, s->name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (s->reserve < 0) {
        int why = errno;
        err_set(e, "create %s: %s", s->name, strerror(why));
        return why == ENOSPC || why == EDQUOT;
    }
    s->stats.reserved = posix_fallocate(s->reserve, 0, (off_t)s->reserve_bytes) == 0;
    if (!s->stats.reserved) /* no room after all, or a file system that cannot do it */
        give_up(s);
    return true;
}

/* ---- the disk */

static uint64_t ask(struct space *s)
{
    struct statvfs v;
    if (s->source.ask(s->source.ctx, s->dir, &v) != 0)
        return UINT64_MAX; /* not told: writing will tell */
    if (v.f_files > 0 && v.f_favail < FILES_LEFT_MIN)
        return 0;
    uint64_t unit = v.f_frsize > 0 ? v.f_frsize : v.f_bsize;
    return unit > 0 && v.f_bavail > UINT64_MAX / unit ? UINT64_MAX : v.f_bavail * unit;
}

static int by_age(const void *a, const void *b)
{
    const struct space_file *x = a, *y = b;
    if (x->end_s != y->end_s)
        return x->end_s < y->end_s ? -1 : 1;
    if (x->start_s != y->start_s)
        return x->start_s < y->start_s ? -1 : 1;
    if (x->nth != y->nth)
        return x->nth < y->nth ? -1 : 1;
    return (int)y->flags - (int)x->flags; /* flags first: a summary can do without */
}

/* The oldest files that may go, oldest first; at most OLDEST_MAX. `found` has room for twice as
 * many. */
static size_t find_oldest(const struct space *s, uint64_t now_s, struct space_file found[])
{
    size_t n = 0;
    int fd = openat(s->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
    if (d == NULL && fd >= 0)
        close(fd);
    for (struct dirent *entry; d != NULL && (entry = readdir(d)) != NULL;) {
        struct space_file f;
        if (!space_name_read(entry->d_name, s->sensor, &f) || f.end_s > now_s
            || now_s - f.end_s <= s->retention_s)
            continue;
        found[n++] = f;
        if (n == 2 * OLDEST_MAX) {
            qsort(found, n, sizeof *found, by_age);
            n = OLDEST_MAX;
        }
    }
    if (d != NULL)
        closedir(d);
    qsort(found, n, sizeof *found, by_age);
    return n < OLDEST_MAX ? n : OLDEST_MAX;
}

/* Removes one; returns what that frees, 0 where nothing went. Only plain files, and none that has
 * another name, where it would stay. */
static uint64_t remove_file(struct space *s, const struct space_file *f)
{
    char name[SEGMENT_NAME_SIZE];
    struct stat st;
    space_name_write(f, s->sensor, name);
    if (fstatat(s->dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(st.st_mode)
        || st.st_nlink != 1 || unlinkat(s->dir, name, 0) != 0)
        return 0;
    uint64_t bytes = (uint64_t)st.st_blocks * 512;
    s->stats.bytes_removed += bytes;
    *(f->flags ? &s->stats.flags_removed : &s->stats.segments_removed) += 1;
    return bytes > 0 ? bytes : 1;
}

/* Removes the oldest until `want` bytes are free, of `has`, and `n` files are gone. Returns what is
 * free then: counted, for some disks tell of it late. */
static uint64_t remove_oldest(struct space *s, uint64_t now_s, uint64_t has, uint64_t want,
                              unsigned n, bool *any)
{
    *any = false;
    if (s->retention_s == 0)
        return has;
    struct space_file *found = malloc(2 * OLDEST_MAX * sizeof *found);
    if (found == NULL)
        return has;
    size_t n_found = OLDEST_MAX;
    while ((has < want || n > 0) && n_found == OLDEST_MAX) { /* there may be more of them */
        bool went = false;
        n_found = find_oldest(s, now_s, found);
        for (size_t i = 0; i < n_found && (has < want || n > 0); i++) {
            uint64_t bytes = remove_file(s, &found[i]);
            if (bytes == 0)
                continue;
            has = has > UINT64_MAX - bytes ? UINT64_MAX : has + bytes;
            n -= n > 0;
            went = *any = true;
        }
        if (!went)
            break;
    }
    free(found);
    return has;
}

/* ---- windows */

static void shed(bool *part, uint64_t *count)
{
    *count += *part;
    *part = false;
}

/* Something more goes each time. */
static void check_full(struct space *s, uint64_t now_s, struct space_parts *p)
{
    bool any = false;
    s->stats.full++;
    s->stats.low = true;
    if (p->events) {
        shed(&p->events, &s->stats.events_shed);
    } else if (p->flags) {
        shed(&p->flags, &s->stats.flags_shed);
    } else {
        s->stats.free_bytes = ask(s);
        (void)remove_oldest(s, now_s, s->stats.free_bytes, s->free_bytes, FULL_REMOVES, &any);
        if (!any)
            shed(&p->segment, &s->stats.windows_dropped);
    }
}

void space_check(struct space *s, uint64_t now_s, bool full, struct space_parts *p)
{
    if (full) {
        check_full(s, now_s, p);
        return;
    }
    uint64_t limit = s->free_bytes, has = ask(s);
    bool any;
    s->stats.low = has < limit;
    if (has < limit)
        shed(&p->events, &s->stats.events_shed);
    if (has < limit / 4 * 3)
        shed(&p->flags, &s->stats.flags_shed);
    if (has < limit / 2)
        has = remove_oldest(s, now_s, has, limit, 0, &any);
    if (has < limit / 4 && !s->at_end)
        shed(&p->segment, &s->stats.windows_dropped);
    s->stats.free_bytes = has;
    struct err ignored;
    (void)take(s, has, &ignored);
}

void space_release(struct space *s)
{
    give_up(s);
    s->at_end = true;
}

struct space_stats space_stats(const struct space *s)
{
    return s->stats;
}

bool space_lacking(const struct err *e)
{
    return strstr(e->text, strerror(ENOSPC)) != NULL || strstr(e->text, strerror(EDQUOT)) != NULL;
}

/* ---- life */

bool space_new_from(struct space **out, const struct space_options *o,
                    const struct space_source *source, struct err *e)
{
    struct space *s = calloc(1, sizeof *s);
    if (s == NULL) {
        err_set(e, "out of memory");
        return false;
    }
    *s = (struct space){.reserve = -1,
                        .free_bytes = o->free_bytes,
                        .reserve_bytes = o->reserve_bytes,
                        .retention_s = o->retention_s,
                        .source = *source};
    snprintf(s->sensor, sizeof s->sensor, "%s", o->sensor);
    snprintf(s->name, sizeof s->name, ".tellscope-reserve-%s", s->sensor);
    s->dir = open(o->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = s->dir >= 0;
    if (!ok) {
        err_set(e, "open %s: %s", o->dir, strerror(errno));
    } else {
        (void)unlinkat(s->dir, s->name, 0); /* never opened: it may be a link to something else */
        ok = take(s, ask(s), e) || err_in(e, "%s", o->dir);
    }
    if (!ok) {
        space_free(s);
        return false;
    }
    s->stats.free_bytes = ask(s);
    s->stats.low = s->stats.free_bytes < s->free_bytes;
    *out = s;
    return true;
}

static int system_ask(void *ctx, int dir, struct statvfs *v)
{
    (void)ctx;
    return fstatvfs(dir, v);
}

bool space_new(struct space **s, const struct space_options *o, struct err *e)
{
    return space_new_from(s, o, &(struct space_source){.ask = system_ask}, e);
}

void space_free(struct space *s)
{
    if (s == NULL)
        return;
    give_up(s);
    if (s->dir >= 0)
        close(s->dir);
    free(s);
}
