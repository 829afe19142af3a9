/* Arguments of DPDK's environment (EAL, 22.11), looked at before it sees them: of one it does not
 * know it says no more than that there is one; some it would pass over, wait on for ever, or end
 * the program for. */
#pragma once
#include "core/err.h"

#include <stdbool.h>

/* False: `*bad` is the one at fault. What values mean is left to EAL. */
MUST_CHECK bool ports_eal_check(const char *const args[], unsigned n, unsigned *bad, struct err *e);
