#include "decoders/quic_crypto.h"

#include "decoders/tls_wire.h"

static bool has(const struct quic_crypto *c, uint32_t i)
{
    return c->have[i / 8] >> i % 8 & 1;
}

void quic_crypto_add(struct quic_crypto *c, uint64_t offset, struct cur data, uint64_t ts_ns,
                     struct quic_crypto_loss *loss)
{
    *loss = (struct quic_crypto_loss){0};
    if (offset < c->base) { /* the first part was done with */
        uint64_t old = c->base - offset;
        if (old >= data.left)
            return;
        data.p += old;
        data.left -= old;
        offset = c->base;
    }
    uint64_t at = offset - c->base;
    size_t room = at < c->max ? (size_t)(c->max - at) : 0;
    if (data.left > room) {
        loss->beyond = data.left - room;
        data.left = room;
    }
    if (data.left == 0)
        return;
    if (c->high == 0)
        c->ts_ns = ts_ns;
    uint32_t from = (uint32_t)at, to = (uint32_t)(at + data.left);
    if (from >= c->high && from % 8 == 0 && from == c->whole) { /* in order: most are */
        memcpy(c->bytes + from, data.p, data.left);
        memset(c->have + from / 8, 0xff, (to - from) / 8);
        for (uint32_t i = to - to % 8; i < to; i++)
            c->have[i / 8] |= (uint8_t)(1 << i % 8);
    } else {
        for (uint32_t i = from; i < to; i++) {
            uint8_t b = data.p[i - from];
            if (!has(c, i)) {
                c->bytes[i] = b;
                c->have[i / 8] |= (uint8_t)(1 << i % 8);
            } else if (c->bytes[i] != b) {
                loss->conflict = true;
            }
        }
    }
    if (to > c->high)
        c->high = to;
    while (c->whole < c->high && has(c, c->whole))
        c->whole++;
}

bool quic_crypto_message(const struct quic_crypto *c, int *type, uint32_t *len, struct cur *body)
{
    *type = -1;
    if (c->whole < TLS_MSG_HEAD)
        return false;
    const uint8_t *p = c->bytes;
    *type = p[0];
    *len = (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
    if (c->whole - TLS_MSG_HEAD < *len)
        return false;
    *body = cur_of(p + TLS_MSG_HEAD, *len, *len);
    return true;
}

void quic_crypto_done(struct quic_crypto *c, uint32_t len)
{
    uint32_t n = TLS_MSG_HEAD + len, high = c->high;
    uint64_t base = c->base + n, ts_ns = c->ts_ns;
    assert(n <= c->whole);
    for (uint32_t i = n; i < high; i++) { /* seldom any */
        uint8_t bit = (uint8_t)(1 << (i - n) % 8);
        c->bytes[i - n] = c->bytes[i];
        if (has(c, i))
            c->have[(i - n) / 8] |= bit;
        else
            c->have[(i - n) / 8] &= (uint8_t)~bit;
    }
    uint32_t left = high - n, whole = c->whole - n;
    for (uint32_t i = left; i < high && i % 8 != 0; i++)
        c->have[i / 8] &= (uint8_t) ~(1 << i % 8);
    memset(c->have + (left + 7) / 8, 0, (high + 7) / 8 - (left + 7) / 8);
    c->base = base;
    c->ts_ns = ts_ns;
    c->high = left;
    c->whole = whole;
}

void quic_crypto_clear(struct quic_crypto *c)
{
    memset(c->have, 0, (c->high + 7) / 8);
    c->base = c->ts_ns = 0;
    c->high = c->whole = 0;
}
