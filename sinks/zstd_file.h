/* Lines in zstd frames: written with their SHA-256, read back one by one.
 *
 * A frame holds whole lines, at least ZSTD_FRAME_BYTES but in the last one, and its own checksum.
 */
#pragma once
#include "core/text.h"

enum { ZSTD_FRAME_BYTES = 1 << 20 };

/* ---- writing */

struct zstd_out;

/* Writes to `fd` at its offset; the descriptor stays the caller's. */
MUST_CHECK bool zstd_out_new(struct zstd_out **z, int fd, int level, struct err *e);
void zstd_out_free(struct zstd_out *z);

/* The buffer to append whole lines to. */
struct text_sink *zstd_out_text(struct zstd_out *z);

/* To be called after each line: writes a frame when there is enough for one. */
MUST_CHECK bool zstd_out_line(struct zstd_out *z, struct err *e);

/* SHA-256 of everything so far. */
MUST_CHECK bool zstd_out_sha256(struct zstd_out *z, uint8_t sha256[32], struct err *e);

/* Writes what is left. */
MUST_CHECK bool zstd_out_end(struct zstd_out *z, struct err *e);

/* ---- reading */

struct zstd_in;

/* Reads `len` bytes (UINT64_MAX: to the end of the file) at `offset` of `fd`, without moving its
 * offset; the descriptor stays the caller's. */
MUST_CHECK bool zstd_in_new(struct zstd_in **z, int fd, uint64_t offset, uint64_t len,
                            struct err *e);
void zstd_in_free(struct zstd_in *z);

/* The next line, without its newline, valid until the next call; *line is NULL at the end. A line
 * longer than `max` bytes, a damaged or cut frame and a last line without newline are failures. */
MUST_CHECK bool zstd_in_line(struct zstd_in *z, size_t max, const char **line, size_t *len,
                             struct err *e);

/* ---- hashing, for readers that check what they read */

struct sha256;
MUST_CHECK bool sha256_new(struct sha256 **s, struct err *e);
void sha256_free(struct sha256 *s);
void sha256_add(struct sha256 *s, const void *p, size_t len);
/* Of everything so far; more may follow. */
MUST_CHECK bool sha256_get(const struct sha256 *s, uint8_t digest[32]);
