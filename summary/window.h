/* One window's summary: tables of fixed size, filled by one worker, merged by law.
 *
 * merge is associative and commutative and an empty window is its zero, so any split of the packets
 * that keeps flows whole gives the same rows. */
#pragma once
#include "core/config.h"
#include "core/msg.h"
#include "summary/certs.h"
#include "summary/distinct.h"
#include "summary/rows.h"

struct window;

/* Reserves address space for the limits of `config`; memory is touched as it fills. `config` is
 * borrowed for the life of the window.
 */
MUST_CHECK bool window_new(struct window **w, const struct config *config, struct err *e);
void window_free(struct window *w);

/* Keeps memory that was touched once, where it would give some back between its lives. */
void window_keep(struct window *w);

/* Gives it the stores in which it looks up the ids of hellos, answers and certificates: borrowed,
 * for all its lives. */
struct window_stores {
    struct offers *offers, *answers;
    struct certs *certs;
};
void window_stores(struct window *w, const struct window_stores *stores);

/* Has the certificates of its rows read, those that were not: before the rows leave memory or
 * merge, and not in the packet path. */
void window_cert_facts(struct window *w, struct cert_notes *notes);

/* Empties it and makes it the window that starts at `start_s` (UTC seconds). Costs what was filled.
 */
void window_reset(struct window *w, uint64_t start_s, uint64_t length_s);
uint64_t window_start_s(const struct window *w);
uint64_t window_length_s(const struct window *w);
bool window_empty(const struct window *w);

/* ---- filling (the packet path) */

/* Counts n <= BURST_MAX packets: totals, and the talks their clients' rows are made of;
 * `vantages[rec.origin]` tells where each was captured. Leaves in a record's note where its
 * messages will find theirs. */
void window_packets(struct window *w, struct rec recs[], unsigned n, const uint8_t vantages[]);

/* A message has up to three times, which may lie in different windows: that of the message itself,
 * that of the exchange (query, request, handshake) it decides, and that of the session it tells of.
 * Each part is counted in its own window; window_parts says which parts `m` has (bits 1 << enum
 * msg_part), and when each was. */
enum msg_part { PART_MESSAGE, PART_EXCHANGE, PART_SESSION, PART_N };
MUST_CHECK unsigned window_parts(const struct msg *m, uint64_t ts_ns[static PART_N]);
/* Of `n` messages some ahead: finds and fetches the rows they will touch. */
enum { HINT_ANSWERS = 4, HINT_NAME = 60 };
struct message_hint {
    uint8_t sides;     /* bit SIDE_SRC, SIDE_DST: NTP, DNS, TLS sessions: has a row */
    uint8_t name_len;  /* DNS: of the name that answers are bound to; TLS sessions: of the SNI; 0:
                          none, or too long for a hint */
    uint8_t n_answers; /* DNS: addresses bound to it that are hinted at */
    uint32_t row[2];   /* NTP, DNS: where both sides' rows were then: a guess */
    uint32_t set;      /* DNS: what finds the set of its answers; 0: it binds none */
    uint32_t binding_tag[HINT_ANSWERS],
        binding_row[HINT_ANSWERS]; /* likewise of its first answers; TLS sessions: tags by side;
                                         TLS_REUSE: its tag */
    uint64_t name_hash;            /* strings_hash of the name */
    uint64_t alpn_hash, ja4_hash;  /* TLS sessions: likewise */
    const uint8_t *name;
    char text[HINT_NAME]; /* for it, if need be */
};
void window_message_hint(const struct window *w, const struct msg msgs[], unsigned n,
                         struct message_hint hints[]);
/* `parts`: those that belong to this window, of those that window_parts named. */
void window_message(struct window *w, const struct msg *m, const struct message_hint *hint,
                    unsigned parts, enum vantage vantage);

/* The source lost `packets` before us (drop counts of a capture file or a port). */
void window_lost(struct window *w, enum vantage vantage, uint64_t packets);

/* The source was listening all the time from `from_ns` to `to_ns`, whether packets came or not.
 * Only whole coverage slots count. */
void window_watched(struct window *w, enum vantage vantage, uint64_t from_ns, uint64_t to_ns);

struct totals *window_totals(struct window *w); /* also for the ledger */

/* ---- rows (the window thread, readers) */

/* By whose low half bindings tell who asked DNS for a name. */
uint64_t window_client_hash(const struct window *w, const struct client *client);

/* Sites whose id is the hash of a name (core/client.h). Unknown ones have none: NULL. */
uint64_t window_site_name(struct window *w, const char *name);
const char *window_site(const struct window *w, uint64_t site);

/* Strings and blobs: interned, so that equal content has one id. 0 where the store is full
 * (counted) or len is 0. */
uint32_t window_intern(struct window *w, const void *p, uint32_t len);
struct bytes window_string(const struct window *w, uint32_t id);

/* The row of this key, made if need be and if the limit allows; else the kind's `other` row. Fills
 * nothing but the key. `key` is a whole row of `kind` whose key part is set (strings by id); its
 * hash need not be. */
void *window_row(struct window *w, enum row_kind kind, const void *key_row);

/* Rows of `kind` in canonical order (keys as row_types[] lists them: numbers ascending, addresses
 * and strings by bytes), as an array of pointers the window owns until the next call; `*n` counts
 * them. */
void *const *window_rows(struct window *w, enum row_kind kind, size_t *n);
void *window_other(struct window *w, enum row_kind kind); /* NULL while nothing was turned away */
void *window_other_make(struct window *w, enum row_kind kind); /* for readers */

/* Blocks behind hist and distinct: NULL where there is none. Of a hist: its counts by bucket, or
 * where that is NULL, the buckets that window_hist_few tells. */
const struct hist_block *window_hist_block(const struct window *w, const struct hist *h);
struct hist_view {
    const int8_t *bucket; /* ascending */
    const uint16_t *count;
    unsigned n;
};
struct hist_view window_hist_few(const struct window *w, const struct hist *h);
const struct distinct_block *window_distinct_block(const struct window *w, const struct distinct *d,
                                                   const struct distinct_shape *s);
/* The same, made if need be; NULL where the limit is reached (counted). */
struct distinct_block *window_distinct_make(struct window *w, struct distinct *d,
                                            const struct distinct_shape *s);
void window_hist_add(struct window *w, struct hist *h, int bucket, uint32_t count);
/* The values of a set8, wherever they lie: `n` of them, and what was turned away. */
struct set8_view {
    const uint32_t *value, *count;
    uint32_t n, other;
};
void window_set8_add(struct window *w, struct set8 *s, uint32_t value, uint32_t count);
struct set8_view window_set8(const struct window *w, const struct set8 *s);
/* Count of `bucket`. */
uint32_t window_hist_count(const struct window *w, const struct hist *h, int bucket);
/* Which shape a V_DISTINCT field of a row has: small in rows, large in totals. */

/* Adds `from` to `into`. `from` may be a finer window inside a coarser `into` (roll-up: coverage
 * slots coarsen). */
void window_merge(struct window *into, struct window *from);

/* Adds the values of row `from` (of window `wf`) to row `into` (of `wi`): the one place where
 * values merge. */
void window_row_add(struct window *wi, enum row_kind kind, void *into, const struct window *wf,
                    const void *from);
