#include "decoders/dns_name.h"
#include "decoders/dns_lanes.h"

#define HASH_START  UINT64_C(0x9e3779b97f4a7c15)
#define HASH_FACTOR UINT64_C(0xc2b2ae3d27d4eb4f)

enum {
    HEADER_BYTES = 12,
    LABEL_MAX = 63,
    PLAIN_LABEL_MAX = 32, /* lengths below the printable bytes */
    STEPS_MAX =
        DNS_NAME_WIRE_MAX / 2 + DNS_NAME_JUMPS_MAX + 2, /* of one name: labels, pointers, end */
};

/* Whether a byte of a label has to be escaped: a control byte, blank, '.', '\\', or above '~'.
 */
static bool needs_escape(uint8_t b)
{
    return b <= ' ' || b == '.' || b == '\\' || b > '~';
}

static size_t escape_label(uint8_t *to, const uint8_t *label, size_t n)
{
    size_t len = 0;
    for (size_t i = 0; i < n; i++) {
        uint8_t b = label[i];
        if (!needs_escape(b)) {
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

/* 0xff for each byte that needs_escape. As signed numbers, one added, those above '~' are negative.
 */
static inline dns_lanes odd_bytes(dns_lanes x)
{
    return (dns_lanes)((dns_lanes_add(x, 1) < dns_lanes_of(' ' + 2)) | (x == dns_lanes_of('.'))
                       | (x == dns_lanes_of('\\')));
}

/* One step of dns_name_hash, over 16 bytes of text: past its end dots, as no text ends in one (but
 * the root's). */
static inline uint64_t hash_step(uint64_t h, dns_lanes x)
{
    dns_lanes upper = (dns_lanes)(dns_lanes_add(x, -128 - 'A') < dns_lanes_of(-128 + 26));
    dns_halves half = (dns_halves)(x | (upper & dns_lanes_of('a' - 'A')));
    unsigned __int128 product = (unsigned __int128)(h ^ half[0]) * (half[1] ^ HASH_FACTOR);
    return (uint64_t)product ^ (uint64_t)(product >> 64) ^ half[0];
}

uint64_t dns_name_hash(struct bytes name)
{
    uint64_t h = HASH_START;
    for (size_t done = 0; done < name.len; done += DNS_LANES) {
        dns_lanes x = dns_lanes_load(name.p + done, name.len - done);
        h = hash_step(h, x | ((dns_lanes)(x == dns_lanes_of(0)) & dns_lanes_of('.')));
    }
    return h;
}

/* How many bytes of `counts` add up to, modulo 256. */
static inline uint8_t sum_of(dns_lanes counts)
{
    dns_halves half = (dns_halves)counts;
    return (uint8_t)((half[0] + half[1]) * UINT64_C(0x0101010101010101) >> 56);
}

/* The text of one label; returns its length. May write 15 bytes past its end. */
static inline size_t put_label(uint8_t *to, const uint8_t *label, size_t n)
{
    dns_lanes n_odd = {0};
    size_t done = 0;
    for (; done < n; done += DNS_LANES) {
        dns_lanes x = dns_lanes_tail(label + done, n - done < DNS_LANES ? n - done : DNS_LANES);
        n_odd -= odd_bytes(x);
        memcpy(to + done, &x, sizeof x);
    }
    return sum_of(n_odd) == done - n ? n
                                     : escape_label(to, label, n); /* odd: what fills the last */
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

/* Sixteen bytes of a plain name, its lengths become dots: the text, what it adds to the hash, and
 * how many dots there are. */
static inline void plain_step(uint8_t *text, dns_lanes x, uint64_t *hash, dns_lanes *n_odd)
{
    dns_lanes odd = odd_bytes(x);
    *n_odd -= odd;
    x ^= (x ^ dns_lanes_of('.')) & odd;
    memcpy(text, &x, sizeof x);
    *hash = hash_step(*hash, x);
}

/* A name without pointers, odd bytes and labels above 32 bytes, as nearly all are: first where its
 * labels end, then all its bytes, sixteen a step: half of all packets may carry names. Lengths up
 * to 32 are odd bytes: if there are no more than these, they are where the dots go. Returns the
 * name's bytes, or 0 where it is no such name: then nothing has changed. Needs DNS_NAME_ROOM. */
static inline size_t read_plain(struct dns_names *n, const struct cur *at, struct bytes *name)
{
    const uint8_t *wire = at->p;
    size_t left = at->left, end = 0;
    unsigned labels = 0;
    for (size_t len; end < left && (len = wire[end]) - 1 < PLAIN_LABEL_MAX; labels++)
        end += 1 + len;
    if (end >= left || wire[end] != 0 || end == 0 || end >= DNS_NAME_WIRE_MAX)
        return 0;

    uint8_t *text = n->out->arena + n->out->used;
    size_t text_len = end - 1, done = 0;
    uint64_t hash = HASH_START;
    dns_lanes n_odd = {0}, x; /* at most 16 each */
    wire++;
    for (; text_len - done > DNS_LANES; done += DNS_LANES) {
        memcpy(&x, wire + done, sizeof x);
        plain_step(text + done, x, &hash, &n_odd);
    }
    plain_step(text + done, dns_lanes_tail(wire + done, text_len - done), &hash, &n_odd);
    done += DNS_LANES;
    if (sum_of(n_odd) != (uint8_t)(labels - 1 + (done - text_len))) /* and what fills the last */
        return 0;
    n->steps_left -= labels + 1;
    n->text_left -= (uint32_t)text_len;
    n->out->used += (uint32_t)text_len;
    n->hash = hash;
    name->p = text;
    name->len = (uint32_t)text_len;
    return end + 1;
}

/* `at`, `floor` and the counts stay in registers: nothing here may take their address out of sight.
 */
static __attribute__((noinline)) enum dns_name_result read_any(struct dns_names *n, struct cur *c,
                                                               struct bytes *name)
{
    size_t start = (size_t)(c->p - n->whole->p);
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
            at.p = n->whole->p;
            at.left = n->whole->left;
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
    n->hash = dns_name_hash(*name);
    if (jumps == 0 || labels_first)
        cache_name(n, start, jumps, name);
    return cur_skip(c, jumps > 0 ? past : (size_t)(at.p - c->p)) ? DNS_NAME_OK : DNS_NAME_LOST;
}

enum dns_name_result dns_name_read_new(struct dns_names *n, struct cur *c, struct bytes *name)
{
    bool room = n->text_left >= DNS_NAME_ROOM && n->steps_left >= STEPS_MAX;
    size_t plain = room ? read_plain(n, c, name) : 0;
    if (plain > 0) {
        cache_name(n, (size_t)(c->p - n->whole->p), 0, name);
        return cur_skip(c, plain) ? DNS_NAME_OK : DNS_NAME_LOST;
    }
    name->p = NULL;
    name->len = 0;
    return room ? read_any(n, c, name) : dns_name_skip(c);
}
