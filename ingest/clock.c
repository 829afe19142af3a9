#include "ingest/clock_source.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#include <x86intrin.h>

static const bool tsc_there = true;
#else
static const bool tsc_there = false;
#endif

#define SECOND_NS      UINT64_C(1000000000)
#define CALIBRATION_NS UINT64_C(10000000)

enum { ERRORS_KEPT = 64, TRIES = 5, ODD_RATES_MAX = 2 };

__extension__ typedef unsigned __int128 wide;

/* A line of two parts: for `slew_ticks` time goes at a rate that mends the error found at the
 * anchor, then at the counter's own. Rates are nanoseconds a tick, times 2^32. */
struct line {
    uint64_t tick, ns;
    uint64_t slew_ticks, slew_rate;
    uint64_t rate;
};

/* All that a reader touches. Lines are written in turn to one of two slots, so a reader never waits
 * for a writer that lost its processor: it reads again only if a line was published meanwhile. */
struct slot {
    _Atomic uint64_t tick, ns, slew_ticks, slew_rate, rate;
};

struct clock {
    _Atomic uint64_t turn; /* slot turn % 2 holds */
    struct slot slots[2];
    struct clock_source source;

    _Atomic uint64_t error_ns, steps;
    _Atomic int64_t last_step_ns;

    /* the anchoring thread's own */
    struct line line;
    uint64_t last_tick, last_real_ns, last_mono_ns, last_unsure_ns;
    uint64_t rate_unsure_ppb; /* of line.rate */
    unsigned odd_rates;       /* in a row, more than 1 % off the one in use */
    uint64_t errors_ns[ERRORS_KEPT];
    unsigned n_errors;
};

/* Both clocks read at one tick, so well as could be done. */
struct sample {
    uint64_t tick, real_ns, mono_ns;
    uint64_t ticks_unsure;
};

uint64_t clock_ticks(const struct clock *c)
{
#if defined(__x86_64__) || defined(__i386__)
    if (c->source.ticks == NULL)
        return __rdtsc();
#endif
    return c->source.ticks(c->source.ctx);
}

static uint64_t ns_of(uint64_t ticks, uint64_t rate)
{
    return (uint64_t)((wide)ticks * rate >> 32);
}

static uint64_t rate_of(uint64_t ns, uint64_t ticks)
{
    wide rate = ((wide)ns << 32) / ticks;
    return rate > UINT64_MAX ? UINT64_MAX : (uint64_t)rate;
}

static uint64_t ticks_of(uint64_t ns, uint64_t rate)
{
    wide ticks = ((wide)ns << 32) / rate;
    return ticks > UINT64_MAX ? UINT64_MAX : (uint64_t)ticks;
}

static uint64_t line_at(const struct line *l, uint64_t tick)
{
    if ((int64_t)(tick - l->tick) <= 0) /* read before the anchor, or by another processor */
        return l->ns;
    uint64_t ticks = tick - l->tick;
    if (ticks <= l->slew_ticks)
        return l->ns + ns_of(ticks, l->slew_rate);
    return l->ns + ns_of(l->slew_ticks, l->slew_rate) + ns_of(ticks - l->slew_ticks, l->rate);
}

/* Stores with release, loads with acquire: whoever reads a value of a later turn also sees, in
 * `turn`, that it has come. (The usual fences say the same; ThreadSanitizer does not know them.) */
static void publish(struct clock *c, const struct line *l)
{
    uint64_t turn = atomic_load_explicit(&c->turn, memory_order_relaxed) + 1;
    struct slot *s = &c->slots[turn % 2];
    atomic_store_explicit(&s->tick, l->tick, memory_order_release);
    atomic_store_explicit(&s->ns, l->ns, memory_order_release);
    atomic_store_explicit(&s->slew_ticks, l->slew_ticks, memory_order_release);
    atomic_store_explicit(&s->slew_rate, l->slew_rate, memory_order_release);
    atomic_store_explicit(&s->rate, l->rate, memory_order_release);
    atomic_store_explicit(&c->turn, turn, memory_order_release);
    c->line = *l;
}

uint64_t clock_span_ns(const struct clock *c, uint64_t ticks)
{
    uint64_t turn = atomic_load_explicit(&c->turn, memory_order_acquire);
    return ns_of(ticks, atomic_load_explicit(&c->slots[turn % 2].rate, memory_order_relaxed));
}

uint64_t clock_now(const struct clock *c, struct clock_view *v)
{
    struct line l;
    uint64_t turn, tick;
    do {
        turn = atomic_load_explicit(&c->turn, memory_order_acquire);
        const struct slot *s = &c->slots[turn % 2];
        l.tick = atomic_load_explicit(&s->tick, memory_order_acquire);
        l.ns = atomic_load_explicit(&s->ns, memory_order_acquire);
        l.slew_ticks = atomic_load_explicit(&s->slew_ticks, memory_order_acquire);
        l.slew_rate = atomic_load_explicit(&s->slew_rate, memory_order_acquire);
        l.rate = atomic_load_explicit(&s->rate, memory_order_acquire);
        tick = clock_ticks(c);
    } while (atomic_load_explicit(&c->turn, memory_order_relaxed) != turn);
    uint64_t ns = line_at(&l, tick);
    if (ns > v->last_ns)
        v->last_ns = ns;
    return v->last_ns;
}

/* The best of a few tries: whoever loses the processor between two readings tries again. */
static struct sample sample_take(const struct clock *c)
{
    struct sample best = {.ticks_unsure = UINT64_MAX};
    for (int i = 0; i < TRIES; i++) {
        struct sample s;
        uint64_t before = clock_ticks(c);
        s.real_ns = c->source.real_ns(c->source.ctx);
        s.mono_ns = c->source.mono_ns(c->source.ctx);
        s.ticks_unsure = clock_ticks(c) - before;
        s.tick = before + s.ticks_unsure / 2;
        if (s.ticks_unsure < best.ticks_unsure)
            best = s;
    }
    return best;
}

static void error_keep(struct clock *c, uint64_t ns)
{
    c->errors_ns[c->n_errors++ % ERRORS_KEPT] = ns;
    uint64_t most = 0;
    for (unsigned i = 0; i < ERRORS_KEPT; i++)
        most = c->errors_ns[i] > most ? c->errors_ns[i] : most;
    atomic_store_explicit(&c->error_ns, most, memory_order_relaxed);
}

static void remember(struct clock *c, const struct sample *s, uint64_t unsure_ns)
{
    c->last_tick = s->tick;
    c->last_real_ns = s->real_ns;
    c->last_mono_ns = s->mono_ns;
    c->last_unsure_ns = unsure_ns;
}

/* The counter's rate since the last anchor. Kept as it was where this reading is worse than what
 * is known, or so far off that the machine must have slept. */
static uint64_t rate_learn(struct clock *c, const struct sample *s, uint64_t unsure_ns)
{
    uint64_t known = c->line.rate;
    uint64_t ticks = s->tick - c->last_tick, ns = s->mono_ns - c->last_mono_ns;
    if ((int64_t)ticks <= 0 || ns < CALIBRATION_NS / 2)
        return known;
    wide unsure = (wide)(unsure_ns + c->last_unsure_ns) * SECOND_NS / ns;
    uint64_t ppb = unsure > SECOND_NS ? SECOND_NS : (uint64_t)unsure;
    if (ppb > 1000 && ppb > c->rate_unsure_ppb) {
        c->rate_unsure_ppb *= 2; /* what is known gets old */
        return known;
    }
    uint64_t rate = rate_of(ns, ticks);
    uint64_t off = rate > known ? rate - known : known - rate;
    c->odd_rates = off > known / 100 ? c->odd_rates + 1 : 0;
    if (rate == 0 || (c->odd_rates > 0 && c->odd_rates < ODD_RATES_MAX))
        return known;
    c->rate_unsure_ppb = ppb > 0 ? ppb : 1;
    return rate;
}

bool clock_anchor(struct clock *c)
{
    struct sample s = sample_take(c);
    uint64_t unsure_ns = ns_of(s.ticks_unsure, c->line.rate) + 1;
    uint64_t passed = s.tick - c->last_tick;
    uint64_t expected = c->last_real_ns + ((int64_t)passed > 0 ? ns_of(passed, c->line.rate) : 0);
    int64_t jump = (int64_t)(s.real_ns - expected);
    bool stepped = jump > (int64_t)SECOND_NS || jump < -(int64_t)SECOND_NS;

    struct line l = {.tick = s.tick, .ns = line_at(&c->line, s.tick)};
    l.rate = rate_learn(c, &s, unsure_ns);
    int64_t late = (int64_t)(s.real_ns - l.ns); /* of our time behind the real */
    uint64_t off = late < 0 ? (uint64_t)-late : (uint64_t)late;
    if (late > (int64_t)SECOND_NS) {
        l.ns = s.real_ns;
        off = stepped ? 0 : off;
    } else if (late < -(int64_t)SECOND_NS) {
        l.slew_ticks = ticks_of(off, l.rate); /* at rate 0: stands still */
    } else {
        l.slew_ticks = ticks_of(SECOND_NS, l.rate);
        l.slew_rate = rate_of((uint64_t)((int64_t)SECOND_NS + late), l.slew_ticks);
    }
    publish(c, &l);
    error_keep(c, off + unsure_ns);
    remember(c, &s, unsure_ns);
    if (stepped) {
        atomic_store_explicit(&c->last_step_ns, jump, memory_order_relaxed);
        atomic_fetch_add_explicit(&c->steps, 1, memory_order_relaxed);
    }
    return stepped;
}

struct clock_state clock_state(const struct clock *c)
{
    return (struct clock_state){
        .error_ns = atomic_load_explicit(&c->error_ns, memory_order_relaxed),
        .steps = atomic_load_explicit(&c->steps, memory_order_relaxed),
        .last_step_ns = atomic_load_explicit(&c->last_step_ns, memory_order_relaxed),
        .tsc = c->source.ticks == NULL,
    };
}

struct clock *clock_new_from(const struct clock_source *source)
{
    if (source->ticks == NULL && !tsc_there)
        return NULL;
    struct clock *c = calloc(1, sizeof *c);
    if (c == NULL)
        return NULL;
    c->source = *source;
    struct sample a = sample_take(c);
    c->source.pause(c->source.ctx, CALIBRATION_NS);
    struct sample b = sample_take(c);
    uint64_t ticks = b.tick - a.tick, ns = b.mono_ns - a.mono_ns;
    uint64_t rate = (int64_t)ticks > 0 ? rate_of(ns, ticks) : 0;
    if (rate == 0) {
        free(c);
        return NULL;
    }
    uint64_t unsure_ns = ns_of(b.ticks_unsure, rate) + 1;
    uint64_t both_ns = unsure_ns + ns_of(a.ticks_unsure, rate) + 1;
    c->rate_unsure_ppb = (uint64_t)((wide)both_ns * SECOND_NS / ns) + 1;
    publish(c, &(struct line){.tick = b.tick, .ns = b.real_ns, .rate = rate});
    remember(c, &b, unsure_ns);
    error_keep(c, unsure_ns + c->rate_unsure_ppb); /* till the next anchor, in a second */
    return c;
}

static uint64_t gettime(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (uint64_t)t.tv_sec * SECOND_NS + (uint64_t)t.tv_nsec;
}

static uint64_t system_real(void *ctx)
{
    (void)ctx;
    return gettime(CLOCK_REALTIME);
}

static uint64_t system_mono(void *ctx)
{
    (void)ctx;
    return gettime(CLOCK_MONOTONIC);
}

static void system_pause(void *ctx, uint64_t ns)
{
    (void)ctx;
    struct timespec t = {.tv_sec = (time_t)(ns / SECOND_NS), .tv_nsec = (long)(ns % SECOND_NS)};
    nanosleep(&t, NULL);
}

/* The counter goes on at one rate in every state of the processor, and the kernel, which watches
 * it, has not found it wanting (what it found so is no longer in its list). */
static bool tsc_constant(void)
{
#if defined(__x86_64__) || defined(__i386__)
    unsigned a, b, c, d;
    if (!__get_cpuid(0x80000007, &a, &b, &c, &d) || (d >> 8 & 1) == 0)
        return false;
    FILE *f = fopen("/sys/devices/system/clocksource/clocksource0/available_clocksource", "re");
    if (f == NULL)
        return true;
    char list[256] = "";
    bool told = fgets(list, sizeof list, f) != NULL;
    fclose(f);
    return !told || strstr(list, "tsc") != NULL;
#else
    return false;
#endif
}

struct clock *clock_new(void)
{
    struct clock_source s = {.real_ns = system_real, .mono_ns = system_mono, .pause = system_pause};
    struct clock *c = NULL;
    if (tsc_constant())
        c = clock_new_from(&s);
    if (c == NULL) { /* the same, on a counter of nanoseconds */
        s.ticks = system_mono;
        c = clock_new_from(&s);
    }
    return c;
}

void clock_free(struct clock *c)
{
    free(c);
}
