#include "cli/commands.h"
#include "cli/options.h"
#include "core/config.h"
#include "core/text.h"

#include <stdio.h>
#include <string.h>

static const struct usage usage = {
    "config", "check FILE... | dump [FILE]",
    "check: reads each FILE strictly and reports the first error with its line and column.\n"
    "dump:  writes every key with the value it has after FILE; without FILE, the defaults.",
    NULL, 0};

static int check(char *const *files, int n)
{
    int status = EXIT_OK;
    for (int i = 0; i < n; i++) {
        struct config c = config_default();
        struct err e = {""};
        if (config_load(&c, files[i], &e)) {
            char hash[17];
            config_hash(&c, hash);
            printf("%s: ok, configuration %s\n", files[i], hash);
        } else {
            fprintf(stderr, "tellscope config: %s\n", e.text);
            status = EXIT_CONFIG;
        }
    }
    return status;
}

static int dump(const char *file)
{
    struct config c = config_default();
    struct err e = {""};
    if (file != NULL && !config_load(&c, file, &e)) {
        fprintf(stderr, "tellscope config: %s\n", e.text);
        return EXIT_CONFIG;
    }
    struct text_sink text = {0};
    config_dump(&c, &text);
    bool ok = !text.failed;
    if (ok)
        fputs(text.p, stdout);
    else
        fprintf(stderr, "tellscope config: out of memory\n");
    text_free(&text);
    return ok ? EXIT_OK : EXIT_RUNTIME;
}

int cmd_config(int argc, char **argv)
{
    struct options o = options_of(&usage, argc, argv);
    if (options_next(&o) == OPTIONS_STOP)
        return o.status;
    int n = argc - o.first - 1; /* files */
    if (n < 0)
        return options_fail(&o, "check or dump is missing");
    const char *verb = argv[o.first];
    if (strcmp(verb, "check") == 0)
        return n > 0 ? check(argv + o.first + 1, n) : options_fail(&o, "a file is missing");
    if (strcmp(verb, "dump") == 0)
        return n <= 1 ? dump(n == 1 ? argv[o.first + 1] : NULL) : options_fail(&o, "one file only");
    return options_fail(&o, "%.80s is neither check nor dump", verb);
}
