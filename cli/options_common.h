/* Options that replay and live share: files of configuration and policy, and what goes over them.
 */
#pragma once
#include "cli/options.h"
#include "core/config.h"
#include "enrich/tls_policy.h"

struct common_options {
    /* Rows of the command's table. */
    int row_config, row_policy, row_set, row_sensor, row_vantage, row_scope;
    /* Takes any other option. Error text: "what is wrong; what is allowed". */
    bool (*take)(void *ctx, int row, const char *value, struct err *e);
    void *ctx;
    /* Filled: what they hold goes over what is there. */
    struct config *config;
    struct tls_policy *policy;
    const char *config_path, *policy_path; /* NULL: none was given */
};

/* Reads the command line: files first, wherever they stand, so that all else goes over what they
 * say. EXIT_OK, and `o` is at the arguments; else o->status says how the command ends, and why was
 * written to stderr. */
int options_common(struct common_options *c, struct options *o, const struct usage *u, int argc,
                   char **argv);
