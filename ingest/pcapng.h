/* The block format: draft-ietf-opsawg-pcapng.
 *
 * Sections of either byte order after each other, each with its interfaces; a section's length is
 * not believed. Packets come from enhanced (4.3), simple (4.4) and the obsolete packet blocks
 * (appendix A); interface statistics (4.6) tell of drops; every other block is skipped. */
#pragma once
#include "core/cur.h"
#include "core/err.h"
#include "core/pkt.h"

enum {
    PCAPNG_BLOCK_MAX = 1 << 20, /* a longer one is damage, unless it is of a kind that is skipped */
    PCAPNG_INTERFACES_MAX = 4096, /* a section; more is damage */
    PCAPNG_SECTION_BYTES = 28,    /* the shortest section header */
    PCAPNG_HEAD_BYTES = 28,       /* of a packet block that tells both lengths, before the packet */
};

struct pcapng_interface {
    uint32_t
        unit_ns; /* the time unit where it is a whole number of ns and no offset is set, else 0 */
    uint64_t units_max; /* the largest time that `unit_ns` may be used for */
    int64_t offset_s;
    uint32_t snap_len; /* 0: no limit */
    uint16_t link;
    uint8_t resolution;        /* if_tsresol */
    uint64_t drop_if, drop_os; /* as last told */
};

struct pcapng {
    uint64_t last_ts_ns;             /* time of the last packet lent */
    uint64_t dropped_if, dropped_os; /* sums over interfaces of the number last told */
    uint64_t drop_ts_ns;             /* time of the last statistics that told of drops */
    bool drops_told;
    bool oversized; /* of the last walk, a packet that holds more bytes than were on the wire */
    bool swap;      /* the section's byte order is not ours */
    uint32_t block_total; /* length of the block being skipped; 0: none */
    uint32_t skip;        /* its bytes still to come before the last four */
    uint32_t n_interfaces;
    struct pcapng_interface interfaces[PCAPNG_INTERFACES_MAX]; /* of this section */
};

/* Do these four bytes begin such a file? */
bool pcapng_magic(const uint8_t head[static 4]);

/* Checks the first section header. `ng` is all zero before; nothing is consumed. */
MUST_CHECK bool pcapng_init(struct pcapng *ng, const uint8_t head[static PCAPNG_SECTION_BYTES],
                            struct err *e);

/* Lends the packets of whole blocks from the front of `in`, at most `max`; sets `*n` to how many
 * and moves `in` behind what was used. Stops where bytes are missing. Returns false at damage,
 * which then begins at `in`; asked again, it says the same. */
bool pcapng_walk(struct pcapng *ng, struct cur *in, struct pkt pkts[], unsigned max, unsigned *n,
                 struct err *e);

/* Bytes of the block being skipped that are gone already; 0: none is, and the file may end here. */
static inline uint32_t pcapng_skipped(const struct pcapng *ng)
{
    return ng->block_total == 0 ? 0 : ng->block_total - 4 - ng->skip;
}
