/* Domain names in messages: RFC 1035 3.1 and 4.1.4, with the care of RFC 9267. */
#pragma once
#include "decoders/msg.h"

enum {
    DNS_NAME_WIRE_MAX = 255,    /* bytes of a name, root included (RFC 1035 2.3.4) */
    DNS_NAME_ROOM = 1024,       /* for one text: 250 bytes as \DDD, 3 dots, copying slack */
    DNS_NAME_JUMPS_MAX = 126,   /* pointers followed in one name */
    DNS_NAMES_TEXT_MAX = 16384, /* text of all names of a message */
    DNS_NAMES_STEPS_MAX = 8192, /* labels and pointers followed in a message */
    DNS_NAMES_CACHED = 16,
};

/* The names of one message as they are read. */
struct dns_names {
    const struct cur *whole; /* the message: pointers count from its start */
    struct msgs *out;        /* whose arena takes the text */
    uint32_t text_left;      /* bytes; a message may not fill the arena */
    uint32_t steps_left;     /* a message may not buy time with pointers */
    uint64_t hash;           /* dns_name_hash of the name read last, if it has text */
    unsigned n_cached; /* names read in full, by where they begin: most pointers lead to one */
    struct {
        uint16_t at;
        uint8_t jumps;
        uint32_t len;
        const uint8_t *p;
    } cached[DNS_NAMES_CACHED];
};

/* CUT and LOST: the cursor has not moved. */
enum dns_name_result {
    DNS_NAME_OK,
    DNS_NAME_BAD,  /* breaks the rules, but its end is clear: the cursor is past it, text absent */
    DNS_NAME_CUT,  /* runs past the end of what holds it: cur_why tells whose fault that is */
    DNS_NAME_LOST, /* a label type nobody defines (RFC 6891 5): where it ends is unknown */
};

/* `out` must have DNS_NAMES_TEXT_MAX + DNS_NAME_ROOM bytes reserved (msgs_push). Sets all but the
 * cached names. */
static inline void dns_names_init(struct dns_names *n, const struct cur *whole, struct msgs *out)
{
    n->whole = whole;
    n->out = out;
    n->text_left = DNS_NAMES_TEXT_MAX;
    n->steps_left = DNS_NAMES_STEPS_MAX;
    n->hash = 0;
    n->n_cached = 0;
}

/* A hash of a name's text, in which case does not count (RFC 4343). No secret: it is only compared
 * where somebody might as well have sent the same name. */
uint64_t dns_name_hash(struct bytes name);

/* As dns_name_read, for a name that does not only point to one read before. */
enum dns_name_result dns_name_read_new(struct dns_names *n, struct cur *c, struct bytes *name);

/* Moves past the name at `c` without following its pointer. */
enum dns_name_result dns_name_skip(struct cur *c);

/* Reads the name at `c`, which lies within n->whole past its header, and moves past it.
 *
 * name:  the text (see core/msg.h); absent for a bad name, and once DNS_NAMES_TEXT_MAX or
 *        DNS_NAMES_STEPS_MAX is used up: then names are stepped over as dns_name_skip does. A name
 *        that is but a pointer to one read before shares its text.
 * Rules: labels of at most 63 bytes, 255 in all; a pointer leads before the piece of name it ends,
 *        and not into the header; at most 126 of them. So no name can loop. */
static inline enum dns_name_result dns_name_read(struct dns_names *n, struct cur *c,
                                                 struct bytes *name)
{
    struct cur at = *c;
    uint16_t pointer;
    if (cur_u16(&at, &pointer) && pointer >= 0xc000) {
        for (unsigned i = 0; i < n->n_cached; i++) {
            if (n->cached[i].at != (pointer & 0x3fff) || n->cached[i].jumps == DNS_NAME_JUMPS_MAX)
                continue;
            name->p = n->cached[i].p;
            name->len = n->cached[i].len;
            *c = at;
            return DNS_NAME_OK;
        }
    }
    return dns_name_read_new(n, c, name);
}
