#include "decoders/tls_record.h"

#include "decoders/decode_state.h"
#include "decoders/tls_session.h"
#include "decoders/tls_wire.h"

enum {
    FINISHED_13_MIN =
        36 /* of a protected record: longer than any alert, not longer than a Finished */
};

/* ---- hellos */

void tls_record_client_hello(struct stream_at *at, unsigned dir, const struct tls_client_hello *h,
                             struct cur body, uint32_t raw_len, uint64_t ts_ns)
{
    char ja4[FINGERPRINT_JA4_LEN];
    uint8_t ja3[FINGERPRINT_JA3_LEN];
    struct fingerprints *f = at->d->fingerprints;
    bool has_ja4 = fingerprint_ja4(f, h, body, at->carrier, ja4);
    bool has_ja3 = has_ja4 && fingerprint_ja3(f, body, at->carrier, ja3);
    struct msg *m = msgs_push(at->out, MSG_TLS_CLIENT_HELLO, at->rec, stream_sender(at, dir),
                              h->sni.len + h->alpn.len + h->blob_len + sizeof ja4 + sizeof ja3);
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

void tls_record_server_hello(struct stream_at *at, unsigned dir, const struct tls_server_hello *h,
                             struct cur body, uint32_t raw_len, uint64_t ts_ns)
{
    uint8_t ja3s[FINGERPRINT_JA3_LEN];
    bool has_ja3s = !h->sslv2 && fingerprint_ja3s(at->d->fingerprints, body, ja3s);
    struct msg *m = msgs_push(at->out, MSG_TLS_SERVER_HELLO, at->rec, stream_sender(at, dir),
                              h->alpn.len + sizeof ja3s);
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

static void hello_whole(struct stream_at *at, unsigned dir, const uint8_t *p, uint32_t n)
{
    struct stream_half *h = &at->stream->half[dir];
    bool usable;
    enum outcome o;
    if (h->msg_head[0] == TLS_MSG_CLIENT_HELLO) {
        o = tls_client_hello_decode(cur_of(p, n, n), &at->d->hello, &usable);
        if (usable)
            tls_record_client_hello(at, dir, &at->d->hello, cur_of(p, n, n), n, h->msg_ts_ns);
    } else {
        struct tls_server_hello hello;
        o = tls_server_hello_decode(cur_of(p, n, n), &hello, &usable);
        if (usable)
            tls_record_server_hello(at, dir, &hello, cur_of(p, n, n), n, h->msg_ts_ns);
    }
    if (at->stream->tls.flags & TLS_S_RETRY
        && (h->flags & H_PROTECTED || h->msg_head[0] == TLS_MSG_CLIENT_HELLO))
        h->flags |= H_HELLO_2;
    stream_outcome(at, o);
}

/* ---- handshake messages */

/* What cannot be is the sender's fault only where we saw all of it. */
static void broken(struct stream_at *at, const struct stream_half *h)
{
    if ((h->flags & H_GAP) == 0 && at->stream->tls.flags & (TLS_S_CLIENT | TLS_S_SERVER))
        stream_outcome(at, OUT_MALFORMED);
}

static void message_end(struct stream_at *at, struct stream_half *h)
{
    if (h->msg_head[0] == TLS_MSG_SERVER_HELLO_DONE)
        at->stream->tls.flags |= TLS_S_DONE;
    h->mode = AT_HEAD;
    h->n_msg_head = 0;
}

/* A protected record of direction `dir` tells that it went on after the ServerHello; which may wait
 * for bytes before it. */
static void protected_record(struct stream_at *at, unsigned dir, uint16_t version)
{
    const struct stream_half *h = &at->stream->half[dir];
    struct tls_session *s = &at->stream->tls;
    if (s->record_version == 0 && version != 0)
        s->record_version = version;
    bool answered = s->flags & TLS_S_SERVER;
    bool short_data = h->type == TLS_TYPE_DATA && h->left < FINISHED_13_MIN;
    if ((answered || at->stream->half[!dir].waiting != 0)
        && (!short_data || (answered && s->version <= TLS_1_2)))
        tls_session_went_on(at, dir);
}

static void message_start(struct stream_at *at, unsigned dir)
{
    struct stream_half *h = &at->stream->half[dir];
    h->msg_left = (uint32_t)h->msg_head[1] << 16 | (uint32_t)h->msg_head[2] << 8 | h->msg_head[3];
    bool hello = h->msg_head[0] == TLS_MSG_CLIENT_HELLO || h->msg_head[0] == TLS_MSG_SERVER_HELLO;
    if (h->flags & H_TRY && (!hello || h->msg_left + TLS_MSG_HEAD != h->list_left)) {
        h->mode = AT_LOST;
        protected_record(at, dir, 0);
        return;
    }
    if (!tls_message_known(h->msg_head[0]) || (hello && h->msg_left > TLS_HELLO_MAX)) {
        broken(at, h);
        h->mode = AT_LOST;
        return;
    }
    h->mode = AT_SKIP;
    if (hello) {
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

/* RFC 5246 7.4.2: the list's length, then length and bytes of each certificate. Lengths are
 * gathered behind the message's type. */
static void certs_data(struct stream_at *at, unsigned dir, const uint8_t *p, uint32_t n)
{
    struct stream_half *h = &at->stream->half[dir];
    while (n > 0) {
        if (h->list_left > 0) {
            uint32_t k = n < h->list_left ? n : h->list_left;
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
    }
}

static void certs_end(struct stream_at *at, unsigned dir)
{
    struct stream_half *h = &at->stream->half[dir];
    if (h->list_left > 0 || h->n_msg_head > 1)
        stream_outcome(at, OUT_MALFORMED);
    h->count =
        (uint16_t)(h->count - (h->list_left > 0)); /* the message ended within the last one */
    struct msg *m = msgs_push(at->out, MSG_TLS_CERTIFICATES, at->rec, stream_sender(at, dir), 0);
    m->ts_ns = h->msg_ts_ns;
    m->certs.n = h->count;
}

/* Up to `n` bytes of a hello; whole ones are read where they lie. */
static void hello_data(struct stream_at *at, unsigned dir, const uint8_t *p, uint32_t n)
{
    struct stream_half *h = &at->stream->half[dir];
    if (h->kept.len == 0 && n == h->msg_left) {
        hello_whole(at, dir, p, n);
        return;
    }
    if (!stream_keep(at, &h->kept, p, n)) {
        stream_outcome(at, OUT_TABLE_FULL);
        stream_drop(at, &h->kept);
        h->mode = AT_SKIP;
        return;
    }
    at->taken = true;
    if (n == h->msg_left) {
        hello_whole(at, dir, stream_kept_bytes(at, &h->kept), h->kept.len);
        stream_drop(at, &h->kept);
    }
}

static void handshake_data(struct stream_at *at, unsigned dir, const uint8_t *p, uint32_t n,
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
            hello_data(at, dir, p, k);
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

/* ---- records */

static void alert_data(struct stream_at *at, unsigned dir, const uint8_t *p, uint32_t n,
                       uint64_t ts_ns)
{
    struct stream_half *h = &at->stream->half[dir];
    if ((h->flags & H_CLEAR) == 0)
        return;
    for (; n > 0; n--) {
        h->head[h->n_head++] = *p++;
        if (h->n_head < 2)
            continue;
        h->n_head = 0;
        if (!tls_alert_known(h->head[0], h->head[1]))
            continue;
        struct msg *m = msgs_push(at->out, MSG_TLS_ALERT, at->rec, stream_sender(at, dir), 0);
        m->ts_ns = ts_ns;
        m->alert = (struct tls_alert_msg){h->head[0], h->head[1]};
        tls_session_alert(at, h->head[0], h->head[1]);
    }
}

static void record_start(struct stream_at *at, unsigned dir, uint16_t version)
{
    struct stream_half *h = &at->stream->half[dir];
    struct tls_session *s = &at->stream->tls;
    s->records += s->records < UINT8_MAX;
    bool protected = h->flags & H_PROTECTED;
    h->flags &= (uint16_t) ~(H_CLEAR | H_TRY);
    switch (h->type) {
    case TLS_TYPE_CCS:
        h->flags |= H_PROTECTED;
        if (dir != s->client_dir && (s->flags & (TLS_S_SERVER | TLS_S_DONE)) == TLS_S_SERVER
            && s->version <= TLS_1_2 && (h->flags & H_GAP) == 0)
            s->flags |= TLS_S_RESUMED;
        break;
    case TLS_TYPE_ALERT:
        if (h->left == 2 && (!protected || s->flags & TLS_S_RETRY || s->version > TLS_1_2))
            h->flags |= H_CLEAR;
        break;
    case TLS_TYPE_HANDSHAKE:
        if (!protected || (s->flags & TLS_S_RETRY && (h->flags & H_HELLO_2) == 0)) {
            h->flags |= H_CLEAR;
            if (h->mode == AT_LOST) {
                h->mode = AT_HEAD;
                h->n_msg_head = 0;
            }
        } else if (h->left >= TLS_MSG_HEAD) {
            /* Middleboxes please clients to send ChangeCipherSpec before a hello (RFC 8446 D.4),
             * whose cause we may have missed. */
            stream_drop(at, &h->kept);
            h->flags |= H_CLEAR | H_TRY;
            h->mode = AT_HEAD;
            h->n_msg_head = 0;
            h->list_left = h->left;
            if (s->record_version == 0)
                s->record_version = version;
        }
        break;
    case TLS_TYPE_DATA:
        protected_record(at, dir, version);
        break;
    default:
        break;
    }
}

static void forget(struct stream_at *at, struct stream_half *h)
{
    h->synced = false;
    h->n_head = h->n_msg_head = 0;
    h->left = h->msg_left = 0;
    h->mode = AT_HEAD;
    stream_drop(at, &h->kept);
}

/* Reads a record's head, gathered in half.head where it is split. Returns how many of `n` bytes it
 * took. */
static size_t record_head(struct stream_at *at, unsigned dir, const uint8_t *p, size_t n)
{
    struct stream_half *h = &at->stream->half[dir];
    size_t took = TLS_RECORD_HEAD;
    if (h->n_head > 0 || n < TLS_RECORD_HEAD) {
        took = TLS_RECORD_HEAD - h->n_head;
        took = n < took ? n : took;
        memcpy(h->head + h->n_head, p, took);
        h->n_head = (uint8_t)(h->n_head + took);
        if (h->n_head < TLS_RECORD_HEAD) {
            at->taken = true;
            return took;
        }
        p = h->head;
    }
    h->n_head = 0;
    h->type = p[0];
    h->left = (uint32_t)p[3] << 8 | p[4];
    if (h->type < TLS_TYPE_CCS || h->type > TLS_TYPE_HEARTBEAT + 2 || p[1] != 3 || p[2] > 4
        || h->left > TLS_RECORD_MAX) {
        broken(at, h);
        forget(at, h);
        if (!tls_session_sure(&at->stream->tls))
            at->flow->kind = FLOW_UNKNOWN; /* it only looked like TLS */
        return n;
    }
    record_start(at, dir, (uint16_t)(p[1] << 8 | p[2]));
    return took;
}

static uint32_t record_body(struct stream_at *at, unsigned dir, const uint8_t *p, size_t n,
                            uint64_t ts_ns)
{
    struct stream_half *h = &at->stream->half[dir];
    uint32_t k = n < h->left ? (uint32_t)n : h->left;
    if (h->type == TLS_TYPE_HANDSHAKE && h->flags & H_CLEAR)
        handshake_data(at, dir, p, k, ts_ns);
    else if (h->type == TLS_TYPE_ALERT)
        alert_data(at, dir, p, k, ts_ns);
    h->left -= k;
    return k;
}

/* ---- hellos of SSLv2 format */

static void sslv2_hello(struct stream_at *at, unsigned dir, const uint8_t *p, uint32_t n)
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
    tls_record_client_hello(at, dir, &at->d->hello, cur_of(p, n, n), n - 2, h->msg_ts_ns);
}

static size_t sslv2_hello_data(struct stream_at *at, unsigned dir, const uint8_t *p, size_t n,
                               uint64_t ts_ns)
{
    struct stream_half *h = &at->stream->half[dir];
    if (h->left == 0) { /* told by its head, which came in one piece */
        h->left = ((uint32_t)(p[0] & 0x7f) << 8 | p[1]) + 2;
        h->msg_ts_ns = ts_ns;
    }
    uint32_t k = n < h->left ? (uint32_t)n : h->left;
    if (h->kept.len == 0 && k == h->left) {
        sslv2_hello(at, dir, p, k);
    } else if (!stream_keep(at, &h->kept, p, k)) {
        stream_outcome(at, OUT_TABLE_FULL);
        forget(at, h);
        return n;
    } else if (k == h->left) {
        uint32_t len = h->kept.len;
        sslv2_hello(at, dir, stream_kept_bytes(at, &h->kept), len);
        stream_drop(at, &h->kept);
    }
    h->left -= k;
    return k;
}

/* The server's answer to a hello of SSLv2 format may have that format itself. Its first bytes tell.
 */
static bool sslv2_answer(struct stream_at *at, unsigned dir, const uint8_t *p, size_t n,
                         uint64_t ts_ns)
{
    struct stream_half *h = &at->stream->half[dir];
    struct tls_server_hello hello;
    size_t len;
    if (n < TLS_SSLV2_HEAD
        || sslv2_server_hello_decode(cur_of(p, n, SIZE_MAX), &hello, &len) != OUT_OK)
        return false;
    at->stream->tls.flags |= TLS_S_SSLV2;
    tls_record_server_hello(at, dir, &hello, cur_of(p, n, n), (uint32_t)len - 2, ts_ns);
    h->synced = true;
    h->mode = AT_OPAQUE;
    h->left = (uint32_t)len;
    at->stream->half[!dir].mode = AT_OPAQUE;
    at->stream->half[!dir].synced = true;
    return true;
}

static void opaque_data(struct stream_at *at, unsigned dir, size_t n)
{
    struct stream_half *h = &at->stream->half[dir];
    uint32_t k = n < h->left ? (uint32_t)n : h->left;
    h->left -= k;
    if (n > k && at->stream->tls.flags & TLS_S_SSLV2)
        tls_session_went_on(at, dir);
}

/* ---- the stream */

void tls_record_begin(struct stream_at *at, unsigned dir, enum tls_probe found)
{
    at->flow->kind = FLOW_TLS;
    tls_session_begin(at, dir);
    struct stream_half *h = &at->stream->half[dir];
    h->synced = true;
    h->mode = found == TLS_YES_SSLV2 ? AT_V2 : AT_HEAD;
}

/* Looks for a record where a segment starts. True where the stream is in step from `p` on. */
static bool seek(struct stream_at *at, unsigned dir, const uint8_t *p, size_t n, bool start,
                 uint64_t ts_ns)
{
    struct stream_half *h = &at->stream->half[dir];
    bool answer = at->stream->tls.flags & TLS_S_SSLV2_OFFER && dir != at->stream->tls.client_dir;
    uint8_t joined[sizeof h->head + 1];
    if (h->n_head > 0) {
        size_t before = h->n_head, k = n < sizeof h->head - before ? n : sizeof h->head - before;
        memcpy(joined, h->head, before);
        memcpy(joined + before, p, k);
        enum tls_probe found = tls_record_probe(joined, before + k, TLS_WANT_ANY, false);
        if (answer && found == TLS_NO && joined[0] & 0x80)
            found = before + k < TLS_SSLV2_HEAD ? TLS_MAYBE : TLS_YES_SSLV2;
        if (found == TLS_MAYBE) {
            memcpy(h->head, joined, before + k);
            h->n_head = (uint8_t)(before + k);
            at->taken = true;
            return false;
        }
        h->n_head = 0;
        if (found == TLS_YES_SSLV2 && sslv2_answer(at, dir, joined, before + k, h->msg_ts_ns)) {
            opaque_data(at, dir, before);
            return true;
        }
        if (found == TLS_YES) {
            h->synced = true;
            tls_record_data(at, dir, joined, before, false, h->msg_ts_ns);
            return true;
        }
    }
    if (!start)
        return false;
    if (answer && p[0] & 0x80 && sslv2_answer(at, dir, p, n, ts_ns))
        return true;
    enum tls_probe found = tls_record_probe(p, n, TLS_WANT_ANY, false);
    if (answer && p[0] & 0x80 && n < TLS_SSLV2_HEAD)
        found = TLS_MAYBE;
    if (found == TLS_MAYBE) {
        memcpy(h->head, p, n);
        h->n_head = (uint8_t)n;
        h->msg_ts_ns = ts_ns;
        at->taken = true;
    }
    h->synced = found == TLS_YES;
    return h->synced;
}

void tls_record_data(struct stream_at *at, unsigned dir, const uint8_t *p, size_t n, bool start,
                     uint64_t ts_ns)
{
    struct stream_half *h = &at->stream->half[dir];
    if (!h->synced && !seek(at, dir, p, n, start, ts_ns))
        return;
    while (n > 0 && h->synced) {
        size_t k;
        if (h->mode == AT_OPAQUE) {
            opaque_data(at, dir, n);
            return;
        }
        if (h->mode == AT_V2) {
            k = sslv2_hello_data(at, dir, p, n, ts_ns);
        } else {
            k = h->left == 0 ? record_head(at, dir, p, n) : 0;
            if (h->left > 0)
                k += record_body(at, dir, p + k, n - k, ts_ns);
        }
        p += k;
        n -= k;
    }
}

/* A gap within a clear handshake record. True where a message was lost that somebody waits for. */
static bool handshake_gap(struct stream_at *at, struct stream_half *h, uint32_t n)
{
    bool needed = h->mode == AT_KEEP || h->mode == AT_CERTS || h->mode == AT_HEAD;
    stream_drop(at, &h->kept);
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

bool tls_record_gap(struct stream_at *at, unsigned dir, uint32_t n)
{
    struct stream_half *h = &at->stream->half[dir];
    h->flags |= H_GAP;
    if (h->mode == AT_OPAQUE) {
        opaque_data(at, dir, n);
        return false;
    }
    if (!h->synced || h->mode == AT_V2 || n > h->left) {
        bool needed =
            h->synced && (h->mode != AT_HEAD || h->type == TLS_TYPE_HANDSHAKE || h->n_head > 0);
        forget(at, h);
        return needed;
    }
    bool needed = h->type == TLS_TYPE_HANDSHAKE && h->flags & H_CLEAR && handshake_gap(at, h, n);
    h->left -= n;
    if (h->type == TLS_TYPE_ALERT)
        h->n_head = 0;
    return needed;
}
