#include "ingest/pcap_file.h"

static const uint32_t MAGIC_US = 0xa1b2c3d4, MAGIC_NS = 0xa1b23c4d,
                      MAGIC_LONG = 0xa1b2cd34; /* Kuznetzov's: 8 bytes more in a record header */

enum {
    RECORD_BYTES = 16,
    RECORD_LONG_BYTES = 24,
    AHEAD_BYTES = 768, /* each record's head is found only when the one before it is read */
};

/* In which order the captured and the wire length stand. */
enum lengths { LENGTHS_CAP_FIRST, LENGTHS_WIRE_FIRST, LENGTHS_SMALLER_IS_CAP };

struct layout {
    bool swap;         /* the file's byte order is not ours */
    uint32_t unit_ns;  /* of the fraction */
    size_t head_bytes; /* of a record */
    enum lengths lengths;
};

/* Inlined into one function a layout, whose tests of `at` then vanish. */
static inline __attribute__((always_inline)) bool walk(struct pcap_file *f, struct cur *in,
                                                       struct pkt pkts[], unsigned max, unsigned *n,
                                                       struct err *e, struct layout l)
{
    struct cur at = *in;
    uint32_t link = f->link;
    unsigned k = 0;
    f->oversized = false;
    bool sane = true;
    while (k < max) {
        struct cur rec = at, bytes;
        uint32_t h[RECORD_LONG_BYTES / 4];
        if (!cur_copy(&rec, h, l.head_bytes))
            break;
        for (int i = 0; l.swap && i < 4; i++)
            h[i] = __builtin_bswap32(h[i]);
        bool wire_first =
            l.lengths == LENGTHS_WIRE_FIRST || (l.lengths == LENGTHS_SMALLER_IS_CAP && h[2] > h[3]);
        uint32_t cap_len = wire_first ? h[3] : h[2], wire_len = wire_first ? h[2] : h[3];
        if (__builtin_expect(cap_len > PCAP_FILE_RECORD_MAX, 0)) {
            err_set(e, "a packet of %u bytes; at most %d can be", cap_len, PCAP_FILE_RECORD_MAX);
            sane = false;
            break;
        }
        if (!cur_take(&rec, cap_len, &bytes))
            break;
        __builtin_prefetch(bytes.p + cap_len + AHEAD_BYTES);
        if (__builtin_expect(cap_len > wire_len, 0))
            f->oversized = true; /* a flag and no more: the loop has no register left */
        struct pkt *p = &pkts[k++];
        p->bytes = bytes.p;
        p->cap_len = cap_len;
        p->wire_len = wire_len;
        p->ts_ns = (uint64_t)h[0] * 1000000000 + (uint64_t)h[1] * l.unit_ns;
        p->link = link;
        at = rec;
    }
    *n = k;
    *in = at;
    return sane;
}

#define WALK(name, ...)                                                                            \
    static bool name(struct pcap_file *f, struct cur *in, struct pkt pkts[], unsigned max,         \
                     unsigned *n, struct err *e)                                                   \
    {                                                                                              \
        return walk(f, in, pkts, max, n, e, (struct layout){__VA_ARGS__});                         \
    }
WALK(walk_us, false, 1000, RECORD_BYTES, LENGTHS_CAP_FIRST)
WALK(walk_ns, false, 1, RECORD_BYTES, LENGTHS_CAP_FIRST)
WALK(walk_swapped_us, true, 1000, RECORD_BYTES, LENGTHS_CAP_FIRST)
WALK(walk_swapped_ns, true, 1, RECORD_BYTES, LENGTHS_CAP_FIRST)
#undef WALK

static enum lengths lengths_of(uint16_t major, uint16_t minor)
{
    if (major == 543 || minor < 3)
        return LENGTHS_WIRE_FIRST;
    return minor == 3 ? LENGTHS_SMALLER_IS_CAP : LENGTHS_CAP_FIRST;
}

static bool walk_rare(struct pcap_file *f, struct cur *in, struct pkt pkts[], unsigned max,
                      unsigned *n, struct err *e)
{
    return walk(
        f, in, pkts, max, n, e,
        (struct layout){f->swap, f->unit_ns, f->head_bytes, lengths_of(f->major, f->minor)});
}

bool pcap_file_magic(const uint8_t head[static 4])
{
    uint32_t magic;
    memcpy(&magic, head, sizeof magic);
    uint32_t swapped = __builtin_bswap32(magic);
    return magic == MAGIC_US || magic == MAGIC_NS || magic == MAGIC_LONG || swapped == MAGIC_US
           || swapped == MAGIC_NS || swapped == MAGIC_LONG;
}

bool pcap_file_init(struct pcap_file *f, const uint8_t head[static PCAP_FILE_HEADER_BYTES],
                    struct err *e)
{
    uint32_t magic, link;
    uint16_t version[2];
    memcpy(&magic, head, sizeof magic);
    memcpy(version, head + 4, sizeof version);
    memcpy(&link, head + 20, sizeof link);
    bool swap = magic != MAGIC_US && magic != MAGIC_NS && magic != MAGIC_LONG;
    if (swap) {
        magic = __builtin_bswap32(magic);
        version[0] = __builtin_bswap16(version[0]);
        version[1] = __builtin_bswap16(version[1]);
        link = __builtin_bswap32(link);
    }
    uint16_t major = version[0], minor = version[1];
    if (!(major == 2 && minor <= 4) && !(major == 543 && minor == 0)) {
        err_set(e, "pcap version %u.%u; 2.0 to 2.4 can be read", major, minor);
        return false;
    }
    *f = (struct pcap_file){
        .link = link & 0xffff,
        .major = major,
        .minor = minor,
        .swap = swap,
        .unit_ns = magic == MAGIC_NS ? 1 : 1000,
        .head_bytes = magic == MAGIC_LONG ? RECORD_LONG_BYTES : RECORD_BYTES,
    };
    if (magic == MAGIC_LONG || lengths_of(major, minor) != LENGTHS_CAP_FIRST)
        f->walk = walk_rare;
    else if (magic == MAGIC_US)
        f->walk = swap ? walk_swapped_us : walk_us;
    else
        f->walk = swap ? walk_swapped_ns : walk_ns;
    return true;
}
