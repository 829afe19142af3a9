#include "decoders/tls_message.h"

#include "core/cert.h"
#include "decoders/decode_state.h"
#include "decoders/fingerprint.h"
#include "decoders/tls_flight.h"
#include "decoders/tls_record.h"
#include "decoders/tls_session.h"
#include "decoders/tls_wire.h"

/* ---- hellos */

void tls_message_client_hello(struct stream_at *at, unsigned dir, const struct tls_client_hello *h,
                              struct cur body, uint32_t raw_len, uint64_t ts_ns)
{
    char ja4[FINGERPRINT_JA4_LEN];
    uint8_t ja3[FINGERPRINT_JA3_LEN];
    struct fingerprints *f = at->d->fingerprints;
    bool has_ja4 = fingerprint_ja4(f, h, body, at->carrier, ja4);
    bool has_ja3 = has_ja4 && fingerprint_ja3(f, body, at->carrier, ja3);
    struct msg *m = msgs_room(at->out, h->sni.len + h->alpn.len + h->blob_len
                                           + (uint32_t)(sizeof ja4 + sizeof ja3));
    msgs_add(at->out, m, MSG_TLS_CLIENT_HELLO, at->rec, stream_sender(at, dir));
    m->ts_ns = ts_ns;
    m->hello = (struct tls_hello_msg){
        .carrier = at->carrier,
        .legacy_version = h->legacy_version,
        .max_version = h->max_version,
        .sslv2_format = h->sslv2_format,
        .sslv2 = h->sslv2,
        .ech = h->ech,
        .resumption_offered = h->resumption_offered,
        .sni = msgs_copy(at->out, h->sni.p, h->sni.len),
        .alpn = msgs_copy(at->out, h->alpn.p, h->alpn.len),
        .offer = msgs_copy(at->out, h->blob, h->blob_len),
        .id = h->id,
        .raw_len = raw_len,
        .ja4 = msgs_copy(at->out, ja4, has_ja4 ? sizeof ja4 : 0),
        .ja3 = msgs_copy(at->out, ja3, has_ja3 ? sizeof ja3 : 0),
    };
    tls_session_client_hello(at, dir, h, &m->hello, ts_ns);
}

void tls_message_server_hello(struct stream_at *at, unsigned dir, const struct tls_server_hello *h,
                              struct cur body, uint32_t raw_len, uint64_t ts_ns)
{
    uint8_t ja3s[FINGERPRINT_JA3_LEN];
    bool has_ja3s = !h->sslv2 && fingerprint_ja3s(at->d->fingerprints, body, ja3s);
    struct msg *m = msgs_room(at->out, h->alpn.len + (uint32_t)sizeof ja3s);
    msgs_add(at->out, m, MSG_TLS_SERVER_HELLO, at->rec, stream_sender(at, dir));
    m->ts_ns = ts_ns;
    m->hello = (struct tls_hello_msg){
        .carrier = at->carrier,
        .legacy_version = h->legacy_version,
        .max_version = h->version,
        .cipher = h->cipher,
        .group = h->group,
        .compression = h->compression,
        .hello_retry = h->hello_retry,
        .sslv2 = h->sslv2,
        .alpn = msgs_copy(at->out, h->alpn.p, h->alpn.len),
        .raw_len = raw_len,
        .ja3 = msgs_copy(at->out, ja3s, has_ja3s ? sizeof ja3s : 0),
    };
    tls_session_server_hello(at, dir, h, &m->hello, ts_ns);
}

static bool is_hello(const struct stream_half *h)
{
    return h->msg_head[0] == TLS_MSG_CLIENT_HELLO || h->msg_head[0] == TLS_MSG_SERVER_HELLO;
}

static void message_whole(struct stream_at *at, unsigned dir, const uint8_t *p, uint32_t n)
{
    struct stream_half *h = &at->stream->half[dir];
    bool usable;
    enum outcome o;
    if (!is_hello(h)) {
        tls_flight_message(at, dir, h->msg_head[0], p, n);
        return;
    }
    if (h->msg_head[0] == TLS_MSG_CLIENT_HELLO) {
        o = tls_known_decode(&at->d->known, cur_of(p, n, n), &at->d->hello, &usable);
        if (usable)
            tls_message_client_hello(at, dir, &at->d->hello, cur_of(p, n, n), n, h->msg_ts_ns);
    } else {
        struct tls_server_hello hello;
        o = tls_server_hello_decode(cur_of(p, n, n), &hello, &usable);
        if (usable)
            tls_message_server_hello(at, dir, &hello, cur_of(p, n, n), n, h->msg_ts_ns);
    }
    if (at->stream->tls.flags & TLS_S_RETRY
        && (h->flags & H_PROTECTED || h->msg_head[0] == TLS_MSG_CLIENT_HELLO))
        h->flags |= H_HELLO_2;
    stream_outcome(at, o);
}

/* ---- handshake messages */

static void message_end(struct stream_at *at, struct stream_half *h)
{
    if (h->msg_head[0] == TLS_MSG_SERVER_HELLO_DONE)
        at->stream->tls.flags |= TLS_S_DONE;
    h->mode = AT_HEAD;
    h->n_msg_head = 0;
}

static void message_start(struct stream_at *at, unsigned dir)
{
    struct stream_half *h = &at->stream->half[dir];
    h->msg_left = (uint32_t)h->msg_head[1] << 16 | (uint32_t)h->msg_head[2] << 8 | h->msg_head[3];
    bool hello = is_hello(h);
    if (h->flags & H_TRY && (!hello || h->msg_left + TLS_MSG_HEAD != h->list_left)) {
        h->mode = AT_LOST;
        tls_record_protected(at, dir, 0);
        return;
    }
    if (!tls_message_known(h->msg_head[0]) || (hello && h->msg_left > TLS_HELLO_MAX)) {
        tls_record_broken(at, h);
        h->mode = AT_LOST;
        return;
    }
    h->mode = AT_SKIP;
    if (hello || tls_flight_wants(at, dir, h->msg_head[0], h->msg_left)) {
        h->mode = AT_KEEP;
    } else if (h->msg_head[0] == TLS_MSG_CERTIFICATE) {
        h->mode = AT_CERTS;
        h->count = 0;
        h->list_left = 0;
        h->n_msg_head = 1;
        h->flags &= (uint16_t)~H_LIST;
    }
    if (h->msg_left == 0 && !hello)
        message_end(at, h);
}

static void cert_whole(struct stream_at *at, unsigned dir, const uint8_t *der, uint32_t n)
{
    struct tls_certs *c = &at->d->certs;
    uint32_t like = tls_certs_find(c, der, n, n); /* its first piece may have been too short */
    if (like != 0) {
        tls_flight_cert_again(at, dir, &c->seen[like]);
        return;
    }
    uint64_t id = cert_id(der, n);
    tls_certs_keep(c, der, n, id, at->out->batch);
    tls_flight_cert(at, dir, der, n, id);
}

/* Is what came of the certificate, with the `n` bytes at `p`, like one that came before? */
static bool cert_like(struct stream_at *at, unsigned dir, const uint8_t *p, uint32_t n)
{
    struct stream_half *h = &at->stream->half[dir];
    struct tls_certs *c = &at->d->certs;
    uint32_t like = h->kept.like;
    if (h->kept.len == 0 && h->list_left <= at->d->limits.tcp_buffer_bytes)
        like = tls_certs_find(c, p, n, h->list_left);
    else if (like != 0 && memcmp(c->seen[like].bytes + h->kept.len, p, n) != 0)
        like = 0;
    if (like == 0)
        return false;
    if (n == h->list_left) {
        tls_flight_cert_again(at, dir, &c->seen[like]);
        stream_drop(at, &h->kept);
    } else {
        stream_keep_like(at, &h->kept, like, n);
        at->taken = true;
    }
    return true;
}

/* Up to `n` bytes of a certificate, of which list_left are to come. */
static void cert_data(struct stream_at *at, unsigned dir, const uint8_t *p, uint32_t n)
{
    struct stream_half *h = &at->stream->half[dir];
    if (cert_like(at, dir, p, n))
        return;
    if (h->kept.len == 0 && n == h->list_left) {
        cert_whole(at, dir, p, n);
    } else if (!stream_keep(at, &h->kept, p, n)) {
        stream_outcome(at, OUT_TABLE_FULL);
        stream_drop(at, &h->kept);
        tls_flight_cut(at, dir);
        at->d->stats.certs_turned_away++;
        h->flags &= (uint16_t)~H_CERT;
    } else if (n == h->list_left) {
        cert_whole(at, dir, stream_kept_bytes(at, &h->kept), h->kept.len);
        stream_drop(at, &h->kept);
    } else {
        at->taken = true;
    }
}

/* RFC 5246 7.4.2: the list's length, then length and bytes of each certificate. Lengths are
 * gathered behind the message's type. */
static void certs_data(struct stream_at *at, unsigned dir, const uint8_t *p, uint32_t n)
{
    struct stream_half *h = &at->stream->half[dir];
    while (n > 0) {
        if (h->list_left > 0) {
            uint32_t k = n < h->list_left ? n : h->list_left;
            if (h->flags & H_CERT)
                cert_data(at, dir, p, k);
            h->list_left -= k;
            p += k;
            n -= k;
            continue;
        }
        h->msg_head[h->n_msg_head++] = *p++;
        n--;
        if (h->n_msg_head < TLS_MSG_HEAD)
            continue;
        h->n_msg_head = 1;
        if ((h->flags & H_LIST) == 0) {
            h->flags |= H_LIST;
            continue;
        }
        h->list_left =
            (uint32_t)h->msg_head[1] << 16 | (uint32_t)h->msg_head[2] << 8 | h->msg_head[3];
        h->count += h->count < UINT16_MAX;
        h->flags &= (uint16_t)~H_CERT;
        if (h->list_left <= h->msg_left && tls_flight_wants_cert(at, dir, h->list_left))
            h->flags |= H_CERT;
    }
}

static void certs_end(struct stream_at *at, unsigned dir)
{
    struct stream_half *h = &at->stream->half[dir];
    if (h->list_left > 0 || h->n_msg_head > 1)
        stream_outcome(at, OUT_MALFORMED);
    stream_drop(at, &h->kept);
    h->count =
        (uint16_t)(h->count - (h->list_left > 0)); /* the message ended within the last one */
    struct msg *m = msgs_push(at->out, MSG_TLS_CERTIFICATES, at->rec, stream_sender(at, dir), 0);
    m->ts_ns = h->msg_ts_ns;
    m->certs.n = h->count;
}

/* Up to `n` bytes of a message wanted whole; where they are all of it, they are read where they
 * lie. */
static void kept_data(struct stream_at *at, unsigned dir, const uint8_t *p, uint32_t n)
{
    struct stream_half *h = &at->stream->half[dir];
    if (h->kept.len == 0 && n == h->msg_left) {
        message_whole(at, dir, p, n);
        return;
    }
    if (!stream_keep(at, &h->kept, p, n)) {
        stream_outcome(at, OUT_TABLE_FULL);
        stream_drop(at, &h->kept);
        tls_flight_cut(at, dir);
        h->mode = AT_SKIP;
        return;
    }
    at->taken = true;
    if (n == h->msg_left) {
        message_whole(at, dir, stream_kept_bytes(at, &h->kept), h->kept.len);
        stream_drop(at, &h->kept);
    }
}

void tls_message_data(struct stream_at *at, unsigned dir, const uint8_t *p, uint32_t n,
                      uint64_t ts_ns)
{
    struct stream_half *h = &at->stream->half[dir];
    while (n > 0 && h->mode != AT_LOST) {
        if (h->mode == AT_HEAD) {
            if (h->n_msg_head == 0)
                h->msg_ts_ns = ts_ns;
            if (h->n_msg_head == 0 && n >= TLS_MSG_HEAD) { /* nearly always */
                memcpy(h->msg_head, p, TLS_MSG_HEAD);
                h->n_msg_head = TLS_MSG_HEAD;
                p += TLS_MSG_HEAD;
                n -= TLS_MSG_HEAD;
                message_start(at, dir);
                continue;
            }
            h->msg_head[h->n_msg_head++] = *p++;
            n--;
            if (h->n_msg_head == TLS_MSG_HEAD)
                message_start(at, dir);
            continue;
        }
        uint32_t k = n < h->msg_left ? n : h->msg_left;
        if (h->mode == AT_KEEP)
            kept_data(at, dir, p, k);
        else if (h->mode == AT_CERTS)
            certs_data(at, dir, p, k);
        p += k;
        n -= k;
        h->msg_left -= k;
        if (h->msg_left == 0) {
            if (h->mode == AT_CERTS)
                certs_end(at, dir);
            message_end(at, h);
        }
    }
}

/* A gap within a clear handshake record. True where a message was lost that somebody waits for. */
bool tls_message_gap(struct stream_at *at, struct stream_half *h, uint32_t n)
{
    bool needed = h->mode == AT_KEEP || h->mode == AT_CERTS || h->mode == AT_HEAD;
    stream_drop(at, &h->kept);
    tls_flight_cut(at, (unsigned)(h - at->stream->half));
    h->n_head = 0;
    if (h->mode == AT_HEAD || h->mode == AT_LOST || n > h->msg_left) {
        h->mode = AT_LOST;
        return needed;
    }
    h->mode = AT_SKIP;
    h->msg_left -= n;
    if (h->msg_left == 0) {
        h->mode = AT_HEAD;
        h->n_msg_head = 0;
    }
    return needed;
}
