/* DNS messages of any bytes. The first byte says how many bytes the capture cut off. */
#include "decoders/dns.h"
#include "decoders/dns_match.h"
#include "decoders/dns_name.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(truth)                                                                             \
    do {                                                                                           \
        if (!(truth))                                                                              \
            abort();                                                                               \
    } while (0)

static void fold_nothing(void *ctx, struct msgs *b)
{
    (void)ctx;
    (void)b;
}

/* Text that reads back as a name of the lengths the standard allows. */
static void check_name(const struct msgs *b, struct bytes name)
{
    if (name.p == NULL) {
        REQUIRE(name.len == 0);
        return;
    }
    REQUIRE(name.p >= b->arena && name.p + name.len <= b->arena + b->used && name.len > 0);
    if (name.len == 1 && name.p[0] == '.')
        return;
    size_t wire = 1, label = 0;
    for (uint32_t i = 0; i < name.len; i++) {
        uint8_t c = name.p[i];
        REQUIRE(c > 0x20 && c < 0x7f);
        if (c == '.') {
            REQUIRE(label > 0);
            wire += 1 + label;
            label = 0;
            continue;
        }
        if (c == '\\') {
            REQUIRE(i + 3 < name.len);
            unsigned value = 0;
            for (int digit = 1; digit <= 3; digit++) {
                REQUIRE(name.p[i + digit] >= '0' && name.p[i + digit] <= '9');
                value = value * 10 + (name.p[i + digit] - '0');
            }
            REQUIRE(value <= 0x20 || value == '.' || value == '\\'
                    || (value >= 0x7f && value < 256));
            i += 3;
        }
        label++;
        REQUIRE(label <= 63);
    }
    REQUIRE(label > 0 && wire + 1 + label <= 255);
}

static void check_message(const struct msgs *b, const struct dns_msg *m, enum outcome o)
{
    REQUIRE(m->malformed == (o == OUT_MALFORMED));
    REQUIRE(m->malformed || m->truncated == (o == OUT_TRUNCATED));
    REQUIRE(m->n_questions <= m->qdcount && m->n_questions <= DNS_QUESTIONS_MAX);
    REQUIRE(m->n_answers <= (uint32_t)m->ancount + m->nscount + m->arcount);
    REQUIRE(m->n_answers <= DNS_ANSWERS_MAX);
    REQUIRE((m->rcode_ext & 0xf) == m->rcode && !(m->matched && m->duplicate));
    for (unsigned i = 0; i < m->n_questions; i++)
        check_name(b, m->questions[i].name);
    unsigned section = 0;
    for (unsigned i = 0; i < m->n_answers; i++) {
        check_name(b, m->answers[i].name);
        check_name(b, m->answers[i].text);
        REQUIRE(m->answers[i].section >= section && m->answers[i].section <= 2);
        section = m->answers[i].section;
    }
    REQUIRE(m->n_more_qtypes == 0 || m->n_questions == DNS_QUESTIONS_MAX);
    REQUIRE(o != OUT_OK || m->n_questions + m->n_more_qtypes == m->qdcount);
    REQUIRE(b->used <= DNS_NAMES_TEXT_MAX + 3 * 16 + m->len / 5 * 2
                           + DNS_QUESTIONS_MAX * sizeof *m->questions
                           + DNS_ANSWERS_MAX * (sizeof *m->answers + sizeof *m->addresses));
    REQUIRE(m->n_addresses <= m->n_answers);
    for (unsigned i = 0, n = 0; i < m->n_answers; i++) {
        const struct dns_answer *a = &m->answers[i];
        if (a->section == 0 && (a->rtype == 1 || a->rtype == 28)) {
            REQUIRE(n < m->n_addresses && m->addresses[n].ttl_s == a->ttl_s);
            REQUIRE(addr_equal(&m->addresses[n].addr, &a->addr));
            n++;
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct msgs batch = {.fold = fold_nothing};
    static struct dns_match *table;
    struct err e;
    if (table == NULL && !dns_match_new(&table, 8, 1, &e))
        abort();
    if (size == 0)
        return 0;
    uint8_t missed = data[0];
    size_t len = size - 1;
    uint8_t *exact = malloc(len > 0 ? len : 1); /* exact size: ASan sees an over-read of one */
    memcpy(exact, data + 1, len);

    struct rec rec = {.ts_ns = 1, .sport = 5000, .dport = 53};
    enum outcome whole = OUT_N;
    for (int pass = 0; pass < 2; pass++) { /* as cut, and as whole */
        size_t wire_len = pass == 0 ? len + missed : len;
        rec.payload = cur_of(exact, len, wire_len);
        batch.n = batch.used = 0;
        struct fifo_ahead ahead = {.proto = PROTO_NONE};
        if (pass == 0)
            dns_match_ahead(table, &rec, &ahead);
        if (ahead.proto == PROTO_DNS)
            dns_match_prefetch(table, &ahead);
        struct dns_msg *m;
        enum outcome o = dns_decode(rec.payload, &rec, SIDE_SRC, PROTO_DNS, pass, &batch, &m);
        if (m != NULL)
            dns_match_see(table, &rec, SIDE_SRC, &ahead, m);
        REQUIRE(o == OUT_OK || o == OUT_TRUNCATED || o == OUT_MALFORMED);
        REQUIRE(o != OUT_TRUNCATED || wire_len > len); /* nothing was cut: blame the message */
        REQUIRE(batch.n == (len >= 12));
        if (batch.n > 0)
            check_message(&batch, &batch.m[0].dns, o);
        if (pass == 0)
            whole = o;
        else
            REQUIRE(whole != OUT_OK
                    || o == OUT_OK); /* what reads well when cut, reads well whole */
    }
    if (dns_plausible(cur_of(exact, len, len)))
        REQUIRE(batch.n == 1 && batch.m[0].dns.n_questions == 1);
    dns_match_origin_end(table, 0);
    free(exact);
    return 0;
}
