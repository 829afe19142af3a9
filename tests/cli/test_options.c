#include "cli/options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <unistd.h>

enum { OPT_CONFIG, OPT_QUIET, OPT_LONG_ONLY, OPT_FLAG, OPT_N };

static const struct option_def defs[OPT_N] = {
    [OPT_CONFIG] = {'c', "config", "FILE", "read FILE"},
    [OPT_QUIET] = {'q', "quiet", NULL, "say\nless"},
    [OPT_LONG_ONLY] = {0, "window", "SECONDS", "length"},
    [OPT_FLAG] = {0, "a-rather-long-option-name", NULL, "long"},
};
static const struct usage usage = {"try", "FILE...", "Tries.", defs, OPT_N};

/* What `run` writes to `fd`. */
static char *captured(int fd, void (*run)(void *), void *ctx)
{
    static char text[4096];
    FILE *f = tmpfile();
    assert_non_null(f);
    fflush(stdout);
    fflush(stderr);
    int saved = dup(fd);
    assert_true(saved >= 0 && dup2(fileno(f), fd) >= 0);
    run(ctx);
    fflush(stdout);
    fflush(stderr);
    assert_true(dup2(saved, fd) >= 0);
    close(saved);
    rewind(f);
    text[fread(text, 1, sizeof text - 1, f)] = '\0';
    fclose(f);
    return text;
}

/* Reads a command line of words; notes "i=value " for each option, then "| arguments" or "stop
 * STATUS". */
struct line {
    const char *words;
    char got[256];
};

static void read_line(void *ctx)
{
    struct line *l = ctx;
    char copy[256], *argv[16], *rest = copy;
    int argc = 0;
    snprintf(copy, sizeof copy, "%s", l->words);
    for (char *w; (w = strsep(&rest, " ")) != NULL;)
        argv[argc++] = w;
    argv[argc] = NULL;
    struct options o = options_of(&usage, argc, argv);
    size_t at = 0;
    int i;
    while ((i = options_next(&o)) >= 0)
        at += (size_t)snprintf(l->got + at, sizeof l->got - at, "%d=%s ", i,
                               o.value != NULL ? o.value : "");
    if (i == OPTIONS_STOP) {
        snprintf(l->got + at, sizeof l->got - at, "stop %d", o.status);
        return;
    }
    at += (size_t)snprintf(l->got + at, sizeof l->got - at, "|");
    for (i = o.first; i < argc; i++)
        at += (size_t)snprintf(l->got + at, sizeof l->got - at, " %s", argv[i]);
}

static void command_lines(void **state)
{
    (void)state;
    static const struct {
        const char *words, *want, *says; /* says: the error behind "tellscope try: ", or NULL */
    } rows[] = {
        {"try", "|", NULL},
        {"try a b", "| a b", NULL},
        {"try -q -c f a", "1= 0=f | a", NULL},
        {"try -qcf a -", "1= 0=f | a -", NULL},
        {"try a --config f --quiet b", "0=f 1= | a b", NULL},
        {"try --config=f --window=5m", "0=f 2=5m |", NULL},
        {"try -- -q", "| -q", NULL},
        {"try --a-rather-long-option-name", "3= |", NULL},
        {"try -x", "stop 2", "option -x is unknown"},
        {"try -qx", "1= stop 2", "option -x is unknown"},
        {"try --nope a", "stop 2", "option --nope is unknown"},
        {"try --nope=3", "stop 2", "option --nope=3 is unknown"},
        {"try a --config", "stop 2", "option --config needs a value"},
        {"try -c", "stop 2", "option -c needs a value"},
        {"try --quiet=3", "stop 2", "option --quiet takes no value"},
        {"try --help=3", "stop 2", "option --help takes no value"},
        {"try -\x01", "stop 2", "option -? is unknown"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct line l = {.words = rows[i].words};
        char want[256] = "";
        char *said = captured(STDERR_FILENO, read_line, &l);
        assert_string_equal(l.got, rows[i].want);
        if (rows[i].says != NULL)
            snprintf(want, sizeof want, "tellscope try: %s; see 'tellscope help try'\n",
                     rows[i].says);
        assert_string_equal(said, want);
    }
}

static void help(void **state)
{
    (void)state;
    static const char *const lines[] = {"try --help", "try -h", "try -q a -h --nope"};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        struct line l = {.words = lines[i]};
        char *said = captured(STDOUT_FILENO, read_line, &l);
        assert_non_null(strstr(l.got, "stop 0"));
        assert_string_equal(said, "Usage: tellscope try [OPTION...] FILE...\n\nTries.\n\nOptions:\n"
                                  "  -c, --config FILE         read FILE\n"
                                  "  -q, --quiet               say\n"
                                  "                            less\n"
                                  "      --window SECONDS      length\n"
                                  "      --a-rather-long-option-name\n"
                                  "                            long\n"
                                  "  -h, --help                show this help\n");
    }
}

static void seconds(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t min, max, want; /* want UINT64_MAX: refused */
    } rows[] = {
        {"300", 1, 86400, 300},
        {"90s", 1, 86400, 90},
        {"5m", 1, 86400, 300},
        {"1h", 1, 86400, 3600},
        {"1d", 1, 86400, 86400},
        {"0", 0, 10, 0},
        {"2d", 1, 86400, UINT64_MAX},
        {"86401", 1, 86400, UINT64_MAX},
        {"0", 1, 86400, UINT64_MAX},
        {"0m", 1, 86400, UINT64_MAX},
        {"", 0, 10, UINT64_MAX},
        {"s", 0, 10, UINT64_MAX},
        {"5 m", 0, 1000, UINT64_MAX},
        {"-5", 0, 1000, UINT64_MAX},
        {"5ms", 0, 1000, UINT64_MAX},
        {"1.5h", 0, 86400, UINT64_MAX},
        {"18446744073709551616", 0, UINT64_MAX, UINT64_MAX},
        {"18446744073709551615d", 0, UINT64_MAX, UINT64_MAX},
        {"000000000000000000000000000000000000001", 0, 10, UINT64_MAX},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint64_t s = 77;
        struct err e = {""};
        bool ok = option_seconds(rows[i].text, rows[i].min, rows[i].max, &s, &e);
        if (ok != (rows[i].want != UINT64_MAX) || s != (ok ? rows[i].want : 77))
            fail_msg("\"%s\" gives %lu (%s)", rows[i].text, (unsigned long)s, e.text);
        assert_int_equal(ok, e.text[0] == '\0');
    }
    struct err e;
    uint64_t s;
    assert_false(option_seconds("x", 1, 60, &s, &e));
    assert_string_equal(e.text,
                        "\"x\" does not fit; a time as 300, 90s, 5m, 1h or 1d, from 1 to 60 "
                        "seconds");
}

static void windows(void **state)
{
    (void)state;
    uint64_t s = 0;
    struct err e;
    assert_true(option_window("5m", &s, &e));
    assert_int_equal(s, 300);
    assert_false(option_window("7", &s, &e));
    assert_string_equal(e.text, "\"7\" does not divide a day; as 60, 5m, 1h or 1d");
    assert_false(option_window("2d", &s, &e));
    assert_int_equal(s, 300);
}

static void word_sets(void **state)
{
    (void)state;
    static const char *const words[] = {"dns", "ntp", "tls"};
    static const struct {
        const char *text;
        uint32_t want; /* 0: refused */
    } rows[] = {
        {"dns", 1},  {"tls,dns", 5}, {"ntp,ntp", 2}, {"all", 7},  {"", 0},
        {"dns,", 0}, {",dns", 0},    {"DNS", 0},     {"dnsx", 0}, {"dns,all", 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint32_t set = 0;
        struct err e = {""};
        bool ok = option_words(rows[i].text, words, 3, &set, &e);
        if (ok != (rows[i].want != 0) || set != rows[i].want)
            fail_msg("\"%s\" gives %u (%s)", rows[i].text, set, e.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(command_lines), cmocka_unit_test(help),      cmocka_unit_test(seconds),
        cmocka_unit_test(windows),       cmocka_unit_test(word_sets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
