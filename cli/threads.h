/* Threads and the CPUs they run on. */
#pragma once
#include "core/err.h"

#include <pthread.h>

/* Starts a thread that stays on `cpu`; -1: that runs where it may. */
MUST_CHECK bool thread_start(pthread_t *thread, void *(*run)(void *), void *arg, int cpu,
                             struct err *e);

/* Starts the `nth` of several that work at the same time, each on a CPU of its own as far as there
 * are any. They may run anywhere; but not every kernel moves a busy thread from where it began. */
MUST_CHECK bool thread_start_apart(pthread_t *thread, void *(*run)(void *), void *arg, unsigned nth,
                                   struct err *e);
