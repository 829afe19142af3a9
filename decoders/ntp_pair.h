/* Pairs NTP replies with requests by origin timestamp (RFC 5905 8, RFC 8633). State: one entry for
 * each site, capture context and ordered address pair (who asks, who is asked), with its last four
 * requests and its last reply.
 *
 * Interleaved mode (RFC 9769 2): a request whose org is the rec of the pair's last reply may be
 * answered with its rec, instead of its xmt, as org; the reply's xmt is then the time at which the
 * reply before it was sent. */
#pragma once
#include "core/err.h"
#include "decoders/dns_ntp_fifo.h"
#include "decoders/msg.h"

struct ntp_pairs;

/* Reserves memory for `max` pairs (rounded up to a power of two) now; pages are touched as they are
 * used. */
MUST_CHECK bool ntp_pairs_new(struct ntp_pairs **p, uint32_t max, uint64_t seed, struct err *e);
void ntp_pairs_free(struct ntp_pairs *p);

/* Hashes the key of this packet's pair, if it may have one, and hints its bucket into the cache.
 * Once that has come, ntp_pairs_prefetch hints the entry behind it (harmless if there is none). */
void ntp_pairs_ahead(const struct ntp_pairs *p, const struct rec *rec, struct fifo_ahead *ahead);
void ntp_pairs_prefetch(const struct ntp_pairs *p, const struct fifo_ahead *ahead);

/* Fills the pairing fields of `m` (is_request .. free_changes), remembers a request, uses up a
 * matched one. `ahead`: of ntp_pairs_ahead for the same packet, or of PROTO_NONE, or NULL.
 *
 * Who asks:        mode 3, and version 1's mode 0 towards port 123.
 * Who replies:     modes 4 and 2, and that mode 0 from port 123.
 * Both:            mode 1, and mode 0 between two ports 123: it asks, and is a reply too where its
 *                  org, not zero, answers the other side's request.
 * matched:         a reply to a request at most 10 s of packet time before it and not after it,
 *                  ports mirrored; of several the youngest. A fifth request of a pair takes the
 *                  place of the oldest: that is the definition, not a limit.
 * duplicate_reply: it answers a request that had its reply; then `matched` is false.
 * offset, delay:   of matched replies that carry times: zero for a kiss code, or where rec or xmt
 *                  is zero. Interleaved: of the exchange before, which xmt belongs to; where that
 *                  one is not known, of this one with T3 = T2.
 * free_changes:    against the pair's last reply, matched or not; kiss codes neither have any nor
 *                  count as the last reply. */
void ntp_pairs_see(struct ntp_pairs *p, const struct rec *rec, const struct fifo_ahead *ahead,
                   struct ntp_msg *m);

/* Forgets the pairs of a capture context. */
void ntp_pairs_origin_end(struct ntp_pairs *p, uint16_t origin);

/* Entries pushed out by the limit while they could still have mattered: they knew a reply, or a
 * request under 10 s old. */
uint64_t ntp_pairs_turned_away(const struct ntp_pairs *p);
