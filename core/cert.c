#include "core/cert.h"

#include "core/hash.h"

#include <assert.h>

const char *const cert_flag_names[CERT_FLAGS_N] = {
    "self_issued", "self_signed", "ca", "small_exponent", "cut", "unreadable", "roca"};
const char *const cert_key_names[CERT_KEY_N] = {"other", "rsa", "dsa", "ec", "ed25519", "ed448"};
const char *const cert_hash_names[CERT_HASH_N] = {"none",   "md2",    "md4",    "md5",   "sha1",
                                                  "sha224", "sha256", "sha384", "sha512"};

static uint8_t *put(uint8_t *to, uint64_t v, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        to[i] = (uint8_t)(v >> 8 * (bytes - 1 - i));
    return to + bytes;
}

static uint8_t *put_bytes(uint8_t *to, unsigned len_bytes, const void *p, size_t n)
{
    to = put(to, n, len_bytes);
    memcpy(to, p, n);
    return to + n;
}

static_assert(2 * 32 + 2 + 16 + 4 + 2 * (1 + CERT_WORD_MAX) + 2 * (2 + CERT_NAME_MAX) + 1
                      + CERT_SANS_MAX * (1 + CERT_SAN_MAX)
                  <= CERT_BLOB_MAX,
              "full lists fit a blob");

size_t cert_write(const struct cert *c, uint8_t blob[static CERT_BLOB_MAX])
{
    uint8_t *to = blob;
    assert(c->subject_len <= CERT_NAME_MAX && c->issuer_len <= CERT_NAME_MAX
           && c->n_sans <= CERT_SANS_MAX);
    memcpy(to, c->sha256, 32);
    memcpy(to + 32, c->spki_sha256, 32);
    to = put(to + 64, c->flags, 2);
    to = put(to, (uint64_t)c->not_before_s, 8);
    to = put(to, (uint64_t)c->not_after_s, 8);
    to = put(to, c->key, 1);
    to = put(to, c->key_bits, 2);
    to = put(to, c->signature_hash, 1);
    to = put_bytes(to, 1, c->curve, strnlen(c->curve, CERT_WORD_MAX));
    to = put_bytes(to, 1, c->signature, strnlen(c->signature, CERT_WORD_MAX));
    to = put_bytes(to, 2, c->subject, c->subject_len);
    to = put_bytes(to, 2, c->issuer, c->issuer_len);
    to = put(to, c->n_sans, 1);
    for (unsigned i = 0; i < c->n_sans; i++)
        to = put_bytes(to, 1, c->sans[i], c->san_len[i]);
    return (size_t)(to - blob);
}

static bool read_word(struct cur *c, char word[static CERT_WORD_MAX + 1])
{
    struct cur text;
    if (!cur_block8(c, &text) || text.left > CERT_WORD_MAX
        || memchr(text.p, '\0', text.left) != NULL)
        return false;
    memcpy(word, text.p, text.left);
    word[text.left] = '\0';
    return true;
}

static bool read_name(struct cur *c, char name[static CERT_NAME_MAX], uint16_t *len)
{
    struct cur text;
    if (!cur_block16(c, &text) || text.left > CERT_NAME_MAX)
        return false;
    memcpy(name, text.p, text.left);
    *len = (uint16_t)text.left;
    return true;
}

static bool read_time(struct cur *c, int64_t *s)
{
    uint64_t v;
    if (!cur_u64(c, &v))
        return false;
    *s = (int64_t)v;
    return *s >= INT64_C(-62167219200) && *s <= INT64_C(253402300799);
}

bool cert_read(const uint8_t *p, size_t n, struct cert *out)
{
    static const uint8_t nothing[1];
    struct cur c = cur_of(n > 0 ? p : nothing, n, n), san;
    memset(out, 0, sizeof *out);
    bool whole = cur_copy(&c, out->sha256, 32) && cur_copy(&c, out->spki_sha256, 32)
                 && cur_u16(&c, &out->flags) && read_time(&c, &out->not_before_s)
                 && read_time(&c, &out->not_after_s) && cur_u8(&c, &out->key)
                 && cur_u16(&c, &out->key_bits) && cur_u8(&c, &out->signature_hash)
                 && read_word(&c, out->curve) && read_word(&c, out->signature)
                 && read_name(&c, out->subject, &out->subject_len)
                 && read_name(&c, out->issuer, &out->issuer_len) && cur_u8(&c, &out->n_sans);
    if (!whole || out->flags >> CERT_FLAGS_N != 0 || out->key >= CERT_KEY_N
        || out->signature_hash >= CERT_HASH_N || out->n_sans > CERT_SANS_MAX)
        return false;
    for (unsigned i = 0; i < out->n_sans; i++) {
        if (!cur_block8(&c, &san))
            return false;
        memcpy(out->sans[i], san.p, san.left);
        out->san_len[i] = (uint8_t)san.left;
    }
    return c.left == 0;
}

uint64_t cert_id(const uint8_t *der, size_t n)
{
    return hash_bytes(der, n, 0);
}
