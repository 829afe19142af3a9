#include "tests/core/config_rig.h"

#include <glob.h>

/* Each row is refused, and the text behind the file's name is told. */
static void refusals(void **state)
{
    (void)state;
    static const struct refusal rows[] = {
        {"interfase: x", "1:1: unknown key \"interfase\"; known: sensor, window_s, seed, scope, "
                         "vantage, continuous, names, sites, files, gateways, clients, "
                         "inventory, tls, http, "
                         "limits, output, migration, live"},
        {"migration: [{legacy: a}]", "1:13: migration[0]: the key \"replacement\" is missing"},
        {"migration: [{legacy: a b}]", "1:22: migration[0].legacy: \"a b\" is no host name"},
        {"seed: 1\nnames:\n  polcy: keep\n",
         "3:3: unknown key \"polcy\" in names; known: policy, key_hex, keep_suffixes"},
        {"limits.tls: 3", "1:1: unknown key \"limits.tls\"; known: sensor"},
        {"limits: {}\n'': 3", "2:1: unknown key \"\"; known: sensor"},
        {"gateways:\n  - {vlan: 7}\n  - ouii: \"ac:ca:54\"",
         "3:5: unknown key \"ouii\" in gateways[1]; known: mac, oui, inner_oui, vlan, vni, "
         "gre_key, network, one_per_file, any_client_address"},
        {"files: [{glob: a, foo: b}]",
         "1:19: unknown key \"foo\" in files[0]; known: glob, site, vantage"},
        /* types */
        {"- a", "1:1: a list stands here; a mapping belongs here"},
        {"seed: [1]", "1:7: seed: a list stands here; a single value belongs here"},
        {"gateways:\n", "1:10: gateways: a single value stands here; a list belongs here"},
        {"http: {hosts: {}}", "1:15: http.hosts: a mapping stands here; a list belongs here"},
        {"limits: 3", "1:9: limits: a single value stands here; a mapping belongs here"},
        {"gateways: [a]", "1:12: gateways[0]: a single value stands here; a mapping belongs here"},
        {"http: {hosts: [[]]}",
         "1:16: http.hosts[0]: a list stands here; a single value belongs here"},
        {"? [a]\n: b", "1:3: a list stands here; a single value belongs here"},
        {"seed: \"3\"", "1:7: seed: \"3\" is text; a number stands without quotes"},
        {"seed: !!int 3", "1:7: seed: a tag or a NUL byte; plain and quoted text only"},
        {"sensor: \"a\\0b\"", "1:9: sensor: a tag or a NUL byte; plain and quoted text only"},
        {"continuous: yes", "1:13: continuous: \"yes\" is no truth value; true or false"},
        {"continuous: \"true\"", "1:13: continuous: \"true\" is no truth value; true or false"},
        /* ranges */
        {"seed: -1",
         "1:7: seed: \"-1\" does not fit; a decimal number from 0 to 18446744073709551615"},
        {"seed: 18446744073709551616", "1:7: seed: \"18446744073709551616\" does not fit; "},
        {"seed: 0x10", "1:7: seed: \"0x10\" does not fit; "},
        {"seed: 010", "1:7: seed: \"010\" does not fit; "},
        {"seed: 1_000", "1:7: seed: \"1_000\" does not fit; "},
        {"seed: +1", "1:7: seed: \"+1\" does not fit; "},
        {"seed:", "1:6: seed: \"\" does not fit; "},
        {"window_s: 0", "1:11: window_s: \"0\" does not fit; a decimal number from 1 to 86400"},
        {"window_s: 86401", "1:11: window_s: \"86401\" does not fit; "},
        {"window_s: 7", "1:11: window_s: 7 does not divide a day; a divisor of 86400, as 60"},
        {"limits: {tls: 0}",
         "1:15: limits.tls: \"0\" does not fit; a decimal number from 1 to 16777216"},
        {"limits: {tls: 3k}", "1:15: limits.tls: \"3k\" does not fit; "},
        {"output: {zstd_level: 20}",
         "1:22: output.zstd_level: \"20\" does not fit; a decimal number from 1 to 19"},
        /* words and names */
        {"scope: some", "1:8: scope: \"some\" is not known; one of: gateways, all"},
        {"vantage: moon",
         "1:10: vantage: \"moon\" is not known; one of: unknown, lan, router, wan, server"},
        {"sensor: ~", "1:9: sensor: \"~\" does not fit; 1 to 63 of A-Z a-z 0-9 . _ -"},
        {"sensor: \"\"", "1:9: sensor: \"\" does not fit; 1 to 63 of"},
        {"sensor: a/b", "1:9: sensor: \"a/b\" does not fit; 1 to 63 of"},
        {"sensor: 0123456789012345678901234567890123456789012345678901234567890123",
         "1:9: sensor: \"0123456789012345678901234567890123456789012345678901234567890123\" does"},
        {"http: {hosts: [a..b]}",
         "1:16: http.hosts[0]: \"a..b\" is no host name; as api.telldus.com, at most 63 bytes"},
        {"names: {keep_suffixes: [a, .b]}", "1:28: names.keep_suffixes[1]: \".b\" is no host name"},
        {"names: {key_hex: \"0\"}",
         "1:18: names.key_hex: is no key; 32 hexadecimal digits in quotes, or \"\""},
        {"names: {key_hex: \"0011223344556677889900112233445g\"}",
         "1:18: names.key_hex: is no key"},
        {"seed: 1\nnames:\n  policy: hash\n",
         "3:11: names.policy: \"hash\" needs a key; set names.key_hex to 32 hexadecimal digits"},
        /* rules */
        {"gateways: [{}]", "1:12: gateways[0]: the rule is empty"},
        {"gateways: [{oui: ac}, {oui: \"ac:ca:54\", vlan: 3}]",
         "1:47: gateways[1].vlan: a rule has one key; begin another with \"- \""},
        {"gateways: [{oui: \"ac:ca\", oui: \"ac\"}]",
         "1:27: gateways[0]: the key \"oui\" is there twice; first in line 1"},
        {"gateways: [{oui: a}]",
         "1:18: gateways[0].oui: \"a\" is no OUI; as \"ac:ca:54\" or \"70:b3:d5:12:30/36\""},
        {"gateways: [{oui: \"ac:ca:54:\"}]", "1:18: gateways[0].oui: \"ac:ca:54:\" is no OUI"},
        {"gateways: [{oui: \"70:b3:d5:12:31/36\"}]", "1:18: gateways[0].oui: "},
        {"gateways: [{oui: \"ac:ca:54/25\"}]", "1:18: gateways[0].oui: "},
        {"gateways: [{oui: \"ac:ca:54/0\"}]", "1:18: gateways[0].oui: "},
        {"gateways: [{mac: \"ac:ca:54:00:70\"}]",
         "1:18: gateways[0].mac: \"ac:ca:54:00:70\" is no MAC address; as \"ac:ca:54:00:70:15\""},
        {"gateways: [{mac: \"ac:ca:54:00:70:15:16\"}]", "1:18: gateways[0].mac: "},
        {"gateways: [{vlan: 0}]",
         "1:19: gateways[0].vlan: \"0\" does not fit; a decimal number from 1 to 4094, or any"},
        {"gateways: [{vlan: 4095}]", "1:19: gateways[0].vlan: "},
        {"gateways: [{vni: 16777216}]", "1:18: gateways[0].vni: "},
        {"gateways: [{gre_key: 4294967295}]", "1:22: gateways[0].gre_key: "},
        {"gateways: [{network: 10.0.0.1/8}]",
         "1:22: gateways[0].network: \"10.0.0.1/8\" is no network; as 10.1.0.0/16 or "
         "2001:db8::/32, host bits zero"},
        {"gateways: [{one_per_file: false}]",
         "1:27: gateways[0].one_per_file: \"false\" does not fit; only true"},
        {"clients: {networks: [10.0.0.0/33]}", "1:22: clients.networks[0]: \"10.0.0.0/33\" is no"},
        {"tls: {ja3: 1}", "1:12: tls.ja3: \"1\" is no truth value; true or false"},
        {"inventory: [a]", "1:12: inventory: a list stands here; a single value belongs here"},
        {"clients: a.yaml", "1:10: clients: a single value stands here; a mapping belongs here"},
        {"files: [{site: a}]", "1:9: files[0]: the key \"glob\" is missing"},
        {"files: [{glob: \"\"}]",
         "1:16: files[0].glob: 0 bytes; a pattern as \"home-*.pcap\" of 1 to 255 bytes"},
        {"files: [{glob: a, vantage: b}]", "1:28: files[0].vantage: \"b\" is not known; one of: "},
        /* YAML itself */
        {"seed: 1\nseed: 2", "2:1: the key \"seed\" is there twice; first in line 1"},
        {"---\nseed: 1\n---\nseed: 2\n", "4:1: a second document; one only"},
        {"seed: [\n", "2:1: no YAML: did not find expected node content"},
        {"sensor: a: b", "1:10: no YAML: mapping values are not allowed in this context"},
        {"seed: 1\nsensor: a\001", "2:10: no YAML: control characters are not allowed"},
        {"seed: *x", "1:7: no YAML: found undefined alias"},
    };
    assert_refused(rows, sizeof rows / sizeof *rows);
}

static void cannot_be_read(void **state)
{
    (void)state;
    struct config c = config_default();
    struct err e = {""};
    assert_false(config_load(&c, "/nonexistent/x.yaml", &e));
    assert_string_equal(e.text, "/nonexistent/x.yaml: No such file or directory");
    assert_false(config_load(&c, "/tmp", &e));
    assert_string_equal(e.text, "/tmp: Is a directory");
    char *big = malloc(300000);
    assert_non_null(big);
    memset(big, '#', 300000);
    write_file(big, 300000);
    free(big);
    assert_false(config_load(&c, path, &e));
    assert_non_null(strstr(e.text, "too large for a configuration; at most 262144 bytes"));
}

/* What makes libyaml slow is refused before it comes to libyaml. */
static void deep_nesting(void **state)
{
    (void)state;
    static char deep[200000];
    struct config c = config_default();
    struct err e = {""};
    memset(deep, '[', sizeof deep);
    write_file(deep, sizeof deep);
    assert_false(config_load(&c, path, &e));
    assert_non_null(strstr(e.text, ":1:65: too many open brackets; at most 64"));
}

static void list_limits(void **state)
{
    (void)state;
    struct text_sink t = {0};
    struct config c = config_default();
    struct err e;
    text_puts(&t, "gateways:\n");
    for (int i = 0; i < CONFIG_RULES_MAX; i++)
        text_printf(&t, "  - vlan: %d\n", i + 1);
    assert_true(load_text(&c, t.p, &e));
    assert_int_equal(c.n_rules, CONFIG_RULES_MAX);
    assert_int_equal(c.rules[CONFIG_RULES_MAX - 1].value, CONFIG_RULES_MAX);
    text_puts(&t, "  - vlan: 99\n");
    assert_false(load_text(&c, t.p, &e));
    assert_non_null(strstr(e.text, ":66:5: gateways: the list is too long; at most 64"));
    text_free(&t);
}

static const char full[] =
    "sensor: A-z_9.x\nwindow_s: 60\nseed: 18446744073709551615\nscope: all\nvantage: wan\n"
    "continuous: true\n"
    "names: {policy: hash, key_hex: \"000102030405060708090A0b0c0d0e0F\", keep_suffixes: []}\n"
    "sites: {by: gre_key}\n"
    "files:\n"
    "  - {glob: \"h\\u00e4m*/[a-z]\\\"\\\\.pcap\\x01\\ud7ff\\U0010ffff\", site: home-1}\n"
    "  - {glob: '*', vantage: lan}\n"
    "gateways:\n"
    "  - {mac: AC-CA-54-00-70-15}\n  - {oui: \"ac:ca:54\"}\n  - {oui: \"70:b3:d5:12:30/36\"}\n"
    "  - {inner_oui: \"ac:ca:54:00:00:01\"}\n  - {vlan: 100}\n  - {vlan: any}\n  - {vni: 0}\n"
    "  - {gre_key: 4294967294}\n  - {network: 10.1.0.0/16}\n  - {network: 0.0.0.0/0}\n"
    "  - {network: \"::/0\"}\n  - {network: \"2001:db8::1\"}\n  - {one_per_file: true}\n"
    "  - {any_client_address: true}\n"
    "clients: {networks: [192.168.0.0/16, \"fe80::/10\"], types: \"/h\\u00e4m/a \\\"b\\\".yaml\"}\n"
    "inventory: i.csv\ntls: {ja3: true}\n"
    "http: {hosts: [API.Example.com]}\n"
    "limits: {clients: 7, tcp_flows: 67108864, windows_open: 64}\noutput: {zstd_level: 19}\n";
static void values(void **state)
{
    (void)state;
    struct config c = config_default();
    struct err e;
    if (!load_text(&c, full, &e))
        fail_msg("%s", e.text);
    assert_string_equal(c.sensor, "A-z_9.x");
    assert_int_equal(c.window_s, 60);
    assert_true(c.seed == UINT64_MAX);
    assert_int_equal(c.scope, SCOPE_ALL);
    assert_int_equal(c.vantage, VANTAGE_WAN);
    assert_true(c.continuous && c.has_names_key);
    assert_int_equal(c.names, NAMES_HASH);
    assert_int_equal(c.names_key[10], 0x0a);
    assert_int_equal(c.names_key[15], 0x0f);
    assert_int_equal(c.n_name_suffixes, 0);
    assert_int_equal(c.site_by, SITE_BY_GRE);
    assert_int_equal(c.n_files, 2);
    assert_string_equal(c.client_types, "/h\xc3\xa4m/a \"b\".yaml");
    assert_string_equal(c.inventory, "i.csv");
    assert_true(c.ja3);
    assert_string_equal(c.files[0].glob,
                        "h\xc3\xa4m*/[a-z]\"\\.pcap\x01\xed\x9f\xbf\xf4\x8f\xbf\xbf");
    assert_string_equal(c.files[0].site, "home-1");
    assert_false(c.files[0].has_vantage);
    assert_true(c.files[1].has_vantage && c.files[1].vantage == VANTAGE_LAN);
    static const struct {
        uint8_t kind, bits;
        uint32_t value;
        uint8_t net_bits;
    } rules[] = {{RULE_OUI, 48, 0, 0},         {RULE_OUI, 24, 0, 0},
                 {RULE_OUI, 36, 0, 0},         {RULE_INNER_OUI, 48, 0, 0},
                 {RULE_VLAN, 0, 100, 0},       {RULE_VLAN, 0, UINT32_MAX, 0},
                 {RULE_VNI, 0, 0, 0},          {RULE_GRE_KEY, 0, UINT32_MAX - 1, 0},
                 {RULE_NETWORK, 0, 0, 112},    {RULE_NETWORK, 0, 0, 96},
                 {RULE_NETWORK, 0, 0, 0},      {RULE_NETWORK, 0, 0, 128},
                 {RULE_ONE_PER_FILE, 0, 0, 0}, {RULE_ANY_CLIENT, 0, 0, 0}};
    assert_int_equal(c.n_rules, sizeof rules / sizeof *rules);
    for (unsigned i = 0; i < c.n_rules; i++) {
        assert_int_equal(c.rules[i].kind, rules[i].kind);
        assert_int_equal(c.rules[i].mac_bits, rules[i].bits);
        assert_int_equal(c.rules[i].value, rules[i].value);
        assert_int_equal(c.rules[i].net.bits, rules[i].net_bits);
    }
    assert_memory_equal(c.rules[0].mac, "\xac\xca\x54\x00\x70\x15", 6);
    assert_memory_equal(c.rules[2].mac, "\x70\xb3\xd5\x12\x30\x00", 6);
    assert_int_equal(c.n_client_nets, 2);
    assert_int_equal(c.n_http_hosts, 1);
    assert_string_equal(c.http_hosts[0], "api.example.com");
    assert_string_equal(c.http_hosts[1], ""); /* the list is replaced, not overlaid */
    assert_int_equal(c.limits.clients, 7);
    assert_int_equal(c.limits.tls, config_default().limits.tls);
    assert_int_equal(c.zstd_level, 19);
}

static void dump_reads_back(void **state)
{
    (void)state;
    struct config c = config_default(), back = config_default();
    struct err e;
    assert_true(load_text(&c, full, &e));
    char *text = dump_of(&c);
    if (!load_text(&back, text, &e))
        fail_msg("%s", e.text);
    free(text);
    assert_same(&c, &back);
    assert_memory_equal(c.files, back.files, sizeof c.files);
    assert_memory_equal(c.rules, back.rules, sizeof c.rules);
    assert_memory_equal(c.client_nets, back.client_nets, sizeof c.client_nets);
    assert_memory_equal(c.name_suffixes, back.name_suffixes, sizeof c.name_suffixes);
    assert_memory_equal(c.http_hosts, back.http_hosts, sizeof c.http_hosts);
    assert_memory_equal(c.names_key, back.names_key, sizeof c.names_key);
    assert_true(c.has_names_key == back.has_names_key && c.seed == back.seed);
    assert_memory_equal(&c.limits, &back.limits, sizeof c.limits);

    struct config none = config_default();
    assert_true(load_text(&none, "# nothing\n", &e));
    c = config_default();
    assert_same(&none, &c);
}

/* configs/tellscope.yaml without its comments is the dump of the defaults: no key and no default is
 * missing there or wrong. */
static void example_documents_every_key(void **state)
{
    (void)state;
    FILE *f = fopen(TELLSCOPE_SOURCE "/configs/tellscope.yaml", "r");
    assert_non_null(f);
    struct text_sink bare = {0};
    char line[256];
    while (fgets(line, sizeof line, f) != NULL) {
        const char *p = line + strspn(line, " ");
        if (*p != '#' && *p != '\n')
            text_puts(&bare, line);
    }
    fclose(f);
    struct config c = config_default();
    char *dump = dump_of(&c);
    assert_string_equal(bare.p, dump);
    free(dump);
    text_free(&bare);
}

static void examples_load(void **state)
{
    (void)state;
    glob_t g;
    assert_int_equal(glob(TELLSCOPE_SOURCE "/configs/*.yaml", 0, NULL, &g), 0);
    assert_true(g.gl_pathc >= 2);
    for (size_t i = 0; i < g.gl_pathc; i++) {
        struct config c = config_default();
        if (strstr(g.gl_pathv[i], "/clients.yaml") != NULL)
            continue; /* no configuration: see test_client_types.c */
        struct err e = {""};
        if (strstr(g.gl_pathv[i], "/policy-")
            != NULL) /* TLS policies: tests/enrich/test_tls_policy.c */
            continue;
        if (!config_load(&c, g.gl_pathv[i], &e))
            fail_msg("%s", e.text);
    }
    globfree(&g);
    struct config c = config_default();
    struct err e;
    assert_true(config_load(&c, TELLSCOPE_SOURCE "/configs/any-client.yaml", &e));
    assert_int_equal(c.scope, SCOPE_ALL);
    assert_int_equal(c.n_rules, 1);
    assert_int_equal(c.rules[0].kind, RULE_ANY_CLIENT);
}

static void hash_tells_meaning(void **state)
{
    (void)state;
    static const struct {
        const char *yaml;
        bool differs;
    } rows[] = {
        {"sensor: other", false},
        {"window_s: 60", false},
        {"continuous: true", false},
        {"output: {zstd_level: 9}", false},
        {"limits: {windows_open: 5, windows_max: 6}", false},
        {"tls: {ja3: true}", false},
        {"clients: {types: a.yaml}", false},
        {"inventory: /a b.csv", false},
        {"live: {window_s: 1, ports: [{device: net_ring0}], burst: 1, mbufs: 1, distribute: rss,\n"
         "  clock: nic, huge_pages: no, eal: [a], user: a, shutdown_s: 1, backlog: 1,\n"
         "  retention_s: 1, free_bytes: 1, reserve_bytes: 1}",
         false},
        {"seed: 1", true},
        {"scope: all", true},
        {"vantage: lan", true},
        {"names: {policy: drop}", true},
        {"names: {key_hex: \"00000000000000000000000000000000\"}", true},
        {"names: {keep_suffixes: []}", true},
        {"sites: {by: vlan}", true},
        {"files: [{glob: a}]", true},
        {"gateways: []", true},
        {"clients: {networks: [10.0.0.0/8]}", true},
        {"http: {hosts: []}", true},
        {"limits: {tallies: 5}", true},
    };
    struct config plain = config_default();
    char want[17], got[17];
    config_hash(&plain, want);
    assert_int_equal(strlen(want), 16);
    assert_int_equal(strspn(want, "0123456789abcdef"), 16);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct config c = plain;
        struct err e;
        if (!load_text(&c, rows[i].yaml, &e))
            fail_msg("%s", e.text);
        config_hash(&c, got);
        if ((strcmp(want, got) != 0) != rows[i].differs)
            fail_msg("%s: %s, defaults %s", rows[i].yaml, got, want);
    }
}

static void set_one_key(void **state)
{
    (void)state;
    struct config c = config_default();
    struct err e;
    assert_true(config_set(&c, "limits.tls", "5", &e));
    assert_int_equal(c.limits.tls, 5);
    assert_true(config_set(&c, "vantage", "router", &e));
    assert_int_equal(c.vantage, VANTAGE_ROUTER);
    assert_false(config_set(&c, "window_s", "7", &e));
    assert_string_equal(e.text, "window_s: 7 does not divide a day; a divisor of 86400, as 60, 300 "
                                "or 3600");
    assert_false(config_set(&c, "gateways", "x", &e));
    assert_string_equal(e.text, "gateways: is a list; it can only be set in a configuration file");
    assert_false(config_set(&c, "limits", "x", &e));
    assert_string_equal(e.text, "limits: unknown key; 'config dump' lists all keys");
    char path_text[CONFIG_PATH_LEN + 1];
    memset(path_text, 'p', sizeof path_text);
    path_text[CONFIG_PATH_LEN] = '\0';
    assert_false(config_set(&c, "inventory", path_text, &e));
    assert_string_equal(e.text, "inventory: 512 bytes; the path of a file, of at most 511 bytes");
    assert_true(config_set(&c, "inventory", path_text + 1, &e));
    assert_string_equal(c.inventory, path_text + 1);
    assert_true(config_check(&c, &e));
    assert_true(config_set(&c, "names.policy", "hash", &e));
    assert_false(config_check(&c, &e));
}

int main(void)
{
    if (!rig_begin())
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refusals),
        cmocka_unit_test(cannot_be_read),
        cmocka_unit_test(deep_nesting),
        cmocka_unit_test(list_limits),
        cmocka_unit_test(values),
        cmocka_unit_test(dump_reads_back),
        cmocka_unit_test(example_documents_every_key),
        cmocka_unit_test(examples_load),
        cmocka_unit_test(hash_tells_meaning),
        cmocka_unit_test(set_one_key),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    rig_end();
    return failed;
}
