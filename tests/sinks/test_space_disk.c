/* A disk that runs full for real: a small tmpfs in a mount namespace of its own. Windows are
 * written as a live run writes them, while something else takes the space and gives it back. */
#define _GNU_SOURCE /* memfd_create, unshare */
#include "segment_rig.h"
#include "sinks/flags.h"
#include "sinks/space.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

enum { DISK_KIB = 8192, KIB = 1024 };

static char dir[64], no_disk[128];
static struct space *space;
static struct window *window;
static unsigned n_windows;
static uint64_t n_written, n_dropped, without_events, without_flags;

static bool put_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    if (fd >= 0)
        close(fd);
    return ok;
}

/* In a namespace of our own, where we are root if we are not already. */
static bool make_namespace(void)
{
    char uids[64], gids[64];
    if (unshare(CLONE_NEWNS) == 0)
        return true;
    snprintf(uids, sizeof uids, "0 %u 1", (unsigned)geteuid());
    snprintf(gids, sizeof gids, "0 %u 1", (unsigned)getegid());
    return unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0 && put_file("/proc/self/uid_map", uids)
           && put_file("/proc/self/setgroups", "deny") && put_file("/proc/self/gid_map", gids);
}

static bool make_disk(void)
{
    char options[64];
    snprintf(options, sizeof options, "size=%dk,nr_inodes=4096,mode=755", DISK_KIB);
    if (!make_namespace()) {
        snprintf(no_disk, sizeof no_disk, "no namespace: %s", strerror(errno));
        return false;
    }
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0
        || mount("none", dir, "tmpfs", 0, options) != 0 || access(dir, W_OK) != 0) {
        snprintf(no_disk, sizeof no_disk, "mount: %s", strerror(errno));
        return false;
    }
    return true;
}

static const char *in_dir(const char *name)
{
    static char path[512];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return path;
}

static uint64_t kib_free(void)
{
    struct statvfs v;
    assert_int_equal(statvfs(dir, &v), 0);
    return v.f_bavail * v.f_frsize / KIB;
}

/* Somebody else's file takes all but `left` of the disk; or as much as there is. */
static void fill_to(uint64_t left_kib)
{
    static char block[KIB];
    int fd = open(in_dir("somebody-else"), O_WRONLY | O_CREAT | O_TRUNC, 0666);
    assert_true(fd >= 0);
    while (kib_free() > left_kib && write(fd, block, sizeof block) == sizeof block)
        ;
    close(fd);
}

static unsigned count(const char *prefix)
{
    unsigned n = 0;
    DIR *d = opendir(dir);
    for (struct dirent *f = readdir(d); f != NULL; f = readdir(d))
        n += strncmp(f->d_name, prefix, strlen(prefix)) == 0;
    closedir(d);
    return n;
}

static bool put_events(const char *name, struct err *e)
{
    static char block[64 * KIB];
    int fd = open(in_dir(name), O_WRONLY | O_CREAT | O_TRUNC, 0666);
    bool ok = fd >= 0 && write(fd, block, sizeof block) == sizeof block;
    if (!ok) { /* a write cut short is one without space */
        err_set(e, "write: %s", strerror(ENOSPC));
        unlink(in_dir(name));
    }
    if (fd >= 0)
        close(fd);
    return ok;
}

static bool put_window(const struct segment_head *h, const struct space_parts *p, struct err *e)
{
    char name[SEGMENT_NAME_SIZE], flags[160], events[64];
    struct segment_options o = {.zstd_level = 1, .append = true, .name = name};
    struct flags_head fh = {.sensor = "replay", .start_s = h->start_s, .length_s = h->length_s};
    snprintf(events, sizeof events, "events-%llu", (unsigned long long)h->start_s);
    if (p->events && !put_events(events, e))
        return false;
    if (!segment_write(window, h, dir, &o, fh.summary_sha256, e))
        return false;
    flags_name(h, name, flags);
    return !p->flags || flags_write(&(struct flags){0}, &fh, window, dir, flags, &o, e);
}

/* The next window of a live run. */
static struct space_parts next_window(void)
{
    struct space_parts p = {true, true, true};
    struct segment_head h = head;
    struct err e = {""};
    h.start_s = START_S + 60 * n_windows++;
    h.length_s = 60;
    h.live.live = true;
    window_reset(window, h.start_s, 60);
    random_window(window, n_windows, 40);
    space_check(space, h.start_s + 60, false, &p);
    while (p.segment) {
        h.live.unwritten =
            (uint8_t)(!p.events << SEGMENT_UNWRITTEN_EVENTS | !p.flags << SEGMENT_UNWRITTEN_FLAGS);
        if (put_window(&h, &p, &e))
            break;
        if (!space_lacking(&e))
            fail_msg("%s", e.text);
        space_check(space, h.start_s + 60, true, &p);
    }
    n_written += p.segment;
    n_dropped += !p.segment;
    without_events += !p.events;
    without_flags += !p.flags;
    return p;
}

/* What there is, is whole. */
static void assert_whole(void)
{
    DIR *d = opendir(dir);
    for (struct dirent *f = readdir(d); f != NULL; f = readdir(d)) {
        struct segment_head h;
        struct segment_reader *r;
        struct err e = {""};
        if (f->d_name[0] == '.' && strcmp(f->d_name, ".") != 0 && strcmp(f->d_name, "..") != 0
            && strcmp(f->d_name, ".tellscope-reserve-replay") != 0)
            fail_msg("%s is left behind", f->d_name);
        if (strncmp(f->d_name, "summary-", 8) != 0)
            continue;
        if (!segment_open(&r, in_dir(f->d_name), &h, &e))
            fail_msg("%s", e.text);
        window_reset(window, h.start_s, h.length_s);
        if (!segment_read(r, window, NULL, &e))
            fail_msg("%s", e.text);
        segment_close(r);
    }
    closedir(d);
}

static void begin(uint64_t free_kib, uint64_t reserve_kib, uint64_t retention_s)
{
    struct err e = {""};
    struct space_options o = {.dir = dir,
                              .sensor = "replay",
                              .free_bytes = free_kib * KIB,
                              .reserve_bytes = reserve_kib * KIB,
                              .retention_s = retention_s};
    n_windows = 0;
    n_written = n_dropped = without_events = without_flags = 0;
    window = make_window(START_S, 60);
    if (!space_new(&space, &o, &e))
        fail_msg("%s", e.text);
}

static void end(void)
{
    struct space_stats got = space_stats(space);
    assert_int_equal(n_written + n_dropped, n_windows);
    assert_int_equal(got.windows_dropped, n_dropped);
    assert_int_equal(got.events_shed, without_events);
    assert_int_equal(got.flags_shed, without_flags);
    assert_int_equal(count("summary-") + got.segments_removed, n_written);
    assert_whole();
    space_free(space);
    window_free(window);
    assert_int_equal(count(".tellscope"), 0);
    char command[128];
    snprintf(command, sizeof command, "rm -f %s/*", dir);
    assert_int_equal(system(command), 0);
}

static void need_disk(void)
{
    if (no_disk[0] == '\0')
        return;
    fprintf(stderr, "no small disk here, skipped: %s\n", no_disk);
    skip();
}

/* The disk gets fuller by what is written itself: events stop, then flags, then the oldest go, and
 * so on for ever: no window is lost. */
static void test_by_itself(void **state)
{
    (void)state;
    need_disk();
    begin(3 * KIB, 512, 600);
    assert_true(space_stats(space).reserved);
    struct space_parts p = {true, true, true};
    unsigned at[3] = {0}; /* the first window without events, flags; of the first removal */
    for (unsigned i = 1; i <= 2000 && at[2] == 0; i++) {
        p = next_window();
        at[0] = at[0] == 0 && !p.events ? i : at[0];
        at[1] = at[1] == 0 && !p.flags ? i : at[1];
        at[2] = at[2] == 0 && space_stats(space).segments_removed > 0 ? i : at[2];
    }
    assert_true(at[0] > 1 && at[0] < at[1] && at[1] < at[2]);
    assert_int_equal(n_dropped, 0);
    for (int i = 0; i < 300; i++)
        next_window();
    assert_int_equal(n_dropped, 0);
    assert_true(count("summary-") >= 10); /* those within retention are there */
    assert_true(space_stats(space).reserved);
    end();
}

/* Somebody else fills the disk; windows are lost, and counted; then there is room again. */
static void test_filled_and_freed(void **state)
{
    (void)state;
    need_disk();
    begin(3 * KIB, 512, 0);
    for (int i = 0; i < 5; i++)
        assert_true(next_window().events);
    fill_to(0);
    for (int i = 0; i < 5; i++)
        assert_false(next_window().segment);
    assert_int_equal(space_stats(space).full, 0);
    fill_to(5 * KIB);
    for (int i = 0; i < 5; i++)
        assert_true(next_window().events);
    assert_int_equal(n_dropped, 5);
    assert_true(space_stats(space).reserved);
    end();
}

/* Full without a warning: writing itself fails. Old segments make room; where none may go, the
 * window is lost; nothing is left half written. */
static void test_no_warning(void **state)
{
    (void)state;
    need_disk();
    begin(0, 0, 60);
    for (int i = 0; i < 40; i++)
        next_window();
    assert_int_equal(n_dropped, 0);
    fill_to(0);
    struct space_parts p = next_window();
    assert_true(p.segment && !p.events && !p.flags);
    struct space_stats got = space_stats(space);
    assert_int_equal(got.full, 3); /* without events, without flags, without old segments */
    assert_true(got.segments_removed > 0 && got.segments_removed <= 16);
    for (int i = 0; i < 30; i++) {
        fill_to(0);
        next_window();
    }
    assert_true(n_dropped > 0); /* of 70 windows of a minute, only those that were written go */
    fill_to(4 * KIB);
    assert_true(next_window().events);
    end();
}

/* A full disk at the end: the reserve is what the last window is written into. */
static void test_last_window(void **state)
{
    (void)state;
    need_disk();
    begin(3 * KIB, 1024, 0);
    next_window();
    fill_to(0);
    assert_false(next_window().segment);
    space_release(space);
    struct space_parts p = next_window();
    assert_true(p.segment);
    assert_false(p.events || p.flags);
    end();
}

static int make_all(void **state)
{
    (void)setup(state);
    strcpy(dir, "/tmp/tellscope-disk-XXXXXX");
    assert_non_null(mkdtemp(dir));
    (void)make_disk();
    return 0;
}

static int end_all(void **state)
{
    (void)state;
    (void)umount2(dir, MNT_DETACH);
    rmdir(dir);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_by_itself),
        cmocka_unit_test(test_filled_and_freed),
        cmocka_unit_test(test_no_warning),
        cmocka_unit_test(test_last_window),
    };
    int failed = cmocka_run_group_tests(tests, make_all, end_all);
    return failed == 0 && no_disk[0] != '\0' ? 77 : failed;
}
