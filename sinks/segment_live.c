#include "sinks/rowjson_value.h"
#include "sinks/segment_end.h"

static const char *const clocks[] = {[SEGMENT_CLOCK_TSC] = "tsc",
                                     [SEGMENT_CLOCK_NIC] = "nic",
                                     [SEGMENT_CLOCK_CAPTURE] = "capture",
                                     [SEGMENT_CLOCK_SYSTEM] = "system"};
static const char *const partials[] = {[SEGMENT_PARTIAL_STARTED] = "started",
                                       [SEGMENT_PARTIAL_SHUTDOWN] = "shutdown",
                                       [SEGMENT_PARTIAL_CLOCK_STEP] = "clock_step",
                                       [SEGMENT_PARTIAL_WORKER_HUNG] = "worker_hung"};
static const char *const unwritten[] = {
    [SEGMENT_UNWRITTEN_EVENTS] = "events", [SEGMENT_UNWRITTEN_FLAGS] = "flags"};
static_assert(sizeof clocks / sizeof *clocks == SEGMENT_CLOCK_N, "a name per clock");
static_assert(sizeof partials / sizeof *partials == SEGMENT_PARTIAL_N, "a name per reason");
static_assert(sizeof unwritten / sizeof *unwritten == SEGMENT_UNWRITTEN_N, "a name per kind");

/* Members in the order written; bit sets are uint8_t, counts uint64_t. */
#define AT(m) offsetof(struct segment_live, m)
static const struct field members[] = {
    {"clock", F_BITS16, AT(clocks), SEGMENT_CLOCK_N, clocks},
    {"clock_error_ns", V_SUM, AT(clock_error_ns), 0, NULL},
    {"partial", F_BITS16, AT(partial), SEGMENT_PARTIAL_N, partials},
    {"misplaced", V_SUM, AT(misplaced), 0, NULL},
    {"windows_dropped", V_SUM, AT(windows_dropped), 0, NULL},
    {"unwritten", F_BITS16, AT(unwritten), SEGMENT_UNWRITTEN_N, unwritten},
};
enum { MEMBERS_N = sizeof members / sizeof *members };

static void put_names(struct text_sink *t, const struct field *f, uint8_t set)
{
    const char *before = "[";
    for (unsigned i = 0; i < f->n; i++) {
        if ((set >> i & 1) == 0)
            continue;
        text_printf(t, "%s\"%s\"", before, f->names[i]);
        before = ",";
    }
    text_puts(t, "]");
}

void segment_live_put(struct text_sink *t, const struct segment_live *l)
{
    const char *before = "";
    if (!l->live)
        return;
    text_puts(t, ",\"live\":{");
    for (unsigned i = 0; i < MEMBERS_N; i++) {
        const struct field *f = &members[i];
        const uint8_t *at = (const uint8_t *)l + f->at;
        uint64_t n = *at;
        if (f->type == V_SUM)
            memcpy(&n, at, sizeof n);
        if (n == 0)
            continue;
        text_printf(t, "%s\"%s\":", before, f->name);
        if (f->type == V_SUM)
            text_u64(t, n <= INT64_MAX ? n : (uint64_t)INT64_MAX);
        else
            put_names(t, f, *at);
        before = ",";
    }
    text_puts(t, "}");
}

bool segment_live_read(const struct json_t *v, struct segment_live *l, struct err *e)
{
    size_t known = 0;
    if (!json_is_object(v))
        return value_wrong(e, "no object");
    *l = (struct segment_live){.live = true};
    for (unsigned i = 0; i < MEMBERS_N; i++) {
        const struct field *f = &members[i];
        const json_t *member = json_object_get(v, f->name);
        uint8_t *at = (uint8_t *)l + f->at;
        uint64_t n = 0;
        if (member == NULL)
            continue;
        known++;
        if (f->type == V_SUM ? !value_number(member, INT64_MAX, &n, e)
                             : !value_bits(f, member, &n, e))
            return err_in(e, "\"%s\"", f->name);
        if (f->type == V_SUM)
            memcpy(at, &n, sizeof n);
        else
            *at = (uint8_t)n;
    }
    return known == json_object_size(v) || value_wrong(e, "a member that does not belong here");
}

static uint64_t sum(uint64_t a, uint64_t b) /* of what was read from files: may be anything */
{
    return a > INT64_MAX - b ? (uint64_t)INT64_MAX : a + b;
}

void segment_live_merge(struct segment_live *into, const struct segment_live *from)
{
    into->live = into->live || from->live;
    into->clocks |= from->clocks;
    into->partial |= from->partial;
    into->unwritten |= from->unwritten;
    if (from->clock_error_ns > into->clock_error_ns)
        into->clock_error_ns = from->clock_error_ns;
    into->misplaced = sum(into->misplaced, from->misplaced);
    into->windows_dropped = sum(into->windows_dropped, from->windows_dropped);
}
