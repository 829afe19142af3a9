/* Segments: the laws of writing and reading, limits, and files. */
#define _GNU_SOURCE /* memfd_create */
#include "segment_rig.h"
#include "sinks/flags.h"
#include "sinks/zstd_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

/* ---- laws */

static void test_round_trip(void **state)
{
    (void)state;
    static const uint64_t lengths[] = {3600, 60, 1, 7, 61, 86400};
    for (uint64_t seed = 1; seed <= 60; seed++) {
        uint64_t length_s = lengths[seed % 6];
        struct window *w = make_window(START_S, length_s), *back = make_window(START_S, length_s);
        struct segment_head h = head, got;
        uint8_t sha_out[32], sha_in[32];
        struct err e = {""};
        h.length_s = length_s;
        h.interrupted = seed % 2;
        h.scope = seed % 5 == 0 ? SCOPE_ALL : SCOPE_GATEWAYS;
        config.limits.peers = 1000 + seed;
        segment_head_config(&h, &config);
        h.seed = seed << 56;
        h.rolled_from_s = seed % 3 == 0 && length_s > 1 ? 1 : 0;
        random_window(w, seed, seed % 10 == 0 ? 200 : 12);
        struct file first = written(w, &h, sha_out);
        if (!read_into(back, first, &got, sha_in, &e))
            fail_msg("seed %llu: %s", (unsigned long long)seed, e.text);
        assert_memory_equal(sha_out, sha_in, 32);
        assert_string_equal(got.sensor, h.sensor);
        assert_string_equal(got.release, h.release);
        assert_string_equal(got.config_hash, h.config_hash);
        assert_true(got.start_s == h.start_s && got.length_s == h.length_s && got.seed == h.seed
                    && got.interrupted == h.interrupted && got.scope == h.scope
                    && memcmp(&got.limits, &h.limits, sizeof h.limits) == 0
                    && got.rolled_from_s == h.rolled_from_s);
        struct file second = written(back, &got, sha_in);
        assert_true(first.len == second.len && memcmp(first.p, second.p, first.len) == 0);
        assert_same(first, second);
        window_free(w);
        window_free(back);
    }
}

/* Reading two segments into one window is the same as merging their windows. */
static void test_merge(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct window *a = make_window(START_S, WINDOW_S), *b = make_window(START_S, WINDOW_S);
        struct window *read = make_window(START_S, WINDOW_S);
        struct segment_head got;
        uint8_t sha[32];
        struct err e = {""};
        random_window(a, seed, 12);
        random_window(b, seed % 2 ? seed : seed + 100, 12);
        struct file file_a = written(a, &head, sha), file_b = written(b, &head, sha);
        assert_true(read_into(read, file_b, &got, sha, &e));
        assert_true(read_into(read, file_a, &got, sha, &e));
        window_merge(a, b);
        assert_same(written(a, &head, sha), written(read, &head, sha));
        free(file_a.p), free(file_b.p);
        window_free(a), window_free(b), window_free(read);
    }
}

/* A finer segment read into a coarser window is the same as merging it there. */
static void test_roll_up(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct window *fine = make_window(START_S + 7 * 60, 60);
        struct window *a = make_window(START_S, 3600), *b = make_window(START_S, 3600);
        struct segment_head h = head, got;
        uint8_t sha[32];
        struct err e = {""};
        h.start_s = START_S + 7 * 60;
        h.length_s = 60;
        random_window(fine, seed, 12);
        struct file f = written(fine, &h, sha);
        window_merge(a, fine);
        assert_true(read_into(b, f, &got, sha, &e));
        assert_same(written(a, &head, sha), written(b, &head, sha));
        free(f.p);
        window_free(fine), window_free(a), window_free(b);
    }
}

/* ---- limits */

/* A window whose tables are smaller than the segment keeps what law 4 says, whatever was read
 * first. */
static void test_small_tables(void **state)
{
    (void)state;
    struct window *w = make_window(START_S, WINDOW_S);
    struct segment_head got;
    uint8_t sha[32];
    struct err e = {""};
    random_window(w, 77, 300);
    struct file f = written(w, &head, sha);
    config.limits.peers = config.limits.ntp = config.limits.tallies = config.limits.tls = 16;
    struct window *a = make_window(START_S, WINDOW_S), *b = make_window(START_S, WINDOW_S);
    if (!read_into(a, f, &got, sha, &e))
        fail_msg("%s", e.text);
    window_merge(b, w);
    assert_non_null(window_other(a, ROW_PEER));
    assert_same(written(a, &head, sha), written(b, &head, sha));
    free(f.p);
    window_free(w), window_free(a), window_free(b);
}

static uint64_t all_sessions(struct window *w)
{
    size_t n;
    void *const *rows = window_rows(w, ROW_TLS, &n);
    const struct row_tls *other = window_other(w, ROW_TLS);
    uint64_t sum = other != NULL ? other->sessions : 0;
    for (size_t i = 0; i < n; i++)
        sum += ((const struct row_tls *)rows[i])->sessions;
    return sum;
}

/* Where the window has no room for a row's name, the row is not lost but counts with the rest. */
static void test_no_room_for_names(void **state)
{
    (void)state;
    struct window *w = make_window(START_S, WINDOW_S);
    struct segment_head got;
    uint8_t sha[32];
    struct err e = {""};
    random_window(w, 78, 600);
    struct file f = written(w, &head, sha);
    config.limits.string_bytes = 2048;
    struct window *small = make_window(START_S, WINDOW_S);
    if (!read_into(small, f, &got, sha, &e))
        fail_msg("%s", e.text);
    assert_true(window_totals(small)->ledger.strings_turned_away
                > window_totals(w)->ledger.strings_turned_away);
    assert_non_null(window_other(small, ROW_TLS));
    assert_true(all_sessions(w) > 0 && all_sessions(small) == all_sessions(w));
    size_t n;
    void *const *rows = window_rows(small, ROW_TALLY, &n);
    for (size_t i = 0; i < n; i++) {
        const struct row_tally *t = rows[i];
        bool sni = t->key.family == TALLY_TLS_SNI && window_string(small, t->key.name).len == 0;
        assert_true(!sni || t->count < INT64_MAX / 2);
    }
    free(f.p);
    window_free(w), window_free(small);
}

/* Lines of all lengths come back as they were, wherever the decoder's buffers end. */
static void test_lines(void **state)
{
    (void)state;
    for (size_t longest = 1; longest <= 1 << 20; longest = longest * 7 + 3) {
        size_t size = 3 << 20, len = 0, n = 0;
        char *text = malloc(size + 1);
        memset(text, 'x', size);
        for (size_t at = 0; at < size; n++) {
            at += (n * 7919) % longest + 1;
            text[at <= size ? at - 1 : size - 1] = '\n';
            len = at <= size ? at : size;
        }
        struct file f = compressed(text, len);
        int fd = memory_file(f.p, f.len);
        struct zstd_in *in;
        struct err e = {""};
        assert_true(zstd_in_new(&in, fd, 0, UINT64_MAX, &e));
        for (const char *at = text; n > 0; n--) {
            const char *line;
            size_t got, want = (size_t)(strchr(at, '\n') - at);
            if (!zstd_in_line(in, size, &line, &got, &e))
                fail_msg("lines up to %zu: %s", longest, e.text);
            assert_int_equal(got, want);
            assert_memory_equal(line, at, got);
            at += want + 1;
        }
        const char *line;
        size_t got;
        if (!zstd_in_line(in, size, &line, &got, &e) || line != NULL)
            fail_msg("longest %zu len %zu: %s %p", longest, len, e.text, (const void *)line);
        zstd_in_free(in);
        close(fd);
        free(f.p);
        free(text);
    }
}

/* Totals too long for one row go on in further rows. */
static void test_long_totals(void **state)
{
    (void)state;
    struct window *w = make_window(START_S, WINDOW_S), *back = make_window(START_S, WINDOW_S);
    struct segment_head got;
    uint8_t sha[32];
    struct err e = {""};
    char name[1024];
    for (int i = 0; i < 3000; i++) {
        int n = snprintf(name, sizeof name, "%0*d", 900, i);
        struct row_tally t = {
            .key = {.family = TALLY_TLS_SNI, .name = window_intern(w, name, (uint32_t)n)}};
        ((struct row_tally *)window_row(w, ROW_TALLY, &t))->count = 1;
    }
    struct row_tally alert = {.key = {.family = TALLY_TLS_ALERT, .code = 0x0228}};
    ((struct row_tally *)window_row(w, ROW_TALLY, &alert))->count = 1;
    struct file f = written(w, &head, sha), x = text_of(f);
    assert_non_null(strstr((char *)x.p, "{\"kind\":\"totals\",\"part\":3,\"tls\":{\"snis\":"));
    for (char *line = (char *)x.p; *line != '\0'; line = strchr(line, '\n') + 1)
        assert_true(strchr(line, '\n') - line < 3 << 20);
    if (!read_into(back, f, &got, sha, &e))
        fail_msg("%s", e.text);
    /* The same in one frame without a checksum, so that the decoder may hold text after all input
     * is taken. */
    struct file plain = compressed((const char *)x.p, x.len);
    window_reset(back, START_S, WINDOW_S);
    if (!read_into(back, plain, &got, sha, &e))
        fail_msg("%s", e.text);
    free(plain.p);
    assert_same(f, written(back, &head, sha));
    free(x.p);
    window_free(w), window_free(back);
}

/* ---- files */

static char *temp_dir(void)
{
    static char dir[64];
    strcpy(dir, "/tmp/tellscope-segment-XXXXXX");
    assert_non_null(mkdtemp(dir));
    return dir;
}

/* Names in `dir`, hidden ones too. */
static int count_files(const char *dir)
{
    int n = 0;
    DIR *d = opendir(dir);
    for (struct dirent *f = readdir(d); f != NULL; f = readdir(d))
        n += strcmp(f->d_name, ".") != 0 && strcmp(f->d_name, "..") != 0;
    closedir(d);
    return n;
}

static void test_write(void **state)
{
    (void)state;
    char *dir = temp_dir(), name[160], path[256];
    struct window *w = make_window(START_S, WINDOW_S), *back = make_window(START_S, WINDOW_S);
    struct segment_options o = {.zstd_level = 1};
    struct segment_head got;
    struct segment_reader *r;
    struct err e = {""};
    uint8_t first[32], again[32];
    struct stat before, after;
    segment_name(&head, name);
    assert_string_equal(name, "summary-replay-20180228T120000Z-20180228T130000Z.ndjson.zst");
    snprintf(path, sizeof path, "%s/%s", dir, name);
    known_window(w);
    if (!segment_write(w, &head, dir, &o, first, &e))
        fail_msg("%s", e.text);
    assert_int_equal(count_files(dir), 1);
    assert_int_equal(stat(path, &before), 0);

    o.zstd_level = 5; /* the same rows in other bytes: nothing to do */
    assert_true(segment_write(w, &head, dir, &o, again, &e));
    assert_memory_equal(first, again, 32);
    assert_int_equal(stat(path, &after), 0);
    assert_true(before.st_ino == after.st_ino);
    assert_int_equal(count_files(dir), 1);

    window_totals(w)->ip_v6 = 1;
    assert_false(segment_write(w, &head, dir, &o, again, &e));
    assert_non_null(strstr(e.text, "exists with other content; --force replaces it"));
    assert_int_equal(count_files(dir), 1);
    o.force = true;
    assert_true(segment_write(w, &head, dir, &o, again, &e));
    assert_true(segment_open(&r, path, &got, &e) && segment_read(r, back, first, &e));
    segment_close(r);
    assert_memory_equal(first, again, 32);
    assert_true(window_totals(back)->ip_v6 == 1);

    assert_int_equal(truncate(path, 100), 0); /* a damaged file is other content */
    o.force = false;
    assert_false(segment_write(w, &head, dir, &o, again, &e));
    assert_int_equal(unlink(path), 0);

    struct rlimit limit = {100, RLIM_INFINITY}; /* as on a full disk */
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &limit);
    bool ok = segment_write(w, &head, dir, &o, again, &e);
    limit.rlim_cur = RLIM_INFINITY;
    setrlimit(RLIMIT_FSIZE, &limit);
    assert_false(ok);
    assert_non_null(strstr(e.text, "write"));
    assert_int_equal(count_files(dir), 0);
    assert_false(segment_write(w, &head, "/nowhere", &o, again, &e));
    assert_non_null(strstr(e.text, "/nowhere"));

    snprintf(path, sizeof path, "%s/other.zst", dir);
    if (!segment_write_file(w, &head, path, &o, first, &e))
        fail_msg("%s", e.text);
    assert_memory_equal(first, again, 32);
    assert_int_equal(count_files(dir), 1);
    assert_int_equal(unlink(path), 0);
    rmdir(dir);
    window_free(w), window_free(back);
}

static bool exists(const char *dir, const char *name)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return access(path, F_OK) == 0;
}

/* As a live run writes: what stands under the name stays, unless it is the same. Flags are named
 * after their summary, and both are found. */
static void test_append(void **state)
{
    (void)state;
    char *dir = temp_dir(), name[SEGMENT_NAME_SIZE], flags[160], path[256], command[512];
    struct window *w = make_window(START_S, WINDOW_S);
    struct segment_options o = {.zstd_level = 1, .append = true, .name = name};
    struct err e = {""};
    known_window(w);
    for (unsigned round = 0; round < 2; round++)
        for (unsigned n = 1; n <= SEGMENT_SAME_MAX; n++) {
            char want[SEGMENT_NAME_SIZE];
            snprintf(want, sizeof want, "summary-replay-20180228T120000Z-20180228T130000Z%s%.0u.%s",
                     n > 1 ? "~" : "", n > 1 ? n : 0, "ndjson.zst");
            window_totals(w)->ip_v6 = n;
            if (!segment_write(w, &head, dir, &o, NULL, &e))
                fail_msg("%s", e.text);
            assert_string_equal(name, want);
            assert_true(exists(dir, name));
        }
    assert_int_equal(count_files(dir), SEGMENT_SAME_MAX);
    flags_name(&head, name, flags);
    assert_string_equal(flags, "flags-replay-20180228T120000Z-20180228T130000Z~99.ndjson.zst");
    window_totals(w)->ip_v6 = 100;
    assert_false(segment_write(w, &head, dir, &o, NULL, &e));
    assert_non_null(strstr(e.text, "99 files of this name"));
    assert_int_equal(count_files(dir), SEGMENT_SAME_MAX);

    struct flags_head fh = {.sensor = "replay", .start_s = START_S, .length_s = WINDOW_S};
    for (int i = 0; i < 2; i++) /* replaced, not appended to */
        assert_true(flags_write(&(struct flags){0}, &fh, w, dir, flags, &o, &e));
    assert_int_equal(count_files(dir), SEGMENT_SAME_MAX + 1);
    assert_true(exists(dir, flags));
    assert_string_equal(name, "summary-replay-20180228T120000Z-20180228T130000Z~99.ndjson.zst");
    snprintf(command, sizeof command, "'%s' show --json %s | grep -q '\"read\":%d,'",
             TELLSCOPE_PROGRAM, dir, 7 * SEGMENT_SAME_MAX);
    assert_int_equal(system(command), 0);

    o.name = NULL; /* another ending */
    o.zstd_level = 3;
    window_totals(w)->ip_v6 = 1;
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/x.zst", dir);
        window_totals(w)->ip_v6 = (uint64_t)i;
        assert_true(segment_write_file(w, &head, path, &o, NULL, &e));
    }
    assert_true(exists(dir, "x.zst") && exists(dir, "x.zst~2"));
    snprintf(command, sizeof command, "rm %s/*", dir);
    assert_int_equal(system(command), 0);
    rmdir(dir);
    window_free(w);
}

static void test_full_disk(void **state)
{
    (void)state;
    struct window *w = make_window(START_S, WINDOW_S);
    struct err e = {""};
    int fd = open("/dev/full", O_WRONLY);
    if (fd < 0)
        skip();
    assert_false(segment_write_fd(w, &head, fd, 1, NULL, &e));
    assert_non_null(strstr(e.text, strerror(ENOSPC)));
    close(fd);
    window_free(w);
}

/* Segments one after another in one file, as spilled runs lie. */
static void test_offsets(void **state)
{
    (void)state;
    struct err e = {""};
    int fd = memory_file("", 0);
    off_t at[4] = {0};
    for (unsigned i = 0; i < 3; i++) {
        struct window *w = make_window(START_S, WINDOW_S);
        random_window(w, i + 1, 5);
        assert_true(segment_write_fd(w, &head, fd, 1, NULL, &e));
        at[i + 1] = lseek(fd, 0, SEEK_CUR);
        window_free(w);
    }
    for (unsigned i = 0; i < 3; i++) {
        struct window *w = make_window(START_S, WINDOW_S);
        struct segment_head got;
        struct segment_reader *r = NULL;
        assert_true(segment_open_fd(&r, fd, (uint64_t)at[i], (uint64_t)(at[i + 1] - at[i]), "run",
                                    &got, &e));
        if (!segment_read(r, w, NULL, &e))
            fail_msg("%s", e.text);
        segment_close(r);
        window_free(w);
    }
    assert_int_equal(lseek(fd, 0, SEEK_CUR), at[3]);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_round_trip, setup),
        cmocka_unit_test_setup(test_merge, setup),
        cmocka_unit_test_setup(test_roll_up, setup),
        cmocka_unit_test_setup(test_small_tables, setup),
        cmocka_unit_test_setup(test_long_totals, setup),
        cmocka_unit_test_setup(test_write, setup),
        cmocka_unit_test_setup(test_append, setup),
        cmocka_unit_test_setup(test_full_disk, setup),
        cmocka_unit_test_setup(test_offsets, setup),
        cmocka_unit_test_setup(test_no_room_for_names, setup),
        cmocka_unit_test_setup(test_lines, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
