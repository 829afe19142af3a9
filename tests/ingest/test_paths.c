/* Arguments to captures, over a tree made in a temporary directory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ingest/paths.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char root[] = "/tmp/test_paths-"
                     "XX"
                     "XX"
                     "XX";

static const char *at(const char *name)
{
    static char path[4][512];
    static unsigned next;
    char *p = path[next++ % 4];
    snprintf(p, sizeof path[0], "%s/%s", root, name);
    return p;
}

static void make_file(const char *name, const void *bytes, size_t len)
{
    int fd = open(at(name), O_WRONLY | O_CREAT | O_TRUNC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, len), len);
    close(fd);
}

static int make_tree(void **state)
{
    (void)state;
    if (mkdtemp(root) == NULL)
        return -1;
    mkdir(at("b"), 0755);
    mkdir(at("b/deep"), 0755);
    mkdir(at("b/deep/er"), 0755);
    mkdir(at("empty"), 0755);
    mkdir(at("packed"), 0755);
    make_file("b.pcap", "\xd4\xc3\xb2\xa1 little", 11);
    make_file("b/z", "\xa1\xb2\xc3\xd4 big", 8);
    make_file("b/nano", "\xa1\xb2\x3c\x4d", 4);
    make_file("b/long", "\x34\xcd\xb2\xa1", 4);
    make_file("b/deep/er/x.ng", "\n\r\r\n....", 8);
    make_file("b/deep/y.gz", "\x1f\x8b\x08\0", 4);
    make_file("b/deep/Y.zst", "\x28\xb5\x2f\xfd", 4);
    make_file("b/deep/short.pcap", "\xd4\xc3\xb2", 3);
    make_file("b/readme.pcap", "# no capture", 12);
    make_file("packed/a-capture.gz",
              "\x1f\x8b\x08\0\0\0\0\0\2\3\xbb\x72\x78\xd3\x42\0\x8f\x86\xb9\x6c\4\0\0\0", 24);
    make_file("packed/hello.gz",
              "\x1f\x8b\x08\0\0\0\0\0\2\3\xcb\x48\xcd\xc9\xc9\7\0\x86\xa6\x10\x36\5\0\0\0", 25);
    make_file("packed/nothing.gz", "\x1f\x8b\x08\0\0\0\0\0\2\3\3\0\0\0\0\0\0\0\0\0", 20);
    make_file("packed/hello.zst", "\x28\xb5\x2f\xfd\4\x58\x29\0\0hello\xa3\x6d\x9f\x88", 18);
    make_file("b/empty.pcap", "", 0);
    if (symlink("..", at("b/deep/loop")) != 0 || symlink("../b.pcap", at("b/link.pcap")) != 0
        || symlink("nowhere", at("b/dangling")) != 0 || mkfifo(at("b/fifo"), 0644) != 0)
        return -1;
    return 0;
}

static int remove_tree(void **state)
{
    (void)state;
    char command[64];
    snprintf(command, sizeof command, "rm -rf %s", root);
    return system(command);
}

static void expand(struct paths *p, const char *a, const char *b, const char *c)
{
    char *args[] = {(char *)(uintptr_t)a, (char *)(uintptr_t)b, (char *)(uintptr_t)c};
    struct err e;
    size_t n = 0;
    while (n < 3 && args[n] != NULL)
        n++;
    assert_true(paths_expand(p, args, n, PATHS_CAPTURES, &e));
}

static void check_tree(const struct paths *p, size_t first)
{
    static const char *const want[] = {
        "b.pcap", "b/deep/Y.zst", "b/deep/er/x.ng",      "b/deep/y.gz", "b/link.pcap", "b/long",
        "b/nano", "b/z",          "packed/a-capture.gz",
    };
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        assert_true(first + i < p->n);
        assert_string_equal(p->items[first + i].path, at(want[i]));
        assert_null(p->items[first + i].error);
    }
}

static void test_directory(void **state)
{
    (void)state;
    struct paths p;
    expand(&p, root, NULL, NULL);
    check_tree(&p, 0);
    assert_int_equal(p.n, 9);
    assert_int_equal(p.n_failed, 0);
    assert_int_equal(p.n_skipped, 9); /* loop, dangling, fifo, readme, empty, short, 3 packed */
    paths_free(&p);
    expand(&p, at(""), NULL, NULL); /* with a slash at the end: no second one */
    check_tree(&p, 0);
    paths_free(&p);
    expand(&p, at("empty"), NULL, NULL);
    assert_int_equal(p.n, 0);
    paths_free(&p);
    expand(&p, at("b/deep/loop/deep/er"), NULL, NULL); /* a link on the way is the user's word */
    assert_int_equal(p.n, 1);
    paths_free(&p);
}

static void test_explicit(void **state)
{
    (void)state;
    struct paths p;
    expand(&p, at("b/readme.pcap"), "-", at("b/link.pcap")); /* taken unseen, in this order */
    assert_int_equal(p.n, 3);
    assert_string_equal(p.items[0].path, at("b/readme.pcap"));
    assert_string_equal(p.items[1].path, "-");
    assert_string_equal(p.items[2].path, at("b/link.pcap"));
    assert_int_equal(p.n_failed + p.n_skipped, 0);
    paths_free(&p);
}

static void test_missing(void **state)
{
    (void)state;
    struct paths p;
    char want[600];
    expand(&p, at("gone.pcap"), root, "");
    assert_int_equal(p.n, 11);
    assert_int_equal(p.n_failed, 2);
    snprintf(want, sizeof want, "%s: No such file or directory", at("gone.pcap"));
    assert_string_equal(p.items[0].path, at("gone.pcap"));
    assert_string_equal(p.items[0].error, want);
    check_tree(&p, 1);
    assert_non_null(p.items[10].error);
    paths_free(&p);
    paths_free(&p);
    expand(&p, at("b.pcap/x"), NULL, NULL);
    assert_non_null(strstr(p.items[0].error, "Not a directory"));
    paths_free(&p);
}

/* Root reads everything, so this needs another user to mean something. */
static void test_unreadable(void **state)
{
    (void)state;
    struct paths p;
    if (geteuid() == 0)
        skip();
    chmod(at("b/deep"), 0);
    chmod(at("b/z"), 0);
    expand(&p, root, NULL, NULL);
    chmod(at("b/deep"), 0755);
    chmod(at("b/z"), 0644);
    assert_int_equal(p.n, 7);
    assert_int_equal(p.n_failed, 2);
    assert_string_equal(p.items[1].path, at("b/deep"));
    assert_non_null(strstr(p.items[1].error, "Permission denied"));
    paths_free(&p);
}

/* Segments are told by their names, which is for who reads them. */
static void test_packed(void **state)
{
    (void)state;
    struct paths p;
    struct err e;
    char *args[] = {(char *)(uintptr_t)at("packed")};
    assert_true(paths_expand(&p, args, 1, PATHS_PACKED, &e));
    assert_int_equal(p.n, 4);
    assert_string_equal(p.items[2].path, at("packed/hello.zst"));
    paths_free(&p);
}

/* A tree deeper than any path may be comes to an end, with an error that says so. */
static void test_deep(void **state)
{
    (void)state;
    struct paths p;
    char name[201];
    int depth, here = open(root, O_RDONLY | O_DIRECTORY), fd = dup(here);
    memset(name, 'd', 200);
    name[200] = '\0';
    for (depth = 0; depth < 30; depth++) {
        if (mkdirat(fd, name, 0755) != 0)
            break;
        int below = openat(fd, name, O_RDONLY | O_DIRECTORY);
        close(fd);
        fd = below;
    }
    close(fd);
    close(here);
    assert_int_equal(depth, 30);
    char path[512];
    snprintf(path, sizeof path, "%s/%s", root, name);
    expand(&p, path, NULL, NULL);
    assert_int_equal(p.n, 1);
    assert_non_null(strstr(p.items[0].error, "File name too long"));
    paths_free(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_directory), cmocka_unit_test(test_explicit),
        cmocka_unit_test(test_missing),   cmocka_unit_test(test_unreadable),
        cmocka_unit_test(test_packed),    cmocka_unit_test(test_deep),
    };
    return cmocka_run_group_tests(tests, make_tree, remove_tree);
}
