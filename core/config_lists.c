/* The lists of a configuration: gateway rules, networks, file rules, names. */
#include "core/config_keys.h"

#include <assert.h>
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

const char *const config_vantage_words[VANTAGE_N] = {[VANTAGE_UNKNOWN] = "unknown",
                                                     [VANTAGE_LAN] = "lan",
                                                     [VANTAGE_ROUTER] = "router",
                                                     [VANTAGE_WAN] = "wan",
                                                     [VANTAGE_SERVER] = "server"};

/* ---- gateway rules */

/* What a rule's value is. */
enum rule_value { VALUE_MAC, VALUE_NUMBER, VALUE_NET, VALUE_TRUE };

static const struct rule_key {
    const char *name;
    uint8_t kind;      /* enum rule_kind */
    uint8_t value;     /* enum rule_value */
    uint32_t min, max; /* VALUE_NUMBER; VALUE_MAC: bits */
} rule_keys[] = {
    /* A dump takes the first row that fits a rule. */
    {"mac", RULE_OUI, VALUE_MAC, 48, 48},
    {"oui", RULE_OUI, VALUE_MAC, 8, 48},
    {"inner_oui", RULE_INNER_OUI, VALUE_MAC, 8, 48},
    {"vlan", RULE_VLAN, VALUE_NUMBER, 1, 4094},
    {"vni", RULE_VNI, VALUE_NUMBER, 0, 0xffffff},
    {"gre_key", RULE_GRE_KEY, VALUE_NUMBER, 0, UINT32_MAX - 1},
    {"network", RULE_NETWORK, VALUE_NET, 0, 0},
    {"one_per_file", RULE_ONE_PER_FILE, VALUE_TRUE, 0, 0},
    {"any_client_address", RULE_ANY_CLIENT, VALUE_TRUE, 0, 0},
};
static const char *const rule_members[] = {
    "mac",     "oui",          "inner_oui",          "vlan", "vni", "gre_key",
    "network", "one_per_file", "any_client_address", NULL};
static_assert(sizeof rule_members / sizeof *rule_members
                  == sizeof rule_keys / sizeof *rule_keys + 1,
              "a member per rule key");

/* "ac:ca:54", or with the number of bits that count: "70:b3:d5:12:30/36". */
static bool mac_prefix_parse(const char *text, uint8_t mac[static 6], uint8_t *bits)
{
    unsigned n = 0, given;
    const char *p = text;
    memset(mac, 0, 6);
    for (;; p++) {
        if (n == 6 || !isxdigit((unsigned char)p[0]) || !isxdigit((unsigned char)p[1]))
            return false;
        mac[n++] = (uint8_t)strtoul((char[]){p[0], p[1], '\0'}, NULL, 16);
        p += 2;
        if (*p != ':' && *p != '-')
            break;
    }
    given = n * 8;
    if (*p == '/') {
        char *end;
        unsigned long count = strtoul(p + 1, &end, 10);
        if (!isdigit((unsigned char)p[1]) || *end != '\0' || count == 0 || count > given)
            return false;
        for (unsigned i = (unsigned)count; i < given; i++)
            if (mac[i / 8] >> (7 - i % 8) & 1)
                return false;
        given = (unsigned)count;
    } else if (*p != '\0') {
        return false;
    }
    *bits = (uint8_t)given;
    return true;
}

static bool mac_rule_set(struct gateway_rule *r, const struct rule_key *k, struct scalar v,
                         struct err *e)
{
    if (mac_prefix_parse(v.text, r->mac, &r->mac_bits) && r->mac_bits >= k->min)
        return true;
    if (k->min == 48)
        err_set(e, "\"%.40s\" is no MAC address; as \"ac:ca:54:00:70:15\"", v.text);
    else
        err_set(e, "\"%.40s\" is no OUI; as \"ac:ca:54\" or \"70:b3:d5:12:30/36\"", v.text);
    return false;
}

static bool net_set(struct net *n, struct scalar v, struct err *e)
{
    if (net_parse(v.text, n))
        return true;
    err_set(e, "\"%.60s\" is no network; as 10.1.0.0/16 or 2001:db8::/32, host bits zero", v.text);
    return false;
}

static void net_dump(const void *element, struct text_sink *out)
{
    const struct net *n = element;
    char text[ADDR_TEXT_MAX];
    addr_text(&n->base, text);
    text_printf(out, "\"%s/%d\"", text, addr_is_v4(&n->base) ? n->bits - 96 : n->bits);
}

static bool number_rule_set(struct gateway_rule *r, const struct rule_key *k, struct scalar v,
                            struct err *e)
{
    uint64_t n;
    if (strcmp(v.text, "any") == 0) {
        r->value = UINT32_MAX;
        return true;
    }
    if (!config_number(v, k->min, k->max, &n, e)) {
        err_set(e,
                "\"%.40s\" does not fit; a decimal number from %" PRIu32 " to %" PRIu32 ", or any",
                v.text, k->min, k->max);
        return false;
    }
    r->value = (uint32_t)n;
    return true;
}

static bool rule_set(void *element, const char *key, struct scalar v, struct err *e)
{
    struct gateway_rule *r = element;
    const struct rule_key *k = rule_keys;
    while (strcmp(k->name, key) != 0)
        k++;
    if (r->mac_bits != 0 || r->kind != 0) { /* only an OUI rule is of kind 0 */
        err_set(e, "a rule has one key; begin another with \"- \"");
        return false;
    }
    r->kind = k->kind;
    switch (k->value) {
    case VALUE_MAC:
        return mac_rule_set(r, k, v, e);
    case VALUE_NUMBER:
        return number_rule_set(r, k, v, e);
    case VALUE_NET:
        return net_set(&r->net, v, e);
    default:
        if (v.plain && strcmp(v.text, "true") == 0)
            return true;
        err_set(e, "\"%.40s\" does not fit; only true", v.text);
        return false;
    }
}

static bool rule_whole(const void *element, struct err *e)
{
    const struct gateway_rule *r = element;
    if (r->kind != RULE_OUI || r->mac_bits != 0)
        return true;
    err_set(e, "the rule is empty");
    return false;
}

static void rule_dump(const void *element, struct text_sink *out)
{
    const struct gateway_rule *r = element;
    const struct rule_key *k = rule_keys;
    while (k->kind != r->kind || (k->value == VALUE_MAC && r->mac_bits < k->min))
        k++;
    text_printf(out, "%s: ", k->name);
    char text[ADDR_TEXT_MAX];
    unsigned bytes = (r->mac_bits + 7u) / 8;
    switch (k->value) {
    case VALUE_MAC:
        mac_text(r->mac, text);
        text_printf(out, "\"%.*s", (int)(3 * bytes - 1), text);
        text_printf(out, r->mac_bits % 8 != 0 ? "/%u\"" : "\"", r->mac_bits);
        break;
    case VALUE_NUMBER:
        text_printf(out, r->value == UINT32_MAX ? "any" : "%" PRIu32, r->value);
        break;
    case VALUE_NET:
        net_dump(&r->net, out);
        break;
    default:
        text_puts(out, "true");
    }
}

const struct key_list config_list_gateways = {
    .n_at = offsetof(struct config, n_rules),
    .size = sizeof(struct gateway_rule),
    .max = CONFIG_RULES_MAX,
    .members = rule_members,
    .set = rule_set,
    .whole = rule_whole,
    .dump = rule_dump,
};

/* ---- networks */

static bool network_set(void *element, const char *key, struct scalar v, struct err *e)
{
    (void)key;
    return net_set(element, v, e);
}

const struct key_list config_list_networks = {
    .n_at = offsetof(struct config, n_client_nets),
    .size = sizeof(struct net),
    .max = CONFIG_NETS_MAX,
    .set = network_set,
    .dump = net_dump,
};

/* ---- file rules */

static bool file_set(void *element, const char *key, struct scalar v, struct err *e)
{
    struct file_rule *f = element;
    if (strcmp(key, "site") == 0)
        return config_value_label(v.text, f->site, sizeof f->site, e);
    if (strcmp(key, "vantage") == 0) {
        f->has_vantage = true;
        return config_word(v, config_vantage_words, VANTAGE_N, &f->vantage, e);
    }
    size_t len = strlen(v.text);
    if (len == 0 || len >= sizeof f->glob) {
        err_set(e, "%zu bytes; a pattern as \"home-*.pcap\" of 1 to %zu bytes", len,
                sizeof f->glob - 1);
        return false;
    }
    memcpy(f->glob, v.text, len);
    return true;
}

static bool file_whole(const void *element, struct err *e)
{
    const struct file_rule *f = element;
    if (f->glob[0] != '\0')
        return true;
    err_set(e, "the key \"glob\" is missing");
    return false;
}

static void file_dump(const void *element, struct text_sink *out)
{
    const struct file_rule *f = element;
    text_puts(out, "{glob: ");
    config_dump_text(f->glob, out);
    if (f->site[0] != '\0') {
        text_puts(out, ", site: ");
        config_dump_text(f->site, out);
    }
    if (f->has_vantage)
        text_printf(out, ", vantage: %s", config_vantage_words[f->vantage]);
    text_puts(out, "}");
}

const struct key_list config_list_files = {
    .n_at = offsetof(struct config, n_files),
    .size = sizeof(struct file_rule),
    .max = CONFIG_FILES_MAX,
    .members = (const char *const[]){"glob", "site", "vantage", NULL},
    .set = file_set,
    .whole = file_whole,
    .dump = file_dump,
};

/* ---- host names and suffixes */

static bool name_set(void *element, const char *key, struct scalar v, struct err *e)
{
    (void)key;
    char *to = element;
    size_t len = strlen(v.text);
    bool ok = len > 0 && len < CONFIG_NAME_LEN && v.text[0] != '.' && v.text[len - 1] != '.'
              && strstr(v.text, "..") == NULL;
    for (size_t i = 0; ok && i < len; i++) {
        ok = isalnum((unsigned char)v.text[i]) || strchr("._-", v.text[i]) != NULL;
        to[i] = (char)tolower((unsigned char)v.text[i]);
    }
    if (!ok)
        err_set(e, "\"%.70s\" is no host name; as api.telldus.com, at most %d bytes", v.text,
                CONFIG_NAME_LEN - 1);
    return ok;
}

static void name_dump(const void *element, struct text_sink *out)
{
    config_dump_text(element, out);
}

const struct key_list config_list_suffixes = {
    .n_at = offsetof(struct config, n_name_suffixes),
    .size = CONFIG_NAME_LEN,
    .max = CONFIG_NAMES_MAX,
    .set = name_set,
    .dump = name_dump,
};

const struct key_list config_list_hosts = {
    .n_at = offsetof(struct config, n_http_hosts),
    .size = CONFIG_NAME_LEN,
    .max = CONFIG_NAMES_MAX,
    .set = name_set,
    .dump = name_dump,
};

/* ---- migrations */

static bool migration_set(void *element, const char *key, struct scalar v, struct err *e)
{
    struct migration *m = element;
    return name_set(strcmp(key, "legacy") == 0 ? m->legacy : m->replacement, NULL, v, e);
}

static bool migration_whole(const void *element, struct err *e)
{
    const struct migration *m = element;
    if (m->legacy[0] != '\0' && m->replacement[0] != '\0')
        return true;
    err_set(e, "the key \"%s\" is missing", m->legacy[0] == '\0' ? "legacy" : "replacement");
    return false;
}

static void migration_dump(const void *element, struct text_sink *out)
{
    const struct migration *m = element;
    text_puts(out, "{legacy: ");
    config_dump_text(m->legacy, out);
    text_puts(out, ", replacement: ");
    config_dump_text(m->replacement, out);
    text_puts(out, "}");
}

const struct key_list config_list_migrations = {
    .n_at = offsetof(struct config, n_migrations),
    .size = sizeof(struct migration),
    .max = CONFIG_MIGRATIONS_MAX,
    .members = (const char *const[]){"legacy", "replacement", NULL},
    .set = migration_set,
    .whole = migration_whole,
    .dump = migration_dump,
};
