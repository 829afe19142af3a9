#include "decoders/tls_resume.h"

#include "decoders/dns_ntp_fifo.h"

#include <stdlib.h>

static const uint64_t KEPT_NS = UINT64_C(86400) * 1000 * 1000 * 1000;

struct kept {
    struct fifo_entry entry;
    uint64_t first_ns;
    uint16_t len;
    uint8_t blob[ANSWER_BLOB_MAX];
    uint8_t pad[10];
};
static_assert(sizeof(struct kept) == 256, "whole cache lines");

struct tls_resume {
    struct fifo fifo;
    uint64_t turned_away;
};

bool tls_resume_new(struct tls_resume **r, uint32_t max, uint64_t seed, struct err *e)
{
    struct tls_resume *made = calloc(1, sizeof *made);
    if (made == NULL) {
        err_set(e, "out of memory");
        return err_in(e, "TLS resumption");
    }
    if (!fifo_init(&made->fifo, max > 0 ? max : 1, sizeof(struct kept), seed, e)) {
        free(made);
        return err_in(e, "TLS resumption");
    }
    *r = made;
    return true;
}

void tls_resume_free(struct tls_resume *r)
{
    if (r == NULL)
        return;
    fifo_end(&r->fifo);
    free(r);
}

static struct fifo_key key_of(const struct tls_resume *r, const struct tls_resume_key *k)
{
    return fifo_key_of(&r->fifo, &k->client, &k->server, k->site, k->id);
}

/* A time before the handshake is no age. */
static bool is_old(const struct kept *e, uint64_t now_ns)
{
    return now_ns > e->first_ns && now_ns - e->first_ns > KEPT_NS;
}

static struct kept *find(const struct tls_resume *r, const struct tls_resume_key *k)
{
    struct fifo_key key = key_of(r, k);
    uint32_t number;
    for (struct fifo_entry *e = fifo_first(&r->fifo, key, &number); e != NULL;
         e = fifo_next(&r->fifo, e, &number))
        if (fifo_is(e, key) && e->origin == k->origin && !fifo_forgotten(&r->fifo, e))
            return (struct kept *)e;
    return NULL;
}

/* Makes sure that the next entry overwrites nothing that may still be resumed, or counts it. */
static void make_room(struct tls_resume *r, uint64_t now_ns)
{
    const struct kept *victim = (const struct kept *)fifo_victim(&r->fifo);
    if (victim == NULL || fifo_forgotten(&r->fifo, &victim->entry) || is_old(victim, now_ns))
        return;
    if (!fifo_grow(&r->fifo))
        r->turned_away++;
}

void tls_resume_keep(struct tls_resume *r, const struct tls_resume_key *k, uint64_t first_ns,
                     const uint8_t *blob, size_t len)
{
    struct kept *e = find(r, k);
    if (e != NULL && !is_old(e, first_ns))
        return;
    if (e == NULL) {
        make_room(r, first_ns);
        e = (struct kept *)fifo_make(&r->fifo, key_of(r, k), k->origin);
    }
    e->first_ns = first_ns;
    e->len = (uint16_t)len;
    memcpy(e->blob, blob, len);
}

bool tls_resume_find(const struct tls_resume *r, const struct tls_resume_key *k, uint64_t now_ns,
                     struct answer *a, uint64_t *first_ns)
{
    const struct kept *e = find(r, k);
    if (e == NULL || is_old(e, now_ns) || !answer_read(e->blob, e->len, a))
        return false;
    *first_ns = e->first_ns;
    return true;
}

void tls_resume_prefetch(const struct tls_resume *r, const struct tls_resume_key *k)
{
    fifo_prefetch_head(&r->fifo, key_of(r, k).w[0]);
}

void tls_resume_origin_end(struct tls_resume *r, uint16_t origin)
{
    fifo_origin_end(&r->fifo, origin);
}

uint64_t tls_resume_turned_away(const struct tls_resume *r)
{
    return r->turned_away;
}
