/* DNS messages: RFC 1035, EDNS0 RFC 6891, SVCB/HTTPS RFC 9460; mDNS RFC 6762 and LLMNR RFC 4795
 * share the format. */
#pragma once
#include "decoders/msg.h"

/* Decodes one message and pushes one MSG_DNS to `out`, also for a malformed or cut one whose
 * 12-byte header was whole.
 *
 * in:        the message, without TCP's length prefix.
 * sender:    side of `rec` that sent it.
 * service:   PROTO_DNS, PROTO_MDNS or PROTO_LLMNR.
 * made:      the message, for dns_match_see (not for mDNS and LLMNR); NULL: none was pushed.
 * Returns:   OUT_OK; OUT_TRUNCATED where the capture cut it, OUT_MALFORMED where it breaks the
 *            format (a header shorter than 12 bytes pushes nothing).
 * Names:     see dns_name.h. A bad name is absent and makes the message malformed; where its end is
 *            clear the walk goes on, and so it does after broken data of a record.
 * Limits:    of questions past DNS_QUESTIONS_MAX only the type is kept, records past
 *            DNS_ANSWERS_MAX are walked but not kept, and of the others only the addresses are
 *            where out->no_records; names past the limits of dns_name.h are absent. An OPT record
 *            sets edns_* and rcode_ext, and is no answer. An opcode other than QUERY (UPDATE,
 *            NOTIFY, ...) is walked alike. Bytes after the last record do not matter.
 * Cost:      no allocation, no recursion; linear in the message, plus at most DNS_NAMES_STEPS_MAX
 *            labels and pointers followed. */
enum outcome dns_decode(struct cur in, const struct rec *rec, uint8_t sender, enum proto service,
                        bool tcp, struct msgs *out, struct dns_msg **made);

/* Could these bytes be DNS on a port that is not DNS's? Strict: opcode QUERY, one question, Z bit
 * 0, all counts small, the whole message parses to its very end, a query has no answers, a known
 * class. */
bool dns_plausible(struct cur in);
