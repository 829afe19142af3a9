#include "cli/options_common.h"

#include <string.h>

static bool set_pair(struct config *c, const char *pair, struct err *e)
{
    char key[128];
    const char *equal = strchr(pair, '=');
    if (equal == NULL || (size_t)(equal - pair) >= sizeof key) {
        err_set(e, "%.80s is no KEY=VALUE", pair);
        return false;
    }
    memcpy(key, pair, (size_t)(equal - pair));
    key[equal - pair] = '\0';
    return config_set(c, key, equal + 1, e);
}

static bool take_file(struct common_options *c, int row, const char *path, struct err *e)
{
    if (row == c->row_config) {
        c->config_path = path;
        return config_load(c->config, path, e);
    }
    c->policy_path = path;
    return tls_policy_load(c->policy, path, e);
}

static bool take_value(const struct common_options *c, int row, const char *value, struct err *e)
{
    if (row == c->row_set)
        return set_pair(c->config, value, e);
    if (row == c->row_sensor)
        return config_set(c->config, "sensor", value, e);
    if (row == c->row_vantage)
        return config_set(c->config, "vantage", value, e);
    if (row == c->row_scope)
        return config_set(c->config, "scope", value, e);
    return c->take(c->ctx, row, value, e);
}

static int fail_config(struct options *o, const struct err *e)
{
    fprintf(stderr, "tellscope %s: %s\n", o->usage->command, e->text);
    o->status = EXIT_CONFIG;
    return -1;
}

int options_common(struct common_options *c, struct options *o, const struct usage *u, int argc,
                   char **argv)
{
    struct err e = {""};
    for (int pass = 0; pass < 2; pass++) {
        *o = options_of(u, argc, argv);
        for (int row; (row = options_next(o)) != OPTIONS_END;) {
            if (row == OPTIONS_STOP)
                return -1;
            bool file = row == c->row_config || row == c->row_policy;
            if (file && pass == 0 && !take_file(c, row, o->value, &e))
                return fail_config(o, &e);
            if (!file && pass == 1 && !take_value(c, row, o->value, &e)) {
                o->status = options_fail(o, "--%s: %s", u->defs[row].name, e.text);
                return -1;
            }
        }
    }
    return config_check(c->config, &e) ? EXIT_OK : fail_config(o, &e);
}
