/* What a QUIC endpoint does to its Initial packets, for tests of what opens them. */
#pragma once
#include "decoders/quic_wire.h"

#include <openssl/evp.h>

enum { SEALED_HEAD_MAX = 1024 /* what a packet is longer than its frames, at most */ };

/* One packet to build. */
struct packet_spec {
    uint32_t version;
    uint8_t type;                          /* enum quic_type */
    int from;                              /* 0: the client */
    const uint8_t *key_dcid, *dcid, *scid; /* 8 bytes; scid NULL: none */
    size_t dcid_len, key_len;              /* 0: 8; dcid_len SIZE_MAX: 0 */
    const char *token;                     /* of up to 900 characters; NULL: none */
    uint64_t pn;
    uint8_t pn_len; /* 0: 1 */
    bool greased;   /* the fixed bit is off */
};

static inline void frames_seal(const struct quic_keys *k, uint64_t pn, const uint8_t *aad,
                               size_t aad_len, const uint8_t *plain, size_t n, uint8_t *sealed)
{
    uint8_t nonce[12];
    int got;
    memcpy(nonce, k->iv, sizeof nonce);
    for (int i = 0; i < 8; i++)
        nonce[11 - i] ^= (uint8_t)(pn >> 8 * i);
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    bool ok = EVP_EncryptInit_ex(c, EVP_aes_128_gcm(), NULL, k->key, nonce) == 1
              && EVP_EncryptUpdate(c, NULL, &got, aad, (int)aad_len) == 1
              && EVP_EncryptUpdate(c, sealed, &got, plain, (int)n) == 1
              && EVP_EncryptFinal_ex(c, sealed + n, &got) == 1
              && EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, QUIC_TAG, sealed + n) == 1;
    assert(ok);
    (void)ok;
    EVP_CIPHER_CTX_free(c);
}

/* `bytes` of `v`, big-endian; where it ends. */
static inline uint8_t *int_write(uint8_t *p, uint64_t v, int bytes)
{
    for (int i = bytes - 1; i >= 0; i--)
        *p++ = (uint8_t)(v >> 8 * i);
    return p;
}

static inline uint8_t *bytes_write(uint8_t *p, const void *from, size_t n)
{
    if (n > 0)
        memcpy(p, from, n);
    return p + n;
}

/* Writes a packet with `n` bytes of frames, at least 4 with the packet number, at `out`; its
 * length. */
static inline size_t packet_seal(struct quic_crypt *crypt, const struct packet_spec *s,
                                 const uint8_t *frames, size_t n, uint8_t *out)
{
    struct quic_keys keys[2];
    uint8_t mask[5], *p = out;
    const struct quic_version *v = quic_version_find(s->version);
    uint8_t pn_len = s->pn_len == 0 ? 1 : s->pn_len;
    size_t dcid_len = s->dcid_len == 0 ? 8 : s->dcid_len == SIZE_MAX ? 0 : s->dcid_len;
    size_t token_len = s->token == NULL ? 0 : strlen(s->token);
    unsigned type = (s->type + v->types_from) & 3u;
    quic_initial_keys(v, s->key_dcid, s->key_len == 0 ? 8 : s->key_len, keys);
    p = int_write(p, (s->greased ? 0x80u : 0xc0u) | type << 4 | (pn_len - 1u), 1);
    p = int_write(p, s->version, 4);
    p = int_write(p, dcid_len, 1);
    p = bytes_write(p, s->dcid, dcid_len);
    p = int_write(p, s->scid == NULL ? 0 : 8, 1);
    p = bytes_write(p, s->scid, s->scid == NULL ? 0 : 8);
    if (s->type == QUIC_INITIAL) {
        p = token_len == 0 ? int_write(p, 0, 1) : int_write(p, 0x4000 | token_len, 2);
        p = bytes_write(p, s->token, token_len);
    }
    p = int_write(p, 0x4000 | (pn_len + n + QUIC_TAG), 2);
    uint8_t *pn = p;
    p = int_write(p, s->pn, pn_len);
    frames_seal(&keys[s->from != 0], s->pn, out, (size_t)(p - out), frames, n, p);
    bool ok = quic_header_mask(crypt, &keys[s->from != 0], pn + 4, mask);
    assert(ok);
    (void)ok;
    out[0] ^= mask[0] & 0x0f;
    for (int i = 0; i < pn_len; i++)
        pn[i] ^= mask[1 + i];
    return (size_t)(p - out) + n + QUIC_TAG;
}
