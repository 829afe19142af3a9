/* Space: names that may go, the order in which things are given up, the reserve. The disk is the
 * test's; test_space_disk.c has a real one. */
#define _GNU_SOURCE /* mkdtemp */
#include "sinks/space_source.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define MIB   UINT64_C(1048576)
#define NOW_S UINT64_C(1519900000) /* 2018-03-01T10:26:40Z */

static char dir[64];
static uint64_t free_mib, files_free;
static int asked_errno;
static struct space *s;

static int ask(void *ctx, int fd, struct statvfs *v)
{
    struct stat st;
    (void)ctx;
    assert_int_equal(fstat(fd, &st), 0);
    assert_true(S_ISDIR(st.st_mode));
    *v = (struct statvfs){.f_frsize = 4096,
                          .f_bsize = 1 << 20,
                          .f_bavail = free_mib * 256,
                          .f_bfree = free_mib * 256 + 100000,
                          .f_files = 1000,
                          .f_favail = files_free};
    errno = asked_errno;
    return asked_errno == 0 ? 0 : -1;
}

static int setup(void **state)
{
    (void)state;
    strcpy(dir, "/tmp/tellscope-space-XXXXXX");
    assert_non_null(mkdtemp(dir));
    free_mib = 1000;
    files_free = 500;
    asked_errno = 0;
    s = NULL;
    return 0;
}

static int teardown(void **state)
{
    char command[128];
    (void)state;
    space_free(s);
    snprintf(command, sizeof command, "rm -r %s", dir);
    return system(command);
}

static void make(uint64_t retention_s, uint64_t reserve_bytes)
{
    struct err e = {""};
    struct space_options o = {.dir = dir,
                              .sensor = "live",
                              .free_bytes = 256 * MIB,
                              .reserve_bytes = reserve_bytes,
                              .retention_s = retention_s};
    if (!space_new_from(&s, &o, &(struct space_source){.ask = ask}, &e))
        fail_msg("%s", e.text);
}

static const char *path_of(const char *name)
{
    static char path[4][320];
    static unsigned turn;
    turn = (turn + 1) % 4;
    snprintf(path[turn], sizeof path[turn], "%s/%s", dir, name);
    return path[turn];
}

static bool exists(const char *name)
{
    struct stat st;
    return lstat(path_of(name), &st) == 0;
}

static void create(const char *name, size_t bytes)
{
    FILE *f = fopen(path_of(name), "w");
    assert_non_null(f);
    for (; bytes > 0; bytes--)
        fputc('x', f);
    assert_int_equal(fclose(f), 0);
}

static void assert_parts(bool full, const char *before, const char *after)
{
    char got[4] = "";
    struct space_parts p = {.events = strchr(before, 'e') != NULL,
                            .flags = strchr(before, 'f') != NULL,
                            .segment = strchr(before, 's') != NULL};
    space_check(s, NOW_S, full, &p);
    snprintf(got, sizeof got, "%s%s%s", p.events ? "e" : "", p.flags ? "f" : "",
             p.segment ? "s" : "");
    assert_string_equal(got, after);
}

/* ---- names */

static void test_names(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        bool ours;
        uint32_t nth;
    } rows[] = {
        {"summary-live-20180228T120000Z-20180228T120100Z.ndjson.zst", true, 1},
        {"flags-live-20180228T120000Z-20180228T120100Z.ndjson.zst", true, 1},
        {"summary-live-20180228T120000Z-20180228T120100Z~2.ndjson.zst", true, 2},
        {"flags-live-20180228T120000Z-20180228T120100Z~99.ndjson.zst", true, 99},
        {"summary-live-20180228T120000Z-20180301T120000Z.ndjson.zst", true, 1},
        {"summary-live-20180228T120000Z-20180301T120001Z.ndjson.zst", false, 0}, /* over a day */
        {"summary-live-20180228T120000Z-20180228T120000Z.ndjson.zst", false, 0},
        {"summary-live-20180228T120100Z-20180228T120000Z.ndjson.zst", false, 0},
        {"summary-live-20180228T120000Z-20180228T120100Z~1.ndjson.zst", false, 0},
        {"summary-live-20180228T120000Z-20180228T120100Z~02.ndjson.zst", false, 0},
        {"summary-live-20180228T120000Z-20180228T120100Z~100.ndjson.zst", false, 0},
        {"summary-live-20180228T120000Z-20180228T120100Z~4294967298.ndjson.zst", false, 0},
        {"summary-live-20180228T120000Z-20180228T120100Z~.ndjson.zst", false, 0},
        {"summary-live-20180228T120000Z-20180228T120100Z~2x.ndjson.zst", false, 0},
        {"summary-live-20180228T120000Z-20180228T120100Z.ndjson.zst.bak", false, 0},
        {"summary-live-20180228T120000Z-20180228T120100Z.ndjson", false, 0},
        {".summary-live-20180228T120000Z-20180228T120100Z.ndjson.zst.tmp-7", false, 0},
        {"summary-live-20180230T120000Z-20180302T120100Z.ndjson.zst", false, 0}, /* no such day */
        {"summary-live-20180228T125960Z-20180228T130100Z.ndjson.zst", false, 0},
        {"summary-live- 0180228T120000Z-20180228T120100Z.ndjson.zst", false, 0},
        {"summary-live-19691231T235900Z-19700101T000000Z.ndjson.zst", false, 0},
        {"summary-liver-20180228T120000Z-20180228T120100Z.ndjson.zst", false, 0},
        {"summary-live-2-20180228T120000Z-20180228T120100Z.ndjson.zst", false, 0},
        {"summary-live-20170101T000000Z-20180228T120000Z-20180228T120100Z.ndjson.zst", false, 0},
        {"summary-liv-20180228T120000Z-20180228T120100Z.ndjson.zst", false, 0},
        {"Summary-live-20180228T120000Z-20180228T120100Z.ndjson.zst", false, 0},
        {"events-live-20180228T120000Z-20180228T120100Z.ndjson.zst", false, 0},
        {"summary-live", false, 0},
        {"summary-live-20180228T120000Z", false, 0},
        {"", false, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct space_file f;
        char again[SEGMENT_NAME_SIZE];
        if (space_name_read(rows[i].name, "live", &f) != rows[i].ours)
            fail_msg("%s", rows[i].name);
        if (!rows[i].ours)
            continue;
        assert_int_equal(f.nth, rows[i].nth);
        assert_int_equal(f.start_s, 1519819200);
        assert_int_equal(f.flags, rows[i].name[0] == 'f');
        space_name_write(&f, "live", again);
        assert_string_equal(again, rows[i].name);
    }
}

/* What segments are really called. */
static void test_names_written(void **state)
{
    (void)state;
    struct segment_head h = {.start_s = 1519819200, .length_s = 60};
    char name[SEGMENT_NAME_SIZE];
    struct space_file f;
    memset(h.sensor, 'x', sizeof h.sensor - 1);
    segment_name(&h, name);
    assert_true(space_name_read(name, h.sensor, &f));
    assert_true(f.start_s == h.start_s && f.end_s == h.start_s + 60 && !f.flags);
}

/* ---- what is given up */

static void test_order(void **state)
{
    (void)state;
    make(0, 0);
    static const struct {
        uint64_t mib;
        const char *after;
    } rows[] = {{1000, "efs"}, {256, "efs"}, {255, "fs"}, {192, "fs"}, {191, "s"},
                {64, "s"},     {63, ""},     {0, ""},     {64, "s"},   {300, "efs"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        free_mib = rows[i].mib;
        assert_parts(false, "efs", rows[i].after);
        assert_int_equal(space_stats(s).free_bytes, rows[i].mib * MIB);
        assert_int_equal(space_stats(s).low, rows[i].mib < 256);
    }
    struct space_stats got = space_stats(s);
    assert_int_equal(got.events_shed, 7);
    assert_int_equal(got.flags_shed, 5);
    assert_int_equal(got.windows_dropped, 2);
    assert_int_equal(got.segments_removed + got.flags_removed + got.full, 0);
    free_mib = 100;
    assert_parts(false, "s", "s"); /* what was not wanted is not missed */
    assert_int_equal(space_stats(s).events_shed, 7);
    assert_int_equal(space_stats(s).flags_shed, 5);
}

static void test_no_limit(void **state)
{
    (void)state;
    struct err e;
    struct space_options o = {.dir = dir, .sensor = "live"};
    assert_true(space_new_from(&s, &o, &(struct space_source){.ask = ask}, &e));
    free_mib = 0;
    assert_parts(false, "efs", "efs");
    assert_false(space_stats(s).low);
}

/* A disk that does not say, and one without inodes. */
static void test_odd_disks(void **state)
{
    (void)state;
    make(0, 0);
    free_mib = 0;
    asked_errno = EIO;
    assert_parts(false, "efs", "efs");
    asked_errno = 0;
    free_mib = 1000;
    files_free = 3;
    assert_parts(false, "efs", "");
}

#define OLD   "20180227T100000Z-20180227T110000Z"
#define OLDER "20180227T090000Z-20180227T100000Z"
#define NEW   "20180301T090000Z-20180301T100000Z" /* ended 1,600 s before NOW_S */

static void make_files(void)
{
    static const char *const ours[] = {
        "summary-live-" OLD ".ndjson.zst",  "summary-live-" OLD "~2.ndjson.zst",
        "flags-live-" OLD ".ndjson.zst",    "summary-live-" OLDER ".ndjson.zst",
        "flags-live-" OLDER ".ndjson.zst",  "summary-live-" NEW ".ndjson.zst",
        "flags-live-" NEW ".ndjson.zst",    "summary-other-" OLD ".ndjson.zst",
        "events-live-" OLD ".ndjson.zst",   "captures.ndjson",
        "flags-other-" OLDER ".ndjson.zst", "target"};
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        create(ours[i], 100000);
}

static int count_files(void)
{
    char command[128], line[32] = "";
    snprintf(command, sizeof command, "ls -A %s | wc -l", dir);
    FILE *f = popen(command, "r");
    assert_non_null(fgets(line, sizeof line, f));
    pclose(f);
    return atoi(line);
}

static void test_retention(void **state)
{
    (void)state;
    make_files();
    make(1600, 0);
    free_mib = 128;
    assert_parts(false, "efs", "s"); /* low, but not so low */
    assert_int_equal(count_files(), 12);
    free_mib = 127;
    assert_parts(false, "efs", "s"); /* all that may go does: still not enough */
    struct space_stats got = space_stats(s);
    assert_int_equal(got.segments_removed, 3);
    assert_int_equal(got.flags_removed, 2);
    assert_in_range(got.bytes_removed, 5 * 100000, 5 * 200000);
    assert_int_equal(got.free_bytes, 127 * MIB + got.bytes_removed);
    assert_int_equal(count_files(), 7);
    assert_true(exists("summary-live-" NEW ".ndjson.zst") && exists("target"));
    assert_true(exists("summary-other-" OLD ".ndjson.zst"));
    free_mib = 10;
    assert_parts(false, "efs", ""); /* none left */
    assert_int_equal(count_files(), 7);
}

static void test_no_retention(void **state)
{
    (void)state;
    make_files();
    make(0, 0);
    free_mib = 10;
    assert_parts(false, "efs", "");
    assert_parts(true, "s", "");
    assert_int_equal(count_files(), 12);
}

/* Enough is enough: the oldest first, flags before their summary. */
static void test_until_enough(void **state)
{
    (void)state;
    struct err e;
    struct space_options o = {
        .dir = dir, .sensor = "live", .free_bytes = 70 * 4096, .retention_s = 1600};
    make_files();
    assert_true(space_new_from(&s, &o, &(struct space_source){.ask = ask}, &e));
    free_mib = 0;
    assert_parts(false, "efs", "s"); /* each frees 25 blocks of the 70 */
    assert_int_equal(count_files(), 9);
    assert_true(exists("summary-live-" OLD ".ndjson.zst"));
    assert_false(exists("flags-live-" OLD ".ndjson.zst"));
}

/* Links and folders of such a name stay, and so does what they lead to. */
static void test_no_plain_file(void **state)
{
    (void)state;
    create("target", 100000);
    create("single", 100000);
    assert_int_equal(symlink("single", path_of("summary-live-" OLD ".ndjson.zst")), 0);
    assert_int_equal(mkdir(path_of("flags-live-" OLD ".ndjson.zst"), 0777), 0);
    assert_int_equal(link(path_of("target"), path_of("summary-live-" OLDER ".ndjson.zst")), 0);
    make(1600, 0);
    free_mib = 0;
    assert_parts(false, "efs", "");
    assert_parts(true, "s", "");
    assert_int_equal(count_files(), 5);
    assert_int_equal(space_stats(s).segments_removed, 0);
}

/* More files than are looked at in one go. */
static void test_many(void **state)
{
    (void)state;
    enum { N = 10000 };
    struct space_file f = {.nth = 1};
    char name[SEGMENT_NAME_SIZE];
    for (unsigned i = 0; i < N; i++) { /* in no order */
        f.start_s = NOW_S - 3600 - (i * 7919 % N + 1) * 60;
        f.end_s = f.start_s + 60;
        space_name_write(&f, "live", name);
        int fd = open(path_of(name), O_WRONLY | O_CREAT | O_EXCL, 0666);
        assert_true(fd >= 0);
        close(fd);
    }
    make(100, 0);
    assert_parts(true, "s", "s"); /* 16, the oldest */
    assert_int_equal(space_stats(s).segments_removed, 16);
    for (unsigned i = 0; i < N; i++) {
        f.start_s = NOW_S - 3600 - (i + 1) * 60;
        f.end_s = f.start_s + 60;
        space_name_write(&f, "live", name);
        assert_int_equal(exists(name), i < N - 16);
    }
    free_mib = 10;
    assert_parts(false, "efs", "");
    assert_int_equal(space_stats(s).segments_removed, N);
    assert_int_equal(count_files(), 0);
}

/* The disk is full whatever it said: one thing more each time, until there is nothing left. */
static void test_full(void **state)
{
    (void)state;
    make_files();
    make(1600, 0);
    assert_parts(true, "efs", "fs");
    assert_parts(true, "fs", "s");
    assert_int_equal(count_files(), 12);
    assert_parts(true, "s", "s");
    assert_int_equal(count_files(), 7);
    assert_true(space_stats(s).low);
    assert_parts(true, "s", "");
    struct space_stats got = space_stats(s);
    assert_int_equal(got.full, 4);
    assert_int_equal(got.events_shed, 1);
    assert_int_equal(got.flags_shed, 1);
    assert_int_equal(got.windows_dropped, 1);
    assert_parts(false, "efs", "efs");
}

/* ---- the reserve */

#define RESERVE ".tellscope-reserve-live"

static uint64_t blocks_of(const char *name)
{
    struct stat st;
    assert_int_equal(lstat(path_of(name), &st), 0);
    assert_true(S_ISREG(st.st_mode));
    return (uint64_t)st.st_blocks * 512;
}

static void test_reserve(void **state)
{
    (void)state;
    make(0, 2 * MIB);
    assert_true(blocks_of(RESERVE) >= 2 * MIB);
    assert_true(space_stats(s).reserved);
    free_mib = 0;
    assert_parts(false, "efs", "");
    assert_true(exists(RESERVE));
    space_release(s);
    assert_false(exists(RESERVE));
    assert_false(space_stats(s).reserved);
    assert_parts(false, "efs", "s"); /* the last window is tried */
    free_mib = 1000;
    assert_parts(false, "efs", "efs");
    assert_false(exists(RESERVE)); /* and not taken again */
    space_free(s);

    make(0, 2 * MIB);
    assert_true(exists(RESERVE));
    space_free(s);
    s = NULL;
    assert_int_equal(count_files(), 0);
}

/* No room for it now: later. */
static void test_reserve_later(void **state)
{
    (void)state;
    free_mib = 65;
    make(0, 2 * MIB);
    assert_false(exists(RESERVE) || space_stats(s).reserved);
    assert_parts(false, "s", "s");
    assert_false(exists(RESERVE));
    free_mib = 66;
    assert_parts(false, "s", "s");
    assert_true(exists(RESERVE) && space_stats(s).reserved);
}

/* What lies there under its name: of a killed run, or a trap. */
static void test_reserve_found(void **state)
{
    (void)state;
    struct err e = {""};
    create("target", 1000);
    create(RESERVE, 3000000);
    make(0, MIB);
    assert_true(blocks_of(RESERVE) < 2 * MIB);
    space_free(s);
    assert_int_equal(link(path_of("target"), path_of(RESERVE)), 0);
    make(0, MIB);
    space_free(s);
    assert_int_equal(symlink("target", path_of(RESERVE)), 0);
    make(0, MIB);
    space_free(s);
    s = NULL;
    struct stat st;
    assert_int_equal(stat(path_of("target"), &st), 0);
    assert_int_equal(st.st_size, 1000);
    create(RESERVE, 10); /* not wanted any more */
    make(0, 0);
    assert_false(exists(RESERVE));
    space_free(s);
    s = NULL;
    assert_int_equal(mkdir(path_of(RESERVE), 0777), 0);
    struct space_options o = {.dir = dir, .sensor = "live", .reserve_bytes = MIB};
    assert_false(space_new_from(&s, &o, &(struct space_source){.ask = ask}, &e));
    assert_non_null(strstr(e.text, RESERVE));
    o.dir = "/nowhere";
    assert_false(space_new_from(&s, &o, &(struct space_source){.ask = ask}, &e));
    assert_string_equal(e.text, "open /nowhere: No such file or directory");
    s = NULL;
}

static void test_lacking(void **state)
{
    (void)state;
    struct err e;
    err_set(&e, "write: %s", strerror(ENOSPC));
    err_in(&e, "write segment");
    assert_true(space_lacking(&e));
    err_set(&e, "write: %s", strerror(EDQUOT));
    assert_true(space_lacking(&e));
    err_set(&e, "write: %s", strerror(EIO));
    assert_false(space_lacking(&e));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_names_written),
        cmocka_unit_test_setup_teardown(test_order, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_limit, setup, teardown),
        cmocka_unit_test_setup_teardown(test_odd_disks, setup, teardown),
        cmocka_unit_test_setup_teardown(test_retention, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_retention, setup, teardown),
        cmocka_unit_test_setup_teardown(test_until_enough, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_plain_file, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many, setup, teardown),
        cmocka_unit_test_setup_teardown(test_full, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reserve, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reserve_later, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reserve_found, setup, teardown),
        cmocka_unit_test(test_lacking),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
