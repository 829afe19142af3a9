/* The classic capture format: pcap-savefile(5).
 *
 * Either byte order; microseconds (magic 0xa1b2c3d4), nanoseconds (0xa1b23c4d) or the longer record
 * headers of 0xa1b2cd34; versions 2.0 to 2.4 and 543.0, with the two lengths of a record in the
 * order of that version. */
#pragma once
#include "core/cur.h"
#include "core/err.h"
#include "core/pkt.h"

enum {
    PCAP_FILE_HEADER_BYTES = 24,
    PCAP_FILE_RECORD_MAX = 262144, /* libpcap's MAXIMUM_SNAPLEN: a longer record is damage */
};

struct pcap_file;

/* Lends whole records from the front of `in`, at most `max`; sets `*n` to how many and moves `in`
 * behind them. Stops where bytes are missing. Returns false at damage, which begins at `in`. */
typedef bool pcap_file_walk_fn(struct pcap_file *f, struct cur *in, struct pkt pkts[], unsigned max,
                               unsigned *n, struct err *e);

struct pcap_file {
    pcap_file_walk_fn *walk; /* made for this file's format */
    uint32_t link; /* LINKTYPE_; what the file says of a frame check sequence is cut off */
    uint16_t major, minor;
    bool swap;           /* the file's byte order is not ours */
    uint32_t unit_ns;    /* of the fraction of a time */
    uint32_t head_bytes; /* of a record */
    bool oversized; /* of the last walk, a packet that holds more bytes than were on the wire */
};

/* Do these four bytes begin such a file? */
bool pcap_file_magic(const uint8_t head[static 4]);

/* Reads the file header. Fails at a version that nobody writes. */
MUST_CHECK bool pcap_file_init(struct pcap_file *f,
                               const uint8_t head[static PCAP_FILE_HEADER_BYTES], struct err *e);
