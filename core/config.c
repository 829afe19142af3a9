#include "core/config.h"
#include "core/config_keys.h"
#include "core/hash.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define MIB UINT64_C(1048576)

struct config config_default(void)
{
    return (struct config){
        .sensor = "replay",
        .window_s = 3600,
        .scope = SCOPE_GATEWAYS,
        .vantage = VANTAGE_UNKNOWN,
        .names = NAMES_KEEP,
        .site_by = SITE_BY_SENSOR,
        .name_suffixes = {"telldus.com", "telldus.net", "pool.ntp.org"},
        .n_name_suffixes = 3,
        .rules = {{.kind = RULE_OUI, .mac = {0xac, 0xca, 0x54}, .mac_bits = 24}},
        .n_rules = 1,
        .http_hosts = {"api.telldus.com", "fw.telldus.com", "login.telldus.com"},
        .n_http_hosts = 3,
        .limits = {.fragment_datagrams = 4096,
                   .fragment_bytes = 16 * MIB,
                   .fragment_timeout_ms = 30000,
                   .tcp_flows = 1048576,
                   .tcp_buffers = 16384,
                   .tcp_buffer_bytes = 65536,
                   .dtls_flows = 65536,
                   .dtls_hellos = 1024,
                   .dns_pending = 262144,
                   .ntp_pending = 1048576,
                   .quic_flows = 262144,
                   .quic_buffers = 16384,
                   .quic_buffer_bytes = 32768,
                   .clients = 131072,
                   .coverage = 131072,
                   .bindings = 1048576,
                   .peers = 2097152,
                   .ntp = 524288,
                   .dns = 262144,
                   .tls = 1048576,
                   .hellos = 65536,
                   .answers = 65536,
                   .certs = 65536,
                   .reuse = 262144,
                   .tallies = 65536,
                   .cert_bytes = 64 * MIB,
                   .tls_resumptions = 65536,
                   .string_bytes = 64 * MIB,
                   .windows_open = 4,
                   .windows_max = 100000},
        .zstd_level = 1,
        .migrations = {{"api.telldus.com", "pa-api.telldus.com"}},
        .n_migrations = 1,
        .live = {.window_s = 60,
                 .burst = 32,
                 .shutdown_s = 30,
                 .backlog = 8,
                 .free_bytes = 256 * MIB,
                 .reserve_bytes = 64 * MIB},
    };
}

static const char *const scope_words[] = {[SCOPE_GATEWAYS] = "gateways", [SCOPE_ALL] = "all"};
static const char *const policy_words[] = {
    [NAMES_KEEP] = "keep", [NAMES_HASH] = "hash", [NAMES_DROP] = "drop"};
static const char *const site_words[] = {[SITE_BY_SENSOR] = "sensor",
                                         [SITE_BY_FILE] = "file",
                                         [SITE_BY_VLAN] = "vlan",
                                         [SITE_BY_VNI] = "vni",
                                         [SITE_BY_GRE] = "gre_key"};

static const char *const distribute_words[] = {
    [DISTRIBUTE_AUTO] = "auto", [DISTRIBUTE_RSS] = "rss", [DISTRIBUTE_SOFTWARE] = "software"};
static const char *const clock_words[] = {
    [CLOCK_AUTO] = "auto", [CLOCK_TSC] = "tsc", [CLOCK_NIC] = "nic"};
static const char *const huge_words[] = {
    [HUGE_AUTO] = "auto", [HUGE_YES] = "yes", [HUGE_NO] = "no"};

#define AT(member)  offsetof(struct config, member)
#define WORDS(list) .max = sizeof(list) / sizeof *(list), .words = (list)
#define LIMIT(key, lo, hi)                                                                         \
    {                                                                                              \
        "limits." #key, AT(limits.key), KEY_UINT, false, lo, hi, NULL, NULL, false                 \
    }

#define LIVE(key, lo, hi)                                                                          \
    {                                                                                              \
        "live." #key, AT(live.key), KEY_UINT, true, lo, hi, NULL, NULL, false                      \
    }

/* In the order of a dump; the keys of one mapping stand together. */
const struct key config_keys[] = {
    {"sensor", AT(sensor), .kind = KEY_SENSOR, .unhashed = true},
    {"window_s", AT(window_s), .kind = KEY_UINT, .unhashed = true, .min = 1, .max = 86400,
     .divides_day = true},
    {"seed", AT(seed), .kind = KEY_UINT, .max = UINT64_MAX},
    {"scope", AT(scope), .kind = KEY_WORD, WORDS(scope_words)},
    {"vantage", AT(vantage), .kind = KEY_WORD, WORDS(config_vantage_words)},
    {"continuous", AT(continuous), .kind = KEY_BOOL, .unhashed = true},
    {"names.policy", AT(names), .kind = KEY_WORD, WORDS(policy_words)},
    {"names.key_hex", AT(names_key), .kind = KEY_SECRET},
    {"names.keep_suffixes", AT(name_suffixes), .kind = KEY_LIST, .list = &config_list_suffixes},
    {"sites.by", AT(site_by), .kind = KEY_WORD, WORDS(site_words)},
    {"files", AT(files), .kind = KEY_LIST, .list = &config_list_files},
    {"gateways", AT(rules), .kind = KEY_LIST, .list = &config_list_gateways},
    {"clients.networks", AT(client_nets), .kind = KEY_LIST, .list = &config_list_networks},
    {"clients.types", AT(client_types), .kind = KEY_PATH, .unhashed = true},
    {"inventory", AT(inventory), .kind = KEY_PATH, .unhashed = true},
    {"tls.ja3", AT(ja3), .kind = KEY_BOOL, .unhashed = true},
    {"http.hosts", AT(http_hosts), .kind = KEY_LIST, .list = &config_list_hosts},
    LIMIT(fragment_datagrams, 1, 1 << 20),
    LIMIT(fragment_bytes, 65536, 4096 * MIB),
    LIMIT(fragment_timeout_ms, 1, 600000),
    LIMIT(tcp_flows, 1, 1 << 26),
    LIMIT(tcp_buffers, 1, 1 << 20),
    LIMIT(tcp_buffer_bytes, 1024, MIB),
    LIMIT(dtls_flows, 1, 1 << 24),
    LIMIT(dtls_hellos, 1, 1 << 16),
    LIMIT(dns_pending, 1, 1 << 24),
    LIMIT(ntp_pending, 1, 1 << 24),
    LIMIT(quic_flows, 1, 1 << 24),
    LIMIT(quic_buffers, 1, 1 << 20),
    LIMIT(quic_buffer_bytes, 1024, MIB),
    LIMIT(clients, 1, 1 << 24),
    LIMIT(coverage, 1, 1 << 24),
    LIMIT(bindings, 1, 1 << 24),
    LIMIT(peers, 1, 1 << 26),
    LIMIT(ntp, 1, 1 << 24),
    LIMIT(dns, 1, 1 << 24),
    LIMIT(tls, 1, 1 << 24),
    LIMIT(hellos, 1, 1 << 24),
    LIMIT(answers, 1, 1 << 24),
    LIMIT(certs, 1, 1 << 24),
    LIMIT(reuse, 1, 1 << 24),
    LIMIT(tallies, 1, 1 << 24),
    LIMIT(cert_bytes, 65536, 2048 * MIB),
    LIMIT(tls_resumptions, 1, 1 << 24),
    LIMIT(string_bytes, 65536, 2048 * MIB),
    {"limits.windows_open", AT(limits.windows_open), KEY_UINT, true, 1, 64, NULL, NULL, false},
    {"limits.windows_max", AT(limits.windows_max), KEY_UINT, true, 1, 1000000, NULL, NULL, false},
    {"output.zstd_level", AT(zstd_level), KEY_UINT, true, 1, 19, NULL, NULL, false},
    {"migration", AT(migrations), .kind = KEY_LIST, .unhashed = true,
     .list = &config_list_migrations},
    {"live.window_s", AT(live.window_s), .kind = KEY_UINT, .unhashed = true, .min = 1, .max = 86400,
     .divides_day = true},
    {"live.ports", AT(live.ports), .kind = KEY_LIST, .unhashed = true, .list = &config_list_ports},
    LIVE(burst, 1, 64),
    LIVE(mbufs, 0, 1 << 24),
    {"live.distribute", AT(live.distribute), .kind = KEY_WORD, .unhashed = true,
     WORDS(distribute_words)},
    {"live.clock", AT(live.clock), .kind = KEY_WORD, .unhashed = true, WORDS(clock_words)},
    {"live.huge_pages", AT(live.huge_pages), .kind = KEY_WORD, .unhashed = true, WORDS(huge_words)},
    {"live.eal", AT(live.eal), .kind = KEY_LIST, .unhashed = true, .list = &config_list_eal},
    {"live.user", AT(live.user), .kind = KEY_USER, .unhashed = true},
    LIVE(shutdown_s, 1, 3600),
    LIVE(backlog, 1, 64),
    LIVE(retention_s, 0, UINT64_C(315360000)),
    LIVE(free_bytes, 0, UINT64_C(1) << 50),
    LIVE(reserve_bytes, 0, UINT64_C(1) << 40),
};
const unsigned n_config_keys = sizeof config_keys / sizeof *config_keys;

bool config_number(struct scalar v, uint64_t min, uint64_t max, uint64_t *to, struct err *e)
{
    if (v.plain)
        return config_value_number(v.text, min, max, to, e);
    err_set(e, "\"%.40s\" is text; a number stands without quotes", v.text);
    return false;
}

bool config_word(struct scalar v, const char *const words[], unsigned n, uint8_t *to, struct err *e)
{
    unsigned i;
    if (!config_value_word(v.text, words, n, &i, e))
        return false;
    *to = (uint8_t)i;
    return true;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)tolower((unsigned char)c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The value is a secret: never in an error text. */
static bool secret_set(struct config *c, const char *text, struct err *e)
{
    uint8_t key[sizeof c->names_key] = {0};
    size_t digits = strlen(text);
    bool ok = digits == 0 || digits == 2 * sizeof key;
    for (size_t i = 0; ok && i < digits; i++) {
        int digit = hex_digit(text[i]);
        ok = digit >= 0;
        key[i / 2] = (uint8_t)(key[i / 2] << 4 | (digit & 15));
    }
    if (!ok) {
        err_set(e, "is no key; %zu hexadecimal digits in quotes, or \"\"", 2 * sizeof key);
        return false;
    }
    memcpy(c->names_key, key, sizeof key);
    c->has_names_key = digits > 0;
    return true;
}

static bool path_set(const char *text, char to[static CONFIG_PATH_LEN], struct err *e)
{
    size_t len = strlen(text);
    if (len >= CONFIG_PATH_LEN) {
        err_set(e, "%zu bytes; the path of a file, of at most %d bytes", len, CONFIG_PATH_LEN - 1);
        return false;
    }
    memset(to, 0, CONFIG_PATH_LEN);
    memcpy(to, text, len);
    return true;
}

bool config_bool(struct scalar v, bool *to, struct err *e)
{
    bool yes = v.plain && strcmp(v.text, "true") == 0;
    if (!yes && (!v.plain || strcmp(v.text, "false") != 0)) {
        err_set(e, "\"%.40s\" is no truth value; true or false", v.text);
        return false;
    }
    *to = yes;
    return true;
}

bool config_key_set(void *c, const struct key *k, struct scalar v, struct err *e)
{
    void *to = (char *)c + k->at;
    uint64_t n;
    switch (k->kind) {
    case KEY_UINT:
        if (!config_number(v, k->min, k->max, &n, e))
            return false;
        if (k->divides_day && 86400 % n != 0) {
            err_set(e, "%" PRIu64 " does not divide a day; a divisor of 86400, as 60, 300 or 3600",
                    n);
            return false;
        }
        *(uint64_t *)to = n;
        return true;
    case KEY_BOOL:
        return config_bool(v, to, e);
    case KEY_WORD:
        return config_word(v, k->words, (unsigned)k->max, to, e);
    case KEY_SENSOR:
        return config_value_label(v.text, to, CONFIG_NAME_LEN, e);
    case KEY_PATH:
        return path_set(v.text, to, e);
    case KEY_SECRET:
        return secret_set(c, v.text, e);
    case KEY_USER:
        return config_user(v.text, to, e);
    default:
        err_set(e, "is a list; it can only be set in a configuration file");
        return false;
    }
}

bool config_set(struct config *c, const char *key, const char *value, struct err *e)
{
    for (unsigned i = 0; i < n_config_keys; i++)
        if (strcmp(config_keys[i].name, key) == 0)
            return config_key_set(c, &config_keys[i], (struct scalar){value, true}, e)
                   || err_in(e, "%s", key);
    err_set(e, "%.60s: unknown key; 'config dump' lists all keys", key);
    return false;
}

bool config_check(const struct config *c, struct err *e)
{
    if (c->names == NAMES_HASH && !c->has_names_key) {
        err_set(e,
                "names.policy: \"hash\" needs a key; set names.key_hex to 32 hexadecimal digits");
        return false;
    }
    return true;
}

static bool check(const void *c, struct err *e)
{
    return config_check(c, e);
}

static const struct key_table table = {config_keys, sizeof config_keys / sizeof *config_keys,
                                       sizeof(struct config), AT(names), check};

bool config_load(struct config *c, const char *path, struct err *e)
{
    return config_load_table(&table, c, path, e);
}

/* ---- writing */

void config_dump_text(const char *text, struct text_sink *out)
{
    bool plain = isalnum((unsigned char)text[0]);
    for (const char *p = text; plain && *p != '\0'; p++)
        plain = isalnum((unsigned char)*p) || strchr("._-/", *p) != NULL;
    if (plain) {
        text_puts(out, text);
        return;
    }
    text_puts(out, "\"");
    for (const uint8_t *p = (const uint8_t *)text; *p != '\0'; p++) {
        if (*p >= 0x20 && *p < 0x7f) {
            text_printf(out, *p == '"' || *p == '\\' ? "\\%c" : "%c", *p);
            continue;
        }
        uint32_t code = *p < 0x80 ? *p : *p < 0xe0 ? *p & 0x1f : *p < 0xf0 ? *p & 15 : *p & 7;
        while (*p >= 0x80 && (p[1] & 0xc0) == 0x80)
            code = code << 6 | (*++p & 0x3f);
        text_printf(out, "\\U%08" PRIX32, code);
    }
    text_puts(out, "\"");
}

static void dump_list(const void *c, const struct key *k, const char *indent, struct text_sink *out)
{
    const struct key_list *l = k->list;
    unsigned n;
    memcpy(&n, (const char *)c + l->n_at, sizeof n);
    if (n == 0)
        text_puts(out, " []");
    text_puts(out, "\n");
    for (unsigned i = 0; i < n; i++) {
        text_printf(out, "%s  - ", indent);
        l->dump((const char *)c + k->at + i * l->size, out);
        text_puts(out, "\n");
    }
}

static void dump_secret(const struct config *c, struct text_sink *out)
{
    text_puts(out, "\"");
    for (size_t i = 0; c->has_names_key && i < sizeof c->names_key; i++)
        text_printf(out, "%02x", c->names_key[i]);
    text_puts(out, "\"");
}

static void dump_key(const void *c, const struct key *k, const char *indent, struct text_sink *out)
{
    const char *dot = strchr(k->name, '.');
    const void *at = (const char *)c + k->at;
    text_printf(out, "%s%s:", indent, dot == NULL ? k->name : dot + 1);
    if (k->kind == KEY_LIST) {
        dump_list(c, k, indent, out);
        return;
    }
    text_puts(out, " ");
    if (k->kind == KEY_UINT) {
        text_u64(out, *(const uint64_t *)at);
    } else if (k->kind == KEY_BOOL) {
        text_puts(out, *(const bool *)at ? "true" : "false");
    } else if (k->kind == KEY_WORD) {
        text_puts(out, k->words[*(const uint8_t *)at]);
    } else if (k->kind == KEY_SENSOR || k->kind == KEY_PATH || k->kind == KEY_USER) {
        config_dump_text(at, out);
    } else {
        dump_secret(c, out);
    }
    text_puts(out, "\n");
}

void config_dump_table(const struct key_table *t, const void *c, bool hashed_only,
                       struct text_sink *out)
{
    const char *mapping = "";
    size_t mapping_len = 0;
    for (unsigned i = 0; i < t->n; i++) {
        const struct key *k = &t->keys[i];
        if (hashed_only && k->unhashed)
            continue;
        const char *dot = strchr(k->name, '.');
        size_t len = dot == NULL ? 0 : (size_t)(dot - k->name);
        if (len > 0 && (len != mapping_len || memcmp(k->name, mapping, len) != 0))
            text_printf(out, "%.*s:\n", (int)len, k->name);
        mapping = k->name;
        mapping_len = len;
        dump_key(c, k, len > 0 ? "  " : "", out);
    }
}

void config_dump(const struct config *c, struct text_sink *out)
{
    config_dump_table(&table, c, false, out);
}

void config_hash(const struct config *c, char hex[static 17])
{
    struct text_sink text = {0};
    config_dump_table(&table, c, true, &text);
    hex[0] = '\0';
    if (!text.failed)
        snprintf(hex, 17, "%016" PRIx64, hash_bytes(text.p, text.len, 0));
    text_free(&text);
}
