/* The cursor: the only way bytes of a packet are read, and the one bounds check of the program.
 *
 * A cursor owns nothing. It is valid until the burst it points into is released. A read returns
 * false, and moves nothing, if too few bytes are left. */
#pragma once
#include "core/outcome.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define MUST_CHECK __attribute__((warn_unused_result))
/* A call would put the cursor into memory: several times the cost of the read. */
#define CUR_INLINE inline __attribute__((always_inline))

struct cur {
    const uint8_t *p; /* never NULL, even when left == 0 */
    size_t left;      /* bytes */
    bool snapped;     /* our end is where the capture stopped, not where the field ends */
};

/* `len` captured bytes at `p` of a field that is `wire_len` bytes long. */
static CUR_INLINE struct cur cur_of(const void *p, size_t len, size_t wire_len)
{
    return (struct cur){.p = p, .left = len, .snapped = wire_len > len};
}

/* Why a read on `c` failed: the capture was cut, or the message lies about its size. */
static CUR_INLINE enum outcome cur_why(const struct cur *c)
{
    return c->snapped ? OUT_TRUNCATED : OUT_MALFORMED;
}

/* Moves the next `n` bytes of `c` into `field`, whose end is then the field's own. */
MUST_CHECK static CUR_INLINE bool cur_take(struct cur *c, size_t n, struct cur *field)
{
    if (n > c->left) /* compare lengths; `c->p + n` may overflow */
        return false;
    *field = (struct cur){.p = c->p, .left = n, .snapped = false};
    c->p += n;
    c->left -= n;
    return true;
}

/* As cur_take, but a field that the capture cuts short yields its captured part, still snapped.
 * Fails only where the field is longer than what holds it. */
MUST_CHECK static CUR_INLINE bool cur_take_captured(struct cur *c, size_t n, struct cur *field)
{
    if (n <= c->left)
        return cur_take(c, n, field);
    if (!c->snapped)
        return false;
    *field = *c;
    c->p += c->left;
    c->left = 0;
    return true;
}

MUST_CHECK static CUR_INLINE bool cur_skip(struct cur *c, size_t n)
{
    struct cur skipped;
    return cur_take(c, n, &skipped);
}

MUST_CHECK static CUR_INLINE bool cur_copy(struct cur *c, void *to, size_t n)
{
    struct cur field;
    if (!cur_take(c, n, &field))
        return false;
    memcpy(to, field.p, n);
    return true;
}

MUST_CHECK static CUR_INLINE bool cur_u8(struct cur *c, uint8_t *v)
{
    return cur_copy(c, v, 1);
}

MUST_CHECK static CUR_INLINE bool cur_i8(struct cur *c, int8_t *v)
{
    return cur_copy(c, v, 1);
}

/* Big-endian integers, as networks write them. */
MUST_CHECK static CUR_INLINE bool cur_u16(struct cur *c, uint16_t *v)
{
    uint16_t be;
    if (!cur_copy(c, &be, sizeof be))
        return false;
    *v = __builtin_bswap16(be);
    return true;
}

MUST_CHECK static CUR_INLINE bool cur_u24(struct cur *c, uint32_t *v)
{
    struct cur f;
    if (!cur_take(c, 3, &f))
        return false;
    *v = (uint32_t)f.p[0] << 16 | (uint32_t)f.p[1] << 8 | f.p[2];
    return true;
}

MUST_CHECK static CUR_INLINE bool cur_u32(struct cur *c, uint32_t *v)
{
    uint32_t be;
    if (!cur_copy(c, &be, sizeof be))
        return false;
    *v = __builtin_bswap32(be);
    return true;
}

MUST_CHECK static CUR_INLINE bool cur_u64(struct cur *c, uint64_t *v)
{
    uint64_t be;
    if (!cur_copy(c, &be, sizeof be))
        return false;
    *v = __builtin_bswap64(be);
    return true;
}

/* A field after its own length of 1, 2 or 3 bytes. On failure nothing has moved. */
MUST_CHECK static CUR_INLINE bool cur_block8(struct cur *c, struct cur *body)
{
    struct cur at = *c; /* work on a copy: all or nothing */
    uint8_t n;
    if (!cur_u8(&at, &n) || !cur_take(&at, n, body))
        return false;
    *c = at;
    return true;
}

MUST_CHECK static CUR_INLINE bool cur_block16(struct cur *c, struct cur *body)
{
    struct cur at = *c;
    uint16_t n;
    if (!cur_u16(&at, &n) || !cur_take(&at, n, body))
        return false;
    *c = at;
    return true;
}

MUST_CHECK static CUR_INLINE bool cur_block24(struct cur *c, struct cur *body)
{
    struct cur at = *c;
    uint32_t n;
    if (!cur_u24(&at, &n) || !cur_take(&at, n, body))
        return false;
    *c = at;
    return true;
}
