/* Who is who: the rules that make an address or a frame a gateway's. Filled from the configuration.
 */
#pragma once
#include "core/config.h"
#include "core/rec.h"

struct origin {
    uint64_t site;      /* SITE_NAMED id of sensor or file rule */
    uint64_t file_hash; /* hash of the capture's base name: the client id of a one-per-file rule */
    uint8_t vantage;    /* enum vantage */
};

/* Fills site and client[] of n records. `origin` of a record indexes `origins`.
 *
 * For the source and for the destination each, the first rule of `config` that matches makes a
 * gateway; else an address of the client networks makes a host; else nobody. A rule that names a
 * VLAN, a tunnel or a file means one of the two sides: the private-address one; where both or none
 * are private, the one with the higher port, else the source. Groups (multicast, broadcast,
 * unspecified) are no clients, and broadcast frames have no client as their destination.
 *
 * No lookup, no allocation: a loop over at most CONFIG_RULES_MAX rules. */
void gateway_burst(const struct config *config, const struct origin origins[], struct rec recs[],
                   unsigned n);
