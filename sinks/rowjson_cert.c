#include "sinks/rowjson_cert.h"

#include "sinks/rowjson_put.h"

static bool any(const uint8_t digest[32])
{
    uint8_t all = 0;
    for (int i = 0; i < 32; i++)
        all |= digest[i];
    return all != 0;
}

static char *put_digest(char *p, const char *name, const uint8_t digest[32])
{
    if (!any(digest))
        return p;
    p = put_text(put_text(put_text(p, ",\""), name), "\":\"");
    for (int i = 0; i < 32; i++)
        p = digits_byte(p, digest[i]);
    return put_char(p, '"');
}

static char *put_string(char *p, const char *name, const char *text, size_t len)
{
    if (len == 0)
        return p;
    p = put_text(put_text(put_text(p, ",\""), name), "\":");
    return rowjson_put_string(p, text, len);
}

static char *put_time(char *p, const char *before, int64_t s)
{
    p = put_text(p, before);
    if (s < 0)
        p = put_char(p, '-');
    return digits_u64(p, s < 0 ? -(uint64_t)s : (uint64_t)s);
}

char *rowjson_cert(char *p, const struct cert *c)
{
    static_assert(CERT_SANS_MAX * (ROWJSON_STRING_BYTES(CERT_SAN_MAX) + 1)
                          + 2 * ROWJSON_STRING_BYTES(CERT_NAME_MAX)
                          + 2 * ROWJSON_STRING_BYTES(CERT_WORD_MAX) + 1024
                      <= ROWJSON_CERT_MAX,
                  "the longest fits");
    p = put_char(put_text(put_text(p, "{\"key\":\""), cert_key_names[c->key]), '"');
    if (c->key_bits != 0)
        p = digits_u64(put_text(p, ",\"key_bits\":"), c->key_bits);
    p = put_string(p, "curve", c->curve, strlen(c->curve));
    p = put_string(p, "signature", c->signature, strlen(c->signature));
    if (c->signature_hash != CERT_HASH_NONE) {
        const char *hash = cert_hash_names[c->signature_hash];
        p = put_string(p, "signature_hash", hash, strlen(hash));
    }
    p = put_time(p, ",\"not_before_s\":", c->not_before_s);
    p = put_time(p, ",\"not_after_s\":", c->not_after_s);
    p = put_string(p, "subject", c->subject, c->subject_len);
    p = put_string(p, "issuer", c->issuer, c->issuer_len);
    if (c->n_sans > 0) {
        p = put_text(p, ",\"dns_names\":[");
        for (unsigned i = 0; i < c->n_sans; i++)
            p = put_char(rowjson_put_string(p, c->sans[i], c->san_len[i]), ',');
        p = put_close(p, ']');
    }
    for (unsigned i = 0; i < CERT_FLAGS_N; i++)
        if (c->flags >> i & 1)
            p = put_text(put_text(put_text(p, ",\""), cert_flag_names[i]), "\":1");
    p = put_digest(p, "sha256", c->sha256);
    p = put_digest(p, "spki_sha256", c->spki_sha256);
    return put_char(p, '}');
}

/* ---- reading */

static bool read_digest(const json_t *v, uint8_t digest[32], struct err *e)
{
    const char *text = json_string_value(v);
    char byte[3] = "";
    uint64_t n;
    if (text == NULL || strlen(text) != 64)
        return value_wrong(e, "not 64 hex digits");
    for (int i = 0; i < 32; i++) {
        memcpy(byte, text + 2 * i, 2);
        if (!value_hex(byte, 2, &n))
            return value_wrong(e, "not 64 hex digits");
        digest[i] = (uint8_t)n;
    }
    return true;
}

static bool read_text(const json_t *v, void *to, size_t max, size_t *n, struct err *e)
{
    if (!json_is_string(v))
        return value_wrong(e, "no text");
    return value_bytes(json_string_value(v), json_string_length(v), to, max, n, e);
}

static bool read_word(const json_t *v, char word[static CERT_WORD_MAX + 1], struct err *e)
{
    size_t n;
    if (!read_text(v, word, CERT_WORD_MAX, &n, e))
        return false;
    word[n] = '\0';
    return strlen(word) == n || value_wrong(e, "a NUL");
}

static bool read_name(const json_t *v, char *name, uint16_t *len, struct err *e)
{
    size_t n;
    if (!read_text(v, name, CERT_NAME_MAX, &n, e))
        return false;
    *len = (uint16_t)n;
    return true;
}

static bool read_time(const json_t *v, int64_t *s, struct err *e)
{
    *s = json_integer_value(v);
    return (json_is_integer(v) && *s >= INT64_C(-62167219200) && *s <= INT64_C(253402300799))
           || value_wrong(e, "no time of the years 0 to 9999");
}

static bool read_sans(const json_t *v, struct cert *c, struct err *e)
{
    if (!json_is_array(v) || json_array_size(v) > CERT_SANS_MAX)
        return value_wrong(e, "no list, or one too long");
    for (size_t i = 0; i < json_array_size(v); i++) {
        size_t n;
        if (!read_text(json_array_get(v, i), c->sans[i], CERT_SAN_MAX, &n, e))
            return false;
        c->san_len[c->n_sans++] = (uint8_t)n;
    }
    return true;
}

static bool read_flag(const char *key, const json_t *v, struct cert *c, struct err *e)
{
    uint64_t n;
    unsigned i = 0;
    while (i < CERT_FLAGS_N && strcmp(cert_flag_names[i], key) != 0)
        i++;
    if (i == CERT_FLAGS_N)
        return value_wrong(e, "not known");
    if (!value_number(v, 1, &n, e))
        return false;
    c->flags |= (uint16_t)(n << i);
    return true;
}

static bool read_member(const char *key, const json_t *v, struct cert *c, struct err *e)
{
    uint64_t n = 0;
    if (strcmp(key, "key") == 0) {
        bool ok = value_name(v, cert_key_names, CERT_KEY_N, &n, e);
        c->key = (uint8_t)n;
        return ok;
    }
    if (strcmp(key, "key_bits") == 0) {
        bool ok = value_number(v, UINT16_MAX, &n, e);
        c->key_bits = (uint16_t)n;
        return ok;
    }
    if (strcmp(key, "signature_hash") == 0) {
        bool ok = value_name(v, cert_hash_names, CERT_HASH_N, &n, e);
        c->signature_hash = (uint8_t)n;
        return ok;
    }
    if (strcmp(key, "curve") == 0)
        return read_word(v, c->curve, e);
    if (strcmp(key, "signature") == 0)
        return read_word(v, c->signature, e);
    if (strcmp(key, "not_before_s") == 0)
        return read_time(v, &c->not_before_s, e);
    if (strcmp(key, "not_after_s") == 0)
        return read_time(v, &c->not_after_s, e);
    if (strcmp(key, "subject") == 0)
        return read_name(v, c->subject, &c->subject_len, e);
    if (strcmp(key, "issuer") == 0)
        return read_name(v, c->issuer, &c->issuer_len, e);
    if (strcmp(key, "dns_names") == 0)
        return read_sans(v, c, e);
    if (strcmp(key, "sha256") == 0)
        return read_digest(v, c->sha256, e);
    if (strcmp(key, "spki_sha256") == 0)
        return read_digest(v, c->spki_sha256, e);
    return read_flag(key, v, c, e);
}

bool rowjson_cert_read(struct window *w, const json_t *v, uint32_t *id, struct err *e)
{
    struct cert c;
    uint8_t blob[CERT_BLOB_MAX];
    memset(&c, 0, sizeof c);
    for (void *i = json_object_iter((json_t *)v); i != NULL;
         i = json_object_iter_next((json_t *)v, i)) {
        const char *key = json_object_iter_key(i);
        if (!read_member(key, json_object_iter_value(i), &c, e))
            return err_in(e, "\"%s\"", key);
    }
    size_t n = cert_write(&c, blob);
    *id = window_intern(w, blob, (uint32_t)n);
    return true;
}
