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
static inline enum outcome ntp_decode(struct cur in, struct ntp_msg *out);

/* Parts of it, their cursor in pieces, so that it stays out of memory. Of a payload that is not a
 * whole header of modes 0 to 5: what it is then. What follows the header: extension fields and MAC,
 * told apart as RFC 7822 7.5 does. */
enum outcome ntp_other(const uint8_t *p, size_t left, bool snapped, struct ntp_msg *out);
void ntp_trailer(const uint8_t *p, size_t left, bool snapped, struct ntp_msg *out);

static inline uint16_t ntp_len(size_t len)
{
    return len < UINT16_MAX ? (uint16_t)len : UINT16_MAX;
}

static inline bool ntp_refid_is_text(uint32_t refid)
{
    for (int shift = 0; shift < 32; shift += 8) {
        uint8_t b = refid >> shift & 0xff;
        if (b < 0x20 || b > 0x7e)
            return false;
    }
    return true;
}

static inline bool ntp_is_kod(const struct ntp_msg *m)
{
    return m->stratum == 0 && (m->mode == 2 || m->mode == 4 || m->mode == 5)
           && (m->leap == 3 || ntp_refid_is_text(m->refid));
}

/* The bytes of big-endian words turned about, sixteen bytes at a time. */
typedef uint8_t ntp_lanes __attribute__((vector_size(16)));
static inline ntp_lanes ntp_words32(ntp_lanes x)
{
    return __builtin_shufflevector(x, x, 0, 1, 2, 3, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12);
}
static inline ntp_lanes ntp_words64(ntp_lanes x)
{
    return __builtin_shufflevector(x, x, 7, 6, 5, 4, 3, 2, 1, 0, 15, 14, 13, 12, 11, 10, 9, 8);
}

/* Inline, and the fields straight to their places: a quarter of all packets may be NTP, and
 * building a message to copy it took longer than all the rest. */
static inline enum outcome ntp_decode(struct cur in, struct ntp_msg *out)
{
    /* by the first byte but for the leap bits: versions 1 to 4, modes 1 to 5, and version 1's 0 */
    const uint64_t headers = UINT64_C(0x3e3e3e3f00);
    struct cur at = in, head;
    ntp_lanes a, b, c;
    if (!cur_take(&at, 48, &head) || !cur_copy(&head, &a, sizeof a)
        || !cur_copy(&head, &b, sizeof b) || !cur_copy(&head, &c, sizeof c)
        || (headers >> (a[0] & 63) & 1) == 0)
        return ntp_other(in.p, in.left, in.snapped, out);
    uint8_t first = a[0], *fields = (uint8_t *)out;
    static_assert(offsetof(struct ntp_msg, version) == 48, "the header's fields");
    a = ntp_words32(a);
    b = ntp_words64(b);
    c = ntp_words64(c);
    a[0] = first >> 6;
    memcpy(fields, &a, sizeof a);
    memcpy(fields + 16, &b, sizeof b);
    memcpy(fields + 32, &c, sizeof c);
    const size_t rest = offsetof(struct ntp_msg, version);
    memset(fields + rest, 0, sizeof *out - rest);
    out->version = first >> 3 & 7;
    out->mode = first & 7;
    out->payload_len = ntp_len(in.left);
    out->whole = true;
    out->kod = ntp_is_kod(out);
    if (at.left > 0)
        ntp_trailer(at.p, at.left, at.snapped, out);
    return OUT_OK;
}

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
