/* The client's and the server's side of QUIC Initial packets, to build what the decoder is to open:
 * sealed, then driven through the rig for TLS streams. */
#pragma once
#include "tests/decoders/test_tls_rig.h"
#include "tests/quic_seal.h"

enum { V1 = 0x00000001, DATAGRAM = 1200 };
#define V2       0x6b3343cfu
#define DRAFT_29 0xff00001du
#define T051     0x54303531u

static const uint8_t first_dcid[8] = {0x83, 0x94, 0xc8, 0xf0, 0x3e, 0x51, 0x57, 0x08};
static const uint8_t server_scid[8] = {0xf0, 0x67, 0xa5, 0x50, 0x2a, 0x42, 0x62, 0xb5};

static struct quic_crypt *rig_crypt;

static inline struct packet_spec client_initial(void)
{
    return (struct packet_spec){
        .version = V1, .from = CLIENT, .key_dcid = first_dcid, .dcid = first_dcid};
}

static inline struct packet_spec server_initial(void)
{
    return (struct packet_spec){.version = V1,
                                .from = SERVER,
                                .key_dcid = first_dcid,
                                .dcid = (const uint8_t *)"",
                                .dcid_len = SIZE_MAX,
                                .scid = server_scid};
}

static inline void put_varint(struct buf *b, uint64_t v)
{
    if (v < 64)
        put_int(b, v, 1);
    else if (v < 16384)
        put_int(b, v | 0x4000, 2);
    else if (v < 1 << 30)
        put_int(b, v | 0x80000000, 4);
    else
        put_int(b, v | UINT64_C(0xc000000000000000), 8);
}

/* Appends a packet with `frames`. At least 4 bytes of packet number and frames, as senders pad. */
static inline void put_packet(struct buf *b, const struct packet_spec *s, const struct buf *frames)
{
    assert_true(frames->n + SEALED_HEAD_MAX <= sizeof b->b - b->n);
    b->n += packet_seal(rig_crypt, s, frames->b, frames->n, b->b + b->n);
}

static inline void put_crypto(struct buf *frames, uint64_t offset, const void *p, size_t n)
{
    put_int(frames, 6, 1);
    put_varint(frames, offset);
    put_varint(frames, n);
    put(frames, p, n);
}

/* PADDING, so that a datagram with this packet alone has DATAGRAM bytes or a little less. */
static inline void put_padding(struct buf *frames)
{
    if (frames->n < DATAGRAM)
        put_fill(frames, 0, DATAGRAM - frames->n);
}

static inline enum outcome quic_send_cut(struct rig *r, int from, const void *p, size_t len,
                                         size_t wire_len)
{
    struct rec rec = rig_rec(r, from, 0, 0, 0);
    rec.ip_proto = 17;
    rec.payload = cur_of(guard_copy(p, len), len, wire_len);
    rec.payload_wire_len = (uint32_t)wire_len;
    rec.wire_len = 42 + (uint32_t)wire_len;
    rec.cap_len = 42 + (uint32_t)len;
    r->ts_ns += 1000000;
    decode_burst(r->d, &rec, 1, r->out);
    msgs_flush(r->out);
    r->last_outcome = rec.outcome;
    r->last_proto = rec.proto;
    r->last_service = rec.service_port;
    return (enum outcome)rec.outcome;
}

static inline enum outcome quic_send(struct rig *r, int from, const struct buf *b)
{
    return quic_send_cut(r, from, b->b, b->n, b->n);
}

/* A datagram of one packet with `frames`; a client's is padded. */
static inline enum outcome quic_send_frames(struct rig *r, const struct packet_spec *s,
                                            struct buf *frames)
{
    static struct buf b;
    b.n = 0;
    if (s->from == CLIENT)
        put_padding(frames);
    else if (frames->n < 20)
        put_fill(frames, 0, 20 - frames->n);
    put_packet(&b, s, frames);
    return quic_send(r, s->from, &b);
}

static inline enum outcome quic_send_crypto(struct rig *r, const struct packet_spec *s,
                                            uint64_t offset, const void *p, size_t n)
{
    static struct buf frames;
    frames.n = 0;
    put_crypto(&frames, offset, p, n);
    return quic_send_frames(r, s, &frames);
}

/* A packet whose content nobody can read: Handshake, or with a short header. */
static inline enum outcome quic_send_closed(struct rig *r, int from, bool handshake, size_t n)
{
    static struct buf b;
    b.n = 0;
    put_int(&b, handshake ? 0xe4 : 0x45, 1);
    if (handshake) {
        put_int(&b, V1, 4);
        put_int(&b, 0, 2);
        put_varint(&b, n);
    }
    put_fill(&b, 0x99, n);
    return quic_send(r, from, &b);
}

/* ---- what most tests begin with */

static const struct hello_spec ask = {
    .version = 0x0303, .sni = "quic.example", .alpn = "h3", .supported = {0x0304}};
static const uint16_t suite[] = {0x1301, 0};
static const struct hello_spec answer = {
    .version = 0x0303, .ciphers = suite, .supported = {0x0304}, .group = 0x11ec};

static const char asked[] = "client 0303 max 0304 sni quic.example alpn h3 id ";
static const char answered[] = "server 0304 cipher 1301 group 11ec alpn \n";

static struct buf hello, reply;

static inline int setup(void **state)
{
    struct err e;
    struct rig *r = calloc(1, sizeof *r);
    if (rig_crypt == NULL)
        assert_true(quic_crypt_new(&rig_crypt, &e));
    rig_new(r, NULL, NULL);
    hello.n = reply.n = 0;
    put_client_hello(&hello, &ask);
    put_server_hello(&reply, &answer);
    *state = r;
    return 0;
}

static inline int teardown(void **state)
{
    rig_free(*state);
    free(*state);
    return 0;
}

static inline void end(struct rig *r)
{
    decode_origin_end(r->d, r->origin, r->out);
}

static inline void both(struct rig *r)
{
    struct packet_spec c = client_initial(), s = server_initial();
    assert_int_equal(quic_send_crypto(r, &c, 0, hello.b, hello.n), OUT_OK);
    assert_int_equal(quic_send_crypto(r, &s, 0, reply.b, reply.n), OUT_OK);
}
