/* The windows of one worker: a few are open in memory; the one used longest ago leaves when another
 * is needed.
 *
 * A window that left may be opened again: what is then counted is another run of it, and runs merge
 * exactly. */
#pragma once
#include "core/pkt.h"
#include "summary/window.h"

struct windows;

struct windows_spill {
    /* Takes a window that leaves memory, and gives another for its place: an empty one, or the
     * same, whose rows are put aside. NULL where it cannot: with `e` set for good (the windows stop
     * taking packets), without just now. */
    struct window *(*leave)(void *ctx, struct window *w, struct err *e);
    void *ctx;
};

/* `config` is borrowed. Memory is reserved as windows are opened. */
MUST_CHECK bool windows_new(struct windows **ws, const struct config *config,
                            struct windows_spill spill, struct err *e);
void windows_free(struct windows *ws);

/* Counts n <= BURST_MAX packets in the windows of their time; `vantages[rec.origin]` tells where
 * each was captured. A packet for which no window may be opened any more gets the outcome
 * OUT_OUT_OF_TIME. */
void windows_packets(struct windows *ws, struct rec recs[], unsigned n, const uint8_t vantages[]);
/* Counts every part of n <= MSGS_MAX messages in the window of its time. */
void windows_messages(struct windows *ws, const struct msg msgs[], unsigned n,
                      const uint8_t vantages[]);

/* The window of this time, opened if need be; NULL beyond limits.windows_max. */
struct window *windows_at(struct windows *ws, uint64_t ts_ns);

/* Live: takes the memory of all windows now, for none may be taken later, and has as many windows
 * one after the other as time brings. */
MUST_CHECK bool windows_prepare(struct windows *ws, struct err *e);

/* Has every window leave that ends at `before_ns` or earlier; what is counted from now on for such
 * a time, counts for the first window after it. False where one could not leave just now: to be
 * called again. */
bool windows_close(struct windows *ws, uint64_t before_ns);
/* Has all leave, though more may come for their time: then they are opened again. */
bool windows_flush(struct windows *ws);

/* Adds what is open in `from`, which had the same configuration, and empties it: windows beyond
 * limits.windows_max are taken too, for they were counted there. `notes` as for window_cert_facts.
 */
void windows_absorb(struct windows *ws, struct windows *from, struct cert_notes *notes);

/* The open windows, earliest first; `*n` counts them. Valid until the next call. */
struct window *const *windows_open(struct windows *ws, unsigned *n);

/* Did a spill fail? Then `e` says why, and packets since then are lost. */
bool windows_failed(const struct windows *ws, struct err *e);
