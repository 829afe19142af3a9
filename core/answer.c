#include "core/answer.h"

#include "core/hash.h"

#include <assert.h>

const char *const answer_flag_names[ANSWER_FLAGS_N] = {
    "renegotiation_info",
    "extended_master_secret",
    "encrypt_then_mac",
    "heartbeat",
    "session_ticket",
    "status_request",
    "sentinel_12",
    "sentinel_11",
    "pre_shared_key",
    "explicit_curve",
    "ske_rsa",
    "certificate_request",
    "cut",
    "hello_retry",
};

const char *const dh_prime_names[DH_PRIME_N] = {
    [DH_PRIME_NONE] = "none",
    [DH_PRIME_UNKNOWN] = "unknown",
    [DH_PRIME_RFC2409_768] = "rfc2409_768",
    [DH_PRIME_RFC2409_1024] = "rfc2409_1024",
    [DH_PRIME_RFC3526_1536] = "rfc3526_1536",
    [DH_PRIME_RFC3526_2048] = "rfc3526_2048",
    [DH_PRIME_RFC3526_3072] = "rfc3526_3072",
    [DH_PRIME_RFC3526_4096] = "rfc3526_4096",
    [DH_PRIME_RFC3526_6144] = "rfc3526_6144",
    [DH_PRIME_RFC3526_8192] = "rfc3526_8192",
    [DH_PRIME_RFC5114_1024_160] = "rfc5114_1024_160",
    [DH_PRIME_RFC5114_2048_224] = "rfc5114_2048_224",
    [DH_PRIME_RFC5114_2048_256] = "rfc5114_2048_256",
    [DH_PRIME_RFC7919_2048] = "rfc7919_2048",
    [DH_PRIME_RFC7919_3072] = "rfc7919_3072",
    [DH_PRIME_RFC7919_4096] = "rfc7919_4096",
    [DH_PRIME_RFC7919_6144] = "rfc7919_6144",
    [DH_PRIME_RFC7919_8192] = "rfc7919_8192",
    [DH_PRIME_APACHE_512] = "apache_512",
    [DH_PRIME_APACHE_1024] = "apache_1024",
    [DH_PRIME_JDK_512] = "jdk_512",
    [DH_PRIME_JDK_768] = "jdk_768",
    [DH_PRIME_JDK_1024] = "jdk_1024",
    [DH_PRIME_NGINX_1024] = "nginx_1024",
};

static uint8_t *put(uint8_t *to, uint64_t v, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        to[i] = (uint8_t)(v >> 8 * (bytes - 1 - i));
    return to + bytes;
}

enum { FIXED = 3 * 2 + 1 + 4 + 2 + 2 + 1 + 8 + 4 + 1 + 1 };
static_assert(FIXED + 8 * ANSWER_CERTS_MAX + 3 * ANSWER_KINDS_MAX <= ANSWER_BLOB_MAX,
              "full lists fit a blob");

size_t answer_write(const struct answer *a, uint8_t blob[static ANSWER_BLOB_MAX])
{
    assert(a->n_certs <= ANSWER_CERTS_MAX && a->n_kinds <= ANSWER_KINDS_MAX);
    uint8_t *to = put(blob, a->version, 2);
    to = put(to, a->cipher, 2);
    to = put(to, a->group, 2);
    to = put(to, a->compression, 1);
    to = put(to, a->flags, 4);
    to = put(to, a->ske_signature, 2);
    to = put(to, a->dh_bits, 2);
    to = put(to, a->dh_prime, 1);
    to = put(to, a->dh_prime_id, 8);
    to = put(to, a->ticket_lifetime_s, 4);
    to = put(to, a->n_certs, 1);
    for (unsigned i = 0; i < a->n_certs; i++)
        to = put(to, a->certs[i], 8);
    to = put(to, a->n_kinds, 1);
    for (unsigned i = 0; i < a->n_kinds; i++)
        to = put(to, a->kinds[i], 3);
    return (size_t)(to - blob);
}

bool answer_read(const uint8_t *p, size_t n, struct answer *a)
{
    static const uint8_t nothing[1];
    struct cur c = cur_of(n > 0 ? p : nothing, n, n);
    *a = (struct answer){0};
    bool whole = cur_u16(&c, &a->version) && cur_u16(&c, &a->cipher) && cur_u16(&c, &a->group)
                 && cur_u8(&c, &a->compression) && cur_u32(&c, &a->flags)
                 && cur_u16(&c, &a->ske_signature) && cur_u16(&c, &a->dh_bits)
                 && cur_u8(&c, &a->dh_prime) && cur_u64(&c, &a->dh_prime_id)
                 && cur_u32(&c, &a->ticket_lifetime_s) && cur_u8(&c, &a->n_certs);
    if (!whole || a->flags >> ANSWER_FLAGS_N != 0 || a->dh_prime >= DH_PRIME_N
        || a->n_certs > ANSWER_CERTS_MAX)
        return false;
    for (unsigned i = 0; i < a->n_certs; i++)
        if (!cur_u64(&c, &a->certs[i]))
            return false;
    if (!cur_u8(&c, &a->n_kinds) || a->n_kinds > ANSWER_KINDS_MAX)
        return false;
    for (unsigned i = 0; i < a->n_kinds; i++)
        if (!cur_u24(&c, &a->kinds[i]))
            return false;
    return c.left == 0;
}

uint64_t answer_id(const uint8_t *p, size_t n)
{
    return hash_bytes(p, n, 0);
}
