/* Failure on the control path: one line that carries its story from the inside out. */
#pragma once
#include "core/cur.h"

#include <stdint.h>

/* Which exit status a failure asks for: the contract of the program. */
enum exit_status {
    EXIT_OK = 0,
    EXIT_RUNTIME = 1,
    EXIT_USAGE = 2,
    EXIT_CONFIG = 3,
    EXIT_DAMAGED = 4,
    EXIT_LOSS = 5,
    EXIT_FINDINGS = 6,
};

struct err {
    char text[512]; /* "" when nothing failed; always NUL-terminated, one line */
};

/* Sets the innermost cause. Control bytes in the result are replaced by '?', so that hostile file
 * names and values cannot break the line. Keeps only the first 511 bytes. */
void err_set(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Puts "context: " in front of what is there. Returns false, so that a failing function can end
 * with `return err_in(e, "load pool");`. */
bool err_in(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
