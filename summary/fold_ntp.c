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

/* Of what is neither request nor reply: by its direction bit, or by port. */
static __attribute__((noinline)) bool is_from_client(const struct msg *m)
{
    const struct ntp_msg *n = &m->ntp;
    if (n->mode >= 6)
        return !n->response;
    uint16_t far_port = m->sender == SIDE_SRC ? m->rec->dport : m->rec->sport;
    return n->mode != 5 && far_port == NTP_PORT;
}

/* Which side acts as the NTP client: by mode, not by port, as both may be 123. */
static inline int ntp_client_side(const struct msg *m)
{
    bool from_client = m->ntp.is_request || (!m->ntp.is_reply && is_from_client(m));
    return from_client ? m->sender : !m->sender;
}

/* Of nearly all messages nothing of this is true. */
static inline bool is_rare(const struct ntp_msg *n)
{
    enum { AT = offsetof(struct ntp_msg, ext_bytes) };
    uint64_t any;
    static_assert(offsetof(struct ntp_msg, longer) + 1 == AT + sizeof any, "one word");
    memcpy(&any, (const uint8_t *)n + AT, sizeof any);
    return any != 0;
}

static __attribute__((noinline)) void count_rare(struct row_ntp *r, const struct ntp_msg *n)
{
    count32(&r->duplicates, n->duplicate_reply);
    count32(&r->longer, n->longer);
    count32(&r->ext_packets, n->n_ext > 0);
    count32(&r->nts_packets, n->nts_fields > 0);
    count32(&r->mac_packets, n->mac_len > 0);
    r->ext_bytes += n->ext_bytes;
    r->ext_unknown_bytes += n->ext_unknown_bytes;
}

static inline void count_message(struct window *w, struct row_ntp *r, const struct ntp_msg *n)
{
    count32(&r->modes[n->mode & 7], 1);
    r->versions |= 1u << (n->version & 7);
    if (n->is_request)
        count32(&r->requests, 1);
    if (n->is_reply) {
        count32(&r->replies, 1);
        if (!n->matched && !n->duplicate_reply)
            count32(&r->unmatched, 1);
    }
    if (is_rare(n))
        count_rare(r, n);
    if (!n->whole)
        return;
    int poll = n->poll_log2_s;
    if (poll < 0 || poll > 31)
        poll = poll < 0 ? 0 : 31;
    r->polls |= 1u << poll;
    if (n->is_request)
        return;
    r->strata |= 1u << (n->stratum < 31 ? n->stratum : 31);
    if (n->leap == 3)
        count32(&r->key.unsynchronised, 1);
    count32(&r->free_changes, n->free_changes);
    if (n->kod)
        count32(&r->kiss[kiss_of(n->refid)], 1);
    else
        window_set8_add(w, &r->refids, n->refid, 1);
}

struct buckets {
    int offset, delay;
};

/* Where the times of an exchange are counted; false where they mean nothing (RFC 5905 7.4). */
static inline bool has_times(const struct ntp_msg *n, struct buckets *b)
{
    if (n->kod || n->rec_ntp64 == 0 || n->xmt_ntp64 == 0)
        return false;
    *b = (struct buckets){hist_bucket(n->offset_ns), hist_bucket(n->delay_ns)};
    return true;
}

/* No row was near: the row of this key, and the guess for the next message. */
static __attribute__((noinline)) struct row_ntp *ntp_row_find(struct window *w, const struct msg *m,
                                                              int side, uint8_t role)
{
    KEY(row_ntp)
    key = {.client = m->rec->client[side], .peer = peer_addr(w, m->rec, !side), .role = role};
    struct row_ntp *r = row_of(w, ROW_NTP, key_tag(w, &key, NTP_KEY_LEN), &key);
    if (r != row_other(w, ROW_NTP))
        *link_of(w, m->rec, side) = rowtab_number(&w->tabs[ROW_NTP], r, sizeof *r);
    return r;
}

static inline struct row_ntp *ntp_row(struct window *w, const struct msg *m, int side, uint8_t role,
                                      uint32_t near)
{
    const struct rowtab *t = &w->tabs[ROW_NTP];
    const struct client *client = &m->rec->client[side];
    const struct addr *peer = peer_addr_at(w, m->rec, !side);
    struct row_ntp *r = (struct row_ntp *)(void *)t->rows + near;
    if (near < t->n && r->key.role == role
        && rowtab_key_equal(&r->key.client, client, sizeof *client)
        && rowtab_key_equal(&r->key.peer, peer, sizeof *peer))
        return r;
    return ntp_row_find(w, m, side, role);
}

void fold_ntp(struct window *w, const struct msg *m, const struct message_hint *hint,
              unsigned parts)
{
    const struct ntp_msg *n = &m->ntp;
    bool message = has_part(parts, PART_MESSAGE), exchange = has_part(parts, PART_EXCHANGE);
    unsigned sides = hint->sides;
    struct buckets b;
    int client_side = ntp_client_side(m);
    if (message) {
        w->totals.ntp.packets++;
        w->totals.ntp.by_version[n->version & 7]++;
        w->totals.ntp.by_mode[n->mode & 7]++;
        if (n->whole)
            w->totals.ntp.by_stratum[n->stratum]++;
        if (n->is_request && (sides >> client_side & 1) == 0)
            unattributed_row(w, m->rec, m->rec->client[client_side].kind)->ntp_exchanges++;
    }
    for (; sides != 0; sides &= sides - 1) {
        int side = __builtin_ctz(sides);
        uint8_t role = side == client_side ? ROLE_CLIENT : ROLE_SERVER;
        struct row_ntp *r = ntp_row(w, m, side, role, hint->row[side]);
        bool timed = exchange && has_times(n, &b);
        if (timed) { /* comes while the message is counted */
            hist_prefetch(w, &r->offset, b.offset);
            hist_prefetch(w, &r->delay, b.delay);
        }
        if (message)
            count_message(w, r, n);
        if (exchange)
            count32(&r->pairs, 1);
        if (timed) {
            window_hist_add(w, &r->offset, b.offset, 1);
            window_hist_add(w, &r->delay, b.delay, 1);
        }
    }
}

void fold_ntp_hint(const struct window *w, const struct msg *m, struct message_hint *hint)
{
    const struct row_ntp *rows = (const struct row_ntp *)(const void *)w->tabs[ROW_NTP].rows;
    for (int side = 0; side < 2; side++) {
        if (!side_visible(w, m->rec, side))
            continue;
        hint->sides |= 1u << side;
        hint->row[side] = *link_of(w, m->rec, side);
        const struct row_ntp *r = &rows[hint->row[side]];
        __builtin_prefetch(&r->key, 1);
        __builtin_prefetch(&r->modes, 1);
        if (!m->ntp.is_request)
            __builtin_prefetch(&r->offset, 1);
    }
}
