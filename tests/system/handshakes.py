#!/usr/bin/env python3
"""Real handshakes of the classes of weak TLS that today's OpenSSL and GnuTLS still make, captured on the loopback: each is found, and the near
miss beside it is not. Classes that nobody can make any more are in the captures (flags.py) and in tests/enrich."""
import json, os, shutil, socket, struct, subprocess, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "laws"))
import harness, loopback
from loopback import sh

t = harness.Test(__doc__, shared=False)
loopback.need(t, "openssl", "tcpdump")
ALL = "ALL:eNULL:@SECLEVEL=0"
GOOD = ["-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256", "-servername", "server.example"]
OAKLEY2 = int("FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DDEF9519B3CD3A431B302B0A6DF25F1437"
              "4FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7EDEE386BFB5A899FA5AE9F24117C4B1FE649286651ECE65381FFFFFFFFFFFFFFFF", 16)


def cipher(name, *more):
    return ["-tls1_2", "-cipher", name + ":@SECLEVEL=0", "-servername", "server.example", *more]


def der(tag, body):
    n = len(body)
    return bytes([tag]) + (bytes([n]) if n < 128 else bytes([0x81, n]) if n < 256 else struct.pack("!BH", 0x82, n)) + body


def der_int(v):
    return der(2, v.to_bytes(v.bit_length() // 8 + 1, "big"))


def dh_file(name, prime):
    import base64
    text = base64.encodebytes(der(0x30, der_int(prime) + der_int(2))).decode()
    open(t.path(name), "w").write("-----BEGIN DH PARAMETERS-----\n%s-----END DH PARAMETERS-----\n" % text)
    return t.path(name)


def dated(name, start, end):
    """A certificate of other times than now: only 'openssl ca' makes one."""
    for f, text in (("index.txt", ""), ("serial", "01\n"), ("ca.cnf", "[ca]\ndefault_ca=d\n[d]\ndatabase=%s\nserial=%s\nnew_certs_dir=%s\ndefault_md=sha256\npolicy=p\n"
                    "x509_extensions=e\n[p]\ncommonName=supplied\n[e]\nsubjectAltName=DNS:server.example\n[req]\ndistinguished_name=dn\n[dn]\n"
                    % (t.path("index.txt"), t.path("serial"), t.temp))):
        open(t.path(f), "w").write(text)
    sh("openssl", "req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", t.path(name + ".key"), "-out", t.path(name + ".csr"), "-subj", "/CN=server.example",
       "-config", t.path("ca.cnf"))
    r = sh("openssl", "ca", "-batch", "-selfsign", "-notext", "-in", t.path(name + ".csr"), "-keyfile", t.path(name + ".key"), "-out", t.path(name + ".pem"),
           "-startdate", start, "-enddate", end, "-config", t.path("ca.cnf"))
    t.check(r.returncode == 0, "openssl ca: %s", r.stdout[-300:])


for name, key, more in (("good", "rsa:2048", {}), ("sha1", "rsa:2048", {"digest": "-sha1"}), ("md5", "rsa:2048", {"digest": "-md5"}), ("rsa1024", "rsa:1024", {}),
                        ("rsa768", "rsa:768", {}), ("long", "rsa:2048", {"days": "3650"}), ("wild", "rsa:2048", {"san": "*.example"})):
    loopback.make_cert(t, name, key, **more)
dated("expired", "200101000000Z", "200201000000Z")
dated("early", "490101000000Z", "490201000000Z")
for bits in (1024, 2048):
    dh_file("dh%d.pem" % bits, int(sh("openssl", "prime", "-generate", "-bits", str(bits)).stdout.split()[-1]))
ALWAYS = {"CERT_SELF_SIGNED", "DOWNGRADE_SENTINEL"}     # all certificates are; clients of TLS 1.2 meet a server of TLS 1.3
LOW = {"CBC_NO_ETM", "NO_EMS", "SWEET32", "EARLY_DATA"}  # not looked at unless named

# name, options of the server, of the client, what must be found, what must not
CASES = [
    ("good", "good", [], GOOD, set(), {"TLS10", "STATIC_RSA", "SIG_SHA1", "CERT_EXPIRED", "CERT_NAME_MISMATCH", "CBC_NO_ETM", "DH_SHORT", "OLD_CLIENT"}),
    ("tls 1.3", "good", [], ["-tls1_3", "-servername", "server.example"], set(), {"CERT_SELF_SIGNED", "TLS10"}),
    ("TLS 1.0", "good", [], ["-tls1", "-cipher", ALL], {"TLS10", "OLD_CLIENT"}, {"TLS11", "SSLV3_NEG"}),
    ("TLS 1.1", "good", [], ["-tls1_1", "-cipher", ALL], {"TLS11", "OLD_CLIENT"}, {"TLS10"}),
    ("static RSA", "good", [], cipher("AES128-GCM-SHA256"), {"STATIC_RSA"}, {"DH_SHORT"}),
    ("NULL", "good", [], cipher("NULL-SHA256"), {"NULL_ENC", "STATIC_RSA"}, {"ANON"}),
    ("anonymous", "good", [], cipher("ADH-AES128-GCM-SHA256"), {"ANON", "DH_SHORT"}, {"NULL_ENC", "CERT_SELF_SIGNED"}),
    ("prime of 1024 bits", "good", ["-dhparam", t.path("dh1024.pem")], cipher("DHE-RSA-AES128-GCM-SHA256"), {"DH_SHORT:high"}, {"LOGJAM_EXPORT", "DH_COMMON"}),
    ("Oakley group 2", "good", ["-dhparam", dh_file("oakley2.pem", OAKLEY2)], cipher("DHE-RSA-AES128-GCM-SHA256"), {"DH_SHORT:high", "DH_COMMON"}, {"LOGJAM_EXPORT"}),
    ("prime of 2048 bits", "good", ["-dhparam", t.path("dh2048.pem")], cipher("DHE-RSA-AES128-GCM-SHA256"), {"DH_SHORT:low"}, {"DH_COMMON", "LOGJAM_EXPORT"}),
    ("weak curve", "good", ["-groups", "P-192:sect163k1:P-256"], cipher("ECDHE-RSA-AES128-GCM-SHA256", "-groups", "P-192"), {"WEAK_CURVE"}, set()),
    ("P-224", "good", ["-groups", "P-224:P-256"], cipher("ECDHE-RSA-AES128-GCM-SHA256", "-groups", "P-224"), set(), {"WEAK_CURVE"}),
    ("signed with SHA-1", "good", [], cipher("ECDHE-RSA-AES128-GCM-SHA256", "-sigalgs", "RSA+SHA1"), {"SIG_SHA1"}, {"SIG_MD5"}),
    ("CBC", "good", [], cipher("ECDHE-RSA-AES128-SHA"), set(), {"CBC_NO_ETM"}),
    ("PSK", "good", ["-psk", "1a2b3c"], ["-tls1_2", "-psk", "1a2b3c", "-cipher", "PSK-AES128-GCM-SHA256:@SECLEVEL=0"], {"PSK_NO_DHE"}, {"CERT_SELF_SIGNED"}),
    ("fallback refused", "good", [], ["-tls1_1", "-fallback_scsv", "-cipher", ALL], {"FALLBACK_REJECTED"}, {"TLS11"}),
    ("SHA-1 certificate", "sha1", [], GOOD, {"CERT_SIG_SHA1"}, {"CERT_SIG_MD5", "SIG_SHA1"}),
    ("MD5 certificate", "md5", [], GOOD, {"CERT_SIG_MD5"}, {"CERT_SIG_SHA1"}),
    ("RSA 1024", "rsa1024", [], GOOD, {"CERT_RSA_SHORT:high"}, set()),
    ("RSA 768", "rsa768", [], cipher("ECDHE-RSA-AES128-SHA"), {"CERT_RSA_SHORT:critical"}, set()),
    ("ten years", "long", [], GOOD, {"CERT_LONG"}, set()),
    ("expired", "expired", [], GOOD, {"CERT_EXPIRED"}, {"CERT_NOT_YET"}),
    ("not valid yet", "early", [], GOOD, {"CERT_NOT_YET"}, {"CERT_EXPIRED"}),
    ("other name", "good", [], ["-tls1_2", "-servername", "other.example"], {"CERT_NAME_MISMATCH"}, set()),
    ("wildcard", "wild", [], ["-tls1_2", "-servername", "other.example"], set(), {"CERT_NAME_MISMATCH"}),
    ("wildcard of one label", "wild", [], ["-tls1_2", "-servername", "a.other.example"], {"CERT_NAME_MISMATCH"}, set()),
    ("no name", "good", [], ["-tls1_2", "-noservername"], set(), {"CERT_NAME_MISMATCH"}),
]
# The same by GnuTLS, which still has what OpenSSL has not: priorities of the server, of the client.
GNUTLS = [
    ("RC4", "NORMAL:-VERS-ALL:+VERS-TLS1.2:-CIPHER-ALL:+ARCFOUR-128", {"RC4"}, {"SWEET32"}),
    ("3DES", "NORMAL:-VERS-ALL:+VERS-TLS1.2:-CIPHER-ALL:+3DES-CBC", {"SWEET32"}, {"RC4", "SINGLE_DES"}),
    ("CBC without encrypt-then-mac", "NORMAL:-VERS-ALL:+VERS-TLS1.2:-CIPHER-ALL:+AES-128-CBC:%NO_ETM", {"CBC_NO_ETM"}, {"NO_EMS"}),
    ("no extended master secret", "NORMAL:-VERS-ALL:+VERS-TLS1.2:-CIPHER-ALL:+AES-128-GCM:%NO_SESSION_HASH", {"NO_EMS"}, {"CBC_NO_ETM"}),
    ("no renegotiation_info", "NORMAL:-VERS-ALL:+VERS-TLS1.2:-CIPHER-ALL:+AES-128-GCM:%DISABLE_SAFE_RENEGOTIATION", {"CLIENT_NO_RENEG_INFO"}, {"INSECURE_RENEG"}),
]


class GnutlsServer:
    def __init__(self, port, cert, priority):
        self.child = subprocess.Popen(["gnutls-serv", "--echo", "-p", str(port), "--x509certfile", t.path(cert + ".pem"), "--x509keyfile", t.path(cert + ".key"),
                                       "--priority", priority], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(100):
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()    # not captured: another address
                return
            except OSError:
                import time
                time.sleep(0.05)

    def stop(self):
        self.child.terminate()
        self.child.wait()


gnutls = GNUTLS if shutil.which("gnutls-serv") and shutil.which("gnutls-cli") else []
port, gnutls_port = loopback.free_port(), loopback.free_port()
pcap = t.path("handshakes.pcap")
with loopback.Capture(pcap, [port, gnutls_port]):
    for i, (name, cert, server_options, client_options, *_) in enumerate(CASES):
        server = loopback.Server(t, port, ["-www", "-min_protocol", "TLSv1", "-cipher", ALL, *loopback.cert_options(t, cert), *server_options])
        try:
            r = sh("openssl", "s_client", "-connect", "%s:%d" % (loopback.host_of(i), port), *client_options)
            t.check((r.returncode == 0) == (name != "fallback refused"), "%s: no session: %s", name, r.stdout[-300:])
        finally:
            server.stop()
    for i, (name, priority, *_) in enumerate(gnutls):
        server = GnutlsServer(gnutls_port, "good", priority)
        try:
            r = sh("gnutls-cli", "--insecure", "--priority", priority, "-p", str(gnutls_port), loopback.host_of(100 + i))
            t.check(r.returncode == 0, "%s: no session: %s", name, r.stdout[-300:])
        finally:
            server.stop()
config = t.path("loopback.yaml")
open(config, "w").write("gateways: [{network: 127.0.0.1}]\n")
out = t.path("out", "")
t.replay("-c", config, "-o", out, pcap)

# Names that are not to be kept stand nowhere, nor what leads to them in public logs.
for policy in ("keep", "drop", "hash"):
    secret = t.path("names-%s.yaml" % policy)
    open(secret, "w").write("gateways: [{network: 127.0.0.1}]\nnames: {policy: %s, key_hex: '%s'}\n" % (policy, "5a" * 16 if policy == "hash" else ""))
    told = t.path("names-" + policy, "")
    t.replay("-c", secret, "-e", "tls", "-o", told, pcap)
    text = b"".join(harness.contents(told).values()) + json.dumps(list(harness.events(told))).encode()
    for name in (b"server.example", b'"serial": ', b'"fingerprint": '):
        t.check((name in text) == (policy == "keep"), "names: {policy: %s} and %s is %sthere", policy, name, "" if name in text else "not ")

found, severities, judged = {}, {}, {}
for segment in harness.segments(out):
    for row in harness.rows(segment.replace("/summary-", "/flags-")):
        address = row.get("server", {}).get("addr")
        if row["kind"] == "finding":
            found.setdefault(address, set()).update({row["rule"], row["rule"] + ":" + row["severity"]})
        elif row["kind"] == "judged":
            judged[address] = row


def compare(name, address, want, never):
    have = found.get(address, set())
    t.check(address in judged, "%s: nothing was judged", name)
    t.check(want <= have, "%s: not found: %s (found %s)", name, want - have, sorted(have))
    t.check(not never & have, "%s: found: %s", name, never & have)
    return {x for x in have if ":" not in x} - {x.split(":")[0] for x in want}


for i, (name, _, _, _, want, never) in enumerate(CASES):
    rest = compare(name, loopback.host_of(i), want, never) - ALWAYS - LOW
    t.check(name in ("TLS 1.0", "TLS 1.1", "fallback refused", "NULL", "anonymous") or rest <= {"CERT_LONG", "STATIC_RSA"}, "%s: also found: %s", name, rest)
for i, (name, _, want, never) in enumerate(gnutls):
    compare(name, loopback.host_of(100 + i), want, never)
good, new = judged.get(loopback.host_of(0), {}), judged.get(loopback.host_of(1), {})
t.check(good.get("certificates") == {"seen": 1}, "certificates of TLS 1.2: %s", good)
t.check(new.get("clean") == 1 and new.get("certificates") == {"not_visible": 1}, "certificates of TLS 1.3: %s", new)
print("%d handshakes of OpenSSL, %d of GnuTLS" % (len(CASES), len(gnutls)))
t.end()
