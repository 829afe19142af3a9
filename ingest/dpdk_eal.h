/* Start of the framework's environment (EAL): its arguments out of our configuration, its log kept
 * short. */
#pragma once
#include "ingest/ports.h"

enum { EAL_ARGS_MAX = 2 * CONFIG_EAL_MAX + 2 * CONFIG_PORTS_MAX + 64 };

struct eal_args {
    const char *v[EAL_ARGS_MAX];
    unsigned n;
    char prefix[64]; /* of files and of the telemetry socket */
    char own[1024];  /* texts made here */
    size_t used;
    bool huge;
};

/* The arguments for this configuration: the user's own stand last and win; ours that would
 * contradict them are left out. `need_bytes`: memory of all buffers. Huge pages are used (unless
 * the configuration or the caller says which) where so many are free. Fails where the configuration
 * wants them and there are none, and where the arguments do not fit. */
MUST_CHECK bool eal_args(struct eal_args *a, const struct ports_options *o, uint64_t need_bytes,
                         uint64_t free_huge_bytes, struct err *e);

/* Bytes in free huge pages of all sizes. */
uint64_t eal_free_huge(void);

/* Starts it: once in the life of a process. The calling thread keeps the processors it may run on.
 * Warnings go to stderr; after a failure the first error line, the nearest to the cause, is told in
 * `e` instead. */
MUST_CHECK bool eal_start(const struct eal_args *a, struct err *e);

/* Between begin and end, what the framework logs is kept back: at the end it is written to stderr,
 * or, where `e` is given (after a failure), its first error line is put behind what `e` says. */
void eal_log_begin(void);
void eal_log_end(struct err *e);

/* Forgets what was kept since the mark. */
struct eal_log_mark {
    size_t len;
    bool error;
};
struct eal_log_mark eal_log_mark(void);
void eal_log_forget(const struct eal_log_mark *m);

/* Is the device reached over a bus (a PCI address, "auxiliary:..."), or else a virtual one? */
bool eal_on_bus(const char *device);
