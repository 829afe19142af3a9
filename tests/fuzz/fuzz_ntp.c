/* NTP packets of any bytes, one after another between two hosts: decoded, then paired. Each is led
 * by four bytes: length, bytes the capture cut off, ports and direction, time since the one before
 * in 0.1 s. */
#include "decoders/ntp.h"
#include "decoders/ntp_pair.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(truth)                                                                             \
    do {                                                                                           \
        if (!(truth))                                                                              \
            abort();                                                                               \
    } while (0)

static void check_decoded(enum outcome o, const struct ntp_msg *m, const struct ntp_msg *before,
                          size_t len, uint8_t missed)
{
    REQUIRE(o == OUT_OK || o == OUT_NOT_MINE || o == OUT_TRUNCATED || o == OUT_MALFORMED);
    REQUIRE(o != OUT_TRUNCATED || missed > 0);  /* nothing was cut: blame the message */
    REQUIRE(o != OUT_MALFORMED || missed == 0); /* a cut never turns good into malformed */
    if (o != OUT_OK) {
        REQUIRE(memcmp(m, before, sizeof *m) == 0); /* a failed decode must not write */
        return;
    }
    REQUIRE(m->version >= 1 && m->version <= 4 && m->mode <= 7 && m->leap <= 3);
    REQUIRE(m->whole == (m->mode < 6) && m->payload_len == len);
    REQUIRE(!m->is_request && !m->is_reply && !m->matched);
    if (!m->whole)
        return;
    /* Every byte is header, extension field, MAC or nobody's. */
    size_t known = 48u + m->ext_bytes + m->mac_len;
    REQUIRE(len >= known && (missed > 0 || len - known <= m->ext_unknown_bytes));
    REQUIRE(m->n_ext <= 16 && m->nts_fields <= m->n_ext && m->ext_unknown_bytes <= len - 48);
    REQUIRE(missed == 0 || m->mac_len == 0);
}

static void check_paired(const struct ntp_msg *m, const struct rec *rec)
{
    REQUIRE(!(m->matched && m->duplicate_reply));
    REQUIRE(!(m->matched || m->duplicate_reply) || m->is_reply);
    REQUIRE(m->whole || (!m->is_request && !m->is_reply));
    REQUIRE(m->free_changes <= 6 && (m->free_changes == 0 || m->is_reply));
    if (!m->matched) {
        REQUIRE(m->request_ts_ns == 0 && m->offset_ns == 0 && m->delay_ns == 0 && !m->longer);
        return;
    }
    REQUIRE(m->request_ts_ns <= rec->ts_ns);
    REQUIRE(rec->ts_ns - m->request_ts_ns <= UINT64_C(10000000000));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct ntp_pairs *pairs;
    static const uint8_t host[2][4] = {{10, 0, 0, 1}, {10, 0, 0, 2}};
    struct err e;
    if (pairs == NULL && !ntp_pairs_new(&pairs, 8, 1, &e))
        abort();
    uint64_t now_ns = UINT64_C(1520726400000000000);
    while (size >= 4) {
        size_t len = data[0];
        uint8_t missed = data[1], way = data[2];
        now_ns += data[3] * UINT64_C(100000000);
        data += 4, size -= 4;
        len = len < size ? len : size;
        uint8_t *exact = malloc(len > 0 ? len : 1); /* exact size: ASan sees an over-read of one */
        memcpy(exact, data, len);
        data += len, size -= len;

        struct ntp_msg m, before;
        memset(&m, 0x5a, sizeof m);
        before = m;
        enum outcome o = ntp_decode(cur_of(exact, len, len + missed), &m);
        check_decoded(o, &m, &before, len, missed);
        struct rec rec = {
            .ts_ns = now_ns,
            .origin = way >> 6,
            .sport = way & 2 ? 123 : 5000 + (way >> 4 & 3),
            .dport = way & 4 ? 123 : 5000 + (way >> 4 & 3),
            .src = addr_v4(host[way & 1]),
            .dst = addr_v4(host[!(way & 1)]),
            .payload = cur_of(exact, len, len + missed),
            .payload_wire_len = (uint32_t)len + missed,
        };
        struct fifo_ahead ahead;
        ntp_pairs_ahead(pairs, &rec, &ahead);
        if (ahead.proto == PROTO_NTP)
            ntp_pairs_prefetch(pairs, &ahead);
        if (o == OUT_OK) {
            ntp_pairs_see(pairs, &rec, &ahead, &m);
            check_paired(&m, &rec);
        }
        free(exact);
    }
    for (uint16_t origin = 0; origin < 4; origin++)
        ntp_pairs_origin_end(pairs, origin);
    return 0;
}
