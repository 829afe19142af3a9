#include "ingest/frag.h"

#include "core/hash.h"

#include <stdlib.h>
#include <sys/random.h>

enum {
    UNIT = 8, /* fragments begin at multiples of this */
    BLOCK_BYTES = 2048,
    BLOCK_UNITS = BLOCK_BYTES / UNIT,
    DATAGRAM_MAX = 65535,
    DATAGRAM_BLOCKS = (DATAGRAM_MAX + BLOCK_BYTES - 1) / BLOCK_BYTES,
    LENT_BYTES = BURST_MAX * (DATAGRAM_MAX + 1),
};

#define NONE UINT32_MAX

struct block {
    uint8_t bytes[BLOCK_BYTES];
    uint64_t have[BLOCK_UNITS / 64]; /* which units are filled */
};

struct entry {
    struct frag_key key;
    uint64_t last_ns;
    uint32_t bucket, chain; /* chain: next entry of the bucket, or of the free list */
    uint32_t older, newer;
    uint32_t units; /* filled */
    uint32_t end;   /* highest byte seen, plus one */
    uint32_t total; /* bytes; 0: the last fragment was not seen */
    uint8_t next;   /* of the first fragment */
    bool spoiled;   /* IPv6 overlap: takes nothing any more */
    uint32_t blocks[DATAGRAM_BLOCKS];
};

struct frags {
    struct headers_stats *stats;
    uint64_t timeout_ns, seed;
    struct entry *entries;
    uint32_t *buckets;
    uint32_t n_entries, n_blocks, mask;
    uint32_t free_entry;     /* list through chain */
    uint32_t oldest, newest; /* by last fragment */
    struct block *blocks;
    uint32_t *free_blocks; /* a stack */
    uint32_t n_free;
    uint8_t *lent; /* datagrams given out in this burst */
    size_t lent_used;
};

bool frag_new(struct frags **f, const struct headers_limits *limits, struct headers_stats *stats,
              struct err *e)
{
    struct frags *t = calloc(1, sizeof *t);
    if (t == NULL)
        goto fail;
    t->stats = stats;
    t->timeout_ns = limits->fragment_timeout_ms * UINT64_C(1000000);
    t->n_entries = limits->fragment_datagrams > 0 ? limits->fragment_datagrams : 1;
    t->n_blocks = limits->fragment_bytes / BLOCK_BYTES;
    if (t->n_blocks == 0)
        t->n_blocks = 1;
    uint32_t n_buckets = 1;
    while (n_buckets < t->n_entries && n_buckets < UINT32_C(1) << 31)
        n_buckets *= 2;
    t->mask = n_buckets - 1;
    /* Results do not depend on the seed: it only keeps a sender from aiming at one bucket. */
    if (getrandom(&t->seed, sizeof t->seed, GRND_NONBLOCK) != sizeof t->seed)
        t->seed = (uintptr_t)t;

    t->entries = calloc(t->n_entries, sizeof *t->entries);
    t->buckets = malloc(n_buckets * sizeof *t->buckets);
    t->blocks = malloc(t->n_blocks * sizeof *t->blocks);
    t->free_blocks = malloc(t->n_blocks * sizeof *t->free_blocks);
    t->lent = malloc(LENT_BYTES);
    if (t->entries == NULL || t->buckets == NULL || t->blocks == NULL || t->free_blocks == NULL
        || t->lent == NULL)
        goto fail;
    for (uint32_t i = 0; i < n_buckets; i++)
        t->buckets[i] = NONE;
    for (uint32_t i = 0; i < t->n_entries; i++)
        t->entries[i].chain = i + 1 < t->n_entries ? i + 1 : NONE;
    for (uint32_t i = 0; i < t->n_blocks; i++)
        t->free_blocks[i] = i;
    t->n_free = t->n_blocks;
    t->free_entry = 0;
    t->oldest = t->newest = NONE;
    *f = t;
    return true;
fail:
    frag_free(t);
    err_set(e, "no memory for %u datagrams of fragments", limits->fragment_datagrams);
    return false;
}

void frag_free(struct frags *f)
{
    if (f == NULL)
        return;
    free(f->entries);
    free(f->buckets);
    free(f->blocks);
    free(f->free_blocks);
    free(f->lent);
    free(f);
}

void frag_burst(struct frags *f)
{
    f->lent_used = 0;
}

static void age_unlink(struct frags *f, struct entry *n)
{
    if (n->older != NONE)
        f->entries[n->older].newer = n->newer;
    else
        f->oldest = n->newer;
    if (n->newer != NONE)
        f->entries[n->newer].older = n->older;
    else
        f->newest = n->older;
}

static void age_append(struct frags *f, struct entry *n)
{
    uint32_t i = (uint32_t)(n - f->entries);
    n->older = f->newest;
    n->newer = NONE;
    if (f->newest != NONE)
        f->entries[f->newest].newer = i;
    else
        f->oldest = i;
    f->newest = i;
}

static void give_blocks_back(struct frags *f, struct entry *n)
{
    for (unsigned i = 0; i < DATAGRAM_BLOCKS; i++) {
        if (n->blocks[i] != NONE)
            f->free_blocks[f->n_free++] = n->blocks[i];
        n->blocks[i] = NONE;
    }
}

static void entry_remove(struct frags *f, struct entry *n)
{
    uint32_t i = (uint32_t)(n - f->entries);
    uint32_t *at = &f->buckets[n->bucket];
    while (*at != i)
        at = &f->entries[*at].chain;
    *at = n->chain;
    age_unlink(f, n);
    give_blocks_back(f, n);
    n->chain = f->free_entry;
    f->free_entry = i;
}

static bool timed_out(const struct frags *f, const struct entry *n, uint64_t now_ns)
{
    return now_ns > n->last_ns && now_ns - n->last_ns > f->timeout_ns;
}

/* Gives up the datagram that waits longest. It counts unless its time was over anyway. */
static void give_up_oldest(struct frags *f, uint64_t now_ns)
{
    struct entry *n = &f->entries[f->oldest];
    if (!timed_out(f, n, now_ns))
        f->stats->fragments_turned_away++;
    entry_remove(f, n);
}

static void entry_reset(struct entry *n)
{
    n->units = n->end = n->total = 0;
    n->spoiled = false;
    memset(n->blocks, 0xff, sizeof n->blocks);
    static_assert(NONE == 0xffffffff, "so the fill above means no block");
}

/* The entry of `key`, new if need be; it is the youngest now. */
static struct entry *entry_of(struct frags *f, const struct frag_key *key, uint64_t now_ns)
{
    uint32_t bucket = (uint32_t)hash_bytes(key, sizeof *key, f->seed) & f->mask;
    for (uint32_t i = f->buckets[bucket]; i != NONE; i = f->entries[i].chain) {
        struct entry *n = &f->entries[i];
        if (memcmp(&n->key, key, sizeof *key) != 0)
            continue;
        if (timed_out(f, n, now_ns)) {
            give_blocks_back(f, n);
            entry_reset(n);
            n->last_ns = now_ns;
        }
        age_unlink(f, n);
        age_append(f, n);
        if (now_ns > n->last_ns)
            n->last_ns = now_ns;
        return n;
    }
    if (f->free_entry == NONE)
        give_up_oldest(f, now_ns);
    uint32_t i = f->free_entry;
    struct entry *n = &f->entries[i];
    f->free_entry = n->chain;
    n->key = *key;
    n->last_ns = now_ns;
    n->bucket = bucket;
    n->chain = f->buckets[bucket];
    f->buckets[bucket] = i;
    entry_reset(n);
    age_append(f, n);
    return n;
}

static bool unit_held(const struct frags *f, const struct entry *n, uint32_t unit)
{
    uint32_t b = n->blocks[unit / BLOCK_UNITS], bit = unit % BLOCK_UNITS;
    return b != NONE && (f->blocks[b].have[bit / 64] >> bit % 64 & 1) != 0;
}

struct overlap {
    uint32_t held; /* units of the piece that are filled already */
    bool differs;  /* ... with other bytes */
    bool end_lies; /* it tells another end of the datagram than what came before */
};

static struct overlap compare(const struct frags *f, const struct entry *n,
                              const struct frag_piece *piece)
{
    uint32_t end = piece->offset + (uint32_t)piece->bytes.left;
    struct overlap o = {0};
    if (n->total != 0)
        o.end_lies = piece->more ? end > n->total : end != n->total;
    else
        o.end_lies = !piece->more && end < n->end;

    struct cur rest = piece->bytes, unit;
    for (uint32_t u = piece->offset / UNIT; rest.left > 0; u++) {
        if (!cur_take(&rest, rest.left < UNIT ? rest.left : UNIT, &unit))
            break;
        if (!unit_held(f, n, u))
            continue;
        o.held++;
        const struct block *b = &f->blocks[n->blocks[u / BLOCK_UNITS]];
        if (memcmp(b->bytes + u % BLOCK_UNITS * UNIT, unit.p, unit.left) != 0)
            o.differs = true;
    }
    return o;
}

/* Takes the blocks that the piece needs, from older datagrams if there are no others. */
static bool reserve(struct frags *f, struct entry *n, const struct frag_piece *piece)
{
    uint32_t first = piece->offset / BLOCK_BYTES;
    uint32_t last = (piece->offset + (uint32_t)piece->bytes.left - 1) / BLOCK_BYTES;
    for (uint32_t i = first; i <= last; i++) {
        if (n->blocks[i] != NONE)
            continue;
        while (f->n_free == 0 && &f->entries[f->oldest] != n)
            give_up_oldest(f, piece->ts_ns);
        if (f->n_free == 0)
            return false;
        n->blocks[i] = f->free_blocks[--f->n_free];
        memset(f->blocks[n->blocks[i]].have, 0, sizeof f->blocks->have);
    }
    return true;
}

static void fill(struct frags *f, struct entry *n, const struct frag_piece *piece)
{
    struct cur rest = piece->bytes, unit;
    for (uint32_t u = piece->offset / UNIT; rest.left > 0; u++) {
        if (!cur_take(&rest, rest.left < UNIT ? rest.left : UNIT, &unit))
            break;
        if (unit_held(f, n, u))
            continue;
        struct block *b = &f->blocks[n->blocks[u / BLOCK_UNITS]];
        memcpy(b->bytes + u % BLOCK_UNITS * UNIT, unit.p, unit.left);
        b->have[u % BLOCK_UNITS / 64] |= UINT64_C(1) << u % 64;
        n->units++;
    }
}

/* Copies a complete datagram to where it may stay until the burst ends. */
static bool lend(struct frags *f, const struct entry *n, struct cur *whole)
{
    if (n->total > LENT_BYTES - f->lent_used)
        return false;
    uint8_t *to = f->lent + f->lent_used;
    for (uint32_t done = 0; done < n->total; done += BLOCK_BYTES) {
        uint32_t left = n->total - done;
        memcpy(to + done, f->blocks[n->blocks[done / BLOCK_BYTES]].bytes,
               left < BLOCK_BYTES ? left : BLOCK_BYTES);
    }
    f->lent_used += n->total;
    *whole = cur_of(to, n->total, n->total);
    return true;
}

/* Stores what of the piece is new, and hands the datagram out when that completes it. */
static enum frag_result add_piece(struct frags *f, struct entry *n, const struct frag_piece *piece,
                                  struct cur *whole, uint8_t *next)
{
    bool has_first = unit_held(f, n, 0);
    uint32_t end = piece->offset + (uint32_t)piece->bytes.left;
    if (!reserve(f, n, piece)) {
        f->stats->fragments_turned_away++;
        entry_remove(f, n);
        return FRAG_FULL;
    }
    fill(f, n, piece);
    if (piece->offset == 0 && !has_first)
        n->next = piece->next;
    if (end > n->end)
        n->end = end;
    if (!piece->more)
        n->total = end;
    if (n->total == 0 || n->units < (n->total + UNIT - 1) / UNIT)
        return FRAG_WAIT;

    bool lent = lend(f, n, whole);
    *next = n->next;
    if (lent)
        f->stats->datagrams++;
    else
        f->stats->fragments_turned_away++;
    entry_remove(f, n);
    return lent ? FRAG_DONE : FRAG_FULL;
}

enum frag_result frag_add(struct frags *f, const struct frag_key *key,
                          const struct frag_piece *piece, struct cur *whole, uint8_t *next)
{
    assert(piece->offset % UNIT == 0 && piece->bytes.left > 0
           && piece->bytes.left <= DATAGRAM_MAX - piece->offset
           && (!piece->more || piece->bytes.left % UNIT == 0));
    struct entry *n = entry_of(f, key, piece->ts_ns);
    if (n->spoiled)
        return FRAG_WAIT;

    uint32_t units = ((uint32_t)piece->bytes.left + UNIT - 1) / UNIT;
    struct overlap o = compare(f, n, piece);
    bool repeats = o.held == units && !o.differs;
    bool overlaps = o.end_lies || o.differs || (key->version == 6 && o.held > 0 && !repeats);
    if (overlaps)
        f->stats->fragments_overlap++;
    if (overlaps && key->version == 6) {
        give_blocks_back(f, n);
        n->spoiled = true;
    }
    if (n->spoiled || (o.end_lies && !piece->more))
        return FRAG_WAIT; /* the first word on where the datagram ends stands, too */
    struct frag_piece cut = *piece;
    if (o.end_lies) {
        if (piece->offset >= n->total)
            return FRAG_WAIT;
        cut.bytes.left = n->total - piece->offset;
    }
    return add_piece(f, n, &cut, whole, next);
}

void frag_forget(struct frags *f, uint16_t origin)
{
    for (uint32_t i = f->oldest; i != NONE;) {
        struct entry *n = &f->entries[i];
        i = n->newer;
        if (n->key.origin == origin)
            entry_remove(f, n);
    }
}
