/* How the bytes of a capture come: compressed, through pipes, longer than any buffer; and their
 * digest. */
#define _GNU_SOURCE /* memfd_create */
#include "tests/ingest/test_capture_bytes.h"

#include <openssl/evp.h>
#include <signal.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <zlib.h>
#include <zstd.h>

static void gzip_member(struct bytes *to, const void *p, size_t len)
{
    z_stream z = {.next_in = (uint8_t *)(uintptr_t)p, .avail_in = (uInt)len};
    assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_out = to->p + to->len;
    z.avail_out = (uInt)(sizeof to->p - to->len);
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    to->len += z.total_out;
    deflateEnd(&z);
}

static void zstd_frame(struct bytes *to, const void *p, size_t len)
{
    ZSTD_CCtx *c = ZSTD_createCCtx();
    ZSTD_CCtx_setParameter(c, ZSTD_c_checksumFlag, 1);
    size_t n = ZSTD_compress2(c, to->p + to->len, sizeof to->p - to->len, p, len);
    assert_false(ZSTD_isError(n));
    to->len += n;
    ZSTD_freeCCtx(c);
}

/* The whole capture in frames of 20 bytes, with empty ones between. */
static void compress_all(struct bytes *to, const struct bytes *from, bool gzip)
{
    *to = (struct bytes){0};
    if (!gzip)
        put(to, "\x5e\x2a\x4d\x18\3\0\0\0abc", 11); /* skippable */
    for (size_t at = 0; at < from->len; at += 20) {
        size_t n = from->len - at < 20 ? from->len - at : 20;
        (gzip ? gzip_member : zstd_frame)(to, from->p + at, n);
        (gzip ? gzip_member : zstd_frame)(to, "", 0);
    }
}

static void test_compressed(void **state)
{
    (void)state;
    static struct bytes plain, once, twice, four[2];
    static struct seen want, s;
    size_t ends[16], clean[32];
    unsigned n_clean;
    make_pcapng(&plain, false, ends, clean, &n_clean);
    run(&want, plain.p, plain.len);
    for (int i = 0; i < 4; i++) {
        compress_all(&once, &plain, i & 1);
        compress_all(&twice, &once, i & 2);
        run(&s, once.p, once.len);
        assert_int_equal(s.end, SRC_END);
        assert_true(s.n == want.n && s.hash == want.hash);
        assert_int_equal(s.stats.bytes_read, once.len);
        run(&s, twice.p, twice.len);
        assert_int_equal(s.end, SRC_END);
        assert_true(s.n == want.n && s.hash == want.hash);
        put(&once, "\0garbage", 8);
        run(&s, once.p, once.len);
        print_message("%s\n", s.e.text);
        assert_int_equal(s.end, SRC_FAILED);
        assert_true(s.n == want.n && s.hash == want.hash && !s.io_failed);
        assert_non_null(strstr(s.e.text, "garbage after the last"));
    }
    four[0] = plain;
    for (int i = 0; i < 4; i++) {
        four[(i + 1) % 2].len = 0;
        gzip_member(&four[(i + 1) % 2], four[i % 2].p, four[i % 2].len);
    }
    run(&s, four[0].p, four[0].len);
    assert_false(s.opened);
    assert_true(s.damaged);
    assert_non_null(strstr(s.e.text, "compressed more than 3 times"));
}

static void test_compressed_cuts_and_flips(void **state)
{
    (void)state;
    static struct bytes plain, packed;
    static struct seen want, s;
    size_t ends[3];
    make_pcap(&plain, &pcap_rows[0], false, ends);
    run(&want, plain.p, plain.len);
    for (int gzip = 0; gzip < 2; gzip++) {
        compress_all(&packed, &plain, gzip);
        unsigned least = 0;
        for (size_t len = 0; len < packed.len; len++) {
            run(&s, packed.p, len);
            assert_true(s.opened || s.damaged);
            assert_true(s.n >= least); /* a longer prefix never gives less */
            least = s.n;
        }
        assert_int_equal(least, 3);
        for (size_t at = 0; at < packed.len; at++) {
            packed.p[at] ^= 0x55;
            run(&s, packed.p, packed.len);
            assert_true(s.n <= 3 && !s.io_failed);
            if (s.opened && s.end == SRC_END && s.n == 3) /* a header field that nobody needs */
                assert_true(s.hash == want.hash);
            packed.p[at] ^= 0x55;
        }
    }
}

/* One member or frame: every cut of it is damage, also where no byte of the capture is missing. */
static void test_compressed_whole_or_not(void **state)
{
    (void)state;
    static struct bytes plain, packed;
    static struct seen s;
    size_t ends[3];
    make_pcap(&plain, &pcap_rows[0], false, ends);
    for (int gzip = 0; gzip < 2; gzip++) {
        packed.len = 0;
        (gzip ? gzip_member : zstd_frame)(&packed, plain.p, plain.len);
        for (size_t len = 0; len <= packed.len; len++) {
            run(&s, packed.p, len);
            bool good = s.opened && s.end == SRC_END;
            assert_int_equal(good, len == packed.len);
            assert_true(s.opened || s.damaged);
        }
        assert_int_equal(s.n, 3);
    }
}

/* Far behind what any buffer holds: offsets in the file and in the stored layer are those of the
 * damage. */
static void test_far_offsets(void **state)
{
    (void)state;
    enum { PACKETS = 20, BYTES = 100000, ALL = 24 + PACKETS * (16 + BYTES) };
    static uint8_t plain[ALL + 16], packed[ALL + 65536];
    static struct bytes b;
    static struct seen s;
    char want[64];
    size_t len = 0;
    uint32_t random = 1;
    put_pcap(&b, 0xa1b2c3d4, 2, 4, 1);
    for (int i = 0; i < PACKETS; i++) {
        put_record(&b, 1, 0, BYTES, BYTES, 0, "");
        memcpy(plain + len, b.p, b.len);
        len += b.len;
        b.len = 0;
        for (int k = 0; k < BYTES; k++, len++) {
            random = random * 1664525 + 1013904223;
            plain[len] = (uint8_t)(random >> 24);
        }
    }
    assert_int_equal(len, ALL);
    memset(plain + ALL, 0xff, 16);
    run(&s, plain, sizeof plain);
    assert_int_equal(s.n, PACKETS);
    snprintf(want, sizeof want, ": offset %d: a packet of 4294967295 bytes", ALL);
    assert_non_null(strstr(s.e.text, want));
    z_stream z = {
        .next_in = plain, .avail_in = ALL, .next_out = packed, .avail_out = sizeof packed};
    assert_int_equal(deflateInit2(&z, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    len = z.total_out;
    deflateEnd(&z);
    assert_true(len > 1000000);
    run(&s, packed, len + 1);
    assert_int_equal(s.n, PACKETS);
    snprintf(want, sizeof want, ": offset %d: gzip data, byte %zu: garbage", ALL, len);
    assert_non_null(strstr(s.e.text, want));
}

/* --- long streams --- */

enum { LONG_PACKETS = 400 };

static uint32_t long_len(unsigned i)
{
    return i % 50 == 49 ? 262144 - i : (i * 7919) % 3000;
}

/* Writes a capture of some 3 MiB to `fd`, in pieces of `piece` bytes. */
static void write_long(int fd, bool pcapng, size_t piece)
{
    size_t len = 0, cap = 8 << 20;
    uint8_t *all = calloc(1, cap);
    static struct bytes b;
    b = (struct bytes){0};
    if (pcapng) {
        put_section(&b);
        put_interface(&b, 1, 0, -1, 0);
    } else {
        put_pcap(&b, (uint32_t)MAGIC_US, 2, 4, 1);
    }
    for (unsigned i = 0; i < LONG_PACKETS; i++) {
        uint32_t n = long_len(i), total = (n + 35) & ~3u;
        uint32_t head[] = {6, total, 0, 0, i, n, n}, record[] = {0, i, n, n};
        put(&b, pcapng ? head : record, pcapng ? sizeof head : sizeof record);
        memcpy(all + len, b.p, b.len);
        len += b.len;
        b.len = 0;
        memset(all + len, (int)i, n);
        len += pcapng ? (n + 3) & ~3u : n;
        if (pcapng)
            put(&b, &total, 4);
        if (pcapng && i % 100 == 5) { /* longer than the buffer */
            uint32_t skipped[] = {10, 1200000};
            memcpy(all + len, &total, 4);
            memcpy(all + len + 4, skipped, 8);
            len += 4 + 1200000 - 4;
            b.len = 0;
            put(&b, &skipped[1], 4);
        }
    }
    memcpy(all + len, b.p, b.len);
    len += b.len;
    for (size_t at = 0; at < len;) {
        ssize_t n = write(fd, all + at, len - at < piece ? len - at : piece);
        if (n <= 0)
            _exit(1);
        at += (size_t)n;
    }
    free(all);
}

static void read_long(const char *path, unsigned max)
{
    struct capture *c;
    struct err e;
    bool damaged;
    struct pkt pkts[BURST_MAX];
    unsigned seen = 0;
    int n;
    assert_true(capture_open(&c, path, &damaged, &e));
    struct source source = capture_source(c);
    while ((n = source.rx(source.ctx, pkts, max, &e)) > 0) {
        for (int i = 0; i < n; i++, seen++) { /* all of a burst are whole at once */
            assert_int_equal(pkts[i].cap_len, long_len(seen));
            assert_int_equal(pkts[i].ts_ns, seen * 1000);
            for (uint32_t k = 0; k < pkts[i].cap_len; k++)
                if (pkts[i].bytes[k] != (uint8_t)seen)
                    fail_msg("packet %u, byte %u", seen, k);
        }
        source.release(source.ctx);
    }
    assert_int_equal(n, SRC_END);
    assert_int_equal(seen, LONG_PACKETS);
    capture_free(c);
}

static void test_long(void **state)
{
    (void)state;
    for (int pcapng = 0; pcapng < 2; pcapng++) {
        char path[64];
        int fd = memfd_create("long", 0);
        write_long(fd, pcapng, 1 << 20);
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        read_long(path, 1);
        read_long(path, BURST_MAX);
        close(fd);
        /* and on standard input, in pieces that fit nothing */
        int ends[2], saved = dup(STDIN_FILENO);
        assert_int_equal(pipe(ends), 0);
        pid_t child = fork();
        if (child == 0) {
            close(ends[0]);
            write_long(ends[1], pcapng, 4093);
            _exit(0);
        }
        close(ends[1]);
        dup2(ends[0], STDIN_FILENO);
        close(ends[0]);
        read_long("-", 5);
        dup2(saved, STDIN_FILENO);
        close(saved);
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
    }
}

static void on_alarm(int signal_number)
{
    (void)signal_number;
}

/* A signal while a pipe has nothing for us lets rx return, so that a program can stop. */
static void test_interrupted(void **state)
{
    (void)state;
    static struct bytes b;
    int ends[2];
    char path[64];
    struct capture *c;
    struct err e;
    bool damaged;
    struct pkt pkts[4];
    struct sigaction action = {.sa_handler = on_alarm}, old;
    struct itimerval soon = {.it_value = {.tv_usec = 20000}, .it_interval = {.tv_usec = 20000}};
    struct itimerval off = {0};
    put_pcap(&b, (uint32_t)MAGIC_US, 2, 4, 1);
    put_record(&b, 1, 0, 3, 3, 0, "one");
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], b.p, b.len), b.len);
    snprintf(path, sizeof path, "/proc/self/fd/%d", ends[0]);
    assert_true(capture_open(&c, path, &damaged, &e));
    struct source source = capture_source(c);
    assert_int_equal(source.rx(source.ctx, pkts, 4, &e), 1);
    sigaction(SIGALRM, &action, &old);
    setitimer(ITIMER_REAL, &soon, NULL);
    assert_int_equal(source.rx(source.ctx, pkts, 4, &e), 0);
    setitimer(ITIMER_REAL, &off, NULL);
    sigaction(SIGALRM, &old, NULL);
    close(ends[1]);
    assert_int_equal(source.rx(source.ctx, pkts, 4, &e), SRC_END);
    capture_free(c);
    close(ends[0]);
}

static void hex_of(const uint8_t digest[static 32], char hex[static 65])
{
    for (int i = 0; i < 32; i++)
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
}

/* The digest is that of the stored bytes, whether all, some or none of the packets were taken. */
static void test_sha256(void **state)
{
    (void)state;
    static struct bytes plain, packed;
    size_t ends[16], clean[32];
    unsigned n_clean;
    make_pcapng(&plain, false, ends, clean, &n_clean);
    compress_all(&packed, &plain, true);
    put(&packed, "trailing garbage", 16);
    for (int taken = 0; taken < 8; taken++) {
        uint8_t digest[32];
        unsigned char direct[32];
        char got[65], want[65], path[64];
        struct capture *c;
        struct err e;
        bool damaged;
        struct pkt p;
        int fd = memfd_create("hash", 0);
        assert_int_equal(write(fd, packed.p, packed.len), packed.len);
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        assert_true(capture_open(&c, path, &damaged, &e));
        capture_hash(c);
        struct source source = capture_source(c);
        for (int i = 0; i < taken; i++)
            (void)source.rx(source.ctx, &p, 1, &e);
        for (int again = 0; again < 2; again++) {
            assert_true(capture_sha256(c, digest, &e));
            hex_of(digest, got);
            EVP_Digest(packed.p, packed.len, direct, NULL, EVP_sha256(), NULL);
            hex_of(direct, want);
            assert_string_equal(got, want);
        }
        assert_int_equal(capture_stats(c)->bytes_read, packed.len);
        capture_free(c);
        assert_true(capture_open(&c, path, &damaged, &e));
        source = capture_source(c);
        assert_int_equal(source.rx(source.ctx, &p, 1, &e), 1);
        assert_false(capture_sha256(c, digest, &e)); /* nobody asked for it in time */
        capture_free(c);
        close(fd);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_compressed),
        cmocka_unit_test(test_compressed_cuts_and_flips),
        cmocka_unit_test(test_compressed_whole_or_not),
        cmocka_unit_test(test_far_offsets),
        cmocka_unit_test(test_long),
        cmocka_unit_test(test_interrupted),
        cmocka_unit_test(test_sha256),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
