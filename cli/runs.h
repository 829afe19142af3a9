/* Windows that left memory, kept as segments in one temporary file, and put together again at the
 * end of a run. */
#pragma once
#include "sinks/segment.h"
#include "summary/windows.h"

struct runs;

/* `dir`: where the temporary file goes when one is needed (NULL: $TMPDIR, else /tmp). It has no
 * name, so nothing is left behind. */
MUST_CHECK bool runs_new(struct runs **r, const struct config *config, const char *dir,
                         struct err *e);
void runs_free(struct runs *r);

/* For windows_new. */
struct windows_spill runs_spill(struct runs *r);

/* What was read of certificates in the run; for the thread that ends it. */
struct cert_notes *runs_notes(struct runs *r);

/* Gives every window of the run to `each`, whole, earliest first; `of` says how many there are.
 * `ws` must not be filled any more. Stops and fails where `each` does. A window is valid during its
 * call; where there is only one, until `ws` is freed. */
MUST_CHECK bool runs_finish(struct runs *r, struct windows *ws,
                            bool (*each)(void *ctx, struct window *w, size_t of, struct err *e),
                            void *ctx, struct err *e);

/* Start of the earliest and end of the latest window (seconds). False where there is none. */
bool runs_span(struct runs *r, struct windows *ws, uint64_t *start_s, uint64_t *end_s);
