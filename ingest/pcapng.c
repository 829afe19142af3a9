#include "ingest/pcapng.h"

#include "ingest/pcap_file.h"

static const uint32_t MAGIC_ORDER = 0x1a2b3c4d, BLOCK_SECTION = 0x0a0d0d0a;

enum {
    BLOCK_INTERFACE = 1,
    BLOCK_PACKET_OLD = 2,
    BLOCK_PACKET_SIMPLE = 3,
    BLOCK_STATISTICS = 5,
    BLOCK_PACKET = 6,
    FRAME_BYTES = 12, /* of a block, around its body: type, length, length */
    SECTION_FIXED_BYTES = 24,
    OPTION_IF_TSRESOL = 9,
    OPTION_IF_TSOFFSET = 14,
    OPTION_ISB_IFDROP = 5,
    OPTION_ISB_OSDROP = 7,
};

/* What reading one block came to. */
enum step { STEP_DONE, STEP_PACKET, STEP_MORE, STEP_DAMAGED };

/* Integers of the section's byte order. */
static inline __attribute__((always_inline)) bool ng_u16(struct cur *c, bool swap, uint16_t *v)
{
    if (!cur_copy(c, v, sizeof *v))
        return false;
    if (swap)
        *v = __builtin_bswap16(*v);
    return true;
}

static inline __attribute__((always_inline)) bool ng_u32(struct cur *c, bool swap, uint32_t *v)
{
    if (!cur_copy(c, v, sizeof *v))
        return false;
    if (swap)
        *v = __builtin_bswap32(*v);
    return true;
}

static inline __attribute__((always_inline)) bool ng_u64(struct cur *c, bool swap, uint64_t *v)
{
    if (!cur_copy(c, v, sizeof *v))
        return false;
    if (swap)
        *v = __builtin_bswap64(*v);
    return true;
}

static const uint64_t pow10_of[] = {
    1ull,      10ull,      100ull,      1000ull,      10000ull,
    100000ull, 1000000ull, 10000000ull, 100000000ull, 1000000000ull,
};
enum { NS_DIGITS = 9 };

/* Any resolution and offset. A time beyond what 63 bits of ns hold is the last one they hold; one
 * before 1970 is 0. */
static uint64_t time_slow(const struct pcapng_interface *i, uint64_t units)
{
    unsigned n = i->resolution & 0x7f;
    __int128 ns = units;
    if (i->resolution & 0x80) {
        ns = ns * 1000000000 >> n;
    } else if (n <= NS_DIGITS) {
        ns *= (int64_t)pow10_of[NS_DIGITS - n];
    } else {
        for (unsigned digits = n - NS_DIGITS; digits > 0 && ns > 0; digits--)
            ns /= 10;
    }
    ns += (__int128)i->offset_s * 1000000000;
    if (ns < 0)
        return 0;
    return ns > INT64_MAX ? INT64_MAX : (uint64_t)ns;
}

static inline uint64_t time_of(const struct pcapng_interface *i, uint32_t high, uint32_t low)
{
    uint64_t units = (uint64_t)high << 32 | low;
    if (i->unit_ns != 0 && units <= i->units_max)
        return units * i->unit_ns;
    return time_slow(i, units);
}

static bool damaged(struct err *e, const char *what)
{
    err_set(e, "%s", what);
    return false;
}

/* Takes the next option; `*code` is 0 at the end of the list. False: it is longer. */
static bool next_option(struct cur *options, bool swap, uint16_t *code, struct cur *value)
{
    uint16_t len;
    *code = 0;
    if (options->left == 0)
        return true;
    if (!ng_u16(options, swap, code) || !ng_u16(options, swap, &len))
        return false;
    if (*code == 0)
        return true;
    if (!cur_take(options, len, value))
        return false;
    size_t padding = -(size_t)len & 3;
    return cur_skip(options, padding < options->left ? padding : options->left);
}

static bool read_interface(struct pcapng *ng, struct cur body, struct err *e)
{
    struct pcapng_interface i = {.resolution = 6};
    uint16_t reserved, code;
    uint64_t offset_s = 0;
    struct cur value;
    if (ng->n_interfaces == PCAPNG_INTERFACES_MAX) {
        err_set(e, "more than %d interfaces in a section", PCAPNG_INTERFACES_MAX);
        return false;
    }
    if (!ng_u16(&body, ng->swap, &i.link) || !ng_u16(&body, ng->swap, &reserved)
        || !ng_u32(&body, ng->swap, &i.snap_len))
        return damaged(e, "an interface block that is too short");
    do {
        if (!next_option(&body, ng->swap, &code, &value))
            return damaged(e, "an option longer than its interface block");
        if (code == OPTION_IF_TSRESOL && (!cur_u8(&value, &i.resolution) || value.left > 0))
            return damaged(e, "a time resolution of another length than 1");
        if (code == OPTION_IF_TSOFFSET && (!ng_u64(&value, ng->swap, &offset_s) || value.left > 0))
            return damaged(e, "a time offset of another length than 8");
    } while (code != 0);
    memcpy(&i.offset_s, &offset_s, sizeof i.offset_s);
    if (i.resolution <= NS_DIGITS && offset_s == 0) {
        i.unit_ns = (uint32_t)pow10_of[NS_DIGITS - i.resolution];
        i.units_max = INT64_MAX / i.unit_ns;
    }
    ng->interfaces[ng->n_interfaces++] = i;
    return true;
}

static bool read_statistics(struct pcapng *ng, struct cur body, struct err *e)
{
    uint32_t id, high, low;
    uint16_t code;
    struct cur value;
    if (!ng_u32(&body, ng->swap, &id) || !ng_u32(&body, ng->swap, &high)
        || !ng_u32(&body, ng->swap, &low))
        return damaged(e, "a statistics block that is too short");
    if (id >= ng->n_interfaces) {
        err_set(e, "statistics of interface %u, of which there are %u", id, ng->n_interfaces);
        return false;
    }
    struct pcapng_interface *i = &ng->interfaces[id];
    uint64_t drop_if = i->drop_if, drop_os = i->drop_os;
    bool told = false;
    do {
        if (!next_option(&body, ng->swap, &code, &value))
            return damaged(e, "an option longer than its statistics block");
        if (code != OPTION_ISB_IFDROP && code != OPTION_ISB_OSDROP)
            continue;
        uint64_t *drops = code == OPTION_ISB_IFDROP ? &drop_if : &drop_os;
        if (!ng_u64(&value, ng->swap, drops) || value.left > 0)
            return damaged(e, "a drop count of another length than 8");
        told = told || *drops > 0;
    } while (code != 0);
    ng->dropped_if += drop_if - i->drop_if;
    ng->dropped_os += drop_os - i->drop_os;
    i->drop_if = drop_if;
    i->drop_os = drop_os;
    if (told) {
        uint64_t ts_ns = time_of(i, high, low);
        ng->drops_told = true;
        ng->drop_ts_ns = high == 0 && low == 0 ? ng->last_ts_ns : ts_ns;
    }
    return true;
}

/* Enhanced and old packet blocks differ only in how they write the interface. */
static inline bool read_packet(struct pcapng *ng, struct cur body, bool old, struct pkt *p,
                               struct err *e)
{
    uint32_t id = 0, high, low, cap_len, wire_len;
    uint16_t id16 = 0, drops;
    struct cur bytes;
    bool whole = old ? ng_u16(&body, ng->swap, &id16) && ng_u16(&body, ng->swap, &drops)
                     : ng_u32(&body, ng->swap, &id);
    whole = whole && ng_u32(&body, ng->swap, &high) && ng_u32(&body, ng->swap, &low)
            && ng_u32(&body, ng->swap, &cap_len) && ng_u32(&body, ng->swap, &wire_len);
    if (!whole)
        return damaged(e, "a packet block that is too short");
    if (old)
        id = id16;
    if (id >= ng->n_interfaces) {
        err_set(e, "a packet of interface %u, of which there are %u", id, ng->n_interfaces);
        return false;
    }
    if (cap_len > PCAP_FILE_RECORD_MAX) {
        err_set(e, "a packet of %u bytes; at most %d can be", cap_len, PCAP_FILE_RECORD_MAX);
        return false;
    }
    if (!cur_take(&body, cap_len, &bytes))
        return damaged(e, "a packet longer than its block");
    if (__builtin_expect(cap_len > wire_len, 0))
        ng->oversized = true;
    const struct pcapng_interface *i = &ng->interfaces[id];
    p->bytes = bytes.p;
    p->cap_len = cap_len;
    p->wire_len = wire_len;
    p->ts_ns = time_of(i, high, low);
    p->link = i->link;
    ng->last_ts_ns = p->ts_ns;
    return true;
}

static bool read_simple(struct pcapng *ng, struct cur body, struct pkt *p, struct err *e)
{
    uint32_t wire_len;
    struct cur bytes;
    if (!ng_u32(&body, ng->swap, &wire_len))
        return damaged(e, "a packet block that is too short");
    if (ng->n_interfaces == 0)
        return damaged(e, "a simple packet before any interface");
    const struct pcapng_interface *i = &ng->interfaces[0];
    uint32_t cap_len = i->snap_len != 0 && i->snap_len < wire_len ? i->snap_len : wire_len;
    if (cap_len > PCAP_FILE_RECORD_MAX) {
        err_set(e, "a packet of %u bytes; at most %d can be", cap_len, PCAP_FILE_RECORD_MAX);
        return false;
    }
    if (!cur_take(&body, cap_len, &bytes))
        return damaged(e, "a packet longer than its block");
    p->bytes = bytes.p;
    p->cap_len = cap_len;
    p->wire_len = wire_len;
    p->ts_ns = ng->last_ts_ns;
    p->link = i->link;
    return true;
}

/* A block that is skipped needs not fit the buffer: goes on with it. */
static enum step skip_on(struct pcapng *ng, struct cur *in, struct err *e)
{
    uint32_t n = in->left < ng->skip ? (uint32_t)in->left : ng->skip, trailer;
    if (!cur_skip(in, n))
        return STEP_MORE;
    ng->skip -= n;
    struct cur at = *in;
    if (ng->skip > 0 || !ng_u32(&at, ng->swap, &trailer))
        return STEP_MORE;
    if (trailer != ng->block_total) {
        err_set(e, "a block of %u bytes ends as one of %u", ng->block_total, trailer);
        return STEP_DAMAGED;
    }
    ng->block_total = 0;
    *in = at;
    return STEP_DONE;
}

static bool check_length(uint32_t total, uint32_t least, struct err *e)
{
    if (total >= least && total % 4 == 0)
        return true;
    err_set(e, "a block of %u bytes", total);
    return false;
}

static enum step read_section(struct pcapng *ng, struct cur *in, struct err *e)
{
    struct cur at = *in;
    uint32_t type, total, order;
    uint16_t major, minor;
    uint64_t section_len; /* often a lie, and never needed */
    if (at.left < SECTION_FIXED_BYTES)
        return STEP_MORE;
    struct cur after = at;
    bool swap = ng_u64(&after, false, &section_len) && ng_u32(&after, false, &order)
                && order == __builtin_bswap32(MAGIC_ORDER);
    if (!swap && order != MAGIC_ORDER) {
        err_set(e, "a section of unknown byte order 0x%08x", order);
        return STEP_DAMAGED;
    }
    bool whole = ng_u32(&at, swap, &type) && ng_u32(&at, swap, &total) && ng_u32(&at, swap, &order)
                 && ng_u16(&at, swap, &major) && ng_u16(&at, swap, &minor)
                 && ng_u64(&at, swap, &section_len);
    if (!whole)
        return STEP_MORE;
    if (major != 1 || (minor != 0 && minor != 2)) {
        err_set(e, "pcapng version %u.%u; 1.0 can be read", major, minor);
        return STEP_DAMAGED;
    }
    if (!check_length(total, PCAPNG_SECTION_BYTES, e))
        return STEP_DAMAGED;
    ng->swap = swap;
    ng->n_interfaces = 0;
    ng->block_total = total;
    ng->skip = total - SECTION_FIXED_BYTES - 4;
    *in = at;
    return skip_on(ng, in, e);
}

/* A block that must be whole in the buffer, its frame checked. */
static inline enum step read_block(struct pcapng *ng, struct cur *in, uint32_t type, uint32_t total,
                                   struct pkt *p, struct err *e)
{
    struct cur at = *in, body;
    uint32_t trailer;
    if (total > PCAPNG_BLOCK_MAX) {
        err_set(e, "a block of %u bytes; at most %d can be", total, PCAPNG_BLOCK_MAX);
        return STEP_DAMAGED;
    }
    if (!cur_skip(&at, 8) || !cur_take(&at, total - FRAME_BYTES, &body)
        || !ng_u32(&at, ng->swap, &trailer))
        return STEP_MORE;
    if (trailer != total) {
        err_set(e, "a block of %u bytes ends as one of %u", total, trailer);
        return STEP_DAMAGED;
    }
    bool good, packet = true;
    if (type == BLOCK_PACKET || type == BLOCK_PACKET_OLD) {
        good = read_packet(ng, body, type == BLOCK_PACKET_OLD, p, e);
    } else if (type == BLOCK_PACKET_SIMPLE) {
        good = read_simple(ng, body, p, e);
    } else {
        packet = false;
        good = type == BLOCK_INTERFACE ? read_interface(ng, body, e) : read_statistics(ng, body, e);
    }
    if (!good)
        return STEP_DAMAGED;
    *in = at;
    return packet ? STEP_PACKET : STEP_DONE;
}

static inline enum step step(struct pcapng *ng, struct cur *in, struct pkt *p, struct err *e)
{
    if (ng->block_total != 0)
        return skip_on(ng, in, e);
    struct cur at = *in;
    uint32_t type, total;
    if (!ng_u32(&at, ng->swap, &type) || !ng_u32(&at, ng->swap, &total))
        return STEP_MORE;
    if (type == BLOCK_SECTION) /* reads the same in either byte order */
        return read_section(ng, in, e);
    if (!check_length(total, FRAME_BYTES, e))
        return STEP_DAMAGED;
    switch (type) {
    case BLOCK_PACKET:
    case BLOCK_PACKET_OLD:
    case BLOCK_PACKET_SIMPLE:
    case BLOCK_INTERFACE:
    case BLOCK_STATISTICS:
        return read_block(ng, in, type, total, p, e);
    default:
        ng->block_total = total;
        ng->skip = total - FRAME_BYTES;
        *in = at;
        return skip_on(ng, in, e);
    }
}

bool pcapng_walk(struct pcapng *ng, struct cur *in, struct pkt pkts[], unsigned max, unsigned *n,
                 struct err *e)
{
    unsigned k = 0;
    ng->oversized = false;
    while (k < max) {
        enum step s = step(ng, in, &pkts[k], e);
        if (s == STEP_PACKET) {
            k++;
        } else if (s != STEP_DONE) {
            *n = k;
            return s == STEP_MORE;
        }
    }
    *n = k;
    return true;
}

bool pcapng_magic(const uint8_t head[static 4])
{
    uint32_t type;
    memcpy(&type, head, sizeof type);
    return type == BLOCK_SECTION;
}

bool pcapng_init(struct pcapng *ng, const uint8_t head[static PCAPNG_SECTION_BYTES], struct err *e)
{
    struct cur in = cur_of(head, SECTION_FIXED_BYTES, SECTION_FIXED_BYTES);
    if (read_section(ng, &in, e) == STEP_DAMAGED)
        return false;
    ng->block_total = ng->skip = 0; /* the walk reads it again */
    return true;
}
