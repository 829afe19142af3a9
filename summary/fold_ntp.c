/* NTP messages into rows. */
#include "summary/fold_parts.h"

enum { NTP_PORT = 123 };

static int32_t kiss_of(uint32_t refid)
{
    switch (refid) {
    case 0x52415445:
        return KISS_RATE;
    case 0x44454e59:
        return KISS_DENY;
    case 0x52535452:
        return KISS_RSTR;
    default:
        return KISS_OTHER;
    }
}

/* Which side acts as the NTP client: by mode, not by port, as both may be 123. */
static int ntp_client_side(const struct msg *m)
{
    const struct ntp_msg *n = &m->ntp;
    bool from_client = n->is_request || (n->mode >= 6 && !n->response);
    if (!n->is_request && !n->is_reply && n->mode < 6 && n->mode != 5) {
        uint16_t far_port = m->sender == SIDE_SRC ? m->rec->dport : m->rec->sport;
        from_client = far_port == NTP_PORT;
    }
    return from_client ? m->sender : !m->sender;
}

/* Of nearly all messages none of this is true. */
static void count_rare(struct row_ntp *r, const struct ntp_msg *n)
{
    count32(&r->duplicates, n->duplicate_reply);
    count32(&r->longer, n->longer);
    count32(&r->ext_packets, n->n_ext > 0);
    count32(&r->nts_packets, n->nts_fields > 0);
    count32(&r->mac_packets, n->mac_len > 0);
    r->ext_bytes += n->ext_bytes;
    r->ext_unknown_bytes += n->ext_unknown_bytes;
}

static void count_message(struct window *w, struct row_ntp *r, const struct ntp_msg *n)
{
    count32(&r->requests, n->is_request);
    count32(&r->replies, n->is_reply);
    count32(&r->modes[n->mode & 7], 1);
    r->versions |= 1u << (n->version & 7);
    if (n->is_reply && !n->matched)
        count32(&r->unmatched, !n->duplicate_reply);
    if (n->duplicate_reply | n->longer | n->mac_len | n->ext_bytes | n->ext_unknown_bytes)
        count_rare(r, n);
    if (!n->whole)
        return;
    int poll = n->poll_log2_s < 0 ? 0 : n->poll_log2_s > 31 ? 31 : n->poll_log2_s;
    r->polls |= 1u << poll;
    if (n->is_request)
        return;
    r->strata |= 1u << (n->stratum < 31 ? n->stratum : 31);
    count32(&r->key.unsynchronised, n->leap == 3);
    count32(&r->free_changes, n->free_changes);
    if (n->kod)
        count32(&r->kiss[kiss_of(n->refid)], 1);
    else
        window_set8_add(w, &r->refids, n->refid, 1);
}

static void count_exchange(struct window *w, struct row_ntp *r, const struct ntp_msg *n)
{
    count32(&r->pairs, 1);
    if (n->kod || n->rec_ntp64 == 0 || n->xmt_ntp64 == 0)
        return; /* RFC 5905 7.4: its times mean nothing */
    window_hist_add(w, &r->offset, hist_bucket(n->offset_ns), 1);
    window_hist_add(w, &r->delay, hist_bucket(n->delay_ns), 1);
}

static KEY(row_ntp) ntp_key(const struct window *w, const struct msg *m, int side, int client_side)
{
    return (KEY(row_ntp)){.client = m->rec->client[side],
                          .peer = peer_addr(w, m->rec, !side),
                          .role = side == client_side ? ROLE_CLIENT : ROLE_SERVER};
}

static struct row_ntp *ntp_row(struct window *w, const struct msg *m, int side, int client_side,
                               uint32_t near)
{
    KEY(row_ntp) key = ntp_key(w, m, side, client_side);
    struct row_ntp *r =
        rowtab_near(&w->tabs[ROW_NTP], near, &key, offsetof(struct row_ntp, key), NTP_KEY_LEN);
    if (r != NULL)
        return r;
    r = row_of(w, ROW_NTP, key_tag(w, &key, NTP_KEY_LEN), &key);
    if (r != row_other(w, ROW_NTP))
        *link_of(w, m->rec, side) = row_number(w, ROW_NTP, r);
    return r;
}

void fold_ntp(struct window *w, const struct msg *m, const struct message_hint *hint,
              unsigned parts)
{
    const struct ntp_msg *n = &m->ntp;
    const struct rec *rec = m->rec;
    bool message = has_part(parts, PART_MESSAGE), exchange = has_part(parts, PART_EXCHANGE);
    if (message) {
        w->totals.ntp.packets++;
        w->totals.ntp.by_version[n->version & 7]++;
        w->totals.ntp.by_mode[n->mode & 7]++;
        if (n->whole)
            w->totals.ntp.by_stratum[n->stratum]++;
    }
    int client_side = ntp_client_side(m);
    for (int side = 0; side < 2; side++) {
        if ((hint->sides >> side & 1) == 0)
            continue;
        struct row_ntp *r = ntp_row(w, m, side, client_side, hint->row[side]);
        if (message)
            count_message(w, r, n);
        if (exchange)
            count_exchange(w, r, n);
    }
    if (message && n->is_request && (hint->sides >> client_side & 1) == 0)
        unattributed_row(w, rec, rec->client[client_side].kind)->ntp_exchanges++;
}

void fold_ntp_hint(const struct window *w, const struct msg *m, struct message_hint *hint)
{
    for (int side = 0; side < 2; side++) {
        if (!side_visible(w, m->rec, side))
            continue;
        hint->sides |= 1u << side;
        hint->row[side] = *link_of(w, m->rec, side);
        rowtab_prefetch_at(&w->tabs[ROW_NTP], hint->row[side], offsetof(struct row_ntp, offset));
        if (!m->ntp.is_request) {
            const struct row_ntp *r = rowtab_at(&w->tabs[ROW_NTP], hint->row[side]);
            __builtin_prefetch(&r->offset, 1);
            __builtin_prefetch(&r->refids, 1);
        }
    }
}
