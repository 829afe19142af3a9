#!/usr/bin/env python3
"""Attacks on the reader: a flood of half-open handshakes, a certificate of 16 MiB, 10,000 tiny records, trains of fragments. Memory stays at its
limit, the ledger says what was turned away, and the sessions of others in between are seen as if nothing had been."""
import json, os, random, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "laws"))
import harness
from tlswire import *

t = harness.Test(__doc__, shared=False)
T0 = 1519905600 * 1000000
SERVER = ("02:00:00:00:01:00", "93.184.1.1")
GOOD = cert()
LIMITS = """scope: all
gateways: [{any_client_address: true}]
limits: {fragment_datagrams: 64, fragment_bytes: 262144, tcp_flows: 2000, tcp_buffers: 100, tcp_buffer_bytes: 65536, dtls_flows: 200, dtls_hellos: 16}
"""
config = t.path("limits.yaml")
open(config, "w").write(LIMITS)
MIB, random_of = 1024, random.Random(7)


def whole(i):
    """A session of somebody else."""
    s = Session().hellos(client_hello(sni="good%d.example" % i), server_hello(), certificate(GOOD), ske_ecdhe(b"\4" + struct.pack("!Q", i) * 8), DONE)
    c = harness.Conversation(("02:00:00:00:00:01", "192.168.1.10"), SERVER, 10000 + i, 443, T0)
    for side, data in s.finish().data(0).data(1).said:
        c.say(side, data)
    return [f for _, f in c.close().packets]


def dtls(sport, fragments, seq=0, dst="93.184.1.2"):
    """Datagrams of one fragment each: (message, total, offset, bytes)."""
    for k, (kind, total, offset, body) in enumerate(fragments):
        head = bytes([kind]) + struct.pack("!I", total)[1:] + struct.pack("!H", 0) + struct.pack("!I", offset)[1:] + struct.pack("!I", len(body))[1:]
        record = b"\x16\xfe\xfd" + struct.pack("!HHI", 0, 0, seq + k) + block(head + body, 2)
        yield harness.frame("02:00:00:00:00:02", SERVER[0], harness.ipv4("10.9.%d.%d" % (sport >> 8, sport & 255), dst, 17, harness.udp(20000 + sport % 30000, 4433, record)))


def dtls_hello():
    body = b"\xfe\xfd" + b"D" * 32 + b"\0" + b"\0" + block(struct.pack("!HH", 0xC02B, 0xC02F), 2) + b"\1\0"
    return body


def interleave(attack, every):
    """The attack's frames, and a step of somebody's session after each `every` of them; two sessions at a time."""
    frames, good = list(attack), []
    for i in range(0, 20, 2):
        a, b = whole(i), whole(i + 1)
        good += [x for pair in zip(a, b) for x in pair]
    out, k = [], 0
    for i, f in enumerate(frames):
        out.append(f)
        if i % every == every - 1 and k < len(good):
            out.append(good[k])
            k += 1
    return out + good[k:]


def apart(f):
    """Does f() in a process of its own, and returns what it failed. A process begins with the peak of memory of the one it came from: this one
    must stay small, or what it starts seems large."""
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        t.failures = 0
        f()
        sys.stdout.flush()
        os._exit(min(t.failures, 255))
    return os.waitpid(child, 0)[1]


def check(name, frames, every, more=lambda totals, rows: None, rss=8 * MIB):
    """The attack, with the others' sessions in between."""
    t.check(apart(lambda: attack(name, frames, every, more, rss)) == 0, "%s", name)


def attack(name, frames, every, more, rss):
    pcap, out = t.path(name.replace(" ", "-") + ".pcap"), t.path(name.replace(" ", "-"), "")
    apart(lambda: harness.write_pcap(pcap, ((T0 + i * 100, f) for i, f in enumerate(interleave(frames, every)))))
    r = t.run("replay", "--json", "-q", "-c", config, "-o", out, pcap)
    t.check(r.returncode == 0, "%s: exit status %d: %s", name, r.returncode, r.stderr)
    totals = json.loads(r.stdout)
    ledger = totals.setdefault("ledger", {})
    rows = [row for s in harness.segments(out) for row in harness.rows(s) if row["kind"] == "tls"]
    good = [row for row in rows if row.get("sni", "").startswith("good") and row["role"] == "client"]
    t.check(len(good) == 20 and all(g["outcome"] == "established" and g.get("sessions") == g.get("handshakes") == 1 for g in good),
            "%s: others' sessions: %d, %s", name, len(good), [g for g in good if g["outcome"] != "established"][:2])
    t.check(totals["tls"]["snis"].get("good7.example") == 1, "%s: others' names", name)
    t.check(sum(totals["packets"]["outcome"].values()) == totals["packets"]["read"] , "%s: packets", name)
    t.check(r.rss_kib - base.rss_kib <= rss, "%s: memory: %d KiB, without it %d KiB", name, r.rss_kib, base.rss_kib)
    print("%-26s %6d packets, %d KiB (without it %d KiB), %s" % (name, totals["packets"]["read"], r.rss_kib, base.rss_kib, ledger))
    more(totals, rows)
    os.unlink(pcap)


quiet = harness.write_pcap(t.path("quiet.pcap"), [(T0 + i * 100, f) for i, f in enumerate(interleave([], 1))])
t.run("replay", "-q", "-c", config, "-o", t.path("quiet", ""), quiet)
base = t.run("replay", "--json", "-q", "-c", config, "-o", t.path("quiet2", ""), quiet)
t.check(json.loads(base.stdout)["tls"]["sessions"] == 20, "nothing but the others")


# 20,000 handshakes that stop after the first half of a ClientHello, from as many addresses; 400 connections more than are kept stay open
def half_open():
    hello = harness.tls_record(22, client_hello(sni="half.example"), 0x0301)
    for i in range(20000):
        c = harness.Conversation(("02:00:00:00:00:03", "10.%d.%d.%d" % (1 + i // 62500, i // 250 % 250, 1 + i % 250)), SERVER, 1024 + i % 60000, 443, T0)
        c.say(0, hello[:len(hello) // 2])
        yield from (f for _, f in c.packets)


def turned(*names):
    def more(totals, rows):
        for name in names:
            t.check(totals["ledger"].get(name, 0) > 0, "nothing counted as %s: %s", name, totals["ledger"])
    return more


check("half-open flood", half_open(), 400, turned("flows_turned_away", "buffers_turned_away"), rss=24 * MIB)     # its addresses have rows


# a Certificate message that claims 16 MiB, and sends them
def certificate_claim():
    c = harness.Conversation(("02:00:00:00:00:03", "10.1.1.1"), SERVER, 30000, 443, T0)
    c.say(0, harness.tls_record(22, client_hello(sni="large.example"), 0x0301)).say(1, harness.tls_record(22, server_hello()))
    body = message(11, block(block(bytes(0xFFFFF0), 3), 3)) + DONE
    stream = b"".join(harness.tls_record(22, body[i:i + 16384]) for i in range(0, len(body), 16384))
    for i in range(0, len(stream), 1400):
        c.say(1, stream[i:i + 1400])
    for side, data in Session().finish().said:
        c.say(side, data)
    yield from (f for _, f in c.close().packets)


def large(totals, rows):
    turned("certs_turned_away")(totals, rows)
    r = [x for x in rows if x.get("sni") == "large.example" and x["role"] == "client"]
    t.check(len(r) == 1 and r[0]["outcome"] == "established", "the session itself: %s", r)


check("a certificate of 16 MiB", certificate_claim(), 60, large)


# a hello in 10,000 records of a byte each, then 10,000 warnings
def tiny_records():
    c = harness.Conversation(("02:00:00:00:00:03", "10.1.1.1"), SERVER, 30000, 443, T0)
    hello = client_hello(sni="tiny.example", ext=(EMS, RENEG, (21, bytes(10000 - 118))))
    t.check(9900 < len(hello) < 10100, "the hello's length: %d", len(hello))
    stream = b"".join(harness.tls_record(22, bytes([b])) for b in hello)
    for i in range(0, len(stream), 1400):
        c.say(0, stream[i:i + 1400])
    c.say(1, harness.tls_record(22, server_hello()) + harness.tls_record(22, certificate(GOOD)) + harness.tls_record(22, ske_ecdhe(b"\4" + b"T" * 64) + DONE))
    for i in range(100):
        c.say(1, harness.tls_record(21, b"\1\x5a") * 100)
    for side, data in Session().finish().said:
        c.say(side, data)
    yield from (f for _, f in c.close().packets)


def tiny(totals, rows):
    r = [x for x in rows if x.get("sni") == "tiny.example" and x["role"] == "client"]
    t.check(len(r) == 1 and r[0]["outcome"] == "established" and r[0].get("ja4", "")[:4] == "t12d", "the session itself: %s", r)
    t.check(totals["tls"]["alerts"].get("1:90") == 10000, "warnings: %s", totals["tls"]["alerts"])


check("10,000 tiny records", tiny_records(), 1, tiny)


# segments of a byte, each a byte too far: nothing ever comes into order, of 300 connections
def gaps():
    for i in range(300):
        c = harness.Conversation(("02:00:00:00:00:03", "10.2.%d.%d" % (i // 250, 1 + i % 250)), SERVER, 30000, 443, T0)
        c.say(0, b"\x16\x03\x01\x20\x00\x01")
        for _ in range(200):
            c.seq[0] += 1
            c.say(0, b"x")
        yield from (f for _, f in c.packets)


check("trains of TCP segments", gaps(), 300, turned("buffers_turned_away", "bytes_turned_away"))


# datagrams of which only the last fragment is missing, each in pieces of 8 bytes; some pieces contradict others
def fragments():
    for i in range(200):
        data = bytes(random_of.randrange(256) for _ in range(8)) * 1
        for k in range(250):
            head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 28, i, 0x2000 | k, 64, 17, 0, harness.ip4("10.3.0.%d" % (1 + i % 250)), harness.ip4("93.184.1.3"))
            yield harness.frame("02:00:00:00:00:03", SERVER[0], head + data)
        yield harness.frame("02:00:00:00:00:03", SERVER[0], head[:6] + struct.pack("!H", 0x2000 | 3) + head[8:] + b"conflict")


check("trains of IP fragments", fragments(), 250, turned("fragments_turned_away"))


# hellos of DTLS of which each byte comes alone, and the last one never
def dtls_trains():
    body = dtls_hello()
    for k in range(len(body) - 1):
        for i in range(150):
            yield from dtls(i, [(1, len(body), k, body[k:k + 1])], k)


def dtls_more(totals, rows):
    turned("buffers_turned_away")(totals, rows)
    t.check(totals.get("dtls") is None, "hellos that never were whole: %s", totals.get("dtls"))


check("trains of DTLS fragments", dtls_trains(), 30, dtls_more)
body = dtls_hello()
check("a DTLS hello byte by byte", dtls(1, [(1, len(body), k, body[k:k + 1]) for k in random_of.sample(range(len(body)), len(body))]), 1,
      lambda totals, rows: t.check(totals.get("dtls", {}).get("client_hellos") == 1, "a hello in single bytes, in any order: %s", totals.get("dtls")))
t.end()
