/* Captures made byte by byte, and what reading one gave: for the tests of ingest/capture.h. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ingest/capture.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define NS 1000000000ull

struct bytes {
    uint8_t p[1 << 16];
    size_t len;
    bool swap; /* the other byte order than ours */
};

static inline void put(struct bytes *b, const void *p, size_t len)
{
    assert_true(b->len + len <= sizeof b->p);
    if (len > 0)
        memcpy(b->p + b->len, p, len);
    b->len += len;
}

static inline void put16(struct bytes *b, uint16_t v)
{
    v = b->swap ? __builtin_bswap16(v) : v;
    put(b, &v, sizeof v);
}

static inline void put32(struct bytes *b, uint32_t v)
{
    v = b->swap ? __builtin_bswap32(v) : v;
    put(b, &v, sizeof v);
}

static inline void put64(struct bytes *b, uint64_t v)
{
    v = b->swap ? __builtin_bswap64(v) : v;
    put(b, &v, sizeof v);
}

static inline void put_pcap(struct bytes *b, uint32_t magic, uint16_t major, uint16_t minor,
                            uint32_t link)
{
    put32(b, magic);
    put16(b, major);
    put16(b, minor);
    put64(b, 0);
    put32(b, 0); /* a snap length nobody believes */
    put32(b, link);
}

static inline void put_record(struct bytes *b, uint32_t s, uint32_t fraction, uint32_t first,
                              uint32_t second, size_t extra, const char *data)
{
    put32(b, s);
    put32(b, fraction);
    put32(b, first);
    put32(b, second);
    put(b, "\xee\xee\xee\xee\xee\xee\xee\xee", extra);
    put(b, data, strlen(data));
}

static inline size_t block_begin(struct bytes *b, uint32_t type)
{
    size_t at = b->len;
    put32(b, type);
    put32(b, 0);
    return at;
}

static inline void block_end(struct bytes *b, size_t at)
{
    put(b, "\0\0\0", -b->len & 3);
    uint32_t total = (uint32_t)(b->len - at + 4);
    size_t len = b->len;
    put32(b, total);
    b->len = at + 4;
    put32(b, total);
    b->len = len + 4;
}

static inline void put_section(struct bytes *b)
{
    size_t at = block_begin(b, 0x0a0d0d0a);
    put32(b, 0x1a2b3c4d);
    put16(b, 1);
    put16(b, 0);
    put64(b, 12345); /* a lie: never believed */
    block_end(b, at);
}

static inline void put_option(struct bytes *b, uint16_t code, const void *value, uint16_t len)
{
    put16(b, code);
    put16(b, len);
    put(b, value, len);
    put(b, "\0\0\0", -(size_t)len & 3);
}

/* resolution < 0: no option */
static inline void put_interface(struct bytes *b, uint16_t link, uint32_t snap_len, int resolution,
                                 int64_t offset_s)
{
    size_t at = block_begin(b, 1);
    uint8_t r = (uint8_t)resolution;
    put16(b, link);
    put16(b, 0);
    put32(b, snap_len);
    put_option(b, 2, "eth0", 4);
    if (resolution >= 0)
        put_option(b, 9, &r, 1);
    if (offset_s != 0) {
        uint64_t v = b->swap ? __builtin_bswap64((uint64_t)offset_s) : (uint64_t)offset_s;
        put_option(b, 14, &v, sizeof v);
    }
    put_option(b, 0, NULL, 0);
    block_end(b, at);
}

static inline void put_enhanced(struct bytes *b, uint32_t id, uint64_t ts, const char *data,
                                uint32_t wire)
{
    size_t at = block_begin(b, 6);
    put32(b, id);
    put32(b, (uint32_t)(ts >> 32));
    put32(b, (uint32_t)ts);
    put32(b, (uint32_t)strlen(data));
    put32(b, wire);
    put(b, data, strlen(data));
    put(b, "\0\0\0", -b->len & 3);
    put_option(b, 2, "\0\0\0\1", 4);
    block_end(b, at);
}

static inline void put_statistics(struct bytes *b, uint32_t id, uint64_t ts, uint64_t drop_if,
                                  uint64_t drop_os)
{
    size_t at = block_begin(b, 5);
    put32(b, id);
    put32(b, (uint32_t)(ts >> 32));
    put32(b, (uint32_t)ts);
    put16(b, 5);
    put16(b, 8);
    put64(b, drop_if);
    put16(b, 7);
    put16(b, 8);
    put64(b, drop_os);
    block_end(b, at);
}

static inline void put_other(struct bytes *b, uint32_t type, const char *body)
{
    size_t at = block_begin(b, type);
    put(b, body, strlen(body));
    block_end(b, at);
}

struct seen {
    bool opened, damaged, io_failed;
    int end; /* of the last rx */
    unsigned n;
    uint64_t hash; /* of all packets */
    struct pkt pkts[16];
    char data[16][16];
    struct capture_stats stats;
    struct err e;
};

static inline uint64_t mix(uint64_t h, const void *p, size_t len)
{
    const uint8_t *b = p;
    for (size_t i = 0; i < len; i++)
        h = (h ^ b[i]) * 0x100000001b3;
    return h;
}

static inline uint64_t mix_packet(uint64_t h, const struct pkt *p)
{
    h = mix(h, &p->cap_len, sizeof p->cap_len);
    h = mix(h, &p->wire_len, sizeof p->wire_len);
    h = mix(h, &p->ts_ns, sizeof p->ts_ns);
    return mix(h, p->bytes, p->cap_len);
}

static inline void note(struct seen *s, const struct pkt *p)
{
    s->hash = mix_packet(s->hash, p);
    if (s->n < 16) {
        s->pkts[s->n] = *p;
        memcpy(s->data[s->n], p->bytes, p->cap_len < 15 ? p->cap_len : 15);
    }
    s->n++;
}

static inline void run_path(struct seen *s, const char *path, unsigned max)
{
    struct capture *c;
    struct pkt pkts[BURST_MAX];
    memset(s, 0, sizeof *s);
    s->opened = capture_open(&c, path, &s->damaged, &s->e);
    if (!s->opened) {
        assert_true(s->e.text[0] != '\0');
        return;
    }
    struct source source = capture_source(c);
    for (;;) {
        s->end = source.rx(source.ctx, pkts, max, &s->e);
        if (s->end < 0)
            break;
        for (int i = 0; i < s->end; i++)
            note(s, &pkts[i]);
        source.release(source.ctx);
    }
    struct err ignored;
    assert_int_equal(source.rx(source.ctx, pkts, max, &ignored), SRC_END);
    s->stats = *capture_stats(c);
    s->io_failed = capture_io_failed(c);
    assert_int_equal(s->stats.packets, s->n);
    assert_true((s->end == SRC_FAILED) == (s->e.text[0] != '\0'));
    capture_free(c);
}

static inline void run(struct seen *s, const void *p, size_t len)
{
    char path[64];
    int fd = memfd_create("capture", 0);
    assert_int_equal(write(fd, p, len), len);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    run_path(s, path, 3);
    close(fd);
}

enum { MAGIC_US = 0xa1b2c3d4, MAGIC_NS = 0xa1b23c4d, MAGIC_LONG = 0xa1b2cd34 };

static const struct pcap_row {
    const char *name;
    uint32_t magic;
    uint16_t major, minor;
    size_t extra;
    bool wire_first;
    uint32_t unit_ns;
} pcap_rows[] = {
    {"us", (uint32_t)MAGIC_US, 2, 4, 0, false, 1000},
    {"ns", (uint32_t)MAGIC_NS, 2, 4, 0, false, 1},
    {"long records", (uint32_t)MAGIC_LONG, 2, 4, 8, false, 1000},
    {"2.3, as written now", (uint32_t)MAGIC_US, 2, 3, 0, false, 1000},
    {"2.3, swapped lengths", (uint32_t)MAGIC_US, 2, 3, 0, true, 1000},
    {"2.2", (uint32_t)MAGIC_US, 2, 2, 0, true, 1000},
    {"2.0", (uint32_t)MAGIC_US, 2, 0, 0, true, 1000},
    {"543.0", (uint32_t)MAGIC_US, 543, 0, 0, true, 1000},
};

/* Three packets: cut by a snap length, empty, and one whose fraction is absurd. */
static inline void make_pcap(struct bytes *b, const struct pcap_row *r, bool swap, size_t ends[3])
{
    *b = (struct bytes){.swap = swap};
    put_pcap(b, r->magic, r->major, r->minor, 0xf0000001);
    put_record(b, 1519819200, 123456, r->wire_first ? 60 : 5, r->wire_first ? 5 : 60, r->extra,
               "first");
    ends[0] = b->len;
    put_record(b, 1519819201, 0, 0, 0, r->extra, "");
    ends[1] = b->len;
    put_record(b, UINT32_MAX, UINT32_MAX, 5, 5, r->extra, "third");
    ends[2] = b->len;
}

/* Everything a file can hold, in two sections of different byte order. */
static inline unsigned make_pcapng(struct bytes *b, bool swap, size_t ends[], size_t clean[],
                                   unsigned *n_clean)
{
    unsigned n = 0;
    *n_clean = 0;
#define CLEAN  clean[(*n_clean)++] = b->len
#define PACKET ends[n++] = CLEAN
    *b = (struct bytes){.swap = swap};
    put_section(b), CLEAN;
    put_interface(b, 1, 0, -1, 0), CLEAN;
    put_interface(b, 101, 4, 9, 0), CLEAN;
    put_enhanced(b, 0, 1519819200000001, "alpha", 5), PACKET;
    put_other(b, 4, "a name resolution block"), CLEAN;
    put_enhanced(b, 1, 1519819200000000002, "beta", 1500), PACKET;
    put_other(b, 0x0bad, "\1\2\3\4custom"), CLEAN;
    put_other(b, 10, "a secret of an unknown kind"), CLEAN;
    size_t at = block_begin(b, 3); /* simple: no limit on interface 0 */
    put32(b, 5);
    put(b, "gamma", 5);
    block_end(b, at), PACKET;
    put_statistics(b, 0, 1519819205000000, 7, 1), CLEAN;
    put_statistics(b, 1, 1519819206000000000, 20, 0), CLEAN;
    put_statistics(b, 0, 1519819207000000, 9, 2), CLEAN;
    b->swap = !swap;
    put_section(b), CLEAN;
    put_interface(b, 113, 4, 6, 0), CLEAN;
    at = block_begin(b, 3); /* simple, cut by the snap length */
    put32(b, 5);
    put(b, "delt", 4);
    block_end(b, at), PACKET;
    at = block_begin(b, 2); /* the old packet block */
    put16(b, 0);
    put16(b, 0xffff);
    put32(b, (uint32_t)(1519819300000003 >> 32));
    put32(b, (uint32_t)1519819300000003);
    put32(b, 7);
    put32(b, 7);
    put(b, "epsilon", 7);
    block_end(b, at), PACKET;
    put_statistics(b, 0, 0, 100, 0), CLEAN;
    put_other(b, 0x80000001, "local use"), CLEAN;
#undef PACKET
#undef CLEAN
    return n;
}
