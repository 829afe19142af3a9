/* SIGINT and SIGTERM: a wish to stop, looked at between bursts. */
#pragma once
#include <stdbool.h>

/* From now on the first signal sets the wish, a second one of the same kind ends the program at
 * once. */
void stop_catch(void);
bool stop_wanted(void);
