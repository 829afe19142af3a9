/* Policies as YAML: the table of keys that core/config_load.c walks. */
#include "core/config_keys.h"
#include "core/hash.h"
#include "core/tls_names.h"
#include "enrich/tls_policy.h"
#include "enrich/tls_suites.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define AT(member) offsetof(struct tls_policy, member)

static const struct version_name {
    const char *name;
    uint16_t version;
} version_names[] = {{"tls1.3", 0x0304}, {"tls1.2", 0x0303}, {"tls1.1", 0x0302},
                     {"tls1.0", 0x0301}, {"ssl3", 0x0300},   {"ssl2", 0x0002}};
enum { VERSIONS = sizeof version_names / sizeof *version_names };

uint16_t tls_policy_version(const char *name)
{
    for (unsigned i = 0; i < VERSIONS; i++)
        if (strcmp(version_names[i].name, name) == 0)
            return version_names[i].version;
    return 0;
}

/* ---- lists of code points */

static bool version_set(void *element, const char *key, struct scalar v, struct err *e)
{
    (void)key;
    *(uint16_t *)element = tls_policy_version(v.text);
    if (*(uint16_t *)element != 0)
        return true;
    err_set(e, "\"%.40s\" is no version; tls1.3, tls1.2, tls1.1, tls1.0, ssl3, ssl2", v.text);
    return false;
}

static void version_dump(const void *element, struct text_sink *out)
{
    for (unsigned i = 0; i < VERSIONS; i++)
        if (version_names[i].version == *(const uint16_t *)element)
            text_puts(out, version_names[i].name);
}

static bool cipher_set(void *element, const char *key, struct scalar v, struct err *e)
{
    const struct suite *s = suite_find(v.text);
    (void)key;
    if (s != NULL) {
        *(uint16_t *)element = s->code;
        return true;
    }
    err_set(e, "\"%.60s\" is no cipher suite; a name as IANA registers them", v.text);
    return false;
}

static void cipher_dump(const void *element, struct text_sink *out)
{
    text_puts(out, tls_cipher_name(*(const uint16_t *)element));
}

static bool group_set(void *element, const char *key, struct scalar v, struct err *e)
{
    (void)key;
    *(uint16_t *)element = group_find(v.text);
    if (*(uint16_t *)element != 0)
        return true;
    err_set(e, "\"%.60s\" is no group; a name as IANA registers them, as x25519", v.text);
    return false;
}

static void group_dump(const void *element, struct text_sink *out)
{
    text_puts(out, tls_group_name(*(const uint16_t *)element));
}

static bool signature_set(void *element, const char *key, struct scalar v, struct err *e)
{
    const struct sign_scheme *s = sign_find(v.text);
    (void)key;
    if (s != NULL) {
        *(uint16_t *)element = s->code;
        return true;
    }
    err_set(
        e,
        "\"%.60s\" is no signature algorithm; a name as IANA registers them, as rsa_pkcs1_sha256",
        v.text);
    return false;
}

static void signature_dump(const void *element, struct text_sink *out)
{
    text_puts(out, sign_of(*(const uint16_t *)element)->name);
}

static const struct key_list list_versions = {.n_at = AT(n_versions),
                                              .size = 2,
                                              .max = POLICY_VERSIONS,
                                              .set = version_set,
                                              .dump = version_dump};
static const struct key_list list_ciphers = {.n_at = AT(n_ciphers),
                                             .size = 2,
                                             .max = POLICY_CIPHERS,
                                             .set = cipher_set,
                                             .dump = cipher_dump};
static const struct key_list list_groups = {
    .n_at = AT(n_groups), .size = 2, .max = POLICY_LIST, .set = group_set, .dump = group_dump};
static const struct key_list list_signatures = {.n_at = AT(n_signatures),
                                                .size = 2,
                                                .max = POLICY_LIST,
                                                .set = signature_set,
                                                .dump = signature_dump};

/* ---- keys of certificates */

static const char *const key_types[POLICY_KEY_N] = {[POLICY_RSA] = "rsa",
                                                    [POLICY_EC] = "ec",
                                                    [POLICY_ED25519] = "ed25519",
                                                    [POLICY_ED448] = "ed448"};

static bool key_set(void *element, const char *key, struct scalar v, struct err *e)
{
    struct policy_key *k = element;
    if (strcmp(key, "min_bits") == 0)
        return config_number(v, 1, 65535, &k->min_bits, e);
    k->said = true;
    return config_word(v, key_types, POLICY_KEY_N, &k->type, e);
}

static bool key_whole(const void *element, struct err *e)
{
    if (((const struct policy_key *)element)->said)
        return true;
    err_set(e, "the key \"type\" is missing");
    return false;
}

static void key_dump(const void *element, struct text_sink *out)
{
    const struct policy_key *k = element;
    text_printf(out, "{type: %s", key_types[k->type]);
    if (k->min_bits > 0)
        text_printf(out, ", min_bits: %" PRIu64, k->min_bits);
    text_puts(out, "}");
}

static const struct key_list list_keys = {.n_at = AT(n_keys),
                                          .size = sizeof(struct policy_key),
                                          .max = POLICY_KEYS,
                                          .members =
                                              (const char *const[]){"type", "min_bits", NULL},
                                          .set = key_set,
                                          .whole = key_whole,
                                          .dump = key_dump};

/* ---- the table */

static const char *const order_words[] = {[ORDER_CLIENT] = "client", [ORDER_SERVER] = "server"};

#define RULE(id)                                                                                   \
    {                                                                                              \
        "rules." #id, AT(severity[WEAK_##id]), .kind = KEY_WORD, .max = SEVERITY_N,                \
                                               .words = severity_names                             \
    }
#define LIMIT(name, lo, hi)                                                                        \
    {                                                                                              \
        "limits." #name, AT(name), .kind = KEY_UINT, .min = lo, .max = hi                          \
    }
#define LIST(name, member)                                                                         \
    {                                                                                              \
        "accept." #name, AT(member), .kind = KEY_LIST, .list = &list_##member                      \
    }

static const struct key keys[] = {
    {"name", AT(name), .kind = KEY_SENSOR},
    {"weak_from", AT(weak_from), .kind = KEY_WORD, .max = SEVERITY_N, .words = severity_names},
    LIMIT(rsa_bits, 512, 65535),
    LIMIT(dh_bits, 512, 65535),
    LIMIT(certificate_days, 1, 100000),
    LIST(versions, versions),
    {"accept.cipher_order", AT(order), .kind = KEY_WORD, .max = 2, .words = order_words},
    LIST(ciphers, ciphers),
    LIST(groups, groups),
    LIST(signatures, signatures),
    LIST(certificate_keys, keys),
    {"accept.sni_required", AT(sni_required), .kind = KEY_BOOL},
    {"accept.sslv2_hello", AT(sslv2_hello), .kind = KEY_BOOL},
    RULE(SSLV2_NEG),
    RULE(SSLV2_OFFER),
    RULE(SSLV2_COMPAT_HELLO),
    RULE(SSLV2_EXPORT),
    RULE(SSLV3_NEG),
    RULE(POODLE),
    RULE(TLS10),
    RULE(TLS11),
    RULE(DROWN_SHARED_KEY),
    RULE(FREAK),
    RULE(LOGJAM_EXPORT),
    RULE(DH_SHORT),
    RULE(DH_COMMON),
    RULE(DH_REUSE),
    RULE(STATIC_RSA),
    RULE(STATIC_DH),
    RULE(STATIC_ECDH),
    RULE(NULL_ENC),
    RULE(ANON),
    RULE(RC4),
    RULE(SWEET32),
    RULE(SINGLE_DES),
    RULE(EXPORT),
    RULE(CBC_NO_ETM),
    RULE(COMPRESSION),
    RULE(INSECURE_RENEG),
    RULE(CLIENT_NO_RENEG_INFO),
    RULE(NO_EMS),
    RULE(FALLBACK_NO_SCSV),
    RULE(FALLBACK_REJECTED),
    RULE(DOWNGRADE_SENTINEL),
    RULE(SIG_MD5),
    RULE(SIG_SHA1),
    RULE(CERT_SIG_MD5),
    RULE(CERT_SIG_SHA1),
    RULE(CERT_RSA_SHORT),
    RULE(CERT_ROCA),
    RULE(CERT_EXPIRED),
    RULE(CERT_NOT_YET),
    RULE(CERT_SELF_SIGNED),
    RULE(CERT_NAME_MISMATCH),
    RULE(CERT_LONG),
    RULE(HEARTBEAT_NEG),
    RULE(HEARTBLEED),
    RULE(WEAK_CURVE),
    RULE(TICKET_ODD),
    RULE(EARLY_DATA),
    RULE(PSK_NO_DHE),
    RULE(OLD_CLIENT),
    RULE(PLAINTEXT_AFTER_STARTTLS),
    RULE(HTTP_ON_443),
    RULE(HTTP_LOGIN),
};
static const struct key_table table = {keys, sizeof keys / sizeof *keys, sizeof(struct tls_policy),
                                       SIZE_MAX, NULL};
static_assert(sizeof keys / sizeof *keys == 13 + WEAK_N, "a key per rule");

bool tls_policy_load(struct tls_policy *p, const char *path, struct err *e)
{
    return config_load_table(&table, p, path, e);
}

void tls_policy_dump(const struct tls_policy *p, struct text_sink *out)
{
    config_dump_table(&table, p, false, out);
}

void tls_policy_hash(const struct tls_policy *p, char hex[static 17])
{
    struct text_sink text = {0};
    tls_policy_dump(p, &text);
    hex[0] = '\0';
    if (!text.failed)
        snprintf(hex, 17, "%016" PRIx64, hash_bytes(text.p, text.len, 0));
    text_free(&text);
}
