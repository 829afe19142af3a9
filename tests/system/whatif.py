#!/usr/bin/env python3
"""whatif against the real thing: many clients talk to a permissive OpenSSL server on the loopback while tcpdump listens; whatif says from
that capture whom a stricter policy would cut off; then each client talks to a server that keeps to the policy, and must be refused exactly
where whatif said so. Needs root (or the right to capture), openssl, tcpdump; also uses gnutls-cli and curl where they are."""
import csv, io, json, os, shutil, socket, ssl, struct, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "laws"))
import harness, loopback

t = harness.Test(__doc__, shared=False)
loopback.need(t, "openssl", "tcpdump")
CLIENT, PROBE = "127.0.0.1", "127.0.0.9"    # each client has a server address of its own
sh, host_of = loopback.sh, loopback.host_of


# ---- clients: name, and a function of the port that says whether it came to a session

def s_client(*args):
    return lambda host, port: sh("openssl", "s_client", "-connect", "%s:%d" % (host, port), *args).returncode == 0


def gnutls(priority, *more):
    return lambda host, port: sh("gnutls-cli", "--insecure", "--priority", priority, *more, "-p", str(port), host).returncode == 0


def curl(*args):
    return lambda host, port: sh("curl", "-sk", "--max-time", "10", *args, "https://%s:%d/" % (host, port)).returncode == 0


def python(least, most, ciphers=None, sni=None, source=CLIENT):
    def run(host, port):
        c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        c.check_hostname, c.verify_mode = False, ssl.CERT_NONE
        import warnings
        warnings.simplefilter("ignore")
        c.set_ciphers(ciphers or "ALL:@SECLEVEL=0")
        c.minimum_version, c.maximum_version = least, most
        try:
            with socket.create_connection((host, port), 5, (source, 0)) as s, c.wrap_socket(s, server_hostname=sni):
                return True
        except (ssl.SSLError, OSError):
            return False
    return run


def ext(kind, body):
    return struct.pack("!HH", kind, len(body)) + body


def u16s(values):
    body = b"".join(struct.pack("!H", v) for v in values)
    return struct.pack("!H", len(body)) + body


def raw_hello(version, ciphers, groups=None, signatures=None, more=b""):
    exts = (ext(10, u16s(groups)) + ext(11, b"\1\0") if groups else b"") + (ext(13, u16s(signatures)) if signatures else b"") + more
    body = struct.pack("!H", version) + os.urandom(32) + b"\0" + u16s(ciphers) + b"\1\0"
    body += struct.pack("!H", len(exts)) + exts if exts else b""
    return harness.tls_record(22, b"\1" + struct.pack("!I", len(body))[1:] + body, 0x0301)


def v2_hello(version, ciphers):
    kinds = b"".join(b"\0" + struct.pack("!H", c) for c in ciphers)
    body = struct.pack("!BHHHH", 1, version, len(kinds), 0, 16) + kinds + os.urandom(16)
    return struct.pack("!H", 0x8000 | len(body)) + body


def raw(hello):
    """Says a hello; a session is to be had where the server answers with all of its flight."""
    def run(host, port):
        data = b""
        with socket.create_connection((host, port), 5) as s:
            s.sendall(hello)
            s.settimeout(2)
            try:
                while b"\x0e\0\0\0" not in data:
                    more = s.recv(65536)
                    if not more:
                        break
                    data += more
            except OSError:
                pass
        return data[:1] == b"\x16"
    return run


V = ssl.TLSVersion
CLIENTS = [
    ("openssl default", s_client()),
    ("openssl tls1.0", s_client("-tls1", "-cipher", "ALL:@SECLEVEL=0")),
    ("openssl tls1.1", s_client("-tls1_1", "-cipher", "ALL:@SECLEVEL=0")),
    ("openssl tls1.2", s_client("-tls1_2")),
    ("openssl tls1.3", s_client("-tls1_3")),
    ("openssl up to 1.1", s_client("-min_protocol", "TLSv1", "-max_protocol", "TLSv1.1", "-cipher", "ALL:@SECLEVEL=0")),
    ("openssl 1.0 to 1.3", s_client("-min_protocol", "TLSv1", "-cipher", "ALL:@SECLEVEL=0")),
    ("openssl RSA key exchange", s_client("-tls1_2", "-cipher", "AES128-SHA:AES128-GCM-SHA256")),
    ("openssl CBC", s_client("-tls1_2", "-cipher", "ECDHE-RSA-AES128-SHA256:ECDHE-ECDSA-AES128-SHA256")),
    ("openssl CBC SHA1", s_client("-tls1_2", "-cipher", "ECDHE-RSA-AES256-SHA:ECDHE-ECDSA-AES256-SHA:AES256-SHA")),
    ("openssl DHE", s_client("-tls1_2", "-cipher", "DHE-RSA-AES128-GCM-SHA256")),
    ("openssl ChaCha", s_client("-tls1_2", "-cipher", "ECDHE-RSA-CHACHA20-POLY1305:ECDHE-ECDSA-CHACHA20-POLY1305")),
    ("openssl AES128 of 1.3", s_client("-tls1_3", "-ciphersuites", "TLS_AES_128_GCM_SHA256")),
    ("openssl CCM of 1.3", s_client("-tls1_3", "-ciphersuites", "TLS_AES_128_CCM_SHA256")),
    ("openssl X448", s_client("-groups", "X448")),
    ("openssl P-521", s_client("-groups", "P-521")),
    ("openssl P-384 1.2", s_client("-tls1_2", "-groups", "P-384:P-256", "-cipher", "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES256-GCM-SHA384")),
    ("openssl brainpool 1.2", s_client("-tls1_2", "-groups", "brainpoolP256r1:P-256")),
    ("openssl brainpool only", s_client("-tls1_2", "-groups", "brainpoolP384r1")),
    ("openssl X25519 and P-256", s_client("-groups", "X25519:P-256")),
    ("openssl RSA signatures", s_client("-sigalgs", "RSA+SHA256:RSA-PSS+SHA256")),
    ("openssl ECDSA signatures", s_client("-sigalgs", "ECDSA+SHA256")),
    ("openssl SHA-1 signatures", s_client("-tls1_2", "-sigalgs", "RSA+SHA1:ECDSA+SHA1", "-cipher", "ALL:@SECLEVEL=0")),
    ("openssl SHA-512 signatures", s_client("-tls1_2", "-sigalgs", "RSA+SHA512:ECDSA+SHA512")),
    ("openssl RSA PSS only", s_client("-tls1_2", "-sigalgs", "RSA-PSS+SHA256")),
    ("openssl with a name", s_client("-servername", "server.example")),
    ("openssl without a name", s_client("-noservername")),
    ("python", python(V.TLSv1_2, V.TLSv1_3)),
    ("python TLS 1.0 only, as firmware of 2020", python(V.TLSv1, V.TLSv1)),
    ("python up to 1.2", python(V.TLSv1, V.TLSv1_2)),
    ("python with a name", python(V.TLSv1_2, V.TLSv1_2, None, "server.example")),
    ("python RSA key exchange", python(V.TLSv1_2, V.TLSv1_2, "AES256-GCM-SHA384:@SECLEVEL=0")),
    ("raw: no groups, 1.2", raw(raw_hello(0x0303, [0xC02F, 0xC02B], None, [0x0401, 0x0403]))),
    ("raw: no groups, RSA", raw(raw_hello(0x0303, [0xC02F, 0x009C], None, [0x0401, 0x0403]))),
    ("raw: no signatures, 1.2", raw(raw_hello(0x0303, [0xC02F, 0xC02B], [23, 29]))),
    ("raw: no extensions, RSA", raw(raw_hello(0x0303, [0x009C, 0x002F]))),
    ("raw: GREASE before all", raw(raw_hello(0x0303, [0x0A0A, 0xC02F, 0xC02B], [0x1A1A, 23], [0x0401, 0x0403]))),
    ("raw: only GREASE and an SCSV", raw(raw_hello(0x0303, [0x0A0A, 0x00FF], [23], [0x0401]))),
    ("raw: a version there is not", raw(raw_hello(0x0304, [0xC02F, 0xC02B], [23], [0x0401, 0x0403]))),
    ("raw: SSLv2 format, TLS 1.2", raw(v2_hello(0x0303, [0x009C, 0x002F, 0xC02F]))),
    ("raw: SSLv2 format, TLS 1.0", raw(v2_hello(0x0301, [0x002F, 0x0035]))),
]
if shutil.which("gnutls-cli"):
    CLIENTS += [
        ("gnutls", gnutls("NORMAL")),
        ("gnutls tls1.0", gnutls("NORMAL:-VERS-ALL:+VERS-TLS1.0")),
        ("gnutls tls1.2 RSA", gnutls("NORMAL:-VERS-ALL:+VERS-TLS1.2:-KX-ALL:+RSA")),
        ("gnutls 1.2, secp521r1", gnutls("NORMAL:-VERS-ALL:+VERS-TLS1.2:-GROUP-ALL:+GROUP-SECP521R1:+GROUP-SECP256R1:-KX-ALL:+ECDHE-RSA:+ECDHE-ECDSA")),
        ("gnutls 1.3, ffdhe", gnutls("NORMAL:-VERS-ALL:+VERS-TLS1.3:-GROUP-ALL:+GROUP-FFDHE2048")),
    ]
if shutil.which("curl"):
    CLIENTS += [("curl", curl()), ("curl up to 1.2", curl("--tls-max", "1.2", "--tlsv1.2")),
                ("curl one suite", curl("--tls-max", "1.2", "--ciphers", "AES128-GCM-SHA256"))]
N = len(CLIENTS)

# ---- policies: what whatif is told, and the same for OpenSSL

NAMES = {"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256": "ECDHE-ECDSA-AES128-GCM-SHA256", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256": "ECDHE-RSA-AES128-GCM-SHA256",
         "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384": "ECDHE-ECDSA-AES256-GCM-SHA384", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384": "ECDHE-RSA-AES256-GCM-SHA384",
         "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-ECDSA-CHACHA20-POLY1305",
         "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-RSA-CHACHA20-POLY1305"}
ALL = "ALL:@SECLEVEL=0"


def suites(names):
    return ":".join(NAMES[n] for n in names) + ":@SECLEVEL=0"


SIX, FOUR = list(NAMES), [n for n in NAMES if "CHACHA" not in n]
STRICT_YAML = """name: strict
accept:
  versions: [tls1.2, tls1.3]
  ciphers: [TLS_AES_256_GCM_SHA384, TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384]
  groups: [secp384r1, secp256r1]
  signatures: [rsa_pss_rsae_sha256, ecdsa_secp256r1_sha256]
"""
open(t.path("strict.yaml"), "w").write(STRICT_YAML)
POLICIES = [
    ("min 1.2", ["--min-version", "tls1.2"], ["-min_protocol", "TLSv1.2", "-cipher", ALL]),
    ("min 1.3", ["--min-version", "tls1.3"], ["-min_protocol", "TLSv1.3", "-cipher", ALL]),
    ("mozilla", ["--policy", t.config("policy-mozilla-intermediate.yaml")],
     ["-min_protocol", "TLSv1.2", "-cipher", suites(SIX), "-groups", "X25519:P-256:P-384",
      "-ciphersuites", "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"]),
    ("rfc9325 but for SSLv2 hellos", ["--policy", t.path("rfc9325.yaml")],
     ["-min_protocol", "TLSv1.2", "-cipher", suites(FOUR), "-groups", "X25519:P-256:P-384:P-521:X448", "-serverpref",
      "-ciphersuites", "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256",
      "-sigalgs", "ECDSA+SHA256:ECDSA+SHA384:ECDSA+SHA512:ed25519:ed448:RSA-PSS+SHA256:RSA-PSS+SHA384:RSA-PSS+SHA512:RSA+SHA256:RSA+SHA384:RSA+SHA512"]),
    ("strict", ["--policy", t.path("strict.yaml")],
     ["-min_protocol", "TLSv1.2", "-cipher", "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES256-GCM-SHA384:@SECLEVEL=0", "-groups", "P-384:P-256",
      "-ciphersuites", "TLS_AES_256_GCM_SHA384", "-sigalgs", "RSA-PSS+SHA256:ECDSA+SHA256"]),
]
text = open(t.config("policy-rfc9325.yaml")).read()
open(t.path("rfc9325.yaml"), "w").write(text.replace("sslv2_hello: false", "sslv2_hello: true"))


def all_clients(port, cert, options, probe=False):
    """{client: came to a session}. A probe by TLS 1.2 at each address, from elsewhere, shows the certificate, as other clients would."""
    look = python(V.TLSv1_2, V.TLSv1_2, None, None, PROBE)
    server = loopback.Server(t, port, ["-www", "-num_tickets", "0", *loopback.cert_options(t, cert), *options])
    try:
        return {name: (not probe or look(host_of(i), port)) and run(host_of(i), port) for i, (name, run) in enumerate(CLIENTS)}
    finally:
        server.stop()


def ask(args, segments):
    """{client: (result, reason)} as whatif says."""
    by_host = {}
    for what in ("break", "unknown"):
        r = t.run("whatif", *args, "--list", what, "--format", "json", *segments)
        t.check(r.returncode == 0, "whatif %s: %d %s", args, r.returncode, r.stderr)
        for line in r.stdout.splitlines():
            row = json.loads(line)
            t.check(row["result"] == what, "list of %s: %s", what, line)
            if row["client"] == "addr:" + CLIENT:
                by_host.setdefault(row["server"], []).append(row)
    answers = {}
    for i, (name, _) in enumerate(CLIENTS):
        rows = by_host.get(host_of(i), [])
        t.check(len(rows) <= 1, "%s: more than one line: %s", name, rows)
        answers[name] = (rows[0]["result"], rows[0]["reason"]) if rows else ("connect", "")
    return answers


loopback.make_cert(t, "rsa", "rsa:2048")
loopback.make_cert(t, "ec", "ec", "-pkeyopt", "ec_paramgen_curve:P-256")
open(t.path("loopback.yaml"), "w").write("gateways: [{network: 127.0.0.1}, {network: 127.0.0.9}]\n")
port = loopback.free_port()
broke = connected = 0
for cert, policies in (("rsa", POLICIES), ("ec", POLICIES[0:1] + POLICIES[2:5:2])):
    pcap = t.path(cert + ".pcap")
    with loopback.Capture(pcap, [port]):
        today = all_clients(port, cert, ["-min_protocol", "TLSv1", "-cipher", ALL], probe=True)
    out = t.path(cert + "-out", "")
    totals = t.replay("-c", t.path("loopback.yaml"), "-o", out, pcap)
    segments = harness.segments(out)
    for title, args, options in policies:
        said, really = ask(args, segments), all_clients(port, cert, options)
        for name, _ in CLIENTS:
            result, reason = said[name]
            where = (cert, title, name)
            if result == "unknown":     # said only where servers differ, or of those who come to nothing today
                t.check((reason == "client_groups_not_told" and ("no groups" in name or "SSLv2" in name)) or (reason == "fails_today" and not today[name]),
                        "%s, %s, %s: unknown: %s", *where, reason)
                continue
            t.check((result == "connect") == really[name], "%s, %s, %s: whatif says %s %s, the server %s", *where, result, reason,
                    "takes it" if really[name] else "refuses it")
            broke += not really[name]
            connected += really[name]
    if cert == "rsa":
        t.check(sum(today.values()) >= 24, "only %d of %d clients come to a session today", sum(today.values()), N)
        lists = [t.run("whatif", "--min-version", "tls1.2", "--list", "break", *more, *segments).stdout for more in (("--format", "json"), ())]
        rows, table = [json.loads(x) for x in lists[0].splitlines()], list(csv.DictReader(io.StringIO(lists[1].decode())))
        t.check([r["client_type"] for r in rows] == [r["client_type"] for r in table], "CSV and JSON differ")
        for i, (name, _) in enumerate(CLIENTS):
            for row in rows:
                if row["server"] == host_of(i) and row["client"] == "addr:" + CLIENT:
                    t.check(row["failing_today"] == (not today[name] or name.startswith("raw")), "failing today: %s: %s", name, row)
        for server, n in ((host_of(1), 2), ("127.0.2.250", 0), ("other.example", 0), ("SERVER.example", len(CLIENTS))):
            r = t.run("whatif", "--min-version", "tls1.2", "--server", server, *segments)
            lines = r.stdout.decode().split("\n\n")[-1].strip().splitlines()
            t.check(r.returncode == 0 and len(lines) - 1 >= n and (n > 0 or "was seen" in lines[0] and len(lines) == 1), "--server %s: %s", server, r.stdout)
print("%d clients, %d policies, 2 certificates: %d connect, %d break" % (N, len(POLICIES), connected, broke))
t.check(broke > 50 and connected > 50, "one-sided")
t.end()
