/* Matches DNS responses to queries: (site, addresses, ports, transport, id, qname case-folded,
 * qtype, qclass) within 10 s (RFC 5452 9.1). */
#pragma once
#include "core/err.h"
#include "decoders/dns_ntp_fifo.h"
#include "decoders/msg.h"

struct dns_match;

/* Reserves memory for `max` pending queries (rounded up to a power of two) now; pages are touched
 * as they are used. */
MUST_CHECK bool dns_match_new(struct dns_match **t, uint32_t max, uint64_t seed, struct err *e);
void dns_match_free(struct dns_match *t);

/* Hashes the key of this datagram's message, and hints its bucket into the cache. Once that has
 * come, dns_match_prefetch hints the entry behind it (harmless if there is none). */
void dns_match_ahead(const struct dns_match *t, const struct rec *rec, struct fifo_ahead *ahead);
void dns_match_prefetch(const struct dns_match *t, const struct fifo_ahead *ahead);

/* A query is remembered (`duplicate` where it repeats a pending one: the first stays); a response
 * is looked up and fills matched, duplicate (its query had its response: then `matched` is false)
 * and query_ts_ns. Within 10 s of packet time, never backwards. Uses m->questions[0]; a response
 * without questions matches the youngest query with the rest the same. `ahead`: of dns_match_ahead
 * for the same datagram, or of PROTO_NONE, or NULL. */
void dns_match_see(struct dns_match *t, const struct rec *rec, uint8_t sender,
                   const struct fifo_ahead *ahead, struct dns_msg *m);

/* Forgets what a capture context left. */
void dns_match_origin_end(struct dns_match *t, uint16_t origin);

/* Unanswered queries pushed out while younger than 10 s: by the limit, or by 15 later ones that
 * differ in nothing but the question. And messages whose match cannot be known, because packet time
 * jumped back by seconds to a query already dropped as too old. */
uint64_t dns_match_turned_away(const struct dns_match *t);
