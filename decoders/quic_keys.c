/* EVP_DigestInit_ex2 of OpenSSL 3.0 allocates each time; SHA256_* does not, but counts as old. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "decoders/quic_keys.h"

#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdlib.h>

enum { HASH = 32, BLOCK = 64 };

/* Salts: RFC 9001 5.2, RFC 9369 3.3.1, and those of the drafts that were deployed: 23 to 28, which
 * Facebook's mvfst took over, 29 to 32, and Google's TLS versions of its own QUIC. */
#define SALT_1                                                                                     \
    {                                                                                              \
        0x38, 0x76, 0x2c, 0xf7, 0xf5, 0x59, 0x34, 0xb3, 0x4d, 0x17, 0x9a, 0xe6, 0xa4, 0xc8, 0x0c,  \
            0xad, 0xcc, 0xbb, 0x7f, 0x0a                                                           \
    }
#define SALT_2                                                                                     \
    {                                                                                              \
        0x0d, 0xed, 0xe3, 0xde, 0xf7, 0x00, 0xa6, 0xdb, 0x81, 0x93, 0x81, 0xbe, 0x6e, 0x26, 0x9d,  \
            0xcb, 0xf9, 0xbd, 0x2e, 0xd9                                                           \
    }
#define SALT_DRAFT_29                                                                              \
    {                                                                                              \
        0xaf, 0xbf, 0xec, 0x28, 0x99, 0x93, 0xd2, 0x4c, 0x9e, 0x97, 0x86, 0xf1, 0x9c, 0x61, 0x11,  \
            0xe0, 0x43, 0x90, 0xa8, 0x99                                                           \
    }
#define SALT_DRAFT_23                                                                              \
    {                                                                                              \
        0xc3, 0xee, 0xf7, 0x12, 0xc7, 0x2e, 0xbb, 0x5a, 0x11, 0xa7, 0xd2, 0x43, 0x2b, 0xb4, 0x63,  \
            0x65, 0xbe, 0xf9, 0xf5, 0x02                                                           \
    }
#define SALT_T050                                                                                  \
    {                                                                                              \
        0x7f, 0xf5, 0x79, 0xe5, 0xac, 0xd0, 0x72, 0x91, 0x55, 0x80, 0x30, 0x4c, 0x43, 0xa2, 0x36,  \
            0x7c, 0x60, 0x48, 0x83, 0x10                                                           \
    }
#define SALT_T051                                                                                  \
    {                                                                                              \
        0x7a, 0x4e, 0xde, 0xf4, 0xe7, 0xcc, 0xee, 0x5f, 0xa4, 0x50, 0x6c, 0x19, 0x12, 0x4f, 0xc8,  \
            0xcc, 0xda, 0x6e, 0x03, 0x3d                                                           \
    }

static const struct quic_version versions[] = {
    {0x00000001, 0, false, false, SALT_1},        {0x6b3343cf, 1, true, false, SALT_2},
    {0xff000017, 0, false, false, SALT_DRAFT_23}, {0xff000018, 0, false, false, SALT_DRAFT_23},
    {0xff000019, 0, false, false, SALT_DRAFT_23}, {0xff00001a, 0, false, false, SALT_DRAFT_23},
    {0xff00001b, 0, false, false, SALT_DRAFT_23}, {0xff00001c, 0, false, false, SALT_DRAFT_23},
    {0xff00001d, 0, false, false, SALT_DRAFT_29}, {0xff00001e, 0, false, false, SALT_DRAFT_29},
    {0xff00001f, 0, false, false, SALT_DRAFT_29}, {0xff000020, 0, false, false, SALT_DRAFT_29},
    {0xff000021, 0, false, false, SALT_1},        {0xff000022, 0, false, false, SALT_1},
    {0xfaceb002, 0, false, false, SALT_DRAFT_23}, {0xfaceb00e, 0, false, false, SALT_DRAFT_23},
    {0x54303530, 0, false, true, SALT_T050},      {0x54303531, 0, false, true, SALT_T051},
};

const struct quic_version *quic_version_find(uint32_t number)
{
    if (number == versions[0].number)
        return &versions[0];
    uint32_t family = number >> 8;
    if (family != 0x6b3343 && family != 0xff0000 && family != 0xfaceb0 && family != 0x543035)
        return NULL;
    for (unsigned i = 1; i < sizeof versions / sizeof *versions; i++)
        if (versions[i].number == number)
            return &versions[i];
    return NULL;
}

/* ---- contexts */

struct quic_crypt {
    EVP_CIPHER *ecb_type, *gcm_type; /* fetched once: fetching takes locks and memory */
    EVP_CIPHER_CTX *ecb, *gcm;
};

/* A first use of everything: what libcrypto makes when first needed is there then. */
static bool warm_up(struct quic_crypt *c)
{
    static const uint8_t zero[64];
    struct quic_keys keys[2];
    uint8_t mask[5], plain[32];
    quic_initial_keys(&versions[0], zero, 8, keys);
    bool ok = quic_header_mask(c, &keys[0], zero, mask);
    bool opened =
        ok && quic_open(c, &keys[0], 0, 0, cur_of(zero, 8, 8), zero, 1, zero, sizeof plain, plain);
    return ok && !opened;
}

bool quic_crypt_new(struct quic_crypt **out, struct err *e)
{
    struct quic_crypt *c = calloc(1, sizeof *c);
    if (c == NULL) {
        err_set(e, "out of memory");
        return false;
    }
    c->ecb_type = EVP_CIPHER_fetch(NULL, "AES-128-ECB", NULL);
    c->gcm_type = EVP_CIPHER_fetch(NULL, "AES-128-GCM", NULL);
    c->ecb = EVP_CIPHER_CTX_new();
    c->gcm = EVP_CIPHER_CTX_new();
    bool ok = c->ecb_type != NULL && c->gcm_type != NULL && c->ecb != NULL && c->gcm != NULL
              && EVP_EncryptInit_ex2(c->ecb, c->ecb_type, NULL, NULL, NULL) == 1
              && EVP_CIPHER_CTX_set_padding(c->ecb, 0) == 1
              && EVP_DecryptInit_ex2(c->gcm, c->gcm_type, NULL, NULL, NULL) == 1 && warm_up(c);
    if (!ok) {
        err_set(e, "libcrypto gives no AES-128-ECB or AES-128-GCM");
        quic_crypt_free(c);
        return false;
    }
    *out = c;
    return true;
}

void quic_crypt_free(struct quic_crypt *c)
{
    if (c == NULL)
        return;
    EVP_CIPHER_CTX_free(c->gcm);
    EVP_CIPHER_CTX_free(c->ecb);
    EVP_CIPHER_free(c->gcm_type);
    EVP_CIPHER_free(c->ecb_type);
    free(c);
}

/* ---- HKDF: RFC 5869, RFC 8446 7.1. By hand, because EVP_KDF and EVP_MAC allocate. */

struct hmac {
    SHA256_CTX inner, outer; /* with the key taken in */
};

/* RFC 2104; a key is no longer than a block here. */
static void hmac_init(struct hmac *h, const uint8_t *key, size_t key_len)
{
    uint8_t inner[BLOCK], outer[BLOCK];
    memset(inner, 0x36, sizeof inner);
    memset(outer, 0x5c, sizeof outer);
    for (size_t i = 0; i < key_len; i++) {
        inner[i] ^= key[i];
        outer[i] ^= key[i];
    }
    SHA256_Init(&h->inner);
    SHA256_Update(&h->inner, inner, sizeof inner);
    SHA256_Init(&h->outer);
    SHA256_Update(&h->outer, outer, sizeof outer);
}

static void hmac(const struct hmac *h, const uint8_t *p, size_t n, uint8_t out[static HASH])
{
    SHA256_CTX c = h->inner;
    SHA256_Update(&c, p, n);
    SHA256_Final(out, &c);
    c = h->outer;
    SHA256_Update(&c, out, HASH);
    SHA256_Final(out, &c);
}

/* HKDF-Expand-Label with an empty context, of at most one hash. */
static void expand(const struct hmac *secret, const char *label, uint8_t *out, size_t len)
{
    static const char prefix[] = "tls13 ";
    uint8_t info[BLOCK], hash[HASH];
    size_t n = strlen(label), at = 0;
    info[at++] = 0;
    info[at++] = (uint8_t)len;
    info[at++] = (uint8_t)(sizeof prefix - 1 + n);
    memcpy(info + at, prefix, sizeof prefix - 1);
    at += sizeof prefix - 1;
    memcpy(info + at, label, n);
    at += n;
    info[at++] = 0; /* the context */
    info[at++] = 1; /* the block's number */
    hmac(secret, info, at, hash);
    memcpy(out, hash, len);
}

void quic_initial_keys(const struct quic_version *v, const uint8_t *dcid, size_t len,
                       struct quic_keys keys[2])
{
    static const char *const senders[] = {"client in", "server in"};
    static const char *const labels[][3] = {{"quic key", "quic iv", "quic hp"},
                                            {"quicv2 key", "quicv2 iv", "quicv2 hp"}};
    const char *const *label = labels[v->v2_labels];
    struct hmac salt, initial, sender;
    uint8_t secret[HASH];
    hmac_init(&salt, v->salt, sizeof v->salt);
    hmac(&salt, dcid, len, secret);
    hmac_init(&initial, secret, HASH);
    for (int i = 0; i < 2; i++) {
        expand(&initial, senders[i], secret, HASH);
        hmac_init(&sender, secret, HASH);
        expand(&sender, label[0], keys[i].key, sizeof keys[i].key);
        expand(&sender, label[1], keys[i].iv, sizeof keys[i].iv);
        expand(&sender, label[2], keys[i].hp, sizeof keys[i].hp);
    }
}

/* ---- packets */

bool quic_header_mask(struct quic_crypt *c, const struct quic_keys *k,
                      const uint8_t sample[static QUIC_SAMPLE], uint8_t mask[static 5])
{
    uint8_t block[16];
    int n;
    if (EVP_EncryptInit_ex2(c->ecb, NULL, k->hp, NULL, NULL) != 1
        || EVP_EncryptUpdate(c->ecb, block, &n, sample, QUIC_SAMPLE) != 1 || n != QUIC_SAMPLE)
        return false;
    memcpy(mask, block, 5);
    return true;
}

bool quic_open(struct quic_crypt *c, const struct quic_keys *k, uint64_t pn, uint8_t first,
               struct cur middle, const uint8_t *pn_bytes, size_t pn_len, const uint8_t *sealed,
               size_t n, uint8_t *plain)
{
    uint8_t nonce[12], tag[QUIC_TAG];
    int got;
    if (n < QUIC_TAG || n > 65535 || middle.left > 65535)
        return false;
    memcpy(nonce, k->iv, sizeof nonce);
    for (int i = 0; i < 8; i++)
        nonce[11 - i] ^= (uint8_t)(pn >> 8 * i);
    memcpy(tag, sealed + n - QUIC_TAG, QUIC_TAG);
    return EVP_DecryptInit_ex2(c->gcm, NULL, k->key, nonce, NULL) == 1
           && EVP_DecryptUpdate(c->gcm, NULL, &got, &first, 1) == 1
           && EVP_DecryptUpdate(c->gcm, NULL, &got, middle.p, (int)middle.left) == 1
           && EVP_DecryptUpdate(c->gcm, NULL, &got, pn_bytes, (int)pn_len) == 1
           && EVP_DecryptUpdate(c->gcm, plain, &got, sealed, (int)(n - QUIC_TAG)) == 1
           && EVP_CIPHER_CTX_ctrl(c->gcm, EVP_CTRL_AEAD_SET_TAG, QUIC_TAG, tag) == 1
           && EVP_DecryptFinal_ex(c->gcm, plain + got, &got) == 1;
}
