/* What the files that fold messages share: for the files of this folder only. */
#pragma once
#include "summary/names.h"
#include "summary/tables.h"

/* A name as rows have it: nearly always as it is, else in `text`. */
static inline struct bytes name_of(const struct window *w, struct bytes name, bool lower,
                                   char text[static NAME_MAX_TEXT])
{
    if (w->config->names == NAMES_KEEP && name_is_clean(name, lower))
        return name;
    uint32_t len = name_apply(w->config, name, lower, text);
    return (struct bytes){(const uint8_t *)text, len};
}

static inline bool any_visible(const struct window *w, const struct rec *rec)
{
    return w->config->scope == SCOPE_ALL || side_visible(w, rec, SIDE_SRC)
           || side_visible(w, rec, SIDE_DST);
}

static inline void binding_count(struct row_binding *b, uint64_t ts_ns, bool matched)
{
    b->count++;
    b->matched += matched;
    b->first_ns = ts_ns < b->first_ns ? ts_ns : b->first_ns;
    b->last_ns = ts_ns > b->last_ns ? ts_ns : b->last_ns;
}

/* Keeps a name of name_of for the fold: it stays where it is, unless that is on the stack. */
static inline void hint_name(struct message_hint *hint, struct bytes name, const char *stack,
                             uint64_t hash)
{
    hint->name = name.p;
    if (name.p == (const uint8_t *)stack)
        hint->name = memcpy(hint->text, name.p, name.len);
    hint->name_len = (uint8_t)name.len;
    hint->name_hash = hash;
}

static inline bool all_zero(const uint8_t *p, size_t n)
{
    uint8_t any = 0;
    for (size_t i = 0; i < n; i++)
        any |= p[i];
    return any == 0;
}

/* Interns what hashes to `hash`; 0 for nothing, and where the store is full (counted). */
static inline uint32_t text_intern(struct window *w, struct bytes text, uint64_t hash)
{
    uint32_t id = text.len > 0 ? strings_intern(&w->strings, text.p, text.len, hash) : 0;
    w->totals.ledger.strings_turned_away += text.len > 0 && id == 0;
    return id;
}

static inline bool has_part(unsigned parts, enum msg_part part)
{
    return parts >> part & 1;
}

void fold_ntp(struct window *w, const struct msg *m, const struct message_hint *hint,
              unsigned parts);
void fold_ntp_hint(const struct window *w, const struct msg *m, struct message_hint *hint);
void fold_dns(struct window *w, const struct msg *m, const struct message_hint *hint,
              unsigned parts);
/* True: the other two have something to do. */
bool fold_dns_hint(const struct window *w, const struct msg *m, struct message_hint *hint);
void fold_dns_hint_rows(const struct window *w, struct message_hint *hint);
void fold_dns_hint_blocks(const struct window *w, const struct msg *m,
                          const struct message_hint *hint);
void fold_tls_hello(struct window *w, const struct msg *m, const struct message_hint *hint);
void fold_tls_session(struct window *w, const struct msg *m, const struct message_hint *hint,
                      unsigned parts);
void fold_tls_hint(const struct window *w, const struct msg *m, struct message_hint *hint);
void fold_tls_hint_rows(const struct window *w, const struct msg *m,
                        const struct message_hint *hint);
void fold_tls_cert(struct window *w, const struct msg *m);
void fold_tls_reuse(struct window *w, const struct msg *m, const struct message_hint *hint);
void fold_http(struct window *w, const struct msg *m);
