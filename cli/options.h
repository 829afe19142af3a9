/* Command lines: a table of options, read with getopt_long(3), and help made from the same table.
 *
 *     enum { OPT_CONFIG, OPT_QUIET, OPT_N };
 *     static const struct option_def defs[OPT_N] = {
 *         [OPT_CONFIG] = {'c', "config", "FILE", "read the configuration FILE"},
 *         [OPT_QUIET] = {'q', "quiet", NULL, "no progress bar"},
 *     };
 *     static const struct usage usage = {"replay", "CAPTURE|DIR|- ...", "Captures to segments.",
 * defs, OPT_N}; struct options o = options_of(&usage, argc, argv); for (int i; (i =
 * options_next(&o)) != OPTIONS_END;) switch (i) { case OPT_CONFIG: ... o.value ... default: return
 * o.status;
 *         }
 */
#pragma once
#include "core/err.h"

#include <stdio.h>

enum { OPTIONS_MAX = 48 };

struct option_def {
    char letter;      /* 0: only the long form */
    const char *name; /* long form, without dashes */
    const char *arg;  /* what stands for its value in the help; NULL: it has none */
    const char *help; /* may hold line breaks */
};

struct usage {
    const char *command;
    const char *args;  /* what follows the options */
    const char *about; /* lines under the usage line; may hold line breaks */
    const struct option_def *defs;
    unsigned n; /* at most OPTIONS_MAX */
};

enum { OPTIONS_END = -1, OPTIONS_STOP = -2 };

struct options {
    const struct usage *usage;
    int argc;
    char **argv;       /* reordered: options first */
    int first;         /* after OPTIONS_END: argv[first..argc) are the arguments */
    const char *value; /* of the option just returned, or NULL */
    int status;        /* after OPTIONS_STOP: the exit status */
};

/* `-h` and `--help` are always understood and need no row. Only one struct options at a time:
 * getopt(3) is a global. */
struct options options_of(const struct usage *u, int argc, char **argv);

/* The index of the next option in the table; OPTIONS_END after the last; OPTIONS_STOP where the
 * help was asked for and written (status 0) or the command line is wrong and the error written
 * (status 2). Options may stand behind arguments, until "--". */
int options_next(struct options *o);

/* Writes "tellscope COMMAND: text; see 'tellscope help COMMAND'" to stderr and returns EXIT_USAGE.
 */
int options_fail(const struct options *o, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* The help text. */
void options_help(const struct usage *u, FILE *to);

/* Values with a unit and sets (core/config_value.h has the plain ones; config_set of core/config.h
 * sets what is a key of the configuration). Each fills its last pointer, or sets `e` to "what is
 * wrong; what is allowed". */

/* Seconds: "300", "90s", "5m", "1h", "1d"; from `min` to `max` seconds. */
MUST_CHECK bool option_seconds(const char *text, uint64_t min, uint64_t max, uint64_t *s,
                               struct err *e);
/* A window: seconds as above that divide a day. */
MUST_CHECK bool option_window(const char *text, uint64_t *s, struct err *e);
/* A share: "5%", "0.1"; from 0 to 100. */
MUST_CHECK bool option_percent(const char *text, double *percent, struct err *e);
/* A comma-separated set of `n` words (at most 32), or "all"; bit i of `set` for words[i]. */
MUST_CHECK bool option_words(const char *text, const char *const words[], unsigned n, uint32_t *set,
                             struct err *e);
