#include "decoders/tls_clear.h"

#include "decoders/decode_state.h"

static void report(struct stream_at *at, uint8_t client_side, uint8_t via, uint16_t signs)
{
    const struct rec *rec = at->rec;
    bool src = client_side == SIDE_SRC;
    struct msg *m = msgs_push(at->out, MSG_TLS_SESSION, rec, client_side, 0);
    m->session = (struct tls_session_msg){
        .window_ts_ns = rec->ts_ns,
        .first_ts_ns = rec->ts_ns,
        .decided = true,
        .outcome = TLS_CLEAR,
        .carrier = TLS_OVER_TCP,
        .via = via,
        .signs = signs,
        .client = src ? rec->src : rec->dst,
        .server = src ? rec->dst : rec->src,
        .client_port = src ? rec->sport : rec->dport,
        .server_port = src ? rec->dport : rec->sport,
        .client_side = client_side,
    };
}

void tls_clear_told(struct stream_at *at, unsigned dir, const uint8_t *p, size_t n)
{
    struct flow *f = at->flow;
    unsigned client = f->flags & FLOW_CLIENT_1 ? 1 : 0;
    uint8_t now = stream_via_clear(f->via, dir == client, p, n, flow_service_port(f));
    if (now & ~f->via & STREAM_VIA_CLEAR)
        report(at, stream_sender(at, client), now & STREAM_VIA, 0);
    f->via = now;
}

void tls_clear_login(struct stream_at *at, unsigned dir)
{
    if (at->flow->via & STREAM_VIA_LOGIN)
        return;
    at->flow->via |= STREAM_VIA_LOGIN;
    report(at, stream_sender(at, dir), VIA_HTTP, TLS_SIGN_HTTP_LOGIN);
}
