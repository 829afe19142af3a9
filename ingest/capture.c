#include "ingest/capture.h"

#include "ingest/inflate.h"
#include "ingest/pcap_file.h"
#include "ingest/pcapng.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    BUFFER_BYTES = PCAPNG_BLOCK_MAX, /* holds the longest record or block */
    READ_BYTES = 256 * 1024, /* at once: what was just read is still in the cache when walked */
    NAME_MAX_BYTES = 320,    /* of a path in an error text: it also tells the offset and why */
};
static_assert(BUFFER_BYTES >= PCAP_FILE_RECORD_MAX + READ_BYTES, "room behind a rest");

/* Packets that hold more bytes than they say were on the wire. */
struct oversized {
    uint64_t n, offset; /* of the first one's record, as these are */
    uint32_t cap_len, wire_len;
};

struct capture {
    struct inflate *bytes;
    char name[NAME_MAX_BYTES + 4]; /* for error texts */
    bool is_pcapng, started, ended, io_failed;
    struct pcap_file pcap;
    size_t at, have; /* buffer[at..have) is not yet lent */
    uint64_t base;   /* offset of buffer[0] in the uncompressed stream */
    struct oversized oversized;
    struct capture_stats stats;
    struct pcapng pcapng;
    uint8_t buffer[BUFFER_BYTES];
};

bool capture_magic(const uint8_t head[static 4])
{
    return pcap_file_magic(head) || pcapng_magic(head) || inflate_magic(head);
}

bool capture_magic_packed(const uint8_t head[static 4])
{
    return inflate_magic(head);
}

bool capture_packed(int fd)
{
    struct inflate *bytes;
    struct err ignored;
    enum inflate_result r;
    uint8_t head[4];
    size_t n = 0;
    if (!inflate_new(&bytes, fd, &ignored))
        return true;
    do
        r = inflate_detect(bytes, &ignored);
    while (r == INFLATE_INTERRUPTED);
    if (r == INFLATE_BYTES)
        r = inflate_read(bytes, head, sizeof head, &n, &ignored);
    inflate_free(bytes);
    if (r == INFLATE_BYTES && n == sizeof head)
        return pcap_file_magic(head) || pcapng_magic(head);
    return r != INFLATE_END;
}

static bool in_capture(const struct capture *c, struct err *e)
{
    return err_in(e, "%s: offset %llu", c->name, (unsigned long long)(c->base + c->at));
}

/* Reads more behind what is there; what was lent is gone after this. */
static enum inflate_result refill(struct capture *c, struct err *e)
{
    if (c->at > 0) {
        memmove(c->buffer, c->buffer + c->at, c->have - c->at);
        c->base += c->at;
        c->have -= c->at;
        c->at = 0;
    }
    size_t room = BUFFER_BYTES - c->have, got;
    assert(room > 0); /* no record that is waited for is longer */
    enum inflate_result r =
        inflate_read(c->bytes, c->buffer + c->have, room < READ_BYTES ? room : READ_BYTES, &got, e);
    c->have += got;
    c->stats.bytes_read = inflate_stored(c->bytes);
    return r;
}

/* Names formats that somebody might well hand us. */
static const char *foreign(const uint8_t head[static 4])
{
    static const struct {
        const char *magic, *name;
    } known[] = {
        {"\xfd\x37\x7a\x58", "xz data: uncompress it first"},
        {"\x42\x5a\x68", "bzip2 data: uncompress it first"},
        {"\x04\x22\x4d\x18", "lz4 data: uncompress it first"},
        {"\x50\x4b\x03\x04", "a zip archive: unpack it first"},
        {"snoo", "a snoop file: convert it first"},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (memcmp(head, known[i].magic, strlen(known[i].magic)) == 0)
            return known[i].name;
    return NULL;
}

static bool read_header(struct capture *c, struct err *e)
{
    const char *other;
    if (c->have == 0) {
        err_set(e, "not a capture: empty file");
    } else if (c->have < 4) {
        err_set(e, "not a capture: %zu bytes long", c->have);
    } else if (!pcap_file_magic(c->buffer) && !pcapng_magic(c->buffer)) {
        other = foreign(c->buffer);
        if (other != NULL)
            err_set(e, "not a capture but %s", other);
        else
            err_set(e, "not a capture: it begins with %02x %02x %02x %02x", c->buffer[0],
                    c->buffer[1], c->buffer[2], c->buffer[3]);
    } else if (pcapng_magic(c->buffer)) {
        c->is_pcapng = true;
        if (c->have >= PCAPNG_SECTION_BYTES)
            return pcapng_init(&c->pcapng, c->buffer, e);
        err_set(e, "the file ends inside its header");
    } else {
        if (c->have >= PCAP_FILE_HEADER_BYTES) {
            c->at = PCAP_FILE_HEADER_BYTES;
            return pcap_file_init(&c->pcap, c->buffer, e);
        }
        err_set(e, "the file ends inside its header");
    }
    return false;
}

/* Fills the buffer until it holds a header. False: `*damaged` says why. */
static bool read_start(struct capture *c, bool *damaged, struct err *e)
{
    enum inflate_result r = inflate_detect(c->bytes, e);
    while (r == INFLATE_BYTES && c->have < PCAPNG_SECTION_BYTES)
        r = refill(c, e);
    if (r == INFLATE_END)
        while (refill(c, e) == INFLATE_BYTES) /* fewer than four bytes, kept by the detection */
            ;
    *damaged = r == INFLATE_DAMAGED;
    if (r == INFLATE_INTERRUPTED)
        err_set(e, "interrupted by a signal");
    if (r != INFLATE_BYTES && r != INFLATE_END)
        return false;
    *damaged = true;
    return read_header(c, e);
}

static int open_file(const char *path, struct stat *st, struct err *e)
{
    int fd = strcmp(path, "-") == 0 ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0)
                                    : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, st) != 0) {
        err_set(e, "open: %s", strerror(errno));
        if (fd >= 0)
            close(fd);
        return -1;
    }
    if (S_ISREG(st->st_mode))
        (void)posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL); /* a hint; failing is harmless */
    return fd;
}

/* Of a long path only the end is told. */
static void name_of(const char *path, char name[static NAME_MAX_BYTES + 4])
{
    size_t len = strlen(path), gone = len > NAME_MAX_BYTES ? len - NAME_MAX_BYTES : 0;
    if (strcmp(path, "-") == 0)
        strcpy(name, "standard input");
    else
        snprintf(name, NAME_MAX_BYTES + 4, "%s%s", gone > 0 ? "..." : "", path + gone);
}

/* `digest`: that of the whole file, where it is no capture and anybody asks. */
static bool open_capture(struct capture **out, const char *path, bool *damaged, uint8_t *digest,
                         struct err *e)
{
    struct stat st;
    *damaged = false;
    int fd = open_file(path, &st, e);
    struct inflate *bytes;
    struct capture *c = NULL;
    char name[sizeof c->name];
    name_of(path, name);
    if (fd < 0 || !inflate_new(&bytes, fd, e))
        return err_in(e, "%s", name);
    c = calloc(1, sizeof *c);
    if (c == NULL) {
        inflate_free(bytes);
        err_set(e, "out of memory");
        return err_in(e, "%s", name);
    }
    memcpy(c->name, name, sizeof name);
    c->bytes = bytes;
    if (S_ISREG(st.st_mode))
        c->stats.bytes_total = (uint64_t)st.st_size;
    if (!read_start(c, damaged, e)) {
        c->at = 0;
        struct err ignored;
        if (*damaged)
            err_in(e, "offset %llu", (unsigned long long)c->base);
        if (*damaged && digest != NULL && !capture_sha256(c, digest, &ignored))
            memset(digest, 0, 32);
        capture_free(c);
        return err_in(e, "%s", name);
    }
    *out = c;
    return true;
}

bool capture_open(struct capture **c, const char *path, bool *damaged, struct err *e)
{
    return open_capture(c, path, damaged, NULL, e);
}

bool capture_open_hashed(struct capture **c, const char *path, bool *damaged,
                         uint8_t digest[static 32], struct err *e)
{
    if (!open_capture(c, path, damaged, digest, e))
        return false;
    capture_hash(*c);
    return true;
}

static int fail(struct capture *c, struct err *e)
{
    c->ended = true;
    in_capture(c, e);
    return SRC_FAILED;
}

static __attribute__((cold)) void note_oversized(struct capture *c, const struct pkt pkts[],
                                                 unsigned n)
{
    size_t head = c->is_pcapng ? PCAPNG_HEAD_BYTES : c->pcap.head_bytes;
    for (unsigned i = 0; i < n; i++) {
        const struct pkt *p = &pkts[i];
        if (p->cap_len > p->wire_len && c->oversized.n++ == 0)
            c->oversized = (struct oversized){1, c->base + (uint64_t)(p->bytes - c->buffer) - head,
                                              p->cap_len, p->wire_len};
    }
}

/* Everything whole has been lent, and there is no more. */
static int end(struct capture *c, struct err *e)
{
    uint64_t skipped = c->is_pcapng ? pcapng_skipped(&c->pcapng) : 0,
             left = c->have - c->at + skipped;
    const struct oversized *o = &c->oversized;
    if (left == 0) {
        c->ended = true;
        if (o->n == 0)
            return SRC_END;
        err_set(e,
                "a packet of which %u bytes were captured and %u were on the wire, the first of "
                "%llu; what is beyond was not read",
                o->cap_len, o->wire_len, (unsigned long long)o->n);
        (void)err_in(e, "%s: offset %llu", c->name, (unsigned long long)o->offset);
        return SRC_FAILED;
    }
    err_set(e, "the file ends inside a %s, after %llu bytes of it",
            c->is_pcapng ? "block" : "packet record", (unsigned long long)left);
    c->base -= skipped; /* where the block began, which is what the error tells */
    return fail(c, e);
}

static void count(struct capture *c, const struct pkt pkts[], unsigned n)
{
    c->stats.packets += n;
    if (n > 0)
        c->stats.last_ts_ns = pkts[n - 1].ts_ns;
    c->stats.dropped_if = c->pcapng.dropped_if;
    c->stats.dropped_os = c->pcapng.dropped_os;
    c->stats.drop_ts_ns = c->pcapng.drops_told ? c->pcapng.drop_ts_ns : c->stats.last_ts_ns;
}

static int capture_rx(void *ctx, struct pkt pkts[], unsigned max, struct err *e)
{
    struct capture *c = ctx;
    if (!c->started) {
        c->started = true;
        inflate_start(c->bytes);
    }
    while (!c->ended && max > 0) {
        struct cur in = cur_of(c->buffer + c->at, c->have - c->at, c->have - c->at);
        unsigned n = 0;
        bool sane = c->is_pcapng ? pcapng_walk(&c->pcapng, &in, pkts, max, &n, e)
                                 : c->pcap.walk(&c->pcap, &in, pkts, max, &n, e);
        c->at = c->have - in.left;
        if (__builtin_expect(c->is_pcapng ? c->pcapng.oversized : c->pcap.oversized, 0))
            note_oversized(c, pkts, n);
        count(c, pkts, n);
        if (n > 0) /* damage behind them is met again by the next call */
            return (int)n;
        if (!sane)
            return fail(c, e);
        switch (refill(c, e)) {
        case INFLATE_BYTES:
            break;
        case INFLATE_INTERRUPTED:
            return 0; /* so that the caller may look whether to stop */
        case INFLATE_END:
            return end(c, e);
        case INFLATE_FAILED:
            c->io_failed = true;
            return fail(c, e);
        case INFLATE_DAMAGED:
            return fail(c, e);
        }
    }
    return c->ended ? SRC_END : 0;
}

/* Nothing moves before the next rx, which may then overwrite what was lent. */
static void capture_release(void *ctx)
{
    (void)ctx;
}

struct source capture_source(struct capture *c)
{
    return (struct source){.rx = capture_rx, .release = capture_release, .ctx = c};
}

bool capture_io_failed(const struct capture *c)
{
    return c->io_failed;
}

const struct capture_stats *capture_stats(const struct capture *c)
{
    return &c->stats;
}

void capture_hash(struct capture *c)
{
    inflate_hash(c->bytes);
}

bool capture_sha256(struct capture *c, uint8_t digest[static 32], struct err *e)
{
    c->ended = true;
    bool done = inflate_sha256(c->bytes, digest, e);
    c->stats.bytes_read = inflate_stored(c->bytes);
    return done || err_in(e, "%s", c->name);
}

void capture_free(struct capture *c)
{
    if (c == NULL)
        return;
    inflate_free(c->bytes);
    free(c);
}
