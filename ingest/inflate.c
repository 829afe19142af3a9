#include "ingest/inflate.h"

#include <assert.h>
#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

enum {
    LAYERS_MAX = 3,
    INPUT_BYTES = 128 * 1024,
    MAGIC_BYTES = 4,
    WINDOW_LOG_MAX = 27,  /* 128 MiB, what zstd(1) takes by default */
    ZSTD_FIRST_BYTES = 5, /* of a frame, enough to learn how many more */
};

enum format { PLAIN, GZIP, ZSTD };

struct layer {
    enum format format;
    z_stream z;
    ZSTD_DStream *zstd;
    size_t zstd_wants; /* input bytes up to the end of the next block */
    bool between;      /* no frame is open: the input may end here */
    struct err bad;    /* why no more can be read; "" while all is well */
    uint8_t *in;       /* INPUT_BYTES from the layer below */
    size_t at, have;
    uint64_t in_offset; /* of in[have] in the layer below */
};

struct inflate {
    int fd;
    bool keep_hash;
    uint64_t stored;
    EVP_MD_CTX *sha;
    bool sha_failed;
    uint8_t *head; /* INPUT_BYTES; what inflate_detect read of the top layer, given first */
    size_t head_at, head_have;
    unsigned n_layers;
    struct layer layers[LAYERS_MAX];
};

static enum format format_of(const uint8_t *head)
{
    if (head[0] == 0x1f && head[1] == 0x8b)
        return GZIP;
    if (head[0] == 0x28 && head[1] == 0xb5 && head[2] == 0x2f && head[3] == 0xfd)
        return ZSTD;
    /* RFC 8878 3.1.2: a skippable frame may come first */
    if ((head[0] & 0xf0) == 0x50 && head[1] == 0x2a && head[2] == 0x4d && head[3] == 0x18)
        return ZSTD;
    return PLAIN;
}

bool inflate_magic(const uint8_t head[static 4])
{
    return format_of(head) != PLAIN;
}

bool inflate_new(struct inflate **s, int fd, struct err *e)
{
    struct inflate *made = calloc(1, sizeof *made);
    if (made == NULL) {
        close(fd);
        err_set(e, "out of memory");
        return false;
    }
    made->fd = fd;
    made->head = malloc(INPUT_BYTES);
    made->sha = EVP_MD_CTX_new();
    if (made->head == NULL || made->sha == NULL
        || EVP_DigestInit_ex(made->sha, EVP_sha256(), NULL) != 1) {
        inflate_free(made);
        err_set(e, "out of memory");
        return false;
    }
    *s = made;
    return true;
}

void inflate_free(struct inflate *s)
{
    if (s == NULL)
        return;
    for (unsigned i = 0; i < s->n_layers; i++) {
        struct layer *l = &s->layers[i];
        if (l->format == GZIP)
            inflateEnd(&l->z);
        ZSTD_freeDStream(l->zstd);
        free(l->in);
    }
    EVP_MD_CTX_free(s->sha);
    free(s->head);
    close(s->fd);
    free(s);
}

static enum inflate_result read_stored(struct inflate *s, uint8_t *to, size_t max, size_t *n,
                                       struct err *e)
{
    ssize_t got = read(s->fd, to, max);
    if (got < 0 && errno == EINTR)
        return INFLATE_INTERRUPTED;
    if (got < 0) {
        err_set(e, "read: %s", strerror(errno));
        return INFLATE_FAILED;
    }
    if (got == 0)
        return INFLATE_END;
    if (s->sha != NULL && EVP_DigestUpdate(s->sha, to, (size_t)got) != 1)
        s->sha_failed = true;
    s->stored += (uint64_t)got;
    *n = (size_t)got;
    return INFLATE_BYTES;
}

static void mark_bad(struct layer *l, const char *what)
{
    err_set(&l->bad, "%s data, byte %llu: %s", l->format == GZIP ? "gzip" : "zstd",
            (unsigned long long)(l->in_offset - (l->have - l->at)), what);
}

/* Feeds what input there is; gives the number of bytes written to `to`, or sets l->bad. */
static size_t step_gzip(struct layer *l, uint8_t *to, size_t max)
{
    if (l->between) {
        if (l->in[l->at] != 0x1f) {
            mark_bad(l, "garbage after the last member");
            return 0;
        }
        inflateReset(&l->z);
        l->between = false;
    }
    l->z.next_in = l->in + l->at;
    l->z.avail_in = (uInt)(l->have - l->at);
    l->z.next_out = to;
    l->z.avail_out = (uInt)max;
    int status = inflate(&l->z, Z_NO_FLUSH);
    size_t used = l->have - l->at - l->z.avail_in, made = max - l->z.avail_out;
    l->at = l->have - l->z.avail_in;
    if (status == Z_STREAM_END)
        l->between = true;
    else if (status != Z_OK && status != Z_BUF_ERROR)
        mark_bad(l, l->z.msg != NULL ? l->z.msg : "cannot be read");
    else if (used == 0 && made == 0)
        mark_bad(l, "no progress");
    return made;
}

/* One block at a time, for a failing call forgets what it made before it failed. */
static size_t step_zstd(struct layer *l, uint8_t *to, size_t max)
{
    size_t left = l->have - l->at;
    ZSTD_inBuffer in = {l->in + l->at, l->zstd_wants < left ? l->zstd_wants : left, 0};
    ZSTD_outBuffer out = {to, max, 0};
    size_t wants = ZSTD_decompressStream(l->zstd, &out, &in);
    if (ZSTD_isError(wants)) {
        mark_bad(l, l->between ? "garbage after the last frame" : ZSTD_getErrorName(wants));
        return 0;
    }
    l->at += in.pos;
    l->between = wants == 0;
    l->zstd_wants = wants == 0 ? ZSTD_FIRST_BYTES : wants;
    if (in.pos == 0 && out.pos == 0 && !l->between)
        mark_bad(l, "no progress");
    return out.pos;
}

/* Level 0 is the file, level i > 0 what layers[i - 1] makes of the level below: LAYERS_MAX calls
 * deep at most. */
static enum inflate_result read_level(struct inflate *s, unsigned level, uint8_t *to, size_t max,
                                      size_t *n, struct err *e)
{
    if (level == 0)
        return read_stored(s, to, max, n, e);
    struct layer *l = &s->layers[level - 1];
    while (l->bad.text[0] == '\0') {
        if (l->at == l->have) {
            size_t got = 0;
            enum inflate_result below = read_level(s, level - 1, l->in, INPUT_BYTES, &got, e);
            if (below == INFLATE_END && !l->between) {
                mark_bad(l, "cut short");
                break;
            }
            if (below != INFLATE_BYTES)
                return below;
            l->at = 0;
            l->have = got;
            l->in_offset += got;
        }
        *n = l->format == GZIP ? step_gzip(l, to, max) : step_zstd(l, to, max);
        if (*n > 0)
            return INFLATE_BYTES;
    }
    *e = l->bad;
    return INFLATE_DAMAGED;
}

/* The bytes in s->head become the input of a new layer. */
static bool push_layer(struct inflate *s, enum format format)
{
    uint8_t *head = malloc(INPUT_BYTES);
    struct layer *l = &s->layers[s->n_layers];
    *l = (struct layer){.format = format, .zstd_wants = ZSTD_FIRST_BYTES};
    bool ready = false;
    if (head != NULL && format == GZIP)
        ready = inflateInit2(&l->z, 15 + 16) == Z_OK;
    if (head != NULL && format == ZSTD) {
        l->zstd = ZSTD_createDStream();
        ready =
            l->zstd != NULL
            && !ZSTD_isError(ZSTD_DCtx_setParameter(l->zstd, ZSTD_d_windowLogMax, WINDOW_LOG_MAX));
    }
    if (!ready) {
        ZSTD_freeDStream(l->zstd);
        free(head);
        return false;
    }
    l->in = s->head;
    l->have = l->in_offset = s->head_have;
    s->head = head;
    s->head_have = 0;
    s->n_layers++;
    return true;
}

enum inflate_result inflate_detect(struct inflate *s, struct err *e)
{
    for (;;) {
        while (s->head_have < MAGIC_BYTES) {
            size_t got = 0;
            enum inflate_result r = read_level(s, s->n_layers, s->head + s->head_have,
                                               INPUT_BYTES - s->head_have, &got, e);
            if (r != INFLATE_BYTES)
                return r;
            s->head_have += got;
        }
        enum format format = format_of(s->head);
        if (format == PLAIN)
            return INFLATE_BYTES;
        if (s->n_layers == LAYERS_MAX) {
            err_set(e, "compressed more than %d times", LAYERS_MAX);
            return INFLATE_DAMAGED;
        }
        if (!push_layer(s, format)) {
            err_set(e, "out of memory");
            return INFLATE_FAILED;
        }
    }
}

enum inflate_result inflate_read(struct inflate *s, void *to, size_t max, size_t *n, struct err *e)
{
    assert(max > 0);
    *n = 0;
    size_t left = s->head_have - s->head_at;
    if (left == 0)
        return read_level(s, s->n_layers, to, max, n, e);
    *n = left < max ? left : max;
    memcpy(to, s->head + s->head_at, *n);
    s->head_at += *n;
    return INFLATE_BYTES;
}

uint64_t inflate_stored(const struct inflate *s)
{
    return s->stored;
}

void inflate_hash(struct inflate *s)
{
    s->keep_hash = true;
}

void inflate_start(struct inflate *s)
{
    if (s->keep_hash)
        return;
    EVP_MD_CTX_free(s->sha);
    s->sha = NULL;
}

bool inflate_sha256(struct inflate *s, uint8_t digest[static 32], struct err *e)
{
    enum inflate_result r;
    size_t n;
    do
        r = read_stored(s, s->head, INPUT_BYTES, &n, e);
    while (r == INFLATE_BYTES || r == INFLATE_INTERRUPTED);
    if (r == INFLATE_FAILED)
        return false;
    EVP_MD_CTX *copy = EVP_MD_CTX_new();
    bool done = s->sha != NULL && !s->sha_failed && copy != NULL
                && EVP_MD_CTX_copy_ex(copy, s->sha) == 1
                && EVP_DigestFinal_ex(copy, digest, NULL) == 1;
    EVP_MD_CTX_free(copy);
    if (!done)
        err_set(e, s->sha == NULL ? "no digest was kept" : "SHA-256 failed");
    return done;
}
