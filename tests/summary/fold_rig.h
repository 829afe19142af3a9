/* One window, and hand-made packets to fold into it: for test_fold.c and test_fold_msg.c. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/hash.h"
#include "traffic.h"

static const uint64_t START_NS = UINT64_C(1500001200) * 1000000000;

enum {
    GATEWAY = 0,
    GATEWAY_BY_ADDR = 1,
    HOST = 10,
    SERVER = 20,
    SERVER_2 = 21
}; /* see traffic.h */

static struct config config;
static struct window *w;

static inline void fresh(enum scope scope, enum name_policy names)
{
    struct err e;
    window_free(w);
    config = config_default();
    config.scope = (uint8_t)scope;
    config.names = (uint8_t)names;
    assert_true(window_new(&w, &config, &e));
    window_reset(w, START_NS / 1000000000, 3600);
}

static inline int teardown(void **state)
{
    (void)state;
    window_free(w);
    w = NULL;
    return 0;
}

static inline struct rec packet(unsigned from, unsigned to, uint64_t after_ns)
{
    struct rec r = {.ts_ns = START_NS + after_ns,
                    .wire_len = 100,
                    .cap_len = 90,
                    .link = 1,
                    .flags = REC_HAS_IP | REC_HAS_PORTS | REC_HAS_MAC,
                    .outcome = OUT_OK,
                    .ip_outer = 4,
                    .ip_proto = 17,
                    .site = 7,
                    .service_port = 123,
                    .sport = from == SERVER ? 123 : 40000,
                    .dport = from == SERVER ? 40000 : 123,
                    .proto = PROTO_NTP,
                    .payload_wire_len = 48,
                    .client = {device_client(from), device_client(to)},
                    .src = device_addr(from),
                    .dst = device_addr(to),
                    .mac = {{0xac, 0xca, 0x54, 0, 0, (uint8_t)from}}};
    return r;
}

static inline void count(const struct rec *r, enum vantage vantage)
{
    struct rec rec = *r;
    assert_int_equal(rec.origin, 0);
    window_packets(w, &rec, 1, &(const uint8_t){(uint8_t)vantage});
}

/* Every part, in this window. */
static inline void tell(const struct msg *m)
{
    struct message_hint hint;
    window_message_hint(w, m, 1, &hint);
    uint64_t ts_ns[PART_N];
    window_message(w, m, &hint, window_parts(m, ts_ns), VANTAGE_LAN);
}

static inline size_t rows_of(enum row_kind kind)
{
    size_t n;
    window_rows(w, kind, &n);
    return n;
}

static inline const void *only(enum row_kind kind)
{
    size_t n;
    void *const *rows = window_rows(w, kind, &n);
    assert_int_equal(n, 1);
    return rows[0];
}

static inline void assert_text(uint32_t id, const char *want)
{
    struct bytes got = window_string(w, id);
    assert_int_equal(got.len, strlen(want));
    if (got.len > 0)
        assert_memory_equal(got.p, want, got.len);
}

static inline uint64_t tally(enum tally family, uint32_t code, const char *name)
{
    size_t n;
    void *const *rows = window_rows(w, ROW_TALLY, &n);
    for (size_t i = 0; i < n; i++) {
        const struct row_tally *t = rows[i];
        struct bytes got = window_string(w, t->key.name);
        if (t->key.family == family && t->key.code == code && got.len == strlen(name)
            && (got.len == 0 || memcmp(got.p, name, got.len) == 0))
            return t->count;
    }
    return 0;
}

static inline struct bytes bytes_of(const char *s)
{
    return (struct bytes){(const uint8_t *)s, (uint32_t)strlen(s)};
}
