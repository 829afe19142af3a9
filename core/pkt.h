/* A borrowed packet: what a source lends. Its bytes are valid until the source's release. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#define BURST_MAX 64

struct pkt {
    const uint8_t *bytes;
    uint32_t cap_len;  /* bytes at `bytes` */
    uint32_t wire_len; /* bytes on the wire; may be smaller than cap_len in a damaged capture */
    uint64_t ts_ns;    /* UTC; of a packet without a time: the time before it in its file, else 0 */
    uint64_t ord;      /* number of the packet in the run, from 0: the order of events */
    uint32_t link;     /* LINKTYPE_ number, https://www.tcpdump.org/linktypes.html */
    uint16_t
        origin;    /* which capture context: index of struct origin; flow state never crosses it */
    bool filtered; /* the user's filter refused it */
};
