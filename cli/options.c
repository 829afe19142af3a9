#include "cli/options.h"

#include "core/config_value.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>

/* What getopt_long returns for row i of the table, and for --help: beyond all letters. */
enum { ROW = 256, ROW_HELP = ROW + OPTIONS_MAX };

struct options options_of(const struct usage *u, int argc, char **argv)
{
    optind = 0; /* starts getopt anew (glibc, musl) */
    opterr = 0;
    return (struct options){.usage = u, .argc = argc, .argv = argv, .first = argc};
}

/* getopt's two spellings of the table. */
static void spell(const struct usage *u, char letters[static 2 * OPTIONS_MAX + 4],
                  struct option longs[static OPTIONS_MAX + 2])
{
    char *l = letters;
    *l++ = ':'; /* tell a missing value from an unknown option */
    *l++ = 'h';
    for (unsigned i = 0; i < u->n; i++) {
        const struct option_def *d = &u->defs[i];
        bool has_value = d->arg != NULL;
        longs[i] = (struct option){d->name, has_value, NULL, ROW + (int)i};
        if (d->letter != 0) {
            *l++ = d->letter;
            if (has_value)
                *l++ = ':';
        }
    }
    *l = '\0';
    longs[u->n] = (struct option){"help", no_argument, NULL, ROW_HELP};
    longs[u->n + 1] = (struct option){0};
}

static int row_of_letter(const struct usage *u, int letter)
{
    for (unsigned i = 0; i < u->n; i++)
        if (u->defs[i].letter != 0 && u->defs[i].letter == letter)
            return (int)i;
    return -1;
}

/* Names the option getopt stumbled over. */
static int wrong_option(struct options *o, bool value_missing)
{
    const struct usage *u = o->usage;
    const char *why = value_missing ? "needs a value" : "is unknown";
    const char *text = optind > 0 && optind <= o->argc ? o->argv[optind - 1] : "";
    if (optopt
        >= ROW) /* a known long option: with a value it does not take, or without one it needs */
        return options_fail(o, "option --%s %s",
                            optopt == ROW_HELP ? "help" : u->defs[optopt - ROW].name,
                            value_missing ? why : "takes no value");
    if (optopt != 0)
        return options_fail(o, "option -%c %s", optopt, why);
    return options_fail(o, "option %.80s %s", text, why);
}

int options_next(struct options *o)
{
    char letters[2 * OPTIONS_MAX + 4];
    struct option longs[OPTIONS_MAX + 2];
    spell(o->usage, letters, longs);
    int c = getopt_long(o->argc, o->argv, letters, longs, NULL);
    o->value = optarg;
    if (c == -1) {
        o->first = optind;
        return OPTIONS_END;
    }
    if (c == 'h' || c == ROW_HELP) {
        options_help(o->usage, stdout);
        o->status = EXIT_OK;
        return OPTIONS_STOP;
    }
    if (c == '?' || c == ':') {
        o->status = wrong_option(o, c == ':');
        return OPTIONS_STOP;
    }
    return c >= ROW ? c - ROW : row_of_letter(o->usage, c);
}

int options_fail(const struct options *o, const char *fmt, ...)
{
    char text[256];
    struct err e;
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    err_set(&e, "%s", text); /* for its care with control bytes */
    fprintf(stderr, "tellscope %s: %s; see 'tellscope help %s'\n", o->usage->command, e.text,
            o->usage->command);
    return EXIT_USAGE;
}

/* Lines after the first are indented to the column of the first. */
static void help_lines(const char *text, int column, FILE *to)
{
    for (; *text != '\0'; text++) {
        fputc(*text, to);
        if (*text == '\n')
            fprintf(to, "%*s", column, "");
    }
    fputc('\n', to);
}

void options_help(const struct usage *u, FILE *to)
{
    enum { COLUMN = 28 };
    fprintf(to, "Usage: tellscope %s [OPTION...]%s%s\n\n%s\n\nOptions:\n", u->command,
            u->args[0] != '\0' ? " " : "", u->args, u->about);
    for (unsigned i = 0; i <= u->n; i++) {
        static const struct option_def help = {'h', "help", NULL, "show this help"};
        const struct option_def *d = i < u->n ? &u->defs[i] : &help;
        int n = d->letter != 0 ? fprintf(to, "  -%c, ", d->letter) : fprintf(to, "      ");
        n += fprintf(to, "--%s", d->name);
        if (d->arg != NULL)
            n += fprintf(to, " %s", d->arg);
        if (n + 2 > COLUMN)
            n = fprintf(to, "\n") - 1;
        fprintf(to, "%*s", COLUMN - n, "");
        help_lines(d->help, COLUMN, to);
    }
}

bool option_seconds(const char *text, uint64_t min, uint64_t max, uint64_t *s, struct err *e)
{
    static const struct {
        char letter;
        uint64_t seconds;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
    char digits[24];
    size_t len = strlen(text);
    uint64_t unit = 1, n = 0;
    for (size_t i = 0; len > 1 && i < sizeof units / sizeof *units; i++)
        if (text[len - 1] == units[i].letter) {
            unit = units[i].seconds;
            len--;
            break;
        }
    bool ok = len < sizeof digits;
    snprintf(digits, sizeof digits, "%.*s", (int)(ok ? len : 0), text);
    if (!ok || !config_value_number(digits, 0, max / unit, &n, e) || n * unit < min) {
        err_set(e,
                "\"%.40s\" does not fit; a time as 300, 90s, 5m, 1h or 1d, from %" PRIu64
                " to %" PRIu64 " seconds",
                text, min, max);
        return false;
    }
    *s = n * unit;
    return true;
}

bool option_window(const char *text, uint64_t *s, struct err *e)
{
    uint64_t n;
    if (!option_seconds(text, 1, 86400, &n, e))
        return false;
    if (86400 % n != 0) {
        err_set(e, "\"%.40s\" does not divide a day; as 60, 5m, 1h or 1d", text);
        return false;
    }
    *s = n;
    return true;
}

bool option_words(const char *text, const char *const words[], unsigned n, uint32_t *set,
                  struct err *e)
{
    uint32_t found = 0;
    if (strcmp(text, "all") == 0) {
        *set = n < 32 ? (UINT32_C(1) << n) - 1 : UINT32_MAX;
        return true;
    }
    for (const char *p = text;;) {
        char word[41];
        size_t len = strcspn(p, ",");
        unsigned i;
        snprintf(word, sizeof word, "%.*s", (int)(len < 40 ? len : 40), p);
        if (!config_value_word(word, words, n, &i, e))
            return false;
        found |= UINT32_C(1) << i;
        if (p[len] == '\0')
            break;
        p += len + 1;
    }
    *set = found;
    return true;
}

bool option_percent(const char *text, double *to, struct err *e)
{
    char *end;
    double v = strtod(text, &end);
    if (end == text || (*end != '\0' && strcmp(end, "%") != 0) || !(v >= 0 && v <= 100)) {
        err_set(e, "%.40s is no share; allowed is 0 to 100 and an optional %%", text);
        return false;
    }
    *to = v;
    return true;
}
