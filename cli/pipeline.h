/* The data path: one thread's way from a source to the summary. */
#pragma once
#include "cli/stages.h"
#include "core/config.h"
#include "decoders/decode.h"
#include "ingest/filter.h"
#include "ingest/gateway.h"
#include "ingest/headers.h"
#include "ingest/source.h"
#include "ingest/spread.h"
#include "sinks/events.h"
#include "summary/windows.h"

enum { ORIGINS = 65536 }; /* capture contexts told apart at once */

struct pipeline {
    const struct config *config;      /* borrowed */
    struct source source;             /* borrowed; changes from capture to capture */
    struct spread spread;             /* give NULL: every packet is this thread's; borrowed */
    uint16_t origin;                  /* of the packets being read */
    uint64_t ord;                     /* packets read in the run */
    bool any;                         /* a packet of this capture was read */
    uint64_t first_ts_ns, last_ts_ns; /* of those that were */
    struct filter *filter;            /* NULL: everything */
    struct headers *headers;
    struct decode *decode;
    struct windows *windows;
    struct stages stages;   /* set by whoever wants to know */
    struct events *events;  /* NULL: none wanted; borrowed */
    struct origin *origins; /* [ORIGINS] */
    uint8_t *vantages;      /* [ORIGINS] */
    const char *http_hosts[CONFIG_NAMES_MAX + 1];
    struct pkt pkts[BURST_MAX];
    struct rec recs[BURST_MAX];
    struct msgs msgs;
    struct headers_stats headers_told; /* what the ledger has of them so far */
    struct decode_stats decode_told;
};

/* Takes all its memory now. `bpf`: pcap-filter(7) text, or NULL. `config` is borrowed; `spill`
 * takes windows that leave memory. */
MUST_CHECK bool pipeline_new(struct pipeline **pl, const struct config *config, const char *bpf,
                             struct windows_spill spill, struct err *e);
void pipeline_free(struct pipeline *pl);

/* The capture `path` begins, read from `source`: a context of its own, unless the configuration
 * says that all captures are one. */
void pipeline_begin(struct pipeline *pl, struct source source, const char *path);

/* What was just begun was captured there, whatever the configuration says of its path. */
void pipeline_vantage(struct pipeline *pl, enum vantage vantage);

/* Reads, decodes and counts one burst. Returns how many packets, SRC_END or SRC_FAILED (see
 * source.h). */
int pipeline_poll(struct pipeline *pl, struct err *e);

/* Decodes and counts n <= BURST_MAX packets that another thread read and walked: what is left of
 * the path behind the spread. */
void pipeline_take(struct pipeline *pl, struct rec recs[], unsigned n);

/* What the stages met since the last call, into the ledger of the last packet's window. At the end
 * of a capture: that is the same for every order of captures. */
void pipeline_ledger(struct pipeline *pl);

/* The capture ended: its flows are stated as they stand. Not called between the parts of a
 * continuous capture. */
void pipeline_end(struct pipeline *pl);

/* All captures were read: gives back what only reading needs, before the windows are written.
 * Nothing but pipeline_free may follow. */
void pipeline_done(struct pipeline *pl);

/* The source lost packets before us, as told at `ts_ns`. */
void pipeline_lost(struct pipeline *pl, uint64_t packets, uint64_t ts_ns);
