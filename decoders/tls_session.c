#include "decoders/tls_session.h"

#include "decoders/decode_state.h"
#include "decoders/stream_via.h"
#include "decoders/tls_flight.h"

static const uint64_t HANDSHAKE_NS = UINT64_C(10) * 1000 * 1000 * 1000;

bool tls_session_sure(const struct tls_session *s)
{
    return s->records >= 2 || s->flags & (TLS_S_CLIENT | TLS_S_SERVER);
}

uint64_t tls_session_window(const struct decode *d, uint64_t ts_ns)
{
    uint64_t length = d->limits.window_ns;
    return length == 0 ? 0 : ts_ns - ts_ns % length;
}

void tls_session_begin(struct stream_at *at, unsigned client_dir)
{
    struct tls_session *s = &at->stream->tls;
    stream_drop(at, &s->long_names);
    tls_flight_drop(at);
    *s = (struct tls_session){.long_names.aside = true};
    s->via = at->flow->via & STREAM_VIA;
    s->window_ns = tls_session_window(at->d, at->rec->ts_ns);
    s->first_ts_ns = at->rec->ts_ns;
    const struct flow *f = at->flow;
    if (f->flags & FLOW_SYN || flow_port(f, 0) != flow_port(f, 1))
        client_dir = f->flags & FLOW_CLIENT_1 ? 1 : 0;
    s->client_dir = (uint8_t)client_dir;
}

/* ---- reports */

/* What stands one behind the other in s->names, or where that is too short in s->long_names. */
struct names {
    struct bytes sni, alpn, ja3, ja3s;
};

static struct bytes next_name(const uint8_t **from, uint32_t len)
{
    struct bytes name = len > 0 ? (struct bytes){*from, len} : (struct bytes){0};
    *from += len;
    return name;
}

static struct names names_of(struct stream_at *at)
{
    const struct tls_session *s = &at->stream->tls;
    const uint8_t *p = s->long_names.len > 0 ? stream_kept_bytes(at, &s->long_names) : s->names;
    struct names n;
    n.sni = next_name(&p, s->sni_len);
    n.alpn = next_name(&p, s->alpn_len);
    n.ja3 = next_name(&p, s->flags & TLS_S_JA3 ? FINGERPRINT_JA3_LEN : 0);
    n.ja3s = next_name(&p, s->flags & TLS_S_JA3S ? FINGERPRINT_JA3_LEN : 0);
    return n;
}

static uint32_t report_bytes(const struct tls_session *s)
{
    return (uint32_t)s->sni_len + s->alpn_len + FINGERPRINT_JA4_LEN + 2 * FINGERPRINT_JA3_LEN;
}

static void put_names(struct stream_at *at, struct tls_session_msg *m)
{
    struct tls_session *s = &at->stream->tls;
    struct names n = names_of(at);
    m->sni = msgs_copy(at->out, n.sni.p, n.sni.len);
    m->alpn = msgs_copy(at->out, n.alpn.p, n.alpn.len);
    m->ja3 = msgs_copy(at->out, n.ja3.p, n.ja3.len);
    m->ja3s = msgs_copy(at->out, n.ja3s.p, n.ja3s.len);
    if (s->ja4[0] != '\0')
        m->ja4 = msgs_copy(at->out, s->ja4, sizeof s->ja4);
    m->answer = msgs_copy(at->out, at->d->answer, at->d->answer_len);
    at->d->answer_len = 0;
}

/* True the first time for this window. Only the last two are remembered: packets hardly wander
 * further. */
static bool first_alive(struct tls_session *s)
{
    for (unsigned i = 0; i < s->n_alive && i < 2; i++)
        if (s->last_alive_ns[i] == s->window_ns)
            return false;
    s->last_alive_ns[s->n_alive & 1] = s->window_ns;
    s->n_alive = s->n_alive == 2 ? 3 : s->n_alive == 3 ? 2 : (uint8_t)(s->n_alive + 1);
    return true;
}

static uint8_t outcome_now(const struct tls_session *s)
{
    if ((s->flags & TLS_S_CLIENT) == 0)
        return TLS_PARTIAL;
    return s->flags & TLS_S_DECIDED ? s->outcome : TLS_UNDECIDED;
}

/* Of a session that began before: only where both directions say the same (one alone may be
 * anything). */
static uint16_t record_version(const struct tls_session *s)
{
    return s->record_version[0] == s->record_version[1] ? s->record_version[0] : 0;
}

static void report(struct stream_at *at, bool decided, bool final)
{
    struct tls_session *s = &at->stream->tls;
    /* A handshake is told at once; its session is counted when it leaves the window or ends, so
     * that signs which come late (a heartbeat, a renegotiation) are told of it, too. */
    bool held = decided && !final;
    bool counted = !held && (s->bytes[0] > 0 || s->bytes[1] > 0);
    if (!tls_session_sure(s) || (!counted && !decided && !final)) {
        s->bytes[0] = s->bytes[1] = 0;
        return;
    }
    uint8_t client_side = stream_sender(at, s->client_dir);
    const struct rec *rec = at->rec;
    struct msg *m = msgs_room(at->out, report_bytes(s) + at->d->answer_len);
    msgs_add(at->out, m, MSG_TLS_SESSION, rec, client_side);
    m->session = (struct tls_session_msg){
        .window_ts_ns = counted ? s->window_last_ns : s->window_ns,
        .first_ts_ns = s->first_ts_ns,
        .bytes = {counted ? s->bytes[s->client_dir] : 0, counted ? s->bytes[!s->client_dir] : 0},
        .alive = counted && first_alive(s),
        .decided = decided,
        .handshake_seen = tls_session_handshake_seen(s),
        .final = final,
        .outcome = outcome_now(s),
        .carrier = at->carrier,
        .quic_version = at->quic_version,
        .resumed = s->flags & TLS_S_RESUMED,
        .client_seen = s->flags & TLS_S_CLIENT,
        .server_seen = s->flags & TLS_S_SERVER,
        .version = s->version,
        .record_version = tls_session_handshake_seen(s) ? 0 : record_version(s),
        .cipher = s->cipher,
        .group = s->group,
        .client_max_version = s->client_max_version,
        .hello_id = s->hello_id,
        .answer_id = s->answer_id,
        .signs = s->signs,
        .via = s->via,
        .last_alert_level = s->alert_level,
        .last_alert = s->alert,
        .has_alert = s->flags & TLS_S_ALERT,
        .client = client_side == SIDE_SRC ? rec->src : rec->dst,
        .server = client_side == SIDE_SRC ? rec->dst : rec->src,
        .client_port = client_side == SIDE_SRC ? rec->sport : rec->dport,
        .server_port = client_side == SIDE_SRC ? rec->dport : rec->sport,
        .client_side = client_side,
    };
    put_names(at, &m->session);
    s->flags |= TLS_S_TOLD;
    if (!held)
        s->bytes[0] = s->bytes[1] = 0;
}

static void decided(struct stream_at *at, enum tls_outcome outcome)
{
    struct tls_session *s = &at->stream->tls;
    s->outcome = (uint8_t)outcome;
    s->flags |= TLS_S_DECIDED;
    tls_flight_finish(at, s->outcome);
    report(at, true, false);
}

/* ---- what happened */

static void started(struct tls_session *s, uint64_t ts_ns)
{
    if ((s->flags & TLS_S_STARTED) == 0)
        s->first_ts_ns = ts_ns;
    s->flags |= TLS_S_STARTED;
}

/* Appends at most `max` bytes and returns how many. */
static uint8_t append(uint8_t all[], size_t *len, struct bytes name, uint8_t max)
{
    uint8_t n = name.len < max ? (uint8_t)name.len : max;
    if (n > 0)
        memcpy(all + *len, name.p, n);
    *len += n;
    return n;
}

/* `n` may point to what is kept now. */
static void keep_names(struct stream_at *at, const struct names *n)
{
    struct tls_session *s = &at->stream->tls;
    uint8_t all[2 * TLS_NAME_MAX + 2 * FINGERPRINT_JA3_LEN];
    size_t len = 0;
    s->flags &= (uint16_t) ~(TLS_S_JA3 | TLS_S_JA3S);
    s->sni_len = append(all, &len, n->sni, TLS_NAME_MAX);
    s->alpn_len = append(all, &len, n->alpn, TLS_NAME_MAX);
    if (append(all, &len, n->ja3, FINGERPRINT_JA3_LEN) > 0)
        s->flags |= TLS_S_JA3;
    if (append(all, &len, n->ja3s, FINGERPRINT_JA3_LEN) > 0)
        s->flags |= TLS_S_JA3S;
    stream_drop(at, &s->long_names);
    if (len <= TLS_NAMES_INLINE) {
        memcpy(s->names, all, len);
    } else if (!stream_keep(at, &s->long_names, all, len)) {
        tls_session_no_names(s); /* counted as turned away */
    }
}

void tls_session_client_hello(struct stream_at *at, unsigned dir, const struct tls_client_hello *h,
                              const struct tls_hello_msg *said, uint64_t ts_ns)
{
    struct tls_session *s = &at->stream->tls;
    started(s, ts_ns);
    if (s->flags & TLS_S_CLIENT)
        return; /* the one after a HelloRetryRequest, or a renegotiation: the first says what the
                   client offers */
    s->flags |= TLS_S_CLIENT;
    s->client_dir = (uint8_t)dir;
    s->client_max_version = h->max_version;
    s->hello_id = h->id;
    tls_flight_client_hello(at, h);
    struct names n = names_of(at); /* the server's hello may have come first */
    n.sni = said->sni;
    n.ja3 = said->ja3;
    keep_names(at, &n);
    if (said->ja4.len == sizeof s->ja4)
        memcpy(s->ja4, said->ja4.p, sizeof s->ja4);
}

void tls_session_server_hello(struct stream_at *at, unsigned dir, const struct tls_server_hello *h,
                              const struct tls_hello_msg *said, uint64_t ts_ns)
{
    struct tls_session *s = &at->stream->tls;
    started(s, ts_ns);
    if ((s->flags & TLS_S_CLIENT) == 0)
        s->client_dir = !dir;
    if (h->hello_retry) {
        s->flags |= TLS_S_RETRY;
        return;
    }
    if (s->flags & TLS_S_SERVER)
        return;
    s->flags |= TLS_S_SERVER;
    s->version = h->version;
    s->cipher = h->cipher;
    s->group = h->group;
    tls_flight_server_hello(at, h);
    if (h->psk)
        s->flags |= TLS_S_RESUMED;
    if (said->alpn.len == 0 && said->ja3.len == 0)
        return;
    struct names n = names_of(at);
    n.alpn = said->alpn.len > 0 ? said->alpn : n.alpn;
    n.ja3s = said->ja3;
    keep_names(at, &n);
}

void tls_session_alert(struct stream_at *at, unsigned dir, uint8_t level, uint8_t description)
{
    struct tls_session *s = &at->stream->tls;
    s->signs |= dir == s->client_dir ? TLS_SIGN_CLIENT_ALERT : TLS_SIGN_SERVER_ALERT;
    if (s->flags & TLS_S_REFUSED && level != 2)
        return; /* what ended it is told, not the farewell */
    s->flags |= TLS_S_ALERT | (level == 2 ? TLS_S_REFUSED : 0);
    s->alert_level = level;
    s->alert = description;
}

void tls_session_went_on(struct stream_at *at, unsigned dir)
{
    at->stream->tls.flags |= dir == 0 ? TLS_S_WENT_ON_0 : TLS_S_WENT_ON_1;
}

void tls_session_leave(struct stream_at *at)
{
    report(at, false, false);
    at->stream->tls.window_ns = tls_session_window(at->d, at->rec->ts_ns);
    at->stream->tls.window_last_ns = 0;
}

bool tls_session_late(const struct tls_session *s, uint64_t ts_ns)
{
    return ts_ns > s->first_ts_ns && ts_ns - s->first_ts_ns > HANDSHAKE_NS;
}

void tls_session_decide(struct stream_at *at)
{
    const struct tls_session *s = &at->stream->tls;
    enum { BOTH = TLS_S_WENT_ON_0 | TLS_S_WENT_ON_1 };
    if (tls_session_late(s, at->rec->ts_ns))
        decided(at, TLS_UNDECIDED);
    else if (s->flags & TLS_S_REFUSED)
        decided(at, TLS_REFUSED);
    else if (s->flags & TLS_S_SERVER && (s->flags & BOTH) == BOTH)
        decided(at, TLS_ESTABLISHED);
}

void tls_session_end(struct stream_at *at, bool closed)
{
    struct tls_session *s = &at->stream->tls;
    bool open = (s->flags & TLS_S_DECIDED) == 0 && tls_session_handshake_seen(s);
    if (open) {
        bool known =
            closed && !tls_session_late(s, at->rec->ts_ns) && (at->flow->flags & FLOW_HOLE) == 0;
        s->outcome = known ? TLS_RESET : TLS_UNDECIDED;
        s->flags |= TLS_S_DECIDED;
        tls_flight_finish(at, s->outcome);
    }
    report(at, open, true);
}

void tls_session_sweep(struct stream_at *at, uint64_t before_ns)
{
    const struct tls_session *s = &at->stream->tls;
    uint64_t length = at->d->limits.window_ns;
    if ((s->flags & TLS_S_DECIDED) == 0 && tls_session_handshake_seen(s)
        && s->first_ts_ns < before_ns)
        decided(at, TLS_UNDECIDED);
    if (length > 0 && s->window_ns < before_ns && before_ns - s->window_ns >= length)
        report(at, false, false);
}
