#include "decoders/dns.h"
#include "decoders/dns_name.h"

enum {
    HEADER_BYTES = 12,
    QUESTION_MIN = 5, /* bytes: the root name, type, class */
    RECORD_MIN = 11,  /* bytes: the root name, type, class, TTL, length */
    QR = 0x8000,
    AA = 0x0400,
    TC = 0x0200,
    RA = 0x0080,
    Z = 0x0040,
    OPCODE_UPDATE = 5,
    CLASS_IN = 1,
    CLASS_CH = 3,
    CLASS_ANY = 255,
    EDNS_DO = 0x8000,
};

enum { SECTION_ANSWER, SECTION_AUTHORITY, SECTION_ADDITIONAL, SECTION_N };

enum rtype {
    TYPE_A = 1,
    TYPE_NS = 2,
    TYPE_CNAME = 5,
    TYPE_SOA = 6,
    TYPE_PTR = 12,
    TYPE_MX = 15,
    TYPE_AAAA = 28,
    TYPE_SRV = 33,
    TYPE_OPT = 41,
    TYPE_SVCB = 64,
    TYPE_HTTPS = 65,
};

/* A message being walked. Each part of the way is a function of its own, with few variables: as one
 * function, half of the instructions moved them to the stack and back. */
#define PART __attribute__((noinline))

struct walk {
    struct dns_msg *m;
    struct cur at;
    struct dns_names names;
    uint32_t n[SECTION_N]; /* records up to the end of each section */
    uint32_t answers_room;
    bool opt_seen;
};

/* What there is room for. */
struct tables {
    uint32_t questions, more, answers;
};

/* Reading stopped at `c`: says whose fault it was. */
static bool stop(struct dns_msg *m, const struct cur *c)
{
    if (cur_why(c) == OUT_TRUNCATED)
        m->truncated = true;
    else
        m->malformed = true;
    return false;
}

/* The name at `c`; kept: its text too. False: the walk ends here. */
static CUR_INLINE bool walk_name(struct walk *w, struct cur *c, bool kept, struct bytes *name)
{
    struct cur at = *c; /* a copy, for the same reason */
    enum dns_name_result o = kept ? dns_name_read(&w->names, &at, name) : dns_name_skip(&at);
    *c = at;
    if (o == DNS_NAME_OK)
        return true;
    if (o == DNS_NAME_CUT)
        return stop(w->m, &at);
    w->m->malformed = true;
    return o != DNS_NAME_LOST;
}

/* Questions and records are filled in place, and fixed parts taken whole: stores that are soon read
 * again in another width took a third of the decoder's time. */
static CUR_INLINE bool walk_questions(struct walk *w, struct cur *at, const struct tables *room)
{
    struct dns_msg *m = w->m;
    struct dns_question unkept;
    struct cur fixed;
    for (uint32_t i = 0, n = m->qdcount; i < n; i++) {
        bool kept = i < room->questions;
        struct dns_question *q = kept ? &m->questions[i] : &unkept;
        if (!walk_name(w, at, kept, &q->name))
            return false;
        if (!cur_take(at, 4, &fixed) || !cur_u16(&fixed, &q->qtype) || !cur_u16(&fixed, &q->qclass))
            return stop(m, at);
        if (i == 0)
            m->question_hash = w->names.hash;
        if (kept)
            m->n_questions = i + 1;
        else if (m->n_more_qtypes < room->more)
            m->more_qtypes[m->n_more_qtypes++] = q->qtype;
    }
    return true;
}

/* RFC 6891 6.1.2 and 6.1.3: the fields of the pseudo-record carry something else. */
static void take_opt(struct walk *w, uint16_t class, uint32_t ttl)
{
    if (w->opt_seen)
        return;
    w->opt_seen = true;
    w->m->edns_udp_size = class;
    w->m->edns_do = ttl & EDNS_DO;
    w->m->rcode_ext = (uint16_t)(ttl >> 24 << 4 | w->m->rcode);
}

/* Of an SOA in the authority section, what a negative answer may be kept for (RFC 2308 5). */
static bool take_soa(struct dns_msg *m, struct cur *data, const struct dns_answer *a)
{
    uint32_t minimum;
    if (dns_name_skip(data) != DNS_NAME_OK || !cur_skip(data, 4 * 4) || !cur_u32(data, &minimum))
        return false;
    if (a->section == SECTION_AUTHORITY && !m->has_soa) {
        m->has_soa = true;
        m->soa_minimum = minimum < a->ttl_s ? minimum : a->ttl_s;
    }
    return true;
}

/* What is wanted of the data of a record that is no address. False: it breaks its format. */
static bool take_names(struct dns_names *names, struct dns_msg *m, struct cur data,
                       struct dns_answer *a)
{
    switch (a->rtype) {
    case TYPE_NS:
    case TYPE_CNAME:
    case TYPE_PTR:
        return dns_name_read(names, &data, &a->text) == DNS_NAME_OK;
    case TYPE_SOA:
        return dns_name_read(names, &data, &a->text) == DNS_NAME_OK && take_soa(m, &data, a);
    case TYPE_MX:
    case TYPE_SVCB:
    case TYPE_HTTPS:
        return cur_skip(&data, 2) && dns_name_read(names, &data, &a->text) == DNS_NAME_OK;
    case TYPE_SRV:
        return cur_skip(&data, 3 * 2) && dns_name_read(names, &data, &a->text) == DNS_NAME_OK;
    default:
        return true;
    }
}

/* An UPDATE may name a record without its data (RFC 2136 2.4, 2.5). */
static bool may_lack_data(const struct dns_msg *m, const struct cur *data)
{
    return data->left == 0 && m->opcode == OPCODE_UPDATE;
}

static CUR_INLINE bool take_address(struct dns_msg *m, const struct cur *data, struct dns_answer *a)
{
    bool is_v4 = a->rtype == TYPE_A, whole = data->left == (is_v4 ? 4 : 16);
    struct addr addr = {{0}};
    if (whole)
        addr = is_v4 ? addr_v4(data->p) : addr_v6(data->p);
    a->addr = addr;
    if (a->section == SECTION_ANSWER) {
        struct dns_address *made = &m->addresses[m->n_addresses++];
        made->addr = addr;
        made->ttl_s = a->ttl_s;
    }
    return whole || may_lack_data(m, data);
}

/* The data of a record that is kept. False: it breaks its format. */
static CUR_INLINE bool take_data(struct walk *w, struct cur data, struct dns_answer *a)
{
    a->text.p = NULL;
    a->text.len = 0;
    if (a->rtype == TYPE_A || a->rtype == TYPE_AAAA)
        return take_address(w->m, &data, a);
    a->addr = (struct addr){{0}};
    return may_lack_data(w->m, &data) || take_names(&w->names, w->m, data, a);
}

/* Reads a record into `a`, if it is kept. Sets `made` where it is, and is no OPT. */
static CUR_INLINE bool walk_record(struct walk *w, struct cur *at, uint8_t section, bool kept,
                                   struct dns_answer *a, bool *made)
{
    struct cur fixed, data;
    uint16_t data_len;
    *made = false;
    if (!walk_name(w, at, kept, &a->name))
        return false;
    if (!cur_take(at, 10, &fixed) || !cur_u16(&fixed, &a->rtype) || !cur_u16(&fixed, &a->rclass)
        || !cur_u32(&fixed, &a->ttl_s) || !cur_u16(&fixed, &data_len)
        || !cur_take(at, data_len, &data))
        return stop(w->m, at);
    if (a->rtype == TYPE_OPT && section == SECTION_ADDITIONAL) {
        take_opt(w, a->rclass, a->ttl_s);
        return true;
    }
    *made = kept;
    a->section = section;
    if (kept && !take_data(w, data, a))
        w->m->malformed = true;
    return true;
}

static PART void walk_records(struct walk *w)
{
    struct dns_msg *m = w->m;
    struct dns_answer unkept, *a = &unkept;
    struct cur at = w->at;
    uint32_t n = 0, room = w->answers_room;
    bool made, more = true;
    for (uint32_t i = 0; i < w->n[SECTION_ADDITIONAL] && more; i++) {
        uint8_t section = (uint8_t)((i >= w->n[SECTION_ANSWER]) + (i >= w->n[SECTION_AUTHORITY]));
        if (m->answers != NULL)
            a = n < room ? &m->answers[n] : &unkept;
        more = walk_record(w, &at, section, n < room, a, &made);
        n += made;
    }
    m->n_answers = m->answers != NULL ? n : 0;
}

/* One field after the other: gcc begins a struct of many zeros with a slow `rep stos`. */
static CUR_INLINE bool fill_head(struct dns_msg *m, struct cur head)
{
    bool whole = cur_u16(&head, &m->id) && cur_u16(&head, &m->flags) && cur_u16(&head, &m->qdcount)
                 && cur_u16(&head, &m->ancount) && cur_u16(&head, &m->nscount)
                 && cur_u16(&head, &m->arcount);
    uint16_t flags = m->flags;
    m->rcode_ext = flags & 0xf;
    m->response = flags & QR;
    m->truncated_bit = flags & TC;
    m->opcode = flags >> 11 & 0xf;
    m->rcode = flags & 0xf;
    m->malformed = m->truncated = m->edns_do = m->has_soa = m->matched = m->duplicate = false;
    m->edns_udp_size = 0;
    m->soa_minimum = 0;
    m->n_questions = m->n_answers = m->n_addresses = m->n_more_qtypes = 0;
    m->question_hash = m->query_ts_ns = 0;
    return whole;
}

/* What a message takes of the arena at most: its tables, their alignment, its names. */
enum {
    ARENA_BYTES = DNS_QUESTIONS_MAX * sizeof(struct dns_question)
                  + DNS_ANSWERS_MAX * (sizeof(struct dns_answer) + sizeof(struct dns_address))
                  + UINT16_MAX * sizeof(uint16_t) + 3 * 16 + DNS_NAMES_TEXT_MAX + DNS_NAME_ROOM
};
static_assert(ARENA_BYTES < MSGS_ARENA / 3 * 2, "room for the others of a burst");

/* Tables for what a message with this header may hold: not more than the `left` bytes after it
 * allow, whatever its counts say. */
static CUR_INLINE struct tables make_tables(struct dns_msg *m, struct msgs *out, size_t left,
                                            uint32_t records)
{
    static_assert(sizeof(struct dns_question) % 8 == 0 && sizeof(struct dns_answer) % 8 == 0
                      && sizeof(struct dns_address) % 4 == 0,
                  "one table right behind the other");
    struct tables room = {.questions = m->qdcount,
                          .answers = records < DNS_ANSWERS_MAX ? records : DNS_ANSWERS_MAX};
    if (room.questions * QUESTION_MIN > left)
        room.questions = (uint32_t)(left / QUESTION_MIN);
    if (room.questions > DNS_QUESTIONS_MAX) {
        room.more = room.questions - DNS_QUESTIONS_MAX;
        room.questions = DNS_QUESTIONS_MAX;
    }
    if (room.answers * RECORD_MIN > left)
        room.answers = (uint32_t)(left / RECORD_MIN);
    uint32_t questions_bytes = room.questions * (uint32_t)sizeof *m->questions;
    uint32_t answers_bytes = out->no_records ? 0 : room.answers * (uint32_t)sizeof *m->answers;
    uint32_t addresses_bytes = room.answers * (uint32_t)sizeof *m->addresses;
    uint32_t more_bytes = room.more * (uint32_t)sizeof *m->more_qtypes;
    uint8_t *at = msgs_take(out, questions_bytes + answers_bytes + addresses_bytes + more_bytes, 8);
    m->questions = (struct dns_question *)(void *)at;
    at += questions_bytes;
    m->answers = answers_bytes == 0 ? NULL : (struct dns_answer *)(void *)at;
    at += answers_bytes;
    m->addresses = (struct dns_address *)(void *)at;
    m->more_qtypes = (uint16_t *)(void *)(at + addresses_bytes);
    return room;
}

static PART enum outcome walk(struct dns_msg *m, const struct cur *in, struct msgs *out)
{
    struct walk w;
    struct cur at = *in, head;
    if (!cur_take(&at, HEADER_BYTES, &head) || !fill_head(m, head))
        return cur_why(in);
    uint32_t records = (uint32_t)m->ancount + m->nscount + m->arcount;
    struct tables room = make_tables(m, out, at.left, records);
    w.m = m;
    dns_names_init(&w.names, in, out);
    if (walk_questions(&w, &at, &room) && records > 0) {
        w.at = at;
        w.n[SECTION_ANSWER] = m->ancount;
        w.n[SECTION_AUTHORITY] = (uint32_t)m->ancount + m->nscount;
        w.n[SECTION_ADDITIONAL] = records;
        w.answers_room = room.answers;
        w.opt_seen = false;
        walk_records(&w);
    }
    return m->malformed ? OUT_MALFORMED : m->truncated ? OUT_TRUNCATED : OUT_OK;
}

enum outcome dns_decode(struct cur in, const struct rec *rec, uint8_t sender, enum proto service,
                        bool tcp, struct msgs *out, struct dns_msg **made)
{
    *made = NULL;
    if (in.left < HEADER_BYTES)
        return cur_why(&in);
    struct msg *pushed = msgs_room(out, ARENA_BYTES);
    msgs_add(out, pushed, MSG_DNS, rec, sender);
    size_t len = tcp || rec->payload_wire_len < in.left ? in.left : rec->payload_wire_len;
    struct dns_msg *m = &pushed->dns;
    m->len = len > UINT16_MAX ? UINT16_MAX : (uint16_t)len;
    m->tcp = tcp;
    m->service = (uint8_t)service;
    *made = m;
    return walk(m, &in, out);
}

/* ---- DNS where it is not expected */

static bool class_known(uint16_t class)
{
    return class == CLASS_IN || class == CLASS_CH || class == CLASS_ANY;
}

/* Steps over a name that ends in the root or in a pointer that leads backwards. `c` is in the
 * message that begins at `start`. */
static bool plausible_name(const uint8_t *start, struct cur *c)
{
    size_t here = (size_t)(c->p - start);
    uint8_t len, low;
    for (;;) {
        if (!cur_u8(c, &len))
            return false;
        if (len == 0)
            return true;
        if (len >= 0xc0)
            break;
        if (len > 63 || !cur_skip(c, len))
            return false;
    }
    if (!cur_u8(c, &low))
        return false;
    size_t to = (size_t)(len & 0x3f) << 8 | low;
    return to >= HEADER_BYTES && to < here;
}

static bool plausible_record(const uint8_t *start, struct cur *c)
{
    uint16_t type, class, data_len;
    return plausible_name(start, c) && cur_u16(c, &type) && cur_u16(c, &class)
           && (type == TYPE_OPT || class_known(class)) && type != 0 && cur_skip(c, 4)
           && cur_u16(c, &data_len) && cur_skip(c, data_len);
}

bool dns_plausible(struct cur in)
{
    enum { RECORDS_MAX = 64 };
    const uint8_t *start = in.p;
    uint16_t id, flags, qd, an, ns, ar, qtype, qclass;
    if (in.snapped || !cur_u16(&in, &id) || !cur_u16(&in, &flags) || !cur_u16(&in, &qd)
        || !cur_u16(&in, &an) || !cur_u16(&in, &ns) || !cur_u16(&in, &ar))
        return false;
    unsigned opcode = flags >> 11 & 0xf, rcode = flags & 0xf;
    bool response = flags & QR;
    uint32_t records = (uint32_t)an + ns + ar;
    if (opcode != 0 || (flags & Z) || qd != 1 || records > RECORDS_MAX)
        return false;
    if (!response && (an > 0 || ns > 0 || ar > 2 || rcode != 0 || (flags & (AA | TC | RA))))
        return false;
    if (!plausible_name(start, &in) || !cur_u16(&in, &qtype) || !cur_u16(&in, &qclass) || qtype == 0
        || !class_known(qclass))
        return false;
    for (uint32_t i = 0; i < records; i++)
        if (!plausible_record(start, &in))
            return false;
    return in.left == 0;
}
