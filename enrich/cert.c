#include "enrich/cert.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <time.h>

/* Names are ours, not the library's: what it knows differs from release to release. */
static const struct {
    const char *oid, *name;
    uint8_t hash; /* enum cert_hash */
} signatures[] = {
    {"1.2.840.113549.1.1.2", "md2WithRSAEncryption", CERT_HASH_MD2},
    {"1.2.840.113549.1.1.3", "md4WithRSAEncryption", CERT_HASH_MD4},
    {"1.2.840.113549.1.1.4", "md5WithRSAEncryption", CERT_HASH_MD5},
    {"1.2.840.113549.1.1.5", "sha1WithRSAEncryption", CERT_HASH_SHA1},
    {"1.3.14.3.2.29", "sha1WithRSA", CERT_HASH_SHA1},
    {"1.2.840.113549.1.1.14", "sha224WithRSAEncryption", CERT_HASH_SHA224},
    {"1.2.840.113549.1.1.11", "sha256WithRSAEncryption", CERT_HASH_SHA256},
    {"1.2.840.113549.1.1.12", "sha384WithRSAEncryption", CERT_HASH_SHA384},
    {"1.2.840.113549.1.1.13", "sha512WithRSAEncryption", CERT_HASH_SHA512},
    {"1.2.840.113549.1.1.10", "rsassaPss", CERT_HASH_NONE}, /* its parameters tell */
    {"1.2.840.10040.4.3", "dsaWithSHA1", CERT_HASH_SHA1},
    {"2.16.840.1.101.3.4.3.1", "dsa_with_SHA224", CERT_HASH_SHA224},
    {"2.16.840.1.101.3.4.3.2", "dsa_with_SHA256", CERT_HASH_SHA256},
    {"1.2.840.10045.4.1", "ecdsa-with-SHA1", CERT_HASH_SHA1},
    {"1.2.840.10045.4.3.1", "ecdsa-with-SHA224", CERT_HASH_SHA224},
    {"1.2.840.10045.4.3.2", "ecdsa-with-SHA256", CERT_HASH_SHA256},
    {"1.2.840.10045.4.3.3", "ecdsa-with-SHA384", CERT_HASH_SHA384},
    {"1.2.840.10045.4.3.4", "ecdsa-with-SHA512", CERT_HASH_SHA512},
    {"1.3.101.112", "ED25519", CERT_HASH_NONE},
    {"1.3.101.113", "ED448", CERT_HASH_NONE},
};

static const struct {
    const char *oid, *name;
    uint16_t bits;
} curves[] = {
    {"1.2.840.10045.3.1.7", "prime256v1", 256},
    {"1.3.132.0.34", "secp384r1", 384},
    {"1.3.132.0.35", "secp521r1", 521},
    {"1.2.840.10045.3.1.1", "prime192v1", 192},
    {"1.3.132.0.33", "secp224r1", 224},
    {"1.3.132.0.10", "secp256k1", 256},
    {"1.3.36.3.3.2.8.1.1.7", "brainpoolP256r1", 256},
    {"1.3.36.3.3.2.8.1.1.11", "brainpoolP384r1", 384},
    {"1.3.36.3.3.2.8.1.1.13", "brainpoolP512r1", 512},
};

static void oid_text(const ASN1_OBJECT *o, char text[static CERT_WORD_MAX + 1])
{
    if (OBJ_obj2txt(text, CERT_WORD_MAX + 1, o, 1) <= 0)
        text[0] = '\0';
}

static uint8_t hash_of_nid(int nid)
{
    switch (nid) {
    case NID_md5:
        return CERT_HASH_MD5;
    case NID_sha1:
        return CERT_HASH_SHA1;
    case NID_sha224:
        return CERT_HASH_SHA224;
    case NID_sha256:
        return CERT_HASH_SHA256;
    case NID_sha384:
        return CERT_HASH_SHA384;
    case NID_sha512:
        return CERT_HASH_SHA512;
    default:
        return CERT_HASH_NONE;
    }
}

static void read_signature(X509 *x, struct cert *c)
{
    const X509_ALGOR *algorithm = X509_get0_tbs_sigalg(x);
    const ASN1_OBJECT *o;
    int hash = NID_undef;
    X509_ALGOR_get0(&o, NULL, NULL, algorithm);
    oid_text(o, c->signature);
    for (unsigned i = 0; i < sizeof signatures / sizeof *signatures; i++)
        if (strcmp(signatures[i].oid, c->signature) == 0) {
            strcpy(c->signature, signatures[i].name);
            c->signature_hash = signatures[i].hash;
            break;
        }
    if (strcmp(c->signature, "rsassaPss") == 0
        && X509_get_signature_info(x, &hash, NULL, NULL, NULL))
        c->signature_hash = hash_of_nid(hash);
}

/* Bits of the number at `p`, big-endian. */
static unsigned bits_of(const uint8_t *p, size_t n)
{
    while (n > 0 && *p == 0) {
        p++;
        n--;
    }
    return n == 0 ? 0 : (unsigned)(8 * n) + 24 - (unsigned)__builtin_clz(*p);
}

static uint16_t bits16(unsigned bits)
{
    return bits < UINT16_MAX ? (uint16_t)bits : UINT16_MAX;
}

/* Is the modulus at `p` of the kind that Infineon's RSALib made (CVE-2017-15361, "ROCA")? Its
 * primes are k * M + 65537^a mod M for M the product of the first primes, so that the modulus is a
 * power of 65537 modulo each of these. By chance that is so of one in 2^28 others. */
static bool is_roca(const uint8_t *p, size_t n)
{
    /* of those in every M: where not every residue is such a power */
    static const uint8_t primes[] = {11, 13, 17,  19,  37,  53,  61,  71, 73,
                                     79, 97, 103, 107, 109, 127, 151, 157};
    for (unsigned i = 0; i < sizeof primes; i++) {
        unsigned prime = primes[i], rest = 0, power = 1;
        for (size_t k = 0; k < n; k++)
            rest = (rest << 8 | p[k]) % prime;
        do
            power = power * 65537 % prime;
        while (power != rest && power != 1);
        if (power != rest)
            return false;
    }
    return n > 0;
}

/* RFC 8017 A.1.1. Taken apart here, for the library refuses keys that are too large or too odd. */
static bool read_rsa(const uint8_t *p, int n, struct cert *c)
{
    const uint8_t *at = p;
    long len;
    int tag, class;
    if (ASN1_get_object(&at, &len, &tag, &class, n) & 0x80 || tag != V_ASN1_SEQUENCE)
        return false;
    const uint8_t *end = at + len;
    for (int i = 0; i < 2; i++) {
        if (ASN1_get_object(&at, &len, &tag, &class, end - at) & 0x80 || tag != V_ASN1_INTEGER)
            return false;
        unsigned bits = bits_of(at, (size_t)len);
        if (i == 0) {
            c->key_bits = bits16(bits);
            c->flags |= is_roca(at, (size_t)len) ? CERT_ROCA : 0;
        } else if (bits < 17)
            c->flags |= CERT_SMALL_EXPONENT;
        at += len;
    }
    return true;
}

static bool read_ec(const X509_ALGOR *algorithm, int point_len, struct cert *c)
{
    const ASN1_OBJECT *o;
    const void *parameters;
    int type;
    X509_ALGOR_get0(&o, &type, &parameters, algorithm);
    if (type != V_ASN1_OBJECT) {
        strcpy(c->curve, "explicit");
        c->key_bits = bits16((unsigned)(point_len > 1 ? 4 * (point_len - 1) : 0));
        return true;
    }
    oid_text(parameters, c->curve);
    for (unsigned i = 0; i < sizeof curves / sizeof *curves; i++)
        if (strcmp(curves[i].oid, c->curve) == 0) {
            strcpy(c->curve, curves[i].name);
            c->key_bits = curves[i].bits;
            return true;
        }
    c->key_bits = bits16((unsigned)(point_len > 1 ? 4 * (point_len - 1) : 0));
    return true;
}

static bool read_dsa(const X509_ALGOR *algorithm, struct cert *c)
{
    const ASN1_OBJECT *o;
    const void *parameters;
    int type, tag, class;
    long len;
    X509_ALGOR_get0(&o, &type, &parameters, algorithm);
    if (type != V_ASN1_SEQUENCE)
        return type == V_ASN1_UNDEF; /* its issuer's */
    const ASN1_STRING *s = parameters;
    const uint8_t *at = ASN1_STRING_get0_data(s);
    if (ASN1_get_object(&at, &len, &tag, &class, ASN1_STRING_length(s)) & 0x80)
        return false;
    const uint8_t *end = at + len;
    if (ASN1_get_object(&at, &len, &tag, &class, end - at) & 0x80 || tag != V_ASN1_INTEGER)
        return false;
    c->key_bits = bits16(bits_of(at, (size_t)len));
    return true;
}

static bool read_key(X509 *x, struct cert *c)
{
    X509_PUBKEY *key = X509_get_X509_PUBKEY(x);
    uint8_t *spki = NULL;
    ASN1_OBJECT *o;
    X509_ALGOR *algorithm;
    const uint8_t *p;
    char oid[CERT_WORD_MAX + 1];
    int n, spki_len = i2d_X509_PUBKEY(key, &spki);
    if (spki_len > 0)
        SHA256(spki, (size_t)spki_len, c->spki_sha256);
    OPENSSL_free(spki);
    if (spki_len <= 0 || !X509_PUBKEY_get0_param(&o, &p, &n, &algorithm, key))
        return false;
    oid_text(o, oid);
    if (strcmp(oid, "1.2.840.113549.1.1.1") == 0 || strcmp(oid, "1.2.840.113549.1.1.10") == 0) {
        c->key = CERT_KEY_RSA;
        return read_rsa(p, n, c);
    }
    if (strcmp(oid, "1.2.840.10045.2.1") == 0) {
        c->key = CERT_KEY_EC;
        return read_ec(algorithm, n, c);
    }
    if (strcmp(oid, "1.2.840.10040.4.1") == 0) {
        c->key = CERT_KEY_DSA;
        return read_dsa(algorithm, c);
    }
    bool ed25519 = strcmp(oid, "1.3.101.112") == 0, ed448 = strcmp(oid, "1.3.101.113") == 0;
    c->key = ed25519 ? CERT_KEY_ED25519 : ed448 ? CERT_KEY_ED448 : CERT_KEY_OTHER;
    c->key_bits = ed25519 ? 256 : ed448 ? 456 : 0;
    return true;
}

static bool read_name(const X509_NAME *name, char to[static CERT_NAME_MAX], uint16_t *len,
                      struct cert *c)
{
    BIO *out = BIO_new(BIO_s_mem());
    char *text;
    bool ok = out != NULL
              && X509_NAME_print_ex(out, name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) >= 0;
    long n = ok ? BIO_get_mem_data(out, &text) : 0;
    if (n > CERT_NAME_MAX) {
        n = CERT_NAME_MAX;
        c->flags |= CERT_CUT;
    }
    if (n > 0)
        memcpy(to, text, (size_t)n);
    *len = (uint16_t)(n > 0 ? n : 0);
    BIO_free(out);
    return ok;
}

static bool read_time(const ASN1_TIME *t, int64_t *s)
{
    struct tm tm;
    if (t == NULL || !ASN1_TIME_to_tm(t, &tm))
        return false;
    /* days from 1970-01-01 of the proleptic Gregorian calendar, without time_t */
    int64_t year = (int64_t)tm.tm_year + 1900 - (tm.tm_mon < 2), month = (tm.tm_mon + 10) % 12;
    int64_t era = (year >= 0 ? year : year - 399) / 400, of_era = year - era * 400;
    int64_t day = (153 * month + 2) / 5 + tm.tm_mday - 1;
    int64_t days = era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + day - 719468;
    *s = days * 86400 + tm.tm_hour * 3600 + tm.tm_min * 60 + tm.tm_sec;
    bool fits = *s >= INT64_C(-62167219200) && *s <= INT64_C(253402300799);
    *s = fits ? *s : 0;
    return fits;
}

static bool read_sans(X509 *x, struct cert *c)
{
    int critical;
    GENERAL_NAMES *names = X509_get_ext_d2i(x, NID_subject_alt_name, &critical, NULL);
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (name->type != GEN_DNS)
            continue;
        int n = ASN1_STRING_length(name->d.dNSName);
        if (c->n_sans == CERT_SANS_MAX || n > CERT_SAN_MAX) {
            c->flags |= CERT_CUT;
            continue;
        }
        memcpy(c->sans[c->n_sans], ASN1_STRING_get0_data(name->d.dNSName), (size_t)n);
        c->san_len[c->n_sans++] = (uint8_t)n;
    }
    bool bad = names == NULL && critical != -1; /* there, and unreadable */
    GENERAL_NAMES_free(names);
    return !bad;
}

static bool read_ca(X509 *x, struct cert *c)
{
    int critical;
    BASIC_CONSTRAINTS *b = X509_get_ext_d2i(x, NID_basic_constraints, &critical, NULL);
    if (b != NULL && b->ca)
        c->flags |= CERT_CA;
    bool bad = b == NULL && critical != -1;
    BASIC_CONSTRAINTS_free(b);
    return !bad;
}

/* With what every release of the library can, or what is found would depend on it; and in bounded
 * time. */
static bool can_verify(const struct cert *c)
{
    bool known = false;
    for (unsigned i = 0; i < sizeof signatures / sizeof *signatures; i++)
        known |= strcmp(signatures[i].name, c->signature) == 0;
    return known && c->signature_hash != CERT_HASH_MD2 && c->signature_hash != CERT_HASH_MD4
           && c->key != CERT_KEY_OTHER && c->key_bits <= 16384;
}

static void read_self(X509 *x, struct cert *c)
{
    if (X509_NAME_cmp(X509_get_subject_name(x), X509_get_issuer_name(x)) != 0)
        return;
    c->flags |= CERT_SELF_ISSUED;
    if (!can_verify(c))
        return;
    EVP_PKEY *key = X509_get0_pubkey(x);
    if (key != NULL && X509_verify(x, key) == 1)
        c->flags |= CERT_SELF_SIGNED;
}

static void hex_text(char *to, const uint8_t *p, size_t n, bool upper)
{
    for (size_t i = 0; i < n; i++, to += 3)
        snprintf(to, 4, i + 1 < n ? (upper ? "%02X:" : "%02x:") : (upper ? "%02X" : "%02x"), p[i]);
}

static void read_serial(X509 *x, char text[static sizeof((struct cert_label *)0)->serial])
{
    const ASN1_INTEGER *serial = X509_get0_serialNumber(x);
    int n = ASN1_STRING_length(serial);
    bool negative = ASN1_STRING_type(serial) == V_ASN1_NEG_INTEGER;
    if (n <= 0 || n > 63)
        return;
    if (negative)
        *text++ = '-';
    hex_text(text, ASN1_STRING_get0_data(serial), (size_t)n, true);
}

/* `label` may be NULL. */
static bool parse(const uint8_t *der, size_t len, struct cert *c, struct cert_label *label)
{
    const uint8_t *p = der;
    OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL); /* no policy of this machine */
    memset(c, 0, sizeof *c);
    SHA256(der, len, c->sha256);
    X509 *x = len <= INT_MAX ? d2i_X509(NULL, &p, (long)len) : NULL;
    if (x == NULL) {
        ERR_clear_error();
        c->flags = CERT_UNREADABLE;
        return false;
    }
    bool ok = p == der + len;
    read_signature(x, c);
    ok &= read_key(x, c);
    ok &= read_name(X509_get_subject_name(x), c->subject, &c->subject_len, c);
    ok &= read_name(X509_get_issuer_name(x), c->issuer, &c->issuer_len, c);
    ok &= read_time(X509_get0_notBefore(x), &c->not_before_s);
    ok &= read_time(X509_get0_notAfter(x), &c->not_after_s);
    ok &= read_sans(x, c);
    ok &= read_ca(x, c);
    read_self(x, c);
    if (label != NULL)
        read_serial(x, label->serial);
    X509_free(x);
    ERR_clear_error();
    c->flags |= ok ? 0 : CERT_UNREADABLE;
    return ok;
}

bool cert_parse(const uint8_t *der, size_t len, struct cert *c)
{
    return parse(der, len, c, NULL);
}

bool cert_describe(const uint8_t *der, size_t len, struct cert *c, struct cert_label *label)
{
    uint8_t sha1[SHA_DIGEST_LENGTH];
    memset(label, 0, sizeof *label);
    SHA1(der, len, sha1);
    hex_text(label->fingerprint, sha1, sizeof sha1, false);
    return parse(der, len, c, label);
}

size_t cert_facts(const uint8_t *der, size_t len, uint8_t blob[static CERT_BLOB_MAX])
{
    struct cert c;
    (void)cert_parse(der, len, &c);
    return cert_write(&c, blob);
}
