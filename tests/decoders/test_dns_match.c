#include "decoders/dns_match.h"
#include "decoders/dns_name.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdio.h>

#define MS UINT64_C(1000000)
#define T0 (UINT64_C(1520726400000) * MS)

enum { A, B, C };

/* One message of a story, and what is to be said of it. */
struct step {
    char kind;      /* 'q' or 'r' */
    uint64_t at_ms; /* after T0 */
    uint16_t id;
    const char *name; /* NULL: no question */
    const char *want; /* m: matched, d: duplicate */
    uint64_t query_ms;
    uint16_t qtype;         /* 0: A */
    uint16_t qclass;        /* 0: IN */
    uint16_t client_port;   /* 0: 5000 */
    uint8_t client, server; /* 0: A and B */
    uint16_t origin;
    bool tcp;
    uint8_t site;
    bool backwards; /* the record is of a packet the other way (reassembly) */
};

static struct dns_match *table;

static int fresh(void **state)
{
    (void)state;
    struct err e;
    return dns_match_new(&table, 64, 1, &e) ? 0 : -1;
}

static int over(void **state)
{
    (void)state;
    dns_match_free(table);
    return 0;
}

static struct dns_msg see(struct dns_match *t, const struct step *s)
{
    struct addr client = addr_v4((uint8_t[]){10, 0, 0, s->client});
    struct addr server = addr_v4((uint8_t[]){10, 0, 1, s->server});
    uint16_t port = s->client_port ? s->client_port : 5000;
    bool from_client = (s->kind == 'q') != s->backwards;
    struct rec rec = {
        .ts_ns = T0 + s->at_ms * MS,
        .origin = s->origin,
        .site = s->site,
        .src = from_client ? client : server,
        .dst = from_client ? server : client,
        .sport = from_client ? port : 53,
        .dport = from_client ? 53 : port,
    };
    struct dns_question q = {
        .name = {.p = (const uint8_t *)s->name, .len = s->name ? (uint32_t)strlen(s->name) : 0},
        .qtype = s->qtype ? s->qtype : 1,
        .qclass = s->qclass ? s->qclass : 1,
    };
    struct dns_msg m = {
        .id = s->id,
        .response = s->kind == 'r',
        .tcp = s->tcp,
        .questions = &q,
        .n_questions = s->name != NULL,
        .question_hash = dns_name_hash(q.name),
    };
    /* The key may have been hashed ahead, from the bytes: every other step. */
    uint8_t head[4] = {s->id >> 8, s->id & 0xff, s->kind == 'r' ? 0x80 : 0};
    rec.payload = cur_of(head, sizeof head, sizeof head);
    struct fifo_ahead ahead = {.proto = PROTO_NONE};
    static unsigned calls;
    if (calls++ % 2 == 0 && !s->tcp && !s->backwards) {
        dns_match_ahead(t, &rec, &ahead);
        dns_match_prefetch(t, &ahead);
        assert_int_equal(ahead.proto, PROTO_DNS);
    }
    dns_match_see(t, &rec, s->backwards ? SIDE_DST : SIDE_SRC, &ahead, &m);
    return m;
}

static void tell(const char *name, const struct step *steps, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct dns_msg m = see(table, &steps[i]);
        char got[4];
        snprintf(got, sizeof got, "%s%s", m.matched ? "m" : "", m.duplicate ? "d" : "");
        if (strcmp(got, steps[i].want) != 0)
            fail_msg("%s, step %zu: \"%s\", wanted \"%s\"", name, i, got, steps[i].want);
        assert_int_equal(m.query_ts_ns, m.matched ? T0 + steps[i].query_ms * MS : 0);
    }
}
#define TELL(name, ...)                                                                            \
    do {                                                                                           \
        static const struct step steps[] = {__VA_ARGS__};                                          \
        tell(name, steps, sizeof steps / sizeof *steps);                                           \
        dns_match_origin_end(table, 0);                                                            \
    } while (0)

static void what_matches(void **state)
{
    (void)state;
    TELL("query, response", {'q', 0, 7, "a.example", .want = ""},
         {'r', 20, 7, "a.example", .want = "m", .query_ms = 0});
    TELL("case does not count", {'q', 0, 7, "aPi.TELLdus.com.EXAMPLE", .want = ""},
         {'r', 20, 7, "ApI.tellDUS.com.example", .want = "m", .query_ms = 0});
    TELL("nor in a short name", {'q', 0, 7, "aPi", .want = ""},
         {'r', 20, 7, "ApI", .want = "m", .query_ms = 0});
    TELL("the root", {'q', 0, 7, ".", .want = "", .qtype = 2},
         {'r', 20, 7, ".", .want = "m", .query_ms = 0, .qtype = 2});
    TELL("over TCP", {'q', 0, 7, "a.example", .want = "", .tcp = true},
         {'r', 20, 7, "a.example", .want = "m", .query_ms = 0, .tcp = true});
    TELL("told by a packet of the other side", {'q', 0, 7, "a", .want = "", .backwards = true},
         {'r', 20, 7, "a", .want = "m", .query_ms = 0, .backwards = true});
    TELL("at the same time", {'q', 5, 7, "a", .want = ""},
         {'r', 5, 7, "a", .want = "m", .query_ms = 5});
    TELL("10 s later", {'q', 0, 7, "a", .want = ""},
         {'r', 10000, 7, "a", .want = "m", .query_ms = 0});
    TELL("without its question", {'q', 0, 7, "a", .want = ""},
         {'r', 20, 7, NULL, .want = "m", .query_ms = 0}, {'r', 21, 7, NULL, .want = "d"},
         {'r', 22, 7, "a", .want = "d"});
    TELL("without its question: the youngest", {'q', 0, 7, "a", .want = ""},
         {'q', 1, 7, "b", .want = ""}, {'r', 20, 7, NULL, .want = "m", .query_ms = 1},
         {'r', 21, 7, NULL, .want = "m", .query_ms = 0}, {'r', 22, 7, NULL, .want = "d"});
    TELL("several at once", {'q', 0, 7, "a", .want = ""}, {'q', 1, 7, "a", .want = "", .qtype = 28},
         {'q', 2, 8, "a", .want = ""}, {'r', 20, 8, "a", .want = "m", .query_ms = 2},
         {'r', 21, 7, "a", .want = "m", .query_ms = 1, .qtype = 28},
         {'r', 22, 7, "a", .want = "m", .query_ms = 0});
}

static void what_does_not(void **state)
{
    (void)state;
#define ASK {'q', 100, 7, "a", .want = ""}
    TELL("no query", {'r', 20, 7, "a", .want = ""});
    TELL("another id", ASK, {'r', 120, 8, "a", .want = ""});
    TELL("another name", ASK, {'r', 120, 7, "b", .want = ""});
    TELL("another type", ASK, {'r', 120, 7, "a", .want = "", .qtype = 28});
    TELL("another class", ASK, {'r', 120, 7, "a", .want = "", .qclass = 3});
    TELL("another server", ASK, {'r', 120, 7, "a", .want = "", .server = C});
    TELL("another client", ASK, {'r', 120, 7, "a", .want = "", .client = C});
    TELL("another port", ASK, {'r', 120, 7, "a", .want = "", .client_port = 5001});
    TELL("another transport", ASK, {'r', 120, 7, "a", .want = "", .tcp = true});
    TELL("another home with the same addresses", ASK, {'q', 50, 7, "a", .want = "", .site = 1},
         {'r', 110, 7, "a", .want = "", .site = 2},
         {'r', 120, 7, "a", .want = "m", .query_ms = 50, .site = 1});
    TELL("another capture", ASK, {'r', 120, 7, "a", .want = "", .origin = 1});
    TELL("later than 10 s", ASK, {'r', 10101, 7, "a", .want = ""});
    TELL("before its query", ASK, {'r', 99, 7, "a", .want = ""});
    TELL("a query without a question", {'q', 0, 7, NULL, .want = ""}, {'r', 20, 7, "a", .want = ""},
         {'r', 21, 7, NULL, .want = "m", .query_ms = 0});
    assert_int_equal(dns_match_turned_away(table), 0);
}

static void duplicates(void **state)
{
    (void)state;
    TELL("a response twice", {'q', 0, 7, "a", .want = ""},
         {'r', 20, 7, "a", .want = "m", .query_ms = 0}, {'r', 21, 7, "a", .want = "d"});
    TELL("a query twice: the first stays", {'q', 0, 7, "a", .want = ""},
         {'q', 1000, 7, "A", .want = "d"}, {'r', 1020, 7, "a", .want = "m", .query_ms = 0},
         {'r', 1021, 7, "a", .want = "d"});
    TELL("the id used again", {'q', 0, 7, "a", .want = ""},
         {'r', 20, 7, "a", .want = "m", .query_ms = 0}, {'q', 1000, 7, "a", .want = ""},
         {'r', 1020, 7, "a", .want = "m", .query_ms = 1000}, {'r', 1021, 7, "a", .want = "d"});
    TELL("unanswered, and again after 10 s", {'q', 0, 7, "a", .want = ""},
         {'q', 10001, 7, "a", .want = ""}, {'r', 10020, 7, "a", .want = "m", .query_ms = 10001});
    assert_int_equal(dns_match_turned_away(table), 0);
}

/* Queries that differ in nothing but the question: 15 are held beside the latest. */
static void same_id_and_ports(void **state)
{
    (void)state;
    static char names[40][16];
    for (int i = 0; i < 40; i++) {
        snprintf(names[i], sizeof names[i], "n%d", i);
        struct step q = {'q', (uint64_t)i, 7, names[i], .want = ""};
        see(table, &q);
        assert_int_equal(dns_match_turned_away(table), i < 16 ? 0 : i - 15);
    }
    for (int i = 0; i < 40; i++) {
        struct step r = {'r', 100, 7, names[i], .want = ""};
        assert_int_equal(see(table, &r).matched, i >= 24);
    }
}

static void an_ended_capture_is_forgotten(void **state)
{
    (void)state;
    struct step q = {'q', 0, 7, "a", .want = "", .origin = 9};
    struct step r = {'r', 10, 7, "a", .want = "", .origin = 9};
    see(table, &q);
    r.origin = 8;
    assert_false(see(table, &r).matched); /* another capture, as old as this one */
    r.origin = 9;
    dns_match_origin_end(table, 9);
    assert_false(see(table, &r).matched);
    see(table, &q);
    dns_match_origin_end(table, 8);
    assert_true(see(table, &r).matched);
}

static struct step nth(char kind, unsigned i, uint64_t at_ms)
{
    return (struct step){
        .kind = kind,
        .at_ms = at_ms,
        .id = (uint16_t)i,
        .name = "a.example",
        .client_port = (uint16_t)(1024 + (i >> 16)),
        .client = (uint8_t)(i % 251),
    };
}

/* As many as the limit are held for 10 s, whatever the table's size was at first; past it every
 * loss counts. */
static void the_limit(void **state)
{
    (void)state;
    enum { LIMIT = 1 << 15, EXTRA = 1000 };
    struct dns_match *t;
    struct err e;
    assert_true(dns_match_new(&t, LIMIT, 1, &e));
    for (unsigned i = 0; i < LIMIT; i++) {
        struct step q = nth('q', i, i / 4);
        see(t, &q);
    }
    assert_int_equal(dns_match_turned_away(t), 0);
    for (unsigned i = LIMIT; i < LIMIT + EXTRA; i++) {
        struct step q = nth('q', i, i / 4);
        see(t, &q);
    }
    assert_int_equal(dns_match_turned_away(t), EXTRA);
    for (unsigned i = 0; i < LIMIT + EXTRA; i++) {
        struct step r = nth('r', i, (LIMIT + EXTRA) / 4);
        assert_int_equal(see(t, &r).matched, i >= EXTRA);
    }
    dns_match_free(t);
    dns_match_free(NULL);
}

/* A quiet day through a small table: nothing younger than 10 s is ever lost, nothing is counted. */
static void old_queries_make_room(void **state)
{
    (void)state;
    struct dns_match *t;
    struct err e;
    assert_true(dns_match_new(&t, 4096, 1, &e));
    for (unsigned i = 0; i < 100000; i++) {
        struct step q = nth('q', i, (uint64_t)i * 4); /* 3000 in 12 s */
        see(t, &q);
        if (i < 2499)
            continue;
        struct step r = nth('r', i - 2499, (uint64_t)i * 4); /* 9996 ms old */
        assert_true(see(t, &r).matched);
    }
    assert_int_equal(dns_match_turned_away(t), 0);
    dns_match_free(t);
}

/* What is found must not depend on other flows; where packet time jumps back it might, and that is
 * counted. */
static void a_jump_back_is_counted(void **state)
{
    (void)state;
    struct step q = nth('q', 0, 0);
    see(table, &q);
    for (unsigned i = 1; i <= 64; i++) {
        q = nth('q', i, 100000);
        see(table, &q);
    }
    assert_int_equal(dns_match_turned_away(table), 0);
    struct step r = nth('r', 0, 20);
    assert_false(see(table, &r).matched);
    assert_int_equal(dns_match_turned_away(table), 1);
    r = nth('r', 1000, 100000); /* no query, no jump */
    see(table, &r);
    assert_int_equal(dns_match_turned_away(table), 1);
}

/* The same flow, alone and among 20 000 others: the same is said of it. */
static void others_do_not_matter(void **state)
{
    (void)state;
    enum { OWN = 200 };
    struct dns_match *alone, *among;
    struct err e;
    uint32_t x = 1;
    assert_true(dns_match_new(&alone, 1 << 16, 1, &e));
    assert_true(dns_match_new(&among, 1 << 16, 1, &e));
    for (unsigned i = 0; i < OWN * 100; i++) {
        x = x * 1664525 + 1013904223;
        bool own = i % 100 == 0;
        struct step s =
            nth(x >> 31 ? 'q' : 'r', own ? x >> 16 & 3 : 100 + (x >> 8 & 0xfff), i / 10);
        s.client = own ? 255 : 1;
        struct dns_msg b = see(among, &s);
        if (!own)
            continue;
        struct dns_msg a = see(alone, &s);
        assert_int_equal(a.matched, b.matched);
        assert_int_equal(a.duplicate, b.duplicate);
        assert_int_equal(a.query_ts_ns, b.query_ts_ns);
    }
    assert_int_equal(dns_match_turned_away(among), 0);
    dns_match_free(alone);
    dns_match_free(among);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_matches, fresh, over),
        cmocka_unit_test_setup_teardown(what_does_not, fresh, over),
        cmocka_unit_test_setup_teardown(duplicates, fresh, over),
        cmocka_unit_test_setup_teardown(same_id_and_ports, fresh, over),
        cmocka_unit_test_setup_teardown(an_ended_capture_is_forgotten, fresh, over),
        cmocka_unit_test(the_limit),
        cmocka_unit_test(old_queries_make_room),
        cmocka_unit_test_setup_teardown(a_jump_back_is_counted, fresh, over),
        cmocka_unit_test(others_do_not_matter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
