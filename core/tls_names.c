#include "core/tls_names.h"

#include <stdio.h>

/* Sorted by code. Facts of the IANA registries "TLS Cipher Suites", "TLS Supported Groups" and "TLS
 * Alerts", which IANA and the IETF Trust place in the public domain (CC0); drafts and old code
 * points in use that they do not list are here too. */
struct name {
    uint16_t code;
    const char *text;
};

#include "core/tls_names_ciphers.h"

// clang-format off
static const struct name groups[] = {
    {0x0001, "sect163k1"},
    {0x0002, "sect163r1"},
    {0x0003, "sect163r2"},
    {0x0004, "sect193r1"},
    {0x0005, "sect193r2"},
    {0x0006, "sect233k1"},
    {0x0007, "sect233r1"},
    {0x0008, "sect239k1"},
    {0x0009, "sect283k1"},
    {0x000a, "sect283r1"},
    {0x000b, "sect409k1"},
    {0x000c, "sect409r1"},
    {0x000d, "sect571k1"},
    {0x000e, "sect571r1"},
    {0x000f, "secp160k1"},
    {0x0010, "secp160r1"},
    {0x0011, "secp160r2"},
    {0x0012, "secp192k1"},
    {0x0013, "secp192r1"},
    {0x0014, "secp224k1"},
    {0x0015, "secp224r1"},
    {0x0016, "secp256k1"},
    {0x0017, "secp256r1"},
    {0x0018, "secp384r1"},
    {0x0019, "secp521r1"},
    {0x001a, "brainpoolP256r1"},
    {0x001b, "brainpoolP384r1"},
    {0x001c, "brainpoolP512r1"},
    {0x001d, "x25519"},
    {0x001e, "x448"},
    {0x001f, "brainpoolP256r1tls13"},
    {0x0020, "brainpoolP384r1tls13"},
    {0x0021, "brainpoolP512r1tls13"},
    {0x0029, "curveSM2"},
    {0x0100, "ffdhe2048"},
    {0x0101, "ffdhe3072"},
    {0x0102, "ffdhe4096"},
    {0x0103, "ffdhe6144"},
    {0x0104, "ffdhe8192"},
    {0x0200, "MLKEM512"},
    {0x0201, "MLKEM768"},
    {0x0202, "MLKEM1024"},
    {0x11eb, "SecP256r1MLKEM768"},
    {0x11ec, "X25519MLKEM768"},
    {0x11ed, "SecP384r1MLKEM1024"},
    {0x6399, "X25519Kyber768Draft00"},
    {0x639a, "SecP256r1Kyber768Draft00"},
    {0xff01, "arbitrary_explicit_prime_curves"},
    {0xff02, "arbitrary_explicit_char2_curves"},
};

static const struct name alerts[] = {
    {0, "close_notify"},
    {1, "end_of_early_data"},
    {10, "unexpected_message"},
    {20, "bad_record_mac"},
    {21, "decryption_failed"},
    {22, "record_overflow"},
    {30, "decompression_failure"},
    {40, "handshake_failure"},
    {41, "no_certificate"},
    {42, "bad_certificate"},
    {43, "unsupported_certificate"},
    {44, "certificate_revoked"},
    {45, "certificate_expired"},
    {46, "certificate_unknown"},
    {47, "illegal_parameter"},
    {48, "unknown_ca"},
    {49, "access_denied"},
    {50, "decode_error"},
    {51, "decrypt_error"},
    {52, "too_many_cids_requested"},
    {60, "export_restriction"},
    {70, "protocol_version"},
    {71, "insufficient_security"},
    {80, "internal_error"},
    {86, "inappropriate_fallback"},
    {90, "user_canceled"},
    {100, "no_renegotiation"},
    {109, "missing_extension"},
    {110, "unsupported_extension"},
    {111, "certificate_unobtainable"},
    {112, "unrecognized_name"},
    {113, "bad_certificate_status_response"},
    {114, "bad_certificate_hash_value"},
    {115, "unknown_psk_identity"},
    {116, "certificate_required"},
    {120, "no_application_protocol"},
    {121, "ech_required"},
};
// clang-format on

static const char *find(const struct name *names, size_t n, uint16_t code)
{
    size_t low = 0, high = n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (names[middle].code < code)
            low = middle + 1;
        else
            high = middle;
    }
    return low < n && names[low].code == code ? names[low].text : NULL;
}

const char *tls_cipher_name(uint16_t cipher)
{
    return find(ciphers, sizeof ciphers / sizeof *ciphers, cipher);
}

const char *tls_group_name(uint16_t group)
{
    return find(groups, sizeof groups / sizeof *groups, group);
}

const char *tls_alert_name(uint8_t description)
{
    return find(alerts, sizeof alerts / sizeof *alerts, description);
}

void tls_version_text(uint16_t version, char text[static TLS_VERSION_TEXT_MAX])
{
    static const struct name versions[] = {
        {0x0002, "SSLv2"},    {0x0300, "SSLv3"},    {0x0301, "TLSv1"},
        {0x0302, "TLS 1.1"},  {0x0303, "TLS 1.2"},  {0x0304, "TLS 1.3"},
        {0xfefc, "DTLS 1.3"}, {0xfefd, "DTLS 1.2"}, {0xfeff, "DTLS 1.0"},
    };
    const char *known = find(versions, sizeof versions / sizeof *versions, version);
    if (known != NULL)
        snprintf(text, TLS_VERSION_TEXT_MAX, "%s", known);
    else if (version >> 8 == 0x7f)
        snprintf(text, TLS_VERSION_TEXT_MAX, "TLS 1.3 draft-%02u", version & 0xffu);
    else
        snprintf(text, TLS_VERSION_TEXT_MAX, "0x%04x", version);
}
