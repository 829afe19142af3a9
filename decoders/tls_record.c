#include "decoders/tls_record.h"

#include "decoders/decode_state.h"
#include "decoders/tls_flight.h"
#include "decoders/tls_message.h"
#include "decoders/tls_session.h"
#include "decoders/tls_sslv2.h"
#include "decoders/tls_wire.h"

enum {
    FINISHED_13_MIN =
        36 /* of a protected record: longer than any alert, not longer than a Finished */
};

/* What cannot be is the sender's fault only where we saw all of it. */
void tls_record_broken(struct stream_at *at, const struct stream_half *h)
{
    if ((h->flags & H_GAP) == 0 && at->stream->tls.flags & (TLS_S_CLIENT | TLS_S_SERVER))
        stream_outcome(at, OUT_MALFORMED);
}

/* A protected record of direction `dir` tells that it went on after the ServerHello; which may wait
 * for bytes before it. */
void tls_record_protected(struct stream_at *at, unsigned dir, uint16_t version)
{
    const struct stream_half *h = &at->stream->half[dir];
    struct tls_session *s = &at->stream->tls;
    if (s->record_version[dir] == 0)
        s->record_version[dir] = version;
    bool answered = s->flags & TLS_S_SERVER;
    bool short_data = h->type == TLS_TYPE_DATA && h->left < FINISHED_13_MIN;
    if ((answered || at->stream->half[!dir].waiting != 0)
        && (!short_data || (answered && s->version <= TLS_1_2)))
        tls_session_went_on(at, dir);
}

void tls_record_forget(struct stream_at *at, struct stream_half *h)
{
    h->synced = false;
    h->n_head = h->n_msg_head = 0;
    h->left = h->msg_left = 0;
    h->mode = AT_HEAD;
    stream_drop(at, &h->kept);
}

/* ---- records */

/* The first bytes of a heartbeat in clear. */
static void heartbeat_data(struct stream_at *at, unsigned dir, const uint8_t *p, uint32_t n)
{
    enum { TOLD = 3 };
    struct stream_half *h = &at->stream->half[dir];
    uint32_t len = h->n_head + h->left;
    if ((h->flags & H_CLEAR) == 0 || h->n_head == TOLD)
        return;
    for (; n > 0 && h->n_head < TOLD; n--)
        h->head[h->n_head++] = *p++;
    if (h->n_head == TOLD)
        tls_flight_heartbeat(at, dir, len, h->head, TOLD);
}

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
        tls_session_alert(at, dir, h->head[0], h->head[1]);
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
        if (protected && h->left > 1) /* itself protected: of a second handshake */
            s->signs |= TLS_SIGN_RENEGOTIATED;
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
            if (s->record_version[dir] == 0)
                s->record_version[dir] = version;
        }
        break;
    case TLS_TYPE_DATA:
        tls_record_protected(at, dir, version);
        break;
    case TLS_TYPE_HEARTBEAT:
        if (!protected)
            h->flags |= H_CLEAR;
        else
            tls_flight_heartbeat(at, dir, h->left, NULL, 0);
        break;
    default:
        break;
    }
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
        tls_record_broken(at, h);
        tls_record_forget(at, h);
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
        tls_message_data(at, dir, p, k, ts_ns);
    else if (h->type == TLS_TYPE_ALERT)
        alert_data(at, dir, p, k, ts_ns);
    else if (h->type == TLS_TYPE_HEARTBEAT)
        heartbeat_data(at, dir, p, k);
    h->left -= k;
    if (h->left == 0 && h->type == TLS_TYPE_HEARTBEAT)
        h->n_head = 0;
    return k;
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
        if (found == TLS_YES_SSLV2 && tls_sslv2_answer(at, dir, joined, before + k, h->msg_ts_ns)) {
            if (h->mode == AT_V2_ANSWER)
                (void)tls_sslv2_answer_data(at, dir, joined, before);
            else
                tls_sslv2_opaque(at, dir, before);
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
    if (answer && p[0] & 0x80 && tls_sslv2_answer(at, dir, p, n, ts_ns))
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
            tls_sslv2_opaque(at, dir, n);
            return;
        }
        if (h->mode == AT_V2_ANSWER) {
            k = tls_sslv2_answer_data(at, dir, p, n);
        } else if (h->mode == AT_V2) {
            k = tls_sslv2_hello(at, dir, p, n, ts_ns);
        } else {
            k = h->left == 0 ? record_head(at, dir, p, n) : 0;
            if (h->left > 0)
                k += record_body(at, dir, p + k, n - k, ts_ns);
        }
        p += k;
        n -= k;
    }
}

bool tls_record_gap(struct stream_at *at, unsigned dir, uint32_t n)
{
    struct stream_half *h = &at->stream->half[dir];
    h->flags |= H_GAP;
    if (h->mode == AT_V2_ANSWER) {
        stream_drop(at, &h->kept);
        tls_flight_cut(at, dir);
        h->mode = AT_OPAQUE;
    }
    if (h->mode == AT_OPAQUE) {
        tls_sslv2_opaque(at, dir, n);
        return false;
    }
    if (!h->synced || h->mode == AT_V2 || n > h->left) {
        bool needed =
            h->synced && (h->mode != AT_HEAD || h->type == TLS_TYPE_HANDSHAKE || h->n_head > 0);
        tls_record_forget(at, h);
        return needed;
    }
    bool needed = h->type == TLS_TYPE_HANDSHAKE && h->flags & H_CLEAR && tls_message_gap(at, h, n);
    h->left -= n;
    if (h->type == TLS_TYPE_ALERT || h->type == TLS_TYPE_HEARTBEAT) {
        h->n_head = 0;
        h->flags &= (uint16_t)~H_CLEAR; /* what is left of it tells nothing */
    }
    return needed;
}
