/* Giving up root for real, each time in a child; without root only what can be refused is tested.
 */
#include "cli/drop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void not_found(void **state)
{
    (void)state;
    static const struct {
        const char *user, *want;
    } rows[] = {
        {"no-such-user", "user no-such-user: there is none of that name"},
        {"nobody:no-such-group", "group no-such-group: there is none of that name"},
        {"root", "user root: is root; name a user with fewer rights"},
        {"0", "user 0: is root; "},
        {"0:1234", "user 0:1234: is root; "},
        {"nobody:root", "user nobody:root: is root's group; "},
        {"nobody:0", "user nobody:0: is root's group; "},
        {"3999999999", "user 3999999999: has no name, and hence no group; name one as "},
        {"4294967295:1",
         "user 4294967295: there is none of that name"}, /* -1: no change, to setresuid */
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct drop d;
        struct err e = {""};
        assert_false(drop_find(rows[i].user, &d, &e));
        if (strncmp(e.text, rows[i].want, strlen(rows[i].want)) != 0)
            fail_msg("%s gives: %s", rows[i].user, e.text);
    }
}

static void found(void **state)
{
    (void)state;
    struct drop d;
    struct err e = {""};
    assert_true(drop_find("nobody", &d, &e));
    assert_true(d.uid == 65534);
    assert_string_equal(d.name, "nobody");
    assert_true(drop_find("65534", &d, &e));
    assert_string_equal(d.name, "nobody");
    assert_true(drop_find("nobody:4321", &d, &e));
    assert_true(d.uid == 65534 && d.gid == 4321);
    assert_string_equal(d.name, "");
    assert_true(drop_find("3999999999:4321", &d, &e));
    assert_true(d.uid == 3999999999 && d.gid == 4321);
}

/* The value of `name` in a status file of /proc, without the blanks around it. */
static const char *status_of(const char *file, const char *name, char to[static 256])
{
    char line[256];
    FILE *f = fopen(file, "r");
    to[0] = '\0';
    while (f != NULL && fgets(line, sizeof line, f) != NULL) {
        size_t len = strlen(name);
        if (strncmp(line, name, len) != 0 || line[len] != ':')
            continue;
        const char *p = line + len + 1 + strspn(line + len + 1, " \t");
        snprintf(to, 256, "%.*s", (int)strcspn(p, "\n"), p);
        for (size_t n = strlen(to); n > 0 && to[n - 1] == ' '; n--)
            to[n - 1] = '\0';
    }
    if (f != NULL)
        fclose(f);
    return to;
}

#define WANT(cond)                                                                                 \
    do {                                                                                           \
        if (!(cond)) {                                                                             \
            fprintf(stderr, "line %d: %s\n", __LINE__, #cond);                                     \
            _exit(1);                                                                              \
        }                                                                                          \
    } while (0)

static bool status_is(const char *file, const char *name, const char *want)
{
    char got[256];
    if (strcmp(status_of(file, name, got), want) == 0)
        return true;
    fprintf(stderr, "%s %s: %s, wanted %s\n", file, name, got, want);
    return false;
}

static void in_child(void (*what)(void))
{
    if (geteuid() != 0) {
        print_message("only root can give up root\n");
        skip();
    }
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        what();
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static const char self[] = "/proc/thread-self/status";
static const char none[] = "0000000000000000";

static void becomes_nobody(void)
{
    struct drop d, other;
    struct err e = {""};
    gid_t many[] = {0, 4, 6};
    WANT(setgroups(3, many) == 0);
    WANT(drop_find("nobody", &d, &e) && drop_now(&d, 0, &e));
    WANT(status_is(self, "Uid", "65534\t65534\t65534\t65534"));
    WANT(status_is(self, "Gid", "65534\t65534\t65534\t65534"));
    WANT(status_is(self, "Groups", "65534"));
    WANT(status_is(self, "CapPrm", none) && status_is(self, "CapEff", none));
    WANT(status_is(self, "CapInh", none) && status_is(self, "CapAmb", none));
    WANT(status_is(self, "CapBnd", none));
    WANT(status_is(self, "NoNewPrivs", "1"));
    WANT(setuid(0) != 0 && setgid(0) != 0 && setgroups(1, many) != 0);
    WANT(open("/etc/shadow", O_RDONLY) < 0);
    WANT(drop_now(&d, 0, &e)); /* again: nothing left to do */
    WANT(drop_find("nobody:4321", &other, &e) && !drop_now(&other, 0, &e));
    WANT(strcmp(e.text, "setgroups: become user 65534, group 4321: Operation not permitted") == 0);
}

static void nobody(void **state)
{
    (void)state;
    in_child(becomes_nobody);
}

static void becomes_numbers(void)
{
    struct drop d;
    struct err e = {""};
    WANT(drop_find("3999999999:4321", &d, &e) && drop_now(&d, 0, &e));
    WANT(status_is(self, "Uid", "3999999999\t3999999999\t3999999999\t3999999999"));
    WANT(status_is(self, "Groups", "4321"));
}

static void numbers(void **state)
{
    (void)state;
    in_child(becomes_numbers);
}

static void keeps_net_raw(void)
{
    struct drop d;
    struct err e = {""};
    char has[256];
    uint64_t raw = UINT64_C(1) << CAP_NET_RAW,
             caps = strtoull(status_of(self, "CapPrm", has), NULL, 16);
    if ((caps & raw) == 0)
        _exit(0);
    WANT(drop_find("nobody", &d, &e) && drop_now(&d, raw | UINT64_C(1) << 63, &e));
    WANT(status_is(self, "CapPrm", "0000000000002000")
         && status_is(self, "CapEff", "0000000000002000"));
    WANT(status_is(self, "CapBnd", "0000000000002000") && status_is(self, "CapInh", none));
    WANT(drop_now(&d, 0, &e)); /* and gives that up too */
    WANT(status_is(self, "CapPrm", none));
}

static void keeps(void **state)
{
    (void)state;
    in_child(keeps_net_raw);
}

static pthread_barrier_t meet;
static char other_file[64];

static void *waits(void *ctx)
{
    snprintf(other_file, sizeof other_file, "/proc/self/task/%ld/status", syscall(SYS_gettid));
    pthread_barrier_wait(&meet);
    pthread_barrier_wait(&meet);
    return ctx;
}

/* A thread that runs already (one of the driver framework's) changes too. */
static void threads_change(void)
{
    struct drop d;
    struct err e = {""};
    pthread_t t;
    WANT(pthread_barrier_init(&meet, NULL, 2) == 0);
    WANT(drop_begin(&e));
    WANT(pthread_create(&t, NULL, waits, NULL) == 0);
    pthread_barrier_wait(&meet);
    WANT(drop_find("nobody", &d, &e) && drop_now(&d, UINT64_C(1) << CAP_NET_RAW, &e));
    WANT(status_is(other_file, "Uid", "65534\t65534\t65534\t65534"));
    WANT(status_is(other_file, "Groups", "65534"));
    WANT(status_is(other_file, "CapPrm", none) && status_is(other_file, "CapEff", none));
    WANT(status_is(other_file, "NoNewPrivs", "1"));
    pthread_barrier_wait(&meet);
    WANT(pthread_join(t, NULL) == 0);
}

static void threads(void **state)
{
    (void)state;
    in_child(threads_change);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(not_found), cmocka_unit_test(found),
                                       cmocka_unit_test(nobody),    cmocka_unit_test(numbers),
                                       cmocka_unit_test(keeps),     cmocka_unit_test(threads)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
