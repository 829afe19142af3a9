/* Stored bytes in, uncompressed bytes out: plain, gzip (RFC 1952) or zstd (RFC 8878), told by magic
 * bytes.
 *
 * Several members or frames after each other are one stream; gzip or zstd may be nested up to three
 * deep. Whatever else follows the last frame is damage. Each byte as stored can go through SHA-256.
 * zlib is named only here. */
#pragma once
#include "core/err.h"

struct inflate;

enum inflate_result {
    INFLATE_BYTES,       /* at least one byte was read */
    INFLATE_END,         /* the stream ended where it may */
    INFLATE_INTERRUPTED, /* a signal came before any byte (EINTR): ask again, or stop */
    INFLATE_DAMAGED, /* cut, corrupt or followed by garbage; `e` says what, and where in the stored
                        layer */
    INFLATE_FAILED,  /* a system error; `e` says which */
};

/* Takes over `fd` (also on failure). Reads nothing. Fails only without memory. The caller owns
 * `*s`. */
MUST_CHECK bool inflate_new(struct inflate **s, int fd, struct err *e);
void inflate_free(struct inflate *s);

/* Finds out what is compressed: call until it returns INFLATE_BYTES or INFLATE_END, before the
 * first inflate_read. Reads no more than it must for the first four bytes of the top layer. */
enum inflate_result inflate_detect(struct inflate *s, struct err *e);

/* Reads up to `max` > 0 bytes. `*n` is 0 unless the result is INFLATE_BYTES. Errors repeat. What
 * was good before an error is given first. */
enum inflate_result inflate_read(struct inflate *s, void *to, size_t max, size_t *n, struct err *e);

/* Bytes read so far, as stored. */
uint64_t inflate_stored(const struct inflate *s);

/* Digests what is stored, from its first byte, if it is called before inflate_start; else nothing
 * is kept. */
void inflate_hash(struct inflate *s);
void inflate_start(struct inflate *s);

/* Reads what is left, as stored, and gives the digest, any number of times. No inflate_read may
 * follow. */
MUST_CHECK bool inflate_sha256(struct inflate *s, uint8_t digest[static 32], struct err *e);

/* Do these first four bytes begin gzip or zstd data? */
bool inflate_magic(const uint8_t head[static 4]);
