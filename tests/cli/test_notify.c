/* What a service manager would get, on real sockets. */
#include "cli/notify.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static char folder[] = "/tmp/tellscope-notify-XXXXXX";
static char path[64];

/* A manager's socket; `name` as NOTIFY_SOCKET has it. */
static int manager(const char *name)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    size_t len = strlen(name);
    memcpy(at.sun_path, name, len);
    if (name[0] == '@')
        at.sun_path[0] = '\0';
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    assert_true(fd >= 0);
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + (name[0] == '/'));
    assert_int_equal(bind(fd, (struct sockaddr *)&at, size), 0);
    return fd;
}

static void got(int fd, const char *want)
{
    char text[1024];
    ssize_t n = recv(fd, text, sizeof text - 1, 0);
    assert_true(n >= 0);
    text[n] = '\0';
    assert_string_equal(text, want);
}

static void got_nothing(int fd)
{
    char c;
    assert_int_equal(recv(fd, &c, 1, 0), -1);
    assert_int_equal(errno, EAGAIN);
}

static void clear(void)
{
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
}

static void all_messages(const char *name)
{
    struct notify n;
    struct err e = {""};
    clear();
    int fd = manager(name);
    setenv("NOTIFY_SOCKET", name, 1);
    if (!notify_open(&n, &e))
        fail_msg("%s", e.text);
    assert_true(n.watchdog_ns == 0);
    got_nothing(fd);
    assert_true(notify_ready(&n, "2 ports"));
    got(fd, "READY=1\nSTATUS=2 ports");
    assert_true(notify_ready(&n, NULL));
    got(fd, "READY=1\n");
    assert_true(notify_status(&n, "1.2 Mpps\nMAINPID=1"));
    got(fd, "STATUS=1.2 Mpps MAINPID=1"); /* a line break begins no variable */
    assert_true(notify_status(&n, ""));
    got(fd, "STATUS=");
    assert_true(notify_watchdog(&n));
    got(fd, "WATCHDOG=1\n");
    assert_true(notify_stopping(&n, "writing"));
    got(fd, "STOPPING=1\nSTATUS=writing");
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    unsigned long long before = (unsigned long long)t.tv_sec * 1000000, us;
    assert_true(notify_reloading(&n));
    char text[128];
    ssize_t len = recv(fd, text, sizeof text - 1, 0);
    assert_true(len > 0);
    text[len] = '\0';
    assert_int_equal(sscanf(text, "RELOADING=1\nMONOTONIC_USEC=%llu", &us), 1);
    assert_true(us >= before && us < before + 60000000);
    char big[2000];
    memset(big, 'x', sizeof big - 1);
    big[sizeof big - 1] = '\0';
    assert_true(notify_status(&n, big));
    assert_int_equal(recv(fd, big, sizeof big, 0), 512);
    close(fd);
    assert_false(notify_watchdog(&n)); /* the manager is gone: no signal, no wait */
    assert_int_equal(errno, ECONNREFUSED);
    notify_close(&n);
    notify_close(&n);
}

static void of_a_path(void **state)
{
    (void)state;
    all_messages(path);
    unlink(path);
}

static void abstract(void **state)
{
    (void)state;
    char name[64];
    snprintf(name, sizeof name, "@tellscope-notify-%ld", (long)getpid());
    all_messages(name);
}

static void silent_without_a_manager(void **state)
{
    (void)state;
    struct notify n;
    struct err e;
    clear();
    for (int i = 0; i < 2; i++) {
        setenv("WATCHDOG_USEC", "1000000", 1);
        assert_true(notify_open(&n, &e));
        assert_int_equal(n.fd, -1);
        assert_true(n.watchdog_ns == 0);
        assert_true(notify_ready(&n, "x") && notify_status(&n, "x") && notify_watchdog(&n)
                    && notify_reloading(&n) && notify_stopping(&n, NULL));
        notify_close(&n);
        setenv("NOTIFY_SOCKET", "", 1);
    }
}

/* A manager that does not read does not hold us up. */
static void full(void **state)
{
    (void)state;
    struct notify n;
    struct err e;
    clear();
    int fd = manager(path);
    setenv("NOTIFY_SOCKET", path, 1);
    assert_true(notify_open(&n, &e));
    int sent = 0;
    while (sent < 1000000 && notify_watchdog(&n))
        sent++;
    assert_true(sent > 0 && sent < 1000000);
    assert_int_equal(errno, EAGAIN);
    got(fd, "WATCHDOG=1\n");
    assert_true(notify_watchdog(&n));
    notify_close(&n);
    close(fd);
    unlink(path);
}

static void watchdog(void **state)
{
    (void)state;
    char own[16];
    snprintf(own, sizeof own, "%ld", (long)getpid());
    const struct {
        const char *us, *pid;
        uint64_t want_ns;
        const char *error;
    } rows[] = {
        {NULL, own, 0, NULL},
        {"30000000", NULL, 15000000000u, NULL},
        {"30000000", own, 15000000000u, NULL},
        {"30000000", "1", 0, NULL}, /* another's */
        {"1", NULL, 500, NULL},
        {"0", NULL, 0, "WATCHDOG_USEC: \"0\" does not fit; "},
        {"30s", NULL, 0, "WATCHDOG_USEC: \"30s\" does not fit; "},
        {"18446744073709551615", NULL, 0, "WATCHDOG_USEC: "},
        {"5", "x", 0, "WATCHDOG_PID: \"x\" does not fit; "},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct notify n;
        struct err e = {""};
        clear();
        setenv("NOTIFY_SOCKET", "/nonexistent", 1);
        if (rows[i].us != NULL)
            setenv("WATCHDOG_USEC", rows[i].us, 1);
        if (rows[i].pid != NULL)
            setenv("WATCHDOG_PID", rows[i].pid, 1);
        assert_int_equal(notify_open(&n, &e), rows[i].error == NULL);
        assert_true(n.watchdog_ns == rows[i].want_ns);
        if (rows[i].error != NULL)
            assert_int_equal(strncmp(e.text, rows[i].error, strlen(rows[i].error)), 0);
        notify_close(&n);
    }
}

static void names_that_are_none(void **state)
{
    (void)state;
    char longest[120];
    memset(longest, 'x', sizeof longest);
    longest[0] = '/';
    longest[108] = '\0'; /* sun_path has 108 bytes, with NUL */
    const char *const rows[] = {"run/x", "/", "@", "vsock:2:1", longest};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct notify n;
        struct err e = {""};
        clear();
        setenv("NOTIFY_SOCKET", rows[i], 1);
        assert_false(notify_open(&n, &e));
        assert_non_null(strstr(e.text, "NOTIFY_SOCKET: \""));
        assert_int_equal(n.fd, -1);
        assert_true(notify_ready(&n, NULL));
    }
}

int main(void)
{
    if (mkdtemp(folder) == NULL)
        return 1;
    snprintf(path, sizeof path, "%s/socket", folder);
    const struct CMUnitTest tests[] = {cmocka_unit_test(of_a_path),
                                       cmocka_unit_test(abstract),
                                       cmocka_unit_test(silent_without_a_manager),
                                       cmocka_unit_test(full),
                                       cmocka_unit_test(watchdog),
                                       cmocka_unit_test(names_that_are_none)};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    rmdir(folder);
    return failed;
}
