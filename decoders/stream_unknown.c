/* Connections that are nobody's so far: what starts here? */
#include "decoders/decode_state.h"
#include "decoders/tls_record.h"

enum { DNS_PORT = 53 };

static bool first_bytes(const struct stream_at *at, unsigned dir)
{
    return at->stream != NULL ? at->stream->half[dir].first : at->flow->young[dir] <= 1;
}

static enum tls_probe tls_here(const struct stream_at *at, unsigned dir, const uint8_t *p, size_t n)
{
    const struct flow *f = at->flow;
    bool whole = (f->flags & (FLOW_SYN | FLOW_HOLE))
                 == FLOW_SYN; /* a session that began before is out of the question */
    return tls_record_probe(p, n, whole ? TLS_WANT_HELLO : TLS_WANT_ANY, first_bytes(at, dir));
}

static bool dns_port(const struct flow *f)
{
    return flow_port(f, 0) == DNS_PORT || flow_port(f, 1) == DNS_PORT;
}

/* Bytes of a whole PROXY header (HAProxy's, versions 1 and 2) at `p`: what a load balancer puts
 * before the stream. 0: there is none. */
static size_t proxy_head(const uint8_t *p, size_t n)
{
    static const uint8_t v2[12] = {'\r', '\n', '\r', '\n', 0, '\r', '\n', 'Q', 'U', 'I', 'T', '\n'};
    enum { V1_MAX = 107, V2_HEAD = 16 };
    if (n >= 8 && memcmp(p, "PROXY ", 6) == 0) {
        const uint8_t *end = memchr(p, '\n', n < V1_MAX ? n : V1_MAX);
        return end == NULL ? 0 : (size_t)(end - p) + 1;
    }
    if (n < V2_HEAD || memcmp(p, v2, sizeof v2) != 0)
        return 0;
    size_t len = V2_HEAD + ((size_t)p[14] << 8 | p[15]);
    return len <= n ? len : 0;
}

/* Nothing that is looked for starts with this byte: no record of TLS, hello of SSLv2 format, PROXY
 * header or HTTP method. */
static bool starts_nothing(uint8_t b)
{
    bool record = b >= 20 && b <= 24, word = (b >= 'A' && b <= 'Z') || b == '\r';
    return !record && !word && b < 0x80;
}

bool stream_unknown_wants(struct stream_at *at, unsigned dir, const uint8_t *p, size_t n)
{
    if (n == 0 || starts_nothing(p[0]))
        return dns_port(at->flow);
    if (first_bytes(at, dir)) {
        size_t head = proxy_head(p, n);
        p += head;
        n -= head;
        if (n == 0)
            return false;
    }
    return dns_port(at->flow) || tls_here(at, dir, p, n) != TLS_NO
           || stream_http_wants(at, dir, p, n);
}

/* Decoders start with clean state; what was gathered of the other direction stays. */
static void clean(struct stream_at *at)
{
    for (unsigned dir = 0; dir < 2; dir++) {
        struct stream_half *h = &at->stream->half[dir];
        stream_drop(at, &h->kept);
        h->synced = false;
        h->type = h->mode = h->n_msg_head = 0;
        h->count = h->flags = 0;
        h->left = h->msg_left = h->list_left = 0;
    }
}

static void dns_begin(struct stream_at *at)
{
    bool whole = (at->flow->flags & (FLOW_SYN | FLOW_HOLE)) == FLOW_SYN;
    at->flow->kind = FLOW_DNS;
    for (unsigned dir = 0; dir < 2; dir++) {
        struct stream_half *h = &at->stream->half[dir];
        h->synced = whole && h->first;
        h->n_head = 0;
    }
}

/* Gives `p` to whoever it belongs to. False where that needs more bytes, or is nobody. */
static bool settle(struct stream_at *at, unsigned dir, const uint8_t *p, size_t n, uint64_t ts_ns,
                   bool *maybe)
{
    enum tls_probe found = tls_here(at, dir, p, n);
    *maybe = found == TLS_MAYBE;
    if (found == TLS_YES || found == TLS_YES_SSLV2) {
        clean(at);
        tls_record_begin(at, dir, found);
        tls_record_data(at, dir, p, n, true, ts_ns);
        return true;
    }
    if (found == TLS_NO && dns_port(at->flow)) {
        clean(at);
        dns_begin(at);
        stream_dns_data(at, dir, p, n, true, ts_ns);
        return true;
    }
    if (found == TLS_NO && stream_http_wants(at, dir, p, n)) {
        clean(at);
        at->flow->kind = FLOW_HTTP;
        at->stream->half[dir].type = 1; /* requests come from here */
        stream_http_data(at, dir, p, n, true, ts_ns);
        return true;
    }
    return false;
}

void stream_unknown_data(struct stream_at *at, unsigned dir, const uint8_t *p, size_t n, bool start,
                         uint64_t ts_ns)
{
    struct stream_half *h = &at->stream->half[dir];
    bool maybe;
    if (h->n_head > 0) { /* what came before was too little to say */
        uint8_t joined[sizeof h->head];
        size_t before = h->n_head, k = n < sizeof joined - before ? n : sizeof joined - before;
        uint64_t first_ns = h->msg_ts_ns;
        memcpy(joined, h->head, before);
        memcpy(joined + before, p, k);
        h->n_head = 0;
        if (settle(at, dir, joined, before + k, first_ns, &maybe)) {
            if (n > k)
                stream_settled_data(at, dir, p + k, n - k, ts_ns);
            return;
        }
        if (maybe) {
            memcpy(h->head, joined, before + k);
            h->n_head = (uint8_t)(before + k);
            at->taken = true;
            return;
        }
    }
    if (!start) {
        h->first = false;
        return;
    }
    size_t head = first_bytes(at, dir) ? proxy_head(p, n) : 0;
    p += head;
    n -= head;
    if (n == 0 || settle(at, dir, p, n, ts_ns, &maybe))
        return;
    h->first = h->first && maybe;
    if (!maybe)
        return;
    memcpy(h->head, p, n);
    h->n_head = (uint8_t)n;
    h->msg_ts_ns = ts_ns;
    at->taken = true;
}
