/* Capture files as a source: pcap and pcapng, plain, gzip or zstd, told by content and never by
 * name.
 *
 * Sources: pcap-savefile(5), draft-ietf-opsawg-pcapng. Reads with read(2) in blocks; nothing is
 * mapped. */
#pragma once
#include "ingest/source.h"

struct capture; /* one open capture; about 1 MiB */

struct capture_stats {
    uint64_t bytes_read;  /* of the file as stored (compressed) */
    uint64_t bytes_total; /* its size; 0 where unknown (a pipe) */
    uint64_t packets;     /* lent */
    uint64_t dropped_if; /* pcapng interface statistics: isb_ifdrop, last block of each interface */
    uint64_t dropped_os; /* isb_osdrop, likewise */
    uint64_t last_ts_ns; /* time of the last packet lent */
    uint64_t drop_ts_ns; /* time of the last statistics block that told of drops, else last_ts_ns */
};

/* Do these first four bytes begin what capture_open reads: pcap, pcapng, gzip, zstd? */
bool capture_magic(const uint8_t head[static 4]);
/* ... and is it gzip or zstd? */
bool capture_magic_packed(const uint8_t head[static 4]);

/* Does the gzip or zstd file at whose beginning `fd` stands hold a capture? Takes over `fd`. True
 * also where it cannot be told, so that reading it says what is wrong with it. */
bool capture_packed(int fd);

/* Opens `path` ("-": standard input). Reads enough to know the format.
 * Fails where the file cannot be opened or is no capture; then `*damaged` tells damaged content
 * (empty file, unknown magic, cut or unreadable header: exit 4) from a system error (exit 1). Error
 * text names the file (of a long path the last 320 bytes) and the offset. On success the caller
 * owns `*c`. */
MUST_CHECK bool capture_open(struct capture **c, const char *path, bool *damaged, struct err *e);

/* As capture_open followed by capture_hash; where it fails and `*damaged` is set, the whole file's
 * SHA-256 is in `digest` (all zero where the rest of it cannot be read). */
MUST_CHECK bool capture_open_hashed(struct capture **c, const char *path, bool *damaged,
                                    uint8_t digest[static 32], struct err *e);

/* The capture as a source. rx fails with SRC_FAILED where the file is damaged: `e` names file and
 * offset (in the uncompressed stream), and every packet before that was lent. A record whose
 * captured length is more than its wire length is lent as it stands (the header walk cuts it), and
 * so is what follows: the damage is told at the end, unless there is other damage. Insane lengths
 * (over 256 KiB, as libpcap's MAXIMUM_SNAPLEN) are damage. */
struct source capture_source(struct capture *c);

/* A system error (EIO) ended the reading, not damage. */
bool capture_io_failed(const struct capture *c);

const struct capture_stats *capture_stats(const struct capture *c);

/* When set before the first rx: every byte of the file as stored goes through SHA-256 as it is
 * read. capture_sha256 reads what is left of the file and gives the digest. */
void capture_hash(struct capture *c);
MUST_CHECK bool capture_sha256(struct capture *c, uint8_t digest[static 32], struct err *e);

/* Ends it and frees everything. NULL is harmless. */
void capture_free(struct capture *c);
