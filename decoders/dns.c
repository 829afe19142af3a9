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

enum { SECTION_ANSWER, SECTION_AUTHORITY, SECTION_ADDITIONAL };

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

/* A message being walked. The place is a cursor apart, so that it may stay in registers. */
struct walk {
    struct dns_msg *m;
    struct dns_names names;
    uint32_t questions_room, more_room, answers_room;
    bool opt_seen;
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
static CUR_INLINE bool walk_questions(struct walk *w, struct cur *at, uint32_t n)
{
    struct dns_msg *m = w->m;
    struct dns_question unkept;
    struct cur fixed;
    for (uint32_t i = 0; i < n; i++) {
        bool kept = i < w->questions_room;
        struct dns_question *q = kept ? &m->questions[i] : &unkept;
        if (!walk_name(w, at, kept, &q->name))
            return false;
        if (!cur_take(at, 4, &fixed) || !cur_u16(&fixed, &q->qtype) || !cur_u16(&fixed, &q->qclass))
            return stop(m, at);
        if (i == 0)
            m->question_hash = w->names.hash;
        if (kept)
            m->n_questions = i + 1;
        else if (m->n_more_qtypes < w->more_room)
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

static CUR_INLINE bool take_data(struct walk *w, struct cur data, struct dns_answer *a)
{
    if (a->rtype == TYPE_A && data.left == 4)
        a->addr = addr_v4(data.p);
    else if (a->rtype == TYPE_AAAA && data.left == 16)
        a->addr = addr_v6(data.p);
    else if (a->rtype == TYPE_A || a->rtype == TYPE_AAAA)
        return false;
    else
        return take_names(&w->names, w->m, data, a);
    return true;
}

static CUR_INLINE bool walk_record(struct walk *w, struct cur *at, uint8_t section)
{
    struct dns_msg *m = w->m;
    struct dns_answer unkept;
    struct cur fixed, data;
    uint16_t type, class, data_len;
    uint32_t ttl, number = m->n_answers;
    bool kept = number < w->answers_room;
    struct dns_answer *a = kept ? &m->answers[number] : &unkept;
    if (!walk_name(w, at, kept, &a->name))
        return false;
    if (!cur_take(at, 10, &fixed) || !cur_u16(&fixed, &type) || !cur_u16(&fixed, &class)
        || !cur_u32(&fixed, &ttl) || !cur_u16(&fixed, &data_len) || !cur_take(at, data_len, &data))
        return stop(m, at);
    if (type == TYPE_OPT && section == SECTION_ADDITIONAL) {
        take_opt(w, class, ttl);
        return true;
    }
    if (!kept)
        return true;
    m->n_answers = number + 1;
    a->rtype = type;
    a->rclass = class;
    a->ttl_s = ttl;
    a->addr = (struct addr){{0}};
    a->text.p = NULL;
    a->text.len = 0;
    a->section = section;
    /* An UPDATE may name a record without its data (RFC 2136 2.4, 2.5). */
    if ((data_len > 0 || m->opcode != OPCODE_UPDATE) && !take_data(w, data, a))
        m->malformed = true;
    return true;
}

static CUR_INLINE void walk_message(struct walk *w, struct cur at)
{
    const struct dns_msg *m = w->m;
    uint32_t authority = m->ancount, additional = authority + m->nscount;
    uint32_t n = additional + m->arcount;
    if (!walk_questions(w, &at, m->qdcount))
        return;
    for (uint32_t i = 0; i < n; i++)
        if (!walk_record(w, &at, (uint8_t)((i >= authority) + (i >= additional))))
            return;
}

/* Room in the arena for what a message with this header may hold, and for its names: a message
 * cannot hold more than its length allows, whatever its counts say. */
static struct dns_msg *make_room(struct walk *w, struct msgs *out, size_t left, uint32_t questions,
                                 uint32_t records)
{
    w->more_room = 0;
    w->questions_room = questions;
    w->answers_room = records < DNS_ANSWERS_MAX ? records : DNS_ANSWERS_MAX;
    if (questions * QUESTION_MIN > left)
        w->questions_room = questions = (uint32_t)(left / QUESTION_MIN);
    if (questions > DNS_QUESTIONS_MAX) {
        w->questions_room = DNS_QUESTIONS_MAX;
        w->more_room = questions - DNS_QUESTIONS_MAX;
    }
    if (w->answers_room * RECORD_MIN > left)
        w->answers_room = (uint32_t)(left / RECORD_MIN);
    uint32_t questions_bytes = w->questions_room * (uint32_t)sizeof(struct dns_question);
    uint32_t answers_bytes = w->answers_room * (uint32_t)sizeof(struct dns_answer);
    uint32_t bytes = questions_bytes + answers_bytes + w->more_room * (uint32_t)sizeof(uint16_t);
    struct dns_msg *m =
        &msgs_room(out, bytes + 3 * 16 + DNS_NAMES_TEXT_MAX + DNS_NAME_ROOM)->dns;
    uint8_t *tables = msgs_take(out, bytes, 8);
    m->questions = (struct dns_question *)(void *)tables;
    m->answers = (struct dns_answer *)(void *)(tables + questions_bytes);
    m->more_qtypes = NULL;
    if (w->more_room > 0)
        m->more_qtypes = (uint16_t *)(void *)(tables + questions_bytes + answers_bytes);
    return m;
}

enum outcome dns_decode(struct cur in, const struct rec *rec, uint8_t sender, enum proto service,
                        bool tcp, struct msgs *out, struct dns_msg **made)
{
    struct cur at = in, head;
    uint16_t id, flags, qd, an, ns, ar;
    *made = NULL;
    if (!cur_take(&at, HEADER_BYTES, &head) || !cur_u16(&head, &id) || !cur_u16(&head, &flags)
        || !cur_u16(&head, &qd) || !cur_u16(&head, &an) || !cur_u16(&head, &ns)
        || !cur_u16(&head, &ar))
        return cur_why(&in);

    struct walk w;
    struct dns_msg *m = make_room(&w, out, at.left, qd, (uint32_t)an + ns + ar);
    size_t len = tcp || rec->payload_wire_len < in.left ? in.left : rec->payload_wire_len;
    /* One by one: gcc begins a struct of many zeros with a slow `rep stos`. */
    m->id = id;
    m->flags = flags;
    m->qdcount = qd;
    m->ancount = an;
    m->nscount = ns;
    m->arcount = ar;
    m->len = len > UINT16_MAX ? UINT16_MAX : (uint16_t)len;
    m->rcode_ext = flags & 0xf;
    m->response = flags & QR;
    m->tcp = tcp;
    m->truncated_bit = flags & TC;
    m->opcode = flags >> 11 & 0xf;
    m->rcode = flags & 0xf;
    m->service = (uint8_t)service;
    m->malformed = m->truncated = m->edns_do = m->has_soa = m->matched = m->duplicate = false;
    m->edns_udp_size = 0;
    m->soa_minimum = 0;
    m->n_questions = m->n_answers = m->n_more_qtypes = 0;
    m->question_hash = m->query_ts_ns = 0;
    msgs_add(out, &out->m[out->n], MSG_DNS, rec, sender);

    w.m = m;
    w.opt_seen = false;
    dns_names_init(&w.names, in, out);
    walk_message(&w, at);
    *made = m;
    return m->malformed ? OUT_MALFORMED : m->truncated ? OUT_TRUNCATED : OUT_OK;
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
