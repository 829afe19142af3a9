/* Scenarios in a process of their own: what can be done once a process, and what may hang. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* As an assertion, in a child: says what failed, and ends it. */
#define CHECK(ok, ...)                                                                             \
    do {                                                                                           \
        if (!(ok)) {                                                                               \
            fprintf(stderr, "%s:%d: %s: ", __FILE__, __LINE__, #ok);                               \
            fprintf(stderr, __VA_ARGS__);                                                          \
            fprintf(stderr, "\n");                                                                 \
            _exit(1);                                                                              \
        }                                                                                          \
    } while (0)

enum { CHILD_SECONDS = 120 };

/* Runs it in a child, within CHILD_SECONDS. */
static inline void in_child(void (*scenario)(void))
{
    int status = 0;
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        alarm(CHILD_SECONDS);
        scenario();
        exit(0);
    }
    assert_true(pid > 0 && waitpid(pid, &status, 0) == pid);
    if (WIFSIGNALED(status))
        fail_msg("signal %d", WTERMSIG(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}
