#include "sinks/zstd_file.h"

#include <assert.h>
#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <unistd.h>
#define ZSTD_STATIC_LINKING_ONLY /* for ZSTD_c_literalCompressionMode: see set_level */
#include <zstd.h>

/* At the fastest level a hash table that leaves the first cache some room, and a search that steps
 * over three bytes and not one, cost a seventh less time and 1 to 3 % more bytes; measured with
 * segments of a fleet. */
enum { FAST_LEVEL = 1, FAST_HASH_LOG = 13, FAST_STEP = 3 };

enum { WINDOW_LOG_MAX = 27, IN_BYTES = 128 * 1024, OUT_BYTES = 256 * 1024 };

/* ---- SHA-256 */

struct sha256 {
    EVP_MD_CTX *ctx;
    bool failed;
};

bool sha256_new(struct sha256 **out, struct err *e)
{
    struct sha256 *s = calloc(1, sizeof *s);
    if (s != NULL)
        s->ctx = EVP_MD_CTX_new();
    if (s == NULL || s->ctx == NULL || EVP_DigestInit_ex(s->ctx, EVP_sha256(), NULL) != 1) {
        sha256_free(s);
        err_set(e, "SHA-256 cannot be set up");
        return false;
    }
    *out = s;
    return true;
}

void sha256_free(struct sha256 *s)
{
    if (s != NULL)
        EVP_MD_CTX_free(s->ctx);
    free(s);
}

void sha256_add(struct sha256 *s, const void *p, size_t len)
{
    if (EVP_DigestUpdate(s->ctx, p, len) != 1)
        s->failed = true;
}

bool sha256_get(const struct sha256 *s, uint8_t digest[32])
{
    EVP_MD_CTX *copy = EVP_MD_CTX_new();
    bool ok = !s->failed && copy != NULL && EVP_MD_CTX_copy_ex(copy, s->ctx) == 1
              && EVP_DigestFinal_ex(copy, digest, NULL) == 1;
    EVP_MD_CTX_free(copy);
    return ok;
}

/* ---- writing */

struct zstd_out {
    int fd;
    ZSTD_CCtx *zstd;
    struct sha256 *sha;
    struct text_sink text; /* lines that are not written yet */
    size_t hashed;         /* bytes of `text` that the hash has */
    void *frame;
    size_t frame_cap;
};

static bool set(struct zstd_out *z, ZSTD_cParameter name, int value)
{
    return !ZSTD_isError(ZSTD_CCtx_setParameter(z->zstd, name, value));
}

static bool set_level(struct zstd_out *z, int level)
{
    if (!set(z, ZSTD_c_compressionLevel, level) || !set(z, ZSTD_c_checksumFlag, 1))
        return false;
    if (level != FAST_LEVEL)
        return true;
    /* Such a step stands for a negative level, which leaves literals as they are, if nobody says
     * otherwise. A library that knows no such mode keeps the usual step. */
    if (set(z, ZSTD_c_literalCompressionMode, ZSTD_ps_enable)
        && !set(z, ZSTD_c_targetLength, FAST_STEP))
        return false;
    return set(z, ZSTD_c_hashLog, FAST_HASH_LOG);
}

bool zstd_out_new(struct zstd_out **out, int fd, int level, struct err *e)
{
    struct zstd_out *z = calloc(1, sizeof *z);
    if (z == NULL) {
        err_set(e, "out of memory");
        return false;
    }
    z->fd = fd;
    if (!sha256_new(&z->sha, e)) {
        zstd_out_free(z);
        return false;
    }
    z->zstd = ZSTD_createCCtx();
    if (z->zstd == NULL || !set_level(z, level)) {
        zstd_out_free(z);
        err_set(e, "zstd cannot be set up");
        return false;
    }
    text_reserve(&z->text, ZSTD_FRAME_BYTES + 65536);
    *out = z;
    return true;
}

void zstd_out_free(struct zstd_out *z)
{
    if (z == NULL)
        return;
    ZSTD_freeCCtx(z->zstd);
    sha256_free(z->sha);
    text_free(&z->text);
    free(z->frame);
    free(z);
}

struct text_sink *zstd_out_text(struct zstd_out *z)
{
    return &z->text;
}

static bool write_all(int fd, const uint8_t *p, size_t len, struct err *e)
{
    while (len > 0) {
        ssize_t n = write(fd, p, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            err_set(e, "write: %s", n < 0 ? strerror(errno) : "nothing was taken");
            return false;
        }
        p += n;
        len -= (size_t)n;
    }
    return true;
}

static void hash_rest(struct zstd_out *z)
{
    sha256_add(z->sha, z->text.p + z->hashed, z->text.len - z->hashed);
    z->hashed = z->text.len;
}

static bool write_frame(struct zstd_out *z, struct err *e)
{
    hash_rest(z);
    size_t bound = ZSTD_compressBound(z->text.len);
    if (bound > z->frame_cap) { /* frames end where a line does: a little more spares the next */
        free(z->frame);
        z->frame_cap = bound + bound / 8;
        z->frame = malloc(z->frame_cap);
        if (z->frame == NULL) {
            z->frame_cap = 0;
            err_set(e, "out of memory");
            return false;
        }
    }
    /* In one call, so that the bytes depend on the lines and the level alone. */
    size_t n = ZSTD_compress2(z->zstd, z->frame, z->frame_cap, z->text.p, z->text.len);
    if (ZSTD_isError(n)) {
        err_set(e, "zstd: %s", ZSTD_getErrorName(n));
        return false;
    }
    z->text.len = z->hashed = 0;
    return write_all(z->fd, z->frame, n, e);
}

bool zstd_out_line(struct zstd_out *z, struct err *e)
{
    if (z->text.failed) {
        err_set(e, "out of memory");
        return false;
    }
    return z->text.len < ZSTD_FRAME_BYTES || write_frame(z, e);
}

bool zstd_out_sha256(struct zstd_out *z, uint8_t sha256[32], struct err *e)
{
    hash_rest(z);
    if (!sha256_get(z->sha, sha256)) {
        err_set(e, "SHA-256 failed");
        return false;
    }
    return true;
}

bool zstd_out_end(struct zstd_out *z, struct err *e)
{
    if (z->text.failed) {
        err_set(e, "out of memory");
        return false;
    }
    return z->text.len == 0 || write_frame(z, e);
}

/* ---- reading */

struct zstd_in {
    int fd;
    uint64_t offset, left; /* of compressed bytes not read yet */
    ZSTD_DCtx *zstd;
    size_t hint;  /* 0: between frames */
    bool pending; /* the decoder may hold text it had no room for */
    uint8_t in[IN_BYTES];
    ZSTD_inBuffer input;
    char *text; /* decompressed: lines given out, then what is left */
    size_t from, to, cap;
};

bool zstd_in_new(struct zstd_in **out, int fd, uint64_t offset, uint64_t len, struct err *e)
{
    struct zstd_in *z = calloc(1, sizeof *z);
    if (z != NULL) {
        z->fd = fd;
        z->offset = offset;
        z->left = len;
        z->input.src = z->in;
        z->zstd = ZSTD_createDCtx();
        z->text = malloc(OUT_BYTES);
        z->cap = OUT_BYTES;
    }
    if (z == NULL || z->zstd == NULL || z->text == NULL
        || ZSTD_isError(ZSTD_DCtx_setParameter(z->zstd, ZSTD_d_windowLogMax, WINDOW_LOG_MAX))) {
        zstd_in_free(z);
        err_set(e, "out of memory");
        return false;
    }
    *out = z;
    return true;
}

void zstd_in_free(struct zstd_in *z)
{
    if (z == NULL)
        return;
    ZSTD_freeDCtx(z->zstd);
    free(z->text);
    free(z);
}

/* Reads more compressed bytes; *end where there are none. */
static bool fill_in(struct zstd_in *z, bool *end, struct err *e)
{
    size_t want = z->left < IN_BYTES ? (size_t)z->left : IN_BYTES;
    ssize_t n;
    do
        n = want > 0 ? pread(z->fd, z->in, want, (off_t)z->offset) : 0;
    while (n < 0 && errno == EINTR);
    if (n < 0) {
        err_set(e, "read: %s", strerror(errno));
        return false;
    }
    *end = n == 0;
    z->offset += (uint64_t)n;
    z->left -= (uint64_t)n;
    z->input.pos = 0;
    z->input.size = (size_t)n;
    return true;
}

/* Room behind the text that is left, which becomes its start. */
static bool make_room(struct zstd_in *z, struct err *e)
{
    memmove(z->text, z->text + z->from, z->to - z->from);
    z->to -= z->from;
    z->from = 0;
    if (z->cap - z->to >= OUT_BYTES / 2)
        return true;
    char *p = realloc(z->text, z->cap * 2);
    if (p == NULL) {
        err_set(e, "out of memory");
        return false;
    }
    z->text = p;
    z->cap *= 2;
    return true;
}

/* Decompresses more text; *end where there is no more. */
static bool fill_text(struct zstd_in *z, bool *end, struct err *e)
{
    *end = false;
    if (!make_room(z, e))
        return false;
    ZSTD_outBuffer output = {z->text + z->to, z->cap - z->to, 0};
    while (output.pos == 0) {
        if (z->input.pos == z->input.size && !z->pending) {
            if (!fill_in(z, end, e))
                return false;
            if (*end && z->hint != 0) {
                err_set(e, "the file ends within a zstd frame");
                return false;
            }
            if (*end)
                return true;
        }
        z->hint = ZSTD_decompressStream(z->zstd, &output, &z->input);
        if (ZSTD_isError(z->hint)) {
            err_set(e, "zstd: %s", ZSTD_getErrorName(z->hint));
            return false;
        }
        z->pending = output.pos == output.size && z->hint != 0;
    }
    z->to += output.pos;
    return true;
}

bool zstd_in_line(struct zstd_in *z, size_t max, const char **line, size_t *len, struct err *e)
{
    size_t looked = 0;
    for (;;) {
        const char *p = z->text + z->from;
        const char *newline = memchr(p + looked, '\n', z->to - z->from - looked);
        looked = newline != NULL ? (size_t)(newline - p) : z->to - z->from;
        if (looked > max) {
            err_set(e, "a line longer than %zu bytes", max);
            return false;
        }
        if (newline != NULL) {
            *line = p;
            *len = looked;
            z->from += looked + 1;
            return true;
        }
        bool end;
        if (!fill_text(z, &end, e))
            return false;
        if (end && z->to > z->from) {
            err_set(e, "the last line has no end");
            return false;
        }
        if (end) {
            *line = NULL;
            *len = 0;
            return true;
        }
    }
}
