/* Answers summed as sets, and latencies noted in rows, are what each message adds by itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "same.h"
#include "summary/tables.h"
#include "traffic.h"

enum { MESSAGES = 12000, NAMES = 1500, ADDRESSES = 10 };
static const uint64_t START_S = 1500001200;

struct response {
    struct rec rec;
    struct msg m;
    struct dns_question question;
    struct dns_address addresses[ADDRESSES];
    char name[96];
};

/* One of NAMES names; each has one to ten addresses, and few clients ask for it. */
static void response_of(struct random *r, struct response *e)
{
    unsigned name = random_below(r, NAMES), rotated = random_one_in(r, 9);
    unsigned client = (name + random_below(r, 1 + name % 12)) % 10;
    e->rec = (struct rec){.ts_ns = START_S * 1000000000 + random_below(r, 999999999),
                          .sport = 53,
                          .dport = 40000,
                          .service_port = 53,
                          .flags = REC_HAS_IP | REC_HAS_PORTS,
                          .outcome = OUT_OK,
                          .client = {device_client(16), device_client(client)}};
    e->rec.client[SIDE_SRC].site = e->rec.client[SIDE_DST].site;
    e->rec.addr[SIDE_SRC] = device_addr(16 + random_below(r, 3));
    e->rec.addr[SIDE_DST] = device_addr(client);
    int len = snprintf(
        e->name, sizeof e->name, "%s%u.%s.example", random_one_in(r, 30) ? "N" : "n", name,
        name % 50 == 0 ? "a-name-that-is-longer-than-sets-have-room-for-so-none-is" : "short");
    e->question = (struct dns_question){{(const uint8_t *)e->name, (uint32_t)len}, 1, 1};
    unsigned n = 0;
    uint32_t ttl_s = random_below(r, 300);
    for (unsigned i = 0; i < 1 + name % 10; i++) {
        struct addr a = {{0xfd, [1] = (uint8_t)name, [14] = (uint8_t)(name >> 8)}};
        a.b[15] = (uint8_t)((i + rotated) % (1 + name % 10));
        e->addresses[n++] = (struct dns_address){a, ttl_s};
    }
    if (random_one_in(r, 15))
        e->addresses[n - 1].ttl_s++;
    e->m = (struct msg){.kind = MSG_DNS, .ts_ns = e->rec.ts_ns, .rec = &e->rec};
    e->m.dns = (struct dns_msg){.response = true,
                                .service = PROTO_DNS,
                                .n_questions = 1,
                                .n_addresses = n,
                                .tcp = random_one_in(r, 20),
                                .matched = random_one_in(r, 2),
                                .question_hash = name / 2, /* as good as none */
                                .questions = &e->question,
                                .addresses = e->addresses};
    e->m.dns.query_ts_ns = e->m.ts_ns - random_below(r, 90) * 1000000 + 5000000;
}

static void tell(struct window *w, const struct msg *m)
{
    struct message_hint hint;
    uint64_t ts_ns[PART_N];
    window_message_hint(w, m, 1, &hint);
    window_message(w, m, &hint, window_parts(m, ts_ns), VANTAGE_LAN);
}

static struct window *window_made(const struct config *c)
{
    struct window *w;
    struct err e;
    assert_true(window_new(&w, c, &e));
    window_reset(w, START_S, 3600);
    return w;
}

static unsigned sets_in(const struct window *w)
{
    unsigned n = 0;
    for (unsigned i = 0; i < ANSWER_SETS; i++)
        n += w->answer_sets.place[i].tag != 0;
    return n;
}

static void as_each_alone(void **state)
{
    (void)state;
    static const unsigned limits[] = {100000, 900, 3};
    for (unsigned k = 0; k < 3; k++) {
        struct config c = config_default();
        c.limits.bindings = limits[k];
        c.limits.dns = k == 0 ? 1000 : 3;
        struct window *all = window_made(&c), *one = window_made(&c), *sum = window_made(&c);
        struct random r = {k + 1};
        unsigned most = 0;
        for (unsigned i = 0; i < MESSAGES; i++) {
            struct response e;
            response_of(&r, &e);
            tell(all, &e.m);
            tell(one, &e.m);
            window_merge(sum, one);
            window_reset(one, START_S, 3600);
            most = sets_in(all) > most ? sets_in(all) : most;
            if (i % 5000 == 4999) { /* read on the way */
                window_settle(all);
                assert_int_equal(sets_in(all), 0);
            }
        }
        assert_true(k > 0 || most > 200);
        const char *why = windows_differ(all, sum);
        if (why != NULL)
            fail_msg("limit %u: %s", limits[k], why);
        window_free(all);
        window_free(one);
        window_free(sum);
    }
}

/* The tag is but a number: all else must be the same. */
static void found_by_content(void **state)
{
    (void)state;
    struct config c = config_default();
    struct window *w = window_made(&c);
    struct random r = {7};
    struct response e;
    do
        response_of(&r, &e);
    while (e.m.dns.n_addresses != 4 || e.addresses[3].ttl_s != e.addresses[0].ttl_s);
    uint64_t site = e.rec.client[SIDE_DST].site;
    uint32_t tag = answer_set_tag(w, site, &e.m.dns);
    for (int i = 0; i < 2; i++) {
        assert_null(answer_set_find(w, tag, site, &e.m.dns));
        tell(w, &e.m);
    }
    assert_non_null(answer_set_find(w, tag, site, &e.m.dns));
    assert_null(answer_set_find(w, tag ^ 1u << 31, site, &e.m.dns));
    assert_null(answer_set_find(w, tag, site + 1, &e.m.dns));
    e.name[1] ^= 1;
    assert_null(answer_set_find(w, tag, site, &e.m.dns));
    e.name[1] ^= 1;
    e.addresses[1].addr.b[15] ^= 1;
    assert_null(answer_set_find(w, tag, site, &e.m.dns));
    e.addresses[1].addr.b[15] ^= 1;
    e.addresses[2].ttl_s++;
    assert_null(answer_set_find(w, tag, site, &e.m.dns));
    e.addresses[2].ttl_s--;
    e.m.dns.n_addresses--;
    assert_null(answer_set_find(w, tag, site, &e.m.dns));
    e.addresses[4] = e.addresses[3];
    e.m.dns.n_addresses += 2;
    assert_null(answer_set_find(w, tag, site, &e.m.dns));
    e.m.dns.n_addresses--;
    assert_non_null(answer_set_find(w, tag, site, &e.m.dns));
    window_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_each_alone),
        cmocka_unit_test(found_by_content),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
