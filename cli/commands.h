/* The commands: each has its file cmd_<name>.c, its declaration here and its row in cmd_help.c. */
#pragma once

struct command {
    const char *name;
    /* argv[0] is the command's name. Returns the exit status (enum exit_status of core/err.h);
     * whoever fails has said why on stderr, in one line. `COMMAND --help` writes its help to stdout
     * and returns 0. */
    int (*run)(int argc, char **argv);
    const char *help; /* one line */
};

/* In the order of `tellscope help`; ends with a row without a name. */
extern const struct command commands[];

int cmd_replay(int argc, char **argv);
int cmd_live(int argc, char **argv);
int cmd_show(int argc, char **argv);
int cmd_merge(int argc, char **argv);
int cmd_enrich(int argc, char **argv);
int cmd_whatif(int argc, char **argv);
int cmd_config(int argc, char **argv);
int cmd_doctor(int argc, char **argv);
int cmd_help(int argc, char **argv);

/* The command of this name, or NULL. */
const struct command *command_find(const char *name);
