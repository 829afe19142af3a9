#!/usr/bin/env python3
"""DTLS handshakes of OpenSSL and GnuTLS, captured on the loopback interface: exactly the rows and totals they should give.

Skipped where a program is missing or packets cannot be captured. Ports are free ones; every process is ended by its id.
"""
import os, shutil, socket, subprocess, sys, time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "laws"))
import harness

t = harness.Test(__doc__.split("\n")[0], shared=False)
for program in ("openssl", "tcpdump"):
    if shutil.which(program) is None:
        harness.skip("no " + program)
CONFIG = t.path("loopback.yaml")
with open(CONFIG, "w") as f:
    f.write('scope: all\ngateways: []\nclients:\n  networks: ["127.0.0.0/8"]\n')
KEY, CERT = t.path("key.pem"), t.path("cert.pem")
subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", KEY, "-out", CERT, "-days", "2", "-subj", "/CN=dtls.example"],
               check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def free_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def stop(process):
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def capture(port, path):
    """tcpdump, once it listens."""
    out = open(path, "wb")
    p = subprocess.Popen(["tcpdump", "-i", "lo", "-U", "--immediate-mode", "-B", "32768", "-s", "0", "-w", "-", "udp", "port", str(port)], stdout=out, stderr=subprocess.PIPE)
    out.close()
    os.set_blocking(p.stderr.fileno(), False)
    said, until = b"", time.time() + 5
    while time.time() < until and b"listening on" not in said and p.poll() is None:
        said += p.stderr.read() or b""
        time.sleep(0.02)
    if b"listening on" not in said:
        stop(p)
        harness.skip("cannot capture on lo: " + said.decode("utf8", "replace").strip()[-200:])
    return p


def bound(port):
    """Has somebody bound this UDP port?"""
    with open("/proc/net/udp") as a, open("/proc/net/udp6") as b:
        return ("%04X" % port) in {line.split()[1].rsplit(":", 1)[1] for line in a.readlines()[1:] + b.readlines()[1:]}


def settled(path):
    """Waits until the capture has not grown for a while."""
    size, since = -1, time.time()
    while time.time() - since < 1.0:
        if os.path.getsize(path) != size:
            size, since = os.path.getsize(path), time.time()
        time.sleep(0.05)


def talk(name, server, clients, say=b"hello\n", wait=True):
    """Runs the server and one client after the other; returns (rows of the segments by kind, totals, events)."""
    port = free_port()
    pcap = t.path(name + ".pcap")
    dump = capture(port, pcap)
    serve = subprocess.Popen([x.replace("PORT", str(port)) for x in server], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL)
    try:
        until = time.time() + 5
        while not bound(port) and serve.poll() is None and time.time() < until:
            time.sleep(0.02)
        for client in clients:
            c = subprocess.Popen([x.replace("PORT", str(port)) for x in client], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                                 stderr=subprocess.DEVNULL)
            try:
                if wait:
                    settled(pcap)           # the handshake; then a word
                    c.stdin.write(say)
                    c.stdin.flush()
                settled(pcap)
                c.stdin.close()
                c.wait(5)
            except (subprocess.TimeoutExpired, BrokenPipeError):
                pass
            finally:
                stop(c)
    finally:
        settled(pcap)
        stop(serve)
        stop(dump)
    out = t.path(name, "")
    totals = t.replay("-c", CONFIG, "-e", "tls", "-o", out, pcap) or {}
    rows = {}
    for segment in harness.segments(out):
        for row in harness.rows(segment):
            rows.setdefault(row["kind"], []).append(row)
    return port, rows, totals, harness.events(out)


def check(name, got, hellos, *sessions):
    """`sessions`: of each the members that a row must have, and no other row may be there."""
    port, rows, totals, events = got
    t.check((totals.get("dtls") or {}) == hellos, "%s: dtls %s, not %s", name, totals.get("dtls"), hellos)
    t.check(set(totals["packets"]["outcome"]) == {"ok"}, "%s: outcomes %s", name, totals["packets"]["outcome"])
    t.check("ledger" not in totals, "%s: ledger %s", name, totals.get("ledger"))
    common = {"kind": "tls", "port": port, "peer": "127.0.0.1", "client": "addr:127.0.0.1", "client_kind": "host", "site": "replay",
              "carrier": "dtls", "handshake_seen": 1, "sessions": 1, "handshakes": 1}
    want = [dict(common, role=role, **s) for s in sessions for role in ("client", "server")]
    want = [dict(w, signs=["server_alert"]) if "alert" in w else w for w in want]
    told = []
    for row in rows.get("tls", []):
        row = dict(row)
        t.check(row.get("ja4", "").startswith("dd"), "%s: JA4 %s", name, row.get("ja4"))     # DTLS, with SNI
        for member in ("bytes_out", "bytes_in", "first_ns", "last_ns", "hello", "ja4"):
            t.check(bool(row.pop(member, None)), "%s: no %s", name, member)
        answers = {a["id"] for a in rows.get("answer", [])}
        t.check(("cipher" in row) == (row.pop("answer", None) in answers), "%s: the row of its answer", name)
        told.append(row)
    order = lambda rows: sorted(rows, key=lambda r: sorted(map(str, r.items())))
    t.check(order(told) == order(want), "%s: rows\n  got  %s\n  want %s", name, order(told), order(want))
    versions = {"0xfeff": "DTLS 1.0", "0xfefd": "DTLS 1.2", None: None}
    t.check(sorted(str(e["tls"].get("version")) for e in events) == sorted(str(versions[s.get("version")]) for s in sessions),
            "%s: events %s", name, events)
    t.check(all(e["proto"] == "UDP" and e["dest_port"] == port for e in events), "%s: events %s", name, events)
    ids = {h["id"] for h in rows.get("hello", [])}
    t.check(all(r["hello"] in ids for r in rows.get("tls", [])), "%s: a hello without a row", name)


WEAK = ["-cipher", "DEFAULT:@SECLEVEL=0"]
SERVER = ["openssl", "s_server", "-key", KEY, "-cert", CERT, "-accept", "127.0.0.1:PORT", "-mtu", "256", "-timeout"]
CLIENT = ["openssl", "s_client", "-connect", "127.0.0.1:PORT", "-mtu", "256", "-timeout", "-servername", "dtls.example"]
ESTABLISHED = {"outcome": "established", "sni": "dtls.example"}

check("openssl 1.0", talk("openssl-10", SERVER + ["-dtls1"] + WEAK, [CLIENT + ["-dtls1"] + WEAK]), {"client_hellos": 2, "server_hellos": 1},
      dict(ESTABLISHED, version="0xfeff", cipher="0xc014"))
check("openssl 1.2", talk("openssl-12", SERVER + ["-dtls1_2", "-alpn", "coap"], [CLIENT + ["-dtls1_2", "-alpn", "coap,h2"]]),
      {"client_hellos": 2, "server_hellos": 1}, dict(ESTABLISHED, version="0xfefd", cipher="0xc030", alpn="coap"))
check("openssl cookie", talk("openssl-cookie", SERVER + ["-dtls", "-listen"], [CLIENT + ["-dtls"]]), {"client_hellos": 2, "server_hellos": 1},
      dict(ESTABLISHED, version="0xfefd", cipher="0xc030"))
ticket = t.path("ticket.pem")
check("openssl resumed", talk("openssl-resumed", SERVER + ["-dtls1_2"], [CLIENT + ["-dtls1_2", "-sess_out", ticket], CLIENT + ["-dtls1_2", "-sess_in", ticket]]),
      {"client_hellos": 4, "server_hellos": 2}, dict(ESTABLISHED, version="0xfefd", cipher="0xc030"),
      dict(ESTABLISHED, version="0xfefd", cipher="0xc030", resumed=1))
check("openssl refused", talk("openssl-refused", SERVER + ["-dtls1_2", "-cipher", "AES128-GCM-SHA256"],
                              [CLIENT + ["-dtls1_2", "-cipher", "AES256-GCM-SHA384"]], wait=False),
      {"client_hellos": 2}, {"outcome": "refused", "sni": "dtls.example", "alert": "0x0228"})
if shutil.which("gnutls-serv") and shutil.which("gnutls-cli"):
    server = ["gnutls-serv", "--udp", "--echo", "--port", "PORT", "--mtu", "300", "--x509keyfile", KEY, "--x509certfile", CERT]
    client = ["gnutls-cli", "--udp", "--insecure", "--port", "PORT", "--mtu", "300", "--sni-hostname", "dtls.example", "127.0.0.1"]
    check("gnutls 1.2", talk("gnutls-12", server, [client]), {"client_hellos": 2, "server_hellos": 1},
          dict(ESTABLISHED, version="0xfefd", cipher="0xc030"))
    priority = ["--priority", "NORMAL:-VERS-ALL:+VERS-DTLS1.0:%COMPAT"]
    check("gnutls 1.0", talk("gnutls-10", server + priority, [client + priority]), {"client_hellos": 2, "server_hellos": 1},
          dict(ESTABLISHED, version="0xfeff", cipher="0xc014"))
else:
    print("without GnuTLS: gnutls-bin is missing")
t.end()
