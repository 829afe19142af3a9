/* Each row: an offer and a server that keeps to a policy; what comes of it. tests/system/whatif.py
 * asks the same of real servers. */
#include "enrich/tls_whatif.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint16_t list(uint16_t to[], const char *text)
{
    uint16_t n = 0;
    for (char *end; text != NULL && *text != '\0'; text = *end == ',' ? end + 1 : end)
        to[n++] = (uint16_t)strtoul(text, &end, 16);
    return n;
}

#define ECDHE  "c02f,c02b" /* AES-128-GCM, RSA and ECDSA */
#define SIGS   "403,804,401"
#define STRICT "302,303,304|c02f,c02b,1301|1d,17|403,804,401|"

static const struct {
    const char *name;
    const char *policy; /* versions|ciphers|groups|signatures|flags: s SNI required, 2 no SSLv2
                           hellos, c the client's order */
    const char *offer; /* legacy|versions|ciphers|groups|signatures|flags: v of SSLv2 format, x cut,
                          n names the server */
    const char *seen;  /* of the server: r RSA, e EC, g takes clients without groups */
    const char *want;  /* "version cipher", or the reason */
} rows[] = {
    {"TLS 1.2", STRICT, "303||" ECDHE "|1d,17|" SIGS "|", "r", "0303 c02f"},
    {"TLS 1.3 goes first", STRICT, "303|304,303|c02f,1301|1d|" SIGS "|", "r", "0304 1301"},
    {"no hello", STRICT, NULL, "r", "unknown hello_not_seen"},
    {"too old", STRICT, "301||c02f,2f|1d||", "r", "break no_common_version"},
    {"supported_versions alone counts", STRICT, "303|301|c02f|1d|" SIGS "|", "r",
     "break no_common_version"},
    {"a draft of TLS 1.3 is none", "304||||", "303|7f17|1301|1d|804|", "r",
     "break no_common_version"},
    {"legacy 1.3 means 1.2", "303||||", "304||c02f|1d|" SIGS "|", "r", "0303 c02f"},
    {"and no more", "304||||", "304||1301|1d|" SIGS "|", "r", "break no_common_version"},
    {"a version there is not, without supported_versions", "303||||", "3ff||c02f|1d|" SIGS "|", "r",
     "0303 c02f"},
    {"would have to go down", "301||||", "303||2f|1d|" SIGS "|", "r",
     "unknown client_minimum_not_known"},
    {"goes down as it says", "301||||", "303|303,301|2f|1d|" SIGS "|", "r", "0301 002f"},
    {"SSL 3.0", "300||||", "300||2f||||", "r", "0300 002f"},
    {"SSL 2.0 is not SSL 3.0", "300||||", "2||2f||||", "r", "break no_common_version"},
    /* suites */
    {"no suite", STRICT, "303||2f,9c|1d|" SIGS "|", "r", "break no_common_suite"},
    {"GREASE and SCSVs are none", "303||||", "303||a0a,ff,5600|1d|" SIGS "|", "r",
     "break no_common_suite"},
    {"a suite of 1.2 is none of 1.1", "302||||", "302||c02f,9c|1d||", "r", "break no_common_suite"},
    {"a suite of 1.3 is none of 1.2", "303||||", "303||1301|1d|" SIGS "|", "r",
     "break no_common_suite"},
    {"1.3 chosen, without its suites: no way back", STRICT, "303|304,303|c02f|1d|" SIGS "|", "r",
     "break no_common_suite"},
    {"the server's order", "303|c02f,c030|||", "303||c030,c02f|1d|" SIGS "|", "r", "0303 c02f"},
    {"the client's order", "303|c02f,c030|||c", "303||c030,c02f|1d|" SIGS "|", "r", "0303 c030"},
    {"anonymous and unencrypted are not everything", "303||||", "303||18,3b|1d|" SIGS "|", "r",
     "break no_common_suite"},
    {"PSK", "303||||", "303||a8|1d|" SIGS "|", "r", "unknown only_shared_keys"},
    {"PSK or RSA", "303||||", "303||a8,9c|1d|" SIGS "|", "r", "0303 009c"},
    /* groups */
    {"no group", STRICT, "303||" ECDHE "|18|" SIGS "|", "r", "break no_common_group"},
    {"no group of 1.3", STRICT, "303|304|1301|18|" SIGS "|", "r", "break no_common_group"},
    {"sect283k1 is none of 1.3", "304||||", "303|304|1301|9|" SIGS "|", "r",
     "break no_common_group"},
    {"ffdhe is none for ECDHE", "303||||", "303||c02f|100|" SIGS "|", "r", "break no_common_group"},
    {"but one of 1.3", "304||||", "303|304|1301|100|" SIGS "|", "r", "0304 1301"},
    {"DHE needs none", "303||||", "303||9e|18|" SIGS "|", "r", "0303 009e"},
    {"RSA needs none", "303||||", "303||c02f,9c||" SIGS "|", "r", "0303 009c"},
    {"none told", "303||||", "303||c02f||" SIGS "|", "r", "unknown client_groups_not_told"},
    {"none told, and taken today", "303||||", "303||c02f||" SIGS "|", "rg", "0303 c02f"},
    {"none told to 1.3", "304||||", "303|304|1301||" SIGS "|", "rg", "break no_common_group"},
    {"the curve of the key", "303||||", "303||c02b|1d|" SIGS "|", "e", "break no_common_group"},
    /* signatures, keys */
    {"no signature", STRICT, "303||" ECDHE "|1d|201|", "r", "break no_common_signature_algorithm"},
    {"none told: SHA-1", STRICT, "303||" ECDHE "|1d||", "r", "break no_common_signature_algorithm"},
    {"none told, and SHA-1 is taken", "303||||", "303||" ECDHE "|1d||", "r", "0303 c02f"},
    {"PKCS#1 does not sign 1.3", "304||||", "303|304|1301|1d|401|", "r",
     "break no_common_signature_algorithm"},
    {"P-256 does not sign with SHA-384 in 1.3", "304||||", "303|304|1301|17|503|", "e",
     "break no_common_signature_algorithm"},
    {"but in 1.2", "303||||", "303||c02b|17|503|", "e", "0303 c02b"},
    {"RSA key, ECDSA suites", "303||||", "303||c02b|17|" SIGS "|", "r",
     "break no_certificate_for_its_suites"},
    {"RSA key exchange, EC key", "303||||", "303||9c|17|" SIGS "|", "e",
     "break no_certificate_for_its_suites"},
    {"both keys", "303||||", "303||c02b|17|" SIGS "|", "re", "0303 c02b"},
    {"the key was not seen, and matters", "303||||", "303||c02b|17|" SIGS "|", "",
     "unknown server_certificate_not_seen"},
    {"and does not matter", "303||||", "303||c02b,c02f|17|" SIGS "|", "", "0303 c02b"},
    {"TLS 1.0 signs as it does", "301||||", "301||c013|17||", "r", "0301 c013"},
    /* the rest */
    {"no name", "303||||s", "303||c02f|1d|" SIGS "|", "r", "break no_server_name"},
    {"a name", "303||||s", "303||c02f|1d|" SIGS "|n", "r", "0303 c02f"},
    {"SSLv2 format", "303||||2", "303||9c|||v", "r", "break sslv2_hello"},
    {"SSLv2 format is taken", "303||||", "303||9c|||v", "r", "0303 009c"},
    {"cut, and no suite found", STRICT, "303||9c|1d|" SIGS "|x", "r", "unknown hello_too_long"},
    {"cut, and a suite found", STRICT, "303||c02f|1d|" SIGS "|x", "r", "0303 c02f"},
};

/* The parts of a row's text between the bars. */
static unsigned split(const char *text, char parts[6][256])
{
    unsigned n = 0;
    memset(parts, 0, 6 * 256);
    for (; n < 6; n++) {
        size_t len = strcspn(text, "|");
        memcpy(parts[n], text, len);
        text += len;
        if (*text == '\0')
            return n + 1;
        text++;
    }
    return n;
}

static struct tls_policy policy_of(const char *text)
{
    struct tls_policy p = tls_policy_default();
    char parts[6][256];
    split(text, parts);
    p.n_versions = list(p.versions, parts[0]);
    p.n_ciphers = list(p.ciphers, parts[1]);
    p.n_groups = list(p.groups, parts[2]);
    p.n_signatures = list(p.signatures, parts[3]);
    p.sni_required = strchr(parts[4], 's') != NULL;
    p.sslv2_hello = strchr(parts[4], '2') == NULL;
    p.order = strchr(parts[4], 'c') != NULL ? ORDER_CLIENT : ORDER_SERVER;
    return p;
}

static bool offer_of(const char *text, struct offer *o)
{
    char parts[6][256];
    memset(o, 0, sizeof *o);
    split(text, parts);
    o->legacy_version = (uint16_t)strtoul(parts[0], NULL, 16);
    o->n_versions = list(o->versions, parts[1]);
    o->n_ciphers = list(o->ciphers, parts[2]);
    o->n_groups = list(o->groups, parts[3]);
    o->n_signatures = list(o->signatures, parts[4]);
    o->flags = (uint8_t)((strchr(parts[5], 'v') != NULL ? OFFER_SSLV2_FORMAT : 0)
                         | (strchr(parts[5], 'x') != NULL ? OFFER_CUT : 0));
    return strchr(parts[5], 'n') != NULL;
}

static void table(void **state)
{
    (void)state;
    unsigned failures = 0;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        static struct offer o;
        struct tls_policy p = policy_of(rows[i].policy);
        struct whatif_server s = {.takes_no_groups = strchr(rows[i].seen, 'g') != NULL};
        struct whatif_answer a;
        char got[80];
        bool named = rows[i].offer != NULL && offer_of(rows[i].offer, &o);
        s.seen[CERT_KEY_RSA] = strchr(rows[i].seen, 'r') != NULL;
        s.seen[CERT_KEY_EC] = strchr(rows[i].seen, 'e') != NULL;
        tls_whatif(&p, rows[i].offer != NULL ? &o : NULL, named, &s, &a);
        if (a.result == WHATIF_CONNECT)
            snprintf(got, sizeof got, "%04x %04x", a.version, a.cipher);
        else
            snprintf(got, sizeof got, "%s %s", whatif_result_names[a.result],
                     whatif_reason_names[a.reason]);
        if (strcmp(got, rows[i].want) != 0) {
            print_error("%s:\n  got  %s\n  want %s\n", rows[i].name, got, rows[i].want);
            failures++;
        }
    }
    assert_int_equal(failures, 0);
}

/* A stricter policy never lets in whom a laxer one cuts off. */
static void stricter_cuts_more(void **state)
{
    (void)state;
    static struct offer o;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct whatif_server s = {.seen = {[CERT_KEY_RSA] = true, [CERT_KEY_EC] = true}};
        struct tls_policy lax = tls_policy_default(), strict;
        struct whatif_answer a, b;
        if (rows[i].offer == NULL)
            continue;
        bool named = offer_of(rows[i].offer, &o);
        for (unsigned step = 0; step < 4; step++) {
            strict = lax;
            if (step == 0)
                strict.n_ciphers = list(strict.ciphers, "c02f,c02b,1301");
            else if (step == 1)
                strict.n_groups = list(strict.groups, "1d,17");
            else if (step == 2)
                strict.n_signatures = list(strict.signatures, "804,403");
            else
                strict.sni_required = true;
            tls_whatif(&lax, &o, named, &s, &a);
            tls_whatif(&strict, &o, named, &s, &b);
            if (a.result == WHATIF_BREAK && b.result == WHATIF_CONNECT)
                fail_msg("%s: step %u", rows[i].name, step);
            lax = strict;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table),
        cmocka_unit_test(stricter_cuts_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
