#include "summary/answer_sets.h"

#include "summary/tables.h"

uint32_t answer_set_tag(const struct window *w, uint64_t site, const struct dns_msg *d)
{
    uint64_t mix = rowtab_fold(w->secret ^ site, d->question_hash);
    mix = rowtab_mix(mix, &d->addresses[0].addr, sizeof(struct addr));
    mix = rowtab_mix(mix, &d->addresses[d->n_addresses - 1].addr, sizeof(struct addr));
    uint32_t tag = rowtab_tag(mix);
    return tag != 0 ? tag : 1;
}

/* Do all addresses of the response have one TTL? As RFC 2181 5.2 wants it; else each goes its own
 * way. */
static bool one_ttl(const struct dns_msg *d)
{
    uint32_t differ = 0;
    for (unsigned i = 1; i < d->n_addresses; i++)
        differ |= d->addresses[i].ttl_s ^ d->addresses[0].ttl_s;
    return differ == 0;
}

static bool same_addresses(const struct answer_set *s, const struct dns_msg *d)
{
    bool same = s->n == d->n_addresses;
    for (unsigned i = 0; same && i < s->n; i++)
        same = addr_equal(&s->addr[i], &d->addresses[i].addr);
    return same;
}

struct answer_set *answer_set_find(struct window *w, uint32_t tag, uint64_t site,
                                   const struct dns_msg *d)
{
    struct answer_sets *sets = &w->answer_sets;
    struct answer_set *s = &sets->set[tag % ANSWER_SETS];
    struct bytes name = d->questions[0].name;
    if (sets->place[tag % ANSWER_SETS].tag != tag || s->sum.key.client.site != site
        || name.len != s->name_len || memcmp(name.p, s->name, name.len) != 0
        || !same_addresses(s, d) || !one_ttl(d))
        return NULL;
    sets->place[tag % ANSWER_SETS].next = 0;
    return s;
}

static void sum_empty(struct window *w, struct answer_set *s)
{
    size_t values = sizeof s->sum.key;
    memcpy((uint8_t *)&s->sum + values, w->zero[ROW_BINDING] + values, sizeof s->sum - values);
    s->sum.key.ttl_max_s = 0;
}

static void set_fold(struct window *w, struct answer_set *s)
{
    KEY(row_binding) key = s->sum.key;
    for (unsigned i = 0; i < s->n && s->sum.count > 0; i++) {
        key.addr = s->addr[i];
        void *row = rowtab_near(&w->tabs[ROW_BINDING], s->row[i], &key,
                                offsetof(struct row_binding, key), BINDING_KEY_LEN);
        if (row == NULL) /* the table was full, and the row had to go */
            row = row_of(w, ROW_BINDING, key_tag_any(w, ROW_BINDING, &key), &key);
        window_row_add(w, ROW_BINDING, row, w, &s->sum);
    }
    row_blocks_give(w, ROW_BINDING, &s->sum);
}

void answer_set_offer(struct window *w, uint32_t tag, const struct dns_msg *d,
                      const struct answered *a)
{
    struct answer_sets *sets = &w->answer_sets;
    uint32_t place = tag % ANSWER_SETS;
    struct answer_set *s = &sets->set[place];
    struct bytes name = d->questions[0].name;
    if (sets->place[place].next != tag) {
        sets->place[place].next = tag;
        return;
    }
    if (name.len > ANSWER_SET_NAME || !one_ttl(d))
        return;
    if (sets->place[place].tag != 0)
        set_fold(w, s);
    sets->place[place].tag = tag;
    sets->place[place].next = 0;
    w->unsettled = true;
    s->sum.key =
        (KEY(row_binding)){.client = {.site = a->site}, .value = a->value, .kind = BIND_DNS};
    sum_empty(w, s);
    s->counted = a->counted;
    s->name_len = (uint8_t)name.len;
    memcpy(s->name, name.p, name.len);
    s->n = (uint8_t)d->n_addresses;
    for (unsigned i = 0; i < s->n; i++)
        s->addr[i] = d->addresses[i].addr;
    memcpy(s->row, a->row, s->n * sizeof *s->row);
}

void answer_sets_fold(struct window *w)
{
    for (uint32_t i = 0; i < ANSWER_SETS; i++)
        if (w->answer_sets.place[i].tag != 0)
            set_fold(w, &w->answer_sets.set[i]);
    answer_sets_clear(&w->answer_sets);
}

void answer_sets_clear(struct answer_sets *sets)
{
    memset(sets->place, 0, sizeof sets->place);
}
