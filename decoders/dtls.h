/* DTLS over UDP, on any port, told by content: RFC 4347 (1.0), RFC 6347 (1.2), RFC 9147 (1.3), also
 * next to STUN and RTP on the same ports (RFC 7983) and behind the preamble of CAPWAP (RFC
 * 5415 4.2).
 *
 * A datagram of ports that carried none before is believed where records follow each other to its
 * end and the first is one that may stand there. From then on the ports have a session: see
 * tls_session.h. */
#pragma once
#include "decoders/decode.h"

/* May this be DTLS? Most other datagrams end here: first bytes of records are 20 to 63 (RFC
 * 9147 4.1). */
static CUR_INLINE bool dtls_maybe(const struct rec *rec)
{
    const struct cur *in = &rec->payload;
    if (in->left < 13 || in->p[0] == 0 || in->p[0] > 63)
        return false;
    if (in->p[0] >= 32) /* unified header */
        return true;
    return in->p[0] >= 20 ? in->p[1] == 0xfe && (in->p[2] == 0xfd || in->p[2] == 0xff)
                          : in->p[0] == 1 && in->p[1] == 0 && in->p[2] == 0 && in->p[3] == 0;
}

/* A datagram for which dtls_maybe holds. States its hellos, each once for its session, sender and
 * message_seq however often and in whatever pieces it comes, and what becomes of the session.
 *
 * Returns OUT_NOT_MINE; OUT_OK; OUT_TRUNCATED or OUT_MALFORMED where a record is cut or lengths
 * lie, after what came before was stated; OUT_TABLE_FULL where a limit left no room. */
enum outcome dtls_datagram(struct decode *d, struct rec *rec, struct msgs *out);

/* See decode_origin_end and decode_sweep. */
void dtls_origin_end(struct decode *d, uint16_t origin, struct msgs *out);
void dtls_sweep(struct decode *d, uint32_t slot, uint64_t before_ns, struct msgs *out);
