/* Events: one line of JSON a message, `events.ndjson.zst`, in the shape of Suricata's EVE.
 * docs/events.md describes every member.
 *
 * Names are EVE's (version 3 of `dns`), and Zeek's for what EVE lacks. Lines come in the order of
 * the messages: packet order. Under the scope `gateways` only what a gateway said or was told is
 * written. The names policy of the configuration holds here too. */
#pragma once
#include "core/cert.h"
#include "core/config.h"
#include "core/msg.h"

enum events_kinds { EVENTS_DNS = 1, EVENTS_NTP = 2, EVENTS_TLS = 4, EVENTS_ALL = 7 };

struct events; /* one writer, one thread */

struct events_options {
    unsigned kinds; /* bits of enum events_kinds */
    bool force;     /* replace a file that says something else */
    /* Reads certificates (enrich/cert.h); NULL: nothing is told of them. */
    bool (*describe)(const uint8_t *der, size_t len, struct cert *c, struct cert_label *label);
};

/* Begins a file aside in `dir`, which must exist. `config` (scope, names, zstd_level) is borrowed
 * for the life of `*ev`. */
MUST_CHECK bool events_new(struct events **ev, const char *dir, const struct config *config,
                           const struct events_options *o, struct err *e);

/* Writes what the batch says. A failure is kept for events_finish; nothing is written after it. */
void events_messages(struct events *ev, const struct msgs *batch);

uint64_t events_count(const struct events *ev); /* lines so far */

/* Ends the file: flush, fsync, rename to DIR/events.ndjson.zst. A file of that name with the same
 * lines is left as it is; with other lines it is an error unless o->force. On failure nothing new
 * is left behind. */
MUST_CHECK bool events_finish(struct events *ev, struct err *e);

/* Frees everything; a file that was not finished is removed. NULL is harmless. */
void events_free(struct events *ev);
