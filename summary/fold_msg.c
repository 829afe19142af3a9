/* Messages into rows: each kind has its file. */
#include "summary/fold_parts.h"

void tally_add(struct window *w, enum tally family, uint32_t code, uint64_t count)
{
    KEY(row_tally) key = {.family = family, .code = code};
    struct row_tally *row = row_of(w, ROW_TALLY, key_tag_strings(w, &key, sizeof key, 0, 0), &key);
    row->count += count;
}

void tally_name(struct window *w, enum tally family, struct bytes name, uint64_t hash)
{
    KEY(row_tally) key = {.family = family};
    uint32_t tag = key_tag_strings(w, &key, sizeof key, hash, 0);
    if (!row_refused(w, ROW_TALLY, &key, hash, 0))
        key.name = text_intern(w, name, hash);
    struct row_tally *row =
        key.name == 0 ? window_other_make(w, ROW_TALLY) : row_of(w, ROW_TALLY, tag, &key);
    row->count++;
}

static void tally_give(struct window *w, struct often *o)
{
    if (o->count > 0)
        tally_add(w, o->family, o->code, o->count);
    o->count = 0;
}

void tally_turn(struct window *w, struct often *o, enum tally family, uint32_t code)
{
    tally_give(w, o);
    o->family = family;
    o->code = code;
}

void tally_settle(struct window *w)
{
    for (unsigned i = 0; i < OFTEN; i++)
        tally_give(w, &w->often[i]);
}

unsigned window_parts(const struct msg *m, uint64_t ts_ns[static PART_N])
{
    ts_ns[PART_MESSAGE] = m->ts_ns;
    switch ((enum msg_kind)m->kind) {
    case MSG_NTP:
        ts_ns[PART_EXCHANGE] = m->ntp.request_ts_ns;
        return 1u << PART_MESSAGE | (unsigned)m->ntp.matched << PART_EXCHANGE;
    case MSG_DNS:
        ts_ns[PART_EXCHANGE] = m->dns.query_ts_ns;
        return 1u << PART_MESSAGE | (unsigned)(m->dns.matched && m->dns.response) << PART_EXCHANGE;
    case MSG_TLS_SESSION: {
        const struct tls_session_msg *s = &m->session;
        ts_ns[PART_EXCHANGE] = s->first_ts_ns;
        ts_ns[PART_SESSION] = s->window_ts_ns;
        bool told = s->alive || s->bytes[0] > 0 || s->bytes[1] > 0;
        return (unsigned)s->decided << PART_EXCHANGE | (unsigned)told << PART_SESSION;
    }
    default:
        return 1u << PART_MESSAGE;
    }
}

void window_message_hint(const struct window *w, const struct msg msgs[], unsigned n,
                         struct message_hint hints[])
{
    uint8_t more[MSGS_MAX]; /* messages with a second step, and a third */
    unsigned n_more = 0;
    assert(n <= MSGS_MAX);
    for (unsigned i = 0; i < n; i++) {
        bool goes_on = false;
        hints[i].sides = 0;
        if (msgs[i].kind == MSG_NTP) {
            fold_ntp_hint(w, &msgs[i], &hints[i]);
        } else if (msgs[i].kind == MSG_DNS) {
            goes_on = fold_dns_hint(w, &msgs[i], &hints[i]);
        } else {
            fold_tls_hint(w, &msgs[i], &hints[i]);
            goes_on = hints[i].sides != 0 || hints[i].name_len > 0;
        }
        more[n_more] = (uint8_t)i;
        n_more += goes_on;
    }
    for (unsigned k = 0; k < n_more; k++) {
        if (msgs[more[k]].kind == MSG_DNS)
            fold_dns_hint_rows(w, &hints[more[k]]);
        else
            fold_tls_hint_rows(w, &msgs[more[k]], &hints[more[k]]);
    }
    for (unsigned k = 0; k < n_more; k++)
        if (msgs[more[k]].kind == MSG_DNS)
            fold_dns_hint_blocks(w, &msgs[more[k]], &hints[more[k]]);
}

void window_message(struct window *w, const struct msg *m, const struct message_hint *hint,
                    unsigned parts, enum vantage vantage)
{
    w->filled = true;
    switch ((enum msg_kind)m->kind) {
    case MSG_NTP:
        fold_ntp(w, m, hint, parts);
        break;
    case MSG_DNS:
        fold_dns(w, m, hint, parts);
        break;
    case MSG_TLS_CLIENT_HELLO:
    case MSG_TLS_SERVER_HELLO:
        fold_tls_hello(w, m, hint);
        break;
    case MSG_TLS_CERTIFICATES:
        w->totals.tls.certificates += m->certs.n;
        break;
    case MSG_TLS_ALERT:
        tally_add(w, TALLY_TLS_ALERT, (uint32_t)m->alert.level << 8 | m->alert.description, 1);
        break;
    case MSG_TLS_SESSION:
        fold_tls_session(w, m, hint, parts);
        break;
    case MSG_HTTP:
        fold_http(w, m);
        break;
    case MSG_TCP_UNSEEN:
        if (side_visible(w, m->rec, m->sender))
            coverage_row(w, &m->rec->client[m->sender], vantage)->tcp_unseen_bytes +=
                m->unseen.bytes;
        break;
    case MSG_TLS_CERT:
        fold_tls_cert(w, m);
        break;
    case MSG_TLS_REUSE:
        fold_tls_reuse(w, m, hint);
        break;
    case MSG_KIND_N:
        break;
    }
}
