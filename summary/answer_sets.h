/* Answers that DNS gives again and again: resolvers answer from their cache, with the same
 * addresses for the same name. What such answers add is summed here, once for all addresses of the
 * answer, and folded into their binding rows before these are read or the set leaves. All of a
 * row's values are sums, extremes and unions, so it does not matter when. */
#pragma once
#include "core/msg.h"
#include "summary/rows.h"

struct window;

enum { ANSWER_SETS = 1024, ANSWER_SET_NAME = 64, ANSWER_SET_ADDRS = 8 };

struct answer_set {
    struct row_binding sum; /* since the last fold; its key lacks the address */
    uint8_t n, name_len;
    bool counted;                  /* its name is in totals.dns.qnames */
    uint8_t name[ANSWER_SET_NAME]; /* as the message has it */
    struct addr addr[ANSWER_SET_ADDRS];
    uint32_t row[ANSWER_SET_ADDRS]; /* their rows: guesses */
};

/* By name, and by the first and last address: a set has one place, and gives way to another that
 * comes twice before the first does. */
struct answer_sets {
    struct {
        uint32_t tag;  /* of the set that has the place; 0: none */
        uint32_t next; /* of the one that came last, if that is another */
    } place[ANSWER_SETS];
    struct answer_set set[ANSWER_SETS];
};

/* What finds the set of a response with questions and addresses: never 0. */
uint32_t answer_set_tag(const struct window *w, uint64_t site, const struct dns_msg *d);

/* The set of this tag, if it has its place: perhaps, as the tag alone is compared. */
static inline const struct answer_set *answer_set_maybe(const struct answer_sets *sets,
                                                        uint32_t tag)
{
    return sets->place[tag % ANSWER_SETS].tag == tag ? &sets->set[tag % ANSWER_SETS] : NULL;
}

/* The set of this very response, whose addresses then have one TTL; or NULL: then its rows are to
 * be found one by one. */
struct answer_set *answer_set_find(struct window *w, uint32_t tag, uint64_t site,
                                   const struct dns_msg *d);

/* The response, for which there was no set, has just been added to a binding row for each of its
 * addresses, at most ANSWER_SET_ADDRS, whose name is `value`: may become a set if it came before.
 */
struct answered {
    uint64_t site;
    uint32_t value;
    bool counted;
    uint32_t row[ANSWER_SET_ADDRS];
};
void answer_set_offer(struct window *w, uint32_t tag, const struct dns_msg *d,
                      const struct answered *a);

/* Folds all sets into their rows, and forgets them. */
void answer_sets_fold(struct window *w);

/* Forgets them. */
void answer_sets_clear(struct answer_sets *sets);
