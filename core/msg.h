/* What decoders state: one message each, self-contained until its batch is folded.
 *
 * Strings and blobs are borrowed from the batch's arena; nothing points into a packet. */
#pragma once
#include "core/rec.h"

enum msg_kind {
    MSG_NTP,
    MSG_DNS,
    MSG_TLS_CLIENT_HELLO,
    MSG_TLS_SERVER_HELLO, /* HelloRetryRequest too: see hello_retry */
    MSG_TLS_CERTIFICATES, /* a Certificate message */
    MSG_TLS_ALERT,        /* a readable one */
    MSG_TLS_SESSION, /* what is known of a session: at handshake end, window change, flow end */
    MSG_HTTP,        /* a firmware call or a User-Agent of interest */
    MSG_TCP_UNSEEN,  /* TCP bytes acknowledged but never captured */
    MSG_TLS_CERT,    /* a certificate of a session of which rows are written */
    MSG_TLS_REUSE,   /* a value that a server should not use twice */
    MSG_KIND_N
};

struct bytes {
    const uint8_t *p; /* NULL and 0: absent */
    uint32_t len;
};

/* ---- NTP: RFC 5905 7.3. Integers in host order. */
struct ntp_msg {
    /* in the order of the header: see ntp_decode */
    uint8_t leap, stratum;
    int8_t poll_log2_s, precision_log2_s;
    uint32_t root_delay_s16, root_dispersion_s16, refid;
    uint64_t ref_ntp64, org_ntp64, rec_ntp64, xmt_ntp64;
    uint8_t version, mode;
    uint16_t payload_len;
    bool whole; /* modes 0-5: the 48-byte header was read; else only leap, version, mode */
    bool kod;   /* stratum 0 server reply: refid is a kiss code */
    bool is_request, is_reply; /* ntp_pair.c: 3->4, 1->2, 1->1; a v1 packet with mode 0 by port */
    /* zero in most messages: */
    uint16_t ext_bytes;         /* in extension fields, headers included */
    uint16_t ext_unknown_bytes; /* in extension fields of types no registry names */
    uint8_t n_ext;              /* extension fields walked */
    uint8_t mac_len;            /* 0, 4 (crypto-NAK), 20, 24, ... key id included */
    bool duplicate_reply;       /* its request had its reply already */
    bool longer;                /* a reply longer than its request */
    uint32_t key_id;
    uint8_t nts_fields; /* extension fields 0x0104, 0x0204, 0x0304, 0x0404 (RFC 8915) */
    uint8_t priv_code;  /* mode 7: request code; mode 6: opcode */
    bool response;      /* mode 6, 7: the response bit */
    /* pairing (ntp_pair.c), as is_request, is_reply, duplicate_reply, longer */
    bool matched;         /* a reply whose org is the xmt of a request at most 10 s before, mirrored
                             ports */
    uint16_t request_len; /* of the matched request */
    uint8_t free_changes; /* of refid, rootdelay, rootdisp, precision, poll, reftime: how many
                             differ from the pair's reply before this one */
    uint64_t request_ts_ns;      /* matched: time of the request (its window counts the exchange) */
    int64_t offset_ns, delay_ns; /* matched: ((T2-t1)+(T3-t4))/2 and (t4-t1)-(T3-T2), t1,t4 =
                                    capture times (RFC 5905 8) */
};

/* ---- DNS: RFC 1035. Names as presentation text: lower-case kept as on the wire, '.'-separated, no
 * final dot, root is ".", bytes outside printable ASCII and '.' '\\' within labels as \DDD. */
enum { DNS_QUESTIONS_MAX = 256, DNS_ANSWERS_MAX = 64 };

struct dns_question {
    struct bytes name;
    uint16_t qtype, qclass;
};

struct dns_answer {
    struct bytes name; /* owner */
    uint16_t rtype, rclass;
    uint32_t ttl_s;
    struct addr addr; /* A, AAAA */
    struct bytes
        text; /* CNAME, PTR, NS, SOA (mname), MX, SRV, SVCB/HTTPS (target): the name; else absent */
    uint8_t section; /* 0 answer, 1 authority, 2 additional */
};

/* What an A or AAAA record of the answer section says; of one that is broken, no address. */
struct dns_address {
    struct addr addr;
    uint32_t ttl_s;
};

struct dns_msg {
    uint16_t id, flags; /* flags as on the wire */
    uint16_t qdcount, ancount, nscount, arcount;
    uint16_t len;
    uint16_t rcode_ext; /* with the EDNS0 bits */
    bool response, tcp, truncated_bit;
    uint8_t opcode, rcode; /* rcode: the 4 header bits */
    uint8_t service;       /* PROTO_DNS, PROTO_MDNS, PROTO_LLMNR */
    bool malformed;        /* broke the format after the header; what was read before is filled */
    bool truncated;        /* the capture cut it */
    bool edns_do;
    bool has_soa;
    /* matching (dns_match.c): response to a query at most 10 s before, same addresses, ports, id,
     * name, type, class */
    bool matched, duplicate; /* duplicate: that query had its response already, or this query
                                repeats a pending one */
    uint16_t edns_udp_size;  /* 0: no OPT */
    uint32_t soa_minimum;    /* of the first SOA in authority: min(MINIMUM, ttl) (RFC 2308 5) */
    unsigned n_questions, n_answers; /* filled below; at most the limits */
    unsigned n_addresses;            /* among the records up to DNS_ANSWERS_MAX */
    unsigned n_more_qtypes;          /* questions read past DNS_QUESTIONS_MAX: their types only */
    uint64_t question_hash;          /* of the first question's name: dns_name_hash; 0: absent */
    uint64_t query_ts_ns;            /* matched */
    struct dns_question *questions;  /* in the arena */
    struct dns_address *addresses;   /* in the arena */
    struct dns_answer *answers;      /* in the arena; none where msgs.no_records */
    uint16_t *more_qtypes;           /* in the arena */
};

/* ---- TLS */
enum tls_outcome {
    TLS_UNDECIDED,   /* no end of the handshake seen within 10 s or before the capture ended */
    TLS_ESTABLISHED, /* both sides went on: Finished/CCS or application data both ways after a
                        ServerHello */
    TLS_REFUSED,     /* a fatal alert from either side before that */
    TLS_RESET,       /* TCP closed or reset before that */
    TLS_PARTIAL,     /* began before the capture, or no ClientHello seen */
    TLS_CLEAR,       /* no session: clear text where TLS had been asked for or belongs */
    TLS_OUTCOME_N
};

enum tls_carrier { TLS_OVER_TCP, TLS_OVER_QUIC, TLS_OVER_DTLS, TLS_CARRIER_N };
/* What a TLS session came after on its connection. */
enum tls_via {
    VIA_DIRECT,
    VIA_SMTP,
    VIA_IMAP,
    VIA_POP3,
    VIA_FTP,
    VIA_XMPP,
    VIA_POSTGRESQL,
    VIA_LDAP,
    VIA_MYSQL,
    VIA_HTTP_CONNECT,
    VIA_SOCKS,
    VIA_HTTP,
    VIA_N
};

/* What else a session showed. Their names: tls_sign_names in summary/rows.c. */
enum tls_sign {
    TLS_SIGN_HEARTBLEED_REQUEST =
        1 << 0, /* a heartbeat that claims more than it has (CVE-2014-0160) */
    TLS_SIGN_HEARTBLEED_REPLY = 1 << 1,  /* and an answer much larger than the request */
    TLS_SIGN_FALLBACK_SCSV = 1 << 2,     /* offered: RFC 7507 */
    TLS_SIGN_EARLY_DATA = 1 << 3,        /* offered: RFC 8446 4.2.10 */
    TLS_SIGN_RENEGOTIATED = 1 << 4,      /* a second handshake, under protection */
    TLS_SIGN_TICKET_RESUMPTION = 1 << 5, /* abbreviated, after a ticket was offered */
    TLS_SIGN_ID_RESUMPTION = 1 << 6,     /* abbreviated, with the session id that was offered */
    TLS_SIGN_CLIENT_ALERT = 1 << 7,      /* who sent readable alerts */
    TLS_SIGN_SERVER_ALERT = 1 << 8,
    TLS_SIGN_ECH_OUTER =
        1 << 9, /* encrypted_client_hello: the SNI may be a public name that covers another */
    TLS_SIGN_INHERITED =
        1 << 10, /* the answer's certificates and key exchange are those of the session resumed */
    TLS_SIGN_HTTP_LOGIN = 1 << 11, /* TLS_CLEAR: an HTTP request with credentials */
};
enum { TLS_SIGNS_N = 12 };

struct tls_hello_msg {
    uint8_t carrier; /* enum tls_carrier */
    uint16_t legacy_version;
    uint16_t max_version; /* client: highest non-GREASE of supported_versions, else legacy; server:
                             negotiated */
    uint16_t cipher;      /* server */
    uint16_t group;       /* server: key_share group (1.3), else 0 */
    uint8_t compression;  /* server */
    bool hello_retry;     /* server: is a HelloRetryRequest */
    bool sslv2_format;    /* client: v2-format hello (then legacy_version is what it offers) */
    bool sslv2;           /* a real SSLv2 hello: version 0x0002 */
    bool ech;             /* extension 0xfe0d present */
    bool resumption_offered; /* client: session id or ticket or pre_shared_key */
    struct bytes sni;        /* client: first host_name, as on the wire */
    struct bytes alpn;       /* client: first protocol; server: chosen */
    struct bytes offer;      /* client: canonical blob, see tls_hello.h; server: absent */
    uint64_t id;             /* client: hash of offer */
    uint32_t raw_len;        /* handshake message length */
    struct bytes ja4; /* client: its JA4, text; absent where the hello cannot be read through */
    struct bytes ja3; /* client: its JA3, server: its JA3S, 16 bytes; absent unless asked for */
};

struct tls_alert_msg {
    uint8_t level, description;
};

struct tls_certs_msg {
    unsigned n; /* certificates in the message */
};

struct tls_cert_msg {
    uint64_t id; /* of der: core/cert.h */
    struct bytes der;
    bool again; /* a message before this one told the same bytes */
};

enum tls_reuse { REUSE_DH, REUSE_ECDH, REUSE_TICKET_KEY, REUSE_WHAT_N };
struct tls_reuse_msg {
    uint64_t value; /* XXH3, seed 0: of dh_Ys, of the point, of the first 16 bytes of a ticket */
    uint16_t server_port; /* the server is the message's sender */
    uint8_t what;         /* enum tls_reuse */
};

/* A session's state towards a window. Sent at handshake end (then without counters), when a packet
 * falls in another window than the last one, and at flow end: counters are what came since the last
 * such message and belong to the window of `window_ts_ns`. Also of what was no session (TLS_CLEAR):
 * then `decided` alone. */
struct tls_session_msg {
    uint64_t window_ts_ns; /* a time in the window that bytes and `alive` belong to */
    uint64_t first_ts_ns;  /* of the handshake's first packet: its window counts the handshake */
    uint64_t bytes[2];     /* wire bytes of packets: [0] client to server, [1] server to client */
    bool alive;            /* count a session in that window (once a window) */
    bool decided;          /* count the handshake, in the window of first_ts_ns (once a session) */
    bool handshake_seen;   /* a ClientHello or ServerHello was seen */
    bool final;            /* the flow ended */
    uint8_t outcome;       /* enum tls_outcome */
    uint8_t carrier;       /* enum tls_carrier */
    uint32_t quic_version; /* TLS_OVER_QUIC: as on the wire */
    bool resumed;          /* abbreviated handshake seen (TLS <= 1.2), or PSK selected (1.3) */
    bool client_seen, server_seen; /* hellos seen */
    uint16_t version;              /* negotiated; 0 unknown */
    uint16_t record_version;       /* of protected records, partial sessions */
    uint16_t cipher, group;
    uint16_t client_max_version;
    uint64_t hello_id; /* 0: no ClientHello seen */
    struct bytes sni, alpn;
    struct bytes ja4;       /* of the ClientHello, as in tls_hello_msg */
    struct bytes ja3, ja3s; /* of the hellos, likewise */
    uint64_t answer_id;     /* 0: the server's flight is not known */
    struct bytes answer;    /* its blob (core/answer.h), in one message of the flow */
    uint16_t signs;         /* enum tls_sign */
    uint8_t via;            /* enum tls_via */
    uint8_t last_alert_level, last_alert;
    bool has_alert;
    struct addr client, server; /* the roles: who sent the ClientHello (else: who opened TCP, else
                                   the higher port) */
    uint16_t client_port, server_port;
    uint8_t client_side; /* SIDE_SRC if rec.src is the client, else SIDE_DST */
};

/* ---- HTTP: the calls by which the firmware gives itself away (FACTS: /server/assign,
 * /versions.xml), and User-Agent */
enum http_call { HTTP_OTHER, HTTP_ASSIGN, HTTP_VERSIONS };

struct http_msg {
    uint8_t call;  /* enum http_call */
    bool answered; /* ASSIGN: a 2xx response was seen on the same connection */
    bool has_mac;
    uint8_t mac[6]; /* of the query string */
    struct bytes host, user_agent, product, hw;
    struct addr client, server;
    uint8_t client_side;
};

struct tcp_unseen_msg {
    uint64_t bytes; /* sent by the rec's SIDE `sender` */
};

struct msg {
    uint8_t kind;   /* enum msg_kind */
    uint8_t sender; /* SIDE_SRC or SIDE_DST of rec: who said it (reassembly may speak late) */
    uint64_t ts_ns; /* of the packet in which the message began, else of rec */
    const struct rec *rec; /* the packet that completed it, or one made up from the flow at its end;
                              valid while folded */
    union {
        struct ntp_msg ntp;
        struct dns_msg dns;
        struct tls_hello_msg hello;
        struct tls_alert_msg alert;
        struct tls_certs_msg certs;
        struct tls_session_msg session;
        struct http_msg http;
        struct tcp_unseen_msg unseen;
        struct tls_cert_msg cert;
        struct tls_reuse_msg reuse;
    };
};

enum { MSGS_MAX = 256, MSGS_ARENA = 256 * 1024 };

/* A batch of messages: bounded, folded when full and at the end of each burst. */
struct msgs {
    unsigned n;
    bool any_order;  /* messages of different kinds need not come in the order of the packets */
    bool no_records; /* nobody reads the records of DNS messages, but for their addresses */
    uint32_t used;   /* bytes of arena */
    uint32_t batch;  /* number of this one */
    void (*fold)(void *ctx,
                 struct msgs *batch); /* takes all messages; msgs_push empties the batch after */
    void *ctx;
    struct msg m[MSGS_MAX];
    alignas(16) uint8_t arena[MSGS_ARENA];
};

/* Makes room for one more message that needs `arena` bytes (at most MSGS_ARENA) in total, folding
 * what is there if need be. Returns it zeroed, with kind, sender, rec and ts_ns (of rec) set; it
 * counts at once. Its arena space is taken by msgs_bytes. Everything that fills a message must be
 * reserved before: pointers of an earlier message die with a fold. */
struct msg *msgs_push(struct msgs *b, enum msg_kind kind, const struct rec *rec, uint8_t sender,
                      uint32_t arena);

/* `len` bytes of the arena, aligned to `align` (a power of two, at most 16): within what msgs_push
 * reserved. */
void *msgs_alloc(struct msgs *b, uint32_t len, uint32_t align);

/* A copy of `len` bytes in the arena; absent for len 0. */
struct bytes msgs_copy(struct msgs *b, const void *p, uint32_t len);

/* Folds what is there and empties the batch. */
void msgs_flush(struct msgs *b);
