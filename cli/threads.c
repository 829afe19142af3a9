#define _GNU_SOURCE /* CPU_SET */
#include "cli/threads.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

bool thread_start(pthread_t *thread, void *(*run)(void *), void *arg, int cpu, struct err *e)
{
    pthread_attr_t attr;
    cpu_set_t set;
    pthread_attr_init(&attr);
    CPU_ZERO(&set);
    if (cpu >= 0) {
        CPU_SET((size_t)cpu, &set);
        pthread_attr_setaffinity_np(&attr, sizeof set, &set);
    }
    int failed = pthread_create(thread, &attr, run, arg);
    pthread_attr_destroy(&attr);
    if (failed == EAGAIN)
        err_set(e, "no more threads may be started: ask for fewer (-j), or raise 'ulimit -u'");
    else if (failed != 0 && cpu >= 0)
        err_set(e, "start a thread on CPU %d: %s", cpu, strerror(failed));
    else if (failed != 0)
        err_set(e, "start a thread: %s", strerror(failed));
    return failed == 0;
}

struct apart {
    void *(*run)(void *);
    void *arg;
    cpu_set_t may;
};

static void *run_apart(void *p)
{
    struct apart a = *(struct apart *)p;
    free(p);
    pthread_setaffinity_np(pthread_self(), sizeof a.may, &a.may);
    return a.run(a.arg);
}

/* The `nth` of the CPUs that this thread may use, beginning behind the one it is on; -1: unknown.
 */
static int nth_cpu(const cpu_set_t *may, unsigned nth)
{
    int n = CPU_COUNT(may), at = sched_getcpu();
    if (n < 1 || at < 0)
        return -1;
    for (unsigned left = nth % (unsigned)n + 1; left > 0; left -= CPU_ISSET((size_t)at, may) != 0)
        at = (at + 1) % CPU_SETSIZE;
    return at;
}

bool thread_start_apart(pthread_t *thread, void *(*run)(void *), void *arg, unsigned nth,
                        struct err *e)
{
    struct apart *a = malloc(sizeof *a);
    if (a == NULL) {
        err_set(e, "out of memory");
        return false;
    }
    *a = (struct apart){.run = run, .arg = arg};
    bool known = pthread_getaffinity_np(pthread_self(), sizeof a->may, &a->may) == 0;
    bool ok = known ? thread_start(thread, run_apart, a, nth_cpu(&a->may, nth), e)
                    : thread_start(thread, run, arg, -1, e);
    if (!ok || !known)
        free(a);
    return ok;
}
