#include "cli/stop.h"

#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>

static atomic_bool wanted; /* set on whichever thread the signal comes to */

static void on_signal(int number)
{
    (void)number;
    atomic_store(&wanted, true);
}

void stop_catch(void)
{
    struct sigaction a = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
    sigemptyset(&a.sa_mask);
    sigaction(SIGINT, &a, NULL);
    sigaction(SIGTERM, &a, NULL);
}

bool stop_wanted(void)
{
    return atomic_load(&wanted);
}
