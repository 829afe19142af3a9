/* The user's packet filter in the language of pcap-filter(7). libpcap is named only in filter.c. */
#pragma once
#include "core/err.h"
#include "core/pkt.h"

struct filter; /* one thread's */

/* Makes a filter of `text` ("" takes every packet), which is compiled for each link type when its
 * first packet comes. `snap_len` bounds what a packet that passed keeps; 0: no bound. Fails, with
 * libpcap's own words, where `text` compiles neither for Ethernet nor for 802.11, which
 * knows other words. The caller owns `*f`. */
MUST_CHECK bool filter_new(struct filter **f, const char *text, uint32_t snap_len, struct err *e);

/* Sets `filtered` of each packet: true where the filter refuses it. On a link type for which the
 * text does not compile every packet is refused, and filter_complaint tells of it. Compiles at a
 * link type's first packet (up to 16 are remembered). */
void filter_burst(struct filter *f, struct pkt pkts[], unsigned n);

/* Gives the next complaint that was not yet given: one a link type, 16 at most. False: there is
 * none. */
bool filter_complaint(struct filter *f, struct err *e);

/* NULL is harmless. */
void filter_free(struct filter *f);
