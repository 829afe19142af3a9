/* Plain HTTP requests that matter: the firmware's own calls, and whoever talks to the configured
 * hosts. */
#include "decoders/decode_state.h"
#include "decoders/http.h"
#include "decoders/tls_clear.h"

#include <strings.h>

enum { HEAD_MAX = 8192, BODY_MAX = 1 << 30, STATUS_BYTES = 13 /* HTTP/1.1 200 and a blank */ };

/* half.mode of the requests' direction */
enum { AT_START, AT_HEAD, AT_BODY };

/* half.flags */
enum {
    H_CALL = 1,    /* a request that mattered was seen: the connection stays ours */
    H_PENDING = 2, /* an assign call waits for its response; its head is kept in the other half */
};

static bool host_wanted(const struct stream_at *at, struct bytes host)
{
    const uint8_t *colon = host.len == 0 ? NULL : memchr(host.p, ':', host.len);
    size_t len = colon == NULL ? host.len : (size_t)(colon - host.p);
    for (const char *const *h = at->d->http_hosts; h != NULL && *h != NULL; h++)
        if (strlen(*h) == len && len > 0 && strncasecmp(*h, (const char *)host.p, len) == 0)
            return true;
    return false;
}

static bool wanted(const struct stream_at *at, const struct http_request *r)
{
    return r->call != HTTP_OTHER || (r->user_agent.len > 0 && host_wanted(at, r->host));
}

bool stream_http_wants(struct stream_at *at, unsigned dir, const uint8_t *p, size_t n)
{
    struct http_request r;
    struct cur in = cur_of(p, n, SIZE_MAX);
    if (!http_plausible_request(in))
        return false;
    enum outcome o = http_request_decode(in, &r);
    if (o == OUT_OK && r.login)
        tls_clear_login(at, dir);
    return o == OUT_TRUNCATED || (o == OUT_OK && wanted(at, &r));
}

static void push(struct stream_at *at, unsigned dir, const struct http_request *r, bool answered,
                 uint64_t ts_ns)
{
    uint8_t side = stream_sender(at, dir);
    const struct rec *rec = at->rec;
    struct msg *m = msgs_push(at->out, MSG_HTTP, rec, side,
                              r->host.len + r->user_agent.len + r->product.len + r->hw.len);
    m->ts_ns = ts_ns;
    m->http = (struct http_msg){
        .call = r->call,
        .answered = answered,
        .has_mac = r->has_mac,
        .host = msgs_copy(at->out, r->host.p, r->host.len),
        .user_agent = msgs_copy(at->out, r->user_agent.p, r->user_agent.len),
        .product = msgs_copy(at->out, r->product.p, r->product.len),
        .hw = msgs_copy(at->out, r->hw.p, r->hw.len),
        .client = side == SIDE_SRC ? rec->src : rec->dst,
        .server = side == SIDE_SRC ? rec->dst : rec->src,
        .client_side = side,
    };
    memcpy(m->http.mac, r->mac, sizeof r->mac);
}

/* A request head is whole: `head_len` bytes at `p`. */
static void request(struct stream_at *at, unsigned dir, const struct http_request *r,
                    const uint8_t *p)
{
    struct stream_half *h = &at->stream->half[dir], *other = &at->stream->half[!dir];
    h->left = r->body_len < BODY_MAX ? (uint32_t)r->body_len : BODY_MAX;
    h->mode = h->left > 0 ? AT_BODY : AT_START;
    bool pending = h->flags & H_PENDING;
    if (r->login)
        tls_clear_login(at, dir);
    if (!pending)
        h->count += h->count < UINT16_MAX;
    if (!wanted(at, r))
        return;
    h->flags |= H_CALL;
    if (r->call != HTTP_ASSIGN) {
        push(at, dir, r, false, h->msg_ts_ns);
        return;
    }
    stream_drop(at, &other->kept); /* of two calls in flight the later one counts */
    if (pending)
        h->count++;
    h->flags &= (uint16_t)~H_PENDING;
    if (stream_keep(at, &other->kept, p, r->head_len)) {
        h->flags |= H_PENDING;
        other->msg_ts_ns = h->msg_ts_ns;
    } else {
        stream_drop(at, &other->kept);
        stream_outcome(at, OUT_TABLE_FULL);
    }
}

/* Requests in `n` bytes at `p`, from the start of one. Returns how many bytes are done with; the
 * rest is the start of a head. */
static size_t requests(struct stream_at *at, unsigned dir, const uint8_t *p, size_t n)
{
    struct stream_half *h = &at->stream->half[dir];
    size_t done = 0;
    while (done < n) {
        struct http_request r;
        struct cur in = cur_of(p + done, n - done, SIZE_MAX);
        enum outcome o = http_request_decode(in, &r);
        if (o == OUT_TRUNCATED)
            return done;
        if (o != OUT_OK) {
            h->synced = false;
            return n;
        }
        request(at, dir, &r, p + done);
        done += r.head_len;
        size_t body = h->left < n - done ? h->left : n - done;
        h->left -= (uint32_t)body;
        done += body;
        if (h->left == 0)
            h->mode = AT_START;
    }
    return n;
}

static void request_data(struct stream_at *at, unsigned dir, const uint8_t *p, size_t n, bool start,
                         uint64_t ts_ns)
{
    struct stream_half *h = &at->stream->half[dir];
    if (h->mode == AT_BODY) {
        size_t k = n < h->left ? n : h->left;
        h->left -= (uint32_t)k;
        h->mode = h->left > 0 ? AT_BODY : AT_START;
        p += k;
        n -= k;
    }
    if (n == 0)
        return;
    if (h->kept.len == 0) {
        if (!h->synced && (!start || !http_plausible_request(cur_of(p, n, SIZE_MAX))))
            return;
        h->synced = true;
        h->msg_ts_ns = ts_ns;
        size_t done = requests(at, dir, p, n);
        p += done;
        n -= done;
    }
    if (n == 0)
        return;
    h->mode = AT_HEAD;
    at->taken = true;
    if (h->kept.len + n > HEAD_MAX || !stream_keep(at, &h->kept, p, n)) {
        stream_drop(at, &h->kept);
        h->synced = false;
        h->mode = AT_START;
        return;
    }
    if (memchr(p, '\n', n) == NULL)
        return; /* no head ends here */
    const uint8_t *all = stream_kept_bytes(at, &h->kept);
    size_t len = h->kept.len;
    struct http_request r;
    if (http_request_decode(cur_of(all, len, SIZE_MAX), &r) == OUT_TRUNCATED)
        return;
    /* What follows the head lies in this piece, not before it. */
    size_t done = requests(at, dir, all, len), rest = len - done;
    stream_drop(at, &h->kept);
    if (rest > 0 && !stream_keep(at, &h->kept, p + n - rest, rest))
        h->synced = false;
    if (h->kept.len == 0 && h->mode == AT_HEAD)
        h->mode = AT_START;
}

/* The status of a response that starts here, else 0. What may be one but is cut by its segment
 * waits in the head of `h`, its direction. */
static unsigned status_of(struct stream_half *h, const uint8_t *p, size_t n)
{
    static const uint8_t name[] = "HTTP/1.";
    uint8_t all[STATUS_BYTES];
    size_t had = h->n_head < STATUS_BYTES ? h->n_head : 0;
    size_t more = n < STATUS_BYTES - had ? n : STATUS_BYTES - had, len = had + more;
    memcpy(all, h->head, had);
    memcpy(all + had, p, more);
    h->n_head = 0;
    unsigned status = http_status(cur_of(all, len, SIZE_MAX));
    if (status == 0 && had > 0) /* it was none */
        status = http_status(cur_of(p, n, SIZE_MAX));
    bool begun = memcmp(all, name, len < sizeof name - 1 ? len : sizeof name - 1) == 0;
    if (status == 0 && len < STATUS_BYTES && begun) {
        memcpy(h->head, all, len);
        h->n_head = (uint8_t)len;
    }
    return status;
}

static void response_data(struct stream_at *at, unsigned client, const uint8_t *p, size_t n)
{
    struct stream_half *h = &at->stream->half[client], *other = &at->stream->half[!client];
    unsigned status = status_of(other, p, n);
    if (status < 200 || h->count == 0)
        return;
    if (--h->count > 0 || (h->flags & H_PENDING) == 0)
        return;
    struct http_request r;
    const uint8_t *all = stream_kept_bytes(at, &other->kept);
    bool good = status < 300
                && http_request_decode(cur_of(all, other->kept.len, other->kept.len), &r) == OUT_OK;
    if (good)
        push(at, client, &r, true, other->msg_ts_ns);
    h->flags &= (uint16_t)~H_PENDING;
    stream_drop(at, &other->kept);
}

void stream_http_data(struct stream_at *at, unsigned dir, const uint8_t *p, size_t n, bool start,
                      uint64_t ts_ns)
{
    struct stream *s = at->stream;
    unsigned client = s->half[0].type == 1 ? 0 : 1;
    if (dir != client) {
        if (start || s->half[dir].n_head > 0)
            response_data(at, client, p, n);
        return;
    }
    request_data(at, dir, p, n, start, ts_ns);
    struct stream_half *h = &s->half[dir];
    if ((h->flags & H_CALL) == 0 && h->mode != AT_HEAD) { /* somebody else's request after all */
        at->flow->kind = FLOW_UNKNOWN;
        h->type = h->mode = 0;
        s->half[!dir].n_head = 0;
        h->synced = false;
        h->count = 0;
        h->left = 0;
    }
}

bool stream_http_gap(struct stream_at *at, unsigned dir, uint32_t n)
{
    struct stream_half *h = &at->stream->half[dir];
    if (h->type != 1)
        return false;
    if (h->mode == AT_BODY && n <= h->left) {
        h->left -= n;
        h->mode = h->left > 0 ? AT_BODY : AT_START;
        return false;
    }
    bool needed = h->mode == AT_HEAD;
    stream_drop(at, &h->kept);
    h->synced = false;
    h->left = 0;
    h->mode = AT_START;
    return needed;
}
