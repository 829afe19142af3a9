#include "enrich/tls_policy.h"

#include <string.h>

#define SERVER NEED_SERVER
#define ANSWER (NEED_SERVER | NEED_ANSWER)
#define CERTS  (NEED_SERVER | NEED_CERTS)

// clang-format off
const struct rule tls_rules[WEAK_N] = {
    [WEAK_SSLV2_NEG] = {SEVERITY_CRITICAL, SERVER, "SSL 2.0", "RFC 6176 3; CVE-2016-0800"},
    [WEAK_SSLV2_OFFER] = {SEVERITY_HIGH, NEED_HELLO, "offers SSL 2.0", "RFC 6176 3"},
    [WEAK_SSLV2_COMPAT_HELLO] = {SEVERITY_LOW, NEED_HELLO, "a hello of SSLv2 format", "RFC 6176 3; RFC 5246 E.2"},
    [WEAK_SSLV2_EXPORT] = {SEVERITY_CRITICAL, NEED_HELLO, "export ciphers of SSL 2.0", "RFC 6176; CVE-2016-0800"},
    [WEAK_SSLV3_NEG] = {SEVERITY_HIGH, SERVER, "SSL 3.0", "RFC 7568 3"},
    [WEAK_POODLE] = {SEVERITY_CRITICAL, SERVER, "SSL 3.0 with a block cipher", "RFC 7568; CVE-2014-3566"},
    [WEAK_TLS10] = {SEVERITY_MEDIUM, SERVER, "TLS 1.0", "RFC 8996; RFC 9325 3.1.1; CVE-2011-3389"},
    [WEAK_TLS11] = {SEVERITY_MEDIUM, SERVER, "TLS 1.1", "RFC 8996; RFC 9325 3.1.1"},
    [WEAK_DROWN_SHARED_KEY] = {SEVERITY_HIGH, NEED_FLEET, "a key that also serves SSL 2.0", "CVE-2016-0800"},
    [WEAK_FREAK] = {SEVERITY_CRITICAL, SERVER, "RSA_EXPORT", "RFC 9325 4.1; CVE-2015-0204"},
    [WEAK_LOGJAM_EXPORT] = {SEVERITY_CRITICAL, SERVER, "DHE_EXPORT or a 512-bit prime", "RFC 9325 4.1; CVE-2015-4000"},
    [WEAK_DH_SHORT] = {SEVERITY_HIGH, ANSWER, "a short prime", "RFC 9325 4.1; RFC 10015"},
    [WEAK_DH_COMMON] = {SEVERITY_HIGH, ANSWER, "a prime many servers share", "weakdh.org; CVE-2015-4000"},
    [WEAK_DH_REUSE] = {SEVERITY_MEDIUM, NEED_FLEET, "one DH value in several sessions", "RFC 9325 7.4; CVE-2020-1968"},
    [WEAK_STATIC_RSA] = {SEVERITY_MEDIUM, SERVER, "no forward secrecy: RSA", "RFC 9325 4.1; RFC 10015"},
    [WEAK_STATIC_DH] = {SEVERITY_MEDIUM, SERVER, "no forward secrecy: DH", "RFC 9325 4.1; RFC 10015"},
    [WEAK_STATIC_ECDH] = {SEVERITY_MEDIUM, SERVER, "no forward secrecy: ECDH", "RFC 9325 4.1; RFC 10015"},
    [WEAK_NULL_ENC] = {SEVERITY_CRITICAL, SERVER, "not encrypted", "RFC 9325 4.1"},
    [WEAK_ANON] = {SEVERITY_CRITICAL, SERVER, "not authenticated", "RFC 9325 4.1"},
    [WEAK_RC4] = {SEVERITY_HIGH, SERVER, "RC4", "RFC 7465; CVE-2013-2566, CVE-2015-2808"},
    [WEAK_SWEET32] = {SEVERITY_MEDIUM, SERVER, "blocks of 64 bits", "RFC 9325 4.1; CVE-2016-2183"},
    [WEAK_SINGLE_DES] = {SEVERITY_CRITICAL, SERVER, "DES", "RFC 5469; RFC 9325 4.1"},
    [WEAK_EXPORT] = {SEVERITY_CRITICAL, SERVER, "an export suite", "RFC 5469; RFC 9325 4.1"},
    [WEAK_CBC_NO_ETM] = {SEVERITY_LOW, ANSWER, "CBC without encrypt_then_mac", "RFC 7366; RFC 9325 4.2; CVE-2013-0169"},
    [WEAK_COMPRESSION] = {SEVERITY_HIGH, ANSWER, "compression", "RFC 9325 3.3; CVE-2012-4929"},
    [WEAK_INSECURE_RENEG] = {SEVERITY_MEDIUM, ANSWER | NEED_HELLO, "no renegotiation_info of the server", "RFC 5746; RFC 9325 3.5; CVE-2009-3555"},
    [WEAK_CLIENT_NO_RENEG_INFO] = {SEVERITY_LOW, NEED_HELLO, "no renegotiation_info of the client", "RFC 5746 3.4"},
    [WEAK_NO_EMS] = {SEVERITY_LOW, ANSWER, "no extended_master_secret", "RFC 7627; RFC 9325 3.5; CVE-2014-1295"},
    [WEAK_FALLBACK_NO_SCSV] = {SEVERITY_MEDIUM, NEED_FLEET, "a lower version after a failure, without SCSV", "RFC 7507"},
    [WEAK_FALLBACK_REJECTED] = {SEVERITY_INFO, 0, "a fallback was refused", "RFC 7507"},
    [WEAK_DOWNGRADE_SENTINEL] = {SEVERITY_HIGH, ANSWER | NEED_HELLO, "the server could do a version that the client offered", "RFC 8446 4.1.3"},
    [WEAK_SIG_MD5] = {SEVERITY_HIGH, ANSWER, "key exchange signed with MD5", "RFC 9155; CVE-2015-7575"},
    [WEAK_SIG_SHA1] = {SEVERITY_MEDIUM, ANSWER, "key exchange signed with SHA-1", "RFC 9155; RFC 9325 4.2"},
    [WEAK_CERT_SIG_MD5] = {SEVERITY_CRITICAL, CERTS, "certificate signed with MD5 or older", "RFC 9325 4.5"},
    [WEAK_CERT_SIG_SHA1] = {SEVERITY_HIGH, CERTS, "certificate signed with SHA-1", "RFC 9325 4.5"},
    [WEAK_CERT_RSA_SHORT] = {SEVERITY_HIGH, CERTS, "a short RSA key", "RFC 9325 4.5; SP 800-52r2"},
    [WEAK_CERT_ROCA] = {SEVERITY_HIGH, CERTS, "an RSA key that can be factored (ROCA)", "CVE-2017-15361"},
    [WEAK_CERT_EXPIRED] = {SEVERITY_MEDIUM, CERTS, "expired", "RFC 5280 4.1.2.5"},
    [WEAK_CERT_NOT_YET] = {SEVERITY_MEDIUM, CERTS, "not valid yet", "RFC 5280 4.1.2.5"},
    [WEAK_CERT_SELF_SIGNED] = {SEVERITY_MEDIUM, CERTS, "self-signed", "RFC 5280"},
    [WEAK_CERT_NAME_MISMATCH] = {SEVERITY_MEDIUM, CERTS, "for other names", "RFC 9525"},
    [WEAK_CERT_LONG] = {SEVERITY_INFO, CERTS, "valid for long", "CA/Browser Forum BR 6.3.2"},
    [WEAK_HEARTBEAT_NEG] = {SEVERITY_LOW, ANSWER, "heartbeat", "RFC 6520"},
    [WEAK_HEARTBLEED] = {SEVERITY_CRITICAL, 0, "a heartbeat that asks for more than it sent", "CVE-2014-0160; RFC 6520 4"},
    [WEAK_WEAK_CURVE] = {SEVERITY_HIGH, SERVER, "a weak curve", "RFC 8422; RFC 9325 4.2"},
    [WEAK_TICKET_ODD] = {SEVERITY_MEDIUM, NEED_FLEET, "tickets that last long or keys that do not change", "RFC 5077; RFC 9325 3.4; CVE-2020-13777"},
    [WEAK_EARLY_DATA] = {SEVERITY_INFO, 0, "early data offered: may be replayed", "RFC 8446 8"},
    [WEAK_PSK_NO_DHE] = {SEVERITY_MEDIUM, SERVER, "no forward secrecy: PSK", "RFC 9325 4.1"},
    [WEAK_OLD_CLIENT] = {SEVERITY_MEDIUM, NEED_HELLO, "can do no more than TLS 1.1", "RFC 8996"},
    [WEAK_PLAINTEXT_AFTER_STARTTLS] = {SEVERITY_MEDIUM, 0, "asks for TLS, and goes on in clear", "RFC 9325 3.2"},
    [WEAK_HTTP_ON_443] = {SEVERITY_MEDIUM, 0, "HTTP in clear on port 443", "RFC 9325 3.2"},
    [WEAK_HTTP_LOGIN] = {SEVERITY_MEDIUM, 0, "credentials in clear HTTP", "RFC 9325 3.2"},
};
// clang-format on

struct tls_policy tls_policy_default(void)
{
    struct tls_policy p = {.name = "default",
                           .weak_from = SEVERITY_MEDIUM,
                           .rsa_bits = 2048,
                           .dh_bits = 2048,
                           .certificate_days = 398,
                           .n_versions = 2,
                           .versions = {0x0304, 0x0303},
                           .order = ORDER_SERVER,
                           .sslv2_hello = true};
    for (int r = 0; r < WEAK_N; r++)
        p.severity[r] = tls_rules[r].severity;
    return p;
}

bool tls_policy_min_version(struct tls_policy *p, uint16_t version)
{
    static const uint16_t all[] = {0x0304, 0x0303, 0x0302, 0x0301, 0x0300};
    unsigned least = tls_version_rank(version), n = 0;
    if (p->n_versions == 0) {
        memcpy(p->versions, all, sizeof all);
        p->n_versions = sizeof all / sizeof *all;
    }
    for (unsigned i = 0; i < p->n_versions; i++)
        if (tls_version_rank(p->versions[i]) >= least)
            p->versions[n++] = p->versions[i];
    p->n_versions = n;
    return n > 0;
}

unsigned tls_version_rank(uint16_t version)
{
    switch (version) {
    case 0x0002:
        return 1;
    case 0x0300:
        return 2;
    case 0x0301:
    case 0xfeff: /* DTLS 1.0, and OpenSSL's own of before */
    case 0x0100:
        return 3;
    case 0x0302:
        return 4;
    case 0x0303:
    case 0xfefd:
        return 5;
    case 0x0304:
    case 0xfefc:
        return 6;
    default:
        return version >> 8 == 0x7f || version >> 8 == 0xfb ? 6 : 0; /* drafts of TLS 1.3 */
    }
}
