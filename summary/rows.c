#include "summary/rows.h"

#include "core/msg.h"

#include <limits.h>

#define AT(row, member) offsetof(struct row, member)
#define END                                                                                        \
    {                                                                                              \
        .type = F_END                                                                              \
    }

const uint8_t dns_type_places[256] = {
    [1] = 1,  [2] = 2,   [5] = 3,   [6] = 4,   [12] = 5,  [15] = 6,  [16] = 7,  [28] = 8,
    [33] = 9, [35] = 10, [43] = 11, [46] = 12, [48] = 13, [64] = 14, [65] = 15, [255] = 16};
const char *const dns_type_slot_names[DNS_TYPE_SLOTS] = {"1",  "2",  "5",  "6",   "12",   "15",
                                                         "16", "28", "33", "35",  "43",   "46",
                                                         "48", "64", "65", "255", "other"};

static const char *const vantage_names[VANTAGE_N] = {"unknown", "lan", "router", "wan", "server"};
static const char *const binding_names[BIND_KIND_N] = {"mac",           "dns",        "http_assign",
                                                       "http_versions", "user_agent", "product"};
static const char *const role_names[] = {"client", "server"};
static const char *const kiss_names[KISS_N] = {"RATE", "DENY", "RSTR", "other"};
static const char *const tls_outcome_names[] = {"undecided", "established", "refused",
                                                "reset",     "partial",     "cleartext"};
static const char *const tls_carrier_names[] = {NULL, "quic", "dtls"};

const char *const tls_via_names[VIA_N] = {NULL,    "smtp",         "imap",       "pop3",
                                          "ftp",   "xmpp",         "postgresql", "ldap",
                                          "mysql", "http_connect", "socks",      "http"};
const char *const tls_sign_names[TLS_SIGNS_N] = {
    "heartbleed_request", "heartbleed_reply",  "fallback_scsv", "early_data_offered",
    "renegotiated",       "ticket_resumption", "id_resumption", "client_alert",
    "server_alert",       "ech_outer",         "inherited",     "http_login"};
static const char *const reuse_names[REUSE_WHAT_N] = {"dh", "ecdh", "ticket_key"};

#define COVERAGE(m) AT(row_coverage, m)
static const struct field coverage_keys[] = {
    {"sensor", F_STR, COVERAGE(key.sensor), 0, NULL},
    {"vantage", F_ENUM, COVERAGE(key.vantage), VANTAGE_N, vantage_names},
    {"client", F_CLIENT, COVERAGE(key.client), 0, NULL},
    END,
};
static const struct field coverage_values[] = {
    {"out", V_SLOTS, COVERAGE(slots_out), 0, NULL},
    {"in", V_SLOTS, COVERAGE(slots_in), 0, NULL},
    {"group", V_SLOTS, COVERAGE(slots_group), 0, NULL},
    {"tcp_unseen_bytes", V_SUM, COVERAGE(tcp_unseen_bytes), 0, NULL},
    {"lost_packets", V_SUM, COVERAGE(lost_packets), 0, NULL},
    END,
};

#define CLIENT(m) AT(row_client, m)
static const struct field client_keys[] = {
    {"client", F_CLIENT, CLIENT(key.client), 0, NULL},
    END,
};
static const struct field client_values[] = {
    {"packets_out", V_SUM, CLIENT(packets_out), 0, NULL},
    {"packets_in", V_SUM, CLIENT(packets_in), 0, NULL},
    {"packets_group", V_SUM, CLIENT(packets_group), 0, NULL},
    {"bytes_out", V_SUM, CLIENT(bytes_out), 0, NULL},
    {"bytes_in", V_SUM, CLIENT(bytes_in), 0, NULL},
    {"first_ns", V_MIN_NS, CLIENT(first_ns), 0, NULL},
    {"last_ns", V_MAX_NS, CLIENT(last_ns), 0, NULL},
    {"protocols", V_COUNTS32, CLIENT(protocols), PROTO_N, proto_name},
    {"probes_in", V_SUM32, CLIENT(probes_in), 0, NULL},
    {"remotes", V_DISTINCT, CLIENT(remotes), 0, NULL},
    END,
};

#define BINDING(m) AT(row_binding, m)
static const struct field binding_keys[] = {
    {"client", F_CLIENT, BINDING(key.client), 0, NULL},
    {"addr", F_ADDR, BINDING(key.addr), 0, NULL},
    {"what", F_ENUM, BINDING(key.kind), BIND_KIND_N, binding_names},
    {"mac", F_MAC, BINDING(key.mac), 0, NULL},
    {"value", F_STR, BINDING(key.value), 0, NULL},
    {"source", F_ADDR, BINDING(key.source), 0, NULL},
    END,
};
static const struct field binding_values[] = {
    {"first_ns", V_MIN_NS, BINDING(first_ns), 0, NULL},
    {"last_ns", V_MAX_NS, BINDING(last_ns), 0, NULL},
    {"count", V_SUM, BINDING(count), 0, NULL},
    {"matched", V_SUM, BINDING(matched), 0, NULL},
    {"ttl_max_s", V_MAX32, BINDING(key.ttl_max_s), 0, NULL},
    {"clients", V_SET8, BINDING(clients), 0, NULL},
    {"resolvers", V_BITS32, BINDING(resolvers), 32, NULL},
    END,
};

#define PEER(m) AT(row_peer, m)
static const struct field peer_keys[] = {
    {"client", F_CLIENT, PEER(key.client), 0, NULL},
    {"remote", F_ADDR, PEER(key.remote), 0, NULL},
    {"ip_proto", F_U8, PEER(key.ip_proto), 0, NULL},
    {"port", F_U16, PEER(key.port), 0, NULL},
    END,
};
static const struct field peer_values[] = {
    {"packets_out", V_SUM, PEER(packets_out), 0, NULL},
    {"packets_in", V_SUM, PEER(packets_in), 0, NULL},
    {"bytes_out", V_SUM, PEER(bytes_out), 0, NULL},
    {"bytes_in", V_SUM, PEER(bytes_in), 0, NULL},
    {"first_out_ns", V_MIN_NS, PEER(first_out_ns), 0, NULL},
    {"first_in_ns", V_MIN_NS, PEER(first_in_ns), 0, NULL},
    {"last_ns", V_MAX_NS, PEER(last_ns), 0, NULL},
    {"syn_out", V_SUM32, PEER(syn_out), 0, NULL},
    {"syn_in", V_SUM32, PEER(syn_in), 0, NULL},
    {"protocols", V_BITS32, PEER(key.protocols), PROTO_N, proto_name},
    END,
};

#define NTP(m) AT(row_ntp, m)
static const struct field ntp_keys[] = {
    {"client", F_CLIENT, NTP(key.client), 0, NULL},
    {"role", F_ENUM, NTP(key.role), 2, role_names},
    {"peer", F_ADDR, NTP(key.peer), 0, NULL},
    END,
};
static const struct field ntp_values[] = {
    {"requests", V_SUM32, NTP(requests), 0, NULL},
    {"replies", V_SUM32, NTP(replies), 0, NULL},
    {"pairs", V_SUM32, NTP(pairs), 0, NULL},
    {"duplicates", V_SUM32, NTP(duplicates), 0, NULL},
    {"unmatched", V_SUM32, NTP(unmatched), 0, NULL},
    {"malformed", V_SUM32, NTP(malformed), 0, NULL},
    {"not_ntp", V_SUM32, NTP(not_ntp), 0, NULL},
    {"longer", V_SUM32, NTP(longer), 0, NULL},
    {"modes", V_COUNTS32, NTP(modes), 8, NULL},
    {"kiss", V_COUNTS32, NTP(kiss), KISS_N, kiss_names},
    {"strata", V_BITS32, NTP(strata), 32, NULL},
    {"polls", V_BITS32, NTP(polls), 32, NULL},
    {"versions", V_BITS32, NTP(versions), 32, NULL},
    {"ext_packets", V_SUM32, NTP(ext_packets), 0, NULL},
    {"nts_packets", V_SUM32, NTP(nts_packets), 0, NULL},
    {"mac_packets", V_SUM32, NTP(mac_packets), 0, NULL},
    {"ext_bytes", V_SUM, NTP(ext_bytes), 0, NULL},
    {"ext_unknown_bytes", V_SUM, NTP(ext_unknown_bytes), 0, NULL},
    {"free_changes", V_SUM32, NTP(free_changes), 0, NULL},
    {"unsynchronised", V_SUM32, NTP(key.unsynchronised), 0, NULL},
    {"refids", V_SET8, NTP(refids), 0, NULL},
    {"offset", V_HIST, NTP(offset), 0, NULL},
    {"delay", V_HIST, NTP(delay), 0, NULL},
    END,
};

#define DNS(m) AT(row_dns, m)
static const struct field dns_keys[] = {
    {"client", F_CLIENT, DNS(key.client), 0, NULL},
    {"role", F_ENUM, DNS(key.role), 2, role_names},
    {"peer", F_ADDR, DNS(key.peer), 0, NULL},
    END,
};
static const struct field dns_values[] = {
    {"queries", V_SUM32, DNS(queries), 0, NULL},
    {"responses", V_SUM32, DNS(responses), 0, NULL},
    {"answered", V_SUM32, DNS(answered), 0, NULL},
    {"unmatched", V_SUM32, DNS(unmatched), 0, NULL},
    {"duplicates", V_SUM32, DNS(duplicates), 0, NULL},
    {"truncated", V_SUM32, DNS(truncated), 0, NULL},
    {"malformed", V_SUM32, DNS(malformed), 0, NULL},
    {"tcp_messages", V_SUM32, DNS(tcp_messages), 0, NULL},
    {"by_qtype", V_COUNTS32, DNS(by_qtype), DNS_TYPE_SLOTS, dns_type_slot_names},
    {"by_rcode", V_COUNTS32, DNS(by_rcode), 16, NULL},
    {"latency", V_HIST, DNS(latency), 0, NULL},
    END,
};

#define TLS(m) AT(row_tls, m)
static const struct field tls_keys[] = {
    {"client", F_CLIENT, TLS(key.client), 0, NULL},
    {"role", F_ENUM, TLS(key.role), 2, role_names},
    {"peer", F_ADDR, TLS(key.peer), 0, NULL},
    {"port", F_U16, TLS(key.port), 0, NULL},
    {"sni", F_STR, TLS(key.sni), 0, NULL},
    {"version", F_HEX16, TLS(key.version), 0, NULL},
    {"cipher", F_HEX16, TLS(key.cipher), 0, NULL},
    {"group", F_HEX16, TLS(key.group), 0, NULL},
    {"alpn", F_STR, TLS(key.alpn), 0, NULL},
    {"hello", F_ID64, TLS(key.hello), 0, NULL},
    {"ja4", F_STR, TLS(key.ja4), 0, NULL},
    {"outcome", F_ENUM, TLS(key.outcome), TLS_OUTCOME_N, tls_outcome_names},
    {"alert", F_HEX16, TLS(key.alert), 0, NULL},
    {"record_version", F_HEX16, TLS(key.record_version), 0, NULL},
    {"resumed", F_FLAG, TLS(key.resumed), 0, NULL},
    {"handshake_seen", F_FLAG, TLS(key.handshake_seen), 0, NULL},
    {"answer", F_ID64, TLS(key.answer), 0, NULL},
    {"via", F_ENUM, TLS(key.via), VIA_N, tls_via_names},
    {"signs", F_BITS16, TLS(key.signs), TLS_SIGNS_N, tls_sign_names},
    {"carrier", F_ENUM, TLS(key.carrier), 3, tls_carrier_names},
    END,
};
static const struct field tls_values[] = {
    {"sessions", V_SUM, TLS(sessions), 0, NULL},
    {"handshakes", V_SUM, TLS(handshakes), 0, NULL},
    {"bytes_out", V_SUM, TLS(bytes_out), 0, NULL},
    {"bytes_in", V_SUM, TLS(bytes_in), 0, NULL},
    {"first_ns", V_MIN_NS, TLS(first_ns), 0, NULL},
    {"last_ns", V_MAX_NS, TLS(last_ns), 0, NULL},
    END,
};

static const struct field hello_keys[] = {
    {"id", F_ID64, AT(row_hello, key.id), 0, NULL},
    END,
};
static const struct field hello_values[] = {
    {"count", V_SUM, AT(row_hello, count), 0, NULL},
    {"offer", V_BLOB, AT(row_hello, offer), BLOB_OFFER, NULL},
    END,
};

static const struct field answer_keys[] = {
    {"id", F_ID64, AT(row_answer, key.id), 0, NULL},
    END,
};
static const struct field answer_values[] = {
    {"count", V_SUM, AT(row_answer, count), 0, NULL},
    {"answer", V_BLOB, AT(row_answer, answer), BLOB_ANSWER, NULL},
    END,
};

static const struct field cert_keys[] = {
    {"id", F_ID64, AT(row_cert, key.id), 0, NULL},
    END,
};
static const struct field cert_values[] = {
    {"count", V_SUM, AT(row_cert, count), 0, NULL},
    {"facts", V_BLOB, AT(row_cert, facts), BLOB_CERT, NULL},
    END,
};

static const struct field reuse_keys[] = {
    {"site", F_SITE, AT(row_reuse, key.site), 0, NULL},
    {"server", F_ADDR, AT(row_reuse, key.server), 0, NULL},
    {"port", F_U16, AT(row_reuse, key.port), 0, NULL},
    {"what", F_ENUM, AT(row_reuse, key.what), REUSE_WHAT_N, reuse_names},
    {"value", F_ID64, AT(row_reuse, key.value), 0, NULL},
    END,
};
static const struct field reuse_values[] = {
    {"count", V_SUM, AT(row_reuse, count), 0, NULL},
    {"first_ns", V_MIN_NS, AT(row_reuse, first_ns), 0, NULL},
    {"last_ns", V_MAX_NS, AT(row_reuse, last_ns), 0, NULL},
    END,
};

static const char *const unattributed_names[CLIENT_KIND_N] = {"none", "gateway", "host"};
static const struct field unattributed_keys[] = {
    {"site", F_SITE, AT(row_unattributed, key.site), 0, NULL},
    {"of", F_ENUM, AT(row_unattributed, key.kind), CLIENT_KIND_N, unattributed_names},
    END,
};
static const struct field unattributed_values[] = {
    {"packets", V_SUM, AT(row_unattributed, packets), 0, NULL},
    {"bytes", V_SUM, AT(row_unattributed, bytes), 0, NULL},
    {"protocols", V_COUNTS, AT(row_unattributed, protocols), PROTO_N, proto_name},
    {"ntp_exchanges", V_SUM, AT(row_unattributed, ntp_exchanges), 0, NULL},
    {"dns_exchanges", V_SUM, AT(row_unattributed, dns_exchanges), 0, NULL},
    {"tls_sessions", V_SUM, AT(row_unattributed, tls_sessions), 0, NULL},
    END,
};

static const struct field tally_keys[] = {
    {"family", F_U32, AT(row_tally, key.family), 0, NULL},
    {"code", F_U32, AT(row_tally, key.code), 0, NULL},
    {"name", F_STR, AT(row_tally, key.name), 0, NULL},
    END,
};
static const struct field tally_values[] = {
    {"count", V_SUM, AT(row_tally, count), 0, NULL},
    END,
};

#define TYPE_LEN(row_name, type, len, k, v)                                                        \
    {                                                                                              \
        .name = row_name, .size = sizeof(struct type), .key_at = offsetof(struct type, key),       \
        .key_len = len, .keys = k, .values = v                                                     \
    }
#define TYPE(row_name, type, k, v) TYPE_LEN(row_name, type, sizeof(((struct type *)0)->key), k, v)
const struct row_type row_types[ROW_KIND_N] = {
    [ROW_COVERAGE] = TYPE("coverage", row_coverage, coverage_keys, coverage_values),
    [ROW_CLIENT] = TYPE("gateway", row_client, client_keys, client_values),
    [ROW_BINDING] = TYPE_LEN("binding", row_binding, BINDING_KEY_LEN, binding_keys, binding_values),
    [ROW_PEER] = TYPE_LEN("peer", row_peer, PEER_KEY_LEN, peer_keys, peer_values),
    [ROW_NTP] = TYPE_LEN("ntp", row_ntp, NTP_KEY_LEN, ntp_keys, ntp_values),
    [ROW_DNS] = TYPE_LEN("dns", row_dns, DNS_KEY_LEN, dns_keys, dns_values),
    [ROW_TLS] = TYPE("tls", row_tls, tls_keys, tls_values),
    [ROW_HELLO] = TYPE("hello", row_hello, hello_keys, hello_values),
    [ROW_ANSWER] = TYPE("answer", row_answer, answer_keys, answer_values),
    [ROW_CERT] = TYPE("cert", row_cert, cert_keys, cert_values),
    [ROW_REUSE] = TYPE("reuse", row_reuse, reuse_keys, reuse_values),
    [ROW_UNATTRIBUTED] =
        TYPE("unattributed", row_unattributed, unattributed_keys, unattributed_values),
    [ROW_TALLY] = TYPE("tally", row_tally, tally_keys, tally_values),
};

#define T(m) offsetof(struct totals, m)
const struct field totals_fields[] = {
    {"packets.read", V_SUM, T(packets.read), 0, NULL},
    {"packets.bytes_wire", V_SUM, T(packets.bytes_wire), 0, NULL},
    {"packets.bytes_captured", V_SUM, T(packets.bytes_captured), 0, NULL},
    {"packets.outcome", V_COUNTS, T(packets.outcome), OUT_N, outcome_name},
    {"ip.v4", V_SUM, T(ip_v4), 0, NULL},
    {"ip.v6", V_SUM, T(ip_v6), 0, NULL},
    {"dns.udp_messages", V_SUM, T(dns.udp_messages), 0, NULL},
    {"dns.tcp_messages", V_SUM, T(dns.tcp_messages), 0, NULL},
    {"dns.queries", V_SUM, T(dns.queries), 0, NULL},
    {"dns.responses", V_SUM, T(dns.responses), 0, NULL},
    {"dns.malformed", V_SUM, T(dns.malformed), 0, NULL},
    {"dns.by_rcode", V_TALLY, 0, TALLY_DNS_RCODE, NULL},
    {"dns.by_qtype", V_TALLY, 0, TALLY_DNS_QTYPE, NULL},
    {"dns.distinct_qnames", V_DISTINCT, T(dns.qnames), 0, NULL},
    {"mdns.messages", V_SUM, T(mdns.messages), 0, NULL},
    {"mdns.queries", V_SUM, T(mdns.queries), 0, NULL},
    {"mdns.responses", V_SUM, T(mdns.responses), 0, NULL},
    {"llmnr.messages", V_SUM, T(llmnr.messages), 0, NULL},
    {"llmnr.queries", V_SUM, T(llmnr.queries), 0, NULL},
    {"llmnr.responses", V_SUM, T(llmnr.responses), 0, NULL},
    {"ntp.packets", V_SUM, T(ntp.packets), 0, NULL},
    {"ntp.by_version", V_COUNTS, T(ntp.by_version), 8, NULL},
    {"ntp.by_mode", V_COUNTS, T(ntp.by_mode), 8, NULL},
    {"ntp.by_stratum", V_COUNTS, T(ntp.by_stratum), 256, NULL},
    {"ntp.malformed", V_SUM, T(ntp.malformed), 0, NULL},
    {"ntp.not_ntp", V_SUM, T(ntp.not_ntp), 0, NULL},
    {"tls.client_hellos", V_SUM, T(tls.client_hellos), 0, NULL},
    {"tls.server_hellos", V_SUM, T(tls.server_hellos), 0, NULL},
    {"tls.hello_retry_requests", V_SUM, T(tls.hello_retry_requests), 0, NULL},
    {"tls.certificates", V_SUM, T(tls.certificates), 0, NULL},
    {"tls.by_client_max_version", V_TALLY, 0, TALLY_TLS_CLIENT_VERSION, NULL},
    {"tls.by_server_version", V_TALLY, 0, TALLY_TLS_SERVER_VERSION, NULL},
    {"tls.by_cipher", V_TALLY, 0, TALLY_TLS_CIPHER, NULL},
    {"tls.snis", V_TALLY, 0, TALLY_TLS_SNI, NULL},
    {"tls.alerts", V_TALLY, 0, TALLY_TLS_ALERT, NULL},
    {"tls.sessions", V_SUM, T(tls.sessions), 0, NULL},
    {"sslv2.client_hellos", V_SUM, T(sslv2.client_hellos), 0, NULL},
    {"sslv2.server_hellos", V_SUM, T(sslv2.server_hellos), 0, NULL},
    {"sslv2.by_client_version", V_TALLY, 0, TALLY_SSLV2_VERSION, NULL},
    {"dtls.client_hellos", V_SUM, T(dtls.client_hellos), 0, NULL},
    {"dtls.server_hellos", V_SUM, T(dtls.server_hellos), 0, NULL},
    {"quic.client_hellos", V_SUM, T(quic.client_hellos), 0, NULL},
    {"quic.server_hellos", V_SUM, T(quic.server_hellos), 0, NULL},
    {"quic.snis", V_TALLY, 0, TALLY_QUIC_SNI, NULL},
    {"distinct_hosts", V_DISTINCT, T(hosts), 0, NULL},
    {"ledger.lost_packets", V_SUM, T(ledger.lost_packets), 0, NULL},
    {"ledger.lost_missed", V_SUM, T(ledger.lost_missed), 0, NULL},
    {"ledger.lost_no_mbuf", V_SUM, T(ledger.lost_no_mbuf), 0, NULL},
    {"ledger.lost_ring", V_SUM, T(ledger.lost_ring), 0, NULL},
    {"ledger.lost_errors", V_SUM, T(ledger.lost_errors), 0, NULL},
    {"ledger.misplaced", V_SUM, T(ledger.misplaced), 0, NULL},
    {"ledger.link_unsupported", V_TALLY, 0, TALLY_LINK_UNSUPPORTED, NULL},
    {"ledger.fragments_turned_away", V_SUM, T(ledger.fragments_turned_away), 0, NULL},
    {"ledger.flows_turned_away", V_SUM, T(ledger.flows_turned_away), 0, NULL},
    {"ledger.dtls_flows_turned_away", V_SUM, T(ledger.dtls_flows_turned_away), 0, NULL},
    {"ledger.quic_flows_turned_away", V_SUM, T(ledger.quic_flows_turned_away), 0, NULL},
    {"ledger.buffers_turned_away", V_SUM, T(ledger.buffers_turned_away), 0, NULL},
    {"ledger.bytes_turned_away", V_SUM, T(ledger.bytes_turned_away), 0, NULL},
    {"ledger.pending_turned_away", V_SUM, T(ledger.pending_turned_away), 0, NULL},
    {"ledger.strings_turned_away", V_SUM, T(ledger.strings_turned_away), 0, NULL},
    {"ledger.blocks_turned_away", V_SUM, T(ledger.blocks_turned_away), 0, NULL},
    {"ledger.holes", V_SUM, T(ledger.holes), 0, NULL},
    {"ledger.overlap_conflicts", V_SUM, T(ledger.overlap_conflicts), 0, NULL},
    {"ledger.too_deep", V_SUM, T(ledger.too_deep), 0, NULL},
    {"ledger.certs_turned_away", V_SUM, T(ledger.certs_turned_away), 0, NULL},
    {"ledger.offers_turned_away", V_SUM, T(ledger.offers_turned_away), 0, NULL},
    {"ledger.resumptions_turned_away", V_SUM, T(ledger.resumptions_turned_away), 0, NULL},
    END,
};

uint64_t hist_low_us(int bucket)
{
    int octave = (bucket - 1) / 4, quarter = (bucket - 1) % 4;
    return octave >= 2 ? (uint64_t)(4 + quarter) << (octave - 2)
                       : (uint64_t)(4 + quarter + (1 << (2 - octave)) - 1) >> (2 - octave);
}
