#include "cli/progress.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum { CALLS_A_LOOK = 64, SHOW_EVERY_MS = 200 };

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

struct progress progress_begin(bool quiet, uint64_t bytes_total)
{
    uint64_t now = now_ns();
    return (struct progress){.shown = !quiet && isatty(STDERR_FILENO),
                             .bytes_total = bytes_total,
                             .began_ns = now,
                             .next_ns = now + SHOW_EVERY_MS * UINT64_C(1000000)};
}

void progress_show(struct progress *p, uint64_t bytes_done, uint64_t packets)
{
    if (!p->shown || ++p->calls % CALLS_A_LOOK != 0)
        return;
    uint64_t now = now_ns();
    if (now < p->next_ns)
        return;
    p->next_ns = now + SHOW_EVERY_MS * UINT64_C(1000000);
    double s = (double)(now - p->began_ns) / 1e9;
    fprintf(stderr, "\r\033[K%.1f MB", (double)bytes_done / 1e6);
    if (p->bytes_total > 0 && bytes_done <= p->bytes_total) {
        double left_s =
            bytes_done > 0 ? s * (double)(p->bytes_total - bytes_done) / (double)bytes_done : 0;
        fprintf(stderr, " of %.1f (%.0f %%), %.0f s left", (double)p->bytes_total / 1e6,
                100.0 * (double)bytes_done / (double)p->bytes_total, left_s);
    }
    fprintf(stderr, ", %.0f packets/s", (double)packets / s);
    fflush(stderr);
}

void progress_clear(const struct progress *p)
{
    if (p->shown)
        fprintf(stderr, "\r\033[K");
}

void progress_end(struct progress *p)
{
    progress_clear(p);
    p->shown = false;
}
