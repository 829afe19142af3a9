/* The clock of live packets: held to a real-time clock that drifts, is slewed and is set, without
 * ever running backwards; read by threads while it is anchored. */
#include "ingest/clock_source.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <time.h>

#include <cmocka.h>

#define S UINT64_C(1000000000)

/* A machine whose time the test turns on. True time is `ns`; the counter has 3 ticks a nanosecond,
 * bent by `ppm`; UTC is true time from `epoch` on, bent by `slew_ppm`, plus what it was set by. */
static struct {
    uint64_t ns, epoch;
    double ticks, mono;
    double ticks_per_ns, slew_ppm;
    int64_t set_ns;
    uint64_t read_ns; /* what a reading takes */
} world;

static void turn(uint64_t ns)
{
    world.ns += ns;
    world.ticks += (double)ns * world.ticks_per_ns;
    world.mono += (double)ns * (1 + world.slew_ppm / 1e6);
}

static uint64_t fake_ticks(void *ctx)
{
    (void)ctx;
    return (uint64_t)world.ticks;
}

static uint64_t fake_mono(void *ctx)
{
    (void)ctx;
    turn(world.read_ns);
    return (uint64_t)world.mono;
}

static uint64_t real(void)
{
    return world.epoch + (uint64_t)world.mono + (uint64_t)world.set_ns;
}

static uint64_t fake_real(void *ctx)
{
    (void)ctx;
    turn(world.read_ns);
    return real();
}

static void fake_pause(void *ctx, uint64_t ns)
{
    (void)ctx;
    assert_true(ns <= 20000000);
    turn(ns);
}

static const struct clock_source fake = {fake_ticks, fake_real, fake_mono, fake_pause, NULL};
static struct clock *c;
static struct clock_view view;

static int setup(void **state)
{
    (void)state;
    world.ns = 0;
    world.epoch = 1700000000 * S;
    world.ticks = 12345678;
    world.mono = 0;
    world.ticks_per_ns = 3;
    world.slew_ppm = 0;
    world.set_ns = 0;
    world.read_ns = 30;
    view.last_ns = 0;
    c = clock_new_from(&fake);
    assert_non_null(c);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    clock_free(c);
    return 0;
}

/* Our time less the real. */
static int64_t ahead(void)
{
    uint64_t before = view.last_ns, now = clock_now(c, &view);
    assert_true(now >= before);
    return (int64_t)(now - real());
}

static void assert_near(int64_t got, int64_t want, int64_t off)
{
    if (got < want - off || got > want + off)
        fail_msg("%lld is not within %lld of %lld", (long long)got, (long long)off,
                 (long long)want);
}

/* A second in `n` readings, then an anchor. */
static bool second(int n)
{
    for (int i = 0; i < n; i++) {
        turn(S / (uint64_t)n);
        ahead();
    }
    return clock_anchor(c);
}

static void test_steady(void **state)
{
    (void)state;
    assert_near(ahead(), 0, 1000);
    for (int i = 0; i < 100; i++) {
        assert_false(second(7));
        assert_near(ahead(), 0, i == 0 ? 20000 : 500);
    }
    struct clock_state got = clock_state(c);
    assert_int_equal(got.steps, 0);
    assert_false(got.tsc);
    assert_in_range(got.error_ns, 1, 1000);
}

/* The counter runs as it likes; chrony slews the real-time clock by up to 500 ppm. */
static void test_drift(void **state)
{
    (void)state;
    second(1);
    world.slew_ppm = 500;
    assert_false(second(9));
    assert_near(ahead(), -500000, 5000); /* found at the anchor */
    assert_in_range(clock_state(c).error_ns, 490000, 510000);
    assert_false(second(9));
    assert_near(ahead(), 0, 2000); /* mended, and the rate is learnt */
    assert_false(second(9));
    assert_near(ahead(), 0, 2000);
    world.slew_ppm = -500;
    for (int i = 0; i < 3; i++)
        assert_false(second(9));
    assert_near(ahead(), 0, 2000);
    for (int i = 0; i < 64; i++)
        assert_false(second(1));
    assert_in_range(clock_state(c).error_ns, 1, 2000); /* what was is forgotten */
}

/* Set by less than a second (a leap second: by one): mended within the next second. */
static void test_small_errors(void **state)
{
    (void)state;
    static const int64_t by[] = {1000000, -1000000, 999000000, -999000000, -1000000000};
    for (int i = 0; i < 5; i++) {
        second(3);
        second(3);
        world.set_ns += by[i];
        assert_false(clock_anchor(c));
        assert_near(ahead(), -by[i], 3000);
        turn(S / 2);
        assert_near(ahead(), -by[i] / 2, 3000);
        turn(S / 2);
        assert_near(ahead(), 0, 3000);
        turn(5 * S); /* an anchor that comes late: no more is mended than was found */
        assert_near(ahead(), 0, 10000);
        assert_false(clock_anchor(c));
    }
    assert_int_equal(clock_state(c).steps, 0);
}

static void test_forward(void **state)
{
    (void)state;
    second(3);
    world.set_ns += (int64_t)(3600 * S);
    assert_near(ahead(), -(int64_t)(3600 * S), 3000);
    assert_true(clock_anchor(c));
    assert_near(ahead(), 0, 3000);
    assert_false(second(3));
    assert_near(ahead(), 0, 3000);
    struct clock_state got = clock_state(c);
    assert_int_equal(got.steps, 1);
    assert_near(got.last_step_ns, (int64_t)(3600 * S), 3000);
    assert_in_range(got.error_ns, 1, 20000); /* a step is told as a step */
}

static void test_backward(void **state)
{
    (void)state;
    second(3);
    second(3);
    ahead();
    world.set_ns -= (int64_t)(5 * S);
    assert_true(second(1));
    uint64_t stood = clock_now(c, &view);
    for (int i = 0; i < 4; i++) { /* stands still, and it is one step */
        assert_false(second(10));
        assert_near((int64_t)(clock_now(c, &view) - stood), 0, 3000);
    }
    assert_in_range(clock_state(c).error_ns, 5 * S - 5000, 5 * S + 5000);
    for (int i = 0; i < 3; i++)
        assert_false(second(10));
    assert_near(ahead(), 0, 3000);
    struct clock_state got = clock_state(c);
    assert_int_equal(got.steps, 1);
    assert_near(got.last_step_ns, -(int64_t)(5 * S), 3000);
}

/* No anchor comes: time goes on by itself once the real clock has caught up. */
static void test_backward_alone(void **state)
{
    (void)state;
    second(3);
    world.set_ns -= (int64_t)(10 * S);
    assert_true(clock_anchor(c));
    turn(9 * S);
    assert_near(ahead(), (int64_t)S, 3000);
    turn(2 * S);
    assert_near(ahead(), 0, 20000);
    /* set forwards again while it stands */
    world.set_ns -= (int64_t)(10 * S);
    assert_true(clock_anchor(c));
    world.set_ns += (int64_t)(20 * S);
    assert_true(clock_anchor(c));
    assert_near(ahead(), 0, 20000);
    assert_int_equal(clock_state(c).steps, 3);
}

/* The machine sleeps: true time and the real clock go on, the counter may, the monotonic one does
 * not. */
static void test_sleep(void **state)
{
    (void)state;
    second(3);
    second(3);
    world.set_ns += (int64_t)(600 * S); /* the counter slept too */
    assert_true(second(1));
    assert_near(ahead(), 0, 3000);
    world.set_ns += (int64_t)(600 * S); /* the counter went on: nobody saw a step */
    world.ticks += 600e9 * 3;
    assert_false(second(1));
    assert_near(ahead(), 0, 100000);
    assert_false(second(1));
    assert_near(ahead(), 0, 3000);
    assert_int_equal(clock_state(c).steps, 1);
}

/* A counter that changes its rate for good (a virtual machine moved to another host). */
static void test_other_rate(void **state)
{
    (void)state;
    second(3);
    second(3);
    world.ticks_per_ns = 2.5;
    for (int i = 0; i < 6; i++)
        assert_false(second(5));
    assert_near(ahead(), 0, 3000);
}

/* A span of the counter, told by the rate of now. */
static void test_span(void **state)
{
    (void)state;
    uint64_t began = clock_ticks(c);
    turn(5000);
    assert_near((int64_t)clock_span_ns(c, clock_ticks(c) - began), 5000, 5);
    assert_int_equal(clock_span_ns(c, 0), 0);
}

/* Readings that take long say so, and the rate known from better ones stays. */
static void test_slow_readings(void **state)
{
    (void)state;
    second(3);
    second(3);
    uint64_t small = clock_state(c).error_ns;
    world.read_ns = 2000000;
    assert_false(second(1));
    assert_in_range(clock_state(c).error_ns, 2000000, 10000000);
    assert_true(clock_state(c).error_ns > small);
    world.read_ns = 30;
    assert_false(second(1));
    assert_false(second(1));
    assert_near(ahead(), 0, 3000);
}

static void test_standing_counter(void **state)
{
    (void)state;
    world.ticks_per_ns = 0;
    assert_null(clock_new_from(&fake));
}

/* The machine's own clocks, set by the test while threads read. */
static _Atomic int64_t set_by;
static atomic_bool over;
static struct clock *shared;

static uint64_t gettime(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (uint64_t)t.tv_sec * S + (uint64_t)t.tv_nsec;
}

static uint64_t set_real(void *ctx)
{
    (void)ctx;
    return gettime(CLOCK_REALTIME) + (uint64_t)atomic_load(&set_by);
}

static uint64_t own_mono(void *ctx)
{
    (void)ctx;
    return gettime(CLOCK_MONOTONIC);
}

static void own_pause(void *ctx, uint64_t ns)
{
    (void)ctx;
    nanosleep(&(struct timespec){.tv_nsec = (long)ns}, NULL);
}

static void *reads(void *arg)
{
    struct clock_view mine = {0};
    uint64_t last = 0, n = 0;
    uint64_t low = gettime(CLOCK_REALTIME) - 100 * S, high = low + 100000 * S;
    while (!atomic_load_explicit(&over, memory_order_relaxed)) {
        uint64_t now = clock_now(shared, &mine);
        if (now < last || now < low || now > high)
            return "time ran backwards, or from one line to another";
        last = now;
        if (++n % 4096 == 0) {
            struct clock_state s = clock_state(shared);
            (void)s;
        }
    }
    *(uint64_t *)arg = n;
    return NULL;
}

static void read_while_anchoring(struct clock *which)
{
    if (which == NULL)
        return; /* no such counter here */
    shared = which;
    atomic_store(&over, false);
    pthread_t threads[3];
    uint64_t n[3] = {0};
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, reads, &n[i]), 0);
    uint64_t steps = 0;
    for (int i = 0; i < 20000; i++) {
        if (i % 1000 == 500)
            atomic_fetch_add(&set_by, i % 4000 == 3500 ? -(int64_t)(7 * S) : (int64_t)(2 * S));
        else if (i % 10 == 0)
            atomic_fetch_add(&set_by, i % 20 == 0 ? 3000000 : -3000000);
        steps += clock_anchor(shared);
    }
    atomic_store(&over, true);
    for (int i = 0; i < 3; i++) {
        void *why;
        pthread_join(threads[i], &why);
        if (why != NULL)
            fail_msg("%s", (const char *)why);
        assert_true(n[i] > 0);
    }
    assert_int_equal(steps, 20);
    assert_int_equal(clock_state(shared).steps, 20);
    clock_free(shared);
}

static void test_threads(void **state)
{
    (void)state;
    struct clock_source s = {own_mono, set_real, own_mono, own_pause, NULL};
    read_while_anchoring(clock_new_from(&s));
    struct clock *system = clock_new();
    assert_non_null(system);
    if (clock_state(system).tsc) { /* the counter itself */
        s.ticks = NULL;
        read_while_anchoring(clock_new_from(&s));
    }
    clock_free(system);
}

/* A reader that loses its processor between two lines never mixes them: the slot of its line is
 * written only two turns later, and then it reads again. Here the counter itself anchors, twice. */
static int anchors_left;

static uint64_t anchoring_ticks(void *ctx)
{
    if (anchors_left > 0) {
        int n = anchors_left;
        anchors_left = 0;
        world.set_ns += (int64_t)(1000 * S);
        for (int i = 0; i < n; i++)
            clock_anchor(c);
    }
    return fake_ticks(ctx);
}

static void test_overtaken_reader(void **state)
{
    (void)state;
    clock_free(c);
    struct clock_source s = fake;
    s.ticks = anchoring_ticks;
    c = clock_new_from(&s);
    assert_non_null(c);
    for (int n = 1; n <= 4; n++) {
        turn(S);
        anchors_left = n;
        assert_near(ahead(), 0, 20000);
    }
}

/* A reader that reads while the anchor is taken, and again when it has been, at a slower rate. */
static uint64_t read_then_mono(void *ctx)
{
    uint64_t ns = fake_mono(ctx);
    if (c != NULL)
        ahead();
    return ns;
}

static void test_read_during_anchor(void **state)
{
    (void)state;
    clock_free(c);
    c = NULL;
    struct clock_source s = fake;
    s.mono_ns = read_then_mono;
    c = clock_new_from(&s);
    assert_non_null(c);
    world.read_ns = 1000000;
    second(1);
    world.set_ns -= (int64_t)(5 * S);
    assert_true(second(1));
    ahead();
}

/* As the machine has it: near its real-time clock. */
static void test_system(void **state)
{
    (void)state;
    struct clock *system = clock_new();
    assert_non_null(system);
    struct clock_view v = {0};
    for (int i = 0; i < 3; i++) {
        uint64_t before = gettime(CLOCK_REALTIME);
        uint64_t now = clock_now(system, &v);
        uint64_t after = gettime(CLOCK_REALTIME);
        uint64_t error = clock_state(system).error_ns + S / 10; /* however busy the machine */
        assert_true(now + error >= before && now <= after + error);
        own_pause(NULL, 100000000);
        assert_false(clock_anchor(system));
    }
    clock_free(system);
    clock_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_steady, setup, teardown),
        cmocka_unit_test_setup_teardown(test_drift, setup, teardown),
        cmocka_unit_test_setup_teardown(test_small_errors, setup, teardown),
        cmocka_unit_test_setup_teardown(test_forward, setup, teardown),
        cmocka_unit_test_setup_teardown(test_backward, setup, teardown),
        cmocka_unit_test_setup_teardown(test_backward_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(test_sleep, setup, teardown),
        cmocka_unit_test_setup_teardown(test_other_rate, setup, teardown),
        cmocka_unit_test_setup_teardown(test_span, setup, teardown),
        cmocka_unit_test_setup_teardown(test_slow_readings, setup, teardown),
        cmocka_unit_test_setup_teardown(test_standing_counter, setup, teardown),
        cmocka_unit_test_setup_teardown(test_overtaken_reader, setup, teardown),
        cmocka_unit_test_setup_teardown(test_read_during_anchor, setup, teardown),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_system),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
