/* DNS over TCP: each message behind its length in two bytes (RFC 1035 4.2.2, RFC 7766 8). */
#include "decoders/decode_state.h"
#include "decoders/dns.h"

enum { LENGTH = 2, DNS_HEAD = 12, DNS_MIN = 17 };

/* half.mode */
enum { AT_LENGTH, AT_MESSAGE, AT_SKIP };

/* Could a length and a message start here? Asked only where the stream's beginning, or a part of
 * it, was not seen. */
static bool plausible(const uint8_t *p, size_t n)
{
    if (n < LENGTH || (p[0] << 8 | p[1]) < DNS_HEAD)
        return false;
    if (n < LENGTH + DNS_HEAD)
        return n == LENGTH; /* some senders give the length a segment of its own */
    const uint8_t *h = p + LENGTH;
    unsigned opcode = h[2] >> 3 & 15, questions = (unsigned)(h[4] << 8 | h[5]);
    return (p[0] << 8 | p[1]) >= DNS_MIN && opcode <= 6 && (h[3] & 0x40) == 0 && questions <= 8;
}

static void message(struct stream_at *at, unsigned dir, const uint8_t *p, uint32_t n)
{
    struct stream_half *h = &at->stream->half[dir];
    h->mode = AT_LENGTH;
    struct dns_msg *m;
    uint8_t sender = stream_sender(at, dir);
    enum outcome o = dns_decode(cur_of(p, n, n), at->rec, sender, PROTO_DNS, true, at->out, &m);
    stream_outcome(at, o);
    if (m == NULL)
        return;
    struct rec began = *at->rec; /* exchanges are told by when their messages began */
    began.ts_ns = h->msg_ts_ns;
    dns_match_see(at->d->dns, &began, sender, NULL, m);
    at->out->m[at->out->n - 1].ts_ns = h->msg_ts_ns;
}

void stream_dns_data(struct stream_at *at, unsigned dir, const uint8_t *p, size_t n, bool start,
                     uint64_t ts_ns)
{
    struct stream_half *h = &at->stream->half[dir];
    if (!h->synced) {
        if (!start || !plausible(p, n))
            return;
        h->synced = true;
        h->mode = AT_LENGTH;
    }
    while (n > 0) {
        if (h->mode == AT_LENGTH) {
            if (h->n_head == 0)
                h->msg_ts_ns = ts_ns;
            h->head[h->n_head++] = *p++;
            n--;
            if (h->n_head < LENGTH)
                continue;
            h->n_head = 0;
            h->left = (uint32_t)h->head[0] << 8 | h->head[1];
            h->mode = h->left > 0 ? AT_MESSAGE : AT_LENGTH;
            continue;
        }
        uint32_t k = n < h->left ? (uint32_t)n : h->left;
        h->left -= k;
        if (h->mode == AT_SKIP) {
            if (h->left == 0)
                h->mode = AT_LENGTH;
        } else if (h->kept.len == 0 && h->left == 0) {
            message(at, dir, p, k);
        } else if (!stream_keep(at, &h->kept, p, k)) {
            stream_outcome(at, OUT_TABLE_FULL);
            stream_drop(at, &h->kept);
            h->mode = h->left > 0 ? AT_SKIP : AT_LENGTH;
        } else if (h->left == 0) {
            message(at, dir, stream_kept_bytes(at, &h->kept), h->kept.len);
            stream_drop(at, &h->kept);
        }
        p += k;
        n -= k;
    }
}

bool stream_dns_gap(struct stream_at *at, unsigned dir, uint32_t n)
{
    struct stream_half *h = &at->stream->half[dir];
    stream_drop(at, &h->kept);
    if (h->synced && h->mode != AT_LENGTH && n <= h->left) {
        bool needed = h->mode == AT_MESSAGE;
        h->left -= n;
        h->mode = h->left > 0 ? AT_SKIP : AT_LENGTH;
        return needed;
    }
    bool needed = h->synced;
    h->synced = false;
    h->n_head = 0;
    h->left = 0;
    h->mode = AT_LENGTH;
    return needed;
}
