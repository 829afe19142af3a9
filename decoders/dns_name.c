#include "decoders/dns_name.h"

enum {
    HEADER_BYTES = 12,
    LABEL_MAX = 63,
    PLAIN_LABEL_MAX = 32, /* lengths below the printable bytes */
    CHUNK = 8,
    STEPS_MAX =
        DNS_NAME_WIRE_MAX / 2 + DNS_NAME_JUMPS_MAX + 2, /* of one name: labels, pointers, end */
};

#define EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

static uint64_t le64(uint64_t v)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    return __builtin_bswap64(v);
#else
    return v;
#endif
}

/* Nonzero where one of 8 bytes has to be escaped: a control byte, blank, '.', '\\', or above '~'.
 * Whatever else a borrow or a carry flags has its top bit set, so is flagged anyway. */
static uint64_t needs_escape(uint64_t x)
{
    uint64_t dot = x ^ EACH('.'), slash = x ^ EACH('\\');
    return (x | (x + EACH(1)) | (x - EACH(0x21)) | (dot - EACH(1)) | (slash - EACH(1)))
           & EACH(0x80);
}

static uint32_t le32(const uint8_t *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof v);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    v = __builtin_bswap32(v);
#endif
    return v;
}

/* The last n = 1..7 bytes of a label as the low bytes of a number; the rest is harmless filling.
 * Loads may overlap, but stay within the label. */
static uint64_t load_tail(const uint8_t *p, size_t n)
{
    uint64_t filling = EACH('a') << 8 * n;
    if (n >= 4)
        return filling | le32(p) | (uint64_t)le32(p + n - 4) << 8 * (n - 4);
    return filling | p[0] | (uint64_t)p[n / 2] << 8 * (n / 2) | (uint64_t)p[n - 1] << 8 * (n - 1);
}

static size_t escape_label(uint8_t *to, const uint8_t *label, size_t n)
{
    size_t len = 0;
    for (size_t i = 0; i < n; i++) {
        uint8_t b = label[i];
        if (needs_escape(EACH(b)) == 0) {
            to[len++] = b;
            continue;
        }
        to[len++] = '\\';
        to[len++] = (uint8_t)('0' + b / 100);
        to[len++] = (uint8_t)('0' + b / 10 % 10);
        to[len++] = (uint8_t)('0' + b % 10);
    }
    return len;
}

/* The text of one label; returns its length. Eight bytes a step: half of all packets may carry
 * names, and a table a byte took more than the rest of the decoder. May write 7 bytes past its end.
 */
static inline size_t put_label(uint8_t *to, const uint8_t *label, size_t n)
{
    uint64_t odd = 0, x;
    size_t at = 0;
    for (; at + CHUNK <= n; at += CHUNK) {
        memcpy(&x, label + at, CHUNK);
        memcpy(to + at, &x, CHUNK);
        odd |= needs_escape(le64(x));
    }
    if (at < n) {
        x = load_tail(label + at, n - at);
        odd |= needs_escape(x);
        x = le64(x);
        memcpy(to + at, &x, CHUNK);
    }
    if (odd == 0)
        return n;

    return escape_label(to, label, n);
}

enum dns_name_result dns_name_skip(struct cur *c)
{
    struct cur at = *c;
    uint8_t n;
    for (;;) {
        if (!cur_u8(&at, &n))
            return DNS_NAME_CUT;
        if (n > LABEL_MAX || n == 0)
            break;
        if (!cur_skip(&at, n))
            return DNS_NAME_CUT;
    }
    if (n >= 0xc0) {
        if (!cur_skip(&at, 1))
            return DNS_NAME_CUT;
    } else if (n != 0) {
        return DNS_NAME_LOST;
    }
    *c = at;
    return DNS_NAME_OK;
}

/* The name that begins `start` bytes into the message took `jumps` jumps to read. */
static void cache_name(struct dns_names *n, size_t start, unsigned jumps, const struct bytes *name)
{
    if (start > 0x3fff || n->n_cached == DNS_NAMES_CACHED)
        return;
    n->cached[n->n_cached].at = (uint16_t)start;
    n->cached[n->n_cached].jumps = (uint8_t)jumps;
    n->cached[n->n_cached].len = name->len;
    n->cached[n->n_cached].p = name->p;
    n->n_cached++;
}

/* Ends a name that broke a rule: `c` moves past it, if `known` bytes lead past its end. */
static enum dns_name_result bad_name(struct cur *c, size_t known)
{
    if (known > 0)
        return cur_skip(c, known) ? DNS_NAME_BAD : DNS_NAME_LOST;
    return dns_name_skip(c) == DNS_NAME_OK ? DNS_NAME_BAD : DNS_NAME_LOST;
}

/* As needs_escape, exactly: 0x80 for each such byte, whatever its neighbours are. */
static uint64_t odd_bytes(uint64_t x)
{
    uint64_t low7 = x & EACH(0x7f);
    uint64_t above = low7 + EACH(0x80 - 0x21);
    uint64_t no_dot = (low7 ^ EACH('.')) + EACH(0x7f), no_slash = (low7 ^ EACH('\\')) + EACH(0x7f);
    return (~(above & no_dot & no_slash) | (low7 + EACH(1)) | x) & EACH(0x80);
}

/* A name without pointers, odd bytes and labels above 32 bytes, as nearly all are: first where its
 * labels end, then all its bytes, eight a step. Lengths up to 32 are odd bytes: if there are no
 * more than these, they are where the dots go. Returns the name's bytes, or 0 where it is no such
 * name: then nothing has changed. Needs DNS_NAME_ROOM. */
static inline size_t read_plain(struct dns_names *n, struct cur at, struct bytes *name)
{
    uint64_t n_odd = 0, x;
    unsigned labels = 0;
    struct cur wire = at;
    uint8_t len;
    for (;;) {
        if (!cur_u8(&at, &len))
            return 0;
        if (len == 0)
            break;
        labels++;
        if (len > PLAIN_LABEL_MAX || !cur_skip(&at, len))
            return 0;
    }
    size_t wire_len = (size_t)(at.p - wire.p);
    if (labels == 0 || wire_len > DNS_NAME_WIRE_MAX || !cur_skip(&wire, 1))
        return 0;

    uint8_t *text = n->out->arena + n->out->used;
    size_t text_len = wire_len - 2;
    for (size_t done = 0; done < text_len; done += CHUNK) {
        if (text_len - done >= CHUNK) {
            memcpy(&x, wire.p + done, CHUNK);
            x = le64(x);
        } else {
            x = load_tail(wire.p + done, text_len - done);
        }
        uint64_t odd = odd_bytes(x) >> 7;
        n_odd += odd;
        x ^= (x ^ EACH('.')) & odd * 0xff;
        x = le64(x);
        memcpy(text + done, &x, CHUNK);
    }
    if (n_odd * EACH(1) >> 56 != labels - 1)
        return 0;
    n->steps_left -= labels + 1;
    n->text_left -= (uint32_t)text_len;
    n->out->used += (uint32_t)text_len;
    name->p = text;
    name->len = (uint32_t)text_len;
    return wire_len;
}

/* `at`, `floor` and the counts stay in registers: nothing here may take their address out of sight.
 */
enum dns_name_result dns_name_read_new(struct dns_names *n, struct cur *c, struct bytes *name)
{
    name->p = NULL;
    name->len = 0;
    if (n->text_left < DNS_NAME_ROOM || n->steps_left < STEPS_MAX)
        return dns_name_skip(c);

    size_t start = (size_t)(c->p - n->whole.p);
    size_t plain = read_plain(n, *c, name);
    if (plain > 0) {
        cache_name(n, start, 0, name);
        return cur_skip(c, plain) ? DNS_NAME_OK : DNS_NAME_LOST;
    }
    struct cur at = *c, label;
    uint8_t *text = n->out->arena + n->out->used;
    size_t floor = start; /* where the piece being read begins: pointers must lead before it */
    size_t past = 0;      /* bytes from the start past the first pointer */
    size_t text_len = 0, wire_len = 0;
    unsigned labels = 0, jumps = 0;
    bool labels_first = false;
    for (;;) {
        uint8_t len, low;
        n->steps_left--;
        if (!cur_u8(&at, &len))
            return DNS_NAME_CUT;
        if (len == 0)
            break;
        if (len >= 0xc0) {
            if (!cur_u8(&at, &low))
                return DNS_NAME_CUT;
            size_t to = (size_t)(len & 0x3f) << 8 | low;
            if (jumps++ == 0) {
                past = (size_t)(at.p - c->p);
                labels_first = labels > 0;
            }
            if (to < HEADER_BYTES || to >= floor || jumps > DNS_NAME_JUMPS_MAX)
                return bad_name(c, past);
            floor = to;
            at.p = n->whole.p;
            at.left = n->whole.left;
            if (!cur_skip(&at, to))
                return bad_name(c, past);
            continue;
        }
        if (len > LABEL_MAX)
            return jumps > 0 ? bad_name(c, past) : DNS_NAME_LOST;
        if (!cur_take(&at, len, &label))
            return DNS_NAME_CUT;
        wire_len += 1u + len;
        if (wire_len >= DNS_NAME_WIRE_MAX)
            return bad_name(c, past);
        labels++;
        text_len += put_label(text + text_len, label.p, len);
        text[text_len++] = '.';
    }
    if (labels == 0)
        text[text_len++] = '.';
    else
        text_len--; /* no final dot */
    n->text_left -= (uint32_t)text_len;
    n->out->used += (uint32_t)text_len;
    name->p = text;
    name->len = (uint32_t)text_len;
    if (jumps == 0 || labels_first)
        cache_name(n, start, jumps, name);
    return cur_skip(c, jumps > 0 ? past : (size_t)(at.p - c->p)) ? DNS_NAME_OK : DNS_NAME_LOST;
}
