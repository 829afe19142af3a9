#include "decoders/tls_certs.h"

/* Number of the first of the set to which this one belongs. */
static uint32_t set_of(const uint8_t *p, uint32_t len)
{
    enum { WORDS = TLS_CERTS_TELL / 8 };
    uint64_t word[WORDS], x = len;
    memcpy(word, p, sizeof word);
    for (int i = 0; i < WORDS; i++)
        x = (x ^ word[i]) * UINT64_C(0x9e3779b97f4a7c15);
    return 1 + TLS_CERTS_WAYS * (uint32_t)(x >> 32 & (TLS_CERTS_SETS - 1));
}

uint32_t tls_certs_find(const struct tls_certs *c, const uint8_t *p, uint32_t n, uint32_t len)
{
    if (n < TLS_CERTS_TELL || len > TLS_CERTS_BYTES)
        return 0;
    uint32_t first = set_of(p, len);
    for (uint32_t i = first; i < first + TLS_CERTS_WAYS; i++)
        if (c->seen[i].len == len && memcmp(c->seen[i].bytes, p, n) == 0)
            return i;
    return 0;
}

void tls_certs_keep(struct tls_certs *c, const uint8_t *p, uint32_t len, uint64_t id,
                    uint32_t batch)
{
    if (len < TLS_CERTS_TELL || len > TLS_CERTS_BYTES)
        return;
    struct tls_cert_seen *to = &c->seen[set_of(p, len) + c->turn++ % TLS_CERTS_WAYS];
    if (to->users > 0 || (to->len > 0 && to->batch == batch))
        return;
    to->id = id;
    to->len = len;
    to->batch = batch - 1;
    memcpy(to->bytes, p, len);
}
