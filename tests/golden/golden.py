#!/usr/bin/env python3
"""Goldens: what made-up captures give, as text that stands beside this script.

usage: golden.py --program PATH [--update]

Every message of a small fleet - DNS, NTP, TLS from SSLv3 to 1.3, the firmware's calls, a laptop next to the gateways - in two windows. The rows of
the segments, the events and the totals must be what the files say, under the default configuration and under any-client, with one thread
and with four. --update writes the files anew: look at the difference before you believe it.
"""
import json, os, re, sys

here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(here, "..", "laws"))
import harness

update = "--update" in sys.argv and sys.argv.remove("--update") is None
t = harness.Test(__doc__.split("\n")[0], shared=False)
T0, HOUR = 1519819200000000, 3600 * 1000000      # 2018-02-28T12:00:00Z
ROUTER, LAPTOP = ("02:00:00:00:00:01", "192.168.1.1"), ("02:00:00:00:00:42", "192.168.1.42")
GATEWAYS = [("ac:ca:54:00:70:15", "192.168.1.10"), ("ac:ca:54:00:00:02", "192.168.1.11")]


def exchange(ts, who, server, port, ask, answer, sport=4000):
    """A datagram and its answer 1.5 ms later."""
    there = harness.frame(who[0], ROUTER[0], harness.ipv4(who[1], server, 17, harness.udp(sport, port, ask)))
    back = harness.frame(ROUTER[0], who[0], harness.ipv4(server, who[1], 17, harness.udp(port, sport, answer)))
    return [(ts, there), (ts + 1500, back)]


def ntp64(ts):
    return (ts // 1000000 + 2208988800 & 0xFFFFFFFF) << 32 | ts % 1000000 * 4294


def session(ts, who, server, sport, sni, version, cipher, end="established", port=443):
    c = harness.Conversation(who, (ROUTER[0], server), sport, port, ts)
    c.say(0, harness.client_hello(sni, min(version, 0x0303), (cipher, 0x00FF), (0x0304, 0x0303) if version == 0x0304 else ()))
    if end == "refused":
        c.say(1, harness.tls_record(21, b"\x02\x28", 0x0301))
    else:
        c.say(1, harness.server_hello(min(version, 0x0303), cipher))
        for side in (1, 0, 1):
            c.say(side, harness.tls_record(20, b"\x01", min(version, 0x0303)) + harness.tls_record(22, bytes(40), min(version, 0x0303)))
        c.say(0, harness.tls_record(23, bytes(100), min(version, 0x0303)))
    return c.close().packets


def fleet():
    packets = []
    for window in (0, 1):
        for i, g in enumerate(GATEWAYS):
            at = T0 + window * HOUR + i * 60 * 1000000
            packets += exchange(at, g, "192.168.1.1", 53, harness.dns_query(7 + i, "0.pool.ntp.org"),
                                harness.dns_answer(7 + i, "0.pool.ntp.org", ["193.11.114.43", "198.51.100.7"]))
            packets += exchange(at + 100000, g, "192.168.1.1", 53, harness.dns_query(9, "gone.example"),
                                harness.dns_answer(9, "gone.example", [], rcode=3), sport=4001)
            sent = ntp64(at + 200000)
            packets += exchange(at + 200000, g, "193.11.114.43", 123, harness.ntp(3, xmt=sent),
                                harness.ntp(4, org=sent, rec=sent + (1 << 22), xmt=sent + (1 << 23), stratum=2, refid=0xC0A80101), sport=123)
            packets += session(at + 300000, g, "203.0.113.9", 50000 + window, None, 0x0301, 0x002F)
            packets += session(at + 400000, g, "203.0.113.10", 50010 + window, "pa-api.telldus.com", 0x0303, 0xC02F)
    g = GATEWAYS[0]
    packets += session(T0 + 500000, g, "203.0.113.11", 50020, "old.example", 0x0300, 0x0004)
    packets += session(T0 + 600000, g, "203.0.113.11", 50021, "strict.example", 0x0301, 0x002F, end="refused")
    packets += session(T0 + 700000, LAPTOP, "203.0.113.12", 50022, "private.example", 0x0303, 0x1301)
    call = harness.Conversation(GATEWAYS[1], (ROUTER[0], "203.0.113.5"), 40000, 80, T0 + 800000)
    call.say(0, b"GET /server/assign?protocolVersion=3&mac=ACCA54000002 HTTP/1.1\r\nHost: api.telldus.com\r\n\r\n")
    packets += call.say(1, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").close().packets
    return sorted(packets, key=lambda p: p[0])


def text_of(config, jobs, capture):
    """What stands in the golden: rows, events, totals, with what changes from release to release left out."""
    label = config or "default"
    out = t.path("%s-%d" % (label, jobs), "")
    totals = t.replay(*(["-c", t.config(config)] if config else []), "-j", jobs, "-e", "all", "-o", out, capture)
    if totals is None:
        return ""
    totals.pop("captures")
    rows = b"".join(harness.zstdcat(s) for s in harness.segments(out)) + harness.zstdcat(out + "events.ndjson.zst")
    text = rows.decode() + json.dumps(totals) + "\n"
    text = re.sub(r'"release":"[^"]*"', '"release":"*"', text)
    text = re.sub(r'"config":"[0-9a-f]{16}"', '"config":"*"', text)
    return re.sub(r'"sha256":"[0-9a-f]*"', '"sha256":"*"', text)


capture = harness.write_pcap(t.path("fleet.pcap"), fleet())
for config in (None, "any-client.yaml"):
    name = os.path.join(here, "fleet-%s.ndjson" % (config or "default").replace(".yaml", ""))
    got = {jobs: text_of(config, jobs, capture) for jobs in (1, 4)}
    t.check(got[1] == got[4], "%s: four threads say something else than one", config)
    if update:
        with open(name, "w") as f:
            f.write(got[1])
    want = open(name).read().splitlines()
    lines = got[1].splitlines()
    for i in range(max(len(want), len(lines))):
        a, b = (x[i] if i < len(x) else "(no line)" for x in (want, lines))
        t.check(a == b, "%s line %d:\n  want %s\n  got  %s", os.path.basename(name), i + 1, a[:300], b[:300])
t.end()
