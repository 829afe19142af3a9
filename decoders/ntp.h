/* NTP: RFC 5905 (v4), RFC 1305 (v3), RFC 1119 and 1059 (v2, v1); extension fields RFC 7822; NTS
 * RFC 8915. */
#pragma once
#include "decoders/msg.h"

/* Decodes one datagram on port 123.
 *
 * in:        the UDP payload. Header (RFC 5905 7.3), then, in version 4, extension fields
 *            (RFC 7822 7.5), then the MAC.
 * out:       filled on OUT_OK, otherwise untouched. Modes 6 and 7 have another layout: leap,
 *            version, mode, response and priv_code are filled, `whole` is false. Pairing fields
 *            are left zero. payload_len counts captured bytes.
 * Returns:   OUT_OK; OUT_NOT_MINE where it is something else on the port (version 0 or above 4;
 *            an empty payload; mode 0 unless version 1); OUT_TRUNCATED where the capture cut the
 *            header (48 bytes; 12 in mode 6, 8 in mode 7); OUT_MALFORMED where it is NTP by its
 *            first byte but shorter than that.
 *            What follows a good header changes nothing: at a broken extension field the walk
 *            stops and the rest counts as ext_unknown_bytes; what the capture cut counts nowhere.
 * MAC:       in version 4 what is left when it is 8..24 bytes long, a multiple of 4, and no
 *            extension field of a known type; 4 bytes are a crypto-NAK. Before version 4 the known
 *            lengths of MACs.
 * Cost:      no allocation; one loop over at most 16 extension fields. */
enum outcome ntp_decode(struct cur in, struct ntp_msg *out);

#define UNIX_EPOCH_NTP_S INT64_C(2208988800)
#define NTP_NS_PER_S     UINT64_C(1000000000)

/* The NTP time `ntp64` as UTC nanoseconds, in the era nearest to `near_ns` (RFC 5905 6). */
static inline uint64_t ntp_to_ns(uint64_t ntp64, uint64_t near_ns)
{
    int64_t near_s = (int64_t)(near_ns / NTP_NS_PER_S);
    uint32_t near_ntp_s = (uint32_t)(near_s + UNIX_EPOCH_NTP_S);
    int64_t s = near_s + (int32_t)((uint32_t)(ntp64 >> 32) - near_ntp_s);
    uint64_t fraction_ns = ((ntp64 & UINT32_MAX) * NTP_NS_PER_S) >> 32;
    if (s < 0)
        return 0;
    if ((uint64_t)s > (UINT64_MAX - fraction_ns) / NTP_NS_PER_S)
        return UINT64_MAX;
    return (uint64_t)s * NTP_NS_PER_S + fraction_ns;
}
