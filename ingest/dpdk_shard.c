#include "ingest/dpdk_shard.h"

#include <rte_flow.h>

#include <stdio.h>

/* Addresses alone; of fragments too. What a driver calls TCP or UDP would add ports. */
#define ADDRESS_TYPES RTE_ETH_RSS_IP

/* Drivers whose "IPv4" and "IPv6" cover TCP and UDP packets as well, by the addresses, when nothing
 * is asked for these. Others (i40e, iavf, ena) put what is not asked for into the first queue:
 * there only the user may ask for it, and `misplaced` tells. */
static const char *const known[] = {
    "mlx5_pci",      "net_ice", "net_ixgbe",  "net_ixgbe_vf",
    "net_e1000_igb", "net_igc", "net_virtio", NULL,
};

static bool tunnels_expected(const struct config *c)
{
    if (c->site_by == SITE_BY_VNI || c->site_by == SITE_BY_GRE)
        return true;
    for (unsigned i = 0; i < c->n_rules; i++)
        if (c->rules[i].kind == RULE_INNER_OUI || c->rules[i].kind == RULE_VNI
            || c->rules[i].kind == RULE_GRE_KEY)
            return true;
    return false;
}

static bool no(struct port *port, const char *why)
{
    snprintf(port->rss_why, sizeof port->rss_why, "%s", why);
    return false;
}

bool shard_wanted(const struct ports *p, struct port *port)
{
    const struct config *c = p->options.config;
    bool asked = c->live.distribute == DISTRIBUTE_RSS;
    unsigned i = 0;
    port->rss_why[0] = '\0';
    if (port->n_workers < 2)
        return false;
    if (c->live.distribute == DISTRIBUTE_SOFTWARE)
        return no(port, "live.distribute says software");
    if (!asked && tunnels_expected(c))
        return no(port, "tunnels are configured, and the adapter does not look into them");
    if (port->n_queues < port->n_workers)
        return no(port, "the driver has fewer queues than there are workers");
    if ((port->dev.flow_type_rss_offloads & RTE_ETH_RSS_IPV4) == 0
        || (port->dev.flow_type_rss_offloads & RTE_ETH_RSS_IPV6) == 0)
        return no(port, "the driver does not shard by addresses");
    while (known[i] != NULL && strcmp(known[i], port->dev.driver_name) != 0)
        i++;
    if (!asked && known[i] == NULL)
        return no(port, "it is not known that the driver hashes TCP and UDP by addresses alone");
    return true;
}

static uint8_t key_len(const struct port *port)
{
    unsigned len = port->dev.hash_key_size;
    return (uint8_t)(len == 0 ? 40 : RTE_MIN(len, (unsigned)RSS_KEY_MAX));
}

void shard_configure(const struct port *port, bool wanted, struct rte_eth_conf *conf,
                     uint8_t key[static RSS_KEY_MAX])
{
    uint64_t offered = port->dev.flow_type_rss_offloads;
    conf->rxmode.mq_mode = RTE_ETH_MQ_RX_NONE;
    if (port->n_queues < 2 || offered == 0)
        return;
    conf->rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
    conf->rx_adv_conf.rss_conf.rss_hf =
        offered & (RTE_ETH_RSS_IP | RTE_ETH_RSS_TCP | RTE_ETH_RSS_UDP);
    if (!wanted)
        return;
    rss_key(key, key_len(port));
    conf->rx_adv_conf.rss_conf = (struct rte_eth_rss_conf){
        .rss_key = key, .rss_key_len = key_len(port), .rss_hf = offered & ADDRESS_TYPES};
}

/* Fills the adapter's table with our queues in turn, and reads it back. */
static bool table_set(struct port *port)
{
    struct rte_eth_rss_reta_entry64 reta[RSS_RETA_MAX / RTE_ETH_RETA_GROUP_SIZE] = {0};
    unsigned n = port->dev.reta_size;
    if (n == 0 || n > RSS_RETA_MAX || (n & (n - 1)) != 0)
        return no(port, "the driver tells no table of queues");
    rss_init(&port->rss_map, n, port->n_queues);
    for (unsigned i = 0; i < n; i++) {
        reta[i / RTE_ETH_RETA_GROUP_SIZE].mask |= RTE_BIT64(i % RTE_ETH_RETA_GROUP_SIZE);
        reta[i / RTE_ETH_RETA_GROUP_SIZE].reta[i % RTE_ETH_RETA_GROUP_SIZE] = port->rss_map.reta[i];
    }
    (void)rte_eth_dev_rss_reta_update(port->id, reta,
                                      (uint16_t)n); /* what counts is what is read back */
    if (rte_eth_dev_rss_reta_query(port->id, reta, (uint16_t)n) != 0)
        return no(port, "the driver does not tell its table of queues");
    for (unsigned i = 0; i < n; i++) {
        unsigned queue = reta[i / RTE_ETH_RETA_GROUP_SIZE].reta[i % RTE_ETH_RETA_GROUP_SIZE];
        if (queue >= port->n_queues)
            return no(port, "the driver's table names queues that are not ours");
        port->rss_map.reta[i] = (uint16_t)queue;
    }
    return true;
}

static bool hash_taken(struct port *port)
{
    uint8_t key[RSS_KEY_MAX] = {0}, want[RSS_KEY_MAX];
    struct rte_eth_rss_conf got = {.rss_key = key, .rss_key_len = key_len(port)};
    rss_key(want, sizeof want);
    if (rte_eth_dev_rss_hash_conf_get(port->id, &got) != 0)
        return no(port, "the driver does not tell how it hashes");
    if (memcmp(key, want, key_len(port)) != 0) { /* some take it only from a started device */
        struct rte_eth_rss_conf set = {.rss_key = want,
                                       .rss_key_len = key_len(port),
                                       .rss_hf = port->dev.flow_type_rss_offloads & ADDRESS_TYPES};
        (void)rte_eth_dev_rss_hash_update(port->id, &set);
        got.rss_hf = 0;
        (void)rte_eth_dev_rss_hash_conf_get(port->id, &got);
    }
    if (memcmp(key, want, key_len(port)) != 0)
        return no(port, "the driver did not take our symmetric key");
    if ((got.rss_hf & RTE_ETH_RSS_IPV4) == 0 || (got.rss_hf & RTE_ETH_RSS_IPV6) == 0
        || (got.rss_hf & (RTE_ETH_RSS_TCP | RTE_ETH_RSS_UDP)) != 0)
        return no(port, "the driver does not hash by addresses alone");
    return table_set(port);
}

/* A rule for one IP version. Which queue a hash means is certain only where their number is a power
 * of two: then it is the hash's low bits, however long the table that the driver makes. */
static bool flow_rule(struct port *port, enum rte_flow_item_type ip, uint64_t types)
{
    uint8_t key[RSS_KEY_MAX];
    uint16_t queues[WORKERS_MAX];
    struct rte_flow_error why;
    rss_key(key, key_len(port));
    for (unsigned i = 0; i < port->n_queues; i++)
        queues[i] = (uint16_t)i;
    const struct rte_flow_attr attr = {.ingress = 1};
    const struct rte_flow_item pattern[] = {
        {.type = RTE_FLOW_ITEM_TYPE_ETH}, {.type = ip}, {.type = RTE_FLOW_ITEM_TYPE_END}};
    const struct rte_flow_action_rss rss = {
        .func = RTE_ETH_HASH_FUNCTION_TOEPLITZ,
        .types = types,
        .key_len = key_len(port),
        .queue_num = port->n_queues,
        .key = key,
        .queue = queues,
    };
    const struct rte_flow_action actions[] = {{.type = RTE_FLOW_ACTION_TYPE_RSS, .conf = &rss},
                                              {.type = RTE_FLOW_ACTION_TYPE_END}};
    return rte_flow_create(port->id, &attr, pattern, actions, &why) != NULL;
}

static bool flow_taken(struct port *port)
{
    struct rte_flow_error why;
    if ((port->n_queues & (port->n_queues - 1)) != 0)
        return false;
    if (!flow_rule(port, RTE_FLOW_ITEM_TYPE_IPV4, RTE_ETH_RSS_IPV4)
        || !flow_rule(port, RTE_FLOW_ITEM_TYPE_IPV6, RTE_ETH_RSS_IPV6)) {
        (void)rte_flow_flush(port->id, &why);
        return false;
    }
    rss_init(&port->rss_map, RSS_RETA_MAX, port->n_queues);
    port->rss_why[0] = '\0';
    return true;
}

bool shard_check(struct port *port)
{
    return hash_taken(port) || flow_taken(port);
}
