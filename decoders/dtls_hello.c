/* Handshake messages of DTLS put together from their fragments (RFC 6347 4.2.3). */
#include "decoders/decode_state.h"

static struct dtls_hello *hello_at(const struct decode *d, uint32_t i)
{
    return stream_pool_at(&d->dtls.hellos, i);
}

static uint32_t number_of(const struct decode *d, const struct dtls_hello *h)
{
    return (uint32_t)((size_t)((const uint8_t *)h - d->dtls.hellos.base) / sizeof *h);
}

static struct dtls_hello *find(const struct stream_at *at, unsigned dir, uint16_t seq)
{
    for (uint32_t i = dtls_flow_of(at)->hellos; i != 0; i = hello_at(at->d, i)->next) {
        struct dtls_hello *h = hello_at(at->d, i);
        if (h->dir == dir && h->seq == seq)
            return h;
    }
    return NULL;
}

/* Takes a message out of its flow, whichever that is. */
static void unlink_hello(struct decode *d, uint32_t number)
{
    struct dtls_hello *h = hello_at(d, number);
    struct dtls_flow *f = &d->dtls.state[h->slot];
    uint32_t *link = &f->hellos;
    while (*link != number)
        link = &hello_at(d, *link)->next;
    *link = h->next;
    f->n_hellos--;
}

/* Room for one more: a free one; else one that waits has to leave, of this flow where it has its
 * share. */
static uint32_t take(struct stream_at *at)
{
    struct dtls_table *t = &at->d->dtls;
    const struct dtls_flow *f = dtls_flow_of(at);
    uint32_t number = f->n_hellos < DTLS_HELLOS_A_FLOW ? stream_pool_take(&t->hellos) : 0;
    if (number != 0) {
        t->hellos_used++;
        return number;
    }
    if (f->n_hellos == DTLS_HELLOS_A_FLOW) {
        for (number = f->hellos; hello_at(at->d, number)->next != 0;)
            number = hello_at(at->d, number)->next;
    } else {
        t->hand = t->hand >= t->hellos.max ? 1 : t->hand + 1;
        number = t->hand;
    }
    at->d->stats.buffers_turned_away++;
    unlink_hello(at->d, number);
    return number;
}

static struct dtls_hello *begin(struct stream_at *at, const struct dtls_piece *piece)
{
    struct dtls_flow *f = dtls_flow_of(at);
    uint32_t number = take(at);
    struct dtls_hello *h = hello_at(at->d, number);
    h->next = f->hellos;
    h->slot = at->slot;
    h->len = piece->len;
    h->have = 0;
    h->seq = piece->seq;
    h->dir = piece->dir;
    h->type = piece->type;
    h->ts_ns = at->rec->ts_ns;
    memset(h->seen, 0, (piece->len + 63) / 64 * sizeof *h->seen);
    f->hellos = number;
    f->n_hellos++;
    return h;
}

bool dtls_hello_begun(const struct stream_at *at, unsigned dir, uint16_t seq)
{
    return find(at, dir, seq) != NULL;
}

struct dtls_hello *dtls_hello_add(struct stream_at *at, const struct dtls_piece *piece)
{
    assert(piece->len <= DTLS_HELLO_MAX && piece->off + piece->bytes.left <= piece->len);
    struct dtls_hello *h = find(at, piece->dir, piece->seq);
    if (h == NULL)
        h = begin(at, piece);
    bool conflict = h->len != piece->len || h->type != piece->type;
    for (size_t i = 0; i < piece->bytes.left && h->len == piece->len && h->type == piece->type;
         i++) {
        size_t to = piece->off + i;
        uint64_t bit = UINT64_C(1) << (to & 63);
        if (h->seen[to / 64] & bit) {
            conflict |= h->bytes[to] != piece->bytes.p[i];
            continue;
        }
        h->seen[to / 64] |= bit;
        h->bytes[to] = piece->bytes.p[i];
        h->have++;
    }
    at->d->stats.overlap_conflicts += conflict;
    return h->have == h->len ? h : NULL;
}

void dtls_hello_drop(struct stream_at *at, struct dtls_hello *h)
{
    uint32_t number = number_of(at->d, h);
    unlink_hello(at->d, number);
    stream_pool_give(&at->d->dtls.hellos, number);
    at->d->dtls.hellos_used--;
}

void dtls_hello_drop_all(struct stream_at *at)
{
    while (dtls_flow_of(at)->hellos != 0)
        dtls_hello_drop(at, hello_at(at->d, dtls_flow_of(at)->hellos));
}
