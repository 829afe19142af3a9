/* Any bytes as a capture: bounded packets, one clear end, and the same answer however they are
 * read. */
#define _GNU_SOURCE /* memfd_create */
#include "ingest/capture.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    PACKET_MAX = 262144,
    PIPE_BYTES = 65536,   /* what a pipe takes without a reader */
    PACKETS_MAX = 100000, /* of a bomb: enough seen */
};

struct answer {
    bool opened, damaged;
    int end;
    uint64_t packets, hash;
    struct capture_stats stats;
    struct err e;
};

static void must(bool holds)
{
    if (!holds)
        abort();
}

static uint64_t mix(uint64_t h, const void *p, size_t len)
{
    const uint8_t *b = p;
    for (size_t i = 0; i < len; i++)
        h = (h ^ b[i]) * 0x100000001b3;
    return h;
}

static void take(struct answer *a, const struct pkt *p)
{
    must(p->cap_len <= PACKET_MAX);
    must(p->ts_ns <= INT64_MAX);
    must(p->link <= UINT16_MAX);
    a->hash = mix(a->hash, &p->cap_len, sizeof p->cap_len);
    a->hash = mix(a->hash, &p->wire_len, sizeof p->wire_len);
    a->hash = mix(a->hash, &p->ts_ns, sizeof p->ts_ns);
    a->hash = mix(a->hash, p->bytes, p->cap_len);
    a->packets++;
}

static void read_all(struct answer *a, const char *path, unsigned max, bool hash)
{
    struct capture *c;
    struct pkt pkts[BURST_MAX];
    *a = (struct answer){0};
    a->opened = capture_open(&c, path, &a->damaged, &a->e);
    if (!a->opened) {
        must(a->damaged && a->e.text[0] != '\0');
        return;
    }
    if (hash)
        capture_hash(c);
    struct source s = capture_source(c);
    do {
        a->end = s.rx(s.ctx, pkts, max, &a->e);
        must(a->end != 0 && a->end <= (int)max);
        for (int i = 0; i < a->end; i++)
            take(a, &pkts[i]);
        s.release(s.ctx);
    } while (a->end > 0 && a->packets < PACKETS_MAX);
    a->stats = *capture_stats(c);
    must(a->stats.packets == a->packets);
    must((a->end == SRC_FAILED) == (a->e.text[0] != '\0'));
    must(!capture_io_failed(c));
    struct err e;
    if (a->end < 0)
        must(s.rx(s.ctx, pkts, max, &e) == SRC_END);
    uint8_t digest[32];
    if (hash)
        must(capture_sha256(c, digest, &e));
    capture_free(c);
}

static void must_equal(const struct answer *a, const struct answer *b)
{
    must(a->opened == b->opened && a->damaged == b->damaged);
    if (a->packets >= PACKETS_MAX) /* stopped at another place */
        return;
    must(a->packets == b->packets && a->hash == b->hash && a->end == b->end);
    must(a->stats.dropped_if == b->stats.dropped_if && a->stats.dropped_os == b->stats.dropped_os);
    must(a->stats.last_ts_ns == b->stats.last_ts_ns && a->stats.drop_ts_ns == b->stats.drop_ts_ns);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    static struct answer one, burst, piped;
    int fd = memfd_create("fuzz", MFD_CLOEXEC), ends[2];
    must(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    read_all(&burst, path, BURST_MAX, true);
    read_all(&one, path, 1, false);
    close(fd);
    must_equal(&burst, &one);
    if (size > PIPE_BYTES)
        return 0;
    must(pipe2(ends, O_CLOEXEC) == 0 && write(ends[1], data, size) == (ssize_t)size);
    snprintf(path, sizeof path, "/proc/self/fd/%d", ends[0]);
    int reader = open(path, O_RDONLY | O_CLOEXEC); /* before the last writer goes */
    must(reader >= 0);
    close(ends[1]);
    int saved = dup(STDIN_FILENO);
    must(dup2(reader, STDIN_FILENO) == STDIN_FILENO);
    close(reader);
    read_all(&piped, "-", 7, false);
    if (saved >= 0) {
        dup2(saved, STDIN_FILENO);
        close(saved);
    } else {
        close(STDIN_FILENO);
    }
    close(ends[0]);
    must_equal(&burst, &piped);
    return 0;
}
