/* Certificates seen lately: the same few come again and again, each time with all their bytes. One
 * that came before is known by comparing it, even while it arrives in pieces, which then need not
 * be copied, and is told without a copy; hashing it anew takes ten times as long. What is told does
 * not depend on it. */
#pragma once
#include "core/cur.h"

enum {
    TLS_CERTS_SETS = 32,
    TLS_CERTS_WAYS = 2,
    TLS_CERTS_BYTES = 2048, /* longer ones are not kept */
    TLS_CERTS_TELL = 32,    /* bytes by which one is looked for: its serial number is among them */
};

struct tls_cert_seen {
    uint64_t id;    /* core/cert.h */
    uint32_t len;   /* 0: unused */
    uint32_t users; /* streams in which it arrives: it stays as long */
    uint32_t batch; /* number of the last one of messages that borrowed it: likewise */
    uint8_t bytes[TLS_CERTS_BYTES];
};

/* All zero at first. */
struct tls_certs {
    unsigned turn;                                                  /* the way taken next */
    struct tls_cert_seen seen[1 + TLS_CERTS_SETS * TLS_CERTS_WAYS]; /* 0: none */
};

/* The number of a certificate of `len` bytes of which the first `n` are those at `p`; 0: none is
 * known, or these are too few to say. */
MUST_CHECK uint32_t tls_certs_find(const struct tls_certs *c, const uint8_t *p, uint32_t n,
                                   uint32_t len);

/* The certificate of `len` bytes at `p`, which was not found, has this id. `batch`: the number of
 * the batch of messages that is being filled. */
void tls_certs_keep(struct tls_certs *c, const uint8_t *p, uint32_t len, uint64_t id,
                    uint32_t batch);
