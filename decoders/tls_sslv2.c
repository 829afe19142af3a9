#include "decoders/tls_sslv2.h"

#include "decoders/decode_state.h"
#include "decoders/tls_flight.h"
#include "decoders/tls_message.h"
#include "decoders/tls_record.h"
#include "decoders/tls_session.h"
#include "decoders/tls_wire.h"

static void hello_whole(struct stream_at *at, unsigned dir, const uint8_t *p, uint32_t n)
{
    struct stream_half *h = &at->stream->half[dir];
    size_t len;
    h->mode = AT_HEAD;
    if (sslv2_client_hello_decode(cur_of(p, n, n), &at->d->hello, &len) != OUT_OK) {
        h->synced = false;
        return;
    }
    if (at->d->hello.sslv2)
        h->mode = AT_OPAQUE;
    at->stream->tls.flags |= TLS_S_SSLV2_OFFER;
    tls_message_client_hello(at, dir, &at->d->hello, cur_of(p, n, n), n - 2, h->msg_ts_ns);
}

size_t tls_sslv2_hello(struct stream_at *at, unsigned dir, const uint8_t *p, size_t n,
                       uint64_t ts_ns)
{
    struct stream_half *h = &at->stream->half[dir];
    if (h->left == 0) { /* told by its head, which came in one piece */
        h->left = ((uint32_t)(p[0] & 0x7f) << 8 | p[1]) + 2;
        h->msg_ts_ns = ts_ns;
    }
    uint32_t k = n < h->left ? (uint32_t)n : h->left;
    if (h->kept.len == 0 && k == h->left) {
        hello_whole(at, dir, p, k);
    } else if (!stream_keep(at, &h->kept, p, k)) {
        stream_outcome(at, OUT_TABLE_FULL);
        tls_record_forget(at, h);
        return n;
    } else if (k == h->left) {
        uint32_t len = h->kept.len;
        hello_whole(at, dir, stream_kept_bytes(at, &h->kept), len);
        stream_drop(at, &h->kept);
    }
    h->left -= k;
    return k;
}

/* The server's answer to a hello of SSLv2 format may have that format itself. Its first bytes tell.
 */
bool tls_sslv2_answer(struct stream_at *at, unsigned dir, const uint8_t *p, size_t n,
                      uint64_t ts_ns)
{
    struct stream_half *h = &at->stream->half[dir];
    struct tls_server_hello hello;
    size_t len;
    if (n < TLS_SSLV2_HEAD
        || sslv2_server_hello_decode(cur_of(p, n, SIZE_MAX), &hello, &len) != OUT_OK)
        return false;
    at->stream->tls.flags |= TLS_S_SSLV2;
    tls_message_server_hello(at, dir, &hello, cur_of(p, n, SIZE_MAX), (uint32_t)len - 2, ts_ns);
    h->synced = true;
    h->mode = at->stream->tls.flight != 0 ? AT_V2_ANSWER : AT_OPAQUE;
    h->left = (uint32_t)len;
    h->msg_ts_ns = ts_ns;
    at->stream->half[!dir].mode = AT_OPAQUE;
    at->stream->half[!dir].synced = true;
    return true;
}

/* Up to `n` bytes of the server's hello, of which its first ones told what it is. Returns how many
 * it took. */
uint32_t tls_sslv2_answer_data(struct stream_at *at, unsigned dir, const uint8_t *p, size_t n)
{
    struct stream_half *h = &at->stream->half[dir];
    uint32_t k = n < h->left ? (uint32_t)n : h->left;
    if (h->kept.len == 0 && k == h->left) {
        tls_flight_sslv2(at, dir, p, k);
    } else if (!stream_keep(at, &h->kept, p, k)) {
        stream_outcome(at, OUT_TABLE_FULL);
        stream_drop(at, &h->kept);
        tls_flight_cut(at, dir);
        h->mode = AT_OPAQUE;
    } else if (k == h->left) {
        uint32_t len = h->kept.len;
        tls_flight_sslv2(at, dir, stream_kept_bytes(at, &h->kept), len);
        stream_drop(at, &h->kept);
    } else {
        at->taken = true;
    }
    h->left -= k;
    if (h->left == 0)
        h->mode = AT_OPAQUE;
    return k;
}

void tls_sslv2_opaque(struct stream_at *at, unsigned dir, size_t n)
{
    struct stream_half *h = &at->stream->half[dir];
    uint32_t k = n < h->left ? (uint32_t)n : h->left;
    h->left -= k;
    if (n > k && at->stream->tls.flags & TLS_S_SSLV2)
        tls_session_went_on(at, dir);
}
