/* Whether the adapter shards by address pairs, in a way we can follow. */
#pragma once
#include "ingest/dpdk_ports.h"

/* Before the device is configured: does sharding by the adapter come into question? If not,
 * port->rss_why says why. */
bool shard_wanted(const struct ports *p, struct port *port);

/* Puts into `conf` the hash we want, or, where it is not wanted, any that spreads packets over the
 * queues. `key` lives until the device is configured. */
void shard_configure(const struct port *port, bool wanted, struct rte_eth_conf *conf,
                     uint8_t key[static RSS_KEY_MAX]);

/* After the device has started: asks what it really does, sets its table, or tries a flow rule
 * instead. Fills port->rss_map and returns true where we can tell the queue of each address pair.
 * Else port->rss_why says why not. */
bool shard_check(struct port *port);
