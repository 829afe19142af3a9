#include "cli/commands.h"
#include "cli/options.h"
#include "core/config.h"
#include "core/text.h"
#include "enrich/client_types.h"
#include "enrich/tls_policy.h"

#include <stdio.h>
#include <string.h>

static const struct usage usage = {
    "config", "check FILE... | dump [FILE]",
    "check: reads each FILE strictly and reports the first error with its line and column.\n"
    "dump:  writes every key with the value it has after FILE; without FILE, the defaults.\n"
    "Files named policy-* are TLS policies; check takes lists of client types, named clients*, too.",
    NULL, 0};

/* What is no configuration is told by its name, as the files in configs/ have it. */
static bool is_named(const char *file, const char *begin)
{
    const char *slash = strrchr(file, '/');
    return strncmp(slash != NULL ? slash + 1 : file, begin, strlen(begin)) == 0;
}

static bool is_policy(const char *file)
{
    return is_named(file, "policy-");
}

/* Reads `file` and fills what it amounts to. */
static bool check_one(const char *file, char what[static 96], struct err *e)
{
    struct config c = config_default();
    struct tls_policy p = tls_policy_default();
    char hash[17];
    if (is_policy(file)) {
        if (!tls_policy_load(&p, file, e))
            return false;
        tls_policy_hash(&p, hash);
        snprintf(what, 96, "policy %s %s", p.name, hash);
        return true;
    }
    if (is_named(file, "clients")) {
        struct client_types *types;
        if (!client_types_load(&types, file, e))
            return false;
        client_types_free(types);
        snprintf(what, 96, "client types");
        return true;
    }
    if (!config_load(&c, file, e))
        return false;
    config_hash(&c, hash);
    snprintf(what, 96, "configuration %s", hash);
    return true;
}

static int check(char *const *files, int n)
{
    int status = EXIT_OK;
    for (int i = 0; i < n; i++) {
        char what[96];
        struct err e = {""};
        if (check_one(files[i], what, &e)) {
            printf("%s: ok, %s\n", files[i], what);
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
    struct tls_policy p = tls_policy_default();
    struct err e = {""};
    bool policy = file != NULL && is_policy(file);
    if (file != NULL && !(policy ? tls_policy_load(&p, file, &e) : config_load(&c, file, &e))) {
        fprintf(stderr, "tellscope config: %s\n", e.text);
        return EXIT_CONFIG;
    }
    struct text_sink text = {0};
    if (policy)
        tls_policy_dump(&p, &text);
    else
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
