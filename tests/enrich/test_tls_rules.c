/* Each row: a clean session (TLS 1.2, ECDHE, AES-GCM, everything seen), changed in what the row
 * says; what is then found, exactly; and what the session is called. The near miss of each class
 * stands behind it and finds nothing of it. */
#include "core/hash.h"
#include "enrich/tls_verdicts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOON UINT64_C(1519819200) /* 2018-02-28T12:00:00Z */
#define DAY  86400

struct rig {
    struct tls_tuple t;
    struct offer offer;
    struct answer answer;
    struct cert leaf, issuer;
    const struct cert *certs[2];
    char name[64];
};

static void clean(struct rig *r)
{
    static const uint16_t ciphers[] = {0x1301, 0xc02f, 0x009c},
                          extensions[] = {10, 13, 23, 43, 0xff01};
    memset(r, 0, sizeof *r);
    r->offer.legacy_version = 0x0303;
    r->offer.n_versions = 2;
    r->offer.versions[0] = 0x0304;
    r->offer.versions[1] = 0x0303;
    r->offer.n_ciphers = 3;
    memcpy(r->offer.ciphers, ciphers, sizeof ciphers);
    r->offer.n_extensions = 5;
    memcpy(r->offer.extensions, extensions, sizeof extensions);
    r->answer = (struct answer){.version = 0x0303,
                                .cipher = 0xc02f,
                                .group = 23,
                                .flags = ANSWER_RENEG_INFO | ANSWER_EMS,
                                .ske_signature = 0x0804,
                                .n_certs = 1};
    r->leaf = (struct cert){.not_before_s = NOON - 30 * DAY,
                            .not_after_s = NOON + 60 * DAY,
                            .key = CERT_KEY_RSA,
                            .key_bits = 2048,
                            .signature_hash = CERT_HASH_SHA256,
                            .signature = "sha256WithRSAEncryption",
                            .n_sans = 1};
    r->issuer = r->leaf;
    strcpy(r->leaf.sans[0], "a.example");
    r->leaf.san_len[0] = 9;
    strcpy(r->name, "a.example");
    r->certs[0] = &r->leaf;
    r->certs[1] = &r->issuer;
    r->t = (struct tls_tuple){.version = 0x0303,
                              .cipher = 0xc02f,
                              .outcome = TLS_ESTABLISHED,
                              .handshake_seen = true,
                              .sessions = 1,
                              .bytes = 9000,
                              .first_ns = NOON * 1000000000,
                              .last_ns = (NOON + 60) * 1000000000,
                              .offer = &r->offer,
                              .answer = &r->answer,
                              .certs = r->certs,
                              .n_certs = 1,
                              .name = {(const uint8_t *)r->name, 9},
                              .name_source = NAME_SNI};
}

static uint16_t list(uint16_t to[], const char *text)
{
    uint16_t n = 0;
    for (char *end; *text != '\0' && *text != '-'; text = *end == ',' ? end + 1 : end)
        to[n++] = (uint16_t)strtoul(text, &end, 16);
    return n;
}

static bool change_answer(struct rig *r, const char *key, const char *text, uint64_t v)
{
    if (strcmp(key, "a") == 0)
        r->t.answer = NULL;
    else if (strcmp(key, "a.set") == 0)
        r->answer.flags |= (uint32_t)v;
    else if (strcmp(key, "a.clear") == 0)
        r->answer.flags &= ~(uint32_t)v;
    else if (strcmp(key, "a.comp") == 0)
        r->answer.compression = (uint8_t)v;
    else if (strcmp(key, "a.ske") == 0)
        r->answer.ske_signature = (uint16_t)v;
    else if (strcmp(key, "a.dh") == 0)
        r->answer.dh_bits = (uint16_t)v;
    else if (strcmp(key, "a.prime") == 0)
        r->answer.dh_prime = (uint8_t)v;
    else if (strcmp(key, "a.group") == 0)
        r->answer.group = (uint16_t)v;
    else if (strcmp(key, "a.ticket") == 0)
        r->answer.ticket_lifetime_s = (uint32_t)v;
    else if (strcmp(key, "a.kind") == 0)
        r->answer.kinds[r->answer.n_kinds++] = (uint32_t)v;
    else
        return false;
    (void)text;
    return true;
}

static bool change_offer(struct rig *r, const char *key, const char *text, uint64_t v)
{
    if (strcmp(key, "o") == 0)
        r->t.offer = NULL;
    else if (strcmp(key, "o.legacy") == 0)
        r->offer.legacy_version = (uint16_t)v;
    else if (strcmp(key, "o.versions") == 0)
        r->offer.n_versions = list(r->offer.versions, text);
    else if (strcmp(key, "o.ciphers") == 0)
        r->offer.n_ciphers = list(r->offer.ciphers, text);
    else if (strcmp(key, "o.ext") == 0)
        r->offer.n_extensions = list(r->offer.extensions, text);
    else if (strcmp(key, "o.flags") == 0)
        r->offer.flags = (uint8_t)v;
    else if (strcmp(key, "o.kind") == 0)
        r->offer.kinds[r->offer.n_kinds++] = (uint32_t)v;
    else
        return false;
    return true;
}

static bool change_cert(struct rig *r, const char *key, const char *text, uint64_t v)
{
    struct cert *c = key[0] == 'i' ? &r->issuer : &r->leaf;
    if (strcmp(key, "certs") == 0) {
        r->t.n_certs = (unsigned)v;
        return true;
    }
    if ((key[0] != 'i' && key[0] != 'l') || key[1] != '.')
        return false;
    key += 2;
    if (strcmp(key, "bits") == 0) {
        c->key_bits = (uint16_t)v;
    } else if (strcmp(key, "key") == 0) {
        c->key = (uint8_t)v;
    } else if (strcmp(key, "hash") == 0) {
        c->signature_hash = (uint8_t)v;
        strcpy(c->signature, v == CERT_HASH_MD5 ? "md5" : v == CERT_HASH_SHA1 ? "sha1" : "other");
    } else if (strcmp(key, "flags") == 0) {
        c->flags = (uint16_t)v;
    } else if (strcmp(key, "from") == 0) { /* seconds after the first packet */
        c->not_before_s = (int64_t)NOON + atol(text);
    } else if (strcmp(key, "to") == 0) { /* after the last */
        c->not_after_s = (int64_t)NOON + 60 + atol(text);
    } else if (strcmp(key, "san") == 0) {
        c->n_sans = text[0] != '-';
        c->san_len[0] = (uint8_t)strlen(text);
        memcpy(c->sans[0], text, strlen(text));
    } else {
        return false;
    }
    return true;
}

static bool change_tuple(struct rig *r, const char *key, const char *text, uint64_t v)
{
    if (strcmp(key, "v") == 0)
        r->t.version = (uint16_t)v;
    else if (strcmp(key, "c") == 0)
        r->t.cipher = (uint16_t)v;
    else if (strcmp(key, "g") == 0)
        r->t.group = (uint16_t)v;
    else if (strcmp(key, "rv") == 0)
        r->t.record_version = (uint16_t)v;
    else if (strcmp(key, "alert") == 0)
        r->t.alert = (uint16_t)v;
    else if (strcmp(key, "signs") == 0)
        r->t.signs = (uint16_t)v;
    else if (strcmp(key, "via") == 0)
        r->t.via = (uint8_t)v;
    else if (strcmp(key, "out") == 0)
        r->t.outcome = (uint8_t)v;
    else if (strcmp(key, "resumed") == 0)
        r->t.resumed = v != 0;
    else if (strcmp(key, "seen") == 0)
        r->t.handshake_seen = v != 0;
    else if (strcmp(key, "mib") == 0)
        r->t.bytes = v << 20;
    else if (strcmp(key, "n") == 0)
        r->t.sessions = v;
    else if (strcmp(key, "source") == 0)
        r->t.name_source = (uint8_t)v;
    else if (strcmp(key, "name") == 0) {
        snprintf(r->name, sizeof r->name, "%s", text[0] == '-' ? "" : text);
        r->t.name.len = (uint32_t)strlen(r->name);
    } else
        return false;
    return true;
}

static void change(struct rig *r, const char *changes)
{
    char all[512], *save = NULL;
    snprintf(all, sizeof all, "%s", changes);
    for (char *word = strtok_r(all, " ", &save); word != NULL; word = strtok_r(NULL, " ", &save)) {
        char *value = strchr(word, '=');
        assert_non_null(value);
        *value++ = '\0';
        uint64_t v = strtoull(value, NULL, 0);
        if (!change_tuple(r, word, value, v) && !change_offer(r, word, value, v)
            && !change_answer(r, word, value, v) && !change_cert(r, word, value, v))
            fail_msg("what is %s?", word);
    }
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* "RULE/basis/severity ...", sorted. */
static void text_of(const struct tls_verdict *v, char *to, size_t size)
{
    static char words[TLS_HITS_MAX][80];
    const char *sorted[TLS_HITS_MAX];
    for (unsigned i = 0; i < v->n; i++) {
        snprintf(words[i], sizeof words[i], "%s/%s/%s", weakness_names[v->hits[i].rule],
                 basis_names[v->hits[i].basis], severity_names[v->hits[i].severity]);
        sorted[i] = words[i];
    }
    qsort(sorted, v->n, sizeof *sorted, by_text);
    size_t at = 0;
    to[0] = '\0';
    for (unsigned i = 0; i < v->n && at < size; i++)
        at += (size_t)snprintf(to + at, size - at, i > 0 ? " %s" : "%s", sorted[i]);
}

/* 13 is TLS 1.3; OLD: a client of TLS 1.0 that does all it can. */
#define T13 "v=0x0304 c=0x1301 g=29 a=0 certs=0 "
#define OLD                                                                                        \
    "o.versions=- o.legacy=0x0301 o.ciphers=2f,ff o.ext=23 v=0x0301 c=0x002f a.ske=0 a.group=0 "   \
    "a.set=4 "
#define OLD_FOUND "OLD_CLIENT/offered/medium STATIC_RSA/accepted/medium TLS10/accepted/medium"
#define CLEAR     "v=0 c=0 out=5 seen=0 o=0 a=0 certs=0 n=0 "
#define CLEAN     "clean"
#define WEAK      "weak"
#define FAILED    "failed"

static const struct {
    const char *name, *changes, *want, *called;
} rows[] = {
    {"clean", "", "", CLEAN},
    {"clean 1.3", T13, "", CLEAN},
    /* versions */
    {"SSL 2.0", "v=0x0002 c=0 a.group=0 o.flags=1 o.versions=- o.legacy=0x0002",
     "OLD_CLIENT/offered/medium SSLV2_NEG/accepted/critical SSLV2_OFFER/offered/high", WEAK},
    {"SSL 2.0 export",
     "v=0x0002 c=0 a.group=0 o.flags=1 o.versions=- o.legacy=0x0002 o.kind=0x020080",
     "OLD_CLIENT/offered/medium SSLV2_EXPORT/offered/critical SSLV2_NEG/accepted/critical "
     "SSLV2_OFFER/offered/high",
     WEAK},
    {"SSL 2.0, its server has export",
     "v=0x0002 c=0 a.group=0 o.flags=1 o.versions=- o.legacy=0x0002 a.kind=0x040080",
     "OLD_CLIENT/offered/medium SSLV2_EXPORT/accepted/critical SSLV2_NEG/accepted/critical "
     "SSLV2_OFFER/offered/high",
     WEAK},
    {"SSL 2.0 without export",
     "v=0x0002 c=0 a.group=0 o.flags=1 o.versions=- o.legacy=0x0002 o.kind=0x0700c0",
     "OLD_CLIENT/offered/medium SSLV2_NEG/accepted/critical SSLV2_OFFER/offered/high", WEAK},
    {"a hello of SSLv2 format", "o.flags=1 o.versions=- o.legacy=0x0303",
     "SSLV2_COMPAT_HELLO/offered/low", CLEAN},
    {"a TLS client that could do export of SSL 2.0",
     "o.flags=1 o.versions=- o.legacy=0x0303 o.kind=0x020080",
     "SSLV2_COMPAT_HELLO/offered/low SSLV2_EXPORT/offered/low", CLEAN},
    {"SSL 3.0, RC4: no POODLE",
     "v=0x0300 c=0x0005 o.versions=- o.legacy=0x0300 o.ciphers=5,ff a.group=0 a.ske=0",
     "OLD_CLIENT/offered/medium RC4/accepted/high SSLV3_NEG/accepted/high "
     "STATIC_RSA/accepted/medium",
     WEAK},
    {"POODLE",
     "v=0x0300 c=0x002f o.versions=- o.legacy=0x0300 o.ciphers=2f,ff a.group=0 a.ske=0 a.set=4",
     "OLD_CLIENT/offered/medium POODLE/accepted/critical SSLV3_NEG/accepted/high "
     "STATIC_RSA/accepted/medium",
     WEAK},
    {"TLS 1.0", OLD, OLD_FOUND, WEAK},
    {"TLS 1.1", OLD "v=0x0302 o.legacy=0x0302",
     "OLD_CLIENT/offered/medium STATIC_RSA/accepted/medium TLS11/accepted/medium", WEAK},
    {"DTLS 1.0", OLD "v=0xfeff o.legacy=0xfeff", OLD_FOUND, WEAK},
    {"a client that could do more", OLD "o.legacy=0x0303",
     "STATIC_RSA/accepted/medium TLS10/accepted/medium", WEAK},
    {"supported_versions counts, not the legacy one", OLD "o.legacy=0x0301 o.versions=303",
     "STATIC_RSA/accepted/medium TLS10/accepted/medium", WEAK},
    /* how far it went */
    {"chosen, end not seen", OLD "out=0",
     "OLD_CLIENT/offered/medium STATIC_RSA/negotiated/medium TLS10/negotiated/medium", WEAK},
    {"refused", OLD "out=2 alert=0x0246",
     "OLD_CLIENT/offered/medium STATIC_RSA/attempted/medium TLS10/attempted/medium", FAILED},
    {"refused before an answer", OLD "out=2 v=0 c=0 a=0 certs=0 rv=0x0301",
     "OLD_CLIENT/offered/medium", FAILED},
    {"partial, TLS 1.0 records", "v=0 c=0 out=4 seen=0 o=0 a=0 certs=0 rv=0x0301",
     "TLS10/record_version/medium", WEAK},
    {"partial, SSL 3.0 records: no POODLE", "v=0 c=0 out=4 seen=0 o=0 a=0 certs=0 rv=0x0300",
     "SSLV3_NEG/record_version/high", WEAK},
    {"partial, TLS 1.2 records: not clean", "v=0 c=0 out=4 seen=0 o=0 a=0 certs=0 rv=0x0303", "",
     "unknown:handshake_not_seen"},
    {"no hello seen: not clean", "o=0", "", "unknown:hello_not_seen"},
    {"no answer seen: not clean", "a=0 certs=0", "", "unknown:answer_not_seen"},
    {"answer cut: not clean", "a.set=0x1000", "", "unknown:answer_not_seen"},
    {"no certificates seen: not clean", "certs=0", "", "unknown:certificates_not_seen"},
    {"resumed: not clean", "certs=0 resumed=1", "", "unknown:certificates_not_seen"},
    {"a suite that no table knows", "c=0xfff0", "", "unknown:unknown_suite"},
    {"a version that no table knows", "v=0x0505", "", "unknown:unknown_version"},
    {"end not seen", "out=0", "", "unknown:end_not_seen"},
    /* suites */
    {"NULL", "c=0x003b a.group=0", "NULL_ENC/accepted/critical STATIC_RSA/accepted/medium", WEAK},
    {"NULL of TLS 1.3", T13 "c=0xc0b4", "NULL_ENC/accepted/critical", WEAK},
    {"anonymous", "c=0xc018 a.ske=0 certs=0 a.set=4", "ANON/accepted/critical", WEAK},
    {"RC4", "c=0xc011", "RC4/accepted/high", WEAK},
    {"RC4 offered", "o.ciphers=1301,c02f,c011", "RC4/offered/low", CLEAN},
    {"3DES", "c=0xc012 a.set=4", "SWEET32/accepted/medium", WEAK},
    {"3DES, 1 GiB in a session", "c=0xc012 a.set=4 mib=1025", "SWEET32/accepted/high", WEAK},
    {"3DES, just under", "c=0xc012 a.set=4 mib=1024", "SWEET32/accepted/medium", WEAK},
    {"3DES, 1 GiB in two sessions", "c=0xc012 a.set=4 mib=2000 n=2", "SWEET32/accepted/medium",
     WEAK},
    {"3DES, 2^32 blocks", "c=0xc012 a.set=4 mib=32768", "SWEET32/accepted/critical", WEAK},
    {"IDEA", OLD "c=0x0007 o.ciphers=7,ff",
     "OLD_CLIENT/offered/medium STATIC_RSA/accepted/medium SWEET32/accepted/medium "
     "TLS10/accepted/medium",
     WEAK},
    {"DES", OLD "c=0x0009 o.ciphers=9,ff",
     "OLD_CLIENT/offered/medium SINGLE_DES/accepted/critical STATIC_RSA/accepted/medium "
     "SWEET32/accepted/medium TLS10/accepted/medium",
     WEAK},
    {"RSA export", OLD "c=0x0003 o.ciphers=3,ff",
     "EXPORT/accepted/critical FREAK/accepted/critical OLD_CLIENT/offered/medium "
     "RC4/accepted/high TLS10/accepted/medium",
     WEAK},
    {"DHE export", OLD "c=0x0014 o.ciphers=14,ff",
     "EXPORT/accepted/critical LOGJAM_EXPORT/accepted/critical OLD_CLIENT/offered/medium "
     "SWEET32/accepted/medium TLS10/accepted/medium",
     WEAK},
    {"an RSA key of 512 bits in the key exchange", "a.set=0x400 a.dh=512",
     "FREAK/accepted/critical", WEAK},
    {"of 1024 bits", "a.set=0x400 a.dh=1024", "", CLEAN},
    {"export offered", "o.ciphers=c02f,3", "EXPORT/offered/low RC4/offered/low", CLEAN},
    {"NULL, anon, DES, 3DES offered", "o.ciphers=c02f,2,18,9,a",
     "ANON/offered/low NULL_ENC/offered/low RC4/offered/low SINGLE_DES/offered/low "
     "SWEET32/offered/low",
     CLEAN},
    {"static RSA", "c=0x009c a.ske=0 a.group=0", "STATIC_RSA/accepted/medium", WEAK},
    {"static DH", "c=0x0031 a.set=4", "STATIC_DH/accepted/medium", WEAK},
    {"static ECDH", "c=0xc00e a.set=4", "STATIC_ECDH/accepted/medium", WEAK},
    {"PSK", "c=0x00a8 certs=0 a.group=0 a.ske=0", "PSK_NO_DHE/accepted/medium", WEAK},
    {"DHE_PSK", "c=0x00aa certs=0 a.group=0 a.ske=0", "", CLEAN},
    {"TLS 1.3, PSK without DHE", "v=0x0304 c=0x1301 certs=0 a.group=0 a.ske=0 a.set=0x100",
     "PSK_NO_DHE/accepted/medium", WEAK},
    {"TLS 1.3, PSK with DHE", "v=0x0304 c=0x1301 certs=0 g=29 a.ske=0 a.set=0x100", "", CLEAN},
    {"GREASE and SCSVs are no suites", "o.ciphers=c02f,a0a,5600,ff", "", CLEAN},
    /* groups, primes */
    {"weak curve", "a.group=19", "WEAK_CURVE/accepted/high", WEAK},
    {"weak curve of the key share", T13 "g=16", "WEAK_CURVE/accepted/high", WEAK},
    {"224 bits", "a.group=21", "", CLEAN},
    {"explicit curve", "a.set=0x200", "WEAK_CURVE/accepted/high", WEAK},
    {"a prime of 512 bits", "c=0x009e a.dh=512 a.prime=1 a.group=0",
     "DH_SHORT/accepted/critical LOGJAM_EXPORT/accepted/critical", WEAK},
    {"of 768 bits", "c=0x009e a.dh=768 a.prime=1 a.group=0", "DH_SHORT/accepted/critical", WEAK},
    {"of 1024 bits, its own", "c=0x009e a.dh=1024 a.prime=1 a.group=0", "DH_SHORT/accepted/high",
     WEAK},
    {"of 1024 bits, Oakley's", "c=0x009e a.dh=1024 a.prime=3 a.group=0",
     "DH_COMMON/accepted/high DH_SHORT/accepted/high", WEAK},
    {"of 2047 bits", "c=0x009e a.dh=2047 a.prime=1 a.group=0", "DH_SHORT/accepted/high", WEAK},
    {"of 2048 bits", "c=0x009e a.dh=2048 a.prime=13 a.group=0", "DH_SHORT/accepted/low", CLEAN},
    /* extensions */
    {"CBC without encrypt-then-mac", "c=0xc013", "CBC_NO_ETM/accepted/low", CLEAN},
    {"with", "c=0xc013 a.set=4", "", CLEAN},
    {"compression", "a.comp=1", "COMPRESSION/accepted/high", WEAK},
    {"no renegotiation_info of the server", "a.clear=1", "INSECURE_RENEG/accepted/medium", WEAK},
    {"nor of the client", "a.clear=1 o.ext=17", "CLIENT_NO_RENEG_INFO/offered/low", CLEAN},
    {"the client has the SCSV", "o.ext=17 o.ciphers=c02f,ff", "", CLEAN},
    {"a client of TLS 1.3 alone needs none", T13 "o.versions=304 o.ext=17", "", CLEAN},
    {"no extended master secret", "a.clear=2", "NO_EMS/accepted/low", CLEAN},
    {"heartbeat", "a.set=8", "HEARTBEAT_NEG/accepted/low", CLEAN},
    {"heartbleed asked", "signs=1", "HEARTBLEED/attempted/critical", CLEAN},
    {"heartbleed answered", "signs=3", "HEARTBLEED/accepted/critical", WEAK},
    {"early data", T13 "o.ext=2a", "CLIENT_NO_RENEG_INFO/offered/low EARLY_DATA/offered/info",
     CLEAN},
    {"downgrade: both can 1.3", "a.set=0x40", "DOWNGRADE_SENTINEL/accepted/high", WEAK},
    {"the client cannot", "a.set=0x40 o.versions=303", "DOWNGRADE_SENTINEL/accepted/info", CLEAN},
    {"downgrade to 1.1", "a.set=0x80 v=0x0302 c=0xc013",
     "CBC_NO_ETM/accepted/low DOWNGRADE_SENTINEL/accepted/high TLS11/accepted/medium", WEAK},
    {"fallback refused", OLD "out=2 alert=0x0256",
     "FALLBACK_REJECTED/attempted/info OLD_CLIENT/offered/medium STATIC_RSA/attempted/medium "
     "TLS10/attempted/medium",
     FAILED},
    {"signed with MD5", "a.ske=0x0101", "SIG_MD5/accepted/high", WEAK},
    {"signed with SHA-1", "a.ske=0x0203", "SIG_SHA1/accepted/medium", WEAK},
    {"signed with SHA-224", "a.ske=0x0301", "", CLEAN},
    {"tickets for 8 days", "a.ticket=691200", "TICKET_ODD/accepted/medium", WEAK},
    {"for 7 days", "a.ticket=604800", "", CLEAN},
    /* certificates */
    {"MD5", "l.hash=3", "CERT_SIG_MD5/accepted/critical", WEAK},
    {"SHA-1", "l.hash=4", "CERT_SIG_SHA1/accepted/high", WEAK},
    {"SHA-1 of an issuer", "certs=2 i.hash=4", "CERT_SIG_SHA1/accepted/high", WEAK},
    {"SHA-1 of a root", "certs=2 i.hash=4 i.flags=3", "", CLEAN},
    {"RSA 2047", "l.bits=2047", "CERT_RSA_SHORT/accepted/high", WEAK},
    {"RSA 1023", "l.bits=1023", "CERT_RSA_SHORT/accepted/critical", WEAK},
    {"RSA 1024 of a root", "certs=2 i.bits=1024 i.flags=3", "CERT_RSA_SHORT/accepted/high", WEAK},
    {"exponent 3", "l.flags=8", "CERT_RSA_SHORT/accepted/info", CLEAN},
    {"exponent 3, and an issuer's short key", "certs=2 l.flags=8 i.bits=1024",
     "CERT_RSA_SHORT/accepted/high", WEAK},
    {"EC 256", "l.key=3 l.bits=256", "", CLEAN},
    {"ROCA", "l.flags=64", "CERT_ROCA/accepted/high", WEAK},
    {"ROCA of an issuer", "certs=2 i.flags=64", "CERT_ROCA/accepted/high", WEAK},
    {"expired", "l.to=-1", "CERT_EXPIRED/accepted/medium", WEAK},
    {"expires this second", "l.to=0", "", CLEAN},
    {"not valid yet", "l.from=1", "CERT_NOT_YET/accepted/medium", WEAK},
    {"valid from this second", "l.from=0", "", CLEAN},
    {"self-signed", "l.flags=3", "CERT_SELF_SIGNED/accepted/medium", WEAK},
    {"other name", "l.san=b.example", "CERT_NAME_MISMATCH/accepted/medium", WEAK},
    {"no names", "l.san=-", "CERT_NAME_MISMATCH/accepted/medium", WEAK},
    {"wildcard", "name=x.b.example l.san=*.b.example", "", CLEAN},
    {"wildcard is one label", "name=x.y.b.example l.san=*.b.example",
     "CERT_NAME_MISMATCH/accepted/medium", WEAK},
    {"wildcard is not none", "name=b.example l.san=*.b.example",
     "CERT_NAME_MISMATCH/accepted/medium", WEAK},
    {"case, final dot", "name=A.example. ", "", CLEAN},
    {"list of names cut: not known", "l.san=b.example l.flags=16", "", CLEAN},
    {"the name of a front (ECH)", "l.san=b.example signs=512", "", CLEAN},
    {"name from DNS", "l.san=b.example source=2", "CERT_NAME_MISMATCH/accepted/medium", WEAK},
    {"no name", "l.san=b.example name=- source=0", "", CLEAN},
    {"398 days", "l.from=-31536000 l.to=2851140", "", CLEAN},
    {"399 days", "l.from=-31536000 l.to=2937540", "CERT_LONG/accepted/info", CLEAN},
    /* no sessions: clear text where TLS belongs */
    {"STARTTLS, then clear text", CLEAR "via=1", "PLAINTEXT_AFTER_STARTTLS/accepted/medium",
     "unknown:handshake_not_seen"},
    {"HTTP on port 443", CLEAR "via=11", "HTTP_ON_443/accepted/medium",
     "unknown:handshake_not_seen"},
    {"credentials in HTTP", CLEAR "via=11 signs=0x800", "HTTP_LOGIN/accepted/medium",
     "unknown:handshake_not_seen"},
    {"TLS after STARTTLS", "via=1", "", CLEAN},
    {"an unreadable certificate is none seen", "l.flags=32 l.hash=3", "",
     "unknown:certificates_not_seen"},
    {"certificates of a refused session", "l.hash=4 out=2 alert=0x022a",
     "CERT_SIG_SHA1/attempted/high", FAILED},
};

static void table(void **state)
{
    (void)state;
    static struct rig r;
    struct tls_policy p = tls_policy_default();
    struct tls_verdict v;
    unsigned failures = 0;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char got[1024], called[64];
        clean(&r);
        change(&r, rows[i].changes);
        tls_rules_judge(&p, &r.t, &v);
        text_of(&v, got, sizeof got);
        static const char *const names[] = {"weak", "clean", "unknown:", "failed"};
        snprintf(called, sizeof called, "%s%s", names[v.judgement], unknown_reason_names[v.reason]);
        if (strcmp(got, rows[i].want) != 0 || strcmp(called, rows[i].called) != 0) {
            print_error("%s:\n  got  %s (%s)\n  want %s (%s)\n", rows[i].name, got, called,
                        rows[i].want, rows[i].called);
            failures++;
        }
    }
    assert_int_equal(failures, 0);
}

/* Every rule that one session can show has a row above. */
static void every_rule_has_a_row(void **state)
{
    (void)state;
    for (int rule = 0; rule < WEAK_N; rule++) {
        char word[64];
        bool found = false;
        snprintf(word, sizeof word, "%s/", weakness_names[rule]);
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
            found = found || strstr(rows[i].want, word) != NULL;
        if (!found && (tls_rules[rule].needs & NEED_FLEET) == 0)
            fail_msg("no row finds %s", weakness_names[rule]);
    }
}

static void severities_are_the_policys(void **state)
{
    (void)state;
    static struct rig r;
    struct tls_policy p = tls_policy_default();
    struct tls_verdict v;
    clean(&r);
    change(&r, "c=0xc011");
    p.severity[WEAK_RC4] = SEVERITY_LOW;
    tls_rules_judge(&p, &r.t, &v);
    assert_int_equal(v.n, 1);
    assert_int_equal(v.hits[0].severity, SEVERITY_LOW);
    assert_int_equal(v.judgement, JUDGED_CLEAN);
    p.weak_from = SEVERITY_LOW;
    tls_rules_judge(&p, &r.t, &v);
    assert_int_equal(v.judgement, JUDGED_WEAK);
    p.severity[WEAK_RC4] = SEVERITY_OFF;
    tls_rules_judge(&p, &r.t, &v);
    assert_int_equal(v.n, 0);
}

static void certificates_are_never_called_seen_in_vain(void **state)
{
    (void)state;
    static const struct {
        const char *changes;
        uint8_t want;
    } states[] = {
        {"", CERTS_SEEN},
        {T13, CERTS_NOT_VISIBLE},
        {"v=0x0304 c=0x1301", CERTS_NOT_VISIBLE},
        {"certs=0", CERTS_NOT_SEEN},
        {"certs=0 resumed=1", CERTS_RESUMED},
        {"resumed=1", CERTS_SEEN}, /* inherited */
        {"v=0 c=0 out=4 seen=0 rv=0x0303 certs=0", CERTS_NOT_SEEN},
    };
    static struct rig r;
    struct tls_policy p = tls_policy_default();
    struct tls_verdict v;
    for (size_t i = 0; i < sizeof states / sizeof *states; i++) {
        clean(&r);
        change(&r, states[i].changes);
        tls_rules_judge(&p, &r.t, &v);
        assert_int_equal(v.certs, states[i].want);
    }
}

/* What is remembered is what would be found: whatever came before, and of all that rules look at.
 */
static void verdicts_are_remembered(void **state)
{
    (void)state;
    enum { ROWS = sizeof rows / sizeof *rows };
    static struct rig r;
    static struct tls_verdict v;
    struct tls_policy p = tls_policy_default();
    struct tls_verdicts *known;
    struct keep k = {0};
    struct err e;
    assert_true(tls_verdicts_new(&known, &e));
    for (size_t i = 0; i < (size_t)ROWS * 20; i++) {
        clean(&r);
        change(&r, rows[(i * 7919) % ROWS].changes);
        r.t.handshake_seen ^= i / ROWS % 2 != 0;
        r.t.first_ns += i / ROWS % 5 * 61 * DAY * UINT64_C(1000000000);
        r.t.last_ns += i / ROWS % 5 * 61 * DAY * UINT64_C(1000000000);
        struct row_tls row = {0};
        if (r.t.offer != NULL)
            row.key.hello = hash_bytes(&r.offer, sizeof r.offer, 0);
        if (r.t.answer != NULL) /* certificates are an answer's */
            row.key.answer = hash_bytes(&r.answer, sizeof r.answer, 0) ^ r.t.n_certs
                             ^ hash_bytes(&r.leaf, sizeof r.leaf, 1)
                             ^ hash_bytes(&r.issuer, sizeof r.issuer, 2);
        else
            r.t.n_certs = 0;
        tls_rules_alike(&p, &r.t, &v);
        const struct tls_known *got = tls_verdicts_of(known, &p, &k, &row, &r.t);
        assert_int_equal(got->n, v.n);
        assert_int_equal(got->judgement, v.judgement);
        assert_int_equal(got->reason, v.reason);
        assert_int_equal(got->certs, v.certs);
        for (unsigned h = 0; h < v.n; h++) {
            assert_int_equal(got->hits[h].rule, v.hits[h].rule);
            assert_int_equal(got->hits[h].basis, v.hits[h].basis);
            assert_int_equal(got->hits[h].severity, v.hits[h].severity);
            assert_string_equal(got->hits[h].detail, v.hits[h].detail);
        }
    }
    tls_verdicts_free(known);
    keep_free(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table),
        cmocka_unit_test(every_rule_has_a_row),
        cmocka_unit_test(severities_are_the_policys),
        cmocka_unit_test(certificates_are_never_called_seen_in_vain),
        cmocka_unit_test(verdicts_are_remembered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
