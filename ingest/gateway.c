#include "ingest/gateway.h"

#include <assert.h>
#include <endian.h>

enum test {
    TEST_MAC,     /* the side's address of the two at `at` */
    TEST_NUMBER,  /* the 32 bits at `at`, which both sides have in common */
    TEST_NETWORK, /* the side's IP address */
    TEST_PRIVATE, /* likewise */
};

/* A rule as the loop wants it: flags, then a masked comparison of words as they lie in the record.
 * A MAC has a word for each side: see word_of_mac. */
struct rule {
    uint64_t mask[2], want[2];
    uint16_t flags;   /* enum rec_flags, all needed */
    uint16_t at;      /* offset in struct rec */
    uint8_t test;     /* enum test */
    uint8_t kind, by; /* of the client: enum client_kind, enum client_by */
};

/* A configuration, read once a burst. */
struct plan {
    struct rule *end;   /* of rules; they are never none */
    uint16_t site_flag; /* of the number that names the site; 0: none does */
    uint16_t site_at;   /* its offset in struct rec */
    uint8_t site_kind;  /* enum site_kind */
    struct rule rules[CONFIG_RULES_MAX + CONFIG_NETS_MAX];
};

static uint64_t word_at(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

/* A number whose first `bits` bits are ones. */
static uint64_t ones(unsigned bits)
{
    return bits == 0 ? 0 : bits >= 64 ? UINT64_MAX : UINT64_MAX << (64 - bits);
}

/* The word of a record in which the MAC address of a side lies: the two addresses are 12 bytes, so
 * the source is the first 6 bytes of the first 8, and the destination the last 6 of the last 8. */
static inline uint64_t word_of_mac(const uint8_t *macs, int side)
{
    return word_at(macs + 4 * side);
}

static struct rule mac_rule(const struct gateway_rule *from, unsigned flag, size_t at)
{
    const uint64_t group = UINT64_C(1) << 56;
    uint8_t bytes[8] = {0};
    memcpy(bytes, from->mac, sizeof from->mac);
    uint64_t mask = ones(from->mac_bits), want = be64toh(word_at(bytes)) & mask;
    bool is_group = (want & group) != 0;
    mask = is_group ? 0 : mask | group; /* a group's address is nobody's, whatever the rule */
    return (struct rule){
        .mask = {htobe64(mask), htobe64(mask >> 16)},
        .want = {htobe64(want), htobe64(want >> 16)},
        .flags = (uint16_t)flag,
        .at = (uint16_t)at,
        .test = TEST_MAC,
        .by = BY_MAC,
    };
}

static struct rule number_rule(const struct gateway_rule *from, unsigned flag, size_t at,
                               enum client_by by)
{
    struct rule rule = {
        .flags = (uint16_t)(flag | REC_HAS_IP), .at = (uint16_t)at, .test = TEST_NUMBER};
    rule.by = (uint8_t)by;
    if (by != BY_FILE && from->value != UINT32_MAX) {
        rule.mask[0] = UINT32_MAX;
        rule.want[0] = from->value;
    }
    return rule;
}

static struct rule net_rule(const struct net *net)
{
    uint64_t high = htobe64(ones(net->bits));
    uint64_t low = htobe64(ones(net->bits > 64 ? net->bits - 64U : 0));
    return (struct rule){
        .mask = {high, low},
        .want = {word_at(net->base.b) & high, word_at(net->base.b + 8) & low},
        .flags = REC_HAS_IP,
        .test = TEST_NETWORK,
        .by = BY_ADDR,
    };
}

static struct rule rule_of(const struct gateway_rule *from)
{
    switch (from->kind) {
    case RULE_OUI:
        return mac_rule(from, REC_HAS_MAC, offsetof(struct rec, mac));
    case RULE_INNER_OUI:
        return mac_rule(from, REC_HAS_INNER_MAC, offsetof(struct rec, inner_mac));
    case RULE_VLAN:
        return number_rule(from, REC_HAS_VLAN, offsetof(struct rec, vlan), BY_VLAN);
    case RULE_VNI:
        return number_rule(from, REC_HAS_VNI, offsetof(struct rec, vni), BY_VNI);
    case RULE_GRE_KEY:
        return number_rule(from, REC_HAS_GRE_KEY, offsetof(struct rec, gre_key), BY_GRE);
    case RULE_NETWORK:
        return net_rule(&from->net);
    case RULE_ONE_PER_FILE:
        return number_rule(from, 0, offsetof(struct rec, vlan), BY_FILE);
    default:
        assert(from->kind == RULE_ANY_CLIENT);
        return (struct rule){.flags = REC_HAS_IP, .test = TEST_PRIVATE, .by = BY_ADDR};
    }
}

static void plan_site(struct plan *plan, const struct config *config)
{
    static const struct {
        uint16_t flag, at;
        uint8_t kind;
    } by[] = {
        [SITE_BY_SENSOR] = {0, 0, SITE_NAMED},
        [SITE_BY_FILE] = {0, 0, SITE_NAMED},
        [SITE_BY_VLAN] = {REC_HAS_VLAN, offsetof(struct rec, vlan), SITE_VLAN},
        [SITE_BY_VNI] = {REC_HAS_VNI, offsetof(struct rec, vni), SITE_VNI},
        [SITE_BY_GRE] = {REC_HAS_GRE_KEY, offsetof(struct rec, gre_key), SITE_GRE},
    };
    plan->site_flag = by[config->site_by].flag;
    plan->site_at = by[config->site_by].at;
    plan->site_kind = by[config->site_by].kind;
}

/* Hosts are what the client networks have and no gateway's rule took: so those are the last rules.
 */
static void plan_rules(struct plan *plan, const struct config *config)
{
    bool all_taken = false; /* every private address is a gateway's */
    plan->end = plan->rules;
    for (unsigned i = 0; i < config->n_rules; i++) {
        struct rule *rule = plan->end++;
        *rule = rule_of(&config->rules[i]);
        rule->kind = CLIENT_GATEWAY;
        all_taken = all_taken || rule->test == TEST_PRIVATE;
    }
    for (unsigned i = 0; i < config->n_client_nets; i++) {
        struct rule *rule = plan->end++;
        *rule = net_rule(&config->client_nets[i]);
        rule->kind = CLIENT_HOST;
    }
    if (config->n_client_nets == 0 && !all_taken)
        *plan->end++ = (struct rule){
            .flags = REC_HAS_IP, .test = TEST_PRIVATE, .kind = CLIENT_HOST, .by = BY_ADDR};
}

/* Out of line: else its variables take the registers of the loop over the packets. */
__attribute__((noinline)) static void plan_make(struct plan *plan, const struct config *config)
{
    plan_site(plan, config);
    plan_rules(plan, config);
}

static inline uint32_t number_at(const struct rec *r, size_t at)
{
    uint32_t v;
    memcpy(&v, (const uint8_t *)r + at, sizeof v);
    return v;
}

/* Which side is meant where a rule names what both have in common; of a packet with IP addresses.
 */
static int tagged_side(const struct rec *r)
{
    bool has_dst = (r->flags & REC_GROUP) == 0;
    bool src = addr_is_private(&r->src), dst = has_dst && addr_is_private(&r->dst);
    if (src != dst)
        return dst ? SIDE_DST : SIDE_SRC;
    return has_dst && r->dport > r->sport && !addr_is_group(&r->dst) ? SIDE_DST : SIDE_SRC;
}

/* Which of the sides `open` the rule fits, as bits. Which one it is comes as it likes, so there is
 * no branch on that; whether there is one hardly ever changes. */
static inline unsigned rule_match(const struct rule *rule, const struct rec *r, unsigned open)
{
    unsigned match = 0;
    if (rule->test == TEST_MAC) {
        const uint8_t *macs = (const uint8_t *)r + rule->at;
        for (int side = 0; side < 2; side++)
            match |= (unsigned)((word_of_mac(macs, side) & rule->mask[side]) == rule->want[side])
                     << side;
        return match & open;
    }
    if (rule->test == TEST_NUMBER) {
        bool same = (number_at(r, rule->at) & rule->mask[0]) == rule->want[0];
        return same ? 1u << tagged_side(r) & open : 0;
    }
    if ((r->flags & REC_GROUP) != 0) /* as the header walk has found out, no host's address */
        open &= ~(1u << SIDE_DST);
    for (; open != 0; open &= open - 1) {
        int side = __builtin_ctz(open);
        const struct addr *a = &r->addr[side];
        bool fits = rule->test == TEST_PRIVATE
                        ? addr_is_private(a)
                        : (word_at(a->b) & rule->mask[0]) == rule->want[0]
                              && (word_at(a->b + 8) & rule->mask[1]) == rule->want[1]
                              && !addr_is_group(a);
        match |= (unsigned)fits << side;
    }
    return match;
}

static inline void name_client(struct rec *r, const struct rule *rule, const struct origin *o,
                               unsigned side)
{
    struct client *c = &r->client[side];
    c->site = r->site;
    c->kind = rule->kind;
    c->by = rule->by;
    if (rule->by == BY_MAC) {
        memcpy(c->id, (const uint8_t *)r + rule->at + 6 * side, 6);
    } else if (rule->by == BY_ADDR) {
        const struct addr *a = &r->addr[side];
        memcpy(c->id, a->b, 8);
        /* seen from a server, one IPv6 customer has as many addresses as it likes in its /64 */
        if (o->vantage != VANTAGE_SERVER || addr_is_v4(a))
            memcpy(c->id + 8, a->b + 8, 8);
    } else if (rule->by == BY_FILE) {
        uint64_t be = __builtin_bswap64(o->file_hash);
        memcpy(c->id, &be, sizeof be);
    } else {
        uint32_t be = __builtin_bswap32(number_at(r, rule->at));
        memcpy(c->id, &be, sizeof be);
    }
}

/* Finds the clients of a packet that has all flags but those `missing`. */
static inline void classify(const struct plan *plan, struct rec *r, const struct origin *o,
                            unsigned missing)
{
    enum { BOTH = 1 << SIDE_SRC | 1 << SIDE_DST };
    const struct rule *rule = plan->rules;
    unsigned open = BOTH;
    do {
        unsigned match = (rule->flags & missing) == 0 ? rule_match(rule, r, open) : 0;
        if (match == 0)
            continue;
        open &= ~match;
        name_client(r, rule, o, match >> SIDE_DST);
        if (match == BOTH)
            name_client(r, rule, o, SIDE_SRC);
    } while (open != 0 && ++rule < plan->end);
}

void gateway_burst(const struct config *config, const struct origin origins[], struct rec recs[],
                   unsigned n)
{
    struct plan plan; /* not cleared: large, and used up to plan.end */
    plan_make(&plan, config);
    for (struct rec *r = recs; r < recs + n; r++) {
        const struct origin *o = &origins[r->origin];
        r->site = o->site;
        if ((r->flags & plan.site_flag) != 0)
            r->site = site_of_number(plan.site_kind, number_at(r, plan.site_at));
        memset(r->client, 0, sizeof r->client);
        unsigned missing = ~(unsigned)r->flags;
        classify(&plan, r, o, missing);
    }
}
