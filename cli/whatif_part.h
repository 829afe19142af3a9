/* What the printers of whatif share. */
#pragma once
#include "cli/whatif.h"

/* Is it of a server that was asked for? */
bool whatif_wanted(const struct whatif_print *p, const struct whatif_line *l);
