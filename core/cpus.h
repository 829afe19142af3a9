/* Lists of CPUs as Linux writes them: "2,4-5". */
#pragma once
#include "core/err.h"

enum { CPUS_MAX = 1024 };

struct cpus {
    unsigned n;
    uint16_t at[CPUS_MAX]; /* in the order of the text; none twice */
};

/* Fills `c` from a list of numbers below CPUS_MAX and of ranges; "" is the empty list, and a line
 * break at the end (as files below /sys have it) does not matter. On failure `c` is untouched;
 * error text: "what is wrong; what is allowed". */
MUST_CHECK bool cpus_parse(const char *text, struct cpus *c, struct err *e);

bool cpus_has(const struct cpus *c, unsigned cpu);
