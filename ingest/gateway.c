#include "ingest/gateway.h"

/* One side of a packet, as the rules see it. */
struct party {
    const struct rec *rec;
    const struct origin *origin;
    const struct addr *addr;  /* NULL: no IP header, or no address of one host */
    bool is_private;          /* the address */
    const uint8_t *mac;       /* NULL: not known, or a group's */
    const uint8_t *inner_mac; /* likewise */
    bool tagged_side;         /* who is meant where a rule names both ends' VLAN, tunnel or file */
};

static uint64_t mac_number(const uint8_t mac[6])
{
    uint32_t high;
    uint16_t low;
    memcpy(&high, mac, sizeof high);
    memcpy(&low, mac + 4, sizeof low);
    return (uint64_t)__builtin_bswap32(high) << 16 | __builtin_bswap16(low);
}

static bool mac_matches(const uint8_t *mac, const struct gateway_rule *rule)
{
    return mac != NULL && (mac_number(mac) ^ mac_number(rule->mac)) >> (48 - rule->mac_bits) == 0;
}

static bool number_matches(const struct party *who, uint16_t flag, uint32_t value,
                           const struct gateway_rule *rule)
{
    return who->tagged_side && (who->rec->flags & flag) != 0
           && (rule->value == UINT32_MAX || rule->value == value);
}

static enum client_by rule_match(const struct gateway_rule *rule, const struct party *who)
{
    const struct rec *r = who->rec;
    switch (rule->kind) {
    case RULE_OUI:
        return mac_matches(who->mac, rule) ? BY_MAC : BY_NONE;
    case RULE_INNER_OUI:
        return mac_matches(who->inner_mac, rule) ? BY_MAC : BY_NONE;
    case RULE_VLAN:
        return number_matches(who, REC_HAS_VLAN, r->vlan, rule) ? BY_VLAN : BY_NONE;
    case RULE_VNI:
        return number_matches(who, REC_HAS_VNI, r->vni, rule) ? BY_VNI : BY_NONE;
    case RULE_GRE_KEY:
        return number_matches(who, REC_HAS_GRE_KEY, r->gre_key, rule) ? BY_GRE : BY_NONE;
    case RULE_NETWORK:
        return who->addr != NULL && net_has(&rule->net, who->addr) ? BY_ADDR : BY_NONE;
    case RULE_ONE_PER_FILE:
        return who->tagged_side ? BY_FILE : BY_NONE;
    case RULE_ANY_CLIENT:
        return who->is_private ? BY_ADDR : BY_NONE;
    default:
        return BY_NONE;
    }
}

static void put_be(uint8_t *to, unsigned n, uint64_t v)
{
    for (unsigned i = 0; i < n; i++)
        to[i] = (uint8_t)(v >> 8 * (n - 1 - i));
}

static void name_client(struct client *c, enum client_kind kind, enum client_by by,
                        const struct party *who, const uint8_t *mac)
{
    const struct rec *r = who->rec;
    c->site = r->site;
    c->kind = (uint8_t)kind;
    c->by = (uint8_t)by;
    switch (by) {
    case BY_MAC:
        memcpy(c->id, mac, 6);
        break;
    case BY_ADDR: {
        /* seen from a server, one IPv6 customer has as many addresses as it likes in its /64 */
        bool prefix = who->origin->vantage == VANTAGE_SERVER && !addr_is_v4(who->addr);
        memcpy(c->id, who->addr->b, prefix ? 8 : 16);
        break;
    }
    case BY_VLAN:
        put_be(c->id, 4, r->vlan);
        break;
    case BY_VNI:
        put_be(c->id, 4, r->vni);
        break;
    case BY_GRE:
        put_be(c->id, 4, r->gre_key);
        break;
    case BY_FILE:
        put_be(c->id, 8, who->origin->file_hash);
        break;
    case BY_NONE:
    case BY_N:
        break;
    }
}

static bool in_client_nets(const struct config *config, const struct party *who)
{
    if (config->n_client_nets == 0 || who->addr == NULL)
        return who->is_private;
    for (unsigned i = 0; i < config->n_client_nets; i++)
        if (net_has(&config->client_nets[i], who->addr))
            return true;
    return false;
}

static inline void classify(const struct config *config, const struct party *who, struct client *c)
{
    for (unsigned i = 0; i < config->n_rules; i++) {
        const struct gateway_rule *rule = &config->rules[i];
        enum client_by by = rule_match(rule, who);
        if (by == BY_NONE)
            continue;
        name_client(c, CLIENT_GATEWAY, by, who,
                    rule->kind == RULE_INNER_OUI ? who->inner_mac : who->mac);
        return;
    }
    if (in_client_nets(config, who))
        name_client(c, CLIENT_HOST, BY_ADDR, who, NULL);
}

static uint64_t site_of(const struct config *config, const struct rec *r, const struct origin *o)
{
    if (config->site_by == SITE_BY_VLAN && (r->flags & REC_HAS_VLAN) != 0)
        return site_of_number(SITE_VLAN, r->vlan);
    if (config->site_by == SITE_BY_VNI && (r->flags & REC_HAS_VNI) != 0)
        return site_of_number(SITE_VNI, r->vni);
    if (config->site_by == SITE_BY_GRE && (r->flags & REC_HAS_GRE_KEY) != 0)
        return site_of_number(SITE_GRE, r->gre_key);
    return o->site;
}

static const uint8_t *mac_of_one(const struct rec *r, uint16_t flag, const uint8_t mac[6])
{
    return (r->flags & flag) != 0 && (mac[0] & 1) == 0 ? mac : NULL;
}

/* One side, without tagged_side. The destination's being a group the header walk has found out. */
static inline struct party party_of(const struct rec *r, const struct origin *o, int side)
{
    struct party p = {
        .rec = r,
        .origin = o,
        .mac = mac_of_one(r, REC_HAS_MAC, r->mac[side]),
        .inner_mac = mac_of_one(r, REC_HAS_INNER_MAC, r->inner_mac[side]),
    };
    const struct addr *a = side == SIDE_SRC ? &r->src : &r->dst;
    if ((r->flags & REC_HAS_IP) == 0 || (side == SIDE_DST && (r->flags & REC_GROUP) != 0))
        return p;
    p.is_private = addr_is_private(a);
    if (p.is_private || !addr_is_group(a))
        p.addr = a;
    return p;
}

/* Do any rules name what both ends have in common? */
static bool needs_side(const struct config *config)
{
    for (unsigned i = 0; i < config->n_rules; i++) {
        uint8_t kind = config->rules[i].kind;
        if (kind == RULE_VLAN || kind == RULE_VNI || kind == RULE_GRE_KEY
            || kind == RULE_ONE_PER_FILE)
            return true;
    }
    return false;
}

static void choose_side(struct party *src, struct party *dst)
{
    const struct rec *r = src->rec;
    if ((r->flags & REC_HAS_IP) == 0)
        return;
    bool is_dst = src->is_private != dst->is_private ? dst->is_private
                                                     : dst->addr != NULL && r->dport > r->sport;
    (is_dst ? dst : src)->tagged_side = true;
}

void gateway_burst(const struct config *config, const struct origin origins[], struct rec recs[],
                   unsigned n)
{
    bool sides = needs_side(config);
    for (unsigned i = 0; i < n; i++) {
        struct rec *r = &recs[i];
        const struct origin *o = &origins[r->origin];
        r->site = site_of(config, r, o);
        memset(r->client, 0, sizeof r->client);
        struct party src = party_of(r, o, SIDE_SRC), dst = party_of(r, o, SIDE_DST);
        if (sides)
            choose_side(&src, &dst);
        classify(config, &src, &r->client[SIDE_SRC]);
        classify(config, &dst, &r->client[SIDE_DST]);
    }
}
