/* Segments: a window's summary as NDJSON rows in zstd frames, written whole or not at all, and read
 * back.
 *
 * Rows: `segment` first; then per kind in the order of enum row_kind (coverage, gateway and host,
 * binding, peer, ntp, dns, tls, hello, answer, cert, reuse, unattributed), each sorted; then
 * `other` rows, `totals`, and `end` with row counts, the ledger and the SHA-256 of all bytes before
 * its line. A segment is a pure function of the window, the header below and the release.
 * docs/summary.schema.json describes every row. */
#pragma once
#include "core/err.h"
#include "summary/window.h"

#define SEGMENT_SCHEMA "tellscope.summary.v1"

/* How many rows the tables could hold: what is merged with this segment must be cut alike. 0: not
 * told. */
struct segment_limits {
    uint64_t clients, coverage, bindings, peers, ntp, dns, tls, hellos, answers, certs, reuse,
        tallies, string_bytes;
};

/* Where the times of packets came from. */
enum segment_clock {
    SEGMENT_CLOCK_TSC,     /* the processor's counter, held to the real-time clock */
    SEGMENT_CLOCK_NIC,     /* the adapter's */
    SEGMENT_CLOCK_CAPTURE, /* those of a capture file that was read as if it were a port */
    SEGMENT_CLOCK_SYSTEM,  /* clock_gettime(2) */
    SEGMENT_CLOCK_N
};

/* Why a window of a live run holds less than there was. */
enum segment_partial {
    SEGMENT_PARTIAL_STARTED,     /* the run began within the window */
    SEGMENT_PARTIAL_SHUTDOWN,    /* it ended within the window */
    SEGMENT_PARTIAL_CLOCK_STEP,  /* closed early: the real-time clock was set */
    SEGMENT_PARTIAL_WORKER_HUNG, /* a worker did not hand over its part */
    SEGMENT_PARTIAL_N
};

/* What was not written of a window for want of space. */
enum segment_unwritten { SEGMENT_UNWRITTEN_EVENTS, SEGMENT_UNWRITTEN_FLAGS, SEGMENT_UNWRITTEN_N };

/* What only a segment of a live run tells. Bit sets are of 1 << the enum's values. */
struct segment_live {
    bool live;               /* false: a replay's, and the rest is zero */
    uint8_t clocks;          /* of enum segment_clock; ports may have different ones */
    uint8_t partial;         /* of enum segment_partial */
    uint8_t unwritten;       /* of enum segment_unwritten */
    uint64_t clock_error_ns; /* bound of the error of times */
    uint64_t
        misplaced; /* packets that came to another worker than their flow: flows may be split */
    uint64_t windows_dropped; /* whole windows lost before this one: sinks too slow, or no space */
};

/* What a segment merged out of two tells: sets are united, counts added, the larger error kept. A
 * replay's adds nothing. */
void segment_live_merge(struct segment_live *into, const struct segment_live *from);

struct segment_head {
    char sensor[CONFIG_NAME_LEN];
    char release[32];
    char config_hash[17];
    uint64_t start_s, length_s;
    uint64_t seed;
    uint8_t scope; /* enum scope */
    struct segment_limits limits;
    bool interrupted;       /* a signal ended the run: what was read is here */
    uint64_t rolled_from_s; /* 0, or the window length it was rolled up from */
    struct segment_live live;
};

enum { SEGMENT_NAME_SIZE = 160, SEGMENT_SAME_MAX = 99 };

struct segment_options {
    int zstd_level;
    bool force; /* replace a file with other rows */
    /* Live: leave it, and write "...~2.ndjson.zst", "~3", up to SEGMENT_SAME_MAX. Not with a batch.
     */
    bool append;
    char *name; /* NULL, or SEGMENT_NAME_SIZE bytes: filled with the file's name, without its folder
                 */
    struct segment_batch *batch; /* NULL: named at once; else left aside for segment_batch_commit */
};

/* Fills what the configuration says: sensor, config_hash, seed, scope, limits. */
void segment_head_config(struct segment_head *h, const struct config *c);
/* Puts the limits that a segment tells into a configuration, for a window to read it into. */
void segment_limits_get(const struct segment_head *h, struct config *c);

/* "summary-<sensor>-<start>-<end>.ndjson.zst" into `name`. */
void segment_name(const struct segment_head *h, char name[static SEGMENT_NAME_SIZE]);

/* Writes `w` as DIR/<segment_name>: aside, fsync, rename. A file of that name with the same rows is
 * left as it is; with other rows it is an error
 * ("exists with other content; --force replaces it") unless o->force or o->append. On failure
 * nothing is left behind. `sha256`: of the uncompressed rows before `end`; may be NULL. */
MUST_CHECK bool segment_write(struct window *w, const struct segment_head *h, const char *dir,
                              const struct segment_options *o, uint8_t sha256[32], struct err *e);

/* The same as the file `path`. */
MUST_CHECK bool segment_write_file(struct window *w, const struct segment_head *h, const char *path,
                                   const struct segment_options *o, uint8_t sha256[32],
                                   struct err *e);

/* The same into an open file descriptor, at its offset (spilled runs). */
MUST_CHECK bool segment_write_fd(struct window *w, const struct segment_head *h, int fd,
                                 int zstd_level, uint8_t sha256[32], struct err *e);

/* Reads the head (first row) of a segment. */
struct segment_reader;
MUST_CHECK bool segment_open(struct segment_reader **r, const char *path, struct segment_head *h,
                             struct err *e);
/* The same for `len` bytes at `offset` of an open descriptor; it is not closed. */
MUST_CHECK bool segment_open_fd(struct segment_reader **r, int fd, uint64_t offset, uint64_t len,
                                const char *what, struct segment_head *h, struct err *e);

/* Adds all rows to `w` (whose start and length must contain the segment's, see window_merge). Every
 * row is checked: types, ranges, unknown keys, order, counts and SHA-256 of the `end` row. On
 * failure `e` names file and line, and `w` is spoiled: reset it. `sha256` as above; may be NULL. */
MUST_CHECK bool segment_read(struct segment_reader *r, struct window *w, uint8_t sha256[32],
                             struct err *e);
void segment_close(struct segment_reader *r);
