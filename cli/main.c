#include "cli/commands.h"
#include "cli/options.h"
#include "core/hash.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char *xxh3_path(void)
{
    switch (XXH_VECTOR) {
    case XXH_SCALAR:
        return "portable";
    case XXH_SSE2:
        return "sse2";
    case XXH_AVX2:
        return "avx2";
    case XXH_AVX512:
        return "avx512";
    case XXH_NEON:
        return "neon";
    default:
        return "vector";
    }
}

static int version(void)
{
    printf("tellscope %s\ncode paths: xxh3 %s; all else portable C\n", TELLSCOPE_VERSION,
           xxh3_path());
    return EXIT_OK;
}

static int usage_failure(const char *what, const char *name)
{
    struct err e;
    err_set(&e, "%s %.80s", what, name);
    fprintf(stderr, "tellscope: %s; see 'tellscope help'\n", e.text);
    return EXIT_USAGE;
}

static int run(int argc, char **argv)
{
    if (argc < 2)
        return usage_failure("a command is missing:", "replay, show, merge, config or help");
    const char *name = argv[1];
    const struct command *c = command_find(name);
    if (c != NULL)
        return c->run(argc - 1, argv + 1);
    if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0)
        return version();
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
        return cmd_help(1, argv + 1);
    return usage_failure(name[0] == '-' ? "unknown option" : "unknown command", name);
}

int main(int argc, char **argv)
{
    int status = run(argc, argv);
    bool told = status == EXIT_USAGE || status == EXIT_CONFIG || status == EXIT_RUNTIME;
    if ((fflush(stdout) != 0 || ferror(stdout)) && !told) {
        fprintf(stderr, "tellscope: write standard output: %s\n", strerror(errno));
        return EXIT_RUNTIME;
    }
    return status;
}
