/* Whom a stricter policy would cut off: the answer of enrich/tls_whatif.h for every client of every
 * server, over all that was read.
 *
 * A client is counted once for each type it shows (its hello): behind one address there may be a
 * gateway, a PC and another gateway. */
#pragma once
#include "enrich/identity.h"
#include "enrich/tls_index.h"
#include "enrich/tls_whatif.h"

/* One client, as one type, at one server. */
struct whatif_line {
    const struct tls_item *item; /* the first of its rows: client, server, hello */
    struct whatif_answer answer;
    uint64_t sessions, established, failed;
    uint64_t hung_up; /* of the failed: the server had answered, and the client said no by nothing
                         but closing */
    uint64_t first_ns, last_ns;
    unsigned days;          /* on which it was seen */
    uint8_t on_replacement; /* enum on_replacement */
    uint8_t identity;       /* enum identity: as the firmware's calls told */
    uint8_t mac[6];
    unsigned told; /* gateways that told their MAC from this address */
};

enum on_replacement {
    REPLACEMENT_NONE, /* the server is no legacy one */
    REPLACEMENT_NO,
    REPLACEMENT_YES,   /* this client, as this type */
    REPLACEMENT_OTHER, /* this client, as another type: perhaps another device behind the address */
};

enum { WHATIF_DAYS_MAX = 3660 };
struct whatif_day {
    uint64_t day;             /* since 1970-01-01 */
    uint64_t gateways, hosts; /* clients that would break, on the first day they were seen so */
};

struct whatif_fleet {
    struct whatif_line *lines; /* sorted by server, type, client */
    size_t n;
    struct whatif_day *days; /* from the first day to the last; n_days */
    size_t n_days;
    bool rising; /* clients that would break still turned up for the first time in the last fifth of
                    the days */
    uint64_t sessions, with_hello;
    uint64_t days_cut; /* days beyond WHATIF_DAYS_MAX: not in the curve */
    /* of lines by the rows they come from */
    struct whatif_slot *slots;
    size_t n_slots;
    uint64_t first_day;
    size_t seen_words; /* of a line, in `bits`: a bit a day */
    uint64_t *bits;
};

/* Makes the lines of all rows together: `x` is of the window `w` that holds everything from
 * `start_s` to `end_s`. The caller ends it with whatif_free, in either case. `x` and `w` must
 * outlive it. */
MUST_CHECK bool whatif_new(struct whatif_fleet *f, struct tls_index *x, struct window *w,
                           const struct tls_policy *p, const struct config *config,
                           uint64_t start_s, uint64_t end_s, struct err *e);
/* Tells it the days: `part` is one of the windows that were merged. */
void whatif_days(struct whatif_fleet *f, struct window *part);
/* After all parts: days of each line, and the curve. */
void whatif_finish(struct whatif_fleet *f);
/* How many gateways of an inventory were never seen in `w`: neither as a client, nor told by their
 * firmware. */
struct inventory;
MUST_CHECK bool whatif_never_seen(const struct inventory *i, struct window *w, size_t *n,
                                  struct err *e);
void whatif_free(struct whatif_fleet *f);
