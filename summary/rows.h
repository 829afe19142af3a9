/* The rows of a summary: keys, values, and one table that says what each field is called, where it
 * lies and how it merges.
 *
 * Merging, writing and reading all walk row_types[]: a field that stands there cannot be forgotten
 * by any of them. Only sums, minima, maxima, bit sets, histograms, bounded sets and sketch
 * registers may live here: no mean, no percentile, no "last value". */
#pragma once
#include "core/client.h"
#include "core/outcome.h"
#include "core/proto.h"

enum row_kind {
    ROW_COVERAGE,
    ROW_CLIENT, /* written as "gateway" or "host" */
    ROW_BINDING,
    ROW_PEER,
    ROW_NTP,
    ROW_DNS,
    ROW_TLS,
    ROW_HELLO,
    ROW_ANSWER,
    ROW_CERT,
    ROW_REUSE,
    ROW_UNATTRIBUTED,
    ROW_TALLY, /* written inside the totals row, never alone */
    ROW_KIND_N
};

enum field_type {
    F_END,
    /* in keys: compared and hashed as bytes, but for F_STR */
    F_CLIENT, /* struct client: site, then the client's kind and id */
    F_SITE,   /* uint64_t: a site alone */
    F_ADDR,   /* struct addr; all zero: absent */
    F_MAC,    /* uint8_t[6]; all zero: absent */
    F_U8,     /* uint8_t, uint16_t, uint32_t: decimal; 0 is written */
    F_U16,
    F_U32,
    F_HEX16,  /* "0x0303"; 0: absent */
    F_ID64,   /* 16 hex digits; 0: absent */
    F_ENUM,   /* uint8_t, `names[n]`; absent where that is NULL */
    F_STR,    /* uint32_t id of a string of the window; 0: absent */
    F_FLAG,   /* uint8_t 0 or 1; written when 1 */
    F_BITS16, /* uint16_t: set of `names[n]`; written as a list; 0: absent */
    /* in values: zero is absent */
    V_SUM,      /* uint64_t: added */
    V_SUM32,    /* uint32_t: added, sticks at UINT32_MAX */
    V_MIN_NS,   /* uint64_t UTC: smaller; UINT64_MAX: absent */
    V_MAX_NS,   /* uint64_t UTC: larger; 0: absent */
    V_MAX32,    /* uint32_t: larger */
    V_MIN32,    /* uint32_t: smaller; UINT32_MAX: absent */
    V_BITS32,   /* uint32_t: set of small numbers, or'ed; written as a list */
    V_COUNTS32, /* uint32_t[n], by number or, where given, `names`; added */
    V_COUNTS,   /* uint64_t[n], likewise */
    V_HIST,     /* struct hist */
    V_SET8,     /* struct set8 */
    V_SLOTS, /* uint64_t bit per slot of the window (see slot_seconds); or'ed; written as intervals
                in seconds from its start */
    V_DISTINCT, /* struct distinct */
    V_BLOB,     /* uint32_t id of a blob of the window, of enum blob_kind `n`; equal keys have equal
                   blobs */
    V_TALLY,    /* no storage here: the ROW_TALLY rows of family `n` */
};

/* What a V_BLOB is: who writes and reads it is in core/. */
enum blob_kind { BLOB_OFFER, BLOB_ANSWER, BLOB_CERT };

struct field {
    const char *name; /* dots nest: "dns.queries" */
    uint8_t type;     /* enum field_type */
    uint16_t at;      /* offset in the row */
    uint16_t
        n; /* V_COUNTS: how many; F_ENUM: how many names; V_TALLY: family; V_BLOB: enum blob_kind */
    const char *const *names;
};

struct row_type {
    const char *name;
    uint16_t size;
    uint16_t key_at, key_len;   /* the key's bytes in the row */
    const struct field *keys;   /* ends with F_END; in sort order */
    const struct field *values; /* ends with F_END */
};

extern const struct row_type row_types[ROW_KIND_N];

/* Log-scaled histogram of nanoseconds, signed. Bucket 0: under 1 us. Bucket b > 0: from
 * hist_low_us(b) to under hist_low_us(b + 1), four buckets an octave; b < 0 mirrors it; +-125 holds
 * all beyond 2^31 us. Up to 6 buckets lie inline, up to 40 in a struct hist_few of the window, more
 * in a struct hist_block. */
enum { HIST_INLINE = 6, HIST_FEW = 40, HIST_MAX = 125 };
struct hist {
    uint32_t block; /* 1 + index of a struct hist_few where n > HIST_INLINE, or of a struct
                       hist_block where n is 0; 0: inline */
    uint8_t n;      /* buckets used, inline or there */
    int8_t bucket[HIST_INLINE];
    uint16_t count[HIST_INLINE]; /* a count that outgrows this moves all to a hist_block */
};
struct hist_few {
    int8_t bucket[HIST_FEW]; /* sorted, as those inline */
    uint16_t count[HIST_FEW];
    uint8_t unused[8]; /* to two cache lines */
};
static_assert(sizeof(struct hist_few) == 128, "two cache lines");
struct hist_block {
    uint32_t count[2 * HIST_MAX + 1]; /* [bucket + HIST_MAX] */
};
static inline int hist_bucket(int64_t ns)
{
    uint64_t us = (ns < 0 ? -(uint64_t)ns : (uint64_t)ns) / 1000, bits;
    if (us == 0)
        return 0;
    /* A double's exponent and the top two bits of its fraction are octave and quarter. */
    double us_float = (double)(int64_t)us;
    memcpy(&bits, &us_float, sizeof bits);
    int bucket = (int)(bits >> 50) - (1023 * 4 - 1);
    if (bucket > HIST_MAX)
        bucket = HIST_MAX;
    return ns < 0 ? -bucket : bucket;
}
uint64_t hist_low_us(int bucket); /* for bucket > 0 */

/* At most 8 values exactly, those with the smallest hash; the rest is summed. Up to 2 values lie
 * inline, more in a block of the window. */
enum { SET8_MAX = 8, SET8_INLINE = 2 };
struct set8 {
    uint32_t block; /* 0: inline; else 1 + index of a struct set8_block */
    uint32_t n;
    uint32_t value[SET8_INLINE]; /* sorted by set8_hash(value), then value */
    uint32_t count[SET8_INLINE];
    uint32_t other; /* counts of the values turned away */
};
struct set8_block {
    uint32_t value[SET8_MAX], count[SET8_MAX];
};

/* Distinct 64-bit hashes: exact while few, then HyperLogLog (block of 2^p registers). Kept in the
 * window. */
struct distinct {
    uint32_t block; /* 0: nothing yet; else 1 + index of a block of the window: see distinct.h */
};

struct row_coverage {
    struct {
        struct client client; /* CLIENT_NONE: the source itself, with its losses */
        uint32_t sensor;      /* string */
        uint8_t vantage;
        uint8_t pad[3];
    } key;
    uint64_t slots_out, slots_in; /* unicast seen from and to the client */
    uint64_t slots_group;         /* its multicast and broadcast: no coverage by itself */
    uint64_t tcp_unseen_bytes;    /* acknowledged, never captured */
    uint64_t lost_packets;        /* told by the source: drop counts of the capture or the port */
};

struct row_client {
    struct {
        struct client client;
    } key;
    uint64_t first_ns, last_ns;
    uint64_t packets_out, packets_in, packets_group;
    uint64_t bytes_out, bytes_in; /* on the wire */
    uint32_t protocols[PROTO_N];  /* packets by protocol */
    uint32_t probes_in;           /* inbound TCP SYN without ACK */
    struct distinct remotes;      /* fan-out: remote unicast addresses */
    uint32_t pad;
};

enum binding_kind {
    BIND_MAC,
    BIND_DNS,
    BIND_HTTP_ASSIGN,
    BIND_HTTP_VERSIONS,
    BIND_USER_AGENT,
    BIND_PRODUCT,
    BIND_KIND_N
};

/* What an address was: seen with a MAC, told by the firmware in clear HTTP, or the answer to a name
 * that a client asked DNS for. Names are kept once a site, not once a client: of an address at most
 * the BINDING_NAMES with the smallest hash. */
enum { BINDING_NAMES = 8 };
struct row_binding {
    struct {
        struct client client; /* MAC and HTTP: whose address it is; DNS, or where that is unknown:
                                 its site alone */
        struct addr addr;     /* the address bound */
        struct addr source;   /* HTTP: the server called */
        uint32_t value;       /* string: name or text */
        uint8_t kind;         /* enum binding_kind */
        uint8_t mac[6];
        uint8_t pad;
        uint32_t ttl_max_s; /* no part of the key, in its last gap */
    } key;
    uint64_t first_ns, last_ns;
    uint64_t count;      /* answers, calls */
    uint64_t matched;    /* DNS: answers to a query seen; HTTP: calls that were answered */
    struct set8 clients; /* DNS: who asked: low half of the client's hash (client_hash) */
    uint32_t resolvers;  /* DNS: who answered: bit XXH3(16 address bytes, seed 0) % 32; so many at
                            least */
};

struct row_peer {
    struct {
        struct client client;
        struct addr remote;
        uint16_t port; /* the service's: see decode.c */
        uint8_t ip_proto;
        uint8_t pad;
        uint32_t protocols; /* no part of the key, in its last gap: bits of enum proto, as content
                               told */
    } key;
    uint64_t packets_out, packets_in, bytes_out, bytes_in;
    uint64_t first_out_ns, first_in_ns; /* who began: the earlier; answered: both exist */
    uint64_t last_ns;
    uint32_t syn_out, syn_in; /* TCP SYN without ACK */
};

enum role { ROLE_CLIENT, ROLE_SERVER }; /* what our device was in the exchange */
enum { KISS_RATE, KISS_DENY, KISS_RSTR, KISS_OTHER, KISS_N };

/* By cache lines: who; what every message adds to; what replies add to; the rest. A histogram's
 * last counts are seldom used. */
struct row_ntp {
    struct {
        struct client client;
        struct addr peer; /* the other side */
        uint8_t role;
        uint8_t pad[3];
        uint32_t unsynchronised; /* no part of the key, in its last gap: leap 3 in replies */
    } key;
    uint32_t requests, replies;
    uint32_t pairs, free_changes;
    uint32_t modes[8];
    uint32_t strata, polls,
        versions; /* bits; stratum 31 stands for 31 and above, poll is clipped to 0..31 */
    uint32_t unmatched;
    struct set8 refids;
    struct hist offset, delay;
    uint32_t kiss[KISS_N];
    uint32_t duplicates, malformed, not_ntp, longer;
    uint32_t ext_packets, nts_packets, mac_packets;
    uint64_t ext_bytes, ext_unknown_bytes;
};
static_assert(sizeof(struct row_ntp) == 256, "four cache lines");

/* Query types with a counter of their own a pair; the totals count every type. */
enum { DNS_TYPE_SLOTS = 17 };
extern const uint8_t dns_type_places[256]; /* by type: which of them, from 1 on; 0: "other" */
extern const char *const dns_type_slot_names[DNS_TYPE_SLOTS];

/* By cache lines: who; what queries add to; what responses add to. Not in segments: asker,
 * resolver: both sides as bindings tell them, once `resolver` is not 0; late: up to seven buckets
 * that `latency` lacks, in a byte each: their index in a block, plus 1. */
struct row_dns {
    struct {
        struct client client;
        struct addr peer;
        uint8_t role;
        uint8_t pad[3];
        uint32_t asker; /* no part of the key, in its last gap */
    } key;
    uint32_t queries, responses;
    uint32_t by_qtype[DNS_TYPE_SLOTS]; /* of queries; last: other */
    uint32_t resolver;
    uint64_t late;
    uint32_t answered;
    struct hist latency;   /* of answered queries */
    uint32_t by_rcode[16]; /* of responses */
    uint32_t truncated, malformed, tcp_messages, unmatched, duplicates;
};
static_assert(sizeof(struct row_dns) == 256, "four cache lines");

/* Names of enum tls_sign of core/msg.h, by bit. */
extern const char *const tls_sign_names[];
extern const char *const tls_via_names[];

struct row_tls {
    struct {
        struct client client;
        struct addr peer;
        uint64_t hello;     /* 0: no ClientHello seen */
        uint64_t answer;    /* 0: not known */
        uint32_t sni, alpn; /* strings */
        uint16_t port;      /* the server's */
        uint16_t version, cipher, group;
        uint16_t record_version; /* partial sessions: of protected records */
        uint16_t alert;          /* level << 8 | description of the last readable alert; 0: none */
        uint8_t role;
        uint8_t outcome; /* enum tls_outcome of core/msg.h */
        uint8_t resumed;
        uint8_t handshake_seen;
        uint16_t signs;  /* enum tls_sign of core/msg.h */
        uint8_t via;     /* enum tls_via of core/msg.h */
        uint8_t carrier; /* enum tls_carrier of core/msg.h */
        uint32_t ja4;    /* string */
    } key;
    uint64_t sessions;   /* alive in this window */
    uint64_t handshakes; /* begun in this window and decided */
    uint64_t bytes_out, bytes_in;
    uint64_t first_ns, last_ns;
    uint8_t told; /* not in segments: the rows of its ids were made in this window */
};

struct row_hello {
    struct {
        uint64_t id;
    } key;
    uint64_t count;
    uint32_t offer; /* blob: see core/offer.h */
};

struct row_answer {
    struct {
        uint64_t id;
    } key;
    uint64_t count;  /* handshakes that were answered so */
    uint32_t answer; /* blob: see core/answer.h */
};

struct row_cert {
    struct {
        uint64_t id;
    } key;
    uint64_t count; /* times it was sent in clear */
    uint32_t
        facts; /* blob: see core/cert.h; 0: nobody read it yet, or its bytes were turned away */
    uint32_t der_len;
    const uint8_t *der; /* the worker's bytes of it (summary/certs.h), as long as the worker lives;
                           no part of the row */
};

/* Public values that a server should not use twice. Of a server and `what` at most the REUSE_VALUES
 * with the smallest hash are written. */
enum { REUSE_VALUES = 64 };
struct row_reuse {
    struct {
        uint64_t site;
        struct addr server;
        uint64_t
            value; /* XXH3, seed 0: of dh_Ys, of the point, of the first 16 bytes of a ticket */
        uint16_t port;
        uint8_t what; /* enum tls_reuse of core/msg.h */
        uint8_t pad[5];
    } key;
    uint64_t count;
    uint64_t first_ns, last_ns;
};

struct row_unattributed {
    struct {
        uint64_t site;
        uint8_t kind; /* CLIENT_NONE, or CLIENT_HOST where the scope hides hosts */
        uint8_t pad[7];
    } key;
    uint64_t packets, bytes;
    uint64_t protocols[PROTO_N];
    uint64_t ntp_exchanges, dns_exchanges, tls_sessions; /* what would have been rows */
};

enum tally {
    TALLY_DNS_QTYPE,
    TALLY_DNS_RCODE,
    TALLY_TLS_CLIENT_VERSION,
    TALLY_TLS_SERVER_VERSION,
    TALLY_TLS_CIPHER,
    TALLY_TLS_SNI,
    TALLY_TLS_ALERT, /* level << 8 | description */
    TALLY_SSLV2_VERSION,
    TALLY_LINK_UNSUPPORTED,
    TALLY_QUIC_SNI,
    TALLY_N
};

struct row_tally {
    struct {
        uint32_t family; /* enum tally */
        uint32_t code;
        uint32_t name; /* string, for TALLY_TLS_SNI, TALLY_QUIC_SNI */
        uint32_t pad;
    } key;
    uint64_t count;
};

/* Everything that is counted once a window: the `totals` row, and the ledger. All but the distinct
 * counts are added. */
struct totals {
    struct {
        uint64_t read, bytes_wire, bytes_captured;
        uint64_t outcome[OUT_N];
    } packets;
    uint64_t ip_v4, ip_v6;
    struct {
        uint64_t udp_messages, tcp_messages, queries, responses, malformed;
        struct distinct qnames;
    } dns;
    struct {
        uint64_t messages, queries, responses;
    } mdns, llmnr;
    struct {
        uint64_t packets, malformed, not_ntp;
        uint64_t by_version[8], by_mode[8], by_stratum[256];
    } ntp;
    struct {
        uint64_t client_hellos, server_hellos, hello_retry_requests, certificates, sessions;
    } tls;
    struct {
        uint64_t client_hellos, server_hellos;
    } sslv2, quic;
    struct {
        uint64_t client_hellos, server_hellos;
    } dtls;
    struct distinct hosts;
    struct ledger {
        uint64_t
            lost_packets; /* told by the source: capture drop counts; live: the sum of these four */
        uint64_t lost_missed;  /* no descriptor of the adapter was free */
        uint64_t lost_no_mbuf; /* no buffer was free */
        uint64_t lost_ring;    /* could not be handed to another worker: its ring was full */
        uint64_t lost_errors;  /* refused by the adapter */
        uint64_t
            misplaced; /* not lost: came to another worker than their flow, which may be split */
        uint64_t fragments_turned_away, flows_turned_away, buffers_turned_away, bytes_turned_away;
        uint64_t dtls_flows_turned_away, quic_flows_turned_away;
        uint64_t pending_turned_away; /* DNS and NTP exchanges whose state was pushed out */
        uint64_t strings_turned_away, blocks_turned_away;
        uint64_t holes, overlap_conflicts, too_deep;
        uint64_t certs_turned_away; /* certificates whose bytes were not kept, and so not read */
        uint64_t
            offers_turned_away; /* hellos and answers forgotten, which sessions may still tell */
        uint64_t resumptions_turned_away; /* TLS sessions forgotten that a later one may resume */
    } ledger;
};

/* Bytes of the keys that have a value in their last gap. */
enum {
    BINDING_KEY_LEN =
        offsetof(struct row_binding, key.ttl_max_s) - offsetof(struct row_binding, key),
    PEER_KEY_LEN = offsetof(struct row_peer, key.protocols) - offsetof(struct row_peer, key),
    NTP_KEY_LEN = offsetof(struct row_ntp, key.unsynchronised) - offsetof(struct row_ntp, key),
    DNS_KEY_LEN = offsetof(struct row_dns, key.asker) - offsetof(struct row_dns, key),
};

extern const struct field totals_fields[]; /* ends with F_END; offsets in struct totals */

/* Seconds a coverage slot of a window of `window_s` lasts; a window has at most 60. */
static inline uint64_t slot_seconds(uint64_t window_s)
{
    return (window_s + 59) / 60;
}
