/* What becomes of a TLS session, and the reports on it: see struct tls_session_msg. */
#pragma once
#include "decoders/decode_state.h"
#include "decoders/tls_hello.h"

enum tls_session_flags {
    TLS_S_CLIENT = 1,      /* a ClientHello was seen */
    TLS_S_SERVER = 2,      /* a ServerHello */
    TLS_S_RETRY = 4,       /* a HelloRetryRequest */
    TLS_S_SSLV2_OFFER = 8, /* the ClientHello had SSLv2 format */
    TLS_S_SSLV2 = 16,      /* the server took SSLv2 */
    TLS_S_WENT_ON_0 = 32,  /* direction 0, 1 went on after the ServerHello: protected records */
    TLS_S_WENT_ON_1 = 64,
    TLS_S_DONE = 128, /* ServerHelloDone: a full handshake */
    TLS_S_RESUMED = 256,
    TLS_S_ALERT = 512,    /* a readable alert */
    TLS_S_REFUSED = 1024, /* a fatal one */
    TLS_S_DECIDED = 2048, /* outcome is, and was reported */
    TLS_S_STARTED = 4096, /* first_ts_ns is known */
    TLS_S_TOLD = 8192,    /* a report was made */
    TLS_S_JA3 = 16384,    /* JA3, JA3S stand behind the names */
    TLS_S_JA3S = 32768,
};

/* Start of the window that holds `ts_ns`; 0 where there are no windows. */
uint64_t tls_session_window(const struct decode *d, uint64_t ts_ns);

/* `dir` is the best guess of who is the client. */
void tls_session_begin(struct stream_at *at, unsigned client_dir);

/* `said`: the message made of the hello, with copies of its names and its fingerprints. */
void tls_session_client_hello(struct stream_at *at, unsigned dir, const struct tls_client_hello *h,
                              const struct tls_hello_msg *said, uint64_t ts_ns);
void tls_session_server_hello(struct stream_at *at, unsigned dir, const struct tls_server_hello *h,
                              const struct tls_hello_msg *said, uint64_t ts_ns);
void tls_session_alert(struct stream_at *at, unsigned dir, uint8_t level, uint8_t description);
void tls_session_went_on(struct stream_at *at, unsigned dir);

/* The packet at->rec is in another window than those before: reports on these. */
void tls_session_leave(struct stream_at *at);

/* Counts the packet at->rec, once; a window that it leaves is reported. */
static inline void tls_session_packet(struct stream_at *at)
{
    struct tls_session *s = &at->stream->tls;
    uint64_t ts_ns = at->rec->ts_ns, length = at->d->limits.window_ns;
    if (at->done)
        return;
    at->done = true;
    if (length > 0 && ts_ns - s->window_ns >= length) /* before it: a huge difference */
        tls_session_leave(at);
    s->bytes[at->rec_dir] += at->rec->wire_len;
    if (ts_ns > s->window_last_ns)
        s->window_last_ns = ts_ns;
}

static inline bool tls_session_handshake_seen(const struct tls_session *s)
{
    return s->flags & (TLS_S_CLIENT | TLS_S_SERVER | TLS_S_RETRY);
}

/* Is the handshake to be decided? */
static inline bool tls_session_open(const struct tls_session *s)
{
    return (s->flags & TLS_S_DECIDED) == 0 && tls_session_handshake_seen(s);
}

/* After the packet's bytes were decoded: is the handshake, which is open, decided now? */
void tls_session_decide(struct stream_at *at);

/* Is `ts_ns` too long after the first packet for the handshake to be decided by what comes? */
MUST_CHECK bool tls_session_late(const struct tls_session *s, uint64_t ts_ns);

/* The connection ended: closed or reset (`closed`), or only what we know of it. */
void tls_session_end(struct stream_at *at, bool closed);

/* Reports what was counted in a window that ended at or before `before_ns`. */
void tls_session_sweep(struct stream_at *at, uint64_t before_ns);

/* Bytes of its names, JA3 and JA3S among them; and it has none. */
static inline size_t tls_session_names(const struct tls_session *s)
{
    return (size_t)s->sni_len + s->alpn_len + (s->flags & TLS_S_JA3 ? FINGERPRINT_JA3_LEN : 0)
           + (s->flags & TLS_S_JA3S ? FINGERPRINT_JA3_LEN : 0);
}
static inline void tls_session_no_names(struct tls_session *s)
{
    s->sni_len = s->alpn_len = 0;
    s->flags &= (uint16_t) ~(TLS_S_JA3 | TLS_S_JA3S);
}

/* Is it certain enough that this is TLS? Otherwise nothing is reported. */
MUST_CHECK bool tls_session_sure(const struct tls_session *s);
