#include "cli/commands.h"
#include "cli/options.h"

#include <stdio.h>
#include <string.h>

const struct command commands[] = {
    {"replay", cmd_replay, "captures to segments, and their totals"},
    {"live", cmd_live, "DPDK ports or an interface of the kernel to segments"},
    {"show", cmd_show, "what segments hold: merged totals and tables"},
    {"merge", cmd_merge, "one segment out of many, or coarser windows"},
    {"whatif", cmd_whatif, "whom a stricter TLS policy would cut off"},
    {"enrich", cmd_enrich, "judge summaries: make their flags segments"},
    {"config", cmd_config, "check a configuration, or write all keys with their values"},
    {"doctor", cmd_doctor, "what is missing for live capture, and the commands that mend it"},
    {"help", cmd_help, "this list, or the help of one command"},
    {NULL, NULL, NULL},
};

const struct command *command_find(const char *name)
{
    for (const struct command *c = commands; c->name != NULL; c++)
        if (strcmp(c->name, name) == 0)
            return c;
    return NULL;
}

static const struct usage usage = {"help", "[COMMAND]",
                                   "Lists the commands, or shows the help of COMMAND.", NULL, 0};

static void list_commands(void)
{
    printf("Usage: tellscope COMMAND [OPTION...] [ARG...]\n\n"
           "Summarises the network traffic of smart-home gateways.\n\nCommands:\n");
    for (const struct command *c = commands; c->name != NULL; c++)
        printf("  %-10s%s\n", c->name, c->help);
    printf(
        "\n'tellscope help COMMAND' explains a command; 'tellscope --version' tells the release.\n"
        "\nExit status: 0 ok; 1 runtime failure or stopped by a signal; 2 usage; 3 configuration;\n"
        "4 some input was damaged (the rest was done); 5 loss above --max-loss; 6 findings with\n"
        "--fail-on.\n");
}

int cmd_help(int argc, char **argv)
{
    struct options o = options_of(&usage, argc, argv);
    if (options_next(&o) == OPTIONS_STOP)
        return o.status;
    if (o.first == argc) {
        list_commands();
        return EXIT_OK;
    }
    const struct command *c = command_find(argv[o.first]);
    if (c == NULL)
        return options_fail(&o, "unknown command %.80s", argv[o.first]);
    if (argc - o.first > 1)
        return options_fail(&o, "one command only");
    char name[16], option[] = "--help";
    snprintf(name, sizeof name, "%s", c->name);
    return c->run(2, (char *[]){name, option, NULL});
}
