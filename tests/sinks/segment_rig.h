/* Segments in memory, written and read back: for test_segment.c and test_segment_damage.c, which
 * define _GNU_SOURCE (memfd_create). */
#pragma once
#include "random_window.h"
#include "sinks/segment.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zstd.h>

#include <cmocka.h>

enum { WINDOW_S = 3600 };
#define START_S UINT64_C(1519819200) /* 2018-02-28T12:00:00Z */

static struct config config;
static struct segment_head head;

static inline struct window *make_window(uint64_t start_s, uint64_t length_s)
{
    struct err e;
    struct window *w = NULL;
    assert_true(window_new(&w, &config, &e));
    window_reset(w, start_s, length_s);
    return w;
}

static inline int setup(void **state)
{
    (void)state;
    config = config_default();
    head = (struct segment_head){.sensor = "replay",
                                 .release = "0.1.0",
                                 .config_hash = "0123456789abcdef",
                                 .start_s = START_S,
                                 .length_s = WINDOW_S};
    return 0;
}

struct file {
    uint8_t *p;
    size_t len;
};

static inline struct file file_of(int fd)
{
    struct file f = {.len = (size_t)lseek(fd, 0, SEEK_END)};
    f.p = malloc(f.len + 1);
    assert_non_null(f.p);
    assert_int_equal(pread(fd, f.p, f.len, 0), (ssize_t)f.len);
    return f;
}

static inline int memory_file(const void *p, size_t len)
{
    int fd = memfd_create("segment", MFD_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, p, len, 0), (ssize_t)len);
    return fd;
}

static inline struct file written(struct window *w, const struct segment_head *h,
                                  uint8_t sha256[32])
{
    struct err e = {""};
    int fd = memory_file("", 0);
    if (!segment_write_fd(w, h, fd, 1, sha256, &e))
        fail_msg("%s", e.text);
    struct file f = file_of(fd);
    close(fd);
    return f;
}

/* The rows' text. */
static inline struct file text_of(struct file f)
{
    struct file text = {malloc(1 << 24), 0};
    ZSTD_DCtx *z = ZSTD_createDCtx();
    ZSTD_inBuffer in = {f.p, f.len, 0};
    ZSTD_outBuffer out = {text.p, 1 << 24, 0};
    while (in.pos < in.size)
        assert_false(ZSTD_isError(ZSTD_decompressStream(z, &out, &in)));
    ZSTD_freeDCtx(z);
    text.len = out.pos;
    text.p[text.len] = '\0';
    return text;
}

static inline struct file compressed(const char *text, size_t len)
{
    struct file f = {malloc(ZSTD_compressBound(len)), 0};
    f.len = ZSTD_compress(f.p, ZSTD_compressBound(len), text, len, 1);
    return f;
}

/* The same rows? Frees both files. */
static inline void assert_same(struct file a, struct file b)
{
    struct file x = text_of(a), y = text_of(b);
    size_t at = 0;
    while (x.p[at] == y.p[at] && x.p[at] != '\0')
        at++;
    if (x.p[at] != y.p[at])
        fail_msg("rows differ:\n%.300s\n%.300s", x.p + (at > 200 ? at - 200 : 0),
                 y.p + (at > 200 ? at - 200 : 0));
    free(x.p), free(y.p), free(a.p), free(b.p);
}

static inline bool read_into(struct window *w, struct file f, struct segment_head *h,
                             uint8_t sha256[32], struct err *e)
{
    struct segment_reader *r = NULL;
    int fd = memory_file(f.p, f.len);
    bool ok = segment_open_fd(&r, fd, 0, f.len, "x.zst", h, e) && segment_read(r, w, sha256, e);
    segment_close(r);
    close(fd);
    return ok;
}

/* A small window whose text holds every `old` of the bad rows in test_segment_damage.c. */
static inline void known_window(struct window *w)
{
    struct client gateway = {.site = site_of_number(SITE_VLAN, 100),
                             .kind = CLIENT_GATEWAY,
                             .by = BY_MAC,
                             .id = {0xac, 0xca, 0x54, 0, 0, 1}};
    struct client host = {
        .site = site_of_number(SITE_VLAN, 100), .kind = CLIENT_HOST, .by = BY_ADDR};
    struct addr ten, server, other;
    assert_true(addr_parse("10.0.0.2", &ten));
    assert_true(addr_parse("192.0.2.1", &server));
    assert_true(addr_parse("192.0.2.2", &other));
    memcpy(host.id, ten.b, 16);

    struct row_coverage coverage = {.key = {.client = gateway, .vantage = VANTAGE_LAN}};
    coverage.key.sensor = window_intern(w, "replay", 6);
    ((struct row_coverage *)window_row(w, ROW_COVERAGE, &coverage))->slots_out = 1;

    struct row_client *c = window_row(w, ROW_CLIENT, &(struct row_client){.key.client = gateway});
    c->packets_out = 5;
    c->probes_in = 1;
    c->protocols[PROTO_NTP] = 5;
    struct distinct_block *b = window_distinct_make(w, &c->remotes, &distinct_small);
    distinct_add(&distinct_small, b, 1);
    distinct_add(&distinct_small, b, 2);

    struct row_peer peer = {.key = {.client = host, .remote = server, .port = 123, .ip_proto = 17}};
    ((struct row_peer *)window_row(w, ROW_PEER, &peer))->key.protocols =
        1 << PROTO_NTP | 1 << PROTO_DNS;
    peer.key.remote = other;
    ((struct row_peer *)window_row(w, ROW_PEER, &peer))->packets_in = 1;
    ((struct row_peer *)window_other_make(w, ROW_PEER))->bytes_in = 9;

    struct row_ntp *n =
        window_row(w, ROW_NTP, &(struct row_ntp){.key = {.client = host, .peer = server}});
    n->strata = 4;
    n->refids = (struct set8){.n = 1, .value = {0xc0a80001}, .count = {3}};
    window_hist_add(w, &n->offset, -3, 1);

    struct row_tls tls = {.key = {.client = host, .peer = server, .version = 0x0303, .port = 443}};
    tls.key.sni = window_intern(w, "a\xff", 2);
    ((struct row_tls *)window_row(w, ROW_TLS, &tls))->sessions = 1;

    struct offer o;
    uint8_t blob[OFFER_BLOB_MAX];
    offer_init(&o);
    o.legacy_version = 0x0301;
    size_t len = offer_write(&o, blob);
    struct row_hello hello = {.key.id = offer_id(blob, len)};
    ((struct row_hello *)window_row(w, ROW_HELLO, &hello))->offer =
        window_intern(w, blob, (uint32_t)len);

    static const struct row_tally tallies[] = {{.key = {TALLY_DNS_QTYPE, 1, 0, 0}},
                                               {.key = {TALLY_TLS_ALERT, 0x0228, 0, 0}},
                                               {.key = {TALLY_TLS_CIPHER, 0x1301, 0, 0}}};
    for (int i = 0; i < 3; i++)
        ((struct row_tally *)window_row(w, ROW_TALLY, &tallies[i]))->count = 4;
    struct totals *t = window_totals(w);
    t->packets.read = t->packets.outcome[OUT_OK] = 7;
    t->ip_v4 = 1;
}
